package pipeline

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"penstock"
)

// The flow analysis for GitLab, Azure and Jenkins. What differs from GitHub is where
// texts of strangers come from, and what of them is pasted:
//
//   - GitLab gives scripts its variables by the environment. Only $[[ ]] is pasted.
//   - Azure pastes $(macros) and ${{ expressions }}, and has the same by the environment.
//   - Jenkins pastes what stands in a text of Groovy, ${x}, and the rest is environment.
//
// All that follows a text within a script, and grades what it reaches, is GitHub's.

// forgeMemo is what the analysis remembers of other forges.
type forgeMemo struct {
	values map[*Pipeline]*JenkinsValues
	sets   map[*Pipeline][]string // variables that steps set
	// Of one run: variables that jobs leave for later ones, and the folders of agents.
	dotenv map[string]value
	spaces map[int]tree
	tested bool // the run is one whose code must be looked at
	work   int  // names that were looked for, by the length of the script
	// Of Azure: the variables of maps, by their first field, and what AzureControlOf says.
	named    map[*Field][]azureEnv
	controls map[[2]string]controlAnswer
}

// forges runs the definitions of the forges other than GitHub.
func (f *flows) forges() {
	// Included files and templates repeat steps, so that their number says little of what
	// the files hold.
	f.most = min(f.most, f.steps+flowSteps)
	for _, p := range f.x.Pipelines {
		if p.Kind != KindGitLab && p.Kind != KindAzure && p.Kind != KindJenkinsfile || len(p.Jobs) == 0 {
			continue
		}
		es := f.entriesOf(p)
		outside := make(map[string]bool)
		for i := range es {
			if e := &es[i]; e.Outsider() && e.passable() {
				outside[e.Event] = outside[e.Event] || e.After == ""
			}
		}
		for i := range es {
			e := &es[i]
			if !e.passable() {
				continue
			}
			f.forge.dotenv, f.forge.spaces = make(map[string]value), make(map[int]tree)
			f.forge.tested = e.Outsider()
			switch e.Event {
			case "merge_request_event", AzurePullRequest, JenkinsChange:
				f.forge.tested = e.Outsider() || !outside[e.Event]
			}
			r := &flowRun{flows: f, p: p, e: e, jobs: make(map[string]*jobRun)}
			r.forgeRun()
		}
	}
}

func (r *flowRun) forgeRun() {
	if r.e.Own && r.e.Outsider() {
		r.definition()
	}
	for _, j := range byNeeds(r.p.Jobs) {
		if r.spent() {
			return
		}
		jr := &jobRun{flowRun: r, j: j, dirs: make(map[string]tree), env: make(map[string]envVar), reached: make(map[int]reached), reach: reached{truth: True}}
		jr.forgeJob()
	}
}

// foreignKinds are what a stranger's code wants of a job, beside the runner.
var foreignKinds = []PrizeKind{PrizeSecret, PrizeSecrets, PrizeIdentity, PrizeWrite, PrizeCloud, PrizePublish}

// definition reports that the stranger's own version of the pipeline runs with what the
// project has.
func (r *flowRun) definition() {
	for i := range r.p.Jobs {
		j := &r.p.Jobs[i]
		truth, _ := r.x.Reach(r.p, r.e, j)
		if truth == False {
			continue
		}
		if !slices.ContainsFunc(r.prizesOf(r.p, r.e, j), func(q Prize) bool { return slices.Contains(foreignKinds, q.Kind) }) {
			continue
		}
		jr := &jobRun{flowRun: r, j: j, reached: make(map[int]reached), reach: reached{truth: True, gates: r.e.gates}}
		fr := &frame{run: r, job: jr, file: r.p}
		t := taint{path: "the definition of the pipeline", shape: ShapeText, actor: r.e.Actor}
		jr.sink(fr, sink{rule: "untrusted-definition", place: r.definitionPlace(j), only: foreignKinds, prized: true,
			text:    "the author's own version of the pipeline runs here, with what the project gives it",
			message: "a stranger's own version of this pipeline runs with what the project has"}, value{t})
		return
	}
}

var jenkinsStart = regexp.MustCompile(`(?m)^[ \t]*(pipeline|node|properties|timestamps|stage|def |@Library)`)

// definitionPlace is where the file lets strangers' changes in.
func (r *flowRun) definitionPlace(j *Job) Place {
	switch {
	case r.e.gitlab != nil:
		run := r.p.GitLabRun(*r.e.gitlab)
		for _, rule := range []*Rule{run.Job(j).Rule, run.Rule} {
			if rule != nil && rule.If.IsSet() {
				return r.p.place(rule.If.Span)
			}
		}
		for _, ref := range j.Only.Get().Refs {
			if ref.Value == "merge_requests" {
				return r.p.place(ref.Span)
			}
		}
	case r.e.azure != nil:
		if r.e.Trigger != nil && r.e.Trigger.Event.Span.End > 0 {
			return r.p.place(r.e.Trigger.Event.Span)
		}
		return r.p.start()
	case r.e.jenkins != nil:
		if m := jenkinsStart.FindSubmatchIndex(r.p.Source); m != nil {
			return Place{r.p.Path, penstock.Span{Start: int64(m[2]), End: int64(m[3])}}
		}
		return r.p.start()
	}
	return r.p.place(j.ID.Span)
}

// index is the place of the job in the pipeline.
func (jr *jobRun) index() int {
	for i := range jr.p.Jobs {
		if &jr.p.Jobs[i] == jr.j {
			return i
		}
	}
	return len(jr.p.Jobs)
}

func (jr *jobRun) forgeJob() {
	truth, gates := jr.x.Reach(jr.p, jr.e, jr.j)
	if truth == False {
		return
	}
	jr.reach = reached{truth, gates}
	fr := &frame{run: jr.flowRun, job: jr, file: jr.p, steps: make(map[string]*stepOut), stack: []*Pipeline{jr.p}}
	jr.jobs[strings.ToLower(jr.j.ID.Value)] = jr
	if jr.e.Own && jr.e.Outsider() {
		jr.foreignJob(fr)
	}
	merge := taint{path: "the code of the change", shape: ShapeText, actor: jr.e.Actor, code: true}
	switch {
	case jr.j.Workspace != 0 && jr.e.jenkins != nil:
		jr.ws = jr.forge.spaces[jr.j.Workspace]
	case jr.e.jenkins == nil && jr.attacked() && jr.e.Checkout == FromMerge && len(jr.j.Steps) > 0:
		jr.bring(fr, &jr.j.Steps[0], "", merge, jr.p.place(jr.j.ID.Span), "the job")
	}
	for i := range jr.j.Steps {
		st := &jr.j.Steps[i]
		jr.n = i
		if jr.spent() {
			return
		}
		jr.flows.steps++
		if jr.stepReach().truth == False {
			continue
		}
		switch out := (&stepOut{named: make(map[string]value)}); {
		case st.Run.IsSet():
			jr.forgeScript(fr, st, out)
			if st.ID.IsSet() {
				fr.steps[strings.ToLower(st.ID.Value)] = out
			}
		case jr.e.jenkins != nil:
			jr.jenkinsStep(fr, st, merge)
		}
	}
	if jr.j.Workspace != 0 {
		jr.forge.spaces[jr.j.Workspace] = jr.ws
	}
	if jr.ran != nil && !jr.e.Own {
		jr.foreignJob(fr)
	}
}

// jenkinsStep is a step of Jenkins that brings in or runs code.
func (jr *jobRun) jenkinsStep(fr *frame, st *Step, merge taint) {
	at := jr.p.place(st.Span)
	first := func() string {
		for _, f := range st.With.Fields {
			if n := f.Name.Value; n == "" || n == "name" || n == "path" {
				return f.Value.Text.Value
			}
		}
		return ""
	}
	switch st.Call.Get().Value {
	case "checkout":
		if st.Uses.Kind != UseSelf {
			return
		}
		if jr.attacked() && jr.e.Checkout == FromMerge {
			jr.bring(fr, st, "", merge, at, "checkout scm")
		} else {
			jr.put("", tree{})
		}
	case "load":
		if t := jr.treeAt(st.Uses.Path); st.Uses.Kind == UseLocal && t.foreign() {
			jr.execute(fr, st, at, "load runs "+clip(st.Uses.Path)+" of it as a part of the pipeline", "load", t, value{t.taint})
		}
	case "docker.build":
		if t := jr.ws; t.foreign() {
			jr.execute(fr, st, at, "docker.build runs the Dockerfile of it", "docker build", t, value{t.taint})
		}
	case "stash", "archiveArtifacts":
		t := jr.ws
		if !t.foreign() {
			return
		}
		if len(jr.artifacts) >= maxStashes {
			jr.x.limit(limitStashes)
			return
		}
		t.taint.file = filesArtifact
		t.taint.way = t.taint.way.then(Hop{Place: at, Text: st.Call.Get().Value + " keeps files of it"})
		if jr.artifacts == nil {
			jr.flowRun.artifacts = make(map[string]tree)
		}
		jr.flowRun.artifacts[first()] = t
	case "unstash":
		if t, ok := jr.artifacts[first()]; ok {
			t.taint.way = t.taint.way.then(Hop{Place: at, Text: "unstash brings them back"})
			jr.put("", t)
		}
	}
}

// foreignJob reports what a job has in which a stranger's code runs: credentials where
// the file names them, and a runner that lives on.
func (jr *jobRun) foreignJob(fr *frame) {
	t := taint{path: "the code of the change", shape: ShapeText, actor: jr.e.Actor}
	scope := jobScope(jr.j)
	own := jr.p.place(jr.j.ID.Span)
	for _, q := range jr.prizesOf(jr.p, jr.e, jr.j) {
		at := jr.p.place(q.Span)
		switch {
		case q.Kind == PrizeRunner && at != own:
			jr.sink(fr, sink{rule: "self-hosted-runner-exposed", place: at, scope: scope, only: []PrizeKind{PrizeRunner},
				text: "the author's code runs on " + q.Text, message: "changes of strangers run on " + q.Text + ", where they can stay"}, value{t})
		case (q.Kind == PrizeSecret || q.Kind == PrizeSecrets || q.Kind == PrizeCloud || q.Kind == PrizeIdentity) && at != own && q.Weight >= worthIt:
			jr.sink(fr, sink{rule: "secrets-on-untrusted-code", place: at, scope: scope, only: []PrizeKind{q.Kind},
				text: "the author's code runs in the " + scope + ", which has " + q.Text, message: "code of strangers runs with " + q.Text}, value{t})
		}
	}
}

// assumed says what is taken for granted of a server whose settings are not given.
func (jr *jobRun) assumed() string {
	set := &jr.x.Settings
	switch {
	case jr.e.jenkins != nil && !set.Jenkins.known():
		return "It takes that the project builds such runs, which its settings say."
	case jr.e.azure != nil && jr.e.Outsider() && !set.Azure.known():
		return "It takes that the pipeline builds pull requests from forks, which its settings say."
	case jr.e.doubt != "":
		return "It takes that " + jr.e.doubt + "."
	}
	return ""
}

// emptyHanded reports whether the job is known to run on a machine that is thrown away.
func (jr *jobRun) emptyHanded() bool {
	kinds := jr.x.Settings.Jenkins.Agents
	labels := jr.j.RunsOn.Labels
	switch {
	case jr.e.azure != nil:
		if hosted, known := AzureHosted(jr.j); hosted && known {
			return true
		}
		kinds, labels = jr.x.Settings.Azure.Pools, []Text{jr.j.RunsOn.Group}
	case jr.e.gitlab != nil:
		kinds = jr.x.Settings.GitLab.Runners
	}
	return len(labels) > 0 && !slices.ContainsFunc(labels, func(l Text) bool { return kinds[l.Value] != RunnerEphemeral })
}

// templates are the syntaxes that the forge pastes.
func (p *Pipeline) templates() ShellTemplates {
	switch p.Forge {
	case GitLab:
		return TemplateGitLab
	case Azure:
		return TemplateGitHub | TemplateAzure
	case Jenkins:
		return TemplateParts
	}
	return TemplateGitHub
}

func (jr *jobRun) forgeScript(fr *frame, st *Step, out *stepOut) {
	c := code{path: jr.p.Path, text: st.Run.Value, at: st.Run.At, shell: st.Run.Shell.Get().Value, pasted: true}
	if jr.forge.tested {
		jr.forgeAnalyse(fr, st, c, cleanDir(st.Run.Dir.Get().Value), out)
	}
	jr.forgeExpansions(fr, st, c)
}

// shellInput says which syntaxes stand in a script.
func (jr *jobRun) shellInput(st *Step, c code) ShellInput {
	in := ShellInput{Templates: jr.p.templates()}
	switch {
	case !c.pasted:
		in.Templates = TemplateParts // none: the forge pastes nothing into a file
	case jr.e.jenkins != nil:
		in.Parts = st.Run.Parts
	case jr.e.azure != nil:
		in.Macros = jr.x.macros(jr.p)
	}
	return in
}

// forgeExprs are the expressions that the forge pastes into a script.
func (jr *jobRun) forgeExprs(st *Step, c code) []ShellExpr {
	in := jr.shellInput(st, c)
	if in.Templates == TemplateParts {
		_, all, _ := shellMaskParts(c.text, in.Parts)
		return all
	}
	_, all, _ := shellMask(c.text, in.Templates, in.Macros)
	return all
}

// forgeExpansions are expressions that are pasted though no outsider has a say in them.
func (jr *jobRun) forgeExpansions(fr *frame, st *Step, c code) {
	for _, e := range jr.forgeExprs(st, c) {
		for _, t := range jr.forgeBody(fr, e.Body, c.place(e.Span)) {
			if t.outsider() && !t.checked || !t.shape.Injects() {
				continue
			}
			jr.add(Flaw{Rule: "template-expansion", Tier: penstock.TierHygiene, Place: c.place(e.Span), Scope: jr.scope(st),
				Message: describe(t.path) + " is pasted into a script; no outsider chooses it, but a quote in it breaks the script"}, pathCut{})
			break
		}
	}
}

// forgeAnalyse is analyse for forges other than GitHub.
func (jr *jobRun) forgeAnalyse(fr *frame, st *Step, c code, dir string, out *stepOut) {
	if jr.tired() {
		return
	}
	var g tagged
	in := jr.shellInput(st, c)
	in.Dir, in.Vars = dir, make(map[string]ShellSource)
	var sig strings.Builder
	fmt.Fprintf(&sig, "%s\x00%s\x00%s\x00%d\x00%p\x00", jr.p.Forge, c.shell, dir, len(c.text), jr.p)
	for _, v := range jr.forgeVariables(st, c) {
		if l := g.tag(v.value); l != 0 {
			in.Vars[v.name] = ShellSource{Labels: l, Text: v.name}
			fmt.Fprintf(&sig, "%s=%x\x00", v.name, uint64(l))
		}
	}
	bodies := make(map[string]ShellSource)
	for _, e := range jr.forgeExprs(st, c) {
		if _, known := bodies[e.Body]; known {
			continue
		}
		l := g.tag(jr.forgeBody(fr, e.Body, c.place(e.Span)))
		bodies[e.Body] = ShellSource{Labels: l, Text: e.Body}
		fmt.Fprintf(&sig, "%s=%x\x00", e.Body, uint64(l))
	}
	if len(bodies) > 0 {
		in.Expr = func(body string) ShellSource { return bodies[body] }
	}
	if jr.e.gitlab != nil {
		in.EnvFiles = dotenvFiles(jr.j)
		fmt.Fprintf(&sig, "files %d\x00", len(in.EnvFiles))
	}
	if jr.ws.foreign() {
		in.Workspace = ShellSource{Labels: g.tag(value{jr.ws.taint}) | ShellUntrusted | ShellWorkspace, Text: jr.ws.text}
		fmt.Fprintf(&sig, "workspace=%x %s\x00", uint64(in.Workspace.Labels), jr.ws.text)
	}
	message := value{jr.gitLog(c)}
	in.Log = ShellSource{Labels: g.tag(message), Text: "messages of commits"}
	forge := value{{path: "texts of issues and merge requests", shape: ShapeText, actor: ActorAnyone,
		way: (*way)(nil).then(Hop{Place: c.place(penstock.Span{}), Text: "the script asks the forge for texts that anyone with an account writes"})}}
	in.Forge = ShellSource{Labels: g.tag(forge), Text: "texts of issues and merge requests"}
	g.given(&in, c, func(name string, l ShellLabels, _ string) { fmt.Fprintf(&sig, "%s=%x\x00", name, uint64(l)) })
	sig.WriteString(c.text)
	res := jr.scripts[sig.String()]
	if res == nil {
		r := AnalyseScript(c.text, c.shell, in)
		res = &r
		jr.scripts[sig.String()] = res
		jr.flows.shell += len(c.text)
	}
	if jr.again(st, c, &g, res, sig.String()) {
		return
	}
	state := c.begun(res, &g)
	full := jr.attacked() && jr.e.After == ""
	for i := range res.Facts {
		fact := &res.Facts[i]
		v := g.of(fact.Labels)
		state.args = c.handed(fact, &g)
		switch fact.Kind {
		case FactTemplate, FactCode, FactArithmetic:
		case FactChannel:
			jr.forgeChannel(fr, st, c, fact, v, out)
			continue
		case FactExecute:
			if !full && fact.Labels&ShellWorkspace != 0 {
				continue
			}
		case FactArgument:
			// The last word of a merge's message, as is asked for most, is no option.
			v = slices.DeleteFunc(slices.Clone(v), func(t taint) bool { return t.path == commitMessage })
			if !full || len(v) == 0 {
				continue
			}
		case FactCheckout:
			if !full || len(v) == 0 {
				continue
			}
		default:
			continue
		}
		jr.fact(fr, st, c, fact, v, dir, out, state)
	}
	for _, t := range state.put {
		jr.put("", t)
	}
}

// again reports whether the very same script was looked at in this job, with the same
// say of others in it, as happens where a template is used many times. One that leaves
// something to later steps is looked at each time.
func (jr *jobRun) again(st *Step, c code, g *tagged, res *ShellResult, sig string) bool {
	if st.ID.IsSet() || slices.ContainsFunc(res.Facts, func(f ShellFact) bool {
		switch f.Kind {
		case FactTemplate, FactCode, FactArithmetic, FactArgument:
			return false
		}
		return true
	}) {
		return false
	}
	h := sha256.New()
	fmt.Fprintf(h, "%v\x00%s\x00", c.place(penstock.Span{End: int64(len(c.text))}), sig)
	for _, v := range g.values {
		v.sign(h)
	}
	fmt.Fprintf(h, "%d\x00", jr.stepReach().truth)
	for _, gate := range jr.stepReach().gates {
		fmt.Fprintf(h, "%v %s\x00", gate.Place, gate.Text)
	}
	var key [sha256.Size]byte
	h.Sum(key[:0])
	if jr.seen[key] {
		return true
	}
	if jr.seen == nil {
		jr.seen = make(map[[sha256.Size]byte]bool)
	}
	jr.seen[key] = true
	return false
}

const commitMessage = "the message of a commit"

// gitLog is what is known of the messages of commits that a script asks git for.
func (jr *jobRun) gitLog(c code) taint {
	t := taint{path: commitMessage, shape: ShapeText, actor: ActorAnyone}
	switch jr.e.Event {
	case "merge_request_event", AzurePullRequest, JenkinsChange, JenkinsGHPRB, JenkinsGitLab, JenkinsGerrit:
	default:
		t.after = merged
	}
	t.way = t.way.then(Hop{Place: c.place(penstock.Span{}), Text: "the script asks git for messages of commits, which their authors choose"})
	return t
}

// dotenvFiles are the files of a job whose lines become variables of later jobs.
func dotenvFiles(j *Job) map[string]bool {
	var out map[string]bool
	for _, a := range j.Artifacts {
		for _, t := range a.Dotenv {
			if out == nil {
				out = make(map[string]bool)
			}
			out[cleanDir(t.Value)] = true
		}
	}
	return out
}

// forgeChannel is what a script leaves for later steps or jobs.
func (jr *jobRun) forgeChannel(fr *frame, st *Step, c code, f *ShellFact, v value, out *stepOut) {
	at := c.place(f.Span)
	untrusted := f.Labels&ShellUntrusted != 0
	passed := c.trail(v, f)
	name := strings.ToLower(f.Name)
	if f.Sink == SinkOutput {
		if name != "" {
			out.named[name] = passed.through(at, "it becomes the output "+f.Name)
		}
		return
	}
	if f.Sink != SinkEnv {
		return
	}
	if name != "" && len(v) > 0 {
		kept := passed.through(at, "later steps have it as the variable "+f.Name)
		if jr.e.gitlab != nil {
			jr.forge.dotenv[f.Name] = jr.forge.dotenv[f.Name].with(kept)
		} else {
			jr.env[name] = envVar{name: f.Name, value: kept}
		}
	}
	if !untrusted || !f.Smuggle && name != "" || !jr.attacked() {
		return
	}
	if v = passed.injecting(); len(v) == 0 {
		return
	}
	where := "a logging command"
	if jr.e.gitlab != nil {
		where = "a dotenv file"
	} else if !jr.later(st) {
		return
	}
	s := sink{rule: "environment-injection", place: at, scope: jr.scope(st), step: st, runs: true, text: "it is written to " + where, most: penstock.TierExploitable,
		message: describe(v[0].path) + " is written to " + where + ": a line break in it sets any variable of what runs later"}
	if f.Maybe {
		s.most = penstock.TierHygiene
	}
	jr.sink(fr, s, v)
}

// forgeVariables are the variables of a script in which somebody has a say.
func (jr *jobRun) forgeVariables(st *Step, c code) []envVar {
	var out []envVar
	seen := make(map[string]bool)
	at := c.place(penstock.Span{})
	take := func(name string, v value) {
		if len(v) == 0 || seen[name] {
			return
		}
		seen[name] = true
		out = append(out, envVar{name: name, value: v})
	}
	// where is the place of a name in the script.
	where := func(name string) (Place, bool) {
		i := strings.Index(c.text, name)
		if i < 0 {
			return at, false
		}
		return c.place(penstock.Span{Start: int64(i), End: int64(i + len(name))}), true
	}
	fields := len(st.Env.Fields) + len(jr.j.Env.Fields) + len(jr.p.Env.Fields) + len(jr.forge.dotenv) + len(jr.env)
	jr.flows.forge.work += fields * (1 + len(c.text)/64)
	if jr.unnamed() {
		return nil
	}
	switch {
	case jr.e.gitlab != nil:
		for _, d := range []Data{jr.j.Env, jr.p.GlobalEnv(jr.j)} {
			for i := range d.Fields {
				name := d.Fields[i].Name.Value
				if p, ok := where(name); ok && name != "" {
					take(name, jr.gitlabValue(name, p, 0))
				}
			}
		}
		for _, name := range sortedKeys(jr.forge.dotenv) {
			if p, ok := where(name); ok {
				take(name, jr.gitlabValue(name, p, 0))
			}
		}
		for _, name := range gitlabNames() {
			if p, ok := where(name); ok {
				take(name, jr.gitlabValue(name, p, 0))
			}
		}
	case jr.e.azure != nil:
		for _, f := range st.Env.Fields {
			if f.Value.Kind == DataScalar {
				v := jr.azureText(f.Value.Text, 0)
				take(f.Name.Value, v.through(jr.p.place(f.Value.Text.Span), "it is put into the variable "+f.Name.Value))
			}
		}
		for _, all := range [][]azureEnv{azureNames(), jr.azureNamed(&jr.j.Env), jr.azureNamed(&jr.p.Env)} {
			for _, n := range all {
				if p, ok := where(n.env); ok {
					take(n.env, jr.azureValue(nil, n.name, p, 0))
				}
			}
		}
		for _, k := range sortedKeys(jr.env) {
			if v := jr.env[k]; v.name != "" {
				take(AzureEnvironmentName(v.name), v.value)
			}
		}
	case jr.e.jenkins != nil:
		values := jr.jenkinsValues()
		look := func(name string) {
			if p, ok := where(name); ok && name != "" && !seen[name] {
				take(name, jr.jenkinsOrigins(values.Variable(jr.index(), jr.n, name), p))
			}
		}
		for _, d := range []Data{st.Env, jr.j.Env, jr.p.Env} {
			for i := range d.Fields {
				look(d.Fields[i].Name.Value)
			}
		}
		for _, name := range jr.jenkinsSets() {
			look(name)
		}
		for _, name := range jenkinsNames() {
			look(name)
		}
		for i := range jr.p.Inputs {
			look(jr.p.Inputs[i].Name.Value)
		}
		if jr.e.Trigger != nil {
			for i := range jr.e.Trigger.Inputs {
				look(jr.e.Trigger.Inputs[i].Name.Value)
			}
		}
	}
	return out
}

// gitlabNames, azureNames and jenkinsNames are the predefined variables that the tables
// of who controls what know.
var (
	gitlabNames = sync.OnceValue(func() []string { return GitLabControlled("") })
	azureNames  = sync.OnceValue(func() []azureEnv {
		var out []azureEnv
		for _, row := range azureControls {
			for _, entry := range strings.Fields(row.names) {
				_, name, _ := strings.Cut(entry, ":")
				n := azureEnv{name, AzureEnvironmentName(name)}
				if !slices.Contains(out, n) {
					out = append(out, n)
				}
			}
		}
		return out
	})
	jenkinsNames = sync.OnceValue(func() []string {
		var out []string
		for _, c := range jenkinsControlIndex() {
			if !strings.ContainsAny(c.Pattern, ".*") && !slices.Contains(out, c.Pattern) {
				out = append(out, c.Pattern)
			}
		}
		return out
	})
)

// azureEnv is a variable of Azure, and its name in the environment.
type azureEnv struct{ name, env string }

// azureNamed are the variables of a map with their names in the environment.
func (f *flows) azureNamed(d *Data) []azureEnv {
	if len(d.Fields) == 0 {
		return nil
	}
	key := &d.Fields[0]
	out, known := f.forge.named[key]
	if !known {
		for i := range d.Fields {
			if name := d.Fields[i].Name.Value; name != "" {
				out = append(out, azureEnv{name, AzureEnvironmentName(name)})
			}
		}
		if f.forge.named == nil {
			f.forge.named = make(map[*Field][]azureEnv)
		}
		f.forge.named[key] = out
	}
	return out
}

// azureControl is AzureControlOf with a memory.
func (f *flows) azureControl(name, event string) (Control, bool) {
	key := [2]string{name, event}
	a, known := f.forge.controls[key]
	if !known {
		a.control, a.ok = AzureControlOf(name, event, f.x.Settings.Azure.Repository)
		if f.forge.controls == nil {
			f.forge.controls = make(map[[2]string]controlAnswer)
		}
		f.forge.controls[key] = a
	}
	return a.control, a.ok
}

// source is the taint of a control, read at a place.
func (c Control) source(path string, at Place) value {
	t := taint{path: path, shape: c.Shape, actor: c.Actor, after: c.After, code: c.Code, moves: c.Code && c.Shape != ShapeSHA}
	t.way = t.way.then(Hop{Place: at, Text: sourceText(t)})
	return value{t}
}

const (
	maxForgeDepth = 5          // of variables that are made of variables
	maxStashes    = 100        // files that jobs of one run keep for others
	flowNames     = 10_000_000 // variables that are looked for, in all scripts of a project
)

// unnamed reports whether no more variables are looked for.
func (jr *jobRun) unnamed() bool {
	if jr.forge.work <= flowNames {
		return false
	}
	jr.x.limit(limitNames)
	return true
}

// gitlabValue is what is known of a variable in a pipeline of GitLab.
func (jr *jobRun) gitlabValue(name string, at Place, depth int) value {
	jr.flows.forge.work += 1 + len(jr.j.Env.Fields) + len(jr.p.Env.Fields)
	if depth > maxForgeDepth || jr.unnamed() {
		return nil
	}
	if v := jr.forge.dotenv[name]; len(v) > 0 {
		return v
	}
	for _, d := range []Data{jr.j.Env, jr.p.GlobalEnv(jr.j)} {
		f := d.Get(name)
		if f.Kind != DataScalar {
			continue
		}
		var out value
		for _, m := range gitlabReference.FindAllStringSubmatchIndex(f.Text.Value, 20) {
			inner := f.Text.Value[m[2]:m[3]]
			if inner != name {
				out = out.with(jr.gitlabValue(inner, jr.p.place(f.Text.At(m[2], m[3])), depth+1))
			}
		}
		if len(out) > 0 {
			return out.through(jr.p.place(f.Text.Span), "it is put into the variable "+name)
		}
		if strings.Contains(f.Text.Value, "$[[") {
			return jr.gitlabInputs(f.Text)
		}
		return nil
	}
	c, ok := GitLabControlOf(name, jr.e.Event)
	if !ok {
		return nil
	}
	return c.source(name, at)
}

var gitlabReference = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// gitlabInputs are the inputs of the file in a text.
func (jr *jobRun) gitlabInputs(t Text) value {
	var out value
	for _, part := range t.Parts {
		out = out.with(jr.forgeBody(nil, strings.TrimSpace(t.Source(part)), jr.p.place(part.Span)))
	}
	return out
}

// azureValue is what is known of a variable, by its name in a macro.
func (jr *jobRun) azureValue(fr *frame, name string, at Place, depth int) value {
	jr.flows.forge.work += 1 + len(jr.j.Env.Fields) + len(jr.p.Env.Fields)
	if depth > maxForgeDepth || jr.unnamed() {
		return nil
	}
	low := strings.ToLower(name)
	if v, ok := jr.env[low]; ok && len(v.value) > 0 {
		return v.value
	}
	for _, d := range []Data{jr.j.Env, jr.p.Env} {
		if f := d.Get(name); f.Kind == DataScalar {
			v := jr.azureText(f.Text, depth+1)
			return v.through(jr.p.place(f.Text.Span), "it is put into the variable "+name)
		}
	}
	if fr != nil {
		if step, output, ok := strings.Cut(low, "."); ok {
			if o := fr.steps[step]; o != nil {
				return o.get(output)
			}
		}
	}
	if c, ok := jr.azureControl(name, jr.e.Event); ok {
		return c.source(c.Pattern, at)
	}
	return nil
}

// azureText is what is known of a text with macros and expressions in it.
func (jr *jobRun) azureText(t Text, depth int) value {
	var out value
	for _, part := range t.Parts {
		at := jr.p.place(part.Span)
		if strings.HasPrefix(t.Value[part.From:], "$(") {
			out = out.with(jr.azureValue(nil, strings.TrimSpace(t.Source(part)), at, depth))
		} else {
			out = out.with(jr.azureExpression(t.Source(part), at, depth))
		}
	}
	return out
}

// azureExpression is what is known of the text that an expression gives.
func (jr *jobRun) azureExpression(source string, at Place, depth int) value {
	e, err := ParseExpression(source)
	if err != nil {
		return nil
	}
	var out value
	for _, path := range e.TextPaths() {
		if name, ok := strings.CutPrefix(path.Name, "parameters."); ok {
			for _, in := range jr.p.Inputs {
				if strings.EqualFold(in.Name.Value, name) {
					out = out.with(Control{Shape: AzureInputShape(in), Actor: ActorWriter}.source(path.Name, at))
				}
			}
			continue
		}
		name := path.Name
		if segments := splitPath(name); len(segments) == 2 && segments[0] == "variables" {
			name = segments[1]
		}
		out = out.with(jr.azureValue(nil, name, at, depth))
	}
	return out
}

func (jr *jobRun) jenkinsValues() *JenkinsValues {
	v := jr.forge.values[jr.p]
	if v == nil {
		v = NewJenkinsValues(jr.p)
		if jr.flows.forge.values == nil {
			jr.flows.forge.values = make(map[*Pipeline]*JenkinsValues)
		}
		jr.flows.forge.values[jr.p] = v
	}
	return v
}

// jenkinsSets are the variables of the environment that steps of the pipeline set.
func (jr *jobRun) jenkinsSets() []string {
	out, known := jr.forge.sets[jr.p]
	if !known {
		for _, set := range sortedKeys(jr.jenkinsValues().sets) {
			if name, ok := strings.CutPrefix(set, "env."); ok {
				out = append(out, name)
			}
		}
		if jr.flows.forge.sets == nil {
			jr.flows.forge.sets = make(map[*Pipeline][]string)
		}
		jr.flows.forge.sets[jr.p] = out
	}
	return out
}

// jenkinsOrigins is what is known of a text, by where it comes from.
func (jr *jobRun) jenkinsOrigins(all []JenkinsOrigin, at Place) value {
	var out value
	for _, o := range all {
		var v value
		switch {
		case o.Credential != nil:
			continue
		case o.Output != nil:
			text := o.Output.Run.Value
			if !strings.Contains(text, "git log") && !strings.Contains(text, "git show") {
				continue
			}
			if i := strings.Index(text, "format="); i >= 0 && shSafeFormat("--"+firstWord(text[i:])) || strings.Contains(text, "rev-parse") {
				continue
			}
			t := jr.gitLog(code{path: jr.p.Path, at: o.Output.Run.At})
			t.way = (*way)(nil).then(Hop{Place: jr.p.place(o.Output.Run.Span), Text: "the script asks git for messages of commits, which their authors choose"})
			v = value{t}
		default:
			c, ok := JenkinsControl(jr.p, o.Path, jr.e.Event)
			if !ok {
				continue
			}
			if jr.e.Event == JenkinsWebhook && c.Actor == ActorAnyone && secretHook(jr.e.Trigger, strings.TrimPrefix(o.Path, "env.")) {
				c.Actor = ActorWriter
			}
			v = c.source(strings.TrimPrefix(o.Path, "env."), at)
		}
		for i := len(o.Through) - 1; i >= 0 && i > len(o.Through)-4; i-- {
			v = v.through(jr.p.place(o.Through[i]), "it is put into a variable")
		}
		out = out.with(v)
	}
	return out
}

// secretHook reports whether only those who know a token set a variable of a webhook: it
// has one, and the variable is none of those that a forge fills with what outsiders write.
func secretHook(t *Trigger, name string) bool {
	if t == nil {
		return false
	}
	token, value := false, ""
	for _, f := range t.Extra {
		if strings.HasPrefix(f.Name.Value, "token") && f.Value.Text.Value != "" {
			token = true
		}
		for _, i := range f.Value.Items {
			if i.Get("key").Text.Value == name {
				value = strings.ToLower(i.Get("value").Text.Value)
			}
		}
	}
	return token && !hasAny(value, "title", "body", "message", "description", "note", "comment", "head", "source", "label", "sender", "login", "author", "displayname", "pull_request.")
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\n\"'|)"); i > 0 {
		return s[:i]
	}
	return s
}

// forgeBody is what is known of an expression that is pasted into a script.
func (jr *jobRun) forgeBody(fr *frame, body string, at Place) value {
	switch {
	case jr.e.gitlab != nil:
		name, _, _ := strings.Cut(body, "|")
		name, ok := strings.CutPrefix(strings.TrimSpace(name), "inputs.")
		if !ok {
			return nil
		}
		shape := ShapeText
		for _, in := range jr.p.Inputs {
			if in.Name.Value != name {
				continue
			}
			switch {
			case len(in.Options) > 0:
				shape = ShapeEnum
			case in.Type.Value == "number" || in.Type.Value == "boolean":
				shape = InputShape(in.Type.Value)
			}
		}
		return Control{Shape: shape, Actor: ActorWriter}.source("inputs."+name, at)
	case jr.e.azure != nil:
		if strings.ContainsAny(body, "[(") || strings.HasPrefix(body, "parameters.") || strings.HasPrefix(body, "variables.") {
			return jr.azureExpression(body, at, 0)
		}
		return jr.azureValue(fr, body, at, 0)
	case jr.e.jenkins != nil:
		return jr.jenkinsOrigins(jr.jenkinsValues().Origins(jr.index(), jr.n, body), at)
	}
	return nil
}

// forgeCuts are the edits that break a way at a forge other than GitHub.
func (jr *jobRun) forgeCuts(s sink, options []cutOption) pathCut {
	at := jr.triggerPlace()
	switch {
	case jr.e.gitlab != nil && jr.e.Own:
		options = append(options, cutOption{at, "in the project's settings: protect the variables and runners, or run merge requests of forks in the forks alone", 2})
	case jr.e.azure != nil && jr.e.Own:
		options = append(options, cutOption{at, "in the pipeline's settings: do not make secrets available to builds of forks, and use hosted agents for them", 2})
	case jr.e.jenkins != nil && jr.e.Own:
		options = append(options, cutOption{at, "in the project's settings: trust the Jenkinsfile of nobody, or of those who may write", 2})
	case jr.e.Event == JenkinsChange:
		options = append(options, cutOption{Place{jr.p.Path, jr.j.ID.Span}, "run the stage " + jr.j.ID.Value + " for branches alone: when { not { changeRequest() } }", 3})
	default:
		options = append(options, cutOption{Place{jr.p.Path, jr.j.ID.Span}, "let the job " + jr.j.ID.Value + " run only for people with write access", 4})
	}
	return pathCut{options}
}

// located are the places of a flaw in the files that a definition was made of.
func (x *Project) located(f Flaw) Flaw {
	move := func(p *Place) {
		if q := x.byPath[p.Path]; q != nil && len(q.Files) > 0 {
			*p = q.place(p.Span)
		}
	}
	move(&f.Place)
	f.Trace, f.Related = slices.Clone(f.Trace), slices.Clone(f.Related)
	for i := range f.Trace {
		move(&f.Trace[i].Place)
	}
	for i := range f.Related {
		move(&f.Related[i].Place)
	}
	return f
}

// forgeSources name variables of forges for people.
var forgeSources = map[string]string{
	"CI_MERGE_REQUEST_TITLE": "the title of the merge request", "CI_MERGE_REQUEST_DESCRIPTION": "the description of the merge request",
	"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "the name of the merge request's branch", "CI_COMMIT_REF_NAME": "the name of the branch", "CI_COMMIT_BRANCH": "the name of the branch",
	"CI_COMMIT_MESSAGE": "the message of the commit", "CI_COMMIT_TITLE": "the first line of the commit's message", "CI_COMMIT_DESCRIPTION": "the message of the commit",
	"CI_COMMIT_AUTHOR": "the author of the commit", "CI_COMMIT_TAG": "the name of the tag", "CI_COMMIT_TAG_MESSAGE": "the message of the tag",
	"System.PullRequest.SourceBranch": "the name of the pull request's branch", "Build.SourceBranch": "the name of the branch", "Build.SourceBranchName": "the name of the branch",
	"Build.SourceVersionMessage": "the message of the commit", "Build.SourceVersionAuthor": "the author of the commit",
	"CHANGE_TITLE": "the title of the pull request", "CHANGE_BRANCH": "the name of the pull request's branch", "CHANGE_AUTHOR_DISPLAY_NAME": "the name of the pull request's author",
	"BRANCH_NAME": "the name of the branch", "GIT_BRANCH": "the name of the branch", "TAG_NAME": "the name of the tag", "GITHUB_COMMENT": "the text of the comment",
}
