package identity

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// The thresholds of successors, tuned as those of the passes.
const (
	successorFloor = 0.4 // likeness and nameWeight, of at most 1.25
	// nameWeight is what a like path adds. It decides between copies of one file.
	nameWeight = 0.25
)

// successors looks for old files that are gone among those that are new, as git
// does for renames: by what stands in both. Their findings are then looked for
// there first. The likeness of two files is the share of findings with equal code
// in like surroundings; each file is used once, the most alike first. A way found
// here is an expectation: the passes still ask for evidence of each pair, and an
// exception follows under the same rule as into any other file.
func (m *matcher) successors() {
	gone, came := make(map[string]int), make(map[string]int) // findings of each
	for _, o := range m.old {
		if !m.freshHas[o.path] {
			gone[o.path]++
		}
	}
	for _, n := range m.fresh {
		if !m.oldHas[n.path] {
			came[n.path]++
		}
	}
	if len(gone) == 0 || len(came) == 0 {
		return
	}
	type pair struct{ from, to string }
	alike := make(map[pair]float64)
	for _, g := range m.group(PassMoved) {
		olds := slices.DeleteFunc(g[0], func(o *one) bool { return gone[o.path] == 0 })
		freshs := slices.DeleteFunc(g[1], func(n *one) bool { return came[n.path] == 0 })
		if len(olds) == 0 || len(freshs) == 0 || len(olds) > bucketMost || len(freshs) > bucketMost {
			continue
		}
		// Both stand in the order of their files, so those of one file are together.
		for i := 0; i < len(olds); {
			from := olds[i].path
			iEnd := i
			for iEnd < len(olds) && olds[iEnd].path == from {
				iEnd++
			}
			for j := 0; j < len(freshs); {
				to := freshs[j].path
				jEnd := j
				for jEnd < len(freshs) && freshs[jEnd].path == to {
					jEnd++
				}
				sum := 0.0
				for _, o := range olds[i:iEnd] {
					best := 0.0
					for _, n := range freshs[j:jEnd] {
						best = max(best, 0.5+0.5*context(o.Features, n.Features))
					}
					sum += best
				}
				// No more can be the same than there are on the smaller side.
				alike[pair{from, to}] += min(sum, float64(jEnd-j))
				j = jEnd
			}
			i = iEnd
		}
	}
	type way struct {
		pair
		score float64
	}
	var ways []way
	for p, sum := range alike {
		s := sum/float64(max(gone[p.from], came[p.to])) + nameWeight*likePath(p.from, p.to)
		if s >= successorFloor {
			ways = append(ways, way{p, s})
		}
	}
	slices.SortFunc(ways, func(a, b way) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	next, used := make(map[string]string), make(map[string]bool)
	for _, w := range ways {
		if next[w.from] == "" && !used[w.to] {
			next[w.from], used[w.to] = w.to, true
		}
	}
	for _, o := range m.old {
		if to := next[o.path]; to != "" {
			o.path = to
		}
	}
}

// likePath compares two paths, from 0 to 1: half by their last parts, half by the
// folders that they share.
func likePath(a, b string) float64 {
	a, b = strings.ToLower(a), strings.ToLower(b)
	name := 0.0
	switch x, y := path.Base(a), path.Base(b); {
	case x == y:
		name = 1
	case stem(x) == stem(y):
		name = 0.8
	}
	x, y := strings.Split(path.Dir(a), "/"), strings.Split(path.Dir(b), "/")
	both, free := 0, slices.Clone(y)
	for _, part := range x {
		if i := slices.Index(free, part); i >= 0 {
			free[i] = "\x00"
			both++
		}
	}
	return 0.5*name + 0.5*float64(both)/float64(len(x)+len(y)-both)
}

// stem is a file's name up to its first point.
func stem(name string) string {
	s, _, _ := strings.Cut(strings.TrimLeft(name, "."), ".")
	return s
}
