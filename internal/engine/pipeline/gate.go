package pipeline

import (
	"slices"
	"strings"

	"penstock"
)

// Reach says whether a job can run by an entry, and which gates the way passes: False
// is never. Gates of the jobs that it needs, and of the steps before it in them that
// end the job, count, as do those of the entry and of the calling workflow. Of
// alternatives the gates of the easiest are given.
func (x *Project) Reach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	switch p.Forge {
	case GitHub:
		return x.githubReach(p, e, j)
	case GitLab:
		return x.gitlabReach(p, e, j)
	case Azure:
		return x.azureReach(p, e, j)
	case Jenkins:
		return x.jenkinsReach(p, e, j)
	}
	return Undecided, nil
}

// StepReach is Reach for the n-th step of a job that runs: its own condition, and
// steps before it that end the job for people without rights.
func (x *Project) StepReach(p *Pipeline, e *Entry, j *Job, n int) (Truth, []Gate) {
	switch p.Forge {
	case GitHub:
		return x.githubStepReach(p, e, j, n)
	case GitLab, Azure, Jenkins:
		return x.forgeStepReach(p, e, j, n)
	}
	return Undecided, nil
}

// Open reports whether gates let an outsider through: none stops everyone, and each
// that is there is either known to be weak or not known.
func Open(gates []Gate) bool {
	return !slices.ContainsFunc(gates, func(g Gate) bool { return g.Stops })
}

type reachKey struct {
	entry *Entry
	job   *Job
}

type reachAnswer struct {
	truth Truth
	gates []Gate
}

type enderKey struct {
	entry *Entry
	job   *Job
}

// ender is a step that ends its job unless the gates are passed.
type ender struct {
	step  int
	truth Truth
	gates []Gate
}

// Bounds of the work for one job.
const (
	maxNeeds     = 64        // depth of chains
	maxGates     = 40        // of one way
	maxGateWork  = 400       // nodes of a condition
	maxEnders    = 64        // steps of a job that end it
	maxAllWork   = 3_000_000 // nodes of all conditions of a project
	maxEnvLevels = 3         // of env that is made of env
)

func (x *Project) githubReach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	key := reachKey{e, j}
	if a, known := x.ways.reaches[key]; known {
		return a.truth, a.gates
	}
	truth, gates := True, slices.Clone(e.gates)
	if e.caller != nil {
		t, g := x.Reach(e.caller.pipeline, e.callerEntry, e.caller.job)
		truth, gates = both(truth, t), append(gates, g...)
	}
	t, rest := x.jobReach(p, e, j)
	answer := reachAnswer{truth: both(truth, t), gates: distinct(append(gates, rest...))}
	if x.ways.reaches == nil {
		x.ways.reaches = make(map[reachKey]reachAnswer)
	}
	x.ways.reaches[key] = answer
	return answer.truth, answer.gates
}

// both is the truth of a conjunction.
func both(a, b Truth) Truth {
	switch {
	case a == False || b == False:
		return False
	case a == True && b == True:
		return True
	}
	return Undecided
}

// distinct drops gates that stand there twice.
func distinct(gates []Gate) []Gate {
	var out []Gate
	for _, g := range gates {
		if !slices.ContainsFunc(out, func(o Gate) bool { return o.Place == g.Place && o.Kind == g.Kind && o.Stops == g.Stops }) && len(out) < maxGates {
			out = append(out, g)
		}
	}
	return out
}

// jobReach is the reach of a job within its own file. Needs that loop, which the
// forge refuses, count as passed.
func (x *Project) jobReach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	w := &x.ways
	key := reachKey{e, j}
	if a, known := w.jobs[key]; known {
		return a.truth, a.gates
	}
	if w.depth > maxNeeds {
		return True, nil
	}
	if w.jobs == nil {
		w.jobs = make(map[reachKey]reachAnswer)
	}
	w.jobs[key] = reachAnswer{truth: True}
	w.depth++
	truth, gates := x.jobConditions(p, e, j)
	w.depth--
	gates = distinct(gates)
	w.jobs[key] = reachAnswer{truth, gates}
	return truth, gates
}

func (x *Project) jobConditions(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) {
	truth, gates := True, []Gate(nil)
	implied := true // a needed job that is skipped or fails skips this one
	if j.If.IsSet() {
		a := &asker{x: x, p: p, e: e, j: j, step: -1}
		truth, gates = a.condition(j.If, true)
		if c := x.condition(j.If.Value); c != nil {
			implied = c.Implied || requiresSuccess(c)
		}
	}
	if truth == False {
		return False, gates
	}
	if implied {
		for _, need := range j.Needs {
			n := x.jobOf(p, need.Value)
			if n == nil || n == j {
				continue
			}
			t, g := x.jobReach(p, e, n)
			end, h := x.endersBefore(p, e, n, len(n.Steps))
			if called := x.Workflow(n.Uses); called != nil {
				u, k := x.calledEnders(called, e)
				end, h = both(end, u), append(h[:len(h):len(h)], k...)
			}
			truth = both(truth, both(t, end))
			if len(gates) < maxGates {
				gates = append(append(gates, g...), h...)
			}
			if truth == False {
				return False, gates
			}
		}
	}
	if g, ok := x.environmentGate(p, e, j); ok {
		gates = append(gates, g)
	}
	return truth, gates
}

// calledEnders are the gates of steps that end a job of a called workflow, which fails
// with it. Jobs that may be skipped end nothing.
func (x *Project) calledEnders(called *Pipeline, e *Entry) (Truth, []Gate) {
	truth := True
	var gates []Gate
	for i := range called.Jobs[:min(len(called.Jobs), maxNeeds)] {
		j := &called.Jobs[i]
		if j.If.IsSet() || len(j.Needs) > 0 || len(gates) >= maxGates {
			continue
		}
		t, g := x.endersBefore(called, e, j, len(j.Steps))
		truth, gates = both(truth, t), append(gates, g...)
	}
	return truth, gates
}

// requiresSuccess reports whether a condition calls success(), beside other things, in
// a conjunction.
func requiresSuccess(c *Condition) bool {
	if len(c.Template.Parts) != 1 || c.Template.Parts[0].Expression.Root == nil {
		return false
	}
	root := c.Template.Parts[0].Expression.Root
	nodes := []*ExprNode{root}
	if root.Kind == ExprAnd {
		nodes = root.Args
	}
	return slices.ContainsFunc(nodes, func(n *ExprNode) bool { return n.Kind == ExprCall && n.Name == "success" })
}

// jobOf finds a job by its id; nil if it is not there.
func (x *Project) jobOf(p *Pipeline, id string) *Job {
	index, known := x.ways.jobsByID[p]
	if !known {
		index = make(map[string]*Job, len(p.Jobs))
		for i := range p.Jobs {
			index[strings.ToLower(p.Jobs[i].ID.Value)] = &p.Jobs[i]
		}
		if x.ways.jobsByID == nil {
			x.ways.jobsByID = make(map[*Pipeline]map[string]*Job)
		}
		x.ways.jobsByID[p] = index
	}
	return index[strings.ToLower(id)]
}

// stepOf finds a step by its id; -1 if it is not there.
func (x *Project) stepOf(j *Job, id string) int {
	index, known := x.ways.stepsByID[j]
	if !known {
		index = make(map[string]int)
		for i := range j.Steps {
			if v := j.Steps[i].ID.Value; v != "" {
				index[strings.ToLower(v)] = i
			}
		}
		if x.ways.stepsByID == nil {
			x.ways.stepsByID = make(map[*Job]map[string]int)
		}
		x.ways.stepsByID[j] = index
	}
	if i, ok := index[strings.ToLower(id)]; ok {
		return i
	}
	return -1
}

// condition parses the text of an if, once; nil if it cannot be read.
func (x *Project) condition(text string) *Condition {
	c, known := x.ways.conditions[text]
	if !known {
		if parsed, err := ParseCondition(text); err == nil {
			c = &parsed
		}
		if x.ways.conditions == nil {
			x.ways.conditions = make(map[string]*Condition)
		}
		x.ways.conditions[text] = c
	}
	return c
}

// environmentGate is what the deployment environment of a job asks for.
func (x *Project) environmentGate(p *Pipeline, e *Entry, j *Job) (Gate, bool) {
	name := j.Environment.Get().Name
	if !name.IsSet() || name.Value == "" {
		return Gate{}, false
	}
	g := Gate{Place: placed(p, name.Span), Kind: GuardEnvironment, Once: true}
	value := name.Value
	if len(name.Parts) > 0 {
		v, known := ParseTemplate(value).Evaluate(e.Env).Text()
		if !known {
			g.Text = "an environment that is chosen when the job starts"
			return g, true
		}
		if value = v; value == "" {
			return Gate{}, false
		}
	}
	set, known := x.Settings.GitHub.Environment(value)
	if !known {
		g.Text, g.setting = "the environment "+clip(value), "github.environments."+clip(value)+".reviewers"
		switch purpose := environmentPurpose(value, j); {
		case x.Settings.GitHub.known() || purpose == purposeDeploy:
			// A workflow that names an environment makes it, without any protection.
			g.Weakness = "no settings say that it is protected, and by default it is not"
		case purpose == purposeApproval:
			g.Stops = true
			g.Text += ", which by its name is there for somebody's approval (no settings say so)"
		}
		return g, true
	}
	ref, row := x.View(GitHub).EnvironmentRef(e.Event)
	if ref == FromPushed {
		ref, _ = x.View(GitHub).Ref(e.Event) // the ref of the run
	}
	g.Row = &row
	switch {
	case set.Reviewers:
		g.Stops, g.Text = true, "a reviewer of the environment "+clip(value)+" approves the job"
		return g, true
	case len(set.Branches) == 0:
		return Gate{}, false
	}
	g.Once, g.Text = false, "only the branches of the environment "+clip(value)
	switch ref {
	case FromDefault, FromBase:
		branch := x.Settings.GitHub.DefaultBranch
		if branch == "" {
			branch = "main"
		}
		if IsProtected(set.Branches, branch) {
			return Gate{}, false // the run is on one of them, whoever caused it
		}
		g.Stops = true
	case FromMerge:
		g.Stops = !slices.ContainsFunc(set.Branches, func(b string) bool { return strings.HasPrefix(b, "refs/pull/") || b == "*/merge" })
	case "head":
		g.Weakness = "the name of the branch is its author's choice"
	}
	return g, true
}

// purpose is what an environment is for, by its name.
type purpose uint8

const (
	purposeUnknown  purpose = iota
	purposeApproval         // someone approves what a stranger sends
	purposeDeploy           // something is deployed or published there
)

// Beginnings of words in the names of environments and jobs, by what they are for.
var (
	approvalWords = []string{"approv", "review", "gate", "external", "trust", "untrust", "authoriz", "authoris", "permission", "manual", "protected", "fork", "contributor"}
	deployWords   = []string{"deploy", "prod", "prd", "stag", "stg", "page", "pypi", "npm", "releas", "preview", "cloud", "publish", "docker", "registry", "azure", "aws", "gcp", "heroku", "vercel",
		"netlify", "maven", "crates", "nuget", "rubygems", "ghcr", "marketplace", "store", "live", "demo", "dev", "uat", "qa", "nightly", "site", "website", "docs"}
)

// environmentPurpose says what an environment of which no settings are known is for.
// A name is all that there is: whoever makes an environment for approvals calls it so,
// and one that names a target is as often without protection as with it.
func environmentPurpose(name string, j *Job) purpose {
	switch {
	case beginsWith(name, approvalWords):
		return purposeApproval
	case beginsWith(name, deployWords):
		return purposeDeploy
	case beginsWith(j.ID.Value, approvalWords) || beginsWith(j.Name.Value, approvalWords):
		return purposeApproval
	}
	return purposeUnknown
}

// beginsWith reports whether a word of a name begins with one of some texts.
func beginsWith(name string, begins []string) bool {
	for _, word := range nameWords(name) {
		if word != "gateway" && slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(word, b) }) {
			return true
		}
	}
	return false
}

// nameWords are the words of a name, in lower case: "pr-externalReview" has three.
func nameWords(name string) []string {
	if len(name) > 256 {
		name = name[:256]
	}
	var b strings.Builder
	small := false
	for _, r := range name {
		if small && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		small = r >= 'a' && r <= 'z'
		b.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return r < 'a' || r > 'z' })
}

// githubStepReach is StepReach for GitHub.
func (x *Project) githubStepReach(p *Pipeline, e *Entry, j *Job, n int) (Truth, []Gate) {
	if n < 0 || n >= len(j.Steps) {
		return Undecided, nil
	}
	s := &j.Steps[n]
	truth, gates := True, []Gate(nil)
	ended := true
	if s.If.IsSet() {
		a := &asker{x: x, p: p, e: e, j: j, step: n}
		truth, gates = a.condition(s.If, true)
		if c := x.condition(s.If.Value); c != nil {
			ended = c.Implied || requiresSuccess(c)
		}
	}
	if truth == False || !ended {
		return truth, distinct(gates)
	}
	t, g := x.endersBefore(p, e, j, n)
	return both(truth, t), distinct(append(gates, g...))
}

// endersBefore are the gates of the steps before the n-th that end the job.
func (x *Project) endersBefore(p *Pipeline, e *Entry, j *Job, n int) (Truth, []Gate) {
	truth := True
	var gates []Gate
	for _, end := range x.enders(p, e, j) {
		if end.step >= n {
			break
		}
		truth = both(truth, end.truth)
		if len(gates) < maxGates {
			gates = append(gates, end.gates...)
		}
	}
	return truth, gates
}

// enders are the steps of a job that end it for some people.
func (x *Project) enders(p *Pipeline, e *Entry, j *Job) []ender {
	if !e.Outsider() {
		return nil // who has rights passes what asks for them
	}
	key := enderKey{e, j}
	if all, known := x.ways.enders[key]; known {
		return all
	}
	if x.ways.enders == nil {
		x.ways.enders = make(map[enderKey][]ender)
	}
	x.ways.enders[key] = nil // while it is made
	var all []ender
	if j.Uses.Kind == UseRemote && namesCheck(j.Uses) {
		g := Gate{Place: placed(p, j.Uses.Span), Kind: GuardOther, Text: "a workflow that is not in the tree, and by its name checks who is there"}
		all = append(all, ender{step: -1, truth: Undecided, gates: []Gate{g}})
	}
	for i := range j.Steps {
		s := &j.Steps[i]
		if len(all) >= maxEnders {
			break
		}
		c := x.check(s)
		if strings.TrimSpace(s.ContinueOnError.Get().Value) == "true" {
			continue
		}
		a := &asker{x: x, p: p, e: e, j: j, step: i}
		if out, ok := a.scriptEnder(s, i); ok {
			all = append(all, out)
		}
		if !c.ends {
			continue
		}
		out := ender{step: i, truth: True}
		runs := True
		var passed []Gate // what someone passes who does not get to the step
		if s.If.IsSet() {
			var skipped Truth
			skipped, passed = a.condition(s.If, false)
			runs = skipped.Not()
		}
		if runs == False {
			continue // the step does not run
		}
		if c.always {
			// Whoever gets to the step is stopped.
			out.truth, out.gates = runs.Not(), passed
			if runs == True {
				out.truth = False
			}
			if len(passed) == 0 && out.truth != False {
				continue
			}
		} else {
			g := c.gate(p, e, s)
			if runs == Undecided && len(passed) > 0 && rank(passed) < rank([]Gate{g}) {
				out.gates = passed
			} else if runs == Undecided && len(passed) == 0 {
				// The check is skipped for some, by what we cannot decide.
				if a.choosable(s.If) {
					continue
				}
				out.gates = []Gate{g}
			} else {
				out.gates = []Gate{g}
			}
		}
		all = append(all, out)
	}
	x.ways.enders[key] = all
	return all
}

// namesCheck reports whether something of another repository is by its name a check of
// people, and not one of code.
func namesCheck(u Use) bool {
	name := u.Path
	if name == "" {
		name = u.Repo
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	if beginsWith(name, []string{"permission", "authoriz", "authoris", "approv", "membership", "collaborator"}) {
		return true
	}
	words := strings.Join(nameWords(name), " ")
	switch strings.TrimSuffix(strings.TrimSuffix(words, " yml"), " yaml") {
	case "check", "check run", "check team", "check user", "check actor", "check access", "team check", "check member", "check fork", "pr check", "run check":
		return true
	}
	return strings.HasPrefix(words, "check team") || strings.HasPrefix(words, "team member")
}

// scriptEnder is what a script asks for that compares and ends. For a step that does
// not run for some it is none.
func (a *asker) scriptEnder(s *Step, i int) (ender, bool) {
	out := ender{step: i, truth: True}
	switch {
	case s.Run.IsSet():
		script := a.shellOf(s)
		out.truth, out.gates = a.scriptGates(s, script)
		if t, g := a.comparedGates(s, script); out.truth != False {
			out.truth, out.gates = both(out.truth, t), append(out.gates[:len(out.gates):len(out.gates)], g...)
		}
	case strings.EqualFold(s.Uses.Owner+"/"+s.Uses.Repo, "actions/github-script") && endsForForks(s.With.Get("script").Text.Value):
		g := Gate{Place: stepPlace(a.p, s), Kind: GuardRepository, Text: "the code of forks is refused"}
		if a.e.Origin == OriginFork {
			out.truth, g.Stops = False, true
		}
		g.ownCode = !g.Stops
		out.gates = []Gate{g}
	}
	if len(out.gates) == 0 {
		return out, false
	}
	if s.If.IsSet() {
		if runs, _ := a.condition(s.If, true); runs == False || runs == Undecided && a.choosable(s.If) {
			return out, false
		}
	}
	return out, true
}

// rank orders ways by how hard they are for an outsider.
func rank(gates []Gate) int {
	most := 0
	for _, g := range gates {
		n := 0
		switch {
		case g.Stops && !g.Once:
			n = 5
		case g.Stops:
			n = 4
		case g.Weakness == "" && !g.neutral:
			n = 3
		case g.neutral:
			n = 2
		case g.Weakness != "":
			n = 1
		}
		most = max(most, n)
	}
	return most
}

// asker finds the gates of one condition.
type asker struct {
	x     *Project
	p     *Pipeline
	e     *Entry
	j     *Job
	step  int // of the condition, -1 for that of the job
	depth int // of conditions that conditions ask for
	env   *Environment

	text Text  // in which the condition stands
	base int64 // where the expression begins in it
	work int
}

// condition decides a condition, or its opposite, and finds the gates that someone
// passes for whom it holds.
func (a *asker) condition(text Text, want bool) (Truth, []Gate) {
	c := a.x.condition(text.Value)
	a.text, a.env = text, a.e.Env
	if c == nil {
		return Undecided, nil
	}
	parts := c.Template.Parts
	if len(parts) != 1 || !parts[0].IsExpression || parts[0].Expression.Root == nil {
		// A text, which is true unless it is empty.
		t := c.Template.Evaluate(a.env).Truth()
		if !want {
			t = t.Not()
		}
		return t, nil
	}
	a.base = parts[0].Inner
	if strings.Contains(text.Value, "env") {
		a.env = a.withEnv(parts[0].Expression)
	}
	truth, gates := a.ask(parts[0].Expression.Root, want)
	gates = slices.DeleteFunc(gates, func(g Gate) bool { return g.neutral })
	return truth, gates
}

// choosable reports whether an outsider decides a condition by what the outsider
// writes.
func (a *asker) choosable(text Text) bool {
	c := a.x.condition(text.Value)
	if c == nil {
		return false
	}
	for _, path := range c.Template.Paths() {
		if control, ok := ControlOf(path.Name, a.e.Event); ok && control.Actor <= ActorReturning && control.After == "" {
			return true
		}
	}
	return false
}

// withEnv adds the variables that the expression reads and that are set in the file.
func (a *asker) withEnv(expr Expression) *Environment {
	env := a.env
	for _, path := range expr.Paths() {
		name, ok := strings.CutPrefix(path.Name, "env.")
		if !ok {
			continue
		}
		if t := a.variable(name); t.IsSet() {
			if env == a.env {
				env = env.over()
			}
			env.Set(path.Name, ParseTemplate(t.Value).Evaluate(a.env))
		}
	}
	return env
}

// variable is the text that a variable is set to in the file.
func (a *asker) variable(name string) Text {
	if a.step >= 0 {
		if t := a.j.Steps[a.step].Env.Get(name).Text; t.IsSet() {
			return t
		}
	}
	if t := a.j.Env.Get(name).Text; t.IsSet() {
		return t
	}
	return a.p.Env.Get(name).Text
}

// ask decides a node, and finds the gates on the way to it being true, or false.
func (a *asker) ask(n *ExprNode, want bool) (Truth, []Gate) {
	a.x.ways.work++
	if a.work++; a.work > maxGateWork || a.x.ways.work > maxAllWork {
		return Undecided, []Gate{a.named(Gate{Place: a.where(n)}, GuardOther, "a condition that is too long to be decided")}
	}
	switch {
	case n.Kind == ExprNot:
		return a.ask(n.Args[0], !want)
	case n.Kind == ExprAnd && want || n.Kind == ExprOr && !want:
		truth := True
		var gates []Gate
		for _, arg := range n.Args {
			t, g := a.ask(arg, want)
			truth, gates = both(truth, t), append(gates, g...)
		}
		return truth, gates
	case n.Kind == ExprAnd || n.Kind == ExprOr:
		return a.easiest(n.Args, want)
	case n.Kind == ExprCompare && (n.Name == "==" || n.Name == "!="):
		for i, arg := range n.Args {
			other := n.Args[1-i]
			if arg.Kind != ExprLiteral || arg.Value.kind != KindBoolean || !logical(other) {
				continue
			}
			return a.ask(other, (arg.Value.bool == (n.Name == "==")) == want)
		}
	}
	truth := Expression{Root: n}.Evaluate(a.env).Truth()
	if !want {
		truth = truth.Not()
	}
	if truth == True {
		return True, nil
	}
	t, gates := a.atom(n, want, truth)
	return t, gates
}

// logical reports whether a node is a boolean by its form.
func logical(n *ExprNode) bool {
	switch n.Kind {
	case ExprAnd, ExprOr, ExprNot, ExprCompare:
		return true
	case ExprCall:
		return n.Name == "contains" || n.Name == "startswith" || n.Name == "endswith"
	}
	return false
}

// easiest is the alternative that an outsider would take.
func (a *asker) easiest(args []*ExprNode, want bool) (Truth, []Gate) {
	truth := False
	var best, closed []Gate
	found, mixed, neutral := false, false, false
	for _, arg := range args {
		t, g := a.ask(arg, want)
		if t == False {
			if closed == nil || rank(g) > 0 && telling(g) > telling(closed) {
				closed = g
			}
			continue
		}
		if t == True && len(g) == 0 {
			return True, nil
		}
		r := rank(g)
		neutral = neutral || r == 2
		mixed = mixed || r > 2
		if !found || r < rank(best) {
			best = g
		}
		truth, found = Undecided, true
	}
	if !found {
		return False, closed
	}
	if rank(best) == 2 && (mixed || closed != nil) {
		// What is configured decides whether the guards beside it count.
		best = slices.Clone(best)
		for i := range best {
			best[i].neutral = false
		}
	}
	return truth, best
}

// telling prefers the alternative that asks who is there to one for another event.
func telling(gates []Gate) int {
	n := 0
	for _, g := range gates {
		if g.Stops && g.Kind != GuardEvent && g.Kind != GuardOther {
			n = 1
		}
	}
	return n
}

// where is the place of a node.
func (a *asker) where(n *ExprNode) Place {
	return placed(a.p, a.text.At(int(a.base+n.Span.Start), int(a.base+n.Span.End)))
}

// texts are the strings that a node spells out.
func texts(n *ExprNode) []string {
	var out []string
	walkExpr(n, func(n *ExprNode) bool {
		if n.Kind == ExprLiteral && len(out) < 64 {
			out = append(out, n.Value.text())
		}
		return true
	})
	return out
}

// positive reports whether a node, wanted so, asks for something to be there rather
// than not to be.
func positive(n *ExprNode, want bool) bool {
	if n.Kind != ExprCompare {
		return want
	}
	asks := want == (n.Name == "==")
	if n.Name != "==" && n.Name != "!=" {
		return want
	}
	for _, arg := range n.Args {
		// x != '' and x == false turn it around.
		if arg.Kind == ExprLiteral && arg.Value.Truth() == False {
			return !asks
		}
	}
	return asks
}

// atom classes a node that is false, or not decided, in the wanted sense. It returns
// its truth, too: what a step finds out can decide it.
func (a *asker) atom(n *ExprNode, want bool, truth Truth) (Truth, []Gate) {
	paths := Expression{Root: n}.Paths()
	asks := positive(n, want)
	g := Gate{Place: a.where(n), Stops: truth == False}
	for _, path := range paths {
		name := path.Name
		if v, ok := strings.CutPrefix(name, "env."); ok {
			// Judge a variable by what it is made of.
			if t := a.variable(v); len(t.Parts) > 0 {
				for _, p := range ParseTemplate(t.Value).Paths() {
					paths = append(paths, p)
					if len(paths) > 64 {
						break
					}
				}
			}
		}
		if strings.HasPrefix(name, "steps.") || strings.HasPrefix(name, "needs.") {
			if truth == False {
				return False, []Gate{a.named(g, GuardOther, "what an earlier step found out")}
			}
			if t, gates, ok := a.headGate(n, want, g); ok {
				return t, gates
			}
			return a.result(n, name, want, asks && !refuses(n, want))
		}
	}
	for _, path := range paths {
		if out, ok := a.classify(n, path.Name, asks, g, len(paths)); ok {
			if out.Kind == "" {
				return truth, nil
			}
			return truth, []Gate{out}
		}
	}
	if truth == False {
		return False, []Gate{a.named(g, GuardEvent, "another event, action or value")}
	}
	return truth, nil
}

// refuses reports whether a node asks for an answer of a step that is a no.
func refuses(n *ExprNode, want bool) bool {
	if n.Kind != ExprCompare || n.Name != "==" && n.Name != "!=" {
		return !want
	}
	no := false
	for _, s := range lowered(texts(n)) {
		switch s {
		case "", "false", "no", "none", "0", "failure", "skipped", "denied", "unauthorized", "read":
			no = true
		}
	}
	return no == (want == (n.Name == "=="))
}

func (a *asker) named(g Gate, kind GuardKind, text string) Gate {
	g.Kind, g.Text = kind, text
	return g
}

// changing reports whether what a gate looked at can change before the run uses the
// code: the actor of the event is not the author of the code.
func (e *Entry) changing() bool {
	switch e.Event {
	case "issue_comment", "pull_request_review", "pull_request_review_comment", "workflow_dispatch", "repository_dispatch":
		return true
	}
	return e.After != ""
}

// subject is the context of what the actor of the event wrote.
func (e *Entry) subject() string {
	switch e.Event {
	case "issue_comment", "discussion_comment", "commit_comment", "pull_request_review_comment":
		return "github.event.comment."
	case "pull_request_review":
		return "github.event.review."
	case "pull_request", "pull_request_target":
		return "github.event.pull_request."
	case "issues":
		return "github.event.issue."
	case "discussion":
		return "github.event.discussion."
	}
	return ""
}

// classify judges one context of a condition. A gate without a kind is none; the
// second result is false for contexts that say nothing.
func (a *asker) classify(n *ExprNode, path string, asks bool, g Gate, paths int) (Gate, bool) {
	e, none := a.e, Gate{}
	closed := g.Stops // the evaluation says that no outsider passes
	foreign := e.Origin == OriginFork
	last := path[strings.LastIndexByte(path, '.')+1:]
	subject := e.subject()
	of := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
	switch {
	case last == "author_association":
		g = a.named(g, GuardAssociation, "only for some associations of the author ("+clip(strings.Join(texts(n), ", "))+")")
		switch {
		case closed:
			g.Once = e.changing()
		case subject != "" && !of(subject):
			g.Weakness = "whose association it asks for is not who causes the event"
		case !asks && !slices.Contains(texts(n), "NONE"):
			return none, true
		default:
			g.Weakness = "contributors pass: one merged typo fix is enough"
		}
		return g, true
	case last == "review.state" || path == "github.event.review.state":
		if asks && slices.Contains(lowered(texts(n)), "approved") {
			g = a.named(g, GuardApproval, "only for a review that approves")
			g.Weakness = "anyone who can see the pull request can submit a review that approves"
			return g, true
		}
		return none, true
	case strings.Contains(path, ".labels.") || strings.HasSuffix(path, ".labels") || of("github.event.label."):
		return a.label(n, path, asks, g)
	case strings.HasSuffix(path, "pull_request.merged") || strings.HasSuffix(path, "pull_request.merged_at") || strings.HasSuffix(path, "pull_request.merged_by.login"):
		if !asks {
			return none, true
		}
		g = a.named(g, GuardApproval, "only when the pull request is merged")
		g.Stops = true
		return g, true
	case of("github.event.pull_request.head.repo.") || of("github.event.pull_request.head.user.") || path == "github.event.pull_request.head.label" ||
		of("github.event.workflow_run.head_repository.") || path == "github.event.pull_request.head.repo":
		if last == "default_branch" || last == "description" || last == "homepage" || last == "type" {
			return none, true
		}
		g = a.named(g, GuardRepository, "not for pull requests from forks")
		if !closed {
			fork := last == "fork"
			if !foreign || fork != !asks || !fork && !asks {
				return none, true
			}
			g.Stops = true
		}
		return g, true
	case of("github.event.workflow_run.pull_requests"):
		if closed {
			return a.named(g, GuardRepository, "not for pull requests from forks"), true
		}
		return none, true
	case path == "github.event.workflow_run.conclusion":
		if !asks || closed {
			return none, true
		}
		g = a.named(g, GuardEvent, "only when the other run ended so")
		g.Weakness = "how a run ends is up to the pull request that it is for"
		return g, true
	case path == "github.event.workflow_run.event" || path == "github.event_name" || path == "github.event.action" || path == "github.event.workflow_run.name" || path == "github.event.workflow_run.path":
		if !closed {
			return none, true
		}
		return a.named(g, GuardEvent, "another event"), true
	case path == "github.head_ref" || path == "github.event.pull_request.head.ref" || path == "github.event.workflow_run.head_branch":
		if !asks {
			return none, true
		}
		g = a.named(g, GuardRef, "only for some branches of the pull request")
		if !closed {
			if !foreign {
				return none, true
			}
			g.Weakness = "a fork can have a branch of any name"
		}
		return g, true
	case path == "github.ref" || path == "github.ref_name" || path == "github.event.ref" || path == "github.ref_type" || path == "github.ref_protected":
		g = a.named(g, GuardRef, "only for some branches or tags")
		if closed {
			return g, true
		}
		if !asks || e.Checkout == FromDefault && slices.ContainsFunc(texts(n), a.isDefault) {
			return none, true
		}
		if e.Checkout == FromDefault && last != "ref_protected" {
			g.Text = "only for a branch that is perhaps not the default one"
		}
		return g, true
	}
	if who, ok := actorPath(path); ok {
		return a.actor(n, path, who, asks, g, paths)
	}
	if of("github.repository") || of("github.event.repository.") || of("vars.") || of("inputs.") && e.Event != "workflow_dispatch" || of("secrets.") ||
		of("github.event.organization.") || of("github.event.pull_request.base.repo.") || of("env.") || of("github.server_url") || of("github.workflow") {
		if closed {
			return a.named(g, GuardOther, "a value of the repository or its settings"), true
		}
		g = a.named(g, GuardOther, "a value of the repository or its settings")
		g.neutral = true
		return g, true
	}
	if control, ok := ControlOf(path, e.Event); ok && !control.Guessed && control.Actor >= ActorTriage && asks && !control.Whole && e.After != contribCommit {
		if strings.HasPrefix(path, "github.event.pull_request.base.") || path == "github.base_ref" {
			return none, true // the author of a pull request says where it goes
		}
		g = a.named(g, GuardApproval, "something that "+control.Actor.String()+" sets")
		g.Stops, g.Once = true, true
		return g, true
	}
	if closed {
		return Gate{}, false
	}
	return none, false
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// isDefault reports whether a text is the name of a branch that is, or may be, the
// default one.
func (a *asker) isDefault(s string) bool {
	s = strings.TrimPrefix(s, "refs/heads/")
	if d := a.x.Settings.GitHub.DefaultBranch; d != "" {
		return s == d
	}
	switch s {
	case "main", "master", "develop", "dev", "trunk", "devel", "next":
		return true
	}
	return false
}

// whose says whose account a context names.
type whose uint8

const (
	whoseActor  whose = iota + 1 // who causes the run, or reruns it
	whoseAuthor                  // who wrote the issue, comment, pull request
	whoseGit                     // a name in a commit
)

// actorPath classes contexts that name an account.
func actorPath(path string) (whose, bool) {
	switch path {
	case "github.actor", "github.triggering_actor", "github.actor_id", "github.event.sender", "github.event.pusher.name":
		return whoseActor, true
	}
	if strings.HasPrefix(path, "github.event.sender.") || strings.HasPrefix(path, "github.event.workflow_run.actor.") || strings.HasPrefix(path, "github.event.workflow_run.triggering_actor.") {
		return whoseActor, true
	}
	if strings.Contains(path, ".head_commit.author.") || strings.Contains(path, ".head_commit.committer.") || strings.Contains(path, ".commits.*.author.") {
		return whoseGit, true
	}
	for _, field := range []string{".user.login", ".user.id", ".user.type", ".user.node_id", ".user.site_admin", ".user"} {
		if strings.HasSuffix(path, field) && strings.HasPrefix(path, "github.event.") {
			return whoseAuthor, true
		}
	}
	return 0, false
}

// botIDs are the numbers of accounts that act for others.
var botIDs = []string{"49699333", "29139614", "41898282", "27856297", "19733683", "39814207"}

// namesBot reports whether one of the texts names a bot.
func namesBot(list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool {
		s = strings.ToLower(s)
		return strings.Contains(s, "bot") || slices.Contains(botIDs, s) || strings.HasPrefix(s, "renovate")
	})
}

// weakContains is said of contains with a text for a list.
const weakContains = "contains finds a part of a name or of the list: any account with such a name passes"

// actor judges a comparison of an account.
func (a *asker) actor(n *ExprNode, path string, who whose, asks bool, g Gate, paths int) (Gate, bool) {
	e, list := a.e, texts(n)
	closed := g.Stops
	g = a.named(g, GuardActor, "only for some accounts ("+clip(strings.Join(list, ", "))+")")
	switch {
	case closed:
		g.Once = who == whoseActor && e.changing()
		return g, true
	case !asks:
		return Gate{}, true
	case who == whoseGit:
		g.Weakness = "the author of a commit is what its author writes there"
		return g, true
	case len(list) == 0 && ofAuthor(n, e.subject()):
		g.Text, g.Weakness = "only for the author of the issue or pull request", "whoever opens an issue or a pull request is its author"
		return g, true
	case len(list) == 0 && paths > 1 && !strings.Contains(a.text.Value, "vars.") && !strings.Contains(a.text.Value, "secrets."):
		return Gate{}, true // two accounts, which may both be the outsider's
	}
	if strings.HasSuffix(path, ".type") && slices.Contains(lowered(list), "user") {
		return Gate{}, true
	}
	bot := namesBot(list)
	switch subject := e.subject(); {
	case n.Kind == ExprCall && n.Name == "contains" && n.Args[0].Kind == ExprLiteral && n.Args[0].Value.kind == KindString:
		g.Weakness = weakContains
	case who == whoseActor && bot:
		g.Weakness = "the actor of a run is who acted last, not the author of the code: a bot can be made to act on a stranger's branch"
	case who == whoseAuthor && subject != "" && !strings.HasPrefix(path, subject):
		g.Weakness = "whose name it asks for is not who causes the event"
	case n.Kind == ExprCall && n.Name == "contains" && n.Args[0].Kind != ExprCall && n.Args[0].Kind != ExprFilter:
		g.Weakness = weakContains
	case n.Kind == ExprCall && (n.Name == "startswith" || n.Name == "endswith"):
		g.Weakness = "any account with such a name passes"
	default:
		g.Stops = true
		g.Once = who == whoseActor && e.changing()
	}
	return g, true
}

// ofAuthor reports whether a comparison asks that who causes the event has written the
// issue or pull request that it is about.
func ofAuthor(n *ExprNode, subject string) bool {
	if n.Kind != ExprCompare || len(n.Args) != 2 {
		return false
	}
	for i, arg := range n.Args {
		acts, ok := pathOf(arg)
		wrote, also := pathOf(n.Args[1-i])
		if !ok || !also || wrote != "github.event.issue.user.login" && wrote != "github.event.pull_request.user.login" || subject != "" && strings.HasPrefix(wrote, subject) {
			continue
		}
		if who, _ := actorPath(acts); who == whoseActor || subject != "" && acts == subject+"user.login" {
			return true
		}
	}
	return false
}

// label judges a condition about labels.
func (a *asker) label(n *ExprNode, path string, asks bool, g Gate) (Gate, bool) {
	e, list := a.e, texts(n)
	closed := g.Stops
	if !closed && !asks {
		return Gate{}, true
	}
	for _, p := range (Expression{Root: n}).Paths() {
		if name, ok := strings.CutPrefix(p.Name, "env."); ok {
			if t := a.variable(name); t.IsSet() && len(t.Parts) == 0 {
				list = append(list, t.Value)
			}
		}
	}
	g = a.named(g, GuardLabel, "only with a label ("+clip(strings.Join(list, ", "))+")")
	g.Once = true
	set := strings.HasPrefix(path, "github.event.label")
	actions := strings.Fields(e.actions)
	switch {
	case closed:
		g.Once = false
	case slices.ContainsFunc(list, a.x.labeler):
		g.Weakness = "a workflow of the repository gives this label by the files that are changed"
	case set || slices.Contains(actions, "labeled"):
		g.Stops = true
		// A run of the stranger's own definition is of the commit that was labelled, and
		// another push makes no run.
		g.Once = !(set && e.Own && !slices.ContainsFunc(actions, func(a string) bool { return a != "labeled" && a != "unlabeled" }))
	case e.Event == "issues" || e.Event == "issue_comment" && !strings.Contains(path, "pull_request"):
		gives := a.x.templateGives(list)
		switch {
		case e.Event == "issue_comment":
			g.Weakness = "a label stays on, and anyone comments"
		case gives == True:
			g.Weakness = "a template of the repository gives an issue this label, whoever opens it"
		case gives == False && slices.Equal(actions, []string{"opened"}):
			g.Stops, g.Once = true, false // an outsider cannot open one with other labels
		case gives == False:
			g.Weakness = "the label stays on when the text of the issue changes"
		default:
			g.Weakness = "a template can give an issue its labels, and they stay when its text changes"
		}
	case slices.Equal(actions, []string{"opened"}):
		g.Stops, g.Once = true, false // an outsider cannot open one with labels
	case e.Event == "pull_request_target" || e.Event == "pull_request":
		if slices.Contains(actions, "synchronize") && !a.endsOnChange() {
			g.Weakness = "the label stays on while the code changes"
		} else {
			g.Stops = true
		}
	default:
		g.Weakness = "the label stays on while the code changes"
	}
	return g, true
}

// endsOnChange reports whether a step of the job, before the one that asks for a label,
// ends the job when the code of the pull request has changed.
func (a *asker) endsOnChange() bool {
	key := enderKey{a.e, a.j}
	end, known := a.x.ways.changeEnds[key]
	if !known {
		end = a.changeEnd()
		if a.x.ways.changeEnds == nil {
			a.x.ways.changeEnds = make(map[enderKey]changeEnd)
		}
		a.x.ways.changeEnds[key] = end
	}
	return end.ends && (a.step < 0 || end.step < a.step)
}

// changeEnd is the first step of a job that may end it since the code has changed.
type changeEnd struct {
	step int
	ends bool
}

func (a *asker) changeEnd() changeEnd {
	for i := range a.j.Steps {
		s := &a.j.Steps[i]
		if !strings.Contains(s.If.Value, "synchronize") || strings.TrimSpace(s.ContinueOnError.Get().Value) == "true" {
			continue
		}
		if c := a.x.check(s); !c.ends || !c.always {
			continue
		}
		c := a.x.condition(s.If.Value)
		if c == nil {
			continue
		}
		for action, want := range map[string]bool{"synchronize": true, "labeled": false} {
			env := a.e.Env.over()
			env.Set("github.event.action", String(action))
			if (c.Template.Evaluate(env).Truth() != False) != want {
				return changeEnd{i, false}
			}
		}
		return changeEnd{i, true}
	}
	return changeEnd{}
}

// labeler reports whether a workflow gives the label by the files that a pull request
// changes, so that anyone can have it.
func (x *Project) labeler(label string) bool {
	if len(label) < 2 {
		return false
	}
	if x.ways.labels == nil {
		var b strings.Builder
		for _, name := range []string{".github/labeler.yml", ".github/labeler.yaml"} {
			if text, ok := x.File(name); ok {
				b.WriteString("\n")
				b.Write(text)
			}
		}
		s := b.String()
		x.ways.labels = &s
	}
	s := *x.ways.labels
	return s != "" && (strings.Contains(s, "\n"+label+":") || strings.Contains(s, "\n'"+label+"':") || strings.Contains(s, "\n\""+label+"\":"))
}

// templateFolders hold the templates of issues. What an organisation has for all its
// repositories counts only where a repository has none of its own.
// https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests
var templateFolders = []string{".github/ISSUE_TEMPLATE", ".github/issue_template", "ISSUE_TEMPLATE", "docs/ISSUE_TEMPLATE"}

// maxTemplates bounds how many templates are read.
const maxTemplates = 100

// templateGives reports whether a template gives an issue one of the labels: False if
// there are templates, and none does.
func (x *Project) templateGives(labels []string) Truth {
	if x.ways.templates == nil {
		x.ways.templates = x.readTemplates()
	}
	if len(x.ways.templates) == 0 || len(labels) == 0 {
		return Undecided
	}
	answer := False
	for _, given := range x.ways.templates {
		switch {
		case given == unreadLabels:
			answer = Undecided
		case given != "" && slices.ContainsFunc(labels, func(l string) bool { return strings.Contains(strings.ToLower(l), given) }):
			return True
		}
	}
	return answer
}

// unreadLabels stands for labels of a template that cannot be read.
const unreadLabels = "*"

// readTemplates are the labels that templates give, in lower case; an empty one for a
// template that gives none.
func (x *Project) readTemplates() []string {
	out := []string{}
	read := 0
	for _, dir := range templateFolders {
		for _, name := range x.below(dir) {
			base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
			form := strings.HasSuffix(base, ".yml") || strings.HasSuffix(base, ".yaml")
			if !form && !strings.HasSuffix(base, ".md") || strings.HasPrefix(base, "config.y") {
				continue
			}
			if read++; read > maxTemplates {
				return append(out, unreadLabels)
			}
			text, ok := x.File(name)
			if !ok {
				out = append(out, unreadLabels)
				continue
			}
			out = append(append(out, ""), templateLabels(string(text), form)...)
		}
	}
	return out
}

// templateLabels are the labels of one template: a form, or Markdown with a head of YAML.
func templateLabels(text string, form bool) []string {
	if !form {
		rest, ok := strings.CutPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "---\n")
		if !ok {
			return nil
		}
		text, _, _ = strings.Cut(rest, "\n---")
	}
	var out []string
	add := func(s string) {
		s, _, _ = strings.Cut(s, " #")
		for label := range strings.SplitSeq(strings.Trim(strings.TrimSpace(s), "[]"), ",") {
			label = strings.TrimSpace(strings.Trim(strings.TrimSpace(label), `'"`))
			switch {
			case label == "":
			case strings.ContainsAny(label[:1], "*&|>{"):
				out = append(out, unreadLabels)
			case len(out) < maxTemplates:
				out = append(out, strings.ToLower(label))
			}
		}
	}
	within := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "labels:"); ok {
			add(rest)
			within = true
			continue
		}
		item := strings.TrimSpace(line)
		switch {
		case item == "" || item[0] == '#':
		case !within:
		case strings.HasPrefix(item, "- "):
			add(item[2:])
		case line[0] == ' ' || item == "]" || item == "[":
			add(item) // of a list in brackets over several lines
		default:
			within = false
		}
	}
	return out
}

// outsiderWords begin words of outputs that say of a person that it is a stranger.
var outsiderWords = []string{"external", "outsider", "untrusted", "stranger"}

// result judges a condition about what a step or a needed job found out.
func (a *asker) result(n *ExprNode, path string, want, asks bool) (Truth, []Gate) {
	segments := splitPath(path)
	if len(segments) < 3 {
		return Undecided, nil
	}
	told := asks // the answer is wanted to be a yes
	if beginsWith(segments[len(segments)-1], outsiderWords) {
		told = !asks
	}
	if segments[2] == "outputs" && strings.Contains(segments[len(segments)-1], "association") && want {
		// An action has looked up the association.
		if list := strings.ToUpper(strings.Join(texts(n), " ")); hasAny(list, "OWNER", "MEMBER", "COLLABORATOR") && (n.Kind != ExprCompare || n.Name == "==") {
			g := a.named(Gate{Place: a.where(n), Once: a.e.changing()}, GuardAssociation, "only for some associations of the author ("+clip(strings.Join(texts(n), ", "))+")")
			if hasAny(list, "CONTRIBUTOR", "FIRST_TIME", "NONE") {
				g.Weakness = "contributors pass: one merged typo fix is enough"
			} else {
				g.Stops = true
			}
			return Undecided, []Gate{g}
		}
	}
	if answered, yes := a.noFalse(n, segments, want); answered {
		// Of an answer that is always there, what is no false is a true.
		asks, told = yes, yes != beginsWith(segments[len(segments)-1], outsiderWords)
	}
	if segments[0] == "needs" {
		j := a.x.jobOf(a.p, segments[1])
		if j == nil || j == a.j {
			return Undecided, nil
		}
		return a.jobResult(n, j, segments, want, asks, told)
	}
	if i := a.x.stepOf(a.j, segments[1]); i >= 0 && (a.step < 0 || i < a.step) {
		return a.stepResult(n, a.j, i, segments[2:], asks, told)
	}
	return Undecided, nil
}

// noFalse reports whether a node, wanted so, asks for an answer that is not false, where
// the step that gives it always says true or false, and runs whenever the node is asked.
func (a *asker) noFalse(n *ExprNode, segments []string, want bool) (answered, yes bool) {
	if n.Kind != ExprCompare || n.Name != "==" && n.Name != "!=" || want != (n.Name == "!=") || !slices.Equal(lowered(texts(n)), []string{"false"}) {
		return false, false
	}
	if len(segments) < 4 || segments[2] != "outputs" {
		return false, false
	}
	j, i, output := a.j, -1, segments[3]
	if segments[0] == "needs" {
		if j = a.x.jobOf(a.p, segments[1]); j == nil || j == a.j {
			return false, false
		}
		if c := a.x.condition(a.j.If.Value); a.j.If.IsSet() && (c == nil || !c.Implied && !requiresSuccess(c)) {
			return false, false // it runs all the same when that job was skipped
		}
		paths := ParseTemplate(j.Outputs.Get(output).Text.Value).Paths()
		if len(paths) != 1 {
			return false, false
		}
		s := splitPath(paths[0].Name)
		if len(s) != 4 || s[0] != "steps" || s[2] != "outputs" {
			return false, false
		}
		i, output = a.x.stepOf(j, s[1]), s[3]
	} else if i = a.x.stepOf(j, segments[1]); a.step >= 0 && i >= a.step {
		return false, false
	}
	if i < 0 || j.Steps[i].If.IsSet() || !a.x.alwaysAnswers(&j.Steps[i], output) {
		return false, false
	}
	return true, true
}

// jobResult is result for a needed job.
func (a *asker) jobResult(n *ExprNode, j *Job, segments []string, want, asks, told bool) (Truth, []Gate) {
	ran, ended := asks && segments[2] == "outputs", asks && segments[2] == "outputs"
	if segments[2] == "result" {
		ran, ended = asksResult(n, want)
	}
	wanted := ran
	truth, gates := Undecided, []Gate(nil)
	if ran {
		// The job must have run, and perhaps to its end.
		t, g := a.x.jobReach(a.p, a.e, j)
		if t == False {
			return False, g
		}
		gates = append(gates, g...)
	}
	if ended {
		t, g := a.x.endersBefore(a.p, a.e, j, len(j.Steps))
		if t == False {
			return False, g
		}
		gates = append(gates, g...)
	}
	if segments[2] != "outputs" || len(segments) < 4 {
		return truth, gates
	}
	out := j.Outputs.Get(segments[3]).Text
	for _, path := range ParseTemplate(out.Value).Paths() {
		s := splitPath(path.Name)
		if len(s) < 3 || s[0] != "steps" {
			continue
		}
		if i := a.x.stepOf(j, s[1]); i >= 0 {
			t, g := a.stepResult(n, j, i, s[2:], asks, told)
			if t == False {
				return False, g
			}
			gates = append(gates, g...)
		}
	}
	if called := a.x.Workflow(j.Uses); called != nil && a.depth < maxEnvLevels {
		for i, path := range ParseTemplate(outputOf(called, segments[3]).Value).Paths() {
			s := splitPath(path.Name)
			if i == 16 {
				break
			}
			if len(s) != 4 || s[0] != "jobs" {
				continue
			}
			inner := a.x.jobOf(called, s[1])
			if inner == nil {
				continue
			}
			b := &asker{x: a.x, p: called, e: a.e, j: &Job{}, step: -1, depth: a.depth + 1, env: a.env, work: a.work}
			t, g := b.jobResult(n, inner, s, want, asks, told)
			for i := range g {
				g[i].Place = a.where(n)
			}
			if t == False {
				return False, g
			}
			gates = append(gates, g...)
		}
	}
	// An output made of a condition: outputs.ok is ${{ contains(...) }}.
	if t := ParseTemplate(out.Value); wanted && len(t.Parts) == 1 && t.Parts[0].IsExpression && t.Parts[0].Err == nil && logical(t.Parts[0].Expression.Root) && a.depth < maxEnvLevels {
		b := &asker{x: a.x, p: a.p, e: a.e, j: j, step: len(j.Steps) - 1, depth: a.depth + 1, env: a.env, text: out, base: t.Parts[0].Inner, work: a.work}
		if b.step < 0 {
			return truth, gates
		}
		if v, g := b.ask(t.Parts[0].Expression.Root, !slices.Contains(lowered(texts(n)), "false")); v == False {
			return False, g
		} else {
			gates = append(gates, g...)
		}
	}
	return truth, gates
}

// asksResult says whether a comparison of a job's result asks for the job to have run,
// and to have ended well.
func asksResult(n *ExprNode, want bool) (ran, ended bool) {
	if n.Kind != ExprCompare || n.Name != "==" && n.Name != "!=" {
		return false, false
	}
	list := lowered(texts(n))
	if want == (n.Name == "==") {
		ended = slices.Contains(list, "success")
		return ended || slices.Contains(list, "failure"), ended
	}
	return slices.Contains(list, "skipped"), false
}

// stepResult is result for a step.
func (a *asker) stepResult(n *ExprNode, j *Job, i int, member []string, asks, told bool) (Truth, []Gate) {
	s := &j.Steps[i]
	c := a.x.check(s)
	var gates []Gate
	if c.kind != "" && told && (asks || !s.If.IsSet()) && (member[0] != "outputs" || len(member) < 2 || c.tells(s, member[1])) {
		g := c.gate(a.p, a.e, s)
		g.Place = a.where(n)
		gates = append(gates, g)
	}
	if asks && s.If.IsSet() && a.depth < maxEnvLevels {
		// Without the step there is no output.
		b := &asker{x: a.x, p: a.p, e: a.e, j: j, step: i, depth: a.depth + 1}
		t, g := b.condition(s.If, true)
		if t == False {
			return False, g
		}
		gates = append(gates, g...)
	}
	return Undecided, gates
}

// place of a check is its step.
func stepPlace(p *Pipeline, s *Step) Place {
	switch {
	case s.Uses.IsSet():
		return placed(p, s.Uses.Span)
	case s.Run.IsSet():
		return placed(p, penstock.Span{Start: s.Run.Key.Start, End: max(s.Run.Key.End, s.Run.Key.Start)})
	}
	return placed(p, s.Span)
}
