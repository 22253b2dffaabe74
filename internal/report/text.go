package report

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"penstock"
)

// text is the report for a terminal, in the layout of rustc: what is wrong, an
// arrow to the place, the source with markers, notes; then the verdict, what
// was scanned and what was not. Colour adds to it and carries nothing alone.
//
// Its escaper is visible, for every string of the stream; breakCommands then
// sees to what several harmless strings could form together.
type text struct {
	document
	w     io.Writer
	opts  Options
	width int
	cond  *runewidth.Condition
	b     strings.Builder
	// told are the steps of repairs that were printed.
	told map[string]bool
}

func newText(w io.Writer, opts Options) Sink {
	t := &text{w: w, opts: opts, width: opts.Width, told: make(map[string]bool)}
	if t.width <= 0 {
		t.width = 100
	}
	t.width = max(t.width, 40)
	// Not the package's default condition, which depends on the locale.
	t.cond = &runewidth.Condition{StrictEmojiNeutral: true}
	return t
}

func (t *text) Record(r penstock.Record) error {
	t.add(r)
	return nil
}

func (t *text) Close() error {
	open, fixed, suppressed := t.split()
	order := ranked(open)
	all := single(order)
	full := all
	if !t.opts.All {
		all = bundles(order)
		full = toAct(all)
	}
	if t.opts.Quiet {
		full = nil
	}
	for _, b := range byFile(full) {
		t.finding(b)
	}
	if !t.opts.Quiet {
		t.rest(all[len(full):])
		t.fixed(fixed)
		if t.opts.All {
			t.suppressed(suppressed)
		}
	}
	t.summary(order, full, suppressed)
	if _, err := io.WriteString(t.w, breakCommands(t.b.String())); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// textLines is how many dangers have a line each, beyond those in full.
const textLines = 40

// rest tells of what is not shown in full: a line for each danger, hygiene by rule, and
// the number of all others.
func (t *text) rest(all []bundle) {
	var danger []bundle
	var hygiene, others []*penstock.Finding
	for _, b := range all {
		switch {
		case known(b.Finding) && !b.Blocks:
			others = append(others, loose([]bundle{b})...)
		case idle(b.Finding):
			hygiene = append(hygiene, b.Finding)
		case len(danger) < textLines && (b.Blocks || b.Evidence.Tier != ""):
			danger = append(danger, b)
		default:
			others = append(others, loose([]bundle{b})...)
		}
	}
	if len(danger) > 0 {
		t.printf("%s %s, in short. In full with --all.\n", t.paint(bold, "more danger:"), count(len(loose(danger)), "finding", "findings"))
		for _, b := range danger {
			word, st := level(b.Evidence.Tier.Shown(b.Severity))
			head := fmt.Sprintf("%s[%s]", word, visible(b.Rule))
			s := t.title(b.Finding) + ": " + position(shown(b.Finding).Location)
			if tier := tierText(b.Finding); tier != "" {
				s += ", " + tier
			}
			if len(b.also) > 0 {
				s += fmt.Sprintf(", and in %s", count(len(b.also), "more place", "more places"))
			}
			t.b.WriteString("  " + t.paint(st, head))
			t.words(2+t.columns(head), 6, s)
		}
		t.b.WriteByte('\n')
	}
	t.hygiene(hygiene)
	if len(others) > 0 {
		kind := [2]string{"more finding", "more findings"}
		if !slices.ContainsFunc(others, func(f *penstock.Finding) bool { return !known(f) }) {
			kind = [2]string{"unchanged finding", "unchanged findings"}
		}
		t.printf("%s %s: %s. See them all with --all.\n\n", t.paint(bold, "... and"),
			count(len(others), kind[0], kind[1]), severityText(severities(others)))
	}
}

// hygieneRules is how many rules of hygiene are told with their places.
const hygieneRules = 8

// hygiene counts what is no danger by itself, rule by rule.
func (t *text) hygiene(findings []*penstock.Finding) {
	if len(findings) == 0 {
		return
	}
	t.printf("%s %s, no danger by %s. See %s with --all.\n", t.paint(bold, "hygiene:"),
		count(len(findings), "finding", "findings"), plural(len(findings), "itself", "themselves"), plural(len(findings), "it", "them"))
	rules := t.byRule(findings, examples)
	for i, c := range rules {
		if i == hygieneRules && len(rules) > i+1 {
			var names []string
			n := 0
			for _, c := range rules[i:] {
				n += c.n
				names = append(names, c.rule+" ("+number(c.n)+")")
			}
			t.wrap(fmt.Sprintf("  %4s  ", number(n)), 8, "by "+number(len(names))+" more rules: "+strings.Join(names, ", "))
			break
		}
		t.wrap(fmt.Sprintf("  %4s  ", number(c.n)), 8, c.text())
	}
	t.b.WriteByte('\n')
}

func (t *text) printf(format string, args ...any) { fmt.Fprintf(&t.b, format, args...) }
func (t *text) paint(st style, s string) string   { return paint(t.opts.Color, st, s) }
func (t *text) columns(s string) int              { return t.cond.StringWidth(s) }
func severityText(counts []severityCount) string {
	var parts []string
	for _, c := range counts {
		parts = append(parts, fmt.Sprintf("%s %s", number(c.Count), c.Severity))
	}
	return strings.Join(parts, ", ")
}

// level is the word that opens a finding, with its colour.
func level(s penstock.Severity) (string, style) {
	switch s.SARIFLevel() {
	case "error":
		return "error", red
	case "warning":
		return "warning", yellow
	}
	return "note", cyan
}

// finding prints one flaw.
func (t *text) finding(b bundle) {
	f := b.Finding
	word, st := level(f.Evidence.Tier.Shown(f.Severity))
	title := ": " + oneLine(t.title(f))
	var marks []string
	if n := len(b.also); n > 0 {
		marks = append(marks, "in "+number(n+1)+" places")
	}
	for _, s := range []string{tierText(f), t.status(f)} {
		if s != "" {
			marks = append(marks, visible(s))
		}
	}
	if len(marks) > 0 {
		title += " (" + strings.Join(marks, ", ") + ")"
	}
	t.printf("%s%s\n", t.paint(st, fmt.Sprintf("%s[%s]", word, visible(f.Rule))), t.paint(bold, title))

	f = shown(f)
	v := t.view(f)
	indent := strings.Repeat(" ", v.gutter)
	bar := indent + " " + t.paint(blue, "|") + "\n"
	t.printf("%s%s %s\n", indent, t.paint(blue, "-->"), t.place(f.Location))
	if len(v.rows) > 0 {
		t.b.WriteString(bar)
		for _, row := range v.rows {
			t.printf("%s%s\n", t.paint(blue, row.number+" |"), row.text)
		}
	}
	for _, l := range v.elsewhere {
		t.printf("%s%s %s", indent, t.paint(blue, ":::"), t.place(l.Location))
		if l.Message != "" {
			t.printf(": %s", oneLine(l.Message))
		}
		t.b.WriteByte('\n')
	}
	if len(v.rows) > 0 || len(v.elsewhere) > 0 {
		t.b.WriteString(bar)
	}
	if f.Message != "" && !v.messageShown {
		t.note(v.gutter, "note", f.Message)
	}
	if s := t.secretFacts(f); s != "" {
		t.note(v.gutter, "note", s)
	}
	facts := b.facts()
	for _, p := range facts {
		if p.word != "cut" {
			t.note(v.gutter, p.word, p.text)
		}
	}
	if len(f.Trace) > 0 {
		t.note(v.gutter, "note", "how it gets there:")
		for i, step := range f.Trace {
			t.step(v.gutter, fmt.Sprintf("%2d. ", i+1), step.Location, step.Message)
		}
	}
	if n := len(b.also); n > 0 {
		t.note(v.gutter, "also", "the same way in leads to "+count(n, "more place", "more places")+"; each way with --all:")
		for _, o := range b.also {
			t.step(v.gutter, "  - ", o.Location, b.differs(o))
		}
	}
	for _, p := range facts {
		if p.word == "cut" {
			t.note(v.gutter, p.word, p.text)
		}
	}
	for _, n := range f.Notes {
		t.note(v.gutter, "note", n)
	}
	if f.Commit != nil {
		t.note(v.gutter, "commit", commitLine(f.Commit))
		t.note(v.gutter, "now", presence(f.Commit))
	}
	t.note(v.gutter, "rank", rank(f))
	if len(f.Places) > 0 {
		t.note(v.gutter, "also", t.places(f.Places))
	}
	if f.Fix != nil {
		t.fix(v.gutter, f.Fix)
	}
	t.note(v.gutter, "help", "penstock explain "+f.Rule)
	t.b.WriteByte('\n')
}

// step prints a place and what happens there, below a note.
func (t *text) step(gutter int, mark string, l penstock.Location, message string) {
	indent := strings.Repeat(" ", gutter+4)
	s := t.place(l)
	column := gutter + 4 + len(mark) + t.columns(visible(position(l)))
	if message != "" {
		s += ":"
		column++
	}
	t.b.WriteString(indent + mark + s)
	t.words(column, gutter+4+len(mark)+2, message)
}

// rank says how bad and how sure a finding is, and what the gate says of it.
func rank(f *penstock.Finding) string {
	s := f.Severity.String() + " severity"
	if tier := tierText(f); tier != "" {
		s = tier + ", " + s
	}
	if f.Confidence != penstock.ConfidenceUnset {
		s += ", " + f.Confidence.String() + " confidence"
	}
	switch {
	case f.Blocks && f.Reason != "":
		s += "; blocks: " + f.Reason
	case f.Blocks:
		s += "; blocks"
	case f.Reason != "":
		s += "; does not block: " + f.Reason
	}
	return s
}

// places lists further places of a finding, a few of them unless all are asked
// for.
func (t *text) places(places []penstock.Location) string {
	shown := places
	if !t.opts.All && len(shown) > examples+1 {
		shown = shown[:examples]
	}
	var parts []string
	for _, l := range shown {
		parts = append(parts, visible(position(l)))
	}
	s := "in " + count(len(places), "more place", "more places") + ": " + strings.Join(parts, ", ")
	if n := len(places) - len(shown); n > 0 {
		s += ", and " + number(n) + " more"
	}
	return s
}

// fix prints a proposed repair. A step that an earlier finding already named, such
// as to revoke what leaked, is not repeated.
func (t *text) fix(gutter int, f *penstock.Fix) {
	if f.Description != "" {
		t.note(gutter, "fix", f.Description)
	}
	for _, step := range f.Steps {
		if !t.told[step] {
			t.told[step] = true
			t.note(gutter, "fix", step)
		}
	}
}

// note prints "= word: text", wrapped.
func (t *text) note(gutter int, word, s string) {
	head := strings.Repeat(" ", gutter) + " " + t.paint(blue, "=") + " " + t.paint(bold, word+":") + " "
	t.wrap(head, gutter+5+len(word), s)
}

// wrap prints head and then s in lines that fit; lines after the first are
// indented to the width of head, which is given since head may hold colours.
func (t *text) wrap(head string, indent int, s string) {
	t.b.WriteString(head)
	t.words(indent, indent, s)
}

// words prints s in lines that fit, from a column on; lines after the first begin at
// indent. Where the column is another one, a blank stands before the first word.
func (t *text) words(column, indent int, s string) {
	for i, word := range strings.Fields(s) {
		word = visible(word)
		w := t.columns(word)
		glued := column == indent && i == 0
		switch {
		case glued:
		case column+1+w > t.width && column > indent:
			t.b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			t.b.WriteByte(' ')
			column++
		}
		t.b.WriteString(word)
		column += w
	}
	t.b.WriteByte('\n')
}

// place is a position, as a link to the file if there are links.
func (t *text) place(l penstock.Location) string {
	s := visible(position(l))
	if !t.opts.Links || t.opts.Dir == "" {
		return s
	}
	if commit, _ := splitCommit(l.Path); commit != "" {
		return s // in history: there may be no such file, or another one
	}
	// OSC 8. The address is percent-encoded: nothing in it can end the sequence.
	file, _ := penstock.SplitContainer(UnescapePath(l.Path))
	if !path.IsAbs(file) {
		file = path.Join(t.opts.Dir, file)
	}
	return "\x1b]8;;file://" + percentPath(file) + "\x1b\\" + s + "\x1b]8;;\x1b\\"
}

// percentPath percent-encodes all but the unreserved characters of RFC 3986,
// the slash, and "!", which stands between a container and its member.
func percentPath(p string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(p) {
		c := p[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/!", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// fixed lists findings that are no more, a few of them unless all are asked for.
func (t *text) fixed(findings []*penstock.Finding) {
	if len(findings) == 0 {
		return
	}
	t.printf("%s %s\n", t.paint(green, "fixed:"), number(len(findings)))
	list := findings
	if !t.opts.All && len(list) > examples {
		list = list[:examples]
	}
	for _, f := range list {
		t.wrap("  ", 4, fmt.Sprintf("%s: %s, %s", visible(position(shown(f).Location)), f.Rule, t.title(f)))
	}
	if n := len(findings) - len(list); n > 0 {
		t.printf("  ... and %s more\n", number(n))
	}
	t.b.WriteByte('\n')
}

// suppressed lists accepted findings, one line each.
func (t *text) suppressed(findings []*penstock.Finding) {
	if len(findings) == 0 {
		return
	}
	t.printf("%s\n", t.paint(bold, count(len(findings), "suppressed finding", "suppressed findings")+":"))
	for _, f := range findings {
		t.wrap("  ", 4, fmt.Sprintf("%s: %s, %s", visible(position(shown(f).Location)), f.Rule, suppressedText(f.Suppressed)))
	}
	t.b.WriteByte('\n')
}

// suppressedText says by what a finding was suppressed, and why.
func suppressedText(s *penstock.Suppression) string {
	line := "by " + s.Kind
	if s.Place != "" {
		line += " at " + s.Place
	}
	if s.Owner != "" {
		line += ", owner " + s.Owner
	}
	if s.Expires != "" {
		line += ", until " + s.Expires
	}
	if s.Reason != "" {
		line += ": " + s.Reason
	}
	return line
}

// summary prints the verdict and the account of the run. Shown is what stands in full
// above it.
func (t *text) summary(open []*penstock.Finding, shown []bundle, suppressed []*penstock.Finding) {
	word, sentence := t.headline()
	st := map[string]style{wordPass: green, wordBlocked: red, wordIncomplete: yellow, wordNone: bold}[word]
	if word == wordPass && t.incomplete() {
		st = yellow
	}
	t.printf("%s: %s\n", t.paint(st, word), sentence)
	if t.verdict != nil {
		for _, r := range t.verdict.Reasons {
			t.wrap("  - ", 4, r)
		}
	}
	if !t.opts.Quiet {
		t.b.WriteByte('\n')
		if tiered(open) {
			danger, hygiene := tally(open)
			t.row("danger", plain, dangerText(danger)+suppressedCount(suppressed))
			if hygiene.n > 0 {
				t.row("hygiene", plain, number(hygiene.n)+": "+severityText(hygiene.severities))
			}
		} else {
			t.row("findings", plain, findingsText(open, suppressed))
		}
		for _, r := range []struct{ label, text string }{{"compared", t.comparedText()}, {"history", t.historyText()}} {
			if r.text != "" {
				t.row(r.label, plain, r.text)
			}
		}
		t.row("scanned", plain, t.scannedText())
	}
	if t.verdict != nil && t.verdict.Policy != "" && !t.opts.Quiet {
		t.row("policy", plain, t.verdict.Policy)
	}
	t.skipped("not read", red, t.skips(penstock.Unread), t.totals.Unread)
	if !t.opts.Quiet {
		t.skipped("left out", plain, t.skips(penstock.Excluded), t.totals.Excluded)
	}
	t.printNotes()
	if !t.opts.Quiet {
		t.next(open, shown)
	}
}

// labelWidth is the width of the first column of the summary.
const labelWidth = 14

func (t *text) row(label string, st style, s string) {
	pad := strings.Repeat(" ", labelWidth-2-len(label))
	t.wrap("  "+t.paint(st, label)+pad, labelWidth, s)
}

func findingsText(open, suppressed []*penstock.Finding) string {
	s := "none"
	if len(open) > 0 {
		s = severityText(severities(open))
	}
	return s + suppressedCount(suppressed)
}

// dangerText counts danger by tier, or by engine where that has none.
func dangerText(danger []kindCount) string {
	n := 0
	var parts []string
	for _, c := range danger {
		n += c.n
		parts = append(parts, fmt.Sprintf("%s %s (%s)", number(c.n), c.kind, severityText(c.severities)))
	}
	if n == 0 {
		return "none"
	}
	return number(n) + ": " + strings.Join(parts, ", ")
}

func suppressedCount(suppressed []*penstock.Finding) string {
	if len(suppressed) == 0 {
		return ""
	}
	return "; " + number(len(suppressed)) + " suppressed (" + kinds(suppressed) + ")"
}

// scannedText says what was read, and by which engines.
func (d *document) scannedText() string {
	s := count(d.totals.Scanned, "file", "files")
	if d.totals.Files > d.totals.Scanned {
		s = fmt.Sprintf("%s of %s", number(d.totals.Scanned), count(d.totals.Files, "file", "files"))
	}
	s += " (" + bytesText(d.totals.Bytes) + ")"
	if d.totals.Members > 0 {
		s += " and " + count(d.totals.Members, "file", "files") + " inside containers"
	}
	engines := slices.Clone(d.header.Engines)
	if len(engines) == 0 {
		engines = sortedKeys(d.totals.ByEngine)
	}
	if len(engines) > 1 {
		for i, e := range engines {
			engines[i] = fmt.Sprintf("%s (%s)", e, number(d.totals.ByEngine[e]))
		}
	}
	if len(engines) > 0 {
		s += ", by " + strings.Join(engines, ", ")
	}
	return s
}

// skipped prints what was not scanned, by reason, with examples.
func (t *text) skipped(label string, st style, skips []skip, files int) {
	if len(skips) == 0 {
		return
	}
	n := 0
	for _, s := range skips {
		n += s.count
	}
	total := count(n, "file", "files")
	if files > 0 && files != n {
		// Members of containers are counted by reason, but are no files.
		total = count(files, "file", "files") + fmt.Sprintf(" (%s with the members of containers)", number(n))
	}
	t.row(label, st, total+":")
	for _, s := range skips {
		t.wrap(strings.Repeat(" ", labelWidth+2), labelWidth+4, s.text())
	}
}

// text is a reason with its count and examples.
func (s skip) text() string {
	line := fmt.Sprintf("%s %s: ", number(s.count), reasonText(s.reason))
	var parts []string
	for _, c := range s.examples {
		p := c.Path
		if c.Detail != "" && s.state == penstock.Unread {
			p += " (" + c.Detail + ")"
		}
		parts = append(parts, p)
	}
	line += strings.Join(parts, ", ")
	if s.count > len(s.examples) {
		line += ", ..."
	}
	return line
}

func (t *text) printNotes() {
	notes := slices.DeleteFunc(slices.Clone(t.notes), func(n *penstock.Note) bool {
		return t.opts.Quiet && !n.Incomplete || minor(n) && !t.opts.All && !t.opts.Verbose
	})
	const few = 20
	rest := 0
	if !t.opts.All && len(notes) > few {
		notes, rest = notes[:few], len(notes)-few
	}
	for _, n := range notes {
		label, st := "note", plain
		if n.Incomplete {
			label, st = "incomplete", yellow
		}
		t.row(label, st, noteText(n))
	}
	if rest > 0 {
		t.row("", plain, "... and "+count(rest, "more note", "more notes"))
	}
}

func noteText(n *penstock.Note) string {
	s := n.Message
	if n.Place != "" {
		s = n.Place + ": " + s
	}
	if n.Code != "" {
		s += " [" + n.Code + "]"
	}
	if n.Hint != "" {
		s += "; " + n.Hint
	}
	return s
}

// next says what to do now.
func (t *text) next(open []*penstock.Finding, shown []bundle) {
	var steps []string
	if len(shown) > 0 {
		steps = append(steps, "penstock explain "+shown[0].Rule)
	}
	fixes, past := 0, 0
	for _, f := range open {
		switch {
		case f.Commit != nil:
			past++
		case f.Fix != nil && len(f.Fix.Edits) > 0:
			fixes++
		}
	}
	if fixes > 0 {
		steps = append(steps, "penstock fix (for "+count(fixes, "finding", "findings")+")")
	}
	if past > 0 {
		steps = append(steps, "penstock fix --history (for "+count(past, "finding", "findings")+")")
	}
	if len(shown) < len(open) {
		steps = append(steps, "the same with --all")
	}
	if len(steps) > 0 {
		t.row("next", plain, strings.Join(steps, "; "))
	}
}

var lineCommand = regexp.MustCompile(`(?m)^([ \t]*):(:[A-Za-z])`)

// breakCommands defuses what several harmless strings could form together in a
// log: ##[ anywhere in a line, ::name at its start, as GitHub has it.
func breakCommands(s string) string {
	s = inlineCommand.ReplaceAllString(s, `#\x23$1`)
	return lineCommand.ReplaceAllString(s, `$1\x3a$2`)
}
