package secrets

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// collect is a reporter that keeps findings.
type collect struct {
	findings []*penstock.Finding
	others   []penstock.Record
}

func (c *collect) Report(r penstock.Record) {
	if f, ok := r.(*penstock.Finding); ok {
		c.findings = append(c.findings, f)
		return
	}
	c.others = append(c.others, r)
}

// scanWith runs rules, as TOML, over one file.
func scanWith(t testing.TB, rules, path, text string, depth int) *collect {
	t.Helper()
	p, err := new(engine).open(context.Background(), penstock.Setup{
		RuleFiles:   []penstock.RuleFile{{Path: "rules.toml", Data: []byte(rules)}},
		SkipRules:   []string{"secrets/*"},
		DecodeDepth: depth,
		Key:         []byte("key"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := new(collect)
	f := penstock.NewFile(path, penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return []byte(text), nil }, nil)
	if err := p.File(context.Background(), f, c); err != nil {
		t.Fatal(err)
	}
	return c
}

const tokenRule = `
[[rules]]
id = "token"
regex = '''\btok_[0-9a-f]{20}\b'''
keywords = ["tok_"]
[[rules]]
id = "named"
regex = '''(?i)password["']?\s*[:=]\s*["']?([a-z0-9]{8,40})'''
keywords = ["password"]
`

// token makes a value that tokenRule finds.
func token(n int) string { return fmt.Sprintf("tok_%020x", 0x1234567890abc+n) }

func TestDecode(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	zip := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	}
	utf16 := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteByte(s[i])
			b.WriteByte(0)
		}
		return b.String()
	}
	unicode := func(s string) string {
		var b strings.Builder
		for _, c := range s {
			fmt.Fprintf(&b, `\u%04x`, c)
		}
		return b.String()
	}
	percent := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
		return b.String()
	}
	wrapped := func(s string) string {
		e := b64([]byte(s))
		var b strings.Builder
		for len(e) > 64 {
			b.WriteString("    " + e[:64] + "\n")
			e = e[64:]
		}
		return b.String() + "    " + e + "\n"
	}
	tok := token(1)
	long := "the token is " + tok + " and it works, "
	tests := []struct {
		name, encoded string
		kinds         []string
	}{
		{"base64", b64([]byte(tok)), []string{"base64"}},
		{"base64url", base64.RawURLEncoding.EncodeToString([]byte(tok + "~~??>>" + tok)), []string{"base64"}},
		{"hex", hex.EncodeToString([]byte(tok)), []string{"hex"}},
		{"HEX", strings.ToUpper(hex.EncodeToString([]byte(tok))), []string{"hex"}},
		{"percent", percent(tok), []string{"percent"}},
		{"percent of one", strings.Replace(tok, "_", "%5F", 1), []string{"percent"}},
		{"unicode", unicode(tok), []string{"unicode"}},
		{"unicode of one", strings.Replace(tok, "_", `\u005f`, 1), []string{"unicode"}},
		{"code points", strings.ReplaceAll(strings.ReplaceAll(unicode(tok), `\u`, " U+"), "abcdef", "ABCDEF")[1:], []string{"unicode"}},
		{"base64 twice", b64([]byte(b64([]byte(tok)))), []string{"base64", "base64"}},
		{"percent of base64", percent(b64([]byte(tok))), []string{"percent", "base64"}},
		{"hex of base64 of percent", hex.EncodeToString([]byte(b64([]byte(percent(tok))))), []string{"hex", "base64", "percent"}},
		{"five layers", b64([]byte(b64([]byte(b64([]byte(b64([]byte(b64([]byte(tok)))))))))), []string{"base64", "base64", "base64", "base64", "base64"}},
		{"gzip in base64", b64([]byte(zip(long))), []string{"base64", "gzip"}},
		{"helm", b64([]byte(b64([]byte(zip(long))))), []string{"base64", "base64", "gzip"}},
		{"powershell", b64([]byte(utf16(long))), []string{"base64"}},
		{"wrapped", wrapped(strings.Repeat("x = 1\n", 20) + tok), []string{"base64"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "before\nvalue: " + tt.encoded + "\nafter\n"
			got := scanWith(t, tokenRule, "f.txt", text, 5).findings
			if len(got) == 0 {
				t.Fatalf("nothing found in %q", text)
			}
			f := got[0]
			if f.Rule != "user/token" {
				t.Errorf("rule %s", f.Rule)
			}
			if diff := cmp.Diff(tt.kinds, f.Evidence.Secret.Decoded); diff != "" {
				t.Errorf("encodings (-want +got):\n%s", diff)
			}
			lo, hi := int64(strings.Index(text, "value: ")+7), int64(len(text)-len("\nafter\n"))
			if f.Location.Start < lo || f.Location.End > hi || f.Location.Start >= f.Location.End {
				t.Errorf("placed at %d-%d, want within %d-%d", f.Location.Start, f.Location.End, lo, hi)
			}
			if n := len(scanWith(t, tokenRule, "f.txt", text, len(tt.kinds)-1).findings); n != 0 && !slices.Contains(tt.kinds, "gzip") {
				t.Errorf("%d findings with one layer less", n)
			}
		})
	}
}

// TestDecodePlace checks that the place of a secret in a large encoded text is
// that of its own characters.
func TestDecodePlace(t *testing.T) {
	plain := strings.Repeat("abc def ", 100) + "password=hunter2hunter2 " + strings.Repeat("abc def ", 100)
	enc := base64.StdEncoding.EncodeToString([]byte(plain))
	text := "data: " + enc
	got := scanWith(t, tokenRule, "f", text, 1).findings
	if len(got) != 1 {
		t.Fatalf("%d findings, want 1", len(got))
	}
	from, to := got[0].Location.Start-6, got[0].Location.End-6
	from, to = from/4*4, (to+3)/4*4
	dec, err := base64.StdEncoding.DecodeString(enc[from:to])
	if err != nil {
		t.Fatal(err)
	}
	if s := string(dec); !strings.Contains(s, "hunter2hunter2") || len(s) > len("hunter2hunter2")+6 {
		t.Errorf("the place decodes to %q", s)
	}
}

// TestDecodeContext checks that the name before an encoded value counts.
func TestDecodeContext(t *testing.T) {
	text := "user: x\npassword: " + base64.StdEncoding.EncodeToString([]byte("correct1horse2battery")) + "\n"
	got := scanWith(t, tokenRule, "f", text, 1).findings
	if len(got) != 1 {
		t.Fatalf("%d findings, want 1", len(got))
	}
}

// TestDecodeOnce checks that what the plain text shows is not found again in a
// view, and that a finding of each place is made.
func TestDecodeOnce(t *testing.T) {
	tok, other := token(1), token(2)
	text := "a=%20" + tok + "%20b " + base64.StdEncoding.EncodeToString([]byte(other+" "+tok)) + "\n"
	c := scanWith(t, tokenRule, "f", text, 5)
	if len(c.findings) != 3 {
		for _, f := range c.findings {
			t.Logf("%d-%d %v", f.Location.Start, f.Location.End, f.Evidence.Secret.Decoded)
		}
		t.Fatalf("%d findings, want 3", len(c.findings))
	}
}

func FuzzDecode(f *testing.F) {
	tok := token(3)
	f.Add([]byte(tok), uint16(0x1234))
	f.Add([]byte("x"+tok+"y"), uint16(0))
	f.Fuzz(func(t *testing.T, junk []byte, layers uint16) {
		if len(junk) > 4096 {
			return
		}
		// Any bytes: no panic, and places inside the file.
		text := string(junk)
		for _, fd := range scanWith(t, tokenRule, "f", text, 5).findings {
			if fd.Location.Start < 0 || fd.Location.End > int64(len(text)) || fd.Location.Start > fd.Location.End {
				t.Fatalf("place %d-%d in %d bytes", fd.Location.Start, fd.Location.End, len(text))
			}
		}
		// A token under any layers is found.
		enc := tok
		n := 0
		for ; layers != 0 && n < 5; layers >>= 3 {
			switch layers & 7 {
			case 0:
				continue
			case 1, 2:
				enc = base64.StdEncoding.EncodeToString([]byte(enc))
			case 3:
				enc = base64.RawURLEncoding.EncodeToString([]byte(enc))
			case 4:
				enc = hex.EncodeToString([]byte(enc))
			case 5:
				enc = url.QueryEscape("=" + enc + "=")
			case 6:
				enc = strings.ReplaceAll(enc, "0", `\u0030`)
			case 7:
				enc = strings.ReplaceAll(enc, "1", `%31`)
			}
			n++
		}
		if len(scanWith(t, tokenRule, "f", "v = "+enc+"\n", 5).findings) == 0 {
			t.Fatalf("not found in %q", enc)
		}
	})
}
