package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"penstock"
)

// Bounds of an expression. The forge refuses expressions above 21,000 characters
// and 50 levels; ours are no smaller, so that whatever it runs we can read. An
// expression beyond them never runs there.
const (
	maxExpressionLength = 21000 // characters
	maxExpressionDepth  = 100   // levels of the tree, and of brackets while it is read
)

// SyntaxError says where in an expression the reader stopped.
type SyntaxError struct {
	// Offset is in bytes from the start of the text that was parsed.
	Offset  int
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at offset %d", e.Message, e.Offset) }

// ExprKind is the kind of a node of an expression.
type ExprKind uint8

// The kinds of nodes. GitHub's language uses all but ExprVariable, ExprMatch and
// ExprPattern, which are GitLab's.
const (
	ExprLiteral  ExprKind = iota + 1 // Value
	ExprContext                      // Name: a context such as "github", as written
	ExprMember                       // Args[0].Name
	ExprIndex                        // Args[0][Args[1]]
	ExprFilter                       // Args[0].*
	ExprCall                         // Name(Args...): the name in lower case
	ExprNot                          // !Args[0]
	ExprCompare                      // Args[0] Name Args[1]: == != < <= > >=
	ExprAnd                          // Args[0] && Args[1] && ...
	ExprOr                           // Args[0] || Args[1] || ...
	ExprVariable                     // Name: a variable of GitLab without its "$"
	ExprMatch                        // Args[0] Name Args[1]: =~ !~
	ExprPattern                      // Name: a regular expression with its slashes and flags
)

// ExprNode is a node of an expression. Brackets leave no node.
type ExprNode struct {
	Kind ExprKind
	// Span is in bytes of the text that was parsed. That of an operator covers its
	// operands.
	Span  penstock.Span
	Name  string
	Value Value
	Args  []*ExprNode

	depth int
}

// Expression is a parsed expression of GitHub Actions, without ${{ }} around it.
// The zero Expression has no Root and evaluates to null.
type Expression struct {
	Root *ExprNode
	// Text is what was parsed.
	Text string
	// Problems are what the forge would refuse and we read all the same: unknown
	// functions and contexts, wrong numbers of arguments.
	Problems []SyntaxError
}

// ParseExpression parses an expression as it stands between ${{ and }}, or alone
// in an if. Unknown functions and contexts are read, because a forge adds them
// before we know. The error is a *SyntaxError. Time and memory are linear in
// len(text), which is bounded.
//
// Grammar: https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
func ParseExpression(text string) (Expression, error) {
	e := Expression{Text: text}
	if len(text) > maxExpressionLength && (len(text) > 4*maxExpressionLength || utf8.RuneCountInString(text) > maxExpressionLength) {
		return e, &SyntaxError{Message: "expression is too long"}
	}
	tokens, err := lexExpression(text)
	if err != nil {
		return e, err
	}
	p := exprParser{tokens: tokens, end: len(text)}
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
	e.Root, e.Problems = root, p.problems
	return e, nil
}

type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenPunct             // ( ) [ ] , . *
	tokenOp                // ! == != < <= > >= && ||
	tokenLiteral           // value
	tokenName
	tokenVariable // GitLab
	tokenPattern  // GitLab
)

type token struct {
	kind       tokenKind
	text       string
	start, end int
	value      *Value // of a literal, and the name of a variable
}

func literalOf(v Value) *Value { return &v }

func (t token) is(text string) bool {
	return (t.kind == tokenPunct || t.kind == tokenOp) && t.text == text
}

func unexpected(t token) error {
	if t.kind == tokenEnd {
		return &SyntaxError{Offset: t.start, Message: "unexpected end of expression"}
	}
	return &SyntaxError{Offset: t.start, Message: fmt.Sprintf("unexpected %q", clip(t.text))}
}

// clip bounds what of a hostile text goes into a message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func lexExpression(text string) ([]token, error) {
	out := make([]token, 0, len(text)/4+2) // as many as such texts have
	i := 0
	before := byte(0) // the last token, if it is of one sign
	for i < len(text) {
		if n := spaceAt(text, i); n > 0 {
			i += n
			continue
		}
		start := i
		c := text[i]
		switch {
		case c == '(' || c == ')' || c == '[' || c == ']' || c == ',' || c == '*':
			i++
			before = c
			out = append(out, token{kind: tokenPunct, text: text[start:i], start: start, end: i})
		case c == '.' && (before == ')' || before == ']' || before == '*' || len(out) > 0 && out[len(out)-1].kind == tokenName):
			i++
			before = c
			out = append(out, token{kind: tokenPunct, text: ".", start: start, end: i})
		case c == '.' || c == '-' || c == '+' || c >= '0' && c <= '9':
			i++
			for i < len(text) && (text[i] == '.' || !boundaryAt(text, i)) {
				i++
			}
			n := parseNumber(text[start:i])
			if n != n {
				return nil, &SyntaxError{Offset: start, Message: fmt.Sprintf("unexpected %q", clip(text[start:i]))}
			}
			out = append(out, token{kind: tokenLiteral, text: text[start:i], start: start, end: i, value: literalOf(Number(n))})
			before = 0
		case c == '\'':
			s, n, ok := readQuoted(text[i:])
			if !ok {
				return nil, &SyntaxError{Offset: start, Message: "string without an end"}
			}
			i += n
			out = append(out, token{kind: tokenLiteral, text: text[start:i], start: start, end: i, value: literalOf(String(s))})
			before = 0
		case strings.IndexByte("!=<>&|", c) >= 0:
			n := operatorAt(text[i:])
			if n == 0 {
				return nil, &SyntaxError{Offset: start, Message: fmt.Sprintf("unexpected %q", string(c))}
			}
			i += n
			out, before = append(out, token{kind: tokenOp, text: text[start:i], start: start, end: i}), 0
		case isNameStart(c):
			for i < len(text) && (isNameStart(text[i]) || text[i] >= '0' && text[i] <= '9' || text[i] == '-') {
				i++
			}
			if i < len(text) && !boundaryAt(text, i) {
				return nil, &SyntaxError{Offset: i, Message: "unexpected character in a name"}
			}
			t := token{kind: tokenName, text: text[start:i], start: start, end: i}
			if before != '.' {
				if v, ok := keyword(t.text); ok {
					t.kind, t.value = tokenLiteral, &v
				}
			}
			out, before = append(out, t), 0
		case c == '"':
			return nil, &SyntaxError{Offset: start, Message: "strings stand in single quotes"}
		default:
			return nil, &SyntaxError{Offset: start, Message: "unexpected character"}
		}
	}
	return append(out, token{kind: tokenEnd, start: len(text), end: len(text)}), nil
}

// keyword is the value of a word that is a literal. Case matters.
func keyword(word string) (Value, bool) {
	switch word {
	case "true", "false":
		return Boolean(word == "true"), true
	case "null":
		return Null(), true
	case "NaN", "Infinity":
		return Number(parseWordNumber(word)), true
	}
	return Value{}, false
}

func operatorAt(s string) int {
	if len(s) > 1 {
		switch s[:2] {
		case "==", "!=", "<=", ">=", "&&", "||":
			return 2
		}
	}
	if s[0] == '!' || s[0] == '<' || s[0] == '>' {
		return 1
	}
	return 0
}

// readQuoted reads a string in single quotes, where two stand for one. It returns
// the value and the length of the source.
func readQuoted(s string) (string, int, bool) {
	end := strings.IndexByte(s[1:], '\'') + 1
	if end <= 0 {
		return "", 0, false
	}
	if end+1 >= len(s) || s[end+1] != '\'' {
		return s[1:end], end + 1, true // nearly all
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '\'' {
			if i+1 >= len(s) || s[i+1] != '\'' {
				return b.String(), i + 1, true
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0, false
}

func isNameStart(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// boundaryAt reports whether a number or word ends before text[i].
func boundaryAt(text string, i int) bool {
	return strings.IndexByte("()[],.!><=&|", text[i]) >= 0 || spaceAt(text, i) > 0
}

// spaceAt is the length of the white space character at text[i], or 0.
func spaceAt(text string, i int) int {
	c := text[i]
	if c < utf8.RuneSelf {
		if c == ' ' || c >= '\t' && c <= '\r' {
			return 1
		}
		return 0
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	// What the forge's runtime counts as white space.
	switch {
	case r == 0x85, r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return n
	}
	return 0
}

// contexts are the names that an expression may begin with, as documented in
// https://docs.github.com/en/actions/reference/workflows-and-actions/contexts
const contexts = " github env vars job jobs steps runner secrets strategy matrix needs inputs "

// arity is the least and greatest number of arguments of each function.
func arity(name string) (least, most int, ok bool) {
	switch name {
	case "contains", "startswith", "endswith":
		return 2, 2, true
	case "format":
		return 1, 255, true // documented as at least two; one is accepted
	case "join":
		return 1, 2, true
	case "tojson", "fromjson":
		return 1, 1, true
	case "hashfiles":
		return 1, 255, true
	case "case":
		return 3, 255, true
	case "always", "cancelled":
		return 0, 0, true
	case "success", "failure":
		return 0, 255, true // a job's conditions may name needed jobs
	}
	return 0, 0, false
}

type exprParser struct {
	tokens   []token
	i        int
	end      int
	problems []SyntaxError
}

const maxProblems = 20

func (p *exprParser) problem(offset int, format string, args ...any) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, SyntaxError{Offset: offset, Message: fmt.Sprintf(format, args...)})
	}
}

func (p *exprParser) peek() token { return p.tokens[p.i] }

func (p *exprParser) take(text string) bool {
	if p.peek().is(text) {
		p.i++
		return true
	}
	return false
}

func (p *exprParser) expect(text string) error {
	if !p.take(text) {
		return unexpected(p.peek())
	}
	return nil
}

// node makes a node around args and refuses one that is too deep: evaluation
// recurses as far as the tree goes.
func (p *exprParser) node(kind ExprKind, name string, start, end int, args ...*ExprNode) (*ExprNode, error) {
	n := &ExprNode{Kind: kind, Name: name, Args: args, Span: penstock.Span{Start: int64(start), End: int64(end)}}
	for _, a := range args {
		n.depth = max(n.depth, a.depth)
	}
	n.depth++
	if n.depth > maxExpressionDepth {
		return nil, tooDeep(start)
	}
	return n, nil
}

func tooDeep(offset int) error {
	return &SyntaxError{Offset: offset, Message: "expression is nested too deep"}
}

// chain parses operands joined by one operator that is the same all along.
func (p *exprParser) chain(kind ExprKind, op string, level int, operand func(int) (*ExprNode, error)) (*ExprNode, error) {
	first, err := operand(level)
	if err != nil || !p.peek().is(op) {
		return first, err
	}
	args := []*ExprNode{first}
	for p.take(op) {
		next, err := operand(level)
		if err != nil {
			return nil, err
		}
		args = append(args, next)
	}
	return p.node(kind, op, int(first.Span.Start), int(args[len(args)-1].Span.End), args...)
}

func (p *exprParser) or(level int) (*ExprNode, error)  { return p.chain(ExprOr, "||", level, p.and) }
func (p *exprParser) and(level int) (*ExprNode, error) { return p.chain(ExprAnd, "&&", level, p.equal) }

func (p *exprParser) equal(level int) (*ExprNode, error) {
	return p.binary(level, p.order, "==", "!=")
}

func (p *exprParser) order(level int) (*ExprNode, error) {
	return p.binary(level, p.unary, "<", "<=", ">", ">=")
}

func (p *exprParser) binary(level int, operand func(int) (*ExprNode, error), ops ...string) (*ExprNode, error) {
	left, err := operand(level)
	for err == nil {
		op := p.peek()
		if op.kind != tokenOp || !slices.Contains(ops, op.text) {
			break
		}
		p.i++
		var right *ExprNode
		if right, err = operand(level); err != nil {
			break
		}
		left, err = p.node(ExprCompare, op.text, int(left.Span.Start), int(right.Span.End), left, right)
	}
	if err != nil {
		return nil, err
	}
	return left, nil
}

func (p *exprParser) unary(level int) (*ExprNode, error) {
	start := p.peek().start
	if level > maxExpressionDepth {
		return nil, tooDeep(start)
	}
	if !p.take("!") {
		return p.access(level)
	}
	arg, err := p.unary(level + 1)
	if err != nil {
		return nil, err
	}
	return p.node(ExprNot, "!", start, int(arg.Span.End), arg)
}

func (p *exprParser) access(level int) (*ExprNode, error) {
	n, open, err := p.primary(level)
	if err != nil || !open {
		return n, err
	}
	start := p.tokens[p.i-1].start
	start = min(start, int(n.Span.Start))
	for err == nil {
		switch {
		case p.take("."):
			t := p.peek()
			switch {
			case t.kind == tokenName:
				p.i++
				n, err = p.node(ExprMember, t.text, start, t.end, n)
			case p.take("*"):
				n, err = p.node(ExprFilter, "*", start, t.end, n)
			default:
				err = unexpected(t)
			}
		case p.take("["):
			if p.take("*") {
				if err = p.expect("]"); err == nil {
					n, err = p.node(ExprFilter, "*", start, p.tokens[p.i-1].end, n)
				}
				continue
			}
			var index *ExprNode
			if index, err = p.or(level + 1); err != nil {
				break
			}
			if err = p.expect("]"); err != nil {
				break
			}
			end := p.tokens[p.i-1].end
			// A literal index is the same as a name behind a dot.
			if name, ok := literalName(index); ok {
				n, err = p.node(ExprMember, name, start, end, n)
			} else {
				n, err = p.node(ExprIndex, "", start, end, n, index)
			}
		default:
			return n, nil
		}
	}
	return nil, err
}

// literalName is the member that a literal index names.
func literalName(n *ExprNode) (string, bool) {
	if n.Kind != ExprLiteral || n.Value.kind != KindString && n.Value.kind != KindNumber {
		return "", false
	}
	return n.Value.text(), true
}

// primary parses a literal, name, call or bracket; open says that a member may
// follow.
func (p *exprParser) primary(level int) (n *ExprNode, open bool, err error) {
	t := p.peek()
	switch {
	case t.kind == tokenLiteral:
		p.i++
		n, err = p.node(ExprLiteral, "", t.start, t.end)
		if err == nil {
			n.Value = *t.value
		}
		return n, false, err
	case t.kind == tokenName:
		p.i++
		if !p.peek().is("(") {
			if !strings.Contains(contexts, " "+strings.ToLower(t.text)+" ") {
				p.problem(t.start, "unknown context %q", clip(t.text))
			}
			n, err = p.node(ExprContext, t.text, t.start, t.end)
			return n, true, err
		}
		n, err = p.call(t, level)
		return n, true, err
	case p.take("("):
		if n, err = p.or(level + 1); err != nil {
			return nil, false, err
		}
		return n, true, p.expect(")")
	}
	return nil, false, unexpected(t)
}

func (p *exprParser) call(name token, level int) (*ExprNode, error) {
	p.i++ // (
	var args []*ExprNode
	for !p.take(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := p.or(level + 1)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	lower := strings.ToLower(name.text)
	switch least, most, ok := arity(lower); {
	case !ok:
		p.problem(name.start, "unknown function %q", clip(name.text))
	case len(args) < least:
		p.problem(name.start, "too few arguments for %s", lower)
	case len(args) > most:
		p.problem(name.start, "too many arguments for %s", lower)
	case lower == "case" && len(args)%2 == 0:
		p.problem(name.start, "case takes pairs and a default")
	}
	return p.node(ExprCall, lower, name.start, p.tokens[p.i-1].end, args...)
}

// Walk calls do for every node, a parent before its children, until do returns
// false, which leaves out that node's children.
func (e Expression) Walk(do func(*ExprNode) bool) { walkExpr(e.Root, do) }

func walkExpr(n *ExprNode, do func(*ExprNode) bool) {
	if n == nil || !do(n) {
		return
	}
	for _, a := range n.Args {
		walkExpr(a, do)
	}
}

// StatusFunction reports whether the expression calls success, failure, always or
// cancelled: without one, an if has "success() &&" before it.
func (e Expression) StatusFunction() bool {
	found := false
	e.Walk(func(n *ExprNode) bool {
		found = found || n.Kind == ExprCall && isStatus(n.Name)
		return !found
	})
	return found
}

func isStatus(name string) bool {
	return name == "success" || name == "failure" || name == "always" || name == "cancelled"
}

// ContextPath is a context that an expression reads: github.event.issue.title.
type ContextPath struct {
	// Name is the normal form: lower case, members joined by dots, so that
	// github.event['issue'].title and GitHub.event.issue.title are one. "*" stands
	// for any member: a filter, or an index that is only known when it runs. A
	// member that is no name is quoted: env['a.b'].
	Name string
	Span penstock.Span
}

// Paths are the contexts that the expression reads, in order of appearance, each
// as far as it is followed: toJSON(github.event) reads github.event whole.
func (e Expression) Paths() []ContextPath {
	var c pathCollector
	c.all(e.Root)
	return c.out
}

// TextPaths are those of Paths whose text may be in the result. A comparison,
// contains or hashFiles gives nothing of its arguments away, and what stands
// before && is passed on only when it is false or empty.
func (e Expression) TextPaths() []ContextPath {
	var c pathCollector
	c.text(e.Root)
	return c.out
}

// TextPathsIn are those of TextPaths that env leaves open: of a && b || c it often says
// which one it is.
func (e Expression) TextPathsIn(env *Environment) []ContextPath {
	c := pathCollector{env: env}
	c.text(e.Root)
	return c.out
}

type pathCollector struct {
	out []ContextPath
	env *Environment // decides alternatives, if it is there
}

// truth is what env says of a node.
func (c *pathCollector) truth(n *ExprNode) Truth {
	if c.env == nil {
		return Undecided
	}
	return Expression{Root: n}.Evaluate(c.env).Truth()
}

func (c *pathCollector) add(n *ExprNode) bool {
	name, ok := pathOf(n)
	if ok {
		c.out = append(c.out, ContextPath{Name: name, Span: n.Span})
	}
	return ok
}

// all collects from n and below.
func (c *pathCollector) all(n *ExprNode) {
	if n == nil {
		return
	}
	switch n.Kind {
	case ExprContext, ExprMember, ExprFilter, ExprIndex, ExprVariable:
		c.add(n)
		// Indexes and calls at the root are expressions of their own.
		for b := n; ; b = b.Args[0] {
			if b.Kind == ExprIndex {
				c.all(b.Args[1])
			}
			if b.Kind == ExprContext || b.Kind == ExprVariable {
				return
			}
			if b.Kind != ExprMember && b.Kind != ExprFilter && b.Kind != ExprIndex {
				c.all(b)
				return
			}
		}
	}
	for _, a := range n.Args {
		c.all(a)
	}
}

// text collects from what may become part of the result.
func (c *pathCollector) text(n *ExprNode) {
	if n == nil {
		return
	}
	switch n.Kind {
	case ExprContext, ExprMember, ExprFilter, ExprIndex, ExprVariable:
		if c.add(n) {
			return
		}
		for n.Kind == ExprMember || n.Kind == ExprFilter || n.Kind == ExprIndex {
			n = n.Args[0]
		}
		c.text(n)
	case ExprAnd:
		last := len(n.Args) - 1
		for _, a := range n.Args[:last] {
			if c.truth(a) == False {
				return // the result is empty
			}
		}
		c.text(n.Args[last])
	case ExprOr:
		for _, a := range n.Args {
			t := c.truth(a)
			if t != False {
				c.text(a)
			}
			if t == True {
				return
			}
		}
	case ExprCall:
		switch n.Name {
		case "contains", "startswith", "endswith", "hashfiles", "success", "failure", "always", "cancelled":
		case "case":
			for i := 0; i < len(n.Args); i += 2 {
				if i == len(n.Args)-1 {
					c.text(n.Args[i])
					return
				}
				t := c.truth(n.Args[i])
				if t != False {
					c.text(n.Args[i+1])
				}
				if t == True {
					return
				}
			}
		default: // also functions that we do not know
			for _, a := range n.Args {
				c.text(a)
			}
		}
	}
}

// pathOf is the normal form of a chain of members that begins at a context.
func pathOf(n *ExprNode) (string, bool) {
	var few [8]string
	parts := few[:0]
	size := 0
	for {
		switch n.Kind {
		case ExprMember:
			parts = append(parts, n.Name)
			size += len(n.Name) + 1
		case ExprFilter, ExprIndex:
			parts = append(parts, "*")
			size += 2
		case ExprVariable:
			return "$" + n.Name, true
		case ExprContext:
			path := make([]byte, 0, len(n.Name)+size)
			path = appendLower(path, n.Name)
			for _, member := range slices.Backward(parts) {
				path = appendMember(path, member)
			}
			return string(path), true
		default:
			return "", false
		}
		n = n.Args[0]
	}
}

// joinPath appends a member to a path in normal form.
func joinPath(path, member string) string {
	return string(appendMember(append(make([]byte, 0, len(path)+len(member)+1), path...), member))
}

func appendMember(path []byte, member string) []byte {
	if member == "*" || plainMember(member) {
		return appendLower(append(path, '.'), member)
	}
	path = append(append(path, "['"...), strings.ReplaceAll(strings.ToLower(member), "'", "''")...)
	return append(path, "']"...)
}

// appendLower appends a text in small letters.
func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return append(b, strings.ToLower(s[i:])...)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

func plainMember(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isNameStart(c) && !(c >= '0' && c <= '9') && c != '-' {
			return false
		}
	}
	return s != ""
}
