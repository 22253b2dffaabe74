package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sort"
	"sync"
	"unicode/utf8"
)

// A memo makes text that repeats cheap. The versions of a file in a history differ
// in a few lines; what the prefilter, the filters of the anchors and the search for
// encoded stretches made of the rest need not be made again.
//
// A text is cut into blocks, at places that its content chooses, so that a line
// put in moves no cut but those beside it. For each block the memo knows what is
// left for a closer look, which is mostly nothing: anchors that a filter did not
// dismiss, keywords, starts of stretches that may be encoded. What is kept depends
// on nothing but the bytes that the block's key was made of: the byte before the
// block, the block, a tail behind it, and whether the text begins or ends there.
// What needs more than that stays open and is decided in each text anew, and so is
// all that depends on the path. What is found is therefore the same with a memo
// and without.
//
// The steps of a known block count as if it had been read, so that the budget of
// a text, too, ends at the same place, to the block.
//
// It is safe for concurrent use. A rule that comes to the same block in two texts
// at once is worked out twice.
type memo struct {
	hash   cipher.AEAD
	tail   int // bytes behind a block that its answer may depend on
	shards [memoShards]memoShard
}

const (
	// minBlock and maxBlock bound a block, in bytes. A change costs the blocks that
	// it lies in and a block costs a look-up: 500 to 1,000 bytes are best of what
	// was tried.
	minBlock = 512
	maxBlock = 4 << 10
	// cutBits is how many bits of a line's end must be zero for a cut: one line in
	// four is one.
	cutBits = 2
	// minTail is enough for most filters to see that nothing is there.
	minTail = 96
	// maxTail bounds the needle up to which a memo is used: only a user's rules
	// have such long ones, and they would make every key cost as much as the block.
	maxTail = 1 << 10
	// memoShards parts of a memo, each of memoSets sets of memoWays blocks, hold
	// 131,072 blocks in 4 MB, and what is left of them in heldLimit bytes each, 8 MB
	// in all.
	memoShards = 64
	memoSets   = 512
	memoWays   = 4
	heldLimit  = 128 << 10
)

// memoKey is a GMAC of a block. A collision would lose a secret, and the text is
// made by people who may wish for that, so it is no checksum but a universal hash
// under a key of this run that nobody sees: two different blocks of at most 8 KB
// have the same one with a chance of less than 2^-118, whatever they hold (NIST SP
// 800-38D; the tags of one nonce differ as their GHASHes do). That tags must not be
// shown under one nonce does not matter here, as none leaves the memo.
type memoKey [16]byte

// answer is what is known of a block.
type answer struct {
	steps   uint32 // what filters read
	escapes uint8  // by bit: kinds of inlineEscapes of which one starts here
	known   bool   // false for a free place of the memo
	held    *held  // nil if nothing is left
}

// held is what is left of a block.
type held struct {
	hits []blockHit
	// dropped are the filters' steps for anchors of keyed rules, which count only in
	// a text that has a keyword of the rule.
	dropped []blockSteps
	runs    []uint16 // where stretches start that may be encoded
}

type blockSteps struct {
	rule  int32
	steps uint32
}

// blockHit is a needle that was found.
type blockHit struct {
	target *needleTarget
	at     uint16 // in the block
	passed bool   // the filter takes it; else it must be asked
}

// size is about the memory that h takes, in bytes.
func (h *held) size() int {
	if h == nil {
		return 0
	}
	return 96 + 16*cap(h.hits) + 8*cap(h.dropped) + 2*cap(h.runs)
}

// memoShard is a table of sets, in each of which the block that was asked for last
// stands first. What drops out of a set is forgotten, and all of a shard when what
// is left of its blocks takes too much.
type memoShard struct {
	mu   sync.Mutex
	sets [][memoWays]memoEntry
	held int // bytes
}

type memoEntry struct {
	key memoKey
	answer
}

// newMemo returns nil where a memo cannot be had: if a rule's literals are too long
// for it, or if this program may use no GCM with nonces of its own (FIPS 140-only
// mode).
func newMemo(d *detector) *memo {
	m := &memo{tail: minTail}
	for i := range d.pre.needles {
		m.tail = max(m.tail, len(d.pre.needles[i].text)+utf8.UTFMax)
	}
	if m.tail > maxTail {
		return nil
	}
	var key [16]byte
	rand.Read(key[:])
	b, err := aes.NewCipher(key[:])
	if err != nil {
		return nil
	}
	if m.hash, err = cipher.NewGCM(b); err != nil {
		return nil
	}
	for i := range m.shards {
		m.shards[i].sets = make([][memoWays]memoEntry, memoSets)
	}
	return m
}

func (m *memo) get(k memoKey) (answer, bool) {
	s, set := m.place(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range set {
		if e := &set[i]; e.key == k && e.known {
			set[0], set[i] = set[i], set[0]
			return set[0].answer, true
		}
	}
	return answer{}, false
}

func (m *memo) put(k memoKey, a answer) {
	s, set := m.place(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += a.held.size() - set[memoWays-1].held.size()
	if s.held > heldLimit {
		clear(s.sets)
		s.held = a.held.size()
	}
	copy(set[1:], set[:])
	a.known = true
	set[0] = memoEntry{k, a}
}

// place is where a block is, if it is known.
func (m *memo) place(k memoKey) (*memoShard, *[memoWays]memoEntry) {
	n := binary.LittleEndian.Uint64(k[:])
	s := &m.shards[n%memoShards]
	return s, &s.sets[n/memoShards%memoSets]
}

// recall is what a goroutine needs beside the memo.
type recall struct {
	memo  *memo
	tag   [16]byte
	nonce [12]byte
	// Of the text that was scanned last:
	blocks  []block
	runs    []int
	escapes uint8
	learned []held // by block, for learn
}

// block is a part of a text and what is known of it.
type block struct {
	from, to int
	key      memoKey
	answer
}

// key is the key of the block t.b[from:to].
func (c *recall) key(b []byte, from, to int) memoKey {
	lo, hi := from-1, to+c.memo.tail
	// The nonce takes what the bytes do not say.
	c.nonce[0] = 0
	if from == 0 {
		lo = 0
		c.nonce[0] |= 1
	}
	if hi >= len(b) {
		hi = len(b)
		c.nonce[0] |= 2
	}
	binary.LittleEndian.PutUint32(c.nonce[4:], uint32(to-from))
	c.memo.hash.Seal(c.tag[:0], c.nonce[:], nil, b[lo:hi])
	return c.tag
}

// cutBlock is where the block that starts at from ends: after a line whose last
// bytes say so, or where it gets too long.
func cutBlock(b []byte, from int) int {
	end := min(len(b), from+maxBlock)
	for i := from + minBlock; i < end; {
		k := bytes.IndexByte(b[i:end], '\n')
		if k < 0 {
			break
		}
		i += k + 1
		if binary.LittleEndian.Uint64(b[i-9:])*0x9E3779B97F4A7C15>>(64-cutBits) == 0 {
			return i
		}
	}
	return end
}

// recallAnchors does what anchors does, block by block. Blocks that are not known
// and follow one another are worked out in one go: a new file costs what it would
// cost without a memo.
func (d *detector) recallAnchors(t *text, sc *scratch) {
	c := &sc.recall
	clear(c.blocks) // of what the memo may have dropped
	c.blocks, c.runs, c.escapes = c.blocks[:0], c.runs[:0], 0
	fresh := 0
	for from := 0; from < len(t.b); {
		bl := block{from: from, to: cutBlock(t.b, from)}
		bl.key = c.key(t.b, from, bl.to)
		bl.answer, _ = c.memo.get(bl.key)
		if !bl.known {
			fresh++
		}
		c.blocks = append(c.blocks, bl)
		from = bl.to
	}
	// What is worked out is bounded as well, whether it counts or not.
	left := sc.limit - sc.steps - sc.trace.steps
	for i := 0; fresh > 0 && left >= 0; i++ {
		if c.blocks[i].known {
			continue
		}
		n := i
		for n < len(c.blocks) && !c.blocks[n].known {
			n++
		}
		fresh -= n - i
		left = d.learn(t.b, c, c.blocks[i:n], left)
	}
	for i := range c.blocks {
		if sc.spent {
			return
		}
		d.replay(t, &c.blocks[i], sc)
	}
}

// replay makes candidates of what is left of a block.
func (d *detector) replay(t *text, bl *block, sc *scratch) {
	c := &sc.recall
	if !bl.known || sc.steps+sc.trace.steps+int64(bl.steps) > sc.limit {
		// The budget ends in this block.
		d.pre.scan(t.b[bl.from:min(len(t.b), bl.to+c.memo.tail)], func(n *needle, pos int) {
			for k := range n.targets {
				if bl.from+pos < bl.to {
					d.anchor(t, &n.targets[k], bl.from+pos, false, sc)
				}
			}
		})
		return
	}
	sc.steps += int64(bl.steps)
	c.escapes |= bl.escapes
	if bl.held == nil {
		return
	}
	for i := range bl.held.hits {
		h := &bl.held.hits[i]
		d.anchor(t, h.target, bl.from+int(h.at), h.passed, sc)
	}
	for _, s := range bl.held.dropped {
		sc.touch(s.rule)
		sc.dropped[s.rule] += int64(s.steps)
	}
	for _, at := range bl.held.runs {
		c.runs = append(c.runs, bl.from+int(at))
	}
}

// learn finds out about blocks that follow one another what does not depend on the
// path or on bytes beyond their tails, and tells the memo. It returns what is left
// of the steps that it may take; less than 0 means that it came to no end.
func (d *detector) learn(b []byte, c *recall, blocks []block, left int64) int64 {
	first, end := blocks[0].from, blocks[len(blocks)-1].to
	c.learned = c.learned[:0]
	for range blocks {
		c.learned = append(c.learned, held{})
	}
	// The needles come in the order of their rarest bytes: near enough to look for
	// their block from that of the one before.
	i := 0
	d.pre.scan(b[first:min(len(b), end+c.memo.tail)], func(n *needle, pos int) {
		pos += first
		if left < 0 || pos >= end {
			return
		}
		for pos < blocks[i].from {
			i--
		}
		for pos >= blocks[i].to {
			i++
		}
		for k := range n.targets {
			left -= d.learnTarget(b, &n.targets[k], pos, &blocks[i], &c.learned[i], c.memo.tail)
		}
	})
	if left < 0 {
		return left
	}
	for i := range blocks {
		bl, h := &blocks[i], &c.learned[i]
		h.runs = blockRuns(b, bl.from, bl.to)
		for k := range inlineEscapes {
			if at := inlineEscapes[k].next(b[:min(len(b), bl.to+c.memo.tail)], bl.from); at >= 0 && at < bl.to {
				bl.escapes |= 1 << k
			}
		}
		if len(h.hits)+len(h.dropped)+len(h.runs) > 0 {
			bl.held = &held{slices.Clone(h.hits), slices.Clone(h.dropped), h.runs}
		}
		bl.known = true
		c.memo.put(bl.key, bl.answer)
	}
	return left
}

// learnTarget finds out about what one needle at pos belongs to, and returns the
// steps that took.
func (d *detector) learnTarget(b []byte, g *needleTarget, pos int, bl *block, h *held, tail int) int64 {
	hit := blockHit{target: g, at: uint16(pos - bl.from)}
	if g.group < 0 {
		if !slices.ContainsFunc(h.hits, func(o blockHit) bool { return o.target == g }) {
			h.hits = append(h.hits, hit)
		}
		return 0
	}
	r := d.rules[g.rule]
	at := pos + int(g.off)
	v, end := r.ask(&r.groups[g.group], b, at, int(g.len))
	steps := int64(end - at - int(g.len))
	if v == maybe || bl.to+tail < len(b) && end+utf8.UTFMax > bl.to+tail {
		h.hits = append(h.hits, hit)
		return steps
	}
	if v == yes {
		hit.passed = true
		h.hits = append(h.hits, hit)
	}
	if r.keyed {
		h.drop(g.rule, steps)
	} else {
		bl.steps += uint32(steps)
	}
	return steps
}

// drop counts steps of a keyed rule.
func (h *held) drop(rule int32, steps int64) {
	for i := range h.dropped {
		if h.dropped[i].rule == rule {
			h.dropped[i].steps += uint32(steps)
			return
		}
	}
	if steps > 0 {
		h.dropped = append(h.dropped, blockSteps{rule, uint32(steps)})
	}
}

// blockRuns lists the runs of decodeRuns that start in b[from:to] and, by their
// first bytes, may be decoded.
func blockRuns(b []byte, from, to int) []uint16 {
	var runs []uint16
	end := min(len(b), to+minHex)
	for i := from + minBase64 - 1; i < end; i += minBase64 {
		if base64Value[b[i]] == 0xFF {
			continue
		}
		if base64Value[b[i-8]] == 0xFF && (i+8 >= len(b) || base64Value[b[i+8]] == 0xFF) {
			continue
		}
		l := i
		for l > from && base64Value[b[l-1]] != 0xFF {
			l--
		}
		r := i + 1
		for r < end && base64Value[b[r]] != 0xFF {
			r++
		}
		i = r
		if l >= to {
			break
		}
		if l == from && l > 0 && base64Value[b[l-1]] != 0xFF {
			continue // it starts in the block before
		}
		if run := b[l:r]; len(run) >= minBase64 && (base64SaysText(run) || bytes.HasPrefix(run, gzipBase64)) || len(run) >= minHex && hexSaysText(run) {
			runs = append(runs, uint16(l-from))
		}
	}
	return runs
}

// recallRuns does what decodeRuns does.
func (d *detector) recallRuns(t *text, sc *scratch, depth, level int) {
	done := 0
	for _, l := range sc.recall.runs {
		if l < done {
			continue
		}
		r := l
		for r < len(t.b) && base64Value[t.b[r]] != 0xFF {
			r++
		}
		if !t.starts(l, r) {
			continue
		}
		done = max(r, d.decodeRun(t, sc, depth, level, l, r))
		if sc.over() {
			return
		}
	}
}

// nextEscape is where the next escape of a kind stands in t from at on, or -1. It
// passes over blocks that are known to have none.
func (sc *scratch) nextEscape(t *text, kind, at int) int {
	e, c := &inlineEscapes[kind], &sc.recall
	if t.view != nil || c.memo == nil {
		return e.next(t.b, at)
	}
	bit := uint8(1) << kind
	if c.escapes&bit == 0 {
		return -1
	}
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].to > at })
	for ; i < len(c.blocks); i++ {
		to := c.blocks[i].to
		if c.blocks[i].escapes&bit != 0 {
			if p := e.next(t.b[:min(len(t.b), to+minTail)], at); p >= 0 && p < to {
				return p
			}
		}
		at = max(at, to)
	}
	return -1
}
