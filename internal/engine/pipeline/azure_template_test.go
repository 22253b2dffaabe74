package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// azureSummary is a line for each step: job, script or use, and what decides on it.
func azureSummary(p *Pipeline) []string {
	var out []string
	for _, j := range p.Jobs {
		line := j.ID.Value
		if j.Uses.IsSet() {
			line += " uses " + j.Uses.Value
		}
		for _, i := range j.Inserted {
			line += fmt.Sprintf(" [%s]", i.Source)
		}
		if len(j.Steps) == 0 {
			out = append(out, line)
		}
		for _, s := range j.Steps {
			text := s.Run.Value
			if s.Uses.IsSet() && text == "" {
				text = "uses " + s.Uses.Value
			}
			step := line + ": " + text
			for _, i := range s.Inserted[len(j.Inserted):] {
				step += fmt.Sprintf(" [%s", i.Source)
				for _, n := range i.Not {
					step += " not " + n
				}
				step += "]"
			}
			out = append(out, step)
		}
	}
	return append(out, azureNotes(p)...)
}

func TestAzureResolve(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"steps, relative and from the root", map[string]string{
			"a/azure-pipelines.yml": "steps:\n- template: t/one.yml\n- template: /t/two.yml\n- bash: last\n",
			"a/t/one.yml":           "steps:\n- bash: one\n- template: three.yml@self\n",
			"t/two.yml":             "steps: [{bash: two}]",
			"a/t/three.yml":         "steps: [{bash: three}]",
		}, `
Job: one
Job: three
Job: two
Job: last`},
		{"the root below the scan's", map[string]string{
			"repo/azure-pipelines.yml": "jobs:\n- template: /t/j.yml\n",
			"repo/t/j.yml":             "jobs: [{job: J, steps: [{bash: x}]}, {template: /k.yml}]",
			"repo/k.yml":               "jobs: [{job: K}]",
		}, `
J: x
K`},
		{"conditions on what is known and what is not", map[string]string{
			"azure-pipelines.yml": "parameters:\n- {name: debug, type: boolean, default: false}\nsteps:\n- template: t.yml\n  parameters: {mode: fast, debug: '${{ parameters.debug }}', flag: true}\n- ${{ if parameters.debug }}:\n  - bash: d\n",
			"t.yml": `parameters: [{name: mode}, {name: debug}, {name: flag, type: boolean}, {name: none, default: ''}]
steps:
- ${{ if eq(parameters.mode, 'fast') }}:
  - bash: fast
- ${{ else }}:
  - bash: slow
- ${{ if and(parameters.flag, ne(parameters.none, '')) }}:
  - bash: none
- ${{ elseif and(parameters.flag, eq(parameters.mode, 'fast'), eq(variables['Build.Reason'], 'Manual')) }}:
  - bash: by hand
- ${{ elseif parameters.debug }}:
  - bash: debug
- ${{ else }}:
  - bash: else
- bash: ${{ parameters.mode }} ${{ parameters.debug }} ${{ upper(parameters.mode) }} ${{ parameters.none }}.
`,
		}, `
Job: fast
Job: by hand [and(true, eq('fast', 'fast'), eq(variables['Build.Reason'], 'Manual'))]
Job: debug [parameters.debug not and(true, eq('fast', 'fast'), eq(variables['Build.Reason'], 'Manual'))]
Job: else [ not and(true, eq('fast', 'fast'), eq(variables['Build.Reason'], 'Manual')) not parameters.debug]
Job: fast ${{ parameters.debug }} FAST .
Job: d [parameters.debug]`},
		{"loops over lists, maps and parameters", map[string]string{
			"azure-pipelines.yml": "jobs:\n- template: t.yml\n  parameters:\n    oses: [linux, mac]\n    env: {A: 1, B: '${{ x }}'}\n    jobs:\n    - job: One\n      pool: P\n    - ${{ each n in split('a,b', ',') }}:\n      - job: Two\n",
			"t.yml": `parameters: {oses: [], env: {}, jobs: []}
jobs:
- ${{ each os in parameters.oses }}:
  - ${{ each e in parameters.env }}:
    - job: ${{ os }}_${{ e.key }}
      steps: [{bash: 'echo ${{ e.value }}'}]
- ${{ each job in parameters.jobs }}:
  - job: ${{ job.job }}x
    ${{ each p in job }}:
      ${{ if ne(p.key, 'job') }}:
        ${{ p.key }}: ${{ p.value }}
    steps:
    - ${{ each p in parameters }}:
      - bash: ${{ p.key }}
`,
		}, `
linux_A: echo 1
linux_B: echo ${{ x }}
mac_A: echo 1
mac_B: echo ${{ x }}
Onex: oses
Onex: env
Onex: jobs
Twox [split('a,b', ',')]: oses
Twox [split('a,b', ',')]: env
Twox [split('a,b', ',')]: jobs`},
		{"extends, with stages that are given", map[string]string{
			"azure-pipelines.yml": "trigger: none\nextends:\n  template: base.yml\n  parameters:\n    after:\n    - bash: mine\n    stages:\n    - stage: Mine\n      jobs: [{job: M, steps: [{bash: m}]}]\n",
			"base.yml":            "parameters:\n- {name: stages, type: stageList}\n- {name: after, type: stepList}\nstages:\n- stage: First\n  jobs: [{job: F, steps: [{bash: f}, '${{ parameters.after }}']}]\n- ${{ parameters.stages }}\n",
		}, `
First.F: f
First.F: mine
Mine.M: m`},
		{"what must be given and is not", map[string]string{
			"azure-pipelines.yml": "trigger: none\nparameters: [{name: tag}]\nsteps:\n- template: t.yml\n  parameters:\n    tag: ${{ parameters.tag }}\n    ${{ if eq(parameters.tag, 'x') }}:\n      mode: fast\n",
			"t.yml":               "parameters: [{name: tag}, {name: mode, default: slow}, {name: more}]\nsteps:\n- bash: a ${{ parameters.tag }} ${{ parameters.mode }} ${{ parameters.more }}\n",
		}, `
Job: a ${{ parameters.tag }} ${{ parameters.mode }} ${{ parameters.more }}`},
		{"what is missing, elsewhere or loops", map[string]string{
			"azure-pipelines.yml": "resources: {repositories: [{repository: r, name: p/q, ref: refs/heads/main}]}\nsteps:\n- template: none.yml\n- template: a.yml@r\n  parameters: {preSteps: [{bash: given}]}\n- template: b.yml@unknown\n- template: ../../out.yml\n- template: loop.yml\n- template: jobs.yml\n- template: ${{ parameters.x }}.yml\n",
			"loop.yml":            "steps: [{bash: l}, {template: loop.yml}]",
			"jobs.yml":            "jobs: []",
		}, `
Job: uses none.yml
Job: uses a.yml@r
Job: given [preSteps]
Job: uses b.yml@unknown
Job: uses ../../out.yml
Job: l
Job: uses loop.yml
Job: uses jobs.yml
Job: uses ${{ parameters.x }}.yml
note 6 at azure-pipelines.yml:97: a template cannot be read
note 6 at azure-pipelines.yml:180: the repository of a template is not among the resources
note 7 at loop.yml:30: a template uses itself
note 2 at azure-pipelines.yml:253: the template has nothing that fits in this place`},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := azureTree(c.files)
			root := "azure-pipelines.yml"
			for path := range c.files {
				if strings.HasSuffix(path, root) {
					root = path
				}
			}
			p, err := AzureResolve(ParseAzure(root, []byte(c.files[root])), read)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(lines(c.want), azureSummary(p)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			azureInside(t, p, int64(len(azureBytes(t, p, read))))
		})
	}
	if _, err := AzureResolve(&Pipeline{Path: "x"}, azureTree(nil)); err == nil {
		t.Error("a root that cannot be read is no error")
	}
}

// azureInside checks that the places of steps lie in the files.
func azureInside(t *testing.T, p *Pipeline, size int64) {
	t.Helper()
	for _, j := range p.Jobs {
		for _, s := range j.Steps {
			for _, span := range []struct{ Start, End int64 }{{s.Span.Start, s.Span.End}, {s.Run.At(0, len(s.Run.Value)).Start, s.Run.At(0, len(s.Run.Value)).End}} {
				if span.Start < 0 || span.End < span.Start || span.End > size {
					t.Fatalf("a step at %v of %d bytes", span, size)
				}
			}
			if n := s.Run.Map.Len(); n != 0 && n != len(s.Run.Value) {
				t.Fatalf("a map of %d bytes for a script of %d", n, len(s.Run.Value))
			}
			for _, part := range s.Run.Parts {
				if part.From < 0 || part.To > len(s.Run.Value) || part.Inner > part.InnerTo || part.Span.End > size {
					t.Fatalf("a part %+v", part)
				}
			}
		}
	}
}

// TestAzureHostile bounds what templates can make of a few bytes.
func TestAzureHostile(t *testing.T) {
	list := "[" + strings.Repeat("x,", 99) + "x]"
	each := ""
	for i := range 8 {
		each += strings.Repeat("  ", i) + fmt.Sprintf("- ${{ each v%d in parameters.l }}:\n", i)
	}
	double := "parameters:\n  a0: xxxxxxxxxx\n"
	for i := 1; i < 40; i++ {
		double += fmt.Sprintf("  a%d: \"${{ parameters.a%d }}${{ parameters.a%d }}\"\n", i, i-1, i-1)
	}
	many := map[string]string{"azure-pipelines.yml": "steps:\n"}
	for i := range 150 {
		many["azure-pipelines.yml"] += fmt.Sprintf("- template: t%d.yml\n", i)
		many[fmt.Sprintf("t%d.yml", i)] = "steps: [{bash: a}]"
	}
	deep := map[string]string{"azure-pipelines.yml": "steps: [{template: t0.yml}]"}
	for i := range 150 {
		deep[fmt.Sprintf("t%d.yml", i)] = fmt.Sprintf("steps: [{bash: a}, {template: t%d.yml}]", i+1)
	}
	twice := map[string]string{"azure-pipelines.yml": "steps: [{template: t0.yml}]"}
	for i := range 60 {
		twice[fmt.Sprintf("t%d.yml", i)] = fmt.Sprintf("steps: [{template: t%d.yml}, {template: t%d.yml}]", i+1, i+1)
	}
	stages := "stages:\n"
	for i := range 60 {
		stages += fmt.Sprintf("- stage: S%d\n  jobs: [%s]\n", i, strings.Repeat("{job: a}, ", 60))
	}
	for name, files := range map[string]map[string]string{
		"loops in loops":    {"azure-pipelines.yml": "steps: [{template: t.yml}]", "t.yml": "parameters:\n  l: " + list + "\nsteps:\n" + each + strings.Repeat("  ", 8) + "- bash: a\n"},
		"doubling text":     {"azure-pipelines.yml": "steps: [{template: t.yml}]", "t.yml": double + "steps: [{bash: 'echo ${{ parameters.a39 }}'}]\n"},
		"many files":        many,
		"many levels":       deep,
		"twice each":        twice,
		"many dependencies": {"azure-pipelines.yml": stages},
		"a list in itself":  {"azure-pipelines.yml": "parameters: [{name: l, type: object, default: ['${{ parameters.l }}', '${{ parameters.l }}']}]\nsteps: ['${{ parameters.l }}']\n"},
		"a text in itself":  {"azure-pipelines.yml": "steps: [{template: t.yml}]", "t.yml": "parameters: {x: '${{ format(''{0}{0}'', parameters.x) }}', y: 'a ${{ parameters.y }} ${{ parameters.y }}'}\nsteps: [{bash: '${{ parameters.x }} ${{ parameters.y }} '}]\n"},
		"deep conditions":   {"azure-pipelines.yml": "steps:\n- ${{ if " + strings.Repeat("not(", 5000) + "true" + strings.Repeat(")", 5000) + " }}:\n  - bash: a\n"},
	} {
		p, err := AzureResolve(&Pipeline{Path: "azure-pipelines.yml"}, azureTree(files))
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, j := range p.Jobs {
			size += len(j.Needs)
			for _, s := range j.Steps {
				size += len(s.Run.Value) + 1
			}
		}
		if size > 8<<20 {
			t.Errorf("%s: %d", name, size)
		}
		limited := slices.ContainsFunc(p.Notes, func(n Note) bool { return n.Kind == NoteLimit })
		if !limited && name != "deep conditions" && name != "a text in itself" {
			t.Errorf("%s: nothing is said of the limit: %v", name, azureNotes(p))
		}
	}
}

func FuzzParseAzure(f *testing.F) {
	f.Add("extends: {template: t.yml, parameters: {a: [{bash: x}]}}\n", "parameters: {a: [], b: {c: 1}}\nsteps:\n- ${{ each s in parameters.a }}:\n  - ${{ s }}\n- ${{ if eq(parameters.b.c, 1) }}:\n  - bash: ${{ parameters.b.c }} $(x)\n- ${{ else }}:\n  - template: t.yml\n")
	f.Add("stages:\n- stage: A\n  dependsOn: []\n  variables: [{group: g}, {template: t.yml}]\n  jobs:\n  - deployment: D\n    strategy: {runOnce: {deploy: {steps: [{template: t.yml}]}}}\n- template: t.yml\n", "stages: [{stage: B}]\nvariables: {a: 1}\nsteps: [{task: 'A@1', inputs: {script: x}}]\njobs: [{job: j}]\n")
	f.Add("${{ if a }}:\n  steps: [1]\n${{ each x in y }}: {${{ x.key }}: ${{ x.value }}}\nresources: {webhooks: [{webhook: w}]}\n", "a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, root, other string) {
		files := map[string]string{"azure-pipelines.yml": root, "t.yml": other}
		read := func(path string) ([]byte, error) {
			if s, ok := files[path]; ok {
				return []byte(s), nil
			}
			return nil, errors.New("none")
		}
		LooksAzure([]byte(root))
		p := ParseAzure("azure-pipelines.yml", []byte(root))
		azureInside(t, p, int64(len(root)))
		r, err := AzureResolve(p, read)
		if err != nil {
			t.Fatal(err)
		}
		azureInside(t, r, int64(len(root)+len(other)+1))
		AzureEntries(r, NewSemantics().At("", ForgeVersion{Name: "azure"}), AzureSettings{})
		for i := range r.Jobs {
			env := AzureSituation{Event: AzurePullRequest, Fork: true}.Environment(r, &r.Jobs[i])
			AzureInserted(r.Jobs[i].Inserted, env)
			if c, err := ParseAzureCondition(r.Jobs[i].If.Value); err == nil {
				c.Evaluate(env)
			}
		}
	})
}
