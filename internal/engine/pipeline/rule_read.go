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
// start, this takes one. TestPlainIsYAML compares the two.

// plainNode is one value. A map has as many keys as items, a list none.
type plainNode struct {
	text  string
	keys  []string
	items []plainNode
}

// plainReader reads the lines of a file from at on.
type plainReader struct {
	lines []string
	at    int
}

func readPlain(text string) (plainNode, error) {
	r := plainReader{lines: strings.Split(text, "\n")}
	n, err := r.block(0)
	if err == nil && r.skip() {
		err = errors.New("indented less or more than what is around it")
	}
	if err != nil {
		return plainNode{}, fmt.Errorf("line %d: %w", r.at+1, err)
	}
	return n, nil
}

// skip goes to the next line that is neither empty nor a comment.
func (r *plainReader) skip() bool {
	for ; r.at < len(r.lines); r.at++ {
		if t := strings.TrimLeft(r.lines[r.at], " "); t != "" && t[0] != '#' {
			return true
		}
	}
	return false
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// block reads the map or list whose lines are indented by indent.
func (r *plainReader) block(indent int) (plainNode, error) {
	var n plainNode
	for r.skip() && indentOf(r.lines[r.at]) == indent {
		line := r.lines[r.at][indent:]
		if rest, ok := strings.CutPrefix(line, "- "); ok {
			if len(n.keys) > 0 {
				return n, errors.New("item of a list in a map")
			}
			var item plainNode
			var err error
			if _, _, isMap := plainKey(rest); isMap {
				// The first key of a map stands behind the dash.
				r.lines[r.at] = r.lines[r.at][:indent] + "  " + rest
				item, err = r.block(indent + 2)
			} else {
				r.at++
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
		r.at++
		var value plainNode
		var err error
		switch rest {
		case "|":
			value.text, err = r.literal(indent)
		case ">-":
			value.text, err = r.folded(indent)
		case "":
			if !r.skip() || indentOf(r.lines[r.at]) <= indent {
				return n, fmt.Errorf("key %s without a value", key)
			}
			value, err = r.block(indentOf(r.lines[r.at]))
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

// text returns the lines of a text below a key at indent, dedented.
func (r *plainReader) text(indent int) ([]string, error) {
	start, end, own := r.at, r.at, 0
	for ; r.at < len(r.lines); r.at++ {
		line := r.lines[r.at]
		if strings.Trim(line, " ") == "" {
			continue
		}
		in := indentOf(line)
		if in <= indent {
			break
		}
		if own == 0 {
			own = in
		}
		if in < own {
			return nil, errors.New("text indented less than its first line")
		}
		end = r.at + 1
	}
	lines := make([]string, end-start)
	for i := range lines {
		if line := r.lines[start+i]; len(line) > own {
			lines[i] = line[own:]
		}
	}
	return lines, nil
}

func (r *plainReader) literal(indent int) (string, error) {
	lines, err := r.text(indent)
	if len(lines) == 0 {
		return "", err
	}
	return strings.Join(lines, "\n") + "\n", err
}

func (r *plainReader) folded(indent int) (string, error) {
	lines, err := r.text(indent)
	for _, l := range lines {
		if l == "" || l[0] == ' ' {
			return "", errors.New("folded text of more than one paragraph")
		}
	}
	return strings.Join(lines, " "), err
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
