package gate

import (
	"strings"
	"testing"

	"penstock"
)

// TestIgnoresOfHistory: an entry with a commit covers that commit's version of a
// line, one without covers the line in all, and paths of the policy do not see the
// commit.
func TestIgnoresOfHistory(t *testing.T) {
	commit, other := strings.Repeat("a1", 20), strings.Repeat("b2", 20)
	at := func(commit string) penstock.Location {
		return penstock.Location{Path: commit[:12] + ":dir/file", Line: 3}
	}
	for name, c := range map[string]struct {
		entry  string
		places []penstock.Location
		want   bool
	}{
		"the commit":       {commit + ":dir/file:word:3", nil, true},
		"another commit":   {other + ":dir/file:word:3", nil, false},
		"no commit":        {"dir/file:word:3", nil, true},
		"another line":     {commit + ":dir/file:word:4", nil, false},
		"one of two":       {commit + ":dir/file:word:3", []penstock.Location{at(other)}, false},
		"both of two":      {"dir/file:word:3", []penstock.Location{at(other)}, true},
		"no commit's path": {commit + ":" + commit[:12] + ":dir/file:word:3", nil, false},
	} {
		ignores, _ := ParseIgnores(".gitleaksignore", []byte(c.entry))
		f := &penstock.Finding{Rule: "words/word", Severity: penstock.High, Location: at(commit), Places: c.places, Commit: &penstock.Commit{ID: commit}}
		Decide(Input{Findings: []*penstock.Finding{f}, Ignores: ignores, Totals: penstock.Totals{Files: 1, Scanned: 1}})
		if got := f.Suppressed != nil; got != c.want {
			t.Errorf("%s: suppressed is %v, want %v", name, got, c.want)
		}
	}
	f := &penstock.Finding{Rule: "words/word", Severity: penstock.High, Location: at(commit), Commit: &penstock.Commit{ID: commit}}
	p := Policy{Block: At(penstock.High), Paths: []PathRule{{Match: "dir/**", Block: Never}}}
	Decide(Input{Policy: p, Findings: []*penstock.Finding{f}, Totals: penstock.Totals{Files: 1, Scanned: 1}})
	if f.Blocks {
		t.Error("a path of the policy does not match a place in history")
	}
}
