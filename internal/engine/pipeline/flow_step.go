package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"penstock"
)

// jobRun is one job of a run, with what its steps have done so far.
type jobRun struct {
	*flowRun
	j *Job
	// env are the variables of workflow and job, and those that steps have set, by
	// name in lower case.
	env map[string]envVar
	// ws is the workspace, dirs are folders in it and elsewhere that differ from it.
	ws   tree
	dirs map[string]tree
	// files are those that scripts have written with texts of outsiders.
	files map[string]keptFile
	// n is the step of the job that runs, also within the actions that it uses.
	n       int
	reached map[int]reached
	reach   reached
	outputs map[string]value
	any     value // of every output, named or not
	// ran is set when a stranger's code has run in the job.
	ran *way
	// seen are the scripts that again has seen.
	seen map[[32]byte]bool
	// ended is set when a step has failed for the code of every fork: only steps that
	// ask for it run after that.
	ended bool
}

// keptFile is a file with a text of outsiders, and what wrote the text there.
type keptFile struct {
	value value
	from  string
	// pull is shellPull where it is an answer about a pull request.
	pull ShellLabels
}

type envVar struct {
	name  string
	value value
	// text is what the file says, with its expressions.
	text string
}

// reached is the answer of Reach, kept.
type reached struct {
	truth Truth
	gates []Gate
}

// shut reports whether nobody gets there by the entry. An outsider who is stopped by
// what somebody with rights can do for him, a label or a comment, gets there after it.
func (r reached) shut() bool {
	if r.truth != False {
		return false
	}
	helped := false
	for _, g := range r.gates {
		if g.Stops && !g.Once {
			return true
		}
		helped = helped || g.Stops
	}
	return !helped
}

// stepOut is what a step gives to later ones.
type stepOut struct {
	named map[string]value
	any   value // of outputs that are not named
	// clobbered are writes that can set other outputs.
	clobbered []clobber
	// set are the variables of later steps that the step has set.
	set map[string]bool
	// guess is what is known of an output that is not named by its name alone.
	guess func(name string) value
}

func (o *stepOut) get(name string) value {
	if o == nil {
		return nil
	}
	if name == "*" {
		v := o.any
		for _, k := range sortedKeys(o.named) {
			v = v.with(o.named[k])
		}
		return v
	}
	if v, ok := o.named[name]; ok {
		return v.with(o.any)
	}
	if o.guess != nil {
		return o.guess(name).with(o.any)
	}
	return o.any
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// frame is where expressions are resolved: the steps of a job, or of an action.
type frame struct {
	run    *flowRun
	job    *jobRun // nil beside jobs
	file   *Pipeline
	inputs map[string]value
	// literals are the inputs of an action that are given as plain texts.
	literals map[string]string
	steps    map[string]*stepOut
	// over are the variables of the steps around, innermost last.
	over  []map[string]envVar
	stack []*Pipeline
	// calls are the steps that use the action, the outermost first.
	calls []Hop
	// lone: nobody here uses the action, so nothing is known of inputs and event.
	lone bool
}

func (fr *frame) place(t Text, from, to int) Place {
	return Place{fr.file.Path, t.At(from, to)}
}

// value is what is known of a text: who has a say in the expressions in it.
func (fr *frame) value(t Text) value {
	if len(t.Parts) == 0 {
		return nil
	}
	var out value
	template := fr.run.template(t.Value)
	paths := template.TextPaths()
	if len(paths) > 0 && chooses(t.Value) {
		if env := fr.decides(template); env != nil {
			paths = template.paths(func(e Expression) []ContextPath { return e.TextPathsIn(env) })
		}
	}
	for _, c := range paths {
		out = out.with(fr.read(c.Name, fr.place(t, int(c.Span.Start), int(c.Span.End))))
	}
	return out
}

// chooses reports whether a text may have alternatives.
func chooses(text string) bool {
	return strings.Contains(text, "&&") || strings.Contains(text, "||") || strings.Contains(text, "case(")
}

// decides is what is known of the run where alternatives stand; nil if nothing is.
func (fr *frame) decides(t Template) *Environment {
	if fr.lone || fr.run.p.Forge != GitHub || fr.run.e.Env == nil || fr.run.e.Event == "workflow_call" {
		return nil
	}
	return fr.knows(t)
}

// read is resolve with the first hop of the way, where the way begins here.
func (fr *frame) read(path string, at Place) value {
	v := fr.resolve(path)
	if len(v) == 0 {
		return nil
	}
	fresh := false
	for _, t := range v {
		fresh = fresh || t.way == nil
	}
	if !fresh {
		return v
	}
	v = slices.Clone(v)
	for i := range v {
		if v[i].way == nil {
			v[i].way = v[i].way.then(Hop{Place: at, Text: sourceText(v[i])})
		}
	}
	return v
}

// sourceText says who writes a text, and what it is.
func sourceText(t taint) string {
	s := describe(t.path)
	switch {
	case t.outsider() && (t.shape == ShapeSHA || t.shape == ShapeNumber || t.shape == ShapeSlug):
		return s + " is read, which names code that " + t.actor.String() + " wrote"
	case t.after != "":
		return s + " is read: " + t.shape.String() + " that " + t.actor.String() + " chooses before " + t.after
	case t.outsider():
		return s + " is read: " + t.shape.String() + " that " + t.actor.String() + " chooses"
	}
	return s + " is read"
}

// known texts of events, for people.
var sourceNames = map[string]string{
	"github.event.pull_request.title": "the title of the pull request", "github.event.pull_request.body": "the description of the pull request",
	"github.event.pull_request.head.ref": "the name of the pull request's branch", "github.head_ref": "the name of the pull request's branch",
	"github.event.pull_request.head.label": "the label of the pull request's branch", "github.event.pull_request.head.sha": "the head commit of the pull request",
	"github.event.pull_request.head.repo.full_name": "the name of the pull request's repository", "github.event.issue.title": "the title of the issue",
	"github.event.issue.body": "the text of the issue", "github.event.comment.body": "the text of the comment", "github.event.review.body": "the text of the review",
	"github.event.discussion.title": "the title of the discussion", "github.event.discussion.body": "the text of the discussion",
	"github.event.head_commit.message": "the message of the pushed commit", "github.event.workflow_run.head_branch": "the branch of the run that ended",
	"github.event.workflow_run.head_sha": "the commit of the run that ended", "github.event.workflow_run.display_title": "the title of the run that ended",
	"github.event.workflow_run.head_commit.message": "the commit message of the run that ended", "github.event.workflow_run.head_repository.full_name": "the repository of the run that ended",
	"github.event.number": "the number of the pull request", "github.event.pull_request.number": "the number of the pull request", "github.event.issue.number": "the number of the issue",
}

func describe(path string) string {
	if s := cmpText(sourceNames[path], forgeSources[path]); s != "" {
		return s + " (" + path + ")"
	}
	return path
}

// resolve is what is known of a context, by its path in normal form.
func (fr *frame) resolve(path string) value {
	root, rest, _ := strings.Cut(path, ".")
	switch root {
	case "github":
		if name, ok := strings.CutPrefix(rest, "event.inputs."); ok && !fr.lone {
			return fr.input(name, path)
		}
		return fr.github(path)
	case "inputs":
		if rest == "" {
			rest = "*"
		}
		return fr.input(rest, path)
	case "env":
		return fr.variable(rest)
	case "steps":
		id, rest, _ := strings.Cut(rest, ".")
		kind, name, _ := strings.Cut(rest, ".")
		if id == "" || id == "*" || kind == "*" {
			return nil
		}
		if kind == "outputs" || kind == "" {
			if name == "" {
				name = "*"
			}
			return fr.steps[id].get(unquotePath(name))
		}
	case "needs", "jobs":
		id, rest, _ := strings.Cut(rest, ".")
		kind, name, _ := strings.Cut(rest, ".")
		other := fr.run.jobs[id]
		if other == nil || kind != "outputs" && kind != "" {
			return nil
		}
		if name == "" {
			name = "*"
		}
		return (&stepOut{named: other.outputs, any: other.any}).get(unquotePath(name))
	case "matrix":
		return fr.matrix(rest)
	case "vars":
		if c, ok := fr.run.control(path, ""); ok {
			return value{{path: path, shape: c.Shape, actor: c.Actor}}
		}
	}
	return nil
}

// unquotePath is the name in the last member of a path.
func unquotePath(name string) string {
	if s := splitPath(name); len(s) == 1 {
		return s[0]
	}
	return name
}

// github is what is known of the context of the event.
func (fr *frame) github(path string) value {
	event := fr.run.e.Event
	if fr.lone || event == "workflow_call" {
		event = ""
	}
	c, ok := fr.run.control(path, event)
	if event == "repository_dispatch" && fr.run.e.Outsider() {
		// The payload is what the forge says of the outsider's comment.
		of, event := payload(path)
		if c, ok = fr.run.control(of, event); of == "" {
			return nil
		}
		if strings.Contains(path, ".slash_command.") {
			c.Shape = ShapeLine // what stands behind the command on its line
		}
	}
	if !ok {
		return nil
	}
	t := taint{path: path, shape: c.Shape, actor: c.Actor, after: c.After, code: c.Code}
	if c.Guessed {
		// What no row names is in few events' payloads, and seldom free text.
		t.doubt = "what the event holds there is judged by its name"
		if c.Shape == ShapeUnset {
			return nil
		}
	}
	if c.Code && c.Shape != ShapeSHA {
		t.moves = true
	}
	if e := fr.run.e; e.Origin == OriginRepository && t.outsider() && ownHead(path, event) && event != "" {
		t.actor = ActorWriter // the branch is one of the repository
	}
	return value{t}
}

// ownHead reports whether a context tells of the head of a pull request or run, or of
// its author. What a review or comment is about is of the head as well, whoever wrote it.
func ownHead(path, event string) bool {
	if reviewing(event) {
		switch path {
		case "github.event.review.commit_id", "github.event.comment.commit_id", "github.event.comment.original_commit_id",
			"github.event.comment.path", "github.event.comment.diff_hunk":
			return true
		}
	}
	return strings.HasPrefix(path, "github.event.pull_request.") || path == "github.head_ref" || path == "github.event.number" ||
		strings.HasPrefix(path, "github.event.workflow_run.") && path != "github.event.workflow_run.display_title"
}

// reviewing reports whether an event is one of somebody who looks at a pull request.
func reviewing(event string) bool {
	return event == "pull_request_review" || event == "pull_request_review_comment"
}

// pullAuthor is who wrote the pull request of the event. Where a stranger reviews one
// between branches of the repository it is not the stranger.
func (r *flowRun) pullAuthor() ActorClass {
	if r.e.Origin == OriginRepository && reviewing(r.e.Event) {
		return ActorWriter
	}
	return ActorAnyone
}

// input is what the caller gives, or the one who starts the run.
func (fr *frame) input(name, path string) value {
	name = unquotePath(name)
	if fr.inputs != nil {
		if name == "*" {
			return (&stepOut{named: fr.inputs}).get("*")
		}
		return fr.inputs[name]
	}
	e := fr.run.e
	kind := ""
	var declared []Input
	switch {
	case fr.lone:
		declared = fr.file.Inputs
	case e.Event == "workflow_dispatch" || e.Event == "workflow_call":
		if t := fr.file.Trigger(e.Event); t != nil {
			declared = t.Inputs
		}
	default:
		return nil
	}
	shape := ShapeText
	for _, in := range declared {
		if strings.EqualFold(in.Name.Value, name) {
			kind = in.Type.Value
			shape = InputShape(kind)
		}
	}
	return value{{path: path, shape: shape, actor: ActorWriter}}
}

// variable is what is known of a variable of the environment.
func (fr *frame) variable(name string) value {
	if name == "" || name == "*" {
		var v value
		all := fr.variables()
		for _, k := range sortedKeys(all) {
			v = v.with(all[k].value)
		}
		return v
	}
	name = unquotePath(name)
	for i := len(fr.over) - 1; i >= 0; i-- {
		if v, ok := fr.over[i][name]; ok {
			return v.value
		}
	}
	if fr.job != nil {
		return fr.job.env[name].value
	}
	return nil
}

// variables are all variables that something is known of, by name in lower case.
func (fr *frame) variables() map[string]envVar {
	all := make(map[string]envVar)
	if fr.job != nil {
		for k, v := range fr.job.env {
			all[k] = v
		}
	}
	for _, o := range fr.over {
		for k, v := range o {
			all[k] = v
		}
	}
	return all
}

// matrix is what is known of a member of the matrix: nothing of constants.
func (fr *frame) matrix(rest string) value {
	if fr.job == nil {
		return nil
	}
	m := fr.job.j.Strategy.Get().Matrix
	if m.Kind == DataScalar {
		return fr.value(m.Text).through(Place{fr.job.p.Path, m.Text.Span}, "it is the matrix of the job")
	}
	name, _, _ := strings.Cut(rest, ".")
	name = unquotePath(name)
	var v value
	deep := func(d Data) {
		d.Texts(func(t Text) {
			v = v.with(fr.value(t).through(Place{fr.job.p.Path, t.Span}, "the job runs once for each item of it: matrix."+name))
		})
	}
	for _, f := range m.Fields {
		switch key := strings.ToLower(f.Name.Value); {
		case key == name || name == "*" || name == "":
			deep(f.Value)
		case key == "include":
			if f.Value.Kind == DataScalar {
				deep(f.Value)
			}
			for _, item := range f.Value.Items {
				if item.Kind == DataScalar {
					deep(item)
				} else {
					deep(item.Get(name))
				}
			}
		}
	}
	return v
}

// environment is a map of variables as a step or job sets them.
func (fr *frame) environment(d Data) map[string]envVar {
	if len(d.Fields) == 0 {
		return nil
	}
	out := make(map[string]envVar, len(d.Fields))
	for _, f := range d.Fields {
		if f.Value.Kind != DataScalar {
			continue
		}
		name := f.Name.Value
		v := fr.value(f.Value.Text)
		if len(v) > 0 {
			v = v.through(Place{fr.file.Path, f.Value.Text.Span}, "it is put into the variable "+name)
		}
		out[strings.ToLower(name)] = envVar{name, v, f.Value.Text.Value}
	}
	return out
}

// attacked reports whether someone without rights causes the run, of a definition that
// is not their own.
func (r *flowRun) attacked() bool { return r.e.Outsider() && !r.e.Own }

// run goes through the job.
func (jr *jobRun) run() {
	if jr.reach = jr.reachOf(); jr.reach.shut() {
		return
	}
	fr := &frame{run: jr.flowRun, job: jr, file: jr.p, inputs: jr.inputs, steps: make(map[string]*stepOut), stack: []*Pipeline{jr.p}}
	for _, d := range []Data{jr.p.Env, jr.j.Env} {
		for k, v := range fr.environment(d) {
			jr.env[k] = v
		}
	}
	jr.jobRules(fr)
	if jr.j.Uses.IsSet() {
		jr.call(fr)
		return
	}
	for i := range jr.j.Steps {
		jr.n = i
		jr.step(fr, &jr.j.Steps[i])
	}
	jr.outputs = make(map[string]value)
	for _, f := range jr.j.Outputs.Fields {
		if v := fr.value(f.Value.Text); v != nil {
			jr.outputs[strings.ToLower(f.Name.Value)] = v.through(Place{fr.file.Path, f.Value.Text.Span}, "it is an output of the job "+jr.j.ID.Value+" for others")
		}
	}
}

// reachOf is Reach. People with rights pass what asks who is there: for them only a
// condition that is false for everybody shuts.
func (jr *jobRun) reachOf() reached {
	var r reached
	switch {
	case jr.e.Outsider():
		r.truth, r.gates = jr.x.Reach(jr.p, jr.e, jr.j)
		return r
	case jr.p.Forge != GitHub || jr.e.Event == "workflow_call":
		return reached{truth: True} // of a call by somebody else the event is not known
	}
	if r.truth, r.gates = jr.x.Reach(jr.p, jr.e, jr.j); r.truth == False {
		return reached{truth: False, gates: []Gate{{Stops: true}}}
	}
	return reached{truth: True}
}

// skips reports whether the condition of a step is false in the run.
func (jr *jobRun) skips(fr *frame, st *Step) bool {
	if len(fr.stack) == 1 {
		r := jr.stepReach()
		return r.shut() || r.truth == False && !jr.e.Outsider()
	}
	c := jr.x.condition(st.If.Value)
	return c != nil && jr.e.Env != nil && c.Template.Evaluate(fr.knows(c.Template)).Truth() == False
}

// knows is what contexts hold in the frame, as far as a text asks: the inputs of an
// action are not those of the workflow.
func (fr *frame) knows(t Template) *Environment {
	env := fr.run.e.Env
	if len(fr.stack) < 2 {
		return env
	}
	own := false
	for _, c := range t.Paths() {
		if !strings.HasPrefix(c.Name, "inputs.") {
			continue
		}
		if !own {
			own, env = true, env.over()
		}
		v := Unknown(c.Name)
		if s, ok := fr.literals[strings.TrimPrefix(c.Name, "inputs.")]; ok {
			v = String(s)
		}
		env.Set(c.Name, v)
	}
	return env
}

// stepReach is StepReach with a memory.
func (jr *jobRun) stepReach() reached {
	a, ok := jr.reached[jr.n]
	if !ok {
		a.truth, a.gates = jr.x.StepReach(jr.p, jr.e, jr.j, jr.n)
		jr.reached[jr.n] = a
	}
	return a
}

// step runs one step of the job, or of an action that a step uses.
func (jr *jobRun) step(fr *frame, st *Step) {
	if jr.spent() {
		return
	}
	jr.flows.steps++
	if jr.ended && len(fr.stack) == 1 {
		if c := jr.x.condition(st.If.Value); !st.If.IsSet() || c != nil && (c.Implied || requiresSuccess(c)) {
			return
		}
	}
	if st.If.IsSet() && !fr.lone && jr.e.Event != "workflow_call" && (jr.e.Outsider() || jr.p.Forge == GitHub) && jr.skips(fr, st) {
		return
	}
	for i := range st.Parallel {
		jr.step(fr, &st.Parallel[i])
	}
	over := fr.environment(st.Env)
	if over != nil {
		fr.over = append(fr.over, over)
		defer func() { fr.over = fr.over[:len(fr.over)-1] }()
	}
	out := &stepOut{named: make(map[string]value)}
	switch {
	case st.Run.IsSet():
		jr.script(fr, st, out)
	case st.Uses.IsSet():
		jr.use(fr, st, out)
	}
	if st.ID.IsSet() {
		fr.steps[strings.ToLower(st.ID.Value)] = out
	}
}

// use runs an action.
func (jr *jobRun) use(fr *frame, st *Step, out *stepOut) {
	u := st.Uses
	if len(u.Parts) > 0 {
		if v := fr.value(u.Text); len(v) > 0 {
			jr.sink(fr, sink{rule: "expression-in-uses", place: Place{fr.file.Path, u.Span}, scope: jr.scope(st), most: penstock.TierExploitable,
				text: "it names the action that runs", message: "the name of the action that runs comes from an expression"}, v)
		}
		return
	}
	switch u.Kind {
	case UseLocal, UseSelf:
		if t := jr.treeAt(u.Path); u.Kind == UseLocal && t.foreign() {
			jr.execute(fr, st, Place{fr.file.Path, u.Span}, "the action at "+u.Path+" is run from it", "", t, value{t.taint})
			return
		}
		if a := jr.x.Action(u); a != nil {
			jr.inlined[a] = true
			jr.inline(fr, st, a, out)
		}
	case UseRemote:
		if s := jr.summary(u); s != nil {
			jr.known(fr, st, s, out)
		} else {
			jr.unknown(fr, st, out)
		}
	}
}

// unknown runs an action that nothing is known of: its outputs are what their names say,
// and what it is told to read of a stranger's files may be what it gives to later steps.
func (jr *jobRun) unknown(fr *frame, st *Step, out *stepOut) {
	if !jr.attacked() {
		return
	}
	jr.worker(fr, st)
	jr.handsOn(fr, st)
	if !st.ID.IsSet() {
		return
	}
	out.guess = jr.guessed(fr, st)
	for _, f := range st.With.Fields {
		name := f.Value.Text.Value
		if f.Value.Kind != DataScalar || !dataFile.MatchString(name) {
			continue
		}
		tr := jr.treeAt(name)
		if !tr.foreign() {
			continue
		}
		t := tr.taint
		t.code, t.shape = false, ShapeText
		t.doubt = cmpText(t.doubt, "what the action "+clip(st.Uses.Value)+" does is not known")
		t.way = t.way.then(Hop{Place: Place{fr.file.Path, f.Value.Text.Span}, Text: "the action is told to read " + clip(name)})
		out.any = out.any.with(value{t})
		return
	}
}

// headOutputs are names of outputs that say what an action has looked up of a pull
// request: who opened it has a say in that.
var headOutputs = map[string]taint{
	"headref": {shape: ShapeRef, code: true, moves: true}, "prheadref": {shape: ShapeRef, code: true, moves: true},
	"headbranch": {shape: ShapeRef, code: true, moves: true}, "prheadbranch": {shape: ShapeRef, code: true, moves: true},
	"headsha": {shape: ShapeSHA, code: true, moves: true}, "prheadsha": {shape: ShapeSHA, code: true, moves: true},
	"headrepo": {shape: ShapeSlug, code: true}, "headrepository": {shape: ShapeSlug, code: true}, "headrepofullname": {shape: ShapeSlug, code: true},
	"prtitle": {shape: ShapeLine}, "pullrequesttitle": {shape: ShapeLine}, "prbody": {shape: ShapeText}, "pullrequestbody": {shape: ShapeText},
	"issuetitle": {shape: ShapeLine}, "issuebody": {shape: ShapeText}, "commentbody": {shape: ShapeText},
}

// guessed tells of an output of an action by its name, in events about a pull request or
// an issue.
func (jr *jobRun) guessed(fr *frame, st *Step) func(name string) value {
	e := jr.e.Event
	if !strings.HasPrefix(e, "pull_request") && !strings.HasPrefix(e, "issue") && e != "workflow_run" {
		return nil
	}
	at := Place{fr.file.Path, st.Uses.Span}
	return func(name string) value {
		t, ok := headOutputs[strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))]
		if !ok {
			return nil
		}
		t.path, t.actor = "the output "+clip(name)+" of "+clip(st.Uses.Value), ActorAnyone
		t.doubt = "what the action " + clip(st.Uses.Value) + " gives is judged by the name of the output"
		t.way = t.way.then(Hop{Place: at, Text: "the action gives the output " + clip(name) + ": by its name " + t.shape.String() + " that a stranger chooses"})
		return value{t}
	}
}

// workWords are words in names of actions that say that it builds, runs or hands on what
// it is told to.
var workWords = []string{"build", "builds", "test", "tests", "deploy", "publish", "package", "push", "release", "compile", "e2e", "benchmark"}

// readWords are words in names of actions that only read what others made.
var readWords = []string{"result", "results", "report", "reporter", "reports", "coverage", "comment", "status", "summary", "annotate", "annotations", "upload", "notes", "drafter", "badge"}

// worker is an action that nothing is known of, which by its name does something with
// the code that it is told of: a stranger's.
func (jr *jobRun) worker(fr *frame, st *Step) {
	name := st.Uses.Repo
	if st.Uses.Path != "" {
		name = path.Base(st.Uses.Path)
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(nameWords(name), func(w string) bool { return slices.Contains(list, w) })
	}
	if strings.EqualFold(st.Uses.Owner, "actions") || !has(workWords) || has(readWords) {
		return
	}
	for _, f := range st.With.Fields {
		if f.Value.Kind != DataScalar || len(f.Value.Text.Value) > 4096 || strings.Contains(f.Value.Text.Value, "\n") {
			continue
		}
		for word := range strings.FieldsFuncSeq(fr.constants(f.Value.Text.Value), func(r rune) bool { return r == ' ' || r == ',' }) {
			if !folder.MatchString(word) || strings.Contains(strings.TrimLeft(path.Base(word), "."), ".") {
				continue // no path, or that of a file
			}
			t := jr.treeAt(word)
			if !t.foreign() || t.taint.file != filesCheckout {
				continue
			}
			v := value{t.taint}
			v[0].doubt = cmpText(v[0].doubt, "what the action "+clip(st.Uses.Value)+" does is judged by its name")
			v[0].way = v[0].way.then(Hop{Place: Place{fr.file.Path, f.Value.Text.Span}, Text: "the action is told of the folder " + clip(word)})
			jr.executeAs(fr, st, Place{fr.file.Path, st.Uses.Span}, "the action works on it", clip(name), clip(name)+" works on code that a stranger wrote, with rights of the repository", t, v)
			return
		}
	}
}

// folder is a word that can be nothing but a path.
var folder = regexp.MustCompile(`^(?:\.{1,2}/)?[\w.-]+/[\w./-]+$|^\./[\w.-]+/?$|^\.$`)

// dataFile is the name of a file of data.
var dataFile = regexp.MustCompile(`^[\w./${} -]*\.(?:json|txt|ya?ml|env|csv|toml|md|properties|ini)$`)

// inline runs the steps of an action of the repository.
func (jr *jobRun) inline(fr *frame, st *Step, a *Pipeline, out *stepOut) {
	if a.Action != nil && len(a.Action.Steps) == 0 && jr.attacked() {
		out.guess = jr.guessed(fr, st) // a program, which is not read
	}
	if a.Action == nil || len(a.Action.Steps) == 0 || slices.Contains(fr.stack, a) {
		return
	}
	if len(fr.stack) > flowDepth {
		jr.x.limit(limitDepth)
		return
	}
	in := &frame{run: fr.run, job: jr, file: a, inputs: make(map[string]value), literals: make(map[string]string), steps: make(map[string]*stepOut), over: fr.over, stack: append(slices.Clone(fr.stack), a)}
	in.calls = append(slices.Clone(fr.calls), Hop{Place: Place{fr.file.Path, st.Uses.Span}, Text: "the step uses the action of this repository " + clip(st.Uses.Value)})
	for _, d := range a.Inputs {
		name := strings.ToLower(d.Name.Value)
		given := st.With.Get(d.Name.Value)
		switch {
		case given.Kind == DataScalar && !strings.Contains(given.Text.Value, "${{"):
			in.literals[name] = given.Text.Value
		case given.Kind != DataScalar && !strings.Contains(d.Default.Value, "${{"):
			in.literals[name] = d.Default.Value
		}
		if given.Kind == DataScalar {
			v := fr.value(given.Text)
			in.inputs[name] = v.through(Place{fr.file.Path, given.Text.Span}, "it is given to the action as "+d.Name.Value)
		} else if len(d.Default.Parts) > 0 {
			in.inputs[name] = in.value(d.Default)
		}
	}
	for i := range a.Action.Steps {
		jr.step(in, &a.Action.Steps[i])
	}
	for _, o := range a.Outputs {
		if v := in.value(o.Value); v != nil {
			out.named[strings.ToLower(o.Name.Value)] = v.through(Place{a.Path, o.Value.Span}, "it is an output of the action")
		}
	}
}

// call runs a workflow of the repository that the job calls.
func (jr *jobRun) call(fr *frame) {
	j := jr.j
	callee := jr.x.Workflow(j.Uses)
	if callee == nil {
		if j.Uses.Kind == UseRemote {
			if s := jr.summary(j.Uses); s != nil {
				jr.inputSinks(fr, &Step{Uses: j.Uses, With: j.With, Span: j.Span}, s)
			}
		}
		return
	}
	if slices.Contains(jr.stack, callee) || callee == jr.p {
		return
	}
	if jr.depth >= flowDepth {
		jr.x.limit(limitDepth)
		return
	}
	trigger := callee.Trigger("workflow_call")
	if trigger == nil {
		return
	}
	inputs := make(map[string]value)
	for _, d := range trigger.Inputs {
		if given := j.With.Get(d.Name.Value); given.Kind == DataScalar {
			v := fr.value(given.Text)
			for i := range v {
				if s := InputShape(d.Type.Value); !s.Injects() {
					v[i].shape = s
				}
			}
			inputs[strings.ToLower(d.Name.Value)] = v.through(Place{fr.file.Path, given.Text.Span}, "it is given to the called workflow as "+d.Name.Value)
		}
	}
	r := &flowRun{flows: jr.flows, p: callee, e: jr.calleeEntry(callee), inputs: inputs, called: true, jobs: make(map[string]*jobRun),
		depth: jr.depth + 1, stack: append(slices.Clone(jr.stack), jr.p), artifacts: jr.artifacts}
	r.run()
	jr.artifacts = r.artifacts
	jr.outputs = r.outputs
}

// calleeEntry is the entry of a called workflow that stands for this call.
func (jr *jobRun) calleeEntry(callee *Pipeline) *Entry {
	es := jr.entriesOf(callee)
	for i := range es {
		if e := &es[i]; e.caller != nil && e.caller.job == jr.j && e.callerEntry == jr.e {
			return e
		}
	}
	e := *jr.e
	e.Via = append(slices.Clone(e.Via), Hop{Place: Place{jr.p.Path, jr.j.Uses.Span}, Text: "the job " + jr.j.ID.Value + " calls this workflow"})
	return &e
}

// treeAt is whose files are at a path of the workspace.
func (jr *jobRun) treeAt(p string) tree {
	p = cleanDir(p)
	for q := p; ; {
		if t, ok := dirAt(jr.dirs, q); ok {
			return t
		}
		i := strings.LastIndexByte(q, '/')
		if i <= 0 {
			break
		}
		q = q[:i]
	}
	if strings.HasPrefix(p, "/") || strings.HasPrefix(p, "$") || strings.HasPrefix(p, "~") || strings.HasPrefix(p, "../") {
		return tree{}
	}
	return jr.ws
}

// put makes a folder a stranger's, or nobody's.
func (jr *jobRun) put(dir string, t tree) {
	if dir == "" {
		jr.ws = t
		jr.files = nil
		for _, k := range sortedKeys(jr.dirs) {
			if !strings.HasPrefix(k, "/") && !strings.HasPrefix(k, "$") {
				delete(jr.dirs, k)
			}
		}
		return
	}
	jr.dirs[dir] = t
}

// ownTree is the text of a tree that is a checkout of this repository itself.
const ownTree = "this repository"

// ownFile is the path in this repository of a file in a checkout of it, in a folder of the
// workspace.
func (jr *jobRun) ownFile(name string) string {
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if t, ok := jr.dirs[dir]; ok {
			if !t.foreign() && t.text == ownTree {
				return strings.TrimPrefix(name, dir+"/")
			}
			break
		}
	}
	return name
}

// cleanDir is a folder relative to the workspace, empty for the workspace itself.
func cleanDir(p string) string {
	p = strings.TrimSpace(p)
	for _, prefix := range []string{"${{ github.workspace }}", "${{github.workspace}}", "$GITHUB_WORKSPACE", "${GITHUB_WORKSPACE}"} {
		if rest, ok := strings.CutPrefix(p, prefix); ok {
			p = "./" + strings.TrimPrefix(rest, "/")
		}
	}
	for _, prefix := range []string{"${{ runner.temp }}", "${{runner.temp}}", "${RUNNER_TEMP}"} {
		if rest, ok := strings.CutPrefix(p, prefix); ok {
			p = "$RUNNER_TEMP" + rest
		}
	}
	if rest, ok := strings.CutPrefix(p, "${{"); ok {
		// A folder that the definition chooses lies in the workspace, and is not known.
		body, after, closed := strings.Cut(rest, "}}")
		root, _, _ := strings.Cut(strings.TrimSpace(body), ".")
		if closed && (root == "matrix" || root == "inputs") {
			p = "?" + after
		}
	}
	if p == "" {
		return ""
	}
	if p = path.Clean(p); p == "." {
		return ""
	}
	return p
}

// scope names a step for people.
func (jr *jobRun) scope(st *Step) string {
	s := "job " + jr.j.ID.Value
	if jr.n < len(jr.j.Steps) {
		s += ", step " + stepName(&jr.j.Steps[jr.n], jr.n)
	}
	return s
}

// stepName is the name of a step, or its number.
func stepName(st *Step, n int) string {
	switch {
	case st.Name.Value != "" && len(st.Name.Value) <= 80 && !strings.Contains(st.Name.Value, "\n"):
		return st.Name.Value
	case st.ID.Value != "":
		return st.ID.Value
	}
	return strconv.Itoa(n + 1)
}
