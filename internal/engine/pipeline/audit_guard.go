package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// guardAudits are the audits of what keeps people out, or seems to.
func guardAudits() []audit {
	return []audit{auditGates, auditConditions, auditCheckouts, auditCacheMode, auditTriggers, auditEnvironments}
}

// worthy is the weight above which a prize makes a weak guard an opening.
const worthy = 60

// flaws collects findings, of which one place has one per rule: the gravest.
type flaws struct {
	order []*Flaw
	at    map[flawKey]*Flaw
}

type flawKey struct {
	rule string
	Place
}

func (f *flaws) add(flaw Flaw) {
	key := flawKey{flaw.Rule, flaw.Place}
	if f.at == nil {
		f.at = make(map[flawKey]*Flaw)
	}
	old := f.at[key]
	if old == nil {
		f.at[key] = &flaw
		f.order = append(f.order, &flaw)
		return
	}
	for _, event := range flaw.Events {
		if !slices.Contains(old.Events, event) {
			old.Events = append(old.Events, event)
		}
	}
	if old.Tier == penstock.TierHygiene && flaw.Tier != penstock.TierHygiene {
		flaw.Events = old.Events
		*old = flaw
	}
}

func (f *flaws) report(report func(Flaw)) {
	for _, flaw := range f.order {
		if flaw.Tier == penstock.TierHygiene {
			flaw.Actor, flaw.Events = ActorUnset, nil
		}
		report(*flaw)
	}
}

// outsiders calls do for every way by which someone without rights gets a job to run
// with rights of the repository.
func (x *Project) outsiders(p *Pipeline, do func(e *Entry, j *Job, truth Truth, gates []Gate)) {
	if p.Forge != GitHub || p.Kind != KindWorkflow {
		return
	}
	entries := x.Entries(p)
	for i := range entries {
		e := &entries[i]
		if !e.Outsider() || e.Own {
			continue
		}
		for k := range p.Jobs {
			j := &p.Jobs[k]
			if truth, gates := x.Reach(p, e, j); truth != False {
				do(e, j, truth, gates)
			}
		}
	}
}

// spoils are the prizes of a job that are worth an attack, and that its n-th step has
// if n is not -1.
func (x *Project) spoils(p *Pipeline, e *Entry, j *Job, n int) []Prize {
	return slices.DeleteFunc(x.Prizes(p, e, j), func(q Prize) bool {
		return q.Weight <= worthy || q.Setting || n >= 0 && q.Step >= 0 && q.Step != n
	})
}

// reaches names the best prizes.
func reaches(prizes []Prize) []string {
	var out []string
	for _, q := range prizes {
		if len(out) < 3 && !slices.Contains(out, q.Text) {
			out = append(out, q.Text)
		}
	}
	return out
}

// prizeHops are the places of the best prizes.
func prizeHops(prizes []Prize) []Hop {
	var out []Hop
	for _, q := range prizes[:min(len(prizes), 3)] {
		out = append(out, Hop{Place: q.Place, Text: q.Text, Row: q.Row})
	}
	return out
}

// mergeWords are what steps do that merge or approve.
var mergeWords = []string{"gh pr merge", "gh pr review", "pulls.merge", "createReview", "enablePullRequestAutoMerge", "automerge", "auto-merge", "auto-approve", "/merge -", "merge-dependabot"}

// fetchWords are what steps do that bring the outsider's code or files into the job.
var fetchWords = []string{"gh pr checkout", "refs/pull/", "pull/${{", "gh run download", "download-artifact", "/head:"}

// touches says what the steps of a job, from the n-th on, do with something that the
// outsider controls; empty for nothing that is seen.
func (x *Project) touches(e *Entry, j *Job, n int) string {
	found := ""
	look := func(t Text) {
		if found != "" || !t.IsSet() {
			return
		}
		switch {
		case hasAny(t.Value, mergeWords...):
			found = "merges or approves a pull request"
		case hasAny(t.Value, fetchWords...):
			found = "fetches what a pull request made"
		case len(t.Parts) > 0:
			for _, path := range ParseTemplate(t.Value).Paths() {
				c, ok := ControlOf(path.Name, e.Event)
				if !ok || c.Actor > ActorReturning || c.After != "" || c.Whole {
					continue
				}
				if c.Shape.Injects() && !c.Guessed {
					found = "uses " + c.Shape.String() + " that an outsider writes"
				} else if c.Code && (strings.HasSuffix(path.Name, "sha") || strings.HasSuffix(path.Name, "ref") || strings.HasSuffix(path.Name, "full_name")) {
					found = "fetches the code of a pull request"
				}
			}
		}
	}
	if j.Uses.IsSet() {
		j.With.Texts(look)
	}
	for i := max(n, 0); i < len(j.Steps); i++ {
		s := &j.Steps[i]
		look(s.Run.Text)
		look(s.Uses.Text)
		s.With.Texts(look)
		s.Env.Texts(look)
		if n >= 0 && found == "" && i == n && !s.Uses.IsSet() {
			break // the step alone is guarded, and does nothing of the kind
		}
	}
	return found
}

// gateRules are the rules about gates that do not hold.
var gateRules = map[GuardKind]struct{ rule, message string }{
	GuardActor:       {"spoofable-actor", "This condition is to keep strangers out, and does not: %s."},
	GuardAssociation: {"association-gate", "This condition lets people without rights through: %s."},
	GuardLabel:       {"label-gate", "This label does not approve what runs: %s."},
	GuardRef:         {"spoofable-branch", "This condition looks at a name that an outsider chooses: %s."},
	GuardApproval:    {"review-gate", "This review is no approval: %s."},
}

// auditGates reports gates that do not hold.
func auditGates(x *Project, p *Pipeline, report func(Flaw)) {
	var found flaws
	// Several gates in a row are about the same step.
	var last struct {
		e      *Entry
		j      *Job
		n      int
		does   string
		prizes []Prize
		asked  bool // prizes are there
	}
	behind := func(e *Entry, j *Job, n int) string {
		if last.e != e || last.j != j || last.n != n {
			last.e, last.j, last.n, last.does, last.prizes, last.asked = e, j, n, x.touches(e, j, n), nil, false
		}
		return last.does
	}
	gate := func(e *Entry, j *Job, n int, g Gate, all []Gate) {
		rule, ok := gateRules[g.Kind]
		if !ok || g.Weakness == "" || g.Stops || g.Path != p.Path {
			return
		}
		flaw := Flaw{
			Rule: rule.rule, Tier: penstock.TierHygiene, Place: g.Place, Message: fmt.Sprintf(rule.message, g.Weakness), Scope: scopeOf(j, n),
			Actor: e.Actor, Events: []string{e.Event},
		}
		if g.Kind == GuardActor && g.Weakness == weakContains && strings.Contains(j.If.Value+stepIf(j, n), "contains('") {
			return // unsound-contains reports it
		}
		if g.Kind == GuardLabel && behind(e, j, n) == "" {
			return // labels sort issues more often than they approve
		}
		if Open(all) {
			does := behind(e, j, n)
			if !last.asked {
				last.prizes, last.asked = x.spoils(p, e, j, n), true
			}
			prizes := last.prizes
			if len(prizes) == 0 && strings.HasPrefix(does, "merges") {
				// What merges has a token that writes, whatever the setting is.
				prizes = slices.DeleteFunc(x.Prizes(p, e, j), func(q Prize) bool { return q.Kind != PrizeMerge })
			}
			if len(prizes) > 0 && does != "" {
				flaw.Tier = penstock.TierExploitable
				flaw.Reaches, flaw.Related = reaches(prizes), prizeHops(prizes)
				flaw.Notes = []string{"what stands behind it " + does}
				flaw.Trace = append(x.start(p, e), Hop{Place: g.Place, Text: "the condition passes: " + g.Weakness, Row: g.Row})
			}
		}
		found.add(flaw)
	}
	x.outsiders(p, func(e *Entry, j *Job, _ Truth, gates []Gate) {
		for _, g := range gates {
			gate(e, j, -1, g, gates)
			if g.Kind == GuardEvent && g.Weakness != "" && g.Path == p.Path {
				if flaw, ok := x.conclusionOnly(p, e, j, g, gates); ok {
					found.add(flaw)
				}
			}
		}
		for n := range j.Steps {
			if !j.Steps[n].If.IsSet() {
				continue
			}
			truth, own := x.StepReach(p, e, j, n)
			if truth == False {
				continue
			}
			for _, g := range own {
				gate(e, j, n, g, append(slices.Clone(gates), own...))
			}
		}
	})
	found.report(report)
}

// ownDefinition reports whether a rule is about runs of a stranger's own definition, which
// asks nobody.
func ownDefinition(rule string) bool {
	return rule == "self-hosted-runner-exposed" || rule == "secrets-on-untrusted-code" || rule == "untrusted-definition"
}

// openGates raises gates that do not hold to exploitable where a way to harm leads through
// them, and adds those that no audit of the definition alone has seen: whatever the words
// behind a gate, what was followed through it counts.
func (x *Project) openGates(flaws []Flaw) []Flaw {
	at := make(map[flawKey]int)
	for i := range flaws {
		key := flawKey{flaws[i].Rule, flaws[i].Place}
		if _, twice := at[key]; !twice {
			at[key] = i
		}
	}
	for i, n := 0, len(flaws); i < n; i++ {
		harm := flaws[i]
		if harm.tier() == penstock.TierHygiene || ownDefinition(harm.Rule) {
			continue
		}
		for k, h := range harm.Trace {
			rule, ok := gateRules[h.Weak] // how another run ends is asked everywhere, and for no one's rights
			_, weakness, found := strings.Cut(h.Text, doesNotHold)
			if !ok || !found || weakness == weakContains {
				continue
			}
			if h.Weak == GuardLabel && !slices.ContainsFunc(harm.Events, func(e string) bool { return strings.HasPrefix(e, "pull_request") }) {
				continue // labels sort issues more often than they approve
			}
			flaw := Flaw{Rule: rule.rule, Place: h.Place, Message: fmt.Sprintf(rule.message, weakness)}
			flaw.Scope, _, _ = strings.Cut(harm.Scope, ",")
			key := flawKey{flaw.Rule, flaw.Place}
			old, known := at[key]
			if known {
				if flaws[old].tier() != penstock.TierHygiene {
					continue
				}
				flaw = flaws[old]
			}
			flaw.Tier, flaw.Actor, flaw.Events, flaw.Reaches = penstock.TierExploitable, harm.Actor, harm.Events, harm.Reaches
			flaw.Notes = append(slices.Clone(flaw.Notes), "the way of "+harm.Rule+" leads through it")
			flaw.Trace = append(slices.Clone(harm.Trace[:k]), Hop{Place: h.Place, Text: "the condition passes: " + weakness, Row: h.Row}, Hop{Place: harm.Place, Text: "behind it: " + harm.Message})
			if known {
				flaws[old] = flaw
			} else {
				at[key] = len(flaws)
				flaws = append(flaws, flaw)
			}
		}
	}
	return flaws
}

// harm is where ways to harm lead through.
type harm struct {
	places map[Place]bool
	scopes map[harmScope]bool
}

type harmScope struct{ path, job string }

func newHarm() harm { return harm{make(map[Place]bool), make(map[harmScope]bool)} }

// add notes where a flaw does harm, if it does.
func (h harm) add(f *Flaw) {
	if f.tier() == penstock.TierHygiene || idleGate(f) || ownDefinition(f.Rule) {
		return
	}
	job, _, _ := strings.Cut(f.Scope, ",")
	h.scopes[harmScope{f.Path, job}] = true
	for _, hop := range f.Trace {
		h.places[hop.Place] = true
	}
}

// idleGate reports whether a flaw is one of a gate, which needs harm behind it.
func idleGate(f *Flaw) bool {
	switch f.Rule {
	case "spoofable-actor", "association-gate", "label-gate":
		return f.Tier == penstock.TierExploitable
	}
	return false
}

// behind are the jobs of a definition, by their scope, in which harm is done, or in one
// that needs them.
func (h harm) behind(p *Pipeline) map[string]bool {
	byID := make(map[string][]*Job, len(p.Jobs))
	var todo []*Job
	for i := range p.Jobs {
		j := &p.Jobs[i]
		byID[strings.ToLower(j.ID.Value)] = append(byID[strings.ToLower(j.ID.Value)], j)
		if h.scopes[harmScope{p.Path, scopeOf(j, -1)}] || h.places[placed(p, j.ID.Span)] || j.Uses.IsSet() && h.places[placed(p, j.Uses.Span)] {
			todo = append(todo, j)
		}
	}
	done := make(map[*Job]bool)
	out := make(map[string]bool)
	for len(todo) > 0 {
		j := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if done[j] {
			continue
		}
		done[j] = true
		out[scopeOf(j, -1)] = true
		for _, n := range j.Needs {
			id := strings.ToLower(n.Value)
			todo = append(todo, byID[id]...)
			delete(byID, id) // each is taken once
		}
	}
	return out
}

// idleGates makes hygiene of gates that do not hold where nothing behind them, in the job
// or one that needs it, was found to do harm. More is the harm that flaws do which are
// not among these.
func (x *Project) idleGates(flaws []Flaw, more harm) {
	if !slices.ContainsFunc(flaws, func(f Flaw) bool { return idleGate(&f) }) {
		return
	}
	for i := range flaws {
		more.add(&flaws[i])
	}
	behind := make(map[*Pipeline]map[string]bool)
	for i := range flaws {
		f := &flaws[i]
		p := x.byPath[f.Path]
		if p == nil || !idleGate(f) {
			continue
		}
		if behind[p] == nil {
			behind[p] = more.behind(p)
		}
		if name, _, _ := strings.Cut(f.Scope, ","); !behind[p][name] {
			f.Tier, f.Actor, f.Events, f.Reaches = penstock.TierHygiene, ActorUnset, nil, nil
		}
	}
}

// stepIf is the condition of a step, empty for none.
func stepIf(j *Job, n int) string {
	if n < 0 {
		return ""
	}
	return j.Steps[n].If.Value
}

// start is the first step of a way: the event, and what leads from it to here.
func (x *Project) start(p *Pipeline, e *Entry) []Hop {
	text := e.Actor.String() + " causes " + e.Event
	if e.Origin == OriginFork {
		text += " from a fork"
	}
	hop := Hop{Text: text, Place: placed(p, p.OnSpan)}
	if e.Trigger != nil {
		hop.Place = placed(p, e.Trigger.Event.Span)
	}
	if len(e.Rows) > 0 {
		hop.Row = &e.Rows[0]
	}
	return append(slices.Clone(e.Via), hop)
}

// scopeOf names a job, or a step of it.
func scopeOf(j *Job, n int) string {
	if n < 0 {
		return "job " + clip(j.ID.Value)
	}
	return fmt.Sprintf("job %s, step %d", clip(j.ID.Value), n+1)
}

// conclusionOnly judges a job that trusts another run because it succeeded.
func (x *Project) conclusionOnly(p *Pipeline, e *Entry, j *Job, g Gate, gates []Gate) (Flaw, bool) {
	if e.Origin != OriginFork || !Open(gates) || !strings.Contains(j.If.Value, "success") {
		return Flaw{}, false
	}
	does, code := "", false
	for i := range j.Steps {
		s := &j.Steps[i]
		if at, ok := outsideCode(s, e.Event); ok && at.End > 0 && isCheckout(s.Uses) {
			code = true
		}
		text := func(t Text) {
			if does == "" && t.IsSet() && hasAny(t.Value, "workflow_run.head_sha", "workflow_run.head_branch", "workflow_run.id", "gh run download", "download-artifact", "head_repository") {
				does = "it goes on with what that run, or its pull request, made"
			}
		}
		text(s.Run.Text)
		text(s.Uses.Text)
		s.With.Texts(text)
		s.Env.Texts(text)
	}
	if does == "" {
		return Flaw{}, false
	}
	flaw := Flaw{
		Rule: "conclusion-only-gate", Tier: penstock.TierHygiene, Place: g.Place, Scope: scopeOf(j, -1), Actor: e.Actor, Events: []string{e.Event},
		Message: "The job trusts the other run because it ended well, but pull requests from forks make runs that do, too.", Notes: []string{does},
	}
	// What artifacts do is for those to judge who follow them.
	if prizes := x.spoils(p, e, j, -1); code && len(prizes) > 0 {
		flaw.Tier = penstock.TierExploitable
		flaw.Reaches, flaw.Related = reaches(prizes), prizeHops(prizes)
		flaw.Trace = append(x.start(p, e), Hop{Place: g.Place, Text: "the run of the fork's pull request ends well, and the condition passes"})
	}
	return flaw, true
}

// conditions calls do for every if of a workflow or action. Step is -1 for a job's,
// and the job is nil in an action.
func conditions(p *Pipeline, do func(j *Job, n int, text Text)) {
	for k := range p.Jobs {
		j := &p.Jobs[k]
		if j.If.IsSet() {
			do(j, -1, j.If)
		}
		for n := range j.Steps {
			if t := j.Steps[n].If; t.IsSet() {
				do(j, n, t)
			}
		}
	}
	if p.Action != nil {
		for n := range p.Action.Steps {
			if t := p.Action.Steps[n].If; t.IsSet() {
				do(nil, n, t)
			}
		}
	}
}

// auditConditions reports conditions that do not mean what they seem to say.
func auditConditions(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub {
		return
	}
	conditions(p, func(j *Job, n int, text Text) {
		c := x.condition(text.Value)
		if c == nil {
			return
		}
		scope := fmt.Sprintf("step %d", n+1)
		if j != nil {
			scope = scopeOf(j, n)
		}
		if trap, ok := c.AlwaysTrue(); ok {
			flaw := Flaw{
				Rule: "always-true-condition", Tier: penstock.TierHygiene, Place: placed(p, text.At(int(trap.Span.Start), int(trap.Span.End))), Scope: scope,
				Message: "This condition is always true: " + trap.Reason + ".",
			}
			if trap.Kind == TrapText {
				flaw.Span = text.Span
			}
			x.defeats(p, j, n, &flaw, func(e *Entry) bool { return meantToStop(c, e.Env) })
			report(flaw)
		}
		if !strings.Contains(text.Value, "contains") && !strings.Contains(text.Value, "Contains") {
			return
		}
		for _, trap := range c.Template.Traps() {
			if trap.Kind != TrapContains {
				continue
			}
			flaw := Flaw{
				Rule: "unsound-contains", Tier: penstock.TierHygiene, Place: placed(p, text.At(int(trap.Span.Start), int(trap.Span.End))), Scope: scope,
				Message: "This looks for a part of a text where an item of a list is meant: " + trap.Reason + ".",
			}
			x.defeats(p, j, n, &flaw, func(e *Entry) bool {
				control, ok := ControlOf(trap.Path, e.Event)
				if !ok || control.Actor > ActorReturning || control.After != "" || !control.Shape.Injects() && control.Shape != ShapeSlug {
					return false
				}
				for _, part := range c.Template.Parts {
					if part.IsExpression && part.Expression.Root != nil {
						return part.Expression.Evaluate(e.Env).Truth() != False
					}
				}
				return false
			})
			report(flaw)
		}
	})
	everyText(p, func(t Text) {
		if !strings.Contains(t.Value, "&&") || !strings.Contains(t.Value, "||") {
			return
		}
		template := ParseTemplate(t.Value)
		if !template.HasExpression() {
			c := x.condition(t.Value)
			if c == nil || len(t.Parts) == 0 {
				return
			}
			template = c.Template
		}
		for _, trap := range template.Traps() {
			if trap.Kind == TrapTernary {
				report(Flaw{
					Rule: "unsound-ternary", Tier: penstock.TierHygiene, Place: placed(p, t.At(int(trap.Span.Start), int(trap.Span.End))),
					Message: "This choice never gives its first value: " + trap.Reason + ".",
				})
			}
		}
	})
}

// meantToStop reports whether a condition that is always true would keep an outsider
// out if it were written as it is meant.
func meantToStop(c *Condition, env *Environment) bool {
	parts := c.Template.Parts
	if len(parts) > 1 {
		found := false
		for _, part := range parts {
			if part.IsExpression && part.Expression.Root != nil {
				if part.Expression.Evaluate(env).Truth() != False {
					return false
				}
				found = true
			}
		}
		return found
	}
	if len(parts) == 0 || parts[0].Expression.Root == nil || parts[0].Expression.Root.Kind != ExprOr {
		return false
	}
	found := false
	for _, arg := range parts[0].Expression.Root.Args {
		if arg.Kind == ExprLiteral {
			continue
		}
		if (Expression{Root: arg}).Evaluate(env).Truth() != False {
			return false
		}
		found = true
	}
	return found
}

// defeats raises a flaw of a condition for what an outsider gets by it.
func (x *Project) defeats(p *Pipeline, job *Job, n int, flaw *Flaw, stops func(e *Entry) bool) {
	if job == nil {
		return
	}
	x.outsiders(p, func(e *Entry, j *Job, _ Truth, gates []Gate) {
		if j != job || flaw.Tier != penstock.TierHygiene || !Open(gates) || !stops(e) {
			return
		}
		if n >= 0 {
			if truth, own := x.StepReach(p, e, j, n); truth == False || !Open(own) {
				return
			}
		}
		prizes := x.spoils(p, e, j, n)
		does := x.touches(e, j, n)
		if len(prizes) == 0 || does == "" {
			return
		}
		flaw.Tier, flaw.Actor, flaw.Events = penstock.TierExploitable, e.Actor, []string{e.Event}
		flaw.Reaches, flaw.Related = reaches(prizes), prizeHops(prizes)
		flaw.Notes = append(flaw.Notes, "what stands behind it "+does)
		flaw.Trace = append(x.start(p, e), Hop{Place: flaw.Place, Text: "the condition, which is to keep outsiders out, passes"})
	})
}

// everyText calls do for the texts of a definition in which expressions stand.
func everyText(p *Pipeline, do func(Text)) {
	p.Env.Texts(do)
	do(p.RunName)
	do(p.Concurrency.Group)
	do(p.Concurrency.CancelInProgress)
	steps := func(steps []Step) {
		for i := range steps {
			s := &steps[i]
			do(s.Run.Text)
			do(s.If)
			do(s.Name)
			s.With.Texts(do)
			s.Env.Texts(do)
			do(*s.ContinueOnError.Get())
		}
	}
	for k := range p.Jobs {
		j := &p.Jobs[k]
		do(j.If)
		do(j.Name)
		for _, l := range j.RunsOn.Labels {
			do(l)
		}
		do(j.RunsOn.Group)
		j.Env.Texts(do)
		j.Outputs.Texts(do)
		j.Strategy.Get().Matrix.Texts(do)
		do(j.Environment.Get().Name)
		do(j.Environment.Get().URL)
		do(j.Container.Get().Image)
		do(j.Concurrency.Get().Group)
		do(j.Concurrency.Get().CancelInProgress)
		do(*j.Timeout.Get())
		do(*j.ContinueOnError.Get())
		j.With.Texts(do)
		j.Secrets.Get().Texts(do)
		steps(j.Steps)
	}
	for _, o := range p.Outputs {
		do(o.Value)
	}
	if p.Action != nil {
		steps(p.Action.Steps)
	}
}

// outsideCode is where a checkout names code that an outsider chooses.
func outsideCode(s *Step, event string) (Place, bool) {
	for _, input := range []string{"ref", "repository"} {
		t := s.With.Get(input).Text
		if strings.Contains(t.Value, "refs/pull/") {
			return Place{Span: t.Span}, true
		}
		if len(t.Parts) == 0 {
			continue
		}
		for _, path := range ParseTemplate(t.Value).Paths() {
			if c, ok := ControlOf(path.Name, event); ok && c.Code && c.Actor <= ActorReturning {
				return Place{Span: t.Span}, true
			}
		}
	}
	return Place{}, false
}

func isCheckout(u Use) bool {
	return u.Kind == UseRemote && strings.EqualFold(u.Owner, "actions") && strings.EqualFold(u.Repo, "checkout")
}

// auditCheckouts reports checkouts whose guard is turned off.
func auditCheckouts(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub {
		return
	}
	check := func(j *Job, s *Step, n int) {
		off := s.With.Get("allow-unsafe-pr-checkout").Text
		if !isCheckout(s.Uses) || !strings.EqualFold(strings.TrimSpace(off.Value), "true") {
			return
		}
		flaw := Flaw{
			Rule: "unsafe-pr-checkout", Tier: penstock.TierHygiene, Place: placed(p, off.Span), Scope: fmt.Sprintf("step %d", n+1),
			Message: "The guard of actions/checkout against the code of forks is turned off.",
		}
		if j != nil {
			flaw.Scope = scopeOf(j, n)
			x.outsiders(p, func(e *Entry, k *Job, _ Truth, gates []Gate) {
				at, outside := outsideCode(s, e.Event)
				if k != j || flaw.Tier != penstock.TierHygiene || !outside || !Open(gates) || e.Event != "pull_request_target" && e.Event != "workflow_run" {
					return
				}
				if truth, own := x.StepReach(p, e, j, n); truth == False || !Open(own) {
					return
				}
				prizes := x.spoils(p, e, j, -1)
				if len(prizes) == 0 {
					return
				}
				_, row := x.View(GitHub).CheckoutGuard(s.Uses.Ref, e.Event)
				flaw.Tier, flaw.Actor, flaw.Events = penstock.TierExploitable, e.Actor, []string{e.Event}
				flaw.Reaches, flaw.Related = reaches(prizes), prizeHops(prizes)
				flaw.Trace = append(x.start(p, e), Hop{Place: Place{p.Path, at.Span}, Text: "the code of the pull request is checked out, since the guard is off", Row: &row})
			})
		}
		report(flaw)
	}
	for k := range p.Jobs {
		for n := range p.Jobs[k].Steps {
			check(&p.Jobs[k], &p.Jobs[k].Steps[n], n)
		}
	}
	if p.Action != nil {
		for n := range p.Action.Steps {
			check(nil, &p.Action.Steps[n], n)
		}
	}
}

// auditCacheMode reports that runs which outsiders cause may save caches since the
// workflow says so.
func auditCacheMode(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub || p.Kind != KindWorkflow {
		return
	}
	view := x.View(GitHub)
	var found flaws
	x.outsiders(p, func(e *Entry, j *Job, _ Truth, gates []Gate) {
		mode := j.CacheMode
		if !mode.IsSet() {
			mode = p.CacheMode
		}
		value := strings.TrimSpace(mode.Value)
		if value != "write" && value != "write-only" || !Open(gates) {
			return
		}
		before, _ := view.CacheWrite(e.Event, e.Origin, "")
		after, row := view.CacheWrite(e.Event, e.Origin, value)
		if before || !after {
			return
		}
		flaw := Flaw{
			Rule: "cache-mode-write", Tier: penstock.TierHygiene, Place: placed(p, mode.Span), Scope: scopeOf(j, -1), Actor: e.Actor, Events: []string{e.Event},
			Message: "The workflow lets a run that an outsider causes save caches that every other run restores.",
		}
		if does := x.touches(e, j, -1); strings.HasPrefix(does, "fetches") && x.restoresCaches() {
			flaw.Tier = penstock.TierExploitable
			flaw.Notes = []string{"the job " + does}
			flaw.Reaches = []string{"the caches of the default branch, which every run restores"}
			flaw.Trace = append(x.start(p, e), Hop{Place: flaw.Place, Text: "the run may save caches for the default branch", Row: &row})
		}
		found.add(flaw)
	})
	found.report(report)
}

// harmlessActions are made for pull_request_target, and do nothing with the code or the
// texts of the pull request.
var harmlessActions = []string{"actions/labeler", "actions/first-interaction", "actions/add-to-project", "amannn/action-semantic-pull-request"}

// madeForIt reports whether a job does nothing but use such actions.
func madeForIt(j *Job) bool {
	return len(j.Steps) > 0 && !slices.ContainsFunc(j.Steps, func(s Step) bool {
		return s.Uses.Kind != UseRemote || !slices.Contains(harmlessActions, strings.ToLower(s.Uses.Owner+"/"+s.Uses.Repo))
	})
}

// auditTriggers reports triggers that give a run which an outsider causes the rights
// of the repository.
func auditTriggers(x *Project, p *Pipeline, report func(Flaw)) {
	var found flaws
	x.outsiders(p, func(e *Entry, j *Job, _ Truth, gates []Gate) {
		if e.Trigger == nil || e.caller != nil || e.Event != "pull_request_target" && e.Event != "workflow_run" || e.After != "" || !Open(gates) || madeForIt(j) {
			return
		}
		found.add(Flaw{
			Rule: "dangerous-trigger", Tier: penstock.TierHygiene, Place: placed(p, e.Trigger.Event.Span), Actor: e.Actor, Events: []string{e.Event},
			Message: e.Event + " gives a run that a pull request from a fork causes the rights of the repository: whatever of it the workflow touches must be taken for hostile.",
		})
	})
	found.report(report)
}

// auditEnvironments reports environments without protection, and those that the one
// who starts a run chooses.
func auditEnvironments(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub || p.Kind != KindWorkflow {
		return
	}
	for k := range p.Jobs {
		j := &p.Jobs[k]
		name := j.Environment.Get().Name
		if name.Value == "" {
			continue
		}
		flaw := Flaw{Tier: penstock.TierHygiene, Place: placed(p, name.Span), Scope: scopeOf(j, -1)}
		if len(name.Parts) == 0 {
			set, known := x.Settings.GitHub.Environment(name.Value)
			if !known || set.Reviewers || len(set.Branches) > 0 {
				continue
			}
			flaw.Rule = "unprotected-environment"
			flaw.Message = "The environment " + clip(name.Value) + " has neither reviewers nor branches: every run that names it has its secrets."
			x.outsiders(p, func(e *Entry, o *Job, _ Truth, gates []Gate) {
				if o != j || flaw.Tier != penstock.TierHygiene || !Open(gates) {
					return
				}
				prizes, does := x.spoils(p, e, j, -1), x.touches(e, j, -1)
				if len(prizes) > 0 && does != "" {
					flaw.Tier, flaw.Actor, flaw.Events, flaw.Reaches = penstock.TierExploitable, e.Actor, []string{e.Event}, reaches(prizes)
					flaw.Notes = []string{"the job " + does}
					flaw.Trace = append(x.start(p, e), Hop{Place: flaw.Place, Text: "the job gets the environment without anybody's approval"})
				}
			})
			report(flaw)
			continue
		}
		for _, path := range ParseTemplate(name.Value).TextPaths() {
			outside := ""
			for _, e := range x.Entries(p) {
				if c, ok := ControlOf(path.Name, e.Event); ok && e.Outsider() && c.Actor <= ActorReturning && !e.Own {
					outside, flaw.Actor = e.Event, e.Actor
				}
			}
			switch {
			case outside != "":
				flaw.Tier, flaw.Events = penstock.TierExploitable, []string{outside}
				flaw.Message = "An outsider chooses the environment whose secrets the job gets."
			case strings.HasPrefix(path.Name, "inputs.") && p.Trigger("workflow_dispatch") != nil, strings.HasPrefix(path.Name, "github.event.inputs."), strings.HasPrefix(path.Name, "github.event.client_payload."):
				flaw.Message = "Whoever starts the run chooses the environment whose secrets the job gets, on a branch of their choice."
			default:
				continue
			}
			flaw.Rule = "dispatch-environment-input"
			report(flaw)
			break
		}
	}
}
