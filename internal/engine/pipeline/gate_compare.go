package pipeline

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds of the comparisons of one script that are asked about.
const maxCompared = 16

// shellContexts are contexts that the runner gives to every script as variables.
var shellContexts = map[string]string{
	"GITHUB_REPOSITORY": "github.repository", "GITHUB_REPOSITORY_OWNER": "github.repository_owner", "GITHUB_EVENT_NAME": "github.event_name",
	"GITHUB_ACTOR": "github.actor", "GITHUB_TRIGGERING_ACTOR": "github.triggering_actor", "GITHUB_HEAD_REF": "github.head_ref", "GITHUB_BASE_REF": "github.base_ref",
	"GITHUB_REF": "github.ref", "GITHUB_REF_NAME": "github.ref_name",
}

// plainWord is a word of a script that stands for itself.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./\[\]-]*$`)

// expressionOf is the expression that a word of a script stands for, as text: a variable
// of step, job or workflow, one that the script sets once, an expression that is pasted,
// or a literal. Empty if that is not known.
func (a *asker) expressionOf(word, script string) string {
	if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(word, "${{") {
		if c := shellContexts[name]; c != "" {
			return c
		}
		text := a.variable(name)
		if word = text.Value; !text.IsSet() {
			if !plainMember(name) || strings.Count(script, name+"=") != 1 {
				return ""
			}
			_, rest, _ := strings.Cut(script, name+"=")
			word = strings.Trim(strings.TrimSpace(firstLine(rest)), `"'`)
			if !strings.HasPrefix(word, "${{") {
				return ""
			}
		}
	}
	if !strings.Contains(word, "${{") {
		switch {
		case word == "true" || word == "false":
			return word
		case plainWord.MatchString(word):
			return "'" + word + "'"
		}
		return ""
	}
	t := ParseTemplate(word)
	if e, ok := t.Whole(); !ok || e.Root == nil {
		return ""
	}
	p := t.Parts[0]
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(p.Text), "${{"), "}}"))
}

// comparedGates are the gates of a shell script that compares what the run is and ends:
// each comparison is asked as the condition that it would be in an if.
func (a *asker) comparedGates(s *Step, script string) (Truth, []Gate) {
	if !hasAny(script, "exit ", "false", "[[", "[ ") || !strings.Contains(script, "=") {
		return True, nil
	}
	type asked struct {
		root  *ExprNode
		truth Truth
	}
	known := make(map[string]*asked)
	of := func(left, right string) (string, *asked) {
		l, r := a.expressionOf(left, script), a.expressionOf(right, script)
		key := l + " == " + r
		if strings.Contains(l, "&&") || strings.Contains(l, "||") || strings.ContainsAny(l, "=<>") {
			key = "(" + l + ") == " + r
		}
		if q, ok := known[key]; ok {
			return key, q
		}
		if l == "" || r == "" || len(known) >= maxCompared || hasAny(key, "steps.", "needs.", "secrets.") {
			return "", nil
		}
		known[key] = nil
		if e, err := ParseExpression(key); err == nil && e.Root != nil && len(e.Paths()) > 0 {
			known[key] = &asked{e.Root, e.Evaluate(a.e.Env).Truth()}
		}
		return key, known[key]
	}
	// The script ends so if the comparison is what assumed says.
	ending := func(only string, assumed Truth) ending {
		return scriptEnding(script, func(left, op, right string) Truth {
			key, q := of(left, right)
			switch {
			case q == nil:
				return Undecided
			case key == only:
				return compared(op, assumed)
			}
			return compared(op, q.truth)
		})
	}
	end := ending("", Undecided)
	truth, gates := True, []Gate(nil)
	for _, key := range sortedKeys(known) {
		q := known[key]
		if q == nil {
			continue
		}
		yes, no := ending(key, True) == fails, ending(key, False) == fails
		if yes == no {
			continue
		}
		b := *a
		b.env, b.text, b.base, b.work = a.e.Env, s.Run.Text, 0, 0
		t, found := b.ask(q.root, no)
		for _, g := range found {
			if g.Place = stepPlace(a.p, s); !g.neutral && len(gates) < maxGates {
				gates = append(gates, g)
			}
		}
		truth = both(truth, t)
	}
	if end == fails && truth != False {
		return False, append(gates, Gate{Place: stepPlace(a.p, s), Kind: GuardOther, Stops: true, Text: "a script ends"})
	}
	if truth == False && !slices.ContainsFunc(gates, func(g Gate) bool { return g.Stops }) {
		truth = Undecided
	}
	return truth, gates
}
