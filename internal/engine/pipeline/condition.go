package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"penstock"
)

// TemplatePart is a piece of a text: either text as it stands or an expression.
type TemplatePart struct {
	// Span is in bytes of the text, that of an expression with ${{ and }}.
	Span penstock.Span
	// Text is what stands there, without ${{ and }} for an expression.
	Text string
	// Inner is where Text begins; spans within Expression count from there.
	Inner        int64
	IsExpression bool
	Expression   Expression
	// Err is why the expression cannot be read. Its offset counts from Inner.
	Err error
}

// Template is a text with ${{ expressions }} in it.
type Template struct{ Parts []TemplatePart }

// ParseTemplate cuts a text at its expressions. One that cannot be read is a part
// with an error, so that the rest is not lost; a "${{" that never ends is such a
// part, too. Time and memory are linear in len(text).
func ParseTemplate(text string) Template {
	var t Template
	add := func(p TemplatePart, start, end int) {
		p.Span = penstock.Span{Start: int64(start), End: int64(end)}
		t.Parts = append(t.Parts, p)
	}
	for pos := 0; pos < len(text); {
		open := strings.Index(text[pos:], "${{")
		if open < 0 {
			add(TemplatePart{Text: text[pos:], Inner: int64(pos)}, pos, len(text))
			break
		}
		open += pos
		if open > pos {
			add(TemplatePart{Text: text[pos:open], Inner: int64(pos)}, pos, open)
		}
		inner := open + len("${{")
		end := expressionEnd(text[inner:])
		if end < 0 {
			add(TemplatePart{
				Text: text[inner:], Inner: int64(inner), IsExpression: true,
				Err: &SyntaxError{Offset: len(text) - inner, Message: "expression without an end"},
			}, open, len(text))
			break
		}
		p := TemplatePart{Text: text[inner : inner+end], Inner: int64(inner), IsExpression: true}
		p.Expression, p.Err = ParseExpression(p.Text)
		pos = inner + end + len("}}")
		add(p, open, pos)
	}
	return t
}

// expressionEnd is where the "}}" stands that ends the expression: one in a
// string does not.
func expressionEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == '}' && !quoted && i+1 < len(s) && s[i+1] == '}':
			return i
		}
	}
	return -1
}

// HasExpression reports whether there is an expression in the text.
func (t Template) HasExpression() bool {
	for _, p := range t.Parts {
		if p.IsExpression {
			return true
		}
	}
	return false
}

// Whole is the expression that is the whole text, whose value is then not made a
// string.
func (t Template) Whole() (Expression, bool) {
	if len(t.Parts) == 1 && t.Parts[0].IsExpression && t.Parts[0].Err == nil {
		return t.Parts[0].Expression, true
	}
	return Expression{}, false
}

// Evaluate computes the text as far as env allows.
func (t Template) Evaluate(env *Environment) Value {
	if e, ok := t.Whole(); ok {
		return e.Evaluate(env)
	}
	x := newEvaluator(env)
	var pieces []piece
	for _, p := range t.Parts {
		switch {
		case !p.IsExpression:
			pieces = append(pieces, piece{text: p.Text})
		case p.Err != nil:
			return failed("an expression cannot be read", nil)
		case p.Expression.Root != nil:
			// Each expression has its own steps; the texts are counted together.
			x.steps = maxEvalSteps
			pieces = append(pieces, pieceOf(x.eval(p.Expression.Root).Value))
		}
	}
	return x.concat(pieces)
}

// Paths are the contexts read anywhere in the text, with spans in it.
func (t Template) Paths() []ContextPath { return t.paths(Expression.Paths) }

// TextPaths are the contexts whose text may be in the result, with spans in the
// text.
func (t Template) TextPaths() []ContextPath { return t.paths(Expression.TextPaths) }

func (t Template) paths(of func(Expression) []ContextPath) []ContextPath {
	var out []ContextPath
	for _, p := range t.Parts {
		if !p.IsExpression || p.Err != nil {
			continue
		}
		for _, c := range of(p.Expression) {
			c.Span.Start += p.Inner
			c.Span.End += p.Inner
			out = append(out, c)
		}
	}
	return out
}

// Condition is what stands behind an if.
type Condition struct {
	// Template has one part, an expression, unless the text is a mixture.
	Template Template
	// Implied says that the forge puts "success() &&" before it.
	Implied bool
}

// ParseCondition parses the text of an if, which is an expression with or without
// ${{ and }}. White space around the braces counts as text: that is how a block
// scalar with braces becomes a condition that is always true. An empty text is
// success().
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idif
func ParseCondition(text string) (Condition, error) {
	var c Condition
	if !strings.Contains(text, "${{") {
		if strings.TrimSpace(text) == "" {
			text = "success()"
		}
		e, err := ParseExpression(text)
		if err != nil {
			return c, err
		}
		c.Template.Parts = []TemplatePart{{
			Span: penstock.Span{End: int64(len(text))}, Text: text, IsExpression: true, Expression: e,
		}}
	} else {
		c.Template = ParseTemplate(text)
	}
	c.Implied = true
	for _, p := range c.Template.Parts {
		if p.Err != nil {
			var at *SyntaxError
			if errors.As(p.Err, &at) {
				return c, &SyntaxError{Offset: at.Offset + int(p.Inner), Message: at.Message}
			}
			return c, p.Err
		}
		if p.IsExpression && p.Expression.StatusFunction() {
			c.Implied = false
		}
	}
	return c, nil
}

// Evaluate decides the condition as far as env allows. The result's Truth says
// whether the step or job runs.
func (c Condition) Evaluate(env *Environment) Value {
	v := c.Template.Evaluate(env)
	if !c.Implied {
		return v
	}
	x := newEvaluator(env)
	success := x.status(&ExprNode{Kind: ExprCall, Name: "success"})
	if success.Truth() == False {
		return success
	}
	if success.Truth() == True {
		return v
	}
	return settle([]Value{success, v}, False, v.Truth())
}

// Truth parses and decides the text of an if.
func (env *Environment) Truth(condition string) (Value, error) {
	c, err := ParseCondition(condition)
	if err != nil {
		return Value{}, err
	}
	return c.Evaluate(env), nil
}

// TrapKind is a way in which a condition does not mean what it seems to say.
type TrapKind uint8

// The traps.
const (
	// TrapText: text around ${{ }} makes a string, and a string is true.
	TrapText TrapKind = iota + 1
	// TrapConstant: a constant operand decides, whatever the contexts hold.
	TrapConstant
	// TrapContains: contains looks for a part of a string where a list was meant.
	TrapContains
	// TrapTernary: in a && b || c the value b counts as false, so that c is taken.
	TrapTernary
)

// Trap is a part of a condition that does not mean what it seems to say.
type Trap struct {
	Kind TrapKind
	// Span is in bytes of the text that was parsed.
	Span   penstock.Span
	Reason string
	// Path is, of TrapContains, the context that is looked for; empty if it is a
	// more complex expression.
	Path string
}

// AlwaysTrue reports why the text of an if is true whatever happens, but for what
// it depends on by success(). A condition that is openly so, true or always(), is
// none.
func AlwaysTrue(condition string) (Trap, bool) {
	c, err := ParseCondition(condition)
	if err != nil {
		return Trap{}, false
	}
	return c.AlwaysTrue()
}

// AlwaysTrue is the function of that name for a parsed condition.
func (c Condition) AlwaysTrue() (Trap, bool) {
	parts := c.Template.Parts
	if len(parts) > 1 {
		for _, p := range parts {
			if p.IsExpression || p.Text == "" {
				continue
			}
			reason := "the text around ${{ }} makes it a string that is not empty, which is true"
			if strings.TrimSpace(p.Text) == "" {
				reason = "the white space around ${{ }} makes it a string that is not empty, which is true"
			}
			return Trap{Kind: TrapText, Span: p.Span, Reason: reason}, true
		}
		return Trap{Kind: TrapText, Span: parts[0].Span, Reason: "expressions side by side make a string: \"falsefalse\" is true"}, c.Template.Evaluate(nil).Truth() == True || booleans(parts)
	}
	if len(parts) == 0 {
		return Trap{}, false
	}
	root := parts[0].Expression.Root
	if root == nil || root.Kind == ExprLiteral && root.Value.kind != KindString {
		return Trap{}, false
	}
	x := newEvaluator(nil)
	if n := x.constant(root); n != nil {
		span := n.Span
		span.Start += parts[0].Inner
		span.End += parts[0].Inner
		return Trap{Kind: TrapConstant, Span: span, Reason: fmt.Sprintf("%s is true whatever the contexts hold", kindName(n))}, true
	}
	return Trap{}, false
}

// booleans reports whether one of the parts is a boolean, whose text is never empty.
func booleans(parts []TemplatePart) bool {
	for _, p := range parts {
		if p.IsExpression && p.Expression.Root != nil && p.Expression.Evaluate(nil).static() == KindBoolean {
			return true
		}
	}
	return false
}

func kindName(n *ExprNode) string {
	if n.Kind == ExprLiteral {
		return "the constant operand"
	}
	return "this operand"
}

// constant is the operand that makes n true for certain, or nil. Status functions
// make nothing certain: always() is written on purpose.
func (x *evaluator) constant(n *ExprNode) *ExprNode {
	switch n.Kind {
	case ExprOr:
		for _, a := range n.Args {
			if c := x.constant(a); c != nil {
				return c
			}
		}
		return nil
	case ExprAnd:
		var last *ExprNode
		for _, a := range n.Args {
			if last = x.constant(a); last == nil {
				return nil
			}
		}
		return last
	}
	calls := false
	walkExpr(n, func(n *ExprNode) bool {
		calls = calls || n.Kind == ExprCall && isStatus(n.Name)
		return !calls
	})
	if calls || x.eval(n).Truth() != True {
		return nil
	}
	return n
}

// Traps finds the parts of the expression that do not mean what they seem to say:
// TrapContains and TrapTernary.
func (e Expression) Traps() []Trap {
	var out []Trap
	e.Walk(func(n *ExprNode) bool {
		switch {
		case n.Kind == ExprCall && n.Name == "contains" && len(n.Args) == 2:
			if t, ok := containsTrap(n); ok {
				out = append(out, t)
			}
		case n.Kind == ExprOr:
			for _, a := range n.Args[:len(n.Args)-1] {
				if a.Kind != ExprAnd {
					continue
				}
				value := a.Args[len(a.Args)-1]
				if value.Kind == ExprLiteral && value.Value.Truth() == False {
					out = append(out, Trap{
						Kind: TrapTernary, Span: value.Span,
						Reason: "the value behind && counts as false, so what stands behind || is always taken",
					})
				}
			}
		}
		return true
	})
	return out
}

// containsTrap looks at contains('a b c', context): any part of the text is found,
// such as the name "a" in "main".
func containsTrap(n *ExprNode) (Trap, bool) {
	hay, needle := n.Args[0], n.Args[1]
	if hay.Kind != ExprLiteral || hay.Value.kind != KindString || needle.Kind == ExprLiteral {
		return Trap{}, false
	}
	path, ok := pathOf(needle)
	if !ok {
		var c pathCollector
		c.text(needle)
		if len(c.out) == 0 {
			return Trap{}, false
		}
	}
	return Trap{
		Kind: TrapContains, Span: n.Span, Path: path,
		Reason: "contains finds any part of the text, not an item of a list: use fromJSON with an array",
	}, true
}

// Traps finds the traps in every expression of the condition, and AlwaysTrue.
func (c Condition) Traps() []Trap {
	var out []Trap
	if t, ok := c.AlwaysTrue(); ok {
		out = append(out, t)
	}
	return append(out, c.Template.Traps()...)
}

// Traps finds the traps in every expression of the text, with spans in it.
func (t Template) Traps() []Trap {
	var out []Trap
	for _, p := range t.Parts {
		if p.Err != nil {
			continue
		}
		for _, trap := range p.Expression.Traps() {
			trap.Span.Start += p.Inner
			trap.Span.End += p.Inner
			out = append(out, trap)
		}
	}
	return out
}
