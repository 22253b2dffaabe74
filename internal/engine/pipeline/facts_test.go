package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// The graph knows who starts a job, what it gets at, and the flaw between them.
func TestFacts(t *testing.T) {
	x := testProject(Settings{Graph: true}, map[string]string{flowFile: `name: Greet
on: pull_request_target
permissions: {contents: write}
jobs:
  greet:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - uses: some/action@v1
      - run: echo "${{ github.event.pull_request.title }}"
`})
	var flaws []Flaw
	x.Audit(func(f Flaw) { flaws = append(flaws, f) })
	facts := func() []string {
		var out []string
		x.Facts(flaws, func(r penstock.Record) {
			if e, ok := r.(*penstock.Edge); ok {
				out = append(out, fmt.Sprintf("%s %s -> %s %s", e.Kind, e.From, e.To, e.Facts["tier"]))
			}
		})
		return out
	}
	got := facts()
	for _, want := range []string{
		"can-trigger actor:anyone with an account -> workflow:" + flowFile + " ",
		"runs workflow:" + flowFile + " -> job:" + flowFile + "#greet ",
		"gets job:" + flowFile + "#greet -> prize:write contents ",
		"uses job:" + flowFile + "#greet -> action:some/action@v1 ",
		"deploys-to job:" + flowFile + "#greet -> environment:production ",
		"exploits actor:anyone with an account -> prize:write contents proven-path",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no edge %q in %q", want, got)
		}
	}
	if diff := cmp.Diff(got, facts()); diff != "" {
		t.Errorf("a second time (-first +second):\n%s", diff)
	}
}
