package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// scenario is an archive of testdata/scenarios: the trees of a repository, and what
// must be found in them. testdata/README.md describes the format.
type scenario struct {
	name, comment string
	expect        expectation
	trees         map[string]map[string][]byte // by tree, then by path
}

// expectation is expect.yaml of a scenario.
type expectation struct {
	answer   `yaml:",inline"`
	Forge    string
	Branch   string
	Settings yaml.Node
	Variants []answer
}

// answer is what must be found in a tree on a day, and what must not.
type answer struct {
	Name   string
	AsOf   Date `yaml:"as-of"`
	Tree   string
	Bad    []wanted
	Never  []string // rules that must not fire at all
	Silent []string // paths with nothing above hygiene
	// Ceiling is the highest tier that a finding may have; empty is no bound, and
	// hygiene where Bad is empty.
	Ceiling string
}

// wanted is one finding that must be there.
type wanted struct {
	Rule, Tier, Severity, Path, Line string

	Trace  []string
	Unless []wanted
}

// reported is a finding in the terms of wanted. Line is the whole line of the file on
// which it begins. Trace has, for each step, its text, path, line of the file, and the
// row of the semantics that it cites.
type reported struct{ rule, tier, severity, path, line, trace string }

// answers are all that the scenario asks for, the first without a name.
func (e expectation) answers() []answer {
	first := e.answer
	first.Tree = "bad"
	return append([]answer{first}, e.Variants...)
}

// or fills what an alternative leaves out.
func (w wanted) or(alternative wanted) wanted {
	return wanted{
		Rule: cmp.Or(alternative.Rule, w.Rule), Tier: cmp.Or(alternative.Tier, w.Tier), Severity: cmp.Or(alternative.Severity, w.Severity),
		Path: cmp.Or(alternative.Path, w.Path), Line: cmp.Or(alternative.Line, w.Line), Trace: w.Trace,
	}
}

// meets reports whether a finding is what w or one of its alternatives asks for.
func (w wanted) meets(f reported) bool {
	if w.Rule == f.rule && w.Tier == f.tier && w.Path == f.path && w.Line == strings.TrimSpace(f.line) &&
		(w.Severity == "" || w.Severity == f.severity) && inOrder(f.trace, w.Trace) {
		return true
	}
	return slices.ContainsFunc(w.Unless, func(u wanted) bool { return w.or(u).meets(f) })
}

// inOrder reports whether the texts stand in s one after the other. Of a text with |
// one part is enough.
func inOrder(s string, texts []string) bool {
	for _, text := range texts {
		end := -1
		for _, part := range strings.Split(text, "|") {
			if i := strings.Index(s, part); i >= 0 && (end < 0 || i+len(part) < end) {
				end = i + len(part)
			}
		}
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return true
}

// twin is an archive of testdata/twins: one pipeline in the languages of four forges.
type twin struct {
	name, comment string
	files         map[string][]byte
	expect        twinExpectation
	settings      yaml.Node
}

// twinExpectation is expect.yaml of a twin.
type twinExpectation struct {
	AsOf Date `yaml:"as-of"`
	// Forges are keyed by github, gitlab, azure and jenkins.
	Forges map[string]twinAnswer
}

// twinAnswer is the highest tier that a file may and must have, "clean" for none. Of
// the findings in that tier one is of one of the rules.
type twinAnswer struct {
	Tier  string
	Rules []string
	Line  string
	// Row and Because say why the tier is not that of most others. Row is an id of the
	// table of semantics, whether or not the table has it yet.
	Row, Because string
}

var twinFiles = map[string]string{"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml", "azure": "azure-pipelines.yml", "jenkins": "Jenkinsfile"}

func readArchive(t *testing.T, file string, expect any) (name, comment string, files map[string][]byte) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, f := range archive.Files {
		if _, twice := files[f.Name]; twice {
			t.Errorf("%s: %s is there twice", file, f.Name)
		}
		files[f.Name] = f.Data
	}
	strictYAML(t, file, files["expect.yaml"], expect)
	delete(files, "expect.yaml")
	return strings.TrimSuffix(filepath.Base(file), ".txtar"), string(archive.Comment), files
}

// strictYAML reads one document that has no unknown key.
func strictYAML(t *testing.T, file string, b []byte, into any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := d.Decode(new(yaml.Node)); err != io.EOF {
		t.Errorf("%s: more than one document", file)
	}
}

func readScenarios(t *testing.T) []scenario {
	t.Helper()
	all := archives(t, "scenarios")
	out := make([]scenario, 0, len(all))
	for _, file := range all {
		s := scenario{trees: map[string]map[string][]byte{}}
		var files map[string][]byte
		s.name, s.comment, files = readArchive(t, file, &s.expect)
		for name, b := range files {
			tree, p, ok := strings.Cut(name, "/")
			if !ok {
				t.Errorf("%s: %s is in no tree", file, name)
			}
			if s.trees[tree] == nil {
				s.trees[tree] = map[string][]byte{}
			}
			s.trees[tree][p] = b
		}
		out = append(out, s)
	}
	return out
}

func readTwins(t *testing.T) []twin {
	t.Helper()
	all := archives(t, "twins")
	out := make([]twin, 0, len(all))
	for _, file := range all {
		var w twin
		w.name, w.comment, w.files = readArchive(t, file, &w.expect)
		strictYAML(t, file, w.files["settings.yaml"], &w.settings)
		delete(w.files, "settings.yaml")
		out = append(out, w)
	}
	return out
}

func archives(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/" + folder + "/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no archives in %s: %v", folder, err)
	}
	return all
}

// places counts the lines of a file that are the line, without blanks at their ends.
func places(b []byte, line string) int {
	n := 0
	for l := range strings.Lines(string(b)) {
		if strings.TrimSpace(l) == line {
			n++
		}
	}
	return n
}

var tiers = []string{"proven-path", "exploitable", "hygiene"}

// TestScenarioFiles holds the test data together: what it expects stands in it, the
// repaired twin has the same files and differs in some lines only, and each file is
// one that the front end reads without a note.
func TestScenarioFiles(t *testing.T) {
	for _, s := range readScenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			if len(strings.TrimSpace(s.comment)) < 100 {
				t.Error("the comment says too little")
			}
			if _, err := ParseForge(s.expect.Forge); err != nil {
				t.Error(err)
			}
			checkSettings(t, &s.expect.Settings, s.expect.Forge)
			for tree, files := range s.trees {
				if !slices.Contains([]string{"bad", "good", "write"}, tree) {
					t.Errorf("a tree %q", tree)
				}
				for p, b := range files {
					checkReads(t, tree+"/"+p, p, b)
				}
			}
			if s.name != "clean" {
				checkTwin(t, s.trees["bad"], s.trees["good"])
				for i, a := range s.expect.answers() {
					checkAnswer(t, fmt.Sprintf("answer %d", i), a, s.trees[a.Tree])
				}
			}
		})
	}
}

func checkReads(t *testing.T, name, p string, b []byte) {
	t.Helper()
	kind := Detect(p)
	if strings.HasPrefix(p, ".github/workflows/") && kind != KindWorkflow {
		t.Errorf("%s is %v", name, kind)
	}
	if kind == KindNone {
		return
	}
	for _, n := range parse(p, kind, b).Notes {
		t.Errorf("%s:%d: %s", name, bytes.Count(b[:n.Start], []byte("\n"))+1, n.Message)
	}
}

func checkTwin(t *testing.T, bad, good map[string][]byte) {
	t.Helper()
	if b, g := slices.Sorted(maps.Keys(bad)), slices.Sorted(maps.Keys(good)); !slices.Equal(b, g) || len(b) < 4 {
		t.Fatalf("files of bad %q and good %q: want the same, and at least 4", b, g)
	}
	differ := 0
	for p, b := range bad {
		count := map[string]int{}
		for l := range strings.Lines(string(b)) {
			count[l]++
		}
		for l := range strings.Lines(string(good[p])) {
			count[l]--
		}
		for _, n := range count {
			differ += max(n, -n)
		}
	}
	if differ == 0 || differ > 40 {
		t.Errorf("%d lines differ between bad and good", differ)
	}
}

func checkAnswer(t *testing.T, name string, a answer, files map[string][]byte) {
	t.Helper()
	if _, err := ParseDate(string(a.AsOf)); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if files == nil {
		t.Errorf("%s: no tree %q", name, a.Tree)
	}
	if a.Ceiling != "" && !slices.Contains(tiers, a.Ceiling) {
		t.Errorf("%s: ceiling %q", name, a.Ceiling)
	}
	for _, rule := range a.Never {
		if !strings.HasPrefix(rule, "pipeline/") {
			t.Errorf("%s: never %q", name, rule)
		}
	}
	for _, p := range a.Silent {
		if files[p] == nil {
			t.Errorf("%s: no file %s to be silent", name, p)
		}
	}
	for _, w := range a.Bad {
		if w.Tier == "proven-path" && len(w.Trace) == 0 {
			t.Errorf("%s: %s: a proven path without a trace", name, w.Rule)
		}
		all := []wanted{w}
		for _, u := range w.Unless {
			all = append(all, w.or(u))
		}
		for _, w := range all {
			if !strings.HasPrefix(w.Rule, "pipeline/") || !slices.Contains(tiers, w.Tier) {
				t.Errorf("%s: rule %q in tier %q", name, w.Rule, w.Tier)
			}
			if n := places(files[w.Path], w.Line); n != 1 {
				t.Errorf("%s: %s has %d lines %q, want 1", name, w.Path, n, w.Line)
			}
		}
	}
}

// settingKeys are the keys of the settings file by forge.
var settingKeys = map[string][]string{
	"github":  {"repository", "visibility", "default-branch", "default-token", "created", "fork-approval", "fork-secrets", "fork-write-token", "runners", "environments", "protected-branches"},
	"gitlab":  {"visibility", "default-branch", "fork-pipelines", "protected-branches", "protected-variables", "variables", "merge-request-protected", "runners", "environments"},
	"azure":   {"repository", "fork-builds", "fork-secrets", "fork-full-access", "comment-required", "implied-trigger", "secret-variables", "variable-groups", "pools", "environments"},
	"jenkins": {"forks", "trust", "single", "agents", "credentials"},
}

func checkSettings(t *testing.T, n *yaml.Node, forges ...string) {
	t.Helper()
	var settings struct {
		Version                        int
		GitHub, GitLab, Azure, Jenkins map[string]any
	}
	if err := n.Decode(&settings); err != nil || settings.Version != 1 {
		t.Fatalf("settings of version %d: %v", settings.Version, err)
	}
	for forge, have := range map[string]map[string]any{"github": settings.GitHub, "gitlab": settings.GitLab, "azure": settings.Azure, "jenkins": settings.Jenkins} {
		if slices.Contains(forges, forge) != (have != nil) {
			t.Errorf("settings for %s: %v", forge, have)
		}
		for key := range have {
			if !slices.Contains(settingKeys[forge], key) {
				t.Errorf("settings for %s: unknown key %q", forge, key)
			}
		}
	}
}

func TestTwinFiles(t *testing.T) {
	for _, w := range readTwins(t) {
		t.Run(w.name, func(t *testing.T) {
			if len(strings.TrimSpace(w.comment)) < 60 {
				t.Error("the comment says too little")
			}
			if _, err := ParseDate(string(w.expect.AsOf)); err != nil {
				t.Error(err)
			}
			checkSettings(t, &w.settings, "github", "gitlab", "azure", "jenkins")
			count := map[string]int{}
			for forge, file := range twinFiles {
				b, a := w.files[file], w.expect.Forges[forge]
				if b == nil || a.Tier != "clean" && !slices.Contains(tiers, a.Tier) {
					t.Errorf("%s: %d bytes, tier %q", forge, len(b), a.Tier)
				}
				if (a.Tier == "clean") != (len(a.Rules) == 0) {
					t.Errorf("%s: tier %s by rules %q", forge, a.Tier, a.Rules)
				}
				if a.Line != "" && places(b, a.Line) != 1 {
					t.Errorf("%s: %d lines %q, want 1", forge, places(b, a.Line), a.Line)
				}
				count[a.Tier]++
			}
			for p, b := range w.files {
				checkReads(t, p, p, b)
			}
			if len(w.expect.Forges) != len(twinFiles) {
				t.Errorf("answers for %d forges", len(w.expect.Forges))
			}
			for forge, a := range w.expect.Forges {
				if (count[a.Tier] < 2 || count[a.Tier] == 2 && len(count) > 2) && (a.Row == "" || a.Because == "") {
					t.Errorf("%s: the tier %s is not that of the others, and nothing says why", forge, a.Tier)
				}
			}
		})
	}
}

// TestWantedMeets: a wanted finding is not met by one that differs in any respect.
func TestWantedMeets(t *testing.T) {
	w := wanted{
		Rule: "pipeline/a", Tier: "proven-path", Path: "p", Line: "run: x", Trace: []string{"one", "two|zwei"},
		Unless: []wanted{{Line: "run: y"}, {Rule: "pipeline/b", Tier: "exploitable"}},
	}
	good := reported{"pipeline/a", "proven-path", "high", "p", "    run: x\n", "one, then two"}
	with := func(change func(*reported)) reported { f := good; change(&f); return f }
	for i, tt := range []struct {
		f    reported
		want bool
	}{
		{good, true},
		{with(func(f *reported) { f.trace = "one, zwei" }), true},
		{with(func(f *reported) { f.trace = "two, one" }), false},
		{with(func(f *reported) { f.tier = "hygiene" }), false},
		{with(func(f *reported) { f.path = "q" }), false},
		{with(func(f *reported) { f.line = "run: z" }), false},
		{with(func(f *reported) { f.line = "run: y" }), true},
		{with(func(f *reported) { f.rule = "pipeline/b" }), false},
		{with(func(f *reported) { f.rule, f.tier = "pipeline/b", "exploitable" }), true},
	} {
		if got := w.meets(tt.f); got != tt.want {
			t.Errorf("%d: meets %v, want %v", i, got, tt.want)
		}
	}
	w.Severity = "critical"
	if w.meets(good) {
		t.Error("another severity meets")
	}
}

// TestScenarioFormatDescribed: testdata/README.md names the keys of expect.yaml.
func TestScenarioFormatDescribed(t *testing.T) {
	b, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"as-of", "branch", "unless", "never", "silent", "ceiling", "variants", "because"} {
		if !bytes.Contains(b, []byte("`"+key+"`")) {
			t.Errorf("testdata/README.md does not describe %s", key)
		}
	}
}
