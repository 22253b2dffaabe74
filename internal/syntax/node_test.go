package syntax

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"penstock"
)

// show writes a tree with the bytes that each node stands on.
func show(b []byte, n *Node) string {
	var s strings.Builder
	var walk func(n *Node, indent string)
	walk = func(n *Node, indent string) {
		text := string(b[n.Span.Start:n.Span.End])
		mark := ""
		if n.Anchor != "" {
			mark += " &" + n.Anchor
		}
		if n.AliasSpan.End > 0 {
			mark += " from " + string(b[n.AliasSpan.Start:n.AliasSpan.End])
		}
		switch n.Kind {
		case Scalar:
			fmt.Fprintf(&s, "%s%s %q <- %q%s\n", indent, n.Tag, n.Value, text, mark)
		case Alias:
			fmt.Fprintf(&s, "%sunresolved %q\n", indent, text)
		case Sequence:
			fmt.Fprintf(&s, "%slist %q%s\n", indent, text, mark)
			for _, c := range n.Items {
				walk(c, indent+"  ")
			}
		case Mapping:
			fmt.Fprintf(&s, "%smap %q%s\n", indent, text, mark)
			for _, e := range n.Entries {
				walk(e.Key, indent+"  ")
				walk(e.Value, indent+"    ")
			}
		}
	}
	walk(n, "")
	return s.String()
}

func TestReadYAMLSpans(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a: b c \n", "map \"a: b c\"\n  !!str \"a\" <- \"a\"\n    !!str \"b c\" <- \"b c\"\n"},
		{"plain of several lines", "a: b\n  c\n\n  d\n", "map \"a: b\\n  c\\n\\n  d\"\n  !!str \"a\" <- \"a\"\n    !!str \"b c\\nd\" <- \"b\\n  c\\n\\n  d\"\n"},
		{"nothing", "a:\nb: ~\n", "map \"a:\\nb: ~\"\n  !!str \"a\" <- \"a\"\n    !!null \"\" <- \"\"\n  !!str \"b\" <- \"b\"\n    !!null \"~\" <- \"~\"\n"},
		{"quotes", "'it''s': \"a\\tb\\u00e9\"\n", "map \"'it''s': \\\"a\\\\tb\\\\u00e9\\\"\"\n  !!str \"it's\" <- \"'it''s'\"\n    !!str \"a\\tbé\" <- \"\\\"a\\\\tb\\\\u00e9\\\"\"\n"},
		{"quotes of several lines", "- 'a \n  b'\n- \"a \\\n   b\\\n  \\ c\"\n", "list \"- 'a \\n  b'\\n- \\\"a \\\\\\n   b\\\\\\n  \\\\ c\\\"\"\n  !!str \"a b\" <- \"'a \\n  b'\"\n  !!str \"a b c\" <- \"\\\"a \\\\\\n   b\\\\\\n  \\\\ c\\\"\"\n"},
		{"literal", "a: |  # note\n  x\n\n   y\n\n# more\n", "map \"a: |  # note\\n  x\\n\\n   y\\n\"\n  !!str \"a\" <- \"a\"\n    !!str \"x\\n\\n y\\n\" <- \"|  # note\\n  x\\n\\n   y\\n\"\n"},
		{"literal, stripped and indented by hand", "a: |2-\n    x\n  y\n", "map \"a: |2-\\n    x\\n  y\"\n  !!str \"a\" <- \"a\"\n    !!str \"  x\\ny\" <- \"|2-\\n    x\\n  y\"\n"},
		{"literal, kept", "- |+\n  x\n\n\n", "list \"- |+\\n  x\\n\\n\\n\"\n  !!str \"x\\n\\n\\n\" <- \"|+\\n  x\\n\\n\\n\"\n"},
		{"literal without text", "a: |\n\nb: 1\n", "map \"a: |\\n\\nb: 1\"\n  !!str \"a\" <- \"a\"\n    !!str \"\" <- \"|\"\n  !!str \"b\" <- \"b\"\n    !!int \"1\" <- \"1\"\n"},
		{"folded", "a: >-\n  x\n  y\n\n  z\n   more\n  w\n", "map \"a: >-\\n  x\\n  y\\n\\n  z\\n   more\\n  w\"\n  !!str \"a\" <- \"a\"\n    !!str \"x y\\nz\\n more\\nw\" <- \">-\\n  x\\n  y\\n\\n  z\\n   more\\n  w\"\n"},
		{"flow", "a: [b, {c: 'd'}, # x\n ]  # y\n", "map \"a: [b, {c: 'd'}, # x\\n ]\"\n  !!str \"a\" <- \"a\"\n    list \"[b, {c: 'd'}, # x\\n ]\"\n      !!str \"b\" <- \"b\"\n      map \"{c: 'd'}\"\n        !!str \"c\" <- \"c\"\n          !!str \"d\" <- \"'d'\"\n"},
		{"list in the column of its key", "a:\n- b: |\n   x\n- c\n", "map \"a:\\n- b: |\\n   x\\n- c\"\n  !!str \"a\" <- \"a\"\n    list \"- b: |\\n   x\\n- c\"\n      map \"b: |\\n   x\\n\"\n        !!str \"b\" <- \"b\"\n          !!str \"x\\n\" <- \"|\\n   x\\n\"\n      !!str \"c\" <- \"c\"\n"},
		{"anchor, tag, alias", "a: &x !!str 1\nb: *x\n", "map \"a: &x !!str 1\\nb: *x\"\n  !!str \"a\" <- \"a\"\n    !!str \"1\" <- \"1\" &x\n  !!str \"b\" <- \"b\"\n    !!str \"1\" <- \"1\" &x from *x\n"},
		{"anchored map and merge", "a: &x\n  k: v\nb:\n  <<: *x\n  l: w\n", "map \"a: &x\\n  k: v\\nb:\\n  <<: *x\\n  l: w\"\n  !!str \"a\" <- \"a\"\n    map \"k: v\" &x\n      !!str \"k\" <- \"k\"\n        !!str \"v\" <- \"v\"\n  !!str \"b\" <- \"b\"\n    map \"<<: *x\\n  l: w\"\n      !!merge \"<<\" <- \"<<\"\n        map \"k: v\" &x from *x\n          !!str \"k\" <- \"k\"\n            !!str \"v\" <- \"v\"\n      !!str \"l\" <- \"l\"\n        !!str \"w\" <- \"w\"\n"},
		{"an alias in itself", "&a [*a]\n", "list \"[*a]\" &a\n  unresolved \"*a\"\n"},
		{"duplicates", "a: 1\na: 2\n", "map \"a: 1\\na: 2\"\n  !!str \"a\" <- \"a\"\n    !!int \"1\" <- \"1\"\n  !!str \"a\" <- \"a\"\n    !!int \"2\" <- \"2\"\n"},
		{"CR LF and runes", "ä: 'ö'\r\nß: |\r\n  ü\r\n", "map \"ä: 'ö'\\r\\nß: |\\r\\n  ü\\r\\n\"\n  !!str \"ä\" <- \"ä\"\n    !!str \"ö\" <- \"'ö'\"\n  !!str \"ß\" <- \"ß\"\n    !!str \"ü\\n\" <- \"|\\r\\n  ü\\r\\n\"\n"},
		{"byte order mark", "\ufeffa: b\n", "map \"a: b\"\n  !!str \"a\" <- \"a\"\n    !!str \"b\" <- \"b\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := ReadYAML([]byte(c.in))
			if len(y.Documents) != 1 {
				t.Fatalf("%d documents, problems %v", len(y.Documents), y.Problems)
			}
			if d := cmp.Diff(c.want, show([]byte(c.in), y.Documents[0])); d != "" {
				t.Errorf("tree (-want +got):\n%s", d)
			}
			checkYAML(t, []byte(c.in), y)
		})
	}
}

func TestTextMap(t *testing.T) {
	in := "run: |\n  echo ${{ a }}\n  b\nq: \"x\\t${{ y }}\\n\"\n"
	y := ReadYAML([]byte(in))
	for _, c := range []struct{ key, part string }{{"run", "${{ a }}"}, {"run", "b"}, {"run", "a }}\nb"}, {"q", "${{ y }}"}, {"q", "\t"}, {"q", "\n"}} {
		n := y.Documents[0].Get(c.key)
		at := strings.Index(n.Value, c.part)
		span := n.Map.Span(at, at+len(c.part))
		got := in[span.Start:span.End]
		want := map[string]string{"\t": `\t`, "\n": `\n`, "a }}\nb": "a }}\n  b"}[c.part]
		if want == "" {
			want = c.part
		}
		if got != want {
			t.Errorf("%s: %q stands at %q, want %q", c.key, c.part, got, want)
		}
	}
}

// Maps are moved, cut and put together, and still lead every byte back.
func TestTextMapJoin(t *testing.T) {
	in := "x: late\nl: [\"a\\tb\", early]\n"
	root := ReadYAML([]byte(in)).Documents[0]
	late, list := root.Get("x"), root.Get("l").Items
	const base = 1000
	m := list[0].Map.Shift(base) // a TAB b
	m.Join(list[1].Map.Shift(base))
	m.Join(late.Map.Shift(base))
	text := list[0].Value + list[1].Value + late.Value
	if m.Len() != len(text) {
		t.Fatalf("%d bytes, want %d", m.Len(), len(text))
	}
	if b := m.Bounds(); b.Start != base+3 || b.End != base+int64(len(in))-2 {
		t.Errorf("bounds %v", b)
	}
	at := func(m TextMap, from, to int) string {
		s := m.Span(from, to)
		return in[s.Start-base : s.End-base]
	}
	for _, c := range []struct{ part, want string }{
		{"a", "a"}, {"\t", `\t`}, {"a\tb", `a\tb`}, {"early", "early"}, {"late", "late"}, {"be", `b", e`},
		{"earlyl", "early"}, // the rest stands before
	} {
		from := strings.Index(text, c.part)
		if got := at(m, from, from+len(c.part)); got != c.want {
			t.Errorf("%q stands at %q, want %q", c.part, got, c.want)
		}
	}
	for from := range len(text) {
		for to := from; to <= len(text); to++ {
			s := m.Slice(from, to)
			if s.Len() != to-from {
				t.Fatalf("a slice of %d bytes has %d", to-from, s.Len())
			}
			for i := from; i < to; i++ {
				if got, want := at(s, i-from, i-from+1), at(m, i, i+1); got != want {
					t.Fatalf("byte %d of [%d, %d) stands at %q, want %q", i, from, to, got, want)
				}
			}
		}
	}
	var grown TextMap
	grown = grown.Shift(7)
	grown.Add(2, 10, 12)
	grown.Add(1, 12, 13)
	if s := grown.Span(1, 3); s.Start != 11 || s.End != 13 {
		t.Errorf("what is added to a map that was moved stands at %v", s)
	}
}

func TestReadYAMLComments(t *testing.T) {
	in := "# head\na: b # one\nc: 'x # y' #two\nd: |  # three\n  # text\n  z\n# four\ne: [x,#five\n y]\nf: a#b\n"
	y := ReadYAML([]byte(in))
	var got []string
	for _, c := range y.Comments {
		got = append(got, c.Text)
		if in[c.Start] != '#' || in[c.End] != '\n' {
			t.Errorf("%q has span %q", c.Text, in[c.Start:c.End])
		}
	}
	if d := cmp.Diff([]string{"head", "one", "two", "three", "four", "five"}, got); d != "" {
		t.Errorf("comments (-want +got):\n%s", d)
	}
	after := func(key string) string {
		if c := y.CommentAfter(y.Documents[0].Get(key).Span.End); c != nil {
			return c.Text
		}
		return ""
	}
	if after("a") != "one" || after("c") != "two" || after("e") != "" || after("f") != "" {
		t.Errorf("comments after values: %q, %q, %q", after("a"), after("c"), after("f"))
	}
}

func TestReadYAMLProblems(t *testing.T) {
	for _, c := range []struct {
		name, in, message string
		from              int64 // where the unread part begins
		documents         int
	}{
		{"good", "a: b\n", "", 0, 1},
		{"empty", "", "", 0, 0},
		{"only a comment", "# x\n", "", 0, 0},
		{"a bad last line", "a: b\nc: d\ne: [\n", "not valid YAML: did not find expected node content", 10, 1},
		{"a bad line", "a: b\nc: 'd\ne: f\n", "not valid YAML: found unexpected end of stream", 5, 1},
		{"second document", "a: b\n---\nc: [\n", "not valid YAML: did not find expected node content", 9, 1},
		{"unknown anchor", "a: b\nc: *x\n", "not valid YAML: unknown anchor of an unknown name", 0, 0},
		{"control character", "a: b\nc: \x01\n", "not valid YAML: control characters are not allowed", 5, 1},
		{"UTF-16", "\xff\xfea\x00", "not valid YAML: the text is not UTF-8", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := ReadYAML([]byte(c.in))
			message, from := "", int64(0)
			if len(y.Problems) > 0 {
				message, from = y.Problems[0].Message, y.Problems[0].Start
			}
			if message != c.message || from != c.from || len(y.Documents) != c.documents {
				t.Errorf("got %q from %d with %d documents, want %q from %d with %d", message, from, len(y.Documents), c.message, c.from, c.documents)
			}
		})
	}
}

// TestReadYAMLBudgets: anchors that would explode, and depth.
func TestReadYAMLBudgets(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), i-1)
	}
	y := ReadYAML([]byte(b.String()))
	n, unresolved := count(y.Documents[0])
	if n > maxShared+10_000 || unresolved == 0 || len(y.Problems) == 0 {
		t.Errorf("%d nodes, %d unresolved, %d problems", n, unresolved, len(y.Problems))
	}

	deep := []byte(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))
	y = ReadYAML(deep)
	if n, _ := count(y.Documents[0]); n != maxDepth+2 || len(y.Problems) != 1 {
		t.Errorf("%d nodes, problems %v", n, y.Problems)
	}
}

func count(n *Node) (nodes, unresolved int) {
	nodes = 1
	if n.Kind == Alias {
		unresolved = 1
	}
	for _, e := range n.Entries {
		for _, c := range []*Node{e.Key, e.Value} {
			a, b := count(c)
			nodes, unresolved = nodes+a, unresolved+b
		}
	}
	for _, c := range n.Items {
		a, b := count(c)
		nodes, unresolved = nodes+a, unresolved+b
	}
	return nodes, unresolved
}

func TestMerged(t *testing.T) {
	y := ReadYAML([]byte("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 5\n"))
	var got []string
	for _, e := range y.Documents[0].Get("z").Merged() {
		got = append(got, e.Key.Value+"="+e.Value.Value)
	}
	if d := cmp.Diff([]string{"a=5", "b=2", "c=4"}, got); d != "" {
		t.Errorf("merged (-want +got):\n%s", d)
	}
}

// checkYAML holds for every text: spans lie within the text and within what
// encloses them, and each scalar's bytes decode to its value, byte for byte.
func checkYAML(t *testing.T, b []byte, y *YAML) {
	t.Helper()
	in := penstock.Span{End: int64(len(b))}
	var walk func(n *Node, in penstock.Span)
	walk = func(n *Node, in penstock.Span) {
		if n.Span.Start > n.Span.End || !in.Contains(n.Span) && n.AliasSpan.End == 0 {
			t.Fatalf("span %v lies outside of %v", n.Span, in)
		}
		if n.AliasSpan.End > 0 {
			if !in.Contains(n.AliasSpan) || b[n.AliasSpan.Start] != '*' {
				t.Fatalf("alias %v lies outside of %v", n.AliasSpan, in)
			}
			return
		}
		if n.Kind == Scalar {
			checkScalar(t, b, n)
		}
		for _, e := range n.Entries {
			walk(e.Key, n.Span)
			walk(e.Value, n.Span)
		}
		for _, c := range n.Items {
			walk(c, n.Span)
		}
	}
	for _, d := range y.Documents {
		walk(d, in)
	}
	end := int64(0)
	for _, c := range y.Comments {
		if c.Start < end || c.End <= c.Start || c.End > in.End || b[c.Start] != '#' {
			t.Fatalf("comment %v after %d", c.Span, end)
		}
		end = c.End
	}
	for _, p := range y.Problems {
		if !in.Contains(p.Span) || p.Start > p.End {
			t.Fatalf("problem %v lies outside of the text", p.Span)
		}
	}
}

func checkScalar(t *testing.T, b []byte, n *Node) {
	t.Helper()
	if n.Map.Len() != len(n.Value) {
		t.Fatalf("the map of %q has length %d", n.Value, n.Map.Len())
	}
	last := n.Span.Start
	same := 0
	for i := range len(n.Value) {
		s := n.Map.Span(i, i+1)
		if s.Start < last || !n.Span.Contains(s) {
			t.Fatalf("byte %d of %q stands at %v, after %d, in %v", i, n.Value, s, last, n.Span)
		}
		last = s.Start
		text := b[s.Start:s.End]
		if len(text) == 1 && text[0] == n.Value[i] {
			same++
		}
	}
	if n.Map.Offset(len(n.Value)) > n.Span.End {
		t.Fatalf("the end of %q lies behind its span", n.Value)
	}
	// The map was made by following the file's bytes to the known value. Where that
	// failed the whole value is at one place.
	if n.Value != "" && n.Map.Bounds().End == n.Map.Bounds().Start {
		t.Fatalf("%q at %v could not be followed: %q", n.Value, n.Span, b[n.Span.Start:min(n.Span.Start+40, int64(len(b)))])
	}
	if n.Style == SingleQuoted || n.Style == DoubleQuoted {
		var again string
		if err := yaml.Unmarshal(b[n.Span.Start:n.Span.End], &again); err != nil || again != n.Value {
			t.Fatalf("the bytes %q give %q (%v), not %q", b[n.Span.Start:n.Span.End], again, err, n.Value)
		}
	}
	if n.Style == Literal && !bytes.ContainsAny(b, "\r\x85\xa8\xa9") && same != len(n.Value) {
		t.Fatalf("%d of %d bytes of the literal %q stand for themselves", same, len(n.Value), n.Value)
	}
}

func FuzzReadYAML(f *testing.F) {
	for _, s := range []string{
		"a: b\n", "- |2+\n    x\n\n", "a: >-\n  x\n  y\n", "'a''b': \"\\x41 \\\n c\"\n", "&a [*a, {b: c}]\n", "? |\n  k\n: v\n",
		"a: !!str\nb: &x\nc: *x\n", "--- # x\na\n...\n---\nb\n", "a:\r\n- b\r- c\u2028  d\n", "- - |\n   x\n  -  # y\n   z\n", "\"a\u0085 b\"\n", "%YAML 1.1\n---\n{a: b, c}\n",
		"? a\n? b\n: - c\n", "[a: b, ? c]\n", "&a a: &b b\n", "!!map {a: b}\n", "a: &x !<tag:x> |\n  b\n", "- &a\n  - |1\n   b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		checkYAML(t, b, ReadYAML(b))
	})
}
