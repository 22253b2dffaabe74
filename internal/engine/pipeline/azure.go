package pipeline

import (
	"bytes"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// azureName reports whether a file is called as Azure's pipelines are.
func azureName(name string) bool {
	name = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), ".yml"), ".yaml")
	return name == "azure-pipelines" || strings.HasPrefix(name, ".vsts-") || strings.HasPrefix(name, ".vsts.") || name == ".azure-pipelines" ||
		strings.HasPrefix(name, "azure-pipelines-") || strings.HasPrefix(name, "azure-pipelines.") || strings.HasSuffix(name, ".azure-pipelines")
}

// azureTop are the keys of which a pipeline has one.
var azureTop = [...]string{"trigger", "pr", "stages", "jobs", "steps", "extends", "resources", "schedules"}

// LooksAzure reports whether a file can be one of Azure Pipelines: a key of its
// language stands at the beginning of a line. Ask it of each file for which Detect
// says KindAzure, before the file is parsed. It allocates nothing.
func LooksAzure(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		key, _, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		for _, k := range azureTop {
			if string(bytes.TrimRight(key, " \t")) == k {
				return true
			}
		}
	}
	return false
}

// ParseAzure reads a file of Azure Pipelines: a pipeline or a template. It never
// fails: what it does not understand is in Notes and Extra. b must not change while
// the result is in use.
//
// What stands below ${{ if }}, ${{ else }} or ${{ each }} counts as present, once,
// with the key in Inserted. A template is not read: it is a job or step with Uses and
// With, and steps, jobs and stages among what it is given stand behind it. A job's ID
// is STAGE.JOB where there are stages, and Needs holds the jobs of the stages that
// its own depends on. AzureResolve goes further.
//
// The cost is linear in the size of the file, aliases counted as often as they are
// used up to the budget of syntax.ReadYAML.
func ParseAzure(file string, b []byte) *Pipeline {
	a := newAzure(file)
	a.work += 20 * len(b) // nothing is repeated
	if f := a.load(file, b); f != nil {
		a.pipeline(f)
	}
	a.p.Files = nil
	return a.p
}

// azureExpressions finds what Azure replaces in a text: ${{ }} when the pipeline is
// compiled, $[ ] around a whole value when a job starts, and $(name) before a step
// runs. A $(name) in a script may be the shell's: see shellMacro.
func azureExpressions(text string) []Interpolation {
	if strings.IndexByte(text, '$') < 0 {
		return nil
	}
	var out []Interpolation
	if t := strings.TrimLeft(text, " \t\r\n"); strings.HasPrefix(t, "$[") && !strings.HasPrefix(t, "$[[") {
		from := len(text) - len(t)
		p := Interpolation{From: from, Inner: from + 2, InnerTo: len(text), To: len(text), Open: true}
		if n := strings.LastIndexByte(text, ']'); n >= p.Inner {
			p.InnerTo, p.To, p.Open = n, n+1, false
		}
		if !strings.Contains(text, "${{") {
			return append(out, p)
		}
	}
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '$')
		if i < 0 {
			return out
		}
		from := at + i
		at = from + 1
		switch rest := text[from:]; {
		case strings.HasPrefix(rest, "${{"):
			p := Interpolation{From: from, Inner: from + 3, InnerTo: len(text), To: len(text), Open: true}
			if n := expressionEnd(text[p.Inner:]); n >= 0 {
				p.InnerTo, p.To, p.Open = p.Inner+n, p.Inner+n+len("}}"), false
			}
			out = append(out, p)
			at = p.To
		case strings.HasPrefix(rest, "$("):
			if n := azureMacro(rest[2:]); n > 0 {
				out = append(out, Interpolation{From: from, Inner: from + 2, InnerTo: from + 2 + n, To: from + 3 + n})
				at = from + 3 + n
			}
		}
	}
}

// azureMacro is the length of a variable's name with a parenthesis behind it, 0 if
// there is none.
func azureMacro(s string) int {
	for i := 0; i < len(s) && i <= 200; i++ {
		switch c := s[i]; {
		case c == ')':
			return i
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return 0
		}
	}
	return 0
}

// azure builds a pipeline from one or several files. It works on Data, since a
// template puts pieces of several files together.
type azure struct {
	p *Pipeline
	// read opens templates; nil leaves them alone, and undecides all conditions.
	read  func(path string) ([]byte, error)
	files map[string]*azureFile
	// prefix is the folder that is the root of the repository, once that is known.
	prefix      string
	prefixKnown bool
	stack       []string // the templates that are open
	size        int64    // of all files

	work, paste int // what may still be looked at, and pasted
	depth       int // of values within values that are being looked at
	full        bool
	includes    int

	stages []*azureStage
	own    []azureNeeds // beside p.Jobs
	// pool is what stands at the root.
	pool   RunsOn
	macros map[string]bool // the variables that the pipeline sets
}

// Bounds beyond those of the forge: 100 files (and levels) is Azure's own limit.
// https://learn.microsoft.com/en-us/azure/devops/pipelines/process/templates
const (
	azureMaxFiles    = 100
	azureMaxDepth    = 100
	azureMaxIncludes = 2_000
	azureMaxWork     = 150_000 // values; the most in 400 real pipelines are 29,000
	azureMaxPaste    = 4 << 20 // bytes
	azureMaxNesting  = 400     // values within values
	azureMaxJobs     = 5_000
	azureMaxNeeds    = 50_000
)

func newAzure(file string) *azure {
	return &azure{
		p: &Pipeline{Forge: Azure, Path: file, Kind: KindAzure}, files: map[string]*azureFile{},
		work: azureMaxWork, paste: azureMaxPaste,
	}
}

// azureFile is a file that was read. Its positions count on from those of the file
// before it.
type azureFile struct {
	path string
	data Data
}

// load reads a file into Data.
func (a *azure) load(file string, b []byte) *azureFile {
	r := newReader(Azure, file, KindAzure, b, azureExpressions)
	n := r.root()
	base := a.size
	f := &azureFile{path: file}
	if n != nil {
		f.data = r.data(penstock.Span{}, n)
		shiftData(&f.data, base)
	}
	for _, c := range r.p.Comments {
		c.Span = shiftSpan(c.Span, base)
		a.p.Comments = append(a.p.Comments, c)
	}
	for _, note := range r.p.Notes {
		a.note(note.Kind, shiftSpan(note.Span, base), shiftSpan(note.Other, base), note.Message)
	}
	if base == 0 {
		a.p.Span = r.p.Span
	}
	a.p.Files = append(a.p.Files, SourceFile{Path: file, Base: base, Size: int64(len(b))})
	// One byte lies between two files, so that the end of one is not the other's start.
	a.size += int64(len(b)) + 1
	a.files[file] = f
	if n == nil {
		return nil
	}
	return f
}

func shiftSpan(s penstock.Span, base int64) penstock.Span {
	if s.End == 0 {
		return s
	}
	return penstock.Span{Start: s.Start + base, End: s.End + base}
}

func shiftText(t *Text, base int64) {
	t.Span, t.Key, t.Alias = shiftSpan(t.Span, base), shiftSpan(t.Key, base), shiftSpan(t.Alias, base)
	t.Map = t.Map.Shift(int(base))
	for i := range t.Parts {
		t.Parts[i].Span = shiftSpan(t.Parts[i].Span, base)
	}
}

// shiftData moves all positions in d.
func shiftData(d *Data, base int64) {
	if base == 0 {
		return
	}
	d.Span, d.Key = shiftSpan(d.Span, base), shiftSpan(d.Key, base)
	shiftText(&d.Text, base)
	for i := range d.Items {
		shiftData(&d.Items[i], base)
	}
	for i := range d.Fields {
		shiftText(&d.Fields[i].Name, base)
		shiftData(&d.Fields[i].Value, base)
	}
}

func (a *azure) note(kind NoteKind, span, other penstock.Span, message string) {
	for _, n := range a.p.Notes {
		if n.Kind == kind && n.Span == span && n.Message == message {
			return // of a template that is used several times
		}
	}
	if len(a.p.Notes) < maxNotes {
		a.p.Notes = append(a.p.Notes, Note{Kind: kind, Span: span, Other: other, Message: message})
	}
}

// spend counts what is looked at; false once it is too much.
func (a *azure) spend(n int) bool {
	if a.work -= n; a.work >= 0 {
		return true
	}
	a.limit(a.p.Span, "templates make more of the pipeline than is read")
	return false
}

// enter counts how deep values refer to one another; leave must follow if it is true.
func (a *azure) enter() bool {
	if a.depth >= azureMaxNesting {
		a.limit(a.p.Span, "values refer to one another more deeply than is read")
		return false
	}
	a.depth++
	return true
}

func (a *azure) leave() { a.depth-- }

// limit notes once that something was cut off.
func (a *azure) limit(span penstock.Span, message string) {
	if !a.full {
		a.full = true
		a.note(NoteLimit, span, penstock.Span{}, message)
	}
}

// azNode is a value with what its expressions refer to, and with the keys that
// decide whether it is there.
type azNode struct {
	Data
	scope *azScope
	in    []Insertion
}

// azField is an entry of a map.
type azField struct {
	name Text
	azNode
}

// place is an entry from its key to its end.
func (f azField) place() penstock.Span {
	s := f.name.Span
	if v := f.Data.Span; v.End > s.End && f.Data.Key == f.name.Span {
		s.End = v.End
	}
	return s
}

// isNull reports whether there is nothing: null, or the empty text that templates give
// for it.
func (n azNode) isNull() bool {
	return n.Kind == DataNone || n.Kind == DataScalar && n.Text.Value == ""
}

// wrong notes a value of the wrong type, unless an expression stands in its place.
func (a *azure) wrong(n azNode, message string) bool {
	if n.Kind != DataScalar || len(n.Text.Parts) == 0 {
		a.note(NoteType, n.Data.Span, penstock.Span{}, message)
	}
	return false
}

// each offers every entry of a map to take. What it does not take, and what a later
// entry overrides, goes to extra.
func (a *azure) each(n azNode, extra *[]Field, take func(key string, f azField) bool) {
	n = a.settle(n)
	if n.isNull() {
		return
	}
	if n.Kind != DataMap {
		a.wrong(n, "a map of keys is expected here")
		*extra = append(*extra, Field{Value: a.data(n), Inserted: n.in})
		return
	}
	all := a.fields(n)
	for i, f := range all {
		if azureOverridden(all, i) || !take(f.name.Value, f) {
			*extra = append(*extra, a.field(f))
		}
	}
}

// azureOverridden reports whether a later entry under the same conditions has the key.
func azureOverridden(all []azField, i int) bool {
	for j := i + 1; j < len(all) && j < i+200; j++ {
		if all[j].name.Value == all[i].name.Value && len(all[j].in) == len(all[i].in) &&
			(len(all[i].in) == 0 || &all[j].in[0] == &all[i].in[0]) {
			return true
		}
	}
	return false
}

// field is an entry as it stands.
func (a *azure) field(f azField) Field {
	return Field{Name: f.name, Value: a.data(f.azNode), Inserted: f.in}
}

// data is a value as it stands, with insertions laid flat.
func (a *azure) data(n azNode) Data {
	n = a.settle(n)
	if !a.spend(1) || !a.enter() {
		return Data{}
	}
	defer a.leave()
	d := n.Data
	switch n.Kind {
	case DataScalar:
		d.Text = a.expand(n.Text, n.scope)
	case DataList:
		d.Items = nil
		for _, c := range a.items(n) {
			d.Items = append(d.Items, a.data(c))
		}
	case DataMap:
		d.Fields = nil
		all := a.fields(n)
		for _, f := range all {
			d.Fields = append(d.Fields, a.field(f))
		}
		if len(all) == 0 && len(n.Fields) > 0 {
			// A map of insertions of list items.
			if items := a.items(n); len(items) > 0 {
				d.Kind = DataList
				for _, c := range items {
					d.Items = append(d.Items, a.data(c))
				}
			}
		}
	}
	return d
}

// text takes a single value. The first counts where several branches have one.
func (a *azure) text(to *Text, f azField) bool {
	n := a.settle(f.azNode)
	if n.Kind != DataScalar {
		return a.wrong(n, "a single value is expected here")
	}
	if to.IsSet() {
		return false
	}
	*to = a.expand(n.Text, n.scope)
	return true
}

// texts takes a single value or a list of them.
func (a *azure) texts(to *[]Text, f azField) bool {
	n := a.settle(f.azNode)
	if n.isNull() {
		return true
	}
	good := true
	for _, c := range a.items(n) {
		if c = a.settle(c); c.Kind == DataScalar {
			*to = append(*to, a.expand(c.Text, c.scope))
		} else {
			good = a.wrong(c, "a single value is expected here")
		}
	}
	return good
}

func (a *azure) condition(to *Text, f azField) bool {
	if !a.text(to, f) {
		return false
	}
	if n := len(to.Value); len(to.Parts) == 0 && strings.TrimSpace(to.Value) != "" {
		to.Parts = []Interpolation{{InnerTo: n, To: n, Bare: true, Span: to.At(0, n)}}
	}
	return true
}

// any takes a value of any shape. Maps of several branches are put together.
func (a *azure) any(to *Data, f azField) bool {
	d := a.data(f.azNode)
	switch {
	case to.Kind == DataNone:
		*to = d
	case to.Kind == DataMap && d.Kind == DataMap:
		to.Fields = append(to.Fields, d.Fields...)
	default:
		return false
	}
	return true
}

// variables takes a map of single values.
func (a *azure) variables(to *Data, f azField) bool {
	n := a.settle(f.azNode)
	if !n.isNull() && n.Kind != DataMap {
		a.wrong(n, "a map of names is expected here")
	}
	return a.any(to, f)
}

// pipeline reads the root file.
func (a *azure) pipeline(f *azureFile) {
	scope := &azScope{file: f, template: true}
	root := azNode{Data: f.data, scope: scope}
	if a.read != nil {
		a.open(scope, root)
	}
	if azureTemplate(root) {
		a.p.Kind = KindAzurePart
	}
	a.body(root)
	a.finish()
}

// azureTemplate reports whether a file can only be a template: parameters of a
// pipeline are a list, and those with steps or jobs as values are not for users. Nor
// does a push start a pipeline with a parameter that has no default.
func azureTemplate(root azNode) bool {
	p := root.Data.Get("parameters")
	if p.Kind == DataMap {
		return true
	}
	started := false
	for _, key := range []string{"trigger", "pr", "schedules", "resources", "name"} {
		started = started || root.Data.Get(key).Kind != DataNone
	}
	for _, i := range p.Items {
		if !started && i.Kind == DataMap && i.Get("default").Kind == DataNone {
			return true
		}
		switch strings.ToLower(i.Get("type").Text.Value) {
		case "step", "steplist", "job", "joblist", "deployment", "deploymentlist", "stage", "stagelist":
			return true
		}
	}
	return false
}

// body reads what a pipeline consists of: of the root, and of what it extends.
func (a *azure) body(root azNode) {
	p := a.p
	root = a.settle(root)
	if root.Kind != DataMap {
		if !root.isNull() {
			a.wrong(root, "a map of keys is expected here")
			p.Extra = append(p.Extra, Field{Value: root.Data})
		}
		return
	}
	// Steps refer to resources and take over the pool, wherever those stand.
	single := &Job{}
	var steps, later []azField
	a.each(root, &p.Extra, func(key string, f azField) bool {
		switch key {
		case "name":
			return a.text(&p.RunName, f)
		case "trigger":
			return a.trigger(AzureCI, f)
		case "pr":
			return a.trigger(AzurePullRequest, f)
		case "schedules":
			return a.schedules(f)
		case "resources":
			return a.resources(f)
		case "parameters":
			if f.scope.file.path == p.Path {
				return a.parameters(f)
			}
			return true // of a template, known to its scope
		case "variables":
			return a.sources(&p.Env, &p.Sources, f)
		case "pool":
			return a.runsOn(&a.pool, f)
		case "stages", "jobs", "extends":
			later = append(later, f)
			return true
		case "steps":
			steps = append(steps, f)
			return true
		case "strategy", "container", "services", "continueOnError", "timeoutInMinutes", "workspace", "cancelTimeoutInMinutes":
			return a.jobKey(single, key, f)
		}
		return false // also lockBehavior, appendCommitMessageToRunName
	})
	p.RunsOn = a.pool
	for _, f := range later {
		switch f.name.Value {
		case "stages":
			a.stageList(f.azNode)
		case "jobs":
			a.jobList(f.azNode, nil)
		case "extends":
			a.extends(f)
		}
	}
	if len(steps) > 0 {
		single.ID.Value = "Job" // as Azure calls it
		single.Span = steps[0].place()
		for _, f := range steps {
			a.steps(&single.Steps, f.azNode, Text{})
		}
		single.Inserted = steps[0].in
		a.add(*single, nil, nil)
	}
}

// trigger takes trigger and pr: none, a list of branches, or a map.
func (a *azure) trigger(event string, f azField) bool {
	t := Trigger{Event: f.name, Span: f.place()}
	t.Event.Value, t.Event.Map = event, syntax.TextMap{}
	n := a.settle(f.azNode)
	good := true
	switch {
	case n.Kind == DataScalar && strings.EqualFold(n.Text.Value, "none"):
		t.Types = append(t.Types, n.Text)
	case n.Kind == DataMap:
		a.triggerMap(&t, n)
	case n.isNull():
	default:
		good = a.texts(&t.Branches, f)
	}
	a.onSpan(t.Span)
	a.p.Triggers = append(a.p.Triggers, t)
	return good
}

func (a *azure) onSpan(s penstock.Span) {
	if on := &a.p.OnSpan; on.End == 0 {
		*on = s
	} else if s.End > 0 {
		*on = penstock.Span{Start: min(on.Start, s.Start), End: max(on.End, s.End)}
	}
}

func (a *azure) triggerMap(t *Trigger, n azNode) {
	a.each(n, &t.Extra, func(key string, f azField) bool {
		switch key {
		case "branches":
			return a.filter(&t.Branches, &t.BranchesIgnore, &t.Extra, f)
		case "tags":
			return a.filter(&t.Tags, &t.TagsIgnore, &t.Extra, f)
		case "paths":
			return a.filter(&t.Paths, &t.PathsIgnore, &t.Extra, f)
		}
		return false // also batch, autoCancel, drafts, stages, enabled
	})
}

func (a *azure) filter(include, exclude *[]Text, extra *[]Field, f azField) bool {
	n := a.settle(f.azNode)
	if n.Kind != DataMap {
		return a.texts(include, f)
	}
	a.each(n, extra, func(key string, f azField) bool {
		switch key {
		case "include":
			return a.texts(include, f)
		case "exclude":
			return a.texts(exclude, f)
		}
		return false
	})
	return true
}

func (a *azure) schedules(f azField) bool {
	n := a.settle(f.azNode)
	if n.Kind == DataScalar && strings.EqualFold(n.Text.Value, "none") {
		return false
	}
	for _, c := range a.items(n) {
		t := Trigger{Event: f.name, Span: c.Data.Span}
		t.Event.Value, t.Event.Map = AzureSchedule, syntax.TextMap{}
		var s Schedule
		a.each(c, &t.Extra, func(key string, f azField) bool {
			switch key {
			case "cron":
				return a.text(&s.Cron, f)
			case "branches":
				return a.filter(&t.Branches, &t.BranchesIgnore, &t.Extra, f)
			}
			return false // also displayName, always, batch
		})
		t.Schedules = append(t.Schedules, s)
		a.onSpan(f.place())
		a.p.Triggers = append(a.p.Triggers, t)
	}
	return true
}

func (a *azure) parameters(f azField) bool {
	n := a.settle(f.azNode)
	if n.Kind == DataMap {
		for _, f := range a.fields(n) {
			in := Input{Name: f.name, Span: f.place()}
			if v := a.settle(f.azNode); v.Kind == DataScalar {
				in.Default = v.Text
			} else {
				in.Extra = append(in.Extra, Field{Value: a.data(v)})
			}
			a.p.Inputs = append(a.p.Inputs, in)
		}
		return true
	}
	for _, c := range a.items(n) {
		in := Input{Span: c.Data.Span}
		a.each(c, &in.Extra, func(key string, f azField) bool {
			switch key {
			case "name":
				return a.text(&in.Name, f)
			case "type":
				return a.text(&in.Type, f)
			case "displayName":
				return a.text(&in.Description, f)
			case "default":
				return a.settle(f.azNode).Kind == DataScalar && a.text(&in.Default, f)
			case "values":
				return a.texts(&in.Options, f)
			}
			return false
		})
		a.p.Inputs = append(a.p.Inputs, in)
	}
	return n.isNull() || n.Kind == DataList
}

func (a *azure) resources(f azField) bool {
	if a.settle(f.azNode).Kind == DataList {
		return false // the old form, which says "repo: self" alone
	}
	a.each(f.azNode, &a.p.Extra, func(key string, f azField) bool {
		kind := strings.TrimSuffix(key, "s")
		if kind == "repositorie" {
			kind = "repository"
		}
		switch kind {
		case "repository", "pipeline", "container", "build", "package", "webhook":
		default:
			return false
		}
		for _, c := range a.items(a.settle(f.azNode)) {
			a.resource(kind, c)
		}
		return true
	})
	return true
}

func (a *azure) resource(kind string, n azNode) {
	r := Resource{Kind: kind, Span: n.Data.Span}
	var name, ref Text
	var on []azField
	a.each(n, &r.Extra, func(key string, f azField) bool {
		switch key {
		case kind:
			return a.text(&r.Name, f)
		case "type":
			return a.text(&r.Type, f)
		case "endpoint", "connection":
			return a.text(&r.Endpoint, f)
		case "name", "source":
			return a.text(&name, f)
		case "ref":
			return a.text(&ref, f)
		case "image":
			r.Container.Span = n.Data.Span
			return kind == "container" && a.text(&r.Container.Image, f)
		case "env":
			return a.variables(&r.Container.Env, f)
		case "options":
			return kind == "container" && a.text(&r.Container.Options, f)
		case "trigger":
			on = append(on, f)
			return true
		}
		return false
	})
	switch kind {
	case "repository":
		r.Uses, r.RefAt = azureRepository(name, ref), ref.Span
	case "container":
		r.Uses = Use{Text: r.Container.Image, Kind: UseDocker}
		r.Uses.Name, r.Uses.Ref, r.Uses.RefKind = SplitImage(r.Container.Image.Value)
	default:
		r.Uses = Use{Text: name, Kind: UseInvalid}
		if name.Value != "" {
			r.Uses.Kind, r.Uses.Name = UseRemote, name.Value
		}
	}
	a.p.Resources = append(a.p.Resources, r)
	// A webhook needs no key to trigger.
	if kind == "webhook" {
		on = append(on, azField{name: r.Name})
	}
	for _, f := range on {
		a.resourceTrigger(r, f)
	}
}

func (a *azure) resourceTrigger(r Resource, f azField) {
	n := a.settle(f.azNode)
	t := Trigger{Event: f.name, Span: f.place(), Workflows: []Text{r.Name}}
	t.Event.Value, t.Event.Map = AzureResource, syntax.TextMap{}
	switch {
	case n.Kind == DataScalar && strings.EqualFold(n.Text.Value, "none"):
		return
	case n.Kind == DataMap:
		a.triggerMap(&t, n)
	case n.Kind == DataList:
		a.texts(&t.Branches, f)
	}
	a.onSpan(t.Span)
	a.p.Triggers = append(a.p.Triggers, t)
}

// azureRepository is a repository resource: name is project/repository or
// repository at Azure Repos, owner/repository elsewhere.
func azureRepository(name, ref Text) Use {
	u := Use{Text: name, Kind: UseRemote}
	if owner, repo, ok := strings.Cut(name.Value, "/"); ok {
		u.Owner, u.Repo = owner, repo
	} else {
		u.Repo = name.Value
	}
	if name.Value == "" {
		u.Kind = UseInvalid
	}
	u.Ref, u.RefKind = azureRef(ref.Value)
	return u
}

// azureRef takes apart the ref of a repository. Without one it is the default branch.
func azureRef(ref string) (string, RefKind) {
	switch {
	case ref == "":
		return "", RefNone
	case strings.Contains(ref, "${{") || strings.Contains(ref, "$("):
		return ref, RefExpression
	case strings.HasPrefix(ref, "refs/tags/"):
		return strings.TrimPrefix(ref, "refs/tags/"), RefTag
	case IsCommit(ref):
		return ref, RefCommit
	}
	return strings.TrimPrefix(ref, "refs/heads/"), RefBranch
}

// runsOn takes a pool. A hosted one has its image in Labels, another its name in
// Group; demands stay in Extra.
func (a *azure) runsOn(to *RunsOn, f azField) bool {
	n := a.settle(f.azNode)
	if n.isNull() {
		return true
	}
	if to.Span.End == 0 {
		to.Span = n.Data.Span
	}
	if n.Kind == DataScalar {
		return a.text(&to.Group, f)
	}
	a.each(n, &to.Extra, func(key string, f azField) bool {
		switch key {
		case "name":
			return a.text(&to.Group, f)
		case "vmImage":
			return a.texts(&to.Labels, f)
		}
		return false // also demands, image, os
	})
	return true
}

// sources takes variables: a map, or a list of values, groups and templates.
func (a *azure) sources(env *Data, to *[]VariableSource, f azField) bool {
	n := a.settle(f.azNode)
	if n.isNull() {
		return true
	}
	if env.Kind == DataNone {
		env.Kind, env.Span, env.Key = DataMap, n.Data.Span, n.Data.Key
	}
	if n.Kind == DataMap {
		fields := a.fields(n)
		for _, f := range fields {
			if a.settle(f.azNode).Kind == DataMap || a.settle(f.azNode).Kind == DataList {
				a.wrong(a.settle(f.azNode), "a single value is expected here")
			}
			env.Fields = append(env.Fields, a.field(f))
		}
		if len(fields) > 0 || len(n.Fields) == 0 {
			return true
		}
	}
	if n.Kind == DataScalar {
		return a.wrong(n, "variables are a map or a list")
	}
	for _, c := range a.items(n) {
		a.source(env, to, c)
	}
	return true
}

func (a *azure) source(env *Data, to *[]VariableSource, n azNode) {
	n = a.settle(n)
	s := VariableSource{Span: n.Data.Span, Inserted: n.in}
	var name Text
	var value, with azField
	a.each(n, &s.Extra, func(key string, f azField) bool {
		switch key {
		case "name":
			return a.text(&name, f)
		case "value":
			value = f
			return true
		case "readonly":
			return false
		case "group":
			return a.text(&s.Group, f)
		case "template":
			var t Text
			if !a.text(&t, f) {
				return false
			}
			s.Uses = a.template(t, n.scope)
			return true
		case "parameters":
			with = f
			return true
		}
		if len(n.Fields) == 1 && n.Kind == DataMap {
			// A list of short entries, which templates take over.
			env.Fields = append(env.Fields, a.field(f))
			return true
		}
		return false
	})
	switch {
	case s.Uses.IsSet():
		if a.include(s.Uses, with.azNode, n, func(root azNode) bool {
			return a.inside(root, "variables", func(f azField) { a.sources(env, to, f) })
		}) {
			return
		}
		a.any(&s.With, with)
		*to = append(*to, s)
	case s.Group.IsSet():
		*to = append(*to, s)
	case name.IsSet():
		v := Field{Name: name, Value: a.data(value.azNode), Inserted: n.in}
		env.Fields = append(env.Fields, v)
	case len(s.Extra) > 0:
		*to = append(*to, s)
	}
}

// azureStage is a stage while the jobs are read.
type azureStage struct {
	id, cond Text
	env      Data
	sources  []VariableSource
	pool     RunsOn
	needs    []Text
	needsSet bool
	jobs     []int
}

// azureNeeds is what a job says of its place.
type azureNeeds struct {
	stage *azureStage
	deps  []Text
}

func (a *azure) stageList(n azNode) {
	for _, c := range a.items(a.settle(n)) {
		c = a.settle(c)
		switch {
		case a.empty(c):
		case c.Kind == DataScalar:
			a.unknownJob(c, nil)
		case c.Kind == DataMap && a.has(c, "template"):
			a.call(c, "stages", nil)
		default:
			a.stage(c)
		}
	}
}

// empty reports whether nothing is left of an element.
func (a *azure) empty(n azNode) bool {
	return n.isNull() || n.Kind == DataMap && len(a.fields(n)) == 0
}

func (a *azure) has(n azNode, key string) bool {
	for _, f := range a.fields(n) {
		if f.name.Value == key {
			return true
		}
	}
	return false
}

func (a *azure) stage(n azNode) {
	s := &azureStage{}
	var jobs []azField
	a.each(n, &a.p.Extra, func(key string, f azField) bool {
		switch key {
		case "stage":
			return a.text(&s.id, f)
		case "dependsOn":
			s.needsSet = true
			return a.texts(&s.needs, f)
		case "condition":
			return a.condition(&s.cond, f)
		case "variables":
			return a.sources(&s.env, &s.sources, f)
		case "pool":
			return a.runsOn(&s.pool, f)
		case "jobs":
			jobs = append(jobs, f)
			return true
		}
		return false // also displayName, lockBehavior, trigger
	})
	a.stages = append(a.stages, s)
	a.p.Stages = append(a.p.Stages, s.id)
	for _, f := range jobs {
		a.jobList(f.azNode, s)
	}
}

func (a *azure) jobList(n azNode, s *azureStage) {
	for _, c := range a.items(a.settle(n)) {
		c = a.settle(c)
		switch {
		case a.empty(c):
		case c.Kind == DataScalar:
			a.unknownJob(c, s)
		case c.Kind == DataMap && a.has(c, "template"):
			a.call(c, "jobs", s)
		default:
			a.job(c, s)
		}
	}
}

// unknownJob stands for jobs or stages that only the forge knows.
func (a *azure) unknownJob(n azNode, s *azureStage) {
	t := a.expand(n.Text, n.scope)
	kind := UseExpression
	if len(t.Parts) == 0 {
		kind = UseInvalid
		a.wrong(n, "a job or stage is expected here")
	}
	a.add(Job{ID: t, Span: n.Data.Span, Uses: Use{Text: t, Kind: kind}, Inserted: n.in}, s, nil)
}

// add appends a job.
func (a *azure) add(j Job, s *azureStage, deps []Text) {
	if len(a.p.Jobs) >= azureMaxJobs {
		a.limit(j.Span, "more jobs than are read")
		return
	}
	if s != nil {
		s.jobs = append(s.jobs, len(a.p.Jobs))
		j.Stage, j.StageIf = s.id, rareText(s.cond)
		if len(s.env.Fields) > 0 {
			env := s.env
			env.Fields = append(append([]Field(nil), s.env.Fields...), j.Env.Fields...)
			j.Env = env
		}
		if len(s.sources) > 0 {
			j.Sources = append(append([]VariableSource(nil), s.sources...), j.Sources...)
		}
		if j.RunsOn.Span.End == 0 {
			j.RunsOn = s.pool
		}
	}
	if j.RunsOn.Span.End == 0 {
		j.RunsOn = a.pool
	}
	a.p.Jobs = append(a.p.Jobs, j)
	a.own = append(a.own, azureNeeds{s, deps})
}

// job reads a job or deployment.
func (a *azure) job(n azNode, s *azureStage) {
	j := Job{Span: n.Data.Span, Inserted: n.in}
	var deps []Text
	var deployment Text
	a.each(n, &j.Extra, func(key string, f azField) bool {
		switch key {
		case "job":
			return a.text(&j.ID, f)
		case "deployment":
			deployment = f.name
			return a.text(&j.ID, f)
		case "displayName":
			return a.text(&j.Name, f)
		case "dependsOn":
			return a.texts(&deps, f)
		}
		return a.jobKey(&j, key, f)
	})
	if deployment.IsSet() {
		j.Extra = append(j.Extra, Field{Name: deployment})
	}
	a.add(j, s, deps)
}

// jobKey takes the keys that a job has, also where it is the whole pipeline.
func (a *azure) jobKey(j *Job, key string, f azField) bool {
	switch key {
	case "condition":
		return a.condition(&j.If, f)
	case "pool":
		return a.runsOn(&j.RunsOn, f)
	case "environment":
		return a.environment(j.Environment.Make(), f)
	case "variables":
		return a.sources(&j.Env, &j.Sources, f)
	case "strategy":
		return a.strategy(j, f)
	case "container":
		return a.container(j.Container.Make(), f)
	case "services":
		for _, f := range a.fields(a.settle(f.azNode)) {
			s := Service{Name: f.name}
			a.container(&s.Container, f)
			j.Services = append(j.Services, s)
		}
		return true
	case "steps":
		a.steps(&j.Steps, f.azNode, Text{})
		return true
	case "continueOnError":
		return a.text(j.ContinueOnError.Make(), f)
	case "timeoutInMinutes":
		return a.text(j.Timeout.Make(), f)
	}
	return false // also workspace, cancelTimeoutInMinutes, uses, templateContext
}

func (a *azure) environment(to *JobEnvironment, f azField) bool {
	n := a.settle(f.azNode)
	if n.isNull() {
		return true
	}
	to.Span = n.Data.Span
	if n.Kind == DataScalar {
		return a.text(&to.Name, f)
	}
	a.each(n, &to.Extra, func(key string, f azField) bool {
		return key == "name" && a.text(&to.Name, f)
	})
	return true
}

// azureHooks are the parts of a deployment in the order in which they run.
var azureHooks = [...]string{"preDeploy", "deploy", "routeTraffic", "postRouteTraffic"}

// strategy takes a matrix, or the hooks of a deployment.
func (a *azure) strategy(j *Job, f azField) bool {
	a.each(f.azNode, &j.Strategy.Make().Extra, func(key string, f azField) bool {
		switch key {
		case "matrix":
			return a.any(&j.Strategy.Make().Matrix, f)
		case "maxParallel":
			return a.text(&j.Strategy.Make().MaxParallel, f)
		case "runOnce", "rolling", "canary":
			var hooks, on []azField
			a.each(f.azNode, &j.Strategy.Make().Extra, func(key string, f azField) bool {
				for _, h := range azureHooks {
					if key == h {
						hooks = append(hooks, f)
						return true
					}
				}
				if key == "on" {
					on = append(on, f)
					return true
				}
				return key == "maxParallel" && a.text(&j.Strategy.Make().MaxParallel, f)
			})
			for _, h := range azureHooks {
				for _, f := range hooks {
					if f.name.Value == h {
						a.hook(j, f)
					}
				}
			}
			for _, f := range on {
				for _, f := range a.fields(a.settle(f.azNode)) { // failure, success
					a.hook(j, f)
				}
			}
			return true
		}
		return false // also parallel
	})
	return true
}

func (a *azure) hook(j *Job, hook azField) {
	a.each(hook.azNode, &j.Strategy.Make().Extra, func(key string, f azField) bool {
		switch key {
		case "steps":
			a.steps(&j.Steps, f.azNode, hook.name)
			return true
		case "pool":
			return j.RunsOn.Span.End == 0 && a.runsOn(&j.RunsOn, f)
		}
		return false
	})
}

// container takes an image, or the name of a resource with one.
func (a *azure) container(to *Container, f azField) bool {
	n := a.settle(f.azNode)
	if n.isNull() {
		return true
	}
	to.Span = n.Data.Span
	if n.Kind == DataScalar {
		if !a.text(&to.Image, f) {
			return false
		}
		for _, r := range a.p.Resources {
			if r.Kind == "container" && r.Name.Value == to.Image.Value {
				*to = r.Container
				break
			}
		}
		return true
	}
	a.each(n, &to.Extra, func(key string, f azField) bool {
		switch key {
		case "image":
			return a.text(&to.Image, f)
		case "env":
			return a.variables(&to.Env, f)
		case "options":
			return a.text(&to.Options, f)
		}
		return false // also endpoint, ports, volumes
	})
	return true
}

// azureBuiltins are the steps that are neither script, task nor template.
var azureBuiltins = [...]string{"checkout", "download", "downloadBuild", "getPackage", "publish", "upload", "reviewApp"}

func azureBuiltin(key string) bool {
	for _, b := range azureBuiltins {
		if b == key {
			return true
		}
	}
	return false
}

func (a *azure) steps(to *[]Step, n azNode, hook Text) {
	n = a.settle(n)
	if n.Kind == DataScalar {
		if !n.isNull() {
			a.unknownStep(to, n, hook)
		}
		return
	}
	for _, c := range a.items(n) {
		if c = a.settle(c); c.Kind == DataScalar {
			if !c.isNull() {
				a.unknownStep(to, c, hook)
			}
			continue
		}
		if !a.empty(c) {
			a.step(to, c, hook)
		}
	}
}

func (a *azure) unknownStep(to *[]Step, n azNode, hook Text) {
	t := a.expand(n.Text, n.scope)
	kind := UseExpression
	if len(t.Parts) == 0 {
		kind = UseInvalid
		a.wrong(n, "a step is expected here")
	}
	*to = append(*to, Step{Span: n.Data.Span, Uses: Use{Text: t, Kind: kind}, Inserted: n.in, Hook: rareText(hook)})
}

func (a *azure) step(to *[]Step, n azNode, hook Text) {
	s := Step{Span: n.Data.Span, Inserted: n.in, Hook: rareText(hook)}
	builtin := false
	for _, f := range a.fields(n) {
		builtin = builtin || azureBuiltin(f.name.Value)
	}
	var with azField
	a.each(n, &s.Extra, func(key string, f azField) bool {
		switch key {
		case "name":
			return a.text(&s.ID, f)
		case "displayName":
			return a.text(&s.Name, f)
		case "condition":
			return a.condition(&s.If, f)
		case "continueOnError":
			return a.text(s.ContinueOnError.Make(), f)
		case "timeoutInMinutes":
			return a.text(s.Timeout.Make(), f)
		case "env":
			return a.variables(&s.Env, f)
		case "workingDirectory":
			return a.text(s.Run.Dir.Make(), f)
		case "script", "bash", "pwsh", "powershell":
			if !a.text(&s.Run.Text, f) {
				return false
			}
			if key != "script" {
				s.Run.Shell = rareText(f.name)
			}
			return true
		case "task":
			var t Text
			if !a.text(&t, f) {
				return false
			}
			s.Uses = parseTask(t)
			return true
		case "inputs":
			return a.variables(&s.With, f)
		case "template":
			var t Text
			if !a.text(&t, f) {
				return false
			}
			s.Uses = a.template(t, n.scope)
			return true
		case "parameters":
			with = f
			return true
		}
		if azureBuiltin(key) {
			var t Text
			if s.Uses.IsSet() || !a.text(&t, f) {
				return false
			}
			s.Uses = Use{Text: t, Kind: UseBuiltin, Name: key}
		} else if !builtin {
			return false // also target, enabled, failOnStderr, retryCountOnTaskFailure
		}
		if s.With.Kind == DataNone {
			s.With.Kind, s.With.Span = DataMap, n.Data.Span
		}
		s.With.Fields = append(s.With.Fields, a.field(f))
		return true
	})
	if s.Uses.Kind == UseSelf || s.Uses.Kind == UseRemote || s.Uses.Kind == UseExpression || with.name.IsSet() {
		if a.include(s.Uses, with.azNode, n, func(root azNode) bool {
			return a.inside(root, "steps", func(f azField) { a.steps(to, f.azNode, hook) })
		}) {
			return
		}
		a.any(&s.With, with)
		*to = append(*to, s)
		a.given(with.azNode, func(kind string, list azNode) {
			if kind == "steps" {
				a.steps(to, list, hook)
			}
		})
		return
	}
	if s.Uses.Kind == UseTask {
		taskScript(&s)
	}
	*to = append(*to, s)
}

// call reads the use of a template in a list of jobs or stages.
func (a *azure) call(n azNode, kind string, s *azureStage) {
	j := Job{Span: n.Data.Span, Inserted: n.in}
	var with azField
	a.each(n, &j.Extra, func(key string, f azField) bool {
		switch key {
		case "template":
			var t Text
			if !a.text(&t, f) {
				return false
			}
			j.Uses = a.template(t, n.scope)
			return true
		case "parameters":
			with = f
			return true
		}
		return false
	})
	if a.include(j.Uses, with.azNode, n, func(root azNode) bool {
		return a.inside(root, kind, func(f azField) {
			if kind == "stages" {
				a.stageList(f.azNode)
			} else {
				a.jobList(f.azNode, s)
			}
		})
	}) {
		return
	}
	j.ID = j.Uses.Text
	a.called(j, with, s)
}

// extends reads the template that the pipeline is made from.
func (a *azure) extends(f azField) {
	j := Job{ID: f.name, Span: f.place(), Inserted: f.in}
	var with azField
	a.each(f.azNode, &j.Extra, func(key string, f azField) bool {
		switch key {
		case "template":
			var t Text
			if !a.text(&t, f) {
				return false
			}
			j.Uses = a.template(t, f.scope)
			return true
		case "parameters":
			with = f
			return true
		}
		return false
	})
	if a.include(j.Uses, with.azNode, f.azNode, func(root azNode) bool {
		a.body(root)
		return true
	}) {
		return
	}
	a.called(j, with, nil)
}

// called adds the use of a template that is not read, and what it is given.
func (a *azure) called(j Job, with azField, s *azureStage) {
	a.any(&j.With, with)
	a.given(with.azNode, func(kind string, list azNode) {
		if kind == "steps" {
			a.steps(&j.Steps, list, Text{})
		}
	})
	a.add(j, s, nil)
	a.given(with.azNode, func(kind string, list azNode) {
		switch kind {
		case "stages":
			a.stageList(list)
		case "jobs":
			a.jobList(list, s)
		}
	})
}

// given finds the steps, jobs and stages among what a template is given.
func (a *azure) given(with azNode, do func(kind string, list azNode)) {
	with = a.settle(with)
	if with.Kind != DataMap {
		return
	}
	for _, f := range a.fields(with) {
		list := a.settle(f.azNode)
		if list.Kind != DataList {
			if list.Kind == DataMap {
				a.given(list, do) // such as the sdl of an object
			}
			continue
		}
		kind := a.listKind(f.name.Value, list)
		if kind == "" {
			continue
		}
		ins := Insertion{Text: f.name, Kind: InsertParameter, Source: f.name.Value}
		list.in = append(append([]Insertion(nil), f.in...), ins)
		do(kind, list)
	}
}

// listKind says what a list consists of: "steps", "jobs", "stages" or nothing.
func (a *azure) listKind(name string, list azNode) string {
	template := false
	for _, c := range a.items(list) {
		if c = a.settle(c); c.Kind != DataMap {
			continue
		}
		for _, f := range a.fields(c) {
			switch key := f.name.Value; {
			case key == "stage":
				return "stages"
			case key == "job" || key == "deployment":
				return "jobs"
			case key == "script" || key == "bash" || key == "pwsh" || key == "powershell" || key == "task" || azureBuiltin(key):
				if f.Kind == DataScalar {
					return "steps"
				}
			case key == "template":
				template = true
			}
		}
	}
	if !template {
		return ""
	}
	name = strings.ToLower(name)
	for _, k := range []string{"stage", "job", "step"} {
		if strings.Contains(name, k) {
			return k + "s"
		}
	}
	return ""
}

// parseTask takes apart the value of "task": Name@Version, of an extension also
// publisher.extension.Name@Version.
func parseTask(t Text) Use {
	u := Use{Text: t, Kind: UseTask}
	name, version, ok := strings.Cut(strings.TrimSpace(t.Value), "@")
	switch {
	case strings.Contains(t.Value, "${{") || strings.Contains(t.Value, "$("):
		u.Kind = UseExpression
		return u
	case name == "":
		u.Kind = UseInvalid
		return u
	}
	u.Name = name
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		u.Owner = name[:i]
	}
	if ok && version != "" {
		u.Ref, u.RefKind = version, RefTag
	}
	return u
}

// azureScripts are the tasks that run a script of their inputs: the input, the input
// that says that it is a file instead, and the shell. Source: the inputs in
// https://learn.microsoft.com/en-us/azure/devops/pipelines/tasks/reference/
var azureScripts = []struct{ task, input, target, shell string }{
	{"bash", "script", "targetType", "bash"},
	{"powershell", "script", "targetType", "powershell"},
	{"cmdline", "script", "", ""},
	{"azurecli", "inlineScript", "scriptLocation", ""},
	{"azurepowershell", "Inline", "ScriptType", "powershell"},
	{"pythonscript", "script", "scriptSource", "python"},
	{"ssh", "inline", "runOptions", "bash"},
	{"powershellontargetmachines", "InlineScript", "ScriptType", "powershell"},
	{"servicefabricpowershell", "Inline", "ScriptType", "powershell"},
	{"azurermwebappdeployment", "InlineScript", "ScriptType", ""},
}

// taskScript makes the script of a task's inputs the step's.
func taskScript(s *Step) {
	for _, t := range azureScripts {
		if !strings.EqualFold(t.task, s.Uses.Name) {
			continue
		}
		script := s.With.Get(t.input).Text
		if !script.IsSet() {
			return
		}
		switch strings.ToLower(s.With.Get(t.target).Text.Value) {
		case "filepath", "scriptpath", "file path", "file", "commands":
			return // the script stands in a file, and this input does nothing
		}
		s.Run.Text = script
		if d := s.With.Get("workingDirectory").Text; d.IsSet() && !s.Run.Dir.Get().IsSet() {
			s.Run.Dir = rareText(d)
		}
		shell := t.shell
		switch strings.ToLower(s.With.Get("scriptType").Text.Value) {
		case "bash":
			shell = "bash"
		case "ps":
			shell = "powershell"
		case "pscore":
			shell = "pwsh"
		case "batch":
			shell = "cmd"
		}
		if shell == "powershell" && strings.EqualFold(s.With.Get("pwsh").Text.Value, "true") {
			shell = "pwsh"
		}
		s.Run.Shell.Make().Value = shell
		return
	}
}

// finish does what needs all jobs: ids, what they wait for, and shells.
func (a *azure) finish() {
	p := a.p
	names := map[string][]int{}
	for i, s := range a.stages {
		names[s.id.Value] = append(names[s.id.Value], i)
	}
	budget := azureMaxNeeds
	need := func(j *Job, t Text) {
		if budget--; budget < 0 {
			a.limit(j.Span, "more dependencies between jobs than are read")
			return
		}
		j.Needs = append(j.Needs, t)
	}
	for i := range p.Jobs {
		if s := a.own[i].stage; s != nil && s.id.Value != "" {
			p.Jobs[i].ID = within(s.id, p.Jobs[i].ID)
		}
	}
	for i, s := range a.stages {
		before := s.needs
		if !s.needsSet && i > 0 {
			before = []Text{a.stages[i-1].id} // the stage before, by default
		}
		for _, j := range s.jobs {
			job := &p.Jobs[j]
			for _, d := range a.own[j].deps {
				if d.Value != "" {
					need(job, within(s.id, d))
				}
			}
			for _, b := range before {
				for _, k := range names[b.Value] {
					for _, other := range a.stages[k].jobs {
						t := b
						t.Value, t.Map, t.Parts = p.Jobs[other].ID.Value, syntax.TextMap{}, nil
						need(job, t)
						if budget < 0 {
							break
						}
					}
				}
			}
		}
	}
	for i := range p.Jobs {
		if a.own[i].stage == nil {
			for _, d := range a.own[i].deps {
				if d.Value != "" {
					need(&p.Jobs[i], d)
				}
			}
		}
	}
	a.macros = AzureVariables(p)
	for i := range p.Jobs {
		a.shells(&p.Jobs[i])
	}
}

// within is the name of a job with that of its stage before it.
func within(stage, job Text) Text {
	if stage.Value == "" {
		return job
	}
	m := syntax.TextMap{}
	m.Add(len(stage.Value)+1, int(job.Span.Start), int(job.Span.Start))
	m.Join(job.Map)
	job.Value, job.Map, job.Parts = stage.Value+"."+job.Value, m, nil
	return job
}

// shells sets the shell of "script", which is cmd on Windows, and forgets what is the
// shell's own $(command) in scripts.
func (a *azure) shells(j *Job) {
	windows := false
	for _, l := range j.RunsOn.Labels {
		v := strings.ToLower(l.Value)
		windows = windows || strings.HasPrefix(v, "win") || strings.HasPrefix(v, "vs20")
	}
	for _, f := range j.RunsOn.Extra {
		f.Value.Texts(func(t Text) { windows = windows || strings.Contains(strings.ToLower(t.Value), "windows") })
	}
	for i := range j.Steps {
		run := &j.Steps[i].Run
		if !run.IsSet() {
			continue
		}
		if windows && run.Shell.Get().Value == "" {
			run.Shell.Make().Value = "cmd"
		}
		kept := run.Parts[:0:0]
		for _, p := range run.Parts {
			if strings.HasPrefix(run.Value[p.From:], "$(") && !shellMacro(run.Value[p.Inner:], TemplateAzure, a.macros) {
				continue
			}
			kept = append(kept, p)
		}
		run.Parts = kept
	}
}
