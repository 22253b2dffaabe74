package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"penstock"
)

const (
	arMagic    = "!<arch>\n"
	arHeader   = 60
	arNamesMax = 8 << 20 // of the table of long names
	arNameMax  = 1 << 16
)

// ar reads the archives of ar(1), in the ways of GNU and of BSD to write long
// names. deb packages are such.
func (e *expander) ar(ctx context.Context, c *container, in input) error {
	var r io.Reader = in.r
	if in.at != nil {
		b := e.scratch.head()
		defer e.scratch.putHead(b)
		r = &seekReader{at: in.at, size: in.size, buf: b}
	}
	var magic [len(arMagic)]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil || string(magic[:]) != arMagic {
		return errors.New("not an ar archive")
	}
	var names []byte
	for {
		var h [arHeader]byte
		n, err := io.ReadFull(r, h[:])
		if err == io.EOF || err == io.ErrUnexpectedEOF && len(bytes.Trim(h[:n], "\n\x00")) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if string(h[58:]) != "`\n" {
			return errors.New("a header is damaged; what follows was not read")
		}
		size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
		if err != nil || size < 0 {
			return errors.New("a header is damaged; what follows was not read")
		}
		mode, _ := strconv.ParseUint(strings.TrimRight(string(h[40:48]), " "), 8, 32)
		body := &body{r, size}
		name := strings.TrimRight(string(h[:16]), " ")
		switch {
		case name == "/" || name == "/SYM64/" || name == "__.SYMDEF": // an index of symbols
			err = e.count()
		case name == "//":
			if size > arNamesMax {
				return errors.New("the table of long names is too long")
			}
			names = make([]byte, 0, 1024)
			names, err = appendAll(names, body)
		default:
			name, err = arName(name, names, body)
			if err != nil {
				return err
			}
			if strings.HasPrefix(name, "__.SYMDEF") {
				err = e.count()
				break
			}
			err = e.member(ctx, c, name, body.n, mode&0o111 != 0, input{r: body, size: body.n})
		}
		if err != nil {
			return err
		}
		if err := discard(r, body.n+size&1); err != nil {
			if err == io.ErrUnexpectedEOF && body.n == 0 {
				return nil // the last padding may be missing
			}
			return err
		}
	}
}

// appendAll is io.ReadAll into b.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	_, err := buf.ReadFrom(r)
	return buf.Bytes(), err
}

// discard skips n bytes, by seeking where that is possible.
func discard(r io.Reader, n int64) error {
	if s, ok := r.(*seekReader); ok {
		if n > s.size-s.pos {
			s.pos = s.size
			return io.ErrUnexpectedEOF
		}
		s.pos += n
		return nil
	}
	k, err := io.CopyN(io.Discard, r, n)
	if err == io.EOF && k < n {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// arName reads the name behind the header (BSD) or in the table (GNU).
func arName(name string, names []byte, body *body) (string, error) {
	if s, found := strings.CutPrefix(name, "#1/"); found {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 || n > body.n || n > arNameMax {
			return "", errors.New("a long name is damaged; what follows was not read")
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			return "", io.ErrUnexpectedEOF
		}
		return strings.TrimRight(string(b), "\x00"), nil
	}
	if s, found := strings.CutPrefix(name, "/"); found {
		if n, err := strconv.Atoi(s); err == nil {
			if n < 0 || n >= len(names) {
				return "", fmt.Errorf("the long name %d is not in the table; what follows was not read", n)
			}
			b := names[n:]
			if i := bytes.IndexByte(b, '\n'); i >= 0 {
				b = b[:i]
			}
			return strings.TrimSuffix(string(b[:min(len(b), arNameMax)]), "/"), nil
		}
	}
	return strings.TrimSuffix(name, "/"), nil
}

// cpio formats: the magic and how the header is written.
const (
	cpioNew     = "070701"
	cpioNewSum  = "070702"
	cpioOld     = "070707"
	cpioRPM     = "07070X" // of RPM for files over 4 GiB: only an index into the header
	cpioNewSize = 110
	cpioOldSize = 76
	cpioEnd     = "TRAILER!!!"
	cpioNameMax = 1 << 16
)

// cpioHeader reports whether a file begins with a header of the ASCII formats.
func cpioHeader(head []byte) bool {
	if len(head) < cpioOldSize {
		return false
	}
	switch string(head[:6]) {
	case cpioNew, cpioNewSum:
		return len(head) >= cpioNewSize && isDigits(head[6:cpioNewSize], 16)
	case cpioOld:
		return isDigits(head[6:cpioOldSize], 8)
	}
	return false
}

func isDigits(b []byte, base byte) bool {
	for _, c := range b {
		switch {
		case c >= '0' && c < '0'+min(base, 10):
		case base == 16 && (c|0x20 >= 'a' && c|0x20 <= 'f'):
		default:
			return false
		}
	}
	return true
}

// cpio reads the ASCII formats of cpio(5), one archive or several in a row as in
// an initial RAM disk, of which the last may be compressed.
func (e *expander) cpio(ctx context.Context, c *container, r io.Reader) error {
	pos := &counter{r: r}
	for {
		h, err := readCpio(pos)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.name == cpioEnd {
			more, err := e.cpioNext(ctx, c, pos)
			if err != nil || !more {
				return err
			}
			continue
		}
		body := &body{pos, h.size}
		switch kind := h.mode & unixKind; {
		case kind == unixFolder:
			err = e.count()
		case kind == unixSymlink:
			err = e.skip(c, h.name, penstock.ReasonSymlink, "")
		case kind != unixFile && kind != 0:
			err = e.skip(c, h.name, penstock.ReasonSpecial, "")
		case h.size == 0 && h.links > 1:
			err = e.skip(c, h.name, penstock.ReasonSymlink, "hard link; the content is with the last of its names")
		default:
			err = e.member(ctx, c, h.name, h.size, h.mode&0o111 != 0, input{r: body, size: h.size})
		}
		if err != nil {
			return err
		}
		pad := int64(0)
		if h.aligned {
			pad = -h.size & 3
		}
		if err := discard(pos, body.n+pad); err != nil {
			return err
		}
	}
}

type cpioEntry struct {
	name    string
	size    int64
	mode    uint64
	links   uint64
	aligned bool
}

func readCpio(pos *counter) (*cpioEntry, error) {
	var b [cpioNewSize]byte
	if n, err := io.ReadFull(pos, b[:6]); err != nil {
		if n == 0 && err == io.EOF {
			return nil, io.EOF
		}
		return nil, io.ErrUnexpectedEOF
	}
	damaged := errors.New("a header is damaged; what follows was not read")
	h := new(cpioEntry)
	var nameLen uint64
	number := func(s []byte, base int) uint64 {
		v, err := strconv.ParseUint(string(s), base, 64)
		if err != nil {
			nameLen = 1 << 32 // refused below
		}
		return v
	}
	start := pos.n - 6
	switch string(b[:6]) {
	case cpioNew, cpioNewSum:
		if _, err := io.ReadFull(pos, b[6:cpioNewSize]); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		nameLen = number(b[94:102], 16)
		h.mode, h.links, h.size = number(b[14:22], 16), number(b[38:46], 16), int64(number(b[54:62], 16))
		h.aligned = true
	case cpioOld:
		if _, err := io.ReadFull(pos, b[6:cpioOldSize]); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		nameLen = number(b[59:65], 8)
		h.mode, h.links, h.size = number(b[18:24], 8), number(b[36:42], 8), int64(number(b[65:76], 8))
	case cpioRPM:
		return nil, errors.New("an RPM payload of files over 4 GiB is not supported")
	default:
		return nil, damaged
	}
	if nameLen == 0 || nameLen > cpioNameMax {
		return nil, damaged
	}
	name := make([]byte, nameLen)
	if _, err := io.ReadFull(pos, name); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	h.name = strings.TrimRight(string(name), "\x00")
	if h.aligned {
		if err := discard(pos, -(pos.n-start)&3); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// cpioNext skips the padding behind an archive and reports whether another begins.
// A compressed one is read here.
func (e *expander) cpioNext(ctx context.Context, c *container, pos *counter) (more bool, err error) {
	var b [1]byte
	for b[0] == 0 {
		if _, err := io.ReadFull(pos, b[:]); err != nil {
			if err == io.EOF {
				err = nil
			}
			return false, err
		}
	}
	p := e.peek(io.MultiReader(bytes.NewReader(b[:]), pos.r))
	defer e.unpeek(p)
	switch kind := Detect("", p.head); kind {
	case KindGzip, KindBzip2, KindXz, KindLzma, KindZstd, KindLz4:
		return false, e.compressed(ctx, c, kind, p, "(second part)")
	case KindCpio:
		return false, e.cpio(ctx, c, p)
	}
	return false, errors.New("bytes behind the end of the archive were not read")
}
