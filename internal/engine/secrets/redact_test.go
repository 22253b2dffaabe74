package secrets

import (
	"fmt"
	"strings"
	"testing"

	"penstock"
)

// hide replaces the spans by stars.
func hide(text string, spans []penstock.Span) string {
	b := []byte(text)
	for _, s := range spans {
		for i := s.Start; i < s.End; i++ {
			b[i] = '*'
		}
	}
	return string(b)
}

func TestSecretsOfASnippet(t *testing.T) {
	e := Engine()
	random, err := Expand("{alnum:40}", 1, "")
	if err != nil {
		t.Fatal(err)
	}
	github, err := Expand("ghp_{alnum:30}{check}", 1, "github-crc32")
	if err != nil {
		t.Fatal(err)
	}
	password, err := Expand("{alnum:14}", 2, "")
	if err != nil {
		t.Fatal(err)
	}
	hex, err := Expand("{hex:40}", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := Expand("{pem:ec}", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, secret string }{
		{"a token, also in a test", "x := \"" + github + "\"", github},
		{"with a wrong checksum", "x := \"" + github[:len(github)-1] + "_\"", github[4:30]},
		{"a random value with no name", "call(" + random + ")", random},
		{"half of a line of a key", strings.Split(pem, "\n")[1][5:50], strings.Split(pem, "\n")[1][10:40]},
		{"a password", "password = \"" + password + "\"", password},
		{"an address", "postgres://app:" + password + "@db/x", password},
		{"hexadecimal", "secret: " + hex, hex},
	} {
		got := hide(tt.text, e.Secrets("a_test.go", []byte(tt.text)))
		if strings.Contains(got, tt.secret) || strings.Contains(got, tt.secret[len(tt.secret)/2:]) {
			t.Errorf("%s: %q stays visible", tt.name, got)
		}
	}
	for _, text := range []string{
		"uses: actions/checkout@" + hex + " # v4",
		"image: nginx@sha256:" + hex + hex[:24],
		"password = \"${DB_PASSWORD}\"",
		"password: changeme",
		"authenticationProviderRegistryConfiguration := newAuthenticationProvider()",
		"import \"github.com/hashicorp/terraform/internal/configs/configschema\"",
		"id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
	} {
		if got := hide(text, e.Secrets("a.go", []byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzSecretsOfASnippet(f *testing.F) {
	e := Engine()
	f.Add("password = " + token(1))
	f.Add("a\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n%41%42")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		last := int64(0)
		for _, s := range e.Secrets("f", []byte(text)) {
			if s.Start < last || s.End <= s.Start || s.End > int64(len(text)) {
				t.Fatal(fmt.Sprint("spans are not sorted and apart: ", s))
			}
			last = s.End
		}
	})
}
