package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"penstock"
)

// flowRules are the rules that flow finds; the others are those of the audits.
var flowRules = []string{
	"template-injection", "template-expansion", "command-injection", "argument-injection", "untrusted-code-execution", "untrusted-checkout",
	"environment-injection", "output-clobbering", "artifact-poisoning", "cache-poisoning", "self-hosted-runner-exposed", "agent-prompt-injection",
	"agent-output-injection", "request-forgery", "confused-deputy-merge", "secrets-on-untrusted-code", "checkout-race", "expression-in-uses",
}

// projectOf makes a project of files in memory.
func projectOf(files map[string][]byte, settings Settings) *Project {
	var pipelines []*Pipeline
	for _, name := range sortedKeys(files) {
		if kind := Detect(name); kind != KindNone {
			pipelines = append(pipelines, parse(name, kind, files[name]))
		}
	}
	return newProject("", pipelines, settings, textTree(files))
}

// flawsOf are the flaws that flow reports.
func flawsOf(x *Project) []Flaw {
	var out []Flaw
	x.flow(func(f Flaw) { out = append(out, f) })
	return out
}

func lineAt(files map[string][]byte, p Place) (line string, number int) {
	b := files[p.Path]
	at := min(max(int(p.Start), 0), len(b))
	start := bytes.LastIndexByte(b[:at], '\n') + 1
	end := len(b)
	if i := bytes.IndexByte(b[start:], '\n'); i >= 0 {
		end = start + i
	}
	return string(b[start:end]), 1 + bytes.Count(b[:start], []byte("\n"))
}

// reportedOf is a flaw in the terms of the scenarios.
func reportedOf(files map[string][]byte, f Flaw) reported {
	line, _ := lineAt(files, f.Place)
	r := reported{rule: "pipeline/" + f.Rule, tier: string(f.Tier), path: f.Path, line: line}
	var b strings.Builder
	for _, h := range f.Trace {
		l, _ := lineAt(files, h.Place)
		fmt.Fprintf(&b, "%s\n%s\n%s\n", h.Text, h.Path, l)
		if h.Row != nil {
			b.WriteString(h.Row.ID + "\n")
		}
	}
	r.trace = b.String()
	return r
}

// showFlaw writes a flaw for people who look at a failed test.
func showFlaw(files map[string][]byte, f Flaw) string {
	var b strings.Builder
	_, n := lineAt(files, f.Place)
	fmt.Fprintf(&b, "%s %s %s:%d: %s (%s)\n", f.Tier, f.Rule, f.Path, n, f.Message, f.Scope)
	for i, h := range f.Trace {
		line, n := lineAt(files, h.Place)
		fmt.Fprintf(&b, "    %d. %s:%d: %s | %s\n", i+1, h.Path, n, h.Text, strings.TrimSpace(line))
	}
	fmt.Fprintf(&b, "    reaches %q cut %q notes %q actor %v events %v\n", f.Reaches, f.Cut, f.Notes, f.Actor, f.Events)
	return b.String()
}

func scenarioSettings(t *testing.T, s scenario, a answer) Settings {
	t.Helper()
	settings := Settings{AsOf: a.AsOf}
	var err error
	if settings.Forge, err = ParseForge(s.expect.Forge); err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(&s.expect.Settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := settings.ParseSettings("settings", data); err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestFlowScenarios(t *testing.T) {
	for _, s := range readScenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, a := range s.expect.answers() {
				if s.trees[a.Tree] == nil {
					continue
				}
				t.Run(cmpText(strings.ReplaceAll(a.Name, " ", "-"), "bad"), func(t *testing.T) { checkScenario(t, s, a) })
			}
			if files := s.trees["good"]; files != nil {
				t.Run("good", func(t *testing.T) {
					for _, f := range flawsOf(projectOf(files, scenarioSettings(t, s, s.expect.answer))) {
						if f.Tier != penstock.TierHygiene {
							t.Errorf("in the repaired twin:\n%s", showFlaw(files, f))
						}
					}
				})
			}
		})
	}
}

func checkScenario(t *testing.T, s scenario, a answer) {
	if s.expect.Branch != "" && a.Name != "" {
		t.Skip("which branch the files are of is not a setting")
	}
	files := s.trees[a.Tree]
	flaws := flawsOf(projectOf(files, scenarioSettings(t, s, a)))
	for _, w := range a.Bad {
		ours := true
		for _, o := range append([]wanted{w}, w.Unless...) {
			ours = ours && slices.Contains(flowRules, strings.TrimPrefix(w.or(o).Rule, "pipeline/"))
		}
		if !ours || slices.ContainsFunc(flaws, func(f Flaw) bool { return w.meets(reportedOf(files, f)) }) {
			continue
		}
		t.Errorf("want %s in tier %s at %s: %s\ntrace %q", w.Rule, w.Tier, w.Path, w.Line, w.Trace)
		for _, f := range flaws {
			if f.Tier != penstock.TierHygiene || "pipeline/"+f.Rule == w.Rule {
				t.Log(showFlaw(files, f))
			}
		}
	}
	for _, f := range flaws {
		if slices.Contains(a.Never, "pipeline/"+f.Rule) || f.Tier != penstock.TierHygiene && (len(a.Bad) == 0 || slices.Contains(a.Silent, f.Path)) {
			t.Errorf("must not be there:\n%s", showFlaw(files, f))
		}
	}
}
