package secrets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"penstock"
	"penstock/rules"
)

func TestExpand(t *testing.T) {
	tests := []struct {
		template, check, want string // want is an expression for the whole
	}{
		{"plain text", "", `plain text`},
		{"{{literal}} {{}}", "", `\{literal\} \{\}`},
		{"x={alnum:12};", "", `x=[A-Za-z0-9]{12};`},
		{"{hex:3}{HEX:3}{digit:2}{upper:1}{lower:1}", "", `[0-9a-f]{3}[0-9A-F]{3}[0-9]{2}[A-Z][a-z]`},
		{"{lowernum:5-9}", "", `[a-z0-9]{5,9}`},
		{"{digit1:9}", "", `[1-9][0-9]{8}`},
		{"{uuid}", "", `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`},
		{"{b64:ci:{alnum:4}}!", "", `Y2k6[A-Za-z0-9+/=]+!`},
		{`{b64:{{"k":"{alnum:4}","m":{{"r":"eu"}}}}}`, "", `eyJrIjoi[A-Za-z0-9+/=]+`},
		{"{url:a b}{hexenc:hi}", "", `a%20b6869`},
		{"t={alnum:30}{check}", "github-crc32", `t=[A-Za-z0-9]{36}`},
		{"a b{^}=c{hex:2}{check}", "gitlab-crc32", `a b=c[0-9a-z]{9}`},
		{"{mnemonic:12}", "", `([a-z]{3,8} ){11}[a-z]{3,8}`},
		{"{pem-json:ec}", "", `-----BEGIN EC PRIVATE KEY-----(\\n[A-Za-z0-9+/=]+)+\\n-----END EC PRIVATE KEY-----`},
	}
	for _, test := range tests {
		got, err := Expand(test.template, 1, test.check)
		if err != nil {
			t.Errorf("%q: %v", test.template, err)
			continue
		}
		if !regexp.MustCompile(`\A(?:` + test.want + `)\z`).MatchString(got) {
			t.Errorf("%q gives %q, want %q", test.template, got, test.want)
		}
		if again, _ := Expand(test.template, 1, test.check); again != got {
			t.Errorf("%q gives %q, then %q", test.template, got, again)
		}
		if other, _ := Expand(test.template, 2, test.check); other == got && strings.ContainsAny(test.want, "[") {
			t.Errorf("%q gives the same for another seed", test.template)
		}
	}
	for _, bad := range []string{"{", "}", "{alnum}", "{alnum:}", "{alnum:x}", "{alnum:9-3}", "{nothing:3}", "{b64:x", "{pem:foo}", "{check}", "{b64:{b64:{b64:{b64:{b64:{b64:{b64:{b64:{b64:{b64:x}}}}}}}}}}"} {
		if got, err := Expand(bad, 1, ""); err == nil {
			t.Errorf("%q gives %q, want an error", bad, got)
		}
	}
	if _, err := Expand("x", 1, "no-such-check"); err == nil {
		t.Error("an unknown check is no error")
	}
}

// The keys that examples are made of are those of their formats.
func TestExpandKeys(t *testing.T) {
	parse := map[string]func([]byte) error{
		"rsa":   func(b []byte) error { _, err := x509.ParsePKCS1PrivateKey(b); return err },
		"ec":    func(b []byte) error { _, err := x509.ParseECPrivateKey(b); return err },
		"pkcs8": func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
	}
	for _, kind := range []string{"rsa", "ec", "dsa", "pkcs8", "openssh", "encrypted"} {
		for seed := range uint64(3) {
			text, err := Expand("{pem:"+kind+"}", seed, "")
			if err != nil {
				t.Fatal(err)
			}
			block, rest := pem.Decode([]byte(text + "\n"))
			if block == nil || len(rest) != 0 {
				t.Fatalf("%s: no PEM block", kind)
			}
			if p := parse[kind]; p != nil {
				if err := p(block.Bytes); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			}
			if kind == "openssh" && !bytes.HasPrefix(block.Bytes, []byte("openssh-key-v1\x00none")) && !bytes.HasPrefix(block.Bytes, []byte("openssh-key-v1\x00\x00\x00\x00\x04none")) {
				t.Errorf("openssh: %q", block.Bytes[:30])
			}
		}
	}
	token, _ := Expand("{jwt}", 1, "")
	head, _, _ := strings.Cut(token, ".")
	if b, err := base64.RawURLEncoding.DecodeString(head); err != nil || !bytes.Contains(b, []byte(`"alg"`)) {
		t.Errorf("jwt: header %q, %v", b, err)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"{alnum:20}", "{{x}}", "{b64:{{\"a\":{hex:3}}}}", "{check}", "{^}{uuid}{jwt}", "{pem:ec}", "{url:{b64:{lower:1-3}}}", "}{", "{mnemonic:99}"} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, template string, seed uint64) {
		if len(template) > 1000 || strings.Count(template, "pem") > 2 {
			return
		}
		got, err := Expand(template, seed, "bech32")
		if err == nil && len(got) > 3*maxExample {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// examplePaths names a file in which each rule that looks at paths applies.
var examplePaths = map[string]string{
	"ansible-vault-password":      ".vault_pass",
	"apple-signing-file":          "certs/AuthKey_ABCDE12345.p8",
	"composer-auth-password":      "auth.json",
	"generic-ci-variable":         ".github/workflows/ci.yml",
	"generic-compose-secret":      "docker-compose.yml",
	"generic-dockerfile-secret":   "Dockerfile",
	"generic-dotenv-secret":       ".env",
	"generic-gradle-property":     "gradle.properties",
	"generic-password-config":     "config/app.yaml",
	"generic-secret-config":       "config/app.yaml",
	"generic-terraform-variable":  "prod.tfvars",
	"generic-xml-element":         "config.xml",
	"git-credentials-file":        ".git-credentials",
	"htpasswd-hash":               ".htpasswd",
	"java-keystore-file":          "android/release.jks",
	"keepass-database-file":       "team.kdbx",
	"mac-keychain-file":           "ci.keychain-db",
	"mysql-option-file-password":  ".my.cnf",
	"netrc-password":              ".netrc",
	"npmrc-password":              ".npmrc",
	"nuget-config-password":       "nuget.config",
	"pgp-private-keyring-file":    "secring.gpg",
	"pgpass-password":             ".pgpass",
	"pkcs12-file":                 "certs/server.p12",
	"pypirc-password":             ".pypirc",
	"rails-master-key-file":       "config/master.key",
	"shell-history-file":          ".bash_history",
	"ssh-private-key-file":        "deploy/id_ed25519",
	"terraform-password-argument": "main.tf",
	"terraform-state-secret":      "terraform.tfstate",
}

// collector keeps findings.
type collector struct {
	mu    sync.Mutex
	found []*penstock.Finding
}

func (c *collector) Report(r penstock.Record) {
	if f, ok := r.(*penstock.Finding); ok {
		c.mu.Lock()
		c.found = append(c.found, f)
		c.mu.Unlock()
	}
}

// scanText scans text as the file path with the detector.
func scanText(t testing.TB, p penstock.Pass, path, text string) []*penstock.Finding {
	t.Helper()
	f := penstock.NewFile(path, penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return []byte(text), nil }, nil)
	c := new(collector)
	if err := p.File(context.Background(), f, c); err != nil {
		t.Fatal(err)
	}
	return c.found
}

// alone is a pass with one rule and what it requires.
func alone(d *detector, r *rule) *pass {
	fresh := func(r *rule) *rule {
		return &rule{
			info: r.info, name: r.name, desc: r.desc, own: r.own, generic: r.generic, re: r.re, path: r.path, group: r.group,
			entropy: r.entropy, keywords: r.keywords, check: r.check, checkName: r.checkName, allow: r.allow, set: r.set,
			required: r.required, silent: r.silent,
		}
	}
	r = fresh(r)
	l := &loader{sets: d.sets, rules: []*rule{r}}
	r.required = slices.Clone(r.required)
	for i := range r.required {
		r.required[i].rule = fresh(r.required[i].rule)
		l.rules = append(l.rules, r.required[i].rule)
	}
	one := l.detector()
	p := &pass{d: one}
	p.pool.New = func() any { return newScratch(one) }
	return p
}

// writtenRules reads what the rule files give as examples, by rule.
func writtenRules(t testing.TB) map[string]ruleTOML {
	t.Helper()
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]ruleTOML{}
	for _, name := range names {
		data, err := fs.ReadFile(rules.Secrets, name)
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := parseRuleFile(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Rules {
			out[r.ID] = r
		}
	}
	return out
}

// TestRules holds every built-in rule to its word: the texts are there, each bad
// example is found by this very rule, and no good one is.
func TestRules(t *testing.T) {
	d, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	given := writtenRules(t)
	if len(given) < 200 {
		t.Errorf("%d rules, want at least 200", len(given))
	}
	kebab := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	all := &pass{d: d}
	all.pool.New = func() any { return newScratch(d) }
	for _, r := range slices.SortedFunc(slices.Values(d.rules), func(a, b *rule) int { return cmp.Compare(a.name, b.name) }) {
		x, ok := given[r.name]
		if !ok {
			t.Errorf("%s: not in a rule file", r.name)
			continue
		}
		for key, text := range map[string]string{"title": x.Title, "description": x.Description, "why": x.Why, "remedy": x.Remedy, "severity": x.Severity, "confidence": x.Confidence} {
			if text == "" {
				t.Errorf("%s: no %s", r.name, key)
			}
		}
		if !kebab.MatchString(r.name) {
			t.Errorf("%s: not kebab-case", r.name)
		}
		path := cmp.Or(examplePaths[r.name], "src/example.txt")
		p := alone(d, r)
		if r.re == nil {
			if len(scanText(t, p, path, "x")) != 1 {
				t.Errorf("%s: nothing found at %s", r.name, path)
			}
			if len(scanText(t, p, "src/example.go", "x")) != 0 {
				t.Errorf("%s: found at src/example.go", r.name)
			}
			continue
		}
		if len(x.Bad) == 0 || len(x.Good) == 0 {
			t.Errorf("%s: no examples", r.name)
		}
		if len(x.Keywords) == 0 && x.Path == "" {
			t.Errorf("%s: no keywords", r.name)
		}
		for _, k := range x.Keywords {
			if k != strings.ToLower(k) || len(k) < 3 {
				t.Errorf("%s: keyword %q", r.name, k)
			}
		}
		if x.SkipReport {
			continue
		}
		for _, template := range x.Bad {
			missed := 0
			for seed := range seedsOf(template) {
				text := expanded(t, template, seed, x.Check)
				if !slices.ContainsFunc(scanText(t, p, path, text), func(f *penstock.Finding) bool { return f.Rule == "secrets/"+r.name }) {
					missed++
					if missed == 2 {
						t.Errorf("%s: not found in %q", r.name, text)
					}
				}
				// Beside all the others something is found still.
				if missed == 0 && len(scanText(t, all, path, text)) == 0 {
					t.Errorf("%s: nothing is found by all rules in %q", r.name, text)
				}
			}
		}
		for _, template := range x.Good {
			for seed := range uint64(4) {
				text := expanded(t, template, seed, x.Check)
				if f := scanText(t, p, path, text); len(f) > 0 {
					t.Errorf("%s: found in the good %q", r.name, text)
					break
				}
			}
		}
	}
}

func expanded(t testing.TB, template string, seed uint64, check string) string {
	t.Helper()
	text, err := Expand(template, seed, check)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// seedsOf is how often a bad example is tried; making an RSA key is slow.
func seedsOf(template string) uint64 {
	if strings.Contains(template, "pem") {
		return 2
	}
	return 8
}
