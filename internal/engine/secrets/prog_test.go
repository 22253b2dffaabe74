package secrets

import (
	"regexp"
	"regexp/syntax"
	"testing"
)

// machineSeeds are expressions that hold one trouble each.
var machineSeeds = []struct{ re, text string }{
	{`a`, "bab"},
	{`\bfoo\b`, "xfoo foo foo_ foo"},
	{`(?i)key\s*=\s*["']?([a-z0-9]{3,5})(?:["'\s;]|$)`, "KEY = 'abc1' key=zzzzzzzz key=abcd"},
	{`^a|b$`, "ab\nab"},
	{`(?m)^a|b$`, "xb\nab\nb"},
	{`(a|ab)(c|bcd)(d*)`, "xabcd"},
	{`(?:x*)*y`, "xxxxz xxy"},
	{`[^"]{2,4}"`, "é\xff日\"aa\""},
	{`\B-\B`, "a- --b"},
	{`(a{0,5}?)(a{0,5}?)b`, "aaaaaaaab"},
	{`(?s:.){0,4}?\bk`, "..k\nk"},
	{`\pL+x`, "éàx"},
	{`(|a)*b`, "aab"},
	{`a*?`, "aaa"},
	{`$`, "ab"},
	{`(?i)ſ`, "sSſ"},
}

func FuzzMachines(f *testing.F) {
	for _, s := range machineSeeds {
		f.Add(s.re, s.text)
	}
	f.Fuzz(func(t *testing.T, re, text string) {
		if len(re) > 200 || len(text) > 500 {
			return
		}
		std, err := regexp.Compile(re)
		if err != nil {
			return
		}
		tree, err := syntax.Parse(re, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		p, err := compile(tree)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.inst) > 5000 {
			return
		}
		b := []byte(text)
		want := std.FindSubmatchIndex(b)
		var tr tracer
		got := make([]int, p.ncap)
		_, _, ok := tr.find(p, b, 0, len(b), got)
		if ok != (want != nil) {
			t.Fatalf("%q on %q: found %v, want %v", re, text, ok, want)
		}
		if ok {
			for i := range want {
				if want[i] != got[i] {
					t.Fatalf("%q on %q: groups %v, want %v", re, text, got, want)
				}
			}
		}
		v, end, idle := p.exists.get(p, true).run(b, 0, len(b))
		if v != maybe && (v == yes) != (want != nil) {
			t.Fatalf("%q on %q: exists says %v, want %v", re, text, v, want)
		}
		if v == yes {
			// Some match ends at or before end plus one rune, and the leftmost
			// begins not before idle.
			if want[0] < idle {
				t.Fatalf("%q on %q: match at %d begins before idle %d", re, text, want[0], idle)
			}
			if end > len(b) {
				t.Fatalf("end %d beyond the text", end)
			}
		}
		// A search that starts in the middle sees what stands before it.
		anchored, err := regexp.Compile(`\A(?s:.)(?:` + re + `)`)
		if err == nil && len(b) > 1 && b[0] < 0x80 {
			want := anchored.FindIndex(b)
			v, _, _ := p.anchored.get(p, false).run(b, 1, len(b))
			if v != maybe && (v == yes) != (want != nil) {
				t.Fatalf("%q on %q at 1: anchored says %v, want %v", re, text, v, want)
			}
			_, e, ok := tr.find(p, b, 1, 1, nil)
			if ok != (want != nil) || ok && e != want[1] {
				t.Fatalf("%q on %q at 1: found to %d %v, want %v", re, text, e, ok, want)
			}
		}
	})
}
