package pipeline

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// Entries, gates and prizes of GitLab, Azure and Jenkins: see entry.go for what they
// are. Where the stranger's own version of a definition runs, conditions that stand in it
// keep nobody out, and only what the server asks for is a gate.

// closed are the gates of a project that not everyone can see.
func closed(v Visibility, at Place) []Gate {
	if v == "" || v == Public {
		return nil
	}
	return []Gate{{Place: at, Kind: GuardRepository, Stops: true, Text: "only people who can see the project, which is not public"}}
}

// gitlabEntries are the sources by which some job of a pipeline runs. A merge request
// from a fork runs in the fork, with nothing of the project's, and so is none, unless
// members run it in the project.
func (x *Project) gitlabEntries(p *Pipeline) []Entry {
	if p.Kind != KindGitLab {
		return nil
	}
	set, view := &x.Settings.GitLab, x.View(GitLab)
	var all []Entry
	add := func(t *Trigger, s GitLabSituation, after string, checkout WorkflowRef) *Entry {
		s.DefaultBranch = set.DefaultBranch
		origin := OriginRepository
		if s.Fork {
			origin = OriginFork
		}
		_, project := view.PipelineProject(s.Source, origin, s.Parent)
		_, variables := view.ProtectedVariables(s.Source)
		all = append(all, Entry{
			Event: s.Source, Trigger: t, Actor: s.Actor, After: after, Origin: origin, Checkout: checkout,
			Env: s.Environment(), Rows: []Row{project, variables}, gitlab: &s,
		})
		return &all[len(all)-1]
	}
	for i := range p.Triggers {
		t := &p.Triggers[i]
		switch source := t.Event.Value; source {
		case "merge_request_event":
			if set.ForkPipelines == "parent" {
				e := add(t, GitLabSituation{Source: source, Actor: ActorAnyone, Fork: true, Parent: true, Protected: False}, "", FromMerge)
				e.Own = true
				e.gates = closed(set.Visibility, placed(p, t.Event.Span))
			}
			add(t, GitLabSituation{Source: source, Actor: ActorWriter}, "", FromMerge)
		case "push":
			protected := True
			if len(set.Protected) > 0 && set.DefaultBranch != "" {
				protected = truthOf(IsProtected(set.Protected, set.DefaultBranch))
			}
			e := add(t, GitLabSituation{Source: source, Actor: ActorAnyone, OnDefault: True, Protected: protected}, gitlabMerged, FromPushed)
			e.gates = closed(set.Visibility, placed(p, t.Event.Span))
			add(t, GitLabSituation{Source: source, Actor: ActorWriter}, "", FromPushed)
			add(t, GitLabSituation{Source: source, Actor: ActorWriter, Tag: true}, "", FromTag)
		default:
			add(t, GitLabSituation{Source: source, Actor: ActorWriter}, "", FromChosen)
		}
	}
	return all
}

// gitlabReach is Reach for GitLab: the rules of the job and of the pipeline, and what
// protects the environment.
func (x *Project) gitlabReach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	run := x.ways.gitlabRuns[e]
	if run == nil {
		run = p.GitLabRun(*e.gitlab)
		if x.ways.gitlabRuns == nil {
			x.ways.gitlabRuns = make(map[*Entry]*GitLabRun)
		}
		x.ways.gitlabRuns[e] = run
	}
	d := run.Job(j)
	gates := slices.Clone(e.gates)
	if !e.Own {
		if d.Manual {
			gates = append(gates, Gate{Place: placed(p, cmpSpan(j.When.Get().Span, j.ID.Span)), Kind: GuardApproval, Stops: true, Once: true, Text: "somebody with rights starts the job"})
		}
		for _, r := range d.Open {
			if d.Runs == Undecided && r.If.IsSet() && ruleRuns(r, j.When.Get().Value) != False {
				gates = append(gates, Gate{Place: placed(p, r.If.Span), Kind: GuardOther, Text: "a rule that depends on what is not known"})
				break
			}
		}
	}
	if name := j.Environment.Get().Name; name.Value != "" {
		if env, ok := x.Settings.GitLab.Environments[name.Value]; ok {
			g := Gate{Place: placed(p, name.Span), Kind: GuardEnvironment}
			branch := cmp.Or(x.Settings.GitLab.DefaultBranch, "main")
			switch {
			case env.Reviewers:
				g.Stops, g.Once, g.Text = true, true, "someone approves deployments to the environment "+clip(name.Value)
			case len(env.Branches) > 0 && !(e.gitlab.OnDefault == True && IsProtected(env.Branches, branch)):
				g.Stops, g.Text = true, "only the branches of the environment "+clip(name.Value)
			}
			if g.Text != "" {
				gates = append(gates, g)
			}
		}
	}
	return d.Runs, distinct(gates)
}

// cmpSpan is the first span that is not empty.
func cmpSpan(spans ...penstock.Span) penstock.Span {
	for _, s := range spans {
		if s.End > 0 {
			return s
		}
	}
	return penstock.Span{}
}

// azureRun is a run of Azure Pipelines.
type azureRun struct {
	AzureEntry
	// known are the environments of jobs, by job.
	known map[*Job]*Environment
}

func (x *Project) azureEntries(p *Pipeline) []Entry {
	var all []Entry
	for _, a := range AzureEntries(p, x.View(Azure), x.Settings.Azure) {
		e := Entry{Event: a.Event, Trigger: a.Trigger, Actor: a.Actor, After: a.After, Origin: a.Origin, Checkout: a.Definition, Rows: a.Rows, azure: &azureRun{AzureEntry: a}}
		if a.Origin == OriginFork {
			e.Own = true
		}
		e.Env = x.azureSituation(&e).Environment(nil, nil)
		if a.Event == AzureCI {
			// What was merged is a stranger's, down to the message.
			m := e
			m.Actor, m.After = ActorAnyone, merged
			all = append(all, m)
		}
		all = append(all, e)
	}
	return all
}

func (x *Project) azureSituation(e *Entry) AzureSituation {
	return AzureSituation{Event: e.Event, Fork: e.Origin == OriginFork, Host: x.Settings.Azure.Repository}
}

// azureReach is Reach for Azure: conditions of the job, of its stage and of what it
// needs, and approvals of the environment.
func (x *Project) azureReach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	key := reachKey{e, j}
	if a, known := x.ways.reaches[key]; known {
		return a.truth, a.gates
	}
	if x.ways.reaches == nil {
		x.ways.reaches = make(map[reachKey]reachAnswer)
	}
	x.ways.reaches[key] = reachAnswer{truth: True} // for needs that loop
	env := x.azureEnvironment(p, e, j)
	truth, gates := AzureInserted(j.Inserted, env), slices.Clone(e.gates)
	if truth == Undecided {
		truth = True // parameters that are given when it runs
	}
	implied := true
	for _, t := range []Text{*j.StageIf.Get(), j.If} {
		if !t.IsSet() {
			continue
		}
		low := strings.ToLower(t.Value)
		if strings.Contains(low, "always(") || strings.Contains(low, "failed(") || strings.Contains(low, "canceled(") {
			implied = false
		}
		now := azureTruth(t.Value, env)
		if now == Undecided && !e.Own {
			gates = append(gates, Gate{Place: placed(p, t.Span), Kind: GuardOther, Text: "a condition that depends on what is not known"})
		}
		truth = both(truth, now)
	}
	if implied && truth != False && x.ways.depth < maxNeeds {
		for _, need := range j.Needs {
			n := x.jobOf(p, need.Value)
			if n == nil || n == j {
				continue
			}
			x.ways.depth++
			t, g := x.azureReach(p, e, n)
			x.ways.depth--
			truth = both(truth, t)
			gates = append(gates, g...)
		}
	}
	if name := j.Environment.Get().Name.Value; name != "" {
		environment, _, _ := strings.Cut(name, ".")
		if set, ok := x.Settings.Azure.Environments[environment]; ok && set.Approval {
			gates = append(gates, Gate{Place: placed(p, j.Environment.Get().Name.Span), Kind: GuardEnvironment, Stops: true, Once: true, Text: "someone approves the use of the environment " + clip(environment)})
		}
	}
	gates = distinct(gates)
	x.ways.reaches[key] = reachAnswer{truth, gates}
	return truth, gates
}

func (x *Project) azureEnvironment(p *Pipeline, e *Entry, j *Job) *Environment {
	if env := e.azure.known[j]; env != nil {
		return env
	}
	set, known := x.ways.changed[p]
	if !known {
		set = azureChanged(p)
		if x.ways.changed == nil {
			x.ways.changed = make(map[*Pipeline]map[string]bool)
		}
		x.ways.changed[p] = set
	}
	of := p
	if len(p.Jobs)*(len(p.Env.Fields)+len(set)) > 1_000_000 {
		of = nil // then its own variables are not known
	}
	env := x.azureSituation(e).environment(of, j, set)
	if e.azure.known == nil {
		e.azure.known = make(map[*Job]*Environment)
	}
	e.azure.known[j] = env
	return env
}

// azureTruth decides a condition, however the run has gone so far: who changes the code
// can make it fail.
func azureTruth(condition string, env *Environment) Truth {
	c, err := ParseAzureCondition(condition)
	if err != nil {
		return Undecided
	}
	t := c.Evaluate(env).Truth()
	for _, status := range []Status{StatusSuccess, StatusFailure} {
		if t != Undecided {
			break
		}
		in := *env
		in.Status = status
		if c.Evaluate(&in).Truth() == True {
			t = True
		}
	}
	return t
}

// known reports whether anything is said of a project of Jenkins.
func (s *JenkinsSettings) known() bool {
	return s.Forks != SwitchDefault || s.Trust != "" || s.Single || len(s.Agents)+len(s.Credentials) > 0
}

// multibranch reports whether a Jenkinsfile looks like that of a multibranch project,
// which builds changes, and not like one of many jobs or a part of a guide.
func multibranch(p *Pipeline) bool {
	dir, name := path.Split(strings.ToLower(p.Path))
	for part := range strings.SplitSeq(dir, "/") {
		if strings.Contains(part, "example") || strings.Contains(part, "sample") {
			return false
		}
		switch strings.TrimSuffix(part, "s") {
		case "doc", "testdata", "test", "fixture", "template", "resource", "legacy":
			return false
		}
	}
	if name == "jenkinsfile" {
		return true
	}
	for _, sign := range []string{"CHANGE_", "changeRequest", "BRANCH_NAME", "pullRequest.", "buildingTag", "TAG_NAME"} {
		if strings.Contains(string(p.Source), sign) {
			return true
		}
	}
	return false
}

func (x *Project) jenkinsEntries(p *Pipeline) []Entry {
	var all []Entry
	set := x.Settings.Jenkins
	if !set.known() && !multibranch(p) {
		set.Single = true
	}
	for _, a := range JenkinsEntries(p, x.View(Jenkins), set) {
		e := Entry{
			Event: a.Event, Trigger: a.Trigger, Actor: cmp.Or(a.Actor, ActorWriter), After: a.After, Origin: a.Origin, Checkout: a.Checkout, Rows: a.Rows,
			jenkins: &JenkinsSituation{Event: a.Event, Fork: a.Origin == OriginFork},
		}
		e.Own = a.Origin == OriginFork && a.Definition == FromMerge
		if a.Event == JenkinsBranch {
			// What was merged is a stranger's, down to the message.
			m := e
			m.Actor, m.After = ActorAnyone, merged
			all = append(all, m)
		}
		all = append(all, e)
	}
	return all
}

var quotedWord = regexp.MustCompile(`'([^'\n]{1,80})'|"([^"\n]{1,80})"`)

// decide is what a clause says in a run. The author of a change request chooses the
// branch that it goes to, and whoever pushes chooses the branch.
func (e *Entry) decide(g Clause) Truth {
	t := g.Decide(*e.jenkins)
	if t != Undecided || e.jenkins.Branch != "" || e.Event != JenkinsChange && e.Event != JenkinsBranch {
		return t
	}
	for _, m := range quotedWord.FindAllStringSubmatch(g.Value, 8) {
		s := *e.jenkins
		s.Branch = m[1] + m[2]
		if g.Decide(s) == True {
			return True
		}
	}
	return t
}

func (x *Project) jenkinsReach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	truth, gates := e.clauses(p, j.Clauses)
	return truth, distinct(append(slices.Clone(e.gates), gates...))
}

// clauses decide what encloses a job or step of Jenkins.
func (e *Entry) clauses(p *Pipeline, all []Clause) (Truth, []Gate) {
	truth := True
	var gates []Gate
	for _, g := range all {
		switch g.Kind {
		case ClausePost:
			continue
		case ClauseInput:
			if !e.Own {
				gates = append(gates, Gate{Place: placed(p, g.Span), Kind: GuardApproval, Stops: true, Once: true, Text: "a person lets the run go on"})
			}
			continue
		}
		t := e.decide(g)
		if t == Undecided && !e.Own {
			gates = append(gates, Gate{Place: placed(p, g.Span), Kind: GuardOther, Text: "a condition that depends on what is not known"})
		}
		truth = both(truth, t)
	}
	return truth, gates
}

// forgeStepReach is StepReach for the forges other than GitHub.
func (x *Project) forgeStepReach(p *Pipeline, e *Entry, j *Job, n int) (Truth, []Gate) {
	if n < 0 || n >= len(j.Steps) {
		return Undecided, nil
	}
	s := &j.Steps[n]
	switch {
	case e.jenkins != nil:
		truth, gates := e.clauses(p, s.Clauses)
		return truth, distinct(gates)
	case e.azure != nil:
		env := x.azureEnvironment(p, e, j)
		truth := AzureInserted(s.Inserted, env)
		if truth == Undecided {
			truth = True
		}
		if !s.If.IsSet() {
			return truth, nil
		}
		now := azureTruth(s.If.Value, env)
		var gates []Gate
		if now == Undecided && !e.Own && !statusOnly(s.If.Value) {
			gates = append(gates, Gate{Place: placed(p, s.If.Span), Kind: GuardOther, Text: "a condition that depends on what is not known"})
		}
		return both(truth, now), gates
	}
	return True, nil
}

// statusOnly reports whether a condition asks for nothing but how the run goes.
func statusOnly(condition string) bool {
	return !strings.Contains(condition, "[") && !strings.Contains(condition, "variables.") && !strings.Contains(condition, "$(")
}

// prizes collects what a job has, each once.
type prizes struct{ all []Prize }

func (c *prizes) add(q Prize) {
	if len(c.all) < maxPrizes && !slices.ContainsFunc(c.all, func(o Prize) bool { return o.Kind == q.Kind && o.Name == q.Name && (o.Step == q.Step || o.Step < 0) }) {
		c.all = append(c.all, q)
	}
}

// runner adds a runner of a job that lives on: one of the labels or, for a stranger's
// own definition, any that the settings name.
func (c *prizes) runner(p *Pipeline, e *Entry, j *Job, labels []Text, kinds map[string]RunnerKind, any bool) {
	for _, l := range labels {
		if kinds[l.Value] == RunnerPersistent {
			c.add(Prize{Place: placed(p, l.Span), Kind: PrizeRunner, Name: l.Value, Text: "the runner " + clip(l.Value) + ", which lives on after the job", Step: -1, Weight: 78})
		}
	}
	if !e.Own || !any {
		return
	}
	for _, name := range sortedKeys(kinds) {
		if kinds[name] == RunnerPersistent {
			c.add(Prize{Place: placed(p, j.ID.Span), Kind: PrizeRunner, Name: name, Text: "the runner " + clip(name) + ", which lives on after the job and which the stranger's own definition can ask for", Step: -1, Weight: 76})
		}
	}
}

// known reports whether anything is said of the secrets of a project.
func (g *GitLabSettings) known() bool {
	return len(g.Variables)+len(g.ProtectedVariables) > 0 || g.ForkPipelines != "" || g.DefaultBranch != ""
}

// unprotected are the secret variables that every pipeline of the project gets.
func (g *GitLabSettings) unprotected() []string {
	return slices.DeleteFunc(slices.Clone(g.Variables), func(v string) bool { return slices.Contains(g.ProtectedVariables, v) })
}

func (x *Project) gitlabPrizes(p *Pipeline, e *Entry, j *Job) []Prize {
	var c prizes
	set := &x.Settings.GitLab
	var row *Row
	if len(e.Rows) > 1 {
		row = &e.Rows[1]
	}
	at := placed(p, j.ID.Span)
	secret := func(name string, protected bool) {
		text := "the variable " + clip(name)
		if protected {
			text += ", which is protected"
		}
		c.add(Prize{Place: at, Kind: PrizeSecret, Name: name, Text: text, Step: -1, Row: row, Weight: secretWeight(strings.ToUpper(name))})
	}
	for _, v := range set.unprotected() {
		secret(v, false)
	}
	if e.gitlab.Protected == True {
		for _, v := range set.ProtectedVariables {
			secret(v, true)
		}
	}
	if !set.known() {
		for _, name := range x.gitlabReads(p, j) {
			c.add(Prize{Place: at, Kind: PrizeSecret, Name: name, Text: "the variable " + clip(name) + ", if every pipeline gets it", Step: -1, Row: row, Weight: secretWeight(name) - 10, Setting: true})
		}
	}
	_, jobToken := x.View(GitLab).JobTokenReach()
	c.add(Prize{Place: at, Kind: PrizeWrite, Name: "CI_JOB_TOKEN", Text: "the job's token, which publishes packages and images in the project", Step: -1, Row: &jobToken, Weight: 66})
	for _, t := range j.Tokens {
		c.add(Prize{Place: placed(p, t.Name.Span), Kind: PrizeIdentity, Name: t.Name.Value, Text: "the identity token " + clip(t.Name.Value), Step: -1, Weight: 90})
	}
	for _, f := range j.Secrets.Get().Fields {
		c.add(Prize{Place: placed(p, f.Name.Span), Kind: PrizeSecret, Name: f.Name.Value, Text: "the secret " + clip(f.Name.Value) + " of the vault", Step: -1, Weight: 92})
	}
	if !e.Own {
		for i := range j.Steps {
			x.stepPrizes(p, &j.Steps[i], i, false, true, c.add)
		}
	}
	c.runner(p, e, j, j.RunsOn.Labels, set.Runners, true)
	return c.all
}

var gitlabVariable = regexp.MustCompile(`\$\{?([A-Z][A-Z0-9_]{2,60})`)

// gitlabReads are variables in the scripts of a job that look like credentials and that
// no file defines.
func (x *Project) gitlabReads(p *Pipeline, j *Job) []string {
	var out []string
	for i := range j.Steps {
		text := j.Steps[i].Run.Value
		if len(text) > 1<<16 {
			text = text[:1<<16]
		}
		for _, m := range gitlabVariable.FindAllStringSubmatch(text, 200) {
			name := m[1]
			if secretName(name) && !strings.HasPrefix(name, "CI_") && !slices.Contains(out, name) && p.Env.Get(name).Kind == DataNone && j.Env.Get(name).Kind == DataNone && len(out) < 8 {
				out = append(out, name)
			}
		}
	}
	return out
}

// known reports whether anything is said of a pipeline's settings.
func (a *AzureSettings) known() bool {
	return a.Repository != "" || a.ForkBuilds != SwitchDefault || a.ForkSecrets != SwitchDefault || len(a.Secrets)+len(a.Groups) > 0
}

// azureConnections are inputs of tasks that name a service connection.
var azureConnections = []string{
	"azuresubscription", "connectedservicename", "connectedservicenamearm", "azureresourcemanagerconnection", "containerregistry", "dockerregistryendpoint",
	"dockerregistryserviceconnection", "kubernetesserviceconnection", "kubernetesserviceendpoint", "azuresubscriptionendpoint", "azurecontainerregistry", "awscredentials",
	"gcpconnection", "gitHubConnection", "githubconnection", "publishendpoint", "externalfeedcredentials", "publishfeedcredentials", "customendpoint", "sshendpoint", "serviceconnection",
	"endpoint", "backendservicearm", "providerserviceconnection",
}

func (x *Project) azurePrizes(p *Pipeline, e *Entry, j *Job) []Prize {
	var c prizes
	set := &x.Settings.Azure
	var row *Row
	for i := range e.Rows {
		if e.Rows[i].Topic == TopicSecrets {
			row = &e.Rows[i]
		}
	}
	uses := x.azureMacros(p, j)
	if e.azure.Secrets == ReachAll {
		secret := func(name string, why string) {
			q := Prize{Place: placed(p, j.ID.Span), Kind: PrizeSecret, Name: name, Text: "the secret variable " + clip(name) + why, Step: -1, Row: row, Weight: max(60, secretWeight(strings.ToUpper(name)))}
			if at, ok := uses[strings.ToLower(name)]; ok {
				q.Place, q.Step = placed(p, at.span), at.step
			}
			if e.Own {
				q.Step = -1
			}
			c.add(q)
		}
		for _, name := range set.Secrets {
			if _, used := uses[strings.ToLower(name)]; used || e.Own {
				secret(name, "")
			}
		}
		for _, src := range slices.Concat(p.Sources, j.Sources) {
			group := src.Group
			if group.Value == "" {
				continue
			}
			if names, ok := set.Groups[group.Value]; ok {
				for _, name := range names {
					if _, used := uses[strings.ToLower(name)]; used || e.Own {
						secret(name, " of the group "+clip(group.Value))
					}
				}
				continue
			}
			c.add(Prize{Place: placed(p, group.Span), Kind: PrizeSecrets, Name: group.Value, Text: "the secrets of the variable group " + clip(group.Value) + ", if it has some", Step: -1, Row: row, Weight: 75, Setting: true})
		}
		if !set.known() {
			defined := x.macros(p)
			for _, name := range sortedKeys(uses) {
				if may, sure := AzureSecret(name, defined); may && !sure && (uses[name].env || secretName(strings.ToUpper(name))) {
					c.add(Prize{Place: placed(p, uses[name].span), Kind: PrizeSecret, Name: name, Text: "the variable " + clip(name) + ", if it is secret", Step: uses[name].step, Row: row, Weight: 75, Setting: true})
				}
			}
		}
		for i := range j.Steps {
			s := &j.Steps[i]
			if s.Uses.Kind != UseTask {
				continue
			}
			for _, f := range s.With.Fields {
				if v := f.Value.Text; v.Value != "" && slices.Contains(azureConnections, strings.ToLower(f.Name.Value)) {
					c.add(Prize{Place: placed(p, v.Span), Kind: PrizeCloud, Name: v.Value, Text: "the service connection " + clip(v.Value), Step: i, Row: row, Weight: 92})
				}
			}
		}
		if !e.Own {
			for i := range j.Steps {
				x.stepPrizes(p, &j.Steps[i], i, false, true, c.add)
			}
		}
	}
	switch {
	case e.Origin == OriginFork && set.ForkFullAccess == SwitchOn:
		c.add(Prize{Place: placed(p, j.ID.Span), Kind: PrizeWrite, Name: "System.AccessToken", Text: "the access token of the build service", Step: -1, Weight: 65})
	case e.Origin != OriginFork:
		if at, ok := uses["system.accesstoken"]; ok {
			c.add(Prize{Place: placed(p, at.span), Kind: PrizeWrite, Name: "System.AccessToken", Text: "the access token of the build service", Step: at.step, Weight: 65})
		}
	}
	c.runner(p, e, j, []Text{j.RunsOn.Group}, set.Pools, false)
	return c.all
}

// azureUse is where a job uses a variable.
type azureUse struct {
	span penstock.Span
	step int
	env  bool // it is put into the environment of a script
}

// azureMacros are the variables that a job uses, by name in lower case, each where it is
// first used.
func (x *Project) azureMacros(p *Pipeline, j *Job) map[string]azureUse {
	out := make(map[string]azureUse)
	look := func(t Text, step int, env bool) {
		for _, part := range t.Parts {
			name := strings.ToLower(strings.TrimSpace(t.Source(part)))
			if strings.HasPrefix(t.Value[part.From:], "$(") {
				if old, seen := out[name]; !seen || env && !old.env {
					at := part.Span
					if env {
						at = t.Span
					}
					out[name] = azureUse{at, step, env}
				}
			}
		}
	}
	j.Env.Texts(func(t Text) { look(t, -1, false) })
	for i := range j.Steps {
		s := &j.Steps[i]
		for _, f := range s.Env.Fields {
			look(f.Value.Text, i, true)
		}
		look(s.Run.Text, i, false)
		s.With.Texts(func(t Text) { look(t, i, false) })
	}
	return out
}

func (x *Project) jenkinsPrizes(p *Pipeline, e *Entry, j *Job) []Prize {
	var c prizes
	set := &x.Settings.Jenkins
	var row *Row
	for i := range e.Rows {
		if e.Rows[i].Topic == TopicSecrets {
			row = &e.Rows[i]
		}
	}
	bound := func(all []Credential, step int) {
		for _, k := range all {
			weight := max(60, secretWeight(strings.ToUpper(k.ID.Value)))
			switch k.Kind {
			case "git", "checkout", "build", "githubNotify":
				weight = 45 // for a step of the server, and not in the environment
			}
			name := cmp.Or(k.ID.Value, k.Kind)
			c.add(Prize{Place: placed(p, k.Span), Kind: PrizeSecret, Name: name, Text: "the credentials " + clip(name), Step: step, Row: row, Weight: weight})
		}
	}
	bound(j.Credentials, -1)
	for i := range j.Steps {
		bound(j.Steps[i].Credentials, i)
		if !e.Own {
			x.stepPrizes(p, &j.Steps[i], i, false, false, c.add)
		}
	}
	if e.Own {
		for _, id := range sortedKeys(set.Credentials) {
			c.add(Prize{Place: placed(p, j.ID.Span), Kind: PrizeSecret, Name: id, Text: "the credentials " + clip(id) + " of the server", Step: -1, Row: row, Weight: max(80, secretWeight(strings.ToUpper(id)))})
		}
		c.add(Prize{Place: placed(p, j.ID.Span), Kind: PrizeSecrets, Name: "credentials", Text: "every credential of the server and of the project's folders, if there are some", Step: -1, Row: row, Weight: 76, Setting: true})
	}
	c.runner(p, e, j, j.RunsOn.Labels, set.Agents, true)
	return c.all
}
