// Package pipeline is the engine that reads the definitions of CI pipelines and
// finds what a stranger can make them do.
//
// A front end per format turns a file into one model, which everything else works
// on. Invariant: whatever a file holds, its front end ends, keeps what it does not
// know as data, and gives each element the span of bytes it stands on.
package pipeline

import (
	"sort"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Kind says what a file is to its forge.
type Kind uint8

const (
	KindNone        Kind = iota // no pipeline definition
	KindWorkflow                // GitHub: .github/workflows/*.yml, also reusable ones
	KindAction                  // GitHub: action.yml
	KindDependabot              // GitHub: .github/dependabot.yml
	KindLock                    // GitHub: .github/workflows/actions.lock
	KindJenkinsfile             // Jenkins: Jenkinsfile
	KindAzure                   // Azure: azure-pipelines.yml
	KindAzurePart               // Azure: a template, and is read only where one is used
	KindGitLab                  // GitLab: .gitlab-ci.yml, with which a pipeline begins
	KindGitLabPart              // GitLab: what pipelines include, and is read only then
	KindHooks                   // pre-commit: .pre-commit-config.yaml
)

var kindNames = [...]string{"none", "workflow", "action", "dependabot", "lock", "jenkinsfile", "azure", "azure-part", "gitlab", "gitlab-part", "hooks"}

func (k Kind) String() string { return kindNames[k] }

// Forge is the product that runs a pipeline.
type Forge string

// The forges that there is a front end for.
const (
	GitHub  Forge = "github"  // GitHub Actions
	Azure   Forge = "azure"   // Azure Pipelines
	GitLab  Forge = "gitlab"  // GitLab CI/CD
	Jenkins Forge = "jenkins" // Jenkins with its Pipeline plugins
)

// Pipeline is one file. A front end must set Forge, Path, Kind and Notes, and of
// the rest what its format has; an element that the file lacks stays zero, which
// IsSet tells from one that is there and empty. All texts of the file are hostile.
type Pipeline struct {
	Forge Forge
	Path  string
	Kind  Kind
	Span  penstock.Span
	Name  Text
	// RunName names a single run.
	RunName  Text
	Triggers []Trigger
	// OnSpan is everything that Triggers were made from.
	OnSpan      penstock.Span
	Permissions Permissions
	Env         Data
	Defaults    Defaults
	Concurrency Concurrency
	// CacheMode limits what jobs may do with caches.
	CacheMode Text
	Jobs      []Job

	// Inputs are what the pipeline takes: those of an action, or of every trigger
	// that has some. Outputs and Secrets are those of an action or of a pipeline
	// that others call.
	Inputs  []Input
	Outputs []Output
	Secrets []Input

	Action     *Action     // set for KindAction
	Dependabot *Dependabot // set for KindDependabot
	Lock       *Lock       // set for KindLock
	Hooks      []Hook      // of KindHooks

	// Libraries are code of other repositories that runs as part of the pipeline.
	Libraries []Use
	// Files are the files that the elements come from, the pipeline's own first; nil
	// if that is the only one. See Locate.
	Files []SourceFile
	// Stages run one after another (GitLab, Azure); empty means the forge's own.
	Stages []Text
	// RunsOn is what jobs have that say nothing else (Azure). They have it, too.
	RunsOn RunsOn
	// Resources are what the pipeline takes from elsewhere under a name (Azure).
	Resources []Resource
	// Sources are where further variables come from (Azure).
	Sources []VariableSource
	// Includes are the files that the pipeline is made of besides its own (GitLab),
	// those of included files too; in a file that was read alone, its own.
	Includes []Include
	// Rules decide whether the pipeline runs (GitLab's workflow:rules). RulesSpan is
	// set where there are any.
	Rules     []Rule
	RulesSpan penstock.Span
	// Default is what jobs have that say nothing else (GitLab).
	Default *Job
	// Templates are jobs that do not run by themselves and that others take over
	// (GitLab's .name).
	Templates []Job

	// Extra are keys that the model does not know, whose value has a shape that it
	// cannot hold, or that a later one of the same name overrides. Every element has
	// them, in the order of the file. A field without a name is what stands where
	// the element should be a map.
	Extra []Field
	// Source is the file as it was read, for what is about its layout. It must not be
	// written to.
	Source []byte
	// Comments are those of the file, in order.
	Comments []syntax.Comment
	// Notes are what could not be read, or may be read in two ways.
	Notes []Note

	ignores Truth   // whether the file has marks of zizmor; Undecided before it is asked
	lines   []int64 // where the lines of Source begin; nil before line is asked
	outer   []int32 // what outerLines says; nil before it is asked
}

// Trigger returns the first trigger of an event, nil without one.
func (p *Pipeline) Trigger(event string) *Trigger {
	for i := range p.Triggers {
		if p.Triggers[i].Event.Value == event {
			return &p.Triggers[i]
		}
	}
	return nil
}

// SourceFile is one of several files that a pipeline was made of.
type SourceFile struct {
	Path string
	// Base is what positions in the file begin with: spans of the pipeline count on
	// through all files, and those of the first are as they are in the file.
	Base, Size int64
}

// Locate says in which file an element stands, and where in it. A span that begins in
// one file and ends in another is cut at the end of the first. The cost is the
// logarithm of the number of files.
func (p *Pipeline) Locate(span penstock.Span) (path string, in penstock.Span) {
	if len(p.Files) == 0 {
		return p.Path, span
	}
	i := sort.Search(len(p.Files), func(i int) bool { return p.Files[i].Base > span.Start }) - 1
	f := p.Files[max(i, 0)]
	span.Start -= f.Base
	span.End = min(span.End-f.Base, f.Size)
	return f.Path, penstock.Span{Start: min(span.Start, f.Size), End: max(span.Start, span.End)}
}

// Reusable reports whether other pipelines can call this one.
func (p *Pipeline) Reusable() bool { return p.Trigger("workflow_call") != nil }

// Rare is a part that most elements lack, which then pay one word for it: a definition
// that is nothing but short jobs or steps would otherwise take a hundred times its size.
type Rare[T any] struct{ part *T }

// Get is the part, a zero one if there is none. It must not be written to.
func (r Rare[T]) Get() *T {
	if r.part == nil {
		return new(T)
	}
	return r.part
}

// Make is the part for whoever fills it in.
func (r *Rare[T]) Make() *T {
	if r.part == nil {
		r.part = new(T)
	}
	return r.part
}

// Has reports whether there is a part.
func (r Rare[T]) Has() bool { return r.part != nil }

// rare is the part v.
func rare[T any](v T) Rare[T] { return Rare[T]{&v} }

// rareText is a text that may not be there.
func rareText(t Text) Rare[Text] {
	if t.Value == "" && t.Span.End == 0 {
		return Rare[Text]{}
	}
	return rare(t)
}

// NoteKind classes notes.
type NoteKind uint8

const (
	NoteSyntax     NoteKind = iota + 1 // not valid in the language of the file; the span was not read
	NoteType                           // a value of another type than the format has there
	NoteDuplicate                      // a key that is there twice: Span is the earlier, Other the one that counts
	NoteMerge                          // a merge key, which GitHub does not take
	NoteExpression                     // an expression that does not end
	NoteMissing                        // something that is referred to and is not there
	NoteLoop                           // something that leads back to itself
	NoteLimit                          // more than we, or the forge, read
)

// Note is something about the file that a reader should know. The message holds no
// text of the file.
type Note struct {
	Kind NoteKind
	penstock.Span
	Other   penstock.Span
	Message string
}

// Text is one scalar of the file.
type Text struct {
	// Value is the text as the forge gets it, decoded.
	Value string
	// Span is where it is written, with quotes; Key is the key that it is the value
	// of, Alias the place of an alias that refers to it. Both may be empty.
	Span, Key, Alias penstock.Span
	// Map leads from Value to the file.
	Map syntax.TextMap
	// Plain is true where the value is written without quotes, so that it may be
	// read as a number, a boolean or null.
	Plain bool
	// Parts are the expressions in Value, in order.
	Parts []Interpolation
}

// IsSet reports whether the text is in the file, if only as an empty value.
func (t Text) IsSet() bool { return t.Span.End > 0 }

// At is where the bytes [from, to) of Value stand in the file.
func (t Text) At(from, to int) penstock.Span {
	if t.Map.Len() == 0 {
		return penstock.Span{Start: t.Span.Start, End: t.Span.Start}
	}
	return t.Map.Span(from, to)
}

// Interpolation is an expression within a text.
type Interpolation struct {
	// From and To are its offsets in the text, with the signs around it, such as
	// ${{ and }}; Inner and InnerTo those of the expression alone.
	From, Inner, InnerTo, To int
	// Bare is true for a condition without signs.
	Bare bool
	// Open is true where the end is missing: it goes to the end of the text.
	Open bool
	// Span is where From to To stand in the file.
	Span penstock.Span
}

// Source is the expression of an interpolation of t, without the signs around it.
func (t Text) Source(i Interpolation) string { return t.Value[i.Inner:i.InnerTo] }

// DataKind is the shape of Data.
type DataKind uint8

const (
	DataNone   DataKind = iota // not there
	DataScalar                 // Text; also null
	DataList                   // Items
	DataMap                    // Fields
)

// Data is a value of any shape: a matrix, an environment, an unknown key. Where a
// format takes an expression in place of a map, it is the Text. A variable of GitLab
// that is written as a map is its value, with the other keys as Fields.
type Data struct {
	Kind DataKind
	Text Text
	// Span is where it is written, Key the key that it is the value of.
	Span, Key penstock.Span
	Items     []Data
	Fields    []Field
}

// Field is one key of a map with its value.
type Field struct {
	Name  Text
	Value Data
	// Inserted are the keys that decide whether it is there, outermost first.
	Inserted []Insertion
}

// InsertionKind says what an Insertion does.
type InsertionKind uint8

const (
	InsertIf        InsertionKind = iota + 1
	InsertElse                    // also with a condition of its own
	InsertEach                    // for every element of a list
	InsertParameter               // what a template is given, which may use it or not
)

// Insertion is a key that decides, before the pipeline runs, whether what stands below
// it is part of it: Azure's ${{ if }}. What is certainly not there is left out of the
// model, and what certainly is has no Insertion.
type Insertion struct {
	// Text is the key.
	Text
	Kind InsertionKind
	// Source is the condition, or the list; empty for a plain else.
	Source string
	// Not are the conditions of the branches before, none of which held.
	Not []string
}

// VariableSource is a set of variables whose values do not stand in the pipeline.
type VariableSource struct {
	Span penstock.Span
	// Group is one that the forge keeps: its variables may be secret.
	Group Text
	// Uses is a template with variables, and With what that is given.
	Uses     Use
	With     Data
	Inserted []Insertion
	Extra    []Field
}

// Resource is something outside of the pipeline that it uses under a name.
type Resource struct {
	Span penstock.Span
	// Kind is "repository", "pipeline", "container", "build", "package" or "webhook".
	Kind string
	// Name is what the pipeline calls it, Type what kind of service has it: "git",
	// "github".
	Name, Type Text
	// Uses is, of a repository, what it is and at which ref; of a pipeline or build
	// its text alone. Endpoint is the connection that opens it.
	Uses     Use
	RefAt    penstock.Span // of the ref of a repository
	Endpoint Text
	// Container is set for a container.
	Container Container
	Extra     []Field
}

// Get returns the value of the last field of that name, in any case: so GitHub
// looks up inputs, secrets and variables.
func (d Data) Get(name string) Data {
	for i := len(d.Fields) - 1; i >= 0; i-- {
		if strings.EqualFold(d.Fields[i].Name.Value, name) {
			return d.Fields[i].Value
		}
	}
	return Data{}
}

// Texts calls do with every scalar of d, names of fields included.
func (d Data) Texts(do func(Text)) {
	if d.Kind == DataScalar {
		do(d.Text)
	}
	for _, i := range d.Items {
		i.Texts(do)
	}
	for _, f := range d.Fields {
		do(f.Name)
		f.Value.Texts(do)
	}
}

// Trigger is one event that starts the pipeline, with its filters.
type Trigger struct {
	// Event is the forge's name for it: "pull_request_target".
	Event Text
	// Span is the event with its filters.
	Span  penstock.Span
	Types []Text
	// Patterns: the Ignore ones exclude; in the others an exclamation mark does.
	Branches, BranchesIgnore []Text
	Tags, TagsIgnore         []Text
	Paths, PathsIgnore       []Text
	// Workflows are those whose runs trigger this one.
	Workflows []Text
	Schedules []Schedule
	Inputs    []Input
	Outputs   []Output
	Secrets   []Input
	Extra     []Field
}

// Schedule is a point in time that comes again.
type Schedule struct{ Cron, Timezone Text }

// Input is something that the caller of a pipeline or action gives: an input or a
// secret.
type Input struct {
	Name Text
	Span penstock.Span
	// Type is one of the forge's; empty for an action's, which are strings.
	Type, Description, Required, Default Text
	Options                              []Text
	Extra                                []Field
}

// Output is something that the caller of a pipeline or action gets.
type Output struct {
	Name               Text
	Value, Description Text
	Extra              []Field
}

// Level is how much a permission allows. Unset is no answer: see Permissions.
type Level uint8

const (
	LevelUnset Level = iota
	LevelNone
	LevelRead
	LevelWrite
)

// Permissions are what the token of a job may do. Unset, those of what encloses it
// count, and in the end the settings of the repository.
type Permissions struct {
	Key, Span penstock.Span
	// All is the level of every scope: "read-all", "write-all", and LevelNone for a
	// map without scopes. It is LevelUnset where Scopes are given.
	All Level
	// Scopes are given one by one; a scope that is missing has LevelNone.
	Scopes []Scope
	// Text is an expression or a word that is not known.
	Text  Text
	Extra []Field
}

// Scope is one permission.
type Scope struct {
	Name, Value Text
	Level       Level // LevelUnset if the value is not known
}

// IsSet reports whether permissions are given at all.
func (p Permissions) IsSet() bool { return p.Span.End > 0 }

// Level is what the permissions say of a scope, LevelUnset if they are not set or
// not understood.
func (p Permissions) Level(scope string) Level {
	for i := len(p.Scopes) - 1; i >= 0; i-- {
		if p.Scopes[i].Name.Value == scope {
			return p.Scopes[i].Level
		}
	}
	if len(p.Scopes) > 0 {
		return LevelNone
	}
	return p.All
}

// Defaults are those of the steps that run a script.
type Defaults struct {
	Shell, Dir Text
	Extra      []Field
}

// Concurrency keeps runs of one group from running at the same time.
type Concurrency struct {
	Span                    penstock.Span
	Group, CancelInProgress Text
	Queue                   Text
	Extra                   []Field
}

// Job is what runs on one runner, or a call of a reusable pipeline.
type Job struct {
	ID Text
	// Span is the job from its id to its end.
	Span            penstock.Span
	Name            Text
	Needs           []Text
	If              Text
	RunsOn          RunsOn
	Permissions     Permissions
	Environment     Rare[JobEnvironment]
	Env             Data
	Outputs         Data
	Strategy        Rare[Strategy]
	Container       Rare[Container]
	Services        []Service
	Steps           []Step
	ContinueOnError Rare[Text]
	Timeout         Rare[Text]
	Defaults        Rare[Defaults]
	Concurrency     Rare[Concurrency]
	CacheMode       Text
	// Uses is the pipeline that is called; With and Secrets are what it is given.
	Uses    Use
	With    Data
	Secrets Rare[Data] // GitLab: what the job takes out of vaults

	// Extends are the templates that it takes over: already done in a merged pipeline.
	// Incomplete says that some of them were not there, so that it may have more to it.
	Extends    []Text
	Incomplete bool
	// Rules, of which the first that applies decides whether the job runs. RulesSpan
	// is set where there are any, if only an empty list.
	Rules     []Rule
	RulesSpan penstock.Span
	// Only and Except are the older form of rules.
	Only, Except Rare[Filter]
	// When is "on_success", "manual", "always" and the like.
	When Rare[Text]
	// Artifacts are the files that the job leaves to others, Downloads where it takes
	// such files from. DownloadsSet is set where it says so, if only with an empty list.
	Artifacts    []Artifact
	Downloads    []Download
	DownloadsSet bool
	Caches       []Cache
	// Tokens are the identity tokens that the job asks for.
	Tokens []Token
	// Inherit limits what it takes over from Pipeline.Default and Env.
	Inherit Rare[Data]
	// Downstream is the pipeline that the job starts; Uses names it, too.
	Downstream *Downstream
	// Clauses and Credentials are those that enclose the whole job.
	Clauses     []Clause
	Credentials []Credential
	// Workspace is equal for jobs that work in one folder of one runner, one after the
	// other or at the same time; 0 where each has its own.
	Workspace int
	// Stage is the group of jobs that it runs with. StageIf is the condition of all of
	// them.
	Stage   Text
	StageIf Rare[Text]
	// Sources are where further variables come from.
	Sources []VariableSource
	// Inserted are the keys that decide whether it is there, outermost first.
	Inserted []Insertion
	Extra    []Field
}

// Clause is a condition that decides whether what it encloses runs, for forges whose
// conditions nest. All clauses of an element must hold.
type Clause struct {
	Text
	Kind ClauseKind
	// Not says that the condition must not hold: the branch behind else, or what
	// follows a return.
	Not bool
}

// ClauseKind is the form of a clause.
type ClauseKind string

// The forms.
const (
	ClauseWhen  ClauseKind = "when"  // of a stage: the conditions, of which all must hold
	ClauseIf    ClauseKind = "if"    // an expression
	ClausePost  ClauseKind = "post"  // the result of the run: always, success, failure ...
	ClauseInput ClauseKind = "input" // a person who lets the run go on; the text is what the step is given
)

// Credential is a secret of the forge's store that a job or step holds.
type Credential struct {
	penstock.Span
	// ID names it in the store.
	ID Text
	// Variables are those of the environment that it is put into.
	Variables []Text
	// Kind is what binds it: "string", "usernamePassword", "sshagent", "environment".
	Kind string
}

// Include is a file that becomes part of a pipeline before that runs (GitLab).
type Include struct {
	Span penstock.Span
	// Use says where it comes from. Its text is the path, address or component. Unlike
	// those of an action, Ref does not stand in the text of a file of another project.
	Use
	// Project and Version are where they are written: group/project, and a branch, tag
	// or commit, without which the newest commit of the default branch counts.
	Project, Version Text
	// Integrity is the hash that the content must have.
	Integrity Text
	// Job is the one whose artifact the file is (UseArtifact).
	Job    Text
	Inputs Data
	Rules  []Rule
	// Found is the path in the tree that was read for it, empty if there was none.
	// A pattern has one Include per file, and one without Found if none fits.
	Found string
	Extra []Field
}

// Rule is a condition: of several the first that applies decides.
type Rule struct {
	Span penstock.Span
	// If is an expression; unset, it applies.
	If Text
	// Changes and Exists are patterns of files, one of which must have changed, or
	// exist; CompareTo is what changes are counted from.
	Changes, Exists []Text
	CompareTo       Text
	// When is "never" where the rule excludes. Unset, it is the job's.
	When, AllowFailure Text
	Variables          Data
	Extra              []Field
}

// Filter is GitLab's only or except.
type Filter struct {
	Span penstock.Span
	// Refs are branches, tags, patterns between slashes, and words such as
	// "merge_requests".
	Refs []Text
	// Variables are expressions.
	Variables, Changes []Text
	Kubernetes         Text
	Extra              []Field
}

// IsSet reports whether the filter is given at all.
func (f Filter) IsSet() bool { return f.Span.End > 0 }

// Artifact is a set of files that a job leaves to other jobs and to people.
type Artifact struct {
	Span           penstock.Span
	Name           Text
	Paths, Exclude []Text
	Untracked      Text
	// When is after which result, Access who may fetch it ("all", "none"; also
	// "true" and "false" of GitLab's public).
	When, Access, ExpireIn Text
	// Dotenv are files whose lines become variables of later jobs.
	Dotenv []Text
	// Reports are files that the forge itself reads, by kind.
	Reports []Field
	Extra   []Field
}

// Download is a job whose artifacts another one takes.
type Download struct {
	Span penstock.Span
	Job  Text
	// Project, Ref and Pipeline lead out of the pipeline.
	Project, Ref, Pipeline Text
	// Artifacts is "false" where only the order counts.
	Artifacts Text
	Optional  Text
	Extra     []Field
}

// Cache is a set of files that later runs get again.
type Cache struct {
	Span penstock.Span
	// Key names it; without one, and without KeyFiles, it is "default". Prefix stands
	// before the hash of KeyFiles.
	Key, Prefix     Text
	KeyFiles        []Text
	Fallback, Paths []Text
	// Policy is "pull", "push" or "pull-push", the default. Unprotect shares it
	// between protected and other branches.
	Policy, When, Untracked, Unprotect Text
	Extra                              []Field
}

// Token is an identity token, in a variable of that name.
type Token struct {
	Name     Text
	Audience []Text
	Extra    []Field
}

// Downstream is a pipeline that a job starts: a child, made of files, or that of
// another project.
type Downstream struct {
	Span            penstock.Span
	Project, Branch Text
	// Strategy is "depend" where the job waits for it.
	Strategy Text
	Includes []Include
	Inputs   Data
	// Forward says which variables it gets.
	Forward Data
	Extra   []Field
}

// InheritsSecrets reports whether a called pipeline gets all secrets of this one.
func (j *Job) InheritsSecrets() bool { return j.Secrets.Get().Text.Value == "inherit" }

// RunsOn says which runner a job wants. An expression is one label.
type RunsOn struct {
	Span   penstock.Span
	Labels []Text
	Group  Text
	Extra  []Field
}

// JobEnvironment is the deployment environment of a job, which may hold secrets
// and ask for approval.
type JobEnvironment struct {
	Span      penstock.Span
	Name, URL Text
	Extra     []Field
}

// Strategy runs a job several times.
type Strategy struct {
	// Matrix holds the axes, and "include" and "exclude"; at GitLab it is a list of
	// sets of axes.
	Matrix                Data
	FailFast, MaxParallel Text
	Extra                 []Field
}

// Container is an image that a job or a service runs in.
type Container struct {
	Span        penstock.Span
	Image       Text
	Credentials Data
	Env         Data
	Options     Text
	Extra       []Field
}

// Service is a container beside a job.
type Service struct {
	Name Text
	Container
}

// Step is one step of a job or of a composite action: it uses an action, runs a
// script, or orders other steps.
type Step struct {
	Span            penstock.Span
	ID, Name, If    Text
	Uses            Use
	With            Data
	Run             Script
	Env             Data
	ContinueOnError Rare[Text]
	Timeout         Rare[Text]
	// Background starts the step without waiting for it; Wait, WaitAll and Cancel
	// name such steps; Parallel are steps that run at the same time.
	Background, WaitAll, Cancel Rare[Text]
	Wait                        []Text
	Parallel                    []Step
	// Call is a step that the forge itself has, or a function that the file does not
	// hold; With is what it is given, where arguments without a name have none.
	Call Rare[Text]
	// Set is a variable of the pipeline's language that the step sets, nil for none.
	Set *Assignment
	// Clauses, Credentials and Container enclose the step within its job.
	Clauses     []Clause
	Credentials []Credential
	Container   *Container
	// Hook is the part of a deployment that the step belongs to (Azure): "deploy".
	Hook Rare[Text]
	// Inserted are the keys that decide whether it is there, outermost first.
	Inserted []Insertion
	// Phase is the key of the job that a GitLab script stands under: StepScript runs
	// before_script and script in one shell, StepAfter has a shell of its own and runs
	// also when those failed, StepHook runs before the checkout.
	Phase StepPhase
	Extra []Field
}

// Assignment sets a variable of the pipeline's language, such as x or env.X: to Value,
// or to what the step prints or returns.
type Assignment struct {
	Name  Text
	Value Data
}

// StepPhase says when in a job a step runs. It is unset for a forge whose steps run
// in the order of the list, and for GitLab's "run".
type StepPhase uint8

const (
	StepHook StepPhase = iota + 1
	StepScript
	StepAfter
)

// Script is text for a shell. An unset shell or directory is that of the defaults.
type Script struct {
	Text
	Shell, Dir Rare[Text]
}

// UseKind says where something that a pipeline uses comes from.
type UseKind uint8

const (
	UseNone       UseKind = iota
	UseRemote             // another repository: owner/repo/path@ref
	UseLocal              // the workspace: ./path
	UseSelf               // the repository of the file, at the commit that runs: $/path
	UseDocker             // an image: docker://image
	UseExpression         // known only at run time
	UseInvalid
	UseTask     // Azure: a task of the forge or of an extension: Name@Ref
	UseBuiltin  // Azure: a step of the language itself: Name is checkout, download ...
	UseURL      // a file at an address
	UseTemplate // a file that the forge ships with
	UseArtifact // a file that another job makes
)

// RefKind is what a reference looks like; only the forge knows what it is.
type RefKind uint8

const (
	RefNone       RefKind = iota
	RefCommit             // a whole SHA-1 or SHA-256
	RefTag                // like a version: v4, 1.2.3; the tag of an image
	RefBranch             // anything else
	RefDigest             // of an image: sha256:...
	RefExpression         // known only at run time
)

// Use is a reference to an action, a pipeline or an image.
type Use struct {
	Text
	Kind                    UseKind
	Owner, Repo, Path, Name string // Name is an image's; the host of a GitLab component
	Ref                     string
	RefKind                 RefKind
	// Comment stands behind it on the same line, as a version does behind a commit.
	Comment *syntax.Comment

	// known is what LookupAction says, where looked is set: the model asks once for all
	// audits.
	known  *ActionSummary
	looked bool
}

// RefSpan is where the reference stands, empty without one.
func (u Use) RefSpan() penstock.Span {
	trimmed := strings.TrimRight(u.Value, " \t\r\n")
	if u.RefKind == RefNone || !strings.HasSuffix(trimmed, u.Ref) {
		return penstock.Span{}
	}
	return u.At(len(trimmed)-len(u.Ref), len(trimmed))
}

// Action is what an action does when a step uses it.
type Action struct {
	Span penstock.Span
	// Using is "composite", "docker", or a runtime such as "node24".
	Using                                            Text
	Main, Pre, PreIf, Post, PostIf                   Text
	Image, Entrypoint, PreEntrypoint, PostEntrypoint Text
	Args                                             []Text
	Env                                              Data
	Steps                                            []Step
	Extra                                            []Field
}

// Dependabot is the configuration of GitHub's update service.
type Dependabot struct {
	Version    Text
	Registries []Field
	Updates    []Update
}

// Update is one ecosystem that Dependabot keeps up to date.
type Update struct {
	Span        penstock.Span
	Ecosystem   Text
	Directories []Text
	Branch      Text
	// ExternalCode allows the code of dependencies to run: "allow" or "deny".
	ExternalCode Text
	Schedule     Data
	Cooldown     Data
	Groups       Data
	Registries   Data
	Extra        []Field
}

// Hook is a repository whose hooks pre-commit runs, at a revision.
type Hook struct {
	Repo, Rev Text
	Extra     []Field
}

// Lock pins what workflows use to commits.
type Lock struct {
	Version   Text
	Workflows []LockedWorkflow
	// Dependencies are keyed by pin: OWNER/REPO@REF.
	Dependencies []LockedAction
}

// LockedWorkflow is one workflow with all pins that it depends on.
type LockedWorkflow struct {
	Path Text
	Pins []Text
}

// LockedAction is what a pin stands for. Commit has the algorithm before it:
// "sha1-...".
type LockedAction struct {
	Pin                   Text
	Hostname, Ref, Commit Text
	OwnerID, RepoID       Text
	Uses                  []Text
	Extra                 []Field
}
