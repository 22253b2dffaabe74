// Command bench measures Penstock against the bars of docs/measured.md and
// prints Markdown tables. It measures CPU as user plus system time of the
// process and the processes it waited for, because wall time depends on what
// else the machine does.
//
//	go run ./bench secrets      against gitleaks; PENSTOCK_CORPUS=dir:dir...
//	go run ./bench warm         a rescan of an unchanged tree of 50,000 files
//	go run ./bench determinism  the same bytes from 1, 2 and 8 workers
//	go run ./bench change       a commit of ten files against git diff --stat
//	go run ./bench history      all commits against gitleaks; PENSTOCK_REPOS=bare.git:bare.git...
//	go run ./bench pipeline     workflows against actionlint; PENSTOCK_WORKFLOWS=dir:dir...
//	go run ./bench all
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// config is what all benchmarks share.
type config struct {
	penstock string   // path of the program under test
	corpus   []string // folders of public source
	repos    []string // bare repositories, known to be harmless
	// workflows are folders that hold repositories, or at least their .github.
	workflows []string
	runs      int    // per program, alternating; medians are reported
	out       string // folder for lists that are too long for the terminal
}

func main() {
	var c config
	flag.StringVar(&c.penstock, "penstock", "bin/penstock", "program under test")
	flag.StringVar(&c.out, "out", "bin/bench", "folder for lists of misses")
	flag.IntVar(&c.runs, "runs", 3, "runs of each program")
	flag.Parse()
	for _, dir := range filepath.SplitList(os.Getenv("PENSTOCK_CORPUS")) {
		c.corpus = append(c.corpus, strings.TrimRight(dir, "/"))
	}
	c.repos = filepath.SplitList(os.Getenv("PENSTOCK_REPOS"))
	c.workflows = filepath.SplitList(os.Getenv("PENSTOCK_WORKFLOWS"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, c config, args []string) error {
	if len(args) == 2 && args[0] == "walk" { // the yardstick of warm, as its own process
		return walk(args[1])
	}
	if len(args) != 1 {
		return errors.New("usage: bench [flags] secrets|warm|determinism|change|history|pipeline|all")
	}
	var err error
	if c.penstock, err = filepath.Abs(c.penstock); err != nil {
		return err
	}
	if _, err := os.Stat(c.penstock); err != nil {
		return fmt.Errorf("%w: run make build", err)
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	all := args[0] == "all"
	ran := false
	for _, b := range []struct {
		name  string
		needs string // the variable that names its input
		given []string
		run   func(context.Context, config) error
	}{
		{"secrets", "PENSTOCK_CORPUS", c.corpus, secrets},
		{"warm", "", nil, warm},
		{"determinism", "", nil, determinism},
		{"change", "", nil, change},
		{"history", "PENSTOCK_REPOS", c.repos, history},
		{"pipeline", "PENSTOCK_WORKFLOWS", c.workflows, pipelines},
	} {
		if !all && args[0] != b.name {
			continue
		}
		ran = true
		fmt.Printf("## %s\n\n", b.name)
		if b.needs != "" && len(b.given) == 0 {
			if !all {
				return fmt.Errorf("%s names nothing: set it to a list of folders, separated by colons", b.needs)
			}
			fmt.Printf("SKIPPED: %s names nothing.\n\n", b.needs)
			continue
		}
		if err := b.run(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		fmt.Println()
	}
	if !ran {
		return fmt.Errorf("no benchmark named %q", args[0])
	}
	return nil
}
