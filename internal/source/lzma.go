package source

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// An LZMA decoder of our own: of the two in Go, ulikunitz/xz takes whatever
// dictionary size a header of 12 bytes names, up to 4 GiB, and mikelolasagasti/xz
// takes it at once. This window grows with what is decoded. The format is that of
// the LZMA specification by Igor Pavlov (lzma-specification.txt, public domain),
// whose names are kept.

const (
	lzmaStates   = 12
	lzmaPosMax   = 16 // 1 << pb at most
	lzmaProbInit = 1 << 10
	lzmaMinDict  = 1 << 12
	lzmaMatchMin = 2
	lzmaRound    = 64 << 10 // decoded at once
	lzmaFirstWin = 64 << 10
)

var errLzmaData = errors.New("the compressed data are damaged")

// lzmaLen decodes the length of a match.
type lzmaLen struct {
	choice, choice2 uint16
	low, mid        [lzmaPosMax][8]uint16
	high            [256]uint16
}

// lzma decodes one stream of LZMA data into a window.
type lzma struct {
	// Input: a piece, and more until it returns none.
	in   []byte
	more func() ([]byte, error)
	err  error // of the input

	rng, code uint32

	lc                         uint
	lpMask, pbMask             uint32
	state                      uint32
	rep0, rep1, rep2, rep3     uint32
	processed                  uint32 // since the dictionary was reset
	pending                    int    // of a match that did not fit in the round
	ended                      bool   // by a marker
	isMatch, isRep0Long        [lzmaStates * lzmaPosMax]uint16
	isRep, isG0, isG1, isG2    [lzmaStates]uint16
	posSlot                    [4][64]uint16
	posSpecial                 [115]uint16
	posAlign                   [16]uint16
	lens, repLens              lzmaLen
	literals                   []uint16
	win                        []byte
	dictSize, full, head, tail int
	hold                       func(int64) error
}

// setDict makes an empty window. It keeps the bytes of an earlier one.
func (d *lzma) setDict(size uint32) {
	d.dictSize = int(max(size, lzmaMinDict))
	if len(d.win) > d.dictSize {
		d.win = d.win[:d.dictSize]
	}
	d.head, d.tail = 0, 0
	d.resetDict()
}

func (d *lzma) resetDict() { d.full, d.processed = 0, 0 }

// setProps takes the properties byte: (pb*5 + lp)*9 + lc. As in liblzma lc + lp is
// at most 4; more would let a few bytes ask for 6 MB of tables.
func (d *lzma) setProps(b byte) bool {
	lc, lp, pb := uint(b%9), uint(b/9%5), uint(b/45)
	if b >= 225 || lc+lp > 4 {
		return false
	}
	d.lc, d.lpMask, d.pbMask = lc, 1<<lp-1, 1<<pb-1
	if n := 0x300 << (lc + lp); cap(d.literals) >= n {
		d.literals = d.literals[:n]
	} else {
		d.literals = make([]uint16, n)
	}
	return true
}

func resetProbs(p []uint16) {
	for i := range p {
		p[i] = lzmaProbInit
	}
}

func (l *lzmaLen) reset() {
	l.choice, l.choice2 = lzmaProbInit, lzmaProbInit
	for i := range l.low {
		resetProbs(l.low[i][:])
		resetProbs(l.mid[i][:])
	}
	resetProbs(l.high[:])
}

func (d *lzma) resetState() {
	d.state, d.rep0, d.rep1, d.rep2, d.rep3 = 0, 0, 0, 0, 0
	d.pending, d.ended = 0, false
	for _, p := range [...][]uint16{d.isMatch[:], d.isRep0Long[:], d.isRep[:], d.isG0[:], d.isG1[:], d.isG2[:],
		d.posSpecial[:], d.posAlign[:], d.literals, d.posSlot[0][:], d.posSlot[1][:], d.posSlot[2][:], d.posSlot[3][:]} {
		resetProbs(p)
	}
	d.lens.reset()
	d.repLens.reset()
}

func (d *lzma) next() byte {
	if len(d.in) == 0 {
		if d.err == nil && d.more != nil {
			d.in, d.err = d.more()
		}
		if len(d.in) == 0 {
			if d.err == nil {
				d.err = errLzmaData
			}
			return 0
		}
	}
	c := d.in[0]
	d.in = d.in[1:]
	return c
}

// startRange reads the five bytes with which the range coder begins.
func (d *lzma) startRange() error {
	d.rng, d.code = 1<<32-1, 0
	first := d.next()
	for range 4 {
		d.code = d.code<<8 | uint32(d.next())
	}
	if d.err != nil {
		return d.err
	}
	if first != 0 {
		return errLzmaData
	}
	return nil
}

func (d *lzma) normalize() {
	if d.rng < 1<<24 {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(d.next())
	}
}

func (d *lzma) bit(p *uint16) uint32 {
	if d.rng < 1<<24 {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(d.next())
	}
	v := uint32(*p)
	bound := d.rng >> 11 * v
	if d.code < bound {
		d.rng = bound
		*p = uint16(v + (2048-v)>>5)
		return 0
	}
	d.rng -= bound
	d.code -= bound
	*p = uint16(v - v>>5)
	return 1
}

// tree decodes a number of n bits, the highest first.
func (d *lzma) tree(p []uint16, n uint) uint32 {
	m := uint32(1)
	rng, code := d.rng, d.code
	for range n {
		if rng < 1<<24 {
			rng <<= 8
			if len(d.in) > 0 {
				code = code<<8 | uint32(d.in[0])
				d.in = d.in[1:]
			} else {
				code = code<<8 | uint32(d.next())
			}
		}
		v := uint32(p[m])
		if bound := rng >> 11 * v; code < bound {
			rng = bound
			p[m] = uint16(v + (2048-v)>>5)
			m <<= 1
		} else {
			rng -= bound
			code -= bound
			p[m] = uint16(v - v>>5)
			m = m<<1 | 1
		}
	}
	d.rng, d.code = rng, code
	return m - 1<<n
}

// reverseTree decodes a number of n bits, the lowest first; p is indexed from
// base.
func (d *lzma) reverseTree(p []uint16, base int, n uint) uint32 {
	m, v := uint32(1), uint32(0)
	for i := range n {
		b := d.bit(&p[base+int(m)])
		m = m<<1 | b
		v |= b << i
	}
	return v
}

func (d *lzma) direct(n uint) uint32 {
	v := uint32(0)
	for range n {
		d.normalize()
		d.rng >>= 1
		d.code -= d.rng
		t := 0 - d.code>>31
		d.code += d.rng & t
		v = v<<1 + t + 1
	}
	return v
}

func (d *lzma) length(l *lzmaLen, pos uint32) int {
	if d.bit(&l.choice) == 0 {
		return int(d.tree(l.low[pos][:], 3))
	}
	if d.bit(&l.choice2) == 0 {
		return 8 + int(d.tree(l.mid[pos][:], 3))
	}
	return 16 + int(d.tree(l.high[:], 8))
}

func (d *lzma) distance(length int) uint32 {
	slot := d.tree(d.posSlot[min(length, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	n := uint(slot>>1 - 1)
	dist := (2 | slot&1) << n
	if slot < 14 {
		return dist + d.reverseTree(d.posSpecial[:], int(dist)-int(slot), n)
	}
	dist += d.direct(n-4) << 4
	return dist + d.reverseTree(d.posAlign[:], 0, 4)
}

// at returns the byte that is dist+1 bytes back.
func (d *lzma) at(dist uint32) byte {
	i := d.head - int(dist) - 1
	if i < 0 {
		i += len(d.win)
	}
	return d.win[i]
}

func (d *lzma) put(c byte) {
	d.win[d.head] = c
	d.head++
	d.processed++
	if d.full < d.dictSize {
		d.full++
	}
}

func (d *lzma) literal() {
	prev := uint32(0)
	if d.full > 0 {
		prev = uint32(d.at(0))
	}
	index := (d.processed&d.lpMask)<<d.lc + prev>>(8-d.lc)
	p := d.literals[index*0x300 : index*0x300+0x300]
	if d.state < 7 {
		d.put(byte(d.tree(p, 8)))
		return
	}
	match := uint32(d.at(d.rep0))
	m := uint32(1)
	for m < 0x100 {
		bit := match >> 7 & 1
		match <<= 1
		b := d.bit(&p[(1+bit)<<8+m])
		m = m<<1 | b
		if bit != b {
			for m < 0x100 {
				m = m<<1 | d.bit(&p[m])
			}
		}
	}
	d.put(byte(m))
}

// copyMatch copies what is pending, up to stop.
func (d *lzma) copyMatch(stop int) {
	n := min(d.pending, stop-d.head)
	d.pending -= n
	d.processed += uint32(n)
	d.full = min(d.full+n, d.dictSize)
	from := d.head - int(d.rep0) - 1
	if from < 0 {
		from += len(d.win)
	}
	for n > 0 {
		// As far as source and target are apart, or to the end of the window.
		k := min(n, len(d.win)-from)
		if from < d.head {
			k = min(k, d.head-from)
		}
		copy(d.win[d.head:d.head+k], d.win[from:])
		d.head += k
		n -= k
		if from += k; from == len(d.win) {
			from = 0
		}
	}
}

// decode decodes until the window is filled up to stop, or the stream ends.
func (d *lzma) decode(stop int) error {
	for {
		if d.pending > 0 {
			d.copyMatch(stop)
		}
		if d.head == stop || d.ended {
			return d.err
		}
		pos := d.processed & d.pbMask
		if d.bit(&d.isMatch[d.state<<4|pos]) == 0 {
			d.literal()
			switch {
			case d.state < 4:
				d.state = 0
			case d.state < 10:
				d.state -= 3
			default:
				d.state -= 6
			}
			continue
		}
		var n int
		if d.bit(&d.isRep[d.state]) == 0 {
			d.rep3, d.rep2, d.rep1 = d.rep2, d.rep1, d.rep0
			n = d.length(&d.lens, pos)
			d.rep0 = d.distance(n)
			if d.state < 7 {
				d.state = 7
			} else {
				d.state = 10
			}
			if d.rep0 == 1<<32-1 {
				d.normalize()
				d.ended = true
				continue
			}
		} else {
			if d.bit(&d.isG0[d.state]) == 0 {
				if d.bit(&d.isRep0Long[d.state<<4|pos]) == 0 {
					if d.full <= int(d.rep0) {
						return d.damaged()
					}
					if d.state < 7 {
						d.state = 9
					} else {
						d.state = 11
					}
					d.put(d.at(d.rep0))
					continue
				}
			} else {
				var dist uint32
				if d.bit(&d.isG1[d.state]) == 0 {
					dist = d.rep1
				} else {
					if d.bit(&d.isG2[d.state]) == 0 {
						dist = d.rep2
					} else {
						dist, d.rep3 = d.rep3, d.rep2
					}
					d.rep2 = d.rep1
				}
				d.rep1, d.rep0 = d.rep0, dist
			}
			n = d.length(&d.repLens, pos)
			if d.state < 7 {
				d.state = 8
			} else {
				d.state = 11
			}
		}
		if d.err != nil {
			return d.err
		}
		if uint64(d.rep0) >= uint64(d.full) {
			return d.damaged()
		}
		d.pending = n + lzmaMatchMin
	}
}

func (d *lzma) damaged() error {
	if d.err != nil {
		return d.err
	}
	return errLzmaData
}

// room makes place in the window and returns how far a round may go.
func (d *lzma) room() (stop int, err error) {
	if d.head == len(d.win) {
		if len(d.win) < d.dictSize {
			n := min(max(2*len(d.win), lzmaFirstWin), d.dictSize)
			if d.hold != nil {
				if err := d.hold(int64(n - len(d.win))); err != nil {
					return 0, err
				}
			}
			d.win = append(make([]byte, 0, n), d.win...)[:n]
		} else {
			d.head, d.tail = 0, 0
		}
	}
	return min(d.head+lzmaRound, len(d.win)), nil
}

// take gives what is decoded and not yet read.
func (d *lzma) take(p []byte) int {
	n := copy(p, d.win[d.tail:d.head])
	d.tail += n
	return n
}

// lzmaHeader reports whether a file begins like one of the LZMA_Alone format:
// usual properties, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a length that is
// unknown or under 2^40.
func lzmaHeader(head []byte) bool {
	if len(head) < 13 || head[0] != 0x5d {
		return false
	}
	dict := binary.LittleEndian.Uint32(head[1:])
	size := binary.LittleEndian.Uint64(head[5:])
	low := dict & -dict
	return dict >= lzmaMinDict && (dict == low || dict == low*3 || dict == 1<<32-1) && (size == 1<<64-1 || size < 1<<40)
}

// lzmaReader reads the LZMA_Alone format, and that of method 14 in zip archives.
type lzmaReader struct {
	d    lzma
	br   *bufio.Reader
	left int64 // -1 until a marker
	err  error
}

func newLzmaReader(br *bufio.Reader, hold func(int64) error, inZip bool) (*lzmaReader, error) {
	z := &lzmaReader{br: br, left: -1}
	var h [13]byte
	n := len(h)
	if inZip { // APPNOTE 5.8.8: version, size of the properties, properties
		n = 9
	}
	if _, err := io.ReadFull(br, h[:n]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	props := h[:5]
	if inZip {
		if h[2] != 5 || h[3] != 0 {
			return nil, errLzmaData
		}
		props = h[4:9]
	} else if size := binary.LittleEndian.Uint64(h[5:]); size != 1<<64-1 {
		if size > 1<<62 {
			return nil, errLzmaData
		}
		z.left = int64(size)
	}
	z.d.hold = hold
	z.d.more = func() ([]byte, error) {
		if _, err := br.Peek(1); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		b, _ := br.Peek(br.Buffered())
		br.Discard(len(b))
		return b, nil
	}
	if !z.d.setProps(props[0]) {
		return nil, errLzmaData
	}
	z.d.setDict(min(binary.LittleEndian.Uint32(props[1:]), 1<<30))
	z.d.resetState()
	return z, z.d.startRange()
}

func (z *lzmaReader) Read(p []byte) (int, error) {
	for {
		if n := z.d.take(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if z.err != nil {
			return 0, z.err
		}
		if z.d.ended || z.left == 0 {
			z.err = io.EOF
			if z.left > 0 || z.d.pending > 0 {
				z.err = errLzmaData
			}
			continue
		}
		stop, err := z.d.room()
		if err != nil {
			z.err = err
			continue
		}
		if z.left >= 0 {
			stop = int(min(int64(stop), int64(z.d.head)+z.left))
		}
		head := z.d.head
		z.err = z.d.decode(stop)
		if z.left >= 0 {
			z.left -= int64(z.d.head - head)
		}
	}
}
