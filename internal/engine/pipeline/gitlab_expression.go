package pipeline

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"penstock"
)

// ParseGitLabExpression parses what stands behind rules:if: variables, strings,
// null, patterns, == != =~ !~ && || ! and brackets. The error is a *SyntaxError.
// GitLab's rules of truth are others than GitHub's: see Evaluate.
//
// Grammar: https://docs.gitlab.com/ci/jobs/job_rules/#cicd-variable-expressions
func ParseGitLabExpression(text string) (GitLabExpression, error) {
	e := GitLabExpression{Text: text}
	if len(text) > 4*maxExpressionLength {
		return e, &SyntaxError{Message: "expression is too long"}
	}
	tokens, err := lexGitLab(text)
	if err != nil {
		return e, err
	}
	p := gitlabParser{exprParser{tokens: tokens, end: len(text)}}
	if p.peek().kind == tokenEnd {
		return e, &SyntaxError{Message: "empty expression"}
	}
	root, err := p.or(0)
	if err != nil {
		return e, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return e, unexpected(t)
	}
	e.Root = root
	return e, nil
}

// GitLabExpression is a parsed rules:if.
type GitLabExpression struct {
	Root *ExprNode
	Text string
}

func lexGitLab(text string) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		if n := spaceAt(text, i); n > 0 {
			i += n
			continue
		}
		start := i
		t := token{kind: tokenOp, start: start}
		c := text[i]
		rest := text[i:]
		switch {
		case c == '(' || c == ')':
			t.kind = tokenPunct
			i++
		case strings.HasPrefix(rest, "=="), strings.HasPrefix(rest, "!="), strings.HasPrefix(rest, "=~"),
			strings.HasPrefix(rest, "!~"), strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"):
			i += 2
		case c == '!':
			i++
		case c == '$':
			i++
			braced := i < len(text) && text[i] == '{'
			if braced {
				i++
			}
			from := i
			for i < len(text) && (isNameStart(text[i]) || text[i] >= '0' && text[i] <= '9') {
				i++
			}
			if i == from || braced && (i >= len(text) || text[i] != '}') {
				return nil, &SyntaxError{Offset: start, Message: "\"$\" without the name of a variable"}
			}
			t.kind, t.value = tokenVariable, literalOf(String(text[from:i]))
			if braced {
				i++
			}
		case c == '"' || c == '\'':
			end := strings.IndexByte(rest[1:], c)
			if end < 0 {
				return nil, &SyntaxError{Offset: start, Message: "string without an end"}
			}
			t.kind, t.value = tokenLiteral, literalOf(String(rest[1:end+1]))
			i += end + 2
		case c == '/':
			end := patternEnd(rest)
			if end < 0 {
				return nil, &SyntaxError{Offset: start, Message: "pattern without an end"}
			}
			t.kind = tokenPattern
			i += end
		case isNameStart(c):
			for i < len(text) && isNameStart(text[i]) {
				i++
			}
			switch text[start:i] {
			case "null":
				t.kind, t.value = tokenLiteral, literalOf(Null())
			default:
				return nil, &SyntaxError{Offset: start, Message: fmt.Sprintf("unexpected %q: strings stand in quotes", clip(text[start:i]))}
			}
		default:
			return nil, &SyntaxError{Offset: start, Message: "unexpected character"}
		}
		t.text, t.end = text[start:i], i
		out = append(out, t)
	}
	return append(out, token{kind: tokenEnd, start: len(text), end: len(text)}), nil
}

// patternEnd is the length of a pattern with its slashes and flags.
func patternEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '/':
			i++
			for i < len(s) && strings.IndexByte("ismU", s[i]) >= 0 {
				i++
			}
			return i
		}
	}
	return -1
}

// gitlabParser is a parser by precedence: ! binds before the comparisons, && before
// ||. Comparisons associate to the left, and their operands may be negations and
// brackets.
type gitlabParser struct{ exprParser }

func (p *gitlabParser) or(level int) (*ExprNode, error) { return p.chain(ExprOr, "||", level, p.and) }
func (p *gitlabParser) and(level int) (*ExprNode, error) {
	return p.chain(ExprAnd, "&&", level, p.comparison)
}

func (p *gitlabParser) comparison(level int) (*ExprNode, error) {
	left, err := p.operand(level)
	for err == nil {
		op := p.peek()
		kind := ExprKind(0)
		switch {
		case op.is("=="), op.is("!="):
			kind = ExprCompare
		case op.is("=~"), op.is("!~"):
			kind = ExprMatch
		default:
			return left, nil
		}
		p.i++
		var right *ExprNode
		if right, err = p.operand(level); err != nil {
			break
		}
		left, err = p.node(kind, op.text, int(left.Span.Start), int(right.Span.End), left, right)
	}
	return nil, err
}

func (p *gitlabParser) operand(level int) (*ExprNode, error) {
	t := p.peek()
	if level > maxExpressionDepth {
		return nil, tooDeep(t.start)
	}
	switch {
	case p.take("!"):
		arg, err := p.operand(level + 1)
		if err != nil {
			return nil, err
		}
		return p.node(ExprNot, "!", t.start, int(arg.Span.End), arg)
	case p.take("("):
		n, err := p.or(level + 1)
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case t.kind == tokenVariable:
		p.i++
		return p.node(ExprVariable, t.value.string, t.start, t.end)
	case t.kind == tokenPattern:
		p.i++
		return p.node(ExprPattern, t.text, t.start, t.end)
	case t.kind == tokenLiteral:
		p.i++
		n, err := p.node(ExprLiteral, "", t.start, t.end)
		if err == nil {
			n.Value = *t.value
		}
		return n, err
	}
	return nil, unexpected(t)
}

// Variables are the variables that the expression reads, each as "$NAME", in order
// of appearance.
func (e GitLabExpression) Variables() []ContextPath {
	var c pathCollector
	c.all(e.Root)
	return c.out
}

// Evaluate decides the expression as far as env allows: the result's Truth says
// whether the rule applies. A variable that env does not name is unknown unless
// env.Close("$") was called.
//
// Two things surprise and are modelled: an empty string counts as true on the left
// of && and ||, because there only null and false are not true; and a string of
// white space alone is not true at the end.
// https://gitlab.com/gitlab-org/gitlab/-/issues/321371
func (e GitLabExpression) Evaluate(env *Environment) Value {
	if e.Root == nil {
		return Null()
	}
	x := newEvaluator(env)
	v := x.gitlab(e.Root)
	if t := present(v); t != Undecided {
		if v.Known() && v.kind != KindString {
			return v
		}
		return Boolean(t == True)
	}
	return unknownBoolean(v.Depends())
}

// present is truth at the end and under "!": a string with more than white space.
func present(v Value) Truth {
	return decide(v, Null(), func(v, _ Value) Truth {
		switch v.kind {
		case KindNull:
			return False
		case KindBoolean:
			return truthOf(v.bool)
		case KindString:
			return truthOf(strings.TrimSpace(v.string) != "")
		case KindUnknown:
			if v.u != nil && (v.u.foreign || strings.TrimSpace(v.u.prefix+v.u.suffix) != "" || v.isNonEmpty()) {
				return True
			}
			if v.static() == KindBoolean {
				return v.truth
			}
			return Undecided
		}
		return True
	})
}

// isNonEmpty reports whether v is what NonEmpty makes.
func (v Value) isNonEmpty() bool {
	return v.u != nil && v.u.kind == KindString && v.truth == True && v.u.prefix+v.u.suffix == ""
}

// solid is truth on the left of && and ||: neither null nor false.
func solid(v Value) Truth {
	return decide(v, Null(), func(v, _ Value) Truth {
		switch v.kind {
		case KindNull:
			return False
		case KindBoolean:
			return truthOf(v.bool)
		case KindString:
			return True
		case KindUnknown:
			if v.static() == KindString {
				return True
			}
			if v.static() == KindBoolean {
				return v.truth
			}
			return Undecided
		}
		return True
	})
}

func (x *evaluator) gitlab(n *ExprNode) Value {
	if x.steps--; x.steps < 0 {
		return failed(tooMuch, nil)
	}
	switch n.Kind {
	case ExprLiteral:
		return n.Value
	case ExprVariable:
		return x.env.variable(n.Name)
	case ExprPattern:
		return String(n.Name)
	case ExprNot:
		v := x.gitlab(n.Args[0])
		if t := present(v); t != Undecided {
			return Boolean(t == False)
		}
		return unknownBoolean(v.Depends())
	case ExprCompare:
		a, b := x.gitlab(n.Args[0]), x.gitlab(n.Args[1])
		t := decide(a, b, x.within(sameGitLab))
		if n.Name == "!=" {
			t = t.Not()
		}
		return decided(t, []Value{a, b})
	case ExprMatch:
		a, b := x.gitlab(n.Args[0]), x.gitlab(n.Args[1])
		t := decide(a, b, x.within(func(a, b Value) Truth {
			if !x.spend(patternCost*b.size() + a.size()*b.size()/8) {
				return Undecided
			}
			return matchGitLab(a, b)
		}))
		if n.Name == "!~" {
			t = t.Not()
		}
		return decided(t, []Value{a, b})
	case ExprAnd:
		return x.gitlabLogical(n.Args, False)
	case ExprOr:
		return x.gitlabLogical(n.Args, True)
	}
	return Unknown()
}

// gitlabLogical is logical with GitLab's truth.
func (x *evaluator) gitlabLogical(args []*ExprNode, stop Truth) Value {
	var open []Value
	for i, a := range args {
		v := x.gitlab(a)
		t := solid(v)
		if i < len(args)-1 && t != stop {
			if t == Undecided {
				open = append(open, v)
			}
			continue
		}
		if len(open) == 0 {
			return v
		}
		open = append(open, v)
		// The result is one of them; those before the last are the stop value. What
		// stops an && is null or false: not true at the end either.
		if stop == False && present(v) == False {
			return Boolean(false)
		}
		if stop == True && present(v) == True && allPresent(open) {
			return Boolean(true)
		}
		return Value{u: &unknown{depends: dependsOf(open...)}}
	}
	return Null()
}

// allPresent reports whether each open operand, if it stops the ||, is true at the
// end, too: a boolean is, a string may be empty.
func allPresent(values []Value) bool {
	for _, v := range values {
		if v.static() != KindBoolean && present(v) != True {
			return false
		}
	}
	return true
}

// sameGitLab compares two values: strings by case, and a boolean by its name.
func sameGitLab(a, b Value) Truth {
	if a.Known() && b.Known() {
		if a.kind == b.kind && a.kind == KindNull {
			return True
		}
		if a.kind == KindNull || b.kind == KindNull {
			return False
		}
		return truthOf(a.text() == b.text())
	}
	if a.Known() {
		a, b = b, a
	}
	if a.u != nil && b.u != nil {
		switch {
		case a.u.is != "" && a.u.is == b.u.is:
			return True
		case a.u.notIs != "" && a.u.notIs == b.u.is, b.u.notIs != "" && b.u.notIs == a.u.is:
			return False
		}
	}
	if a.u == nil || a.u.kind != KindString || !b.Known() {
		return Undecided
	}
	if b.kind == KindNull || a.u.foreign {
		return False
	}
	s := b.text()
	if a.isNonEmpty() && strings.TrimSpace(s) == "" || a.u.notText != "" && s == a.u.notText {
		return False
	}
	if len(s) < len(a.u.prefix)+len(a.u.suffix) || !strings.HasPrefix(s, a.u.prefix) || !strings.HasSuffix(s, a.u.suffix) {
		return False
	}
	return Undecided
}

// Bounds of matching: the length of a pattern in bytes; its size in states, once
// repetitions are written out, times the bytes it is matched with, which is the time
// that a match takes; and what a byte of a pattern costs against maxEvalBytes.
const (
	maxPatternLength = 1 << 10
	maxMatchWork     = 32 << 10
	patternCost      = 16
)

// matchGitLab asks whether the pattern b is found in a. A variable may hold the
// pattern, with its slashes.
func matchGitLab(a, b Value) Truth {
	if !b.Known() {
		return Undecided
	}
	if b.kind == KindNull {
		return False
	}
	if !a.Known() {
		return Undecided
	}
	re := gitlabPattern(b.text(), maxMatchWork/(a.size()+1))
	if re == nil {
		return Undecided
	}
	return truthOf(re.MatchString(a.text()))
}

// gitlabPattern compiles a pattern with its slashes and flags; nil if it is none, or
// has more than most states. GitLab uses RE2, too.
func gitlabPattern(s string, most int) *regexp.Regexp {
	if len(s) > maxPatternLength || len(s) < 2 || s[0] != '/' {
		return nil
	}
	end := strings.LastIndexByte(s, '/')
	if end == 0 || strings.Trim(s[end+1:], "ismU") != "" {
		return nil
	}
	source := strings.ReplaceAll(s[1:end], `\/`, `/`)
	if flags := s[end+1:]; flags != "" {
		source = "(?" + flags + ")" + source
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil || states(tree, most) > most {
		return nil
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil
	}
	return re
}

// states estimates the size of a compiled pattern, which is that of its text times
// the counts in it. The library bounds the depth of a pattern by itself.
func states(re *syntax.Regexp, most int) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += states(sub, most)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, most+1)
}

// AlwaysTrue finds a rule that always applies for what is constant in it.
func (e GitLabExpression) AlwaysTrue() (Trap, bool) {
	if e.Root == nil || e.Root.Kind == ExprLiteral || e.Evaluate(nil).Truth() != True {
		return Trap{}, false
	}
	return Trap{
		Kind: TrapConstant, Reason: "the rule applies whatever the variables hold",
		Span: penstock.Span{Start: e.Root.Span.Start, End: e.Root.Span.End},
	}, true
}
