package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// manySteps is a workflow with one job of n times the same steps, each with its number
// for %d.
func manySteps(head, step string, n int) []byte {
	var b strings.Builder
	b.WriteString(head + "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n")
	for i := range n {
		b.WriteString("    - " + strings.ReplaceAll(step, "%d", fmt.Sprint(i)) + "\n")
	}
	return []byte(b.String())
}

// counted are the flaws of a project by rule and tier, and what is left out by rule and
// file.
func counted(x *Project) (tiers map[string]int, over []string) {
	tiers = make(map[string]int)
	x.Audit(func(f Flaw) { tiers[f.Rule+" "+string(f.tier())]++ })
	for _, o := range x.overflows {
		over = append(over, fmt.Sprintf("%s %s %d of %d", o.rule, o.path, o.shown, o.all))
	}
	return tiers, over
}

const targetHead = "on: pull_request_target\npermissions: {}\n"

func TestFlawsOfOneFile(t *testing.T) {
	file := ".github/workflows/a.yml"
	for _, c := range []struct {
		name  string
		text  []byte
		tiers map[string]int
		over  string
	}{
		{"as many as are shown", manySteps("on: push\n", "uses: a/b@v%d", maxFlaws), map[string]int{"unpinned-uses hygiene": maxFlaws}, ""},
		{"one more", manySteps("on: push\n", "uses: a/b@v%d", maxFlaws+1), map[string]int{"unpinned-uses hygiene": maxFlaws}, "unpinned-uses " + file + " 1000 of 1001"},
		{"danger", manySteps(targetHead, "run: echo ${{ github.head_ref }} %d", 1200), map[string]int{"template-injection exploitable": maxFlaws}, "template-injection " + file + " 1000 of 1200"},
		{
			// What the author's own version does comes first in the file, and is not
			// shown where what is dangerous needs the room.
			"danger behind hygiene",
			[]byte("on: [pull_request, pull_request_target]\npermissions: {}\njobs:\n  own:\n    if: github.event_name == 'pull_request'\n    runs-on: x\n    steps:\n" +
				strings.Repeat("    - run: echo ${{ github.head_ref }}\n", 1500) +
				"  target:\n    if: github.event_name == 'pull_request_target'\n    runs-on: x\n    steps:\n" + strings.Repeat("    - run: echo ${{ github.head_ref }}\n", 300)),
			map[string]int{"template-injection exploitable": 300, "template-injection hygiene": maxFlaws - 300}, "template-injection " + file + " 1000 of 1800",
		},
	} {
		x := projectOf(map[string][]byte{file: c.text}, Settings{})
		tiers, over := counted(x)
		for k, want := range c.tiers {
			if tiers[k] != want {
				t.Errorf("%s: %d of %s, want %d", c.name, tiers[k], k, want)
			}
		}
		rule, _, _ := strings.Cut(sortedKeys(c.tiers)[0], " ")
		over = slices.DeleteFunc(over, func(s string) bool { return !strings.HasPrefix(s, rule) })
		if got := strings.Join(over, "; "); got != c.over {
			t.Errorf("%s: left out %q, want %q", c.name, got, c.over)
		}
	}
}

// TestFlawsOfOneProject holds that hygiene is bounded in all files together, and that
// danger is not.
func TestFlawsOfOneProject(t *testing.T) {
	const files, each = 30, 180
	all := make(map[string][]byte)
	for i := range files {
		all[fmt.Sprintf(".github/workflows/w%02d.yml", i)] = manySteps(targetHead, "uses: a/b@v%d\n    - run: echo ${{ github.head_ref }} %d", each)
	}
	x := projectOf(all, Settings{})
	tiers, over := counted(x)
	if n := tiers["template-injection exploitable"]; n != files*each {
		t.Errorf("%d injections of %d", n, files*each)
	}
	told := 0
	x.Audit(func(f Flaw) {
		if f.Rule == "template-injection" && len(f.Trace) > 0 != slices.Contains(f.Notes, untold) && len(f.Trace) > 0 {
			told++
		}
	})
	if told != maxTold {
		t.Errorf("the way of %d of %d injections is told, want %d", told, files*each, maxTold)
	}
	if n := tiers["unpinned-uses hygiene"]; n != maxHygiene {
		t.Errorf("%d unpinned uses, want %d", n, maxHygiene)
	}
	if want := fmt.Sprintf("unpinned-uses  %d of %d", maxHygiene, files*each); !slices.Contains(over, want) || len(over) != 1 {
		t.Errorf("left out: %q, want %q", over, want)
	}
}

// TestFlawsLeftOutAreTold holds that a run says what it has left out, and is not whole.
func TestFlawsLeftOutAreTold(t *testing.T) {
	file := ".github/workflows/a.yml"
	text := manySteps("on: push\n", "uses: a/b@v%d", maxFlaws+7)
	p, err := open(context.Background(), penstock.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	fact, err := json.Marshal(fileFact{Kind: KindWorkflow, Digest: digestOf(file, text), Text: text})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	findings := 0
	run := penstock.Run{
		Tree: textTree{file: text}, Facts: []penstock.Fact{{Engine: "pipeline", Kind: factFile, Path: file, Data: fact}},
		Each: func(n int, do func(int)) {
			for i := range n {
				do(i)
			}
		},
	}
	err = p.Finish(context.Background(), run, reporterFunc(func(r penstock.Record) {
		switch r := r.(type) {
		case *penstock.Finding:
			if r.Rule == "pipeline/unpinned-uses" {
				findings++
			}
		case *penstock.Note:
			if r.Code == "findings-capped" && r.Incomplete {
				got = append(got, r.Place+": "+r.Message)
			}
		}
	}))
	if err != nil || findings != maxFlaws {
		t.Errorf("%d findings, %v", findings, err)
	}
	if d := cmp.Diff([]string{file + ": pipeline/unpinned-uses has 1007 findings here; 1000 are shown"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := (overflow{fileRule{rule: "x"}, 5, 6}).note("dir/"); n.Place != "dir/" || !n.Incomplete || !strings.Contains(n.Message, "more than 5") {
		t.Errorf("of a project: %+v", n)
	}
}

type reporterFunc func(penstock.Record)

func (f reporterFunc) Report(r penstock.Record) { f(r) }

// TestJoinedFlaws holds that a job that runs a stranger's code very often is one flaw,
// which says so, and that nothing else is made of what is not shown.
func TestJoinedFlaws(t *testing.T) {
	const n = 1500
	var b strings.Builder
	b.WriteString(targetHead + "jobs:\n  a:\n    runs-on: x\n    env: {T: '${{ secrets.T }}'}\n    steps:\n    - uses: actions/checkout@v2\n      with: {ref: '${{ github.event.pull_request.head.sha }}', allow-unsafe-pr-checkout: true}\n")
	for i := range n {
		fmt.Fprintf(&b, "    - run: ./build.sh %d\n", i)
	}
	x := projectOf(map[string][]byte{".github/workflows/a.yml": []byte(b.String())}, Settings{})
	var all []Flaw
	x.Audit(func(f Flaw) {
		if f.Rule == "untrusted-code-execution" || f.Rule == "untrusted-checkout" {
			all = append(all, f)
		}
	})
	if len(all) != 1 || all[0].tier() != penstock.TierProvenPath || len(all[0].Related) != maxAlso {
		t.Fatalf("%d flaws, want one with %d more places: %+v", len(all), maxAlso, all)
	}
	want := fmt.Sprintf("The same happens at %d further places of the job.", n-1-maxAlso)
	if !slices.Contains(all[0].Notes, want) {
		t.Errorf("notes %q, want %q", all[0].Notes, want)
	}
	for _, o := range x.overflows {
		if o.rule == "untrusted-code-execution" || o.rule == "untrusted-checkout" {
			t.Errorf("%d of %d %s are said to be shown", o.shown, o.all, o.rule)
		}
	}
}

// TestProjectLimits holds that each bound of a project is told when it is reached, and
// only then.
func TestProjectLimits(t *testing.T) {
	wf := func(name, text string) map[string][]byte {
		return map[string][]byte{".github/workflows/" + name: []byte(text)}
	}
	steps := func(s string) string { return targetHead + "jobs:\n  a:\n    runs-on: x\n    steps:\n" + s }
	for _, c := range []struct {
		limit    string
		in, over int
		files    func(n int) map[string][]byte
		spend    func(f *flows, n int) // in place of so much input
	}{
		{limit: limitDepth, in: flowDepth, over: flowDepth + 1, files: func(n int) map[string][]byte {
			files := wf("a.yml", steps("    - {uses: ./a1, with: {a: '${{ github.head_ref }}'}}\n"))
			for i := 1; i <= n; i++ {
				next := fmt.Sprintf("{uses: ./a%d}", i+1)
				if i == n {
					next = "{run: make, shell: bash}"
				}
				files[fmt.Sprintf("a%d/action.yml", i)] = []byte("inputs: {a: {}}\nruns: {using: composite, steps: [" + next + "]}\n")
			}
			return files
		}},
		{limit: limitDepth, in: flowDepth, over: flowDepth + 1, files: func(n int) map[string][]byte {
			files := wf("a.yml", targetHead+"jobs: {a: {uses: ./.github/workflows/w1.yml}}\n")
			for i := 1; i <= n; i++ {
				job := fmt.Sprintf("{uses: ./.github/workflows/w%d.yml}", i+1)
				if i == n {
					job = "{runs-on: x, steps: [{run: make}]}"
				}
				files[fmt.Sprintf(".github/workflows/w%d.yml", i)] = []byte("on: workflow_call\njobs: {a: " + job + "}\n")
			}
			return files
		}},
		{limit: limitFiles, in: 200, over: maxReads, files: func(n int) map[string][]byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "    - uses: ./missing%d\n", i)
			}
			return wf("a.yml", steps(b.String()))
		}},
		{limit: limitScripts, in: flowFiles / 2, over: flowFiles + 1, files: func(n int) map[string][]byte {
			var b strings.Builder
			files := make(map[string][]byte)
			for i := range n {
				fmt.Fprintf(&b, "    - run: ./s%d.sh ${{ github.head_ref }}\n", i)
				files[fmt.Sprintf("s%d.sh", i)] = []byte("eval $1\n")
			}
			files[".github/workflows/a.yml"] = []byte(steps(b.String()))
			return files
		}},
		{limit: limitFolders, in: 20, over: maxReads + 1, files: func(n int) map[string][]byte {
			files := map[string][]byte{".gitlab-ci.yml": []byte("include: '**/*.ci.yml'\na: {script: [make]}\n")}
			for i := range n {
				files[fmt.Sprintf("d%d/x", i)] = nil
			}
			return files
		}},
		{limit: limitStashes, in: maxStashes, over: maxStashes + 1, files: func(n int) map[string][]byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "    stash name: 'n%d'\n", i)
			}
			return map[string][]byte{"Jenkinsfile": []byte("node {\n    checkout scm\n" + b.String() + "}\n")}
		}},
		{limit: limitWays, in: flowSteps - 100, over: flowSteps + 100, files: func(int) map[string][]byte { return wf("a.yml", steps("    - run: make\n")) },
			spend: func(f *flows, n int) { f.steps = n }},
		{limit: limitWays, in: flowSteps - 100, over: flowSteps + 1000, files: func(int) map[string][]byte {
			return map[string][]byte{".gitlab-ci.yml": []byte("a: {script: [make]}\n")}
		}, spend: func(f *flows, n int) { f.steps = n }},
		{limit: limitShell, in: flowShell - 1000, over: flowShell + 1, files: func(int) map[string][]byte { return wf("a.yml", steps("    - run: make\n")) },
			spend: func(f *flows, n int) { f.shell = n }},
		{limit: limitShell, in: flowShell - 1000, over: flowShell + 1, files: func(int) map[string][]byte {
			return map[string][]byte{"azure-pipelines.yml": []byte("steps: [{script: make}]\n")}
		}, spend: func(f *flows, n int) { f.shell = n }},
		{limit: limitNames, in: flowNames - 1000, over: flowNames + 1, files: func(int) map[string][]byte {
			return map[string][]byte{".gitlab-ci.yml": []byte("a: {script: [make]}\n")}
		}, spend: func(f *flows, n int) { f.forge.work = n }},
	} {
		for _, n := range []int{c.in, c.over} {
			x := projectOf(c.files(n), Settings{})
			f := newFlows(x)
			if c.spend != nil {
				c.spend(f, n)
			}
			f.run(func(Flaw) {})
			if got := slices.Contains(x.limits, c.limit); got != (n == c.over) {
				t.Errorf("%q with %d: noted %v (%q)", c.limit, n, got, x.limits)
			}
		}
	}
	// What templates draw in, in all pipelines together.
	x := projectOf(map[string][]byte{"t.yml": manyAzure(300), "azure-pipelines.yml": []byte("steps: [{template: t.yml}]\n")}, Settings{})
	if x.drawn < 300*drawnStep || len(x.limits) > 0 {
		t.Errorf("300 steps count as %d bytes, %q", x.drawn, x.limits)
	}
	x.drawn = maxDrawn + 1
	if p := x.Pipelines[0]; x.whole(p) != p || !slices.Contains(x.limits, limitIncludes) {
		t.Errorf("%d bytes: %q", x.drawn, x.limits)
	}
}

// manyAzure is a template with n steps.
func manyAzure(n int) []byte {
	return []byte("steps:\n" + strings.Repeat("- script: echo $(Build.SourceVersionMessage)\n", n))
}

// TestTemplateOfMany holds that what a template has wrong is held once, however many
// pipelines use it, and that a script is followed once where nothing differs.
func TestTemplateOfMany(t *testing.T) {
	work := func(pipelines int) (drafts, flaws int) {
		files := map[string][]byte{"t.yml": manyAzure(20)}
		for i := range pipelines {
			files[fmt.Sprintf("azure-pipelines-%d.yml", i)] = []byte("pr: ['*']\nsteps: [{template: t.yml}, {template: t.yml}]\n")
		}
		f := newFlows(projectOf(files, Settings{}))
		f.run(func(Flaw) { flaws++ })
		return len(f.drafts), flaws
	}
	drafts, flaws := work(1)
	if flaws == 0 {
		t.Fatal("nothing is found")
	}
	if d, f := work(12); d != drafts || f != flaws {
		t.Errorf("12 pipelines hold %d drafts and report %d flaws, one %d and %d", d, f, drafts, flaws)
	}
}

// TestTemplateAgain holds that a script is looked at again when what it works with has
// changed in between.
func TestTemplateAgain(t *testing.T) {
	files := map[string][]byte{
		"t.yml": []byte("steps:\n- bash: eval \"$WORD\"\n"),
		"azure-pipelines.yml": []byte("pr: ['*']\nsteps:\n- template: t.yml\n- template: t.yml\n" +
			"- bash: echo \"##vso[task.setvariable variable=WORD]$BUILD_SOURCEVERSIONMESSAGE\"\n- template: t.yml\n"),
	}
	found := false
	for _, f := range flawsOf(projectOf(files, Settings{})) {
		found = found || f.Rule == "command-injection" && f.Path == "t.yml"
	}
	if !found {
		t.Error("the third use runs what the step before has set, and is not found")
	}
}

// TestModelIsSmall bounds what a definition of many short elements takes: "- run: a"
// is ten bytes of a file.
func TestModelIsSmall(t *testing.T) {
	for _, c := range []struct {
		name string
		size uintptr
		most uintptr
	}{
		{"job", unsafe.Sizeof(Job{}), 2560}, {"step", unsafe.Sizeof(Step{}), 1536}, {"text", unsafe.Sizeof(Text{}), 128},
	} {
		if c.size > c.most {
			t.Errorf("a %s takes %d bytes, want %d at most", c.name, c.size, c.most)
		}
	}
	var r Rare[Text]
	if r.Get().Value != "" || r.Has() {
		t.Error("a part is there that nobody made")
	}
	r.Make().Value = "a"
	if !r.Has() || r.Get().Value != "a" || rareText(Text{}).Has() {
		t.Error("a part is not the one that was made")
	}
}

// TestWorkIsLinear holds that four times the input takes about four times the memory, in
// number of allocations, where it once took more.
func TestWorkIsLinear(t *testing.T) {
	for _, c := range []struct {
		name  string
		files func(n int) map[string][]byte
	}{
		{"a chain of gates", func(n int) map[string][]byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "  j%d: {if: \"contains(github.event.pull_request.labels.*.name, 'x%d')\", needs: [j%d], runs-on: x, steps: [{run: 'echo ${{ github.head_ref }}'}]}\n", i, i, i+1)
			}
			return map[string][]byte{".github/workflows/a.yml": []byte("on: pull_request_target\njobs:\n" + b.String())}
		}},
		{"workflows that start one another", func(n int) map[string][]byte {
			files := make(map[string][]byte)
			for i := range n {
				files[fmt.Sprintf(".github/workflows/w%d.yml", i)] = []byte(fmt.Sprintf("name: W%d\non: {pull_request: {}, workflow_run: {workflows: [W%d]}}\n", i, i+1) +
					"jobs: {a: {runs-on: x, steps: [{uses: actions/download-artifact@v4, with: {run-id: '${{ github.event.workflow_run.id }}'}}, {run: sh x.sh}]}}\n")
			}
			return files
		}},
		{"workflows that a script starts", func(n int) map[string][]byte {
			files := make(map[string][]byte)
			for i := range n {
				files[fmt.Sprintf(".github/workflows/w%d.yml", i)] = []byte("on: {pull_request_target: {}, workflow_dispatch: {inputs: {a: {}}}}\n" +
					"jobs: {a: {runs-on: x, steps: [{run: 'gh workflow run w0.yml -f a=${{ github.head_ref || inputs.a }}'}]}}\n")
			}
			return files
		}},
		{"runners of one's own", func(n int) map[string][]byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "  j%d: {runs-on: [self-hosted, big], steps: [{run: make}]}\n", i)
			}
			return map[string][]byte{".github/workflows/a.yml": []byte("on: pull_request\njobs:\n" + b.String()), ".github/workflows/b.yml": []byte("on: push\njobs:\n" + b.String())}
		}},
		{"pipelines of one template", func(n int) map[string][]byte {
			files := map[string][]byte{"t.yml": manyAzure(10)}
			for i := range n {
				files[fmt.Sprintf("azure-pipelines-%d.yml", i)] = []byte("pr: ['*']\nsteps: [{template: t.yml}]\n")
			}
			return files
		}},
	} {
		cost := func(n int) float64 {
			files := c.files(n)
			return testing.AllocsPerRun(1, func() { projectOf(files, Settings{}).Audit(func(Flaw) {}) })
		}
		if few, many := cost(15), cost(60); many > 6*few {
			t.Errorf("%s: %.0f allocations for 60, %.0f for 15", c.name, many, few)
		}
	}
}

// TestHarmBehind holds that a gate has harm behind it in its own job and in those that
// need it, however long the chain.
func TestHarmBehind(t *testing.T) {
	p := ParseGitHub("a.yml", KindWorkflow, []byte("on: push\njobs:\n  d: {needs: c}\n  c: {needs: [b, c]}\n  b: {needs: [a, missing]}\n  a: {}\n  other: {needs: a}\n"))
	h := newHarm()
	h.add(&Flaw{Rule: "template-injection", Tier: penstock.TierExploitable, Place: Place{Path: "a.yml"}, Scope: "job c, step 1"})
	h.add(&Flaw{Rule: "template-injection", Tier: penstock.TierHygiene, Place: Place{Path: "a.yml"}, Scope: "job other, step 1"})
	h.add(&Flaw{Rule: "label-gate", Tier: penstock.TierExploitable, Place: Place{Path: "a.yml"}, Scope: "job d"})
	if d := cmp.Diff(map[string]bool{"job a": true, "job b": true, "job c": true}, h.behind(p)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestOuterLines compares what encloses a line with a search that goes up line by line.
func TestOuterLines(t *testing.T) {
	for _, text := range []string{"", "\n", "a:\n  b: |\n    x\n\n   y\n  c\nd", "    a\n  b\n c\n\n   \r\nd\n e\n", strings.Repeat("  a\n    b\n", 50)} {
		p := &Pipeline{Source: []byte(text)}
		p.line(0)
		got := p.outerLines()
		for i := range p.lines {
			want := int32(-1)
			indent := p.indent(p.lines[i])
			for k := i - 1; k >= 0; k-- {
				if n := p.indent(p.lines[k]); n >= 0 && n < indent {
					want = int32(k)
					break
				}
			}
			if got[i] != want {
				t.Errorf("%q: line %d is in %d, want %d", text, i, got[i], want)
			}
		}
	}
}

func TestStarters(t *testing.T) {
	files := map[string][]byte{
		".github/workflows/a.yml":    []byte("name: Build one\non: push\njobs: {}\n"),
		".github/workflows/b.yml":    []byte("name: Build two\non: push\njobs: {}\n"),
		".github/workflows/none.yml": []byte("on: push\njobs: {}\n"),
		".github/workflows/star.yml": []byte("name: 'Build *'\non: push\njobs: {}\n"),
	}
	for _, c := range []struct{ in, want string }{
		{"[Build two, Build one, Build two]", "a.yml b.yml"}, {"['Build *']", "a.yml b.yml star.yml"}, {"['Build t*', Build one]", "a.yml b.yml"},
		{"[.github/workflows/none.yml]", "none.yml"}, {"[Nothing, '[']", ""},
	} {
		files[".github/workflows/z.yml"] = []byte("on: {workflow_run: {workflows: " + c.in + "}}\njobs: {a: {runs-on: x}}\n")
		x := projectOf(files, Settings{})
		p := x.byPath[".github/workflows/z.yml"]
		jr := &jobRun{flowRun: &flowRun{flows: newFlows(x), p: p, e: &Entry{}}}
		var got []string
		for _, s := range jr.startersOf() {
			got = append(got, strings.TrimPrefix(s.Path, ".github/workflows/"))
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s is started by %q, want %q", c.in, g, c.want)
		}
	}
}
