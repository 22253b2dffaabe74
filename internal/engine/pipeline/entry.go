package pipeline

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
}

// Outsider reports whether the weakest actor is one without rights to the repository.
func (e *Entry) Outsider() bool { return e.Actor == ActorAnyone || e.Actor == ActorReturning }

// Entries are the ways into a definition, the weakest actor first. A reusable workflow
// has those of its callers in the repository; one that nobody calls here has none but
// workflow_call itself.
func (x *Project) Entries(p *Pipeline) []Entry { return nil }

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
	// Once: it holds for the moment of the check only, and what it looked at can
	// change before it is used (a label, an approval, a comment).
	Once bool
	Row  *Row
}

// Reach says whether a job can run by an entry, and which gates the way passes: False
// is never. Gates of the jobs that it needs, and of the steps before it in them that
// end the job, count.
func (x *Project) Reach(p *Pipeline, e *Entry, j *Job) (Truth, []Gate) { return Undecided, nil }

// StepReach is Reach for the n-th step of a job that runs: its own condition, and
// steps before it that end the job for people without rights.
func (x *Project) StepReach(p *Pipeline, e *Entry, j *Job, n int) (Truth, []Gate) {
	return Undecided, nil
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
	// Weight orders prizes, the greater the better.
	Weight int
}

// Prizes are what code that runs in a job by an entry can get at, the best first.
func (x *Project) Prizes(p *Pipeline, e *Entry, j *Job) []Prize { return nil }
