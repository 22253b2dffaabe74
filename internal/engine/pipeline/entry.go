package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"penstock"
)

// Entry is one way in which someone gets the jobs of a definition to run.
type Entry struct {
	// Event is the forge's name of it, Trigger what the definition says about it.
	Event   string
	Trigger *Trigger
	// Actor is the weakest who can cause the event, and After what someone with more
	// rights must do first: "the pull request is merged"; empty if nothing.
	Actor ActorClass
	After string
	// Origin is where the code of the run comes from.
	Origin Origin
	// Own: the actor's own version of the definition runs, so that it need not be
	// injected into: the rights of such a run are what the forge gives it.
	Own bool
	// Checkout is what lies in the workspace after a checkout that names no ref.
	Checkout WorkflowRef
	// Env is what contexts hold, as far as it is known.
	Env *Environment
	// Rows are the rules of the forge by which all this is so.
	Rows []Row
	// Via are the places that lead here, where another definition runs first: a call
	// of a reusable workflow, the workflow whose end starts this one.
	Via []Hop

	// gates are passed before the first job runs: an approval, a label.
	gates []Gate
	// actions are those of the event that are meant, separated by spaces.
	actions string
	// caller is the job that calls a reusable workflow, by the entry callerEntry.
	caller      *callSite
	callerEntry *Entry

	// doubt says what has to be so for the entry to be there at all, empty if it is.
	doubt string

	// What the other forges know of the run.
	gitlab  *GitLabSituation
	azure   *azureRun
	jenkins *JenkinsSituation
}

// Outsider reports whether the weakest actor is one without rights to the repository.
func (e *Entry) Outsider() bool { return e.Actor == ActorAnyone || e.Actor == ActorReturning }

// maxEntries bounds the ways into one definition, which many others may call.
const maxEntries = 32

// ways is what a project remembers of entries, gates and checks. The zero value is
// ready.
type ways struct {
	entries      map[*Pipeline][]Entry
	busy         map[*Pipeline]bool
	environments map[environmentKey]*Environment
	rights       map[rightsKey]*rights
	conditions   map[string]*Condition // nil for what cannot be read
	callers      map[*Pipeline][]callSite
	repository   *repository // nil before it is looked for
	called       bool        // callers is made
	names        map[string][]*Pipeline
	checks       map[*Step]check
	enders       map[enderKey][]ender
	changeEnds   map[enderKey]changeEnd
	reaches      map[reachKey]reachAnswer
	jobs         map[reachKey]reachAnswer // within the file
	depth        int                      // of needs that are followed
	labels       *string                  // what labels labeler gives, nil before it was read
	heads        map[headKey]headAnswer
	assigned     map[string][][]string // what scripts that may know of a head assign, by their text
	templates    []string              // what labels templates of issues give, nil before they were read
	secrets      map[*Job][]secretRef
	publishes    map[*Step][2]int
	jobsByID     map[*Pipeline]map[string]*Job
	stepsByID    map[*Job]map[string]int
	work         int   // nodes of conditions that were looked at
	restores     Truth // whether some job restores caches
	gitlabRuns   map[*Entry]*GitLabRun
	// Of Azure: the variables of pipelines, and those that scripts set.
	macros, changed map[*Pipeline]map[string]bool
}

// callSite is a job that calls a reusable pipeline.
type callSite struct {
	pipeline *Pipeline
	job      *Job
}

// Entries are the ways into a definition, the weakest actor first. A reusable workflow
// has those of its callers in the repository; one that nobody calls here has none but
// workflow_call itself. The result is shared: do not write to it.
func (x *Project) Entries(p *Pipeline) []Entry {
	w := &x.ways
	if all, known := w.entries[p]; known {
		return all
	}
	if w.busy[p] || len(w.busy) > maxChain {
		return nil
	}
	if w.entries == nil {
		w.entries, w.busy = make(map[*Pipeline][]Entry), make(map[*Pipeline]bool)
	}
	w.busy[p] = true
	var all []Entry
	switch p.Forge {
	case GitHub:
		all = x.githubEntries(p)
	case GitLab:
		all = x.gitlabEntries(p)
	case Azure:
		all = x.azureEntries(p)
	case Jenkins:
		all = x.jenkinsEntries(p)
	}
	delete(w.busy, p)
	slices.SortStableFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Actor, b.Actor), cmp.Compare(len(a.After), len(b.After)))
	})
	if len(all) > maxEntries {
		all = all[:maxEntries:maxEntries]
	}
	w.entries[p] = all
	return all
}

// maxChain bounds how many definitions stand between an event and a job.
const maxChain = 10

// rights are what the forge gives a run, by event and origin.
type rights struct {
	ref                                                 WorkflowRef
	secrets                                             Reach
	limit, token                                        Access
	identity                                            bool
	refRow, secretsRow, limitRow, tokenRow, identityRow Row
}

type rightsKey struct {
	event  string
	origin Origin
}

// rightsOf looks up what GitHub gives a run.
func (x *Project) rightsOf(event string, origin Origin) *rights {
	key := rightsKey{event, origin}
	if r := x.ways.rights[key]; r != nil {
		return r
	}
	view := x.View(GitHub)
	r := new(rights)
	r.ref, r.refRow = view.Ref(event)
	r.secrets, r.secretsRow = view.SecretsReach(event, origin)
	r.limit, r.limitRow = view.TokenLimit(event, origin)
	r.token, r.tokenRow = view.TokenDefaultOf(event, origin, x.Settings.GitHub.Created)
	r.identity, r.identityRow = view.OIDC(event, origin)
	if x.ways.rights == nil {
		x.ways.rights = make(map[rightsKey]*rights)
	}
	x.ways.rights[key] = r
	return r
}

// environmentKey is what an environment is made for: a situation, and the actions of
// the event that can be meant.
type environmentKey struct {
	Situation
	actions string
}

// The actions of events, by who can cause them.
const (
	// triageActions need triage rights, or write access.
	triageActions = " labeled unlabeled assigned unassigned milestoned demilestoned locked unlocked pinned unpinned transferred deleted enqueued dequeued auto_merge_enabled auto_merge_disabled category_changed typed untyped review_request_removed "
	// pullDefaults are those of pull_request and pull_request_target without types.
	pullDefaults = "opened synchronize reopened"
)

// gitHubEvent is who can cause an event.
type gitHubEvent struct {
	actor ActorClass
	after string
}

// gitHubEvents are the events that people without rights can cause, or bring their
// content into. Pull requests and workflow_run are answered elsewhere; all others need
// write access.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
var gitHubEvents = map[string]gitHubEvent{
	"issues":             {ActorAnyone, ""},
	"issue_comment":      {ActorAnyone, ""},
	"discussion":         {ActorAnyone, ""},
	"discussion_comment": {ActorAnyone, ""},
	"fork":               {ActorAnyone, ""},
	"watch":              {ActorAnyone, ""},
	"gollum":             {ActorAnyone, ""},
	"commit_comment":     {ActorAnyone, ""},
	"check_run":          {ActorAnyone, contribCommit},
	"check_suite":        {ActorAnyone, contribCommit},
	"status":             {ActorAnyone, contribCommit},
	"push":               {ActorAnyone, merged},
	"merge_group":        {ActorAnyone, queued},
}

// githubEntries are the entries of a workflow at GitHub.
func (x *Project) githubEntries(p *Pipeline) []Entry {
	if p.Kind != KindWorkflow {
		return nil
	}
	var all []Entry
	for i := range p.Triggers {
		t := &p.Triggers[i]
		switch event := t.Event.Value; event {
		case "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment":
			all = append(all, x.pullEntries(p, t)...)
		case "workflow_run":
			all = append(all, x.runEntries(p, t)...)
		case "workflow_call":
			all = append(all, x.callEntries(p, t)...)
		default:
			if event == "repository_dispatch" {
				all = append(all, x.dispatchEntries(p, t)...)
			}
			if e, ok := gitHubEvents[event]; ok && !(event == "push" && tagsOnly(t)) {
				all = append(all, x.actionEntries(p, t, Situation{Event: event, Actor: e.actor}, e.after)...)
			}
			switch event {
			case "push", "merge_group", "check_run", "check_suite", "status":
				all = append(all, x.entry(p, t, Situation{Event: event, Actor: ActorWriter}, "", ""))
			default:
				if gitHubEvents[event].actor == ActorUnset {
					all = append(all, x.entry(p, t, Situation{Event: event, Actor: ActorWriter}, "", ""))
				}
			}
		}
	}
	return all
}

// tagsOnly reports whether a push must be one of a tag.
func tagsOnly(t *Trigger) bool {
	return len(t.Tags)+len(t.TagsIgnore) > 0 && len(t.Branches)+len(t.BranchesIgnore) == 0
}

// pullEntries are those of a pull request's event: from a fork, and from a branch of
// the repository.
func (x *Project) pullEntries(p *Pipeline, t *Trigger) []Entry {
	event := t.Event.Value
	fork := Situation{Event: event, Actor: ActorAnyone, Fork: true}
	var approval []Gate
	if answer, row := x.View(GitHub).NeedsApproval(event, OriginFork); answer == ApprovalSetting {
		switch x.Settings.GitHub.ForkApproval {
		case "none":
		case "all":
			approval = []Gate{{
				Place: placed(p, t.Event.Span), Kind: GuardApproval, Stops: true, Once: true, Row: &row,
				Text: "every run for a pull request from a fork waits for someone with write access",
			}}
		default:
			fork.Actor = ActorReturning
		}
	}
	all := x.actionEntries(p, t, fork, "")
	for i := range all {
		all[i].gates = append(all[i].gates, approval...)
	}
	own := Situation{Event: event, Actor: ActorWriter}
	if event == "pull_request_review" || event == "pull_request_review_comment" {
		// Anyone reviews a pull request between branches of the repository, and the
		// run has all rights.
		own.Actor = ActorAnyone
	}
	return append(all, x.entry(p, t, own, "", ""))
}

// actionEntries make one entry for what an outsider alone can cause, and one for what
// happens to the outsider's issue or pull request when someone with rights acts.
func (x *Project) actionEntries(p *Pipeline, t *Trigger, s Situation, after string) []Entry {
	var alone, helped []string
	for _, a := range t.Types {
		name := strings.ToLower(a.Value)
		if strings.Contains(triageActions, " "+name+" ") && s.Event != "issue_comment" && s.Event != "discussion_comment" {
			helped = append(helped, name)
		} else {
			alone = append(alone, name)
		}
	}
	if len(t.Types) == 0 {
		switch s.Event {
		case "pull_request", "pull_request_target":
			alone = strings.Fields(pullDefaults)
		case "issues", "discussion":
			// all actions: those that an outsider causes come first
			alone = []string{"opened", "created", "edited", "closed", "reopened"}
			helped = []string{"labeled", "unlabeled", "assigned"}
		}
	}
	var all []Entry
	add := func(actions []string, after string, gates ...Gate) {
		e := x.entry(p, t, s, after, strings.Join(actions, " "))
		e.gates = append(e.gates, gates...)
		all = append(all, e)
	}
	if after != "" {
		g := Gate{Place: placed(p, t.Event.Span), Kind: GuardApproval, Stops: after != contribCommit, Text: after}
		add(alone, after, g)
		return all
	}
	var gates []Gate
	if s.Event == "gollum" {
		gates = append(gates, Gate{Place: placed(p, t.Event.Span), Kind: GuardOther, Text: "the wiki lets people without write access edit it"})
	}
	if len(alone) > 0 || len(t.Types) == 0 {
		add(alone, "", gates...)
	}
	if len(helped) > 0 {
		span := t.Event.Span
		for _, a := range t.Types {
			if strings.EqualFold(a.Value, helped[0]) {
				span = a.Span
			}
		}
		kind, text := GuardApproval, "someone with triage rights acts on it ("+helped[0]+")"
		if slices.Contains(helped, "labeled") {
			kind, text = GuardLabel, "someone with triage rights labels it"
		}
		add(helped, text, Gate{Place: placed(p, span), Kind: kind, Stops: true, Once: true, Text: text})
	}
	return all
}

// entry makes an entry of a workflow's own event.
func (x *Project) entry(p *Pipeline, t *Trigger, s Situation, after, actions string) Entry {
	e := Entry{Event: s.Event, Trigger: t, Actor: s.Actor, After: after, Origin: OriginRepository}
	if s.Fork {
		e.Origin = OriginFork
	}
	r := x.rightsOf(s.Event, e.Origin)
	e.Checkout = r.ref
	e.Own = s.Fork && r.ref == FromMerge
	e.Rows = append(e.Rows, r.refRow, r.secretsRow)
	if s.Actor < ActorTriage && x.Settings.GitHub.Visibility != "" && x.Settings.GitHub.Visibility != Public &&
		!(s.Fork && (x.Settings.GitHub.ForkSecrets || x.Settings.GitHub.ForkWriteToken)) {
		e.gates = append(e.gates, Gate{
			Place: placed(p, t.Event.Span), Kind: GuardRepository, Stops: true, Text: "only people who can see the repository, which is not public",
		})
	}
	e.Env = x.environment(s, actions)
	e.actions = actions
	return e
}

// environment is what contexts hold, with the actions that the event can have.
func (x *Project) environment(s Situation, actions string) *Environment {
	s.DefaultBranch = x.Settings.GitHub.DefaultBranch
	s.Repository, s.Owner = x.repositoryName()
	key := environmentKey{s, actions}
	if env := x.ways.environments[key]; env != nil {
		return env
	}
	env := s.Environment()
	if v := x.Settings.GitHub.Visibility; v != "" {
		env.Set("github.event.repository.visibility", String(string(v)))
		env.Set("github.event.repository.private", Boolean(v != Public))
	}
	if s.Event == "pull_request_target" {
		if ref, _ := x.View(GitHub).Ref(s.Event); ref == FromDefault {
			env.Set("github.ref", UnknownString("refs/heads/", "", "github.ref"))
			if s.DefaultBranch != "" {
				env.Set("github.ref", String("refs/heads/"+s.DefaultBranch))
				env.Set("github.ref_name", String(s.DefaultBranch))
			}
		}
	}
	if names := strings.Fields(actions); len(names) > 0 {
		var values []Value
		for _, n := range names {
			values = append(values, String(n))
		}
		env.Set("github.event.action", OneOf(values, "github.event.action"))
		if !slices.Contains(names, "labeled") && !slices.Contains(names, "unlabeled") {
			env.Set("github.event.label", Null())
		}
		if !slices.Contains(names, "closed") && strings.HasPrefix(s.Event, "pull_request") {
			env.Set("github.event.pull_request.merged", Boolean(false))
		}
	}
	if x.ways.environments == nil {
		x.ways.environments = make(map[environmentKey]*Environment)
	}
	x.ways.environments[key] = env
	return env
}

// dynamicWorkflows are run by GitHub itself, without a file, and for nobody's fork.
var dynamicWorkflows = []string{"pages build and deployment", "pages-build-deployment", "dependabot updates", "copilot", "automatic dependency submission"}

// runEntries are those of workflow_run: for each workflow that it names, those of
// that one.
func (x *Project) runEntries(p *Pipeline, t *Trigger) []Entry {
	var all []Entry
	type source struct {
		event  string
		actor  ActorClass
		origin Origin
		after  string
	}
	seen := make(map[source]int)
	for _, name := range t.Workflows {
		sources := x.named(name.Value)
		if len(sources) == 0 {
			if e, ok := x.unknownRun(p, t, name); ok {
				key := source{"", e.Actor, e.Origin, ""}
				if _, again := seen[key]; !again {
					seen[key] = len(all)
					all = append(all, e)
				}
			}
			continue
		}
		for _, other := range sources {
			if other == p {
				continue
			}
			from := x.Entries(other)
			for i := range from {
				base := &from[i]
				if base.caller != nil {
					continue // the run is the caller's
				}
				key := source{base.Event, base.Actor, base.Origin, base.After}
				if at, again := seen[key]; again && len(all[at].gates) <= len(base.gates) {
					continue
				}
				e := x.runEntry(p, t, base, other)
				if at, again := seen[key]; again {
					all[at] = e // the same way with fewer gates
					continue
				}
				seen[key] = len(all)
				all = append(all, e)
			}
		}
	}
	return all
}

// runEntry is the entry that the end of another workflow's run makes.
func (x *Project) runEntry(p *Pipeline, t *Trigger, base *Entry, other *Pipeline) Entry {
	e := x.entry(p, t, Situation{Event: "workflow_run", Actor: base.Actor, Fork: base.Origin == OriginFork}, base.After, "")
	e.gates = append(e.gates, base.gates...)
	e.doubt = base.doubt
	e.Env = e.Env.over()
	e.Env.Set("github.event.workflow_run.event", String(base.Event))
	name := cmp.Or(other.Name.Value, strings.TrimPrefix(other.Path, x.Root))
	e.Env.Set("github.event.workflow_run.name", String(name))
	e.Env.Set("github.event.workflow.name", String(name))
	e.Env.Set("github.event.workflow_run.path", String(strings.TrimPrefix(other.Path, x.Root)))
	if base.Event != "pull_request" && base.Event != "pull_request_target" {
		e.Env.Set("github.event.workflow_run.pull_requests", Array())
	}
	text := "the workflow runs for " + base.Event
	if base.Origin == OriginFork {
		text += " from a fork"
	}
	span := other.Span
	if base.Trigger != nil {
		span = base.Trigger.Event.Span
	}
	e.Via = append(slices.Clone(base.Via), Hop{Place: placed(other, span), Text: text})
	return e
}

// unknownRun is the entry for a workflow that is not in the project. Where no other
// workflow is known at all it may be there, and run for pull requests. Where others are,
// nothing of the repository runs by that name; but the forge goes by names, and a pull
// request brings its own definitions, of any name.
func (x *Project) unknownRun(p *Pipeline, t *Trigger, name Text) (Entry, bool) {
	for _, d := range dynamicWorkflows {
		if strings.EqualFold(d, name.Value) {
			return x.entry(p, t, Situation{Event: "workflow_run", Actor: ActorWriter}, "", ""), true
		}
	}
	whole := slices.ContainsFunc(x.Pipelines, func(o *Pipeline) bool { return o != p && o.Kind == KindWorkflow })
	if whole && (name.Value == "" || strings.ContainsAny(name.Value, "*?[!") || len(name.Parts) > 0) {
		return Entry{}, false // a pattern that nothing fits
	}
	e := x.entry(p, t, Situation{Event: "workflow_run", Actor: ActorReturning, Fork: true}, "", "")
	e.Env = e.Env.over()
	e.Env.Set("github.event.workflow_run.event", OneOf([]Value{String("pull_request"), String("pull_request_review")}, "github.event.workflow_run.event"))
	text := "this workflow is not among the files looked at; it may run for pull requests from forks"
	if whole {
		text = "no workflow here has this name: a pull request from a fork can bring one that has"
		e.doubt = "a workflow of the name " + clip(name.Value) + ", which is not in this repository, runs for a pull request that brings it"
	}
	e.Via = []Hop{{Place: placed(p, name.Span), Text: text}}
	return e, true
}

// named are the workflows of a name. One without a name has its path for it.
func (x *Project) named(name string) []*Pipeline {
	w := &x.ways
	if w.names == nil {
		w.names = make(map[string][]*Pipeline)
		for _, p := range x.Pipelines {
			if p.Kind != KindWorkflow {
				continue
			}
			n := strings.TrimPrefix(p.Path, x.Root)
			if p.Name.Value != "" {
				n = p.Name.Value
			}
			w.names[n] = append(w.names[n], p)
		}
	}
	return w.names[name]
}

// callersOf are the jobs of the project that call a reusable workflow.
func (x *Project) callersOf(p *Pipeline) []callSite {
	w := &x.ways
	if !w.called {
		w.called = true
		w.callers = make(map[*Pipeline][]callSite)
		for _, o := range x.Pipelines {
			if o.Kind != KindWorkflow {
				continue
			}
			for i := range o.Jobs {
				if j := &o.Jobs[i]; j.Uses.Kind == UseLocal || j.Uses.Kind == UseSelf {
					if to := x.Workflow(j.Uses); to != nil {
						w.callers[to] = append(w.callers[to], callSite{o, j})
					}
				}
			}
		}
	}
	return w.callers[p]
}

// callEntries are those of a reusable workflow.
func (x *Project) callEntries(p *Pipeline, t *Trigger) []Entry {
	var all []Entry
	callers := x.callersOf(p)
	for _, c := range callers {
		from := x.Entries(c.pipeline)
		for i := range from {
			if len(all) >= 4*maxEntries {
				break
			}
			e := from[i]
			e.Trigger = t
			e.caller, e.callerEntry = &callSite{c.pipeline, c.job}, &from[i]
			e.gates = nil // those of the caller count
			e.Via = append(slices.Clone(e.Via), Hop{Place: placed(c.pipeline, c.job.Uses.Span), Text: "job " + clip(c.job.ID.Value) + " calls this workflow"})
			e.Env = callEnvironment(e.Env, t, c.job)
			all = append(all, e)
		}
	}
	if len(callers) == 0 {
		all = append(all, x.entry(p, t, Situation{Event: "workflow_call", Actor: ActorWriter}, "", ""))
	}
	return all
}

// forget makes a context unknown, if it is known.
func (e *Environment) forget(path string) {
	if _, known := e.at(path); known {
		v := Unknown(path)
		v.u.is = path
		e.Set(path, v)
	}
}

// callEnvironment adds the inputs that a caller gives.
func callEnvironment(env *Environment, t *Trigger, j *Job) *Environment {
	if len(t.Inputs) == 0 {
		return env
	}
	out := env.over()
	for _, in := range t.Inputs {
		path := "inputs." + strings.ToLower(in.Name.Value)
		if !plainMember(in.Name.Value) {
			continue
		}
		given := j.With.Get(in.Name.Value).Text
		if !given.IsSet() {
			given = in.Default
		}
		switch {
		case len(given.Parts) > 0 && in.Type.Value == "string":
			if v, known := ParseTemplate(given.Value).Evaluate(env).Text(); known {
				out.Set(path, String(v))
			} else {
				out.forget(path)
			}
		case !given.IsSet() || len(given.Parts) > 0 && in.Type.Value != "boolean":
			out.forget(path)
		case len(given.Parts) > 0:
			out.Set(path, ParseTemplate(given.Value).Evaluate(env))
		case in.Type.Value == "boolean":
			out.Set(path, Boolean(given.Value == "true"))
		case in.Type.Value == "number":
			out.forget(path)
		default:
			out.Set(path, String(given.Value))
		}
	}
	return out
}

func placed(p *Pipeline, span penstock.Span) Place { return Place{Path: p.Path, Span: span} }

// GuardKind classes what keeps people out.
type GuardKind string

// The kinds, by CodeQL's idea of control checks.
const (
	GuardPermission  GuardKind = "permission"  // the actor's rights are asked for
	GuardActor       GuardKind = "actor"       // the name of the actor
	GuardAssociation GuardKind = "association" // author_association
	GuardLabel       GuardKind = "label"
	GuardEnvironment GuardKind = "environment" // reviewers, or branches of an environment
	GuardRepository  GuardKind = "repository"  // not a fork
	GuardRef         GuardKind = "ref"         // only certain branches or tags
	GuardEvent       GuardKind = "event"
	GuardApproval    GuardKind = "approval" // a maintainer starts it
	GuardOther       GuardKind = "other"    // a condition that cannot be decided
)

// Gate is a condition that the way to a job or step passes, so named because
// Guard is the answer about actions/checkout.
type Gate struct {
	Place
	Kind GuardKind
	// Text says what is asked: "only for members of the organisation".
	Text string
	// Stops: no outsider passes. A gate that neither stops nor has a Weakness is one
	// whose answer is not known.
	Stops bool
	// Weakness says why it does not hold although it looks like it: "the actor of a
	// rerun is not the author"; empty if it holds or is not known.
	Weakness string
	// Once: it holds for the moment of the check only: the code that it was for can
	// change before it is used (a label, an approval, a comment). The texts of the
	// event itself do not change: for them a gate that stops stops.
	Once bool
	Row  *Row

	// neutral: a value of the repository or its settings, which is no guard by itself.
	neutral bool
	// setting is the key of the settings that would say whether it holds.
	setting string
	// ownCode: the code of forks does not pass it, although strangers do, who comment on
	// the pull requests of others.
	ownCode bool
}

// PrizeKind classes what is worth attacking for.
type PrizeKind string

// The kinds.
const (
	PrizeSecret   PrizeKind = "secret"     // a named secret that the job or step gets
	PrizeSecrets  PrizeKind = "secrets"    // all secrets
	PrizeWrite    PrizeKind = "write"      // the job's token writes to a scope
	PrizeIdentity PrizeKind = "identity"   // an identity token: a cloud role, trusted publishing
	PrizeRunner   PrizeKind = "runner"     // a runner that lives on
	PrizePublish  PrizeKind = "publish"    // a package, image, release or deployment
	PrizeCache    PrizeKind = "cache"      // caches that other runs restore
	PrizeDispatch PrizeKind = "dispatch"   // other workflows can be started
	PrizeMerge    PrizeKind = "merge"      // pull requests can be approved or merged
	PrizeCloud    PrizeKind = "cloud role" // credentials of a cloud
)

// Prize is something of value that code in a job can get at.
type Prize struct {
	Place
	Kind PrizeKind
	// Name is the secret's, scope's, role's or label's.
	Name string
	// Text names it in a sentence: "the secret NPM_TOKEN".
	Text string
	// Step is the index of the only step that has it, -1 if the whole job does. Code
	// that ran before in the job gets at it all the same, if it can wait.
	Step int
	Row  *Row
	// Weight orders prizes, the greater the better: above 50 it is worth an attack.
	Weight int
	// Setting: it is there only by a setting that we do not know, such as what tokens
	// may do by default.
	Setting bool
}
