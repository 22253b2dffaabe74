package pipeline

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestDetectGitLab(t *testing.T) {
	for file, want := range map[string]Kind{
		".gitlab-ci.yml":                 KindGitLab,
		".gitlab-ci.yaml":                KindGitLab,
		"x/.gitlab-ci.yml":               KindGitLab,
		"a.zip!/x/.gitlab-ci.yml":        KindGitLab,
		"abc123:.gitlab-ci.yml":          KindGitLab,
		"ci/Go.gitlab-ci.yml":            KindGitLab,
		".gitlab/ci/rules.gitlab-ci.yml": KindGitLabPart,
		".gitlab/ci/a/b.yml":             KindGitLabPart,
		".gitlab-ci/lint.yml":            KindGitLabPart,
		"templates/scan.yml":             KindGitLabPart,
		"templates/scan/template.yml":    KindGitLabPart,
		"templates/deployment.yaml":      KindNone, // Helm
		"templates/scan/other.yml":       KindNone,
		"gitlab-ci.yml":                  KindNone,
		"x.gitlab-ci.txt":                KindNone,
		"my.gitlab/a.yml":                KindNone,
	} {
		if got := Detect(file); got != want {
			t.Errorf("Detect(%q) = %v, want %v", file, got, want)
		}
	}
}

// Every key of a file that has them all, as it stands in the model.
func TestParseGitLab(t *testing.T) {
	b, err := os.ReadFile("testdata/gitlab/jobs.yml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/gitlab/jobs.dump")
	if err != nil {
		t.Fatal(err)
	}
	p := ParseGitLab("x/.gitlab-ci.yml", b)
	if *update {
		if err := os.WriteFile("testdata/gitlab/jobs.dump", []byte(strings.Join(dump(b, p), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(lines(string(want)), dump(b, p)); d != "" {
		t.Errorf("model (-want +got):\n%s", d)
	}
	var where Data
	for _, f := range p.Env.Fields {
		if f.Name.Value == "WHERE" {
			where = f.Value
		}
	}
	if len(where.Fields) != 2 || where.Fields[1].Name.Value != "options" {
		t.Errorf("the variable WHERE has lost its options: %+v", where.Fields)
	}
	if s := p.Jobs[0].Steps; len(s) != 3 || s[0].Phase != StepHook || s[1].Phase != StepScript || s[2].Phase != StepAfter {
		t.Errorf("steps of the first job: %+v", s)
	}
	if !p.Jobs[1].DownloadsSet || p.Jobs[0].DownloadsSet {
		t.Error("what a job downloads")
	}
	checkGitLab(t, map[string]string{"x/.gitlab-ci.yml": string(b)}, p)
}

// Each line of a script is led back to where it stands, wherever that is.
func TestGitLabScriptPositions(t *testing.T) {
	const in = "job:\n  script:\n    - one\n    - |\n      two\n      three\n    - \"fo\\x75r\"\n  before_script:\n    - zero\n"
	p := ParseGitLab(".gitlab-ci.yml", []byte(in))
	run := p.Jobs[0].Steps[0].Run
	if run.Value != "zero\none\ntwo\nthree\n\nfour" {
		t.Fatalf("script %q", run.Value)
	}
	for part, want := range map[string]string{
		"zero": "zero", "one": "one", "three": "three", "four": `fo\x75r`, "u": `\x75`, "two\nthree": "two\n      three",
		"zero\none": "zero", // the rest stands before it
		"one\ntwo":  "one\n    - |\n      two",
	} {
		at := strings.Index(run.Value, part)
		s := run.At(at, at+len(part))
		if got := in[s.Start:s.End]; got != want {
			t.Errorf("%q stands at %q, want %q", part, got, want)
		}
	}
}

func TestGitLabNotes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"wrong types", "job: x\nimage: [a]\nb:\n  script: {a: b}\n  needs: [[[a]]]\n  rules: x\n  cache: x\n  image: [1]\n", `
2 "[a]" an image is expected here
2 "x" a job is expected here
2 "x" a list of rules is expected here
2 "x" a cache is expected here
2 "[1]" an image is expected here
2 "{a: b}" a command is expected here: one with a colon and a space must stand in quotes`},
		{"duplicates", "a: {script: x}\na: {script: y}\n", `
3 "a" the key is there twice`},
		{"merge keys are fine", ".a: &a {image: x}\nb: {<<: *a, image: y}\n", ""},
		{"a duplicate beside a merge key", ".a: &a {image: x}\nb: {<<: *a, image: y, image: z}\n", `
3 "image" the key is there twice`},
		{"unresolved references are fine", "a:\n  script: !reference [.b, script]\n  rules: [!reference [.b, rules], {if: !reference [.c]}]\n  image: !reference [.b, image]\n  variables: !reference [.v]\n  tags: [!reference [.t, tags]]\n", ""},
		{"open", "a: {script: 'echo $[[ inputs.x'}\n", `
5 "$[[ inputs.x" an expression without an end`},
		{"three documents", "spec: {}\n---\na: {script: x}\n---\nb: c\n", `
1 "b: c" more than one YAML document`},
		{"not YAML", "a: {script: x}\nb: [\n", `
1 "b: [\n" not valid YAML: did not find expected node content`},
		{"an empty file", "", ""},
		{"a list", "- a\n", `
2 "- a" a map of keys is expected here`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ParseGitLab(".gitlab-ci.yml", []byte(c.in))
			got := []string{}
			for _, n := range p.Notes {
				got = append(got, fmt.Sprintf("%d %q %s", n.Kind, c.in[n.Start:n.End], n.Message))
			}
			want := []string{}
			if c.want != "" {
				want = lines(c.want)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			checkGitLab(t, map[string]string{".gitlab-ci.yml": c.in}, p)
		})
	}
}

// GitLab's reader takes merge keys where they stand: what comes later counts.
func TestGitLabMergeKeys(t *testing.T) {
	const in = ".a: &a {image: a, stage: a}\n.b: &b {image: b, tags: [b]}\none: {image: own, <<: *a}\ntwo: {<<: *a, image: own}\nlist: {<<: [*a, *b]}\ntwice: {<<: *a, <<: *b}\n"
	p := ParseGitLab(".gitlab-ci.yml", []byte(in))
	got := map[string]string{}
	for _, j := range p.Jobs {
		got[j.ID.Value] = j.Container.Get().Image.Value + " " + j.Stage.Value + " " + fmt.Sprint(len(j.RunsOn.Labels))
	}
	want := map[string]string{"one": "a a 0", "two": "own a 0", "list": "a a 1", "twice": "b a 1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("jobs (-want +got):\n%s", d)
	}
}

func TestGitLabRefKind(t *testing.T) {
	for ref, want := range map[string]RefKind{
		"": RefNone, "main": RefBranch, "v1.2.3": RefTag, "1": RefTag, "~latest": RefBranch, "$REF": RefExpression, "$[[ inputs.v ]]": RefExpression,
		strings.Repeat("a1", 20): RefCommit,
	} {
		if got := gitlabRefKind(ref); got != want {
			t.Errorf("gitlabRefKind(%q) = %d, want %d", ref, got, want)
		}
	}
	u := gitlabComponent(Text{Value: "gitlab.example.com/a/b/c/name@1.0"})
	if u.Name != "gitlab.example.com" || u.Owner != "a/b" || u.Repo != "c" || u.Path != "name" || u.Ref != "1.0" || u.Kind != UseRemote {
		t.Errorf("component %+v", u)
	}
	for _, bad := range []string{"", "x", "host/name@1", "@"} {
		if u := gitlabComponent(Text{Value: bad}); u.Kind != UseInvalid {
			t.Errorf("component %q: kind %d", bad, u.Kind)
		}
	}
}

// checkGitLab checks that every span lies in one of the files, and every expression in
// its text.
func checkGitLab(t *testing.T, files map[string]string, p *Pipeline) {
	t.Helper()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch x := v.Interface().(type) {
		case penstock.Span:
			file, in := p.Locate(x)
			if text, ok := files[file]; !ok || in.Start < 0 || in.Start > in.End || in.End > int64(len(text)) {
				t.Fatalf("span %v leads to %v of %q", x, in, file)
			}
			return
		case SourceFile:
			return
		case Text:
			if x.Map.Len() != 0 && x.Map.Len() != len(x.Value) {
				t.Fatalf("the map of %q has %d bytes", x.Value, x.Map.Len())
			}
			for _, e := range x.Parts {
				if e.From > e.Inner || e.Inner > e.InnerTo || e.InnerTo > e.To || e.To > len(x.Value) {
					t.Fatalf("expression of %q: %+v", x.Value, e)
				}
			}
			for i := range x.Value {
				walk(reflect.ValueOf(x.At(i, i+1)))
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
