package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// zizmorMark opens a comment by which zizmor leaves out findings of single rules:
// "zizmor: ignore[rule, rule] reason", on any line of what is found.
// https://docs.zizmor.sh/usage/#ignoring-results
const zizmorMark = "zizmor: ignore["

// foreignIgnore suppresses a finding that a comment for zizmor is about.
func (x *Project) foreignIgnore(f *Flaw, out *penstock.Finding) {
	p := x.byPath[f.Path]
	if p == nil {
		p = x.loaded[f.Path]
	}
	if p == nil || !bytes.Contains(p.Source, []byte(zizmorMark)) {
		return
	}
	start, _ := p.line(f.Start)
	_, end := p.line(max(f.Start, f.End-1))
	for i := range p.Comments {
		c := &p.Comments[i]
		if c.Start < start || c.Start >= end {
			continue
		}
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
			Place: fmt.Sprintf("%s:%d", p.Path, 1+bytes.Count(p.Source[:c.Start], []byte("\n"))),
		}
		return
	}
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
