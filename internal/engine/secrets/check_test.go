package secrets

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// checkNames lists every check, for tests and fuzzing.
var checkNames = []string{
	"github-crc32", "npm-crc32", "gitlab-crc32", "grafana-crc32", "bech32", "base58check", "pgp",
	"base58-64", "base64-32", "base64-64", "base64-json", "basic-auth", "jwt", "discord", "telegram", "pem", "pem-body",
	"aws-access-key", "aws-secret-key", "aws-session-token", "slack-webhook", "ethereum-key", "seed-phrase", "k8s-secret", "bearer",
	"random", "mixed", "tail", "twitter-bearer", "phrase", "generic", "config", "password", "strong-password",
}

func mustCheck(t testing.TB, name string) Check {
	t.Helper()
	c, ok := checkByName(name)
	if !ok {
		t.Fatalf("no check %q", name)
	}
	return c
}

func TestCheckNames(t *testing.T) {
	for _, name := range checkNames {
		mustCheck(t, name)
	}
	if _, ok := checkByName("no-such-check"); ok {
		t.Error("an unknown name gives a check")
	}
	for id, r := range writtenRules(t) {
		if r.Check != "" {
			if _, ok := checkByName(r.Check); !ok {
				t.Errorf("%s: unknown check %q", id, r.Check)
			}
		}
	}
}

// Published vectors; they are put together here so that no scanner takes them for
// what they look like.
func TestCheckVectors(t *testing.T) {
	tests := []struct {
		check, secret string
		want          CheckResult
	}{
		// grafana, pkg/components/satokengen/tokengen_test.go
		{"grafana-crc32", "gl" + "sa_" + "iNValIdinValiDinvalidinvalidinva" + "_5b582697", Right},
		{"grafana-crc32", "gl" + "sa_" + "iNValIdinValiDinvalidinvalidinva" + "_5b582698", Wrong},
		// BIP 173
		{"bech32", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", Right},
		{"bech32", "A12UEL5L", Right},
		{"bech32", "A12UEL5M", Wrong},
		{"bech32", "a12UEL5L", Wrong}, // mixed case
		// https://en.bitcoin.it/wiki/Wallet_import_format
		{"base58check", "5HueCGU8rMjxEXxiPuD5BDku4M" + "kFqeZyd4dZ1jvhTVqvbTLvyTJ", Right},
		{"base58check", "5HueCGU8rMjxEXxiPuD5BDku4M" + "kFqeZyd4dZ1jvhTVqvbTLvyTK", Wrong},
		// the documentation's own example is nobody's token
		{"github-crc32", "gh" + "o_16C7e42F292c6912E7710c838347Ae178B4a", Wrong},
		{"basic-auth", base64.StdEncoding.EncodeToString([]byte("Aladdin:open sesame")), Wrong},
		{"aws-access-key", "AKIA" + "IOSFODNN7EXAMPLE", Wrong},
		{"ethereum-key", "0x" + strings.Repeat("0", 63) + "1", Wrong},
	}
	for _, test := range tests {
		if got := mustCheck(t, test.check).Verify([]byte(test.secret)); got != test.want {
			t.Errorf("%s of %q is %d, want %d", test.check, test.secret, got, test.want)
		}
	}
}

// What a check makes, it finds right; with any one character changed, wrong.
func TestCheckMake(t *testing.T) {
	for check, template := range map[string]string{
		"github-crc32":  "ghp_{alnum:30}{check}",
		"npm-crc32":     "npm_{alnum:30}{check}",
		"gitlab-crc32":  "glpat-{base64url:36}.01.10{check}",
		"grafana-crc32": "glsa_{alnum:32}_{check}",
		"bech32":        "AGE-SECRET-KEY-1{BECH32:52}{check}",
		"base58check":   "{wif}",
		"jwt":           "{jwt}",
		"discord":       "{discord}",
	} {
		c := mustCheck(t, check)
		for seed := range uint64(50) {
			token := []byte(expanded(t, template, seed, check))
			if got := c.Verify(token); got != Right {
				t.Errorf("%s of its own %q is %d", check, token, got)
			}
			if check == "jwt" || check == "discord" {
				continue
			}
			i := 5 + int(seed)%(len(token)-5)
			old := token[i]
			for token[i] == old {
				token[i] = token[i] ^ 1
				if token[i] == '_' || token[i] == '.' {
					token[i] = 'z'
				}
			}
			if got := c.Verify(token); got == Right {
				t.Errorf("%s of %q, changed at %d, is right", check, token, i)
			}
		}
	}
}

func TestCheckKeys(t *testing.T) {
	c := mustCheck(t, "pem")
	for _, kind := range []string{"rsa", "ec", "dsa", "pkcs8", "openssh", "encrypted"} {
		key := expanded(t, "{pem:"+kind+"}", 3, "")
		for form, text := range map[string]string{
			"file":     key,
			"crlf":     strings.ReplaceAll(key, "\n", "\r\n"),
			"json":     strings.ReplaceAll(key, "\n", `\n`),
			"indented": strings.ReplaceAll(key, "\n", "\n    "),
			"literals": strings.ReplaceAll(key, "\n", "\\n\" +\n\t\""),
			"python":   strings.ReplaceAll(key, "\n", "'\n    '"),
			"inside":   string(trimMarkers([]byte(key))),
		} {
			if got := c.Verify([]byte(text)); got != Right {
				t.Errorf("%s key as %s is %d:\n%s", kind, form, got, text)
			}
		}
		if got := c.Verify([]byte(key[:60] + "..." + key[len(key)-40:])); got != Wrong {
			t.Errorf("%s key with the middle left out is %d", kind, got)
		}
	}
	if got := mustCheck(t, "pgp").Verify([]byte(expanded(t, "{pem:pgp}", 1, ""))); got != Right {
		t.Errorf("pgp key is %d", got)
	}
	for _, text := range []string{"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("A", 400) + "\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n<your key here>\n-----END PRIVATE KEY-----"} {
		if got := c.Verify([]byte(text)); got != Wrong {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// TestRarity has values that occur: each check must refuse what people write in
// place of a secret, and let pass what generators make.
func TestRarity(t *testing.T) {
	refuse := map[string][]string{
		"random": {"your-api-key-goes-here", "YOUR_API_KEY", "xxxxxxxxxxxxxxxxxxxxxxxx", "00000000000000000000000000000000", "0123456789abcdef0123456789abcdef",
			"deadbeefdeadbeefdeadbeefdeadbeef", "abcdefghijklmnopqrstuvwxyz", "${SECRET_KEY}", "{{ api_key }}", "<api-key>", "change-me-in-production", "test-token-123456",
			"AuthenticationProviderRegistry", "some_random_placeholder_value", "my-secret-token-value", "%API_KEY%", "fake-access-token-for-tests", "aabbccddeeff00112233", "A1B2C3D4E5F6G7H8I9J0"},
		"generic": {"config.services.auth.token", "https://example.org/oauth", "this.props.accessToken", "X-Company-Api-Key", "application/json", "./path/to/secret/file",
			"arn:aws:secretsmanager:eu-west-1:123:secret:x", "next_page_token_parameter", "com.example.security.TokenProvider", "20240101120000", "TOKEN_TYPE_ACCESS_REFRESH"},
		"password": {"password", "Password1", "passw0rd!", "changeme", "changeme123", "{alnum:20}#9", "x_{base64url:27}", "secret", "s3cr3t", "S3cret!", "admin", "admin123", "root", "postgres", "mysql", "guest", "test1234", "hunter2", "letmein", "********", "xxxxxxxx",
			"${DB_PASSWORD}", "$DB_PASSWORD", "%(password)s", "{{password}}", "<password>", "%PASSWORD%", "your_password", "my-secret-pw", "example", "12345678", "qwerty123", "getPassword()", "process.env.DB_PASSWORD", "cGFzc3dvcmQ="},
		"config":          {"arn:aws:secretsmanager:eu-west-1:1:secret:app", "TokenBucketRateLimiterV2", "OAuth2ClientCredentialsTokenSource", "~/.ssh/id_ed25519", "xoxb-1234...", "glpat-abc***", "changeme", "postgres", "read-only-access"},
		"strong-password": {"Enter your password", "current-password", "forgotPassword", "Passwort vergessen", "passwordResetToken", "must contain 8 characters", "req.body.password", "user.encrypted_password", "Contraseña", "isPasswordValid", "required|min:8", "#login-password", "auth_ntlm", "triggeruser2", "$6$rounds=656000$TT4O7jz2M57npccl$33LF6FcUMSW11qrESXL1"},
	}
	for name, values := range refuse {
		c := mustCheck(t, name)
		for _, v := range values {
			if c.Verify([]byte(v)) != Wrong {
				t.Errorf("%s accepts %q", name, v)
			}
		}
	}
	for name, templates := range map[string][]string{
		"random":          {"{alnum:20}", "{alnum:40}", "{hex:32}", "{hex:64}", "{base64url:43}", "{lowernum:32}", "{uppernum:26}", "{uuid}", "{base64:44}"},
		"generic":         {"{alnum:24}", "{alnum:40}", "{hex:32}", "{hex:40}", "{base64url:43}", "{lowernum:32}"},
		"password":        {"{alnum:16}", "{alnum:12}7", "{alnum:10}!{digit:2}", "{base64:24}", "{lowernum:14}"},
		"config":          {"{alnum:16}", "{alnum:10}!{digit:2}", "{base64:24}", "{hex:32}", "{uuid}"},
		"strong-password": {"{alnum:16}", "{alnum:10}!{digit:2}", "{base64:24}", "{lowernum:14}9"},
	} {
		c := mustCheck(t, name)
		for _, template := range templates {
			refused := 0
			const n = 2000
			for seed := range uint64(n) {
				if c.Verify([]byte(expanded(t, template, seed, ""))) == Wrong {
					refused++
				}
			}
			// What is refused here is lost: keep it under one in fifty.
			if refused > n/50 {
				t.Errorf("%s refuses %d of %d %s", name, refused, n, template)
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "_", "ghp_x", "glsa_a_b", "1", "a1q", "=", "....", "eyJ.eyJ.x", "-----BEGIN ", "-----END ", "0x", "a:b", "%", "\xff\xfe", "AAAA", `\n\n"`, "null", "bnVsbA==", "bnVsbA.bnVsbA.x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, secret []byte) {
		before := bytes.Clone(secret)
		for _, name := range checkNames {
			c := mustCheck(t, name)
			got := c.Verify(secret)
			if got < Unknown || got > Wrong {
				t.Errorf("%s: %d", name, got)
			}
			if again := c.Verify(secret); again != got {
				t.Errorf("%s is not stable", name)
			}
			c.Make(secret)
			if !bytes.Equal(secret, before) {
				t.Fatalf("%s wrote to its argument", name)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	value := []byte("q8Zr1v" + "Kw0PzT5uYb3NcXe7" + "LmJhD2sA")
	for _, name := range checkNames {
		c := mustCheck(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Verify(value)
			}
		})
	}
	for _, n := range []int{1 << 10, 1 << 16} {
		long := bytes.Repeat([]byte("aZ3-x.Q/"), n/8)
		b.Run(fmt.Sprintf("generic-%d", n), func(b *testing.B) {
			for b.Loop() {
				verifyGeneric(long)
			}
		})
	}
}
