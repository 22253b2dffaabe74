package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entryWords are entries in short, one a line.
func entryWords(all []Entry) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s", e.Event, map[ActorClass]string{ActorAnyone: "anyone", ActorReturning: "returning", ActorTriage: "triage", ActorWriter: "writer"}[e.Actor])
		if e.Origin == OriginFork {
			b.WriteString(" fork")
		}
		if e.Own {
			b.WriteString(" own")
		}
		if e.After != "" {
			b.WriteString(" after: " + e.After)
		}
		if len(e.Via) > 0 {
			fmt.Fprintf(&b, " via %d", len(e.Via))
		}
		for _, g := range e.gates {
			fmt.Fprintf(&b, " [%s]", gateWords([]Gate{g})[0])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestEntries(t *testing.T) {
	const job = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
	for _, c := range []struct {
		name, on string
		settings GitHubSettings
		want     string
	}{
		{"pull request", "pull_request", GitHubSettings{}, "pull_request returning fork own\npull_request writer\n"},
		{"no approval", "pull_request", GitHubSettings{ForkApproval: "none"}, "pull_request anyone fork own\npull_request writer\n"},
		{"approval of all", "pull_request", GitHubSettings{ForkApproval: "all"}, "pull_request anyone fork own [approval stops once]\npull_request writer\n"},
		{"target", "pull_request_target", GitHubSettings{}, "pull_request_target anyone fork\npull_request_target writer\n"},
		{"target, labeled", "{pull_request_target: {types: [labeled]}}", GitHubSettings{}, "pull_request_target anyone fork after: someone with triage rights labels it [label stops once]\npull_request_target writer\n"},
		{"target, labeled and opened", "{pull_request_target: {types: [opened, labeled]}}", GitHubSettings{}, "pull_request_target anyone fork\npull_request_target anyone fork after: someone with triage rights labels it [label stops once]\npull_request_target writer\n"},
		{"target, assigned", "{pull_request_target: {types: [assigned]}}", GitHubSettings{}, "pull_request_target anyone fork after: someone with triage rights acts on it (assigned) [approval stops once]\npull_request_target writer\n"},
		{"target in a private repository", "pull_request_target", GitHubSettings{Visibility: Private}, "pull_request_target anyone fork [repository stops]\npull_request_target writer\n"},
		{"private, secrets for forks", "pull_request", GitHubSettings{Visibility: Private, ForkSecrets: true}, "pull_request returning fork own\npull_request writer\n"},
		{"review", "pull_request_review", GitHubSettings{}, "pull_request_review anyone\npull_request_review returning fork own\n"},
		{"issues", "{issues: {types: [opened]}}", GitHubSettings{}, "issues anyone\n"},
		{"comment", "issue_comment", GitHubSettings{}, "issue_comment anyone\n"},
		{"discussion", "{discussion: {types: [created]}}", GitHubSettings{}, "discussion anyone\n"},
		{"fork, watch", "[fork, watch]", GitHubSettings{}, "fork anyone\nwatch anyone\n"},
		{"wiki", "gollum", GitHubSettings{}, "gollum anyone [other unknown]\n"},
		{"push", "push", GitHubSettings{}, "push anyone after: the pull request is merged [approval stops]\npush writer\n"},
		{"push of tags", "{push: {tags: ['v*']}}", GitHubSettings{}, "push writer\n"},
		{"merge queue", "merge_group", GitHubSettings{}, "merge_group anyone after: the pull request is put into the merge queue [approval stops]\nmerge_group writer\n"},
		{"checks", "check_run", GitHubSettings{}, "check_run anyone after: a commit of the contributor is built or given a status [approval unknown]\ncheck_run writer\n"},
		{"writers", "[workflow_dispatch, repository_dispatch, release, schedule, deployment, registry_package, label]", GitHubSettings{}, "workflow_dispatch writer\nrepository_dispatch writer\nrelease writer\nschedule writer\ndeployment writer\nregistry_package writer\nlabel writer\n"},
		{"a call that nobody makes", "workflow_call", GitHubSettings{}, "workflow_call writer\n"},
		{"another run, of which nothing is known", "{workflow_run: {workflows: [CI]}}", GitHubSettings{}, "workflow_run returning fork via 1\n"},
		{"a run of the forge's own", "{workflow_run: {workflows: [pages build and deployment]}}", GitHubSettings{}, "workflow_run writer\n"},
		{"an event that is new", "moon_phase", GitHubSettings{}, "moon_phase writer\n"},
		{"nothing", "{}", GitHubSettings{}, ""},
	} {
		x := testProject(Settings{GitHub: c.settings}, map[string]string{flowFile: "on: " + c.on + "\n" + job})
		if diff := cmp.Diff(c.want, entryWords(x.Entries(x.Pipelines[0]))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What workflows of a repository lead to each other.
func TestEntriesThroughOthers(t *testing.T) {
	const job = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
	x := testProject(Settings{}, map[string]string{
		".github/workflows/ci.yml":      "name: CI\non: [push, pull_request]\n" + job,
		".github/workflows/nightly.yml": "on: schedule\n" + job,
		".github/workflows/talk.yml":    "name: Talk\non: issue_comment\njobs:\n  a:\n    if: github.event.comment.author_association == 'OWNER'\n    uses: ./.github/workflows/lib.yml\n    with:\n      what: issue\n",
		".github/workflows/after.yml":   "on:\n  workflow_run:\n    workflows: [CI, .github/workflows/nightly.yml]\n" + job,
		".github/workflows/dead.yml":    "on:\n  workflow_run:\n    workflows: [Gone]\n" + job,
		".github/workflows/none.yml":    "on:\n  workflow_run:\n    workflows: ['Gone*', '!CI']\n" + job,
		".github/workflows/third.yml":   "on:\n  workflow_run:\n    workflows: [.github/workflows/after.yml]\n" + job,
		".github/workflows/lib.yml":     "on:\n  workflow_call:\n    inputs:\n      what: {type: string}\n      more: {type: string, default: none}\njobs:\n  a:\n    if: inputs.what == 'issue'\n    runs-on: x\n    steps:\n      - run: make\n  b:\n    if: inputs.more != 'none'\n    runs-on: x\n    steps:\n      - run: make\n",
	})
	for name, want := range map[string]string{
		"after.yml": "workflow_run anyone after: the pull request is merged via 1 [approval stops]\nworkflow_run returning fork via 1\nworkflow_run writer via 1\nworkflow_run writer via 1\nworkflow_run writer via 1\n",
		"dead.yml":  "workflow_run returning fork via 1\n", // a pull request can bring a workflow of that name
		"none.yml":  "",
		"third.yml": "workflow_run anyone after: the pull request is merged via 2 [approval stops]\nworkflow_run returning fork via 2\nworkflow_run writer via 2\n",
		"lib.yml":   "issue_comment anyone via 1\n",
	} {
		p := x.Pipeline(".github/workflows/"+name, KindWorkflow)
		got := entryWords(x.Entries(p))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	lib := x.Pipeline(".github/workflows/lib.yml", KindWorkflow)
	e := entryOf(t, x, lib, "issue_comment")
	truth, gates := x.Reach(lib, e, &lib.Jobs[0])
	if got := strings.Join(gateWords(gates), "; "); truth != False || got != "association stops once" || gates[0].Path != ".github/workflows/talk.yml" {
		t.Errorf("the caller's condition counts: got %v %q %v", truth, got, gates)
	}
	if truth, _ := x.Reach(lib, e, &lib.Jobs[1]); truth != False {
		t.Errorf("the default of an input decides: got %v", truth)
	}
	if v := e.Env.Get("github.event_name"); v.text() != "issue_comment" {
		t.Errorf("a called workflow has the event of its caller, got %q", v.text())
	}
}

// What is in a repository under .github decides, wherever the scan begins.
func TestEntriesBelowRoot(t *testing.T) {
	files := map[string]string{
		"sub/.github/workflows/ci.yml":    "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n",
		"sub/.github/workflows/after.yml": "on:\n  workflow_run:\n    workflows: [.github/workflows/ci.yml]\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n",
	}
	x := testProject(Settings{}, files)
	x.Root = "sub/"
	p := x.Pipeline(".github/workflows/after.yml", KindWorkflow)
	if got := entryWords(x.Entries(p)); got != "workflow_run returning fork via 1\nworkflow_run writer via 1\n" {
		t.Error(got)
	}
}

func FuzzWays(f *testing.F) {
	f.Add("on: pull_request_target\njobs:\n  a:\n    if: github.actor == 'x'\n    runs-on: y\n    steps:\n      - run: exit 1\n", "on: workflow_call\n")
	f.Add("on: {workflow_run: {workflows: [A]}}\nname: A\n", "on: [push, issues]\njobs: {a: {uses: ./.github/workflows/example.yml, secrets: inherit}}")
	f.Add("on: issue_comment\npermissions: write-all\njobs: {a: {needs: [a, b], environment: '${{ github.event.comment.body }}'}, b: {if: '!contains(needs.a.outputs.x, 1)', needs: a}}", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		x := testProject(Settings{}, map[string]string{flowFile: a, ".github/workflows/other.yml": b})
		for _, p := range x.Pipelines {
			entries := x.Entries(p)
			if len(entries) > maxEntries {
				t.Fatal("too many entries")
			}
			for i := range entries {
				for k := range p.Jobs {
					_, gates := x.Reach(p, &entries[i], &p.Jobs[k])
					for _, g := range gates {
						if g.Kind == "" || g.Text == "" || g.Stops && g.Weakness != "" {
							t.Fatalf("gate: %+v", g)
						}
					}
					for _, q := range x.Prizes(p, &entries[i], &p.Jobs[k]) {
						if q.Text == "" || q.Path == "" {
							t.Fatalf("prize: %+v", q)
						}
					}
				}
			}
		}
		x.Audit(func(flaw Flaw) {
			if flaw.Rule == "" || flaw.Message == "" || flaw.End < flaw.Start {
				t.Fatalf("flaw: %+v", flaw)
			}
		})
	})
}
