package pipeline

import "testing"

func TestAzureCondition(t *testing.T) {
	env := &Environment{Status: StatusSuccess}
	env.Set("variables['Build.Reason']", String("PullRequest"))
	env.Set("variables['Build.SourceBranch']", UnknownString("refs/pull/", "/merge", "variables['build.sourcebranch']"))
	env.Set("variables['System.PullRequest.IsFork']", String("True"))
	env.Set("variables.flag", String("false"))
	for _, c := range []struct {
		text string
		want Truth
	}{
		{"", True}, {"succeeded()", True}, {"failed()", False}, {"always()", True}, {"succeededOrFailed()", True}, {"canceled()", False}, {"succeeded('A')", Undecided},
		{"and(succeeded(), eq(variables['Build.Reason'], 'PullRequest'))", True}, {"eq(variables['Build.Reason'], 'pullrequest')", True}, {"ne(variables['Build.Reason'], 'PullRequest')", False},
		{"eq(variables['Build.SourceBranch'], 'refs/heads/main')", False}, {"and(succeeded(), startsWith(variables['Build.SourceBranch'], 'refs/tags/'))", False},
		{"in(variables['Build.Reason'], 'IndividualCI', 'BatchedCI')", False}, {"notIn(variables['Build.Reason'], 'IndividualCI')", True}, {"in(variables.x, 'a')", Undecided},
		{"eq(variables['System.PullRequest.IsFork'], 'False')", False}, {"eq(variables['System.PullRequest.IsFork'], true)", True}, {"not(eq(variables['System.PullRequest.IsFork'], 'True'))", False},
		{"and(false, variables.x)", False}, {"or(variables.x, true)", True}, {"and(variables.x, True)", Undecided}, {"xor(true, false)", True}, {"not(variables.x)", Undecided},
		{"variables.flag", True}, {"gt(5, '3')", True}, {"le('a', 'B')", True}, {"contains('ABC', 'b')", True}, {"eq(coalesce('', 'x'), 'x')", True}, {"eq(upper('a'), 'A')", True}, {"counter('a', 1)", Undecided},
		{"eq(lower(variables.x), 'a')", Undecided}, {"endsWith(variables['Build.SourceBranch'], '/merge')", True}, {"containsValue(variables.x, 'a')", Undecided},
	} {
		cond, err := ParseAzureCondition(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := cond.Evaluate(env).Truth(); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	if _, err := ParseAzureCondition("and(succeeded()"); err == nil {
		t.Error("a call without an end is read")
	}
}

func FuzzAzureCondition(f *testing.F) {
	f.Add("and(succeeded(), not(in(variables['a.b'], 'x', true)), ge(1, format('{0}', 2)))")
	env := &Environment{Status: StatusSuccess}
	env.Set("variables.a", Array(String("x"), Unknown("y")))
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseAzureCondition(text); err == nil {
			c.Evaluate(nil)
			c.Evaluate(env)
		}
	})
}
