package pipeline

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"penstock"
)

// stepAt is a step with what encloses it.
type stepAt struct {
	Pipeline *Pipeline
	// Job is nil in a composite action.
	Job   *Job
	Index int // among the steps of the job or action; that of the group for parallel ones
	Step  *Step
}

// Scope names the step for people: "job build, step 3".
func (s stepAt) Scope() string {
	b := make([]byte, 0, 96)
	if s.Job != nil {
		b = append(append(append(b, "job "...), clip(s.Job.ID.Value)...), ", "...)
	}
	b = strconv.AppendInt(append(b, "step "...), int64(s.Index)+1, 10)
	if name := s.Step.ID.Value; name != "" {
		b = append(append(append(b, " ("...), clip(name)...), ')')
	}
	return string(b)
}

func jobScope(j *Job) string { return "job " + clip(j.ID.Value) }

// steps yields the steps of all jobs, or of a composite action, parallel ones each by
// itself.
func (p *Pipeline) steps() iter.Seq[stepAt] {
	return func(yield func(stepAt) bool) {
		for i := range p.Jobs {
			if !eachStep(p, &p.Jobs[i], p.Jobs[i].Steps, yield) {
				return
			}
		}
		if p.Action != nil {
			eachStep(p, nil, p.Action.Steps, yield)
		}
	}
}

// jobSteps yields the steps of one job.
func jobSteps(p *Pipeline, j *Job) iter.Seq[stepAt] {
	return func(yield func(stepAt) bool) { eachStep(p, j, j.Steps, yield) }
}

func eachStep(p *Pipeline, j *Job, list []Step, yield func(stepAt) bool) bool {
	for n := range list {
		s := &list[n]
		if len(s.Parallel) > 0 {
			for k := range s.Parallel {
				if !yield(stepAt{p, j, n, &s.Parallel[k]}) {
					return false
				}
			}
			continue
		}
		if !yield(stepAt{p, j, n, s}) {
			return false
		}
	}
	return true
}

// textAt is a text with what encloses it.
type textAt struct {
	*Text
	in stepAt // the step that it belongs to, if it does
	of string // what else it belongs to
	// Condition: it is an expression even without signs around it.
	Condition bool
}

// Scope names what the text belongs to for people, as stepAt.Scope does.
func (t textAt) Scope() string {
	if t.in.Step != nil {
		return t.in.Scope()
	}
	return t.of
}

// size is the number of its jobs and steps.
func (p *Pipeline) size() int {
	n := len(p.Jobs)
	for range p.steps() {
		n++
	}
	return n
}

// texts yields every text of the definition in which the forge resolves expressions.
func (p *Pipeline) texts() iter.Seq[textAt] {
	return func(yield func(textAt) bool) {
		w := textWalk{yield: yield}
		w.text(&p.RunName, "")
		w.data(&p.Env, "")
		w.text(&p.Concurrency.Group, "")
		w.text(&p.Concurrency.CancelInProgress, "")
		for i := range p.Outputs {
			w.text(&p.Outputs[i].Value, "outputs")
		}
		for i := range p.Triggers {
			for k := range p.Triggers[i].Outputs {
				w.text(&p.Triggers[i].Outputs[k].Value, "outputs")
			}
		}
		for i := range p.Jobs {
			w.job(&p.Jobs[i])
		}
		if a := p.Action; a != nil {
			for i := range a.Args {
				w.text(&a.Args[i], "")
			}
			w.data(&a.Env, "")
		}
		for s := range p.steps() {
			if w.done {
				return
			}
			w.step(s)
		}
	}
}

type textWalk struct {
	yield func(textAt) bool
	done  bool
	at    stepAt // the step that the texts belong to
}

func (w *textWalk) text(t *Text, scope string)      { w.give(t, scope, false) }
func (w *textWalk) condition(t *Text, scope string) { w.give(t, scope, true) }

func (w *textWalk) give(t *Text, scope string, condition bool) {
	if w.done || !t.IsSet() || len(t.Parts) == 0 {
		return
	}
	w.done = !w.yield(textAt{t, w.at, scope, condition})
}

func (w *textWalk) data(d *Data, scope string) {
	if d.Kind == DataScalar {
		w.text(&d.Text, scope)
	}
	for i := range d.Items {
		w.data(&d.Items[i], scope)
	}
	for i := range d.Fields {
		w.data(&d.Fields[i].Value, scope)
	}
}

func (w *textWalk) container(c *Container, scope string) {
	w.text(&c.Image, scope)
	w.data(&c.Credentials, scope)
	w.data(&c.Env, scope)
	w.text(&c.Options, scope)
}

func (w *textWalk) job(j *Job) {
	scope := jobScope(j)
	w.text(&j.Name, scope)
	w.condition(&j.If, scope)
	for i := range j.RunsOn.Labels {
		w.text(&j.RunsOn.Labels[i], scope)
	}
	w.text(&j.RunsOn.Group, scope)
	if j.Environment.Has() {
		w.text(&j.Environment.Get().Name, scope)
		w.text(&j.Environment.Get().URL, scope)
	}
	w.data(&j.Env, scope)
	w.data(&j.Outputs, scope)
	if j.Strategy.Has() {
		w.data(&j.Strategy.Get().Matrix, scope)
	}
	if j.Container.Has() {
		w.container(j.Container.Get(), scope)
	}
	for i := range j.Services {
		w.container(&j.Services[i].Container, scope)
	}
	if j.Defaults.Has() {
		w.text(&j.Defaults.Get().Dir, scope)
	}
	if j.Concurrency.Has() {
		w.text(&j.Concurrency.Get().Group, scope)
	}
	w.data(&j.With, scope)
	if j.Secrets.Has() {
		w.data(j.Secrets.Get(), scope)
	}
}

func (w *textWalk) step(s stepAt) {
	w.at = s
	w.text(&s.Step.Name, "")
	w.condition(&s.Step.If, "")
	w.text(&s.Step.Uses.Text, "")
	w.data(&s.Step.With, "")
	w.data(&s.Step.Env, "")
	w.text(&s.Step.Run.Text, "")
	if s.Step.Run.Shell.Has() {
		w.text(s.Step.Run.Shell.Get(), "")
	}
	if s.Step.Run.Dir.Has() {
		w.text(s.Step.Run.Dir.Get(), "")
	}
}

// expressions calls do with each expression of a text that can be read and holds one
// of the words, in small letters, and says where in the file a span of it stands.
func (t textAt) expressions(words []string, do func(e Expression, at func(penstock.Span) penstock.Span)) {
	for _, part := range t.Parts {
		source := t.Source(part)
		if !slices.ContainsFunc(words, func(w string) bool { return holds(source, w) }) {
			continue
		}
		e, err := ParseExpression(source)
		if err != nil {
			continue
		}
		do(e, func(s penstock.Span) penstock.Span { return t.At(part.Inner+int(s.Start), part.Inner+int(s.End)) })
	}
}

// place is a span of the definition.
func (p *Pipeline) place(s penstock.Span) Place {
	path, in := p.Locate(s)
	return Place{path, in}
}

// holds reports whether a text holds a word of ASCII letters, in any case.
func holds(text, word string) bool {
	first := word[0] | 0x20
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == first && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
