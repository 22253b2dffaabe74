package pipeline

import (
	"slices"

	"penstock"
	"penstock/internal/syntax"
)

// declarative follows pipeline { ... }. The sections are those of
// https://www.jenkins.io/doc/book/pipeline/syntax/.
func (f *jenkinsFlow) declarative(outer *jenkinsScope, n, body *groovyNode) {
	s := *outer
	s.run = &jenkinsRun{job: -1}
	if f.p.OnSpan.End == 0 {
		f.p.OnSpan = penstock.Span{Start: n.Start, End: body.Start}
	}
	for _, i := range body.Items {
		if path, b := f.section(i); path == "options" && b != nil {
			f.noCheckout = slices.ContainsFunc(b.Items, func(o *groovyNode) bool {
				return o != nil && o.Kind == groovyCall && groovyPath(o.Left) == "skipDefaultCheckout" && !jenkinsFalse(o)
			})
		}
	}
	// What encloses the stages comes first, wherever it stands.
	for _, i := range body.Items {
		switch path, b := f.section(i); path {
		case "agent":
			f.agentSection(&s, i, b)
		case "environment":
			f.environment(&s, b)
		}
	}
	if len(s.env) > 0 {
		f.p.Env = Data{Kind: DataMap, Fields: s.env}
	}
	s.run.gates, s.run.env, s.run.credentials = len(s.gates), len(s.env), len(s.credentials)
	for _, i := range body.Items {
		path, b := f.section(i)
		switch path {
		case "agent", "environment":
		case "parameters":
			for _, p := range f.items(b) {
				f.parameter(p)
			}
		case "triggers":
			for _, t := range f.items(b) {
				f.trigger(t)
			}
		case "libraries":
			for _, l := range f.items(b) {
				if l != nil && l.Kind == groovyCall {
					f.library(groovyArgument(l, ""))
				}
			}
		case "stages":
			f.stages(&s, b)
		case "post":
		case "options", "tools", "":
			f.extra(i, path)
		default:
			f.extra(i, path)
			f.note(NoteType, i.Span, "a section that is not known")
		}
	}
	for _, i := range body.Items {
		if path, b := f.section(i); path == "post" {
			in := s
			in.enter(Text{Value: "post", Span: i.Left.Span}, i.Span)
			f.post(&in, b)
		}
	}
	outer.after()
}

func jenkinsFalse(n *groovyNode) bool {
	a := groovyArgument(n, "")
	return a != nil && a.Kind == groovyLiteral && a.Name == "false"
}

// section is the name of a section and its closure, nil if it has none.
func (f *jenkinsFlow) section(n *groovyNode) (string, *groovyNode) {
	if n == nil || n.Kind != groovyCall {
		return "", nil
	}
	b := groovyBodies(n)
	if len(b) == 0 {
		return groovyPath(n.Left), nil
	}
	return groovyPath(n.Left), b[len(b)-1]
}

func (f *jenkinsFlow) items(b *groovyNode) []*groovyNode {
	if b == nil {
		return nil
	}
	return b.Items
}

func (f *jenkinsFlow) extra(n *groovyNode, path string) {
	if n == nil || len(f.p.Extra) >= 1000 {
		return
	}
	fd := Field{Value: Data{Kind: DataScalar, Span: n.Span, Text: f.source(n)}}
	if n.Left != nil {
		fd.Name = Text{Value: path, Span: n.Left.Span}
	}
	f.p.Extra = append(f.p.Extra, fd)
}

// agentSection reads agent any, none, or a closure that says which.
func (f *jenkinsFlow) agentSection(s *jenkinsScope, n, b *groovyNode) {
	r := RunsOn{Span: n.Span}
	checkout := penstock.Span{}
	if !f.noCheckout {
		checkout = n.Span
	}
	if b == nil {
		a := groovyArgument(n, "")
		if a == nil {
			return
		}
		t := f.text(a)
		t.Parts = nil
		if t.Value == "none" {
			s.run.workspace, s.run.runsOn, s.run.container, s.run.checkout = 0, RunsOn{}, Rare[Container]{}, penstock.Span{}
			return
		}
		f.agent(s, RunsOn{Span: n.Span, Labels: []Text{t}})
		s.run.checkout = checkout
		return
	}
	var c Container
	reuse := false
	var read func(b *groovyNode, depth int)
	read = func(b *groovyNode, depth int) {
		if depth > 3 {
			return
		}
		for _, i := range b.Items {
			path, in := f.section(i)
			if path == "" {
				if i != nil && i.Kind == groovyName {
					// dockerfile, any: words alone
					r.Extra = append(r.Extra, Field{Name: f.source(i)})
				}
				continue
			}
			value := f.text(groovyArgument(i, ""))
			switch path {
			case "label":
				r.Labels = append(r.Labels, value)
			case "node", "docker", "kubernetes", "dockerfile":
				if in != nil {
					read(in, depth+1)
				} else if path == "docker" {
					c.Image, c.Span = value, i.Span
				}
				if path == "kubernetes" || path == "dockerfile" {
					r.Extra = append(r.Extra, Field{Name: Text{Value: path, Span: i.Left.Span}, Value: Data{Kind: DataScalar, Span: i.Span, Text: f.source(i)}})
				}
			case "image":
				c.Image, c.Span = value, i.Span
			case "args":
				c.Options = value
			case "reuseNode":
				reuse = value.Value == "true"
			case "registryCredentialsId":
				c.Credentials = Data{Kind: DataScalar, Span: value.Span, Text: value}
			default:
				r.Extra = append(r.Extra, Field{Name: Text{Value: path, Span: i.Left.Span}, Value: Data{Kind: DataScalar, Span: i.Span, Text: value}})
			}
		}
	}
	read(b, 0)
	if reuse && s.run.workspace != 0 {
		s.run.container = rare(c)
		return
	}
	f.agent(s, r)
	s.run.container = rare(c)
	s.run.checkout = checkout
}

// environment reads X = 'text', X = credentials('id').
func (f *jenkinsFlow) environment(s *jenkinsScope, b *groovyNode) {
	s.env, s.credentials = slices.Clip(s.env), slices.Clip(s.credentials)
	for _, i := range f.items(b) {
		if i == nil || i.Kind != groovyAssign || i.Left == nil || i.Right == nil {
			continue
		}
		name := f.variable(i.Left)
		name.Plain = true
		if i.Right.Kind == groovyCall && groovyPath(i.Right.Left) == "credentials" {
			c := Credential{Span: i.Span, ID: f.text(groovyArgument(i.Right, "")), Kind: "environment"}
			// The latter two exist for a user name with a password.
			for _, suffix := range []string{"", "_USR", "_PSW"} {
				v := name
				if suffix != "" {
					v.Value, v.Map = v.Value+suffix, syntax.TextMap{}
				}
				c.Variables = append(c.Variables, v)
			}
			s.credentials = append(s.credentials, c)
			continue
		}
		v := f.data(i.Right, 0)
		v.Key = i.Left.Span
		s.env = append(s.env, Field{Name: name, Value: v})
	}
}

// stages follows stages one after the other.
func (f *jenkinsFlow) stages(s *jenkinsScope, b *groovyNode) {
	for _, i := range f.items(b) {
		if path, in := f.section(i); path == "stage" && in != nil {
			f.stage(s, i, in)
		} else if i != nil {
			f.statement(s, i) // a stage that a function or a loop makes
		}
	}
}

// stage follows one stage of a declarative pipeline.
func (f *jenkinsFlow) stage(outer *jenkinsScope, n, b *groovyNode) {
	if outer.depth > jenkinsMaxNest || !f.take(n) {
		return
	}
	s := *outer
	s.depth++
	name := f.text(groovyArgument(n, "name"))
	s.enter(name, n.Span)
	kept := s.run.checkout
	for _, i := range b.Items {
		switch path, in := f.section(i); path {
		case "when":
			if in != nil {
				// What it runs is not behind it.
				w := *outer
				w.enter(name, n.Span)
				w.run.checkout, s.run.checkout = penstock.Span{}, kept
				f.whenExpressions(&w, in, 0)
				s.gate(f.closureGate(in, ClauseWhen))
			}
		case "input":
			s.gate(Clause{Text: f.source(i), Kind: ClauseInput})
		case "environment":
			f.environment(&s, in)
		}
	}
	for _, i := range b.Items {
		if path, in := f.section(i); path == "agent" {
			f.agentSection(&s, i, in)
		}
	}
	s.run.gates, s.run.env, s.run.credentials = len(s.gates), len(s.env), len(s.credentials)
	for _, i := range b.Items {
		path, in := f.section(i)
		switch path {
		case "steps":
			if in != nil {
				f.block(&s, in.Items)
			}
		case "stages":
			f.stages(&s, in)
			s.after()
		case "parallel":
			f.branches(&s, in)
		case "matrix":
			f.matrix(&s, in)
		}
	}
	for _, i := range b.Items {
		if path, in := f.section(i); path == "post" {
			f.post(&s, in)
		}
	}
	// The checkout was made by the first job within, if that is on the same agent.
	outer.run.checkout = s.run.checkout
	if s.run.workspace != outer.run.workspace {
		outer.run.checkout = kept
	}
	outer.after()
}

// whenExpressions follows the expressions of conditions, which may run scripts.
func (f *jenkinsFlow) whenExpressions(s *jenkinsScope, b *groovyNode, depth int) {
	if depth > 16 {
		return
	}
	for _, i := range b.Items {
		switch path, in := f.section(i); {
		case in == nil:
		case path == "expression":
			f.block(s, in.Items)
		default:
			f.whenExpressions(s, in, depth+1)
		}
	}
}

// branches follows the stages of parallel { }.
func (f *jenkinsFlow) branches(s *jenkinsScope, b *groovyNode) {
	before := f.last
	var after []Text
	for _, i := range f.items(b) {
		if path, in := f.section(i); path == "stage" && in != nil {
			f.last = before
			f.stage(s, i, in)
			if len(after) < 64 {
				after = append(after, f.last...)
			}
		}
	}
	f.last = after
}

// matrix follows matrix { axes { } stages { } }, once.
func (f *jenkinsFlow) matrix(outer *jenkinsScope, b *groovyNode) {
	s := *outer
	s.depth++
	m := Data{Kind: DataMap}
	for _, i := range f.items(b) {
		switch path, in := f.section(i); path {
		case "axes":
			m.Span = i.Span
			for _, a := range f.items(in) {
				_, axis := f.section(a)
				fd := Field{Value: Data{Kind: DataList}}
				for _, v := range f.items(axis) {
					switch path, _ := f.section(v); path {
					case "name":
						fd.Name = f.text(groovyArgument(v, ""))
					case "values":
						fd.Value.Span = v.Span
						for _, o := range v.Items {
							fd.Value.Items = append(fd.Value.Items, f.data(o, 0))
						}
					}
				}
				m.Fields = append(m.Fields, fd)
			}
		case "when":
			if in != nil {
				s.gate(f.closureGate(in, ClauseWhen))
			}
		case "environment":
			f.environment(&s, in)
		}
	}
	run := *s.run
	s.run.checkout = penstock.Span{}
	run.strategy = rare(Strategy{Matrix: m})
	s.run = &run
	for _, i := range f.items(b) {
		if path, in := f.section(i); path == "agent" {
			f.agentSection(&s, i, in)
		}
	}
	for _, i := range f.items(b) {
		switch path, in := f.section(i); path {
		case "stages":
			f.stages(&s, in)
		case "post":
			s.after()
			f.post(&s, in)
		}
	}
}

// post follows post { always { } failure { } }.
func (f *jenkinsFlow) post(s *jenkinsScope, b *groovyNode) {
	for _, i := range f.items(b) {
		if path, in := f.section(i); in != nil {
			is := *s
			is.gate(Clause{Text: Text{Value: path, Span: i.Left.Span}, Kind: ClausePost})
			f.block(&is, in.Items)
		}
	}
}

// closureGate is a gate whose text is what stands between the braces.
func (f *jenkinsFlow) closureGate(c *groovyNode, kind ClauseKind) Clause {
	inner := &groovyNode{Span: penstock.Span{Start: c.Start + 1, End: max(c.Start+1, c.End-1)}}
	t := f.source(inner)
	if c.End > c.Start && f.src[c.End-1] != '}' {
		t = f.source(&groovyNode{Span: penstock.Span{Start: c.Start + 1, End: c.End}})
	}
	if n := len(t.Value); n > 0 {
		t.Parts = []Interpolation{{InnerTo: n, To: n, Bare: true, Span: t.Span}}
	} else {
		t.Span = c.Span
	}
	return Clause{Text: t, Kind: kind}
}
