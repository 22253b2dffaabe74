package secrets

import (
	"encoding/binary"
	"math"
	"slices"
)

// prefilter finds many literals in one pass over a text, whatever their case.
// Each literal is known by its rarest three bytes and the one behind them; two
// tables of one byte for each hash of three and of four bytes say, without a
// branch, where to look closer. The cost is about two nanoseconds a byte, whatever
// the number of literals.
type prefilter struct {
	// three has bit 0 where a literal is known by four bytes, bit 1 by three; four
	// has bit 1 everywhere, and bit 0 where a literal is known by these four. A
	// place is looked at where both have a bit.
	three   [1 << hashBits]uint8
	four    [1 << hashBits]uint8
	slots   []slot // open addressing by the three bytes
	mask    uint32
	needles []needle
	lists   []entry // of each slot
}

// entry is a needle of a slot, with up to eight of its bytes for a first look: of
// the folded word that starts back bytes before the three, mask must show want.
type entry struct {
	mask, want uint64
	back       uint32
	needle     uint32
}

type slot struct {
	key         uint32 // three folded bytes, 0 for a free slot
	first, last uint32 // in lists
}

type needle struct {
	text    string // lower case
	at      int    // of the three bytes in text
	targets []needleTarget
}

// needleTarget is what a literal belongs to.
type needleTarget struct {
	rule  int32
	group int16 // of the rule's anchors; -1 for a keyword that need only be there
	bit   int16 // of the keyword
	off   int16 // where the literal of the expression starts in the needle
	len   int16
}

const (
	hashBits = 15
	// hashFactor is 2^32 divided by the golden ratio (Knuth, multiplicative
	// hashing).
	hashFactor = 0x9E3779B1
	fold8      = 0x2020202020202020
)

func hash3(t uint32) uint32 { return (t << 8) * hashFactor >> (32 - hashBits) }
func hash4(t uint32) uint32 { return t * hashFactor >> (32 - hashBits) }

// key3 folds three bytes: ASCII letters lose their case, and some other bytes
// fall together, which the comparison parts again.
func key3(a, b, c byte) uint32 {
	return uint32(a|0x20) | uint32(b|0x20)<<8 | uint32(c|0x20)<<16
}

// newPrefilter makes a prefilter of needles of at least two bytes.
func newPrefilter(needles []needle) *prefilter {
	chooseBytes(needles)
	return buildPrefilter(needles)
}

// chooseBytes chooses the three bytes by which each needle is known.
func chooseBytes(needles []needle) {
	// Three bytes that many needles hold are those of common words, and a list of
	// many needles is slow to compare: both speak for other bytes.
	held := map[uint32]int{}
	for i := range needles {
		t := needles[i].text
		for j := 0; j+3 <= len(t); j++ {
			held[key3(t[j], t[j+1], t[j+2])]++
		}
	}
	taken := map[uint32]bool{}
	for i := range needles {
		n := &needles[i]
		if len(n.text) == 2 {
			n.keys(func(k uint32) { taken[k] = true })
			continue
		}
		best := math.Inf(1)
		for j := 0; j+3 <= len(n.text) && (j == 0 || j+4 <= len(n.text)); j++ {
			k := key3(n.text[j], n.text[j+1], n.text[j+2])
			w := commonness(n.text[j]) * following(n.text[j], n.text[j+1]) * following(n.text[j+1], n.text[j+2]) * float64(4+held[k])
			if !taken[k] {
				w += 1e-6 // each further entry of the table is looked at for nothing
			}
			if w < best {
				best, n.at = w, j
			}
		}
		n.keys(func(k uint32) { taken[k] = true })
	}
}

// keys gives the three bytes by which the needle is known: for one of two bytes
// with all that can follow.
func (n *needle) keys(add func(key uint32)) {
	if len(n.text) > 2 {
		add(key3(n.text[n.at], n.text[n.at+1], n.text[n.at+2]))
		return
	}
	for c := range 256 {
		if c&0x20 != 0 {
			add(key3(n.text[0], n.text[1], byte(c)))
		}
	}
}

// buildPrefilter makes a prefilter of needles whose bytes are chosen.
func buildPrefilter(needles []needle) *prefilter {
	p := &prefilter{needles: needles}
	for i := range p.four {
		p.four[i] = 2
	}
	known := make([]uint64, 0, len(needles)+len(needles)/4) // key and needle
	for i := range needles {
		needles[i].keys(func(k uint32) { known = append(known, uint64(k)<<32|uint64(i)) })
	}
	slices.Sort(known)
	keys := 0
	for i, k := range known {
		if i == 0 || k>>32 != known[i-1]>>32 {
			keys++
		}
	}
	size := uint32(64)
	for size < uint32(4*keys) {
		size *= 2
	}
	p.slots, p.mask = make([]slot, size), size-1
	p.lists = make([]entry, len(known))
	for at := 0; at < len(known); {
		k := uint32(known[at] >> 32)
		h := hash3(k)
		i := h & p.mask
		for p.slots[i].key != 0 {
			i = (i + 1) & p.mask
		}
		first := at
		for ; at < len(known) && uint32(known[at]>>32) == k; at++ {
			id := uint32(known[at])
			n := &needles[id]
			p.lists[at] = newEntry(n, id)
			if n.at+3 >= len(n.text) {
				p.three[h] |= 2
				continue
			}
			p.three[h] |= 1
			p.four[hash4(k|uint32(n.text[n.at+3]|0x20)<<24)] |= 1
		}
		p.slots[i] = slot{k, uint32(first), uint32(at)}
	}
	return p
}

// following is how often b stands after a: in words by the table of pairs, else as
// often as anywhere.
func following(a, b byte) float64 {
	if !isLetter(a) || !isLetter(b) {
		return commonness(b)
	}
	return math.Exp2(-float64(bigrams[int(a|0x20-'a')*27+int(b|0x20-'a')]-'#') / 8)
}

// newEntry picks the eight bytes around the three that decide soonest: as much as
// there is of what stands before them, and then what follows.
func newEntry(n *needle, id uint32) entry {
	e := entry{needle: id, back: uint32(min(n.at, 5))}
	from := n.at - int(e.back)
	for i := 0; i < 8 && from+i < len(n.text); i++ {
		e.mask |= 0xFF << (8 * i)
		e.want |= uint64(n.text[from+i]|0x20) << (8 * i)
	}
	return e
}

// scan reports every occurrence of a needle in b, in order of their rare bytes.
func (p *prefilter) scan(b []byte, hit func(n *needle, pos int)) {
	i := 0
	for ; i+12 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) | fold8
		y := binary.LittleEndian.Uint64(b[i+4:]) | fold8
		v0, v1, v2, v3 := p.at(uint32(x)), p.at(uint32(x>>8)), p.at(uint32(x>>16)), p.at(uint32(x>>24))
		v4, v5, v6, v7 := p.at(uint32(x>>32)), p.at(uint32(y>>8)), p.at(uint32(y>>16)), p.at(uint32(y>>24))
		if v0|v1|v2|v3|v4|v5|v6|v7 == 0 {
			continue
		}
		if v0|v1 != 0 {
			if v0 != 0 {
				p.look(b, i, uint32(x)&0xFFFFFF, hit)
			}
			if v1 != 0 {
				p.look(b, i+1, uint32(x>>8)&0xFFFFFF, hit)
			}
		}
		if v2|v3 != 0 {
			if v2 != 0 {
				p.look(b, i+2, uint32(x>>16)&0xFFFFFF, hit)
			}
			if v3 != 0 {
				p.look(b, i+3, uint32(x>>24)&0xFFFFFF, hit)
			}
		}
		if v4|v5 != 0 {
			if v4 != 0 {
				p.look(b, i+4, uint32(x>>32)&0xFFFFFF, hit)
			}
			if v5 != 0 {
				p.look(b, i+5, uint32(y>>8)&0xFFFFFF, hit)
			}
		}
		if v6|v7 != 0 {
			if v6 != 0 {
				p.look(b, i+6, uint32(y>>16)&0xFFFFFF, hit)
			}
			if v7 != 0 {
				p.look(b, i+7, uint32(y>>24)&0xFFFFFF, hit)
			}
		}
	}
	// The rest, as if spaces followed the text: a needle of two bytes may be the
	// last thing in it.
	for ; i+1 < len(b); i++ {
		t := uint32(0x20202020)
		for k := 0; k < 4 && i+k < len(b); k++ {
			t = t&^(0xFF<<(8*k)) | uint32(b[i+k]|0x20)<<(8*k)
		}
		if p.at(t) != 0 {
			p.look(b, i, t&0xFFFFFF, hit)
		}
	}
}

// at is not zero where one of the needles may have its rare bytes.
func (p *prefilter) at(t uint32) uint8 { return p.three[hash3(t)] & p.four[hash4(t)] }

// look compares the needles of the three bytes at b[i].
func (p *prefilter) look(b []byte, i int, t uint32, hit func(n *needle, pos int)) {
	s := hash3(t) & p.mask
	for {
		if p.slots[s].key == t {
			break
		}
		if p.slots[s].key == 0 {
			return
		}
		s = (s + 1) & p.mask
	}
	for k := p.slots[s].first; k < p.slots[s].last; k++ {
		e := &p.lists[k]
		if w := i - int(e.back); w >= 0 && w+8 <= len(b) && (binary.LittleEndian.Uint64(b[w:])|fold8)&e.mask != e.want {
			continue
		}
		n := &p.needles[e.needle]
		pos := i - n.at
		if pos < 0 || pos+len(n.text) > len(b) {
			continue
		}
		same := true
		for j := range len(n.text) {
			if lower[b[pos+j]] != n.text[j] {
				same = false
				break
			}
		}
		if same {
			hit(n, pos)
		}
	}
}

// mergeNeedles joins the targets of equal texts.
func mergeNeedles(list []needle) []needle {
	at := make(map[string]int, len(list))
	out := list[:0]
	for _, n := range list {
		if i, ok := at[n.text]; ok {
			out[i].targets = append(out[i].targets, n.targets...)
			continue
		}
		at[n.text] = len(out)
		out = append(out, n)
	}
	return out
}
