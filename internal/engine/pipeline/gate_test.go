package pipeline

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testProject makes a project of files, by path.
func testProject(settings Settings, files map[string]string) *Project {
	var all []*Pipeline
	for name, text := range files {
		if kind := Detect(name); kind != KindNone {
			all = append(all, parse(name, kind, []byte(text)))
		}
	}
	return newProject("", all, settings, readFunc(func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}))
}

const flowFile = ".github/workflows/example.yml"

// gateWords are gates in short: "actor stops once", "label weak".
func gateWords(gates []Gate) []string {
	var out []string
	for _, g := range gates {
		word := string(g.Kind)
		switch {
		case g.Stops:
			word += " stops"
		case g.Weakness != "":
			word += " weak"
		default:
			word += " unknown"
		}
		if g.Once {
			word += " once"
		}
		out = append(out, word)
	}
	return out
}

// entryOf is the first entry of an event by an outsider.
func entryOf(t *testing.T, x *Project, p *Pipeline, event string) *Entry {
	t.Helper()
	all := x.Entries(p)
	for i := range all {
		if all[i].Event == event && all[i].Outsider() {
			return &all[i]
		}
	}
	t.Fatalf("no outsider causes %s: %v", event, all)
	return nil
}

func TestGatesOfConditions(t *testing.T) {
	const (
		prt     = "pull_request_target:"
		comment = "issue_comment:\n    types: [created]"
		run     = "workflow_run:\n    workflows: [CI]\n    types: [completed]"
		labeled = "pull_request_target:\n    types: [labeled]"
		review  = "pull_request_review:"
	)
	for _, c := range []struct {
		on, condition string
		truth         Truth
		gates         string
	}{
		// nothing that keeps anyone out
		{prt, "true", True, ""},
		{prt, "github.repository == 'octo/app'", Undecided, ""},
		{prt, "github.repository_owner == 'octo'", Undecided, ""},
		{prt, "github.event.pull_request.draft == false", Undecided, ""},
		{prt, "github.actor != 'dependabot[bot]'", Undecided, ""},
		{prt, "github.event.sender.type != 'Bot'", Undecided, ""},
		{prt, "github.base_ref == 'main'", Undecided, ""},
		{prt, "!contains(github.event.pull_request.labels.*.name, 'skip-ci')", Undecided, ""},
		{prt, "github.event.pull_request.head.repo.full_name != github.repository", True, ""},
		{prt, "github.event.pull_request.head.repo.fork", True, ""},
		{prt, "vars.ENABLED == 'true'", Undecided, ""},
		{comment, "github.event.issue.pull_request && github.event.comment.body == '/test'", Undecided, ""},
		{comment, "startsWith(github.event.comment.body, '/deploy')", Undecided, ""},
		{comment, "github.event.issue.user.login == github.event.comment.user.login", Undecided, "actor weak"},

		// forks
		{prt, "github.event.pull_request.head.repo.full_name == github.repository", False, "repository stops"},
		{prt, "!github.event.pull_request.head.repo.fork", False, "repository stops"},
		{prt, "github.event.pull_request.head.repo.id == github.repository_id", Undecided, "repository stops"},
		{prt, "github.event.pull_request.head.repo.owner.login == 'octo'", False, "repository stops"},
		{run, "github.event.workflow_run.head_repository.full_name == github.repository", False, "repository stops"},
		{run, "github.event.workflow_run.event == 'push'", False, "event stops"},
		{run, "github.event.workflow_run.pull_requests[0] != null", False, "repository stops"},
		{run, "github.event.workflow_run.conclusion == 'success'", Undecided, "event weak"},
		{run, "github.event.workflow_run.head_branch == 'main'", Undecided, "ref weak"},
		{run, "github.event.workflow_run.name == 'CI'", True, ""},
		{run, "github.event.workflow_run.name == 'Other'", False, "event stops"},
		{prt, "startsWith(github.head_ref, 'release/')", Undecided, "ref weak"},
		{prt, "github.ref == 'refs/heads/main'", Undecided, ""},

		// actors
		{prt, "github.actor == 'dependabot[bot]'", Undecided, "actor weak"},
		{prt, "endsWith(github.actor, '[bot]')", Undecided, "actor weak"},
		{prt, "github.actor_id == '49699333'", Undecided, "actor weak"},
		{prt, "github.actor_id == '1234567'", Undecided, "actor stops"},
		{prt, "github.triggering_actor == 'renovate[bot]'", Undecided, "actor weak"},
		{prt, "github.event.pull_request.user.login == 'dependabot[bot]'", False, "actor stops"},
		{prt, "github.actor == 'alice'", False, "actor stops"},
		{prt, "contains(fromJSON('[\"alice\", \"bob\"]'), github.actor)", False, "actor stops"},
		{prt, "contains('alice,bob', github.actor)", Undecided, "actor weak"},
		{prt, "github.actor == github.repository_owner", False, "actor stops"},
		{prt, "github.event.sender.login == vars.MAINTAINER", Undecided, "actor stops"},
		{comment, "github.event.comment.user.login == 'alice'", False, "actor stops"},
		{comment, "github.event.issue.user.login == 'dependabot[bot]'", Undecided, "actor weak"},
		{comment, "github.actor == 'alice'", False, "actor stops once"},
		{run, "github.event.workflow_run.actor.login == 'dependabot[bot]'", Undecided, "actor weak"},
		{run, "github.event.workflow_run.head_commit.author.name == 'release-bot'", Undecided, "actor weak"},

		// associations
		{prt, "github.event.pull_request.author_association == 'MEMBER'", False, "association stops"},
		{prt, "contains(fromJSON('[\"OWNER\", \"MEMBER\"]'), github.event.pull_request.author_association)", False, "association stops"},
		{prt, "contains(fromJSON('[\"OWNER\", \"CONTRIBUTOR\"]'), github.event.pull_request.author_association)", Undecided, "association weak"},
		{comment, "github.event.comment.author_association == 'COLLABORATOR'", False, "association stops once"},
		{comment, "github.event.comment.author_association != 'NONE'", Undecided, "association weak"},
		{comment, "github.event.issue.author_association == 'MEMBER'", Undecided, "association weak"},
		{comment, "contains('OWNER MEMBER', github.event.comment.author_association)", False, "association stops once"},

		// labels
		{prt, "contains(github.event.pull_request.labels.*.name, 'safe to test')", Undecided, "label weak once"},
		{prt, "github.event.label.name == 'safe to test'", False, "label stops"},
		{labeled, "github.event.label.name == 'safe to test'", Undecided, "label stops once; label stops once"},
		{labeled, "contains(github.event.pull_request.labels.*.name, 'safe to test')", Undecided, "label stops once; label stops once"},
		{"pull_request_target:\n    types: [opened]", "contains(github.event.pull_request.labels.*.name, 'ok')", Undecided, "label stops"},
		{"issues:\n    types: [opened]", "contains(github.event.issue.labels.*.name, 'ask-bot')", Undecided, "label weak once"},

		// approvals and merges
		{"pull_request_target:\n    types: [closed]", "github.event.pull_request.merged == true", Undecided, "approval stops"},
		{"pull_request_target:\n    types: [opened, closed]", "github.event.action == 'closed' && github.event.pull_request.merged", Undecided, "approval stops"},
		{prt, "github.event.pull_request.merged", False, "approval stops"},
		{review, "github.event.review.state == 'approved'", Undecided, "approval weak"},
		{prt, "github.event.pull_request.milestone.title == 'next'", Undecided, "approval stops once"},

		// alternatives: the easiest counts
		{prt, "github.actor == 'alice' || github.event_name == 'push'", False, "actor stops"},
		{prt, "github.event_name == 'push' || github.event.pull_request.author_association == 'CONTRIBUTOR'", Undecided, "association weak"},
		{prt, "github.event.pull_request.author_association == 'OWNER' || contains(github.event.pull_request.labels.*.name, 'ok')", Undecided, "label weak once"},
		{prt, "github.event.pull_request.author_association == 'OWNER' || vars.OPEN == 'true'", Undecided, "other unknown"},
		{prt, "github.actor == 'alice' || github.event.pull_request.title != ''", Undecided, ""},
		{prt, "!(github.actor == 'alice' && github.event.pull_request.title != '')", True, ""},
		{prt, "!(github.event.pull_request.head.repo.fork || github.actor == 'dependabot[bot]')", False, "repository stops"},
		{prt, "(github.event.pull_request.head.repo.fork == false) == true", False, "repository stops"},

		// text around the braces makes it true
		{prt, "|\n      ${{ github.event.pull_request.head.repo.fork == false }}", True, ""},
		{prt, "github.event.pull_request.head.repo.fork == ", Undecided, ""},
	} {
		event, _, _ := strings.Cut(c.on, ":")
		files := map[string]string{
			flowFile: "on:\n  " + c.on + "\njobs:\n  job:\n    if: " + quoteIf(c.condition) + "\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n",
		}
		if event == "workflow_run" {
			files[".github/workflows/ci.yml"] = "name: CI\non: pull_request\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
		}
		x := testProject(Settings{}, files)
		p := x.Pipeline(flowFile, KindWorkflow)
		truth, gates := x.Reach(p, entryOf(t, x, p, event), &p.Jobs[0])
		if got := strings.Join(gateWords(gates), "; "); truth != c.truth || got != c.gates {
			t.Errorf("%s, if: %s\n got %v %q\nwant %v %q", event, c.condition, truth, got, c.truth, c.gates)
		}
		for _, g := range gates {
			if g.End <= g.Start || g.Path != flowFile || g.Text == "" {
				t.Errorf("%s, if: %s: gate without place or text: %+v", event, c.condition, g)
			}
		}
	}
}

func quoteIf(condition string) string {
	if strings.HasPrefix(condition, "|") {
		return condition
	}
	return `"${{ ` + strings.ReplaceAll(condition, `"`, `\"`) + ` }}"`
}

func TestGatesOfSteps(t *testing.T) {
	const after = "      - run: make deploy\n"
	for _, c := range []struct {
		name, on, steps string
		truth           Truth
		gates           string
	}{
		{"nothing", "pull_request_target", "      - run: make\n", True, ""},
		{"collaborator permission in JavaScript", "issue_comment", `      - uses: actions/github-script@v7
        with:
          script: |
            const { data } = await github.rest.repos.getCollaboratorPermissionLevel({ ...context.repo, username: context.actor });
            if (!['admin', 'write'].includes(data.permission)) core.setFailed('no');
`, True, "permission stops once"},
		{"collaborator permission with gh", "pull_request_target", `      - run: |
          level=$(gh api repos/$GITHUB_REPOSITORY/collaborators/$GITHUB_ACTOR/permission --jq .permission)
          if [[ "$level" != "admin" && "$level" != "write" ]]; then exit 1; fi
`, True, "permission stops"},
		{"a test at the end", "issue_comment", `      - run: |
          level=$(gh api "repos/$GITHUB_REPOSITORY/collaborators/$WHO/permission" --jq .permission)
          [ "$level" = write ] || [ "$level" = admin ]
`, True, "permission stops once"},
		{"permission read is everyone's", "pull_request_target", `      - run: |
          level=$(gh api repos/$GITHUB_REPOSITORY/collaborators/$GITHUB_ACTOR/permission --jq .permission)
          if [[ "$level" != "read" ]]; then exit 1; fi
`, True, "permission weak"},
		{"membership that fails by itself", "issue_comment", "      - run: gh api orgs/octo/members/$GITHUB_ACTOR\n", True, "permission stops once"},
		{"a failure that is ignored", "issue_comment", "      - run: gh api orgs/octo/members/$GITHUB_ACTOR\n        continue-on-error: true\n", True, ""},
		{"an action that checks", "pull_request_target", "      - uses: prince-chrismc/check-actor-permissions-action@v3\n        with:\n          permission: write\n", True, "permission stops"},
		{"exit for strangers", "issue_comment", "      - if: github.event.comment.author_association != 'MEMBER'\n        run: exit 1\n", False, "association stops once"},
		{"exit for those who are not contributors", "issue_comment", "      - if: github.event.comment.author_association == 'NONE'\n        run: |\n          echo no\n          exit 1\n", Undecided, "association weak"},
		{"exit for forks", "pull_request_target", "      - if: github.event.pull_request.head.repo.fork\n        run: exit 1\n", False, "repository stops"},
		{"an unrelated failure", "pull_request_target", "      - run: |\n          make || exit 1\n", True, ""},
		{"exit for the wrong title", "pull_request_target", "      - if: github.event.pull_request.title == ''\n        run: exit 1\n", True, ""},
		{"association that an action looks up", "issue_comment", "      - id: who\n        uses: octo/get-association@v1\n      - if: contains(fromJSON('[\"MEMBER\"]'), steps.who.outputs.author_association) != true\n        run: exit 1\n", Undecided, "association stops once"},
		{"a repository that is compared", "pull_request_target", `      - run: |
          if [ "${{ github.event.pull_request.head.repo.full_name }}" != "${{ github.repository }}" ]; then exit 1; fi
`, False, "repository stops"},
		{"a repository by variables", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          [[ "$HEAD" == "$GITHUB_REPOSITORY" ]] || { echo no; exit 1; }
`, False, "repository stops"},
		{"a repository, with an end that is none", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          if [ "$HEAD" != "$GITHUB_REPOSITORY" ]; then echo fork; exit 0; fi
`, True, ""},
		{"a repository, and something else", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          if [ "$HEAD" != "$GITHUB_REPOSITORY" ] && [ "$X" = y ]; then exit 1; fi
`, True, ""},
		{"own pull requests are refused", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          if [ "$HEAD" = "$GITHUB_REPOSITORY" ]; then exit 1; fi
`, True, ""},
		{"a repository in JavaScript", "pull_request_target", `      - uses: actions/github-script@v7
        with:
          script: |
            const pull = context.payload.pull_request;
            if (pull.head.repo.full_name !== "octo/app") {
              core.setFailed('no');
              return;
            }
`, False, "repository stops"},
		{"a repository in JavaScript that is said", "pull_request_target", `      - uses: actions/github-script@v7
        with:
          script: |
            const pull = context.payload.pull_request;
            if (pull.head.repo.full_name !== "octo/app") {
              core.info('a fork');
            }
            if (!pull) throw new Error('none');
`, True, ""},
		{"an exit in a block of PowerShell", "pull_request_target", `      - shell: pwsh
        run: |
          $paths = @(
            "a=b"
          )
          if (-not $paths) {
            exit 1
          } else {
            $h = @{ a = 1 }
          }
          foreach ($p in $paths) {
            exit 1
          }
`, True, ""},
		{"an exit of PowerShell, without blanks", "pull_request_target", "      - shell: pwsh\n        run: |\n          if(!$x) {\n            exit 1\n          }\n", True, ""},
		{"a repository in PowerShell", "pull_request_target", `      - shell: pwsh
        env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          if ($env:HEAD -ne $env:GITHUB_REPOSITORY)
          {
            throw "a fork"
          }
`, False, "repository stops"},
		{"a repository in PowerShell, on one line", "pull_request_target", `      - shell: pwsh
        run: |
          if ('${{ github.event.pull_request.head.repo.full_name }}' -eq '${{ github.repository }}') { echo own } else { exit 1 }
`, False, "repository stops"},
		{"a repository in PowerShell that is allowed", "pull_request_target", `      - shell: pwsh
        env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          if ($env:HEAD -ne $env:GITHUB_REPOSITORY) {
            echo "a fork"
          }
          else {
            exit 1
          }
`, True, ""},
		{"a function of Python that returns", "pull_request_target", "      - shell: python\n        run: |\n          def f(x=1):\n            return 1\n          f()\n", True, ""},
		{"an exit in braces of several lines", "pull_request_target", `      - run: |
          x="$(cat version)"
          [[ "${x}" =~ ^[0-9a-f]{7,40}$ ]] || {
            echo no
            exit 1
          }
          { echo "x=$x"; } >> "$GITHUB_OUTPUT"
          make || { echo "${x}"
            exit 1; }
          make || { echo ${x}; exit 1; }
          make || (
            exit 1
          )
`, True, ""},
		{"a repository, with braces of several lines", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          {
            echo "x=1"
          } >> "$GITHUB_OUTPUT"
          [[ "$HEAD" == "$GITHUB_REPOSITORY" ]] || {
            echo no
            exit 1
          }
`, False, "repository stops"},
		{"a repository, with braces for its own", "pull_request_target", `      - env:
          HEAD: ${{ github.event.pull_request.head.repo.full_name }}
        run: |
          [[ "$HEAD" == "$GITHUB_REPOSITORY" ]] && {
            exit 1
          }
`, True, ""},
		{"a permission, or the author", "issue_comment", `      - env:
          WHO: ${{ github.event.comment.user.login }}
          AUTHOR: ${{ github.event.issue.user.login }}
        run: |
          if [ "$WHO" = "$AUTHOR" ]; then
            exit 0
          fi
          gh api "repos/$GITHUB_REPOSITORY/collaborators/$WHO/permission" --jq .permission | grep -E 'admin|write' || exit 1
`, True, "permission weak once"},
		{"a permission, and not the author", "issue_comment", `      - env:
          WHO: ${{ github.event.comment.user.login }}
          AUTHOR: ${{ github.event.issue.user.login }}
        run: |
          if [ "$WHO" = "$AUTHOR" ]; then
            exit 1
          fi
          gh api "repos/$GITHUB_REPOSITORY/collaborators/$WHO/permission" --jq .permission | grep -E 'admin|write' || exit 1
`, True, "permission stops once"},
		{"association in a script", "issue_comment", `      - env:
          WHO: ${{ github.event.comment.author_association }}
        run: |
          case "$WHO" in OWNER|MEMBER) ;; *) exit 1 ;; esac
`, True, "association stops once"},
	} {
		files := map[string]string{flowFile: "on: " + c.on + "\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n" + c.steps + after}
		x := testProject(Settings{}, files)
		p := x.Pipeline(flowFile, KindWorkflow)
		truth, gates := x.StepReach(p, entryOf(t, x, p, c.on), &p.Jobs[0], len(p.Jobs[0].Steps)-1)
		if got := strings.Join(gateWords(gates), "; "); truth != c.truth || got != c.gates {
			t.Errorf("%s: got %v %q, want %v %q", c.name, truth, got, c.truth, c.gates)
		}
	}
}

func TestGatesOfNeeds(t *testing.T) {
	const checking = `
  check:
    runs-on: ubuntu-latest
    outputs:
      ok: ${{ steps.check.outputs.permitted }}
      changed: ${{ steps.filter.outputs.changed }}
    steps:
      - id: check
        uses: actions-cool/check-user-permission@v2
        with:
          require: write
      - id: filter
        run: echo "changed=true" >> "$GITHUB_OUTPUT"
  both:
    runs-on: ubuntu-latest
    outputs:
      number: ${{ steps.who.outputs.number }}
      allowed: ${{ steps.who.outputs.allowed }}
    steps:
      - id: who
        uses: actions/github-script@v7
        with:
          script: |
            const { data } = await github.rest.repos.getCollaboratorPermissionLevel({ ...context.repo, username: context.actor });
            core.setOutput('allowed', data.permission === 'write');
            core.setOutput('number', context.issue.number);
  members:
    if: github.event.comment.author_association == 'MEMBER'
    runs-on: ubuntu-latest
    steps:
      - run: make
  strict:
    runs-on: ubuntu-latest
    steps:
      - run: gh api orgs/octo/members/$GITHUB_ACTOR
  reviewed:
    environment: approval
    runs-on: ubuntu-latest
    steps:
      - run: echo approved
  compared:
    needs: reviewed
    if: always()
    runs-on: ubuntu-latest
    steps:
      - env:
          RESULT: ${{ needs.reviewed.result }}
        run: |
          if [ "${RESULT}" != "success" ] && [ "${RESULT}" != "skipped" ]; then
            exit 1
          fi
  lenient:
    needs: members
    if: always()
    runs-on: ubuntu-latest
    steps:
      - env:
          RESULT: ${{ needs.members.result }}
        run: test "$RESULT" = success || exit 1
  elsewhere:
    uses: octo/shared/.github/workflows/check-run.yml@main
  lint:
    uses: octo/shared/.github/workflows/check-format.yml@main
  listed:
    runs-on: ubuntu-latest
    outputs:
      next: ${{ steps.who.outputs.next }}
    steps:
      - id: who
        uses: actions/github-script@v7
        with:
          script: |
            const list = require('fs').readFileSync('people', 'utf8').split('\\n');
            let next = '';
            if (list.includes(context.payload.comment.user.login)) next = 'go';
            core.setOutput('next', next);
`
	for _, c := range []struct {
		name, job string
		truth     Truth
		gates     string
	}{
		{"an output of the check", "needs: check\n    if: needs.check.outputs.ok == 'true'", Undecided, "permission stops once"},
		{"an output for those who fail it", "needs: check\n    if: needs.check.outputs.ok != 'true'", Undecided, ""},
		{"another output", "needs: check\n    if: needs.check.outputs.changed == 'true'", Undecided, ""},
		{"the answer, of two outputs", "needs: both\n    if: needs.both.outputs.allowed == 'true'", Undecided, "permission stops once"},
		{"the other of the two", "needs: both\n    if: needs.both.outputs.number != ''", Undecided, ""},
		{"the check alone is no gate", "needs: check", True, ""},
		{"a job for members", "needs: members", False, "association stops once"},
		{"a job for members, always", "needs: members\n    if: always()", True, ""},
		{"a job for members, unless cancelled", "needs: members\n    if: ${{ !cancelled() }}", Undecided, ""},
		{"always, and the result", "needs: members\n    if: always() && needs.members.result == 'success'", False, "association stops once"},
		{"always, and a failure", "needs: members\n    if: always() && needs.members.result == 'failure'", False, "association stops once"},
		{"always, and not skipped", "needs: members\n    if: always() && needs.members.result != 'skipped'", False, "association stops once"},
		{"always, and no failure", "needs: members\n    if: always() && needs.members.result != 'failure'", Undecided, ""},
		{"always, and one of two", "needs: [members, check]\n    if: always() && (needs.members.result == 'success' || needs.check.result == 'success')", Undecided, ""},
		{"failure of a job that fails for others", "needs: strict\n    if: failure()", Undecided, ""},
		{"a job that fails for others", "needs: strict", True, "permission stops once"},
		{"a job that fails, in a list", "needs: [check, strict]", True, "permission stops once"},
		{"an environment of a needed job", "needs: reviewed", True, "environment stops once"},
		{"an environment, by its result in a script", "needs: compared", True, "environment stops once"},
		{"a job for members, by its result in a script", "needs: lenient", False, "association stops once"},
		{"a workflow elsewhere that checks", "needs: elsewhere", Undecided, "other unknown"},
		{"a workflow elsewhere that lints", "needs: lint", True, ""},
		{"a list in a file", "needs: listed\n    if: needs.listed.outputs.next == 'go'", Undecided, "actor unknown once"},
		{"a job that is not there", "needs: nothing", True, ""},
		{"itself", "needs: job", True, ""},
	} {
		files := map[string]string{flowFile: "on: issue_comment\njobs:" + checking + "  job:\n    " + c.job + "\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"}
		settings := Settings{GitHub: GitHubSettings{Environments: map[string]EnvironmentSettings{"approval": {Reviewers: true}}}}
		x := testProject(settings, files)
		p := x.Pipeline(flowFile, KindWorkflow)
		truth, gates := x.Reach(p, entryOf(t, x, p, "issue_comment"), x.jobOf(p, "job"))
		if got := strings.Join(gateWords(gates), "; "); truth != c.truth || got != c.gates {
			t.Errorf("%s: got %v %q, want %v %q", c.name, truth, got, c.truth, c.gates)
		}
	}
}

// Large files with many jobs, needs, steps and conditions end soon.
func TestGatesLarge(t *testing.T) {
	var needs, steps, jobs strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&needs, "j%d, ", i)
		fmt.Fprintf(&steps, "      - id: s%d\n        if: steps.s%d.outputs.x == 'a' || github.actor == 'a'\n        run: exit 1\n", i, max(i-1, 0))
		fmt.Fprintf(&jobs, "  j%d: {runs-on: x, needs: [j%d, j%d, z], if: needs.j%d.result == 'success'}\n", i, (i+1)%2000, (i*7)%2000, (i+3)%2000)
	}
	long := "github.actor == 'a'" + strings.Repeat(" && github.actor == 'a'", 700)
	x := testProject(Settings{}, map[string]string{flowFile: "on: [pull_request_target, issue_comment, issues, push, discussion]\njobs:\n  z:\n    if: " + long + "\n    runs-on: x\n    needs: [" + needs.String() + "]\n    steps:\n" + steps.String() + jobs.String()})
	x.Audit(func(Flaw) {})
	if x.ways.work > maxAllWork+maxGateWork {
		t.Error("more work than is allowed:", x.ways.work)
	}
}

// Needs that loop, and conditions that ask for each other, end.
func TestGatesHostile(t *testing.T) {
	var b strings.Builder
	b.WriteString("on: pull_request_target\njobs:\n")
	for i := range 200 {
		fmt.Fprintf(&b, "  j%d:\n    needs: [j%d, j%d, j0]\n    if: needs.j%d.result == 'success' && needs.j%d.outputs.a == 'x' || needs.j%d.outputs.b == 'y'\n    runs-on: x\n    outputs:\n      a: ${{ steps.s.outputs.a }}\n    steps:\n      - id: s\n        if: steps.s.outputs.a == '1' || github.actor == 'a'\n        run: exit 1\n",
			i, i+1, (i+2)%200, i+1, i+2, (i+3)%200)
	}
	x := testProject(Settings{}, map[string]string{flowFile: b.String(), ".github/workflows/loop.yml": "on: workflow_call\njobs:\n  a:\n    uses: ./.github/workflows/loop.yml\n  b:\n    uses: ./.github/workflows/other.yml\n",
		".github/workflows/other.yml": "name: O\non:\n  workflow_call:\n  workflow_run:\n    workflows: [O]\njobs:\n  a:\n    uses: ./.github/workflows/loop.yml\n"})
	for _, p := range x.Pipelines {
		for _, e := range x.Entries(p) {
			for i := range p.Jobs {
				x.Reach(p, &e, &p.Jobs[i])
				x.Prizes(p, &e, &p.Jobs[i])
				for n := -1; n <= len(p.Jobs[i].Steps); n++ {
					x.StepReach(p, &e, &p.Jobs[i], n)
				}
			}
		}
	}
}

func TestEnvironmentGate(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings EnvironmentSettings
		known    bool
		on       string
		asOf     Date
		want     string
	}{
		{"unknown", EnvironmentSettings{}, false, "pull_request_target", "", "environment weak once"},
		{"unprotected", EnvironmentSettings{}, true, "pull_request_target", "", ""},
		{"reviewers", EnvironmentSettings{Reviewers: true}, true, "pull_request_target", "", "environment stops once"},
		{"the default branch, on which the run is", EnvironmentSettings{Branches: []string{"main"}}, true, "pull_request_target", "", ""},
		{"another branch", EnvironmentSettings{Branches: []string{"release"}}, true, "pull_request_target", "", "environment stops"},
		{"the head, whose name is free, in old times", EnvironmentSettings{Branches: []string{"main"}}, true, "pull_request_target", "2025-06-01", "environment weak"},
	} {
		settings := Settings{AsOf: c.asOf}
		if c.known {
			settings.GitHub.Environments = map[string]EnvironmentSettings{"Prod": c.settings}
		}
		x := testProject(settings, map[string]string{flowFile: "on: " + c.on + "\njobs:\n  job:\n    environment: prod\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"})
		p := x.Pipeline(flowFile, KindWorkflow)
		_, gates := x.Reach(p, entryOf(t, x, p, c.on), &p.Jobs[0])
		if got := strings.Join(gateWords(gates), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A label holds where a step before ends the job when the code changes.
func TestLabelThatEndsOnChange(t *testing.T) {
	const head = "on:\n  pull_request_target:\n    types: [opened, synchronize, labeled]\nenv:\n  LABEL: safe\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n"
	const asks = "      - if: ${{ !contains(github.event.pull_request.labels.*.name, env.LABEL) }}\n        run: exit 1\n"
	for _, c := range []struct{ steps, want string }{
		{asks, "label weak once"},
		{"      - if: github.event.action == 'synchronize' && contains(github.event.pull_request.labels.*.name, env.LABEL)\n        run: |\n          gh pr edit $N --remove-label safe\n          exit 1\n" + asks, "label stops once"},
		{"      - if: github.event.action != 'synchronize'\n        run: exit 1\n" + asks, "label weak once"},
		{"      - if: github.event.action == 'synchronize'\n        run: gh pr edit $N --remove-label safe\n" + asks, "label weak once"},
	} {
		x := testProject(Settings{}, map[string]string{flowFile: head + c.steps + "      - run: make\n"})
		p := x.Pipeline(flowFile, KindWorkflow)
		_, gates := x.StepReach(p, entryOf(t, x, p, "pull_request_target"), &p.Jobs[0], len(p.Jobs[0].Steps)-1)
		if got := gateWords(gates); len(got) == 0 || got[len(got)-1] != c.want || !strings.Contains(gates[len(gates)-1].Text, "safe") {
			t.Errorf("%s: got %q", c.steps, got)
		}
	}
}

// An environment of which no settings are known is judged by its name.
func TestEnvironmentOfUnknownProtection(t *testing.T) {
	for _, c := range []struct{ name, job, want string }{
		{"production", "job", "environment weak once"},
		{"github-pages", "job", "environment weak once"},
		{"preview", "job", "environment weak once"}, // no review
		{"Production", "review", "environment weak once"},
		{"release-approval", "job", "environment stops once"},
		{"eval-gate", "job", "environment stops once"},
		{"externalContributors", "job", "environment stops once"},
		{"ci", "authorize", "environment stops once"},
		{"gateway", "job", "environment unknown once"},
		{"databases", "job", "environment unknown once"},
	} {
		text := "on: pull_request_target\njobs:\n  " + c.job + ":\n    environment: " + c.name + "\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
		x := testProject(Settings{}, map[string]string{flowFile: text})
		p := x.Pipeline(flowFile, KindWorkflow)
		_, gates := x.Reach(p, entryOf(t, x, p, "pull_request_target"), &p.Jobs[0])
		if got := strings.Join(gateWords(gates), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		x = testProject(Settings{GitHub: GitHubSettings{DefaultBranch: "main"}}, map[string]string{flowFile: text})
		p = x.Pipeline(flowFile, KindWorkflow)
		_, gates = x.Reach(p, entryOf(t, x, p, "pull_request_target"), &p.Jobs[0])
		if got := strings.Join(gateWords(gates), "; "); got != "environment weak once" {
			t.Errorf("%s, where settings are known: got %q", c.name, got)
		}
	}
}

func TestLabelerGivesLabel(t *testing.T) {
	x := testProject(Settings{}, map[string]string{
		flowFile:              "on:\n  pull_request_target:\n    types: [labeled]\njobs:\n  job:\n    if: contains(github.event.pull_request.labels.*.name, 'ci')\n    runs-on: x\n    steps:\n      - run: make\n",
		".github/labeler.yml": "ci:\n  - changed-files:\n      - any-glob-to-any-file: ci/**\n",
	})
	p := x.Pipeline(flowFile, KindWorkflow)
	_, gates := x.Reach(p, entryOf(t, x, p, "pull_request_target"), &p.Jobs[0])
	if diff := cmp.Diff([]string{"label stops once", "label weak once"}, gateWords(gates)); diff != "" {
		t.Error(diff)
	}
	if slices.ContainsFunc(gates, func(g Gate) bool { return g.Kind != GuardLabel }) {
		t.Error(gates)
	}
}
