package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"penstock"
)

//go:embed page/report.html
var pageHTML string

//go:embed page/report.css
var pageCSS string

//go:embed page/report.js
var pageJS string

// Bounds of the page. A browser takes some 30,000 findings before it is slow;
// the other lists are for people.
const (
	htmlFindings = 20_000
	htmlPlaces   = 200
	htmlUnread   = 2_000
	htmlNotes    = 500
	// htmlLong is from where on the browser may leave out what is not in view.
	htmlLong = 300
)

// htmlReport writes one page that needs nothing beside it: no request leaves it,
// and its policy lets only its own style and script run, by their hashes. All
// text is in the page, so it can be read, searched and printed without script.
//
// html/template escapes by context; what it is given is the visible form, cut
// into runs so that escapes can be told from text that looks like one.
type htmlReport struct {
	document
	w io.Writer
	// most is how many findings are in the page.
	most int
}

func newHTML(w io.Writer, _ Options) Sink { return &htmlReport{w: w, most: htmlFindings} }

func (h *htmlReport) Record(r penstock.Record) error {
	h.add(r)
	return nil
}

// run is a piece of text that is either as in the source or an escape.
type run struct {
	Text    string
	Escaped bool
}

// runs is visible, with the escapes apart.
func runs(s string) []run {
	var out []run
	marks, from := 0, 0
	flush := func(to int) {
		if to > from {
			out = append(out, run{Text: visibleSource(s[from:to])})
		}
	}
	for i, r := range s {
		if r == '\t' || !hidden(r, &marks) {
			continue
		}
		flush(i)
		out = append(out, run{escapeRune(r), true})
		from = i + utf8.RuneLen(r)
	}
	flush(len(s))
	return out
}

type (
	htmlPage struct {
		CSP                  string
		CSS                  template.CSS
		JS                   template.JS
		Word, Sentence, Tone string
		Reasons, Roots       []string
		Severities, Filters  []severityCount
		Suppressed           string
		Compared, History    string
		Changes              []htmlChange
		// Tiered pages tell danger from hygiene: Danger counts the former by kind,
		// Severities are those of danger, and Hygiene is told by rule.
		Tiered                 bool
		Danger, Tiers          []htmlChange
		Hygiene, HygieneText   string
		Groups                 []htmlGroup
		Scanned, UnreadCount   string
		Excluded, ScannedText  string
		Findings               []htmlFinding
		Engines                []string
		Omitted                string
		Incomplete, Long       bool
		Unread                 []htmlUnreadFile
		UnreadMore, NotesMore  string
		Skipped                []htmlSkip
		Notes                  []htmlNote
		Rules                  []htmlRule
		Version, Build, Policy string
		Digests                string
	}
	// htmlChange is one status with the number of its findings.
	htmlChange struct{ Word, Count string }
	// htmlGroup is a rule with its findings of hygiene.
	htmlGroup struct {
		Anchor, Severity, Title, Rule, RuleAnchor string
		Remedy, Count                             string
		Findings                                  []htmlFinding
		worst                                     penstock.Severity
	}
	htmlUnreadFile struct{ Path, Why string }
	htmlSkip       struct {
		Count, Why string
		Examples   []string
	}
	htmlNote struct {
		Text       string
		Incomplete bool
	}
	htmlRule struct {
		Anchor, ID, Title, Why, Remedy string
		Examples                       []htmlExample
		Links                          []htmlLink
	}
	htmlExample struct {
		Head  string
		Lines []string
	}
	htmlLink    struct{ Text, Address string }
	htmlFinding struct {
		Anchor, Rule, RuleAnchor, Engine, Severity, Title, Place string
		// Status is that of the finding, Mark the same where it tells something.
		// Kind is the value of the filter for tiers.
		Tier, Kind                               string
		Status, Mark, Now                        string
		Blocks, Open                             bool
		Message, Rank, Off, Facts, Scope, Commit []run
		Lines                                    []htmlLine
		Trace, Related                           []htmlStep
		Places                                   []string
		Notes, Fix, Cuts                         [][]run
		Path                                     []htmlFact
		// Also are further findings of the same flaw, Differs in which way this one
		// differs from the first, Size how many findings the flaw has.
		Also    []htmlFinding
		Differs []run
		Size    int
	}
	htmlFact struct {
		Word string
		Text []run
	}
	htmlStep struct {
		Place string
		Text  []run
		// Rule is that of the forge by which the step works; Gain says that the step
		// is what is won.
		Rule string
		Gain bool
	}
	htmlLine struct {
		Number string
		Hit    bool
		Parts  []htmlPart
	}
	htmlPart struct {
		Text []run
		Mark bool
	}
)

func (h *htmlReport) Close() error {
	t, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	b := bufio.NewWriterSize(h.w, 64<<10)
	if err := t.Execute(b, h.page()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// policy is the content security policy of the page.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageCSS) + "; script-src " + hash(pageJS) + "; base-uri 'none'; form-action 'none'"
}

func (h *htmlReport) page() htmlPage {
	open, fixed, suppressed := h.split()
	word, sentence := h.headline()
	p := htmlPage{
		CSP: policy(), CSS: template.CSS(pageCSS), JS: template.JS(pageJS),
		Word: word, Sentence: sentence, Incomplete: h.incomplete(),
		Tone: map[string]string{wordPass: "pass", wordBlocked: "blocked", wordIncomplete: "incomplete", wordNone: "none"}[word],

		Severities:  allSeverities(open),
		Suppressed:  number(len(suppressed)),
		Scanned:     number(h.totals.Scanned),
		UnreadCount: number(h.totals.Unread),
		Excluded:    number(h.totals.Excluded),
		ScannedText: oneLine(h.scannedText()),
		Version:     visible(h.header.Version),
		Build:       visible(h.header.Build),
	}
	if !slices.Equal(h.header.Roots, []string{"."}) {
		p.Roots = each(h.header.Roots, visible)
	}
	if word == wordPass && p.Incomplete {
		p.Tone = "incomplete"
	}
	if v := h.verdict; v != nil {
		p.Reasons, p.Policy = each(v.Reasons, oneLine), oneLine(v.Policy)
	}
	p.Compared, p.History = oneLine(h.comparedText()), oneLine(h.historyText())
	if c, ok := h.compared(); ok {
		p.Changes = []htmlChange{
			{string(penstock.StatusNew), number(c.fresh)},
			{string(penstock.StatusUnchanged), number(c.unchanged)},
			{string(penstock.StatusFixed), number(c.fixed)},
		}
	}
	if h.header.Rules != "" {
		p.Digests = "rules " + visible(h.header.Rules) + ", configuration " + visible(h.header.Config)
	}

	order := slices.Concat(ranked(open), ranked(fixed), ranked(suppressed))
	// Danger that was there before is worth more room than new hygiene.
	slices.SortStableFunc(order, func(a, b *penstock.Finding) int { return boolCompare(idle(a), idle(b)) })
	if n := len(order) - h.most; n > 0 {
		p.Omitted, order = number(n), order[:h.most]
	}
	p.Filters, p.Long = severities(order), len(order) > htmlLong
	if tiered(order) {
		h.tiers(&p, open, order)
	}
	anchors := h.ruleSection(&p, order)
	engines := make(map[string]bool)
	groups := make(map[string]int)
	last := 0
	next := func(f *penstock.Finding) htmlFinding {
		last++
		v := h.finding(f, anchors[f.Rule])
		v.Anchor, v.Size = "f"+strconv.Itoa(last), 1
		engines[v.Engine] = true
		return v
	}
	for _, b := range bundles(order) {
		f := b.Finding
		v := next(f)
		if idle(f) {
			i, ok := groups[f.Rule]
			if !ok {
				i = len(p.Groups)
				groups[f.Rule] = i
				g := htmlGroup{Title: v.Title, Rule: v.Rule, RuleAnchor: v.RuleAnchor}
				if r := h.rules[f.Rule]; r != nil {
					g.Remedy = oneLine(r.Remedy)
					if r.Title != "" {
						g.Title = oneLine(r.Title)
					}
				}
				p.Groups = append(p.Groups, g)
			}
			g := &p.Groups[i]
			g.Findings, g.worst = append(g.Findings, v), max(g.worst, f.Severity)
			continue
		}
		v.Open = len(p.Findings) < actFirst && f.Suppressed == nil && !known(f) && (f.Blocks || f.Severity >= penstock.Medium)
		v.setFacts(b.facts())
		for _, o := range b.also {
			w := next(o)
			w.Differs = words(b.differs(o))
			v.Also = append(v.Also, w)
			v.Size++
		}
		p.Findings = append(p.Findings, v)
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		g.Count, g.Severity = number(len(g.Findings)), g.worst.String()
	}
	slices.SortStableFunc(p.Groups, func(a, b htmlGroup) int {
		return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(len(b.Findings), len(a.Findings)))
	})
	for i := range p.Groups {
		p.Groups[i].Anchor = "h" + strconv.Itoa(i+1)
	}
	if len(engines) > 1 {
		p.Engines = sortedKeys(engines)
	}

	for i, c := range h.unread {
		if i == htmlUnread {
			p.UnreadMore = number(len(h.unread) - i)
			break
		}
		why := reasonText(c.Reason)
		if c.Detail != "" {
			why += ": " + c.Detail
		}
		p.Unread = append(p.Unread, htmlUnreadFile{visible(c.Path), oneLine(why)})
	}
	for _, s := range h.skips(penstock.Excluded) {
		row := htmlSkip{Count: number(s.count), Why: oneLine(reasonText(s.reason))}
		for _, c := range s.examples {
			row.Examples = append(row.Examples, visible(c.Path))
		}
		p.Skipped = append(p.Skipped, row)
	}
	for i, n := range h.notes {
		if i == htmlNotes {
			p.NotesMore = number(len(h.notes) - i)
			break
		}
		p.Notes = append(p.Notes, htmlNote{oneLine(noteText(n)), n.Incomplete})
	}
	return p
}

// tiers fills in what tells danger from hygiene. The filter has what is in the page.
func (h *htmlReport) tiers(p *htmlPage, open, order []*penstock.Finding) {
	p.Tiered = true
	danger, hygiene := tally(open)
	for _, c := range danger {
		p.Danger = append(p.Danger, htmlChange{visible(c.kind), number(c.n)})
	}
	p.Hygiene = number(hygiene.n)
	p.HygieneText = severityText(hygiene.severities)
	p.Severities = allSeverities(slices.DeleteFunc(slices.Clone(open), func(f *penstock.Finding) bool { return f.Evidence.Tier == penstock.TierHygiene }))
	kinds, rest := tally(order)
	if rest.n > 0 {
		kinds = append(kinds, rest)
	}
	for _, c := range kinds {
		p.Tiers = append(p.Tiers, htmlChange{visible(c.kind), number(c.n)})
	}
}

// allSeverities counts open findings of every severity, also of those without.
func allSeverities(open []*penstock.Finding) []severityCount {
	counts := severities(open)
	for _, s := range penstock.Severities() {
		if !slices.ContainsFunc(counts, func(c severityCount) bool { return c.Severity == s }) {
			counts = append(counts, severityCount{Severity: s})
		}
	}
	slices.SortFunc(counts, func(a, b severityCount) int { return cmp.Compare(b.Severity, a.Severity) })
	return counts
}

func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in))
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// ruleSection fills in the rules that findings name and returns their anchors.
func (h *htmlReport) ruleSection(p *htmlPage, findings []*penstock.Finding) map[string]string {
	used := make(map[string]bool)
	for _, f := range findings {
		used[f.Rule] = true
	}
	anchors := make(map[string]string)
	for _, id := range sortedKeys(used) {
		r := h.rules[id]
		if r == nil {
			continue
		}
		v := htmlRule{
			Anchor: "r" + strconv.Itoa(len(p.Rules)+1), ID: visible(r.ID), Title: oneLine(r.Title),
			Why: oneLine(r.Why), Remedy: oneLine(r.Remedy),
		}
		if v.Title == "" {
			v.Title = v.ID
		}
		for _, e := range []struct{ head, code string }{{"Bad", r.Bad}, {"Good", r.Good}} {
			if e.code != "" {
				v.Examples = append(v.Examples, htmlExample{e.head, each(strings.Split(strings.TrimRight(e.code, "\n"), "\n"), visibleSource)})
			}
		}
		for _, n := range r.CWE {
			id := strconv.Itoa(n)
			v.Links = append(v.Links, htmlLink{"CWE-" + id, "https://cwe.mitre.org/data/definitions/" + id + ".html"})
		}
		for _, ref := range r.References {
			address, _ := webAddress(ref)
			v.Links = append(v.Links, htmlLink{visible(ref), address})
		}
		for _, tag := range r.Tags {
			v.Links = append(v.Links, htmlLink{Text: visible(tag)})
		}
		anchors[id] = v.Anchor
		p.Rules = append(p.Rules, v)
	}
	return anchors
}

// setFacts sets what stands before the way, and the cuts, which stand behind it.
func (v *htmlFinding) setFacts(facts []pathFact) {
	v.Path, v.Cuts = nil, nil
	for _, p := range facts {
		if p.word == "cut" {
			v.Cuts = append(v.Cuts, words(p.text))
		} else {
			v.Path = append(v.Path, htmlFact{upperFirst(p.word), words(p.text)})
		}
	}
}

// words is a line of running text.
func words(s string) []run { return runs(strings.Join(strings.Fields(s), " ")) }

func (h *htmlReport) finding(f *penstock.Finding, ruleAnchor string) htmlFinding {
	f = shown(f)
	line := words
	v := htmlFinding{
		Rule: visible(f.Rule), RuleAnchor: ruleAnchor, Engine: visible((&penstock.Rule{ID: f.Rule}).Engine()),
		Severity: f.Severity.String(), Title: oneLine(h.title(f)), Place: visible(position(f.Location)), Blocks: f.Blocks,
		Message: line(f.Message), Rank: line(rank(f)), Facts: line(h.secretFacts(f)), Scope: line(f.Evidence.Scope),
	}
	v.Mark, v.Tier, v.Kind = h.status(f), tierText(f), visible(kindOf(f))
	switch f.Status {
	case penstock.StatusNew, penstock.StatusUnchanged, penstock.StatusFixed:
		v.Status = string(f.Status)
	}
	if f.Commit != nil {
		v.Commit, v.Now = line(commitLine(f.Commit)), presence(f.Commit)
	}
	if f.Suppressed != nil {
		v.Off = line(suppressedText(f.Suppressed))
	}
	for _, l := range f.Trace[:min(len(f.Trace), htmlPlaces)] {
		text, rule := forgeRule(f, l.Message)
		v.Trace = append(v.Trace, htmlStep{visible(position(l.Location)), line(text), visible(rule), strings.HasPrefix(text, gainText)})
	}
	for _, l := range f.Related[:min(len(f.Related), htmlPlaces)] {
		v.Related = append(v.Related, htmlStep{Place: visible(position(l.Location)), Text: line(l.Message)})
	}
	for i, l := range f.Places {
		if i == htmlPlaces {
			v.Places = append(v.Places, "... and "+number(len(f.Places)-i)+" more")
			break
		}
		v.Places = append(v.Places, visible(position(l)))
	}
	v.setFacts(pathFacts(f))
	for _, n := range f.Notes {
		v.Notes = append(v.Notes, line(n))
	}
	if f.Fix != nil {
		for _, s := range append([]string{f.Fix.Description}, f.Fix.Steps...) {
			if s != "" {
				v.Fix = append(v.Fix, line(s))
			}
		}
	}
	if f.Snippet != nil {
		for i, l := range f.Snippet.Lines {
			v.Lines = append(v.Lines, htmlSource(l, max(f.Snippet.FirstLine, 1)+i))
		}
	}
	return v
}

// htmlSource cuts a snippet line at its marker.
func htmlSource(l penstock.SnippetLine, n int) htmlLine {
	start, end := clampMarks(l)
	out := htmlLine{Number: strconv.Itoa(n), Hit: end > start}
	text := l.Text
	if !l.ClippedEnd && end < len(text) {
		text = strings.TrimSuffix(text, "\r")
	}
	add := func(s string, mark bool) {
		if s != "" {
			out.Parts = append(out.Parts, htmlPart{runs(s), mark})
		}
	}
	if l.ClippedStart {
		add(ellipsis, false)
	}
	add(text[:start], false)
	add(text[start:end], true)
	add(text[end:], false)
	if l.ClippedEnd {
		add(ellipsis, false)
	}
	return out
}
