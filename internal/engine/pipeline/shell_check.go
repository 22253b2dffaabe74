package pipeline

import (
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A check is what a condition says of a variable: where it holds, the value has
// only harmless characters. One that works line by line says nothing of a value
// of several lines.
type shCheck struct {
	name       string
	perLine    bool
	start, end int
}

func shSorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func (r *shRun) refineAll(cond []*syntax.Stmt, truth bool) {
	if n := len(cond); n > 0 {
		r.refine(cond[n-1], truth)
	}
}

func (r *shRun) refine(s *syntax.Stmt, truth bool) {
	for _, c := range r.checks(s, truth, 0) {
		r.refineVar(c.name, c.start, c.end, c.perLine)
	}
}

func (r *shRun) refineVar(name string, start, end int, perLine bool) {
	v, ok := r.st.vars.m[name]
	if !ok {
		v.v = r.env(name, start, end)
	}
	l := shLabels(v.v)
	if l&ShellUntrusted == 0 || perLine && l&ShellNewline != 0 {
		return
	}
	v.v = r.checked(v.v, start, end, "is checked against a pattern")
	if l&(ShellUntrusted|ShellChecked) != 0 && len(v.v) > 0 && v.v[0].text != "" {
		v.v = slices.Clone(v.v)
		v.v[0].text = ""
	}
	shSet(r, &r.st.vars, name, v)
}

// checks lists what is known of variables where a condition has the given truth.
func (r *shRun) checks(s *syntax.Stmt, truth bool, depth int) []shCheck {
	if s == nil || depth > 20 || !r.step() {
		return nil
	}
	if s.Negated {
		truth = !truth
	}
	switch c := s.Cmd.(type) {
	case *syntax.BinaryCmd:
		if c.Op == syntax.Pipe {
			return r.pipeCheck(c, truth)
		}
		return shCombine(r.checks(c.X, truth, depth+1), r.checks(c.Y, truth, depth+1), (c.Op == syntax.AndStmt) == truth)
	case *syntax.Block:
		if len(c.Stmts) == 1 {
			return r.checks(c.Stmts[0], truth, depth+1)
		}
	case *syntax.Subshell:
		if len(c.Stmts) == 1 {
			return r.checks(c.Stmts[0], truth, depth+1)
		}
	case *syntax.TestClause:
		return r.testChecks(c.X, truth, depth+1)
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return nil
		}
		switch name := c.Args[0].Lit(); name {
		case "[", "test":
			return r.bracketCheck(c, truth)
		case "grep", "egrep":
			for _, rd := range s.Redirs {
				if rd.Op == syntax.WordHdoc {
					if v := shSingleVar(rd.Word); v != "" && truth && r.safeGrep(c.Args) {
						a, b := r.span(c)
						return []shCheck{{v, true, a, b}}
					}
				}
			}
		}
	}
	return nil
}

// shCombine joins what two conditions say: both hold, or only one of them.
func shCombine(a, b []shCheck, both bool) []shCheck {
	if both {
		return append(a, b...)
	}
	var out []shCheck
	for _, x := range a {
		for _, y := range b {
			if x.name == y.name {
				x.perLine = x.perLine || y.perLine
				out = append(out, x)
				break
			}
		}
	}
	return out
}

func (r *shRun) testChecks(x syntax.TestExpr, truth bool, depth int) []shCheck {
	if depth > 30 || !r.step() {
		return nil
	}
	switch x := x.(type) {
	case *syntax.ParenTest:
		return r.testChecks(x.X, truth, depth+1)
	case *syntax.UnaryTest:
		switch x.Op {
		case syntax.TsNot:
			return r.testChecks(x.X, !truth, depth+1)
		case syntax.TsEmpStr, syntax.TsNempStr:
			if w, ok := x.X.(*syntax.Word); ok && truth == (x.Op == syntax.TsEmpStr) {
				return r.oneCheck(w)
			}
		}
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.AndTest:
			return shCombine(r.testChecks(x.X, truth, depth+1), r.testChecks(x.Y, truth, depth+1), truth)
		case syntax.OrTest:
			return shCombine(r.testChecks(x.X, truth, depth+1), r.testChecks(x.Y, truth, depth+1), !truth)
		}
		w, ok := x.X.(*syntax.Word)
		y, ok2 := x.Y.(*syntax.Word)
		if !ok || !ok2 {
			return nil
		}
		switch x.Op {
		case syntax.TsReMatch:
			if t, ok := shText(r.pattern(y)); ok && truth && shSafeRegex(t, true) {
				return r.oneCheck(w)
			}
		case syntax.TsMatch, syntax.TsMatchShort:
			t, ok := shText(r.pattern(y))
			if ok && truth && shSafeGlob(t) || ok && !truth && shRejectGlob(t) {
				return r.oneCheck(w)
			}
		case syntax.TsNoMatch:
			t, ok := shText(r.pattern(y))
			if ok && !truth && shSafeGlob(t) || ok && truth && shRejectGlob(t) {
				return r.oneCheck(w)
			}
		}
	}
	return nil
}

// pattern is the text of a pattern with the backslashes that belong to it.
func (r *shRun) pattern(w *syntax.Word) shVal {
	if l := w.Lit(); l != "" {
		a, b := r.span(w)
		if lo, hi := r.exprsIn(a, b); lo == hi {
			return shLit(l, a, b)
		}
	}
	var out shVal
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			a, b := r.span(l)
			if lo, hi := r.exprsIn(a, b); lo == hi {
				out = shCat(out, shLit(l.Value, a, b))
				continue
			}
		}
		out = shCat(out, r.part(p, ContextBare))
	}
	return out
}

func (r *shRun) oneCheck(w *syntax.Word) []shCheck {
	if name := shSingleVar(w); name != "" {
		a, b := r.span(w)
		return []shCheck{{name, false, a, b}}
	}
	return nil
}

// bracketCheck is [ "$x" = literal ].
func (r *shRun) bracketCheck(c *syntax.CallExpr, truth bool) []shCheck {
	args := c.Args[1:]
	if n := len(args); n > 0 && args[n-1].Lit() == "]" {
		args = args[:n-1]
	}
	for len(args) > 0 && args[0].Lit() == "!" {
		truth = !truth
		args = args[1:]
	}
	if len(args) == 2 {
		if op := args[0].Lit(); op == "-z" && truth || op == "-n" && !truth {
			return r.oneCheck(args[1])
		}
		return nil
	}
	if len(args) != 3 {
		return nil
	}
	op := args[1].Lit()
	eq := op == "=" || op == "=="
	if !eq && op != "!=" || eq != truth {
		return nil
	}
	for i, w := range []*syntax.Word{args[0], args[2]} {
		other := args[2-2*i]
		if shSingleVar(w) == "" {
			continue
		}
		if t, ok := shText(r.word(other)); ok && shSafeText(t) {
			return r.oneCheck(w)
		}
	}
	return nil
}

// pipeCheck is echo "$x" | grep -q pattern.
func (r *shRun) pipeCheck(c *syntax.BinaryCmd, truth bool) []shCheck {
	x, ok := c.X.Cmd.(*syntax.CallExpr)
	y, ok2 := c.Y.Cmd.(*syntax.CallExpr)
	if !ok || !ok2 || len(x.Args) < 2 || len(y.Args) < 2 || !truth {
		return nil
	}
	if n := x.Args[0].Lit(); n != "echo" && n != "printf" {
		return nil
	}
	name := shSingleVar(x.Args[len(x.Args)-1])
	if g := y.Args[0].Lit(); name == "" || g != "grep" && g != "egrep" || !r.safeGrep(y.Args) {
		return nil
	}
	a, b := r.at(y.Args[0].Pos()), r.at(y.Args[len(y.Args)-1].End())
	return []shCheck{{name, true, a, b}}
}

// safeGrep reports whether grep's pattern lets only harmless lines through.
func (r *shRun) safeGrep(args []*syntax.Word) bool {
	whole := false
	for _, w := range args[1:] {
		t, ok := shText(r.word(w))
		if !ok {
			return false
		}
		if strings.HasPrefix(t, "-") && len(t) > 1 {
			if t == "-v" || t == "--invert-match" || !strings.HasPrefix(t, "--") && strings.Contains(t, "v") {
				return false
			}
			whole = whole || t == "--line-regexp" || !strings.HasPrefix(t, "--") && strings.Contains(t, "x")
			continue
		}
		return shSafeRegex(t, !whole)
	}
	return false
}

// shSingleVar is the name of the variable that a word consists of, quoted or not.
func shSingleVar(w *syntax.Word) string {
	if w == nil || len(w.Parts) != 1 {
		return ""
	}
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part = q.Parts[0]
	}
	p, ok := part.(*syntax.ParamExp)
	if !ok || p.Param == nil || p.Excl || p.Length || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 {
		return ""
	}
	if p.Exp != nil && p.Exp.Op != syntax.DefaultUnset && p.Exp.Op != syntax.DefaultUnsetOrNull {
		return ""
	}
	return p.Param.Value
}

// Harmless characters: letters, digits and what versions, names and paths need. No
// blank, quote, equals sign or line break, and nothing that a shell reads as its own.
func shSafeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/:@+,~#%^", c) >= 0
}

func shSafeText(s string) bool {
	for i := 0; i < len(s); i++ {
		if !shSafeByte(s[i]) && s[i] != ' ' {
			return false
		}
	}
	return true
}

// shSafeRegex reports whether all that matches an extended regular expression is
// harmless. It must be anchored at both ends, unless only the match is kept.
func shSafeRegex(p string, anchored bool) bool {
	if anchored {
		if !strings.HasPrefix(p, "^") || !strings.HasSuffix(p, "$") || strings.HasSuffix(p, `\$`) {
			return false
		}
		// ^a|b$ anchors each side once only.
		depth := 0
		for i := 0; i < len(p); i++ {
			switch p[i] {
			case '\\':
				i++
			case '(':
				depth++
			case ')':
				depth--
			case '|':
				if depth == 0 {
					return false
				}
			}
		}
	}
	p = strings.TrimSuffix(strings.TrimPrefix(p, "^"), "$")
	if p == "" {
		return anchored
	}
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\' && i+1 < len(p):
			i++
			switch e := p[i]; {
			case e == 'd' || e == 'w' || e == 'b':
			case e >= 'a' && e <= 'z' || e >= 'A' && e <= 'Z':
				return false
			case strings.IndexByte("(){}|?+", e) >= 0: // operators of basic expressions
			case !shSafeByte(e):
				return false
			}
		case c == '[':
			end, ok := shSafeClass(p[i:])
			if !ok {
				return false
			}
			i += end - 1
		case c == '.':
			return false
		case c == '{':
			if j := strings.IndexByte(p[i:], '}'); j > 0 {
				i += j
			}
		case strings.IndexByte("()|?*+$^:", c) >= 0:
		case !shSafeByte(c):
			return false
		}
	}
	return true
}

// shSafeClass reads a bracket expression at the start of p: its length, and whether
// it holds harmless characters only.
func shSafeClass(p string) (int, bool) {
	if len(p) < 2 || p[0] != '[' || p[1] == '^' || p[1] == '!' {
		return 0, false
	}
	for i := 1; i < len(p); i++ {
		switch c := p[i]; {
		case c == ']' && i > 1:
			return i + 1, true
		case c == '[' && i+1 < len(p) && p[i+1] == ':':
			j := strings.Index(p[i:], ":]")
			if j < 0 {
				return 0, false
			}
			switch p[i+2 : max(i+2, i+j)] {
			case "alnum", "alpha", "digit", "lower", "upper", "xdigit":
			default:
				return 0, false
			}
			i += j + 1
		case c == '\\' && i+1 < len(p):
			i++
			if p[i] != 'd' && p[i] != 'w' && !shSafeByte(p[i]) {
				return 0, false
			}
		case c == '-' && i > 1 && i+1 < len(p) && p[i+1] != ']':
			// A range must stay among letters or among digits.
			a, b := p[i-1], p[i+1]
			if shKind(a) == 0 || shKind(a) != shKind(b) {
				return 0, false
			}
		case !shSafeByte(c):
			return 0, false
		}
	}
	return 0, false
}

func shKind(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return 1
	case c >= 'A' && c <= 'Z':
		return 2
	case c >= '0' && c <= '9':
		return 3
	}
	return 0
}

// shSafeGlob reports whether all that matches a shell pattern is harmless.
func shSafeGlob(p string) bool {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '[':
			end, ok := shSafeClass(p[i:])
			if !ok {
				return false
			}
			i += end - 1
		case c == '\\', c == ' ':
		case !shSafeByte(c):
			return false
		}
	}
	return true
}

// shRejectClass reports whether p is a class of all harmful characters: [^a-z].
func shRejectClass(p string) bool {
	p = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(p, "+("), ")"), "+")
	p = strings.TrimSuffix(p, `\`)
	if len(p) < 4 || p[0] != '[' || p[1] != '^' && p[1] != '!' {
		return false
	}
	n, ok := shSafeClass("[" + p[2:])
	return ok && n == len(p)-1
}

// shRejectGlob reports whether what does not match p is harmless: *[!a-z]*.
func shRejectGlob(p string) bool {
	q, ok := strings.CutPrefix(p, "*")
	q, ok2 := strings.CutSuffix(q, "*")
	return ok && ok2 && shRejectClass(q)
}

var (
	// jqPlain is the last part of a program of jq that gives numbers, truths or texts which
	// the program itself says.
	jqPlain = regexp.MustCompile(`^(?:length|not|tonumber|type|floor|round|any|all|(?:any|all|has|test|contains|inside|startswith|endswith|index)\([^()]*(?:\([^()]*\))?[^()]*\)|` + jqSaid + `)$`)
	// jqChoice is a choice between such texts.
	jqChoice = regexp.MustCompile(`^if\s[^;]*?\sthen\s+` + jqSaid + `(?:\s+elif\s[^;]*?\sthen\s+` + jqSaid + `)*\s+else\s+` + jqSaid + `\s+end$`)
	// jqCompares is a comparison of a field with a text or a number.
	jqCompares = regexp.MustCompile(`^[\w.\[\]?]+\s*(?:==|!=|<=?|>=?)\s*` + jqSaid + `(?:\s+(?:and|or)\s+[\w.\[\]?]+\s*(?:==|!=|<=?|>=?)\s*` + jqSaid + `)*$`)
)

// jqSaid is a number, a truth or a text without a program in it.
const jqSaid = `(?:-?\d+(?:\.\d+)?|true|false|null|empty|"[^"\\]*")`

// shJQPlain reports whether a program of jq gives nothing of the texts that it reads:
// numbers, truths, or texts of its own.
func shJQPlain(filter string) bool {
	if len(filter) > 2000 || strings.Contains(filter, "\x00") {
		return false
	}
	last, depth, quoted := 0, 0, false
	word := func(i int, w string) bool {
		return strings.HasPrefix(filter[i:], w) && (i == 0 || !shellWordByte(filter[i-1])) && (i+len(w) == len(filter) || !shellWordByte(filter[i+len(w)]))
	}
	for i := 0; i < len(filter); i++ {
		c := filter[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[' || c == '{' || word(i, "if") || word(i, "def") || word(i, "reduce") || word(i, "foreach") || word(i, "try"):
			depth++
		case c == ')' || c == ']' || c == '}' || word(i, "end"):
			depth--
		case c == '|' && depth == 0:
			if strings.HasPrefix(filter[i:], "|=") {
				return false
			}
			last = i + 1
		case (c == ',' || c == ';' || strings.HasPrefix(filter[i:], "//")) && depth == 0:
			return false // several results, or another in place of one
		}
	}
	part := strings.TrimSpace(filter[last:])
	return jqPlain.MatchString(part) || jqChoice.MatchString(part) || jqCompares.MatchString(part)
}
