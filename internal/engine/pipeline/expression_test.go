package pipeline

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, text string) Expression {
	t.Helper()
	e, err := ParseExpression(text)
	if err != nil {
		t.Fatalf("ParseExpression(%q): %v", text, err)
	}
	return e
}

// show writes a value so that its kind can be seen.
func show(v Value) string {
	if !v.Known() {
		s := "unknown"
		if v.Truth() != Undecided {
			s += " but " + v.Truth().String()
		}
		if p := v.Problem(); p != "" {
			return s + ": " + p
		}
		return s + " " + strings.Join(v.Depends(), " ")
	}
	if s, ok := v.toJSON(1 << 20); ok {
		return strings.Join(strings.Fields(s), " ")
	}
	return v.text()
}

// testEnvironment holds the data of GitHub's documentation of object filters.
func testEnvironment() *Environment {
	fruit := func(name string, n float64) Value {
		return Object(Member{"name", String(name)}, Member{"quantity", Number(n)})
	}
	e := new(Environment)
	e.Set("github.event_name", String("push"))
	e.Set("github.ref", String("refs/heads/Main"))
	e.Set("github.event", Object(
		Member{"issue", Object(Member{"labels", Array(
			Object(Member{"name", String("bug")}), Object(Member{"name", String("help wanted")}))})},
		Member{"deleted", Boolean(false)},
	))
	e.Set("inputs", Object(
		Member{"fruits", Array(fruit("apple", 1), fruit("orange", 2), fruit("pear", 1))},
		Member{"vegetables", Object(
			Member{"scallions", Object(Member{"colors", Array(String("green"), String("white"))})},
			Member{"beets", Object(Member{"colors", Array(String("purple"))})},
		)},
		Member{"Name", String("Mona")},
	))
	return e
}

func TestEvaluate(t *testing.T) {
	env := testEnvironment()
	for _, c := range []struct{ text, want string }{
		// literals
		{"null", `null`}, {"false", `false`}, {"711", `711`}, {"-9.2", `-9.2`}, {"0xff", `255`}, {"-2.99e-2", `-0.0299`},
		{"'It''s open source!'", `"It's open source!"`}, {"+.5", `0.5`}, {"1e3", `1000`}, {"0o17", `15`},
		// logic yields an operand
		{"'a' && 'b'", `"b"`}, {"'' && 'b'", `""`}, {"'a' || 'b'", `"a"`}, {"'' || 0 || null", `null`}, {"!''", `true`}, {"!!'x'", `true`},
		{"false && true || 'c'", `"c"`}, {"true || false && false", `true`}, {"(true || false) && false", `false`},
		{"github.event_name == 'push' && 'yes' || 'no'", `"yes"`},
		// falsy values
		{"!0", `true`}, {"!-0", `true`}, {"!NaN", `true`}, {"!null", `true`}, {"!'false'", `false`}, {"!fromJSON('[]')", `false`},
		// comparison: loose, strings without case
		{"'ABC' == 'abc'", `true`}, {"'ABC' != 'abc'", `false`}, {"null == ''", `true`}, {"null == 0", `true`}, {"true == 1", `true`},
		{"true == '1'", `true`}, {"'true' == true", `false`}, {"'1' == 1", `true`}, {"'0xff' == 255", `true`}, {"' 12 ' == 12", `true`},
		{"'x' == 0", `false`}, {"'' == false", `true`}, {"NaN == NaN", `false`}, {"null == false", `true`},
		{"'a' < 'B'", `true`}, {"'x' > 1", `false`}, {"'x' < 1", `false`}, {"2 >= '2'", `true`}, {"null >= 0", `true`}, {"1 < 2 == true", `true`},
		{"fromJSON('[]') == fromJSON('[]')", `false`}, {"inputs.fruits == inputs.fruits", `true`}, {"inputs.fruits == ''", `false`},
		{"'ı' == 'I'", `false`}, {"'ſ' == 'S'", `false`}, {"'é' == 'É'", `true`},
		// members
		{"github['event_name']", `"push"`}, {"GITHUB.Event_Name", `"push"`}, {"inputs.name", `"Mona"`}, {"inputs.missing", `null`},
		{"inputs.missing.more", `null`}, {"inputs.fruits[1].name", `"orange"`}, {"inputs.fruits['1'].name", `"orange"`},
		{"inputs.fruits[1.9].name", `"orange"`}, {"inputs.fruits[-1]", `null`}, {"inputs.fruits[9]", `null`}, {"github.event_name.x", `null`},
		{"inputs[format('{0}e', 'nam')]", `"Mona"`}, {"fromJSON('{\"a\":{\"B\":1}}').A.b", `1`},
		// filters
		{"inputs.fruits.*.name", `[ "apple", "orange", "pear" ]`}, {"inputs.fruits[*].name", `[ "apple", "orange", "pear" ]`},
		{"inputs.vegetables.*.colors", `[ [ "green", "white" ], [ "purple" ] ]`}, {"inputs.vegetables.*.colors.*", `[ "green", "white", "purple" ]`},
		{"inputs.fruits.*.missing", `[]`}, {"github.event_name.*", `[]`}, {"inputs.vegetables.*.colors[0]", `[ "green", "purple" ]`},
		{"contains(github.event.issue.labels.*.name, 'BUG')", `true`}, {"join(github.event.issue.labels.*.name, ', ')", `"bug, help wanted"`},
		// functions
		{"contains('Hello world', 'LLO')", `true`}, {"contains('abc', '')", `true`}, {"contains(fromJSON('[\"push\",\"pull\"]'), github.event_name)", `true`},
		{"contains(fromJSON('[1,2]'), '2')", `true`}, {"contains(inputs, 'Mona')", `false`}, {"contains(12345, 34)", `true`},
		{"startsWith('Hello world', 'he')", `true`}, {"StartsWith('x', 'xy')", `false`}, {"endsWith('Hello world', 'LD')", `true`},
		{"startsWith(inputs.fruits, '')", `false`},
		{"format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", `"Hello Mona the Octocat"`},
		{"format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')", `"{Hello Mona the Octocat!}"`},
		{"format('{0}{0}', true)", `"truetrue"`}, {"format('{0}', 1.50)", `"1.5"`}, {"format('{0}', null)", `""`}, {"format('{0}', inputs)", `"Object"`},
		{"format('{0}', 123456789012345678)", `"1.23456789012346E+17"`}, {"format('{0}', 0.000001)", `"1E-06"`}, {"format('{0}', 100000000000000)", `"100000000000000"`},
		{"join('abc', '-')", `"abc"`}, {"join(fromJSON('[1,null,true]'))", `"1,,true"`}, {"join(fromJSON('[]'), 'x')", `""`},
		{"toJSON(fromJSON('{\"status\":\"success\"}'))", `"{\n \"status\": \"success\"\n}"`}, {"toJSON('<a>')", `"\"<a>\""`}, {"toJSON(fromJSON('[]'))", `"[]"`},
		{"fromJSON('true') && fromJSON('3') == 3", `true`}, {"fromJSON('\"x\"')", `"x"`},
		{"case(github.ref == 'refs/heads/main', 'production', 'development')", `"production"`},
		{"case(github.ref == 'x', 'a', github.ref == 'y', 'b', 'unknown')", `"unknown"`},
		{"always()", `true`},
	} {
		if got := show(mustParse(t, c.text).Evaluate(env)); got != strings.ReplaceAll(c.want, `\n \"`, `\n  \"`) && got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestEvaluateUnknown(t *testing.T) {
	env := new(Environment)
	env.Set("github.event_name", String("pull_request"))
	env.Set("github.ref", UnknownString("refs/pull/", "/merge", "github.ref"))
	env.Set("github.event.comment.author_association", OneOf([]Value{String("NONE"), String("CONTRIBUTOR")}, "github.event.comment.author_association"))
	env.Set("github.actor", Foreign(true, "github.actor"))
	env.Set("github.event.issue", Null())
	env.Set("env.LIST", Array(String("a"), Unknown("env.x")))
	env.Close("inputs")
	env.Set("inputs.known", String("yes"))
	for _, c := range []struct{ text, want string }{
		{"vars.x", `unknown vars.x`}, {"vars['A B'].c", `unknown vars['a b'].c`}, {"vars.x[github.run_id]", `unknown github.run_id vars.x.*`},
		// the known part decides
		{"false && vars.x", `false`}, {"vars.x && false", `unknown but false vars.x`}, {"(vars.x == 'a') && false", `false`},
		{"true || vars.x", `true`}, {"vars.x || true", `unknown but true vars.x`}, {"!(vars.x || true)", `false`}, {"!vars.x || true", `true`},
		{"vars.x && ''", `unknown but false vars.x`}, {"vars.x && '' || 'b'", `"b"`}, {"vars.x && 'a' || 'b'", `unknown but true vars.x`},
		{"!(vars.x && vars.y)", `unknown vars.x vars.y`}, {"true && vars.x", `unknown vars.x`}, {"false || vars.x || vars.x", `unknown vars.x`},
		{"github.event_name == 'push' && vars.x", `false`}, {"github.event_name != 'push' || vars.x", `true`},
		// known ends
		{"github.ref == 'refs/heads/main'", `false`}, {"github.ref == 'REFS/PULL/1/merge'", `unknown github.ref`}, {"github.ref == 'refs/pull/merge'", `false`},
		{"startsWith(github.ref, 'refs/pull')", `true`}, {"startsWith(github.ref, 'refs/tags/')", `false`}, {"startsWith(github.ref, 'refs/pull/1')", `unknown github.ref`},
		{"endsWith(github.ref, 'merge')", `true`}, {"endsWith(github.ref, 'head')", `false`}, {"contains(github.ref, 'PULL/')", `true`}, {"contains(github.ref, 'x')", `unknown github.ref`},
		{"!github.ref", `false`}, {"format('v{0}', vars.x) == 'x1'", `false`}, {"format('v{0}', vars.x) && true", `true`},
		{"contains('ab', format('{0}-long', vars.x))", `false`}, {"join(env.LIST, '') == 'b'", `false`}, {"github.ref > 'a'", `unknown github.ref`},
		// few values
		{"github.event.comment.author_association == 'OWNER'", `false`}, {"github.event.comment.author_association != 'OWNER'", `true`},
		{"contains(fromJSON('[\"OWNER\",\"MEMBER\"]'), github.event.comment.author_association)", `false`},
		{"contains('OWNER MEMBER', github.event.comment.author_association)", `false`}, {"github.event.comment.author_association == 'none'", `unknown github.event.comment.author_association`},
		{"contains(fromJSON('[\"NONE\",\"CONTRIBUTOR\"]'), github.event.comment.author_association)", `true`},
		{"startsWith(github.event.comment.author_association, 'O')", `false`},
		// strangers
		{"github.actor == 'octocat'", `false`}, {"github.actor == 'dependabot[bot]'", `unknown github.actor`}, {"contains('octocat,mona', github.actor)", `unknown github.actor`},
		{"contains(fromJSON('[\"octocat\"]'), github.actor)", `false`}, {"github.actor == github.repository_owner", `false`}, {"github.actor == vars.x", `unknown github.actor vars.x`},
		{"vars.x == vars.x", `true`}, {"vars.x != VARS['X']", `false`},
		// arrays that are known in part
		{"contains(env.LIST, 'a')", `true`}, {"contains(env.LIST, 'b')", `unknown env.x`},
		// absent and closed contexts
		{"github.event.issue.title == ''", `true`}, {"github.event.issue.labels.*.name", `[]`}, {"inputs.other == null", `true`}, {"inputs.known", `"yes"`},
		{"contains(github.event.pull_request.labels.*.name, 'x')", `unknown github.event.pull_request.labels.*.name`},
		// functions
		{"hashFiles('x')", `unknown hashfiles()`}, {"success()", `unknown success()`}, {"always() && vars.x", `unknown vars.x`}, {"newFunction(vars.x)", `unknown newfunction() vars.x`},
		{"case(vars.x == 'a', 1, 2)", `unknown but true vars.x`}, {"case(vars.x == 'a', 'p', 'q') == 'r'", `false`}, {"case(true, vars.x, 1)", `unknown vars.x`}, {"case(vars.x == 'a', 0, 0)", `unknown but false vars.x`},
		{"toJSON(vars)", `unknown vars`}, {"fromJSON(vars.x).y", `unknown vars.x`},
		// what fails at the forge
		{"format('{0')", `unknown: format is given a text with a brace that means nothing`}, {"format('{1}', 1)", `unknown: format names an argument that is not there`},
		{"fromJSON('{')", `unknown: fromJSON is given no JSON`}, {"fromJSON('') || true", `unknown: fromJSON is given no JSON`}, {"case('x', 1, 2)", `unknown: a condition of case is no boolean`},
	} {
		if got := show(mustParse(t, c.text).Evaluate(env)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

// TestKnownAgreesWithUnknown checks on all combinations of small values that an
// unknown operand never leads to an answer that some value of it contradicts.
func TestKnownAgreesWithUnknown(t *testing.T) {
	values := []Value{Null(), Boolean(true), Boolean(false), Number(0), Number(1), Number(math.NaN()), String(""), String("a"), String("A1"), String("1"), Array(String("a")), Array()}
	var texts []string
	for _, l := range []string{"null", "true", "false", "0", "'a'", "''", "'x1'"} {
		for _, op := range []string{"==", "!=", "<", "<=", ">", ">=", "&&", "||"} {
			texts = append(texts, fmt.Sprintf("%s %s vars.x", l, op), fmt.Sprintf("vars.x %s %s", op, l), fmt.Sprintf("!(vars.x %s %s) && %s", op, l, l))
		}
		for _, f := range []string{"contains", "startsWith", "endsWith"} {
			texts = append(texts, fmt.Sprintf("%s(%s, vars.x)", f, l), fmt.Sprintf("%s(vars.x, %s)", f, l), fmt.Sprintf("%s(format('a{0}', vars.x), %s)", f, l))
		}
		texts = append(texts, fmt.Sprintf("format('{0}1', vars.x) == %s", l), fmt.Sprintf("case(vars.x == 1, %s, vars.x)", l), fmt.Sprintf("vars.x && %s || vars.x", l))
	}
	decidedCases := 0
	for _, text := range texts {
		e := mustParse(t, text)
		abstract := e.Evaluate(nil)
		some := new(Environment)
		some.Set("vars.x", OneOf(values[:9]))
		few := e.Evaluate(some)
		for i, v := range values {
			env := new(Environment)
			env.Set("vars.x", v)
			got := e.Evaluate(env)
			if abstract.Truth() != Undecided && got.Problem() == "" {
				decidedCases++
				if got.Truth() != abstract.Truth() {
					t.Errorf("%s with %s is %s, but said to be %s", text, show(v), got.Truth(), show(abstract))
				}
			}
			if few.Truth() != Undecided && i < 9 && got.Problem() == "" && got.Truth() != few.Truth() {
				t.Errorf("%s with %s is %s, but said to be %s for a few values", text, show(v), got.Truth(), show(few))
			}
		}
	}
	if decidedCases < 300 {
		t.Errorf("only %d cases were decided", decidedCases)
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[Status][3]Truth{
		StatusAny: {}, StatusSuccess: {True, False, False}, StatusFailure: {False, True, False}, StatusCancelled: {False, False, True},
	} {
		for i, f := range []string{"success()", "failure()", "cancelled()"} {
			if got := mustParse(t, f).Evaluate(&Environment{Status: status}).Truth(); got != want[i] {
				t.Errorf("%s at %d: %s, want %s", f, status, got, want[i])
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
	}{
		{"", 0}, {"  ", 0}, {"1 <", 3}, {"1 < )", 4}, {"> 1", 0}, {"github.()", 7}, {"1 2", 2}, {"(1", 2}, {"a = b", 2}, {"a & b", 2}, {"'x", 0},
		{`"x"`, 0}, {"github[", 7}, {"github.", 7}, {"f(1,", 4}, {"f(1 2)", 4}, {"a@b", 1}, {"1x", 0}, {"$x", 0}, {"true.x", 4}, {"a ? b", 2}, {"f(,)", 2},
		{strings.Repeat("!", 10000) + "a", maxExpressionDepth + 1}, {strings.Repeat("(", 10000), maxExpressionDepth + 1},
		{"a" + strings.Repeat(".a", 10000), 0}, {"1" + strings.Repeat("==1", 1000), 0}, {strings.Repeat("f(", 5000), 2*maxExpressionDepth + 2},
		{strings.Repeat("a[", 5000), 2*maxExpressionDepth + 2}, {"'" + strings.Repeat("é", 21000) + "'", 0},
	} {
		_, err := ParseExpression(c.text)
		var s *SyntaxError
		if !errors.As(err, &s) {
			t.Errorf("%.40q: no error", c.text)
			continue
		}
		if s.Offset != c.offset {
			t.Errorf("%.40q: %v, want offset %d", c.text, err, c.offset)
		}
		if len(s.Message) > 120 {
			t.Errorf("%.40q: message of %d bytes", c.text, len(s.Message))
		}
	}
	if _, err := ParseExpression("'" + strings.Repeat("é", 20990) + "'"); err != nil {
		t.Errorf("20,992 characters: %v", err)
	}
	if _, err := ParseExpression(strings.TrimSuffix(strings.Repeat("a&&", 5000), "&&")); err != nil {
		t.Errorf("5000 operands: %v", err)
	}
}

func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		"nope()": `unknown function "nope" at offset 0`, "1 == foo.x": `unknown context "foo" at offset 5`, "contains('a')": "too few arguments for contains at offset 0",
		"toJSON(1, 2)": "too many arguments for tojson at offset 0", "case(true, 1, false, 2)": "case takes pairs and a default at offset 0", "github.ref": "", "hashFiles('a', 'b')": "",
	} {
		got := ""
		for _, p := range mustParse(t, text).Problems {
			got += p.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func names(paths []ContextPath) string {
	var out []string
	for _, p := range paths {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ text, all, result string }{
		{"github.event['pull_request'].title", "github.event.pull_request.title", "="},
		{"GitHub.Event.Pull_Request.TITLE", "github.event.pull_request.title", "="},
		{"github.event.commits[0].message", "github.event.commits.0.message", "="},
		{"github.event.commits.*.message", "github.event.commits.*.message", "="},
		{"github.event.issue.labels[*].name", "github.event.issue.labels.*.name", "="},
		{"github.event[inputs.x].title", "github.event.*.title inputs.x", "github.event.*.title"},
		{"env['a.b'].c", "env['a.b'].c", "="},
		{"contains(github.event.issue.title, 'x')", "github.event.issue.title", ""},
		{"github.event.issue.title == 'x'", "github.event.issue.title", ""},
		{"github.event.issue.title && 'a' || inputs.b", "github.event.issue.title inputs.b", "inputs.b"},
		{"github.head_ref || github.ref_name", "github.head_ref github.ref_name", "="},
		{"format('{0}', github.head_ref)", "github.head_ref", "="},
		{"toJSON(github.event)", "github.event", "="},
		{"fromJSON(needs.a.outputs.m).x", "needs.a.outputs.m", "="},
		{"case(github.ref == 'x', inputs.a, inputs.b)", "github.ref inputs.a inputs.b", "inputs.a inputs.b"},
		{"hashFiles(inputs.x)", "inputs.x", ""},
		{"!inputs.x", "inputs.x", ""},
		{"newFunction(inputs.x)", "inputs.x", "="},
		{"(github.event).issue.title", "github.event.issue.title", "="},
		{"'x'", "", ""},
	} {
		e := mustParse(t, c.text)
		if got := names(e.Paths()); got != c.all {
			t.Errorf("%s: Paths %q, want %q", c.text, got, c.all)
		}
		if c.result == "=" {
			c.result = c.all
		}
		if got := names(e.TextPaths()); got != c.result {
			t.Errorf("%s: TextPaths %q, want %q", c.text, got, c.result)
		}
	}
}

func TestSpans(t *testing.T) {
	text := " contains( github.event['a'].b , 'x''y' ) && ! (inputs.c)"
	var got []string
	mustParse(t, text).Walk(func(n *ExprNode) bool {
		got = append(got, text[n.Span.Start:n.Span.End])
		return true
	})
	want := []string{
		"contains( github.event['a'].b , 'x''y' ) && ! (inputs.c", // brackets leave no node, nor do they count
		"contains( github.event['a'].b , 'x''y' )", "github.event['a'].b", "github.event['a']", "github.event", "github", "'x''y'", "! (inputs.c", "inputs.c", "inputs",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
}

func TestTemplate(t *testing.T) {
	text := "a ${{ github.ref }} b${{ '}}' }}${{ broken( }}${{ inputs.x }}"
	tmpl := ParseTemplate(text)
	var got []string
	for _, p := range tmpl.Parts {
		s := text[p.Span.Start:p.Span.End]
		if text[p.Inner:int(p.Inner)+len(p.Text)] != p.Text {
			t.Errorf("Inner of %q is wrong", s)
		}
		if p.Err != nil {
			s += " ERR"
		}
		got = append(got, s)
	}
	if d := cmp.Diff([]string{"a ", "${{ github.ref }}", " b", "${{ '}}' }}", "${{ broken( }} ERR", "${{ inputs.x }}"}, got); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	for _, p := range tmpl.Paths() {
		if s := text[p.Span.Start:p.Span.End]; s != p.Name {
			t.Errorf("path %q has the span of %q", p.Name, s)
		}
	}
	env := testEnvironment()
	for text, want := range map[string]string{
		"${{ 1 }}": `1`, "x${{ 1 }}": `"x1"`, "${{ false }}${{ false }}": `"falsefalse"`, "plain": `"plain"`, "": `""`,
		"a-${{ vars.x }}-b": `unknown but true vars.x`, "${{ vars.x }}${{ '' }}": `unknown vars.x`, "${{ x": `unknown: an expression cannot be read`,
	} {
		if got := show(ParseTemplate(text).Evaluate(env)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestCondition(t *testing.T) {
	env := testEnvironment()
	for _, c := range []struct {
		text string
		want Truth
		ok   Truth // when all went well before
	}{
		{"github.event_name == 'push'", Undecided, True}, {"${{ github.event_name == 'push' }}", Undecided, True}, {"github.event_name == 'x'", False, False},
		{"always()", True, True}, {"always() && github.event_name == 'push'", True, True}, {"failure()", Undecided, False}, {"!cancelled()", Undecided, True},
		{"", Undecided, True}, {"vars.x", Undecided, Undecided}, {"${{ false }} ", Undecided, True}, {"${{ always() }} && false", True, True}, {"'success()'", Undecided, True},
	} {
		v, err := env.Truth(c.text)
		if err != nil || v.Truth() != c.want {
			t.Errorf("%q: %s, %v; want %s", c.text, v.Truth(), err, c.want)
		}
		env.Status = StatusSuccess
		if v, _ := env.Truth(c.text); v.Truth() != c.ok {
			t.Errorf("%q after success: %s, want %s", c.text, v.Truth(), c.ok)
		}
		env.Status = StatusAny
	}
	for _, text := range []string{"a b", "${{ a b }}", "${{ a", "x ${{ "} {
		var s *SyntaxError
		if _, err := ParseCondition(text); !errors.As(err, &s) || s.Offset == 0 {
			t.Errorf("%q: %v, want an error with its place", text, err)
		}
	}
}

func TestAlwaysTrue(t *testing.T) {
	for _, c := range []struct {
		text string
		kind TrapKind
		at   string
	}{
		{"${{ github.ref }} && b", TrapText, " && b"}, {"!${{ inputs.x }}", TrapText, "!"}, {"${{ inputs.x }}\n", TrapText, "\n"},
		{"github.ref == 'a' || 'b'", TrapConstant, "'b'"}, {"${{ github.ref == 'a' || 'b' }}", TrapConstant, "'b'"}, {"'false'", TrapConstant, "'false'"},
		{"vars.a || !(vars.b && false)", TrapConstant, "!(vars.b && false"}, {"${{ inputs.a == 'x' }}${{ inputs.b }}", TrapText, "${{ inputs.a == 'x' }}"},
		{"format('{0}x', vars.a)", TrapConstant, "format('{0}x', vars.a)"}, {"github.ref == github.ref", TrapConstant, "github.ref == github.ref"},
		{"true", 0, ""}, {"always()", 0, ""}, {"${{ always() }}", 0, ""}, {"vars.a || always()", 0, ""}, {"vars.a", 0, ""}, {"${{ vars.a }}", 0, ""}, {"", 0, ""},
		{"vars.a && 'x'", 0, ""}, {"${{ vars.a }}${{ vars.b }}", 0, ""}, {"github.ref == 'a' || github.ref == 'b'", 0, ""}, {"broken(", 0, ""}, {"false", 0, ""},
	} {
		trap, ok := AlwaysTrue(c.text)
		if ok != (c.kind != 0) || ok && (trap.Kind != c.kind || c.text[trap.Span.Start:trap.Span.End] != c.at || trap.Reason == "") {
			t.Errorf("%q: %v %+v, want %d at %q", c.text, ok, trap, c.kind, c.at)
		}
	}
}

func TestTraps(t *testing.T) {
	for _, c := range []struct {
		text string
		kind TrapKind
		at   string
		path string
	}{
		{"contains('refs/heads/main refs/heads/dev', github.ref)", TrapContains, "contains('refs/heads/main refs/heads/dev', github.ref)", "github.ref"},
		{"${{ contains('a,b', github.actor) }}", TrapContains, "contains('a,b', github.actor)", "github.actor"},
		{"contains('a', format('{0}', github.actor))", TrapContains, "contains('a', format('{0}', github.actor))", ""},
		{"vars.a && '' || 'b'", TrapTernary, "''", ""}, {"vars.a && false || vars.b", TrapTernary, "false", ""}, {"format('{0}', vars.a && 0 || 1)", TrapTernary, "0", ""},
		{"contains(fromJSON('[\"a\"]'), github.actor)", 0, "", ""}, {"contains(github.event.issue.title, 'a')", 0, "", ""}, {"vars.a && 'x' || ''", 0, "", ""}, {"contains('ab', 'b')", 0, "", ""},
	} {
		cond, err := ParseCondition(c.text)
		if err != nil {
			t.Fatal(err)
		}
		traps := cond.Traps()
		if c.kind == 0 {
			if len(traps) != 0 && traps[0].Kind != TrapConstant {
				t.Errorf("%q: %+v, want none", c.text, traps)
			}
			continue
		}
		found := false
		for _, trap := range traps {
			found = found || trap.Kind == c.kind && c.text[trap.Span.Start:trap.Span.End] == c.at && trap.Path == c.path
		}
		if !found {
			t.Errorf("%q: %+v, want %d at %q", c.text, traps, c.kind, c.at)
		}
	}
}

// TestBounded holds the evaluator to its budget: texts that would grow without end
// and comparisons of long texts end as unknown.
func TestBounded(t *testing.T) {
	grow := "'" + strings.Repeat("x", 100) + "'"
	for range 30 {
		grow = "format('{0}{0}{0}{0}{0}{0}{0}{0}', " + grow + ")"
	}
	long := "format('{0}{0}{0}{0}{0}{0}{0}{0}', '" + strings.Repeat("y", 2000) + "')"
	for name, text := range map[string]string{
		"format":  grow,
		"compare": strings.TrimSuffix(strings.Repeat(long+"=="+long+"||", 4), "||"),
		"filter":  "fromJSON('[" + strings.TrimSuffix(strings.Repeat("[0,0,0,0],", 1500), ",") + "]')" + strings.Repeat(".*", 60),
		"json":    "toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(toJSON(" + `'""""""""""""""""'` + "))))))))))))))))",
	} {
		e := mustParse(t, text)
		x := newEvaluator(nil)
		x.eval(e.Root)
		if x.steps < -maxExpressionLength || x.bytes < -2*maxEvalBytes {
			t.Errorf("%s: %d steps and %d bytes left", name, x.steps, x.bytes)
		}
	}
	v := mustParse(t, grow).Evaluate(nil)
	if v.Known() || v.Problem() != tooMuch {
		t.Errorf("a text that grows without end: %s", show(v))
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"github.event['a'].b && !contains(x.*.y, 'z') || case(a == 1, 'b', fromJSON('[1,{\"a\":2}]')[1].a)", "format('{0}{{}}', toJSON(github))", "a[*][b].c >= -0x1f", "'''' != null", "join(a.*.b, ',') < NaN",
	} {
		f.Add(s)
	}
	env := testEnvironment()
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpression(text)
		if err != nil {
			return
		}
		e.Walk(func(n *ExprNode) bool {
			if n.Span.Start < 0 || n.Span.End > int64(len(text)) || n.Span.Start >= n.Span.End {
				t.Fatalf("span %v of %d bytes", n.Span, len(text))
			}
			return true
		})
		all := map[string]bool{}
		for _, p := range e.Paths() {
			all[p.Name] = true
		}
		for _, p := range e.TextPaths() {
			if !all[p.Name] {
				t.Fatalf("TextPaths has %q, Paths has not", p.Name)
			}
			ControlOf(p.Name, "")
		}
		e.Traps()
		abstract, concrete := e.Evaluate(nil), e.Evaluate(env)
		if strings.Contains(text, "(") {
			return // status functions, budgets and failures differ
		}
		if abstract.Truth() != Undecided && concrete.Problem() == "" && abstract.Truth() != concrete.Truth() && !strings.Contains(text, "NaN") {
			t.Fatalf("%s by nothing, %s by an environment", show(abstract), show(concrete))
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"${{ a }} && b", "always() || '", "x${{ '}}' }}${{", "${{ format('{0}', a) }}${{ b == c }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pos := int64(0)
		for _, p := range ParseTemplate(text).Parts {
			if p.Span.Start != pos || p.Span.End <= pos {
				t.Fatalf("part %v after %d", p.Span, pos)
			}
			pos = p.Span.End
		}
		if pos != int64(len(text)) {
			t.Fatalf("parts end at %d of %d", pos, len(text))
		}
		c, err := ParseCondition(text)
		if err != nil {
			return
		}
		c.Evaluate(testEnvironment())
		for _, trap := range c.Traps() {
			if trap.Span.Start < 0 || trap.Span.End > int64(len(text)) && text != "" {
				t.Fatalf("trap at %v of %d bytes", trap.Span, len(text))
			}
		}
	})
}

func BenchmarkExpression(b *testing.B) {
	const text = "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository && !contains(github.event.pull_request.labels.*.name, 'skip')"
	env := Situation{Event: "pull_request", Actor: ActorAnyone, Fork: true}.Environment()
	b.ReportAllocs()
	for b.Loop() {
		c, err := ParseCondition(text)
		if err != nil {
			b.Fatal(err)
		}
		c.Evaluate(env)
	}
}
