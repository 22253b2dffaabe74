package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// audit looks at one definition and reports what is wrong with it. An audit holds no
// state and depends on the project alone.
type audit func(x *Project, p *Pipeline, report func(Flaw))

// audits are all that look at one definition at a time.
func audits() []audit {
	return append(guardAudits(),
		auditPermissions, auditTokens, auditSecrets, auditDefinition, auditUpdates, auditUses, auditScripts, auditLock, auditRuntime, auditForges, auditHooks,
	)
}

// sameFlaw is what makes two flaws one.
type sameFlaw struct {
	rule    string
	place   Place
	message string
}

// Bounds of what is reported. What is left out is counted, and a note tells how much
// it is.
const (
	// maxFlaws is how many flaws of one rule in one file are reported: the most dangerous
	// ones. It is as many as a scan shows if nothing else is set.
	maxFlaws = 1000
	// maxHygiene is how many of one rule in one project are, where they are hygiene. Of
	// others there are as many as there are.
	maxHygiene = 5000
	// maxTold is of how many of one rule in one project, which are no hygiene, the way is
	// told. The others are reported without it.
	maxTold = 5000
	// maxAlso is how many further places of a joined flaw are shown.
	maxAlso = 50
)

// fileRule is a rule in a file.
type fileRule struct{ rule, path string }

// tierRule is a rule in a file, in one tier.
type tierRule struct {
	fileRule
	tier penstock.Tier
}

// joint is what flaws have in common that are joined.
type joint struct {
	tierRule
	job string
}

func (f *Flaw) fileRule() fileRule { return fileRule{f.Rule, f.Path} }
func (f *Flaw) tierRule() tierRule { return tierRule{f.fileRule(), f.tier()} }

// joint says with which others a flaw is joined, if it is.
func (f *Flaw) joint() (joint, bool) {
	if f.Rule != "untrusted-code-execution" && f.Rule != "artifact-poisoning" {
		return joint{}, false
	}
	job, _, _ := strings.Cut(f.Scope, ",")
	return joint{f.tierRule(), job}, job != ""
}

// tally gathers the flaws of a project, no more than are reported, and counts the others.
type tally struct {
	x     *Project
	flaws []Flaw
	seen  map[sameFlaw]bool
	held  map[tierRule]int
	// over are those of a rule in a file that are left out; hygiene and danger are those of
	// a rule in the project, hygiene also the ones that are not kept.
	over            map[fileRule]int
	hygiene, danger map[string]int
	// also are the further places of joined flaws that are left out.
	also map[joint]int
	harm harm
}

func newTally(x *Project) *tally {
	return &tally{
		x: x, seen: make(map[sameFlaw]bool), held: make(map[tierRule]int), over: make(map[fileRule]int), hygiene: make(map[string]int), danger: make(map[string]int),
		also: make(map[joint]int), harm: newHarm(),
	}
}

// add takes a flaw, unless it is one that is there or there are enough like it.
func (t *tally) add(f Flaw) {
	f = t.x.located(f)
	// A file that others are made of, more than once, has its flaws once.
	key := sameFlaw{f.Rule, f.Place, f.Message}
	if t.seen[key] {
		return
	}
	t.seen[key] = true
	k := f.tierRule()
	switch {
	case t.held[k] >= maxFlaws:
		t.over[k.fileRule]++
		t.harm.add(&f)
		return
	case k.tier == penstock.TierHygiene:
		if t.hygiene[f.Rule]++; t.hygiene[f.Rule] > maxHygiene {
			return
		}
	default:
		if t.danger[f.Rule]++; t.danger[f.Rule] > maxTold {
			t.harm.add(&f)
			f.Trace, f.Related, f.Cut = nil, nil, nil
			f.Notes = append(slices.Clone(f.Notes), untold)
		}
	}
	t.held[k]++
	t.flaws = append(t.flaws, f)
}

// untold is the note of a flaw whose way is not told.
const untold = "How it is reached is not shown: this repository has too many findings of the rule."

// cut leaves of each rule in each file as many as are reported, the most dangerous ones.
func (t *tally) cut() {
	count := make(map[fileRule]int)
	for i := range t.flaws {
		count[t.flaws[i].fileRule()]++
	}
	left := make(map[fileRule]map[penstock.Tier]int)
	for k, n := range count {
		if n > maxFlaws {
			left[k] = make(map[penstock.Tier]int)
		}
	}
	if len(left) > 0 {
		for i := range t.flaws {
			if room := left[t.flaws[i].fileRule()]; room != nil {
				room[t.flaws[i].tier()]++
			}
		}
		for _, room := range left {
			n := maxFlaws
			for _, tier := range []penstock.Tier{penstock.TierProvenPath, penstock.TierExploitable, penstock.TierHygiene} {
				room[tier] = min(room[tier], n)
				n -= room[tier]
			}
		}
		t.flaws = slices.DeleteFunc(t.flaws, func(f Flaw) bool {
			room := left[f.fileRule()]
			if room == nil {
				return false
			}
			if room[f.tier()] == 0 {
				t.over[f.fileRule()]++
				return true
			}
			room[f.tier()]--
			return false
		})
	}
	for k, n := range t.over {
		if n > 0 {
			t.x.overflows = append(t.x.overflows, overflow{k, min(count[k], maxFlaws), n + min(count[k], maxFlaws)})
		}
	}
	for rule, n := range t.hygiene {
		if n > maxHygiene {
			t.x.overflows = append(t.x.overflows, overflow{fileRule{rule: rule}, maxHygiene, n})
		}
	}
	slices.SortFunc(t.x.overflows, func(a, b overflow) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.rule, b.rule))
	})
}

// overflow says of a rule, in a file or in all of the project, how many of its flaws are
// reported, and how many there are.
type overflow struct {
	fileRule
	shown, all int
}

// note tells it.
func (o overflow) note(root string) *penstock.Note {
	n := &penstock.Note{Code: "findings-capped", Place: o.path, Incomplete: true}
	if o.path != "" {
		n.Message = fmt.Sprintf("pipeline/%s has %d findings here; %d are shown", o.rule, o.all, o.shown)
	} else {
		n.Place = root
		n.Message = fmt.Sprintf("pipeline/%s has more than %d findings of hygiene in this repository; %d are shown", o.rule, o.shown, o.shown)
	}
	return n
}

// join makes one flaw of those that are one: a job that runs a stranger's code in
// five steps is repaired in one place. The first step has it, the others are related.
func (t *tally) join() {
	flaws, also := t.flaws, t.also
	first := make(map[joint]int)
	out := flaws[:0]
	// In the order of the file, which the flow does not keep.
	slices.SortStableFunc(flaws, func(a, b Flaw) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Start, b.Start)) })
	for _, f := range flaws {
		if k, ok := f.joint(); ok {
			if i, ok := first[k]; ok {
				if len(out[i].Related) < maxAlso {
					out[i].Related = append(out[i].Related, Hop{Place: f.Place, Text: alsoHere})
				} else {
					also[k]++
				}
				continue
			}
			first[k] = len(out)
		}
		out = append(out, f)
	}
	for k, n := range also {
		if i, ok := first[k]; ok {
			out[i].Notes = append(slices.Clone(out[i].Notes), fmt.Sprintf("The same happens at %d further places of the job.", n))
		} else {
			t.over[k.fileRule] += n
		}
	}
	t.flaws = out
}

// alsoHere is what is said of a further place of a joined flaw.
const alsoHere = "the same happens here"

// Audit reports the flaws of the project, in no given order: all, or as many of a rule
// as the bounds allow.
func (x *Project) Audit(report func(Flaw)) {
	all := audits()
	t := newTally(x)
	for _, p := range x.Pipelines {
		for _, a := range all {
			a(x, p, t.add)
		}
	}
	f := newFlows(x)
	f.tally = t
	f.run(t.add)
	t.flaws = x.openGates(t.flaws)
	x.idleGates(t.flaws, t.harm)
	t.join()
	t.cut()
	x.repair(t.flaws)
	for i := range t.flaws {
		report(t.flaws[i])
	}
}
