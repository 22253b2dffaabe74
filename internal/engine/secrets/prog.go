package secrets

import (
	"cmp"
	"regexp/syntax"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// prog is a regular expression of RE2 syntax, compiled for the two machines of
// this package: a lazy DFA that answers whether there is a match, and a
// backtracker with a memo that says where it is. Both take time linear in the
// text. They exist beside the standard library's because a rule is tried at many
// places of one file: that needs a search that starts at an offset and still
// sees what stands before it (\b, ^), and a filter of a few nanoseconds a byte.
// The results are those of the standard library's leftmost-first search, which
// the tests compare.
type prog struct {
	inst  []inst
	sets  []runeSet
	start uint32
	ncap  int // capture slots, two a group, group 0 included
	joins int // instructions with a memo number

	// The alphabet of the DFA: runes that no instruction tells apart share a
	// class.
	ascii  [utf8.RuneSelf]uint8
	wide   []rune // lower bounds of the intervals from U+0080 on
	class0 int    // class of wide[0]
	rep    []rune // one rune of each class
	// empties says that some instruction looks at the text around it.
	empties bool

	exists    dfaOnce // unanchored
	anchored  dfaOnce
	firstOnce sync.Once
	firstSet  [4]uint64 // bytes that can start a match, if firstKnown
	firstAny  bool      // a match may be empty or start anywhere
}

type opcode uint8

const (
	opAlt opcode = iota
	opCapture
	opEmpty
	opMatch
	opFail
	opNop
	opRune
)

type inst struct {
	op   opcode
	memo int32 // the number of a place where ways join, else -1
	out  uint32
	// arg is the other way of an opAlt, the slot of an opCapture, the assertion of
	// an opEmpty, the set of an opRune.
	arg uint32
}

// runeSet is what an opRune takes.
type runeSet struct {
	lo, hi uint64 // ASCII
	wide   wideness
	pairs  []rune // of wideAsk: ranges, sorted
}

// wideness says which runes from U+0080 on an opRune takes.
type wideness uint8

const (
	wideNone wideness = iota
	wideAll
	wideAsk
)

func (s *runeSet) takes(r rune) bool {
	switch {
	case r < 64:
		return s.lo>>uint(r)&1 != 0
	case r < utf8.RuneSelf:
		return s.hi>>uint(r-64)&1 != 0
	case s.wide == wideAsk:
		for i := 0; i+1 < len(s.pairs) && s.pairs[i] <= r; i += 2 {
			if r <= s.pairs[i+1] {
				return true
			}
		}
		return false
	}
	return s.wide == wideAll
}

// addASCII adds the ASCII part of a range.
func (s *runeSet) addASCII(lo, hi rune) {
	from := func(r rune) uint64 { return ^uint64(0) << uint(r) } // 0 from 64 on
	if lo < 64 {
		s.lo |= from(lo) &^ from(hi+1)
	}
	if hi >= 64 && lo < utf8.RuneSelf {
		s.hi |= from(max(lo, 64)-64) &^ from(hi-63)
	}
}

// compile makes a program of a parsed expression, which it may change.
func compile(re *syntax.Regexp) (*prog, error) {
	// Simplifying drops groups that never match, as in (a){0}; rules count them.
	ncap := 2 * (re.MaxCap() + 1)
	src, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	p := &prog{inst: make([]inst, len(src.Inst)), start: uint32(src.Start), ncap: max(ncap, src.NumCap)}
	var bounds []rune
	for i := range src.Inst {
		s := &src.Inst[i]
		in := &p.inst[i]
		in.out, in.arg = s.Out, s.Arg
		switch s.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			in.op = opAlt
		case syntax.InstCapture:
			in.op = opCapture
		case syntax.InstEmptyWidth:
			in.op = opEmpty
			p.empties = true
		case syntax.InstMatch:
			in.op = opMatch
		case syntax.InstFail:
			in.op = opFail
		case syntax.InstNop:
			in.op = opNop
		default:
			in.op = opRune
			var set runeSet
			set, bounds = newRuneSet(s, bounds)
			in.arg = p.intern(set)
		}
	}
	p.setClasses(bounds)
	p.setJoins()
	return p, nil
}

// setJoins numbers the instructions that more than one other leads to: only
// there can a search come twice to the same place at the same position.
func (p *prog) setJoins() {
	in := make([]uint8, len(p.inst))
	count := func(pc uint32) {
		if in[pc] < 2 {
			in[pc]++
		}
	}
	count(p.start)
	for i := range p.inst {
		switch s := &p.inst[i]; s.op {
		case opAlt:
			count(s.out)
			count(s.arg)
		case opCapture, opNop, opEmpty, opRune:
			count(s.out)
		}
	}
	for i := range p.inst {
		p.inst[i].memo = -1
		if in[i] > 1 {
			p.inst[i].memo = int32(p.joins)
			p.joins++
		}
	}
}

// intern finds or adds a set.
func (p *prog) intern(set runeSet) uint32 {
	for i := range p.sets {
		o := &p.sets[i]
		if o.lo == set.lo && o.hi == set.hi && o.wide == set.wide && slices.Equal(o.pairs, set.pairs) {
			return uint32(i)
		}
	}
	p.sets = append(p.sets, set)
	return uint32(len(p.sets) - 1)
}

// newRuneSet makes the set of an instruction, and appends the runes from U+0080
// on at which its answer changes.
func newRuneSet(s *syntax.Inst, bounds []rune) (runeSet, []rune) {
	var set runeSet
	switch s.Op {
	case syntax.InstRuneAny:
		return runeSet{lo: ^uint64(0), hi: ^uint64(0), wide: wideAll}, bounds
	case syntax.InstRuneAnyNotNL:
		return runeSet{lo: ^uint64(0) &^ (1 << '\n'), hi: ^uint64(0), wide: wideAll}, bounds
	}
	pairs := s.Rune
	if len(s.Rune) == 1 {
		r0 := s.Rune[0]
		runes := []rune{r0}
		if syntax.Flags(s.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(r0); r != r0; r = unicode.SimpleFold(r) {
				runes = append(runes, r)
			}
		}
		slices.Sort(runes)
		pairs = nil
		for _, r := range runes {
			pairs = append(pairs, r, r)
		}
	}
	for j := 0; j+1 < len(pairs); j += 2 {
		lo, hi := pairs[j], pairs[j+1]
		set.addASCII(lo, hi)
		if hi < utf8.RuneSelf {
			continue
		}
		if lo <= utf8.RuneSelf && hi == unicode.MaxRune {
			set.wide, set.pairs = wideAll, nil
			return set, bounds // the ranges are sorted: none follows
		}
		lo = max(lo, utf8.RuneSelf)
		set.wide = wideAsk
		set.pairs = append(set.pairs, lo, hi)
		bounds = append(bounds, lo, hi+1)
	}
	return set, bounds
}

// setClasses parts the runes into classes.
func (p *prog) setClasses(bounds []rune) {
	type set struct{ lo, hi uint64 }
	sets := map[set]bool{}
	for i := range p.sets {
		sets[set{p.sets[i].lo, p.sets[i].hi}] = true
	}
	if p.empties {
		var word, nl set
		for r := rune(0); r < utf8.RuneSelf; r++ {
			if !isWord(r) {
				continue
			}
			if r < 64 {
				word.lo |= 1 << uint(r)
			} else {
				word.hi |= 1 << uint(r-64)
			}
		}
		nl.lo = 1 << '\n'
		sets[word], sets[nl] = true, true
	}
	list := make([]set, 0, len(sets))
	for s := range sets {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b set) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi)) })
	n := 1
	for _, s := range list {
		// Split each class into the runes within s and those without.
		var moved [utf8.RuneSelf + 1]uint8 // 0: not yet
		var within, without [utf8.RuneSelf + 1]bool
		has := func(r rune) bool {
			if r < 64 {
				return s.lo>>uint(r)&1 != 0
			}
			return s.hi>>uint(r-64)&1 != 0
		}
		for r := rune(0); r < utf8.RuneSelf; r++ {
			if has(r) {
				within[p.ascii[r]] = true
			} else {
				without[p.ascii[r]] = true
			}
		}
		for r := rune(0); r < utf8.RuneSelf; r++ {
			c := p.ascii[r]
			if !within[c] || !without[c] || !has(r) {
				continue
			}
			if moved[c] == 0 {
				moved[c] = uint8(n)
				n++
			}
			p.ascii[r] = moved[c]
		}
	}
	p.class0 = n
	p.wide = append(p.wide, utf8.RuneSelf)
	slices.Sort(bounds)
	for _, b := range slices.Compact(bounds) {
		if b > utf8.RuneSelf && b <= unicode.MaxRune {
			p.wide = append(p.wide, b)
		}
	}
	p.rep = make([]rune, n+len(p.wide))
	for r := rune(utf8.RuneSelf - 1); r >= 0; r-- {
		p.rep[p.ascii[r]] = r
	}
	copy(p.rep[n:], p.wide)
}

// classOf is the class of a rune from U+0080 on.
func (p *prog) classOf(r rune) int {
	if len(p.wide) == 1 {
		return p.class0
	}
	i, ok := slices.BinarySearch(p.wide, r)
	if !ok {
		i--
	}
	return p.class0 + i
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

// neighbour classes what stands before a position, as far as ^, $ and \b care.
type neighbour uint8

const (
	contextBegin neighbour = iota // the beginning of the text
	contextLine                   // after a newline
	contextWord                   // after a word character
	contextOther
)

func contextOf(r rune) neighbour {
	switch {
	case r == '\n':
		return contextLine
	case isWord(r):
		return contextWord
	}
	return contextOther
}

// contextAt is the context before b[pos]. Only ASCII matters.
func contextAt(b []byte, pos int) neighbour {
	if pos <= 0 {
		return contextBegin
	}
	return contextOf(rune(b[pos-1]))
}

// endRune stands for the end of the text.
const endRune = -1

// holds says which empty-width assertions are true between a neighbour and the
// rune after it.
func holds(before neighbour, after rune) syntax.EmptyOp {
	var op syntax.EmptyOp
	switch before {
	case contextBegin:
		op |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	case contextLine:
		op |= syntax.EmptyBeginLine
	}
	switch after {
	case endRune:
		op |= syntax.EmptyEndText | syntax.EmptyEndLine
	case '\n':
		op |= syntax.EmptyEndLine
	}
	if (before == contextWord) != (after >= 0 && isWord(after)) {
		op |= syntax.EmptyWordBoundary
	} else {
		op |= syntax.EmptyNoWordBoundary
	}
	return op
}

// first computes which bytes can start a match.
func (p *prog) first() (set *[4]uint64, anything bool) {
	p.firstOnce.Do(func() {
		seen := make([]bool, len(p.inst))
		stack := []uint32{p.start}
		for len(stack) > 0 {
			pc := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[pc] {
				continue
			}
			seen[pc] = true
			switch in := &p.inst[pc]; in.op {
			case opAlt:
				stack = append(stack, in.out, in.arg)
			case opCapture, opNop, opEmpty:
				stack = append(stack, in.out)
			case opMatch:
				p.firstAny = true
			case opRune:
				set := &p.sets[in.arg]
				p.firstSet[0] |= set.lo
				p.firstSet[1] |= set.hi
				if set.wide != wideNone {
					p.firstSet[2], p.firstSet[3] = ^uint64(0), ^uint64(0)
				}
			}
		}
	})
	return &p.firstSet, p.firstAny
}

// runeAt decodes the rune at b[pos], or endRune.
func runeAt(b []byte, pos int) (rune, int) {
	if pos >= len(b) {
		return endRune, 0
	}
	if c := b[pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(b[pos:])
}
