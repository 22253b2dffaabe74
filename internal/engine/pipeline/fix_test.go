package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
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

// shifted is where a byte of the old text stands in the new one: the byte behind what
// is put in there.
func shifted(edits []penstock.Edit, at int64) int64 {
	d := int64(0)
	var seen []penstock.Edit
	for _, e := range edits {
		if e.End <= at && !slices.Contains(seen, e) {
			seen = append(seen, e)
			d += int64(len(e.Text)) - (e.End - e.Start)
		}
	}
	return at + d
}

// repaired are the files of a project with the edits of one flaw made.
func repaired(t testing.TB, files []ExampleFile, f *Flaw) []ExampleFile {
	t.Helper()
	out := slices.Clone(files)
	for i := range out {
		var own []penstock.Edit
		for _, e := range f.Fix.Edits {
			if e.Path == out[i].Path {
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
	for i, p := range x.Pipelines {
		if len(p.Notes) > len(was.Pipelines[i].Notes) {
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

var _ = bytes.Equal
