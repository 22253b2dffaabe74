package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// situations are those that tests ask for, by a short name.
var situations = map[string]GitLabSituation{
	"main":    {Source: "push", OnDefault: True},
	"branch":  {Source: "push", OnDefault: False},
	"tag":     {Source: "push", Tag: true},
	"v1":      {Source: "push", Tag: true, Branch: "v1.0"},
	"fork":    {Source: "merge_request_event", Actor: ActorAnyone, Fork: true, Project: "group/project"},
	"parent":  {Source: "merge_request_event", Actor: ActorAnyone, Fork: true, Parent: true, Project: "group/project"},
	"own":     {Source: "merge_request_event", Actor: ActorWriter, Project: "group/project"},
	"nightly": {Source: "schedule", OnDefault: True},
	"web":     {Source: "web", OnDefault: True},
	"named":   {Source: "push", Branch: "feature/x", DefaultBranch: "main", OnDefault: False, Project: "group/project", Protected: False},
}

func TestGitLabJobRuns(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no rules: branches and tags", "j: {script: x}\n", "main:true branch:true tag:true own:false parent:false nightly:true"},
		{"no rules, but workflow:rules", "workflow: {rules: [{when: always}]}\nj: {script: x}\n", "main:true own:true parent:true"},
		{"no rules, and a file that we do not have", "include: {project: a/b, file: c.yml}\nj: {script: x}\n", "main:true own:undecided"},
		{"it extends what we do not have", "include: {project: a/b, file: c.yml}\nj: {extends: .t, script: x}\n.t: {extends: .theirs}\n", "main:undecided own:undecided"},
		{"it extends what we have", "include: {project: a/b, file: c.yml}\nj: {extends: .t, script: x}\n.t: {image: x}\n", "main:true own:undecided"},
		{"its own rules count", "include: {project: a/b, file: c.yml}\nj: {extends: .theirs, script: x, rules: [{if: $CI_COMMIT_TAG}]}\n", "main:false tag:true"},
		{"rules: the first that applies", `j: {script: x, rules: [{if: $CI_COMMIT_TAG, when: never}, {if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}`,
			"main:true branch:false tag:false v1:false own:false named:false nightly:true"},
		{"rules: none applies", `j: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}]}`, "main:false own:true fork:true parent:true web:false"},
		{"an empty list of rules", `j: {script: x, rules: []}`, "main:false own:false"},
		{"what is not known", `j: {script: x, rules: [{if: $DEPLOY}]}`, "main:undecided own:undecided"},
		{"what is not known and does not matter", `j: {script: x, rules: [{if: $DEPLOY, when: never}, {if: $CI_COMMIT_TAG, when: never}]}`, "main:false tag:false"},
		{"an unknown rule before one that applies", `j: {script: x, rules: [{if: $DEPLOY, when: manual}, {when: on_success}]}`, "main:true"},
		{"an unknown rule that excludes", `j: {script: x, rules: [{if: $SKIP, when: never}, {when: on_success}]}`, "main:undecided"},
		{"changes", `j: {script: x, rules: [{changes: [a]}]}`, "main:undecided own:undecided tag:true nightly:true web:true"},
		{"exists", `j: {script: x, rules: [{exists: [a]}]}`, "main:undecided"},
		{"a condition that cannot be read", `j: {script: x, rules: [{if: '$A ==='}]}`, "main:undecided"},
		{"a reference that leads nowhere", `j: {script: x, rules: [!reference [.no, rules]]}`, "main:undecided"},
		{"a guard against forks", `j: {script: x, rules: [{if: '$CI_MERGE_REQUEST_SOURCE_PROJECT_PATH == $CI_PROJECT_PATH'}]}`, "own:true parent:false fork:true main:false"},
		{"a guard by the project's name", `j: {script: x, rules: [{if: '$CI_PROJECT_PATH == "group/project"'}]}`, "own:true parent:true fork:false main:undecided named:true"},
		{"protected refs", `j: {script: x, rules: [{if: '$CI_COMMIT_REF_PROTECTED == "true"'}]}`, "main:undecided named:false"},
		{"workflow excludes", "workflow: {rules: [{if: $CI_COMMIT_TAG}, {if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}\nj: {script: x}\n",
			"main:true branch:false tag:true own:false"},
		{"variables of the file", "variables: {GO: 'yes', REF: $CI_COMMIT_TAG}\nj: {script: x, rules: [{if: '$GO == \"yes\" && $REF'}]}\n", "main:false tag:true web:undecided"},
		{"variables of the job count before", "variables: {GO: 'no'}\nj: {script: x, variables: {GO: 'yes-$CI_PIPELINE_SOURCE'}, rules: [{if: '$GO == \"yes-push\"'}]}\n", "main:true own:false"},
		{"variables of workflow:rules", "workflow: {rules: [{if: $CI_COMMIT_TAG, variables: {R: '1'}}, {when: always, variables: {R: '0'}}]}\nj: {script: x, rules: [{if: '$R == \"1\"'}]}\n", "tag:true main:false"},
		{"variables of rules that are not known", "workflow: {rules: [{if: $X, variables: {R: '1'}}, {when: always}]}\nj: {script: x, rules: [{if: '$R == \"1\"'}]}\n", "main:undecided"},
		{"only", "j: {script: x, only: [main, tags, /^feature\\//, merge_requests]}\n", "main:undecided tag:true own:true named:true branch:undecided"},
		{"only with words", "j: {script: x, only: [schedules, web]}\n", "main:false nightly:true web:true own:false"},
		{"only with a project", "j: {script: x, only: [branches@group/other, /^v/@group/project, main@group/project]}\n", "named:false v1:undecided main:undecided"},
		{"only with variables", "j: {script: x, only: {variables: [$CI_COMMIT_TAG, '$CI_PIPELINE_SOURCE == \"web\"']}}\n", "main:false tag:true web:true own:false"},
		{"except", "j: {script: x, except: [tags, main]}\n", "tag:false branch:undecided own:false named:true"},
		{"except with variables", "j: {script: x, except: {variables: [$SKIP]}}\n", "main:undecided"},
		{"except of branches", "j: {script: x, only: [merge_requests, branches], except: {refs: [branches]}}\n", "main:false own:true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := MergeGitLab(".gitlab-ci.yml", []byte(c.in), GitLabTree{})
			var got []string
			for _, ask := range strings.Fields(c.want) {
				name, _, _ := strings.Cut(ask, ":")
				got = append(got, fmt.Sprintf("%s:%v", name, GitLabJobRuns(&p.Jobs[0], p, situations[name])))
			}
			if d := cmp.Diff(strings.Fields(c.want), got); d != "" {
				t.Errorf("runs (-want +got):\n%s", d)
			}
		})
	}
}

func TestGitLabDecision(t *testing.T) {
	const in = `
a: {script: x, rules: [{if: $X}, {if: $CI_COMMIT_BRANCH, when: manual}]}
b: {script: x, rules: [{if: $X, when: manual}, {when: manual}]}
c: {script: x, when: manual}
d: {script: x, when: manual, rules: [{when: on_success}]}
e: {script: x, when: manual, rules: [{if: $CI_COMMIT_BRANCH}]}
`
	p := ParseGitLab(".gitlab-ci.yml", []byte(in))
	r := p.GitLabRun(situations["main"])
	var got []string
	for i := range p.Jobs {
		d := r.Job(&p.Jobs[i])
		got = append(got, fmt.Sprintf("%s %v manual %v open %d rule %v", p.Jobs[i].ID.Value, d.Runs, d.Manual, len(d.Open), d.Rule != nil))
	}
	if d := cmp.Diff([]string{
		"a true manual false open 1 rule true", "b true manual true open 1 rule true", "c true manual true open 0 rule false",
		"d true manual false open 0 rule true", "e true manual true open 0 rule true",
	}, got); d != "" {
		t.Errorf("decisions (-want +got):\n%s", d)
	}
}

func TestGitLabTriggers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"j: {script: x}\n", "push web schedule api trigger pipeline parent_pipeline chat webide external external_pull_request_event"},
		{"workflow: {rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]}\nj: {script: x}\n", "merge_request_event"},
		{"j: {script: x, only: [schedules]}\n", "schedule"},
		{"j: {script: x, rules: [{if: $CI_COMMIT_TAG && $CI_PIPELINE_SOURCE == 'push'}]}\n", "push"},
		{"j: {script: x, rules: [{when: never}]}\n", ""},
		{".j: {script: x}\n", ""},
	} {
		var got []string
		for _, tr := range ParseGitLab(".gitlab-ci.yml", []byte(c.in)).Triggers {
			got = append(got, tr.Event.Value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: triggers %q, want %q", c.in, got, c.want)
		}
	}
	if p := ParseGitLab(".gitlab/ci/x.yml", []byte("j: {script: x}\n")); p.Triggers != nil || p.Kind != KindGitLabPart {
		t.Errorf("a part has triggers: %+v", p.Triggers)
	}
}

func TestGitLabControlOf(t *testing.T) {
	for _, c := range []struct {
		variable, source string
		want             string
	}{
		{"CI_MERGE_REQUEST_TITLE", "merge_request_event", "a free line of text by anyone with an account"},
		{"$CI_MERGE_REQUEST_TITLE", "", "a free line of text by anyone with an account"},
		{"CI_MERGE_REQUEST_TITLE", "push", "none"},
		{"${CI_COMMIT_REF_NAME}", "merge_request_event", "the name of a branch or tag by anyone with an account, code"},
		{"CI_COMMIT_REF_NAME", "push", "the name of a branch or tag by someone with write access"},
		{"CI_COMMIT_MESSAGE", "merge_request_event", "free text by anyone with an account"},
		{"CI_COMMIT_MESSAGE", "schedule", "free text by anyone with an account after the merge request is merged"},
		{"CI_COMMIT_REF_SLUG", "merge_request_event", "the name of an account or repository by anyone with an account"},
		{"CI_MERGE_REQUEST_LABELS", "merge_request_event", "a free line of text by someone with triage rights"},
		{"TRIGGER_PAYLOAD", "trigger", "free text by someone with write access"},
		{"CI_COMMIT_TIMESTAMP", "push", "a date by someone with write access"},
		{"CI_PROJECT_DESCRIPTION", "push", "free text by an administrator"},
		{"inputs.name", "web", "free text by someone with write access"},
		{"inputs.name", "merge_request_event", "none"},
		{"CI_JOB_TOKEN", "push", "none"},
		{"", "", "none"},
	} {
		got := "none"
		if k, ok := GitLabControlOf(c.variable, c.source); ok {
			got = k.Shape.String() + " by " + k.Actor.String()
			if k.After != "" {
				got += " after " + k.After
			}
			if k.Code {
				got += ", code"
			}
		}
		if got != c.want {
			t.Errorf("GitLabControlOf(%q, %q): %s, want %s", c.variable, c.source, got, c.want)
		}
	}
	// Each row of the table names shapes and sources that there are.
	for name, rows := range gitlabControlIndex() {
		for _, row := range rows {
			if row.Shape == ShapeUnset || strings.ToUpper(name) != name && name != "inputs.*" {
				t.Errorf("row %+v of %q", row, name)
			}
			for _, e := range row.events {
				if !strings.Contains(" "+strings.Join(gitlabSources[:], " ")+" ", " "+e+" ") {
					t.Errorf("%q: no source is named %q", name, e)
				}
			}
		}
	}
	if names := GitLabControlled("chat"); len(names) == 0 || names[0] != "CHAT_CHANNEL" {
		t.Errorf("names for chat: %q", names)
	}
}

func TestGitLabSurroundings(t *testing.T) {
	const in = `
stages: [one, two, three]
variables: {A: '1', B: '2', GIT_STRATEGY: clone}
a: {stage: one, script: x, artifacts: {paths: [a]}}
b: {stage: two, script: x, artifacts: {paths: [b]}, inherit: {variables: [A]}}
c: {stage: three, script: x}
d: {stage: three, script: x, needs: [b]}
e: {stage: three, script: x, needs: [a, b], dependencies: [a]}
f: {stage: three, script: x, needs: []}
g: {stage: three, script: x, needs: [{job: a, artifacts: false}], variables: {GIT_STRATEGY: none}}
h: {stage: .pre, trigger: x/y, inherit: {variables: false}}
`
	p := ParseGitLab(".gitlab-ci.yml", []byte(in))
	want := map[string]string{"a": "[] ABGIT_STRATEGY pushed", "b": "[0] A pushed", "c": "[0 1] ABGIT_STRATEGY pushed", "d": "[1] ABGIT_STRATEGY pushed",
		"e": "[0] ABGIT_STRATEGY pushed", "f": "[] ABGIT_STRATEGY pushed", "g": "[] ABGIT_STRATEGY ", "h": "[]  "}
	got := map[string]string{}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		vars := ""
		for _, f := range p.GlobalEnv(j).Fields {
			vars += f.Name.Value
		}
		ref, _ := GitLabCheckout(j, p, situations["main"])
		got[j.ID.Value] = fmt.Sprint(p.GitLabArtifactsFrom(j), " ", vars, " ", ref)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("surroundings (-want +got):\n%s", d)
	}
	for name, want := range map[string]WorkflowRef{"tag": FromTag, "parent": FromMerge, "nightly": FromChosen} {
		if ref, ok := GitLabCheckout(&p.Jobs[0], p, situations[name]); ref != want || !ok {
			t.Errorf("%s checks out %q, want %q", name, ref, want)
		}
	}
}
