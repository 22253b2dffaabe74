package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// pieces makes a File that is read in pieces, as the pass reads large ones.
func pieces(path string, text []byte, size, overlap int) *penstock.File {
	segments := func(int, int) iter.Seq2[penstock.Segment, error] {
		return func(yield func(penstock.Segment, error) bool) {
			for at, fresh := 0, 0; ; {
				end := min(len(text), at+size)
				last := end == len(text)
				if !yield(penstock.Segment{Base: int64(at), Bytes: bytes.Clone(text[at:end]), Fresh: fresh, Last: last}, nil) || last {
					return
				}
				at, fresh = end-overlap, overlap
			}
		}
	}
	return penstock.NewFile(path, penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return nil, penstock.ErrTooLarge }, segments)
}

// TestPieces checks that a file read in pieces gives what it gives whole, also
// where a secret lies on an edge.
func TestPieces(t *testing.T) {
	var b bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&b, "%s token %s %s\n", strings.Repeat("x ", 1500+137*i), token(i), strings.Repeat(" y", 1000))
		if i%3 == 0 {
			b.WriteString("password = abcdefgh12345678 \n")
		}
	}
	text := b.Bytes()
	setup := penstock.Setup{RuleFiles: []penstock.RuleFile{{Path: "r", Data: []byte(tokenRule)}}, SkipRules: []string{"secrets/*"}, DecodeDepth: 2}
	p, err := open(context.Background(), setup)
	if err != nil {
		t.Fatal(err)
	}
	type found struct {
		Rule       string
		Start, End int64
		Scope      string
	}
	run := func(f *penstock.File) (out []found) {
		c := new(collect)
		if err := p.File(context.Background(), f, c); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.findings {
			out = append(out, found{f.Rule, f.Location.Start, f.Location.End, f.Evidence.Scope})
		}
		for _, o := range c.others {
			t.Errorf("unexpected %T", o)
		}
		return out
	}
	want := run(penstock.NewFile("f", penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return text, nil }, nil))
	if len(want) != 40+14 {
		t.Fatalf("%d findings in the whole file, want 54", len(want))
	}
	sortFound := func(list []found) map[found]int {
		m := map[found]int{}
		for _, f := range list {
			m[f]++
		}
		return m
	}
	for _, size := range []int{70_000, 100_000, 131_072, 200_001} {
		got := run(pieces("f", text, size, segmentOverlap))
		if diff := cmp.Diff(sortFound(want), sortFound(got)); diff != "" {
			t.Errorf("pieces of %d (-whole +pieces):\n%s", size, diff)
		}
	}
}

// TestHidden checks that nothing of a finding shows the value.
func TestHidden(t *testing.T) {
	tok := token(77)
	text := "a: " + tok + "\nb: " + strings.ToUpper(fmt.Sprintf("%x", tok)) + "\npassword = " + tok[4:] + "\n" + tok + " = " + token(78) + "\n"
	c := scanWith(t, tokenRule, ".github/workflows/x.yml", text, 5)
	if len(c.findings) < 4 {
		t.Fatalf("%d findings", len(c.findings))
	}
	for _, f := range c.findings {
		j, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(j, []byte(tok[8:])) || bytes.Contains(j, []byte(tok[:12])) {
			t.Errorf("the finding shows the value: %s", j)
		}
		if len(f.Group) != 64 || strings.Contains(f.Group, tok) {
			t.Errorf("group %q is no keyed hash", f.Group)
		}
	}
	if c.findings[0].Evidence.Secret.Where != "ci" {
		t.Errorf("where %q, want ci", c.findings[0].Evidence.Secret.Where)
	}
}

func TestGroup(t *testing.T) {
	group := func(key, text string) string {
		p, err := open(context.Background(), penstock.Setup{RuleFiles: []penstock.RuleFile{{Path: "r", Data: []byte(tokenRule)}}, SkipRules: []string{"secrets/*"}, Key: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		c := new(collect)
		if err := p.File(context.Background(), penstock.NewFile("f", penstock.FileInfo{Size: 1}, func() ([]byte, error) { return []byte(text), nil }, nil), c); err != nil {
			t.Fatal(err)
		}
		return c.findings[0].Group
	}
	a, b := group("k", "x "+token(1)), group("k", "yy "+token(1)+" z")
	if a != b {
		t.Error("one secret in two places has two groups")
	}
	if group("k", token(2)) == a || group("l", token(1)) == a {
		t.Error("another secret or another key gives the same group")
	}
}

func TestHint(t *testing.T) {
	for value, want := range map[string]string{
		"":                      "",
		"short":                 "",
		"fifteen_letters":       "",
		"sixteen_letters_":      "sixt…",
		"ab\x00defghijklmnopq":  "ab…",
		"\xffbcdefghijklmnopqr": "",
	} {
		if got := hint([]byte(value)); got != want {
			t.Errorf("hint(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestScope(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`API_KEY = "§`, "API_KEY"},
		{`  "clientSecret": "§`, "clientSecret"},
		{"x\nspring.datasource.password=§", "spring.datasource.password"},
		{`headers: {"Authorization": "Bearer §`, "Bearer"},
		{"§", ""},
		{"\n§", ""},
		{"q8Zk3vXw9TmR2pLs7Yd1: §", ""},
		{strings.Repeat("a", 200) + " = §", ""},
	} {
		at := strings.Index(tt.text, "§")
		if got := scopeOf([]byte(tt.text), at); got != tt.want {
			t.Errorf("scopeOf(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestHostile scans what is made to be slow: it must end within its budget of
// steps, and say so if that was not enough.
func TestHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes of input")
	}
	rules := `
[[rules]]
id = "unbounded"
regex = '''foo.*bar(x+x+)+y'''
[[rules]]
id = "dotall"
regex = '''(?s)begin.*?end{50}'''
[[rules]]
id = "backward"
regex = '''\w+secret=(\w{10,})'''
[[rules]]
id = "counted"
regex = '''(?i)[a-z]{0,200}key[a-z]{0,200}=[a-z]{300}'''
[[rules]]
id = "no-anchor"
regex = '''(a|aa)+[0-9]{40}b'''
`
	texts := map[string]string{
		"one line of foo":   strings.Repeat("foo bar xxxx ", 80_000),
		"begins":            strings.Repeat("begin ", 200_000),
		"words":             strings.Repeat("secretsecret", 100_000),
		"keys":              strings.Repeat("key", 400_000),
		"keys=":             strings.Repeat("keykey=aaa", 100_000),
		"a":                 strings.Repeat("a", 1_000_000),
		"a1":                strings.Repeat("a1", 500_000),
		"base64":            strings.Repeat("YWFhYWFhYWFhYWFhYWFhYWFhYWFh ", 40_000),
		"base64 of base64":  strings.Repeat("WVdGaFlXRmhZV0ZoWVdGaFlXRmhZV0Zo", 30_000),
		"percent":           strings.Repeat("%61", 300_000),
		"percent of %":      strings.Repeat("%2561 ", 150_000),
		"backslashes":       strings.Repeat(`\u0061\x61`, 100_000),
		"armour":            strings.Repeat("-----BEGIN RSA PRIVATE KEY-----\n", 30_000),
		"curl":              strings.Repeat("curl -H ", 120_000),
		"kind":              strings.Repeat("kind: Secret\ndata:\n", 50_000),
		"quotes":            strings.Repeat(`password="`, 100_000),
		"zeros":             strings.Repeat("\x00", 1_000_000),
		"continuation":      strings.Repeat("\xbf", 1_000_000),
		"dollar assignment": strings.Repeat("api_key=api_key=", 60_000),
	}
	for _, rs := range []string{rules, ""} {
		setup := penstock.Setup{DecodeDepth: 5}
		if rs != "" {
			setup.RuleFiles = []penstock.RuleFile{{Path: "r", Data: []byte(rs)}}
			setup.SkipRules = []string{"secrets/*"}
		}
		p, err := open(context.Background(), setup)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range texts {
			c := new(collect)
			f := penstock.NewFile("f.yaml", penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return []byte(text), nil }, nil)
			if err := p.File(context.Background(), f, c); err != nil {
				t.Fatal(err)
			}
			for _, o := range c.others {
				if cov, ok := o.(*penstock.Coverage); !ok || cov.Reason != penstock.ReasonBudget || cov.State != penstock.Unread {
					t.Errorf("%s: unexpected record %+v", name, o)
				}
			}
		}
	}
}

// TestConcurrent runs one pass from several goroutines; the race detector and the
// comparison of their findings do the rest.
func TestConcurrent(t *testing.T) {
	p, err := open(context.Background(), penstock.Setup{DecodeDepth: 3, Key: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	texts := examples(t)
	results := make([][]string, 4)
	var wg sync.WaitGroup
	for g := range results {
		wg.Go(func() {
			for i, text := range texts {
				c := new(collect)
				f := penstock.NewFile(fmt.Sprintf("f%d", i), penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return text, nil }, nil)
				if err := p.File(context.Background(), f, c); err != nil {
					t.Error(err)
					return
				}
				for _, f := range c.findings {
					results[g] = append(results[g], fmt.Sprint(f.Rule, f.Location, f.Group, f.Severity))
				}
			}
		})
	}
	wg.Wait()
	if len(results[0]) < 100 {
		t.Fatalf("%d findings", len(results[0]))
	}
	for g := range results {
		if diff := cmp.Diff(results[0], results[g]); diff != "" {
			t.Fatalf("goroutine %d differs:\n%s", g, diff)
		}
	}
}

func BenchmarkFile(b *testing.B) {
	var buf bytes.Buffer
	for buf.Len() < 1<<20 {
		for _, e := range [...]string{"func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n", "\tkey := r.Header.Get(\"X-Api-Key\")\n", "\ttoken, err := s.auth.Token(ctx, key)\n", "  password: ${DB_PASSWORD}\n", "// The quick brown fox jumps over the lazy dog, and so on.\n"} {
			buf.WriteString(e)
		}
	}
	text := buf.Bytes()
	for _, depth := range []int{0, 5} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			p, err := open(context.Background(), penstock.Setup{DecodeDepth: depth})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				f := penstock.NewFile("src/main.go", penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return text, nil }, nil)
				if err := p.File(context.Background(), f, new(collect)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
