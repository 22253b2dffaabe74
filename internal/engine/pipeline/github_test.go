package pipeline

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/syntax"
)

func TestDetect(t *testing.T) {
	for file, want := range map[string]Kind{
		".github/workflows/ci.yml":         KindWorkflow,
		".github/workflows/ci.yaml":        KindWorkflow,
		"sub/.github/workflows/ci.yml":     KindWorkflow,
		"a.zip!/x/.github/workflows/c.yml": KindWorkflow,
		"abc123:.github/workflows/ci.yml":  KindWorkflow,
		".github/workflows/sub/ci.yml":     KindNone,
		"x.github/workflows/ci.yml":        KindNone,
		".github/workflows/ci.txt":         KindNone,
		".github/workflows/actions.lock":   KindLock,
		"actions.lock":                     KindNone,
		".github/dependabot.yml":           KindDependabot,
		"dependabot.yml":                   KindNone,
		"action.yml":                       KindAction,
		".github/actions/x/action.yaml":    KindAction,
		"myaction.yml":                     KindNone,
		"Jenkinsfile":                      KindJenkinsfile,
		"x/Jenkinsfile":                    KindJenkinsfile,
		"jenkinsfile":                      KindJenkinsfile,
		"JenkinsFile":                      KindJenkinsfile,
		"Jenkinsfile.release":              KindJenkinsfile,
		"Jenkinsfile-nightly":              KindJenkinsfile,
		"Jenkinsfile_x":                    KindJenkinsfile,
		"Jenkinsfile.groovy":               KindJenkinsfile,
		"ci/build.jenkinsfile":             KindJenkinsfile,
		"ci/build.Jenkinsfile":             KindJenkinsfile,
		"Jenkinsfile.md":                   KindNone,
		"JenkinsfileRunner.java":           KindNone,
		"Jenkinsfile-test.java":            KindNone,
		"Jenkinsfile.yaml":                 KindNone,
		"Jenkinsfiles":                     KindNone,
		"Jenkinsfile/readme":               KindNone,
	} {
		if got := Detect(file); got != want {
			t.Errorf("Detect(%q) = %v, want %v", file, got, want)
		}
	}
}

// dump writes every text of the model with its path, what it stands on in the file
// where that differs, and its expressions.
func dump(b []byte, v any) []string {
	var out []string
	var walk func(v reflect.Value, path string)
	text := func(t Text, path string) {
		if !t.IsSet() {
			return
		}
		line := fmt.Sprintf("%s = %q", path, t.Value)
		if s := string(b[t.Span.Start:t.Span.End]); s != t.Value {
			line += fmt.Sprintf(" <- %q", s)
		}
		if t.Alias.End > 0 {
			line += " by " + string(b[t.Alias.Start:t.Alias.End])
		}
		for _, p := range t.Parts {
			line += fmt.Sprintf(" {%s}", b[p.Span.Start:p.Span.End])
			if p.Bare {
				line += "bare"
			}
			if p.Open {
				line += "open"
			}
		}
		out = append(out, line)
	}
	walk = func(v reflect.Value, path string) {
		switch x := v.Interface().(type) {
		case Text:
			text(x, path)
			return
		case Use:
			if x.IsSet() {
				text(x.Text, path)
				line := fmt.Sprintf("%s: kind %d %q %q %q %q ref %d %q", path, x.Kind, x.Owner, x.Repo, x.Path, x.Name, x.RefKind, x.Ref)
				if x.Comment != nil {
					line += " # " + x.Comment.Text
				}
				out = append(out, line)
			}
			return
		case Field:
			name := path + "." + x.Name.Value
			if x.Value.Kind == DataScalar {
				text(x.Value.Text, name)
			} else {
				walk(reflect.ValueOf(x.Value), name)
			}
			return
		case []syntax.Comment, []Note, penstock.Span, syntax.TextMap:
			return
		case []Field:
			for _, f := range x {
				walk(reflect.ValueOf(f), strings.TrimSuffix(path, ".Fields"))
			}
			return
		case Level:
			if x != LevelUnset {
				out = append(out, fmt.Sprintf("%s: level %d", path, x))
			}
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), path)
			}
		case reflect.Struct:
			if strings.HasPrefix(v.Type().Name(), "Rare[") {
				if v.MethodByName("Has").Call(nil)[0].Bool() {
					walk(v.MethodByName("Get").Call(nil)[0], path)
				}
				return
			}
			for i := range v.NumField() {
				name := v.Type().Field(i).Name
				switch {
				case !v.Type().Field(i).IsExported():
					continue
				case name == "Inputs" || name == "Outputs" || name == "Secrets":
					if v.Type() == reflect.TypeFor[Pipeline]() && v.FieldByName("Kind").Interface() == KindWorkflow {
						continue // the same as the triggers'
					}
				}
				walk(v.Field(i), path+"."+name)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	walk(reflect.ValueOf(v), "")
	return out
}

func lines(s string) []string { return strings.Split(strings.Trim(s, "\n"), "\n") }

func TestParseWorkflow(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"on as a word", "on: push\n", `
.Triggers[0].Event = "push"`},
		{"on as a list", "\"on\": [push, pull_request]\n", `
.Triggers[0].Event = "push"
.Triggers[1].Event = "pull_request"`},
		{"on as a boolean", "true: push\n", `
.Triggers[0].Event = "push"`},
		{"on as a map", `on:
  push:
  pull_request_target:
    types: [opened, edited]
    branches: main
    paths-ignore:
      - 'docs/**'
  workflow_run: {workflows: [CI], types: completed, future: 1}
  schedule:
    - cron: '5 4 * * *'
      timezone: Europe/Paris
`, `
.Triggers[0].Event = "push"
.Triggers[1].Event = "pull_request_target"
.Triggers[1].Types[0] = "opened"
.Triggers[1].Types[1] = "edited"
.Triggers[1].Branches[0] = "main"
.Triggers[1].PathsIgnore[0] = "docs/**" <- "'docs/**'"
.Triggers[2].Event = "workflow_run"
.Triggers[2].Types[0] = "completed"
.Triggers[2].Workflows[0] = "CI"
.Triggers[2].Extra.future = "1"
.Triggers[3].Event = "schedule"
.Triggers[3].Schedules[0].Cron = "5 4 * * *" <- "'5 4 * * *'"
.Triggers[3].Schedules[0].Timezone = "Europe/Paris"`},
		{"reusable", `on:
  workflow_call:
    inputs:
      ref: {type: string, required: true, default: "${{ github.ref }}"}
    secrets:
      token:
        required: true
      other:
    outputs:
      v: {value: "${{ jobs.a.outputs.v }}"}
`, `
.Triggers[0].Event = "workflow_call"
.Triggers[0].Inputs[0].Name = "ref"
.Triggers[0].Inputs[0].Type = "string"
.Triggers[0].Inputs[0].Required = "true"
.Triggers[0].Inputs[0].Default = "${{ github.ref }}" <- "\"${{ github.ref }}\"" {${{ github.ref }}}
.Triggers[0].Outputs[0].Name = "v"
.Triggers[0].Outputs[0].Value = "${{ jobs.a.outputs.v }}" <- "\"${{ jobs.a.outputs.v }}\"" {${{ jobs.a.outputs.v }}}
.Triggers[0].Secrets[0].Name = "token"
.Triggers[0].Secrets[0].Required = "true"
.Triggers[0].Secrets[1].Name = "other"`},
		{"root keys", `name: N
run-name: by ${{ github.actor }}
env: {A: 1, B: "${{ x }}"}
defaults: {run: {shell: bash, working-directory: d}}
concurrency: g-${{ github.ref }}
cache-mode: write
permissions: read-all
future: {k: [1, "${{ y }}"]}
`, `
.Name = "N"
.RunName = "by ${{ github.actor }}" {${{ github.actor }}}
.Permissions.All: level 2
.Permissions.Text = "read-all"
.Env.A = "1"
.Env.B = "${{ x }}" <- "\"${{ x }}\"" {${{ x }}}
.Defaults.Shell = "bash"
.Defaults.Dir = "d"
.Concurrency.Group = "g-${{ github.ref }}" {${{ github.ref }}}
.CacheMode = "write"
.Extra.future.k.Items[0].Text = "1"
.Extra.future.k.Items[1].Text = "${{ y }}" <- "\"${{ y }}\"" {${{ y }}}`},
		{"a job", `jobs:
  a:
    name: x
    needs: [b, c]
    if: github.actor == 'x'
    runs-on: [self-hosted, "${{ matrix.os }}"]
    permissions:
      contents: read
      id-token: write
      future: admin
    environment: {name: prod, url: u, deployment: false}
    concurrency: {group: g, cancel-in-progress: true, queue: max}
    strategy:
      fail-fast: false
      matrix: {os: [l, w], include: [{os: m}]}
    container: {image: "i:1", credentials: {password: p}, ports: [80]}
    services: {db: {image: pg}, c: redis}
    outputs: {v: "${{ steps.s.outputs.v }}"}
    timeout-minutes: 5
    continue-on-error: true
    snapshot: s
`, `
.Jobs[0].ID = "a"
.Jobs[0].Name = "x"
.Jobs[0].Needs[0] = "b"
.Jobs[0].Needs[1] = "c"
.Jobs[0].If = "github.actor == 'x'" {github.actor == 'x'}bare
.Jobs[0].RunsOn.Labels[0] = "self-hosted"
.Jobs[0].RunsOn.Labels[1] = "${{ matrix.os }}" <- "\"${{ matrix.os }}\"" {${{ matrix.os }}}
.Jobs[0].Permissions.Scopes[0].Name = "contents"
.Jobs[0].Permissions.Scopes[0].Value = "read"
.Jobs[0].Permissions.Scopes[0].Level: level 2
.Jobs[0].Permissions.Scopes[1].Name = "id-token"
.Jobs[0].Permissions.Scopes[1].Value = "write"
.Jobs[0].Permissions.Scopes[1].Level: level 3
.Jobs[0].Permissions.Scopes[2].Name = "future"
.Jobs[0].Permissions.Scopes[2].Value = "admin"
.Jobs[0].Environment.Name = "prod"
.Jobs[0].Environment.URL = "u"
.Jobs[0].Environment.Extra.deployment = "false"
.Jobs[0].Outputs.v = "${{ steps.s.outputs.v }}" <- "\"${{ steps.s.outputs.v }}\"" {${{ steps.s.outputs.v }}}
.Jobs[0].Strategy.Matrix.os.Items[0].Text = "l"
.Jobs[0].Strategy.Matrix.os.Items[1].Text = "w"
.Jobs[0].Strategy.Matrix.include.Items[0].os = "m"
.Jobs[0].Strategy.FailFast = "false"
.Jobs[0].Container.Image = "i:1" <- "\"i:1\""
.Jobs[0].Container.Credentials.password = "p"
.Jobs[0].Container.Extra.ports.Items[0].Text = "80"
.Jobs[0].Services[0].Name = "db"
.Jobs[0].Services[0].Container.Image = "pg"
.Jobs[0].Services[1].Name = "c"
.Jobs[0].Services[1].Container.Image = "redis"
.Jobs[0].ContinueOnError = "true"
.Jobs[0].Timeout = "5"
.Jobs[0].Concurrency.Group = "g"
.Jobs[0].Concurrency.CancelInProgress = "true"
.Jobs[0].Concurrency.Queue = "max"
.Jobs[0].Extra.snapshot = "s"`},
		{"calls and runner groups", `jobs:
  a:
    uses: o/r/.github/workflows/w.yml@main
    with: {x: 1}
    secrets: inherit
  b:
    uses: ./.github/workflows/w.yml
    secrets: {t: "${{ secrets.T }}"}
    permissions: {}
  c:
    runs-on: {group: g, labels: l}
    permissions: write-all
`, `
.Jobs[0].ID = "a"
.Jobs[0].Uses = "o/r/.github/workflows/w.yml@main"
.Jobs[0].Uses: kind 1 "o" "r" ".github/workflows/w.yml" "" ref 3 "main"
.Jobs[0].With.x = "1"
.Jobs[0].Secrets.Text = "inherit"
.Jobs[1].ID = "b"
.Jobs[1].Permissions.All: level 1
.Jobs[1].Uses = "./.github/workflows/w.yml"
.Jobs[1].Uses: kind 2 "" "" ".github/workflows/w.yml" "" ref 0 ""
.Jobs[1].Secrets.t = "${{ secrets.T }}" <- "\"${{ secrets.T }}\"" {${{ secrets.T }}}
.Jobs[2].ID = "c"
.Jobs[2].RunsOn.Labels[0] = "l"
.Jobs[2].RunsOn.Group = "g"
.Jobs[2].Permissions.All: level 3
.Jobs[2].Permissions.Text = "write-all"`},
		{"steps", `jobs:
  a:
    steps:
      - uses: actions/checkout@8f4b7f84864484a7bf31766abe9204da3cbe65b3 # v4.1.0
        with:
          ref: ${{ github.event.pull_request.head.sha }}
        id: s
      - name: n
        if: ${{ always() }} && x
        run: |
          echo ${{ a }} \
            ${{ b }}
        shell: bash
        working-directory: d
        env: {T: x}
      - run: x
        background: true
      - wait: [s]
      - wait-all:
      - cancel: s
      - parallel:
          - run: p
          - uses: docker://alpine:3.8
      - {future: 1, uses: $/x} # c
`, `
.Jobs[0].ID = "a"
.Jobs[0].Steps[0].ID = "s"
.Jobs[0].Steps[0].Uses = "actions/checkout@8f4b7f84864484a7bf31766abe9204da3cbe65b3"
.Jobs[0].Steps[0].Uses: kind 1 "actions" "checkout" "" "" ref 1 "8f4b7f84864484a7bf31766abe9204da3cbe65b3" # v4.1.0
.Jobs[0].Steps[0].With.ref = "${{ github.event.pull_request.head.sha }}" {${{ github.event.pull_request.head.sha }}}
.Jobs[0].Steps[1].Name = "n"
.Jobs[0].Steps[1].If = "${{ always() }} && x" {${{ always() }}}
.Jobs[0].Steps[1].Run.Text = "echo ${{ a }} \\\n  ${{ b }}\n" <- "|\n          echo ${{ a }} \\\n            ${{ b }}\n" {${{ a }}} {${{ b }}}
.Jobs[0].Steps[1].Run.Shell = "bash"
.Jobs[0].Steps[1].Run.Dir = "d"
.Jobs[0].Steps[1].Env.T = "x"
.Jobs[0].Steps[2].Run.Text = "x"
.Jobs[0].Steps[2].Background = "true"
.Jobs[0].Steps[3].Wait[0] = "s"
.Jobs[0].Steps[4].WaitAll = ""
.Jobs[0].Steps[5].Cancel = "s"
.Jobs[0].Steps[6].Parallel[0].Run.Text = "p"
.Jobs[0].Steps[6].Parallel[1].Uses = "docker://alpine:3.8"
.Jobs[0].Steps[6].Parallel[1].Uses: kind 4 "" "" "" "alpine" ref 2 "3.8"
.Jobs[0].Steps[7].Uses = "$/x"
.Jobs[0].Steps[7].Uses: kind 3 "" "" "x" "" ref 0 "" # c
.Jobs[0].Steps[7].Extra.future = "1"`},
		{"anchors", `jobs:
  a: &j
    steps: &s
      - &r {run: x}
      - *r
  b:
    <<: *j
    name: n
`, `
.Jobs[0].ID = "a"
.Jobs[0].Steps[0].Run.Text = "x"
.Jobs[0].Steps[1].Run.Text = "x"
.Jobs[1].ID = "b"
.Jobs[1].Name = "n"
.Jobs[1].Steps[0].Run.Text = "x"
.Jobs[1].Steps[1].Run.Text = "x"`},
		{"an alias of a text", "env: {A: &x 1, B: *x}\n", `
.Env.A = "1"
.Env.B = "1" by *x`},
		{"duplicates", "name: a\nname: b\njobs:\n  x: {name: 1}\n  x: {name: 2}\n", `
.Name = "b"
.Jobs[0].ID = "x"
.Jobs[0].Name = "1"
.Jobs[1].ID = "x"
.Jobs[1].Name = "2"
.Extra.name = "a"`},
		{"expression without an end", "name: a ${{ b\n", `
.Name = "a ${{ b" {${{ b}open`},
		{"a string in an expression", "name: ${{ '}}' }} ${{ format('{{x}}') }}\n", `
.Name = "${{ '}}' }} ${{ format('{{x}}') }}" {${{ '}}' }}} {${{ format('{{x}}') }}}`},
		{"an expression in place of a map", "jobs:\n  a:\n    strategy: ${{ fromJSON(x) }}\n    env: ${{ y }}\n", `
.Jobs[0].ID = "a"
.Jobs[0].Env.Text = "${{ y }}" {${{ y }}}
.Jobs[0].Strategy.Extra. = "${{ fromJSON(x) }}" {${{ fromJSON(x) }}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ParseGitHub("w.yml", KindWorkflow, []byte(c.in))
			if d := cmp.Diff(lines(c.want), dump([]byte(c.in), p)); d != "" {
				t.Errorf("model (-want +got):\n%s", d)
			}
			checkPipeline(t, []byte(c.in), p)
		})
	}
}

func TestParseOtherFiles(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     Kind
		in, want string
	}{
		{"composite", KindAction, `name: n
description: d
inputs:
  i: {required: true, default: x, deprecationMessage: m}
outputs:
  o: {value: "${{ steps.a.outputs.b }}"}
runs:
  using: composite
  steps:
    - run: echo ${{ inputs.i }}
      shell: bash
    - uses: $/a/b
`, `
.Name = "n"
.Inputs[0].Name = "i"
.Inputs[0].Required = "true"
.Inputs[0].Default = "x"
.Inputs[0].Extra.deprecationMessage = "m"
.Outputs[0].Name = "o"
.Outputs[0].Value = "${{ steps.a.outputs.b }}" <- "\"${{ steps.a.outputs.b }}\"" {${{ steps.a.outputs.b }}}
.Action.Using = "composite"
.Action.Steps[0].Run.Text = "echo ${{ inputs.i }}" {${{ inputs.i }}}
.Action.Steps[0].Run.Shell = "bash"
.Action.Steps[1].Uses = "$/a/b"
.Action.Steps[1].Uses: kind 3 "" "" "a/b" "" ref 0 ""
.Extra.description = "d"`},
		{"a runtime", KindAction, "runs: {using: node24, main: m.js, pre: p.js, pre-if: runner.os == 'Linux', post: q.js}\n", `
.Action.Using = "node24"
.Action.Main = "m.js"
.Action.Pre = "p.js"
.Action.PreIf = "runner.os == 'Linux'" {runner.os == 'Linux'}bare
.Action.Post = "q.js"`},
		{"a container", KindAction, "runs:\n  using: docker\n  image: Dockerfile\n  args: ['${{ inputs.x }}']\n  env: {A: b}\n  entrypoint: /e\n  post-entrypoint: /p\n", `
.Action.Using = "docker"
.Action.Image = "Dockerfile"
.Action.Entrypoint = "/e"
.Action.PostEntrypoint = "/p"
.Action.Args[0] = "${{ inputs.x }}" <- "'${{ inputs.x }}'" {${{ inputs.x }}}
.Action.Env.A = "b"`},
		{"dependabot", KindDependabot, `version: 2
registries: {r: {type: npm-registry, token: "${{ secrets.T }}"}}
updates:
  - package-ecosystem: npm
    directories: [/, /a]
    schedule: {interval: daily}
    cooldown: {default-days: 7}
    insecure-external-code-execution: allow
    target-branch: dev
    labels: [x]
`, `
.Dependabot.Version = "2"
.Dependabot.Registries.r.type = "npm-registry"
.Dependabot.Registries.r.token = "${{ secrets.T }}" <- "\"${{ secrets.T }}\"" {${{ secrets.T }}}
.Dependabot.Updates[0].Ecosystem = "npm"
.Dependabot.Updates[0].Directories[0] = "/"
.Dependabot.Updates[0].Directories[1] = "/a"
.Dependabot.Updates[0].Branch = "dev"
.Dependabot.Updates[0].ExternalCode = "allow"
.Dependabot.Updates[0].Schedule.interval = "daily"
.Dependabot.Updates[0].Cooldown.default-days = "7"
.Dependabot.Updates[0].Extra.labels.Items[0].Text = "x"`},
		{"lock", KindLock, `version: 'v0.0.2'
workflows:
  '.github/workflows/a.yml': ['o/r@v1']
dependencies:
  'o/r@v1':
    ref: v1
    commit: sha1-ef244123eb79f2f7a7e75d99086184180e6d0018
    owner_id: 1
    repo_id: 2
    uses: [o/s@v2]
`, `
.Lock.Version = "v0.0.2" <- "'v0.0.2'"
.Lock.Workflows[0].Path = ".github/workflows/a.yml" <- "'.github/workflows/a.yml'"
.Lock.Workflows[0].Pins[0] = "o/r@v1" <- "'o/r@v1'"
.Lock.Dependencies[0].Pin = "o/r@v1" <- "'o/r@v1'"
.Lock.Dependencies[0].Ref = "v1"
.Lock.Dependencies[0].Commit = "sha1-ef244123eb79f2f7a7e75d99086184180e6d0018"
.Lock.Dependencies[0].OwnerID = "1"
.Lock.Dependencies[0].RepoID = "2"
.Lock.Dependencies[0].Uses[0] = "o/s@v2"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ParseGitHub("f.yml", c.kind, []byte(c.in))
			if d := cmp.Diff(lines(c.want), dump([]byte(c.in), p)); d != "" {
				t.Errorf("model (-want +got):\n%s", d)
			}
			if len(p.Notes) > 0 {
				t.Errorf("notes: %v", p.Notes)
			}
			checkPipeline(t, []byte(c.in), p)
		})
	}
}

func TestNotes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"wrong types", "name: [a]\nenv: x\njobs: [a]\non: [{a: b}]\n", `
2 "[a]" a single value is expected here
2 "x" a map of names is expected here
2 "[a]" a map of names is expected here
2 "{a: b}" an event is expected here`},
		{"wrong types below", "permissions: all\njobs:\n  a:\n    steps: x\n    needs: {a: b}\n    with: {x: [1]}\n", `
2 "all" a permission that is not known
2 "x" a list is expected here
2 "{a: b}" a single value or a list is expected here
2 "[1]" a single value is expected here`},
		{"duplicates", "env: {A: 1, A: 2}\n", `
3 "A" the key is there twice`},
		{"merge", "x: &x {A: 1}\nenv: {<<: *x}\n", `
4 "<<" a merge key`},
		{"open", "name: \"${{ a\"\n", `
5 "${{ a" an expression without an end`},
		{"not YAML", "name: a\njobs: [\n", `
1 "jobs: [\n" not valid YAML: did not find expected node content`},
		{"two documents", "name: a\n---\nname: b\n", `
1 "name: b" more than one YAML document`},
		{"keys that are lists", "[a]: b\n", `
2 "[a]" a key must be a single value`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ParseGitHub("w.yml", KindWorkflow, []byte(c.in))
			var got []string
			for _, n := range p.Notes {
				got = append(got, fmt.Sprintf("%d %q %s", n.Kind, c.in[n.Start:n.End], n.Message))
			}
			if d := cmp.Diff(lines(c.want), got); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			checkPipeline(t, []byte(c.in), p)
		})
	}
}

func TestParseUse(t *testing.T) {
	sha := strings.Repeat("a1", 20)
	for in, want := range map[string]string{
		"actions/checkout@v4":             "1 actions checkout   2 v4",
		"actions/cache/save@" + sha:       "1 actions cache save  1 " + sha,
		"o/r@" + sha[:7]:                  "1 o r   3 a1a1a1a",
		"o/r@release/v1":                  "1 o r   3 release/v1",
		"o/r@v1.2.3-rc.1":                 "1 o r   2 v1.2.3-rc.1",
		"o/r@a@b":                         "1 o r   3 a@b",
		"o/r@${{ x }}":                    "1 o r   5 ${{ x }}",
		"${{ x }}/r@v1":                   "5     0 ",
		" o/r@main ":                      "1 o r   3 main",
		"./a/b":                           "2   a/b  0 ",
		"../a":                            "2   ../a  0 ",
		"$/a":                             "3   a  0 ",
		"docker://alpine":                 "4    alpine 0 ",
		"docker://h:5000/a/b":             "4    h:5000/a/b 0 ",
		"docker://h:5000/a/b:1":           "4    h:5000/a/b 2 1",
		"docker://a:1@sha256:" + sha + "": "4    a:1 4 sha256:" + sha,
		"o/r":                             "6 o r   0 ",
		"o":                               "6     0 ",
		"":                                "6     0 ",
		"@v1":                             "6     0 ",
	} {
		u := ParseUse(Text{Value: in})
		if got := fmt.Sprintf("%d %s %s %s %s %d %s", u.Kind, u.Owner, u.Repo, u.Path, u.Name, u.RefKind, u.Ref); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}

	in := "jobs: {a: {steps: [{uses: 'o/r@v1 '}]}}\n"
	u := ParseGitHub("", KindWorkflow, []byte(in)).Jobs[0].Steps[0].Uses
	if s := u.RefSpan(); in[s.Start:s.End] != "v1" {
		t.Errorf("the reference stands at %q", in[s.Start:s.End])
	}
}

func TestPermissionsLevel(t *testing.T) {
	for in, want := range map[string]Level{
		"": LevelUnset, "permissions: read-all": LevelRead, "permissions: write-all": LevelWrite, "permissions: {}": LevelNone,
		"permissions: {contents: write}": LevelWrite, "permissions: {issues: write}": LevelNone, "permissions: {contents: none}": LevelNone, "permissions: ${{ x }}": LevelUnset,
	} {
		if got := ParseGitHub("", KindWorkflow, []byte(in+"\nname: x\n")).Permissions.Level("contents"); got != want {
			t.Errorf("%q: level %d, want %d", in, got, want)
		}
	}
}

// checkPipeline holds for every file: spans lie in it, texts and expressions stand
// where they say.
func checkPipeline(t *testing.T, b []byte, p *Pipeline) {
	t.Helper()
	file := penstock.Span{End: int64(len(b))}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch x := v.Interface().(type) {
		case penstock.Span:
			if x.Start > x.End || !file.Contains(x) {
				t.Fatalf("span %v lies outside of the file", x)
			}
			return
		case Text:
			for i, e := range x.Parts {
				if e.From > e.Inner || e.Inner > e.InnerTo || e.InnerTo > e.To || e.To > len(x.Value) || !x.Span.Contains(e.Span) {
					t.Fatalf("expression %d of %q: %+v in %v", i, x.Value, e, x.Span)
				}
				if !e.Bare && x.Value[e.From:e.Inner] != "${{" {
					t.Fatalf("expression %q", x.Value[e.From:e.To])
				}
				_ = x.Source(e)
			}
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(p))
	if len(p.Notes) > maxNotes {
		t.Fatalf("%d notes", len(p.Notes))
	}
}

func FuzzParseGitHub(f *testing.F) {
	for _, s := range []string{
		"on: push\njobs:\n  a:\n    steps:\n      - uses: a/b@v1 # v1\n        with: {x: '${{ y }}'}\n      - run: |\n          echo ${{ z }}\n",
		"runs: {using: composite, steps: [{parallel: [{run: x}]}]}\n", "version: 2\nupdates:\n- {directory: /}\n",
		"version: v0.0.2\nworkflows: {a: [b]}\ndependencies: {b: {ref: c}}\n", "a: &a {<<: *a}\nname: *a\n", "permissions: {contents: [x]}\non: {schedule: [{cron: x}]}\n",
		"true: {workflow_call: {inputs: {a: {type: string}}}}\n", "env:\nname:\njobs:\n  a:\n  b: []\n",
	} {
		for kind := KindWorkflow; kind <= KindLock; kind++ {
			f.Add(uint8(kind), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		if len(b) > 4096 {
			return
		}
		checkPipeline(t, b, ParseGitHub("f", Kind(kind%5), b))
	})
}
