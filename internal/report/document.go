package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"penstock"
)

// actFirst is how many findings a person is shown before being asked whether
// they want more.
const actFirst = 10

// examples is how many paths stand beside the count of a reason.
const examples = 3

// document is a whole run, for the formats that cannot write before they have
// seen everything.
type document struct {
	header   penstock.Header
	rules    map[string]*penstock.Rule
	findings []*penstock.Finding
	// mixed says that some open finding was there before, so that new ones are
	// worth a mark.
	mixed   bool
	notes   []*penstock.Note
	verdict *penstock.Verdict
	end     *penstock.End
	// unread are the coverage records of unread files, in stream order.
	unread []*penstock.Coverage
	// skipped gathers what was not scanned, by reason.
	skipped map[penstock.Reason]*skip
	totals  penstock.Totals
}

// skip is one reason why files were not scanned.
type skip struct {
	reason penstock.Reason
	state  penstock.State
	count  int
	// examples are the first files, as many as the constant says.
	examples []*penstock.Coverage
	last     string
}

// add takes one record.
func (d *document) add(r penstock.Record) {
	switch r := r.(type) {
	case *penstock.Header:
		d.header = *r
	case *penstock.Rule:
		if d.rules == nil {
			d.rules = make(map[string]*penstock.Rule)
		}
		d.rules[r.ID] = r
	case *penstock.Finding:
		d.findings = append(d.findings, r)
		d.mixed = d.mixed || r.Status == penstock.StatusUnchanged && r.Suppressed == nil
	case *penstock.Note:
		d.notes = append(d.notes, r)
	case *penstock.Coverage:
		d.cover(r)
	case *penstock.Verdict:
		d.verdict = r
	case *penstock.End:
		d.end = r
		d.totals = r.Totals
	}
}

func (d *document) cover(c *penstock.Coverage) {
	if c.State == penstock.Scanned {
		return
	}
	if c.State != penstock.Excluded {
		d.unread = append(d.unread, c)
	}
	if d.skipped == nil {
		d.skipped = make(map[penstock.Reason]*skip)
	}
	s := d.skipped[c.Reason]
	if s == nil {
		s = &skip{reason: c.Reason, state: c.State}
		d.skipped[c.Reason] = s
	}
	if c.State != penstock.Excluded {
		s.state = penstock.Unread
	}
	if s.count > 0 && s.last == c.Path {
		return // one file, several engines
	}
	s.count++
	s.last = c.Path
	if len(s.examples) < examples {
		s.examples = append(s.examples, c)
	}
}

// skips returns what was not scanned in the given state, the largest count
// first. Counts come from the end record where it has them.
func (d *document) skips(state penstock.State) []skip {
	var out []skip
	for _, s := range d.skipped {
		if s.state != state {
			continue
		}
		c := *s
		if n := d.totals.ByReason[s.reason]; n > 0 {
			c.count = n
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b skip) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.reason, b.reason))
	})
	return out
}

// split returns the findings that count, those that were fixed since and those
// that are suppressed, all in stream order.
func (d *document) split() (open, fixed, suppressed []*penstock.Finding) {
	for _, f := range d.findings {
		switch {
		case f.Status == penstock.StatusFixed:
			fixed = append(fixed, f)
		case f.Suppressed != nil:
			suppressed = append(suppressed, f)
		default:
			open = append(open, f)
		}
	}
	return open, fixed, suppressed
}

// ranked returns findings in the order in which to act on them: what blocks,
// then what is new, then by tier, then the worst, then the surest, then by place.
func ranked(findings []*penstock.Finding) []*penstock.Finding {
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b *penstock.Finding) int {
		return cmp.Or(
			boolCompare(b.Blocks, a.Blocks),
			boolCompare(known(a), known(b)),
			cmp.Compare(tierRank(a), tierRank(b)),
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(b.Confidence, a.Confidence),
		)
	})
	return out
}

// toAct cuts the ranked flaws to those that a person is shown first: at most
// actFirst, and none that does not block and was there before, or is hygiene: that is
// nothing to act on now.
func toAct(ranked []bundle) []bundle {
	end := slices.IndexFunc(ranked, func(b bundle) bool { return known(b.Finding) && !b.Blocks || idle(b.Finding) })
	if end >= 0 {
		ranked = ranked[:end]
	}
	return ranked[:min(len(ranked), actFirst)]
}

// known reports whether a finding was there before.
func known(f *penstock.Finding) bool {
	return f.Status == penstock.StatusUnchanged || f.Status == penstock.StatusFixed
}

// byFile brings flaws of one file together, the file with the best ranked one
// first; within a file the worst are first, and then they stand by place. What was there before comes after
// what is new, hygiene after both, and one file of many commits is one file.
func byFile(all []bundle) []bundle {
	type group struct {
		known, idle bool
		path        string
	}
	of := func(b bundle) group {
		_, l := splitPlace(b.Finding, b.Location)
		return group{known(b.Finding) && !b.Blocks, idle(b.Finding), l.Path}
	}
	rank := make(map[group]int)
	for i, b := range all {
		if _, ok := rank[of(b)]; !ok {
			rank[of(b)] = i
		}
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b bundle) int {
		return cmp.Or(
			boolCompare(of(a).idle, of(b).idle),
			boolCompare(of(a).known, of(b).known),
			cmp.Compare(rank[of(a)], rank[of(b)]),
			cmp.Compare(tierRank(a.Finding), tierRank(b.Finding)),
			cmp.Compare(b.Severity, a.Severity),
			a.Compare(b.Finding),
		)
	})
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// title is the finding's own title or that of its rule.
func (d *document) title(f *penstock.Finding) string {
	if f.Title != "" {
		return f.Title
	}
	if r := d.rules[f.Rule]; r != nil && r.Title != "" {
		return r.Title
	}
	return f.Rule
}

// incomplete reports whether part of the work was not done, or whether the
// stream ended before its end record.
func (d *document) incomplete() bool {
	if d.end == nil || d.totals.Unread > 0 || d.verdict != nil && d.verdict.Incomplete {
		return true
	}
	return slices.ContainsFunc(d.notes, func(n *penstock.Note) bool { return n.Incomplete })
}

// The words of a verdict.
const (
	wordPass       = "PASS"
	wordBlocked    = "BLOCKED"
	wordIncomplete = "INCOMPLETE"
	wordNone       = "NO VERDICT"
)

// headline is the verdict in one word and one sentence. Hygiene that blocks nothing is
// counted apart: it is no reason to worry.
func (d *document) headline() (word, sentence string) {
	open, _, _ := d.split()
	quiet := 0
	for _, f := range open {
		if idle(f) {
			quiet++
		}
	}
	v := d.verdict
	switch {
	case d.end == nil:
		return wordIncomplete, "the scan did not come to its end"
	case v == nil && d.incomplete():
		return wordIncomplete, "not everything was read; " + count(len(open), "finding", "findings")
	case v == nil:
		return wordNone, count(len(open), "finding", "findings")
	case !v.Pass && v.Blocking > 0:
		s := count(v.Blocking, "finding blocks", "findings block")
		if danger := v.Open - quiet; danger > v.Blocking {
			s = fmt.Sprintf("%s of %s", number(v.Blocking), count(danger, "finding blocks", "findings block"))
		}
		if quiet > 0 {
			s += ", beside " + number(quiet) + " of hygiene"
		}
		if v.Incomplete {
			s += ", and not everything was read"
		}
		return wordBlocked, s
	case !v.Pass && v.Incomplete:
		return wordIncomplete, "not everything was read; " + openFindings(v.Open, quiet)
	case !v.Pass:
		return wordBlocked, openFindings(v.Open, quiet)
	case v.Incomplete:
		return wordPass, "but not everything was read; " + openFindings(v.Open, quiet)
	}
	return wordPass, openFindings(v.Open, quiet)
}

// openFindings counts open findings, of which some are hygiene that blocks nothing.
func openFindings(n, quiet int) string {
	switch {
	case n == 0:
		return "nothing found"
	case quiet == 0:
		return count(n, "open finding", "open findings")
	case n <= quiet:
		return "no danger found; " + count(quiet, "finding", "findings") + " of hygiene"
	}
	return count(n-quiet, "open finding", "open findings") + ", beside " + number(quiet) + " of hygiene"
}

// severities counts open findings, worst first; only those that occur.
func severities(open []*penstock.Finding) []severityCount {
	counts := make(map[penstock.Severity]int)
	for _, f := range open {
		counts[f.Severity]++
	}
	var out []severityCount
	for _, s := range append(penstock.Severities(), penstock.SeverityUnset) {
		if n := counts[s]; n > 0 {
			out = append(out, severityCount{s, n})
		}
	}
	return out
}

type severityCount struct {
	Severity penstock.Severity
	Count    int
}

// kinds counts suppressed findings by kind, the most frequent first.
func kinds(suppressed []*penstock.Finding) string {
	counts := make(map[string]int)
	for _, f := range suppressed {
		counts[f.Suppressed.Kind]++
	}
	names := sortedKeys(counts)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%s %s", number(counts[n]), n))
	}
	return strings.Join(parts, ", ")
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reasonText says in words why files were not scanned.
func reasonText(r penstock.Reason) string {
	switch r {
	case penstock.ReasonIgnored:
		return "ignored by .gitignore and not tracked"
	case penstock.ReasonExclude:
		return "excluded by configuration"
	case penstock.ReasonBinary:
		return "binary"
	case penstock.ReasonSize:
		return "over the size cap"
	case penstock.ReasonSymlink:
		return "symbolic links, not followed"
	case penstock.ReasonSpecial:
		return "FIFOs, devices, sockets"
	case penstock.ReasonNotWanted:
		return "of no interest to the selected engines"
	case penstock.ReasonVCS:
		return "the version control system's own"
	case penstock.ReasonEmpty:
		return "empty"
	case penstock.ReasonSubmodule:
		return "submodules, not checked out"
	case penstock.ReasonLFS:
		return "kept in Git LFS, of which only pointers are here"
	case penstock.ReasonOtherMount:
		return "on another file system"
	case penstock.ReasonPermission:
		return "permission denied"
	case penstock.ReasonVanished:
		return "gone before they were read"
	case penstock.ReasonChanged:
		return "changed while they were read"
	case penstock.ReasonMissing:
		return "not in the repository, which is partial or damaged"
	case penstock.ReasonDamaged:
		return "damaged in the repository"
	case penstock.ReasonIO:
		return "input or output error"
	case penstock.ReasonArchive:
		return "damaged, encrypted or unsupported container"
	case penstock.ReasonArchiveCap:
		return "container over a cap"
	case penstock.ReasonUnsafeName:
		return "a name that leads outside of its container or tree"
	case penstock.ReasonParse:
		return "not parsable"
	case penstock.ReasonBudget:
		return "an engine stopped at its budget"
	case penstock.ReasonCrash:
		return "an engine crashed"
	case penstock.ReasonKilled:
		return "killed the worker"
	case penstock.ReasonInterrupt:
		return "interrupted"
	case "":
		return "no reason given"
	}
	return string(r)
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// plural picks the word for a number of things.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// number writes n with commas between groups of three digits.
func number[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesText writes a size in decimal units.
func bytesText(n int64) string {
	if n < 1000 {
		return count(int(n), "byte", "bytes")
	}
	f, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB"}
	for len(units) > 1 && f >= 999.95 {
		f, units = f/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %s", f, units[0])
}

// position is "path:line:column", as far as they are known.
func position(l penstock.Location) string {
	switch {
	case l.Line <= 0:
		return l.Path
	case l.Column <= 0:
		return fmt.Sprintf("%s:%d", l.Path, l.Line)
	}
	return fmt.Sprintf("%s:%d:%d", l.Path, l.Line, l.Column)
}

// secretFacts says in one line what is known of a secret, without its value.
func (d *document) secretFacts(f *penstock.Finding) string {
	s := f.Evidence.Secret
	if s == nil {
		return ""
	}
	var parts []string
	if s.Kind != "" && !strings.EqualFold(s.Kind, d.title(f)) {
		parts = append(parts, s.Kind)
	}
	if s.Hint != "" {
		parts = append(parts, s.Hint)
	}
	if s.Length > 0 {
		parts = append(parts, count(s.Length, "character", "characters"))
	}
	if s.Checksum {
		parts = append(parts, "checksum is right")
	}
	if s.Entropy > 0 {
		parts = append(parts, fmt.Sprintf("%.1f bits per byte", s.Entropy))
	}
	if len(s.Decoded) > 0 {
		parts = append(parts, "decoded from "+strings.Join(s.Decoded, " in "))
	}
	if s.Where != "" {
		parts = append(parts, "in "+s.Where)
	}
	return strings.Join(parts, ", ")
}

// webAddress returns a reference if it is an address that a report may link to.
func webAddress(ref string) (string, bool) {
	if !strings.HasPrefix(ref, "https://") && !strings.HasPrefix(ref, "http://") {
		return "", false
	}
	for _, r := range ref {
		if r <= 0x20 || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) {
			return "", false
		}
	}
	return ref, true
}
