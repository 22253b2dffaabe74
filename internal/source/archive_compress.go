package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// kindDeflate is the naked stream of zip members.
const kindDeflate Kind = -1

// errTrailing ends a stream behind which there are bytes that are no part of it.
var errTrailing = errors.New("bytes behind the end of the compressed data were not read")

// decoder is a decompressor at work: metered, its memory counted.
type decoder struct {
	meter
	counter  counter
	br       *bufio.Reader
	held     int64
	trailing bool
	reuse    any // goes back to the scratch
	done     func()
}

// decompress opens a stream. The caller closes what it returns without an error.
func (e *expander) decompress(kind Kind, r io.Reader, inZip bool) (*decoder, error) {
	d := &decoder{counter: counter{r: r}}
	d.br = e.scratch.buffered(&d.counter)
	d.meter = meter{b: e.Budget, in: &d.counter.n}
	hold := func(n int64) error {
		if err := e.hold(n); err != nil {
			return err
		}
		d.held += n
		return nil
	}
	var err error
	switch kind {
	case kindDeflate:
		f := e.scratch.inflater(d.br)
		d.meter.r, d.reuse = f, f
	case KindGzip:
		var g *gzipReader
		g, err = e.scratch.gunzip(d.br)
		d.meter.r, d.reuse = g, g
	case KindBzip2:
		// Blocks are up to 900 kB, for which it takes four times that at once, also
		// for an empty stream: thousands of those would cost seconds.
		const tables = 4 << 20
		if err = hold(tables); err != nil {
			break
		}
		if e.setup += tables; e.setup > e.limits.Bytes {
			err = e.overflow()
			break
		}
		d.meter.r = bzip2.NewReader(d.br)
	case KindXz:
		d.meter.r, err = newXzReader(d.br, hold)
	case KindLzma:
		d.meter.r, err = newLzmaReader(d.br, hold, inZip)
	case KindLz4:
		d.meter.r, err = newLz4Reader(d.br, hold)
	case KindZstd:
		err = d.openZstd(e.Budget, hold)
	default:
		err = fmt.Errorf("%s is not supported", kind)
	}
	if err != nil {
		d.close(e)
		return nil, err
	}
	return d, nil
}

// openZstd bounds the window by the memory that is left. The decoder works in the
// caller's goroutine.
func (d *decoder) openZstd(b *Budget, hold func(int64) error) error {
	window := uint64(1 << 20)
	head, _ := d.br.Peek(zstd.HeaderMaxSize)
	var h zstd.Header
	if err := h.Decode(head); err == nil && !h.Skippable {
		window = h.WindowSize
		if h.HasFCS {
			window = min(window, h.FrameContentSize)
		}
	}
	if window > 1<<62 {
		window = 1 << 62
	}
	left := max(b.limits.Memory-b.memory, 1<<20)
	if err := hold(int64(window)); err != nil {
		return err
	}
	if window <= zstdKept {
		if z, found := pop(&b.scratch.zstds); found {
			d.meter.r, d.reuse = z, z
			return z.Reset(d.br)
		}
		left = zstdKept
	}
	z, err := zstd.NewReader(d.br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(uint64(left)))
	if err != nil {
		return err
	}
	d.meter.r = z
	if window <= zstdKept {
		d.reuse = z
	} else {
		d.done = z.Close
	}
	return nil
}

// zstdKept is the largest window of a decoder that is kept for the next stream:
// the largest that zstd makes without being asked to.
const zstdKept = 8 << 20

func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.meter.Read(p)
	switch {
	case err == nil, err == io.EOF:
	case err == errTrailing:
		d.trailing = true
		err = io.EOF
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = &capError{detail: "needs more memory than a container may hold"}
	}
	return n, err
}

// close gives back memory and buffers.
func (d *decoder) close(e *expander) {
	e.release(d.held)
	d.held = 0
	e.scratch.putBuffered(d.br)
	switch r := d.reuse.(type) {
	case io.ReadCloser:
		e.scratch.inflaters = append(e.scratch.inflaters, r)
	case *zstd.Decoder:
		r.Reset(nil)
		e.scratch.zstds = append(e.scratch.zstds, r)
	case *gzipReader:
		if r != nil {
			e.scratch.gzips = append(e.scratch.gzips, r)
		}
	}
	if d.done != nil {
		d.done()
	}
}

// compressed opens a compressed file: its one file, or the members of the tar or
// cpio archive that it is.
func (e *expander) compressed(ctx context.Context, c *container, kind Kind, r io.Reader, inner string) error {
	d, err := e.decompress(kind, r, false)
	if err == io.EOF {
		return nil // empty
	}
	if err != nil {
		return err
	}
	defer d.close(e)
	p := e.peek(d)
	defer e.unpeek(p)
	if len(p.head) == 0 && p.failed() != nil {
		return p.failed()
	}
	switch k := Detect(inner, p.head); k {
	case KindTar, KindCpio:
		// One container for the user: a.tar.gz!/b.
		err = e.open(ctx, c, k, input{r: p, size: -1})
	default:
		err = e.member(ctx, c, inner, -1, false, input{r: p, size: -1})
	}
	if err == nil && d.trailing {
		err = errTrailing
	}
	return err
}

// gzipReader reads all members of a gzip file (RFC 1952, 2.2), zeros behind them
// as tapes have, and nothing else.
type gzipReader struct {
	br *bufio.Reader
	z  *gzip.Reader
}

func (g *gzipReader) start() error {
	var err error
	if g.z == nil {
		g.z, err = gzip.NewReader(g.br)
	} else {
		err = g.z.Reset(g.br)
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	g.z.Multistream(false)
	return nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if err != io.EOF || n > 0 {
			if err == io.EOF {
				err = nil // comes again
			}
			return n, err
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// next begins the next member, or returns io.EOF.
func (g *gzipReader) next() error {
	for {
		b, err := g.br.Peek(2)
		if len(b) == 0 {
			return err
		}
		if b[0] == 0 {
			b, _ = g.br.Peek(g.br.Buffered())
			zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
			g.br.Discard(zeros)
			continue
		}
		if len(b) < 2 || b[0] != 0x1f || b[1] != 0x8b {
			return errTrailing
		}
		return g.start()
	}
}

// scratch keeps what is costly to make from one container to the next.
type scratch struct {
	heads     [][]byte
	buffers   []*bufio.Reader
	inflaters []io.ReadCloser
	gzips     []*gzipReader
	zstds     []*zstd.Decoder
}

func pop[T any](list *[]T) (v T, found bool) {
	n := len(*list)
	if n == 0 {
		return v, false
	}
	v = (*list)[n-1]
	*list = (*list)[:n-1]
	return v, true
}

func (s *scratch) head() []byte {
	if b, found := pop(&s.heads); found {
		return b
	}
	return make([]byte, TextHead)
}

func (s *scratch) putHead(b []byte) { s.heads = append(s.heads, b) }

func (s *scratch) buffered(r io.Reader) *bufio.Reader {
	if b, found := pop(&s.buffers); found {
		b.Reset(r)
		return b
	}
	return bufio.NewReaderSize(r, 32<<10)
}

func (s *scratch) putBuffered(b *bufio.Reader) {
	b.Reset(nil)
	s.buffers = append(s.buffers, b)
}

func (s *scratch) inflater(br *bufio.Reader) io.ReadCloser {
	if f, found := pop(&s.inflaters); found {
		f.(flate.Resetter).Reset(br, nil)
		return f
	}
	return flate.NewReader(br)
}

func (s *scratch) gunzip(br *bufio.Reader) (*gzipReader, error) {
	g, found := pop(&s.gzips)
	if !found {
		g = new(gzipReader)
	}
	g.br = br
	if err := g.start(); err != nil {
		return nil, err
	}
	return g, nil
}
