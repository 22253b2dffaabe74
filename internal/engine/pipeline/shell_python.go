package pipeline

import (
	"regexp"
	"strings"
)

// Lines of Python that run a program, name a file of the runner or write to it. What they
// do is judged line by line, and so is never certain.
var (
	pyRun    = regexp.MustCompile(`\b(?:os\.(?:system|popen)|subprocess\.(?:run|call|check_call|check_output|Popen|getoutput|getstatusoutput))\s*\(`)
	pyList   = regexp.MustCompile(`^\s*\[([^\]\n]*)\]`)
	pyText   = regexp.MustCompile(`[rbfRBF]?(?:"([^"\n]*)"|'([^'\n]*)')`)
	pyEnv    = regexp.MustCompile(`os\.(?:environ(?:\.get\(|\[)|getenv\()\s*["']([A-Za-z_][A-Za-z0-9_]*)["']`)
	pyOpen   = regexp.MustCompile(`\bopen\(\s*os\.(?:environ(?:\.get\(|\[)|getenv\()\s*["'](GITHUB_(?:ENV|OUTPUT|PATH))["'].*?(?:\bas\s+([A-Za-z_]\w*)|\.write\()`)
	pyAssign = regexp.MustCompile(`^\s*([A-Za-z_]\w*)\s*=\s*(?:[^=]|$)`)
	pyEval   = regexp.MustCompile(`(?:^|[^.\w])(eval|exec)\s*\(`)
)

// python looks at a script of Python line by line.
func (r *shRun) python() {
	r.begin()
	r.maybe = true
	files := make(map[string]string) // variables that are files of the runner
	for start := 0; start < len(r.src) && r.step(); {
		end := strings.IndexByte(r.src[start:], '\n')
		if end < 0 {
			end = len(r.src)
		} else {
			end += start
		}
		line := r.src[start:end]
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' && len(line) < 4096 {
			r.pythonLine(line, start, files)
		}
		start = end + 1
	}
	r.res.Untrusted = r.st.ws.Labels&ShellWorkspace != 0
}

func (r *shRun) pythonLine(line string, start int, files map[string]string) {
	end := start + len(line)
	if m := pyRun.FindStringIndex(line); m != nil {
		r.pythonRun(line[m[1]:], start+m[1])
	}
	if m := pyEval.FindStringSubmatchIndex(line); m != nil {
		if p := shWith(r.pythonText(line[m[1]:], start+m[1]), ShellUntrusted); p != nil {
			r.code("python "+line[m[2]:m[3]], p, start+m[2], end, ContextCode, "the value is run as code")
		}
	}
	if m := pyOpen.FindStringSubmatchIndex(line); m != nil {
		if m[4] >= 0 {
			if len(files) < 100 {
				files[line[m[4]:m[5]]] = line[m[2]:m[3]]
			}
		} else {
			r.channel(line[m[2]:m[3]], r.pythonText(line[m[1]:], start+m[1]), "", start, end)
		}
	}
	for _, name := range shSorted(files) {
		ch := files[name]
		for _, w := range []string{name + ".write(", "file=" + name} {
			if i := strings.Index(line, w); i >= 0 && (i == 0 || !shellWordByte(line[i-1])) {
				at := 0
				if strings.HasPrefix(w, name) {
					at = i + len(w)
				}
				r.channel(ch, r.pythonText(line[at:], start+at), "", start, end)
			}
		}
	}
	if m := pyAssign.FindStringSubmatchIndex(line); m != nil {
		if v := r.pythonText(line[m[3]:], start+m[3]); len(r.st.vars.m) < 500 {
			r.assign("\x00py:"+line[m[2]:m[3]], v, start, end, false)
		}
	}
}

// pythonText is what a part of a line puts together: its texts in quotes, the variables
// of the environment and those of the script.
func (r *shRun) pythonText(s string, at int) shVal {
	var out shVal
	for i := 0; i < len(s) && len(out) < shMaxStored; {
		if strings.HasPrefix(s[i:], "os.") {
			if m := pyEnv.FindStringSubmatchIndex(s[i:min(len(s), i+300)]); m != nil && m[0] == 0 {
				out = shAdd(out, r.get(s[i+m[2]:i+m[3]], at+i, at+i+m[1]))
				i += m[1]
				continue
			}
		}
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' {
			j := i
			for j < len(s) && (s[j] == '_' || s[j] >= '0' && s[j] <= '9' || s[j]|0x20 >= 'a' && s[j]|0x20 <= 'z') {
				j++
			}
			name := "\x00py:" + s[i:j]
			if v, ok := r.st.vars.m[name]; ok && len(v.v) > 0 && (i == 0 || s[i-1] != '.') {
				out = shAdd(out, r.get(name, at+i, at+j))
			} else if (i == 0 || !shellWordByte(s[i-1])) && strings.HasPrefix(s[j:], "=") && !strings.HasPrefix(s[j:], "==") {
				out = shAdd(out, shLit(s[i:j+1], at+i, at+j))
				j++
			}
			i = j
			continue
		}
		if c == '=' && i > 0 {
			out = shAdd(out, shLit("=", at+i, at+i+1))
		}
		i++
	}
	return out
}

// pythonRun is what follows the parenthesis of a call that runs a program.
func (r *shRun) pythonRun(s string, at int) {
	if m := pyList.FindStringSubmatchIndex(s); m != nil {
		var args []shArg
		for _, t := range pyText.FindAllStringSubmatchIndex(s[m[2]:m[3]], 50) {
			a, b := m[2]+max(t[2], t[4]), m[2]+max(t[3], t[5])
			args = append(args, shArg{shLit(s[a:b], at+a, at+b), nil, at + a, at + b})
		}
		if len(args) > 0 && args[0].text() != "" {
			r.exec(args, nil, 0)
		}
		return
	}
	if p := shWith(r.pythonText(s, at), ShellUntrusted); p != nil && (strings.Contains(s, "shell=True") || !strings.Contains(r.src[max(0, at-40):at], "subprocess")) {
		r.code("python", p, at, at+len(s), ContextCode, "a shell runs the value")
	}
	if t := pyText.FindStringSubmatchIndex(s); t != nil && strings.TrimSpace(s[:t[0]]) == "" {
		r.innerAt(at+max(t[2], t[4]), at+max(t[3], t[5]), nil)
	}
}
