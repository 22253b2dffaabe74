package pipeline

import (
	"regexp"
	"strings"
)

// ending says how a part of a script ends for someone.
type ending uint8

const (
	goesOn  ending = iota
	fails          // with an error, which ends the job
	leaves         // without one, before its end
	unclear        // it cannot be said
)

// maxScriptLines bounds the work for one script.
const maxScriptLines = 2000

// comparison is a test of two words in a shell: [ "$A" != b ].
var comparison = regexp.MustCompile(`^(?:\[\[?|test)\s+(\S+)\s+(==?|!=)\s+(\S+?)(?:\s+\]\]?)?\s*$`)

// exitLine is a command that ends the script.
var exitLine = regexp.MustCompile(`^(?:exit|return)(?:\s+(\d+))?$`)

// scriptEnding says how a shell script ends, by what its comparisons give. It knows
// if, && and ||, tests and exit: what else is there decides nothing, unless it may leave
// the script.
func scriptEnding(script string, decide func(left, op, right string) Truth) ending {
	if len(script) > 1<<15 || !strings.Contains(script, "=") {
		return goesOn
	}
	lines := shellLines(script)
	end, _ := runLines(lines, 0, decide, 0)
	return end
}

// shellLines are the commands of a script, one a line.
func shellLines(script string) []string {
	script = strings.ReplaceAll(script, "\\\n", " ")
	var out []string
	add := func(s string) {
		s = strings.TrimSpace(s)
		for {
			word, rest, ok := strings.Cut(s, " ")
			if s == "" || len(out) >= maxScriptLines {
				return
			}
			switch word {
			case "then", "else", "do", "{":
				out = append(out, word)
				if !ok {
					return
				}
				s = strings.TrimSpace(rest)
				continue
			}
			out = append(out, s)
			return
		}
	}
	until := "" // the end of a here-document
	held := ""
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if until != "" {
			if line == until {
				until = ""
			}
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if _, doc, ok := strings.Cut(line, "<<"); ok && !strings.HasPrefix(doc, "<") {
			doc = strings.Trim(strings.TrimLeft(doc, "- "), " ")
			doc, _, _ = strings.Cut(doc, " ")
			until = strings.Trim(doc, `'"`)
		}
		line = held + line
		held = ""
		if strings.HasSuffix(line, "&&") || strings.HasSuffix(line, "||") {
			held = line + " "
			continue
		}
		start, quote := 0, byte(0)
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '\'' || c == '"':
				quote = c
			case c == '{' && i > 0 && line[i-1] != '$' && strings.HasSuffix(strings.TrimSpace(line[:i]), "|"), c == '{' && strings.HasSuffix(strings.TrimSpace(line[:i]), "&&"):
				// The list in braces behind || or && is one command with it, if it ends on
				// the line.
				if n := closingBrace(line[i:]); n > 0 {
					i += n
				} else {
					add(line[start : i+1])
					start = i + 1
				}
			case c == ';':
				add(line[start:i])
				start = i + 1
			}
		}
		add(line[start:])
	}
	return out
}

// closingBrace is where the braces close that a text begins with; 0 if they do not.
func closingBrace(text string) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// powerShellIf is an if of PowerShell whose block begins on its line.
var powerShellIf = regexp.MustCompile(`(?i)^(\}\s*else)?\s*if\s*\((.*)\)\s*\{$`)

var (
	powerShellElse  = regexp.MustCompile(`(?i)\}\s*else`)
	powerShellBrace = regexp.MustCompile(`\)\s*\{`)
	// powerShellLine is an if whose block is on its line.
	powerShellLine = regexp.MustCompile(`(?im)^\s*(?:if|\} *else)\b[^\n]*\{ [^\n]*\}\s*$`)
)

// powerShellOps are PowerShell's words for what a shell writes with signs.
var powerShellOps = strings.NewReplacer(" -eq ", " == ", " -ne ", " != ", " -and ", " ]] && [[ ", " -or ", " ]] || [[ ", "$env:", "$", "${env:", "${")

// powerShellLines writes a script of PowerShell as one of a shell, as far as runLines
// looks at it: conditions, blocks and exits, each on lines of its own.
func powerShellLines(script string) string {
	if len(script) > 1<<15 || !strings.Contains(script, "exit") && !strings.Contains(script, "throw") {
		return ""
	}
	var out strings.Builder
	var open []string // what closes the blocks that are open
	pop := func() string {
		if len(open) == 0 {
			return ""
		}
		last := open[len(open)-1]
		open = open[:len(open)-1]
		return last
	}
	script = spaceless.ReplaceAllString(script, "$${{$1}}")
	script = powerShellElse.ReplaceAllString(powerShellBrace.ReplaceAllString(script, ") {"), "} else")
	script = powerShellLine.ReplaceAllStringFunc(script, func(line string) string {
		return strings.NewReplacer("{ ", "{\n", "; }", "\n}", " }", "\n}").Replace(line)
	})
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		m := powerShellIf.FindStringSubmatch(line)
		low := strings.ToLower(line)
		switch {
		case m != nil && m[1] == "":
			open = append(open, "fi")
			line = "if [[ " + powerShellOps.Replace(m[2]) + " ]]"
		case m != nil:
			line = "elif [[ " + powerShellOps.Replace(m[2]) + " ]]"
		case strings.HasPrefix(low, "}") && strings.HasSuffix(low, "{"):
			if strings.Contains(low, "else") {
				line = "else"
			} else if last := pop(); last != "" {
				open = append(open, "}")
				line = last + "\nfunction x {"
			}
		case strings.HasSuffix(low, "{") || strings.HasSuffix(low, "@("):
			open = append(open, "}")
			line = "function x {"
		case low == "}" || low == ")":
			line = pop()
		case strings.HasPrefix(low, "throw"):
			line = "exit 1"
		}
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.String()
}

// runLines follows commands from the n-th on to the end of the block; the second
// result is the line that ends it.
func runLines(lines []string, n int, decide func(left, op, right string) Truth, depth int) (ending, int) {
	result := goesOn
	set := func(e ending) {
		if result == goesOn {
			result = e
		}
	}
	for ; n < len(lines); n++ {
		line := lines[n]
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "fi" || word == "else" || word == "elif" || word == "}" || word == "done" || word == "esac" || strings.HasPrefix(word, ")"):
			return result, n
		case word == "if":
			if depth > 20 {
				return unclear, len(lines)
			}
			var e ending
			e, n = runIf(lines, n, rest, decide, depth+1)
			set(e)
		case word == "case" || word == "for" || word == "while" || word == "until" || word == "function" || strings.HasSuffix(line, "()") || strings.HasSuffix(line, "() {"):
			closes := map[string]string{"case": "esac", "for": "done", "while": "done", "until": "done"}[word]
			if closes == "" {
				closes = "}"
			}
			level := 0
			for ; n < len(lines); n++ {
				w, _, _ := strings.Cut(lines[n], " ")
				if w == word && closes != "}" || closes == "}" && (w == "{" || strings.HasSuffix(lines[n], "{")) {
					level++
				} else if w == closes {
					if level--; level <= 0 {
						break
					}
				} else if strings.Contains(lines[n], "exit") && closes != "}" {
					set(unclear)
				}
			}
		case word == "{" || strings.HasSuffix(line, "&& {") || strings.HasSuffix(line, "|| {"):
			// A list in braces, for everybody or by what stands before it.
			if depth > 20 {
				return unclear, len(lines)
			}
			var e ending
			e, n = runLines(lines, n+1, decide, depth+1)
			set(ifSo(e, line, decide))
		case line == "(" || strings.HasSuffix(line, "&& (") || strings.HasSuffix(line, "|| (") || strings.HasSuffix(line, "$("):
			// What leaves a shell of its own does not leave the script.
			if depth > 20 {
				return unclear, len(lines)
			}
			var e ending
			if e, n = runLines(lines, n+1, decide, depth+1); e == fails && !strings.HasSuffix(line, "$(") {
				set(ifSo(e, line, decide))
			}
		default:
			set(runCommand(line, decide))
		}
	}
	return result, n
}

// ifSo is how a list in braces ends for someone, by the line that begins it.
func ifSo(e ending, line string, decide func(left, op, right string) Truth) ending {
	before := strings.TrimSpace(strings.TrimRight(line, "{("))
	t := True
	if before != "" {
		t = conditionTruth(before[:len(before)-2], decide)
		if strings.HasSuffix(before, "||") {
			t = t.Not()
		}
	}
	switch {
	case t == False || t == Undecided && e == fails:
		return goesOn // of two ways the one that leads on is taken
	case t == Undecided && e == leaves:
		return unclear
	}
	return e
}

// runIf follows an if; condition is what stands behind the word.
func runIf(lines []string, n int, condition string, decide func(left, op, right string) Truth, depth int) (ending, int) {
	open := true // no branch before was certain
	result, first := goesOn, true
	join := func(e ending) {
		switch {
		case first:
			result, first = e, false
		case result == e:
		case result == fails && e == goesOn || result == goesOn && e == fails:
			result = goesOn // of two ways the one that leads on is taken
		default:
			result = unclear
		}
	}
	n++
	for n < len(lines) {
		t := conditionTruth(condition, decide)
		if n < len(lines) && lines[n] == "then" {
			n++
		}
		e, at := runLines(lines, n, decide, depth)
		if open && t != False {
			join(e)
			open = t != True
		}
		if n = at; n >= len(lines) {
			break
		}
		word, rest, _ := strings.Cut(lines[n], " ")
		if word == "elif" {
			condition = rest
			n++
			continue
		}
		if word == "else" {
			e, at := runLines(lines, n+1, decide, depth)
			if open {
				join(e)
				open = false
			}
			n = at
		}
		break
	}
	if open {
		join(goesOn)
	}
	return result, n
}

// conditionTruth decides a list of tests.
func conditionTruth(condition string, decide func(left, op, right string) Truth) Truth {
	list := strings.TrimSpace(condition)
	if strings.ContainsAny(list, "`") || strings.Contains(list, "$(") || len(list) > 4096 {
		return Undecided
	}
	inner, double := strings.CutPrefix(list, "[[ ")
	if double && strings.Count(list, "[[") == 1 {
		// [[ a && b ]] is [[ a ]] && [[ b ]].
		inner = strings.TrimSuffix(strings.TrimSpace(inner), "]]")
		inner = strings.ReplaceAll(strings.ReplaceAll(inner, "&&", "]] && [["), "||", "]] || [[")
		list = "[[ " + inner + " ]]"
	}
	var truth Truth
	for i, op := 0, ""; ; i++ {
		and, or := strings.Index(list, "&&"), strings.Index(list, "||")
		at := and
		if at < 0 || or >= 0 && or < at {
			at = or
		}
		atom := list
		if at >= 0 {
			atom = list[:at]
		}
		t := atomTruth(strings.TrimSpace(atom), decide)
		switch {
		case i == 0:
			truth = t
		case op == "&&":
			truth = both(truth, t)
		default:
			truth = both(truth.Not(), t.Not()).Not()
		}
		if at < 0 || i > 32 {
			return truth
		}
		op, list = list[at:at+2], list[at+2:]
	}
}

// atomTruth decides one test.
func atomTruth(atom string, decide func(left, op, right string) Truth) Truth {
	not := false
	if rest, ok := strings.CutPrefix(atom, "! "); ok {
		atom, not = strings.TrimSpace(rest), true
	}
	if inner, ok := strings.CutPrefix(atom, "[[ ( "); ok && strings.Count(atom, "(") == 1 {
		atom = "[[ " + strings.Replace(inner, " )", "", 1)
	}
	atom = spaceless.ReplaceAllString(atom, "${{$1}}")
	m := comparison.FindStringSubmatch(atom)
	if m == nil {
		return Undecided
	}
	t := decide(shellWord(m[1]), m[2], shellWord(m[3]))
	if not {
		t = t.Not()
	}
	return t
}

// spaceless finds expressions, to write them without blanks.
var spaceless = regexp.MustCompile(`\$\{\{\s*([\w.*-]+)\s*\}\}`)

// shellWord is a word without quotes, and a variable as $NAME.
func shellWord(s string) string {
	s = strings.Trim(s, `"'`)
	if name, ok := strings.CutPrefix(s, "${"); ok && !strings.HasPrefix(s, "${{") {
		return "$" + strings.TrimSuffix(name, "}")
	}
	return s
}

// runCommand follows one command, or a list of them.
func runCommand(line string, decide func(left, op, right string) Truth) ending {
	if line == "false" {
		return fails
	}
	if m := exitLine.FindStringSubmatch(line); m != nil {
		if strings.Trim(m[1], "0") == "" {
			return leaves
		}
		return fails
	}
	if !strings.HasPrefix(line, "[") && !strings.HasPrefix(line, "test ") && !strings.HasPrefix(line, "! [") {
		if strings.Contains(line, "exit 0") {
			return unclear
		}
		return goesOn
	}
	at := max(strings.LastIndex(line, "&&"), strings.LastIndex(line, "||"))
	if at >= 0 {
		op, rest := line[at:at+2], strings.TrimSpace(line[at+2:])
		if i := strings.Index(line, "{"); strings.HasSuffix(line, "}") && i > 2 && line[i-1] != '$' {
			// [ test ] || { echo no; exit 1; }
			before := strings.TrimSpace(line[:i])
			if len(before) > 2 {
				at, op = len(before)-2, before[len(before)-2:]
				rest = "goes on"
				for _, c := range strings.Split(strings.Trim(line[i:], "{} "), ";") {
					if exitLine.MatchString(strings.TrimSpace(c)) {
						rest = strings.TrimSpace(c)
					}
				}
			}
		}
		if e := exitOf(rest); e != goesOn {
			t := conditionTruth(line[:at], decide)
			switch {
			case t == Undecided && e == fails:
				return goesOn
			case t == Undecided:
				return unclear
			case (t == True) == (op == "&&"):
				return e
			}
			return goesOn
		}
	}
	if conditionTruth(line, decide) == False {
		return fails // the shell of a step ends at the first command that fails
	}
	return goesOn
}

// exitOf is how a command ends a script.
func exitOf(command string) ending {
	m := exitLine.FindStringSubmatch(command)
	switch {
	case command == "false":
		return fails
	case m == nil:
		return goesOn
	case strings.Trim(m[1], "0") == "":
		return leaves
	}
	return fails
}

// bound is the expression that a word of a script stands for: a variable of the step,
// the job or the workflow that is set to one, or an expression that is pasted.
func (a *asker) bound(word string) string {
	if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(word, "${{") {
		switch name {
		case "GITHUB_REPOSITORY":
			return "github.repository"
		case "GITHUB_EVENT_NAME":
			return "github.event_name"
		}
		word = a.variable(name).Value
	}
	t := ParseTemplate(word)
	if len(t.Parts) != 1 || !t.Parts[0].IsExpression {
		return ""
	}
	paths := t.Paths()
	if len(paths) != 1 || t.Parts[0].Expression.Root == nil || t.Parts[0].Expression.Root.Kind == ExprCall {
		return ""
	}
	return paths[0].Name
}

// compared makes decide of what two expressions are.
func compared(op string, equal Truth) Truth {
	if op == "!=" {
		return equal.Not()
	}
	return equal
}

// shellOf is the script of a step as one for a shell, empty if it is none.
func (a *asker) shellOf(s *Step) string {
	switch DialectOf(stepShell(a.p, a.j, s)) {
	case DialectBash, DialectSh:
		return s.Run.Value
	case DialectPowerShell:
		return powerShellLines(s.Run.Value)
	}
	return ""
}

// scriptGates are gates of a shell script that compares and ends: whether the pull
// request is of the own repository, and how needed jobs ended.
func (a *asker) scriptGates(s *Step, script string) (Truth, []Gate) {
	truth, gates := True, []Gate(nil)
	if a.mayAskHead(s, script) && a.headScript(s, script, 0).ending(script) == fails {
		g := Gate{Place: stepPlace(a.p, s), Kind: GuardRepository, Stops: true, Text: "not for pull requests from forks"}
		if a.e.Origin == OriginFork {
			return False, []Gate{g}
		}
		g.Stops, g.ownCode = false, true
		gates = append(gates, g)
	}
	for _, need := range a.j.Needs {
		path := "needs." + strings.ToLower(need.Value) + ".result"
		n := a.x.jobOf(a.p, need.Value)
		if n == nil || n == a.j || len(gates) >= maxGates {
			continue
		}
		ends := func(result string) bool {
			return scriptEnding(script, func(left, op, right string) Truth {
				if a.bound(left) != path {
					if a.bound(right) != path {
						return Undecided
					}
					right = left
				}
				if strings.Contains(right, "$") {
					return Undecided
				}
				return compared(op, truthOf(right == result))
			}) == fails
		}
		if !ends("failure") {
			continue
		}
		t, g := a.x.jobReach(a.p, a.e, n)
		end, h := a.x.endersBefore(a.p, a.e, n, len(n.Steps))
		t, g = both(t, end), append(g[:len(g):len(g)], h...)
		if !ends("skipped") {
			skipped, other := a.skipped(n)
			switch {
			case skipped == False:
			case t == False && !lets(g) || rank(other) < rank(g):
				t, g = skipped, other
			}
		}
		truth, gates = both(truth, t), append(gates, g...)
	}
	return truth, gates
}

// lets reports whether somebody with rights can let the outsider through.
func lets(gates []Gate) bool {
	for _, g := range gates {
		if g.Stops && !g.Once {
			return false
		}
	}
	return len(gates) > 0
}

// skipped asks whether an outsider gets a job skipped, and what is asked then.
func (a *asker) skipped(n *Job) (Truth, []Gate) {
	for _, need := range n.Needs {
		if o := a.x.jobOf(a.p, need.Value); o != nil && o != n {
			if t, g := a.x.jobReach(a.p, a.e, o); t != True || len(g) > 0 {
				return Undecided, nil
			}
		}
	}
	if !n.If.IsSet() || a.depth >= maxEnvLevels {
		return False, nil
	}
	b := &asker{x: a.x, p: a.p, e: a.e, j: n, step: -1, depth: a.depth + 1}
	return b.condition(n.If, false)
}

func ownRepository(path string) bool {
	switch path {
	case "github.repository", "github.event.repository.full_name", "github.event.pull_request.base.repo.full_name":
		return true
	}
	return false
}
