package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// auditRuntime looks at what jobs run on and keep.
func auditRuntime(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub {
		return
	}
	if p.Kind == KindWorkflow && p.Concurrency.Span.End == 0 && len(p.Jobs) > 0 && !(p.Reusable() && len(p.Triggers) == 1) {
		covered := true
		for i := range p.Jobs {
			covered = covered && p.Jobs[i].Concurrency.Get().Span.End > 0
		}
		if !covered {
			report(Flaw{Rule: "concurrency-limits", Place: p.place(p.OnSpan), Message: "runs of this workflow overlap: an old one may end after a new one and overwrite what it made."})
		}
	}
	if c := p.Concurrency; c.CancelInProgress.Value == "false" {
		report(Flaw{Rule: "concurrency-limits", Place: p.place(c.CancelInProgress.Span), Message: "runs of old commits go on beside that of the newest."})
	}
	for i := range p.Jobs {
		runner(x, p, &p.Jobs[i], report)
		cacheInRelease(x, p, &p.Jobs[i], report)
	}
	for s := range p.steps() {
		unsecureCommands(s, report)
		agentTools(s, report)
	}
}

// retired are labels of hosted runners that no longer exist, with the day.
// https://github.com/actions/runner-images
var retired = []struct {
	label string
	since Date
}{
	{"ubuntu-16.04", "2021-09-20"}, {"ubuntu-18.04", "2023-04-03"}, {"ubuntu-20.04", "2025-04-15"},
	{"macos-10.15", "2022-08-30"}, {"macos-11", "2024-06-28"}, {"macos-12", "2024-12-03"}, {"macos-13", "2025-12-04"},
	{"windows-2016", "2022-03-15"}, {"windows-2019", "2025-06-30"},
}

func runner(x *Project, p *Pipeline, j *Job, report func(Flaw)) {
	wishes := wishesOf(j)
	for _, l := range j.RunsOn.Labels {
		if axis, ok := matrixAxis(l); ok {
			matrixValues(j, axis, func(t Text) { retiredLabel(x, p, j, t, report) })
		}
		retiredLabel(x, p, j, l, report)
	}
	if i := slices.IndexFunc(wishes, runnerWish.own); i >= 0 {
		ownRunner(p, j, ownLabel(wishes[i]), report)
	}
	if g := j.RunsOn.Group; g.IsSet() && len(g.Parts) == 0 {
		at := j.RunsOn.Span
		if i := bytes.LastIndex(p.Source[:at.Start], []byte("runs-on")); i >= 0 {
			at.Start = int64(i)
		}
		ownRunner(p, j, at, report)
	}
}

func ownRunner(p *Pipeline, j *Job, at penstock.Span, report func(Flaw)) {
	report(Flaw{
		Rule: "self-hosted-runner", Place: p.place(at), Scope: jobScope(j),
		Message: "a runner of your own keeps what a job leaves on it, unless it is made anew for each; keep code of strangers off it.",
	})
}

// matrixAxis is the axis of the matrix that a label is, if it is one.
func matrixAxis(l Text) (string, bool) {
	if !wholePath(l, "matrix.") {
		return "", false
	}
	e, _ := ParseExpression(l.Source(l.Parts[0]))
	path, _ := pathOf(e.Root)
	axis := strings.TrimPrefix(path, "matrix.")
	return axis, !strings.Contains(axis, ".")
}

// matrixValues calls do with every value that an axis of a job's matrix can have.
func matrixValues(j *Job, axis string, do func(Text)) {
	j.Strategy.Get().Matrix.Get(axis).Texts(do)
	for _, item := range j.Strategy.Get().Matrix.Get("include").Items {
		item.Get(axis).Texts(do)
	}
}

// ownLabel is where the label stands that makes a runner one's own: self-hosted, if it is
// there.
func ownLabel(w runnerWish) penstock.Span {
	at := slices.IndexFunc(w, func(l runnerLabel) bool { return strings.EqualFold(l.text, "self-hosted") })
	if at < 0 {
		at = slices.IndexFunc(w, func(l runnerLabel) bool { return runnerWish{l}.own() })
	}
	return w[max(at, 0)].span
}

func retiredLabel(x *Project, p *Pipeline, j *Job, l Text, report func(Flaw)) {
	label := strings.ToLower(l.Value)
	for _, r := range retired {
		if base, _, _ := strings.Cut(label, "-xl"); base == r.label && (x.Settings.AsOf == "" || x.Settings.AsOf >= r.since) {
			report(Flaw{
				Rule: "retired-runner", Place: p.place(l.Span), Scope: jobScope(j),
				Message: fmt.Sprintf("no hosted runner has had this label since %s: the job waits for whoever registers one.", r.since),
			})
		}
	}
}

// publisher returns the step of a job that gives something to others, if there is one.
func publisher(p *Pipeline, j *Job) (stepAt, bool) {
	for s := range jobSteps(p, j) {
		if sum := LookupAction(s.Step.Uses); sum != nil {
			for _, e := range sum.Effects {
				if e.Kind == EffectPublish && sum.Applies(e, s.Step.With) != False {
					return s, true
				}
			}
		}
		if publishes(s.Step.Run.Value)[0] >= 0 {
			return s, true
		}
	}
	return stepAt{}, false
}

// releases returns the event of a workflow that is about releases, empty for none.
func releases(p *Pipeline) string {
	if p.Trigger("release") != nil {
		return "release"
	}
	if t := p.Trigger("push"); t != nil && len(t.Tags) > 0 && len(t.Branches) == 0 {
		return "push of a tag"
	}
	return ""
}

// cacheInRelease reports caches that a job restores whose output others get.
func cacheInRelease(x *Project, p *Pipeline, j *Job, report func(Flaw)) {
	event := releases(p)
	publish, does := publisher(p, j)
	if event == "" && !does {
		return
	}
	for s := range jobSteps(p, j) {
		sum := LookupAction(s.Step.Uses)
		if cond := s.Step.If.Value; sum == nil || strings.Contains(cond, "refs/tags") || strings.Contains(cond, "ref_type") || strings.Contains(cond, "event_name") {
			continue // it may be left out of releases
		}
		for _, e := range sum.Effects {
			if e.Kind != EffectRestore || sum.Applies(e, s.Step.With) != True {
				continue
			}
			f := Flaw{
				Rule: "cache-in-release", Place: p.place(switchOf(s, e)), Scope: s.Scope(),
				Message: "what is released is built with a cache that other runs have written.",
			}
			if does {
				f.Related = []Hop{{Place: publish.where(), Text: "this gives the result to others"}}
			} else {
				f.Message += " The workflow runs by " + event + "."
			}
			if write, row := x.View(GitHub).CacheWrite("pull_request_target", OriginFork, ""); !write {
				f.Severity = penstock.Low
				f.Notes = append(f.Notes, row.Statement)
			}
			report(f)
			break
		}
	}
}

// switchOf is the input that makes an effect happen, or what the step uses.
func switchOf(s stepAt, e Effect) penstock.Span {
	for _, c := range e.Conditions {
		if d := s.Step.With.Get(c.Input); d.Kind == DataScalar && !c.Not {
			return d.Text.Span
		}
	}
	return s.Step.Uses.Span
}

// where is the step's own line: what it uses, or its script.
func (s stepAt) where() Place {
	if s.Step.Uses.IsSet() {
		return s.Pipeline.place(s.Step.Uses.Span)
	}
	return s.Pipeline.place(penstock.Span{Start: s.Step.Run.Key.Start, End: max(s.Step.Run.Key.End, s.Step.Run.Key.Start)})
}

// unsecureCommands reports commands by the log that the forge has turned off.
// https://github.blog/changelog/2020-10-01-github-actions-deprecating-set-env-and-add-path-commands/
func unsecureCommands(s stepAt, report func(Flaw)) {
	for _, sign := range []string{"::set-env ", "::add-path::", "::set-output ", "::save-state "} {
		if i := strings.Index(s.Step.Run.Value, sign); i >= 0 {
			report(Flaw{
				Rule: "insecure-commands", Tier: penstock.TierHygiene, Severity: penstock.Low, Place: s.Pipeline.place(s.Step.Run.At(i, i+len(sign))), Scope: s.Scope(),
				Message: "this works only where commands by the log are allowed, with which any line of output can set variables.",
			})
		}
	}
}

// agentTools reports agents that may do more than their task can need.
func agentTools(s stepAt, report func(Flaw)) {
	sum := LookupAction(s.Step.Uses)
	if sum == nil || !sum.Has(EffectAgent) {
		return
	}
	for i := range s.Step.With.Fields {
		d := s.Step.With.Fields[i].Value
		if d.Kind != DataScalar {
			continue
		}
		f := Flaw{Rule: "agent-tools", Scope: s.Scope()}
		role := RoleData
		if in := sum.Input(s.Step.With.Fields[i].Name.Value); in != nil {
			role = in.Role
		}
		switch {
		case strings.TrimSpace(d.Text.Value) == "*":
			f.Place, f.Message = s.Pipeline.place(d.Text.Span), "everyone may start the agent, people without any rights among them."
		case strings.TrimSpace(d.Text.Value) == "unsafe":
			f.Place, f.Message = s.Pipeline.place(d.Text.Span), "the agent may do everything, and keep the rights of the runner."
		case role != RolePrompt:
			for _, c := range []struct{ sign, why string }{
				{"dangerously-skip-permissions", "the agent asks for nothing and may do everything."},
				{"Bash(*)", "the agent may run any command."}, {"Bash(*:*)", "the agent may run any command."},
				{"danger-full-access", "the agent works without a sandbox."}, {"bypassPermissions", "the agent asks for nothing and may do everything."},
				{"--yolo", "the agent asks for nothing and may do everything."}, {"run_shell_command(*)", "the agent may run any command."},
				{"dangerously-bypass-approvals-and-sandbox", "the agent asks for nothing and works without a sandbox."},
			} {
				if i := strings.Index(d.Text.Value, c.sign); i >= 0 && f.Message == "" {
					f.Place, f.Message = s.Pipeline.place(d.Text.At(i, i+len(c.sign))), c.why
				}
			}
			if f.Message == "" {
				if i, ok := bareTool(d.Text.Value); ok && (role == RoleTools || role == RoleArguments || strings.Contains(d.Text.Value, "allow")) {
					f.Place, f.Message = s.Pipeline.place(d.Text.At(i, i+len("Bash"))), "the agent may run any command."
				}
			}
		}
		if f.Message != "" {
			report(f)
		}
	}
}

// bareTool finds Bash in a list of tools, without a pattern that narrows it.
func bareTool(list string) (int, bool) {
	for at := 0; ; {
		i := strings.Index(list[at:], "Bash")
		if i < 0 {
			return 0, false
		}
		i += at
		at = i + len("Bash")
		before := i == 0 || strings.ContainsRune(" ,\"'\n\t[=", rune(list[i-1]))
		after := at == len(list) || strings.ContainsRune(" ,\"'\n\t]", rune(list[at]))
		if before && after {
			return i, true
		}
	}
}
