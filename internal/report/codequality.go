package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"

	"penstock"
)

// codeQuality writes the Code Quality report of GitLab, a subset of Code
// Climate's: a list of open findings, one entry for each place of a finding, so
// that a merge request shows it in every file that it touches. The format has
// no room for coverage; what was not read shows in the exit code. GitLab compares
// with the target branch itself, so findings that were there before are in the
// list and fixed ones are not. One of history stands once for each file, with the
// line that it had there, and names its commit in the text.
type codeQuality struct {
	document
	w io.Writer
}

func newCodeQuality(w io.Writer, _ Options) Sink { return &codeQuality{w: w} }

func (c *codeQuality) Record(r penstock.Record) error {
	c.add(r)
	return nil
}

type (
	qualityEntry struct {
		Type        string          `json:"type"`
		Description string          `json:"description"`
		Check       string          `json:"check_name"`
		Categories  []string        `json:"categories"`
		Fingerprint string          `json:"fingerprint"`
		Severity    string          `json:"severity"`
		Location    qualityLocation `json:"location"`
	}
	qualityLocation struct {
		Path  string       `json:"path"`
		Lines qualityLines `json:"lines"`
	}
	qualityLines struct {
		Begin int `json:"begin"`
		End   int `json:"end,omitempty"`
	}
)

func (c *codeQuality) Close() error {
	list := []qualityEntry{}
	ids := make(identities)
	open, _, _ := c.split()
	for _, f := range open {
		text := oneLine(c.title(f))
		if f.Message != "" {
			text += ": " + oneLine(f.Message)
		}
		if tier := tierText(f); tier != "" {
			text += " (" + tier + ")"
		}
		if f.Commit != nil {
			text = strings.TrimSuffix(text, ".") + ". " + oneLine(inCommit(f.Commit))
		}
		seen := make(map[string]bool)
		for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
			if _, l = splitPlace(f, l); f.Commit != nil && seen[l.Path] {
				continue
			}
			seen[l.Path] = true
			e := qualityEntry{
				Type: "issue", Description: text, Check: f.Rule, Categories: []string{"Security"},
				Fingerprint: hex.EncodeToString(ids.next(f, l)), Severity: qualitySeverity(f.Severity),
				Location: qualityLocation{relativePath(l.Path), qualityLines{Begin: max(l.Line, 1)}},
			}
			if l.EndLine > e.Location.Lines.Begin {
				e.Location.Lines.End = l.EndLine
			}
			list = append(list, e)
		}
	}
	return writeJSON(c.w, list, " ")
}

// qualitySeverity maps to the five severities of Code Climate.
func qualitySeverity(s penstock.Severity) string {
	switch s {
	case penstock.Critical:
		return "blocker"
	case penstock.High:
		return "critical"
	case penstock.Medium:
		return "major"
	case penstock.Low:
		return "minor"
	}
	return "info"
}

// relativePath is a path for formats that want it relative to the repository.
func relativePath(p string) string { return cmp.Or(visible(strings.TrimLeft(path.Clean(p), "/")), ".") }

// identities makes ids that are unique within a report and stay the same from
// run to run as long as the fingerprint, the path and their order do. Line
// numbers are left out, so that an edit above a finding does not make it new.
type identities map[[sha256.Size]byte]int

func (m identities) next(f *penstock.Finding, l penstock.Location) []byte {
	base := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", f.Rule, f.Fingerprint, l.Path))
	m[base]++
	id := sha256.Sum256(fmt.Appendf(base[:], " %d", m[base]))
	return id[:16]
}
