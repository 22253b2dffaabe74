package secrets

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"penstock"
	lookup "penstock/internal/syntax"
)

// Limits of a rule file. A file of gitleaks' own rules has 150 KB and 222 rules.
const (
	maxRuleFile = 8 << 20  // bytes
	maxRules    = 20000    // rules of one file
	maxPattern  = 64 << 10 // bytes of one expression
	maxProgram  = 50_000   // instructions of one expression
	maxPrograms = 3 << 20  // instructions of all expressions of a run
	maxNesting  = 32       // brackets, and parts of a dotted key
)

// fileTOML is a rule file: gitleaks 8.30.1's format with keys of our own.
type fileTOML struct {
	Title       string
	Description string
	MinVersion  string
	Extend      extendTOML
	Allowlist   *allowTOML
	Allowlists  []*allowTOML
	Rules       []ruleTOML
}

type extendTOML struct {
	Path          string
	URL           string
	UseDefault    bool
	DisabledRules []string
}

type ruleTOML struct {
	ID          string
	Description string
	Path        string
	Regex       string
	SecretGroup int
	Entropy     float64
	Keywords    []string
	Tags        []string
	SkipReport  bool
	Allowlist   *allowTOML
	Allowlists  []*allowTOML
	Required    []requiredTOML

	// Ours.
	Title      string
	Severity   string
	Confidence string
	Why        string
	Remedy     string
	CWE        []int
	References []string
	Aliases    []string
	Check      string
	Bad        []string
	Good       []string
}

type allowTOML struct {
	Description string
	Condition   string
	Commits     []string
	Paths       []string
	RegexTarget string
	Regexes     []string
	StopWords   []string
	TargetRules []string
}

type requiredTOML struct {
	ID            string
	WithinLines   *int
	WithinColumns *int
}

// parseRuleFile reads a rule file. Every error is one that a user can act on: it
// names file and line.
func parseRuleFile(path string, data []byte) (*fileTOML, *tomlIndex, error) {
	if len(data) > maxRuleFile {
		return nil, nil, &penstock.Error{
			Message: fmt.Sprintf("%s: the rule file has %d bytes; at most %d are read", path, len(data), maxRuleFile),
			Hint:    "split the file, or remove generated rules",
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// The parser recurses, so what it gets is measured first.
	ix, err := indexTOML(data)
	if err != nil {
		return nil, nil, &penstock.Error{Message: path + ":" + err.Error(), Hint: "see https://toml.io for the format"}
	}
	f := new(fileTOML)
	md, err := toml.NewDecoder(bytes.NewReader(data)).Decode(f)
	if err != nil {
		line := 0
		msg := strings.TrimPrefix(err.Error(), "toml: ")
		// A value of the wrong type has its line in the text alone.
		if rest, ok := strings.CutPrefix(msg, "line "); ok {
			if n, text, ok := strings.Cut(rest, " "); ok {
				if v, err := strconv.Atoi(n); err == nil {
					line, msg = v, text
				}
			}
		}
		var pe toml.ParseError
		if errors.As(err, &pe) {
			line, msg = pe.Position.Line, pe.Message
			if msg == "" {
				msg = strings.TrimPrefix(pe.Error(), "toml: ")
			}
		}
		return nil, nil, ruleError(path, line, msg, "see https://toml.io for the format")
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return nil, nil, unknownKey(path, ix, unknown)
	}
	if len(f.Rules) > maxRules {
		return nil, nil, ruleError(path, 0, fmt.Sprintf("%d rules; at most %d are read", len(f.Rules), maxRules), "split the file")
	}
	return f, ix, nil
}

// ruleError makes the error of a place in a rule file.
func ruleError(path string, line int, msg, hint string) error {
	if line > 0 {
		path += ":" + strconv.Itoa(line)
	}
	return &penstock.Error{Message: path + ": " + msg, Hint: hint}
}

// unknownKey reports the first key of a file that no rule has.
func unknownKey(path string, ix *tomlIndex, unknown []toml.Key) error {
	type place struct {
		key  toml.Key
		line int
	}
	places := make([]place, len(unknown))
	for i, k := range unknown {
		places[i] = place{k, ix.lineOf(k)}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.line, b.line) })
	p := places[0]
	hint := ""
	if near := lookup.Nearest(p.key[len(p.key)-1], keysBeside(p.key)); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else {
		hint = "known keys here: " + strings.Join(keysBeside(p.key), ", ")
	}
	return ruleError(path, p.line, fmt.Sprintf("unknown key %q", p.key.String()), hint)
}

// keysBeside lists the keys that a table knows.
func keysBeside(key toml.Key) []string {
	t := reflect.TypeFor[fileTOML]()
	for _, part := range key[:len(key)-1] {
		field, ok := t.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, part) })
		if !ok {
			return nil
		}
		t = field.Type
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
	}
	var names []string
	for i := range t.NumField() {
		n := t.Field(i).Name
		if n == strings.ToUpper(n) {
			n = strings.ToLower(n)
		} else {
			n = strings.ToLower(n[:1]) + n[1:]
		}
		names = append(names, n)
	}
	return names
}

// tomlIndex knows on which line each table and key of a TOML file stands, which
// the parser does not tell.
type tomlIndex struct {
	lines map[string]int
	order []string
}

// line is the line of a key within the nth table of an array of tables, such as
// line("rules", 3, "regex"), or of the table if the key is not written there.
func (ix *tomlIndex) line(parts ...any) int {
	for n := len(parts); n > 0; n-- {
		if l := ix.lines[indexKey(parts[:n])]; l > 0 {
			return l
		}
	}
	return 0
}

func indexKey(parts []any) string {
	var b strings.Builder
	for i, p := range parts {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strings.ToLower(p))
		}
	}
	return b.String()
}

// lineOf is the first line on which a key without array positions stands.
func (ix *tomlIndex) lineOf(key toml.Key) int {
	want := strings.ToLower(strings.Join(key, "."))
	for _, k := range ix.order {
		plain := k
		for {
			i := strings.IndexByte(plain, '[')
			if i < 0 {
				break
			}
			j := strings.IndexByte(plain[i:], ']')
			plain = plain[:i] + plain[i+j+1:]
		}
		if plain == want {
			return ix.lines[k]
		}
	}
	return 0
}

// indexTOML reads just enough TOML to place its keys, in one pass and without
// recursion, and refuses what nests deeper than a rule file can.
func indexTOML(data []byte) (*tomlIndex, error) {
	ix := &tomlIndex{lines: map[string]int{}}
	counts := map[string]int{}
	table := ""
	line, depth := 1, 0
	atLineStart := true
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case c == '\n':
			line++
			i++
			atLineStart = depth == 0
			continue
		case c == ' ' || c == '\t' || c == '\r':
			i++
			continue
		case c == '#':
			if j := bytes.IndexByte(data[i:], '\n'); j >= 0 {
				i += j
			} else {
				i = len(data)
			}
			continue
		}
		if atLineStart {
			atLineStart = false
			end := bytes.IndexByte(data[i:], '\n')
			if end < 0 {
				end = len(data) - i
			}
			text := data[i : i+end]
			if c == '[' {
				name, array := strings.Trim(string(bytes.TrimSpace(text)), "[] \t\r"), bytes.HasPrefix(text, []byte("[["))
				if k := strings.IndexAny(name, "]#"); k >= 0 {
					name = name[:k]
				}
				if strings.Count(name, ".") > maxNesting {
					return nil, fmt.Errorf("%d: a key has more than %d parts", line, maxNesting)
				}
				table = placeTable(name, array, counts)
				ix.put(table, line)
				i += end
				continue
			}
			if eq := bytes.IndexByte(text, '='); eq >= 0 {
				key := strings.Trim(strings.TrimSpace(string(text[:eq])), `"'`)
				if strings.Count(key, ".") > maxNesting {
					return nil, fmt.Errorf("%d: a key has more than %d parts", line, maxNesting)
				}
				full := strings.ToLower(key)
				if table != "" {
					full = table + "." + full
				}
				ix.put(full, line)
				i += eq + 1
				continue
			}
		}
		switch c {
		case '"', '\'':
			n, lines := stringLen(data[i:])
			line += lines
			i += n
		case '[', '{':
			if depth++; depth > maxNesting {
				return nil, fmt.Errorf("%d: brackets nest deeper than %d", line, maxNesting)
			}
			i++
		case ']', '}':
			depth = max(0, depth-1)
			i++
		default:
			i++
		}
	}
	return ix, nil
}

func (ix *tomlIndex) put(key string, line int) {
	if _, ok := ix.lines[key]; !ok {
		ix.lines[key] = line
		ix.order = append(ix.order, key)
	}
}

// placeTable gives the table's name with the positions of the arrays it lies in.
func placeTable(name string, array bool, counts map[string]int) string {
	parts := strings.Split(strings.ToLower(name), ".")
	full := ""
	for i, p := range parts {
		if i > 0 {
			full += "."
		}
		full += strings.Trim(p, " \t\"'")
		if i == len(parts)-1 && array {
			counts[full]++
		}
		if n := counts[full]; n > 0 {
			full += "[" + strconv.Itoa(n-1) + "]"
		}
	}
	return full
}

// stringLen is the length of the string literal at the start of b, with its
// quotes, and the newlines in it.
func stringLen(b []byte) (n, lines int) {
	q := b[0]
	triple := []byte{q, q, q}
	if bytes.HasPrefix(b, triple) {
		for i := 3; i < len(b); i++ {
			switch {
			case b[i] == '\\' && q == '"':
				i++
				if i < len(b) && b[i] == '\n' {
					lines++
				}
			case b[i] == '\n':
				lines++
			case b[i] == q && bytes.HasPrefix(b[i:], triple):
				i += 3
				for k := 0; k < 2 && i < len(b) && b[i] == q; k++ {
					i++
				}
				return i, lines
			}
		}
		return len(b), lines
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && q == '"':
			i++
		case b[i] == '\n':
			return i, 0 // the parser will say what is wrong
		case b[i] == q:
			return i + 1, 0
		}
	}
	return len(b), 0
}

// parsePattern parses an expression of a rule file, within bounds.
func parsePattern(pattern string) (*syntax.Regexp, int, error) {
	if len(pattern) > maxPattern {
		return nil, 0, fmt.Errorf("the expression has %d bytes; at most %d are allowed", len(pattern), maxPattern)
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		var se *syntax.Error
		if errors.As(err, &se) {
			what := se.Expr
			if len(what) > 60 {
				what = what[:60] + "…"
			}
			return nil, 0, fmt.Errorf("%s: `%s`", se.Code, what)
		}
		return nil, 0, err
	}
	n := programSize(re)
	if n > maxProgram {
		return nil, 0, fmt.Errorf("the expression needs %d instructions; at most %d are allowed", n, maxProgram)
	}
	return re, n, nil
}

// programSize estimates the instructions of re.
func programSize(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, s := range re.Sub {
		n += programSize(s)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Max, re.Min+1, 1)
	}
	return min(n, 1<<30)
}
