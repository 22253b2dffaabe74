package secrets

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestLint(t *testing.T) {
	file := penstock.RuleFile{Path: "r.toml", Data: []byte(`
[extend]
disabledRules = ["github-pat", "no-such-rule"]

[[rules]]
id = "fine"
regex = '''fine_[a-z]{10}'''
keywords = ["fine_"]

[[rules]]
id = "everywhere"
regex = '''[a-z]{10}!'''

[[rules]]
id = "anywhere"
regex = '''[a-z]+[0-9]{8}'''
keywords = ["word"]

[allowlist]
regexes = ['''(?i)^true|false|null$''', '''^(?:a|b)$''', '''[|^]x''']
`)}
	notes, err := lint([]penstock.RuleFile{file})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range notes {
		got = append(got, fmt.Sprintf("%s %s", n.Place, n.Code))
	}
	want := []string{
		"r.toml:11 rule-unanchored", "r.toml:16 rule-unanchored",
		"r.toml:20 allowlist-case", "r.toml:20 allowlist-anchor", "r.toml:3 rule-unknown",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := lint([]penstock.RuleFile{{Path: "r.toml", Data: []byte("[[rules]]\nid = 1\n")}}); err == nil {
		t.Error("a broken file was taken")
	}
}
