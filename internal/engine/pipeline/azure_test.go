package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// azureTree reads from a map of files.
func azureTree(files map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if s, ok := files[path]; ok {
			return []byte(s), nil
		}
		return nil, errors.New("no such file")
	}
}

// azureBytes are the bytes that positions of a pipeline count through.
func azureBytes(t *testing.T, p *Pipeline, read func(string) ([]byte, error)) []byte {
	t.Helper()
	if len(p.Files) == 0 {
		b, err := read(p.Path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var all []byte
	for _, f := range p.Files {
		b, err := read(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Base != int64(len(all)) || f.Size != int64(len(b)) {
			t.Fatalf("%s is at %d of %d bytes, want %d of %d", f.Path, f.Base, f.Size, len(all), len(b))
		}
		all = append(append(all, b...), '\n')
	}
	return all
}

func azureNotes(p *Pipeline) []string {
	var out []string
	for _, n := range p.Notes {
		path, in := p.Locate(n.Span)
		out = append(out, fmt.Sprintf("note %d at %s:%d: %s", n.Kind, path, in.Start, n.Message))
	}
	return out
}

func TestDetectAzure(t *testing.T) {
	for file, want := range map[string]Kind{
		"azure-pipelines.yml": KindAzure, "sub/azure-pipelines.yaml": KindAzure, "azure-pipelines-release.yml": KindAzure, "ci.azure-pipelines.yml": KindAzure,
		".azure-pipelines/ci.yml": KindAzure, "x/.azuredevops/build.yaml": KindAzure, ".vsts-ci.yml": KindAzure, ".vsts.release.yml": KindAzure, ".vsts-ci/mac.yml": KindAzure, "x/.pipelines/a.yml": KindAzure, "a.zip!/.azure-pipelines/ci.yml": KindAzure,
		".azure-pipelines/sub/x.yml": KindNone, "azure-pipelines.json": KindNone, "my-azure-pipelines.yml": KindNone, "x.azuredevops/a.yml": KindNone,
		".github/workflows/azure-pipelines.yml": KindWorkflow, ".azuredevops/readme.md": KindNone, "azure-pipelines/ci.yml": KindNone,
	} {
		if got := Detect(file); got != want {
			t.Errorf("Detect(%q) = %v, want %v", file, got, want)
		}
	}
	for text, want := range map[string]bool{
		"trigger: none\n": true, "# c\n\npr:\n- main\n": true, "\ufeffsteps:\n": true, "name: x\r\njobs:\r\n- job: a\r\n": true, "extends: {template: a}": true, "stages :\n": true,
		"version: 2\nupdates:\n  steps: x\n": false, "": false, "parameters: []\n": false, "- steps:\n": false, "stepsx: 1": false, "  jobs:\n": false,
	} {
		if got := LooksAzure([]byte(text)); got != want {
			t.Errorf("LooksAzure(%q) = %v", text, got)
		}
	}
}

// TestAzureGolden reads a pipeline alone and with its templates: every text with its
// place, by eye once, then as it is.
func TestAzureGolden(t *testing.T) {
	const dir = "testdata/azure"
	read := func(p string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, p)) }
	b, err := read("azure-pipelines.yml")
	if err != nil {
		t.Fatal(err)
	}
	alone := ParseAzure("azure-pipelines.yml", b)
	whole, err := AzureResolve(alone, read)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Pipeline{"alone.txt": alone, "whole.txt": whole} {
		lines := append(dump(azureBytes(t, p, read), *p), azureNotes(p)...)
		got := strings.Join(lines, "\n") + "\n"
		file := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	path, in := whole.Locate(whole.Jobs[0].Steps[1].Run.At(0, 4))
	if text, _ := read(path); path != "templates/build.yml" || string(text[in.Start:in.End]) != "echo" {
		t.Errorf("a script of a template is located at %s %v", path, in)
	}
	run := whole.Jobs[0].Steps[1].Run
	i := strings.Index(run.Value, "Linux")
	path, in = whole.Locate(run.At(i, i+5))
	if text, _ := read(path); path != "azure-pipelines.yml" || string(text[in.Start:in.End]) != "Linux" {
		t.Errorf("what was put in is located at %s %v", path, in)
	}
}

// TestParseAzure shows what a file alone gives.
func TestParseAzure(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"steps alone", "pool: {vmImage: windows-latest}\nsteps:\n- script: dir\n  name: a\n  displayName: b\n  workingDirectory: d\n  env: {X: $(Y)}\n  condition: always()\n  timeoutInMinutes: 3\n  continueOnError: true\n  target: host\n- pwsh: ls\n- powershell: ls\n", `
.Jobs[0].RunsOn.Labels[0] = "windows-latest"
.Jobs[0].Steps[0].ID = "a"
.Jobs[0].Steps[0].Name = "b"
.Jobs[0].Steps[0].If = "always()" {always()}bare
.Jobs[0].Steps[0].Run.Text = "dir"
.Jobs[0].Steps[0].Run.Dir = "d"
.Jobs[0].Steps[0].Env.X = "$(Y)" {$(Y)}
.Jobs[0].Steps[0].ContinueOnError = "true"
.Jobs[0].Steps[0].Timeout = "3"
.Jobs[0].Steps[0].Extra.target = "host"
.Jobs[0].Steps[1].Run.Text = "ls"
.Jobs[0].Steps[1].Run.Shell = "pwsh"
.Jobs[0].Steps[2].Run.Text = "ls"
.Jobs[0].Steps[2].Run.Shell = "powershell"
.RunsOn.Labels[0] = "windows-latest"`},
		{"jobs", "trigger: [main]\npool: Own\njobs:\n- job: A\n  container: {image: 'a:1', env: {X: 1}}\n  services: {db: postgres:16}\n- job: B\n  dependsOn: [A]\n  condition: succeeded('A')\n  strategy: {maxParallel: 2, matrix: {one: {v: 1}}}\n  workspace: {clean: all}\n", `
.Triggers[0].Event = "ci" <- "trigger"
.Triggers[0].Branches[0] = "main"
.Jobs[0].ID = "A"
.Jobs[0].RunsOn.Group = "Own"
.Jobs[0].Container.Image = "a:1" <- "'a:1'"
.Jobs[0].Container.Env.X = "1"
.Jobs[0].Services[0].Name = "db"
.Jobs[0].Services[0].Container.Image = "postgres:16"
.Jobs[1].ID = "B"
.Jobs[1].Needs[0] = "A"
.Jobs[1].If = "succeeded('A')" {succeeded('A')}bare
.Jobs[1].RunsOn.Group = "Own"
.Jobs[1].Strategy.Matrix.one.v = "1"
.Jobs[1].Strategy.MaxParallel = "2"
.Jobs[1].Extra.workspace.clean = "all"
.RunsOn.Group = "Own"`},
		{"stages wait for the one before", "stages:\n- stage: A\n  jobs: [{job: x}, {job: y, dependsOn: x}]\n- stage: B\n  jobs: [{job: x}]\n- stage: C\n  dependsOn: []\n  jobs: [{job: x}]\n- stage: D\n  dependsOn: [A, C]\n  jobs: [{job: z}]\n", `
.Jobs[0].ID = "A.x" <- "x"
.Jobs[0].Stage = "A"
.Jobs[1].ID = "A.y" <- "y"
.Jobs[1].Needs[0] = "A.x" <- "x"
.Jobs[1].Stage = "A"
.Jobs[2].ID = "B.x" <- "x"
.Jobs[2].Needs[0] = "A.x" <- "A"
.Jobs[2].Needs[1] = "A.y" <- "A"
.Jobs[2].Stage = "B"
.Jobs[3].ID = "C.x" <- "x"
.Jobs[3].Stage = "C"
.Jobs[4].ID = "D.z" <- "z"
.Jobs[4].Needs[0] = "A.x" <- "A"
.Jobs[4].Needs[1] = "A.y" <- "A"
.Jobs[4].Needs[2] = "C.x" <- "C"
.Jobs[4].Stage = "D"
.Stages[0] = "A"
.Stages[1] = "B"
.Stages[2] = "C"
.Stages[3] = "D"`},
		{"tasks with scripts", `steps:
- task: Bash@3
  inputs: {targetType: inline, script: a, workingDirectory: d}
- task: PowerShell@2
  inputs: {targetType: filePath, filePath: x.ps1, script: ignored}
- task: powershell@2
  inputs: {targetType: inline, pwsh: true, script: b}
- task: PythonScript@0
  inputs: {scriptSource: inline, script: c}
- task: ms-example.ext.Do-It@0
- task: CmdLine
  inputs: {script: d}
`, `
.Jobs[0].Steps[0].Uses = "Bash@3"
.Jobs[0].Steps[0].Uses: kind 7 "" "" "" "Bash" ref 2 "3"
.Jobs[0].Steps[0].With.targetType = "inline"
.Jobs[0].Steps[0].With.script = "a"
.Jobs[0].Steps[0].With.workingDirectory = "d"
.Jobs[0].Steps[0].Run.Text = "a"
.Jobs[0].Steps[0].Run.Dir = "d"
.Jobs[0].Steps[1].Uses = "PowerShell@2"
.Jobs[0].Steps[1].Uses: kind 7 "" "" "" "PowerShell" ref 2 "2"
.Jobs[0].Steps[1].With.targetType = "filePath"
.Jobs[0].Steps[1].With.filePath = "x.ps1"
.Jobs[0].Steps[1].With.script = "ignored"
.Jobs[0].Steps[2].Uses = "powershell@2"
.Jobs[0].Steps[2].Uses: kind 7 "" "" "" "powershell" ref 2 "2"
.Jobs[0].Steps[2].With.targetType = "inline"
.Jobs[0].Steps[2].With.pwsh = "true"
.Jobs[0].Steps[2].With.script = "b"
.Jobs[0].Steps[2].Run.Text = "b"
.Jobs[0].Steps[3].Uses = "PythonScript@0"
.Jobs[0].Steps[3].Uses: kind 7 "" "" "" "PythonScript" ref 2 "0"
.Jobs[0].Steps[3].With.scriptSource = "inline"
.Jobs[0].Steps[3].With.script = "c"
.Jobs[0].Steps[3].Run.Text = "c"
.Jobs[0].Steps[4].Uses = "ms-example.ext.Do-It@0"
.Jobs[0].Steps[4].Uses: kind 7 "ms-example.ext" "" "" "ms-example.ext.Do-It" ref 2 "0"
.Jobs[0].Steps[5].Uses = "CmdLine"
.Jobs[0].Steps[5].Uses: kind 7 "" "" "" "CmdLine" ref 0 ""
.Jobs[0].Steps[5].With.script = "d"
.Jobs[0].Steps[5].Run.Text = "d"`},
		{"branches that are all present", `variables:
  ${{ if eq(parameters.x, 1) }}:
    a: 1
  ${{ else }}:
    a: 2
steps:
- ${{ if eq(parameters.x, 1) }}:
  - bash: one
- ${{ elseif eq(parameters.x, 2) }}:
  - bash: two
- ${{ else }}:
  - bash: three
- ${{ each s in parameters.list }}:
  - bash: echo ${{ s }}
- ${{ parameters.more }}
`, `
.Env.a = "1"
.Env.a = "2"
.Jobs[0].Steps[0].Run.Text = "one"
.Jobs[0].Steps[0].Run.Shell = "bash"
.Jobs[0].Steps[0].Inserted[0].Text = "${{ if eq(parameters.x, 1) }}" {${{ if eq(parameters.x, 1) }}}
.Jobs[0].Steps[1].Run.Text = "two"
.Jobs[0].Steps[1].Run.Shell = "bash"
.Jobs[0].Steps[1].Inserted[0].Text = "${{ elseif eq(parameters.x, 2) }}" {${{ elseif eq(parameters.x, 2) }}}
.Jobs[0].Steps[2].Run.Text = "three"
.Jobs[0].Steps[2].Run.Shell = "bash"
.Jobs[0].Steps[2].Inserted[0].Text = "${{ else }}" {${{ else }}}
.Jobs[0].Steps[3].Run.Text = "echo ${{ s }}" {${{ s }}}
.Jobs[0].Steps[3].Run.Shell = "bash"
.Jobs[0].Steps[3].Inserted[0].Text = "${{ each s in parameters.list }}" {${{ each s in parameters.list }}}
.Jobs[0].Steps[4].Uses = "${{ parameters.more }}" {${{ parameters.more }}}
.Jobs[0].Steps[4].Uses: kind 5 "" "" "" "" ref 0 ""`},
		{"what a template is given", `extends:
  template: v2/base.yml@gov
  parameters:
    sdl: {on: true}
    stages:
    - stage: S
      jobs:
      - job: J
        steps: [{bash: x}]
`, `
.Jobs[0].ID = "extends"
.Jobs[0].Uses = "v2/base.yml@gov"
.Jobs[0].Uses: kind 1 "" "" "v2/base.yml" "gov" ref 0 ""
.Jobs[0].With.sdl.on = "true"
.Jobs[0].With.stages.Items[0].stage = "S"
.Jobs[0].With.stages.Items[0].jobs.Items[0].job = "J"
.Jobs[0].With.stages.Items[0].jobs.Items[0].steps.Items[0].bash = "x"
.Jobs[1].ID = "S.J" <- "J"
.Jobs[1].Steps[0].Run.Text = "x"
.Jobs[1].Steps[0].Run.Shell = "bash"
.Jobs[1].Steps[0].Inserted[0].Text = "stages"
.Jobs[1].Stage = "S"
.Jobs[1].Inserted[0].Text = "stages"
.Stages[0] = "S"`},
		{"scripts keep what is the shell's", "variables: {mine: 1}\nsteps:\n- bash: $(pwd) $(mine) $(Build.Reason) $(git log) $(MyVar) $(made) ${{ x }}\n- bash: echo \"##vso[task.setvariable variable=made;isOutput=true]1\"\n", `
.Env.mine = "1"
.Jobs[0].Steps[0].Run.Text = "$(pwd) $(mine) $(Build.Reason) $(git log) $(MyVar) $(made) ${{ x }}" {$(mine)} {$(Build.Reason)} {$(MyVar)} {$(made)} {${{ x }}}
.Jobs[0].Steps[0].Run.Shell = "bash"
.Jobs[0].Steps[1].Run.Text = "echo \"##vso[task.setvariable variable=made;isOutput=true]1\""
.Jobs[0].Steps[1].Run.Shell = "bash"`},
		{"odd things", "trigger: {x: 1}\npool: ''\nlockBehavior: sequential\nvariables: {r: '$[ eq(1, 2) ]', l: [1]}\nsteps:\n- 5\n- {}\n- \n- checkout: none\n- checkout: self\n  persistCredentials: true\n- publish: a\n  artifact: b\n- bash: a\n  bash: b\n", `
.Triggers[0].Event = "ci" <- "trigger"
.Triggers[0].Extra.x = "1"
.Env.r = "$[ eq(1, 2) ]" <- "'$[ eq(1, 2) ]'" {$[ eq(1, 2) ]}
.Env.l.Items[0].Text = "1"
.Jobs[0].Steps[0].Uses = "5"
.Jobs[0].Steps[0].Uses: kind 6 "" "" "" "" ref 0 ""
.Jobs[0].Steps[1].Uses = "none"
.Jobs[0].Steps[1].Uses: kind 8 "" "" "" "checkout" ref 0 ""
.Jobs[0].Steps[1].With.checkout = "none"
.Jobs[0].Steps[2].Uses = "self"
.Jobs[0].Steps[2].Uses: kind 8 "" "" "" "checkout" ref 0 ""
.Jobs[0].Steps[2].With.checkout = "self"
.Jobs[0].Steps[2].With.persistCredentials = "true"
.Jobs[0].Steps[3].Uses = "a"
.Jobs[0].Steps[3].Uses: kind 8 "" "" "" "publish" ref 0 ""
.Jobs[0].Steps[3].With.publish = "a"
.Jobs[0].Steps[3].With.artifact = "b"
.Jobs[0].Steps[4].Run.Text = "b"
.Jobs[0].Steps[4].Run.Shell = "bash"
.Jobs[0].Steps[4].Extra.bash = "a"
.Extra.lockBehavior = "sequential"`},
	} {
		p := ParseAzure("azure-pipelines.yml", []byte(c.in))
		if d := cmp.Diff(lines(c.want), dump([]byte(c.in), *p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
	p := ParseAzure("a.yml", []byte("parameters: {a: 1}\nsteps: []\n"))
	if p.Kind != KindAzurePart || p.Inputs[0].Default.Value != "1" {
		t.Errorf("a template is %v with %+v", p.Kind, p.Inputs)
	}
	p = ParseAzure("a.yml", []byte("pool: {vmImage: windows-2022}\nsteps: [{script: dir}, {task: Bash@3, inputs: {script: ls}}, {task: PowerShell@2, inputs: {script: b, pwsh: True}}]\n"))
	for i, want := range []string{"cmd", "bash", "pwsh"} {
		if got := p.Jobs[0].Steps[i].Run.Shell.Get().Value; got != want {
			t.Errorf("step %d runs in %q, want %q", i, got, want)
		}
	}
}
