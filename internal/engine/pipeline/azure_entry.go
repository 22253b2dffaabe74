package pipeline

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Events of Azure Pipelines, as the model and the table of semantics have them.
const (
	AzureCI          = "ci"       // a push
	AzurePullRequest = "pr"       // a pull request: of GitHub or Bitbucket, or by a branch policy
	AzureSchedule    = "schedule" // the clock
	AzureResource    = "resource" // another pipeline, repository or image, or a webhook
	AzureManual      = "manual"   // someone, who chooses the parameters

	// azureEnterprise is AzurePullRequest at GitHub Enterprise Server, which has other
	// defaults.
	azureEnterprise = "pr-enterprise"
)

// AzureHost is where the code of a pipeline is.
type AzureHost string

// The hosts. With an unknown one the rules of github.com hold, which are those for
// strangers.
const (
	AzureHostUnknown    AzureHost = ""
	AzureHostGitHub     AzureHost = "github"
	AzureHostEnterprise AzureHost = "github-enterprise"
	AzureHostBitbucket  AzureHost = "bitbucket"
	AzureHostRepos      AzureHost = "azure"
)

// AzureEntry is a way in which a pipeline starts.
type AzureEntry struct {
	Event  string
	Origin Origin
	// Actor is the weakest who can bring it about by themselves, or, if After is set,
	// once that has happened.
	Actor ActorClass
	After string
	// Trigger is what the file says of it; nil if it is so without a word.
	Trigger *Trigger
	// Definition is where the pipeline comes from, Secrets which secrets reach it, and
	// Token what its token may do.
	Definition WorkflowRef
	Secrets    Reach
	Token      Access
	Approval   Approval
	// Rows are the rules behind this, and Assumes what was taken for granted.
	Rows    []Row
	Assumes []string
}

// AzureEntries are the ways in which a pipeline starts, the manual one last. A template
// has none: KindAzurePart says so only of some, a caller who has seen a file used as a
// template knows better.
func AzureEntries(p *Pipeline, view View, s AzureSettings) []AzureEntry {
	if p.Kind != KindAzure {
		return nil
	}
	var out []AzureEntry
	off := func(t *Trigger) bool { return len(t.Types) > 0 && strings.EqualFold(t.Types[0].Value, "none") }
	ci, pr := p.Trigger(AzureCI), p.Trigger(AzurePullRequest)
	if ci == nil && s.ImpliedTrigger != SwitchOff || ci != nil && !off(ci) {
		e := azureEntry(view, AzureCI, OriginRepository)
		e.Trigger = ci
		if ci == nil {
			e.Assumes = append(e.Assumes, "a pipeline without a trigger runs on every push")
		}
		out = append(out, e)
	}
	switch {
	case s.Repository == AzureHostRepos:
		// "pr" has no meaning there.
		e := azureEntry(view, AzurePullRequest, OriginRepository)
		e.Assumes = append(e.Assumes, "a branch policy asks for the build")
		out = append(out, e)
	case pr == nil || !off(pr):
		e := azureEntry(view, AzurePullRequest, OriginRepository)
		e.Trigger = pr
		if pr == nil {
			e.Assumes = append(e.Assumes, "without \"pr\" every pull request is built")
		}
		if s.Repository == AzureHostUnknown {
			e.Assumes = append(e.Assumes, "the code is at GitHub")
		}
		out = append(out, e)
		if s.ForkBuilds != SwitchOff && s.Repository != AzureHostBitbucket {
			out = append(out, azureFork(view, s, e))
		}
	}
	for i := range p.Triggers {
		if t := &p.Triggers[i]; t.Event.Value == AzureSchedule || t.Event.Value == AzureResource {
			e := azureEntry(view, t.Event.Value, OriginRepository)
			e.Trigger = t
			out = append(out, e)
		}
	}
	return append(out, azureEntry(view, AzureManual, OriginRepository))
}

func azureEntry(view View, event string, origin Origin) AzureEntry {
	e := AzureEntry{Event: event, Origin: origin, Actor: ActorWriter}
	ask := func(topic Topic) string {
		r := view.Row(topic, event, origin)
		if r.ID != "" {
			e.Rows = append(e.Rows, r)
		}
		return r.Answer
	}
	e.Definition = WorkflowRef(ask(TopicRef))
	e.Secrets = Reach(ask(TopicSecrets))
	e.Token = Access(ask(TopicToken))
	e.Approval = Approval(ask(TopicApproval))
	return e
}

// azureFork is the pull request from a fork beside one from the repository itself.
func azureFork(view View, s AzureSettings, own AzureEntry) AzureEntry {
	event := AzurePullRequest
	if s.Repository == AzureHostEnterprise {
		event = azureEnterprise
	}
	e := azureEntry(view, event, OriginFork)
	e.Event, e.Definition, e.Actor = AzurePullRequest, own.Definition, ActorAnyone
	e.Trigger, e.Assumes = own.Trigger, slices.Clone(own.Assumes)
	if s.ForkBuilds == SwitchDefault {
		e.Assumes = append(e.Assumes, "the pipeline builds pull requests from forks")
	}
	switch s.ForkSecrets {
	case SwitchOn:
		e.Secrets = ReachAll
	case SwitchOff:
		e.Secrets = ReachNone
	}
	if s.ForkFullAccess == SwitchOn {
		e.Token = view.Row(TopicToken, AzureCI, OriginRepository).accessAnswer()
	}
	switch s.CommentRequired {
	case "all", "non-team":
		e.After, e.Approval = "a member comments on the pull request to have it built", ApprovalSetting
	case "none":
		e.Approval = ApprovalNone
	}
	return e
}

func (r Row) accessAnswer() Access { return Access(r.Answer) }

// AzureTokenVariable reports whether a variable, by its name in a macro or an
// environment, is the job's token.
func AzureTokenVariable(name string) bool { return azureKey(name) == "system_accesstoken" }

var azureDots = strings.NewReplacer(".", "_", " ", "_")

// AzureEnvironmentName is the name that a variable has in the environment of a
// script. Secret variables are not there unless "env" puts them.
func AzureEnvironmentName(name string) string {
	return strings.ToUpper(azureDots.Replace(name))
}

// azureKey is what all spellings of a variable have in common: Build.Reason,
// BUILD_REASON, variables['Build.Reason'], variables.x.
func azureKey(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if rest, ok := strings.CutPrefix(name, "variables["); ok {
		name = strings.Trim(rest, "'\"] ")
	}
	name = strings.TrimPrefix(name, "variables.")
	return azureDots.Replace(name)
}

// azureRow is a row of the table: variables, each with the events at which it holds.
type azureRow struct {
	events string // separated by spaces; none is all
	hosts  string // the same; none is all
	actor  ActorClass
	after  string
	names  string // shape:name, separated by spaces; "!" after the shape marks Code
}

// azureControls says who chooses predefined variables, the more special rows first.
// https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
//
// Build.SourceVersionMessage of a pull request is that of the merge commit, which
// GitHub makes of two hashes and Azure Repos of the names of branches. The identity
// behind RequestedFor is, with code at GitHub, always that of the service.
var azureControls = []azureRow{
	{AzurePullRequest, "", ActorAnyone, "", `ref!:System.PullRequest.SourceBranch ref!:System.PullRequest.SourceBranchName
		slug!:System.PullRequest.SourceRepositoryURI sha!:System.PullRequest.SourceCommitId
		number!:System.PullRequest.PullRequestId number!:System.PullRequest.PullRequestNumber bool:System.PullRequest.IsFork
		slug!:Build.SourceBranch slug!:Build.SourceBranchName sha!:Build.SourceVersion line:Build.SourceVersionAuthor`},
	{AzurePullRequest, "github github-enterprise", ActorAnyone, "", `enum:Build.SourceVersionMessage`},
	{AzurePullRequest, "", ActorAnyone, "", `line:Build.SourceVersionMessage`},
	{AzurePullRequest, "", ActorWriter, "", `ref:System.PullRequest.TargetBranch ref:System.PullRequest.TargetBranchName
		ref:System.PullRequest.targetBranchName`},
	{AzureCI, "", ActorAnyone, merged, `line:Build.SourceVersionMessage line:Build.SourceVersionAuthor`},
	{"schedule manual resource", "", ActorAnyone, merged, `line:Build.SourceVersionMessage line:Build.SourceVersionAuthor`},
	{"ci manual schedule resource", "", ActorWriter, "", `ref:Build.SourceBranch ref:Build.SourceBranchName sha:Build.SourceVersion`},
	{"", "github github-enterprise bitbucket", ActorAdmin, "", `line:Build.RequestedFor email:Build.RequestedForEmail`},
	{"", "", ActorWriter, "", `line:Build.RequestedFor email:Build.RequestedForEmail line:Build.QueuedBy
		slug:Build.RequestedForId slug:Build.QueuedById slug:Build.BuildNumber`},
	{"", "", ActorAdmin, "", `slug:Build.Repository.Name slug:Build.Repository.Uri slug:Build.Repository.ID
		enum:Build.Repository.Provider line:Build.DefinitionName line:Build.TriggeredBy.DefinitionName line:System.TeamProject
		line:Agent.Name line:Agent.MachineName path:Agent.HomeDirectory enum:Build.Reason number:Build.BuildId
		enum:Agent.OS enum:Agent.OSArchitecture`},
}

type azureControl struct {
	Control
	events, hosts []string
	key           string
}

// azureControlIndex finds the rows of a variable by its key, in their order.
var azureControlIndex = sync.OnceValue(func() map[string][]azureControl {
	out := make(map[string][]azureControl)
	for _, row := range azureControls {
		for _, entry := range strings.Fields(row.names) {
			kind, name, _ := strings.Cut(entry, ":")
			c := azureControl{
				Control: Control{Pattern: name, Actor: row.actor, After: row.after},
				events:  strings.Fields(row.events), hosts: strings.Fields(row.hosts), key: azureKey(name),
			}
			kind, c.Code = strings.CutSuffix(kind, "!")
			c.Shape = shapeOf(kind)
			out[c.key] = append(out[c.key], c)
		}
	}
	return out
})

// AzureControlOf says who chooses what a variable holds in a run for the event: of a
// macro $(name), of the environment, or of an expression such as
// variables['Build.SourceBranch'] or resources.pipeline.x.sourceBranch. The result is
// false for variables of the pipeline itself and for those that the forge sets. An
// empty event asks for any: the weakest actor answers.
func AzureControlOf(name, event string, host AzureHost) (Control, bool) {
	key := azureKey(name)
	for _, prefix := range []string{"resources_pipeline_", "resources_pipelines_"} {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			return azurePipelineVariable(name, rest)
		}
	}
	var best Control
	found := false
	for _, row := range azureControlIndex()[key] {
		if event != "" && len(row.events) > 0 && !slices.Contains(row.events, event) ||
			len(row.hosts) > 0 && !slices.Contains(row.hosts, string(host)) {
			continue
		}
		if event != "" {
			return row.Control, true
		}
		if !found || weaker(row.Control, best) && (row.Shape.Injects() || !best.Shape.Injects()) ||
			row.Shape.Injects() && !best.Shape.Injects() {
			best, found = row.Control, true
		}
	}
	return best, found
}

// azurePipelineVariable is one of the variables about a pipeline that is a resource.
func azurePipelineVariable(name, rest string) (Control, bool) {
	c := Control{Pattern: name, Actor: ActorWriter}
	switch rest[strings.LastIndexByte(rest, '_')+1:] {
	case "sourcebranch":
		c.Shape, c.Code = ShapeRef, true
	case "sourcecommit":
		c.Shape, c.Code = ShapeSHA, true
	case "requestedfor", "runname":
		c.Shape = ShapeLine
	case "runid", "pipelineid", "requestedforid", "projectid":
		c.Shape = ShapeSlug
	default:
		return Control{}, false
	}
	return c, true
}

// AzureInputShape is the shape of a parameter of a pipeline, which whoever runs it by
// hand chooses.
func AzureInputShape(in Input) Shape {
	if len(in.Options) > 0 {
		return ShapeEnum
	}
	switch strings.ToLower(in.Type.Value) {
	case "boolean":
		return ShapeBoolean
	case "number":
		return ShapeNumber
	case "object":
		return ShapeObject
	}
	return ShapeText
}

// AzureVariables are the names, in lower case, of the variables that a pipeline
// defines: as variables, in a matrix, and by logging commands in its scripts. They are
// ShellInput.Macros.
func AzureVariables(p *Pipeline) map[string]bool {
	out := map[string]bool{}
	add := func(d Data) {
		for _, f := range d.Fields {
			out[strings.ToLower(f.Name.Value)] = true
		}
	}
	add(p.Env)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		add(j.Env)
		for _, f := range j.Strategy.Get().Matrix.Fields {
			add(f.Value)
		}
		for k := range j.Steps {
			for name := range azureSet(j.Steps[k].Run.Value) {
				out[strings.ToLower(name)] = true
			}
		}
	}
	return out
}

// azureSet finds the variables that a script sets by ##vso[task.setvariable].
func azureSet(script string) map[string]bool {
	var out map[string]bool
	for {
		i := strings.Index(script, azureCommand)
		if i < 0 {
			return out
		}
		script = script[i+len(azureCommand):]
		head, _, _ := strings.Cut(script[:min(len(script), 500)], "]")
		if action, name, _, _ := azureLogging(head); action == "task.setvariable" && name != "" {
			if out == nil {
				out = map[string]bool{}
			}
			out[name] = true
		}
	}
}

// AzureHosted reports whether a job runs on a machine of Microsoft that is thrown away
// after it. Known is false where an expression, a setting or a template decides.
func AzureHosted(j *Job) (hosted, known bool) {
	r := j.RunsOn
	group := strings.TrimSpace(r.Group.Value)
	given := slices.ContainsFunc(j.Inserted, func(i Insertion) bool { return i.Kind == InsertParameter })
	switch {
	case r.Span.End == 0 && (given || j.Uses.IsSet()):
		return false, false
	case strings.Contains(group, "$"):
		return false, false
	case group == "" || strings.EqualFold(group, "Azure Pipelines") || strings.HasPrefix(strings.ToLower(group), "hosted "):
		for _, f := range r.Extra {
			if f.Name.Value == "name" {
				return false, false // another branch has another pool
			}
		}
		return true, true // without a pool it is a hosted one
	case strings.EqualFold(group, "server"):
		return true, true // no machine at all
	}
	return false, len(r.Labels) == 0
}

// AzureDeployment reports whether a job is a deployment: it checks nothing out by
// itself, and takes artifacts without being told.
func AzureDeployment(j *Job) bool {
	for _, f := range j.Extra {
		if f.Name.Value == "deployment" {
			return true
		}
	}
	return false
}

// AzureImplicitCheckout reports whether a job checks out the repository of the
// pipeline although no step says so.
func AzureImplicitCheckout(j *Job) bool {
	if AzureDeployment(j) || len(j.Steps) == 0 {
		return false
	}
	for i := range j.Steps {
		if u := j.Steps[i].Uses; u.Kind == UseBuiltin && u.Name == "checkout" {
			return false
		}
	}
	return true
}

// AzureSituation is a run as someone brings it about.
type AzureSituation struct {
	Event string
	Fork  bool
	Host  AzureHost
	// DefaultBranch is that of the repository, without refs/heads/; empty if unknown.
	DefaultBranch string
	Status        Status
}

// Environment is what conditions and ${{ if }} know in the situation: predefined
// variables, and those that p and j define with a value that does not change. P and j
// may be nil.
func (s AzureSituation) Environment(p *Pipeline, j *Job) *Environment {
	return s.environment(p, j, azureChanged(p))
}

// azureChanged are the variables, in lower case, that scripts of a pipeline set.
func azureChanged(p *Pipeline) map[string]bool {
	changed := map[string]bool{}
	if p == nil {
		return changed
	}
	for i := range p.Jobs {
		for k := range p.Jobs[i].Steps {
			for name := range azureSet(p.Jobs[i].Steps[k].Run.Value) {
				changed[strings.ToLower(name)] = true
			}
		}
	}
	return changed
}

func (s AzureSituation) environment(p *Pipeline, j *Job, written map[string]bool) *Environment {
	e := &Environment{Status: s.Status}
	set := func(name string, v Value) { e.Set("variables['"+name+"']", v) }
	unknown := func(name, prefix, suffix string) {
		set(name, UnknownString(prefix, suffix, "variables['"+strings.ToLower(name)+"']"))
	}
	s.define(e, p, j, written)
	switch s.Event {
	case AzurePullRequest:
		set("Build.Reason", String("PullRequest"))
		unknown("Build.SourceBranch", "refs/pull/", "/merge")
		set("Build.SourceBranchName", String("merge"))
		fork := "False"
		if s.Fork {
			fork = "True"
		}
		set("System.PullRequest.IsFork", String(fork))
	case AzureCI:
		set("Build.Reason", OneOf([]Value{String("IndividualCI"), String("BatchedCI")}, "variables['build.reason']"))
		unknown("Build.SourceBranch", "refs/", "")
	case AzureSchedule:
		set("Build.Reason", String("Schedule"))
		unknown("Build.SourceBranch", "refs/heads/", "")
	case AzureResource:
		set("Build.Reason", OneOf([]Value{String("ResourceTrigger"), String("BuildCompletion")}, "variables['build.reason']"))
		if s.DefaultBranch != "" {
			set("Build.SourceBranch", String("refs/heads/"+s.DefaultBranch))
		}
	case AzureManual:
		set("Build.Reason", String("Manual"))
		unknown("Build.SourceBranch", "refs/", "")
	}
	if s.Event != AzurePullRequest {
		for _, name := range []string{"SourceBranch", "TargetBranch", "SourceRepositoryURI", "SourceCommitId", "PullRequestId", "PullRequestNumber"} {
			set("System.PullRequest."+name, Null())
		}
		set("System.PullRequest.IsFork", OneOf([]Value{String("False"), Null()}, "variables['system.pullrequest.isfork']"))
	}
	switch s.Host {
	case AzureHostGitHub:
		set("Build.Repository.Provider", String("GitHub"))
	case AzureHostEnterprise:
		set("Build.Repository.Provider", String("GitHubEnterprise"))
	case AzureHostBitbucket:
		set("Build.Repository.Provider", String("Bitbucket"))
	case AzureHostRepos:
		set("Build.Repository.Provider", String("TfsGit"))
	}
	return e
}

// define sets the variables of the file whose value stands there and is not set again.
func (s AzureSituation) define(e *Environment, p *Pipeline, j *Job, written map[string]bool) {
	if p == nil {
		return
	}
	changed := maps.Clone(written)
	values, count := map[string]Text{}, map[string]int{}
	scan := func(d Data, level int) {
		for _, f := range d.Fields {
			name := strings.ToLower(f.Name.Value)
			if f.Value.Kind != DataScalar || len(f.Inserted) > 0 || count[name] == level {
				changed[name] = true // several values, or one that may not be there
			}
			values[name], count[name] = f.Value.Text, level
		}
	}
	scan(p.Env, 1)
	if j != nil {
		scan(j.Env, 2)
		for _, row := range j.Strategy.Get().Matrix.Fields {
			for _, f := range row.Value.Fields {
				changed[strings.ToLower(f.Name.Value)] = true
			}
		}
	}
	for name, t := range values {
		if !changed[name] && len(t.Parts) == 0 && !strings.ContainsAny(name, "'\n") {
			e.Set("variables['"+name+"']", String(t.Value))
		}
	}
}

// AzureInserted decides whether an element is there, by the keys above it.
func AzureInserted(all []Insertion, e *Environment) Truth {
	out := True
	ask := func(source string) Truth {
		c, err := ParseAzureCondition(source)
		if err != nil {
			return Undecided
		}
		return c.Evaluate(e).Truth()
	}
	for _, i := range all {
		if i.Kind != InsertIf && i.Kind != InsertElse {
			out = Undecided
			continue
		}
		here := True
		if i.Source != "" {
			here = ask(i.Source)
		}
		for _, n := range i.Not {
			switch ask(n) {
			case True:
				return False
			case Undecided:
				if here == True {
					here = Undecided
				}
			}
		}
		switch here {
		case False:
			return False
		case Undecided:
			out = Undecided
		}
	}
	return out
}

// AzureSecret reports whether a macro $(name) may be a secret, and whether that is
// sure. The job's token is one. A variable that no file defines comes from a group, a
// vault or the settings of the pipeline: it can be secret, and where "env" hands it to
// a script it mostly is, since other variables are in the environment already.
// Defined are the names of AzureVariables.
func AzureSecret(name string, defined map[string]bool) (secret, sure bool) {
	if AzureTokenVariable(name) {
		return true, true
	}
	lower := strings.ToLower(name)
	if defined[lower] {
		return false, true
	}
	area, _, dotted := strings.Cut(lower, ".")
	if dotted && slices.Contains([]string{"agent", "build", "checks", "common", "environment", "pipeline", "release", "resources", "strategy", "system", "tf"}, area) {
		return false, true
	}
	return lower != "", false
}
