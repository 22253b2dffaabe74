package pipeline

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Bounds of one merged pipeline. GitLab allows 150 includes, and templates eleven
// levels deep; the others are ours.
const (
	maxIncludes      = 150
	maxIncludeDepth  = 20
	maxIncludeBytes  = 16 << 20
	maxExtendsDepth  = 11
	maxReferences    = 10      // one within the other, as GitLab has it
	maxMergedEntries = 2 << 20 // that merging looks at, and bytes of inputs put in
	maxMergedValues  = 1 << 18 // that are made of it, at about 0.3 KB each
)

// GitLabTree is what MergeGitLab may see besides the first file. Any function may be
// nil. Paths have slashes and count from the root of the tree.
type GitLabTree struct {
	// Read gives a file; an error means that it is not there.
	Read func(path string) ([]byte, error)
	// List gives the paths of all files below a folder, "" for the root, in order: for
	// includes with wildcards.
	List func(folder string) []string
	// Vendored gives the path in the tree of a copy of what an include of another
	// project, an address, a component or a template means; "" if there is none.
	Vendored func(Include) string
}

// MergeGitLab reads a pipeline as GitLab runs it: with the files that it includes,
// what jobs extend, take over from "default" and refer to, and with the inputs that
// includes give. Whoever starts the pipeline gives those of the first file; so they
// stay as they are.
//
// Elements stand in several files: see Pipeline.Locate. What cannot be read is named
// in Includes, without Found, and what the tree should hold but does not in Notes.
// The cost is linear in the size of all files and of what is made of them; both are
// bounded.
func MergeGitLab(file string, b []byte, tree GitLabTree) *Pipeline {
	kind := Detect(file)
	if kind != KindGitLabPart {
		kind = KindGitLab
	}
	r := newReader(GitLab, file, kind, b, gitlabExpressions)
	r.merges = true
	m := &merger{gitlab: gitlab{reader: r}, tree: tree, parsed: map[string]*gitlabSource{}, work: maxMergedEntries}
	m.commentAt = m.comment
	m.p.Files = []SourceFile{{Path: file, Size: int64(len(b))}}
	m.yamls = []*syntax.YAML{r.y}
	header, body := m.documents(r.y, m.p)
	m.references = bytes.Contains(b, []byte(referenceTag))
	if bytes.Contains(b, []byte("<<")) {
		body = m.mergeKeys(body)
	}
	m.header(header)
	return m.done(m.expand(body, scope{folder: folderOf(file)}))
}

// done makes the pipeline of the map that all files came to.
func (m *merger) done(root *syntax.Node) *Pipeline {
	if root == nil {
		return m.p
	}
	includes := m.p.Includes
	m.left = maxMergedValues
	m.file(m.finish(root))
	m.p.Includes = includes
	for _, jobs := range [][]Job{m.p.Jobs, m.p.Templates} {
		for i := range jobs {
			jobs[i].Incomplete = m.missing[jobs[i].ID.Value]
		}
	}
	m.p.Triggers = gitlabTriggers(m.p)
	return m.p
}

// GitLabChild is the child pipeline that a job of p starts (CI_PIPELINE_SOURCE is
// "parent_pipeline"), made of the files that the job names; nil for a job that starts
// none. Its positions go on from those of p, with the file of p as its first. A file
// that another job makes is in Includes, without Found.
func GitLabChild(p *Pipeline, j *Job, tree GitLabTree) *Pipeline {
	if j.Downstream == nil || len(j.Downstream.Includes) == 0 {
		return nil
	}
	r := newReader(GitLab, p.Path, KindGitLab, nil, gitlabExpressions)
	r.merges = true
	r.p.Span = j.Downstream.Span
	m := &merger{gitlab: gitlab{reader: r}, tree: tree, parsed: map[string]*gitlabSource{}, work: maxMergedEntries, references: true}
	m.commentAt = m.comment
	if m.p.Files = slices.Clone(p.Files); len(m.p.Files) == 0 {
		m.p.Files = []SourceFile{{Path: p.Path, Size: p.Span.End}}
	}
	m.yamls = make([]*syntax.YAML, len(m.p.Files))
	var root *syntax.Node
	for _, in := range j.Downstream.Includes {
		if in.Inputs.Kind == DataNone {
			in.Inputs = j.Downstream.Inputs
		}
		for _, n := range m.include(in, scope{folder: folderOf(p.Path)}) {
			root = m.merge(root, n)
		}
	}
	return m.done(root)
}

// folderOf is the folder of a file, without a slash at the end.
func folderOf(file string) string {
	dir, _ := path.Split(file)
	return strings.TrimSuffix(dir, "/")
}

// merger makes one map of all files, in the way that GitLab does it: maps are joined,
// and of anything else the last counts. The nodes of all files are kept in one space
// of positions.
type merger struct {
	gitlab
	tree   GitLabTree
	parsed map[string]*gitlabSource
	yamls  []*syntax.YAML // of m.p.Files
	// included, size and work are what is used up of the bounds.
	included, work int
	size           int64
	// references says that some file has a reference.
	references bool
	limited    bool

	jobs     map[string]*syntax.Node // of the merged map, extended where that is done
	top      map[string]syntax.Entry
	open     map[string]bool
	missing  map[string]bool // of jobs that extend what is not there
	resolved map[*syntax.Node]*syntax.Node
}

// gitlabSource is a file that was included.
type gitlabSource struct {
	header, body *syntax.Node
	inputs       bool // there is something to put inputs in
}

// scope is where an include stands.
type scope struct {
	// folder is where the root of the repository may be: it, or one above.
	folder string
	// project is that of the file, if it is another; ref its version.
	project, version Text
	foreign          bool
	stack            []string
}

func (m *merger) limit(span penstock.Span, message string) {
	if !m.limited {
		m.limited = true
		m.note(NoteLimit, span, penstock.Span{}, message)
	}
}

func (m *merger) mergeKeys(n *syntax.Node) *syntax.Node {
	return (&mergeKeys{r: m.reader, done: map[*syntax.Node]*syntax.Node{}}).node(n)
}

// comment is the one behind a place in any of the files.
func (m *merger) comment(at int64) *syntax.Comment {
	for i := len(m.p.Files) - 1; i >= 0; i-- {
		f := m.p.Files[i]
		if at < f.Base {
			continue
		}
		if m.yamls[i] == nil {
			return nil
		}
		c := m.yamls[i].CommentAfter(at - f.Base)
		if c == nil {
			return nil
		}
		out := *c
		out.Start += f.Base
		out.End += f.Base
		return &out
	}
	return nil
}

// expand joins a file with what it includes, which the file itself overrides.
func (m *merger) expand(body *syntax.Node, from scope) *syntax.Node {
	if body == nil || body.Kind != syntax.Mapping {
		return body
	}
	list := body.Get("include")
	if list == nil {
		return body
	}
	var includes []Include
	for _, e := range body.Entries {
		if e.Key.Kind == syntax.Scalar && e.Key.Value == "include" && e.Value == list {
			m.gitlab.includes(&includes, e)
		}
	}
	var out *syntax.Node
	for _, in := range includes {
		for _, n := range m.include(in, from) {
			out = m.merge(out, n)
		}
	}
	own := *body
	own.Entries = slices.DeleteFunc(slices.Clone(body.Entries), func(e syntax.Entry) bool {
		return e.Key.Kind == syntax.Scalar && e.Key.Value == "include"
	})
	return m.merge(out, &own)
}

// include finds what an include means, and records it.
func (m *merger) include(in Include, from scope) []*syntax.Node {
	if m.included >= maxIncludes {
		m.limit(in.Span, "more than 150 includes: the rest was not read")
		return nil
	}
	below := from
	var found []string
	switch in.Kind {
	case UseLocal:
		if from.foreign {
			// A file of another project means one of that project.
			in.Project, in.Version = from.project, from.version
			file := in.Use
			in.Use = gitlabProject(in.Project, in.Version)
			in.Text, in.Path = file.Text, file.Path
			found = m.vendored(in)
			break
		}
		found, below.folder = m.local(in.Path, from.folder)
		if len(found) == 0 && m.tree.Read != nil {
			m.note(NoteMissing, in.Span, penstock.Span{}, "the file to include is not in the tree")
		}
	case UseInvalid, UseArtifact:
	default:
		if in.Project.IsSet() && (in.Project.Value == "$CI_PROJECT_PATH" || in.Project.Value == "${CI_PROJECT_PATH}") && !in.Version.IsSet() {
			found, below.folder = m.local(in.Path, from.folder)
			break
		}
		if found = m.vendored(in); len(found) > 0 {
			below.foreign, below.project, below.version = true, in.Project, in.Version
		}
	}
	if len(found) == 0 {
		m.included++
		m.p.Includes = append(m.p.Includes, in)
		return nil
	}
	var out []*syntax.Node
	for _, file := range found {
		if m.included >= maxIncludes {
			m.limit(in.Span, "more than 150 includes: the rest was not read")
			break
		}
		m.included++
		in.Found = file
		m.p.Includes = append(m.p.Includes, in)
		if slices.Contains(from.stack, file) || file == m.p.Path {
			m.note(NoteLoop, in.Span, penstock.Span{}, "the file includes itself")
			continue
		}
		if len(from.stack) >= maxIncludeDepth {
			m.limit(in.Span, "includes are nested too deep: the rest was not read")
			continue
		}
		source := m.source(file, in.Span)
		if source == nil {
			continue
		}
		below.stack = append(slices.Clone(from.stack), file)
		out = append(out, m.expand(m.interpolate(source, in), below))
	}
	return out
}

func (m *merger) vendored(in Include) []string {
	if m.tree.Vendored == nil {
		return nil
	}
	if file := m.tree.Vendored(in); file != "" {
		return []string{path.Clean(file)}
	}
	return nil
}

// local finds files of the repository. Its root is not known: it is looked for from
// the folder of the first file up.
func (m *merger) local(name, folder string) (found []string, root string) {
	const up = 8
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for range up {
		if found = m.match(folder, name); len(found) > 0 || folder == "" {
			return found, folder
		}
		folder = folderOf(folder)
	}
	return nil, folder
}

// match finds the files that a name with wildcards means in a folder: * is any part
// of a name, ** any folders.
func (m *merger) match(folder, name string) []string {
	if !strings.Contains(name, "*") {
		file := path.Join(folder, name)
		if m.parsed[file] != nil || file == m.p.Path {
			return []string{file}
		}
		if m.tree.Read == nil {
			return nil
		}
		b, err := m.tree.Read(file)
		if err != nil {
			return nil
		}
		m.read(file, b)
		return []string{file}
	}
	if m.tree.List == nil {
		return nil
	}
	fixed, _, _ := strings.Cut(name, "*")
	var found []string
	for _, file := range m.tree.List(path.Join(folder, folderOf(fixed))) {
		rest := strings.TrimPrefix(strings.TrimPrefix(file, folder), "/")
		if (strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml")) && len(rest) < maxPatternLength && matchFiles(name, rest) {
			found = append(found, file)
		}
		if len(found) > maxIncludes {
			break
		}
	}
	return found
}

// matchFiles matches a path with a pattern in which * is anything but a slash and **
// anything. The cost is the product of the lengths.
func matchFiles(pattern, name string) bool {
	// at holds, of the pattern's prefixes, which match what was read of the name.
	at := make([]bool, len(pattern)+1)
	step := func(at []bool) {
		for i := 0; i < len(pattern); i++ {
			if at[i] && pattern[i] == '*' {
				at[i+1] = true // nothing
			}
			if at[i] && strings.HasPrefix(pattern[i:], "**/") {
				at[i+3] = true // no folder
			}
		}
	}
	at[0] = true
	step(at)
	for _, c := range []byte(name) {
		next := make([]bool, len(pattern)+1)
		for i := 0; i < len(pattern); i++ {
			if !at[i] {
				continue
			}
			double := i+1 < len(pattern) && pattern[i+1] == '*' || i > 0 && pattern[i-1] == '*'
			switch {
			case pattern[i] == '*' && (c != '/' || double):
				next[i] = true
			case pattern[i] == c:
				next[i+1] = true
			}
		}
		step(next)
		at = next
	}
	return at[len(pattern)]
}

// source is a file of the tree, read once.
func (m *merger) source(file string, at penstock.Span) *gitlabSource {
	s, ok := m.parsed[file]
	if !ok && m.tree.Read != nil {
		if b, err := m.tree.Read(file); err == nil {
			s = m.read(file, b)
		}
	}
	if s == nil {
		m.parsed[file] = nil
		m.note(NoteMissing, at, penstock.Span{}, "the file to include cannot be read")
	}
	return s
}

// read parses a file and moves it behind the others in the space of positions.
func (m *merger) read(file string, b []byte) *gitlabSource {
	last := m.p.Files[len(m.p.Files)-1]
	base := last.Base + last.Size + 1
	m.size += int64(len(b))
	if m.size > maxIncludeBytes {
		m.limit(m.p.Span, "the included files are too large together: the rest was not read")
		return nil
	}
	y := syntax.ReadYAML(b)
	m.p.Files = append(m.p.Files, SourceFile{Path: file, Base: base, Size: int64(len(b))})
	m.yamls = append(m.yamls, y)
	for _, c := range y.Comments {
		c.Start += base
		c.End += base
		m.p.Comments = append(m.p.Comments, c)
	}
	for _, p := range y.Problems {
		m.note(NoteSyntax, penstock.Span{Start: p.Start + base, End: p.End + base}, penstock.Span{}, p.Message)
	}
	moved := shifter{base: base, done: map[*syntax.Node]*syntax.Node{}}
	docs := make([]*syntax.Node, len(y.Documents))
	for i, d := range y.Documents {
		docs[i] = moved.node(d)
	}
	s := &gitlabSource{inputs: bytes.Contains(b, []byte("$[["))}
	var about Pipeline // the span of an included file is not that of the pipeline
	s.header, s.body = m.documents(&syntax.YAML{Documents: docs}, &about)
	if bytes.Contains(b, []byte("<<")) {
		s.body = m.mergeKeys(s.body)
	}
	m.references = m.references || bytes.Contains(b, []byte(referenceTag))
	m.parsed[file] = s
	return s
}

// shifter copies nodes to other positions.
type shifter struct {
	base int64
	done map[*syntax.Node]*syntax.Node
}

func (s shifter) node(n *syntax.Node) *syntax.Node {
	if n == nil {
		return nil
	}
	if out, ok := s.done[n]; ok {
		return out
	}
	out := *n
	out.Span.Start += s.base
	out.Span.End += s.base
	if n.AliasSpan.End > 0 {
		out.AliasSpan.Start += s.base
		out.AliasSpan.End += s.base
	}
	out.Map = n.Map.Shift(int(s.base))
	if len(n.Items) > 0 {
		out.Items = make([]*syntax.Node, len(n.Items))
		for i, c := range n.Items {
			out.Items[i] = s.node(c)
		}
	}
	if len(n.Entries) > 0 {
		out.Entries = make([]syntax.Entry, len(n.Entries))
		for i, e := range n.Entries {
			out.Entries[i] = syntax.Entry{Key: s.node(e.Key), Value: s.node(e.Value)}
		}
	}
	if n.Kind != syntax.Scalar {
		s.done[n] = &out
	}
	return &out
}

// merge joins two maps; over counts where both have a value that is no map.
func (m *merger) merge(base, over *syntax.Node) *syntax.Node {
	if base == nil || over == nil || base.Kind != syntax.Mapping || over.Kind != syntax.Mapping {
		if over == nil {
			return base
		}
		return over
	}
	if len(base.Entries) == 0 {
		return over
	}
	if m.work -= len(base.Entries) + len(over.Entries); m.work < 0 {
		m.limit(over.Span, "the pipeline is too large to be merged: the rest was not")
		return over
	}
	out := &syntax.Node{Kind: syntax.Mapping, Style: over.Style, Tag: over.Tag, Span: over.Span, AliasSpan: over.AliasSpan}
	out.Entries = slices.Clone(base.Entries)
	at := placesOf(out.Entries, len(over.Entries))
	for _, e := range over.Entries {
		i, ok := at(e.Key)
		if !ok {
			out.Entries = append(out.Entries, e)
			continue
		}
		out.Entries[i] = syntax.Entry{Key: e.Key, Value: m.merge(out.Entries[i].Value, e.Value)}
	}
	return out
}

// placesOf looks up the last entry of a key, asked for so many times.
func placesOf(all []syntax.Entry, times int) func(key *syntax.Node) (int, bool) {
	if len(all)*times < 64 {
		return func(key *syntax.Node) (int, bool) {
			for i := len(all) - 1; i >= 0; i-- {
				if k := all[i].Key; k.Kind == syntax.Scalar && key.Kind == syntax.Scalar && k.Value == key.Value {
					return i, true
				}
			}
			return 0, false
		}
	}
	index := make(map[string]int, len(all))
	for i, e := range all {
		if e.Key.Kind == syntax.Scalar {
			index[e.Key.Value] = i
		}
	}
	return func(key *syntax.Node) (int, bool) {
		i, ok := index[key.Value]
		return i, ok && key.Kind == syntax.Scalar
	}
}

// finish does what GitLab does once all files are together: extends, references and
// default.
func (m *merger) finish(root *syntax.Node) *syntax.Node {
	if root.Kind != syntax.Mapping {
		return root
	}
	m.jobs = make(map[string]*syntax.Node, len(root.Entries))
	m.top = make(map[string]syntax.Entry, len(root.Entries))
	m.open, m.missing = map[string]bool{}, map[string]bool{}
	for _, e := range root.Entries {
		if e.Key.Kind == syntax.Scalar {
			m.top[e.Key.Value] = e
		}
	}
	out := *root
	out.Entries = slices.Clone(root.Entries)
	for i, e := range out.Entries {
		if e.Key.Kind == syntax.Scalar && m.top[e.Key.Value].Value == e.Value {
			out.Entries[i].Value = m.extended(e.Key.Value, 0)
		}
	}
	if m.references {
		m.resolved = map[*syntax.Node]*syntax.Node{}
		for i, e := range out.Entries {
			out.Entries[i].Value = m.resolve(e.Value, 0)
		}
	}
	defaults := gitlabDefault(&out)
	for i, e := range out.Entries {
		if isGitLabJob(e) && !strings.HasPrefix(e.Key.Value, ".") {
			out.Entries[i].Value = m.inherit(e.Value, defaults)
		}
	}
	return &out
}

// isGitLabJob reports whether an entry at the top of a file is a job.
func isGitLabJob(e syntax.Entry) bool {
	if e.Key.Kind != syntax.Scalar || e.Value.Kind != syntax.Mapping {
		return false
	}
	switch e.Key.Value {
	case "default", "include", "stages", "types", "variables", "workflow", "spec":
		return false
	}
	return !slices.Contains(gitlabDefaults[:gitlabGlobals], e.Key.Value)
}

// complete reports whether all files are known: only then is something missing.
func (m *merger) complete() bool {
	return !slices.ContainsFunc(m.p.Includes, func(in Include) bool { return in.Found == "" })
}

// extended is the value of a key at the top, joined with what it extends.
func (m *merger) extended(name string, depth int) *syntax.Node {
	if n, ok := m.jobs[name]; ok {
		return n
	}
	own := m.top[name].Value
	if own == nil || own.Kind != syntax.Mapping {
		return own
	}
	list := own.Get("extends")
	if list.IsNull() {
		m.jobs[name] = own
		return own
	}
	if depth > maxExtendsDepth {
		m.missing[name] = true
		m.note(NoteLimit, placeOf(list), penstock.Span{}, "templates extend one another too deep")
		return own
	}
	m.open[name] = true
	var base *syntax.Node
	m.items(syntax.Entry{Value: list}, 0, func(n *syntax.Node) {
		e, ok := m.top[n.Value]
		switch {
		case n.Kind != syntax.Scalar || n.IsNull():
		case !ok || e.Value.Kind != syntax.Mapping:
			m.missing[name] = true
			if m.complete() && !strings.Contains(n.Value, "$[[") {
				m.note(NoteMissing, placeOf(n), penstock.Span{}, "the template to extend is not there")
			}
		case m.open[n.Value]:
			m.note(NoteLoop, placeOf(n), penstock.Span{}, "the template extends itself")
		default:
			base = m.merge(base, m.extended(n.Value, depth+1))
			if m.missing[n.Value] {
				m.missing[name] = true
			}
		}
	})
	delete(m.open, name)
	out := own
	if base != nil {
		if base.Get("extends") != nil {
			c := *base
			c.Entries = slices.DeleteFunc(slices.Clone(base.Entries), func(e syntax.Entry) bool {
				return e.Key.Kind == syntax.Scalar && e.Key.Value == "extends"
			})
			base = &c
		}
		out = m.merge(base, own)
	}
	m.jobs[name] = out
	return out
}

// resolve puts in what references lead to.
func (m *merger) resolve(n *syntax.Node, depth int) *syntax.Node {
	if n == nil || n.Kind != syntax.Mapping && n.Kind != syntax.Sequence {
		return n
	}
	if out, ok := m.resolved[n]; ok {
		if out == nil {
			m.note(NoteLoop, placeOf(n), penstock.Span{}, "a reference leads back to itself")
			return n
		}
		return out
	}
	m.resolved[n] = nil
	out := n
	if n.Tag == referenceTag && n.Kind == syntax.Sequence {
		out = m.target(n, depth)
		m.resolved[n] = out
		return out
	}
	change := func() {
		if out == n {
			c := *n
			c.Items, c.Entries = slices.Clone(n.Items), slices.Clone(n.Entries)
			out = &c
		}
	}
	for i, c := range n.Items {
		if d := m.resolve(c, depth); d != c {
			change()
			out.Items[i] = d
		}
	}
	for i, e := range n.Entries {
		if d := m.resolve(e.Value, depth); d != e.Value {
			change()
			out.Entries[i].Value = d
		}
	}
	m.resolved[n] = out
	return out
}

// target is what one reference leads to, or the reference itself.
func (m *merger) target(n *syntax.Node, depth int) *syntax.Node {
	if depth > maxReferences {
		m.note(NoteLimit, placeOf(n), penstock.Span{}, "references lead to one another too deep")
		return n
	}
	var to *syntax.Node
	for i, c := range n.Items {
		if c.Kind != syntax.Scalar {
			to = nil
			break
		}
		if i > 0 {
			if to = to.Get(c.Value); to == nil {
				break
			}
		} else if to = m.jobs[c.Value]; to == nil {
			if to = m.top[c.Value].Value; to == nil {
				break
			}
		}
	}
	if to == nil {
		if m.complete() {
			m.note(NoteMissing, placeOf(n), penstock.Span{}, "what the reference leads to is not there")
		}
		return n
	}
	to = m.resolve(to, depth+1)
	if to.AliasSpan.End > 0 {
		return to
	}
	c := *to
	c.AliasSpan = placeOf(n)
	return &c
}

// inherit adds to a job what default has and the job lacks.
func (m *merger) inherit(n, defaults *syntax.Node) *syntax.Node {
	allowed := n.Get("inherit").Get("default")
	if len(defaults.Entries) == 0 || n.Get("trigger") != nil || allowed != nil && allowed.Kind == syntax.Scalar && allowed.Value == "false" {
		return n
	}
	out := n
	for _, e := range defaults.Entries {
		key := e.Key.Value
		if !slices.Contains(gitlabDefaults[:], key) || !n.Get(key).IsNull() {
			continue
		}
		if allowed != nil && allowed.Kind == syntax.Sequence && !slices.ContainsFunc(allowed.Items, func(c *syntax.Node) bool { return c.Value == key }) {
			continue
		}
		if out == n {
			c := *n
			c.Entries = slices.Clone(n.Entries)
			out = &c
		}
		out.Entries = slices.DeleteFunc(out.Entries, func(o syntax.Entry) bool { return o.Key.Kind == syntax.Scalar && o.Key.Value == key })
		out.Entries = append(out.Entries, e)
	}
	return out
}

// interpolate puts the inputs of an include into a file, or the defaults of those that
// it does not give. What has neither stays as it is.
func (m *merger) interpolate(s *gitlabSource, in Include) *syntax.Node {
	if !s.inputs || s.body == nil {
		return s.body
	}
	x := interpolator{m: m, inputs: map[string]*syntax.Node{}, done: map[*syntax.Node]*syntax.Node{}}
	if declared := s.header.Get("spec").Get("inputs"); declared != nil {
		for _, e := range declared.Entries {
			if d := e.Value.Get("default"); d != nil {
				x.inputs[e.Key.Value] = d
			}
		}
	}
	for _, f := range in.Inputs.Fields {
		x.inputs[f.Name.Value] = nodeOf(f.Value)
	}
	return x.node(s.body)
}

// nodeOf makes a node of data again.
func nodeOf(d Data) *syntax.Node {
	n := &syntax.Node{Span: d.Span}
	switch d.Kind {
	case DataList:
		n.Kind, n.Tag = syntax.Sequence, "!!seq"
		for _, i := range d.Items {
			n.Items = append(n.Items, nodeOf(i))
		}
	case DataMap:
		n.Kind, n.Tag = syntax.Mapping, "!!map"
		for _, f := range d.Fields {
			n.Entries = append(n.Entries, syntax.Entry{Key: nodeOf(Data{Kind: DataScalar, Text: f.Name, Span: f.Name.Span}), Value: nodeOf(f.Value)})
		}
	default:
		n.Kind, n.Tag = syntax.Scalar, "!!str"
		n.Value, n.Map, n.Span, n.AliasSpan = d.Text.Value, d.Text.Map, d.Text.Span, d.Text.Alias
		if !d.Text.Plain {
			n.Style = syntax.DoubleQuoted
		}
	}
	return n
}

// interpolator replaces $[[ inputs.name ]] in a file. The bytes of a value stand where
// the expression stands.
type interpolator struct {
	m      *merger
	inputs map[string]*syntax.Node
	done   map[*syntax.Node]*syntax.Node
}

func (x *interpolator) node(n *syntax.Node) *syntax.Node {
	if n.Kind == syntax.Scalar {
		if !strings.Contains(n.Value, "$[[") {
			return n
		}
		return x.scalar(n)
	}
	if out, ok := x.done[n]; ok {
		return out
	}
	out := n
	change := func() {
		if out == n {
			c := *n
			c.Items, c.Entries = slices.Clone(n.Items), slices.Clone(n.Entries)
			out = &c
		}
	}
	for i, c := range n.Items {
		if d := x.node(c); d != c {
			change()
			out.Items[i] = d
		}
	}
	for i, e := range n.Entries {
		key := e.Key
		if key.Kind == syntax.Scalar {
			if k := x.node(key); k.Kind == syntax.Scalar {
				key = k
			}
		}
		if value := x.node(e.Value); key != e.Key || value != e.Value {
			change()
			out.Entries[i] = syntax.Entry{Key: key, Value: value}
		}
	}
	x.done[n] = out
	return out
}

func (x *interpolator) scalar(n *syntax.Node) *syntax.Node {
	parts := gitlabExpressions(n.Value)
	if len(parts) == 1 && strings.TrimSpace(n.Value[:parts[0].From]+n.Value[parts[0].To:]) == "" {
		v := x.value(n, parts[0])
		if v == nil {
			return n
		}
		if v.Kind != syntax.Scalar {
			c := *v
			c.AliasSpan = placeOf(n)
			return &c
		}
	}
	out := *n
	out.Map = syntax.TextMap{}
	var text strings.Builder
	keep := func(from, to int) {
		text.WriteString(n.Value[from:to])
		out.Map.Join(n.Map.Slice(from, to))
	}
	at := 0
	for _, p := range parts {
		v := x.value(n, p)
		if v == nil {
			continue
		}
		value := v.Value
		if v.Kind != syntax.Scalar {
			value = jsonOf(v)
		}
		if x.m.work -= 1 + len(value); x.m.work < 0 {
			x.m.limit(n.Span, "the pipeline is too large to be merged: the rest was not")
			break
		}
		keep(at, p.From)
		where := n.Map.Span(p.From, p.To)
		if value != "" {
			text.WriteString(value)
			var m syntax.TextMap
			m.Add(len(value), int(where.Start), int(where.End))
			out.Map.Join(m)
		}
		at = p.To
	}
	keep(at, len(n.Value))
	out.Value = text.String()
	return &out
}

// value is the input that an expression asks for; nil if it is not known.
func (x *interpolator) value(n *syntax.Node, p Interpolation) *syntax.Node {
	if p.Open || !strings.HasPrefix(n.Value[p.From:], "$[[") {
		return nil
	}
	source, functions, _ := strings.Cut(n.Value[p.Inner:p.InnerTo], "|")
	name, ok := strings.CutPrefix(strings.TrimSpace(source), "inputs.")
	if !ok {
		return nil // $[[ component.sha ]], $[[ matrix.X ]]
	}
	v := x.inputs[name]
	if v == nil {
		x.m.note(NoteMissing, n.Map.Span(p.From, p.To), penstock.Span{}, "an input that has no value")
		return nil
	}
	for functions != "" {
		var f string
		f, functions, _ = strings.Cut(functions, "|")
		v = interpolated(strings.TrimSpace(f), v)
	}
	return v
}

// interpolated applies one function of $[[ ]]. Of expand_vars nothing is known but
// that the variables will be in its place, so they stay.
func interpolated(call string, v *syntax.Node) *syntax.Node {
	name, args, _ := strings.Cut(strings.TrimSuffix(call, ")"), "(")
	if v.Kind != syntax.Scalar {
		return v
	}
	c := *v
	switch strings.TrimSpace(name) {
	case "truncate":
		from, length, _ := strings.Cut(args, ",")
		i, err1 := strconv.Atoi(strings.TrimSpace(from))
		n, err2 := strconv.Atoi(strings.TrimSpace(length))
		if err1 != nil || err2 != nil || i < 0 || n < 0 {
			return v
		}
		i = min(i, len(v.Value))
		n = min(n, len(v.Value)-i)
		c.Value, c.Map = v.Value[i:i+n], v.Map.Slice(i, i+n)
	case "posix_escape":
		// The bytes of its map are not asked for: where it is put in, they stand at
		// the place of the expression.
		var text strings.Builder
		for _, b := range []byte(v.Value) {
			if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b >= 0x80 || strings.IndexByte("_-.,:+/@\n", b) >= 0) {
				text.WriteByte('\\')
			}
			text.WriteByte(b)
		}
		c.Value = text.String()
	case "split":
		separator := strings.Trim(strings.TrimSpace(args), `'"`)
		if separator == "" {
			return v
		}
		c = syntax.Node{Kind: syntax.Sequence, Tag: "!!seq", Style: syntax.Flow, Span: v.Span}
		at := 0
		for _, part := range strings.Split(v.Value, separator) {
			if t := strings.TrimSpace(part); t != "" {
				i := *v
				from := at + strings.Index(part, t)
				i.Value, i.Map = t, v.Map.Slice(from, from+len(t))
				c.Items = append(c.Items, &i)
			}
			at += len(part) + len(separator)
		}
	}
	return &c
}

// jsonOf is a list in a text.
func jsonOf(n *syntax.Node) string {
	parts := make([]string, 0, len(n.Items))
	for _, c := range n.Items {
		if c.Kind == syntax.Scalar {
			parts = append(parts, strconv.Quote(c.Value))
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
