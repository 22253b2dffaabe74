package pipeline

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// fixPersisted keeps a checkout from leaving its token on the disk.
func fixPersisted(e *editor, f *Flaw) *penstock.Fix {
	at, n := e.step(f.Span)
	if at == nil {
		return nil
	}
	var edits []penstock.Edit
	if keep := at.Step.With.Get("persist-credentials"); keep.Kind == DataScalar {
		edit, ok := e.replaceAll(keep.Text, "false")
		if !ok {
			return nil
		}
		edits = []penstock.Edit{edit}
	} else {
		_, after := nodeEntry(n, "uses")
		edits = e.within(n, "with", after, "persist-credentials: false")
	}
	return fix(e.tokenUnused(at), "Do not leave the token on the disk after the checkout.", edits)
}

// replaceAll puts a word in the place of a whole scalar that is one line.
func (e *editor) replaceAll(t Text, text string) (penstock.Edit, bool) {
	if t.Alias.End > 0 || !e.editable(t.Span) || strings.ContainsAny(string(e.p.Source[t.Span.Start:t.Span.End]), "\n|>&") || t.Span.End <= t.Span.Start {
		return penstock.Edit{}, false
	}
	return e.edit(t.Span, text), true
}

// tokenUnused reports whether nothing behind a checkout can miss the token that it
// leaves on the disk.
func (e *editor) tokenUnused(checkout *stepAt) bool {
	if checkout.Job == nil {
		return false // whoever uses the action may
	}
	with := checkout.Step.With
	if with.Get("token").Kind != DataNone || with.Get("ssh-key").Kind != DataNone {
		return false // somebody chose what is left
	}
	if with.Get("sparse-checkout").Kind != DataNone || with.Get("filter").Kind != DataNone {
		// What the checkout left out is fetched when git wants it.
		for s := range jobSteps(e.p, checkout.Job) {
			if strings.Contains(s.Step.Run.Value, "git ") {
				return false
			}
		}
	}
	perms := checkout.Job.Permissions
	if !perms.IsSet() {
		perms = e.p.Permissions
	}
	// A token that cannot write is of use to read only, and that is what git fetch in a
	// script does, which the audit knows.
	if perms.IsSet() && !perms.Text.IsSet() && perms.Level("contents") <= LevelRead {
		return true
	}
	seen := false
	for s := range jobSteps(e.p, checkout.Job) {
		if s.Step == checkout.Step {
			seen = true
			continue
		}
		if !seen {
			continue
		}
		u := s.Step.Uses
		if u.IsSet() && (u.Kind != UseRemote || LookupAction(u) == nil) {
			return false
		}
		for _, word := range []string{"git ", "gh ", "release", "deploy", "publish", "push", "./", "sh ", "npx ", "version"} {
			if strings.Contains(s.Step.Run.Value, word) {
				return false
			}
		}
	}
	return seen
}

// fixArtifact keeps the token out of what is uploaded.
func fixArtifact(e *editor, f *Flaw) *penstock.Fix {
	for _, r := range f.Related {
		if r.Path != e.p.Path {
			continue
		}
		if repair := fixPersisted(e, &Flaw{Place: r.Place}); repair != nil {
			return repair
		}
	}
	return nil
}

// fixInherit lists the secrets that the called workflow uses.
func fixInherit(e *editor, f *Flaw) *penstock.Fix {
	j, n := e.job(f.Span)
	if n == nil || n.Style == syntax.Flow {
		return nil
	}
	callee := e.x.Workflow(j.Uses)
	if callee == nil {
		if j.Uses.Kind != UseRemote || !plainRef(j.Uses.Owner+j.Uses.Repo) {
			return nil
		}
		return fix(false, "", nil, fmt.Sprintf("in place of secrets: inherit, list the secrets that %s/%s declares below on.workflow_call.secrets", j.Uses.Owner, j.Uses.Repo))
	}
	declared := make(map[string]string)
	for _, s := range callee.Secrets {
		declared[strings.ToLower(s.Name.Value)] = s.Name.Value
	}
	needed := make(map[string]bool)
	for i := range callee.Jobs {
		if c := &callee.Jobs[i]; c.InheritsSecrets() || c.Environment.Get().Name.IsSet() {
			return nil // what it hands on, or the environment has, is not in the list
		}
	}
	good := true
	for t := range callee.texts() {
		t.expressions([]string{"secrets"}, func(x Expression, _ func(penstock.Span) penstock.Span) {
			for _, c := range x.Paths() {
				name, ok := strings.CutPrefix(c.Name, "secrets.")
				switch {
				case c.Name == "secrets" || strings.HasPrefix(c.Name, "secrets") && !ok || name == "*":
					good = false
				case ok && name != "github_token":
					good = good && declared[name] != ""
					needed[name] = true
				}
			}
		})
	}
	// A secret that must be given and is not used would be missed.
	for _, s := range callee.Secrets {
		if s.Required.Value == "true" {
			needed[strings.ToLower(s.Name.Value)] = true
		}
	}
	if !good {
		return nil
	}
	if len(needed) == 0 {
		return fix(true, "Hand no secrets to a workflow that uses none.", e.remove(f.Span))
	}
	var lines []string
	for _, s := range callee.Secrets {
		if needed[strings.ToLower(s.Name.Value)] && identifier(s.Name.Value) {
			lines = append(lines, s.Name.Value+": ${{ secrets."+s.Name.Value+" }}")
		}
	}
	if len(lines) != len(needed) {
		return nil
	}
	entry, i := nodeEntry(n, "secrets")
	if i < 0 {
		return nil
	}
	return fix(true, "Hand over the secrets that the called workflow uses, and no others.", e.scopesInPlace(entry, e.column(n.Entries[0].Key.Span.Start), lines))
}

// commands are those of the log with the files that replaced them.
var commands = []struct{ sign, file string }{
	{"::set-env ", "GITHUB_ENV"}, {"::set-output ", "GITHUB_OUTPUT"}, {"::save-state ", "GITHUB_STATE"}, {"::add-path::", "GITHUB_PATH"},
}

// fixCommands writes to the files that replaced the commands of the log.
func fixCommands(e *editor, f *Flaw) *penstock.Fix {
	at, _ := e.step(f.Span)
	if at == nil || !at.Step.Run.IsSet() || !at.Step.Run.Span.Contains(f.Span) {
		return e.fixSwitch(f)
	}
	t, _, language := e.program(at, f.Span)
	if language != "shell" {
		return nil
	}
	for _, c := range commands {
		first := strings.Index(t.Value, c.sign)
		if first < 0 || t.At(first, first+len(c.sign)) != f.Span {
			continue
		}
		var edits []penstock.Edit
		for from := 0; ; {
			i := strings.Index(t.Value[from:], c.sign)
			if i < 0 {
				break
			}
			i += from
			from = i + len(c.sign)
			more := e.command(t, i, c.sign, c.file)
			if more == nil {
				return nil
			}
			edits = append(edits, more...)
		}
		return fix(true, "Write to the file that replaced the command.", edits)
	}
	return nil
}

// command rewrites one "echo ::set-output name=x::value", nil where it has another form.
func (e *editor) command(t Text, at int, sign, file string) []penstock.Edit {
	start := strings.LastIndexByte(t.Value[:at], '\n') + 1
	end := len(t.Value)
	if i := strings.IndexByte(t.Value[at:], '\n'); i >= 0 {
		end = at + i
	}
	line := strings.TrimRight(t.Value[start:end], " \t\r")
	end = start + len(line)
	before := t.Value[start:at]
	quote := ""
	if n := len(before); n > 0 && (before[n-1] == '"' || before[n-1] == '\'') {
		quote, before = before[n-1:], before[:n-1]
	}
	if strings.TrimSpace(before) != "echo" {
		return nil
	}
	to, put := at+len(sign), ""
	if end < to {
		return nil // a command without anything, whose last space is none of the line
	}
	value := t.Value[to:end]
	if file != "GITHUB_PATH" {
		name, rest, ok := strings.Cut(strings.TrimPrefix(value, "name="), "::")
		if !ok || !strings.HasPrefix(value, "name=") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || name == "" {
			return nil
		}
		to, put, value = end-len(rest), name+"=", rest
	}
	// The value ends with the line, and with the quote if there is one.
	if strings.Contains(value, "%") {
		return nil // escapes of the command
	}
	switch quote {
	case "":
		if strings.ContainsAny(value, ";|&<>#\\") {
			return nil
		}
	default:
		inner, ok := strings.CutSuffix(value, quote)
		if !ok || strings.Contains(strings.ReplaceAll(inner, `\`+quote, ""), quote) && !strings.Contains(inner, "$(") {
			return nil
		}
	}
	first, ok1 := e.replace(t, at, to, put)
	redirect, ok2 := e.quoteFor(t, ` >> "$`+file+`"`)
	if !ok1 || !ok2 || end == 0 {
		return nil
	}
	return []penstock.Edit{first, e.insert(t.At(end-1, end).End, redirect)}
}

// fixSwitch takes out the variable that allows commands by the log, where nothing that
// is seen uses them.
func (e *editor) fixSwitch(f *Flaw) *penstock.Fix {
	unknown := false
	for at := range e.p.steps() {
		if strings.Contains(at.Step.Run.Value, "::set-env ") || strings.Contains(at.Step.Run.Value, "::add-path::") {
			return nil
		}
		unknown = unknown || at.Step.Uses.IsSet() && !firstParty(at.Step.Uses.Owner)
	}
	return fix(!unknown, "Do not allow commands by the log.", e.remove(f.Span))
}

// fixVariable takes out a variable.
func fixVariable(e *editor, f *Flaw) *penstock.Fix {
	for _, n := range slices.Backward(e.enclosing(f.Span)) {
		if n.Kind == syntax.Mapping {
			for _, c := range n.Entries {
				if c.Key.Span.Start == f.Span.Start && whole(c).End == f.Span.End && c.Key.Kind == syntax.Scalar {
					return fix(f.Rule == "debug-enabled", "Take the variable out.", e.remove(f.Span))
				}
			}
			return nil
		}
	}
	return nil
}

// fixRemoved takes out an input or key.
func fixRemoved(e *editor, f *Flaw) *penstock.Fix {
	return fix(false, "Take it out.", e.remove(f.Span))
}

// fixActor compares with the author of what the event is about.
func fixActor(e *editor, f *Flaw) *penstock.Fix {
	author := ""
	for _, t := range e.p.Triggers {
		is := ""
		switch t.Event.Value {
		case "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment":
			is = "github.event.pull_request.user.login"
		case "issue_comment":
			is = "github.event.comment.user.login"
		case "issues":
			is = "github.event.issue.user.login"
		}
		if is == "" || author != "" && author != is {
			return nil
		}
		author = is
	}
	if author == "" {
		return nil
	}
	var edits []penstock.Edit
	e.expressionAt(f.Span, func(t textAt, part Interpolation, x Expression) {
		x.Walk(func(n *ExprNode) bool {
			// All of the condition: with one left it can be passed as before.
			if name, ok := pathOf(n); ok && (name == "github.actor" || name == "github.triggering_actor") && n.Kind == ExprMember {
				if edit, ok := e.replace(*t.Text, part.Inner+int(n.Span.Start), part.Inner+int(n.Span.End), author); ok {
					edits = append(edits, edit)
				}
				return false
			}
			return true
		})
	})
	return fix(false, "Compare with the author, not with who caused the latest event.", edits)
}

// expressionAt calls do with the expression that a span stands in, or that stands in
// it.
func (e *editor) expressionAt(s penstock.Span, do func(t textAt, part Interpolation, x Expression)) {
	for t := range e.p.texts() {
		if !t.Span.Overlaps(s) || t.Alias.End > 0 {
			continue
		}
		for _, part := range t.Parts {
			if part.Open || !(s.Contains(part.Span) || part.Span.Contains(s) || part.Span.Overlaps(s)) {
				continue
			}
			if x, err := ParseExpression(t.Source(part)); err == nil {
				do(t, part, x)
			}
		}
	}
}

// fixCondition takes the signs off the expressions in a condition, around which a text
// makes it always true.
func fixCondition(e *editor, f *Flaw) *penstock.Fix {
	for t := range e.p.texts() {
		if !t.Condition || !t.Span.Overlaps(f.Span) || t.Alias.End > 0 || len(t.Parts) == 0 || t.Parts[0].Bare {
			continue
		}
		var edits []penstock.Edit
		var whole strings.Builder
		at := 0
		for _, part := range t.Parts {
			if part.Open {
				return nil
			}
			whole.WriteString(t.Value[at:part.From])
			at = part.To
			source := strings.TrimSpace(t.Source(part))
			x, err := ParseExpression(source)
			if err != nil {
				return nil
			}
			if len(t.Parts) > 1 && (x.Root.Kind == ExprOr || x.Root.Kind == ExprAnd || x.Root.Kind == ExprCompare) || x.Root.Kind == ExprNot && part.From == 0 {
				if x.Root.Kind != ExprNot || t.Plain {
					source = "(" + source + ")"
				}
			}
			whole.WriteString(source)
			edit, ok := e.replace(*t.Text, part.From, part.To, source)
			if !ok {
				return nil
			}
			edits = append(edits, edit)
		}
		whole.WriteString(t.Value[at:])
		if _, err := ParseExpression(strings.TrimSpace(whole.String())); err != nil {
			return nil
		}
		return fix(false, "Leave out ${{ and }}, so that the whole is one expression.", edits)
	}
	return nil
}

// fixContains looks for a whole word in a list, in place of a part of a text.
func fixContains(e *editor, f *Flaw) *penstock.Fix {
	var edits []penstock.Edit
	e.expressionAt(f.Span, func(t textAt, part Interpolation, x Expression) {
		x.Walk(func(n *ExprNode) bool {
			if n.Kind != ExprCall || n.Name != "contains" || len(n.Args) != 2 || n.Args[0].Kind != ExprLiteral {
				return true
			}
			s := t.At(part.Inner+int(n.Span.Start), part.Inner+int(n.Span.End))
			text, ok := n.Args[0].Value.Text()
			words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
			if !ok || !s.Overlaps(f.Span) || len(words) == 0 || strings.ContainsAny(text, "\"\\'") {
				return true
			}
			list := `fromJSON('["` + strings.Join(words, `", "`) + `"]')`
			from, to := part.Inner+int(n.Args[0].Span.Start), part.Inner+int(n.Args[0].Span.End)
			if edit, ok := e.replace(*t.Text, from, to, list); ok {
				edits = append(edits, edit)
			}
			return false
		})
	})
	return fix(false, "Look for a whole word of a list.", edits)
}

// fixCooldown lets updates wait for a week.
func fixCooldown(e *editor, f *Flaw) *penstock.Fix {
	for i := range e.p.Dependabot.Updates {
		u := &e.p.Dependabot.Updates[i]
		if !u.Span.Contains(f.Span) {
			continue
		}
		if days := u.Cooldown.Get("default-days"); days.Kind == DataScalar {
			edit, ok := e.replaceAll(days.Text, "7")
			if !ok {
				return nil
			}
			return fix(false, "Let new versions wait for a week.", []penstock.Edit{edit})
		}
		n := e.mapping(u.Ecosystem.Span, func(n *syntax.Node) bool { return n.Span == u.Span })
		if n == nil {
			return nil
		}
		_, after := nodeEntry(n, "schedule")
		if after < 0 {
			after = len(n.Entries) - 1
		}
		return fix(false, "Let new versions wait for a week.", e.within(n, "cooldown", after, "default-days: 7"))
	}
	return nil
}

// fixConcurrency ends the run of an old commit when a new one comes.
func fixConcurrency(e *editor, f *Flaw) *penstock.Fix {
	if e.p.Trigger("pull_request") == nil || e.p.Concurrency.Span.End > 0 {
		return nil
	}
	after := max(e.p.OnSpan.End, e.p.Permissions.Span.End)
	group := "github.ref"
	if len(e.p.Triggers) > 1 {
		// Runs by other events each have a group of their own, so that none is cancelled.
		group = "github.event.pull_request.number || github.run_id"
	}
	return fix(false, "Cancel the run of an old commit of a pull request.", e.top(after, "concurrency", []string{
		"group: ${{ github.workflow }}-${{ " + group + " }}", "cancel-in-progress: true",
	}))
}

// fixPath writes the path of a use without detours.
func fixPath(e *editor, f *Flaw) *penstock.Fix {
	u, ok := e.useAt(f.Span)
	if !ok || u.Span != f.Span || len(u.Parts) > 0 {
		return nil
	}
	v := strings.TrimSpace(u.Value)
	name, ref, pinned := strings.Cut(v, "@")
	clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "/") {
		return nil
	}
	if u.Kind == UseLocal {
		clean = "./" + clean
	}
	if pinned {
		clean += "@" + ref
	}
	from := strings.Index(u.Value, v)
	edit, ok := e.replace(u.Text, from, from+len(v), clean)
	if !ok {
		return nil
	}
	return fix(true, "Write the path without detours.", []penstock.Edit{edit})
}

// fixCacheMode lets the run read caches alone.
func fixCacheMode(e *editor, f *Flaw) *penstock.Fix {
	look := []Text{e.p.CacheMode}
	for i := range e.p.Jobs {
		look = append(look, e.p.Jobs[i].CacheMode)
	}
	for _, t := range look {
		if t.IsSet() && t.Span.Overlaps(f.Span) {
			if edit, ok := e.replaceAll(t, "read"); ok {
				return fix(false, "Let the run read caches, and not write them.", []penstock.Edit{edit})
			}
		}
	}
	return nil
}

// fixAppToken revokes the token of an app when the job ends.
func fixAppToken(e *editor, f *Flaw) *penstock.Fix {
	at, _ := e.step(f.Span)
	if at == nil || at.Step.With.Get("skip-token-revoke").Text.Span != f.Span {
		return nil
	}
	// Another job that gets the token would find it revoked.
	passed := at.Job == nil
	if at.Job != nil {
		at.Job.Outputs.Texts(func(t Text) { passed = passed || len(t.Parts) > 0 && holds(t.Value, "token") })
	}
	return fix(!passed, "Revoke the token when the job ends.", e.remove(f.Span))
}

// fixSelf names the repository at the commit that runs, in place of the workspace.
func fixSelf(e *editor, f *Flaw) *penstock.Fix {
	u, ok := e.useAt(f.Span)
	if !ok || !strings.HasPrefix(u.Value, "./") {
		return nil
	}
	edit, ok := e.replace(u.Text, 0, 2, "$/")
	if !ok {
		return nil
	}
	// It is the same for a called workflow, too, but older servers do not know the form.
	return fix(false, "Use this repository at the commit that runs.", []penstock.Edit{edit})
}

// fixAgent leaves who may start an agent to its default, which asks for rights.
func fixAgent(e *editor, f *Flaw) *penstock.Fix {
	at, _ := e.step(f.Span)
	if at == nil {
		return nil
	}
	for _, field := range at.Step.With.Fields {
		if field.Value.Text.Span == f.Span && strings.TrimSpace(field.Value.Text.Value) == "*" {
			return fix(false, "Let those start the agent who have rights.", e.remove(f.Span))
		}
	}
	return nil
}

// fixProvenance lets the registry tell which build a package is from.
func fixProvenance(e *editor, f *Flaw) *penstock.Fix {
	at, _ := e.step(f.Span)
	if at == nil {
		return nil
	}
	const step = "give the job id-token: write"
	if run := at.Step.Run; run.Span.Contains(f.Span) {
		edits := []penstock.Edit{}
		for i := 0; i < len(run.Value); i++ {
			if s := run.At(i, min(i+len("npm publish"), len(run.Value))); s == f.Span && strings.HasPrefix(run.Value[i:], "npm publish") && e.editable(run.Span) {
				edits = append(edits, e.insert(f.Span.End, " --provenance"))
				break
			}
		}
		if len(edits) == 0 {
			return nil
		}
		return fix(false, "Publish with provenance.", edits, step)
	}
	return fix(false, "Publish with attestations.", e.remove(f.Span), step)
}
