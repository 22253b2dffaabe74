package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// grave are the scopes whose write access changes what others run or trust.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
func grave(scope string) bool {
	switch scope {
	case "actions", "attestations", "contents", "deployments", "id-token", "packages", "pages", "pull-requests", "security-events":
		return true
	}
	return false
}

// auditPermissions looks for more rights than jobs need.
func auditPermissions(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Kind != KindWorkflow {
		return
	}
	broad := func(perms Permissions, scope string) {
		if perms.Text.IsSet() && perms.All >= LevelRead {
			f := Flaw{Rule: "excessive-permissions", Place: p.place(perms.Span), Scope: scope, Severity: penstock.Medium, Message: "write-all lets every step do all that the token can do, from pushing code to publishing packages."}
			if perms.All == LevelRead {
				f.Severity, f.Message = penstock.Low, "read-all lets every step read all that the token can see, security findings and private packages among it."
			}
			report(f)
		}
	}
	broad(p.Permissions, "")
	uncovered := 0
	for i := range p.Jobs {
		j := &p.Jobs[i]
		broad(j.Permissions, jobScope(j))
		if !j.Permissions.IsSet() {
			uncovered++
		}
	}
	if uncovered > 0 && len(p.Jobs) > 1 {
		for _, s := range p.Permissions.Scopes {
			if s.Level == LevelWrite {
				sev := penstock.Low
				if grave(s.Name.Value) {
					sev = penstock.Medium
				}
				report(Flaw{
					Rule: "excessive-permissions", Place: p.place(penstock.Span{Start: s.Name.Span.Start, End: s.Value.Span.End}), Severity: sev,
					Message: fmt.Sprintf("%s: write is given to %d %s; name it in the job that needs it.", clip(s.Name.Value), uncovered, plural(uncovered, "job", "jobs")),
				})
			}
		}
	}
	x.missingPermissions(p, report)
	for _, perms := range allPermissions(p) {
		for _, s := range perms.Scopes {
			if s.Level != LevelWrite || x.documented(p, s) {
				continue
			}
			report(Flaw{
				Rule: "undocumented-permissions", Place: p.place(penstock.Span{Start: s.Name.Span.Start, End: s.Value.Span.End}),
				Message: fmt.Sprintf("nothing says why %s: write is needed.", clip(s.Name.Value)),
			})
		}
	}
}

func allPermissions(p *Pipeline) []Permissions {
	all := []Permissions{p.Permissions}
	for i := range p.Jobs {
		all = append(all, p.Jobs[i].Permissions)
	}
	return all
}

// documented reports whether a comment stands behind a scope or on the line above it.
func (x *Project) documented(p *Pipeline, s Scope) bool {
	start, end := p.line(s.Name.Span.Start)
	above, _ := p.line(start - 1)
	return len(p.commentsIn(above, end)) > 0
}

// commentsIn are the comments that begin in a part of the file, which has them in
// their order.
func (p *Pipeline) commentsIn(start, end int64) []syntax.Comment {
	from, _ := slices.BinarySearchFunc(p.Comments, start, func(c syntax.Comment, at int64) int { return cmp.Compare(c.Start, at) })
	to, _ := slices.BinarySearchFunc(p.Comments, end, func(c syntax.Comment, at int64) int { return cmp.Compare(c.Start, at) })
	return p.Comments[from:max(from, to)]
}

// lineOf is the number of the line that a byte of the file stands on, from 1.
func (p *Pipeline) lineOf(off int64) int {
	p.line(off) // which finds the lines
	i, found := slices.BinarySearch(p.lines, off)
	if found {
		i++
	}
	return i
}

// line is the line that a byte of the file stands on, with its end of line.
func (p *Pipeline) line(off int64) (start, end int64) {
	n := int64(len(p.Source))
	off = max(0, min(off, n))
	if p.lines == nil {
		p.lines = append(make([]int64, 0, 1+bytes.Count(p.Source, []byte{'\n'})), 0)
		for i, b := range p.Source {
			if b == '\n' {
				p.lines = append(p.lines, int64(i)+1)
			}
		}
	}
	i, found := slices.BinarySearch(p.lines, off)
	if !found {
		i--
	}
	if i+1 < len(p.lines) {
		return p.lines[i], p.lines[i+1]
	}
	return p.lines[i], n
}

// riskyEvents are those that strangers cause and that run with the repository's own
// rights.
func riskyEvents(p *Pipeline) []string {
	var events []string
	for _, t := range p.Triggers {
		switch t.Event.Value {
		case "pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch", "gollum":
			events = append(events, t.Event.Value)
		}
	}
	return events
}

// missingPermissions reports a workflow that leaves the rights of its token to a
// setting.
func (x *Project) missingPermissions(p *Pipeline, report func(Flaw)) {
	access, row := x.View(GitHub).TokenDefaultOf("push", OriginRepository, x.Settings.GitHub.Created)
	if d := x.Settings.GitHub.DefaultToken; d != "" {
		access = d
	}
	if p.Permissions.IsSet() || access == AccessRead || p.Reusable() && len(p.Triggers) == 1 {
		return
	}
	var open []*Job
	for i := range p.Jobs {
		if j := &p.Jobs[i]; !j.Permissions.IsSet() {
			open = append(open, j)
		}
	}
	if len(open) == 0 {
		return
	}
	f := Flaw{
		Rule: "missing-permissions", Place: p.place(open[0].ID.Span), Scope: jobScope(open[0]), Severity: penstock.Low,
		Message: "nothing says what the token of this job may do, so a setting decides, which for older repositories is all.",
	}
	if len(open) > 1 {
		f.Message = fmt.Sprintf("nothing says what the token may do in %d jobs, so a setting decides, which for older repositories is all.", len(open))
	}
	if events := riskyEvents(p); len(events) > 0 {
		f.Severity = penstock.Medium
		f.Message += " Strangers can start it by " + strings.Join(events, ", ") + "."
	}
	for _, j := range open[1:] {
		f.Related = append(f.Related, Hop{Place: p.place(j.ID.Span), Text: "here, too"})
	}
	f.Notes = append(f.Notes, row.Statement)
	report(f)
}

// auditTokens looks at tokens that are asked for beside the job's own, and at what the
// job's is used for.
func auditTokens(x *Project, p *Pipeline, report func(Flaw)) {
	for s := range p.steps() {
		u := s.Step.Uses
		if u.Kind == UseRemote && strings.EqualFold(u.Owner, "actions") && strings.EqualFold(u.Repo, "create-github-app-token") {
			appToken(s, report)
		}
		if u.Kind == UseRemote && strings.EqualFold(u.Owner+"/"+u.Repo, "tibdex/github-app-token") && s.Step.With.Get("permissions").Kind == DataNone {
			report(Flaw{
				Rule: "app-token-not-narrowed", Place: s.Pipeline.place(u.Span), Scope: s.Scope(),
				Message: "the token has all rights of the app in all repositories of its installation.",
			})
		}
		s.selfApprove(report)
	}
	x.wideIdentity(p, report)
}

func appToken(s stepAt, report func(Flaw)) {
	with := s.Step.With
	if with.Kind == DataScalar {
		return
	}
	narrowed := false
	for _, f := range with.Fields {
		narrowed = narrowed || strings.HasPrefix(strings.ToLower(f.Name.Value), "permission-")
	}
	at := s.Pipeline.place(s.Step.Uses.Span)
	if !narrowed {
		report(Flaw{
			Rule: "app-token-not-narrowed", Place: at, Scope: s.Scope(),
			Message: "the token has all rights of the app; name those that are needed by permission-* inputs.",
		})
	}
	if owner := with.Get("owner"); owner.Kind == DataScalar && with.Get("repositories").Kind == DataNone {
		report(Flaw{
			Rule: "app-token-not-narrowed", Place: s.Pipeline.place(owner.Text.Span), Scope: s.Scope(),
			Message: "with owner and without repositories the token holds for every repository of the installation.",
		})
	}
	if skip := with.Get("skip-token-revoke"); skip.Kind == DataScalar && skip.Text.Value == "true" {
		report(Flaw{
			Rule: "app-token-not-narrowed", Place: s.Pipeline.place(skip.Text.Span), Scope: s.Scope(),
			Message: "the token stays valid after the job, for up to an hour.",
		})
	}
}

// selfApprove reports a workflow that approves pull requests: the review that a rule
// asks for is then no one's.
func (s stepAt) selfApprove(report func(Flaw)) {
	approves := func(at penstock.Span) {
		report(Flaw{Rule: "self-approve", Tier: penstock.TierHygiene, Place: s.Pipeline.place(at), Scope: s.Scope(), Message: "this approves the pull request, so a rule that asks for a review is met without anyone's."})
	}
	if sum := LookupAction(s.Step.Uses); sum != nil {
		for _, e := range sum.Effects {
			if e.Kind == EffectApprove && sum.Applies(e, s.Step.With) != False {
				approves(s.Step.Uses.Span)
				return
			}
		}
	}
	for _, text := range []Text{s.Step.Run.Text, s.Step.With.Get("script").Text} {
		if !holds(text.Value, "approve") && !strings.Contains(text.Value, "gh pr review") {
			continue
		}
		for _, sign := range []string{"gh pr review", "event: 'APPROVE'", `event: "APPROVE"`, "event=APPROVE"} {
			i := strings.Index(text.Value, sign)
			if i < 0 {
				continue
			}
			rest, _, _ := strings.Cut(text.Value[i:], "\n")
			if sign == "gh pr review" && !strings.Contains(rest, "--approve") && !strings.Contains(rest, " -a") {
				continue
			}
			approves(text.At(i, i+len(sign)))
			return
		}
	}
}

// wideIdentity reports an identity token that jobs can get and do not use.
func (x *Project) wideIdentity(p *Pipeline, report func(Flaw)) {
	for i := range p.Jobs {
		j := &p.Jobs[i]
		for _, s := range j.Permissions.Scopes {
			if events := riskyEvents(p); s.Name.Value == "id-token" && s.Level == LevelWrite && len(events) > 0 {
				report(Flaw{
					Rule: "oidc-too-broad", Tier: penstock.TierHygiene, Place: p.place(penstock.Span{Start: s.Name.Span.Start, End: s.Value.Span.End}), Scope: jobScope(j),
					Message: "strangers can start this job, by " + strings.Join(events, ", ") + ", and it can get an identity token; whoever trusts the repository trusts what runs here.",
				})
			}
		}
	}
	if p.Permissions.Level("id-token") != LevelWrite {
		return
	}
	var without []*Job
	jobs := 0
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.Permissions.IsSet() {
			continue
		}
		jobs++
		if j.Uses.Kind == UseNone && !usesIdentity(p, j) {
			without = append(without, j)
		}
	}
	if len(without) == 0 || jobs < 2 {
		return
	}
	for _, s := range p.Permissions.Scopes {
		if s.Name.Value == "id-token" {
			report(Flaw{
				Rule: "oidc-too-broad", Tier: penstock.TierHygiene, Place: p.place(penstock.Span{Start: s.Name.Span.Start, End: s.Value.Span.End}),
				Message: fmt.Sprintf("%s can get an identity token, and does not seem to need one; give id-token: write to the job that signs in.", jobScope(without[0])),
			})
		}
	}
}

// usesIdentity reports whether something in a job may ask for an identity token.
func usesIdentity(p *Pipeline, j *Job) bool {
	for s := range jobSteps(p, j) {
		u := s.Step.Uses
		if u.Kind != UseNone {
			sum := LookupAction(u)
			if sum == nil && !strings.EqualFold(u.Owner, "actions") {
				return true // not known: it may
			}
			if sum != nil {
				for _, e := range sum.Effects {
					if e.Argument("oidc") != "" || e.Kind == EffectAttest || e.Kind == EffectPublish || e.Kind == EffectDeploy {
						return true
					}
				}
			}
		}
		for _, sign := range []string{"ACTIONS_ID_TOKEN", "getIDToken", "cosign", "sigstore", "npm publish", "--provenance", "twine", "gcloud", "aws ", "az login", "vault", "publish"} {
			if strings.Contains(s.Step.Run.Value, sign) || strings.Contains(s.Step.With.Get("script").Text.Value, sign) {
				return true
			}
		}
	}
	return false
}
