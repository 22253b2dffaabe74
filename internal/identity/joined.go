package identity

import "slices"

// Joined says which old finding a new one is.
type Joined struct {
	// Old and New are Observation.Finding of both sides.
	Old, New int
	// Exact is true where every place of the new finding is that of an exact pair:
	// an accepted secret that turns up in one more file is not accepted there.
	Exact bool
	// Added are the places of the new finding that the old one did not have, as
	// indices of the new observations, ascending.
	Added []int
}

// Findings folds a result over places into one over findings, ordered by New. A
// new finding that is missing is new. Where its places come from several old
// findings, it is the one that most of them come from, of equals the first.
func (r Result) Findings(old, fresh []Observation) []Joined {
	votes := make(map[int]map[int]int)
	for _, p := range r.Pairs {
		n := fresh[p.New].Finding
		if votes[n] == nil {
			votes[n] = make(map[int]int)
		}
		votes[n][old[p.Old].Finding]++
	}
	list := make([]Joined, 0, len(votes))
	at := make(map[int]int, len(votes))
	for n, by := range votes {
		best := -1
		for o, count := range by {
			if best < 0 || count > by[best] || count == by[best] && o < best {
				best = o
			}
		}
		list = append(list, Joined{Old: best, New: n, Exact: true})
	}
	slices.SortFunc(list, func(a, b Joined) int { return a.New - b.New })
	for i, j := range list {
		at[j.New] = i
	}
	for _, p := range r.Pairs {
		j := &list[at[fresh[p.New].Finding]]
		j.Exact = j.Exact && p.Exact && old[p.Old].Finding == j.Old
	}
	for _, i := range r.Fresh {
		if k, ok := at[fresh[i].Finding]; ok {
			list[k].Exact = false
			list[k].Added = append(list[k].Added, i)
		}
	}
	return list
}
