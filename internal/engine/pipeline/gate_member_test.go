package pipeline

import (
	"strings"
	"testing"
)

// Lists of members, and answers that are asked for by their opposite.
func TestGatesOfMembers(t *testing.T) {
	const yes = "permission stops once"
	list := func(script string) string {
		return "      - run: |\n          " + strings.ReplaceAll(script, "\n", "\n          ") + "\n"
	}
	const team = "      - id: team\n        uses: tspascoal/get-user-teams-membership@v3\n        with: {username: \"${{ github.actor }}\", team: core}\n"
	refuse := func(condition string) string { return "      - if: " + condition + "\n        run: exit 1\n" }
	script := func(body string) string {
		return "      - id: team\n        env: {WHO: \"${{ github.actor }}\"}\n        run: |\n          " + strings.ReplaceAll(body, "\n", "\n          ") + "\n"
	}
	const branches = `if gh api "orgs/octo/members/$WHO"; then
  echo "ok=true" >> "$GITHUB_OUTPUT"
else
  echo "ok=false" >> "$GITHUB_OUTPUT"
fi`
	javascript := func(body string) string {
		return "      - id: team\n        uses: actions/github-script@v7\n        with:\n          script: |\n            " + strings.ReplaceAll(body, "\n", "\n            ") + "\n"
	}
	for _, c := range []struct{ name, steps, gates string }{
		{"a list with jq", list(`if gh api "orgs/$ORG/members" --paginate | jq -e --arg a "$GITHUB_ACTOR" '.[] | select(.login == $a)'; then
  echo yes
else
  exit 1
fi`), yes},
		{"a list with jq, in an array", list(`gh api orgs/octo/members --paginate --jq '[.[].login]' > all
jq -e --arg a "$GITHUB_ACTOR" 'index($a)' all || exit 1`), yes},
		{"a list with grep -x", list(`gh api orgs/octo/teams/core/members --jq '.[].login' | grep -qx "$GITHUB_ACTOR" || exit 1`), yes},
		{"a list with grep -x, in another order", list(`gh api orgs/octo/teams/core/members --jq '.[].login' | grep -Fxq "${GITHUB_ACTOR}" || exit 1`), yes},
		{"a list with grep -w", list(`gh api repos/octo/app/collaborators --jq '.[].login' | grep -qw "$GITHUB_ACTOR" || exit 1`), yes},
		{"a list with curl, as JSON", list(`curl -s "https://api.github.com/orgs/octo/public_members?per_page=100" | grep -q "\"login\": \"$GITHUB_ACTOR\"" || exit 1`), yes},
		{"a part of a name, with grep", list(`gh api orgs/octo/members --jq '.[].login' | grep -q "$GITHUB_ACTOR" || exit 1`), "permission weak once"},
		{"a part of a name, with grep and case", list(`gh api orgs/octo/members --jq '.[].login' | grep -qi $GITHUB_ACTOR || exit 1`), "permission weak once"},
		{"a part of a name, with stars", list(`ALL=$(gh api orgs/octo/members --jq '.[].login')
if [[ "$ALL" != *"$GITHUB_ACTOR"* ]]; then exit 1; fi`), "permission weak once"},
		{"a part of a name, by a pattern", list(`ALL=$(gh api orgs/octo/members --jq '.[].login')
if [[ ! "$ALL" =~ $GITHUB_ACTOR ]]; then exit 1; fi`), "permission weak once"},
		{"a list that nobody is looked for in", list("gh api orgs/octo/members > members.json\nmake || exit 1"), ""},
		{"members of something else", list("curl https://example.com/members | grep -q \"$GITHUB_ACTOR\"\nmake"), ""},
		{"collaborators in JavaScript", javascript("const all = await github.paginate(github.rest.repos.listCollaborators, context.repo);\nif (!all.some(c => c.login === context.actor)) core.setFailed('no');"), yes},

		{"not a member, by an action", team + refuse("steps.team.outputs.isTeamMember == 'false'"), yes},
		{"not a member, the other way", team + refuse("steps.team.outputs.isTeamMember != 'true'"), yes},
		{"a member is refused", team + refuse("steps.team.outputs.isTeamMember == 'true'"), ""},
		{"another output of it", team + refuse("steps.team.outputs.teams == 'false'"), ""},
		{"an action that may not run", strings.Replace(team, "      - id", "      - if: github.event.comment.body != ''\n        id", 1) + refuse("steps.team.outputs.isTeamMember == 'false'"), ""},
		{"an action that may fail", strings.Replace(team, "      - id", "      - continue-on-error: true\n        id", 1) + refuse("steps.team.outputs.isTeamMember == 'false'"), ""},
		{"an action that says nothing of its answers", "      - id: team\n        uses: scherermichael-oss/action-has-permission@v1\n" + refuse("steps.team.outputs.has-permission == 'false'"), ""},
		{"a script with both answers", script(branches) + refuse("steps.team.outputs.ok == 'false'"), yes},
		{"a script with one answer", script("gh api orgs/octo/members/$WHO || echo \"ok=false\" >> $GITHUB_OUTPUT\necho x >> $GITHUB_OUTPUT") + refuse("steps.team.outputs.ok == 'false'"), ""},
		{"a script that leaves before", script("[ -n \"$WHO\" ] || exit 0\n"+branches) + refuse("steps.team.outputs.ok == 'false'"), ""},
		{"a script with a variable", script("OK=false\nif gh api \"orgs/octo/members/$WHO\"; then OK=true; fi\necho \"ok=$OK\" >> \"$GITHUB_OUTPUT\"") + refuse("steps.team.outputs.ok == 'false'"), yes},
		{"JavaScript at its end", javascript("const { data } = await github.rest.repos.getCollaboratorPermissionLevel({ ...context.repo, username: context.actor });\ncore.setOutput('ok', ['admin', 'write'].includes(data.permission));") + refuse("steps.team.outputs.ok == 'false'"), yes},
		{"JavaScript in a branch", javascript("const { data } = await github.rest.repos.getCollaboratorPermissionLevel({ ...context.repo, username: context.actor });\nif (data.user) {\n  core.setOutput('ok', data.permission === 'write');\n}") + refuse("steps.team.outputs.ok == 'false'"), ""},
		{"an answer of a needed job", "needed == 'false'", ""},
		{"an answer of a needed job that is no false", "needed != 'false'", yes},
		{"an answer of a job that may be skipped", "always() && needed != 'false'", ""},
	} {
		job, n := "  job:\n    runs-on: ubuntu-latest\n    steps:\n"+c.steps+"      - run: make deploy\n", -1
		if condition, ok := strings.CutPrefix(c.steps, "needed"); ok || strings.Contains(c.steps, "needed !=") {
			if ok {
				condition = "needed" + condition
			} else {
				condition = c.steps
			}
			job = "  ask:\n    runs-on: ubuntu-latest\n    outputs: {member: \"${{ steps.team.outputs.isTeamMember }}\"}\n    steps:\n" + team +
				"  job:\n    needs: ask\n    if: " + strings.ReplaceAll(condition, "needed", "needs.ask.outputs.member") + "\n    runs-on: ubuntu-latest\n    steps:\n      - run: make deploy\n"
		}
		x := testProject(Settings{}, map[string]string{flowFile: "on: issue_comment\njobs:\n" + job})
		p := x.Pipeline(flowFile, KindWorkflow)
		e, j := entryOf(t, x, p, "issue_comment"), x.jobOf(p, "job")
		n = len(j.Steps) - 1
		_, gates := x.Reach(p, e, j)
		_, more := x.StepReach(p, e, j, n)
		if got := strings.Join(gateWords(append(gates, more...)), "; "); got != c.gates {
			t.Errorf("%s: got %q, want %q", c.name, got, c.gates)
		}
	}
}
