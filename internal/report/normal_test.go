package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestEscapePath(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"", ""},
		{"a/b.txt", "a/b.txt"},
		{"日本/é", "日本/é"},
		{"caf\xe9", `caf\xe9`},
		{`a\b`, `a\b`},
		{`a\xb`, `a\xb`},
		{`a\xe9`, `a\x5cxe9`},
		{`a\xE9`, `a\xE9`},
		{`\x5cx41`, `\x5cx5cx41`},
		{"\\x\xe9", `\x\xe9`},
	} {
		if got := EscapePath(tt.path); got != tt.want {
			t.Errorf("EscapePath(%q) = %q, want %q", tt.path, got, tt.want)
		}
		if got := UnescapePath(tt.want); got != tt.path {
			t.Errorf("UnescapePath(%q) = %q, want %q", tt.want, got, tt.path)
		}
	}
}

func FuzzEscapePath(f *testing.F) {
	for _, s := range []string{"a", "\xff", `\x5c`, `\\x41`, "\\x\x804", "日\xe6\x97"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		e := EscapePath(path)
		if !utf8.ValidString(e) {
			t.Errorf("EscapePath(%q) = %q is not UTF-8", path, e)
		}
		if got := UnescapePath(e); got != path {
			t.Errorf("%q comes back as %q by way of %q", path, got, e)
		}
	})
}

// TestNormalCopies sees that a sink leaves what it is given as it was, and that
// what is clean is not copied.
func TestNormalCopies(t *testing.T) {
	dirty := &penstock.Finding{
		Message: "a\xffb", Location: penstock.Location{Path: "p\xff"}, Notes: []string{"n\xfe"},
		Snippet: &penstock.Snippet{FirstLine: 1, Lines: []penstock.SnippetLine{{Text: "\xe9\xe8 = secret\xff!", MarkStart: 5, MarkEnd: 12}}},
	}
	got := newRewriter(EscapePath, validText).rewrite(dirty).(*penstock.Finding)
	if dirty.Message != "a\xffb" || dirty.Notes[0] != "n\xfe" || dirty.Snippet.Lines[0].MarkStart != 5 {
		t.Error("the finding was changed in place")
	}
	if got.Message != "a\ufffdb" || got.Location.Path != `p\xff` || got.Notes[0] != "n\ufffd" {
		t.Errorf("got %+v", got)
	}
	l := got.Snippet.Lines[0]
	if mark := l.Text[l.MarkStart:l.MarkEnd]; mark != "secret\ufffd" {
		t.Errorf("the marker moved to %q of %q", mark, l.Text)
	}
	clean := &penstock.Finding{Message: "é", Location: penstock.Location{Path: "p"}}
	if newRewriter(EscapePath, validText).rewrite(clean) != penstock.Record(clean) {
		t.Error("a clean record was copied")
	}
}

func TestVisible(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain é 日本 😀", "plain é 日本 😀"},
		{"\x1b[31m\x07\x00\x7f", `\x1b[31m\x07\x00\x7f`},
		{"a\nb\rc\td", `a\nb\rc\td`},
		{"\u009b31m", `\u009b31m`},
		{"a\u202eb\u2066c", `a\u202eb\u2066c`},
		{"a\u200bb\ufeffc\u00add", `a\u200bb\ufeffc\u00add`},
		{"line\u2028sep", `line\u2028sep`},
		{"tag\U000e0041", `tag\U000e0041`},
		{"selector\ufe00\U000e0100", `selector\ufe00\U000e0100`},
		{"heart\u2764\ufe0f", "heart\u2764\ufe0f"},
		{"filler\u3164", `filler\u3164`},
		{"private\ue000", `private\ue000`},
		{"bad\xff", "bad\ufffd"},
		{"e\u0301", "e\u0301"},
		{"z" + strings.Repeat("\u0301", 6), "z" + strings.Repeat("\u0301", 4) + `\u0301\u0301`},
		{"##[set-output name=a]b", `#\x23[set-output name=a]b`},
		{"##vso[task.setvariable]", `#\x23vso[task.setvariable]`},
		{"## heading", "## heading"},
	} {
		if got := visible(tt.in); got != tt.want {
			t.Errorf("visible(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzVisible holds visible to its promise: one line of valid UTF-8 without a
// hidden character, and unchanged by a second pass.
func FuzzVisible(f *testing.F) {
	f.Add("a\x1b\u202e\n")
	f.Add("##[x" + strings.Repeat("\u0301", 9))
	f.Fuzz(func(t *testing.T, s string) {
		v := visible(s)
		marks := 0
		for _, r := range v {
			if hidden(r, &marks) {
				t.Fatalf("visible(%q) = %q holds %U", s, v, r)
			}
		}
		if !utf8.ValidString(v) || inlineCommand.MatchString(v) {
			t.Fatalf("visible(%q) = %q", s, v)
		}
		if again := visible(v); again != v {
			t.Fatalf("visible(%q) = %q, then %q", s, v, again)
		}
	})
}

func TestColorMode(t *testing.T) {
	for _, tt := range []struct {
		flag, env string
		terminal  bool
		want      bool
	}{
		{"always", "NO_COLOR=1", false, true},
		{"never", "FORCE_COLOR=1", true, false},
		{"auto", "", true, true},
		{"", "", false, false},
		{"auto", "NO_COLOR=1 FORCE_COLOR=1", true, false},
		{"auto", "FORCE_COLOR=1", false, true},
		{"auto", "FORCE_COLOR=0", true, false},
		{"auto", "CLICOLOR_FORCE=1", false, true},
		{"auto", "CLICOLOR_FORCE=0", true, true},
		{"auto", "CLICOLOR=0", true, false},
		{"auto", "TERM=dumb", true, false},
		{"auto", "CI=true", false, false},
	} {
		env := make(map[string]string)
		for _, kv := range strings.Fields(tt.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		if got := ColorMode(tt.flag, func(k string) string { return env[k] }, tt.terminal); got != tt.want {
			t.Errorf("ColorMode(%q, %s, terminal %t) = %t", tt.flag, tt.env, tt.terminal, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	got := []string{number(0), number(999), number(1000), number(1234567), number(-1000), bytesText(1), bytesText(999), bytesText(14_200_000), bytesText(999_999), bytesText(1 << 62)}
	want := []string{"0", "999", "1,000", "1,234,567", "-1,000", "1 byte", "999 bytes", "14.2 MB", "1.0 MB", "4611686.0 TB"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
