package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	changeFiles   = 50_000
	changeCommits = 50_000
	changeTouched = 10 // files of the last commit
)

// change compares the check of a commit that changes ten files, in a repository of
// 50,000 files and as many commits, with what git needs to say which they are.
func change(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	repo := filepath.Join(tmp, "repo.git")
	if err := makeHistory(ctx, repo); err != nil {
		return err
	}
	const span = "HEAD~1..HEAD"
	programs := [2][]string{
		{c.penstock, "scan", "--no-cache", "--quiet", "--range", span},
		{"git", "diff", "--stat", span},
	}
	var samples [2][]sample
	for range max(15, c.runs) {
		for i, p := range programs {
			cmd := exec.CommandContext(ctx, p[0], p[1:]...)
			cmd.Dir = repo
			s, err := timeOnly(cmd)
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], s)
		}
	}
	for i, p := range programs {
		cmd := exec.CommandContext(ctx, p[0], p[1:]...)
		cmd.Dir = repo
		s, err := measure(ctx, cmd)
		if err != nil {
			return err
		}
		for k := range samples[i] {
			samples[i][k].peak = s.peak
		}
	}
	ours, theirs := samples[0], samples[1]
	fmt.Printf("%d files, %d commits, the last of which changes %d files.\n\n%s%s%s", changeFiles, changeCommits+1, changeTouched, tableHead,
		row("penstock scan --range "+span, ours), row("git diff --stat "+span, theirs))
	fmt.Printf("\n%.1f ms against %.1f ms: %.2f times the CPU.\n", median(ours, cpu).Seconds()*1e3, median(theirs, cpu).Seconds()*1e3,
		median(ours, cpu).Seconds()/median(theirs, cpu).Seconds())
	return nil
}

// makeHistory makes a bare repository through git fast-import, the same each time,
// and packs it as git gc does.
func makeHistory(ctx context.Context, repo string) error {
	if out, err := exec.CommandContext(ctx, "git", "init", "-q", "--bare", "-b", "main", repo).CombinedOutput(); err != nil {
		return fmt.Errorf("git init: %w: %s", err, out)
	}
	cmd := exec.CommandContext(ctx, "git", "-C", repo, "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(in, 1<<20)
	writeHistory(w)
	if err := errors.Join(w.Flush(), in.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("git fast-import: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "git", "-C", repo, "gc", "-q").CombinedOutput(); err != nil {
		return fmt.Errorf("git gc: %w: %s", err, out)
	}
	return nil
}

func writeHistory(w io.Writer) {
	r := rand.New(rand.NewPCG(3, 4))
	folders := strings.Fields("auth core user pay web api data util test cli net log cfg job task view model route cache queue")
	paths := make([]string, changeFiles)
	for i := range paths {
		var b strings.Builder
		for range 2 + r.IntN(4) {
			fmt.Fprintf(&b, "%s%d/", folders[r.IntN(len(folders))], r.IntN(8))
		}
		paths[i] = fmt.Sprintf("%sf%d.go", b.String(), i)
	}
	line := func() string {
		k := r.IntN(2000)
		return fmt.Sprintf("func handle%d(ctx context.Context, in *Request%d) (*Response, error) { return svc.call(ctx, in.Field%d, %d) }\n", k, k, k%17, k)
	}
	files := make([][]string, changeFiles)
	for i := range files {
		for range 10 + r.IntN(50) {
			files[i] = append(files[i], line())
		}
	}
	commit := func(n int, touched []int) {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata <<END\nchange %d\nEND\n", 1_500_000_000+600*n, n)
		for _, i := range touched {
			text := strings.Join(files[i], "")
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", paths[i], len(text), text)
		}
	}
	all := make([]int, changeFiles)
	for i := range all {
		all[i] = i
	}
	commit(0, all)
	for n := range changeCommits {
		count := []int{1, 1, 1, 2, 3}[r.IntN(5)]
		if n == changeCommits-1 {
			count = changeTouched
		}
		touched := make([]int, 0, count)
		for len(touched) < count {
			i := r.IntN(changeFiles)
			files[i][r.IntN(len(files[i]))] = line()
			touched = append(touched, i)
		}
		commit(n+1, touched)
	}
}
