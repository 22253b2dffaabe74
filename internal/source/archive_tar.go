package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"penstock"
)

// tarHeader reports whether a block is the header of a tar member, of any of its
// formats: the checksum is right (POSIX pax, "ustar Interchange Format").
func tarHeader(b []byte) bool {
	const at, end = 148, 156
	if b[0] == 0 {
		return false // no member is without a name
	}
	want, digits := int64(0), 0
	for _, c := range b[at:end] {
		switch {
		case c >= '0' && c <= '7':
			want = want<<3 | int64(c-'0')
			digits++
		case c != ' ' && c != 0:
			return false
		}
	}
	if digits == 0 {
		return false
	}
	var sum, signed int64 // some old writers took bytes as signed
	for i, c := range b[:tarBlock] {
		if i >= at && i < end {
			c = ' '
		}
		sum += int64(c)
		signed += int64(int8(c))
	}
	return sum == want || signed == want
}

// seekReader reads a file through a buffer, and seeks without reading, which
// archive/tar makes use of for members that nobody reads.
type seekReader struct {
	at   io.ReaderAt
	size int64
	pos  int64 // of the next byte to give
	buf  []byte
	from int64 // place of buf[0]
	n    int   // bytes in buf
}

func (s *seekReader) Read(p []byte) (int, error) {
	if s.pos < s.from || s.pos >= s.from+int64(s.n) {
		if s.pos >= s.size {
			return 0, io.EOF
		}
		if len(p) >= len(s.buf) {
			n, err := s.at.ReadAt(p[:min(int64(len(p)), s.size-s.pos)], s.pos)
			s.pos += int64(n)
			return n, orShort(n, err)
		}
		n, err := s.at.ReadAt(s.buf[:min(int64(len(s.buf)), s.size-s.pos)], s.pos)
		s.from, s.n = s.pos, n
		if n == 0 {
			return 0, orShort(0, err)
		}
	}
	n := copy(p, s.buf[s.pos-s.from:s.n])
	s.pos += int64(n)
	return n, nil
}

// orShort is the error of a read of n bytes that were there when it began.
func orShort(n int, err error) error {
	if n > 0 || err == nil {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *seekReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return s.pos, errors.New("seek before the start")
	}
	s.pos = offset
	return offset, nil
}

func (e *expander) tar(ctx context.Context, c *container, in input) error {
	if in.at != nil {
		b := e.scratch.head()
		defer e.scratch.putHead(b)
		s := &seekReader{at: in.at, size: in.size, buf: b}
		return e.tarMembers(ctx, c, s, s)
	}
	return e.tarMembers(ctx, c, in.r, nil)
}

// tarMembers visits the members of one or more archives in a row. File is set
// where members can be read at any place.
func (e *expander) tarMembers(ctx context.Context, c *container, r io.Reader, file *seekReader) error {
	count := &counter{r: r}
	var stream io.Reader = count
	if file != nil {
		stream = file // for its Seek
	}
	for {
		t := tar.NewReader(stream)
		for {
			h, err := t.Next()
			if err == io.EOF {
				break
			}
			if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
				if err == tar.ErrHeader {
					return errors.New("a header is damaged; what follows was not read")
				}
				return err
			}
			if err := e.tarMember(ctx, c, h, t, count, file); err != nil {
				return err
			}
		}
		// Behind the end there may be padding, or another archive: programs differ
		// in whether they read it.
		block, err := nextTarBlock(stream)
		if block == nil {
			return err
		}
		if !tarHeader(block) {
			return errors.New("bytes behind the end of the archive were not read")
		}
		stream = io.MultiReader(bytes.NewReader(block), count)
		if file != nil {
			file.pos -= tarBlock
			stream = file
		}
	}
}

// nextTarBlock returns the next block that is not zero, nil at the end. What is
// less than a block is padding if it is zero, and part of nothing if not.
func nextTarBlock(r io.Reader) ([]byte, error) {
	var b [tarBlock]byte
	for {
		n, err := io.ReadFull(r, b[:])
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF && isZero(b[:n]):
			// The stream may also have been cut: then its own error says so.
			_, err = r.Read(b[:1])
			if err == io.EOF {
				err = nil
			}
			return nil, err
		case err == io.ErrUnexpectedEOF:
			return nil, errors.New("bytes behind the end of the archive were not read")
		case err != nil:
			return nil, err
		case !isZero(b[:]):
			return b[:], nil
		}
	}
}

func (e *expander) tarMember(ctx context.Context, c *container, h *tar.Header, t *tar.Reader, count *counter, file *seekReader) error {
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return e.count()
	case tar.TypeSymlink:
		return e.skip(c, h.Name, penstock.ReasonSymlink, fmt.Sprintf("to %.200q", h.Linkname))
	case tar.TypeLink:
		return e.skip(c, h.Name, penstock.ReasonSymlink, fmt.Sprintf("hard link to %.200q", h.Linkname))
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return e.skip(c, h.Name, penstock.ReasonSpecial, "")
	}
	if h.Size == 0 && strings.HasSuffix(h.Name, "/") {
		return e.count() // a folder in the oldest format
	}
	in := input{r: t, size: h.Size}
	if sparse(h) {
		// The holes are bytes that nothing was read for.
		m := &meter{r: t, b: e.Budget, in: &count.n}
		if file != nil {
			m.in = &file.pos
		}
		in.r = m
	} else if file != nil && h.Size <= file.size-file.pos {
		in.at = io.NewSectionReader(file.at, file.pos, h.Size)
	}
	// Unread rests of a member are skipped by Next.
	p := e.peek(in.r)
	defer e.unpeek(p)
	in.r = p
	return e.member(ctx, c, h.Name, h.Size, h.Mode&0o111 != 0, in)
}

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}
