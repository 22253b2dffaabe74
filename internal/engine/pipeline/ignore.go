package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// zizmorMark opens a comment by which zizmor leaves out findings of single rules:
// "zizmor: ignore[rule, rule] reason", on any line of what is found.
// https://docs.zizmor.sh/usage/#ignoring-results
const zizmorMark = "zizmor: ignore["

// foreignIgnore suppresses a finding that a comment for zizmor is about.
func (x *Project) foreignIgnore(f *Flaw, out *penstock.Finding) {
	p := x.held(f.Path)
	if p == nil {
		return
	}
	if p.ignores == Undecided {
		p.ignores = False
		if bytes.Contains(p.Source, []byte(zizmorMark)) {
			p.ignores = True
		}
	}
	if p.ignores == False {
		return
	}
	start, _ := p.line(f.Start)
	_, end := p.line(max(f.Start, f.End-1))
	var above []syntax.Comment
	if out.Head.End > out.Head.Start {
		above = p.commentsIn(p.line(out.Head.Start))
	}
	for _, c := range slices.Concat(above, p.commentsIn(start, end)) {
		_, rest, ok := strings.Cut(c.Text, zizmorMark)
		if !ok {
			continue
		}
		list, reason, ok := strings.Cut(rest, "]")
		if !ok || !ignores(list, f.Rule) {
			continue
		}
		out.Suppressed = &penstock.Suppression{
			Kind: "zizmor: ignore", Reason: strings.TrimSpace(reason),
			Place: fmt.Sprintf("%s:%d", p.Path, p.lineOf(c.Start)),
		}
		return
	}
}

// held is the definition at a full path, if it was read.
func (x *Project) held(path string) *Pipeline {
	if p := x.byPath[path]; p != nil {
		return p
	}
	return x.loaded[path]
}

// head is the line that opens the block scalar in which a span lies, empty for none.
func (p *Pipeline) head(s penstock.Span) penstock.Span {
	if p.Forge == Jenkins {
		return penstock.Span{}
	}
	at, _ := p.line(s.Start)
	indent := p.indent(at)
	for n := 0; at > 0 && indent > 0 && n < maxHead; n++ {
		at, _ = p.line(at - 1)
		switch k := p.indent(at); {
		case k < 0 || k >= indent:
			continue
		default:
			indent = k
		}
		_, end := p.line(at)
		line, _, _ := strings.Cut(string(p.Source[at:end]), " #")
		line = strings.TrimRight(strings.TrimSpace(line), "+-0123456789")
		if strings.HasSuffix(line, ": |") || strings.HasSuffix(line, ": >") || strings.HasSuffix(line, "- |") || strings.HasSuffix(line, "- >") {
			return penstock.Span{Start: at, End: end}
		}
	}
	return penstock.Span{}
}

// maxHead bounds the lines that are searched for the beginning of a block.
const maxHead = 2000

// indent is the number of blanks that a line begins with, -1 for an empty one.
func (p *Pipeline) indent(at int64) int {
	n := 0
	for i := at; i < int64(len(p.Source)); i++ {
		switch p.Source[i] {
		case ' ':
			n++
		case '\n', '\r':
			return -1
		default:
			return n
		}
	}
	return -1
}

// ignores reports whether one of zizmor's rules in a list is answered by ours.
func ignores(list, rule string) bool {
	r := ruleIndex()[rule]
	for name := range strings.SplitSeq(list, ",") {
		if r != nil && slices.Contains(r.Peers, "zizmor/"+strings.TrimSpace(name)) {
			return true
		}
	}
	return false
}
