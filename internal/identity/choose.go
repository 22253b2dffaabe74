package identity

import (
	"cmp"
	"slices"
)

// choose picks candidates one-to-one: the best score first. Of equal scores those
// that together keep the order of the old ones, as many as can be (a longest
// increasing subsequence), and of several such sets the one that lies nearest to
// where its members are expected; then the rest by distance. Its cost is
// O(k log k) for k candidates. The list is sorted in place.
func choose(list []candidate, olds, freshs int) []candidate {
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.old, b.old), -cmp.Compare(a.fresh, b.fresh))
	})
	oldUsed, freshUsed := make([]bool, olds), make([]bool, freshs)
	var chosen []candidate
	take := func(c candidate) {
		if !oldUsed[c.old] && !freshUsed[c.fresh] {
			oldUsed[c.old], freshUsed[c.fresh] = true, true
			chosen = append(chosen, c)
		}
	}
	var tied []candidate
	var steps []step
	for start := 0; start < len(list); {
		end := start
		tied = tied[:0]
		for ; end < len(list) && list[end].score == list[start].score; end++ {
			if c := list[end]; !oldUsed[c.old] && !freshUsed[c.fresh] {
				tied = append(tied, c)
			}
		}
		start = end
		steps = steps[:0]
		for _, c := range tied {
			const link = 1 << 40 // one more link outweighs any distance
			steps = append(steps, step{c.old, c.fresh, link - int64(c.distance)})
		}
		for _, i := range heaviest(steps) {
			take(tied[i])
		}
		slices.SortStableFunc(tied, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.old, b.old), cmp.Compare(a.fresh, b.fresh))
		})
		for _, c := range tied {
			take(c)
		}
	}
	return chosen
}

// step is a pair that may be a link of a chain, and what it is worth there.
type step struct {
	old, fresh int
	worth      int64
}

// compare puts steps in the order that heaviest asks for.
func (s step) compare(t step) int {
	return cmp.Or(cmp.Compare(s.old, t.old), -cmp.Compare(s.fresh, t.fresh))
}

// heaviest returns the chain of steps, by index, in which old and fresh both rise
// and that is worth most. The steps come with old rising and, for one old, fresh
// falling, so that a chain takes at most one of each old.
func heaviest(steps []step) []int {
	if len(steps) < 2 {
		return make([]int, len(steps))
	}
	freshs := make([]int, len(steps))
	for i, s := range steps {
		freshs[i] = s.fresh
	}
	slices.Sort(freshs)
	freshs = slices.Compact(freshs)
	type best struct {
		worth int64
		last  int // index of a step, -1 for none
	}
	// tree is a Fenwick tree of prefix maxima over fresh.
	tree := make([]best, len(freshs)+1)
	for i := range tree {
		tree[i].last = -1
	}
	before := make([]int, len(steps))
	top := best{last: -1}
	for i, s := range steps {
		at, _ := slices.BinarySearch(freshs, s.fresh)
		b := best{last: -1}
		for k := at; k > 0; k -= k & -k {
			if tree[k].worth > b.worth {
				b = tree[k]
			}
		}
		before[i] = b.last
		b = best{b.worth + s.worth, i}
		for k := at + 1; k < len(tree); k += k & -k {
			if b.worth > tree[k].worth {
				tree[k] = b
			}
		}
		if b.worth > top.worth {
			top = b
		}
	}
	var chain []int
	for i := top.last; i >= 0; i = before[i] {
		chain = append(chain, i)
	}
	slices.Reverse(chain)
	return chain
}
