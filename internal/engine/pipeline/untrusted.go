package pipeline

import (
	"slices"
	"strings"
	"sync"
)

// ActorClass is who acts, by what the forge lets them do. Classes are ordered:
// each may do what those before it may.
type ActorClass uint8

// The classes.
const (
	ActorUnset     ActorClass = iota
	ActorAnyone               // any account: opens issues and pull requests from forks, comments
	ActorReturning            // had a pull request merged: needs no approval by default
	ActorTriage               // labels, milestones, assigns
	ActorWriter               // pushes branches and tags, dispatches, merges
	ActorAdmin
)

func (a ActorClass) String() string {
	return [...]string{"nobody", "anyone with an account", "a returning contributor", "someone with triage rights", "someone with write access", "an administrator"}[a]
}

// Shape is how the forge limits a text, and so what an attacker can do with it.
type Shape uint8

// The shapes, from any text to what no attack fits in.
const (
	ShapeUnset Shape = iota
	// ShapeText is any text, with line ends.
	ShapeText
	// ShapeLine is any text of one line: titles, names of authors.
	ShapeLine
	// ShapeRef is the name of a branch or tag: no space, no ~^:?*[\ and no control
	// character, but $(...), ; | & ' " and ` are allowed, and ${IFS} is a space.
	ShapeRef
	// ShapePath is a path of a file: anything but NUL.
	ShapePath
	// ShapeEmail is the address of an author as git has it, which checks nothing but
	// <, > and line ends.
	ShapeEmail
	// ShapeURL is an address that its owner chose freely.
	ShapeURL
	// ShapeObject is an object or array, with texts within.
	ShapeObject
	// ShapeSlug is the name of an account or repository, or an address made of them:
	// letters, digits, - . _ and /.
	ShapeSlug
	// ShapeSHA is a commit: 40 or 64 hexadecimal digits.
	ShapeSHA
	// ShapeNumber, ShapeBoolean, ShapeEnum and ShapeDate are what their names say.
	ShapeNumber
	ShapeBoolean
	ShapeEnum
	ShapeDate
)

var shapeNames = [...]string{
	"unknown", "free text", "a free line of text", "the name of a branch or tag", "a file path", "an e-mail address as git takes it",
	"a free address", "an object with free texts", "the name of an account or repository", "a commit hash", "a number", "a boolean", "one of a few words", "a date",
}

func (s Shape) String() string { return shapeNames[s] }

// Injects reports whether a value of this shape can leave a quoted text and run
// commands where it is pasted into a script.
func (s Shape) Injects() bool { return s >= ShapeUnset && s <= ShapeObject }

// Allows reports whether a value of this shape can hold the character.
func (s Shape) Allows(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9'
	switch s {
	case ShapeUnset, ShapeText, ShapeObject, ShapePath:
		return c != 0
	case ShapeLine:
		return c >= ' '
	case ShapeRef:
		return c > ' ' && c != 0x7f && !strings.ContainsRune(`~^:?*[\`, c)
	case ShapeEmail:
		return c >= ' ' && c != '<' && c != '>'
	case ShapeURL:
		return c > ' ' && c != 0x7f
	case ShapeSlug:
		return letter || digit || strings.ContainsRune("-._/:@", c)
	case ShapeSHA:
		return digit || c >= 'a' && c <= 'f'
	case ShapeNumber:
		return digit || c == '-' || c == '.'
	case ShapeDate:
		return digit || strings.ContainsRune("-:TZ.+", c)
	}
	return letter || c == '_' || c == '-'
}

// InputShape is the shape of an input of a workflow by its declared type.
func InputShape(kind string) Shape {
	switch kind {
	case "boolean":
		return ShapeBoolean
	case "number":
		return ShapeNumber
	case "choice", "environment":
		return ShapeEnum
	}
	return ShapeText
}

// Control says who chooses what a context holds.
type Control struct {
	// Pattern is the row of the table: a path in normal form, where "*" is any
	// member and a last "**" any path below.
	Pattern string
	Shape   Shape
	// Actor is the weakest class that can choose the value by itself.
	Actor ActorClass
	// After is what someone with more rights must do first: "the pull request is
	// merged". Empty if nothing.
	After string
	// Code says that the value names a commit, branch or repository whose content
	// the actor chooses: to check it out is to hold the actor's code.
	Code bool
	// Whole says that the path is an object that holds the row's value somewhere.
	Whole bool
	// Guessed says that no row speaks of the path, and that Shape follows from its
	// name alone.
	Guessed bool
}

// Source is where the rows come from, beside the payloads in the documentation of
// the forge's webhooks.
const controlSource = "https://docs.github.com/en/actions/concepts/security/script-injections"

// Source is a page about the rows.
func (Control) Source() string { return controlSource }

// controlRow is a row of the table: paths, each with the events at which it exists;
// no events means any.
type controlRow struct {
	events string // separated by spaces
	actor  ActorClass
	after  string
	paths  string // shape:path, separated by spaces; "!" after the shape marks Code
}

const (
	pullEvents    = "pull_request pull_request_target pull_request_review pull_request_review_comment"
	issueEvents   = "issues issue_comment"
	merged        = "the pull request is merged"
	queued        = "the pull request is put into the merge queue"
	contribCommit = "a commit of the contributor is built or given a status"
)

// controls is the table, the more special rows first. Facts: the lists of actionlint
// (script injection), CodeQL (event sources) and zizmor (context capabilities), checked
// against the payloads that https://docs.github.com/en/webhooks documents.
var controls = []controlRow{
	// pull requests
	{pullEvents, ActorAnyone, "", `line:github.event.pull_request.title text:github.event.pull_request.body
		ref!:github.event.pull_request.head.ref ref!:github.event.pull_request.head.label ref!:github.head_ref
		ref:github.event.pull_request.head.repo.default_branch text:github.event.pull_request.head.repo.description
		url:github.event.pull_request.head.repo.homepage line:github.event.pull_request.head.repo.topics.*
		slug!:github.event.pull_request.head.repo.full_name slug!:github.event.pull_request.head.repo.name
		slug!:github.event.pull_request.head.repo.clone_url slug!:github.event.pull_request.head.repo.git_url
		slug!:github.event.pull_request.head.repo.ssh_url slug!:github.event.pull_request.head.repo.html_url
		slug!:github.event.pull_request.head.repo.svn_url slug!:github.event.pull_request.head.repo.owner.login
		slug!:github.event.pull_request.head.user.login sha!:github.event.pull_request.head.sha
		sha!:github.event.pull_request.merge_commit_sha number!:github.event.pull_request.number number!:github.event.number
		sha!:github.event.after bool:github.event.pull_request.head.repo.fork slug:github.event.pull_request.user.login
		bool:github.event.pull_request.draft bool:github.event.pull_request.maintainer_can_modify
		enum:github.event.pull_request.author_association slug:github.event.pull_request.html_url
		slug!:github.event.pull_request.patch_url slug!:github.event.pull_request.diff_url
		line:github.event.changes.title.from text:github.event.changes.body.from`},
	{pullEvents, ActorTriage, "", `line:github.event.pull_request.labels.*.name line:github.event.pull_request.labels.*.description
		line:github.event.label.name line:github.event.label.description line:github.event.pull_request.milestone.title
		text:github.event.pull_request.milestone.description slug:github.event.pull_request.assignees.*.login
		slug:github.event.requested_reviewer.login line:github.event.requested_team.name`},
	{pullEvents, ActorWriter, "", `ref:github.event.pull_request.base.ref ref:github.event.pull_request.base.label ref:github.base_ref
		sha:github.event.pull_request.base.sha text:github.event.pull_request.base.repo.description
		url:github.event.pull_request.base.repo.homepage ref:github.event.pull_request.base.repo.default_branch
		line:github.event.pull_request.auto_merge.commit_title text:github.event.pull_request.auto_merge.commit_message`},
	{"pull_request_review", ActorAnyone, "", `text:github.event.review.body enum:github.event.review.state
		slug:github.event.review.user.login enum:github.event.review.author_association sha!:github.event.review.commit_id`},
	{"pull_request_review_comment", ActorAnyone, "", `text:github.event.comment.body path:github.event.comment.path
		text:github.event.comment.diff_hunk sha!:github.event.comment.commit_id sha!:github.event.comment.original_commit_id`},

	// issues, comments, discussions, wiki
	{issueEvents, ActorAnyone, "", `line:github.event.issue.title text:github.event.issue.body number!:github.event.issue.number
		slug:github.event.issue.user.login enum:github.event.issue.author_association line:github.event.changes.title.from
		text:github.event.changes.body.from slug!:github.event.issue.pull_request.url slug!:github.event.issue.pull_request.html_url
		slug!:github.event.issue.pull_request.patch_url slug!:github.event.issue.pull_request.diff_url`},
	{issueEvents, ActorTriage, "", `line:github.event.issue.labels.*.name line:github.event.issue.labels.*.description
		line:github.event.label.name line:github.event.label.description line:github.event.issue.milestone.title
		text:github.event.issue.milestone.description slug:github.event.issue.assignee.login slug:github.event.issue.assignees.*.login
		slug:github.event.assignee.login`},
	{"issue_comment commit_comment discussion_comment", ActorAnyone, "", `text:github.event.comment.body path:github.event.comment.path
		slug:github.event.comment.user.login enum:github.event.comment.author_association text:github.event.changes.body.from`},
	{"discussion discussion_comment", ActorAnyone, "", `line:github.event.discussion.title text:github.event.discussion.body
		slug:github.event.discussion.user.login enum:github.event.discussion.author_association number:github.event.discussion.number
		text:github.event.answer.body line:github.event.changes.title.from text:github.event.changes.body.from`},
	{"discussion discussion_comment", ActorTriage, "", `line:github.event.discussion.category.name line:github.event.label.name`},
	{"gollum", ActorAnyone, "", `line:github.event.pages.*.page_name line:github.event.pages.*.title text:github.event.pages.*.summary
		sha:github.event.pages.*.sha enum:github.event.pages.*.action url:github.event.pages.*.html_url`},
	{"fork", ActorAnyone, "", `slug!:github.event.forkee.full_name slug!:github.event.forkee.name text:github.event.forkee.description
		ref:github.event.forkee.default_branch url:github.event.forkee.homepage slug!:github.event.forkee.clone_url`},

	// other runs
	{"workflow_run", ActorAnyone, "", `ref!:github.event.workflow_run.head_branch text:github.event.workflow_run.head_commit.message
		line:github.event.workflow_run.head_commit.author.name email:github.event.workflow_run.head_commit.author.email
		line:github.event.workflow_run.head_commit.committer.name email:github.event.workflow_run.head_commit.committer.email
		line:github.event.workflow_run.display_title sha!:github.event.workflow_run.head_sha sha!:github.event.workflow_run.head_commit.id
		sha!:github.event.workflow_run.head_commit.tree_id slug!:github.event.workflow_run.head_repository.full_name
		slug!:github.event.workflow_run.head_repository.name slug!:github.event.workflow_run.head_repository.owner.login
		slug!:github.event.workflow_run.head_repository.html_url text:github.event.workflow_run.head_repository.description
		enum:github.event.workflow_run.conclusion enum:github.event.workflow_run.status enum:github.event.workflow_run.event
		slug:github.event.workflow_run.actor.login slug:github.event.workflow_run.triggering_actor.login
		number:github.event.workflow_run.id number:github.event.workflow_run.run_number`},
	{"workflow_run", ActorWriter, "", `line:github.event.workflow_run.name path:github.event.workflow_run.path line:github.event.workflow.name
		path:github.event.workflow.path ref!:github.event.workflow_run.pull_requests.*.head.ref
		sha!:github.event.workflow_run.pull_requests.*.head.sha ref:github.event.workflow_run.pull_requests.*.base.ref
		number!:github.event.workflow_run.pull_requests.*.number`},
	{"check_run check_suite", ActorAnyone, contribCommit, `ref!:github.event.check_suite.head_branch text:github.event.check_suite.head_commit.message
		line:github.event.check_suite.head_commit.author.name email:github.event.check_suite.head_commit.author.email
		sha!:github.event.check_suite.head_sha ref!:github.event.check_run.check_suite.head_branch sha!:github.event.check_run.head_sha
		sha!:github.event.check_run.check_suite.head_sha`},
	{"check_run check_suite", ActorWriter, "", `line:github.event.check_run.name text:github.event.check_run.output.title
		text:github.event.check_run.output.summary text:github.event.check_run.output.text url:github.event.check_run.details_url
		line:github.event.check_run.external_id ref!:github.event.check_suite.pull_requests.*.head.ref
		ref!:github.event.check_run.pull_requests.*.head.ref line:github.event.requested_action.identifier`},
	{"status", ActorAnyone, contribCommit, `text:github.event.commit.commit.message line:github.event.commit.commit.author.name
		email:github.event.commit.commit.author.email sha!:github.event.sha`},
	{"status", ActorWriter, "", `line:github.event.description line:github.event.context url:github.event.target_url enum:github.event.state
		ref:github.event.branches.*.name`},

	// what is pushed, released, dispatched
	{"push", ActorAnyone, merged, `text:github.event.head_commit.message line:github.event.head_commit.author.name
		email:github.event.head_commit.author.email line:github.event.head_commit.author.username
		line:github.event.head_commit.committer.name email:github.event.head_commit.committer.email
		text:github.event.commits.*.message line:github.event.commits.*.author.name email:github.event.commits.*.author.email
		line:github.event.commits.*.committer.name email:github.event.commits.*.committer.email`},
	{"push", ActorWriter, "", `ref:github.event.ref ref:github.ref ref:github.ref_name ref:github.event.base_ref sha:github.event.after
		sha:github.event.before line:github.event.pusher.name email:github.event.pusher.email slug:github.event.compare`},
	{"merge_group", ActorAnyone, queued, `text:github.event.merge_group.head_commit.message line:github.event.merge_group.head_commit.author.name
		email:github.event.merge_group.head_commit.author.email sha!:github.event.merge_group.head_sha`},
	{"merge_group", ActorWriter, "", `ref:github.event.merge_group.head_ref ref:github.event.merge_group.base_ref ref:github.ref ref:github.ref_name
		sha:github.event.merge_group.base_sha`},
	{"create delete", ActorWriter, "", `ref:github.event.ref ref:github.ref ref:github.ref_name enum:github.event.ref_type`},
	{"release", ActorWriter, "", `text:github.event.release.body line:github.event.release.name ref:github.event.release.tag_name
		ref:github.event.release.target_commitish line:github.event.release.assets.*.name line:github.event.release.assets.*.label
		ref:github.ref ref:github.ref_name`},
	{"deployment deployment_status", ActorWriter, "", `ref:github.event.deployment.ref text:github.event.deployment.description
		line:github.event.deployment.environment line:github.event.deployment.task text:github.event.deployment.payload.**
		text:github.event.deployment_status.description url:github.event.deployment_status.environment_url
		url:github.event.deployment_status.target_url url:github.event.deployment_status.log_url
		line:github.event.deployment_status.environment enum:github.event.deployment_status.state ref:github.ref ref:github.ref_name`},
	{"workflow_dispatch", ActorWriter, "", `text:github.event.inputs.* text:inputs.* ref:github.ref ref:github.ref_name ref:github.event.ref`},
	{"repository_dispatch", ActorWriter, "", `text:github.event.client_payload.** line:github.event.action ref:github.event.branch`},
	{"label milestone", ActorWriter, "", `line:github.event.label.name line:github.event.label.description line:github.event.milestone.title
		text:github.event.milestone.description`},
	{"registry_package", ActorWriter, "", `line:github.event.registry_package.name text:github.event.registry_package.description
		text:github.event.registry_package.package_version.description line:github.event.registry_package.package_version.version
		line:github.event.registry_package.package_version.container_metadata.tag.name`},

	// every event
	{"", ActorAnyone, "", `slug:github.actor slug:github.triggering_actor slug:github.event.sender.login number:github.actor_id
		enum:github.event.action`},
	{"", ActorWriter, "", `ref:github.event.repository.default_branch text:github.event.repository.description
		url:github.event.repository.homepage line:github.event.repository.topics.* line:github.workflow path:github.workflow_ref`},
	{"", ActorAdmin, "", `slug:github.repository slug:github.repository_owner slug:github.event.repository.full_name
		slug:github.event.repository.name slug:github.event.repository.owner.login slug:github.event.organization.login
		text:github.event.organization.description line:vars.*`},
}

// compiledControl is one path of the table.
type compiledControl struct {
	Control
	events, segments []string
}

var controlIndex = sync.OnceValue(func() []compiledControl { return compileControls(controls) })

func compileControls(rows []controlRow) []compiledControl {
	var out []compiledControl
	for _, row := range rows {
		for _, entry := range strings.Fields(row.paths) {
			kind, pattern, _ := strings.Cut(entry, ":")
			c := compiledControl{
				Control: Control{Pattern: pattern, Actor: row.actor, After: row.after},
				events:  strings.Fields(row.events), segments: strings.Split(pattern, "."),
			}
			kind, c.Code = strings.CutSuffix(kind, "!")
			c.Shape = shapeOf(kind)
			out = append(out, c)
		}
	}
	return out
}

// ControlOf says who chooses what the context at path, in the normal form of
// ContextPath, holds in a run for the event. The result is false for contexts whose
// content comes from the pipeline itself (env, steps, needs, matrix ...) or from the
// forge alone, such as github.run_id, and for those that the event does not have. An
// empty event asks for any: the weakest actor of all rows answers.
//
// A path that leads to an object (github.event, github) is answered for what is in
// it, with Whole set. A path below github.event that no row names is judged by its
// last member (number, *_at, sha ...), with Guessed set.
func ControlOf(path, event string) (Control, bool) {
	segments := splitPath(path)
	if len(segments) == 0 {
		return Control{}, false
	}
	var best, whole Control
	found, holds := false, false
	for _, row := range controlIndex() {
		if event != "" && len(row.events) > 0 && !slices.Contains(row.events, event) {
			continue
		}
		c := row.Control
		switch matchPath(row.segments, segments) {
		case pathMatches:
			if !found || weaker(c, best) {
				best, found = c, true
			}
		case pathHolds:
			c.Whole = true
			if !holds || c.Shape.Injects() && !whole.Shape.Injects() || c.Shape.Injects() == whole.Shape.Injects() && weaker(c, whole) {
				whole, holds = c, true
			}
		}
	}
	switch {
	case found:
		return best, true
	case holds:
		if whole.Shape.Injects() {
			whole.Shape = ShapeObject
		}
		return whole, true
	case len(segments) > 2 && segments[0] == "github" && segments[1] == "event" && event != "schedule":
		return guess(path, segments, event)
	}
	return Control{}, false
}

func weaker(a, b Control) bool {
	if (a.After == "") != (b.After == "") && a.Actor <= b.Actor {
		return a.After == ""
	}
	return a.Actor < b.Actor
}

func shapeOf(kind string) Shape {
	switch kind {
	case "text":
		return ShapeText
	case "line":
		return ShapeLine
	case "ref":
		return ShapeRef
	case "path":
		return ShapePath
	case "email":
		return ShapeEmail
	case "url":
		return ShapeURL
	case "slug":
		return ShapeSlug
	case "sha":
		return ShapeSHA
	case "number":
		return ShapeNumber
	case "bool":
		return ShapeBoolean
	case "enum":
		return ShapeEnum
	case "date":
		return ShapeDate
	}
	return ShapeUnset
}

type pathRelation uint8

const (
	pathApart pathRelation = iota
	pathMatches
	pathHolds // the path leads to something that holds the pattern's
)

// matchPath compares a path with a pattern of the table. In both "*" is any member.
func matchPath(pattern, path []string) pathRelation {
	for i, p := range pattern {
		if p == "**" {
			return pathMatches
		}
		if i >= len(path) {
			return pathHolds
		}
		if p != path[i] && p != "*" && path[i] != "*" {
			return pathApart
		}
	}
	if len(path) > len(pattern) {
		return pathApart
	}
	return pathMatches
}

// splitPath cuts a path in normal form into its members.
func splitPath(path string) []string {
	var out []string
	for len(path) > 0 {
		if strings.HasPrefix(path, "['") {
			name, n, ok := readQuoted(path[1:])
			if !ok || n+1 >= len(path) || path[n+1] != ']' {
				return append(out, path)
			}
			out = append(out, name)
			path = path[n+2:]
			continue
		}
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		if end == 0 {
			return append(out, path)
		}
		out = append(out, path[:end])
		path = path[end:]
	}
	return out
}

// guess judges a member of a payload by its name.
func guess(path string, segments []string, event string) (Control, bool) {
	c := Control{Pattern: path, Guessed: true, Actor: ActorAnyone}
	switch event {
	case "push", "workflow_dispatch", "repository_dispatch", "create", "delete", "release", "deployment", "deployment_status",
		"registry_package", "page_build", "label", "milestone", "branch_protection_rule", "public", "merge_group":
		c.Actor = ActorWriter
	}
	name := segments[len(segments)-1]
	switch {
	case name == "id" || name == "number" || name == "position" || name == "line" || name == "size" || name == "score" ||
		strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_number") ||
		name == "additions" || name == "deletions" || name == "changed_files" || name == "commits" && segments[2] == "pull_request":
		c.Shape = ShapeNumber
	case name == "sha" || strings.HasSuffix(name, "_sha") || name == "node_id":
		c.Shape = ShapeSHA
	case strings.HasSuffix(name, "_at") || name == "timestamp":
		c.Shape = ShapeDate
	case slices.Contains([]string{"draft", "merged", "mergeable", "rebaseable", "locked", "private", "fork", "archived", "disabled",
		"site_admin", "forced", "created", "deleted", "distinct", "prerelease"}, name) || strings.HasPrefix(name, "has_") || strings.HasPrefix(name, "allow_"):
		c.Shape = ShapeBoolean
	case slices.Contains([]string{"action", "type", "state", "state_reason", "mergeable_state", "author_association", "side", "visibility",
		"conclusion", "status", "event", "ref_type", "pusher_type", "active_lock_reason", "merge_method"}, name):
		c.Shape = ShapeEnum
	case name == "login" || name == "full_name" || name == "slug" || name == "url" || strings.HasSuffix(name, "_url") && name != "target_url":
		c.Shape = ShapeSlug
	default:
		c.Shape = ShapeUnset
	}
	return c, true
}

// Situation is a run of a workflow as an outsider, or someone with rights, brings
// it about.
type Situation struct {
	Event string
	Actor ActorClass
	// Fork says, of the events of pull requests and of workflow_run, that the head
	// is in a fork.
	Fork bool
	// DefaultBranch and Repository (owner/name) are the repository's; empty if they
	// are not known.
	DefaultBranch, Repository string
	// Owner is the owner of the repository, where that alone is known.
	Owner  string
	Status Status
}

// Environment is what the contexts of expressions hold in the situation: an if is
// decided by it as far as the situation decides it. What the actor chooses, and
// what we do not know, is unknown.
func (s Situation) Environment() *Environment {
	e := &Environment{Status: s.Status, known: make(map[string]Value, 48)}
	e.Set("github.event_name", String(s.Event))
	if s.Repository != "" {
		owner, _, _ := strings.Cut(s.Repository, "/")
		e.Set("github.repository", String(s.Repository))
		e.Set("github.repository_owner", String(owner))
		e.Set("github.event.repository.owner.login", String(owner))
		e.Set("github.event.repository.fork", Boolean(false))
	} else if s.Owner != "" {
		name := UnknownString(s.Owner+"/", "", "github.repository")
		name.u.is = "github.repository"
		e.Set("github.repository", name)
		e.Set("github.repository_owner", String(s.Owner))
		e.Set("github.event.repository.owner.login", String(s.Owner))
	}
	if s.DefaultBranch != "" {
		e.Set("github.event.repository.default_branch", String(s.DefaultBranch))
	}
	pull := slices.Contains(strings.Fields(pullEvents), s.Event)
	filled := []string{"github.sha"}
	if s.DefaultBranch == "" {
		filled = append(filled, "github.event.repository.default_branch")
	}
	if pull {
		filled = append(filled, "github.event.pull_request.base.sha", "github.event.pull_request.base.ref", "github.event.pull_request.head.sha", "github.event.pull_request.head.ref",
			"github.head_ref", "github.base_ref")
	}
	for _, path := range filled {
		v := NonEmpty(path)
		v.u.is = path
		e.Set(path, v)
	}
	if !pull {
		e.Set("github.event.pull_request", Null())
		e.Set("github.head_ref", String(""))
		e.Set("github.base_ref", String(""))
	}
	for path, events := range map[string]string{
		"github.event.issue": issueEvents, "github.event.comment": "issue_comment commit_comment discussion_comment pull_request_review_comment",
		"github.event.review": "pull_request_review", "github.event.discussion": "discussion discussion_comment",
		"github.event.workflow_run": "workflow_run", "github.event.release": "release", "github.event.head_commit": "push",
		"github.event.commits": "push", "github.event.client_payload": "repository_dispatch", "github.event.inputs": "workflow_dispatch",
		"github.event.merge_group": "merge_group", "github.event.schedule": "schedule",
	} {
		if !slices.Contains(strings.Fields(events), s.Event) {
			e.Set(path, Null())
		}
	}
	s.setRef(e, pull)
	stranger := s.Actor != ActorUnset && s.Actor < ActorTriage
	own := e.Get("github.repository")
	e.Set("github.event.repository.full_name", own)
	if pull {
		e.Set("github.event.pull_request.head.repo.fork", Boolean(s.Fork))
		e.Set("github.event.pull_request.base.repo.full_name", own)
		s.setHead(e, "github.event.pull_request.head.repo", own, stranger)
	}
	if s.Event == "workflow_run" {
		s.setHead(e, "github.event.workflow_run.head_repository", own, stranger)
		if s.Fork {
			e.Set("github.event.workflow_run.head_repository.fork", Boolean(true))
			e.Set("github.event.workflow_run.pull_requests", Array()) // documented: empty for forks
		}
	}
	if stranger {
		s.setStranger(e)
	}
	return e
}

// setHead sets the repository of the head.
func (s Situation) setHead(e *Environment, path string, own Value, stranger bool) {
	switch {
	case !s.Fork:
		e.Set(path+".full_name", own)
	case stranger:
		e.Set(path+".full_name", Foreign(false, path+".full_name"))
		e.Set(path+".owner.login", Foreign(false, path+".owner.login"))
		e.Set(strings.TrimSuffix(path, ".repo")+".user.login", Foreign(false, path+".owner.login"))
	}
}

// setRef sets github.ref and what follows from it.
func (s Situation) setRef(e *Environment, pull bool) {
	ref := func(prefix, suffix, kind string) {
		e.Set("github.ref", UnknownString(prefix, suffix, "github.ref"))
		e.Set("github.ref_type", String(kind))
	}
	switch {
	case pull && s.Event != "pull_request_target":
		ref("refs/pull/", "/merge", "branch")
		e.Set("github.ref_name", UnknownString("", "/merge", "github.ref_name"))
	case s.Event == "push", s.Event == "create", s.Event == "workflow_dispatch":
		e.Set("github.ref", UnknownString("refs/", "", "github.ref"))
	case s.Event == "release":
		ref("refs/tags/", "", "tag")
	case s.Event == "merge_group":
		ref("refs/heads/gh-readonly-queue/", "", "branch")
	case s.Event == "pull_request_target" || s.Event == "workflow_call" || s.Event == "" || strings.HasPrefix(s.Event, "deployment") || s.Event == "registry_package":
		// PRT was on the base branch once: Semantics knows since when it is not
	default:
		ref("refs/heads/", "", "branch")
		if s.DefaultBranch != "" {
			e.Set("github.ref", String("refs/heads/"+s.DefaultBranch))
			e.Set("github.ref_name", String(s.DefaultBranch))
		}
	}
}

// setStranger sets what follows from having no rights in the repository.
func (s Situation) setStranger(e *Environment) {
	// Of the runs of a workflow the first is the owner's, who tries it.
	e.Set("github.run_number", AtLeast(2, "github.run_number"))
	e.Set("github.run_attempt", AtLeast(1, "github.run_attempt"))
	// The run's actor can be made to be a bot: its pull request is taken over, or it
	// is asked by a comment to act.
	for _, path := range []string{"github.actor", "github.triggering_actor", "github.event.sender.login"} {
		e.Set(path, Foreign(true, path))
	}
	subjects := map[string]string{
		"github.event.issue": issueEvents, "github.event.pull_request": pullEvents,
		"github.event.discussion": "discussion", "github.event.review": "pull_request_review",
		"github.event.comment": "issue_comment commit_comment discussion_comment pull_request_review_comment",
	}
	// With a comment only its author is the stranger: the issue may be a member's.
	subject := map[string]string{
		"issue_comment": "github.event.comment", "pull_request_review": "github.event.review",
		"pull_request_review_comment": "github.event.comment", "discussion_comment": "github.event.comment",
	}[s.Event]
	for path, events := range subjects {
		if subject != "" && path != subject || !slices.Contains(strings.Fields(events), s.Event) {
			continue
		}
		association := []Value{String("NONE"), String("FIRST_TIME_CONTRIBUTOR"), String("FIRST_TIMER"), String("CONTRIBUTOR"), String("MANNEQUIN")}
		e.Set(path+".author_association", OneOf(association, path+".author_association"))
		e.Set(path+".user.login", Foreign(false, path+".user.login"))
	}
}
