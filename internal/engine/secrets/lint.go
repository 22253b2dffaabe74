package secrets

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"penstock"
)

// lint says what in rule files is allowed and yet hardly meant: it is kept as
// written, since the files must mean here what they mean elsewhere. An error is
// that of loading them.
func lint(files []penstock.RuleFile) ([]*penstock.Note, error) {
	d, err := load(files, nil)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	slow := make(map[string]bool) // searched for over whole texts
	for _, r := range d.rules {
		known[r.name] = true
		for _, a := range r.info.Aliases {
			known[a] = true
		}
	}
	for _, id := range d.whole {
		slow[d.rules[id].name] = true
	}
	var notes []*penstock.Note
	for _, f := range files {
		t, ix, err := parseRuleFile(f.Path, f.Data)
		if err != nil {
			return nil, err
		}
		l := linter{path: f.Path, index: ix}
		for i := range t.Rules {
			r := &t.Rules[i]
			if r.Regex != "" && len(r.Keywords) == 0 {
				l.note("rule-unanchored", "give it keywords that stand in every match", []any{"rules", i, "id"},
					"rule %q has no keywords, so it is tried on every file", r.ID)
			} else if r.Regex != "" && slow[r.ID] {
				l.note("rule-unanchored", "begin the expression with a literal, or bound what may stand before it", []any{"rules", i, "regex"},
					"nothing in the expression of rule %q says where it can match, so whole files are searched for it", r.ID)
			}
			l.allow(r.Allowlist, "rules", i, "allowlist")
			for k, a := range r.Allowlists {
				l.allow(a, "rules", i, "allowlists", k)
			}
		}
		l.allow(t.Allowlist, "allowlist")
		for k, a := range t.Allowlists {
			l.allow(a, "allowlists", k)
		}
		for _, id := range t.Extend.DisabledRules {
			if !known[id] {
				l.note("rule-unknown", "", []any{"extend", "disabledrules"}, "the disabled rule %q does not exist", id)
			}
		}
		notes = append(notes, l.notes...)
	}
	return notes, nil
}

type linter struct {
	path  string
	index *tomlIndex
	notes []*penstock.Note
}

func (l *linter) note(code, hint string, at []any, format string, args ...any) {
	l.notes = append(l.notes, &penstock.Note{
		Code: code, Message: fmt.Sprintf(format, args...), Hint: hint,
		Place: fmt.Sprintf("%s:%d", l.path, l.index.line(at...)),
	})
}

func (l *linter) allow(a *allowTOML, at ...any) {
	if a == nil {
		return
	}
	l.list(a.Regexes, append(slices.Clone(at), "regexes"))
	l.list(a.Paths, append(slices.Clone(at), "paths"))
}

// list looks at the expressions of one list, which are joined by "|" into one.
func (l *linter) list(patterns []string, at []any) {
	for i, p := range patterns {
		if i < len(patterns)-1 && strings.HasPrefix(p, "(?i)") && slices.ContainsFunc(patterns[i+1:], func(q string) bool { return !strings.HasPrefix(q, "(?i)") }) {
			l.note("allowlist-case", "write (?i:...) around the one expression", at,
				"(?i) at the start of %q holds for the later expressions of the list as well", clip(p))
		}
		if halfAnchored(p) {
			l.note("allowlist-anchor", "put the alternatives into a group: ^(?:a|b)$", at,
				"in %q the anchor binds to one alternative only; the others allow every value that contains them", clip(p))
		}
	}
}

func clip(p string) string {
	const most = 60
	if r := []rune(p); len(r) > most {
		return string(r[:most]) + "..."
	}
	return p
}

// halfAnchored reports whether the first or last of some alternatives at the top
// of an expression is anchored and another is not.
func halfAnchored(p string) bool {
	// The parser factors common beginnings out, so the text is cut, not the tree.
	parts := alternatives(p)
	if len(parts) < 2 {
		return false
	}
	begins, ends := 0, 0
	for _, part := range parts {
		part = strings.TrimPrefix(part, "(?i)")
		if strings.HasPrefix(part, "^") {
			begins++
		}
		if strings.HasSuffix(part, "$") && !strings.HasSuffix(part, `\$`) {
			ends++
		}
	}
	return begins > 0 && begins < len(parts) && strings.HasPrefix(strings.TrimPrefix(parts[0], "(?i)"), "^") ||
		ends > 0 && ends < len(parts) && strings.HasSuffix(parts[len(parts)-1], "$")
}

// alternatives cuts an expression at the bars outside of groups and classes.
func alternatives(p string) []string {
	if _, err := syntax.Parse(p, syntax.Perl); err != nil {
		return nil
	}
	var parts []string
	depth, class, start := 0, false, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if i+1 < len(p) && p[i+1] == '^' {
				i++
			}
			if i+1 < len(p) && p[i+1] == ']' {
				i++
			}
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}
