package pipeline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"penstock"
)

// Bounds of the analysis of one project. What lies beyond is left out, never guessed.
const (
	flowSteps    = 50_000 // steps of jobs and actions looked at, over all entries, and flowTimes those of the files
	flowTimes    = 5
	flowShell    = 20_000_000
	factWork     = 50  // of one fact about a script, in bytes of scripts
	flowFiles    = 200 // scripts of the repository that are read
	flowFileSize = 256 << 10
	flowDepth    = 4 // actions and workflows that call one another
	flowScripts  = 3 // scripts of the repository that call one another
	flowHops     = 30
	flowTaints   = 6 // of one text: who and what is said by the first few
)

// taint is one thing that is known of a text or of files: who has a say in it.
type taint struct {
	// path is the context that it came from, or another name of the source.
	path  string
	shape Shape
	actor ActorClass
	after string
	// code says that the text names a commit, branch or repository whose content the
	// actor writes; moves that it can name something else by the time it is used.
	code, moves bool
	// told: the forge was asked for it by the number of the event, and of no other.
	told bool
	// checked says that a script has let nothing harmful through.
	checked bool
	// encoded says that it is JSON.
	encoded bool
	// model says that a model wrote it.
	model bool
	// stored says that it was there before the run: who causes the run has no part in it.
	stored bool
	// file says that it is the content of files that the actor wrote.
	file fileOrigin
	// named is what says which code is checked out.
	named Place
	// before are hops of another run, which this one comes after.
	before []Hop
	// doubt says why it is not certain that it gets here; empty if it is.
	doubt string
	way   *way
}

// fileOrigin is where files of a stranger came from.
type fileOrigin uint8

const (
	filesNone     fileOrigin = iota
	filesCheckout            // a stranger's code was checked out
	filesArtifact            // an artifact of a run that a stranger controls
)

// outsider reports whether someone without rights has a say in the text.
func (t taint) outsider() bool { return t.actor == ActorAnyone || t.actor == ActorReturning }

// injects reports whether an outsider can write what a shell or program would run.
func (t taint) injects() bool { return t.outsider() && !t.checked && t.shape.Injects() }

// value is what is known of a text: nothing, or who has a say in it.
type value []taint

// with joins two values, the weakest actor first kept.
func (v value) with(w value) value {
	if len(w) == 0 {
		return v
	}
	if len(v) == 0 {
		return w
	}
	out := slices.Clone(v)
	for _, t := range w {
		i := slices.IndexFunc(out, func(o taint) bool {
			return o.path == t.path && o.shape == t.shape && o.actor == t.actor && o.code == t.code && o.file == t.file && o.model == t.model && o.checked == t.checked
		})
		if i < 0 && len(out) < flowTaints {
			out = append(out, t)
		}
	}
	return out
}

// through is the value after one more step of its way.
func (v value) through(place Place, text string) value {
	if len(v) == 0 {
		return v
	}
	out := slices.Clone(v)
	for i := range out {
		out[i].way = out[i].way.then(Hop{Place: place, Text: text})
	}
	return out
}

// sign writes all that is known of the text but the way it came.
func (v value) sign(w io.Writer) {
	for _, t := range v {
		fmt.Fprintf(w, "%s %d %d %s %t %t %t %t %t %d %s\x00", t.path, t.shape, t.actor, t.after, t.code, t.moves, t.checked, t.encoded, t.model, t.file, t.doubt)
	}
	w.Write([]byte{1})
}

// outsiders are the taints in which an outsider has a say.
func (v value) outsiders() value {
	var out value
	for _, t := range v {
		if t.outsider() {
			out = append(out, t)
		}
	}
	return out
}

// way is a list of hops, the last first, that grows without being copied.
type way struct {
	prev *way
	hop  Hop
	n    int
}

func (w *way) then(h Hop) *way {
	n := 1
	if w != nil {
		if n = w.n + 1; n > flowHops || w.hop.Place == h.Place && w.hop.Text == h.Text {
			return w
		}
	}
	return &way{prev: w, hop: h, n: n}
}

// hops are the hops of the way, the first first.
func (w *way) hops() []Hop {
	if w == nil {
		return nil
	}
	out := make([]Hop, w.n)
	for ; w != nil; w = w.prev {
		out[w.n-1] = w.hop
	}
	return out
}

// tree is a folder of the workspace.
type tree struct {
	// taint is whose files are in it; a zero actor is nobody's but the repository's.
	taint taint
	// text names it: "the head of the pull request".
	text string
}

func (t tree) foreign() bool { return t.taint.file != filesNone }

// flows is the analysis of one project.
type flows struct {
	x      *Project
	drafts map[draftKey]*draft
	order  []draftKey
	// Drafts that are held, those of them that are joined, and those of which there are
	// enough without them.
	tally  *tally
	held   map[tierRule]int
	joints map[joint]int
	left   map[draftKey]leftDraft
	// ran are the places that lead to code of strangers which runs, of drafts that are
	// not held.
	ran map[Place]bool

	templates map[string]Template
	bodies    map[string]Expression
	controls  map[[2]string]controlAnswer
	scripts   map[string]*ShellResult
	entries   map[*Pipeline][]Entry
	prizes    map[prizeKey][]Prize
	inlined   map[*Pipeline]bool // actions that some workflow uses

	hand                *Prize // the best that a workflow started by hand has
	steps, shell, files int
	forge               forgeMemo
	most                int // of steps
	poison              []poisoning
	victims             []victim // nil before they are looked for
	// runners are the jobs that ask for a runner, by its label; of those in weighed only
	// the two that have the most to lose are left.
	runners map[string][]victim
	harmed  map[through]int // the tier of the worst harm through it, while it is reported
	weighed map[string]bool
	// byFile and byName find workflows that can be started by hand, and hands their entries.
	byFile, byName map[string]*Pipeline
	hands          map[handKey]*Entry
	handRuns       map[[32]byte]int         // what ranByHand has seen, with how many that start one another
	starters       map[*Trigger][]*Pipeline // what startersOf said
}

type controlAnswer struct {
	control Control
	ok      bool
}

type prizeKey struct {
	job *Job
	e   *Entry
}

// newFlows is the flow, which follows what outsiders control through all definitions.
func newFlows(x *Project) *flows {
	return &flows{
		x: x, tally: newTally(x), held: make(map[tierRule]int), joints: make(map[joint]int), left: make(map[draftKey]leftDraft),
		ran: make(map[Place]bool), harmed: make(map[through]int), drafts: make(map[draftKey]*draft), templates: make(map[string]Template), bodies: make(map[string]Expression),
		controls: make(map[[2]string]controlAnswer), scripts: make(map[string]*ShellResult),
		entries: make(map[*Pipeline][]Entry), prizes: make(map[prizeKey][]Prize), inlined: make(map[*Pipeline]bool),
	}
}

// tired reports whether no more scripts are looked at.
func (f *flows) tired() bool {
	if f.shell <= flowShell {
		return false
	}
	f.x.limit(limitShell)
	return true
}

// spent reports whether no more steps are looked at.
func (f *flows) spent() bool {
	if f.steps < f.most {
		return false
	}
	f.x.limit(limitWays)
	return true
}

// run goes through all definitions, and then through what leads from one to another.
func (f *flows) run(report func(Flaw)) {
	x := f.x
	f.most = flowSteps
	for _, p := range x.Pipelines {
		f.most += flowTimes * p.size()
	}
	for _, p := range x.Pipelines {
		if p.Kind == KindWorkflow {
			f.workflow(p)
		}
	}
	for _, p := range x.Pipelines {
		if p.Forge == GitHub && p.Kind == KindAction && !f.inlined[p] {
			f.loneAction(p)
		}
	}
	f.forges()
	f.poisoned()
	f.emit(report)
}

func (f *flows) entriesOf(p *Pipeline) []Entry {
	es, ok := f.entries[p]
	if !ok {
		es = f.x.Entries(p)
		f.entries[p] = es
	}
	return es
}

// workflow runs a definition by each of its entries that can differ.
func (f *flows) workflow(p *Pipeline) {
	es := f.entriesOf(p)
	seen := make(map[string]bool)
	conditional := false
	conditions(p, func(*Job, int, Text) { conditional = true })
	for i := range es {
		e := &es[i]
		if e.caller != nil || !e.passable() {
			continue // its callers run it, or only people with rights, who have an entry of their own
		}
		// Entries of people with rights differ in nothing that is looked at but the
		// event, by which inputs exist and conditions hold.
		if !e.Outsider() {
			key := e.Event
			if !conditional && e.Event != "workflow_dispatch" && e.Event != "repository_dispatch" && e.Event != "workflow_call" && e.Event != "release" && e.Event != "push" && e.Event != "schedule" {
				key = "other"
			} else if e.Event == "workflow_run" && len(e.Via) > 0 {
				key += e.Via[len(e.Via)-1].Text
			}
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		r := &flowRun{flows: f, p: p, e: e, jobs: make(map[string]*jobRun)}
		r.run()
	}
}

// passable reports whether outsiders come in by an entry, at least with the help of
// someone with rights.
func (e *Entry) passable() bool {
	return !slices.ContainsFunc(e.gates, func(g Gate) bool { return g.Stops && !g.Once })
}

// template is the parsed form of a text.
func (f *flows) template(text string) Template {
	t, ok := f.templates[text]
	if !ok {
		t = ParseTemplate(text)
		f.templates[text] = t
	}
	return t
}

// control is ControlOf with a memory.
func (f *flows) control(path, event string) (Control, bool) {
	key := [2]string{path, event}
	a, ok := f.controls[key]
	if !ok {
		a.control, a.ok = ControlOf(path, event)
		f.controls[key] = a
	}
	return a.control, a.ok
}

// summary is what the table says of an action, or of the one that it is a copy of.
func (f *flows) summary(u Use) *ActionSummary {
	if s := LookupAction(u); s != nil {
		return s
	}
	return copiedAction(u)
}

func (f *flows) prizesOf(p *Pipeline, e *Entry, j *Job) []Prize {
	key := prizeKey{j, e}
	all, ok := f.prizes[key]
	if !ok {
		all = f.x.Prizes(p, e, j)
		f.prizes[key] = all
	}
	return all
}

// flowRun is one run of a workflow: by one entry, with what its caller gives it.
type flowRun struct {
	*flows
	p *Pipeline
	e *Entry
	// inputs are what the caller gives; called says that there is one.
	inputs map[string]value
	called bool
	jobs   map[string]*jobRun
	// depth counts calls of workflows, stack names their callers.
	depth int
	stack []*Pipeline
	// artifacts are those that jobs of the run have uploaded with files of strangers.
	artifacts map[string]tree
	outputs   map[string]value
	// origin is the way before the run, where a run of another workflow starts it; cause
	// is the event of that.
	origin []Hop
	cause  string
}

// run goes through the jobs, each after those that it needs.
func (r *flowRun) run() {
	for _, j := range byNeeds(r.p.Jobs) {
		if r.spent() {
			return
		}
		r.flows.steps++
		jr := &jobRun{flowRun: r, j: j, dirs: make(map[string]tree), env: make(map[string]envVar), reached: make(map[int]reached)}
		r.jobs[strings.ToLower(j.ID.Value)] = jr
		jr.run()
	}
	if r.called {
		r.outputs = make(map[string]value)
		fr := &frame{run: r, file: r.p, inputs: r.inputs}
		for _, o := range r.p.Outputs {
			if v := fr.value(o.Value); v != nil {
				r.outputs[strings.ToLower(o.Name.Value)] = v
			}
		}
	}
}

// byNeeds are the jobs so that each comes after those that it needs, otherwise in the
// order of the file.
func byNeeds(jobs []Job) []*Job {
	byID := make(map[string]*Job, len(jobs))
	for i := range jobs {
		byID[strings.ToLower(jobs[i].ID.Value)] = &jobs[i]
	}
	out := make([]*Job, 0, len(jobs))
	state := make(map[*Job]uint8, len(jobs))
	var visit func(j *Job, depth int)
	visit = func(j *Job, depth int) {
		if state[j] != 0 || depth > 500 {
			return
		}
		state[j] = 1
		for _, n := range j.Needs {
			if other := byID[strings.ToLower(n.Value)]; other != nil {
				visit(other, depth+1)
			}
		}
		out = append(out, j)
	}
	for i := range jobs {
		visit(&jobs[i], 0)
	}
	return out
}

// draftKey is what makes one flaw of several.
type draftKey struct {
	rule, path string
	span       penstock.Span
}

// draft is a flaw that further ways may join.
type draft struct {
	Flaw
	rank int
	cuts []pathCut
}

var tierRank = map[penstock.Tier]int{penstock.TierHygiene: 1, penstock.TierExploitable: 2, penstock.TierProvenPath: 3}

// add joins a flaw with what is known at its place. The best tier counts, then the
// weakest actor, then the shorter way.
func (f *flows) add(flaw Flaw, cuts pathCut) {
	if p := f.x.byPath[flaw.Path]; p != nil && len(p.Files) > 0 {
		flaw = f.x.located(flaw) // a file that many are made of has its flaws once
	}
	key := draftKey{flaw.Rule, flaw.Path, flaw.Span}
	d := f.drafts[key]
	rank := tierRank[flaw.Tier]*100 - int(flaw.Actor)*10
	if d == nil {
		if !f.room(key, &flaw) {
			return
		}
		d = &draft{Flaw: flaw, rank: rank}
		f.drafts[key] = d
		f.order = append(f.order, key)
	} else {
		events, reaches := d.Events, d.Reaches
		same := tierRank[flaw.Tier] == tierRank[d.Tier]
		switch {
		case rank > d.rank:
			better := tierRank[flaw.Tier] > tierRank[d.Tier]
			if better {
				f.held[d.tierRule()]--
				f.held[flaw.tierRule()]++
			}
			d.Flaw, d.rank = flaw, rank
			if better {
				d.cuts = nil
				events, reaches = nil, nil
			}
			d.Events, d.Reaches = join(flaw.Events, events), join(flaw.Reaches, reaches)
		case same:
			d.Events, d.Reaches = join(events, flaw.Events), join(reaches, flaw.Reaches)
		default:
			return
		}
	}
	if len(cuts.options) > 0 && len(d.cuts) < 40 {
		d.cuts = append(d.cuts, cuts)
	}
}

// leftDraft is a draft that is not held: its tier, and with what it is joined.
type leftDraft struct {
	tier  penstock.Tier
	joint joint
}

// room reports whether a new draft is held. The bounds are those of what is reported; a
// draft that may be joined with others counts up to what is shown of them.
func (f *flows) room(key draftKey, flaw *Flaw) bool {
	k, j := flaw.tierRule(), joint{}
	full := f.held[k] >= maxFlaws
	if with, ok := flaw.joint(); ok {
		if n := f.joints[with]; n > maxAlso {
			j, full = with, true
		} else if !full {
			f.joints[with]++
		}
	}
	if !full {
		f.held[k]++
		delete(f.left, key)
		return true
	}
	if old, known := f.left[key]; !known || tierRank[k.tier] > tierRank[old.tier] {
		f.left[key] = leftDraft{k.tier, j}
	}
	f.tally.harm.add(flaw)
	if runsCode(flaw) {
		f.ran[flaw.Place] = true
		for _, h := range flaw.Trace {
			f.ran[h.Place] = true
		}
	}
	return false
}

// runsCode reports whether a flaw makes one of a checkout needless.
func runsCode(f *Flaw) bool {
	return (f.Rule == "untrusted-code-execution" || f.Rule == "checkout-race") && tierRank[f.Tier] >= tierRank[penstock.TierExploitable]
}

// join is the union of two lists in the order of their first appearance.
func join(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) && len(out) < 12 {
			out = append(out, s)
		}
	}
	return out
}

// emit reports what was found, in order of place, and counts what was not held.
func (f *flows) emit(report func(Flaw)) {
	slices.SortFunc(f.order, func(a, b draftKey) int {
		return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.span.Start, b.span.Start), cmp.Compare(a.span.End, b.span.End), strings.Compare(a.rule, b.rule))
	})
	for _, d := range f.drafts {
		f.noteThrough(d)
		if !runsCode(&d.Flaw) {
			continue
		}
		if d.Rule == "checkout-race" {
			f.ran[d.Place] = true
		}
		for _, h := range d.Trace {
			f.ran[h.Place] = true
		}
	}
	for _, key := range f.order {
		if f.superseded(key) {
			continue
		}
		d := f.drafts[key]
		if key.rule == "checkout-race" && f.outrun(d) {
			continue
		}
		slices.Sort(d.Events)
		if d.Tier == penstock.TierProvenPath {
			d.Cut = f.minimalCut(d.cuts)
		}
		report(d.Flaw)
	}
	for key, l := range f.left {
		switch {
		case f.superseded(key):
		case l.joint.job != "":
			f.tally.also[l.joint]++
		default:
			f.tally.over[fileRule{key.rule, key.path}]++
		}
	}
}

// through is a checkout, or a download of an artifact, in a job.
type through struct {
	path, job string
	place     Place
}

// throughs calls do for each checkout and download on the way of a draft.
func (d *draft) throughs(do func(through)) {
	job, _, _ := strings.Cut(d.Scope, ",")
	for _, h := range d.Trace {
		if strings.Contains(h.Text, "it is checked out") || strings.Contains(h.Text, "into the workspace") || strings.Contains(h.Text, "brings in files of that run") {
			do(through{d.Path, job, h.Place})
		}
	}
}

// noteThrough notes what harm leads through.
func (f *flows) noteThrough(d *draft) {
	if d.Rule != "untrusted-code-execution" && d.Rule != "artifact-poisoning" {
		return
	}
	d.throughs(func(t through) { f.harmed[t] = max(f.harmed[t], tierRank[d.Tier]) })
}

// outrun reports whether the code of a checkout that can change after somebody's approval
// was seen to run in the job without that, too: then there is no race to win.
func (f *flows) outrun(race *draft) bool {
	found := false
	race.throughs(func(t through) {
		rank, harmed := f.harmed[t]
		found = found || harmed && rank >= tierRank[race.Tier]
	})
	return found
}

// superseded reports whether what a draft says is a part of another: an expansion that is
// an injection, a checkout of code that was seen to run.
func (f *flows) superseded(key draftKey) bool {
	switch key.rule {
	case "template-expansion":
		other := draftKey{"template-injection", key.path, key.span}
		_, left := f.left[other]
		return left || f.drafts[other] != nil
	case "untrusted-checkout":
		return f.ran[Place{key.path, key.span}]
	}
	return false
}
