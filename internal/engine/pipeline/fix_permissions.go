package pipeline

import (
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// jobNeeds are the rights that a job needs of its token.
type jobNeeds struct {
	scopes map[string]Level
	// sure is false where something in the job may need more.
	sure bool
}

func (n *jobNeeds) add(scope string, level Level) { n.scopes[scope] = max(n.scopes[scope], level) }

// names are the scopes in the order of the alphabet.
func (n *jobNeeds) names() []string {
	names := make([]string, 0, len(n.scopes))
	for s := range n.scopes {
		names = append(names, s)
	}
	slices.Sort(names)
	return names
}

// onlyRead reports whether a checkout is all that the token is needed for.
func (n *jobNeeds) onlyRead() bool {
	for s, l := range n.scopes {
		if s != "contents" || l > LevelRead {
			return false
		}
	}
	return true
}

// need is what a job needs, as far as its steps say.
func (e *editor) need(j *Job) *jobNeeds {
	if n := e.needs[j]; n != nil {
		return n
	}
	n := &jobNeeds{scopes: map[string]Level{"contents": LevelRead}, sure: true}
	e.needs[j] = n
	if j.Uses.IsSet() {
		e.calledNeeds(n, j)
		return n
	}
	for _, d := range []*Data{&e.p.Env, &j.Env} {
		d.Texts(func(t Text) {
			if holdsToken(t) {
				n.sure = false // any step may use it
			}
		})
	}
	credentials := []Data{j.Container.Get().Credentials}
	for i := range j.Services {
		credentials = append(credentials, j.Services[i].Credentials)
	}
	for _, d := range credentials {
		d.Texts(func(t Text) {
			if holdsToken(t) {
				n.add("packages", LevelRead)
			}
		})
	}
	for at := range jobSteps(e.p, j) {
		e.stepNeeds(n, at, 0)
	}
	return n
}

// calledNeeds are those of a called workflow: its jobs cannot have more than the call.
func (e *editor) calledNeeds(n *jobNeeds, j *Job) {
	callee := e.x.Workflow(j.Uses)
	if callee == nil || callee == e.p {
		n.sure = false
		return
	}
	other := newEditor(e.x, callee)
	for i := range callee.Jobs {
		c := &callee.Jobs[i]
		perms := c.Permissions
		if !perms.IsSet() {
			perms = callee.Permissions
		}
		switch {
		case perms.Text.IsSet():
			n.sure = false
		case perms.IsSet():
			// More than the caller has makes the call invalid.
			for _, s := range perms.Scopes {
				if s.Level > LevelNone {
					n.add(s.Name.Value, s.Level)
				}
			}
		case c.Uses.IsSet():
			n.sure = false
		default:
			inner := other.need(c)
			for s, l := range inner.scopes {
				n.add(s, l)
			}
			n.sure = n.sure && inner.sure
		}
	}
}

// holdsToken reports whether a text gives on the job's token.
func holdsToken(t Text) bool {
	for _, part := range t.Parts {
		source := strings.ToLower(t.Source(part))
		if strings.Contains(source, "github.token") || strings.Contains(source, "secrets.github_token") || strings.Contains(source, "tojson(github)") || strings.Contains(source, "tojson(secrets)") {
			return true
		}
	}
	return false
}

// tokenless are owners' actions that get the token by default and use it for nothing
// but to read releases.
var tokenless = []string{
	"actions/setup-node", "actions/setup-python", "actions/setup-go", "actions/setup-java", "actions/setup-dotnet", "actions/cache", "actions/cache/restore",
	"actions/cache/save", "actions/upload-artifact", "ruby/setup-ruby", "astral-sh/setup-uv", "pnpm/action-setup", "gradle/actions/setup-gradle", "docker/setup-buildx-action",
	"docker/setup-qemu-action", "dtolnay/rust-toolchain", "swatinem/rust-cache", "actions-rs/toolchain", "hashicorp/setup-terraform", "codecov/codecov-action",
	"docker/metadata-action", "step-security/harden-runner", "taiki-e/install-action", "denoland/setup-deno", "oven-sh/setup-bun", "shivammathur/setup-php",
	"docker/build-push-action", "actions/upload-pages-artifact", "golangci/golangci-lint-action", "erlef/setup-beam", "actions/configure-pages",
}

func (e *editor) stepNeeds(n *jobNeeds, at stepAt, depth int) {
	s := at.Step
	given := false
	for _, d := range []*Data{&s.Env, &s.With} {
		d.Texts(func(t Text) { given = given || holdsToken(t) })
	}
	if s.Run.IsSet() {
		if given || holdsToken(s.Run.Text) {
			e.scriptNeeds(n, s.Run.Value)
		}
		if strings.Contains(s.Run.Value, "git push") {
			n.add("contents", LevelWrite)
		}
		// What a script of the repository does with the token of the checkout is not
		// known; its name tells whether it may do something.
		for _, word := range []string{"release", "deploy", "publish", "push", "bump"} {
			if holds(s.Run.Value, word) {
				n.sure = false
			}
		}
		return
	}
	u := s.Uses
	if !u.IsSet() || u.Kind == UseDocker && !given {
		return
	}
	if u.Kind == UseLocal || u.Kind == UseSelf {
		action := e.x.Action(u)
		if action == nil || action.Action == nil || action.Action.Using.Value != "composite" || given || depth > 4 {
			n.sure = false
			return
		}
		inner := e.actionNeed(action, depth)
		for s, l := range inner.scopes {
			n.add(s, l)
		}
		n.sure = n.sure && inner.sure
		return
	}
	name := strings.ToLower(u.Owner + "/" + u.Repo)
	if u.Path != "" {
		name += "/" + strings.ToLower(u.Path)
	}
	sum := LookupAction(u)
	known := sum != nil
	has := func(k EffectKind) bool { return known && sum.Has(k) }
	reset := func(scopes ...string) {
		for _, s := range scopes {
			n.add(s, LevelWrite)
		}
	}
	switch {
	case name == "actions/checkout":
		return
	case name == "actions/github-script":
		e.scriptNeeds(n, s.With.Get("script").Text.Value)
		return
	case name == "actions/download-artifact":
		if s.With.Get("run-id").Kind != DataNone {
			n.add("actions", LevelRead)
		}
		return
	case name == "actions/labeler":
		reset("pull-requests")
		return
	case name == "actions/stale":
		reset("issues", "pull-requests")
		return
	case name == "actions/deploy-pages":
		reset("pages", "id-token")
		return
	case name == "actions/configure-pages":
		n.add("pages", LevelRead)
		return
	case name == "actions/dependency-review-action":
		if strings.Contains(s.With.Get("comment-summary-in-pr").Text.Value, "a") { // always, on-failure
			reset("pull-requests")
		}
		return
	case name == "dorny/paths-filter", name == "tj-actions/changed-files":
		n.add("pull-requests", LevelRead)
		return
	case strings.HasPrefix(name, "github/codeql-action"):
		reset("security-events")
		n.add("actions", LevelRead)
		return
	case has(EffectAttest):
		reset("attestations", "id-token")
		return
	case slices.Contains(tokenless, name):
		if given && (name == "docker/build-push-action") {
			n.sure = false
		}
		return
	case name == "docker/login-action":
		if given {
			reset("packages")
		}
		return
	case name == "softprops/action-gh-release", name == "ncipollo/release-action", name == "goreleaser/goreleaser-action":
		reset("contents")
		n.sure = n.sure && name != "goreleaser/goreleaser-action"
		return
	case name == "peaceiris/actions-gh-pages", name == "jamesives/github-pages-deploy-action", name == "stefanzweifel/git-auto-commit-action":
		reset("contents")
		return
	case name == "peter-evans/create-pull-request":
		reset("contents", "pull-requests")
		return
	case name == "aws-actions/configure-aws-credentials":
		if s.With.Get("role-to-assume").Kind != DataNone {
			reset("id-token")
		}
		return
	}
	n.sure = false
}

// actionNeed is what the steps of an action of the repository need: looked at once, since
// others may use it any number of times. One that uses itself is not known.
func (e *editor) actionNeed(action *Pipeline, depth int) *jobNeeds {
	if n := e.actionNeeds[action]; n != nil {
		return n
	}
	if e.actionNeeds == nil {
		e.actionNeeds = make(map[*Pipeline]*jobNeeds)
	}
	e.actionNeeds[action] = &jobNeeds{}
	n := &jobNeeds{scopes: make(map[string]Level), sure: true}
	for inner := range action.steps() {
		e.stepNeeds(n, inner, depth+1)
	}
	e.actionNeeds[action] = n
	return n
}

// restScopes are methods of the forge's API with the scope that they need.
var restScopes = []struct{ sign, scope string }{
	{"issues.createComment", "issues"}, {"issues.updateComment", "issues"}, {"issues.deleteComment", "issues"}, {"issues.addLabels", "issues"},
	{"issues.removeLabel", "issues"}, {"issues.create(", "issues"}, {"issues.update(", "issues"}, {"issues.addAssignees", "issues"},
	{"pulls.create(", "pull-requests"}, {"pulls.update(", "pull-requests"}, {"pulls.createReview", "pull-requests"},
	{"repos.createRelease", "contents"}, {"repos.uploadReleaseAsset", "contents"}, {"git.createRef", "contents"},
	{"gh issue comment", "issues"}, {"gh issue edit", "issues"}, {"gh issue create", "issues"}, {"gh issue close", "issues"},
	{"gh pr comment", "pull-requests"}, {"gh pr edit", "pull-requests"}, {"gh pr create", "pull-requests"}, {"gh pr close", "pull-requests"},
	{"gh release create", "contents"}, {"gh release upload", "contents"}, {"gh release edit", "contents"}, {"gh pr merge", "contents"}, {"gh pr merge", "pull-requests"},
	{"gh workflow run", "actions"}, {"gh run rerun", "actions"},
}

// scriptNeeds reads what a script with the token does. What it does beside is not
// known.
func (e *editor) scriptNeeds(n *jobNeeds, script string) {
	for _, r := range restScopes {
		if strings.Contains(script, r.sign) {
			n.add(r.scope, LevelWrite)
			if r.scope == "issues" && !strings.HasPrefix(r.sign, "gh ") && e.p.Trigger("issues") == nil {
				n.add("pull-requests", LevelWrite) // comments of pull requests are such of issues
			}
		}
	}
	n.sure = false
}

// scopeLines are the lines of a map of scopes.
func (n *jobNeeds) lines() []string {
	var out []string
	for _, s := range n.names() {
		level := "read"
		if n.scopes[s] == LevelWrite {
			level = "write"
		}
		out = append(out, s+": "+level)
	}
	return out
}

// jobPermissions gives a job rights of its own: nil if its layout does not let it.
func (e *editor) jobPermissions(j *Job, lines []string) []penstock.Edit {
	n := e.jobNode(j)
	if n == nil || len(n.Entries) == 0 {
		return nil
	}
	// Behind what it runs on, or what comes before the steps.
	after := -1
	for _, key := range []string{"runs-on", "uses", "if", "needs", "name"} {
		if _, i := nodeEntry(n, key); i >= 0 {
			after = i
			break
		}
	}
	if after < 0 {
		after = 0
	}
	if entry, i := nodeEntry(n, "permissions"); i >= 0 {
		return e.scopesInPlace(entry, e.column(n.Entries[0].Key.Span.Start), lines)
	}
	return e.block(n, after, "permissions", lines)
}

// block adds "key:" with lines below it.
func (e *editor) block(n *syntax.Node, after int, key string, lines []string) []penstock.Edit {
	if n.Style == syntax.Flow || n.AliasSpan.End > 0 || n.Anchor != "" || slices.ContainsFunc(n.Entries, syntax.Entry.IsMerge) {
		return nil
	}
	return e.lines(e.endOf(n.Entries[after]), e.column(n.Entries[0].Key.Span.Start), key, lines)
}

// lines adds "key:" with lines below it behind the end of a line, with col columns
// before the key. Between the keys of the file blank lines are kept up, and a comment
// that is indented belongs to what stands before it.
func (e *editor) lines(at int64, col int, key string, lines []string) []penstock.Edit {
	gap := ""
	for end := int64(len(e.p.Source)); col == 0 && at < end; {
		start := e.nextLine(at)
		line := strings.TrimRight(string(e.p.Source[start:e.lineEnd(start)]), " \t")
		if line == "" {
			if e.nextLine(start) < end {
				gap = e.nl
			}
			break
		}
		if start >= end || line[0] != ' ' || !strings.HasPrefix(strings.TrimLeft(line, " "), "#") {
			break
		}
		at = e.lineEnd(start)
	}
	edits := []penstock.Edit{e.insert(at, gap+e.nl+indent(col)+key+":")}
	for _, l := range lines {
		edits = append(edits, e.insert(at, e.nl+indent(col+e.unit())+l))
	}
	return edits
}

// top adds "key:" with lines below it to the file, behind one of its keys.
func (e *editor) top(end int64, key string, lines []string) []penstock.Edit {
	start := e.p.Span.Start
	if end <= start || start >= int64(len(e.p.Source)) || e.p.Source[start] == '{' || e.column(start) != 0 || e.anchors() && e.tree() == nil {
		return nil
	}
	return e.lines(e.lastLine(end), 0, key, lines)
}

// nextLine is where the line behind that of a byte begins.
func (e *editor) nextLine(at int64) int64 {
	_, end := e.p.line(at)
	return end
}

// scopesInPlace puts scopes in the place of the word that stands behind a key.
func (e *editor) scopesInPlace(entry syntax.Entry, col int, lines []string) []penstock.Edit {
	v := entry.Value
	if v.AliasSpan.End > 0 || v.Anchor != "" || v.Kind != syntax.Scalar || !e.editable(v.Span) {
		return nil
	}
	text := ""
	for _, l := range lines {
		text += e.nl + indent(col+e.unit()) + l
	}
	start := v.Span.Start
	for start > entry.Key.Span.End && e.p.Source[start-1] == ' ' {
		start--
	}
	return []penstock.Edit{e.edit(penstock.Span{Start: start, End: v.Span.End}, text)}
}

// fixMissingPermissions gives the workflow the right to read the repository, and jobs
// that need more what they need.
func fixMissingPermissions(e *editor, f *Flaw) *penstock.Fix {
	edits := e.top(e.p.OnSpan.End, "permissions", []string{"contents: read"})
	if edits == nil {
		return nil
	}
	jobs, sure := e.moreForJobs()
	edits = append(edits, jobs...)
	return fix(sure, "Let the token read the repository, and give jobs that write what they need.", edits)
}

// moreForJobs gives jobs without permissions what they need beyond reading. The second
// result is false where that may not be all.
func (e *editor) moreForJobs() (edits []penstock.Edit, sure bool) {
	sure = true
	for i := range e.p.Jobs {
		j := &e.p.Jobs[i]
		if j.Permissions.IsSet() {
			continue
		}
		need := e.need(j)
		sure = sure && need.sure
		if need.onlyRead() {
			continue
		}
		more := e.jobPermissions(j, need.lines())
		if more == nil {
			sure = false
		}
		edits = append(edits, more...)
	}
	return edits, sure
}

// fixExcessivePermissions takes what is not needed from all, and leaves the rights of
// the workflow to those jobs that may need them.
func fixExcessivePermissions(e *editor, f *Flaw) *penstock.Fix {
	root := e.tree()
	if root == nil {
		return nil
	}
	perms := e.p.Permissions
	switch {
	case perms.Text.IsSet() && perms.Span == f.Span: // write-all, read-all
		entry, i := nodeEntry(root, "permissions")
		if i < 0 {
			return nil
		}
		edits := e.scopesInPlace(entry, e.column(root.Entries[0].Key.Span.Start), []string{"contents: read"})
		if edits == nil {
			return nil
		}
		jobs, sure := e.moreForJobs()
		return fix(sure, "Let the token read the repository, and give jobs that write what they need.", append(edits, jobs...))
	case perms.Span.Contains(f.Span):
		return e.moveScopes(perms)
	}
	j, n := e.job(f.Span)
	if n == nil || !j.Permissions.Text.IsSet() {
		return nil
	}
	need := e.need(j)
	return fix(need.sure, "Give the job what it needs.", e.jobPermissions(j, need.lines()))
}

// moveScopes moves the scopes of the workflow that write to the jobs that may need them.
func (e *editor) moveScopes(perms Permissions) *penstock.Fix {
	root := e.tree()
	entry, i := nodeEntry(root, "permissions")
	if i < 0 || entry.Value.Kind != syntax.Mapping || entry.Value.Style == syntax.Flow || !e.editable(entry.Value.Span) || len(perms.Extra) > 0 {
		return nil
	}
	var kept, all []string
	var edits []penstock.Edit
	lines := make(map[string]string)
	for _, s := range perms.Scopes {
		if s.Level == LevelUnset || s.Value.Alias.End > 0 {
			return nil
		}
		all = append(all, s.Name.Value)
		lines[s.Name.Value] = s.Name.Value + ": " + s.Value.Value
		switch {
		case s.Level != LevelWrite:
			kept = append(kept, s.Name.Value)
		case s.Name.Value == "contents":
			edits = append(edits, e.edit(s.Value.Span, "read"))
			kept = append(kept, s.Name.Value)
		default:
			start, _ := e.p.line(s.Name.Span.Start)
			_, end := e.p.line(s.Value.Span.End)
			edits = append(edits, e.edit(penstock.Span{Start: start, End: end}, ""))
		}
	}
	if len(kept) == 0 {
		v := entry.Value.Span
		edits = []penstock.Edit{e.edit(penstock.Span{Start: entry.Key.Span.End + 1, End: v.End}, " {}")}
	}
	spared, known := false, true
	for k := range e.p.Jobs {
		j := &e.p.Jobs[k]
		if j.Permissions.IsSet() {
			continue
		}
		need := e.need(j)
		var own []string
		writes := false
		for _, s := range all {
			level := perms.Level(s)
			if need.sure && level == LevelWrite && need.scopes[s] != LevelWrite {
				spared = true
				if s != "contents" {
					continue
				}
				own = append(own, "contents: read")
				continue
			}
			// A job that is not known to need it may be the one that should lose it.
			known = known && (level != LevelWrite || need.scopes[s] == LevelWrite)
			writes = writes || level == LevelWrite
			own = append(own, lines[s])
		}
		if !writes {
			continue
		}
		more := e.jobPermissions(j, own)
		if more == nil {
			return nil
		}
		edits = append(edits, more...)
	}
	if !spared {
		return nil
	}
	return fix(known, "Leave the rights to write to the jobs that may need them.", edits)
}
