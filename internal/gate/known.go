package gate

import (
	"fmt"
	"strings"

	"penstock"
)

// Comparison is how the findings of a run stand to what was known before. The
// caller makes it, by internal/identity; the gate draws the conclusions.
type Comparison struct {
	// Origin names what was known, as reasons show it: "the base 1234abcd", "the
	// baseline .penstock/baseline.jsonl".
	Origin string
	// Place is the file of a baseline, empty for the base of a range.
	Place string
	// Old are all places of all findings that were known, whether found again or
	// not. An exception that covers one of them belongs to it.
	Old []Old
	// New says, by the very pointers of Input.Findings, what the places of each finding were: first that of Location, then
	// those of Places, in order. A finding that is missing was not compared.
	New map[*penstock.Finding][]Match
	// Gone counts known findings that are proven to be gone and that stand in the
	// run by no finding of StatusFixed.
	Gone int
}

// Old is one place of a finding that was known. Path counts from the root of the
// project.
type Old struct {
	Rule, Path string
	Line       int
	// Fingerprint is empty where it is not known.
	Fingerprint string
	// Ignored is true where a mark in the file already suppressed it.
	Ignored bool
}

// Match is what one place of a finding was: an index in Comparison.Old, or -1 if
// the place is new. Exact means that the flagged code is the same, so that what
// was accepted there is accepted here.
type Match struct {
	Old   int
	Exact bool
}

// was is a Match, resolved.
type was struct {
	compared bool
	old      *Old
	exact    bool
}

func (c *Comparison) was(f *penstock.Finding, place int) was {
	if c == nil {
		return was{}
	}
	list, ok := c.New[f]
	if !ok {
		return was{}
	}
	if place >= len(list) || list[place].Old < 0 || list[place].Old >= len(c.Old) {
		return was{compared: true}
	}
	return was{true, &c.Old[list[place].Old], list[place].Exact}
}

// standing says whether every place of the finding was known, whether each by
// exact code, and which places were not, if others were.
func (c *Comparison) standing(f *penstock.Finding) (known, exact bool, added []penstock.Location) {
	if c == nil {
		return false, false, nil
	}
	known, exact = true, true
	any := false
	for n := range 1 + len(f.Places) {
		l := f.Location
		if n > 0 {
			l = f.Places[n-1]
		}
		w := c.was(f, n)
		if w.old == nil {
			known = false
			added = append(added, l)
		}
		any = any || w.old != nil
		exact = exact && w.exact
	}
	if !any {
		added = nil
	}
	return known, known && exact, added
}

// comparison is the one that the status of findings is about: a range knows all
// that its base has, a baseline only what was written into it.
func (in *Input) comparison() *Comparison {
	if in.Base != nil {
		return in.Base
	}
	return in.Baseline
}

// owner finds what an exception or ignore entry belonged to.
type owner struct {
	old           []Old
	byPath, byKey map[string][]int // byKey by fingerprint
}

func newOwner(c *Comparison) owner {
	if c == nil {
		return owner{}
	}
	o := owner{old: c.Old, byPath: make(map[string][]int), byKey: make(map[string][]int)}
	for i, x := range c.Old {
		o.byPath[x.Path] = append(o.byPath[x.Path], i)
		if x.Fingerprint != "" {
			o.byKey[x.Fingerprint] = append(o.byKey[x.Fingerprint], i)
		}
	}
	return o
}

func (o *owner) any(list []int, match func(*Old) bool) bool {
	for _, i := range list {
		if match(&o.old[i]) {
			return true
		}
	}
	return false
}

// holding is what an exception or ignore entry is to a place of a finding.
type holding uint8

const (
	holdsNot  holding = iota
	holds             // it covers the place
	follows           // likewise, and only because it belonged to the code before it moved
	suspended         // it would, had the flagged code not changed
	foreign           // it would, did it not belong to other code
)

// hold decides whether something that belongs to a finding covers a place. Direct
// says that it names the place as it is now, carried that it named what the place
// was, owned that it named anything that was known.
//
// What names something known holds for that and nothing else: else a worse line
// could be put where an accepted one was. What names nothing known was written
// after, or ahead, and holds for what it names.
func hold(w was, direct, carried, owned bool) holding {
	switch {
	case !direct && !carried:
		return holdsNot
	case !w.compared:
		return holds // so direct
	case carried && w.exact && direct:
		return holds
	case carried && w.exact:
		return follows
	case carried, w.old != nil && !w.exact:
		return suspended
	case owned && w.old != nil:
		return holdsNot // its own finding is another one, and this one is known
	case owned:
		return foreign
	}
	return holds
}

// exception says what exception i is to a place of the finding. An exception by
// fingerprint, or by a path that names just this file, belongs to a finding; any
// other is a policy about paths, holds for what it matches and does not follow.
func (d *decider) exception(i int, f *penstock.Finding, at string, w was) holding {
	e, u := &d.in.Exceptions[i], &d.exceptions[i]
	direct := d.matches(i, f.Rule, f.Fingerprint, at)
	if direct && !u.belongs(e, at) {
		return holds
	}
	// A pattern beside the fingerprint bounds where the exception may follow to.
	carried := w.old != nil && u.belongs(e, w.old.Path) && d.matches(i, w.old.Rule, w.old.Fingerprint, w.old.Path) &&
		(e.Path == "" || u.file != "" || u.path.match(at))
	return hold(w, direct, carried, u.owned)
}

// belongs reports whether the exception is about one finding of the path.
func (u *use) belongs(e *Exception, path string) bool {
	return e.Fingerprint != "" || u.file != "" && u.file == path
}

// ownException says whether the exception names anything that was known.
func (d *decider) ownException(i int) bool {
	e, u := &d.in.Exceptions[i], &d.exceptions[i]
	list := d.owner.byPath[u.file]
	if e.Fingerprint != "" {
		list = d.owner.byKey[e.Fingerprint]
	}
	return d.owner.any(list, func(o *Old) bool { return d.matches(i, o.Rule, o.Fingerprint, o.Path) })
}

// ignore says what an entry of an ignore list is to a place of the finding.
func (d *decider) ignore(i int, f *penstock.Finding, l penstock.Location, at string, w was) holding {
	ig := &d.in.Ignores[i]
	direct := ig.Line == l.Line && (ig.names(l.Path) || ig.names(at)) && d.sameRule(ig.Rule, f.Rule)
	carried := w.old != nil && ig.Line == w.old.Line && ig.names(w.old.Path) && d.sameRule(ig.Rule, w.old.Rule)
	if !direct && !carried {
		return holdsNot
	}
	owned := w.compared && d.owner.any(d.owner.byPath[ig.Path], func(o *Old) bool { return o.Line == ig.Line && d.sameRule(ig.Rule, o.Rule) })
	return hold(w, direct, carried, owned)
}

// names reports whether the entry's path is p. Gitleaks joins the members of an
// archive by "!".
func (ig *Ignore) names(p string) bool {
	return ig.Path == p || ig.Path == strings.ReplaceAll(p, penstock.MemberSeparator, "!")
}

// suspend is an exception or ignore entry that does not count, with the place of
// the finding for which it would.
type suspend struct {
	code, what, place string
	at                penstock.Location
	how               holding
}

// suspensions notes what no longer counts for the finding.
func (d *decider) suspensions(f *penstock.Finding, list []suspend) {
	hint := "look at it again; what is accepted in the base counts once the change is there"
	if d.compare.Place != "" {
		hint = "look at it again; then: penstock baseline write"
	}
	for _, s := range list {
		why := "the flagged code or what is around it changed since it was accepted"
		if s.how == foreign {
			why = "it was accepted for other code"
		}
		d.note(s.code, s.place, hint, "%s for %s does not count at %s:%d: %s", s.what, f.Rule, s.at.Path, s.at.Line, why)
	}
}

// unchanged is the reason of a finding that would block if it were new.
func (d *decider) unchanged(f *penstock.Finding, at Threshold, key string) string {
	how := "known in " + d.compare.Origin
	if _, exact, _ := d.compare.standing(f); !exact {
		how += ", though it or what is around it has changed"
	}
	return fmt.Sprintf("%s is at or above %s (%s), but %s: only new findings block", f.Severity, at, key, how)
}

// newness says in a reason why a finding counts as new although it is not wholly
// so.
func (d *decider) newness(f *penstock.Finding, list []suspend) string {
	if d.compare == nil || !d.in.Policy.OnlyNew {
		return ""
	}
	_, _, added := d.compare.standing(f)
	if len(added) > 0 {
		more := ""
		if n := len(added) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return fmt.Sprintf("; known in %s, but new at %s:%d%s", d.compare.Origin, added[0].Path, added[0].Line, more)
	}
	for _, s := range list {
		if s.how == suspended {
			return fmt.Sprintf("; known in %s, but it or what is around it changed since it was accepted at %s", d.compare.Origin, s.place)
		}
	}
	return ""
}
