package pipeline

import (
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// forgeRun is one way in which a pipeline of GitLab, Azure Pipelines or Jenkins runs.
// Unlike at GitHub the definition is, as a rule, that of the change itself, so that the
// question is what such a run can get at; what is left are texts that scripts read.
type forgeRun struct {
	*flows
	p     *Pipeline
	event string
	actor ActorClass
	after string
	// assumed says what was taken for granted of the server, empty for nothing.
	assumed string
	// own: the stranger's version of the definition runs; foreign: the workspace is his.
	own, foreign bool
	trigger      penstock.Span
	rows         []Row
	// runs decides whether a step of a job runs; step is nil for the job.
	runs func(j *Job, step *Step) Truth
	// control says who chooses a variable or expression; vars are the variables of the
	// environment that somebody chooses, and templates what is pasted.
	control   func(j, step int, name string) (Control, bool)
	vars      []string
	templates ShellTemplates
	// prizes are what code in the job gets at.
	prizes func(j *Job) []Prize
}

// outsider reports whether someone without rights can bring the run about alone.
func (r *forgeRun) outsider() bool { return r.actor == ActorAnyone || r.actor == ActorReturning }

// place is where an element stands, in whichever file of the pipeline.
func (p *Pipeline) placeOf(span penstock.Span) Place {
	path, in := p.Locate(span)
	return Place{path, in}
}

// report adds a flaw of a run.
func (r *forgeRun) report(rule string, at Place, scope, message, text string, c Control, way *way, prizes []Prize) {
	flaw := Flaw{Rule: rule, Place: at, Scope: scope, Message: message, Actor: max(r.actor, c.Actor), Events: []string{r.event}}
	after := r.after
	if c.After != "" {
		after = c.After
	}
	outside := r.outsider() && (c.Actor == ActorUnset || c.Actor <= ActorReturning)
	switch {
	case c.After != "" && c.Actor <= ActorReturning:
		flaw.Tier, flaw.Actor = penstock.TierExploitable, c.Actor
	case !outside:
		flaw.Tier = penstock.TierHygiene
	case len(prizes) == 0:
		flaw.Tier = penstock.TierHygiene
	case after != "" || r.assumed != "":
		flaw.Tier = penstock.TierExploitable
	default:
		flaw.Tier = penstock.TierProvenPath
	}
	first := Hop{Place: r.p.placeOf(r.trigger), Text: max(r.actor, c.Actor).String() + " causes a run (" + r.event + ")"}
	if after != "" {
		first.Text += ", and " + after
		flaw.Notes = append(flaw.Notes, "It takes that "+after+".")
	}
	if r.assumed != "" && flaw.Tier != penstock.TierHygiene {
		flaw.Notes = append(flaw.Notes, "Taken for granted, since no settings say so: "+r.assumed+".")
	}
	if len(r.rows) > 0 {
		row := r.rows[0]
		first.Row = &row
	}
	flaw.Trace = append([]Hop{first}, way.hops()...)
	for i := 1; i < len(r.rows) && i < 3; i++ {
		row := r.rows[i]
		flaw.Trace = slices.Insert(flaw.Trace, i, Hop{Place: first.Place, Text: lowerFirst(row.Statement), Row: &row})
	}
	flaw.Trace = append(flaw.Trace, Hop{Place: at, Text: text})
	if flaw.Tier != penstock.TierHygiene {
		flaw.Trace = append(flaw.Trace, gains(prizes)...)
		for i, p := range prizes {
			if i < 6 {
				flaw.Reaches = append(flaw.Reaches, p.Text)
			}
		}
	}
	var cuts pathCut
	if flaw.Tier == penstock.TierProvenPath {
		switch {
		case rule == "template-injection":
			cuts.options = append(cuts.options, cutOption{at, "read the variable of the environment in the script, in place of pasting the value", 1})
		case rule == "command-injection":
			cuts.options = append(cuts.options, cutOption{at, "use the value as data, never as a part of a program", 2})
		}
		for _, q := range prizes[:min(len(prizes), 1)] {
			cuts.options = append(cuts.options, cutOption{q.Place, "keep " + q.Text + " out of runs for changes of strangers", 3})
		}
	}
	r.add(flaw, cuts)
}

// run goes through the jobs.
func (r *forgeRun) run() {
	for i := range r.p.Jobs {
		j := &r.p.Jobs[i]
		if r.runs(j, nil) == False || r.spent() {
			continue
		}
		prizes := r.prizes(j)
		r.exposed(j, prizes)
		executed := false
		for k := range j.Steps {
			st := &j.Steps[k]
			r.flows.steps++
			if !st.Run.IsSet() || r.runs(j, st) == False {
				continue
			}
			executed = r.script(i, k, j, st, prizes, executed)
		}
	}
}

// exposed reports a runner that lives on, of a job that runs a stranger's code.
func (r *forgeRun) exposed(j *Job, prizes []Prize) {
	if !r.own && !r.foreign {
		return
	}
	for _, q := range prizes {
		if q.Kind == PrizeRunner {
			r.report("self-hosted-runner-exposed", q.Place, jobScope(j), "changes of strangers run on "+q.Text+", where they can stay", "a stranger's code runs on "+q.Text, Control{}, nil, []Prize{q})
			return
		}
	}
}

// script looks at one script, and reports whether a stranger's code has run in the job.
func (r *forgeRun) script(i, k int, j *Job, st *Step, prizes []Prize, executed bool) bool {
	scope := jobScope(j) + ", step " + stepName(st, k)
	known := make(map[string]Control)
	in := ShellInput{Templates: r.templates, Vars: make(map[string]ShellSource)}
	labels := func(name string) ShellLabels {
		c, ok := r.control(i, k, name)
		if !ok || !c.Shape.Injects() || c.Actor > ActorReturning {
			return 0
		}
		known[name] = c
		l := ShellUntrusted
		if c.Shape == ShapeText || c.Shape == ShapeObject || c.Shape == ShapeUnset {
			l |= ShellNewline
		}
		return l
	}
	for n, name := range r.vars {
		if l := labels(name); l != 0 {
			in.Vars[strings.ToUpper(strings.NewReplacer(".", "_", "$", "").Replace(name))] = ShellSource{Labels: l | ShellLabels(1)<<(tagFirst+min(n, tagLast-tagFirst)), Text: name}
		}
	}
	in.Expr = func(body string) ShellSource { return ShellSource{Labels: labels(body), Text: body} }
	in.Forge = ShellSource{Labels: ShellChecked, Text: "texts of the forge"}
	if r.foreign || r.own || r.event == JenkinsBranch {
		in.Workspace = ShellSource{Labels: ShellUntrusted | ShellWorkspace, Text: "the change"}
	}
	r.pasted(i, k, st, scope, prizes)
	if r.flows.shell > flowShell {
		r.x.limit("scripts: they take more work than is given to them")
		return executed
	}
	r.flows.shell += len(st.Run.Value)
	res := AnalyseScript(st.Run.Value, st.Run.Shell.Value, in)
	for n := range res.Facts {
		f := &res.Facts[n]
		switch f.Kind {
		case FactExecute:
			executed = executed || f.Labels&ShellWorkspace != 0
		case FactCode, FactArithmetic:
			if f.Labels&ShellUntrusted == 0 || f.Labels&ShellWorkspace != 0 {
				continue
			}
			name, c := r.blamed(known, f)
			if name == "" && r.event == JenkinsBranch && strings.HasPrefix(f.Name, "git ") {
				name, c = "what the author of a commit wrote ("+f.Name+")", Control{Shape: ShapeText, Actor: ActorAnyone, After: merged}
			}
			if name == "" {
				continue
			}
			var w *way
			for _, s := range f.Trace {
				w = w.then(Hop{Place: r.p.placeOf(st.Run.At(int(s.Start), int(s.End))), Text: s.Text})
			}
			r.report("command-injection", r.p.placeOf(st.Run.At(int(f.Start), int(f.End))), scope, name+" is run as code by "+f.Sink, cmpText(f.Detail, "it is run as code"), c, w, prizes)
		}
	}
	r.dotenv(i, k, j, st, scope, prizes)
	r.fetchedCode(j, st, scope, &res)
	if r.foreign && !r.own && executed {
		for _, q := range prizes {
			if q.Kind == PrizeSecret && (q.Step == k || q.Step < 0) {
				r.report("secrets-on-untrusted-code", q.Place, scope, "code of strangers runs with "+q.Text, "the script runs code of the change with "+q.Text, Control{}, nil, []Prize{q})
			}
		}
	}
	return executed
}

// dotenv reports texts that a script of GitLab writes into a file whose lines become
// variables of later jobs.
func (r *forgeRun) dotenv(i, k int, j *Job, st *Step, scope string, prizes []Prize) {
	for _, a := range j.Artifacts {
		for _, file := range a.Dotenv {
			at := 0
			for line := range strings.Lines(st.Run.Value) {
				start := at
				at += len(line)
				if file.Value == "" || !strings.Contains(line, ">") || !strings.Contains(line, file.Value) {
					continue
				}
				for _, m := range shellVariable.FindAllStringSubmatch(line, 20) {
					c, ok := r.control(i, k, m[1])
					if !ok || c.Shape != ShapeText || c.Actor > ActorReturning {
						continue
					}
					place := r.p.placeOf(st.Run.At(start, start+len(strings.TrimRight(line, "\n"))))
					r.report("environment-injection", place, scope, m[1]+" is written to "+clip(file.Value)+": a line break in it sets any variable of later jobs", "it becomes variables of later jobs", c, nil, prizes)
					break
				}
			}
		}
	}
}

// fetchedCode reports files of another project's job that a job of GitLab runs.
func (r *forgeRun) fetchedCode(j *Job, st *Step, scope string, res *ShellResult) {
	if !slices.ContainsFunc(j.Downloads, func(d Download) bool { return d.Project.IsSet() && d.Artifacts.Value != "false" }) {
		return
	}
	for n := range res.Facts {
		f := &res.Facts[n]
		if f.Kind != FactExecute || f.Name == "" {
			continue
		}
		if _, own := r.x.File(f.Name); own {
			continue // lies in the repository
		}
		r.report("artifact-poisoning", r.p.placeOf(st.Run.At(int(f.Start), int(f.End))), scope, "a file runs that a job of another project made", "the file is none of the repository, and comes with that job's artifacts",
			Control{Actor: ActorWriter}, nil, nil)
	}
}

// blamed is the source of a fact, and who chooses it.
func (r *forgeRun) blamed(known map[string]Control, f *ShellFact) (string, Control) {
	for n, name := range r.vars {
		if f.Labels&(ShellLabels(1)<<(tagFirst+min(n, tagLast-tagFirst))) != 0 {
			if c, ok := known[name]; ok {
				return name, c
			}
		}
	}
	if c, ok := known[f.Name]; ok {
		return f.Name, c
	}
	return "", Control{}
}

// pasted reports expressions of a script: who chooses their values, or none but people
// with rights.
func (r *forgeRun) pasted(i, k int, st *Step, scope string, prizes []Prize) {
	type expression struct {
		body     string
		from, to int
	}
	var all []expression
	if r.templates != 0 {
		for _, e := range ShellExpressions(st.Run.Value, r.templates) {
			all = append(all, expression{e.Body, int(e.Start), int(e.End)})
		}
	} else {
		for _, p := range st.Run.Parts {
			all = append(all, expression{st.Run.Source(p), p.From, p.To})
		}
	}
	for _, e := range all {
		c, ok := r.control(i, k, e.body)
		if !ok || !c.Shape.Injects() {
			continue
		}
		at := r.p.placeOf(st.Run.At(e.from, e.to))
		name := clip(strings.TrimSpace(e.body))
		if c.Actor <= ActorReturning {
			r.report("template-injection", at, scope, name+" is pasted into a script, which runs what it says", "it is pasted into the script before the shell reads it", c,
				(*way)(nil).then(Hop{Place: at, Text: name + " is read: " + c.Shape.String() + " that " + c.Actor.String() + " chooses"}), prizes)
			continue
		}
		r.add(Flaw{Rule: "template-expansion", Tier: penstock.TierHygiene, Place: at, Scope: scope, Message: name + " is pasted into a script; no outsider chooses it, but a quote in it breaks the script"}, pathCut{})
	}
}

// gitlab follows a pipeline of GitLab.
func (f *flows) gitlab(p *Pipeline) {
	s := f.x.Settings.GitLab
	base := GitLabSituation{DefaultBranch: cmpText(s.DefaultBranch, "main")}
	runner := func(j *Job) []Prize {
		for _, l := range j.RunsOn.Labels {
			if s.Runners[l.Value] == RunnerPersistent {
				return []Prize{{Place: p.placeOf(l.Span), Kind: PrizeRunner, Name: l.Value, Text: "the runner " + clip(l.Value) + ", which lives on after the job", Step: -1, Weight: 78}}
			}
		}
		return nil
	}
	control := func(source string) func(int, int, string) (Control, bool) {
		return func(_, _ int, name string) (Control, bool) {
			if in, ok := strings.CutPrefix(name, "inputs."); ok {
				for _, d := range p.Inputs {
					if d.Name.Value == in {
						shape := InputShape(d.Type.Value)
						if len(d.Options) > 0 {
							shape = ShapeEnum
						}
						return Control{Pattern: name, Actor: ActorWriter, Shape: shape}, true
					}
				}
			}
			return GitLabControlOf(name, source)
		}
	}
	start := func(source string, sit GitLabSituation, actor ActorClass) *forgeRun {
		run := p.GitLabRun(sit)
		return &forgeRun{flows: f, p: p, event: source, actor: actor, trigger: p.Span, templates: TemplateGitLab, vars: GitLabControlled(source), control: control(source), prizes: runner,
			runs: func(j *Job, step *Step) Truth {
				if step != nil {
					return Undecided
				}
				return run.Job(j).Runs
			}}
	}
	sit := base
	sit.Source, sit.Actor, sit.Branch, sit.OnDefault = "push", ActorWriter, base.DefaultBranch, True
	start("push", sit, ActorWriter).run()
	sit = base
	sit.Source, sit.Actor, sit.Branch, sit.OnDefault = "web", ActorWriter, base.DefaultBranch, True
	start("web", sit, ActorWriter).run()
	sit = base
	sit.Source, sit.Actor = gitlabMerge, ActorWriter
	start(gitlabMerge, sit, ActorWriter).run()
	f.gitlabChannels(p, base)
	if s.ForkPipelines != "parent" || s.Visibility == Private {
		return
	}
	// A member runs the pipeline of a stranger's merge request in the project.
	sit.Actor, sit.Fork, sit.Parent = ActorAnyone, true, true
	r := start(gitlabMerge, sit, ActorAnyone)
	r.own = true
	if _, row := f.x.View(GitLab).PipelineProject(gitlabMerge, OriginFork, true); row.ID != "" {
		r.rows = append(r.rows, row)
	}
	r.prizes = func(j *Job) []Prize {
		var all []Prize
		for _, name := range s.Variables {
			if !slices.Contains(s.ProtectedVariables, name) {
				all = append(all, Prize{Place: p.placeOf(j.ID.Span), Kind: PrizeSecret, Name: name, Text: "the variable " + clip(name), Step: -1, Weight: secretWeight(name)})
			}
		}
		return append(all, runner(j)...)
	}
	decided := p.GitLabRun(sit)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		d := decided.Job(j)
		if d.Runs == False {
			continue
		}
		at := j.ID.Span
		if d.Rule != nil {
			at = d.Rule.If.Span
			if at.End == 0 {
				at = d.Rule.Span
			}
		}
		if prizes := r.prizes(j); len(prizes) > 0 {
			r.report("untrusted-definition", p.placeOf(at), jobScope(j), "a stranger's own version of the pipeline runs in the project, with "+prizes[0].Text,
				"the job "+j.ID.Value+" runs as the merge request defines it", Control{}, nil, prizes)
		}
		r.exposed(j, r.prizes(j))
	}
}

// gitlabChannels reports what leads from one job of GitLab to another: pipelines that a
// job makes of another project's files, and caches that merge requests share with what
// is deployed.
func (f *flows) gitlabChannels(p *Pipeline, base GitLabSituation) {
	hygiene := func(rule string, at penstock.Span, j *Job, message string, hops ...Hop) {
		f.add(Flaw{Rule: rule, Tier: penstock.TierHygiene, Place: p.placeOf(at), Scope: jobScope(j), Actor: ActorWriter, Message: message, Trace: hops}, pathCut{})
	}
	for i := range p.Includes {
		in := &p.Includes[i]
		for _, t := range []Text{in.Version, in.Project, in.Use.Text} {
			if strings.Contains(t.Value, "$") && !strings.Contains(t.Value, "$CI_SERVER_") && !strings.Contains(t.Value, "$CI_TEMPLATE_") {
				f.add(Flaw{Rule: "expression-in-uses", Tier: penstock.TierHygiene, Place: p.placeOf(t.Span), Actor: ActorWriter, Message: "a variable says which file becomes a part of the pipeline"}, pathCut{})
				break
			}
		}
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.Downstream == nil {
			continue
		}
		for _, in := range j.Downstream.Includes {
			for k := range p.Jobs {
				maker := &p.Jobs[k]
				if in.Job.Value == maker.ID.Value && in.Job.Value != "" && slices.ContainsFunc(maker.Downloads, func(d Download) bool { return d.Project.IsSet() }) {
					hygiene("artifact-poisoning", in.Use.Span, j, "a pipeline runs that a job made of another project's files",
						Hop{Place: p.placeOf(maker.ID.Span), Text: "the job takes files of another project"}, Hop{Place: p.placeOf(in.Use.Span), Text: "one of them becomes a pipeline"})
				}
			}
		}
	}
	row := f.x.View(GitLab).Row(TopicCacheScope, "", OriginAny)
	if row.Answer != "shared" {
		return
	}
	merge, push := base, base
	merge.Source, merge.Actor = gitlabMerge, ActorWriter
	push.Source, push.Actor, push.Branch, push.OnDefault = "push", ActorWriter, base.DefaultBranch, True
	byMerge, byPush := p.GitLabRun(merge), p.GitLabRun(push)
	for i := range p.Jobs {
		a := &p.Jobs[i]
		for _, saved := range a.Caches {
			if saved.Policy.Value == "pull" || saved.Key.Value == "" || byMerge.Job(a).Runs == False {
				continue
			}
			for k := range p.Jobs {
				b := &p.Jobs[k]
				if b != a && byMerge.Job(b).Runs == False && byPush.Job(b).Runs != False && slices.ContainsFunc(b.Caches, func(c Cache) bool { return c.Key.Value == saved.Key.Value }) {
					hygiene("cache-poisoning", saved.Key.Span, a, "merge requests write a cache that the job "+b.ID.Value+" of the default branch restores",
						Hop{Place: p.placeOf(saved.Key.Span), Text: "merge requests save a cache of this key", Row: &row}, Hop{Place: p.placeOf(b.ID.Span), Text: "the job restores it"})
					break
				}
			}
		}
	}
}

// azureSecretMacro is a variable in a text of Azure Pipelines.
var azureSecretMacro = regexp.MustCompile(`\$\(([A-Za-z0-9_.]+)\)`)

// azure follows a pipeline of Azure.
func (f *flows) azure(p *Pipeline) {
	s := f.x.Settings.Azure
	setting := func(on bool) AzureSetting {
		if on {
			return AzureOn
		}
		if s.Repository == "" && !s.ForkBuilds {
			return AzureDefault
		}
		return AzureOff
	}
	server := AzureServer{ForkBuilds: setting(s.ForkBuilds), ForkSecrets: setting(s.ForkSecrets), ForkFullToken: setting(s.ForkFullAccess)}
	switch s.Repository {
	case "github":
		server.Host = AzureHostGitHub
	case "azure":
		server.Host = AzureHostRepos
	}
	switch s.CommentRequired {
	case "all", "non-team":
		server.ForkComment = AzureOn
	case "none":
		server.ForkComment = AzureOff
	}
	secret := make(map[string]bool)
	for _, n := range s.Secrets {
		secret[strings.ToLower(n)] = true
	}
	for _, src := range p.Sources {
		for _, n := range s.Groups[src.Group.Value] {
			secret[strings.ToLower(n)] = true
		}
	}
	var vars []string
	seen := make(map[string]bool)
	for _, c := range azureControlIndex() {
		if !seen[c.key] {
			seen[c.key] = true
			vars = append(vars, c.Pattern)
		}
	}
	entries := AzureEntries(p, f.x.View(Azure), server)
	for i := range entries {
		e := &entries[i]
		r := &forgeRun{flows: f, p: p, event: e.Event, actor: e.Actor, after: e.After, own: e.Origin == OriginFork, foreign: e.Origin == OriginFork,
			trigger: p.Span, rows: e.Rows, templates: TemplateAzure | TemplateGitHub, vars: vars}
		if e.Trigger != nil {
			r.trigger = e.Trigger.Event.Span
		}
		if r.own && r.after != "" {
			continue // a member looks at each
		}
		sit := AzureSituation{Event: e.Event, Fork: r.own, Host: server.Host, DefaultBranch: "main"}
		r.control = func(_, _ int, name string) (Control, bool) {
			if in, ok := strings.CutPrefix(strings.ToLower(name), "parameters."); ok {
				for _, d := range p.Inputs {
					if strings.ToLower(d.Name.Value) == in {
						return Control{Pattern: name, Actor: ActorWriter, Shape: AzureInputShape(d)}, true
					}
				}
			}
			return AzureControlOf(name, e.Event, server.Host)
		}
		environments := make(map[*Job]*Environment)
		r.runs = func(j *Job, st *Step) Truth {
			condition := j.If
			if st != nil {
				condition = st.If
			} else if s.Environments[j.Environment.Name.Value].Approval {
				return False
			}
			if !condition.IsSet() {
				return True
			}
			c, err := ParseAzureCondition(condition.Value)
			if err != nil {
				return Undecided
			}
			env, ok := environments[j]
			if !ok {
				env = sit.Environment(p, j)
				environments[j] = env
			}
			return c.Evaluate(env).Truth()
		}
		r.prizes = func(j *Job) []Prize {
			var all []Prize
			if e.Secrets == ReachAll {
				for k := range j.Steps {
					st := &j.Steps[k]
					if st.If.IsSet() && r.runs(j, st) == False {
						continue
					}
					look := func(t Text) {
						for _, m := range azureSecretMacro.FindAllStringSubmatchIndex(t.Value, 20) {
							name := t.Value[m[2]:m[3]]
							if secret[strings.ToLower(name)] && !slices.ContainsFunc(all, func(q Prize) bool { return strings.EqualFold(q.Name, name) }) {
								all = append(all, Prize{Place: p.placeOf(t.At(m[0], m[1])), Kind: PrizeSecret, Name: name, Text: "the secret variable " + clip(name), Step: k, Weight: secretWeight(strings.ToUpper(name))})
							}
						}
					}
					st.Env.Texts(look)
					st.With.Texts(look)
					look(st.Run.Text)
				}
			}
			names := append(slices.Clone(j.RunsOn.Labels), j.RunsOn.Group)
			for _, l := range names {
				if l.IsSet() && s.Pools[l.Value] == RunnerPersistent {
					all = append(all, Prize{Place: p.placeOf(l.Span), Kind: PrizeRunner, Name: l.Value, Text: "the agents of the pool " + clip(l.Value) + ", which live on after the job", Step: -1, Weight: 78})
					break
				}
			}
			return all
		}
		r.run()
		if !r.own {
			continue
		}
		for i := range p.Jobs {
			j := &p.Jobs[i]
			if r.runs(j, nil) == False {
				continue
			}
			for _, q := range r.prizes(j) {
				if q.Kind == PrizeSecret {
					r.report("secrets-on-untrusted-code", q.Place, jobScope(j), "builds of forks run with "+q.Text, "the job, as the fork defines it, gets "+q.Text, Control{}, nil, []Prize{q})
				}
			}
		}
	}
}

// jenkins follows a Jenkinsfile.
func (f *flows) jenkins(p *Pipeline) {
	s := f.x.Settings.Jenkins
	given := s.Trust != "" || s.Forks || len(s.Agents)+len(s.Credentials) > 0
	server := JenkinsServer{Trust: JenkinsTrust(s.Trust), NoForks: given && !s.Forks}
	values := NewJenkinsValues(p)
	entries := JenkinsEntries(p, f.x.View(Jenkins), server)
	for i := range entries {
		e := &entries[i]
		r := &forgeRun{flows: f, p: p, event: e.Event, actor: e.Actor, after: e.After, trigger: penstock.Span{Start: p.Span.Start, End: p.Span.Start}, rows: e.Rows,
			foreign: e.Foreign(), own: e.Origin == OriginFork && e.Definition == FromMerge && e.After == ""}
		if e.Trigger != nil {
			r.trigger = e.Trigger.Event.Span
		}
		if !given && e.Origin == OriginFork {
			r.assumed = "the server builds changes of strangers"
		}
		sit := JenkinsSituation{Event: e.Event, Fork: e.Origin == OriginFork}
		decide := func(clauses []Clause) Truth {
			t := True
			for _, c := range clauses {
				t = both(t, c.Decide(sit))
			}
			return t
		}
		r.runs = func(j *Job, st *Step) Truth {
			if st != nil {
				return decide(st.Clauses)
			}
			return decide(j.Clauses)
		}
		r.control = func(j, k int, source string) (Control, bool) {
			var best Control
			found := false
			for _, o := range values.Origins(j, k, source) {
				if o.Credential != nil || o.Output != nil {
					continue
				}
				if c, ok := JenkinsControl(p, o.Path, e.Event); ok && (!found || weaker(c, best)) {
					best, found = c, true
				}
			}
			return best, found
		}
		r.prizes = func(j *Job) []Prize {
			var all []Prize
			add := func(list []Credential, step int) {
				for _, c := range list {
					if !slices.ContainsFunc(all, func(q Prize) bool { return q.Name == c.ID.Value }) {
						at := c.ID.Span
						if at.End == 0 {
							at = c.Span
						}
						all = append(all, Prize{Place: p.placeOf(at), Kind: PrizeSecret, Name: c.ID.Value, Text: "the credential " + clip(cmpText(c.ID.Value, c.Kind)), Step: step, Weight: 90})
					}
				}
			}
			add(j.Credentials, -1)
			for k := range j.Steps {
				if r.runs(j, &j.Steps[k]) != False {
					add(j.Steps[k].Credentials, k)
				}
			}
			for _, l := range j.RunsOn.Labels {
				if s.Agents[l.Value] == RunnerPersistent {
					all = append(all, Prize{Place: p.placeOf(l.Span), Kind: PrizeRunner, Name: l.Value, Text: "the agent " + clip(l.Value) + ", which lives on after the job", Step: -1, Weight: 78})
				}
			}
			return all
		}
		r.run()
		if r.own {
			var all []Prize
			for i := range p.Jobs {
				all = append(all, r.prizes(&p.Jobs[i])...)
			}
			for _, id := range sortedKeys(s.Credentials) {
				if !slices.ContainsFunc(all, func(q Prize) bool { return q.Name == id }) {
					all = append(all, Prize{Place: p.placeOf(r.trigger), Kind: PrizeSecret, Name: id, Text: "the credential " + clip(id), Step: -1, Weight: 90})
				}
			}
			r.report("untrusted-definition", p.placeOf(r.trigger), "", "the Jenkinsfile of a stranger's change runs as the stranger wrote it", "the server trusts the Jenkinsfile of forks", Control{}, nil, all)
		}
	}
}
