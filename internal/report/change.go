package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"penstock"
)

const (
	// hashShown is how many digits of a commit people are shown: what git itself
	// writes in a repository of some ten million objects.
	hashShown = 12
	// commitText is how many characters of an author or a summary are shown.
	commitText = 200
)

// splitCommit cuts the path of a place in history, "commit:path", at its colon.
// A path that does not begin with 7 to 64 hexadecimal digits and a colon is a
// place of today, as a finding in history may have beside the old ones.
func splitCommit(p string) (commit, file string) {
	commit, file, ok := strings.Cut(p, ":")
	if !ok || len(commit) < 7 || !isHash(commit) || file == "" {
		return "", p
	}
	return commit, file
}

// isHash reports whether s is the hexadecimal name of a commit or the start of
// one: at most the 64 digits of SHA-256.
func isHash(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// splitPlace is splitCommit for a place of f; only findings of history have
// commits in their paths, as a file may well be called "cafe123:x".
func splitPlace(f *penstock.Finding, l penstock.Location) (commit string, file penstock.Location) {
	if f.Commit != nil {
		commit, l.Path = splitCommit(l.Path)
	}
	return commit, l
}

// shortHash is a commit as people read it. What is no hash stays as it is.
func shortHash(s string) string {
	if isHash(s) && len(s) > hashShown {
		return s[:hashShown]
	}
	return s
}

// shown is f as reports for people show it: the commits in its paths are short.
func shown(f *penstock.Finding) *penstock.Finding {
	if f.Commit == nil {
		return f
	}
	short := func(l penstock.Location) penstock.Location {
		if commit, file := splitCommit(l.Path); commit != "" {
			l.Path = shortHash(commit) + ":" + file
		}
		return l
	}
	labels := func(in []penstock.Label) []penstock.Label {
		out := slices.Clone(in)
		for i := range out {
			out[i].Location = short(out[i].Location)
		}
		return out
	}
	g := *f
	g.Location = short(f.Location)
	g.Places = each(f.Places, short)
	g.Related, g.Trace = labels(f.Related), labels(f.Trace)
	return &g
}

// commitLine names a commit in one line: short hash, day, author, summary. Of a
// time that is none, nothing is shown.
func commitLine(c *penstock.Commit) string {
	s := "unknown"
	if c.ID != "" {
		s = shortHash(clip(c.ID, commitText))
	}
	if day := commitDay(c); day != "" {
		s += " " + day
	}
	if c.Author != "" {
		s += " " + clip(c.Author, commitText)
	}
	if c.Summary != "" {
		s += ": " + clip(c.Summary, commitText)
	}
	return s
}

// commitDay is the author's day, YYYY-MM-DD, in the zone that the author wrote.
func commitDay(c *penstock.Commit) string {
	t, err := time.Parse(time.RFC3339, c.Time)
	if err != nil {
		return ""
	}
	return t.Format(time.DateOnly)
}

// presence says whether a flaw of history is still there.
func presence(c *penstock.Commit) string {
	if c.Present {
		return "still in HEAD"
	}
	return "no longer in HEAD, but in history"
}

// inCommit is a sentence on the commit for formats that have no field for it. It
// leaves the summary out, which says nothing of the flaw.
func inCommit(c *penstock.Commit) string {
	d := *c
	d.Summary = ""
	return "Brought in by commit " + commitLine(&d) + "; " + presence(c) + "."
}

// comparison counts the open findings, and the fixed ones, against what was
// known before.
type comparison struct{ fresh, unchanged, fixed, other int }

// compared counts; ok is false where the run compared with nothing.
func (d *document) compared() (c comparison, ok bool) {
	for _, f := range d.findings {
		switch {
		case f.Status == penstock.StatusFixed:
			c.fixed++
		case f.Suppressed != nil:
		case f.Status == penstock.StatusNew:
			c.fresh++
		case f.Status == penstock.StatusUnchanged:
			c.unchanged++
		default:
			c.other++
		}
	}
	return c, d.header.Base != "" && !d.header.History || c.fresh+c.unchanged+c.fixed > 0
}

// against names what the run was compared with.
func (d *document) against() string {
	if d.header.Base == "" {
		return "the baseline"
	}
	return shortHash(d.header.Base)
}

// comparedText is "with 1234abcd5678: 2 new, 5 unchanged, 1 fixed", empty where
// the run compared with nothing.
func (d *document) comparedText() string {
	c, ok := d.compared()
	if !ok {
		return ""
	}
	s := "with " + d.against()
	if d.header.Base != "" && d.header.Head != "" {
		s += ", at " + shortHash(d.header.Head)
	}
	s += fmt.Sprintf(": %s new, %s unchanged, %s fixed", number(c.fresh), number(c.unchanged), number(c.fixed))
	if c.other > 0 {
		s += ", " + number(c.other) + " not compared"
	}
	return s
}

// historyText says which commits were read and what is left of their findings,
// empty where none were.
func (d *document) historyText() string {
	if !d.header.History {
		return ""
	}
	s := "every commit"
	if d.header.Base != "" {
		s += " after " + shortHash(d.header.Base)
	}
	if d.header.Head != "" {
		s += " up to " + shortHash(d.header.Head)
	}
	present, gone := 0, 0
	open, _, _ := d.split()
	for _, f := range open {
		switch {
		case f.Commit == nil:
		case f.Commit.Present:
			present++
		default:
			gone++
		}
	}
	if present+gone > 0 {
		s += fmt.Sprintf(": %s still in HEAD, %s in history only", number(present), number(gone))
	}
	return s
}

// status is the word that a finding is marked with, empty where it would tell
// nothing: in a run without known findings everything is new.
func (d *document) status(f *penstock.Finding) string {
	switch f.Status {
	case penstock.StatusUnchanged, penstock.StatusFixed:
		return string(f.Status)
	case penstock.StatusNew:
		if d.mixed {
			return string(f.Status)
		}
	}
	return ""
}
