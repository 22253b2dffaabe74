package source

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

// The LZ4 frame format 1.6.2 and block format (lz4_Frame_format.md and
// lz4_Block_format.md of the reference implementation), and the old frame that
// Linux kernel images have.

const (
	lz4Magic    = 0x184d2204
	lz4OldMagic = 0x184c2102
	lz4Skip     = 0x184d2a50 // and the 15 after it
	lz4OldBlock = 8 << 20
	lz4Window   = 64 << 10
)

var errLz4Data = errors.New("the lz4 data are damaged")

type lz4Reader struct {
	br   *bufio.Reader
	hold func(int64) error
	err  error

	old, blockSum, contentSum bool
	inFrame                   bool
	blockMax                  int
	left                      int64 // of the content, -1 if the frame does not say
	sum                       xxh32
	in                        []byte
	// out is the window before the block, then the block, of which taken is read.
	out   []byte
	taken int
}

func newLz4Reader(br *bufio.Reader, hold func(int64) error) (*lz4Reader, error) {
	z := &lz4Reader{br: br, hold: hold}
	return z, z.startFrame()
}

func (z *lz4Reader) uint32() (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(z.br, b[:]); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// startFrame reads the header of the next frame that holds data, or returns io.EOF.
func (z *lz4Reader) startFrame() error {
	for {
		b, err := z.br.Peek(4)
		if len(b) == 0 {
			return err
		}
		if len(b) < 4 {
			return errTrailing
		}
		magic := binary.LittleEndian.Uint32(b)
		if magic != lz4Magic && magic != lz4OldMagic && magic&^15 != lz4Skip {
			return errTrailing
		}
		z.br.Discard(4)
		switch magic {
		case lz4Magic:
			return z.frameHeader()
		case lz4OldMagic:
			z.old, z.blockSum, z.contentSum = true, false, false
			z.left = -1
			return z.begin(lz4OldBlock)
		}
		n, err := z.uint32()
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, z.br, int64(n)); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
}

func (z *lz4Reader) frameHeader() error {
	h := make([]byte, 2, 15)
	if _, err := io.ReadFull(z.br, h); err != nil {
		return io.ErrUnexpectedEOF
	}
	flags, size := h[0], h[1]>>4&7
	n := 1
	if flags&0x08 != 0 {
		n += 8
	}
	if flags&0x01 != 0 {
		n += 4
	}
	h = h[:2+n]
	if _, err := io.ReadFull(z.br, h[2:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	var sum xxh32
	sum.reset()
	sum.write(h[:len(h)-1])
	if flags>>6 != 1 || flags&0x02 != 0 || h[1]&0x8f != 0 || size < 4 || byte(sum.sum()>>8) != h[len(h)-1] {
		return errLz4Data
	}
	if flags&0x01 != 0 {
		return errors.New("lz4 with a dictionary is not supported")
	}
	z.old = false
	z.blockSum, z.contentSum = flags&0x10 != 0, flags&0x04 != 0
	z.left = -1
	if flags&0x08 != 0 {
		z.left = int64(binary.LittleEndian.Uint64(h[2:]) & (1<<63 - 1))
	}
	return z.begin(1 << (8 + 2*size))
}

func (z *lz4Reader) begin(blockMax int) error {
	if blockMax > z.blockMax {
		if err := z.hold(2 * int64(blockMax-z.blockMax)); err != nil {
			return err
		}
		z.blockMax = blockMax
	}
	z.inFrame = true
	z.out, z.taken = z.out[:0], 0
	z.sum.reset()
	return nil
}

// block reads and decodes the next block, or the end of the frame.
func (z *lz4Reader) block() error {
	if !z.inFrame {
		return z.startFrame()
	}
	if z.old {
		b, _ := z.br.Peek(4)
		if len(b) == 0 {
			return io.EOF
		}
		if m := binary.LittleEndian.Uint32(append(b[:len(b):len(b)], 0, 0, 0, 0)); m == lz4OldMagic || m == lz4Magic {
			z.inFrame = false
			return nil
		}
	}
	n, err := z.uint32()
	if err != nil {
		return err
	}
	if n == 0 && !z.old {
		return z.endFrame()
	}
	plain := n>>31 != 0 && !z.old
	if !z.old {
		n &= 1<<31 - 1
	}
	// A block may be a little larger than its content, in the old format.
	if int64(n) > int64(z.blockMax)+int64(z.blockMax)/255+16 {
		return errLz4Data
	}
	if cap(z.in) < int(n) {
		z.in = make([]byte, n)
	}
	z.in = z.in[:n]
	if _, err := io.ReadFull(z.br, z.in); err != nil {
		return io.ErrUnexpectedEOF
	}
	if z.blockSum {
		want, err := z.uint32()
		if err != nil {
			return err
		}
		var sum xxh32
		sum.reset()
		sum.write(z.in)
		if sum.sum() != want {
			return errors.New("the checksum is wrong")
		}
	}
	if keep := min(len(z.out), lz4Window); keep < len(z.out) {
		copy(z.out, z.out[len(z.out)-keep:])
		z.out = z.out[:keep]
	}
	start := len(z.out)
	if z.old {
		z.out, start = z.out[:0], 0
	}
	if plain {
		z.out = append(z.out, z.in...)
	} else if z.out, err = lz4Block(z.out, z.in, start+z.blockMax); err != nil {
		return err
	}
	z.taken = start
	if got := int64(len(z.out) - start); z.left >= 0 {
		if z.left -= got; z.left < 0 {
			return errLz4Data
		}
	}
	if z.contentSum {
		z.sum.write(z.out[start:])
	}
	return nil
}

func (z *lz4Reader) endFrame() error {
	z.inFrame = false
	if z.left > 0 {
		return errLz4Data
	}
	if !z.contentSum {
		return nil
	}
	want, err := z.uint32()
	if err == nil && want != z.sum.sum() {
		err = errors.New("the checksum is wrong")
	}
	return err
}

// lz4Block decodes a block behind dst, which holds the window, up to max bytes.
func lz4Block(dst, src []byte, max int) ([]byte, error) {
	number := func(n int) (int, bool) {
		if n != 15 {
			return n, true
		}
		for len(src) > 0 {
			c := src[0]
			src = src[1:]
			if n += int(c); c != 255 {
				return n, true
			}
		}
		return 0, false
	}
	for len(src) > 0 {
		token := src[0]
		src = src[1:]
		n, ok := number(int(token >> 4))
		if !ok || n > len(src) || len(dst)+n > max {
			return dst, errLz4Data
		}
		dst = append(dst, src[:n]...)
		if src = src[n:]; len(src) == 0 {
			break // the last sequence has no match
		}
		if len(src) < 2 {
			return dst, errLz4Data
		}
		offset := int(binary.LittleEndian.Uint16(src))
		src = src[2:]
		n, ok = number(int(token & 15))
		n += 4
		if !ok || offset == 0 || offset > len(dst) || len(dst)+n > max {
			return dst, errLz4Data
		}
		for n > 0 {
			k := min(n, offset)
			from := len(dst) - offset
			dst = append(dst, dst[from:from+k]...)
			n -= k
		}
	}
	return dst, nil
}

func (z *lz4Reader) Read(p []byte) (int, error) {
	for {
		if z.taken < len(z.out) {
			n := copy(p, z.out[z.taken:])
			z.taken += n
			return n, nil
		}
		if z.err != nil {
			return 0, z.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		z.err = z.block()
	}
}

// xxh32 is the 32-bit xxHash with seed 0 (xxhash_spec.md).
type xxh32 struct {
	v   [4]uint32
	buf [16]byte
	n   int // in buf
	all uint64
}

const (
	xxPrime1 = 2654435761
	xxPrime2 = 2246822519
	xxPrime3 = 3266489917
	xxPrime4 = 668265263
	xxPrime5 = 374761393
)

func (x *xxh32) reset() {
	var p1, p2 uint32 = xxPrime1, xxPrime2
	*x = xxh32{v: [4]uint32{p1 + p2, p2, 0, -p1}}
}

func (x *xxh32) stripe(b []byte) {
	for i := range x.v {
		x.v[i] = bits.RotateLeft32(x.v[i]+binary.LittleEndian.Uint32(b[4*i:])*xxPrime2, 13) * xxPrime1
	}
}

func (x *xxh32) write(b []byte) {
	x.all += uint64(len(b))
	if x.n > 0 {
		k := copy(x.buf[x.n:], b)
		x.n += k
		if b = b[k:]; x.n < len(x.buf) {
			return
		}
		x.stripe(x.buf[:])
	}
	for ; len(b) >= 16; b = b[16:] {
		x.stripe(b)
	}
	x.n = copy(x.buf[:], b)
}

func (x *xxh32) sum() uint32 {
	h := x.v[2] + xxPrime5
	if x.all >= 16 {
		h = bits.RotateLeft32(x.v[0], 1) + bits.RotateLeft32(x.v[1], 7) + bits.RotateLeft32(x.v[2], 12) + bits.RotateLeft32(x.v[3], 18)
	}
	h += uint32(x.all)
	b := x.buf[:x.n]
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxPrime3, 17) * xxPrime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxPrime5, 11) * xxPrime1
	}
	h ^= h >> 15
	h *= xxPrime2
	h ^= h >> 13
	h *= xxPrime3
	return h ^ h>>16
}
