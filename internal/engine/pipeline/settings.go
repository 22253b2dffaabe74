package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Settings are what definitions do not say: the day and the forge that the answer is
// for, and the settings of the server and the repository. The zero value assumes what
// the forge does by default, for a public repository.
type Settings struct {
	// AsOf is the day that the answer is for, empty for the latest rules known.
	AsOf Date
	// Forge is the server, with its version if it is one's own; only definitions of
	// that forge depend on it.
	Forge   ForgeVersion
	GitHub  GitHubSettings
	GitLab  GitLabSettings
	Azure   AzureSettings
	Jenkins JenkinsSettings
	// Forbidden and Allowed are patterns of actions, owner/repo or owner/*, that may
	// not, or alone may, be used.
	Forbidden, Allowed []string
	// Repairs: every flaw gets its repair, not only those above hygiene.
	Repairs bool
	// Graph: assets and edges are reported, too.
	Graph bool
}

// RunnerKind says what becomes of a runner after a job.
type RunnerKind string

// The kinds.
const (
	RunnerEphemeral  RunnerKind = "ephemeral"
	RunnerPersistent RunnerKind = "persistent"
)

// Visibility says who can see a repository, and so open a pull request.
type Visibility string

// The visibilities. Empty is public.
const (
	Public   Visibility = "public"
	Internal Visibility = "internal"
	Private  Visibility = "private"
)

// EnvironmentSettings protect a deployment environment.
type EnvironmentSettings struct {
	// Reviewers: someone must approve each job.
	Reviewers bool `yaml:"reviewers" doc:"jobs wait for a reviewer"`
	// Branches are patterns of the branches and tags that may use it; none is all.
	Branches []string `yaml:"branches" doc:"patterns of the branches and tags whose jobs may use it"`
}

// GitHubSettings are those of a repository at GitHub.
type GitHubSettings struct {
	// Repository is owner/name. Without it the name counts that the conditions of the
	// project compare with.
	Repository    string     `yaml:"repository" doc:"owner/name; if nothing is said, the one that most conditions on github.repository ask for"`
	Visibility    Visibility `yaml:"visibility" doc:"public, internal or private"`
	DefaultBranch string     `yaml:"default-branch" doc:"its name; main if nothing is said"`
	// DefaultToken is read or write: what the job's token may do without
	// permissions. Empty is not known.
	DefaultToken Access `yaml:"default-token" doc:"read or write: what a token may do where the workflow says nothing"`
	// Created is the day of creation, or of the last rename.
	Created Date `yaml:"created" doc:"the day on which the repository was created or last renamed"`
	// ForkApproval is whose runs from forks wait for approval.
	ForkApproval   string                         `yaml:"fork-approval" doc:"none, first-time or all: whose pull requests from forks wait for approval"`
	ForkSecrets    bool                           `yaml:"fork-secrets" doc:"pull requests from forks get secrets (private repositories)"`
	ForkWriteToken bool                           `yaml:"fork-write-token" doc:"pull requests from forks get a token that writes (private repositories)"`
	Runners        map[string]RunnerKind          `yaml:"runners" doc:"labels of self-hosted runners: ephemeral or persistent"`
	Environments   map[string]EnvironmentSettings `yaml:"environments" doc:"protection of environments, by name"`
	Protected      []string                       `yaml:"protected-branches" doc:"patterns of protected branches"`
}

// GitLabSettings are those of a project at GitLab.
type GitLabSettings struct {
	Visibility    Visibility `yaml:"visibility" doc:"public, internal or private"`
	DefaultBranch string     `yaml:"default-branch" doc:"its name; main if nothing is said"`
	// ForkPipelines is where merge requests from forks run: fork, or parent, when a
	// member starts them there.
	ForkPipelines string   `yaml:"fork-pipelines" doc:"fork, or parent: a member runs the pipelines of merge requests from forks in the project"`
	Protected     []string `yaml:"protected-branches" doc:"patterns of protected branches"`
	// Variables are secret variables. Those that ProtectedVariables name, too, or alone,
	// are for protected refs; every pipeline of the project gets the others.
	ProtectedVariables []string `yaml:"protected-variables" doc:"names of secret variables for protected refs alone"`
	Variables          []string `yaml:"variables" doc:"names of secret variables; every pipeline gets those that are not protected"`
	// MergeRequestProtected gives protected variables to merge requests between
	// protected branches.
	MergeRequestProtected bool                           `yaml:"merge-request-protected" doc:"merge requests between protected branches get protected variables and runners"`
	Runners               map[string]RunnerKind          `yaml:"runners" doc:"tags of own runners: ephemeral or persistent"`
	Environments          map[string]EnvironmentSettings `yaml:"environments" doc:"protection of environments, by name"`
}

// Switch is a setting that may be on, off, or not said: then the forge's default counts.
type Switch uint8

// The positions.
const (
	SwitchDefault Switch = iota
	SwitchOn
	SwitchOff
)

// UnmarshalText reads true or false.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*s = SwitchOn
	case "false":
		*s = SwitchOff
	default:
		return errors.New("it must be true or false")
	}
	return nil
}

// AzureSettings are those of a pipeline in Azure DevOps.
type AzureSettings struct {
	// Repository is where the code is.
	Repository AzureHost `yaml:"repository" doc:"github, github-enterprise, bitbucket or azure: where the code lies"`
	// ForkBuilds: pull requests from forks are built. Default: on.
	ForkBuilds Switch `yaml:"fork-builds" doc:"pull requests from forks are built"`
	// ForkSecrets: they get the secrets. Default: off, but on at Enterprise Server.
	ForkSecrets Switch `yaml:"fork-secrets" doc:"secrets are available to builds of forks"`
	// ForkFullAccess: their token is that of other builds. Default: off.
	ForkFullAccess Switch `yaml:"fork-full-access" doc:"builds of forks have the same access token as others"`
	// CommentRequired: who waits for a comment of a team member. Default: none.
	CommentRequired string `yaml:"comment-required" doc:"all, non-team or none: whose pull requests wait for a comment of a team member"`
	// ImpliedTrigger: without a trigger every push starts the pipeline. Default: on.
	ImpliedTrigger Switch                              `yaml:"implied-trigger" doc:"a pipeline without a trigger runs on every push"`
	Secrets        []string                            `yaml:"secret-variables" doc:"names of secret variables of the pipeline"`
	Groups         map[string][]string                 `yaml:"variable-groups" doc:"names of secrets in variable groups"`
	Pools          map[string]RunnerKind               `yaml:"pools" doc:"own agent pools: ephemeral or persistent"`
	Environments   map[string]AzureEnvironmentSettings `yaml:"environments" doc:"checks of environments, by name"`
}

// AzureEnvironmentSettings are the checks of an environment.
type AzureEnvironmentSettings struct {
	Approval bool `yaml:"approval" doc:"jobs wait for an approval"`
}

// JenkinsSettings are those of a project of Jenkins.
type JenkinsSettings struct {
	// Forks: pull requests of forks are discovered. Default: on.
	Forks Switch `yaml:"forks" doc:"pull requests from forks are discovered and built"`
	// Trust is whose own version of the Jenkinsfile runs. Default: of those who may write.
	Trust JenkinsTrust `yaml:"trust" doc:"nobody, contributors, permission, approval or everyone: whose changes of the Jenkinsfile are run"`
	// Single: the pipeline is no multibranch project, so that only its own triggers
	// start it.
	Single      bool                  `yaml:"single" doc:"the project is no multibranch project"`
	Agents      map[string]RunnerKind `yaml:"agents" doc:"labels of agents: ephemeral or persistent"`
	Credentials map[string]string     `yaml:"credentials" doc:"scope of credentials by id: global or folder"`
}

// settingsFile is a file of forge settings.
type settingsFile struct {
	Version int             `yaml:"version" doc:"1"`
	GitHub  GitHubSettings  `yaml:"github" doc:"a repository at GitHub"`
	GitLab  GitLabSettings  `yaml:"gitlab" doc:"a project at GitLab"`
	Azure   AzureSettings   `yaml:"azure" doc:"a pipeline in Azure DevOps"`
	Jenkins JenkinsSettings `yaml:"jenkins" doc:"a multibranch project of Jenkins"`
}

// ParseSettings reads a file of forge settings into s. The error names file, line and
// key.
func (s *Settings) ParseSettings(name string, data []byte) error {
	file := settingsFile{}
	keys, err := syntax.DecodeYAML(name, data, &file)
	if err != nil {
		return err
	}
	bad := func(key, value string, allowed ...string) error {
		if value == "" || slices.Contains(allowed, value) {
			return nil
		}
		return fmt.Errorf("%s:%d: %s: %q is none of %q", name, keys[key], key, clip(value), allowed)
	}
	if file.Version != 1 {
		return fmt.Errorf("%s: version must be 1", name)
	}
	checks := []error{
		bad("github.visibility", string(file.GitHub.Visibility), "public", "internal", "private"),
		bad("github.default-token", string(file.GitHub.DefaultToken), "read", "write"),
		bad("github.fork-approval", file.GitHub.ForkApproval, "none", "first-time", "all"),
		bad("gitlab.visibility", string(file.GitLab.Visibility), "public", "internal", "private"),
		bad("gitlab.fork-pipelines", file.GitLab.ForkPipelines, "fork", "parent"),
		bad("azure.repository", string(file.Azure.Repository), "github", "github-enterprise", "bitbucket", "azure"),
		bad("azure.comment-required", file.Azure.CommentRequired, "all", "non-team", "none"),
		bad("jenkins.trust", string(file.Jenkins.Trust), "nobody", "contributors", "permission", "approval", "everyone"),
	}
	for _, runners := range []struct {
		key   string
		kinds map[string]RunnerKind
	}{{"github.runners", file.GitHub.Runners}, {"gitlab.runners", file.GitLab.Runners}, {"azure.pools", file.Azure.Pools}, {"jenkins.agents", file.Jenkins.Agents}} {
		for label, kind := range runners.kinds {
			checks = append(checks, bad(runners.key+"."+label, string(kind), "ephemeral", "persistent"))
		}
	}
	if r := file.GitHub.Repository; r != "" && !slugForm.MatchString(r) {
		checks = append(checks, fmt.Errorf("%s:%d: github.repository: %q is not owner/name", name, keys["github.repository"], clip(r)))
	}
	if d := file.GitHub.Created; d != "" {
		if _, err := ParseDate(string(d)); err != nil {
			checks = append(checks, fmt.Errorf("%s:%d: github.created: %w", name, keys["github.created"], err))
		}
	}
	if err := cmp.Or(checks...); err != nil {
		return err
	}
	s.GitHub, s.GitLab, s.Azure, s.Jenkins = file.GitHub, file.GitLab, file.Azure, file.Jenkins
	return nil
}

// CheckSetup reports what is wrong with the settings of a run.
func CheckSetup(setup penstock.PipelineSetup) error { return new(Settings).from(setup) }

// from takes the settings of a run.
func (s *Settings) from(setup penstock.PipelineSetup) error {
	var err error
	if setup.AsOf != "" {
		if s.AsOf, err = ParseDate(setup.AsOf); err != nil {
			return err
		}
	}
	if setup.Forge != "" {
		if s.Forge, err = ParseForge(setup.Forge); err != nil {
			return err
		}
	}
	s.Forbidden, s.Allowed, s.Repairs, s.Graph = setup.Forbidden, setup.Allowed, setup.Repairs, setup.Graph
	if f := setup.Settings; f != nil {
		return s.ParseSettings(f.Path, f.Data)
	}
	return nil
}

// Environment is the protection of an environment by its name, in any case.
func (g GitHubSettings) Environment(name string) (EnvironmentSettings, bool) {
	for n, e := range g.Environments {
		if strings.EqualFold(n, name) {
			return e, true
		}
	}
	return EnvironmentSettings{}, false
}

// IsProtected reports whether a branch is protected by one of the patterns.
func IsProtected(patterns []string, branch string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, branch)
		return err == nil && ok || p == branch
	})
}
