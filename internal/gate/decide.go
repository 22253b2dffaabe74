package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// Input is all that a verdict depends on.
type Input struct {
	Policy Policy
	// From says where the policy came from: a path, or "default".
	From       string
	Exceptions []Exception
	Ignores    []Ignore
	// Base compares with the base of a range, Baseline with a baseline file; nil
	// for none. Where both are, the status of findings is that against the base.
	Base, Baseline *Comparison
	// Rules gives the aliases of the rules that findings name.
	Rules    []penstock.Rule
	Findings []*penstock.Finding
	Totals   penstock.Totals
	Notes    []*penstock.Note
	// Today is YYYY-MM-DD.
	Today string
	// FromRoot turns the path of a location into one from the root of the
	// project, from where globs and ignore entries are written; nil means that
	// they are the same.
	FromRoot func(path string) string
	// Whole means that the run covers all that the exceptions and ignore lists
	// are about, so that an entry without a finding is unused.
	Whole bool
}

// Decide gives the verdict. It sets Suppressed, Blocks and Reason of every
// finding, and Status where there is a comparison, and returns notes on exceptions
// and ignores that are unused, expired, suspended or without effect, in a stable
// order. A finding that comes with StatusFixed counts for nothing.
//
// A finding that is known in the base of a range stays open and does not block: no
// one accepted it, it is only not this change that brought it. One that a baseline
// holds is suppressed: a baseline is written, read and committed to say so. That
// goes for the very code that was flagged then; where it has changed, the finding
// is treated as one known in a base.
//
// A finding with many places is suppressed only if each of them is: an accepted
// copy in a test must not hide the one in production.
func Decide(in Input) (penstock.Verdict, []*penstock.Note) {
	d := decider{
		in:         in,
		aliases:    make(map[string][]string, len(in.Rules)),
		exceptions: make([]use, len(in.Exceptions)),
		byPath:     make(map[string][]int),
		ignores:    make([]use, len(in.Ignores)),
		blocking:   make(map[string]*tally),
		compare:    in.comparison(),
	}
	d.owner = newOwner(d.compare)
	for _, r := range in.Rules {
		d.aliases[r.ID] = r.Aliases
	}
	for _, p := range in.Policy.Paths {
		d.paths = append(d.paths, pathGlob(p.Match))
	}
	for i, e := range in.Exceptions {
		d.exceptions[i].rule, d.exceptions[i].path, d.exceptions[i].file = nameGlob(e.Rule), pathGlob(e.Path), literalPath(e.Path)
		d.exceptions[i].owned = d.ownException(i)
	}
	d.checkExceptions()
	for i, ig := range in.Ignores {
		d.byPath[ig.Path] = append(d.byPath[ig.Path], i)
	}
	for _, f := range in.Findings {
		d.finding(f)
	}
	d.addedMarks()
	d.unused()
	return d.verdict(), d.notes
}

// Nothing reports whether there was nothing to check: no file at all, or only
// such as the user or git leaves out. A file that is left out for what it is, a
// picture or an empty file, was there to check.
func Nothing(t penstock.Totals) bool {
	if t.Scanned > 0 || t.Unread > 0 || t.Members > 0 {
		return false
	}
	left := 0
	for _, r := range []penstock.Reason{penstock.ReasonIgnored, penstock.ReasonExclude, penstock.ReasonVCS, penstock.ReasonSubmodule, penstock.ReasonOtherMount} {
		left += t.ByReason[r]
	}
	return left >= t.Files
}

type use struct {
	rule, path glob
	file       string // the one path that the pattern names, empty for many
	void       bool   // expired or too far ahead
	used       bool
	owned      bool // it names something that was known
}

type tally struct {
	at    Threshold
	count [penstock.Critical + 1]int
	total int
}

type decider struct {
	in         Input
	aliases    map[string][]string
	paths      []glob // of Policy.Paths
	exceptions []use
	ignores    []use
	byPath     map[string][]int
	blocking   map[string]*tally // by key of the policy
	weakest    Threshold         // lowest threshold that an open finding stayed below
	open       int
	hygiene    int // open findings that pass for being hygiene
	suppressed map[string]int
	compare    *Comparison // decides on the status; nil for none
	owner      owner
	status     map[penstock.Status]int
	old        int      // open findings that would block if they were new
	marks      []string // added by the change, where they stand
	notes      []*penstock.Note
}

func (d *decider) note(code, place, hint, format string, args ...any) {
	d.notes = append(d.notes, &penstock.Note{Code: code, Place: place, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

func (d *decider) checkExceptions() {
	limit := ""
	if days := d.in.Policy.MaxExceptionDays; days > 0 {
		if today, err := time.Parse(time.DateOnly, d.in.Today); err == nil {
			limit = today.AddDate(0, 0, days).Format(time.DateOnly)
		}
	}
	for i, e := range d.in.Exceptions {
		switch {
		case e.Expires < d.in.Today:
			d.exceptions[i].void = true
			d.note("exception-expired", e.Place, "remove the flaw, or renew the exception with its owner",
				"the exception of %s for %s expired on %s and no longer counts", e.Owner, e.Rule, e.Expires)
		case limit != "" && e.Expires > limit:
			d.exceptions[i].void = true
			d.note("exception-too-long", e.Place, "choose an earlier day; gate.max-exception-days is "+strconv.Itoa(d.in.Policy.MaxExceptionDays),
				"the exception of %s for %s expires on %s, later than the policy allows, and does not count", e.Owner, e.Rule, e.Expires)
		}
	}
}

func (d *decider) finding(f *penstock.Finding) {
	f.Blocks, f.Reason = false, ""
	if f.Status == penstock.StatusFixed {
		f.Suppressed = nil
		f.Reason = "it is gone"
		if d.compare != nil {
			f.Reason = "it was known in " + d.compare.Origin + " and is gone from there"
		}
		d.count(f.Status)
		return
	}
	d.inline(f)
	var lost []suspend
	if f.Suppressed == nil {
		f.Suppressed, lost = d.suppression(f)
	}
	f.Status = ""
	if d.compare != nil {
		f.Status = penstock.StatusUnchanged
		// What was accepted as it was, and is no more like that, has to be seen.
		changed := slices.ContainsFunc(lost, func(s suspend) bool { return s.how == suspended })
		if known, _, _ := d.compare.standing(f); !known || changed {
			f.Status = penstock.StatusNew
			if f.Suppressed != nil && f.Suppressed.Kind != "baseline" && d.compare.Place != "" {
				f.Status = "" // a baseline leaves out what is accepted, and says nothing of it
			}
		}
		d.suspensions(f, lost)
		// The numbers of the verdict leave out what is accepted elsewhere.
		if f.Suppressed == nil || f.Suppressed.Kind == "baseline" && d.compare.Place != "" {
			d.count(f.Status)
		}
	}
	if s := f.Suppressed; s != nil {
		d.ignoreAdded(f)
		if d.suppressed == nil {
			d.suppressed = make(map[string]int)
		}
		d.suppressed[s.Kind]++
		f.Reason = "suppressed by " + suppressedBy(s)
		return
	}
	d.open++
	at, key := d.threshold(f)
	if !at.blocks(f.Severity) {
		f.Reason = fmt.Sprintf("%s is below %s (%s)", f.Severity, at, key)
		if at == Never && key == hygieneKey {
			d.hygiene++
		}
		if at == Never {
			f.Reason = fmt.Sprintf("the policy lets it pass (%s: never)", key)
		}
		if d.weakest == 0 || at < d.weakest {
			d.weakest = at
		}
		return
	}
	if f.Status == penstock.StatusUnchanged && d.in.Policy.OnlyNew {
		f.Reason = d.unchanged(f, at, key)
		d.old++
		return
	}
	f.Blocks = true
	f.Reason = fmt.Sprintf("%s is at or above %s (%s)", f.Severity, at, key) + d.newness(f, lost)
	t := d.blocking[key]
	if t == nil {
		t = &tally{at: at}
		d.blocking[key] = t
	}
	t.total++
	t.count[min(max(f.Severity, 0), penstock.Critical)]++
}

// ignoreAdded says that the change itself brings the mark that suppresses what it
// brings. The mark counts, as it does in every run, but somebody has to see it.
func (d *decider) ignoreAdded(f *penstock.Finding) {
	s := f.Suppressed
	if d.in.Base == nil || s.Kind != "inline" && s.Kind != "gitleaks:allow" {
		return
	}
	for n := range 1 + len(f.Places) {
		if w := d.in.Base.was(f, n); w.compared && (w.old == nil || !w.old.Ignored) {
			d.marks = append(d.marks, s.Place)
			return
		}
	}
}

func (d *decider) addedMarks() {
	slices.Sort(d.marks)
	marks := slices.Compact(d.marks)
	if len(marks) == 0 {
		return
	}
	const shown = 3
	text := strings.Join(marks[:min(shown, len(marks))], ", ")
	if n := len(marks) - shown; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	d.note("ignore-added", "", "let an owner of the check approve what is suppressed; --all shows it",
		"the change itself adds %s that %s what it brings: %s", count(len(marks), "mark", "marks"), plural(len(marks), "suppresses", "suppress"), text)
}

func (d *decider) count(s penstock.Status) {
	if d.status == nil {
		d.status = make(map[penstock.Status]int)
	}
	d.status[s]++
}

// inline judges the mark that the worker found at the finding: the worker knows
// neither the date nor the policy.
func (d *decider) inline(f *penstock.Finding) {
	s := f.Suppressed
	if s == nil {
		return
	}
	if d.in.Policy.NoIgnores {
		f.Suppressed = nil
		return
	}
	if s.Expires != "" && s.Expires < d.in.Today {
		d.note("ignore-expired", s.Place, "remove the flaw, or renew the ignore", "the ignore of %s expired on %s and no longer counts", f.Rule, s.Expires)
		f.Suppressed = nil
	}
}

func suppressedBy(s *penstock.Suppression) string {
	text := s.Kind
	if s.Owner != "" {
		text += " of " + s.Owner
	}
	if s.Expires != "" {
		text += " until " + s.Expires
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// suppression looks for exceptions and ignore entries that cover every place,
// and marks those that cover any as used. The one for the primary place is told.
// If the finding is not suppressed, lost are those that would cover a place of it
// and no longer count.
func (d *decider) suppression(f *penstock.Finding) (s *penstock.Suppression, lost []suspend) {
	all := true
	for n := range 1 + len(f.Places) {
		l := f.Location
		if n > 0 {
			l = f.Places[n-1]
		}
		c, more := d.covered(f, l, n)
		if n == 0 {
			s = c
		}
		if c == nil {
			all = false
			lost = append(lost, more...)
		}
	}
	if all {
		return s, nil
	}
	if b := d.in.Baseline; b != nil && d.in.Policy.OnlyNew {
		if _, exact, _ := b.standing(f); exact {
			return &penstock.Suppression{Kind: "baseline", Reason: "known before", Place: b.Place}, nil
		}
	}
	return nil, lost
}

// covered looks for what covers the n-th place of a finding.
func (d *decider) covered(f *penstock.Finding, l penstock.Location, n int) (s *penstock.Suppression, lost []suspend) {
	var commit string
	commit, l.Path = inCommit(f, l.Path)
	at, w := d.fromRoot(l.Path), d.compare.was(f, n)
	for i := range d.in.Exceptions {
		e, u := &d.in.Exceptions[i], &d.exceptions[i]
		how := d.exception(i, f, at, w)
		if how == holdsNot {
			continue
		}
		u.used = true // also if void: it is reported as that
		switch {
		case u.void:
		case how == suspended || how == foreign:
			lost = append(lost, suspend{"exception-suspended", "the exception of " + e.Owner, e.Place, l, how})
		case s == nil:
			s = &penstock.Suppression{Kind: "exception", Owner: e.Owner, Reason: e.Reason, Expires: e.Expires, Place: e.Place}
			if how == follows {
				hint := "write there: path: " + at
				if e.Fingerprint != "" {
					hint = "write there: fingerprint: " + f.Fingerprint
				}
				d.note("exception-moved", e.Place, hint, "the exception of %s for %s follows its finding to %s:%d", e.Owner, e.Rule, l.Path, l.Line)
			}
		}
	}
	if d.in.Policy.NoIgnores {
		return s, lost
	}
	for _, i := range d.entries(l.Path, at, w) {
		ig := &d.in.Ignores[i]
		if commit != "" && ig.Commit != "" && !strings.HasPrefix(ig.Commit, commit) {
			continue
		}
		how := d.ignore(i, f, l, at, w)
		if how == holdsNot {
			continue
		}
		d.ignores[i].used = true
		switch {
		case how == suspended || how == foreign:
			lost = append(lost, suspend{"gitleaksignore-suspended", "the entry", ig.Place, l, how})
		case s == nil:
			s = &penstock.Suppression{Kind: ".gitleaksignore", Place: ig.Place}
		}
	}
	return s, lost
}

// entries are the ignore entries that may be about a place, ascending.
func (d *decider) entries(path, at string, w was) []int {
	if len(d.byPath) == 0 {
		return nil
	}
	var list []int
	add := func(p string) {
		list = append(list, d.byPath[p]...)
		if q := strings.ReplaceAll(p, penstock.MemberSeparator, "!"); q != p {
			list = append(list, d.byPath[q]...)
		}
	}
	add(path)
	add(at)
	if w.old != nil {
		add(w.old.Path)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (d *decider) matches(i int, rule, fingerprint, path string) bool {
	e, u := &d.in.Exceptions[i], &d.exceptions[i]
	if e.Fingerprint != "" && e.Fingerprint != fingerprint {
		return false
	}
	return d.matchRule(&u.rule, rule) && (e.Path == "" || u.path.match(path))
}

func (d *decider) matchRule(g *glob, rule string) bool {
	if g.match(rule) {
		return true
	}
	engine, _, _ := strings.Cut(rule, "/")
	for _, a := range d.aliases[rule] {
		if g.match(a) || g.match(engine+"/"+a) {
			return true
		}
	}
	return false
}

// sameRule compares a rule id of gitleaks, which has no engine, with ours.
func (d *decider) sameRule(theirs, ours string) bool {
	_, name, _ := strings.Cut(ours, "/")
	return theirs == name || theirs == ours || slices.Contains(d.aliases[ours], theirs)
}

func (d *decider) fromRoot(p string) string {
	if d.in.FromRoot == nil {
		return p
	}
	return d.in.FromRoot(p)
}

// threshold is the strictest over all places of the finding, with the key of the
// policy that sets it.
func (d *decider) threshold(f *penstock.Finding) (Threshold, string) {
	engine, _, _ := strings.Cut(f.Rule, "/")
	_, path := inCommit(f, f.Location.Path)
	at, key := d.placeThreshold(engine, path)
	for _, l := range f.Places {
		_, path := inCommit(f, l.Path)
		if t, k := d.placeThreshold(engine, path); t < at {
			at, key = t, k
		}
	}
	if f.Evidence.Tier == penstock.TierHygiene && d.in.Policy.Hygiene > at {
		return d.in.Policy.Hygiene, hygieneKey
	}
	return at, key
}

// inCommit cuts the commit off the path of a place in history: what accepts or grades
// files is about the path alone.
func inCommit(f *penstock.Finding, path string) (commit, file string) {
	if f.Commit == nil {
		return "", path
	}
	commit, file, _ = strings.Cut(path, ":")
	return commit, file
}

// hygieneKey is the key of the policy for what is no danger by itself.
const hygieneKey = "hygiene"

func (d *decider) placeThreshold(engine, path string) (Threshold, string) {
	p, at := &d.in.Policy, d.fromRoot(path)
	for i := len(d.paths) - 1; i >= 0; i-- {
		if d.paths[i].match(at) {
			return p.Paths[i].Block, "paths: " + p.Paths[i].Match
		}
	}
	if t, ok := p.Engines[engine]; ok {
		return t, "engines." + engine
	}
	return p.Block, "block"
}

func (d *decider) unused() {
	if !d.in.Whole {
		return
	}
	for i, e := range d.in.Exceptions {
		if !d.exceptions[i].used && !d.exceptions[i].void {
			d.note("exception-unused", e.Place, "remove it", "the exception of %s for %s covers no finding", e.Owner, e.Rule)
		}
	}
	if d.in.Policy.NoIgnores {
		return
	}
	for i, ig := range d.in.Ignores {
		// An entry with a commit may be about history, which was not read.
		if !d.ignores[i].used && ig.Commit == "" {
			d.note("gitleaksignore-unused", ig.Place, "remove it", "the entry for %s covers no finding", ig.Rule)
		}
	}
}

func (d *decider) verdict() penstock.Verdict {
	p := d.in.Policy
	v := penstock.Verdict{Policy: d.in.From, Open: d.open}
	for _, n := range d.suppressed {
		v.Suppressed += n
	}
	v.Incomplete = d.in.Totals.Unread > 0
	missed := 0
	for _, n := range d.in.Notes {
		if n.Incomplete {
			missed++
			v.Incomplete = true
		}
	}
	for _, key := range d.blockingKeys() {
		t := d.blocking[key]
		v.Blocking += t.total
		v.Reasons = append(v.Reasons, fmt.Sprintf("%s at or above %s %s (%s), by the policy's %s",
			count(t.total, "finding", "findings"), t.at, plural(t.total, "blocks", "block"), t.severities(), key))
	}
	// A change may change nothing that can be checked.
	nothing := d.in.Base == nil && Nothing(d.in.Totals) && len(d.in.Findings) == 0
	v.Pass = v.Blocking == 0 && !nothing && (!v.Incomplete || p.Incomplete == WarnUnread)
	if v.Incomplete {
		v.Reasons = append(v.Reasons, d.incompleteReason(missed))
	}
	if nothing && !v.Incomplete {
		v.Reasons = append(v.Reasons, nothingReason(d.in.Totals))
	}
	if v.Blocking == 0 && !nothing {
		v.Reasons = append(v.Reasons, d.passReason())
	}
	if s := d.suppressedReason(v.Suppressed); s != "" {
		v.Reasons = append(v.Reasons, s)
	}
	if d.compare != nil {
		v.Reasons = append(v.Reasons, d.comparedReason())
	}
	return v
}

// blockingKeys orders by the worst severity, then the number, then the name.
func (d *decider) blockingKeys() []string {
	keys := make([]string, 0, len(d.blocking))
	for k := range d.blocking {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(
			-cmp.Compare(d.blocking[a].worst(), d.blocking[b].worst()),
			-cmp.Compare(d.blocking[a].total, d.blocking[b].total),
			strings.Compare(a, b),
		)
	})
	return keys
}

func (t *tally) worst() penstock.Severity {
	for _, s := range penstock.Severities() {
		if t.count[s] > 0 {
			return s
		}
	}
	return penstock.SeverityUnset
}

func (t *tally) severities() string {
	var parts []string
	for _, s := range append(penstock.Severities(), penstock.SeverityUnset) {
		if t.count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", t.count[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

func (d *decider) incompleteReason(missed int) string {
	var what []string
	if n := d.in.Totals.Unread; n > 0 {
		what = append(what, fmt.Sprintf("%s could not be read", count(n, "file", "files")))
	}
	if missed > 0 {
		what = append(what, fmt.Sprintf("%s of the work %s not done (see the notes)", count(missed, "part", "parts"), plural(missed, "was", "were")))
	}
	end := "which the policy counts as failure"
	if d.in.Policy.Incomplete == WarnUnread {
		end = "which the policy only warns of"
	}
	return fmt.Sprintf("the run is incomplete: %s, %s", strings.Join(what, " and "), end)
}

func nothingReason(t penstock.Totals) string {
	if t.Files == 0 {
		return "there was nothing to check"
	}
	return fmt.Sprintf("there was nothing to check: %s left out by ignore rules or exclusions", count(t.Files, "file was", "files were"))
}

func (d *decider) passReason() string {
	switch {
	case d.in.Base != nil && Nothing(d.in.Totals) && len(d.in.Findings) == 0:
		return "nothing changed that could be checked"
	case d.open == 0:
		return "no open findings"
	case d.old > 0:
		return fmt.Sprintf("%s, %d of which would block if %s new", count(d.open, "open finding", "open findings"), d.old, plural(d.old, "it were", "they were"))
	case d.hygiene == d.open:
		return fmt.Sprintf("%s, all of it hygiene, which does not block", count(d.open, "open finding", "open findings"))
	case d.weakest == Never:
		return fmt.Sprintf("%s %s the policy lets pass", count(d.open, "open finding", "open findings"), plural(d.open, "is one that", "are ones that"))
	default:
		return fmt.Sprintf("%s, none at or above the severity that blocks", count(d.open, "open finding", "open findings"))
	}
}

func (d *decider) suppressedReason(total int) string {
	if total == 0 {
		return ""
	}
	kinds := make([]string, 0, len(d.suppressed))
	for k := range d.suppressed {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d by %s", d.suppressed[k], k)
	}
	return fmt.Sprintf("%s suppressed: %s", count(total, "finding is", "findings are"), strings.Join(kinds, ", "))
}

// comparedReason says how the run stands to what was known, but for findings that
// something else than that suppresses.
func (d *decider) comparedReason() string {
	text := fmt.Sprintf("compared with %s: %d new, %d unchanged, %d fixed", d.compare.Origin,
		d.status[penstock.StatusNew], d.status[penstock.StatusUnchanged], d.status[penstock.StatusFixed]+d.compare.Gone)
	if d.in.Policy.OnlyNew {
		text += "; only new findings block"
	}
	return text
}

func count(n int, one, many string) string { return strconv.Itoa(n) + " " + plural(n, one, many) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
