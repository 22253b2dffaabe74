package secrets

import (
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

const (
	// maxStates bounds the states that one DFA keeps; beyond it the table is
	// dropped and built anew.
	maxStates = 4096
	// maxFlushes is how often that may happen before the DFA counts as useless
	// for its expression and answers "maybe" for ever after.
	maxFlushes = 32
)

// dfa answers whether an expression matches, with states that are made when they
// are first reached. It may be used concurrently.
type dfa struct {
	p *prog
	// search adds the start of the expression at every position.
	search bool
	start  [4]atomic.Pointer[dstate]

	mu      sync.Mutex
	states  map[uint64]*dstate // by hash; collisions are chained
	count   int
	flushes int
	useless atomic.Bool
	// Scratch of step, under mu.
	from, to sparse
	stack    []uint32
}

// dstate is a set of instructions that wait for the next rune, with what stood
// before where some of them care.
type dstate struct {
	next []atomic.Pointer[dstate]
	pcs  []uint32
	kind stateKind
	prev neighbour
	// idle marks the state of a search that holds no begun match.
	idle bool
	more *dstate       // another state of the same hash
	end  atomic.Uint32 // at the end of the text: 0 unknown, 1 no, 2 match
}

type stateKind uint8

const (
	stateOpen stateKind = iota
	stateMatch
	stateDead
	stateLost // the DFA gave up
)

var (
	matchState = &dstate{kind: stateMatch}
	deadState  = &dstate{kind: stateDead}
	lostState  = &dstate{kind: stateLost}
)

type dfaOnce struct {
	once sync.Once
	d    *dfa
}

func (o *dfaOnce) get(p *prog, search bool) *dfa {
	o.once.Do(func() {
		o.d = &dfa{p: p, search: search, states: map[uint64]*dstate{}}
		o.d.from.init(len(p.inst))
		o.d.to.init(len(p.inst))
	})
	return o.d
}

// sparse is a set of small integers that is cleared in constant time.
type sparse struct {
	dense []uint32
	at    []uint32
}

func (s *sparse) init(n int) { s.at = make([]uint32, n); s.dense = make([]uint32, 0, n) }
func (s *sparse) has(v uint32) bool {
	i := s.at[v]
	return i < uint32(len(s.dense)) && s.dense[i] == v
}
func (s *sparse) add(v uint32) {
	s.at[v] = uint32(len(s.dense))
	s.dense = append(s.dense, v)
}

// verdict is an answer of a DFA.
type verdict uint8

const (
	no verdict = iota
	yes
	maybe // the DFA gave up, or the step limit came first
)

// run matches b from pos on, reading at most limit bytes. For yes, end is a
// position at or before which a match ends (the earliest but for one rune). idle
// is the last position, for a search, at which no match had begun.
func (d *dfa) run(b []byte, pos, limit int) (v verdict, end, idle int) {
	idle = pos
	s := d.startState(contextAt(b, pos))
	stop := len(b)
	if limit < stop-pos {
		stop = pos + limit
	}
	p := d.p
	for s.kind == stateOpen && pos < stop {
		if s.idle {
			idle = pos
		}
		c := b[pos]
		var class, width int
		if c < utf8.RuneSelf {
			class, width = int(p.ascii[c]), 1
		} else {
			var r rune
			r, width = utf8.DecodeRune(b[pos:])
			class = p.classOf(r)
		}
		t := s.next[class].Load()
		if t == nil {
			t = d.step(s, class)
		}
		s = t
		pos += width
	}
	switch s.kind {
	case stateMatch:
		return yes, pos, idle
	case stateDead:
		return no, pos, idle
	case stateLost:
		return maybe, pos, idle
	}
	if pos < len(b) {
		return maybe, pos, idle
	}
	if s.idle {
		idle = pos
	}
	if d.atEnd(s) {
		return yes, pos, idle
	}
	return no, pos, idle
}

func (d *dfa) startState(c neighbour) *dstate {
	if !d.p.empties {
		c = contextBegin
	}
	if s := d.start[c].Load(); s != nil {
		return s
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to.dense = d.to.dense[:0]
	d.closure(&d.to, d.p.start, 0, false)
	s := d.intern(&d.to, c, d.search)
	d.start[c].Store(s)
	return s
}

// closure adds pc and all that is reached from it without a rune. Assertions are
// either kept, as their answer needs the next rune, or decided by holds.
func (d *dfa) closure(set *sparse, pc uint32, truth syntax.EmptyOp, decide bool) {
	d.stack = append(d.stack[:0], pc)
	for len(d.stack) > 0 {
		pc := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		if set.has(pc) {
			continue
		}
		set.add(pc)
		switch in := &d.p.inst[pc]; in.op {
		case opAlt:
			d.stack = append(d.stack, in.arg, in.out)
		case opCapture, opNop:
			d.stack = append(d.stack, in.out)
		case opEmpty:
			if decide && syntax.EmptyOp(in.arg)&^truth == 0 {
				d.stack = append(d.stack, in.out)
			}
		}
	}
}

// intern finds or makes the state of a set. The caller holds mu.
func (d *dfa) intern(set *sparse, prev neighbour, idle bool) *dstate {
	pcs := d.stack[:0] // free now
	cares := false
	for _, pc := range set.dense {
		switch d.p.inst[pc].op {
		case opMatch:
			return matchState
		case opEmpty:
			cares = true
			pcs = append(pcs, pc)
		case opRune:
			pcs = append(pcs, pc)
		}
	}
	d.stack = pcs
	if len(pcs) == 0 {
		return deadState
	}
	if !cares {
		prev = contextBegin
	}
	slices.Sort(pcs)
	h := uint64(prev)
	if idle {
		h |= 1 << 8
	}
	for _, pc := range pcs {
		// FNV-1a, by words.
		h = (h ^ uint64(pc)) * 0x100000001b3
	}
	for s := d.states[h]; s != nil; s = s.more {
		if s.prev == prev && s.idle == idle && slices.Equal(s.pcs, pcs) {
			return s
		}
	}
	if d.count >= maxStates {
		d.flushes++
		if d.flushes > maxFlushes {
			d.useless.Store(true)
			return lostState
		}
		clear(d.states)
		d.count = 0
		for i := range d.start {
			d.start[i].Store(nil)
		}
	}
	s := &dstate{pcs: slices.Clone(pcs), prev: prev, idle: idle, more: d.states[h], next: make([]atomic.Pointer[dstate], len(d.p.rep))}
	d.states[h] = s
	d.count++
	return s
}

// step makes the transition of s on a class.
func (d *dfa) step(s *dstate, class int) *dstate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := s.next[class].Load(); t != nil {
		return t
	}
	if d.useless.Load() {
		return lostState
	}
	r := d.p.rep[class]
	pcs, matched := d.decide(s, r)
	if matched {
		s.next[class].Store(matchState)
		return matchState
	}
	d.to.dense = d.to.dense[:0]
	for _, pc := range pcs {
		if in := &d.p.inst[pc]; in.op == opRune && d.p.sets[in.arg].takes(r) {
			d.closure(&d.to, in.out, 0, false)
		}
	}
	idle := d.search && len(d.to.dense) == 0
	if d.search {
		d.closure(&d.to, d.p.start, 0, false)
	}
	t := d.intern(&d.to, contextOf(r), idle)
	if t != lostState {
		s.next[class].Store(t)
	}
	return t
}

// decide resolves the assertions of a state by the rune that follows.
func (d *dfa) decide(s *dstate, after rune) (pcs []uint32, matched bool) {
	if !d.p.empties {
		return s.pcs, false
	}
	truth := holds(s.prev, after)
	d.from.dense = d.from.dense[:0]
	for _, pc := range s.pcs {
		d.closure(&d.from, pc, truth, true)
	}
	for _, pc := range d.from.dense {
		if d.p.inst[pc].op == opMatch {
			return nil, true
		}
	}
	return d.from.dense, false
}

// atEnd reports whether s matches at the end of the text.
func (d *dfa) atEnd(s *dstate) bool {
	if e := s.end.Load(); e != 0 {
		return e == 2
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, matched := d.decide(s, endRune)
	end := uint32(1)
	if matched {
		end = 2
	}
	s.end.Store(end) // once: others read it without the lock
	return matched
}

// matches reports whether the expression matches anywhere in b.
func (p *prog) matches(b []byte, t *tracer) bool {
	v, _, _ := p.exists.get(p, true).run(b, 0, len(b))
	if v != maybe {
		return v == yes
	}
	_, _, ok := t.find(p, b, 0, len(b), nil)
	return ok
}
