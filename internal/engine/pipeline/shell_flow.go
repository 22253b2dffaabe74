package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// shChannelOf is the channel that a path's symbol names.
func shChannelOf(sym string) string {
	switch sym {
	case "$GITHUB_ENV", "$env:GITHUB_ENV":
		return SinkEnv
	case "$GITHUB_OUTPUT":
		return SinkOutput
	case "$GITHUB_PATH":
		return SinkPath
	case "$GITHUB_STATE":
		return SinkState
	case "$GITHUB_STEP_SUMMARY":
		return SinkSummary
	}
	return ""
}

// globbed is the value of one item of a for loop.
func (r *shRun) globbed(v shVal, w *syntax.Word) shVal {
	t, ok := shText(v)
	if !ok || !strings.ContainsAny(t, "*?[") || len(w.Parts) != 1 {
		return v
	}
	if _, lit := w.Parts[0].(*syntax.Lit); !lit {
		return v
	}
	start, end := r.span(w)
	if n := r.names(start, end); shLabels(n) != 0 && !r.outside(r.resolve(t)) {
		return n
	}
	return v
}

// shLines cuts a text at the line breaks of its literals.
func shLines(v shVal) []shVal {
	var out []shVal
	var line shVal
	for _, p := range v {
		if p.opaque {
			line = append(line, p)
			continue
		}
		for {
			i := strings.IndexByte(p.text, '\n')
			if i < 0 {
				break
			}
			q := p
			q.text = p.text[:i]
			if q.text != "" {
				line = append(line, q)
			}
			out = append(out, line)
			line = nil
			p.text = p.text[i+1:]
		}
		if p.text != "" {
			line = append(line, p)
		}
	}
	if len(line) > 0 {
		out = append(out, line)
	}
	return out
}

// writeFile is a redirection of v to a file.
func (r *shRun) writeFile(to, v shVal, add bool, stmt, start, end int, command string) {
	sym := shSymbol(to)
	ch := shChannelOf(sym)
	if ch == "" && r.in.EnvFiles[strings.TrimPrefix(sym, "./")] {
		ch = SinkEnv
	}
	if ch != "" {
		r.channel(ch, v, command, stmt, end)
		return
	}
	if sym == "/dev/null" || sym == "/dev/stderr" || sym == "/dev/stdout" || sym == "/dev/tty" {
		if sym != "/dev/null" {
			r.logged(v, stmt, end)
		}
		return
	}
	if p := shWith(v, ShellSecret); p != nil {
		r.secret(p, SecretFile, command, shPrint(sym), stmt, end, "the file stays on the machine, and may go into an artifact or a cache")
	}
	key := r.fileKey(to)
	if strings.HasPrefix(key, "\x00") || len(r.st.files.m) > 500 {
		return
	}
	v = r.moved(v, start, end, "is written to "+shPrint(sym))
	if add {
		v = shCat(r.st.files.m[key], v)
	}
	if len(v) == 0 {
		v = shVal{{opaque: true, start: start, end: end}}
	}
	if len(v) > 40 {
		v = shCollapse(v)
	}
	shSet(r, &r.st.files, key, v)
}

func (r *shRun) tee(args []shArg, stdin shVal) {
	add := r.has(args, "-a", "--append")
	for _, a := range args[1:] {
		if t := a.text(); strings.HasPrefix(t, "-") {
			continue
		}
		r.writeFile(a.v, stdin, add, args[0].start, a.start, a.end, "tee")
	}
}

// channel reports what is written to one of the files by which steps speak to
// later steps. Each is a list of NAME=value lines, or NAME<<DELIMITER and lines up
// to the delimiter; GITHUB_PATH is a list of folders, the summary is Markdown.
func (r *shRun) channel(ch string, v shVal, command string, start, end int) {
	if len(v) == 0 {
		v = shVal{{opaque: true, start: start, end: end}}
	}
	if ch == SinkSummary {
		r.entry(ch, "", v, command, start, end, false, "")
		return
	}
	lines := shLines(v)
	ended := strings.HasSuffix(v[len(v)-1].text, "\n") && !v[len(v)-1].opaque
	if o, ok := shOpenOf(r.st.open, ch); ok {
		// The lines of an entry that an earlier command has begun.
		r.st.open = shNotOpen(r.st.open, ch)
		if o.delim == nil {
			if len(lines) == 0 {
				lines = []shVal{nil}
			}
			lines[0] = shCat(o.head, lines[0])
		} else if lines, ok = r.body(&o, lines); !ok {
			return
		}
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if len(line) == 0 || !r.step() {
			continue
		}
		if ch == SinkPath {
			r.entry(ch, "", line, command, start, end, shLabels(line)&ShellUntrusted != 0, "later steps look for programs in this folder first")
			continue
		}
		name, value, delim, ok := shEntry(line)
		switch {
		case !ok:
			// A whole entry that the script does not write itself: who writes the text
			// chooses the name.
			untrusted := shLabels(line)&ShellUntrusted != 0
			r.entry(ch, "", line, command, start, end, untrusted, "the text chooses the name as well")
		case delim != nil:
			o := shEntryOpen{ch: ch, name: name, delim: delim, command: command, start: start, end: end}
			if lines, ok = r.body(&o, lines[i+1:]); !ok {
				return
			}
			i = -1
		case len(value) == 0 && i == len(lines)-1 && !ended:
			// The value comes from the next command, as after echo -n.
			r.st.open = append(r.st.open[:len(r.st.open):len(r.st.open)], shEntryOpen{ch: ch, name: name, head: line, command: command, start: start, end: end})
		default:
			smuggle := shBreaks(value)
			why := ""
			if smuggle {
				why = "a line break in the value begins another entry"
			}
			r.entry(ch, name, value, command, start, end, smuggle, why)
		}
	}
}

// shEntryOpen is an entry that a command has begun: NAME<<DELIMITER, with the lines so far,
// or the line NAME= without its value.
type shEntryOpen struct {
	ch, name, command string
	head, delim, text shVal
	start, end        int
}

func shOpenOf(all []shEntryOpen, ch string) (shEntryOpen, bool) {
	i := slices.IndexFunc(all, func(o shEntryOpen) bool { return o.ch == ch })
	if i < 0 {
		return shEntryOpen{}, false
	}
	return all[i], true
}

// shNotOpen are the others; the list is shared between states, and not changed.
func shNotOpen(all []shEntryOpen, ch string) []shEntryOpen {
	var out []shEntryOpen
	for _, o := range all {
		if o.ch != ch {
			out = append(out, o)
		}
	}
	return out
}

// shJoinOpen is what is open after either of two branches.
func shJoinOpen(a, b []shEntryOpen) []shEntryOpen {
	out := a[:len(a):len(a)]
	for _, o := range b {
		i := slices.IndexFunc(out, func(p shEntryOpen) bool { return p.ch == o.ch })
		switch {
		case i < 0:
			out = append(out, o)
		case !shSame(out[i].text, o.text):
			out = slices.Clone(out)
			out[i].text = shCat(out[i].text, o.text)
			if len(out[i].text) > shMaxStored {
				out[i].text = shCollapse(out[i].text)
			}
		}
	}
	return out
}

// body takes the lines up to the delimiter of an entry, and reports the entry if it is
// among them: then it returns the lines behind, and true.
func (r *shRun) body(o *shEntryOpen, lines []shVal) ([]shVal, bool) {
	delim, fixed := shText(o.delim)
	for j, line := range lines {
		if !r.step() {
			return nil, false
		}
		if shDelimits(line, o.delim) {
			r.ended(o)
			return lines[j+1:], true
		}
		if n := len(line) - 1; fixed && n > 0 && line[n-1].opaque && !line[n].opaque && line[n].text == delim && line[n].start != line[n-1].start {
			// What a program wrote before ends with a line break of its own.
			o.text = shCat(o.text, line[:n])
			r.ended(o)
			return lines[j+1:], true
		}
		o.text = shCat(o.text, line)
	}
	if len(o.text) > shMaxStored {
		o.text = shCollapse(o.text)
	}
	r.st.open = append(r.st.open[:len(r.st.open):len(r.st.open)], *o)
	return nil, false
}

// shDelimits reports whether a line is the delimiter: the same text, or the same variable.
func shDelimits(line, delim shVal) bool {
	if len(line) != len(delim) {
		return false
	}
	for i := range line {
		p, q := &line[i], &delim[i]
		if p.text != q.text || p.opaque != q.opaque || p.l != q.l || p.via != q.via && p.via != "" && q.via != "" {
			return false
		}
	}
	return true
}

// ended reports an entry with its lines.
func (r *shRun) ended(o *shEntryOpen) {
	if o.delim == nil {
		r.entry(o.ch, o.name, nil, o.command, o.start, o.end, false, "")
		return
	}
	delim, fixed := shText(o.delim)
	smuggle, why := false, ""
	if shLabels(o.text)&ShellUntrusted != 0 {
		smuggle = fixed && slices.ContainsFunc(o.text, func(p shPiece) bool {
			return p.l&ShellUntrusted != 0 && p.l&ShellNewline != 0 && fitAllows(p.fit, delim)
		})
		switch {
		case smuggle:
			why = "the delimiter is known, so a line of the value can end the entry and begin another"
		case !fixed:
			why = "the delimiter cannot be guessed"
		}
	}
	r.entry(o.ch, o.name, o.text, o.command, o.start, o.end, smuggle, why)
}

// flush reports the entries that the script does not end.
func (r *shRun) flush() {
	for _, o := range r.st.open {
		r.ended(&o)
	}
	r.st.open = nil
}

// shBreaks reports whether a line of a value can be an entry of its own.
func shBreaks(v shVal) bool {
	return slices.ContainsFunc(v, func(p shPiece) bool {
		return p.l&ShellUntrusted != 0 && p.l&ShellNewline != 0 && !fitNoName(p.fit)
	})
}

// shEntry reads the head of an entry: NAME=value or NAME<<DELIMITER.
func shEntry(line shVal) (name string, value, delim shVal, ok bool) {
	var b strings.Builder
	for i := range line {
		p := line[i]
		if p.opaque {
			if p.l&ShellUntrusted != 0 {
				return "", nil, nil, false
			}
			b.WriteString("…")
			continue
		}
		eq := strings.IndexByte(p.text, '=')
		here := strings.Index(p.text, "<<")
		switch {
		case here >= 0 && (eq < 0 || here < eq):
			b.WriteString(p.text[:here])
			rest := append(shVal(nil), line[i:]...)
			rest[0].text = strings.TrimLeft(p.text[here+2:], " ")
			if rest[0].text == "" {
				rest = rest[1:]
			}
			return shPrint(strings.TrimSpace(b.String())), nil, append(shVal{}, rest...), true
		case eq >= 0:
			b.WriteString(p.text[:eq])
			rest := append(shVal(nil), line[i:]...)
			rest[0].text = p.text[eq+1:]
			if rest[0].text == "" {
				rest = rest[1:]
			}
			return shPrint(strings.TrimSpace(b.String())), rest, nil, true
		}
		b.WriteString(p.text)
	}
	return "", nil, nil, false
}

func (r *shRun) entry(ch, name string, v shVal, command string, start, end int, smuggle bool, why string) {
	f := ShellFact{Kind: FactChannel, Span: shSpan(start, end), Sink: ch, Command: command, Name: name, Labels: shLabels(v) &^ shellPlain, Smuggle: smuggle, Detail: why}
	// The place of the value itself, where a group writes several; a line break of
	// echo has none.
	for len(v) > 1 && v[len(v)-1].start == v[len(v)-1].end {
		v = v[:len(v)-1]
	}
	if len(v) > 0 && v[0].end > v[0].start {
		f.Span = shSpan(v[0].start, max(v[len(v)-1].end, v[0].end))
		if f.End < f.Start {
			f.Span = shSpan(v[0].start, v[0].end)
		}
	}
	p := shWith(v, ShellUntrusted)
	if p == nil {
		p = shWith(v, ShellSecret|ShellWorkspace|ShellChecked)
	}
	if p != nil {
		f.Trace = shTrace(p.t) // that it is written there, the fact says
	}
	if ch == SinkPath && len(v) > 0 && f.Labels&ShellUntrusted == 0 {
		if key := r.resolve(shSymbol(v)); key != "" && key[0] != 0 {
			if s := r.dirSource(key); s.Labels&(ShellWorkspace|ShellUntrusted) != 0 {
				f.Labels |= ShellWorkspace
				f.Detail = "the folder lies in the untrusted workspace"
			}
		}
	}
	r.fact(f)
	if q := shWith(v, ShellSecret); q != nil {
		r.secret(q, SecretChannel, command, ch+" "+name, int(f.Start), int(f.End), "later steps, and those who see outputs, get the value")
	}
}

// logged looks at a text that goes to the step's log: workflow commands in it, and
// secrets.
func (r *shRun) logged(v shVal, start, end int) {
	if len(v) == 0 {
		return
	}
	mask := false
	if strings.Contains(shHead(v), "::") {
		for _, line := range shLines(v) {
			mask = r.workflowCommand(line, start, end) || mask
		}
	}
	if r.in.Templates&TemplateAzure != 0 {
		command := false
		for _, line := range shLines(v) {
			c, m := r.loggingCommand(line, start, end)
			command, mask = command || c, mask || m
		}
		// The agent looks for commands anywhere in a line; no name of a branch holds one.
		if p := shWith(v, ShellUntrusted); p != nil && p.l&ShellRef == 0 && !command {
			r.fact(ShellFact{
				Kind: FactChannel, Span: shSpan(start, end), Sink: SinkEnv, Command: azureCommand, Labels: shLabels(v) &^ shellPlain,
				Smuggle: true, Maybe: p.l&ShellNewline == 0, Detail: "a logging command in the text sets variables of later steps",
				Trace: shTrace(r.trail(p.t, start, end, "is written to the log")),
			})
		}
	}
	if mask {
		return
	}
	for i := range v {
		p := &v[i]
		if p.l&ShellSecret != 0 {
			r.secret(p, SecretLog, "", "", start, end, "the value is written to the log")
		}
	}
}

// shHead are the literals of a text.
func shHead(v shVal) string {
	if len(v) == 1 {
		return v[0].text
	}
	var b strings.Builder
	for i := range v {
		if !v[i].opaque {
			b.WriteString(v[i].text)
		}
	}
	return b.String()
}

// workflowCommand reads a line ::command name=x::value; true if it registers a mask.
func (r *shRun) workflowCommand(line shVal, start, end int) bool {
	if len(line) == 0 || line[0].opaque {
		return false
	}
	head := strings.TrimLeft(line[0].text, " \t")
	body, ok := strings.CutPrefix(head, "::")
	if !ok {
		return false
	}
	cmd, _, _ := strings.Cut(body, "::")
	cmd, _, _ = strings.Cut(cmd, " ")
	// The value comes after the second pair of colons.
	var name strings.Builder
	var value shVal
	seen := 0
	for i, p := range line {
		if p.opaque {
			if p.l&ShellUntrusted == 0 {
				name.WriteString("…")
			}
			continue
		}
		t := p.text
		if i == 0 {
			t = body
		}
		if j := strings.Index(t, "::"); j >= 0 {
			name.WriteString(t[:j])
			value = append(shVal(nil), line[i:]...)
			value[0].text = t[j+2:]
			if value[0].text == "" {
				value = value[1:]
			}
			seen = 1
			break
		}
		name.WriteString(t)
	}
	if seen == 0 {
		return false
	}
	_, key, _ := strings.Cut(name.String(), "name=")
	key, _, _ = strings.Cut(key, ",")
	untrusted := shLabels(value)&ShellUntrusted != 0
	switch cmd {
	case "add-mask":
		f := ShellFact{Kind: FactMask, Span: shSpan(start, end), Labels: shLabels(value), Command: "::add-mask"}
		for _, p := range value {
			if n := p.via; n != "" || p.name != "" {
				if n == "" {
					n = p.name
				}
				if f.Name == "" {
					f.Name = n
				}
				masked := map[string]bool{n: true, p.name: true}
				for k := range r.st.masked {
					masked[k] = true
				}
				r.st.masked = masked
			}
		}
		r.fact(f)
		return true
	case "set-output":
		r.entry(SinkOutput, shPrint(key), value, "::set-output", start, end, false, "")
	case "save-state":
		r.entry(SinkState, shPrint(key), value, "::save-state", start, end, false, "")
	case "set-env":
		r.entry(SinkEnv, shPrint(key), value, "::set-env", start, end, false, "")
	case "add-path":
		r.entry(SinkPath, "", value, "::add-path", start, end, untrusted, "later steps look for programs in this folder first")
	}
	return false
}

// azureCommand begins a logging command of Azure Pipelines.
// https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
const azureCommand = "##vso["

// loggingCommand reads a line ##vso[area.action property=value;...]text; mask is true
// if it registers a secret.
func (r *shRun) loggingCommand(line shVal, start, end int) (command, mask bool) {
	var head strings.Builder
	var value shVal
	inside := false
	for i, p := range line {
		if p.opaque {
			if inside {
				head.WriteString("…")
			}
			continue
		}
		t := p.text
		if !inside {
			j := strings.Index(t, azureCommand)
			if j < 0 {
				continue
			}
			inside, t = true, t[j+len(azureCommand):]
		}
		if j := strings.IndexByte(t, ']'); j >= 0 {
			head.WriteString(t[:j])
			value = append(shVal(nil), line[i:]...)
			value[0].text = t[j+1:]
			if value[0].text == "" {
				value = value[1:]
			}
			command = true
			break
		}
		head.WriteString(t)
	}
	if !command {
		return false, false
	}
	action, name, output, secret := azureLogging(head.String())
	untrusted := shLabels(value)&ShellUntrusted != 0
	switch action {
	case "task.setvariable":
		sink := SinkEnv
		if output {
			sink = SinkOutput
		}
		if secret {
			r.fact(ShellFact{Kind: FactMask, Span: shSpan(start, end), Name: shPrint(name), Labels: shLabels(value), Command: azureCommand + action})
		}
		r.entry(sink, shPrint(name), value, azureCommand+action, start, end, shLabels(value)&ShellNewline != 0, "")
	case "task.prependpath":
		r.entry(SinkPath, "", value, azureCommand+action, start, end, untrusted, "later steps look for programs in this folder first")
	case "task.setsecret":
		f := ShellFact{Kind: FactMask, Span: shSpan(start, end), Labels: shLabels(value), Command: azureCommand + action}
		if len(value) > 0 {
			f.Name = value[0].name
		}
		r.fact(f)
		secret = true
	}
	return true, secret
}

// azureLogging takes apart what stands in the brackets of a logging command.
func azureLogging(head string) (action, name string, output, secret bool) {
	action, properties, _ := strings.Cut(head, " ")
	for _, p := range strings.Split(properties, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(key) {
		case "variable":
			name = strings.Trim(value, "'\" ")
		case "isoutput":
			output = strings.EqualFold(value, "true")
		case "issecret":
			secret = strings.EqualFold(value, "true")
		}
	}
	return strings.ToLower(action), name, output, secret
}

func (r *shRun) masked(p *shPiece) bool {
	return r.st.masked[p.via] && p.via != "" || r.st.masked[p.name] && p.l&ShellEncoded == 0
}

func (r *shRun) secret(p *shPiece, sink, command, name string, start, end int, detail string) {
	f := ShellFact{Kind: FactSecret, Span: shSpan(start, end), Sink: sink, Command: command, Name: name, Labels: p.l &^ shellPlain, Detail: detail}
	if name == "" {
		f.Name = p.name
	}
	f.Unmasked = p.l&ShellEncoded != 0 && !r.masked(p)
	if sink == SecretLog && !f.Unmasked {
		f.Notes = []string{"the runner masks the value in its plain form"}
	}
	if r.masked(p) {
		f.Notes = append(f.Notes, "the script registers it as a mask")
	}
	f.Trace = shTrace(r.trail(p.t, start, end, "goes to the "+sink))
	r.fact(f)
}

// commandLine reports secrets among the arguments of a program.
func (r *shRun) commandLine(name string, args []shArg) {
	var secret *shPiece
	at := 0
	for i := range args[1:] {
		if p := shWith(args[i+1].v, ShellSecret); p != nil {
			secret, at = p, i+1
			break
		}
	}
	if secret == nil {
		return
	}
	a := args[at]
	if name == "curl" || name == "wget" || name == "http" || name == "xh" {
		if host := shHost(args); host != "" && !shForgeHost(host) {
			r.secret(secret, SecretNetwork, name, host, a.start, a.end, "the value is sent to "+host)
			return
		}
	}
	r.secret(secret, SecretCommandLine, shPrint(path.Base(name)), "", a.start, a.end, "a command line is seen by every process of the machine")
}

// sendsAll reports that all secrets are sent from a file or from the input of a command.
func (r *shRun) sendsAll(name string, args []shArg, stdin shVal) {
	host := shHost(args)
	if host == "" || shForgeHost(host) {
		return
	}
	for i := 1; i < len(args); i++ {
		sym := shSymbol(args[i].v)
		opt, of, _ := strings.Cut(sym, "=")
		switch {
		case shIn("-T --upload-file", sym) && i+1 < len(args):
			of = shSymbol(args[i+1].v)
		case shIn("--post-file --body-file", opt):
		case strings.Contains(sym, "@"):
			of = sym[strings.IndexByte(sym, '@')+1:]
		default:
			continue
		}
		v := stdin
		if of, _, _ = strings.Cut(of, ";"); of != "-" && of != "." {
			v = r.st.files.m[r.resolve(of)]
		}
		if p := shWith(v, ShellSecrets); p != nil {
			r.secret(p, SecretNetwork, name, host, args[i].start, args[i].end, "the value is sent to "+host)
			return
		}
	}
}

// shHost is the host of the first address among the arguments, empty if not known.
func shHost(args []shArg) string {
	for _, a := range args[1:] {
		sym := shSymbol(a.v)
		i := strings.Index(sym, "://")
		if i < 0 || strings.ContainsAny(sym[:i], " \"'{:=") {
			continue
		}
		host := sym[i+3:]
		if j := strings.IndexAny(host, "/?#"); j >= 0 {
			host = host[:j]
		}
		if j := strings.LastIndexByte(host, '@'); j >= 0 {
			host = host[j+1:]
		}
		if strings.ContainsAny(host, "$\x00") {
			return ""
		}
		return shPrint(host)
	}
	return ""
}

func shForgeHost(host string) bool {
	for _, h := range []string{"github.com", "githubusercontent.com", "ghcr.io", "gitlab.com", "dev.azure.com", "localhost", "127.0.0.1"} {
		if host == h || strings.HasSuffix(host, "."+h) || strings.HasPrefix(host, h+":") {
			return true
		}
	}
	return false
}

// download is curl or wget.
func (r *shRun) download(name string, args []shArg) shVal {
	start, end := args[0].start, args[len(args)-1].end
	url, out := "", ""
	var outArg *shArg
	remote, api := false, false
	var taint, foreign *shPiece
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case name == "curl" && (t == "-o" || t == "--output") || name == "wget" && (t == "-O" || t == "--output-document"):
			i++
			if i < len(args) {
				outArg = &args[i]
			}
			continue
		case name == "wget" && strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && strings.HasSuffix(t, "O-"):
			out = "-"
			continue
		case strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && len(t) > 2 && (name == "curl" && strings.HasSuffix(t, "o") || name == "wget" && strings.HasSuffix(t, "O")):
			i++
			if i < len(args) {
				outArg = &args[i]
			}
			continue
		case name == "curl" && strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && strings.Contains(t, "O") || t == "--remote-name" || t == "--remote-name-all":
			remote = true
			continue
		case strings.HasPrefix(t, "-"):
			if shIn("-H --header -d --data -X --request -u --user -A --user-agent -e --retry --retry-delay --max-time -m --connect-timeout -F --form --data-raw --data-binary -w --write-out -b -c -K -T --cacert --cert --key --header", t) {
				i++
			}
			continue
		}
		sym := shSymbol(args[i].v)
		if url == "" || strings.Contains(sym, "://") && !strings.Contains(url, "://") {
			url = sym
			taint = shWith(args[i].v, ShellUntrusted)
			foreign = nil
			if shCodeURL(args[i].v) {
				foreign = shWith(args[i].v, ShellRef)
			}
		}
	}
	low := strings.ToLower(url)
	api = strings.Contains(low, "/pulls") || strings.Contains(low, "/issues") || strings.Contains(low, "/comments") || strings.Contains(low, "/merge_requests")
	p := shPiece{opaque: true, start: start, end: end, name: shPrint(url), l: ShellDownload}
	if strings.HasPrefix(low, "http://") {
		p.l |= shellPlain
	}
	p.t = r.trail(nil, start, end, name+" fetches "+shPrint(url))
	switch {
	case foreign != nil:
		p.l |= foreign.l | ShellUntrusted | ShellNewline | shellForeign
		p.t = r.trail(foreign.t, start, end, name+" fetches code that a stranger wrote")
	case strings.Contains(low, "/actions/artifacts/") || strings.Contains(low, "archive_download_url"):
		p.l |= shellForeign | shellArtifact
		p.t = r.trail(nil, start, end, "files of another run are fetched")
	case taint != nil:
		p.l |= ShellUntrusted | ShellNewline | ShellBlank
		p.t = r.trail(taint.t, start, end, name+" fetches what the value names")
	case api && (strings.Contains(low, "api") || strings.Contains(url, "\x00") || strings.Contains(url, "$")):
		p.l |= r.forge() | ShellNewline | ShellBlank
		p.t = r.trail(nil, start, end, "texts of issues or pull requests are read")
	}
	if foreign == nil && r.in.Head.Labels != 0 && (api || strings.Contains(low, "graphql") || shUnknownURL(url)) {
		p.l |= shellPull
	}
	v := shVal{p}
	switch {
	case outArg != nil && outArg.text() == "-", out == "-", outArg == nil && !remote && name == "curl":
		return v
	case outArg != nil:
		if !strings.HasPrefix(outArg.text(), "/dev/") {
			shSet(r, &r.st.files, r.fileKey(outArg.v), v)
		}
	case url != "":
		base := url
		if i := strings.IndexAny(base, "?#"); i >= 0 {
			base = base[:i]
		}
		shSet(r, &r.st.files, r.resolve(path.Base(base)), v)
	}
	r.st.verified = false
	return nil
}

// shCodeURL reports whether an address is one of code: an archive, a patch or a file of a
// commit.
func shCodeURL(v shVal) bool {
	for _, p := range v {
		for _, text := range []string{p.text, p.name} {
			low := strings.ToLower(text)
			for _, w := range []string{"/archive/", "/tarball", "/zipball", "codeload.", ".patch", ".diff", "patch_url", "diff_url", "raw.githubusercontent.com/", "/raw/", ".tar.gz", ".zip"} {
				if strings.Contains(low, w) {
					return true
				}
			}
		}
	}
	return false
}

// forge is what is known of texts that are read from the forge.
func (r *shRun) forge() ShellLabels {
	if l := r.in.Forge.Labels; l != 0 {
		return l &^ (ShellNewline | ShellBlank) // what is read says what it can hold
	}
	return ShellUntrusted
}

// shFields says what a filter of jq takes out of an event or an answer of the
// forge: texts of strangers, and whether they may have blanks and several lines.
// Unknown fields count as harmless if the filter names only such.
func shFields(filter string) (out ShellLabels) {
	any := false
	for i := 0; i < len(filter); {
		c := filter[i]
		if c == '"' { // text, but for what stands in \( )
			i++
			for i < len(filter) && filter[i] != '"' {
				if filter[i] == '\\' && i+1 < len(filter) && filter[i+1] == '(' {
					end := shClosing(filter, i+1)
					out |= shFields(filter[i+2 : end])
					any = true
					i = end
				}
				i++
			}
			i++
			continue
		}
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' && c != '_' {
			i++
			continue
		}
		j := i
		for j < len(filter) && (filter[j] >= 'a' && filter[j] <= 'z' || filter[j] >= 'A' && filter[j] <= 'Z' || filter[j] == '_' || filter[j] >= '0' && filter[j] <= '9') {
			j++
		}
		word := filter[i:j]
		if j < len(filter) && filter[j] == '(' && shIn(shCondition, word) {
			i = shClosing(filter, j) // a condition lets values through or not
			continue
		}
		if word == "tojson" || word == "select" || word == "empty" || word == "not" || word == "first" || word == "last" || word == "map" {
			i = j
			continue
		}
		any = true
		if i > 0 && strings.IndexByte(".{, ", filter[i-1]) >= 0 || len(filter) == j-i {
			switch strings.ToLower(word) {
			case "headrefname", "head_ref", "default_branch", "head_branch":
				out |= ShellUntrusted
			case "title", "messageheadline", "filename", "path", "display_title", "page_name", "email", "files":
				out |= ShellUntrusted | ShellBlank
			case "ref", "label":
				if strings.Contains(filter, "head") {
					out |= ShellUntrusted
				}
			case "body", "message", "messagebody", "comments", "description", "text", "commits", "patch", "bodytext":
				out |= shHarm
			}
		}
		i = j
	}
	if !any {
		if strings.Contains(filter, "tojson") {
			return ShellUntrusted | ShellBlank
		}
		return shHarm // the whole
	}
	// "length" and tests leave a number or a truth value.
	for _, end := range []string{"length", "any", "all", "contains", "test", "index", "startswith", "endswith"} {
		if tail := filter[strings.LastIndexByte(filter, '|')+1:]; strings.HasPrefix(strings.TrimSpace(tail), end) {
			return 0
		}
	}
	return out
}

// shCondition are the functions of jq whose argument lets values through or not, and is
// no part of what comes out.
const shCondition = "select test any all contains startswith endswith inside sort_by group_by unique_by index match has"

// shGives reports whether a variable of jq stands in what a filter puts out, and not only
// in its conditions.
func shGives(filter, name string) bool {
	for i := 0; i < len(filter); i++ {
		switch c := filter[i]; {
		case c == '(':
			j := i
			for j > 0 && (filter[j-1] == '_' || filter[j-1] >= 'a' && filter[j-1] <= 'z') {
				j--
			}
			if shIn(shCondition, filter[j:i]) {
				i = shClosing(filter, i)
			}
		case c == '$' && strings.HasPrefix(filter[i+1:], name):
			if end := i + 1 + len(name); end == len(filter) || !shIsName(filter[end:end+1]) && (filter[end] < '0' || filter[end] > '9') {
				return true
			}
		}
	}
	return false
}

// shClosing is the offset of the parenthesis that closes the one at i, or the last
// byte.
func shClosing(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s) - 1
}

// shNamed reports whether a filter of jq writes entries with a name of the script's
// own, "name=\(.x)", and returns the name with its sign.
func shNamed(filter string) string {
	t := strings.TrimSpace(filter)
	if i := strings.LastIndexByte(t, '|'); i >= 0 && strings.HasPrefix(strings.TrimSpace(t[i+1:]), `"`) {
		t = strings.TrimSpace(t[i+1:])
	}
	t, ok := strings.CutPrefix(t, `"`)
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(t, "=")
	if !ok || !shIsName(strings.ReplaceAll(name, "-", "_")) {
		return ""
	}
	return name + "="
}

// gh is the forge's command line tool.
func (r *shRun) gh(name string, args []shArg) shVal {
	start, end := args[0].start, args[len(args)-1].end
	var words []string
	filter, json, template := "", "", ""
	hasFilter := false
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case (t == "--jq" || t == "-q" || t == "--json") && i+1 < len(args):
			i++
			v := shSymbol(args[i].v)
			if t == "--json" {
				json = v
			} else {
				filter, hasFilter = v, true
			}
		case (t == "--template" || t == "-t") && i+1 < len(args):
			i++
			template = shSymbol(args[i].v)
		case strings.HasPrefix(t, "--jq="):
			filter, hasFilter = t[5:], true
		case strings.HasPrefix(t, "--json="):
			json = t[7:]
		case strings.HasPrefix(t, "-"):
			if shIn("-R --repo -H --header -X --method -f -F --field --raw-field -b --body -B --base --title --limit -L --head --state -s --author --label --search -S -p --pattern -D --dir -n --name -w --workflow -e --event --input --hostname", t) {
				i++
			}
		default:
			words = append(words, shSymbol(args[i].v))
		}
	}
	if len(words) == 0 {
		return nil
	}
	sub := ""
	if len(words) > 1 {
		sub = words[1]
	}
	switch {
	case (words[0] == "pr" || words[0] == "mr") && sub == "checkout":
		r.checkout(args, name+" pr checkout", nil, start, end, true)
		return nil
	case words[0] == "run" && sub == "download":
		dir := ""
		for i := 1; i < len(args); i++ {
			if t := args[i].text(); (t == "-D" || t == "--dir") && i+1 < len(args) {
				dir = r.fileKey(args[i+1].v)
			} else if strings.HasPrefix(t, "--dir=") {
				dir = r.resolve(t[len("--dir="):])
			}
		}
		r.artifact(name+" run download", dir, nil, start, end)
		return nil
	case words[0] == "workflow" && sub == "run" && len(words) > 2:
		r.dispatch(name, words[2], args, start, end)
		return nil
	case words[0] == "extension":
		r.installs(name, args)
		return nil
	case words[0] == "auth":
		return nil
	}
	text := false
	switch words[0] {
	case "pr", "issue", "mr":
		text = sub == "view" || sub == "list" || sub == "diff" || sub == "status"
	case "search":
		text = true
	case "api":
		ep := strings.ToLower(sub)
		for _, w := range []string{"/pulls", "/issues", "/comments", "/commits", "/merge_requests", "graphql"} {
			text = text || strings.Contains(ep, w) || ep == w
		}
		if strings.Contains(ep, "/labels") || strings.Contains(ep, "/reviewers") || strings.Contains(ep, "/permission") {
			text = false
		}
	}
	p := shPiece{opaque: true, start: start, end: end}
	if words[0] == "api" && strings.Contains(sub, "/artifacts/") && strings.HasSuffix(sub, "/zip") {
		p.l = shellForeign | shellArtifact
		p.t = r.trail(nil, start, end, "files of another run are fetched with "+name)
		return shVal{p}
	}
	if text {
		l := shHarm
		switch {
		case hasFilter:
			l = shFields(filter)
		case json != "":
			l = shFields("." + strings.ReplaceAll(json, ",", " ."))
			if l != 0 {
				l = ShellUntrusted | ShellBlank // JSON on one line
			}
		}
		if l&ShellUntrusted != 0 && sub != "create" && sub != "comment" && sub != "edit" {
			p.l = r.forge() | l
			p.name = name + " " + words[0]
			p.t = r.trail(nil, start, end, "texts of issues or pull requests are read with "+name)
			if shPicks(words[0], sub, args) {
				p.l |= ShellPicked
			}
			if sub == "diff" && !r.has(args, "--name-only") {
				p.l |= shellForeign
			}
		}
	}
	if what := shAsks(words[0], sub); what != "" && r.in.Head.Labels != 0 && !shMerged(args) {
		if filter += template; filter != "" {
			if h := r.heads(filter, what); h.l != 0 {
				p.l |= h.l
				if p.l&ShellUntrusted == 0 {
					p.name, p.t = h.name, r.trail(nil, start, end, "the forge is asked for it with "+name)
				}
			}
		} else if what != asksCommits && what != asksRef {
			p.l |= shellPull
			if p.name == "" {
				p.name, p.t = name+" "+words[0], r.trail(nil, start, end, "the forge is asked with "+name)
			}
		}
	}
	if n := shNamed(filter); n != "" {
		return shVal{{text: n, start: start, end: end}, p}
	}
	return shVal{p}
}

// shPicks reports whether a command of gh reads not what anybody has opened, but what
// somebody has named, marked or merged.
func shPicks(command, sub string, args []shArg) bool {
	switch {
	case command == "api":
		path, query, _ := strings.Cut(strings.ToLower(sub), "?")
		path = strings.TrimSuffix(strings.TrimSuffix(path, "/"), "/comments")
		return !strings.HasSuffix(path, "/issues") && !strings.HasSuffix(path, "/pulls") || strings.Contains(query, "labels=") || strings.Contains(query, "creator=") || strings.Contains(query, "assignee=")
	case command != "search" && sub != "list":
		return true
	}
	for i, a := range args {
		opt, of, ok := strings.Cut(a.text(), "=")
		if !ok && i+1 < len(args) {
			of = args[i+1].text()
		}
		if shIn("--author -A --label -l --assignee -a --app --milestone -m --search -S", opt) || (opt == "--state" || opt == "-s") && of == "merged" || opt == "--merged" {
			return true
		}
	}
	return false
}

// dispatch reports the untrusted inputs with which another workflow is started.
func (r *shRun) dispatch(name, workflow string, args []shArg, start, end int) {
	for i := 1; i+1 < len(args); i++ {
		if t := args[i].text(); t != "-f" && t != "-F" && t != "--field" && t != "--raw-field" {
			continue
		}
		v := args[i+1].v
		if len(v) == 0 || v[0].opaque || shWith(v, ShellUntrusted) == nil {
			continue
		}
		input, _, ok := strings.Cut(v[0].text, "=")
		if !ok || input == "" {
			continue
		}
		p := shWith(v, ShellUntrusted)
		text := name + " workflow run gives it to " + shPrint(workflow) + " as " + shPrint(input)
		r.fact(ShellFact{Kind: FactDispatch, Span: shSpan(start, end), Command: workflow, Name: input, Labels: shLabels(v), Detail: text, Trace: shTrace(r.trail(p.t, start, end, text))})
	}
}

// checkout notes that a stranger's code comes in.
func (r *shRun) checkout(args []shArg, command string, p *shPiece, start, end int, workspace bool) {
	f := ShellFact{Kind: FactCheckout, Span: shSpan(start, end), Command: command, Sink: "fetch", Detail: "the commits of a pull request are fetched"}
	var t *shTrail
	if p != nil {
		f.Name, f.Labels = p.name, p.l
		t = p.t
	}
	for _, a := range args {
		f.Labels |= shLabels(a.v) &^ shellNamed
	}
	t = r.trail(t, start, end, command+" brings a stranger's code")
	f.Trace = shTrace(t)
	if workspace {
		f.Sink = "workspace"
		f.Detail = "the workspace becomes a stranger's code"
		if r.outside(r.st.cwd) && r.st.cwd != "" && len(args) > 0 {
			f.Sink, f.Name, f.Detail = "folder", shPrint(r.st.cwd), "a folder outside of the workspace becomes a stranger's code"
			r.fact(f)
			return
		}
		f.Labels |= ShellWorkspace
		if !r.outside(r.st.cwd) || len(args) == 0 {
			r.st.ws = ShellSource{Labels: ShellUntrusted | ShellWorkspace, Text: command}
			r.st.wst = t
		}
	}
	r.fact(f)
}

// checkoutTo notes that a stranger's code comes into a folder of its own.
func (r *shRun) checkoutTo(dir, command string, args []shArg, p *shPiece, start, end int) {
	f := ShellFact{Kind: FactCheckout, Span: shSpan(start, end), Command: command, Sink: "folder", Name: shPrint(dir), Detail: "a folder becomes a stranger's code"}
	var t *shTrail
	if p != nil {
		f.Labels, t = p.l, p.t
	}
	for _, a := range args {
		f.Labels |= shLabels(a.v) &^ shellNamed
	}
	t = r.trail(t, start, end, command+" brings a stranger's code")
	f.Trace = shTrace(t)
	r.fact(f)
	shSet(r, &r.st.files, "tree:"+dir, shVal{{opaque: true, start: start, end: end, l: ShellUntrusted | ShellWorkspace, t: t}})
}

// foreignBytes is the archive or patch of a stranger's code among what a program reads:
// its operands that are files, or else its input.
func (r *shRun) foreignBytes(args []shArg, stdin shVal) *shPiece {
	for _, a := range args {
		sym := shSymbol(a.v)
		if sym == "" || strings.HasPrefix(sym, "-") {
			continue
		}
		if p := shWith(r.st.files.m[r.fileKey(a.v)], shellForeign); p != nil {
			return p
		}
	}
	return shWith(stdin, shellForeign)
}

// unpack makes the workspace, or a folder, a stranger's where a program unpacks an
// archive or applies a patch of a stranger's code.
func (r *shRun) unpack(name string, args []shArg, stdin shVal) {
	start, end := args[0].start, args[len(args)-1].end
	dir, known := "", false
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch {
		case name == "tar" && i == 1 && !strings.HasPrefix(t, "--") && strings.ContainsAny(t, "ct") && !strings.Contains(t, "x"):
			return // makes an archive, or lists one
		case (name == "tar" || name == "bsdtar") && (t == "-C" || t == "--directory") || (name == "unzip" || name == "patch") && t == "-d", name == "patch" && t == "--directory":
			if i+1 < len(args) {
				dir, known = r.fileKey(args[i+1].v), true
			}
		case strings.HasPrefix(t, "--directory="):
			dir, known = r.resolve(t[len("--directory="):]), true
		case (name == "7z" || name == "7za") && strings.HasPrefix(t, "-o"):
			dir, known = r.resolve(t[2:]), true
		case name == "unzip" && (t == "-l" || t == "-p" || t == "-t"):
			return
		}
	}
	if p := r.foreignBytes(args[1:], stdin); p != nil {
		if p.l&shellArtifact != 0 {
			r.artifact(name, dir, p.t, start, end)
		} else if dir != "" {
			r.checkoutTo(dir, name, args, p, start, end)
		} else {
			r.checkout(args[:1], name, p, start, end, true)
		}
		return
	}
	// An archive that an earlier step has fetched.
	for _, a := range args[1:] {
		sym := shSymbol(a.v)
		if sym == "" || strings.HasPrefix(sym, "-") || !shArchive(sym) {
			continue
		}
		key := r.fileKey(a.v)
		s, ok := dirAt(r.in.Dirs, key)
		if !ok || s.Labels&ShellWorkspace == 0 {
			continue
		}
		t := r.trail(nil, start, end, name+" unpacks "+shPrint(sym))
		f := ShellFact{Kind: FactCheckout, Span: shSpan(start, end), Command: name, Name: shPrint(dir), Sink: "unpack", Labels: s.Labels | ShellWorkspace | ShellUntrusted,
			Detail: "files of a stranger are unpacked", Trace: shTrace(t)}
		r.fact(f)
		if dir == "" {
			dir = r.st.cwd
		}
		if dir == "" || !r.outside(dir) && !known {
			r.st.ws = ShellSource{Labels: f.Labels, Text: name}
			r.st.wst = t
		} else {
			shSet(r, &r.st.files, "tree:"+dir, shVal{{opaque: true, start: start, end: end, l: f.Labels, t: t}})
		}
		return
	}
}

// shArchive reports whether a name is that of an archive.
func shArchive(name string) bool {
	for _, end := range []string{".zip", ".tar", ".tgz", ".gz", ".xz", ".zst", ".bz2", ".7z"} {
		if strings.HasSuffix(strings.ToLower(name), end) {
			return true
		}
	}
	return false
}

// artifact notes that files of another run come in.
func (r *shRun) artifact(command, dir string, t *shTrail, start, end int) {
	r.fact(ShellFact{Kind: FactCheckout, Span: shSpan(start, end), Command: command, Name: shPrint(dir), Sink: "artifact", Maybe: true, Detail: "files of another run are brought in",
		Trace: shTrace(r.trail(t, start, end, "files of another run are brought in"))})
}

// shWorktree is the folder that git worktree add makes.
func shWorktree(sub string, rest []shArg) (shArg, bool) {
	if sub != "worktree" || len(rest) == 0 || rest[0].text() != "add" {
		return shArg{}, false
	}
	for i := 1; i < len(rest); i++ {
		t := rest[i].text()
		if t == "-b" || t == "-B" || t == "--reason" {
			i++
			continue
		}
		if !strings.HasPrefix(t, "-") {
			return rest[i], true
		}
	}
	return shArg{}, false
}

// shPullRef reports whether a ref names a pull or merge request of anybody.
func shPullRef(sym string) bool {
	return strings.Contains(sym, "refs/pull") || strings.Contains(sym, "refs/merge-requests") ||
		(strings.HasPrefix(strings.TrimPrefix(sym, "+"), "pull/") || strings.HasPrefix(sym, "merge-requests/")) && (strings.Contains(sym, "/head") || strings.Contains(sym, "/merge"))
}

func (r *shRun) git(args []shArg, stdin shVal) shVal {
	start, end := args[0].start, args[len(args)-1].end
	i := 1
	for i < len(args) && strings.HasPrefix(args[i].text(), "-") {
		t := args[i].text()
		if t == "-c" && i+1 < len(args) {
			r.gitConfig(shSymbol(args[i+1].v), args[i+1].v, start, end)
			i++
		} else if (t == "-C" || t == "--git-dir" || t == "--work-tree") && i+1 < len(args) {
			i++
			if t == "-C" {
				defer func(cwd string) { r.st.cwd = cwd }(r.st.cwd)
				r.st.cwd = r.fileKey(args[i].v)
			}
		}
		i++
	}
	if i >= len(args) {
		return nil
	}
	sub := args[i].text()
	rest := args[i+1:]
	// The ref among the operands that is a stranger's.
	var ref *shPiece
	pull, head := "", false
	for j := range rest {
		sym := shSymbol(rest[j].v)
		if p := shWith(rest[j].v, ShellRef|ShellUntrusted); p != nil && ref == nil && !strings.HasPrefix(sym, "-") && (j == 0 || !shIn("-m --message -F -C -c --format --author --depth", rest[j-1].text())) {
			ref = p
		}
		if shPullRef(sym) {
			pull = sym
		}
		if sym == "FETCH_HEAD" && r.st.fetched["FETCH_HEAD"] || r.st.fetched[sym] {
			head = true
		}
		// A remote that the script has pointed at a stranger's repository.
		remote, _, _ := strings.Cut(sym, "/")
		if p := shWith(r.st.files.m["remote:"+remote], ShellRef|ShellUntrusted); p != nil && sub != "remote" && sub != "push" {
			ref, head = p, true
		}
	}
	if sub == "apply" || sub == "am" {
		if p := r.foreignBytes(rest, stdin); p != nil {
			ref, head = p, true
		}
	}
	switch sub {
	case "fetch":
		if pull != "" || ref != nil {
			r.checkout(args, "git fetch", ref, start, end, false)
			names := map[string]bool{"FETCH_HEAD": true}
			for k := range r.st.fetched {
				names[k] = true
			}
			for _, a := range rest {
				sym := shSymbol(a.v)
				if _, local, ok := strings.Cut(sym, ":"); ok && local != "" && !strings.Contains(local, "//") && (shPullRef(sym) || shWith(a.v, ShellRef|ShellUntrusted) != nil) {
					names[strings.TrimPrefix(local, "refs/heads/")] = true
					names[strings.TrimPrefix(local, "refs/remotes/")] = true
				}
			}
			r.st.fetched = names
		}
	case "checkout", "switch", "merge", "pull", "rebase", "reset", "cherry-pick", "worktree", "read-tree", "restore", "apply", "am", "submodule":
		if sub == "submodule" && (len(rest) == 0 || rest[0].text() != "foreach") {
			break
		}
		// A branch that the script makes, with a name that holds an untrusted text, is
		// its own.
		made := r.has(append(args[:1:1], rest...), "-b", "-B", "-c", "-C", "--orphan") && pull == "" && !head
		if (pull != "" || ref != nil || head) && !made {
			if dir, ok := shWorktree(sub, rest); ok {
				r.checkoutTo(r.fileKey(dir.v), "git worktree", args, ref, start, end)
			} else {
				r.checkout(args, "git "+sub, ref, start, end, true)
			}
		}
		for _, a := range rest {
			if t := a.text(); sub == "rebase" && (t == "--exec" || t == "-x") || sub == "submodule" && t == "foreach" {
				for _, b := range rest {
					if p := shWith(b.v, ShellUntrusted); p != nil {
						r.code("git "+sub, p, b.start, b.end, ContextCode, "git runs the value")
					}
				}
			}
		}
	case "clone":
		var ops []shArg
		for j := 0; j < len(rest); j++ {
			t := rest[j].text()
			if strings.HasPrefix(t, "-") {
				if shIn("-b --branch --depth -o --origin -j --jobs --reference --filter --config -c --template", t) {
					j++
				}
				continue
			}
			ops = append(ops, rest[j])
		}
		if len(ops) == 0 {
			break
		}
		url := shSymbol(ops[0].v)
		dir := ""
		if len(ops) > 1 {
			dir = r.fileKey(ops[1].v)
		} else {
			dir = r.resolve(strings.TrimSuffix(path.Base(url), ".git"))
		}
		if ref != nil && dir != "" && dir != "." && dir[0] != 0 {
			r.checkoutTo(dir, "git clone", args, ref, start, end)
		} else if ref != nil {
			r.checkout(args, "git clone", ref, start, end, true)
		} else if dir != "" && dir != "." && !strings.HasPrefix(dir, "\x00") {
			shSet(r, &r.st.files, "clone:"+dir, nil)
		}
	case "push":
		f := ShellFact{Kind: FactGitPush, Span: shSpan(start, end), Command: "git push", Detail: "with the credentials that the repository's configuration keeps"}
		for _, a := range rest {
			if sym := shSymbol(a.v); strings.Contains(sym, "://") {
				f.Name = shPrint(shRedactURL(sym))
				if i := strings.LastIndexByte(sym, '@'); i > strings.Index(sym, "://") {
					f.Detail = "with a token in the address"
					f.Labels |= ShellSecret
				}
			}
			f.Labels |= shLabels(a.v)
			if t := a.text(); f.Name == "" && t != "" && !strings.HasPrefix(t, "-") {
				f.Name = t
			}
		}
		f.Trace = shTrace(r.trail(nil, start, end, "git push, "+f.Detail))
		r.fact(f)
	case "config":
		var ops []shArg
		for _, a := range rest {
			if !strings.HasPrefix(a.text(), "-") {
				ops = append(ops, a)
			}
		}
		if len(ops) > 1 {
			r.gitConfig(shSymbol(ops[0].v)+"="+shSymbol(ops[1].v), append(append(shVal(nil), ops[0].v...), ops[1].v...), start, end)
		}
	case "remote":
		var ops []shArg
		for _, a := range rest {
			if !strings.HasPrefix(a.text(), "-") {
				ops = append(ops, a)
			}
		}
		if len(ops) > 2 && shIn("add set-url", ops[0].text()) && ops[1].text() != "" {
			shSet(r, &r.st.files, "remote:"+ops[1].text(), ops[2].v)
		}
		for _, a := range rest {
			if sym := shSymbol(a.v); strings.Contains(sym, "://") && shLabels(a.v)&ShellSecret != 0 {
				r.gitConfig("remote.url="+sym, a.v, start, end)
			}
		}
	case "ls-remote", "rev-parse":
		if pull != "" || ref != nil && sub == "rev-parse" || head {
			if l := r.in.Head.Labels; l != 0 {
				return shVal{{opaque: true, start: start, end: end, name: "git " + sub, l: l, t: r.trail(nil, start, end, "git "+sub+" names the commit of a pull request")}}
			}
		}
	case "log", "show", "diff", "ls-files", "branch", "shortlog", "diff-tree", "name-rev", "cat-file":
		own := !(r.st.ws.Labels&ShellUntrusted != 0 && !r.outside(r.st.cwd) || ref != nil || head)
		if !own || r.in.Log.Labels != 0 && (sub == "log" || sub == "show" || sub == "shortlog") {
			p := shPiece{opaque: true, start: start, end: end, name: "git " + sub, l: ShellUntrusted}
			if !own {
				p.l |= r.st.ws.Labels &^ shellNamed
			}
			if ref != nil {
				p.l |= ref.l &^ shellNamed
			}
			if sub != "branch" {
				p.l |= ShellNewline | ShellBlank
			}
			if own {
				p.l = r.in.Log.Labels
			}
			if (sub == "log" || sub == "show") && shOneLine(sub, rest) {
				p.l &^= ShellNewline
			}
			t := r.st.wst
			if ref != nil {
				t = ref.t
			}
			for _, a := range rest {
				if t := a.text(); t == "--quiet" || t == "--exit-code" || t == "--shortstat" || shSafeFormat(t) {
					return shVal{{opaque: true, start: start, end: end}}
				}
			}
			p.t = r.trail(t, start, end, "names and messages of the commits are read with git "+sub)
			return shVal{p}
		}
	}
	return shVal{{opaque: true, start: start, end: end}}
}

// shOneLine reports whether git writes one line: the subject, or names, of one commit.
func shOneLine(sub string, rest []shArg) bool {
	one, line := false, false
	for i, a := range rest {
		t := a.text()
		next := ""
		if i+1 < len(rest) {
			next = rest[i+1].text()
		}
		switch {
		case t == "-1" || t == "-n1" || t == "--max-count=1" || t == "-n" && next == "1", sub == "show" && (t == "-s" || t == "--no-patch"):
			one = true
		case strings.HasPrefix(t, "--format=") || strings.HasPrefix(t, "--pretty="):
			_, format, _ := strings.Cut(t, "=")
			line = strings.Contains(format, "%") && !hasAny(format, "%B", "%b", "%n", "%N", "%w", "%GG", "%(trailers")
		case t == "--oneline":
			line = true
		case t == "-p" || t == "--patch" || t == "--stat" || strings.HasPrefix(t, "--name-"):
			return false
		}
	}
	return one && line
}

// shSafeFormat reports whether a format of git log holds numbers and dates only.
func shSafeFormat(t string) bool {
	_, f, ok := strings.Cut(t, "=")
	if !ok || !strings.HasPrefix(t, "--format=") && !strings.HasPrefix(t, "--pretty=") {
		return false
	}
	f = strings.TrimPrefix(strings.TrimPrefix(f, "format:"), "tformat:")
	for _, code := range strings.Split(f, "%")[1:] {
		safe := false
		for _, c := range []string{"H", "h", "T", "t", "P", "p", "ct", "at", "ci", "cI", "ai", "aI", "cs", "as", "cd", "ad", "n", "x"} {
			safe = safe || strings.HasPrefix(code, c)
		}
		if !safe {
			return false
		}
	}
	return strings.Contains(f, "%")
}

// shRedactURL takes the credentials out of an address.
func shRedactURL(s string) string {
	i := strings.Index(s, "://")
	if i < 0 {
		return s
	}
	if j := strings.LastIndexByte(s, '@'); j > i {
		return s[:i+3] + s[j+1:]
	}
	return s
}

// gitConfig reports settings that weaken, redirect or carry a credential.
func (r *shRun) gitConfig(setting string, v shVal, start, end int) {
	key, val, _ := strings.Cut(setting, "=")
	low := strings.ToLower(key)
	f := ShellFact{Kind: FactGitConfig, Span: shSpan(start, end), Command: "git config", Name: shPrint(shRedactURL(key)), Labels: shLabels(v)}
	switch {
	case low == "safe.directory":
		if strings.TrimSpace(val) != "*" {
			return
		}
		f.Detail = "git trusts every folder, whoever owns it"
	case strings.HasSuffix(low, ".insteadof") || strings.HasPrefix(low, "url.") && strings.Contains(setting, "insteadOf"):
		f.Name = shPrint(shRedactURL(setting))
		if i := strings.Index(strings.ToLower(f.Name), ".insteadof"); i >= 0 {
			f.Name = f.Name[:i] + ".insteadOf"
		}
		f.Detail = "addresses are rewritten"
		if strings.Contains(setting, "@") && strings.Contains(setting, "://") {
			f.Detail = "addresses are rewritten, and carry a credential"
		}
	case strings.Contains(low, "extraheader"), low == "credential.helper", low == "remote.url":
		if val == "" {
			return
		}
		f.Detail = "a credential is kept in the configuration"
	case low == "http.sslverify" && strings.HasPrefix(strings.ToLower(val), "false"):
		f.Detail = "certificates are not checked"
	case low == "core.hookspath", low == "core.fsmonitor", low == "core.sshcommand", low == "core.editor", low == "protocol.ext.allow":
		f.Detail = "git runs what this names"
		if val == "" || val == "true" || val == ":" || val == "false" || val == "/dev/null" {
			return
		}
	default:
		return
	}
	if p := shWith(v, ShellSecret); p != nil {
		f.Trace = shTrace(r.trail(p.t, start, end, "is kept in git's configuration"))
	} else {
		f.Trace = shTrace(r.trail(nil, start, end, f.Detail))
	}
	r.fact(f)
}

// filter is what a program writes of what it gets: all of its input and the texts
// among its arguments, if it is known to pass them on.
func (r *shRun) filter(name string, args []shArg, stdin shVal) shVal {
	start, end := args[0].start, args[len(args)-1].end
	switch name {
	case "sha256sum", "sha512sum", "sha1sum", "md5sum", "shasum", "gpg", "cosign", "minisign", "slsa-verifier", "gpgv", "b2sum", "rekor-cli", "certutil":
		r.st.verified = true
		if name != "gpg" {
			return shVal{{opaque: true, start: start, end: end}}
		}
	case "ls", "tree":
		return r.names(start, end)
	}
	if !shellFilters[name] {
		return shVal{{opaque: true, start: start, end: end}}
	}
	if name == "cat" && len(args) == 1 {
		return stdin
	}
	v := append(shVal(nil), stdin...)
	// Operands that are files. The first of some is a program, or a text.
	program := name == "jq" || name == "gojq" || name == "yq" || name == "sed" || name == "awk" || strings.HasSuffix(name, "grep")
	for i, a := range args[1:] {
		t := a.text()
		sym := shSymbol(a.v)
		if sym == "" || strings.HasPrefix(t, "-") && t != "-" || sym[0] == 0 {
			continue
		}
		if program {
			program = false
			continue
		}
		key := r.fileKey(a.v)
		_, known := r.st.files.m[key]
		plain := shIn(shReaders, name) && shFileName.MatchString(sym) && r.dirSource(key).Labels&ShellWorkspace != 0
		if known || plain || strings.HasSuffix(name, "grep") && shPathLike(sym) || sym == "$GITHUB_EVENT_PATH" || name == "cat" || i > 0 && name != "tr" && name != "expr" && name != "date" && shPathLike(sym) {
			v = shCat(v, r.readFile(a.v, a.start, a.end))
		}
	}
	if name != "grep" && name != "egrep" && name != "fgrep" && name != "rg" && name != "cat" {
		filter := ""
		if name == "jq" || name == "gojq" {
			if a, ok := shOperand(args, shJQValued, "-f --from-file"); ok {
				filter = shSymbol(a.v)
			}
		}
		for i, a := range args[1:] {
			if filter != "" && i > 1 && shIn("--arg --argjson", args[i-1].text()) && !shGives(filter, args[i].text()) {
				continue // it only decides what is put out
			}
			if shLabels(a.v) != 0 {
				v = shCat(v, r.argument(a.v, false))
			}
		}
	}
	if name == "cat" {
		return v
	}
	var head shVal
	if (name == "sed" || name == "tr" || name == "envsubst") && len(v) > 1 && !v[0].opaque {
		// A name that the script writes in front stays in front.
		if i := strings.IndexByte(v[0].text, '='); i > 0 && !strings.Contains(v[0].text, "\n") && shIsName(strings.ReplaceAll(v[0].text[:i], "-", "_")) {
			head = v[:1:1]
			v = v[1:]
		}
	}
	v = shCollapse(v)
	if len(v) == 0 || v[0].l == 0 {
		return shCat(head, shVal{{opaque: true, start: start, end: end}})
	}
	v = append(shVal(nil), v...)
	v[0].start, v[0].end = start, end
	v[0].fit = fitAfter(name, args, v[0].fit)
	var heads *shPiece
	if v[0].l&shellPull != 0 {
		v[0], heads = r.headsOf(name, args, v[0])
	}
	if !shellKeepers[name] {
		v[0].l &^= ShellDownload | shellPlain
	}
	v = r.transform(name, args, v, start, end)
	if heads != nil && len(v) > 0 {
		v = slices.Clone(v)
		p := &v[len(v)-1]
		p.l |= heads.l
		if p.l&ShellUntrusted == 0 {
			p.t, p.name = heads.t, heads.name
		}
	}
	return shCat(head, v)
}

// shReaders are filters whose operands are files, and shFileName is what one looks like
// where nothing else is known of it.
const shReaders = "head tail sed gsed awk gawk tac nl uniq grep egrep fgrep rg jq yq strings rev"

var shFileName = regexp.MustCompile(`^[A-Za-z_.][A-Za-z0-9_./-]*$`)

// shPathLike reports whether a word looks like the name of a file.
func shPathLike(s string) bool {
	if strings.ContainsAny(s, " \n|{}()'\"") {
		return false
	}
	i := strings.LastIndexByte(s, '.')
	return strings.Contains(s, "/") || i >= 0 && i < len(s)-1 && len(s)-i <= 6
}

// transform says what a filter takes away.
func (r *shRun) transform(name string, args []shArg, v shVal, start, end int) shVal {
	one := func() shVal { return r.unlined(v) }
	word := func(i int) string {
		if i < len(args) {
			return args[i].text()
		}
		return ""
	}
	switch name {
	case "base64":
		if r.has(args, "-d", "--decode", "-D") {
			return v
		}
		if p := shWith(v, ShellSecret); p != nil {
			r.secret(p, SecretEncoded, name, "", start, end, "no mask covers the encoded form")
			v = r.encoded(v, start, end)
		}
		return r.checked(v, start, end, "is base64 now")
	case "xxd", "od", "rev", "openssl", "gzip":
		if p := shWith(v, ShellSecret); p != nil && name != "openssl" && name != "gzip" {
			r.secret(p, SecretEncoded, name, "", start, end, "no mask covers the encoded form")
		}
		v = r.encoded(v, start, end)
		if name == "xxd" || name == "od" || name == "openssl" {
			v = r.checked(v, start, end, "is encoded")
		}
		return v
	case "tr":
		i := 1
		del, comp := false, false
		for strings.HasPrefix(word(i), "-") && len(word(i)) > 1 {
			del = del || strings.Contains(word(i), "d")
			comp = comp || strings.ContainsAny(word(i), "cC")
			i++
		}
		set := shUnescape(word(i))
		switch {
		case comp && shSafeSet(word(i)):
			return r.checked(v, start, end, "other characters than "+word(i)+" are removed")
		case !comp && strings.Contains(set, "\n") && (del || !strings.Contains(shUnescape(word(i+1)), "\n")):
			return one()
		}
		return v
	case "sed", "gsed":
		for _, a := range args[1:] {
			if t := a.text(); shSedStrips(t) {
				return r.checked(v, start, end, "sed removes other characters")
			}
		}
		if shSedLine(args) {
			return one()
		}
		return r.encoded(v, start, end)
	case "grep", "egrep":
		count, only := false, false
		pattern := ""
		for i := 1; i < len(args); i++ {
			t := args[i].text()
			if strings.HasPrefix(t, "-") && len(t) > 1 {
				short := !strings.HasPrefix(t, "--")
				count = count || t == "--count" || t == "--quiet" || short && strings.ContainsAny(t, "cq")
				only = only || t == "--only-matching" || short && strings.Contains(t, "o")
				continue
			}
			pattern = t
			break
		}
		if count {
			return shVal{{opaque: true, start: start, end: end}}
		}
		if shSafeRegex(pattern, !only) {
			return r.checked(v, start, end, "only what matches "+shPrint(pattern)+" is kept")
		}
		return v
	case "head", "tail":
		for _, a := range args[1:] {
			if t := a.text(); t == "-1" || t == "-n1" || t == "1" || t == "--lines=1" {
				return one()
			}
		}
		return v
	case "cut", "fold", "expr", "awk", "gawk":
		for _, a := range args[1:] {
			t := a.text()
			if strings.Contains(t, "length(") || strings.Contains(t, "NR==1") && strings.Contains(t, "print $") {
				return one()
			}
			if strings.HasSuffix(name, "awk") && shCounts(t) {
				return r.checked(v, start, end, "awk prints a number")
			}
			if strings.HasSuffix(name, "awk") && len(args) == 2 && shOneField(t) {
				v = r.shDrop(v, ShellBlank, 0, start, end, "")
			}
			if v[0].name == "git log" && (t == "-f1" || t == "{print $1}" || t == "{ print $1 }") {
				return r.checked(v, start, end, "only the commit's number is kept")
			}
		}
		return r.encoded(v, start, end)
	case "basename", "dirname":
		return v
	case "realpath", "readlink", "date", "bc":
		return r.checked(v, start, end, "is read as a path, a date or a number")
	case "jq", "gojq":
		fromEvent := v[0].name == "event file" || strings.HasPrefix(v[0].name, "gh ") || strings.Contains(strings.ToLower(v[0].name), "api") || strings.Contains(v[0].name, "/pulls")
		filter, raw := shJQ(args)
		if fromEvent && filter != "" {
			l := shFields(filter)
			if l&ShellUntrusted == 0 {
				return r.shDrop(v, shHarm, 0, start, end, "")
			}
			v = r.shDrop(v, shHarm&^l, 0, start, end, "")
		}
		if shJQPlain(filter) {
			return r.shDrop(v, shHarm, 0, start, end, "")
		}
		if strings.Contains(filter, "@base64d") {
			return v
		}
		if strings.Contains(filter, "@sh") || strings.Contains(filter, "@base64") || strings.Contains(filter, "@uri") {
			return r.checked(v, start, end, "is quoted by jq")
		}
		if !raw || strings.Contains(filter, "tojson") {
			v = one() // JSON writes a line break as \n
		}
		if n := shNamed(filter); n != "" {
			return append(shVal{{text: n, start: start, end: end}}, v...)
		}
		return v
	}
	return v
}

// shJQ is the filter of a call of jq, and whether it writes texts without their quotes.
func shJQ(args []shArg) (filter string, raw bool) {
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if strings.HasPrefix(t, "-") && len(t) > 1 {
			if !strings.HasPrefix(t, "--") {
				raw = raw || strings.ContainsAny(t, "rj")
			} else {
				raw = raw || t == "--raw-output" || t == "--join-output"
				if t == "--arg" || t == "--argjson" || t == "--slurpfile" || t == "--rawfile" {
					i += 2
				}
			}
			continue
		}
		return shSymbol(args[i].v), raw
	}
	return "", raw
}

// shCounted is what a program of awk prints where it can be nothing but a number.
var shCounted = regexp.MustCompile(`\bprint\b\s*\(?\s*(?:NR|[A-Za-z_]\w*\s*[+*]\s*[0-9]+|0\s*\+\s*[A-Za-z_]\w*|length(?:\([^()]*\))?)\s*\)?\s*(?:[;}]|$)`)

// shCounts reports whether all that a program of awk prints are numbers.
func shCounts(t string) bool {
	n := len(shCounted.FindAllString(t, -1))
	return n > 0 && n == strings.Count(t, "print")
}

// shOneField reports whether a program of awk prints one field of each line, which has no
// blank where no other separator is set.
func shOneField(t string) bool {
	t = strings.ReplaceAll(t, " ", "")
	rest, ok := strings.CutPrefix(t, "{print$")
	rest, ok2 := strings.CutSuffix(rest, "}")
	return ok && ok2 && (rest == "NF" || len(rest) == 1 && rest[0] >= '1' && rest[0] <= '9')
}

// shSedPrints is a program of sed that prints one line: without -n, and with it.
var shSedPrints = [2]*regexp.Regexp{
	regexp.MustCompile(`^(?:(?:[0-9]+|\$)!d|[0-9]+q;d|1q)$`),
	regexp.MustCompile(`^(?:(?:[0-9]+|\$)p|[0-9]+\{p;q;?\})$`),
}

// shSedLine reports whether a call of sed prints one line of what it reads, by its number.
func shSedLine(args []shArg) bool {
	quiet := 0
	for _, a := range args[min(1, len(args)):] {
		switch t := a.text(); {
		case t == "-n":
			quiet = 1
		case t == "-E" || t == "-r" || t == "-e":
		case strings.HasPrefix(t, "-"):
			return false
		default:
			return shSedPrints[quiet].MatchString(strings.ReplaceAll(t, " ", ""))
		}
	}
	return false
}

// shSafeSet reports whether a set of tr has harmless characters only.
func shSafeSet(s string) bool {
	if s == "" {
		return false
	}
	_, ok := shSafeClass("[" + strings.ReplaceAll(s, `\n`, "") + "]")
	return ok && !strings.Contains(s, `\n`)
}

// shSedStrips reports whether a program of sed removes all but harmless
// characters: s/[^a-z]//g.
func shSedStrips(t string) bool {
	if len(t) < 6 || t[0] != 's' {
		return false
	}
	sep := t[1:2]
	parts := strings.Split(t[2:], sep)
	if len(parts) < 3 || !strings.Contains(parts[2], "g") {
		return false
	}
	return shRejectClass(strings.TrimSuffix(parts[0], `\`)) && shSafeText(parts[1])
}
