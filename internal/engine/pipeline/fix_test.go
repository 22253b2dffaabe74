package pipeline

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// applyEdits makes edits in a text: the same edit of two repairs once, and what comes in
// at one place in the order given. It fails on those that overlap.
func applyEdits(t testing.TB, text string, edits []penstock.Edit) string {
	t.Helper()
	var own []penstock.Edit
	for _, e := range edits {
		if !slices.Contains(own, e) {
			own = append(own, e)
		}
	}
	slices.SortStableFunc(own, func(a, b penstock.Edit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var b strings.Builder
	at := int64(0)
	for _, e := range own {
		if e.Start < at || e.End < e.Start || e.End > int64(len(text)) {
			t.Fatalf("edit %+v begins before %d", e, at)
		}
		b.WriteString(text[at:e.Start] + e.Text)
		at = e.End
	}
	b.WriteString(text[at:])
	return b.String()
}

// repaired are the files of a project with the edits of one flaw made.
func repaired(t testing.TB, files []ExampleFile, f *Flaw) []ExampleFile {
	t.Helper()
	out := slices.Clone(files)
	made := make(map[string]string)
	for _, e := range f.Fix.Edits {
		if !e.New {
			continue
		}
		i := slices.IndexFunc(files, func(f ExampleFile) bool { return f.Path == e.Path })
		if from := slices.IndexFunc(files, func(f ExampleFile) bool { return f.Path == e.From }); from >= 0 {
			e.Text += files[from].Text[e.Start:e.End]
		}
		if i >= 0 || path.Dir(e.Path) != path.Dir(f.Path) {
			t.Fatalf("%s is made", e.Path)
		}
		made[e.Path] += e.Text
	}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		out = append(out, ExampleFile{Path: name, Text: made[name]})
	}
	for i := range out {
		var own []penstock.Edit
		for _, e := range f.Fix.Edits {
			if e.Path == out[i].Path && !e.New {
				own = append(own, e)
			}
		}
		if len(own) > 0 {
			out[i].Text = applyEdits(t, out[i].Text, own)
		}
	}
	return out
}

// judge says what is wrong with the repair of a flaw: the flaw is still there, another
// one came, or the file cannot be read as well as before.
func judge(t testing.TB, before []ExampleFile, f *Flaw, old []Flaw, settings Settings) (after []ExampleFile, problems []string) {
	t.Helper()
	after = repaired(t, before, f)
	x := exampleProject(t, after, settings)
	now := found(x)
	count := func(all []Flaw, rule string) (n int) {
		for i := range all {
			if all[i].Rule == rule {
				n++
			}
		}
		return n
	}
	was := exampleProject(t, before, settings)
	for _, p := range x.Pipelines {
		notes := 0
		if old := was.byPath[p.Path]; old != nil {
			notes = len(old.Notes)
		}
		if len(p.Notes) > notes {
			problems = append(problems, fmt.Sprintf("%s: %s", p.Path, p.Notes[len(p.Notes)-1].Message))
		}
	}
	if count(now, f.Rule) >= count(old, f.Rule) {
		problems = append(problems, "is still there")
	}
	rules := make(map[string]bool)
	for i := range now {
		if g := &now[i]; cmp.Or(g.Severity, ruleIndex()[g.Rule].Severity) > penstock.Info {
			rules[g.Rule] = true
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if count(now, rule) > count(old, rule) {
			problems = append(problems, "brings "+rule)
		}
	}
	return after, problems
}

// The repair of each bad example removes the flaw and brings none, and the file still
// parses.
func TestFixExamples(t *testing.T) {
	fixed := make(map[string]int)
	for _, r := range Rules() {
		id := strings.TrimPrefix(r.ID, "pipeline/")
		if only := os.Getenv("RULE"); only != "" && only != id {
			continue
		}
		for n, e := range r.Examples {
			files := ExampleFiles(e.Bad)
			settings := exampleSettings(t, &e)
			settings.Repairs = true
			old := found(exampleProject(t, files, settings))
			for i := range old {
				f := &old[i]
				if f.Rule != id || f.Fix == nil || len(f.Fix.Edits) == 0 {
					continue
				}
				fixed[id]++
				after, problems := judge(t, files, f, old, settings)
				for _, p := range problems {
					t.Errorf("%s/%d line %d: %s", id, n, lineOf(files, f.Place), p)
				}
				if len(problems) > 0 || os.Getenv("SHOW") != "" {
					t.Log(diffOf(files, after))
				}
			}
		}
	}
	t.Logf("repairs: %v", fixed)
}

// diffOf shows the lines that differ between versions of files.
func diffOf(before, after []ExampleFile) string {
	var b strings.Builder
	before = slices.Clone(before)
	for _, made := range after[len(before):] {
		before = append(before, ExampleFile{Path: made.Path})
	}
	for i := range before {
		if before[i].Text == after[i].Text {
			continue
		}
		fmt.Fprintf(&b, "%s\n", before[i].Path)
		x, y := strings.SplitAfter(before[i].Text, "\n"), strings.SplitAfter(after[i].Text, "\n")
		for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
			x, y = x[1:], y[1:]
		}
		for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
			x, y = x[:len(x)-1], y[:len(y)-1]
		}
		for _, l := range x {
			fmt.Fprintf(&b, "-%s\n", strings.TrimRight(l, "\n"))
		}
		for _, l := range y {
			fmt.Fprintf(&b, "+%s\n", strings.TrimRight(l, "\n"))
		}
	}
	return b.String()
}

// TestFixCorpus repairs real definitions, those of a folder of projects that PENSTOCK_CORPUS
// names: each repair by itself, and all safe ones of a file at once.
func TestFixCorpus(t *testing.T) {
	dir := os.Getenv("PENSTOCK_CORPUS")
	if dir == "" {
		t.Skip("PENSTOCK_CORPUS is not set")
	}
	tried, failed, flaws := make(map[string]int), make(map[string]int), make(map[string]int)
	safe := make(map[string]int)
	reasons := make(map[string]int)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		_, rel, _ = strings.Cut(filepath.ToSlash(rel), "/")
		if Detect(rel) == KindNone {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files := []ExampleFile{{Path: rel, Text: string(b)}}
		old := found(exampleProject(t, files, Settings{Repairs: true}))
		var all []penstock.Edit
		var together []*Flaw
		for i := range old {
			f := &old[i]
			flaws[f.Rule]++
			if f.Fix == nil || len(f.Fix.Edits) == 0 {
				continue
			}
			tried[f.Rule]++
			if f.Fix.Safe {
				safe[f.Rule]++
			}
			_, problems := judge(t, files, f, old, Settings{Repairs: true})
			if len(problems) > 0 {
				failed[f.Rule]++
				reasons[f.Rule+": "+strings.Join(problems, "; ")]++
				if failed[f.Rule] <= 3 {
					after := repaired(t, files, f)
					t.Logf("%s:%d %s: %v\n%s", name, lineOf(files, f.Place), f.Rule, problems, diffOf(files, after))
				}
				continue
			}
			clash := slices.ContainsFunc(f.Fix.Edits, func(e penstock.Edit) bool {
				return slices.ContainsFunc(all, func(o penstock.Edit) bool {
					return o != e && (o.Overlaps(e.Span) || o.Span == e.Span && e.Start < e.End)
				})
			})
			if f.Fix.Safe && !clash {
				all = append(all, f.Fix.Edits...)
				together = append(together, f)
			}
		}
		if len(together) > 1 {
			tried["together"]++
			sum := *together[0]
			sum.Fix = &penstock.Fix{Edits: all}
			if after, problems := judge(t, files, &sum, old, Settings{Repairs: true}); len(problems) > 0 {
				failed["together"]++
				reasons["together: "+strings.Join(problems, "; ")]++
				if failed["together"] <= 5 {
					t.Logf("%s together: %v\n%s", name, problems, diffOf(files, after))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range slices.Sorted(maps.Keys(tried)) {
		t.Logf("%-28s flaws %5d repairs %5d safe %5d failed %4d", rule, flaws[rule], tried[rule], safe[rule], failed[rule])
	}
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%4d %s", reasons[why], why)
	}
}
