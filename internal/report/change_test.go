package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

var (
	oldCommit = strings.Repeat("0123456789abcdef", 3)[:40]
	newCommit = strings.Repeat("fedcba9876543210", 3)[:40]
)

// rangeStream is a run that compared two commits: new findings, some of which
// block, old ones of which one is worse than they are, and fixed ones.
func rangeStream() []penstock.Record {
	findings := []*penstock.Finding{
		{
			Rule: "secrets/generic-password", Severity: penstock.Critical, Title: "Password in source", Location: at("a/old.py", 4, 2, 8),
			Snippet: snip(4, "p = «[redacted]»"), Status: penstock.StatusUnchanged, Fingerprint: "f0",
		},
		{
			Rule: "secrets/generic-password", Severity: penstock.Low, Title: "Password in source", Location: at("a/old.py", 9, 2, 8),
			Status: penstock.StatusNew, Fingerprint: "f1",
		},
		{
			Rule: "secrets/github-token", Severity: penstock.High, Confidence: penstock.ConfidenceHigh, Title: "GitHub token", Location: at("b/new.py", 2, 9, 40),
			Snippet:  snip(1, "import os", "token = \"«[redacted]»\""),
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "GitHub token", Hint: "ghp_…", Length: 40}},
			Status:   penstock.StatusNew, Fingerprint: "f2", Blocks: true, Reason: "high is at or above high",
		},
		{
			Rule: "secrets/github-token", Severity: penstock.High, Title: "GitHub token", Location: at("c/accepted.py", 2, 9, 40),
			Status: penstock.StatusUnchanged, Suppressed: &penstock.Suppression{Kind: "baseline"},
		},
	}
	for i := range 5 {
		findings = append(findings, &penstock.Finding{
			Rule: "secrets/generic-password", Severity: penstock.Critical, Title: "Password in source", Location: at(fmt.Sprintf("gone/%d.py", i), 7, 2, 8),
			Status: penstock.StatusFixed, Fingerprint: fmt.Sprint("g", i),
		})
	}
	// Fixed counts before suppressed.
	findings[len(findings)-1].Suppressed = &penstock.Suppression{Kind: "inline"}
	records := []penstock.Record{&penstock.Header{
		Schema: penstock.Schema, Tool: "penstock", Version: "1.2.3", Roots: []string{"."}, Engines: []string{"secrets"},
		Base: oldCommit, Head: newCommit,
	}}
	for _, f := range findings {
		records = append(records, f)
	}
	return append(records,
		&penstock.Verdict{Policy: "default", Blocking: 1, Open: 3, Suppressed: 1, Reasons: []string{"1 new finding of severity high or worse"}},
		&penstock.End{Totals: penstock.Totals{Files: 12, Scanned: 12, Bytes: 3456, ByEngine: map[string]int{"secrets": 12}}, Findings: map[string]int{"critical": 1, "high": 1, "low": 1}},
	)
}

// historyStream is a run over every commit.
func historyStream() []penstock.Record {
	in := func(commit, path string, line, col, width int) penstock.Location {
		return at(commit+":"+path, line, col, width)
	}
	key := in(newCommit, "it's/deploy key.pem", 1, 1, 30)
	key.EndLine = 27
	block := in(newCommit, "conf/app.yml", 3, 1, 30)
	block.EndLine = 30
	findings := []*penstock.Finding{
		{
			Rule: "secrets/github-token", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh, Title: "GitHub token",
			Location: in(oldCommit, "app/deploy.py", 3, 9, 40), Snippet: snip(2, "import os", "token = \"«[redacted]»\""),
			Places:   []penstock.Location{in(newCommit, "app/deploy.py", 5, 9, 40), in(newCommit, "-rf\n$(id).py", 1, 1, 40), at("app/now.py", 5, 9, 40)},
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "GitHub token", Hint: "ghp_…", Length: 40, Checksum: true}},
			Fix:      &penstock.Fix{Description: "read it from the environment", Steps: []string{"revoke the token at https://github.com/settings/tokens", "take the job's own token"}},
			Commit: &penstock.Commit{
				ID: oldCommit, Author: "Ada Example", Mail: "ada@example.com", Time: "2024-05-01T23:30:00+02:00", Summary: "deploy: try it out", Present: true,
			},
			Fingerprint: "0f1e2d3c", Blocks: true, Reason: "critical is at or above high",
		},
		{
			Rule: "secrets/private-key", Severity: penstock.High, Title: "Private key", Location: key, Places: []penstock.Location{block},
			Evidence:    penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "Private key", Length: 1700}},
			Commit:      &penstock.Commit{ID: newCommit, Author: "\x1b[31mEve\u202e\n::error::x", Mail: "<b>", Time: "yesterday", Summary: "<img src=x> @all ##[group]x `$(id)` [a](javascript:b)"},
			Fingerprint: "abc1",
		},
		{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Title: "Password in source", Location: in(oldCommit, "k8s/secret.yml", 8, 9, 24),
			Evidence:    penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "password", Length: 17, Decoded: []string{"base64"}}},
			Commit:      &penstock.Commit{ID: oldCommit},
			Fingerprint: "abc2", Status: penstock.StatusNew,
		},
		{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Title: "Password in source", Location: in(oldCommit, "old/backup.zip!/conf.ini", 2, 9, 12),
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "password", Length: 12}},
			Commit:   &penstock.Commit{ID: oldCommit, Author: "Ada Example", Time: "2024-05-01T23:30:00+02:00"}, Fingerprint: "abc3",
		},
		{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Title: "Password in source", Location: in(oldCommit, "old/demo.ini", 2, 9, 12),
			Evidence:   penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "password", Length: 12}},
			Commit:     &penstock.Commit{ID: oldCommit},
			Suppressed: &penstock.Suppression{Kind: "exception", Owner: "ops", Reason: "revoked"},
		},
	}
	records := []penstock.Record{
		&penstock.Header{
			Schema: penstock.Schema, Tool: "penstock", Version: "1.2.3", Roots: []string{"."}, Engines: []string{"secrets"},
			Head: newCommit, History: true,
		},
		&penstock.Rule{ID: "secrets/generic-password", Title: "Password in source", Severity: penstock.Medium, Remedy: "Change it where it is used."},
	}
	for _, f := range findings {
		records = append(records, f)
	}
	return append(records,
		&penstock.Verdict{Policy: "default", Blocking: 1, Open: 4, Suppressed: 1, Reasons: []string{"1 finding of severity high or worse"}},
		&penstock.End{Totals: penstock.Totals{Files: 900, Scanned: 900, Bytes: 1_000_000, ByEngine: map[string]int{"secrets": 900}}, Findings: map[string]int{"critical": 1, "high": 1, "medium": 2}},
	)
}

// files names the golden file of each format.
var files = map[string]string{
	"text": "txt", "jsonl": "jsonl", "json": "json", "sarif": "sarif", "gitlab": "gitlab.json", "codequality": "codequality.json", "html": "html", "markdown": "md",
}

func TestChangeGolden(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"range": rangeStream(), "history": historyStream()} {
		for _, format := range Formats() {
			b := render(t, format, Options{}, records)
			if format == "html" {
				b = plainPage(b)
			}
			golden(t, name+"."+files[format], b)
		}
		golden(t, name+"-all.txt", render(t, "text", Options{All: true, Color: true, Links: true, Dir: "/d"}, records))
	}
}

// TestChangeRoundTrip wants every format to be the same from a saved stream.
func TestChangeRoundTrip(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"range": rangeStream(), "history": historyStream()} {
		saved := render(t, "jsonl", Options{}, records)
		var got keep
		if err := Replay(bytes.NewReader(saved), &got); err != nil {
			t.Fatal(err)
		}
		end := got.records[len(got.records)-1].(*penstock.End)
		end.Records, end.Digest = 0, ""
		if diff := cmp.Diff(records, got.records); diff != "" {
			t.Errorf("%s (-written +read)\n%s", name, diff)
		}
		for _, format := range Formats() {
			if diff := cmp.Diff(string(render(t, format, Options{}, records)), string(render(t, format, Options{}, got.records))); format != "jsonl" && diff != "" {
				t.Errorf("%s, %s (-direct +replayed)\n%s", name, format, diff)
			}
		}
	}
}

// TestChangeOrder wants what blocks first, then what is new, then what is not,
// though it be worse.
func TestChangeOrder(t *testing.T) {
	records := rangeStream()
	for format, pattern := range map[string]string{
		"text":     `--> (\S+?):\d`,
		"markdown": `<code>(\S+?):\d`,
		"html":     `<span class="place">(\S+?:\d+)`,
	} {
		var got []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(render(t, format, Options{All: true}, records)), -1) {
			got = append(got, m[1])
		}
		want := []string{"b/new.py", "a/old.py", "a/old.py"}
		if format == "html" {
			want = []string{"b/new.py:2", "a/old.py:9", "a/old.py:4", "gone/0.py:7", "gone/1.py:7", "gone/2.py:7", "gone/3.py:7", "gone/4.py:7", "c/accepted.py:2"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", format, diff)
		}
	}
}

// TestFixedIsNotOpen takes the open findings away: no report may count, list or
// block on a fixed one.
func TestFixedIsNotOpen(t *testing.T) {
	records := slices.DeleteFunc(rangeStream(), func(r penstock.Record) bool {
		f, ok := r.(*penstock.Finding)
		return ok && f.Status != penstock.StatusFixed
	})
	for i, r := range records {
		if _, ok := r.(*penstock.Verdict); ok {
			records[i] = &penstock.Verdict{Pass: true}
		}
	}
	for format, key := range map[string]string{"gitlab": "vulnerabilities", "codequality": "", "sarif": "results"} {
		b := render(t, format, Options{}, records)
		var doc any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		n := 0
		switch format {
		case "sarif":
			n = len(list(run0(t, b), key))
		case "gitlab":
			n = len(list(doc, key))
		default:
			n = len(doc.([]any))
		}
		if n != 0 {
			t.Errorf("%s lists %d fixed findings", format, n)
		}
	}
	out := string(render(t, "text", Options{}, records))
	for _, want := range []string{"PASS: nothing found\n", "  findings    none\n", "fixed: 5\n", "  ... and 2 more\n", "compared    with 0123456789ab, at fedcba987654: 0 new, 0 unchanged, 5 fixed\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "error[") || strings.Contains(out, "-->") {
		t.Errorf("a fixed finding is shown as open:\n%s", out)
	}
	if md := string(render(t, "markdown", Options{}, records)); strings.Contains(md, "To act on") || !strings.Contains(md, "### Fixed: 5\n") {
		t.Errorf("markdown:\n%s", md)
	}
}

// TestStatusMark marks new findings only beside others.
func TestStatusMark(t *testing.T) {
	finding := func(s penstock.Status, off bool) *penstock.Finding {
		f := &penstock.Finding{Rule: "a/b", Title: "T", Severity: penstock.Low, Location: at("p", 1, 1, 1), Status: s}
		if off {
			f.Suppressed = &penstock.Suppression{Kind: "baseline"}
		}
		return f
	}
	for _, tt := range []struct {
		name    string
		records []penstock.Record
		want    string
		not     string
	}{
		{"all new", []penstock.Record{finding(penstock.StatusNew, false), finding(penstock.StatusUnchanged, true)}, "note[a/b]: T\n", "(new)"},
		{"mixed", []penstock.Record{finding(penstock.StatusNew, false), finding(penstock.StatusUnchanged, false)}, "note[a/b]: T (new)\n", ""},
		{"all old", []penstock.Record{finding(penstock.StatusUnchanged, false)}, "... and 1 unchanged finding: 1 low.", "note[a/b]"},
		{"a baseline", []penstock.Record{finding(penstock.StatusNew, false)}, "compared    with the baseline: 1 new, 0 unchanged, 0 fixed\n", ""},
		{"partly", []penstock.Record{finding(penstock.StatusNew, false), finding("", false), finding("odd", false)}, "1 new, 0 unchanged, 0 fixed, 2 not compared\n", ""},
		{"nothing compared", []penstock.Record{finding("", false)}, "note[a/b]: T\n", "compared"},
		{"an empty range", []penstock.Record{&penstock.Header{Base: "main"}}, "compared    with main: 0 new, 0 unchanged, 0 fixed\n", ""},
	} {
		out := string(render(t, "text", Options{}, append(tt.records, &penstock.End{})))
		if !strings.Contains(out, tt.want) || tt.not != "" && strings.Contains(out, tt.not) {
			t.Errorf("%s: want %q and not %q in\n%s", tt.name, tt.want, tt.not, out)
		}
	}
}

func TestSplitCommit(t *testing.T) {
	for _, tt := range []struct{ in, commit, file string }{
		{oldCommit + ":a/b", oldCommit, "a/b"},
		{"0123abc:a:b", "0123abc", "a:b"},
		{strings.Repeat("a", 64) + ":x", strings.Repeat("a", 64), "x"},
		{strings.Repeat("a", 65) + ":x", "", strings.Repeat("a", 65) + ":x"},
		{"0123ab:x", "", "0123ab:x"},
		{"0123ABC:x", "", "0123ABC:x"},
		{"0123abc:", "", "0123abc:"},
		{"0123abc/x", "", "0123abc/x"},
		{"javascript:alert(1)", "", "javascript:alert(1)"},
		{"", "", ""},
	} {
		if commit, file := splitCommit(tt.in); commit != tt.commit || file != tt.file {
			t.Errorf("splitCommit(%q) = %q, %q", tt.in, commit, file)
		}
	}
	// A file of today may be called like a place of history.
	f := &penstock.Finding{Rule: "a/b", Location: at("0123abc:x", 1, 1, 1)}
	if !bytes.Contains(render(t, "sarif", Options{}, []penstock.Record{f}), []byte(`"0123abc%3Ax"`)) {
		t.Error("the path of a file is cut")
	}
}

func TestChangeSARIF(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"range": rangeStream(), "history": historyStream()} {
		b := render(t, "sarif", Options{}, records)
		checkSARIF(t, b)
		states := make(map[string]int)
		for _, r := range list(run0(t, b), "results") {
			states[str(r, "baselineState")]++
		}
		want := map[string]map[string]int{"range": {"new": 2, "unchanged": 2}, "history": {"": 4, "new": 1}}[name]
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("%s: baselineState (-want +got)\n%s", name, diff)
		}
	}
	results := list(run0(t, render(t, "sarif", Options{}, historyStream())), "results")
	if got := str(results[0], "properties", "penstock/commit", "id"); got != oldCommit {
		t.Errorf("the commit is %q", got)
	}
	place := list(results[0], "locations")[0]
	if uri, commit := str(place, "physicalLocation", "artifactLocation", "uri"), str(place, "properties", "penstock/commit"); uri != "app/deploy.py" || commit != oldCommit {
		t.Errorf("the place is %q of %q", uri, commit)
	}
	if bytes.Contains(render(t, "sarif", Options{}, historyStream()), []byte("ada@example.com")) {
		t.Error("the report holds the author's address")
	}
}

// TestHostileCommit puts hostile text into every new field and looks for it, as
// it was, in every report.
func TestHostileCommit(t *testing.T) {
	for _, s := range []string{
		"\x1b[31m", "a\n::error::x", "##[group]x", "\u202eabc", "<script>alert(1)</script>", "@everyone", "![x](y)", "\xff\xfe", strings.Repeat("long ", 20_000),
	} {
		records := []penstock.Record{
			&penstock.Header{Schema: 1, Base: s, Head: s, History: len(s)%2 == 0},
			&penstock.Finding{
				Rule: "secrets/x", Severity: penstock.High, Location: penstock.Location{Path: oldCommit + ":" + s, Line: 1}, Places: []penstock.Location{{Path: s}},
				Status: penstock.Status(s), Commit: &penstock.Commit{ID: s, Author: s, Mail: s, Time: s, Summary: s}, Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{}},
			},
			&penstock.Finding{Rule: "secrets/x", Location: penstock.Location{Path: s}, Status: penstock.StatusFixed, Commit: &penstock.Commit{ID: s}},
			&penstock.Finding{Rule: "secrets/x", Location: penstock.Location{Path: s}, Status: penstock.StatusUnchanged},
			&penstock.End{},
		}
		for _, format := range Formats() {
			out := render(t, format, Options{All: true}, records)
			for i, c := range out {
				if c < 0x20 && c != '\n' && c != '\t' || c == 0x7f {
					t.Fatalf("%s writes the byte %#x near %q", format, c, out[max(0, i-40):i+1])
				}
			}
			if inlineCommand.Match(out) || lineCommand.Match(out) {
				t.Errorf("%s forms a command of a CI system from %q", format, s)
			}
			if bytes.Contains(out, []byte("\u202e")) {
				t.Errorf("%s shows a direction override", format)
			}
			switch format {
			case "sarif":
				checkSARIF(t, out)
			case "html":
				checkHTML(t, parseHTML(t, out))
			case "markdown":
				if len(out) > mdLimit || bytes.Contains(out, []byte("@every")) && !bytes.Contains(out, []byte("`")) {
					t.Errorf("markdown mentions someone, or has %d bytes", len(out))
				}
			}
		}
	}
}
