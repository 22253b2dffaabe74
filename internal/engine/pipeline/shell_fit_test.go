package pipeline

import (
	"strings"
	"testing"
)

// TestFitLines holds which lines a filter can still let out.
func TestFitLines(t *testing.T) {
	for _, c := range []struct {
		command string
		allows  string
		no      string
	}{
		{"tr A-Z a-z", "eof", "EOF"},
		{"tr a-z A-Z", "EOF", "eof"},
		{"tr -d A-Z a-z", "EOF", ""},
		{"awk {print(tolower($0))}", "EOF", ""},
		{"grep ^src/", "src/EOF", "EOF"},
		{"grep src/\\|EOF", "EOF", "END"},
		{"grep -E ^(a|b)/", "a/x", "EOF"},
		{"grep ^(a|b)/", "(a|b)/", "a/x"},
		{"grep -v ^src/", "EOF", "src/x"},
		{"grep -iE ^eof", "EOF", "END"},
		{"grep -F a.b", "a.b", "axb"},
		{"grep -x EOF", "EOF", "xEOF"},
		{"grep -xE a|EOF", "EOF", "xEOF"},
		{"grep -n ^src/", "EOF", ""},
		{"grep -A 3 ^src/", "EOF", ""},
		{"grep -l ^src/", "EOF", ""},
		{"grep -w \\(EOF", "EOF", ""},
		{"grep [[:upper:]]", "EOF", ""},
		{"grep -E [[:upper:]]", "EOF", "eof"},
		{"grep -P (?=E)EOF", "EOF", ""},
		{"sed s/^/>_/", ">_EOF", "EOF"},
		{"sed s/^/\\n/", "EOF", ""},
		{"cut -d/ -f1", "EOF", ""},
	} {
		var args []shArg
		for _, w := range strings.Fields(c.command) {
			args = append(args, shArg{v: shLit(w, 0, 0)})
		}
		fit := fitAfter(args[0].text(), args, "")
		if !fitAllows(fit, c.allows) {
			t.Errorf("%s: %q cannot come out, by %q", c.command, c.allows, fit)
		}
		if c.no != "" && fitAllows(fit, c.no) {
			t.Errorf("%s: %q comes out, by %q", c.command, c.no, fit)
		}
	}
	if !fitNoName("+^src/\x00") || fitNoName("+^src\x00") || fitNoName("-^src/\x00") || fitNoName("+^a=/\x00") || fitNoName("+^(src/)?\x00") {
		t.Error("which lines are no entries")
	}
}
