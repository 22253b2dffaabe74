package pipeline

import (
	"regexp"
	"strings"
)

// What holds of each line of a text is written as a list of words, each ended by a NUL: fitLower, fitUpper,
// or a sign and a regular expression that each line matches (+) or does not match (-). So
// it can be compared as it is; expressions are compiled only where an answer is wanted.
const (
	fitLower = "lower\x00" // no capitals
	fitUpper = "upper\x00" // no small letters

	fitMost = 400 // bytes of the list; a text of which more is known is one of which less is
)

// shFit is a text of one piece of whose lines something else holds now.
func shFit(v shVal, fit string) shVal {
	if len(v) == 0 || v[0].fit == fit {
		return v
	}
	out := make(shVal, len(v))
	copy(out, v)
	for i := range out {
		out[i].fit = fit
	}
	return out
}

// fitWith adds one more thing that holds.
func fitWith(fit, more string) string {
	if more == "" || len(fit)+len(more) > fitMost || strings.Contains(fit, more) {
		return fit
	}
	return fit + more
}

// fitAllows reports whether a line can be the given one.
func fitAllows(fit, line string) bool {
	for len(fit) > 0 {
		var one string
		one, fit, _ = strings.Cut(fit, "\x00")
		switch one + "\x00" {
		case fitLower:
			if strings.ToLower(line) != line {
				return false
			}
			continue
		case fitUpper:
			if strings.ToUpper(line) != line {
				return false
			}
			continue
		}
		if re, err := regexp.Compile(one[1:]); err == nil && re.MatchString(line) != (one[0] == '+') {
			return false
		}
	}
	return true
}

// fitNoName reports whether each line begins with a text that no name of an output or a
// variable has in it.
func fitNoName(fit string) bool {
	for len(fit) > 0 {
		var one string
		one, fit, _ = strings.Cut(fit, "\x00")
		rest, ok := strings.CutPrefix(one, "+^")
		if !ok {
			continue
		}
		re, err := regexp.Compile(rest)
		if err != nil || strings.Contains(rest, "|") {
			continue
		}
		if lead, _ := re.LiteralPrefix(); strings.ContainsFunc(lead, func(c rune) bool {
			return c != '_' && c != '-' && c != '=' && c != '<' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
		}) && !strings.ContainsAny(lead, "=<") {
			return true
		}
	}
	return false
}

// fitAfter is what holds of the lines of what a filter writes, of what held of those that
// it reads.
func fitAfter(name string, args []shArg, fit string) string {
	operands := func() (words []string) {
		for _, a := range args[1:] {
			if t := a.text(); !strings.HasPrefix(t, "-") {
				words = append(words, t)
			}
		}
		return words
	}
	flags := ""
	for _, a := range args[1:] {
		flags += a.text()
	}
	switch name {
	case "sort", "shuf", "tac", "head", "tail", "sponge":
		return fit
	case "uniq":
		if len(args) == 1 {
			return fit
		}
	case "cat":
		if !strings.Contains(flags, "-") {
			return fit
		}
	case "tr":
		if w := operands(); len(w) == 2 && !strings.Contains(flags, "-d") && !strings.Contains(flags, "-s") {
			switch {
			case (w[0] == "[:upper:]" || w[0] == "A-Z" || w[0] == "[A-Z]") && (w[1] == "[:lower:]" || w[1] == "a-z" || w[1] == "[a-z]"):
				return fitLower
			case (w[0] == "[:lower:]" || w[0] == "a-z" || w[0] == "[a-z]") && (w[1] == "[:upper:]" || w[1] == "A-Z" || w[1] == "[A-Z]"):
				return fitUpper
			}
		}
	case "awk", "gawk", "mawk":
		switch strings.ReplaceAll(strings.Join(operands(), " "), " ", "") {
		case "{printtolower($0)}":
			return fitLower
		case "{printtoupper($0)}":
			return fitUpper
		}
	case "sed", "gsed":
		w := operands()
		if len(w) == 0 || len(args) > 2 && args[1].text() != "-e" && args[1].text() != "-E" && args[1].text() != "-r" {
			return ""
		}
		if p := w[0]; len(p) > 5 && p[0] == 's' && !strings.ContainsAny(p, "\n;") && strings.Count(p, p[1:2]) == 3 && p[2] == '^' && p[3] == p[1] {
			// s/^/text/: each line begins with the text.
			if text := strings.Split(p[4:], p[1:2])[0]; text != "" && !strings.ContainsAny(text, `\&`) {
				return "+^" + regexp.QuoteMeta(text) + "\x00"
			}
		}
	case "grep", "egrep", "fgrep":
		return fitGrep(name, args, fit)
	}
	return ""
}

// fitGrep is what holds of the lines that grep lets through.
func fitGrep(name string, args []shArg, fit string) string {
	pattern, found := "", false
	extended, plain, invert, only, fold, whole := name == "egrep", name == "fgrep", false, false, false, false
	perl := false
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		switch t {
		case "--extended-regexp":
			extended = true
			continue
		case "--fixed-strings":
			plain = true
			continue
		case "--perl-regexp":
			perl = true
			continue
		case "--invert-match":
			invert = true
			continue
		case "--only-matching":
			only = true
			continue
		case "--ignore-case":
			fold = true
			continue
		case "--line-regexp":
			whole = true
			continue
		case "-e", "--":
			continue
		}
		if strings.HasPrefix(t, "-") && len(t) > 1 && !found {
			for _, c := range t[1:] {
				switch c {
				case 'E':
					extended = true
				case 'F':
					plain = true
				case 'P':
					perl = true
				case 'v':
					invert = true
				case 'o':
					only = true
				case 'i':
					fold = true
				case 'x':
					whole = true
				case 'h', 's', 'a', 'G':
				default:
					return "" // names, numbers, other lines
				}
			}
			continue
		}
		if found || t == "" {
			return "" // a file, a second pattern, or one that is not known
		}
		pattern, found = t, true
	}
	if !found {
		return ""
	}
	if only {
		fit = "" // parts of the lines
	}
	re := pattern
	switch {
	case plain:
		re = regexp.QuoteMeta(pattern)
	case !extended && !perl:
		re = fitBasic(pattern)
	}
	if strings.ContainsAny(re, "\x00\n") || (extended || perl) && strings.Contains(re, `\`) && !fitEscapes.MatchString(re) || only && strings.Contains(re, `\b`) {
		return fit
	}
	if whole {
		re = "^(?:" + re + ")$"
	}
	if fold {
		re = "(?i)" + re
	}
	if _, err := regexp.Compile(re); err != nil || re == "" {
		return fit
	}
	sign := "+"
	if invert {
		sign = "-"
	}
	return fitWith(fit, sign+re+"\x00")
}

// fitEscapes are expressions whose escapes mean the same to grep and to Go.
var fitEscapes = regexp.MustCompile(`^(?:[^\\]|\\[.\\/*+?()\[\]{}|^$-]|\\[bdws])*$`)

// fitBasic writes a basic regular expression as Go reads it.
func fitBasic(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\' && i+1 < len(p):
			i++
			switch {
			case strings.IndexByte("(){}|+?", p[i]) >= 0:
				b.WriteByte(p[i])
			case strings.IndexByte(`.*[]^$\/-`, p[i]) >= 0:
				b.WriteByte('\\')
				b.WriteByte(p[i])
			default:
				return "" // a back reference, the border of a word
			}
		case c == '[':
			end := strings.IndexByte(p[min(i+2, len(p)):], ']')
			if end < 0 || strings.Contains(p[i:], "[:") {
				return ""
			}
			end += i + 3
			b.WriteString(strings.ReplaceAll(p[i:min(end, len(p))], `\`, `\\`))
			i = end - 1
		case strings.IndexByte("(){}|+?", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
