package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// auditWords are the flaws that the audits of guards find: path:line rule tier.
func auditWords(x *Project, files map[string]string) []string {
	var out []string
	for _, p := range x.Pipelines {
		for _, a := range guardAudits() {
			a(x, p, func(f Flaw) {
				line := strings.Count(files[f.Path][:f.Start], "\n") + 1
				out = append(out, fmt.Sprintf("%s:%d %s %s", strings.TrimPrefix(f.Path, ".github/workflows/"), line, f.Rule, f.Tier))
			})
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// wantedWords are the comments "# want RULE TIER" of the files.
func wantedWords(files map[string]string) []string {
	var out []string
	for name, text := range files {
		for i, line := range strings.Split(text, "\n") {
			_, all, ok := strings.Cut(line, "# want ")
			if !ok {
				continue
			}
			for _, w := range strings.Split(all, ",") {
				out = append(out, fmt.Sprintf("%s:%d %s", strings.TrimPrefix(name, ".github/workflows/"), i+1, strings.TrimSpace(w)))
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestGuardAudits(t *testing.T) {
	for name, c := range map[string]struct {
		settings Settings
		files    map[string]string
	}{
		"bot names that open the door": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions:
  contents: write
  pull-requests: write
jobs:
  merge:
    if: github.actor == 'dependabot[bot]' # want spoofable-actor exploitable
    runs-on: ubuntu-latest
    steps:
      - run: gh pr merge --auto --squash "$URL"
        env:
          URL: ${{ github.event.pull_request.html_url }}
  greet:
    permissions: {}
    if: github.actor == 'dependabot[bot]' # want spoofable-actor hygiene
    runs-on: ubuntu-latest
    steps:
      - run: echo hello
`}},
		"the author's name, and no fork": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions:
  contents: write
  pull-requests: write
jobs:
  merge:
    if: github.event.pull_request.user.login == 'dependabot[bot]'
    runs-on: ubuntu-latest
    steps:
      - run: gh pr merge --auto --squash "$URL"
        env:
          URL: ${{ github.event.pull_request.html_url }}
  own:
    if: github.actor == 'dependabot[bot]' && github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    steps:
      - run: gh pr merge --auto "$URL"
        env:
          URL: ${{ github.event.pull_request.html_url }}
  other:
    runs-on: ubuntu-latest
    permissions: {}
    steps:
      - run: echo hello
`}},
		"a bot's pull request without rights": {files: map[string]string{flowFile: `
on: pull_request
permissions:
  contents: write
  pull-requests: write
jobs:
  merge:
    if: github.actor == 'dependabot[bot]'
    runs-on: ubuntu-latest
    steps:
      - run: gh pr merge --auto --squash "$URL"
        env:
          URL: ${{ github.event.pull_request.html_url }}
`}},
		"a label that stays": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
    types: [opened, synchronize, labeled]
permissions: {}
jobs:
  test:
    if: contains(github.event.pull_request.labels.*.name, 'safe to test') # want label-gate exploitable
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: make test
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"a label that is given for each commit": {files: map[string]string{flowFile: `
on:
  pull_request_target:
    types: [labeled]
permissions: {}
jobs:
  test:
    if: github.event.label.name == 'safe to test'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: make test
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"contributors are not members": {files: map[string]string{flowFile: `
on: issue_comment
permissions: {}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - if: contains(fromJSON('["OWNER", "CONTRIBUTOR"]'), github.event.comment.author_association) # want association-gate exploitable
        run: ./deploy.sh "$BODY"
        env:
          BODY: ${{ github.event.comment.body }}
          KEY: ${{ secrets.DEPLOY_KEY }}
      - if: contains(fromJSON('["OWNER", "MEMBER"]'), github.event.comment.author_association)
        run: ./deploy.sh "$BODY"
        env:
          BODY: ${{ github.event.comment.body }}
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"text around the braces": {files: map[string]string{flowFile: `
on: issue_comment
permissions: {}
jobs:
  deploy:
    if: | # want always-true-condition exploitable
      ${{ github.event.comment.author_association == 'OWNER' }}
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh "$BODY"
        env:
          BODY: ${{ github.event.comment.body }}
          KEY: ${{ secrets.DEPLOY_KEY }}
  build:
    if: ${{ github.event_name == 'push' }} && true # want always-true-condition hygiene
    runs-on: ubuntu-latest
    steps:
      - run: make
  openly:
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: make
`}},
		"a constant beside the guard": {files: map[string]string{flowFile: `
on: issue_comment
permissions: {}
jobs:
  deploy:
    if: github.actor == 'alice' || 'bob' # want always-true-condition exploitable
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh "$BODY"
        env:
          BODY: ${{ github.event.comment.body }}
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"a part of a list": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions: {}
jobs:
  deploy:
    if: contains('release hotfix', github.head_ref) # want spoofable-branch exploitable, unsound-contains exploitable
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.head_ref }}
          repository: ${{ github.event.pull_request.head.repo.full_name }}
      - run: ./deploy.sh
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
`, ".github/workflows/push.yml": `
on: push
jobs:
  build:
    if: contains('refs/heads/main refs/heads/develop', github.ref) # want unsound-contains hygiene
    runs-on: ubuntu-latest
    env:
      LEVEL: ${{ github.ref == 'refs/heads/main' && '' || 'debug' }} # want unsound-ternary hygiene
      KIND: ${{ github.ref == 'refs/heads/main' && 'release' || 'debug' }}
    steps:
      - run: make
`}},
		"a guard that is turned off": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions:
  contents: write
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
        with:
          ref: ${{ github.event.pull_request.head.sha }}
          allow-unsafe-pr-checkout: true # want unsafe-pr-checkout exploitable
      - run: make
  read:
    runs-on: ubuntu-latest
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@v7
        with:
          ref: ${{ github.event.pull_request.head.sha }}
          allow-unsafe-pr-checkout: true # want unsafe-pr-checkout hygiene
      - uses: actions/checkout@v7
        with:
          allow-unsafe-pr-checkout: false
`}},
		"caches that strangers may save": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions: {}
cache-mode: write # want cache-mode-write exploitable
jobs:
  bench:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: refs/pull/${{ github.event.pull_request.number }}/merge
      - uses: actions/cache@v4
      - run: make bench
`}},
		"caches that strangers only read": {files: map[string]string{flowFile: `
on:
  pull_request_target: # want dangerous-trigger hygiene
permissions: {}
cache-mode: read
jobs:
  bench:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache@v4
      - run: make bench
`}},
		"another run ended well": {files: map[string]string{".github/workflows/ci.yml": `
name: CI
on: pull_request
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: make
`, flowFile: `
on:
  workflow_run: # want dangerous-trigger hygiene
    workflows: [CI]
permissions: {}
jobs:
  deploy:
    if: github.event.workflow_run.conclusion == 'success' # want conclusion-only-gate exploitable
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.workflow_run.head_sha }}
      - run: ./deploy.sh
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
  comment:
    if: github.event.workflow_run.conclusion == 'success' # want conclusion-only-gate hygiene
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with:
          run-id: ${{ github.event.workflow_run.id }}
  notify:
    if: github.event.workflow_run.conclusion == 'failure'
    runs-on: ubuntu-latest
    steps:
      - run: ./notify.sh
        env:
          KEY: ${{ secrets.SLACK }}
  guarded:
    if: github.event.workflow_run.conclusion == 'success' && github.event.workflow_run.event == 'push'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.workflow_run.head_sha }}
      - run: ./deploy.sh
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"environments": {
			settings: Settings{GitHub: GitHubSettings{Environments: map[string]EnvironmentSettings{"open": {}, "closed": {Reviewers: true}}}},
			files: map[string]string{flowFile: `
on:
  workflow_dispatch:
    inputs:
      where:
        type: environment
  issue_comment:
permissions: {}
jobs:
  a:
    environment: open # want unprotected-environment exploitable
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh "$BODY"
        env:
          BODY: ${{ github.event.comment.body }}
          KEY: ${{ secrets.DEPLOY_KEY }}
  b:
    environment: closed
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh
  c:
    environment: ${{ inputs.where }} # want dispatch-environment-input hygiene
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh
  d:
    environment: ${{ github.event.comment.body }} # want dispatch-environment-input exploitable
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh
  e:
    if: github.event_name == 'workflow_dispatch'
    environment: open # want unprotected-environment hygiene
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy.sh
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
`}},
		"a review by anyone": {files: map[string]string{flowFile: `
on: pull_request_review
permissions:
  contents: write
  pull-requests: write
jobs:
  merge:
    if: github.event.review.state == 'approved' # want review-gate exploitable
    runs-on: ubuntu-latest
    steps:
      - run: gh pr merge "$N"
        env:
          N: ${{ github.event.pull_request.number }}
`}},
	} {
		x := testProject(c.settings, c.files)
		if diff := cmp.Diff(wantedWords(c.files), auditWords(x, c.files)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A finding above hygiene says who does it, by what, and what is won.
func TestGuardAuditEvidence(t *testing.T) {
	files := map[string]string{flowFile: "on: pull_request_target\npermissions:\n  contents: write\n  pull-requests: write\njobs:\n  a:\n    if: github.actor == 'dependabot[bot]'\n    runs-on: x\n    steps:\n      - run: gh pr merge --auto\n"}
	x := testProject(Settings{}, files)
	var flaws []Flaw
	auditGates(x, x.Pipelines[0], func(f Flaw) { flaws = append(flaws, f) })
	if len(flaws) != 1 {
		t.Fatal(flaws)
	}
	f := flaws[0]
	if f.Actor != ActorAnyone || !slices.Equal(f.Events, []string{"pull_request_target"}) || len(f.Trace) != 2 || f.Trace[0].Row == nil ||
		len(f.Reaches) == 0 || f.Reaches[0] != "write access to contents" || len(f.Related) == 0 || f.Scope != "job a" {
		t.Errorf("%+v", f)
	}
}
