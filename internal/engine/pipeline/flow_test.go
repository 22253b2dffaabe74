package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"penstock"
)

// flowCase is one repository of testdata/flow with what must be found in it.
type flowCase struct {
	name  string
	asOf  Date
	files map[string][]byte
}

func flowCases(t *testing.T) []flowCase {
	t.Helper()
	archives, err := filepath.Glob("testdata/flow/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	var out []flowCase
	for _, file := range archives {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(b).Files {
			head, path, ok := strings.Cut(strings.TrimPrefix(f.Name, "case "), "/")
			if !ok || !strings.HasPrefix(f.Name, "case ") {
				t.Fatalf("%s: the file %q", file, f.Name)
			}
			name, date, _ := strings.Cut(head, " as-of ")
			if len(out) == 0 || out[len(out)-1].name != name {
				out = append(out, flowCase{name, Date(date), make(map[string][]byte)})
			}
			out[len(out)-1].files[path] = f.Data
		}
	}
	return out
}

var wantMark = regexp.MustCompile(`# want: ([a-z-]+) ([a-z-]+)`)

func TestFlowCases(t *testing.T) {
	for _, c := range flowCases(t) {
		t.Run(c.name, func(t *testing.T) {
			want := make(map[string]bool)
			absent := make(map[string]bool)
			for _, name := range sortedKeys(c.files) {
				for i, line := range strings.Split(string(c.files[name]), "\n") {
					for _, m := range wantMark.FindAllStringSubmatch(line, -1) {
						text := fmt.Sprintf("%s:%d %s", name, i+1, m[1])
						if m[2] == "none" {
							absent[text] = true
						} else {
							want[text+" "+m[2]] = true
						}
					}
				}
			}
			got := make(map[string]bool)
			var shown []string
			for _, f := range flawsOf(projectOf(c.files, Settings{AsOf: c.asOf})) {
				_, n := lineAt(c.files, f.Place)
				at := fmt.Sprintf("%s:%d %s", f.Path, n, f.Rule)
				text := at + " " + string(f.Tier)
				if absent[at] {
					t.Errorf("must not be there: %s", showFlaw(c.files, f))
				}
				if f.Tier != penstock.TierHygiene || want[text] {
					got[text] = true
					shown = append(shown, showFlaw(c.files, f))
				}
				checkFlaw(t, c.files, f)
			}
			if d := cmp.Diff(sortedKeys(want), sortedKeys(got)); d != "" {
				t.Errorf("(-want +got):\n%s\n%s", d, strings.Join(shown, ""))
			}
		})
	}
}

// checkFlaw holds what every flaw must be.
func checkFlaw(t *testing.T, files map[string][]byte, f Flaw) {
	t.Helper()
	if !slices.Contains(flowRules, f.Rule) || f.Message == "" || f.Tier == "" {
		t.Errorf("a flaw of rule %q, tier %q, message %q", f.Rule, f.Tier, f.Message)
	}
	for _, h := range append(append([]Hop{{Place: f.Place, Text: "-"}}, f.Trace...), f.Related...) {
		b, ok := files[h.Path]
		if !ok || h.Start < 0 || h.End < h.Start || h.End > int64(len(b)) || h.Text == "" {
			t.Errorf("%s: a hop %+v that is nowhere", f.Rule, h)
		}
	}
	if len(f.Trace) > flowHops+4 {
		t.Errorf("%s: %d hops", f.Rule, len(f.Trace))
	}
	if f.Tier == penstock.TierProvenPath && (len(f.Trace) < 3 || len(f.Reaches) == 0 || len(f.Cut) == 0 || len(f.Events) == 0 || f.Actor > ActorReturning || f.Actor == ActorUnset) {
		t.Errorf("a proven path without all that it needs: %s", showFlaw(files, f))
	}
}

// TestFlowIsDeterministic holds that order of maps and of files does not show.
func TestFlowIsDeterministic(t *testing.T) {
	for _, c := range flowCases(t) {
		var first []Flaw
		for i := range 4 {
			got := flawsOf(projectOf(c.files, Settings{AsOf: c.asOf}))
			if i == 0 {
				first = got
				continue
			}
			if d := cmp.Diff(first, got, cmp.AllowUnexported(Row{})); d != "" {
				t.Fatalf("%s, run %d (-first +this):\n%s", c.name, i, d)
			}
		}
	}
}

// TestFlowEnds holds that whatever calls itself ends, and that size is bounded.
func TestFlowEnds(t *testing.T) {
	files := make(map[string][]byte)
	// Workflows that call each other, actions that use each other, many times over.
	for i := range 12 {
		var jobs, steps strings.Builder
		for k := range 12 {
			fmt.Fprintf(&jobs, "  j%d:\n    uses: ./.github/workflows/w%d.yml\n    with: {t: '${{ inputs.t }}'}\n", k, k)
			fmt.Fprintf(&steps, "    - uses: ./a%d\n      with: {t: '${{ inputs.t }}'}\n", k)
		}
		files[fmt.Sprintf(".github/workflows/w%d.yml", i)] = []byte("on:\n  workflow_call: {inputs: {t: {type: string}}}\njobs:\n" + jobs.String() +
			"  own:\n    runs-on: x\n    steps:\n" + steps.String() + "    - run: echo ${{ inputs.t }}\n")
		files[fmt.Sprintf("a%d/action.yml", i)] = []byte("inputs: {t: {}}\nruns:\n  using: composite\n  steps:\n" + steps.String() + "    - run: echo ${{ inputs.t }}\n      shell: bash\n")
	}
	files[".github/workflows/start.yml"] = []byte("on: issues\njobs:\n  a:\n    uses: ./.github/workflows/w0.yml\n    with: {t: '${{ github.event.issue.title }}'}\n")
	files["x.sh"] = []byte("#!/bin/sh\n./x.sh\nbash x.sh\nmake\n")
	files["Makefile"] = []byte("all: all\n\t./x.sh\n\t$(MAKE) all\n")
	files[".github/workflows/sh.yml"] = []byte("on: issues\njobs:\n  a:\n    runs-on: x\n    env: {T: '${{ github.event.issue.title }}'}\n    steps:\n    - run: ./x.sh\n")
	x := projectOf(files, Settings{})
	f := newFlows(x)
	n := 0
	f.run(func(Flaw) { n++ })
	if n == 0 || n > 20_000 {
		t.Errorf("%d flaws", n)
	}
	if f.steps > f.most+10 {
		t.Errorf("%d steps", f.steps)
	}
	if len(x.limits) == 0 {
		t.Errorf("after %d of %d steps nothing says that some are left out", f.steps, f.most)
	}
}

func TestMakeRules(t *testing.T) {
	text := "CC := gcc\n.PHONY: all\nall test: build # all\n\t@echo $$X\n\t-rm x\n\nbuild:\n\tmake $(V)\n"
	var got []string
	for _, r := range makeRules(text) {
		got = append(got, fmt.Sprintf("%s needs %q: %q", r.target, r.needs, recipe(text[r.start:r.end])))
	}
	want := []string{
		`.PHONY needs ["all"]: ""`, `all needs ["build"]: "  echo  $X\n  rm x\n"`, `test needs ["build"]: "  echo  $X\n  rm x\n"`, `build needs []: " make ${V}\n"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMinimalCut(t *testing.T) {
	o := func(text string, cost int) cutOption { return cutOption{Place{Path: "f"}, text, cost} }
	f := newFlows(projectOf(nil, Settings{}))
	for _, c := range []struct {
		ways []pathCut
		want []string
	}{
		{nil, nil},
		{[]pathCut{{[]cutOption{o("a", 1), o("b", 2)}}}, []string{"f: a"}},
		// One edit for both ways, though each has a cheaper one of its own.
		{[]pathCut{{[]cutOption{o("a", 1), o("both", 4)}}, {[]cutOption{o("b", 1), o("both", 4)}}}, []string{"f: both"}},
		{[]pathCut{{[]cutOption{o("a", 1)}}, {[]cutOption{o("b", 1)}}}, []string{"f: a", "f: b"}},
	} {
		if d := cmp.Diff(c.want, f.minimalCut(c.ways)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	// Too many edits for the exact search: what is found breaks every way.
	var ways []pathCut
	for i := range 20 {
		ways = append(ways, pathCut{[]cutOption{o(fmt.Sprint("own ", i), 1), o(fmt.Sprint("pair ", i/2), 2)}})
	}
	if got := f.minimalCut(ways); len(got) != 10 {
		t.Errorf("%d edits: %q", len(got), got)
	}
}

func FuzzFlow(f *testing.F) {
	archives, _ := filepath.Glob("testdata/flow/*.txtar")
	twins, _ := filepath.Glob("testdata/twins/*.txtar")
	archives = append(archives, twins...)
	for _, file := range archives {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i, member := range txtar.Parse(b).Files {
			if i%3 == 0 {
				f.Add(string(member.Data), "make\n", "all:\n\tx\n")
			}
		}
	}
	f.Fuzz(func(t *testing.T, workflow, script, makefile string) {
		if len(workflow)+len(script)+len(makefile) > 20_000 {
			return
		}
		files := map[string][]byte{
			".github/workflows/a.yml": []byte(workflow), "action.yml": []byte(workflow), "x.sh": []byte(script), "Makefile": []byte(makefile),
			".gitlab-ci.yml": []byte(workflow), "azure-pipelines.yml": []byte(workflow), "Jenkinsfile": []byte(workflow),
		}
		settings := Settings{GitLab: GitLabSettings{ForkPipelines: "parent", Variables: []string{"KEY"}}, Jenkins: JenkinsSettings{Forks: SwitchOn, Trust: "everyone"}}
		for _, flaw := range flawsOf(projectOf(files, settings)) {
			checkFlaw(t, files, flaw)
		}
	})
}
