package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"penstock"

	"github.com/google/go-cmp/cmp"
)

// TestOpenGates: a gate that does not hold is as grave as what lies behind it.
func TestOpenGates(t *testing.T) {
	const head = "on:\n  pull_request_target: {types: [opened, synchronize, labeled]}\n  issue_comment:\n  issues: {types: [opened]}\n  pull_request_review:\npermissions: {contents: write}\njobs:\n  a:\n"
	checkout := `      - uses: actions/checkout@v4.1.0
        with: {ref: "${{ github.event.pull_request.head.sha }}", repository: "${{ github.event.pull_request.head.repo.full_name }}"}
`
	for _, tc := range []struct {
		name, job string
		want      []string
	}{
		{"a label before the step that builds", `    if: github.event_name == 'pull_request_target'
    runs-on: ubuntu-latest
    steps:
` + checkout + `      - if: contains(github.event.pull_request.labels.*.name, 'ready')
        run: make
`, []string{"label-gate:14"}},
		{"a label before a step that does nothing", `    if: github.event_name == 'pull_request_target'
    runs-on: ubuntu-latest
    steps:
` + checkout + `      - if: contains(github.event.pull_request.labels.*.name, 'ready')
        run: echo ready
`, nil},
		{"a label that a script asks for", `    if: github.event_name == 'pull_request_target'
    runs-on: ubuntu-latest
    steps:
      - run: |
          READY=${{ contains(github.event.pull_request.labels.*.name, 'ready') }}
          if [[ ( $READY == 'false' ) ]]; then
            exit 1
          fi
` + checkout + `      - run: make
`, []string{"label-gate:12"}},
		{"the author beside an association", `    if: >-
      github.event_name == 'issue_comment' && (contains(fromJSON('["MEMBER","CONTRIBUTOR"]'), github.event.comment.author_association) || github.event.comment.user.login == github.event.issue.user.login)
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.comment.body }}
`, []string{"association-gate:10"}},
		{"the author alone", `    if: github.event_name == 'issue_comment' && github.event.comment.user.login == github.event.issue.user.login
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.comment.body }}
`, []string{"spoofable-actor:9"}},
		{"members alone", `    if: github.event_name == 'issue_comment' && contains(fromJSON('["MEMBER","OWNER"]'), github.event.comment.author_association)
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.comment.body }}
`, nil},
	} {
		files := map[string][]byte{".github/workflows/a.yml": []byte(head + tc.job)}
		var got []string
		projectOf(files, Settings{}).Audit(func(f Flaw) {
			if f.tier() == penstock.TierHygiene || f.Rule == "template-injection" || f.Rule == "untrusted-code-execution" || f.Rule == "checkout-race" {
				return
			}
			_, n := lineAt(files, f.Place)
			got = append(got, fmt.Sprintf("%s:%d", f.Rule, n))
			if len(f.Trace) < 2 || len(f.Events) == 0 || len(f.Reaches) == 0 {
				t.Errorf("%s: %s", tc.name, showFlaw(files, f))
			}
		})
		slices.Sort(got)
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}
