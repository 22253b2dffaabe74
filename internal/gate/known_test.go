package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// at makes a finding of the rule secrets/a at "path:line" places.
func at(places ...string) *penstock.Finding {
	f := &penstock.Finding{Rule: "secrets/a", Severity: penstock.High, Fingerprint: "print of " + places[0]}
	for i, p := range places {
		l := place(p)
		if i == 0 {
			f.Location = l
		} else {
			f.Places = append(f.Places, l)
		}
	}
	return f
}

func place(p string) (l penstock.Location) {
	path, line, _ := strings.Cut(p, ":")
	l.Path, l.Line = path, 7
	if line != "" {
		fmt.Sscan(line, &l.Line)
	}
	return l
}

// compare makes a comparison of places known and, for each finding, what its
// places were: an index in known, "~" before it for a match that is not exact,
// "-" for none; "" for a finding that was not compared.
func compare(known []string, findings []*penstock.Finding, was ...string) *Comparison {
	c := &Comparison{Origin: "the base 1234abcd", New: map[*penstock.Finding][]Match{}}
	for _, k := range known {
		l := place(k)
		c.Old = append(c.Old, Old{Rule: "secrets/a", Path: l.Path, Line: l.Line, Fingerprint: "print of " + k})
	}
	for i, f := range findings {
		for _, w := range strings.Fields(was[i]) {
			m := Match{Old: -1, Exact: !strings.HasPrefix(w, "~")}
			if w != "-" {
				fmt.Sscan(strings.TrimPrefix(w, "~"), &m.Old)
			} else {
				m.Exact = false
			}
			c.New[f] = append(c.New[f], m)
		}
	}
	return c
}

func TestDecideCompared(t *testing.T) {
	byPrint := func(print string) Exception {
		return Exception{Rule: "secrets/*", Fingerprint: print, Owner: "@team", Reason: "demo", Expires: "2026-12-31", Place: "e:2"}
	}
	const blocks = "blocks: high is at or above high (block)"
	const old = "high is at or above high (block), but known in the base 1234abcd: only new findings block"
	const oldChanged = "high is at or above high (block), but known in the base 1234abcd, though it or what is around it has changed: only new findings block"
	const excepted = "exception: suppressed by exception of @team until 2026-12-31: demo"
	for _, c := range []struct {
		name       string
		known      []string
		findings   []*penstock.Finding
		was        []string
		baseline   bool
		policy     Policy
		exceptions []Exception
		ignores    []Ignore
		want       string // pass, blocking/open/suppressed, new/unchanged/fixed
		each       []string
		notes      []string
	}{
		{
			name: "new blocks, known does not", known: []string{"a", "b"},
			findings: []*penstock.Finding{at("a:9"), at("c")}, was: []string{"0", "-"},
			want: "block 1/2/0 1/1/0", each: []string{"unchanged " + old, "new " + blocks},
		},
		{
			name: "edited code is known", known: []string{"a"},
			findings: []*penstock.Finding{at("a:9")}, was: []string{"~0"},
			want: "pass 0/1/0 0/1/0", each: []string{"unchanged " + oldChanged},
		},
		{
			name: "the policy may let all block", known: []string{"a"}, policy: policy(func(p *Policy) { p.OnlyNew = false }),
			findings: []*penstock.Finding{at("a")}, was: []string{"0"},
			want: "block 1/1/0 0/1/0", each: []string{"unchanged " + blocks},
		},
		{
			name: "what was not compared is new", known: []string{"a"},
			findings: []*penstock.Finding{at("a")}, was: []string{""},
			want: "block 1/1/0 1/0/0", each: []string{"new " + blocks},
		},
		{
			name: "a copy in one more file is new", known: []string{"a", "b"},
			findings: []*penstock.Finding{at("a", "b", "c:3", "d")}, was: []string{"0 1 - -"},
			want: "block 1/1/0 1/0/0", each: []string{"new " + blocks + "; known in the base 1234abcd, but new at c:3 and 1 more"},
		},
		{
			name: "fixed counts for nothing", known: []string{"a"},
			findings: []*penstock.Finding{{Rule: "secrets/a", Severity: penstock.Critical, Status: penstock.StatusFixed, Suppressed: &penstock.Suppression{Kind: "inline"}}}, was: []string{""},
			want: "pass 0/0/0 0/0/1", each: []string{"fixed it was known in the base 1234abcd and is gone from there"},
		},
		{
			name: "a baseline suppresses what it holds", known: []string{"a"}, baseline: true,
			findings: []*penstock.Finding{at("b:3")}, was: []string{"0"},
			want: "pass 0/0/1 0/1/0", each: []string{"unchanged baseline: suppressed by baseline: known before"},
		},
		{
			name: "a baseline does not suppress edited code", known: []string{"a", "b"}, baseline: true,
			findings: []*penstock.Finding{at("a"), at("b", "b:9")}, was: []string{"~0", "1 ~1"},
			want: "pass 0/2/0 0/2/0", each: []string{"unchanged " + oldChanged, "unchanged " + oldChanged},
		},
		{
			name: "a baseline does not suppress a copy", known: []string{"a"}, baseline: true,
			findings: []*penstock.Finding{at("a", "b")}, was: []string{"0 -"},
			want: "block 1/1/0 1/0/0", each: []string{"new " + blocks + "; known in the base 1234abcd, but new at b:7"},
		},

		{
			name: "a baseline says nothing of what is accepted", known: []string{"b"}, baseline: true, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x"), at("a/x", "b")}, was: []string{"-", "- 0"},
			want: "block 1/1/1 1/0/0", each: []string{" " + excepted, "new " + blocks + "; known in the base 1234abcd, but new at a/x:7"},
		},

		// Exceptions.
		{
			name: "by path, stays", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x:9")}, was: []string{"0"},
			want: "pass 0/0/1 0/0/0", each: []string{"unchanged " + excepted},
		},
		{
			name: "by path, follows", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "/a/x")},
			findings: []*penstock.Finding{at("b/y")}, was: []string{"0"},
			want: "pass 0/0/1 0/0/0", each: []string{"unchanged " + excepted}, notes: []string{"exception-moved e:1"},
		},
		{
			name: "by path, edited", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x")}, was: []string{"~0"},
			want: "block 1/1/0 1/0/0", each: []string{"new " + blocks + "; known in the base 1234abcd, but it or what is around it changed since it was accepted at e:1"},
			notes: []string{"exception-suspended e:1"},
		},
		{
			name: "by path, moved and edited", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("b/y")}, was: []string{"~0"},
			want: "block 1/1/0 1/0/0", notes: []string{"exception-suspended e:1"},
		},
		{
			name: "by path, edited beyond recognition", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x")}, was: []string{"-"},
			want: "block 1/1/0 1/0/0", each: []string{"new " + blocks}, notes: []string{"exception-suspended e:1"},
		},
		{
			name: "by path, another known finding comes into its file", known: []string{"a/x", "b"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x"), at("a/x:9")}, was: []string{"0", "1"},
			want: "pass 0/1/1 0/1/0", each: []string{"unchanged " + excepted, "unchanged " + old},
		},
		{
			name: "written ahead or after", known: []string{"b"}, exceptions: []Exception{exception("secrets/*", "a/x")},
			findings: []*penstock.Finding{at("a/x"), at("a/x:9")}, was: []string{"-", "0"},
			want: "pass 0/0/2 0/0/0",
		},
		{
			name: "a pattern is about paths", known: []string{"a/x", "a/y"}, exceptions: []Exception{exception("secrets/*", "a/*")},
			findings: []*penstock.Finding{at("a/x"), at("b/y"), at("a/z")}, was: []string{"~0", "1", "-"},
			want: "pass 0/1/2 0/1/0", each: []string{"unchanged " + excepted, "unchanged " + old, "new " + excepted},
		},
		{
			name: "a folder is about paths", known: []string{"a/x"}, exceptions: []Exception{exception("secrets/*", "a")},
			findings: []*penstock.Finding{at("b/x"), at("a/x")}, was: []string{"0", "-"},
			want: "pass 0/1/1 0/1/0",
		},
		{
			name: "by fingerprint, follows", known: []string{"a"}, exceptions: []Exception{byPrint("print of a")},
			findings: []*penstock.Finding{at("b")}, was: []string{"0"},
			want: "pass 0/0/1 0/0/0", notes: []string{"exception-moved e:2"},
		},
		{
			name: "by fingerprint, edited", known: []string{"a"}, exceptions: []Exception{byPrint("print of a")},
			findings: []*penstock.Finding{at("a")}, was: []string{"~0"},
			want: "block 1/1/0 1/0/0", notes: []string{"exception-suspended e:2"},
		},
		{
			name: "by fingerprint, an equal finding comes before it", known: []string{"a"}, exceptions: []Exception{byPrint("print of a")},
			findings: []*penstock.Finding{at("a"), at("a:8")}, was: []string{"-", "0"},
			want: "block 1/1/1 1/0/0", notes: []string{"exception-suspended e:2", "exception-moved e:2"},
		},
		{
			name: "by fingerprint, a copy is not accepted", known: []string{"a"}, exceptions: []Exception{byPrint("print of a")},
			findings: []*penstock.Finding{at("a", "b")}, was: []string{"0 -"},
			want: "block 1/1/0 1/0/0", notes: []string{"exception-suspended e:2"},
		},
		{
			name: "a pattern beside the fingerprint bounds the way", known: []string{"t/a", "t/b"},
			exceptions: []Exception{{Rule: "*", Path: "t/*", Fingerprint: "print of t/a", Owner: "o", Reason: "r", Expires: today, Place: "e:1"}, {Rule: "*", Path: "t/*", Fingerprint: "print of t/b", Owner: "o", Reason: "r", Expires: today, Place: "e:2"}},
			findings:   []*penstock.Finding{at("t/c"), at("src/b")}, was: []string{"0", "1"},
			want: "pass 0/1/1 0/1/0", notes: []string{"exception-moved e:1"},
		},
		{
			name: "an expired one is not suspended", known: []string{"a/x"},
			exceptions: []Exception{{Rule: "*", Path: "a/x", Owner: "o", Reason: "r", Expires: "2026-11-01", Place: "e:1"}},
			findings:   []*penstock.Finding{at("a/x")}, was: []string{"~0"},
			want: "pass 0/1/0 0/1/0", notes: []string{"exception-expired e:1"},
		},
		{
			name: "no comparison, as ever", exceptions: []Exception{exception("secrets/*", "a/x"), byPrint("print of b")},
			findings: []*penstock.Finding{at("a/x"), at("b", "c")}, was: []string{"", ""},
			want: "pass 0/0/2 0/0/0",
		},

		// .gitleaksignore
		{
			name: "an entry follows", known: []string{"a:3"}, ignores: []Ignore{{Path: "a", Rule: "a", Line: 3, Place: "i:1"}},
			findings: []*penstock.Finding{at("b:9")}, was: []string{"0"},
			want: "pass 0/0/1 0/0/0", each: []string{"unchanged .gitleaksignore: suppressed by .gitleaksignore"},
		},
		{
			name: "an entry in an archive follows", known: []string{"a.zip!/m:3"}, ignores: []Ignore{{Path: "a.zip!m", Rule: "a", Line: 3, Place: "i:1"}},
			findings: []*penstock.Finding{at("b.zip!/m:3")}, was: []string{"0"},
			want: "pass 0/0/1 0/0/0",
		},
		{
			name: "an entry, edited", known: []string{"a:3"}, ignores: []Ignore{{Path: "a", Rule: "a", Line: 3, Place: "i:1"}},
			findings: []*penstock.Finding{at("a:3")}, was: []string{"~0"},
			want: "block 1/1/0 1/0/0", notes: []string{"gitleaksignore-suspended i:1"},
		},
		{
			name: "an entry, another finding slides to its line", known: []string{"a:3"}, ignores: []Ignore{{Path: "a", Rule: "a", Line: 3, Place: "i:1"}},
			findings: []*penstock.Finding{at("a:3"), at("a:4")}, was: []string{"-", "0"},
			want: "block 1/1/1 1/0/0", notes: []string{"gitleaksignore-suspended i:1"},
		},
		{
			name: "an entry for what is newer", known: []string{"a:3"}, ignores: []Ignore{{Path: "a", Rule: "a", Line: 9, Place: "i:1"}},
			findings: []*penstock.Finding{at("a:9")}, was: []string{"-"},
			want: "pass 0/0/1 0/0/0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := Input{Policy: c.policy, Exceptions: c.exceptions, Ignores: c.ignores, Findings: c.findings, Today: today, Totals: penstock.Totals{Files: 1, Scanned: 1}}
			if in.Policy.Block == 0 {
				in.Policy = Default()
			}
			switch known := compare(c.known, c.findings, c.was...); {
			case c.baseline:
				known.Place = "b.jsonl"
				in.Baseline = known
			case c.known != nil:
				in.Base = known
			}
			v, notes := Decide(in)
			got := map[bool]string{true: "pass", false: "block"}[v.Pass] + fmt.Sprintf(" %d/%d/%d", v.Blocking, v.Open, v.Suppressed)
			var n [3]int
			for _, r := range v.Reasons {
				if rest, ok := strings.CutPrefix(r, "compared with the base 1234abcd: "); ok {
					fmt.Sscanf(rest, "%d new, %d unchanged, %d fixed", &n[0], &n[1], &n[2])
				}
			}
			if got += fmt.Sprintf(" %d/%d/%d", n[0], n[1], n[2]); got != c.want {
				t.Errorf("%s, want %s; %q", got, c.want, v.Reasons)
			}
			for i, want := range c.each {
				f := c.findings[i]
				got := string(f.Status) + " "
				if f.Blocks {
					got += "blocks: "
				}
				if f.Suppressed != nil {
					got += f.Suppressed.Kind + ": "
				}
				if got += f.Reason; got != want {
					t.Errorf("finding %d:\n%s, want\n%s", i, got, want)
				}
			}
			var codes []string
			for _, n := range notes {
				codes = append(codes, n.Code+" "+n.Place)
			}
			if d := cmp.Diff(c.notes, codes); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

// TestDecideTwice: in a range the base decides what is new, and a baseline goes
// on suppressing.
func TestDecideTwice(t *testing.T) {
	findings := []*penstock.Finding{at("a"), at("b"), at("c")}
	in := Input{
		Policy: Default(), Findings: findings, Today: today, Totals: penstock.Totals{Files: 1, Scanned: 1},
		Base:     compare([]string{"a", "b"}, findings, "0", "1", "-"),
		Baseline: compare([]string{"a", "c"}, findings, "0", "-", "~1"),
	}
	v, _ := Decide(in)
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprint(f.Status, " ", f.Suppressed != nil, " ", f.Blocks))
	}
	if d := cmp.Diff([]string{"unchanged true false", "unchanged false false", "new false true"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want := []string{
		"1 finding at or above high blocks (1 high), by the policy's block", "1 finding is suppressed: 1 by baseline",
		"compared with the base 1234abcd: 1 new, 1 unchanged, 0 fixed; only new findings block",
	}
	if d := cmp.Diff(want, v.Reasons); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
	in.Findings = findings[1:2]
	v, _ = Decide(in)
	if d := cmp.Diff("1 open finding, 1 of which would block if it were new", v.Reasons[0]); d != "" {
		t.Error(d)
	}
}

func TestLiteralPath(t *testing.T) {
	for pattern, want := range map[string]string{
		"a/b.go": "a/b.go", "/a/b.go": "a/b.go", "./a/b.go": "a/b.go", "a": "a", "a/": "a", `a\*b`: "a*b", "a.zip!/b": "a.zip!/b",
		"a/*": "", "**": "", "a?": "", "": "", ".": ".", "/": "", "a**": "",
	} {
		if got := literalPath(pattern); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}
