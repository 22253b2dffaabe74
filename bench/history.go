package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// triple is what parity of histories counts: a secret that a rule found at a path,
// in whatever commits.
type triple struct {
	rule, path string
	secret     [32]byte // SHA-256
}

func (t triple) compare(u triple) int {
	return cmp.Or(cmp.Compare(t.rule, u.rule), cmp.Compare(t.path, u.path), bytes.Compare(t.secret[:], u.secret[:]))
}

// history compares with gitleaks over the whole history of repositories: its rules
// in both programs, decoding off and on, and what a second run costs after ten
// commits more. The repositories must be known to be harmless: git runs on them.
func history(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	peer, rules, err := installPeer(ctx, tmp)
	if err != nil {
		return err
	}
	for _, repo := range c.repos {
		for _, depth := range []string{"0", "5"} {
			h := historyContest{config: c, tmp: tmp, peer: peer, rules: rules, depth: depth, repo: repo}
			if err := h.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", repo, err)
			}
		}
		if err := second(ctx, c, tmp, rules, repo); err != nil {
			return fmt.Errorf("%s: %w", repo, err)
		}
	}
	return nil
}

type historyContest struct {
	config
	tmp, peer, rules, depth, repo string
}

func (h *historyContest) run(ctx context.Context) error {
	var ours, theirs []sample
	stream, report := filepath.Join(h.tmp, "ours.jsonl"), filepath.Join(h.tmp, "theirs.json")
	for range h.runs {
		s, err := scanHistory(ctx, h.config, h.repo, stream, "--no-cache", "--rules", h.rules, "--skip-rule", "secrets/*", "--decode-depth", h.depth)
		if err != nil {
			return err
		}
		ours = append(ours, s)
		cmd := exec.CommandContext(ctx, h.peer, "git", "--no-banner", "--exit-code", "0", "--config", h.rules,
			"--max-decode-depth", h.depth, "--report-format", "json", "--report-path", report, "--log-opts=--all --full-history", h.repo)
		cmd.Dir = h.tmp
		if s, err = measure(ctx, cmd); err != nil {
			return err
		}
		if s.code != 0 {
			return fmt.Errorf("gitleaks: exit code %d", s.code)
		}
		theirs = append(theirs, s)
	}
	fmt.Printf("\n%s, gitleaks' rules in both, decoding to depth %s:\n\n%s%s%s", filepath.Base(h.repo), h.depth, tableHead,
		row("penstock (parent and worker)", ours), row("gitleaks "+strings.TrimPrefix(peerVersion, "v")+" and its git", theirs))
	mine, err := h.mine(ctx, stream)
	if err != nil {
		return err
	}
	peers, err := theirTriples(report)
	if err != nil {
		return err
	}
	found, missed := 0, []triple{}
	for t := range peers {
		if mine[t] {
			found++
		} else {
			missed = append(missed, t)
		}
	}
	fmt.Printf("\nCPU ratio %.1f; %d of %d (rule, secret, path) found, %.2f %%; %d only ours.\n",
		median(theirs, cpu).Seconds()/median(ours, cpu).Seconds(), found, len(peers), 100*float64(found)/float64(max(1, len(peers))), len(mine)-found)
	slices.SortFunc(missed, triple.compare)
	for _, t := range missed {
		fmt.Printf("missed: %s in %q\n", t.rule, t.path)
	}
	return nil
}

// scanHistory runs penstock over a history and keeps its stream.
func scanHistory(ctx context.Context, c config, repo, stream string, args ...string) (sample, error) {
	out, err := os.Create(stream)
	if err != nil {
		return sample{}, err
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.penstock, append([]string{"scan", repo, "--history", "--no-config", "--exit-zero", "--format", "jsonl"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	s, err := measure(ctx, cmd)
	if err == nil && s.code != 0 {
		err = fmt.Errorf("penstock: exit code %d: %s", s.code, stderr.String())
	}
	return s, err
}

// mine reads our stream. The values, which it does not have, are cut out of the
// objects that it names.
func (h *historyContest) mine(ctx context.Context, stream string) (map[triple]bool, error) {
	b, err := os.ReadFile(stream)
	if err != nil {
		return nil, err
	}
	type place struct {
		Path       string
		Start, End int
	}
	cat := exec.CommandContext(ctx, "git", "-C", h.repo, "cat-file", "--batch")
	in, err := cat.StdinPipe()
	if err != nil {
		return nil, err
	}
	pipe, err := cat.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cat.Start(); err != nil {
		return nil, err
	}
	out := bufio.NewReaderSize(pipe, 1<<20)
	value := func(p place) ([]byte, error) {
		if strings.Contains(p.Path, "\n") {
			return nil, errors.New("a path with a line break")
		}
		fmt.Fprintf(in, "%s\n", p.Path)
		head, err := out.ReadString('\n')
		if err != nil {
			return nil, err
		}
		var id, kind string
		var size int
		if n, _ := fmt.Sscanf(head, "%s %s %d", &id, &kind, &size); n != 3 {
			return nil, fmt.Errorf("git cat-file: %s", head)
		}
		data := make([]byte, size+1)
		if _, err := io.ReadFull(out, data); err != nil {
			return nil, err
		}
		return data[min(p.Start, size):min(p.End, size)], nil
	}
	found := make(map[triple]bool)
	ended := false
	for line := range bytes.Lines(b) {
		var r struct {
			Type, Rule string
			Location   place
			Places     []place
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("penstock's stream: %w", err)
		}
		ended = ended || r.Type == "end"
		if r.Type != "finding" {
			continue
		}
		for _, p := range append(r.Places, r.Location) {
			v, err := value(p)
			if err != nil {
				continue // in a container, or of a message: no value to cut out
			}
			_, path, _ := strings.Cut(p.Path, ":")
			found[triple{strings.TrimPrefix(r.Rule, "user/"), path, sha256.Sum256(v)}] = true
		}
	}
	if !ended {
		return nil, errors.New("penstock's stream has no end record")
	}
	in.Close()
	return found, cat.Wait()
}

func theirTriples(report string) (map[triple]bool, error) {
	b, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	var findings []struct{ RuleID, Secret, File string }
	if err := json.Unmarshal(b, &findings); err != nil {
		return nil, fmt.Errorf("gitleaks' report: %w", err)
	}
	list := make(map[triple]bool)
	for _, f := range findings {
		list[triple{f.RuleID, f.File, sha256.Sum256([]byte(f.Secret))}] = true
	}
	return list, nil
}

// second measures the run after ten commits more than the run before saw.
func second(ctx context.Context, c config, tmp, rules, repo string) error {
	copied := filepath.Join(tmp, "copy.git")
	defer os.RemoveAll(copied)
	if err := os.CopyFS(copied, os.DirFS(repo)); err != nil {
		return err
	}
	git := func(args ...string) ([]string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", copied}, args...)...).Output()
		return strings.Fields(string(out)), err
	}
	if _, err := git("pack-refs", "--all"); err != nil {
		return err
	}
	packed := filepath.Join(copied, "packed-refs")
	now, err := os.ReadFile(packed)
	if err != nil {
		return err
	}
	// The ten commits on which no others build, and what they build on.
	newest, err := git("rev-list", "--all", "--topo-order", "--max-count=10")
	if err != nil {
		return err
	}
	var before strings.Builder
	refs, err := git("for-each-ref", "--format=%(objectname)%00%(*objectname)%00%(refname)")
	if err != nil {
		return err
	}
	for _, line := range refs {
		part := strings.Split(line, "\x00")
		if !slices.Contains(newest, part[0]) && !slices.Contains(newest, part[1]) {
			fmt.Fprintf(&before, "%s %s\n", part[0], part[2])
		}
	}
	parents, err := git(append([]string{"rev-list", "--no-walk", "--parents"}, newest...)...)
	if err != nil {
		return err
	}
	for i, id := range parents {
		if !slices.Contains(newest, id) {
			fmt.Fprintf(&before, "%s refs/bench/%d\n", id, i)
		}
	}
	head, err := git("rev-parse", "HEAD")
	if err != nil {
		return err
	}
	detached := head[0]
	for slices.Contains(newest, detached) {
		if head, err = git("rev-parse", detached+"^"); err != nil {
			return err
		}
		detached = head[0]
	}
	// HEAD is a commit, so that it does not name a branch that is not there yet.
	if err := os.WriteFile(filepath.Join(copied, "HEAD"), []byte(detached+"\n"), 0o644); err != nil {
		return err
	}
	cache := filepath.Join(tmp, "cache")
	set := func(refs string) error { return os.WriteFile(packed, []byte(refs), 0o644) }
	var first, again []sample
	stream := filepath.Join(tmp, "ours.jsonl")
	old := os.Getenv("XDG_CACHE_HOME")
	if err := os.Setenv("XDG_CACHE_HOME", cache); err != nil {
		return err
	}
	defer os.Setenv("XDG_CACHE_HOME", old)
	for range c.runs {
		if err := errors.Join(os.RemoveAll(cache), set(before.String())); err != nil {
			return err
		}
		s, err := scanHistory(ctx, c, copied, stream, "--rules", rules, "--skip-rule", "secrets/*")
		if err != nil {
			return err
		}
		first = append(first, s)
		if err := set(string(now)); err != nil {
			return err
		}
		if s, err = scanHistory(ctx, c, copied, stream, "--rules", rules, "--skip-rule", "secrets/*"); err != nil {
			return err
		}
		again = append(again, s)
	}
	fmt.Printf("\n%s, ten commits later:\n\n%s%s%s\n", filepath.Base(repo), tableHead, row("first run", first), row("second run", again))
	fmt.Printf("The second run takes %.1f %% of the CPU of the first.\n", 100*median(again, cpu).Seconds()/median(first, cpu).Seconds())
	return nil
}
