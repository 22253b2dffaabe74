package syntax

import (
	"sort"

	"penstock"
)

// TextMap says where each byte of a decoded text stands in the file. A reader
// fills it with Add, in order; the zero value is the map of an empty text at
// offset 0.
//
// The map is monotone, unless Join put it together, and stays within Bounds. A
// look-up costs the logarithm of the number of pieces, of which a text that stands in
// the file as it is has one.
type TextMap struct {
	pieces []piece
	length int32 // of the decoded text
	base   int32 // is added to the offsets of pieces
}

// piece is a part of the decoded text that comes from size bytes of the file. If
// the decoded part is as long, byte stands for byte.
type piece struct{ value, file, size int32 }

// Add appends a piece of length bytes of the decoded text, which the file's bytes
// [from, to) stand for: the very same bytes, or an escape, a folded line break.
// Offsets must not decrease. A file of 2 GiB or more is too large.
func (m *TextMap) Add(length, from, to int) {
	from -= int(m.base)
	to -= int(m.base)
	if n := len(m.pieces); n > 0 && length == to-from {
		last := &m.pieces[n-1]
		if int(last.file+last.size) == from && last.size == m.length-last.value {
			last.size += int32(length)
			m.length += int32(length)
			return
		}
	}
	m.pieces = append(m.pieces, piece{value: m.length, file: int32(from), size: int32(to - from)})
	m.length += int32(length)
}

// Shift is the map with its offsets in the file moved by n.
func (m TextMap) Shift(n int) TextMap {
	m.base += int32(n)
	return m
}

// Join appends the map of a text that was appended to the decoded text. It may stand
// anywhere, also before what is there.
func (m *TextMap) Join(o TextMap) {
	for _, p := range o.pieces {
		p.value += m.length
		p.file += o.base - m.base
		m.pieces = append(m.pieces, p)
	}
	m.length += o.length
}

// Slice is the map of the bytes [from, to) of the decoded text.
func (m TextMap) Slice(from, to int) TextMap {
	out := TextMap{base: m.base, length: int32(to - from)}
	for i, p := range m.pieces {
		start, end := int(p.value), int(m.length)
		if i+1 < len(m.pieces) {
			end = int(m.pieces[i+1].value)
		}
		if end <= from || start >= to {
			continue
		}
		if exact := int(p.size) == end-start; exact {
			p.file += int32(max(from-start, 0))
			p.size = int32(min(end, to) - max(start, from))
		}
		p.value = int32(max(start-from, 0))
		out.pieces = append(out.pieces, p)
	}
	return out
}

// Len is the length of the decoded text.
func (m TextMap) Len() int { return int(m.length) }

// Bounds is the part of the file that the text comes from.
func (m TextMap) Bounds() penstock.Span {
	if len(m.pieces) == 0 {
		return penstock.Span{}
	}
	start, end := m.pieces[0].file, int32(0)
	for _, p := range m.pieces {
		start, end = min(start, p.file), max(end, p.file+p.size)
	}
	return penstock.Span{Start: int64(start + m.base), End: int64(end + m.base)}
}

// Offset is where the byte at off of the decoded text begins in the file. An
// offset outside of the text is moved to its nearest end.
func (m TextMap) Offset(off int) int64 {
	start, _ := m.at(off)
	return start
}

// Span is the part of the file that the bytes [from, to) of the decoded text come
// from: without what lies between to and the next byte. Where they come from several
// parts of which a later one stands before the first, it is the first part.
func (m TextMap) Span(from, to int) penstock.Span {
	start, end := m.at(from)
	if to <= from {
		return penstock.Span{Start: start, End: start}
	}
	last := end
	if _, end = m.at(to - 1); end < start {
		end = last
		for i := m.piece(from); i < len(m.pieces) && int(m.pieces[i].value) < to; i++ {
			if p := m.pieces[i]; int64(p.file+m.base) >= start {
				end = max(end, int64(p.file+p.size+m.base))
			} else {
				break
			}
		}
	}
	return penstock.Span{Start: start, End: max(start, end)}
}

// at is the part of the file that one byte of the text comes from.
func (m TextMap) at(off int) (start, end int64) {
	if len(m.pieces) == 0 {
		return 0, 0
	}
	if off >= int(m.length) {
		last := m.pieces[len(m.pieces)-1]
		end = int64(last.file + last.size + m.base)
		return end, end
	}
	v := int32(max(0, off))
	i := m.piece(off)
	p := m.pieces[i]
	p.file += m.base
	length := m.length
	if i+1 < len(m.pieces) {
		length = m.pieces[i+1].value
	}
	if p.size == length-p.value {
		return int64(p.file + v - p.value), int64(p.file + v - p.value + 1)
	}
	return int64(p.file), int64(p.file + p.size)
}

// piece is the index of the piece that holds the byte at off.
func (m TextMap) piece(off int) int {
	v := int32(max(0, off))
	return max(0, sort.Search(len(m.pieces), func(i int) bool { return m.pieces[i].value > v })-1)
}
