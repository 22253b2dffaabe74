package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/zlib"
)

// zlibStream is a streaming reader that is kept for the next stream.
type zlibStream struct {
	r  io.ReadCloser
	br *bufio.Reader
}

func (z *zlibStream) reset(from io.Reader) (io.Reader, error) {
	if z.r == nil {
		r, err := zlib.NewReader(from)
		if err != nil {
			return nil, err
		}
		z.r = r
		return r, nil
	}
	if err := z.r.(zlib.Resetter).Reset(from, nil); err != nil {
		return nil, err
	}
	return z.r, nil
}

func (z *zlibStream) buffered(from io.Reader) *bufio.Reader {
	if z.br == nil {
		z.br = bufio.NewReaderSize(nil, 16<<10)
	}
	z.br.Reset(from)
	return z.br
}

func loosePath(id ObjectID) string {
	s := id.String()
	return s[:2] + "/" + s[2:]
}

// openLoose opens a loose object and reads its header.
func (g *Git) openLoose(dir gitFolder, id ObjectID, z *zlibStream) (*File, io.Reader, ObjectKind, int64, error) {
	f, _, err := dir.open(loosePath(id))
	if err != nil {
		return nil, nil, 0, 0, err
	}
	r, err := z.reset(z.buffered(f))
	var kind ObjectKind
	var size int64
	if err == nil {
		kind, size, err = looseHeader(r)
	}
	if err != nil {
		f.Close()
		return nil, nil, 0, 0, fmt.Errorf("loose object: %w: %w", ErrCorrupt, err)
	}
	return f, r, kind, size, nil
}

// looseHeader reads "blob 123" and the zero byte behind it.
func looseHeader(r io.Reader) (ObjectKind, int64, error) {
	var head [32]byte
	for i := range head {
		if _, err := io.ReadFull(r, head[i:i+1]); err != nil {
			return 0, 0, err
		}
		if head[i] != 0 {
			continue
		}
		name, digits, _ := bytes.Cut(head[:i], []byte(" "))
		kind, known := parseObjectKind(string(name))
		size, err := strconv.ParseUint(string(digits), 10, 63)
		if !known || err != nil || digits[0] == '+' {
			return 0, 0, fmt.Errorf("the header is %q", head[:i])
		}
		return kind, int64(size), nil
	}
	return 0, 0, errors.New("the header does not end")
}

func (g *Git) loose(dir gitFolder, id ObjectID) (ObjectKind, []byte, error) {
	f, r, kind, size, err := g.openLoose(dir, id, &g.stream)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	if size > g.maxObject {
		return kind, nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	data, err := readSized(r, size)
	g.work += int64(len(data))
	if err != nil {
		return 0, nil, fmt.Errorf("loose object: %w: %w", ErrCorrupt, err)
	}
	if g.sum(kind, data) != id {
		return 0, nil, fmt.Errorf("a loose object holds something else: %w", ErrCorrupt)
	}
	return kind, data, nil
}

// readSized reads a stream that must have exactly size bytes. What it allocates
// follows what comes, not what was claimed.
func readSized(r io.Reader, size int64) ([]byte, error) {
	const first = 1 << 20
	data := make([]byte, 0, min(size, first))
	for {
		if int64(len(data)) == size {
			var one [1]byte
			if n, err := io.ReadFull(r, one[:]); n > 0 || err != io.EOF {
				return data, errors.Join(errOutputFull, err)
			}
			return data, nil
		}
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(size, 4*int64(cap(data))))
			copy(grown, data)
			data = grown
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil && (err != io.EOF || int64(len(data)) < size) {
			return data, fmt.Errorf("%d of %d bytes: %w", len(data), size, err)
		}
	}
}
