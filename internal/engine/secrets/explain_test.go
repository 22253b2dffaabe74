package secrets

import (
	"slices"
	"strings"
	"testing"

	"penstock"
)

func TestExamples(t *testing.T) {
	bad, good, err := Examples(nil, "secrets/github-personal-access-token")
	if err != nil || len(bad) == 0 || len(good) == 0 {
		t.Fatalf("%d bad, %d good, %v", len(bad), len(good), err)
	}
	for _, text := range append(bad, good...) {
		if strings.ContainsAny(text, "{}") {
			t.Errorf("a template is left: %s", text)
		}
	}
	again, _, err := Examples(nil, "secrets/github-personal-access-token")
	if err != nil || !slices.Equal(bad, again) {
		t.Errorf("other texts the second time: %v", err)
	}
	file := penstock.RuleFile{Path: "u.toml", Data: []byte("[[rules]]\nid = \"mine\"\nregex = 'q[0-9]{4}'\nbad = ['q{digit:4}']\n")}
	bad, good, err = Examples([]penstock.RuleFile{file}, "user/mine")
	if err != nil || len(bad) != 1 || len(bad[0]) != 5 || len(good) != 0 {
		t.Errorf("got %q, %q, %v", bad, good, err)
	}
	if bad, good, err := Examples(nil, "user/none"); bad != nil || good != nil || err != nil {
		t.Errorf("got %q, %q, %v", bad, good, err)
	}
}
