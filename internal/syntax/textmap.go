package syntax

import (
	"sort"

	"penstock"
)

// TextMap says where each byte of a decoded text stands in the file. A reader
// fills it with Add, in order; the zero value is the map of an empty text at
// offset 0.
//
// The map is monotone and stays within Bounds. A look-up costs the logarithm of
// the number of pieces, of which a text that stands in the file as it is has one.
type TextMap struct {
	pieces []piece
	length int32 // of the decoded text
}

// piece is a part of the decoded text that comes from size bytes of the file. If
// the decoded part is as long, byte stands for byte.
type piece struct{ value, file, size int32 }

// Add appends a piece of length bytes of the decoded text, which the file's bytes
// [from, to) stand for: the very same bytes, or an escape, a folded line break.
// Offsets must not decrease. A file of 2 GiB or more is too large.
func (m *TextMap) Add(length, from, to int) {
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

// Append appends the map of a text that follows in the file.
func (m *TextMap) Append(next TextMap) {
	for i, p := range next.pieces {
		n := next.length
		if i+1 < len(next.pieces) {
			n = next.pieces[i+1].value
		}
		m.Add(int(n-p.value), int(p.file), int(p.file+p.size))
	}
}

// Slice is the map of the bytes [from, to) of the decoded text. An escape that is cut
// stands for the whole of it.
func (m TextMap) Slice(from, to int) TextMap {
	var out TextMap
	for i, p := range m.pieces {
		end := int(m.length)
		if i+1 < len(m.pieces) {
			end = int(m.pieces[i+1].value)
		}
		lo, hi := max(from, int(p.value)), min(to, end)
		if lo >= hi {
			continue
		}
		start, stop := int(p.file), int(p.file+p.size)
		if end-int(p.value) == int(p.size) {
			start, stop = start+lo-int(p.value), start+hi-int(p.value)
		}
		out.Add(hi-lo, start, stop)
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
	last := m.pieces[len(m.pieces)-1]
	return penstock.Span{Start: int64(m.pieces[0].file), End: int64(last.file + last.size)}
}

// Offset is where the byte at off of the decoded text begins in the file. An
// offset outside of the text is moved to its nearest end.
func (m TextMap) Offset(off int) int64 {
	start, _ := m.at(off)
	return start
}

// Span is the part of the file that the bytes [from, to) of the decoded text come
// from: without what lies between to and the next byte.
func (m TextMap) Span(from, to int) penstock.Span {
	start, _ := m.at(from)
	end := start
	if to > from {
		_, end = m.at(to - 1)
	}
	return penstock.Span{Start: start, End: max(start, end)}
}

// at is the part of the file that one byte of the text comes from.
func (m TextMap) at(off int) (start, end int64) {
	if len(m.pieces) == 0 {
		return 0, 0
	}
	if off >= int(m.length) {
		end = m.Bounds().End
		return end, end
	}
	v := int32(max(0, off))
	i := sort.Search(len(m.pieces), func(i int) bool { return m.pieces[i].value > v }) - 1
	p := m.pieces[i]
	length := m.length
	if i+1 < len(m.pieces) {
		length = m.pieces[i+1].value
	}
	if p.size == length-p.value {
		return int64(p.file + v - p.value), int64(p.file + v - p.value + 1)
	}
	return int64(p.file), int64(p.file + p.size)
}
