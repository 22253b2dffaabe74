package pipeline

import (
	"path"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// AzureResolve reads a pipeline of Azure again, with the templates of its own
// repository put where they are used. Read gets a path in the repository, or one
// with the folders before it that root.Path has; it also gets root.Path itself.
// Files of the result says which files there are, and Locate which element stands
// where. The error is the one of reading root; other files that cannot be read are
// Notes, and their uses stay as they are.
//
// Parameters of templates are filled in as Azure does it before a run: ${{ }} in a
// text is replaced, with its place in the file that the value comes from; ${{ if }}
// is decided and ${{ each }} repeated where everything is known. What depends on the
// parameters of the pipeline itself, which whoever starts it chooses, or on variables
// stays open: all branches are present, with Inserted. A template of another
// repository is not read: it is a use of kind UseRemote with the repository and ref
// of the resource.
//
// Azure takes 100 files and 100 levels; templates that use themselves are not
// followed. Work and memory are bounded.
func AzureResolve(root *Pipeline, read func(path string) ([]byte, error)) (*Pipeline, error) {
	b, err := read(root.Path)
	if err != nil {
		return nil, err
	}
	a := newAzure(root.Path)
	a.read = read
	a.work += len(b)
	a.stack = []string{root.Path}
	if f := a.load(root.Path, b); f != nil {
		a.pipeline(f)
	}
	if len(a.p.Files) == 1 {
		a.p.Files = nil
	}
	return a.p, nil
}

// azScope is what names in an expression refer to: the parameters of a template, or
// the variable of a loop within another scope.
type azScope struct {
	file     *azureFile
	template bool
	outer    *azScope
	names    []azBinding
	depth    int
}

// azBinding is one name. Open is one that another value may take the place of: its
// value is a default, or that of one of several branches.
type azBinding struct {
	name, kind string
	open       bool
	value      azNode
	// fields are a pair's key and value, which come from different places.
	fields []azField
}

// azInsertion is a key ${{ if x }}, ${{ elseif x }}, ${{ else }}, ${{ each n in x }}
// or ${{ insert }}.
type azInsertion struct {
	Insertion
	word, variable string
}

func azureInsertion(t Text) (azInsertion, bool) {
	v := strings.TrimSpace(t.Value)
	if !strings.HasPrefix(v, "${{") || !strings.HasSuffix(v, "}}") || len(v) < 5 || len(t.Parts) != 1 {
		return azInsertion{}, false
	}
	v = strings.TrimSpace(v[3 : len(v)-2])
	end := 0
	for end < len(v) && v[end] >= 'a' && v[end] <= 'z' {
		end++
	}
	i := azInsertion{Insertion: Insertion{Text: t, Source: strings.TrimSpace(v[end:])}, word: v[:end]}
	switch {
	case i.word == "if" && i.Source != "":
		i.Kind = InsertIf
	case i.word == "elseif" && i.Source != "":
		i.Kind = InsertElse
	case i.word == "else" && i.Source == "":
		i.Kind = InsertElse
	case i.word == "insert" && i.Source == "":
	case i.word == "each":
		name, list, ok := strings.Cut(i.Source, " in ")
		if !ok {
			return i, false
		}
		i.Kind, i.variable, i.Source = InsertEach, strings.TrimSpace(name), strings.TrimSpace(list)
	default:
		return i, false
	}
	return i, true
}

// azChain is where a chain of if, elseif and else has got to.
type azChain struct {
	state Truth
	open  []string // the conditions that are undecided so far
	begun bool
}

// insert gives the values that stand below an insertion, with the conditions that
// are left.
func (a *azure) insert(c *azChain, ins azInsertion, v azNode) []azNode {
	with := func(i Insertion) azNode {
		v.in = append(v.in[:len(v.in):len(v.in)], i)
		return v
	}
	switch ins.word {
	case "if", "elseif", "else":
		t := True
		if ins.word != "else" {
			t = a.decide(ins.Source, v.scope)
		}
		if ins.word == "if" {
			*c = azChain{begun: true, state: False}
		} else if !c.begun {
			c.state = False // an else without an if: Azure refuses it
		}
		if c.state == True || t == False {
			return nil
		}
		i := ins.Insertion
		i.Not = c.open
		if t == Undecided || c.state == Undecided {
			c.state = Undecided
			i.Source = a.residue(i.Source, v.scope)
			c.open = append(c.open[:len(c.open):len(c.open)], i.Source)
			return []azNode{with(i)}
		}
		c.state = True
		return []azNode{v}
	case "insert":
		return []azNode{v}
	}
	*c = azChain{}
	rows, ok := a.rows(ins.Source, v.scope)
	if !ok {
		return []azNode{with(ins.Insertion)}
	}
	var out []azNode
	for _, row := range rows {
		if v.scope.depth >= azureMaxDepth || !a.spend(1) {
			break
		}
		row.name = ins.variable
		n := v
		n.scope = &azScope{file: v.scope.file, outer: v.scope, names: []azBinding{row}, depth: v.scope.depth + 1}
		n.in = append(v.in[:len(v.in):len(v.in)], row.value.in...)
		out = append(out, n)
	}
	return out
}

// rows are what each goes through: the elements of a list or the pairs of a map.
func (a *azure) rows(source string, scope *azScope) ([]azBinding, bool) {
	if a.read == nil {
		return nil, false
	}
	pair := func(f azField) azBinding {
		key := azField{name: Text{Value: "key"}, azNode: azNode{Data: Data{Kind: DataScalar, Text: f.name, Span: f.name.Span}, scope: f.scope}}
		value := azField{name: Text{Value: "value"}, azNode: f.azNode}
		return azBinding{value: azNode{in: f.in, scope: f.scope}, fields: []azField{key, value}}
	}
	var out []azBinding
	if strings.EqualFold(source, "parameters") {
		s := scope.parameters()
		if s == nil {
			return nil, false
		}
		for _, b := range s.names {
			f := azField{name: Text{Value: b.name}, azNode: b.value}
			f.in = nil
			out = append(out, pair(f))
		}
		return out, true
	}
	n, _, ok := a.find(source, scope)
	if !ok {
		return nil, false
	}
	n = a.settle(n)
	switch {
	case n.Kind == DataList:
		for _, i := range a.items(n) {
			out = append(out, azBinding{value: i})
		}
	case n.Kind == DataMap:
		for _, f := range a.fields(n) {
			out = append(out, pair(f))
		}
	case n.isNull() || n.Kind == DataScalar && n.Text.Value == "":
	default:
		return nil, false
	}
	return out, true
}

// parameters is the scope that has the parameters of the template.
func (s *azScope) parameters() *azScope {
	for ; s != nil; s = s.outer {
		if s.template {
			return s
		}
	}
	return nil
}

// fields are the entries of a map, insertions laid flat.
func (a *azure) fields(n azNode) []azField {
	n = a.settle(n)
	if n.Kind != DataMap || !a.enter() {
		return nil
	}
	defer a.leave()
	out := make([]azField, 0, len(n.Fields))
	var chain azChain
	for _, f := range n.Fields {
		if !a.spend(1) {
			break
		}
		v := azNode{Data: f.Value, scope: n.scope, in: n.in}
		ins, ok := azureInsertion(f.Name)
		if !ok {
			chain = azChain{}
			name := f.Name
			if len(name.Parts) > 0 {
				name = a.expand(name, n.scope)
			}
			out = append(out, azField{name, v})
			continue
		}
		for _, body := range a.insert(&chain, ins, v) {
			below := a.fields(body)
			a.spend(len(below) / 2)
			out = append(out, below...)
		}
	}
	return out
}

// items are the elements of a list, insertions laid flat. A single value is a list
// of one.
func (a *azure) items(n azNode) []azNode {
	n = a.settle(n)
	var out []azNode
	if !a.enter() {
		return nil
	}
	defer a.leave()
	switch n.Kind {
	case DataScalar:
		if !n.isNull() {
			out = append(out, n)
		}
	case DataMap:
		// Insertions of items, in place of a list.
		var chain azChain
		for _, f := range n.Fields {
			if ins, ok := azureInsertion(f.Name); ok && a.spend(1) {
				for _, body := range a.insert(&chain, ins, azNode{Data: f.Value, scope: n.scope, in: n.in}) {
					below := a.items(body)
					a.spend(len(below) / 2)
					out = append(out, below...)
				}
			}
		}
	case DataList:
		out = make([]azNode, 0, len(n.Items))
		var chain azChain
		for _, i := range n.Items {
			if !a.spend(1) {
				break
			}
			v := azNode{Data: i, scope: n.scope, in: n.in}
			if i.Kind == DataScalar && a.read != nil && len(i.Text.Parts) == 1 {
				// A list in the place of an item is put in.
				if s := a.settle(v); s.Kind == DataList {
					out = append(out, a.items(s)...)
					continue
				} else if s.Kind == DataMap {
					out = append(out, s)
					continue
				}
			}
			if !azureInserts(i) {
				chain = azChain{}
				out = append(out, v)
				continue
			}
			for _, f := range i.Fields {
				ins, _ := azureInsertion(f.Name)
				for _, body := range a.insert(&chain, ins, azNode{Data: f.Value, scope: n.scope, in: n.in}) {
					below := a.items(body)
					a.spend(len(below) / 2)
					out = append(out, below...)
				}
			}
		}
	}
	return out
}

// azureInserts reports whether an item of a list is there for what stands below it:
// a map of nothing but insertions, of which one has a list or a single value.
func azureInserts(d Data) bool {
	if d.Kind != DataMap || len(d.Fields) == 0 {
		return false
	}
	list := false
	for _, f := range d.Fields {
		if _, ok := azureInsertion(f.Name); !ok {
			return false
		}
		list = list || f.Value.Kind == DataList || f.Value.Kind == DataScalar || azureInserts(f.Value)
	}
	return list
}

// settle follows a value that is nothing but ${{ path }} to what it stands for.
func (a *azure) settle(n azNode) azNode {
	if a.read == nil {
		return n
	}
	for range 32 {
		if n.Kind != DataScalar || len(n.Text.Parts) != 1 {
			return n
		}
		p := n.Text.Parts[0]
		if !azureCompiled(n.Text, p) || p.From != 0 || p.To != len(n.Text.Value) {
			return n
		}
		to, open, ok := a.find(n.Text.Source(p), n.scope)
		if !ok || open && (to.Kind == DataScalar || to.Kind == DataNone) {
			return n
		}
		to.in = n.in
		if to.Kind == DataNone {
			to.Kind, to.Data.Span, to.Text = DataScalar, n.Data.Span, Text{Span: n.Text.Span, Key: n.Text.Key, Plain: true}
		}
		n = to
	}
	return n
}

// azureCompiled reports whether an expression is replaced when the pipeline is
// compiled.
func azureCompiled(t Text, p Interpolation) bool {
	return !p.Open && strings.HasPrefix(t.Value[p.From:], "${{")
}

// find is the value that a path leads to. Open says that the one who starts the
// pipeline may give another.
func (a *azure) find(source string, scope *azScope) (n azNode, open, ok bool) {
	source = strings.TrimSpace(source)
	if !a.spend(1) || len(source) > 1000 {
		return n, false, false
	}
	e, err := ParseExpression(source)
	if err != nil {
		return n, false, false
	}
	name, isPath := pathOf(e.Root)
	if !isPath {
		return n, false, false
	}
	segments := splitPath(name)
	var b azBinding
	found := false
	if len(segments) > 1 && segments[0] == "parameters" {
		s := scope.parameters()
		if s == nil {
			return n, false, false
		}
		for _, c := range s.names {
			if strings.EqualFold(c.name, segments[1]) {
				b, found = c, true
				break
			}
		}
		segments = segments[2:]
		if !found {
			// Azure refuses a parameter that is not declared; of a template in the old
			// form it is empty.
			return azNode{scope: scope}, false, s.outer == nil && len(s.names) > 0 && scope.file.path != a.p.Path
		}
	} else if len(segments) > 0 {
		for s := scope; s != nil && !found; s = s.outer {
			if !s.template && strings.EqualFold(s.names[0].name, segments[0]) {
				b, found = s.names[0], true
			}
		}
		segments = segments[1:]
	}
	if !found {
		return n, false, false
	}
	n = b.value
	for i, name := range segments {
		all := b.fields
		if i > 0 || all == nil {
			if n = a.settle(n); n.Kind == DataScalar && len(n.Text.Parts) > 0 && n.Text.Value != "" {
				return n, false, false
			}
			all = a.fields(n)
		}
		next := azNode{scope: n.scope}
		for _, f := range all {
			if strings.EqualFold(f.name.Value, name) {
				if len(f.in) > len(n.in) {
					return n, false, false // one of several branches
				}
				next = f.azNode
				break
			}
			if strings.Contains(f.name.Value, "${{") {
				return n, false, false
			}
		}
		n = next
	}
	return n, b.open, true
}

// expand replaces what is known of a text. Places lead to where each piece comes
// from.
func (a *azure) expand(t Text, scope *azScope) Text {
	if a.read == nil || len(t.Parts) == 0 || scope == nil {
		return t
	}
	var b strings.Builder
	var m syntax.TextMap
	at, changed := 0, false
	for _, p := range t.Parts {
		if !azureCompiled(t, p) {
			continue
		}
		sub, ok := a.piece(t, p, scope)
		if !ok {
			continue
		}
		if p.From == 0 && p.To == len(t.Value) {
			sub.Key = t.Key
			if sub.Span.End == 0 {
				sub.Span = t.Span
			}
			return sub
		}
		if a.paste -= len(sub.Value); a.paste < 0 {
			a.limit(t.Span, "templates make more text than is read")
			return t
		}
		b.WriteString(t.Value[at:p.From])
		m.Join(t.Map.Slice(at, p.From))
		b.WriteString(sub.Value)
		if sub.Map.Len() == len(sub.Value) {
			m.Join(sub.Map)
		} else {
			var whole syntax.TextMap
			whole.Add(len(sub.Value), int(p.Span.Start), int(p.Span.End))
			m.Join(whole)
		}
		at, changed = p.To, true
	}
	if !changed {
		return t
	}
	if a.paste -= len(t.Value); a.paste < 0 {
		a.limit(t.Span, "templates make more text than is read")
		return t
	}
	b.WriteString(t.Value[at:])
	m.Join(t.Map.Slice(at, len(t.Value)))
	t.Value, t.Map = b.String(), m
	t.Parts = azureExpressions(t.Value)
	for i := range t.Parts {
		t.Parts[i].Span = t.At(t.Parts[i].From, t.Parts[i].To)
	}
	return t
}

// piece is what an expression in a text becomes.
func (a *azure) piece(t Text, p Interpolation, scope *azScope) (Text, bool) {
	source := t.Source(p)
	n, open, ok := a.find(source, scope)
	if ok && !open {
		if n = a.settle(n); n.Kind == DataScalar {
			return a.nested(n)
		}
		if n.Kind == DataNone {
			return Text{Span: t.Span}, true
		}
		return Text{}, false
	}
	v := a.eval(source, scope)
	if !v.Known() || v.Kind() == KindArray || v.Kind() == KindObject {
		return Text{}, false
	}
	s, _ := v.Text()
	out := Text{Value: s}
	out.Map.Add(len(s), int(p.Span.Start), int(p.Span.End))
	out.Span = p.Span
	out.Parts = azureExpressions(s)
	for i := range out.Parts {
		out.Parts[i].Span = p.Span
	}
	return out, true
}

// nested expands the text of a value that goes into another, to a bounded depth.
func (a *azure) nested(n azNode) (Text, bool) {
	if !a.spend(1) || !a.enter() {
		return Text{}, false
	}
	defer a.leave()
	return a.expand(n.Text, n.scope), true
}

// decide is whether a condition of the template language holds.
func (a *azure) decide(source string, scope *azScope) Truth {
	if a.read == nil {
		return Undecided
	}
	return a.eval(source, scope).Truth()
}

// eval computes an expression of the template language as far as it is known.
func (a *azure) eval(source string, scope *azScope) Value {
	if len(source) > 20_000 || !a.spend(1+len(source)/16) || !a.enter() {
		return Unknown()
	}
	defer a.leave()
	c, err := ParseAzureCondition(source)
	if err != nil {
		return Unknown()
	}
	env := &Environment{Status: StatusAny}
	for _, p := range c.Expression.Paths() {
		n, open, ok := a.find(p.Name, scope)
		if !ok || open {
			continue
		}
		env.Set(p.Name, a.value(n, a.kindOf(p.Name, scope), 0))
	}
	return c.Evaluate(env)
}

// residue is an expression with the parameters that are known put in, since who reads
// it later does not have them.
func (a *azure) residue(source string, scope *azScope) string {
	if a.read == nil || source == "" {
		return source
	}
	e, err := ParseExpression(source)
	if err != nil {
		return source
	}
	var b strings.Builder
	at := 0
	for _, p := range e.Paths() {
		from, to := int(p.Span.Start), int(p.Span.End)
		n, open, ok := a.find(p.Name, scope)
		if !ok || open || from < at || to > len(source) {
			continue
		}
		v := a.value(n, a.kindOf(p.Name, scope), 0)
		if !v.Known() || v.Kind() == KindArray || v.Kind() == KindObject || b.Len() > 10_000 {
			continue
		}
		b.WriteString(source[at:from])
		text, _ := v.Text()
		if v.Kind() == KindString || v.Kind() == KindNull {
			text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
		}
		b.WriteString(text)
		at = to
	}
	b.WriteString(source[at:])
	return b.String()
}

// kindOf is the declared type of a parameter.
func (a *azure) kindOf(name string, scope *azScope) string {
	segments := splitPath(name)
	if len(segments) == 2 && segments[0] == "parameters" {
		if s := scope.parameters(); s != nil {
			for _, b := range s.names {
				if strings.EqualFold(b.name, segments[1]) {
					return b.kind
				}
			}
		}
	}
	return ""
}

// value makes a value of the expression language.
func (a *azure) value(n azNode, kind string, depth int) Value {
	if depth > 20 || !a.spend(1) {
		return Unknown()
	}
	n = a.settle(n)
	switch n.Kind {
	case DataScalar:
		t := a.expand(n.Text, n.scope)
		for _, p := range t.Parts {
			if strings.HasPrefix(t.Value[p.From:], "${{") {
				return Unknown()
			}
		}
		switch {
		case strings.EqualFold(kind, "boolean"):
			return Boolean(strings.EqualFold(t.Value, "true"))
		case strings.EqualFold(kind, "number"):
			return Number(String(t.Value).toNumber())
		}
		return String(t.Value)
	case DataList:
		var out []Value
		for _, i := range a.items(n) {
			if len(i.in) > len(n.in) {
				return Unknown()
			}
			out = append(out, a.value(i, "", depth+1))
		}
		return Array(out...)
	case DataMap:
		var out []Member
		for _, f := range a.fields(n) {
			if len(f.in) > len(n.in) || strings.Contains(f.name.Value, "${{") {
				return Unknown()
			}
			out = append(out, Member{Name: f.name.Value, Value: a.value(f.azNode, "", depth+1)})
		}
		return Object(out...)
	}
	return Null()
}

// open makes the parameters of the pipeline itself known by their defaults.
func (a *azure) open(scope *azScope, root azNode) {
	for _, b := range a.declared(root) {
		b.open = true
		scope.names = append(scope.names, b)
	}
}

// declared are the parameters of a file with their defaults.
func (a *azure) declared(root azNode) []azBinding {
	var out []azBinding
	for _, f := range a.fields(root) {
		if f.name.Value != "parameters" {
			continue
		}
		if f.Kind == DataMap {
			for _, f := range a.fields(f.azNode) {
				out = append(out, azBinding{name: f.name.Value, value: f.azNode})
			}
			continue
		}
		for _, i := range a.items(f.azNode) {
			var b azBinding
			for _, f := range a.fields(i) {
				switch f.name.Value {
				case "name":
					b.name = f.Text.Value
				case "type":
					b.kind = f.Text.Value
				case "default":
					b.value = f.azNode
				}
			}
			if b.value.scope == nil {
				// Without a default it must be given.
				b.value.scope, b.open = root.scope, true
			}
			out = append(out, b)
		}
	}
	return out
}

// template makes a use of the value of "template": path, or path@resource.
func (a *azure) template(t Text, scope *azScope) Use {
	u := Use{Text: t, Kind: UseInvalid}
	v := strings.TrimSpace(t.Value)
	if strings.Contains(v, "${{") || strings.Contains(v, "$(") {
		u.Kind = UseExpression
		return u
	}
	name, alias, other := v, "", false
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		name, alias, other = v[:i], v[i+1:], true
	}
	name = strings.ReplaceAll(name, `\`, "/")
	if name == "" {
		return u
	}
	if !other || strings.EqualFold(alias, "self") {
		u.Kind = UseSelf
		// A path is relative to the file that it stands in, or to the repository.
		if strings.HasPrefix(name, "/") {
			u.Path = "/" + strings.TrimLeft(name, "/")
			return u
		}
		u.Path = path.Join(path.Dir(scope.file.path), name)
		if u.Path == ".." || strings.HasPrefix(u.Path, "../") {
			u.Kind, u.Path = UseInvalid, ""
		}
		return u
	}
	u.Kind, u.Name, u.Path = UseRemote, alias, strings.TrimLeft(name, "/")
	for _, r := range a.p.Resources {
		if r.Kind == "repository" && strings.EqualFold(r.Name.Value, alias) {
			u.Owner, u.Repo, u.Ref, u.RefKind = r.Uses.Owner, r.Uses.Repo, r.Uses.Ref, r.Uses.RefKind
			return u
		}
	}
	a.note(NoteMissing, t.Span, penstock.Span{}, "the repository of a template is not among the resources")
	return u
}

// include reads a template and hands its root, with parameters filled in, to use,
// which reports whether it holds what is asked of it. False leaves the use as it is.
func (a *azure) include(u Use, with azNode, at azNode, use func(root azNode) bool) bool {
	if a.read == nil || u.Kind != UseSelf || at.scope == nil {
		return false
	}
	f := a.openTemplate(u)
	if f == nil {
		return false
	}
	for _, s := range a.stack {
		if s == f.path {
			a.note(NoteLoop, u.Span, penstock.Span{}, "a template uses itself")
			return false
		}
	}
	if len(a.stack) > azureMaxDepth || a.includes >= azureMaxIncludes || !a.spend(10) {
		a.limit(u.Span, "templates in more levels, or used more often, than is read")
		return false
	}
	a.includes++
	scope := &azScope{file: f, template: true, depth: at.scope.depth + 1}
	if scope.depth > azureMaxDepth {
		a.limit(u.Span, "templates in more levels than is read")
		return false
	}
	root := azNode{Data: f.data, scope: scope, in: at.in}
	scope.names = a.declared(root)
	for i := range scope.names {
		scope.names[i].value.in = nil
	}
	for _, g := range a.fields(a.settle(with)) {
		i := slices.IndexFunc(scope.names, func(b azBinding) bool { return strings.EqualFold(b.name, g.name.Value) })
		switch value := g.azNode; {
		case i < 0:
			value.in = nil
			scope.names = append(scope.names, azBinding{name: g.name.Value, value: value})
		case len(g.in) > len(at.in):
			// Given in one branch: which value it has is open.
			value.in = nil
			scope.names[i].value, scope.names[i].open = value, true
		default:
			value.in = nil
			scope.names[i].value, scope.names[i].open = value, false
		}
	}
	a.stack = append(a.stack, f.path)
	ok := use(root)
	a.stack = a.stack[:len(a.stack)-1]
	if !ok {
		a.note(NoteType, u.Span, f.data.Span, "the template has nothing that fits in this place")
	}
	return ok
}

// inside hands the entries of a template with a key to do.
func (a *azure) inside(root azNode, key string, do func(f azField)) bool {
	found := false
	for _, f := range a.fields(root) {
		if f.name.Value == key {
			found = true
			do(f)
		}
	}
	return found
}

// openTemplate reads a file once. The root of the repository is known from the first
// path that begins there: it is a folder above the pipeline, the highest that fits.
func (a *azure) openTemplate(u Use) *azureFile {
	candidates := []string{u.Path}
	if rest, ok := strings.CutPrefix(u.Path, "/"); ok {
		candidates = candidates[:0]
		if a.prefixKnown {
			candidates = append(candidates, path.Join(a.prefix, rest))
		} else {
			dir := path.Dir(a.p.Path)
			candidates = append(candidates, path.Clean(rest))
			for i := 0; i < len(dir) && dir != "."; i++ {
				if dir[i] == '/' {
					candidates = append(candidates, path.Join(dir[:i], rest))
				}
			}
			if dir != "." {
				candidates = append(candidates, path.Join(dir, rest))
			}
		}
	}
	for _, c := range candidates {
		if c == ".." || strings.HasPrefix(c, "../") {
			continue
		}
		if f, ok := a.files[c]; ok {
			if f == nil {
				continue
			}
			return f
		}
		if len(a.files) >= 4*azureMaxFiles || len(a.p.Files) > azureMaxFiles || a.size >= 1<<30 {
			a.limit(u.Span, "more than 100 files, which Azure does not take")
			return nil
		}
		b, err := a.read(c)
		if err != nil {
			a.files[c] = nil
			continue
		}
		if rest, ok := strings.CutPrefix(u.Path, "/"); ok && !a.prefixKnown {
			a.prefixKnown = true
			a.prefix = strings.TrimSuffix(strings.TrimSuffix(c, path.Clean(rest)), "/")
		}
		f := a.load(c, b)
		if f == nil {
			f = &azureFile{path: c}
		}
		return f
	}
	a.note(NoteMissing, u.Span, penstock.Span{}, "a template cannot be read")
	return nil
}
