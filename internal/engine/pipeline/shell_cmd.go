package pipeline

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// shArg is one word of a command.
type shArg struct {
	v          shVal
	w          *syntax.Word // nil for one that the analysis made
	start, end int
}

func (a shArg) text() string {
	t, ok := shText(a.v)
	if !ok {
		return ""
	}
	return t
}

// call is a simple command.
func (r *shRun) call(c *syntax.CallExpr, stdin shVal) shVal {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			r.assignment(a, false, false)
		}
		return nil
	}
	vars := r.st.vars
	if len(c.Assigns) > 0 {
		r.st.vars.shared = true
		for _, a := range c.Assigns {
			r.assignment(a, false, false)
		}
	}
	if lo, hi := r.exprsIn(r.span(c.Args[0])); lo < hi {
		if _, ok := c.Args[0].Parts[0].(*syntax.Lit); ok {
			r.context(lo, ContextCommand)
		}
	}
	args := make([]shArg, 0, len(c.Args))
	for _, w := range c.Args {
		start, end := r.span(w)
		if n := shSingleVar(w); (n == "@" || n == "*") && r.st.positional != nil {
			// The arguments of a function, each a word of its own.
			_, quoted := w.Parts[0].(*syntax.DblQuoted)
			for _, v := range r.st.positional {
				if v = r.unbare(v); !quoted {
					v = r.bared(v)
				}
				args = append(args, shArg{v, nil, start, end})
			}
			continue
		}
		if all, ok := r.elements(w); ok {
			for _, v := range all {
				args = append(args, shArg{v, nil, start, end})
			}
			continue
		}
		args = append(args, shArg{r.word(w), w, start, end})
	}
	if len(args) == 0 {
		return nil
	}
	// An unquoted variable with several known words is several arguments.
	if t, ok := shText(args[0].v); ok && strings.ContainsAny(t, " \t\n") && len(c.Args[0].Parts) == 1 {
		if _, ok := c.Args[0].Parts[0].(*syntax.ParamExp); ok {
			var split []shArg
			for _, f := range strings.Fields(t) {
				split = append(split, shArg{shLit(f, args[0].start, args[0].end), nil, args[0].start, args[0].end})
			}
			args = append(split, args[1:]...)
		}
	}
	if len(args) == 0 {
		return nil // an empty variable
	}
	out := r.exec(args, stdin, 0)
	if len(c.Assigns) > 0 {
		switch args[0].text() {
		case "read", "mapfile", "readarray", "export", "cd", "eval", "source", ".", ":", "set", "printf":
		default:
			r.st.vars = vars
			r.st.vars.shared = true
		}
	}
	if r.log {
		r.logged(out, args[0].start, args[len(args)-1].end)
		if l := shLabels(out); l != 0 && !r.stderr {
			r.res.Printed.Labels |= l
		}
		return nil
	}
	return out
}

// printed is what a script of the workspace writes to its standard output.
func (r *shRun) printed(file shArg, args []shArg) shVal {
	key := r.fileKey(file.v)
	if r.in.Script == nil || r.log || r.outside(key) || !r.step() {
		return nil
	}
	if _, ok := r.st.files.m[key]; ok {
		return nil
	}
	s := r.in.Script(key, shGiven(args))
	if s.Labels == 0 {
		return nil
	}
	end := file.end
	if len(args) > 0 {
		end = args[len(args)-1].end
	}
	return shVal{{opaque: true, name: s.Text, start: file.start, end: end, l: s.Labels, t: r.trail(nil, file.start, end, "is what "+shPrint(key)+" writes")}}
}

// shellOf returns the name of a program without the folder of the system's own.
func shellOf(sym string) string {
	if strings.HasPrefix(sym, "/") {
		for _, dir := range []string{"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/opt/homebrew/bin/"} {
			if rest, ok := strings.CutPrefix(sym, dir); ok && !strings.Contains(rest, "/") {
				return rest
			}
		}
	}
	return sym
}

func shIsShell(name string) bool {
	switch name {
	case "sh", "bash", "zsh", "dash", "ksh", "ash", "fish":
		return true
	}
	return false
}

// exec runs a command whose words are known as far as they are.
func (r *shRun) exec(args []shArg, stdin shVal, depth int) shVal {
	if len(args) == 0 || depth > 8 || !r.step() {
		return nil
	}
	first := args[0]
	start, end := first.start, args[len(args)-1].end
	if p := shWith(first.v, ShellUntrusted); p != nil && (p == &first.v[0] || !strings.Contains(shSymbol(first.v), "/")) {
		r.code("command name", p, first.start, first.end, ContextCommand, "the value is the program that is run")
		return nil
	}
	name := shellOf(shSymbol(first.v))
	r.traced(args)
	if f := r.funcs[name]; f != nil {
		return r.function(f, args, stdin)
	}
	if out, ok := r.builtin(name, args, stdin); ok {
		return out
	}
	if rest, ok := r.wrapper(name, args); ok {
		if len(rest) == 0 {
			return nil
		}
		return r.exec(rest, stdin, depth+1)
	}
	r.commandLine(name, args)
	r.options(name, args)
	r.codeOptions(name, args)
	if shIn("awk gawk mawk sed gsed", name) {
		for i := 1; i+1 < len(args); i++ {
			if t := args[i].text(); t == "-f" || t == "--file" {
				r.runFile(args[i+1], name, start, end) // system() of awk, e of sed
			}
		}
	}
	switch {
	case shIsShell(name):
		return r.shell(name, args, stdin)
	case name == "xargs" || name == "parallel":
		return r.xargs(args, stdin, depth)
	case name == "find":
		return r.find(args, depth)
	case name == "git":
		return r.git(args, stdin)
	case name == "gh" || name == "glab" || name == "hub":
		r.publishes(name, args)
		return r.gh(name, args)
	case name == "curl" || name == "wget":
		r.sendsAll(name, args, stdin)
		return r.download(name, args)
	}
	if shellInterpreters[name] {
		if out, done := r.interpreter(name, args, stdin); done {
			return out
		}
	} else if strings.Contains(name, "/") || strings.HasSuffix(name, ".bat") || strings.HasSuffix(name, ".cmd") {
		r.runWith(args[1:], func() { r.runFile(first, path.Base(name), start, end) })
		// ./gradlew and ./mvnw are known by what they run as well.
		return r.printed(first, args[1:])
	}
	for _, p := range shellPrefixes {
		if p.cmd == name && len(args) > 2 && args[1].text() == p.sub {
			r.runners(name, args)
			rest := args[2:]
			for len(rest) > 1 && strings.HasPrefix(rest[0].text(), "-") {
				rest = rest[1:]
			}
			return r.exec(rest, stdin, depth+1)
		}
	}
	if name == "npx" || name == "uvx" || name == "pnpx" || name == "bunx" {
		r.installs(name, args)
		rest := args[1:]
		for len(rest) > 1 && strings.HasPrefix(rest[0].text(), "-") {
			rest = rest[1:]
		}
		if len(rest) > 0 {
			if t := rest[0].text(); t != "" && !strings.HasPrefix(t, "-") {
				if i := strings.LastIndexByte(t, '@'); i > 0 {
					t = t[:i]
				}
				named := append([]shArg{{shLit(t, rest[0].start, rest[0].end), nil, rest[0].start, rest[0].end}}, rest[1:]...)
				before := len(r.res.Facts)
				r.runners(t, named)
				r.publishes(t, named)
				if (name == "npx" || name == "bunx") && len(r.res.Facts) == before && shIsTool(t) && r.dirSource(r.st.cwd).Labels&(ShellUntrusted|ShellWorkspace) != 0 {
					r.execute(name+" "+shPrint(t), "", runsLocal, start, end)
				}
			}
		}
		return nil
	}
	r.publishes(name, args)
	if r.sourced && shIsName(name) {
		if given := shGiven(args[1:]); given != nil {
			r.fact(ShellFact{Kind: FactCall, Span: shSpan(start, end), Command: name, Args: given})
		}
	}
	switch name {
	case "tar", "bsdtar", "unzip", "patch", "7z", "7za":
		if a, ok := shUnpacked(name, args); ok {
			return r.readFile(a.v, start, end)
		}
		r.unpack(name, args, stdin)
	}
	r.runners(name, args)
	r.installs(name, args)
	return r.filter(name, args, stdin)
}

// publishes notes files of a stranger that a program gives to everybody: a package of a
// registry or an asset of a release.
func (r *shRun) publishes(name string, args []shArg) {
	i := slices.IndexFunc(shellPublishers, func(p shellPublisher) bool { return p.cmd == name })
	if i < 0 || len(args) > 200 {
		return
	}
	row, line := &shellPublishers[i], ""
	for _, a := range args[1:] {
		if t := a.text(); t != "" && !strings.HasPrefix(t, "-") && len(line) < 60 {
			line += t + " "
		}
	}
	if !slices.ContainsFunc(row.subs, func(sub string) bool { return strings.HasPrefix(line, sub) }) {
		return
	}
	start, end := args[0].start, args[len(args)-1].end
	f := ShellFact{Kind: FactPublish, Span: shSpan(start, end), Command: name, Detail: row.what}
	for _, a := range args[1:] {
		v := a.v
		if sym := shSymbol(v); strings.HasPrefix(sym, "-") {
			k := strings.IndexByte(sym, '=')
			if k < 0 {
				continue
			}
			v = shAfter(v, k+1)
		}
		sym := shSymbol(v)
		if !shPackage(sym) && !strings.Contains(sym, "/") {
			continue
		}
		if s := r.dirSource(r.fileKey(v)); s.Labels&ShellWorkspace != 0 {
			f.Name, f.Labels = shPrint(sym), s.Labels|ShellWorkspace|ShellUntrusted
			f.Trace = shTrace(r.trail(r.st.wst, start, end, name+" publishes "+shPrint(sym)))
			break
		}
	}
	if f.Name != "" || row.finds {
		r.fact(f)
	}
}

// shPackage reports whether a name is that of a package.
func shPackage(name string) bool {
	return shArchive(name) || slices.ContainsFunc([]string{".whl", ".vsix", ".gem", ".nupkg", ".xpi", ".crx", ".jar", ".deb", ".rpm", ".exe", ".dmg", ".apk", "*"}, func(end string) bool {
		return strings.HasSuffix(strings.ToLower(name), end)
	})
}

// shUnpacked is the archive whose files a program writes to its standard output.
func shUnpacked(name string, args []shArg) (shArg, bool) {
	out := false
	for i, a := range args[1:] {
		t := a.text()
		switch {
		case strings.HasPrefix(t, "-") && name == "unzip":
			out = out || !strings.HasPrefix(t, "--") && strings.ContainsAny(t, "pc")
		case name != "tar" && name != "bsdtar":
		case t == "--to-stdout", (i == 0 || strings.HasPrefix(t, "-")) && !strings.HasPrefix(t, "--") && !shArchive(t) && strings.Contains(t, "O"):
			out = true
		}
	}
	if !out {
		return shArg{}, false
	}
	for _, a := range args[1:] {
		if sym := shSymbol(a.v); !strings.HasPrefix(sym, "-") && shArchive(sym) {
			return a, true
		}
	}
	return shArg{}, false
}

// shIsTool reports whether a word names a package, and no folder or address.
func shIsTool(t string) bool {
	t = strings.TrimPrefix(t, "@")
	return t != "" && t[0] != '.' && t[0] != '/' && t[0] != '~' && strings.Count(t, "/") < 2 && !strings.Contains(t, ":")
}

// wrapper takes a program off that runs the rest of its arguments.
func (r *shRun) wrapper(name string, args []shArg) ([]shArg, bool) {
	valued, operands := "", 0
	switch name {
	case "sudo", "doas":
		valued = "-u -g -h -p -C -r -t -T -U -D -R --user --group"
	case "env":
		valued = "-u -C -S --unset --chdir"
	case "command", "builtin", "exec", "nohup", "setsid", "chronic", "unbuffer", "xvfb-run", "catchsegv", "time", "busybox", "caffeinate", "dbus-run-session", "arch", "firejail":
		valued = "-a -s -n -w -f -p"
		if name == "command" || name == "time" || name == "exec" {
			valued = "-a"
		}
		if name == "command" && len(args) > 1 && strings.HasPrefix(args[1].text(), "-") && strings.ContainsAny(args[1].text(), "vV") {
			return nil, true // asks where it is
		}
	case "nice", "ionice", "stdbuf", "taskset":
		valued = "-n -c -p -i -o -e"
		if name == "taskset" {
			operands = 1
		}
	case "timeout", "gtimeout":
		valued, operands = "-s -k --signal --kill-after", 1
	case "retry":
		valued = "-t -d -n -s --times --delay --tries"
	case "!", "then", "do", "else", "{":
	default:
		return nil, false
	}
	i := 1
	for i < len(args) {
		t := args[i].text()
		switch {
		case t == "--":
			i++
			return args[i:], true
		case strings.HasPrefix(t, "-") && len(t) > 1:
			if shIn(valued, t) {
				i++
			}
			i++
		case name == "env" || name == "sudo" && strings.Contains(shSymbol(args[i].v), "="):
			k, _, ok := strings.Cut(shSymbol(args[i].v), "=")
			if !ok || !shIsName(k) {
				return args[min(i, len(args)):], true
			}
			r.assign(k, r.unbare(shAfter(args[i].v, len(k)+1)), args[i].start, args[i].end, false)
			i++
		case operands > 0:
			operands--
			i++
		default:
			return args[i:], true
		}
	}
	return nil, true
}

// shIn reports whether w is one of the words of a list.
func shIn(list, w string) bool {
	for len(list) > 0 {
		var one string
		one, list, _ = strings.Cut(list, " ")
		if one == w && w != "" {
			return true
		}
	}
	return false
}

// shAfter is a text without its first n bytes, which must be literal.
func shAfter(v shVal, n int) shVal {
	for i := range v {
		if v[i].opaque {
			return v[i:]
		}
		if n < len(v[i].text) {
			out := append(shVal(nil), v[i:]...)
			out[0].text = out[0].text[n:]
			out[0].start = min(out[0].start+n, out[0].end)
			return out
		}
		n -= len(v[i].text)
	}
	return nil
}

// function calls a function of the script.
func (r *shRun) function(f *shFunc, args []shArg, stdin shVal) shVal {
	f.called = true
	if r.calls >= shMaxCalls {
		return nil
	}
	r.calls++
	base, positional := r.base, r.st.positional
	r.base = f.base
	r.st.positional = make([]shVal, 0, len(args)-1)
	for _, a := range args[1:] {
		r.st.positional = append(r.st.positional, a.v)
	}
	out := r.stmt(f.body, stdin)
	r.base, r.st.positional = base, positional
	r.calls--
	r.st.dead = false
	if shExits(f.body, 0) {
		r.st.dead = true
	}
	return out
}

// shExits reports whether a body always ends the script: its last statement is exit.
func shExits(s *syntax.Stmt, depth int) bool {
	if s == nil || depth > 10 {
		return false
	}
	switch c := s.Cmd.(type) {
	case *syntax.Block:
		return len(c.Stmts) > 0 && shExits(c.Stmts[len(c.Stmts)-1], depth+1)
	case *syntax.CallExpr:
		return len(c.Args) > 0 && c.Args[0].Lit() == "exit"
	}
	return false
}

// builtin are the commands of the shell that the analysis knows.
func (r *shRun) builtin(name string, args []shArg, stdin shVal) (shVal, bool) {
	start, end := args[0].start, args[len(args)-1].end
	switch name {
	case "echo":
		return r.echo(args[1:], end), true
	case "printf":
		return r.printf(args[1:], start, end), true
	case "getopts":
		if r.st.positional != nil {
			r.assign("OPTARG", shCollapse(r.posParam("@", start, end)), start, end, false)
		}
		return nil, true
	case "true", "false", ":", "wait", "type", "hash", "shopt", "ulimit", "umask", "jobs", "bg", "fg", "disown", "sleep":
		return nil, true
	case "exit", "return", "break", "continue":
		r.st.dead = true
		return nil, true
	case "[", "test":
		for i, a := range args {
			if a.text() == "-v" && i+1 < len(args) {
				if p := shWith(args[i+1].v, ShellUntrusted); p != nil {
					r.arithmetic(p, args[i+1].start, args[i+1].end)
				}
			}
		}
		return nil, true
	case "set":
		r.set(args)
		return nil, true
	case "shift":
		n := 1
		if len(args) > 1 {
			if k, err := strconv.Atoi(args[1].text()); err == nil && k > 0 {
				n = k
			}
		}
		r.st.positional = r.st.positional[min(n, len(r.st.positional)):]
		return nil, true
	case "unset":
		for _, a := range args[1:] {
			if t := a.text(); shIsName(t) {
				shSet(r, &r.st.vars, t, shVar{})
			}
		}
		return nil, true
	case "cd", "pushd":
		r.cd(args)
		return nil, true
	case "popd":
		r.st.cwd = ""
		return nil, true
	case "dirname":
		if len(args) > 1 {
			if sym := shSymbol(args[len(args)-1].v); strings.HasPrefix(sym, shWorkspace) {
				return shVal{{text: path.Dir(sym), opaque: true, start: start, end: end}}, true
			}
		}
		return nil, false
	case "pwd":
		if dir := r.st.cwd; dir != "" && !r.outside(dir) {
			return shVal{{text: shWorkspace + dir, opaque: true, start: start, end: end}}, true
		}
		return shVal{{text: "$PWD", opaque: true, start: start, end: end}}, true
	case "export", "local", "readonly", "typeset", "declare":
		for _, a := range args[1:] {
			sym := shSymbol(a.v)
			if k, _, ok := strings.Cut(sym, "="); ok && shIsName(k) {
				r.assign(k, r.unbare(shAfter(a.v, len(k)+1)), a.start, a.end, false)
			} else if p := shWith(a.v, ShellUntrusted); p != nil && p == &a.v[0] {
				r.code("export", p, a.start, a.end, ContextBare, "the value sets any variable, such as PATH, BASH_ENV or LD_PRELOAD")
			}
		}
		return nil, true
	case "read", "mapfile", "readarray":
		r.read(name, args, stdin)
		return nil, true
	case "eval":
		r.traced(args)
		var v shVal
		for _, a := range args[1:] {
			v = shCat(v, a.v)
		}
		r.evaluate("eval", v, nil, start, end)
		if len(args) == 2 {
			r.inner(args[1].w)
		}
		return nil, true
	case "trap":
		if len(args) > 2 {
			r.evaluate("trap", args[1].v, nil, args[1].start, args[1].end)
			maybe := r.maybe
			r.maybe = true
			r.inner(args[1].w)
			r.maybe = maybe
		}
		return nil, true
	case "alias":
		for _, a := range args[1:] {
			r.evaluate("alias", a.v, nil, a.start, a.end)
		}
		return nil, true
	case "source", ".":
		if len(args) > 1 {
			r.sourced = true
			r.runWith(args[2:], func() { r.runFile(args[1], name, start, end) })
		}
		return nil, true
	case "tee":
		r.tee(args, stdin)
		return stdin, true
	case "cp", "mv", "install":
		var ops []shArg
		for _, a := range args[1:] {
			if !strings.HasPrefix(shSymbol(a.v), "-") {
				ops = append(ops, a)
			}
		}
		if len(ops) == 2 {
			if v, ok := r.st.files.m[r.fileKey(ops[0].v)]; ok {
				shSet(r, &r.st.files, r.fileKey(ops[1].v), v)
			}
		}
		return nil, false
	}
	return nil, false
}

func (r *shRun) set(args []shArg) {
	for i, a := range args[1:] {
		t := a.text()
		switch {
		case t == "--":
			r.st.positional = make([]shVal, 0, len(args))
			for _, b := range args[i+2:] {
				r.st.positional = append(r.st.positional, b.v)
			}
			return
		case strings.HasPrefix(t, "-") && strings.Contains(t, "x"), t == "xtrace" && args[i].text() != "+o":
			r.st.trace = a.start
		case strings.HasPrefix(t, "+") && strings.Contains(t, "x"), t == "xtrace":
			r.st.trace = -1
		}
	}
}

// traced reports secrets that set -x prints.
func (r *shRun) traced(args []shArg) {
	if r.st.trace < 0 || r.uses > 20 {
		return
	}
	for _, a := range args {
		if p := shWith(a.v, ShellSecret); p != nil {
			r.uses++
			f := ShellFact{Kind: FactSecret, Span: shSpan(a.start, a.end), Sink: SecretTrace, Name: p.name, Labels: p.l,
				Unmasked: p.l&ShellEncoded != 0 && !r.masked(p), Detail: "set -x writes the command to the log"}
			t := r.trail(p.t, r.st.trace, r.st.trace+2, "set -x is on")
			f.Trace = shTrace(r.trail(t, a.start, a.end, "the command is written to the log"))
			r.fact(f)
		}
	}
}

func (r *shRun) echo(args []shArg, end int) shVal {
	escapes, newline := false, true
	for len(args) > 0 {
		t := args[0].text()
		if t != "-n" && t != "-e" && t != "-E" && t != "-ne" && t != "-en" {
			break
		}
		escapes = escapes || strings.Contains(t, "e")
		newline = newline && !strings.Contains(t, "n")
		args = args[1:]
	}
	var out shVal
	for i, a := range args {
		if i > 0 {
			out = shAdd(out, shLit(" ", a.start, a.start))
		}
		out = shAdd(out, r.argument(a.v, escapes))
	}
	if newline {
		out = shAdd(out, shLit("\n", end, end))
	}
	return out
}

// argument is a word as a program sees it: unquoted parts lost their line breaks.
func (r *shRun) argument(v shVal, escapes bool) shVal {
	change := false
	for i := range v {
		change = change || v[i].bare && v[i].l&ShellNewline != 0 || escapes && (v[i].l&ShellUntrusted != 0 || !v[i].opaque && strings.IndexByte(v[i].text, '\\') >= 0)
	}
	if !change {
		return v
	}
	out := append(shVal(nil), v...)
	for i := range out {
		p := &out[i]
		if p.bare {
			p.l &^= ShellNewline
		}
		if escapes {
			if p.opaque && p.l&ShellUntrusted != 0 {
				p.l |= ShellNewline // \n in the value becomes a line break
			} else if !p.opaque {
				p.text = shUnescape(p.text)
			}
		}
	}
	return out
}

func (r *shRun) printf(args []shArg, start, end int) shVal {
	target := ""
	if len(args) > 1 && args[0].text() == "-v" {
		target = args[1].text()
		if p := shWith(args[1].v, ShellUntrusted); p != nil {
			r.arithmetic(p, args[1].start, args[1].end)
		}
		args = args[2:]
	}
	if len(args) > 0 && args[0].text() == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return nil
	}
	format, ok := shText(args[0].v)
	var out shVal
	if !ok {
		out = r.argument(args[0].v, true)
		for _, a := range args[1:] {
			out = shAdd(out, r.argument(a.v, false))
		}
	} else {
		fs := args[0].start
		rest := args[1:]
		for round := 0; round < 20; round++ {
			used := len(rest)
			for i := 0; i < len(format); {
				j := strings.IndexByte(format[i:], '%')
				if j < 0 {
					out = shAdd(out, shLit(shUnescape(format[i:]), fs, args[0].end))
					break
				}
				if j > 0 {
					out = shAdd(out, shLit(shUnescape(format[i:i+j]), fs, args[0].end))
				}
				i += j + 1
				for i < len(format) && strings.IndexByte("0123456789.-+ #*", format[i]) >= 0 {
					i++
				}
				if i >= len(format) {
					break
				}
				c := format[i]
				i++
				if c == '%' {
					out = shAdd(out, shLit("%", fs, args[0].end))
					continue
				}
				if len(rest) == 0 {
					continue
				}
				a := rest[0]
				rest = rest[1:]
				v := r.argument(a.v, c == 'b')
				switch c {
				case 'q':
					v = r.checked(shCollapse(v), a.start, a.end, "is quoted for a shell")
				case 'd', 'i', 'u', 'x', 'X', 'o', 'f', 'e', 'g':
					v = r.checked(shCollapse(v), a.start, a.end, "is printed as a number")
				}
				out = shAdd(out, v)
			}
			if len(rest) == 0 || len(rest) == used {
				break
			}
		}
	}
	if target != "" {
		r.assign(target, r.unbare(out), start, end, false)
		return nil
	}
	return out
}

func (r *shRun) read(name string, args []shArg, stdin shVal) {
	v := shCollapse(stdin)
	keep := name != "read"
	var names []string
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if strings.HasPrefix(t, "-") && len(t) > 1 {
			valued := "dnNptui"
			if name != "read" {
				valued = "dnOsuCc"
				keep = keep && !strings.Contains(t, "t")
			}
			switch last := t[len(t)-1]; {
			case last == 'a' && name == "read":
				if i+1 < len(args) {
					i++
					names = append(names, args[i].text())
				}
			case strings.IndexByte(valued, last) >= 0:
				i++
				keep = keep || last == 'd' && i < len(args) && args[i].text() != " "
			}
			continue
		}
		if p := shWith(args[i].v, ShellUntrusted); p != nil {
			r.arithmetic(p, args[i].start, args[i].end)
		}
		if t != "" {
			names = append(names, t)
		}
	}
	if len(names) == 0 {
		names = []string{"REPLY"}
		if name != "read" {
			names[0] = "MAPFILE"
		}
	}
	if len(v) == 0 {
		v = shVal{{opaque: true, start: args[0].start, end: args[len(args)-1].end}}
	}
	if !keep {
		v = r.unlined(v)
	}
	for _, n := range names {
		r.assign(n, r.unbare(v), args[0].start, args[len(args)-1].end, false)
	}
}

// code reports that an untrusted text is run. One that is pasted where it stands is
// reported as a template instead.
func (r *shRun) code(sink string, p *shPiece, start, end int, ctx ShellContext, detail string) {
	if r.isExpr(p) {
		return
	}
	if p.l&(shellForeign|shellArtifact) == shellForeign {
		r.fact(ShellFact{Kind: FactExecute, Span: shSpan(start, end), Sink: "workspace", Command: sink, Labels: p.l | ShellWorkspace | ShellUntrusted, Detail: "runs a file of a stranger's code",
			Trace: shTrace(r.trail(p.t, start, end, "is run by "+sink))})
		return
	}
	r.fact(ShellFact{
		Kind: FactCode, Span: shSpan(start, end), Sink: sink, Name: p.name, Labels: p.l, Context: ctx, Detail: detail,
		Trace: shTrace(r.trail(p.t, start, end, "is run by "+sink)),
	})
}

// evaluate reports what is wrong with a text that is run as a shell's code.
func (r *shRun) evaluate(sink string, v shVal, file *shArg, start, end int) {
	if p := shWith(v, ShellUntrusted); p != nil {
		r.code(sink, p, start, end, ContextCode, "the value is run as code")
	}
	if p := shWith(v, ShellDownload); p != nil && p.l&ShellUntrusted == 0 {
		r.downloadRun(sink, p, start, end)
	}
	if p := shWith(v, ShellSecret); p != nil && file == nil {
		r.secret(p, SecretCommandLine, sink, "", start, end, "a command line is seen by every process of the machine")
	}
}

func (r *shRun) downloadRun(sink string, p *shPiece, start, end int) {
	f := ShellFact{
		Kind: FactDownloadRun, Span: shSpan(start, end), Sink: sink, Name: p.name, Labels: p.l, Verified: r.st.verified,
		Detail: "what the server sends is run", Trace: shTrace(r.trail(p.t, start, end, "is run by "+sink)),
	}
	if p.l&shellPlain != 0 {
		f.Labels &^= shellPlain
		f.Notes = append(f.Notes, "the address is not encrypted, so anybody on the way can change it")
	}
	r.fact(f)
}

// inner analyses a script in single quotes, which stands in this one byte for byte.
func (r *shRun) inner(w *syntax.Word, args ...shVal) bool {
	if w == nil || len(w.Parts) != 1 {
		return false
	}
	q, ok := w.Parts[0].(*syntax.SglQuoted)
	if !ok || q.Dollar || q.Value == "" {
		return false
	}
	return r.innerAt(r.at(q.Left)+1, r.at(q.Right), args)
}

func (r *shRun) innerAt(start, end int, args []shVal) bool {
	if r.nested >= shMaxNested || start < 0 || end > len(r.src) || end <= start || end-start > 64<<10 {
		return false
	}
	file, err := r.parse(r.src[start:end])
	if err != nil {
		return false
	}
	r.steps += (end - start) / 16
	r.nested++
	base, positional := r.base, r.st.positional
	r.base, r.st.positional = start, args
	r.subshell(func() shVal { return r.stmts(file.Stmts, nil) })
	r.base, r.st.positional = base, positional
	r.nested--
	return true
}

// shell is a call of a shell: with a command, a file or its standard input.
func (r *shRun) shell(name string, args []shArg, stdin shVal) shVal {
	start, end := args[0].start, args[len(args)-1].end
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if t == "" && shLabels(args[i].v) == 0 && len(args[i].v) > 0 && args[i].v[0].opaque && args[i].v[0].bare {
			return nil // options in a variable: anything may follow
		}
		if (strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+")) && len(t) > 1 {
			if strings.Contains(t, "x") && !strings.HasPrefix(t, "--") && t[0] == '-' {
				trace := r.st.trace
				r.st.trace = args[i].start
				defer func() { r.st.trace = trace }()
			}
			switch {
			case !strings.HasPrefix(t, "--") && strings.Contains(t, "c") && t[0] == '-':
				if i+1 < len(args) {
					a := args[i+1]
					r.evaluate(name+" -c", a.v, nil, a.start, a.end)
					var pos []shVal
					for _, b := range args[min(i+3, len(args)):] {
						pos = append(pos, b.v)
					}
					r.inner(a.w, pos...)
				}
				return nil
			case t == "-o" || t == "-O" || t == "+o" || t == "+O" || t == "--rcfile" || t == "--init-file" || strings.HasSuffix(t, "o") && t[0] == '-' && !strings.HasPrefix(t, "--"):
				i++
			case t == "-n":
				return nil // reads without running
			case t == "-s":
				r.shellStdin(name, stdin, start, end)
				return nil
			}
			continue
		}
		if t == "-" || t == "/dev/stdin" {
			break
		}
		r.runWith(args[i+1:], func() { r.runFile(args[i], name, start, end) })
		return r.printed(args[i], args[i+1:])
	}
	r.shellStdin(name, stdin, start, end)
	return nil
}

// shellStdin is a script that a shell or interpreter reads from its input.
func (r *shRun) shellStdin(name string, stdin shVal, start, end int) {
	if len(stdin) == 0 {
		return
	}
	if p := stdin[0]; shIsShell(name) && len(stdin) == 1 && !p.opaque && p.text != "" && strings.HasPrefix(r.src[p.start:], p.text) {
		r.innerAt(p.start, p.start+len(p.text), nil) // a quoted here-document
		return
	}
	r.evaluate(name, stdin, &shArg{}, start, end)
	if !shIsShell(name) && shLabels(stdin)&ShellDownload == 0 {
		r.fact(ShellFact{Kind: FactInterpreter, Span: shSpan(stdin[0].start, stdin[len(stdin)-1].end), Sink: name, Detail: "the program is not analysed"})
	}
}

// interpreter is python, node and others: code in an option was looked at before.
func (r *shRun) interpreter(name string, args []shArg, stdin shVal) (shVal, bool) {
	start, end := args[0].start, args[len(args)-1].end
	if name == "php" && r.has(args, "-l") || name == "node" && r.has(args, "--check") {
		return nil, true // reads without running
	}
	opts := shellCodeOptions[name]
	if name == "perl" {
		opts = ""
	}
	r.loads(name, args, stdin)
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case t == "" && len(args[i].v) > 0 && args[i].v[0].opaque && args[i].v[0].text == "":
			if p := shWith(args[i].v, ShellUntrusted); p != nil {
				r.code("script path", p, args[i].start, args[i].end, ContextBare, "the value names the file that is run")
			}
			return nil, true
		case t == "-":
			r.shellStdin(name, stdin, start, end)
			return nil, true
		case strings.HasPrefix(t, "-m") && len(t) > 2 && strings.HasPrefix(name, "py"):
			rest := append([]shArg{{shLit(t[2:], args[i].start, args[i].end), nil, args[0].start, args[i].end}}, args[i+1:]...)
			r.runners(t[2:], rest)
			r.installs(t[2:], rest)
			return nil, true
		case t == "-m" && strings.HasPrefix(name, "py") && i+1 < len(args):
			mod := args[i+1].text()
			rest := append([]shArg{{shLit(mod, args[i+1].start, args[i+1].end), nil, args[0].start, args[i+1].end}}, args[i+2:]...)
			if mod == "build" {
				r.execute(name+" -m build", "", runsSetup, start, end)
				return nil, true
			}
			if mod == "unittest" {
				r.execute(name+" -m unittest", "", runsTests, start, end)
				return nil, true
			}
			r.runners(mod, rest)
			r.installs(mod, rest)
			return nil, true
		case strings.HasPrefix(t, "-"):
			if shIn(opts, t) || strings.HasPrefix(name, "py") && strings.HasSuffix(t, "c") && !strings.HasPrefix(t, "--") || name == "perl" && strings.HasSuffix(strings.ToLower(t), "e") && !strings.HasPrefix(t, "--") {
				if i+1 < len(args) {
					r.fact(ShellFact{Kind: FactInterpreter, Span: shSpan(args[i+1].start, args[i+1].end), Sink: name, Detail: "the program is not analysed"})
				}
				return r.filter(name, args, stdin), true
			}
			if t == "-W" || t == "-X" || t == "-r" || t == "--require" || t == "--import" || t == "-I" {
				i++
			}
			continue
		}
		if name == "php" && strings.HasSuffix(t, "composer.phar") {
			return nil, true
		}
		r.runFile(args[i], name, start, end)
		return nil, true
	}
	if len(args) == 1 {
		r.shellStdin(name, stdin, start, end)
	}
	return nil, true
}

// codeOptions reports untrusted text in an option or operand that is a program.
func (r *shRun) codeOptions(name string, args []shArg) {
	opts := shellCodeOptions[name]
	report := func(sink string, a shArg, detail string) {
		if p := shWith(a.v, ShellUntrusted); p != nil {
			r.code(sink, p, a.start, a.end, ContextCode, detail)
		}
	}
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case opts != "" && shIn(opts, t) && i+1 < len(args):
			report(name+" "+t, args[i+1], "the value is part of the program")
		case name == "perl" && strings.HasPrefix(t, "-") && strings.HasSuffix(strings.ToLower(t), "e") && !strings.HasPrefix(t, "--") && i+1 < len(args):
			report("perl -e", args[i+1], "the value is part of the program")
		case name == "make" && strings.Contains(shSymbol(args[i].v), "="):
			report("make", args[i], "make expands $(shell ...) in a variable of its command line")
		case i > 1 && shIsShell(shellOf(args[i-1].text())) && !shIsShell(name) && strings.HasPrefix(t, "-") && strings.Contains(t, "c") && !strings.HasPrefix(t, "--") && i+1 < len(args):
			if p := shWith(args[i+1].v, ShellUntrusted); p != nil {
				r.code(args[i-1].text()+" -c", p, args[i+1].start, args[i+1].end, ContextCode, "the value is run as code")
			}
		}
	}
	switch name {
	case "ssh":
		host := false
		for i := 1; i < len(args); i++ {
			t := args[i].text()
			if !host && strings.HasPrefix(t, "-") {
				if len(t) == 2 && strings.Contains("bcDEeFIiJLlmOopQRSWw", t[1:]) {
					i++
				}
				continue
			}
			if host {
				report("ssh", args[i], "the other machine's shell runs the value")
			}
			host = true
		}
	case "awk", "gawk", "mawk":
		if a, ok := shOperand(args, "-F -v -f -i", "-f --file"); ok {
			report(name, a, "the value is part of the program, which can call system()")
		}
	case "sed", "gsed":
		given := false
		for i := 1; i+1 < len(args); i++ {
			if t := args[i].text(); t == "-e" || t == "--expression" || strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && strings.HasSuffix(t, "e") && len(t) < 5 {
				given = true
				report("sed", args[i+1], "the value is part of the program, where the flag e runs a command")
			}
		}
		if a, ok := shOperand(args, "-f -l", "-f --file"); ok && !given {
			report("sed", a, "the value is part of the program, where the flag e runs a command")
		}
	case "jq", "yq", "gojq":
		rest := args
		if name == "yq" && len(args) > 1 && (args[1].text() == "e" || args[1].text() == "eval" || args[1].text() == "ea" || args[1].text() == "eval-all") {
			rest = args[1:]
		}
		if a, ok := shOperand(rest, shJQValued, "-f --from-file"); ok {
			report(name, a, "the value is part of the filter, which can read the environment")
		}
	}
}

// shJQValued are the options of jq with a value, as shOperand reads them.
const shJQValued = "--arg/2 --argjson/2 --slurpfile/2 --rawfile/2 --indent -L -o -p --output-format --input-format"

// shOperand is the first word that is no option; valued are options with a value
// (/2 for two), and unless are options with which there is none.
func shOperand(args []shArg, valued, unless string) (shArg, bool) {
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if strings.HasPrefix(t, "-") && len(t) > 1 {
			switch {
			case shIn(unless, t):
				return shArg{}, false
			case t == "--":
			case shIn(valued, t+"/2"):
				i += 2
			case shIn(valued, t):
				i++
			}
			continue
		}
		return args[i], true
	}
	return shArg{}, false
}

// options reports untrusted text that can become an option: unquoted anywhere, or
// quoted at the front of an operand before "--".
func (r *shRun) options(name string, args []shArg) {
	what, ok := shellOptions[name]
	if _, subs := shellSubOptions[name]; !ok && !subs {
		return
	}
	ended := false
	operands := 0
	for i := 1; i < len(args); i++ {
		a := args[i]
		t := a.text()
		if t == "--" {
			ended = true
		}
		if !strings.HasPrefix(t, "-") {
			operands++
		}
		// What follows a script, a package or an image is read by that.
		if (shellInterpreters[name] || name == "ssh") && operands > 1 || (name == "npx" || name == "docker" || name == "npm" || name == "yarn" || name == "pnpm") && operands > 2 {
			return
		}
		p := r.splits(a.v)
		if p == nil && len(a.v) > 0 && a.v[0].l&ShellUntrusted != 0 && !r.isExpr(&a.v[0]) {
			p = &a.v[0]
		}
		if p == nil {
			continue
		}
		prev := args[i-1].text()
		if i > 1 && shIn("--arg --argjson --slurpfile --rawfile", args[i-2].text()) {
			prev = args[i-2].text() // an option of jq that takes a name and a value
		}
		option := strings.HasPrefix(prev, "-") && len(prev) > 1 && !strings.Contains(prev, "=")
		f := ShellFact{Kind: FactArgument, Span: shSpan(a.start, a.end), Sink: name, Command: name, Name: p.name, Labels: p.l}
		if !ok {
			f.Command, what = shSubOption(name, args, i, r.splits(a.v) != nil)
			if what == gitUpload && !p.bare && slices.ContainsFunc(args[1:i], func(a shArg) bool {
				t := a.text()
				return t == "origin" || t == "upstream" || strings.HasPrefix(t, "https://")
			}) {
				what = "" // git ignores the option where the remote that is named is one of https
			}
			if f.Mild = what == ""; f.Mild {
				what = "none is known that runs, writes or sends anything"
			}
		}
		switch {
		case r.splits(a.v) != nil:
			f.Context = ContextBare
			f.Detail = "without quotes the value is split into words: " + what
			if ended {
				f.Maybe = true
			}
		case !ended && !option && name != "sed" && name != "awk" && name != "jq" && name != "yq":
			// The operand of the last four is a program, which is reported as such.
			f.Context = ContextDouble
			if p.bare {
				f.Context = ContextBare
			}
			f.Detail = "a value that begins with a dash is an option: " + what
			f.Maybe = true
		default:
			continue
		}
		f.Trace = shTrace(r.trail(p.t, a.start, a.end, "is an argument of "+name))
		r.fact(f)
	}
}

// splits is the untrusted part of a word that the shell splits into words, of which any
// may be an option.
func (r *shRun) splits(v shVal) *shPiece {
	for i := range v {
		p := &v[i]
		if p.bare && p.l&ShellUntrusted != 0 && p.l&ShellBlank != 0 && !r.isExpr(p) {
			return p
		}
	}
	return nil
}

// shSubOption is a command with its sub-command, and what an option can do to it that
// stands at a word of it; nothing if none is known that does harm. Several says that the
// word is split into several.
func shSubOption(name string, args []shArg, at int, several bool) (command, what string) {
	var words []string
	for i := 1; i < len(args) && len(words) < 2; i++ {
		t := args[i].text()
		switch {
		case i == at && len(words) == 0:
			words = append(words, "-") // the word may be the sub-command itself
		case name == "git" && len(words) == 0 && shIn("-C -c --git-dir --work-tree --namespace", t):
			i++
		case (name == "gh" || name == "glab") && shIn("-R --repo", t):
			i++
		case t == "" || t[0] == '-':
			if len(words) > 0 && t == "" {
				i = len(args) // an operand that is not known
			}
		default:
			words = append(words, t)
		}
	}
	if len(words) == 0 {
		return name, ""
	}
	command = name + " " + words[0]
	if name != "git" && words[0] != "api" && len(words) > 1 {
		command += " " + shPrint(words[1])
	}
	for _, row := range shellSubOptions[name] {
		if first, second, two := strings.Cut(row.sub, " "); name != "git" && two {
			if len(words) < 2 || words[0] != first || words[1] != second {
				continue
			}
		} else if !shIn(row.sub, words[0]) {
			continue
		}
		if row.words && !several || row.given != "" && slices.ContainsFunc(args, func(a shArg) bool {
			opt, _, _ := strings.Cut(shSymbol(a.v), "=")
			return shIn(row.given, opt)
		}) {
			return command, ""
		}
		return command, row.what
	}
	return command, ""
}

// xargs makes arguments of its input.
func (r *shRun) xargs(args []shArg, stdin shVal, depth int) shVal {
	items := r.unlined(shCollapse(stdin))
	repl := ""
	i := 1
	for ; i < len(args); i++ {
		t := args[i].text()
		if !strings.HasPrefix(t, "-") {
			break
		}
		switch {
		case t == "-I" || t == "--replace":
			i++
			if i < len(args) {
				repl = args[i].text()
			}
		case strings.HasPrefix(t, "-I"):
			repl = t[2:]
		case t == "-i":
			repl = "{}"
		case t == "-n" || t == "-P" || t == "-L" || t == "-d" || t == "-a" || t == "-s" || t == "-E" || t == "-j" || t == "--max-args" || t == "--max-procs" || t == "--delimiter":
			i++
		}
	}
	if args[0].text() == "parallel" && repl == "" {
		repl = "{}"
	}
	inner := r.withItems(args[min(i, len(args)):], repl, items)
	if repl == "" && len(items) > 0 && len(inner) > 0 {
		items = r.bared(items)
		inner = append(inner, shArg{items, nil, args[0].start, args[len(args)-1].end})
	}
	if len(inner) == 0 {
		return items // xargs alone is echo
	}
	return r.exec(inner, nil, depth+1)
}

// withItems puts items where a word has the placeholder.
func (r *shRun) withItems(args []shArg, repl string, items shVal) []shArg {
	out := make([]shArg, len(args), len(args)+1)
	copy(out, args)
	if repl == "" || len(items) == 0 {
		return out
	}
	for i, a := range out {
		t := a.text()
		before, after, ok := strings.Cut(t, repl)
		if !ok {
			continue
		}
		var v shVal
		if before != "" {
			v = shLit(before, a.start, a.end)
		}
		v = shCat(v, r.unbare(items))
		if after != "" {
			v = shCat(v, shLit(after, a.start, a.end))
		}
		out[i] = shArg{v, nil, a.start, a.end}
	}
	return out
}

// names are the file names of the workspace, which an untrusted checkout chooses.
func (r *shRun) names(start, end int) shVal {
	s := r.st.ws
	if s.Labels&ShellUntrusted == 0 || r.outside(r.st.cwd) {
		return shVal{{opaque: true, start: start, end: end}}
	}
	return shVal{{opaque: true, start: start, end: end, name: "file names", l: ShellUntrusted | ShellBlank | ShellWorkspace | s.Labels&^shellNamed,
		t: r.trail(r.st.wst, start, end, "file names of the workspace are listed")}}
}

func (r *shRun) find(args []shArg, depth int) shVal {
	start, end := args[0].start, args[len(args)-1].end
	items := r.names(start, end)
	if a, ok := shOperand(args, "", ""); ok && r.outside(r.fileKey(a.v)) {
		items = shVal{{opaque: true, start: start, end: end}}
	}
	for i := 1; i < len(args); i++ {
		switch args[i].text() {
		case "-exec", "-execdir", "-ok":
			j := i + 1
			for j < len(args) && args[j].text() != ";" && args[j].text() != "+" {
				j++
			}
			r.exec(r.withItems(args[i+1:j], "{}", items), nil, depth+1)
			i = j
		}
	}
	return items
}

// execute reports that code of the workspace is run.
func (r *shRun) execute(command, file, what string, start, end int) {
	f := ShellFact{Kind: FactExecute, Span: shSpan(start, end), Command: command, Name: file, Detail: what, Sink: "workspace"}
	if file != "" {
		f.Args = shGiven(r.argv)
	}
	dir := r.st.cwd
	if file != "" {
		dir = file
	}
	if s := r.dirSource(dir); s.Labels&(ShellUntrusted|ShellWorkspace) != 0 {
		f.Labels = s.Labels | ShellWorkspace | ShellUntrusted
		t := r.st.wst
		if t == nil {
			t = r.trail(nil, start, start, shellName(s, "an untrusted folder"))
		}
		f.Trace = shTrace(r.trail(t, start, end, command+" "+what))
	} else {
		f.Trace = shTrace(r.trail(nil, start, end, command+" "+what))
	}
	r.fact(f)
}

// outside reports whether a folder is none of the workspace.
func (r *shRun) outside(dir string) bool {
	if dir == "" || dir[0] != '/' && dir[0] != '$' && dir[0] != '~' && dir[0] != 0 && !strings.HasPrefix(dir, "../") {
		return r.cloned(dir)
	}
	return true
}

// cloned reports whether a path lies in another repository that the script fetched.
func (r *shRun) cloned(p string) bool {
	for range 20 {
		if p == "" || p == "." || p == "/" {
			return false
		}
		if _, ok := r.st.files.m["clone:"+p]; ok {
			return true
		}
		p = path.Dir(p)
	}
	return false
}

// dirSource is what is known of a path.
func (r *shRun) dirSource(p string) ShellSource {
	for q, n := p, 0; q != "" && q != "." && q != "/" && n < 20; q, n = path.Dir(q), n+1 {
		if v, ok := r.st.files.m["tree:"+q]; ok {
			return ShellSource{Labels: shLabels(v), Text: "a folder of a stranger's code"}
		}
		if s, ok := dirAt(r.in.Dirs, q); ok {
			return s
		}
	}
	if r.outside(p) {
		return ShellSource{}
	}
	return r.st.ws
}

// shWorkspace begins a path of which it is known where in the workspace it lies.
const shWorkspace = "$GITHUB_WORKSPACE/"

// resolve is a path as the script means it: relative to the workspace, or beginning
// with / or a symbol outside it.
func (r *shRun) resolve(sym string) string {
	for _, v := range []string{"$GITHUB_WORKSPACE", "$CI_PROJECT_DIR", "$BUILD_SOURCESDIRECTORY", "$WORKSPACE"} {
		if rest, ok := strings.CutPrefix(sym, v); ok && (rest == "" || rest[0] == '/') {
			return shClean(strings.TrimLeft(rest, "/"))
		}
	}
	if rest, ok := strings.CutPrefix(sym, "$PWD"); ok && (rest == "" || rest[0] == '/') {
		sym = "./" + strings.TrimLeft(rest, "/")
	}
	if sym == "" || sym[0] == '/' || sym[0] == '$' || sym[0] == '~' || sym[0] == 0 {
		return sym
	}
	if r.st.cwd == "" {
		return shClean(sym)
	}
	return shClean(r.st.cwd + "/" + sym)
}

func shClean(p string) string {
	if p == "" {
		return ""
	}
	p = path.Clean(p)
	if p == "." {
		return ""
	}
	return p
}

func (r *shRun) fileKey(v shVal) string {
	sym := shSymbol(v)
	if strings.IndexByte(sym, 0) >= 0 && shChosen(v) {
		sym = strings.ReplaceAll(sym, "\x00", "?") // a name that the definition chooses
	}
	if len(sym) > 300 {
		sym = sym[:300]
	}
	return r.resolve(sym)
}

func (r *shRun) cd(args []shArg) {
	for _, a := range args[1:] {
		if t := a.text(); strings.HasPrefix(t, "-") && len(t) > 1 || t == "--" {
			continue
		}
		if a.text() == "-" {
			r.st.cwd = ""
			return
		}
		r.st.cwd = r.fileKey(a.v)
		if len(r.st.cwd) > 300 {
			r.st.cwd = "$"
		}
		return
	}
	r.st.cwd = "~"
}

// shChosen reports whether all that is not known of a text are members of the matrix or
// inputs of the job, which are seldom names of folders outside of the workspace.
func shChosen(v shVal) bool {
	for _, p := range v {
		if p.opaque && p.text == "" && (p.l != 0 || !strings.HasPrefix(p.name, "matrix.") && !strings.HasPrefix(p.name, "inputs.")) {
			return false
		}
	}
	return true
}

// readFile is the content of a file.
func (r *shRun) readFile(v shVal, start, end int) shVal {
	sym := shSymbol(v)
	key := r.fileKey(v)
	if sym == "$GITHUB_EVENT_PATH" {
		s := r.in.Event
		p := shPiece{opaque: true, start: start, end: end, name: "event file", l: s.Labels}
		if r.in.EventHead.Labels != 0 {
			p.l |= shellPull
		}
		if s.Labels != 0 {
			p.t = r.trail(nil, start, end, shellName(s, "the event")+" is read from the event file")
			if s.Labels&ShellUntrusted != 0 {
				p.l |= ShellNewline | ShellBlank
			}
		}
		return shVal{p}
	}
	if c, ok := r.st.files.m[key]; ok {
		return r.moved(c, start, end, "is read from "+shPrint(sym))
	}
	if s := r.dirSource(key); key != "" && s.Labels&(ShellUntrusted|ShellWorkspace) != 0 && !strings.HasPrefix(key, "/dev/") {
		t := r.st.wst
		if t == nil {
			t = r.trail(nil, start, start, shellName(s, "an untrusted folder"))
		}
		return shVal{{opaque: true, start: start, end: end, name: shPrint(sym), l: ShellUntrusted | ShellNewline | ShellBlank | ShellWorkspace | s.Labels&^shellNamed,
			t: r.trail(t, start, end, shPrint(sym)+" is read")}}
	}
	return shVal{{opaque: true, start: start, end: end}}
}

// shPrint is a symbol for people.
func shPrint(sym string) string {
	sym = strings.ReplaceAll(sym, "\x00", "…")
	if len(sym) > 80 {
		sym = sym[:80] + "…"
	}
	return strings.ToValidUTF8(sym, "?")
}

// runWith does what runs a file with arguments.
func (r *shRun) runWith(args []shArg, do func()) {
	r.argv = args
	do()
	r.argv = nil
}

// shMaxArgs bounds the arguments of which something is said.
const shMaxArgs = 20

// shGiven is what is known of arguments, nil if no stranger has a say in one.
func shGiven(args []shArg) []ShellSource {
	if len(args) > shMaxArgs {
		args = args[:shMaxArgs]
	}
	var out []ShellSource
	for i, a := range args {
		l := shLabels(a.v)
		if l&ShellUntrusted == 0 {
			continue
		}
		if out == nil {
			out = make([]ShellSource, len(args))
		}
		out[i] = ShellSource{Labels: l, Text: shWith(a.v, ShellUntrusted).name}
	}
	return out
}

// runFile is a file that is run as a script.
func (r *shRun) runFile(a shArg, via string, start, end int) {
	sym := shSymbol(a.v)
	key := r.fileKey(a.v)
	if c, ok := r.st.files.m[key]; ok {
		if p := shWith(c, ShellUntrusted); p != nil {
			r.code("script file", p, start, end, ContextCode, "the value was written to the file that is run")
			return
		}
		if p := shWith(c, ShellDownload); p != nil {
			r.downloadRun(via, p, start, end)
			return
		}
		if len(c) > 0 || strings.HasPrefix(key, "/dev/fd/") {
			return // written by the script itself
		}
	}
	if p := shWith(a.v, ShellUntrusted); p != nil {
		r.code("script path", p, start, end, ContextBare, "the value names the file that is run")
		return
	}
	if !shChosen(a.v) && (sym == "" || sym[0] == 0 || len(a.v) > 0 && a.v[0].opaque && a.v[0].text == "") {
		return // not known
	}
	if strings.HasPrefix(sym, "$GITHUB_ENV") || sym == "/dev/stdin" || r.outside(key) && r.in.Dirs[path.Dir(key)].Labels == 0 {
		return
	}
	if strings.Contains(key, "venv/bin/") || strings.Contains(key, "env/bin/activate") || strings.HasPrefix(key, "venv/Scripts") {
		return // made by the run, not checked out
	}
	what := "runs a script of the workspace"
	if b := path.Base(key); b == "gradlew" || b == "mvnw" {
		what = runsGradle
	}
	r.execute(via, shPrint(key), what, start, end)
}

// runners looks a command up in the table of those that run the workspace's code.
func (r *shRun) runners(name string, args []shArg) {
	start, end := args[0].start, args[len(args)-1].end
	sub, at := "-", 0
	dir := ""
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
			if t == "-C" || t == "--prefix" || t == "--cwd" || t == "--dir" || t == "--directory" || t == "--manifest-path" || t == "-w" || t == "--workspace" || t == "--filter" || t == "-F" {
				i++
				if i < len(args) && t != "-w" && t != "--workspace" && t != "--filter" && t != "-F" {
					dir = shSymbol(args[i].v)
				}
			}
			continue
		}
		if t == "" && len(args[i].v) > 0 {
			t = "?"
		}
		sub, at = t, i
		break
	}
	if sub == "version" && name != "npm" && name != "lerna" && name != "yarn" || sub == "-" && len(args) == 2 && shIn("--version -v -V --help -h -version", args[1].text()) {
		return
	}
	in := r.st.cwd
	if dir != "" {
		in = r.resolve(dir)
	}
	if r.outside(in) {
		if r.dirSource(in).Labels&(ShellUntrusted|ShellWorkspace) == 0 {
			return
		}
		cwd := r.st.cwd
		r.st.cwd = in
		defer func() { r.st.cwd = cwd }()
	}
	if name == "pip" || name == "pip3" {
		r.pip(name, sub, args, start, end)
		return
	}
	for i := range shellRunners {
		row := &shellRunners[i]
		if row.cmd != name {
			continue
		}
		star := row.sub == "*" || strings.HasSuffix(row.sub, " *")
		if row.sub != "" && !shIn(row.sub, sub) && !(star && sub != "-" && !shIn(shellQuiet, sub)) {
			continue
		}
		off, on := false, row.on == ""
		for _, a := range args[1:] {
			t := a.text()
			off = off || shIn(row.off, t)
			on = on || shIn(row.on, t) || row.on != "" && t != "" && strings.HasPrefix(t, strings.Fields(row.on)[0]+"=")
		}
		if off || !on {
			return
		}
		command := name
		if at > 0 && row.sub != "" && sub != "?" {
			command += " " + shPrint(sub)
		}
		// Installing tools by name for all users has nothing to do with the workspace.
		if row.what == runsHooks && r.global(args) || (name == "docker" && !r.dockerBuild(sub, args, at)) || (name == "cargo" && sub == "install" && !r.has(args, "--path")) ||
			name == "uv" && sub == "pip" && !r.has(args, ".", "-e", "--editable") || name == "go" && sub == "run" && r.remoteGo(args) {
			return
		}
		r.execute(command, "", row.what, start, end)
		return
	}
}

// shellQuiet are sub-commands that run nothing, where a tool takes any word for a
// script's name.
const shellQuiet = "config cache set get list ls view info why outdated audit login logout whoami help dlx global create init version store bin root env link unlink workspaces policies plugin prune dedupe import fetch remove rm uninstall licenses npm node search owner team tag setup self-update"

func (r *shRun) global(args []shArg) bool {
	return r.has(args, "-g", "--global", "--location=global")
}

func (r *shRun) has(args []shArg, words ...string) bool {
	for _, a := range args[1:] {
		t := a.text()
		for _, w := range words {
			if t == w {
				return true
			}
		}
	}
	return false
}

func (r *shRun) remoteGo(args []shArg) bool {
	for _, a := range args[2:] {
		if s := shSymbol(a.v); !strings.HasPrefix(s, "-") {
			return strings.Contains(s, "@") || strings.Contains(strings.Split(s, "/")[0], ".") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".go")
		}
	}
	return false
}

func (r *shRun) dockerBuild(sub string, args []shArg, at int) bool {
	if sub == "build" || sub == "bake" {
		return true
	}
	for _, a := range args[at+1:] {
		t := a.text()
		if sub == "buildx" && (t == "build" || t == "bake" || t == "b") || sub == "compose" && (t == "build" || t == "up" || t == "run") {
			return true
		}
	}
	return false
}

// pip installs the workspace where an operand is a path.
func (r *shRun) pip(name, sub string, args []shArg, start, end int) {
	if sub != "install" && sub != "wheel" && sub != "download" {
		return
	}
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case t == "-e" || t == "--editable":
			if i+1 < len(args) && strings.Contains(args[i+1].text(), "://") {
				continue
			}
			if i+1 < len(args) {
				r.executeAt(args[i+1], name+" "+sub, runsSetup, start, end)
			}
			return
		case t == "-r" || t == "--requirement" || strings.HasPrefix(t, "-r") && len(t) > 2 && t[2] != 'e':
			r.execute(name+" "+sub, "", "installs what a file of the workspace names, and runs its build", start, end)
			return
		case t == "." || strings.HasPrefix(t, "./") || strings.HasPrefix(t, ".["):
			r.executeAt(args[i], name+" "+sub, runsSetup, start, end)
			return
		}
	}
}

// executeAt is execute for the code of the folder that an operand names.
func (r *shRun) executeAt(a shArg, command, what string, start, end int) {
	cwd := r.st.cwd
	sym, _, _ := strings.Cut(shSymbol(a.v), "[") // the extras of a package
	if r.st.cwd = r.resolve(sym); !r.outside(r.st.cwd) || r.dirSource(r.st.cwd).Labels&(ShellUntrusted|ShellWorkspace) != 0 {
		r.execute(command, "", what, start, end)
	}
	r.st.cwd = cwd
}

// installs reports tools that are installed in any version.
func (r *shRun) installs(name string, args []shArg) {
	if name == "pip3" {
		name = "pip"
	}
	for i := range shellInstalls {
		row := &shellInstalls[i]
		if row.cmd != name {
			continue
		}
		at := 0
		if row.sub != "" {
			at = -1
			for j := 1; j < len(args); j++ {
				t := args[j].text()
				if strings.HasPrefix(t, "-") {
					continue
				}
				if shIn(row.sub, t) {
					at = j
				}
				break
			}
			if at < 0 {
				continue
			}
		}
		needed := row.needs == ""
		pinned := false
		for _, a := range args[1:] {
			t := a.text()
			opt, _, _ := strings.Cut(t, "=")
			needed = needed || shIn(row.needs, t)
			pinned = pinned || strings.HasPrefix(t, "-") && (shIn(row.pinOption, opt) || row.cmd == "pip" && strings.HasPrefix(t, "-r") && !strings.HasPrefix(t, "--"))
		}
		if !needed || pinned && row.cmd != "pip" {
			continue
		}
		rest := args[at+1:]
		nested := map[string]string{"uv tool": "install run", "dotnet tool": "install update", "yarn global": "add", "composer global": "require", "helm plugin": "install", "gh extension": "install"}
		if want := nested[row.cmd+" "+args[at].text()]; at > 0 && want != "" {
			if len(rest) == 0 || !shIn(want, rest[0].text()) {
				return
			}
			rest = rest[1:]
		}
		for j := 0; j < len(rest); j++ {
			a := rest[j]
			t := a.text()
			if t == "--" {
				continue
			}
			if strings.HasPrefix(t, "-") {
				if shIn("-i --index-url --extra-index-url -t --target -f --find-links -n --name -c --channel --prefix --root --registry --cache-dir --python --source --add-source --tool-path --repo --features --target --git --branch --index --timeout --retries --log -r --requirement --constraint -e --editable --platform --trusted-host --only-binary --no-binary --implementation --progress-bar --shell --jobs -j --url", t) && row.cmd != "npm" && row.cmd != "npx" && row.cmd != "brew" {
					j++
				}
				if t == "-e" || t == "--editable" {
					continue
				}
				if row.cmd == "pip" && (t == "--require-hashes" || t == "--no-index") {
					return
				}
				continue
			}
			if t == "" { // a variable or an expression
				sym := shSymbol(a.v)
				if row.pin != "" && strings.ContainsAny(sym, "@=:") || strings.HasPrefix(sym, "$") || strings.HasPrefix(sym, "\x00") {
					if row.cmd == "npx" || row.cmd == "uvx" {
						return
					}
					continue
				}
				t = strings.TrimRight(sym, "\x00")
				if t == "" || t != sym {
					continue
				}
			}
			if shLocalOperand(t, row) {
				if row.cmd == "npx" || row.cmd == "uvx" {
					return
				}
				continue
			}
			if shPinned(t, row) {
				if row.cmd == "npx" || row.cmd == "uvx" || row.cmd == "pipx" || row.cmd == "pnpm" && args[at].text() == "dlx" {
					return
				}
				continue
			}
			command := row.cmd
			if at > 0 {
				command += " " + args[at].text()
			}
			// A tool that a lock file of the workspace provides is not fetched: npx
			// takes it from node_modules.
			f := ShellFact{Kind: FactUnpinned, Span: shSpan(a.start, a.end), Command: command, Name: shPrint(t), Sink: row.cmd,
				Detail: "installs whatever version is newest"}
			if row.cmd == "npx" || row.cmd == "npm" && (args[at].text() == "exec" || args[at].text() == "x") {
				f.Maybe = true
				f.Notes = []string{"a package that the workspace has installed is taken first"}
			}
			f.Trace = shTrace(r.trail(nil, a.start, a.end, f.Detail))
			r.fact(f)
			if row.cmd == "npx" || row.cmd == "uvx" || row.cmd == "pipx" || row.cmd == "pnpm" && args[at].text() == "dlx" || row.cmd == "yarn" && args[at].text() == "dlx" || row.cmd == "bunx" || row.cmd == "npm" && args[at].text() == "exec" {
				return // the rest are arguments of the tool
			}
		}
		return
	}
}

func shLocalOperand(t string, row *shellInstall) bool {
	if strings.HasPrefix(t, ".") || strings.HasPrefix(t, "/") || strings.HasPrefix(t, "~") || strings.HasPrefix(t, "file:") {
		return true
	}
	for _, end := range []string{".whl", ".tar.gz", ".tgz", ".zip", ".gem", ".rb", ".txt"} {
		if strings.HasSuffix(t, end) {
			return true
		}
	}
	switch row.cmd {
	case "go":
		return !strings.Contains(t, "@") // takes the version of go.mod
	case "pip":
		// pip itself, and tools that come with it.
		return t == "pip" || t == "setuptools" || t == "wheel" || strings.Contains(t, "/") && !strings.Contains(t, "://")
	case "brew":
		return strings.HasPrefix(t, "--")
	}
	return false
}

func shPinned(t string, row *shellInstall) bool {
	if row.cmd == "go" {
		_, v, _ := strings.Cut(t, "@")
		return v != "latest" && v != "master" && v != "main" && v != "upgrade" && v != "patch"
	}
	if row.cmd == "pip" && (strings.HasPrefix(t, "git+") || strings.Contains(t, "://")) {
		i := strings.LastIndexByte(t, '@')
		return i > strings.Index(t, "://") && i > strings.LastIndexByte(t, '/')
	}
	for _, pin := range strings.Fields(row.pin) {
		i := strings.LastIndex(t, pin)
		if i > 0 {
			v := t[i+len(pin):]
			return v != "" && v != "latest" && v != "next" && v != "canary" && v != "*" && v[0] != '^' && v[0] != '~' && v[0] != '>'
		}
	}
	return false
}
