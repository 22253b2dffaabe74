package pipeline

import (
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// upload hands files to later jobs of the run, or to other runs.
func (jr *jobRun) upload(fr *frame, st *Step, s *ActionSummary, e Effect) {
	dir := jr.inputPath(fr, st, s, e.Argument("path"))
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
	dir := jr.inputPath(fr, st, s, e.Argument("path"))
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
		t.taint = value{t.taint}.copied(s)[0]
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
	doubt := ""
	if !ok {
		if jr.sourceKnown() {
			return tree{}, false
		}
		doubt = "the workflow whose end starts this one is not among the files that were looked at"
	}
	t := taint{path: "an artifact of a run that a stranger controls", shape: ShapeText, actor: jr.e.Actor, file: filesArtifact, code: true, moves: true, doubt: doubt}
	t.before = hops
	t.way = t.way.then(Hop{Place: at, Text: by + " brings in files of that run, which its author chose"})
	return tree{taint: t, text: "an artifact of a run that a stranger controls"}, true
}

// sourceRun says where the run uploads an artifact whose end starts this one, if a
// stranger's own version of it runs.
func (jr *jobRun) sourceRun(name string) ([]Hop, bool) {
	for _, p := range jr.startersOf() {
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

// sourceKnown reports whether a workflow whose end starts this run is in the project.
func (jr *jobRun) sourceKnown() bool { return len(jr.startersOf()) > 0 }

// startersOf are the workflows the end of whose runs starts this run, in order of their
// paths.
func (jr *jobRun) startersOf() []*Pipeline {
	trigger := jr.p.Trigger("workflow_run")
	if trigger == nil {
		trigger = jr.e.Trigger
	}
	if trigger == nil {
		return nil
	}
	out, known := jr.starters[trigger]
	if known {
		return out
	}
	seen := make(map[string]bool, len(trigger.Workflows))
	for _, w := range trigger.Workflows {
		if seen[w.Value] {
			continue
		}
		seen[w.Value] = true
		if !strings.ContainsAny(w.Value, `*?[\`) {
			out = append(out, jr.x.named(w.Value)...)
			continue
		}
		jr.flows.steps += len(jr.x.Pipelines) / 20 // as long as a step takes
		for _, p := range jr.x.Pipelines {
			if p.Kind != KindWorkflow {
				continue
			}
			name := p.Name.Value
			if name == "" {
				name = strings.TrimPrefix(p.Path, jr.x.Root)
			}
			if ok, err := path.Match(w.Value, name); name == w.Value || err == nil && ok {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Pipeline) int { return strings.Compare(a.Path, b.Path) })
	out = slices.Compact(out)
	if jr.starters == nil {
		jr.flows.starters = make(map[*Trigger][]*Pipeline)
	}
	jr.starters[trigger] = out
	return out
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
	// at is where the code runs.
	at Place
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
	p := poisoning{p: jr.p, j: jr.j, hops: hops, at: s.place, actor: flaw.Actor, event: jr.e.Event, proven: pass.sure && t.doubt == "" && t.after == "" && jr.e.After == "" && jr.e.doubt == ""}
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

// poisoned reports the jobs in which a stranger can save a cache that a job restores
// which has something to lose.
func (f *flows) poisoned() {
	for _, from := range f.poison {
		victim, ok := f.victimOf(from.j)
		if !ok {
			continue
		}
		tier := penstock.TierExploitable
		if from.proven {
			tier = penstock.TierProvenPath
		}
		flaw := Flaw{Rule: "cache-poisoning", Tier: tier, Place: from.at, Scope: "job " + from.j.ID.Value, Actor: from.actor, Events: []string{from.event},
			Message: "a stranger can save caches here, and a job with " + victim.prizes[0].Text + " restores them (" + strings.TrimPrefix(victim.at.Path, f.x.Root) + ")"}
		if at, _ := f.restores(from.p, from.j); at.Path != "" {
			flaw.Place = at
		}
		flaw.Trace = append(append(slices.Clone(from.hops), victim.hop()), gains(victim.prizes)...)
		for n, p := range victim.prizes {
			if n < 6 {
				flaw.Reaches = append(flaw.Reaches, p.Text)
			}
		}
		f.add(flaw, pathCut{[]cutOption{
			{victim.at, "do not restore caches in the job " + victim.j.ID.Value, 1},
			{Place{from.p.Path, from.j.ID.Span}, "give the job " + from.j.ID.Value + " cache-mode: read", 2},
		}})
	}
}

// victim is a job that restores caches and has something to lose.
type victim struct {
	p      *Pipeline
	j      *Job
	e      *Entry
	at     Place
	what   string
	prizes []Prize
}

func (v victim) hop() Hop {
	return Hop{Place: v.at, Text: "the job " + v.j.ID.Value + " restores a cache (" + v.what + "), by " + v.e.Event}
}

// victimOf is the job, other than the one, whose caches are worth the most.
func (f *flows) victimOf(not *Job) (victim, bool) {
	if f.victims == nil {
		f.victims = []victim{}
		for _, p := range f.x.Pipelines {
			if p.Kind != KindWorkflow || p.Forge != GitHub {
				continue
			}
			for i := range p.Jobs {
				v := victim{p: p, j: &p.Jobs[i]}
				if v.at, v.what = f.restores(p, v.j); v.at.Path == "" {
					continue
				}
				if v.e, v.prizes = f.worthOf(p, v.j); v.e != nil {
					f.victims = append(f.victims, v)
				}
			}
		}
		slices.SortStableFunc(f.victims, func(a, b victim) int { return b.prizes[0].Weight - a.prizes[0].Weight })
	}
	for _, v := range f.victims {
		if v.j != not {
			return v, true
		}
	}
	return victim{}, false
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

// worthOf is an entry by which a job has something worth a poisoned cache.
func (f *flows) worthOf(p *Pipeline, j *Job) (*Entry, []Prize) {
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
			for _, input := range strings.Split(a.Value, ",") {
				if strings.Contains(input, "bot") {
					continue // a stranger is no bot
				}
				text, known := s.Value(input, st.With)
				open = open || known && (strings.TrimSpace(text) == "*" || text == "any" || text == "read" || text == "anyone")
			}
		}
		if needs := e.Argument("gate-needs"); needs != "" && st.With.Get(needs).Kind != DataScalar {
			open = false
		}
		if events := e.Argument("gate-events"); events != "" && !slices.ContainsFunc(strings.Split(events, ","), func(k string) bool { return strings.HasPrefix(jr.e.Event, k) }) {
			open = true
		}
		if !open {
			return
		}
	}
	at := Place{fr.file.Path, st.Uses.Span}
	type asked struct {
		at Place
		v  value
	}
	var all []asked
	for _, f := range st.With.Fields {
		in := s.Input(f.Name.Value)
		if in == nil || in.Role != RolePrompt {
			continue
		}
		fr.parts(f.Value.Text, func(i Interpolation, _ string, w value) {
			if bad := w.injecting(); len(bad) > 0 {
				all = append(all, asked{fr.place(f.Value.Text, i.From, i.To), bad})
			}
		})
	}
	if len(all) == 0 {
		// A prompt that names variables with texts of strangers, or tells the agent to
		// read them itself.
		for _, f := range st.With.Fields {
			in := s.Input(f.Name.Value)
			if in == nil || in.Role != RolePrompt {
				continue
			}
			// Nothing is pasted there: the place is that of the agent.
			if v := fr.promised(f.Value.Text); len(v) > 0 {
				all = append(all, asked{at, v})
			}
		}
	}
	if len(all) == 0 {
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
			all = append(all, asked{at, value{t}})
			break
		}
	}
	if len(all) == 0 {
		return
	}
	for i := range s.Outputs {
		if o := &s.Outputs[i]; o.From == FromModel {
			m := slices.Clone(all[0].v)
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
	for _, a := range all {
		a.v = a.v.copied(s)
		k := sink{rule: "agent-prompt-injection", place: a.at, scope: jr.scope(st), step: st, text: "it is a part of what the agent of " + s.Name + " is asked",
			message: describe(a.v[0].path) + " is read by an agent that acts with the rights of the job", prized: true}
		if !strong {
			k.most = penstock.TierExploitable
		}
		if tools.Path != "" {
			a.v = a.v.through(tools, "the agent may use tools that run commands: "+toolNames(st, s))
		}
		jr.sink(fr, k, a.v)
	}
}

// copied are the taints with the doubt that an action is known by its name alone.
func (v value) copied(s *ActionSummary) value {
	if !s.Copied {
		return v
	}
	v = slices.Clone(v)
	for i := range v {
		v[i].doubt = cmpText(v[i].doubt, "what the action "+clip(s.Name)+" does is judged by its name, which one of another owner has")
	}
	return v
}

// readsForge is what a prompt says that makes an agent read texts of the forge itself.
var readsForge = regexp.MustCompile(`\bgh (?:issue|pr) (?:view|list|diff)\b|\bmcp__github__(?:get_issue|list_issues|issue_read|get_pull_request|pull_request_read)\b|(?i)\b(?:read|fetch|view|look at|look up|inspect|retrieve)\s+(?:[\w-]+\s+){0,4}?(?:issue|pull request|pr|discussion|comment)s?\b`)

// namesItem is what a prompt says that makes an agent look at an item of a stranger, if it
// has a token: what to do with it, its number or its address.
var namesItem = regexp.MustCompile(`(?i)\b(?:review|triage|analy[sz]e|investigate|summari[sz]e|classify|respond to)\s+(?:[\w-]+\s+){0,4}?(?:issue|pull request|pr|discussion|comment)s?\b|\$\{\{\s*github\.event\.(?:issue|pull_request|discussion|comment)\.(?:number|html_url|url)\s*\}\}`)

// promised are the texts of strangers that a prompt leads to: those of variables that it
// names, and those that it tells the agent to read.
func (fr *frame) promised(t Text) value {
	var v value
	all := fr.variables()
	for _, k := range sortedKeys(all) {
		o := all[k]
		if bad := o.value.injecting(); len(bad) > 0 && namesVariable(t.Value, o.name) {
			v = v.with(bad.through(Place{fr.file.Path, t.Span}, "what the agent is asked names the variable "+o.name))
		}
	}
	if m := readsForge.FindStringIndex(t.Value); m != nil && len(v) == 0 {
		v = fr.forgeText(fr.place(t, m[0], m[1]))
	}
	if m := namesItem.FindStringIndex(t.Value); m != nil && len(v) == 0 && (all["gh_token"].text != "" || all["github_token"].text != "") {
		v = fr.forgeText(fr.place(t, m[0], m[1])) // it has what it takes to look
	}
	return v
}

// forgeText are the texts of issues and pull requests that an agent is told to read, if
// the event is about one.
func (fr *frame) forgeText(at Place) value {
	e := fr.run.e
	if !strings.HasPrefix(e.Event, "issue") && !strings.HasPrefix(e.Event, "pull_request") && !strings.HasPrefix(e.Event, "discussion") {
		return nil
	}
	return value{{path: "what issues and pull requests say", shape: ShapeText, actor: ActorAnyone,
		way: (*way)(nil).then(Hop{Place: at, Text: "the agent is told to read what anyone with an account writes"})}}
}

// namesVariable reports whether a text has the name of a variable as a word.
func namesVariable(text, name string) bool {
	if len(name) < 2 {
		return strings.Contains(text, "$"+name) || strings.Contains(text, "${"+name+"}")
	}
	for i := 0; ; {
		k := strings.Index(text[i:], name)
		if k < 0 {
			return false
		}
		k += i
		i = k + len(name)
		if (k == 0 || !shellWordByte(text[k-1])) && (i == len(text) || !shellWordByte(text[i])) {
			return true
		}
	}
}

// agentCommand is a command line of an agent that answers without a person.
var agentCommand = regexp.MustCompile(`(?m)(?:^|[\s;&|(/])(?:claude\b[^\n]*\s(?:-p|--print)\b|codex\s+exec\b|gemini\b[^\n]*\s(?:-p|--prompt|--yolo|-y)\b|opencode\s+run\b|aider\b[^\n]*\s(?:-m|--message)\b|copilot\b[^\n]*\s-p\b|cursor-agent\b)(?:[^\n]|\\\n)*`)

// readsFile is a file that a command line takes in.
var readsFile = regexp.MustCompile(`(?:\bcat\s+|<\s*|\s@)["']?([A-Za-z0-9_$/][\w./-]*)`)

var shellVariable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// agentCommands look for texts of outsiders in the command line of an agent.
func (jr *jobRun) agentCommands(fr *frame, st *Step, c code) {
	if indexAny(c.text, "claude", "codex", "gemini", "opencode", "aider", "copilot", "cursor-agent") < 0 {
		return
	}
	for _, m := range agentCommand.FindAllStringIndex(c.text, 10) {
		line := c.text[m[0]:m[1]]
		at := c.place(penstock.Span{Start: int64(m[0] + len(line) - len(strings.TrimLeft(line, " \t\n;&|("))), End: int64(m[1])})
		var v value
		for _, name := range shellVariable.FindAllStringSubmatch(line, 20) {
			v = v.with(fr.variable(strings.ToLower(name[1])).injecting())
		}
		for _, e := range ShellExpressions(line, TemplateGitHub) {
			v = v.with(fr.body(e.Body, at).injecting())
		}
		whole := c.text[strings.LastIndexByte(c.text[:m[0]], '\n')+1 : m[1]]
		for _, name := range readsFile.FindAllStringSubmatch(whole, 10) {
			v = v.with(jr.files[cleanDir(name[1])].value.injecting())
		}
		strong := toolsRun(line) || strings.Contains(line, "--full-auto") || strings.Contains(line, "allow-all")
		if len(v) == 0 && strong && readsForge.MatchString(line) {
			v = fr.forgeText(at)
		}
		if len(v) == 0 {
			continue
		}
		k := sink{rule: "agent-prompt-injection", place: at, scope: jr.scope(st), step: st, text: "it is a part of what the agent is asked", prized: true,
			message: describe(v[0].path) + " is read by an agent that acts with the rights of the job", most: penstock.TierExploitable}
		if strong {
			k.most = ""
			k.text += ", and it may run commands"
		}
		jr.sink(fr, k, v)
	}
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
	for _, w := range []string{"dangerously", "--yolo", "danger-full-access", "Bash(*)", "Bash(:*)"} {
		if strings.Contains(text, w) && !strings.Contains(text, "isallow") {
			return true
		}
	}
	for _, m := range geminiTool.FindAllStringSubmatch(text, 100) {
		if !strings.Contains(text, "isallow") && !geminiReads.MatchString(m[1]) {
			return true
		}
	}
	return bareBash.MatchString(text) && !strings.Contains(text, "disallowed")
}

var (
	geminiTool = regexp.MustCompile(`\brun_shell_command\b(?:\(([^)\n]*)\))?`)
	// geminiReads are commands with which an agent sends nothing anywhere.
	geminiReads = regexp.MustCompile(`^\s*["']?(?:echo|cat|ls|head|tail|wc|sort|uniq|jq|grep|pwd|date|printf|gh (?:issue|pr|label|repo|release|run|search)(?: (?:view|list|diff|checks|status|issues|prs))?|git (?:log|show|diff|status|blame|ls-files|grep))["']?\s*$`)
)

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
	if !jr.attacked() || c.depth > 0 {
		return
	}
	jr.agentCommands(fr, st, c)
	if d := DialectOf(c.shell); d == DialectPowerShell {
		jr.powerShell(fr, st, c)
	}
	if !strings.Contains(c.text, "gh pr ") {
		return
	}
	for _, m := range append(mergeCommand.FindAllStringIndex(c.text, 10), approveCommand.FindAllStringIndex(c.text, 10)...) {
		jr.deputy(fr, st, c.place(penstock.Span{Start: int64(m[0]), End: int64(m[1])}), "gh pr")
	}
}

// contentToChannel is a line of PowerShell that writes a file into a file of the runner.
var contentToChannel = regexp.MustCompile(`(?im)^.*(?:Get-Content|\bgc\b|\bcat\b|\btype\b)\s+(?:-Path\s+)?['"]?([^\s'"|)]+)[^\n]*\$env:(GITHUB_ENV|GITHUB_PATH)\b.*$`)

// powerShell looks for files of strangers that a script of PowerShell hands to later
// steps.
func (jr *jobRun) powerShell(fr *frame, st *Step, c code) {
	for _, m := range contentToChannel.FindAllStringSubmatchIndex(c.text, 10) {
		name := strings.ReplaceAll(c.text[m[2]:m[3]], "\\", "/")
		if t := jr.treeAt(name); t.foreign() && jr.later(st) {
			channel := c.text[m[4]:m[5]]
			jr.sink(fr, sink{rule: "environment-injection", place: c.place(penstock.Span{Start: int64(m[0]), End: int64(m[1])}), scope: jr.scope(st), step: st, runs: true,
				text: "the file " + clip(name) + " is written to " + channel, message: "a file that a stranger wrote is written to " + channel + ", which rules over later steps"}, value{t.taint})
		}
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
		if p.Kind == PrizeRunner && (p.Setting || jr.asks(p.Name)) {
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
			at := p.Place
			if at.Path == "" {
				at = Place{jr.p.Path, jr.j.ID.Span}
			}
			jr.sink(fr, sink{rule: "secrets-on-untrusted-code", place: at, scope: scope, only: kinds,
				text: "the author's own code runs in the job " + jr.j.ID.Value, message: "pull requests of strangers run with " + p.Text}, value{t})
			break
		}
	}
}

// asks reports whether a job wants a runner with the label, as far as the file says.
func (jr *jobRun) asks(label string) bool {
	return slices.ContainsFunc(jr.x.wishesOf(jr.p, jr.e, jr.j), func(w runnerWish) bool {
		return slices.ContainsFunc(w, func(l runnerLabel) bool { return strings.EqualFold(l.text, label) })
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
		flaw.Why = []string{"nothing in this repository uses the action: whoever uses it for events of strangers is open to them"}
	}
	flaw.Scope = s.scope
	flaw.Trace = append(t.way.hops(), Hop{Place: s.place, Text: s.text})
	jr.add(flaw, pathCut{})
}

// dispatch runs another workflow of the repository that a script starts with untrusted
// inputs.
func (jr *jobRun) dispatch(fr *frame, st *Step, at Place, workflow string, inputs map[string]value) {
	if !jr.attacked() {
		return
	}
	target := jr.startable(workflow)
	if target == nil {
		return
	}
	pass := jr.passage(false)
	if !pass.open {
		return
	}
	if pass.person {
		// Who passes such a check writes what the event holds.
		for k, v := range inputs {
			inputs[k] = slices.DeleteFunc(slices.Clone(v), func(t taint) bool { return t.file == filesNone && !jr.others(t) })
		}
	}
	es := jr.entriesOf(target)
	for i := range es {
		if es[i].Event != "workflow_dispatch" || es[i].caller != nil {
			continue
		}
		e := jr.handed(&es[i], jr.e)
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
		if jr.ranByHand(e, inputs) {
			return
		}
		if jr.depth >= flowDepth {
			jr.x.limit(limitDepth)
			return
		}
		r := &flowRun{flows: jr.flows, p: target, e: e, inputs: inputs, jobs: make(map[string]*jobRun), depth: jr.depth + 1,
			stack: append(slices.Clone(jr.stack), jr.p, target), origin: hops, cause: jr.e.Event}
		r.run()
		return
	}
}

// ranByHand reports whether a workflow was run by an entry by hand with the same say of
// others in its inputs, by as few others that start one another or fewer: what its steps
// do is then known, also if it is what is running.
func (jr *jobRun) ranByHand(e *Entry, inputs map[string]value) bool {
	h := sha256.New()
	fmt.Fprintf(h, "%p\x00%s\x00", e, jr.e.Event)
	for _, k := range sortedKeys(inputs) {
		fmt.Fprintf(h, "%s\x00", k)
		inputs[k].sign(h)
	}
	var key [sha256.Size]byte
	h.Sum(key[:0])
	if depth, known := jr.handRuns[key]; known && depth <= jr.depth {
		return true
	}
	if jr.handRuns == nil {
		jr.flows.handRuns = make(map[[sha256.Size]byte]int)
	}
	jr.handRuns[key] = jr.depth
	return false
}

// handKey is what makes two entries by hand differ that a script brings about.
type handKey struct {
	e     *Entry
	actor ActorClass
	after string
}

// handed is an entry by hand that a run of another entry brings about. It is the same
// for the same actor, so that what is known of it is found again.
func (f *flows) handed(e, by *Entry) *Entry {
	key := handKey{e, by.Actor, by.After}
	out := f.hands[key]
	if out == nil {
		own := *e
		own.Actor, own.After = by.Actor, by.After
		out = &own
		if f.hands == nil {
			f.hands = make(map[handKey]*Entry)
		}
		f.hands[key] = out
	}
	return out
}

// startable is the workflow of a file name, or name, that can be started by hand.
func (f *flows) startable(name string) *Pipeline {
	if f.byFile == nil {
		f.byFile, f.byName = make(map[string]*Pipeline), make(map[string]*Pipeline)
		for i := len(f.x.Pipelines) - 1; i >= 0; i-- {
			if p := f.x.Pipelines[i]; p.Kind == KindWorkflow && p.Trigger("workflow_dispatch") != nil {
				f.byFile[path.Base(p.Path)], f.byName[p.Name.Value] = p, p
			}
		}
	}
	a, b := f.byFile[path.Base(name)], f.byName[name]
	if a == nil || b != nil && b.Path < a.Path {
		return b
	}
	return a
}

// shared is a job of another event that runs on the runner of a prize, and has something
// to lose to whoever stays there.
func (f *flows) shared(label string, not *Job) (victim, bool) {
	label = strings.ToLower(label)
	if f.runners == nil {
		f.runners = make(map[string][]victim)
		for _, p := range f.x.Pipelines {
			if p.Kind != KindWorkflow || p.Forge != GitHub {
				continue
			}
			for i := range p.Jobs {
				j := &p.Jobs[i]
				for _, t := range j.RunsOn.Labels {
					name := strings.ToLower(t.Value)
					all := f.runners[name]
					if n := len(all); n == 0 || all[n-1].j != j {
						f.runners[name] = append(all, victim{p: p, j: j, what: t.Value, at: Place{p.Path, t.Span}})
					}
				}
			}
		}
	}
	all := f.runners[label]
	if len(all) > 0 && !f.weighed[label] {
		// The two that are worth the most: one of them is another job.
		var best []victim
		for _, v := range all {
			if v.e, v.prizes = f.worthOf(v.p, v.j); v.e != nil {
				best = append(best, v)
				slices.SortStableFunc(best, func(a, b victim) int { return b.prizes[0].Weight - a.prizes[0].Weight })
				best = best[:min(len(best), 2)]
			}
		}
		all = best
		f.runners[label] = all
		if f.weighed == nil {
			f.weighed = make(map[string]bool)
		}
		f.weighed[label] = true
	}
	for _, v := range all {
		if v.j != not {
			return v, true
		}
	}
	return victim{}, false
}
