package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"penstock"
)

// ShellLabels is a set of what is known of a text. The lowest sixteen bits are
// named here; a caller may give the others meanings of its own, and they travel
// with the text.
type ShellLabels uint64

const (
	// ShellUntrusted: a stranger writes the text.
	ShellUntrusted ShellLabels = 1 << iota
	// ShellNewline: an untrusted text that may hold line breaks. A branch name and
	// a title are one line; a body is not.
	ShellNewline
	// ShellWorkspace: the text, or the file it names, is of an untrusted checkout
	// or download.
	ShellWorkspace
	// ShellSecret: a credential.
	ShellSecret
	// ShellRef: the text names code that a stranger wrote (a head branch, a commit of
	// a fork), whether or not a stranger can write anything into the name.
	ShellRef
	// ShellChecked: it was untrusted, and a check or a filter left nothing harmful.
	ShellChecked
	// ShellEncoded: a secret in another form, which no log mask covers.
	ShellEncoded
	// ShellDownload: bytes that came over the network.
	ShellDownload
	// ShellBlank: an untrusted text that may hold blanks, and so be several words where
	// nothing quotes it. A branch name is one word.
	ShellBlank

	// ShellPicked: an untrusted text of the forge that is read because somebody has named
	// or marked it: by number, label, author or merge.
	ShellPicked

	// ShellSecrets: not one credential but all that the run has.
	ShellSecrets

	shellPlain // downloaded without transport security

	shellArtifact // an archive of files of another run
	shellPull     // an answer of the forge, or the event, that tells of a pull request
	shellForeign  // that, or an archive or a patch of code that a stranger wrote

	// shellNamed are the bits with a meaning of their own.
	shellNamed ShellLabels = 1<<16 - 1
)

// ShellSource says what is known of a variable, an expression or a file.
type ShellSource struct {
	Labels ShellLabels
	// Text names the source in a trace: "the title of the pull request".
	Text string
}

// ShellTemplates are the template syntaxes that a forge expands before a shell
// sees the script.
type ShellTemplates uint8

const (
	TemplateGitHub   ShellTemplates = 1 << iota // ${{ }}: GitHub, Gitea, Azure at compile time
	TemplateGitLab                              // $[[ ]]
	TemplateAzure                               // $(name.with.dots), $[ ]
	TemplateMustache                            // {{ }}: Argo
	TemplateTekton                              // $(params.x)
	TemplateParts                               // those of ShellInput.Parts: Jenkins
)

// ShellInput is what the surroundings of a script say about it. The zero value
// knows of no taint. Maps are only looked up, so the result does not depend on
// their order.
type ShellInput struct {
	// Templates are the syntaxes to mask; zero means TemplateGitHub.
	Templates ShellTemplates
	// Parts are the expressions that the front end found in the script, in order: of
	// forges whose own language, and no template syntax, puts the script together.
	// They are used if Templates has TemplateParts.
	Parts []Interpolation
	// Macros are further names, in lower case, that TemplateAzure expands: a plain
	// $(name) in lower case is otherwise taken for a command.
	Macros map[string]bool
	// Vars are the environment variables that are known, by name.
	Vars map[string]ShellSource
	// Expr says what is known of the body of a template expression, without its
	// braces and blanks; nil for nothing. It must be a pure function.
	Expr func(body string) ShellSource
	// Workspace is what is known of the files in the working directory.
	Workspace ShellSource
	// Dirs is the same for other folders, relative to the workspace or absolute.
	// The longest that fits counts.
	Dirs map[string]ShellSource
	// Files is what is known of the content of files that earlier scripts have written,
	// by path relative to the workspace.
	Files map[string]ShellSource
	// Dir is the folder that the script starts in, relative to the workspace.
	Dir string
	// Event is what is known of the event file (GITHUB_EVENT_PATH).
	Event ShellSource
	// Forge is what is known of texts of issues and pull requests that the script
	// itself reads, with gh or curl. Zero means that strangers write them.
	Forge ShellSource
	// Head is what is known of commits that the forge names as the head, or as the merge, of a
	// pull request, HeadRepo of the repository of the head, and HeadRun of the commit of a run.
	// EventHead is the head that the file of the event names.
	Head, HeadRepo, HeadRun, EventHead ShellSource
	// Script says what a script of the workspace writes to its standard output, by its path
	// and with what is known of its arguments; nil for nothing. It must be a pure function.
	Script func(name string, args []ShellSource) ShellSource
	// EnvFiles are files of the working directory whose lines become variables of what
	// runs later.
	EnvFiles map[string]bool
	// Log is what is known of messages of commits that the script asks git for. Zero means
	// that they are as the workspace.
	Log ShellSource
	// SafePath says that PYTHONSAFEPATH is set: Python does not look for modules in the folder.
	SafePath bool
	// Name is the script's own path relative to the workspace, empty for one that stands in
	// a definition.
	Name string
	// Args are the script's arguments, nil where nothing is known of them.
	Args []ShellSource
	// Calls are functions of the script that somebody calls who has sourced it.
	Calls []ShellCall
	// Steps bounds the work, in nodes visited; zero means 300,000.
	Steps int
}

// ShellCall is a call with what is known of its arguments.
type ShellCall struct {
	Name string
	Args []ShellSource
}

// ShellDialect is what reads a script.
type ShellDialect string

const (
	DialectBash       ShellDialect = "bash"
	DialectSh         ShellDialect = "sh"
	DialectPowerShell ShellDialect = "powershell"
	DialectCmd        ShellDialect = "cmd"
	DialectPython     ShellDialect = "python"
	DialectOther      ShellDialect = "other"
)

// ShellContext says where in the text an expression or a variable stands.
type ShellContext string

const (
	ContextCommand       ShellContext = "command name"
	ContextBare          ShellContext = "unquoted"
	ContextDouble        ShellContext = "double quotes"
	ContextSingle        ShellContext = "single quotes"
	ContextArithmetic    ShellContext = "arithmetic"
	ContextHeredoc       ShellContext = "here-document"
	ContextHeredocQuoted ShellContext = "quoted here-document"
	ContextComment       ShellContext = "comment"
	ContextCode          ShellContext = "code" // of a language that is not analysed
)

// ShellExpr is a template expression in a script.
type ShellExpr struct {
	penstock.Span // of the whole, with its braces
	// Body is the text inside, without blanks at its ends.
	Body    string
	Context ShellContext
	Source  ShellSource
}

// ShellKind is a kind of fact.
type ShellKind string

const (
	// FactTemplate: an untrusted expression is pasted into the script.
	FactTemplate ShellKind = "template"
	// FactCode: an untrusted text is run as code; Sink says by what.
	FactCode ShellKind = "code"
	// FactArgument: an untrusted text can become an option of Command.
	FactArgument ShellKind = "argument"
	// FactArithmetic: an untrusted text is evaluated as arithmetic, where bash runs
	// what stands in a subscript.
	FactArithmetic ShellKind = "arithmetic"
	// FactChannel: something is written for later steps; Sink is the channel.
	FactChannel ShellKind = "channel"
	// FactExecute: code of the workspace is run. Labels has ShellWorkspace if the
	// workspace is known to be untrusted at that point.
	FactExecute ShellKind = "execute"
	// FactDownloadRun: what was downloaded is run.
	FactDownloadRun ShellKind = "download-run"
	// FactUnpinned: a tool is installed in whatever version there is.
	FactUnpinned ShellKind = "unpinned-install"
	// FactSecret: a secret goes where others may read it; Sink says where.
	FactSecret ShellKind = "secret"
	// FactMask: a value is registered to be masked in logs.
	FactMask ShellKind = "mask"
	// FactCheckout: code of a stranger, or one that Name names, is fetched.
	FactCheckout ShellKind = "checkout"
	// FactGitConfig: a setting of git that weakens or redirects; Name is its key.
	FactGitConfig ShellKind = "git-config"
	// FactGitPush: something is pushed.
	FactGitPush ShellKind = "git-push"
	// FactInterpreter: code of another language in the script, which is not
	// analysed; Sink is the interpreter.
	FactInterpreter ShellKind = "interpreter"
	// FactDispatch: another workflow is started, which Command names, with an
	// untrusted text as the input Name.
	FactDispatch ShellKind = "dispatch"
	// FactCall: a command that is none of the script's own has an untrusted argument: a
	// function, where another script was sourced before. Command is its name.
	FactCall ShellKind = "call"
	// FactPublish: a package or release is published; Name is the file of a stranger that
	// is, empty where the program finds its files itself.
	FactPublish ShellKind = "publish"
	// FactSource: the script itself reads what strangers write; Name says what.
	FactSource ShellKind = "source"
)

// Sinks of FactChannel, named as GitHub's files.
const (
	SinkEnv     = "GITHUB_ENV"
	SinkOutput  = "GITHUB_OUTPUT"
	SinkPath    = "GITHUB_PATH"
	SinkState   = "GITHUB_STATE"
	SinkSummary = "GITHUB_STEP_SUMMARY"
)

// Sinks of FactSecret.
const (
	SecretLog         = "log"
	SecretFile        = "file"
	SecretCommandLine = "command line"
	SecretNetwork     = "network"
	SecretTrace       = "trace" // set -x
	SecretEncoded     = "encoded"
	SecretChannel     = "channel"
)

// ShellStep is one step of the way of a text, source first.
type ShellStep struct {
	penstock.Span
	Text string
}

// ShellFact is something that a script does. Spans are byte offsets in the
// script as it was given.
type ShellFact struct {
	Kind ShellKind
	penstock.Span
	// Sink is what the text reaches: "eval", "GITHUB_ENV", "network".
	Sink string
	// Command is the program: "npm ci", "curl".
	Command string
	// Name is a variable, an output, a host, a file, a key: as the kind says.
	Name string
	// Context is set by FactTemplate and FactCode.
	Context ShellContext
	Labels  ShellLabels
	// Smuggle, of FactChannel: the value may hold line breaks that make further
	// entries, and no delimiter of the script's own prevents that.
	Smuggle bool
	// Unmasked, of FactSecret: the runner's mask does not cover this form.
	Unmasked bool
	// Verified, of FactDownloadRun: a checksum or signature was checked before.
	Verified bool
	// Maybe: it stands in a place that may not run, or the tool could not read the
	// script and judges by single lines.
	Maybe bool
	// Args, of FactExecute and FactCall, is what is known of the arguments, if an untrusted
	// text is among them.
	Args []ShellSource
	// Mild, of FactArgument: no option of the command is known that does harm.
	Mild bool
	// Detail says in a few words what happens.
	Detail string
	Notes  []string
	Trace  []ShellStep
}

// ShellRead is a variable that a script uses without having set it.
type ShellRead struct {
	penstock.Span // of the first use
	Name          string
}

// ShellResult is what AnalyseScript found, in order of place.
type ShellResult struct {
	Dialect ShellDialect
	// Parsed is true where the script was read as a whole. Otherwise Problem says
	// what is wrong with it, and facts come from those lines that can be read.
	Parsed  bool
	Problem string
	// Analysed is true for the shells that are analysed at all.
	Analysed bool
	// Truncated: a bound was reached, and facts may be missing.
	Truncated bool
	Exprs     []ShellExpr
	Facts     []ShellFact
	Reads     []ShellRead
	// Files are those that hold untrusted texts when the script ends, with what wrote the
	// text: as ShellInput has them.
	Files map[string]ShellSource
	// Printed is what the script writes to its standard output, if something is known of it.
	Printed ShellSource
	// Untrusted is true where the script brought untrusted code into its
	// workspace, for the steps after it.
	Untrusted bool
}

const (
	shellMaxScript = 1 << 20 // bytes that are parsed
	shellMaxSteps  = 300_000
	shellMaxExprs  = 10_000
	shellMaxExpr   = 21_000 // bytes of one: GitHub's own limit for an expression
	shellMaxFacts  = 2_000
)

// DialectOf says what reads a script whose shell setting is given: a name, a path
// or a template such as "bash -e {0}". Empty means bash, the default outside
// Windows.
func DialectOf(shell string) ShellDialect {
	fields := strings.Fields(shell)
	if len(fields) == 0 {
		return DialectBash
	}
	for i, f := range fields {
		f = strings.ToLower(strings.Trim(f, `"'`))
		if j := strings.LastIndexAny(f, `/\`); j >= 0 {
			f = f[j+1:]
		}
		f = strings.TrimSuffix(f, ".exe")
		switch {
		case f == "bash" || f == "zsh":
			return DialectBash
		case f == "sh" || f == "dash" || f == "ash" || f == "ksh" || f == "busybox" && i == len(fields)-1:
			return DialectSh
		case f == "pwsh" || f == "powershell":
			return DialectPowerShell
		case f == "cmd":
			return DialectCmd
		case strings.HasPrefix(f, "python"):
			return DialectPython
		case f == "node" || f == "perl" || f == "ruby" || f == "rscript" || f == "php" || f == "nu" || f == "elixir":
			return DialectOther
		}
		// A wrapper such as "nix develop -c bash -e {0}" names the shell later.
	}
	return DialectOther
}

// AnalyseScript reads a script as the named shell does and reports what it does
// with texts that its surroundings say are untrusted or secret. It is pure,
// deterministic and bounded by in.Steps. Cost: about 20 microseconds for a script
// of ten lines.
func AnalyseScript(script, shell string, in ShellInput) ShellResult {
	res := ShellResult{Dialect: DialectOf(shell)}
	if in.Templates == 0 {
		in.Templates = TemplateGitHub
	}
	if in.Steps <= 0 {
		in.Steps = shellMaxSteps
	}
	masked, exprs, full := shellMask(script, in.Templates, in.Macros)
	if in.Templates&TemplateParts != 0 {
		masked, exprs, full = shellMaskParts(script, in.Parts)
	}
	res.Exprs = exprs
	res.Truncated = !full
	if in.Expr != nil {
		for i := range res.Exprs {
			res.Exprs[i].Source = in.Expr(res.Exprs[i].Body)
		}
	}
	r := &shRun{in: &in, raw: script, src: masked, res: &res}
	if res.Dialect == DialectBash || res.Dialect == DialectSh {
		res.Analysed = true
		r.posix = res.Dialect == DialectSh
		r.script()
	} else {
		r.foreign()
	}
	r.templates()
	slices.SortStableFunc(res.Facts, func(a, b ShellFact) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Sink, b.Sink), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Command, b.Command))
	})
	slices.SortStableFunc(res.Reads, func(a, b ShellRead) int { return cmp.Compare(a.Start, b.Start) })
	return res
}

// ShellExpressions lists the template expressions of a script, without analysis.
func ShellExpressions(script string, templates ShellTemplates) []ShellExpr {
	_, exprs, _ := shellMask(script, templates, nil)
	return exprs
}

// shellMask replaces each template expression by a word of the same length, so
// that offsets stay and the shell's grammar is kept: an expression may stand where
// a name, a number, an argument or a command stands. The word is _ZZZ_ with as
// many Z as fit. The result is false if there were too many expressions.
func shellMask(script string, templates ShellTemplates, macros map[string]bool) (string, []ShellExpr, bool) {
	if strings.IndexByte(script, '$') < 0 && templates&TemplateMustache == 0 {
		return script, nil, true
	}
	var out []byte
	var exprs []ShellExpr
	budget := 16*len(script) + 1024 // bytes looked at, however many openings have no end
	for i := 0; i < len(script); {
		open, closing := 0, ""
		switch rest := script[i:]; {
		case rest[0] != '$' && rest[0] != '{':
		case templates&TemplateGitHub != 0 && strings.HasPrefix(rest, "${{"):
			open, closing = 3, "}}"
		case templates&TemplateGitLab != 0 && strings.HasPrefix(rest, "$[["):
			open, closing = 3, "]]"
		case templates&TemplateAzure != 0 && strings.HasPrefix(rest, "$["):
			open, closing = 2, "]"
		case templates&(TemplateAzure|TemplateTekton) != 0 && strings.HasPrefix(rest, "$(") && shellMacro(rest[2:], templates, macros):
			open, closing = 2, ")"
		case templates&TemplateMustache != 0 && strings.HasPrefix(rest, "{{"):
			open, closing = 2, "}}"
		}
		end := -1
		if open > 0 {
			var read int
			end, read = shellMaskEnd(script, i+open, closing)
			if budget -= read; budget < 0 {
				return shellFinish(script, out), exprs, false
			}
		}
		if end < 0 {
			i++
			continue
		}
		if len(exprs) >= shellMaxExprs {
			return shellFinish(script, out), exprs, false
		}
		exprs = append(exprs, ShellExpr{
			Span: penstock.Span{Start: int64(i), End: int64(end)},
			Body: strings.TrimSpace(script[i+open : end-len(closing)]),
		})
		if out == nil {
			out = []byte(script)
		}
		for j := i; j < end; j++ {
			out[j] = 'Z'
		}
		out[i], out[end-1] = '_', '_'
		i = end
	}
	return shellFinish(script, out), exprs, true
}

// shellMaskParts is shellMask for expressions whose places are known.
func shellMaskParts(script string, parts []Interpolation) (string, []ShellExpr, bool) {
	var exprs []ShellExpr
	out := []byte(script)
	last := 0
	for _, p := range parts {
		if p.From < last || p.To > len(script) || p.Inner < p.From || p.InnerTo < p.Inner || p.To < p.InnerTo || p.To == p.From {
			continue
		}
		if len(exprs) >= shellMaxExprs {
			return string(out), exprs, false
		}
		exprs = append(exprs, ShellExpr{Span: penstock.Span{Start: int64(p.From), End: int64(p.To)}, Body: strings.TrimSpace(script[p.Inner:p.InnerTo])})
		for j := p.From; j < p.To; j++ {
			out[j] = 'Z'
		}
		out[p.From], out[p.To-1] = '_', '_'
		last = p.To
	}
	return string(out), exprs, true
}

func shellFinish(script string, out []byte) string {
	if out == nil {
		return script
	}
	return string(out)
}

// shellMaskEnd returns the offset after the closing braces, -1 if there are none,
// and how many bytes it looked at. Braces in a string of the expression, which has
// single quotes, do not count.
func shellMaskEnd(s string, i int, closing string) (end, read int) {
	quoted := false
	limit := min(len(s), i+shellMaxExpr)
	for j := i; j < limit; j++ {
		if s[j] == '\'' && closing != ")" {
			quoted = !quoted
		} else if !quoted && strings.HasPrefix(s[j:], closing) {
			return j + len(closing), j - i
		}
	}
	return -1, limit - i
}

// shellMacro reports whether s begins with a macro's name and its parenthesis:
// one word that is no command. Azure and Tekton write $(a.b) where a shell has a
// substitution, and a program's name with a dot and no argument is rare.
func shellMacro(s string, templates ShellTemplates, macros map[string]bool) bool {
	end := strings.IndexByte(s, ')')
	if end <= 0 || end > 200 {
		return false
	}
	dot := false
	for i := 0; i < end; i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		case c == '.', c == '[', c == ']', c == '\'', c == '"', c == '*':
			dot = true
		default:
			return false
		}
	}
	if templates&TemplateTekton != 0 {
		for _, p := range []string{"params", "inputs.", "outputs.", "workspaces.", "results.", "context.", "tasks.", "steps."} {
			if dot && strings.HasPrefix(s, p) {
				return true
			}
		}
	}
	// Azure: names with a dot are predefined variables; a plain name in mixed case is
	// somebody's variable, and in lower case a command such as $(pwd).
	return templates&TemplateAzure != 0 && (dot && s[0] != '.' || strings.ToLower(s[:end]) != s[:end] || macros[s[:end]])
}

// exprsIn returns the indices [lo, hi) of the expressions that begin in [start, end).
func (r *shRun) exprsIn(start, end int) (lo, hi int) {
	at := func(i int) int {
		n, _ := slices.BinarySearchFunc(r.res.Exprs, int64(i), func(e ShellExpr, t int64) int { return cmp.Compare(e.Start, t) })
		return n
	}
	return at(start), at(end)
}

// templates reports the untrusted expressions. Whatever quotes stand around one,
// the value is pasted before the shell reads them.
func (r *shRun) templates() {
	for i := range r.res.Exprs {
		e := &r.res.Exprs[i]
		if e.Context == "" {
			e.Context = ContextComment
			if !r.res.Analysed || !r.res.Parsed {
				e.Context = ContextCode
			}
		}
		if e.Source.Labels&ShellUntrusted == 0 {
			continue
		}
		f := ShellFact{Kind: FactTemplate, Span: e.Span, Name: e.Body, Context: e.Context, Labels: e.Source.Labels, Sink: string(r.res.Dialect)}
		switch e.Context {
		case ContextSingle:
			f.Detail = "a quote in the value ends the string"
		case ContextDouble:
			f.Detail = "a substitution in the value is run"
		case ContextHeredoc:
			f.Detail = "a substitution in the value is run, although it looks like text"
		case ContextHeredocQuoted, ContextComment:
			f.Detail = "a line break in the value leads out of the text"
			f.Maybe = e.Source.Labels&ShellNewline == 0
			if f.Maybe {
				f.Notes = append(f.Notes, "the value is one line, which cannot lead out of this place")
			}
		default:
			f.Detail = "the value becomes part of the script"
		}
		f.Trace = []ShellStep{{Span: e.Span, Text: shellName(e.Source, e.Body) + " is pasted into the script"}}
		r.res.Facts = append(r.res.Facts, f)
	}
}

func shellName(s ShellSource, name string) string {
	if s.Text != "" {
		return s.Text
	}
	return name
}

// foreign looks at a script of another shell: positions of expressions, and
// downloads that are run at once.
func (r *shRun) foreign() {
	r.res.Parsed = true
	if r.res.Dialect == DialectPython {
		for i := range r.res.Exprs {
			r.res.Exprs[i].Context = ContextCode
		}
		if len(r.src) <= shellMaxScript {
			r.python()
		}
		return
	}
	for start := 0; start < len(r.src); {
		end := strings.IndexByte(r.src[start:], '\n')
		if end < 0 {
			end = len(r.src)
		} else {
			end += start
		}
		line := r.src[start:end]
		trimmed := strings.TrimSpace(line)
		comment := r.res.Dialect == DialectPowerShell && strings.HasPrefix(trimmed, "#") ||
			r.res.Dialect == DialectCmd && (strings.HasPrefix(trimmed, "::") || strings.HasPrefix(strings.ToLower(trimmed), "rem "))
		lo, hi := r.exprsIn(start, end)
		for i := lo; i < hi; i++ {
			r.res.Exprs[i].Context = ContextCode
			if comment {
				r.res.Exprs[i].Context = ContextComment
			}
		}
		if !comment {
			r.foreignLine(line, start)
			if r.in.Templates&TemplateAzure != 0 {
				r.foreignLogging(line, start, lo, hi)
			}
		}
		start = end + 1
	}
	if d := r.res.Dialect; (d == DialectPowerShell || d == DialectCmd) && len(r.src) <= shellMaxScript {
		r.windows(d == DialectCmd)
	}
}

// foreignLogging looks for logging commands of Azure in a line of another shell. Of
// the value only the template expressions are known.
func (r *shRun) foreignLogging(line string, start, lo, hi int) {
	i := strings.Index(strings.ToLower(line), azureCommand)
	if i < 0 {
		return
	}
	head, _, ok := strings.Cut(line[i+len(azureCommand):], "]")
	if !ok {
		return
	}
	action, name, output, secret := azureLogging(head)
	f := ShellFact{
		Kind: FactChannel, Span: penstock.Span{Start: int64(start + i), End: int64(start + len(strings.TrimRight(line, "\r")))},
		Sink: SinkEnv, Command: azureCommand + action, Name: shPrint(name), Maybe: true,
	}
	switch {
	case action == "task.prependpath":
		f.Sink, f.Name = SinkPath, ""
	case action != "task.setvariable":
		return
	case output:
		f.Sink = SinkOutput
	}
	for j := lo; j < hi; j++ {
		if e := r.res.Exprs[j]; e.Start > f.Start {
			f.Labels |= e.Source.Labels
		}
	}
	f.Smuggle = f.Labels&ShellNewline != 0
	r.res.Facts = append(r.res.Facts, f)
	if secret {
		f.Kind, f.Sink = FactMask, ""
		r.res.Facts = append(r.res.Facts, f)
	}
}

// foreignLine looks for a download that is evaluated in the same line.
func (r *shRun) foreignLine(line string, start int) {
	low := strings.ToLower(line)
	fetch := -1
	for _, w := range []string{"downloadstring(", "invoke-webrequest", "invoke-restmethod", "iwr ", "irm ", "curl "} {
		if i := strings.Index(low, w); i >= 0 && (fetch < 0 || i < fetch) && (i == 0 || !shellWordByte(low[i-1])) {
			fetch = i
		}
	}
	if fetch < 0 {
		return
	}
	run := false
	for _, w := range []string{"iex", "invoke-expression", "bash", "sh"} {
		for i := 0; ; {
			j := strings.Index(low[i:], w)
			if j < 0 {
				break
			}
			j += i
			i = j + len(w)
			before := strings.TrimRight(low[:j], " \t&")
			edge := (i == len(low) || !shellWordByte(low[i])) && (j == 0 || !shellWordByte(low[j-1]))
			if edge && (strings.HasSuffix(before, "|") || w[0] == 'i' && j < fetch) {
				run = true
			}
		}
	}
	if run {
		r.res.Facts = append(r.res.Facts, ShellFact{
			Kind: FactDownloadRun, Span: penstock.Span{Start: int64(start), End: int64(start + len(line))},
			Sink: "iex", Labels: ShellDownload, Detail: "a download is run at once", Maybe: true,
		})
	}
}

func shellWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}
