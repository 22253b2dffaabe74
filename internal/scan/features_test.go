package scan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/syntax"
)

// featuresAt makes the features of a finding at the first occurrence of what,
// which is a secret if secret is set. Other secrets begin with "hush-".
func featuresAt(t testing.TB, text, what string, secret bool, salt string) *penstock.Features {
	t.Helper()
	at := strings.Index(text, what)
	if at < 0 {
		t.Fatalf("no %q in the text", what)
	}
	f := &penstock.Finding{Rule: "words/x", Location: penstock.Location{Path: "a.js", Span: penstock.Span{Start: int64(at), End: int64(at + len(what))}}}
	if secret {
		f.Evidence.Secret = &penstock.SecretEvidence{Length: len(what), Entropy: 4}
	}
	hide := func(_ string, b []byte) (spans []penstock.Span) {
		for i := 0; ; {
			k := bytes.Index(b[i:], []byte("hush-"))
			if k < 0 {
				return spans
			}
			end := i + k
			for end < len(b) && b[end] > ' ' && b[end] != '"' && b[end] != '\'' {
				end++
			}
			spans = append(spans, penstock.Span{Start: int64(i + k), End: int64(end)})
			i = end
		}
	}
	p := &piece{text: []byte(text)}
	p.lines = syntax.NewLines(p.text)
	p.locate(&f.Location, "a.js")
	x := newFeatures(p, newCutter("a.js", p, []*penstock.Finding{f}, hide), "a.js", []byte(salt))
	out := x.of(f)
	if !out.Valid() {
		t.Fatalf("features out of bounds: %+v", out)
	}
	return out
}

const sampleCode = `
func login(user string) error {
	const retries = 3
	log("start")
	if user == "" {
		return errEmpty
	}
	token := "hush-aaaaaaaaaaaaaaaaaaaaaaaaaaaa1"
	backup := "hush-neighbour-value-1"
	dial("db", token, retries)
	log("hush-aaaaaaaaaaaaaaaaaaaaaaaaaaaa1")
	return nil
}
`

// TestFeaturesHoldNoSecret: whatever the secrets are, the finding's own, one that
// stands beside it, and a repetition, the hashes are the same but for Value.
func TestFeaturesHoldNoSecret(t *testing.T) {
	a := featuresAt(t, sampleCode, "hush-aaaaaaaaaaaaaaaaaaaaaaaaaaaa1", true, "s")
	other := strings.NewReplacer("aaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "zz9", "neighbour-value-1", "quite-another").Replace(sampleCode)
	b := featuresAt(t, other, "hush-zz9", true, "s")
	if a.Value == b.Value {
		t.Error("two values have one hash")
	}
	if a.Value.Guessable() || !b.Value.Guessable() {
		t.Errorf("value hashes %x and %x: the long machine-made one wants 64 bits, the short one %d", a.Value, b.Value, penstock.FeatureBits)
	}
	a.Value, b.Value = 0, 0
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("a secret shows in the features:\n%s", d)
	}
	if len(a.Before) != penstock.MaxContext || len(a.After) != penstock.MaxContext || a.Scope == 0 || a.Code == 0 {
		t.Errorf("features are missing: %+v", a)
	}
}

func TestFeaturesOfLayout(t *testing.T) {
	base := featuresAt(t, sampleCode, "dial", false, "s")
	for name, text := range map[string]string{
		"CRLF":        strings.ReplaceAll(sampleCode, "\n", "\r\n"),
		"spaces":      strings.ReplaceAll(sampleCode, "\t", "    "),
		"blank lines": strings.ReplaceAll(sampleCode, "\n", "\n\n"),
		"quotes":      strings.ReplaceAll(sampleCode, `"db"`, `'db'`),
		"semicolons":  strings.ReplaceAll(sampleCode, ")\n", ");\n"),
		"braces":      strings.ReplaceAll(sampleCode, "\tif user", "\t{\n\t}\n\tif user"),
	} {
		got := featuresAt(t, text, "dial", false, "s")
		got.Line, got.Before, got.After = base.Line, got.Before[:len(base.Before)], got.After[:len(base.After)]
		if d := cmp.Diff(base, got); d != "" {
			t.Errorf("%s changes the features:\n%s", name, d)
		}
	}
	for name, text := range map[string]string{
		"argument": strings.ReplaceAll(sampleCode, `"db"`, `"db2"`),
		"quotes":   strings.ReplaceAll(sampleCode, `"db"`, `"$db"`),
		"operator": strings.ReplaceAll(sampleCode, `token, retries`, `token+retries`),
		"joined":   strings.ReplaceAll(sampleCode, `token, retries`, `tokenretries`),
	} {
		if got := featuresAt(t, text, "dial", false, "s"); got.Code == base.Code {
			t.Errorf("%s: changed code has the same hash", name)
		}
	}
	interpolated := featuresAt(t, strings.ReplaceAll(sampleCode, `"db"`, `"$db"`), "dial", false, "s")
	plain := featuresAt(t, strings.ReplaceAll(sampleCode, `"db"`, `'$db'`), "dial", false, "s")
	if interpolated.Code == plain.Code {
		t.Error("quotes that change the meaning do not show in the hash")
	}
	renamed := featuresAt(t, strings.ReplaceAll(sampleCode, "retries", "attempts"), "dial", false, "s")
	if renamed.Code == base.Code || renamed.Abstract != base.Abstract {
		t.Error("a renamed variable must change Code and leave Abstract")
	}
	if moved := featuresAt(t, strings.ReplaceAll(sampleCode, "login", "logout"), "dial", false, "s"); moved.Scope == base.Scope || moved.Code != base.Code {
		t.Error("another function must change Scope and leave Code")
	}
}

// TestFeaturesOuter: the title of a test and the first entry of a block count as
// what encloses, what stands beside it does not.
func TestFeaturesOuter(t *testing.T) {
	const text = `
describe("orders", () => {
	const cases = [
		{
			title: "one",
			body: {
				first: 1,
				second: 2,

				third: 3,
				fourth: 4,
				fifth: 5,
				url: "here",
			},
		},
	]
})
`
	base := featuresAt(t, text, "url", false, "s")
	if len(base.Outer) != 4 {
		t.Errorf("%d lines enclose, want those of body, title, cases and describe", len(base.Outer))
	}
	for name, text := range map[string]string{
		"title":    strings.ReplaceAll(text, `"one"`, `"two"`),
		"describe": strings.ReplaceAll(text, "orders", "users"),
	} {
		if got := featuresAt(t, text, "url", false, "s"); cmp.Equal(base.Outer, got.Outer) || got.Scope == 0 {
			t.Errorf("%s: another one does not show", name)
		}
	}
	titled := strings.ReplaceAll(text, "orders", "orders of a day")
	rewritten := strings.ReplaceAll(titled, `describe("orders of a day", () => {`, `only("x")("orders of a day", async () => {`)
	if d := cmp.Diff(featuresAt(t, titled, "url", false, "s").Outer, featuresAt(t, rewritten, "url", false, "s").Outer); d != "" {
		t.Errorf("the code around a title (-want +got):\n%s", d)
	}
	for name, text := range map[string]string{
		"beside":   strings.ReplaceAll(text, "first: 1", "zeroth: 0"),
		"indented": strings.ReplaceAll(text, "\t", "   "),
		"CRLF":     strings.ReplaceAll(text, "\n", "\r\n"),
		"above":    "x = [\n\ty,\n]\n" + text,
	} {
		if d := cmp.Diff(base.Outer, featuresAt(t, text, "url", false, "s").Outer); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if top := featuresAt(t, text, "describe", false, "s"); len(top.Outer) != 0 {
		t.Errorf("something encloses the outermost: %v", top.Outer)
	}
	var deep strings.Builder
	for i := range 30 {
		fmt.Fprintf(&deep, "%sb%d {\n", strings.Repeat(" ", i), i)
	}
	if f := featuresAt(t, deep.String()+strings.Repeat(" ", 30)+"url", "url", false, "s"); len(f.Outer) != penstock.MaxOuter {
		t.Errorf("%d lines enclose, want %d at most", len(f.Outer), penstock.MaxOuter)
	}
}

func TestFeaturesNeedTheSalt(t *testing.T) {
	a, b := featuresAt(t, sampleCode, "dial", false, "one"), featuresAt(t, sampleCode, "dial", false, "two")
	if a.Code == b.Code || a.Scope == b.Scope || cmp.Equal(a.Before, b.Before) || cmp.Equal(a.Tokens, b.Tokens) {
		t.Error("hashes of two salts are equal")
	}
}

// TestFeaturesOfLongLines: in minified code, what stands far away on the same
// line does not count.
func TestFeaturesOfLongLines(t *testing.T) {
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "function f%d(a,b){return a+b*%d}", i, i)
	}
	text := b.String()
	mid := len(text)/2 + strings.Index(text[len(text)/2:], "function")
	at := text[:mid] + "var q=eval(input);" + text[mid:]
	before := featuresAt(t, at, "eval", false, "s")
	after := featuresAt(t, "var more=1;"+strings.Repeat("x(1);", 300)+at, "eval", false, "s")
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("features changed with text far away:\n%s", d)
	}
	if len(before.Before) != penstock.MaxContext || before.Partial {
		t.Errorf("features of minified code: %+v", before)
	}
	endless := strings.Repeat("A", 1<<20) + " eval( " + strings.Repeat("B", 1<<20)
	if f := featuresAt(t, endless, "eval", false, "s"); len(f.Tokens) == 0 {
		t.Errorf("no tokens in an endless line: %+v", f)
	}
	long := strings.Repeat("x = x + 1;\n", 5000)
	if f := featuresAt(t, long, long, false, "s"); !f.Partial {
		t.Error("code longer than what is hashed must be partial")
	}
}

// TestFeaturesTravel: they come through the worker, one for each place, and stand
// in no report.
func TestFeaturesTravel(t *testing.T) {
	dir := plant(t, map[string]string{"a.txt": "x = SECRET-one\n", "b/c.txt": "\n\ny = SECRET-one\ny = SECRET-one\n"})
	res := mustRun(t, Config{Roots: []string{dir}, Dir: dir, Worker: testWorker, Select: []string{"words"}, Setup: penstock.Setup{Salt: []byte("salt")}})
	if len(res.Findings) != 1 {
		t.Fatalf("%d findings, want 1", len(res.Findings))
	}
	f := res.Findings[0]
	var got []string
	for _, x := range f.Features {
		got = append(got, fmt.Sprintf("%s:%d #%d", x.Path, x.Line, x.Ordinal))
	}
	if d := cmp.Diff([]string{"a.txt:1 #0", "b/c.txt:3 #0", "b/c.txt:4 #1"}, got); d != "" {
		t.Errorf("features (-want +got):\n%s", d)
	}
	b, err := json.Marshal(f)
	if err != nil || bytes.Contains(b, []byte("eatures")) {
		t.Errorf("features in a report: %s %v", b, err)
	}
}

func TestWireRefusesBadFeatures(t *testing.T) {
	good := &penstock.Finding{Rule: "a/b", Features: []*penstock.Features{{Path: "p", Class: "a/b", Tokens: []uint32{1, 2}}}}
	b, err := encodeRecords([]penstock.Record{good})
	if err != nil {
		t.Fatal(err)
	}
	if back, err := decodeRecords(b); err != nil || len(back[0].(*penstock.Finding).Features) != 1 {
		t.Fatalf("decode: %v", err)
	}
	for _, bad := range []*penstock.Features{nil, {}, {Class: "c", Tokens: []uint32{2, 1}}, {Class: "c", Tokens: make([]uint32, penstock.MaxTokens+1)}, {Class: "c", Before: make([]uint32, 5)}, {Class: "c", Outer: make([]uint32, 9)}, {Class: "c", After: []uint32{1 << 16}}, {Class: "c", Line: -1}} {
		good.Features[0] = bad
		b, err := encodeRecords([]penstock.Record{good})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRecords(b); err == nil {
			t.Errorf("features %+v are taken", bad)
		}
	}
}

func FuzzFeatures(f *testing.F) {
	f.Add([]byte(sampleCode), 100, 110)
	f.Add([]byte("a\r\n\tb('x\\"), 3, 9)
	f.Add([]byte(strings.Repeat("{;", 600)), 600, 601)
	f.Add([]byte("hush-x hush-y\xff\x00\x01"), 0, 3)
	f.Fuzz(func(t *testing.T, text []byte, start, n int) {
		if len(text) == 0 {
			return
		}
		start = int(uint(start) % uint(len(text)))
		end := start + 1 + int(uint(n)%uint(len(text)-start))
		what := &penstock.Finding{Rule: "words/x", Location: penstock.Location{Path: "a", Span: penstock.Span{Start: int64(start), End: int64(end)}},
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Length: end - start}},
			Trace:    []penstock.Label{{Location: penstock.Location{Span: penstock.Span{Start: int64(start)}}}}}
		make := func() *penstock.Features {
			p := &piece{text: text}
			p.lines = syntax.NewLines(text)
			return newFeatures(p, newCutter("a", p, []*penstock.Finding{what}, nil), "a", []byte("s")).of(what)
		}
		a := make()
		if !a.Valid() {
			t.Fatalf("out of bounds: %+v", a)
		}
		if d := cmp.Diff(a, make()); d != "" {
			t.Fatalf("two answers:\n%s", d)
		}
	})
}

func BenchmarkFeatures(b *testing.B) {
	text := []byte(strings.Repeat(sampleCode, 200))
	var findings []*penstock.Finding
	for at := 0; ; {
		k := bytes.Index(text[at:], []byte("dial"))
		if k < 0 {
			break
		}
		findings = append(findings, &penstock.Finding{Rule: "words/x", Location: penstock.Location{Path: "a", Span: penstock.Span{Start: int64(at + k), End: int64(at + k + 4)}}})
		at += k + 4
	}
	p := &piece{text: text}
	p.lines = syntax.NewLines(text)
	cut := newCutter("a", p, findings, nil)
	x := newFeatures(p, cut, "a", []byte("s"))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.of(findings[i%len(findings)])
	}
}
