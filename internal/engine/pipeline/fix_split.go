package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"penstock"
	"penstock/internal/syntax"
)

// This file takes privileges from jobs that run the code of pull requests. Such a job
// leaves pull_request_target for pull_request, by which GitHub gives a fork's run
// neither secrets nor a token that writes: the whole workflow by a change of its trigger,
// or some jobs by a move into a file of their own. Both are offered only where the jobs
// can be seen to need nothing of what they lose, and to behave the same otherwise. What
// first runs the code and then uses a right is never taken apart by us: the second half
// would read what a stranger wrote, and which of that it may believe is a decision of
// people. For that the steps say what goes where.

// isolation is what can be done about pull_request_target in one workflow.
type isolation struct {
	// moved are the jobs that lose the event: all of them, where the trigger changes in
	// place.
	moved map[*Job]bool
	// file is where they go, empty where they stay.
	file  string
	edits []penstock.Edit
	// own is what a job has or needs itself, such as "the secret X", why what keeps it
	// where it is.
	own, why map[*Job]string
	flaws    map[*Job][]*Flaw
	advice   map[*Job]*penstock.Fix // nil where nothing is said
}

// maxRuns bounds the groups of neighbouring jobs that move: each finding lists them all.
const maxRuns = 20

const privilegedEvent = "pull_request_target"

// strangeRules are the flaws that go away when a job loses its privileges.
var strangeRules = []string{"untrusted-code-execution", "untrusted-checkout", "checkout-race"}

// fixPrivileged takes the privileges from a job that runs a stranger's code, or says how
// people can.
func fixPrivileged(e *editor, f *Flaw) *penstock.Fix {
	t := e.p.Trigger(privilegedEvent)
	if t == nil {
		return nil
	}
	j := e.jobAt(f.Span)
	if j == nil {
		return nil
	}
	s := e.isolate(t)
	switch {
	case !s.moved[j]:
		said, known := s.advice[j]
		if !known {
			said = e.advice(j, s)
			s.advice[j] = said
		}
		return said
	case s.file == "":
		return fix(false, "Start it by pull_request, which gives the code of forks no secrets and no right to write; runs for newcomers then wait for an approval, and there are none while the pull request has conflicts.", s.edits)
	}
	return fix(false, "Move what runs the code of pull requests to "+path.Base(s.file)+", which pull_request starts: without secrets and rights to write; runs for newcomers then wait for an approval, and there are none while the pull request has conflicts.", s.edits)
}

// isolate finds what can be done, once for all flaws of the file: their repairs must be
// the same.
func (e *editor) isolate(t *Trigger) *isolation {
	if e.apart != nil {
		return e.apart
	}
	s := &isolation{
		moved: make(map[*Job]bool), own: make(map[*Job]string), why: make(map[*Job]string), flaws: make(map[*Job][]*Flaw), advice: make(map[*Job]*penstock.Fix),
	}
	e.apart = s
	all, strange := true, e.strange(s)
	for i := range e.p.Jobs {
		j := &e.p.Jobs[i]
		why := e.privilege(j)
		s.own[j] = why
		if only, known := strange[j]; why == "" && known && !only {
			why = "another event, by which it runs such code, too"
		}
		if why != "" {
			s.why[j] = why
			all = false
		}
	}
	if why := e.sharedObstacle(t); why != "" {
		for i := range e.p.Jobs {
			s.why[&e.p.Jobs[i]] = cmp.Or(s.why[&e.p.Jobs[i]], why)
		}
		return s
	}
	if all {
		for i := range e.p.Jobs {
			s.moved[&e.p.Jobs[i]] = true
		}
		s.edits = []penstock.Edit{e.edit(t.Event.Span, "pull_request")}
		return s
	}
	groups := e.groups()
	for _, g := range groups {
		good := slices.ContainsFunc(g, func(j *Job) bool { return strange[j] })
		for _, j := range g {
			good = good && s.why[j] == ""
		}
		for _, j := range g {
			if good {
				s.moved[j] = true
			} else {
				s.why[j] = cmp.Or(s.why[j], "a job that needs it, or that it needs")
			}
		}
	}
	if len(s.moved) == 0 {
		return s
	}
	why := e.move(s, t)
	if why != "" {
		for j := range s.moved {
			s.why[j] = why
		}
		s.moved, s.edits, s.file = make(map[*Job]bool), nil, ""
	}
	return s
}

// strange are the jobs that run or check out a stranger's code: true where it is by
// pull_request_target and by no other event, which would bring it again.
func (e *editor) strange(s *isolation) map[*Job]bool {
	all := make(map[*Job]bool)
	for i := range e.flaws {
		f := &e.flaws[i]
		if f.Path != e.p.Path || !slices.Contains(strangeRules, f.Rule) {
			continue
		}
		j := e.jobAt(f.Span)
		if j == nil {
			continue
		}
		s.flaws[j] = append(s.flaws[j], f)
		only := !slices.ContainsFunc(f.Events, func(ev string) bool { return ev != privilegedEvent })
		if was, known := all[j]; !known || was {
			all[j] = only
		}
	}
	return all
}

// jobAt is the job around a span, nil if there is none. Jobs that are there by an alias
// are not looked for.
func (e *editor) jobAt(s penstock.Span) *Job {
	i, _ := slices.BinarySearchFunc(e.p.Jobs, s.Start, func(j Job, start int64) int {
		if j.Span.Start <= start {
			return -1
		}
		return 1
	})
	if i == 0 || !e.p.Jobs[i-1].Span.Contains(s) {
		return nil
	}
	return &e.p.Jobs[i-1]
}

// groups are the jobs that hang together by needs, in the order of the file.
func (e *editor) groups() [][]*Job {
	parent := make([]int, len(e.p.Jobs))
	byID := make(map[string]int, len(e.p.Jobs))
	for i := range e.p.Jobs {
		parent[i] = i
		byID[strings.ToLower(e.p.Jobs[i].ID.Value)] = i
	}
	first := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for i := range e.p.Jobs {
		for _, n := range e.p.Jobs[i].Needs {
			if o, ok := byID[strings.ToLower(n.Value)]; ok {
				a, b := first(i), first(o)
				parent[max(a, b)] = min(a, b)
			}
		}
	}
	out := make([][]*Job, len(e.p.Jobs))
	for i := range e.p.Jobs {
		out[first(i)] = append(out[first(i)], &e.p.Jobs[i])
	}
	return slices.DeleteFunc(out, func(g []*Job) bool { return len(g) == 0 })
}

// differs are words of what has another value by pull_request than by
// pull_request_target, in small letters: the event, the commit and branch of the run, and
// what only the run of the default branch's version is given. Where one stands, in a
// comment, too, nothing is offered.
var differs = []struct{ word, what string }{
	{privilegedEvent, "the name of the event"}, {"event_name", "the name of the event"}, {"eventname", "the name of the event"},
	{"github.ref", "the branch of the run (github.ref)"}, {"github_ref", "the branch of the run (GITHUB_REF)"}, {"context.ref", "the branch of the run"},
	{"github.sha", "the commit of the run (github.sha)"}, {"github_sha", "the commit of the run (GITHUB_SHA)"}, {"context.sha", "the commit of the run"},
	{"github.workflow", "the name of the workflow"}, {"github_workflow", "the name of the workflow"}, {"context.workflow", "the name of the workflow"},
	{"github[", "a value of the run"}, {"github)", "all values of the run"}, {"github.*", "all values of the run"}, {"github }}", "all values of the run"},
	{"vars.", "a variable of the repository"}, {"vars[", "a variable of the repository"}, {"vars)", "all variables of the repository"},
	{"job_workflow", "the name of the workflow"}, {"cache-mode", "what it does with caches"},
}

// otherwise names what a text of the file says that is another thing by pull_request,
// but for what stands in a span.
func (e *editor) otherwise(s penstock.Span, but penstock.Span) string {
	text := e.p.Source[s.Start:s.End]
	if but.End > but.Start && s.Contains(but) {
		text = slices.Concat(text[:but.Start-s.Start], []byte{'\n'}, text[but.End-s.Start:])
	}
	return otherwise(text)
}

func otherwise(text []byte) string {
	text = bytes.ToLower(text)
	for _, d := range differs {
		if bytes.Contains(text, []byte(d.word)) {
			return d.what
		}
	}
	// The token is no secret: a run of pull_request has one as well.
	for i := 0; ; {
		k := bytes.Index(text[i:], []byte("secrets"))
		if k < 0 {
			return ""
		}
		i += k + len("secrets")
		if rest := text[i:]; len(rest) > 0 && strings.IndexByte(".[) }", rest[0]) >= 0 && !bytes.HasPrefix(rest, []byte(".github_token")) {
			return "secrets"
		}
	}
}

// privilege says what a job has or needs that a run of pull_request for a fork does not
// give it, or what would be otherwise there; empty if nothing is. What it says is part of
// a sentence, and holds no text of the file but names of secrets and scopes.
func (e *editor) privilege(j *Job) string {
	switch {
	case j.Uses.IsSet():
		return "the workflow that it calls"
	case j.Environment.Get().Span.End > 0 || j.Environment.Get().Name.IsSet():
		return "its environment"
	case len(j.Steps) == 0 || len(j.Extra) > 0:
		return "a key that is not known"
	}
	for _, r := range e.x.secretRefs(e.p, j) {
		if name := strings.TrimPrefix(r.path, "secrets."); !strings.EqualFold(name, "github_token") {
			return secretText(name)
		}
	}
	if why := e.tokenNeed(j); why != "" {
		return why
	}
	if why := ownRunnerOf(j); why != "" {
		return why
	}
	if why := e.otherwise(j.Span, j.Concurrency.Get().Span); why != "" {
		return why
	}
	for at := range jobSteps(e.p, j) {
		if why := e.stepObstacle(at); why != "" {
			return why
		}
	}
	return ""
}

// stepObstacle says what a step would do otherwise by pull_request.
func (e *editor) stepObstacle(at stepAt) string {
	u := at.Step.Uses
	switch {
	case isCheckout(u):
		if with := at.Step.With; with.Get("ref").Text.Value == "" && with.Get("repository").Text.Value == "" {
			return "a checkout without ref, which is of the target's code now"
		}
	case u.Kind == UseLocal || u.Kind == UseSelf:
		return e.localObstacle(u)
	}
	return ""
}

// localObstacle looks into an action of the repository, into each once.
func (e *editor) localObstacle(u Use) string {
	a := e.x.Action(u)
	if a == nil {
		return "an action of the repository that is not there"
	}
	if why, known := e.inActions[a]; known {
		return why
	}
	if e.inActions == nil {
		e.inActions = make(map[*Pipeline]string)
	}
	e.inActions[a] = "an action of the repository that uses itself"
	why := otherwise(a.Source)
	for at := range a.steps() {
		switch {
		case why != "":
		case isCheckout(at.Step.Uses):
			why = "a checkout in an action of the repository"
		case at.Step.Uses.Kind == UseLocal || at.Step.Uses.Kind == UseSelf:
			why = e.localObstacle(at.Step.Uses)
		}
	}
	e.inActions[a] = why
	return why
}

// tokenNeed says which right to write a job needs, or may need. A token that cannot write
// now shows that it needs none, whatever the steps do.
func (e *editor) tokenNeed(j *Job) string {
	need := e.need(j)
	for _, s := range need.names() {
		if need.scopes[s] == LevelWrite {
			return "the right to write " + s
		}
	}
	if _, readOnly := e.reads(j); !need.sure && !readOnly {
		return "rights that its steps may use"
	}
	return ""
}

// reads are the scopes that a job may read, and whether that is all it may: false where
// it may write, or nothing says what it may.
func (e *editor) reads(j *Job) (scopes []string, only bool) {
	perms := j.Permissions
	if !perms.IsSet() {
		perms = e.p.Permissions
	}
	if !perms.IsSet() || perms.Text.IsSet() || len(perms.Extra) > 0 || perms.All > LevelNone {
		return nil, false
	}
	for _, s := range perms.Scopes {
		switch s.Level {
		case LevelRead:
			scopes = append(scopes, s.Name.Value)
		case LevelNone:
		default:
			return nil, false
		}
	}
	return scopes, true
}

// hosted are what the labels of the forge's own runners begin with.
var hosted = []string{"ubuntu-", "windows-", "macos-"}

// ownRunnerOf says whether a job may run on a machine that is not the forge's: pull
// requests of forks must not get there at all.
func ownRunnerOf(j *Job) string {
	const own = "a runner that may be your own"
	isHosted := func(label string) bool {
		return slices.ContainsFunc(hosted, func(h string) bool { return strings.HasPrefix(strings.ToLower(label), h) })
	}
	if j.RunsOn.Group.IsSet() || len(j.RunsOn.Labels) == 0 || len(j.RunsOn.Extra) > 0 {
		return own
	}
	for _, l := range j.RunsOn.Labels {
		if len(l.Parts) == 0 {
			if !isHosted(l.Value) {
				return own
			}
			continue
		}
		axis, ok := matrixAxis(l)
		if !ok {
			return own
		}
		good, some := true, false
		matrixValues(j, axis, func(t Text) {
			some = true
			good = good && len(t.Parts) == 0 && isHosted(t.Value)
		})
		if !good || !some {
			return own
		}
	}
	return ""
}

// sharedObstacle says what keeps the workflow as a whole from another event.
func (e *editor) sharedObstacle(t *Trigger) string {
	switch {
	case e.p.Kind != KindWorkflow || !e.editable(t.Event.Span) || t.Event.Alias.End > 0 || t.Event.Span.End <= t.Event.Span.Start:
		return "the layout of the file"
	case len(e.p.Notes) > 0:
		return "parts of the file that cannot be read for certain"
	case e.p.Trigger("pull_request") != nil:
		return "pull_request, which starts it, too"
	case e.p.Reusable():
		return "the workflows that call it" // for the same event, mostly
	case e.otherwise(e.p.Env.Span, penstock.Span{}) != "":
		return "variables that it has from the workflow"
	case e.x.Settings.GitHub.ForkSecrets || e.x.Settings.GitHub.ForkWriteToken:
		return "the settings, by which runs for forks get rights, too"
	case e.p.CacheMode.IsSet():
		return "the cache-mode of the workflow"
	}
	// Whoever waits for its end is handed what runs of forks leave, or nothing any more.
	names := []string{e.p.Name.Value, strings.TrimPrefix(e.p.Path, e.x.Root)}
	for _, p := range e.x.Pipelines {
		if run := p.Trigger("workflow_run"); run != nil {
			for _, w := range run.Workflows {
				if slices.Contains(names, w.Value) {
					return "a workflow that starts when it ends"
				}
			}
		}
	}
	return ""
}

// move makes the edits that put jobs into a file of their own; it says why not.
func (e *editor) move(s *isolation, t *Trigger) string {
	const layout = "the layout of the file"
	root := e.tree()
	if root == nil || root.Kind != syntax.Mapping || root.Style == syntax.Flow || e.anchors() || len(e.p.Extra) > 0 {
		return layout
	}
	if e.p.Trigger("workflow_run") != nil {
		return "workflow_run, which starts it, too"
	}
	named := func(part Interpolation) bool {
		return strings.EqualFold(strings.TrimSpace(e.p.Concurrency.Group.Source(part)), "github.workflow")
	}
	if c := e.p.Concurrency; c.Span.End > 0 && (len(c.Extra) > 0 || !slices.ContainsFunc(c.Group.Parts, named)) {
		return "the concurrency that its jobs share"
	}
	at := e.p.Name.Span
	if e.p.Name.IsSet() && (len(e.p.Name.Parts) > 0 || !oneLine(e.p.Name.Value) || bytes.IndexByte(e.p.Source[at.Start:at.End], '\n') >= 0) {
		return "the name of the workflow"
	}
	name, why := e.freeName()
	if why != "" {
		return why
	}
	blocks := make(map[string]penstock.Span)
	for _, entry := range root.Entries {
		if e.column(entry.Key.Span.Start) != 0 || entry.Key.Kind != syntax.Scalar {
			return layout
		}
		start, end := e.ownLines(entry, 0)
		blocks[entry.Key.Value] = penstock.Span{Start: start, End: end}
	}
	on := e.p.OnSpan
	for _, b := range blocks {
		if b.Contains(on) {
			on = b
		}
	}
	jobs, _ := nodeEntry(root, "jobs")
	if jobs.Value == nil || jobs.Value.Kind != syntax.Mapping || jobs.Value.Style == syntax.Flow || len(jobs.Value.Entries) != len(e.p.Jobs) || !on.Contains(t.Event.Span) {
		return layout
	}

	file := newFile{path: e.p.Path[:strings.LastIndexByte(e.p.Path, '/')+1] + name, from: e.p.Path, nl: e.nl, source: e.p.Source}
	if b := bytes.TrimPrefix(e.p.Source, []byte("\xef\xbb\xbf")); bytes.HasPrefix(b, []byte("---\n")) || bytes.HasPrefix(b, []byte("---\r\n")) {
		file.line("---")
	}
	if e.p.Name.IsSet() {
		// Not by its value: no text of the file goes into a finding.
		quote := ""
		if !e.p.Name.Plain {
			quote = string(e.p.Source[at.End-1])
		}
		file.text("name: ")
		file.lines(penstock.Span{Start: at.Start, End: at.End - int64(len(quote))})
		file.line(" (untrusted)" + quote)
		file.line("")
	}
	copied := func(key string) {
		if b, ok := blocks[key]; ok {
			file.block(b)
		}
	}
	copied("run-name")
	file.lines(penstock.Span{Start: on.Start, End: t.Event.Span.Start})
	file.text("pull_request")
	file.block(penstock.Span{Start: t.Event.Span.End, End: on.End})
	file.line("permissions:")
	for _, l := range e.readLines(s) {
		file.line(indent(e.unit()) + l)
	}
	file.line("")
	copied("concurrency")
	copied("env")
	copied("defaults")
	file.line("jobs:")

	var gone []penstock.Edit
	for i := 0; i < len(e.p.Jobs); i++ {
		if !s.moved[&e.p.Jobs[i]] {
			continue
		}
		first := i
		for i+1 < len(e.p.Jobs) && s.moved[&e.p.Jobs[i+1]] {
			i++
		}
		lines, cut := e.jobLines(jobs.Value, first, i)
		if lines.End <= lines.Start {
			return layout
		}
		if len(gone) == maxRuns {
			return "the number of places that would change"
		}
		if len(gone) > 0 {
			file.line("")
		}
		file.lines(lines)
		gone = append(gone, e.edit(cut, ""))
	}
	s.file, s.edits = file.path, append(gone, file.parts...)
	return ""
}

// readLines are the rights of the new file: to read what its jobs need, or may read now.
func (e *editor) readLines(s *isolation) []string {
	all := &jobNeeds{scopes: map[string]Level{"contents": LevelRead}}
	for i := range e.p.Jobs {
		j := &e.p.Jobs[i]
		if !s.moved[j] || j.Permissions.IsSet() {
			continue
		}
		need := e.need(j)
		for scope, level := range need.scopes {
			all.add(scope, level)
		}
		if scopes, only := e.reads(j); only && !need.sure {
			for _, scope := range scopes {
				if slices.Contains(allScopes, scope) {
					all.add(scope, LevelRead)
				}
			}
		}
	}
	return all.lines()
}

// oneLine reports whether a text can be shown as it is, in one line.
func oneLine(s string) bool {
	return len(s) <= 200 && strings.TrimSpace(s) == s && s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// freeName is the name of the new file, beside the old one; why says that it is taken, by
// a file or by what people call a workflow.
func (e *editor) freeName() (name, why string) {
	const taken = "a file or a workflow that has the name of the new one"
	dir, base := path.Split(strings.TrimPrefix(e.p.Path, e.x.Root))
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if e.x.tree == nil || !plainRef(stem) || strings.Contains(stem, "/") || Detect(e.p.Path) != KindWorkflow || len(stem) > 100 {
		return "", "the name of the file"
	}
	name = stem + "-untrusted" + ext
	for _, there := range e.x.tree.List(e.x.Root + strings.TrimSuffix(dir, "/")) {
		// On some systems the case of a name does not count.
		if strings.EqualFold(strings.TrimSuffix(there, "/"), name) {
			return "", taken
		}
	}
	if e.p.Name.IsSet() && len(e.x.named(e.p.Name.Value+" (untrusted)")) > 0 || e.x.byPath[e.x.Root+dir+name] != nil {
		return "", taken
	}
	return name, ""
}

// ownLines are the lines of an entry of a mapping whose keys stand in a column: from its
// key to the end of the comments below that are indented further.
func (e *editor) ownLines(entry syntax.Entry, column int) (start, end int64) {
	start = entry.Key.Span.Start
	if column > 0 {
		start, _ = e.p.line(start)
	}
	end = e.nextLine(e.endOf(entry))
	for at := end; at < int64(len(e.p.Source)); at = e.nextLine(at) {
		switch in, what := e.lineAt(at); {
		case what == "":
		case what[0] == '#' && in > column:
			end = e.nextLine(at)
		default:
			return start, end
		}
	}
	return start, end
}

// lineAt is a line without its indentation and what is blank at its end, and how far it
// is indented.
func (e *editor) lineAt(at int64) (column int, text string) {
	line := strings.TrimRight(string(e.p.Source[at:e.lineEnd(at)]), " \t\r")
	text = strings.TrimLeft(line, " ")
	return len(line) - len(text), text
}

// jobLines are the lines of neighbouring jobs with the comments right above the first,
// and what to cut with them: the blank lines behind, or before them for the last.
func (e *editor) jobLines(jobs *syntax.Node, first, last int) (lines, cut penstock.Span) {
	column := e.column(jobs.Entries[0].Key.Span.Start)
	for i := first; i <= last; i++ {
		key := jobs.Entries[i].Key
		start, _ := e.p.line(key.Span.Start)
		if column == 0 || e.column(key.Span.Start) != column || strings.Trim(string(e.p.Source[start:key.Span.Start]), " ") != "" || key.Span != e.p.Jobs[i].ID.Span {
			return penstock.Span{}, penstock.Span{}
		}
	}
	lines.Start, _ = e.ownLines(jobs.Entries[first], column)
	_, lines.End = e.ownLines(jobs.Entries[last], column)
	above := func(at int64) int64 { start, _ := e.p.line(at - 1); return start }
	for lines.Start > 0 {
		in, text := e.lineAt(above(lines.Start))
		if in != column || text == "" || text[0] != '#' {
			break
		}
		lines.Start = above(lines.Start)
	}
	cut = lines
	blank := func(at int64) bool { _, text := e.lineAt(at); return text == "" }
	if last+1 < len(jobs.Entries) {
		for cut.End < int64(len(e.p.Source)) && blank(cut.End) {
			cut.End = e.nextLine(cut.End)
		}
		return lines, cut
	}
	for cut.Start > 0 && blank(above(cut.Start)) {
		cut.Start = above(cut.Start)
	}
	return lines, cut
}

// newFile collects the parts of a file that is made.
type newFile struct {
	path, from, nl string
	source         []byte
	parts          []penstock.Edit
}

// text adds text to the file.
func (f *newFile) text(s string) {
	if n := len(f.parts); n > 0 && f.parts[n-1].From == "" {
		f.parts[n-1].Text += s
		return
	}
	f.parts = append(f.parts, penstock.Edit{Path: f.path, New: true, Text: s})
}

func (f *newFile) line(s string) { f.text(s + f.nl) }

// lines adds bytes of the file that it is made from.
func (f *newFile) lines(s penstock.Span) {
	if s.End > s.Start {
		f.parts = append(f.parts, penstock.Edit{Path: f.path, New: true, From: f.from, Span: s})
	}
}

// block adds lines, the last of which may lack its end.
func (f *newFile) block(s penstock.Span) {
	f.lines(s)
	if s.End > s.Start && f.source[s.End-1] != '\n' {
		f.line("")
	}
	f.line("")
}

// stepPart is what a step of a job that must be taken apart does.
type stepPart struct {
	number, line int
	// right is what it has that a stranger must not: "the secret X".
	right string
	// out: it checks out a stranger's code; runs: it runs it.
	out, runs bool
}

// tokenPerhaps is the right of a step that gets the token for what is not known.
const tokenPerhaps = "the token, perhaps"

// parts are the steps of a job, those at the same time as one.
func (e *editor) parts(j *Job, flaws []*Flaw) []stepPart {
	var outs, runs []penstock.Span
	for _, f := range flaws {
		if f.Rule == "untrusted-checkout" {
			outs = append(outs, f.Span)
		} else {
			runs = append(runs, f.Span)
		}
		for _, h := range slices.Concat(f.Related, f.Trace) {
			switch {
			case h.Path != e.p.Path:
			case h.Text == alsoHere:
				runs = append(runs, h.Span)
			case strings.HasSuffix(h.Text, checkedOutText):
				outs = append(outs, h.Span)
			}
		}
	}
	secrets := make(map[int]string)
	for _, r := range e.x.secretRefs(e.p, j) {
		if name := strings.TrimPrefix(r.path, "secrets."); r.step >= 0 && !strings.EqualFold(name, "github_token") && secrets[r.step] == "" {
			secrets[r.step] = secretText(name)
		}
	}
	var all []stepPart
	for at := range jobSteps(e.p, j) {
		if n := len(all); n == 0 || all[n-1].number != at.Index+1 {
			all = append(all, stepPart{number: at.Index + 1, line: e.p.lineOf(at.Step.Span.Start), right: secrets[at.Index]})
		}
		part := &all[len(all)-1]
		part.right = cmp.Or(part.right, e.stepRight(at))
		part.out = part.out || slices.ContainsFunc(outs, at.Step.Span.Contains)
		part.runs = part.runs || slices.ContainsFunc(runs, at.Step.Span.Contains)
	}
	return all
}

// secretText names a secret in a sentence.
func secretText(name string) string {
	if name == "secrets" || !identifier(name) {
		return "all secrets"
	}
	return "the secret " + clip(strings.ToUpper(name))
}

// tokenWords stand in the names of actions that use the token without being given it.
var tokenWords = []string{"COMMENT", "LABEL", "ISSUE", "PULL", "RELEASE", "STATUS", "CHECK-RUN", "MERGE", "REVIEW", "DEPLOY", "COMMIT", "PUSH"}

// stepRight says which right of the token a step uses, or may use.
func (e *editor) stepRight(at stepAt) string {
	need := &jobNeeds{scopes: make(map[string]Level), sure: true}
	e.stepNeeds(need, at, 0)
	for _, s := range need.names() {
		if need.scopes[s] == LevelWrite {
			return "the right to write " + s
		}
	}
	given := holdsToken(at.Step.Run.Text)
	for _, d := range []*Data{&at.Step.Env, &at.Step.With} {
		d.Texts(func(t Text) { given = given || holdsToken(t) })
	}
	what := ""
	e.x.stepPrizes(e.p, at.Step, at.Index, true, true, func(p Prize) {
		switch p.Kind {
		case PrizePublish:
			what = "it publishes"
		case PrizeCloud:
			what = "a role in a cloud"
		}
	})
	if u := at.Step.Uses; what != "" || need.sure || !given && !(u.Kind == UseRemote && hasAny(strings.ToUpper(u.Owner+"/"+u.Repo), tokenWords...)) {
		return what
	}
	if _, readOnly := e.reads(at.Job); readOnly {
		return ""
	}
	return tokenPerhaps
}

// advice says how people take a job apart, step by step.
func (e *editor) advice(j *Job, s *isolation) *penstock.Fix {
	base := path.Base(e.p.Path)
	stem := strings.TrimSuffix(base, path.Ext(base))
	if !plainRef(j.ID.Value) || !plainRef(stem) {
		return nil
	}
	id := clip(j.ID.Value)
	var stay, after, hold, before []stepPart
	seen := false
	for _, p := range e.parts(j, s.flaws[j]) {
		seen = seen || p.out || p.runs
		switch {
		case p.right != "" && (p.runs || p.out && p.right != tokenPerhaps):
			hold = append(hold, p)
		case p.right == "" || p.out:
			stay = append(stay, p)
		case seen:
			after = append(after, p)
		default:
			before = append(before, p)
		}
	}
	var steps []string
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	for _, r := range e.x.secretRefs(e.p, j) {
		if name := strings.TrimPrefix(r.path, "secrets."); r.step < 0 && !strings.EqualFold(name, "github_token") && r.place.Path == e.p.Path {
			add("%s:%d gives %s to every step of %s: give it to those alone that need it", base, e.p.lineOf(r.place.Start), secretText(name), id)
			break
		}
	}
	if len(hold) > 0 {
		add("%s, job %s, %s: a stranger's code runs while that is at hand, and no split helps: take it away there, or let a person start the job for one commit, by an environment with reviewers", base, id, listed(hold, true))
	}
	part := fmt.Sprintf("start the job %s by pull_request", id)
	if len(stay) > 0 && len(after)+len(hold)+len(before) > 0 {
		part = fmt.Sprintf("put %s of the job %s into a workflow that pull_request starts", listed(stay, false), id)
	}
	part = fmt.Sprintf("%s: %s, with permissions: contents: read and without secrets", base, part)
	rest, waiting, why := "", e.dependents(j, s), s.why[j]
	switch {
	case len(after) > 0:
		rest = listed(after, true)
	case len(waiting) > 0:
		rest = fmt.Sprintf("what waits for %s (%s)", id, strings.Join(waiting, ", "))
	}
	switch {
	case rest != "":
		add("%s; at its end let actions/upload-artifact hand over what is needed of it (a report, the number of the pull request)", part)
		add("put %s into a workflow of its own, on: workflow_run: workflows: [%s], types: [completed]; it gets the artifact by actions/download-artifact with run-id: ${{ github.event.workflow_run.id }}, takes nothing of it for granted (is the number one, of a pull request whose head is github.event.workflow_run.head_sha?), and checks out or runs nothing of it", rest, e.runName(stem))
	case len(hold) == 0 && why != "":
		add("%s; what is in the way is %s", part, why)
	case len(hold) == 0:
		add("%s", part)
	}
	if len(before) > 0 {
		add("%s, job %s: %s may stay in a job that does not check out that code", base, id, listed(before, true))
	}
	return fix(false, "", nil, steps...)
}

// runName is the name by which workflow_run knows the workflow.
func (e *editor) runName(stem string) string {
	if name := e.p.Name.Value; oneLine(name) {
		return clip(name)
	}
	return stem
}

// dependents are the jobs with rights that wait for a job.
func (e *editor) dependents(j *Job, s *isolation) []string {
	var out []string
	for i := range e.p.Jobs {
		o := &e.p.Jobs[i]
		waits := slices.ContainsFunc(o.Needs, func(t Text) bool { return strings.EqualFold(t.Value, j.ID.Value) })
		if why := s.own[o]; waits && why != "" && plainRef(o.ID.Value) && len(out) < 4 {
			out = append(out, clip(o.ID.Value)+": "+why)
		}
	}
	return out
}

// listed names steps: "steps 1 to 4, 6", or with what they have, "step 6 (line 31: the secret X)".
func listed(parts []stepPart, rights bool) string {
	const most = 6
	var out []string
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		if rights {
			out = append(out, fmt.Sprintf("%d (line %d: %s)", p.number, p.line, p.right))
			continue
		}
		last := i
		for last+1 < len(parts) && parts[last+1].number == parts[last].number+1 {
			last++
		}
		if last > i+1 {
			out = append(out, fmt.Sprintf("%d to %d", p.number, parts[last].number))
			i = last
			continue
		}
		out = append(out, fmt.Sprint(p.number))
	}
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	word := "steps "
	if len(parts) == 1 {
		word = "step "
	}
	return word + strings.Join(out, ", ")
}
