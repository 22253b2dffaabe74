package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// gitLabVersion is the version of GitLab's security report schemas that the
// report conforms to.
const gitLabVersion = "15.2.1"

// Limits of that schema, in characters, and our own bound on messages.
const (
	gitLabName     = 255
	gitLabSolution = 7000
	gitLabMessages = 100
)

// gitLab writes a security report of GitLab: secret_detection where the secrets
// engine ran alone, else sast, since a report has one type. Suppressed findings
// are left out. Descriptions are Markdown there and are escaped as such.
//
// GitLab compares with the target branch itself, so findings that were there
// before are in the report and fixed ones are not. One of history has the path
// and line of its commit and, under secret_detection, that commit.
//
// Further places of a finding stand in its details. The times are Options.Time:
// the schema demands them, and the moment of the run must not be in a report.
type gitLab struct {
	document
	w    io.Writer
	opts Options
}

func newGitLab(w io.Writer, opts Options) Sink { return &gitLab{w: w, opts: opts} }

func (g *gitLab) Record(r penstock.Record) error {
	g.add(r)
	return nil
}

type (
	gitLabReport struct {
		Version         string                `json:"version"`
		Scan            gitLabScan            `json:"scan"`
		Vulnerabilities []gitLabVulnerability `json:"vulnerabilities"`
	}
	gitLabScan struct {
		Type     string          `json:"type"`
		Status   string          `json:"status"`
		Start    string          `json:"start_time"`
		End      string          `json:"end_time"`
		Analyzer gitLabTool      `json:"analyzer"`
		Scanner  gitLabTool      `json:"scanner"`
		Messages []gitLabMessage `json:"messages,omitempty"`
	}
	gitLabTool struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		Version string       `json:"version"`
		Vendor  gitLabVendor `json:"vendor"`
	}
	gitLabVendor struct {
		Name string `json:"name"`
	}
	gitLabMessage struct {
		Level string `json:"level"`
		Value string `json:"value"`
	}
	gitLabVulnerability struct {
		ID          string                `json:"id"`
		Name        string                `json:"name"`
		Description string                `json:"description"`
		Severity    string                `json:"severity"`
		Solution    string                `json:"solution,omitempty"`
		Identifiers []gitLabIdentifier    `json:"identifiers"`
		Links       []gitLabLink          `json:"links,omitempty"`
		Location    gitLabLocation        `json:"location"`
		Details     map[string]gitLabList `json:"details,omitempty"`
	}
	gitLabIdentifier struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
		URL   string `json:"url,omitempty"`
	}
	gitLabLink struct {
		URL string `json:"url"`
	}
	gitLabLocation struct {
		File      string        `json:"file"`
		StartLine int           `json:"start_line,omitempty"`
		EndLine   int           `json:"end_line,omitempty"`
		Commit    *gitLabCommit `json:"commit,omitempty"`
	}
	gitLabCommit struct {
		SHA     string `json:"sha"`
		Author  string `json:"author,omitempty"`
		Date    string `json:"date,omitempty"`
		Message string `json:"message,omitempty"`
	}
	gitLabList struct {
		Name  string        `json:"name"`
		Type  string        `json:"type"`
		Items []gitLabPlace `json:"items"`
	}
	// gitLabPlace is a detail of type file-location, or of type text, which has a
	// value only, for a place of history.
	gitLabPlace struct {
		Type      string `json:"type"`
		Value     string `json:"value,omitempty"`
		FileName  string `json:"file_name,omitempty"`
		LineStart int    `json:"line_start,omitempty"`
		LineEnd   int    `json:"line_end,omitempty"`
	}
)

func (g *gitLab) Close() error {
	when := g.opts.Time
	if when.IsZero() {
		when = time.Unix(0, 0)
	}
	stamp := when.UTC().Format("2006-01-02T15:04:05")
	version := cmp.Or(visible(g.header.Version), "unknown")
	tool := gitLabTool{"penstock", "Penstock", version, gitLabVendor{"Penstock"}}
	secrets := slices.Equal(g.header.Engines, []string{"secrets"})
	report := gitLabReport{
		Version: gitLabVersion,
		Scan: gitLabScan{
			Type: "sast", Status: "success", Start: stamp, End: stamp,
			Analyzer: tool, Scanner: tool, Messages: g.messages(),
		},
		Vulnerabilities: []gitLabVulnerability{},
	}
	if secrets {
		report.Scan.Type = "secret_detection"
	}
	if g.incomplete() {
		report.Scan.Status = "failure"
	}
	ids := make(identities)
	open, _, _ := g.split()
	for _, f := range open {
		v := g.vulnerability(f)
		commit, at := splitPlace(f, f.Location)
		v.ID = uuid(ids.next(f, at))
		if secrets {
			v.Location.Commit = g.commit(f, commit)
		}
		report.Vulnerabilities = append(report.Vulnerabilities, v)
	}
	return writeJSON(g.w, report, " ")
}

// commit is that of the location: for a place of history the one in its path,
// with author and message if it is the one that brought the flaw in. The schema
// wants a commit even where there is none.
func (g *gitLab) commit(f *penstock.Finding, id string) *gitLabCommit {
	c := f.Commit
	if c == nil || id == "" && c.ID == "" {
		return &gitLabCommit{SHA: cmp.Or(g.opts.Commit, "0000000")}
	}
	if id != "" && c.ID != "" && !strings.HasPrefix(c.ID, id) {
		return &gitLabCommit{SHA: id}
	}
	date := ""
	if commitDay(c) != "" {
		date = c.Time
	}
	return &gitLabCommit{
		SHA: visible(clip(cmp.Or(c.ID, id), gitLabName)), Author: clip(oneLine(c.Author), gitLabName),
		Date: date, Message: clip(oneLine(c.Summary), gitLabName),
	}
}

// uuid writes 16 bytes as a UUID of version 8 (RFC 9562): custom content.
func uuid(b []byte) string {
	b = slices.Clone(b)
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (g *gitLab) vulnerability(f *penstock.Finding) gitLabVulnerability {
	rule := cmp.Or(visible(f.Rule), "unknown")
	v := gitLabVulnerability{
		Name:     clip(oneLine(g.title(f)), gitLabName),
		Severity: gitLabSeverity(f.Severity),
		Identifiers: []gitLabIdentifier{
			{Type: "penstock_rule_id", Name: "Penstock rule " + rule, Value: rule},
		},
		Location: gitLabLocation{StartLine: max(f.Location.Line, 1)},
	}
	_, at := splitPlace(f, f.Location)
	v.Location.File = relativePath(at.Path)
	if f.Location.EndLine > v.Location.StartLine {
		v.Location.EndLine = f.Location.EndLine
	}
	text := []string{f.Message}
	solution := ""
	if r := g.rules[f.Rule]; r != nil {
		text = append(text, r.Why)
		solution = r.Remedy
		for _, n := range r.CWE {
			id := strconv.Itoa(n)
			v.Identifiers = append(v.Identifiers, gitLabIdentifier{
				Type: "cwe", Name: "CWE-" + id, Value: id,
				URL: "https://cwe.mitre.org/data/definitions/" + id + ".html",
			})
		}
		for _, ref := range r.References {
			if address, ok := webAddress(ref); ok {
				v.Links = append(v.Links, gitLabLink{address})
			}
		}
	}
	text = append(text, g.secretFacts(f))
	if tier := tierText(f); tier != "" {
		text = append(text, "Tier: "+tier)
	}
	for _, p := range pathFacts(f) {
		text = append(text, upperFirst(p.word)+": "+p.text)
	}
	if f.Commit != nil {
		text = append(text, inCommit(f.Commit))
	}
	text = append(text, f.Notes...)
	var parts []string
	for _, s := range text {
		if s != "" {
			parts = append(parts, mdText(s))
		}
	}
	v.Description = strings.Join(parts, "\n\n")
	if f.Fix != nil {
		steps := append([]string{f.Fix.Description}, f.Fix.Steps...)
		for _, s := range steps {
			if s != "" {
				solution += "\n" + strings.TrimSuffix(s, ".") + "."
			}
		}
	}
	v.Solution = clip(oneLine(solution), gitLabSolution)
	if len(f.Places) > 0 {
		list := gitLabList{Name: "Further places of the same secret", Type: "list"}
		if f.Evidence.Secret == nil {
			list.Name = "Further places"
		}
		for i, l := range f.Places {
			if commit, _ := splitPlace(f, l); commit != "" {
				list.Items = append(list.Items, gitLabPlace{Type: "text", Value: visible(position(shown(f).Places[i]))})
				continue
			}
			p := gitLabPlace{Type: "file-location", FileName: relativePath(l.Path), LineStart: max(l.Line, 1)}
			if l.EndLine > p.LineStart {
				p.LineEnd = l.EndLine
			}
			list.Items = append(list.Items, p)
		}
		v.Details = map[string]gitLabList{"places": list}
	}
	return v
}

func gitLabSeverity(s penstock.Severity) string {
	switch s {
	case penstock.Critical:
		return "Critical"
	case penstock.High:
		return "High"
	case penstock.Medium:
		return "Medium"
	case penstock.Low:
		return "Low"
	case penstock.Info:
		return "Info"
	}
	return "Unknown"
}

// messages tell GitLab's pipeline page what was not read, and the notes.
func (g *gitLab) messages() []gitLabMessage {
	var out []gitLabMessage
	if g.end == nil {
		out = append(out, gitLabMessage{"fatal", "The scan did not come to its end; this report is incomplete."})
	}
	for _, s := range g.skips(penstock.Unread) {
		out = append(out, gitLabMessage{"warn", "Not read: " + oneLine(s.text())})
	}
	for i, n := range g.notes {
		if i == gitLabMessages {
			out = append(out, gitLabMessage{"info", "... and " + count(len(g.notes)-i, "more note", "more notes")})
			break
		}
		level := "info"
		if n.Incomplete {
			level = "warn"
		}
		out = append(out, gitLabMessage{level, cmp.Or(oneLine(noteText(n)), "(no text)")})
	}
	for _, s := range g.skips(penstock.Excluded) {
		out = append(out, gitLabMessage{"info", "Left out: " + oneLine(s.text())})
	}
	return out
}

// clip cuts s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-3]) + "..."
}
