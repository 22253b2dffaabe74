package penstock_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// hygiene are texts that no committed file may hold. The patterns are written in
// pieces so that this file does not hold them itself.
var hygiene = []struct {
	name string
	re   *regexp.Regexp
}{
	{"a path of somebody's machine", regexp.MustCompile(`/(?:work)/(?:main|shared)\b|/(?:Users)/[a-z]+/|/home/[a-z]+/(?:src|go|work|projects)/`)},
	{"the address of a package registry", regexp.MustCompile(`(?:proxy|sum)\.(?:golang)\.org|registry\.(?:npmjs|yarnpkg)\.(?:org|com)|files\.python(?:hosted)\.org|(?:pypi)\.org/simple|(?:repo1?)\.maven\.(?:org|apache)|(?:static|index)\.crates\.(?:io)`)},
	{"a merge conflict", regexp.MustCompile(`(?m)^(?:<{7}|>{7}) `)},
	{"carriage returns outside testdata", regexp.MustCompile(`\r\n`)},
}

const maxCommitted = 1 << 20 // bytes: larger inputs are made by code

func TestHygiene(t *testing.T) {
	err := fs.WalkDir(os.DirFS("."), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == ".git" || p == "bin" || p == "penstock-data" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(p, ".test") || strings.HasSuffix(p, ".prof") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if len(b) > maxCommitted {
			t.Errorf("%s: %d bytes: generated input is made by code, not stored", p, len(b))
		}
		for _, h := range hygiene {
			if strings.HasPrefix(h.name, "carriage") && strings.Contains(p, "testdata/") {
				continue
			}
			if loc := h.re.FindIndex(b); loc != nil {
				t.Errorf("%s:%d: %s: %q", p, bytes.Count(b[:loc[0]], []byte("\n"))+1, h.name, b[loc[0]:loc[1]])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThreatModel: a test that docs/threat-model.md names exists, and each abuse
// case has exactly one row.
func TestThreatModel(t *testing.T) {
	doc, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = fs.WalkDir(os.DirFS("."), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		b, err := os.ReadFile(p)
		for _, m := range decl.FindAllSubmatch(b, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)(?:/(\\w+))?`").FindAllSubmatch(doc, -1) {
		named++
		if !tests[string(m[1])] {
			t.Errorf("docs/threat-model.md names %s, which does not exist", m[1])
		}
		if len(m[2]) > 0 {
			if _, err := os.Stat(fmt.Sprintf("cmd/penstock/testdata/script/%s.txtar", m[2])); err != nil {
				t.Errorf("docs/threat-model.md names a script: %v", err)
			}
		}
	}
	if named == 0 {
		t.Error("docs/threat-model.md names no test: the pattern no longer fits")
	}
	rows := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| (A\d+) \|`).FindAllSubmatch(doc, -1) {
		rows[string(m[1])]++
	}
	want := 0
	for _, r := range [][2]int{{1, 29}, {35, 49}, {57, 57}, {59, 61}, {71, 73}} {
		for n := r[0]; n <= r[1]; n++ {
			want++
			if id := fmt.Sprintf("A%d", n); rows[id] != 1 {
				t.Errorf("%s has %d rows, want 1", id, rows[id])
			}
		}
	}
	if len(rows) != want {
		t.Errorf("%d abuse cases, want %d", len(rows), want)
	}
}
