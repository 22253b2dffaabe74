package pipeline

import (
	"regexp"
	"slices"
	"strings"
)

// check is what a step finds out about who is there.
type check struct {
	kind GuardKind // empty for a step that checks nobody
	// stops: people without rights do not pass it.
	stops          bool
	text, weakness string
	// ends: the step fails, and so ends the job, for those that do not pass.
	ends bool
	// always: the step fails for everyone that gets to it.
	always bool
}

// gate is the check as a gate of a way.
func (c check) gate(p *Pipeline, e *Entry, s *Step) Gate {
	return Gate{Place: stepPlace(p, s), Kind: c.kind, Text: c.text, Stops: c.stops, Weakness: c.weakness, Once: e.changing()}
}

// answerWords are in the names of outputs that say whether someone may do something.
var answerWords = []string{"perm", "allow", "auth", "member", "trust", "maintain", "write", "admin", "ok", "is_", "is-", "can", "valid", "check", "safe", "pass", "collab", "approv", "team", "role", "access", "result", "eligib", "continue", "proceed", "run", "skip", "external", "internal", "fork", "contributor", "user"}

// tells reports whether an output of the step holds the answer: a script that has
// several says with the others something else.
func (c check) tells(s *Step, output string) bool {
	script := s.Run.Value
	if !s.Run.IsSet() {
		script = s.With.Get("script").Text.Value
	}
	if strings.Count(script, "setOutput(")+strings.Count(script, "GITHUB_OUTPUT") < 2 {
		return true
	}
	return hasAny(strings.ToLower(output), answerWords...)
}

// checkAction is an action that checks who is there.
type checkAction struct {
	kind GuardKind
	ends bool
	// unless is an input that, when it has one of the values, makes it no check; asks
	// one without which it checks nothing.
	asks, unless string
	text         string
	// answers is an output that is always true or false.
	answers string
}

// checkActions are actions that check people, by owner/repo, as their documentation
// says what they do.
var checkActions = map[string]checkAction{
	"actions-cool/check-user-permission":                    {kind: GuardPermission, text: "the actor's permission is asked for", answers: "require-result"},
	"prince-chrismc/check-actor-permissions-action":         {kind: GuardPermission, ends: true, text: "only for actors with a permission"},
	"lannonbr/repo-permission-check-action":                 {kind: GuardPermission, ends: true, text: "only for actors with a permission"},
	"skjnldsv/check-actor-permission":                       {kind: GuardPermission, ends: true, text: "only for actors with a permission"},
	"74th/workflow-permission-action":                       {kind: GuardPermission, ends: true, text: "only for some users and teams"},
	"sushichop/action-repository-permission":                {kind: GuardPermission, ends: true, text: "only for actors with a permission"},
	"scherermichael-oss/action-has-permission":              {kind: GuardPermission, text: "the actor's permission is asked for"},
	"xt0rted/slash-command-action":                          {kind: GuardPermission, ends: true, text: "only for comments of people with write access"},
	"peter-evans/slash-command-dispatch":                    {kind: GuardPermission, text: "only for comments of people with write access"},
	"github/command":                                        {kind: GuardPermission, ends: true, text: "only for comments of people with write access"},
	"github/branch-deploy":                                  {kind: GuardPermission, ends: true, text: "only for comments of people with write access"},
	"tspascoal/get-user-teams-membership":                   {kind: GuardPermission, text: "the actor's teams are asked for", answers: "isTeamMember"},
	"themoddinginquisition/actions-team-membership":         {kind: GuardPermission, ends: true, text: "only for members of a team"},
	"jamesmcroft/github-actions-team-membership":            {kind: GuardPermission, text: "the actor's teams are asked for", answers: "isTeamMember"},
	"im-open/is-actor-authorized":                           {kind: GuardActor, text: "only for listed actors", answers: "is-authorized"},
	"morfien101/actions-authorized-user":                    {kind: GuardActor, ends: true, text: "only for listed actors"},
	"octokit/request-action":                                {kind: GuardPermission, asks: "route", text: "the actor's permission is asked for"},
	"dependabot/fetch-metadata":                             {kind: GuardActor, ends: true, unless: "skip-verification", text: "only for pull requests that Dependabot wrote and signed"},
	"mheap/github-action-required-labels":                   {kind: GuardLabel, ends: true, text: "only with a label"},
	"jesusvasquez333/verify-pr-label-action":                {kind: GuardLabel, ends: true, text: "only with a label"},
	"yogevbd/enforce-label-action":                          {kind: GuardLabel, ends: true, text: "only with a label"},
	"trstringer/manual-approval":                            {kind: GuardApproval, ends: true, text: "someone who is listed approves the run"},
	"step-security/wait-for-secrets":                        {kind: GuardApproval, ends: true, text: "someone enters the secrets by hand"},
	"grafana/shared-workflows/actions/check-org-membership": {kind: GuardPermission, ends: true, text: "only for members of the organisation"},
}

// check recognises what a step asks about who is there.
func (x *Project) check(s *Step) check {
	if c, known := x.ways.checks[s]; known {
		return c
	}
	c := x.checkOf(s, 0)
	if x.ways.checks == nil {
		x.ways.checks = make(map[*Step]check)
	}
	x.ways.checks[s] = c
	return c
}

func (x *Project) checkOf(s *Step, depth int) check {
	switch s.Uses.Kind {
	case UseNone:
		if s.Run.IsSet() {
			return checkScript(s.Run.Value, s, false)
		}
	case UseRemote:
		name := strings.ToLower(s.Uses.Owner + "/" + s.Uses.Repo)
		if name == "actions/github-script" {
			return checkScript(s.With.Get("script").Text.Value, s, true)
		}
		if s.Uses.Path != "" {
			name += "/" + strings.ToLower(strings.Trim(s.Uses.Path, "/"))
		}
		a, ok := checkActions[name]
		if !ok || a.kind == "" {
			return check{}
		}
		c := check{kind: a.kind, stops: true, text: a.text, ends: a.ends}
		if a.unless != "" && strings.TrimSpace(s.With.Get(a.unless).Text.Value) == "true" {
			return check{}
		}
		if a.asks != "" {
			return checkScript(s.With.Get(a.asks).Text.Value+" write", s, false)
		}
		switch name {
		case "actions-cool/check-user-permission":
			require := strings.ToLower(s.With.Get("require").Text.Value)
			c.stops = require == "" || require == "write" || require == "admin" || require == "maintain" || require == "triage"
			c.ends = strings.EqualFold(s.With.Get("error-if-missing").Text.Value, "true")
		case "74th/workflow-permission-action", "im-open/is-actor-authorized":
		case "xt0rted/slash-command-action":
			level := strings.ToLower(s.With.Get("permission-level").Text.Value)
			c.stops = level != "read" && level != "none"
		case "peter-evans/slash-command-dispatch":
			level := strings.ToLower(s.With.Get("permission").Text.Value)
			c.stops = level != "none" && level != "read"
		}
		if !c.stops {
			c.weakness = "it asks for a permission that everyone has"
		}
		return c
	case UseLocal, UseSelf:
		if depth >= 2 {
			return check{}
		}
		p := x.Action(s.Uses)
		if p == nil || p.Action == nil {
			return check{}
		}
		// A program of the repository that is told which permission to ask for.
		for _, f := range s.With.Fields {
			level := strings.ToLower(strings.TrimSpace(f.Value.Text.Value))
			if len(p.Action.Steps) == 0 && strings.Contains(strings.ToLower(f.Name.Value), "permission") && slices.Contains([]string{"write", "maintain", "admin", "triage"}, level) {
				return check{kind: GuardPermission, stops: true, ends: true, text: "the actor's permission is asked for"}
			}
		}
		for i := range p.Action.Steps {
			if c := x.checkOf(&p.Action.Steps[i], depth+1); c.kind != "" && !c.always {
				return c
			}
		}
	}
	return check{}
}

// hasAny reports whether one of the words stands in a text.
func hasAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// checkScript recognises a script that asks for somebody's rights. It looks at words:
// what a script does with the answer is taken to be what it was asked for.
func checkScript(script string, s *Step, javascript bool) check {
	if len(script) > 1<<16 {
		script = script[:1<<16]
	}
	// Most scripts check nobody.
	asks := len(s.Env.Fields) > 0 || hasAny(script, "ollaborator", "ember", "ssociation", "SSOCIATION", "actor", "ACTOR", "login", "permission")
	if !asks {
		return plainExit(script, javascript)
	}
	fails := hasAny(script, "exit 1", "exit -1", "exit 78", "exit 2", "setFailed", "throw ", "process.exit", "sys.exit", "raise ", "core.error(", "Deno.exit", "cancelWorkflowRun", "/cancel", "gh run cancel")
	c := check{ends: fails || !javascript && endsInTest(script)}
	switch {
	case hasAny(script, "check_membership.cjs", "check_team_member.cjs"):
		// Workflows that gh-aw compiles.
		if strings.Contains(s.Env.Get("GH_AW_REQUIRED_ROLES").Text.Value, "all") {
			return check{}
		}
		return check{kind: GuardPermission, stops: true, text: "only for actors with a role in the repository"}
	case hasAny(script, "getCollaboratorPermissionLevel") || strings.Contains(script, "/collaborators/") && strings.Contains(script, "permission"):
		c.kind, c.text = GuardPermission, "the actor's permission in the repository is asked for"
		c.stops = hasAny(strings.ToLower(script), "write", "admin", "maintain", "triage", "push")
		if !c.stops {
			c.weakness = "anyone has the permission read in a public repository"
			if !strings.Contains(script, "read") && !strings.Contains(script, "none") {
				c.weakness = ""
			}
		}
		if c.stops && !javascript && authorPasses(script, s) {
			c.stops, c.weakness = false, "the author of the pull request or issue passes, too"
		}
		return c
	case hasAny(script, "checkMembershipForUser", "getMembershipForUser", "listMembersInOrg", "checkPublicMembershipForUser", "checkCollaborator", "listMembersForAuthenticatedUser"):
		c.kind, c.text, c.stops = GuardPermission, "only for members", true
		c.ends = c.ends || javascript && !strings.Contains(script, "catch") // the call fails for others
		return c
	case asksList(script, javascript):
		c.kind, c.text, c.stops = GuardPermission, "only for those whom a list of the forge names", true
		if findsPart(script, javascript) {
			c.stops, c.weakness = false, "it looks for a part of a name: any account passes whose name is a part of a member's"
		}
		return c
	case strings.Contains(script, "/collaborators/") || strings.Contains(script, "/memberships/") || hasAny(script, "/members/", "/public_members/") && hasAny(script, "orgs/", "teams/"):
		if !hasAny(script, "gh api", "curl", "request(", "GET ", "wget") {
			return check{}
		}
		c.kind, c.text, c.stops = GuardPermission, "only for members", true
		c.ends = c.ends || strings.Contains(script, "gh api") && !hasAny(script, "if ", "||", "&&", "GITHUB_OUTPUT")
		return c
	}
	lower := strings.ToLower(script)
	env := false
	for _, f := range s.Env.Fields {
		if hasAny(f.Value.Text.Value, "author_association") {
			lower += " author_association"
		}
		if hasAny(f.Value.Text.Value, "github.actor", "triggering_actor", ".user.login", "sender.login") {
			env = true
		}
	}
	switch {
	case hasAny(lower, "author_association", "authorassociation"):
		if !hasAny(lower, "owner", "member", "collaborator") {
			return plainExit(script, javascript)
		}
		if !fails && !hasAny(lower, "output", "set-output") {
			return check{}
		}
		c.kind, c.text = GuardAssociation, "only for some associations of the author"
		c.stops = !hasAny(lower, "'contributor'", `"contributor"`, "contributor)", "|contributor", "first_time")
		if !c.stops {
			c.weakness = "contributors pass: one merged typo fix is enough"
		}
		return c
	case fails && (env || hasAny(lower, "github.actor", "github_actor", "context.actor", "triggering_actor", "payload.sender.login", "payload.comment.user.login", "payload.pull_request.user.login")) && compares(lower, javascript):
		c.kind, c.text = GuardActor, "only for some accounts"
		return c
	case hasAny(lower, "github_actor", "github.actor", "context.actor", "sender.login") && hasAny(lower, "output") && compares(lower, javascript) && hasAny(lower, "allowed", "authorized", "trusted", "maintainers", "admins", "is_member"):
		c.kind, c.text = GuardActor, "only for some accounts"
		return c
	}
	if !fails && javascript && hasAny(script, ".comment.user.login", "context.actor", ".sender.login", ".pull_request.user.login") &&
		hasAny(script, "readFileSync(", "getContent(") && strings.Contains(script, "setOutput(") && compares(lower, true) {
		// Whom the file names, and what is made of the answer, cannot be seen.
		return check{kind: GuardActor, text: "only for accounts that a file lists"}
	}
	return plainExit(script, javascript)
}

// ifEqual is an if of a shell that compares two words.
var ifEqual = regexp.MustCompile(`^if\s+((?:\[\[?|test)\s+\S+\s+==?\s+\S+?(?:\s+\]\]?)?)$`)

// authorPasses reports whether a shell script that asks for rights says yes as well where
// who causes the event is the author of what it is about, which an outsider is of what
// is his.
func authorPasses(script string, s *Step) bool {
	account := func(word string) string {
		word = shellWord(word)
		if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(word, "${{") {
			if c := shellContexts[name]; c != "" {
				return c
			}
			word = s.Env.Get(name).Text.Value
		}
		paths := ParseTemplate(word).Paths()
		if len(paths) != 1 {
			return ""
		}
		if context, _ := payload(paths[0].Name); context != "" {
			return context
		}
		return paths[0].Name
	}
	wrote := func(path string) bool {
		return path == "github.event.issue.user.login" || path == "github.event.pull_request.user.login"
	}
	acts := func(path string) bool {
		who, ok := actorPath(path)
		return ok && !wrote(path) && (who == whoseActor || path == "github.event.comment.user.login" || path == "github.event.review.user.login")
	}
	lines := shellLines(script)
	for n, line := range lines {
		m := ifEqual.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		words := comparison.FindStringSubmatch(m[1])
		if words == nil {
			continue
		}
		left, right := account(words[1]), account(words[3])
		if !(wrote(left) && acts(right)) && !(wrote(right) && acts(left)) {
			continue
		}
		for _, then := range lines[n+1:] {
			word, _, _ := strings.Cut(then, " ")
			if word == "fi" || word == "else" || word == "elif" || exitOf(then) == fails {
				break
			}
			if exitLine.MatchString(then) || saysYes.MatchString(then) {
				return true
			}
		}
	}
	return false
}

// saysYes is a command that sets something to true.
var saysYes = regexp.MustCompile(`(?i)^(?:echo\s+)?["']?[\w-]+=["']?(?:true|yes|1)["']?(?:\s|;|$)`)

// memberList is the address of a list of members or collaborators, without a name behind
// it.
var memberList = regexp.MustCompile(`(?:\b(?:orgs|teams)/[^\s"'` + "`" + `]{1,120}/(?:public_)?members|\brepos/[^\s"'` + "`" + `]{1,120}/collaborators)(?:[?"'\s)` + "`" + `,]|$)`)

// accountWords name who causes the event, or who wrote what it is about.
var accountWords = []string{"github_actor", "github.actor", "triggering_actor", "sender.login", "user.login", "context.actor", "$actor", "${actor", "$author", "${author", "$pr_author", "${pr_author",
	"$commenter", "${commenter", "$comment_author", "${comment_author", "$comment_user", "${comment_user", "$user", "${user", "$login", "${login", "$who", "${who"}

// asksList reports whether a script looks for an account in a list of members that it
// fetches.
func asksList(script string, javascript bool) bool {
	if !hasAny(script, "/members", "/public_members", "/collaborators", "listCollaborators", "listMembers", "listPublicMembers") {
		return false
	}
	if !memberList.MatchString(script) && !(javascript && hasAny(script, "listCollaborators", "orgs.listMembers(", "orgs.listMembers,", "listPublicMembers")) {
		return false
	}
	if !javascript && !hasAny(script, "gh api", "curl", "wget", "Invoke-RestMethod") {
		return false
	}
	lower := strings.ToLower(script)
	return hasAny(lower, accountWords...) && (compares(lower, javascript) || hasAny(lower, "select(", "any(", "index(", ".some(", ".find("))
}

// listPart is a search for a bare name in a text: grep without -x or -w, a test with
// stars around it, contains of jq.
var listPart = regexp.MustCompile(`grep\s+(?:-[a-vyzA-Z]+\s+)*(?:-e\s+|--\s+)?"?\$\{?\w+\}?"?\s*(?:$|[;)|&<>\n]|then)|\*"?\$\{?\w+\}?"?\*|=~\s*"?\$\{?\w+\}?"?\s*\]|contains\(\s*\$\w+\s*\)`)

// findsPart reports whether a script finds a name that is a part of one in the list.
func findsPart(script string, javascript bool) bool {
	return !javascript && listPart.MatchString(script) && !hasAny(script, ".login ==", ".login==")
}

// alwaysAnswers reports whether an output of a step is either true or false, and never
// empty, once the step has run: by what an action documents, or by a script that writes
// both.
func (x *Project) alwaysAnswers(s *Step, output string) bool {
	if s.ContinueOnError.Get().IsSet() && strings.TrimSpace(s.ContinueOnError.Get().Value) != "false" {
		return false
	}
	javascript := strings.EqualFold(s.Uses.Owner+"/"+s.Uses.Repo, "actions/github-script")
	script := s.Run.Value
	switch {
	case javascript:
		script = s.With.Get("script").Text.Value
	case s.Uses.Kind == UseRemote && s.Uses.Path == "":
		return strings.EqualFold(checkActions[strings.ToLower(s.Uses.Owner+"/"+s.Uses.Repo)].answers, output)
	}
	if script == "" || len(script) > 1<<16 || len(output) > 100 {
		return false
	}
	name := regexp.QuoteMeta(output)
	if javascript {
		if strings.EqualFold(output, "result") {
			return strings.Contains(script, "return true") && strings.Contains(script, "return false")
		}
		set := regexp.MustCompile(`(?i)(?m)^([ \t]*)(?:await\s+)?core\.setOutput\(\s*['"`+"`"+`]`+name+`['"`+"`"+`]\s*,\s*(.*)$`).FindAllStringSubmatchIndex(script, 20)
		yes, no := false, false
		for _, m := range set {
			said := script[m[4]:m[5]]
			literal := strings.Trim(strings.TrimRight(said, "); "), "'\"`")
			yes, no = yes || literal == "true", no || literal == "false"
			if indent := script[m[2]:m[3]]; literal != "true" && literal != "false" && indent == leadOf(script) && !strings.Contains(script[:m[0]], "return;") {
				return true // at the end of the script, whatever it is
			}
		}
		return yes && no
	}
	if !strings.Contains(script, "GITHUB_OUTPUT") && !strings.Contains(script, "set-output") || regexp.MustCompile(`\bexit\s+0|\breturn\s+0`).MatchString(script) {
		return false
	}
	writes := func(word string) bool {
		return regexp.MustCompile(`(?i)(?:^|[\s"'=])` + name + `(?:=|::)"?` + word + `\b`).MatchString(script)
	}
	if writes("true") && writes("false") {
		return true
	}
	// It writes a variable that is set to both.
	m := regexp.MustCompile(`(?i)(?:^|[\s"'=])` + name + `(?:=|::)"?\$\{?(\w+)`).FindStringSubmatch(script)
	if m == nil {
		return false
	}
	variable := func(word string) bool {
		return regexp.MustCompile(`(?m)(?:^|[\s;])` + m[1] + `=["']?` + word + `\b`).MatchString(script)
	}
	return variable("true") && variable("false")
}

// leadOf is what stands before the first word of a script.
func leadOf(script string) string {
	for line := range strings.Lines(script) {
		if text := strings.TrimLeft(line, " \t"); strings.TrimSpace(text) != "" {
			return line[:len(line)-len(text)]
		}
	}
	return ""
}

// endsInTest reports whether the last line of a script is a test, whose answer the step
// ends with.
func endsInTest(script string) bool {
	lines := strings.Split(strings.TrimSpace(script), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	return strings.HasPrefix(last, "[") || strings.HasPrefix(last, "test ") || strings.Contains(last, "grep -q")
}

// compares reports whether a script compares texts.
func compares(lower string, javascript bool) bool {
	if javascript {
		return hasAny(lower, "===", "!==", "==", "!=", "includes(", "indexof(", ".has(")
	}
	return hasAny(lower, "==", "!=", " = ", "=~", "grep", "case ", "contains")
}

// plainExit recognises a script that does nothing but fail.
func plainExit(script string, javascript bool) check {
	if javascript {
		if len(script) < 2000 && hasAny(script, "setFailed", "throw ") && !hasAny(script, "if ", "if(", "catch", "?", "&&", "||", "for ", "for(") {
			return check{ends: true, always: true}
		}
		return check{}
	}
	if len(script) > 2000 || !hasAny(script, "exit ", "false") || hasAny(script, "if ", "if(", "||", "&&", "case ", "for ", "while ", "()", "catch") {
		return check{}
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "exit "); ok && rest != "0" && strings.Trim(strings.TrimSpace(rest), "0123456789") == "" && strings.TrimSpace(rest) != "0" {
			return check{ends: true, always: true}
		}
		if line == "false" {
			return check{ends: true, always: true}
		}
	}
	return check{}
}
