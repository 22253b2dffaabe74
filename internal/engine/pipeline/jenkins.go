package pipeline

import (
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Bounds of one Jenkinsfile.
const (
	jenkinsMaxSteps  = 10_000 // with those of functions, once a call
	jenkinsMaxVisits = 400_000
	jenkinsMaxInline = 8 // calls of functions within each other
	jenkinsMaxJobs   = 2_000
	jenkinsMaxNest   = 200 // nodes within each other that are followed
	jenkinsMaxGates  = 64  // around one step; what stands behind more is taken to run
)

// isJenkinsfile reports whether a file of that name is taken for a Jenkinsfile: it
// begins or ends with the word, and its extension is not that of another format.
func isJenkinsfile(name string) bool {
	low := strings.ToLower(name)
	if strings.HasSuffix(low, ".jenkinsfile") {
		return true
	}
	rest, ok := strings.CutPrefix(low, "jenkinsfile")
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	if !strings.ContainsRune(".-_", rune(rest[0])) {
		return false
	}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		switch rest[i+1:] {
		case "md", "markdown", "adoc", "rst", "txt", "html", "htm", "java", "kt", "py", "go", "js", "ts", "rb", "sh", "ps1", "png", "svg", "jpg", "pdf",
			"yml", "yaml", "json", "xml", "toml", "ini", "lock", "log", "diff", "patch", "bak", "orig", "j2", "erb", "tpl", "bats", "c", "h", "cc", "cpp", "cs", "rs", "scala", "css", "gif", "zip", "gz":
			return false
		}
	}
	return true
}

// ParseJenkins reads a Jenkinsfile, declarative or scripted. It never fails: what it
// does not understand is in Notes. b must not change while the result is in use.
//
// A stage, a branch of parallel and what else runs on an agent is a job; jobs follow
// each other as they run, and Job.Workspace says which share a folder. The body of
// conditions, loops and functions of the same file is read as if it ran in the order
// in which it stands, a function at each call; what decides is in Clauses. A function
// that nobody calls is a job of its name. Declarative pipelines check out the
// repository at the start of each agent; that is a step with the call "checkout",
// which stands on the agent.
//
// An expression in a text is a part of it with its signs, ${ and }, or without them
// where texts are put together with +; such a part has no signs, and all that is
// Bare is an expression as a whole. The cost is linear in the size of the file and
// in jenkinsMaxSteps.
func ParseJenkins(file string, kind Kind, b []byte) *Pipeline {
	src := string(b)
	root, comments, problems := readGroovy(src)
	f := &jenkinsFlow{src: src, p: &Pipeline{Forge: Jenkins, Path: file, Kind: kind, Span: root.Span, Comments: comments}}
	for _, p := range problems {
		f.note(NoteSyntax, p.Span, p.Message)
	}
	f.functions = map[string]*groovyNode{}
	f.collect(root.Items, 0)
	s := f.scope()
	f.block(&s, root.Items)
	for _, fn := range f.order {
		if f.called[fn] {
			continue
		}
		s := f.scope()
		s.run.id = Text{Value: fn.Name, Span: fn.NameSpan}
		s.run.span = fn.Span
		s.inlined = append(s.inlined, fn)
		f.statement(&s, fn.Left)
	}
	f.p.Jobs = make([]Job, len(f.jobs))
	for i, j := range f.jobs {
		j.Steps = make([]Step, len(j.steps))
		for k, st := range j.steps {
			j.Steps[k] = *st
		}
		f.p.Jobs[i] = j.Job
	}
	return f.p
}

// jenkinsJob is a job whose steps are still being found. Both are large, so that
// pointers are gathered first.
type jenkinsJob struct {
	Job
	steps []*Step
}

// jenkinsFlow follows a Jenkinsfile as it runs.
type jenkinsFlow struct {
	src       string
	p         *Pipeline
	jobs      []*jenkinsJob
	functions map[string]*groovyNode
	order     []*groovyNode
	called    map[*groovyNode]bool
	steps     int
	visits    int
	spaces    int
	full      bool
	// last are the jobs that ran before.
	last []Text
	// noCheckout is the option skipDefaultCheckout.
	noCheckout bool
}

// jenkinsRun is a job that may be made: by its first step.
type jenkinsRun struct {
	id        Text
	span      penstock.Span
	job       int // -1 if it is not made
	workspace int
	runsOn    RunsOn
	container Rare[Container]
	strategy  Rare[Strategy]
	// gates, env and credentials are how many of the scope's enclose the whole job.
	gates, env, credentials int
	// checkout, if set, is what the repository is checked out for first.
	checkout penstock.Span
}

// jenkinsScope is what encloses a statement. Slices are only appended to, clipped.
type jenkinsScope struct {
	run         *jenkinsRun
	env         []Field
	gates       []Clause
	credentials []Credential
	container   *Container
	dir         Text
	inlined     []*groovyNode
	// closures are those that a function was given, by the names of its parameters.
	closures []jenkinsClosure
	depth    int
}

// jenkinsClosure is a closure that stands where a function is called and runs where
// the function calls it.
type jenkinsClosure struct {
	name string
	body *groovyNode
	// closures are those of the place where it stands.
	closures []jenkinsClosure
	ran      *bool
}

func (f *jenkinsFlow) scope() jenkinsScope { return jenkinsScope{run: &jenkinsRun{job: -1}} }

func (f *jenkinsFlow) note(kind NoteKind, span penstock.Span, message string) {
	if len(f.p.Notes) < maxNotes {
		f.p.Notes = append(f.p.Notes, Note{Kind: kind, Span: span, Message: message})
	}
}

// collect finds the functions of the file.
func (f *jenkinsFlow) collect(items []*groovyNode, depth int) {
	if f.called == nil {
		f.called = map[*groovyNode]bool{}
	}
	for _, n := range items {
		switch {
		case n == nil || depth > 8:
		case n.Kind == groovyFunction && n.Left != nil:
			f.functions[n.Name] = n
			f.order = append(f.order, n)
		case n.Kind == groovyBlock:
			f.collect(n.Items, depth+1)
		}
	}
}

// take reports whether another node may be looked at.
func (f *jenkinsFlow) take(n *groovyNode) bool {
	f.visits++
	if f.visits <= jenkinsMaxVisits && f.steps < jenkinsMaxSteps {
		return true
	}
	if !f.full {
		f.full = true
		f.note(NoteSyntax, n.Span, "the rest of the file is not followed: it is too large")
	}
	return false
}

// add puts a step into the job of the scope, which it may make.
func (f *jenkinsFlow) add(s *jenkinsScope, st Step) {
	run := s.run
	if run.job < 0 {
		if len(f.jobs) >= jenkinsMaxJobs {
			return
		}
		j := Job{ID: run.id, Name: run.id, Span: run.span, RunsOn: run.runsOn, Container: run.container, Workspace: run.workspace, Strategy: run.strategy, Needs: f.last}
		if j.ID.Value == "" {
			j.ID.Value = "script"
		}
		j.Clauses = slices.Clip(s.gates[:min(run.gates, len(s.gates))])
		j.Credentials = slices.Clip(s.credentials[:min(run.credentials, len(s.credentials))])
		if n := min(run.env, len(s.env)); n > 0 {
			j.Env = Data{Kind: DataMap, Fields: slices.Clip(s.env[:n])}
		}
		if j.Span.End == 0 {
			j.Span = st.Span
		}
		f.jobs = append(f.jobs, &jenkinsJob{Job: j})
		run.job = len(f.jobs) - 1
		f.last = []Text{j.ID}
		if run.checkout.End > 0 {
			at := run.checkout
			run.checkout = penstock.Span{}
			f.add(&jenkinsScope{run: run}, Step{
				Span: at, Call: rare(Text{Value: "checkout", Span: at}),
				With: Data{Kind: DataMap, Fields: []Field{{Value: Data{Kind: DataScalar, Span: at, Text: Text{Value: "scm", Span: at}}}}},
				Uses: Use{Text: Text{Value: "scm", Span: at}, Kind: UseSelf},
			})
		}
	}
	f.steps++
	st.Clauses = slices.Clip(s.gates[min(run.gates, len(s.gates)):])
	st.Credentials = append(slices.Clip(s.credentials[min(run.credentials, len(s.credentials)):]), st.Credentials...)
	if env := s.env[min(run.env, len(s.env)):]; len(env) > 0 {
		st.Env = Data{Kind: DataMap, Fields: slices.Clip(env)}
	}
	st.Container = s.container
	if st.Run.IsSet() {
		st.Run.Dir = rareText(s.dir)
	}
	j := f.jobs[run.job]
	j.Span.Start, j.Span.End = min(j.Span.Start, st.Span.Start), max(j.Span.End, st.Span.End)
	j.steps = append(j.steps, &st)
}

// enter begins a new job in the scope, on the same agent.
func (s *jenkinsScope) enter(id Text, span penstock.Span) {
	old := s.run
	s.run = &jenkinsRun{
		id: id, span: span, job: -1, workspace: old.workspace, runsOn: old.runsOn, container: old.container, strategy: old.strategy,
		gates: len(s.gates), env: len(s.env), credentials: len(s.credentials),
	}
	// Whichever job comes first on the agent has the checkout.
	s.run.checkout, old.checkout = old.checkout, penstock.Span{}
}

// after ends the jobs within a scope: what follows them is a job of its own.
func (s *jenkinsScope) after() { s.run.job = -1 }

// agent gives the scope an agent of its own.
func (f *jenkinsFlow) agent(s *jenkinsScope, runsOn RunsOn) {
	f.spaces++
	s.run.workspace, s.run.runsOn, s.run.container = f.spaces, runsOn, Rare[Container]{}
}

func (s *jenkinsScope) gate(g Clause) {
	if len(s.gates) < jenkinsMaxGates {
		s.gates = append(slices.Clip(s.gates), g)
	}
}

// block follows statements one after the other.
func (f *jenkinsFlow) block(outer *jenkinsScope, items []*groovyNode) {
	if outer.depth >= jenkinsMaxNest {
		return
	}
	s := *outer
	s.depth++
	for _, n := range items {
		if n == nil || !f.take(n) {
			continue
		}
		f.statement(&s, n)
		// What follows "if (x) return" runs only without x.
		if n.Kind == groovyIf && n.Right == nil && n.Key != nil && groovyLeaves(n.Left) {
			s.gate(Clause{Text: f.bare(n.Key), Kind: ClauseIf, Not: true})
		}
		if n.Kind == groovyCall && groovyPath(n.Left) == "input" {
			s.gate(Clause{Text: f.source(n), Kind: ClauseInput})
		}
	}
}

// groovyLeaves reports whether a body ends by leaving what encloses it.
func groovyLeaves(n *groovyNode) bool {
	if n == nil {
		return false
	}
	if n.Kind == groovyBlock || n.Kind == groovyClosure {
		if len(n.Items) == 0 {
			return false
		}
		n = n.Items[len(n.Items)-1]
	}
	return n != nil && (n.Kind == groovyReturn && n.Name != "assert" || n.Kind == groovyCall && groovyPath(n.Left) == "error")
}

// statement follows one statement or expression.
func (f *jenkinsFlow) statement(s *jenkinsScope, n *groovyNode) {
	if n == nil || s.depth >= jenkinsMaxNest || !f.take(n) {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	switch n.Kind {
	case groovyFunction, groovyImport:
	case groovyBlock:
		f.block(s, n.Items)
	case groovyClosure:
		f.block(s, n.Items)
	case groovyLabel:
		f.statement(s, n.Left)
	case groovyAnnotate:
		f.annotation(n)
	case groovyIf:
		f.expression(s, n.Key)
		g := Clause{Text: f.bare(n.Key), Kind: ClauseIf}
		in := *s
		in.gate(g)
		f.statement(&in, n.Left)
		if n.Right != nil {
			in := *s
			g.Not = true
			in.gate(g)
			f.statement(&in, n.Right)
		}
	case groovyLoop:
		if k := n.Key; k != nil && k.Kind == groovyBinary && k.Name == "in" && k.Left != nil && k.Left.Kind == groovyName {
			f.set(s, n, k.Left, k.Right)
		} else if k != nil && k.Kind == groovyOther && len(k.Items) == 2 && k.Items[0] != nil && k.Items[0].Kind == groovyName {
			f.set(s, n, k.Items[0], k.Items[1])
		}
		f.expression(s, n.Key)
		f.statement(s, n.Left)
	case groovyTry:
		f.statement(s, n.Left)
		for _, c := range n.Items {
			f.statement(s, c)
		}
	case groovyAssign:
		f.assign(s, n)
	case groovyCall:
		f.call(s, n, true, nil)
	case groovyBinary:
		f.expression(s, n)
		if n.Name == "<<" {
			f.grow(s, n, n.Left, []*groovyNode{n.Right})
		}
	default:
		f.expression(s, n)
	}
}

// grow adds a step that puts more into a list or text.
func (f *jenkinsFlow) grow(s *jenkinsScope, n, to *groovyNode, more []*groovyNode) {
	if groovyPath(to) == "" {
		return
	}
	d := Data{Kind: DataList, Span: n.Span, Items: []Data{{Kind: DataScalar, Span: to.Span, Text: f.bare(to)}}}
	for _, m := range more {
		if m != nil && m.Kind != groovyClosure {
			d.Items = append(d.Items, f.data(m, 0))
		}
	}
	f.add(s, Step{Span: n.Span, Set: &Assignment{f.variable(to), d}})
}

// expression follows the calls in an expression.
func (f *jenkinsFlow) expression(s *jenkinsScope, n *groovyNode) {
	if n == nil || s.depth >= jenkinsMaxNest || !f.take(n) {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	switch n.Kind {
	case groovyName, groovyLiteral, groovyFunction, groovyImport:
		return
	case groovyString:
		for _, e := range n.Exprs {
			f.expression(s, e)
		}
		return
	case groovyCall:
		f.call(s, n, false, nil)
		return
	case groovyClosure, groovyBlock:
		f.block(s, n.Items)
		return
	case groovyIf, groovyLoop, groovyTry, groovyAssign, groovyAnnotate:
		f.statement(s, n)
		return
	case groovyPair:
		// A branch of parallel, or an argument. The key of a computed name is text.
		f.expression(s, n.Left)
		return
	}
	// A chain of operators or members leans to the left, as long as the file lets it.
	for ; n != nil; n = n.Left {
		if !f.take(n) {
			return
		}
		if n.Kind == groovyCall {
			f.call(s, n, false, nil)
			return
		}
		if n.Kind != groovyBinary && n.Kind != groovyMember && n.Kind != groovyIndex {
			if n.Kind == groovyName || n.Kind == groovyLiteral {
				return
			}
			if n.Kind == groovyString || n.Kind == groovyClosure {
				f.expression(s, n)
				return
			}
		}
		f.expression(s, n.Key)
		f.expression(s, n.Right)
		for _, i := range n.Items {
			f.expression(s, i)
		}
	}
}

// assign follows x = ..., and remembers it.
func (f *jenkinsFlow) assign(s *jenkinsScope, n *groovyNode) {
	if n.Right == nil {
		return
	}
	// x = sh(...), x = sh(...).trim()
	v := n.Right
	for range jenkinsMaxNest {
		if v != nil && v.Kind == groovyCall && len(v.Items) <= 1 && v.Left != nil && v.Left.Kind == groovyMember && groovyKeeps(v.Left.Name) && (len(v.Items) == 0 || v.Items[0] == nil || v.Items[0].Kind != groovyClosure) {
			v = v.Left.Left
			continue
		}
		break
	}
	if v != nil && v.Kind == groovyCall && jenkinsShell(groovyPath(v.Left)) != "" {
		f.call(s, v, false, n.Left)
		return
	}
	f.expression(s, n.Right)
	f.set(s, n, n.Left, n.Right)
}

// groovyKeeps reports whether a method without meaning for us returns the text that
// it is called on, or a part of it.
func groovyKeeps(name string) bool {
	switch name {
	case "trim", "toString", "stripIndent", "strip", "split", "tokenize", "readLines", "first", "last", "toLowerCase", "toUpperCase", "stripMargin", "take", "drop":
		return true
	}
	return false
}

// set adds a step that only sets a variable, if its value can be a text.
func (f *jenkinsFlow) set(s *jenkinsScope, n, to, value *groovyNode) {
	if to == nil || value == nil || value.Kind == groovyClosure || value.Kind == groovyLiteral && n.Name == "+=" {
		return
	}
	d := f.data(value, 0)
	if n.Kind == groovyAssign && n.Name == "+=" {
		// What it held before stays in it.
		d = Data{Kind: DataList, Span: n.Span, Items: []Data{{Kind: DataScalar, Span: to.Span, Text: f.bare(to)}, d}}
	}
	f.add(s, Step{Span: n.Span, Set: &Assignment{f.variable(to), d}})
}

// variable is the name of what is assigned to.
func (f *jenkinsFlow) variable(n *groovyNode) Text {
	t := f.source(n)
	if p := groovyPath(n); p != "" {
		t.Value = strings.ReplaceAll(p, "?.", ".")
		if len(t.Value) != int(n.End-n.Start) {
			t.Map = syntax.TextMap{}
		}
	}
	return t
}

// source is the text of a node as it stands in the file.
func (f *jenkinsFlow) source(n *groovyNode) Text {
	if n == nil || n.Start >= n.End || n.End > int64(len(f.src)) {
		return Text{}
	}
	t := Text{Value: f.src[n.Start:n.End], Span: n.Span, Plain: true}
	t.Map.Add(len(t.Value), int(n.Start), int(n.End))
	return t
}

// bare is an expression as a text: one part without signs.
func (f *jenkinsFlow) bare(n *groovyNode) Text {
	t := f.source(n)
	if k := len(t.Value); k > 0 {
		t.Parts = []Interpolation{{InnerTo: k, To: k, Bare: true, Span: t.Span}}
	}
	return t
}

// text is the value of an expression as far as the file says it: a text with its
// expressions, texts joined by +, or else a bare expression.
func (f *jenkinsFlow) text(n *groovyNode) Text {
	for range jenkinsMaxNest {
		if n == nil {
			return Text{}
		}
		if n.Kind == groovyCall && len(n.Items) == 0 && n.Left != nil && n.Left.Kind == groovyMember {
			switch n.Left.Name {
			case "stripMargin":
				return f.text(n.Left.Left).stripMargin()
			case "stripIndent", "trim", "toString":
				n = n.Left.Left
				continue
			}
		}
		if n.Kind == groovyOther && len(n.Items) == 1 {
			n = n.Items[0]
			continue
		}
		break
	}
	switch n.Kind {
	case groovyString:
		return *n.Text
	case groovyLiteral:
		return f.source(n)
	case groovyBinary:
		if n.Name == "+" {
			return f.joined(n)
		}
	}
	return f.bare(n)
}

// joined is the text of a + b + c; what is no text is a part without signs.
func (f *jenkinsFlow) joined(n *groovyNode) Text {
	var operands []*groovyNode
	whole := n.Span
	for n != nil && n.Kind == groovyBinary && n.Name == "+" {
		operands = append(operands, n.Right)
		n = n.Left
	}
	operands = append(operands, n)
	slices.Reverse(operands)
	out := Text{Span: whole}
	var value strings.Builder
	literal := false
	for _, o := range operands {
		if o == nil {
			continue
		}
		var t Text
		if o.Kind == groovyString {
			t = *o.Text
			literal = true
		} else if o.Kind == groovyBinary || o.Kind == groovyCall || o.Kind == groovyOther {
			t = f.text(o)
			for i := range t.Parts {
				t.Parts[i].Bare = false
			}
		} else if t = f.bare(o); len(t.Parts) > 0 {
			t.Parts[0].Bare = false
		}
		at := value.Len()
		for _, p := range t.Parts {
			p.From, p.Inner, p.InnerTo, p.To = p.From+at, p.Inner+at, p.InnerTo+at, p.To+at
			out.Parts = append(out.Parts, p)
		}
		value.WriteString(t.Value)
		out.Map.Join(t.Map)
	}
	if !literal {
		return f.bare(&groovyNode{Span: whole})
	}
	out.Value = value.String()
	return out
}

// stripMargin is the text without the blanks and the bar that its lines begin with.
func (t Text) stripMargin() Text {
	const maxLines = 2000 // each costs a look at the whole map
	if !strings.Contains(t.Value, "|") || strings.Count(t.Value, "\n") > maxLines {
		return t
	}
	out := Text{Span: t.Span, Key: t.Key, Alias: t.Alias}
	var value strings.Builder
	part := 0
	keep := func(from, to int) {
		at := value.Len() - from
		for ; part < len(t.Parts) && t.Parts[part].From < to; part++ {
			p := t.Parts[part]
			p.From, p.Inner, p.InnerTo, p.To = p.From+at, p.Inner+at, p.InnerTo+at, p.To+at
			out.Parts = append(out.Parts, p)
		}
		value.WriteString(t.Value[from:to])
		out.Map.Join(t.Map.Slice(from, to))
	}
	next := 0
	inside := func(at int) int { // the end of the part that holds the offset; offsets grow
		for next < len(t.Parts) && t.Parts[next].To <= at {
			next++
		}
		if next < len(t.Parts) && t.Parts[next].From <= at {
			return t.Parts[next].To
		}
		return at
	}
	for start := 0; start < len(t.Value); {
		from := start
		for from < len(t.Value) && (t.Value[from] == ' ' || t.Value[from] == '\t') {
			from++
		}
		if from < len(t.Value) && t.Value[from] == '|' && inside(from) == from {
			from++
		} else {
			from = start
		}
		end := from
		for end < len(t.Value) {
			if past := inside(end); past > end {
				end = past // line ends of an expression are none of the text
				continue
			}
			end++
			if t.Value[end-1] == '\n' {
				break
			}
		}
		keep(from, end)
		start = end
	}
	out.Value = value.String()
	return out
}

// cut is a part of a text.
func (t Text) cut(from, to int) Text {
	out := Text{Value: t.Value[from:to], Span: t.At(from, to), Map: t.Map.Slice(from, to), Plain: t.Plain}
	for _, p := range t.Parts {
		if p.From >= from && p.To <= to {
			p.From, p.Inner, p.InnerTo, p.To = p.From-from, p.Inner-from, p.InnerTo-from, p.To-from
			out.Parts = append(out.Parts, p)
		}
	}
	return out
}

// data is a value of any shape.
func (f *jenkinsFlow) data(n *groovyNode, depth int) Data {
	if n == nil {
		return Data{}
	}
	d := Data{Span: n.Span}
	if depth > 16 || !f.take(n) {
		d.Kind, d.Text = DataScalar, f.bare(n)
		return d
	}
	switch n.Kind {
	case groovyList, groovyMap:
		d.Kind = DataList
		if n.Kind == groovyMap {
			d.Kind = DataMap
		}
		for _, i := range n.Items {
			if n.Kind == groovyMap {
				d.Fields = append(d.Fields, f.field(i, depth+1))
			} else {
				d.Items = append(d.Items, f.data(i, depth+1))
			}
		}
	default:
		d.Kind, d.Text = DataScalar, f.text(n)
	}
	return d
}

func (f *jenkinsFlow) field(n *groovyNode, depth int) Field {
	if n == nil || n.Kind != groovyPair {
		return Field{Value: f.data(n, depth)}
	}
	name := Text{Value: n.Name, Span: n.NameSpan}
	if n.Key != nil && n.Key.Kind == groovyString {
		name = *n.Key.Text
	}
	v := Field{Name: name, Value: f.data(n.Left, depth)}
	v.Value.Key = n.NameSpan
	v.Value.Text.Key = n.NameSpan
	return v
}

// arguments are those of a call that are no closures; f([a: 1]) is f(a: 1).
func (f *jenkinsFlow) arguments(n *groovyNode) Data {
	d := Data{Kind: DataMap, Span: n.Span}
	for _, a := range groovyArguments(n) {
		if a.Kind != groovyClosure {
			d.Fields = append(d.Fields, f.field(a, 0))
		}
	}
	return d
}

// groovyArguments are the arguments of a call.
func groovyArguments(n *groovyNode) []*groovyNode {
	var out []*groovyNode
	named := slices.ContainsFunc(n.Items, func(b *groovyNode) bool { return b != nil && b.Kind == groovyPair })
	for _, a := range n.Items {
		if a == nil {
			continue
		}
		if a.Kind == groovyMap && !named {
			for _, p := range a.Items {
				if p != nil {
					out = append(out, p)
				}
			}
			continue
		}
		out = append(out, a)
	}
	return out
}

// argument is the one of a name, or the first without a name if there is none.
func groovyArgument(n *groovyNode, name string) *groovyNode {
	var first *groovyNode
	for _, a := range groovyArguments(n) {
		switch {
		case a.Kind == groovyPair && a.Name == name:
			return a.Left
		case a.Kind != groovyPair && a.Kind != groovyClosure && first == nil:
			first = a
		}
	}
	return first
}

// groovyNamed is the argument of a name.
func groovyNamed(n *groovyNode, name string) *groovyNode {
	for _, a := range groovyArguments(n) {
		if a.Kind == groovyPair && a.Name == name {
			return a.Left
		}
	}
	return nil
}

// groovyBodies are the closures that a call is given, bare ones.
func groovyBodies(n *groovyNode) []*groovyNode {
	var out []*groovyNode
	for _, a := range n.Items {
		if a != nil && a.Kind == groovyClosure {
			out = append(out, a)
		}
	}
	return out
}

// groovyPath is a.b.c of a chain of names, with env['X'] as env.X; empty for anything
// else.
func groovyPath(n *groovyNode) string {
	var names []string
	for range 32 {
		switch {
		case n == nil:
			return ""
		case n.Kind == groovyName:
			names = append(names, n.Name)
			slices.Reverse(names)
			return strings.Join(names, ".")
		case n.Kind == groovyMember && n.Name != "":
			names = append(names, n.Name)
			n = n.Left
		case n.Kind == groovyIndex && len(n.Items) == 1 && n.Items[0] != nil && n.Items[0].Kind == groovyString && len(n.Items[0].Exprs) == 0:
			names = append(names, n.Items[0].Text.Value)
			n = n.Left
		default:
			return ""
		}
	}
	return ""
}

// jenkinsShell is the step that runs a script, under whatever object a library has
// it; empty for another.
func jenkinsShell(path string) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch name {
	case "sh", "bat", "powershell", "pwsh":
		if strings.Count(path, ".") <= 1 {
			return name
		}
	}
	return ""
}
