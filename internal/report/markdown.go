package report

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"penstock"
)

const (
	// mdLimit is the size of a Markdown report at most: a step summary of GitHub
	// takes 1024 KiB and is dropped whole beyond that; some room is left for what
	// the step itself writes.
	mdLimit = 1000 << 10
	// mdLeast is the smallest bound; below it the account would not fit.
	mdLeast = 16 << 10
	// mdReserve is kept free for the closing lines.
	mdReserve = 512
	// mdItems and mdChars bound the lists and texts of one finding.
	mdItems = 20
	mdChars = 2000
	// mdKinds bounds the rows of numbers: tiers, and engines without them.
	mdKinds = 8
)

// markdown writes a report for the step summary of a CI run or a comment. The
// ten findings to act on first are shown with their source, the others as a
// list; all of it within a bound of bytes, and what did not fit is counted.
//
// Text of the scanned tree is inert: mdText for running text, mdCode and mdFence
// for code, mdHTML inside a tag. None can mention a person, refer to another
// issue, load an image, hide in a comment, or end its fence.
type markdown struct {
	document
	w    io.Writer
	opts Options
	b    strings.Builder
	max  int
}

func newMarkdown(w io.Writer, opts Options) Sink {
	m := &markdown{w: w, opts: opts, max: mdLimit}
	if opts.MaxBytes > 0 {
		m.max = max(min(m.max, opts.MaxBytes), mdLeast)
	}
	return m
}

func (m *markdown) Record(r penstock.Record) error {
	m.add(r)
	return nil
}

func (m *markdown) Close() error {
	open, fixed, suppressed := m.split()
	tail := m.fixed(fixed) + m.coverage()
	m.head(open, suppressed)
	// The account of what was not read matters more than the fortieth finding.
	room := m.max - mdReserve - m.b.Len()
	if len(tail) > room/2 {
		tail = cutLines(tail, room/2)
	}
	room -= len(tail)

	order := ranked(open)
	all := single(order)
	full := all
	if !m.opts.All {
		all = bundles(order)
		full = toAct(all)
	}
	shown := 0
	if len(full) > 0 {
		m.block(&room, "### To act on first\n\n")
	}
	cut := false
	for _, b := range full {
		if !m.block(&room, m.finding(b)) && !m.block(&room, m.line(b)+"\n") {
			cut = true
			break
		}
		shown += 1 + len(b.also)
	}
	if !cut {
		shown += m.rest(&room, all[len(full):], len(full) == 0)
	}
	if rest := len(order) - shown; rest > 0 {
		fmt.Fprintf(&m.b, "\n**%s not shown: this report is limited to %s.** The other formats have them all.\n\n",
			count(rest, "finding is", "findings are"), bytesText(int64(m.max)))
	}
	m.b.WriteString(tail)
	if _, err := io.WriteString(m.w, m.b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// rest writes what is not shown in full: a line for each danger, then hygiene by rule.
// It returns how many findings that tells of.
func (m *markdown) rest(room *int, all []bundle, first bool) (told int) {
	var danger []bundle
	var hygiene []*penstock.Finding
	for _, b := range all {
		if idle(b.Finding) {
			hygiene = append(hygiene, b.Finding)
		} else {
			danger = append(danger, b)
		}
	}
	if len(danger) > 0 {
		title := "### More findings\n\n"
		if first {
			title = "### Findings that were there before\n\n"
		}
		m.block(room, title)
		for _, b := range danger {
			if !m.block(room, m.line(b)) {
				return told
			}
			told += 1 + len(b.also)
		}
		m.block(room, "\n")
	}
	if len(hygiene) == 0 {
		return told
	}
	const end = "\n</details>\n\n"
	left := *room - len(end)
	head := fmt.Sprintf("### Hygiene\n\n<details>\n<summary>%s, no danger by %s</summary>\n\n", count(len(hygiene), "finding", "findings"), plural(len(hygiene), "itself", "themselves"))
	if !m.block(&left, head+"| findings | rule | first place | remedy |\n| ---: | --- | --- | --- |\n") {
		return told
	}
	for _, c := range m.byRule(hygiene, 1) {
		remedy := ""
		if r := m.rules[c.rule]; r != nil {
			remedy = clip(r.Remedy, 300)
		}
		row := fmt.Sprintf("| %s | %s<br>%s | %s | %s |\n", number(c.n), mdCell(clip(c.title, 200)), mdCell(clip(c.rule, 200)), mdCell(clip(c.places[0], 300)), mdCell(remedy))
		if !m.block(&left, row) {
			break
		}
		told += c.n
	}
	m.b.WriteString(end)
	*room = left
	return told
}

// block writes s if there is room for it.
func (m *markdown) block(room *int, s string) bool {
	if len(s) > *room {
		return false
	}
	*room -= len(s)
	m.b.WriteString(s)
	return true
}

// cutLines keeps whole lines of s within n bytes and says that it cut.
func cutLines(s string, n int) string {
	const more = "- ... cut to fit the limit of this report\n"
	n -= len(more)
	if n <= 0 {
		return ""
	}
	return s[:strings.LastIndexByte(s[:n], '\n')+1] + more
}

func (m *markdown) head(open, suppressed []*penstock.Finding) {
	word, sentence := m.headline()
	mark := map[string]string{wordPass: "✅", wordBlocked: "❌", wordIncomplete: "⚠️"}[word]
	if word == wordPass && m.incomplete() {
		mark = "⚠️"
	}
	if mark != "" {
		mark += " "
	}
	fmt.Fprintf(&m.b, "## %sPenstock: %s\n\n%s.\n\n", mark, word, mdText(upperFirst(sentence)))
	if m.verdict != nil {
		room := m.max / 4
		for i, r := range m.verdict.Reasons {
			if !m.block(&room, "- "+mdText(clip(r, 500))+"\n") {
				fmt.Fprintf(&m.b, "- ... and %s\n", count(len(m.verdict.Reasons)-i, "more reason", "more reasons"))
				break
			}
		}
		m.b.WriteString("\n")
	}
	for _, s := range []struct{ label, text string }{{"Compared ", m.comparedText()}, {"History: ", m.historyText()}} {
		if s.text != "" {
			fmt.Fprintf(&m.b, "%s%s.\n\n", s.label, mdText(clip(s.text, 500)))
		}
	}
	if tiered(open) {
		m.b.WriteString(m.numbers(open))
	} else if counts := severities(open); len(counts) > 0 {
		_, compared := m.compared()
		m.b.WriteString(map[bool]string{
			false: "| severity | open |\n| --- | ---: |\n",
			true:  "| severity | open | new |\n| --- | ---: | ---: |\n",
		}[compared])
		fresh := make(map[penstock.Severity]int)
		for _, f := range open {
			if f.Status == penstock.StatusNew {
				fresh[f.Severity]++
			}
		}
		for _, c := range counts {
			fmt.Fprintf(&m.b, "| %s | %s |", c.Severity, number(c.Count))
			if compared {
				fmt.Fprintf(&m.b, " %s |", number(fresh[c.Severity]))
			}
			m.b.WriteString("\n")
		}
		m.b.WriteString("\n")
	}
	if len(suppressed) > 0 {
		fmt.Fprintf(&m.b, "%s: %s.\n\n", count(len(suppressed), "suppressed finding", "suppressed findings"), mdText(clip(kinds(suppressed), 100)))
	}
}

// numbers is the table of what is open, danger and hygiene apart.
func (m *markdown) numbers(open []*penstock.Finding) string {
	danger, hygiene := tally(open)
	_, compared := m.compared()
	var b strings.Builder
	row := func(name string, cells ...string) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, strings.Join(cells, " | "))
	}
	line := func(name string, c kindCount, mark string) {
		cells := []string{mark + number(c.n) + mark}
		if compared {
			cells = append(cells, number(c.fresh))
		}
		row(name, append(cells, severityText(c.severities))...)
	}
	if compared {
		row("", "open", "new", "")
		row("---", "---:", "---:", "---")
	} else {
		row("", "open", "")
		row("---", "---:", "---")
	}
	var of []*penstock.Finding
	total := kindCount{}
	for _, f := range open {
		if f.Evidence.Tier != penstock.TierHygiene {
			of = append(of, f)
		}
	}
	total.n, total.severities = len(of), severities(of)
	for _, c := range danger {
		total.fresh += c.fresh
	}
	line("**danger**", total, "**")
	for _, c := range danger[:min(len(danger), mdKinds)] {
		line(mdCell(clip(c.kind, 40)), c, "")
	}
	if hygiene.n > 0 {
		line("hygiene", hygiene, "")
	}
	return b.String() + "\n"
}

func upperFirst(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// finding is one flaw in full, folded.
func (m *markdown) finding(all bundle) string {
	var b strings.Builder
	f := shown(all.Finding)
	fmt.Fprintf(&b, "<details>\n<summary><b>%s</b>%s %s <code>%s</code>%s</summary>\n\n",
		m.level(f), m.mark(f), mdHTML(clip(m.title(f), 200)), html.EscapeString(visible(clip(position(f.Location), 500))), more(all))
	if f.Message != "" {
		b.WriteString(mdClip(f.Message) + "\n\n")
	}
	if s := f.Snippet; s != nil && len(s.Lines) > 0 {
		lines := make([]string, 0, len(s.Lines))
		for i, l := range s.Lines {
			if i == 2*maxRows {
				lines = append(lines, ellipsis)
				break
			}
			lines = append(lines, fmt.Sprintf("%5d  %s", max(s.FirstLine, 1)+i, clip(sourceLine(l), 400)))
		}
		b.WriteString(mdFence(lines) + "\n")
	}
	fmt.Fprintf(&b, "- rule %s\n- %s\n", mdCode(f.Rule), mdClip(rank(f)))
	if s := m.secretFacts(f); s != "" {
		fmt.Fprintf(&b, "- %s\n", mdClip(s))
	}
	if f.Commit != nil {
		fmt.Fprintf(&b, "- commit %s; **%s**\n", mdClip(commitLine(f.Commit)), presence(f.Commit))
	}
	facts := all.facts()
	for _, p := range facts {
		if p.word != "cut" {
			fmt.Fprintf(&b, "- %s: %s\n", p.word, mdClip(p.text))
		}
	}
	if len(f.Trace) > 0 {
		b.WriteString("- how it gets there:\n" + m.steps("", f, f.Trace))
	}
	for _, l := range f.Related[:min(len(f.Related), mdItems)] {
		fmt.Fprintf(&b, "- %s %s\n", mdPlace(l.Location), mdClip(l.Message))
	}
	for i, o := range all.also {
		if i == mdItems {
			fmt.Fprintf(&b, "- ... and %s by the same way in\n", count(len(all.also)-i, "more place", "more places"))
			break
		}
		o = shown(o)
		fmt.Fprintf(&b, "- the same way in leads to %s %s\n", mdPlace(o.Location), mdClip(all.differs(o)))
		b.WriteString(m.steps("  ", o, all.own(o)))
	}
	for i, p := range slices.DeleteFunc(facts, func(p pathFact) bool { return p.word != "cut" }) {
		if i == mdItems {
			break
		}
		fmt.Fprintf(&b, "- %s: %s\n", p.word, mdClip(p.text))
	}
	for _, n := range f.Notes[:min(len(f.Notes), mdItems)] {
		fmt.Fprintf(&b, "- %s\n", mdClip(n))
	}
	if n := len(f.Places); n > 0 {
		fmt.Fprintf(&b, "- in %s:", count(n, "more place", "more places"))
		for i, l := range f.Places {
			if i == mdItems {
				b.WriteString(" ...")
				break
			}
			b.WriteString(" " + mdPlace(l))
		}
		b.WriteString("\n")
	}
	if f.Fix != nil {
		if f.Fix.Description != "" {
			fmt.Fprintf(&b, "- fix: %s\n", mdClip(f.Fix.Description))
		}
		for _, s := range f.Fix.Steps[:min(len(f.Fix.Steps), mdItems)] {
			fmt.Fprintf(&b, "- to do: %s\n", mdClip(s))
		}
	}
	if r := m.rules[f.Rule]; r != nil && r.Why != "" {
		fmt.Fprintf(&b, "\n%s", mdClip(r.Why))
		if r.Remedy != "" {
			fmt.Fprintf(&b, " %s", mdClip(r.Remedy))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n</details>\n\n")
	return b.String()
}

// steps is a numbered list within a list.
func (m *markdown) steps(indent string, f *penstock.Finding, trace []penstock.Label) string {
	var b strings.Builder
	for i, step := range trace {
		if i == mdItems {
			fmt.Fprintf(&b, "%s  %d. ... and %s\n", indent, i+1, count(len(trace)-i, "more step", "more steps"))
			break
		}
		text, rule := forgeRule(f, step.Message)
		fmt.Fprintf(&b, "%s  %d. %s %s", indent, i+1, mdPlace(step.Location), mdClip(text))
		if rule != "" {
			b.WriteString(" (rule of the forge: " + mdCode(clip(rule, 200)) + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// level is the severity, with the tier where there is one.
func (m *markdown) level(f *penstock.Finding) string {
	s := f.Severity.String()
	if tier := tierText(f); tier != "" {
		s += ", " + tier
	}
	return s
}

// more says in how many further places a flaw is.
func more(b bundle) string {
	if len(b.also) == 0 {
		return ""
	}
	return " and in " + count(len(b.also), "more place", "more places")
}

// mdClip is mdText for text of any length.
func mdClip(s string) string { return mdText(clip(s, mdChars)) }

// mdPlace is a position as code.
func mdPlace(l penstock.Location) string { return mdCode(clip(position(l), 500)) }

// line is one flaw in one line.
func (m *markdown) line(b bundle) string {
	f := b.Finding
	s := fmt.Sprintf("- %s%s: %s %s%s", m.level(f), m.mark(f), mdPlace(shown(f).Location), mdText(clip(m.title(f), 200)), more(b))
	if f.Commit != nil {
		s += ", " + presence(f.Commit)
	}
	return s + "\n"
}

// mark is the status of a finding where it tells something.
func (m *markdown) mark(f *penstock.Finding) string {
	if s := m.status(f); s != "" {
		return " (" + s + ")"
	}
	return ""
}

// fixed lists findings that are no more.
func (m *markdown) fixed(findings []*penstock.Finding) string {
	if len(findings) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### Fixed: %s\n\n", number(len(findings)))
	for i, f := range findings {
		if i == mdItems && !m.opts.All {
			fmt.Fprintf(&b, "- ... and %s more\n", number(len(findings)-i))
			break
		}
		fmt.Fprintf(&b, "- %s %s %s\n", mdPlace(shown(f).Location), mdCode(clip(f.Rule, 200)), mdText(clip(m.title(f), 200)))
	}
	return b.String() + "\n"
}

// coverage is what was scanned, what was not, and the notes.
func (m *markdown) coverage() string {
	var b strings.Builder
	b.WriteString("### What was checked\n\n")
	fmt.Fprintf(&b, "- scanned: %s\n", mdText(m.scannedText()))
	list := func(label string, skips []skip) {
		for _, s := range skips {
			fmt.Fprintf(&b, "- %s: %s %s:", label, number(s.count), mdText(reasonText(s.reason)))
			for _, c := range s.examples {
				b.WriteString(" " + mdCode(clip(c.Path, 300)))
				if c.Detail != "" && s.state == penstock.Unread {
					b.WriteString(" (" + mdText(clip(c.Detail, 300)) + ")")
				}
			}
			if s.count > len(s.examples) {
				b.WriteString(" ...")
			}
			b.WriteString("\n")
		}
	}
	list("**not read**", m.skips(penstock.Unread))
	list("left out", m.skips(penstock.Excluded))
	notes := slices.DeleteFunc(slices.Clone(m.notes), func(n *penstock.Note) bool { return minor(n) && !m.opts.All && !m.opts.Verbose })
	for i, n := range notes {
		if i == 50 {
			fmt.Fprintf(&b, "- ... and %s\n", count(len(notes)-i, "more note", "more notes"))
			break
		}
		label := "note"
		if n.Incomplete {
			label = "**incomplete**"
		}
		fmt.Fprintf(&b, "- %s: %s\n", label, mdText(clip(noteText(n), 1000)))
	}
	if m.verdict != nil && m.verdict.Policy != "" {
		fmt.Fprintf(&b, "- policy: %s\n", mdCode(m.verdict.Policy))
	}
	if m.header.Version != "" {
		fmt.Fprintf(&b, "- penstock %s\n", mdText(m.header.Version))
	}
	return b.String()
}

// mdText is the escaper for running text: one line in which nothing is Markdown,
// HTML, a mention, a reference, an address or a formula.
//
// Punctuation that CommonMark knows is escaped by a backslash (CommonMark 0.31,
// section 2.4), & and < by entities. That is not enough for what forges look for
// in the text after Markdown is done: @name, #1, !1, ~label, :emoji:, addresses.
// Such a sign is put into an element of its own, which ends the word it began.
func mdText(s string) string {
	s = oneLine(s)
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case joinsReference(s, i):
			fmt.Fprintf(&b, "<span>&#%d;</span>", c)
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case strings.IndexByte("\\`*_{}[]#!|~^", c) >= 0, opensBlock(s, i):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// mdCell is mdText for a cell of a table, which a bar would end.
func mdCell(s string) string { return strings.ReplaceAll(mdText(s), `\|`, "&#124;") }

// opensBlock reports whether the sign at i would make a list, a rule or a
// heading of a line that begins with s: "- x", "1. x", "===".
func opensBlock(s string, i int) bool {
	switch s[i] {
	case '-', '+', '=':
		return i == 0
	case '.', ')':
		return i > 0 && strings.Trim(s[:i], "0123456789") == ""
	}
	return false
}

// joinsReference reports whether the sign at i could be part of a mention, a
// reference, an emoji, a formula or an address.
func joinsReference(s string, i int) bool {
	switch s[i] {
	case '@', '$':
		return true
	case '#', '!', '~', '%', '^', ':', '&':
		return i+1 < len(s) && s[i+1] != ' '
	case '.':
		return i >= 3 && strings.EqualFold(s[i-3:i], "www")
	}
	return false
}

// mdCode is the escaper for a piece of code within a line.
func mdCode(s string) string {
	s = visible(s)
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if len(fence) > 1 || s[0] == ' ' || s[len(s)-1] == ' ' {
		// One blank on either side is taken off again (CommonMark, section 6.1).
		s = " " + s + " "
	}
	return fence + s + fence
}

// mdFence is the escaper for lines of code.
func mdFence(lines []string) string {
	longest := 2
	for i, l := range lines {
		lines[i] = visibleSource(l)
		longest = max(longest, longestRun(l, '`'))
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "text\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
}

// longestRun is the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, n := 0, 0
	for i := range len(s) {
		if s[i] == c {
			n++
			longest = max(longest, n)
		} else {
			n = 0
		}
	}
	return longest
}

// mdHTML is the escaper for text inside an HTML block of Markdown, in which
// Markdown is not read but references are, other than in a code element.
func mdHTML(s string) string {
	s = oneLine(s)
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case joinsReference(s, i):
			fmt.Fprintf(&b, "<span>&#%d;</span>", c)
		case strings.IndexByte("&<>\"'", c) >= 0:
			fmt.Fprintf(&b, "&#%d;", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
