package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"penstock"
)

// code is a script as it stands in a file.
type code struct {
	path string
	text string
	// at leads from offsets in text to the file.
	at func(from, to int) penstock.Span
	// shell is what reads it.
	shell string
	// pasted says that the forge resolves expressions in it.
	pasted bool
	depth  int
	// name is the path of the script, where it is a file of its own; args are what the
	// caller gives, calls the functions that it calls.
	name  string
	args  []value
	calls []shellCall
}

// shellCall is a call of a function with what is known of its arguments.
type shellCall struct {
	name string
	args []value
}

func (c code) place(s penstock.Span) Place {
	return Place{c.path, c.at(int(s.Start), int(s.End))}
}

// tags are the bits of ShellLabels by which a script's texts are told apart.
const (
	tagFirst = 16
	tagLast  = 62
)

// tagged are the texts that go into a script.
type tagged struct {
	values []value
	bits   []ShellLabels
}

// tag gives a text its bits.
func (g *tagged) tag(v value) ShellLabels {
	if len(v) == 0 {
		return 0
	}
	l := labelsOf(v)
	n := min(tagFirst+len(g.values), tagLast)
	bit := ShellLabels(1) << n
	g.values = append(g.values, v)
	g.bits = append(g.bits, bit)
	return l | bit
}

// of are the texts whose bits are in l.
func (g *tagged) of(l ShellLabels) value {
	var out value
	for i, b := range g.bits {
		if l&b != 0 {
			out = out.with(g.values[i])
		}
	}
	return out
}

// labelsOf are the labels of a text in a script.
func labelsOf(v value) ShellLabels {
	var l ShellLabels
	for _, t := range v {
		if t.injects() {
			l |= ShellUntrusted
			if t.shape == ShapeText || t.shape == ShapeObject || t.shape == ShapeUnset || t.shape == ShapePath {
				l |= ShellNewline
			}
			if t.shape.Allows(' ') {
				l |= ShellBlank
			}
		}
		if t.code && t.outsider() && (t.shape == ShapeSHA || t.shape == ShapeUnset || t.shape == ShapeSlug || t.file != filesNone) {
			l |= ShellRef
		}
	}
	return l
}

// script is a step that runs a script.
func (jr *jobRun) script(fr *frame, st *Step, out *stepOut) {
	shell, dir := st.Run.Shell.Get().Value, st.Run.Dir.Get().Value
	if len(fr.stack) == 1 {
		shell = stepShell(jr.p, jr.j, st)
		for _, d := range []Defaults{*jr.j.Defaults.Get(), jr.p.Defaults} {
			if dir == "" {
				dir = d.Dir.Value
			}
		}
	} else if shell == "" && windows(jr.j.RunsOn) {
		shell = "pwsh"
	}
	c := code{path: fr.file.Path, text: st.Run.Value, at: st.Run.At, shell: shell, pasted: true}
	if jr.attacked() || !jr.e.Own && !fr.lone && (fr.told(c) || fr.reads(c)) {
		jr.analyse(fr, st, c, cleanDir(fr.constants(dir)), out)
		jr.clobbers(fr, st, out)
	} else {
		jr.paste(fr, st, c)
	}
	jr.expansions(fr, st, c)
	jr.scriptRules(fr, st, c)
}

// stepShell is the shell of a step of a job, empty for the usual one.
func stepShell(p *Pipeline, j *Job, st *Step) string {
	shell := st.Run.Shell.Get().Value
	for _, d := range []Defaults{*j.Defaults.Get(), p.Defaults} {
		if shell == "" {
			shell = d.Shell.Value
		}
	}
	if shell == "" && windows(j.RunsOn) {
		shell = "pwsh"
	}
	return shell
}

// told reports whether a script of people with rights gets a text of an outsider, as the
// message of a commit is.
func (fr *frame) told(c code) bool {
	if fr.run.e.Event == "workflow_call" {
		return false
	}
	bad := func(v value) bool {
		return slices.ContainsFunc(v, func(t taint) bool { return t.injects() && t.after != "" })
	}
	for _, v := range fr.variables() {
		if bad(v.value) {
			return true
		}
	}
	return false
}

// reads reports whether a script that runs without an outsider asks the forge for what
// outsiders have written, or gets such a text from a step before.
func (fr *frame) reads(c code) bool {
	if !slices.Contains([]string{"schedule", "push", "workflow_dispatch"}, fr.run.e.Event) {
		return false
	}
	for _, w := range []string{"gh issue list", "gh pr list", "gh search ", "gh api "} {
		if strings.Contains(c.text, w) {
			return true
		}
	}
	for _, v := range fr.variables() {
		if slices.ContainsFunc(v.value, func(t taint) bool { return t.stored }) {
			return true
		}
	}
	return fr.job != nil && len(fr.job.files) > 0
}

// windows reports whether a runner's default shell is PowerShell.
func windows(r RunsOn) bool {
	return slices.ContainsFunc(r.Labels, func(l Text) bool {
		low := strings.ToLower(l.Value)
		return strings.HasPrefix(low, "windows") || strings.Contains(low, "-windows-") || strings.HasSuffix(low, "-windows")
	})
}

// body is what is known of an expression without its braces, that stands in a script.
func (fr *frame) body(text string, at Place) value {
	e, ok := fr.run.bodies[text]
	if !ok {
		e, _ = ParseExpression(text)
		fr.run.bodies[text] = e
	}
	var out value
	paths := e.TextPaths()
	if len(paths) > 0 && chooses(text) {
		if env := fr.decides(Template{Parts: []TemplatePart{{IsExpression: true, Expression: e}}}); env != nil {
			paths = e.TextPathsIn(env)
		}
	}
	for _, c := range paths {
		out = out.with(fr.read(c.Name, at))
	}
	return out
}

// paste looks at the expressions of a script whose other texts do not matter: in a run
// of the actor's own definition, or of people with rights.
func (jr *jobRun) paste(fr *frame, st *Step, c code) {
	if !strings.Contains(c.text, "${{") {
		return
	}
	for _, e := range ShellExpressions(c.text, TemplateGitHub) {
		v := fr.body(e.Body, c.place(e.Span))
		if labelsOf(v)&ShellUntrusted != 0 {
			jr.template(fr, st, c, e.Span, e.Body, v, "")
		}
	}
}

// template is an expression with an untrusted text that is pasted into a script.
func (jr *jobRun) template(fr *frame, st *Step, c code, span penstock.Span, body string, v value, detail string) {
	v = v.injecting()
	if len(v) == 0 {
		return
	}
	text := "it is pasted into the script before the shell reads it"
	if detail != "" {
		text += ": " + detail
	}
	rule := "template-injection"
	if v[0].model {
		rule = "agent-output-injection"
	}
	jr.sink(fr, sink{rule: rule, place: c.place(span), scope: jr.scope(st), text: text, step: st, runs: true,
		message: describe(v[0].path) + " is pasted into a script, which runs what it says"}, v)
}

// injecting are the taints that can run something where they are pasted.
func (v value) injecting() value {
	var out value
	for _, t := range v {
		if t.injects() {
			out = append(out, t)
		}
	}
	return out
}

// expansions are expressions that are pasted, though no outsider has a say in them.
func (jr *jobRun) expansions(fr *frame, st *Step, c code) {
	if !strings.Contains(c.text, "${{") {
		return
	}
	for _, e := range ShellExpressions(c.text, TemplateGitHub) {
		v := fr.body(e.Body, c.place(e.Span))
		for _, t := range v {
			if t.outsider() && !t.checked || !t.shape.Injects() || t.file != filesNone {
				continue
			}
			jr.add(Flaw{Rule: "template-expansion", Tier: penstock.TierHygiene, Place: c.place(e.Span), Scope: jr.scope(st),
				Message: describe(t.path) + " is pasted into a script; no outsider chooses it, but a quote in it breaks the script"}, pathCut{})
			break
		}
	}
}

// analyse follows texts through a script.
func (jr *jobRun) analyse(fr *frame, st *Step, c code, dir string, out *stepOut) {
	if jr.p.Forge != GitHub {
		jr.forgeAnalyse(fr, st, c, dir, out)
		return
	}
	res, g := jr.readScript(fr, c, dir)
	if res == nil {
		return
	}
	jr.flows.shell += factWork * len(res.Facts)
	state := c.begun(res, g)
	for i := range res.Facts {
		fact := &res.Facts[i]
		state.args = c.handed(fact, g)
		jr.fact(fr, st, c, fact, g.of(fact.Labels).unpicked(fact.Labels), dir, out, state)
	}
	for _, t := range state.put {
		jr.put("", t)
	}
	jr.keepFiles(c, res, g)
	for _, k := range sortedKeys(state.dispatched) {
		jr.dispatch(fr, st, state.dispatchAt, k, state.dispatched[k])
	}
	if !res.Parsed || c.depth > 0 {
		return
	}
	jr.guessOutputs(c, out)
}

// readScript reads a script with what its surroundings say of it; nil if no more are read.
func (jr *jobRun) readScript(fr *frame, c code, dir string) (*ShellResult, *tagged) {
	if jr.tired() {
		return nil, nil
	}
	var g tagged
	in := ShellInput{Dir: dir, Vars: make(map[string]ShellSource)}
	in.SafePath = fr.variables()["pythonsafepath"].text != ""
	var sig strings.Builder
	fmt.Fprintf(&sig, "%s\x00%s\x00%d\x00%t\x00%t\x00", c.shell, dir, len(c.text), fr.lone, in.SafePath)
	note := func(name string, l ShellLabels, text string) {
		fmt.Fprintf(&sig, "%s=%x=%s\x00", name, uint64(l), text)
	}
	vars := fr.variables()
	dirs := make(map[string]tree)
	for _, k := range sortedKeys(vars) {
		if t := vars[k].text; t != "" && len(t) < 300 && strings.Contains(t, "/") {
			if tr := jr.treeAt(t); tr.foreign() && (strings.HasPrefix(cleanDir(t), "$") || jr.dirs[cleanDir(t)].foreign()) {
				dirs["$"+vars[k].name] = tr
			}
		}
		if len(vars[k].value) == 0 {
			continue
		}
		l := g.tag(vars[k].value)
		in.Vars[vars[k].name] = ShellSource{Labels: l, Text: vars[k].name}
		note(vars[k].name, l, "")
	}
	if v := fr.github("github.head_ref"); len(v) > 0 && v[0].outsider() {
		v[0].way = v[0].way.then(Hop{Place: c.place(penstock.Span{}), Text: "the variable GITHUB_HEAD_REF holds the name of the branch"})
		l := g.tag(v)
		in.Vars["GITHUB_HEAD_REF"] = ShellSource{Labels: l, Text: "GITHUB_HEAD_REF"}
		note("GITHUB_HEAD_REF", l, "")
	}
	bodies := make(map[string]ShellSource)
	if c.pasted && strings.Contains(c.text, "${{") {
		for _, e := range ShellExpressions(c.text, TemplateGitHub) {
			if _, known := bodies[e.Body]; known {
				continue
			}
			l := g.tag(fr.body(e.Body, c.place(e.Span)))
			bodies[e.Body] = ShellSource{Labels: l, Text: e.Body}
			note(e.Body, l, "")
		}
		in.Expr = func(body string) ShellSource { return bodies[body] }
	}
	source := func(t tree) ShellSource {
		v := value{t.taint}
		return ShellSource{Labels: g.tag(v) | ShellUntrusted | ShellWorkspace, Text: t.text}
	}
	if jr.ws.foreign() {
		in.Workspace = source(jr.ws)
		note("workspace", in.Workspace.Labels, jr.ws.text)
	}
	for k, t := range jr.dirs {
		dirs[k] = t
	}
	if len(dirs) > 0 {
		in.Dirs = make(map[string]ShellSource)
		for _, k := range sortedKeys(dirs) {
			if t := dirs[k]; t.foreign() {
				in.Dirs[k] = source(t)
			} else {
				in.Dirs[k] = ShellSource{}
			}
			note("dir "+k, in.Dirs[k].Labels, in.Dirs[k].Text)
		}
	}
	for i, k := range sortedKeys(jr.files) {
		if i == 0 {
			in.Files = make(map[string]ShellSource)
		}
		l := g.tag(jr.files[k].value) | jr.files[k].pull
		in.Files[k] = ShellSource{Labels: l, Text: jr.files[k].from}
		note("file "+k, l, jr.files[k].from)
	}
	if v := fr.github("github.event"); len(v) > 0 && v[0].outsider() {
		v[0].way = v[0].way.then(Hop{Place: c.place(penstock.Span{}), Text: "the file of the event holds texts that " + v[0].actor.String() + " writes"})
		in.Event = ShellSource{Labels: g.tag(v), Text: "the event"}
		note("event", in.Event.Labels, "")
	}
	forge := value{{path: forgeTexts, shape: ShapeText, actor: ActorAnyone,
		way: (*way)(nil).then(Hop{Place: c.place(penstock.Span{}), Text: "the script asks the forge for texts that anyone with an account writes"})}}
	if !jr.attacked() {
		forge[0].stored, forge[0].doubt = true, "which issues and pull requests the script reads is not known"
	}
	in.Forge = ShellSource{Labels: g.tag(forge), Text: forgeTexts}
	note("forge", in.Forge.Labels, "")
	jr.headSources(fr, c, &in, &g, note)
	g.given(&in, c, note)
	sig.WriteString(c.text)
	res := jr.scripts[sig.String()]
	if res == nil {
		r := AnalyseScript(c.text, c.shell, in)
		res = &r
		jr.scripts[sig.String()] = res
		jr.flows.shell += len(c.text)
	}
	return res, &g
}

// headPath is the name of a commit that a script asks the forge for.
const headPath = "the head of a pull request"

// headTaint is a commit of a pull request that a script asks the forge for: whoever opened
// it wrote what the commit holds.
func (jr *jobRun) headTaint(script string, at Place) taint {
	// A script that compares what it gets with a commit that somebody named lets no other
	// through.
	moves := !strings.Contains(script, "!= \"$") || !strings.Contains(script, "exit 1")
	t := taint{path: headPath, shape: ShapeSHA, actor: jr.pullAuthor(), code: true, moves: moves,
		way: (*way)(nil).then(Hop{Place: at, Text: "the script asks the forge for the head of a pull request"})}
	if e := jr.e; e.Origin == OriginRepository && (strings.HasPrefix(e.Event, "pull_request") || e.Event == "workflow_run") || endsForStrangers(script) {
		t.actor = ActorWriter // the branch is one of the repository
	}
	return t
}

var (
	asksWhoseHead = regexp.MustCompile(`(?i)\bisCrossRepository\b|\bhead\.repo\.fork\b|\bhead\.repo\.full_name\s*[=!]=`)
	namesOwn      = regexp.MustCompile(`(?i)[=!]=?\s*["']?(?:\$\{?GITHUB_REPOSITORY\b|\$\{\{\s*github\.repository\s*\}\})`)
	scriptEnds    = regexp.MustCompile(`\bexit\b`)
)

// endsForStrangers reports whether a script asks from which repository the head of a pull request
// is, and ends by what it hears: then what it gives on is a branch of this repository.
func endsForStrangers(script string) bool {
	if !strings.Contains(script, "exit") {
		return false
	}
	at := asksWhoseHead.FindStringIndex(script)
	if at == nil && hasAny(script, "head.repo.full_name", "headRepository", "headrepository") {
		at = namesOwn.FindStringIndex(script)
	}
	return at != nil && scriptEnds.MatchString(script[at[1]:])
}

// headSources tells a script of the commits that it can ask the forge for.
func (jr *jobRun) headSources(fr *frame, c code, in *ShellInput, g *tagged, note func(name string, l ShellLabels, text string)) {
	if !hasAny(c.text, "gh ", "curl", "wget", "GITHUB_EVENT_PATH", "event_path", "ls-remote", "rev-parse", ".sh") {
		return
	}
	source := func(name string, t taint) ShellSource {
		s := ShellSource{Labels: g.tag(value{t}), Text: t.path}
		note(name, s.Labels, "")
		return s
	}
	at := c.place(penstock.Span{})
	t := jr.headTaint(c.text, at)
	in.Head = source("head", t)
	if jr.e.Event == "workflow_run" {
		in.HeadRun = in.Head
	}
	t.shape, t.path = ShapeSlug, "the repository of a pull request"
	in.HeadRepo = source("head repository", t)
	if v := fr.github("github.event.pull_request.head.sha"); len(v) > 0 && v[0].outsider() {
		v[0].way = v[0].way.then(Hop{Place: at, Text: "the file of the event names the head of the pull request"})
		in.EventHead = source("event head", v[0])
	}
	if c.depth < flowScripts {
		in.Script = func(name string, args []ShellSource) ShellSource { return jr.writes(fr, c, in, g, name, args) }
	}
}

// writes is what a script of the repository writes to its standard output, in the labels of
// the script that runs it.
func (jr *jobRun) writes(fr *frame, c code, in *ShellInput, g *tagged, name string, args []ShellSource) ShellSource {
	inner, ok := jr.repositoryScript(name)
	if !ok || jr.treeAt(name).foreign() {
		return ShellSource{}
	}
	inner.depth = c.depth + 1
	for _, a := range args {
		inner.args = append(inner.args, g.of(a.Labels).unpicked(a.Labels).narrowed(a.Labels))
	}
	res, h := jr.readScript(fr, inner, in.Dir)
	if res == nil || res.Printed.Labels == 0 {
		return ShellSource{}
	}
	l := res.Printed.Labels
	out := ShellSource{Labels: l & shellPull, Text: headPath}
	for _, t := range h.of(l) {
		switch {
		case t.code && t.shape == ShapeSHA:
			out.Labels |= in.Head.Labels
		case t.code && t.shape == ShapeSlug:
			out.Labels |= in.HeadRepo.Labels
		case t.path == forgeTexts && l&ShellUntrusted != 0:
			out.Labels |= in.Forge.Labels&^(ShellNewline|ShellBlank) | l&(ShellUntrusted|ShellNewline|ShellBlank|ShellPicked)
			out.Text = forgeTexts
		default:
			for _, a := range args {
				if slices.ContainsFunc(g.of(a.Labels), func(o taint) bool { return o.path == t.path && o.shape == t.shape }) {
					out.Labels |= a.Labels &^ (shHarm &^ l)
					out.Text = a.Text
				}
			}
		}
	}
	return out
}

// given tells a script of its arguments, and of the calls of its functions.
func (g *tagged) given(in *ShellInput, c code, note func(name string, l ShellLabels, text string)) {
	sources := func(of string, args []value) []ShellSource {
		var out []ShellSource
		for i, v := range args {
			text := "argument " + strconv.Itoa(i+1)
			out = append(out, ShellSource{Labels: g.tag(v), Text: text})
			note(of+text, out[i].Labels, "")
		}
		return out
	}
	if in.Name = c.name; c.name != "" {
		note("name "+c.name, 0, "")
	}
	in.Args = sources("", c.args)
	for _, call := range c.calls {
		in.Calls = append(in.Calls, ShellCall{Name: call.name, Args: sources(call.name+" ", call.args)})
	}
}

// begun is the state of a script before its first fact.
func (c code) begun(res *ShellResult, g *tagged) *scriptState {
	state := &scriptState{downloaded: -1, dispatched: make(map[string]map[string]value)}
	for i := range res.Facts {
		if f := &res.Facts[i]; f.Kind == FactCall && len(state.calls) < flowCalls {
			state.calls = append(state.calls, shellCall{f.Command, c.handed(f, g)})
		}
	}
	return state
}

// flowCalls bounds the calls of functions of one script that are followed.
const flowCalls = 20

// handed are the arguments of a command that runs a script or a function.
func (c code) handed(f *ShellFact, g *tagged) []value {
	if f.Args == nil {
		return nil
	}
	out := make([]value, len(f.Args))
	for i, a := range f.Args {
		if a.Labels&ShellUntrusted != 0 {
			out[i] = g.of(a.Labels).unpicked(a.Labels).injecting().narrowed(a.Labels).through(c.place(f.Span), "it is given to "+clip(cmpText(f.Name, f.Command))+" as argument "+strconv.Itoa(i+1))
		}
	}
	return out
}

// flowTexts bounds the files of a job whose content is followed.
const flowTexts = 40

// keepFiles notes for later steps which files hold texts of outsiders.
func (jr *jobRun) keepFiles(c code, res *ShellResult, g *tagged) {
	var files map[string]keptFile
	for _, k := range sortedKeys(res.Files) {
		v := g.of(res.Files[k].Labels).unpicked(res.Files[k].Labels).injecting()
		if len(v) == 0 || len(files) >= flowTexts {
			continue
		}
		if files == nil {
			files = make(map[string]keptFile)
		}
		files[k] = keptFile{pull: res.Files[k].Labels & shellPull, from: res.Files[k].Text, value: v.through(c.place(penstock.Span{}), "the script writes it to the file "+clip(k))}
	}
	jr.files = files
}

// scriptState is what a script has done up to one of its facts.
type scriptState struct {
	// downloaded is the end of the command that brought in an artifact, -1 before.
	downloaded int64
	put        []tree
	// last is the last that the script has brought in, wherever.
	last tree
	// fetch is the last fetch of a stranger's commits, and what named them.
	fetch   *Place
	fetched value
	// dispatched are untrusted inputs of workflows that are started, by workflow.
	dispatched map[string]map[string]value
	dispatchAt Place
	// args are those of the command of the fact, calls all of functions.
	args  []value
	calls []shellCall
}

// trail appends the steps of a fact's trace as hops.
func (c code) trail(v value, f *ShellFact) value {
	if len(v) == 0 {
		return v
	}
	out := slices.Clone(v)
	for i := range out {
		for n, s := range f.Trace {
			if n == 0 && s.End <= s.Start {
				continue
			}
			out[i].way = out[i].way.then(Hop{Place: c.place(s.Span), Text: s.Text})
		}
	}
	return out
}

// allowing are the taints whose shape can hold the character.
func (v value) allowing(r rune) value {
	var out value
	for _, t := range v {
		if t.injects() && t.shape.Allows(r) {
			out = append(out, t)
		}
	}
	return out
}

// fact makes flaws of what a script does, and changes the state for later steps.
func (jr *jobRun) fact(fr *frame, st *Step, c code, f *ShellFact, v value, dir string, out *stepOut, state *scriptState) {
	at := c.place(f.Span)
	untrusted := f.Labels&ShellUntrusted != 0
	if untrusted && f.Kind != FactExecute && f.Kind != FactCheckout && f.Kind != FactPublish {
		v = v.injecting()
		for i := range v {
			if v[i].file == filesCheckout && v[i].code {
				v[i].path = "a text of the code that is checked out"
			}
		}
		if f.Labels&ShellWorkspace != 0 && f.Kind == FactCode {
			v = c.trail(v, f)
		}
	}
	switch f.Kind {
	case FactTemplate:
		if !f.Maybe {
			jr.template(fr, st, c, f.Span, f.Name, v, f.Detail)
		}
	case FactCode, FactArithmetic:
		if f.Kind == FactArithmetic {
			v = v.allowing('[')
		}
		if !untrusted || len(v) == 0 {
			return
		}
		s := sink{rule: "command-injection", place: at, scope: jr.scope(st), step: st, runs: true, text: cmpText(f.Detail, "it is run as code"),
			message: describe(v[0].path) + " is run as code by " + f.Sink}
		if f.Maybe || v[0].shape == ShapeSlug {
			s.most = penstock.TierExploitable
		}
		switch {
		case f.Sink == "sed" || f.Sink == "awk" || f.Sink == "jq":
			s.rule, s.most = "argument-injection", penstock.TierExploitable
			s.message = describe(v[0].path) + " becomes a part of the program of " + f.Sink
		case v[0].model:
			s.rule = "agent-output-injection"
		case v[0].file == filesArtifact:
			s.rule = "artifact-poisoning"
			s.message = "a file of an artifact that a stranger made is run as code by " + f.Sink
		}
		jr.sink(fr, s, c.trail(v, f))
	case FactArgument:
		if !untrusted || len(v) == 0 {
			return
		}
		if (f.Command == "curl" || f.Command == "wget") && !strings.Contains(f.Detail, "without quotes") {
			jr.sink(fr, sink{rule: "request-forgery", place: at, scope: jr.scope(st), step: st, most: jr.forgery(), text: "it is the address that " + f.Command + " connects to",
				message: describe(v[0].path) + " says where " + f.Command + " connects to"}, c.trail(v, f))
			return
		}
		most := penstock.TierExploitable
		if v.branches(f.Labels) || f.Mild {
			most = penstock.TierHygiene // one word, which has to be a branch that begins with a dash
		}
		// Other than a program, what gh does is done with the rights of the token.
		rights := f.Sink == "gh" || f.Sink == "glab"
		jr.sink(fr, sink{rule: "argument-injection", place: at, scope: jr.scope(st), step: st, most: most, prized: rights, text: cmpText(f.Detail, "it can become an option of "+f.Command),
			message: describe(v[0].path) + " can become an option of " + f.Command}, c.trail(v, f))
	case FactChannel:
		jr.channel(fr, st, c, f, v, out)
	case FactExecute:
		if f.Labels&ShellWorkspace != 0 {
			t := jr.ws
			for _, o := range v {
				if o.file != filesNone {
					t = tree{taint: o, text: o.path}
					break
				}
			}
			if t.foreign() || len(v) > 0 {
				jr.execute(fr, st, at, cmpText(f.Command, "the script")+" "+f.Detail, f.Command, t, v)
				return
			}
			// The script itself brought the code in.
			if t = state.last; t.foreign() {
				jr.execute(fr, st, at, cmpText(f.Command, "the script")+" "+f.Detail, f.Command, t, value{t.taint})
			}
			return
		}
		if state.downloaded >= 0 && f.Start >= state.downloaded && state.last.foreign() {
			t := state.last
			jr.execute(fr, st, at, cmpText(f.Command, "the script")+" "+f.Detail, f.Command, t, value{t.taint})
			return
		}
		jr.ownCode(fr, st, c, f, dir, out, state)
	case FactPublish:
		jr.published(fr, st, at, f.Command, f.Name, f.Detail, v)
	case FactDispatch:
		if v = v.injecting(); untrusted && len(v) > 0 {
			if state.dispatched[f.Command] == nil {
				state.dispatched[f.Command] = make(map[string]value)
			}
			state.dispatched[f.Command][strings.ToLower(f.Name)] = c.trail(v, f)
			state.dispatchAt = at
		}
	case FactCheckout:
		if f.Sink == "artifact" {
			t, ok := jr.foreignArtifact(at, f.Command, "")
			switch {
			case ok && f.Name != "":
				jr.put(f.Name, t)
			case ok:
				state.downloaded = f.End
				state.put = append(state.put, t)
			}
			if ok {
				state.last = t
			}
			return
		}
		if f.Sink == "unpack" {
			for _, o := range v {
				if o.file != filesNone {
					o.way = o.way.then(Hop{Place: at, Text: f.Command + " unpacks it"})
					t := tree{taint: o, text: o.path}
					if state.last = t; f.Name != "" {
						jr.put(f.Name, t)
					} else {
						state.put = append(state.put, t)
					}
					break
				}
			}
			return
		}
		if f.Sink == "folder" {
			if t := jr.fetched(fr, at, f, v, state); t.foreign() && f.Name != "" {
				jr.put(f.Name, t)
				state.last = t
				jr.checkedOut(fr, st, at, t)
			}
			return
		}
		if f.Sink != "workspace" {
			state.fetch, state.fetched = &at, v
			return
		}
		t := jr.fetched(fr, at, f, v, state)
		if t.foreign() {
			state.put = append(state.put, t)
			state.last = t
			jr.checkedOut(fr, st, at, t)
		}
	}
}

// branches reports whether all that can be in a text are names of branches or the like: one
// word that the forge or git has checked.
func (v value) branches(l ShellLabels) bool {
	return !slices.ContainsFunc(v, func(t taint) bool {
		return t.shape.Allows(' ') && (l&ShellBlank != 0 || t.path != forgeTexts) || t.shape == ShapeURL
	})
}

// forgeTexts are what a script asks the forge for.
const forgeTexts = "texts of issues and pull requests"

// unpicked are the taints without what was there before the run and is read because
// somebody has picked it.
func (v value) unpicked(l ShellLabels) value {
	if l&ShellPicked == 0 {
		return v
	}
	return slices.DeleteFunc(slices.Clone(v), func(t taint) bool { return t.stored })
}

// narrowed are the taints with what a script left of them: one line, or one word.
func (v value) narrowed(l ShellLabels) value {
	if l&ShellUntrusted == 0 || l&(ShellNewline|ShellBlank) == ShellNewline|ShellBlank {
		return v
	}
	out := slices.Clone(v)
	for i := range out {
		switch t := &out[i]; {
		case !t.injects() || t.shape == ShapeObject:
		case l&ShellBlank == 0 && l&ShellNewline == 0 && t.shape.Allows(' '):
			t.shape = ShapeURL
		case l&ShellNewline == 0 && t.shape.Allows('\n'):
			t.shape = ShapeLine
		}
	}
	return out
}

func cmpText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// fetched is the tree that a script checks out with git or gh.
func (jr *jobRun) fetched(fr *frame, at Place, f *ShellFact, v value, state *scriptState) tree {
	switch jr.e.Event {
	case "push", "schedule", "workflow_dispatch", "release", "create", "delete":
		return tree{}
	case "repository_dispatch":
		if !jr.e.Outsider() {
			return tree{}
		}
	}
	t := taint{path: "code of a pull request", actor: jr.pullAuthor(), shape: ShapeText, file: filesCheckout, code: true, moves: true}
	fetched := state.fetch != nil && len(v) == 0
	if fetched {
		v = state.fetched
	}
	fork, fixed, named := false, false, false
	for _, o := range v {
		if !o.code || !o.outsider() {
			continue
		}
		named = true
		fork = fork || o.shape == ShapeSlug || o.shape == ShapeUnset || o.shape == ShapeNumber
		fixed = fixed || o.shape == ShapeSHA && !o.moves
		t.way, t.doubt = o.way, o.doubt
		if o.shape == ShapeSHA {
			fork = true
		}
	}
	if named && !fork && state.fetch != nil && slices.ContainsFunc(state.fetched, func(o taint) bool { return o.code && o.outsider() && o.shape == ShapeSlug }) {
		fork = true // a branch of the repository that was fetched before
	}
	if named && !fork && f.Command != "gh pr checkout" {
		return tree{} // a branch of this repository of that name
	}
	t.moves = !fixed
	if fetched {
		t.way = t.way.then(Hop{Place: *state.fetch, Text: "git fetch brings the code of the pull request, for what comes into the workspace"})
		t.way = t.way.then(Hop{Place: at, Text: f.Command + " makes it the content of the folder"})
	} else {
		t.way = t.way.then(Hop{Place: at, Text: f.Command + " puts the code of the pull request into the workspace"})
	}
	return tree{taint: t, text: "the code of a pull request"}
}

// channel is what a script writes for later steps.
func (jr *jobRun) channel(fr *frame, st *Step, c code, f *ShellFact, v value, out *stepOut) {
	at := c.place(f.Span)
	untrusted := f.Labels&ShellUntrusted != 0
	if !untrusted {
		// What is left is harmless as a text, and may still name code.
		v = slices.Clone(v)
		v = slices.DeleteFunc(v, func(t taint) bool { return t.injects() && !t.code })
		for i := range v {
			if v[i].injects() {
				v[i].checked = true
			}
		}
	}
	name := strings.ToLower(f.Name)
	v = v.narrowed(f.Labels)
	passed := c.trail(v, f)
	rule := ""
	switch f.Sink {
	case SinkOutput:
		if name == "" || f.Smuggle {
			if untrusted {
				out.any = out.any.with(passed)
			}
		}
		if name != "" {
			// Of two writes, in two branches, either may be the one that counts.
			out.named[name] = out.named[name].with(passed.through(at, "it becomes the output "+f.Name))
		}
		if f.Smuggle && untrusted {
			rule = "output-clobbering"
		}
	case SinkEnv:
		if name != "" {
			set := passed.through(at, "later steps have it as the variable "+f.Name)
			if out.set[name] {
				set = jr.env[name].value.with(set)
			} else if out.set == nil {
				out.set = make(map[string]bool)
			}
			out.set[name] = true
			jr.env[name] = envVar{name: f.Name, value: set}
		}
		if (f.Smuggle || name == "") && untrusted {
			rule = "environment-injection"
		}
	case SinkPath:
		if untrusted && len(v) > 0 {
			rule = "environment-injection"
		}
	}
	if rule == "" || len(v) == 0 {
		return
	}
	s := sink{rule: rule, place: at, scope: jr.scope(st), step: st, runs: rule == "environment-injection", text: "it is written to " + f.Sink}
	if f.Detail != "" {
		s.text += ": " + f.Detail
	}
	switch {
	case f.Sink == SinkPath:
		s.message = describe(v[0].path) + " is written to GITHUB_PATH: later steps look for programs there"
		s.most = penstock.TierExploitable
	case rule == "environment-injection":
		s.message = describe(v[0].path) + " is written to GITHUB_ENV: a line break in it sets any variable of later steps, and so runs code"
		if name == "" {
			s.message = describe(v[0].path) + " is written to GITHUB_ENV: it says which variables later steps have, and some of them run code"
		}
		if !jr.later(st) {
			return
		}
		s.prized = true // there are other variables to win, and nothing else
	default:
		s.message = describe(v[0].path) + " is written to GITHUB_OUTPUT: a line break in it sets other outputs of the step"
		s.most = penstock.TierHygiene
		s.clobbers = true
	}
	if s.clobbers {
		// Which other outputs there are shows when the script is read to its end.
		out.clobbered = append(out.clobbered, clobber{s, passed, name})
		return
	}
	jr.sink(fr, s, passed)
}

// clobber is a line of a script with which a text can set other outputs of the step.
type clobber struct {
	sink  sink
	value value
	// name is the output that the text is for.
	name string
}

// clobbers reports what can set other outputs of a step: it matters if somebody reads
// one of them whose value no outsider chooses otherwise.
func (jr *jobRun) clobbers(fr *frame, st *Step, out *stepOut) {
	if len(out.clobbered) == 0 || !st.ID.IsSet() {
		out.clobbered = nil
		return
	}
	var read []string
	prefix := "steps." + strings.ToLower(st.ID.Value) + ".outputs."
	for _, name := range sortedKeys(out.named) {
		if len(out.named[name].outsiders()) > 0 {
			continue
		}
		for t := range fr.file.texts() {
			if namesOutput(strings.ToLower(t.Text.Value), prefix+name) {
				read = append(read, name)
				break
			}
		}
	}
	for _, c := range out.clobbered {
		if i := slices.IndexFunc(read, func(name string) bool { return name != c.name }); i >= 0 {
			c.sink.most = penstock.TierExploitable
			c.sink.text += ", such as " + clip(read[i]) + ", which later steps rely on"
		}
		jr.sink(fr, c.sink, c.value)
	}
	out.clobbered = nil
}

// namesOutput reports whether a text reads an output, and not one whose name goes on.
func namesOutput(text, output string) bool {
	for {
		i := strings.Index(text, output)
		if i < 0 {
			return false
		}
		if text = text[i+len(output):]; text == "" || text[0] != '_' && text[0] != '-' && !shellWordByte(text[0]) {
			return true
		}
	}
}

// later reports whether something runs after the step: another step, or what an action
// before it does at the end of the job.
func (jr *jobRun) later(*Step) bool {
	return jr.n+1 < len(jr.j.Steps) || slices.ContainsFunc(jr.j.Steps, func(s Step) bool { return s.Uses.Kind == UseRemote })
}

// guessOutputs marks outputs of a script that ask the forge for the head of a pull
// request: a commit is harmless as a text, and names a stranger's code.
func (jr *jobRun) guessOutputs(c code, out *stepOut) {
	low := strings.ToLower(c.text)
	if !strings.Contains(low, "github_output") || !strings.Contains(low, "gh ") && !strings.Contains(low, "api.github.com") {
		return
	}
	for _, line := range strings.Split(c.text, "\n") {
		name, moves, ok := headOutput(line, low)
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		t := jr.headTaint(low, c.place(penstock.Span{}))
		t.moves = moves
		out.named[name] = out.named[name].with(value{t})
	}
}

// headOutput reads a line that writes an output whose name says that it is the head of
// a pull request.
func headOutput(line, script string) (name string, moves, ok bool) {
	i := strings.Index(line, "=")
	if i < 0 || !strings.Contains(line, "GITHUB_OUTPUT") {
		return "", false, false
	}
	start := i
	for start > 0 && (line[start-1] == '_' || line[start-1] == '-' || line[start-1] >= '0' && line[start-1] <= '9' || line[start-1]|0x20 >= 'a' && line[start-1]|0x20 <= 'z') {
		start--
	}
	name = line[start:i]
	low := strings.ToLower(name)
	if !strings.Contains(low, "sha") && !strings.Contains(low, "head") {
		return "", false, false
	}
	ok = hasAny(script, "headrefoid", ".head.sha", "merge_commit_sha", "potentialmergecommit")
	// A script that compares what it gets with a commit that somebody named lets no
	// other through.
	moves = !strings.Contains(script, "!= \"$") || !strings.Contains(script, "exit 1")
	return name, moves, ok && !strings.Contains(low, "base")
}
