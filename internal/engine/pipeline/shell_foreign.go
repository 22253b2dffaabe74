package pipeline

import (
	"regexp"
	"slices"
	"strings"
)

// plain follows the plain commands of a script that another shell or Python reads: what
// they run of the workspace, and whose code they bring into it.
func (r *shRun) plain() {
	text := ""
	switch r.res.Dialect {
	case DialectPowerShell, DialectCmd:
		text = shPlainLines(r.src, r.res.Dialect == DialectCmd)
	case DialectPython:
		text = shCalls(r.src, pythonCalls)
	}
	if text == "" || len(text) > shellMaxScript {
		return
	}
	res := ShellResult{Dialect: DialectBash, Exprs: slices.Clone(r.res.Exprs)}
	sub := &shRun{in: r.in, raw: text, src: text, res: &res}
	sub.script()
	for _, f := range res.Facts {
		if f.Kind == FactExecute || f.Kind == FactCheckout {
			r.res.Facts = append(r.res.Facts, f)
		}
	}
	r.res.Untrusted = res.Untrusted
}

// shLanguage are words with which a line of PowerShell or of cmd begins that is no plain
// command.
const shLanguage = "if else elseif for foreach while do switch function filter param try catch finally throw return break continue begin process end class enum using trap in set setlocal endlocal goto rem echo exit"

// plainWord is the first word of a plain command.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./\\-]+$`)

// shPlainLines makes a script for a POSIX shell of the lines that are plain commands,
// byte for byte: everything else becomes blanks.
func shPlainLines(src string, cmd bool) string {
	out := []byte(src)
	any := false
	here, comment, goesOn := "", false, false
	start := 0
	for line := range strings.Lines(src) {
		at := start
		start += len(line)
		b := out[at:start]
		trimmed := strings.TrimSpace(line)
		keep := false
		switch {
		case here != "":
			if strings.HasPrefix(trimmed, here) {
				here = ""
			}
		case comment:
			comment = !strings.Contains(trimmed, "#>")
		case !cmd && strings.HasPrefix(trimmed, "<#"):
			comment = !strings.Contains(trimmed, "#>")
		default:
			if !cmd && (strings.HasSuffix(trimmed, `@"`) || strings.HasSuffix(trimmed, "@'")) {
				here = trimmed[len(trimmed)-1:] + "@"
				break
			}
			keep = goesOn || shPlain(trimmed)
		}
		if !keep {
			shBlank(b)
			goesOn = false
			continue
		}
		goesOn = shPlainLine(b, cmd)
		any = true
	}
	if !any {
		return ""
	}
	return string(out)
}

// shPlain reports whether a line is a plain command.
func shPlain(line string) bool {
	line = strings.TrimLeft(strings.TrimPrefix(line, "@"), "& ")
	word, rest, _ := strings.Cut(line, " ")
	word = strings.Trim(word, `"'`)
	return plainWord.MatchString(word) && !shIn(shLanguage, strings.ToLower(word)) && !strings.HasPrefix(strings.TrimSpace(rest), "=") && !strings.HasPrefix(word, "-")
}

// shBlank makes blanks of everything but line breaks.
func shBlank(b []byte) {
	for i := range b {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
}

// shPlainLine makes a line one that a POSIX shell reads, and reports whether it goes on.
func shPlainLine(b []byte, cmd bool) (goesOn bool) {
	low := strings.ToLower(string(b))
	first := len(low) - len(strings.TrimLeft(low, " \t"))
	for first < len(b) && (b[first] == '&' || b[first] == '@' || b[first] == ' ') {
		b[first] = ' '
		first++
	}
	for _, w := range []string{"set-location ", "push-location ", "chdir "} {
		if strings.HasPrefix(low[first:], w) {
			shBlank(b[first : first+len(w)])
			copy(b[first:], "cd")
		}
	}
	if cmd && strings.HasPrefix(low[first:], "call ") {
		copy(b[first:], "     ")
	}
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			b[i] = '/'
		case c == '`' && !cmd, c == '^' && cmd:
			if b[i] = ' '; strings.TrimSpace(string(b[i:])) == "" {
				b[i], goesOn = '\\', true
				for k := i + 1; k < len(b)-1; k++ {
					// Nothing may stand between the sign and the end of the line.
					b[k-1], b[k] = ' ', '\\'
				}
				return goesOn
			}
		case c == '\r':
			b[i] = ' '
		case c == '$' && strings.HasPrefix(low[i:], "$env:"):
			n := i + len("$env:")
			for n < len(b) && (b[n] == '_' || b[n] >= '0' && b[n] <= '9' || b[n]|0x20 >= 'a' && b[n]|0x20 <= 'z') {
				n++
			}
			if n > i+len("$env:") {
				name := string(b[i+len("$env:") : n])
				copy(b[i:n], `""${`+name+"}")
				i = n - 1
			}
		}
	}
	return goesOn
}

// Calls that run a command, of Python and of JavaScript. The next byte is the bracket.
var (
	pythonCalls     = regexp.MustCompile(`\b(?:subprocess\.(?:run|call|check_call|check_output|Popen)|os\.(?:system|popen|chdir)|check_call|check_output)\(`)
	javascriptCalls = regexp.MustCompile(`\b(?:execSync|execFileSync|spawnSync|execFile|spawn|exec(?:\.exec|\.getExecOutput)?|getExecOutput|process\.chdir)\(`)
)

// shCalls makes a script for a POSIX shell of the commands that a program runs, as far
// as they stand there as texts: each byte where it was, blanks for the others.
func shCalls(src string, calls *regexp.Regexp) string {
	var out []byte
	for _, m := range calls.FindAllStringIndex(src, 200) {
		i, end := m[1], m[1]
		type part struct{ from, to int }
		var parts []part
	scan:
		for i < len(src) {
			switch c := src[i]; {
			case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '[':
				i++
			case c == '\'' || c == '"' || c == '`':
				n := strings.IndexByte(src[i+1:], c)
				if n < 0 || n == 0 {
					break scan
				}
				parts = append(parts, part{i + 1, i + 1 + n})
				i += n + 2
				end = i
			default:
				break scan
			}
		}
		line, _, _ := strings.Cut(src[end:], "\n")
		if len(parts) == 0 || strings.Contains(line, "cwd") || strings.HasPrefix(strings.TrimSpace(line), "+") || strings.HasPrefix(strings.TrimSpace(line), "%") {
			continue
		}
		if out == nil {
			out = []byte(src)
			shBlank(out)
		}
		for k := m[0]; k < end; k++ {
			out[k] = ' '
		}
		out[m[1]-1] = '\n'
		if strings.Contains(src[m[0]:m[1]], "chdir") {
			copy(out[m[0]:], "\ncd")
			out[m[1]-1] = ' '
		}
		for n, p := range parts {
			text := src[p.from:p.to]
			if len(parts) > 1 && (n > 0 || strings.Contains(src[m[1]:p.from], "[")) && strings.ContainsAny(text, " \t\n$`|&;<>()*?'\"\\#") {
				for k := p.from; k < p.to; k++ {
					out[k] = 'Z' // one argument, whatever stands in it
				}
				continue
			}
			copy(out[p.from:], strings.ReplaceAll(text, "\n", " "))
		}
		if end < len(out) && out[end] == ' ' {
			out[end] = '\n'
		}
	}
	return string(out)
}
