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
	"agent-output-injection", "request-forgery", "confused-deputy-merge", "secrets-on-untrusted-code", "checkout-race", "expression-in-uses", "untrusted-definition",
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
	newFlows(x).run(func(f Flaw) { out = append(out, f) })
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
		if slices.Contains(a.Never, "pipeline/"+f.Rule) || tierRank[f.Tier] > tierRank[penstock.Tier(cmpText(a.Ceiling, "proven-path"))] || f.Tier != penstock.TierHygiene && (len(a.Bad) == 0 && a.Ceiling == "" || slices.Contains(a.Silent, f.Path)) {
			t.Errorf("must not be there:\n%s", showFlaw(files, f))
		}
	}
}

// TestFlowTwins holds the twins to their tiers, as far as flow finds what they have.
func TestFlowTwins(t *testing.T) {
	for _, w := range readTwins(t) {
		for _, forge := range sortedKeys(w.expect.Forges) {
			want := w.expect.Forges[forge]
			if want.Tier != "clean" && !slices.ContainsFunc(want.Rules, func(r string) bool { return slices.Contains(flowRules, strings.TrimPrefix(r, "pipeline/")) }) {
				continue
			}
			t.Run(w.name+"/"+forge, func(t *testing.T) { checkTwinFlow(t, w, forge, want) })
		}
	}
}

func checkTwinFlow(t *testing.T, w twin, forge string, want twinAnswer) {
	s := scenario{expect: expectation{Forge: "github", Settings: w.settings}}
	if forge == "gitlab" {
		s.expect.Forge = "gitlab"
	}
	files := make(map[string][]byte)
	for name, b := range w.files {
		if name == twinFiles[forge] || Detect(name) == KindNone || forge == "github" && strings.HasPrefix(name, ".github/") {
			files[name] = b
		}
	}
	best, found := "clean", want.Tier == "clean"
	var shown []string
	for _, f := range flawsOf(projectOf(files, scenarioSettings(t, s, answer{AsOf: w.expect.AsOf}))) {
		if f.Tier == penstock.TierHygiene && want.Tier != "hygiene" {
			continue
		}
		shown = append(shown, showFlaw(files, f))
		if best == "clean" || tierRank[f.Tier] > tierRank[penstock.Tier(best)] {
			best = string(f.Tier)
		}
		line, _ := lineAt(files, f.Place)
		if string(f.Tier) == want.Tier && slices.Contains(want.Rules, "pipeline/"+f.Rule) && (want.Line == "" || strings.TrimSpace(line) == want.Line) {
			found = true
		}
	}
	if best != want.Tier || !found {
		t.Errorf("the highest tier is %s, want %s by %q at %q\n%s", best, want.Tier, want.Rules, want.Line, strings.Join(shown, ""))
	}
}
