package pipeline

import (
	"strings"
)

// winRun reads scripts of PowerShell and cmd: command by command, with the texts that go
// into them, but without the languages' expressions. What stands in a block may not run.
type winRun struct {
	r   *shRun
	cmd bool // of cmd, not of PowerShell
	// depth is how many substitutions and groups the place lies in; blocks how many braces.
	depth, blocks int
}

const winMaxDepth = 20

// winVars begins the names of variables of the script itself.
const winVars = "\x00ps:"

// winToken is a word, or what stands between words: one of ; | & ( ) { } > and >> for
// appending, and = behind a variable.
type winToken struct {
	op    string
	v     shVal
	start int
	end   int
	// quoted: the word begins with a quote, and so is a text and no command.
	quoted bool
	// own is the variable of the script that the whole word is, env one of the environment.
	own, env string
}

// windows runs the commands of a script.
func (r *shRun) windows(cmd bool) {
	r.begin()
	w := &winRun{r: r, cmd: cmd}
	w.list(0, len(r.src), nil)
	r.res.Untrusted = r.st.ws.Labels&ShellWorkspace != 0
}

// list runs the commands in [from, to) and returns what they write.
func (w *winRun) list(from, to int, stdin shVal) shVal {
	if w.depth > winMaxDepth {
		w.r.res.Truncated = true
		return nil
	}
	w.depth++
	defer func() { w.depth-- }()
	blocks := w.blocks
	defer func() { w.blocks = blocks }()
	var out, pipe shVal
	piped := false
	var words []winToken
	flush := func(toPipe bool) {
		if len(words) > 0 {
			in := stdin
			if piped {
				in = pipe
			}
			maybe := w.r.maybe
			w.r.maybe = maybe || w.blocks > 0
			v := w.command(words, in)
			w.r.maybe = maybe
			if toPipe {
				pipe = v
			} else {
				out = shCat(out, v)
			}
		}
		piped = toPipe && len(words) > 0
		words = nil
	}
	for i := from; i < to; {
		if !w.r.step() {
			return out
		}
		t, next := w.token(i, to)
		if next <= i {
			break
		}
		i = next
		switch t.op {
		case "":
			if t.end > t.start {
				words = append(words, t)
			}
		case "|":
			flush(true)
		case ";":
			flush(false)
		case "{":
			flush(false)
			w.blocks++
		case "}":
			flush(false)
			w.blocks = max(w.blocks-1, 0)
		default:
			words = append(words, t)
		}
	}
	flush(false)
	return out
}

// token reads the word or sign at i, after blanks and comments.
func (w *winRun) token(i, to int) (winToken, int) {
	src := w.r.src
	for i < to {
		switch c := src[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
			continue
		case (c == '`' && !w.cmd || c == '^' && w.cmd) && winLineEnd(src[i+1:to]):
			i += strings.IndexByte(src[i:to], '\n') + 1
			continue
		case !w.cmd && strings.HasPrefix(src[i:to], "<#"):
			n := strings.Index(src[i:to], "#>")
			if n < 0 {
				return winToken{}, to
			}
			i += n + 2
			continue
		case !w.cmd && c == '#', w.cmd && winRemark(src, i, to):
			if n := strings.IndexByte(src[i:to], '\n'); n >= 0 {
				i += n
				continue
			}
			return winToken{}, to
		}
		break
	}
	if i >= to {
		return winToken{}, to
	}
	at := func(op string, n int) (winToken, int) { return winToken{op: op, start: i, end: i + n}, i + n }
	switch c := src[i]; {
	case c == '\n' || c == ';' && !w.cmd:
		return at(";", 1)
	case strings.HasPrefix(src[i:to], "&&") || strings.HasPrefix(src[i:to], "||"):
		return at(";", 2)
	case c == '|':
		return at("|", 1)
	case c == '&' && w.cmd, w.cmd && (c == '(' || c == ')'):
		return at(";", 1)
	case c == '&':
		return at("&", 1)
	case !w.cmd && (c == '{' || c == '}'):
		return at(string(c), 1)
	case !w.cmd && (c == ')' || c == ',' || c == ']'):
		return at(",", 1)
	case strings.HasPrefix(src[i:to], ">>"):
		return at(">>", 2)
	case c == '>':
		if strings.HasPrefix(src[i:to], ">&1") || strings.HasPrefix(src[i:to], ">&2") {
			return at(",", 3)
		}
		return at(">", 1)
	case (c == '2' || c == '*') && (strings.HasPrefix(src[i+1:to], ">&1") || strings.HasPrefix(src[i+1:to], ">")):
		n := 2
		for i+n < to && strings.IndexByte(">&1", src[i+n]) >= 0 {
			n++
		}
		return at(",", n)
	}
	return w.word(i, to)
}

func winLineEnd(s string) bool {
	return strings.HasPrefix(s, "\n") || strings.HasPrefix(s, "\r\n")
}

// winRemark reports whether a line of cmd is a remark.
func winRemark(src string, i, to int) bool {
	for j := i - 1; j >= 0 && src[j] != '\n'; j-- {
		if src[j] != ' ' && src[j] != '\t' && src[j] != '@' {
			return false
		}
	}
	s := src[i:to]
	return strings.HasPrefix(s, "::") || len(s) > 3 && strings.EqualFold(s[:3], "rem") && (s[3] == ' ' || s[3] == '\t')
}

// word reads a word at i.
func (w *winRun) word(i, to int) (winToken, int) {
	src := w.r.src
	t := winToken{start: i}
	lit := i
	closeLit := func(end int) {
		if end > lit {
			t.v = shAdd(t.v, w.r.lit(lit, end, src[lit:end], ContextSingle))
		}
	}
	parts := 0
	for i < to {
		c := src[i]
		if strings.IndexByte(" \t\r\n;|>,", c) >= 0 || c == '&' || (c == '{' || c == '}' || c == ')') && !w.cmd || w.cmd && (c == '(' || c == ')') {
			if c != ';' && c != ',' || !w.cmd {
				break
			}
		}
		switch {
		case w.cmd && c == '"', w.cmd && c == '^':
			closeLit(i)
			t.quoted = t.quoted || i == t.start
			i++
			for c == '"' && i < to && src[i] != '"' && src[i] != '\n' {
				if src[i] == '%' {
					lit2 := i
					if v, next := w.percent(i, to); next > i {
						t.v = shAdd(t.v, v)
						i = next
						continue
					}
					i = lit2
				}
				j := i
				i++
				for i < to && src[i] != '"' && src[i] != '%' && src[i] != '\n' {
					i++
				}
				t.v = shAdd(t.v, w.r.lit(j, i, src[j:i], ContextSingle))
			}
			if c == '"' && i < to && src[i] == '"' {
				i++
			}
			lit = i
			continue
		case w.cmd && c == '%':
			if v, next := w.percent(i, to); next > i {
				closeLit(i)
				t.v = shAdd(t.v, v)
				i, lit = next, next
				continue
			}
		case w.cmd:
		case c == '\'' || c == '"' || c == '@' && i+1 < to && (src[i+1] == '"' || src[i+1] == '\''):
			closeLit(i)
			t.quoted = t.quoted || i == t.start
			var v shVal
			v, i = w.quoted(i, to)
			t.v = shAdd(t.v, v)
			lit = i
			parts++
			continue
		case c == '$' || c == '(':
			closeLit(i)
			v, next, own, env := w.dollar(i, to)
			if next <= i {
				next = i + 1
				v = w.r.lit(i, next, src[i:next], ContextSingle)
			}
			if i == t.start {
				t.own, t.env = own, env
			}
			t.quoted = t.quoted || i == t.start && own == "" && env == ""
			t.v = shAdd(t.v, v)
			i, lit = next, next
			parts++
			continue
		case c == '`' && i+1 < to:
			closeLit(i)
			lit = i + 1
			i += 2
			continue
		}
		i++
	}
	closeLit(min(i, to))
	if i == t.start {
		i++
	}
	t.end = min(i, to)
	if parts > 1 || len(t.v) > 1 {
		t.own, t.env = "", ""
	}
	return t, t.end
}

// percent is a variable of cmd, which is put in before the line is read.
func (w *winRun) percent(i, to int) (shVal, int) {
	n := strings.IndexByte(w.r.src[i+1:to], '%')
	if n <= 0 || n > 100 {
		return nil, i
	}
	name, _, _ := strings.Cut(w.r.src[i+1:i+1+n], ":")
	end := i + n + 2
	if !shIsName(name) {
		return nil, i
	}
	v := w.variable(name, i, end)
	if p := shWith(v, ShellUntrusted); p != nil {
		w.r.code("cmd", p, i, end, ContextCode, "cmd puts the value into the line before it reads it, and & begins another command")
	}
	return v, end
}

// variable is one of the environment, whose names have no case on Windows.
func (w *winRun) variable(name string, start, end int) shVal {
	if _, ok := w.r.st.vars.m[name]; !ok {
		if _, ok := w.r.in.Vars[name]; !ok {
			name = strings.ToUpper(name)
		}
	}
	return w.r.get(name, start, end)
}

// dollar is a variable or a substitution of PowerShell at i. It returns the name of a
// variable of the script, or of one of the environment.
func (w *winRun) dollar(i, to int) (v shVal, next int, own, env string) {
	src := w.r.src
	if src[i] == '(' || strings.HasPrefix(src[i:to], "$(") {
		open := i + strings.IndexByte(src[i:to], '(')
		end := w.closing(open, to)
		v = w.list(open+1, end, nil)
		if len(v) == 0 {
			v = shVal{{opaque: true, start: i, end: min(end+1, to)}}
		}
		next = min(end+1, to)
		// A member of what stands in parentheses.
		if next < to && src[next] == '.' {
			for next < to && (shellWordByte(src[next]) || src[next] == '(' || src[next] == ')') {
				next++
			}
		}
		return shCollapse(v), next, "", ""
	}
	j := i + 1
	brace := j < to && src[j] == '{'
	if brace {
		j++
	}
	from := j
	for j < to && (src[j] == ':' || src[j] == '_' || src[j] >= '0' && src[j] <= '9' || src[j]|0x20 >= 'a' && src[j]|0x20 <= 'z') {
		j++
	}
	name := strings.TrimSuffix(src[from:j], ":")
	j = from + len(name)
	if brace {
		if j >= to || src[j] != '}' {
			return nil, i, "", ""
		}
		j++
	}
	if name == "" {
		return nil, i, "", ""
	}
	if len(name) > 4 && strings.EqualFold(name[:4], "env:") {
		env = name[4:]
		return w.variable(env, i, j), j, "", env
	}
	own = winVars + strings.ToLower(name)
	if x, ok := w.r.st.vars.m[own]; ok && len(x.v) > 0 {
		return w.r.get(own, i, j), j, own, ""
	}
	return shVal{{text: "$" + name, opaque: true, start: i, end: j}}, j, own, ""
}

// closing is the offset of the parenthesis that closes the one at i, or the end.
func (w *winRun) closing(i, to int) int {
	depth := 0
	for ; i < to; i++ {
		switch c := w.r.src[i]; c {
		case '\'', '"':
			n := strings.IndexByte(w.r.src[i+1:to], c)
			if n < 0 {
				return to
			}
			i += n + 1
		case '`':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
		if !w.r.step() {
			return to
		}
	}
	return to
}

// quoted is a text of PowerShell in quotes at i, or a here-string.
func (w *winRun) quoted(i, to int) (shVal, int) {
	src := w.r.src
	end, next := 0, 0
	q := src[i]
	if q == '@' {
		q = src[i+1]
		n := strings.Index(src[i:to], "\n"+string(q)+"@")
		start := strings.IndexByte(src[i:to], '\n')
		if n < 0 || start < 0 {
			return nil, to
		}
		end, next = i+n, i+n+3
		i = min(i+start+1, end)
	} else {
		i++
		end = i
		for end < to && src[end] != q {
			if src[end] == '`' && q == '"' {
				end++
			} else if q == '"' && strings.HasPrefix(src[end:to], "$(") {
				end = w.closing(end+1, to) - 1 // quotes in it do not count
			}
			end++
		}
		end = min(end, to)
		next = min(end+1, to)
	}
	if q == '\'' {
		if i >= end {
			return shLit("", i, i), next
		}
		return w.r.lit(i, end, src[i:end], ContextSingle), next
	}
	out := shVal{}
	for i < end {
		if src[i] == '$' {
			if v, n, _, _ := w.dollar(i, end); n > i {
				out = shAdd(out, v)
				i = n
				continue
			}
		}
		j := i
		i++
		for i < end && src[i] != '$' {
			if src[i] == '`' {
				i++
			}
			i++
		}
		i = min(i, end)
		out = shAdd(out, w.r.lit(j, i, strings.ReplaceAll(src[j:i], "`n", "\n"), ContextDouble))
	}
	if len(out) == 0 {
		return shLit("", end, end), next
	}
	return out, next
}

// command runs one command and returns what it writes.
func (w *winRun) command(words []winToken, stdin shVal) shVal {
	r := w.r
	var target *winToken
	var args []winToken
	call := false
	for i := 0; i < len(words); i++ {
		switch t := &words[i]; t.op {
		case ">", ">>":
			if i+1 < len(words) && words[i+1].op == "" {
				target = &words[i+1]
				i++
			}
		case "&":
			call = len(args) == 0
		case "":
			args = append(args, *t)
		}
	}
	if len(args) == 0 {
		return nil
	}
	start, end := args[0].start, words[len(words)-1].end
	if len(args) > 1 && (args[0].own != "" || args[0].env != "") {
		if op := args[1].v; len(op) > 0 && (op[0].text == "=" || op[0].text == "+=") && !op[0].opaque {
			v := w.simple(args[2:], stdin, false)
			if args[0].env != "" {
				r.assign(args[0].env, v, start, end, false)
			} else {
				r.assign(args[0].own, v, start, end, false)
				if len(v) == 0 {
					delete(r.st.vars.m, args[0].own)
				}
			}
			return nil
		}
	}
	out := w.simple(args, stdin, call)
	if target == nil {
		return out
	}
	r.writeFile(target.v, out, true, start, target.start, target.end, "")
	return nil
}

// simple runs a command without redirections.
func (w *winRun) simple(words []winToken, stdin shVal, call bool) shVal {
	r := w.r
	// Words before the command itself.
	for len(words) > 0 && !words[0].quoted {
		t, _ := shText(words[0].v)
		low := strings.ToLower(strings.TrimPrefix(t, "@"))
		if low == "." && len(words) > 1 {
			call = true
		} else if low != "" && !shIn("if elseif else foreach while do try catch finally return call begin process end switch not errorlevel", low) {
			break
		} else if low == "" && t != "@" {
			break
		}
		words = words[1:]
		if low == "if" && w.cmd {
			for len(words) > 1 { // the condition ends before the first word that is a command
				a, _ := shText(words[0].v)
				if winProgram(a) {
					break
				}
				words = words[1:]
			}
		}
		// A condition in parentheses has been looked at.
		for !w.cmd && low != "." && low != "return" && len(words) > 0 && words[0].quoted {
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return nil
	}
	args := make([]shArg, 0, len(words))
	for _, t := range words {
		args = append(args, shArg{r.unbare(t.v), nil, t.start, t.end})
	}
	start, end := words[0].start, words[len(words)-1].end
	if !w.cmd && !call && (words[0].quoted || words[0].own != "" || words[0].env != "" || len(args[0].v) > 0 && args[0].v[0].opaque) {
		// A text is what it writes.
		var out shVal
		for _, a := range args {
			out = shCat(out, a.v)
		}
		return out
	}
	name := winName(args[0].text())
	low := strings.ToLower(name)
	if i := strings.IndexByte(low, ':'); i > 1 || strings.ContainsAny(low, "=[") || low == "" && len(args[0].v) == 0 {
		if low == "set" {
			return nil
		}
		if low != "" && !strings.Contains(low, "/") {
			return nil
		}
	}
	option := func(names string) (shArg, bool) {
		for i := 1; i+1 < len(args); i++ {
			if t := args[i].text(); strings.HasPrefix(t, "-") && shIn(names, strings.ToLower(t)) {
				return args[i+1], true
			}
		}
		return shArg{}, false
	}
	// operand is the n-th word that is no option: those of the cmdlets below have a value,
	// but for a few switches.
	operand := func(n int) (shArg, bool) {
		for i := 1; i < len(args); i++ {
			if t := args[i].text(); strings.HasPrefix(t, "-") && len(t) > 1 {
				if !shIn("-append -force -nonewline -noclobber -passthru -raw -wait -nonewwindow", strings.ToLower(t)) {
					i++
				}
				continue
			}
			if n == 0 {
				return args[i], true
			}
			n--
		}
		return shArg{}, false
	}
	first := func(names string, n int) (shArg, bool) {
		if a, ok := option(names); ok {
			return a, true
		}
		return operand(n)
	}
	if !w.cmd {
		switch low {
		case "invoke-expression", "iex":
			v := stdin
			if a, ok := first("-command", 0); ok {
				v = a.v
			}
			if p := shWith(v, ShellUntrusted); p != nil {
				r.code("Invoke-Expression", p, start, end, ContextCode, "the value is run as code")
			}
			return nil
		case "write-output", "write-host", "echo", "write":
			var out shVal
			for _, a := range args[1:] {
				out = shCat(out, a.v)
			}
			if low == "write-host" {
				return nil
			}
			return out
		case "out-file", "tee-object", "tee", "add-content", "ac", "set-content", "sc":
			v, at := stdin, 0
			if a, ok := option("-value -inputobject"); ok {
				v = a.v
			} else if a, ok := operand(1); ok && strings.HasSuffix(low, "-content") {
				v = a.v
			}
			if a, ok := first("-filepath -path -literalpath", at); ok && len(a.v) > 0 {
				r.writeFile(a.v, v, true, start, a.start, a.end, "")
			}
			if strings.HasPrefix(low, "tee") {
				return v
			}
			return nil
		case "get-content", "gc", "cat", "type":
			if a, ok := first("-path -literalpath", 0); ok {
				a.v = winPath(a.v)
				return r.readFile(a.v, a.start, a.end)
			}
			return nil
		case "set-location", "sl", "push-location", "cd", "chdir", "pushd":
			if a, ok := first("-path -literalpath", 0); ok {
				r.cd([]shArg{args[0], {winPath(a.v), nil, a.start, a.end}})
			}
			return nil
		case "pop-location", "popd":
			r.st.cwd = ""
			return nil
		case "start-process", "saps", "start":
			a, ok := first("-filepath", 0)
			if !ok {
				return nil
			}
			line := []shArg{a}
			if b, ok := option("-argumentlist -args"); ok {
				line = append(line, winSplit(b)...)
			}
			return w.program(line, nil)
		case "out-string", "select-object", "select", "sort-object", "where-object", "foreach-object":
			return stdin
		case "out-null":
			return nil
		}
		if i := strings.IndexByte(low, '-'); i > 0 && shIn("add clear compress convertfrom convertto copy expand export find format get import install invoke join measure move new out publish read register remove rename resolve restart save select set split start stop test unregister update wait where write", low[:i]) {
			return nil // a cmdlet
		}
	} else {
		switch {
		case low == "cd" || low == "chdir" || low == "pushd":
			for _, a := range args[1:] {
				if !strings.EqualFold(a.text(), "/d") {
					r.cd([]shArg{args[0], {winPath(a.v), nil, a.start, a.end}})
				}
			}
			return nil
		case strings.HasPrefix(low, "echo"):
			var out shVal
			for i, a := range args[1:] {
				if i > 0 {
					out = shCat(out, shLit(" ", a.start, a.start))
				}
				out = shCat(out, a.v)
			}
			return out
		case low == "set" || low == "setlocal" || low == "endlocal" || low == "exit" || low == "goto" || low == "for":
			return nil
		}
	}
	return w.program(args, stdin)
}

// program runs a program with the table of programs that the shells share.
func (w *winRun) program(args []shArg, stdin shVal) shVal {
	a := args[0]
	t := winName(a.text())
	if p := shWith(a.v, ShellUntrusted); p != nil && p == &a.v[0] {
		w.r.code("command name", p, a.start, a.end, ContextCommand, "the value is the program that is run")
		return nil
	}
	if low := strings.ToLower(a.text()); w.cmd && (strings.HasSuffix(low, ".bat") || strings.HasSuffix(low, ".cmd") && !winProgram(t) || low == "gradlew" || low == "mvnw") {
		w.r.runFile(shArg{winPath(a.v), nil, a.start, a.end}, t, a.start, args[len(args)-1].end) // cmd looks in the folder first
		return nil
	}
	if t == "" || !winProgram(t) {
		return nil
	}
	out := append([]shArg(nil), args...)
	out[0].v = shLit(t, a.start, a.end)
	if strings.HasSuffix(strings.ToLower(t), ".ps1") && !strings.Contains(t, "/") {
		return nil // looked for in PATH only
	}
	for i := range out[1:] {
		out[i+1].v = winPath(out[i+1].v)
	}
	log := w.r.log
	w.r.log = false
	defer func() { w.r.log = log }()
	return w.r.exec(out, stdin, 0)
}

// winProgram reports whether a word can be the name of a program.
func winProgram(t string) bool {
	t = winName(t)
	if t == "" {
		return false
	}
	for i := 0; i < len(t); i++ {
		if !shellWordByte(t[i]) && t[i] != '/' && t[i] != '~' && t[i] != ' ' && t[i] != '+' {
			return false
		}
	}
	if strings.Contains(t, "/") {
		return true
	}
	switch strings.ToLower(t) {
	case "git", "gh", "glab", "npx", "uvx", "pnpx", "bunx", "pip", "pip3", "py", "bash", "sh", "ssh", "curl", "wget", "sudo":
		return true
	}
	for i := range shellRunners {
		if shellRunners[i].cmd == t {
			return true
		}
	}
	for i := range shellInstalls {
		if shellInstalls[i].cmd == t {
			return true
		}
	}
	for _, p := range shellPrefixes {
		if p.cmd == t {
			return true
		}
	}
	return shellInterpreters[t]
}

// winName is the name of a program with slashes and without the suffix of programs. A
// script keeps its own.
func winName(t string) string {
	t = strings.ReplaceAll(t, `\`, "/")
	if len(t) > 4 {
		if end := strings.ToLower(t[len(t)-4:]); end == ".exe" || (end == ".cmd" || end == ".bat") && !strings.Contains(t, "/") {
			t = t[:len(t)-4]
		}
	}
	if t == "py" {
		return "python"
	}
	return t
}

// winPath is a path with slashes.
func winPath(v shVal) shVal {
	var out shVal
	for i := range v {
		if !v[i].opaque && strings.IndexByte(v[i].text, '\\') >= 0 {
			if out == nil {
				out = append(shVal(nil), v...)
			}
			out[i].text = strings.ReplaceAll(v[i].text, `\`, "/")
		}
	}
	if out == nil {
		return v
	}
	return out
}

// winSplit cuts a text at its blanks.
func winSplit(a shArg) []shArg {
	t, ok := shText(a.v)
	if !ok {
		return []shArg{a}
	}
	var out []shArg
	for _, f := range strings.Fields(t) {
		out = append(out, shArg{shLit(f, a.start, a.end), nil, a.start, a.end})
	}
	return out
}
