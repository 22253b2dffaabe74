package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares got with a file under testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run go test -update)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// render puts records through one format.
func render(t testing.TB, format string, opts Options, records []penstock.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	s, err := New(format, &b, opts)
	if err != nil {
		t.Fatal(err)
	}
	feed(t, s, records)
	return b.Bytes()
}

// feed gives records to a sink and closes it.
func feed(t testing.TB, s Sink, records []penstock.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Record(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// at makes a location on one line.
func at(path string, line, col, width int) penstock.Location {
	start := int64(line*100 + col)
	return penstock.Location{
		Path: path, Span: penstock.Span{Start: start, End: start + int64(width)},
		Line: line, Column: col, EndLine: line, EndColumn: col + width,
	}
}

// snip makes a snippet; the line that holds «...» is marked there.
func snip(first int, lines ...string) *penstock.Snippet {
	s := &penstock.Snippet{FirstLine: first}
	for _, l := range lines {
		line := penstock.SnippetLine{}
		if i := strings.Index(l, "«"); i >= 0 {
			l = strings.Replace(l, "«", "", 1)
			j := strings.Index(l, "»")
			l = strings.Replace(l, "»", "", 1)
			line.MarkStart, line.MarkEnd = i, j
		}
		line.Text = l
		s.Lines = append(s.Lines, line)
	}
	return s
}

// stream is a run with something of everything: several engines, a secret in
// many places, a trace, related places, fixes, suppressed findings of each
// kind, containers, paths that are hard to print, unread and excluded files,
// notes and a verdict.
func stream() []penstock.Record {
	rules := []penstock.Record{
		&penstock.Rule{
			ID: "code/sql-injection", Title: "SQL built from user input", Severity: penstock.High, Confidence: penstock.ConfidenceMedium,
			Why: "Whoever controls the input reads or changes the database.", Remedy: "Use a prepared statement.",
			CWE: []int{89}, Tags: []string{"OWASP-A03"}, References: []string{"https://cwe.mitre.org/data/definitions/89.html"},
		},
		&penstock.Rule{
			ID: "secrets/generic-password", Title: "Password in source", Severity: penstock.Medium, Confidence: penstock.ConfidenceLow,
			Why: "Everyone who reads the source can sign in.", Remedy: "Read it from the environment.", CWE: []int{259, 798},
		},
		&penstock.Rule{
			ID: "secrets/github-token", Title: "GitHub token", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh,
			Aliases: []string{"github-pat"}, Why: "It gives its holder the rights of its owner.\nIt works until it is revoked.", Remedy: "Revoke it, then use the token of the job.",
			CWE: []int{798}, Tags: []string{"OWASP-CICD-SEC-6", "forge"}, References: []string{"https://cwe.mitre.org/data/definitions/798.html", "javascript:alert(1)"},
			Bad: "TOKEN = \"{{token}}\"", Good: "TOKEN = os.environ[\"TOKEN\"]",
		},
		&penstock.Rule{ID: "user/internal-host", Title: "Internal host name", Severity: penstock.Info},
	}
	findings := []*penstock.Finding{
		{
			Rule: "secrets/github-token", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh, Title: "GitHub token",
			Message: "A token stands in the source.", Location: at("app/deploy.py", 12, 10, 40),
			Snippet: snip(10, "import os", "# for the nightly job", "TOKEN = \"«ghp_[redacted]»\"", "", "def deploy():"),
			Places:  []penstock.Location{at("ci/.env", 3, 7, 40), at("ci/nightly.yml", 18, 12, 40), at("docs/setup.md", 44, 5, 40), at("old/a.zip!/b/.env", 1, 7, 40), at("tools/x.sh", 2, 3, 40)},
			Notes:   []string{"The same token is used in CI."},
			Evidence: penstock.Evidence{
				Secret: &penstock.SecretEvidence{Kind: "GitHub token", Hint: "ghp_…", Length: 40, Entropy: 4.73, Checksum: true, Where: "source"},
				Scope:  "deploy",
			},
			Fix: &penstock.Fix{
				Description: "read the token from the environment", Safe: false,
				Edits: []penstock.Edit{
					{Path: "app/deploy.py", Span: penstock.Span{Start: 1209, End: 1251}, Text: "os.environ[\"TOKEN\"]"},
					{Path: "app/deploy_env.py", Span: penstock.Span{Start: 0, End: 10}, New: true, From: "app/deploy.py"},
				},
				Steps: []string{"revoke the token", "remove it from the history"},
			},
			Fingerprint: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Blocks: true, Reason: "critical is at or above high",
		},
		{
			Rule: "code/sql-injection", Severity: penstock.High, Confidence: penstock.ConfidenceMedium, Title: "SQL built from user input",
			Message: "The query is joined from the request parameter.", Location: at("app/user.go", 30, 9, 14),
			Snippet: snip(27, "func find(w http.ResponseWriter, r *http.Request) {", "\tname := r.FormValue(\"name\")", "\tq := \"select * from u where n='\" + name", "\tdb.Query(«q»)", "}"),
			Related: []penstock.Label{
				{Location: at("app/user.go", 28, 10, 11), Message: "the input comes from here"},
				{Location: at("app/db.go", 7, 1, 4), Message: "the handle is opened here"},
			},
			Trace: []penstock.Label{
				{Location: at("app/user.go", 28, 10, 11), Message: "source: r.FormValue"},
				{Location: at("app/user.go", 29, 7, 20), Message: "joined"},
				{Location: at("app/user.go", 30, 9, 14), Message: "sink: db.Query"},
			},
			Fingerprint: "aa00", Blocks: true, Reason: "high is at or above high",
		},
		{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Confidence: penstock.ConfidenceLow, Title: "Password in source",
			Location: at("conf/日本語/設定 one.yml", 4, 13, 8),
			Snippet:  snip(3, "# データベース\t接続", "パスワード:\t\"«[redacted]»\" # 本番用"),
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "password", Length: 12, Decoded: []string{"base64", "hex"}}},
		},
		{
			Rule: "user/internal-host", Severity: penstock.Info, Title: "Internal host name",
			Location: penstock.Location{Path: "caf\xe9/host\n::set-output name=x::y.txt"},
			Message:  "Mentions \x1b[31m@everyone\u202e <img src=x> ##[set-output name=a]b [x](javascript:alert(1)).",
		},
	}
	for i := range 12 {
		findings = append(findings, &penstock.Finding{
			Rule: "secrets/generic-password", Severity: penstock.Low, Confidence: penstock.ConfidenceLow, Title: "Password in source",
			Location: at(fmt.Sprintf("test/fixture_%02d.rb", i), 3, 12, 8), Snippet: snip(3, "  password «[redacted]»"),
		})
	}
	findings = append(findings,
		&penstock.Finding{
			Rule: "secrets/github-token", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh, Title: "GitHub token", Location: at("x/accepted.py", 1, 2, 40),
			Suppressed: &penstock.Suppression{Kind: "exception", Owner: "ops", Reason: "rotated, waits for the vendor", Expires: "2027-01-31", Place: ".penstock/exceptions.yaml:4"},
		},
		&penstock.Finding{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Title: "Password in source", Location: at("x/inline.py", 9, 2, 8),
			Suppressed: &penstock.Suppression{Kind: "inline", Reason: "a public demo account", Place: "x/inline.py:9"},
		},
		&penstock.Finding{
			Rule: "secrets/generic-password", Severity: penstock.Medium, Title: "Password in source", Location: at("x/other.py", 2, 2, 8),
			Suppressed: &penstock.Suppression{Kind: "gitleaks:allow", Place: "x/other.py:2"},
		},
	)
	records := []penstock.Record{&penstock.Header{
		Schema: penstock.Schema, Tool: "penstock", Version: "1.2.3", Build: "abcdef0 cgo", Roots: []string{"."},
		Engines: []string{"code", "secrets"}, Rules: strings.Repeat("ab", 32), Config: strings.Repeat("cd", 32),
	}}
	records = append(records, rules...)
	for _, f := range findings {
		records = append(records, f)
	}
	records = append(records,
		&penstock.Component{PURL: "pkg:golang/golang.org/x/net@0.62.0", Direct: true, Location: at("go.mod", 5, 1, 10)},
		&penstock.Asset{Kind: "workflow", Key: "ci/nightly.yml", Facts: map[string]string{"trigger": "schedule", "b": "2", "a": "1"}},
		&penstock.Edge{Kind: "uses", From: "workflow:ci/nightly.yml", To: "secret:TOKEN"},
		&penstock.Coverage{Path: "app/deploy.py", Size: 2000, State: penstock.Scanned, Engines: []string{"code", "secrets"}},
		&penstock.Coverage{Path: "build/out.o", Size: 10, State: penstock.Excluded, Reason: penstock.ReasonIgnored, Detail: "*.o"},
		&penstock.Coverage{Path: "build/out2.o", Size: 10, State: penstock.Excluded, Reason: penstock.ReasonIgnored, Detail: "*.o"},
		&penstock.Coverage{Path: "deep.toml", Size: 4096, State: penstock.Unread, Reason: penstock.ReasonKilled, Detail: "stack overflow", Engines: []string{"secrets"}},
		&penstock.Coverage{Path: "img/\x1b]0;logo.png", Size: 900000, State: penstock.Excluded, Reason: penstock.ReasonBinary},
		&penstock.Coverage{Path: "priv\xff.key", Size: 1, State: penstock.Unread, Reason: penstock.ReasonPermission, Detail: "open: permission denied"},
		&penstock.Note{Code: "sandbox-partial", Message: "The kernel has no Landlock; the worker ran with seccomp alone.", Hint: "use a kernel of version 6.12 or newer"},
		&penstock.Note{Code: "exception-unused", Message: "No finding matches this exception.", Place: ".penstock/exceptions.yaml:9"},
		&penstock.Note{Code: "engine-skipped", Message: "Engine deps needs the network.", Incomplete: true},
		&penstock.Verdict{
			Incomplete: true, Policy: "penstock.yaml", Blocking: 2, Open: 16, Suppressed: 3,
			Reasons: []string{"2 findings of severity high or worse", "2 files could not be read"},
		},
		&penstock.End{
			Totals: penstock.Totals{
				Files: 1300, Scanned: 1204, Excluded: 94, Unread: 2, Bytes: 14_200_000, Members: 12,
				ByReason: map[penstock.Reason]int{penstock.ReasonIgnored: 80, penstock.ReasonBinary: 14, penstock.ReasonKilled: 1, penstock.ReasonPermission: 1},
				ByEngine: map[string]int{"code": 300, "secrets": 1216},
			},
			Findings: map[string]int{"critical": 1, "high": 1, "medium": 1, "low": 12, "info": 1},
		},
	)
	return records
}
