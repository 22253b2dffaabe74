package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/gate"
	"penstock/internal/scan"
	"penstock/internal/syntax"
)

func TestOptions(t *testing.T) {
	keys, flags, envs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, o := range options() {
		if o.doc == "" {
			t.Errorf("%s has no description", o.name())
		}
		if o.key == "" && o.flag == "" {
			t.Errorf("option %v can be set by nothing", o.index)
		}
		for _, c := range []struct {
			seen map[string]bool
			name string
		}{{keys, o.key}, {flags, o.flag}, {envs, o.env}} {
			if c.name != "" && c.seen[c.name] {
				t.Errorf("%s is there twice", c.name)
			}
			c.seen[c.name] = true
		}
		if o.flag != "" && o.env == "" {
			t.Errorf("--%s has no variable", o.flag)
		}
	}
	// A file in the tree must not say where output goes or keep the run quiet.
	for _, o := range options() {
		if (o.flag == "output" || o.flag == "quiet") && o.key != "" {
			t.Errorf("a configuration can set --%s", o.flag)
		}
	}
	for _, want := range []string{"engines", "rules", "skip-rule", "exclude", "fail-on", "jobs", "decode-depth", "no-cache", "offline", "exit-zero", "format", "output", "all", "color", "quiet", "verbose", "baseline", "sandbox", "no-ignores"} {
		if !flags[want] {
			t.Errorf("there is no --%s", want)
		}
	}
}

// What init writes says the defaults.
func TestTemplateIsTheDefault(t *testing.T) {
	data, err := templates.ReadFile("templates/penstock.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := defaults()
	if _, err := syntax.DecodeYAML("penstock.yaml", data, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(defaults(), got); d != "" {
		t.Errorf("the template changes the defaults (-want +got):\n%s", d)
	}
	// What is commented out must be right as well.
	_, body, _ := strings.Cut(string(data), "version: 1")
	text := "version: 1" + regexp.MustCompile(`(?m)^( *)#`).ReplaceAllString(body, "$1")
	var all Config
	if keys, err := syntax.DecodeYAML("penstock.yaml", []byte(text), &all); err != nil || len(keys) < 12 {
		t.Errorf("with comments taken off: %d keys, %v\n%s", len(keys), err, text)
	}
}

func TestSchemaHasEveryKey(t *testing.T) {
	b, err := json.Marshal(configSchema())
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	for _, o := range options() {
		if o.key == "" {
			continue
		}
		at := schema
		for part := range strings.SplitSeq(o.key, ".") {
			next, ok := at["properties"].(map[string]any)[part].(map[string]any)
			if !ok {
				t.Fatalf("the schema lacks %s", o.key)
			}
			at = next
		}
		if at["type"] == nil && at["enum"] == nil && at["anyOf"] == nil && at["const"] == nil {
			t.Errorf("%s has no type in the schema: %v", o.key, at)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "17": 17, "1KiB": 1024, "2 MiB": 2 << 20, "1mb": 1e6, "3G": 3 << 30, "5B": 5,
		"": -1, "-1": -1, "x": -1, "1TiB": -1, "9999999999999GiB": -1, "1.5MiB": -1,
	} {
		var s Size
		err := s.UnmarshalText([]byte(in))
		if want < 0 && err == nil || want >= 0 && (err != nil || int64(s) != want) {
			t.Errorf("%q: %d, %v; want %d", in, s, err, want)
		}
	}
	for in, want := range map[Size]string{0: "0", 1024: "1KiB", 3 << 20: "3MiB", 1500: "1500"} {
		if got, _ := in.MarshalText(); string(got) != want {
			t.Errorf("%d: %s, want %s", in, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 2},
		{&penstock.Error{Message: "x"}, 2},
		{&penstock.Error{Code: penstock.ExitUsage}, 64},
		{fmt.Errorf("wrapped: %w", &penstock.Error{Code: penstock.ExitNothing}), 3},
		{context.Canceled, 130},
		{fmt.Errorf("scan: %w", context.Canceled), 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestVerdictCode(t *testing.T) {
	for _, c := range []struct {
		name              string
		v                 penstock.Verdict
		nothing, exitZero bool
		want              int
	}{
		{name: "pass", v: penstock.Verdict{Pass: true}, want: 0},
		{name: "blocks", v: penstock.Verdict{Blocking: 1}, want: 1},
		{name: "blocks and is incomplete", v: penstock.Verdict{Blocking: 1, Incomplete: true}, want: 1},
		{name: "incomplete", v: penstock.Verdict{Incomplete: true}, want: 2},
		{name: "incomplete, only warned of", v: penstock.Verdict{Pass: true, Incomplete: true}, want: 0},
		{name: "nothing", nothing: true, want: 3},
		{name: "a verdict without reason is no pass", want: 1},
		{name: "exit zero", v: penstock.Verdict{Blocking: 1}, exitZero: true, want: 0},
	} {
		if got := verdictCode(c.v, c.nothing, c.exitZero); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[31mb\nc\u202e\xff")
	f.Add("plain text, größer")
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q gives invalid text", s)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q shows %U", s, r)
			}
		}
	})
}

func TestPrintError(t *testing.T) {
	var b bytes.Buffer
	printError(&b, errors.Join(
		&penstock.Error{Message: "one\x1b[2J", Hint: "do\nthis"},
		fmt.Errorf("two: %w", &penstock.Error{Err: errors.New("three")}),
	))
	want := "error: one\\x1b[2J\nhint: do\\nthis\nerror: two: three\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestDetectCI(t *testing.T) {
	dir, events := t.TempDir(), 0
	event := func(text string) string {
		events++
		p := filepath.Join(dir, fmt.Sprint(events)+".json")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	github := func(name, path string) map[string]string {
		return map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": path}
	}
	pr := func(head, base string) string {
		return event(`{"pull_request":{"head":{"repo":` + head + `},"base":{"repo":` + base + `}}}`)
	}
	for _, c := range []struct {
		name    string
		env     map[string]string
		request bool
		fork    bool
	}{
		{name: "none"},
		{name: "push", env: github("push", "")},
		{name: "own branch", env: github("pull_request", pr(`{"full_name":"o/r"}`, `{"full_name":"o/r"}`)), request: true},
		{name: "fork", env: github("pull_request", pr(`{"full_name":"x/r"}`, `{"full_name":"o/r"}`)), request: true, fork: true},
		{name: "target of a fork", env: github("pull_request_target", pr(`{"full_name":"x/r"}`, `{"full_name":"o/r"}`)), request: true, fork: true},
		{name: "deleted fork", env: github("pull_request", pr(`null`, `{"full_name":"o/r"}`)), request: true, fork: true},
		{name: "no event file", env: github("pull_request", filepath.Join(dir, "missing")), request: true, fork: true},
		{name: "damaged event file", env: github("pull_request", event(`{"pull_request":`)), request: true, fork: true},
		{name: "empty event", env: github("pull_request", event(`{}`)), request: true, fork: true},
		{name: "workflow_run of a fork", env: github("workflow_run", event(`{"workflow_run":{"head_repository":{"full_name":"x/r"}},"repository":{"full_name":"o/r"}}`)), request: true, fork: true},
		{name: "workflow_run of our own", env: github("workflow_run", event(`{"workflow_run":{"head_repository":{"full_name":"o/r"}},"repository":{"full_name":"o/r"}} `)), request: true},
		{name: "comment on a pull request", env: github("issue_comment", event(`{"issue":{"pull_request":{}}}`)), request: true, fork: true},
		{name: "comment on an issue", env: github("issue_comment", event(`{"issue":{}} `)), request: true},
		{name: "gitlab", env: map[string]string{"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_PROJECT_ID": "5"}, request: true},
		{name: "gitlab fork in the parent", env: map[string]string{"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_PROJECT_ID": "5"}, request: true, fork: true},
		{name: "gitlab fork in itself", env: map[string]string{"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_PROJECT_ID": "5"}, request: true, fork: true},
		{name: "azure", env: map[string]string{"TF_BUILD": "True", "SYSTEM_PULLREQUEST_PULLREQUESTID": "1", "SYSTEM_PULLREQUEST_ISFORK": "True"}, request: true, fork: true},
		{name: "circle", env: map[string]string{"CIRCLECI": "true", "CIRCLE_PULL_REQUEST": "u", "CIRCLE_PR_REPONAME": "r"}, request: true, fork: true},
		{name: "travis", env: map[string]string{"TRAVIS": "true", "TRAVIS_PULL_REQUEST": "1", "TRAVIS_PULL_REQUEST_SLUG": "x/r", "TRAVIS_REPO_SLUG": "o/r"}, request: true, fork: true},
		{name: "travis push", env: map[string]string{"TRAVIS": "true", "TRAVIS_PULL_REQUEST": "false", "TRAVIS_REPO_SLUG": "o/r"}},
		{name: "buildkite", env: map[string]string{"BUILDKITE": "true", "BUILDKITE_PULL_REQUEST": "1", "BUILDKITE_PULL_REQUEST_REPO": "a", "BUILDKITE_REPO": "b"}, request: true, fork: true},
		{name: "jenkins", env: map[string]string{"JENKINS_URL": "u", "CHANGE_ID": "1", "CHANGE_FORK": "x"}, request: true, fork: true},
		{name: "some CI", env: map[string]string{"CI": "true"}},
	} {
		got := detectCI(func(name string) string { return c.env[name] })
		if got.PullRequest != c.request || got.Fork != c.fork || (got.trust() == untrusted) != c.fork {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func testApp(environ ...string) *app { return &app{environ: environ, err: new(bytes.Buffer)} }

func TestOpenCache(t *testing.T) {
	base := t.TempDir()
	a := testApp("XDG_CACHE_HOME=" + base)
	first := a.openCache(false, trusted)
	if first.note != nil || first.dir != filepath.Join(base, "penstock/v1/trusted") || len(first.key) != keySize || first.readOnly {
		t.Fatalf("%+v", first)
	}
	if again := a.openCache(false, trusted); !bytes.Equal(again.key, first.key) {
		t.Error("the key changed")
	}
	if st, err := os.Stat(filepath.Join(first.dir, "key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", st.Mode(), err)
	}
	other := a.openCache(false, untrusted)
	if other.dir == first.dir || bytes.Equal(other.key, first.key) || !other.readOnly {
		t.Errorf("an untrusted run shares: %+v", other)
	}
	if off := a.openCache(true, trusted); off.dir != "" || bytes.Equal(off.key, first.key) || off.note != nil {
		t.Errorf("--no-cache: %+v", off)
	}
	if none := testApp("XDG_CACHE_HOME=relative", "HOME=").openCache(false, trusted); none.dir != "" || len(none.key) != keySize {
		t.Errorf("without a place: %+v", none)
	}
	if err := os.Chmod(first.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if open := a.openCache(false, trusted); open.dir != "" || open.note == nil || bytes.Equal(open.key, first.key) {
		t.Errorf("a folder open to others is used: %+v", open)
	}
	if err := errors.Join(os.Chmod(first.dir, 0o700), os.WriteFile(filepath.Join(first.dir, "key"), []byte("short"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if short := a.openCache(false, trusted); short.dir != "" || short.note == nil {
		t.Errorf("a damaged key is used: %+v", short)
	}
}

func TestWeakens(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		totals     penstock.Totals
		want       []string
	}{
		{name: "ordinary", yaml: "version: 1\nscan: {exclude: [x], skip-rules: [secrets/a]}\ngate: {block: medium}\n"},
		{name: "never", yaml: "version: 1\ngate: {block: never}\n", want: []string{"penstock.yaml:2"}},
		{name: "engine", yaml: "version: 1\ngate:\n  engines:\n    secrets: never\n", want: []string{"penstock.yaml:4"}},
		{name: "path", yaml: "version: 1\ngate:\n  paths:\n    - {match: 'test/**', block: never}\n    - {match: '**', block: never}\n", want: []string{"penstock.yaml:5"}},
		{name: "exit zero", yaml: "version: 1\ngate: {exit-zero: true}\n", want: []string{"penstock.yaml:2"}},
		{name: "rules", yaml: "version: 1\nscan: {skip-rules: ['secrets/*']}\n", want: []string{"penstock.yaml:2"}},
		{name: "excluded", yaml: "version: 1\nscan: {exclude: ['*']}\n", totals: penstock.Totals{Files: 3, Excluded: 3, ByReason: map[penstock.Reason]int{penstock.ReasonExclude: 3}}, want: []string{"penstock.yaml:2"}},
		{name: "size", yaml: "version: 1\nscan: {limits: {file-size: 1}}\n", want: []string{"penstock.yaml:2"}},
	} {
		s := newSettings()
		s.path = "penstock.yaml"
		keys, err := syntax.DecodeYAML(s.path, []byte(c.yaml), &s.Config)
		if err != nil {
			t.Fatal(err)
		}
		s.keys = keys
		for k := range keys {
			s.fromFile[k] = true
		}
		var got []string
		for _, n := range s.weakens(&checked{result: resultWith(c.totals)}) {
			got = append(got, n.Place)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		s.named = true
		if n := s.weakens(&checked{result: resultWith(c.totals)}); n != nil {
			t.Errorf("%s: said of a file that the user named", c.name)
		}
	}
}

func TestFailOnTakesThePlaceOfEngines(t *testing.T) {
	s := newSettings()
	s.Gate.Engines = map[string]gate.Threshold{"secrets": gate.Never}
	for _, o := range options() {
		if o.flag == "fail-on" {
			s.over(&o, "--fail-on")
		}
	}
	if s.Gate.Engines != nil {
		t.Error("a threshold for an engine outweighs --fail-on")
	}
}

func TestWrap(t *testing.T) {
	if got := wrap("aaa bbb ccc\n\nddd\x1b", "  ", 9); got != "  aaa bbb\n  ccc\n  ddd\\x1b" {
		t.Errorf("got %q", got)
	}
}

func resultWith(t penstock.Totals) *scan.Result { return &scan.Result{Totals: t} }
