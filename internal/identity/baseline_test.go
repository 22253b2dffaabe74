package identity_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/engine/secrets"
	"penstock/internal/identity"
	"penstock/internal/scan"
)

var salt = []byte("sixteen bytes ok")

func someBaseline() *identity.Baseline {
	b := &identity.Baseline{Salt: salt, Tool: "1.2.3"}
	old, _ := many(rand.New(rand.NewPCG(5, 6)), 30)
	for _, o := range old {
		b.Entries = append(b.Entries, identity.Entry{Rule: "code/x", Since: "abc", Fingerprint: "0123abcd", Features: *o.Features})
	}
	return b
}

func TestBaselineRoundTrip(t *testing.T) {
	want := someBaseline()
	var out bytes.Buffer
	if err := want.Write(&out); err != nil {
		t.Fatal(err)
	}
	got, err := identity.ReadBaseline(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-written +read):\n%s", d)
	}
	var again bytes.Buffer
	if err := got.Write(&again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("written again it differs: %v", err)
	}
	t.Logf("%d bytes an entry", out.Len()/len(want.Entries))
}

func TestBaselineRefuses(t *testing.T) {
	var out bytes.Buffer
	if err := someBaseline().Write(&out); err != nil {
		t.Fatal(err)
	}
	good := out.String()
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "the file is empty"},
		{"no header", "{}\n", "line 1: this is no baseline"},
		{"newer", strings.Replace(good, `"baseline":2`, `"baseline":3,"x":1`, 1), "version 3, this program reads versions up to 2"},
		{"salt", strings.Replace(good, `"salt":"`, `"salt":"zz`, 1), "the salt is not 16 bytes"},
		{"unknown field", strings.Replace(good, `"since"`, `"sinse"`, 1), "line 2: it does not read as one of version 2"},
		{"features", strings.Replace(good, `"class":"code/x"`, `"class":""`, 1), "line 2: features out of bounds"},
		{"rule", strings.Replace(good, `"rule":"code/x"`, `"rule":"x"`, 1), "line 2: no rule id"},
		{"a secret as a number", strings.Replace(good, `"line":`, `"line":12345678901234567890`, 1), "line 2: it does not read as one of version 2"},
		{"hash", strings.Replace(good, `"code":"`, `"code":"0`, 1), "line 2"},
		{"two on a line", strings.Replace(good, "\n{\"rule\"", "\n{}{\"rule\"", 1), "line 2"},
		{"half a line", good[:len(good)-20], "unexpected EOF"},
		{"endless line", good + strings.Repeat("[", 1<<20), "token too long"},
	} {
		_, err := identity.ReadBaseline(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	// Version 1 is that of before Features.Outer, which is optional.
	if _, err := identity.ReadBaseline(strings.NewReader(strings.Replace(good, `"baseline":2`, `"baseline":1`, 1))); err != nil {
		t.Errorf("version 1: %v", err)
	}
	b := someBaseline()
	b.Salt = nil
	if err := b.Write(&out); err == nil {
		t.Error("written without a salt")
	}
	b = someBaseline()
	b.Entries[0].Features.Class = ""
	if err := b.Write(&out); err == nil {
		t.Error("written what cannot be read")
	}
}

// TestBaselineHoldsNoSecret: neither the value nor the code around it, and a
// second scan with the same salt, by another machine with another key, finds all
// entries again after the code has moved.
func TestBaselineHoldsNoSecret(t *testing.T) {
	const token = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dcXk"
	const password = "uT7#kQ9w" + "!pZ2xLm"
	source := "package app\n\nfunc connect() {\n\tclient.Token = \"" + token + "\"\n\tdb.Password = \"" + password + "\"\n\tclient.Dial()\n}\n"
	run := func(files map[string]string, key string, salt []byte) []*penstock.Finding {
		dir := plant(t, files)
		res, err := scan.Run(t.Context(), scan.Config{Roots: []string{dir}, Dir: dir, NoGit: true, Engines: []penstock.Engine{secrets.Engine(), probeEngine()}, Setup: penstock.Setup{Key: []byte(key), Salt: salt}})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Findings) == 0 {
			t.Fatal("nothing found")
		}
		return res.Findings
	}
	found := run(map[string]string{"app.go": source}, "key of one machine", salt)
	b := identity.NewBaseline(salt, "1.2.3", "abc", found)
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{token, password, token[:8], "Dial", "client", "connect"} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("the baseline shows %q", canary)
		}
	}
	read, err := identity.ReadBaseline(&out)
	if err != nil {
		t.Fatal(err)
	}
	fresh := identity.Observe(run(map[string]string{"lib/app.go": "// moved\n\n" + source}, "key of another", salt))
	r := identity.Match(read.Observations(), fresh, identity.Options{})
	if len(r.Gone)+len(r.Fresh) != 0 {
		t.Errorf("not found again: %s", trail(r))
	}
	for _, p := range r.Pairs {
		if !p.Exact {
			t.Errorf("not exact: %+v", p)
		}
	}
	changed := strings.ReplaceAll(source, password, "N3w-passw0rd!")
	fresh = identity.Observe(run(map[string]string{"app.go": changed}, "key of another", salt))
	r = identity.Match(read.Observations(), fresh, identity.Options{})
	for _, p := range r.Pairs {
		if e := read.Entries[p.Old]; e.Features.Line == 5 && e.Features.Value != 0 {
			t.Error("a changed password passes for the old one")
		}
	}
}

func TestBaselinePruned(t *testing.T) {
	o := []identity.Observation{
		ob("a", 1, "kept here ( 1 )", "ab", "cd"), ob("a", 9, "fixed there ( 2 )", "ef", "gh"),
		ob("a", 20, "edited code ( 3 , 4 )", "ij", "kl"), ob("unread", 3, "x y", "m", "n"),
	}
	b := &identity.Baseline{Salt: salt}
	for _, o := range o {
		b.Entries = append(b.Entries, identity.Entry{Rule: "code/x", Since: "abc", Features: *o.Features})
	}
	fresh := []identity.Observation{ob("a", 4, "kept here ( 1 )", "ab", "cd"), ob("a", 20, "edited code ( 3 , 5 )", "ij", "kl")}
	r := identity.Match(b.Observations(), fresh, identity.Options{})
	findings := []*penstock.Finding{{Rule: "code/y", Fingerprint: "f"}} // the rule has a new name
	next, dropped, moved := b.Pruned(r, fresh, findings, func(path, rule string) bool { return path != "unread" })
	var got []string
	for _, e := range next.Entries {
		got = append(got, fmt.Sprintf("%s:%d %x %s %s%s", e.Features.Path, e.Features.Line, e.Features.Code, e.Since, e.Rule, e.Fingerprint))
	}
	want := []string{
		fmt.Sprintf("a:4 %x abc code/yf", o[0].Code),     // moved along
		fmt.Sprintf("a:20 %x abc code/x", o[2].Code),     // not confirmed, so as it was
		fmt.Sprintf("unread:3 %x abc code/x", o[3].Code), // unknown is not fixed
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([2][]int{{1}, {0}}, [2][]int{dropped, moved}); d != "" {
		t.Errorf("dropped, moved (-want +got):\n%s", d)
	}
}

func FuzzReadBaseline(f *testing.F) {
	var out bytes.Buffer
	if err := someBaseline().Write(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte("{\"baseline\":1}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := identity.ReadBaseline(bytes.NewReader(b))
		if err != nil {
			return
		}
		var one, two bytes.Buffer
		if err := read.Write(&one); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := identity.ReadBaseline(bytes.NewReader(one.Bytes()))
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if err := again.Write(&two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Fatalf("not stable: %v", err)
		}
		identity.Match(read.Observations(), again.Observations(), identity.Options{})
	})
}
