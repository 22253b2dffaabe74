package secrets

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"unicode/utf8"
)

// Decoding finds encoded stretches of a text, puts what they say in their place,
// with some of the text around them, and scans that view again, to a depth. What
// is found there is placed at the encoded text in the file.

const (
	// maxDepth bounds how many layers of encoding are ever taken off.
	maxDepth = 8
	// contextBefore and contextAfter are how much of the text around an encoded
	// stretch a rule sees: the name of the value, and what ends it.
	contextBefore = 160
	contextAfter  = 40
	// minBase64 and minHex are the shortest stretches, in characters, that are
	// tried: gitleaks' 16 and 32.
	minBase64 = 16
	minHex    = 32
	// maxStretch bounds one view, in bytes of decoded text.
	maxStretch = 8 << 20
	// maxGap is how far apart two escapes of one stretch may stand.
	maxGap = 256
	// maxInline bounds a stretch of escapes, in bytes of the text.
	maxInline = 32 << 10
	// maxInflate bounds what a compressed stretch may become.
	maxInflate = 4 << 20
)

// view is a decoded text and where its bytes come from.
type view struct {
	b      []byte
	pieces []piece
	// over is the view that this one was decoded from; nil is the file's text.
	over *view
	base int64 // of that text in the file
	kind [maxDepth + 1]string
	n    int // kinds, outermost first
}

// piece maps a stretch of a view to the text that it was decoded from.
type piece struct {
	at, n   int // in the view
	from, m int // in the text below
	encoded bool
}

// decodeScratch is what decoding needs, reused for every file.
type decodeScratch struct {
	levels [maxDepth + 1]view
	tmp    []byte
}

// keepView is how much of a view's memory is kept for the next file, in bytes.
const keepView = 1 << 20

// trim gives back the memory of large views.
func (d *decodeScratch) trim() {
	for i := range d.levels {
		if v := &d.levels[i]; cap(v.b) > keepView {
			v.b = nil
		}
	}
	if cap(d.tmp) > keepView {
		d.tmp = nil
	}
}

// touched reports whether [start, end) holds a byte that was encoded, or borders
// on one: what stands beside a match can decide whether it is one.
func (v *view) touched(start, end int) bool {
	for i := range v.pieces {
		p := &v.pieces[i]
		if p.encoded && start <= p.at+p.n && p.at <= end {
			return true
		}
	}
	return false
}

// file maps [start, end) of the view to the file.
func (v *view) file(start, end int) (from, to int64) {
	for ; v != nil; v = v.over {
		s, e := v.below(start, false), v.below(end, true)
		start, end = s, max(s, e)
		if v.over == nil {
			return v.base + int64(start), v.base + int64(end)
		}
	}
	return 0, 0
}

// below maps a position to the text below; up rounds to the end of the unit.
func (v *view) below(pos int, up bool) int {
	last := 0
	for i := range v.pieces {
		p := &v.pieces[i]
		if pos < p.at || pos == p.at && up && i > 0 {
			break
		}
		last = p.from + p.m
		if pos > p.at+p.n || pos == p.at+p.n && !up {
			continue
		}
		d := pos - p.at
		switch {
		case !p.encoded || p.m == p.n:
			return p.from + d
		case p.n == 0:
			return p.from
		case up:
			return p.from + (d*p.m+p.n-1)/p.n
		}
		return p.from + d*p.m/p.n
	}
	return last
}

// decode scans what is encoded in t, to a depth of layers.
func (d *detector) decode(t *text, sc *scratch, depth int) {
	level := 0
	if t.view != nil {
		level = t.view.n
	}
	if level >= depth || len(t.b) < 6 || sc.over() {
		return
	}
	if sc.recall.memo != nil && t.view == nil {
		d.recallRuns(t, sc, depth, level)
	} else {
		d.decodeRuns(t, sc, depth, level)
	}
	d.decodeInline(t, sc, depth, level)
}

// begin starts a view of the text t at the next level, with the text before at.
func (t *text) begin(sc *scratch, level int, kind string, at int) *view {
	v := &sc.dec.levels[level]
	v.b, v.pieces = v.b[:0], v.pieces[:0]
	v.over, v.base, v.n = t.view, t.base, 0
	if t.view != nil {
		v.kind, v.n = t.view.kind, t.view.n
	}
	v.kind[v.n] = kind
	v.n++
	lo := max(0, at-contextBefore)
	v.plain(t.b, lo, at)
	return v
}

// plain appends text as it is.
func (v *view) plain(b []byte, from, to int) {
	if to <= from {
		return
	}
	v.pieces = append(v.pieces, piece{at: len(v.b), n: to - from, from: from, m: to - from})
	v.b = append(v.b, b[from:to]...)
}

// add appends decoded text that stands for b[from:to] of the text below.
func (v *view) add(decoded []byte, from, to int) {
	v.pieces = append(v.pieces, piece{at: len(v.b), n: len(decoded), from: from, m: to - from, encoded: true})
	v.b = append(v.b, decoded...)
}

// finish adds the text behind the stretch, scans the view and decodes on.
func (d *detector) finish(t *text, v *view, end int, sc *scratch, depth int) {
	v.plain(t.b, end, min(len(t.b), end+contextAfter))
	sc.steps += int64(len(v.b))
	u := &text{b: v.b, path: t.path, base: t.base, until: len(v.b), view: v, all: t.all}
	d.scan(u, sc)
	d.decode(u, sc, depth)
}

// starts reports whether an encoded stretch at pos is this text's to decode: it
// begins in the part that counts and, in a view, in what was decoded.
func (t *text) starts(from, to int) bool {
	if t.view != nil {
		return t.view.touched(from, to)
	}
	return from >= t.from && from < t.until
}

// base64Value is the value of a character in both alphabets of RFC 4648, or 0xFF.
var base64Value = func() (v [256]uint8) {
	for i := range v {
		v[i] = 0xFF
	}
	for i := range 26 {
		v['A'+i], v['a'+i] = uint8(i), uint8(26+i)
	}
	for i := range 10 {
		v['0'+i] = uint8(52 + i)
	}
	v['+'], v['-'], v['/'], v['_'] = 62, 62, 63, 63
	return v
}()

// hexValue is the value of a hexadecimal digit, or 0xFF.
var hexValue = func() (v [256]uint8) {
	for i := range v {
		v[i] = 0xFF
	}
	for i := range 10 {
		v['0'+i] = uint8(i)
	}
	for i := range 6 {
		v['a'+i], v['A'+i] = uint8(10+i), uint8(10+i)
	}
	return v
}()

// decodeRuns finds runs of the characters of base64 and hexadecimal by looking at
// every sixteenth byte.
func (d *detector) decodeRuns(t *text, sc *scratch, depth, level int) {
	b := t.b
	done := 0
	for i := minBase64 - 1; i < len(b); i += minBase64 {
		if base64Value[b[i]] == 0xFF {
			continue
		}
		if base64Value[b[i-8]] == 0xFF && (i+8 >= len(b) || base64Value[b[i+8]] == 0xFF) {
			continue
		}
		l := i
		for l > done && base64Value[b[l-1]] != 0xFF {
			l--
		}
		r := i + 1
		for r < len(b) && base64Value[b[r]] != 0xFF {
			r++
		}
		done = r
		i = r
		if r-l < minBase64 || !t.starts(l, r) {
			continue
		}
		if end := d.decodeRun(t, sc, depth, level, l, r); end > r {
			done, i = end, end
		}
		if sc.over() {
			return
		}
	}
}

// gzipBase64 is how a gzip stream starts in base64.
var gzipBase64 = []byte("H4sI")

// decodeRun decodes the run b[l:r], if it says something, and returns where what
// it decoded ends.
func (d *detector) decodeRun(t *text, sc *scratch, depth, level, l, r int) int {
	b := t.b
	if r-l >= minHex && (r-l)%2 == 0 && hexSaysText(b[l:r]) {
		tmp := append(sc.dec.tmp[:0], make([]byte, (r-l)/2)...)
		sc.dec.tmp = tmp
		if _, err := hex.Decode(tmp, b[l:r]); err == nil && saysText(tmp) {
			v := t.begin(sc, level, "hex", l)
			v.add(tmp, l, r)
			d.finish(t, v, r, sc, depth)
			return r
		}
	}
	zip := bytes.HasPrefix(b[l:r], gzipBase64) && r-l >= 40
	if !zip && !base64SaysText(b[l:r]) {
		return r
	}
	v := t.begin(sc, level, "base64", l)
	end := r
	size := 0
	for from, to := l, r; size < maxStretch; {
		tmp := decodeBase64Run(sc.dec.tmp[:0], b[from:to])
		sc.dec.tmp = tmp
		if !zip {
			n := textPrefix(tmp)
			if n < len(tmp) && (n < 12 || n*10 < len(tmp)*9) {
				if from == l {
					return r
				}
				break
			}
			tmp = tmp[:n]
		}
		v.add(tmp, from, to)
		size += len(tmp)
		end = to
		for end < len(b) && b[end] == '=' && end < to+2 {
			end++
		}
		// A long line of whole groups of four may go on in the next line.
		if end > to || (to-from) < 40 || (to-from)%4 != 0 {
			break
		}
		from = nextLine(b, to)
		if from < 0 {
			break
		}
		to = from
		for to < len(b) && base64Value[b[to]] != 0xFF {
			to++
		}
		if to-from < 4 || to < len(b) && b[to] > ' ' && b[to] != '=' && b[to] != '"' && b[to] != '\'' {
			break
		}
	}
	if zip {
		if !v.inflate(l, end, sc) {
			return r
		}
	} else if isUTF16(v) {
		v.narrow()
	}
	d.finish(t, v, end, sc, depth)
	return end
}

// nextLine is where the text of the next line starts, if b[at] ends a line, with
// no more than indentation before it; else -1.
func nextLine(b []byte, at int) int {
	if at < len(b) && b[at] == '\r' {
		at++
	}
	if at >= len(b) || b[at] != '\n' {
		return -1
	}
	at++
	for at < len(b) && (b[at] == ' ' || b[at] == '\t') {
		at++
	}
	return at
}

// base64SaysText looks at the first 16 characters: every byte that they stand for
// must be ASCII and no control character but those of text and, for UTF-16, zero.
func base64SaysText(run []byte) bool {
	for i := 0; i+4 <= minBase64; i += 4 {
		a, b, c, d := base64Value[run[i]], base64Value[run[i+1]], base64Value[run[i+2]], base64Value[run[i+3]]
		// The top bits of the three bytes.
		if a&0x20|b&0x08|c&0x02 != 0 {
			return false
		}
		x, y, z := a<<2|b>>4, b<<4|c>>2, c<<6|d
		if !textByte(x) && x != 0 || !textByte(y) && y != 0 || !textByte(z) && z != 0 {
			return false
		}
	}
	return true
}

func textByte(c byte) bool {
	return c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t'
}

// hexSaysText looks at the first 16 bytes that a run of digits stands for.
func hexSaysText(run []byte) bool {
	for i := 0; i+1 < minHex; i += 2 {
		hi, lo := hexValue[run[i]], hexValue[run[i+1]]
		if hi == 0xFF || lo == 0xFF || !textByte(hi<<4|lo) {
			return false
		}
	}
	return true
}

// textPrefix is how much of b is text: UTF-8 without control characters, or the
// same in UTF-16 of ASCII.
func textPrefix(b []byte) int {
	if len(b) >= 8 && b[1] == 0 && b[3] == 0 && b[0] != 0 && b[2] != 0 {
		i := 0
		for i+1 < len(b) && textByte(b[i]) && b[i+1] == 0 {
			i += 2
		}
		if i+1 == len(b) && textByte(b[i]) {
			i++
		}
		return i
	}
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			if !textByte(b[i]) {
				return i
			}
			i++
			continue
		}
		r, w := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError {
			return i
		}
		i += w
	}
	return len(b)
}

func saysText(b []byte) bool { return textPrefix(b) == len(b) }

// decodeBase64Run appends what a run of either alphabet says, as far as it goes.
func decodeBase64Run(dst, run []byte) []byte {
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(run, "-_") {
		enc = base64.RawURLEncoding
	}
	n := enc.DecodedLen(len(run))
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	n, _ = enc.Decode(dst[at:], run)
	return dst[:at+n]
}

// isUTF16 reports whether the encoded pieces of v are ASCII in UTF-16LE.
func isUTF16(v *view) bool {
	for _, p := range v.pieces {
		if p.encoded {
			return p.n >= 8 && v.b[p.at+1] == 0 && v.b[p.at+3] == 0
		}
	}
	return false
}

// narrow drops the zero bytes of UTF-16.
func (v *view) narrow() {
	out := v.b[:0]
	for i := range v.pieces {
		p := &v.pieces[i]
		src := v.b[p.at : p.at+p.n]
		p.at = len(out)
		for _, c := range src {
			if c != 0 || !p.encoded {
				out = append(out, c)
			}
		}
		p.n = len(out) - p.at
	}
	v.b = out
}

// inflate replaces the decoded pieces, which are a gzip stream, by its content.
func (v *view) inflate(from, to int, sc *scratch) bool {
	at := 0
	for i := range v.pieces {
		if v.pieces[i].encoded {
			at = v.pieces[i].at
			v.pieces = v.pieces[:i]
			break
		}
	}
	zr, err := gzip.NewReader(bytes.NewReader(bytes.Clone(v.b[at:])))
	if err != nil {
		return false
	}
	out, _ := io.ReadAll(io.LimitReader(zr, maxInflate))
	sc.steps += int64(len(out))
	n := textPrefix(out)
	if n < 16 {
		return false
	}
	v.b = v.b[:at]
	v.add(out[:n], from, to)
	if v.n < len(v.kind) {
		v.kind[v.n] = "gzip"
		v.n++
	}
	return true
}

// decodeInline decodes stretches with escapes in them: %41, \u0041, \x41, U+0041.
// Each stretch goes from its first escape to its last.
func (d *detector) decodeInline(t *text, sc *scratch, depth, level int) {
	for kind := range inlineEscapes {
		e := &inlineEscapes[kind]
		for at := 0; ; {
			at = sc.nextEscape(t, kind, at)
			if at < 0 {
				break
			}
			// Follow the escapes of this stretch.
			first, end := at, at
			n := 0
			for p := at; p >= 0 && p-end <= maxGap && p-first < maxInline; {
				_, w := e.read(t.b, p)
				if bytes.IndexByte(t.b[end:p], '\n') >= 0 {
					break
				}
				n++
				end = p + w
				p = sc.nextEscape(t, kind, end)
			}
			at = end
			if !t.starts(first, end) {
				continue
			}
			v := t.begin(sc, level, e.kind, first)
			for p := first; p < end; {
				c, w := e.read(t.b, p)
				if w > 0 {
					v.add(c[:1], p, p+w)
					p += w
					continue
				}
				q := sc.nextEscape(t, kind, p)
				if q < 0 || q > end {
					q = end
				}
				v.plain(t.b, p, q)
				p = q
			}
			d.finish(t, v, end, sc, depth)
			if sc.over() {
				return
			}
		}
	}
}

// inlineEscape is a way to write one character.
type inlineEscape struct {
	kind string
	// mark starts each escape.
	mark []byte
	// read decodes the escape at b[at] to a byte of ASCII and gives its length; 0
	// for none.
	read func(b []byte, at int) (c [1]byte, n int)
}

// next is where the next escape stands from at on, or -1.
func (e *inlineEscape) next(b []byte, at int) int {
	for at < len(b) {
		i := bytes.Index(b[at:], e.mark)
		if i < 0 {
			return -1
		}
		at += i
		if _, n := e.read(b, at); n > 0 {
			return at
		}
		at += len(e.mark)
	}
	return -1
}

var inlineEscapes = []inlineEscape{
	{"percent", []byte("%"), readPercent},
	{"unicode", []byte(`\u00`), readUnicode},
	{"unicode", []byte(`U+00`), readCodePoint},
	{"hex", []byte(`\x`), readBackslashX},
}

func readPercent(b []byte, at int) (c [1]byte, n int) { return readHex2(b, at, 1) }

// readUnicode reads \u0041; a second backslash before it is part of it.
func readUnicode(b []byte, at int) (c [1]byte, n int) {
	if at+6 > len(b) || b[at] != '\\' || b[at+1] != 'u' || b[at+2] != '0' || b[at+3] != '0' {
		return c, 0
	}
	return readHex2(b, at, 4)
}

func readCodePoint(b []byte, at int) (c [1]byte, n int) {
	if at+6 > len(b) || b[at] != 'U' || b[at+1] != '+' || b[at+2] != '0' || b[at+3] != '0' {
		return c, 0
	}
	c, n = readHex2(b, at, 4)
	if n > 0 && at+n < len(b) && b[at+n] == ' ' {
		n++
	}
	return c, n
}

func readBackslashX(b []byte, at int) (c [1]byte, n int) {
	if at+4 > len(b) || b[at] != '\\' || b[at+1] != 'x' {
		return c, 0
	}
	return readHex2(b, at, 2)
}

// readHex2 reads two digits after the mark of an escape.
func readHex2(b []byte, at, mark int) (c [1]byte, n int) {
	if at+mark+2 > len(b) || mark == 1 && b[at] != '%' {
		return c, 0
	}
	hi, lo := hexValue[b[at+mark]], hexValue[b[at+mark+1]]
	if hi == 0xFF || lo == 0xFF || !textByte(hi<<4|lo) {
		return c, 0
	}
	c[0] = hi<<4 | lo
	return c, mark + 2
}
