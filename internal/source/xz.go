package source

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"hash/fnv"
	"io"
)

// The .xz format, as in its specification version 1.2.1 (xz-file-format.txt),
// whose section is given. Only the LZMA2 filter is there: the filters for machine
// code are of use for programs, in which we do not look.

const (
	xzMagic      = "\xfd7zXZ\x00"
	xzFooter     = "YZ"
	xzLZMA2      = 0x21 // 5.3.1
	xzHeaderMax  = 1024
	lzma2DictMax = 40 // 5.3.1: 4 GiB
)

var (
	errXzData = errors.New("the xz data are damaged")
	crc64ECMA = crc64.MakeTable(crc64.ECMA)
)

// xzReader reads a file of streams of blocks.
type xzReader struct {
	br    *bufio.Reader
	n     int64 // bytes taken
	d     lzma
	chunk []byte

	err     error
	inBlock bool
	flags   byte // of the stream: the kind of check
	check   hash.Hash

	// The block.
	start               int64 // of its header
	wantIn, wantOut     int64 // -1 if the header does not say
	dataStart, out      int64
	needDict, needProps bool
	// The chunk.
	left   int // bytes that it still gives
	stored bool

	blocks  uint64
	records hash.Hash64 // of the sizes of all blocks
}

func newXzReader(br *bufio.Reader, hold func(int64) error) (*xzReader, error) {
	z := &xzReader{br: br}
	z.d.hold = hold
	return z, z.startStream()
}

func (z *xzReader) full(p []byte) error {
	n, err := io.ReadFull(z.br, p)
	z.n += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (z *xzReader) byte() (byte, error) {
	c, err := z.br.ReadByte()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	z.n++
	return c, nil
}

// startStream reads a stream header, 2.1.1.
func (z *xzReader) startStream() error {
	var h [12]byte
	if err := z.full(h[:]); err != nil {
		return err
	}
	if string(h[:6]) != xzMagic || h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errXzData
	}
	z.flags = h[7]
	z.blocks, z.records = 0, fnv.New64a()
	return nil
}

// startBlock reads a block header, 3.1, or the index behind the last block.
func (z *xzReader) startBlock() (more bool, err error) {
	z.start = z.n
	size, err := z.byte()
	if err != nil {
		return false, err
	}
	if size == 0 {
		return false, z.index()
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := z.full(h[1:]); err != nil {
		return false, err
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(h[len(h)-4:]) {
		return false, errXzData
	}
	flags := body[1]
	b := body[2:]
	z.wantIn, z.wantOut = -1, -1
	for _, f := range [...]struct {
		set  bool
		size *int64
	}{{flags&0x40 != 0, &z.wantIn}, {flags&0x80 != 0, &z.wantOut}} {
		if f.set {
			v, n := binary.Uvarint(b)
			if n <= 0 || v > 1<<62 {
				return false, errXzData
			}
			*f.size, b = int64(v), b[n:]
		}
	}
	if flags&0x3c != 0 {
		return false, errXzData
	}
	id, n := binary.Uvarint(b)
	if n <= 0 {
		return false, errXzData
	}
	if flags&3 != 0 || id != xzLZMA2 {
		return false, fmt.Errorf("xz filter %#x is not supported", id)
	}
	if b = b[n:]; len(b) < 2 || b[0] != 1 || b[1] > lzma2DictMax || len(bytes.Trim(b[2:], "\x00")) > 0 {
		return false, errXzData
	}
	dict := uint32(1<<32 - 1)
	if b[1] < lzma2DictMax {
		dict = (2 | uint32(b[1])&1) << (b[1]/2 + 11)
	}
	z.d.setDict(min(dict, 1<<30))
	z.dataStart, z.out = z.n, 0
	z.needDict, z.needProps = true, true
	switch z.flags { // 2.1.1.2
	case 0:
		z.check = nil
	case 1:
		z.check = crc32.NewIEEE()
	case 4:
		z.check = crc64.New(crc64ECMA)
	case 10:
		z.check = sha256.New()
	default:
		return false, fmt.Errorf("xz check %d is not supported", z.flags)
	}
	return true, nil
}

// endBlock reads padding and check, 3.3 and 3.4.
func (z *xzReader) endBlock() error {
	in := z.n - z.dataStart
	unpadded := z.n - z.start
	if z.wantIn >= 0 && z.wantIn != in || z.wantOut >= 0 && z.wantOut != z.out {
		return errXzData
	}
	for (z.n-z.start)%4 != 0 {
		if c, err := z.byte(); err != nil || c != 0 {
			return orData(err)
		}
	}
	if z.check != nil {
		want := z.check.Sum(nil)
		got := make([]byte, len(want))
		if err := z.full(got); err != nil {
			return err
		}
		if z.flags != 10 { // the CRCs are little endian
			for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
				got[i], got[j] = got[j], got[i]
			}
		}
		if !bytes.Equal(got, want) {
			return errors.New("the checksum is wrong")
		}
		unpadded += int64(len(got))
	}
	z.blocks++
	z.record(uint64(unpadded), uint64(z.out))
	return nil
}

func orData(err error) error {
	if err != nil {
		return err
	}
	return errXzData
}

func (z *xzReader) record(in, out uint64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], in)
	binary.LittleEndian.PutUint64(b[8:], out)
	z.records.Write(b[:])
}

// index reads the index, 4, compares it with the blocks, and reads the footer,
// 2.1.2. Its first byte was read.
func (z *xzReader) index() error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	number := func() (uint64, error) {
		v := uint64(0)
		for i := range 9 {
			c, err := z.byte()
			if err != nil {
				return 0, err
			}
			sum.Write([]byte{c})
			v |= uint64(c&0x7f) << (7 * i)
			if c < 0x80 {
				return v, nil
			}
		}
		return 0, errXzData
	}
	count, err := number()
	if err != nil || count != z.blocks {
		return orData(err)
	}
	want := z.records.Sum64()
	z.records.Reset()
	for range count {
		in, err := number()
		if err != nil {
			return err
		}
		out, err := number()
		if err != nil {
			return err
		}
		z.record(in, out)
	}
	if z.records.Sum64() != want {
		return errXzData
	}
	for (z.n-z.start)%4 != 0 {
		c, err := z.byte()
		if err != nil || c != 0 {
			return orData(err)
		}
		sum.Write([]byte{0})
	}
	size := z.n - z.start + 4
	var f [16]byte // checksum of the index, then the footer
	if err := z.full(f[:]); err != nil {
		return err
	}
	le := binary.LittleEndian
	if le.Uint32(f[:]) != sum.Sum32() || le.Uint32(f[4:]) != crc32.ChecksumIEEE(f[8:14]) ||
		(int64(le.Uint32(f[8:]))+1)*4 != size || f[12] != 0 || f[13] != z.flags || string(f[14:]) != xzFooter {
		return errXzData
	}
	return nil
}

// nextStream reads the padding between streams and the next header; more is false
// at the end of the file.
func (z *xzReader) nextStream() (more bool, err error) {
	for {
		b, err := z.br.Peek(4)
		if len(b) == 0 && err == io.EOF {
			return false, nil
		}
		if string(b) != "\x00\x00\x00\x00" {
			break
		}
		z.br.Discard(4)
	}
	if b, _ := z.br.Peek(6); string(b) != xzMagic {
		return false, errTrailing
	}
	return true, z.startStream()
}

// startChunk reads the header of a chunk of LZMA2, which only its decoders
// describe: more is false at the end of the block's data.
func (z *xzReader) startChunk() (more bool, err error) {
	c, err := z.byte()
	if err != nil || c == 0 {
		return false, err
	}
	if c == 1 || c >= 0xe0 {
		z.d.resetDict()
		z.needDict = false
	}
	if z.needDict || c > 2 && c < 0x80 {
		return false, errXzData
	}
	z.stored = c < 0x80
	h := make([]byte, 2, 5)
	if !z.stored {
		h = h[:4]
		if c >= 0xc0 {
			h = h[:5]
		}
	}
	if err := z.full(h); err != nil {
		return false, err
	}
	z.left = int(binary.BigEndian.Uint16(h)) + 1
	if z.stored {
		return true, nil
	}
	z.left += int(c&0x1f) << 16
	size := int(binary.BigEndian.Uint16(h[2:])) + 1
	if c >= 0xc0 {
		if !z.d.setProps(h[4]) {
			return false, errXzData
		}
		z.needProps = false
	}
	if z.needProps {
		return false, errXzData
	}
	if c >= 0xa0 {
		z.d.resetState()
	}
	if z.chunk == nil {
		z.chunk = make([]byte, 1<<16)
	}
	if err := z.full(z.chunk[:size]); err != nil {
		return false, err
	}
	z.d.in, z.d.err = z.chunk[:size], nil
	return true, z.d.startRange()
}

// fill decodes one round.
func (z *xzReader) fill() error {
	if !z.inBlock {
		more, err := z.startBlock()
		if err != nil {
			return err
		}
		if !more {
			if more, err = z.nextStream(); err == nil && !more {
				err = io.EOF
			}
			return err
		}
		z.inBlock = true
	}
	if z.left == 0 {
		more, err := z.startChunk()
		if err != nil {
			return err
		}
		if !more {
			z.inBlock = false
			return z.endBlock()
		}
	}
	stop, err := z.d.room()
	if err != nil {
		return err
	}
	stop = min(stop, z.d.head+z.left)
	head := z.d.head
	if z.stored {
		if err := z.full(z.d.win[head:stop]); err != nil {
			return err
		}
		n := stop - head
		z.d.head = stop
		z.d.processed += uint32(n)
		z.d.full = min(z.d.full+n, z.d.dictSize)
	} else if err := z.d.decode(stop); err != nil {
		return err
	}
	got := z.d.win[head:z.d.head]
	if z.check != nil {
		z.check.Write(got)
	}
	z.out += int64(len(got))
	if z.left -= len(got); z.left == 0 && !z.stored {
		if z.d.normalize(); z.d.err != nil || len(z.d.in) > 0 || z.d.code != 0 || z.d.pending > 0 {
			return errLzmaData
		}
	} else if z.d.ended {
		return errLzmaData // LZMA2 has no marker
	}
	return nil
}

func (z *xzReader) Read(p []byte) (int, error) {
	for {
		if n := z.d.take(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if z.err != nil {
			return 0, z.err
		}
		z.err = z.fill()
	}
}
