package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// ignoreNotes takes what an example does not look at.
type ignoreNotes struct{}

func (ignoreNotes) Report(penstock.Record) {}

// exampleForge is the forge of an example's facts, nil for none. A fact is about
// owner/repo, owner/repo@ref or owner/repo@commit:
//
//	owner missing | missing | archived | moved NAME[, owner missing] | advisory ID SEVERITY VERSIONS TITLE
//	branch and tag | tag COMMIT | branch COMMIT | commit COMMIT (the tag's)
//	tags NAME... | no tags | unreachable | perhaps unreachable | absent
func exampleForge(t testing.TB, e *Example) func([]penstock.Question) []penstock.Answer {
	t.Helper()
	if len(e.Facts) == 0 {
		return nil
	}
	facts := make(map[string]string)
	for key, fact := range e.Facts {
		name, ref, _ := strings.Cut(key, "@")
		facts[strings.ToLower(name)+"@"+ref] = fact
	}
	some := strings.Repeat("1", 40)
	tagOf := func(name, tag string) string {
		fact, ok := facts[name+"@"+tag]
		commit, _ := strings.CutPrefix(fact, "commit ")
		switch {
		case !ok:
			return ""
		case fact == "branch and tag":
			return some
		case strings.HasPrefix(fact, "branch "):
			return ""
		}
		return strings.TrimPrefix(commit, "tag ")
	}
	answer := func(q penstock.Question) (a penstock.Answer) {
		name := q.Owner + "/" + q.Repo
		switch fact := facts[name+"@"]; q.Kind {
		case penstock.AskRepository:
			a.Known = true
			fact, a.OwnerMissing = strings.CutSuffix(fact, ", owner missing")
			switch {
			case fact == "owner missing":
				a.Missing, a.OwnerMissing = true, true
			case fact == "missing":
				a.Known = false
			case fact == "archived":
				a.Archived = true
			case strings.HasPrefix(fact, "moved "):
				a.Moved = fact[len("moved "):]
			}
		case penstock.AskAdvisories:
			a.Known = true
			if words := strings.SplitN(fact, " ", 5); words[0] == "advisory" {
				a.Advisories = []penstock.Advisory{{ID: words[1], Severity: words[2], Versions: words[3], Title: words[4]}}
			}
		case penstock.AskRef:
			fact, ok := facts[name+"@"+q.Ref]
			a.Known = ok
			a.TagCommit = tagOf(name, q.Ref)
			switch branch, isBranch := strings.CutPrefix(fact, "branch "); {
			case fact == "branch and tag":
				a.BranchCommit = strings.Repeat("2", 40)
			case isBranch:
				a.BranchCommit = branch
			}
		case penstock.AskCommit:
			fact, ok := facts[name+"@"+q.Ref]
			a.Known, a.Reach, a.AllTags = ok, penstock.ReachYes, true
			a.TagCommit = tagOf(name, q.Tag)
			switch {
			case strings.HasPrefix(fact, "tags "):
				a.Tags = strings.Fields(fact[len("tags "):])
				if slices.Contains(a.Tags, q.Tag) {
					a.TagCommit = q.Ref
				}
			case fact == "unreachable":
				a.Reach, a.Sure = penstock.ReachNo, true
			case fact == "perhaps unreachable":
				a.Reach = penstock.ReachNo
			case fact == "absent":
				a.Reach, a.Sure = penstock.ReachAbsent, true
			case ok && fact != "no tags":
				t.Errorf("the fact %q of %s is not known", fact, name)
			}
		}
		return a
	}
	return func(questions []penstock.Question) []penstock.Answer {
		answers := make([]penstock.Answer, len(questions))
		for i, q := range questions {
			if !q.Valid() {
				t.Errorf("the question %+v is malformed", q)
			}
			answers[i] = answer(q)
		}
		return answers
	}
}

const onlineWorkflow = `
on: push
permissions: {}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
%s
`

// onlineFlaws are what the forge's answers say of steps.
func onlineFlaws(t *testing.T, steps string, facts map[string]string) []string {
	t.Helper()
	x := exampleProject(t, []ExampleFile{{Path: ".github/workflows/a.yml", Text: fmt.Sprintf(onlineWorkflow, steps)}}, Settings{})
	x.ask(penstock.Run{Ask: exampleForge(t, &Example{Facts: facts})}, ignoreNotes{})
	only, partly := onlineRules()
	var out []string
	for _, f := range found(x) {
		if slices.Contains(append(only, partly...), f.Rule) {
			out = append(out, fmt.Sprintf("%s %s %s %s", f.Rule, f.tier(), f.Severity, f.Confidence))
		}
	}
	slices.Sort(out)
	return out
}

func TestOnline(t *testing.T) {
	const a, b = "4f1c4e5d3b1f0a2e6d7c8b9a0f1e2d3c4b5a6978", "9a0f1e2d3c4b5a69784f1c4e5d3b1f0a2e6d7c8b"
	for _, c := range []struct {
		name, uses string
		facts      map[string]string
		want       []string
	}{
		{"a release", "x/y@" + a + " # v1.2.3", map[string]string{"x/y@" + a: "tags v1.2.3 v1"}, nil},
		{"the comment says less", "x/y@" + a + " # v1", map[string]string{"x/y@" + a: "tags v1.2.3", "x/y@v1": "commit " + b}, nil},
		{"the comment says more, by the tag's name", "x/y@" + a + " # pin@v1.2.3", map[string]string{"x/y@" + a: "tags v1.2.3"}, nil},
		{"the comment says another", "x/y@" + a + " # v1.2.4", map[string]string{"x/y@" + a: "tags v1.2.3 v1"}, []string{"ref-version-mismatch hygiene unset unset"}},
		{"the comment's tag is elsewhere, the commit none", "x/y@" + a + " # v1.2.4", map[string]string{"x/y@" + a: "no tags", "x/y@v1.2.4": "commit " + b}, []string{"ref-version-mismatch hygiene unset unset", "stale-action-ref hygiene unset unset"}},
		{"the comment's tag moved on", "x/y@" + a + " # v1", map[string]string{"x/y@" + a: "no tags", "x/y@v1": "commit " + b}, []string{"stale-action-ref hygiene unset unset"}},
		{"the commit has a tag that moves with releases", "x/y@" + a + " # v1.2.4", map[string]string{"x/y@" + a: "tags v1"}, nil},
		{"the same, and the release is elsewhere", "x/y@" + a + " # v1.2.4", map[string]string{"x/y@" + a: "tags v1", "x/y@v1.2.4": "commit " + b}, []string{"ref-version-mismatch hygiene unset unset"}},
		{"of a fork", "x/y@" + a, map[string]string{"x/y@" + a: "unreachable"}, []string{"impostor-commit exploitable unset unset"}},
		{"perhaps of a fork", "x/y@" + a, map[string]string{"x/y@" + a: "perhaps unreachable"}, []string{"impostor-commit hygiene high low"}},
		{"perhaps of a fork, and the comment lies", "x/y@" + a + " # v1.2.3", map[string]string{"x/y@" + a: "perhaps unreachable", "x/y@v1.2.3": "commit " + b}, []string{"impostor-commit exploitable high medium"}},
		{"of nobody", "x/y@" + a, map[string]string{"x/y@" + a: "absent"}, []string{"impostor-commit hygiene medium unset"}},
		{"one of both", "x/y@v1", map[string]string{"x/y@v1": "commit " + a}, nil},
		{"gone", "X/Y@v1", map[string]string{"x/y": "owner missing"}, []string{"repo-jacking exploitable unset unset"}},
		{"not seen", "x/y@v1", map[string]string{"x/y": "missing"}, nil},
		{"moved", "x/y@v1", map[string]string{"x/y": "moved x/z"}, []string{"repo-jacking hygiene info unset"}},
		{"moved, and free", "x/y@v1", map[string]string{"x/y": "moved u/y, owner missing"}, []string{"repo-jacking exploitable high unset"}},
		{"moved, free, and pinned", "x/y@" + a, map[string]string{"x/y": "moved u/y, owner missing"}, []string{"repo-jacking hygiene medium unset"}},
		{"archived", "x/y@v1", map[string]string{"x/y": "archived"}, []string{"archived-action hygiene unset unset"}},
		{"archived, as the table knows", "actions/create-release@v1", map[string]string{"actions/create-release": "archived"}, []string{"archived-action hygiene unset unset"}},
		{"vulnerable", "x/y@v1.2.2", map[string]string{"x/y": "advisory GHSA-aaaa-bbbb-cccc high >=1.0,<1.2.3 T"}, []string{"known-vulnerable-action hygiene high unset"}},
		{"vulnerable by the commit's own tag", "x/y@" + a + " # v1.3.0", map[string]string{"x/y": "advisory GHSA-aaaa-bbbb-cccc low <1.2.3 T", "x/y@" + a: "tags v1.2.2"}, []string{"known-vulnerable-action hygiene low unset", "ref-version-mismatch hygiene unset unset"}},
		{"repaired", "x/y@v1.2.3", map[string]string{"x/y": "advisory GHSA-aaaa-bbbb-cccc high <1.2.3 T"}, nil},
		{"repaired in what a tag stands for now", "x/y@v1", map[string]string{"x/y": "advisory GHSA-aaaa-bbbb-cccc high <1.2.3 T"}, nil},
		{"odd range", "x/y@v1", map[string]string{"x/y": "advisory GHSA-aaaa-bbbb-cccc high all T"}, nil},
		{"nothing to ask", "./local", map[string]string{"x/y": "owner missing"}, nil},
		{"malformed", "x/..@v1", map[string]string{"x/y": "owner missing"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, onlineFlaws(t, "      - uses: "+c.uses, c.facts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// Without anybody to ask, nothing is said.
			for _, f := range onlineFlaws(t, "      - uses: "+c.uses, nil) {
				if rule, _, _ := strings.Cut(f, " "); rule != "archived-action" {
					t.Errorf("offline: %s", f)
				}
			}
		})
	}
}

// Strangers' code that gets secrets is asked about first, each thing once.
func TestQuestions(t *testing.T) {
	const sha = "4f1c4e5d3b1f0a2e6d7c8b9a0f1e2d3c4b5a6978"
	text := fmt.Sprintf(onlineWorkflow, `
      - uses: actions/checkout@v4
      - uses: a/plain@v1
      - uses: A/plain@v1
      - uses: a/plain@refs/tags/v2
      - uses: a/${{ github.x }}@v1
      - uses: a/plain@v1..2
  secret:
    runs-on: ubuntu-latest
    steps:
      - uses: z/secret@`+strings.ToUpper(sha)+` # v1.2.3
        with: {token: '${{ secrets.TOKEN }}'}`)
	x := exampleProject(t, []ExampleFile{{Path: ".github/workflows/a.yml", Text: text}}, Settings{})
	var got []string
	for _, q := range x.questions() {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s/%s %s %s", q.Kind, q.Owner, q.Repo, q.Ref, q.Tag)))
	}
	want := []string{
		"advisories z/secret", "advisories a/plain", "advisories actions/checkout",
		"repository z/secret", "commit z/secret " + sha + " v1.2.3",
		"repository a/plain", "ref a/plain v1",
		"repository actions/checkout", "ref actions/checkout v4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type notes []string

func (n *notes) Report(r penstock.Record) {
	if note, ok := r.(*penstock.Note); ok {
		*n = append(*n, note.Code)
	}
}

func TestOnlineNotes(t *testing.T) {
	some := []ExampleFile{{Path: ".github/workflows/a.yml", Text: fmt.Sprintf(onlineWorkflow, "      - uses: x/y@v1")}}
	none := []ExampleFile{{Path: ".github/workflows/a.yml", Text: fmt.Sprintf(onlineWorkflow, "      - run: make")}}
	var steps strings.Builder
	for i := range 600 {
		fmt.Fprintf(&steps, "      - uses: x/y%d@v1\n", i)
	}
	many := []ExampleFile{{Path: ".github/workflows/a.yml", Text: fmt.Sprintf(onlineWorkflow, steps.String())}}
	asked := 0
	forge := func(q []penstock.Question) []penstock.Answer { asked += len(q); return make([]penstock.Answer, len(q)) }
	for _, c := range []struct {
		name  string
		files []ExampleFile
		ask   func([]penstock.Question) []penstock.Answer
		want  notes
		asked int
	}{
		{"offline", some, nil, notes{"offline-rules"}, 0},
		{"nothing to ask", none, nil, nil, 0},
		{"online", some, forge, nil, 3},
		{"too much", many, forge, notes{"online-left-out"}, maxAsked},
		{"too few answers", some, func([]penstock.Question) []penstock.Answer { return nil }, nil, 0},
	} {
		asked = 0
		var got notes
		x := exampleProject(t, c.files, Settings{})
		x.ask(penstock.Run{Ask: c.ask}, &got)
		if diff := cmp.Diff(c.want, got); diff != "" || asked != c.asked {
			t.Errorf("%s: %d asked; notes (-want +got):\n%s", c.name, asked, diff)
		}
		found(x)
	}
}

func TestResolved(t *testing.T) {
	q := func(ref string) penstock.Question {
		return penstock.Question{Kind: penstock.AskRef, Owner: "x", Repo: "y", Ref: ref}
	}
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	f := forgeFacts{
		q("v1"): {TagCommit: a, Tags: []string{"v1.2.3", "v1"}}, q("latest"): {TagCommit: a, Tags: []string{"latest"}},
		q("main"): {BranchCommit: b}, q("v2"): {TagCommit: a, BranchCommit: b}, q("v3"): {},
	}
	for ref, want := range map[string][2]string{"v1": {a, "v1.2.3"}, "latest": {a, "latest"}, "main": {b, "main"}, "v2": {}, "v3": {}, "v4": {}} {
		if commit, version := f.resolved(Use{Owner: "X", Repo: "Y", Ref: ref}); commit != want[0] || version != want[1] {
			t.Errorf("%s is %q, %q", ref, commit, version)
		}
	}
}

// What the forge says a tag is becomes the pin.
func TestPinOnline(t *testing.T) {
	const sha = "4f1c4e5d3b1f0a2e6d7c8b9a0f1e2d3c4b5a6978"
	x := exampleProject(t, []ExampleFile{{Path: ".github/workflows/a.yml", Text: fmt.Sprintf(onlineWorkflow, "      - uses: x/y@v1")}}, Settings{Repairs: true})
	x.forge = forgeFacts{{Kind: penstock.AskRef, Owner: "x", Repo: "y", Ref: "v1"}: {Known: true, TagCommit: sha, Tags: []string{"v1.2.3", "v1"}}}
	for _, f := range found(x) {
		if f.Rule != "unpinned-uses" {
			continue
		}
		if f.Fix == nil || len(f.Fix.Edits) != 2 || f.Fix.Edits[0].Text != sha || f.Fix.Edits[1].Text != " # v1.2.3" {
			t.Fatalf("the repair is %+v", f.Fix)
		}
		return
	}
	t.Error("nothing found")
}

// The rules that need the forge are those whose rule says so.
func TestOnlineRules(t *testing.T) {
	only, partly := onlineRules()
	for _, id := range append(only, partly...) {
		r := FindRule("pipeline/" + id)
		if r == nil {
			t.Fatalf("no rule %s", id)
		}
		if r.Online != (slices.Contains(only, id) || id == "ref-version-mismatch") {
			t.Errorf("%s: online %v", id, r.Online)
		}
	}
}
