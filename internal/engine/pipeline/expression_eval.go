package pipeline

import (
	"maps"
	"slices"
	"strings"
)

// Status is what is assumed of the steps and jobs that came before.
type Status uint8

// The assumptions. StatusAny leaves success(), failure() and cancelled() unknown.
const (
	StatusAny Status = iota
	StatusSuccess
	StatusFailure
	StatusCancelled
)

// Environment says what contexts hold. What it does not say is unknown, so that
// the zero Environment knows nothing. It is not safe to change it while it is
// used; several evaluations may read it at once.
type Environment struct {
	Status Status
	known  map[string]Value
	closed map[string]bool
	// under is asked for what is not known here.
	under *Environment
}

// Set says what a context holds. The path is written like github.event_name, or
// $NAME for a variable of GitLab. Of two paths where one leads through the other
// the shorter decides.
func (e *Environment) Set(path string, v Value) {
	if e.known == nil {
		e.known = map[string]Value{}
	}
	e.known[normalPath(path)] = v
}

// Close says that the members of a context are those that Set names and no other:
// the rest are null. Close("$") is for GitLab's variables.
func (e *Environment) Close(path string) {
	// A map may be shared with the environment under this one.
	closed := make(map[string]bool, len(e.closed)+1)
	maps.Copy(closed, e.closed)
	e.closed = closed
	e.closed[normalPath(path)] = true
}

// Get is what the environment says of a context.
func (e *Environment) Get(path string) Value {
	if strings.HasPrefix(path, "$") {
		return e.variable(path[1:])
	}
	expr, err := ParseExpression(path)
	if err != nil {
		return Unknown(path)
	}
	return expr.Evaluate(e)
}

// normalPath is the normal form of a path that our own code or a caller wrote.
func normalPath(path string) string {
	if strings.HasPrefix(path, "$") {
		return path // variables have case
	}
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == "" {
		return path // it is in normal form
	}
	if e, err := ParseExpression(path); err == nil {
		if p, ok := pathOf(e.Root); ok {
			return p
		}
	}
	return strings.ToLower(path)
}

func (e *Environment) at(path string) (Value, bool) {
	for ; e != nil; e = e.under {
		if v, ok := e.known[path]; ok {
			return v, true
		}
	}
	return Value{}, false
}

// over is an environment that can be changed without changing e, with whose answers
// it begins.
func (e *Environment) over() *Environment {
	return &Environment{Status: e.Status, closed: e.closed, under: e}
}

func (e *Environment) variable(name string) Value {
	if v, ok := e.at("$" + name); ok {
		return v
	}
	if e.closed["$"] {
		return Null()
	}
	return Unknown(name)
}

// Bounds of one evaluation. A format in a format grows a text exponentially.
const (
	maxEvalSteps = 1 << 16
	maxEvalBytes = 1 << 20 // of the texts made on the way, altogether
)

// Evaluate computes the expression as far as env allows. It never fails: what is
// unknown, or would fail at the forge, or goes beyond the bounds of an evaluation,
// is unknown. A nil env knows nothing.
func (e Expression) Evaluate(env *Environment) Value {
	if e.Root == nil {
		return Null()
	}
	return newEvaluator(env).eval(e.Root).Value
}

type evaluator struct {
	env          *Environment
	steps, bytes int
}

func newEvaluator(env *Environment) *evaluator {
	if env == nil {
		env = new(Environment)
	}
	return &evaluator{env: env, steps: maxEvalSteps, bytes: maxEvalBytes}
}

// outcome is a value and, for an unknown context, where it is: members of it are
// looked up from there.
type outcome struct {
	Value
	path string
	// filtered marks the array that a filter made: members are taken of each item.
	filtered bool
}

const tooMuch = "the evaluation is too long"

// spend takes n bytes of the budget for texts, which pays for making and for
// comparing them.
func (x *evaluator) spend(n int) bool {
	x.bytes -= n
	return x.bytes >= 0
}

// within puts a question about two values under the budget.
func (x *evaluator) within(ask func(a, b Value) Truth) func(a, b Value) Truth {
	return func(a, b Value) Truth {
		if !x.spend(a.size() + b.size()) {
			return Undecided
		}
		return ask(a, b)
	}
}

func (x *evaluator) eval(n *ExprNode) outcome {
	if x.steps--; x.steps < 0 {
		return outcome{Value: failed(tooMuch, nil)}
	}
	switch n.Kind {
	case ExprLiteral:
		return outcome{Value: n.Value}
	case ExprContext:
		return x.look(strings.ToLower(n.Name), "")
	case ExprMember:
		return x.access(x.eval(n.Args[0]), String(n.Name))
	case ExprIndex:
		return x.access(x.eval(n.Args[0]), x.eval(n.Args[1]).Value)
	case ExprFilter:
		return x.filter(x.eval(n.Args[0]))
	case ExprNot:
		v := x.eval(n.Args[0]).Value
		if t := v.Truth(); t != Undecided {
			return outcome{Value: Boolean(t == False)}
		}
		return outcome{Value: unknownBoolean(v.Depends())}
	case ExprCompare:
		return outcome{Value: x.compare(n.Name, x.eval(n.Args[0]).Value, x.eval(n.Args[1]).Value)}
	case ExprAnd:
		return outcome{Value: x.logical(n.Args, False)}
	case ExprOr:
		return outcome{Value: x.logical(n.Args, True)}
	case ExprCall:
		return outcome{Value: x.call(n)}
	}
	return outcome{Value: Unknown()}
}

// look finds a context; parent is the path above it.
func (x *evaluator) look(path, parent string) outcome {
	if v, ok := x.env.at(path); ok {
		return outcome{Value: v}
	}
	if x.env.closed[parent] {
		return outcome{Value: Null()}
	}
	v := Unknown(path)
	v.u.is = path
	return outcome{Value: v, path: path}
}

func (x *evaluator) access(base outcome, index Value) outcome {
	switch {
	case base.filtered:
		return x.each(base, func(item Value) (Value, bool) {
			if index.Known() && index.primitive() {
				if v, ok := item.member(index.text()); ok {
					return v, true
				}
				return item.item(index)
			}
			return Value{}, false
		}, index)
	case !base.Known() && base.path != "":
		if !index.Known() {
			return outcome{Value: Unknown(union(index.Depends(), []string{base.path + ".*"})...)}
		}
		if !index.primitive() {
			return outcome{Value: Null()}
		}
		return x.look(joinPath(base.path, index.text()), base.path)
	case !base.Known():
		return outcome{Value: Unknown(dependsOf(base.Value, index)...)}
	case base.kind != KindArray && base.kind != KindObject:
		return outcome{Value: Null()}
	case !index.Known():
		return outcome{Value: Unknown(dependsOf(index)...)}
	case !index.primitive():
		return outcome{Value: Null()}
	}
	if v, ok := base.member(index.text()); ok {
		return outcome{Value: v}
	}
	if v, ok := base.item(index); ok {
		return outcome{Value: v}
	}
	return outcome{Value: Null()}
}

// each takes a member of every item of a filtered array.
func (x *evaluator) each(base outcome, of func(Value) (Value, bool), index Value) outcome {
	if !base.Known() {
		// members of a filter of an unknown context: github.event.commits.*.message
		name := "*"
		if index.Known() {
			name = index.text()
		}
		path := base.path
		if path != "" {
			path = joinPath(path, name)
			return outcome{Value: Unknown(path), path: path, filtered: true}
		}
		return outcome{Value: Unknown(dependsOf(base.Value, index)...), filtered: true}
	}
	if !index.Known() {
		return outcome{Value: Unknown(dependsOf(index)...), filtered: true}
	}
	var items []Value
	for _, item := range *base.array {
		if x.steps--; x.steps < 0 {
			return outcome{Value: failed(tooMuch, nil)}
		}
		if !item.Known() {
			return outcome{Value: Unknown(item.Depends()...), filtered: true}
		}
		if v, ok := of(item); ok {
			items = append(items, v)
		}
	}
	return outcome{Value: Array(items...), filtered: true}
}

func (x *evaluator) filter(base outcome) outcome {
	if !base.Known() {
		if base.path != "" {
			path := base.path + ".*"
			return outcome{Value: Unknown(path), path: path, filtered: true}
		}
		return outcome{Value: Unknown(base.Depends()...), filtered: true}
	}
	var items []Value
	add := func(v Value) bool {
		switch v.kind {
		case KindArray:
			items = append(items, *v.array...)
			x.steps -= len(*v.array)
		case KindObject:
			for _, m := range *v.object {
				items = append(items, m.Value)
			}
			x.steps -= len(*v.object)
		}
		return x.steps >= 0
	}
	if !base.filtered {
		if !add(base.Value) {
			return outcome{Value: failed(tooMuch, nil)}
		}
		return outcome{Value: Array(items...), filtered: true}
	}
	for _, v := range *base.array {
		if !v.Known() {
			return outcome{Value: Unknown(v.Depends()...), filtered: true}
		}
		if !add(v) {
			return outcome{Value: failed(tooMuch, nil)}
		}
	}
	return outcome{Value: Array(items...), filtered: true}
}

// logical computes && (stop is False) or || (stop is True): the first operand whose
// truth is stop, or the last.
func (x *evaluator) logical(args []*ExprNode, stop Truth) Value {
	var open []Value // operands that may be the one
	for i, a := range args {
		v := x.eval(a).Value
		t := v.Truth()
		if i == len(args)-1 || t == stop {
			return settle(append(open, v), stop, t)
		}
		if t == Undecided {
			open = append(open, v)
		}
	}
	return Null()
}

// settle is the value of one of the operands, of which all but the last are open
// between stop and its opposite; last is the truth of the last.
func settle(values []Value, stop, last Truth) Value {
	v := values[len(values)-1]
	if len(values) == 1 {
		return v
	}
	out := Value{u: &unknown{depends: dependsOf(values...)}}
	if last == stop {
		out.truth = stop
	}
	boolean := true
	for _, o := range values {
		boolean = boolean && o.static() == KindBoolean
		if o.Problem() != "" {
			out.u.problem = o.Problem()
			out.truth = Undecided
		}
	}
	if boolean {
		if out.truth != Undecided {
			return Boolean(stop == True)
		}
		out.u.kind = KindBoolean
	}
	return out
}

// maxPairs bounds how many pairs of alternatives are compared.
const maxPairs = 256

// alternatives are the values that v can have, if they are few and known.
func alternatives(v Value) []Value {
	if v.Known() {
		return []Value{v}
	}
	if v.u != nil {
		return v.u.oneOf
	}
	return nil
}

// decide asks a question of every pair of alternatives. The answer is Undecided if
// they differ or are not known.
func decide(a, b Value, ask func(a, b Value) Truth) Truth {
	as, bs := alternatives(a), alternatives(b)
	if len(as) == 0 {
		as = []Value{a}
	}
	if len(bs) == 0 {
		bs = []Value{b}
	}
	if len(as)*len(bs) > maxPairs {
		return Undecided
	}
	out := Undecided
	for i, a := range as {
		for j, b := range bs {
			t := ask(a, b)
			if t == Undecided || (i > 0 || j > 0) && t != out {
				return Undecided
			}
			out = t
		}
	}
	return out
}

func (x *evaluator) compare(op string, a, b Value) Value {
	t := decide(a, b, x.within(func(a, b Value) Truth {
		switch op {
		case "==":
			return equalTruth(a, b)
		case "!=":
			return equalTruth(a, b).Not()
		}
		if !a.Known() || !b.Known() {
			return boundedTruth(op, a, b)
		}
		switch op {
		case "<":
			return truthOf(lessValues(a, b))
		case "<=":
			return truthOf(lessValues(a, b) || equalValues(a, b))
		case ">":
			return truthOf(lessValues(b, a))
		}
		return truthOf(lessValues(b, a) || equalValues(a, b))
	}))
	if t != Undecided {
		return Boolean(t == True)
	}
	return unknownBoolean(dependsOf(a, b))
}

// boundedTruth orders an unknown number that has a lower bound, and a known value.
func boundedTruth(op string, a, b Value) Truth {
	if b.u != nil && b.u.bounded && a.Known() {
		a, b = b, a
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	if a.u == nil || !a.u.bounded || !b.primitive() {
		return Undecided
	}
	switch limit := b.toNumber(); {
	case op == ">" && a.u.least > limit, op == ">=" && a.u.least >= limit:
		return True
	case op == "<" && limit <= a.u.least, op == "<=" && limit < a.u.least:
		return False
	}
	return Undecided
}

// equalTruth compares where one side may be unknown in part.
func equalTruth(a, b Value) Truth {
	if a.Known() && b.Known() {
		return truthOf(equalValues(a, b))
	}
	if a.Known() {
		a, b = b, a
	}
	if a.u != nil && b.u != nil {
		switch {
		case a.u.is != "" && a.u.is == b.u.is:
			return True
		case a.u.foreign && ownName(b.u.is) || b.u.foreign && ownName(a.u.is):
			return False
		}
	}
	if a.u != nil && a.u.bounded && b.primitive() && b.toNumber() < a.u.least {
		return False
	}
	if a.u == nil || !b.Known() || a.u.kind != KindString {
		return Undecided
	}
	// a is an unknown string, b is known.
	if b.kind == KindArray || b.kind == KindObject {
		return False
	}
	if b.kind != KindString {
		return Undecided
	}
	s, u := fold(b.string), a.u
	if u.foreign && !(u.exceptBots && strings.HasSuffix(s, "[BOT]")) {
		return False
	}
	prefix, suffix := fold(u.prefix), fold(u.suffix)
	if len(s) < len(prefix)+len(suffix) || !strings.HasPrefix(s, prefix) || !strings.HasSuffix(s, suffix) {
		return False
	}
	return Undecided
}

// ownName reports whether a context names the repository or its owner: a stranger's
// name is neither.
func ownName(path string) bool {
	switch path {
	case "github.repository", "github.repository_owner", "github.event.repository.owner.login", "github.event.pull_request.base.repo.owner.login", "github.event.pull_request.base.user.login":
		return true
	}
	return false
}

func (x *evaluator) call(n *ExprNode) Value {
	if least, most, ok := arity(n.Name); !ok || len(n.Args) < least || len(n.Args) > most {
		return x.opaque(n)
	}
	switch n.Name {
	case "always":
		return Boolean(true)
	case "success", "failure", "cancelled":
		return x.status(n)
	case "case":
		return x.choose(n)
	case "hashfiles":
		return x.opaque(n)
	}
	args := make([]Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = x.eval(a).Value
		if args[i].Problem() != "" {
			return failed(args[i].Problem(), dependsOf(args[:i+1]...))
		}
	}
	switch n.Name {
	case "contains":
		t := decide(args[0], args[1], x.within(x.contains))
		return decided(t, args)
	case "startswith":
		t := decide(args[0], args[1], x.within(startsWith))
		return decided(t, args)
	case "endswith":
		t := decide(args[0], args[1], x.within(endsWith))
		return decided(t, args)
	case "format":
		return x.format(args)
	case "join":
		return x.join(args)
	case "tojson":
		if s, ok := args[0].toJSON(max(0, x.bytes)); ok && x.spend(len(s)) {
			return String(s)
		}
		return UnknownString("", "", dependsOf(args...)...)
	case "fromjson":
		if !args[0].Known() {
			return Unknown(dependsOf(args...)...)
		}
		if !x.spend(args[0].size()) {
			return failed(tooMuch, nil)
		}
		v, ok := fromJSON(args[0].text(), &x.steps)
		if !ok {
			return failed("fromJSON is given no JSON", nil)
		}
		return v
	}
	return x.opaque(n)
}

func decided(t Truth, args []Value) Value {
	if t == Undecided {
		return unknownBoolean(dependsOf(args...))
	}
	return Boolean(t == True)
}

// opaque is the result of a function that we cannot compute.
func (x *evaluator) opaque(n *ExprNode) Value {
	depends := []string{n.Name + "()"}
	for _, a := range n.Args {
		depends = union(depends, x.eval(a).Depends())
	}
	return Unknown(depends...)
}

func (x *evaluator) status(n *ExprNode) Value {
	if x.env.Status == StatusAny || len(n.Args) > 0 {
		return unknownBoolean([]string{n.Name + "()"})
	}
	is := [...]string{StatusSuccess: "success", StatusFailure: "failure", StatusCancelled: "cancelled"}
	return Boolean(is[x.env.Status] == n.Name)
}

// choose computes case(condition, value, ..., default).
func (x *evaluator) choose(n *ExprNode) Value {
	if len(n.Args)%2 == 0 {
		return x.opaque(n)
	}
	var open, conditions []Value
	for i := 0; i+1 < len(n.Args); i += 2 {
		c := x.eval(n.Args[i]).Value
		if c.Known() && c.kind != KindBoolean {
			return failed("a condition of case is no boolean", nil)
		}
		t := c.Truth()
		if t == False {
			continue
		}
		v := x.eval(n.Args[i+1]).Value
		if t == True {
			return oneOfThese(append(open, v), conditions)
		}
		open, conditions = append(open, v), append(conditions, c)
	}
	return oneOfThese(append(open, x.eval(n.Args[len(n.Args)-1]).Value), conditions)
}

func oneOfThese(values, conditions []Value) Value {
	if len(values) == 1 {
		return values[0]
	}
	depends := dependsOf(slices.Concat(values, conditions)...)
	for _, v := range values {
		if !v.Known() {
			out := Unknown(depends...)
			out.truth = values[0].Truth()
			for _, v := range values {
				if v.Truth() != out.truth {
					out.truth = Undecided
				}
			}
			return out
		}
	}
	return OneOf(values, depends...)
}

// contains decides contains(a, b), where either may be unknown in part.
func (x *evaluator) contains(a, b Value) Truth {
	switch {
	case a.kind == KindArray:
		out := False
		for _, item := range *a.array {
			if x.steps--; x.steps < 0 {
				return Undecided
			}
			switch decide(b, item, x.within(equalTruth)) {
			case True:
				return True
			case Undecided:
				out = Undecided
			}
		}
		return out
	case a.kind == KindObject:
		return False
	case a.Known() && b.Known():
		if !b.primitive() {
			return False
		}
		return truthOf(strings.Contains(fold(a.text()), fold(b.text())))
	case a.Known():
		// b is longer than a, whatever it is
		if b.u != nil && b.u.kind == KindString && len(fold(b.u.prefix))+len(fold(b.u.suffix)) > len(fold(a.text())) {
			return False
		}
	case b.Known() && b.primitive() && a.u != nil && a.u.kind == KindString:
		s := fold(b.text())
		if s == "" || strings.Contains(fold(a.u.prefix), s) || strings.Contains(fold(a.u.suffix), s) {
			return True
		}
	}
	return Undecided
}

func startsWith(a, b Value) Truth {
	if a.Known() && b.Known() {
		return truthOf(a.primitive() && b.primitive() && strings.HasPrefix(fold(a.text()), fold(b.text())))
	}
	if b.Known() && b.primitive() && a.u != nil && a.u.kind == KindString {
		return knownEnd(fold(a.u.prefix), fold(b.text()), strings.HasPrefix)
	}
	return Undecided
}

func endsWith(a, b Value) Truth {
	if a.Known() && b.Known() {
		return truthOf(a.primitive() && b.primitive() && strings.HasSuffix(fold(a.text()), fold(b.text())))
	}
	if b.Known() && b.primitive() && a.u != nil && a.u.kind == KindString {
		return knownEnd(fold(a.u.suffix), fold(b.text()), strings.HasSuffix)
	}
	return Undecided
}

// knownEnd asks whether a text of which one end is known has the other as its end.
func knownEnd(known, asked string, has func(s, end string) bool) Truth {
	switch {
	case has(known, asked):
		return True
	case !has(asked, known):
		return False
	}
	return Undecided
}

// piece is a part of a text that is put together.
type piece struct {
	text string
	v    Value // if unknown
}

// concat puts pieces together: a string, or an unknown one with known ends.
func (x *evaluator) concat(pieces []piece) Value {
	first, last := -1, -1
	var depends []string
	solid := false // it holds some text for certain
	for i, p := range pieces {
		if p.v.u == nil {
			if !x.spend(len(p.text)) {
				return failed(tooMuch, depends)
			}
			solid = solid || p.text != ""
			continue
		}
		if !x.spend(p.v.size()) {
			return failed(tooMuch, depends)
		}
		if first < 0 {
			first = i
		}
		last = i
		depends = union(depends, p.v.Depends())
		solid = solid || p.v.Truth() == True
	}
	var b strings.Builder
	if first < 0 {
		for _, p := range pieces {
			b.WriteString(p.text)
		}
		return String(b.String())
	}
	for _, p := range pieces[:first] {
		b.WriteString(p.text)
	}
	if u := pieces[first].v.u; u.kind == KindString {
		b.WriteString(u.prefix)
	}
	prefix := b.String()
	b.Reset()
	if u := pieces[last].v.u; u.kind == KindString {
		b.WriteString(u.suffix)
	}
	for _, p := range pieces[last+1:] {
		b.WriteString(p.text)
	}
	v := UnknownString(prefix, b.String(), depends...)
	if solid {
		v.truth = True
	}
	return v
}

func pieceOf(v Value) piece {
	if v.Known() {
		return piece{text: v.text()}
	}
	if v.u == nil {
		v = Unknown()
	}
	return piece{v: v}
}

// format computes format(text, arguments...): {0} is the first argument, {{ and }}
// are braces.
func (x *evaluator) format(args []Value) Value {
	if !args[0].Known() {
		return UnknownString("", "", dependsOf(args...)...)
	}
	s := args[0].text()
	if !x.spend(len(s)) {
		return failed(tooMuch, dependsOf(args...))
	}
	var pieces []piece
	var text []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '{' && c != '}' {
			text = append(text, c)
			continue
		}
		if i+1 < len(s) && s[i+1] == c {
			text = append(text, c)
			i++
			continue
		}
		n, j := 0, i+1
		for j < len(s) && s[j] >= '0' && s[j] <= '9' && n < 1000 {
			n = n*10 + int(s[j]-'0')
			j++
		}
		if c == '}' || j == i+1 || j >= len(s) || s[j] != '}' {
			return failed("format is given a text with a brace that means nothing", dependsOf(args...))
		}
		if n+1 >= len(args) {
			return failed("format names an argument that is not there", dependsOf(args...))
		}
		pieces = append(pieces, piece{text: string(text)}, pieceOf(args[n+1]))
		text = nil
		i = j
	}
	return x.concat(append(pieces, piece{text: string(text)}))
}

func (x *evaluator) join(args []Value) Value {
	if !args[0].Known() {
		return UnknownString("", "", dependsOf(args...)...)
	}
	if args[0].kind != KindArray {
		if args[0].kind == KindObject {
			return String("")
		}
		return String(args[0].text())
	}
	sep := piece{text: ","}
	if len(args) > 1 && (!args[1].Known() || args[1].primitive()) {
		sep = pieceOf(args[1])
	}
	var pieces []piece
	for i, v := range *args[0].array {
		if x.steps--; x.steps < 0 {
			return failed(tooMuch, nil)
		}
		if i > 0 {
			pieces = append(pieces, sep)
		}
		pieces = append(pieces, pieceOf(v))
	}
	return x.concat(pieces)
}
