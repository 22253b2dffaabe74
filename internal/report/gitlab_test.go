package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
	"time"
	"unicode/utf8"

	"penstock"
)

func TestGitLabGolden(t *testing.T) {
	golden(t, "gitlab-sast.json", render(t, "gitlab", Options{Time: time.Unix(1800000000, 0)}, stream()))
	golden(t, "gitlab-secrets.json", render(t, "gitlab", Options{Commit: "0123abc"}, secretsOnly()))
}

// secretsOnly is the run with the secrets engine alone.
func secretsOnly() []penstock.Record {
	var out []penstock.Record
	for _, r := range stream() {
		switch r := r.(type) {
		case *penstock.Header:
			r.Engines = []string{"secrets"}
		case *penstock.Finding:
			if r.Evidence.Secret == nil {
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// TestGitLabSchema holds reports to the facts of GitLab's schemas of version
// 15.2.1: required members, patterns and lengths. (The files themselves are not
// ours to commit.)
func TestGitLabSchema(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"full": stream(), "secrets": secretsOnly(), "empty": {}, "hostile": hostile(), "range": rangeStream(), "history": historyStream()} {
		t.Run(name, func(t *testing.T) {
			var doc struct {
				Version string
				Scan    struct {
					Type, Status      string
					StartTime         string `json:"start_time"`
					EndTime           string `json:"end_time"`
					Analyzer, Scanner struct {
						ID, Name, Version string
						Vendor            struct{ Name string }
					}
					Messages []struct{ Level, Value string }
				}
				Vulnerabilities []struct {
					ID, Name, Description, Severity, Solution string
					Identifiers                               []struct{ Type, Name, Value, URL string }
					Links                                     []struct{ URL string }
					Location                                  struct {
						File      string
						StartLine int `json:"start_line"`
						EndLine   int `json:"end_line"`
						Commit    struct{ SHA, Author, Date, Message string }
					}
					Details map[string]struct {
						Name, Type string
						Items      []struct {
							Type      string
							Value     string
							FileName  string `json:"file_name"`
							LineStart int    `json:"line_start"`
							LineEnd   *int   `json:"line_end"`
						}
					}
				}
			}
			b := render(t, "gitlab", Options{}, records)
			d := json.NewDecoder(bytes.NewReader(b))
			d.DisallowUnknownFields()
			if err := d.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			match := func(what, pattern, s string) {
				t.Helper()
				if !regexp.MustCompile(pattern).MatchString(s) {
					t.Errorf("%s is %q", what, s)
				}
			}
			match("version", `^15\.2\.1$`, doc.Version)
			match("type", `^(sast|secret_detection)$`, doc.Scan.Type)
			match("status", `^(success|failure)$`, doc.Scan.Status)
			match("start", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`, doc.Scan.StartTime)
			match("end", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`, doc.Scan.EndTime)
			match("analyzer", `.`, doc.Scan.Analyzer.ID)
			match("analyzer's version", `.`, doc.Scan.Analyzer.Version)
			match("scanner's vendor", `.`, doc.Scan.Scanner.Vendor.Name)
			for _, m := range doc.Scan.Messages {
				match("level", `^(info|warn|fatal)$`, m.Level)
				match("message", `.`, m.Value)
			}
			ids := make(map[string]bool)
			for _, v := range doc.Vulnerabilities {
				match("id", `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, v.ID)
				if ids[v.ID] {
					t.Errorf("the id %s occurs twice", v.ID)
				}
				ids[v.ID] = true
				match("severity", `^(Info|Unknown|Low|Medium|High|Critical)$`, v.Severity)
				if utf8.RuneCountInString(v.Name) > 255 || utf8.RuneCountInString(v.Solution) > 7000 || len(v.Description) > 1<<20 {
					t.Errorf("%s: a text is too long", v.ID)
				}
				if len(v.Identifiers) == 0 {
					t.Errorf("%s has no identifier", v.ID)
				}
				for _, id := range v.Identifiers {
					match("identifier type", `.`, id.Type)
					match("identifier name", `.`, id.Name)
					match("identifier", `.`, id.Value)
					match("identifier url", `^$|^https?://.+`, id.URL)
				}
				for _, l := range v.Links {
					match("link", `^https?://.+`, l.URL)
				}
				if doc.Scan.Type == "secret_detection" {
					match("commit", `.`, v.Location.Commit.SHA)
				}
				if v.Location.StartLine < 1 {
					t.Errorf("line %d", v.Location.StartLine)
				}
				for _, detail := range v.Details {
					match("detail", `.`, detail.Name)
					match("detail type", `^list$`, detail.Type)
					for _, item := range detail.Items {
						if item.Type == "text" {
							match("place", `.`, item.Value)
							continue
						}
						match("place", `^file-location$`, item.Type)
						match("place's file", `.`, item.FileName)
						if item.LineStart < 1 || item.LineEnd != nil && *item.LineEnd < 1 {
							t.Errorf("place %+v", item)
						}
					}
				}
			}
		})
	}
}

func TestCodeQualityGolden(t *testing.T) {
	golden(t, "codequality.json", render(t, "codequality", Options{}, stream()))
}

func TestCodeQuality(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"full": stream(), "empty": {}, "hostile": hostile()} {
		var list []struct {
			Description string
			Check       string `json:"check_name"`
			Fingerprint string
			Severity    string
			Location    struct {
				Path  string
				Lines struct{ Begin int }
			}
		}
		if err := json.Unmarshal(render(t, "codequality", Options{}, records), &list); err != nil {
			t.Fatal(err)
		}
		if list == nil {
			t.Errorf("%s: the report is not a list", name)
		}
		seen := make(map[string]bool)
		for _, e := range list {
			if seen[e.Fingerprint] || len(e.Fingerprint) != 32 {
				t.Errorf("%s: fingerprint %q", name, e.Fingerprint)
			}
			seen[e.Fingerprint] = true
			if !regexp.MustCompile(`^(info|minor|major|critical|blocker)$`).MatchString(e.Severity) {
				t.Errorf("%s: severity %q", name, e.Severity)
			}
			if e.Location.Path == "" || e.Location.Lines.Begin < 1 || e.Location.Path[0] == '/' {
				t.Errorf("%s: location %+v", name, e.Location)
			}
		}
	}
}

// TestIdentities wants ids to survive a move within the file, and to differ for
// two of a kind.
func TestIdentities(t *testing.T) {
	f := &penstock.Finding{Rule: "a/b", Fingerprint: "x"}
	one, two := make(identities), make(identities)
	a, b := one.next(f, at("p", 1, 1, 1)), one.next(f, at("p", 9, 1, 1))
	if bytes.Equal(a, b) {
		t.Error("two findings share an id")
	}
	if moved := two.next(f, at("p", 5, 5, 1)); !bytes.Equal(a, moved) {
		t.Error("the id changed with the line")
	}
}

func TestJSONGolden(t *testing.T) {
	golden(t, "report.json", render(t, "json", Options{}, stream()))
	golden(t, "report.jsonl", render(t, "jsonl", Options{}, stream()))
}

// TestJSONValue wants to read back from the JSON formats what was written, bytes
// that a terminal or a CI system would obey included.
func TestJSONValue(t *testing.T) {
	text := "\x1b[31m \u009b \u202e \u200b ##[set-output name=a]b ### \U000e0041 </script> \u2028 \U0001f600 \ue000"
	b := render(t, "json", Options{}, []penstock.Record{&penstock.Note{Message: text}})
	var doc struct{ Notes []penstock.Note }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Notes[0].Message != text {
		t.Errorf("got %q, want %q", doc.Notes[0].Message, text)
	}
	marks := 0
	for _, r := range string(b) {
		if r != '\n' && hidden(r, &marks) {
			t.Errorf("the file holds %U", r)
		}
	}
	if bytes.Contains(b, []byte("##")) {
		t.Error("the file holds ##")
	}
}
