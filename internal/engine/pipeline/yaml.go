package pipeline

import (
	"penstock"
	"penstock/internal/syntax"
)

// maxNotes bounds the notes of one file.
const maxNotes = 100

// reader turns YAML nodes into the model, for the front ends whose format is YAML.
// The methods that take an entry of a mapping report whether the model could hold
// its value; if not, it belongs to the element's Extra.
type reader struct {
	y *syntax.YAML
	p *Pipeline
	// find locates expressions the way of the forge.
	find func(text string) []Interpolation
	// merges says that the forge takes merge keys.
	merges bool
	// left is how many values may still be made, for a front end that makes more of
	// them than stand in the file; without a bound if it is negative.
	left int
	// actions are the summaries of what steps use.
	actions map[useKey]*ActionSummary
}

// newReader reads the file and takes over what there is to say of its syntax.
func newReader(forge Forge, path string, kind Kind, b []byte, find func(string) []Interpolation) *reader {
	y := syntax.ReadYAML(b)
	r := &reader{y: y, p: &Pipeline{Forge: forge, Path: path, Kind: kind, Comments: y.Comments}, find: find, left: -1}
	for _, p := range y.Problems {
		r.note(NoteSyntax, p.Span, penstock.Span{}, p.Message)
	}
	return r
}

// root is the first document.
func (r *reader) root() *syntax.Node {
	if len(r.y.Documents) == 0 {
		return nil
	}
	n := r.y.Documents[0]
	r.p.Span = n.Span
	if len(r.y.Documents) > 1 {
		r.note(NoteSyntax, r.y.Documents[1].Span, n.Span, "more than one YAML document")
	}
	return n
}

func (r *reader) note(kind NoteKind, span, other penstock.Span, message string) {
	if len(r.p.Notes) < maxNotes {
		r.p.Notes = append(r.p.Notes, Note{Kind: kind, Span: span, Other: other, Message: message})
	}
}

// wrong notes a value of the wrong type, unless it is an expression or a reference,
// whose type only the forge knows. It returns false.
func (r *reader) wrong(n *syntax.Node, message string) bool {
	if n.Kind == syntax.Scalar && len(r.find(n.Value)) > 0 || n.Tag == referenceTag {
		return false
	}
	r.note(NoteType, placeOf(n), penstock.Span{}, message)
	return false
}

// placeOf is where a node stands in what encloses it.
func placeOf(n *syntax.Node) penstock.Span {
	if n.AliasSpan.End > 0 {
		return n.AliasSpan
	}
	return n.Span
}

// whole is an entry from its key to the end of its value.
func whole(e syntax.Entry) penstock.Span {
	return penstock.Span{Start: placeOf(e.Key).Start, End: max(placeOf(e.Key).End, placeOf(e.Value).End)}
}

// entries are those of a mapping, with its merge keys followed. Duplicate keys are
// noted: overridden are the indexes of all but the last of each.
func (r *reader) entries(n *syntax.Node) (all []syntax.Entry, overridden map[int]bool) {
	all = n.Entries
	for _, e := range n.Entries {
		if e.IsMerge() {
			if !r.merges {
				r.note(NoteMerge, placeOf(e.Key), penstock.Span{}, "a merge key")
			}
			all = n.Merged()
			break
		}
	}
	if !repeats(all) {
		return all, nil
	}
	overridden = map[int]bool{}
	last := make(map[string]int, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		key := all[i].Key
		if key.Kind != syntax.Scalar {
			continue
		}
		if j, ok := last[key.Value]; ok {
			overridden[i] = true
			r.note(NoteDuplicate, placeOf(key), placeOf(all[j].Key), "the key is there twice")
			continue
		}
		last[key.Value] = i
	}
	return all, overridden
}

// repeats reports whether a key may be there twice; it is exact for few entries.
func repeats(all []syntax.Entry) bool {
	const few = 16
	if len(all) > few {
		return true
	}
	for i := range all {
		for j := range i {
			if all[i].Key.Value == all[j].Key.Value {
				return true
			}
		}
	}
	return false
}

// fields offers every entry of a mapping to take, the last of each key. What it
// does not take goes to extra.
func (r *reader) fields(n *syntax.Node, extra *[]Field, take func(key string, e syntax.Entry) bool) {
	if n.IsNull() {
		return
	}
	if n.Kind != syntax.Mapping {
		r.wrong(n, "a map of keys is expected here")
		*extra = append(*extra, Field{Value: r.data(penstock.Span{}, n)})
		return
	}
	all, overridden := r.entries(n)
	for i, e := range all {
		if overridden[i] || e.Key.Kind != syntax.Scalar || !take(e.Key.Value, e) {
			*extra = append(*extra, r.field(e))
		}
	}
}

func (r *reader) field(e syntax.Entry) Field {
	f := Field{Value: r.data(placeOf(e.Key), e.Value)}
	if e.Key.Kind == syntax.Scalar {
		f.Name = r.scalar(penstock.Span{}, e.Key)
	} else {
		r.note(NoteType, placeOf(e.Key), penstock.Span{}, "a key must be a single value")
	}
	return f
}

// scalarUnit is how many bytes of a text count as much as a value.
const scalarUnit = 64

// spend takes n from what may still be made, and reports whether that was left.
func (r *reader) spend(n int) bool {
	if r.left < 0 {
		return true
	}
	if r.left > 0 && r.left <= n {
		r.note(NoteLimit, r.p.Span, penstock.Span{}, "the merged pipeline is too large: what is left of it was not read")
	}
	r.left = max(r.left-n, 0)
	return r.left > 0
}

// scalar makes a text of a scalar.
func (r *reader) scalar(key penstock.Span, n *syntax.Node) Text {
	t := Text{Span: n.Span, Key: key, Alias: n.AliasSpan, Plain: n.Style == syntax.Plain}
	if n.IsNull() || !r.spend(1+len(n.Value)/scalarUnit) {
		return t
	}
	t.Value, t.Map = n.Value, n.Map
	t.Parts = r.find(n.Value)
	for i := range t.Parts {
		t.Parts[i].Span = t.At(t.Parts[i].From, t.Parts[i].To)
		if t.Parts[i].Open {
			r.note(NoteExpression, t.Parts[i].Span, penstock.Span{}, "an expression without an end")
		}
	}
	return t
}

// text takes a single value.
func (r *reader) text(to *Text, e syntax.Entry) bool {
	if e.Value.Kind != syntax.Scalar {
		return r.wrong(e.Value, "a single value is expected here")
	}
	*to = r.scalar(placeOf(e.Key), e.Value)
	return true
}

// texts takes a single value or a list of them.
func (r *reader) texts(to *[]Text, e syntax.Entry) bool {
	key := placeOf(e.Key)
	switch {
	case e.Value.IsNull():
		return true
	case e.Value.Kind == syntax.Scalar:
		*to = append(*to, r.scalar(key, e.Value))
		return true
	case e.Value.Kind != syntax.Sequence:
		return r.wrong(e.Value, "a single value or a list is expected here")
	}
	good := true
	for _, n := range e.Value.Items {
		if n.Kind == syntax.Scalar {
			*to = append(*to, r.scalar(key, n))
		} else {
			good = r.wrong(n, "a single value is expected here")
		}
	}
	return good
}

// list offers every item of a list to take.
func (r *reader) list(e syntax.Entry, take func(n *syntax.Node)) bool {
	if e.Value.IsNull() {
		return true
	}
	if e.Value.Kind != syntax.Sequence {
		return r.wrong(e.Value, "a list is expected here")
	}
	for _, n := range e.Value.Items {
		take(n)
	}
	return true
}

// each offers every entry of a map of names to take. It is for maps whose keys the
// user chooses: all entries are offered, duplicates too.
func (r *reader) each(e syntax.Entry, take func(name Text, e syntax.Entry)) bool {
	if e.Value.IsNull() {
		return true
	}
	if e.Value.Kind != syntax.Mapping {
		return r.wrong(e.Value, "a map of names is expected here")
	}
	all, _ := r.entries(e.Value)
	good := true
	for _, e := range all {
		if e.Key.Kind != syntax.Scalar {
			good = r.wrong(e.Key, "a key must be a single value")
			continue
		}
		take(r.scalar(penstock.Span{}, e.Key), e)
	}
	return good
}

// data takes a value of any shape.
func (r *reader) data(key penstock.Span, n *syntax.Node) Data {
	d := Data{Span: placeOf(n), Key: key}
	if n.Kind != syntax.Scalar && !r.spend(1) {
		return d
	}
	switch n.Kind {
	case syntax.Scalar:
		d.Kind = DataScalar
		d.Text = r.scalar(key, n)
	case syntax.Sequence:
		d.Kind = DataList
		for _, c := range n.Items {
			d.Items = append(d.Items, r.data(penstock.Span{}, c))
		}
	case syntax.Mapping:
		d.Kind = DataMap
		all, _ := r.entries(n)
		for _, e := range all {
			d.Fields = append(d.Fields, r.field(e))
		}
	}
	return d
}

// any takes a value of any shape.
func (r *reader) any(to *Data, e syntax.Entry) bool {
	*to = r.data(placeOf(e.Key), e.Value)
	return true
}

// variables takes a map of single values, or an expression in its place. Values of
// another shape are kept as they are, with a note.
func (r *reader) variables(to *Data, e syntax.Entry) bool {
	if e.Value.Kind == syntax.Sequence || e.Value.Kind == syntax.Scalar && !e.Value.IsNull() {
		r.wrong(e.Value, "a map of names is expected here")
	}
	for _, v := range e.Value.Entries {
		if !v.IsMerge() && (v.Value.Kind == syntax.Sequence || v.Value.Kind == syntax.Mapping) {
			r.wrong(v.Value, "a single value is expected here")
		}
	}
	return r.any(to, e)
}
