package pipeline

import (
	"errors"
	"strings"
	"testing"
)

func TestGitLabExpression(t *testing.T) {
	env := new(Environment)
	env.Set("$CI_PIPELINE_SOURCE", String("merge_request_event"))
	env.Set("$CI_COMMIT_BRANCH", Null())
	env.Set("$CI_COMMIT_REF_NAME", UnknownString("feature/", "", "$CI_COMMIT_REF_NAME"))
	env.Set("$EMPTY", String(""))
	env.Set("$BLANK", String("  "))
	env.Set("$VAR", String("string"))
	env.Set("$teststring", String("abcde"))
	env.Set("$pattern", String("/^ab.*/"))
	env.Set("$ci_commit_branch", String("lower"))
	for _, c := range []struct {
		text string
		want Truth
	}{
		// the examples of the documentation
		{`$VAR == "string"`, True}, {`$VAR == 'string'`, True}, {`"string" == $VAR`, True}, {`$VAR != "string"`, False}, {`$VAR == "String"`, False},
		{`$CI_COMMIT_BRANCH == null`, True}, {`$VAR != null`, True}, {`$EMPTY == ""`, True}, {`$EMPTY != ""`, False}, {`$CI_COMMIT_BRANCH == ""`, False},
		{`$VAR`, True}, {`$EMPTY`, False}, {`$BLANK`, False}, {`$CI_COMMIT_BRANCH`, False}, {`!$VAR`, False}, {`!$EMPTY`, True},
		{`$VAR =~ /^str.*/`, True}, {`$VAR !~ /^str.*/`, False}, {`$VAR =~ /STR/i`, True}, {`$VAR =~ /STR/`, False}, {`$teststring =~ $pattern`, True}, {`"x" =~ $pattern`, False},
		{`$VAR =~ /a\/b/`, False}, {`"a/b" =~ /a\/b/`, True},
		{`$VAR == "string" && $teststring =~ /^ab/`, True}, {`$VAR == "x" || $teststring =~ /^ab/ && $VAR`, True},
		{`($VAR == "x" || $VAR == "string") && $CI_COMMIT_BRANCH`, False}, {`(($VAR))`, True}, {`${VAR} == "string"`, True},
		// precedence and association: ! before ==, and a boolean has a name
		{`!$VAR == "false"`, True}, {`!$VAR == "true"`, False}, {`"false" == !$VAR`, True}, {`!($VAR == "x")`, True}, {`($VAR) == "string"`, True}, {`$VAR == "string" == "true"`, True},
		// an empty string counts on the left of && and ||
		{`$EMPTY && $VAR`, True}, {`$EMPTY || $VAR`, False}, {`$CI_COMMIT_BRANCH || $VAR`, True}, {`$CI_COMMIT_BRANCH && $VAR`, False},
		// no match with null, and everything that matches nothing
		{`$CI_COMMIT_BRANCH =~ /x/`, False}, {`$CI_COMMIT_BRANCH !~ /x/`, True}, {`$CI_COMMIT_BRANCH =~ /x*/`, True}, {`$VAR =~ $CI_COMMIT_BRANCH`, False},
		// unknown
		{`$OTHER`, Undecided}, {`$OTHER == "x"`, Undecided}, {`$OTHER && $CI_PIPELINE_SOURCE == "push"`, False}, {`$CI_PIPELINE_SOURCE == "push" && $OTHER`, False},
		{`$CI_PIPELINE_SOURCE == "merge_request_event" || $OTHER`, True}, {`$OTHER == "x" || $VAR`, True}, {`$OTHER || $VAR`, Undecided}, {`$OTHER =~ /x/`, Undecided}, {`$VAR =~ $OTHER`, Undecided},
		{`$CI_COMMIT_REF_NAME == "main"`, False}, {`$CI_COMMIT_REF_NAME != "main"`, True}, {`$CI_COMMIT_REF_NAME`, True}, {`$CI_COMMIT_REF_NAME == "feature/x"`, Undecided}, {`$CI_COMMIT_REF_NAME == null`, False},
		// patterns that RE2 has not, or that are too large
		{`$VAR =~ /(?=x)/`, Undecided}, {`$VAR =~ /a{1000}{1000}/`, Undecided}, {`$VAR =~ /((a{100}){100}){10}/`, Undecided}, {`$VAR =~ "str"`, Undecided},
	} {
		e, err := ParseGitLabExpression(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		v := e.Evaluate(env)
		if v.Truth() != c.want {
			t.Errorf("%s: %s, want %s", c.text, v.Truth(), c.want)
		}
		if v.Truth() == Undecided && len(v.Depends()) == 0 && strings.Contains(c.text, "OTHER") {
			t.Errorf("%s: depends on nothing", c.text)
		}
	}
	env.Close("$")
	if v := mustGitLab(t, `$OTHER == null`).Evaluate(env); v.Truth() != True {
		t.Errorf("a variable that is not there is %s", v.Truth())
	}
	if got := names(mustGitLab(t, `$A == "x" && (!$B || $C =~ /$D/)`).Variables()); got != "$A $B $C" {
		t.Errorf("variables %q", got)
	}
	if _, ok := mustGitLab(t, `$A || "x"`).AlwaysTrue(); ok {
		t.Error("$A may be empty, and then the rule does not apply")
	}
	if _, ok := mustGitLab(t, `"x" != "y"`).AlwaysTrue(); !ok {
		t.Error("a comparison of constants is always true")
	}
}

func mustGitLab(t *testing.T, text string) GitLabExpression {
	t.Helper()
	e, err := ParseGitLabExpression(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func TestGitLabErrors(t *testing.T) {
	for text, offset := range map[string]int{
		"": 0, "$": 0, "${A": 0, `$A == main`: 6, `"x`: 0, "/x": 0, `$A = "x"`: 3, "$A &": 3, "($A": 3, "$A)": 2, "$A $B": 3, "$A ==": 5, "&& $A": 0,
		strings.Repeat("!", 5000) + "$A": maxExpressionDepth + 1, strings.Repeat("(", 5000): maxExpressionDepth + 1, "$A" + strings.Repeat("==$A", 5000): 0,
	} {
		_, err := ParseGitLabExpression(text)
		var s *SyntaxError
		if !errors.As(err, &s) || s.Offset != offset {
			t.Errorf("%.40q: %v, want an error at %d", text, err, offset)
		}
	}
}

// TestGitLabPatternsBounded holds matching to its budget.
func TestGitLabPatternsBounded(t *testing.T) {
	env := new(Environment)
	env.Set("$A", String(strings.Repeat("a", 100)))
	env.Set("$P", String("/"+strings.Repeat("(a*)*", 60)+"b/"))
	env.Set("$LONG", String(strings.Repeat("a", maxMatchWork)))
	e := mustGitLab(t, strings.TrimSuffix(strings.Repeat("$A=~$P||", 5000), "||"))
	x := newEvaluator(env)
	x.gitlab(e.Root)
	if x.bytes >= 0 {
		t.Errorf("%d bytes are left: 5000 matches are too many", x.bytes)
	}
	if v := mustGitLab(t, "$LONG =~ /a/").Evaluate(env); v.Truth() != Undecided {
		t.Errorf("a long text is %s", v.Truth())
	}
	if v := mustGitLab(t, "$A =~ $P").Evaluate(env); v.Truth() != False {
		t.Errorf("a small match is %s", v.Truth())
	}
}

func FuzzGitLabExpression(f *testing.F) {
	for _, s := range []string{`$A == "x" && !($B =~ /y\/z/i || ${C} != null)`, `"a" !~ $A`, `!!$A == 'true'`} {
		f.Add(s)
	}
	env := new(Environment)
	env.Set("$A", String("/x/"))
	env.Set("$B", Null())
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseGitLabExpression(text)
		if err != nil {
			return
		}
		e.AlwaysTrue()
		e.Variables()
		abstract, concrete := e.Evaluate(nil), e.Evaluate(env)
		if abstract.Truth() != Undecided && concrete.Truth() != Undecided && abstract.Truth() != concrete.Truth() {
			t.Fatalf("%s by nothing, %s by an environment", abstract.Truth(), concrete.Truth())
		}
	})
}
