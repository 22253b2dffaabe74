package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

const determinismRuns = 20

// determinism compares the bytes of many runs with 1, 2 and 8 workers, without
// and with the cache, over the corpus or else a generated tree.
func determinism(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	roots := c.corpus
	if len(roots) == 0 {
		tree := filepath.Join(tmp, "tree")
		if err := makeTree(tree); err != nil {
			return err
		}
		roots = []string{tree}
	}

	fmt.Print("| tree | runs | jobs | different outputs | files = scanned + excluded + unread |\n|---|---|---|---|---|\n")
	bad := 0
	for _, root := range roots {
		seen := map[[sha256.Size]byte]int{}
		var account string
		for i := range determinismRuns {
			jobs := []string{"1", "2", "8"}[i%3]
			args := []string{"scan", root, "--exit-zero", "--format", "jsonl", "--jobs", jobs}
			if i >= determinismRuns/2 {
				args = append(args, "--no-cache")
			}
			out := filepath.Join(tmp, "out.jsonl")
			if err := runTo(ctx, out, c.penstock, filepath.Join(tmp, "cache"), args); err != nil {
				return err
			}
			b, err := os.ReadFile(out)
			if err != nil {
				return err
			}
			seen[sha256.Sum256(b)]++
			if i == 0 {
				if account, err = accounts(b); err != nil {
					return err
				}
			}
		}
		fmt.Printf("| %s | %d | 1, 2, 8 | %d | %s |\n", filepath.Base(root), determinismRuns, len(seen), account)
		if len(seen) != 1 {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d trees gave different bytes in different runs", bad)
	}
	return nil
}

func runTo(ctx context.Context, out, program, cache string, args []string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	cmd.Stdout, cmd.Stderr = f, io.Discard
	s, err := measure(ctx, cmd)
	if err == nil && s.code != 0 {
		err = fmt.Errorf("penstock %v: exit code %d", args, s.code)
	}
	return err
}

// accounts reads the totals of a stream's end record and says whether every file
// is accounted for.
func accounts(stream []byte) (string, error) {
	lines := bytes.Split(bytes.TrimSpace(stream), []byte("\n"))
	var end struct {
		Type   string
		Totals struct{ Files, Scanned, Excluded, Unread, Members int }
	}
	if err := json.Unmarshal(lines[len(lines)-1], &end); err != nil {
		return "", err
	}
	t := end.Totals
	if end.Type != "end" {
		return "", errors.New("the stream has no end record")
	}
	if t.Files != t.Scanned+t.Excluded+t.Unread {
		return "", fmt.Errorf("%d files, but %d scanned, %d excluded, %d unread", t.Files, t.Scanned, t.Excluded, t.Unread)
	}
	return fmt.Sprintf("%d = %d + %d + %d", t.Files, t.Scanned, t.Excluded, t.Unread), nil
}
