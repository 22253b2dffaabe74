package pipeline

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"penstock"
)

// auditDefinition looks at the file itself: what the forge and a reader may take for
// different things.
func auditDefinition(x *Project, p *Pipeline, report func(Flaw)) {
	for _, n := range p.Notes {
		f := Flaw{Rule: "invalid-definition", Place: p.place(n.Span), Message: n.Message + "."}
		switch n.Kind {
		case NoteDuplicate:
			f.Rule, f.Message = "duplicate-key", "the key is there twice: one reader takes the first value, another the last, a third refuses the file."
			f.Related = []Hop{{Place: p.place(n.Other), Text: "the key again"}}
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
	}
	for s := range p.steps() {
		misfeatures(x, s, report)
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

// scopes are the permissions that the forge knows.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
var scopes = []string{
	"actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token", "issues", "models", "packages", "pages",
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
	if DialectOf(s.Step.Run.Shell.Value) == DialectCmd && s.Step.Run.Shell.IsSet() {
		report(Flaw{
			Rule: "misfeature", Place: p.place(s.Step.Run.Shell.Span), Scope: s.Scope(),
			Message: "cmd has no way to quote a text for certain, so nothing that comes from outside can be used safely in it.",
		})
	}
	if u.Kind == UseRemote && strings.EqualFold(u.Owner+"/"+u.Repo, "actions/setup-python") {
		if pip := s.Step.With.Get("pip-install"); pip.Kind == DataScalar {
			report(Flaw{
				Rule: "misfeature", Place: p.place(pip.Text.Span), Scope: s.Scope(),
				Message: "packages are installed into the interpreter that every later step uses, in whatever version there is.",
			})
		}
	}
	if known, _ := x.View(GitHub).Lock(); u.Kind == UseLocal && p.Kind == KindWorkflow && known && x.Settings.Forge.Server == (Version{}) {
		report(Flaw{
			Rule: "self-repository", Place: p.place(u.Span), Scope: s.Scope(),
			Message: "./ is what the workspace holds when the step runs; $/ is this repository at the commit that runs.",
		})
	}
	if u.Kind == UseRemote || u.Kind == UseLocal {
		if clean := path.Clean(strings.ReplaceAll(u.Path, `\`, "/")); u.Path != "" && clean != strings.TrimSuffix(u.Path, "/") && u.Path != "." {
			report(Flaw{
				Rule: "obfuscation", Place: p.place(u.Span), Scope: s.Scope(),
				Message: "the path takes a detour, so that who searches for it does not find it.",
			})
		}
	}
}

// obfuscated reports expressions that hide a constant.
func obfuscated(p *Pipeline, report func(Flaw)) {
	for t := range p.texts() {
		t.expressions(func(e Expression, at func(penstock.Span) penstock.Span) {
			e.Walk(func(n *ExprNode) bool {
				switch {
				case n.Kind == ExprIndex && n.Args[1].Kind == ExprCall && n.Args[1].Name == "format":
				case n.Kind == ExprCall && (n.Name == "format" || n.Name == "join") && len(n.Args) > 0 && constants(n.Args):
				default:
					return true
				}
				report(Flaw{
					Rule: "obfuscation", Place: p.place(at(n.Span)), Scope: t.Scope,
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
