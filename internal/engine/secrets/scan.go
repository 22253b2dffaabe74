package secrets

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"regexp/syntax"
	"slices"
	"unicode/utf8"

	"penstock"
)

const (
	// filterReach is how far the filter follows a match that does not end; beyond
	// it the search proper decides.
	filterReach = 2 << 10
	// Steps that one text may cost: bytes read by filters and instructions tried
	// by the search. Ordinary text takes less than one for each byte.
	stepsBase    = 10_000_000
	stepsPerByte = 100
)

// scratch is what one goroutine needs to scan; it is reused for every file.
type scratch struct {
	trace   tracer
	cands   [][]candidate // by rule
	dropped []int64       // by rule: steps of anchors that are known to lead nowhere
	touched []uint64      // rules with either, by bit
	present []uint64      // keywords that were seen
	groups  []int
	hits    []hit
	pathOK  []int8 // by rule: 0 unknown, 1 wanted, 2 not
	asked   []int32
	next    []int64 // by rule: where the last match ended, in the file
	moved   []int32
	off     []bool // by rule set: its lists exempt this file
	commit  string // that the file came with
	steps   int64  // bytes that filters read
	limit   int64  // of steps and the tracer's steps
	spent   bool   // the limit was reached
	dec     decodeScratch
	recall  recall
}

func newScratch(d *detector) *scratch {
	return &scratch{
		cands:   make([][]candidate, len(d.rules)),
		dropped: make([]int64, len(d.rules)),
		touched: make([]uint64, (len(d.rules)+63)/64),
		present: make([]uint64, (d.keyBits+63)/64),
		pathOK:  make([]int8, len(d.rules)),
		next:    make([]int64, len(d.rules)),
		off:     make([]bool, len(d.sets)),
	}
}

// begin prepares for the next file.
func (d *detector) begin(path []byte, sc *scratch) { d.beginIn(path, "", sc) }

// beginIn is begin for a file that came with a commit, "" for none.
func (d *detector) beginIn(path []byte, commit string, sc *scratch) {
	sc.commit = commit
	for _, r := range sc.asked {
		sc.pathOK[r] = 0
	}
	sc.asked = sc.asked[:0]
	for _, r := range sc.moved {
		sc.next[r] = 0
	}
	sc.moved = sc.moved[:0]
	clear(sc.hits)
	sc.hits = sc.hits[:0]
	sc.dec.trim()
	sc.steps, sc.trace.steps, sc.spent = 0, 0, false
	for i, s := range d.sets {
		sc.off[i] = slices.ContainsFunc(s.global, func(a *allowlist) bool { return a.allowsPath(path, commit, &sc.trace) })
	}
}

// candidate is a place at which a rule has to be tried: a match, if there is
// one, starts in [lo, hi].
type candidate struct{ lo, hi int }

// hit is a match that passed entropy, checks and allow-lists.
type hit struct {
	rule       *rule
	start, end int64 // of the match, in the file
	from, to   int64 // of the secret, in the file
	line       int64 // where the line starts on which the match does
	row        int   // newlines before it in the file
	scope      string
	fix        *penstock.Fix
	value      []byte
	entropy    float64
	checked    bool // the checksum is right
	decoded    []string
	// quiet hits only serve rules that require theirs: the file has none of the
	// rule's keywords.
	quiet bool
	// allowed is set, where such hits are asked for, for what a list exempts.
	allowed bool
}

// text is what is scanned: a piece of a file, or a decoded part of it.
type text struct {
	b    []byte
	path []byte
	base int64 // offset of b in the file
	row  int   // newlines before b
	// Matches count that start in [from, until).
	from, until int
	// view is set for a decoded text: matches count only if they touch what was
	// decoded, and lie in the file where the encoded text does.
	view *view
	// all keeps what allow-lists exempt, marked, and skips nothing by path.
	all bool
}

// scan finds what the rules match in t and appends it to sc.hits.
func (d *detector) scan(t *text, sc *scratch) {
	clear(sc.present)
	if t.view == nil {
		sc.limit = sc.steps + sc.trace.steps + stepsBase + stepsPerByte*int64(len(t.b))
	}
	d.anchors(t, sc)
	for i, word := range sc.touched {
		sc.touched[i] = 0
		for ; word != 0; word &= word - 1 {
			id := int32(i<<6 | bits.TrailingZeros64(word))
			r := d.rules[id]
			if quiet := r.keyed && !d.hasKeyword(r, t.b, sc); !quiet || r.needed {
				first := len(sc.hits)
				if r.keyed {
					d.filterKeyed(id, r, t, sc)
				}
				d.confirm(id, r, t, sc)
				markQuiet(sc.hits[first:], quiet)
			}
			sc.cands[id] = sc.cands[id][:0]
			sc.dropped[id] = 0
		}
	}
	for _, id := range d.whole {
		r := d.rules[id]
		quiet := r.keyed && !d.hasKeyword(r, t.b, sc)
		if len(t.b) < r.minBytes || quiet && !r.needed || !d.wantsPath(id, r, t, sc) {
			continue
		}
		first := len(sc.hits)
		d.searchWhole(id, r, t, sc)
		markQuiet(sc.hits[first:], quiet)
	}
}

func markQuiet(hits []hit, quiet bool) {
	for i := range hits {
		hits[i].quiet = quiet
	}
}

// over reports whether the budget of the text is spent.
func (sc *scratch) over() bool {
	if sc.steps+sc.trace.steps > sc.limit {
		sc.spent = true
	}
	return sc.spent
}

// anchors passes over t once and gathers the candidates of each rule.
func (d *detector) anchors(t *text, sc *scratch) {
	if sc.recall.memo != nil && t.view == nil {
		d.recallAnchors(t, sc)
		return
	}
	d.pre.scan(t.b, func(n *needle, pos int) {
		for k := range n.targets {
			d.anchor(t, &n.targets[k], pos, false, sc)
		}
	})
}

// anchor takes note of a needle at pos, which makes a candidate if the filter of
// the rule, unless passed says that it was asked before, and the path agree.
func (d *detector) anchor(t *text, g *needleTarget, pos int, passed bool, sc *scratch) {
	if g.group < 0 {
		sc.present[g.bit>>6] |= 1 << (g.bit & 63)
		return
	}
	if sc.spent {
		return
	}
	at := pos + int(g.off)
	r := d.rules[g.rule]
	list := sc.cands[g.rule]
	if r.keyed {
		// Without a keyword in the text the anchors do not matter.
		c := candidate{at, int(g.group)<<8 | int(g.len)}
		if passed {
			c.hi |= keyedPassed
		}
		sc.touch(g.rule)
		sc.cands[g.rule] = append(list, c)
		return
	}
	run := &r.groups[g.group]
	if !passed && !r.passes(run, t.b, at, int(g.len), sc) {
		return
	}
	if len(list) == 0 {
		if !d.wantsPath(g.rule, r, t, sc) {
			return
		}
		sc.touch(g.rule)
	}
	sc.cands[g.rule] = append(list, candidate{run.back(t.b, at, list), at - run.preMin})
	sc.over()
}

func (sc *scratch) touch(rule int32) { sc.touched[rule>>6] |= 1 << (rule & 63) }

// passes asks the filter whether a match can go through the literal of n bytes at
// at.
func (r *rule) passes(run *anchorRun, b []byte, at, n int, sc *scratch) bool {
	v, end := r.ask(run, b, at, n)
	sc.steps += int64(end - at - n)
	return v != no
}

// ask is passes with the filter's own answer, and how far it read.
func (r *rule) ask(run *anchorRun, b []byte, at, n int) (v verdict, end int) {
	if run.lead != 0 {
		after, _ := runeAt(b, at)
		if run.lead&^holds(contextAt(b, at), after) != 0 {
			return no, at + n
		}
	}
	r.filters.Do(r.prepare)
	if at += n; at < len(b) {
		// Most are dismissed by the next byte: without a look at the DFA's states,
		// which lie all over the memory.
		if c := b[at]; c < utf8.RuneSelf && run.next[c>>6]>>(c&63)&1 == 0 {
			return no, at + 1
		}
	}
	v, end, _ = run.filter.run(b, at, filterReach)
	return v, end
}

// A keyed rule's anchors wait in its candidates, as the literal's place, group and
// length, with keyedPassed where the filter was asked before. filterKeyed turns the
// anchors of a rule whose keywords the text has into candidates.
func (d *detector) filterKeyed(id int32, r *rule, t *text, sc *scratch) {
	anchors := sc.cands[id]
	list := anchors[:0]
	if d.wantsPath(id, r, t, sc) {
		sc.steps += sc.dropped[id]
		for _, c := range anchors {
			run := &r.groups[c.hi&^keyedPassed>>8]
			if c.hi&keyedPassed != 0 || r.passes(run, t.b, c.lo, c.hi&0xFF, sc) {
				list = append(list, candidate{run.back(t.b, c.lo, list), c.lo - run.preMin})
			}
			if sc.over() {
				break
			}
		}
	}
	sc.cands[id] = list
}

const keyedPassed = 1 << 30

// prepare makes the filters of a rule's anchors, of what follows the literals.
func (r *rule) prepare() {
	if len(r.groups) > 0 && r.groups[0].rest == nil {
		// From the table: the plan is made again, for this rule only.
		for i, g := range planAnchors(mustParse(r.re.src), r.keywords) {
			r.groups[i].rest = g.rest
		}
	}
	for i := range r.groups {
		run := &r.groups[i]
		for j := range i {
			if o := &r.groups[j]; slices.Equal(o.rest, run.rest) {
				run.filter = o.filter
				break
			}
		}
		if run.filter == nil {
			run.filter = filterOf(concat(run.rest))
		}
		run.next = [2]uint64{^uint64(0), ^uint64(0)}
		if first, anything := run.filter.p.first(); !anything {
			copy(run.next[:], first[:])
		}
	}
	for i := range r.groups {
		r.groups[i].rest = []*syntax.Regexp{} // no longer needed
	}
}

// filterOf compiles an expression that matches wherever re does, and hardly
// anywhere else.
func filterOf(re *syntax.Regexp) *dfa {
	p := mustCompile(relax(re))
	return p.anchored.get(p, false)
}

// back is the earliest place at which a match through the anchor at at can start:
// all before it is of the characters that the expression allows there.
func (run *anchorRun) back(b []byte, at int, before []candidate) int {
	least := 0
	if run.preMax > 0 {
		least = max(0, at-run.preMax)
	}
	// Without a bound, long runs are not walked twice: the last candidate's start
	// is this one's, too, if the walk comes to it.
	prevLo, prevHi := -1, -1
	if run.preMax < 0 && len(before) > 0 {
		c := before[len(before)-1]
		prevLo, prevHi = c.lo, c.hi
	}
	for at > least {
		c := b[at-1]
		if run.preSet[c>>6]>>(c&63)&1 == 0 {
			break
		}
		at--
		if at == prevHi && prevLo >= 0 {
			return min(at, prevLo)
		}
	}
	return at
}

func (d *detector) wantsPath(id int32, r *rule, t *text, sc *scratch) bool {
	if t.all {
		return true
	}
	if sc.off[r.set.index] {
		return false
	}
	if r.path == nil && len(r.allow) == 0 {
		return true
	}
	if s := sc.pathOK[id]; s != 0 {
		return s == 1
	}
	ok := r.path == nil || r.path.get().matches(t.path, &sc.trace)
	if ok {
		for _, a := range r.allow {
			if a.allowsPath(t.path, sc.commit, &sc.trace) {
				ok = false
				break
			}
		}
	}
	sc.asked = append(sc.asked, id)
	sc.pathOK[id] = 2
	if ok {
		sc.pathOK[id] = 1
	}
	return ok
}

func (d *detector) hasKeyword(r *rule, b []byte, sc *scratch) bool {
	for _, bit := range r.keyBits {
		if bit < 0 {
			c := byte(-1 - bit)
			if bytes.IndexByte(b, c) >= 0 || 'a' <= c && c <= 'z' && bytes.IndexByte(b, c-'a'+'A') >= 0 {
				return true
			}
			continue
		}
		if sc.present[bit>>6]>>(bit&63)&1 != 0 {
			return true
		}
	}
	return false
}

// confirm searches at the candidates of a rule, in the order of a search over the
// whole text: leftmost first, without overlap.
func (d *detector) confirm(id int32, r *rule, t *text, sc *scratch) {
	list := sc.cands[id]
	if !slices.IsSortedFunc(list, byStart) {
		slices.SortFunc(list, byStart)
	}
	p := r.re.get()
	next := d.nextOf(id, t, sc)
	for _, c := range list {
		lo := max(c.lo, next)
		for lo <= c.hi && lo < t.until {
			s, e, ok := sc.trace.find(p, t.b, lo, min(c.hi, t.until-1), nil)
			if !ok && sc.trace.full {
				s, e, ok = d.findLarge(p, t.b, lo, min(c.hi, t.until-1), sc)
			}
			if !ok {
				break
			}
			next = max(e, s+1)
			if e > s {
				d.accept(r, t, s, e, sc)
			}
			lo = next
		}
		if sc.over() {
			break
		}
	}
	d.setNext(id, t, next, sc)
}

func byStart(a, b candidate) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi)) }

// nextOf is where matches of a rule may start in t: not before t.from, and not
// within the last match of the piece before.
func (d *detector) nextOf(id int32, t *text, sc *scratch) int {
	next := t.from
	if t.view == nil {
		next = max(next, int(sc.next[id]-t.base))
	}
	return next
}

func (d *detector) setNext(id int32, t *text, next int, sc *scratch) {
	if t.view != nil || t.until == len(t.b) {
		return
	}
	if sc.next[id] == 0 {
		sc.moved = append(sc.moved, id)
	}
	sc.next[id] = t.base + int64(next)
}

// searchWhole runs a rule without anchors over the whole text. A DFA finds where
// a match ends and since when one was under way; only that stretch is searched.
func (d *detector) searchWhole(id int32, r *rule, t *text, sc *scratch) {
	p := r.re.get()
	dfa := p.exists.get(p, true)
	next := d.nextOf(id, t, sc)
	for next < t.until {
		v, end, idle := dfa.run(t.b, next, len(t.b))
		sc.steps += int64(end - next)
		if v == no {
			break
		}
		last := end
		if v == maybe {
			last = len(t.b)
		}
		s, e, ok := sc.trace.find(p, t.b, idle, min(last, t.until-1), nil)
		if !ok && sc.trace.full {
			s, e, ok = d.findLarge(p, t.b, idle, min(last, t.until-1), sc)
		}
		if !ok || sc.over() {
			break
		}
		next = max(e, s+1)
		if e > s {
			d.accept(r, t, s, e, sc)
		}
	}
	d.setNext(id, t, next, sc)
}

// findLarge searches where the memo of the ordinary search had no room, start by
// start with a fresh memo each: slower, within the same budget of steps. A match
// whose memo alone has no room is given up and counts as budget spent.
func (d *detector) findLarge(p *prog, b []byte, lo, hi int, sc *scratch) (s, e int, ok bool) {
	filter := p.anchored.get(p, false)
	for s := lo; s <= hi; s++ {
		v, end, _ := filter.run(b, s, len(b))
		sc.steps += int64(end - s)
		if v == no {
			continue
		}
		if s, e, ok = sc.trace.find(p, b, s, s, nil); ok {
			return s, e, true
		}
		if sc.trace.full {
			sc.spent = true
			return 0, 0, false
		}
		if sc.over() {
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// accept turns a match into a hit, unless entropy, check or an allow-list speaks
// against it. The order and the details are gitleaks'.
func (d *detector) accept(r *rule, t *text, start, end int, sc *scratch) {
	if t.view != nil && !t.view.touched(start, end) {
		return
	}
	match := bytes.Trim(t.b[start:end], "\n")
	if len(match) == 0 {
		return
	}
	off := start
	for t.b[off] == '\n' {
		off++
	}
	// The groups come from the matched text alone.
	from, to := off, off+len(match)
	p := r.re.get()
	if p.ncap > 2 {
		if cap(sc.groups) < p.ncap {
			sc.groups = make([]int, p.ncap)
		}
		g := sc.groups[:p.ncap]
		if _, _, ok := sc.trace.find(p, match, 0, len(match), g); ok {
			if r.group > 0 {
				from, to = off, off
				if g[2*r.group] >= 0 {
					from, to = off+g[2*r.group], off+g[2*r.group+1]
				}
			} else {
				for i := 2; i+1 < len(g); i += 2 {
					if g[i] >= 0 && g[i+1] > g[i] {
						from, to = off+g[i], off+g[i+1]
						break
					}
				}
			}
		}
	}
	secret := t.b[from:to]
	entropy := shannon(secret)
	if r.entropy != 0 && entropy <= r.entropy && !t.all {
		return
	}
	checked := false
	if r.check != nil {
		switch r.check.Verify(secret) {
		case Wrong:
			if !t.all || template(secret) || wordlike(secret) || weakPassword(secret) {
				return
			}
		case Right:
			checked = true
		}
	}
	if r.own && !checked && t.view == nil && insideBlob(t.b[:from]) {
		return
	}
	allowed := exempt(r, t, secret, match, start, end, sc)
	if allowed && !t.all {
		return
	}
	h := hit{
		rule: r, entropy: entropy, checked: checked, allowed: allowed,
		value: bytes.Clone(secret),
		start: t.base + int64(start), end: t.base + int64(end),
		from: t.base + int64(from), to: t.base + int64(to),
	}
	if v := t.view; v != nil {
		h.start, h.end = v.file(start, end)
		h.from, h.to = v.file(from, to)
		h.decoded = slices.Clone(v.kind[:v.n])
	}
	sc.hits = append(sc.hits, h)
}

// insideBlob reports whether what follows before is part of a longer base64 text,
// such as a picture in a data: URI. In so many random characters every short prefix
// of a token comes up sooner or later, and a slash or plus before it looks like a
// border. A text that is a secret as a whole begins where its run begins.
func insideBlob(before []byte) bool {
	const long = 128 // characters of a run; paths and hashes in hex are shorter
	if len(before) < long {
		return false
	}
	for i := len(before) - 1; i >= len(before)-long; i-- {
		switch c := before[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// exempt reports whether an allow-list exempts a finding.
func exempt(r *rule, t *text, secret, match []byte, start, end int, sc *scratch) bool {
	line := func() []byte {
		lo := bytes.LastIndexByte(t.b[max(0, start-maxLine):start], '\n')
		if lo < 0 {
			lo = max(0, start-maxLine)
		} else {
			lo += max(0, start-maxLine) + 1
		}
		hi := bytes.IndexByte(t.b[end:min(len(t.b), end+maxLine)], '\n')
		if hi < 0 {
			hi = min(len(t.b), end+maxLine)
		} else {
			hi += end
		}
		return t.b[lo:hi]
	}
	for _, a := range r.set.global {
		if a.allows(secret, match, line, t.path, sc.commit, &sc.trace) {
			return true
		}
	}
	for _, a := range r.allow {
		if a.allows(secret, match, line, t.path, sc.commit, &sc.trace) {
			return true
		}
	}
	return false
}

// maxLine bounds the line that allow-lists of target "line" look at, on either
// side of the match.
const maxLine = 16 << 10

// shannon is the entropy of text in bits a byte, counted over its runes.
func shannon(text []byte) float64 {
	var counts [utf8.RuneSelf]int32
	var wide map[rune]int32
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			counts[c]++
			i++
			continue
		}
		r, w := utf8.DecodeRune(text[i:])
		if wide == nil {
			wide = map[rune]int32{}
		}
		wide[r]++
		i += w
	}
	n := 1 / float64(len(text))
	var sum float64
	for _, c := range counts {
		if c > 0 {
			f := float64(c) * n
			sum -= f * math.Log2(f)
		}
	}
	if wide == nil {
		return sum
	}
	runes := make([]rune, 0, len(wide))
	for r := range wide {
		runes = append(runes, r)
	}
	slices.Sort(runes) // the order of additions must not vary
	for _, r := range runes {
		f := float64(wide[r]) * n
		sum -= f * math.Log2(f)
	}
	return sum
}
