package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// stepNames are the variables that hold the expressions of one text of a step.
type stepNames struct {
	exprs []ShellExpr
	// context says where each stands, for other languages than the shell's.
	literals []literal
	// names are the variables by the expression's text; added are those that the step
	// does not have yet.
	names map[string]string
	added map[string]bool
	// at finds an expression by its place in the file.
	at map[penstock.Span]int
}

// fixTemplate moves an expression out of a script into a variable of the step, which a
// shell does not take for a part of the program.
func fixTemplate(e *editor, f *Flaw) *penstock.Fix {
	at, node := e.step(f.Span)
	if at == nil {
		return nil
	}
	t, key, language := e.program(at, f.Span)
	if language == "" {
		return nil
	}
	names := e.names(at, t, language)
	i, ok := names.at[f.Span]
	if !ok {
		return nil
	}
	x := names.exprs[i]
	name := names.names[x.Body]
	if name == "" {
		return nil
	}
	from, to, text, safe := 0, 0, "", false
	switch language {
	case "shell":
		from, to, text, safe = readInShell(t.Value, x, name)
		if x.Context == ContextBare && !safe {
			safe = e.word(at, x.Body)
		}
		if x.Context == ContextBare || x.Context == ContextDouble || x.Context == ContextHeredoc {
			safe = safe && (outsiders(f) || plainContext(x.Body))
		}
	default:
		from, to, text, safe = readElsewhere(language, t.Value, x, names.literals[i], name)
	}
	if text == "" {
		return nil
	}
	edit, ok := e.replace(t, from, to, text)
	if !ok {
		return nil
	}
	edits := []penstock.Edit{edit}
	if names.added[x.Body] {
		_, after := nodeEntry(node, key)
		if after > 0 {
			after--
		}
		add := e.within(node, "env", after, name+": "+scalar("${{ "+x.Body+" }}", node.Style == syntax.Flow || e.flowEnv(node)))
		if add == nil {
			return nil
		}
		edits = append(edits, add...)
	}
	return fix(safe, "Read the value from the variable "+name+" of the step, which no shell takes for a part of the script.", edits)
}

// flowEnv reports whether the step has its variables in braces.
func (e *editor) flowEnv(step *syntax.Node) bool {
	env := step.Get("env")
	return env != nil && env.Style == syntax.Flow
}

// outsiders reports whether what stands at the flaw is written by people without
// rights: that nobody wants expanded by a shell.
func outsiders(f *Flaw) bool {
	return (f.Rule == "template-injection" || f.Rule == "agent-output-injection") && f.Tier != penstock.TierHygiene
}

// plainContext reports whether an expression is made of what the forge fills in, in
// which nobody writes variables for a shell to expand.
func plainContext(body string) bool {
	e, err := ParseExpression(body)
	if err != nil {
		return false
	}
	for _, c := range e.TextPaths() {
		if !strings.HasPrefix(c.Name, "github.") && !strings.HasPrefix(c.Name, "runner.") && !strings.HasPrefix(c.Name, "secrets.") {
			return false
		}
	}
	return true
}

// program is the text of a step that holds a span, the key of the step that it belongs
// to, and the language that it is written in, empty for none that can be repaired.
func (e *editor) program(at *stepAt, s penstock.Span) (t Text, key, language string) {
	if run := at.Step.Run; run.IsSet() && run.Span.Contains(s) {
		shell := run.Shell.Get().Value
		if shell == "" && at.Job != nil {
			shell = at.Job.Defaults.Get().Shell.Value
			if shell == "" {
				shell = e.p.Defaults.Shell.Value
			}
			if shell == "" {
				switch {
				case defaultsToPowerShell(at.Job):
					shell = "pwsh"
				case someWindows(at.Job):
					return run.Text, "run", "" // each system has another shell
				}
			}
		}
		switch DialectOf(shell) {
		case DialectBash, DialectSh:
			return run.Text, "run", "shell"
		case DialectPowerShell:
			return run.Text, "run", "powershell"
		case DialectPython:
			return run.Text, "run", "python"
		}
		return run.Text, "run", ""
	}
	sum := LookupAction(at.Step.Uses)
	if sum == nil {
		return Text{}, "", ""
	}
	for _, field := range at.Step.With.Fields {
		if !field.Value.Text.Span.Contains(s) || field.Value.Kind != DataScalar {
			continue
		}
		name := strings.ToLower(at.Step.Uses.Owner + "/" + at.Step.Uses.Repo)
		in := sum.Input(field.Name.Value)
		switch {
		case in == nil || in.Role != RoleCode:
		case name == "actions/github-script":
			return field.Value.Text, "with", "javascript"
		case name == "nick-fields/retry" || name == "nick-invision/retry":
			if shell := at.Step.With.Get("shell"); shell.Kind == DataNone && at.Job != nil && !someWindows(at.Job) || DialectOf(shell.Text.Value) == DialectBash && shell.Kind == DataScalar {
				return field.Value.Text, "with", "shell"
			}
		}
	}
	return Text{}, "", ""
}

// defaultsToPowerShell reports whether a job's runner is one of Windows.
func defaultsToPowerShell(j *Job) bool {
	return len(j.RunsOn.Labels) > 0 && strings.HasPrefix(strings.ToLower(j.RunsOn.Labels[0].Value), "windows")
}

// someWindows reports whether a job may run on Windows.
func someWindows(j *Job) bool {
	found := false
	for _, l := range j.RunsOn.Labels {
		found = found || holds(l.Value, "windows")
		if len(l.Parts) > 0 {
			j.Strategy.Get().Matrix.Texts(func(t Text) { found = found || holds(t.Value, "windows") || len(t.Parts) > 0 })
			found = found || !wholePath(l, "matrix.")
		}
	}
	return found
}

// names chooses the variables for all expressions of a text, so that each flaw in it
// gets the same ones.
func (e *editor) names(at *stepAt, t Text, language string) *stepNames {
	if n := e.steps[at.Step]; n != nil && len(n.exprs) > 0 && n.names != nil {
		return n
	}
	n := &stepNames{names: make(map[string]string), added: make(map[string]bool), at: make(map[penstock.Span]int)}
	e.steps[at.Step] = n
	if language == "shell" {
		n.exprs = AnalyseScript(t.Value, at.Step.Run.Shell.Get().Value, ShellInput{}).Exprs
	} else {
		n.exprs = ShellExpressions(t.Value, TemplateGitHub)
		n.literals = literalsOf(language, t.Value, n.exprs)
	}
	for i, x := range slices.Backward(n.exprs) {
		n.at[t.At(int(x.Start), int(x.End))] = i
	}
	used := make(map[string]bool)
	for _, d := range []*Data{&at.Step.Env, jobEnv(at.Job), &e.p.Env} {
		for _, f := range d.Fields {
			used[strings.ToUpper(f.Name.Value)] = true
		}
	}
	for _, x := range n.exprs {
		if n.names[x.Body] != "" || strings.ContainsAny(x.Body, "\n\r") {
			continue
		}
		if have := e.variable(at, t, x.Body); have != "" {
			n.names[x.Body] = have
			continue
		}
		base := variableName(x.Body)
		if reserved(base) {
			base = "VALUE_" + base
		}
		name := base
		for i := 2; used[name] || holdsWord(t.Value, name); i++ {
			name = base + "_" + strconv.Itoa(i)
		}
		used[name] = true
		n.names[x.Body], n.added[x.Body] = name, true
	}
	return n
}

// variable is a variable that holds the value of an expression already.
func (e *editor) variable(at *stepAt, t Text, body string) string {
	free := func(name string) bool {
		return identifier(name) && !strings.Contains(t.Value, name+"=") && !strings.Contains(t.Value, name+" =")
	}
	for i, d := range []*Data{&at.Step.Env, jobEnv(at.Job), &e.p.Env} {
		for _, f := range d.Fields {
			v := f.Value.Text
			if len(v.Parts) == 1 && v.Parts[0].From == 0 && v.Parts[0].To == len(v.Value) && strings.TrimSpace(v.Source(v.Parts[0])) == body && free(f.Name.Value) {
				// An inner map may have another value for the name.
				if i == 0 || at.Step.Env.Get(f.Name.Value).Kind == DataNone && (i == 1 || jobEnv(at.Job).Get(f.Name.Value).Kind == DataNone) {
					return f.Name.Value
				}
			}
		}
	}
	x, err := ParseExpression(body)
	if err != nil {
		return ""
	}
	path, ok := pathOf(x.Root)
	if !ok {
		return ""
	}
	if strings.HasPrefix(path, "env.") && x.Root.Kind == ExprMember {
		// The path is in lower case, and variables are not everywhere.
		if name := body[len("env."):]; strings.EqualFold(body[:len("env.")], "env.") && free(name) {
			return name
		}
		return ""
	}
	if member, ok := strings.CutPrefix(path, "github."); ok && free("GITHUB_"+strings.ToUpper(member)) {
		switch member {
		case "actor", "actor_id", "base_ref", "event_name", "head_ref", "job", "ref", "ref_name", "ref_type", "repository", "repository_id",
			"repository_owner", "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow", "api_url":
			return "GITHUB_" + strings.ToUpper(member)
		}
	}
	return ""
}

func identifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= '0' && c <= '9'
}

// holdsWord reports whether a word stands in a text.
func holdsWord(text, word string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		i += at
		at = i + len(word)
		if (i == 0 || !wordByte(text[i-1])) && (at == len(text) || !wordByte(text[at])) {
			return true
		}
	}
}

// variableName makes a name of the first context that an expression reads.
func variableName(body string) string {
	x, err := ParseExpression(body)
	if err != nil {
		return "VALUE"
	}
	paths := x.TextPaths()
	if len(paths) == 0 {
		paths = x.Paths()
	}
	if len(paths) == 0 {
		return "VALUE"
	}
	parts := strings.FieldsFunc(strings.NewReplacer("[", ".", "]", "", "'", "").Replace(paths[0].Name), func(r rune) bool { return r == '.' })
	if parts[0] == "github" && len(parts) > 1 {
		switch parts = parts[1:]; {
		case parts[0] == "event" && len(parts) > 1:
			parts = parts[1:]
			if parts[0] == "pull_request" {
				parts[0] = "pr"
			}
		case parts[0] == "token":
			return "GH_TOKEN"
		}
	}
	switch {
	case parts[0] == "steps" && len(parts) > 3 && parts[2] == "outputs", parts[0] == "needs" && len(parts) > 3 && parts[2] == "outputs":
		parts = append([]string{parts[1]}, parts[3:]...)
	case parts[0] == "secrets" && len(parts) > 1:
		parts = parts[1:]
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, strings.Join(parts, "_"))
	name = strings.Trim(strings.ReplaceAll(name, "__", "_"), "_")
	if len(name) > 60 {
		name = strings.Trim(name[:60], "_")
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "VALUE_" + name
	}
	return strings.TrimSuffix(name, "_")
}

// reserved reports whether a variable of that name changes what programs do.
func reserved(name string) bool {
	switch name {
	case "PATH", "HOME", "USER", "SHELL", "PWD", "OLDPWD", "IFS", "ENV", "CI", "LANG", "TERM", "TMPDIR", "TEMP", "TMP", "PAGER", "EDITOR", "DISPLAY", "HOSTNAME",
		"CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAKEFLAGS", "VERSION", "TARGET", "DEBUG", "PREFIX", "DESTDIR", "OS", "ARCH", "NAME", "UID", "GID", "PS4", "OPTIND":
		return true
	}
	for _, prefix := range []string{"GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "LD_", "DYLD_", "BASH_", "GIT_", "NODE_", "NPM_", "PYTHON", "PIP_", "RUBY", "PERL", "GO", "CARGO_", "RUST", "JAVA_", "DOCKER_", "DOTNET_", "LC_", "ImageO"} {
		if strings.HasPrefix(name, prefix) && name != "GITHUB_TOKEN" && name != "GOVERNOR" {
			return true
		}
	}
	return false
}

// word reports whether an expression gives one word that is not empty, so that quotes
// around it change nothing.
func (e *editor) word(at *stepAt, body string) bool {
	x, err := ParseExpression(body)
	if err != nil {
		return false
	}
	path, ok := pathOf(x.Root)
	if !ok {
		return false
	}
	if axis, ok := strings.CutPrefix(path, "matrix."); ok && at.Job != nil {
		good, any := true, false
		look := func(t Text) {
			any = true
			good = good && t.Value != "" && len(t.Parts) == 0 && !strings.ContainsAny(t.Value, " \t\n*?[$`\\\"'~{&|;<>()#!")
		}
		m := at.Job.Strategy.Get().Matrix
		if m.Kind != DataMap || strings.Contains(axis, ".") {
			return false
		}
		m.Get(axis).Texts(look)
		includes := m.Get("include")
		if includes.Kind == DataScalar {
			return false
		}
		for _, i := range includes.Items {
			i.Get(axis).Texts(look)
		}
		return good && any && (m.Get(axis).Kind != DataNone || len(includes.Items) > 0)
	}
	if name, ok := strings.CutPrefix(path, "inputs."); ok {
		for _, in := range e.p.Inputs {
			if strings.EqualFold(in.Name.Value, name) {
				switch InputShape(in.Type.Value) {
				case ShapeBoolean, ShapeNumber:
					return e.p.Kind == KindWorkflow
				}
			}
		}
		return false
	}
	events := []string{""}
	for _, t := range e.p.Triggers {
		events = append(events, t.Event.Value)
	}
	for _, event := range events {
		c, ok := ControlOf(path, event)
		if ok && !c.Guessed && !c.Whole {
			return c.Shape == ShapeRef || c.Shape >= ShapeSlug
		}
	}
	return false
}

// readInShell is what to write in place of an expression of a shell's script: the
// part [from, to) of the text becomes text, which is empty where nothing fits.
func readInShell(script string, x ShellExpr, name string) (from, to int, text string, safe bool) {
	from, to = int(x.Start), int(x.End)
	next := to < len(script) && wordByte(script[to])
	plain := "$" + name
	if next || to < len(script) && script[to] == '[' {
		plain = "${" + name + "}"
	}
	line := script[strings.LastIndexByte(script[:from], '\n')+1 : from]
	rest, _, _ := strings.Cut(script[to:], "\n")
	switch x.Context {
	case ContextDouble, ContextHeredoc:
		if from > 0 && script[from-1] == '\\' || from > 0 && script[from-1] == '$' {
			return 0, 0, "", false
		}
		return from, to, plain, true
	case ContextComment:
		return from, to, plain, true
	case ContextBare:
		switch {
		case from > 0 && (script[from-1] == '\\' || script[from-1] == '$'):
			return 0, 0, "", false
		case strings.Contains(line, "`") || strings.Contains(rest, "`"):
			return 0, 0, "", false // how quotes nest is not certain
		case strings.Contains(line, "=~") || strings.HasSuffix(strings.TrimRight(line, " "), " in") && strings.Contains(line, "for ") || listName(name):
			return from, to, plain, false
		case !simple(x.Body) && strings.Trim(line, " \t") != "" && strings.HasSuffix(line, " ") && (rest == "" || strings.IndexByte(" \t\r;", rest[0]) >= 0):
			// It may come to nothing, and quotes would make that an argument.
			return from, to, plain, false
		}
		// A word of the form NAME=... is not split.
		assigned := strings.HasSuffix(line, "=") && assignment(line) || strings.Contains(line, "[[ ") && !strings.Contains(line, "]]")
		return from, to, `"$` + name + `"`, assigned
	case ContextSingle:
		open := strings.LastIndexByte(script[:from], '\'')
		if open < 0 || open > 0 && (script[open-1] == '$' || script[open-1] == '\\') {
			return 0, 0, "", false
		}
		text = `"$` + name + `"`
		if open == from-1 {
			from--
		} else {
			text = "'" + text
		}
		if to < len(script) && script[to] == '\'' {
			to++
		} else {
			text += "'"
		}
		return from, to, text, true
	}
	return 0, 0, "", false
}

// simple reports whether an expression is the value of one context.
func simple(body string) bool {
	x, err := ParseExpression(body)
	if err != nil {
		return false
	}
	_, ok := pathOf(x.Root)
	return ok
}

// assignment reports whether a line ends in the first half of an assignment.
func assignment(line string) bool {
	line = strings.TrimSuffix(line, "=")
	i := len(line)
	for i > 0 && wordByte(line[i-1]) {
		i--
	}
	if i == len(line) {
		return false
	}
	before := strings.TrimSpace(line[:i])
	switch before {
	case "", "export", "local", "readonly", "declare", "then", "else", "do":
		return true
	}
	return strings.HasSuffix(before, ";") || strings.HasSuffix(before, "&&") || strings.HasSuffix(before, "||")
}

// listName reports whether a variable is named like one that holds several arguments.
func listName(name string) bool {
	for _, end := range []string{"ARGS", "ARGUMENTS", "FLAGS", "OPTIONS", "OPTS", "PARAMS", "PACKAGES", "FILES", "TARGETS", "COMMAND", "CMD"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// readElsewhere is readInShell for other languages.
func readElsewhere(language, script string, x ShellExpr, in literal, name string) (from, to int, text string, safe bool) {
	from, to = int(x.Start), int(x.End)
	whole := in.quote != "" && in.prefix == "" && in.start+len(in.quote) == from && in.end == to+len(in.quote)
	switch {
	case in.comment:
		return from, to, name, true
	case language == "javascript":
		read := "process.env." + name
		switch {
		case in.quote == "`" && whole:
			return in.start, in.end, read, true
		case in.quote == "`":
			return from, to, "${" + read + "}", true
		case whole:
			return in.start, in.end, read, true
		case in.quote == "":
			if e, err := ParseExpression(x.Body); err == nil && e.Root.Kind == ExprCall && e.Root.Name == "tojson" {
				return from, to, "JSON.parse(" + read + ")", true
			}
		}
	case language == "python" && whole && len(in.quote) == 1 && importsOS(script):
		return in.start, in.end, fmt.Sprintf("os.environ[%q]", name), true
	case language == "powershell":
		plain := "$env:" + name
		if to < len(script) && (wordByte(script[to]) || script[to] == ':' || script[to] == '?') {
			plain = "${env:" + name + "}"
		}
		switch {
		case in.quote == `"` || in.quote == `@"`:
			if from > 0 && (script[from-1] == '`' || script[from-1] == '$') {
				return 0, 0, "", false
			}
			return from, to, plain, plainContext(x.Body)
		case in.quote == "'" && whole:
			return in.start, in.end, "$env:" + name, true
		case in.quote == "":
			edge := func(c byte) bool { return strings.IndexByte(" \t\r\n=(),;|", c) >= 0 }
			if (from > 0 && edge(script[from-1])) && (to == len(script) || edge(script[to])) && !strings.HasSuffix(script[:from], "& ") && strings.TrimSpace(script[strings.LastIndexByte(script[:from], '\n')+1:from]) != "" {
				return from, to, "$env:" + name, false
			}
		}
	}
	return 0, 0, "", false
}

func importsOS(script string) bool {
	for line := range strings.Lines(script) {
		switch strings.TrimRight(line, " \r\n") {
		case "import os", "import os, sys", "import sys, os", "import os, json", "import json, os":
			return true
		}
	}
	return false
}

// literal is the string that an expression stands in, without a quote if it is none.
type literal struct {
	quote, prefix string
	start, end    int // with the quotes; end is -1 if it does not end
	comment       bool
}

// literalsOf finds the literals around expressions in a program. It is linear in the
// size of the text.
func literalsOf(language, text string, exprs []ShellExpr) []literal {
	out := make([]literal, len(exprs))
	next := 0
	type open struct {
		literal
		depth int // of braces, for the code in a template
		first int // expression
	}
	stack := []open{{}}
	top := func() *open { return &stack[len(stack)-1] }
	shut := func(end int) {
		t := top()
		for i := t.first; i < next; i++ {
			if out[i].start == t.start && out[i].quote == t.quote {
				out[i].end = end
			}
		}
		stack = stack[:len(stack)-1]
	}
	begin := func(l literal) { stack = append(stack, open{literal: l, first: next}) }
	for i := 0; i < len(text); {
		if next < len(exprs) && int64(i) >= exprs[next].Start {
			out[next] = top().literal
			i = int(exprs[next].End)
			next++
			continue
		}
		t := top()
		rest := text[i:]
		switch {
		case t.comment:
			if t.quote == "" && text[i] == '\n' || t.quote != "" && strings.HasPrefix(rest, t.quote) {
				i += max(1, len(t.quote))
				stack = stack[:len(stack)-1]
				continue
			}
			i++
		case t.quote != "":
			end := t.quote
			if strings.HasPrefix(end, "@") {
				end = "\n" + end[1:] + "@"
			}
			escape := language != "powershell" && text[i] == '\\' || language == "powershell" && text[i] == '`' && t.quote == `"`
			switch {
			case escape:
				i += 2
			case strings.HasPrefix(rest, end):
				if language == "powershell" && len(end) == 1 && strings.HasPrefix(rest, end+end) {
					i += 2
					continue
				}
				i += len(end)
				shut(i)
			case t.quote == "`" && strings.HasPrefix(rest, "${"):
				i += 2
				begin(literal{})
			case text[i] == '\n' && len(t.quote) == 1 && t.quote != "`" && language != "powershell":
				i++
				shut(-1) // it is no literal at all
			default:
				i++
			}
		default:
			c := text[i]
			switch {
			case language == "javascript" && strings.HasPrefix(rest, "//"), language != "javascript" && c == '#' && (i == 0 || text[i-1] != '`'):
				begin(literal{comment: true})
				i++
			case language == "javascript" && strings.HasPrefix(rest, "/*"):
				begin(literal{comment: true, quote: "*/"})
				i += 2
			case language == "powershell" && strings.HasPrefix(rest, "<#"):
				begin(literal{comment: true, quote: "#>"})
				i += 2
			case language == "javascript" && c == '/' && regular(text[:i]):
				for i++; i < len(text) && text[i] != '/' && text[i] != '\n'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
				i++
			case language == "powershell" && (strings.HasPrefix(rest, "@\"\n") || strings.HasPrefix(rest, "@'\n")):
				begin(literal{quote: rest[:2], start: i, end: -1})
				i += 2
			case language == "powershell" && c == '`':
				i += 2
			case language == "python" && (strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, "'''")):
				begin(literal{quote: rest[:3], start: i, end: -1})
				i += 3
			case c == '"' || c == '\'' || c == '`' && language == "javascript":
				l := literal{quote: string(c), start: i, end: -1}
				if i > 0 && (wordByte(text[i-1]) || c == '`' && text[i-1] == ')') {
					l.prefix = text[i-1 : i]
				}
				begin(l)
				i++
			case c == '{' && len(stack) > 1:
				t.depth++
				i++
			case c == '}' && len(stack) > 1:
				i++
				if t.depth--; t.depth < 0 {
					stack = stack[:len(stack)-1]
				}
			default:
				i++
			}
		}
		if len(stack) > 200 {
			break
		}
	}
	return out
}

// regular reports whether a slash behind this text of JavaScript begins a regular
// expression, not a division.
func regular(before string) bool {
	before = strings.TrimRight(before, " \t")
	return before == "" || strings.IndexByte("(,=:[!&|?{};\n", before[len(before)-1]) >= 0 || strings.HasSuffix(before, "return")
}
