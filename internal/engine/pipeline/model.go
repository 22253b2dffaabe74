// Package pipeline is the engine that reads the definitions of CI pipelines and
// finds what a stranger can make them do.
//
// A front end per format turns a file into one model, which everything else works
// on. Invariant: whatever a file holds, its front end ends, keeps what it does not
// know as data, and gives each element the span of bytes it stands on.
package pipeline

import (
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Kind says what a file is to its forge.
type Kind uint8

const (
	KindNone       Kind = iota // no pipeline definition
	KindWorkflow               // GitHub: .github/workflows/*.yml, also reusable ones
	KindAction                 // GitHub: action.yml
	KindDependabot             // GitHub: .github/dependabot.yml
	KindLock                   // GitHub: .github/workflows/actions.lock
)

var kindNames = [...]string{"none", "workflow", "action", "dependabot", "lock"}

func (k Kind) String() string { return kindNames[k] }

// Forge is the product that runs a pipeline.
type Forge string

// GitHub is GitHub Actions.
const GitHub Forge = "github"

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

// Reusable reports whether other pipelines can call this one.
func (p *Pipeline) Reusable() bool { return p.Trigger("workflow_call") != nil }

// NoteKind classes notes.
type NoteKind uint8

const (
	NoteSyntax     NoteKind = iota + 1 // not valid in the language of the file; the span was not read
	NoteType                           // a value of another type than the format has there
	NoteDuplicate                      // a key that is there twice: Span is the earlier, Other the one that counts
	NoteMerge                          // a merge key, which GitHub does not take
	NoteExpression                     // an expression that does not end
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
// format takes an expression in place of a map, it is the Text.
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
	Environment     JobEnvironment
	Env             Data
	Outputs         Data
	Strategy        Strategy
	Container       Container
	Services        []Service
	Steps           []Step
	ContinueOnError Text
	Timeout         Text
	Defaults        Defaults
	Concurrency     Concurrency
	CacheMode       Text
	// Uses is the pipeline that is called; With and Secrets are what it is given.
	Uses    Use
	With    Data
	Secrets Data
	Extra   []Field
}

// InheritsSecrets reports whether a called pipeline gets all secrets of this one.
func (j *Job) InheritsSecrets() bool { return j.Secrets.Text.Value == "inherit" }

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
	// Matrix holds the axes, and "include" and "exclude".
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
	ContinueOnError Text
	Timeout         Text
	// Background starts the step without waiting for it; Wait, WaitAll and Cancel
	// name such steps; Parallel are steps that run at the same time.
	Background, WaitAll, Cancel Text
	Wait                        []Text
	Parallel                    []Step
	Extra                       []Field
}

// Script is text for a shell. An unset shell or directory is that of the defaults.
type Script struct {
	Text
	Shell, Dir Text
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
	Owner, Repo, Path, Name string // Name is an image's
	Ref                     string
	RefKind                 RefKind
	// Comment stands behind it on the same line, as a version does behind a commit.
	Comment *syntax.Comment
}

// RefSpan is where the reference stands, empty without one.
func (u Use) RefSpan() penstock.Span {
	if u.RefKind == RefNone {
		return penstock.Span{}
	}
	trimmed := strings.TrimRight(u.Value, " \t\r\n")
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
