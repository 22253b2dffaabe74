package report

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
)

// Limits of GitHub code scanning on one SARIF run ("SARIF results exceed one or
// more limits" in its documentation, 2026). Over a hard limit the whole file is
// refused; locations and tags have a lower limit for what is shown.
const (
	sarifResults   = 25_000
	sarifRules     = 25_000
	sarifTags      = 20
	sarifLocations = 100    // shown, of 1,000 taken
	sarifSteps     = 1_000  // thread flow locations shown, of 10,000 taken
	sarifNotices   = 1_000  // notifications: our own bound
	sarifText      = 32_000 // characters of a message: our own bound
)

// sarif writes SARIF 2.1.0 (OASIS standard of 2020-03-27), one run.
//
// Addresses are relative to %SRCROOT% and percent-encoded, so that no path of a
// scanned tree can become an address with a scheme or a host. Our own facts
// stand under properties["penstock/..."]. The fingerprint "penstock/v1" is a
// hint; primaryLocationLineHash is GitHub's own and never written.
//
// A run that compared gives its results a baselineState. Fixed findings would be
// results of the state "absent", which GitHub and others that do not read the
// state show as open: they stand in the run's properties instead. A result of
// history names the file as it is called in its commit, so that a viewer finds
// it, and the commit in properties; its lines are those of that commit. There is
// no versionControlProvenance: it demands the address of the repository, which
// the run does not know.
type sarif struct {
	document
	w io.Writer
	// results is the most that are written.
	results int
}

func newSARIF(w io.Writer, _ Options) Sink { return &sarif{w: w, results: sarifResults} }

func (s *sarif) Record(r penstock.Record) error {
	s.add(r)
	return nil
}

type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool               sarifTool            `json:"tool"`
		Invocations        []sarifInvocation    `json:"invocations"`
		OriginalURIBaseIDs map[string]sarifBase `json:"originalUriBaseIds"`
		ColumnKind         string               `json:"columnKind"`
		Results            []sarifResult        `json:"results"`
		Properties         map[string]any       `json:"properties"`
	}
	sarifBase struct {
		Description sarifMessage `json:"description"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string            `json:"name"`
		Version string            `json:"version,omitempty"`
		Rules   []sarifDescriptor `json:"rules"`
	}
	sarifDescriptor struct {
		ID            string         `json:"id"`
		Name          string         `json:"name,omitempty"`
		Short         *sarifMessage  `json:"shortDescription,omitempty"`
		Full          *sarifMessage  `json:"fullDescription,omitempty"`
		HelpURI       string         `json:"helpUri,omitempty"`
		Help          *sarifMessage  `json:"help,omitempty"`
		Configuration *sarifConfig   `json:"defaultConfiguration,omitempty"`
		Properties    map[string]any `json:"properties,omitempty"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Descriptor sarifReference  `json:"descriptor"`
		Level      string          `json:"level"`
		Message    sarifMessage    `json:"message"`
		Locations  []sarifLocation `json:"locations,omitempty"`
	}
	sarifReference struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifMessage       `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		CodeFlows    []sarifCodeFlow    `json:"codeFlows,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints,omitempty"`
		Baseline     string             `json:"baselineState,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifSuppression struct {
		Kind          string         `json:"kind"`
		Status        string         `json:"status"`
		Justification string         `json:"justification,omitempty"`
		Properties    map[string]any `json:"properties,omitempty"`
	}
	sarifLocation struct {
		ID         int            `json:"id,omitempty"`
		Physical   sarifPhysical  `json:"physicalLocation"`
		Logical    []sarifScope   `json:"logicalLocations,omitempty"`
		Message    *sarifMessage  `json:"message,omitempty"`
		Properties map[string]any `json:"properties,omitempty"`
	}
	sarifScope struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
		Context  *sarifRegion  `json:"contextRegion,omitempty"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int           `json:"startLine"`
		StartColumn int           `json:"startColumn,omitempty"`
		EndLine     int           `json:"endLine,omitempty"`
		EndColumn   int           `json:"endColumn,omitempty"`
		Snippet     *sarifMessage `json:"snippet,omitempty"`
	}
	sarifCodeFlow struct {
		ThreadFlows []sarifThreadFlow `json:"threadFlows"`
	}
	sarifThreadFlow struct {
		Locations []sarifStep `json:"locations"`
	}
	sarifStep struct {
		Location sarifLocation `json:"location"`
	}
)

const sarifBaseID = "%SRCROOT%"

func (s *sarif) Close() error {
	notices := s.notices()
	_, fixed, _ := s.split()
	findings := slices.DeleteFunc(slices.Clone(s.findings), func(f *penstock.Finding) bool { return f.Status == penstock.StatusFixed })
	all := len(findings)
	if len(findings) > s.results {
		findings = ranked(findings)[:s.results]
		slices.SortStableFunc(findings, (*penstock.Finding).Compare)
		notices.add("penstock/results-omitted", "error", fmt.Sprintf(
			"%s of %s findings are not in this file: GitHub takes %s results per run; the worst were kept.",
			number(all-s.results), number(all), number(sarifResults)), nil)
	}
	rules, index := s.descriptors(findings)
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "Penstock", Version: visible(s.header.Version), Rules: rules,
		}},
		Invocations:        []sarifInvocation{{!s.incomplete(), notices}},
		OriginalURIBaseIDs: map[string]sarifBase{sarifBaseID: {sarifMessage{Text: "The folder that paths are relative to."}}},
		ColumnKind:         "utf16CodeUnits",
		Results:            make([]sarifResult, 0, len(findings)),
		Properties: map[string]any{
			"penstock/totals":       s.totals,
			"penstock/engines":      orEmpty(s.header.Engines),
			"penstock/rulesDigest":  s.header.Rules,
			"penstock/configDigest": s.header.Config,
			"penstock/complete":     !s.incomplete(),
		},
	}
	if s.verdict != nil {
		run.Properties["penstock/verdict"] = s.verdict
	}
	for key, v := range map[string]string{"penstock/base": s.header.Base, "penstock/head": s.header.Head} {
		if v != "" {
			run.Properties[key] = v
		}
	}
	if s.header.History {
		run.Properties["penstock/history"] = true
	}
	if c, ok := s.compared(); ok {
		run.Properties["penstock/compared"] = map[string]int{"new": c.fresh, "unchanged": c.unchanged, "fixed": c.fixed}
	}
	if len(fixed) > 0 {
		run.Properties["penstock/fixed"] = fixedList(fixed)
	}
	for _, f := range findings {
		run.Results = append(run.Results, s.result(f, index[f.Rule]))
	}
	return writeJSON(s.w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	}, " ")
}

// fixedList names findings that are no more, at most sarifNotices of them; the
// run's properties have their number.
func fixedList(fixed []*penstock.Finding) []map[string]any {
	list := make([]map[string]any, 0, min(len(fixed), sarifNotices))
	for _, f := range fixed[:min(len(fixed), sarifNotices)] {
		m := map[string]any{"rule": f.Rule, "path": f.Location.Path, "line": f.Location.Line}
		if f.Fingerprint != "" {
			m["fingerprint"] = f.Fingerprint
		}
		list = append(list, m)
	}
	return list
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// descriptors are the rules that findings name, sorted, with their places.
func (s *sarif) descriptors(findings []*penstock.Finding) ([]sarifDescriptor, map[string]int) {
	worst := make(map[string]*penstock.Finding)
	for _, f := range findings {
		if g := worst[f.Rule]; g == nil || f.Severity > g.Severity {
			worst[f.Rule] = f
		}
	}
	ids := sortedKeys(worst)
	index := make(map[string]int, len(ids))
	list := make([]sarifDescriptor, 0, len(ids))
	for i, id := range ids {
		index[id] = i
		rule := s.rules[id]
		if rule == nil {
			f := worst[id]
			rule = &penstock.Rule{ID: id, Title: s.title(f), Severity: f.Severity, Confidence: f.Confidence}
		}
		list = append(list, descriptor(rule))
	}
	return list, index
}

func descriptor(r *penstock.Rule) sarifDescriptor {
	title := cmp.Or(oneLine(r.Title), visible(r.ID), "(no title)")
	full := cmp.Or(oneLine(r.Why), title)
	d := sarifDescriptor{
		ID: r.ID, Name: pascal(r.ID),
		Short:         &sarifMessage{Text: title},
		Full:          &sarifMessage{Text: full},
		Help:          &sarifMessage{Text: helpText(r), Markdown: helpMarkdown(r)},
		Configuration: &sarifConfig{r.Tier.Shown(r.Severity).SARIFLevel()},
		Properties: map[string]any{
			"tags":              sarifTagList(r),
			"precision":         precision(r.Confidence),
			"security-severity": r.Tier.Shown(r.Severity).SecuritySeverity(),
			"penstock/severity": r.Severity,
		},
	}
	if len(r.Aliases) > 0 {
		d.Properties["penstock/aliases"] = r.Aliases
	}
	if r.Tier != "" {
		d.Properties["penstock/tier"] = r.Tier
	}
	for _, ref := range r.References {
		if address, ok := webAddress(ref); ok {
			d.HelpURI = address
			break
		}
	}
	return d
}

// pascal makes the readable identifier that SARIF wants as a name.
func pascal(id string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(id, func(r rune) bool { return r == '/' || r == '-' || r == '_' || r == ' ' }) {
		r, size := utf8.DecodeRuneInString(part)
		b.WriteRune(unicode.ToUpper(r))
		b.WriteString(part[size:])
	}
	return b.String()
}

func precision(c penstock.Confidence) string {
	switch c {
	case penstock.ConfidenceHigh:
		return "high"
	case penstock.ConfidenceMedium:
		return "medium"
	}
	return "low"
}

func sarifTagList(r *penstock.Rule) []string {
	tags := []string{"security"}
	for _, n := range r.CWE {
		tags = append(tags, fmt.Sprintf("external/cwe/cwe-%03d", n))
	}
	for _, t := range r.Tags {
		tags = append(tags, oneLine(t))
	}
	// The schema wants them unique.
	var out []string
	for _, t := range tags {
		if !slices.Contains(out, t) && len(out) < sarifTags {
			out = append(out, t)
		}
	}
	return out
}

func helpText(r *penstock.Rule) string {
	var parts []string
	for _, s := range []string{r.Why, r.Remedy} {
		if s != "" {
			parts = append(parts, oneLine(s))
		}
	}
	parts = append(parts, "penstock explain "+r.ID)
	return strings.Join(parts, "\n\n")
}

func helpMarkdown(r *penstock.Rule) string {
	var b strings.Builder
	if r.Why != "" {
		b.WriteString(mdText(r.Why) + "\n\n")
	}
	if r.Remedy != "" {
		b.WriteString("**What to do:** " + mdText(r.Remedy) + "\n\n")
	}
	for _, ex := range []struct{ head, code string }{{"Bad", r.Bad}, {"Good", r.Good}} {
		if ex.code != "" {
			b.WriteString("**" + ex.head + ":**\n\n" + mdFence(strings.Split(strings.TrimRight(ex.code, "\n"), "\n")) + "\n")
		}
	}
	b.WriteString(mdCode("penstock explain " + r.ID))
	return b.String()
}

func (s *sarif) result(f *penstock.Finding, rule int) sarifResult {
	text := f.Message
	if text == "" {
		text = s.title(f) + "."
	}
	if n := len(f.Places); n > 0 {
		// GitHub shows the first location only.
		text += fmt.Sprintf(" Also in %s, the first at %s.", count(n, "more place", "more places"), position(shown(f).Places[0]))
	}
	if tier := tierText(f); tier != "" {
		// Viewers show the message, and no properties.
		text = strings.TrimSuffix(text, ".") + ". " + upperFirst(tier) + "."
		for _, p := range pathFacts(f) {
			if p.word != "cut" {
				text += " " + upperFirst(p.word) + ": " + p.text + "."
			}
		}
	}
	if f.Commit != nil {
		text += " " + inCommit(f.Commit)
	}
	r := sarifResult{
		RuleID: f.Rule, RuleIndex: rule, Level: f.Evidence.Tier.Shown(f.Severity).SARIFLevel(),
		Message:    *plainMessage(text),
		Properties: resultFacts(f),
	}
	if f.Status == penstock.StatusNew || f.Status == penstock.StatusUnchanged {
		r.Baseline = string(f.Status)
	}
	primary := place(f, f.Location)
	if f.Evidence.Scope != "" {
		primary.Logical = []sarifScope{{visible(f.Evidence.Scope)}}
	}
	primary.Physical.Context = contextRegion(f)
	r.Locations = append(r.Locations, primary)
	for _, l := range f.Places {
		if len(r.Locations) == sarifLocations {
			r.Properties["penstock/placesOmitted"] = len(f.Places) + 1 - sarifLocations
			break
		}
		r.Locations = append(r.Locations, place(f, l))
	}
	for i, l := range f.Related {
		if i == sarifLocations {
			r.Properties["penstock/relatedOmitted"] = len(f.Related) - sarifLocations
			break
		}
		loc := labelled(f, l)
		loc.ID = i + 1
		r.Related = append(r.Related, loc)
	}
	if len(f.Trace) > 0 {
		steps := f.Trace
		if len(steps) > sarifSteps {
			r.Properties["penstock/stepsOmitted"] = len(steps) - sarifSteps
			steps = steps[:sarifSteps]
		}
		var flow sarifThreadFlow
		for _, l := range steps {
			flow.Locations = append(flow.Locations, sarifStep{labelled(f, l)})
		}
		r.CodeFlows = []sarifCodeFlow{{[]sarifThreadFlow{flow}}}
	}
	if f.Fingerprint != "" {
		r.Fingerprints = map[string]string{"penstock/v1": f.Fingerprint}
	}
	if p := f.Suppressed; p != nil {
		r.Suppressions = []sarifSuppression{suppression(p)}
	}
	return r
}

func suppression(p *penstock.Suppression) sarifSuppression {
	s := sarifSuppression{
		Kind: "inSource", Status: "accepted", Justification: oneLine(p.Reason),
		Properties: map[string]any{"penstock/kind": p.Kind},
	}
	// A marker in the source against a file beside it.
	if p.Kind == "exception" || p.Kind == "baseline" || strings.HasPrefix(p.Kind, ".") {
		s.Kind = "external"
	}
	for key, v := range map[string]string{"owner": p.Owner, "expires": p.Expires, "place": p.Place} {
		if v != "" {
			s.Properties["penstock/"+key] = v
		}
	}
	return s
}

func resultFacts(f *penstock.Finding) map[string]any {
	m := map[string]any{
		"security-severity": f.Evidence.Tier.Shown(f.Severity).SecuritySeverity(),
		"penstock/severity": f.Severity,
		"penstock/blocks":   f.Blocks,
	}
	if f.Confidence != penstock.ConfidenceUnset {
		m["penstock/confidence"] = f.Confidence
	}
	if f.Title != "" {
		m["penstock/title"] = f.Title
	}
	if f.Reason != "" {
		m["penstock/reason"] = f.Reason
	}
	if len(f.Notes) > 0 {
		m["penstock/notes"] = f.Notes
	}
	if f.Evidence.Secret != nil {
		m["penstock/secret"] = f.Evidence.Secret
	}
	if f.Evidence.Tier != "" {
		m["penstock/tier"] = f.Evidence.Tier
	}
	if f.Evidence.Pipeline != nil {
		m["penstock/path"] = f.Evidence.Pipeline
	}
	if f.Fix != nil {
		m["penstock/fix"] = f.Fix
	}
	if n := len(f.Places); n > 0 {
		m["penstock/places"] = n + 1
	}
	if c := f.Commit; c != nil {
		// No address: a report that is uploaded need not hand on more of a person.
		facts := map[string]any{"id": c.ID, "present": c.Present}
		for key, v := range map[string]string{"author": c.Author, "time": c.Time, "summary": c.Summary} {
			if v != "" {
				facts[key] = v
			}
		}
		m["penstock/commit"] = facts
	}
	_, at := splitPlace(f, f.Location)
	if container, member := penstock.SplitContainer(at.Path); member != "" {
		m["penstock/container"] = container
	}
	return m
}

// plainMessage is a message that holds no link: SARIF reads "[text](target)" in
// any message as one (section 3.11.6), so brackets of such a shape are escaped.
func plainMessage(s string) *sarifMessage {
	s = oneLine(s)
	if len(s) > sarifText {
		s = strings.ToValidUTF8(s[:sarifText], "") + " ..."
	}
	if strings.Contains(s, "](") {
		s = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`).Replace(s)
	}
	if s == "" {
		s = "(no text)"
	}
	return &sarifMessage{Text: s}
}

func labelled(f *penstock.Finding, l penstock.Label) sarifLocation {
	loc := located(f, l.Location)
	if l.Message != "" {
		loc.Message = plainMessage(l.Message)
	}
	return loc
}

func physical(l penstock.Location) sarifLocation {
	return sarifLocation{Physical: sarifPhysical{
		Artifact: sarifArtifact{relativeURI(l.Path), sarifBaseID},
		Region:   region(l),
	}}
}

// located is a place of a finding. That of a place in history is the file, with
// the commit beside it.
func located(f *penstock.Finding, l penstock.Location) sarifLocation {
	commit, l := splitPlace(f, l)
	loc := physical(l)
	if commit != "" {
		loc.Properties = map[string]any{"penstock/commit": commit}
	}
	return loc
}

// place is the location of a result, for which GitHub demands a line: a finding
// on a file as a whole stands on its first.
func place(f *penstock.Finding, l penstock.Location) sarifLocation {
	loc := located(f, l)
	if loc.Physical.Region == nil {
		loc.Physical.Region = &sarifRegion{StartLine: 1}
	}
	return loc
}

// relativeURI is a path as a relative reference of RFC 3986. A colon, which
// could end a scheme, is encoded, and leading slashes, which could begin a host,
// are dropped. The separator of containers, "!/", is legal as it is.
func relativeURI(p string) string {
	p = UnescapePath(p)
	if path.IsAbs(p) {
		p = strings.TrimLeft(p, "/")
	}
	if p == "" {
		p = "."
	}
	return percentPath(p)
}

func region(l penstock.Location) *sarifRegion {
	if l.Line <= 0 {
		return nil
	}
	r := &sarifRegion{StartLine: l.Line, StartColumn: max(l.Column, 0)}
	if l.EndLine >= l.Line {
		r.EndLine = l.EndLine
		if l.EndColumn > 0 && l.Column > 0 && (l.EndLine > l.Line || l.EndColumn >= l.Column) {
			r.EndColumn = l.EndColumn
		}
	}
	return r
}

// contextRegion carries the redacted lines around a finding. It must hold the
// region itself and be larger (section 3.29.5).
func contextRegion(f *penstock.Finding) *sarifRegion {
	s := f.Snippet
	if s == nil || len(s.Lines) == 0 || s.FirstLine < 1 || f.Location.Line < s.FirstLine {
		return nil
	}
	end := s.FirstLine + len(s.Lines) - 1
	if max(f.Location.Line, f.Location.EndLine) > end {
		return nil
	}
	var b strings.Builder
	for _, l := range s.Lines {
		b.WriteString(sourceLine(l) + "\n")
	}
	return &sarifRegion{StartLine: s.FirstLine, EndLine: end, Snippet: &sarifMessage{Text: b.String()}}
}

// notices are the notifications of a run. Their descriptors are ids only: GitHub
// wants a whole help text of every descriptor that is declared.
type notices []sarifNotification

func (n *notices) add(id, level, text string, at *sarifLocation) {
	note := sarifNotification{Descriptor: sarifReference{id}, Level: level, Message: *plainMessage(text)}
	if at != nil {
		note.Locations = []sarifLocation{*at}
	}
	*n = append(*n, note)
}

// notices turns unread files, notes and counts of excluded files into
// notifications.
func (s *sarif) notices() notices {
	n := notices{}
	if s.end == nil {
		n.add("penstock/interrupted", "error", "The scan did not come to its end; this report is incomplete.", nil)
	}
	for i, c := range s.unread {
		if i == sarifNotices {
			n.add("penstock/notifications-omitted", "error", number(len(s.unread)-i)+" more files were not read.", nil)
			break
		}
		text := "Not read: " + c.Path + ": " + reasonText(c.Reason)
		if c.Detail != "" {
			text += " (" + c.Detail + ")"
		}
		at := physical(penstock.Location{Path: c.Path})
		n.add("penstock/unread-"+cmp.Or(oneLine(string(c.Reason)), "unknown"), "error", text, &at)
	}
	for i, note := range s.document.notes {
		if i == sarifNotices {
			n.add("penstock/notifications-omitted", "warning", number(len(s.document.notes)-i)+" more notes.", nil)
			break
		}
		level := "note"
		if note.Incomplete {
			level = "error"
		}
		n.add("penstock/"+cmp.Or(oneLine(note.Code), "note"), level, noteText(note), nil)
	}
	for _, e := range s.skips(penstock.Excluded) {
		n.add("penstock/excluded-"+cmp.Or(oneLine(string(e.reason)), "unknown"), "none",
			fmt.Sprintf("Left out: %s %s.", count(e.count, "file", "files"), reasonText(e.reason)), nil)
	}
	return n
}
