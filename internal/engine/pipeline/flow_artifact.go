package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// dirAt is what is known of a path in a table of folders and files. In both a star is
// what the definition computes: the first name in order that fits counts.
func dirAt[V any](dirs map[string]V, p string) (V, bool) {
	v, ok := dirs[p]
	if ok {
		return v, true
	}
	star := strings.Contains(p, "*")
	for k := range dirs {
		star = star || strings.Contains(k, "*")
	}
	if !star {
		return v, false
	}
	for _, k := range sortedKeys(dirs) {
		if !strings.Contains(k, "*") && !strings.Contains(p, "*") || strings.Count(k, "/") != strings.Count(p, "/") {
			continue
		}
		if fits, err := path.Match(k, p); fits && err == nil {
			return dirs[k], true
		}
		if fits, err := path.Match(p, k); fits && err == nil {
			return dirs[k], true
		}
	}
	return v, false
}

var (
	// fetchesArtifact is a call of the forge's API that gives the files of an artifact.
	fetchesArtifact = regexp.MustCompile(`\bdownloadArtifact\(|/artifacts/\{?[^/\s]*\}?/(?:\{archive_format\}|zip)`)
	// listsArtifacts is one that tells which artifacts there are, listsRuns one that tells
	// which runs there are.
	listsArtifacts = regexp.MustCompile(`\blist(?:WorkflowRun|Repo)?Artifacts(?:ForRepo)?\b|/artifacts\b`)
	listsRuns      = regexp.MustCompile(`\blistWorkflowRuns(?:ForRepo)?\b|/runs(?:\?|['"` + "`" + `])`)
	saysRun        = regexp.MustCompile(`\bworkflow_run\b`)
	// comparesName is a script that takes an artifact by the one name that it wants.
	comparesName = regexp.MustCompile(`\.name\s*={2,3}[^=]|={2,3}\s*\w+\.name\b|\b(?:includes|has|test)\(\s*\w+\.name\b|\bname:\s*['"` + "`" + `]|[?&]name=`)
	// artifactName is the name of an artifact as a script has it from the forge.
	artifactName = regexp.MustCompile(`\b(?:\w*[aA]rtifacts?\w*(?:\[\d+\])?|matches?(?:\[\d+\])?)\.name\b`)
)

// otherRun reports whether a script in JavaScript asks for artifacts of the run whose end
// starts this one; doubt is what is not sure of that.
func (jr *jobRun) otherRun(fr *frame, st *Step, text string) (doubt string, ok bool) {
	if jr.e.Event != "workflow_run" {
		return "", false
	}
	said := saysRun.MatchString
	env := func(d Data) bool {
		return slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Value.Kind == DataScalar && said(f.Value.Text.Value) })
	}
	switch {
	case said(text) || env(st.Env):
		return "", true
	case strings.Contains(text, "context.runId") || strings.Contains(text, "github.run_id") || strings.Contains(text, "GITHUB_RUN_ID"):
		return "", false
	case listsRuns.MatchString(text):
		return "", false // a run that the script chooses, such as the last of a branch
	}
	if listsArtifacts.MatchString(fetchesArtifact.ReplaceAllString(text, "")) {
		return "whose run the script takes artifacts of is not said where it does", env(jr.j.Env) || env(jr.p.Env) || strings.Contains(text, "ForRepo")
	}
	// The number of the artifact comes from another step, which has looked it up.
	for i := range jr.p.Jobs {
		for _, s := range jr.p.Jobs[i].Steps {
			t := s.Run.Value + s.With.Get("script").Text.Value
			if listsArtifacts.MatchString(t) && (said(t) || env(s.Env)) {
				return "", true
			}
		}
	}
	return "", false
}

// scriptArtifact puts the files that a script in JavaScript fetches of another run where it
// writes them, and tells the names of the artifacts that it looks through.
func (jr *jobRun) scriptArtifact(fr *frame, st *Step, t Text, names map[string]value) {
	m := fetchesArtifact.FindStringIndex(t.Value)
	if m == nil && !listsArtifacts.MatchString(t.Value) {
		return
	}
	doubt, ok := jr.otherRun(fr, st, t.Value)
	if !ok {
		return
	}
	if !comparesName.MatchString(t.Value) {
		jr.artifactNames(fr, t, names, doubt)
	}
	if m == nil {
		return
	}
	tr, ok := jr.foreignArtifact(fr.place(t, m[0], m[1]), "the script", "")
	if !ok {
		return
	}
	tr.taint.doubt = cmpText(tr.taint.doubt, doubt)
	texts := javascriptTexts(t.Value)
	for _, m := range written.FindAllStringIndex(t.Value, 10) {
		if name := cleanDir(javascriptFile(firstArgument(t.Value[m[1]:]), texts)); name != "" {
			jr.put(name, tr)
		}
	}
}

// artifactNames gives the names of artifacts of a run that a stranger controls: the forge
// refuses some characters in them, none of those that a shell runs by.
func (jr *jobRun) artifactNames(fr *frame, t Text, names map[string]value, doubt string) {
	for _, m := range artifactName.FindAllStringIndex(t.Value, 50) {
		name := t.Value[m[0]:m[1]]
		if _, known := names[name]; known {
			continue
		}
		tr, ok := jr.foreignArtifact(fr.place(t, m[0], m[1]), "the script", "")
		if !ok {
			return
		}
		v := tr.taint
		v.path, v.shape, v.file, v.code, v.doubt = artifactNameText, ShapeLine, filesNone, false, cmpText(v.doubt, doubt)
		v.way = (*way)(nil).then(Hop{Place: fr.place(t, m[0], m[1]), Text: "the script reads the name of an artifact of that run, which its author chose"})
		names[name] = value{v}
	}
	for _, m := range javascriptLet.FindAllStringSubmatch(t.Value, 100) {
		if v := names[strings.TrimRight(m[2], "; ")]; len(v) > 0 && len(names[m[1]]) == 0 {
			names[m[1]] = v
		}
	}
}

// javascriptTexts are the names of a script that hold a text which it says, with a star
// for what it computes.
func javascriptTexts(script string) map[string]string {
	out := make(map[string]string)
	for _, m := range javascriptLet.FindAllStringSubmatch(script, 100) {
		s := strings.TrimRight(strings.TrimSpace(m[2]), "; ")
		if s != "" && (strings.IndexByte("'\"`", s[0]) >= 0 || strings.HasPrefix(s, "path.") || strings.HasPrefix(s, "process.env.") || strings.HasPrefix(s, "process.cwd()")) {
			if p := javascriptFile(s, out); p != "" {
				out[m[1]] = p
			}
		}
	}
	return out
}

// javascriptFile is a path as an expression of JavaScript gives it: a star is what the
// script computes. It is empty where nothing is known of the path.
func javascriptFile(s string, texts map[string]string) string {
	s = strings.TrimSpace(s)
	for _, call := range []string{"path.join(", "path.resolve(", "join("} {
		inner, ok := strings.CutPrefix(s, call)
		if !ok || !strings.HasSuffix(inner, ")") {
			continue
		}
		out := ""
		inner = strings.TrimSuffix(inner, ")")
		for n := 0; inner != "" && n < 8; n++ {
			arg := firstArgument(inner)
			inner = strings.TrimPrefix(inner[min(len(arg), len(inner)):], ",")
			p := javascriptFile(arg, texts)
			switch {
			case p == "" && n == 0:
				return ""
			case p == "":
				p = "*"
			}
			if out != "" {
				p = strings.TrimSuffix(out, "/") + "/" + p
			}
			out = p
		}
		return out
	}
	switch s {
	case "process.env.GITHUB_WORKSPACE", "process.cwd()":
		return "."
	case "process.env.RUNNER_TEMP":
		return "$RUNNER_TEMP"
	}
	if p, ok := texts[s]; ok {
		return p
	}
	if len(s) < 2 || strings.IndexByte("'\"`", s[0]) < 0 {
		return ""
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return ""
	}
	body, after := s[1:1+end], strings.TrimSpace(s[2+end:])
	if s[0] == '`' {
		body = javascriptPart.ReplaceAllStringFunc(body, func(m string) string {
			inner := strings.TrimSpace(m[2 : len(m)-1])
			if p := javascriptFile(inner, texts); p != "" {
				return p
			}
			return "*"
		})
	}
	if rest, ok := strings.CutPrefix(after, "+"); ok {
		for _, part := range strings.Split(rest, "+") {
			if p := javascriptFile(part, texts); p != "" {
				body += p
			} else {
				body += "*"
			}
		}
	}
	for strings.Contains(body, "**") {
		body = strings.ReplaceAll(body, "**", "*")
	}
	return body
}

// javascriptPart is what a template of JavaScript takes in; ${{ }} is the forge's.
var javascriptPart = regexp.MustCompile(`\$\{[^{}\n]*\}`)

// firstArgument is the text up to the comma or bracket that ends an argument.
func firstArgument(s string) string {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s) && i < 1000; i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			if depth--; depth < 0 {
				return s[:i]
			}
		case c == ',' && depth == 0:
			return s[:i]
		}
	}
	return s[:min(len(s), 1000)]
}

var (
	exportVariable = regexp.MustCompile(`core\.exportVariable\(`)
	// splitName is a name that a script gets by taking a file apart.
	splitName = regexp.MustCompile(`(?:\b(?:const|let|var)|forEach\(\s*(?:async\s*)?\(?)\s*\[\s*([A-Za-z_$][\w$]*)\s*,[^\]\n]*\]`)
)

// exported follows the variables that a script in JavaScript sets for later steps; of is
// what one of its expressions holds.
func (jr *jobRun) exported(fr *frame, st *Step, t Text, read tree, of func(expr string, before int, at Place) value) {
	for _, m := range exportVariable.FindAllStringIndex(t.Value, 50) {
		name := firstArgument(t.Value[m[1]:])
		rest, ok := strings.CutPrefix(t.Value[m[1]+len(name):], ",")
		if !ok {
			continue
		}
		at := fr.place(t, m[0], m[1]+len(name))
		key := strings.TrimSpace(name)
		if len(key) < 3 || strings.IndexByte("'\"`", key[0]) < 0 || strings.Contains(key, "${") {
			jr.exportedName(fr, st, t, at, key, read)
			continue
		}
		key = strings.Trim(key, "'\"`")
		// The runner puts a delimiter around the value that nobody can guess.
		v := of(strings.TrimSpace(firstArgument(rest)), m[0], at)
		jr.env[strings.ToLower(key)] = envVar{name: key, value: v.through(at, "later steps have it as the variable "+clip(key))}
	}
}

// exportedName is a variable whose name a file of a stranger says, whatever it is.
func (jr *jobRun) exportedName(fr *frame, st *Step, t Text, at Place, name string, read tree) {
	if !read.foreign() || !jr.attacked() || !jr.later(st) {
		return
	}
	if !slices.ContainsFunc(splitName.FindAllStringSubmatch(t.Value, 20), func(m []string) bool { return m[1] == name }) {
		return
	}
	jr.sink(fr, sink{rule: "environment-injection", place: at, scope: jr.scope(st), step: st, runs: true, most: penstock.TierExploitable,
		text: "the script sets the variables that the file names", message: "a file that a stranger wrote says which variables later steps have: some of them run code"}, value{read.taint})
}

// publish is an action that gives files to everybody.
func (jr *jobRun) publish(fr *frame, st *Step, s *ActionSummary, e Effect) {
	if !slices.Contains([]string{"pypi", "npm", "release", "rubygems", "maven"}, e.What) || e.Argument("file") == "" {
		return
	}
	given := jr.inputPath(fr, st, s, e.Argument("file"))
	for _, name := range strings.FieldsFunc(given, func(r rune) bool { return r == '\n' || r == ',' }) {
		name = strings.TrimSpace(name)
		for strings.HasSuffix(name, "/*") || strings.HasSuffix(name, "/**") {
			name = strings.TrimRight(strings.TrimRight(name, "*"), "/")
		}
		if t := jr.treeAt(name); name != "" && t.foreign() {
			jr.published(fr, st, Place{fr.file.Path, st.Uses.Span}, s.Name, name, "", value{t.taint})
			return
		}
	}
}

// published is a file of a stranger's artifact that is given to everybody; where no file is
// named, one that a variable names.
func (jr *jobRun) published(fr *frame, st *Step, at Place, by, name, where string, v value) {
	if !jr.attacked() || jr.passage(false).once {
		return // somebody with rights has asked for just that
	}
	if name == "" {
		all := fr.variables()
		for _, k := range sortedKeys(all) {
			o := all[k]
			if !strings.HasSuffix(k, "_zip") && !strings.HasSuffix(k, "_file") && !strings.HasSuffix(k, "_path") {
				continue
			}
			if t := jr.treeAt(o.text); o.text != "" && t.foreign() {
				v = value{t.taint}
			} else {
				v = slices.DeleteFunc(slices.Clone(o.value), func(t taint) bool { return t.path != artifactNameText && t.file != filesArtifact })
			}
			if len(v) > 0 {
				name = "what the variable " + clip(o.name) + " names"
				break
			}
		}
	}
	v = slices.DeleteFunc(slices.Clone(v), func(t taint) bool { return t.file != filesArtifact && t.path != artifactNameText })
	if len(v) == 0 {
		return
	}
	jr.sink(fr, sink{rule: "artifact-poisoning", place: at, scope: jr.scope(st), step: st, prized: true, most: penstock.TierExploitable,
		text: strings.TrimSpace(by + " publishes " + clip(name) + " " + where), message: by + " publishes files of an artifact that a stranger made"}, v)
}

// artifactNameText says what the name of an artifact is.
const artifactNameText = "the name of an artifact of a run that a stranger controls"

// handsOn is an action that nothing is known of, which by its name deploys or publishes, and
// is told of an artifact of the run that a stranger controls beside a secret.
func (jr *jobRun) handsOn(fr *frame, st *Step) {
	if !slices.ContainsFunc(nameWords(st.Uses.Repo+"/"+st.Uses.Path), func(w string) bool { return w == "deploy" || w == "publish" || w == "release" }) {
		return
	}
	var run, artifact, secret bool
	for _, f := range st.With.Fields {
		if f.Value.Kind != DataScalar {
			continue
		}
		text := f.Value.Text.Value
		run = run || strings.Contains(text, "github.event.workflow_run.id")
		artifact = artifact || strings.Contains(strings.ToLower(f.Name.Value), "artifact")
		secret = secret || strings.Contains(text, "secrets.") && !strings.Contains(text, "secrets.GITHUB_TOKEN")
	}
	if !run || !artifact || !secret {
		return
	}
	at := Place{fr.file.Path, st.Uses.Span}
	t, ok := jr.foreignArtifact(at, st.Uses.Owner+"/"+st.Uses.Repo, "")
	if !ok {
		return
	}
	t.taint.doubt = cmpText(t.taint.doubt, "what the action "+clip(st.Uses.Value)+" does is judged by its name")
	jr.published(fr, st, at, st.Uses.Owner+"/"+st.Uses.Repo, "the artifact", "", value{t.taint})
}
