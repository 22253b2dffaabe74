package pipeline

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"penstock"
)

const (
	shMaxPieces = 200  // of one text; more are joined into one
	shMaxStored = 24   // pieces of a variable
	shMaxText   = 8192 // bytes of one literal piece
	shMaxDepth  = 400  // nested nodes
	shMaxFrames = 4000 // of the parser's stack
	shMaxTrace  = 20   // steps of one trace
	shMaxCalls  = 6    // nested calls of functions
	shMaxNested = 3    // scripts in scripts
)

// shRun analyses one script. It is an abstract interpreter: it follows each
// statement once (loops twice), both sides of each branch, and joins what they
// leave behind.
type shRun struct {
	in    *ShellInput
	raw   string // as given
	src   string // masked
	res   *ShellResult
	base  int // offset in src of the piece that is read now
	posix bool

	st    *shState
	funcs map[string]*shFunc
	facts map[shFactKey]bool
	reads map[string]bool

	steps  int
	depth  int
	calls  int
	nested int
	loops  int
	// log is true where the standard output is the step's log.
	log bool
	// stderr is true where it is the standard error.
	stderr  bool
	maybe   bool    // the place may not be reached
	uses    int     // secrets reported under set -x
	sourced bool    // another script was
	argv    []shArg // of the script that is run
}

type shFunc struct {
	body   *syntax.Stmt
	base   int
	called bool
}

type shFactKey struct {
	kind       ShellKind
	start, end int64
	sink, name string
	command    string
}

// shTrail is a trace, last step first, shared between the texts that have it.
type shTrail struct {
	prev       *shTrail
	start, end int
	text       string
	n          int
}

// shPiece is a part of a text: a literal, or something that only running the
// script would tell.
type shPiece struct {
	// text is the literal; for an opaque piece its symbol ("$NAME") or empty.
	text   string
	opaque bool
	// bare: an expansion without quotes, which is split into words.
	bare  bool
	l     ShellLabels
	t     *shTrail
	name  string // of the variable, the expression or the address it came from
	via   string // the variable that it was taken from last
	fit   string // what holds of each of its lines, as fitWith writes it
	start int    // the place where it was used last
	end   int
}

type shVal []shPiece

type shVar struct {
	v     shVal
	assoc bool
	// elems are the elements of an array where each is known, nil otherwise.
	elems []shVal
}

// shMaxElems bounds the elements of an array that are known one by one.
const shMaxElems = 64

// shCow is a map that is copied when a branch writes to it.
type shCow[V any] struct {
	m      map[string]V
	shared bool
}

type shState struct {
	vars  *shCow[shVar]
	files *shCow[shVal]
	// cwd is relative to the workspace; it begins with / or $ outside it.
	cwd string
	ws  ShellSource
	wst *shTrail
	// fetched names the local refs that hold a stranger's commits.
	fetched map[string]bool
	// trace is where set -x was said, -1 for nowhere.
	trace    int
	verified bool
	masked   map[string]bool
	// positional are the arguments, nil where they are unknown.
	positional []shVal
	// open are entries that the script has begun in a file for later steps and not ended.
	open []shEntryOpen
	// dead: control does not come out of here.
	dead bool
}

func shSet[V any](r *shRun, c **shCow[V], k string, v V) {
	if (*c).shared {
		r.steps += len((*c).m) / 8
		*c = &shCow[V]{m: maps.Clone((*c).m)}
	}
	if (*c).m == nil {
		(*c).m = map[string]V{}
	}
	(*c).m[k] = v
}

// fork returns a copy of the state; both share what neither has written.
func (r *shRun) fork() *shState {
	s := r.st
	s.vars.shared, s.files.shared = true, true
	c := *s
	return &c
}

// join makes r.st hold what is true after either of two branches.
func (r *shRun) join(a, b *shState) {
	switch {
	case a.dead && !b.dead:
		r.st = b
		r.joinGlobal(b, a)
		return
	case b.dead && !a.dead:
		r.st = a
		r.joinGlobal(a, b)
		return
	}
	r.st = a
	if a.vars != b.vars {
		for k, v := range b.vars.m { // the order makes no difference: keys are independent
			w, ok := a.vars.m[k]
			if !ok {
				w = shVar{v: r.env(k, 0, 0), assoc: v.assoc}
			}
			r.steps++
			if _, given := r.in.Vars[k]; !ok && !given && v.elems != nil {
				w.elems = []shVal{} // not set, which is an array without elements
			}
			if !shSame(w.v, v.v) {
				shSet(r, &r.st.vars, k, shVar{v: shEither(w.v, v.v), assoc: w.assoc || v.assoc, elems: shJoinElems(w.elems, v.elems)})
			} else if ok && (w.elems != nil || v.elems != nil) {
				shSet(r, &r.st.vars, k, shVar{v: w.v, assoc: w.assoc || v.assoc, elems: shJoinElems(w.elems, v.elems)})
			} else if !ok {
				shSet(r, &r.st.vars, k, v)
			}
		}
		for k, w := range a.vars.m {
			if _, ok := b.vars.m[k]; !ok {
				r.steps++
				if e := r.env(k, 0, 0); !shSame(w.v, e) {
					either := shVar{v: shEither(w.v, e), assoc: w.assoc}
					if _, given := r.in.Vars[k]; !given {
						either.elems = w.elems
					}
					shSet(r, &r.st.vars, k, either)
				}
			}
		}
	}
	if a.files != b.files {
		for k, v := range b.files.m {
			r.steps++
			if w, ok := a.files.m[k]; !ok {
				shSet(r, &r.st.files, k, v)
			} else if !shSame(w, v) {
				shSet(r, &r.st.files, k, shEither(w, v))
			}
		}
	}
	if a.cwd != b.cwd {
		r.st.cwd = a.cwd
	}
	if len(b.positional) < len(a.positional) {
		r.st.positional = b.positional // further on, as a loop over the arguments is
	}
	r.joinGlobal(r.st, b)
	r.st.open = shJoinOpen(a.open, b.open)
	r.st.verified = a.verified && b.verified
	r.st.dead = a.dead && b.dead
}

// joinGlobal keeps what the other branch did to the workspace: such a branch ran in
// some run of the script, even if it then ended.
func (r *shRun) joinGlobal(s, o *shState) {
	if o.dead {
		return
	}
	if s.ws.Labels&ShellUntrusted == 0 && o.ws.Labels != 0 {
		s.ws, s.wst = o.ws, o.wst
	}
	if len(o.fetched) > len(s.fetched) {
		s.fetched = o.fetched
	}
	if s.trace < 0 {
		s.trace = o.trace
	}
}

func shSame(a, b shVal) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].text != b[i].text || a[i].opaque != b[i].opaque || a[i].l != b[i].l || a[i].fit != b[i].fit {
			return false
		}
	}
	return true
}

// shEither is a text that is one of two.
func shEither(a, b shVal) shVal {
	p := shCollapse(a)
	q := shCollapse(b)
	if len(p) == 0 && len(q) == 0 {
		return nil
	}
	one := shPiece{opaque: true}
	for _, v := range []shVal{p, q} {
		if len(v) == 0 {
			continue
		}
		if one.t == nil || one.l&(ShellUntrusted|ShellSecret) == 0 && v[0].l&(ShellUntrusted|ShellSecret) != 0 {
			if v[0].t != nil {
				one.t, one.name = v[0].t, v[0].name
			}
		}
		one.l |= v[0].l
	}
	// A path that may be a channel is taken for one.
	for _, v := range []shVal{a, b} {
		if len(v) == 1 && shChannelOf(v[0].text) != "" && one.l == 0 {
			one.text = v[0].text
		}
	}
	return shVal{one}
}

// shCollapse makes one opaque piece of a text; nil of an empty one. Literals have
// no labels, so a text of literals is opaque without labels.
func shCollapse(v shVal) shVal {
	if len(v) == 0 {
		return nil
	}
	if len(v) == 1 && v[0].opaque && v[0].text == "" {
		return v
	}
	one := shPiece{opaque: true, start: v[0].start, end: v[len(v)-1].end}
	const rank = ShellUntrusted | ShellSecret
	for i := range v {
		p := &v[i]
		if p.t != nil && (one.t == nil || one.l&rank == 0 && p.l&rank != 0) {
			one.t, one.name = p.t, p.name
		}
		one.l |= p.l
		one.bare = one.bare || p.bare
	}
	return shVal{one}
}

func shLabels(v shVal) ShellLabels {
	var l ShellLabels
	for i := range v {
		l |= v[i].l
	}
	return l
}

// shWith returns the first piece that has one of the labels.
func shWith(v shVal, l ShellLabels) *shPiece {
	for i := range v {
		if v[i].l&l != 0 {
			return &v[i]
		}
	}
	return nil
}

func shText(v shVal) (string, bool) {
	if len(v) == 1 {
		return v[0].text, !v[0].opaque
	}
	var b strings.Builder
	for i := range v {
		if v[i].opaque {
			return "", false
		}
		b.WriteString(v[i].text)
	}
	return b.String(), true
}

// shSymbol writes a text with symbols for what is not known, NUL for what has none.
func shSymbol(v shVal) string {
	if len(v) == 1 && v[0].text != "" {
		return v[0].text
	}
	var b strings.Builder
	for i := range v {
		if v[i].text == "" && v[i].opaque {
			b.WriteByte(0)
		} else {
			b.WriteString(v[i].text)
		}
	}
	return b.String()
}

func shLit(s string, start, end int) shVal {
	if len(s) > shMaxText {
		s = s[:shMaxText]
	}
	return shVal{{text: s, start: start, end: end}}
}

func shCat(a, b shVal) shVal {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	case len(a)+len(b) > shMaxPieces:
		a, b = shCollapse(a), shCollapse(b)
	}
	out := make(shVal, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

// shAdd is shCat for a text that is built piece by piece: a is changed.
func shAdd(a, b shVal) shVal {
	if len(a) == 0 {
		return b[:len(b):len(b)] // b is shared: the next piece must not write behind it
	}
	if len(a)+len(b) > shMaxPieces {
		a, b = shCollapse(a), shCollapse(b)
		a = a[:len(a):len(a)]
	}
	return append(a, b...)
}

// shDrop takes labels away from a text, and says why in the trace.
func (r *shRun) shDrop(v shVal, drop, add ShellLabels, start, end int, why string) shVal {
	if shLabels(v)&drop == 0 {
		return v
	}
	out := make(shVal, len(v))
	for i, p := range v {
		if p.l&drop != 0 {
			p.l = p.l&^drop | add
			if why != "" {
				p.t = r.trail(p.t, start, end, why)
			}
		}
		out[i] = p
	}
	return out
}

const shHarm = ShellUntrusted | ShellNewline | ShellBlank

func (r *shRun) checked(v shVal, start, end int, why string) shVal {
	return r.shDrop(v, shHarm, ShellChecked, start, end, why)
}

func (r *shRun) trail(t *shTrail, start, end int, text string) *shTrail {
	n := 1
	if t != nil {
		if t.n >= shMaxTrace || t.start == start && t.end == end && t.text == text {
			return t
		}
		n = t.n + 1
	}
	return &shTrail{prev: t, start: start, end: end, text: text, n: n}
}

// moved adds a step to each labelled piece of a text.
func (r *shRun) moved(v shVal, start, end int, text string) shVal {
	any := false
	for i := range v {
		any = any || v[i].l != 0
	}
	if !any {
		return v
	}
	out := make(shVal, len(v))
	copy(out, v)
	for i := range out {
		if out[i].l != 0 {
			out[i].t = r.trail(out[i].t, start, end, text)
		}
	}
	return out
}

func shTrace(t *shTrail) []ShellStep {
	if t == nil {
		return nil
	}
	out := make([]ShellStep, t.n)
	for i := t.n - 1; t != nil && i >= 0; i, t = i-1, t.prev {
		out[i] = ShellStep{Span: penstock.Span{Start: int64(t.start), End: int64(t.end)}, Text: t.text}
	}
	return out
}

func (r *shRun) fact(f ShellFact) {
	if f.Start < 0 || f.End > int64(len(r.raw)) || f.End < f.Start {
		f.Start, f.End = 0, 0
	}
	k := shFactKey{f.Kind, f.Start, f.End, f.Sink, f.Name, f.Command}
	if r.facts[k] {
		return
	}
	if len(r.res.Facts) >= shellMaxFacts {
		r.res.Truncated = true
		return
	}
	if r.facts == nil {
		r.facts = map[shFactKey]bool{}
	}
	r.facts[k] = true
	f.Maybe = f.Maybe || r.maybe
	r.res.Facts = append(r.res.Facts, f)
}

func shSpan(start, end int) penstock.Span {
	return penstock.Span{Start: int64(start), End: int64(end)}
}

// step counts work; false means stop.
func (r *shRun) step() bool {
	r.steps++
	if r.steps > r.in.Steps {
		r.res.Truncated = true
		return false
	}
	return true
}

func (r *shRun) enter() bool {
	if !r.step() {
		return false
	}
	if r.depth >= shMaxDepth {
		r.res.Truncated = true
		return false
	}
	r.depth++
	return true
}

func (r *shRun) at(p syntax.Pos) int { return r.base + int(p.Offset()) }

func (r *shRun) span(n syntax.Node) (int, int) { return r.at(n.Pos()), r.at(n.End()) }

// shReader hands a script to the parser, which recurses without a bound of its
// own. Each read looks how deep the parser's stack is; between two reads lies one
// kilobyte, so the stack stays small whatever the script nests.
type shReader struct {
	s     string
	base  int // frames below the parser; negative: short enough not to look
	first bool
}

var errShellDeep = errors.New("nested too deeply")

func (r *shReader) Read(p []byte) (int, error) {
	if len(r.s) == 0 {
		return 0, io.EOF
	}
	if r.base >= 0 && r.first {
		var pc [1]uintptr
		if runtime.Callers(r.base+shMaxFrames, pc[:]) > 0 {
			return 0, errShellDeep
		}
	}
	r.first = true
	n := copy(p, r.s)
	r.s = r.s[n:]
	return n, nil
}

// parse reads a piece of script. A parser that panics is one that cannot read it.
func (r *shRun) parse(src string) (file *syntax.File, err error) {
	defer func() {
		if e := recover(); e != nil {
			file, err = nil, fmt.Errorf("parse: %v", e)
		}
	}()
	if len(src) > shellMaxScript {
		return nil, errors.New("too long")
	}
	rd := &shReader{s: src, base: -1}
	if len(src) > 1024 {
		var pcs [1024]uintptr
		rd.base = runtime.Callers(0, pcs[:])
	}
	lang := syntax.LangBash
	file, err = syntax.NewParser(syntax.Variant(lang), syntax.KeepComments(false)).Parse(rd, "")
	if err != nil && r.posix && !errors.Is(err, errShellDeep) {
		rd.s, rd.first = src, false
		file, err = syntax.NewParser(syntax.Variant(syntax.LangPOSIX), syntax.KeepComments(false)).Parse(rd, "")
	}
	return file, err
}

// begin makes the state that a script starts with.
func (r *shRun) begin() {
	r.st = &shState{vars: &shCow[shVar]{}, files: &shCow[shVal]{}, cwd: r.in.Dir, ws: r.in.Workspace, trace: -1}
	if r.st.ws.Labels&(ShellUntrusted|ShellWorkspace) != 0 {
		r.st.ws.Labels |= ShellUntrusted | ShellWorkspace
		r.st.wst = r.trail(nil, 0, 0, "the workspace holds "+shellName(r.st.ws, "untrusted code"))
	}
	if len(r.in.Args) > 0 {
		r.st.positional = r.given(r.in.Args)
	}
	for k, s := range r.in.Files {
		shSet(r, &r.st.files, k, shVal{{opaque: true, name: s.Text, l: s.Labels, t: r.trail(nil, 0, 0, "the file "+shPrint(k)+" holds a text of an outsider")}})
	}
	r.log = true
}

// given are arguments that the caller knows something of.
func (r *shRun) given(args []ShellSource) []shVal {
	out := make([]shVal, len(args))
	for i, s := range args {
		p := shPiece{opaque: true, name: s.Text, l: s.Labels}
		if s.Labels != 0 {
			p.t = r.trail(nil, 0, 0, s.Text+" is given")
		}
		out[i] = shVal{p}
	}
	return out
}

// script analyses the whole.
func (r *shRun) script() {
	r.begin()
	file, err := r.parse(r.src)
	if err == nil {
		r.res.Parsed = true
		r.stmts(file.Stmts, nil)
	} else {
		r.res.Problem = err.Error()
		r.lines()
	}
	for _, c := range r.in.Calls {
		if f := r.funcs[c.Name]; f != nil && !r.st.dead {
			args := []shArg{{v: shLit(c.Name, 0, 0)}}
			for _, v := range r.given(c.Args) {
				args = append(args, shArg{v: v})
			}
			r.function(f, args, nil)
		}
	}
	r.flush()
	r.rest()
	r.res.Untrusted = r.st.ws.Labels&ShellWorkspace != 0
	for k, v := range r.st.files.m {
		if l := shLabels(v); l&ShellUntrusted != 0 && len(k) < 200 && !strings.ContainsAny(k, ":\x00") && !strings.HasPrefix(k, "$GITHUB_") && !strings.HasPrefix(k, "/dev/") {
			if r.res.Files == nil {
				r.res.Files = make(map[string]ShellSource)
			}
			r.res.Files[k] = ShellSource{Labels: l, Text: shWith(v, ShellUntrusted).name}
		}
	}
}

// rest follows the functions that nothing called: a sourced file or a trap may.
func (r *shRun) rest() {
	for range 3 {
		any := false
		for _, name := range shSorted(r.funcs) {
			f := r.funcs[name]
			if f.called {
				continue
			}
			any, f.called = true, true
			saved, base, maybe := r.fork(), r.base, r.maybe
			r.base, r.maybe, r.st.positional = f.base, true, nil
			r.stmt(f.body, nil)
			r.flush()
			r.base, r.maybe = base, maybe
			r.st = saved
		}
		if !any {
			return
		}
	}
}

// lines analyses a script that does not parse, line by line: an expression may have
// hidden a part of its grammar, or it is not of this shell.
func (r *shRun) lines() {
	r.maybe = true
	if len(r.src) > shellMaxScript {
		r.res.Truncated = true
	}
	for start := 0; start < len(r.src) && !r.res.Truncated; {
		end := strings.IndexByte(r.src[start:], '\n')
		if end < 0 {
			end = len(r.src)
		} else {
			end += start
		}
		// A line that goes on is joined with the next.
		for n := 0; n < 50 && end < len(r.src) && end > start && r.src[end-1] == '\\'; n++ {
			next := strings.IndexByte(r.src[end+1:], '\n')
			if next < 0 {
				end = len(r.src)
			} else {
				end += 1 + next
			}
		}
		if !r.step() {
			return
		}
		line := r.src[start:end]
		if file, err := r.parse(line); err == nil {
			r.base = start
			r.stmts(file.Stmts, nil)
		} else if i := strings.IndexFunc(line, func(c rune) bool { return c != ' ' && c != '\t' }); i >= 0 {
			// A head such as "if x; then" without its end: what follows the keyword may parse.
			for _, kw := range []string{"then ", "do ", "else ", "if ", "elif ", "while ", "{ ", "("} {
				if rest, ok := strings.CutPrefix(line[i:], kw); ok {
					for _, tail := range []string{"; then", "; do", ";then", ";do", ")"} {
						rest = strings.TrimSuffix(rest, tail)
					}
					if file, err := r.parse(rest); err == nil {
						r.base = start + i + len(kw)
						r.stmts(file.Stmts, nil)
					}
					break
				}
			}
		}
		start = end + 1
	}
	r.base = 0
}

// stmts runs a list and returns what it writes to its standard output, unless that
// is the log.
func (r *shRun) stmts(list []*syntax.Stmt, stdin shVal) shVal {
	var out shVal
	for _, s := range list {
		out = shAdd(out, r.stmt(s, stdin))
	}
	return out
}

func (r *shRun) stmt(s *syntax.Stmt, stdin shVal) shVal {
	if s == nil || !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	type target struct {
		v          shVal
		append     bool
		start, end int
	}
	var targets []target
	logged, stderr := r.log, r.stderr
	toErr := false
	for _, rd := range s.Redirs {
		switch rd.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			stdin = r.heredoc(rd)
		case syntax.WordHdoc:
			stdin = r.word(rd.Word)
			a, b := r.span(rd.Word)
			stdin = shCat(stdin, shLit("\n", a, b))
		case syntax.RdrIn:
			v := r.word(rd.Word)
			a, b := r.span(rd.Word)
			stdin = r.readFile(v, a, b)
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
			v := r.word(rd.Word)
			if rd.N != nil && rd.N.Value != "1" {
				continue
			}
			a, b := r.span(rd.Word)
			targets = append(targets, target{v, rd.Op == syntax.AppOut || rd.Op == syntax.AppAll, a, b})
		case syntax.DplOut:
			if t, _ := shText(r.word(rd.Word)); t == "2" && (rd.N == nil || rd.N.Value == "1") {
				toErr = true
			}
		default:
			r.word(rd.Word)
		}
	}
	if len(targets) > 0 {
		r.log = false
	} else if toErr {
		r.log, r.stderr = true, true
	}
	out := r.command(s.Cmd, s, stdin)
	r.log, r.stderr = logged, stderr
	for i, t := range targets {
		v := out
		if i < len(targets)-1 {
			v = nil // only the last redirection gets the output
		}
		r.writeFile(t.v, v, t.append, r.at(s.Position), t.start, t.end, "")
	}
	if len(targets) > 0 || toErr {
		return nil
	}
	return out
}

func (r *shRun) heredoc(rd *syntax.Redirect) shVal {
	quoted := false
	for _, p := range rd.Word.Parts {
		switch p := p.(type) {
		case *syntax.SglQuoted, *syntax.DblQuoted:
			quoted = true
		case *syntax.Lit:
			quoted = quoted || strings.Contains(p.Value, `\`)
		}
	}
	r.word(rd.Word)
	if rd.Hdoc == nil {
		return nil
	}
	ctx := ContextHeredoc
	if quoted {
		ctx = ContextHeredocQuoted
	}
	var out shVal
	for _, p := range rd.Hdoc.Parts {
		out = shAdd(out, r.part(p, ctx))
	}
	if rd.Op == syntax.DashHdoc {
		for i := range out {
			if !out[i].opaque {
				out[i].text = strings.ReplaceAll(out[i].text, "\n\t", "\n")
			}
		}
	}
	return out
}

// subshell runs f and then forgets what it did to variables and the folder.
func (r *shRun) subshell(f func() shVal) shVal {
	saved := *r.st
	r.st.vars.shared = true
	saved.vars.shared = true
	out := f()
	r.st.vars, r.st.cwd, r.st.dead, r.st.trace = saved.vars, saved.cwd, saved.dead, saved.trace
	return out
}

// capture runs f with its output going somewhere else than the log.
func (r *shRun) capture(f func() shVal) shVal {
	log := r.log
	r.log = false
	out := f()
	r.log = log
	return out
}

func (r *shRun) command(c syntax.Command, s *syntax.Stmt, stdin shVal) shVal {
	if !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	switch c := c.(type) {
	case nil:
		return stdin // "< file" alone, as in $(< file)
	case *syntax.CallExpr:
		return r.call(c, stdin)
	case *syntax.Block:
		return r.stmts(c.Stmts, stdin)
	case *syntax.Subshell:
		return r.subshell(func() shVal { return r.stmts(c.Stmts, stdin) })
	case *syntax.BinaryCmd:
		return r.binary(c, stdin)
	case *syntax.IfClause:
		return r.ifClause(c, stdin)
	case *syntax.WhileClause:
		var out shVal
		r.loop(func() {
			// In a while loop "read" takes lines from the loop's input, so the
			// condition gets it too.
			out = shAdd(out, r.stmts(c.Cond, stdin))
			if !c.Until {
				r.refineAll(c.Cond, true)
			}
			out = shAdd(out, r.stmts(c.Do, stdin))
		})
		return out
	case *syntax.ForClause:
		var out shVal
		switch l := c.Loop.(type) {
		case *syntax.WordIter:
			var v shVal
			safe := true
			for _, w := range l.Items {
				item := r.word(w)
				if _, ok := shText(item); !ok {
					safe = false
				}
				v = shCat(v, r.globbed(item, w))
			}
			a, b := r.span(l)
			if len(l.Items) == 1 && safe && !l.InPos.IsValid() {
				v = nil
			}
			if t, ok := shText(v); ok && len(l.Items) == 1 && len(v) > 1 {
				v = shLit(t, a, b) // one text of several parts, as "$DIR"/*.json
			}
			if len(l.Items) != 1 || len(v) != 1 || !safe {
				v = shCollapse(r.unlined(v))
			}
			r.assign(l.Name.Value, v, a, b, false)
		case *syntax.CStyleLoop:
			a, b := r.at(l.Lparen), r.at(l.Rparen)
			for _, x := range []syntax.ArithmExpr{l.Init, l.Cond, l.Post} {
				r.arithm(x, a, b)
			}
		}
		r.loop(func() { out = shAdd(out, r.stmts(c.Do, stdin)) })
		return out
	case *syntax.CaseClause:
		return r.caseClause(c, stdin)
	case *syntax.FuncDecl:
		if c.Name == nil {
			return nil
		}
		if r.funcs == nil {
			r.funcs = map[string]*shFunc{}
		}
		r.funcs[c.Name.Value] = &shFunc{body: c.Body, base: r.base}
	case *syntax.DeclClause:
		r.declare(c)
	case *syntax.TestClause:
		r.test(c.X, r.at(c.Left), r.at(c.Right))
	case *syntax.ArithmCmd:
		r.arithm(c.X, r.at(c.Left), r.at(c.Right))
	case *syntax.LetClause:
		for _, x := range c.Exprs {
			r.arithm(x, r.at(c.Let), r.at(c.Let)+3)
		}
	case *syntax.TimeClause:
		return r.stmt(c.Stmt, stdin)
	case *syntax.CoprocClause:
		return r.stmt(c.Stmt, stdin)
	case *syntax.TestDecl:
		return r.stmt(c.Body, stdin)
	}
	return nil
}

// loop runs a body twice, since what the first round leaves reaches the second.
// Deep loops run once: the rounds would multiply.
func (r *shRun) loop(body func()) {
	before := r.fork()
	r.loops++
	rounds := 2
	if r.loops > 2 {
		rounds = 1
	}
	for range rounds {
		body()
		r.st.dead = false
	}
	r.loops--
	r.join(r.st, before)
}

func (r *shRun) binary(c *syntax.BinaryCmd, stdin shVal) shVal {
	switch c.Op {
	case syntax.Pipe, syntax.PipeAll:
		mid := r.capture(func() shVal { return r.subshell(func() shVal { return r.stmt(c.X, stdin) }) })
		return r.subshell(func() shVal { return r.stmt(c.Y, mid) })
	}
	out := r.stmt(c.X, stdin)
	truth := c.Op == syntax.AndStmt
	if r.st.dead {
		return out
	}
	other := r.fork()
	r.refine(c.X, truth)
	out = shAdd(out, r.stmt(c.Y, stdin))
	ran := r.st
	r.st = other
	r.refine(c.X, !truth)
	r.join(ran, r.st)
	return out
}

func (r *shRun) ifClause(c *syntax.IfClause, stdin shVal) shVal {
	var out shVal
	var ends []*shState
	maybe := r.maybe
	for n := 0; c != nil; n++ {
		if !r.step() {
			break
		}
		if !c.ThenPos.IsValid() { // else
			out = shAdd(out, r.stmts(c.Then, stdin))
			ends = append(ends, r.st)
			r.st = nil
			break
		}
		out = shAdd(out, r.stmts(c.Cond, stdin))
		other := r.fork()
		r.refineAll(c.Cond, true)
		out = shAdd(out, r.stmts(c.Then, stdin))
		ends = append(ends, r.st)
		r.st = other
		r.refineAll(c.Cond, false)
		c = c.Else
	}
	r.maybe = maybe
	if r.st != nil {
		ends = append(ends, r.st)
	}
	r.st = ends[0]
	for _, e := range ends[1:] {
		r.join(r.st, e)
	}
	return out
}

func (r *shRun) caseClause(c *syntax.CaseClause, stdin shVal) shVal {
	r.word(c.Word)
	name := shSingleVar(c.Word)
	start, end := r.span(c.Word)
	var out shVal
	var ends []*shState
	base := r.fork()
	for _, item := range c.Items {
		r.st = base
		base = r.fork()
		all := true
		safe := len(item.Patterns) > 0
		reject := false
		for _, p := range item.Patterns {
			v := r.word(p)
			t, ok := shText(v)
			all = all && ok
			if ok && t == "*" {
				safe = false
			}
			safe = safe && ok && shSafeGlob(t)
			reject = reject || ok && shRejectGlob(t)
		}
		if safe && all && name != "" {
			r.refineVar(name, start, end, false)
		}
		out = shAdd(out, r.stmts(item.Stmts, stdin))
		ends = append(ends, r.st)
		if r.st.dead && reject && name != "" {
			r.st, base = base, nil
			r.refineVar(name, start, end, false)
			base = r.st
		}
		if n := len(item.Patterns); n > 0 && base != nil {
			if t, ok := shText(r.word(item.Patterns[n-1])); ok && t == "*" {
				base.dead = true // nothing falls through
			}
		}
	}
	r.st = base
	for _, e := range ends {
		r.join(r.st, e)
	}
	return out
}

func (r *shRun) declare(d *syntax.DeclClause) {
	assoc, integer := false, false
	for _, a := range d.Args {
		if a.Naked && a.Name == nil && a.Value != nil {
			v := r.word(a.Value)
			t, ok := shText(v)
			if ok && strings.HasPrefix(t, "-") {
				assoc = assoc || strings.Contains(t, "A")
				integer = integer || strings.Contains(t, "i")
				continue
			}
			if p := shWith(v, ShellUntrusted); p != nil {
				start, end := r.span(a.Value)
				r.code("export", p, start, end, ContextBare, "the value sets any variable, such as PATH, BASH_ENV or LD_PRELOAD")
			}
			continue
		}
		r.assignment(a, assoc, integer)
	}
}

func (r *shRun) assignment(a *syntax.Assign, assoc, integer bool) {
	if a.Name == nil {
		return
	}
	start, end := r.at(a.Name.Pos()), r.at(a.Name.End())
	name := a.Name.Value
	if lo, hi := r.exprsIn(start, end); lo < hi {
		for i := lo; i < hi; i++ {
			r.context(i, ContextCommand)
		}
		name = ""
	}
	old, ok := r.st.vars.m[name]
	assoc = assoc || ok && old.assoc
	if a.Index != nil && !assoc {
		r.arithm(a.Index, start, end)
	} else if a.Index != nil {
		r.arithmWords(a.Index)
	}
	if a.Naked {
		if a.Value == nil && assoc {
			shSet(r, &r.st.vars, name, shVar{v: old.v, assoc: true})
		}
		return
	}
	var v shVal
	elems := slices.Clone(old.elems)
	if a.Array == nil || assoc || !a.Append {
		elems = nil
	} else if elems == nil && ok && len(old.v) > 0 {
		elems = []shVal{old.v}
	}
	if a.Value != nil {
		// No splitting takes place in an assignment.
		v = r.unbare(r.word(a.Value))
		end = r.at(a.Value.End())
	}
	if integer {
		if p := shWith(v, ShellUntrusted); p != nil && !r.posix {
			r.arithmetic(p, start, end)
		}
		v = r.checked(v, start, end, "only a number is left")
	}
	if a.Array != nil {
		end = r.at(a.Array.Rparen) + 1
		for _, e := range a.Array.Elems {
			if e.Index != nil && !assoc {
				r.arithm(e.Index, start, end)
			} else if e.Index != nil {
				r.arithmWords(e.Index)
			}
			if e.Value != nil {
				one := r.word(e.Value)
				elems = append(elems[:len(elems):len(elems)], one)
				v = shCat(v, one)
			}
			if e.Index != nil {
				assoc = true // not in their order, or not all of them
			}
		}
		v = shCollapse(v)
		if elems == nil {
			elems = []shVal{}
		}
	}
	if a.Append || a.Index != nil {
		v = shCat(r.get(name, start, end), v)
		if a.Index != nil || a.Array != nil {
			v = shCollapse(v)
		}
	}
	r.assign(name, v, start, end, assoc)
	if now, ok := r.st.vars.m[name]; ok && a.Array != nil && !assoc && len(elems) <= shMaxElems {
		for i := range elems {
			elems[i] = r.moved(elems[i], start, end, "is stored in "+name)
			if len(elems[i]) > shMaxStored {
				elems[i] = shCollapse(elems[i])
			}
		}
		now.elems = elems
		shSet(r, &r.st.vars, name, now)
	}
}

// shJoinElems are the elements of an array after either of two branches: those of both, in
// their order; nil where they are not known.
func shJoinElems(a, b []shVal) []shVal {
	if a == nil || b == nil {
		return nil
	}
	n := 0
	for n < len(a) && n < len(b) && shSame(a[n], b[n]) {
		n++
	}
	if n == 0 && len(a) > 0 && len(b) > 0 || len(a)+len(b)-n > shMaxElems {
		return nil // two commands
	}
	return append(append(a[:n:n], a[n:]...), b[n:]...)
}

// elements are the words of "${name[@]}" or ${name[@]}, if each is known.
func (r *shRun) elements(w *syntax.Word) ([]shVal, bool) {
	if len(w.Parts) != 1 {
		return nil, false
	}
	part, quoted := w.Parts[0], false
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part, quoted = q.Parts[0], true
	}
	p, ok := part.(*syntax.ParamExp)
	if !ok || p.Param == nil || p.Length || p.Excl || p.Slice != nil || p.Repl != nil {
		return nil, false
	}
	at, ok := p.Index.(*syntax.Word)
	if !ok || at.Lit() != "@" {
		return nil, false
	}
	if e := p.Exp; e != nil {
		// ${a[@]+"${a[@]}"}: the array, if it is set.
		if e.Op != syntax.AlternateUnset && e.Op != syntax.AlternateUnsetOrNull || e.Word == nil || p.Param.Value == "" || len(e.Word.Parts) != 1 {
			return nil, false
		}
		if q, ok := e.Word.Parts[0].(*syntax.DblQuoted); !ok || len(q.Parts) != 1 {
			return nil, false
		} else if in, ok := q.Parts[0].(*syntax.ParamExp); !ok || in.Param == nil || in.Param.Value != p.Param.Value || in.Exp != nil {
			return nil, false
		}
		return r.elements(e.Word)
	}
	v := r.st.vars.m[p.Param.Value]
	if v.elems == nil {
		return nil, false
	}
	start, end := r.span(w)
	out := make([]shVal, len(v.elems))
	for i, e := range v.elems {
		out[i] = slices.Clone(e)
		for k := range out[i] {
			q := &out[i][k]
			q.start, q.end = start, end
			if q.via = p.Param.Value; q.opaque && !quoted {
				q.bare = true
			}
		}
	}
	return out, true
}

// unbare marks a text as one that is not split, and keeps its newlines.
func (r *shRun) unbare(v shVal) shVal {
	for i := range v {
		if v[i].bare {
			out := make(shVal, len(v))
			copy(out, v)
			for i := range out {
				out[i].bare = false
			}
			return out
		}
	}
	return v
}

func (r *shRun) assign(name string, v shVal, start, end int, assoc bool) {
	if name == "" || len(name) > 200 {
		return
	}
	if len(v) > shMaxStored {
		v = shCollapse(v) // a text that grows by itself would be copied over and over
	}
	v = r.moved(v, start, end, "is stored in "+name)
	shSet(r, &r.st.vars, name, shVar{v: v, assoc: assoc})
}

// env is the value that a variable has from outside.
func (r *shRun) env(name string, start, end int) shVal {
	s, ok := r.in.Vars[name]
	p := shPiece{text: "$" + name, opaque: true, name: name, start: start, end: end}
	if ok && s.Labels != 0 {
		p.l = s.Labels
		p.t = r.trail(nil, start, end, shellName(s, "variable "+name)+" (variable "+name+")")
		if s.Text == "" {
			p.t.text = "variable " + name
		}
	}
	return shVal{p}
}

// get is the value of a variable used at a place.
func (r *shRun) get(name string, start, end int) shVal {
	v, ok := r.st.vars.m[name]
	if !ok {
		if !r.reads[name] && len(r.res.Reads) < 5000 {
			if r.reads == nil {
				r.reads = map[string]bool{}
			}
			r.reads[name] = true
			r.res.Reads = append(r.res.Reads, ShellRead{Span: shSpan(start, end), Name: name})
		}
		return r.env(name, start, end)
	}
	out := make(shVal, len(v.v))
	copy(out, v.v)
	for i := range out {
		out[i].start, out[i].end = start, end
		out[i].via = name
		if out[i].name == "" {
			out[i].name = name
		}
	}
	return out
}

func (r *shRun) word(w *syntax.Word) shVal {
	if w == nil || !r.step() {
		return nil
	}
	if len(w.Parts) == 1 {
		return r.part(w.Parts[0], ContextBare)
	}
	var out shVal
	for _, p := range w.Parts {
		out = shAdd(out, r.part(p, ContextBare))
	}
	return out
}

func (r *shRun) context(i int, c ShellContext) {
	if r.res.Exprs[i].Context == "" {
		r.res.Exprs[i].Context = c
	}
}

func (r *shRun) part(p syntax.WordPart, ctx ShellContext) shVal {
	if !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	switch p := p.(type) {
	case *syntax.Lit:
		return r.lit(r.at(p.Pos()), r.at(p.End()), p.Value, ctx)
	case *syntax.SglQuoted:
		v := p.Value
		start := r.at(p.Left) + 1
		if p.Dollar {
			start++
			v = shUnescape(v)
		}
		if v == "" {
			return shLit("", start, start)
		}
		return r.lit(start, r.at(p.Right), v, ContextSingle)
	case *syntax.DblQuoted:
		if len(p.Parts) == 0 {
			return shLit("", r.at(p.Left), r.at(p.Right))
		}
		var out shVal
		for _, q := range p.Parts {
			out = shAdd(out, r.part(q, ContextDouble))
		}
		return out
	case *syntax.ParamExp:
		return r.param(p, ctx)
	case *syntax.CmdSubst:
		start, end := r.at(p.Left), r.at(p.Right)+1
		out := r.capture(func() shVal { return r.subshell(func() shVal { return r.stmts(p.Stmts, nil) }) })
		out = shTrimEnd(out)
		if ctx == ContextBare {
			out = r.bared(out)
		}
		if len(out) == 0 {
			return shVal{{opaque: true, start: start, end: end}}
		}
		for i := range out {
			if out[i].l == 0 {
				out[i].start, out[i].end = start, end
			}
		}
		return out
	case *syntax.ArithmExp:
		start, end := r.at(p.Left), r.at(p.Right)
		r.arithm(p.X, start, end)
		return shVal{{opaque: true, start: start, end: end}}
	case *syntax.ProcSubst:
		start, end := r.at(p.OpPos), r.at(p.Rparen)+1
		key := fmt.Sprintf("/dev/fd/%d", start)
		out := r.capture(func() shVal { return r.subshell(func() shVal { return r.stmts(p.Stmts, nil) }) })
		if p.Op == syntax.CmdIn {
			shSet(r, &r.st.files, key, out)
		}
		return shVal{{text: key, start: start, end: end}}
	case *syntax.ExtGlob:
		start, end := r.span(p)
		if p.Pattern != nil {
			lo, hi := r.exprsIn(start, end)
			for i := lo; i < hi; i++ {
				r.context(i, ctx)
			}
		}
		return shVal{{opaque: true, start: start, end: end}}
	}
	return nil
}

// bared marks the expansions of a text as unquoted.
func (r *shRun) bared(v shVal) shVal {
	out := make(shVal, len(v))
	copy(out, v)
	for i := range out {
		if out[i].opaque {
			out[i].bare = true
		}
	}
	return out
}

// unlined is a text after splitting into words: no newline is left.
func (r *shRun) unlined(v shVal) shVal {
	return r.shDrop(v, ShellNewline, 0, 0, 0, "")
}

func shTrimEnd(v shVal) shVal {
	for len(v) > 0 && !v[len(v)-1].opaque {
		t := strings.TrimRight(v[len(v)-1].text, "\n")
		if t == v[len(v)-1].text {
			break
		}
		if t == "" {
			v = v[:len(v)-1]
			continue
		}
		out := make(shVal, len(v))
		copy(out, v)
		out[len(out)-1].text = t
		return out
	}
	return v
}

// lit is literal text in [start, end) of the script, which may hold masked
// expressions.
func (r *shRun) lit(start, end int, value string, ctx ShellContext) shVal {
	lo, hi := r.exprsIn(start, end)
	if lo == hi {
		return shLit(shUnquote(value, ctx), start, end)
	}
	out := make(shVal, 0, 2*(hi-lo)+1)
	at := start
	for i := lo; i < hi; i++ {
		e := &r.res.Exprs[i]
		r.context(i, ctx)
		if a := int(e.Start); a > at {
			out = append(out, shLit(shUnquote(r.src[at:a], ctx), at, a)...)
		}
		p := shPiece{opaque: true, l: e.Source.Labels, name: e.Body, start: int(e.Start), end: int(e.End)}
		p.bare = ctx == ContextBare
		if p.l != 0 {
			p.t = r.trail(nil, p.start, p.end, shellName(e.Source, e.Body))
		}
		// Expressions that name the runner's folders read like their variables.
		switch e.Body {
		case "github.workspace":
			p.text = "$GITHUB_WORKSPACE"
		case "runner.temp":
			p.text = "$RUNNER_TEMP"
		case "github.event_path":
			p.text = "$GITHUB_EVENT_PATH"
		}
		out = append(out, p)
		at = int(e.End)
		if len(out) > shMaxPieces {
			out = shCollapse(out)
		}
	}
	if at < end {
		out = append(out, shLit(shUnquote(r.src[at:end], ctx), at, end)...)
	}
	return out
}

// shUnquote takes the backslashes away that the shell takes away.
func shUnquote(s string, ctx ShellContext) string {
	if strings.IndexByte(s, '\\') < 0 || ctx == ContextSingle || ctx == ContextHeredocQuoted {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (ctx == ContextBare || strings.IndexByte("$`\"\\\n", s[i+1]) >= 0) {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// shUnescape turns the common escapes of $”, echo -e and printf into their bytes.
func shUnescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case '\\', '\'', '"':
			b = append(b, s[i])
		default:
			b = append(b, '\\', s[i])
		}
	}
	return string(b)
}

func (r *shRun) param(p *syntax.ParamExp, ctx ShellContext) shVal {
	start, end := r.span(p)
	if p.NestedParam != nil {
		return r.part(p.NestedParam, ctx)
	}
	if p.Param == nil {
		return shVal{{opaque: true, start: start, end: end}}
	}
	name := p.Param.Value
	if lo, hi := r.exprsIn(start, end); lo < hi {
		for i := lo; i < hi; i++ {
			r.context(i, ctx)
		}
	}
	var v shVal
	switch {
	case r.in.Name != "" && (name == "0" || name == "BASH_SOURCE") && !p.Length && !p.Excl && p.Slice == nil && p.Repl == nil:
		sym := shWorkspace + r.in.Name
		if e := p.Exp; e != nil && (e.Op == syntax.RemSmallSuffix || e.Op == syntax.RemLargeSuffix) {
			sym = path.Dir(sym) // ${0%/*}
		}
		return shVal{{text: sym, opaque: true, start: start, end: end}}
	case name == "@" || name == "*" || len(name) == 1 && name[0] >= '1' && name[0] <= '9':
		v = r.posParam(name, start, end)
	case name == "" || strings.ContainsAny(name[:1], "#?$!-0_") && len(name) == 1:
		return shVal{{opaque: true, start: start, end: end}}
	default:
		v = r.get(name, start, end)
	}
	if p.Index != nil {
		if old := r.st.vars.m[name]; old.assoc {
			r.arithmWords(p.Index)
		} else {
			r.arithm(p.Index, start, end)
		}
		v = shCollapse(v)
	}
	if p.Length {
		return shVal{{opaque: true, start: start, end: end}}
	}
	if p.Excl {
		v = shCollapse(v)
		if p.Index != nil && p.Names == 0 {
			return shVal{{opaque: true, start: start, end: end}} // the keys of an array
		}
		if len(v) > 0 && p.Names == 0 {
			// The value names a variable: what it holds is not known.
			v = shVal{{opaque: true, l: v[0].l, t: v[0].t, name: name, start: start, end: end}}
		}
	}
	if p.Slice != nil {
		r.arithm(p.Slice.Offset, start, end)
		r.arithm(p.Slice.Length, start, end)
		v = r.encoded(shFit(shCollapse(v), ""), start, end)
	}
	if p.Repl != nil {
		v = r.replace(p, v, start, end)
	}
	if e := p.Exp; e != nil {
		w := r.word(e.Word)
		switch e.Op {
		case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
			sym := shSymbol(v)
			if shLabels(w) != 0 || shLabels(v) != 0 || !strings.HasPrefix(sym, "$") {
				v = shEither(v, w)
				for i := range v {
					v[i].start, v[i].end = start, end
				}
			}
			if e.Op == syntax.AssignUnset || e.Op == syntax.AssignUnsetOrNull {
				r.assign(name, v, start, end, false)
			}
		case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
			v = w
		case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		case syntax.OtherParamOps:
			if t, _ := shText(w); t == "Q" {
				v = r.checked(v, start, end, "is quoted for a shell")
			} else if t == "P" || t == "E" {
				v = shCollapse(v)
			}
		case syntax.RemSmallSuffix, syntax.RemLargeSuffix, syntax.RemSmallPrefix, syntax.RemLargePrefix:
			if t, ok := shText(v); ok && !strings.ContainsAny(t, "\n") {
				v = shVal{{opaque: true, start: start, end: end}}
			} else {
				v = shFit(shCollapse(v), "")
			}
		case syntax.LowerAll:
			v = shFit(shCollapse(v), fitLower)
		case syntax.UpperAll:
			v = shFit(shCollapse(v), fitUpper)
		default:
			v = shFit(shCollapse(v), "")
		}
		for i := range v {
			v[i].start, v[i].end = start, end
		}
	}
	if ctx == ContextBare {
		return r.bared(v)
	}
	return r.unbare(v)
}

// encoded marks secrets that were cut or turned: no mask fits them.
func (r *shRun) encoded(v shVal, start, end int) shVal {
	if p := shWith(v, ShellSecret); p != nil && p.l&ShellEncoded == 0 {
		out := make(shVal, len(v))
		copy(out, v)
		for i := range out {
			if out[i].l&ShellSecret != 0 {
				out[i].l |= ShellEncoded
				out[i].t = r.trail(out[i].t, start, end, "is changed, so that the log's mask no longer fits")
			}
		}
		return out
	}
	return v
}

func (r *shRun) posParam(name string, start, end int) shVal {
	if r.st.positional == nil {
		return shVal{{text: "$" + name, opaque: true, name: name, start: start, end: end}}
	}
	var v shVal
	if name == "@" || name == "*" {
		for _, a := range r.st.positional {
			v = shCat(v, a)
		}
		v = shCollapse(v)
	} else if i := int(name[0] - '1'); i < len(r.st.positional) {
		v = r.st.positional[i]
	}
	out := make(shVal, len(v))
	copy(out, v)
	for i := range out {
		out[i].start, out[i].end, out[i].bare = start, end, false
		if out[i].l != 0 {
			out[i].t = r.trail(out[i].t, start, end, "is argument $"+name)
		}
	}
	return out
}

func (r *shRun) replace(p *syntax.ParamExp, v shVal, start, end int) shVal {
	orig, ok := shText(r.word(p.Repl.Orig))
	with := r.word(p.Repl.With)
	t, known := shText(v)
	wt, withKnown := shText(with)
	if known && ok && withKnown && !strings.ContainsAny(orig, "*?[") {
		n := 1
		if p.Repl.All {
			n = -1
		}
		return shLit(strings.Replace(t, orig, wt, n), start, end)
	}
	v = shFit(shCollapse(v), "")
	if ok && p.Repl.All {
		if shRejectClass(orig) {
			v = r.checked(v, start, end, "characters outside "+orig+" are removed")
		} else if orig == "\n" || orig == "$'\\n'" {
			v = r.unlined(v)
		}
	}
	return shCat(r.encoded(v, start, end), with)
}

// arithm looks at an arithmetic expression. Bash evaluates what a variable holds
// there as an expression again, and runs a substitution in a subscript.
func (r *shRun) arithm(x syntax.ArithmExpr, start, end int) {
	if x == nil || !r.enter() {
		return
	}
	defer func() { r.depth-- }()
	switch x := x.(type) {
	case *syntax.BinaryArithm:
		r.arithm(x.X, start, end)
		r.arithm(x.Y, start, end)
	case *syntax.UnaryArithm:
		r.arithm(x.X, start, end)
	case *syntax.ParenArithm:
		r.arithm(x.X, start, end)
	case *syntax.FlagsArithm:
		r.arithm(x.X, start, end)
	case *syntax.Word:
		if x == nil {
			return
		}
		for _, p := range x.Parts {
			v := r.part(p, ContextArithmetic)
			if l, ok := p.(*syntax.Lit); ok && shIsName(l.Value) {
				a, b := r.span(l)
				if lo, hi := r.exprsIn(a, b); lo == hi {
					v = r.get(l.Value, a, b)
				}
			}
			if q := shWith(v, ShellUntrusted); q != nil && !r.posix {
				r.arithmetic(q, start, end)
			}
		}
	}
}

// arithmWords evaluates the words of a key that is no arithmetic.
func (r *shRun) arithmWords(x syntax.ArithmExpr) {
	if w, ok := x.(*syntax.Word); ok {
		r.word(w)
	}
}

func (r *shRun) arithmetic(p *shPiece, start, end int) {
	if p.t != nil && p.t.prev == nil && r.isExpr(p) {
		return // pasted, which is reported as such
	}
	r.fact(ShellFact{
		Kind: FactArithmetic, Span: shSpan(start, end), Name: p.name, Labels: p.l, Context: ContextArithmetic,
		Detail: "a value such as a[$(command)] is run", Sink: "arithmetic",
		Trace: shTrace(r.trail(p.t, start, end, "is evaluated as arithmetic")),
	})
}

// isExpr reports whether a piece is a template expression, used where it stands.
func (r *shRun) isExpr(p *shPiece) bool {
	lo, hi := r.exprsIn(p.start, p.end)
	return hi-lo == 1 && int(r.res.Exprs[lo].Start) == p.start && int(r.res.Exprs[lo].End) == p.end
}

func (r *shRun) test(x syntax.TestExpr, start, end int) {
	if x == nil || !r.enter() {
		return
	}
	defer func() { r.depth-- }()
	switch x := x.(type) {
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
			for _, side := range []syntax.TestExpr{x.X, x.Y} {
				if w, ok := side.(*syntax.Word); ok {
					v := r.word(w)
					if t, ok := shText(v); ok && shIsName(t) {
						v = r.get(t, start, end)
					}
					if p := shWith(v, ShellUntrusted); p != nil && !r.posix {
						r.arithmetic(p, start, end)
					}
				}
			}
		default:
			r.test(x.X, start, end)
			r.test(x.Y, start, end)
		}
	case *syntax.UnaryTest:
		if x.Op == syntax.TsVarSet {
			if w, ok := x.X.(*syntax.Word); ok {
				if p := shWith(r.word(w), ShellUntrusted); p != nil {
					r.arithmetic(p, start, end)
				}
				return
			}
		}
		r.test(x.X, start, end)
	case *syntax.ParenTest:
		r.test(x.X, start, end)
	case *syntax.Word:
		r.word(x)
	}
}

func shIsName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
