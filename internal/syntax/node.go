package syntax

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"penstock"
)

const (
	// maxDepth is how deep collections may be nested; what lies deeper is left out.
	// GitHub allows 50 levels.
	maxDepth = 200
	// maxShared is how many nodes aliases may add to a text, a long scalar counted as
	// one per textPerNode bytes. It bounds what a walk over a tree costs, whatever
	// anchors it is made of.
	maxShared   = 100_000
	textPerNode = 64
	// maxCuts is how often a text that cannot be parsed is tried again without its
	// end.
	maxCuts = 4
)

// YAML is a YAML text with the place of everything in it.
type YAML struct {
	// Documents are the roots, one per document; empty documents are left out.
	Documents []*Node
	// Comments are all comments, in order.
	Comments []Comment
	// Problems are what could not be read. None stops the reading.
	Problems []Problem

	b []byte
}

// Comment is one comment: the span begins at its number sign and ends before the
// line break. Text is what stands behind the sign, without blanks around it.
type Comment struct {
	penstock.Span
	Text string
}

// Problem is something in a text that could not be read, or that two readers may
// read in two ways. The message holds no text of the file.
type Problem struct {
	penstock.Span
	Message string
}

// Kind says what a Node is.
type Kind uint8

const (
	Scalar Kind = iota + 1
	Mapping
	Sequence
	// Alias is one that is not resolved: of an anchor that encloses it, or beyond
	// the budget. It has no content.
	Alias
)

// Style is how a scalar or a collection is written.
type Style uint8

const (
	Plain Style = iota // also a collection in block style
	SingleQuoted
	DoubleQuoted
	Literal // |
	Folded  // >
	Flow    // {} or []
)

// Node is a value in a YAML text. Aliases are resolved: where one stands is a
// copy of the anchored node, with the same Span and children, and AliasSpan.
type Node struct {
	Kind  Kind
	Style Style
	// Tag is the short tag, given or resolved by YAML 1.1 with the booleans of 1.2:
	// "!!str", "!!bool", "!!int", "!!float", "!!null", "!!merge", "!!map", "!!seq".
	Tag string
	// Value is a scalar's decoded text.
	Value string
	// Span is the node without its anchor and tag: a scalar with its quotes or the
	// header of its block, up to the last byte that counts for its value; a
	// collection from its first key, dash or bracket to the end of its last child or
	// the closing bracket. A value that is not written is an empty span.
	Span penstock.Span
	// Map leads from Value to the file; empty for a collection.
	Map TextMap
	// Anchor is the name that the node may be referred to by.
	Anchor string
	// AliasSpan is where the alias stands, with its asterisk, if the node is reached
	// by one.
	AliasSpan penstock.Span

	// Entries are what a mapping holds, Items what a sequence holds, both in the
	// order of the file. Duplicate keys are all there.
	Entries []Entry
	Items   []*Node

	size int // nodes below, and itself, aliases resolved, in units of maxShared
}

// Entry is one key of a mapping with its value.
type Entry struct{ Key, Value *Node }

// IsMerge reports whether the entry is the merge key of YAML 1.1.
func (e Entry) IsMerge() bool { return e.Key.Tag == "!!merge" }

// IsNull reports whether n is nil, an absent value or a null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Tag == "!!null" }

// Get returns the value of the last entry of a mapping with that key, as most
// readers that accept duplicates do; nil without one.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range slices.Backward(n.Entries) {
		if e.Key.Kind == Scalar && e.Key.Value == key && !e.IsMerge() {
			return e.Value
		}
	}
	return nil
}

// Merged returns the entries of a mapping with those of its merge keys behind its
// own, without the ones that an earlier entry has the key of. A mapping without
// merge keys gives its entries as they are, with their duplicates.
func (n *Node) Merged() []Entry {
	if n == nil || !slices.ContainsFunc(n.Entries, Entry.IsMerge) {
		if n == nil {
			return nil
		}
		return n.Entries
	}
	var out, merged []Entry
	seen := map[string]bool{}
	for _, e := range n.Entries {
		if !e.IsMerge() {
			out = append(out, e)
			seen[e.Key.Value] = true
			continue
		}
		from := e.Value.Items
		if e.Value.Kind == Mapping {
			from = []*Node{e.Value}
		}
		for _, m := range from {
			merged = append(merged, m.Merged()...)
		}
	}
	for _, e := range merged {
		if !seen[e.Key.Value] {
			out = append(out, e)
			seen[e.Key.Value] = true
		}
	}
	return out
}

// ReadYAML reads a YAML text. It never fails: a text that is not valid YAML gives
// what could be read before the error, and a problem. Anchors and aliases are
// resolved as far as a budget goes; both places stay known.
//
// The text must be UTF-8. b must not change as long as the result is in use. The
// cost is linear in len(b), which the caller bounds.
func ReadYAML(b []byte) *YAML {
	y := &YAML{b: b}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		// The parser would read it, and count in another text than ours.
		y.problem(penstock.Span{End: int64(len(b))}, "not valid YAML: the text is not UTF-8")
		return y
	}
	docs, b, end := y.parse(b)
	r := yamlReader{y: y, b: b, place: newPlaces(b), made: map[*yaml.Node]*Node{}}
	for _, d := range docs {
		for _, c := range d.Content {
			if n := r.node(c, -1, 0); !n.IsNull() || n.Span.End > n.Span.Start {
				y.Documents = append(y.Documents, n)
			}
		}
	}
	r.gap(end)
	return y
}

// CommentAfter returns the comment behind off on the same line, with nothing but
// blanks, commas and closing brackets between; nil for none.
func (y *YAML) CommentAfter(off int64) *Comment {
	at := max(0, off)
	for at < int64(len(y.b)) && strings.IndexByte(" \t,]}", y.b[at]) >= 0 {
		at++
	}
	i, found := slices.BinarySearchFunc(y.Comments, at, func(c Comment, at int64) int { return cmp.Compare(c.Start, at) })
	if !found {
		return nil
	}
	return &y.Comments[i]
}

func (y *YAML) problem(span penstock.Span, message string) {
	if len(y.Problems) < maxProblems {
		y.Problems = append(y.Problems, Problem{Span: span, Message: message})
	}
}

// parse gives the documents of b, as much of b as they were made from, and where
// the part begins that could not be read.
func (y *YAML) parse(b []byte) (docs []*yaml.Node, from []byte, end int) {
	docs, err := parseDocuments(b)
	from, end = b, len(b)
	for cuts := 0; err != nil; cuts++ {
		line, message := errorLine(err)
		cut := 0
		if line == 0 {
			cut = lineStart(b, firstInvalid(b))
		} else if line > 1 && cuts < maxCuts {
			cut = lineOffset(b, line)
			if cut >= len(b) {
				cut = lineStart(b, len(bytes.TrimRight(b, "\r\n")))
			}
		}
		if cuts == 0 {
			y.problem(penstock.Span{Start: int64(cut), End: int64(len(y.b))}, message)
		}
		y.Problems[0].Start = int64(cut)
		end = cut
		if b = b[:cut]; cut == 0 {
			break
		}
		var again []*yaml.Node
		if again, err = parseDocuments(b); len(again) >= len(docs) {
			docs, from = again, b
		}
	}
	return docs, from, end
}

// parseDocuments parses b up to the first error.
func parseDocuments(b []byte) (docs []*yaml.Node, err error) {
	defer func() {
		// The parser panics where it is not sure of itself.
		if recover() != nil {
			err = errors.New("yaml: the text confuses the parser")
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(b))
	for {
		n := new(yaml.Node)
		if err := d.Decode(n); err != nil {
			if errors.Is(err, io.EOF) {
				return docs, nil
			}
			return docs, err
		}
		docs = append(docs, n)
	}
}

// errorLine takes the parser's message apart; line 0 means that it names none.
func errorLine(err error) (line int, message string) {
	message = strings.TrimLeft(lineOf(err), ": ")
	if number, rest, ok := strings.Cut(message, ": "); ok {
		if n, err := strconv.Atoi(number); err == nil {
			return n, "not valid YAML: " + rest
		}
	}
	return 0, "not valid YAML: " + message
}

// lineOffset is where the line begins, counted from 1.
func lineOffset(b []byte, line int) int {
	at := 0
	for ; line > 1 && at < len(b); line-- {
		at = lineEnd(b, at)
		at += breakLen(b, at)
	}
	return at
}

// firstInvalid is the offset of the first byte that no YAML text may hold; 0
// without one.
func firstInvalid(b []byte) int {
	for at := bom(b); at < len(b); {
		r, size := utf8.DecodeRune(b[at:])
		switch {
		case r == utf8.RuneError && size < 2, r < ' ' && r != '\t' && r != '\n' && r != '\r',
			r == 0x7F, r > 0x7F && r < 0xA0 && r != 0x85, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF:
			return at
		}
		at += size
	}
	return 0
}

func lineStart(b []byte, at int) int { return bytes.LastIndexByte(b[:at], '\n') + 1 }

// places turns the parser's lines and columns, which count characters, into byte
// offsets. It remembers the last one, so that a long line is read once.
type places struct {
	b     []byte
	lines []int32
	// line, column (both from 0) and at are the last place.
	line, column, at int
}

func newPlaces(b []byte) *places {
	p := &places{b: b, lines: []int32{int32(bom(b))}, at: bom(b)}
	if bytes.IndexByte(b, '\r') >= 0 || bytes.Contains(b, []byte("\u0085")) || bytes.Contains(b, []byte("\u2028")) || bytes.Contains(b, []byte("\u2029")) {
		for at := lineEnd(b, 0); at < len(b); at = lineEnd(b, at) {
			at += breakLen(b, at)
			p.lines = append(p.lines, int32(at))
		}
		return p
	}
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return p
		}
		at += i + 1
		p.lines = append(p.lines, int32(at))
	}
}

func (p *places) offset(line, column int) int {
	line, column = line-1, column-1
	if line < 0 || line >= len(p.lines) || column < 0 {
		return len(p.b)
	}
	if line != p.line || column < p.column {
		p.line, p.column, p.at = line, 0, int(p.lines[line])
	}
	for p.column < column && p.at < len(p.b) {
		if p.b[p.at] < utf8.RuneSelf {
			p.at++
		} else {
			_, size := utf8.DecodeRune(p.b[p.at:])
			p.at += size
		}
		p.column++
	}
	return p.at
}

// columnOf is the number of bytes between the start of the line and at.
func (p *places) columnOf(at int) int {
	i := sort.Search(len(p.lines), func(i int) bool { return int(p.lines[i]) > at }) - 1
	return at - int(p.lines[max(i, 0)])
}

// yamlReader turns the parser's nodes into ours.
type yamlReader struct {
	y     *YAML
	b     []byte // what could be parsed
	place *places
	// made are the anchored nodes; nil for one that is not complete.
	made   map[*yaml.Node]*Node
	shared int
	// read is the end of what was read. Up to there, comments are collected.
	read   int
	breaks [][2]int
}

// node reads n, which lies in a collection that is indented by parent columns.
func (r *yamlReader) node(n *yaml.Node, parent, depth int) *Node {
	at := r.place.offset(n.Line, n.Column)
	if n.Kind == yaml.AliasNode {
		return r.alias(n, at)
	}
	out := &Node{Tag: n.Tag, Anchor: n.Anchor, size: 1}
	if depth > maxDepth {
		r.y.problem(penstock.Span{Start: int64(at), End: int64(at)}, fmt.Sprintf("nested more than %d levels deep", maxDepth))
		out.Kind, out.Tag, out.Span = Scalar, "!!null", penstock.Span{Start: int64(at), End: int64(at)}
		return out
	}
	if n.Anchor != "" {
		r.made[n] = nil
	}
	if n.Kind == yaml.ScalarNode {
		r.scalar(n, out, at, parent)
	} else {
		r.collection(n, out, at, depth)
	}
	if n.Anchor != "" {
		r.made[n] = out
	}
	return out
}

func (r *yamlReader) alias(n *yaml.Node, at int) *Node {
	end := min(len(r.b), at+1+len(n.Value))
	r.gap(at)
	r.read = max(r.read, end)
	span := penstock.Span{Start: int64(at), End: int64(end)}
	target := r.made[n.Alias]
	if target == nil {
		r.y.problem(span, "an alias that leads into itself")
	} else if r.shared+target.size > maxShared {
		r.y.problem(span, fmt.Sprintf("aliases stand for more than %d values", maxShared))
		target = nil
	}
	if target == nil {
		return &Node{Kind: Alias, Span: span, AliasSpan: span, size: 1}
	}
	r.shared += target.size
	out := *target
	out.AliasSpan = span
	return &out
}

func (r *yamlReader) scalar(n *yaml.Node, out *Node, at, parent int) {
	out.Kind, out.Value = Scalar, n.Value
	out.size += len(n.Value) / textPerNode
	if n.Value == "" && n.Style&^yaml.TaggedStyle == 0 {
		out.Span = penstock.Span{Start: int64(at), End: int64(at)}
		return // nothing is written
	}
	at = r.properties(at, 2, n.Anchor)
	r.gap(at)
	t := tracer{b: r.b, value: n.Value, ok: true, comment: -1, breaks: r.breaks}
	end := at
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		out.Style = SingleQuoted
		end = t.quoted(at)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		out.Style = DoubleQuoted
		end = t.quoted(at)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		out.Style = Literal
		if n.Style&yaml.FoldedStyle != 0 {
			out.Style = Folded
		}
		end = t.block(at, parent)
	default:
		end = t.plain(at)
	}
	r.breaks = t.breaks
	if !t.finish() {
		// Nothing is known of the inside: every byte of the value is at its start.
		end = min(at+1, len(r.b))
		t.m = TextMap{}
		t.m.Add(len(n.Value), at, at)
	}
	if t.comment >= 0 {
		r.comment(t.comment)
	}
	out.Map = t.m
	out.Span = penstock.Span{Start: int64(at), End: int64(end)}
	r.read = max(r.read, end)
}

func (r *yamlReader) collection(n *yaml.Node, out *Node, at, depth int) {
	flow := n.Style&yaml.FlowStyle != 0
	properties := 0
	if n.Anchor != "" {
		properties++
	}
	if n.Style&yaml.TaggedStyle != 0 {
		properties++
	}
	if flow {
		properties, out.Style = 2, Flow
	}
	at = r.properties(at, properties, n.Anchor)
	r.gap(at)
	end := at
	if flow {
		end = min(at+1, len(r.b)) // the bracket
		r.read = max(r.read, end)
	}
	indent := r.place.columnOf(at)
	if n.Kind == yaml.SequenceNode {
		out.Kind = Sequence
		out.Items = make([]*Node, 0, len(n.Content))
		for _, c := range n.Content {
			item := r.node(c, indent, depth+1)
			out.Items = append(out.Items, item)
			out.size += item.size
			end = max(end, r.endOf(item))
		}
	} else {
		out.Kind = Mapping
		out.Entries = make([]Entry, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := r.node(n.Content[i], indent, depth+1)
			value := r.node(n.Content[i+1], indent, depth+1)
			out.Entries = append(out.Entries, Entry{key, value})
			out.size += key.size + value.size
			end = max(end, r.endOf(key), r.endOf(value))
		}
	}
	if flow {
		end = r.closing(max(end, r.read))
	}
	out.Span = penstock.Span{Start: int64(at), End: int64(max(at, end))}
}

// endOf is where a child ends in the collection that it stands in.
func (r *yamlReader) endOf(n *Node) int {
	if n.AliasSpan.End > 0 {
		return int(n.AliasSpan.End)
	}
	return int(n.Span.End)
}

// properties skips up to n anchors and tags at at, and what separates them from
// the value. The anchor may touch what follows.
func (r *yamlReader) properties(at, n int, anchor string) int {
	b := r.b
	for ; n > 0 && at < len(b); n-- {
		if b[at] == '&' {
			at = min(at+1+len(anchor), len(b))
		} else if b[at] == '!' {
			for at < len(b) && !isBlank(b[at]) && breakLen(b, at) == 0 {
				at++
			}
		} else {
			break
		}
		at = r.space(at)
	}
	return at
}

// space skips blanks, line breaks and comments.
func (r *yamlReader) space(at int) int {
	b := r.b
	for at < len(b) {
		if n := breakLen(b, at); n > 0 {
			at += n
		} else if isBlank(b[at]) {
			at++
		} else if b[at] == '#' {
			at = lineEnd(b, at)
		} else {
			break
		}
	}
	return at
}

// closing finds the bracket that closes a flow collection whose last child ends at
// at, and returns the offset behind it.
func (r *yamlReader) closing(at int) int {
	b := r.b
	end := at
	for end = r.space(end); end < len(b) && b[end] != ']' && b[end] != '}'; end = r.space(end + 1) {
	}
	end = min(end+1, len(b))
	r.gap(end)
	return end
}

// gap collects the comments between what was read and to. Nothing else there can
// hold a number sign.
func (r *yamlReader) gap(to int) {
	for r.read < to {
		i := bytes.IndexByte(r.b[r.read:to], '#')
		if i < 0 {
			r.read = to
			return
		}
		r.comment(r.read + i)
	}
}

// comment adds the comment that begins at at.
func (r *yamlReader) comment(at int) {
	end := lineEnd(r.b, at)
	r.y.Comments = append(r.y.Comments, Comment{
		Span: penstock.Span{Start: int64(at), End: int64(end)},
		Text: strings.TrimSpace(string(r.b[at+1 : end])),
	})
	r.read = max(r.read, end)
}
