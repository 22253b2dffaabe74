package pipeline

import (
	"strings"
	"testing"
)

// What a called workflow or an action of the repository finds out counts as if it stood
// in the job.
func TestGatesOfCalled(t *testing.T) {
	const ask = `on:
  workflow_call:
    outputs:
      ok: {value: "${{ jobs.who.outputs.ok }}"}
      fork: {value: "${{ jobs.who.outputs.fork }}"}
jobs:
  who:
    runs-on: ubuntu-latest
    outputs:
      ok: ${{ steps.check.outputs.require-result }}
      fork: ${{ steps.pr.outputs.fork }}
    steps:
      - id: check
        uses: actions-cool/check-user-permission@v2
        with: {require: write}
      - id: pr
        run: echo "fork=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)" >> $GITHUB_OUTPUT
`
	const strict = "on: workflow_call\njobs:\n  who:\n    runs-on: ubuntu-latest\n    steps:\n      - run: gh api orgs/octo/members/$GITHUB_ACTOR\n"
	const action = `outputs:
  fork: {value: "${{ steps.pr.outputs.fork }}"}
runs:
  using: composite
  steps:
    - id: pr
      shell: bash
      run: echo "fork=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)" >> $GITHUB_OUTPUT
`
	for _, c := range []struct{ name, job, gates string }{
		{"an answer", "    needs: ask\n    if: needs.ask.outputs.ok == 'true'\n    steps:\n", "permission stops once"},
		{"an answer that is a no", "    needs: ask\n    if: needs.ask.outputs.ok == 'false'\n    steps:\n", ""},
		{"an output that is not there", "    needs: ask\n    if: needs.ask.outputs.other == 'true'\n    steps:\n", ""},
		{"a fork", "    needs: ask\n    if: needs.ask.outputs.fork == 'false'\n    steps:\n", "repository unknown"},
		{"a fork that is let in", "    needs: ask\n    if: needs.ask.outputs.fork == 'true'\n    steps:\n", ""},
		{"a call that fails", "    needs: strict\n    steps:\n", "permission stops once"},
		{"a call that fails, always", "    needs: strict\n    if: always()\n    steps:\n", ""},
		{"an action of the repository", "    steps:\n      - id: pr\n        uses: ./.github/actions/pr\n      - if: steps.pr.outputs.fork == 'true'\n        run: exit 1\n", "repository unknown"},
		{"an action of the repository that lets in", "    steps:\n      - id: pr\n        uses: ./.github/actions/pr\n      - if: steps.pr.outputs.fork == 'false'\n        run: exit 1\n", ""},
	} {
		x := testProject(Settings{}, map[string]string{
			flowFile:                    "on: issue_comment\njobs:\n  ask:\n    uses: ./.github/workflows/ask.yml\n  strict:\n    uses: ./.github/workflows/strict.yml\n  job:\n    runs-on: ubuntu-latest\n" + c.job + "      - run: make\n",
			".github/workflows/ask.yml": ask, ".github/workflows/strict.yml": strict, ".github/actions/pr/action.yml": action,
		})
		p := x.Pipeline(flowFile, KindWorkflow)
		e, j := entryOf(t, x, p, "issue_comment"), x.jobOf(p, "job")
		_, gates := x.Reach(p, e, j)
		_, more := x.StepReach(p, e, j, len(j.Steps)-1)
		if got := strings.Join(gateWords(append(gates, more...)), "; "); got != c.gates {
			t.Errorf("%s: got %q, want %q", c.name, got, c.gates)
		}
	}
}
