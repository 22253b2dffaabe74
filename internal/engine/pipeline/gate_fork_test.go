package pipeline

import (
	"strings"
	"testing"
)

// What a step finds out about the repository of the head keeps the code of forks out, or
// does not.
func TestGatesOfHeads(t *testing.T) {
	indent := func(body string) string { return strings.ReplaceAll(body, "\n", "\n          ") }
	shell := func(body string) string { return "      - id: pr\n        run: |\n          " + indent(body) + "\n" }
	code := func(body string) string {
		return "      - id: pr\n        uses: actions/github-script@v7\n        with:\n          script: |\n            " + strings.ReplaceAll(body, "\n", "\n            ") + "\n"
	}
	const (
		closed = "repository stops"
		api    = "PR=$(gh api repos/$GITHUB_REPOSITORY/pulls/$N)\n"
		out    = ` >> "$GITHUB_OUTPUT"`
		get    = "const { data: pr } = await github.rest.pulls.get({ ...context.repo, pull_number: context.issue.number });\n"
	)
	for _, c := range []struct{ name, step, condition, gates string }{
		// outputs of shells
		{"a name", shell(api + `echo "repo=$(jq -r .head.repo.full_name <<< "$PR")"` + out), "@repo == github.repository", closed},
		{"a name, and a text", shell(api + `R=$(jq -r '.head.repo.full_name // empty' <<< "$PR")` + "\necho \"repo=$R\"" + out), "@repo == 'octo/app'", closed},
		{"a name, the other way", shell(api + `R=$(jq -r '.head.repo.full_name' <<< "$PR")` + "\necho \"repo=$R\"" + out), "@repo != github.repository", ""},
		{"another repository", shell(api + `R=$(jq -r '.base.repo.full_name' <<< "$PR")` + "\necho \"repo=$R\"" + out), "@repo == github.repository", ""},
		{"an owner", shell(api + "echo \"who=$(echo \"$PR\" | jq -r .head.repo.owner.login)\"" + out), "@who == github.repository_owner", closed},
		{"the name alone is the fork's as well", shell(api + "echo \"repo=$(echo \"$PR\" | jq -r .head.repo.name)\"" + out), "@repo == 'app'", ""},
		{"a fork", shell(api + "echo \"is_fork=$(jq .head.repo.fork <<< $PR)\"" + out), "@is_fork == 'false'", closed},
		{"a fork, not wanted otherwise", shell(api + "echo \"is_fork=$(jq .head.repo.fork <<< $PR)\"" + out), "@is_fork != 'true'", closed},
		{"a fork that is wanted", shell(api + "echo \"is_fork=$(jq .head.repo.fork <<< $PR)\"" + out), "@is_fork == 'true'", ""},
		{"a text that is never false", shell(api + "echo \"own=$([ 1 = 1 ] && echo false)\"" + out), "@own", ""},
		{"gh, crossing", shell("X=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)\necho \"fork=$X\"" + out), "@fork == 'false'", closed},
		{"an output in capitals", shell("echo \"LOUD=$(gh pr view --json isCrossRepository --jq .isCrossRepository \"$N\" )\"" + out), "@LOUD == 'false'", closed},
		{"gh, crossing, over two lines", shell("X=$(gh pr view $N \\\n  --json isCrossRepository --jq .isCrossRepository)\necho \"fork=$X\"" + out), "@fork != 'true'", closed},
		{"gh, a query that writes the line", shell("gh pr view $N --json isCrossRepository,headRefOid --jq '\"fork=\\(.isCrossRepository)\\nsha=\\(.headRefOid)\"'" + out), "@fork == 'false'", closed},
		{"gh, a name of two", shell("R=$(gh pr view $N --json headRepositoryOwner,headRepository --jq '.headRepositoryOwner.login + \"/\" + .headRepository.name')\necho repo=$R" + out), "@repo == github.repository", closed},
		{"gh, the opposite", shell("X=$(gh pr view $N --json isCrossRepository --jq '.isCrossRepository | not')\necho \"own=$X\"" + out), "@own == 'true'", ""}, // it is not read
		{"two branches", shell(api + "R=$(jq -r .head.repo.full_name <<< \"$PR\")\nif [ \"$R\" = \"$GITHUB_REPOSITORY\" ]; then\n  echo \"own=true\"" + out + "\nelse\n  echo \"own=false\"" + out + "\nfi"), "@own == 'true'", closed},
		{"two branches that let forks in", shell(api + "R=$(jq -r .head.repo.full_name <<< \"$PR\")\nif [ \"$R\" != \"$GITHUB_REPOSITORY\" ]; then\n  echo \"go=true\"" + out + "\nelse\n  echo \"go=false\"" + out + "\nfi"), "@go == 'true'", ""},
		{"two branches, not decided", shell(api + "if [ \"$X\" = \"y\" ]; then\n  echo \"own=true\"" + out + "\nelse\n  echo \"own=false\"" + out + "\nfi"), "@own == 'true'", ""},
		{"a variable", shell(api + "R=$(jq -r .head.repo.full_name <<< \"$PR\")\nFORK=false\nif [ \"$R\" != \"$GITHUB_REPOSITORY\" ]; then\n  FORK=true\nfi\necho \"fork=$FORK\"" + out), "@fork == 'false'", closed},
		{"a variable that stays", shell(api + "R=$(jq -r .head.repo.full_name <<< \"$PR\")\nOWN=false\nif [[ \"$R\" == \"octo/app\" ]]; then\n  OWN=true\nfi\necho \"own=$OWN\"" + out), "@own == 'true'", closed},
		{"a variable of the step", "      - id: pr\n        env: {FORK: \"${{ github.event.pull_request.head.repo.fork }}\"}\n        run: echo \"fork=$FORK\" >> $GITHUB_OUTPUT\n", "@fork == 'false'", closed},
		{"a step that may not run", "      - id: pr\n        if: vars.CHECK == 'true'\n        run: |\n          " + indent(api+"echo \"is_fork=$(jq .head.repo.fork <<< $PR)\""+out) + "\n", "@is_fork != 'true'", ""},
		{"a step that may not run, and must say no", "      - id: pr\n        if: vars.CHECK == 'true'\n        run: |\n          " + indent(api+"echo \"is_fork=$(jq .head.repo.fork <<< $PR)\""+out) + "\n", "@is_fork == 'false'", closed},
		{"a step that may fail", "      - id: pr\n        continue-on-error: true\n        run: |\n          " + indent(api+"echo \"is_fork=$(jq .head.repo.fork <<< $PR)\""+out) + "\n", "@is_fork != 'true'", ""},
		{"by contexts", shell("echo x=y" + out), "needs.ask.outputs.context == 'false'", closed},

		{"what an action fetched", "      - id: pr\n        uses: octokit/request-action@v2.x\n        with: {route: \"GET /repos/o/r/pulls/1\"}\n", "fromJSON(@go).head.repo.full_name == github.repository", closed},
		{"what an action fetched, a fork", "      - id: pr\n        uses: octokit/request-action@v2.x\n        with: {route: \"GET /repos/o/r/pulls/1\"}\n", "(!fromJSON(@go).head.repo.fork)", closed},
		{"what an action fetched, its base", "      - id: pr\n        uses: octokit/request-action@v2.x\n        with: {route: \"GET /repos/o/r/pulls/1\"}\n", "fromJSON(@go).base.repo.full_name == github.repository", ""},
		{"what an action says", "      - id: pr\n        uses: xt0rted/pull-request-comment-branch@v2\n", "steps.pr.outputs.head_owner == github.repository_owner", closed},

		// outputs of JavaScript
		{"JavaScript, a name", code(get + "core.setOutput('repo', pr.head.repo.full_name);"), "@repo == github.repository", closed},
		{"JavaScript, a name that may be missing", code(get + "core.setOutput(\"repo\", pr.head.repo?.full_name)"), "@repo == 'octo/app'", closed},
		{"JavaScript, a fork", code(get + "core.setOutput('fork', pr.head.repo.fork);"), "@fork == 'false'", closed},
		{"JavaScript, a comparison", code(get + "const own = pr.head.repo.full_name === `${context.repo.owner}/${context.repo.repo}`;\ncore.setOutput('own', own);"), "@own == 'true'", closed},
		{"JavaScript, a comparison as text", code(get + "const fork = pr.head.repo.full_name !== pr.base.repo.full_name;\ncore.setOutput('fork', fork ? 'true' : 'false');"), "@fork != 'true'", closed},
		{"JavaScript, a comparison and more", code(get + "core.setOutput('go', pr.head.repo.full_name === context.payload.repository.full_name && pr.state === 'open');"), "@go == 'true'", closed},
		{"JavaScript, a comparison or more", code(get + "core.setOutput('go', pr.head.repo.full_name === context.payload.repository.full_name || pr.state === 'open');"), "@go == 'true'", ""},
		{"JavaScript, its opposite", code(get + "core.setOutput('own', !pr.head.repo.fork);"), "@own == 'true'", closed},
		{"JavaScript, branches", code(get + "if (pr.head.repo.fork) {\n  core.setOutput('go', 'false');\n} else {\n  core.setOutput('go', 'true');\n}"), "@go == 'true'", closed},
		{"JavaScript, branches that let forks in", code(get + "if (pr.head.repo.fork) {\n  core.setOutput('go', 'true');\n} else {\n  core.setOutput('go', 'false');\n}"), "@go == 'true'", ""},
		{"JavaScript that returns", code(get + "if (pr.head.repo.full_name !== 'octo/app') {\n  core.setOutput('go', 'false');\n  return;\n}\ncore.setOutput('go', 'true');"), "@go == 'true'", closed},
		{"JavaScript, set for its own only", code(get + "if (!pr.head.repo.fork) {\n  core.setOutput('go', 'yes');\n}"), "@go == 'yes'", closed},
		{"JavaScript, set for its own only, and asked for no", code(get + "if (!pr.head.repo.fork) {\n  core.setOutput('go', 'no');\n}"), "@go != 'no'", ""},
		{"JavaScript, another question", code(get + "if (pr.draft) {\n  core.setOutput('go', 'false');\n} else {\n  core.setOutput('go', 'true');\n}"), "@go == 'true'", ""},
		{"JavaScript, another repository", code(get + "core.setOutput('repo', pr.base.repo.full_name);"), "@repo == github.repository", ""},
		{"JavaScript, a result", code(get + "return pr.head.repo.fork;"), "@result == 'false'", closed},
		{"GraphQL", code("const r = await github.graphql(query);\ncore.setOutput('fork', r.repository.pullRequest.isCrossRepository);"), "@fork == 'false'", closed},
	} {
		outputs := "    outputs:\n      context: ${{ github.event.pull_request.head.repo.fork }}\n"
		for _, name := range []string{"repo", "who", "is_fork", "fork", "own", "go", "result", "LOUD"} {
			outputs += "      " + name + ": ${{ steps.pr.outputs." + name + " }}\n"
		}
		for _, across := range []bool{false, true} {
			if !across && strings.Contains(c.condition, "needs.") || across && strings.Contains(c.condition, "steps.") {
				continue
			}
			text := "on: [pull_request_target, issue_comment]\njobs:\n  ask:\n    runs-on: ubuntu-latest\n" + outputs + "    steps:\n" + c.step
			if across {
				text += "  job:\n    needs: ask\n    if: " + strings.ReplaceAll(c.condition, "@", "needs.ask.outputs.") + "\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
			} else {
				text += "      - if: " + strings.ReplaceAll(c.condition, "@", "steps.pr.outputs.") + "\n        run: make\n"
			}
			x := testProject(Settings{}, map[string]string{flowFile: text})
			p := x.Pipeline(flowFile, KindWorkflow)
			j := x.jobOf(p, "job")
			if j == nil {
				j = x.jobOf(p, "ask")
			}
			for _, event := range []string{"pull_request_target", "issue_comment"} {
				if event == "issue_comment" && strings.Contains(text, "github.event.pull_request") && strings.Contains(c.condition+c.name, "context") {
					continue
				}
				e := entryOf(t, x, p, event)
				_, gates := x.Reach(p, e, j)
				_, more := x.StepReach(p, e, j, len(j.Steps)-1)
				var got []string
				own := false
				for _, g := range append(gates, more...) {
					if g.Kind == GuardRepository {
						got = gateWords([]Gate{g})
						own = g.ownCode
					}
				}
				want := c.gates
				if event == "issue_comment" && want != "" {
					want = "repository unknown"
				}
				if s := strings.Join(got, "; "); s != want || own != (want == "repository unknown") {
					t.Errorf("%s, %s, across jobs %v: got %q (own %v), want %q", c.name, event, across, s, own, want)
				}
			}
		}
	}
}

// Steps that end for forks, by what they ask for themselves.
func TestEndsForHeads(t *testing.T) {
	shell := func(body string) string {
		return "      - run: |\n          " + strings.ReplaceAll(body, "\n", "\n          ") + "\n"
	}
	code := func(body string) string {
		return "      - uses: actions/github-script@v7\n        with:\n          script: |\n            " + strings.ReplaceAll(body, "\n", "\n            ") + "\n"
	}
	const get = "const { data: pr } = await github.rest.pulls.get({ ...context.repo, pull_number: context.issue.number });\n"
	for _, c := range []struct {
		name, steps string
		ends        bool
	}{
		{"gh, crossing", shell("X=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)\nif [ \"$X\" = \"true\" ]; then\n  echo no\n  exit 1\nfi"), true},
		{"gh, crossing, with no error", shell("X=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)\nif [ \"$X\" = \"true\" ]; then\n  echo no\n  exit 0\nfi"), false},
		{"gh, not crossing", shell("X=$(gh pr view $N --json isCrossRepository --jq .isCrossRepository)\nif [ \"$X\" = \"false\" ]; then\n  exit 1\nfi"), false},
		{"a name that is asked for", shell("HEAD=$(gh api repos/o/r/pulls/$N --jq .head.repo.full_name)\n[ \"$HEAD\" = \"$GITHUB_REPOSITORY\" ] || exit 1"), true},
		{"a name that is asked for, and a pattern", shell("HEAD=$(gh api repos/o/r/pulls/$N --jq .head.repo.full_name)\n[[ \"$HEAD\" == */app ]] || exit 1"), false},
		{"a name of a step before", "      - id: pr\n        run: echo \"repo=$(gh api repos/o/r/pulls/$N --jq .head.repo.full_name)\" >> $GITHUB_OUTPUT\n      - env: {REPO: \"${{ steps.pr.outputs.repo }}\"}\n        run: |\n          if [ \"$REPO\" != \"${{ github.repository }}\" ]; then exit 1; fi\n", true},
		{"JavaScript with a name", code(get + "const fork = pr.head.repo.full_name !== context.payload.repository.full_name;\nif (fork) {\n  core.setFailed('no');\n  return;\n}"), true},
		{"JavaScript with an else", code(get + "if (!pr.head.repo.fork) {\n  core.info('own');\n} else {\n  throw new Error('fork');\n}"), true},
		{"JavaScript that refuses its own", code(get + "if (pr.head.repo.fork) {\n  core.info('fork');\n} else {\n  throw new Error('own');\n}"), false},
		{"JavaScript that refuses forks of some kind", code(get + "if (pr.head.repo.fork && pr.draft) {\n  throw new Error('fork');\n}"), false},
	} {
		x := testProject(Settings{}, map[string]string{flowFile: "on: issue_comment\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n" + c.steps + "      - run: make\n"})
		p := x.Pipeline(flowFile, KindWorkflow)
		_, gates := x.StepReach(p, entryOf(t, x, p, "issue_comment"), &p.Jobs[0], len(p.Jobs[0].Steps)-1)
		own := false
		for _, g := range gates {
			own = own || g.ownCode
		}
		if own != c.ends {
			t.Errorf("%s: ends %v, want %v (%v)", c.name, own, c.ends, gateWords(gates))
		}
	}
}

// Outputs that are made of each other, and scripts of many branches, end soon.
func TestGatesOfHeadsHostile(t *testing.T) {
	var b strings.Builder
	b.WriteString("on: pull_request_target\njobs:\n")
	for i := range 60 {
		n := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		m := string(rune('a'+(i+1)%26)) + strings.Repeat("x", (i+1)%60/26)
		b.WriteString("  " + n + ":\n    needs: [" + m + "]\n    if: needs." + m + ".outputs.o == github.repository || fromJSON(needs." + m + ".outputs.p).head.repo.fork\n    runs-on: x\n    outputs:\n")
		for _, o := range []string{"o", "p", "q"} {
			b.WriteString("      " + o + ": ${{ steps.s.outputs.o }}${{ needs." + m + ".outputs.o }}${{ needs." + m + ".outputs.p }}${{ needs." + m + ".outputs.q }}\n")
		}
		b.WriteString("    steps:\n      - id: s\n        env: {R: \"${{ steps.s.outputs.o }}\"}\n        run: |\n          X=$(jq .head.repo.fork)\n" +
			strings.Repeat("          if [ \"$X\" = true ]; then O=true; else O=false; fi\n", 50) + "          echo \"o=$O\" >> $GITHUB_OUTPUT\n")
	}
	x := testProject(Settings{}, map[string]string{flowFile: b.String()})
	x.Audit(func(Flaw) {})
	if n := len(x.ways.heads); n == 0 || n > 5000 {
		t.Error(n, "outputs were looked at")
	}
	for _, script := range []string{"if (" + strings.Repeat("(", 20000), strings.Repeat("if (pr.head.repo.fork) {", 900), "const a = " + strings.Repeat("!", 5000) + "pr.head.repo.fork", strings.Repeat("const a = b || a ? a : b\n", 900)} {
		newHeadCode(script).output("a")
		endsForForks(script)
	}
}

// The reader of scripts in JavaScript takes what strangers write.
func FuzzHeadCode(f *testing.F) {
	for _, s := range []string{
		"const { data: pr } = await github.rest.pulls.get({ pull_number: n });\nif (pr.head.repo.fork) {\n  core.setFailed('no');\n  return;\n}\ncore.setOutput('o', 'true')",
		"core.setOutput('o', pr.head.repo.full_name === `${context.repo.owner}/x` ? 'a' : 'b')",
		"const own = a && b || c;\nif (own) core.setOutput(\"o\", own); else { throw new Error(`${own}`) }",
		"return pr.head.repo?.full_name\n", "if ((({{{ `${'\\'", "core.setOutput('o', (((",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > maxHeadScript {
			return
		}
		for _, name := range []string{"o", "result"} {
			if v, ok := newHeadCode(script).output(name); ok && !v.Known() && (v.u == nil || !v.u.foreign && v.u.is == "") {
				t.Fatalf("an answer that says nothing: %+v", v)
			}
		}
		if endsForForks(script) && !strings.Contains(script, "head") && !strings.Contains(script, "isCrossRepository") {
			t.Fatal("ends for forks, though it asks for no head")
		}
		javascriptNumber(script, "x")
	})
}
