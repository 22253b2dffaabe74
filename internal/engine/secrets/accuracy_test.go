package secrets

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// Floors of accuracy on the generated corpus.
const (
	minRecall    = 0.97
	minPrecision = 0.97
)

// found is a place that a scanner named, lines counted from 1.
type found struct {
	file     string
	from, to int
	rule     string
}

// TestAccuracy measures recall and precision by line on the corpus. With
// PENSTOCK_GITLEAKS=/path/to/gitleaks that program runs on the same files, with its
// own rules; with PENSTOCK_CORPUS=dir the files are kept there; with
// PENSTOCK_MISSES=1 every miss and every false positive is printed.
func TestAccuracy(t *testing.T) {
	pages := 360
	if testing.Short() {
		pages = 96
	}
	c := makeCorpus(t, 1, pages)
	kindsSeen := map[string]bool{}
	for _, p := range c.planted {
		kindsSeen[p.kind] = true
	}
	t.Logf("corpus %s: %d files, %d planted credentials of %d kinds, %d lines that hold none but look so", c.digest(), len(c.files), len(c.planted), len(kindsSeen), len(c.decoys))
	if !testing.Short() && (len(c.planted) < 2000 || len(kindsSeen) < 60 || len(c.decoys) < 20000) {
		t.Error("the corpus is smaller than promised: want 2,000 planted of 60 kinds and 20,000 decoys")
	}
	ours := c.judge(scanCorpus(t, c))
	ours.log(t, "penstock")
	if ours.recall() < minRecall || ours.precision() < minPrecision {
		t.Errorf("recall %.4f, precision %.4f; want at least %.2f and %.2f", ours.recall(), ours.precision(), minRecall, minPrecision)
	}
	if os.Getenv("PENSTOCK_MISSES") != "" {
		ours.list(t, c)
	}
	dir := os.Getenv("PENSTOCK_CORPUS")
	gitleaks := os.Getenv("PENSTOCK_GITLEAKS")
	if dir == "" && gitleaks == "" {
		return
	}
	if dir == "" {
		dir = t.TempDir()
	}
	for _, f := range c.files {
		name := filepath.Join(dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if gitleaks != "" {
		c.judge(runGitleaks(t, gitleaks, dir)).log(t, "gitleaks")
	}
}

// scanCorpus runs the engine over every file; the members of archives are handed
// to it as the pass does.
func scanCorpus(t *testing.T, c *corpus) []found {
	p, err := open(context.Background(), penstock.Setup{DecodeDepth: 5})
	if err != nil {
		t.Fatal(err)
	}
	var out []found
	scan := func(path string, data []byte) {
		for _, f := range scanText(t, p, path, string(data)) {
			from := 1 + bytes.Count(data[:f.Location.Start], []byte("\n"))
			to := from + bytes.Count(data[f.Location.Start:max(f.Location.Start, f.Location.End-1)], []byte("\n"))
			out = append(out, found{path, from, to, strings.TrimPrefix(f.Rule, "secrets/")})
		}
	}
	for _, f := range c.files {
		if f.members == nil {
			scan(f.path, f.data)
		}
		for _, m := range f.members {
			scan(f.path+penstock.MemberSeparator+m.path, m.data)
		}
	}
	return out
}

// runGitleaks runs the peer with its default rules, decoding and archives on.
func runGitleaks(t *testing.T, program, dir string) []found {
	report := filepath.Join(t.TempDir(), "gitleaks.json")
	cmd := exec.Command(program, "dir", dir, "--no-banner", "--exit-code", "0", "--log-level", "error",
		"--max-decode-depth", "5", "--max-archive-depth", "3", "--report-format", "json", "--report-path", report)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		RuleID, File       string
		StartLine, EndLine int
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	var out []found
	for _, f := range list {
		name, err := filepath.Rel(dir, f.File)
		if err != nil {
			t.Fatal(err)
		}
		// Its members are named archive!member.
		if outer, inner, ok := strings.Cut(name, "!"); ok {
			name = outer + penstock.MemberSeparator + strings.TrimPrefix(inner, "/")
		}
		out = append(out, found{filepath.ToSlash(name), f.StartLine, max(f.StartLine, f.EndLine), f.RuleID})
	}
	return out
}

// tally is recall of one class.
type tally struct{ planted, found int }

// score is how a scanner did.
type score struct {
	byClass, byHow map[string]*tally
	missed         []planted
	// false positives, by the kind of decoy and by rule; "other" is a line that
	// is no decoy either.
	falses            []found
	byDecoy           map[string]int
	byRule            map[string]int
	hits, wrong       int // lines reported that hold a credential, and that do not
	planted, detected int
}

func (v *score) recall() float64    { return float64(v.detected) / float64(max(1, v.planted)) }
func (v *score) precision() float64 { return float64(v.hits) / float64(max(1, v.hits+v.wrong)) }

// judge compares places with the truth. A credential is found if a place touches
// its lines; a place is wrong if it touches no credential's. Several places on one
// line count once.
func (c *corpus) judge(places []found) *score {
	v := &score{byClass: map[string]*tally{}, byHow: map[string]*tally{}, byDecoy: map[string]int{}, byRule: map[string]int{}}
	byFile := map[string][]int{}
	for i, p := range c.planted {
		byFile[p.file] = append(byFile[p.file], i)
	}
	decoys := map[string]string{}
	for _, d := range c.decoys {
		decoys[fmt.Sprintf("%s:%d", d.file, d.line)] = d.kind
	}
	seen := make([]bool, len(c.planted))
	counted := map[string]bool{}
	for _, f := range places {
		right := false
		for _, i := range byFile[f.file] {
			if p := c.planted[i]; f.from <= p.to && p.from <= f.to {
				seen[i], right = true, true
			}
		}
		key := fmt.Sprintf("%s:%d", f.file, f.from)
		if counted[key] {
			continue
		}
		counted[key] = true
		if right {
			v.hits++
			continue
		}
		v.wrong++
		v.falses = append(v.falses, f)
		v.byDecoy[cmp.Or(decoys[key], "other")]++
		v.byRule[f.rule]++
	}
	for i, p := range c.planted {
		for m, key := range map[*map[string]*tally]string{&v.byClass: p.class, &v.byHow: p.how} {
			if (*m)[key] == nil {
				(*m)[key] = new(tally)
			}
			(*m)[key].planted++
			if seen[i] {
				(*m)[key].found++
			}
		}
		v.planted++
		if seen[i] {
			v.detected++
		} else {
			v.missed = append(v.missed, p)
		}
	}
	return v
}

func (v *score) log(t *testing.T, who string) {
	var b strings.Builder
	p, r := v.precision(), v.recall()
	fmt.Fprintf(&b, "%s: recall %.4f (%d of %d), precision %.4f (%d lines right, %d wrong), F1 %.4f\n", who, r, v.detected, v.planted, p, v.hits, v.wrong, 2*p*r/max(1e-9, p+r))
	for _, m := range []map[string]*tally{v.byClass, v.byHow} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "  %-28s %5d planted %5d found  %.3f\n", k, m[k].planted, m[k].found, float64(m[k].found)/float64(m[k].planted))
		}
	}
	for _, m := range []map[string]int{v.byDecoy, v.byRule} {
		for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) }) {
			fmt.Fprintf(&b, "  wrong: %-34s %5d\n", k, m[k])
		}
	}
	t.Log(b.String())
}

// list prints what was missed and what was wrong, for the one who works on rules.
func (v *score) list(t *testing.T, c *corpus) {
	text := map[string][]string{}
	for _, f := range c.files {
		text[f.path] = strings.Split(string(f.data), "\n")
		for _, m := range f.members {
			text[f.path+penstock.MemberSeparator+m.path] = strings.Split(string(m.data), "\n")
		}
	}
	clip := func(file string, n int) string {
		if n < 1 || n > len(text[file]) {
			return ""
		}
		return fmt.Sprintf("%.200s", text[file][n-1])
	}
	for _, p := range v.missed {
		t.Logf("miss  %-20s %-10s %s:%d %s", p.kind, p.how, p.file, p.to, clip(p.file, p.to))
	}
	for _, f := range v.falses {
		t.Logf("wrong %-28s %s:%d %s", f.rule, f.file, f.from, clip(f.file, f.from))
	}
}
