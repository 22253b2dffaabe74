package syntax

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// blockSize is how far apart the checkpoints of a line index lie, in bytes. It
// bounds the work of one look-up; 4 KiB makes the index 0.8 % of the text.
const blockSize = 4096

// Lines translates byte offsets of a text into lines and columns.
//
// A line ends at LF or CR LF, as git, grep and SARIF's default newlineSequences
// have it; a lone CR is an ordinary character. Lines and columns count from 1,
// columns in UTF-16 code units. A byte that is not part of valid UTF-8 counts as
// one unit, as an editor that replaces it shows it. A UTF-8 byte order mark at
// the very start takes no column.
//
// The index is built as far as it is asked for: a look-up at offset n reads the
// text once up to n, and later look-ups cost at most one block, however long the
// lines are. It is not safe for concurrent use.
type Lines struct {
	b      []byte
	blocks []block
	// next is the first byte after the blocks that were indexed.
	next int
}

// block is what is known at its first byte, which begins a character.
type block struct {
	start  int
	lines  int // line feeds before start
	column int // UTF-16 units between the start of the line and start
}

// NewLines makes an index over b, which must not change while it is in use. It
// reads nothing yet.
func NewLines(b []byte) *Lines {
	return &Lines{b: b, blocks: []block{{start: bom(b)}}, next: bom(b)}
}

// bom is the length of the byte order mark at the start of b.
func bom(b []byte) int {
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		return 3
	}
	return 0
}

// Position returns the line and the column of the byte at off. An offset inside
// a character is that of its first byte; one outside the text is moved to its
// nearest end. The end of the text is a valid position.
func (l *Lines) Position(off int64) (line, col int) {
	n := int(max(0, min(off, int64(len(l.b)))))
	n = max(boundary(l.b, n), l.blocks[0].start)
	for l.next < len(l.b) && l.next <= n {
		l.extend()
	}
	i := sort.Search(len(l.blocks), func(i int) bool { return l.blocks[i].start > n }) - 1
	k := l.blocks[i].advance(l.b[l.blocks[i].start:n])
	return k.lines + 1, k.column + 1
}

// LineSpan returns the byte offsets of a line without its line end. A line that
// the text does not have is the empty span at the end of the text; one before
// the first is the first.
func (l *Lines) LineSpan(line int) (start, end int64) {
	line = max(line, 1)
	first := l.blocks[0].start
	if line > 1 {
		at, ok := l.lineFeed(line - 1)
		if !ok {
			return int64(len(l.b)), int64(len(l.b))
		}
		first = at + 1
	}
	last, ok := l.lineFeed(line)
	if ok && last > first && l.b[last-1] == '\r' {
		last--
	}
	return int64(first), int64(last)
}

// Count returns the number of lines; the text after the last line end is one,
// even if it is empty. It reads the whole text.
func (l *Lines) Count() int {
	line, _ := l.Position(int64(len(l.b)))
	return line
}

// lineFeed finds the nth line feed, counted from 1. Without one it returns the
// length of the text and false.
func (l *Lines) lineFeed(n int) (int, bool) {
	for l.blocks[len(l.blocks)-1].lines < n {
		if l.next >= len(l.b) {
			break
		}
		l.extend()
	}
	// The block before the first one that has n line feeds behind it.
	i := sort.Search(len(l.blocks), func(i int) bool { return l.blocks[i].lines >= n }) - 1
	at, seen := l.blocks[i].start, l.blocks[i].lines
	for {
		j := bytes.IndexByte(l.b[at:], '\n')
		if j < 0 {
			return len(l.b), false
		}
		at += j
		if seen++; seen == n {
			return at, true
		}
		at++
	}
}

// extend indexes one more block.
func (l *Lines) extend() {
	end := len(l.b)
	if end-l.next > blockSize {
		end = boundary(l.b, l.next+blockSize)
	}
	last := l.blocks[len(l.blocks)-1]
	k := last.advance(l.b[last.start:end])
	k.start = end
	l.blocks = append(l.blocks, k)
	l.next = end
}

// advance returns the state after text, which begins where k does.
func (k block) advance(text []byte) block {
	if n := bytes.Count(text, []byte{'\n'}); n > 0 {
		k.lines += n
		k.column = 0
		text = text[bytes.LastIndexByte(text, '\n')+1:]
	}
	k.column += utf16Len(text)
	return k
}

// utf16Len is the length of b in UTF-16 code units.
func utf16Len(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			n++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		i += size
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// boundary moves n back to the first byte of the character that it lies in. A
// byte that no valid character covers is a character of its own.
func boundary(b []byte, n int) int {
	for i := n - 1; i >= 0 && i > n-utf8.UTFMax; i-- {
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if _, size := utf8.DecodeRune(b[i:]); i+size > n {
			return i
		}
		break
	}
	return n
}
