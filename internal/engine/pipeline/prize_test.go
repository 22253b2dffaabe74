package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

// prizeWords are prizes in short, the best first, without those of little weight.
func prizeWords(all []Prize) string {
	var out []string
	for _, q := range all {
		if q.Weight < 50 {
			continue
		}
		word := string(q.Kind) + " " + q.Name
		if q.Step >= 0 {
			word += fmt.Sprint(" @", q.Step)
		}
		if q.Setting {
			word += " ?"
		}
		out = append(out, word)
	}
	return strings.Join(out, "; ")
}

func TestPrizes(t *testing.T) {
	const run = "    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
	for _, c := range []struct {
		name, on, rest string
		settings       Settings
		want           string
	}{
		{"read only", "pull_request_target", "permissions: read-all\njobs:\n  a:\n" + run, Settings{}, ""},
		{"none", "pull_request_target", "permissions: {}\njobs:\n  a:\n" + run, Settings{}, ""},
		{"contents", "pull_request_target", "permissions:\n  contents: write\njobs:\n  a:\n" + run, Settings{}, "write contents"},
		{"of the job", "pull_request_target", "permissions: write-all\njobs:\n  a:\n    permissions:\n      packages: write\n      actions: write\n" + run, Settings{}, "publish packages; dispatch actions"},
		{"merging", "issue_comment", "permissions:\n  contents: write\n  pull-requests: write\njobs:\n  a:\n" + run, Settings{}, "write contents; merge pull-requests; write pull-requests"},
		{"the default, not known", "pull_request_target", "jobs:\n  a:\n" + run, Settings{}, "write contents ?; merge pull-requests ?; publish packages ?; dispatch actions ?; write pages ?"},
		{"the default, reading", "pull_request_target", "jobs:\n  a:\n" + run, Settings{GitHub: GitHubSettings{DefaultToken: AccessRead}}, ""},
		{"the default of a new repository", "pull_request_target", "jobs:\n  a:\n" + run, Settings{GitHub: GitHubSettings{Created: "2025-01-01"}}, ""},
		{"the default of an old repository", "issues", "jobs:\n  a:\n" + run, Settings{GitHub: GitHubSettings{Created: "2020-01-01"}},
			"write contents; merge pull-requests; publish packages; dispatch actions; write pages; write attestations; write deployments; write pull-requests; write checks; write statuses"},
		{"a fork's pull request", "pull_request", "permissions: write-all\njobs:\n  a:\n    env:\n      T: ${{ secrets.TOKEN }}\n" + run, Settings{}, ""},
		{"a fork's pull request with secrets", "pull_request", "permissions: read-all\njobs:\n  a:\n    env:\n      T: ${{ secrets.DEPLOY_KEY }}\n" + run,
			Settings{GitHub: GitHubSettings{Visibility: Private, ForkSecrets: true}}, "secret DEPLOY_KEY"},
		{"secrets", "issue_comment", "permissions: {}\nenv:\n  A: ${{ secrets.NPM_TOKEN }}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n      - run: make\n        env:\n          B: ${{ secrets['SLACK_WEBHOOK'] }}\n          C: ${{ secrets.GITHUB_TOKEN }}\n", Settings{}, "secret NPM_TOKEN; secret SLACK_WEBHOOK @1"},
		{"all secrets", "issue_comment", "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo \"$S\"\n        env:\n          S: ${{ toJSON(secrets) }}\n", Settings{}, "secrets secrets @0"},
		{"a secret that is chosen", "issue_comment", "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n        env:\n          S: ${{ secrets[matrix.name] }}\n", Settings{}, "secrets secrets @0"},
		{"secrets for a called workflow", "issue_comment", "permissions: {}\njobs:\n  a:\n    uses: octo/lib/.github/workflows/x.yml@v1\n    secrets: inherit\n", Settings{}, "secrets secrets"},
		{"a cloud role", "issue_comment", "permissions:\n  id-token: write\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: aws-actions/configure-aws-credentials@v4\n        with:\n          role-to-assume: arn:aws:iam::123456789012:role/deploy\n", Settings{}, "cloud role arn:aws:iam::123456789012:role/deploy @0; identity id-token"},
		{"trusted publishing", "issue_comment", "permissions:\n  id-token: write\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: pypa/gh-action-pypi-publish@release/v1\n", Settings{}, "publish pypa/gh-action-pypi-publish @0; identity id-token"},
		{"a publishing command", "issue_comment", "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: npm publish --dry-run\n      - run: |\n          npm ci\n          npm publish\n", Settings{}, "publish npm publish @1"},
		{"a runner of one's own", "pull_request", "jobs:\n  a:\n    runs-on: [self-hosted, gpu]\n    steps:\n      - run: make\n", Settings{}, "runner self-hosted ?"},
		{"a runner that lives on", "pull_request", "jobs:\n  a:\n    runs-on: [self-hosted, gpu]\n    steps:\n      - run: make\n", Settings{GitHub: GitHubSettings{Runners: map[string]RunnerKind{"gpu": RunnerPersistent}}}, "runner gpu"},
		{"a runner that dies", "pull_request_target", "permissions: {}\njobs:\n  a:\n    runs-on: [self-hosted, gpu]\n    steps:\n      - run: make\n", Settings{GitHub: GitHubSettings{Runners: map[string]RunnerKind{"self-hosted": RunnerEphemeral}}}, ""},
		{"a runner that the stranger names", "pull_request", "jobs:\n  a:\n" + run, Settings{GitHub: GitHubSettings{Runners: map[string]RunnerKind{"gpu": RunnerPersistent}}}, "runner gpu"},
		{"caches, before they were closed", "pull_request_target", "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/cache@v4\n", Settings{AsOf: "2026-06-01"}, "cache default"},
		{"caches, now", "pull_request_target", "permissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/cache@v4\n", Settings{}, ""},
		{"caches, opened again", "pull_request_target", "permissions: {}\ncache-mode: write\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/cache@v4\n", Settings{}, "cache default"},
		{"caches that nobody restores", "pull_request_target", "permissions: {}\ncache-mode: write\njobs:\n  a:\n" + run, Settings{}, ""},
	} {
		x := testProject(c.settings, map[string]string{flowFile: "on: " + c.on + "\n" + c.rest})
		p := x.Pipeline(flowFile, KindWorkflow)
		all := x.Prizes(p, entryOf(t, x, p, c.on), &p.Jobs[0])
		if got := prizeWords(all); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		for _, q := range all {
			if q.Path == "" || q.End <= q.Start || q.Text == "" || q.Row == nil && q.Kind == PrizeWrite {
				t.Errorf("%s: prize without place, text or rule: %+v", c.name, q)
			}
		}
	}
}

// A called workflow has what its caller gives, and no more.
func TestPrizesOfCalledWorkflow(t *testing.T) {
	x := testProject(Settings{}, map[string]string{
		".github/workflows/some.yml":    "on: issue_comment\npermissions:\n  contents: read\n  packages: write\njobs:\n  a:\n    uses: ./.github/workflows/lib.yml\n    secrets:\n      key: ${{ secrets.SIGNING_KEY }}\n      token: ${{ secrets.GITHUB_TOKEN }}\n",
		".github/workflows/inherit.yml": "on: issues\njobs:\n  a:\n    permissions: write-all\n    uses: ./.github/workflows/lib.yml\n    secrets: inherit\n",
		".github/workflows/lib.yml":     "on: workflow_call\njobs:\n  a:\n    runs-on: ubuntu-latest\n    permissions:\n      contents: write\n      packages: write\n    steps:\n      - run: make\n        env:\n          A: ${{ secrets.key }}\n          B: ${{ secrets.other }}\n          C: ${{ secrets.token }}\n",
	})
	lib := x.Pipeline(".github/workflows/lib.yml", KindWorkflow)
	for event, want := range map[string]string{
		"issue_comment": "secret KEY @0; publish packages",
		"issues":        "secret TOKEN @0; secret KEY @0; secret OTHER @0; write contents; publish packages",
	} {
		if got := prizeWords(x.Prizes(lib, entryOf(t, x, lib, event), &lib.Jobs[0])); got != want {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
}
