package gate

import (
	"path"
	"strings"
	"testing"
)

func TestPathGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"test/**", "test/a.go", true},
		{"test/**", "test/a/b.go", true},
		{"test/**", "src/test/a.go", false},
		{"test/**", "test", false},
		{"test/", "test/a.go", true},
		{"test", "test/a.go", true},
		{"test", "src/test/a.go", true},
		{"test", "src/testing/a.go", false},
		{"/test", "src/test/a.go", false},
		{"/test", "test/a.go", true},
		{"./test", "test/a.go", true},
		{"*.go", "a/b/c.go", true},
		{"*.go", "a/b/c.gox", false},
		{"src/*.go", "src/a.go", true},
		{"src/*.go", "src/a/b.go", false},
		{"src/**/x.go", "src/x.go", true},
		{"src/**/x.go", "src/a/b/x.go", true},
		{"src/**/x.go", "src/a/bx.go", false},
		{"**/x.go", "x.go", true},
		{"**/x.go", "ax.go", false},
		{"**", "a/b", true},
		{".", "a/b", true},
		{"/", "a/b", true},
		{"", "a", false},
		{"a?c", "abc", true},
		{"a?c", "a/c", false},
		{"a.zip", "a.zip!/b/c", true},
		{"*.zip", "d/a.zip!/b/c", true},
		{"d/a.zip!/b/*", "d/a.zip!/b/c", true},
		{`\*.go`, "*.go", true},
		{`\*.go`, "a.go", false},
		{"a**b", "axx/yb", true},
		{".env", ".env", true},
		{".env", "x/.env", true},
		{".github/workflows", ".github/workflows/ci.yml", true},
	} {
		if g := pathGlob(c.pattern); g.match(c.path) != c.want {
			t.Errorf("pathGlob(%q).match(%q) = %v, want %v", c.pattern, c.path, !c.want, c.want)
		}
	}
}

func TestNameGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"secrets/*", "secrets/aws-key", true},
		{"*", "secrets/aws-key", true},
		{"secrets/aws-key", "secrets/aws-key", true},
		{"secrets/aws-key", "secrets/aws-key-2", false},
		{"secrets/aws", "secrets/aws/x", false},
		{"*-key", "secrets/aws-key", true},
		{"", "x", false},
	} {
		if g := nameGlob(c.pattern); g.match(c.name) != c.want {
			t.Errorf("nameGlob(%q).match(%q) = %v", c.pattern, c.name, !c.want)
		}
	}
}

// A pattern of stars must not take exponential time: this test would not end.
func TestGlobIsLinear(t *testing.T) {
	g := pathGlob(strings.Repeat("*a", 200) + "b")
	if g.match(strings.Repeat("a", 2000)) {
		t.Error("matched")
	}
}

// For patterns without "**" and path.Match's classes the standard library must
// agree on whole paths.
func FuzzGlob(f *testing.F) {
	f.Add("a*/b?", "abc/bd")
	f.Add("*", "x")
	f.Add("a/**", "a/b")
	f.Fuzz(func(t *testing.T, pattern, p string) {
		if len(pattern) > 100 || len(p) > 200 {
			return
		}
		pg := pathGlob(pattern)
		pg.match(p)
		ng := nameGlob(pattern)
		ng.match(p)
		for _, r := range pattern + p {
			if r >= 0x80 { // the standard library counts runes, we count bytes
				return
			}
		}
		if strings.Contains(pattern, "**") || strings.ContainsAny(pattern, `[\`) || pattern == "" {
			return
		}
		ok, err := path.Match(pattern, p)
		if g := newGlob(pattern, '/'); err == nil && ok && !g.match(p) {
			t.Errorf("path.Match(%q, %q) matches, ours does not", pattern, p)
		}
	})
}
