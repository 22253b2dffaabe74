package penstock

import "strings"

// Span is a half-open range of byte offsets [Start, End) in one file.
type Span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Overlaps reports whether both spans share at least one byte.
func (s Span) Overlaps(t Span) bool { return s.Start < t.End && t.Start < s.End }

// Contains reports whether t lies within s.
func (s Span) Contains(t Span) bool { return s.Start <= t.Start && t.End <= s.End }

// Location is a place in a file. An engine fills Span only; the pass adds the
// path, lines and columns. Line 0 means the file as a whole.
type Location struct {
	// Path is slash-separated and relative to where the scan was started.
	// "!/" separates an archive from its member: "a.zip!/b/c.txt".
	Path string `json:"path"`
	Span
	// Lines count from 1. Columns count from 1 in UTF-16 code units, as SARIF's
	// default columnKind and every editor protocol do. EndColumn is exclusive.
	Line      int `json:"line,omitempty"`
	Column    int `json:"column,omitempty"`
	EndLine   int `json:"endLine,omitempty"`
	EndColumn int `json:"endColumn,omitempty"`
}

// MemberSeparator stands between a container and the path inside it.
const MemberSeparator = "!/"

// SplitContainer cuts a path at its outermost container: "a.zip!/b" gives
// "a.zip" and "b"; a plain path gives itself and "".
func SplitContainer(path string) (container, member string) {
	container, member, _ = strings.Cut(path, MemberSeparator)
	return container, member
}

// Label is a location that belongs to a finding beside its primary one: a
// related place, or one step of a trace.
type Label struct {
	Location Location `json:"location"`
	Message  string   `json:"message,omitempty"`
}

// Snippet is source text around a location, cut and redacted inside the worker.
// No line of it shows a secret.
type Snippet struct {
	// FirstLine is the number of Lines[0].
	FirstLine int           `json:"firstLine"`
	Lines     []SnippetLine `json:"lines"`
}

// SnippetLine is one line, clipped if it is long.
type SnippetLine struct {
	Text string `json:"text"`
	// Clipped says that text was left out before or after.
	ClippedStart bool `json:"clippedStart,omitempty"`
	ClippedEnd   bool `json:"clippedEnd,omitempty"`
	// MarkStart and MarkEnd are byte offsets in Text between which the marker
	// stands; equal means that the line is context.
	MarkStart int `json:"markStart,omitempty"`
	MarkEnd   int `json:"markEnd,omitempty"`
}
