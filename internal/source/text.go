package source

import (
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the bytes of a file are to be read. The zero value is unset.
type Encoding int

const (
	EncodingUnset Encoding = iota
	// Binary is no text.
	Binary
	// UTF8 is UTF-8 or anything else in which ASCII bytes mean ASCII:
	// ISO-8859-1, Windows-1252, EUC, Shift JIS nearly. It is read as it stands.
	UTF8
	UTF16LE
	UTF16BE
	UTF32LE
	UTF32BE
)

var encodingNames = [...]string{"unset", "binary", "utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"}

func (e Encoding) String() string {
	if e < 0 || int(e) >= len(encodingNames) {
		return encodingNames[0]
	}
	return encodingNames[e]
}

// LFSPointer reports whether a file of the size, which begins with head, is a
// pointer of Git LFS and nothing beside (git-lfs, docs/spec.md): three lines, with
// no room for anything else that could be hidden from a scan.
func LFSPointer(head []byte, size int64) bool {
	if size != int64(len(head)) {
		return false
	}
	rest, ok := bytes.CutPrefix(head, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:"))
	const digits = 64
	if !ok || len(rest) < digits || len(bytes.Trim(rest[:digits], "0123456789abcdef")) > 0 {
		return false
	}
	number, ok := bytes.CutPrefix(rest[digits:], []byte("\nsize "))
	return ok && len(number) > 1 && len(number) <= 20 && number[len(number)-1] == '\n' && len(bytes.Trim(number[:len(number)-1], "0123456789")) == 0
}

// TextHead is how many bytes at the start of a file decide whether it is text.
// git looks at 8,000 bytes (buffer_is_binary in its xdiff-interface.c).
const TextHead = 8192

// magic is the start of a binary format.
type magic struct {
	sig string
	// weak marks a signature that a text could begin with: it counts only where
	// the head also holds a control byte that no text holds.
	weak bool
}

// magics are formats whose first bytes may hold no NUL, by first byte. A format
// that always has a NUL near its start needs no line, the NUL decides; those
// that have one here are the common ones, so that deciding is quick. Sources:
// the formats' specifications, and the lists of file(1) and of the IANA media
// types for the numbers.
var magics = [256][]magic{
	0x00: {{sig: "\x00asm"}, {sig: "\x00\x01\x00\x00"}, {sig: "\x00\x00\x01\x00"}}, // WebAssembly; TrueType; ICO
	0x04: {{sig: "\x04\x22\x4d\x18"}},                                              // LZ4 frame
	0x1f: {{sig: "\x1f\x8b"}, {sig: "\x1f\x9d"}, {sig: "\x1f\xa0"}},                // gzip; compress; LZH
	0x28: {{sig: "\x28\xb5\x2f\xfd"}},                                              // Zstandard (RFC 8878)
	0x30: {{sig: "\x30\x26\xb2\x75\x8e\x66\xcf\x11"}},                              // ASF
	0x37: {{sig: "7z\xbc\xaf\x27\x1c"}},                                            // 7z
	0x7f: {{sig: "\x7fELF"}},
	0x89: {{sig: "\x89PNG\r\n\x1a\n"}, {sig: "\x89HDF\r\n\x1a\n"}},
	0x8a: {{sig: "\x8aMNG"}},
	0xca: {{sig: "\xca\xfe\xba\xbe"}, {sig: "\xca\xfe\xd0\x0d"}}, // Java class or fat Mach-O; Pack200
	0xce: {{sig: "\xce\xfa\xed\xfe"}},                            // Mach-O
	0xcf: {{sig: "\xcf\xfa\xed\xfe"}},                            // Mach-O 64
	0xd0: {{sig: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}},            // OLE compound file
	0xed: {{sig: "\xed\xab\xee\xdb"}},                            // RPM
	0xfd: {{sig: "\xfd7zXZ\x00"}},
	0xfe: {{sig: "\xfe\xed\xfa\xce"}, {sig: "\xfe\xed\xfa\xcf"}, {sig: "\xfe\xed\xfe\xed"}}, // Mach-O; JKS
	0xff: {{sig: "\xff\xd8\xff"}, {sig: "\xff\xfb"}, {sig: "\xff\xf3"}, {sig: "\xff\xf1"}},  // JPEG; MPEG audio; ADTS
	'!':  {{sig: "!<arch>\n", weak: true}},
	'%':  {{sig: "%PDF-", weak: true}},
	'8':  {{sig: "8BPS", weak: true}},                     // Photoshop
	'B':  {{sig: "BZh", weak: true}, {sig: "BC\xc0\xde"}}, // bzip2; LLVM bitcode
	'F':  {{sig: "FLV\x01"}, {sig: "FWS", weak: true}},
	'G':  {{sig: "GIF87a", weak: true}, {sig: "GIF89a", weak: true}, {sig: "GLB", weak: true}},
	'I':  {{sig: "ID3", weak: true}, {sig: "II*\x00"}, {sig: "ITSF", weak: true}},
	'L':  {{sig: "LZIP", weak: true}},
	'M':  {{sig: "MM\x00*"}, {sig: "MSCF", weak: true}, {sig: "MThd", weak: true}},
	'O':  {{sig: "OggS", weak: true}, {sig: "OTTO", weak: true}, {sig: "Obj\x01"}},
	'P':  {{sig: "PK\x03\x04"}, {sig: "PK\x05\x06"}, {sig: "PK\x07\x08"}, {sig: "PAR1", weak: true}},
	'R':  {{sig: "RIFF", weak: true}, {sig: "Rar!\x1a\x07"}},
	'S':  {{sig: "SQLite format 3\x00"}},
	'f':  {{sig: "fLaC", weak: true}},
	't':  {{sig: "ttcf", weak: true}, {sig: "true\x00"}},
	'w':  {{sig: "wOFF", weak: true}, {sig: "wOF2", weak: true}},
}

// Text says how a file that begins with head is to be read; head is the first
// TextHead bytes, or the whole file if that is shorter. Nothing is allocated,
// and text costs one search for NUL.
//
//   - A byte order mark decides.
//   - The start of a well-known binary format decides, unless it is printable
//     and no text-foreign byte follows: a note that begins "GIF89a" is a note.
//   - A head with NUL bytes is still text if they are its only foreign bytes and
//     few, as in the output of find -print0 or a dumped environment; UTF-16 or
//     UTF-32 if they stand where those put them; else binary.
//   - Everything else is text.
func Text(head []byte) Encoding {
	if len(head) > TextHead {
		head = head[:TextHead]
	}
	if len(head) == 0 {
		return UTF8
	}
	if c := head[0]; c >= 0xef || c == 0 {
		if e := mark(head); e != EncodingUnset {
			return e
		}
	}
	nul := bytes.IndexByte(head, 0)
	for _, m := range magics[head[0]] {
		if !hasPrefix(head, m.sig) {
			continue
		}
		if !m.weak || control(head) {
			return Binary
		}
	}
	if nul < 0 {
		return UTF8
	}
	if plain(head) {
		return UTF8
	}
	if e := wide(head); e != EncodingUnset {
		return e
	}
	return Binary
}

// hasPrefix is bytes.HasPrefix without the conversion.
func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

// mark reads a byte order mark. UTF-32LE's begins with UTF-16LE's, so it comes
// first.
func mark(b []byte) Encoding {
	switch {
	case hasPrefix(b, "\xff\xfe\x00\x00"):
		return UTF32LE
	case hasPrefix(b, "\x00\x00\xfe\xff"):
		return UTF32BE
	case hasPrefix(b, "\xff\xfe"):
		return UTF16LE
	case hasPrefix(b, "\xfe\xff"):
		return UTF16BE
	case hasPrefix(b, "\xef\xbb\xbf"):
		return UTF8
	}
	return EncodingUnset
}

// control reports whether head holds a control byte that no text holds.
func control(head []byte) bool {
	for _, c := range head {
		if foreign(c) {
			return true
		}
	}
	return false
}

// foreign reports whether c is a control byte other than white space, backspace
// (manual pages) and escape (terminal logs).
func foreign(c byte) bool {
	return c < 0x20 && !blank(rune(c)) && c != 0x1b && c != '\b' || c == 0x7f
}

// plain reports whether NUL is the only byte in head that a text has not, and
// NULs are less than a third (Latin text in UTF-16 has a half). A rune cut at the
// end of the head is no fault.
func plain(head []byte) bool {
	nuls := 0
	for i := 0; i < len(head); {
		c := head[i]
		if c < utf8.RuneSelf {
			if foreign(c) {
				if c != 0 {
					return false
				}
				nuls++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(head[i:]) && len(head)-i < utf8.UTFMax && nuls*3 < len(head)
		}
		i += n
	}
	return nuls*3 < len(head)
}

func blank(r rune) bool { return r >= '\t' && r <= '\r' }

// wideSample is how much of the head is looked at for UTF-16 and UTF-32 without
// a mark.
const wideSample = 1024

// wide recognises UTF-16 and UTF-32 without a byte order mark: NULs where Latin
// letters put them, code units that are characters of text.
func wide(head []byte) Encoding {
	if len(head) > wideSample {
		head = head[:wideSample]
	}
	if len(head) < 4 {
		return EncodingUnset
	}
	if n := len(head) &^ 3; n >= 8 {
		le, be := true, true
		for i := 0; i < n; i += 4 {
			le = le && textual(rune(head[i])|rune(head[i+1])<<8|rune(head[i+2])<<16|rune(head[i+3]&0x7f)<<24)
			be = be && textual(rune(head[i+3])|rune(head[i+2])<<8|rune(head[i+1])<<16|rune(head[i]&0x7f)<<24)
			if !le && !be {
				break
			}
		}
		if le {
			return UTF32LE
		}
		if be {
			return UTF32BE
		}
	}
	var even, odd int
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	units := len(head) / 2
	// A quarter: even Chinese configuration files are mostly Latin. The other
	// side is allowed a few for characters such as U+3000.
	switch {
	case odd*4 >= units && even*4 <= odd && textual16(head, UTF16LE):
		return UTF16LE
	case even*4 >= units && odd*4 <= even && textual16(head, UTF16BE):
		return UTF16BE
	}
	return EncodingUnset
}

// textual16 reports whether all code units are characters of text.
func textual16(b []byte, e Encoding) bool {
	for i := 0; i+1 < len(b); i += 2 {
		r := unit16(b[i:], e)
		if utf16.IsSurrogate(r) {
			if i+3 >= len(b) {
				return true
			}
			if utf16.DecodeRune(r, unit16(b[i+2:], e)) == utf8.RuneError {
				return false
			}
			i += 2
			continue
		}
		if !textual(r) {
			return false
		}
	}
	return true
}

func unit16(b []byte, e Encoding) rune {
	if e == UTF16LE {
		return rune(b[0]) | rune(b[1])<<8
	}
	return rune(b[1]) | rune(b[0])<<8
}

// textual reports whether r is a character that texts hold.
func textual(r rune) bool {
	switch {
	case r < 0x20:
		return blank(r) || r == 0x1b
	case r < 0x7f:
		return true
	case r < 0xa0:
		return r == 0x85 // NEL
	case r >= 0xd800 && r < 0xe000, r > utf8.MaxRune:
		return false
	}
	return r&0xfffe != 0xfffe
}

// ToUTF8 appends src, which is in encoding e, to dst as UTF-8 and returns the
// extended slice. A byte order mark of UTF-16 or UTF-32 is dropped; what is no
// character becomes U+FFFD. UTF8 and Binary are copied unchanged.
func ToUTF8(dst, src []byte, e Encoding) []byte {
	if e < UTF16LE {
		return append(dst, src...)
	}
	if mark(src) == e {
		src = src[width(e):]
	}
	dst, rest := convert(dst, src, e, true)
	if len(rest) > 0 {
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	return dst
}

// width is the size of a code unit, which is also that of the mark.
func width(e Encoding) int {
	if e == UTF32LE || e == UTF32BE {
		return 4
	}
	return 2
}

// convert appends whole characters and returns what is left over: a code unit cut
// short, or the first half of a surrogate pair unless last.
func convert(dst, src []byte, e Encoding, last bool) (out, rest []byte) {
	if width(e) == 4 {
		for ; len(src) >= 4; src = src[4:] {
			var u uint32
			if e == UTF32LE {
				u = uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16 | uint32(src[3])<<24
			} else {
				u = uint32(src[3]) | uint32(src[2])<<8 | uint32(src[1])<<16 | uint32(src[0])<<24
			}
			r := rune(utf8.RuneError)
			if u <= utf8.MaxRune {
				r = rune(u)
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, src
	}
	hi := 1
	if e == UTF16BE {
		hi = 0
	}
	for len(src) >= 2 {
		if c := src[1-hi]; src[hi] == 0 && c < utf8.RuneSelf {
			dst = append(dst, c)
			src = src[2:]
			continue
		}
		r := unit16(src, e)
		n := 2
		if utf16.IsSurrogate(r) {
			if len(src) < 4 && !last {
				return dst, src
			}
			if len(src) >= 4 {
				if pair := utf16.DecodeRune(r, unit16(src[2:], e)); pair != utf8.RuneError {
					r, n = pair, 4
				}
			}
		}
		dst = utf8.AppendRune(dst, r) // a lone surrogate becomes U+FFFD
		src = src[n:]
	}
	return dst, src
}

// utf8Reader converts while it reads.
type utf8Reader struct {
	r     io.Reader
	e     Encoding
	first bool
	in    [4096]byte
	n     int    // bytes waiting in in
	out   []byte // converted and not yet read
	buf   []byte
	err   error
}

// NewUTF8Reader returns a reader that gives as UTF-8 what r gives in encoding e,
// with the same rules as ToUTF8. It holds about 16 KB.
func NewUTF8Reader(r io.Reader, e Encoding) io.Reader {
	if e < UTF16LE {
		return r
	}
	return &utf8Reader{r: r, e: e, first: true}
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.fill()
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf8Reader) fill() {
	n, err := u.r.Read(u.in[u.n:])
	u.n += n
	u.err = err
	src := u.in[:u.n]
	if u.first {
		if len(src) < width(u.e) && err == nil {
			return
		}
		u.first = false
		if mark(src) == u.e {
			src = src[width(u.e):]
		}
	}
	var rest []byte
	u.buf, rest = convert(u.buf[:0], src, u.e, err != nil)
	if err != nil && len(rest) > 0 {
		u.buf = utf8.AppendRune(u.buf, utf8.RuneError)
		rest = nil
	}
	u.n = copy(u.in[:], rest)
	u.out = u.buf
}
