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
	i := p.lineOf(s.Start) - 1
	if p.outer == nil {
		p.outer = p.outerLines()
	}
	for n := 0; n < maxHead; n++ {
		if i = int(p.outer[i]); i < 0 {
			break
		}
		at, end := p.line(p.lines[i])
		line, _, _ := strings.Cut(string(p.Source[at:end]), " #")
		line = strings.TrimRight(strings.TrimSpace(line), "+-0123456789")
		if strings.HasSuffix(line, ": |") || strings.HasSuffix(line, ": >") || strings.HasSuffix(line, "- |") || strings.HasSuffix(line, "- >") {
			return penstock.Span{Start: at, End: end}
		}
	}
	return penstock.Span{}
}

// maxHead bounds the levels that are searched for the beginning of a block.
const maxHead = 100

// outerLines is for each line the one that encloses it: the next above that is indented
// less, -1 for none. It takes one pass.
func (p *Pipeline) outerLines() []int32 {
	outer := make([]int32, len(p.lines))
	type level struct {
		line   int32
		indent int
	}
	var open []level // those that may enclose what comes, each indented more than the one before
	for i := range p.lines {
		n := p.indent(p.lines[i])
		if n < 0 {
			outer[i] = -1 // an empty one encloses nothing
			continue
		}
		for len(open) > 0 && open[len(open)-1].indent >= n {
			open = open[:len(open)-1]
		}
		outer[i] = -1
		if len(open) > 0 {
			outer[i] = open[len(open)-1].line
		}
		open = append(open, level{int32(i), n})
	}
	return outer
}

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
