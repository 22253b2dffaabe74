package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The rule files are YAML, so that people and editors can work with them, and keep
// to a part of it that is read here line by line: maps, lists, lists and maps in one
// line, texts without escapes, | and >-. The whole of YAML took 8 to 16 ms at each
// start, this takes about two. TestPlainIsYAML compares the two.

// plainNode is one value. A map has as many keys as items, a list none. A text after
// | is as in the file, with its indentation: see dedent.
type plainNode struct {
	text  string
	keys  []string
	items []plainNode
}

// plainReader reads the lines of a text.
type plainReader struct {
	text string
	// line is the one to read next, without its end; end is where that stands, and
	// number counts lines from 1.
	line   string
	end    int
	number int
}

func readPlain(text string) (plainNode, error) {
	r := plainReader{text: text, end: -1}
	r.next()
	n, err := r.block(0)
	if err == nil && r.skip() {
		err = errors.New("indented less or more than what is around it")
	}
	if err != nil {
		return plainNode{}, fmt.Errorf("line %d: %w", r.number, err)
	}
	return n, nil
}

// next goes to the next line. Behind the last one, end is beyond the text.
func (r *plainReader) next() {
	start := r.end + 1
	r.number++
	if start >= len(r.text) {
		r.line, r.end = "", len(r.text)
		return
	}
	if i := strings.IndexByte(r.text[start:], '\n'); i >= 0 {
		r.end = start + i
	} else {
		r.end = len(r.text)
	}
	r.line = r.text[start:r.end]
}

func (r *plainReader) more() bool { return r.line != "" || r.end < len(r.text) }

// skip goes to the next line that is neither empty nor a comment.
func (r *plainReader) skip() bool {
	for ; r.more(); r.next() {
		if in := indentOf(r.line); in < len(r.line) && r.line[in] != '#' {
			return true
		}
	}
	return false
}

func indentOf(line string) int {
	i := 0
	for i < len(line) && line[i] == ' ' {
		i++
	}
	return i
}

// block reads the map or list whose lines are indented by indent.
func (r *plainReader) block(indent int) (plainNode, error) {
	var n plainNode
	for r.skip() && indentOf(r.line) == indent {
		line := r.line[indent:]
		if rest, ok := strings.CutPrefix(line, "- "); ok {
			if len(n.keys) > 0 {
				return n, errors.New("item of a list in a map")
			}
			var item plainNode
			var err error
			if _, _, isMap := plainKey(rest); isMap {
				// The first key of a map stands behind the dash.
				r.line = strings.Repeat(" ", indent+2) + rest
				item, err = r.block(indent + 2)
			} else {
				r.next()
				item, err = plainScalar(rest)
			}
			if err != nil {
				return n, err
			}
			n.items = append(n.items, item)
			continue
		}
		key, rest, ok := plainKey(line)
		if !ok || len(n.items) > len(n.keys) {
			return n, errors.New("not a key with its value")
		}
		if slices.Contains(n.keys, key) {
			return n, fmt.Errorf("key %s twice", key)
		}
		r.next()
		var value plainNode
		var err error
		switch rest {
		case "|":
			value.text, err = r.literal(indent)
		case ">-":
			value.text, err = r.folded(indent)
		case "":
			if !r.skip() || indentOf(r.line) <= indent {
				return n, fmt.Errorf("key %s without a value", key)
			}
			value, err = r.block(indentOf(r.line))
		default:
			value, err = plainScalar(rest)
		}
		if err != nil {
			return n, err
		}
		n.keys = append(n.keys, key)
		n.items = append(n.items, value)
	}
	return n, nil
}

// plainKey splits "key: value". A key has no blank and no quotes.
func plainKey(line string) (key, rest string, ok bool) {
	if key, ok = strings.CutSuffix(line, ":"); ok && !strings.ContainsAny(key, " '\"[{") {
		return key, "", true
	}
	key, rest, ok = strings.Cut(line, ": ")
	if !ok || strings.ContainsAny(key, " '\"[{") {
		return "", "", false
	}
	return key, strings.Trim(rest, " "), true
}

// literal returns the lines below a key at indent as they are.
func (r *plainReader) literal(indent int) (string, error) {
	start, end, own := r.end-len(r.line), r.end-len(r.line), 0
	for ; r.more(); r.next() {
		in := indentOf(r.line)
		if in == len(r.line) {
			continue // empty
		}
		if in <= indent {
			break
		}
		if own == 0 {
			own = in
		}
		if in < own {
			return "", errors.New("text indented less than its first line")
		}
		end = min(r.end+1, len(r.text))
	}
	return r.text[start:end], nil
}

func (r *plainReader) folded(indent int) (string, error) {
	s, err := r.literal(indent)
	s = dedent(s)
	if strings.HasPrefix(s, "\n") || strings.Contains(s, "\n\n") || strings.Contains(s, "\n ") {
		return "", errors.New("folded text of more than one paragraph")
	}
	return strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", " "), err
}

// dedent takes off each line of a literal as much indentation as the first has.
func dedent(text string) string {
	in := indentOf(strings.TrimLeft(text, "\n"))
	var b strings.Builder
	b.Grow(len(text))
	for l := range strings.Lines(text) {
		b.WriteString(l[min(in, len(l)-1):])
	}
	return b.String()
}

// plainScalar reads what stands in one line: a text, [a, b] or {k: v}.
func plainScalar(s string) (n plainNode, err error) {
	switch {
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		for part := range strings.SplitSeq(s[1:len(s)-1], ",") {
			if part = strings.Trim(part, " "); part == "" && len(s) == 2 {
				break
			}
			item, err := plainScalar(part)
			if err != nil {
				return n, err
			}
			n.items = append(n.items, item)
		}
	case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}"):
		for part := range strings.SplitSeq(s[1:len(s)-1], ",") {
			key, rest, ok := plainKey(strings.Trim(part, " "))
			if !ok {
				return n, errors.New("not a key with its value")
			}
			item, err := plainScalar(rest)
			if err != nil {
				return n, err
			}
			n.keys = append(n.keys, key)
			n.items = append(n.items, item)
		}
	case len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]:
		n.text = s[1 : len(s)-1]
		if strings.ContainsAny(n.text, `"'\`) {
			err = errors.New("text with escapes")
		}
	case strings.ContainsAny(s[:min(1, len(s))], "\"'[]{}|>&*!%@`,?#-") || strings.Contains(s, " #") || strings.Contains(s, ": "):
		err = errors.New("text that needs quotes")
	default:
		n.text = s
	}
	return n, err
}

// plainDecoder takes values out of nodes and keeps the first error.
type plainDecoder struct{ err error }

func (d *plainDecoder) fail(where, what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %s", where, what)
	}
}

// known fails on keys that are none of those.
func (d *plainDecoder) known(n plainNode, keys ...string) {
	for _, k := range n.keys {
		if !slices.Contains(keys, k) {
			d.fail(d.get(n, "id").text, "unknown key "+k)
		}
	}
}

func (d *plainDecoder) get(n plainNode, key string) plainNode {
	if i := slices.Index(n.keys, key); i >= 0 {
		return n.items[i]
	}
	return plainNode{}
}

func (d *plainDecoder) texts(n plainNode, key string) []string {
	var all []string
	for _, i := range d.get(n, key).items {
		all = append(all, i.text)
	}
	return all
}

func (d *plainDecoder) pairs(n plainNode, key string) map[string]string {
	v := d.get(n, key)
	if len(v.keys) == 0 {
		return nil
	}
	all := make(map[string]string, len(v.keys))
	for i, k := range v.keys {
		all[k] = v.items[i].text
	}
	return all
}
