package secrets

import (
	"regexp/syntax"
	"unicode/utf8"
)

// maxPages bounds the memo of one search in words of 8 bytes: 8 MB.
const maxPages = 1 << 20

// keepWords is how much of it is kept for the next search.
const keepWords = 1 << 16

// tracer finds where a match starts and ends and what its groups hold, by
// backtracking with a memo of (instruction, position) pairs that failed. The
// memo grows in pages of 64 positions, so that a short match in a long file costs
// little. A tracer serves one goroutine.
type tracer struct {
	pages [][]uint64
	dirty []int
	free  []uint64
	words int
	jobs  []job
	caps  []int
	best  []int
	// steps counts what was tried, for budgets.
	steps int64
	// full is set when the memo ran out of room: the answer is then unknown.
	full bool
}

type job struct {
	pc  uint32
	arg bool
	pos int
}

// find searches for the leftmost match that starts in [from, last], with the
// priorities of a leftmost-first search. groups, if not nil, is filled with the
// captures. ok is false, too, when the memo ran out (t.full).
func (t *tracer) find(p *prog, b []byte, from, last int, groups []int) (start, end int, ok bool) {
	t.full = false
	t.reset(p)
	first, anything := p.first()
	base := from
	for pos := from; pos <= last && pos <= len(b); {
		if !anything {
			if pos == len(b) {
				break
			}
			if c := b[pos]; first[c>>6]>>(c&63)&1 == 0 {
				pos++
				continue
			}
		}
		if pos > from && pos < len(b) && b[pos]&0xC0 == 0x80 && inRune(b, pos) {
			pos++
			continue
		}
		if end, ok := t.try(p, b, base, pos); ok {
			if groups != nil {
				copy(groups, t.best)
			}
			return pos, end, true
		}
		if t.full {
			return 0, 0, false
		}
		pos++
	}
	return 0, 0, false
}

// inRune reports whether b[pos], a continuation byte, belongs to a rune that
// starts before it.
func inRune(b []byte, pos int) bool {
	for i := pos - 1; i >= 0 && i >= pos-3; i-- {
		if b[i]&0xC0 != 0x80 {
			_, w := utf8.DecodeRune(b[i:])
			return i+w > pos
		}
	}
	return false
}

// reset forgets the memo.
func (t *tracer) reset(p *prog) {
	for _, i := range t.dirty {
		t.pages[i] = nil
	}
	t.dirty = t.dirty[:0]
	t.words = 0
	if len(t.free) > keepWords {
		t.free = nil
	}
	if cap(t.caps) < p.ncap {
		t.caps = make([]int, p.ncap)
		t.best = make([]int, p.ncap)
	}
	t.caps, t.best = t.caps[:p.ncap], t.best[:p.ncap]
}

// page makes a page of n cleared words.
func (t *tracer) page(n int) []uint64 {
	if t.words+n > len(t.free) {
		if t.words+n > maxPages {
			return nil
		}
		// A new block; pages already handed out keep the old one alive.
		t.free = make([]uint64, min(max(4*n, 2*len(t.free), 1<<12), maxPages))
		t.words = 0
		if n > len(t.free) {
			return nil
		}
	}
	pg := t.free[t.words : t.words+n : t.words+n]
	t.words += n
	clear(pg)
	return pg
}

// visit marks the join memo of n at pos and reports whether that is new.
func (t *tracer) visit(n, base, memo, pos int) bool {
	i := (pos - base) >> 6
	if i >= len(t.pages) {
		t.pages = append(t.pages, make([][]uint64, i+1-len(t.pages))...)
	}
	pg := t.pages[i]
	if pg == nil {
		if pg = t.page(n); pg == nil {
			t.full = true
			return false
		}
		t.pages[i] = pg
		t.dirty = append(t.dirty, i)
	}
	bit := uint64(1) << (uint(pos-base) & 63)
	if pg[memo]&bit != 0 {
		return false
	}
	pg[memo] |= bit
	return true
}

// try matches at start. The memo is shared by all starts of one search: what
// failed from one start fails from every other.
func (t *tracer) try(p *prog, b []byte, base, start int) (end int, ok bool) {
	for i := range t.caps {
		t.caps[i] = -1
	}
	t.jobs = append(t.jobs[:0], job{p.start, false, start})
	n := p.joins
	for len(t.jobs) > 0 {
		j := t.jobs[len(t.jobs)-1]
		t.jobs = t.jobs[:len(t.jobs)-1]
		pc, pos := j.pc, j.pos
		if j.arg {
			// The way back over a capture: restore the slot.
			t.caps[p.inst[pc].arg] = pos
			continue
		}
	run:
		for {
			in := &p.inst[pc]
			t.steps++
			if in.memo >= 0 && !t.visit(n, base, int(in.memo), pos) {
				if t.full {
					return 0, false
				}
				break run
			}
			switch in.op {
			case opRune:
				if pos >= len(b) {
					break run
				}
				c := b[pos]
				set := &p.sets[in.arg]
				if c < utf8.RuneSelf {
					if c < 64 {
						if set.lo>>c&1 == 0 {
							break run
						}
					} else if set.hi>>(c-64)&1 == 0 {
						break run
					}
					pos++
				} else {
					r, w := utf8.DecodeRune(b[pos:])
					if !set.takes(r) {
						break run
					}
					pos += w
				}
				pc = in.out
			case opAlt:
				t.jobs = append(t.jobs, job{in.arg, false, pos})
				pc = in.out
			case opCapture:
				if int(in.arg) < len(t.caps) {
					t.jobs = append(t.jobs, job{pc, true, t.caps[in.arg]})
					t.caps[in.arg] = pos
				}
				pc = in.out
			case opNop:
				pc = in.out
			case opEmpty:
				r, _ := runeAt(b, pos)
				if syntax.EmptyOp(in.arg)&^holds(contextAt(b, pos), r) != 0 {
					break run
				}
				pc = in.out
			case opMatch:
				if len(t.caps) > 1 {
					t.caps[0], t.caps[1] = start, pos
				}
				copy(t.best, t.caps)
				return pos, true
			default:
				break run
			}
		}
	}
	return 0, false
}
