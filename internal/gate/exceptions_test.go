package gate

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestParseExceptions(t *testing.T) {
	got, err := ParseExceptions("e.yaml", []byte(`version: 1
exceptions:
  - rule: secrets/*
    path: docs/**
    owner: "@docs"
    reason: made up for the manual
    expires: 2027-01-31
  - {rule: a, fingerprint: f1, owner: o, reason: r, expires: 2027-02-01}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Exception{
		{Rule: "secrets/*", Path: "docs/**", Owner: "@docs", Reason: "made up for the manual", Expires: "2027-01-31", Place: "e.yaml:3"},
		{Rule: "a", Fingerprint: "f1", Owner: "o", Reason: "r", Expires: "2027-02-01", Place: "e.yaml:8"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestParseExceptionsErrors(t *testing.T) {
	entry := func(s string) string { return "version: 1\nexceptions:\n  - {" + s + "}\n" }
	for _, c := range []struct{ in, want string }{
		{"exceptions: []\n", "e.yaml:1: version must be 1"},
		{"version: 2\nexceptions: []\n", "e.yaml:1: version must be 1"},
		{entry("path: a, owner: o, reason: r, expires: 2027-01-01"), "e.yaml:3: the exception names no rule"},
		{entry("rule: a, owner: o, reason: r, expires: 2027-01-01"), "e.yaml:3: the exception holds for no place"},
		{entry("rule: a, path: a, reason: r, expires: 2027-01-01"), "e.yaml:3: the exception has no owner"},
		{entry("rule: a, path: a, owner: o, reason: ' ', expires: 2027-01-01"), "e.yaml:3: the exception has no reason"},
		{entry("rule: a, path: a, owner: o, reason: r"), "e.yaml:3: the exception has no expiry"},
		{entry("rule: a, path: a, owner: o, reason: r, expires: 2027-02-30"), `e.yaml:3: expires "2027-02-30" is no date`},
		{entry("rule: a, path: a, owner: o, reason: r, expire: 2027-02-01"), `e.yaml:3: unknown key "expire" in exceptions[0]`},
	} {
		_, err := ParseExceptions("e.yaml", []byte(c.in))
		var e *penstock.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Message, c.want) || e.Hint == "" {
			t.Errorf("%q: got %v, want %q with a hint", c.in, err, c.want)
		}
	}
}

func TestParseIgnores(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	got, notes := ParseIgnores("i", []byte("# comment\n\n./a/b.go:generic-api-key:12\n"+commit+":c:d.go:aws:3\r\nno entry\na:b:c\n:x:1\n"))
	want := []Ignore{
		{Path: "a/b.go", Rule: "generic-api-key", Line: 12, Place: "i:3"},
		{Commit: commit, Path: "c:d.go", Rule: "aws", Line: 3, Place: "i:4"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var places []string
	for _, n := range notes {
		places = append(places, n.Code+" "+n.Place)
	}
	if d := cmp.Diff([]string{"gitleaksignore-invalid i:5", "gitleaksignore-invalid i:6", "gitleaksignore-invalid i:7"}, places); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

func FuzzParseIgnores(f *testing.F) {
	f.Add([]byte("a:b:1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ignores, _ := ParseIgnores("i", data)
		for _, ig := range ignores {
			if ig.Rule == "" || ig.Line < 0 || strings.ContainsRune(ig.Rule, ':') {
				t.Errorf("bad entry %+v", ig)
			}
		}
	})
}
