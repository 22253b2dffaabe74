package pipeline

import (
	"regexp"
	"strings"
)

// This file finds what steps say about the repository of a pull request's head: a step
// asks the forge, its output is compared with the own repository, and so the code of
// forks is kept out.

// Bounds of what is looked at for one output.
const (
	maxHeadScript = 1 << 15
	maxHeadNames  = 64
	maxHeadDepth  = 10 // of outputs that are made of outputs
)

// foreignRepository is the name of a repository that is no one's that a pipeline spells.
func foreignRepository() Value { return Foreign(false, "the repository of the head") }

// headQuery is what a query of jq, or a command of gh, gives for a pull request from a
// fork.
func headQuery(text string) (Value, bool) {
	text = strings.ReplaceAll(text, "?.", ".")
	has := func(words ...string) bool { return hasAny(text, words...) }
	if has("select(", " and ", " or ", "map(", "|not", "| not", "length") || len(text) > 2000 {
		return Value{}, false
	}
	fork := has("isCrossRepository", ".head.repo.fork", "head_repository.fork")
	full := has(".head.repo.full_name", "headRepository.nameWithOwner", "head_repository.full_name", "head.repo.full_name") || has("headRepositoryOwner.login") && has("headRepository.name")
	owner := has(".head.repo.owner.login", ".head.user.login", "headRepositoryOwner.login", "head_repository.owner.login")
	switch {
	case (fork || full || owner) && has("==", "!="):
		if fork {
			return Value{}, false
		}
		return String(truthText(has("!="))), !has("==") || !has("!=")
	case fork && !full:
		return String("true"), true
	case full, owner:
		return foreignRepository(), true
	}
	return Value{}, false
}

func truthText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// headName is an assignment of a shell.
var headName = regexp.MustCompile(`(?m)(?:^|[;&{]|\b(?:export|local|readonly|then|else))[ \t]*([A-Za-z_]\w*)=([^\n]*)$`)

// headScript is a shell script that asks for the repository of a head.
type headScript struct {
	a      *asker
	s      *Step
	script string
	names  map[string]Value
	depth  int
}

func (a *asker) headScript(s *Step, script string, depth int) *headScript {
	h := &headScript{a: a, s: s, script: strings.ReplaceAll(script, "\\\n", " "), names: make(map[string]Value), depth: depth}
	assigned, known := a.x.ways.assigned[script]
	if !known {
		assigned = headName.FindAllStringSubmatch(h.script, maxHeadNames)
		if a.x.ways.assigned == nil {
			a.x.ways.assigned = make(map[string][][]string)
		}
		a.x.ways.assigned[script] = assigned
	}
	for _, m := range assigned {
		if v, ok := headQuery(m[2]); ok && strings.Contains(m[2], "$(") {
			h.names[m[1]] = v
		} else if v, ok := h.word(strings.Trim(m[2], `"'`)); ok && (strings.HasPrefix(m[2], `"$`) || strings.HasPrefix(m[2], "$")) {
			h.names[m[1]] = v
		}
	}
	return h
}

// mayAskHead reports whether a script, by its words, can end for what it knows of the
// repository of a head.
func (a *asker) mayAskHead(s *Step, script string) bool {
	return strings.Contains(script, "=") && hasAny(script, "exit", "return", "false", "[", "test ") && a.mayTellHead(s, script)
}

// mayTellHead reports whether a script, by its words and variables, can know of the
// repository of a head: most do not, and need no closer look.
func (a *asker) mayTellHead(s *Step, script string) bool {
	if len(script) > maxHeadScript {
		return false
	}
	if hasAny(script, "head", "isCrossRepository") || strings.Contains(script, "${{") && hasAny(script, "steps.", "needs.", "jobs.") {
		return true
	}
	for _, env := range []*Data{&s.Env, &a.j.Env, &a.p.Env} {
		for i := range env.Fields {
			if hasAny(env.Fields[i].Value.Text.Value, "head", "steps.", "needs.") {
				return true
			}
		}
	}
	return false
}

// word is what a word of the script is for a pull request from a fork.
func (h *headScript) word(word string) (Value, bool) {
	word = shellWord(strings.TrimSpace(word))
	if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(word, "${{") && !strings.HasPrefix(word, "$(") {
		if v, ok := h.names[name]; ok {
			return v, true
		}
		switch name {
		case "GITHUB_REPOSITORY":
			return h.a.e.Env.Get("github.repository"), true
		case "GITHUB_REPOSITORY_OWNER":
			return h.a.e.Env.Get("github.repository_owner"), true
		}
		if word = h.variable(name); !strings.HasPrefix(word, "${{") {
			return Value{}, false // the script may set it to something else
		}
	}
	if strings.HasPrefix(word, "${{") {
		t := ParseTemplate(word)
		if len(t.Parts) != 1 {
			return Value{}, false
		}
		return h.a.headTemplate(t, h.depth)
	}
	if strings.ContainsAny(word, "$`") {
		return Value{}, false
	}
	return String(word), true
}

// variable is the text of a variable of the step, its job or the file.
func (h *headScript) variable(name string) string {
	if t := h.s.Env.Get(name).Text; t.IsSet() {
		return t.Value
	}
	if t := h.a.j.Env.Get(name).Text; t.IsSet() {
		return t.Value
	}
	return h.a.p.Env.Get(name).Text.Value
}

// decide compares two words for a pull request from a fork.
func (h *headScript) decide(left, op, right string) Truth {
	l, ok := h.word(left)
	r, also := h.word(right)
	if !ok || !also || l.Known() && r.Known() && !strings.Contains(left, "$") && !strings.Contains(right, "$") || strings.HasPrefix(right, "*") {
		return Undecided
	}
	return compared(op, equalTruth(l, r))
}

// ending is how a script ends for a pull request from a fork.
func (h *headScript) ending(script string) ending {
	return scriptEnding(script, h.decide)
}

// output is what the script gives as an output for a pull request from a fork.
func (h *headScript) output(name string) (Value, bool) {
	if len(name) > 100 || !strings.Contains(strings.ToLower(h.script), strings.ToLower(name)) || !hasAny(h.script, "GITHUB_OUTPUT", "set-output") {
		return Value{}, false
	}
	quoted := regexp.QuoteMeta(name)
	// A query that writes the line itself.
	if m := regexp.MustCompile(`(?i)\b` + quoted + `=\\\(([^\n]*?)\)(?:"|\\n| |')`).FindStringSubmatch(h.script); m != nil {
		return headQuery(m[1])
	}
	write := regexp.MustCompile(`(?im)^(.*?[\s"'{;]|)` + quoted + `(?:=|::)([^\n]*)$`)
	var said []string
	for _, m := range write.FindAllStringSubmatch(h.script, 20) {
		said = append(said, lineValue(m[2]))
	}
	if len(said) == 0 {
		return Value{}, false
	}
	constant := true
	for _, s := range said {
		if s != "true" && s != "false" && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz_-") != "" {
			constant = false
		}
	}
	if constant {
		return h.constant(write)
	}
	last := said[len(said)-1]
	if strings.Contains(last, "$(") {
		return headQuery(last)
	}
	if v, ok := h.word(last); ok && strings.HasPrefix(last, "$") {
		return v, true
	}
	if variable, ok := strings.CutPrefix(shellWord(last), "$"); ok && strings.Trim(strings.ToLower(variable), "abcdefghijklmnopqrstuvwxyz0123456789_") == "" {
		return h.constant(regexp.MustCompile(`(?m)^(.*?[\s;]|)` + variable + `=([^\n]*)$`))
	}
	return Value{}, false
}

// lineValue is the text that a line writes, of what stands behind the name of the output.
func lineValue(rest string) string {
	if strings.HasPrefix(rest, "$(") || strings.HasPrefix(rest, `"$(`) {
		return rest
	}
	for _, end := range []string{`" >`, `">`, `' >`, `'>`, " >", `";`, `';`, ";", " }"} {
		if i := strings.Index(rest, end); i >= 0 && !strings.Contains(rest[:i], "${{") {
			rest = rest[:i]
		}
	}
	return strings.Trim(strings.TrimSpace(rest), `"'`)
}

// constant is the constant that a name is set to for a pull request from a fork, where
// branches of the script set it to several. It asks how the script would end if it
// ended there.
func (h *headScript) constant(set *regexp.Regexp) (Value, bool) {
	lines := strings.Split(h.script, "\n")
	var at []int
	var values []string
	branches := false
	first := -1 // a value that is set before any branch
	for i, line := range lines {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		branches = branches || word == "if"
		m := set.FindStringSubmatch(line)
		if m == nil || len(at) == 20 {
			continue
		}
		v := lineValue(m[2])
		if strings.ContainsAny(v, "$`") || word == "[" || word == "[[" {
			return Value{}, false
		}
		if !branches {
			first = len(at)
		}
		at, values = append(at, i), append(values, v)
	}
	with := func(end func(value string) string) ending {
		out := append([]string(nil), lines...)
		for k, i := range at {
			out[i] = ""
			if k > first {
				out[i] = end(values[k])
			}
		}
		return h.ending(strings.Join(out, "\n"))
	}
	if !branches {
		return Value{}, false
	}
	for k := first + 1; k < len(at); k++ {
		if with(func(v string) string { return map[bool]string{true: "exit 1", false: "exit 0"}[v == values[k]] }) == fails {
			return String(values[k]), true
		}
	}
	if first >= 0 && with(func(string) string { return "exit 0" }) == goesOn {
		return String(values[first]), true
	}
	return Value{}, false
}

// headContext reports whether a context tells of the repository of a head.
func headContext(path string) bool {
	for _, prefix := range []string{"github.event.pull_request.head.repo.", "github.event.pull_request.head.user.", "github.event.workflow_run.head_repository."} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// headTemplate is what a text is for a pull request from a fork, if it tells of that.
func (a *asker) headTemplate(t Template, depth int) (Value, bool) {
	if depth > maxHeadDepth {
		return Value{}, false
	}
	env, tells := a.e.Env.over(), false
	for i, path := range t.Paths() {
		if i == 16 {
			break
		}
		switch name := path.Name; {
		case ownRepository(name) || ownName(name):
			tells = tells || len(t.Paths()) == 1
		case headContext(name):
			switch name[strings.LastIndexByte(name, '.')+1:] {
			case "fork":
				env.Set(name, Boolean(true))
			case "full_name", "login":
				env.Set(name, foreignRepository())
			default:
				continue
			}
			tells = true
		case strings.HasPrefix(name, "steps.") || strings.HasPrefix(name, "needs.") || strings.HasPrefix(name, "jobs."):
			if v, _, ok := a.headOutput(name, depth+1); ok {
				env.Set(name, v)
				tells = true
			}
		}
	}
	if !tells {
		return Value{}, false
	}
	v := t.Evaluate(env)
	return v, v.Known() || v.u != nil && (v.u.foreign || v.u.is != "")
}

// headKey is an output as a condition at a step of a job reads it.
type headKey struct {
	entry *Entry
	job   *Job
	step  int
	path  string
}

type headAnswer struct {
	value    Value
	open, ok bool
}

// headOutput is what an output is for a pull request from a fork, if it tells of the
// repository of the head. open says that the output may be empty instead. Each output is
// looked at once.
func (a *asker) headOutput(path string, depth int) (v Value, open, ok bool) {
	key := headKey{a.e, a.j, a.step, path}
	if answer, known := a.x.ways.heads[key]; known {
		return answer.value, answer.open, answer.ok
	}
	if a.x.ways.heads == nil {
		a.x.ways.heads = make(map[headKey]headAnswer)
	}
	a.x.ways.heads[key] = headAnswer{} // while it is made
	v, open, ok = a.readHead(path, depth)
	a.x.ways.heads[key] = headAnswer{v, open, ok}
	return v, open, ok
}

func (a *asker) readHead(path string, depth int) (v Value, open, ok bool) {
	segments := splitPath(path)
	if len(segments) != 4 || segments[2] != "outputs" || depth > maxHeadDepth {
		return Value{}, false, false
	}
	if segments[0] == "needs" || segments[0] == "jobs" {
		j := a.x.jobOf(a.p, segments[1])
		if j == nil || j == a.j {
			return Value{}, false, false
		}
		t := ParseTemplate(j.Outputs.Get(segments[3]).Text.Value)
		b := &asker{x: a.x, p: a.p, e: a.e, j: j, step: -1, depth: a.depth, env: a.env, work: a.work}
		if called := a.x.Workflow(j.Uses); called != nil {
			// What the workflow that the job calls gives.
			t, b.p, b.j = ParseTemplate(outputOf(called, segments[3]).Value), called, &Job{}
		}
		for i, p := range t.Paths() {
			if i == 16 {
				break
			}
			if _, o, found := b.headOutput(p.Name, depth+1); found {
				open = open || o
			}
		}
		v, ok = b.headTemplate(t, depth+1)
		if c := a.x.condition(a.j.If.Value); a.j.If.IsSet() && (c == nil || !c.Implied && !requiresSuccess(c)) {
			open = open || j.If.IsSet() || len(j.Needs) > 0
		}
		return v, open, ok
	}
	i := a.x.stepOf(a.j, segments[1])
	if segments[0] != "steps" || i < 0 || a.step >= 0 && i >= a.step {
		return Value{}, false, false
	}
	s := &a.j.Steps[i]
	v, ok = a.headStep(s, i, segments[3], depth)
	open = s.ContinueOnError.Get().IsSet() && strings.TrimSpace(s.ContinueOnError.Get().Value) != "false"
	if ok && s.If.IsSet() && a.depth < maxEnvLevels {
		b := &asker{x: a.x, p: a.p, e: a.e, j: a.j, step: i, depth: a.depth + 1, work: a.work}
		t, _ := b.condition(s.If, true)
		open = open || t != True
	}
	return v, open, ok
}

// outputOf is what a definition gives as an output.
func outputOf(p *Pipeline, name string) Text {
	for i := range p.Outputs {
		if strings.EqualFold(p.Outputs[i].Name.Value, name) {
			return p.Outputs[i].Value
		}
	}
	return Text{}
}

// headStep is headOutput for a step.
func (a *asker) headStep(s *Step, i int, output string, depth int) (Value, bool) {
	if strings.EqualFold(s.Uses.Owner+"/"+s.Uses.Repo, "actions/github-script") {
		script := s.With.Get("script").Text.Value
		if len(script) > maxHeadScript || !hasAny(script, "head", "isCrossRepository") {
			return Value{}, false
		}
		return newHeadCode(script).output(output)
	}
	if given := headActions[strings.ToLower(s.Uses.Owner+"/"+s.Uses.Repo)]; given != "" && s.Uses.Path == "" {
		return foreignRepository(), strings.EqualFold(given, output)
	}
	if s.Uses.Kind == UseLocal || s.Uses.Kind == UseSelf {
		p := a.x.Action(s.Uses)
		if p == nil || p.Action == nil {
			return Value{}, false
		}
		b := &asker{x: a.x, p: p, e: a.e, j: &Job{Steps: p.Action.Steps}, step: -1, depth: a.depth + 1, env: a.env, work: a.work}
		return b.headTemplate(ParseTemplate(outputOf(p, output).Value), depth+1)
	}
	script := s.Run.Value
	if !s.Run.IsSet() || output == "" || !holds(script, output) || !a.mayTellHead(s, script) {
		return Value{}, false
	}
	if d := DialectOf(stepShell(a.p, a.j, s)); d != DialectBash && d != DialectSh {
		return Value{}, false
	}
	b := &asker{x: a.x, p: a.p, e: a.e, j: a.j, step: i, depth: a.depth, env: a.env, work: a.work}
	return b.headScript(s, script, depth).output(output)
}

// headGate judges a condition about what steps and jobs found out of the repository of
// the head: the truth for a pull request from a fork, and the gate that it is.
func (a *asker) headGate(n *ExprNode, want bool, g Gate) (Truth, []Gate, bool) {
	if !a.e.Outsider() {
		return Undecided, nil, false
	}
	env := a.env.over()
	empty := a.env.over()
	known, open := false, false
	for i, path := range (Expression{Root: n}).Paths() {
		if i == 16 || !strings.HasPrefix(path.Name, "steps.") && !strings.HasPrefix(path.Name, "needs.") {
			continue
		}
		if v, o, ok := a.headOutput(path.Name, 0); ok {
			env.Set(path.Name, v)
			empty.Set(path.Name, String(""))
			known, open = true, open || o
		}
	}
	asked := n
	if m, ok := headJSON(n, 0); ok {
		asked, known = m, true
	}
	if !known {
		return Undecided, nil, false
	}
	refused := func(env *Environment) bool {
		t := Expression{Root: asked}.Evaluate(env).Truth()
		if !want {
			t = t.Not()
		}
		return t == False
	}
	if !refused(env) || open && !refused(empty) {
		return Undecided, nil, false
	}
	g = a.named(g, GuardRepository, "not for pull requests from forks")
	if a.e.Origin == OriginFork {
		g.Stops = true
		return False, []Gate{g}, true
	}
	g.Stops, g.ownCode = false, true
	return Undecided, []Gate{g}, true
}

// headJSON is a node in which what fromJSON reads of a pull request that a step fetched is
// replaced by what it is for one from a fork.
func headJSON(n *ExprNode, depth int) (*ExprNode, bool) {
	if depth > 20 {
		return n, false
	}
	if n.Kind == ExprMember {
		var path []string
		base := n
		for ; base.Kind == ExprMember && len(path) < 8; base = base.Args[0] {
			path = append([]string{strings.ToLower(base.Name)}, path...)
		}
		if base.Kind == ExprCall && base.Name == "fromjson" && strings.Contains(strings.Join((Expression{Root: base}).names(), " "), ".outputs.") {
			switch read := "." + strings.Join(path, "."); {
			case strings.HasSuffix(read, ".head.repo.fork"), read == ".iscrossrepository":
				return &ExprNode{Kind: ExprLiteral, Span: n.Span, Value: Boolean(true)}, true
			case strings.HasSuffix(read, ".head.repo.full_name"), strings.HasSuffix(read, ".head.repo.owner.login"), strings.HasSuffix(read, ".head.user.login"), read == ".headrepositoryowner.login":
				return &ExprNode{Kind: ExprLiteral, Span: n.Span, Value: foreignRepository()}, true
			}
		}
	}
	changed := false
	out := *n
	out.Args = append([]*ExprNode(nil), n.Args...)
	for i, arg := range n.Args {
		m, ok := headJSON(arg, depth+1)
		out.Args[i], changed = m, changed || ok
	}
	return &out, changed
}

// names are the contexts that an expression reads.
func (e Expression) names() []string {
	var out []string
	for _, p := range e.Paths() {
		out = append(out, p.Name)
	}
	return out
}

// headActions are outputs of actions that name the owner or the repository of the head.
var headActions = map[string]string{
	"xt0rted/pull-request-comment-branch":   "head_owner",
	"gotson/pull-request-comment-branch":    "head_owner",
	"alessbell/pull-request-comment-branch": "head_owner",
	"potiuk/get-workflow-origin":            "sourceheadrepo",
}

// headCode is a script of actions/github-script that asks for the repository of a head.
type headCode struct {
	script   string
	names    map[string]Value
	branches []headBranch
}

// headBranch is an if of it that a pull request from a fork decides.
type headBranch struct {
	at, then, end int // the condition, and the block
	other, last   int // the block of the else, 0 for none
	truth         Truth
}

var (
	codeName  = regexp.MustCompile(`(?m)^[ \t]*(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*([^\n]*)$`)
	codeIf    = regexp.MustCompile(`\bif\s*\(`)
	codeElse  = regexp.MustCompile(`^\s*else\s*\{`)
	codeOrder = regexp.MustCompile(`^(.*?)\s*(===?|!==?)\s*(.*)$`)
	codeTake  = regexp.MustCompile(`^(.*?)\?([^?:]*):([^?:]*)$`)
)

func newHeadCode(script string) *headCode {
	h := &headCode{script: strings.ReplaceAll(script, "?.", "."), names: make(map[string]Value)}
	for _, m := range codeName.FindAllStringSubmatch(h.script, maxHeadNames) {
		if v, ok := h.value(m[2], 0); ok {
			h.names[m[1]] = v
		}
	}
	for _, at := range codeIf.FindAllStringIndex(h.script, maxHeadNames) {
		end := closing(h.script, at[1]-1)
		if end < 0 {
			continue
		}
		v, ok := h.value(h.script[at[1]:end], 0)
		if !ok || v.Truth() == Undecided || v.u != nil {
			continue
		}
		b := headBranch{at: at[0], then: end + 1, truth: v.Truth()}
		if v.Kind() == KindString {
			b.truth = truthOf(v.text() == "true")
		}
		rest := strings.TrimLeft(h.script[b.then:], " \t\r\n")
		if !strings.HasPrefix(rest, "{") {
			b.end = len(h.script) - len(rest) + strings.IndexByte(rest+"\n", '\n')
			b.end = min(b.end, len(h.script))
		} else if b.end = closing(h.script, len(h.script)-len(rest)); b.end < 0 {
			continue
		} else if m := codeElse.FindStringIndex(h.script[b.end+1:]); m != nil {
			b.other = b.end + m[1]
			if b.last = closing(h.script, b.other); b.last < 0 {
				continue
			}
		}
		h.branches = append(h.branches, b)
	}
	return h
}

// closing is where the bracket at i is closed; -1 if it is not. Texts are not told apart
// from code.
func closing(s string, i int) int {
	if i < 0 || i >= len(s) {
		return -1
	}
	open := s[i]
	shut := map[byte]byte{'(': ')', '{': '}'}[open]
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// value is what an expression of JavaScript is for a pull request from a fork.
func (h *headCode) value(s string, depth int) (Value, bool) {
	s = strings.TrimRight(strings.TrimSpace(s), "; \t\r")
	if depth > 6 || len(s) > 1000 {
		return Value{}, false
	}
	for _, wrap := range []string{"String(", "Boolean(", "("} {
		if strings.HasPrefix(s, wrap) && closing(s, len(wrap)-1) == len(s)-1 {
			return h.value(s[len(wrap):len(s)-1], depth+1)
		}
	}
	s = strings.TrimSuffix(s, ".toString()")
	yes := func(v Value) Truth { return truthOf(v.text() == "true") }
	if m := codeTake.FindStringSubmatch(s); m != nil {
		v, ok := h.value(m[1], depth+1)
		if !ok || !v.Known() {
			return Value{}, false
		}
		if yes(v) == True {
			return h.value(m[2], depth+1)
		}
		return h.value(m[3], depth+1)
	}
	for _, op := range []string{"||", "&&"} {
		if !strings.Contains(s, op) {
			continue
		}
		stop, all := truthText(op == "||"), true
		var v Value
		for part := range strings.SplitSeq(s, op) {
			var ok bool
			if v, ok = h.value(part, depth+1); ok && v.Known() && v.text() == stop {
				return v, true
			} else if !ok {
				all = false
			}
		}
		return v, all
	}
	if m := codeOrder.FindStringSubmatch(s); m != nil {
		l, ok := h.value(m[1], depth+1)
		r, also := h.value(m[3], depth+1)
		foreign := func(v Value, ok bool) bool { return ok && v.u != nil && v.u.foreign }
		equal := Undecided
		switch {
		case foreign(l, ok) && !foreign(r, also) || foreign(r, also) && !foreign(l, ok):
			equal = False // whatever is compared with it
		case ok && also && l.Known() && r.Known():
			equal = truthOf(l.text() == r.text())
		}
		if equal == Undecided {
			return Value{}, false
		}
		return String(truthText((equal == True) == (m[2][0] == '='))), true
	}
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		if v, ok := h.value(rest, depth+1); ok && v.Known() {
			return String(truthText(yes(v) != True)), true
		}
		return Value{}, false
	}
	if len(s) > 1 && strings.IndexByte("'\"`", s[0]) >= 0 && s[len(s)-1] == s[0] && !strings.Contains(s, "${") {
		return String(s[1 : len(s)-1]), true
	}
	switch {
	case s == "true" || s == "false":
		return String(s), true
	case strings.ContainsAny(s, " (\"'`<>{"):
		return Value{}, false
	case strings.HasSuffix(s, "head.repo.full_name") || strings.HasSuffix(s, "head.repo.owner.login") || strings.HasSuffix(s, "head.user.login") || strings.HasSuffix(s, "headRepositoryOwner.login") || strings.HasSuffix(s, "headRepository.nameWithOwner") ||
		strings.HasSuffix(s, "head_repository.full_name"):
		return foreignRepository(), true
	case strings.HasSuffix(s, "head.repo.fork") || strings.HasSuffix(s, ".isCrossRepository"):
		return String("true"), true
	}
	v, ok := h.names[s]
	return v, ok
}

// dead reports whether a place is in a branch that a pull request from a fork does not
// take, or behind one in which the script ends for it.
func (h *headCode) dead(at int) bool {
	for _, b := range h.branches {
		inThen, inElse := at > b.then && at < b.end, b.other > 0 && at > b.other && at < b.last
		if inThen && b.truth == False || inElse && b.truth == True {
			return true
		}
		taken := [2]int{b.then, b.end}
		if b.truth == False {
			taken = [2]int{b.other, b.last}
		}
		if taken[1] > taken[0] && at > taken[1] && !h.nested(b) && returns.MatchString(h.script[taken[0]:taken[1]]) {
			return true
		}
	}
	return false
}

// nested reports whether a branch is within the block of another.
func (h *headCode) nested(b headBranch) bool {
	return strings.Count(h.script[:b.at], "{") > strings.Count(h.script[:b.at], "}")
}

var returns = regexp.MustCompile(`\breturn\b|\bthrow\b`)

// output is what the script gives as an output for a pull request from a fork.
func (h *headCode) output(name string) (Value, bool) {
	set := setOutput
	if name == "result" {
		set = regexp.MustCompile(`\breturn()[ \t]+([^\n]*)`)
	}
	var out Value
	found, sets, decided := false, false, false
	for _, m := range set.FindAllStringSubmatchIndex(h.script, 50) {
		if name != "result" && !strings.EqualFold(h.script[m[2]:m[3]], name) {
			continue
		}
		sets = true
		if h.dead(m[0]) {
			decided = true
			continue
		}
		said := strings.TrimRight(strings.TrimSpace(h.script[m[4]:m[5]]), "; \t\r")
		if name != "result" {
			// What stands behind the call is no part of the value.
			if end := closing("("+said, 0); end > 0 {
				said = said[:end-1]
			}
		}
		v, ok := h.value(said, 0)
		if !ok || found && (v.Known() != out.Known() || v.text() != out.text()) {
			return Value{}, false
		}
		out, found = v, true
	}
	if !found && sets && decided {
		return String(""), true
	}
	// A constant says something only if a branch was decided.
	constant := out.Known() && !decided && len(h.branches) == 0 && !hasAny(h.script, "head.repo", "isCrossRepository")
	return out, found && !constant
}

// endsForForks reports whether a script of actions/github-script fails for pull
// requests from forks.
func endsForForks(script string) bool {
	return len(script) <= maxHeadScript && hasAny(script, "head.repo", "headRepository", "isCrossRepository") && newHeadCode(script).ends()
}

// ends reports whether the script fails for a pull request from a fork.
func (h *headCode) ends() bool {
	for _, b := range h.branches {
		from, to := b.then, b.end
		if b.truth == False {
			from, to = b.other, b.last
		}
		if to > from && !h.dead(b.at) && hasAny(h.script[from:to], "setFailed(", "throw ", "process.exit(1") {
			return true
		}
	}
	return false
}
