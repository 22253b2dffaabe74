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
	for start := 0; start < len(list); {
		end := start
		tied = tied[:0]
		for ; end < len(list) && list[end].score == list[start].score; end++ {
			if c := list[end]; !oldUsed[c.old] && !freshUsed[c.fresh] {
				tied = append(tied, c)
			}
		}
		start = end
		for _, c := range inOrder(tied, freshs) {
			take(c)
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

// inOrder returns the longest chain of candidates in which old and fresh both
// rise, of several the one with the least total distance. The candidates come
// with old rising and, for one old, fresh falling, so that a chain takes at most
// one of each old.
func inOrder(tied []candidate, freshs int) []candidate {
	if len(tied) < 2 {
		return tied
	}
	const link = 1 << 40 // one more link outweighs any distance
	type best struct {
		worth int64
		last  int // index in tied, -1 for none
	}
	// tree is a Fenwick tree of prefix maxima over fresh.
	tree := make([]best, freshs+1)
	for i := range tree {
		tree[i].last = -1
	}
	before := make([]int, len(tied))
	top := best{last: -1}
	for i, c := range tied {
		b := best{last: -1}
		for k := c.fresh; k > 0; k -= k & -k {
			if tree[k].worth > b.worth {
				b = tree[k]
			}
		}
		before[i] = b.last
		b = best{b.worth + link - int64(c.distance), i}
		for k := c.fresh + 1; k <= freshs; k += k & -k {
			if b.worth > tree[k].worth {
				tree[k] = b
			}
		}
		if b.worth > top.worth {
			top = b
		}
	}
	var chain []candidate
	for i := top.last; i >= 0; i = before[i] {
		chain = append(chain, tied[i])
	}
	slices.Reverse(chain)
	return chain
}
