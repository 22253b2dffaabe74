package pipeline

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
	"penstock/internal/syntax"
)

// Bounds of one Groovy file. What lies beyond is not read, with a note.
const (
	groovyMaxFile   = 4 << 20 // bytes
	groovyMaxTokens = 1 << 20
	groovyMaxNest   = 12  // texts with expressions within each other
	groovyMaxDepth  = 400 // brackets, calls and operators within each other
	// groovyMaxFailed bounds readings that go back: of slashes that begin no text.
	groovyMaxFailed = 16
)

type groovyKind uint8

const (
	groovyEnd groovyKind = iota
	groovyNewline
	groovyIdent
	groovyNumber
	groovyOperator // brackets and punctuation, too
	groovyText     // a whole text in single quotes, or without expressions
	groovyOpen     // the quotes that begin a text with expressions
	groovyPiece    // what stands between its expressions
	groovyDollar   // $a.b within a text
	groovyEnter    // ${ within a text
	groovyLeave    // } that ends it
	groovyClose    // the quotes that end the text
	groovyComment
	groovyBad // a byte that no token begins with
)

// groovyToken is a token; what lies between two is white space.
type groovyToken struct {
	kind       groovyKind
	quote      groovyQuote
	start, end int32
}

// groovyQuote is a form of a text.
type groovyQuote uint8

const (
	quoteNone   groovyQuote = iota
	quoteSingle             // '..'
	quoteDouble             // ".."
	quoteTripleSingle
	quoteTripleDouble
	quoteSlash  // /../
	quoteDollar // $/../$
)

var groovyQuotes = [...]struct{ open, close string }{{}, {"'", "'"}, {`"`, `"`}, {"'''", "'''"}, {`"""`, `"""`}, {"/", "/"}, {"$/", "/$"}}

func (q groovyQuote) interpolates() bool { return q != quoteSingle && q != quoteTripleSingle }

// groovyLexer cuts a file into tokens, in one pass and without recursion.
type groovyLexer struct {
	src      string
	pos      int
	tokens   []groovyToken
	problems []syntax.Problem
	// nest are the texts whose expression is being read.
	nest []groovyNest
	// noClose, by form: that no text of the form ends any more.
	noClose [quoteDollar + 1]bool
	failed  int
	// operand says that the last token ends an operand, so that a slash divides.
	operand bool
}

type groovyNest struct {
	quote  groovyQuote
	braces int
	// open is the index of the token that begins the text.
	open int
}

// lexGroovy returns all tokens of a file, comments and newlines included, the last
// of which is groovyEnd.
func lexGroovy(src string) ([]groovyToken, []syntax.Problem) {
	l := &groovyLexer{src: src}
	if len(src) > groovyMaxFile {
		l.problem(0, 0, "the file is too large to be read")
		return []groovyToken{{}}, l.problems
	}
	l.tokens = make([]groovyToken, 0, len(src)/5+16)
	if strings.HasPrefix(src, "\ufeff") {
		l.pos = 3
	}
	if strings.HasPrefix(src[l.pos:], "#!") {
		l.line(l.pos)
	}
	for l.pos < len(l.src) {
		if len(l.tokens) >= groovyMaxTokens {
			l.problem(l.pos, len(src), "the rest of the file is not read: too many tokens")
			break
		}
		l.next()
	}
	if n := len(l.nest); n > 0 {
		l.problem(int(l.tokens[l.nest[n-1].open].start), len(src), "a text without an end")
	}
	l.tokens = append(l.tokens, groovyToken{kind: groovyEnd, start: int32(l.pos), end: int32(l.pos)})
	return l.tokens, l.problems
}

func (l *groovyLexer) problem(start, end int, message string) {
	if len(l.problems) < maxNotes {
		l.problems = append(l.problems, syntax.Problem{Span: penstock.Span{Start: int64(start), End: int64(end)}, Message: message})
	}
}

func (l *groovyLexer) add(kind groovyKind, quote groovyQuote, start, end int) {
	l.tokens = append(l.tokens, groovyToken{kind: kind, quote: quote, start: int32(start), end: int32(end)})
	l.pos = end
}

func (l *groovyLexer) at(s string) bool {
	return strings.HasPrefix(l.src[l.pos:], s)
}

// line takes the rest of the line as a comment.
func (l *groovyLexer) line(start int) {
	end := start
	for end < len(l.src) && l.src[end] != '\n' && l.src[end] != '\r' {
		end++
	}
	l.add(groovyComment, 0, start, end)
}

// next reads one token or white space.
func (l *groovyLexer) next() {
	start := l.pos
	c := l.src[start]
	switch {
	case c == ' ' || c == '\t' || c == '\f' || c == '\v':
		l.pos++
		return
	case c == '\\' && (l.at("\\\n") || l.at("\\\r\n")):
		l.pos += 2
		if c := l.src[l.pos-1]; c == '\r' {
			l.pos++
		}
		return
	case c == '\n':
		l.add(groovyNewline, 0, start, start+1)
		l.operand = false
		return
	case c == '\r':
		end := start + 1
		if end < len(l.src) && l.src[end] == '\n' {
			end++
		}
		l.add(groovyNewline, 0, start, end)
		l.operand = false
		return
	case l.at("//"):
		l.line(start)
		return
	case l.at("/*"):
		end := indexFrom(l.src, start+2, "*/")
		if end < 0 {
			l.problem(start, len(l.src), "a comment without an end")
			l.add(groovyComment, 0, start, len(l.src))
			return
		}
		l.add(groovyComment, 0, start, end+2)
		return
	case l.at("'''"):
		l.text(quoteTripleSingle)
	case l.at(`"""`):
		l.text(quoteTripleDouble)
	case c == '\'':
		l.text(quoteSingle)
	case c == '"':
		l.text(quoteDouble)
	case c == '/' && (!l.operand || l.argument()) && !l.at("/=") && l.failed < groovyMaxFailed && !l.noClose[quoteSlash]:
		l.text(quoteSlash)
	case l.at("$/") && l.failed < groovyMaxFailed && !l.noClose[quoteDollar]:
		l.text(quoteDollar)
	case c >= '0' && c <= '9':
		end := start + 1
		for end < len(l.src) && (groovyWordByte(l.src[end]) || l.src[end] == '.' && end+1 < len(l.src) && l.src[end+1] >= '0' && l.src[end+1] <= '9') {
			end++
		}
		l.add(groovyNumber, 0, start, end)
		l.operand = true
	case groovyWordByte(c):
		end := start + 1
		for end < len(l.src) && groovyWordByte(l.src[end]) {
			end++
		}
		l.add(groovyIdent, 0, start, end)
		l.operand = !groovyKeyword(l.src[start:end])
	default:
		l.operator(c)
	}
}

// groovyKeyword reports whether an operand may follow a word, and not an operator.
func groovyKeyword(word string) bool {
	switch word {
	case "return", "in", "instanceof", "as", "case", "assert", "throw", "else", "new", "do":
		return true
	}
	return false
}

func groovyWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= utf8.RuneSelf
}

func indexFrom(s string, from int, what string) int {
	i := strings.Index(s[from:], what)
	if i < 0 {
		return -1
	}
	return from + i
}

var groovyOperators = [...]string{
	">>>=", "<<=", ">>=", "**=", "<=>", "==~", "===", "!==", "...", "..<", "?.", "??.", "*.", ".@", ".&", "::", "?:", "?=", "->", "++", "--", "&&", "||",
	"==", "!=", "<=", ">=", "=~", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", "..", "**",
}

func (l *groovyLexer) operator(c byte) {
	start := l.pos
	l.operand = c == ')' || c == ']' || c == '}'
	if n := len(l.nest); n > 0 {
		switch c {
		case '{':
			l.nest[n-1].braces++
		case '}':
			if l.nest[n-1].braces == 0 {
				quote := l.nest[n-1].quote
				l.add(groovyLeave, quote, start, start+1)
				l.pieces(quote, l.nest[n-1].open)
				return
			}
			l.nest[n-1].braces--
		}
	}
	for _, op := range groovyOperators {
		if op[0] == c && l.at(op) {
			l.operand = op == "++" || op == "--"
			l.add(groovyOperator, 0, start, start+len(op))
			return
		}
	}
	if strings.IndexByte("()[]{}.,;:?=<>!~+-*/%&|^@", c) >= 0 {
		l.add(groovyOperator, 0, start, start+1)
		return
	}
	_, n := utf8.DecodeRuneInString(l.src[start:])
	l.add(groovyBad, 0, start, start+n)
}

// text reads a text from its opening quotes on: as one token, or up to its first
// expression.
func (l *groovyLexer) text(q groovyQuote) {
	start := l.pos
	l.pos += len(groovyQuotes[q].open)
	end, stop := l.scan(q)
	switch stop {
	case stopClose:
		l.add(groovyText, q, start, end+len(groovyQuotes[q].close))
		l.operand = true
	case stopNone:
		if q == quoteSlash || q == quoteDollar {
			// No text: a division, or the end of a path that was not quoted.
			l.failed++
			l.noClose[q] = true
			l.add(groovyOperator, 0, start, start+1)
			l.operand = false
			return
		}
		l.problem(start, end, "a text without an end")
		l.add(groovyText, q, start, end)
		l.operand = true
	default:
		if l.slashFails(q, end) {
			l.add(groovyOperator, 0, start, start+1)
			l.operand = false
			return
		}
		open := len(l.tokens)
		l.add(groovyOpen, q, start, start+len(groovyQuotes[q].open))
		l.pieces(q, open)
	}
}

// argument reports whether the slash at l.pos, behind a word, begins a text that is
// the word's argument: branch /release.*/
func (l *groovyLexer) argument() bool {
	n := len(l.tokens)
	if n == 0 || l.tokens[n-1].kind != groovyIdent || int(l.tokens[n-1].end) == l.pos || l.pos+1 >= len(l.src) {
		return false
	}
	if c := l.src[l.pos+1]; c == ' ' || c == '\t' || c == '/' {
		return false
	}
	for i := l.pos + 1; i < min(len(l.src), l.pos+256) && l.src[i] != '\n'; i++ {
		if l.src[i] == '\\' {
			i++
		} else if l.src[i] == '/' {
			return true
		}
	}
	return false
}

// slashFails reports whether a slash with an expression behind it begins no text:
// no slash follows at all.
func (l *groovyLexer) slashFails(q groovyQuote, from int) bool {
	if q != quoteSlash && q != quoteDollar || indexFrom(l.src, from, groovyQuotes[q].close) >= 0 {
		return false
	}
	l.noClose[q] = true
	return true
}

type groovyStop uint8

const (
	stopNone   groovyStop = iota // the file or, in a text of one line, the line ends
	stopClose                    // the closing quotes
	stopEnter                    // ${
	stopDollar                   // $name
)

// scan returns the offset at which the text that l.pos stands in stops, without
// moving on.
func (l *groovyLexer) scan(q groovyQuote) (int, groovyStop) {
	closing := groovyQuotes[q].close
	src := l.src
	for i := l.pos; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\\' && q != quoteDollar:
			if q == quoteSlash && (i+1 >= len(src) || src[i+1] != '/') {
				continue
			}
			i++
			if i < len(src) && src[i] == '\r' && i+1 < len(src) && src[i+1] == '\n' {
				i++
			}
		case (c == '\n' || c == '\r') && (q == quoteSingle || q == quoteDouble):
			return i, stopNone
		case c == closing[0] && strings.HasPrefix(src[i:], closing):
			return i, stopClose
		case c == '$' && q.interpolates():
			if q == quoteDollar && i+1 < len(src) && (src[i+1] == '$' || src[i+1] == '/') {
				i++
				continue
			}
			if i+1 >= len(src) || len(l.nest) >= groovyMaxNest {
				continue
			}
			if src[i+1] == '{' {
				return i, stopEnter
			}
			if groovyNameStart(src[i+1:]) {
				return i, stopDollar
			}
		}
	}
	return len(src), stopNone
}

func groovyNameStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || r != utf8.RuneError && unicode.IsLetter(r)
}

// pieces reads a text on from l.pos, up to its end or into its next expression.
func (l *groovyLexer) pieces(q groovyQuote, open int) {
	// The nesting of this text does not count while its own pieces are read.
	inside := len(l.nest) > 0 && l.nest[len(l.nest)-1].open == open
	if inside {
		l.nest = l.nest[:len(l.nest)-1]
	}
	for {
		start := l.pos
		end, stop := l.scan(q)
		if end > start {
			l.add(groovyPiece, q, start, end)
		}
		switch stop {
		case stopClose:
			l.add(groovyClose, q, end, end+len(groovyQuotes[q].close))
			l.operand = true
			return
		case stopEnter:
			l.add(groovyEnter, q, end, end+2)
			l.nest = append(l.nest, groovyNest{quote: q, open: open})
			l.operand = false
			return
		case stopDollar:
			i := end + 1
			for {
				for i < len(l.src) && groovyWordByte(l.src[i]) && l.src[i] != '$' {
					i++
				}
				if i+1 >= len(l.src) || l.src[i] != '.' || !groovyNameStart(l.src[i+1:]) {
					break
				}
				i++
			}
			l.add(groovyDollar, q, end, i)
		default:
			l.problem(int(l.tokens[open].start), end, "a text without an end")
			l.add(groovyClose, q, end, end)
			l.operand = true
			return
		}
		if len(l.tokens) >= groovyMaxTokens {
			l.add(groovyClose, q, l.pos, l.pos)
			return
		}
	}
}

// decodeGroovy appends the text that the bytes [start, end) of a text in quotes stand
// for, and their map.
func decodeGroovy(out []byte, m *syntax.TextMap, src string, q groovyQuote, start, end int) []byte {
	plain := start
	flush := func(to int) {
		if to > plain {
			out = append(out, src[plain:to]...)
			m.Add(to-plain, plain, to)
		}
	}
	for i := start; i < end; {
		n, text := groovyEscape(src[i:end], q)
		if n == 0 {
			i++
			continue
		}
		flush(i)
		if len(text) > 0 {
			out = append(out, text...)
			m.Add(len(text), i, i+n)
		}
		i += n
		plain = i
	}
	flush(end)
	return out
}

// groovyEscape returns the length of the escape that b begins with, 0 if it begins
// with none, and what it stands for.
func groovyEscape(b string, q groovyQuote) (int, string) {
	if q == quoteDollar {
		if len(b) > 1 && b[0] == '$' && (b[1] == '$' || b[1] == '/') {
			return 2, b[1:2]
		}
		return 0, ""
	}
	if b[0] != '\\' || len(b) < 2 {
		return 0, ""
	}
	if q == quoteSlash {
		if b[1] == '/' {
			return 2, "/"
		}
		return 0, ""
	}
	switch c := b[1]; c {
	case 'n':
		return 2, "\n"
	case 't':
		return 2, "\t"
	case 'r':
		return 2, "\r"
	case 'b':
		return 2, "\b"
	case 'f':
		return 2, "\f"
	case '\\', '\'', '"', '$':
		return 2, b[1:2]
	case '\n':
		return 2, ""
	case '\r':
		if len(b) > 2 && b[2] == '\n' {
			return 3, ""
		}
		return 2, ""
	case 'u':
		i := 1
		for i < len(b) && b[i] == 'u' && i < 8 {
			i++
		}
		if i+4 > len(b) {
			return 0, ""
		}
		r := rune(0)
		for _, c := range []byte(b[i : i+4]) {
			d := strings.IndexByte("0123456789abcdef", c|0x20)
			if d < 0 {
				return 0, ""
			}
			r = r<<4 | rune(d)
		}
		return i + 4, string(r)
	default:
		if c < '0' || c > '7' {
			return 0, "" // no valid escape: kept as it is
		}
		i, r := 1, rune(0)
		for i < len(b) && i < 4 && b[i] >= '0' && b[i] <= '7' && r*8+rune(b[i]-'0') < 256 {
			r = r*8 + rune(b[i]-'0')
			i++
		}
		return i, string(r)
	}
}
