package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// upload hands files to later jobs of the run, or to other runs.
func (jr *jobRun) upload(fr *frame, st *Step, s *ActionSummary, e Effect) {
	dir := jr.inputPath(st, s, e.Argument("path"))
	t := jr.treeAt(firstLine(dir))
	if !t.foreign() && jr.ran == nil {
		return
	}
	if !t.foreign() {
		t = tree{text: "files of a job in which a stranger's code ran", taint: taint{path: "files of a job in which a stranger's code ran", shape: ShapeText, actor: jr.e.Actor, file: filesArtifact, way: jr.ran}}
	}
	name, _ := s.Value(e.Argument("name"), st.With)
	at := Place{fr.file.Path, st.Uses.Span}
	t.taint.file = filesArtifact
	t.taint.way = t.taint.way.then(Hop{Place: at, Text: "the job " + jr.j.ID.Value + " uploads it as the artifact " + name})
	if jr.artifacts == nil {
		jr.flowRun.artifacts = make(map[string]tree)
	}
	jr.flowRun.artifacts[name] = t
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

// download puts files of an artifact into a folder.
func (jr *jobRun) download(fr *frame, st *Step, s *ActionSummary, e Effect) {
	dir := jr.inputPath(st, s, e.Argument("path"))
	at := Place{fr.file.Path, st.Uses.Span}
	name, _ := s.Value(e.Argument("name"), st.With)
	var t tree
	if e.Argument("cross") != "" {
		if run := e.Argument("run"); run == "run-id" {
			// Without a token it is the run's own.
			if d := st.With.Get("run-id"); d.Kind != DataScalar {
				jr.ownArtifact(dir, name, at)
				return
			}
		}
		var ok bool
		if t, ok = jr.foreignArtifact(at, s.Name, name); !ok {
			return
		}
	} else {
		jr.ownArtifact(dir, name, at)
		return
	}
	jr.put(dir, t)
}

// ownArtifact is a download of what another job of the same run has uploaded.
func (jr *jobRun) ownArtifact(dir, name string, at Place) {
	t, ok := jr.artifacts[name]
	if !ok && name == "" {
		for _, k := range sortedKeys(jr.artifacts) {
			t, ok = jr.artifacts[k], true
			break
		}
	}
	if !ok {
		return
	}
	t.taint.way = t.taint.way.then(Hop{Place: at, Text: "the job " + jr.j.ID.Value + " downloads the artifact " + name})
	jr.put(dir, t)
}

// foreignArtifact is an artifact of the run that this one comes after, if a stranger
// controls that.
func (jr *jobRun) foreignArtifact(at Place, by, name string) (tree, bool) {
	if jr.e.Event != "workflow_run" || !jr.attacked() {
		return tree{}, false
	}
	hops, ok := jr.sourceRun(name)
	if !ok {
		return tree{}, false
	}
	t := taint{path: "an artifact of a run that a stranger controls", shape: ShapeText, actor: jr.e.Actor, file: filesArtifact, code: true, moves: true}
	t.before = hops
	t.way = t.way.then(Hop{Place: at, Text: by + " brings in files of that run, which its author chose"})
	return tree{taint: t, text: "an artifact of a run that a stranger controls"}, true
}

// sourceRun says where the run uploads an artifact whose end starts this one, if a
// stranger's own version of it runs.
func (jr *jobRun) sourceRun(name string) ([]Hop, bool) {
	for _, p := range jr.x.Pipelines {
		if p.Kind != KindWorkflow || !jr.startedBy(p) {
			continue
		}
		for _, e := range jr.entriesOf(p) {
			if !e.Own || !e.Outsider() || e.Trigger == nil {
				continue
			}
			at := jr.uploadOf(p, name)
			if at.Path == "" {
				at = Place{p.Path, e.Trigger.Event.Span}
			}
			text := "the author's own version of this workflow runs, and uploads what the author likes as an artifact"
			if name != "" && !strings.Contains(name, "${{") {
				text += " (" + clip(name) + ")"
			}
			return []Hop{{Place: at, Text: text}}, true
		}
	}
	return nil, false
}

// startedBy reports whether the end of a run of p starts this run.
func (jr *jobRun) startedBy(p *Pipeline) bool {
	trigger := jr.p.Trigger("workflow_run")
	if trigger == nil {
		trigger = jr.e.Trigger
	}
	if trigger == nil {
		return false
	}
	name := p.Name.Value
	if name == "" {
		name = strings.TrimPrefix(p.Path, jr.x.Root)
	}
	for _, w := range trigger.Workflows {
		if ok, err := path.Match(w.Value, name); w.Value == name || err == nil && ok {
			return true
		}
	}
	return false
}

// uploadOf is where a workflow uploads an artifact, of that name if there is one.
func (jr *jobRun) uploadOf(p *Pipeline, name string) Place {
	var any Place
	for i := range p.Jobs {
		for k := range p.Jobs[i].Steps {
			st := &p.Jobs[i].Steps[k]
			if st.Uses.Kind != UseRemote {
				continue
			}
			s := jr.summary(st.Uses)
			if s == nil {
				continue
			}
			for _, e := range s.Effects {
				if e.Kind != EffectUpload {
					continue
				}
				at := Place{p.Path, st.Uses.Span}
				if got, _ := s.Value(e.Argument("name"), st.With); got == name {
					return at
				}
				if any.Path == "" {
					any = at
				}
			}
		}
	}
	return any
}

// poisoning is a job in which a stranger can save any cache.
type poisoning struct {
	p      *Pipeline
	j      *Job
	hops   []Hop
	actor  ActorClass
	event  string
	proven bool
	rank   int
}

// poisons notes that a stranger's code runs in a job that may save caches which other
// runs restore. Which keys and paths they have is up to that code.
func (jr *jobRun) poisons(s sink, t taint, flaw Flaw, pass passage) {
	if !jr.attacked() {
		return
	}
	if jr.ran == nil {
		for _, h := range flaw.Trace {
			jr.ran = jr.ran.then(h)
		}
	}
	if jr.p.Forge != GitHub {
		return
	}
	v := jr.x.View(GitHub)
	scope, scopeRow := v.CacheScope(jr.e.Event)
	if scope != FromDefault && scope != FromBase {
		return
	}
	mode := jr.j.CacheMode
	if !mode.IsSet() {
		mode = jr.p.CacheMode
	}
	asked := mode.Value
	if len(mode.Parts) > 0 {
		asked = ""
	}
	writes, row := v.CacheWrite(jr.e.Event, jr.e.Origin, asked)
	if !writes {
		return
	}
	at := Place{jr.p.Path, jr.j.ID.Span}
	text := "the code can save caches under any key"
	if mode.IsSet() {
		at = Place{jr.p.Path, mode.Span}
		text = "cache-mode: " + asked + " lets the code save caches under any key"
	}
	hops := slices.Clone(flaw.Trace)
	for n := len(hops); n > 0 && strings.HasPrefix(hops[n-1].Text, gainText); n-- {
		hops = hops[:n-1]
	}
	hops = append(hops, Hop{Place: at, Text: text, Row: &row}, Hop{Place: at, Text: "the cache is in the scope that every run restores from", Row: &scopeRow})
	p := poisoning{p: jr.p, j: jr.j, hops: hops, actor: flaw.Actor, event: jr.e.Event, proven: pass.sure && t.doubt == "" && t.after == "" && jr.e.After == ""}
	p.rank = -int(p.actor)
	if p.proven {
		p.rank += 100
	}
	for i, o := range jr.flows.poison {
		if o.j == p.j {
			if p.rank > o.rank {
				jr.flows.poison[i] = p
			}
			return
		}
	}
	jr.flows.poison = append(jr.flows.poison, p)
}

// poisoned reports the jobs that restore a cache which a stranger can have saved, and
// have something to lose.
func (f *flows) poisoned() {
	if len(f.poison) == 0 {
		return
	}
	slices.SortStableFunc(f.poison, func(a, b poisoning) int { return b.rank - a.rank })
	for _, p := range f.x.Pipelines {
		if p.Kind != KindWorkflow {
			continue
		}
		for i := range p.Jobs {
			j := &p.Jobs[i]
			at, what := f.restores(p, j)
			if at.Path == "" {
				continue
			}
			e, prizes := f.victim(p, j)
			if e == nil {
				continue
			}
			for _, from := range f.poison {
				if from.j == j {
					continue
				}
				tier := penstock.TierExploitable
				if from.proven {
					tier = penstock.TierProvenPath
				}
				flaw := Flaw{Rule: "cache-poisoning", Tier: tier, Place: at, Scope: "job " + j.ID.Value, Actor: from.actor, Events: []string{from.event},
					Message: "a job with " + prizes[0].Text + " restores a cache that a stranger can have saved"}
				flaw.Trace = append(slices.Clone(from.hops), Hop{Place: at, Text: "the job " + j.ID.Value + " restores a cache (" + what + "), by " + e.Event})
				flaw.Trace = append(flaw.Trace, gains(prizes)...)
				for n, p := range prizes {
					if n < 6 {
						flaw.Reaches = append(flaw.Reaches, p.Text)
					}
				}
				f.add(flaw, pathCut{[]cutOption{
					{at, "do not restore caches in the job " + j.ID.Value, 1},
					{Place{from.p.Path, from.j.ID.Span}, "give the job " + from.j.ID.Value + " cache-mode: read", 2},
				}})
				break
			}
		}
	}
}

// restores is where a job restores a cache, and what is in it.
func (f *flows) restores(p *Pipeline, j *Job) (Place, string) {
	mode := j.CacheMode.Value
	if mode == "" {
		mode = p.CacheMode.Value
	}
	if mode == "none" || mode == "write-only" {
		return Place{}, ""
	}
	var look func(steps []Step, outer *Place, depth int) (Place, string)
	look = func(steps []Step, outer *Place, depth int) (Place, string) {
		for i := range steps {
			st := &steps[i]
			at := Place{p.Path, st.Uses.Span}
			switch st.Uses.Kind {
			case UseLocal, UseSelf:
				a := f.x.Action(st.Uses)
				if a == nil || a.Action == nil || depth > flowDepth {
					continue
				}
				if outer != nil {
					at = *outer
				}
				if at, what := look(a.Action.Steps, &at, depth+1); at.Path != "" {
					return at, what
				}
			case UseRemote:
				s := f.summary(st.Uses)
				if s == nil {
					continue
				}
				for _, e := range s.Effects {
					if e.Kind != EffectRestore || s.Applies(e, st.With) == False || e.What == "docker" {
						continue
					}
					if outer != nil {
						return *outer, cmpText(e.What, s.Name)
					}
					if c := st.With.Get("cache"); c.Kind == DataScalar && !strings.HasPrefix(strings.ToLower(s.Name), "actions/cache") {
						at.Span = c.Span
					}
					return at, cmpText(e.What, s.Name)
				}
			}
		}
		return Place{}, ""
	}
	return look(j.Steps, nil, 0)
}

// victim is an entry by which a job has something worth a poisoned cache.
func (f *flows) victim(p *Pipeline, j *Job) (*Entry, []Prize) {
	es := f.entriesOf(p)
	var best *Entry
	var prizes []Prize
	for i := range es {
		e := &es[i]
		if e.Own && e.Outsider() {
			continue
		}
		got := worthTaking(f.prizesOf(p, e, j))
		if len(got) == 0 || best != nil && got[0].Weight <= prizes[0].Weight {
			continue
		}
		if e.Outsider() {
			if truth, _ := f.x.Reach(p, e, j); truth == False {
				continue
			}
		}
		best, prizes = e, got
	}
	return best, prizes
}

// worthTaking are the prizes for which a run is attacked.
func worthTaking(all []Prize) []Prize {
	return slices.DeleteFunc(slices.Clone(all), func(p Prize) bool {
		return p.Kind == PrizeCache || p.Kind == PrizeRunner || p.Setting || p.Weight < worthIt
	})
}

// agent is a model that acts on texts of strangers.
func (jr *jobRun) agent(fr *frame, st *Step, s *ActionSummary, e Effect, out *stepOut) {
	if !jr.attacked() {
		return
	}
	if admits := e.Argument("admits"); admits != "anyone" {
		open := false
		for _, a := range e.Arguments {
			if a.Name != "gate" {
				continue
			}
			text, known := s.Value(a.Value, st.With)
			if a.Value == "allowed_bots" || a.Value == "allow-bots" {
				continue
			}
			open = open || known && (strings.TrimSpace(text) == "*" || text == "any" || text == "read" || text == "anyone")
		}
		if !open {
			return
		}
	}
	at := Place{fr.file.Path, st.Uses.Span}
	var v value
	for _, f := range st.With.Fields {
		in := s.Input(f.Name.Value)
		if in == nil || in.Role != RolePrompt {
			continue
		}
		fr.parts(f.Value.Text, func(i Interpolation, _ string, w value) {
			if bad := w.injecting(); len(bad) > 0 && len(v) == 0 {
				at, v = fr.place(f.Value.Text, i.From, i.To), bad
			}
		})
	}
	if len(v) == 0 {
		for _, what := range strings.Split(e.Argument("reads"), ",") {
			t := taint{shape: ShapeText, actor: ActorAnyone}
			switch {
			case what == "pull" && strings.HasPrefix(jr.e.Event, "pull_request"), what == "issue" && (jr.e.Event == "issues" || jr.e.Event == "issue_comment"),
				what == "comment" && strings.Contains(jr.e.Event, "comment"):
				t.path = "the " + strings.ReplaceAll(what, "pull", "pull request") + " of the event"
				t.way = t.way.then(Hop{Place: at, Text: s.Name + " reads the " + strings.ReplaceAll(what, "pull", "pull request") + " by itself"})
			case what == "workspace" && jr.ws.foreign():
				t = jr.ws.taint
			default:
				continue
			}
			v = value{t}
			break
		}
	}
	if len(v) == 0 {
		return
	}
	for i := range s.Outputs {
		if o := &s.Outputs[i]; o.From == FromModel {
			m := slices.Clone(v)
			for k := range m {
				m[k].model, m[k].shape, m[k].file, m[k].code, m[k].path = true, o.Shape, filesNone, false, "what "+s.Name+" answers"
			}
			out.named[strings.ToLower(o.Name)] = m.through(at, s.Name+" is asked with it, and gives its answer as the output "+o.Name)
		}
	}
	if e.Argument("tools") == "none" {
		return
	}
	strong, tools := jr.agentTools(fr, st, s, e)
	k := sink{rule: "agent-prompt-injection", place: at, scope: jr.scope(st), step: st, text: "it is a part of what the agent of " + s.Name + " is asked",
		message: describe(v[0].path) + " is read by an agent that acts with the rights of the job", prized: true}
	if !strong {
		k.most = penstock.TierExploitable
	}
	if tools.Path != "" {
		v = v.through(tools, "the agent may use tools that run commands: "+toolNames(st, s))
	}
	jr.sink(fr, k, v)
}

// agentTools reports whether an agent can run commands, and where that is said.
func (jr *jobRun) agentTools(fr *frame, st *Step, s *ActionSummary, e Effect) (strong bool, at Place) {
	for _, f := range st.With.Fields {
		in := s.Input(f.Name.Value)
		if in == nil || in.Role != RoleTools {
			continue
		}
		if toolsRun(f.Value.Text.Value) {
			return true, Place{fr.file.Path, f.Value.Text.Span}
		}
	}
	switch e.What {
	case "anthropic", "google", "github":
		return false, Place{}
	case "openai":
		sandbox, known := s.Value("sandbox", st.With)
		return known && sandbox != "read-only" && strings.HasPrefix(strings.ToLower(s.Name), "openai/"), Place{}
	}
	return true, Place{}
}

// toolsRun reports whether a list of tools has one that runs any command.
func toolsRun(text string) bool {
	for _, w := range []string{"dangerously", "--yolo", "run_shell_command", "danger-full-access", "Bash(*)", "Bash(:*)"} {
		if strings.Contains(text, w) && !strings.Contains(text, "isallow") {
			return true
		}
	}
	return bareBash.MatchString(text) && !strings.Contains(text, "disallowed")
}

var bareBash = regexp.MustCompile(`\bBash\b([^(]|$)`)

func toolNames(st *Step, s *ActionSummary) string {
	for _, f := range st.With.Fields {
		if in := s.Input(f.Name.Value); in != nil && in.Role == RoleTools && toolsRun(f.Value.Text.Value) {
			if bareBash.MatchString(f.Value.Text.Value) {
				return "Bash"
			}
			return "a shell"
		}
	}
	return "a shell"
}

// deputy is a step that merges or approves a pull request.
func (jr *jobRun) deputy(fr *frame, st *Step, at Place, what string) {
	if !jr.attacked() || fr.lone || !strings.HasPrefix(jr.e.Event, "pull_request") && jr.e.Event != "workflow_run" && jr.e.Event != "issue_comment" {
		return
	}
	pass := jr.passage(false)
	if !pass.open {
		return
	}
	reason := "nothing asks who opened the pull request"
	gates := append(slices.Clone(jr.reach.gates), jr.stepReach().gates...)
	if len(gates) > 0 {
		if !slices.ContainsFunc(gates, func(g Gate) bool { return g.Weakness != "" && g.Kind == GuardActor }) {
			return
		}
		reason = "the check of the actor can be passed by others"
	}
	t := taint{path: "a pull request", shape: ShapeText, actor: ActorAnyone}
	jr.sink(fr, sink{rule: "confused-deputy-merge", place: at, scope: jr.scope(st), step: st, most: penstock.TierExploitable, prized: true,
		text: what + " accepts the pull request: " + reason, message: "pull requests are merged or approved without a person: " + reason}, value{t})
}

var (
	mergeCommand   = regexp.MustCompile(`gh pr merge\b[^\n]*`)
	approveCommand = regexp.MustCompile(`gh pr review\b[^\n]*--approve[^\n]*`)
)

// scriptRules look at commands of a script by their look.
func (jr *jobRun) scriptRules(fr *frame, st *Step, c code) {
	if !jr.attacked() || !strings.Contains(c.text, "gh pr ") {
		return
	}
	m := mergeCommand.FindStringIndex(c.text)
	if m == nil {
		m = approveCommand.FindStringIndex(c.text)
	}
	if m != nil {
		jr.deputy(fr, st, c.place(penstock.Span{Start: int64(m[0]), End: int64(m[1])}), "gh pr")
	}
}

// jobRules look at a job that runs a stranger's own version of the definition.
func (jr *jobRun) jobRules(fr *frame) {
	if !jr.e.Own || !jr.e.Outsider() || fr.lone {
		return
	}
	prizes := jr.prizesOf(jr.p, jr.e, jr.j)
	t := taint{path: "the pull request", shape: ShapeText, actor: jr.e.Actor}
	scope := "job " + jr.j.ID.Value
	for _, p := range prizes {
		if p.Kind == PrizeRunner && asks(jr.j.RunsOn, p.Name) {
			at := p.Place
			if at.Path == "" {
				at = Place{jr.p.Path, jr.j.RunsOn.Span}
			}
			jr.sink(fr, sink{rule: "self-hosted-runner-exposed", place: at, scope: scope, only: []PrizeKind{PrizeRunner},
				text: "the author's own code runs on " + p.Text, message: "pull requests of strangers run on " + p.Text + ", where they can stay"}, value{t})
			break
		}
	}
	kinds := []PrizeKind{PrizeSecret, PrizeSecrets, PrizeIdentity, PrizeWrite, PrizeCloud, PrizePublish}
	for _, p := range prizes {
		if slices.Contains(kinds, p.Kind) {
			jr.sink(fr, sink{rule: "secrets-on-untrusted-code", place: Place{jr.p.Path, jr.j.ID.Span}, scope: scope, only: kinds,
				text: "the author's own code runs in the job " + jr.j.ID.Value, message: "pull requests of strangers run with " + p.Text}, value{t})
			break
		}
	}
}

// asks reports whether a job wants a runner with the label, as far as the file says.
func asks(r RunsOn, label string) bool {
	return slices.ContainsFunc(r.Labels, func(t Text) bool {
		return strings.EqualFold(t.Value, label) || len(t.Parts) > 0 && strings.Contains(t.Value, label)
	})
}

// loneAction looks at an action of the repository that no workflow here uses.
func (f *flows) loneAction(p *Pipeline) {
	if p.Action == nil || len(p.Action.Steps) == 0 {
		return
	}
	e := &Entry{Event: "", Actor: ActorWriter}
	j := &Job{Steps: p.Action.Steps}
	r := &flowRun{flows: f, p: p, e: e, jobs: make(map[string]*jobRun)}
	jr := &jobRun{flowRun: r, j: j, dirs: make(map[string]tree), env: make(map[string]envVar), reached: make(map[int]reached)}
	fr := &frame{run: r, job: jr, file: p, steps: make(map[string]*stepOut), stack: []*Pipeline{p}, lone: true}
	for i := range j.Steps {
		jr.n = i
		jr.step(fr, &j.Steps[i])
	}
}

// loneSink reports a sink in an action: whoever uses it for strangers' events is open,
// if the action is there for others to use.
func (jr *jobRun) loneSink(fr *frame, flaw Flaw, s sink, t taint) {
	flaw.Tier = penstock.TierHygiene
	dir := path.Dir(strings.TrimPrefix(jr.p.Path, jr.x.Root))
	if s.rule == "template-injection" && t.shape != ShapeUnset && dir == "." && t.after == "" && t.doubt == "" {
		flaw.Tier = penstock.TierExploitable
		flaw.Confidence = penstock.ConfidenceMedium
		flaw.Notes = append(flaw.Notes, "Nothing in this repository uses the action: whoever uses it for events of strangers is open to them.")
	}
	flaw.Scope = s.scope
	flaw.Trace = append(t.way.hops(), Hop{Place: s.place, Text: s.text})
	jr.add(flaw, pathCut{})
}

// dispatch runs another workflow of the repository that a script starts with untrusted
// inputs.
func (jr *jobRun) dispatch(fr *frame, st *Step, at Place, workflow string, inputs map[string]value) {
	if jr.depth >= flowDepth || !jr.attacked() {
		return
	}
	target := jr.startable(workflow)
	if target == nil || slices.Contains(jr.stack, target) {
		return
	}
	pass := jr.passage(false)
	if !pass.open {
		return
	}
	es := jr.entriesOf(target)
	for i := range es {
		if es[i].Event != "workflow_dispatch" || es[i].caller != nil {
			continue
		}
		e := es[i]
		e.Actor, e.After = jr.e.Actor, jr.e.After
		hops := jr.trace(sink{place: at, text: "the script starts the workflow " + clip(workflow) + ", with a text of the outsider as an input", calls: fr.calls}, taint{}, pass)
		hops = append(hops, Hop{Place: Place{target.Path, es[i].Trigger.Event.Span}, Text: "the workflow runs for workflow_dispatch"})
		if !pass.sure {
			for k, v := range inputs {
				v = slices.Clone(v)
				for n := range v {
					v[n].doubt = cmpText(v[n].doubt, "whether the step that starts the workflow is reached")
				}
				inputs[k] = v
			}
		}
		r := &flowRun{flows: jr.flows, p: target, e: &e, inputs: inputs, jobs: make(map[string]*jobRun), depth: jr.depth + 1,
			stack: append(slices.Clone(jr.stack), jr.p, target), origin: hops, cause: jr.e.Event}
		r.run()
		return
	}
}

// startable is the workflow of a file name, or name, that can be started by hand.
func (f *flows) startable(name string) *Pipeline {
	for _, p := range f.x.Pipelines {
		if p.Kind == KindWorkflow && p.Trigger("workflow_dispatch") != nil && (path.Base(p.Path) == path.Base(name) || p.Name.Value == name) {
			return p
		}
	}
	return nil
}
