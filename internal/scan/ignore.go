package scan

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"penstock"
)

// An inline ignore is "penstock: ignore[rule, rule] reason" on a line of the
// finding, or alone in a comment on the line before it. A reason is needed;
// "until=YYYY-MM-DD" in it sets an end, which the gate looks at.
var (
	ignoreMarker  = []byte("penstock: ignore")
	ignorePattern = lazyPattern(`penstock: ignore\[([^\]\r\n]{1,200})\]([^\r\n]{0,300})`)
	untilPattern  = lazyPattern(`\buntil=(\d{4}-\d{2}-\d{2})\b`)
	// commentOnly is what may stand before the marker on a line of its own.
	commentOnly  = lazyPattern(`^\s*(#|//|/\*+|\*|--|;|<!--|%|\{\{-?\s*/\*|\{#|'|(?i:rem)\s)?\s*$`)
	gitleaksMark = []byte("gitleaks:allow")
)

// lazyPattern compiles an expression when it is first needed: a run over few files
// must not pay for all of them.
func lazyPattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// ignores are the markers of one piece of text.
type ignores struct {
	path  string
	off   bool
	marks []*ignoreMark
}

type ignoreMark struct {
	line   int // in the file
	alone  bool
	rules  []string
	reason string
	until  string
	used   bool
}

// read finds the markers. It costs one search of the text for a rare word.
func (ig *ignores) read(p *piece) {
	ig.marks = ig.marks[:0]
	if ig.off || !bytes.Contains(p.text, ignoreMarker) {
		return
	}
	for _, m := range ignorePattern().FindAllSubmatchIndex(p.text, 1000) {
		line, _ := p.position(p.base + int64(m[0]))
		start := bytes.LastIndexByte(p.text[:m[0]], '\n') + 1
		mark := &ignoreMark{
			line:   line,
			alone:  m[0]-start < 100 && commentOnly().Match(p.text[start:m[0]]),
			reason: cleanReason(string(p.text[m[4]:m[5]])),
		}
		for _, rule := range strings.Split(string(p.text[m[2]:m[3]]), ",") {
			mark.rules = append(mark.rules, strings.TrimSpace(rule))
		}
		if u := untilPattern().FindStringSubmatch(mark.reason); u != nil {
			mark.until = u[1]
		}
		ig.marks = append(ig.marks, mark)
	}
}

// cleanReason takes the comment's end off.
func cleanReason(s string) string {
	for _, end := range []string{"*/}}", "*/", "-->", "#}"} {
		s = strings.TrimSuffix(strings.TrimSpace(s), end)
	}
	return strings.Trim(s, " \t:-\u2013\u2014\"',")
}

// apply marks a finding as suppressed if a marker names its rule.
func (ig *ignores) apply(f *penstock.Finding, p *piece) {
	if ig.off || f.Location.Line == 0 || f.Location.Path != ig.path {
		return
	}
	head := 0
	if f.Head.End > f.Head.Start {
		head, _ = p.position(f.Head.Start)
	}
	for _, m := range ig.marks {
		on := m.line >= f.Location.Line && m.line <= f.Location.EndLine || m.line == head
		above := m.alone && (m.line == f.Location.Line-1 || m.line == head-1)
		if !on && !above || !m.names(f.Rule) {
			continue
		}
		m.used = true
		if m.reason == "" {
			f.Notes = append(f.Notes, "the ignore comment has no reason, so it does not count")
			continue
		}
		f.Suppressed = &penstock.Suppression{Kind: "inline", Reason: m.reason, Expires: m.until, Place: fmt.Sprintf("%s:%d", ig.path, m.line)}
		return
	}
	if f.Evidence.Secret != nil && p.lineHas(f, gitleaksMark) {
		f.Suppressed = &penstock.Suppression{Kind: "gitleaks:allow", Place: fmt.Sprintf("%s:%d", ig.path, f.Location.Line)}
	}
}

// names reports whether the marker covers a rule: by its id, by a glob, or by
// the part after the engine.
func (m *ignoreMark) names(rule string) bool {
	_, tail, _ := strings.Cut(rule, "/")
	for _, r := range m.rules {
		if ok, err := path.Match(r, rule); r == rule || r == tail || ok && err == nil {
			return true
		}
	}
	return false
}

// lineHas reports whether a word stands on the finding's lines.
func (p *piece) lineHas(f *penstock.Finding, word []byte) bool {
	start, end := int(f.Location.Start-p.base), int(f.Location.End-p.base)
	start = bytes.LastIndexByte(p.text[:start], '\n') + 1
	if i := bytes.IndexByte(p.text[end:], '\n'); i >= 0 {
		end += i
	} else {
		end = len(p.text)
	}
	return bytes.Contains(p.text[start:end], word)
}

// unused notes the markers that covered nothing. Only names with an engine
// count, so that documentation of the syntax stays silent, and only engines that
// ran can know.
func (ig *ignores) unused(ran func(engine string) bool) []penstock.Record {
	var notes []penstock.Record
	for _, m := range ig.marks {
		if m.used {
			continue
		}
		for _, r := range m.rules {
			engine, _, ok := strings.Cut(r, "/")
			if !ok || !ran(engine) {
				continue
			}
			notes = append(notes, &penstock.Note{
				Code: "ignore-unused", Place: fmt.Sprintf("%s:%d", ig.path, m.line),
				Message: fmt.Sprintf("the comment ignores %s, but nothing of it is found here", r),
				Hint:    "remove the comment",
			})
		}
	}
	return notes
}
