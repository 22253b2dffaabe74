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
// class, on notes and on nothing else; what cannot be known counts as untrusted.
type ci struct {
	Name        string
	PullRequest bool
	Fork        bool
	Commit      string
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
		}
		return c
	case env("GITLAB_CI") == "true":
		source := env("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
		return ci{
			Name: "GitLab CI", Commit: env("CI_COMMIT_SHA"),
			PullRequest: env("CI_MERGE_REQUEST_IID") != "",
			Fork:        different(source, env("CI_PROJECT_ID"), env("CI_MERGE_REQUEST_PROJECT_ID")),
		}
	case env("TF_BUILD") != "":
		return ci{
			Name: "Azure Pipelines", Commit: env("BUILD_SOURCEVERSION"),
			PullRequest: env("SYSTEM_PULLREQUEST_PULLREQUESTID") != "",
			Fork:        strings.EqualFold(env("SYSTEM_PULLREQUEST_ISFORK"), "true"),
		}
	case env("CIRCLECI") == "true":
		return ci{
			Name: "CircleCI", Commit: env("CIRCLE_SHA1"),
			PullRequest: env("CIRCLE_PULL_REQUEST") != "",
			Fork:        env("CIRCLE_PR_REPONAME") != "", // set for forks only
		}
	case env("TRAVIS") == "true":
		return ci{
			Name: "Travis CI", Commit: env("TRAVIS_COMMIT"),
			PullRequest: env("TRAVIS_PULL_REQUEST") != "" && env("TRAVIS_PULL_REQUEST") != "false",
			Fork:        different(env("TRAVIS_PULL_REQUEST_SLUG"), env("TRAVIS_REPO_SLUG")),
		}
	case env("BUILDKITE") == "true":
		request := env("BUILDKITE_PULL_REQUEST")
		return ci{
			Name: "Buildkite", Commit: env("BUILDKITE_COMMIT"),
			PullRequest: request != "" && request != "false",
			Fork:        different(env("BUILDKITE_PULL_REQUEST_REPO"), env("BUILDKITE_REPO")),
		}
	case env("JENKINS_URL") != "":
		return ci{Name: "Jenkins", Commit: env("GIT_COMMIT"), PullRequest: env("CHANGE_ID") != "", Fork: env("CHANGE_FORK") != ""}
	case env("BITBUCKET_BUILD_NUMBER") != "":
		return ci{Name: "Bitbucket Pipelines", Commit: env("BITBUCKET_COMMIT"), PullRequest: env("BITBUCKET_PR_ID") != ""}
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
