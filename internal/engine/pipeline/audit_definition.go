package pipeline

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"penstock"
)

// auditDefinition looks at the file itself: what the forge and a reader may take for
// different things.
func auditDefinition(x *Project, p *Pipeline, report func(Flaw)) {
	for _, n := range p.Notes {
		if n.Kind == NoteMissing && p.Kind == KindGitLab && path.Base(p.Path) != ".gitlab-ci.yml" {
			continue // it may be a part of others, which have the rest
		}
		f := Flaw{Rule: "invalid-definition", Place: p.place(n.Span), Message: n.Message + "."}
		switch n.Kind {
		case NoteDuplicate:
			f.Rule, f.Message = "duplicate-key", "the key is there twice: one reader takes the first value, another the last, a third refuses the file."
			f.Place, f.Related = p.place(n.Other), []Hop{{Place: p.place(n.Span), Text: "the first time"}}
		case NoteMerge:
			f.Message = "GitHub does not take merge keys: what it does with this file is not what other readers make of it."
		case NoteSyntax:
			f.Severity = penstock.Medium
		}
		report(f)
	}
	switch {
	case p.Kind == KindWorkflow && !p.Name.IsSet() && len(p.Jobs) > 0:
		report(Flaw{Rule: "anonymous-definition", Place: p.start(), Message: "the workflow has no name, so lists show its path."})
	case p.Kind == KindAction && !p.Name.IsSet() && p.Action != nil:
		report(Flaw{Rule: "anonymous-definition", Place: p.start(), Message: "the action has no name."})
	}
	if p.Forge == GitHub && p.Kind == KindWorkflow {
		wrongJobs(p, report)
		wrongScopes(p, report)
		wrongTriggers(p, report)
		x.wrongInputs(p, report)
	}
	oddShell(p, p.Defaults.Shell, "", report)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		oddShell(p, j.Defaults.Get().Shell, jobScope(j), report)
		x.selfReference(p, j.Uses, jobScope(j), report)
	}
	for s := range p.steps() {
		misfeatures(x, s, report)
		if s.Step.Uses.Kind == UseLocal {
			x.selfReference(p, s.Step.Uses, s.Scope(), report)
		}
	}
	obfuscated(p, report)
}

// start is the first key of the file.
func (p *Pipeline) start() Place {
	s := p.Span
	_, end := p.line(s.Start)
	return p.place(penstock.Span{Start: s.Start, End: max(s.Start, min(end-1, s.End))})
}

// wrongJobs reports needs that lead nowhere, and ids that are there twice.
func wrongJobs(p *Pipeline, report func(Flaw)) {
	ids := make(map[string]*Job, len(p.Jobs))
	for i := range p.Jobs {
		ids[strings.ToLower(p.Jobs[i].ID.Value)] = &p.Jobs[i]
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		for _, n := range j.Needs {
			if len(n.Parts) == 0 && ids[strings.ToLower(n.Value)] == nil {
				report(Flaw{Rule: "invalid-definition", Place: p.place(n.Span), Scope: jobScope(j), Message: fmt.Sprintf("there is no job %q to need.", clip(n.Value))})
			}
		}
		steps := make(map[string]Text)
		for s := range jobSteps(p, j) {
			id := s.Step.ID
			if id.Value == "" {
				continue
			}
			if first, ok := steps[strings.ToLower(id.Value)]; ok {
				report(Flaw{
					Rule: "invalid-definition", Place: p.place(id.Span), Scope: s.Scope(), Message: "two steps of the job have this id.",
					Related: []Hop{{Place: p.place(first.Span), Text: "the other step"}},
				})
				continue
			}
			steps[strings.ToLower(id.Value)] = id
		}
	}
}

// events are those that start workflows.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
var events = []string{
	"branch_protection_rule", "check_run", "check_suite", "commit_comment", "create", "delete", "deployment", "deployment_status", "discussion",
	"discussion_comment", "fork", "gollum", "image_version", "issue_comment", "issues", "label", "member", "merge_group", "milestone", "page_build", "project",
	"project_card", "project_column", "public", "pull_request", "pull_request_comment", "pull_request_review", "pull_request_review_comment",
	"pull_request_target", "push", "registry_package", "release", "repository_dispatch", "schedule", "status", "watch", "workflow_call",
	"workflow_dispatch", "workflow_run",
}

// wrongTriggers reports events and filters that the forge does not take: what such a
// workflow checks is not checked.
func wrongTriggers(p *Pipeline, report func(Flaw)) {
	for i := range p.Triggers {
		t := &p.Triggers[i]
		if e := t.Event.Value; !slices.Contains(events, e) && e != "" {
			report(Flaw{Rule: "invalid-definition", Place: p.place(t.Event.Span), Message: fmt.Sprintf("no event %q is known, so nothing starts this.", clip(e))})
		}
		for _, s := range t.Schedules {
			if !validCron(s.Cron.Value) && s.Cron.IsSet() {
				report(Flaw{Rule: "invalid-definition", Place: p.place(s.Cron.Span), Message: "this is no point in time that a schedule takes."})
			}
		}
		for _, list := range [][]Text{t.Branches, t.BranchesIgnore, t.Tags, t.TagsIgnore, t.Paths, t.PathsIgnore} {
			for _, pattern := range list {
				if strings.Count(pattern.Value, "[") != strings.Count(pattern.Value, "]") {
					report(Flaw{Rule: "invalid-definition", Place: p.place(pattern.Span), Message: "a bracket of this pattern has no partner, so it matches something else than it says."})
				}
			}
		}
	}
}

// validCron reports whether a text has five fields of POSIX cron in their bounds.
func validCron(s string) bool {
	fields := strings.Fields(s)
	if len(fields) != 5 {
		return false
	}
	most := [5]int{59, 23, 31, 12, 7}
	for i, f := range fields {
		for part := range strings.SplitSeq(f, ",") {
			part, _, _ = strings.Cut(part, "/")
			for bound := range strings.SplitSeq(part, "-") {
				n, err := strconv.Atoi(bound)
				if bound == "*" || err != nil && i >= 3 && len(bound) == 3 {
					continue // all, or the name of a month or day
				}
				if err != nil || n < 0 || n > most[i] {
					return false
				}
			}
		}
	}
	return true
}

// wrongInputs reports inputs that what is called does not have, and calls without a
// version.
func (x *Project) wrongInputs(p *Pipeline, report func(Flaw)) {
	check := func(with Data, called *Pipeline, scope string) {
		if called == nil || with.Kind != DataMap {
			return
		}
		for _, f := range with.Fields {
			if !slices.ContainsFunc(called.Inputs, func(in Input) bool { return strings.EqualFold(in.Name.Value, f.Name.Value) }) {
				report(Flaw{
					Rule: "invalid-definition", Place: p.place(f.Name.Span), Scope: scope, Message: fmt.Sprintf("what is called has no input %q.", clip(f.Name.Value)),
					Related: []Hop{{Place: called.start(), Text: "what is called"}},
				})
			}
		}
	}
	invalid := func(u Use, scope string) {
		if u.Kind == UseInvalid && u.IsSet() {
			report(Flaw{Rule: "invalid-definition", Place: p.place(u.Span), Scope: scope, Message: "this names no action: owner, name and version are needed."})
		}
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		invalid(j.Uses, jobScope(j))
		check(j.With, x.Workflow(j.Uses), jobScope(j))
	}
	for s := range p.steps() {
		if s.Step.Uses.Kind == UseInvalid {
			invalid(s.Step.Uses, s.Scope())
		}
		if called := x.Action(s.Step.Uses); called != nil {
			check(s.Step.With, called, s.Scope())
		}
	}
	for t := range p.texts() {
		for _, part := range t.Parts {
			source := t.Source(part)
			if part.Open || strings.TrimSpace(source) == "" {
				continue
			}
			if _, err := ParseExpression(source); err != nil {
				report(Flaw{Rule: "invalid-definition", Place: p.place(t.At(part.From, part.To)), Scope: t.Scope(), Message: "this expression cannot be read: " + err.Error() + "."})
			}
		}
	}
}

// scopes are the permissions that the forge knows.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
var scopes = []string{
	"actions", "artifact-metadata", "attestations", "checks", "code-quality", "contents", "deployments", "discussions", "id-token", "issues", "models", "packages", "pages",
	"pull-requests", "repository-projects", "security-events", "statuses", "copilot-requests", "vulnerability-alerts",
}

func wrongScopes(p *Pipeline, report func(Flaw)) {
	for _, perms := range allPermissions(p) {
		for _, s := range perms.Scopes {
			if !slices.Contains(scopes, s.Name.Value) {
				report(Flaw{Rule: "invalid-definition", Place: p.place(s.Name.Span), Message: fmt.Sprintf("no permission %q is known; a misspelt one leaves the token with other rights than meant.", clip(s.Name.Value))})
			}
		}
	}
}

// misfeatures reports what works and is better not used.
func misfeatures(x *Project, s stepAt, report func(Flaw)) {
	p, u := s.Pipeline, s.Step.Uses
	if shell := s.Step.Run.Shell; shell.Has() {
		oddShell(p, *shell.Get(), s.Scope(), report)
	}
	if u.Kind == UseRemote && strings.EqualFold(u.Owner+"/"+u.Repo, "actions/setup-python") {
		if pip := s.Step.With.Get("pip-install"); pip.Kind == DataScalar {
			report(Flaw{
				Rule: "misfeature", Place: p.place(pip.Text.Span), Scope: s.Scope(),
				Message: "packages are installed into the interpreter that every later step uses, in whatever version there is.",
			})
		}
	}
	if u.Kind == UseRemote || u.Kind == UseLocal || u.Kind == UseInvalid && u.IsSet() {
		full := strings.ReplaceAll(u.Path, `\`, "/")
		if u.Kind != UseLocal {
			full, _, _ = strings.Cut(strings.TrimSpace(u.Value), "@")
		}
		if clean := path.Clean(full); full != "" && full != "." && (clean != strings.TrimSuffix(full, "/") || u.Kind != UseLocal && strings.HasSuffix(full, "/")) {
			report(Flaw{
				Rule: "obfuscation", Place: p.place(u.Span), Scope: s.Scope(),
				Message: "the path takes a detour, so that who searches for it does not find it.",
			})
		}
	}
}

// oddShell reports shells that no analysis reads, ours among them.
func oddShell(p *Pipeline, shell Text, scope string, report func(Flaw)) {
	if !shell.IsSet() || len(shell.Parts) > 0 || p.Forge != GitHub {
		return
	}
	f := Flaw{Rule: "misfeature", Place: p.place(shell.Span), Scope: scope}
	switch DialectOf(shell.Value) {
	case DialectCmd:
		f.Message = "cmd has no way to quote a text for certain, so nothing that comes from outside can be used safely in it."
	case DialectOther:
		f.Message = "few tools can read scripts for this shell, so nobody checks what is in them."
	default:
		return
	}
	report(f)
}

// selfReference reports a use of the repository by the workspace.
func (x *Project) selfReference(p *Pipeline, u Use, scope string, report func(Flaw)) {
	if known, _ := x.View(GitHub).Lock(); u.Kind != UseLocal || p.Kind != KindWorkflow || !known || x.Settings.Forge.Server != (Version{}) {
		return
	}
	report(Flaw{
		Rule: "self-repository", Place: p.place(u.Span), Scope: scope,
		Message: "./ is what the workspace holds when the step runs; $/ is this repository at the commit that runs.",
	})
}

// obfuscated reports expressions that hide a constant.
func obfuscated(p *Pipeline, report func(Flaw)) {
	for t := range p.texts() {
		t.expressions([]string{"format", "join", "fromjson"}, func(e Expression, at func(penstock.Span) penstock.Span) {
			e.Walk(func(n *ExprNode) bool {
				switch {
				case n.Kind == ExprIndex && n.Args[1].Kind == ExprCall && n.Args[1].Name == "format":
				case n.Kind == ExprCall && (n.Name == "format" || n.Name == "join" || n.Name == "fromjson" && n.Args[0].Kind == ExprCall) && len(n.Args) > 0 && constants(n.Args):
				default:
					return true
				}
				report(Flaw{
					Rule: "obfuscation", Place: p.place(at(n.Span)), Scope: t.Scope(),
					Message: "what this comes to can be written plainly; put together like this, no search finds it.",
				})
				return false
			})
		})
	}
}

// constants reports whether all nodes are made of literals.
func constants(nodes []*ExprNode) bool {
	for _, n := range nodes {
		if n.Kind != ExprLiteral && !(n.Kind == ExprCall && len(n.Args) > 0 && n.Name != "hashfiles" && constants(n.Args)) {
			return false
		}
	}
	return true
}

// auditUpdates looks at the configuration of Dependabot.
func auditUpdates(_ *Project, p *Pipeline, report func(Flaw)) {
	if p.Dependabot == nil {
		return
	}
	for _, u := range p.Dependabot.Updates {
		scope := "updates of " + clip(u.Ecosystem.Value)
		if u.ExternalCode.Value == "allow" {
			report(Flaw{
				Rule: "dependabot-execution", Place: p.place(u.ExternalCode.Span), Scope: scope,
				Message: "while it looks for updates, code of the dependencies runs beside the credentials of private registries.",
			})
		}
		at := p.place(u.Ecosystem.Span)
		if !u.Ecosystem.IsSet() {
			at = p.place(penstock.Span{Start: u.Span.Start, End: u.Span.Start})
		}
		days := u.Cooldown.Get("default-days")
		switch {
		case u.Cooldown.Kind == DataNone:
			report(Flaw{
				Rule: "dependabot-cooldown", Place: at, Scope: scope,
				Message: "new versions are proposed the day they appear; most that are stolen or broken are found within a week.",
			})
		case days.Kind == DataNone:
			report(Flaw{Rule: "dependabot-cooldown", Place: p.place(u.Cooldown.Key), Scope: scope, Message: "without default-days most updates do not wait."})
		case len(days.Text.Value) == 1 && days.Text.Value < "7":
			report(Flaw{
				Rule: "dependabot-cooldown", Place: p.place(days.Text.Span), Scope: scope, Severity: penstock.Low,
				Message: "a wait of less than a week ends before most bad versions are found.",
			})
		}
	}
}
