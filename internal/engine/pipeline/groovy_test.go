package pipeline

import (
	"strings"
	"testing"

	"penstock"
	"penstock/internal/syntax"
)

// covers fails where the tokens do not follow each other, or leave out anything but
// white space.
func covers(t *testing.T, src string) []groovyToken {
	t.Helper()
	tokens, problems := lexGroovy(src)
	at := 0
	if strings.HasPrefix(src, "\ufeff") {
		at = 3
	}
	truncated := false
	for _, p := range problems {
		if p.Start < 0 || p.End < p.Start || p.End > int64(len(src)) {
			t.Fatalf("problem %v of %d bytes", p, len(src))
		}
		truncated = truncated || strings.Contains(p.Message, "too many") || strings.Contains(p.Message, "too large")
	}
	for i, k := range tokens {
		if int(k.start) < at || k.end < k.start || int(k.end) > len(src) {
			t.Fatalf("token %d [%d, %d) after %d", i, k.start, k.end, at)
		}
		gap := strings.NewReplacer("\\\r\n", "", "\\\n", "", " ", "", "\t", "", "\f", "", "\v", "").Replace(src[at:k.start])
		if gap != "" {
			t.Fatalf("%q is in no token", gap)
		}
		at = int(k.end)
	}
	if at != len(src) && !truncated {
		t.Fatalf("%d of %d bytes", at, len(src))
	}
	return tokens
}

func TestGroovyTokens(t *testing.T) {
	names := [...]string{"end", "nl", "id", "num", "op", "text", "open", "piece", "dollar", "enter", "leave", "close", "comment", "bad"}
	for src, want := range map[string]string{
		"a.b(1)":                    "id op id op num op",
		"a // b\nc /* d\n */ e":     "id comment nl id comment id",
		"#!/usr/bin/groovy\na":      "comment nl id",
		"'a\\'b' \"c\"":             "text text",
		"'''a'b\n''' \"\"\"c\"\"\"": "text text",
		"\"a ${b} c\"":              "open piece enter id leave piece close",
		"\"$a.b.\"":                 "open dollar piece close",
		"\"$\" \"$1\" \"\\$a\"":     "text text text",
		"'$a ${b}'":                 "text",
		"\"${a{b}}\"":               "open enter id op id op leave close",
		"\"${\"${'}'}\"}\"":         "open enter open enter text leave close leave close",
		"a / b / c":                 "id op id op id",
		"x = /a\\/b/":               "id op text",
		"branch /a.*/":              "id text",
		"(a) / 2":                   "op id op op num",
		"=~ /a${b}/":                "op open piece enter id leave close",
		"$/a $$ $/ /$":              "text",
		"a /":                       "id op",
		"= / b":                     "op op id",
		"'a\nb":                     "text nl id",
		"a \\\n b":                  "id id",
		"1.5f 0x1F 1..2":            "num num num op num",
		"a?.b ?: c == d":            "id op id op id op id",
		"\x00é":                     "bad id",
		"\"\"\"\"a\"\"\"\"":         "text text",
	} {
		var got []string
		for _, k := range covers(t, src) {
			if k.kind != groovyEnd {
				got = append(got, names[k.kind])
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q\n got %s\nwant %s", src, g, want)
		}
	}
}

func TestGroovyTexts(t *testing.T) {
	for src, want := range map[string]string{
		`'a\n\t\\\'\$\u0041\101'`: "a\n\t\\'$AA",
		`"a\"${b}\${c}"`:          `a"${b}${c}`,
		`'a\d'`:                   `a\d`,
		`/a\/b\n/`:                `a/b\n`,
		`$/a$$b$/c\n/$`:           `a$b/c\n`,
		"'''\\\na'''":             "a",
		"\"\"\"a\"b${'c'}\"\"\"":  "a\"b${'c'}",
		`"${}"`:                   "${}",
		`"${a; b}"`:               "${a; b}",
		`"x${-> a}"`:              "x${-> a}",
	} {
		n := readGroovyExpression(src)
		if n.Kind != groovyString || n.Text.Value != want || n.Text.Map.Len() != len(want) {
			t.Errorf("%s: %d %q, map of %d", src, n.Kind, n.Text.Value, n.Text.Map.Len())
			continue
		}
		for _, p := range n.Text.Parts {
			s := n.Text.At(p.From, p.To)
			if s != p.Span || src[s.Start:s.End] != n.Text.Value[p.From:p.To] {
				t.Errorf("%s: part %q at %v, not %v", src, n.Text.Value[p.From:p.To], s, p.Span)
			}
		}
	}
}

// sexpr writes a node in brackets.
func sexpr(n *groovyNode) string {
	if n == nil {
		return "-"
	}
	names := [...]string{"other", "", "get", "index", "call", "new", "text", "", "list", "map", "pair", "closure", "", "unary", "ternary", "set", "if", "loop", "block", "try", "return", "function", "at", "label", "import"}
	switch n.Kind {
	case groovyName, groovyLiteral:
		return n.Name
	case groovyString:
		return "'" + n.Text.Value + "'"
	}
	out := names[n.Kind]
	switch n.Kind {
	case groovyBinary, groovyAssign, groovyMember, groovyFunction, groovyAnnotate, groovyPair, groovyNew, groovyReturn, groovyUnary, groovyLabel:
		out = strings.TrimSpace(out + " " + n.Name)
	}
	if len(n.Params) > 0 {
		out += " <" + strings.Join(n.Params, ",") + ">"
	}
	if n.Kind == groovyTernary || n.Kind == groovyIf || n.Kind == groovyLoop {
		out += " " + sexpr(n.Key)
	}
	for _, c := range []*groovyNode{n.Left, n.Right} {
		if c != nil {
			out += " " + sexpr(c)
		}
	}
	for _, c := range n.Items {
		out += " " + sexpr(c)
	}
	return "(" + out + ")"
}

func TestGroovyReader(t *testing.T) {
	for src, want := range map[string]string{
		"a b, c: d":                      "(call a b (pair c d))",
		"a(b) { c }":                     "(call a b (closure c))",
		"a { b -> c }":                   "(call a (closure <b> c))",
		"a { String b, c = 1 -> d }":     "(call a (closure <b,c> d))",
		"a\n{\n b\n}":                    "(call a (closure b))",
		"a('x')\n{ b }":                  "(call a 'x' (closure b))",
		"a.b.c 'd'":                      "(call (get c (get b a)) 'd')",
		"a\n  .b()\n  .c()":              "(call (get c (call (get b a))))",
		"def a = b c":                    "(set = a (call b c))",
		"String a = 'b'":                 "(set = a 'b')",
		"Map<String, List<A>> a = [:]":   "(set = a (map))",
		"final int[] a = b":              "(set = a b)",
		"def (a, b) = c":                 "(set = (list a b) c)",
		"def a = 1, b":                   "(block (set = a 1) (set = b))",
		"a.b += 1":                       "(set += (get b a) 1)",
		"a = b ? c : d":                  "(set = a (ternary b c d))",
		"a ?: b":                         "(ternary - a b)",
		"a + b * c":                      "(+ a (* b c))",
		"(a + b) * c":                    "(* (+ a b) c)",
		"a == b && !c":                   "(&& (== a b) (unary ! c))",
		"a &&\n b":                       "(&& a b)",
		"a\n || b":                       "(|| a b)",
		"a in [b]":                       "(in a (list b))",
		"a !in b":                        "(in a b)",
		"x as String":                    "(as x String)",
		"[a: b, 'c': d, (e): f]":         "(map (pair a b) (pair c d) (pair f))",
		"if (a) b else c":                "(if a b c)",
		"if (a) {\n}\nelse if (b) { c }": "(if a (block) (if b (block c)))",
		"for (a in b) { c }":             "(loop (in a b) (block c))",
		"for (int i = 0; i < 1; i++) {}": "(loop (other (set = i 0) (< i 1) i) (block))",
		"while (a) b()":                  "(loop a (call b))",
		"try { a } catch (E e) { b } finally { c }": "(try (block a) (block b) (block c))",
		"def f(a, String b = 'x') { c }":            "(function f <a,b> (block c))",
		"void f() {}":                               "(function f (block))",
		"private static A f(B b)\n{ c }":            "(function f <b> (block c))",
		"@NonCPS\ndef f() {}":                       "(at NonCPS) (function f (block))",
		"@Library('a') _":                           "(at Library 'a')",
		"return a b":                                "(return return (call a b))",
		"assert a : 'b'":                            "(return assert a 'b')",
		"new A(b).c()":                              "(call (get c (new A b)))",
		"a[0].b":                                    "(get b (index a 0))",
		"a?.b":                                      "(get b a)",
		"a.'b c'":                                   "(get b c a)",
		"import a.b.C; d":                           "(import) d",
		"parallel a: { b }, c: { d }":               "(call parallel (pair a (closure b)) (pair c (closure d)))",
		"switch (a) { case 'b': c; break\n default: d }": "(loop a (block 'b' c break d))",
		"x = y { z }":                       "(set = x (call y (closure z)))",
		"a [b]":                             "(call a (list b))",
		"a([b])":                            "(call a (list b))",
		"echo 'a' + b":                      "(call echo (+ 'a' b))",
		"a(\n b,\n c: d\n)":                 "(call a b (pair c d))",
		"l: a":                              "(label l a)",
		"class A { def b\n def c() { d } }": "(block (set = b) (function c (block d)))",
		"enum A { B, C }":                   "(block B C)",
		"a -> b":                            "a b",
	} {
		root, _, _ := readGroovy(src)
		var got []string
		for _, i := range root.Items {
			got = append(got, sexpr(i))
		}
		g := strings.Join(got, " ")
		if g != want {
			t.Errorf("%q\n got %s\nwant %s", src, g, want)
		}
	}
}

func TestTextMapParts(t *testing.T) {
	n := readGroovyExpression(`'a\nb' `)
	m := n.Text.Map.Slice(1, 3)
	if m.Len() != 2 || m.Span(0, 1) != (penstock.Span{Start: 2, End: 4}) || m.Span(1, 2) != (penstock.Span{Start: 4, End: 5}) {
		t.Errorf("%v %v", m.Span(0, 1), m.Span(1, 2))
	}
	var all syntax.TextMap
	all.Join(n.Text.Map.Slice(0, 1))
	all.Join(m)
	if all.Len() != 3 || all.Span(0, 3) != n.Text.Map.Span(0, 3) {
		t.Errorf("%v", all.Span(0, 3))
	}
}

func FuzzGroovyTokens(f *testing.F) {
	for _, s := range []string{"a 'b' \"c ${d} $e.f\" /g/ $/h/$ '''i''' \"\"\"j\"\"\"", "\"${\"${", "/*", "a / b", "x = /${a}", "\\\n", "#!x\n", "\ufeffa", "'\\u00e9'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) { covers(t, src) })
}

func FuzzGroovyReader(f *testing.F) {
	for _, s := range []string{"a { b -> c(d: [1, 'x': \"${e}\"]) }", "def f(x) { if (a) b else { c } }", "String a = (b as C) ?: d", "x\n{\n}\n.y", "case 1: default:", "@A(b) _ c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		root, comments, problems := readGroovy(src)
		count := 0
		var walk func(n *groovyNode, depth int)
		walk = func(n *groovyNode, depth int) {
			if n == nil || depth > 5000 {
				return
			}
			count++
			if n.Start < 0 || n.End < n.Start || n.End > int64(len(src)) {
				t.Fatalf("kind %d at %v of %d", n.Kind, n.Span, len(src))
			}
			if n.Text != nil {
				if n.Text.Map.Len() != len(n.Text.Value) {
					t.Fatalf("map of %d for %q", n.Text.Map.Len(), n.Text.Value)
				}
				if len(n.Exprs) != len(n.Text.Parts) {
					t.Fatalf("%d expressions, %d parts", len(n.Exprs), len(n.Text.Parts))
				}
			}
			for _, c := range append([]*groovyNode{n.Key, n.Left, n.Right}, n.Items...) {
				walk(c, depth+1)
			}
			for _, c := range n.Exprs {
				walk(c, depth+1)
			}
		}
		walk(root, 0)
		if count > 20*len(src)+10 {
			t.Fatalf("%d nodes of %d bytes", count, len(src))
		}
		for _, c := range comments {
			if src[c.Start:c.End] != c.Text {
				t.Fatal("a comment that is not there")
			}
		}
		if len(problems) > 2*maxNotes {
			t.Fatalf("%d problems", len(problems))
		}
	})
}
