package pipeline

import (
	"path"
	"slices"
	"strings"
	"sync"
)

// GitLabSources are the values of CI_PIPELINE_SOURCE for pipelines of a project.
// https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
var gitlabSources = [...]string{
	"push", "merge_request_event", "web", "schedule", "api", "trigger", "pipeline", "parent_pipeline", "chat", "webide", "external", "external_pull_request_event",
}

// GitLabSituation is how a pipeline of GitLab comes about. What is not known stays
// zero.
type GitLabSituation struct {
	// Source is the value of CI_PIPELINE_SOURCE: "push", "merge_request_event".
	Source string
	// Actor is who brings it about.
	Actor ActorClass
	// Fork says of a merge request that it comes from a fork. Its pipeline runs there,
	// with nothing of ours, unless Parent says that a member started it in the project
	// that it goes to.
	Fork, Parent bool
	// Tag says that the pipeline is for a tag.
	Tag bool
	// Branch is the name of the branch, the source's for a merge request; OnDefault
	// whether it is the default branch, and Protected whether branch or tag are
	// protected. None of them is derived from another.
	Branch               string
	OnDefault, Protected Truth
	// DefaultBranch and Project (group/project) are the project's.
	DefaultBranch, Project string
}

func (s GitLabSituation) mergeRequest() bool { return s.Source == "merge_request_event" }

// Environment is what the predefined variables hold in the situation, as far as it
// decides that. Names that GitLab does not define are unknown, since the settings of
// a project may.
func (s GitLabSituation) Environment() *Environment {
	e := &Environment{}
	set := func(name string, v Value) { e.Set("$"+name, v) }
	str := func(name, value string) {
		if value == "" {
			set(name, NonEmpty("$"+name))
		} else {
			set(name, String(value))
		}
	}
	set("CI", String("true"))
	set("GITLAB_CI", String("true"))
	set("CI_SERVER", Null()) // it is there for scripts alone
	if s.Source == "" {
		return e
	}
	set("CI_PIPELINE_SOURCE", String(s.Source))
	str("CI_COMMIT_SHA", "")
	str("CI_COMMIT_SHORT_SHA", "")
	s.setBranch(e)
	if !s.mergeRequest() {
		for _, name := range mergeRequestVariables {
			set("CI_MERGE_REQUEST_"+name, Null())
		}
	} else {
		set("CI_OPEN_MERGE_REQUESTS", Unknown("$CI_OPEN_MERGE_REQUESTS"))
		for _, name := range []string{"ID", "IID", "TITLE", "REF_PATH", "PROJECT_ID", "PROJECT_PATH", "PROJECT_URL", "SOURCE_PROJECT_ID",
			"SOURCE_PROJECT_PATH", "SOURCE_PROJECT_URL", "TARGET_BRANCH_NAME", "DIFF_ID", "DIFF_BASE_SHA"} {
			str("CI_MERGE_REQUEST_"+name, "")
		}
		set("CI_MERGE_REQUEST_EVENT_TYPE", OneOf([]Value{String("detached"), String("merged_result"), String("merge_train")}, "$CI_MERGE_REQUEST_EVENT_TYPE"))
		set("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", e.Get("$CI_COMMIT_REF_NAME"))
	}
	if s.Source != "external_pull_request_event" {
		for _, name := range []string{"IID", "SOURCE_REPOSITORY", "TARGET_REPOSITORY", "SOURCE_BRANCH_NAME", "SOURCE_BRANCH_SHA", "TARGET_BRANCH_NAME", "TARGET_BRANCH_SHA"} {
			set("CI_EXTERNAL_PULL_REQUEST_"+name, Null())
		}
	}
	if s.Source != "chat" {
		set("CHAT_INPUT", Null())
		set("CHAT_CHANNEL", Null())
	}
	if s.Source != "trigger" {
		set("TRIGGER_PAYLOAD", Null())
		set("CI_PIPELINE_TRIGGERED", Null())
	} else {
		set("CI_PIPELINE_TRIGGERED", String("true"))
	}
	switch s.Protected {
	case True:
		set("CI_COMMIT_REF_PROTECTED", String("true"))
	case False:
		set("CI_COMMIT_REF_PROTECTED", String("false"))
	}
	s.setProject(e)
	return e
}

// mergeRequestVariables are the predefined variables that only pipelines of merge
// requests have, without CI_MERGE_REQUEST_.
var mergeRequestVariables = [...]string{
	"APPROVED", "ASSIGNEES", "DESCRIPTION", "DESCRIPTION_IS_TRUNCATED", "DIFF_BASE_SHA", "DIFF_ID", "DRAFT", "EVENT_TYPE", "ID", "IID", "LABELS",
	"MILESTONE", "PROJECT_ID", "PROJECT_PATH", "PROJECT_URL", "REF_PATH", "SOURCE_BRANCH_NAME", "SOURCE_BRANCH_PROTECTED", "SOURCE_BRANCH_SHA",
	"SOURCE_PROJECT_ID", "SOURCE_PROJECT_PATH", "SOURCE_PROJECT_URL", "SQUASH_ON_MERGE", "TARGET_BRANCH_NAME", "TARGET_BRANCH_PROTECTED",
	"TARGET_BRANCH_SHA", "TITLE",
}

// setBranch sets what the ref of the pipeline decides.
func (s GitLabSituation) setBranch(e *Environment) {
	const main = "$CI_DEFAULT_BRANCH"
	byDefault := Value{truth: True, u: &unknown{kind: KindString, depends: []string{main}, is: main}}
	if s.DefaultBranch != "" {
		byDefault = String(s.DefaultBranch)
	}
	e.Set(main, byDefault)
	name := NonEmpty("$CI_COMMIT_REF_NAME")
	switch {
	case s.Branch != "":
		name = String(s.Branch)
	case s.Tag:
	case s.OnDefault == True:
		name = byDefault
	case s.OnDefault == False:
		name.u.notIs, name.u.notText = main, s.DefaultBranch
	}
	e.Set("$CI_COMMIT_REF_NAME", name)
	e.Set("$CI_COMMIT_REF_SLUG", NonEmpty("$CI_COMMIT_REF_SLUG"))
	branch, tag := name, Null()
	switch {
	case s.Tag:
		branch, tag = Null(), name
	case s.mergeRequest():
		branch = Null()
	}
	e.Set("$CI_COMMIT_BRANCH", branch)
	e.Set("$CI_COMMIT_TAG", tag)
	if !s.Tag {
		e.Set("$CI_COMMIT_TAG_MESSAGE", Null())
	}
}

// setProject sets what the project decides in which the pipeline runs.
func (s GitLabSituation) setProject(e *Environment) {
	const own = "$CI_PROJECT_PATH"
	away := s.mergeRequest() && s.Fork && !s.Parent
	switch {
	case away:
		for _, name := range []string{"CI_PROJECT_PATH", "CI_PROJECT_NAMESPACE", "CI_PROJECT_ROOT_NAMESPACE", "CI_PROJECT_ID", "CI_PROJECT_URL", "GITLAB_USER_LOGIN"} {
			v := Foreign(false, "$"+name)
			v.u.is = "$" + name
			e.Set("$"+name, v)
		}
	case s.Project != "":
		e.Set(own, String(s.Project))
		e.Set("$CI_PROJECT_NAME", String(path.Base(s.Project)))
		e.Set("$CI_PROJECT_NAMESPACE", String(path.Dir(s.Project)))
		root, _, _ := strings.Cut(s.Project, "/")
		e.Set("$CI_PROJECT_ROOT_NAMESPACE", String(root))
	default:
		e.Set(own, Value{truth: True, u: &unknown{kind: KindString, depends: []string{own}, is: own}})
	}
	if !s.mergeRequest() {
		return
	}
	// A merge request is of the project that it goes to.
	for source, of := range map[string]string{
		"$CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "$CI_PROJECT_PATH", "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "$CI_PROJECT_ID", "$CI_MERGE_REQUEST_SOURCE_PROJECT_URL": "$CI_PROJECT_URL",
	} {
		target := strings.Replace(source, "SOURCE_", "", 1)
		switch {
		case !s.Fork:
			v := e.Get(of)
			if v.u != nil && v.u.is == "" {
				v = Value{truth: True, u: &unknown{kind: KindString, depends: []string{of}, is: of}}
				e.Set(of, v)
			}
			e.Set(source, v)
			e.Set(target, v)
		case s.Parent:
			v := e.Get(of)
			if v.u != nil && v.u.is == "" {
				v = Value{truth: True, u: &unknown{kind: KindString, depends: []string{of}, is: of}}
				e.Set(of, v)
			}
			e.Set(target, v)
			foreign := Foreign(false, source)
			foreign.u.notIs = of
			if v.Known() {
				foreign.u.notText = v.text()
			}
			e.Set(source, foreign)
		default:
			// In the fork, its project is the source.
			e.Set(source, e.Get(of))
		}
	}
}

// overridable reports whether who starts the pipeline can give variables that count
// before those of the file.
func (s GitLabSituation) overridable() bool {
	switch s.Source {
	case "web", "schedule", "api", "trigger", "pipeline", "parent_pipeline", "chat", "":
		return true
	}
	return false
}

// GitLabRun is a pipeline in a situation.
type GitLabRun struct {
	// Runs is what workflow:rules say; Rule is the one that decides, if that is known.
	Runs Truth
	Rule *Rule

	p     *Pipeline
	s     GitLabSituation
	env   *Environment
	left  int
	cache map[string]GitLabExpression
}

// GitLabDecision is whether a job is part of a pipeline.
type GitLabDecision struct {
	Runs Truth
	// Manual: whichever rule applies, somebody must start it.
	Manual bool
	// Rule is the one that decides; nil if it is not known or there is none.
	Rule *Rule
	// Open are the rules that could not be decided, up to Rule.
	Open []*Rule
}

// maxGitLabRules is how many conditions are evaluated for one run; the rest is not
// decided.
const maxGitLabRules = 20_000

// GitLabRun puts a pipeline into a situation. The cost is that of its workflow:rules.
func (p *Pipeline) GitLabRun(s GitLabSituation) *GitLabRun {
	return p.gitlabRun(s, s.Environment(), maxGitLabRules, map[string]GitLabExpression{})
}

// gitlabRun is GitLabRun with the environment of the situation, a bound of the
// conditions that are evaluated, and those that were parsed before.
func (p *Pipeline) gitlabRun(s GitLabSituation, base *Environment, left int, cache map[string]GitLabExpression) *GitLabRun {
	r := &GitLabRun{p: p, s: s, env: &Environment{under: base}, left: left, cache: cache}
	r.setVariables(r.env, p.Env)
	if p.RulesSpan.End == 0 {
		r.Runs = True
		return r
	}
	d := r.rules(p.Rules, "always", r.env)
	r.Runs, r.Rule = d.Runs, d.Rule
	for _, open := range d.Open {
		for _, f := range open.Variables.Fields {
			r.env.Set("$"+f.Name.Value, Unknown("$"+f.Name.Value))
		}
	}
	if d.Rule != nil {
		if len(d.Open) == 0 {
			r.setVariables(r.env, d.Rule.Variables)
		} else {
			for _, f := range d.Rule.Variables.Fields {
				r.env.Set("$"+f.Name.Value, Unknown("$"+f.Name.Value))
			}
		}
	}
	return r
}

// setVariables adds variables of the file.
func (r *GitLabRun) setVariables(e *Environment, vars Data) {
	for _, f := range vars.Fields {
		name := f.Name.Value
		if r.s.overridable() || f.Value.Kind != DataScalar {
			e.Set("$"+name, Unknown("$"+name))
			continue
		}
		e.Set("$"+name, expandGitLab(f.Value.Text, e))
	}
}

// expandGitLab is the value of a variable with the variables in it.
func expandGitLab(t Text, e *Environment) Value {
	if len(t.Parts) > 0 {
		return Unknown()
	}
	if !strings.Contains(t.Value, "$") {
		return String(t.Value)
	}
	x := newEvaluator(e)
	var pieces []piece
	for at := 0; at < len(t.Value); {
		i := strings.IndexByte(t.Value[at:], '$')
		if i < 0 {
			pieces = append(pieces, piece{text: t.Value[at:]})
			break
		}
		pieces = append(pieces, piece{text: t.Value[at : at+i]})
		at += i + 1
		name, rest := t.Value[at:], 0
		if strings.HasPrefix(name, "{") {
			name, rest = name[1:], 1
		}
		n := 0
		for n < len(name) && (isNameStart(name[n]) || n > 0 && name[n] >= '0' && name[n] <= '9') {
			n++
		}
		if n == 0 {
			pieces = append(pieces, piece{text: "$"})
			continue
		}
		at += rest + n
		if rest > 0 && at < len(t.Value) && t.Value[at] == '}' {
			at++
		}
		v := e.variable(name[:n])
		if i == 0 && len(pieces) == 1 && at == len(t.Value) {
			return v
		}
		pieces = append(pieces, pieceOf(v))
	}
	return x.concat(pieces)
}

// rules finds the first rule that applies.
func (r *GitLabRun) rules(rules []Rule, when string, env *Environment) GitLabDecision {
	d := GitLabDecision{Runs: False}
	undecided := false
	same := func(runs Truth) {
		for _, open := range d.Open {
			if ruleRuns(open, when) != runs {
				undecided = true
			}
		}
	}
	for i := range rules {
		rule := &rules[i]
		t := r.applies(rule, env)
		if t == False {
			continue
		}
		if t == Undecided {
			d.Open = append(d.Open, rule)
			continue
		}
		d.Runs, d.Rule = ruleRuns(rule, when), rule
		break
	}
	if same(d.Runs); undecided {
		d.Runs = Undecided
	}
	manual := func(rule *Rule) bool {
		return ruleRuns(rule, when) == False || rule.When.Value == "manual" || !rule.When.IsSet() && when == "manual"
	}
	d.Manual = d.Runs != False && (d.Rule == nil || manual(d.Rule))
	for _, open := range d.Open {
		d.Manual = d.Manual && manual(open)
	}
	return d
}

// ruleRuns is what a rule says if it applies.
func ruleRuns(rule *Rule, when string) Truth {
	if rule.When.Value != "" {
		when = rule.When.Value
	}
	switch {
	case isReference(rule.Extra) || isReferenceNamed(rule.Extra, "when") || strings.Contains(when, "$["):
		return Undecided
	case when == "never":
		return False
	}
	return True
}

// isReference reports whether something stands there that was not resolved.
func isReference(extra []Field) bool {
	return slices.ContainsFunc(extra, func(f Field) bool { return !f.Name.IsSet() })
}

// applies decides all that a rule asks for.
func (r *GitLabRun) applies(rule *Rule, env *Environment) Truth {
	if isReference(rule.Extra) || isReferenceNamed(rule.Extra, "if", "changes", "exists") {
		return Undecided
	}
	out := True
	if rule.If.IsSet() {
		out = r.expression(rule.If, env)
	}
	if len(rule.Changes) > 0 {
		out = and(out, r.changes())
	}
	if len(rule.Exists) > 0 {
		out = and(out, Undecided)
	}
	return out
}

// changes is whether files changed: without a push or a merge request, it counts as so.
func (r *GitLabRun) changes() Truth {
	if r.s.Source == "push" && !r.s.Tag || r.s.mergeRequest() || r.s.Source == "" || r.s.Source == "external_pull_request_event" {
		return Undecided
	}
	return True
}

func and(a, b Truth) Truth {
	switch {
	case a == False || b == False:
		return False
	case a == True && b == True:
		return True
	}
	return Undecided
}

func or(a, b Truth) Truth { return and(a.Not(), b.Not()).Not() }

func (r *GitLabRun) expression(t Text, env *Environment) Truth {
	if r.left--; r.left < 0 || len(t.Parts) > 0 && !t.Parts[0].Bare {
		return Undecided
	}
	e, ok := r.cache[t.Value]
	if !ok {
		e, _ = ParseGitLabExpression(t.Value) // one that cannot be read has no root
		r.cache[t.Value] = e
	}
	if e.Root == nil {
		return Undecided
	}
	return e.Evaluate(env).Truth()
}

// Job decides whether a job is part of the run: by its rules, or its only and except,
// without which it is for branches and tags. What it needs is not looked at, and that
// a file which was not read may have workflow:rules only where it makes a job run that
// else would not.
func (r *GitLabRun) Job(j *Job) GitLabDecision {
	env := r.env
	if len(j.Env.Fields) > 0 {
		env = &Environment{under: r.env}
		r.setVariables(env, j.Env)
	}
	var d GitLabDecision
	if j.RulesSpan.End > 0 {
		d = r.rules(j.Rules, j.When.Get().Value, env)
	} else if !j.Only.Get().IsSet() && j.Incomplete {
		// What it extends may have rules.
	} else {
		d.Runs = and(r.only(j, env), r.except(j, env).Not())
		d.Manual = d.Runs != False && j.When.Get().Value == "manual"
		if j.When.Get().Value == "never" || isReferenceNamed(j.Extra, "rules", "only", "except") {
			d.Runs = and(d.Runs, Undecided)
		}
	}
	d.Runs = and(d.Runs, r.Runs)
	return d
}

// isReferenceNamed reports whether one of the keys could not be read.
func isReferenceNamed(extra []Field, names ...string) bool {
	return slices.ContainsFunc(extra, func(f Field) bool { return slices.Contains(names, f.Name.Value) })
}

func (r *GitLabRun) only(j *Job, env *Environment) Truth {
	f := j.Only.Get()
	if !f.IsSet() && r.p.RulesSpan.End > 0 {
		return True
	}
	if !f.IsSet() && r.s.mergeRequest() && r.p.incomplete() {
		return Undecided // a file that we do not have may bring workflow:rules
	}
	out := False
	for _, ref := range f.Refs {
		out = or(out, r.ref(ref, env))
	}
	if len(f.Refs) == 0 {
		out = truthOf(!r.s.mergeRequest())
		if r.s.Source == "" {
			out = Undecided
		}
	}
	if len(f.Variables) > 0 {
		any := False
		for _, v := range f.Variables {
			any = or(any, r.expression(v, env))
		}
		out = and(out, any)
	}
	if len(f.Changes) > 0 {
		out = and(out, r.changes())
	}
	if f.Kubernetes.IsSet() || len(f.Extra) > 0 {
		out = and(out, Undecided)
	}
	return out
}

func (r *GitLabRun) except(j *Job, env *Environment) Truth {
	f := j.Except.Get()
	out := False
	for _, ref := range f.Refs {
		out = or(out, r.ref(ref, env))
	}
	for _, v := range f.Variables {
		out = or(out, r.expression(v, env))
	}
	if len(f.Changes) > 0 {
		out = or(out, r.changes())
	}
	if f.Kubernetes.IsSet() || len(f.Extra) > 0 {
		out = or(out, Undecided)
	}
	return out
}

// incomplete reports whether the pipeline includes a file that was not read.
func (p *Pipeline) incomplete() bool {
	for i := range p.Includes {
		if p.Includes[i].Found == "" {
			return true
		}
	}
	return false
}

// refWords are the words of only and except that stand for a source.
var refWords = map[string]string{
	"api": "api", "chat": "chat", "external": "external", "external_pull_requests": "external_pull_request_event",
	"merge_requests": "merge_request_event", "pipelines": "pipeline", "pushes": "push", "schedules": "schedule", "triggers": "trigger", "web": "web",
}

// ref decides one entry of only:refs or except:refs.
// https://docs.gitlab.com/ci/yaml/deprecated_keywords/#onlyrefs--exceptrefs
func (r *GitLabRun) ref(t Text, env *Environment) Truth {
	if r.s.Source == "" || len(t.Parts) > 0 {
		return Undecided
	}
	// A pattern, or a word, of one project only: branches@group/project.
	pattern, project := t.Value, ""
	end := 0
	if strings.HasPrefix(pattern, "/") {
		end = max(patternEnd(pattern), 0)
	}
	if i := strings.IndexByte(pattern[end:], '@'); i >= 0 {
		pattern, project = pattern[:end+i], pattern[end+i+1:]
	}
	out := True
	if project != "" {
		out = sameGitLab(env.variable("CI_PROJECT_PATH"), String(project))
	}
	switch pattern {
	case "branches":
		return and(out, truthOf(!r.s.Tag && !r.s.mergeRequest()))
	case "tags":
		return and(out, truthOf(r.s.Tag))
	}
	if source, ok := refWords[pattern]; ok {
		return and(out, truthOf(r.s.Source == source))
	}
	if r.s.mergeRequest() {
		return False // patterns are for branches and tags
	}
	if r.left--; r.left < 0 {
		return Undecided
	}
	name := env.variable("CI_COMMIT_REF_NAME")
	if strings.HasPrefix(pattern, "/") {
		return and(out, matchGitLab(name, String(pattern)))
	}
	return and(out, sameGitLab(name, String(pattern)))
}

// GitLabJobRuns is whether a job runs in a situation: False is never. For many jobs or
// reasons use Pipeline.GitLabRun.
func GitLabJobRuns(j *Job, p *Pipeline, s GitLabSituation) Truth { return p.GitLabRun(s).Job(j).Runs }

// sourceEnvironments are those of every source alone, for branches and for tags.
var sourceEnvironments = sync.OnceValue(func() map[GitLabSituation]*Environment {
	out := make(map[GitLabSituation]*Environment, 2*len(gitlabSources))
	for _, source := range gitlabSources {
		for _, tag := range []bool{false, true} {
			s := GitLabSituation{Source: source, Tag: tag}
			out[s] = s.Environment()
		}
	}
	return out
})

// gitlabTriggers are the sources by which some job may run.
func gitlabTriggers(p *Pipeline) []Trigger {
	const evaluations = 1000 // of one source: beyond that, it is one
	if p.Kind != KindGitLab || len(p.Jobs) == 0 {
		return nil
	}
	span := p.RulesSpan
	if span.End == 0 {
		span = p.Span
	}
	cache := map[string]GitLabExpression{}
	runs := func(s GitLabSituation) bool {
		r := p.gitlabRun(s, sourceEnvironments()[s], evaluations, cache)
		if r.Runs == False {
			return false
		}
		for i := range p.Jobs {
			if r.Job(&p.Jobs[i]).Runs != False {
				return true
			}
		}
		return false
	}
	var out []Trigger
	for _, source := range gitlabSources {
		if runs(GitLabSituation{Source: source}) || source != "merge_request_event" && runs(GitLabSituation{Source: source, Tag: true}) {
			t := Trigger{Span: span}
			t.Event.Value, t.Event.Span = source, span
			out = append(out, t)
		}
	}
	return out
}

// GitLabCheckout is what lies in the workspace when the first command of a job runs,
// which is also where the definition comes from. The result is false for a job that
// checks nothing out.
func GitLabCheckout(j *Job, p *Pipeline, s GitLabSituation) (WorkflowRef, bool) {
	if j.Downstream != nil {
		return "", false
	}
	strategy := j.Env.Get("GIT_STRATEGY")
	if strategy.Kind == DataNone {
		strategy = p.GlobalEnv(j).Get("GIT_STRATEGY")
	}
	if v := strategy.Text.Value; v == "none" || v == "empty" {
		return "", false
	}
	switch {
	case s.mergeRequest():
		return FromMerge, true // the head, or the merged result: the author's code in both
	case s.Tag:
		return FromTag, true
	case s.Source == "push" || s.Source == "webide" || s.Source == "external_pull_request_event":
		return FromPushed, true
	case s.Source == "parent_pipeline":
		return FromCaller, true
	}
	return FromChosen, true
}

// GlobalEnv are the variables of the pipeline that a job has: all, unless it limits
// what it inherits.
func (p *Pipeline) GlobalEnv(j *Job) Data {
	allowed := j.Inherit.Get().Get("variables")
	switch {
	case allowed.Kind == DataScalar && allowed.Text.Value == "false":
		return Data{}
	case allowed.Kind == DataList:
		out := p.Env
		out.Fields = slices.DeleteFunc(slices.Clone(p.Env.Fields), func(f Field) bool {
			return !slices.ContainsFunc(allowed.Items, func(d Data) bool { return d.Text.Value == f.Name.Value })
		})
		return out
	}
	return p.Env
}

// GitLabStage is the place of a job's stage in the order, -1 for one that is not named.
func (p *Pipeline) GitLabStage(j *Job) int {
	name := j.Stage.Value
	if name == "" {
		name = "test"
	}
	switch name {
	case ".pre":
		return 0
	case ".post":
		return len(p.Stages) + 4
	}
	if len(p.Stages) == 0 {
		return slices.Index([]string{".pre", "build", "test", "deploy"}, name)
	}
	for i, s := range p.Stages {
		if s.Value == name {
			return i + 1
		}
	}
	return -1
}

// GitLabArtifactsFrom are the indexes of the jobs of the pipeline whose artifacts a job
// gets: those that it names, or else all of earlier stages.
func (p *Pipeline) GitLabArtifactsFrom(j *Job) []int {
	var out []int
	stage := p.GitLabStage(j)
	for i := range p.Jobs {
		from := &p.Jobs[i]
		if len(from.Artifacts) == 0 {
			continue
		}
		takes := !j.DownloadsSet && p.GitLabStage(from) < stage
		for _, d := range j.Downloads {
			takes = takes || d.Job.Value == from.ID.Value && !d.Project.IsSet() && !d.Pipeline.IsSet() && d.Artifacts.Value != "false"
		}
		if takes {
			out = append(out, i)
		}
	}
	return out
}

const (
	gitlabMerge  = "merge_request_event"
	gitlabOthers = "push web schedule api trigger pipeline parent_pipeline chat webide external"
	gitlabMerged = "the merge request is merged"
)

// gitlabControls is the table of predefined variables that somebody chooses, by source
// as in controls.
// https://docs.gitlab.com/ci/variables/predefined_variables/
var gitlabControls = []controlRow{
	{gitlabMerge, ActorAnyone, "", `line:CI_MERGE_REQUEST_TITLE text:CI_MERGE_REQUEST_DESCRIPTION ref!:CI_MERGE_REQUEST_SOURCE_BRANCH_NAME
		ref!:CI_COMMIT_REF_NAME slug:CI_COMMIT_REF_SLUG ref!:CI_BUILD_REF_NAME slug:CI_BUILD_REF_SLUG text:CI_COMMIT_MESSAGE line:CI_COMMIT_TITLE
		text:CI_COMMIT_DESCRIPTION line:CI_COMMIT_AUTHOR date:CI_COMMIT_TIMESTAMP sha!:CI_COMMIT_SHA sha!:CI_COMMIT_SHORT_SHA sha!:CI_BUILD_REF
		sha!:CI_MERGE_REQUEST_SOURCE_BRANCH_SHA slug!:CI_MERGE_REQUEST_SOURCE_PROJECT_PATH slug!:CI_MERGE_REQUEST_SOURCE_PROJECT_URL
		number!:CI_MERGE_REQUEST_SOURCE_PROJECT_ID number!:CI_MERGE_REQUEST_IID number!:CI_MERGE_REQUEST_ID slug!:CI_MERGE_REQUEST_REF_PATH
		bool:CI_MERGE_REQUEST_DRAFT bool:CI_MERGE_REQUEST_SQUASH_ON_MERGE line:GITLAB_USER_NAME email:GITLAB_USER_EMAIL slug:GITLAB_USER_LOGIN
		number:GITLAB_USER_ID`},
	{gitlabMerge, ActorTriage, "", `line:CI_MERGE_REQUEST_LABELS line:CI_MERGE_REQUEST_MILESTONE line:CI_MERGE_REQUEST_ASSIGNEES`},
	{gitlabMerge, ActorWriter, "", `ref:CI_MERGE_REQUEST_TARGET_BRANCH_NAME sha:CI_MERGE_REQUEST_TARGET_BRANCH_SHA sha:CI_MERGE_REQUEST_DIFF_BASE_SHA
		bool:CI_MERGE_REQUEST_APPROVED`},
	{gitlabMerge, ActorAdmin, "", `slug:CI_MERGE_REQUEST_PROJECT_PATH slug:CI_MERGE_REQUEST_PROJECT_URL`},

	// The commit that is built may be a stranger's, and that of a merge names the
	// branch and the title.
	{gitlabOthers, ActorAnyone, gitlabMerged, `text:CI_COMMIT_MESSAGE line:CI_COMMIT_TITLE text:CI_COMMIT_DESCRIPTION line:CI_COMMIT_AUTHOR`},
	{gitlabOthers, ActorWriter, "", `ref:CI_COMMIT_REF_NAME ref:CI_COMMIT_BRANCH ref:CI_COMMIT_TAG text:CI_COMMIT_TAG_MESSAGE text:CI_RELEASE_DESCRIPTION slug:CI_COMMIT_REF_SLUG
		ref:CI_BUILD_REF_NAME ref:CI_BUILD_TAG slug:CI_BUILD_REF_SLUG date:CI_COMMIT_TIMESTAMP sha:CI_COMMIT_SHA sha:CI_COMMIT_SHORT_SHA
		sha:CI_COMMIT_BEFORE_SHA sha:CI_BUILD_REF slug:CI_OPEN_MERGE_REQUESTS line:GITLAB_USER_NAME email:GITLAB_USER_EMAIL slug:GITLAB_USER_LOGIN
		number:GITLAB_USER_ID`},
	// Pull requests of an external repository: those of forks are not built.
	{"external_pull_request_event", ActorWriter, "", `ref!:CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME slug:CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY
		sha!:CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA ref:CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME sha:CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA
		number:CI_EXTERNAL_PULL_REQUEST_IID ref:CI_COMMIT_REF_NAME ref:CI_COMMIT_BRANCH text:CI_COMMIT_MESSAGE line:CI_COMMIT_TITLE
		text:CI_COMMIT_DESCRIPTION line:CI_COMMIT_AUTHOR sha:CI_COMMIT_SHA`},
	// Whoever holds the trigger's token, or can make the event of a webhook that has it.
	{"trigger", ActorWriter, "", `text:TRIGGER_PAYLOAD`},
	{"chat", ActorWriter, "", `line:CHAT_INPUT line:CHAT_CHANNEL slug:CHAT_USER_ID`},
	// Pipeline inputs.
	{"web schedule api trigger pipeline", ActorWriter, "", `text:inputs.*`},

	{"", ActorAdmin, "", `ref:CI_DEFAULT_BRANCH slug:CI_PROJECT_NAME slug:CI_PROJECT_PATH slug:CI_PROJECT_PATH_SLUG slug:CI_PROJECT_NAMESPACE
		slug:CI_PROJECT_NAMESPACE_SLUG slug:CI_PROJECT_ROOT_NAMESPACE slug:CI_PROJECT_URL line:CI_PROJECT_TITLE text:CI_PROJECT_DESCRIPTION
		slug:CI_REGISTRY_IMAGE`},
}

var gitlabControlIndex = sync.OnceValue(func() map[string][]compiledControl {
	out := map[string][]compiledControl{}
	for _, row := range gitlabControls {
		for _, entry := range strings.Fields(row.paths) {
			kind, name, _ := strings.Cut(entry, ":")
			c := compiledControl{Control: Control{Pattern: name, Actor: row.actor, After: row.after}, events: strings.Fields(row.events)}
			kind, c.Code = strings.CutSuffix(kind, "!")
			if c.Shape = shapeOf(kind); kind == "date" {
				c.Shape = ShapeDate
			}
			out[name] = append(out[name], c)
		}
	}
	return out
})

// GitLabControlOf says who chooses what a predefined variable holds in a pipeline of a
// source: "CI_COMMIT_MESSAGE", with or without a dollar sign, or an input of the first
// file, "inputs.name". An empty source asks for any: the weakest actor answers. The
// result is false for variables that only GitLab, or the file, decides.
//
// Whether a stranger's merge request runs in the project at all is not asked here: see
// View.PipelineProject.
func GitLabControlOf(variable, source string) (Control, bool) {
	name := strings.Trim(strings.TrimPrefix(variable, "$"), "{}")
	if strings.HasPrefix(name, "inputs.") {
		name = "inputs.*"
	}
	var best Control
	found := false
	for _, row := range gitlabControlIndex()[name] {
		if source != "" && len(row.events) > 0 && !slices.Contains(row.events, source) {
			continue
		}
		if !found || weaker(row.Control, best) {
			best, found = row.Control, true
		}
	}
	return best, found
}

// GitLabControlled are the names of all variables that GitLabControlOf knows for a
// source, in order.
func GitLabControlled(source string) []string {
	var out []string
	for name := range gitlabControlIndex() {
		if _, ok := GitLabControlOf(name, source); ok && !strings.Contains(name, ".") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
