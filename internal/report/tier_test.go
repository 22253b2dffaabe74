package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// tierStream is a run over pipelines: one path, one flaw that leads nowhere proven,
// and hygiene that would drown both.
func tierStream() []penstock.Record {
	path := &penstock.Finding{
		Rule: "pipeline/template-injection", Title: "Untrusted text is pasted into a script", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh,
		Message: "The title of the pull request becomes part of the script.", Location: at(".github/workflows/a.yml", 12, 20, 40),
		Snippet: snip(11, "      - run: |", "          echo «${{ github.event.pull_request.title }}»"),
		Trace: []penstock.Label{
			{Location: at(".github/workflows/a.yml", 2, 3, 20), Message: "anyone opens a pull request [github-ref-pull-request-target-default]"},
			{Location: at(".github/workflows/a.yml", 12, 20, 40), Message: "its title is pasted into the script\x1b[31m"},
			{Location: at(".github/workflows/a.yml", 15, 1, 9), Message: "the step gets NPM_TOKEN"},
		},
		Evidence: penstock.Evidence{
			Tier: penstock.TierProvenPath, Scope: "job build",
			Pipeline: &penstock.PipelineEvidence{
				Actor: "anyone with an account", Events: []string{"pull_request_target"}, Reaches: []string{"the secret NPM_TOKEN"},
				Semantics: []string{"github-ref-pull-request-target-default"}, Cut: []string{"pass the title by env at a.yml:12"},
			},
		},
		Blocks: true, Reason: "critical is at or above high (block)",
	}
	records := []penstock.Record{
		&penstock.Rule{ID: "pipeline/unpinned-uses", Title: "An action can change under you", Severity: penstock.Medium},
		path,
		&penstock.Finding{
			Rule: "pipeline/spoofable-actor", Title: "The check of the actor can be passed", Severity: penstock.Medium, Location: at(".github/workflows/b.yml", 4, 5, 30),
			Evidence: penstock.Evidence{Tier: penstock.TierExploitable, Pipeline: &penstock.PipelineEvidence{}},
		},
	}
	for i := range 5 {
		records = append(records, &penstock.Finding{
			Rule: "pipeline/unpinned-uses", Severity: penstock.High, Location: at(fmt.Sprintf(".github/workflows/%c.yml", 'a'+i), 7, 9, 30),
			Evidence: penstock.Evidence{Tier: penstock.TierHygiene}, Reason: "the policy lets it pass (hygiene: never)",
		})
	}
	return append(records,
		&penstock.Verdict{Blocking: 1, Open: 7},
		&penstock.End{Totals: penstock.Totals{Files: 5, Scanned: 5, Bytes: 900, ByEngine: map[string]int{"pipeline": 5}}},
	)
}

func TestTiers(t *testing.T) {
	for _, format := range []string{"text", "sarif", "markdown", "html", "gitlab", "codequality"} {
		golden(t, "tiers."+format, render(t, format, Options{}, tierStream()))
	}
	if out := string(render(t, "text", Options{All: true}, tierStream())); strings.Count(out, "[pipeline/unpinned-uses]") != 5 {
		t.Errorf("--all leaves out hygiene:\n%s", out)
	}
}

// sameWay is a flaw of a job that a fork's code gets into, at a line.
func sameWay(job string, line int) *penstock.Finding {
	at := func(n int) penstock.Location { return at(".github/workflows/e2e.yml", n, 9, 20) }
	return &penstock.Finding{
		Rule: "pipeline/untrusted-code-execution", Title: "A stranger's code runs", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh,
		Message: "npm ci runs code that a stranger wrote", Location: at(line),
		Trace: []penstock.Label{
			{Location: at(3), Message: "a stranger opens a pull request"},
			{Location: at(line - 4), Message: "the job " + job + " runs [github-secrets]"},
			{Location: at(line), Message: "npm ci runs install scripts"},
			{Location: at(line + 1), Message: "this wins the secret KEY"},
		},
		Evidence: penstock.Evidence{
			Tier: penstock.TierProvenPath, Scope: "job " + job + ", step Install",
			Pipeline: &penstock.PipelineEvidence{
				Actor: "anyone", Events: []string{"workflow_run"}, Reaches: []string{"the secret KEY"}, Semantics: []string{"github-secrets"},
				Cut: []string{fmt.Sprintf(".github/workflows/e2e.yml:%d: do not check it out", line-2)},
			},
		},
		Blocks: true, Reason: "critical is at or above high (block)",
	}
}

// One flaw in several places is one to people, and each place is one to machines.
func TestBundles(t *testing.T) {
	other := sameWay("pages", 90)
	other.Evidence.Pipeline.Reaches = []string{"write access to pages"}
	apart := map[string]func(f *penstock.Finding){
		"rule":     func(f *penstock.Finding) { f.Rule = "pipeline/x" },
		"file":     func(f *penstock.Finding) { f.Location.Path = "b.yml" },
		"entry":    func(f *penstock.Finding) { f.Trace[0].Message = "a member comments" },
		"people":   func(f *penstock.Finding) { f.Evidence.Pipeline.Actor = "a member" },
		"event":    func(f *penstock.Finding) { f.Evidence.Pipeline.Events = []string{"push"} },
		"doubt":    func(f *penstock.Finding) { f.Evidence.Pipeline.Why = []string{"a gate"} },
		"note":     func(f *penstock.Finding) { f.Notes = []string{"n"} },
		"tier":     func(f *penstock.Finding) { f.Evidence.Tier = penstock.TierExploitable },
		"severity": func(f *penstock.Finding) { f.Severity = penstock.High },
		"gate":     func(f *penstock.Finding) { f.Blocks = false },
		"status":   func(f *penstock.Finding) { f.Status = penstock.StatusUnchanged },
		"hygiene":  func(f *penstock.Finding) { f.Evidence.Tier = penstock.TierHygiene },
		"accepted": func(f *penstock.Finding) { f.Suppressed = &penstock.Suppression{Kind: "inline"} },
		"history":  func(f *penstock.Finding) { f.Commit = &penstock.Commit{ID: "1234567"} },
		"no job":   func(f *penstock.Finding) { f.Trace, f.Evidence.Scope = nil, "job b" },
	}
	same := []*penstock.Finding{sameWay("linux", 20), sameWay("mac", 40), other}
	if got := bundles(same); len(got) != 1 || len(got[0].also) != 2 {
		t.Errorf("the same flaw makes %d bundles", len(got))
	}
	first, second := sameWay("linux", 20), sameWay("mac", 40)
	first.Evidence.Pipeline.Why = []string{"the answer of a check is not known: a label (f:3)"}
	second.Evidence.Pipeline.Why = []string{"the answer of a check is not known: a label (f:9)"}
	second.Evidence.Pipeline.Reaches = append(second.Evidence.Pipeline.Reaches, "the secret B")
	got := bundles([]*penstock.Finding{first, second})
	if want := "job mac; also wins the secret B; the answer of a check is not known: a label (f:9)"; len(got) != 1 || got[0].differs(second) != want {
		t.Errorf("the same check at another place makes %d bundles; it differs by %q", len(got), got[0].differs(second))
	}
	for name, change := range apart {
		f := sameWay("mac", 40)
		change(f)
		if got := bundles([]*penstock.Finding{sameWay("linux", 20), f}); len(got) != 2 {
			t.Errorf("a finding that differs by %s is joined", name)
		}
	}

	records := []penstock.Record{same[0], same[1], same[2], &penstock.Verdict{Blocking: 3, Open: 3}, &penstock.End{}}
	text := string(render(t, "text", Options{}, records))
	for _, want := range []string{
		"error[pipeline/untrusted-code-execution]: A stranger's code runs (in 3 places, proven path)\n",
		"= also: the same way in leads to 2 more places; each way with --all:\n",
		"- .github/workflows/e2e.yml:40:9: job mac\n",
		"- .github/workflows/e2e.yml:90:9: job pages; wins write access to pages\n",
		"= cut: .github/workflows/e2e.yml:18, 38, 88: do not check it out\n",
		"BLOCKED: 3 findings block\n",
		"danger      3: 3 proven path (3 critical)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "error["); n != 1 {
		t.Errorf("the text has %d heads", n)
	}
	if n := strings.Count(string(render(t, "text", Options{All: true}, records)), "error["); n != 3 {
		t.Errorf("with --all the text has %d heads", n)
	}
	md := string(render(t, "markdown", Options{}, records))
	if n := strings.Count(md, "<summary>"); n != 1 {
		t.Errorf("the Markdown has %d heads", n)
	}
	for _, want := range []string{
		"</code> and in 2 more places</summary>", "leads to `.github/workflows/e2e.yml:90:9` job pages; wins write access to pages\n",
		"    1. `.github/workflows/e2e.yml:36:9` the job mac runs (rule of the forge: `github-secrets`)\n",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the Markdown does not say %q:\n%s", want, md)
		}
	}
	doc := parseHTML(t, render(t, "html", Options{}, records))
	checkHTML(t, doc)
	ids := 0
	for _, n := range nodes(doc, "details") {
		if regexp.MustCompile(`^f\d+$`).MatchString(attr(n, "id")) {
			ids++
		}
	}
	if articles := nodes(doc, "article"); len(articles) != 1 || attr(articles[0], "data-size") != "3" || ids != 2 {
		t.Errorf("the page has %d articles with %d more findings", len(articles), ids)
	}
	for _, format := range []string{"jsonl", "json", "sarif", "gitlab", "codequality"} {
		if n := bytes.Count(render(t, format, Options{}, records), []byte("npm ci runs code that a stranger wrote")); n < 3 {
			t.Errorf("%s has %d findings of 3", format, n)
		}
	}
}

// The steps that a page shows are those of the finding, with file, line and rule.
func TestHTMLWay(t *testing.T) {
	doc := parseHTML(t, render(t, "html", Options{}, tierStream()))
	var got []string
	for _, li := range nodes(doc, "li") {
		if attr(li.Parent, "class") == "way" {
			got = append(got, strings.Join(strings.Fields(textOf(li)), " "))
		}
	}
	want := []string{
		".github/workflows/a.yml:2:3 anyone opens a pull request forge rule github-ref-pull-request-target-default",
		`.github/workflows/a.yml:12:20 its title is pasted into the script\x1b[31m`,
		".github/workflows/a.yml:15:1 the step gets NPM_TOKEN",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	open, groups := 0, 0
	for _, n := range nodes(doc, "details") {
		if attr(n, "class") == "hy s-high" {
			groups++
			for _, a := range n.Attr {
				if a.Key == "open" {
					open++
				}
			}
		}
	}
	if groups != 1 || open != 0 {
		t.Errorf("%d rules of hygiene, %d of them open", groups, open)
	}
}

func TestForgeRule(t *testing.T) {
	f := &penstock.Finding{Evidence: penstock.Evidence{Pipeline: &penstock.PipelineEvidence{Semantics: []string{"a-b"}}}}
	for in, want := range map[string][2]string{
		"x [a-b]": {"x", "a-b"}, "x [a-c]": {"x [a-c]", ""}, "x[a-b]": {"x[a-b]", ""}, "]": {"]", ""}, " []": {" []", ""}, "x [1] [a-b]": {"x [1]", "a-b"}, "": {"", ""},
	} {
		if text, rule := forgeRule(f, in); text != want[0] || rule != want[1] {
			t.Errorf("forgeRule(%q) = %q, %q", in, text, rule)
		}
	}
}

// Dangers beyond those in full have a line each; what neither blocks nor has a tier is
// counted.
func TestTextRest(t *testing.T) {
	var records []penstock.Record
	for i := range 60 {
		records = append(records, &penstock.Finding{Rule: "pipeline/a", Title: "T", Severity: penstock.Medium, Location: at("f", i+1, 1, 1), Evidence: penstock.Evidence{Tier: penstock.TierExploitable}})
	}
	records = append(records, &penstock.Finding{Rule: "secrets/b", Title: "S", Severity: penstock.Low, Location: at("g", 1, 1, 1)}, &penstock.Verdict{Pass: true, Open: 61}, &penstock.End{})
	out := string(render(t, "text", Options{}, records))
	for want, n := range map[string]int{
		"warning[pipeline/a]: T (exploitable)\n":                                 actFirst,
		"  warning[pipeline/a] T: f:":                                            textLines,
		"more danger: 40 findings, in short. In full with --all.\n":              1,
		"... and 11 more findings: 10 medium, 1 low. See them all with --all.\n": 1,
		"danger      61: 60 exploitable (60 medium), 1 secrets (1 low)\n":        1,
	} {
		if got := strings.Count(out, want); got != n {
			t.Errorf("%q stands %d times, want %d:\n%s", want, got, n, out)
		}
	}
}

// A run without danger says so.
func TestHygieneOnly(t *testing.T) {
	f := &penstock.Finding{Rule: "pipeline/a", Severity: penstock.High, Location: at("f", 1, 1, 1), Evidence: penstock.Evidence{Tier: penstock.TierHygiene}}
	out := string(render(t, "text", Options{}, []penstock.Record{f, &penstock.Verdict{Pass: true, Open: 1}, &penstock.End{}}))
	if !strings.Contains(out, "PASS: no danger found; 1 finding of hygiene\n") || !strings.Contains(out, "  danger      none\n  hygiene     1: 1 high\n") {
		t.Errorf("the text says\n%s", out)
	}
	blocks := *f
	blocks.Blocks = true
	out = string(render(t, "text", Options{}, []penstock.Record{f, &blocks, &penstock.Verdict{Blocking: 1, Open: 2}, &penstock.End{}}))
	if !strings.Contains(out, "BLOCKED: 1 finding blocks, beside 1 of hygiene\n") || strings.Count(out, "[pipeline/a]") != 1 {
		t.Errorf("where the policy blocks on it, the text says\n%s", out)
	}
}

// The note that is the same in every run is told to machines, in the page, and to whoever
// asks for all.
func TestMinorNote(t *testing.T) {
	records := []penstock.Record{&penstock.Note{Code: "offline-rules", Message: "some rules did not run"}, &penstock.Note{Code: "x", Message: "other"}, &penstock.End{}}
	for _, format := range []string{"text", "markdown"} {
		for opts, want := range map[Options]bool{{}: false, {All: true}: true, {Verbose: true}: true} {
			out := string(render(t, format, opts, records))
			if strings.Contains(out, "did not run") != want || !strings.Contains(out, "other") {
				t.Errorf("%s with %+v:\n%s", format, opts, out)
			}
		}
	}
	for _, format := range []string{"jsonl", "json", "sarif", "html"} {
		if out := render(t, format, Options{}, records); !bytes.Contains(out, []byte("some rules did not run")) {
			t.Errorf("%s leaves the note out", format)
		}
	}
}

// The table of hygiene keeps its bound, whatever rules and paths hold, and what it
// leaves out is counted.
func TestMarkdownHygieneBound(t *testing.T) {
	const rules, each = 300, 3
	var records []penstock.Record
	for i := range rules {
		id := fmt.Sprintf("pipeline/%s%d", strings.Repeat("|", 30), i)
		records = append(records, &penstock.Rule{ID: id, Title: strings.Repeat("@", 500), Remedy: strings.Repeat("a|b\n", 300)})
		for n := range each {
			records = append(records, &penstock.Finding{Rule: id, Severity: penstock.Low, Location: at(strings.Repeat("|", 900), n+1, 1, 1), Evidence: penstock.Evidence{Tier: penstock.TierHygiene}})
		}
	}
	records = append(records, &penstock.Verdict{Pass: true, Open: rules * each}, &penstock.End{})
	for _, limit := range []int{0, 1, 65_536} {
		b := render(t, "markdown", Options{MaxBytes: limit}, records)
		bound := mdLimit
		if limit > 0 {
			bound = max(limit, mdLeast)
		}
		if len(b) > bound {
			t.Errorf("limit %d: %d bytes", limit, len(b))
		}
		if bytes.Count(b, []byte("<details>")) != 1 || bytes.Count(b, []byte("</details>")) != 1 {
			t.Errorf("limit %d: a fold is cut", limit)
		}
		told := 0
		for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|[^|\n]*\|[^|\n]*\|[^|\n]*\|$`).FindAllSubmatch(b, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			told += n
		}
		left := rules*each - told
		if told == 0 || left > 0 && !bytes.Contains(b, []byte(number(left)+" findings are not shown")) {
			t.Errorf("limit %d: %d findings in the table, and the rest is not counted", limit, told)
		}
	}
}

// hostileTiers are findings with tiers all of whose texts are s: two that are one flaw,
// one by itself, and hygiene.
func hostileTiers(s string, l penstock.Location) []penstock.Record {
	flaw := func(tier penstock.Tier, line int) *penstock.Finding {
		l := l
		l.Line = line
		step := penstock.Label{Location: l, Message: s + " [" + s + "]"}
		return &penstock.Finding{
			Rule: s, Severity: penstock.High, Message: s, Location: l, Trace: []penstock.Label{{Location: penstock.Location{Path: s}, Message: s}, step},
			Snippet: &penstock.Snippet{FirstLine: 1, Lines: []penstock.SnippetLine{{Text: s}}},
			Evidence: penstock.Evidence{Tier: tier, Scope: s + strconv.Itoa(line) + ", " + s, Pipeline: &penstock.PipelineEvidence{
				Actor: s, Events: []string{s}, Reaches: []string{s}, Semantics: []string{s}, Why: []string{s}, Cut: []string{s, s + ": " + s + strconv.Itoa(line)},
			}},
		}
	}
	return []penstock.Record{flaw(penstock.TierProvenPath, 1), flaw(penstock.TierProvenPath, 2), flaw(penstock.TierExploitable, 1), flaw(penstock.TierHygiene, 1)}
}

// What machines read of the reasons is what the engine said.
func TestWhyInFormats(t *testing.T) {
	f := sameWay("a", 20)
	f.Evidence.Tier, f.Evidence.Pipeline.Why = penstock.TierExploitable, []string{"the answer of a check is not known: x (f:3)"}
	records := []penstock.Record{f, &penstock.End{}}
	for _, format := range []string{"text", "markdown", "html", "gitlab"} {
		out := strings.Join(strings.Fields(string(render(t, format, Options{}, records))), " ")
		if !strings.Contains(out, "no proven path") || !strings.Contains(out, "the answer of a check is not known") {
			t.Errorf("%s does not say why:\n%s", format, out)
		}
	}
	var got struct {
		Evidence penstock.Evidence `json:"evidence"`
	}
	line, _, _ := bytes.Cut(render(t, "jsonl", Options{}, records), []byte("\n"))
	if err := json.Unmarshal(line, &got); err != nil || !slices.Equal(got.Evidence.Pipeline.Why, f.Evidence.Pipeline.Why) {
		t.Errorf("jsonl: %s, %v", line, err)
	}
}

// What is worst in a file stands first, wherever it lies in the file.
func TestByFile(t *testing.T) {
	high, critical, other := sameWay("linux", 20), sameWay("mac", 40), sameWay("linux", 10)
	high.Severity, high.Rule = penstock.High, "pipeline/x"
	other.Location.Path = "b.yml"
	var got []*penstock.Finding
	for _, b := range byFile(bundles(ranked([]*penstock.Finding{high, other, critical}))) {
		got = append(got, b.Finding)
	}
	if want := []*penstock.Finding{other, critical, high}; !slices.Equal(got, want) {
		t.Errorf("the order is %d, %d, %d", got[0].Severity, got[1].Severity, got[2].Severity)
	}
}
