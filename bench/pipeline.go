package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The peer of the pipeline engine: a linter that parses the same files.
const (
	linterModule  = "github.com/rhysd/actionlint/cmd/actionlint"
	linterVersion = "v1.7.12"
)

// pipelines compares with actionlint on folders of workflows. What actionlint does is
// a small part of what we do; it is the fastest of the peers.
func pipelines(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	install := exec.CommandContext(ctx, "go", "install", linterModule+"@"+linterVersion)
	install.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=")
	install.Dir = tmp
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w: %s", linterModule, err, out)
	}
	var workflows []string
	var size int64
	for _, root := range c.workflows {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || filepath.Base(filepath.Dir(p)) != "workflows" || !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(p)) {
				return err
			}
			info, err := d.Info()
			if err == nil {
				workflows, size = append(workflows, p), size+info.Size()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(workflows) == 0 {
		return errors.New("no workflows there")
	}
	fmt.Printf("%d workflows, %.2f MB\n\n", len(workflows), float64(size)/1e6)

	stream := filepath.Join(tmp, "out.jsonl")
	var ours, theirs []sample
	for range c.runs {
		args := append([]string{"scan", "--engines", "pipeline", "--no-cache", "--exit-zero", "--quiet", "--output", "jsonl=" + stream}, c.workflows...)
		s, err := measure(ctx, exec.CommandContext(ctx, c.penstock, args...))
		if err != nil {
			return err
		}
		if s.code != 0 {
			return fmt.Errorf("penstock ended with %d", s.code)
		}
		ours = append(ours, s)
		// Its helpers off; it knows no other way than to look for them.
		peer := exec.CommandContext(ctx, filepath.Join(tmp, "actionlint"), append([]string{"-no-color", "-shellcheck=", "-pyflakes="}, workflows...)...)
		if s, err = measure(ctx, peer); err != nil {
			return err
		}
		theirs = append(theirs, s)
	}
	fmt.Print(tableHead + row("penstock", ours) + row("actionlint "+linterVersion, theirs))
	fmt.Printf("\nCPU %.2f times actionlint's\n\n", median(ours, cpu).Seconds()/median(theirs, cpu).Seconds())
	return tiers(stream)
}

// tiers counts the findings of a stream by tier.
func tiers(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	count := make(map[string]int)
	unread := 0
	in := bufio.NewScanner(f)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var r struct {
			Type     string `json:"type"`
			State    string `json:"state"`
			Evidence struct {
				Tier string `json:"tier"`
			} `json:"evidence"`
		}
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		switch r.Type {
		case "finding":
			count[r.Evidence.Tier]++
		case "coverage":
			if r.State == "unread" {
				unread++
			}
		}
	}
	var parts []string
	for _, t := range []string{"proven-path", "exploitable", "hygiene"} {
		parts = append(parts, fmt.Sprintf("%d %s", count[t], t))
	}
	fmt.Printf("findings: %s; %d files unread\n", strings.Join(parts, ", "), unread)
	return in.Err()
}
