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
		CSP                    string
		CSS                    template.CSS
		JS                     template.JS
		Word, Sentence, Tone   string
		Reasons, Roots         []string
		Severities, Filters    []severityCount
		Suppressed             string
		Compared, History      string
		Changes                []htmlChange
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
	htmlChange     struct{ Word, Count string }
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
		Tier                                     string
		Status, Mark, Now                        string
		Blocks, Open                             bool
		Message, Rank, Off, Facts, Scope, Commit []run
		Lines                                    []htmlLine
		Trace, Related                           []htmlStep
		Places                                   []string
		Notes, Fix                               [][]run
		Path                                     []htmlFact
	}
	htmlFact struct {
		Word string
		Text []run
	}
	htmlStep struct {
		Place string
		Text  []run
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
	if n := len(order) - h.most; n > 0 {
		p.Omitted, order = number(n), order[:h.most]
	}
	p.Filters, p.Long = severities(order), len(order) > htmlLong
	anchors := h.ruleSection(&p, order)
	engines := make(map[string]bool)
	for i, f := range order {
		v := h.finding(f, anchors[f.Rule])
		v.Anchor = "f" + strconv.Itoa(i+1)
		v.Open = i < actFirst && f.Suppressed == nil && !known(f) && (f.Blocks || f.Severity >= penstock.Medium)
		engines[v.Engine] = true
		p.Findings = append(p.Findings, v)
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

func (h *htmlReport) finding(f *penstock.Finding, ruleAnchor string) htmlFinding {
	f = shown(f)
	line := func(s string) []run { return runs(strings.Join(strings.Fields(s), " ")) }
	v := htmlFinding{
		Rule: visible(f.Rule), RuleAnchor: ruleAnchor, Engine: visible((&penstock.Rule{ID: f.Rule}).Engine()),
		Severity: f.Severity.String(), Title: oneLine(h.title(f)), Place: visible(position(f.Location)), Blocks: f.Blocks,
		Message: line(f.Message), Rank: line(rank(f)), Facts: line(h.secretFacts(f)), Scope: line(f.Evidence.Scope),
	}
	v.Mark, v.Tier = h.status(f), tierText(f)
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
		v.Trace = append(v.Trace, htmlStep{visible(position(l.Location)), line(l.Message)})
	}
	for _, l := range f.Related[:min(len(f.Related), htmlPlaces)] {
		v.Related = append(v.Related, htmlStep{visible(position(l.Location)), line(l.Message)})
	}
	for i, l := range f.Places {
		if i == htmlPlaces {
			v.Places = append(v.Places, "... and "+number(len(f.Places)-i)+" more")
			break
		}
		v.Places = append(v.Places, visible(position(l)))
	}
	for _, p := range pathFacts(f) {
		v.Path = append(v.Path, htmlFact{upperFirst(p.word), line(p.text)})
	}
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
