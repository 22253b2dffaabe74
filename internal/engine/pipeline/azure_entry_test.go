package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAzureEntries(t *testing.T) {
	latest := NewSemantics().At("", ForgeVersion{Name: "azure"})
	for _, c := range []struct {
		name, in string
		s        AzureSettings
		want     string
	}{
		{"nothing said", "steps: []\n", AzureSettings{}, `
ci by someone with write access: pushed, all secrets, token setting, approval none, implied
pr by someone with write access: merge, all secrets, token setting, approval none, implied
pr of a fork by anyone with an account: merge, none secrets, token read, approval setting, implied
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"all off", "trigger: none\npr: none\nsteps: []\n", AzureSettings{}, `
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"implied triggers are off", "steps: []\n", AzureSettings{ImpliedTrigger: SwitchOff, ForkBuilds: SwitchOff}, `
pr by someone with write access: merge, all secrets, token setting, approval none, implied
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"secrets and full token for forks", "trigger: none\npr: [main]\nsteps: []\n", AzureSettings{Repository: AzureHostGitHub, ForkBuilds: SwitchOn, ForkSecrets: SwitchOn, ForkFullAccess: SwitchOn, CommentRequired: "none"}, `
pr by someone with write access: merge, all secrets, token setting, approval none
pr of a fork by anyone with an account: merge, all secrets, token setting, approval none
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"a comment first", "trigger: none\npr: {branches: {include: ['*']}}\nsteps: []\n", AzureSettings{CommentRequired: "all"}, `
pr by someone with write access: merge, all secrets, token setting, approval none
pr of a fork by anyone with an account: merge, none secrets, token read, approval setting, after a member comments on the pull request to have it built
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"Enterprise Server", "trigger: none\nsteps: []\n", AzureSettings{Repository: AzureHostEnterprise}, `
pr by someone with write access: merge, all secrets, token setting, approval none, implied
pr of a fork by anyone with an account: merge, all secrets, token read, approval setting, implied
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"Azure Repos", "pr: none\ntrigger: [main]\nschedules: [{cron: '0 0 * * *'}]\nresources: {webhooks: [{webhook: w, connection: c}]}\nsteps: []\n", AzureSettings{Repository: AzureHostRepos}, `
ci by someone with write access: pushed, all secrets, token setting, approval none
pr by someone with write access: merge, all secrets, token setting, approval none, implied
schedule by someone with write access: pushed, all secrets, token setting, approval none
resource by someone with write access: default, all secrets, token setting, approval none
manual by someone with write access: chosen, all secrets, token setting, approval none, implied`},
		{"a template", "parameters: {a: 1}\nsteps: []\n", AzureSettings{}, ""},
	} {
		var got []string
		for _, e := range AzureEntries(ParseAzure("azure-pipelines.yml", []byte(c.in)), latest, c.s) {
			line := e.Event
			if e.Origin == OriginFork {
				line += " of a fork"
			}
			line += fmt.Sprintf(" by %s: %s, %s secrets, token %s, approval %s", e.Actor, e.Definition, e.Secrets, e.Token, e.Approval)
			if e.Trigger == nil {
				line += ", implied"
			}
			if e.After != "" {
				line += ", after " + e.After
			}
			got = append(got, line)
			if len(e.Rows) < 4 {
				t.Errorf("%s: %s has no more than %d rows", c.name, e.Event, len(e.Rows))
			}
		}
		want := lines(c.want)
		if c.want == "" {
			want = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestAzureSemantics(t *testing.T) {
	for _, c := range []struct {
		date Date
		want Approval
		row  string
	}{{"2023-09-11", ApprovalNone, "azure-approval-fork-none"}, {"2023-09-12", ApprovalSetting, "azure-approval-fork-comment"}, {"2023-10-26", ApprovalSetting, "azure-approval-fork-off"}, {"", ApprovalSetting, "azure-approval-fork-off"}} {
		v := NewSemantics().At(c.date, ForgeVersion{Name: "azure"})
		if got, row := v.NeedsApproval(AzurePullRequest, OriginFork); got != c.want || row.ID != c.row {
			t.Errorf("%q: %s by %s", c.date, got, row.ID)
		}
		if got, row := v.NeedsApproval(AzureCI, OriginRepository); got != ApprovalNone || row.ID != "azure-approval-none" {
			t.Errorf("ci, %q: %s by %s", c.date, got, row.ID)
		}
	}
	if f, err := ParseForge("azure"); err != nil || f.Name != "azure" {
		t.Errorf("azure: %v, %v", f, err)
	}
	if _, err := ParseForge("azure@2022"); err == nil {
		t.Error("there are no rows for Azure DevOps Server")
	}
}

func TestAzureControlOf(t *testing.T) {
	for _, c := range []struct {
		name, event string
		host        AzureHost
		want        string
	}{
		{"System.PullRequest.SourceBranch", "pr", "", "the name of a branch or tag by anyone with an account, code"},
		{"SYSTEM_PULLREQUEST_SOURCEBRANCH", "pr", "", "the name of a branch or tag by anyone with an account, code"},
		{"variables['System.PullRequest.SourceBranch']", "pr", "", "the name of a branch or tag by anyone with an account, code"},
		{"System.PullRequest.SourceRepositoryURI", "pr", "", "the name of an account or repository by anyone with an account, code"},
		{"System.PullRequest.SourceCommitId", "pr", "", "a commit hash by anyone with an account, code"},
		{"System.PullRequest.TargetBranch", "pr", "", "the name of a branch or tag by someone with write access"},
		{"Build.SourceBranchName", "pr", "", "the name of an account or repository by anyone with an account, code"},
		{"Build.SourceBranchName", "ci", "", "the name of a branch or tag by someone with write access"},
		{"build.sourcebranch", "manual", "", "the name of a branch or tag by someone with write access"},
		{"Build.SourceVersionMessage", "pr", "github", "one of a few words by anyone with an account"},
		{"Build.SourceVersionMessage", "pr", "azure-repos", "a free line of text by anyone with an account"},
		{"Build.SourceVersionMessage", "ci", "github", "a free line of text by anyone with an account after the pull request is merged"},
		{"Build.SourceVersionAuthor", "pr", "github", "a free line of text by anyone with an account"},
		{"Build.RequestedFor", "ci", "github", "a free line of text by an administrator"},
		{"Build.RequestedFor", "ci", "azure-repos", "a free line of text by someone with write access"},
		{"Build.SourceBranchName", "", "", "the name of a branch or tag by someone with write access"},
		{"System.PullRequest.SourceBranch", "", "", "the name of a branch or tag by anyone with an account, code"},
		{"System.PullRequest.SourceBranch", "ci", "", ""},
		{"resources.pipeline.up.sourceBranch", "resource", "", "the name of a branch or tag by someone with write access, code"},
		{"resources.pipeline.up.pipelineName", "resource", "", ""},
		{"mine", "pr", "", ""}, {"System.AccessToken", "pr", "", ""}, {"", "", "", ""},
	} {
		got := ""
		if k, ok := AzureControlOf(c.name, c.event, c.host); ok {
			got = k.Shape.String() + " by " + k.Actor.String()
			if k.Code {
				got += ", code"
			}
			if k.After != "" {
				got += " after " + k.After
			}
		}
		if got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.name, c.event, got, c.want)
		}
	}
	for _, row := range slices.Concat(slices.Collect(maps.Values(azureControlIndex()))...) {
		if row.Shape == ShapeUnset || row.Actor == ActorUnset || !strings.Contains(row.Pattern, ".") {
			t.Errorf("row %+v", row)
		}
		for _, e := range row.events {
			if !slices.Contains([]string{AzureCI, AzurePullRequest, AzureSchedule, AzureResource, AzureManual}, e) {
				t.Errorf("row %s: event %s", row.Pattern, e)
			}
		}
	}
	if !AzureTokenVariable("SYSTEM_ACCESSTOKEN") || !AzureTokenVariable("System.AccessToken") || AzureTokenVariable("Build.Reason") {
		t.Error("the token's variable")
	}
	for name, want := range map[string]string{"System.AccessToken": "true true", "Mine": "false true", "Build.BuildId": "false true", "NPM_TOKEN": "true false", "kv.secret": "true false", "": "false false"} {
		secret, sure := AzureSecret(name, map[string]bool{"mine": true})
		if got := fmt.Sprint(secret, sure); got != want {
			t.Errorf("AzureSecret(%s): %s, want %s", name, got, want)
		}
	}
	if got := AzureEnvironmentName("Build.SourceBranchName"); got != "BUILD_SOURCEBRANCHNAME" {
		t.Error(got)
	}
}

func TestAzureSituation(t *testing.T) {
	p := ParseAzure("azure-pipelines.yml", []byte(`
variables: {fixed: yes, set: 1, group: "$(x)"}
jobs:
- job: A
  variables: [{name: own, value: b}]
  strategy: {matrix: {a: {m: 1}}}
  steps: [{bash: 'echo "##vso[task.setVariable variable=set]2"'}]
`))
	for _, c := range []struct {
		s         AzureSituation
		condition string
		want      Truth
	}{
		{AzureSituation{Event: "pr", Fork: true}, "eq(variables['Build.Reason'], 'PullRequest')", True},
		{AzureSituation{Event: "pr", Fork: true}, "eq(variables['System.PullRequest.IsFork'], 'False')", False},
		{AzureSituation{Event: "pr", Fork: true}, "eq(variables['System.PullRequest.IsFork'], true)", True},
		{AzureSituation{Event: "pr"}, "eq(variables['Build.SourceBranch'], 'refs/heads/main')", False},
		{AzureSituation{Event: "pr"}, "eq(variables['Build.SourceBranchName'], 'main')", False},
		{AzureSituation{Event: "ci"}, "eq(variables['Build.SourceBranch'], 'refs/heads/main')", Undecided},
		{AzureSituation{Event: "ci"}, "ne(variables['Build.Reason'], 'PullRequest')", True},
		{AzureSituation{Event: "ci"}, "eq(variables['Build.Reason'], 'IndividualCI')", Undecided},
		{AzureSituation{Event: "ci"}, "eq(variables['System.PullRequest.PullRequestId'], '')", True},
		{AzureSituation{Event: "schedule"}, "startsWith(variables['Build.SourceBranch'], 'refs/tags/')", False},
		{AzureSituation{Event: "manual"}, "eq(variables['Build.Reason'], 'Manual')", True},
		{AzureSituation{Event: "resource", DefaultBranch: "main"}, "eq(variables['Build.SourceBranch'], 'refs/heads/main')", True},
		{AzureSituation{Event: "ci", Host: AzureHostGitHub}, "eq(variables['Build.Repository.Provider'], 'GitHub')", True},
		{AzureSituation{Event: "ci"}, "eq(variables.fixed, 'YES')", True}, {AzureSituation{Event: "ci"}, "eq(variables['own'], 'a')", False},
		{AzureSituation{Event: "ci"}, "eq(variables.set, '1')", Undecided}, {AzureSituation{Event: "ci"}, "eq(variables.group, '1')", Undecided}, {AzureSituation{Event: "ci"}, "eq(variables.m, '1')", Undecided},
	} {
		cond, err := ParseAzureCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := cond.Evaluate(c.s.Environment(p, &p.Jobs[0])).Truth(); got != c.want {
			t.Errorf("%s at %+v: %s, want %s", c.condition, c.s, got, c.want)
		}
	}
	pr := AzureSituation{Event: "pr"}.Environment(nil, nil)
	notPR := "ne(variables['Build.Reason'], 'PullRequest')"
	for _, c := range []struct {
		in   []Insertion
		want Truth
	}{
		{nil, True}, {[]Insertion{{Kind: InsertIf, Source: notPR}}, False}, {[]Insertion{{Kind: InsertElse, Not: []string{notPR}}}, True},
		{[]Insertion{{Kind: InsertElse, Source: "true", Not: []string{"not(" + notPR + ")"}}}, False}, {[]Insertion{{Kind: InsertEach, Source: "x"}}, Undecided},
		{[]Insertion{{Kind: InsertEach, Source: "x"}, {Kind: InsertIf, Source: notPR}}, False}, {[]Insertion{{Kind: InsertIf, Source: "eq(parameters.x, 1)"}}, Undecided},
		{[]Insertion{{Kind: InsertElse, Not: []string{"eq(parameters.x, 1)"}}}, Undecided},
	} {
		if got := AzureInserted(c.in, pr); got != c.want {
			t.Errorf("%+v: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestAzureJobs(t *testing.T) {
	p := ParseAzure("azure-pipelines.yml", []byte(`
jobs:
- job: a
  steps: [{bash: x}]
- job: b
  pool: {vmImage: ubuntu-latest}
  steps: [{checkout: none}]
- job: c
  pool: Own
  steps: [{checkout: self}]
- deployment: d
  pool: {name: Azure Pipelines, vmImage: x}
  strategy: {runOnce: {deploy: {steps: [{bash: x}]}}}
- job: e
  pool: {name: $(pool)}
  steps: [{bash: x}]
- job: f
  pool:
    ${{ if a }}: {vmImage: x}
    ${{ else }}: {name: Own}
- template: x.yml@y
  parameters: {jobs: [{job: g}]}
`))
	want := []string{"hosted implicit", "hosted", "own", "hosted deployment", "? implicit", "?", "?", "?"}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		got := "own"
		if hosted, known := AzureHosted(j); !known {
			got = "?"
		} else if hosted {
			got = "hosted"
		}
		if AzureImplicitCheckout(j) {
			got += " implicit"
		}
		if AzureDeployment(j) {
			got += " deployment"
		}
		if got != want[i] {
			t.Errorf("%s: %s, want %s", j.ID.Value, got, want[i])
		}
	}
	for _, c := range []struct {
		in   Input
		want Shape
	}{{Input{}, ShapeText}, {Input{Type: Text{Value: "boolean"}}, ShapeBoolean}, {Input{Type: Text{Value: "string"}, Options: []Text{{}}}, ShapeEnum}, {Input{Type: Text{Value: "object"}}, ShapeObject}, {Input{Type: Text{Value: "number"}}, ShapeNumber}} {
		if got := AzureInputShape(c.in); got != c.want {
			t.Errorf("%+v: %s", c.in, got)
		}
	}
}

// TestAzureScripts runs the analysis of scripts with Azure's macros.
func TestAzureScripts(t *testing.T) {
	untrusted := func(body string) ShellSource {
		if c, ok := AzureControlOf(body, AzurePullRequest, AzureHostUnknown); ok && c.Shape == ShapeRef {
			return ShellSource{Labels: ShellUntrusted | ShellRef, Text: body}
		}
		if body == "mine" || body == "Mine" {
			return ShellSource{Labels: ShellUntrusted | ShellNewline}
		}
		return ShellSource{}
	}
	in := ShellInput{
		Templates: TemplateGitHub | TemplateAzure, Macros: map[string]bool{"mine": true}, Expr: untrusted,
		Vars: map[string]ShellSource{"TITLE": {Labels: ShellUntrusted}, "BODY": {Labels: ShellUntrusted | ShellNewline}, "BRANCH": {Labels: ShellUntrusted | ShellRef}, "KEY": {Labels: ShellSecret}, "OTHER": {}},
	}
	for _, c := range []struct{ shell, script, exprs, facts string }{
		{"bash", `echo $(System.PullRequest.SourceBranch) $(Build.Reason)`, "System.PullRequest.SourceBranch Build.Reason", "template bash System.PullRequest.SourceBranch"},
		{"bash", `x=$(ls) y=$(pwd) z=$(mine); echo $(git log) '$(mine)'`, "mine mine", "template bash mine, template bash mine, channel GITHUB_ENV  untrusted smuggle"},
		{"bash", `echo ${{ variables['System.PullRequest.SourceBranch'] }} ${{ parameters.x }}`, "variables['System.PullRequest.SourceBranch'] parameters.x", "template bash variables['System.PullRequest.SourceBranch']"},
		{"pwsh", "Write-Host \"$(Mine)\"", "Mine", "template powershell Mine"},
		{"cmd", "echo $(Mine)", "Mine", "template cmd Mine"},
		{"bash", `echo "##vso[task.setvariable variable=x]$TITLE"`, "", "channel GITHUB_ENV x untrusted"},
		{"bash", `echo "##vso[task.setvariable variable=x;isOutput=true]$OTHER"`, "", "channel GITHUB_OUTPUT x"},
		{"bash", `echo "##vso[task.setvariable variable=x;issecret=true]$KEY"`, "", "mask  x, channel GITHUB_ENV x, secret channel GITHUB_ENV x"},
		{"bash", `echo "##vso[task.setvariable variable=x;isOutput=true]$BODY"`, "", "channel GITHUB_OUTPUT x untrusted smuggle"},
		{"bash", `echo "##vso[task.prependpath]$PWD/bin"`, "", "channel GITHUB_PATH "},
		{"bash", `echo "##vso[task.setsecret]$KEY"`, "", "mask  KEY"},
		{"bash", `echo "##vso[task.logissue type=error]$OTHER"`, "", ""},
		{"bash", `echo "the body: $BODY"`, "", "channel GITHUB_ENV  untrusted smuggle"},
		{"bash", `echo "the title: $TITLE"`, "", "channel GITHUB_ENV  untrusted smuggle maybe"},
		{"bash", `echo "the branch: $BRANCH"`, "", ""},
		{"pwsh", `Write-Host "##vso[task.setvariable variable=x;isOutput=true]$(Mine)"`, "Mine", "template powershell Mine, channel GITHUB_OUTPUT x untrusted smuggle maybe"},
		{"pwsh", `Write-Host "##vso[task.setvariable variable=x]$y"`, "", "channel GITHUB_ENV x maybe"},
	} {
		res := AnalyseScript(c.script, c.shell, in)
		var exprs, facts []string
		for _, e := range res.Exprs {
			exprs = append(exprs, e.Body)
		}
		for _, f := range res.Facts {
			s := fmt.Sprintf("%s %s %s", f.Kind, f.Sink, f.Name)
			if f.Kind == FactChannel {
				if f.Labels&ShellUntrusted != 0 {
					s += " untrusted"
				}
				if f.Smuggle {
					s += " smuggle"
				}
				if f.Maybe {
					s += " maybe"
				}
			}
			facts = append(facts, s)
		}
		if got := strings.Join(exprs, " "); got != c.exprs {
			t.Errorf("%s: expressions %q, want %q", c.script, got, c.exprs)
		}
		slices.Sort(facts)
		want := strings.Split(c.facts, ", ")
		slices.Sort(want)
		if got := strings.Join(facts, ", "); got != strings.Join(want, ", ") {
			t.Errorf("%s: facts %q, want %q", c.script, got, c.facts)
		}
	}
}
