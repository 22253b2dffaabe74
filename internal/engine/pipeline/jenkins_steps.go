package pipeline

import (
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// call follows a call: a step, a block that encloses steps, a function of the file,
// or anything else. Statement says that it stands alone; set is the variable that its
// result is put into.
func (f *jenkinsFlow) call(s *jenkinsScope, n *groovyNode, statement bool, set *groovyNode) {
	path := groovyPath(n.Left)
	if path == "" || s.depth >= jenkinsMaxNest {
		f.chained(s, n)
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	bodies := groovyBodies(n)
	if shell := jenkinsShell(path); shell != "" {
		f.shell(s, n, shell, set)
		return
	}
	if c := s.closure(path); c != nil {
		*c.ran = true
		f.others(s, n)
		in := *s
		in.closures = c.closures
		f.block(&in, c.body.Items)
		return
	}
	if fn := f.functions[path]; fn != nil {
		f.inline(s, n, fn)
		return
	}
	if path == "pipeline" && len(bodies) == 1 {
		f.declarative(s, n, bodies[0])
		return
	}
	switch path {
	case "node":
		in := *s
		id := in.run.id
		in.enter(id, n.Span)
		r := RunsOn{Span: n.Span}
		if l := groovyArgument(n, "label"); l != nil {
			r.Labels = []Text{f.text(l)}
		}
		if id.Value == "" {
			in.run.id = Text{Value: "node", Span: n.Left.Span}
		}
		f.agent(&in, r)
		f.bodies(&in, bodies)
		s.after()
		return
	case "stage":
		name := f.text(groovyArgument(n, "name"))
		if len(bodies) == 0 {
			s.enter(name, n.Span) // the old form, which lasts to the next
			return
		}
		in := *s
		in.enter(name, n.Span)
		f.bodies(&in, bodies)
		s.after()
		return
	case "parallel":
		f.parallel(s, n)
		return
	case "properties":
		f.properties(n)
		return
	case "library", "lib":
		f.library(groovyArgument(n, "identifier"))
		f.libraryAt(n)
		return
	case "withEnv":
		in := *s
		if l := groovyArgument(n, "overrides"); l != nil {
			f.expression(s, l)
			in.env = append(slices.Clip(in.env), f.environmentList(l)...)
		}
		f.bodies(&in, bodies)
		return
	case "dir", "ws":
		in := *s
		in.dir = f.within(s.dir, f.text(groovyArgument(n, "path")), path == "ws")
		f.bodies(&in, bodies)
		return
	case "script", "steps", "timestamps", "catchError", "warnError", "timeout", "retry", "waitUntil", "lock", "ansiColor", "throttle", "container", "nodejs":
		if len(bodies) > 0 {
			f.arguments(n)
			f.others(s, n)
			f.bodies(s, bodies)
			return
		}
	}
	in := *s
	if c, ok := f.container(n, path); ok {
		in.container = &c
	}
	credentials := f.credentials(n, path)
	if len(bodies) > 0 {
		in.credentials = append(slices.Clip(in.credentials), credentials...)
		f.others(s, n)
		// list.each { x -> ... }: x is of what it is called on.
		for _, b := range bodies {
			if m := n.Left; m.Kind == groovyMember && len(b.Params) > 0 && b.Params[0] != "" && m.Left != nil && m.Left.Kind != groovyClosure {
				p := &groovyNode{Kind: groovyName, Name: b.Params[0], Span: penstock.Span{Start: b.Start, End: b.Start}}
				f.add(&in, Step{Span: b.Span, Set: &Assignment{Text{Value: p.Name, Span: b.Span}, Data{Kind: DataScalar, Span: m.Left.Span, Text: f.bare(m.Left)}}})
			}
		}
		f.bodies(&in, bodies)
		return
	}
	f.others(s, n)
	if n.Left.Kind == groovyMember {
		f.expression(s, n.Left.Left)
	}
	if !statement && !jenkinsStep(path) {
		return
	}
	if m := n.Left; m.Kind == groovyMember && (m.Name == "add" || m.Name == "addAll" || m.Name == "append" || m.Name == "push" || m.Name == "put") && m.Left.Kind == groovyName {
		f.grow(s, n, m.Left, n.Items)
		return
	}
	st := Step{Span: n.Span, Call: rare(Text{Value: path, Span: n.Left.Span}), With: f.arguments(n), Credentials: credentials}
	if set != nil {
		st.Set = &Assignment{Name: f.variable(set)}
	}
	f.uses(&st, n, path)
	f.add(s, st)
}

// jenkinsStep reports whether a call within an expression is a step that matters.
func jenkinsStep(path string) bool {
	switch path {
	case "checkout", "git", "svn", "load", "readFile", "readJSON", "readYaml", "readProperties", "fileExists", "writeFile", "httpRequest", "build", "evaluate", "input",
		"unstash", "copyArtifacts", "docker.build", "docker.image", "libraryResource", "readTrusted", "unzip", "untar", "findFiles":
		return true
	}
	return false
}

// closure is the one that a call of the name runs: body(), body.call().
func (s *jenkinsScope) closure(path string) *jenkinsClosure {
	name := strings.TrimSuffix(path, ".call")
	for i := len(s.closures) - 1; i >= 0; i-- {
		if s.closures[i].name == name {
			return &s.closures[i]
		}
	}
	return nil
}

// bodies follows the closures of a call.
func (f *jenkinsFlow) bodies(s *jenkinsScope, bodies []*groovyNode) {
	for _, b := range bodies {
		f.block(s, b.Items)
	}
}

// others follows the arguments that are no closures.
func (f *jenkinsFlow) others(s *jenkinsScope, n *groovyNode) {
	for _, a := range n.Items {
		if a != nil && a.Kind != groovyClosure {
			f.expression(s, a)
		}
	}
}

// chained follows a call on the result of something: docker.image('x').inside { },
// sh(...).trim(), new X().y().
func (f *jenkinsFlow) chained(s *jenkinsScope, n *groovyNode) {
	in := *s
	m := n.Left
	if m != nil && m.Kind == groovyMember && m.Left != nil {
		inner := m.Left
		switch {
		case inner.Kind == groovyCall && (m.Name == "inside" || m.Name == "withRun" || m.Name == "run"):
			f.others(s, inner)
			if c, ok := f.container(inner, groovyPath(inner.Left)); ok {
				if o := groovyArgument(n, "args"); o != nil {
					c.Options = f.text(o)
				}
				in.container = &c
			}
			if groovyPath(inner.Left) == "docker.build" {
				f.call(s, inner, true, nil)
			}
		case inner.Kind == groovyCall && (m.Name == "push" || m.Name == "pull"):
			f.call(s, inner, false, nil)
			f.add(s, Step{Span: n.Span, Call: rare(Text{Value: "docker." + m.Name, Span: m.NameSpan}), With: f.arguments(n)})
		default:
			f.expression(s, inner)
		}
	} else {
		f.expression(s, m)
	}
	for _, a := range n.Items {
		switch {
		case a == nil:
		case a.Kind == groovyClosure:
			if len(a.Params) > 0 && a.Params[0] != "" && m != nil && m.Left != nil {
				f.add(&in, Step{Span: a.Span, Set: &Assignment{Text{Value: a.Params[0], Span: a.Span}, Data{Kind: DataScalar, Span: m.Left.Span, Text: f.bare(m.Left)}}})
			}
			f.block(&in, a.Items)
		default:
			f.expression(s, a)
		}
	}
}

// shell adds a step that runs a script.
func (f *jenkinsFlow) shell(s *jenkinsScope, n *groovyNode, shell string, set *groovyNode) {
	script := groovyArgument(n, "script")
	if script == nil {
		f.others(s, n)
		f.bodies(s, groovyBodies(n))
		return
	}
	f.others(s, n)
	t := f.text(script)
	if !t.IsSet() {
		return
	}
	st := Step{Span: n.Span, Run: Script{Text: t, Shell: rareText(jenkinsInterpreter(t, shell, n.Left.Span))}}
	if l := groovyNamed(n, "label"); l != nil {
		st.Name = f.text(l)
	}
	if set != nil {
		st.Set = &Assignment{Name: f.variable(set)}
	}
	for _, a := range groovyArguments(n) {
		if a.Kind == groovyPair && a.Name != "script" && a.Name != "label" {
			st.With.Kind = DataMap
			st.With.Fields = append(st.With.Fields, f.field(a, 0))
		}
	}
	f.add(s, st)
}

// jenkinsInterpreter is what runs a script: what its first line says if that begins
// with #!, else sh -xe.
func jenkinsInterpreter(t Text, step string, at penstock.Span) Text {
	switch step {
	case "bat":
		return Text{Value: "cmd", Span: at}
	case "sh":
		if line, ok := strings.CutPrefix(t.Value, "#!"); ok {
			if i := strings.IndexAny(line, "\r\n"); i >= 0 {
				line = line[:i]
			}
			return t.cut(2, 2+len(line))
		}
	}
	return Text{Value: step, Span: at}
}

// inline follows the body of a function as if it stood where it is called.
func (f *jenkinsFlow) inline(s *jenkinsScope, n, fn *groovyNode) {
	f.others(s, n)
	f.called[fn] = true
	if len(s.inlined) >= jenkinsMaxInline || slices.Contains(s.inlined, fn) {
		f.bodies(s, groovyBodies(n))
		return
	}
	in := *s
	in.inlined = append(slices.Clip(s.inlined), fn)
	in.closures = nil
	i := 0
	for _, a := range n.Items {
		if a == nil || a.Kind == groovyPair {
			continue
		}
		if i < len(fn.Params) && fn.Params[i] != "" && a.Kind != groovyClosure {
			f.add(&in, Step{Span: a.Span, Set: &Assignment{Text{Value: fn.Params[i], Span: fn.NameSpan}, f.data(a, 0)}})
		}
		if a.Kind == groovyClosure {
			name := ""
			if i < len(fn.Params) {
				name = fn.Params[i]
			}
			in.closures = append(in.closures, jenkinsClosure{name, a, s.closures, new(bool)})
		}
		i++
	}
	// Arguments with names are one map, the first parameter.
	for i := range in.closures {
		if named := groovyNames(n); named && in.closures[i].name != "" {
			// The map is a parameter, too.
			if at := slices.Index(fn.Params, in.closures[i].name); at+1 < len(fn.Params) {
				in.closures[i].name = fn.Params[at+1]
			}
		}
	}
	named := Data{Kind: DataMap, Span: n.Span}
	for _, a := range n.Items {
		if a != nil && a.Kind == groovyPair {
			named.Fields = append(named.Fields, f.field(a, 0))
		}
	}
	if len(named.Fields) > 0 && len(fn.Params) > 0 && fn.Params[0] != "" {
		f.add(&in, Step{Span: n.Span, Set: &Assignment{Text{Value: fn.Params[0], Span: fn.NameSpan}, named}})
	}
	f.statement(&in, fn.Left)
	// Closures that it does not call itself.
	for _, c := range in.closures {
		if !*c.ran {
			f.block(s, c.body.Items)
		}
	}
	if in.run == s.run {
		return
	}
	s.after()
}

// groovyNames reports whether a call has arguments with names.
func groovyNames(n *groovyNode) bool {
	return slices.ContainsFunc(n.Items, func(a *groovyNode) bool { return a != nil && a.Kind == groovyPair })
}

// parallel follows the branches of the step parallel.
func (f *jenkinsFlow) parallel(s *jenkinsScope, n *groovyNode) {
	before := f.last
	var after []Text
	for _, a := range groovyArguments(n) {
		f.last = before
		in := *s
		switch {
		case a.Kind == groovyPair && a.Left != nil && a.Left.Kind == groovyClosure:
			id := Text{Value: a.Name, Span: a.NameSpan}
			if a.Key != nil && a.Key.Kind == groovyString {
				id = *a.Key.Text
			}
			in.enter(id, a.Span)
			f.block(&in, a.Left.Items)
			if len(after) < 64 {
				after = append(after, f.last...)
			}
		default:
			f.expression(&in, a)
		}
	}
	f.last = before
	if len(after) > 0 {
		f.last = after
	}
	s.after()
}

// within joins folders.
func (f *jenkinsFlow) within(outer, inner Text, absolute bool) Text {
	if absolute || outer.Value == "" || strings.HasPrefix(inner.Value, "/") {
		return inner
	}
	inner.Value = strings.TrimSuffix(outer.Value, "/") + "/" + inner.Value
	inner.Map, inner.Parts = syntax.TextMap{}, nil
	if len(inner.Value) > 4096 {
		return outer
	}
	return inner
}

// environmentList are the variables of withEnv(["A=b", ...]).
func (f *jenkinsFlow) environmentList(n *groovyNode) []Field {
	items := []*groovyNode{n}
	if n.Kind == groovyList {
		items = n.Items
	}
	var out []Field
	for _, i := range items {
		if i == nil {
			continue
		}
		t := f.text(i)
		at := strings.IndexByte(t.Value, '=')
		for _, p := range t.Parts {
			if at >= p.From && at < p.To {
				at = -1
				break
			}
		}
		if at < 0 {
			out = append(out, Field{Value: Data{Kind: DataScalar, Span: t.Span, Text: t}})
			continue
		}
		v := t.cut(at+1, len(t.Value))
		if v.Span.End == 0 {
			v.Span = t.Span
		}
		// PATH+X=... puts before what PATH has.
		name, _, _ := strings.Cut(t.Value[:at], "+")
		nt := t.cut(0, len(name))
		out = append(out, Field{Name: nt, Value: Data{Kind: DataScalar, Span: v.Span, Text: v}})
	}
	return out
}

// container is the image of a block that runs its steps in one.
func (f *jenkinsFlow) container(n *groovyNode, path string) (Container, bool) {
	name := ""
	switch path {
	case "docker.image", "withDockerContainer", "docker.inside":
		name = "image"
	case "docker.build":
		name = "image"
	default:
		return Container{}, false
	}
	a := groovyArgument(n, name)
	if a == nil {
		return Container{}, false
	}
	return Container{Span: n.Span, Image: f.text(a)}, true
}

// credentials are those that a step or block names.
func (f *jenkinsFlow) credentials(n *groovyNode, path string) []Credential {
	switch path {
	case "withCredentials":
		var out []Credential
		for _, a := range groovyArguments(n) {
			items := []*groovyNode{a}
			if a.Kind == groovyList {
				items = a.Items
			} else if a.Kind == groovyPair && a.Left != nil && a.Left.Kind == groovyList {
				items = a.Left.Items
			}
			for _, i := range items {
				if i != nil && (i.Kind == groovyCall || i.Kind == groovyMap) {
					out = append(out, f.binding(i))
				}
			}
		}
		return out
	case "sshagent":
		l := groovyArgument(n, "credentials")
		if l == nil {
			return nil
		}
		items := []*groovyNode{l}
		if l.Kind == groovyList {
			items = l.Items
		}
		var out []Credential
		for _, i := range items {
			if i != nil {
				out = append(out, Credential{Span: n.Left.Span, ID: f.text(i), Kind: path, Variables: []Text{{Value: "SSH_AUTH_SOCK", Span: n.Left.Span}}})
			}
		}
		return out
	case "docker.withRegistry":
		var plain []*groovyNode
		for _, a := range n.Items {
			if a != nil && a.Kind != groovyClosure && a.Kind != groovyPair {
				plain = append(plain, a)
			}
		}
		if len(plain) < 2 {
			return nil
		}
		return []Credential{{Span: n.Left.Span, ID: f.text(plain[1]), Kind: path}}
	case "withSonarQubeEnv":
		c := Credential{Span: n.Left.Span, Kind: path, Variables: f.names(n.Left.Span, "SONAR_AUTH_TOKEN")}
		if a := groovyNamed(n, "credentialsId"); a != nil {
			c.ID = f.text(a)
		} else if a := groovyArgument(n, "installationName"); a != nil {
			c.ID = f.text(a)
		}
		return []Credential{c}
	case "withVault":
		return []Credential{{Span: n.Left.Span, Kind: path}}
	}
	var out []Credential
	for _, name := range []string{"credentialsId", "credentials", "credentialId", "authentication"} {
		a := groovyNamed(n, name)
		if a == nil || a.Kind == groovyClosure || a.Kind == groovyList || a.Kind == groovyMap {
			continue
		}
		c := Credential{Span: n.Left.Span, ID: f.text(a), Kind: path}
		if path == "withAWS" {
			c.Variables = f.names(n.Left.Span, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
		}
		out = append(out, c)
	}
	// checkout([$class: 'GitSCM', userRemoteConfigs: [[credentialsId: 'x']]])
	if path == "checkout" || path == "git" {
		f.nestedCredentials(n, n, 0, &out)
	}
	return out
}

func (f *jenkinsFlow) nestedCredentials(call, n *groovyNode, depth int, out *[]Credential) {
	if n == nil || depth > 8 {
		return
	}
	for _, i := range n.Items {
		if i == nil {
			continue
		}
		if i.Kind == groovyPair {
			if depth > 0 && i.Name == "credentialsId" && i.Left != nil && len(*out) < 16 {
				c := Credential{Span: i.Span, ID: f.text(i.Left), Kind: groovyPath(call.Left)}
				if !slices.ContainsFunc(*out, func(o Credential) bool { return o.ID.Span == c.ID.Span }) {
					*out = append(*out, c)
				}
			}
			f.nestedCredentials(call, i.Left, depth+1, out)
			continue
		}
		f.nestedCredentials(call, i, depth+1, out)
	}
}

func (f *jenkinsFlow) names(at penstock.Span, names ...string) []Text {
	var out []Text
	for _, n := range names {
		out = append(out, Text{Value: n, Span: at})
	}
	return out
}

// binding is one of withCredentials: string(credentialsId: 'x', variable: 'Y').
func (f *jenkinsFlow) binding(n *groovyNode) Credential {
	c := Credential{Span: n.Span}
	arguments := n
	if n.Kind == groovyCall {
		c.Kind = groovyPath(n.Left)
	} else {
		arguments = &groovyNode{Items: []*groovyNode{n}}
	}
	for _, a := range groovyArguments(arguments) {
		f.bindingField(&c, a)
	}
	if len(c.Variables) == 0 {
		switch c.Kind {
		case "aws", "AmazonWebServicesCredentialsBinding":
			c.Variables = f.names(n.Span, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
		case "azureServicePrincipal", "AzureCredentialsBinding":
			c.Variables = f.names(n.Span, "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
		}
	}
	return c
}

func (f *jenkinsFlow) bindingField(c *Credential, a *groovyNode) {
	if a.Kind != groovyPair || a.Left == nil {
		return
	}
	switch {
	case a.Name == "credentialsId":
		c.ID = f.text(a.Left)
	case a.Name == "$class":
		c.Kind = f.text(a.Left).Value
	case strings.HasSuffix(a.Name, "Variable") || a.Name == "variable":
		c.Variables = append(c.Variables, f.text(a.Left))
	}
}

// uses says what code a step brings in.
func (f *jenkinsFlow) uses(st *Step, n *groovyNode, path string) {
	switch path {
	case "checkout":
		a := groovyArgument(n, "scm")
		if a == nil {
			if u := f.remote(n); u.Kind != UseNone {
				st.Uses = u
			}
			return
		}
		if a.Kind == groovyName && a.Name == "scm" {
			st.Uses = Use{Text: f.source(a), Kind: UseSelf}
			return
		}
		if a.Kind == groovyCall {
			st.Uses = f.remote(a)
			return
		}
		st.Uses = Use{Text: f.bare(a), Kind: UseExpression}
	case "infra.checkoutSCM", "checkoutSCM":
		// The library that many projects of Jenkins itself use.
		st.Uses = Use{Text: Text{Value: "scm", Span: n.Left.Span}, Kind: UseSelf}
	case "git":
		st.Uses = f.remote(n)
	case "load":
		if a := groovyArgument(n, "path"); a != nil {
			t := f.text(a)
			st.Uses = Use{Text: t, Kind: UseLocal, Path: strings.TrimPrefix(t.Value, "./")}
			if len(t.Parts) > 0 {
				st.Uses.Kind, st.Uses.Path = UseExpression, ""
			}
		}
	}
}

// remote finds address and branch in the arguments of git or checkout.
func (f *jenkinsFlow) remote(n *groovyNode) Use {
	var url, branch *groovyNode
	self := false
	var walk func(n *groovyNode, depth int)
	walk = func(n *groovyNode, depth int) {
		if n == nil || depth > 10 {
			return
		}
		for _, i := range n.Items {
			if i == nil {
				continue
			}
			if i.Kind == groovyPair {
				switch {
				case i.Name == "url" || i.Name == "remote":
					if url == nil {
						url = i.Left
					}
				case i.Name == "branch", i.Name == "name" && depth > 1:
					if branch == nil {
						branch = i.Left
					}
				}
				if p := groovyPath(i.Left); strings.HasPrefix(p, "scm.") {
					self = true
				}
				walk(i.Left, depth+1)
				continue
			}
			walk(i, depth+1)
		}
	}
	walk(n, 0)
	if url == nil {
		for _, a := range n.Items {
			if a != nil && a.Kind == groovyString && groovyPath(n.Left) == "git" {
				url = a
				break
			}
		}
	}
	if url == nil {
		if self {
			return Use{Text: f.source(n), Kind: UseSelf}
		}
		return Use{}
	}
	u := Use{Text: f.text(url), Kind: UseRemote}
	if len(u.Parts) > 0 {
		u.Kind = UseExpression
	}
	if p := groovyPath(url); strings.HasPrefix(p, "scm.") || strings.HasPrefix(p, "env.GIT_URL") || p == "GIT_URL" {
		u.Kind = UseSelf
	}
	u.Name = u.Value
	if branch != nil {
		b := f.text(branch)
		u.Ref = strings.TrimPrefix(b.Value, "*/")
		u.RefKind = refKind(u.Ref)
		if len(b.Parts) > 0 {
			u.RefKind = RefExpression
		}
	}
	return u
}

// annotation takes @Library('a@b') and @Library(['a@b', 'c']).
func (f *jenkinsFlow) annotation(n *groovyNode) {
	if n.Name != "Library" {
		return
	}
	for _, a := range groovyArguments(n) {
		if a.Kind == groovyPair {
			if a.Name != "value" {
				continue
			}
			a = a.Left
		}
		if a != nil && a.Kind == groovyList {
			for _, i := range a.Items {
				f.library(i)
			}
			continue
		}
		f.library(a)
	}
}

// library takes name@version, of which the version may be missing: then the one that
// the server's settings name is used.
func (f *jenkinsFlow) library(n *groovyNode) {
	if n == nil || len(f.p.Libraries) >= 1000 {
		return
	}
	t := f.text(n)
	u := Use{Text: t, Kind: UseRemote}
	name, ref, found := strings.Cut(t.Value, "@")
	u.Name, u.Repo = name, name
	// github.com/owner/repo, which the plugin of GitHub resolves
	if parts := strings.Split(name, "/"); len(parts) == 3 && parts[0] == "github.com" {
		u.Owner, u.Repo = parts[1], parts[2]
	}
	if found && ref != "" {
		u.Ref, u.RefKind = ref, refKind(ref)
		for _, p := range t.Parts {
			if p.To > len(name) {
				u.RefKind = RefExpression
			}
		}
	}
	if len(t.Parts) > 0 && t.Parts[0].From < len(name) {
		u.Kind = UseExpression
	}
	f.p.Libraries = append(f.p.Libraries, u)
}

// libraryAt adds the address that library(identifier:, retriever: modernSCM(...)) names
// to the library that was just read.
func (f *jenkinsFlow) libraryAt(n *groovyNode) {
	r := groovyNamed(n, "retriever")
	if r == nil || len(f.p.Libraries) == 0 {
		return
	}
	if u := f.remote(&groovyNode{Items: []*groovyNode{r}}); u.Kind == UseRemote {
		f.p.Libraries[len(f.p.Libraries)-1].Path = u.Name
	}
}

// properties takes parameters and triggers of a scripted pipeline.
func (f *jenkinsFlow) properties(n *groovyNode) {
	for _, a := range n.Items {
		f.property(a, 0)
	}
}

func (f *jenkinsFlow) property(n *groovyNode, depth int) {
	if n == nil || depth > 4 {
		return
	}
	switch {
	case n.Kind == groovyList:
		for _, i := range n.Items {
			f.property(i, depth+1)
		}
	case n.Kind == groovyCall && groovyPath(n.Left) == "parameters":
		for _, i := range groovyLists(n) {
			f.parameter(i)
		}
	case n.Kind == groovyCall && groovyPath(n.Left) == "pipelineTriggers":
		for _, i := range groovyLists(n) {
			f.trigger(i)
		}
	default:
		if n.Kind != groovyCall {
			return
		}
		f.p.Extra = append(f.p.Extra, Field{Name: Text{Value: "properties", Span: n.Span}, Value: Data{Kind: DataScalar, Span: n.Span, Text: f.source(n)}})
	}
}

// groovyLists are the items of the lists that a call is given, and its other arguments.
func groovyLists(n *groovyNode) []*groovyNode {
	var out []*groovyNode
	for _, a := range n.Items {
		if a != nil && a.Kind == groovyList {
			out = append(out, a.Items...)
		} else if a != nil {
			out = append(out, a)
		}
	}
	return out
}

// parameter takes string(name: 'X', defaultValue: 'y').
func (f *jenkinsFlow) parameter(n *groovyNode) {
	if n == nil || n.Kind != groovyCall && n.Kind != groovyMap {
		return
	}
	in := Input{Span: n.Span}
	args := n
	if n.Kind == groovyMap {
		args = &groovyNode{Items: []*groovyNode{n}}
	} else {
		in.Type = Text{Value: groovyPath(n.Left), Span: n.Left.Span}
	}
	for _, a := range groovyArguments(args) {
		if a.Kind != groovyPair {
			if !in.Name.IsSet() && a.Kind == groovyString {
				in.Name = f.text(a)
			}
			continue
		}
		switch a.Name {
		case "name":
			in.Name = f.text(a.Left)
		case "$class":
			in.Type = f.text(a.Left)
		case "description":
			in.Description = f.text(a.Left)
		case "defaultValue":
			in.Default = f.text(a.Left)
		case "choices":
			if a.Left != nil && a.Left.Kind == groovyList {
				for _, i := range a.Left.Items {
					in.Options = append(in.Options, f.text(i))
				}
			} else {
				in.Options = []Text{f.text(a.Left)}
			}
		default:
			in.Extra = append(in.Extra, f.field(a, 0))
		}
	}
	if len(f.p.Inputs) < 1000 {
		f.p.Inputs = append(f.p.Inputs, in)
	}
}

// trigger takes cron('...') and its kin.
func (f *jenkinsFlow) trigger(n *groovyNode) {
	if n == nil || len(f.p.Triggers) >= 1000 {
		return
	}
	t := Trigger{Span: n.Span}
	switch {
	case n.Kind == groovyCall:
		t.Event = Text{Value: groovyPath(n.Left), Span: n.Left.Span}
	case n.Kind == groovyMap:
		n = &groovyNode{Kind: groovyCall, Span: n.Span, Items: []*groovyNode{n}}
		if c := groovyNamed(n, "$class"); c != nil {
			t.Event = f.text(c)
		}
	case n.Kind == groovyName:
		t.Event = f.source(n)
	default:
		return
	}
	if t.Event.Value == "cron" || t.Event.Value == "pollSCM" || t.Event.Value == "parameterizedCron" {
		t.Schedules = []Schedule{{Cron: f.text(groovyArgument(n, "spec"))}}
	}
	if t.Event.Value == "upstream" {
		if a := groovyArgument(n, "upstreamProjects"); a != nil {
			t.Workflows = []Text{f.text(a)}
		}
	}
	for _, a := range groovyArguments(n) {
		if a.Kind != groovyPair {
			continue
		}
		fd := f.field(a, 0)
		t.Extra = append(t.Extra, fd)
		// The variables of a generic webhook: [[key: 'ref', value: '$.ref']]
		if strings.HasPrefix(a.Name, "generic") && strings.HasSuffix(a.Name, "Variables") {
			for _, i := range fd.Value.Items {
				if k := i.Get("key").Text; k.IsSet() {
					t.Inputs = append(t.Inputs, Input{Name: k, Span: i.Span, Default: i.Get("defaultValue").Text})
				}
			}
		}
	}
	f.p.Triggers = append(f.p.Triggers, t)
}
