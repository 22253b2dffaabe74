package pipeline

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ValueKind is the kind of a value of an expression.
type ValueKind uint8

// The kinds. The zero Value is unknown and depends on nothing that has a name.
const (
	KindUnknown ValueKind = iota
	KindNull
	KindBoolean
	KindNumber
	KindString
	KindArray
	KindObject
)

// Truth is the answer to a condition.
type Truth uint8

// The three answers.
const (
	Undecided Truth = iota
	True
	False
)

func (t Truth) String() string { return [...]string{"undecided", "true", "false"}[t] }

// Not is the opposite answer.
func (t Truth) Not() Truth { return [...]Truth{Undecided, False, True}[t] }

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Value is what an expression comes to: a known value, or an unknown one with
// what is known of it and the contexts on which it depends. Values are immutable.
type Value struct {
	kind   ValueKind
	truth  Truth // of an unknown value
	bool   bool
	number float64
	string string
	// array and object are pointers since two of them are equal only when they are
	// the same one.
	array  *[]Value
	object *[]Member

	u *unknown
}

// Member is one entry of an object.
type Member struct {
	Name  string
	Value Value
}

// unknown is what is known of an unknown value.
type unknown struct {
	depends []string // sorted
	kind    ValueKind
	// prefix and suffix are the known ends of a string.
	prefix, suffix string
	// oneOf are all values that it can have; nil if that is not known.
	oneOf []Value
	// foreign: a string that no pipeline spells out, but for those of exceptBots.
	foreign, exceptBots bool
	// is is the context whose value this is, unchanged; notIs one whose value it is not,
	// and notText a text that it is not.
	is             string
	notIs, notText string
	// bounded: a number that is at least least.
	bounded bool
	least   float64
	problem string
}

// Null is null.
func Null() Value { return Value{kind: KindNull} }

// Boolean is true or false.
func Boolean(b bool) Value { return Value{kind: KindBoolean, bool: b} }

// Number is a number.
func Number(f float64) Value { return Value{kind: KindNumber, number: f} }

// String is a string.
func String(s string) Value { return Value{kind: KindString, string: s} }

// Array is an array, equal to no other.
func Array(items ...Value) Value { return Value{kind: KindArray, array: &items} }

// Object is an object, equal to no other. Of members whose names differ in case
// only the first counts.
func Object(members ...Member) Value { return Value{kind: KindObject, object: &members} }

// Unknown is a value of which nothing is known but the contexts that it depends on.
func Unknown(depends ...string) Value {
	return Value{u: &unknown{depends: union(nil, depends)}}
}

// UnknownString is an unknown string with known ends, such as refs/pull/ and
// /merge.
func UnknownString(prefix, suffix string, depends ...string) Value {
	v := Value{u: &unknown{depends: union(nil, depends), kind: KindString, prefix: prefix, suffix: suffix}}
	if prefix+suffix != "" {
		v.truth = True
	}
	return v
}

// OneOf is a value that is one of those given.
func OneOf(values []Value, depends ...string) Value {
	if len(values) == 1 {
		return values[0]
	}
	v := Value{u: &unknown{depends: union(nil, depends), oneOf: values}}
	for i, a := range values {
		if i == 0 {
			v.truth, v.u.kind = a.Truth(), a.kind
			continue
		}
		if a.Truth() != v.truth {
			v.truth = Undecided
		}
		if a.kind != v.u.kind {
			v.u.kind = KindUnknown
		}
	}
	return v
}

// Foreign is a string that equals none that is written in a pipeline: the login
// of a stranger, whom no list of maintainers names. With exceptBots, names that
// end in [bot] are left open, where another account can be made to appear.
func Foreign(exceptBots bool, depends ...string) Value {
	return Value{truth: True, u: &unknown{depends: union(nil, depends), kind: KindString, foreign: true, exceptBots: exceptBots}}
}

// AtLeast is an unknown number that is not below a bound above 0.
func AtLeast(least float64, depends ...string) Value {
	return Value{truth: True, u: &unknown{depends: union(nil, depends), kind: KindNumber, bounded: true, least: least}}
}

// NonEmpty is an unknown string with more in it than white space.
func NonEmpty(depends ...string) Value {
	return Value{truth: True, u: &unknown{depends: union(nil, depends), kind: KindString}}
}

func unknownBoolean(depends []string) Value {
	return Value{u: &unknown{depends: depends, kind: KindBoolean}}
}

func failed(problem string, depends []string) Value {
	return Value{u: &unknown{depends: depends, problem: problem}}
}

// Kind is the kind, KindUnknown for an unknown value.
func (v Value) Kind() ValueKind { return v.kind }

// Known reports whether the value is known.
func (v Value) Known() bool { return v.kind != KindUnknown }

// Text is the value as it stands in a text, and whether it is known. Arrays and
// objects have no text but "Array" and "Object".
func (v Value) Text() (string, bool) { return v.text(), v.Known() }

// Depends are the contexts that an unknown value depends on, sorted, in the normal
// form of ContextPath; functions are among them as "success()".
func (v Value) Depends() []string {
	if v.u == nil {
		return nil
	}
	return v.u.depends
}

// Problem is why the evaluation fails at the forge; empty if it does not. A value
// with a problem is unknown.
func (v Value) Problem() string {
	if v.u == nil {
		return ""
	}
	return v.u.problem
}

// Truth is what the value means as a condition. It may be known although the value
// is not: x && ” is never true.
func (v Value) Truth() Truth {
	switch v.kind {
	case KindUnknown:
		return v.truth
	case KindNull:
		return False
	case KindBoolean:
		return truthOf(v.bool)
	case KindNumber:
		return truthOf(v.number != 0 && v.number == v.number)
	case KindString:
		return truthOf(v.string != "")
	}
	return True
}

func (v Value) primitive() bool { return v.kind >= KindNull && v.kind <= KindString }

// size is the length of the text in v, in bytes.
func (v Value) size() int {
	if v.u != nil {
		return len(v.u.prefix) + len(v.u.suffix)
	}
	return len(v.string)
}

// static is the kind that the value has, or will have, as far as it is known.
func (v Value) static() ValueKind {
	if v.kind == KindUnknown && v.u != nil {
		return v.u.kind
	}
	return v.kind
}

// maxDepends bounds how many contexts a value names.
const maxDepends = 64

// union is the sorted union of a, which is sorted, and b.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxDepends)]
}

func dependsOf(values ...Value) []string {
	var out []string
	for _, v := range values {
		out = union(out, v.Depends())
		if v.kind == KindArray {
			for _, item := range *v.array {
				out = union(out, item.Depends())
			}
		}
	}
	return out
}

// text converts to a string as the forge does.
func (v Value) text() string {
	switch v.kind {
	case KindBoolean:
		return strconv.FormatBool(v.bool)
	case KindNumber:
		return numberText(v.number)
	case KindString:
		return v.string
	case KindArray:
		return "Array"
	case KindObject:
		return "Object"
	}
	return ""
}

// numberText writes 15 significant digits, with an exponent for what is large or
// small.
func numberText(f float64) string {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	s := strconv.FormatFloat(f, 'e', 14, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	n, _ := strconv.Atoi(exponent)
	if n < -5 || n >= 15 {
		return strings.TrimSuffix(strings.TrimRight(mantissa, "0"), ".") + "E" + exponent
	}
	s = strconv.FormatFloat(f, 'f', max(0, 14-n), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// toNumber converts to a number as the forge does.
func (v Value) toNumber() float64 {
	switch v.kind {
	case KindNull:
		return 0
	case KindBoolean:
		if v.bool {
			return 1
		}
		return 0
	case KindNumber:
		return v.number
	case KindString:
		return parseNumber(v.string)
	}
	return math.NaN()
}

func parseWordNumber(word string) float64 {
	switch word {
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	return math.NaN()
}

// parseNumber reads a number as documented, and hexadecimal and octal; NaN for
// anything else and 0 for nothing.
func parseNumber(s string) float64 {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || len(digits) > 400 {
		return math.NaN()
	}
	if digits == "" || digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') {
		return parseWordNumber(s)
	}
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'o') {
		base := 16
		if s[1] == 'o' {
			base = 8
		}
		// The forge reads 32 bits, of which the first is the sign.
		n, err := strconv.ParseUint(s[2:], base, 32)
		if err != nil {
			return math.NaN()
		}
		return float64(int32(uint32(n)))
	}
	for i := 0; i < len(digits); i++ {
		if c := digits[i]; (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return math.NaN() // what only Go takes for a number
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// fold maps letters as the forge's comparison that ignores case: one character
// to one, and none to a letter of ASCII that was not one.
func fold(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < 0x80
	}
	if ascii {
		return strings.ToUpper(s)
	}
	return strings.Map(func(r rune) rune {
		if r == 'ı' || r == 'ſ' {
			return r
		}
		return unicode.ToUpper(r)
	}, s)
}

// equalValues compares two known values as == does.
func equalValues(a, b Value) bool {
	if a.kind == b.kind {
		switch a.kind {
		case KindNull:
			return true
		case KindBoolean:
			return a.bool == b.bool
		case KindNumber:
			return a.number == b.number
		case KindString:
			return a.string == b.string || len(a.string) > 0 && len(b.string) > 0 && fold(a.string) == fold(b.string)
		case KindArray:
			return a.array == b.array
		case KindObject:
			return a.object == b.object
		}
	}
	if !a.primitive() || !b.primitive() {
		return false
	}
	return a.toNumber() == b.toNumber()
}

// lessValues compares two known values as < does.
func lessValues(a, b Value) bool {
	switch {
	case !a.primitive() || !b.primitive():
		return false
	case a.kind == KindString && b.kind == KindString:
		return fold(a.string) < fold(b.string)
	}
	return a.toNumber() < b.toNumber()
}

// member finds a member of an object, whatever the case of its name.
func (v Value) member(name string) (Value, bool) {
	if v.kind != KindObject {
		return Value{}, false
	}
	name = fold(name)
	for _, m := range *v.object {
		if fold(m.Name) == name {
			return m.Value, true
		}
	}
	return Value{}, false
}

// item finds an item of an array by a known index.
func (v Value) item(index Value) (Value, bool) {
	if v.kind != KindArray {
		return Value{}, false
	}
	f := index.toNumber()
	if !(f >= 0) || f >= float64(len(*v.array)) {
		return Value{}, false
	}
	return (*v.array)[int(f)], true
}

// fromJSON reads JSON. Depth, items and length are bounded by the caller's budget.
func fromJSON(text string, budget *int) (Value, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, ok := readJSON(d, budget, 0)
	if !ok {
		return Value{}, false
	}
	if _, err := d.Token(); err == nil {
		return Value{}, false // more text
	}
	return v, true
}

func readJSON(d *json.Decoder, budget *int, depth int) (Value, bool) {
	if *budget--; *budget < 0 || depth > maxExpressionDepth {
		return Value{}, false
	}
	t, err := d.Token()
	if err != nil {
		return Value{}, false
	}
	switch t := t.(type) {
	case nil:
		return Null(), true
	case bool:
		return Boolean(t), true
	case json.Number:
		f, err := t.Float64()
		return Number(f), err == nil || math.IsInf(f, 0)
	case string:
		return String(t), true
	case json.Delim:
		if t == '[' {
			var items []Value
			for d.More() {
				v, ok := readJSON(d, budget, depth+1)
				if !ok {
					return Value{}, false
				}
				items = append(items, v)
			}
			_, err := d.Token()
			return Array(items...), err == nil
		}
		var members []Member
		index := map[string]int{}
		for d.More() {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return Value{}, false
			}
			v, ok := readJSON(d, budget, depth+1)
			if !ok {
				return Value{}, false
			}
			// The last of a repeated name wins, in the place of the first.
			if i, ok := index[fold(name)]; ok {
				members[i].Value = v
				continue
			}
			index[fold(name)] = len(members)
			members = append(members, Member{name, v})
		}
		_, err := d.Token()
		return Object(members...), err == nil
	}
	return Value{}, false
}

// toJSON writes a known value as toJSON does, indented by two spaces; ok is false
// if a part of it is unknown or it is longer than limit bytes.
func (v Value) toJSON(limit int) (string, bool) {
	var b strings.Builder
	ok := v.writeJSON(&b, "\n", limit)
	return b.String(), ok && b.Len() <= limit
}

func (v Value) writeJSON(b *strings.Builder, line string, limit int) bool {
	if b.Len() > limit || len(line) > 2*maxExpressionDepth+2 {
		return false
	}
	switch v.kind {
	case KindUnknown:
		return false
	case KindNull:
		b.WriteString("null")
	case KindString:
		if len(v.string) > limit {
			return false
		}
		var quoted strings.Builder
		e := json.NewEncoder(&quoted)
		e.SetEscapeHTML(false)
		if e.Encode(v.string) != nil {
			return false
		}
		b.WriteString(strings.TrimSuffix(quoted.String(), "\n"))
	case KindArray:
		if len(*v.array) == 0 {
			b.WriteString("[]")
			return true
		}
		b.WriteByte('[')
		for i, item := range *v.array {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(line + "  ")
			if !item.writeJSON(b, line+"  ", limit) {
				return false
			}
		}
		b.WriteString(line + "]")
	case KindObject:
		if len(*v.object) == 0 {
			b.WriteString("{}")
			return true
		}
		b.WriteByte('{')
		for i, m := range *v.object {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(line + "  ")
			if !String(m.Name).writeJSON(b, line, limit) {
				return false
			}
			b.WriteString(": ")
			if !m.Value.writeJSON(b, line+"  ", limit) {
				return false
			}
		}
		b.WriteString(line + "}")
	default:
		b.WriteString(v.text())
	}
	return true
}
