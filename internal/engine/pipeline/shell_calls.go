package pipeline

import (
	"regexp"
	"strings"
)

// javascriptCalls are calls that run a command. The next byte is the bracket.
var javascriptCalls = regexp.MustCompile(`\b(?:execSync|execFileSync|spawnSync|execFile|spawn|exec(?:\.exec|\.getExecOutput)?|getExecOutput|process\.chdir)\(`)

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

func shBlank(b []byte) {
	for i := range b {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
}
