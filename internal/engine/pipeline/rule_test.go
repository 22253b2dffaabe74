package pipeline

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"penstock"
	"penstock/rules"
)

var (
	ruleID = regexp.MustCompile(`^pipeline/[a-z0-9]+(-[a-z0-9]+)*$`)
	peerID = regexp.MustCompile(`^[a-z0-9-]+(/[A-Za-z0-9_-]+)+$`)
	tag    = regexp.MustCompile(`^(OWASP-CICD-SEC-([1-9]|10)|OWASP-LLM(0[1-9]|10)|SLSA-(build|source)-L[1-3]|CIS-SSC-\d+\.\d+\.\d+)$`)
)

func TestRules(t *testing.T) {
	all := Rules()
	if len(all) < 80 {
		t.Fatalf("%d rules", len(all))
	}
	seen := map[string]bool{}
	for _, r := range all {
		t.Run(r.ID, func(t *testing.T) {
			if seen[r.ID] {
				t.Error("two rules of this id")
			}
			seen[r.ID] = true
			if !ruleID.MatchString(r.ID) {
				t.Error("id is not pipeline/kebab-name")
			}
			if r.Title == "" || strings.HasSuffix(r.Title, ".") || len(r.Title) > 90 {
				t.Errorf("title %q", r.Title)
			}
			if !slices.Contains(Tiers(), r.Tier) {
				t.Errorf("tier %q", r.Tier)
			}
			if r.Severity == penstock.SeverityUnset || r.Confidence == penstock.ConfidenceUnset {
				t.Error("severity or confidence unset")
			}
			if len(r.Forges) == 0 {
				t.Error("no forge")
			}
			for _, f := range r.Forges {
				if !slices.Contains([]Forge{"github", "gitlab", "azure", "jenkins"}, f) {
					t.Errorf("forge %q", f)
				}
			}
			if len(r.Why) < 60 || len(r.Remedy) < 10 || !strings.HasSuffix(r.Why, ".") || !strings.HasSuffix(r.Remedy, ".") {
				t.Errorf("why %q, remedy %q", r.Why, r.Remedy)
			}
			if len(r.CWE) == 0 || len(r.Tags) == 0 || len(r.References) == 0 {
				t.Error("no CWE, tag or reference")
			}
			for _, s := range r.Tags {
				if !tag.MatchString(s) {
					t.Errorf("tag %q", s)
				}
			}
			for _, s := range r.References {
				if !strings.HasPrefix(s, "https://") || strings.ContainsAny(s, " <>") {
					t.Errorf("reference %q", s)
				}
			}
			if hasTwice(r.Peers) {
				t.Error("a peer twice")
			}
			for _, p := range r.Peers {
				if !peerID.MatchString(p) {
					t.Errorf("peer %q", p)
				}
			}
			testExamples(t, r)
		})
	}
}

func hasTwice(s []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(s)))) != len(s)
}

func testExamples(t *testing.T, r RuleInfo) {
	bad, good := 0, 0
	forges := map[Forge]bool{}
	for i, e := range r.Examples {
		name := fmt.Sprintf("example %d %s", i, e.Name)
		if len(r.Examples) > 1 && e.Name == "" {
			t.Errorf("%s has no name", name)
		}
		if e.Bad == "" && e.Good == "" {
			t.Errorf("%s is empty", name)
		}
		wants := 0
		for _, f := range ExampleFiles(e.Bad) {
			bad++
			forge := testExampleFile(t, name+", bad "+f.Path, r, f)
			for _, w := range f.Wants {
				wants++
				forges[forge] = true
				if w.Tier != "" && slices.Index(Tiers(), w.Tier) < slices.Index(Tiers(), r.Tier) {
					t.Errorf("%s line %d: tier %s is above the rule's %s", name, w.Line, w.Tier, r.Tier)
				}
			}
		}
		if e.Bad != "" && wants == 0 {
			t.Errorf("%s: nothing marked with # want", name)
		}
		for _, f := range ExampleFiles(e.Good) {
			good++
			testExampleFile(t, name+", good "+f.Path, r, f)
			if len(f.Wants) > 0 {
				t.Errorf("%s: good with a mark", name)
			}
		}
	}
	if bad == 0 || good == 0 {
		t.Errorf("%d bad and %d good files", bad, good)
	}
	for f := range forges {
		if !slices.Contains(r.Forges, f) {
			t.Errorf("bad example for %s, which the rule does not name", f)
		}
	}
	if strings.Contains(r.Bad+r.Good, " want") || r.Bad == "" || r.Good == "" {
		t.Error("Bad or Good with a mark, or empty")
	}
}

// testExampleFile parses a file where its front end is there, and as YAML otherwise.
func testExampleFile(t *testing.T, name string, r RuleInfo, f ExampleFile) Forge {
	t.Helper()
	if strings.Contains(f.Text, "# want") || strings.Contains(f.Text, "// want") {
		t.Errorf("%s: mark that is not understood", name)
	}
	if n := strings.Count(f.Text, "\n"); n > 45 {
		t.Errorf("%s has %d lines", name, n)
	}
	switch {
	case Detect(f.Path) != KindNone:
		p := parse(f.Path, Detect(f.Path), []byte(f.Text))
		for _, n := range p.Notes {
			// What is wrong with a definition is the point of some rules.
			if n.Kind == NoteSyntax || r.ID != "pipeline/duplicate-key" && r.ID != "pipeline/invalid-definition" {
				t.Errorf("%s: %s at %d", name, n.Message, n.Start)
			}
		}
		if len(p.Jobs) == 0 && p.Action == nil && p.Dependabot == nil && p.Lock == nil && p.Hooks == nil {
			t.Errorf("%s: nothing in it", name)
		}
		return p.Forge
	}
	d := yaml.NewDecoder(strings.NewReader(f.Text))
	for {
		var n yaml.Node
		if err := d.Decode(&n); err != nil {
			if err.Error() != "EOF" {
				t.Errorf("%s: %v", name, err)
			}
			break
		}
	}
	return GitHub
}

// TestPlainIsYAML compares the reader of rule files with one of YAML.
func TestPlainIsYAML(t *testing.T) {
	names, err := fs.Glob(rules.Pipeline, "pipeline/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == actionsFile {
			continue // has a format of its own
		}
		text := embedded(name)
		own, err := readPlain(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(fromYAML(n.Content[0]), dedented(own), cmp.AllowUnexported(plainNode{})); diff != "" {
			t.Errorf("%s: as YAML (-), as it was read (+):\n%s", name, diff)
		}
	}
}

// dedented is n with its literals as YAML has them, and named so.
func dedented(n plainNode) plainNode {
	if strings.HasPrefix(n.text, "  ") {
		n.text = "literal " + dedent(n.text)
	}
	items := n.items
	n.items = nil
	for _, i := range items {
		n.items = append(n.items, dedented(i))
	}
	return n
}

func fromYAML(n *yaml.Node) plainNode {
	var p plainNode
	switch n.Kind {
	case yaml.ScalarNode:
		p.text = n.Value
		if n.Style&yaml.LiteralStyle != 0 {
			p.text = "literal " + n.Value
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			p.keys = append(p.keys, n.Content[i].Value)
			p.items = append(p.items, fromYAML(n.Content[i+1]))
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			p.items = append(p.items, fromYAML(c))
		}
	}
	return p
}

// TestPlainRefuses shows that what the reader would read otherwise than YAML does is
// an error.
func TestPlainRefuses(t *testing.T) {
	for _, text := range []string{
		"a: b\n   c: d\n", "a:\n  - b\n  c: d\n", "a: \"b\\n\"\n", "a: 'it''s'\n", "a: b # c\n", "a: b: c\n", "a: &x b\n",
		"a: >-\n  b\n\n  c\n", "a: 1\na: 2\n", "a:\nb: c\n", "a: |\n    b\n  c\n", "- a\nb: c\n", "a: - b\n", "a\n",
	} {
		if n, err := readPlain(text); err == nil {
			t.Errorf("%q is read as %v", text, n)
		}
	}
	for _, text := range []string{
		"rules:\n  - id: a\n    nmae: b\n", "rules:\n  - id: a\n    severity: bad\n    confidence: high\n",
		"rules:\n  - id: a\n    severity: low\n    confidence: high\n    online: yes\n",
		"rules:\n  - id: a\n    severity: low\n    confidence: high\n    cwe: [x]\n", "rule:\n  - id: a\n",
	} {
		if r, err := readRules(text); err == nil {
			t.Errorf("%q is read as %v", text, r)
		}
	}
}

func TestExampleFiles(t *testing.T) {
	got := ExampleFiles("-- a.yml --\nx: 1 # v2 # want\ny: 2\n-- Jenkinsfile --\nsh 'a' // want: hygiene\n# want: other\n")
	want := []ExampleFile{
		{"a.yml", "x: 1 # v2\ny: 2\n", []Want{{1, ""}}},
		{"Jenkinsfile", "sh 'a'\n# want: other\n", []Want{{1, TierHygiene}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := ExampleFiles("on: push\n"); len(got) != 1 || got[0].Path != ".github/workflows/example.yml" {
		t.Error(got)
	}
}

func BenchmarkRules(b *testing.B) {
	names, err := fs.Glob(rules.Pipeline, "pipeline/*.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if name == actionsFile {
				continue
			}
			if _, err := readRules(embedded(name)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
