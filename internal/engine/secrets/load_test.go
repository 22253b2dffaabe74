package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestLoadErrors(t *testing.T) {
	rule := "[[rules]]\nid = \"a\"\nregex = 'x{3}'\n"
	tests := []struct{ name, toml, want, hint string }{
		{"unknown key of a rule", "# a comment\n\n[[rules]]\nid = \"a\"\nregexx = 'x'\n", `r.toml:5: unknown key "rules.regexx"`, `did you mean "regex"?`},
		{"unknown key of the file", "titel = 'x'\n" + rule, `r.toml:1: unknown key "titel"`, `did you mean "title"?`},
		{"unknown key of an allow-list", rule + "[[rules.allowlists]]\nregexes = ['x']\nstopword = ['y']\n", `r.toml:6: unknown key "rules.allowlists.stopword"`, `did you mean "stopWords"?`},
		{"unknown table", rule + "[[rulez]]\nid = 'x'\n", `r.toml:4: unknown key "rulez"`, `did you mean "rules"?`},
		{"bad expression", rule + "[[rules]]\nid = 'b'\nregex = '''a(?=b)'''\n", "r.toml:6: rule \"b\": invalid or unsupported Perl syntax: `(?=`", "RE2"},
		{"bad path", "[[rules]]\nid = 'b'\npath = '('\n", "r.toml:3: rule \"b\": missing closing ): `(`", "RE2"},
		{"bad expression of an allow-list", rule + "[[rules.allowlists]]\ndescription = ''\nregexes = ['ok', '[']\n", "r.toml:6: missing closing ]: `[`", ""},
		{"unknown check", "[[rules]]\nid = 'b'\nregex = 'x'\ncheck = 'githb-crc32'\n", `r.toml:4: rule "b": unknown check "githb-crc32"`, `did you mean "github-crc32"?`},
		{"unknown severity", "[[rules]]\nid = 'b'\nregex = 'x'\nseverity = 'hi'\n", `r.toml:4: unknown severity "hi"`, ""},
		{"no id", "[[rules]]\nregex = 'x'\n", "r.toml:1: the rule has no id", ""},
		{"finds nothing", rule + "[[rules]]\nid = 'b'\n", `r.toml:4: rule "b" has neither regex nor path`, ""},
		{"group", "[[rules]]\nid = 'b'\nregex = '(x)'\nsecretGroup = 2\n", `r.toml:4: rule "b": secretGroup is 2, but the expression has 1 groups`, ""},
		{"condition", rule + "[[rules.allowlists]]\ncondition = 'XOR'\nregexes = ['x']\n", `r.toml:5: unknown condition "XOR"`, "AND or OR"},
		{"target", rule + "[[rules.allowlists]]\nregexes = ['x']\nregexTarget = 'lines'\n", `r.toml:6: unknown regexTarget "lines"`, `did you mean "line"?`},
		{"empty list", rule + "[[allowlists]]\ndescription = 'x'\n", "r.toml:4: the allow-list allows nothing", ""},
		{"target rule", rule + "[[allowlists]]\ntargetRules = ['aa']\npaths = ['x']\n", `r.toml:5: the allow-list's target rule "aa" does not exist`, `did you mean "a"?`},
		{"required rule", rule + "[[rules.required]]\nid = 'zz'\n", `r.toml:5: rule "a" requires "zz", which does not exist`, ""},
		{"both lists", rule + "[allowlist]\npaths = ['x']\n[[allowlists]]\npaths = ['y']\n", "r.toml:4: [allowlist] cannot stand beside [[allowlists]]", ""},
		{"extends both", "[extend]\nuseDefault = true\npath = 'x'\n", "r.toml:3: extend.path and extend.useDefault exclude each other", ""},
		{"extends what was not given", "[extend]\npath = 'base.toml'\n", `r.toml:2: the extended file "base.toml" was not given`, "--rules base.toml"},
		{"no TOML", "[[rules]\nid = 3\n", "r.toml:2: ", "toml.io"},
		{"wrong type", "[[rules]]\nid = 3\n", "r.toml:2: ", "toml.io"},
		{"10 MB pattern", "[[rules]]\nid = 'b'\nregex = '''" + strings.Repeat("x", 10<<20) + "'''\n", "r.toml: the rule file has 10485794 bytes", "split"},
		{"1 MB pattern", "[[rules]]\nid = 'b'\nregex = '''" + strings.Repeat("x", 1<<20) + "'''\n", `r.toml:3: rule "b": the expression has 1048576 bytes; at most 65536 are allowed`, ""},
		{"huge repeat", "[[rules]]\nid = 'b'\nregex = '''(?:[a-z]{1,999}x){1,60}'''\n", `r.toml:3: rule "b": `, ""},
		{"deep", "a = " + strings.Repeat("[", 100_000) + "\n", "r.toml:1: brackets nest deeper than 32", ""},
		{"deep key", strings.Repeat("a.", 100_000) + "a = 1\n", "r.toml:1: a key has more than 32 parts", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load([]penstock.RuleFile{{Path: "r.toml", Data: []byte(tt.toml)}}, []string{"secrets/*"})
			var pe *penstock.Error
			if !errors.As(err, &pe) {
				t.Fatalf("error %v, want a *penstock.Error", err)
			}
			if !strings.HasPrefix(pe.Error(), tt.want) {
				t.Errorf("error %q, want %q", pe.Error(), tt.want)
			}
			if !strings.Contains(pe.Hint, tt.hint) {
				t.Errorf("hint %q, want %q", pe.Hint, tt.hint)
			}
		})
	}
}

// rulesOf lists the ids of what is loaded.
func rulesOf(t *testing.T, skip []string, files ...penstock.RuleFile) []string {
	t.Helper()
	d, err := load(files, skip)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range d.rules {
		ids = append(ids, r.info.ID)
	}
	return ids
}

func file(path, toml string) penstock.RuleFile {
	return penstock.RuleFile{Path: path, Data: []byte(toml)}
}

func TestExtend(t *testing.T) {
	base := file("d/base.toml", "[[rules]]\nid='one'\ndescription='first'\nregex='one_(x{4})y?'\nsecretGroup=1\nentropy=0\nkeywords=['one_']\ntags=['t1']\n[[rules]]\nid='two'\nregex='two_x{4}'\nkeywords=['two_']\n[[rules]]\nid='three'\nregex='three_x{4}'\n")
	top := file("d/top.toml", "[extend]\npath='base.toml'\ndisabledRules=['two']\n[[rules]]\nid='one'\ntags=['t2']\n[[rules.allowlists]]\nregexes=['never']\n[[allowlists]]\nstopwords=['stop']\n")
	for _, order := range [][]penstock.RuleFile{{base, top}, {top, base}} {
		got := rulesOf(t, []string{"secrets/*"}, order...)
		slices.Sort(got)
		if diff := cmp.Diff([]string{"user/one", "user/three"}, got); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
	}
	d, err := load([]penstock.RuleFile{top, base}, []string{"secrets/*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.rules {
		if r.name != "one" {
			continue
		}
		if r.re == nil || r.group != 1 || r.desc != "first" || !slices.Equal(r.info.Tags, []string{"t1", "t2"}) || len(r.allow) != 1 || !slices.Equal(r.keywords, []string{"one_"}) {
			t.Errorf("the extending rule did not inherit: %+v", r)
		}
	}
}

func TestExtendBuiltin(t *testing.T) {
	all := rulesOf(t, nil)
	some := all[0]
	name := strings.TrimPrefix(some, "secrets/")
	got := rulesOf(t, nil, file("x.toml", fmt.Sprintf("[extend]\nuseDefault=true\ndisabledRules=[%q]\n", name)))
	if len(got) != len(all)-1 || slices.Contains(got, some) {
		t.Errorf("%d rules of %d, %s is there: %v", len(got), len(all), some, slices.Contains(got, some))
	}
	got = rulesOf(t, nil, file("x.toml", fmt.Sprintf("[extend]\nuseDefault=true\n[[rules]]\nid=%q\nentropy=1.5\n", name)))
	if len(got) != len(all) || slices.Contains(got, some) || !slices.Contains(got, "user/"+name) {
		t.Errorf("a rule of the same id does not take the built-in one's place")
	}
	if got := rulesOf(t, []string{"secrets/*"}); len(got) != 0 {
		t.Errorf("%d rules left", len(got))
	}
}

func TestSkip(t *testing.T) {
	f := file("r.toml", "[[rules]]\nid='main'\nregex='aa_x{4}'\n[[rules.required]]\nid='part'\n[[rules]]\nid='part'\nregex='bb_x{4}'\n")
	d, err := load([]penstock.RuleFile{f}, []string{"secrets/*", "user/part"})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.rules) != 2 || !d.rules[1].silent {
		t.Errorf("a skipped rule that another requires must stay, silently")
	}
}

// TestSemantics checks what gitleaks' manual leaves to its code.
func TestSemantics(t *testing.T) {
	const head = "[[rules]]\nid='r'\n"
	tests := []struct {
		name, rules, path, text string
		want                    []string // rule name and secret
	}{
		{"first non-empty group", head + "regex='key_(a+)?(b+)c'\n", "f", "key_bbbc", []string{"r bbb"}},
		{"secretGroup", head + "regex='key_(a+)(b+)'\nsecretGroup=2\n", "f", "key_aabb", []string{"r bb"}},
		{"no group", head + "regex='key_a+'\n", "f", "xkey_aab", []string{"r key_aa"}},
		{"newline trimmed", head + "regex='key_a+\\s'\n", "f", "key_aa\nb", []string{"r key_aa"}},
		{"groups from the matched text alone", head + "regex='key_(a+)(?:\\b|$)'\n", "f", "key_aaa-", []string{"r aaa"}},
		{"entropy equal is not greater", head + "regex='key_([a-z]+)'\nentropy=2\n", "f", "key_abcd", nil},
		{"entropy greater", head + "regex='key_([a-z]+)'\nentropy=1.9\n", "f", "key_abcd", []string{"r abcd"}},
		{"keyword anywhere in the file", head + "regex='key_([a-z]+)'\nkeywords=['Zebra']\n", "f", "key_abcd\n\n\nzebrA", []string{"r abcd"}},
		{"keyword missing", head + "regex='key_([a-z]+)'\nkeywords=['zebra']\n", "f", "key_abcd", nil},
		{"short keyword", head + "regex='key_([a-z]+)'\nkeywords=['Q']\n", "f", "key_abcd q", []string{"r abcd"}},
		{"no literal", head + "regex='[0-9a-f]{8}'\n", "f", "zz 0123abcd zz", []string{"r 0123abcd"}},
		{"no overlap", head + "regex='a[ab]{3}'\n", "f", "aaaabaaab", []string{"r aaaa", "r aaab"}},
		{"path", head + "regex='key_a+'\npath='[.]php$'\n", "x.php", "key_aa", []string{"r key_aa"}},
		{"other path", head + "regex='key_a+'\npath='[.]php$'\n", "x.py", "key_aa", nil},
		{"path alone", head + "path='[.]p12$'\n", "x.p12", "\x01", []string{"r "}},
		{"stopword in any case", head + "regex='key_([a-zA-Z]+)'\n[[rules.allowlists]]\nstopwords=['Stop']\n", "f", "key_xSTOPx key_xstox", []string{"r xstox"}},
		{"regex on secret", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\nregexes=['^a']\n", "f", "key_abc key_bbc", []string{"r bbc"}},
		{"regex on match", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\nregexTarget='match'\nregexes=['^key_a']\n", "f", "key_abc key_bbc", []string{"r bbc"}},
		{"regex on line", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\nregexTarget='line'\nregexes=['^#']\n", "f", "# key_abc\nkey_bbc", []string{"r bbc"}},
		{"path list", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\npaths=['^f$']\n", "f", "key_abc", nil},
		{"AND of path and regex", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\ncondition='AND'\npaths=['^f$']\nregexes=['^a']\n", "f", "key_abc key_bbc", []string{"r bbc"}},
		{"AND elsewhere", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\ncondition='AND'\npaths=['^g$']\nregexes=['^a']\n", "f", "key_abc", []string{"r abc"}},
		{"AND with a commit", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\ncondition='&&'\ncommits=['abc']\nregexes=['^a']\n", "f", "key_abc", []string{"r abc"}},
		{"old list", head + "regex='key_([a-z]+)'\n[rules.allowlist]\nregexes=['^a']\n", "f", "key_abc key_bbc", []string{"r bbc"}},
		{"global list", head + "regex='key_([a-z]+)'\n[allowlist]\nregexes=['^a']\n", "f", "key_abc key_bbc", []string{"r bbc"}},
		{"list with targets", head + "regex='key_([a-z]+)'\n[[rules]]\nid='s'\nregex='key_([a-z]+)c'\n[[allowlists]]\ntargetRules=['s']\nregexes=['^a']\n", "f", "key_abc", []string{"r abc"}},
		{"flags leak along a joined list", head + "regex='key_([a-zA-Z]+)'\n[[rules.allowlists]]\nregexes=['(?i)^zz','^abc$']\n", "f", "key_ABC key_ABD", []string{"r ABD"}},
		{"anchors do not group in a joined list", head + "regex='key_([a-z]+)'\n[[rules.allowlists]]\nregexes=['^true|false|null$']\n", "f", "key_xfalsex key_truex key_xnull key_nullx", []string{"r nullx"}},
		{"generic yields", "[[rules]]\nid='a-generic'\nregex='=([a-z]{4,})'\n[[rules]]\nid='s'\nregex='=(xy[a-z]+)'\n", "f", "k=xyab\nk=zyab", []string{"s xyab", "a-generic zyab"}},
		{"generic on another line", "[[rules]]\nid='a-generic'\nregex='g=([a-z]{4,})'\n[[rules]]\nid='s'\nregex='s=(xy[a-z]+)'\n", "f", "g=xyab\ns=xyab", []string{"a-generic xyab", "s xyab"}},
		{"skipReport", head + "regex='key_a+'\nskipReport=true\n", "f", "key_aa", nil},
		{"required", head + "regex='key_a+'\n[[rules.required]]\nid='q'\n[[rules]]\nid='q'\nregex='id_b+'\nskipReport=true\n", "f", "key_aa\n\n\nid_bb", []string{"r key_aa"}},
		{"required missing", head + "regex='key_a+'\n[[rules.required]]\nid='q'\n[[rules]]\nid='q'\nregex='id_b+'\nskipReport=true\n", "f", "key_aa", nil},
		{"required within lines", head + "regex='key_a+'\n[[rules.required]]\nid='q'\nwithinLines=1\n[[rules]]\nid='q'\nregex='id_b+'\nskipReport=true\n", "f", "key_aa\nid_bb\n\nkey_aaa", []string{"r key_aa"}},
		{"required within columns", head + "regex='key_a+'\n[[rules.required]]\nid='q'\nwithinLines=0\nwithinColumns=10\n[[rules]]\nid='q'\nregex='id_b+'\nskipReport=true\n", "f", "key_aa id_bb              key_aaa", []string{"r key_aa"}},
		{"last of two rules with one id", head + "regex='one_a+'\n" + head + "regex='two_a+'\n", "f", "one_a two_a", []string{"r two_a"}},
		{"invalid UTF-8", head + "regex='key_([^\"]{3})\"'\n", "f", "key_\xff\xfe\xfd\"", []string{"r \xff\xfe\xfd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := scanWith(t, tt.rules, tt.path, tt.text, 0)
			var got []string
			for _, f := range c.findings {
				got = append(got, strings.TrimPrefix(f.Rule, "user/")+" "+tt.text[f.Location.Start:f.Location.End])
			}
			want := slices.Clone(tt.want)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCommits: an allow-list that names commits exempts what came with one of them,
// alone or with its other conditions.
func TestCommits(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	for name, tt := range map[string]struct {
		list         string
		commit, path string
		want         bool // it is reported
	}{
		"the commit":         {"commits = ['" + commit + "']", commit, "a", false},
		"another":            {"commits = ['" + commit + "']", commit[1:] + "0", "a", true},
		"no history":         {"commits = ['" + commit + "']", "", "a", true},
		"or the path":        {"commits = ['" + commit + "']\npaths = ['b']", "", "b", false},
		"and the path":       {"condition = 'AND'\ncommits = ['" + commit + "']\npaths = ['b']", commit, "b", false},
		"without the path":   {"condition = 'AND'\ncommits = ['" + commit + "']\npaths = ['b']", commit, "a", true},
		"without the commit": {"condition = 'AND'\ncommits = ['" + commit + "']\npaths = ['b']", "", "b", true},
		"and the word":       {"condition = 'AND'\ncommits = ['" + commit + "']\nstopwords = ['123']", commit, "a", false},
		"without the word":   {"condition = 'AND'\ncommits = ['" + commit + "']\nstopwords = ['987']", commit, "a", true},
	} {
		for _, where := range []string{"[[rules.allowlists]]", "[[allowlists]]"} {
			rules := "[[rules]]\nid = 'mine'\nregex = 'q[0-9]{4}'\nkeywords = ['q']\n" + where + "\n" + tt.list
			p, err := open(t.Context(), penstock.Setup{RuleFiles: []penstock.RuleFile{file("r.toml", rules)}, SkipRules: []string{"secrets/*"}})
			if err != nil {
				t.Fatal(err)
			}
			text := []byte("x q1234 y\n")
			f := penstock.NewFile(tt.path, penstock.FileInfo{Size: int64(len(text)), Commit: tt.commit}, func() ([]byte, error) { return text, nil }, nil)
			var got reported
			if err := p.File(t.Context(), f, &got); err != nil {
				t.Fatal(err)
			}
			if len(got) > 0 != tt.want {
				t.Errorf("%s, %s: reported is %v, want %v", name, where, len(got) > 0, tt.want)
			}
		}
	}
}

type reported []penstock.Record

func (r *reported) Report(rec penstock.Record) { *r = append(*r, rec) }

func FuzzLoad(f *testing.F) {
	f.Add([]byte(tokenRule))
	f.Add([]byte("[extend]\nuseDefault = true\ndisabledRules = ['x']\n[[rules]]\nid='a'\nregex='''x'''\n[[rules.allowlists]]\ncondition='AND'\nregexes=[\n'a',\n \"b\\n\" ]\n[[rules.required]]\nid='a'\nwithinLines=3\n[allowlist]\npaths=['''(?i)x''']\n"))
	f.Add([]byte("a = [[[{b=[1,\"\"\"x\n\"\"\"]}]]]\n\"q.r\".s = 'x' # y\n[t.\"u.v\"]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		d, err := load([]penstock.RuleFile{{Path: "r.toml", Data: data}}, []string{"secrets/*"})
		if err != nil {
			var pe *penstock.Error
			if !errors.As(err, &pe) {
				t.Fatalf("%v is no *penstock.Error", err)
			}
			return
		}
		// What loads can run.
		p := &pass{d: d, depth: 1}
		p.pool.New = func() any { return newScratch(d) }
		c := new(collect)
		text := append([]byte("key = abcdef0123456789 "), data...)
		pf := penstock.NewFile("f", penstock.FileInfo{Size: int64(len(text))}, func() ([]byte, error) { return text, nil }, nil)
		if err := p.File(context.Background(), pf, c); err != nil {
			t.Fatal(err)
		}
	})
}
