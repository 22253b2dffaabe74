package secrets

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"penstock/rules"

	"penstock"
)

// naked is the built-in rules without what sorts matches out, so that every match
// shows; oracle are the standard library's expressions for them.
type naked struct {
	d      *detector
	oracle []*regexp.Regexp
}

var nakedRules = sync.OnceValue(func() *naked {
	d, err := load(nil, nil)
	if err != nil {
		panic(err)
	}
	n := &naked{d: d}
	for _, r := range d.rules {
		r.entropy, r.check, r.allow, r.path = 0, nil, nil, nil
		r.set.global = nil
		if r.re == nil {
			n.oracle = append(n.oracle, nil)
			continue
		}
		n.oracle = append(n.oracle, regexp.MustCompile(r.re.src))
	}
	return n
})

// match is one match and its secret.
type match struct {
	Rule                 string
	Start, End, From, To int
}

func compareMatches(a, b match) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}

// whole finds what a search of each rule over the whole text finds.
func (n *naked) whole(text []byte) []match {
	var out []match
	low := bytes.ToLower(text)
	for i, r := range n.d.rules {
		re := n.oracle[i]
		if re == nil || len(r.keywords) > 0 && !slices.ContainsFunc(r.keywords, func(k string) bool { return bytes.Contains(low, []byte(k)) }) {
			continue
		}
		for _, m := range re.FindAllIndex(text, -1) {
			trimmed := bytes.Trim(text[m[0]:m[1]], "\n")
			if len(trimmed) == 0 {
				continue
			}
			off := m[0] + bytes.Index(text[m[0]:m[1]], trimmed)
			from, to := off, off+len(trimmed)
			if g := re.FindSubmatchIndex(trimmed); len(g) >= 4 {
				if r.group > 0 {
					from, to = off, off
					if g[2*r.group] >= 0 {
						from, to = off+g[2*r.group], off+g[2*r.group+1]
					}
				} else {
					for k := 2; k+1 < len(g); k += 2 {
						if g[k] >= 0 && g[k+1] > g[k] {
							from, to = off+g[k], off+g[k+1]
							break
						}
					}
				}
			}
			out = append(out, match{r.name, m[0], m[1], from, to})
		}
	}
	slices.SortFunc(out, compareMatches)
	return out
}

// windowed finds what the engine finds.
func (n *naked) windowed(b []byte) []match {
	sc := newScratch(n.d)
	n.d.begin(nil, sc)
	n.d.scan(&text{b: b, until: len(b)}, sc)
	var out []match
	for _, h := range sc.hits {
		if !h.quiet {
			out = append(out, match{h.rule.name, int(h.start), int(h.end), int(h.from), int(h.to)})
		}
	}
	slices.SortFunc(out, compareMatches)
	return out
}

// examples expands the templates of all built-in rules, bad and good.
func examples(t testing.TB) [][]byte {
	t.Helper()
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, name := range names {
		data, err := fs.ReadFile(rules.Secrets, name)
		if err != nil {
			t.Fatal(err)
		}
		file, _, err := parseRuleFile(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range file.Rules {
			for i, tmpl := range slices.Concat(r.Bad, r.Good) {
				text, err := Expand(tmpl, uint64(i), r.Check)
				if err != nil {
					t.Fatalf("%s: %v", r.ID, err)
				}
				out = append(out, []byte(text))
			}
		}
	}
	return out
}

// foldsToASCII reports whether text holds one of the two runes that fold to an
// ASCII letter, which the prefilter does not look for.
func foldsToASCII(text []byte) bool {
	return bytes.ContainsRune(text, longS) || bytes.ContainsRune(text, kelvinSign)
}

// TestWindowedIsWhole compares the engine with a plain search on texts that the
// examples of all rules make, alone and run together.
func TestWindowedIsWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("every rule over every example, on one goroutine")
	}
	n := nakedRules()
	var texts [][]byte
	var all bytes.Buffer
	for i, b := range examples(t) {
		texts = append(texts, b)
		all.Write(b)
		all.WriteString([]string{"\n", " ", "\n\n", ", ", "\"", "/"}[i%6])
		if all.Len() > 4000 {
			texts = append(texts, bytes.Clone(all.Bytes()))
			all.Reset()
		}
	}
	found := 0
	for _, text := range texts {
		want, got := n.whole(text), n.windowed(text)
		found += len(want)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("the engine differs from a whole search (-whole +engine) on %q:\n%s", text, diff)
		}
	}
	if found < len(n.d.rules) {
		t.Errorf("only %d matches: the texts are no test", found)
	}
}

func FuzzWindowedIsWhole(f *testing.F) {
	n := nakedRules()
	for i, b := range examples(f) {
		if i%20 == 0 && len(b) < 1000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 3000 || foldsToASCII(text) {
			return
		}
		if diff := gocmp.Diff(n.whole(text), n.windowed(text)); diff != "" {
			t.Fatalf("the engine differs from a whole search (-whole +engine) on %q:\n%s", text, diff)
		}
	})
}

// TestWindowedOnTree does the same over the files of a folder, which
// PENSTOCK_TREE names: slow, for real text.
func TestWindowedOnTree(t *testing.T) {
	root := os.Getenv("PENSTOCK_TREE")
	if root == "" {
		t.Skip("PENSTOCK_TREE names no folder")
	}
	n := nakedRules()
	var total, found int
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) > 1<<20 || foldsToASCII(text) || bytes.IndexByte(text, 0) >= 0 {
			return nil
		}
		total += len(text)
		want := n.whole(text)
		found += len(want)
		if diff := gocmp.Diff(want, n.windowed(text)); diff != "" {
			t.Errorf("%s: the engine differs from a whole search (-whole +engine):\n%s", path, diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%d bytes, %d matches\n", total, found)
}

// TestInsideBlob: a token's prefix in the middle of a picture is no token, however
// well its neighbours look like borders; behind a border of a text it is.
func TestInsideBlob(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := make([]byte, 3000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	blob := []byte(base64.StdEncoding.EncodeToString(random))
	token := []byte("EAA" + "G")
	for len(token) < 160 {
		token = append(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[r.IntN(62)])
	}
	inside := slices.Concat([]byte(`<image href="data:image/png;base64,`), blob[:400], []byte("/"), token, []byte("/"), blob[400:], []byte(`"/>`))
	p, err := open(t.Context(), penstock.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		want int
	}{
		"picture": {inside, 0},
		"url":     {slices.Concat([]byte("https://graph.example.com/v19.0/messages/"), token), 1},
		"value":   {slices.Concat([]byte("META_TOKEN="), token), 1},
	} {
		got := 0
		for _, f := range scanText(t, p, "src/a.svg", string(c.text)) {
			if f.Rule == "secrets/whatsapp-or-facebook-token" {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d findings, want %d", name, got, c.want)
		}
	}
}
