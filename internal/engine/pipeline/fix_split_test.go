package pipeline

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"penstock"
)

// splitHead is what the workflows of TestSplit begin with, splitCode a job that runs the
// code of a pull request and needs nothing, splitLabel one with a right.
const (
	splitHead = `name: Checks # of pull requests
on:
  pull_request_target:
    branches: [main] # the stable one
    types: [opened, synchronize]
`
	splitCode = `    runs-on: ubuntu-latest
    steps:
      # the code
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          ref:   ${{ github.event.pull_request.head.sha }}   # of the fork
          persist-credentials: false
      - run: |
          npm ci
          # want
          npm test
`
	splitLabel = `    runs-on: ubuntu-latest
    permissions:
      issues: write
      pull-requests: write
    steps:
      - uses: actions/labeler@8558fd74291d67161a8a78ce36a881fa63b766a9 # v5.0.0
`
	splitRights = "permissions:\n  contents: write\n"
)

// What is offered, and what is not.
func TestSplit(t *testing.T) {
	job := func(id, body string) string { return "  " + id + ":\n" + body }
	two := splitHead + splitRights + "jobs:\n" + job("label", splitLabel) + "\n" + job("test", splitCode)
	for _, c := range []struct {
		name, text string
		beside     map[string]string
		// made is the new file, "in place" where the trigger changes, and else what a step
		// says after "what is in the way is".
		want string
	}{
		{name: "all of it", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode), want: "in place"},
		{name: "two that need nothing", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode) + job("lint", splitCode), want: "in place"},
		{name: "an event of a list", text: "on: [push, \"pull_request_target\"]\n" + splitRights + "jobs:\n" + job("test", splitCode), want: "in place"},
		{name: "a token that only reads", text: splitHead + "permissions: {contents: read, packages: read}\njobs:\n" + job("test", splitCode+"      - uses: who/knows@11bd71901bbe5b1630ceea73d27597364c9af683 # v1\n        env: {TOKEN: \"${{ github.token }}\"}\n"), want: "in place"},
		{name: "one of two", text: two, want: ".github/workflows/x-untrusted.yml"},
		{name: "a group", text: splitHead + splitRights + "jobs:\n" + job("label", splitLabel) + job("test", splitCode) + job("more", "    needs: test\n"+splitCode), want: ".github/workflows/x-untrusted.yml"},
		{name: "outputs within the group", text: splitHead + splitRights + "jobs:\n" + job("label", splitLabel) + job("test", "    outputs: {n: \"1\"}\n"+splitCode) + job("more", "    needs: [test]\n"+splitCode+"      - run: echo ${{ needs.test.outputs.n }}\n"), want: ".github/workflows/x-untrusted.yml"},
		{name: "another workflow's name", text: two, beside: map[string]string{".github/workflows/y.yml": "name: Checks (untrusted)\non: push\njobs: {}\n"}, want: "a file or a workflow that has the name of the new one"},
		{name: "a file of that name", text: two, beside: map[string]string{".github/workflows/X-Untrusted.yml": "x"}, want: "a file or a workflow that has the name of the new one"},
		{name: "a folder of that name", text: two, beside: map[string]string{".github/workflows/x-untrusted.yml/y": "x"}, want: "a file or a workflow that has the name of the new one"},
		{name: "who waits for its end", text: two, beside: map[string]string{".github/workflows/y.yml": "on:\n  workflow_run:\n    workflows: [Checks]\njobs: {}\n"}, want: "a workflow that starts when it ends"},
		{name: "a job that needs it", text: splitHead + splitRights + "jobs:\n" + job("label", "    needs: test\n"+splitLabel) + job("test", splitCode), want: "what waits for test (label: the right to write pull-requests)"},
		{name: "a job that it needs", text: splitHead + splitRights + "jobs:\n" + job("label", splitLabel) + job("test", "    needs: label\n"+splitCode), want: "a job that needs it, or that it needs"},
		{name: "an output that is used", text: splitHead + splitRights + "jobs:\n" + job("test", "    outputs: {n: \"1\"}\n"+splitCode) + job("label", "    needs: test\n    if: needs.test.outputs.n\n"+splitLabel), want: "what waits for test (label: the right to write pull-requests)"},
		{name: "an anchor", text: strings.Replace(two, "    runs-on: ubuntu-latest\n    steps:\n      # the", "    runs-on: &os ubuntu-latest\n    steps:\n      # the", 1), want: "the layout of the file"},
		{name: "a secret", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode+"        env: {T: \"${{ secrets.NPM }}\"}\n"), want: "the secret NPM"},
		{name: "a secret of the workflow", text: splitHead + "env: {T: \"${{ secrets.NPM }}\"}\n" + splitRights + "jobs:\n" + job("test", splitCode), want: "the secret NPM"},
		{name: "all secrets", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode+"        env: {T: \"${{ toJSON(secrets) }}\"}\n"), want: "all secrets"},
		{name: "an environment", text: splitHead + splitRights + "jobs:\n" + job("test", "    environment: prod\n"+splitCode), want: "its environment"},
		{name: "a variable of the repository", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode+"      - run: echo ${{ vars.X }}\n"), want: "a variable of the repository"},
		{name: "the event's name", text: splitHead + splitRights + "jobs:\n" + job("test", "    if: github.event_name == 'pull_request_target'\n"+splitCode), want: "the name of the event"},
		{name: "the commit of the run", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode+"      - run: echo $GITHUB_SHA\n"), want: "the commit of the run (GITHUB_SHA)"},
		{name: "the target's code beside", text: splitHead + splitRights + "jobs:\n" + job("test", splitCode+"      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2\n        with: {path: base}\n"), want: "a checkout without ref"},
		{name: "a runner of your own", text: splitHead + splitRights + "jobs:\n" + job("test", strings.Replace(splitCode, "ubuntu-latest", "[self-hosted, x]", 1)), want: "a runner that may be your own"},
		{name: "a matrix of runners", text: splitHead + splitRights + "jobs:\n" + job("test", "    strategy: {matrix: {os: [ubuntu-24.04, windows-2025]}}\n"+strings.Replace(splitCode, "ubuntu-latest", "${{ matrix.os }}", 1)), want: "in place"},
		{name: "a matrix with one of your own", text: splitHead + splitRights + "jobs:\n" + job("test", "    strategy: {matrix: {os: [ubuntu-24.04, big]}}\n"+strings.Replace(splitCode, "ubuntu-latest", "${{ matrix.os }}", 1)), want: "a runner that may be your own"},
		{name: "both events", text: "on: [pull_request, pull_request_target]\n" + splitRights + "jobs:\n" + job("test", splitCode), want: "pull_request, which starts it, too"},
		{name: "called", text: "on: [workflow_call, pull_request_target]\n" + splitRights + "jobs:\n" + job("test", splitCode), want: "the workflows that call it"},
		{name: "concurrency of all", text: strings.Replace(two, "jobs:\n", "concurrency: checks\njobs:\n", 1), want: "the concurrency that its jobs share"},
		{name: "concurrency by name", text: strings.Replace(two, "jobs:\n", "concurrency:\n  group: ${{ github.workflow }}-${{ github.head_ref }}\njobs:\n", 1), want: ".github/workflows/x-untrusted.yml"},
		{name: "concurrency of the job", text: splitHead + splitRights + "jobs:\n" + job("label", splitLabel) + job("test", "    concurrency: one-${{ github.ref }}\n"+splitCode), want: ".github/workflows/x-untrusted.yml"},
		{name: "jobs in braces", text: splitHead + splitRights + "jobs: {label: {runs-on: ubuntu-latest, permissions: {issues: write}, steps: [{uses: actions/labeler@v5}]}, test: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683, with: {ref: \"${{ github.event.pull_request.head.sha }}\"}}, {run: npm ci}]}}\n", want: "the layout of the file"},
		{name: "an unknown key", text: "future: x\n" + two, want: "the layout of the file"},
		{name: "a key twice", text: two + job("test", splitCode), want: "parts of the file that cannot be read for certain"},
		{name: "a name with an expression", text: strings.Replace(two, "Checks #", "Checks ${{ github.actor }} #", 1), want: "the name of the workflow"},
		{name: "a name in a block", text: strings.Replace(two, "name: Checks # of pull requests", "name: |-\n  Checks\n  of", 1), want: "the name of the workflow"},
		{name: "a name that hides", text: strings.Replace(two, "name: Checks", `name: "Checks \u202e"`, 1), want: "the name of the workflow"},
		{name: "a name in quotes", text: strings.Replace(two, "name: Checks", `name: 'It''s: "checks"'`, 1), want: ".github/workflows/x-untrusted.yml"},
		{name: "no name", text: strings.Replace(two, "name: Checks # of pull requests\n", "", 1), want: ".github/workflows/x-untrusted.yml"},
		{name: "lines of Windows", text: strings.ReplaceAll(two, "\n", "\r\n"), want: ".github/workflows/x-untrusted.yml"},
		{name: "the event behind the jobs", text: splitRights + "jobs:\n" + job("test", splitCode) + job("label", splitLabel) + "on: [pull_request_target]", want: ".github/workflows/x-untrusted.yml"},
		{name: "blank lines that count", text: strings.Replace(splitHead+splitRights+"jobs:\n"+job("label", splitLabel)+job("test", splitCode), "run: |", "run: |+", 1) + "\n\n", want: ".github/workflows/x-untrusted.yml"},
		{name: "blank lines that count, and others", text: strings.Replace(splitHead+splitRights+"jobs:\n"+job("test", splitCode+"  \n\n")+job("label", splitLabel), "run: |", "run: |+", 1), want: ".github/workflows/x-untrusted.yml"},
		{name: "no end of the last line", text: strings.TrimSuffix(two, "\n"), want: ".github/workflows/x-untrusted.yml"},
		{name: "a byte order mark", text: "\ufeff" + two, want: ".github/workflows/x-untrusted.yml"},
		{name: "a mark of the document", text: "---\n" + two, want: ".github/workflows/x-untrusted.yml"},
		{name: "the first of them, indented by four", text: splitHead + "permissions:\n    contents: write\njobs:\n    test:\n" + strings.ReplaceAll("\n"+strings.TrimSuffix(splitCode, "\n"), "\n    ", "\n        ")[1:] + "\n" + strings.ReplaceAll("\n  label:\n"+strings.TrimSuffix(splitLabel, "\n"), "\n  ", "\n    ")[1:] + "\n", want: ".github/workflows/x-untrusted.yml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := []ExampleFile{{Path: ".github/workflows/x.yml", Text: c.text}}
			for _, name := range slices.Sorted(maps.Keys(c.beside)) {
				files = append(files, ExampleFile{Path: name, Text: c.beside[name]})
			}
			old := found(exampleProject(t, files, Settings{Repairs: true}))
			n := 0
			for i := range old {
				f := &old[i]
				if f.Rule != "untrusted-code-execution" && f.Rule != "untrusted-checkout" {
					continue
				}
				n++
				if f.Fix == nil {
					t.Fatal("no repair and no advice")
				}
				if len(f.Fix.Edits) == 0 {
					if !strings.Contains(strings.Join(f.Fix.Steps, "\n"), c.want) {
						t.Errorf("%s: not repaired: %q, want %s", f.Rule, f.Fix.Steps, c.want)
					}
					continue
				}
				if f.Fix.Safe {
					t.Error("held to be safe")
				}
				after, problems := judge(t, files, f, old, Settings{Repairs: true})
				problems = append(problems, onlyMoves(f, files, after)...)
				got := "in place"
				if len(after) > len(files) {
					got = after[len(files)].Path
				}
				if got != c.want || len(problems) > 0 {
					t.Errorf("%s: got %s, want %s; %q\n%s", f.Rule, got, c.want, problems, diffOf(files, after))
				}
				if os.Getenv("SHOW") != "" {
					t.Log(diffOf(files, after))
				}
			}
			if n == 0 {
				t.Error("nothing found")
			}
		})
	}
}

// onlyMoves says where a repair does more than to change the event, or to move lines: it
// takes out whole lines, and all of them but blank ones are in the new file, in order.
func onlyMoves(f *Flaw, before, after []ExampleFile) (problems []string) {
	if was, is := jobTexts(f.Path, before), jobTexts(f.Path, after); !slices.Equal(was, is) {
		problems = append(problems, fmt.Sprintf("changes jobs: %q are %q", was, is))
	}
	if len(after) == len(before) {
		if e := f.Fix.Edits; len(e) != 1 || e[0].Text != "pull_request" {
			problems = append(problems, "edits more than the event")
		}
		return problems
	}
	made := after[len(before)].Text
	i := slices.IndexFunc(before, func(b ExampleFile) bool { return b.Path == f.Path })
	text := before[i].Text
	for _, e := range f.Fix.Edits {
		if e.New {
			continue
		}
		cut := text[e.Start:e.End]
		whole := (e.Start == 0 || text[e.Start-1] == '\n') && (e.End == int64(len(text)) || strings.HasSuffix(cut, "\n"))
		if e.Text != "" || !whole || !strings.Contains(made, strings.Trim(cut, " \t\r\n")) {
			problems = append(problems, "does not move whole lines as they are")
		}
	}
	crlf := strings.Contains(text, "\r\n")
	for line := range strings.Lines(made) {
		if !strings.HasSuffix(line, "\n") && strings.HasSuffix(made, line) && strings.HasSuffix(text, line) {
			continue // the last one, which had no end
		}
		if strings.HasSuffix(line, "\r\n") != crlf || !strings.HasSuffix(line, "\n") {
			problems = append(problems, "ends lines otherwise")
			break
		}
	}
	return problems
}

// jobTexts are what the jobs of a file, and of the new one beside it, say, in order of
// their ids.
func jobTexts(name string, files []ExampleFile) []string {
	var all []string
	for _, file := range files {
		if strings.Replace(file.Path, "-untrusted.", ".", 1) != name {
			continue
		}
		p := parse(file.Path, KindWorkflow, []byte(file.Text))
		for i := range p.Jobs {
			j := &p.Jobs[i]
			text := j.ID.Value + " " + j.If.Value
			for _, n := range j.Needs {
				text += " needs " + n.Value
			}
			for s := range jobSteps(p, j) {
				text += "\n" + s.Step.Name.Value + " " + s.Step.Uses.Value + " " + s.Step.Run.Value
				for _, d := range []*Data{&s.Step.With, &s.Step.Env} {
					d.Texts(func(t Text) { text += " " + t.Value })
				}
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// TestSplitCorpus takes the privileged workflows of real projects apart, each of which is
// a folder below one that PENSTOCK_PROJECTS names.
func TestSplitCorpus(t *testing.T) {
	dir := os.Getenv("PENSTOCK_PROJECTS")
	if dir == "" {
		t.Skip("PENSTOCK_PROJECTS is not set")
	}
	projects, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	count, reasons := make(map[string]int), make(map[string]int)
	for _, project := range projects {
		files := projectFiles(t, filepath.Join(dir, project.Name()))
		if os.Getenv("PENSTOCK_MUTATE") != "" {
			files = withPrivileges(t, files)
		}
		settings := exampleSettings(t, &Example{Config: map[string]string{"as-of": os.Getenv("PENSTOCK_AS_OF")}})
		settings.Repairs = true
		x := exampleProject(t, files, settings)
		old := found(x)
		tried := make(map[string]bool)
		for i := range old {
			f := &old[i]
			p := x.byPath[f.Path]
			if !slices.Contains(strangeRules, f.Rule) || p == nil || p.Trigger(privilegedEvent) == nil {
				continue
			}
			where := project.Name() + "/" + f.Path
			count["flaws "+f.Rule+" "+string(f.tier())]++
			if f.Fix == nil || len(f.Fix.Edits) == 0 {
				e := newEditor(x, p)
				e.flaws = old
				s := e.isolate(p.Trigger(privilegedEvent))
				for k := range p.Jobs {
					if j := &p.Jobs[k]; j.Span.Contains(f.Span) {
						why, _, _ := strings.Cut(s.why[j], " (")
						if strings.HasPrefix(why, "the secret ") {
							why = "the secret"
						}
						reasons[why]++
						t.Logf("%s job %s stays: %s", where, j.ID.Value, s.why[j])
					}
				}
				continue
			}
			kind := "in place"
			if f.Fix.Edits[len(f.Fix.Edits)-1].New {
				kind = "moved"
			}
			count["repairs "+kind]++
			if tried[f.Path] {
				continue
			}
			tried[f.Path] = true
			after, problems := judge(t, files, f, old, settings)
			problems = append(problems, onlyMoves(f, files, after)...)
			count["files "+kind]++
			if os.Getenv("SHOW") != "" {
				t.Logf("%s:%d %s %s\n%s", where, lineOf(files, f.Place), f.Rule, f.tier(), diffOf(files, after))
			}
			for _, problem := range problems {
				t.Errorf("%s:%d: %s", where, lineOf(files, f.Place), problem)
			}
		}
	}
	for _, m := range []map[string]int{count, reasons} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			t.Logf("%5d %s", m[k], k)
		}
	}
}

// withPrivileges are the files with pull_request_target in the place of pull_request and the
// head of the pull request in every checkout that names nothing else, by a version of
// actions/checkout that does not refuse it.
func withPrivileges(t *testing.T, files []ExampleFile) []ExampleFile {
	const old = "11bd71901bbe5b1630ceea73d27597364c9af683"
	x := exampleProject(t, files, Settings{})
	out := slices.Clone(files)
	for i := range out {
		p := x.byPath[out[i].Path]
		if p == nil || p.Kind != KindWorkflow || p.Trigger("pull_request") == nil || p.Trigger(privilegedEvent) != nil {
			continue
		}
		e := newEditor(x, p)
		edits := []penstock.Edit{e.edit(p.Trigger("pull_request").Event.Span, privilegedEvent)}
		for at := range p.steps() {
			with := at.Step.With
			if !isCheckout(at.Step.Uses) || with.Get("ref").Kind != DataNone || with.Get("repository").Kind != DataNone {
				continue
			}
			_, n := e.step(at.Step.Uses.Span)
			if n == nil || at.Step.Uses.RefSpan().End == 0 {
				continue
			}
			_, after := nodeEntry(n, "uses")
			if more := e.within(n, "with", after, "ref: ${{ github.event.pull_request.head.sha }}"); more != nil {
				edits = append(append(edits, more...), e.edit(at.Step.Uses.RefSpan(), old))
			}
		}
		out[i].Text = applyEdits(t, out[i].Text, edits)
	}
	return out
}

// projectFiles are the files of a folder that a pipeline may draw in.
func projectFiles(t *testing.T, dir string) []ExampleFile {
	t.Helper()
	var files []ExampleFile
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > maxReadBytes {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		files = append(files, ExampleFile{Path: filepath.ToSlash(rel), Text: string(b)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b ExampleFile) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// All flaws of all bad examples that are about a stranger's code, as they are and with
// pull_request_target in the place of pull_request: what is offered works, and what is
// said can be shown.
func TestSplitExamples(t *testing.T) {
	offered, advised := 0, 0
	for _, r := range Rules() {
		for n, e := range r.Examples {
			for _, files := range [][]ExampleFile{ExampleFiles(e.Bad), withPrivileges(t, ExampleFiles(e.Bad)), withPrivileges(t, ExampleFiles(e.Good))} {
				settings := exampleSettings(t, &e)
				settings.Repairs = true
				old := found(exampleProject(t, files, settings))
				for i := range old {
					f := &old[i]
					if !slices.Contains(strangeRules, f.Rule) || f.Fix == nil {
						continue
					}
					if len(f.Fix.Edits) > 0 {
						offered++
						after, problems := judge(t, files, f, old, settings)
						if problems = append(problems, onlyMoves(f, files, after)...); len(problems) > 0 {
							t.Errorf("%s/%d line %d: %q\n%s", r.ID, n, lineOf(files, f.Place), problems, diffOf(files, after))
						}
						continue
					}
					advised++
					for _, s := range f.Fix.Steps {
						if !oneLineOf(s, 1200) || strings.Contains(s, "  ") {
							t.Errorf("%s/%d says %q", r.ID, n, s)
						}
					}
				}
			}
		}
	}
	t.Logf("%d offered, %d with advice", offered, advised)
	if offered < 20 || advised < 20 {
		t.Errorf("%d offered, %d with advice: too few to show anything", offered, advised)
	}
}

func oneLineOf(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Names of hostile files get into no new file's name, and into no text but in a form that
// can be shown.
func TestSplitHostile(t *testing.T) {
	two := splitHead + splitRights + "jobs:\n  label:\n" + splitLabel + "  test:\n" + splitCode
	secret := splitHead + splitRights + "jobs:\n  test:\n" + splitCode + "        env: {T: \"${{ secrets.NPM }}\"}\n"
	for _, c := range []struct {
		name, path, text string
		edits            bool // an edit is offered
	}{
		{"plain", ".github/workflows/x.yml", two, true},
		{"a line break", ".github/workflows/x\n::error::y.yml", two, false},
		{"a shell's", ".github/workflows/$(id).yml", two, false},
		{"an option", ".github/workflows/-x.yml", two, false},
		{"dots", ".github/workflows/a..b.yml", two, false},
		{"an escape", ".github/workflows/\x1b[31m.yml", two, false},
		{"letters that look alike", ".github/workflows/\u0445.yml", two, false},
		{"long", ".github/workflows/" + strings.Repeat("x", 200) + ".yml", two, false},
		{"advice for a shell's", ".github/workflows/$(id).yml", secret, false},
		{"advice for a long job", ".github/workflows/x.yml", strings.Replace(secret, "  test:", "  "+strings.Repeat("t", 500)+":", 1), false},
		{"advice for a strange job", ".github/workflows/x.yml", strings.Replace(secret, "  test:", `  "a\u001b\n::b":`, 1), false},
		{"advice for a strange name", ".github/workflows/x.yml", strings.Replace(secret, "name: Checks", `name: "\u001b\n::Checks"`, 1), false},
		{"a strange secret", ".github/workflows/x.yml", strings.Replace(secret, "secrets.NPM", "secrets['\\u001b::x']", 1), false},
		{"a strange job stays", ".github/workflows/x.yml", strings.Replace(two, "  label:", `  "a\u001b\n::b":`, 1), true},
		{"a strange job moves", ".github/workflows/x.yml", strings.Replace(two, "  test:", `  "a\u001b\n::b":`, 1), true},
		{"a strange event", ".github/workflows/x.yml", strings.Replace(two, "  pull_request_target:", `  "pull\u005frequest_target":`, 1), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := []ExampleFile{{Path: c.path, Text: c.text}}
			old := found(exampleProject(t, files, Settings{Repairs: true}))
			n := 0
			for i := range old {
				f := &old[i]
				if f.Rule != "untrusted-code-execution" {
					continue
				}
				n++
				if f.Fix == nil {
					if c.edits {
						t.Error("nothing offered")
					}
					continue
				}
				if got := len(f.Fix.Edits) > 0; got != c.edits {
					t.Errorf("edits %v", f.Fix.Edits)
				}
				if c.edits {
					after, problems := judge(t, files, f, old, Settings{Repairs: true})
					if problems = append(problems, onlyMoves(f, files, after)...); len(problems) > 0 {
						t.Errorf("%q\n%s", problems, diffOf(files, after))
					}
				}
				for _, e := range f.Fix.Edits {
					if strings.Contains(e.Text, "Checks") || e.New && e.Path != ".github/workflows/x-untrusted.yml" {
						t.Errorf("edit %+v", e)
					}
				}
				for _, s := range append(f.Fix.Steps, f.Fix.Description) {
					if !oneLineOf(s, 1200) {
						t.Errorf("says %q", s)
					}
				}
			}
			if n == 0 {
				t.Error("nothing found")
			}
		})
	}
}

// Actions of the repository that use each other, or themselves, many times are looked at
// once each.
func TestSplitNested(t *testing.T) {
	const levels, uses = 5, 300
	files := []ExampleFile{{Path: ".github/workflows/x.yml", Text: splitHead + splitRights + "jobs:\n  test:\n" + splitCode + strings.Repeat("      - uses: ./a0\n", uses)}}
	for i := range levels {
		next := min(i+1, levels-1)
		files = append(files, ExampleFile{
			Path: fmt.Sprintf("a%d/action.yml", i),
			Text: "name: x\nruns:\n  using: composite\n  steps:\n" + strings.Repeat(fmt.Sprintf("    - uses: ./a%d\n", next), uses),
		})
	}
	x := exampleProject(t, files, Settings{Repairs: true})
	p := x.byPath[".github/workflows/x.yml"]
	e := newEditor(x, p)
	if why := e.privilege(&p.Jobs[0]); why != "rights that its steps may use" {
		t.Errorf("needs %q", why)
	}
	if why := e.stepObstacle(stepAt{p, &p.Jobs[0], 2, &p.Jobs[0].Steps[2]}); why != "an action of the repository that uses itself" {
		t.Errorf("differs by %q", why)
	}
}

// FuzzSplit takes a workflow apart: whatever it holds, what is offered moves whole lines
// and can be read.
func FuzzSplit(f *testing.F) {
	f.Add(splitHead + splitRights + "jobs:\n  label:\n" + splitLabel + "\n  # what\n  test:\n" + splitCode)
	f.Add(splitHead + splitRights + "jobs:\n  test:\n" + splitCode + "\n  label:\n" + splitLabel)
	f.Add("on: [push, pull_request_target]\n" + splitRights + "jobs:\n  test:\n" + splitCode)
	f.Add(strings.ReplaceAll(splitHead+splitRights+"jobs:\n  label:\n"+splitLabel+"  test:\n"+splitCode, "\n", "\r\n"))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		files := []ExampleFile{{Path: ".github/workflows/x.yml", Text: text}}
		old := found(exampleProject(t, files, Settings{Repairs: true}))
		for i := range old {
			flaw := &old[i]
			if !slices.Contains(strangeRules, flaw.Rule) || flaw.Fix == nil || len(flaw.Fix.Edits) == 0 {
				continue
			}
			after, problems := judge(t, files, flaw, old, Settings{Repairs: true})
			if !strings.Contains(text, "\r") || !strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
				problems = append(problems, onlyMoves(flaw, files, after)...)
			}
			if len(problems) > 0 {
				t.Errorf("%s: %q\n%s", flaw.Rule, problems, diffOf(files, after))
			}
			break
		}
	})
}
