package secrets

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// twins are two passes over the same rules, of which the second remembers.
type twins struct{ plain, memo *pass }

func newTwins(t testing.TB, setup penstock.Setup) *twins {
	t.Helper()
	setup.Key, setup.DecodeDepth = []byte("k"), 3
	a, err := open(context.Background(), setup)
	if err != nil {
		t.Fatal(err)
	}
	setup.Repeats = true
	b, err := open(context.Background(), setup)
	if err != nil {
		t.Fatal(err)
	}
	return &twins{a.(*pass), b.(*pass)}
}

// compare gives a text to both and returns how many records they report.
func (w *twins) compare(t *testing.T, path string, text []byte) int {
	t.Helper()
	run := func(p *pass) *collect {
		c := new(collect)
		f := penstock.NewFile(path, penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return text, nil }, nil)
		if err := p.File(context.Background(), f, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	want, got := run(w.plain), run(w.memo)
	if diff := cmp.Diff(want.findings, got.findings); diff != "" {
		t.Fatalf("%s, %d bytes: with a memo (-without +with):\n%s", path, len(text), diff)
	}
	if diff := cmp.Diff(want.others, got.others); diff != "" {
		t.Fatalf("%s, %d bytes: with a memo (-without +with):\n%s", path, len(text), diff)
	}
	return len(want.findings) + len(want.others)
}

// material are lines to make texts of: the examples of all rules, some of them
// encoded, and lines without anything.
func material(t testing.TB) [][]byte {
	var out [][]byte
	for i, b := range examples(t) {
		if len(b) > 2000 {
			continue
		}
		out = append(out, b)
		switch i % 16 {
		case 0:
			out = append(out, []byte("data: "+base64.StdEncoding.EncodeToString(b)))
		case 1:
			out = append(out, []byte("hex: "+hex.EncodeToString(b)))
		case 2:
			var e bytes.Buffer
			for _, c := range b {
				fmt.Fprintf(&e, []string{"%%%02x", `\u%04x`, `\x%02x`}[i/16%3], c)
			}
			out = append(out, e.Bytes())
		case 3:
			var e bytes.Buffer
			for s := base64.StdEncoding.EncodeToString(b); s != ""; s = s[min(len(s), 76):] {
				e.WriteString("  " + s[:min(len(s), 76)] + "\n")
			}
			out = append(out, e.Bytes())
		}
	}
	for i := range len(out) {
		out = append(out, []byte(fmt.Sprintf("func f%d(key string, n int) error { return fmt.Errorf(%q) }", i, strings.Repeat("token ", i%7))))
	}
	return out
}

// mutate changes a text at a few places, as a commit does.
func mutate(rnd *rand.Rand, text []byte, lines [][]byte) []byte {
	out := bytes.Clone(text)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(out) + 1)
		if rnd.IntN(4) > 0 {
			at = bytes.LastIndexByte(out[:at], '\n') + 1
		}
		switch rnd.IntN(4) {
		case 0: // a line more
			out = append(out[:at:at], append(append(bytes.Clone(lines[rnd.IntN(len(lines))]), '\n'), out[at:]...)...)
		case 1: // some bytes less
			out = append(out[:at:at], out[min(len(out), at+rnd.IntN(120)):]...)
		case 2: // a byte else
			if at < len(out) {
				out[at] = " \n\"'=:Aa0%"[rnd.IntN(10)]
			}
		case 3: // moved
			n := min(len(out)-at, rnd.IntN(900))
			cut := bytes.Clone(out[at : at+n])
			out = append(out[:at:at], out[at+n:]...)
			to := rnd.IntN(len(out) + 1)
			out = append(out[:to:to], append(cut, out[to:]...)...)
		}
	}
	return out
}

// TestMemo offers versions of files, as a history has them, and checks that a memo
// changes nothing.
func TestMemo(t *testing.T) {
	w := newTwins(t, penstock.Setup{})
	if w.memo.pool.Get().(*scratch).recall.memo == nil || w.plain.pool.Get().(*scratch).recall.memo != nil {
		t.Fatal("not just one of the two has a memo")
	}
	lines := material(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	paths := []string{"src/a.go", "config/prod.yml", ".env", "test/fixtures/a.json", "deploy/Dockerfile", "k8s/secret.yaml", "src/main/resources/application.properties"}
	found := 0
	for range 12 {
		var b bytes.Buffer
		for b.Len() < 2000+rnd.IntN(16000) {
			b.Write(lines[rnd.IntN(len(lines))])
			b.WriteString([]string{"\n", "\n", "\n", "\r\n", " ", ""}[rnd.IntN(6)])
		}
		text := b.Bytes()
		for range 15 {
			found += w.compare(t, paths[rnd.IntN(len(paths))], text)
			text = mutate(rnd, text, lines)
		}
	}
	if found < 1000 {
		t.Errorf("only %d records: the texts are no test", found)
	}
}

// TestMemoPieces is the same for a file that is read in pieces.
func TestMemoPieces(t *testing.T) {
	w := newTwins(t, penstock.Setup{})
	lines := material(t)
	rnd := rand.New(rand.NewPCG(8, 9))
	var b bytes.Buffer
	for b.Len() < 200_000 {
		b.Write(lines[rnd.IntN(len(lines))])
		b.WriteByte('\n')
	}
	text := b.Bytes()
	for range 3 {
		want, got := new(collect), new(collect)
		if err := w.plain.File(context.Background(), pieces("a.go", text, 100_000, segmentOverlap), want); err != nil {
			t.Fatal(err)
		}
		if err := w.memo.File(context.Background(), pieces("a.go", text, 100_000, segmentOverlap), got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.findings, got.findings); diff != "" || len(want.findings) < 100 {
			t.Fatalf("%d findings; with a memo (-without +with):\n%s", len(want.findings), diff)
		}
		text = mutate(rnd, text, lines)
	}
}

// TestMemoKnows checks that a version with one line more is known but for the
// blocks about that line: else the memo would be right and useless.
func TestMemoKnows(t *testing.T) {
	d, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&b, "\tcase %d: return table[%d] // %x\n", i, i*7, i*i)
	}
	old := b.Bytes()
	at := bytes.IndexByte(old[len(old)/3:], '\n') + len(old)/3 + 1
	more := bytes.Join([][]byte{old[:at], []byte("\tdefault: return nil\n"), old[at:]}, nil)
	sc := newScratch(d)
	sc.recall.memo = newMemo(d)
	unknown := func(b []byte) (n, all int) {
		for from := 0; from < len(b); all++ {
			to := cutBlock(b, from)
			if _, ok := sc.recall.memo.get(sc.recall.key(b, from, to)); !ok {
				n++
			}
			from = to
		}
		return n, all
	}
	if n, all := unknown(old); n != all || all < 50 {
		t.Fatalf("%d of %d blocks unknown at first", n, all)
	}
	d.begin(nil, sc)
	d.scan(&text{b: old, until: len(old)}, sc)
	if n, _ := unknown(old); n != 0 {
		t.Errorf("%d blocks unknown of what was just read", n)
	}
	if n, _ := unknown(more); n == 0 || n > 3 {
		t.Errorf("%d blocks unknown after one line, want 1 to 3", n)
	}
}

// TestMemoKey checks what a key must tell apart.
func TestMemoKey(t *testing.T) {
	d, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &recall{memo: newMemo(d)}
	b := bytes.Repeat([]byte("x"), 4000)
	tail := c.memo.tail
	keys := map[memoKey]string{}
	add := func(name string, b []byte, from, to int) {
		k := c.key(b, from, to)
		if other, ok := keys[k]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		keys[k] = name
	}
	add("inside", b, 100, 700)
	add("longer", b, 100, 701)
	add("at the start", b, 0, 600)
	add("at the end", b[:700+tail], 100, 700)
	add("near the end", b[:700+tail-1], 100, 700)
	after := bytes.Clone(b)
	after[700+tail-1] = 'y'
	add("another tail", after, 100, 700)
	before := bytes.Clone(b)
	before[99] = 'y'
	add("another byte before", before, 100, 700)
	if c.key(b, 100, 700) != c.key(b[50:], 50, 650) {
		t.Error("the key depends on where the block lies")
	}
	other := &recall{memo: newMemo(d)}
	if other.key(b, 100, 700) == c.key(b, 100, 700) {
		t.Error("two memos share a key")
	}
}

// TestMemoBounds fills a memo with more than it holds.
func TestMemoBounds(t *testing.T) {
	d, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := newMemo(d)
	rnd := rand.New(rand.NewPCG(3, 4))
	var k memoKey
	for range 2 * memoShards * memoSets * memoWays {
		binary.LittleEndian.PutUint64(k[:], rnd.Uint64())
		a := answer{steps: 1}
		if rnd.IntN(2) == 0 {
			a.held = &held{hits: make([]blockHit, rnd.IntN(20))}
		}
		m.put(k, a)
		if got, ok := m.get(k); !ok || got.held != a.held {
			t.Fatal("what was just put is not there")
		}
	}
	for i := range m.shards {
		s := &m.shards[i]
		held := 0
		for k := range s.sets {
			for w := range s.sets[k] {
				held += s.sets[k][w].held.size()
			}
		}
		if held != s.held || held > heldLimit {
			t.Fatalf("shard %d holds %d bytes and counts %d, at most %d", i, held, s.held, heldLimit)
		}
	}
}

// TestMemoBudget checks that a budget that runs out does so with a memo, too, also
// where filters count only since the text has a keyword.
func TestMemoBudget(t *testing.T) {
	for _, keyword := range []string{"aaa", "far away"} {
		var rules strings.Builder
		for i := range 9 {
			fmt.Fprintf(&rules, "[[rules]]\nid = \"slow%d\"\nregex = '''aaa[a-z]+Z'''\nkeywords = [%q]\n", i, keyword)
		}
		w := newTwins(t, penstock.Setup{RuleFiles: []penstock.RuleFile{{Path: "r", Data: []byte(rules.String())}}, SkipRules: []string{"secrets/*"}})
		text := strings.Repeat(strings.Repeat("a", 80)+"\n", 1000)
		// First in parts that stay below the budget, so that all of it is known.
		for at := 0; at < len(text); at += len(text) / 4 {
			w.compare(t, "a", []byte(text[at:at+len(text)/4]+" far away\n"))
		}
		for range 2 {
			if n := w.compare(t, "a", []byte(text+" far away\n")); n == 0 {
				t.Fatalf("keyword %q: the budget was not spent: the text is no test", keyword)
			}
		}
		if n := w.compare(t, "a", []byte(text)); (n == 0) != (keyword != "aaa") {
			t.Errorf("keyword %q, not in the text: %d records", keyword, n)
		}
	}
}

// TestMemoStretches compares what a memo says of encoded stretches with a search,
// where blocks end anywhere.
func TestMemoStretches(t *testing.T) {
	d, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	sc := newScratch(d)
	sc.recall.memo = newMemo(d)
	rnd := rand.New(rand.NewPCG(10, 11))
	words := []string{" ", "\n", "%", "%4", "%41", `\x`, `\x4`, `\x41`, `\u00`, `\u0041`, "U+0041", "U+0041 ", "Z", "41", "H4sI", "dGV4", "dGV4dCB0ZXh0IHRl", "74657874"}
	runs, escapes := 0, 0
	for range 300 {
		var b bytes.Buffer
		some := words
		if rnd.IntN(2) == 0 {
			some = words[2:] // no line ends, so that blocks end in the middle of things
		}
		for b.Len() < 12_000 {
			b.WriteString(strings.Repeat(some[rnd.IntN(len(some))], 1+rnd.IntN(8)))
		}
		txt := &text{b: b.Bytes(), until: b.Len()}
		d.begin(nil, sc)
		d.scan(txt, sc)
		var want []int
		for l := 0; l < len(txt.b); {
			r := l
			for r < len(txt.b) && base64Value[txt.b[r]] != 0xFF {
				r++
			}
			if run := txt.b[l:r]; len(run) >= minBase64 && (base64SaysText(run) || bytes.HasPrefix(run, gzipBase64)) || len(run) >= minHex && hexSaysText(run) {
				want = append(want, l)
			}
			l = r + 1
		}
		if diff := cmp.Diff(want, sc.recall.runs); diff != "" {
			t.Fatalf("runs of %q (-search +memo):\n%s", txt.b, diff)
		}
		runs += len(want)
		for kind := range inlineEscapes {
			for at := 0; at >= 0 && at < len(txt.b); at++ {
				next := inlineEscapes[kind].next(txt.b, at)
				if got := sc.nextEscape(txt, kind, at); got != next {
					t.Fatalf("escape %d from %d on: %d, want %d in %q", kind, at, got, next, txt.b)
				}
				if at = next; at < 0 {
					break
				}
				escapes++
			}
		}
	}
	if runs < 1000 || escapes < 1000 {
		t.Errorf("%d runs and %d escapes: the texts are no test", runs, escapes)
	}
}

func FuzzMemo(f *testing.F) {
	lines := material(f)
	var b bytes.Buffer
	for i, l := range lines {
		if b.Write(l); b.Len() > 1500 {
			f.Add(b.Bytes(), uint64(i))
			b.Reset()
		}
		b.WriteByte('\n')
	}
	w := newTwins(f, penstock.Setup{})
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 20_000 {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 5))
		for range 4 {
			w.compare(t, "src/a.go", text)
			text = mutate(rnd, text, lines)
		}
	})
}

// BenchmarkHistory reads 40 versions of a text, of which each has a line more.
func BenchmarkHistory(b *testing.B) {
	lines := material(b)
	rnd := rand.New(rand.NewPCG(6, 7))
	var base bytes.Buffer
	for base.Len() < 20_000 {
		fmt.Fprintf(&base, "\tif err := run%d(ctx, opts.Key, %q); err != nil { return err }\n", rnd.IntN(1000), "some text")
	}
	versions := [][]byte{base.Bytes()}
	size := base.Len()
	for range 39 {
		versions = append(versions, mutate(rnd, versions[len(versions)-1], lines[len(lines)/2:]))
		size += len(versions[len(versions)-1])
	}
	w := newTwins(b, penstock.Setup{})
	for _, c := range []struct {
		name string
		p    *pass
	}{{"plain", w.plain}, {"memo", w.memo}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, v := range versions {
					f := penstock.NewFile("a.go", penstock.FileInfo{Size: 1}, func() ([]byte, error) { return v, nil }, nil)
					if err := c.p.File(context.Background(), f, new(collect)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
