package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	warmFiles   = 50_000
	warmPerDir  = 50
	warmMaxSize = 4 << 10 // bytes
)

// warm compares a rescan of an unchanged tree with walking it and asking for the
// size and time of every file, the least that any rescan must do.
func warm(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	tree := filepath.Join(tmp, "tree")
	if err := makeTree(tree); err != nil {
		return err
	}
	// Files that changed within two seconds of a scan are read again by the next:
	// their time stamps could not tell a further change.
	time.Sleep(3 * time.Second)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	scan := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, c.penstock, "scan", tree, "--exit-zero", "--format", "jsonl")
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(tmp, "cache"))
		return cmd
	}
	programs := []struct {
		name string
		cmd  func() *exec.Cmd
	}{
		{"penstock, warm", scan},
		{"walk and stat in Go", func() *exec.Cmd { return exec.CommandContext(ctx, self, "walk", tree) }},
		{"find -printf size, time, name", func() *exec.Cmd { return exec.CommandContext(ctx, "find", tree, "-printf", `%s %T@ %p\n`) }},
	}

	cold, err := measure(ctx, scan())
	if err != nil {
		return err
	}
	if cold.code != 0 {
		return fmt.Errorf("penstock: exit code %d", cold.code)
	}
	samples := make([][]sample, len(programs))
	for range max(5, c.runs) {
		for i, p := range programs {
			s, err := measure(ctx, p.cmd())
			if err != nil {
				return err
			}
			if s.code != 0 {
				return fmt.Errorf("%s: exit code %d", p.name, s.code)
			}
			samples[i] = append(samples[i], s)
		}
	}
	fmt.Printf("%d files in %d folders.\n\n%s%s", warmFiles, warmFiles/warmPerDir, tableHead, row("penstock, cold", []sample{cold}))
	for i, p := range programs {
		fmt.Print(row(p.name, samples[i]))
	}
	fmt.Printf("\nWarm rescan: %.2f times the CPU of walking in Go, %.2f times that of find.\n",
		median(samples[0], cpu).Seconds()/median(samples[1], cpu).Seconds(),
		median(samples[0], cpu).Seconds()/median(samples[2], cpu).Seconds())
	return nil
}

// makeTree writes files that look like source, the same ones every time.
func makeTree(root string) error {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("func return config token value handler request password = := { } ( ) if err nil import user key path 0x1f 42 \"text\" // note")
	var b strings.Builder
	for i := range warmFiles {
		dir := filepath.Join(root, fmt.Sprintf("group%03d", i/warmPerDir/10), fmt.Sprintf("pkg%d", i/warmPerDir%10))
		if i%warmPerDir == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		b.Reset()
		for size := 200 + r.IntN(warmMaxSize-200); b.Len() < size; {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(" \n"[min(1, r.IntN(8)/7)])
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%05d.go", i)), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// walk is the yardstick: every entry listed, every file's size and time asked.
func walk(root string) error {
	var files, size int64
	err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		size += info.Size() + info.ModTime().Unix()%2
		return nil
	})
	fmt.Println(files, size)
	return err
}
