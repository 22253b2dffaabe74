package secrets

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"sync"

	"penstock"
)

// proposeFix proposes to read a secret from the environment or the secret store
// of the place that it stands in, and always says what a person must do first:
// a value that was written down has to be replaced by a new one.
//
// text is the file or a piece of it, base the offset of its first byte in the
// file, value where the secret lies in text, and name the kind of the secret,
// such as "github-token", for the variable's name where the text has none.
//
// An edit is proposed only where the secret is the whole of a literal or value,
// so that nothing else changes, and the line is such that the language allows an
// expression there. It is safe only if it needs no import that is not there and
// cannot fail to compile; it then behaves as before once the variable is set.
// The result holds no byte of the secret.
func proposeFix(filePath string, text []byte, base int64, value penstock.Span, name string) *penstock.Fix {
	if value.Start < 0 || value.Start >= value.End || value.End > int64(len(text)) {
		return nil
	}
	f := newFixSite(filePath, text, int(value.Start), int(value.End), name)
	fix := &penstock.Fix{Description: "move the secret out of the file"}
	kind := fixKindOf(filePath)
	var how *fixEdit
	if !f.multiline && !f.comment(kind) {
		if propose := fixProposals[kind]; propose != nil {
			how = propose(f)
		}
	}
	fix.Steps = append(fix.Steps, "revoke the credential where it was issued and make a new one: whoever could read this file, now or in its history, has it")
	if how == nil || how.text == "" {
		fix.Steps = append(fix.Steps, fixAdvice(kind, f, how))
		return fix
	}
	fix.Description = how.what
	fix.Safe = how.safe
	fix.Edits = []penstock.Edit{{
		Path: filePath,
		Span: penstock.Span{Start: base + int64(how.start), End: base + int64(how.end)},
		Text: how.text,
	}}
	fix.Steps = append(fix.Steps, how.steps...)
	return fix
}

// fixEdit is what a language proposes. Without text only the advice counts.
type fixEdit struct {
	start, end int
	text       string
	what       string
	safe       bool
	steps      []string
	advice     string
}

// fixSite is the place of a secret, cut up once for all languages.
type fixSite struct {
	path       string
	text       []byte
	start, end int // of the value in text
	before     string
	after      string // of the value, on its line
	multiline  bool
	key        string // the identifier that the value is given to, as written
	env        string // NAME_LIKE_THIS
	// quote is the character on both sides of the value if it is the whole of a
	// literal, else 0.
	quote byte
}

func newFixSite(filePath string, text []byte, start, end int, name string) *fixSite {
	f := &fixSite{path: filePath, text: text, start: start, end: end}
	from := bytes.LastIndexByte(text[:start], '\n') + 1
	to := len(text)
	if i := bytes.IndexByte(text[end:], '\n'); i >= 0 {
		to = end + i
	}
	// A minified line says nothing about its language; look at what is near.
	from, to = max(from, start-1000), min(to, end+1000)
	f.before = string(text[from:start])
	f.after = strings.TrimRight(string(text[end:to]), "\r")
	f.multiline = bytes.IndexByte(text[start:end], '\n') >= 0
	if start > from && end < to {
		if q := text[start-1]; q == text[end] && (q == '"' || q == '\'' || q == '`') && !fixEscaped(f.before[:len(f.before)-1]) {
			f.quote = q
		}
	}
	f.key = fixKey(f.before)
	f.env = fixEnvName(name)
	if fixIsName(f.key) {
		f.env = fixEnvName(f.key)
	}
	return f
}

// escaped reports whether text ends in an odd number of backslashes.
func fixEscaped(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// literal is the range of the value with its quotes.
func (f *fixSite) literal() (start, end int) { return f.start - 1, f.end + 1 }

// lazyPattern compiles an expression when it is first needed: most runs find
// nothing to repair.
func lazyPattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// fixKeyPattern finds the identifier before a value: key = "…, "key": "…, key=…,
// key => '…, --key …, .key("…
var fixKeyPattern = lazyPattern(`([A-Za-z_][A-Za-z0-9_.-]*)["'\]]?\s*(?::=|=>|[:=(,]|\s)\s*[$@bru]?["'` + "`" + `]?$`)

// fixTypedPattern is the same with a type between: key: string = "…
var fixTypedPattern = lazyPattern(`([A-Za-z_]\w*)\s*:\s*[A-Za-z&][\w<>|&' ]{0,30}=\s*["'` + "`" + `]$`)

func fixKey(before string) string {
	if len(before) > 200 {
		before = before[len(before)-200:]
	}
	m := fixTypedPattern().FindStringSubmatch(before)
	if m == nil {
		m = fixKeyPattern().FindStringSubmatch(before)
	}
	if m == nil {
		return ""
	}
	key := m[1][strings.LastIndexByte(m[1], '.')+1:]
	return strings.Trim(key, "-")
}

// fixKeyWord is what a name must hold to be taken for one: next to a secret may
// stand another one, which must not become a name.
var fixKeyWord = lazyPattern(`(?i)key|token|secret|pass|pwd|auth|cred|api|dsn|ur[il]|conn|priv|sign|hook|salt|access|client|account|database|db`)

// fixIsName reports whether an identifier is one that a person chose.
func fixIsName(key string) bool {
	const longest, digits = 48, 4
	n := 0
	for _, r := range key {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return len(key) >= 2 && len(key) <= longest && n <= digits && fixKeyWord().MatchString(key)
}

var (
	fixCamel   = lazyPattern(`([a-z0-9])([A-Z])`)
	fixNotName = lazyPattern(`[^A-Z0-9]+`)
)

// fixEnvName turns an identifier or rule's name into the name of a variable.
func fixEnvName(name string) string {
	name = strings.ToUpper(fixCamel().ReplaceAllString(name, "${1}_$2"))
	name = strings.Trim(fixNotName().ReplaceAllString(name, "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "SECRET_VALUE"
	}
	return name
}

// fixKindOf classes a path by what may stand in such a file.
func fixKindOf(p string) string {
	base := strings.ToLower(path.Base(p))
	ext := strings.TrimPrefix(path.Ext(base), ".")
	dir := "/" + path.Dir(p) + "/"
	yaml := ext == "yml" || ext == "yaml"
	switch {
	case base == "dockerfile", strings.HasPrefix(base, "dockerfile."), ext == "dockerfile", base == "containerfile":
		return "dockerfile"
	case yaml && strings.Contains(dir, "/.github/workflows/"):
		return "github"
	case yaml && (strings.HasPrefix(base, ".gitlab-ci") || strings.HasSuffix(base, ".gitlab-ci.yml") || strings.Contains(dir, "/.gitlab/")):
		return "gitlab"
	case yaml && (strings.HasPrefix(base, "docker-compose") || strings.HasPrefix(base, "compose.")):
		return "compose"
	case base == ".env", strings.HasPrefix(base, ".env."), ext == "env", ext == "properties", ext == "ini", ext == "cfg", ext == "conf":
		return "env"
	case base == ".bashrc", base == ".profile", base == ".zshrc", base == ".envrc":
		return "shell"
	}
	if kind, ok := fixKinds[ext]; ok {
		return kind
	}
	return ""
}

var fixKinds = map[string]string{
	"go": "go", "py": "python", "pyw": "python",
	"js": "js", "mjs": "js", "cjs": "js", "ts": "ts", "mts": "ts", "cts": "ts",
	"jsx": "js", "tsx": "ts",
	"java": "java", "groovy": "java", "scala": "java", "kt": "kotlin", "kts": "kotlin",
	"rb": "ruby", "rake": "ruby", "php": "php", "cs": "csharp", "rs": "rust",
	"sh": "shell", "bash": "shell", "zsh": "shell", "ksh": "shell",
	"tf": "terraform", "tfvars": "tfvars",
	"json": "config", "yml": "config", "yaml": "config", "toml": "config", "xml": "config",
}

var fixProposals = map[string]func(*fixSite) *fixEdit{
	"go": fixGo, "python": fixPython, "js": fixJS, "ts": fixJS, "java": fixJava, "kotlin": fixJava,
	"ruby": fixRuby, "php": fixPHP, "csharp": fixCSharp, "rust": fixRust, "shell": fixShell,
	"github": fixGitHub, "gitlab": fixGitLab, "compose": fixCompose, "terraform": fixTerraform,
}

// comment reports whether the value stands in a comment, where an expression
// would be none.
func (f *fixSite) comment(kind string) bool {
	line := strings.TrimSpace(f.before)
	for _, mark := range []string{"#", "//", "/*", "*", "--", "<!--", ";"} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	switch kind {
	case "go", "js", "ts", "java", "kotlin", "php", "csharp", "rust":
		return strings.Contains(strings.ReplaceAll(line, "://", ""), "//")
	case "python", "ruby", "shell", "terraform", "github", "gitlab", "compose":
		return strings.Contains(line, " #")
	}
	return false
}

// has reports whether the line before the value has one of the words.
func (f *fixSite) has(pattern *regexp.Regexp) bool { return pattern.MatchString(f.before) }

// isKey reports whether the literal is itself a key: "…": or "…" =>.
func (f *fixSite) isKey() bool {
	rest := strings.TrimSpace(strings.TrimPrefix(f.after, string(f.quote)))
	return strings.HasPrefix(rest, "=>") || strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::")
}

// prefixed returns the letters right before the opening quote, which belong to
// the literal in many languages. A longer word, such as return, does not.
func (f *fixSite) prefixed() string {
	b := f.before[:len(f.before)-1]
	i := len(b)
	for i > 0 && (b[i-1] >= 'a' && b[i-1] <= 'z' || b[i-1] >= 'A' && b[i-1] <= 'Z' || b[i-1] == '$' || b[i-1] == '@' || b[i-1] == '#') {
		i--
	}
	if len(b)-i > 2 {
		return ""
	}
	return b[i:]
}

func (f *fixSite) setStep() string {
	return "set " + f.env + " where the program runs, from the platform's secret store"
}

// expression replaces the whole literal by an expression.
func (f *fixSite) expression(expr string, safe bool, steps ...string) *fixEdit {
	start, end := f.literal()
	return &fixEdit{
		start: start, end: end, text: expr, safe: safe,
		what:  "read " + f.env + " from the environment",
		steps: append([]string{f.setStep()}, steps...),
	}
}

var (
	fixGoConst = lazyPattern(`^\s*const\b`)
	fixGoBlock = lazyPattern(`^(?:(const|var|type|import)\s*\(|func\b|\))`)
)

func fixGo(f *fixSite) *fixEdit {
	if f.quote != '"' && f.quote != '`' || f.isKey() || f.has(fixGoConst()) || fixGoInConst(f) {
		return nil
	}
	if b := strings.TrimRight(f.before[:len(f.before)-1], " \t"); !strings.HasSuffix(b, "=") && !strings.HasSuffix(b, "(") && !strings.HasSuffix(b, ",") && !strings.HasSuffix(b, ":") && !strings.HasSuffix(b, "return") {
		return nil // a struct tag, an import, an operand
	}
	expr := `os.Getenv("` + f.env + `")`
	if fixGoImportsOS(f.text) {
		return f.expression(expr, true)
	}
	return f.expression(expr, false, `add "os" to the imports`)
}

// fixGoInConst looks for the declaration block that the line is in: the last that
// starts before it. From there backwards, as the file may be long and have many
// secrets.
func fixGoInConst(f *fixSite) bool {
	text := f.text[:f.start]
	for end := len(text); end >= 0; {
		line := bytes.LastIndexByte(text[:end], '\n') + 1
		if line < len(text) && strings.IndexByte("cvtif)", text[line]) >= 0 {
			if m := fixGoBlock().FindSubmatch(text[line:]); m != nil {
				return string(m[1]) == "const"
			}
		}
		end = line - 1
	}
	return false
}

// fixGoImportsOS reports whether a line of text says to import "os", alone or in a
// block: (?m)^(?:import\s+|\s+)"os"\s*$
func fixGoImportsOS(text []byte) bool {
	const space = " \t\r\n\f"
	name := []byte(`"os"`)
	for at := 0; ; {
		i := bytes.Index(text[at:], name)
		if i < 0 {
			return false
		}
		at += i
		before := bytes.TrimRight(text[:at], space)
		gap := text[len(before):at]
		at += len(name)
		after := text[at:]
		rest := bytes.TrimLeft(after, space)
		if len(rest) > 0 && bytes.IndexByte(after[:len(after)-len(rest)], '\n') < 0 || len(gap) == 0 {
			continue
		}
		// The space before must reach back to the start of a line, or to import there.
		word, isImport := bytes.CutSuffix(before, []byte("import"))
		if len(before) == 0 || bytes.IndexByte(gap[:len(gap)-1], '\n') >= 0 ||
			isImport && (len(word) == 0 || word[len(word)-1] == '\n') {
			return true
		}
	}
}

var fixPyImportOS = lazyPattern(`(?m)^\s*import\s+(?:[\w., ]+,\s*)?os\s*(?:,|$|#)`)

func fixPython(f *fixSite) *fixEdit {
	if f.quote != '"' && f.quote != '\'' || f.isKey() || fixTripled(f) {
		return nil
	}
	prefix := f.prefixed()
	if prefix != "" && !strings.EqualFold(prefix, "r") && !strings.EqualFold(prefix, "u") {
		return nil // bytes, or a format string
	}
	e := f.expression("os.environ["+string(f.quote)+f.env+string(f.quote)+"]", true)
	e.start -= len(prefix)
	if !fixPyImportOS().Match(f.text) {
		e.safe = false
		e.steps = append(e.steps, "add: import os")
	}
	return e
}

func fixTripled(f *fixSite) bool {
	q := string(f.quote)
	return strings.HasSuffix(f.before, q+q) || strings.HasPrefix(f.after, q+q)
}

var (
	fixJsNode   = lazyPattern(`\bprocess\.|\brequire\(|from ["']node:`)
	fixJsxAttr  = lazyPattern(`<[A-Za-z][^>]*=$`)
	fixJsModule = lazyPattern(`\b(?:import|from|require\()\s*$`)
)

func fixJS(f *fixSite) *fixEdit {
	if f.quote == 0 || f.isKey() {
		return nil
	}
	open := f.before[:len(f.before)-1]
	if fixJsxAttr().MatchString(open) || fixJsModule().MatchString(open) || f.prefixed() != "" {
		return nil
	}
	expr, node := "process.env."+f.env, fixJsNode().Match(f.text)
	if fixKindOf(f.path) == "ts" {
		// The type of process.env's members is string | undefined.
		return f.expression(expr+"!", false, "check that the file runs in Node, and that an unset variable is noticed")
	}
	if node {
		return f.expression(expr, true)
	}
	return f.expression(expr, false, "check that the file runs in Node: in a browser there is no process.env, and a secret must not be sent there")
}

var (
	fixJavaConst = lazyPattern(`@|\bconst\b|\bcase\b|^\s*package\b`)
	fixJavaFinal = lazyPattern(`\bfinal\b`)
)

func fixJava(f *fixSite) *fixEdit {
	if f.quote != '"' || fixTripled(f) || f.has(fixJavaConst()) {
		return nil
	}
	// A final field may be used where only a constant can stand.
	safe := !f.has(fixJavaFinal())
	expr := `System.getenv("` + f.env + `")`
	if safe {
		return f.expression(expr, true)
	}
	return f.expression(expr, false, "check that the field is not used in an annotation or as a case label: it is no constant any more")
}

func fixRuby(f *fixSite) *fixEdit {
	if f.quote != '"' && f.quote != '\'' || f.isKey() {
		return nil
	}
	q := string(f.quote)
	return f.expression("ENV.fetch("+q+f.env+q+")", true)
}

var fixPhpConst = lazyPattern(`\b(?:const|public|private|protected|static|var|case)\b`)

func fixPHP(f *fixSite) *fixEdit {
	if f.quote != '"' && f.quote != '\'' || f.isKey() || f.has(fixPhpConst()) {
		return nil
	}
	q := string(f.quote)
	return f.expression("getenv("+q+f.env+q+")", true)
}

var fixCsConst = lazyPattern(`\bconst\b|\bcase\b|^\s*\[`)

func fixCSharp(f *fixSite) *fixEdit {
	if f.quote != '"' || f.isKey() || fixTripled(f) || f.has(fixCsConst()) {
		return nil
	}
	prefix := f.prefixed()
	if strings.Contains(prefix, "$") {
		return nil
	}
	e := f.expression(`System.Environment.GetEnvironmentVariable("`+f.env+`")`, false, "check what an unset variable does: the value is null then")
	if strings.HasSuffix(prefix, "@") {
		e.start--
	}
	return e
}

var fixRustConst = lazyPattern(`\b(?:const|static)\b|^\s*#!?\[`)

func fixRust(f *fixSite) *fixEdit {
	if f.quote != '"' || f.has(fixRustConst()) || f.prefixed() != "" {
		return nil
	}
	return f.expression(`std::env::var("`+f.env+`").expect("`+f.env+` is not set")`, false, "check the type: the value is a String, not a &str")
}

// fixShell works inside and outside of double quotes, where the shell expands.
func fixShell(f *fixSite) *fixEdit {
	e := &fixEdit{
		start: f.start, end: f.end,
		what:  "read " + f.env + " from the environment",
		steps: []string{f.setStep()},
		// In a here-document with a quoted word nothing is expanded.
		safe: !bytes.Contains(f.text[:f.start], []byte("<<")),
	}
	before := f.before
	if f.quote != 0 {
		before = before[:len(before)-1]
	}
	double, single := fixShellQuotes(before)
	switch {
	case single || f.quote == '`':
		return nil
	case f.quote != 0 && !double:
		e.start, e.end = f.literal()
		e.text = `"${` + f.env + `:?}"`
	case double:
		e.text = "${" + f.env + ":?}"
	case f.wholeWord(" \t=;&|()"):
		e.text = `"${` + f.env + `:?}"`
	default:
		return nil
	}
	return e
}

// fixShellQuotes tells in which quotes the end of text stands.
func fixShellQuotes(text string) (double, single bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && !single:
			i++
		case c == '"' && !single:
			double = !double
		case c == '\'' && !double:
			single = !single
		}
	}
	return double, single
}

// wholeWord reports whether the value stands between separators, or the line's
// ends.
func (f *fixSite) wholeWord(separators string) bool {
	left := f.before == "" || strings.IndexByte(separators, f.before[len(f.before)-1]) >= 0
	right := f.after == "" || strings.IndexByte(separators, f.after[0]) >= 0
	return left && right
}

// yamlScalar reports whether the value, with its quotes if it has any, is the
// whole value of a key on its line, and where that lies.
func (f *fixSite) yamlScalar() (start, end int, ok bool) {
	before, after := f.before, f.after
	start, end = f.start, f.end
	if f.quote == '"' || f.quote == '\'' {
		start, end = f.literal()
		before, after = before[:len(before)-1], after[1:]
	}
	key := strings.TrimRight(before, " ")
	rest := strings.TrimSpace(after)
	if key == before || !strings.HasSuffix(key, ":") || rest != "" && !strings.HasPrefix(rest, "#") || strings.ContainsAny(key, "{[") {
		return 0, 0, false
	}
	return start, end, true
}

func fixGitHub(f *fixSite) *fixEdit {
	name := f.env
	if rest, ok := strings.CutPrefix(name, "GITHUB_"); ok {
		name = "GH_" + rest // GitHub refuses names that begin with GITHUB_
	}
	start, end, ok := f.yamlScalar()
	if !ok {
		return &fixEdit{advice: "store the new value as the secret " + name + " of the repository or environment, pass it to the step by env: {" + f.env + ": ${{ secrets." + name + " }}} and use $" + f.env + " in the script"}
	}
	return &fixEdit{
		start: start, end: end, text: "${{ secrets." + name + " }}", safe: true,
		what:  "read the repository's secret " + name,
		steps: []string{"store the new value as the secret " + name + " of the repository or, better, of the environment that needs it"},
	}
}

func fixGitLab(f *fixSite) *fixEdit {
	set := "store the new value as the variable " + f.env + " in the project's CI/CD settings, masked and protected"
	start, end, ok := f.yamlScalar()
	switch {
	case ok && f.key == f.env:
		return &fixEdit{advice: set + ", and delete this line: a variable of the settings needs none"}
	case ok:
		return &fixEdit{start: start, end: end, text: "$" + f.env, safe: true, what: "read the project's variable " + f.env, steps: []string{set}}
	case f.wholeWord(" \t="):
		return &fixEdit{start: f.start, end: f.end, text: "$" + f.env, what: "read the project's variable " + f.env, steps: []string{set, "check that the shell expands the variable where it stands"}}
	}
	return &fixEdit{advice: set + ", and use $" + f.env + " in the script"}
}

func fixCompose(f *fixSite) *fixEdit {
	e := &fixEdit{
		what: "read " + f.env + " from the environment of compose", safe: true,
		steps: []string{"set " + f.env + " where compose runs, or use a compose secret"},
	}
	if start, end, ok := f.yamlScalar(); ok {
		e.start, e.end, e.text = start, end, `"${`+f.env+`:?}"`
		return e
	}
	if strings.HasSuffix(f.before, "=") && strings.HasPrefix(strings.TrimSpace(f.before), "-") && f.wholeWord("= ") {
		e.start, e.end, e.text = f.start, f.end, "${"+f.env+":?}"
		return e
	}
	return nil
}

var fixTfDefault = lazyPattern(`^\s*default\s*=`)

func fixTerraform(f *fixSite) *fixEdit {
	name := strings.ToLower(f.env)
	set := "set the value by TF_VAR_" + name + " or read it from a secret store by a data source"
	if f.has(fixTfDefault()) {
		return &fixEdit{advice: "remove the default, add sensitive = true, and " + set}
	}
	if f.quote != '"' || !strings.HasSuffix(strings.TrimRight(f.before[:len(f.before)-1], " \t"), "=") {
		return nil
	}
	e := f.expression("var."+name, bytes.Contains(f.text, []byte(`variable "`+name+`"`)))
	e.what = "read the variable " + name
	e.steps = []string{set, "the value also stands in the state: protect the backend"}
	if !e.safe {
		e.steps = append(e.steps, `declare it: variable "`+name+`" { type = string, sensitive = true }, each on a line of its own`)
	}
	return e
}

// fixAdvice says what to do where no edit can be proposed.
func fixAdvice(kind string, f *fixSite, e *fixEdit) string {
	if e != nil && e.advice != "" {
		return e.advice
	}
	switch kind {
	case "dockerfile":
		return "do not put it into the image, where every layer keeps it: give it to the build by RUN --mount=type=secret,id=" + strings.ToLower(f.env) + " or to the container when it starts"
	case "env":
		return "take the file out of version control, commit an example without values, and fill " + f.env + " from the secret store when the program is deployed"
	case "tfvars":
		return "take the file out of version control and set the value by TF_VAR_" + strings.ToLower(f.key) + " or read it from a secret store by a data source"
	case "config":
		return "leave the value out of this file and let the program read " + f.env + " from the environment or the secret store"
	case "":
		return "remove it from this file and keep it in the secret store of the platform"
	}
	if f.multiline {
		return "remove it from this file, keep it in the secret store and let the program read it from a file outside of the repository"
	}
	return "let the program read " + f.env + " from the environment; this line needs a change by hand"
}
