package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"penstock"
)

// The zip reader is our own because archive/zip holds the whole directory in
// memory, takes the directory's word for everything, and does not show what it
// does not list. Format: PKWARE APPNOTE 6.3.10, whose section is given.

const (
	zipLocalSize   = 30 // 4.3.7
	zipCentralSize = 46 // 4.3.12
	zipEndSize     = 22 // 4.3.16
	zipEnd64Size   = 56 // 4.3.14
	zipLocatorSize = 20 // 4.3.15

	zipEncrypted  = 1 << 0 // 4.4.4
	zipDescriptor = 1 << 3

	zipExtra64 = 0x0001 // 4.5.3
)

// Compression methods, 4.4.5.
const (
	zipStored   = 0
	zipDeflated = 8
	zipBzip2    = 12
	zipLzma     = 14
	zipZstdOld  = 20
	zipZstd     = 93
	zipXz       = 95
	zipAES      = 99
)

// zipDirectory is where the central directory lies.
type zipDirectory struct {
	start, end int64 // in the file
	base       int64 // to be added to the offsets that it names
	count      uint64
	is64       bool
	comment    []byte
	after      int64 // bytes behind the end record
}

// zipEntry is one line of the directory.
type zipEntry struct {
	name         string
	flags        uint16
	method       uint16
	crc          uint32
	csize, usize uint64
	offset       uint64
	mode         uint32 // of Unix, 0 if not known
}

// zipSpan is where one entry lies in the file: header and data.
type zipSpan struct{ start, end int64 }

// zipOdds collects what two programs would see differently.
type zipOdds struct {
	mismatches int
	first      string
	spans      []zipSpan
}

func (e *expander) zip(ctx context.Context, c *container, in input) error {
	if in.at == nil {
		b, err := e.buffer(in.r)
		defer e.release(int64(len(b)))
		if err != nil {
			return err
		}
		in.at, in.size = bytes.NewReader(b), int64(len(b))
	}
	dir, err := findZipDirectory(in.at, in.size)
	if err != nil {
		return err
	}
	br := e.scratch.buffered(io.NewSectionReader(in.at, dir.start, dir.end-dir.start))
	defer e.scratch.putBuffered(br)
	var odds zipOdds
	listed := uint64(0)
	for {
		entry, err := readZipEntry(br)
		if err == errZipListEnd {
			break
		}
		if err != nil {
			return fmt.Errorf("the directory is damaged after %d members: %w", listed, err)
		}
		listed++
		if err := e.zipEntry(ctx, c, in, dir, entry, &odds); err != nil {
			return err
		}
	}
	if listed != dir.count && (dir.is64 || listed&0xffff != dir.count) {
		e.unread(c.path, in.size, penstock.ReasonArchive, fmt.Sprintf("the archive claims %d members and lists %d", dir.count, listed))
	}
	return e.zipRest(ctx, c, in, dir, &odds)
}

// findZipDirectory finds the end record, which lies behind everything but a
// comment.
func findZipDirectory(at io.ReaderAt, size int64) (*zipDirectory, error) {
	const most = zipEndSize + 1<<16 - 1
	if size < zipEndSize {
		return nil, errors.New("no zip directory")
	}
	var tail []byte
	end := -1
	for _, n := range [...]int64{1024, most} {
		tail = make([]byte, min(n, size))
		if _, err := at.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
			return nil, err
		}
		if end = findZipEnd(tail); end >= 0 || int64(len(tail)) == size {
			break
		}
	}
	if end < 0 {
		return nil, errors.New("no zip directory")
	}
	record := tail[end:]
	le := binary.LittleEndian
	disk, dirDisk := le.Uint16(record[4:]), le.Uint16(record[6:])
	d := &zipDirectory{count: uint64(le.Uint16(record[10:]))}
	length, offset := uint64(le.Uint32(record[12:])), uint64(le.Uint32(record[16:]))
	comment := int(le.Uint16(record[20:]))
	d.comment = record[zipEndSize : zipEndSize+comment]
	d.after = int64(len(record) - zipEndSize - comment)
	d.end = size - int64(len(tail)) + int64(end)
	if d.count == 0xffff || length == 0xffffffff || offset == 0xffffffff {
		if r, pos := findZip64(at, d.end); r != nil {
			d.is64 = true
			d.count, length, offset = le.Uint64(r[32:]), le.Uint64(r[40:]), le.Uint64(r[48:])
			d.end = pos
			disk, dirDisk = uint16(le.Uint32(r[16:])), uint16(le.Uint32(r[20:]))
		}
	}
	if disk != 0 && disk != 0xffff || dirDisk != 0 && dirDisk != 0xffff {
		return nil, errors.New("one part of a split archive")
	}
	if length > uint64(d.end) || offset > uint64(d.end) {
		return nil, errors.New("the zip directory is damaged or cut off")
	}
	// An archive behind a program counts its offsets from its own start, or from
	// that of the file: the directory shows which.
	d.start = d.end - int64(length)
	d.base = d.start - int64(offset)
	if d.base != 0 && (d.base < 0 || isZipEntry(at, int64(offset))) {
		d.start, d.base = int64(offset), 0
	}
	if length > 0 && !isZipEntry(at, d.start) {
		return nil, errors.New("the zip directory is damaged or cut off")
	}
	return d, nil
}

// findZipEnd returns the place of the end record in the tail of a file: the last
// whose comment ends with the file, else the last that fits, -1 if there is none.
func findZipEnd(tail []byte) int {
	loose := -1
	for i := len(tail) - zipEndSize; i >= 0; i-- {
		if tail[i] != 'P' || string(tail[i:i+4]) != "PK\x05\x06" {
			continue
		}
		switch end := i + zipEndSize + int(binary.LittleEndian.Uint16(tail[i+20:])); {
		case end == len(tail):
			return i
		case end < len(tail) && loose < 0:
			loose = i
		}
	}
	return loose
}

// findZip64 returns the end record of a large archive, and its place.
func findZip64(at io.ReaderAt, end int64) ([]byte, int64) {
	var loc [zipLocatorSize]byte
	if end < zipLocatorSize {
		return nil, 0
	}
	if _, err := at.ReadAt(loc[:], end-zipLocatorSize); err != nil || string(loc[:4]) != "PK\x06\x07" {
		return nil, 0
	}
	named := binary.LittleEndian.Uint64(loc[8:])
	for _, pos := range [...]int64{int64(min(named, uint64(end))), end - zipLocatorSize - zipEnd64Size} {
		b := make([]byte, zipEnd64Size)
		if pos < 0 {
			continue
		}
		if _, err := at.ReadAt(b, pos); err == nil && string(b[:4]) == "PK\x06\x06" {
			return b, pos
		}
	}
	return nil, 0
}

func isZipEntry(at io.ReaderAt, pos int64) bool {
	var b [4]byte
	_, err := at.ReadAt(b[:], pos)
	return (err == nil || err == io.EOF) && string(b[:]) == "PK\x01\x02"
}

var errZipListEnd = errors.New("end of the list")

// readZipEntry reads the next line of the directory.
func readZipEntry(br *bufio.Reader) (*zipEntry, error) {
	var h [zipCentralSize]byte
	if sig, err := br.Peek(4); err != nil || string(sig) != "PK\x01\x02" {
		if len(sig) == 0 && err == io.EOF || string(sig) == "PK\x05\x05" || string(sig) == "PK\x06\x06" {
			return nil, errZipListEnd // nothing more, or the archive's signature
		}
		return nil, errors.New("no entry where one should be")
	}
	if _, err := io.ReadFull(br, h[:]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	le := binary.LittleEndian
	z := &zipEntry{
		flags: le.Uint16(h[8:]), method: le.Uint16(h[10:]), crc: le.Uint32(h[16:]),
		csize: uint64(le.Uint32(h[20:])), usize: uint64(le.Uint32(h[24:])), offset: uint64(le.Uint32(h[42:])),
	}
	switch h[5] { // who made it: Unix, macOS
	case 3, 19:
		z.mode = le.Uint32(h[38:]) >> 16
	}
	nameLen, extraLen, commentLen := int(le.Uint16(h[28:])), int(le.Uint16(h[30:])), int(le.Uint16(h[32:]))
	rest := make([]byte, nameLen+extraLen)
	if _, err := io.ReadFull(br, rest); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	z.name = string(rest[:nameLen])
	if _, err := br.Discard(commentLen); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	z.extra(rest[nameLen:])
	return z, nil
}

// extra takes from the extra fields the numbers that need 64 bits.
func (z *zipEntry) extra(b []byte) {
	le := binary.LittleEndian
	for len(b) >= 4 {
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		b = b[4:]
		if n > len(b) {
			return
		}
		field := b[:n]
		b = b[n:]
		if id != zipExtra64 {
			continue
		}
		for _, v := range [...]*uint64{&z.usize, &z.csize, &z.offset} {
			if *v == 0xffffffff && len(field) >= 8 {
				*v = le.Uint64(field)
				field = field[8:]
			}
		}
		return
	}
}

// Kinds of files in Unix modes.
const (
	unixKind    = 0o170000
	unixFile    = 0o100000
	unixFolder  = 0o040000
	unixSymlink = 0o120000
)

// zipEntry visits one entry.
func (e *expander) zipEntry(ctx context.Context, c *container, in input, dir *zipDirectory, z *zipEntry, odds *zipOdds) error {
	size := int64(min(z.usize, 1<<62))
	if z.offset > uint64(in.size) {
		return e.fail(c, z.name, size, penstock.ReasonArchive, "it lies behind the end of the archive")
	}
	pos := int64(z.offset) + dir.base
	start, odd, err := z.local(in.at, pos)
	if err != nil {
		return e.fail(c, z.name, size, penstock.ReasonArchive, errorText(err))
	}
	if odd != "" {
		if odds.mismatches++; odds.first == "" {
			odds.first = odd
		}
	}
	if start > in.size || z.csize > uint64(in.size-start) {
		odds.spans = append(odds.spans, zipSpan{pos, start})
		return e.fail(c, z.name, size, penstock.ReasonArchive, "cut short")
	}
	odds.spans = append(odds.spans, zipSpan{pos, start + int64(z.csize)})
	switch kind := z.mode & unixKind; {
	case z.flags&zipEncrypted != 0 || z.method == zipAES:
		return e.fail(c, z.name, size, penstock.ReasonArchive, "encrypted")
	case kind == unixSymlink:
		return e.skip(c, z.name, penstock.ReasonSymlink, "")
	case kind != 0 && kind != unixFile && kind != unixFolder:
		return e.skip(c, z.name, penstock.ReasonSpecial, "")
	case z.usize == 0 && (kind == unixFolder || len(z.name) > 0 && (z.name[len(z.name)-1] == '/' || z.name[len(z.name)-1] == '\\')):
		return e.count() // a folder; one with content is read as a file
	}
	// A size that the compressed bytes cannot give is a lie, and others must not
	// make room for it.
	const deflateMax = 1032 // RFC 1951: 258 bytes from two bits
	if z.method == zipDeflated && uint64(size) > (z.csize+1)*deflateMax {
		size = -1
	}
	data := io.NewSectionReader(in.at, start, int64(z.csize))
	if z.method == zipStored {
		r := &zipCheck{r: data, entry: z, sum: crc32.NewIEEE()}
		e.made += int64(z.csize) // entries may lie over one another
		return e.zipMember(ctx, c, z, size, r, data)
	}
	kind, found := zipKind(z.method)
	if !found {
		return e.fail(c, z.name, size, penstock.ReasonArchive, fmt.Sprintf("compression method %d is not supported", z.method))
	}
	d, err := e.decompress(kind, data, z.method == zipLzma)
	if err != nil {
		return e.fail(c, z.name, size, MemberReason(err), errorText(err))
	}
	err = e.zipMember(ctx, c, z, size, &zipCheck{r: d, entry: z, sum: crc32.NewIEEE()}, nil)
	d.close(e)
	return err
}

func zipKind(method uint16) (Kind, bool) {
	switch method {
	case zipDeflated:
		return kindDeflate, true
	case zipBzip2:
		return KindBzip2, true
	case zipLzma:
		return KindLzma, true
	case zipZstd, zipZstdOld:
		return KindZstd, true
	case zipXz:
		return KindXz, true
	}
	return KindNone, false
}

func (e *expander) zipMember(ctx context.Context, c *container, z *zipEntry, size int64, r io.Reader, at *io.SectionReader) error {
	p := e.peek(r)
	defer e.unpeek(p)
	in := input{r: p, size: size}
	if at != nil {
		in.at, in.size = at, at.Size()
	}
	return e.member(ctx, c, z.name, size, z.mode&0o111 != 0, in)
}

// local checks the entry's header in front of its data against the directory, and
// returns where the data begin and what differs.
func (z *zipEntry) local(at io.ReaderAt, pos int64) (start int64, odd string, err error) {
	b := make([]byte, zipLocalSize+len(z.name))
	n, err := at.ReadAt(b, pos)
	if n < zipLocalSize {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, "", err
	}
	if string(b[:4]) != "PK\x03\x04" {
		return 0, "", errors.New("no member where the directory says")
	}
	le := binary.LittleEndian
	flags, method := le.Uint16(b[6:]), le.Uint16(b[8:])
	crc, csize, usize := le.Uint32(b[14:]), le.Uint32(b[18:]), le.Uint32(b[22:])
	nameLen, extraLen := int(le.Uint16(b[26:])), int(le.Uint16(b[28:]))
	start = pos + zipLocalSize + int64(nameLen) + int64(extraLen)
	sized := flags&zipDescriptor == 0 && csize != 0xffffffff && usize != 0xffffffff
	switch {
	case nameLen != len(z.name) || n < len(b) || string(b[zipLocalSize:]) != z.name:
		odd = "name"
	case method != z.method:
		odd = "method"
	case flags&zipEncrypted != z.flags&zipEncrypted:
		odd = "encryption"
	case sized && (uint64(csize) != z.csize || uint64(usize) != z.usize):
		odd = "size"
	case sized && crc != z.crc:
		odd = "checksum"
	}
	if odd != "" {
		odd = fmt.Sprintf("the %s of %.200q", odd, z.name)
	}
	return start, odd, nil
}

// zipCheck verifies length and checksum at the end.
type zipCheck struct {
	r     io.Reader
	entry *zipEntry
	sum   hash.Hash32
	n     uint64
	err   error
}

func (z *zipCheck) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.r.Read(p)
	z.sum.Write(p[:n])
	z.n += uint64(n)
	if err == io.EOF {
		switch {
		case z.n != z.entry.usize:
			err = fmt.Errorf("it has %d bytes, the directory says %d", z.n, z.entry.usize)
		case z.sum.Sum32() != z.entry.crc:
			err = errors.New("the checksum is wrong")
		}
	}
	z.err = err
	return n, err
}

// zipRest looks at what the directory does not list: bytes in front of the archive
// (a script or a program, or another archive), members that overlap and members
// between those listed.
func (e *expander) zipRest(ctx context.Context, c *container, in input, dir *zipDirectory, odds *zipOdds) error {
	if odds.mismatches > 0 {
		e.unread(c.path, in.size, penstock.ReasonArchive, fmt.Sprintf("the archive can be read in two ways: %d members differ between directory and local header, the first in %s; they were read as the directory says", odds.mismatches, odds.first))
	}
	slices.SortFunc(odds.spans, func(a, b zipSpan) int {
		if a.start != b.start {
			return int(min(max(a.start-b.start, -1), 1))
		}
		return int(min(max(a.end-b.end, -1), 1))
	})
	overlaps, hidden := 0, int64(0)
	at := dir.start
	if len(odds.spans) > 0 {
		at = odds.spans[0].start
	}
	first := at
	for _, s := range append(odds.spans, zipSpan{dir.start, dir.start}) {
		if s.start < at {
			overlaps++
		} else if s.start-at >= zipLocalSize && hidden == 0 && holdsLocal(in.at, at, s.start) {
			hidden = s.start - at
		}
		at = max(at, s.end)
	}
	if overlaps > 0 {
		e.unread(c.path, in.size, penstock.ReasonArchive, fmt.Sprintf("%d members overlap others", overlaps))
	}
	if hidden > 0 {
		e.unread(c.path, in.size, penstock.ReasonArchive, fmt.Sprintf("%d bytes between the members hold members that the directory does not list", hidden))
	}
	if dir.after > 0 {
		e.unread(c.path, in.size, penstock.ReasonArchive, fmt.Sprintf("%d bytes behind the end of the archive were not read", dir.after))
	}
	if first > 0 {
		if err := e.member(ctx, c, "(prefix)", first, false, input{at: io.NewSectionReader(in.at, 0, first), size: first}); err != nil {
			return err
		}
	}
	if len(dir.comment) > 0 {
		return e.member(ctx, c, "(comment)", int64(len(dir.comment)), false, input{r: bytes.NewReader(dir.comment), size: int64(len(dir.comment))})
	}
	return nil
}

// holdsLocal reports whether a local header begins in the first 64 KiB from one
// place to another.
func holdsLocal(at io.ReaderAt, from, to int64) bool {
	b := make([]byte, min(to-from, 1<<16))
	n, _ := at.ReadAt(b, from)
	return bytes.Contains(b[:n], []byte("PK\x03\x04"))
}

// buffer reads an inner container that must be held whole. What it returns is held
// also if there is an error.
func (e *expander) buffer(r io.Reader) ([]byte, error) {
	b := make([]byte, 0, 64<<10)
	for {
		if len(b) == cap(b) {
			// append grows in steps of a quarter; held is what is used, the copy
			// while growing is not counted.
			b = append(b, 0)[:len(b)]
		}
		room := b[len(b):cap(b)]
		n, err := r.Read(room[:min(len(room), 1<<20)])
		if herr := e.hold(int64(n)); herr != nil {
			return b, herr
		}
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
