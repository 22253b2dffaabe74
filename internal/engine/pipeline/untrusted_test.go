package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestControlOf(t *testing.T) {
	for _, c := range []struct {
		path, event string
		shape       Shape
		actor       ActorClass
		flags       string // a: after, c: code, w: whole, g: guessed
	}{
		// GitHub's own list of what may be untrusted, and what peers add
		{"github.event.issue.title", "issues", ShapeLine, ActorAnyone, ""},
		{"github.event.issue.body", "issue_comment", ShapeText, ActorAnyone, ""},
		{"github.event.pull_request.title", "pull_request_target", ShapeLine, ActorAnyone, ""},
		{"github.event.pull_request.body", "pull_request", ShapeText, ActorAnyone, ""},
		{"github.event.comment.body", "issue_comment", ShapeText, ActorAnyone, ""},
		{"github.event.review.body", "pull_request_review", ShapeText, ActorAnyone, ""},
		{"github.event.review_comment.body", "", ShapeUnset, ActorAnyone, "g"},
		{"github.event.pages.*.page_name", "gollum", ShapeLine, ActorAnyone, ""},
		{"github.event.pages.0.page_name", "gollum", ShapeLine, ActorAnyone, ""},
		{"github.event.commits.*.message", "push", ShapeText, ActorAnyone, "a"},
		{"github.event.head_commit.message", "push", ShapeText, ActorAnyone, "a"},
		{"github.event.head_commit.author.email", "push", ShapeEmail, ActorAnyone, "a"},
		{"github.event.commits.*.author.name", "push", ShapeLine, ActorAnyone, "a"},
		{"github.event.pull_request.head.ref", "pull_request_target", ShapeRef, ActorAnyone, "c"},
		{"github.event.pull_request.head.label", "pull_request_target", ShapeRef, ActorAnyone, "c"},
		{"github.event.pull_request.head.repo.default_branch", "pull_request", ShapeRef, ActorAnyone, ""},
		{"github.head_ref", "pull_request", ShapeRef, ActorAnyone, "c"},
		{"github.event.workflow_run.head_branch", "workflow_run", ShapeRef, ActorAnyone, "c"},
		{"github.event.workflow_run.head_commit.message", "workflow_run", ShapeText, ActorAnyone, ""},
		{"github.event.workflow_run.display_title", "workflow_run", ShapeLine, ActorAnyone, ""},
		{"github.event.discussion.title", "discussion", ShapeLine, ActorAnyone, ""},
		{"github.event.discussion.body", "discussion_comment", ShapeText, ActorAnyone, ""},
		{"github.event.issue.labels.*.name", "issues", ShapeLine, ActorTriage, ""},
		{"github.event.label.name", "pull_request_target", ShapeLine, ActorTriage, ""},
		{"inputs.tag", "workflow_dispatch", ShapeText, ActorWriter, ""},
		{"github.event.inputs.tag", "workflow_dispatch", ShapeText, ActorWriter, ""},
		{"github.event.client_payload.a.b", "repository_dispatch", ShapeText, ActorWriter, ""},
		{"github.event.release.tag_name", "release", ShapeRef, ActorWriter, ""},
		{"github.ref_name", "push", ShapeRef, ActorWriter, ""},
		{"github.event.merge_group.head_commit.message", "merge_group", ShapeText, ActorAnyone, "a"},
		// harmless as text, though some name the attacker's code
		{"github.event.pull_request.head.sha", "pull_request_target", ShapeSHA, ActorAnyone, "c"},
		{"github.event.pull_request.number", "pull_request_target", ShapeNumber, ActorAnyone, "c"},
		{"github.event.pull_request.head.repo.full_name", "pull_request_target", ShapeSlug, ActorAnyone, "c"},
		{"github.event.workflow_run.head_sha", "workflow_run", ShapeSHA, ActorAnyone, "c"},
		{"github.actor", "pull_request", ShapeSlug, ActorAnyone, ""},
		{"github.event.pull_request.user.login", "pull_request", ShapeSlug, ActorAnyone, ""},
		{"github.event.pull_request.draft", "pull_request", ShapeBoolean, ActorAnyone, ""},
		{"github.event.action", "issues", ShapeEnum, ActorAnyone, ""},
		{"github.event.workflow_run.id", "workflow_run", ShapeNumber, ActorAnyone, ""},
		{"github.event.workflow_run.pull_requests.0.head.ref", "workflow_run", ShapeRef, ActorWriter, "c"},
		{"github.event.pull_request.created_at", "pull_request", ShapeDate, ActorAnyone, "g"},
		{"github.event.pull_request.mergeable_state", "pull_request", ShapeEnum, ActorAnyone, "g"},
		{"github.event.issue.comments_url", "issues", ShapeSlug, ActorAnyone, "g"},
		{"github.event.brand_new.text", "issues", ShapeUnset, ActorAnyone, "g"},
		// objects
		{"github.event", "issue_comment", ShapeObject, ActorAnyone, "w"},
		{"github", "", ShapeObject, ActorAnyone, "w"},
		{"github.event.pull_request.head", "pull_request", ShapeObject, ActorAnyone, "cw"},
		{"github.event.*.title", "issues", ShapeLine, ActorAnyone, ""},
	} {
		got, ok := ControlOf(c.path, c.event)
		flags := ""
		for _, f := range []struct {
			on   bool
			name string
		}{{got.After != "", "a"}, {got.Code, "c"}, {got.Whole, "w"}, {got.Guessed, "g"}} {
			if f.on {
				flags += f.name
			}
		}
		if !ok || got.Shape != c.shape || got.Actor != c.actor || flags != c.flags {
			t.Errorf("%s at %s: %v %s by %s %q, want %s by %s %q", c.path, c.event, ok, got.Shape, got.Actor, flags, c.shape, c.actor, c.flags)
		}
	}
	for _, c := range [][2]string{
		{"env.x", ""}, {"steps.a.outputs.b", "push"}, {"needs.a.outputs.b", ""}, {"matrix.os", ""}, {"github.run_id", "push"}, {"secrets.x", ""}, {"", ""},
		{"github.token", ""}, {"github.head_ref", "push"}, {"inputs.x", "push"}, {"github.ref_name", "pull_request"}, {"github.event.schedule", "schedule"}, {"runner.os", ""},
	} {
		if got, ok := ControlOf(c[0], c[1]); ok && !got.Guessed {
			t.Errorf("%s at %s: %+v, want nothing", c[0], c[1], got)
		}
	}
}

// TestControlTable holds the table to its form.
func TestControlTable(t *testing.T) {
	n := 0
	for _, row := range controlIndex() {
		n++
		if row.Shape == ShapeUnset || row.Actor == ActorUnset {
			t.Errorf("%s: no shape or no actor", row.Pattern)
		}
		if got := normalPath(strings.TrimSuffix(row.Pattern, ".**")); got != strings.TrimSuffix(row.Pattern, ".**") {
			t.Errorf("%s is not in normal form: %s", row.Pattern, got)
		}
	}
	if n < 250 {
		t.Errorf("only %d rows", n)
	}
}

func TestShapes(t *testing.T) {
	allows := func(s Shape, text string) bool {
		return !strings.ContainsFunc(text, func(r rune) bool { return !s.Allows(r) })
	}
	for _, c := range []struct {
		shape Shape
		text  string
		want  bool
	}{
		{ShapeRef, "$(id)", true}, {ShapeRef, "a;id|sh", true}, {ShapeRef, "`id`", true}, {ShapeRef, `a"b'c`, true}, {ShapeRef, "${IFS}", true},
		{ShapeRef, "a b", false}, {ShapeRef, "a:b", false}, {ShapeRef, "a*", false}, {ShapeRef, "a~b", false}, {ShapeRef, `a\b`, false}, {ShapeRef, "a\n", false},
		{ShapeLine, "a b\"; id #", true}, {ShapeLine, "a\nb", false}, {ShapeText, "a\nb", true}, {ShapeSlug, "octo-org/repo.js", true}, {ShapeSlug, "a;b", false}, {ShapeSlug, "$(x)", false},
		{ShapeSHA, "0123abc", true}, {ShapeSHA, "x", false}, {ShapeNumber, "12", true}, {ShapeNumber, "1;", false}, {ShapeEnum, "FIRST_TIMER", true}, {ShapeEnum, "a b", false},
		{ShapeEmail, "$(id)@example.com", true}, {ShapeEmail, "a<b", false}, {ShapeDate, "2026-01-02T03:04:05Z", true}, {ShapeURL, "https://a/?$(x)", true},
	} {
		if got := allows(c.shape, c.text); got != c.want {
			t.Errorf("%s allows %q: %v", c.shape, c.text, got)
		}
	}
	for s := ShapeUnset; s <= ShapeDate; s++ {
		breaks := allows(s, "$") || allows(s, "`") || allows(s, `"`) || allows(s, ";")
		if s.Injects() != breaks {
			t.Errorf("%s: Injects %v, but its characters say %v", s, s.Injects(), breaks)
		}
	}
	if InputShape("choice").Injects() || InputShape("boolean").Injects() || !InputShape("string").Injects() || !InputShape("").Injects() {
		t.Error("shapes of inputs")
	}
}

// TestSituation decides the guards that people write.
func TestSituation(t *testing.T) {
	fork := Situation{Event: "pull_request_target", Actor: ActorAnyone, Fork: true, Status: StatusSuccess}
	own := Situation{Event: "pull_request_target", Actor: ActorWriter, Status: StatusSuccess}
	merge := Situation{Event: "pull_request", Actor: ActorAnyone, Fork: true, Status: StatusSuccess, Repository: "octo/app"}
	comment := Situation{Event: "issue_comment", Actor: ActorAnyone, Status: StatusSuccess, DefaultBranch: "main"}
	push := Situation{Event: "push", Actor: ActorWriter, Status: StatusSuccess, DefaultBranch: "main", Repository: "octo/app"}
	run := Situation{Event: "workflow_run", Actor: ActorAnyone, Fork: true, Status: StatusSuccess}
	for _, c := range []struct {
		s    Situation
		text string
		want Truth
	}{
		{fork, "github.event.pull_request.head.repo.full_name == github.repository", False}, {own, "github.event.pull_request.head.repo.full_name == github.repository", True},
		{merge, "github.event.pull_request.head.repo.full_name == github.repository", False}, {merge, "github.event.pull_request.head.repo.full_name == 'octo/app'", False},
		{fork, "github.event.pull_request.head.repo.full_name != github.event.pull_request.base.repo.full_name", True}, {fork, "github.event.pull_request.head.repo.owner.login == github.repository_owner", False},
		{fork, "!github.event.pull_request.head.repo.fork", False}, {own, "github.event.pull_request.head.repo.fork == false", True},
		{fork, "github.repository == 'octo/app'", Undecided}, {merge, "github.repository == 'octo/app'", True}, {merge, "github.repository_owner == 'OCTO'", True}, {merge, "github.repository == 'other/app'", False},
		{fork, "github.actor == 'octocat'", False}, {fork, "github.actor == 'dependabot[bot]'", Undecided}, {fork, "github.actor != 'dependabot[bot]'", Undecided}, {fork, "github.event.pull_request.user.login == 'dependabot[bot]'", False},
		{fork, "contains(github.event.pull_request.labels.*.name, 'safe to test')", Undecided}, {fork, "contains('octocat,mona', github.actor)", Undecided},
		{fork, "contains(fromJSON('[\"MEMBER\", \"OWNER\", \"COLLABORATOR\"]'), github.event.pull_request.author_association)", False},
		{fork, "github.event.pull_request.author_association != 'NONE'", Undecided},
		{merge, "github.ref == 'refs/heads/main'", False}, {merge, "startsWith(github.ref, 'refs/tags/v')", False}, {merge, "github.event_name == 'push' && github.ref == 'refs/heads/main'", False}, {merge, "github.event_name != 'pull_request'", False},
		{merge, "github.head_ref == 'release'", Undecided}, {push, "github.head_ref == ''", True}, {push, "github.event.pull_request", False}, {push, "github.ref == 'refs/heads/main'", Undecided}, {push, "startsWith(github.ref, 'refs/')", True},
		{push, "github.event.pull_request.head.repo.full_name == github.repository || github.event_name == 'push'", True},
		{comment, "contains(github.event.comment.body, '/deploy')", Undecided}, {comment, "github.event.comment.author_association == 'OWNER'", False}, {comment, "github.event.issue.author_association == 'OWNER'", Undecided},
		{comment, "github.event.issue.pull_request && contains(github.event.comment.body, '/x') && github.event.comment.user.login == 'octocat'", False}, {comment, "github.ref == 'refs/heads/main'", True}, {comment, "github.event.review.state == 'approved'", False},
		{run, "github.event.workflow_run.conclusion == 'success'", Undecided}, {run, "github.event.workflow_run.event == 'pull_request'", Undecided}, {run, "github.event.workflow_run.head_repository.full_name == github.repository", False},
		{run, "github.event.workflow_run.pull_requests[0].number > 0", False}, {run, "failure()", False},
	} {
		v, err := c.s.Environment().Truth(c.text)
		if err != nil || v.Truth() != c.want {
			t.Errorf("%s by %s (fork %v): %s: %s %v, want %s", c.s.Event, c.s.Actor, c.s.Fork, c.text, v.Truth(), err, c.want)
		}
	}
	v, _ := fork.Environment().Truth("vars.a == 'x' && github.event.action == 'labeled'")
	if !slices.Equal(v.Depends(), []string{"github.event.action", "vars.a"}) {
		t.Errorf("depends on %v", v.Depends())
	}
}

func TestSplitPath(t *testing.T) {
	for _, text := range []string{"github.event.issue.title", "env['a.b'].c", "env['it''s']", "github.event.commits.*.message"} {
		parts := splitPath(text)
		path := parts[0]
		for _, p := range parts[1:] {
			path = joinPath(path, p)
		}
		if path != text {
			t.Errorf("%s: %q", text, parts)
		}
	}
	for _, text := range []string{"", ".", "[", "['", "a['x", "a..b", "a['x'"} {
		splitPath(text) // ends
	}
}
