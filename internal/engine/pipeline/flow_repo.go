package pipeline

import (
	"encoding/json"
	"path"
	"strings"

	"penstock"
)

// ownCode follows a script into code of the repository that it runs: a script, the
// recipes of a Makefile, a script of package.json. They have the same variables.
func (jr *jobRun) ownCode(fr *frame, st *Step, c code, f *ShellFact, dir string, out *stepOut, state *scriptState) {
	if c.depth >= flowScripts {
		return
	}
	switch words := strings.Fields(f.Command); {
	case f.Name != "":
		if inner, ok := jr.repositoryScript(f.Name); ok {
			inner.depth = c.depth + 1
			inner.args = state.args
			if f.Command == "source" || f.Command == "." {
				inner.calls = state.calls
			}
			jr.analyse(fr, st, inner, dir, out)
		}
	case len(words) > 0 && (words[0] == "make" || words[0] == "gmake"):
		for _, inner := range jr.recipes(dir, operands(c.command(f))) {
			inner.depth = c.depth + 1
			jr.analyse(fr, st, inner, dir, out)
		}
	case len(words) > 0 && (words[0] == "npm" || words[0] == "yarn" || words[0] == "pnpm" || words[0] == "bun"):
		if inner, ok := jr.packageScript(dir, operands(c.command(f))); ok {
			inner.depth = c.depth + 1
			jr.analyse(fr, st, inner, dir, out)
		}
	}
}

// command is the text of a fact, as far as it is on one line.
func (c code) command(f *ShellFact) string {
	start, end := min(max(int(f.Start), 0), len(c.text)), min(max(int(f.End), 0), len(c.text))
	if end < start {
		return ""
	}
	s := c.text[start:end]
	if i := strings.IndexAny(s, "\n;&|<>"); i >= 0 {
		s = s[:i]
	}
	return s
}

// operands are the words of a command that are neither options nor assignments.
func operands(command string) []string {
	var out []string
	words := strings.Fields(command)
	for i := 1; i < len(words); i++ {
		w := strings.Trim(words[i], `"'`)
		switch {
		case w == "--":
			return out
		case w == "-C" || w == "-f" || w == "--prefix" || w == "--filter":
			i++
		case strings.HasPrefix(w, "-") || strings.Contains(w, "=") || strings.ContainsAny(w, "$`"):
		default:
			out = append(out, w)
		}
	}
	return out
}

// read is a file of the repository, while there is room for one more.
func (f *flows) read(name string) ([]byte, bool) {
	name = path.Clean(name)
	if strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "$") {
		return nil, false
	}
	if _, seen := f.x.files[name]; !seen {
		if f.files >= flowFiles {
			f.x.limit(limitScripts)
			return nil, false
		}
		f.files++
	}
	b, ok := f.x.File(name)
	return b, ok && len(b) <= flowFileSize
}

// inFile is code that stands in a file at an offset.
func (f *flows) inFile(name, text, shell string, offset int) code {
	return code{path: f.x.Root + name, text: text, shell: shell, at: func(from, to int) penstock.Span {
		return penstock.Span{Start: int64(offset + from), End: int64(offset + to)}
	}}
}

// repositoryScript is a script of the repository that a shell reads.
func (jr *jobRun) repositoryScript(name string) (code, bool) {
	ext := path.Ext(name)
	if ext != ".sh" && ext != ".bash" && ext != "" {
		return code{}, false
	}
	b, ok := jr.read(name)
	if !ok {
		return code{}, false
	}
	text := string(b)
	first, _, _ := strings.Cut(text, "\n")
	if line, ok := strings.CutPrefix(first, "#!"); ok {
		line = strings.TrimPrefix(strings.TrimSpace(line), "/usr/bin/env ")
		if d := DialectOf(line); d != DialectBash && d != DialectSh {
			return code{}, false
		}
	} else if ext == "" {
		return code{}, false
	}
	c := jr.inFile(path.Clean(name), text, "bash", 0)
	c.name = path.Clean(name)
	return c, true
}

// recipes are those of a Makefile's targets, and of what they depend on.
func (jr *jobRun) recipes(dir string, targets []string) []code {
	var name string
	var b []byte
	for _, n := range []string{"Makefile", "makefile", "GNUmakefile"} {
		if got, ok := jr.read(path.Join(dir, n)); ok {
			name, b = path.Join(dir, n), got
			break
		}
	}
	if name == "" {
		return nil
	}
	rules := makeRules(string(b))
	if len(targets) == 0 && len(rules) > 0 {
		for _, r := range rules {
			if !strings.HasPrefix(r.target, ".") {
				targets = []string{r.target}
				break
			}
		}
	}
	var out []code
	seen := make(map[string]bool)
	for len(targets) > 0 && len(seen) < 50 {
		t := targets[0]
		targets = targets[1:]
		if seen[t] {
			continue
		}
		seen[t] = true
		for _, r := range rules {
			if r.target != t {
				continue
			}
			targets = append(targets, r.needs...)
			if r.end > r.start {
				out = append(out, jr.inFile(name, recipe(string(b[r.start:r.end])), "sh", r.start))
			}
		}
	}
	return out
}

// makeRule is a target with the bytes of its recipe.
type makeRule struct {
	target     string
	needs      []string
	start, end int
}

// makeRules reads the rules of a Makefile that stand there openly.
func makeRules(text string) []makeRule {
	var out []makeRule
	var open []int // rules whose recipe is read
	at := 0
	for line := range strings.Lines(text) {
		start := at
		at += len(line)
		if strings.HasPrefix(line, "\t") {
			for _, i := range open {
				if out[i].end == 0 {
					out[i].start = start
				}
				out[i].end = at
			}
			continue
		}
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		open = open[:0]
		left, right, ok := strings.Cut(trimmed, ":")
		if !ok || strings.HasPrefix(right, "=") || strings.HasPrefix(right, ":=") || strings.ContainsAny(left, "=$") || len(out) > 2000 {
			continue
		}
		right, _, _ = strings.Cut(strings.TrimPrefix(right, ":"), "#")
		needs := strings.Fields(right)
		for _, target := range strings.Fields(left) {
			open = append(open, len(out))
			out = append(out, makeRule{target: target, needs: needs})
		}
	}
	return out
}

// recipe makes a script of a recipe, byte for byte: make's own signs become blanks.
func recipe(text string) string {
	b := []byte(text)
	start := true
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\n':
			start = true
			continue
		case start && (b[i] == '\t' || b[i] == '@' || b[i] == '-' || b[i] == '+'):
			b[i] = ' '
			continue
		case b[i] == '$' && i+1 < len(b) && b[i+1] == '$':
			b[i] = ' '
			i++
		case b[i] == '$' && i+1 < len(b) && b[i+1] == '(':
			// A variable of make, of the same name as the environment's: ${X}.
			if end := strings.IndexByte(text[i:], ')'); end > 2 && shIsName(text[i+2:i+end]) {
				b[i+1], b[i+end] = '{', '}'
			}
		}
		if b[i] != ' ' {
			start = false
		}
	}
	return string(b)
}

// packageScript is a script of package.json.
func (jr *jobRun) packageScript(dir string, words []string) (code, bool) {
	if len(words) == 0 {
		return code{}, false
	}
	if words[0] == "run" || words[0] == "run-script" {
		words = words[1:]
	}
	name := path.Join(dir, "package.json")
	b, ok := jr.read(name)
	if !ok || len(words) == 0 {
		return code{}, false
	}
	var pkg struct{ Scripts map[string]string }
	if json.Unmarshal(b, &pkg) != nil || pkg.Scripts[words[0]] == "" {
		return code{}, false
	}
	script := pkg.Scripts[words[0]]
	// The place is the script as a whole: its text is escaped in the file.
	key, _ := json.Marshal(words[0])
	start := strings.Index(string(b), string(key)+":")
	if start < 0 {
		start = 0
	}
	end := start
	if i := strings.IndexByte(string(b[start:]), '\n'); i > 0 {
		end = start + i
	}
	c := jr.inFile(name, script, "sh", 0)
	c.at = func(int, int) penstock.Span { return penstock.Span{Start: int64(start), End: int64(end)} }
	return c, true
}
