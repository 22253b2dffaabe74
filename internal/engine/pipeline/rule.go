package pipeline

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"penstock"
	"penstock/rules"
)

// Tiers, worst first: see the property "penstock/tier" of findings.
const (
	TierProven      = "proven-path" // an outsider reaches something valuable, each step shown
	TierExploitable = "exploitable" // untrusted input reaches the place, or a guard does not hold
	TierHygiene     = "hygiene"     // nothing to exploit by itself
)

// Tiers lists the tiers, worst first.
func Tiers() []string { return []string{TierProven, TierExploitable, TierHygiene} }

// RuleInfo is a rule of this engine with what the engine knows beyond other rules.
type RuleInfo struct {
	// Rule has the first bad and the first good example, without marks.
	penstock.Rule
	// Tier is the worst that a finding of the rule can have.
	Tier string
	// Forges are those whose definitions it can fire on.
	Forges []Forge
	// Online is true where it needs facts that no file of the tree holds: the
	// resolver's, or the settings of the forge.
	Online bool
	// Peers are rules of other tools that this one answers: "zizmor/artipacked".
	Peers    []string
	Examples []Example
}

// Example is a definition that has the flaw of a rule, and one that has not. One of
// the two may be empty.
type Example struct {
	Name string
	// Bad and Good are texts as in the rule file, indented and with marks: see
	// ExampleFiles.
	Bad, Good string
	// Settings is the file of forge settings that the example assumes, indented like
	// Bad: see SettingsFile.
	Settings string
	// Config is what the user says, by option: forge, as-of, allowed and forbidden.
	// Facts are what a resolver would find out, by action.
	Config, Facts map[string]string
}

// SettingsFile is the text of the settings that the example assumes, for
// Settings.ParseSettings; nil without some.
func (e *Example) SettingsFile() []byte {
	if e.Settings == "" {
		return nil
	}
	return []byte(dedent(e.Settings))
}

// ExampleFile is one file of an example.
type ExampleFile struct {
	Path string
	// Text has no marks.
	Text  string
	Wants []Want
}

// Want is a mark of an example: the rule fires on this line.
type Want struct {
	Line int // from 1
	// Tier is what the finding must have, empty if any will do.
	Tier string
}

// Rules are the rules of the engine in the order of their files. They are read once
// in about two milliseconds; the caller must not change them.
func Rules() []RuleInfo { return builtinRules() }

var builtinRules = sync.OnceValue(func() []RuleInfo {
	names, err := fs.Glob(rules.Pipeline, "pipeline/*.yaml") // sorted
	if err != nil {
		panic(err)
	}
	var all []RuleInfo
	for _, name := range names {
		if name == actionsFile {
			continue
		}
		own, err := readRules(embedded(name))
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err)) // TestRules reads the same bytes
		}
		all = append(all, own...)
	}
	return all
})

// FindRule returns the rule of an id, nil if there is none.
func FindRule(id string) *RuleInfo {
	all := Rules()
	if i := slices.IndexFunc(all, func(r RuleInfo) bool { return r.ID == id }); i >= 0 {
		return &all[i]
	}
	return nil
}

// embedded is the text of a rule file.
func embedded(name string) string {
	f, err := rules.Pipeline.Open(name)
	if err != nil {
		panic(err) // embedded files can be read
	}
	defer f.Close()
	// Files of embed.FS know how to be copied in pieces: one copy less than ReadFile.
	var b strings.Builder
	if info, err := f.Stat(); err == nil {
		b.Grow(int(info.Size()))
	}
	if _, err := io.CopyBuffer(&b, f, make([]byte, 16<<10)); err != nil {
		panic(err)
	}
	return b.String()
}

// readRules reads one rule file.
func readRules(text string) ([]RuleInfo, error) {
	root, err := readPlain(text)
	if err != nil {
		return nil, err
	}
	d := plainDecoder{}
	list := d.get(root, "rules")
	d.known(root, "rules")
	all := make([]RuleInfo, len(list.items))
	for i, n := range list.items {
		d.rule(&all[i], n)
	}
	return all, d.err
}

func (d *plainDecoder) rule(r *RuleInfo, n plainNode) {
	d.known(n, "id", "title", "tier", "severity", "confidence", "forges", "online", "why", "remedy", "cwe", "tags",
		"references", "peers", "bad", "good", "settings", "facts", "config", "examples")
	r.ID, r.Title, r.Tier = d.get(n, "id").text, d.get(n, "title").text, d.get(n, "tier").text
	r.Why, r.Remedy = d.get(n, "why").text, d.get(n, "remedy").text
	r.Tags, r.References, r.Peers = d.texts(n, "tags"), d.texts(n, "references"), d.texts(n, "peers")
	if err := r.Severity.UnmarshalText([]byte(d.get(n, "severity").text)); err != nil {
		d.fail(r.ID, err.Error())
	}
	if err := r.Confidence.UnmarshalText([]byte(d.get(n, "confidence").text)); err != nil {
		d.fail(r.ID, err.Error())
	}
	for _, f := range d.texts(n, "forges") {
		r.Forges = append(r.Forges, Forge(f))
	}
	for _, c := range d.texts(n, "cwe") {
		number, err := strconv.Atoi(c)
		if err != nil {
			d.fail(r.ID, "cwe is no number")
		}
		r.CWE = append(r.CWE, number)
	}
	switch d.get(n, "online").text {
	case "true":
		r.Online = true
	case "", "false":
	default:
		d.fail(r.ID, "online is neither true nor false")
	}
	if own := d.example(n); own.Bad != "" || own.Good != "" {
		r.Examples = append(r.Examples, own)
	}
	for _, e := range d.get(n, "examples").items {
		d.known(e, "name", "bad", "good", "settings", "facts", "config")
		r.Examples = append(r.Examples, d.example(e))
	}
	for _, e := range r.Examples {
		if r.Bad == "" {
			r.Bad = unmarked(e.Bad)
		}
		if r.Good == "" {
			r.Good = unmarked(e.Good)
		}
	}
}

func (d *plainDecoder) example(n plainNode) Example {
	return Example{
		Name: d.get(n, "name").text, Bad: d.get(n, "bad").text, Good: d.get(n, "good").text,
		Settings: d.get(n, "settings").text, Facts: d.pairs(n, "facts"), Config: d.pairs(n, "config"),
	}
}

// ExampleFiles splits the text of an example. A line "-- path --" starts a file;
// without one the text is a workflow of GitHub.
func ExampleFiles(text string) []ExampleFile {
	var files []ExampleFile
	var b strings.Builder
	var line int
	end := func() {
		if len(files) > 0 {
			files[len(files)-1].Text = b.String()
		}
		b.Reset()
		line = 0
	}
	for l := range strings.Lines(dedent(text)) {
		if name, ok := strings.CutPrefix(l, "-- "); ok {
			if name, ok = strings.CutSuffix(strings.TrimRight(name, "\n"), " --"); ok {
				end()
				files = append(files, ExampleFile{Path: name})
				continue
			}
		}
		if len(files) == 0 {
			files = append(files, ExampleFile{Path: ".github/workflows/example.yml"})
		}
		line++
		bare, tier, ok := cutMark(l)
		if ok {
			f := &files[len(files)-1]
			f.Wants = append(f.Wants, Want{line, tier})
		}
		b.WriteString(bare)
	}
	end()
	return files
}

// unmarked is the text of an example as a user is shown it.
func unmarked(text string) string {
	in := indentOf(text)
	var b strings.Builder
	b.Grow(len(text))
	for l := range strings.Lines(text) {
		l, _, _ = cutMark(l[min(in, len(l)-1):])
		b.WriteString(l)
	}
	return b.String()
}

// cutMark takes the mark off a line: " # want", " // want", both also with a tier
// behind a colon.
func cutMark(line string) (bare, tier string, ok bool) {
	i := strings.LastIndex(line, " want")
	if i < 0 {
		return line, "", false
	}
	before, after := line[:i], strings.TrimSpace(line[i+len(" want"):])
	for _, sign := range []string{" #", " //"} {
		bare, ok = strings.CutSuffix(before, sign)
		if !ok {
			continue
		}
		if after != "" {
			if tier, ok = strings.CutPrefix(after, ": "); !ok || !slices.Contains(Tiers(), tier) {
				return line, "", false
			}
		}
		return strings.TrimRight(bare, " ") + "\n", tier, true
	}
	return line, "", false
}
