package scan

import (
	"fmt"
	"sort"

	"penstock"
	"penstock/internal/syntax"
)

// collector takes what the engines report on one file and completes it with
// what only the pass knows: lines, columns, snippets, inline ignores.
type collector struct {
	path    string
	records []penstock.Record
	// open are the findings whose text has not been looked at yet; they all lie
	// in the piece that is being analysed.
	open   []*penstock.Finding
	limit  int
	counts map[string]int // findings per rule, those over the limit included
	engine string         // the engine at work
	failed bool           // that engine reported unread coverage of this file
}

var _ penstock.Reporter = (*collector)(nil)

// Report implements penstock.Reporter. Engines work on one file one after the
// other, so it needs no lock.
func (c *collector) Report(r penstock.Record) {
	switch r := r.(type) {
	case *penstock.Finding:
		if c.counts == nil {
			c.counts = make(map[string]int)
		}
		c.counts[r.Rule]++
		if c.counts[r.Rule] > c.limit {
			return
		}
		c.open = append(c.open, r)
	case *penstock.Fact:
		r.Engine, r.Path = c.engine, c.path
		c.records = append(c.records, r)
	case *penstock.Coverage:
		if r.Path == "" {
			r.Path = c.path
		}
		if r.State == penstock.Unread && len(r.Engines) == 0 {
			r.Engines = []string{c.engine}
		}
		c.failed = c.failed || r.State == penstock.Unread
		c.records = append(c.records, r)
	default:
		c.records = append(c.records, r)
	}
}

// overflow says how many findings were left out.
func (c *collector) overflow() {
	var rules []string
	for rule, n := range c.counts {
		if n > c.limit {
			rules = append(rules, rule)
		}
	}
	sort.Strings(rules)
	for _, rule := range rules {
		c.records = append(c.records, &penstock.Note{
			Code: "findings-capped", Place: c.path, Incomplete: true,
			Message: fmt.Sprintf("%s has %d findings here; %d are shown", rule, c.counts[rule], c.limit),
		})
	}
}

// piece is the text that the open findings lie in: a whole file or a segment.
type piece struct {
	base  int64 // offset of text in the file
	text  []byte
	lines *syntax.Lines
	// line and column are those of text[0], for a segment that is not the first.
	line, column int
}

func (p *piece) position(off int64) (line, col int) {
	line, col = p.lines.Position(off - p.base)
	if line == 1 {
		col += p.column
	}
	return line + p.line, col
}

func (p *piece) locate(l *penstock.Location, path string) {
	if l.Path == "" {
		l.Path = path
	}
	if l.Path != path || l.Line != 0 || l.End <= l.Start {
		return
	}
	l.Line, l.Column = p.position(l.Start)
	l.EndLine, l.EndColumn = p.position(l.End)
}

// resolve completes the open findings, with features if there is a salt for them.
func (c *collector) resolve(p *piece, ig *ignores, hide func(path string, b []byte) []penstock.Span, salt []byte) {
	if len(c.open) == 0 {
		return
	}
	p.lines = syntax.NewLines(p.text)
	cut := newCutter(c.path, p, c.open, hide)
	var known *features
	if salt != nil {
		known = newFeatures(p, cut, c.path, salt)
	}
	for _, f := range c.open {
		p.locate(&f.Location, c.path)
		for i := range f.Places {
			p.locate(&f.Places[i], c.path)
		}
		for i := range f.Related {
			p.locate(&f.Related[i].Location, c.path)
		}
		for i := range f.Trace {
			p.locate(&f.Trace[i].Location, c.path)
		}
		if known != nil {
			f.Features = []*penstock.Features{known.of(f)}
		}
		if f.Location.Path == c.path && f.Location.End > f.Location.Start {
			f.Snippet = cut.snippet(f)
		}
		ig.apply(f, p)
		c.records = append(c.records, f)
	}
	c.open = c.open[:0]
}
