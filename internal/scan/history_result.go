package scan

import (
	"cmp"
	"fmt"
	"slices"

	"penstock"
)

// maxPlaces bounds the places of one finding of a history: a key that was copied
// around for years has thousands.
const maxPlaces = 100

// valid reports whether an honest worker could have sent it.
func (e *historyEnd) valid(roots int) bool {
	t := &e.Totals
	for _, n := range []int{t.Commits, t.Files, t.Scanned, t.Excluded, t.Unread, int(t.Bytes), e.Root} {
		if n < 0 {
			return false
		}
	}
	if len(t.ByReason) > 100 || len(t.ByEngine) > 100 || e.Root >= roots {
		return false
	}
	for reason, n := range t.ByReason {
		if n < 0 || len(reason) > 100 {
			return false
		}
	}
	for engine, n := range t.ByEngine {
		if n < 0 || len(engine) > 100 {
			return false
		}
	}
	return !slices.ContainsFunc(e.Order, func(id string) bool { return !checkID(id) })
}

// addTo adds what has no records of its own.
func (t *historyTotals) addTo(sum *penstock.Totals) {
	sum.Files += t.Files
	sum.Scanned += t.Scanned
	sum.Excluded += t.Excluded
	sum.Unread += t.Unread
	sum.Bytes += t.Bytes
	for reason, n := range t.ByReason {
		sum.ByReason[reason] += n
	}
	for engine, n := range t.ByEngine {
		sum.ByEngine[engine] += n
	}
}

func (t *historyTotals) notes() []*penstock.Note {
	list := []*penstock.Note{{Code: "history", Message: fmt.Sprintf("%d commits were read; a file counts once for each of its versions", t.Commits)}}
	if t.Unread > 0 {
		list = append(list, &penstock.Note{
			Code: "history-unread", Incomplete: true,
			Message: fmt.Sprintf("%d more versions of files could not be read", t.Unread),
		})
	}
	return list
}

// fitsCommit reports whether a finding says one thing about its commit.
func fitsCommit(f *penstock.Finding) bool {
	c := f.Commit
	const most = 1000
	id, _, ok := cutCommit(f.Location.Path)
	return c != nil && ok && checkID(c.ID) && c.ID[:commitDigits] == id &&
		len(c.Author) <= most && len(c.Mail) <= most && len(c.Summary) <= most && len(c.Time) <= most
}

// ranks are the places of the commits in the order of history.
func (r *run) ranks() map[string]int {
	if !r.cfg.View.history() {
		return nil
	}
	ranks := make(map[string]int)
	for _, end := range r.histories {
		for i, id := range end.Order {
			ranks[id] = i
		}
	}
	return ranks
}

// joinHistory makes one finding of all that are the same flaw in a history, the
// worst first: it stands where the oldest commit has it.
func joinHistory(group []*penstock.Finding, ranks map[string]int) *penstock.Finding {
	first := group[0]
	present := false
	for _, f := range group {
		present = present || f.Commit.Present
	}
	slices.SortFunc(group, func(a, b *penstock.Finding) int {
		return cmp.Or(cmp.Compare(ranks[a.Commit.ID], ranks[b.Commit.ID]), a.Compare(b))
	})
	oldest := *group[0]
	var places []penstock.Location
	for _, f := range group {
		places = append(append(places, f.Location), f.Places...)
		if len(places) <= maxPlaces && f != group[0] {
			oldest.Features = append(slices.Clone(oldest.Features), f.Features...)
		}
		oldest.Fix = mergeFix(oldest.Fix, f.Fix)
	}
	places = slices.DeleteFunc(places, func(l penstock.Location) bool { return l == oldest.Location })
	if n := len(places) - maxPlaces; n > 0 {
		places = places[:maxPlaces]
		oldest.Notes = append(slices.Clone(oldest.Notes), fmt.Sprintf("%d more places are not listed", n))
	}
	slices.SortFunc(places, penstock.CompareLocations)
	oldest.Places = slices.Compact(places)
	oldest.Rule, oldest.Title, oldest.Message = first.Rule, first.Title, first.Message
	oldest.Severity, oldest.Confidence = first.Severity, first.Confidence
	commit := *oldest.Commit
	commit.Present = present
	oldest.Commit = &commit
	return &oldest
}
