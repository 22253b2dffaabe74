package syntax

import (
	"strings"
	"unicode/utf8"
)

// tracer finds where the bytes of a YAML scalar, whose value is known, stand in
// the file. It follows the rules of YAML 1.1 as the reader has them: folding of
// lines, escapes, indentation and chomping of block scalars. Whatever it cannot
// follow turns ok off.
type tracer struct {
	b     []byte
	value string // what the scalar decodes to
	done  int    // how much of value is traced
	ok    bool
	m     TextMap
	// comment is where one begins that stands in a block scalar's header; -1 for none.
	comment int
	breaks  [][2]int
}

// copy says that the bytes [from, to) stand for themselves.
func (t *tracer) copy(from, to int) {
	if !t.ok || from == to {
		return
	}
	n := to - from
	if t.done+n > len(t.value) || t.value[t.done:t.done+n] != string(t.b[from:to]) {
		t.ok = false
		return
	}
	t.done += n
	t.m.Add(n, from, to)
}

// put says that the bytes [from, to) stand for s.
func (t *tracer) put(s string, from, to int) {
	if !t.ok || s == "" {
		return
	}
	if !strings.HasPrefix(t.value[t.done:], s) {
		t.ok = false
		return
	}
	t.done += len(s)
	t.m.Add(len(s), from, to)
}

// putBreak says that the line break [from, to) stands for itself, normalised.
func (t *tracer) putBreak(from, to int) {
	if t.b[from] == 0xE2 {
		t.copy(from, to) // LS and PS stay
		return
	}
	t.put("\n", from, to)
}

// finish reports whether the whole value was traced.
func (t *tracer) finish() bool { return t.ok && t.done == len(t.value) }

// plain traces a plain scalar that begins at at, and returns where it ends.
func (t *tracer) plain(at int) int {
	if n := len(t.value); len(t.b)-at >= n && strings.IndexByte(t.value, '\n') < 0 && string(t.b[at:at+n]) == t.value {
		t.copy(at, at+n) // one line
		return at + n
	}
	for t.ok && t.done < len(t.value) {
		end := at
		for end < len(t.b) && end-at < len(t.value)-t.done && !t.white(end) {
			end++
		}
		t.copy(at, end)
		at = end
		if t.done == len(t.value) {
			break
		}
		if at >= len(t.b) || !t.white(at) {
			t.ok = false
			break
		}
		at = t.fold(at, false)
	}
	return at
}

// white reports whether a blank or a line break is at i.
func (t *tracer) white(i int) bool { return isBlank(t.b[i]) || breakLen(t.b, i) > 0 }

// fold traces the blanks and line breaks between two words of a plain or quoted
// scalar, and returns where the next word begins. After an escaped line break
// further ones are kept as they are.
func (t *tracer) fold(at int, escaped bool) int {
	start := at
	for at < len(t.b) && isBlank(t.b[at]) {
		at++
	}
	n := breakLen(t.b, at)
	if !escaped && n == 0 {
		t.copy(start, at)
		return at
	}
	first := [2]int{at, at}
	if !escaped {
		first[1] = at + n
		at += n
	}
	t.breaks = t.breaks[:0]
	for at < len(t.b) {
		n := breakLen(t.b, at)
		if n > 0 {
			t.breaks = append(t.breaks, [2]int{at, at + n})
		} else if !isBlank(t.b[at]) {
			break
		}
		at += max(n, 1)
	}
	switch {
	case escaped:
	case t.b[first[0]] == 0xE2:
		t.putBreak(first[0], first[1])
	case len(t.breaks) == 0:
		t.put(" ", start, at)
	}
	for _, k := range t.breaks {
		t.putBreak(k[0], k[1])
	}
	return at
}

// quoted traces a quoted scalar whose opening quote is at at, and returns the
// offset after the closing one.
func (t *tracer) quoted(at int) int {
	if at >= len(t.b) || t.b[at] != '"' && t.b[at] != '\'' {
		t.ok = false
		return at
	}
	quote := t.b[at]
	at++
	for t.ok && at < len(t.b) {
		switch c := t.b[at]; {
		case c == quote && quote == '\'' && at+1 < len(t.b) && t.b[at+1] == quote:
			t.put("'", at, at+2)
			at += 2
		case c == quote:
			return at + 1
		case c == '\\' && quote == '"':
			if n := breakLen(t.b, at+1); n > 0 {
				at = t.fold(at+1+n, true)
				continue
			}
			text, n := unescape(t.b[at:])
			t.put(text, at, at+n)
			t.ok = t.ok && n > 0
			at += n
		case t.white(at):
			at = t.fold(at, false)
		default:
			end := at
			for end < len(t.b) && t.b[end] != quote && (t.b[end] != '\\' || quote != '"') && !t.white(end) {
				end++
			}
			t.copy(at, end)
			at = end
		}
	}
	t.ok = false
	return at
}

// unescape decodes the escape sequence that b begins with, and says how long it
// is; 0 for none.
func unescape(b []byte) (text string, length int) {
	if len(b) < 2 {
		return "", 0
	}
	digits := 0
	switch b[1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		text = escapes[b[1]]
		if text == "" {
			return "", 0
		}
		return text, 2
	}
	if len(b) < 2+digits {
		return "", 0
	}
	var r rune
	for _, c := range b[2 : 2+digits] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 {
			return "", 0
		}
		r = r<<4 | rune(d)
	}
	return string(utf8.AppendRune(nil, r)), 2 + digits
}

// escapes are those of one character in a double-quoted scalar (YAML 1.1, 5.6).
var escapes = [256]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f",
	'r': "\r", 'e': "\x1b", ' ': " ", '"': `"`, '\'': "'", '\\': `\`,
	'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// block traces a literal or folded scalar whose indicator is at at, in a
// collection that is indented by parent columns (-1 for none), and returns where
// what belongs to its value ends.
func (t *tracer) block(at, parent int) int {
	if at >= len(t.b) || t.b[at] != '|' && t.b[at] != '>' {
		t.ok = false
		return at
	}
	literal := t.b[at] == '|'
	at++
	chomp, indent := byte(0), 0
	for range 2 {
		if at < len(t.b) && (t.b[at] == '+' || t.b[at] == '-') {
			chomp = t.b[at]
			at++
		} else if at < len(t.b) && t.b[at] >= '1' && t.b[at] <= '9' {
			indent = max(parent, 0) + int(t.b[at]-'0')
			at++
		}
	}
	for at < len(t.b) && isBlank(t.b[at]) {
		at++
	}
	if at < len(t.b) && t.b[at] == '#' {
		t.comment = at
		at = lineEnd(t.b, at)
	}
	header := at
	at += breakLen(t.b, at)

	var first [2]int // the line break after the last line
	leading := false // that line began with a blank
	t.breaks = t.breaks[:0]
	at, column := t.blankLines(at, &indent, parent)
	for t.ok && column == indent && at < len(t.b) {
		trailing := isBlank(t.b[at])
		if !literal && !leading && !trailing && first[1] > first[0] && t.b[first[0]] != 0xE2 {
			if len(t.breaks) == 0 {
				t.put(" ", first[0], first[1])
			}
		} else if first[1] > first[0] {
			t.putBreak(first[0], first[1])
		}
		for _, k := range t.breaks {
			t.putBreak(k[0], k[1])
		}
		t.breaks = t.breaks[:0]
		leading = trailing
		end := lineEnd(t.b, at)
		t.copy(at, end)
		first = [2]int{end, end + breakLen(t.b, end)}
		if first[0] == first[1] {
			break // the end of the file
		}
		at, column = t.blankLines(first[1], &indent, parent)
	}
	if chomp != '-' && first[1] > first[0] {
		t.putBreak(first[0], first[1])
	}
	if chomp == '+' {
		for _, k := range t.breaks {
			t.putBreak(k[0], k[1])
		}
	}
	return max(header, int(t.m.Bounds().End))
}

// blankLines takes the indentation and the empty lines at at, which it appends to
// breaks, and returns the next line's offset after its indentation, and that
// column. An indent of 0 is found out: the deepest that is seen.
func (t *tracer) blankLines(at int, indent *int, parent int) (next, column int) {
	deepest := 0
	for {
		column = 0
		for at < len(t.b) && t.b[at] == ' ' && (*indent == 0 || column < *indent) {
			at++
			column++
		}
		deepest = max(deepest, column)
		n := breakLen(t.b, at)
		if n == 0 {
			break
		}
		t.breaks = append(t.breaks, [2]int{at, at + n})
		at += n
	}
	if *indent == 0 {
		*indent = max(deepest, parent+1, 1)
	}
	return at, column
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// breakLen is the length of the line break at i, as YAML 1.1 has it: CR LF, CR,
// LF, NEL, LS or PS; 0 for none.
func breakLen(b []byte, i int) int {
	if i >= len(b) {
		return 0
	}
	switch b[i] {
	case '\n':
		return 1
	case '\r':
		if i+1 < len(b) && b[i+1] == '\n' {
			return 2
		}
		return 1
	case 0xC2:
		if i+1 < len(b) && b[i+1] == 0x85 {
			return 2
		}
	case 0xE2:
		if i+2 < len(b) && b[i+1] == 0x80 && b[i+2]|1 == 0xA9 {
			return 3
		}
	}
	return 0
}

// lineEnd is the offset of the first line break at i or after it, or the end.
func lineEnd(b []byte, i int) int {
	for i < len(b) && breakLen(b, i) == 0 {
		i++
	}
	return i
}
