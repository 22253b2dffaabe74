package main

import (
	"encoding/json"
	"os"
	"strings"
)

// trust is the class of a run's cache. Classes never share one.
type trust string

const (
	trusted trust = "trusted"
	// untrusted is a change from a fork: nobody with rights in this project has
	// vouched for it.
	untrusted trust = "untrusted"
)

// ci is what the environment says about the CI system. It decides on the cache
// class, on notes and on what --since auto compares; what cannot be known counts as untrusted.
type ci struct {
	Name        string
	PullRequest bool
	Fork        bool
	Commit      string
	// Source is the commit that the change proposes, where the system says so, and
	// Target what it is to be merged into: commits or refs, the best first.
	Source string
	Target []string
}

// deepen says how the system is told to fetch more of the history.
func (c ci) deepen() string {
	switch c.Name {
	case "GitHub Actions":
		return "give actions/checkout fetch-depth: 0"
	case "GitLab CI":
		return `set the job's variable GIT_DEPTH: "0"`
	case "Azure Pipelines":
		return "set fetchDepth: 0 at the checkout step"
	case "Jenkins":
		return "switch the shallow clone off, or raise its depth"
	case "CircleCI":
		return "set method: full at the checkout step"
	case "Bitbucket Pipelines":
		return "set clone: depth: full"
	case "Travis CI":
		return "set git: depth: false"
	}
	return "git fetch --unshallow"
}

// branches are the refs by which a branch of the remote may be known.
func branches(name string) []string {
	name = strings.TrimPrefix(name, "refs/heads/")
	if name == "" {
		return nil
	}
	return []string{"refs/remotes/origin/" + name, "refs/heads/" + name}
}

func (c ci) trust() trust {
	if c.Fork {
		return untrusted
	}
	return trusted
}

// maxEvent bounds GitHub's event file; webhooks are at most 25 MB.
const maxEvent = 25 << 20

// detectCI reads the variables that CI systems document.
func detectCI(env func(string) string) ci {
	different := func(source string, targets ...string) bool {
		if source == "" {
			return false
		}
		for _, t := range targets {
			if t != "" && t != source {
				return true
			}
		}
		return false
	}
	switch {
	case env("GITHUB_ACTIONS") == "true": // also Gitea and Forgejo
		c := ci{Name: "GitHub Actions", Commit: env("GITHUB_SHA")}
		switch event := env("GITHUB_EVENT_NAME"); {
		case strings.HasPrefix(event, "pull_request"), event == "workflow_run", event == "issue_comment":
			c.PullRequest = true
			c.Fork = githubFork(event, env("GITHUB_EVENT_PATH"))
		case event == "merge_group":
			c.PullRequest = true
		}
		if c.PullRequest {
			var base string
			base, c.Source = githubCommits(env("GITHUB_EVENT_PATH"))
			if base != "" {
				c.Target = append(c.Target, base)
			}
			c.Target = append(c.Target, branches(env("GITHUB_BASE_REF"))...)
		}
		return c
	case env("GITLAB_CI") == "true":
		source := env("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
		var target []string
		for _, name := range []string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"} {
			if sha := env(name); sha != "" {
				target = append(target, sha)
			}
		}
		return ci{
			Source: env("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), // of merged results only
			Target: append(target, branches(env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"))...),

			Name: "GitLab CI", Commit: env("CI_COMMIT_SHA"),
			PullRequest: env("CI_MERGE_REQUEST_IID") != "",
			Fork:        different(source, env("CI_PROJECT_ID"), env("CI_MERGE_REQUEST_PROJECT_ID")),
		}
	case env("TF_BUILD") != "":
		return ci{
			Name: "Azure Pipelines", Commit: env("BUILD_SOURCEVERSION"),
			PullRequest: env("SYSTEM_PULLREQUEST_PULLREQUESTID") != "",
			Fork:        strings.EqualFold(env("SYSTEM_PULLREQUEST_ISFORK"), "true"),
			Source:      env("SYSTEM_PULLREQUEST_SOURCECOMMITID"),
			Target:      branches(env("SYSTEM_PULLREQUEST_TARGETBRANCH")),
		}
	case env("CIRCLECI") == "true":
		return ci{
			Name: "CircleCI", Commit: env("CIRCLE_SHA1"),
			PullRequest: env("CIRCLE_PULL_REQUEST") != "",
			Fork:        env("CIRCLE_PR_REPONAME") != "",                                                                // set for forks only
			Target:      []string{"refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"}, // it does not say
		}
	case env("TRAVIS") == "true":
		return ci{
			Name: "Travis CI", Commit: env("TRAVIS_COMMIT"),
			PullRequest: env("TRAVIS_PULL_REQUEST") != "" && env("TRAVIS_PULL_REQUEST") != "false",
			Fork:        different(env("TRAVIS_PULL_REQUEST_SLUG"), env("TRAVIS_REPO_SLUG")),
			Source:      env("TRAVIS_PULL_REQUEST_SHA"),
			Target:      branches(env("TRAVIS_BRANCH")),
		}
	case env("BUILDKITE") == "true":
		request := env("BUILDKITE_PULL_REQUEST")
		return ci{
			Name: "Buildkite", Commit: env("BUILDKITE_COMMIT"),
			PullRequest: request != "" && request != "false",
			Fork:        different(env("BUILDKITE_PULL_REQUEST_REPO"), env("BUILDKITE_REPO")),
			Target:      branches(env("BUILDKITE_PULL_REQUEST_BASE_BRANCH")),
		}
	case env("JENKINS_URL") != "":
		return ci{Name: "Jenkins", Commit: env("GIT_COMMIT"), PullRequest: env("CHANGE_ID") != "", Fork: env("CHANGE_FORK") != "", Target: branches(env("CHANGE_TARGET"))}
	case env("BITBUCKET_BUILD_NUMBER") != "":
		return ci{Name: "Bitbucket Pipelines", Commit: env("BITBUCKET_COMMIT"), PullRequest: env("BITBUCKET_PR_ID") != "", Target: branches(env("BITBUCKET_PR_DESTINATION_BRANCH"))}
	case env("CI") != "" && env("CI") != "false":
		return ci{Name: "CI"}
	}
	return ci{}
}

// githubFork reads GitHub's event file. A pull request whose origin cannot be
// read is treated as one from a fork.
func githubFork(event, path string) bool {
	data, err := readRegular(os.OpenFile, path, maxEvent)
	if err != nil {
		return true
	}
	type repo struct {
		Fork bool   `json:"fork"`
		Name string `json:"full_name"`
	}
	var e struct {
		PullRequest *struct {
			Head struct {
				Repo *repo `json:"repo"`
			} `json:"head"`
			Base struct {
				Repo *repo `json:"repo"`
			} `json:"base"`
		} `json:"pull_request"`
		WorkflowRun *struct {
			Head *repo `json:"head_repository"`
		} `json:"workflow_run"`
		Issue *struct {
			PullRequest *struct{} `json:"pull_request"`
		} `json:"issue"`
		Repository repo `json:"repository"`
	}
	if json.Unmarshal(data, &e) != nil {
		return true
	}
	switch {
	case e.PullRequest != nil:
		head, base := e.PullRequest.Head.Repo, e.PullRequest.Base.Repo
		// A fork that was deleted leaves null.
		return head == nil || base == nil || head.Name == "" || head.Name != base.Name
	case e.WorkflowRun != nil:
		return e.WorkflowRun.Head == nil || e.WorkflowRun.Head.Name != e.Repository.Name
	case e.Issue != nil:
		return e.Issue.PullRequest != nil // a comment says nothing of the branch
	}
	return event != "issue_comment"
}
