// Package identity knows findings again: it joins those of one version of a tree
// with those of another, or with a baseline, and says for each pair why.
//
// Invariant: the result depends on the features and options alone, not on the
// order in which they come; each observation is in at most one pair; and a pair
// is Exact only if the flagged code, its scope, its class, the ends of its flow
// and, for a secret, its value are the same.
package identity

import (
	"cmp"
	"path"
	"slices"
	"strconv"

	"penstock"
)

// Observation is one place of one finding in one version of the tree.
type Observation struct {
	*penstock.Features
	// Finding is the caller's number of the finding that the place belongs to.
	Finding int
	// Group is Finding.Group: for a secret the hash of its value in full, which
	// no file keeps. Empty where it is not known.
	Group string
}

// Observe lists the places of findings. Observation.Finding is the index in the
// list. A finding that carries no features is left out.
func Observe(findings []*penstock.Finding) []Observation {
	var list []Observation
	for i, f := range findings {
		seen := make(map[place]bool, len(f.Features))
		for _, x := range f.Features {
			// Two rules that see one secret at one place are one observation.
			if k := (place{x.Path, x.Line, x.Class, x.Code}); !seen[k] {
				seen[k] = true
				list = append(list, Observation{Features: x, Finding: i, Group: f.Group})
			}
		}
	}
	return list
}

type place struct {
	path  string
	line  int
	class string
	code  penstock.Hash
}

// Options are what is known beside the features. The zero value is useful.
type Options struct {
	// Renames maps the path of an old file to that of the new one, where git
	// knows it: the two blobs are equal.
	Renames map[string]string
	// Classes maps an old class to the one it is called now, for rules that were
	// renamed.
	Classes map[string]string
}

// Pass is the stage of the matcher that made a pair.
type Pass uint8

const (
	PassUnset  Pass = iota
	PassSame        // same file, code, scope, surroundings and what encloses it
	PassPlace       // (a) same file and code
	PassMoved       // (b) same code in any file
	PassKey         // the same name or secret value, wherever it stands
	PassEdited      // (c) same file, similar code: never carries an exception
)

// String names the pass as the trail of a match shows it.
func (p Pass) String() string {
	return [...]string{"unset", "same", "place", "moved", "key", "edited"}[min(p, PassEdited)]
}

// Pair is an old and a new observation of one place, by their indices, with the
// trail: which pass joined them and on what evidence. Scores go from 0 to 1.
type Pair struct {
	Old, New int
	Pass     Pass
	// Context compares the lines around, Similar the flagged tokens.
	Context, Similar float64
	// Scope is true where both are enclosed by the same.
	Scope bool
	// Exact is true where an exception for the old one also holds for the new.
	Exact bool
}

// Skip is a group of look-alikes too large to be compared with one another.
// Those of its members that no other pass joined are unmatched.
type Skip struct {
	Pass       Pass
	Class      string
	Path       string // empty for any file
	Old, Fresh int
}

// Result is what Match found. Indices are those of its arguments.
type Result struct {
	Pairs   []Pair // ordered by New
	Gone    []int  // old ones without a partner, ascending
	Fresh   []int  // new ones without a partner, ascending
	Skipped []Skip
}

// The thresholds. Tuned on histories of juice-shop, wrongsecrets, NodeGoat, then
// feathers, sequelize, typeorm, dependency-track, traefik, and on synthetic
// refactorings; what other histories give stands in docs/measured.md.
const (
	placeFloor  = 0.20 // (a): context + scopePlace for equal scope
	scopePlace  = 0.5
	placeStrong = 0.75
	placeSure   = 1.25
	// Telling code that stands once in the file, before and after, and within so
	// many lines of where it is expected, needs no more evidence.
	nearPlace = 20
	// nearWeight prefers, of pairs with enough evidence, the one that lies near to
	// where it is expected: it decides among look-alikes and admits nobody.
	nearWeight = 0.25
	// orderWeight prefers, likewise, those that keep the order of the file, the more
	// of them there are; outerWeight those that are enclosed by the same lines.
	orderWeight = 0.5
	outerWeight = 1.0
	worthJoined = 1000 // what a pair counts in the order, in thousandths as a score
	movedFloor  = 0.45 // (b): context + scopeMoved + baseMoved for equal file name
	scopeMoved  = 0.3
	baseMoved   = 0.2
	movedStrong = 1.0
	exactMoved  = 0.4  // context alone, for an exception to follow into another file
	movedOnly   = 0.20 // for code that stands once in the tree, from a file that is gone
	// Code of fewer tokens tells little: "@GetMapping(" stands everywhere.
	poorTokens = 6
	poorMoved  = 0.25
	// What is left at the end within nearPlace needs no more evidence either, if it
	// says as much as "key: value".
	scantTokens = 3
	// So many codes that stand once in the tree and went to one file in their order
	// are a block that was moved.
	togetherLeast = 3
	// (c): each alone, and similarity + context + scopeEdited
	editedSimilar = 0.6
	editedContext = 0.4
	editedFloor   = 1.2
	scopeEdited   = 0.3
	renamedEdited = 0.5 // for the same shape of code at the expected line

	// bucketMost is the largest group in which each is compared with each.
	bucketMost = 400
)

// Match joins the observations of two versions. Each is used once. The cost is
// near-linear: only look-alikes in one file, or with the same code, are compared
// pair by pair, at most bucketMost x bucketMost at a time, and the order within a
// pair of files costs O(k log k) for k such comparisons.
func Match(old, fresh []Observation, opts Options) Result {
	m := &matcher{opts: opts, old: side(old), fresh: side(fresh), shifts: make(map[[2]string][]shift)}
	m.keys()
	m.successors()
	m.same()
	// Strong evidence first, so that a weak look-alike in the same file does not
	// take what has moved to another.
	m.run(PassPlace, placeSure, placeFloor)
	m.run(PassPlace, placeStrong, placeFloor)
	m.run(PassMoved, movedStrong, movedFloor)
	m.follow()
	m.run(PassPlace, placeFloor, placeFloor)
	m.run(PassMoved, movedFloor, movedFloor)
	m.follow()
	m.run(PassPlace, placeFloor, placeFloor)
	m.run(PassKey, 0, 0)
	m.run(PassEdited, editedFloor, editedFloor)
	return m.result()
}

// one is an observation with what the matcher keeps of it.
type one struct {
	*Observation
	index int    // in the caller's list
	rank  int    // in the matcher's list: rises with path and line
	home  string // its path in the new version, as far as the caller knows
	path  string // where it is looked for: home, or where its neighbours went
	class string
	// value and key are equal for the same secret and the same named flaw.
	value, key string
	taken      bool
}

// textless is true for a finding about a file as a whole.
func (o *one) textless() bool { return o.Code == 0 }

type matcher struct {
	opts       Options
	old, fresh []*one // by path, line
	pairs      []Pair
	joined     [][2]*one // pairs that anchor has not seen
	skipped    []Skip
	shifts     map[[2]string][]shift
	// lines counts the findings that a line encloses, of both sides.
	lines map[uint32]int
	// enclosed is true if the old side knows Features.Outer at all.
	enclosed bool
	// has are the paths that have observations, of both sides.
	oldHas, freshHas map[string]bool
}

// shift is how far a finding that was joined moved within its file.
type shift struct {
	line, by   int
	old, fresh int // ranks
}

func side(list []Observation) []*one {
	out := make([]*one, 0, len(list))
	for i := range list {
		o := &list[i]
		out = append(out, &one{Observation: o, index: i, home: o.Path, path: o.Path, class: o.Class})
	}
	slices.SortFunc(out, func(a, b *one) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Class, b.Class),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Ordinal, b.Ordinal), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Key, b.Key), cmp.Compare(a.index, b.index))
	})
	for i, o := range out {
		o.rank = i
	}
	return out
}

// keys fills what is compared but not stored as such.
func (m *matcher) keys() {
	for _, o := range m.old {
		o.home = cmp.Or(m.opts.Renames[o.Path], o.Path)
		o.path = o.home
		o.class = cmp.Or(m.opts.Classes[o.Class], o.Class)
	}
	m.oldHas, m.freshHas = make(map[string]bool), make(map[string]bool)
	for _, o := range m.old {
		m.oldHas[o.home] = true
	}
	for _, o := range m.fresh {
		m.freshHas[o.Path] = true
	}
	m.enclosed = slices.ContainsFunc(m.old, func(o *one) bool { return len(o.Outer) > 0 })
	m.lines = make(map[uint32]int)
	for _, list := range [][]*one{m.old, m.fresh} {
		for _, o := range list {
			for _, l := range o.Outer {
				m.lines[l]++
			}
		}
	}
	// A baseline knows the short hash of a value only; then that must do for both.
	full := true
	for _, list := range [][]*one{m.old, m.fresh} {
		for _, o := range list {
			full = full && (o.Value == 0 || o.Group != "")
		}
	}
	for _, list := range [][]*one{m.old, m.fresh} {
		for _, o := range list {
			switch {
			case o.Value != 0 && full:
				o.value, o.key = o.Group, o.Group
			case o.Value != 0:
				o.value = strconv.FormatUint(uint64(o.Value), 16)
				if !o.Value.Guessable() {
					o.key = o.value
				}
			case o.Key != 0:
				o.key = strconv.FormatUint(uint64(o.Key), 16)
			}
		}
	}
}

// bucket is what the members of a group have in common. Fields that a pass does
// not ask for are empty.
type bucket struct {
	class, path, value, key string
	code                    penstock.Hash
}

func (o *one) bucket(p Pass) (bucket, bool) {
	b := bucket{class: o.class, value: o.value}
	switch p {
	case PassPlace:
		b.path, b.code = o.path, o.Code
	case PassMoved:
		b.code = o.Code
		if o.textless() {
			b.path = path.Base(o.path) // nothing but the name to go by
		}
	case PassKey:
		b.key = o.key
		return b, o.key != ""
	case PassEdited:
		b.path = o.path
		return b, !o.textless()
	}
	return b, true
}

// group collects the members of each bucket that are still free, old and new, in
// the order in which the old ones stand.
func (m *matcher) group(p Pass) [][2][]*one {
	index := make(map[bucket]int)
	var groups [][2][]*one
	for _, o := range m.old {
		b, ok := o.bucket(p)
		if !ok || o.taken {
			continue
		}
		i, ok := index[b]
		if !ok {
			i = len(groups)
			index[b] = i
			groups = append(groups, [2][]*one{})
		}
		groups[i][0] = append(groups[i][0], o)
	}
	for _, o := range m.fresh {
		b, ok := o.bucket(p)
		if !ok || o.taken {
			continue
		}
		if i, ok := index[b]; ok {
			groups[i][1] = append(groups[i][1], o)
		}
	}
	return slices.DeleteFunc(groups, func(g [2][]*one) bool { return len(g[1]) == 0 })
}

// same joins what has not changed at all. Identical twins keep their order, but
// only if they are as many as before: else the passes below weigh them.
func (m *matcher) same() {
	type twin struct {
		before, after [penstock.MaxContext]uint32
		outer         [penstock.MaxOuter]uint32
		scope         uint32
	}
	twinOf := func(o *one) (t twin) {
		copy(t.before[:], o.Before)
		copy(t.after[:], o.After)
		if m.enclosed {
			copy(t.outer[:], o.Outer)
		}
		t.scope = o.Scope
		return t
	}
	for _, g := range m.group(PassPlace) {
		twins := make(map[twin][]*one)
		for _, o := range g[1] {
			t := twinOf(o)
			twins[t] = append(twins[t], o)
		}
		count := make(map[twin]int)
		for _, o := range g[0] {
			count[twinOf(o)]++
		}
		for _, o := range g[0] {
			t := twinOf(o)
			if list := twins[t]; len(list) > 0 && (count[t] == len(list) || count[t] < 0) {
				count[t] = -1
				twins[t] = list[1:]
				m.join(o, list[0], PassSame)
			}
		}
	}
	m.anchor()
}

// anchor notes how far the lines of each file moved, as the pairs made since the
// last call tell.
func (m *matcher) anchor() {
	touched := make(map[[2]string]bool)
	for _, j := range m.joined {
		k := [2]string{j[0].Path, j[1].Path}
		m.shifts[k] = append(m.shifts[k], shift{j[0].Line, j[1].Line - j[0].Line, j[0].rank, j[1].rank})
		touched[k] = true
	}
	m.joined = m.joined[:0]
	for k := range touched {
		slices.SortFunc(m.shifts[k], func(a, b shift) int {
			return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.by, b.by), cmp.Compare(a.old, b.old))
		})
	}
}

// follow looks for the rest of a file's findings where most of them went, if the
// file itself is gone.
func (m *matcher) follow() {
	const least = 2 // pairs; one alone may be chance
	ways := make(map[string]map[string]int)
	total := make(map[string]int)
	for k, list := range m.shifts {
		if m.freshHas[k[0]] || m.opts.Renames[k[0]] != "" {
			continue
		}
		if ways[k[0]] == nil {
			ways[k[0]] = make(map[string]int)
		}
		ways[k[0]][k[1]] += len(list)
		total[k[0]] += len(list)
	}
	for _, o := range m.old {
		for to, n := range ways[o.Path] {
			enough := n >= least || path.Base(to) == path.Base(o.Path)
			if enough && 2*n > total[o.Path] { // so there is but one
				o.path = to
			}
		}
	}
}

const other = 1 << 20 // the distance to another file is more than any line's

// distance is how far n stands from where o is expected, in lines.
func (m *matcher) distance(o, n *one) int {
	if o.path != n.path && path.Base(o.path) != path.Base(n.path) {
		return other
	}
	at := o.Line
	if list := m.shifts[[2]string{o.Path, n.Path}]; len(list) > 0 {
		i, _ := slices.BinarySearchFunc(list, o.Line, func(s shift, line int) int { return cmp.Compare(s.line, line) })
		if i == len(list) || i > 0 && o.Line-list[i-1].line <= list[i].line-o.Line {
			i--
		}
		at += list[i].by
	}
	d := at - n.Line
	return min(max(d, -d), other-1)
}

// candidate is a pair that a pass may make.
type candidate struct {
	old, fresh int // in the group
	score      int // thousandths
	distance   int
	// weak is one that a later pass may make: it counts in the order of the file.
	weak bool
	// only is true where no other observation has this code.
	only bool
}

// run makes the pairs of one pass. Least is the floor of the last run of this pass.
func (m *matcher) run(p Pass, floor, least float64) {
	groups := m.group(p)
	lists := make([][]candidate, len(groups))
	for k, g := range groups {
		if len(g[0]) > bucketMost || len(g[1]) > bucketMost {
			b, _ := g[0][0].bucket(p)
			m.skipped = append(m.skipped, Skip{Pass: p, Class: b.class, Path: b.path, Old: len(g[0]), Fresh: len(g[1])})
			continue
		}
		for i, o := range g[0] {
			for j, n := range g[1] {
				d := m.distance(o, n)
				s := score(p, o, n, d)
				only := len(g[0]) == 1 && len(g[1]) == 1
				weak := s < m.floor(p, floor, o, n, d, only)
				if weak && s < m.floor(p, least, o, n, d, only) && !(p == PassMoved && only && len(o.Tokens) >= poorTokens) {
					continue
				}
				s += nearWeight/(1+float64(d)/nearPlace) + outerWeight*m.outer(o.Outer, n.Outer)
				lists[k] = append(lists[k], candidate{i, j, int(s*1000 + 0.5), d, weak, only})
			}
		}
	}
	m.inOrder(groups, lists)
	for k, g := range groups {
		for _, c := range choose(lists[k], len(g[0]), len(g[1])) {
			// A weak one that is the best of its two is left to a later run.
			if !c.weak {
				m.join(g[0][c.old], g[1][c.fresh], p)
			}
		}
	}
	m.anchor()
}

// inOrder raises the candidates that keep the order of a file: of each pair of
// files the chain with the most evidence, together with the pairs made before.
//
// A pair alone in its files keeps any order, so it gains nothing.
func (m *matcher) inOrder(groups [][2][]*one, lists [][]candidate) {
	const worthOne = 1 << 21 // more than any distance
	type at struct {
		step
		c *candidate
	}
	files := make(map[[2]string][]at)
	for k, g := range groups {
		for i := range lists[k] {
			c := &lists[k][i]
			o, n := g[0][c.old], g[1][c.fresh]
			key := [2]string{o.Path, n.Path}
			files[key] = append(files[key], at{step{o.rank, n.rank, int64(c.score)*worthOne - int64(c.distance)}, c})
		}
	}
	var steps []step
	for key, list := range files {
		for _, s := range m.shifts[key] {
			list = append(list, at{step: step{s.old, s.fresh, worthJoined * worthOne}})
		}
		slices.SortFunc(list, func(a, b at) int { return a.step.compare(b.step) })
		steps = steps[:0]
		for _, a := range list {
			steps = append(steps, a.step)
		}
		chain := heaviest(steps)
		together := 0
		for _, i := range chain {
			if list[i].c != nil && list[i].c.only {
				together++
			}
		}
		bonus := int(1000 * orderWeight * (1 - 1/float64(len(chain))))
		for _, i := range chain {
			if list[i].c != nil {
				list[i].c.score += bonus
				if list[i].c.only && together >= togetherLeast {
					list[i].c.weak = false
				}
			}
		}
	}
}

// floor is the evidence that a pass asks of a pair.
func (m *matcher) floor(p Pass, floor float64, o, n *one, distance int, only bool) float64 {
	switch p {
	case PassPlace:
		if only && distance <= nearPlace && len(o.Tokens) >= poorTokens {
			return 0 // all around it was rewritten
		}
		if floor == placeFloor && distance <= nearPlace && len(o.Tokens) >= scantTokens {
			return 0 // likewise, and what else could be it has been joined by now
		}
	case PassMoved:
		if m.freshHas[o.path] && m.oldHas[n.path] {
			return max(floor, movedStrong) // between two files that were and are there
		}
		if only && !m.freshHas[o.path] {
			return min(floor, movedOnly)
		}
		if len(o.Tokens) < poorTokens {
			return floor + poorMoved
		}
	}
	return floor
}

// score is the evidence of a pass that o and n are the same, -1 for none.
func score(p Pass, o, n *one, distance int) float64 {
	ctx := context(o.Features, n.Features)
	scope := b2f(o.Scope == n.Scope)
	switch p {
	case PassPlace:
		return ctx + scopePlace*scope
	case PassMoved:
		return ctx + scopeMoved*scope + baseMoved*b2f(path.Base(o.path) == path.Base(n.path))
	case PassKey:
		return ctx + scopePlace*scope + b2f(o.path == n.path) + b2f(o.Code == n.Code)
	case PassEdited:
		sim := jaccard(o.Tokens, n.Tokens)
		// The same shape of code just where it is expected: names were changed.
		renamed := b2f(distance == 0 && o.Abstract == n.Abstract)
		if sim < editedSimilar || ctx < editedContext && renamed == 0 {
			return -1
		}
		return sim + ctx + scopeEdited*scope + renamedEdited*renamed
	}
	return -1
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// join makes a pair.
func (m *matcher) join(o, n *one, p Pass) {
	o.taken, n.taken = true, true
	if p <= PassPlace && o.home != n.path {
		p = PassMoved // the file is another, though it was expected there
	}
	pair := Pair{Old: o.index, New: n.index, Pass: p, Context: context(o.Features, n.Features), Similar: jaccard(o.Tokens, n.Tokens), Scope: o.Scope == n.Scope}
	// An exception leaves its file only together with the lines around it: a line
	// that stands in many files must not take it from one to another.
	settled := o.home == n.path || pair.Context >= exactMoved
	pair.Exact = p != PassEdited && settled && o.class == n.class && o.Code == n.Code && pair.Scope && o.Flow == n.Flow && o.Value == n.Value && o.Key == n.Key &&
		!o.Partial && !n.Partial && (!o.textless() || o.Key != 0 || o.home == n.path)
	m.pairs = append(m.pairs, pair)
	m.joined = append(m.joined, [2]*one{o, n})
}

// context is the mean of both sides' likeness. A side that is empty in both, at
// the edge of a file, says nothing; if both are, so do they.
func context(a, b *penstock.Features) float64 {
	sum, sides := 0.0, 0
	for _, s := range [2][2][]uint32{{a.Before, b.Before}, {a.After, b.After}} {
		if len(s[0])+len(s[1]) > 0 {
			sum += likeness(s[0], s[1])
			sides++
		}
	}
	if sides == 0 {
		return 0.5
	}
	return sum / float64(sides)
}

// likeness is the multiset Jaccard of two short lists in any order.
func likeness(a, b []uint32) float64 {
	var used [penstock.MaxContext]bool
	both := 0
	for _, x := range a {
		for j, y := range b {
			if j < len(used) && !used[j] && x == y {
				used[j] = true
				both++
				break
			}
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// outer is the likeness of what encloses two findings. A line that encloses few
// tells more than one that stands everywhere.
func (m *matcher) outer(a, b []uint32) float64 {
	both, all := 0.0, 0.0
	var used [penstock.MaxOuter]bool
	for _, x := range a {
		w := m.weight(x)
		all += w
		for j, y := range b {
			if j < len(used) && !used[j] && x == y {
				used[j] = true
				both += w
				all -= w // counted again below
				break
			}
		}
	}
	for _, y := range b {
		all += m.weight(y)
	}
	if all == 0 {
		return 0
	}
	return both / all
}

func (m *matcher) weight(l uint32) float64 { return 1 / float64(m.lines[l]) }

// jaccard is the multiset Jaccard of two sorted lists.
func jaccard(a, b []uint32) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// result puts the pairs in order and lists what is left.
func (m *matcher) result() Result {
	r := Result{Pairs: m.pairs, Skipped: m.skipped}
	slices.SortFunc(r.Pairs, func(a, b Pair) int { return cmp.Compare(a.New, b.New) })
	for _, o := range m.old {
		if !o.taken {
			r.Gone = append(r.Gone, o.index)
		}
	}
	for _, o := range m.fresh {
		if !o.taken {
			r.Fresh = append(r.Fresh, o.index)
		}
	}
	slices.Sort(r.Gone)
	slices.Sort(r.Fresh)
	return r
}
