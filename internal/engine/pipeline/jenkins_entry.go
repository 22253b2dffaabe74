package pipeline

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The events that start a Jenkins pipeline.
const (
	// JenkinsBranch, JenkinsTag and JenkinsChange are what a multibranch project finds:
	// a branch or tag of the repository, and a pull request, which Jenkins calls a
	// change request.
	JenkinsBranch = "branch"
	JenkinsTag    = "tag"
	JenkinsChange = "change-request"
	// JenkinsComment is a comment on a pull request.
	JenkinsComment  = "comment"
	JenkinsSchedule = "schedule"
	JenkinsUpstream = "upstream" // another job has run
	JenkinsManual   = "manual"   // someone presses the button and gives the parameters
	JenkinsWebhook  = "webhook"  // the plugin generic-webhook-trigger
	JenkinsGitLab   = "gitlab"   // gitlab-plugin, without a multibranch project
	JenkinsGHPRB    = "ghprb"    // GitHub Pull Request Builder, without a multibranch project
	JenkinsGerrit   = "gerrit"
)

// JenkinsTrust is whose forks a multibranch project trusts: whether the Jenkinsfile of
// their pull request is used.
type JenkinsTrust string

// The policies of the branch sources. The unset one is not known.
const (
	TrustNobody       JenkinsTrust = "nobody"
	TrustContributors JenkinsTrust = "contributors" // collaborators of the repository
	TrustWriters      JenkinsTrust = "permission"   // who may write to the repository
	TrustApproval     JenkinsTrust = "approval"     // a person lets each one through
	TrustEveryone     JenkinsTrust = "everyone"
)

// JenkinsEntry is one way in which a pipeline starts.
type JenkinsEntry struct {
	Event  string
	Origin Origin
	// Actor is the weakest class that can bring it about; unset for the clock.
	Actor ActorClass
	// After is what someone with more rights must do first.
	After string
	// Definition is where the Jenkinsfile comes from, Checkout what "checkout scm" and
	// the implied checkout bring. Base and merge are what they are for GitHub.
	Definition, Checkout WorkflowRef
	// Trigger is that of the file; nil for what a multibranch project finds.
	Trigger *Trigger
	// Rows are the rules that this follows from.
	Rows []Row
}

// Foreign reports whether a stranger's code is in the workspace after the checkout.
func (e JenkinsEntry) Foreign() bool {
	return e.Checkout == FromMerge && e.Actor != ActorUnset && e.Actor < ActorWriter && e.After == ""
}

// JenkinsEntries are the ways in which a pipeline starts, at a server with the
// settings. Unknown settings are taken as the weakest: the rows say which.
func JenkinsEntries(p *Pipeline, v View, s JenkinsSettings) []JenkinsEntry {
	var out []JenkinsEntry
	add := func(e JenkinsEntry, topics ...Topic) {
		for _, t := range topics {
			if r := v.Row(t, e.Event, e.Origin); r.ID != "" {
				e.Rows = append(e.Rows, r)
			}
		}
		out = append(out, e)
	}
	if !s.Single {
		add(JenkinsEntry{Event: JenkinsBranch, Origin: OriginRepository, Actor: ActorWriter, Definition: FromPushed, Checkout: FromPushed}, TopicRef, TopicSecrets)
		add(JenkinsEntry{Event: JenkinsTag, Origin: OriginRepository, Actor: ActorWriter, Definition: FromTag, Checkout: FromTag}, TopicRef, TopicSecrets)
		add(JenkinsEntry{Event: JenkinsChange, Origin: OriginRepository, Actor: ActorWriter, Definition: FromMerge, Checkout: FromMerge}, TopicRef, TopicSecrets)
		if s.Forks != SwitchOff {
			e := JenkinsEntry{Event: JenkinsChange, Origin: OriginFork, Actor: ActorAnyone, Definition: FromBase, Checkout: FromMerge}
			trust := v.Row(TopicTrust, string(s.Trust), OriginFork)
			e.Rows = append(e.Rows, trust)
			switch JenkinsTrust(trust.Answer) {
			case TrustEveryone:
				e.Definition = FromMerge
			case TrustApproval:
				e.Definition, e.After = FromMerge, "someone approves the run"
			}
			add(e, TopicRef, TopicCheckout, TopicSecrets)
		}
	}
	for i := range p.Triggers {
		t := &p.Triggers[i]
		e := JenkinsEntry{Trigger: t, Definition: FromDefault, Checkout: FromDefault}
		if !s.Single {
			// The triggers of each branch are those of its own file.
			e.Definition, e.Checkout = FromPushed, FromPushed
		}
		switch t.Event.Value {
		case "cron", "parameterizedCron", "pollSCM", "TimerTrigger", "SCMTrigger", "hudson.triggers.TimerTrigger":
			e.Event = JenkinsSchedule
		case "upstream", "ReverseBuildTrigger":
			e.Event, e.Actor = JenkinsUpstream, ActorWriter
		case "GenericTrigger", "genericTrigger":
			// Without a token whoever reaches the server starts it; with one, whoever
			// makes the forge send an event of the kind.
			e.Event, e.Actor = JenkinsWebhook, ActorAnyone
		case "gitlab", "gitlabPush", "GitLabPushTrigger", "gitLabPushTrigger":
			e.Event, e.Actor, e.Origin = JenkinsGitLab, ActorAnyone, OriginFork
			e.Checkout = FromMerge
		case "ghprb", "githubPullRequest", "githubPullRequests", "GhprbTrigger", "ghprbTrigger":
			e.Event, e.Actor, e.Origin = JenkinsGHPRB, ActorAnyone, OriginFork
			e.Checkout = FromMerge
			if jenkinsYes(t, "permitAll") == False || len(t.Extra) > 0 && jenkinsYes(t, "permitAll") != True {
				e.After = "an administrator of the job lets the author in"
			}
		case "gerrit", "gerritTrigger":
			e.Event, e.Actor, e.Origin, e.Checkout = JenkinsGerrit, ActorAnyone, OriginFork, FromMerge
		case "issueCommentTrigger", "pullRequestReview":
			e.Event, e.Actor = JenkinsComment, ActorWriter
			if !s.Single {
				e.Definition, e.Checkout = FromBase, FromMerge
			}
		case "githubPush", "bitbucketPush", "giteaPush", "GitHubPushTrigger":
			e.Event, e.Actor = JenkinsBranch, ActorWriter
		default:
			e.Event, e.Actor = t.Event.Value, ActorWriter
		}
		add(e, TopicRef, TopicSecrets)
	}
	add(JenkinsEntry{Event: JenkinsManual, Actor: ActorWriter, Definition: FromChosen, Checkout: FromChosen}, TopicRef, TopicSecrets)
	return out
}

// jenkinsYes is a boolean option of a trigger.
func jenkinsYes(t *Trigger, name string) Truth {
	for _, f := range t.Extra {
		if f.Name.Value == name {
			switch f.Value.Text.Value {
			case "true":
				return True
			case "false":
				return False
			}
		}
	}
	return Undecided
}

// Topics of Jenkins alone.
const (
	TopicTrust    Topic = "trust"    // whose forks' Jenkinsfile is used; the events are the settings
	TopicCheckout Topic = "checkout" // which code "checkout scm" brings
	TopicLibrary  Topic = "library"  // with which rights a shared library runs
)

const (
	jenkinsGitHubSource = "https://plugins.jenkins.io/github-branch-source/"
	jenkinsMultibranch  = "https://www.jenkins.io/doc/book/pipeline/multibranch/"
	jenkinsfileDocs     = "https://www.jenkins.io/doc/book/pipeline/jenkinsfile/"
	jenkinsLibraries    = "https://www.jenkins.io/doc/book/pipeline/shared-libraries/"
	jenkinsWebhookDocs  = "https://plugins.jenkins.io/generic-webhook-trigger/"
	jenkinsGitLabDocs   = "https://plugins.jenkins.io/gitlab-plugin/"
	jenkinsGHPRBDocs    = "https://plugins.jenkins.io/ghprb/"
	jenkinsCredentials  = "https://www.jenkins.io/doc/book/using/using-credentials/"
	jenkinsBuildAuth    = "https://www.jenkins.io/doc/book/security/build-authorization/"
	jenkinsSyntaxDocs   = "https://www.jenkins.io/doc/book/pipeline/syntax/"
)

// jenkinsRows are the rules of Jenkins. Its plugins have no version of a forge, so
// the rows have no bounds.
var jenkinsRows = []Row{
	{ID: "jenkins-ref", Forge: "jenkins", Topic: TopicRef, Answer: string(FromPushed), Source: jenkinsMultibranch,
		Statement: "A multibranch project runs the Jenkinsfile of the branch, tag or change request that it builds."},
	{ID: "jenkins-ref-tag", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsTag}, Answer: string(FromTag), Source: jenkinsMultibranch,
		Statement: "A tag that is built runs its own Jenkinsfile; tags are discovered where the project is set so, and are not built by themselves."},
	{ID: "jenkins-ref-origin", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsChange}, Origin: OriginRepository, Answer: string(FromMerge), Source: jenkinsGitHubSource,
		Statement: "A change request from a branch of the repository itself is trusted: its own Jenkinsfile runs."},
	{ID: "jenkins-ref-fork", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsChange}, Origin: OriginFork, Answer: string(FromBase), Source: jenkinsGitHubSource,
		Statement: "For a change request of a fork that is not trusted the Jenkinsfile, and what readTrusted reads, is that of the target branch."},
	{ID: "jenkins-ref-manual", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsManual}, Answer: string(FromChosen), Source: jenkinsSyntaxDocs,
		Statement: "Who may build chooses the branch and the parameters of the run."},
	{ID: "jenkins-ref-gitlab", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsGitLab}, Answer: string(FromDefault), Source: jenkinsGitLabDocs,
		Statement: "A job of the GitLab plugin runs the Jenkinsfile of the branch in its own settings; it is the merge request's only if they name gitlabSourceBranch."},
	{ID: "jenkins-ref-ghprb", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsGHPRB}, Answer: string(FromDefault), Source: jenkinsGHPRBDocs,
		Statement: "A job of the pull request builder runs the Jenkinsfile of the revision in its own settings; it is the pull request's if they name sha1. It builds who is on its list, or whom an administrator lets in with a comment."},
	{ID: "jenkins-ref-webhook", Forge: "jenkins", Topic: TopicRef, Events: []string{JenkinsWebhook}, Answer: string(FromDefault), Source: jenkinsWebhookDocs,
		Statement: "Any request to the server that knows the token, if there is one, starts the job, and its variables hold what the request says."},

	{ID: "jenkins-checkout", Forge: "jenkins", Topic: TopicCheckout, Answer: string(FromMerge), Source: jenkinsGitHubSource,
		Statement: "Checkout scm brings the code of the change request, merged into its target or as it is, whether or not its Jenkinsfile is trusted."},

	{ID: "jenkins-trust", Forge: "jenkins", Topic: TopicTrust, Answer: string(TrustWriters), Source: jenkinsGitHubSource,
		Statement: "Unless the project says otherwise, forks of those who may write to the repository are trusted; a stranger's Jenkinsfile is not used."},
	{ID: "jenkins-trust-nobody", Forge: "jenkins", Topic: TopicTrust, Events: []string{string(TrustNobody)}, Answer: string(TrustNobody), Source: jenkinsGitHubSource,
		Statement: "No fork is trusted: the Jenkinsfile is that of the target branch, the code is the fork's."},
	{ID: "jenkins-trust-contributors", Forge: "jenkins", Topic: TopicTrust, Events: []string{string(TrustContributors)}, Answer: string(TrustContributors), Source: jenkinsGitHubSource,
		Statement: "Forks of collaborators are trusted, even of those who may only read; a stranger's Jenkinsfile is not used."},
	{ID: "jenkins-trust-permission", Forge: "jenkins", Topic: TopicTrust, Events: []string{string(TrustWriters)}, Answer: string(TrustWriters), Source: jenkinsGitHubSource,
		Statement: "Forks of those who may write to the repository are trusted; a stranger's Jenkinsfile is not used."},
	{ID: "jenkins-trust-approval", Forge: "jenkins", Topic: TopicTrust, Events: []string{string(TrustApproval)}, Answer: string(TrustApproval), Source: "https://plugins.jenkins.io/github-pr-approval/",
		Statement: "A change request of a fork runs its own Jenkinsfile, after a person has approved it."},
	{ID: "jenkins-trust-everyone", Forge: "jenkins", Topic: TopicTrust, Events: []string{string(TrustEveryone)}, Answer: string(TrustEveryone), Source: jenkinsGitHubSource,
		Statement: "Every fork is trusted: anyone who opens a change request has the Jenkinsfile run."},

	{ID: "jenkins-secrets", Forge: "jenkins", Topic: TopicSecrets, Answer: string(ReachAll), Source: jenkinsCredentials,
		Statement: "A pipeline can bind every credential of its folder, the folders above and the server by its id, in change requests as in branches; masks in the log are all that hides them."},

	{ID: "jenkins-library", Forge: "jenkins", Topic: TopicLibrary, Answer: "sandbox", Source: jenkinsLibraries,
		Statement: "Libraries of a folder, and those that a pipeline names by their address, run in the sandbox with the rights of the pipeline."},
	{ID: "jenkins-library-version", Forge: "jenkins", Topic: TopicLibrary, Events: []string{"global"}, Answer: "trusted", Source: jenkinsLibraries,
		Statement: "Libraries of the server run without the sandbox; a version in the Jenkinsfile chooses any branch, tag or commit of theirs, unless the settings forbid it."},

	{ID: "jenkins-token", Forge: "jenkins", Topic: TopicToken, Answer: string(AccessWrite), Source: jenkinsBuildAuth,
		Statement: "Builds run as the system user, who may start any other job, unless build authorization is set."},
}

// jenkinsControls is the table of variables that others fill, as controls is for
// GitHub. Sources: the list of variables that each server has at /env-vars.html, and
// the pages of the plugins on plugins.jenkins.io.
var jenkinsControls = []controlRow{
	{JenkinsChange + " " + JenkinsComment, ActorAnyone, "", `line:CHANGE_TITLE slug:CHANGE_AUTHOR line:CHANGE_AUTHOR_DISPLAY_NAME email:CHANGE_AUTHOR_EMAIL
		ref!:CHANGE_BRANCH slug!:CHANGE_FORK slug:CHANGE_URL number!:CHANGE_ID slug:BRANCH_NAME slug:GIT_BRANCH slug:GIT_LOCAL_BRANCH sha!:GIT_COMMIT
		slug!:GIT_URL slug:JOB_NAME slug:JOB_BASE_NAME slug:BUILD_TAG slug:RUN_DISPLAY_URL slug:JOB_URL slug:BUILD_URL slug:WORKSPACE
		line:pullRequest.title text:pullRequest.body ref!:pullRequest.headRef sha!:pullRequest.head slug:pullRequest.createdBy
		text:pullRequest.comments text:pullRequest.commits text:pullRequest.reviews path:pullRequest.files text:pullRequest.reviewComments
		text:currentBuild.changeSets`},
	{JenkinsChange + " " + JenkinsComment, ActorTriage, "", `line:pullRequest.labels line:pullRequest.milestone`},
	{JenkinsChange + " " + JenkinsComment, ActorWriter, "", `ref:CHANGE_TARGET ref:pullRequest.base`},
	{JenkinsComment, ActorAnyone, "", `text:GITHUB_COMMENT slug:GITHUB_COMMENT_AUTHOR text:GITHUB_REVIEW_COMMENT`},
	{JenkinsBranch + " " + JenkinsSchedule + " " + JenkinsUpstream, ActorWriter, "", `ref:BRANCH_NAME ref:GIT_BRANCH ref:GIT_LOCAL_BRANCH sha:GIT_COMMIT sha:GIT_PREVIOUS_COMMIT
		sha:GIT_PREVIOUS_SUCCESSFUL_COMMIT slug:JOB_NAME slug:JOB_BASE_NAME slug:BUILD_TAG slug:WORKSPACE slug:JOB_URL slug:BUILD_URL`},
	{JenkinsBranch + " " + JenkinsSchedule, ActorAnyone, merged, `text:currentBuild.changeSets`},
	{JenkinsTag, ActorWriter, "", `ref:TAG_NAME ref:BRANCH_NAME ref:GIT_BRANCH sha:GIT_COMMIT date:TAG_TIMESTAMP date:TAG_UNIXTIME date:TAG_DATE slug:JOB_NAME`},
	{JenkinsManual, ActorWriter, "", `text:params.* ref:BRANCH_NAME ref:GIT_BRANCH sha:GIT_COMMIT line:BUILD_USER slug:BUILD_USER_ID email:BUILD_USER_EMAIL`},
	{JenkinsGHPRB, ActorAnyone, "", `line:ghprbPullTitle text:ghprbPullLongDescription line:ghprbPullDescription text:ghprbCommentBody ref!:ghprbSourceBranch sha!:ghprbActualCommit
		slug!:sha1 line:ghprbActualCommitAuthor email:ghprbActualCommitAuthorEmail slug:ghprbPullAuthorLogin slug:ghprbPullAuthorLoginMention
		email:ghprbPullAuthorEmail line:ghprbTriggerAuthor slug:ghprbTriggerAuthorLogin slug:ghprbTriggerAuthorLoginMention email:ghprbTriggerAuthorEmail
		slug!:ghprbAuthorRepoGitUrl slug:ghprbPullLink number!:ghprbPullId slug:GIT_BRANCH sha!:GIT_COMMIT`},
	{JenkinsGHPRB, ActorWriter, "", `ref:ghprbTargetBranch slug:ghprbGhRepository slug:ghprbCredentialsId`},
	{JenkinsGitLab, ActorAnyone, "", `ref!:gitlabSourceBranch ref!:gitlabBranch line:gitlabUserName slug:gitlabUserUsername email:gitlabUserEmail line:gitlabMergeRequestTitle
		text:gitlabMergeRequestDescription text:gitlabTriggerPhrase slug!:gitlabSourceRepoName slug!:gitlabSourceNamespace slug!:gitlabSourceRepoURL
		slug!:gitlabSourceRepoSshUrl slug!:gitlabSourceRepoHttpUrl slug!:gitlabSourceRepoHomepage number!:gitlabMergeRequestId number!:gitlabMergeRequestIid
		enum:gitlabMergeRequestState sha!:gitlabMergeRequestLastCommit sha!:gitlabAfter sha:gitlabBefore enum:gitlabActionType sha!:GIT_COMMIT`},
	{JenkinsGitLab, ActorTriage, "", `line:gitlabMergeRequestLabels line:gitlabMergeRequestAssignee line:gitlabMergedByUser`},
	{JenkinsGitLab, ActorWriter, "", `ref:gitlabTargetBranch slug:gitlabTargetRepoName slug:gitlabTargetNamespace slug:gitlabTargetRepoSshUrl slug:gitlabTargetRepoHttpUrl`},
	{JenkinsGerrit, ActorAnyone, "", `line:GERRIT_CHANGE_SUBJECT line:GERRIT_TOPIC slug!:GERRIT_REFSPEC sha!:GERRIT_PATCHSET_REVISION number!:GERRIT_CHANGE_NUMBER
		line:GERRIT_CHANGE_OWNER_NAME email:GERRIT_CHANGE_OWNER_EMAIL line:GERRIT_CHANGE_OWNER line:GERRIT_PATCHSET_UPLOADER_NAME
		email:GERRIT_PATCHSET_UPLOADER_EMAIL line:GERRIT_PATCHSET_UPLOADER line:GERRIT_EVENT_ACCOUNT_NAME email:GERRIT_EVENT_ACCOUNT_EMAIL`},
	{JenkinsGerrit, ActorWriter, "", `ref:GERRIT_BRANCH slug:GERRIT_PROJECT`},
	// Every event. The names of git's author are those of the server's settings.
	{"", ActorAdmin, "", `line:GIT_COMMITTER_NAME email:GIT_COMMITTER_EMAIL line:GIT_AUTHOR_NAME email:GIT_AUTHOR_EMAIL slug:NODE_NAME line:NODE_LABELS
		slug:JENKINS_URL slug:JENKINS_HOME number:EXECUTOR_NUMBER number:BUILD_NUMBER number:BUILD_ID slug:BUILD_DISPLAY_NAME`},
}

var jenkinsControlIndex = sync.OnceValue(func() []compiledControl { return compileControls(jenkinsControls) })

// JenkinsControl says who chooses what a variable of a Jenkinsfile holds in a run for
// the event, an empty one meaning any. The path is one of JenkinsPaths: env.X and X
// are the same, and params.X has the shape of the parameter's type. The variables of
// a generic webhook are those of its trigger. It is false for what the pipeline
// itself sets.
func JenkinsControl(p *Pipeline, path, event string) (Control, bool) {
	name := strings.TrimPrefix(path, "env.")
	var best Control
	found := false
	take := func(c Control) {
		if !found || weaker(c, best) {
			best, found = c, true
		}
	}
	segments := strings.Split(name, ".")
	for _, row := range jenkinsControlIndex() {
		if event != "" && len(row.events) > 0 && !slices.Contains(row.events, event) {
			continue
		}
		c := row.Control
		n := len(row.segments)
		// A member of a list of texts is such a text.
		if len(segments) >= n && matchPath(row.segments, segments[:n]) == pathMatches && (n == len(segments) || n > 1) {
			take(c)
		}
	}
	if p == nil {
		return best, found
	}
	param := strings.TrimPrefix(name, "params.")
	for _, in := range p.Inputs {
		if in.Name.Value == param && (event == "" || event == JenkinsManual) && param != "" {
			c := Control{Pattern: "params." + param, Actor: ActorWriter, Shape: jenkinsInputShape(in.Type.Value)}
			if found && best.Pattern == "params.*" {
				best = c
			}
			take(c)
		}
	}
	if event == "" || event == JenkinsWebhook {
		for i := range p.Triggers {
			for _, in := range p.Triggers[i].Inputs {
				if in.Name.Value == name {
					take(Control{Pattern: name, Actor: ActorAnyone, Shape: ShapeText})
				}
			}
		}
	}
	return best, found
}

func jenkinsInputShape(kind string) Shape {
	switch kind {
	case "booleanParam":
		return ShapeBoolean
	case "choice", "credentials", "run":
		return ShapeEnum
	}
	return ShapeText
}

// JenkinsSituation is a run, as far as conditions ask for it.
type JenkinsSituation struct {
	Event string
	Fork  bool
	// Branch is the branch, or the target of the change request; empty if unknown.
	Branch string
}

// values of variables in a situation
type jenkinsValue struct {
	truth Truth
	// known says that text is the value; null that it is not set.
	known, null bool
	text        string
	prefix      string
}

func jenkinsText(s string) jenkinsValue {
	return jenkinsValue{known: true, text: s, truth: truthOf(s != "")}
}

func jenkinsTruth(t Truth) jenkinsValue {
	switch t {
	case True:
		return jenkinsValue{known: true, text: "true", truth: True}
	case False:
		return jenkinsValue{known: true, text: "false", truth: False}
	}
	return jenkinsValue{}
}

func (s JenkinsSituation) variable(name string) jenkinsValue {
	null := jenkinsValue{null: true, truth: False}
	some := jenkinsValue{truth: True}
	multibranch := s.Event == JenkinsChange || s.Event == JenkinsBranch || s.Event == JenkinsTag
	if !multibranch {
		return jenkinsValue{}
	}
	change := s.Event == JenkinsChange
	switch name {
	case "CHANGE_ID", "CHANGE_URL", "CHANGE_TITLE", "CHANGE_AUTHOR", "CHANGE_BRANCH":
		if change {
			return some
		}
		return null
	case "CHANGE_TARGET":
		if change && s.Branch != "" {
			return jenkinsText(s.Branch)
		} else if change {
			return some
		}
		return null
	case "CHANGE_FORK":
		if change && s.Fork {
			return some
		}
		return null
	case "BRANCH_NAME", "GIT_BRANCH", "JOB_BASE_NAME":
		if change {
			return jenkinsValue{truth: True, prefix: "PR-"}
		}
		if s.Event == JenkinsBranch && s.Branch != "" && name == "BRANCH_NAME" {
			return jenkinsText(s.Branch)
		}
		return some
	case "BRANCH_IS_PRIMARY":
		if change || s.Event == JenkinsTag {
			return null
		}
	case "TAG_NAME":
		if s.Event == JenkinsTag {
			return some
		}
		return null
	}
	return jenkinsValue{}
}

// Decide says whether a gate of a Jenkinsfile lets the run of a situation through, as
// far as that is known. What the actor chooses is undecided, and so is a gate that a
// person opens.
func (g Clause) Decide(s JenkinsSituation) Truth {
	t := Undecided
	switch g.Kind {
	case ClausePost:
		if g.Value == "always" || g.Value == "cleanup" {
			t = True
		}
	case ClauseIf:
		t = s.evaluate(readGroovyExpression(g.Value), 0).truth
	case ClauseWhen:
		root, _, _ := readGroovy(g.Value)
		t = s.all(root.Items, 0)
	}
	if g.Not {
		return t.Not()
	}
	return t
}

// all is whether all conditions hold.
func (s JenkinsSituation) all(items []*groovyNode, depth int) Truth {
	t := True
	for _, i := range items {
		t = both(t, s.condition(i, depth+1))
	}
	return t
}

// condition decides one condition of when.
func (s JenkinsSituation) condition(n *groovyNode, depth int) Truth {
	if n == nil || depth > 50 {
		return Undecided
	}
	if n.Kind != groovyCall {
		if n.Kind == groovyName && n.Name == "changeRequest" {
			return s.is(JenkinsChange)
		}
		return Undecided
	}
	bodies := groovyBodies(n)
	var items []*groovyNode
	if len(bodies) > 0 {
		items = bodies[0].Items
	}
	switch groovyPath(n.Left) {
	case "beforeAgent", "beforeInput", "beforeOptions":
		return True
	case "allOf":
		return s.all(items, depth)
	case "anyOf":
		t := False
		for _, i := range items {
			t = both(t.Not(), s.condition(i, depth+1).Not()).Not()
		}
		return t
	case "not":
		return s.all(items, depth).Not()
	case "branch":
		return s.matches(s.branchName(), n, "pattern")
	case "changeRequest":
		t := s.is(JenkinsChange)
		for _, a := range groovyArguments(n) {
			if a.Kind == groovyPair && t != False && a.Name != "comparator" {
				v := s.variable("CHANGE_" + strings.ToUpper(a.Name))
				if v.null {
					return False
				}
				t = both(t, s.matches(v, &groovyNode{Items: append([]*groovyNode{a.Left}, pairs(n, "comparator")...)}, ""))
			}
		}
		return t
	case "buildingTag":
		return s.is(JenkinsTag)
	case "tag":
		if t := s.is(JenkinsTag); t != True {
			return t
		}
		return Undecided
	case "isRestartedRun":
		return False
	case "environment":
		name, value := groovyNamed(n, "name"), groovyNamed(n, "value")
		if name == nil || name.Kind != groovyString {
			return Undecided
		}
		return s.equal(s.variable(name.Text.Value), s.evaluate(value, depth+1))
	case "equals":
		return s.equal(s.evaluate(groovyNamed(n, "actual"), depth+1), s.evaluate(groovyNamed(n, "expected"), depth+1))
	case "expression":
		if len(items) != 1 || items[0] == nil {
			return Undecided
		}
		e := items[0]
		if e.Kind == groovyReturn {
			e = e.Left
		}
		return s.evaluate(e, depth+1).truth
	case "triggeredBy":
		a := groovyArgument(n, "cause")
		if a == nil || a.Kind != groovyString || s.Event == JenkinsComment || s.Event == "" {
			return Undecided
		}
		switch a.Text.Value {
		case "TimerTrigger", "TimerTriggerCause":
			return truthOf(s.Event == JenkinsSchedule)
		case "UserIdCause":
			return truthOf(s.Event == JenkinsManual)
		case "BuildUpstreamCause", "UpstreamCause":
			return truthOf(s.Event == JenkinsUpstream)
		}
	}
	return Undecided
}

func pairs(n *groovyNode, name string) []*groovyNode {
	var out []*groovyNode
	for _, a := range groovyArguments(n) {
		if a.Kind == groovyPair && a.Name == name {
			out = append(out, a)
		}
	}
	return out
}

func (s JenkinsSituation) branchName() jenkinsValue { return s.variable("BRANCH_NAME") }

// is decides what the multibranch project has found.
func (s JenkinsSituation) is(event string) Truth {
	switch s.Event {
	case event:
		return True
	case JenkinsChange, JenkinsBranch, JenkinsTag:
		return False
	}
	return Undecided
}

// matches compares a variable with the pattern of a condition.
func (s JenkinsSituation) matches(v jenkinsValue, n *groovyNode, name string) Truth {
	a := groovyArgument(n, name)
	if v.null {
		return False
	}
	if a == nil || a.Kind != groovyString || len(a.Exprs) > 0 || len(a.Text.Value) > 1000 {
		return Undecided
	}
	match := func(pattern string) (*regexp.Regexp, bool) {
		kind := ""
		if c := groovyNamed(n, "comparator"); c != nil && c.Kind == groovyString {
			kind = c.Text.Value
		}
		switch kind {
		case "EQUALS":
			pattern = regexp.QuoteMeta(pattern)
		case "REGEXP":
		default:
			pattern = antPattern(pattern)
		}
		r, err := regexp.Compile(`^(?:` + pattern + `)$`)
		return r, err == nil
	}
	r, ok := match(a.Text.Value)
	if !ok {
		return Undecided
	}
	switch {
	case v.known:
		return truthOf(r.MatchString(v.text))
	case v.prefix == "PR-":
		// The number is unknown; what holds for some holds for all but a few.
		first := r.MatchString("PR-1")
		for _, n := range []string{"PR-2", "PR-77", "PR-40213"} {
			if r.MatchString(n) != first {
				return Undecided
			}
		}
		if !first && strings.HasPrefix(a.Text.Value, "PR-") {
			return Undecided
		}
		return truthOf(first)
	}
	return Undecided
}

// antPattern is the regular expression of a pattern of Ant: * within a name, ** over
// many, ? one character.
func antPattern(p string) string {
	var out strings.Builder
	for i := 0; i < len(p); i++ {
		switch {
		case strings.HasPrefix(p[i:], "**/"):
			out.WriteString(`(?:.*/)?`)
			i += 2
		case strings.HasPrefix(p[i:], "**"):
			out.WriteString(`.*`)
			i++
		case p[i] == '*':
			out.WriteString(`[^/]*`)
		case p[i] == '?':
			out.WriteString(`[^/]`)
		default:
			out.WriteString(regexp.QuoteMeta(p[i : i+1]))
		}
	}
	return out.String()
}

func (s JenkinsSituation) equal(a, b jenkinsValue) Truth {
	if b.known || b.null {
		a, b = b, a
	}
	switch {
	case a.null && b.null:
		return True
	case a.null && (b.known || b.truth == True), a.known && b.null:
		return False
	case a.known && b.known:
		return truthOf(a.text == b.text)
	case a.known && b.prefix != "" && !strings.HasPrefix(a.text, b.prefix):
		return False
	case a.known && a.text == "" && b.truth == True:
		return False
	}
	return Undecided
}

// evaluate computes a condition in Groovy as far as the situation says.
func (s JenkinsSituation) evaluate(n *groovyNode, depth int) jenkinsValue {
	if n == nil || depth > 100 {
		return jenkinsValue{}
	}
	depth++
	switch n.Kind {
	case groovyString:
		if len(n.Exprs) == 0 {
			return jenkinsText(n.Text.Value)
		}
		if len(n.Exprs) == 1 && len(n.Text.Parts) == 1 && n.Text.Parts[0].From == 0 && n.Text.Parts[0].To == len(n.Text.Value) {
			v := s.evaluate(n.Exprs[0], depth)
			if v.null {
				return jenkinsText("null")
			}
			return v
		}
	case groovyLiteral:
		switch n.Name {
		case "null":
			return jenkinsValue{null: true, truth: False}
		case "true":
			return jenkinsTruth(True)
		case "false":
			return jenkinsTruth(False)
		}
		return jenkinsValue{known: true, text: n.Name, truth: truthOf(strings.Trim(n.Name, "0.") != "")}
	case groovyOther, groovyBlock:
		if len(n.Items) == 1 {
			return s.evaluate(n.Items[0], depth)
		}
	case groovyReturn:
		return s.evaluate(n.Left, depth)
	case groovyName, groovyMember, groovyIndex:
		path := groovyPath(n)
		if name, ok := strings.CutPrefix(path, "env."); ok {
			return s.variable(name)
		}
		if path != "" && !strings.Contains(path, ".") {
			return s.variable(path)
		}
	case groovyUnary:
		if n.Name == "!" {
			return jenkinsTruth(s.evaluate(n.Left, depth).truth.Not())
		}
	case groovyTernary:
		if n.Key == nil {
			a := s.evaluate(n.Left, depth)
			switch a.truth {
			case True:
				return a
			case False:
				return s.evaluate(n.Right, depth)
			}
			return jenkinsValue{}
		}
		switch s.evaluate(n.Key, depth).truth {
		case True:
			return s.evaluate(n.Left, depth)
		case False:
			return s.evaluate(n.Right, depth)
		}
	case groovyBinary:
		return s.binary(n, depth)
	case groovyCall:
		return s.method(n, depth)
	}
	return jenkinsValue{}
}

func (s JenkinsSituation) binary(n *groovyNode, depth int) jenkinsValue {
	a, b := s.evaluate(n.Left, depth), s.evaluate(n.Right, depth)
	switch n.Name {
	case "&&":
		return jenkinsTruth(both(a.truth, b.truth))
	case "||":
		return jenkinsTruth(both(a.truth.Not(), b.truth.Not()).Not())
	case "==":
		return jenkinsTruth(s.equal(a, b))
	case "!=":
		return jenkinsTruth(s.equal(a, b).Not())
	case "==~", "=~":
		if n.Right == nil || n.Right.Kind != groovyString || len(n.Right.Exprs) > 0 || len(n.Right.Text.Value) > 1000 {
			break
		}
		if a.null {
			return jenkinsTruth(False)
		}
		pattern := `(?:` + n.Right.Text.Value + `)`
		if n.Name == "==~" {
			pattern = "^" + pattern + "$"
		}
		r, err := regexp.Compile(pattern)
		if err != nil {
			break
		}
		if a.known {
			return jenkinsTruth(truthOf(r.MatchString(a.text)))
		}
		if a.prefix == "PR-" {
			first := r.MatchString("PR-1")
			if r.MatchString("PR-77") == first && r.MatchString("PR-40213") == first {
				return jenkinsTruth(truthOf(first))
			}
		}
	case "in":
		if n.Right == nil || n.Right.Kind != groovyList {
			break
		}
		t := False
		for _, i := range n.Right.Items {
			t = both(t.Not(), s.equal(a, s.evaluate(i, depth)).Not()).Not()
		}
		return jenkinsTruth(t)
	}
	return jenkinsValue{}
}

// method decides a few methods of texts.
func (s JenkinsSituation) method(n *groovyNode, depth int) jenkinsValue {
	m := n.Left
	if m == nil || m.Kind != groovyMember || m.Left == nil {
		return jenkinsValue{}
	}
	a := s.evaluate(m.Left, depth)
	if len(n.Items) == 0 {
		switch {
		case a.known && m.Name == "toLowerCase":
			return jenkinsText(strings.ToLower(a.text))
		case m.Name == "toBoolean" || m.Name == "toString" || m.Name == "trim":
			return a
		case m.Name == "isEmpty" && (a.known || a.truth == True):
			return jenkinsTruth(a.truth.Not())
		}
		return jenkinsValue{}
	}
	// ['a', 'b'].contains(x)
	if m.Name == "contains" && m.Left.Kind == groovyList {
		x := s.evaluate(n.Items[0], depth)
		t := False
		for _, i := range m.Left.Items {
			t = both(t.Not(), s.equal(x, s.evaluate(i, depth)).Not()).Not()
		}
		return jenkinsTruth(t)
	}
	b := s.evaluate(n.Items[0], depth)
	if !b.known {
		return jenkinsValue{}
	}
	switch m.Name {
	case "equals", "equalsIgnoreCase":
		return jenkinsTruth(s.equal(a, b))
	case "startsWith":
		switch {
		case a.known:
			return jenkinsTruth(truthOf(strings.HasPrefix(a.text, b.text)))
		case a.prefix != "" && strings.HasPrefix(a.prefix, b.text):
			return jenkinsTruth(True)
		case a.prefix != "" && !strings.HasPrefix(b.text, a.prefix):
			return jenkinsTruth(False)
		}
	case "endsWith":
		if a.known {
			return jenkinsTruth(truthOf(strings.HasSuffix(a.text, b.text)))
		}
	case "contains":
		if a.known {
			return jenkinsTruth(truthOf(strings.Contains(a.text, b.text)))
		}
	}
	return jenkinsValue{}
}
