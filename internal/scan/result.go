package scan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// result joins, orders and counts what the worker gave.
func (r *run) result() *Result {
	res := &Result{Header: r.header()}
	r.units, r.cached, r.texts = nil, nil, nil
	res.Coverage = make([]*penstock.Coverage, 0, len(r.done))
	base := new(Result)
	covers := make([]penstock.Coverage, len(r.done))
	engines := make(map[uint64][]string)
	for i, u := range r.done {
		if path, old := strings.CutPrefix(u.path, basePrefix); old {
			r.takeBase(base, path, u)
			r.done[i] = nil
			continue
		}
		if engines[u.engines] == nil {
			engines[u.engines] = engineNames(r.job.Engines, u.engines)
		}
		covers[i] = penstock.Coverage{Path: u.path, Size: u.size, State: u.state, Reason: u.reason, Detail: u.detail, Engines: engines[u.engines]}
		records, err := decodeRecords(u.records)
		if err != nil {
			covers[i] = penstock.Coverage{Path: u.path, Size: u.size, State: penstock.Unread, Reason: penstock.ReasonCrash, Detail: "its result cannot be read"}
		}
		res.Coverage = append(res.Coverage, &covers[i])
		if r.cfg.View.history() && u.state == penstock.Scanned {
			// Thousands of versions are counted, not listed.
			res.Coverage = res.Coverage[:len(res.Coverage)-1]
		}
		r.take(res, records)
		r.done[i] = nil // the result holds what matters
	}
	r.take(res, r.records)
	old := new(Result)
	r.take(old, r.base)
	base.Findings, base.Notes = append(base.Findings, old.Findings...), append(base.Notes, old.Notes...)
	r.take(res, r.hello)
	r.take(res, r.notes)
	res.Notes = append(res.Notes, base.Notes...)
	res.Base, res.Renames = base.Findings, r.renames
	ranks := r.ranks()
	for _, list := range []*[]*penstock.Finding{&res.Findings, &res.Base} {
		*list = mergePlaces(*list, ranks)
		fingerprint(*list)
		ordinals(*list)
	}
	slices.SortFunc(res.Coverage, compareCoverage)
	slices.SortFunc(res.Notes, compareNotes)
	res.Notes = slices.CompactFunc(res.Notes, func(a, b *penstock.Note) bool { return *a == *b })
	slices.SortFunc(res.Components, func(a, b *penstock.Component) int {
		return cmp.Or(cmp.Compare(a.PURL, b.PURL), penstock.CompareLocations(a.Location, b.Location))
	})
	slices.SortFunc(res.Assets, func(a, b *penstock.Asset) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key), penstock.CompareLocations(a.Location, b.Location))
	})
	slices.SortFunc(res.Edges, func(a, b *penstock.Edge) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), penstock.CompareLocations(a.Location, b.Location))
	})
	res.Rules = r.rulesOf(res.Findings, res.Base)
	r.count(res)
	for _, end := range r.histories {
		end.Totals.addTo(&res.Totals)
		res.Notes = append(res.Notes, end.Totals.notes()...)
	}
	slices.SortFunc(res.Notes, compareNotes)
	return res
}

// takeBase takes what was found in a file of the old version. What was not read
// there is a note: its findings count as new, which errs on the safe side.
func (r *run) takeBase(base *Result, path string, u *unit) {
	records, err := decodeRecords(u.records)
	var found Result
	r.take(&found, records)
	base.Findings = append(base.Findings, found.Findings...)
	unread := u.state == penstock.Unread || err != nil
	for _, c := range found.Coverage {
		unread = unread || c.State == penstock.Unread
	}
	if unread {
		base.Notes = append(base.Notes, &penstock.Note{
			Code: "base-unread", Place: path,
			Message: "the base's version of this file was not read whole, so what is found in it counts as new: " + cmp.Or(u.detail, string(u.reason), "a part of it could not be read"),
		})
	}
}

// take sorts records into the result, dropping what no honest worker sends.
func (r *run) take(res *Result, records []penstock.Record) {
	for _, rec := range records {
		switch rec := rec.(type) {
		case *penstock.Finding:
			if !r.ours(rec.Location.Path) || !validRule(rec.Rule) || rec.Commit != nil != r.cfg.View.history() || rec.Commit != nil && !fitsCommit(rec) {
				continue
			}
			res.Findings = append(res.Findings, rec)
		case *penstock.Component:
			res.Components = append(res.Components, rec)
		case *penstock.Asset:
			res.Assets = append(res.Assets, rec)
		case *penstock.Edge:
			res.Edges = append(res.Edges, rec)
		case *penstock.Coverage:
			if r.ours(rec.Path) {
				res.Coverage = append(res.Coverage, rec)
			}
		case *penstock.Note:
			res.Notes = append(res.Notes, rec)
		}
	}
}

func validRule(id string) bool {
	engine, name, ok := strings.Cut(id, "/")
	return ok && engine != "" && name != "" && len(id) <= 200
}

// mergePlaces makes one finding of all that are the same flaw. The worst place
// comes first; the others are its Places. For built-in rules the same secret is
// one finding even where another rule saw it; a user's rules stay apart, since
// their author counts on each. In a history, ranks are the places of its commits.
func mergePlaces(findings []*penstock.Finding, ranks map[string]int) []*penstock.Finding {
	type key struct{ rule, group, suppressed string }
	groups := make(map[key][]*penstock.Finding)
	var out []*penstock.Finding
	for _, f := range findings {
		if f.Group == "" {
			out = append(out, f)
			continue
		}
		k := key{group: f.Group}
		k.rule, _, _ = strings.Cut(f.Rule, "/")
		if k.rule == "user" {
			k.rule = f.Rule
		}
		// An accepted place must not hide an open one, nor the other way round.
		if s := f.Suppressed; s != nil {
			k.suppressed = s.Kind + "\x00" + s.Reason + "\x00" + s.Expires
		}
		groups[k] = append(groups[k], f)
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *penstock.Finding) int {
			return cmp.Or(-cmp.Compare(a.Severity, b.Severity), -cmp.Compare(a.Confidence, b.Confidence), a.Compare(b))
		})
		first := group[0]
		if first.Commit != nil {
			out = append(out, joinHistory(group, ranks))
			continue
		}
		for _, f := range group[1:] {
			first.Places = append(first.Places, f.Location)
			first.Places = append(first.Places, f.Places...)
			first.Fix = mergeFix(first.Fix, f.Fix)
			first.Features = append(first.Features, f.Features...)
		}
		slices.SortFunc(first.Places, penstock.CompareLocations)
		first.Places = slices.Compact(first.Places)
		first.Places = slices.DeleteFunc(first.Places, func(l penstock.Location) bool { return l == first.Location })
		out = append(out, first)
	}
	slices.SortFunc(out, (*penstock.Finding).Compare)
	return out
}

// mergeFix is the repair of two places at once. It is safe if all its edits are;
// a repair without edits says nothing about that.
func mergeFix(a, b *penstock.Fix) *penstock.Fix {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	m := *a
	switch {
	case len(a.Edits) == 0:
		m.Description, m.Safe = b.Description, b.Safe
	case len(b.Edits) > 0:
		m.Safe = a.Safe && b.Safe
	}
	m.Edits = append(slices.Clone(a.Edits), b.Edits...)
	m.Steps = slices.Clone(a.Steps)
	for _, s := range b.Steps {
		if !slices.Contains(m.Steps, s) {
			m.Steps = append(m.Steps, s)
		}
	}
	return &m
}

// fingerprint gives each finding its stateless hint: rule, path, scope and the
// ordinal among its equals.
func fingerprint(findings []*penstock.Finding) {
	count := make(map[string]int)
	for _, f := range findings {
		id := f.Rule + "\x00" + f.Location.Path + "\x00" + f.Evidence.Scope
		sum := sha256.Sum256(fmt.Appendf(nil, "penstock/v1\x00%s\x00%d", id, count[id]))
		count[id]++
		f.Fingerprint = hex.EncodeToString(sum[:16])
	}
}

// ordinals numbers the findings of one class and code in each file, from above.
func ordinals(findings []*penstock.Finding) {
	type key struct {
		path, class string
		code        penstock.Hash
	}
	equal := make(map[key][]*penstock.Features)
	for _, f := range findings {
		for _, x := range f.Features {
			k := key{x.Path, x.Class, x.Code}
			equal[k] = append(equal[k], x)
		}
	}
	for _, list := range equal {
		slices.SortStableFunc(list, func(a, b *penstock.Features) int { return cmp.Compare(a.Line, b.Line) })
		for n, x := range list {
			x.Ordinal = n
		}
	}
}

func compareCoverage(a, b *penstock.Coverage) int {
	return cmp.Or(
		cmp.Compare(a.Path, b.Path), -cmp.Compare(a.State, b.State), cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.Detail, b.Detail), slices.Compare(a.Engines, b.Engines),
	)
}

func compareNotes(a, b *penstock.Note) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Place, b.Place), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Hint, b.Hint))
}

// rulesOf describes the rules that findings name.
func (r *run) rulesOf(lists ...[]*penstock.Finding) []penstock.Rule {
	named := make(map[string]bool)
	for _, findings := range lists {
		for _, f := range findings {
			named[f.Rule] = true
		}
	}
	if len(named) == 0 {
		return nil
	}
	var rules []penstock.Rule
	for _, e := range r.engines {
		if e.Rules == nil {
			continue
		}
		all, err := e.Rules(r.job.Setup.RuleFiles)
		if err != nil {
			continue // the worker would have refused it
		}
		for _, rule := range all {
			if named[rule.ID] {
				named[rule.ID] = false
				rules = append(rules, rule)
			}
		}
	}
	slices.SortFunc(rules, func(a, b penstock.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return rules
}

// count fills the totals. Coverage is sorted by path, worst state first, so the
// first record of a path decides.
func (r *run) count(res *Result) {
	t := &res.Totals
	t.ByReason = make(map[penstock.Reason]int)
	t.ByEngine = make(map[string]int)
	last := ""
	for i, c := range res.Coverage {
		for _, e := range c.Engines {
			if c.State == penstock.Scanned {
				t.ByEngine[e]++
			}
		}
		if i > 0 && c.Path == last {
			continue
		}
		last = c.Path
		if c.State != penstock.Scanned {
			t.ByReason[c.Reason]++
		}
		if strings.Contains(c.Path, penstock.MemberSeparator) {
			t.Members++
			if c.State == penstock.Unread {
				t.Unread++
			}
			continue
		}
		t.Files++
		switch c.State {
		case penstock.Scanned:
			t.Scanned++
			t.Bytes += c.Size
		case penstock.Excluded:
			t.Excluded++
		default:
			t.Unread++
		}
	}
}
