package penstock_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDependencies holds go.mod and docs/dependencies.md together: every direct
// dependency and every pinned tool has its row with reason, weight and licence,
// and no row speaks of a module that is gone.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	// go list inside a test may come from the test cache; the file does not.
	require := regexp.MustCompile(`(?m)^(?:require |\t)([^\s/]+\.[^\s]+) v\S+$`)
	tool := regexp.MustCompile(`(?m)^(?:tool |\t)([^\s/]+\.[^\s]+)$`)
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	want := submatches(require, mod)
	want = append(want, submatches(tool, mod)...)
	got := submatches(row, doc)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("docs/dependencies.md does not match go.mod (-go.mod +document):\n%s", d)
	}
	if len(want) == 0 {
		t.Error("no dependency found: the pattern no longer fits go.mod")
	}
}

func submatches(re *regexp.Regexp, b []byte) []string {
	var out []string
	for _, m := range re.FindAllSubmatch(b, -1) {
		out = append(out, string(m[1]))
	}
	return out
}
