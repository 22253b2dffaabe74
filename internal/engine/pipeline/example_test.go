package pipeline

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// exampleProject makes the project of an example's files.
func exampleProject(t testing.TB, files []ExampleFile, settings Settings) *Project {
	t.Helper()
	texts := make(map[string][]byte, len(files))
	var pipelines []*Pipeline
	for _, f := range files {
		texts[f.Path] = []byte(f.Text)
		if kind := Detect(f.Path); kind != KindNone {
			pipelines = append(pipelines, parse(f.Path, kind, []byte(f.Text)))
		}
	}
	return newProject("", pipelines, settings, textTree(texts))
}

// textTree is a tree of texts by their paths.
type textTree map[string][]byte

var _ penstock.Tree = textTree(nil)

func (t textTree) Read(path string) ([]byte, error) {
	if b, ok := t[path]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

func (t textTree) List(dir string) []string {
	if dir = strings.Trim(dir, "/"); dir != "" {
		dir += "/"
	}
	seen := make(map[string]bool)
	var names []string
	for path := range t {
		name, ok := strings.CutPrefix(path, dir)
		if i := strings.IndexByte(name, '/'); i >= 0 {
			name = name[:i+1]
		}
		if ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// found runs the audits and returns what they report.
func found(x *Project) []Flaw {
	var all []Flaw
	x.Audit(func(f Flaw) {
		all = append(all, f)
		for _, h := range f.Related {
			if h.Text == alsoHere {
				also := f
				also.Place = h.Place
				all = append(all, also)
			}
		}
	})
	return all
}

// Every bad example has the flaw on the lines that say so and on no other, and no good
// one has it, or anything above hygiene.
func TestExamples(t *testing.T) {
	for _, r := range Rules() {
		id := strings.TrimPrefix(r.ID, "pipeline/")
		if only := os.Getenv("RULE"); only != "" && only != id {
			continue
		}
		for n, e := range r.Examples {
			name := fmt.Sprintf("%s/%d", id, n)
			t.Run(name, func(t *testing.T) {
				settings := exampleSettings(t, &e)
				bad := ExampleFiles(e.Bad)
				want := map[string]string{}
				for _, f := range bad {
					for _, w := range f.Wants {
						want[fmt.Sprintf("%s:%d", f.Path, w.Line)] = w.Tier
					}
				}
				x := exampleProject(t, bad, settings)
				var others []string
				for _, f := range found(x) {
					at := fmt.Sprintf("%s:%d", f.Path, lineOf(bad, f.Place))
					if f.Rule != id {
						others = append(others, fmt.Sprintf("%s %s %s", at, f.Rule, f.tier()))
						continue
					}
					tier, ok := want[at]
					if !ok {
						if tier, seen := want["seen "+at]; !seen {
							t.Errorf("bad: found at %s, where nothing is wanted: %s", at, f.Message)
						} else {
							want["seen "+at] = tier
						}
						continue
					}
					if tier != "" && tier != string(f.tier()) {
						t.Errorf("bad: %s has tier %s, want %s", at, f.tier(), tier)
					}
					delete(want, at)
					want["seen "+at] = tier
				}
				for at := range want {
					if !strings.HasPrefix(at, "seen ") {
						t.Errorf("bad: not found at %s; found are %q", at, others)
					}
				}
				good := ExampleFiles(e.Good)
				for _, f := range found(exampleProject(t, good, settings)) {
					if f.Rule == id || f.tier() != penstock.TierHygiene {
						t.Errorf("good: %s:%d %s %s: %s", f.Path, lineOf(good, f.Place), f.Rule, f.tier(), f.Message)
					}
				}
			})
		}
	}
}

func exampleSettings(t testing.TB, e *Example) Settings {
	t.Helper()
	setup := penstock.PipelineSetup{AsOf: e.Config["as-of"], Forge: e.Config["forge"]}
	if f := e.SettingsFile(); f != nil {
		setup.Settings = &penstock.RuleFile{Path: "settings.yaml", Data: f}
	}
	setup.Allowed, setup.Forbidden = strings.Fields(e.Config["allowed"]), strings.Fields(e.Config["forbidden"])
	var s Settings
	if err := s.from(setup); err != nil {
		t.Fatal(err)
	}
	return s
}

func lineOf(files []ExampleFile, at Place) int {
	i := slices.IndexFunc(files, func(f ExampleFile) bool { return f.Path == at.Path })
	if i < 0 {
		return 0
	}
	return 1 + bytes.Count([]byte(files[i].Text)[:at.Start], []byte("\n"))
}

// readFunc is a tree that can be read and not listed.
type readFunc func(path string) ([]byte, error)

var _ penstock.Tree = readFunc(nil)

func (f readFunc) Read(path string) ([]byte, error) { return f(path) }
func (f readFunc) List(string) []string             { return nil }
