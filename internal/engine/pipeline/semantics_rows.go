package pipeline

// Sources of rows, by what they are about.
const (
	docsEvents          = "https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows"
	docsToken           = "https://docs.github.com/en/actions/reference/github_token-reference"
	docsCache           = "https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching"
	docsOIDC            = "https://docs.github.com/en/actions/reference/security/oidc"
	docsDependabot      = "https://docs.github.com/en/code-security/dependabot/working-with-dependabot/automating-dependabot-with-github-actions"
	docsApproval        = "https://docs.github.com/en/actions/how-tos/manage-workflow-runs/approve-runs-from-forks"
	docsAzureGitHub     = "https://learn.microsoft.com/en-us/azure/devops/pipelines/repos/github"
	docsAzureRepos      = "https://learn.microsoft.com/en-us/azure/devops/pipelines/repos/azure-repos-git"
	docsAzureForks      = "https://learn.microsoft.com/en-us/azure/devops/pipelines/security/repos"
	docsAzureToken      = "https://learn.microsoft.com/en-us/azure/devops/pipelines/process/access-tokens"
	docsAzureSecrets    = "https://learn.microsoft.com/en-us/azure/devops/pipelines/security/resources"
	docsAzureChecks     = "https://learn.microsoft.com/en-us/azure/devops/pipelines/process/approvals"
	docsAzureResources  = "https://learn.microsoft.com/en-us/azure/devops/pipelines/process/pipeline-triggers"
	docsAzureSchedules  = "https://learn.microsoft.com/en-us/azure/devops/pipelines/process/scheduled-triggers"
	docsAzureParameters = "https://learn.microsoft.com/en-us/azure/devops/pipelines/process/runtime-parameters"
	changeAzureForks    = "https://learn.microsoft.com/en-us/azure/devops/release-notes/2023/sprint-227-update"
	changeAzureForksOff = "https://learn.microsoft.com/en-us/azure/devops/release-notes/2023/sprint-229-update"
	docsMergeReq        = "https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/"
	docsGitLabCache     = "https://docs.gitlab.com/ci/caching/"
	changeTarget        = "https://github.blog/changelog/2025-11-07-actions-pull_request_target-and-environment-branch-protections-changes"
	changeCheckout      = "https://github.blog/changelog/2026-06-18-safer-pull_request_target-defaults-for-github-actions-checkout"
	changeCache         = "https://github.blog/changelog/2026-06-26-read-only-actions-cache-for-untrusted-triggers"
	changeMode          = "https://github.blog/changelog/2026-09-10-control-github-actions-cache-access-with-cache-mode"
	changeLock          = "https://github.blog/changelog/2026-10-14-github-actions-workflow-lockfiles-in-public-preview/"
	changeApproval      = "https://github.blog/changelog/2021-04-22-github-actions-maintainers-must-approve-first-time-contributor-workflow-runs"
)

// prEvents are the events whose workflow is the pull request's own.
var prEvents = []string{"pull_request", "pull_request_review", "pull_request_review_comment"}

// dependabotEvents are those at which Dependabot has no more rights than a fork.
var dependabotEvents = []string{
	"pull_request", "pull_request_review", "pull_request_review_comment", "push", "create", "deployment", "deployment_status",
}

// semanticRows is the table. A row that changed has a successor from the day, or
// version of the server, on which the change took effect.
var semanticRows = []Row{
	// Where the workflow comes from.
	{ID: "github-ref-default", Forge: "github", Topic: TopicRef, Answer: string(FromDefault), Source: docsEvents,
		Statement: "Unless an event says otherwise, the workflow and what is checked out are those of the default branch."},
	{ID: "github-ref-pull-request", Forge: "github", Topic: TopicRef, Events: prEvents, Answer: string(FromMerge), Source: docsEvents,
		Statement: "The workflow is that of the merge commit of the pull request, so its author can change it."},
	{ID: "github-ref-pull-request-target-base", Forge: "github", Topic: TopicRef, Events: []string{"pull_request_target"},
		Until: "2025-12-08", Before: Version{3, 20}, Answer: string(FromBase), Source: changeTarget,
		Statement: "The workflow is that of the branch the pull request goes to, which its author chooses among all branches."},
	{ID: "github-ref-pull-request-target-default", Forge: "github", Topic: TopicRef, Events: []string{"pull_request_target"},
		From: "2025-12-08", Since: Version{3, 20}, Answer: string(FromDefault), Source: changeTarget,
		Statement: "The workflow, github.ref and github.sha are those of the default branch, whatever branch the pull request goes to."},
	{ID: "github-ref-push", Forge: "github", Topic: TopicRef, Events: []string{"push", "create"}, Answer: string(FromPushed), Source: docsEvents,
		Statement: "The workflow is that of the branch or tag that was pushed."},
	{ID: "github-ref-release", Forge: "github", Topic: TopicRef, Events: []string{"release"}, Answer: string(FromTag), Source: docsEvents,
		Statement: "The workflow is that of the tag of the release."},
	{ID: "github-ref-dispatch", Forge: "github", Topic: TopicRef, Events: []string{"workflow_dispatch"}, Answer: string(FromChosen), Source: docsEvents,
		Statement: "The workflow is that of the branch or tag that the one who dispatches it names."},
	{ID: "github-ref-merge-group", Forge: "github", Topic: TopicRef, Events: []string{"merge_group"}, Answer: string(FromMergeGroup), Source: docsEvents,
		Statement: "The workflow is that of the queue's branch, which holds the queued pull requests."},
	{ID: "github-ref-deployment", Forge: "github", Topic: TopicRef, Events: []string{"deployment", "deployment_status", "registry_package"}, Answer: string(FromDeployed), Source: docsEvents,
		Statement: "The workflow is that of the commit that is deployed or was published."},
	{ID: "github-ref-call", Forge: "github", Topic: TopicRef, Events: []string{"workflow_call"}, Answer: string(FromCaller), Source: docsEvents,
		Statement: "A called workflow has the event, ref and commit of its caller; its own file comes from the ref behind uses."},

	// The job's token.
	{ID: "github-token-default", Forge: "github", Topic: TopicToken, Answer: string(AccessSetting), Source: docsToken,
		Statement: "Without permissions the token has what the repository's or organisation's setting says: all, or contents and packages to read. New ones have had the latter since 2023-02-02."},
	{ID: "github-token-fork", Forge: "github", Topic: TopicToken, Events: prEvents, Origin: OriginFork, Answer: string(AccessRead), Source: docsToken,
		Statement: "A pull request from a fork has a token that only reads, unless a private repository sends write tokens to forks."},
	{ID: "github-token-dependabot", Forge: "github", Topic: TopicToken, Events: dependabotEvents, Origin: OriginDependabot, From: "2021-03-01", Answer: string(AccessRead), Source: docsDependabot,
		Statement: "A run that Dependabot starts has a token that only reads unless permissions say more."},
	{ID: "github-token-limit", Forge: "github", Topic: TopicTokenLimit, Answer: string(AccessWrite), Source: docsToken,
		Statement: "With permissions a job can have any right in its repository."},
	{ID: "github-token-limit-fork", Forge: "github", Topic: TopicTokenLimit, Events: prEvents, Origin: OriginFork, Answer: string(AccessRead), Source: docsToken,
		Statement: "permissions cannot give a pull request from a fork more than reading."},

	// Secrets.
	{ID: "github-secrets", Forge: "github", Topic: TopicSecrets, Answer: string(ReachAll), Source: docsEvents,
		Statement: "The run can read the secrets of repository and organisation, whoever caused the event."},
	{ID: "github-secrets-fork", Forge: "github", Topic: TopicSecrets, Events: prEvents, Origin: OriginFork, Answer: string(ReachNone), Source: docsEvents,
		Statement: "No secret but the job's token reaches a pull request from a fork, unless a private repository sends secrets to forks."},
	{ID: "github-secrets-dependabot", Forge: "github", Topic: TopicSecrets, Events: dependabotEvents, Origin: OriginDependabot, From: "2021-03-01", Answer: string(ReachDependabot), Source: docsDependabot,
		Statement: "A run that Dependabot starts has Dependabot's secrets, not those of Actions."},

	// Caches.
	{ID: "github-cache-scope-default", Forge: "github", Topic: TopicCacheScope, Answer: string(FromDefault), Source: docsCache,
		Statement: "Caches are saved in the scope of the default branch, which every run restores."},
	{ID: "github-cache-scope-pull-request", Forge: "github", Topic: TopicCacheScope, Events: prEvents, Answer: string(FromMerge), Source: docsCache,
		Statement: "Caches of a pull request are saved for its merge ref and restored by it alone; when it is closed by a merge, for the branch it went to."},
	{ID: "github-cache-scope-pull-request-target-base", Forge: "github", Topic: TopicCacheScope, Events: []string{"pull_request_target"},
		Until: "2025-12-08", Before: Version{3, 20}, Answer: string(FromBase), Source: changeTarget,
		Statement: "Caches are saved in the scope of the branch the pull request goes to."},
	{ID: "github-cache-scope-pull-request-target-default", Forge: "github", Topic: TopicCacheScope, Events: []string{"pull_request_target"},
		From: "2025-12-08", Since: Version{3, 20}, Answer: string(FromDefault), Source: changeTarget,
		Statement: "Since the run is on the default branch, so is the scope of its caches."},
	{ID: "github-cache-scope-push", Forge: "github", Topic: TopicCacheScope, Events: []string{"push", "create"}, Answer: string(FromPushed), Source: docsCache,
		Statement: "Caches are saved in the scope of the pushed branch or tag."},
	{ID: "github-cache-scope-release", Forge: "github", Topic: TopicCacheScope, Events: []string{"release"}, Answer: string(FromTag), Source: docsCache,
		Statement: "Caches are saved in the scope of the tag; those of the default branch are restored."},
	{ID: "github-cache-scope-dispatch", Forge: "github", Topic: TopicCacheScope, Events: []string{"workflow_dispatch"}, Answer: string(FromChosen), Source: docsCache,
		Statement: "Caches are saved in the scope of the branch or tag that was named."},
	{ID: "github-cache-scope-merge-group", Forge: "github", Topic: TopicCacheScope, Events: []string{"merge_group"}, Answer: string(FromMergeGroup), Source: docsCache,
		Statement: "Caches are saved in the scope of the queue's branch."},
	{ID: "github-cache-scope-deployment", Forge: "github", Topic: TopicCacheScope, Events: []string{"deployment", "deployment_status"}, Answer: string(FromDeployed), Source: docsCache,
		Statement: "Caches are saved in the scope of the ref that is deployed."},
	{ID: "github-cache-scope-call", Forge: "github", Topic: TopicCacheScope, Events: []string{"workflow_call"}, Answer: string(FromCaller), Source: docsCache,
		Statement: "Caches are saved in the scope of the caller's ref."},
	{ID: "github-cache-write-always", Forge: "github", Topic: TopicCacheWrite, Until: "2026-06-26", Answer: "write", Source: docsCache,
		Statement: "Every run saves caches in its scope."},
	{ID: "github-cache-write-trusted", Forge: "github", Topic: TopicCacheWrite, From: "2026-06-26", ServiceOnly: true,
		Events: []string{"push", "schedule", "workflow_dispatch", "repository_dispatch", "delete", "registry_package", "page_build"}, Answer: "write", Source: docsCache,
		Statement: "Events that only collaborators cause may save caches in the scope of the default branch."},
	{ID: "github-cache-write-own-scope", Forge: "github", Topic: TopicCacheWrite, From: "2026-06-26", ServiceOnly: true,
		Events: []string{"pull_request", "pull_request_review", "pull_request_review_comment", "release", "create", "merge_group", "deployment", "deployment_status"}, Answer: "write", Source: changeCache,
		Statement: "Events with a scope other than the default branch keep saving caches in it."},
	{ID: "github-cache-write-call", Forge: "github", Topic: TopicCacheWrite, From: "2026-06-26", ServiceOnly: true, Events: []string{"workflow_call"}, Answer: "write", Source: changeMode,
		Statement: "A called workflow has the access of its caller and no more: ask for the caller's event."},
	{ID: "github-cache-read-untrusted", Forge: "github", Topic: TopicCacheWrite, From: "2026-06-26", ServiceOnly: true, Answer: "read", Source: changeCache,
		Statement: "Any other event whose scope is the default branch, pull_request_target, issue_comment and workflow_run among them, restores caches and saves none unless cache-mode says so."},
	{ID: "github-cache-mode", Forge: "github", Topic: TopicCacheMode, From: "2026-09-10", ServiceOnly: true, Answer: "yes", Source: changeMode,
		Statement: "cache-mode: write or write-only lets any event save caches again, pull_request_target included; read and none forbid it. That of a job comes before that of the workflow."},

	// Identity tokens.
	{ID: "github-oidc", Forge: "github", Topic: TopicOIDC, Answer: "yes", Source: docsOIDC,
		Statement: "A job with id-token: write can have an identity token."},
	{ID: "github-oidc-fork", Forge: "github", Topic: TopicOIDC, Events: prEvents, Origin: OriginFork, Answer: "no", Source: docsToken,
		Statement: "A pull request from a fork cannot be given id-token: write."},
	{ID: "github-oidc-subject-names", Forge: "github", Topic: TopicSubject, Until: "2026-04-23", ServiceOnly: true, Answer: string(SubjectNames), Source: docsOIDC,
		Statement: "The subject names owner and repository, and whoever takes the names over has the subject."},
	{ID: "github-oidc-subject-ids", Forge: "github", Topic: TopicSubject, From: "2026-04-23", ServiceOnly: true, Answer: string(SubjectEither), Source: docsOIDC,
		Statement: "A repository can opt in to a subject with the ids of owner and repository; those created, renamed or transferred after 2026-07-15 have it."},
	{ID: "github-oidc-subject-server", Forge: "github", Topic: TopicSubject, ServerOnly: true, Answer: string(SubjectNames), Source: docsOIDC,
		Statement: "Enterprise Server has no subjects with ids."},

	// actions/checkout. Versions and commits are those of its repository's tags.
	{ID: "github-checkout-guard", Forge: "github", Topic: TopicCheckoutGuard, Events: []string{"pull_request_target", "workflow_run"}, From: checkoutGuardSince, Answer: "guarded", Source: changeCheckout,
		Statement: "actions/checkout refuses the code of a fork's pull request from v7.0.0 on (2026-06-18), and from v2.8, v3.7, v4.4, v5.1 and v6.1 on (2026-07-16), when the tags v2 to v6 moved; commits and exact versions before do not."},
	{ID: "github-checkout-no-guard", Forge: "github", Topic: TopicCheckoutGuard, Answer: "none", Source: changeCheckout,
		Statement: "actions/checkout checks out what it is told; its guard is for pull_request_target and workflow_run alone."},

	{ID: "github-lock-none", Forge: "github", Topic: TopicLock, Until: "2026-10-14", Answer: "no", Source: changeLock,
		Statement: "There is no lock file: a tag or branch behind uses is what it points to when the job starts."},
	{ID: "github-lock-preview", Forge: "github", Topic: TopicLock, From: "2026-10-14", ServiceOnly: true, Answer: "preview", Source: changeLock,
		Statement: ".github/workflows/actions.lock pins what the workflows named in it use, for organisations in Enterprise Cloud, as a public preview."},

	// Approval.
	{ID: "github-approval-none", Forge: "github", Topic: TopicApproval, Answer: string(ApprovalNone), Source: docsApproval,
		Statement: "The run waits for nobody."},
	{ID: "github-approval-fork", Forge: "github", Topic: TopicApproval, Events: prEvents, Origin: OriginFork, From: "2021-04-22", Answer: string(ApprovalSetting), Source: changeApproval,
		Statement: "The first pull request of a contributor from a fork waits for someone with write access; a setting can ask for it always."},

	// Environments.
	{ID: "github-environment-ref-head", Forge: "github", Topic: TopicEnvironment, Events: []string{"pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_target"},
		Until: "2025-12-08", Before: Version{3, 20}, Answer: "head", Source: changeTarget,
		Statement: "The branch rules of an environment look at the head of the pull request, whose name its author chooses."},
	{ID: "github-environment-ref-merge", Forge: "github", Topic: TopicEnvironment, Events: prEvents, From: "2025-12-08", Since: Version{3, 20}, Answer: string(FromMerge), Source: changeTarget,
		Statement: "The branch rules of an environment look at refs/pull/N/merge."},
	{ID: "github-environment-ref-default", Forge: "github", Topic: TopicEnvironment, Events: []string{"pull_request_target"}, From: "2025-12-08", Since: Version{3, 20}, Answer: string(FromDefault), Source: changeTarget,
		Statement: "The branch rules of an environment look at the default branch, on which the run is."},
	{ID: "github-environment-ref", Forge: "github", Topic: TopicEnvironment, Answer: string(FromPushed), Source: docsEvents,
		Statement: "The branch rules of an environment look at the ref of the run."},

	// GitLab.
	{ID: "gitlab-project-own", Forge: "gitlab", Topic: TopicProject, Answer: "own", Source: docsMergeReq,
		Statement: "A pipeline runs in the project whose branch or tag it is for."},
	{ID: "gitlab-project-fork", Forge: "gitlab", Topic: TopicProject, Events: []string{"merge_request_event"}, Origin: OriginFork, Answer: "fork", Source: docsMergeReq,
		Statement: "A merge request from a fork runs in the fork, with the fork's variables and runners."},
	{ID: "gitlab-project-parent", Forge: "gitlab", Topic: TopicProject, Events: []string{"merge_request_event started by a member"}, Origin: OriginFork, Since: Version{13, 3}, Answer: "parent", Source: docsMergeReq,
		Statement: "A member of the parent project can run a fork's merge request in the parent: the fork's configuration with the parent's variables, runners and the member's rights."},
	{ID: "gitlab-variables-ref", Forge: "gitlab", Topic: TopicVariables, Answer: "yes", Source: "https://docs.gitlab.com/ci/variables/",
		Statement: "Protected variables and runners are for pipelines on protected branches and tags."},
	{ID: "gitlab-variables-merge-request", Forge: "gitlab", Topic: TopicVariables, Events: []string{"merge_request_event"}, Until: "2025-06-19", Before: Version{18, 1}, Answer: "no", Source: docsMergeReq,
		Statement: "Merge request pipelines have neither protected variables nor protected runners."},
	{ID: "gitlab-variables-merge-request-setting", Forge: "gitlab", Topic: TopicVariables, Events: []string{"merge_request_event"}, From: "2025-06-19", Since: Version{18, 1}, Answer: "setting", Source: docsMergeReq,
		Statement: "Merge request pipelines have protected variables and runners if source and target branch are protected, in the same project, and the project's setting allows it, as in new projects it does."},
	{ID: "gitlab-job-token-any", Forge: "gitlab", Topic: TopicJobToken, Until: "2025-05-15", Before: Version{18, 0}, Answer: "any", Source: "https://docs.gitlab.com/ci/jobs/ci_job_token/",
		Statement: "A project can be open to the job tokens of all others; new ones have had an allowlist since 16.0."},
	{ID: "gitlab-job-token-allowlist", Forge: "gitlab", Topic: TopicJobToken, From: "2025-05-15", Since: Version{18, 0}, Answer: "allowlist", Source: "https://docs.gitlab.com/ci/jobs/ci_job_token/",
		Statement: "A job token reaches the projects that name its own in their allowlist; a server's administrator can leave it to projects."},
	{ID: "gitlab-cache-shared", Forge: "gitlab", Topic: TopicCacheScope, Until: "2022-05-22", Before: Version{15, 0}, Answer: "shared", Source: docsGitLabCache,
		Statement: "Protected and other branches share caches of the same key."},
	{ID: "gitlab-cache-separate", Forge: "gitlab", Topic: TopicCacheScope, From: "2022-05-22", Since: Version{15, 0}, Answer: "separate", Source: docsGitLabCache,
		Statement: "Protected and other branches have caches of their own, unless a setting shares them. Jobs choose their key: within a kind every job can write every cache."},
	{ID: "gitlab-oidc", Forge: "gitlab", Topic: TopicOIDC, Since: Version{15, 7}, Answer: "yes", Source: "https://docs.gitlab.com/ci/secrets/id_token_authentication/",
		Statement: "A job with id_tokens has an identity token whose claims name project, ref and whether the ref is protected."},

	// Azure Pipelines. The dates are those of the release notes; a change reaches all
	// organizations within three weeks.
	{ID: "azure-project", Forge: "azure", Topic: TopicProject, Answer: "own", Source: docsAzureGitHub,
		Statement: "A pipeline runs in the Azure DevOps project that defines it, also for a pull request from a fork of the code."},
	{ID: "azure-ref-default", Forge: "azure", Topic: TopicRef, Answer: string(FromDefault), Source: docsAzureResources,
		Statement: "A pipeline that another pipeline, an image or a webhook starts is that of the default branch of its settings."},
	{ID: "azure-ref-ci", Forge: "azure", Topic: TopicRef, Events: []string{AzureCI}, Answer: string(FromPushed), Source: docsAzureRepos,
		Statement: "The pipeline is that of the branch or tag that was pushed."},
	{ID: "azure-ref-schedule", Forge: "azure", Topic: TopicRef, Events: []string{AzureSchedule}, Answer: string(FromPushed), Source: docsAzureSchedules,
		Statement: "For each branch that a schedule names, the pipeline is that of the branch."},
	{ID: "azure-ref-pr", Forge: "azure", Topic: TopicRef, Events: []string{AzurePullRequest}, Answer: string(FromMerge), Source: docsAzureGitHub,
		Statement: "The pipeline is that of the merge of source and target branch, so whoever writes the pull request can change it."},
	{ID: "azure-ref-manual", Forge: "azure", Topic: TopicRef, Events: []string{AzureManual}, Answer: string(FromChosen), Source: docsAzureParameters,
		Statement: "The pipeline is that of the branch, tag or commit that the one who runs it names; they choose its parameters, too."},
	{ID: "azure-secrets", Forge: "azure", Topic: TopicSecrets, Answer: string(ReachAll), Source: docsAzureSecrets,
		Statement: "A run reads the secret variables, groups, files and service connections that its pipeline may use; checks on them can name branches or ask for approval."},
	{ID: "azure-secrets-fork", Forge: "azure", Topic: TopicSecrets, Events: []string{AzurePullRequest}, Origin: OriginFork, Answer: string(ReachNone), Source: docsAzureGitHub,
		Statement: "No secret variable, service connection or secure file reaches a pull request from a fork on GitHub, unless the pipeline is set to make secrets available to builds of forks."},
	{ID: "azure-secrets-fork-enterprise", Forge: "azure", Topic: TopicSecrets, Events: []string{azureEnterprise}, Origin: OriginFork, Answer: string(ReachAll), Source: docsAzureGitHub,
		Statement: "Secrets reach pull requests from forks on GitHub Enterprise Server, unless the pipeline is set not to."},
	{ID: "azure-token", Forge: "azure", Topic: TopicToken, Answer: string(AccessSetting), Source: docsAzureToken,
		Statement: "The job's token has the rights of the build service account: in its own project or, unless the job authorization scope is limited, in all of the organization."},
	{ID: "azure-token-fork", Forge: "azure", Topic: TopicToken, Events: []string{AzurePullRequest, azureEnterprise}, Origin: OriginFork, Answer: string(AccessRead), Source: docsAzureForks,
		Statement: "The token of a build of a fork is restricted, unless the pipeline is set to give such builds the same permissions as others."},
	{ID: "azure-approval-none", Forge: "azure", Topic: TopicApproval, Answer: string(ApprovalNone), Source: docsAzureGitHub,
		Statement: "A run waits for nobody before it begins; checks on what a stage uses are not part of the file."},
	{ID: "azure-approval-fork-none", Forge: "azure", Topic: TopicApproval, Events: []string{AzurePullRequest, azureEnterprise}, Origin: OriginFork, Until: "2023-09-12", Answer: string(ApprovalNone), Source: docsAzureGitHub,
		Statement: "A pull request from a fork is built at once; a setting of the pipeline can ask for a comment of a member first."},
	{ID: "azure-approval-fork-comment", Forge: "azure", Topic: TopicApproval, Events: []string{AzurePullRequest, azureEnterprise}, Origin: OriginFork, From: "2023-09-12", Until: "2023-10-26", Answer: string(ApprovalSetting), Source: changeAzureForks,
		Statement: "New organizations build pull requests from forks after a comment of a member, without secrets and with a restricted token; older ones as their pipelines are set."},
	{ID: "azure-approval-fork-off", Forge: "azure", Topic: TopicApproval, Events: []string{AzurePullRequest, azureEnterprise}, Origin: OriginFork, From: "2023-10-26", Answer: string(ApprovalSetting), Source: changeAzureForksOff,
		Statement: "New organizations and projects do not build pull requests from forks on GitHub; older ones as their pipelines are set."},
	{ID: "azure-environment-ref", Forge: "azure", Topic: TopicEnvironment, Answer: string(FromPushed), Source: docsAzureChecks,
		Statement: "A branch check on an environment, or another protected resource, looks at the branch of the run."},
	{ID: "azure-environment-ref-pr", Forge: "azure", Topic: TopicEnvironment, Events: []string{AzurePullRequest, azureEnterprise}, Answer: string(FromMerge), Source: docsAzureChecks,
		Statement: "For a pull request a branch check looks at refs/pull/N/merge."},
}

// guardedCommits are the commits of the tags of actions/checkout that hold the guard.
var guardedCommits = []string{
	"0717577d45739eb3c851188b29f50ed6c0b2194e", // v2.8.0
	"a37ce9120846195fa4ece8f58b268e6043cb2f26", // v3.7.0
	"11d5960a326750d5838078e36cf38b85af677262", // v4.4.0
	"fbc6f3992d24b796d5a048ff273f7fcc4a7b6c09", // v5.1.0
	"d23441a48e516b6c34aea4fa41551a30e30af803", // v6.1.0
	"9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0", // v7.0.0
	"3d3c42e5aac5ba805825da76410c181273ba90b1", // v7.0.1
}

// unguardedCommits are those of its tags, v1.0.0 to v6.0.3, that do not.
var unguardedCommits = []string{
	"01aecccf739ca6ff86c0539fbc67a7a5007bbc81",
	"08c6903cd8c0fde910a37f88322edcfb5dd907a8",
	"08eba0b27e820071cde6df949e0beb9ba4906955",
	"0ad4b8fadaa221de15dcec353f45205ec38ea70b",
	"0b496e91ec7ae4428c3ed2eeb4c3a40df431f2cc",
	"11bd71901bbe5b1630ceea73d27597364c9af683",
	"1af3b93b6815bc44a9784bd300feb67ff0d1eeb3",
	"1d96c772d19495a3b5c517cd2bc0cb401ea0529f",
	"1e204e9a9253d643386038d443f96446fa156a97",
	"1e31de5234b9f8995739874a8ce0492dc87873e2",
	"2036a08e25fa78bbd946711a407b529a0a1204bf",
	"24cb9080177205b6e8c946b17badbe402adc938f",
	"2541b1294d2704b0964813337f33b291d3f8596b",
	"28c7f3d2b5162b5ddd3dfd9a45aa55eaf396478b",
	"34e114876b0b11c390a56381ad16ebd13914f8d5",
	"44c2b7a8a4ea60a981eaca3cf939b5f4305c123b",
	"50fbc622fc4ef5163becd7fab6573eac35f8462e",
	"5a4ac9002d0be2fb38bd78e4b4dbde5606d7042f",
	"692973e3d937129bcbf40652eb9f2f61becf3332",
	"722adc63f1aa60a57ec37892e133b1d319cae598",
	"755da8c3cf115ac066823e79a1e1788f8940201b",
	"7884fcad6b5d53d10323aee724dc68d8b9096a2e",
	"83b7061638ee4956cf7545a6f7efe594e5ad0247",
	"86f86b36ef15e6570752e7175f451a512eac206b",
	"8ade135a41bc03ea155e62e844d188df1ea18608",
	"8e5e7e5ab8b370d6c329ec480221332ada57f0ab",
	"8e8c483db84b4bee98b60c0593521ed34d9990e8",
	"8f4b7f84864484a7bf31766abe9204da3cbe65b3",
	"93cb6efe18208431cddfb8368fd83d5badbf9bfd",
	"93ea575cb5d8a053eaa0ac8fa3b40d7e05a33cc8",
	"9bb56186c3b09b4f86b1c65136769dd318469633",
	"a12a3943b4bdde767164f792f33f40b04645d846",
	"a5ac7e51b41094c92402da3b24376905380afc29",
	"a81bbbf8298c0fa03ea29cdc473d45769f953675",
	"aabbfeb2ce60b5bd82389903509092c4648a9713",
	"ac593985615ec2ede58e132d2e21d2b1cbd6127c",
	"af513c7a016048ae468971c52ed77d9562c7c819",
	"b4483adec309c0d01a5435c5e24eb40de5773ad9",
	"b4ffde65f46336ab88eb53be808477a3936bae11",
	"c85c95e3d7251135ab7dc9ce3241c5835cc595a9",
	"d632683dd7b4114ad314bca15554477dd762a938",
	"dc323e67f16fb5f7663d20ff7941f27f5809e9b6",
	"dcd71f646680f2efd8db4afa5ad64fdcba30e748",
	"de0fac2e4500dabe0009e67214ff5f5447ce83dd",
	"df4cb1c069e1874edd31b4311f1884172cec0e10",
	"e2f20e631ae6d7dd3b768f56a5d2af784dd54791",
	"ec3a7ce113134d7a93b817d10a8272cb61118579",
	"ee0669bd1cc54295c223e0bb666b733df41de1c5",
	"eef61447b9ff4aafe5dcd4e0bbf5d482be7e7871",
	"f25a3a9f25bd5f4c5d77189cab02ff357b5aedeb",
	"f43a0e5ff2bd294095638e18286ca9a3d1956744",
}
