package pipeline

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"penstock/internal/syntax"
)

func use(s string) Use {
	value, comment, ok := strings.Cut(s, " #")
	u := ParseUse(Text{Value: value})
	if ok {
		u.Comment = &syntax.Comment{Text: "#" + comment}
	}
	return u
}

func with(pairs ...string) Data {
	d := Data{Kind: DataMap}
	for i := 0; i < len(pairs); i += 2 {
		t := Text{Value: pairs[i+1]}
		if at := strings.Index(t.Value, "${{"); at >= 0 {
			t.Parts = []Interpolation{{From: at, To: len(t.Value)}}
		}
		d.Fields = append(d.Fields, Field{Name: Text{Value: pairs[i]}, Value: Data{Kind: DataScalar, Text: t}})
	}
	return d
}

// allActions reads the whole table.
func allActions(t testing.TB, text string) (*actionTable, map[string]*actionEntry) {
	t.Helper()
	table, err := readActions(text)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*actionEntry{}
	for name, a := range table.actions {
		e, err := a.entry()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = e
	}
	return table, all
}

// TestActionTable checks that the table means something: each input that an effect
// speaks of is one of the action's, and what an entry refers to is there.
func TestActionTable(t *testing.T) {
	table, all := allActions(t, embedded(actionsFile))
	if len(table.actions) < 700 || len(table.verified) < 250 {
		t.Fatalf("%d actions, %d verified owners", len(table.actions), len(table.verified))
	}
	for _, e := range all {
		if e.same != "" && all[strings.ToLower(e.same)] == nil {
			t.Errorf("%s: same as %s, which is not there", e.name, e.same)
		}
		if e.same != "" && (len(e.rows) > 0 || all[strings.ToLower(e.same)].same != "") {
			t.Errorf("%s: same as another, and more", e.name)
		}
		if len(e.rows)+len(e.advisories)+len(e.runtimes)+len(e.same)+len(e.archived)+len(e.instead) == 0 {
			t.Errorf("%s: nothing is said", e.name)
		}
		inputs := map[string]bool{}
		for _, r := range e.rows {
			for _, i := range r.inputs {
				if inputs[i.Name] && r.versions == "" {
					t.Errorf("%s: input %s twice", e.name, i.Name)
				}
				inputs[i.Name] = true
				if (i.Role == RoleSwitch) && !slices.Contains([]string{"", "true", "false", "auto"}, i.Default) && !strings.HasPrefix(i.Default, "${{") {
					t.Errorf("%s: switch %s has the default %q", e.name, i.Name, i.Default)
				}
				if i.Role == RoleCode && i.Detail == "" {
					t.Errorf("%s: code %s without a language", e.name, i.Name)
				}
			}
		}
		for _, r := range e.rows {
			for _, f := range r.effects {
				for _, c := range f.Conditions {
					if !inputs[c.Input] {
						t.Errorf("%s: condition on %q", e.name, c.Input)
					}
				}
				for _, a := range f.Arguments {
					if slices.Contains([]string{"dir", "file", "name", "path", "run", "role", "version", "ref", "repository", "input", "gate", "token"}, a.Name) {
						for input := range strings.SplitSeq(a.Value, ",") {
							if !inputs[input] {
								t.Errorf("%s: %s=%s names no input", e.name, a.Name, a.Value)
							}
						}
					}
					if a.Name == "admits" && !slices.Contains([]string{"anyone", "write", "actor", "password"}, a.Value) && !inputs[a.Value] {
						t.Errorf("%s: admits %s", e.name, a.Value)
					}
				}
			}
			for _, o := range r.outputs {
				if (o.From == FromInput || o.From == FromScript) != (o.Input != "") || o.Input != "" && !inputs[o.Input] {
					t.Errorf("%s: output %s comes from %s %q", e.name, o.Name, o.From, o.Input)
				}
			}
		}
	}
}

// TestActionTableIsYAML compares our reader with one of YAML.
func TestActionTableIsYAML(t *testing.T) {
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(embedded(actionsFile)), &doc); err != nil {
		t.Fatal(err)
	}
	_, all := allActions(t, embedded(actionsFile))
	archived := 0
	for name, node := range doc {
		if name == "verified" || name == "archived" {
			if name == "archived" {
				archived = len(strings.Fields(node.Value))
			}
			continue
		}
		var fields map[string]string
		if err := node.Decode(&fields); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := &actionEntry{name: name}
		for _, pass := range []bool{false, true} { // rows come in the order of the file; here without versions first
			for key, value := range fields {
				if strings.Contains(key, "@") == pass {
					if err := again.set(key, value); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
		got := *all[strings.ToLower(name)]
		sort := func(e *actionEntry) []actionRow {
			rows := slices.Clone(e.rows)
			slices.SortFunc(rows, func(a, b actionRow) int { return strings.Compare(a.versions, b.versions) })
			return rows
		}
		if diff := cmp.Diff(sort(again), sort(&got), cmp.AllowUnexported(actionRow{})); diff != "" {
			t.Errorf("%s: YAML (-) and our reader (+):\n%s", name, diff)
		}
		if diff := cmp.Diff(again.advisories, got.advisories, cmp.AllowUnexported(actionAdvisory{})); diff != "" {
			t.Errorf("%s: YAML (-) and our reader (+):\n%s", name, diff)
		}
	}
	if n := len(doc) - 2 + archived; n != len(all) {
		t.Errorf("YAML has %d actions, our reader %d", n, len(all))
	}
}

func TestReadActionsErrors(t *testing.T) {
	for _, text := range []string{
		"a/b:\n  in: x=unheard\n",
		"a/b:\n  in: x\n",
		"a/b:\n  do: dance\n",
		"a/b:\n  do: scan if a b\n",
		"a/b:\n  out: x=odd:pull\n",
		"a/b:\n  out: x=text:nobody\n",
		"a/b:\n  bad: GHSA-1 <2 - no severity\n",
		"a/b:\n  bad: GHSA-1 high - no range\n",
		"a/b:\n  bad: GHSA-1 high <2 what - odd word\n",
		"a/b:\n  runtime: four=node20\n",
		"a/b:\n  color: red\n",
		"a/b:\na/B:\n",
		"a/b: text\n",
		"a/b:\n  in\n",
		"a/b:\n  archived: yes\narchived: a/b\n",
	} {
		table, err := readActions(text)
		if err == nil {
			_, err = table.actions["a/b"].entry()
		}
		if err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestLookupAction(t *testing.T) {
	if s := LookupAction(use("Actions/CheckOut@v4")); s == nil || s.Name != "actions/checkout" || s.Input("REF").Role != RoleRef || s.Runtime != "node20" {
		t.Fatalf("actions/checkout: %+v", s)
	}
	for _, unknown := range []string{"./here", "docker://alpine:3", "$/.github/actions/x", "some/thing@v1", "actions@v1", "actions/nothing@v1"} {
		if s := LookupAction(use(unknown)); s != nil {
			t.Errorf("%s is known as %s", unknown, s.Name)
		}
	}
	script := LookupAction(use("actions/github-script@v7"))
	if in := script.Input("script"); in == nil || !in.Role.Runs() || in.Detail != "javascript" {
		t.Errorf("github-script: %+v", in)
	}
	if o := script.Output("result"); o == nil || o.From != FromScript || o.Input != "script" {
		t.Errorf("github-script: %+v", o)
	}
	// An action of a known repository that has no entry of its own has its advisories.
	if s := LookupAction(use("github/codeql-action/resolve-environment@v3.27.0")); s == nil || len(s.Advisories) != 1 || s.Effects != nil {
		t.Errorf("codeql-action: %+v", s)
	}
	if s := LookupAction(use("github/codeql-action/init@v3")); s == nil || len(s.Advisories) != 0 || s.Input("config") == nil {
		t.Errorf("codeql-action/init: %+v", s)
	}
	if s := LookupAction(use("snyk/actions/python@master")); s == nil || s.Input("args") == nil {
		t.Errorf("snyk/actions/python: %+v", s)
	}
	if s := LookupAction(use("nick-invision/retry@v2")); s == nil || s.Name != "nick-invision/retry" || s.Input("command").Role != RoleCode {
		t.Errorf("nick-invision/retry: %+v", s)
	}
	if s := LookupAction(use("actions-rs/toolchain@v1")); s.Archived == "" || s.Instead == "" {
		t.Errorf("actions-rs/toolchain: %+v", s)
	}
	if s := LookupAction(use("z0al/dependent-issues@v1")); s == nil || s.Archived == "" {
		t.Errorf("z0al/dependent-issues: %+v", s)
	}
}

func TestActionOutputs(t *testing.T) {
	for _, c := range []struct {
		use, output string
		shape       Shape
		from        OutputSource
		code        bool
	}{
		{"tj-actions/changed-files@v46", "all_changed_files", ShapePath, FromPull, false},
		{"tj-actions/changed-files@v46", "docs_all_changed_files", ShapePath, FromPull, false},
		{"tj-actions/changed-files@v46", "any_changed", 0, "", false},
		{"dorny/paths-filter@v3", "backend_files", ShapePath, FromPull, false},
		{"dorny/paths-filter@v3", "backend", 0, "", false},
		{"xt0rted/pull-request-comment-branch@v3", "head_ref", ShapeRef, FromPull, true},
		{"xt0rted/pull-request-comment-branch@v3", "head_sha", ShapeSHA, FromPull, true},
		{"peter-evans/find-comment@v3", "comment-body", ShapeText, FromComment, false},
		{"juliangruber/read-file-action@v1", "content", ShapeText, FromWorkspace, false},
		{"google-github-actions/get-secretmanager-secrets@v2", "anything", ShapeText, FromLogin, false},
		{"actions/cache@v4", "cache-hit", ShapeBoolean, FromAction, false},
		{"openai/codex-action@v1", "final-message", ShapeText, FromModel, false},
	} {
		o := LookupAction(use(c.use)).Output(c.output)
		if o == nil {
			o = &ActionOutput{}
		}
		if o.Shape != c.shape || o.From != c.from || o.Code != c.code {
			t.Errorf("%s %s: %+v", c.use, c.output, o)
		}
	}
}

// applies says of each effect of a kind whether it happens.
func applies(s *ActionSummary, kind EffectKind, with Data) Truth {
	answer := False
	for _, e := range s.Effects {
		if e.Kind != kind {
			continue
		}
		switch s.Applies(e, with) {
		case True:
			return True
		case Undecided:
			answer = Undecided
		}
	}
	return answer
}

func TestActionEffects(t *testing.T) {
	for _, c := range []struct {
		use  string
		kind EffectKind
		with Data
		want Truth
	}{
		{"actions/checkout@v4", EffectLogin, Data{}, True},
		{"actions/checkout@v4", EffectLogin, with("persist-credentials", "false"), False},
		{"actions/checkout@v4", EffectLogin, with("persist-credentials", "${{ inputs.keep }}"), Undecided},
		{"actions/cache@v4", EffectSave, with("lookup-only", "true"), False},
		{"actions/cache@v4", EffectSave, Data{}, True},
		{"actions/cache/restore@v4", EffectSave, Data{}, False},
		{"actions/cache/restore@v4", EffectRestore, Data{}, True},
		{"actions/setup-go@v3", EffectRestore, Data{}, False},
		{"actions/setup-go@v3", EffectRestore, with("cache", "true"), True},
		{"actions/setup-go@v5", EffectRestore, Data{}, True},
		{"actions/setup-go@v5", EffectRestore, with("cache", "false"), False},
		{"actions/setup-go@0123456789012345678901234567890123456789 # v3.5.0", EffectRestore, Data{}, False},
		{"actions/setup-go@0123456789012345678901234567890123456789", EffectRestore, Data{}, True},
		{"actions/setup-node@v4", EffectRestore, Data{}, False},
		{"actions/setup-node@v4", EffectRestore, with("cache", "npm"), True},
		{"actions/setup-node@v6", EffectRestore, Data{}, True},
		{"actions/setup-node@v6", EffectRestore, with("package-manager-cache", "false"), False},
		{"actions/setup-node@main", EffectRestore, Data{}, True},
		{"actions/setup-python@v5", EffectSave, with("cache", "${{ matrix.cache }}"), Undecided},
		{"Swatinem/rust-cache@v2", EffectSave, with("save-if", "${{ github.ref == 'refs/heads/main' }}"), Undecided},
		{"Swatinem/rust-cache@v2", EffectSave, with("save-if", "false"), False},
		{"docker/build-push-action@v6", EffectPublish, Data{}, False},
		{"docker/build-push-action@v6", EffectPublish, with("push", "true"), True},
		{"docker/build-push-action@v6", EffectSave, with("cache-to", "type=gha,mode=max"), True},
		{"docker/build-push-action@v6", EffectRun, Data{}, True},
		{"ruby/setup-ruby@v1", EffectRun, Data{}, False},
		{"ruby/setup-ruby@v1", EffectRun, with("bundler-cache", "true"), True},
		{"actions/download-artifact@v3", EffectDownload, Data{}, True},
		{"PyO3/maturin-action@v1", EffectPublish, with("command", "upload"), True},
		{"PyO3/maturin-action@v1", EffectPublish, Data{}, False},
		{"mxschmitt/action-tmate@v3", EffectTunnel, Data{}, True},
		{"pypa/gh-action-pypi-publish@release/v1", EffectLogin, Data{}, True},
		{"pypa/gh-action-pypi-publish@release/v1", EffectLogin, with("password", "${{ secrets.PYPI }}"), False},
		{"aws-actions/configure-aws-credentials@v4", EffectLogin, with("role-to-assume", "arn:aws:iam::1:role/x"), True},
		{"aws-actions/configure-aws-credentials@v4", EffectLogin, with("aws-access-key-id", "${{ secrets.ID }}"), True},
		{"gradle/actions/setup-gradle@v4", EffectSave, Data{}, Undecided},
		{"gradle/actions/setup-gradle@v4", EffectSave, with("cache-read-only", "false"), True},
		{"gradle/actions/setup-gradle@v4", EffectRestore, Data{}, True},
		{"pnpm/action-setup@v4", EffectRun, Data{}, False},
		{"pnpm/action-setup@v4", EffectRun, with("run_install", "true"), True},
	} {
		if got := applies(LookupAction(use(c.use)), c.kind, c.with); got != c.want {
			t.Errorf("%s %s %v: %s, want %s", c.use, c.kind, c.with, got, c.want)
		}
	}
	cross := func(u string, d Data) bool {
		s := LookupAction(use(u))
		return slices.ContainsFunc(s.Effects, func(e Effect) bool { return e.Argument("cross") != "" && s.Applies(e, d) == True })
	}
	token := with("run-id", "${{ github.event.workflow_run.id }}", "github-token", "${{ secrets.GITHUB_TOKEN }}")
	if !cross("actions/download-artifact@v4", token) || cross("actions/download-artifact@v4", Data{}) || cross("actions/download-artifact@v3", token) || !cross("dawidd6/action-download-artifact@v6", Data{}) {
		t.Error("artifacts of other runs")
	}
	tunnel := LookupAction(use("mxschmitt/action-tmate@v3"))
	for _, e := range tunnel.Effects {
		if open := tunnel.Applies(e, with("limit-access-to-actor", "false")) == True; open != (e.Argument("admits") == "anyone") {
			t.Errorf("tmate: %+v", e)
		}
	}
}

func TestVersionOf(t *testing.T) {
	const open = math.MaxInt
	sha := "0123456789012345678901234567890123456789"
	for _, c := range []struct {
		use     string
		parts   [3]int
		known   bool
		comment bool
	}{
		{"a/b@v4", [3]int{4, open, open}, true, false},
		{"a/b@4.1.2", [3]int{4, 1, 2}, true, false},
		{"a/b@v2.0.0-beta.1", [3]int{2, 0, 0}, true, false},
		{"a/b@v1.2.3.4", [3]int{1, 2, 3}, true, false},
		{"a/b@release/v1", [3]int{1, open, open}, true, false},
		{"a/b@main", [3]int{open, open, open}, false, false},
		{"a/b@v99999999999999999999", [3]int{open, open, open}, false, false},
		{"a/b@" + sha, [3]int{open, open, open}, false, false},
		{"a/b@" + sha + " # v4.2.1", [3]int{4, 2, 1}, true, true},
		{"a/b@" + sha + " # ratchet:a/b@v3", [3]int{3, open, open}, true, true},
		{"a/b@" + sha + " # tag=v2.5, see #77", [3]int{2, 5, open}, true, true},
		{"a/b@" + sha + " # 2024-03-01", [3]int{open, open, open}, false, false},
	} {
		if got := VersionOf(use(c.use)); got != (ActionVersion{c.parts, c.known, c.comment}) {
			t.Errorf("%s: %+v", c.use, got)
		}
	}
	for _, c := range []struct {
		version, versions string
		want              bool
	}{
		{"v4", "<4", false}, {"v4", ">=4", true}, {"v3", "<4", true}, {"v4", "<4.1.3", false}, {"v4.1.2", "<4.1.3", true},
		{"v4.1", "<4.1.3", false}, {"v4.0.9", ">=4.0.0,<4.1.3", true}, {"v3.9", ">=4.0.0,<4.1.3", false}, {"v1", "=1", true},
		{"v1.3.2", "=1", true}, {"v2", "=1", false}, {"v45", "<46.0.1", true}, {"v46", "<46.0.1", false}, {"v45.0.7", "<=45.0.7", true},
		{"v45.0.8", "<=45.0.7", false}, {"v4", ">4", false}, {"v5", ">4", true}, {"main", ">=4", true}, {"main", "<9", false}, {"v1", "", true},
	} {
		if got := VersionOf(use("a/b@" + c.version)).In(c.versions); got != c.want {
			t.Errorf("%s in %q: %t", c.version, c.versions, got)
		}
	}
}

func TestActionAdvisories(t *testing.T) {
	ids := func(u string) string {
		var out []string
		for _, a := range LookupAction(use(u)).Advisories {
			out = append(out, a.ID)
		}
		return strings.Join(out, " ")
	}
	for u, want := range map[string]string{
		"tj-actions/changed-files@v46":                                                "",
		"tj-actions/changed-files@v45":                                                "GHSA-mrrh-fwg8-r2c3",
		"tj-actions/changed-files@v40.1.0":                                            "GHSA-mcph-m25j-8j63 GHSA-mrrh-fwg8-r2c3",
		"tj-actions/changed-files@0e58ed8671d6b60d0890c21b07f8835ace038e67":           "GHSA-mrrh-fwg8-r2c3",
		"tj-actions/changed-files@1111111111111111111111111111111111111111":           "",
		"tj-actions/changed-files@1111111111111111111111111111111111111111 # v39.0.0": "GHSA-mcph-m25j-8j63",
		"dawidd6/action-download-artifact@v5":                                         "GHSA-5xr6-xhww-33m4",
		"dawidd6/action-download-artifact@v6":                                         "",
		"actions/download-artifact@v4.1.2":                                            "GHSA-cxww-7g56-2vh6",
		"actions/download-artifact@v4":                                                "",
		"actions/download-artifact@v3":                                                "",
		"github/codeql-action/init@v2":                                                "GHSA-vqf5-2xx6-9wfm",
		"github/codeql-action/analyze@v3.26.10":                                       "",
		"aquasecurity/trivy-action@0.28.0":                                            "GHSA-69fq-xp46-6x23",
		"anthropics/claude-code-action@v1.0.50":                                       "CVE-2026-47751",
		"anthropics/claude-code-action@v1":                                            "",
	} {
		if got := ids(u); got != want {
			t.Errorf("%s: %q, want %q", u, got, want)
		}
	}
}

func TestNearAction(t *testing.T) {
	for name, want := range map[string]string{
		"action/checkout": "actions/checkout", "actons/checkout": "actions/checkout", "actionss/setup-node": "actions/setup-node",
		"acitons/cache": "actions/cache", "act1ons/checkout": "actions/checkout", "tj_actions/changed-files": "tj-actions/changed-files",
		"tjactions/changed-files": "tj-actions/changed-files", "dockar/build-push-action": "docker/build-push-action",
		"pnprn/action-setup": "pnpm/action-setup", "github-action/setup": "", "Actions/checkout": "", "actions/chekout": "", "myfork/checkout": "",
		"actions/cache": "", "aws-action/configure-aws-credentials": "aws-actions/configure-aws-credentials",
		"softprop/action-gh-release": "softprops/action-gh-release", "azure-/login": "Azure/login",
	} {
		got := NearAction(use(name + "@v1"))
		if !strings.EqualFold(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// What real workflows use is not taken for something else. The file has the names of
	// all that a thousand workflows of well-kept projects use.
	names, err := os.ReadFile("testdata/actions_used.txt")
	if err != nil {
		t.Fatal(err)
	}
	n, known := 0, 0
	for name := range strings.FieldsSeq(string(names)) {
		n++
		u := use(name + "@v1")
		if near := NearAction(u); near != "" {
			t.Errorf("%s is taken for %s", name, near)
		}
		if LookupAction(u) != nil {
			known++
		}
	}
	if n < 400 || known*100 < n*55 {
		t.Errorf("%d of %d names known", known, n)
	}
}

func TestVerifiedCreator(t *testing.T) {
	if !VerifiedCreator("Docker") || !VerifiedCreator("aws-actions") || VerifiedCreator("tj-actions") || VerifiedCreator("") {
		t.Error("verified creators")
	}
}

func FuzzLookupAction(f *testing.F) {
	for _, s := range []string{"actions/checkout@v4", "a/b/c@release/v1", "x/../../y@v1.2.3.4", "tj_actions/changed-files@" + strings.Repeat("a", 40), "github/codeql-action//@v-1", "a/b@v1 # v2"} {
		f.Add(s, "name", "value")
	}
	f.Fuzz(func(t *testing.T, s, name, value string) {
		u := use(s)
		NearAction(u)
		summary := LookupAction(u)
		if summary == nil {
			return
		}
		summary.Input(name)
		summary.Output(name)
		for _, e := range summary.Effects {
			summary.Applies(e, with(name, value))
		}
	})
}

func BenchmarkReadActions(b *testing.B) {
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readActions(embedded(actionsFile)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			allActions(b, embedded(actionsFile))
		}
	})
}

func BenchmarkLookupAction(b *testing.B) {
	u := use("actions/setup-node@v4")
	b.ReportAllocs()
	for b.Loop() {
		LookupAction(u)
	}
}
