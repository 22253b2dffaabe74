package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

func TestRepositoryName(t *testing.T) {
	for _, tc := range []struct {
		set         string
		conditions  []string
		name, owner string
	}{
		{"", nil, "", ""},
		{"", []string{"github.repository == 'a/b'"}, "", ""}, // a single one says nothing
		{"", []string{"github.repository == 'a/b'", "'A/B' == github.repository && always()"}, "a/b", "a"},
		{"", []string{"github.repository == 'a/b'", "!(github.repository != 'a/b')", "github.repository == 'a/c'"}, "a/b", "a"},
		{"", []string{"github.repository == 'a/b'", "github.repository == 'a/b'", "github.repository == 'a/c' || github.repository == 'a/d'"}, "", "a"},
		{"", []string{"github.repository != 'a/b'", "github.repository != 'a/b'"}, "", ""},
		{"", []string{"github.repository == 'a/b'", "github.repository == 'a/b'", "github.repository != 'a/b'", "github.repository != 'a/b'"}, "", ""},
		{"", []string{"github.repository_owner == 'a'", "startsWith(github.repository, 'a/')"}, "", "a"},
		{"", []string{"github.repository == inputs.name", "contains(github.repository, 'a/b')"}, "", ""},
		{"x/y", []string{"github.repository == 'a/b'", "github.repository == 'a/b'"}, "x/y", "x"},
	} {
		var b strings.Builder
		b.WriteString("on: push\njobs:\n")
		for i, c := range tc.conditions {
			fmt.Fprintf(&b, "  j%d: {if: \"%s\", runs-on: ubuntu-latest, steps: [{run: make}]}\n", i, c)
		}
		settings := Settings{}
		settings.GitHub.Repository = tc.set
		x := projectOf(map[string][]byte{".github/workflows/a.yml": []byte(b.String())}, settings)
		if name, owner := x.repositoryName(); name != tc.name || owner != tc.owner {
			t.Errorf("%q %q: %q of %q, want %q of %q", tc.set, tc.conditions, name, owner, tc.name, tc.owner)
		}
	}
	var s Settings
	if err := s.ParseSettings("s.yaml", []byte("version: 1\ngithub: {repository: just-a-name}\n")); err == nil || !strings.Contains(err.Error(), "s.yaml:2") {
		t.Errorf("a name without an owner: %v", err)
	}
	if err := s.ParseSettings("s.yaml", []byte("version: 1\ngithub: {repository: a/b}\n")); err != nil || s.GitHub.Repository != "a/b" {
		t.Errorf("%v, %q", err, s.GitHub.Repository)
	}
}
