package report

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"penstock"
)

// normal stands before every format and hands it records that are valid UTF-8:
// paths in the escaped form of EscapePath, other text with U+FFFD for each
// byte that is not UTF-8. So a report made from a run and one made later from
// its stream are the same.
type normal struct {
	next Sink
	w    rewriter
}

func newNormal(next Sink) *normal { return &normal{next, newRewriter(EscapePath, validText)} }

func (n *normal) Close() error { return n.next.Close() }

func (n *normal) Record(r penstock.Record) error {
	return n.next.Record(n.w.rewrite(r))
}

// EscapePath makes a path printable as UTF-8 and is undone by UnescapePath: a
// byte that is not part of valid UTF-8 becomes \xHH with lower-case digits, and
// so does a backslash that already stands before such a sequence. Nearly every
// path is its own escaped form.
func EscapePath(path string) string {
	if utf8.ValidString(path) && !strings.Contains(path, `\x`) {
		return path
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(path); {
		r, size := utf8.DecodeRuneInString(path[i:])
		if r == utf8.RuneError && size == 1 || r == '\\' && isEscape(path[i:]) {
			b.WriteString(`\x`)
			b.WriteByte(digits[path[i]>>4])
			b.WriteByte(digits[path[i]&15])
			i++
			continue
		}
		b.WriteString(path[i : i+size])
		i += size
	}
	return b.String()
}

// UnescapePath returns the path that EscapePath was given.
func UnescapePath(path string) string {
	if !strings.Contains(path, `\x`) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); {
		if isEscape(path[i:]) {
			b.WriteByte(unhex(path[i+2])<<4 | unhex(path[i+3]))
			i += 4
			continue
		}
		b.WriteByte(path[i])
		i++
	}
	return b.String()
}

func isEscape(s string) bool {
	return len(s) >= 4 && s[0] == '\\' && s[1] == 'x' && unhex(s[2]) < 16 && unhex(s[3]) < 16
}

// unhex returns the value of a lower-case hexadecimal digit, 16 for others.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// validText replaces each byte that is not UTF-8, as encoding/json does.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// validLine is validText for a line of a snippet, whose markers move with it.
func validLine(l penstock.SnippetLine) penstock.SnippetLine {
	start, end := clampMarks(l)
	head, mark, tail := validText(l.Text[:start]), validText(l.Text[start:end]), validText(l.Text[end:])
	l.Text = head + mark + tail
	l.MarkStart, l.MarkEnd = len(head), len(head)+len(mark)
	if start == end {
		l.MarkStart, l.MarkEnd = 0, 0
	}
	return l
}

// clampMarks returns the markers of a line, moved to lie in order within its
// text and on whole characters, whatever the stream says.
func clampMarks(l penstock.SnippetLine) (start, end int) {
	start = max(0, min(l.MarkStart, len(l.Text)))
	end = max(start, min(l.MarkEnd, len(l.Text)))
	for start > 0 && start < len(l.Text) && !utf8.RuneStart(l.Text[start]) {
		start--
	}
	for end < len(l.Text) && !utf8.RuneStart(l.Text[end]) {
		end++
	}
	return start, end
}

// rewrite returns r with every path and every other string put through a
// function. Records that neither changes are returned as they are; others are
// copied, since a sink must not change what it is given.
func (w rewriter) rewrite(r penstock.Record) penstock.Record {
	v := reflect.ValueOf(r)
	if !w.changes(v, false) {
		return r
	}
	return w.copy(v, false).Interface().(penstock.Record)
}

// rewriter puts the strings of records through functions.
type rewriter struct {
	path, text func(string) string
	// fields are the fields of each struct type that can hold a string: most hold
	// none, and reflection is slow at telling.
	fields map[reflect.Type][]textField
}

// textField is a field that can hold a string.
type textField struct {
	index  int
	isPath bool
}

func newRewriter(path, text func(string) string) rewriter {
	return rewriter{path, text, make(map[reflect.Type][]textField)}
}

func (w rewriter) str(s string, isPath bool) string {
	if isPath {
		return w.path(s)
	}
	return w.text(s)
}

// pathField names the fields of the vocabulary that hold paths.
func pathField(name string) bool { return name == "Path" || name == "Place" || name == "Roots" }

// holdsText reports whether a value of the type can hold a string.
func (w rewriter) holdsText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Map, reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice:
		return w.holdsText(t.Elem())
	case reflect.Struct:
		return len(w.textFields(t)) > 0
	}
	return false
}

func (w rewriter) textFields(t reflect.Type) []textField {
	fields, known := w.fields[t]
	if known {
		return fields
	}
	w.fields[t] = []textField{{}} // one that holds itself
	for i := range t.NumField() {
		if f := t.Field(i); w.holdsText(f.Type) {
			fields = append(fields, textField{i, pathField(f.Name)})
		}
	}
	w.fields[t] = fields
	return fields
}

func (w rewriter) changes(v reflect.Value, isPath bool) bool {
	switch v.Kind() {
	case reflect.String:
		return w.str(v.String(), isPath) != v.String()
	case reflect.Pointer:
		return !v.IsNil() && w.changes(v.Elem(), isPath)
	case reflect.Slice:
		if v.Len() == 0 || !w.holdsText(v.Type().Elem()) {
			return false
		}
		for i := range v.Len() {
			if w.changes(v.Index(i), isPath) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if w.changes(it.Key(), isPath) || w.changes(it.Value(), isPath) {
				return true
			}
		}
	case reflect.Struct:
		for _, f := range w.textFields(v.Type()) {
			if w.changes(v.Field(f.index), f.isPath) {
				return true
			}
		}
	}
	return false
}

func (w rewriter) copy(v reflect.Value, isPath bool) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(w.str(v.String(), isPath))
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out.Set(w.copy(v.Elem(), isPath).Addr())
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(w.copy(v.Index(i), isPath))
		}
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(w.copy(it.Key(), isPath), w.copy(it.Value(), isPath))
		}
	case reflect.Struct:
		if l, ok := v.Interface().(penstock.SnippetLine); ok {
			l = validLine(l)
			out.Set(reflect.ValueOf(l))
			return out
		}
		for i := range v.NumField() {
			out.Field(i).Set(w.copy(v.Field(i), pathField(v.Type().Field(i).Name)))
		}
	default:
		return v
	}
	return out
}
