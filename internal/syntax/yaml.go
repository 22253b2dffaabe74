package syntax

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"penstock"
)

// Keys maps the dotted path of every key that a document sets, such as
// "scan.limits.file-size", to the line it stands on.
type Keys map[string]int

// maxProblems bounds how many errors of one document are reported.
const maxProblems = 20

// DecodeYAML reads the one YAML document of data into the struct that into
// points to, by its yaml tags, and leaves alone what the document does not set.
//
// It is strict, because a mistyped key in a security policy must not read as
// "not set": an unknown or repeated key, a value of the wrong kind, an alias and
// a second document are errors. Each is a *penstock.Error whose message begins
// with "path:line:"; several come joined. The cost is linear in len(data); the
// caller bounds that.
func DecodeYAML(path string, data []byte, into any) (Keys, error) {
	keys := Keys{}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		return nil, &penstock.Error{
			Message: path + lineOf(err),
			Hint:    "check indentation and quotes near that line",
		}
	}
	w := walker{path: path, keys: keys}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		w.problem(doc.Line, "more than one YAML document", "keep one document in the file")
	}
	w.value(doc.Content[0], reflect.ValueOf(into).Elem(), "")
	return keys, errors.Join(w.problems...)
}

// lineOf turns the parser's "yaml: line 3: did not find ..." into ":3: did not
// find ...". Names from the file are left out.
func lineOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if before, _, ok := strings.Cut(text, "'"); ok && strings.Contains(text, "anchor") {
		text = before + "of an unknown name"
	}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		return ":" + rest
	}
	return ": " + text
}

type walker struct {
	path     string
	keys     Keys
	problems []error
}

func (w *walker) problem(line int, message, hint string) {
	if len(w.problems) >= maxProblems {
		return
	}
	w.problems = append(w.problems, &penstock.Error{
		Message: fmt.Sprintf("%s:%d: %s", w.path, line, message),
		Hint:    hint,
	})
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func (w *walker) value(n *yaml.Node, v reflect.Value, at string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		w.problem(n.Line, "anchors and aliases are not supported here", "write the value out")
		return
	}
	if n.Tag == "!!null" {
		return // "key:" with nothing behind it leaves the default
	}
	if v.CanAddr() && v.Addr().Type().Implements(textUnmarshaler) {
		if w.scalar(n, at) {
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
				message := err.Error()
				if Shown(n.Value) != n.Value {
					message = fmt.Sprintf("%q is not understood", Shown(n.Value))
				}
				w.problem(n.Line, at+": "+message, "")
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.object(n, v, at)
	case reflect.Map:
		w.dictionary(n, v, at)
	case reflect.Slice:
		w.list(n, v, at)
	case reflect.String:
		if w.scalar(n, at) {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			w.problem(n.Line, at+" must be true or false", "")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if n.Kind != yaml.ScalarNode || err != nil || v.OverflowInt(i) {
			w.problem(n.Line, at+" must be a whole number", "")
			return
		}
		v.SetInt(i)
	default:
		panic("syntax: a configuration struct has a field of type " + v.Type().String())
	}
}

func (w *walker) scalar(n *yaml.Node, at string) bool {
	if n.Kind != yaml.ScalarNode {
		w.problem(n.Line, at+" must be one value, not "+kindName(n.Kind), "")
		return false
	}
	return true
}

func kindName(k yaml.Kind) string {
	if k == yaml.SequenceNode {
		return "a list"
	}
	return "a map"
}

func (w *walker) object(n *yaml.Node, v reflect.Value, at string) {
	if n.Kind != yaml.MappingNode {
		what := at
		if what == "" {
			what = "the file"
		}
		w.problem(n.Line, what+" must be a map of keys", "")
		return
	}
	fields := YAMLFields(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		if seen[name] {
			w.problem(key.Line, fmt.Sprintf("the key %q is there twice", Shown(name)), "keep one of the two")
			continue
		}
		seen[name] = true
		index, ok := fields[name]
		if !ok || key.Kind != yaml.ScalarNode {
			w.unknown(key.Line, name, at, fields)
			continue
		}
		w.keys[join(at, name)] = key.Line
		w.value(value, v.Field(index), join(at, name))
	}
}

func (w *walker) unknown(line int, name, at string, fields map[string]int) {
	names := make([]string, 0, len(fields))
	for f := range fields {
		names = append(names, f)
	}
	slices.Sort(names)
	where := ""
	if at != "" {
		where = " in " + at
	}
	hint := "the keys here are: " + strings.Join(names, ", ")
	if near := Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	w.problem(line, fmt.Sprintf("unknown key %q%s", Shown(name), where), hint)
}

func (w *walker) dictionary(n *yaml.Node, v reflect.Value, at string) {
	if n.Kind != yaml.MappingNode {
		w.problem(n.Line, at+" must be a map of names to values", "")
		return
	}
	m := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key())
		if m.MapIndex(key).IsValid() {
			w.problem(n.Content[i].Line, fmt.Sprintf("the key %q is there twice", Shown(n.Content[i].Value)), "keep one of the two")
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		below := join(at, Shown(n.Content[i].Value))
		w.keys[below] = n.Content[i].Line
		w.value(n.Content[i+1], item, below)
		m.SetMapIndex(key, item)
	}
	v.Set(m)
}

func (w *walker) list(n *yaml.Node, v reflect.Value, at string) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = fmt.Sprintf("write [%s]", Shown(n.Value))
		}
		w.problem(n.Line, at+" must be a list", hint)
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		item := fmt.Sprintf("%s[%d]", at, i)
		w.keys[item] = c.Line
		w.value(c, list.Index(i), item)
	}
	v.Set(list)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// Shown cuts a name or value from a file down to what a message may show: text
// that is long or full of digits may be a secret in the wrong place, of which at
// most four characters are shown.
func Shown(s string) string {
	const longest, digits, short, shown = 32, 4, 12, 4
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	if len(s) <= short || len(s) <= longest && n <= digits {
		return s
	}
	return strings.ToValidUTF8(s[:shown], "") + "…"
}

// YAMLFields maps the yaml names of a struct type's fields to their indexes. A
// field without a yaml tag, or with "-", is none of them.
func YAMLFields(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = i
		}
	}
	return fields
}
