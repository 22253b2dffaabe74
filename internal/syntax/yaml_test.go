package syntax

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

type yamlSample struct {
	Version int    `yaml:"version"`
	Name    string `yaml:"name"`
	Scan    struct {
		Engines []string `yaml:"engines"`
		Depth   int      `yaml:"decode-depth"`
		Offline bool     `yaml:"offline"`
	} `yaml:"scan"`
	Levels map[string]penstock.Severity `yaml:"levels"`
	Paths  []struct {
		Match string `yaml:"match"`
	} `yaml:"paths"`
	Hidden string
}

func TestDecodeYAML(t *testing.T) {
	var got yamlSample
	got.Name = "kept"
	keys, err := DecodeYAML("f.yaml", []byte("version: 1\nscan:\n  engines: [a, b]\n  decode-depth: 3\n  offline: true\nname:\nlevels: {secrets: high}\npaths:\n  - match: x/**\n"), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := yamlSample{Version: 1, Name: "kept", Levels: map[string]penstock.Severity{"secrets": penstock.High}}
	want.Scan.Engines = []string{"a", "b"}
	want.Scan.Depth, want.Scan.Offline = 3, true
	want.Paths = []struct {
		Match string `yaml:"match"`
	}{{"x/**"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
	if keys["scan.decode-depth"] != 4 || keys["levels.secrets"] != 7 || keys["paths[0].match"] != 9 {
		t.Errorf("keys have wrong lines: %v", keys)
	}
}

func TestDecodeYAMLErrors(t *testing.T) {
	for _, c := range []struct{ name, in, message, hint string }{
		{"unknown key", "version: 1\nscna: {}\n", `f.yaml:2: unknown key "scna"`, `did you mean "scan"?`},
		{"unknown nested key", "scan:\n  engine: [x]\n", `f.yaml:2: unknown key "engine" in scan`, `did you mean "engines"?`},
		{"nothing near", "zzzzzzzzzz: 1\n", `f.yaml:1: unknown key "zzzzzzzzzz"`, "the keys here are: levels, name, paths, scan, version"},
		{"field without tag", "Hidden: x\n", `f.yaml:1: unknown key "Hidden"`, ""},
		{"twice", "name: a\nname: b\n", `f.yaml:2: the key "name" is there twice`, ""},
		{"twice in a map", "levels:\n  a: low\n  a: high\n", `f.yaml:3: the key "a" is there twice`, ""},
		{"wrong kind", "version: [1]\n", "f.yaml:1: version must be a whole number", ""},
		{"map for scalar", "name: {a: b}\n", "f.yaml:1: name must be one value, not a map", ""},
		{"scalar for list", "scan: {engines: secrets}\n", "f.yaml:1: scan.engines must be a list", "write [secrets]"},
		{"bool", "scan: {offline: 7}\n", "f.yaml:1: scan.offline must be true or false", ""},
		{"text", "levels: {a: hihg}\n", `f.yaml:1: levels.a: unknown severity "hihg"`, ""},
		{"alias", "name: &x a\n", "f.yaml:1: anchors and aliases are not supported here", ""},
		{"two documents", "version: 1\n---\nversion: 2\n", "f.yaml:1: more than one YAML document", ""},
		{"no map", "- a\n", "f.yaml:1: the file must be a map of keys", ""},
		{"syntax", "version: 1\nscan: [\n", "f.yaml:", "check indentation"},
		{"key that is a map", "? {a: b}\n: c\n", "f.yaml:1: unknown key", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeYAML("f.yaml", []byte(c.in), new(yamlSample))
			var e *penstock.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *penstock.Error", err)
			}
			if !strings.HasPrefix(e.Message, c.message) || !strings.HasPrefix(e.Hint, c.hint) {
				t.Errorf("got %q, hint %q", e.Message, e.Hint)
			}
		})
	}
}

func TestDecodeYAMLReportsAll(t *testing.T) {
	_, err := DecodeYAML("f.yaml", []byte("a: 1\nb: 2\n"), new(yamlSample))
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("got %v, want two errors", err)
	}
	many := strings.Repeat("- x\n", 1000)
	_, err = DecodeYAML("f.yaml", []byte("paths:\n"+many), new(yamlSample))
	if n := len(err.(interface{ Unwrap() []error }).Unwrap()); n != maxProblems {
		t.Errorf("%d errors, want the first %d", n, maxProblems)
	}
}

// A file named by mistake may hold secrets; a message must not.
func TestDecodeYAMLHidesSecrets(t *testing.T) {
	secret := strings.Repeat("k7Qz", 9)
	for _, in := range []string{
		secret + ": 1\n", "scan: {" + secret + ": 1}\n", "scan: {engines: " + secret + "}\n", "levels: {a: " + secret + "}\n",
		"version: " + secret + "\n", "name: *" + secret + "\n", "levels: {" + secret + ": a, " + secret + ": b}\n",
		"levels: {" + secret + ": zz}\n", "\"" + secret + "\n", "a: b: " + secret + "\n", "!" + secret + " x\n", "name: !<" + secret + "> x\n", "%" + secret + "\n---\n",
	} {
		_, err := DecodeYAML("f.yaml", []byte(in), new(yamlSample))
		if err == nil {
			continue
		}
		text := err.Error()
		var e *penstock.Error
		if errors.As(err, &e) {
			text += e.Hint
		}
		if strings.Contains(text, secret[:8]) {
			t.Errorf("%q: the message shows it: %s", in, text)
		}
	}
}

func TestDecodeYAMLEmpty(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", "---\n"} {
		if _, err := DecodeYAML("f.yaml", []byte(in), new(yamlSample)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzDecodeYAML(f *testing.F) {
	f.Add([]byte("version: 1\nscan: {engines: [a]}\n"))
	f.Add([]byte("levels: {a: low}\npaths: [{match: x}]\n"))
	f.Add([]byte("? {a: b}\n: *c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		_, err := DecodeYAML("f.yaml", data, new(yamlSample))
		if err != nil && !strings.Contains(err.Error(), "f.yaml:") {
			t.Errorf("error without a place: %v", err)
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"engines", "exclude", "skip-rules", "decode-depth", "block"}
	for in, want := range map[string]string{
		"engine": "engines", "engiens": "engines", "excludes": "exclude", "skip_rules": "skip-rules",
		"SKIP-RULE": "skip-rules", "decodedepth": "decode-depth", "blok": "block",
		"": "", "q": "", "password": "", strings.Repeat("x", 101): "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
