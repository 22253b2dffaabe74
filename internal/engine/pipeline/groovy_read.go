package pipeline

import (
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// groovyNodeKind is what a node of a Groovy file is.
type groovyNodeKind uint8

const (
	groovyOther    groovyNodeKind = iota // what the reader does not know; Items are what it found in it
	groovyName                           // Name
	groovyMember                         // Left.Name
	groovyIndex                          // Left[Items]
	groovyCall                           // Left(Items), trailing closures included
	groovyNew                            // new Name(Items)
	groovyString                         // Text
	groovyLiteral                        // Name: a number, true, false, null
	groovyList                           // Items
	groovyMap                            // Items, each groovyPair
	groovyPair                           // Key: Left; an argument with a name, an entry of a map
	groovyClosure                        // Params, Items are statements
	groovyBinary                         // Left Name Right
	groovyUnary                          // Name Left
	groovyTernary                        // Key ? Left : Right; Key is nil for ?:
	groovyAssign                         // Left Name Right: = and its kin; Declares for def x = ...
	groovyIf                             // Key, then Left, else Right
	groovyLoop                           // Key is its head, Left its body
	groovyBlock                          // Items are statements
	groovyTry                            // Left, Items: catches and finally
	groovyReturn                         // Left; also throw and assert
	groovyFunction                       // Name, Params, Left
	groovyAnnotate                       // @Name(Items)
	groovyLabel                          // Name: Left
	groovyImport
)

// groovyNode is one node. Its span is exact.
type groovyNode struct {
	Kind     groovyNodeKind
	Declares bool
	// Command says of a call that it has no parentheses.
	Command bool
	penstock.Span
	Name     string
	NameSpan penstock.Span
	Key      *groovyNode
	Left     *groovyNode
	Right    *groovyNode
	Items    []*groovyNode
	Params   []string
	Text     *Text
	// Exprs are those of Text.Parts, in order.
	Exprs []*groovyNode
}

// groovyReader reads statements and expressions. It never fails: where it does not
// understand something it takes one token and goes on. Recursion ends at
// groovyMaxDepth, below which brackets are skipped. The cost is linear in the number
// of tokens, but for texts within texts, whose source is copied once a level.
type groovyReader struct {
	src      string
	tokens   []groovyToken
	at       int
	depth    int
	loose    int // brackets in which a newline means nothing
	comments []syntax.Comment
	problems []syntax.Problem
	deep     bool
}

// readGroovy reads a file.
func readGroovy(src string) (*groovyNode, []syntax.Comment, []syntax.Problem) {
	tokens, problems := lexGroovy(src)
	r := &groovyReader{src: src, problems: problems}
	r.tokens = make([]groovyToken, 0, len(tokens))
	for _, t := range tokens {
		if t.kind == groovyComment {
			s := spanOf(t)
			r.comments = append(r.comments, syntax.Comment{Span: s, Text: src[t.start:t.end]})
			continue
		}
		r.tokens = append(r.tokens, t)
	}
	root := &groovyNode{Kind: groovyBlock, Span: penstock.Span{End: int64(len(src))}}
	for r.tok().kind != groovyEnd {
		root.Items = append(root.Items, r.statements("")...)
		if r.tok().kind != groovyEnd {
			r.wrong(r.tok(), "a bracket that nothing opens")
			r.at++
		}
	}
	return root, r.comments, r.problems
}

// readGroovyExpression reads the source of one expression.
func readGroovyExpression(src string) *groovyNode {
	root, _, _ := readGroovy(src)
	if len(root.Items) == 1 {
		return root.Items[0]
	}
	return root
}

func spanOf(t groovyToken) penstock.Span {
	return penstock.Span{Start: int64(t.start), End: int64(t.end)}
}

func (r *groovyReader) tok() groovyToken { return r.tokens[r.at] }

func (r *groovyReader) peek(n int) groovyToken { return r.tokens[min(r.at+n, len(r.tokens)-1)] }

func (r *groovyReader) text(t groovyToken) string { return r.src[t.start:t.end] }

func (r *groovyReader) isOp(t groovyToken, op string) bool {
	return t.kind == groovyOperator && r.text(t) == op
}

func (r *groovyReader) is(op string) bool { return r.isOp(r.tok(), op) }

func (r *groovyReader) word(w string) bool {
	return r.tok().kind == groovyIdent && r.text(r.tok()) == w
}

func (r *groovyReader) wrong(t groovyToken, message string) {
	if len(r.problems) < maxNotes {
		r.problems = append(r.problems, syntax.Problem{Span: spanOf(t), Message: message})
	}
}

// newlines skips line ends.
func (r *groovyReader) newlines() {
	for r.tok().kind == groovyNewline {
		r.at++
	}
}

// space skips line ends where they mean nothing.
func (r *groovyReader) space() {
	if r.loose > 0 {
		r.newlines()
	}
}

// end is where the last token taken ends.
func (r *groovyReader) end() int64 {
	for i := r.at - 1; i >= 0; i-- {
		if r.tokens[i].kind != groovyNewline {
			return int64(r.tokens[i].end)
		}
	}
	return 0
}

func (r *groovyReader) node(kind groovyNodeKind, start groovyToken) *groovyNode {
	return &groovyNode{Kind: kind, Span: penstock.Span{Start: int64(start.start), End: int64(start.end)}}
}

func (r *groovyReader) close(n *groovyNode) *groovyNode {
	n.End = max(n.End, r.end())
	return n
}

// enter counts a level; if it is too deep, the balanced rest is skipped and stands as
// one node.
func (r *groovyReader) enter() (*groovyNode, bool) {
	if r.depth < groovyMaxDepth {
		r.depth++
		return nil, true
	}
	if !r.deep {
		r.deep = true
		r.wrong(r.tok(), "nested too deeply to be read")
	}
	n := r.node(groovyOther, r.tok())
	open := 0
	for {
		t := r.tok()
		switch {
		case t.kind == groovyEnd:
			return r.close(n), false
		case t.kind == groovyOpen || t.kind == groovyEnter:
			open++
		case t.kind == groovyClose || t.kind == groovyLeave:
			if open == 0 {
				return r.close(n), false
			}
			open--
		case t.kind == groovyNewline && open == 0, r.is(",") && open == 0, r.is(";") && open == 0:
			return r.close(n), false
		case r.is("(") || r.is("[") || r.is("{"):
			open++
		case r.is(")") || r.is("]") || r.is("}"):
			if open == 0 {
				return r.close(n), false
			}
			open--
		}
		r.at++
	}
}

func (r *groovyReader) leave() { r.depth-- }

// statements reads up to a closing bracket, the end of an expression in a text, or
// the end of the file. Until may name a word that ends them, too.
func (r *groovyReader) statements(until string) []*groovyNode {
	loose := r.loose
	r.loose = 0
	defer func() { r.loose = loose }()
	var out []*groovyNode
	for {
		for r.tok().kind == groovyNewline || r.is(";") || until == "enum" && r.is(",") {
			r.at++
		}
		t := r.tok()
		if t.kind == groovyEnd || t.kind == groovyLeave || t.kind == groovyClose || r.is("}") || r.is(")") || r.is("]") {
			return out
		}
		if until == "case" && (r.word("case") || r.word("default") && r.isOp(r.peek(1), ":")) {
			return out
		}
		before := r.at
		if n := r.statement(); n != nil {
			out = append(out, n)
		}
		if r.at == before {
			r.wrong(r.tok(), "a token that does not belong here")
			r.at++
		}
	}
}

// statement reads one statement.
func (r *groovyReader) statement() *groovyNode {
	if n, ok := r.enter(); !ok {
		return n
	}
	defer r.leave()
	start := r.tok()
	if r.is("{") {
		n := r.closure() // a block, or a closure that nobody calls
		return n
	}
	if r.is("@") {
		return r.annotation()
	}
	if start.kind == groovyIdent {
		if n := r.keyword(start); n != nil {
			return n
		}
		if n := r.declaration(start); n != nil {
			return n
		}
		if next := r.peek(1); r.isOp(next, ":") && !r.isOp(r.peek(2), ":") && r.loose == 0 {
			n := r.node(groovyLabel, start)
			n.Name, n.NameSpan = r.text(start), spanOf(start)
			r.at += 2
			r.newlines()
			n.Left = r.statement()
			return r.close(n)
		}
	}
	return r.expression(true)
}

// annotation reads @Name(...).
func (r *groovyReader) annotation() *groovyNode {
	n := r.node(groovyAnnotate, r.tok())
	r.at++
	n.Name, n.NameSpan = r.qualified()
	if r.is("(") {
		n.Items = r.arguments()
	}
	// @Library('x') _ annotates a name that stands for nothing.
	if r.word("_") {
		r.at++
	}
	return r.close(n)
}

// qualified reads a.b.c.
func (r *groovyReader) qualified() (string, penstock.Span) {
	start := r.tok()
	if start.kind != groovyIdent {
		return "", penstock.Span{}
	}
	r.at++
	for r.is(".") && r.peek(1).kind == groovyIdent {
		r.at += 2
	}
	s := penstock.Span{Start: int64(start.start), End: int64(r.tokens[r.at-1].end)}
	return r.src[s.Start:s.End], s
}

// keyword reads a statement that begins with a word of the language.
func (r *groovyReader) keyword(start groovyToken) *groovyNode {
	switch w := r.text(start); w {
	case "import", "package":
		n := r.node(groovyImport, start)
		for k := r.tok().kind; k != groovyNewline && k != groovyEnd && !r.is(";"); k = r.tok().kind {
			r.at++
		}
		return r.close(n)
	case "if", "while", "for", "switch", "synchronized":
		if !r.isOp(r.peek(1), "(") {
			return nil
		}
		n := r.node(groovyLoop, start)
		r.at++
		n.Key = r.head()
		r.newlines()
		switch w {
		case "switch":
			n.Left = r.switchBody()
			return r.close(n)
		case "if":
			n.Kind = groovyIf
		}
		n.Left = r.body()
		if w != "if" {
			return r.close(n)
		}
		back := r.at
		for r.tok().kind == groovyNewline || r.is(";") {
			r.at++
		}
		if !r.word("else") {
			r.at = back
			return r.close(n)
		}
		r.at++
		r.newlines()
		n.Right = r.body()
		return r.close(n)
	case "do", "else":
		if !r.isOp(r.peek(1), "{") && w == "do" {
			return nil
		}
		n := r.node(groovyLoop, start)
		r.at++
		n.Left = r.body()
		return r.close(n)
	case "try":
		if k := r.peek(1); !r.isOp(k, "{") && k.kind != groovyNewline && !r.isOp(k, "(") {
			return nil
		}
		n := r.node(groovyTry, start)
		r.at++
		if r.is("(") {
			n.Key = r.head()
		}
		r.newlines()
		n.Left = r.body()
		for {
			back := r.at
			r.newlines()
			if !r.word("catch") && !r.word("finally") {
				r.at = back
				return r.close(n)
			}
			r.at++
			if r.is("(") {
				r.skip()
			}
			r.newlines()
			n.Items = append(n.Items, r.body())
		}
	case "return", "throw", "assert":
		n := r.node(groovyReturn, start)
		n.Name = w
		r.at++
		if k := r.tok().kind; k != groovyNewline && k != groovyEnd && k != groovyLeave && !r.is(";") && !r.is("}") {
			n.Left = r.expression(true)
			if r.newlinesBefore(":"); w == "assert" && (r.is(":") || r.is(",")) {
				r.at++
				n.Right = r.expression(false)
			}
		}
		return r.close(n)
	case "class", "interface", "enum", "trait":
		if r.peek(1).kind != groovyIdent {
			return nil
		}
		n := r.node(groovyBlock, start)
		for k := r.tok().kind; k != groovyEnd && !r.is("{"); k = r.tok().kind {
			r.at++
		}
		if r.is("{") {
			r.at++
			n.Items = r.statements(w)
			r.expect("}")
		}
		return r.close(n)
	}
	return nil
}

// switchBody reads { case x: ... }.
func (r *groovyReader) switchBody() *groovyNode {
	n := r.node(groovyBlock, r.tok())
	if !r.is("{") {
		return n
	}
	r.at++
	for {
		n.Items = append(n.Items, r.statements("case")...)
		if !r.word("case") && !r.word("default") {
			break
		}
		if r.word("case") {
			r.at++
			n.Items = append(n.Items, r.expression(false))
		} else {
			r.at++
		}
		if r.is(":") || r.is("->") {
			r.at++
		}
	}
	r.expect("}")
	return r.close(n)
}

func (r *groovyReader) expect(op string) {
	if r.is(op) {
		r.at++
		return
	}
	r.wrong(r.tok(), "a bracket is missing")
}

// body is the statement or block behind a head.
func (r *groovyReader) body() *groovyNode {
	if !r.is("{") {
		return r.statement()
	}
	n := r.node(groovyBlock, r.tok())
	if deep, ok := r.enter(); !ok {
		return deep
	}
	defer r.leave()
	r.at++
	n.Items = r.statements("")
	r.expect("}")
	return r.close(n)
}

// head reads what stands in the parentheses of if, while and for.
func (r *groovyReader) head() *groovyNode {
	n := r.node(groovyOther, r.tok())
	r.at++
	r.loose++
	defer func() { r.loose-- }()
	for {
		r.newlines()
		t := r.tok()
		if t.kind == groovyEnd || t.kind == groovyLeave || t.kind == groovyClose || r.is("}") || r.is("]") {
			break
		}
		if r.is(")") {
			r.at++
			break
		}
		before := r.at
		// for (x in y), for (int i = 0; ...)
		if t.kind == groovyIdent && r.peek(1).kind == groovyIdent && r.text(r.peek(1)) != "in" && !groovyWordOperator(r.text(r.peek(1))) && !groovyKeyword(r.text(t)) {
			r.at++ // a type
		}
		n.Items = append(n.Items, r.expression(false))
		if r.is(";") || r.is(":") || r.is(",") {
			r.at++
		}
		if r.at == before {
			r.at++
		}
	}
	r.close(n)
	if len(n.Items) == 1 {
		return n.Items[0]
	}
	return n
}

// skip passes balanced brackets.
func (r *groovyReader) skip() {
	open := 0
	for {
		t := r.tok()
		switch {
		case t.kind == groovyEnd || t.kind == groovyLeave && open == 0:
			return
		case t.kind == groovyEnter, r.is("("), r.is("["), r.is("{"):
			open++
		case t.kind == groovyLeave, r.is(")"), r.is("]"), r.is("}"):
			open--
		}
		r.at++
		if open <= 0 {
			return
		}
	}
}

// declaration reads "def x = ...", "String x = ...", "def (a, b) = ..." and functions;
// nil if the statement is none of them.
func (r *groovyReader) declaration(start groovyToken) *groovyNode {
	back := r.at
	typed := false
	for r.tok().kind == groovyIdent {
		switch r.text(r.tok()) {
		case "def", "var", "final", "static", "private", "public", "protected", "abstract", "transient":
			typed = true
			r.at++
			continue
		}
		break
	}
	if typed && r.is("<") && !r.typeArguments() {
		r.at = back
		return nil
	}
	if typed && (r.word("class") || r.word("interface") || r.word("enum") || r.word("trait")) {
		if n := r.keyword(r.tok()); n != nil {
			return n
		}
	}
	// A type: upper case or primitive, with its arguments; then a name.
	if t := r.tok(); t.kind == groovyIdent {
		w := r.text(t)
		save := r.at
		if typed || w[0] >= 'A' && w[0] <= 'Z' || groovyPrimitive(w) || r.peek(1).kind == groovyIdent && r.isOp(r.peek(2), "=") || r.isOp(r.peek(1), ".") {
			r.qualified()
			ok := true
			if r.is("<") {
				ok = r.typeArguments()
			}
			for ok && r.is("[") && r.isOp(r.peek(1), "]") {
				r.at += 2
			}
			lower := w[0] >= 'a' && w[0] <= 'z' && !groovyPrimitive(w) && !typed && !upperStart(r.text(r.tokens[r.at-1])) && !r.isOp(r.peek(1), "=")
			if ok && r.tok().kind == groovyIdent && !lower && !groovyWordOperator(r.text(r.tok())) {
				typed = true
			} else {
				r.at = save
			}
		}
	}
	if !typed {
		r.at = back
		return nil
	}
	name := r.tok()
	switch {
	case r.is("("): // def (a, b) = ...
		n := r.node(groovyAssign, start)
		n.Declares, n.Name = true, "="
		n.Left = r.node(groovyList, name)
		n.Left.Items = r.arguments()
		r.close(n.Left)
		return r.initial(n)
	case name.kind == groovyText:
		r.at++
	case name.kind != groovyIdent:
		return r.close(r.node(groovyOther, start))
	default:
		r.at++
	}
	if r.is("(") && (name.kind == groovyText || name.start != start.start) {
		n := r.node(groovyFunction, start)
		n.Name, n.NameSpan = r.text(name), spanOf(name)
		if name.kind == groovyText {
			n.Name = strings.Trim(n.Name, `'"`)
		}
		n.Params = r.params()
		back := r.at
		r.newlines()
		if r.word("throws") {
			for k := r.tok().kind; k != groovyEnd && !r.is("{"); k = r.tok().kind {
				r.at++
			}
		}
		if r.is("{") {
			n.Left = r.body()
		} else {
			r.at = back
		}
		return r.close(n)
	}
	n := r.node(groovyAssign, start)
	n.Declares, n.Name = true, "="
	n.Left = r.node(groovyName, name)
	n.Left.Name, n.Left.NameSpan = r.text(name), spanOf(name)
	return r.initial(n)
}

// upperStart reports whether a word is like the name of a class, or ends its
// arguments.
func upperStart(w string) bool {
	return w[0] >= 'A' && w[0] <= 'Z' || w[0] == '>' || w[0] == ']'
}

// initial reads what a declared variable is set to.
func (r *groovyReader) initial(n *groovyNode) *groovyNode {
	if r.is("=") {
		r.at++
		r.newlines()
		n.Right = r.expression(true)
	}
	r.close(n)
	if !r.is(",") {
		return n
	}
	// def a = 1, b = 2
	all := &groovyNode{Kind: groovyBlock, Span: n.Span, Items: []*groovyNode{n}}
	for r.is(",") {
		back := r.at
		r.at++
		r.newlines()
		if r.tok().kind != groovyIdent {
			r.at = back
			break
		}
		next := r.node(groovyAssign, r.tok())
		next.Declares, next.Name = true, "="
		next.Left = r.node(groovyName, r.tok())
		next.Left.Name, next.Left.NameSpan = r.text(r.tok()), spanOf(r.tok())
		r.at++
		if r.is("=") {
			r.at++
			next.Right = r.expression(false)
		}
		all.Items = append(all.Items, r.close(next))
	}
	return r.close(all)
}

// typeArguments passes <A, B<C>>, which must be short and on one line.
func (r *groovyReader) typeArguments() bool {
	open := 0
	for i := r.at; i < min(r.at+40, len(r.tokens)); i++ {
		switch t := r.tokens[i]; {
		case r.isOp(t, "<"):
			open++
		case r.isOp(t, ">"):
			open--
		case r.isOp(t, ">>"):
			open -= 2
		case t.kind == groovyIdent, r.isOp(t, ","), r.isOp(t, "."), r.isOp(t, "?"), r.isOp(t, "["), r.isOp(t, "]"):
		default:
			return false
		}
		if open <= 0 {
			r.at = i + 1
			return open == 0
		}
	}
	return false
}

func groovyPrimitive(w string) bool {
	switch w {
	case "int", "long", "boolean", "float", "double", "char", "byte", "short", "void":
		return true
	}
	return false
}

// params reads the names in the parentheses of a function.
func (r *groovyReader) params() []string {
	var out []string
	for _, a := range r.arguments() {
		out = append(out, groovyParam(a))
	}
	return out
}

// groovyParam is the name of a parameter, which was read as an expression: x, x = 1,
// String x (a command).
func groovyParam(a *groovyNode) string {
	for range groovyMaxDepth {
		switch {
		case a == nil:
			return ""
		case a.Kind == groovyAssign, a.Kind == groovyBinary && a.Name == "=":
			a = a.Left
		case a.Kind == groovyCall && len(a.Items) > 0:
			a = a.Items[len(a.Items)-1]
		case a.Kind == groovyName:
			return a.Name
		default:
			return ""
		}
	}
	return ""
}

// closure reads { params -> statements }.
func (r *groovyReader) closure() *groovyNode {
	n := r.node(groovyClosure, r.tok())
	if deep, ok := r.enter(); !ok {
		return deep
	}
	defer r.leave()
	r.at++
	// Parameters: a short row of names and types before an arrow.
	for i, name := r.at, ""; i < min(r.at+48, len(r.tokens)); i++ {
		t := r.tokens[i]
		if t.kind == groovyIdent {
			name = r.text(t)
			continue
		}
		if r.isOp(t, ",") || r.isOp(t, "->") || r.isOp(t, "=") {
			if name != "" {
				n.Params = append(n.Params, name)
			}
			name = ""
		}
		if r.isOp(t, "->") {
			r.at = i + 1
			break
		}
		if t.kind == groovyNewline || t.kind == groovyNumber || t.kind == groovyText || t.kind == groovyOperator && strings.Contains(",.<>[]=?", r.text(t)) {
			continue
		}
		n.Params = nil
		break
	}
	if !r.isOp(r.tokens[max(r.at-1, 0)], "->") {
		n.Params = nil
	}
	n.Items = r.statements("")
	r.expect("}")
	return r.close(n)
}

// arguments reads ( a, b: c, { } ), from the bracket on.
func (r *groovyReader) arguments() []*groovyNode {
	closing := ")"
	if r.is("[") {
		closing = "]"
	}
	r.at++
	r.loose++
	defer func() { r.loose-- }()
	var out []*groovyNode
	for {
		r.newlines()
		t := r.tok()
		switch {
		case r.is(closing):
			r.at++
			return out
		case t.kind == groovyEnd || t.kind == groovyLeave || t.kind == groovyClose || r.is("}") || r.is(")") || r.is("]"):
			r.wrong(t, "a bracket is missing")
			return out
		case r.is(",") || r.is(";"):
			r.at++
			continue
		}
		before := r.at
		out = append(out, r.argument())
		if r.at == before {
			r.at++
		}
	}
}

// argument reads an argument or an entry, with its name if it has one.
func (r *groovyReader) argument() *groovyNode {
	start := r.tok()
	if r.is("*") && r.isOp(r.peek(1), ":") {
		r.at += 2
		return r.expression(false)
	}
	if r.is("@") {
		r.annotation()
		r.space()
	}
	for r.word("final") {
		r.at++
	}
	// String x, in a list of parameters
	if start.kind == groovyIdent && r.peek(1).kind == groovyIdent && !groovyWordOperator(r.text(r.peek(1))) && !groovyKeyword(r.text(start)) && r.loose > 0 {
		if k := r.peek(2); r.isOp(k, ",") || r.isOp(k, ")") || r.isOp(k, "=") || k.kind == groovyNewline {
			r.at++
		}
	}
	e := r.expression(false)
	r.space()
	if e != nil && r.is(":") {
		n := r.node(groovyPair, start)
		n.Key = e
		switch e.Kind {
		case groovyName:
			n.Name = e.Name
		case groovyString:
			n.Name = e.Text.Value
		case groovyMember:
			if e.Left == nil {
				n.Name = e.Name
			}
		}
		n.NameSpan = e.Span
		r.at++
		r.newlines()
		n.Left = r.expression(false)
		return r.close(n)
	}
	return e
}

func groovyWordOperator(w string) bool {
	return w == "in" || w == "instanceof" || w == "as"
}

// power is the precedence of a binary operator, 0 for none.
func groovyPower(op string) int {
	switch op {
	case "||":
		return 3
	case "&&":
		return 4
	case "|":
		return 5
	case "^":
		return 6
	case "&":
		return 7
	case "==", "!=", "=~", "==~", "===", "!==", "<=>":
		return 8
	case "<", ">", "<=", ">=", "in", "instanceof", "as":
		return 9
	case "<<", ">>", "..", "..<":
		return 10
	case "+", "-":
		return 11
	case "*", "/", "%":
		return 12
	case "**":
		return 13
	}
	return 0
}

// expression reads an assignment, a ternary or what binds closer. As a statement it
// may be a command: a name, and arguments without parentheses.
func (r *groovyReader) expression(command bool) *groovyNode {
	if n, ok := r.enter(); !ok {
		return n
	}
	defer r.leave()
	start := r.tok()
	left := r.binary(1, command)
	if left == nil {
		return nil
	}
	r.spaceBefore("?", "?:")
	switch t := r.tok(); {
	case r.is("?") || r.is("?:"):
		n := &groovyNode{Kind: groovyTernary, Span: left.Span}
		r.at++
		r.newlines()
		if r.isOp(t, "?:") {
			n.Left = left
			n.Right = r.expression(false)
			return r.close(n)
		}
		n.Key = left
		n.Left = r.expression(false)
		r.newlinesBefore(":")
		if r.is(":") {
			r.at++
			r.newlines()
			n.Right = r.expression(false)
		}
		return r.close(n)
	case t.kind == groovyOperator && strings.HasSuffix(r.text(t), "=") && groovyAssigns(r.text(t)):
		n := &groovyNode{Kind: groovyAssign, Span: left.Span, Left: left, Name: r.text(t), NameSpan: spanOf(t)}
		n.Start = int64(start.start)
		r.at++
		r.newlines()
		n.Right = r.expression(true)
		return r.close(n)
	}
	return left
}

func groovyAssigns(op string) bool {
	switch op {
	case "=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", ">>>=", "**=", "&=", "|=", "^=", "?=":
		return true
	}
	return false
}

// newlinesBefore skips line ends if one of the operators follows them.
func (r *groovyReader) newlinesBefore(ops ...string) {
	if r.tok().kind != groovyNewline {
		return
	}
	back := r.at
	r.newlines()
	for _, op := range ops {
		if r.is(op) {
			return
		}
	}
	r.at = back
}

func (r *groovyReader) spaceBefore(ops ...string) {
	if r.loose > 0 {
		r.newlines()
		return
	}
	r.newlinesBefore(ops...)
}

// binary reads operands joined by operators of at least the power given.
func (r *groovyReader) binary(power int, command bool) *groovyNode {
	left := r.unary(command)
	for left != nil {
		r.spaceBefore("&&", "||", "+", "==", "!=")
		t := r.tok()
		op := r.text(t)
		p := 0
		if t.kind == groovyOperator || t.kind == groovyIdent && groovyWordOperator(op) {
			p = groovyPower(op)
		}
		// "!in" and "!instanceof"
		if r.is("!") && r.peek(1).kind == groovyIdent && groovyWordOperator(r.text(r.peek(1))) {
			p = 9
			r.at++
			t = r.tok()
			op = r.text(t)
		}
		if p == 0 || p < power {
			return left
		}
		n := &groovyNode{Kind: groovyBinary, Span: left.Span, Left: left, Name: op, NameSpan: spanOf(t)}
		r.at++
		if r.isOp(t, ">") && r.is(">") {
			r.at++ // >> in pieces
		}
		r.newlines()
		if deep, ok := r.enter(); !ok {
			n.Right = deep
		} else {
			n.Right = r.binary(p+1, false)
			if op == "as" && r.is("<") {
				r.typeArguments()
			}
			r.leave()
		}
		left = r.close(n)
	}
	return left
}

func (r *groovyReader) unary(command bool) *groovyNode {
	start := r.tok()
	if start.kind == groovyOperator {
		switch op := r.text(start); op {
		case "!", "-", "+", "~", "++", "--", "*":
			if deep, ok := r.enter(); !ok {
				return deep
			}
			defer r.leave()
			n := r.node(groovyUnary, start)
			n.Name = op
			r.at++
			r.space()
			n.Left = r.unary(false)
			return r.close(n)
		case "(":
			// A cast: (String) x
			if r.isOp(r.peek(2), ")") && r.peek(1).kind == groovyIdent {
				w := r.text(r.peek(1))
				k := r.peek(3).kind
				if (groovyPrimitive(w) || w[0] >= 'A' && w[0] <= 'Z') && (k == groovyIdent && !groovyWordOperator(r.text(r.peek(3))) || k == groovyText || k == groovyOpen || k == groovyNumber || r.isOp(r.peek(3), "(")) {
					r.at += 3
					return r.unary(false)
				}
			}
		}
	}
	return r.postfix(command)
}

// postfix reads an operand with what follows it: members, calls, indexes, closures.
func (r *groovyReader) postfix(command bool) *groovyNode {
	n := r.primary()
	if n == nil {
		return nil
	}
	for {
		if r.loose == 0 {
			r.newlinesBefore(".", "?.", "*.")
		} else {
			r.newlines()
		}
		t := r.tok()
		if t.kind != groovyOperator {
			break
		}
		adjacent := int64(t.start) == n.End
		switch op := r.text(t); {
		case op == "." || op == "?." || op == "*." || op == ".&" || op == ".@" || op == "::" || op == "??.":
			m := &groovyNode{Kind: groovyMember, Span: n.Span, Left: n}
			r.at++
			r.newlines()
			switch name := r.tok(); name.kind {
			case groovyIdent:
				m.Name, m.NameSpan = r.text(name), spanOf(name)
				r.at++
			case groovyText, groovyOpen:
				s := r.string()
				if s.Text != nil {
					m.Name, m.NameSpan = s.Text.Value, s.Span
				}
			case groovyOperator:
				if r.is("(") || r.is("@") || r.is("*") {
					r.at++ // .@field
				}
			}
			n = r.close(m)
		case op == "(" && (adjacent || n.Kind != groovyString && n.Kind != groovyLiteral):
			if n.Kind == groovyCall && !adjacent && !n.Command && n.Left != nil {
				// f(x) (y): not seen in pipelines
				return n
			}
			c := &groovyNode{Kind: groovyCall, Span: n.Span, Left: n}
			c.Items = r.arguments()
			n = r.close(c)
		case op == "[" && (adjacent || !command || n.Kind == groovyCall):
			if !adjacent && n.Kind == groovyCall {
				return n
			}
			i := &groovyNode{Kind: groovyIndex, Span: n.Span, Left: n}
			i.Items = r.arguments()
			n = r.close(i)
		case op == "{" && groovyCallable(n):
			c := n
			if n.Kind != groovyCall {
				c = &groovyNode{Kind: groovyCall, Span: n.Span, Left: n}
			}
			c.Items = append(c.Items, r.closure())
			n = r.close(c)
		case op == "++" || op == "--":
			r.at++
			n = r.close(n)
		default:
			return r.command(n, command)
		}
	}
	return r.command(n, command)
}

// groovyCallable reports whether a closure behind n is an argument of it.
func groovyCallable(n *groovyNode) bool {
	return n.Kind == groovyName || n.Kind == groovyMember || n.Kind == groovyCall
}

// command reads the arguments of a call without parentheses.
func (r *groovyReader) command(n *groovyNode, allowed bool) *groovyNode {
	if !allowed || n.Kind != groovyName && n.Kind != groovyMember {
		if allowed && n.Kind == groovyCall {
			return r.trailing(n)
		}
		return n
	}
	t := r.tok()
	switch {
	case t.kind == groovyIdent && !groovyWordOperator(r.text(t)) && r.text(t) != "else":
	case t.kind == groovyText, t.kind == groovyOpen, t.kind == groovyNumber:
	case r.is("[") && int64(t.start) > n.End:
	case r.is("!") && t.end == r.peek(1).start && !(r.peek(1).kind == groovyIdent && groovyWordOperator(r.text(r.peek(1)))):
	case t.kind == groovyNewline:
		return r.trailing(n)
	default:
		return n
	}
	c := &groovyNode{Kind: groovyCall, Span: n.Span, Left: n, Command: true}
	for {
		before := r.at
		c.Items = append(c.Items, r.commandArgument())
		if r.at == before || !r.is(",") {
			break
		}
		r.at++
		r.newlines()
	}
	r.close(c)
	// lock resource { }, library 'x' _
	if r.is("{") {
		c.Items = append(c.Items, r.closure())
		r.close(c)
	}
	return c
}

// commandArgument is an argument of a command, which may have a name.
func (r *groovyReader) commandArgument() *groovyNode {
	return r.argument()
}

// trailing takes a closure on a following line: pipeline
// {
func (r *groovyReader) trailing(n *groovyNode) *groovyNode {
	if r.tok().kind != groovyNewline || !groovyCallable(n) || r.loose > 0 {
		return n
	}
	back := r.at
	r.newlines()
	if !r.is("{") {
		r.at = back
		return n
	}
	c := n
	if n.Kind != groovyCall {
		c = &groovyNode{Kind: groovyCall, Span: n.Span, Left: n}
	}
	c.Items = append(c.Items, r.closure())
	return r.close(c)
}

// primary reads an operand; nil where none begins.
func (r *groovyReader) primary() *groovyNode {
	r.space()
	t := r.tok()
	switch t.kind {
	case groovyText, groovyOpen:
		return r.string()
	case groovyNumber:
		n := r.node(groovyLiteral, t)
		n.Name = r.text(t)
		r.at++
		return n
	case groovyIdent:
		return r.name(t)
	case groovyOperator:
	default:
		return nil
	}
	if deep, ok := r.enter(); !ok {
		return deep
	}
	defer r.leave()
	switch r.text(t) {
	case "(":
		n := r.node(groovyOther, t)
		n.Items = r.arguments()
		r.close(n)
		if len(n.Items) == 1 && n.Items[0] != nil && n.Items[0].Kind != groovyPair {
			// The parentheses belong to its span, so that what follows is seen to be
			// adjacent.
			inner := *n.Items[0]
			if inner.Kind == groovyBinary || inner.Kind == groovyTernary || inner.Kind == groovyAssign || inner.Kind == groovyUnary {
				inner.Span = n.Span
				return &inner
			}
		}
		return n
	case "[":
		n := r.node(groovyList, t)
		if r.isOp(r.peek(1), ":") && r.isOp(r.peek(2), "]") {
			r.at += 3
			n.Kind = groovyMap
			return r.close(n)
		}
		n.Items = r.arguments()
		for _, i := range n.Items {
			if i != nil && i.Kind == groovyPair {
				n.Kind = groovyMap
			}
		}
		return r.close(n)
	case "{":
		return r.closure()
	case "@":
		return r.annotation()
	}
	return nil
}

func (r *groovyReader) name(t groovyToken) *groovyNode {
	w := r.text(t)
	r.at++
	switch w {
	case "true", "false", "null":
		n := r.node(groovyLiteral, t)
		n.Name = w
		return n
	case "new":
		if r.tok().kind != groovyIdent {
			break
		}
		n := r.node(groovyNew, t)
		n.Name, n.NameSpan = r.qualified()
		if r.is("<") {
			back := r.at
			if r.isOp(r.peek(1), ">") {
				r.at += 2
			} else if !r.typeArguments() {
				r.at = back
			}
		}
		if r.is("(") || r.is("[") {
			n.Items = r.arguments()
		}
		return r.close(n)
	}
	n := r.node(groovyName, t)
	n.Name, n.NameSpan = w, spanOf(t)
	return n
}

// string reads a text with its expressions. In its value they stand as they are
// written, with ${ and }.
func (r *groovyReader) string() *groovyNode {
	t := r.tok()
	n := r.node(groovyString, t)
	n.Text = &Text{}
	q := groovyQuotes[t.quote]
	r.at++
	if t.kind == groovyText {
		start, end := int(t.start)+len(q.open), int(t.end)
		if end-start >= len(q.close) && strings.HasSuffix(r.src[start:end], q.close) {
			end -= len(q.close)
		}
		n.Text.Value = string(decodeGroovy(nil, &n.Text.Map, r.src, t.quote, start, end))
		n.Text.Span = n.Span
		return n
	}
	var value []byte
	for {
		p := r.tok()
		switch p.kind {
		case groovyPiece:
			value = decodeGroovy(value, &n.Text.Map, r.src, t.quote, int(p.start), int(p.end))
			r.at++
			continue
		case groovyDollar:
			r.at++
			n.Exprs = append(n.Exprs, groovyDotted(r.src, p))
			value = n.Text.interpolate(value, r.src, int(p.start), int(p.end), int(p.start)+1, int(p.end))
			continue
		case groovyEnter:
			r.at++
			e := &groovyNode{Kind: groovyOther, Span: spanOf(p)}
			if deep, ok := r.enter(); !ok {
				e = deep
			} else {
				if r.is("->") {
					r.at++ // a text that is made when it is used
				}
				if items := r.statements(""); len(items) == 1 {
					e = items[0]
				} else {
					e.Items = items
				}
				r.leave()
			}
			// Whatever is left of the expression was not understood.
			for open := 0; ; r.at++ {
				k := r.tok().kind
				if k == groovyEnd || open == 0 && (k == groovyLeave || k == groovyClose || k == groovyPiece) {
					break
				}
				switch k {
				case groovyOpen:
					open++
				case groovyClose:
					open--
				}
			}
			end := int(r.tok().start)
			to := end
			if r.tok().kind == groovyLeave {
				to = int(r.tok().end)
				r.at++
			}
			value = n.Text.interpolate(value, r.src, int(p.start), to, int(p.end), end)
			n.Text.Parts[len(n.Text.Parts)-1].Open = to == end
			n.End = max(n.End, int64(to))
			n.Exprs = append(n.Exprs, e)
			continue
		case groovyClose:
			r.at++
		}
		break
	}
	n.Text.Value = string(value)
	r.close(n)
	n.Text.Span = n.Span
	return n
}

// interpolate appends the source [from, to) of an expression to a text.
func (t *Text) interpolate(value []byte, src string, from, to, inner, innerTo int) []byte {
	at := len(value)
	value = append(value, src[from:to]...)
	t.Map.Add(to-from, from, to)
	t.Parts = append(t.Parts, Interpolation{
		From: at, Inner: at + inner - from, InnerTo: at + innerTo - from, To: len(value),
		Span: penstock.Span{Start: int64(from), End: int64(to)},
	})
	return value
}

// groovyDotted is the expression of $a.b.c.
func groovyDotted(src string, t groovyToken) *groovyNode {
	var n *groovyNode
	at := int64(t.start) + 1
	for _, name := range strings.Split(src[at:t.end], ".") {
		s := penstock.Span{Start: at, End: at + int64(len(name))}
		if n == nil {
			n = &groovyNode{Kind: groovyName, Span: s, Name: name, NameSpan: s}
		} else {
			n = &groovyNode{Kind: groovyMember, Span: penstock.Span{Start: n.Start, End: s.End}, Left: n, Name: name, NameSpan: s}
		}
		at = s.End + 1
	}
	return n
}
