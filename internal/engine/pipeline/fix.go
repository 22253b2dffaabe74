package pipeline

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// fixer proposes how to repair a flaw, nil if it knows no way. Where two flaws of a
// file need the same edit, both must propose the very same one; what is put in at one
// place by several is put in one after the other.
type fixer func(e *editor, f *Flaw) *penstock.Fix

// fixers are the repairs by rule.
func fixers() map[string]fixer {
	return map[string]fixer{
		"template-injection": fixTemplate, "template-expansion": fixTemplate, "environment-injection": fixTemplate,
		"output-clobbering": fixTemplate, "agent-output-injection": fixTemplate,
		"unpinned-uses": fixPin, "reusable-mutable-ref": fixPin,
		"missing-permissions": fixMissingPermissions, "excessive-permissions": fixExcessivePermissions,
		"persisted-credentials": fixPersisted, "credentials-in-artifact": fixArtifact, "secrets-inherit": fixInherit,
		"insecure-commands": fixCommands, "debug-enabled": fixVariable, "deprecated-runtime": fixVariable,
		"spoofable-actor": fixActor, "always-true-condition": fixCondition, "unsound-contains": fixContains,
		"dependabot-cooldown": fixCooldown, "dependabot-execution": fixRemoved, "concurrency-limits": fixConcurrency,
		"obfuscation": fixPath, "unsafe-pr-checkout": fixRemoved, "cache-mode-write": fixCacheMode,
		"app-token-not-narrowed": fixAppToken, "self-repository": fixSelf, "agent-tools": fixAgent,
		"missing-provenance":       fixProvenance,
		"untrusted-code-execution": fixPrivileged, "untrusted-checkout": fixPrivileged, "checkout-race": fixPrivileged,
	}
}

// repair gives the flaws their repairs: hygiene only where they are asked for, since
// nearly every file has some and few repairs are looked at.
func (x *Project) repair(flaws []Flaw) {
	all := fixers()
	editors := make(map[string]*editor)
	for i := range flaws {
		f := &flaws[i]
		fix := all[f.Rule]
		if fix == nil || f.Fix != nil || !x.Settings.Repairs && f.tier() == penstock.TierHygiene {
			continue
		}
		e := editors[f.Path]
		if e == nil {
			p := x.byPath[f.Path]
			if p == nil {
				p = x.loaded[f.Path]
			}
			if p == nil || p.Forge != GitHub {
				continue
			}
			e = newEditor(x, p)
			e.flaws = flaws
			editors[f.Path] = e
		}
		f.Fix = fix(e, f)
	}
}

// editor makes edits of one definition.
type editor struct {
	x *Project
	p *Pipeline
	// nl is how lines end.
	nl   string
	read bool
	root *syntax.Node
	// anchored is what anchors says once it has looked.
	anchored Truth
	steps    map[*Step]*stepNames
	needs    map[*Job]*jobNeeds
	byStart  []stepAt // the steps in the order of the file; nil before one is looked for
	// flaws are those of the whole project; apart is what isolation says once it has
	// looked.
	flaws []Flaw
	apart *isolation
	// Of actions of the repository: what localObstacle says, and what their steps need.
	inActions   map[*Pipeline]string
	actionNeeds map[*Pipeline]*jobNeeds
	// inside are the children of large nodes that stand in their place.
	inside map[*syntax.Node][]*syntax.Node
}

func newEditor(x *Project, p *Pipeline) *editor {
	e := &editor{x: x, p: p, nl: "\n", steps: make(map[*Step]*stepNames), needs: make(map[*Job]*jobNeeds)}
	if i := bytes.IndexByte(p.Source, '\n'); i > 0 && p.Source[i-1] == '\r' {
		e.nl = "\r\n"
	}
	return e
}

// tree is the file as nodes. It is read again, since models would be too large with it.
func (e *editor) tree() *syntax.Node {
	if !e.read {
		e.read = true
		if y := syntax.ReadYAML(e.p.Source); len(y.Documents) == 1 && len(y.Problems) == 0 {
			e.root = y.Documents[0]
		}
	}
	return e.root
}

// enclosing are the nodes around a span, outermost first; nil where an edit would show
// at other places, too: in what an alias refers to, or a merge key brings in.
func (e *editor) enclosing(s penstock.Span) []*syntax.Node {
	n := e.tree()
	if n == nil || s.End < s.Start || s.Start == 0 && s.End == 0 {
		return nil
	}
	var all []*syntax.Node
	for {
		if n.Anchor != "" || n.AliasSpan.End > 0 || len(all) > 300 {
			return nil
		}
		all = append(all, n)
		next := e.child(n, s)
		if next == nil {
			return all
		}
		n = next
	}
}

// child is the last child of a node around a span, nil if there is none.
func (e *editor) child(n *syntax.Node, s penstock.Span) *syntax.Node {
	const large = 32
	around := func(c *syntax.Node) bool {
		return c.AliasSpan.End == 0 && c.Span.Contains(s) && (c.Span.End > c.Span.Start || c.Span == s)
	}
	if len(n.Items)+len(n.Entries) < large {
		for _, c := range slices.Backward(children(n)) {
			if around(c) {
				return c
			}
		}
		return nil
	}
	all, known := e.inside[n]
	if !known {
		all = slices.DeleteFunc(slices.Clone(children(n)), func(c *syntax.Node) bool { return c.AliasSpan.End > 0 })
		if e.inside == nil {
			e.inside = make(map[*syntax.Node][]*syntax.Node)
		}
		e.inside[n] = all
	}
	// They stand one behind the other; empty ones may share their place.
	i, _ := slices.BinarySearchFunc(all, s.Start, func(c *syntax.Node, start int64) int {
		if c.Span.Start <= start {
			return -1
		}
		return 1
	})
	for k := i - 1; k >= max(0, i-4); k-- {
		if around(all[k]) {
			return all[k]
		}
	}
	return nil
}

func children(n *syntax.Node) []*syntax.Node {
	if n.Kind == syntax.Sequence {
		return n.Items
	}
	all := make([]*syntax.Node, 0, 2*len(n.Entries))
	for _, c := range n.Entries {
		all = append(all, c.Key, c.Value)
	}
	return all
}

// mapping is the innermost mapping around a span that satisfies a condition.
func (e *editor) mapping(s penstock.Span, is func(*syntax.Node) bool) *syntax.Node {
	for _, n := range slices.Backward(e.enclosing(s)) {
		if n.Kind == syntax.Mapping && is(n) {
			return n
		}
	}
	return nil
}

// editable reports whether a span stands at one place of the definition alone.
func (e *editor) editable(s penstock.Span) bool { return !e.anchors() || e.enclosing(s) != nil }

// anchors reports whether the file may have anchors, without reading it again.
func (e *editor) anchors() bool {
	if e.anchored == Undecided {
		e.anchored = False
		b := e.p.Source
		for i := 1; i+1 < len(b); i++ {
			if b[i] == '&' && wordByte(b[i+1]) && strings.IndexByte(" \t\r\n[{,:-", b[i-1]) >= 0 {
				e.anchored = True
				break
			}
		}
		// Without an anchor there is nothing to refer to, nor to merge.
		if len(b) > 0 && b[0] == '&' || len(e.p.Notes) > 0 {
			e.anchored = True
		}
	}
	return e.anchored == True
}

// stepNode is the node of a step made from the model, nil where that does not tell all.
// Most repairs of a file need no more, and to read it again takes as long as all else.
func (e *editor) stepNode(s *Step) *syntax.Node {
	if e.anchors() || len(s.Wait) > 0 || len(s.Parallel) > 0 || s.Span.Start >= int64(len(e.p.Source)) || e.p.Source[s.Span.Start] == '{' {
		return nil
	}
	n := &syntax.Node{Kind: syntax.Mapping, Span: s.Span}
	text := func(key string, t Text) {
		if t.IsSet() {
			n.Entries = append(n.Entries, syntax.Entry{Key: keyNode(key, t.Key), Value: e.textNode(t)})
		}
	}
	text("id", s.ID)
	text("name", s.Name)
	text("if", s.If)
	text("uses", s.Uses.Text)
	text("run", s.Run.Text)
	text("shell", *s.Run.Shell.Get())
	text("working-directory", *s.Run.Dir.Get())
	text("continue-on-error", *s.ContinueOnError.Get())
	text("timeout-minutes", *s.Timeout.Get())
	text("background", *s.Background.Get())
	text("wait-all", *s.WaitAll.Get())
	text("cancel", *s.Cancel.Get())
	for _, d := range []struct {
		key string
		Data
	}{{"with", s.With}, {"env", s.Env}} {
		if d.Kind != DataNone {
			n.Entries = append(n.Entries, syntax.Entry{Key: keyNode(d.key, d.Key), Value: e.dataNode(d.Data)})
		}
	}
	for _, f := range s.Extra {
		if !f.Name.IsSet() {
			return nil
		}
		n.Entries = append(n.Entries, syntax.Entry{Key: keyNode(f.Name.Value, f.Name.Span), Value: e.dataNode(f.Value)})
	}
	slices.SortFunc(n.Entries, func(a, b syntax.Entry) int { return cmp.Compare(a.Key.Span.Start, b.Key.Span.Start) })
	if len(n.Entries) == 0 || n.Entries[0].Key.Span.Start != s.Span.Start {
		return nil
	}
	return n
}

func keyNode(key string, s penstock.Span) *syntax.Node {
	return &syntax.Node{Kind: syntax.Scalar, Value: key, Span: s}
}

func (e *editor) textNode(t Text) *syntax.Node {
	return &syntax.Node{Kind: syntax.Scalar, Value: t.Value, Span: t.Span, AliasSpan: t.Alias}
}

func (e *editor) dataNode(d Data) *syntax.Node {
	switch d.Kind {
	case DataScalar:
		return e.textNode(d.Text)
	case DataList:
		return &syntax.Node{Kind: syntax.Sequence, Span: d.Span}
	}
	n := &syntax.Node{Kind: syntax.Mapping, Span: d.Span}
	if d.Span.Start < int64(len(e.p.Source)) && e.p.Source[d.Span.Start] == '{' {
		n.Style = syntax.Flow
	}
	for _, f := range d.Fields {
		n.Entries = append(n.Entries, syntax.Entry{Key: keyNode(f.Name.Value, f.Name.Span), Value: e.dataNode(f.Value)})
	}
	return n
}

// step is the step around a span with its node; both nil if there is none that can be
// edited.
func (e *editor) step(s penstock.Span) (*stepAt, *syntax.Node) {
	if e.byStart == nil {
		e.byStart = slices.SortedStableFunc(e.p.steps(), func(a, b stepAt) int { return cmp.Compare(a.Step.Span.Start, b.Step.Span.Start) })
	}
	// Steps do not overlap, but the same one may be there by several aliases.
	i, _ := slices.BinarySearchFunc(e.byStart, s.Start, func(at stepAt, start int64) int {
		if at.Step.Span.Start <= start {
			return -1
		}
		return 1
	})
	for i > 1 && e.byStart[i-2].Step.Span == e.byStart[i-1].Step.Span {
		i--
	}
	if i == 0 || !e.byStart[i-1].Step.Span.Contains(s) {
		return nil, nil
	}
	at := &e.byStart[i-1]
	if n := e.stepNode(at.Step); n != nil {
		return at, n
	}
	if n := e.mapping(s, func(n *syntax.Node) bool { return n.Span == at.Step.Span }); n != nil {
		return at, n
	}
	return nil, nil
}

// job is the job around a span with its node.
func (e *editor) job(s penstock.Span) (*Job, *syntax.Node) {
	for i := range e.p.Jobs {
		if j := &e.p.Jobs[i]; j.Span.Contains(s) {
			return j, e.jobNode(j)
		}
	}
	return nil, nil
}

// jobNode is the mapping of a job, nil if it cannot be edited.
func (e *editor) jobNode(j *Job) *syntax.Node {
	jobs := e.tree().Get("jobs")
	if jobs == nil || e.enclosing(j.ID.Span) == nil {
		return nil
	}
	for _, entry := range jobs.Entries {
		if v := entry.Value; entry.Key.Span == j.ID.Span && v.Kind == syntax.Mapping && v.AliasSpan.End == 0 && v.Anchor == "" {
			return v
		}
	}
	return nil
}

func (e *editor) edit(s penstock.Span, text string) penstock.Edit {
	return penstock.Edit{Path: e.p.Path, Span: s, Text: text}
}

func (e *editor) insert(at int64, text string) penstock.Edit {
	return e.edit(penstock.Span{Start: at, End: at}, text)
}

// nodeEntry is the entry of a mapping with that key; its value is nil if there is none.
func nodeEntry(n *syntax.Node, key string) (syntax.Entry, int) {
	for i, entry := range slices.Backward(n.Entries) {
		if entry.Key.Kind == syntax.Scalar && entry.Key.Value == key && !entry.IsMerge() {
			return entry, i
		}
	}
	return syntax.Entry{}, -1
}

// endOf is where the line ends on which an entry does, before its line break.
func (e *editor) endOf(entry syntax.Entry) int64 { return e.lastLine(whole(entry).End) }

// lastLine is where the line of the last byte before an offset ends, before its line
// break, which counts for the value of a block.
func (e *editor) lastLine(at int64) int64 {
	if at > 0 && e.p.Source[at-1] == '\n' {
		at--
		if at > 0 && e.p.Source[at-1] == '\r' {
			at--
		}
	}
	return e.lineEnd(at)
}

// lineEnd is where the line of a byte ends, before its line break.
func (e *editor) lineEnd(at int64) int64 {
	end := int64(len(e.p.Source))
	if i := bytes.IndexByte(e.p.Source[at:], '\n'); i >= 0 {
		end = at + int64(i)
	}
	if end > at && e.p.Source[end-1] == '\r' {
		end--
	}
	return end
}

// column is how many bytes stand before one on its line.
func (e *editor) column(at int64) int {
	start, _ := e.p.line(at)
	if bytes.HasPrefix(e.p.Source[start:], []byte("\xef\xbb\xbf")) {
		start += 3
	}
	return int(at - start)
}

func indent(n int) string { return strings.Repeat(" ", n) }

// unit is by how many columns the file indents.
func (e *editor) unit() int {
	at := penstock.Span{}
	switch {
	case len(e.p.Jobs) > 0:
		at = e.p.Jobs[0].ID.Span
	case e.p.Action != nil:
		at = e.p.Action.Using.Key
	case e.p.Dependabot != nil && len(e.p.Dependabot.Updates) > 0 && e.p.Dependabot.Updates[0].Ecosystem.IsSet():
		return 2
	}
	if n := e.column(at.Start); at.End > 0 && n >= 1 && n <= 8 {
		return n
	}
	return 2
}

// field adds "key: value" to a mapping, or to the mapping that is the value of an
// entry of its: lines that several flaws add the same way come once. The new entry
// stands behind the one of index after.
func (e *editor) field(n *syntax.Node, after int, text string) []penstock.Edit {
	if len(n.Entries) == 0 || n.AliasSpan.End > 0 || n.Anchor != "" || after < 0 {
		return nil
	}
	prev := n.Entries[after]
	if prev.Value.AliasSpan.End == 0 && prev.Value.Anchor == "" && prev.Value.Span.End < prev.Value.Span.Start {
		return nil
	}
	if n.Style == syntax.Flow {
		return []penstock.Edit{e.insert(whole(prev).End, ", "+text)}
	}
	return []penstock.Edit{e.insert(e.endOf(prev), e.nl+indent(e.column(n.Entries[0].Key.Span.Start))+text)}
}

// within adds "name: value" to the mapping under a key of n, which is made behind the
// entry of index after if it is not there. It returns nil if what is there cannot be
// added to.
func (e *editor) within(n *syntax.Node, key string, after int, text string) []penstock.Edit {
	if n.AliasSpan.End > 0 || n.Anchor != "" || len(n.Entries) == 0 || slices.ContainsFunc(n.Entries, syntax.Entry.IsMerge) {
		return nil
	}
	entry, i := nodeEntry(n, key)
	if i < 0 {
		if after < 0 || after >= len(n.Entries) {
			return nil
		}
		if n.Style == syntax.Flow {
			return e.field(n, after, key+": { "+text+" }")
		}
		at, col := e.endOf(n.Entries[after]), e.column(n.Entries[0].Key.Span.Start)
		return []penstock.Edit{e.insert(at, e.nl+indent(col)+key+":"), e.insert(at, e.nl+indent(col+e.unit())+text)}
	}
	v := entry.Value
	switch {
	case v.AliasSpan.End > 0 || v.Anchor != "":
		return nil
	case v.Kind == syntax.Mapping && v.Style == syntax.Flow && len(v.Entries) == 0:
		if n.Style == syntax.Flow || strings.Contains(string(e.p.Source[v.Span.Start:v.Span.End]), "\n") {
			return nil
		}
		return []penstock.Edit{e.edit(v.Span, "{ "+text+" }")}
	case v.Kind == syntax.Mapping && len(v.Entries) > 0:
		if slices.ContainsFunc(v.Entries, syntax.Entry.IsMerge) {
			return nil
		}
		return e.field(v, len(v.Entries)-1, text)
	}
	return nil
}

// remove takes out the entry of a mapping with its line, nil if that cannot be done
// alone. Of a mapping that gets empty, the entry that holds it goes, too.
func (e *editor) remove(s penstock.Span) []penstock.Edit {
	chain := e.enclosing(s)
	for k, n := range slices.Backward(chain) {
		if n.Kind != syntax.Mapping {
			continue
		}
		i := slices.IndexFunc(n.Entries, func(c syntax.Entry) bool { return whole(c).Contains(s) })
		if i < 0 || n.Entries[i].Value.Anchor != "" {
			return nil
		}
		if len(n.Entries) == 1 {
			if k == 0 || chain[k-1].Kind != syntax.Mapping {
				return nil
			}
			s = n.Span
			continue
		}
		entry := n.Entries[i]
		at := whole(entry)
		if n.Style == syntax.Flow {
			if i > 0 {
				return []penstock.Edit{e.edit(penstock.Span{Start: whole(n.Entries[i-1]).End, End: at.End}, "")}
			}
			return []penstock.Edit{e.edit(penstock.Span{Start: at.Start, End: whole(n.Entries[1]).Start}, "")}
		}
		start, _ := e.p.line(at.Start)
		if strings.Trim(string(e.p.Source[start:at.Start]), " \xef\xbb\xbf") != "" {
			// Behind the dash of a list: the next key takes its place.
			if i > 0 {
				return nil
			}
			return []penstock.Edit{e.edit(penstock.Span{Start: at.Start, End: whole(n.Entries[1]).Start}, "")}
		}
		_, end := e.p.line(e.endOf(entry))
		return []penstock.Edit{e.edit(penstock.Span{Start: start, End: end}, "")}
	}
	return nil
}

// scalar writes a text as a scalar: plain where YAML reads that as the same text.
func scalar(text string, flow bool) string {
	if text != "" && !strings.ContainsAny(text[:1], " \t\"'&*!|>%@`#,[]{}?:-") && !strings.Contains(text, ": ") && !strings.Contains(text, " #") &&
		!strings.HasSuffix(text, ":") && !strings.HasSuffix(text, " ") && !(flow && strings.ContainsAny(text, "{}[],")) {
		return text
	}
	if !strings.ContainsAny(text, `"\`) {
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// quoteFor writes text so that it stands for itself in a scalar of the file; false if
// it cannot.
func (e *editor) quoteFor(t Text, text string) (string, bool) {
	if t.Alias.End > 0 || t.Span.Start >= int64(len(e.p.Source)) {
		return "", false
	}
	switch c := e.p.Source[t.Span.Start]; {
	case t.Plain:
		if strings.Contains(text, ": ") || strings.Contains(text, " #") {
			return "", false
		}
		if strings.ContainsAny(text, "{}[],") {
			for _, n := range e.enclosing(t.Span) {
				if n.Kind != syntax.Scalar && n.Style == syntax.Flow {
					return "", false
				}
			}
		}
	case c == '\'':
		return strings.ReplaceAll(text, "'", "''"), true
	case c == '"':
		return strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), `"`, `\"`), true
	}
	return text, true
}

// replace puts text in the place of a part of a scalar's value.
func (e *editor) replace(t Text, from, to int, text string) (penstock.Edit, bool) {
	if from == 0 && t.Plain && text != "" && strings.ContainsAny(text[:1], "\"'&*!|>%@`#,[]{}?:-") {
		return penstock.Edit{}, false
	}
	quoted, ok := e.quoteFor(t, text)
	if !ok || !e.editable(t.Span) {
		return penstock.Edit{}, false
	}
	return e.edit(t.At(from, to), quoted), true
}

// fix is a repair, nil without edits and steps.
func fix(safe bool, description string, edits []penstock.Edit, steps ...string) *penstock.Fix {
	if len(edits) == 0 && len(steps) == 0 {
		return nil
	}
	return &penstock.Fix{Description: description, Safe: safe && len(edits) > 0, Edits: edits, Steps: steps}
}
