package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The peer that the bars of docs/measured.md name.
const (
	peerModule  = "github.com/zricethezav/gitleaks/v8"
	peerVersion = "v8.30.1"
)

// pair is what parity counts: a rule fired in a file.
type pair struct{ root, rule, file string }

func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(p.root, q.root), cmp.Compare(p.rule, q.rule), cmp.Compare(p.file, q.file))
}

// secrets compares with gitleaks twice: its own rules in both programs with
// decoding off, and each program with its own rules and decoding on.
func secrets(ctx context.Context, c config) error {
	tmp, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	peer, rules, err := installPeer(ctx, tmp)
	if err != nil {
		return err
	}
	if err := describeCorpus(c.corpus); err != nil {
		return err
	}

	fmt.Printf("\ngitleaks' own rule file in both, decoding off:\n\n")
	same := contest{
		config: c, tmp: tmp,
		ours:   []string{"--rules", rules, "--skip-rule", "secrets/*", "--decode-depth", "0"},
		theirs: []string{peer, "--config", rules, "--max-decode-depth", "0"},
	}
	if err := same.run(ctx); err != nil {
		return err
	}
	if err := same.parity(); err != nil {
		return err
	}

	fmt.Printf("\nEach with its own rules, decoding to depth 5 in both:\n\n")
	own := contest{
		config: c, tmp: tmp,
		ours:   []string{"--decode-depth", "5"},
		theirs: []string{peer, "--config", rules, "--max-decode-depth", "5"},
	}
	return own.run(ctx)
}

// installPeer builds gitleaks by the ordinary go client into dir and returns the
// program and its default rule file.
func installPeer(ctx context.Context, dir string) (program, rules string, err error) {
	cmd := exec.CommandContext(ctx, "go", "install", peerModule+"@"+peerVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("go install %s@%s: %w: %s", peerModule, peerVersion, err, out)
	}
	cmd = exec.CommandContext(ctx, "go", "mod", "download", "-json", peerModule+"@"+peerVersion)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("go mod download: %w", err)
	}
	var mod struct{ Dir string }
	if err := json.Unmarshal(out, &mod); err != nil {
		return "", "", err
	}
	return filepath.Join(dir, "gitleaks"), filepath.Join(mod.Dir, "config", "gitleaks.toml"), nil
}

func describeCorpus(roots []string) error {
	fmt.Print("| corpus | files | MB |\n|---|---|---|\n")
	var files int
	var size int64
	for _, root := range roots {
		n, b, err := treeSize(root)
		if err != nil {
			return err
		}
		files, size = files+n, size+b
		fmt.Printf("| %s | %d | %.1f |\n", filepath.Base(root), n, float64(b)/1e6)
	}
	fmt.Printf("| total | %d | %.1f |\n", files, float64(size)/1e6)
	return nil
}

// treeSize counts regular files outside .git, and their bytes.
func treeSize(root string) (files int, size int64, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			files, size = files+1, size+info.Size()
		}
		return nil
	})
	return files, size, err
}

// contest runs two programs over the same folders, alternating.
type contest struct {
	config
	tmp          string
	ours, theirs []string

	mine, peers map[pair]bool
	unread      map[pair]string // root and file only: why ours did not read it
}

func (t *contest) run(ctx context.Context) error {
	t.mine, t.peers, t.unread = map[pair]bool{}, map[pair]bool{}, map[pair]string{}
	var ours, theirs []sample
	for i := range t.runs {
		var a, b sample
		for _, root := range t.corpus {
			s, err := t.runOurs(ctx, root, i == 0)
			if err != nil {
				return err
			}
			a = add(a, s)
			if s, err = t.runTheirs(ctx, root, i == 0); err != nil {
				return err
			}
			b = add(b, s)
		}
		ours, theirs = append(ours, a), append(theirs, b)
	}
	fmt.Print(tableHead, row("penstock (parent and worker)", ours), row("gitleaks "+strings.TrimPrefix(peerVersion, "v"), theirs))
	fmt.Printf("\nCPU ratio %.1f, wall ratio %.1f; findings as (rule, file): penstock %d, gitleaks %d\n",
		median(theirs, cpu).Seconds()/median(ours, cpu).Seconds(),
		median(theirs, wall).Seconds()/median(ours, wall).Seconds(), len(t.mine), len(t.peers))
	return nil
}

func (t *contest) runOurs(ctx context.Context, root string, keep bool) (sample, error) {
	args := append([]string{"scan", root, "--no-cache", "--exit-zero", "--format", "jsonl"}, t.ours...)
	cmd := exec.CommandContext(ctx, t.penstock, args...)
	out, err := os.Create(filepath.Join(t.tmp, "ours.jsonl"))
	if err != nil {
		return sample{}, err
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	s, err := measure(ctx, cmd)
	if err != nil {
		return s, err
	}
	if s.code != 0 {
		fmt.Fprintf(os.Stderr, "penstock on %s: exit code %d: %s\n", root, s.code, stderr.String())
	}
	if keep {
		err = t.readOurs(root, out.Name())
	}
	return s, err
}

// readOurs takes the findings, and what was not read, from a stream of records.
func (t *contest) readOurs(root, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	ended := false
	for line := range bytes.Lines(b) {
		var r struct {
			Type   string
			Rule   string
			Path   string
			State  string
			Reason string
			Detail string

			Location struct{ Path string }
			Places   []struct{ Path string }
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("penstock's stream: %w", err)
		}
		switch r.Type {
		case "finding":
			rule := strings.TrimPrefix(r.Rule, "user/")
			t.mine[pair{root, rule, relative(root, r.Location.Path)}] = true
			for _, p := range r.Places {
				t.mine[pair{root, rule, relative(root, p.Path)}] = true
			}
		case "coverage":
			if r.State != "scanned" {
				t.unread[pair{root: root, file: relative(root, r.Path)}] = strings.TrimSpace(r.State + " " + r.Reason + " " + r.Detail)
			}
		case "end":
			ended = true
		}
	}
	if !ended {
		return errors.New("penstock's stream has no end record")
	}
	return nil
}

func (t *contest) runTheirs(ctx context.Context, root string, keep bool) (sample, error) {
	report := filepath.Join(t.tmp, "theirs.json")
	args := append([]string{"dir", root, "--no-banner", "--exit-code", "0", "--redact", "--report-format", "json", "--report-path", report}, t.theirs[1:]...)
	cmd := exec.CommandContext(ctx, t.theirs[0], args...)
	cmd.Dir = t.tmp // it looks for .gitleaksignore where it stands
	s, err := measure(ctx, cmd)
	if err != nil {
		return s, err
	}
	if s.code != 0 {
		return s, fmt.Errorf("gitleaks on %s: exit code %d", root, s.code)
	}
	if !keep {
		return s, nil
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return s, err
	}
	var findings []struct{ RuleID, File string }
	if err := json.Unmarshal(b, &findings); err != nil {
		return s, fmt.Errorf("gitleaks' report: %w", err)
	}
	for _, f := range findings {
		t.peers[pair{root, f.RuleID, relative(root, f.File)}] = true
	}
	return s, nil
}

func relative(root, path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
}

// parity lists what gitleaks found and we did not, whole in a file.
func (t *contest) parity() error {
	var misses, extras []pair
	for p := range t.peers {
		if !t.mine[p] {
			misses = append(misses, p)
		}
	}
	extra := map[string]int{}
	for p := range t.mine {
		if !t.peers[p] {
			extras = append(extras, p)
			extra[p.rule]++
		}
	}
	slices.SortFunc(misses, pair.compare)
	slices.SortFunc(extras, pair.compare)
	found := len(t.peers) - len(misses)
	fmt.Printf("\nParity: %d of %d pairs found, %.2f %%; %d missed, %d only ours.\n",
		found, len(t.peers), 100*float64(found)/float64(max(1, len(t.peers))), len(misses), len(extras))
	for _, list := range []struct {
		name  string
		pairs []pair
	}{{"misses.tsv", misses}, {"extras.tsv", extras}} {
		var b bytes.Buffer
		for _, p := range list.pairs {
			fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", filepath.Base(p.root), p.rule, p.file, t.unread[pair{root: p.root, file: p.file}])
		}
		if err := os.WriteFile(filepath.Join(t.out, list.name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if len(misses) > 0 {
		fmt.Print("\n| missed rule | corpus | file | our coverage of the file |\n|---|---|---|---|\n")
		for _, p := range misses {
			fmt.Printf("| %s | %s | %q | %s |\n", p.rule, filepath.Base(p.root), p.file, cmp.Or(t.unread[pair{root: p.root, file: p.file}], "scanned"))
		}
	}
	if len(extra) > 0 {
		fmt.Print("\n| rule | files only ours |\n|---|---|\n")
		for _, rule := range slices.Sorted(maps.Keys(extra)) {
			fmt.Printf("| %s | %d |\n", rule, extra[rule])
		}
	}
	return nil
}
