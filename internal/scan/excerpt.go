package scan

import (
	"bytes"
	"cmp"
	"slices"

	"penstock"
	"penstock/internal/source"
)

// An excerpt is what is new in a text, with what stands around it, cut by the copies
// of the delta that the text is stored as.

const (
	// around is how much text on each side of a flaw must be as it was for the flaw
	// to be so, too. It is more than the reach of most rules; a closer look follows
	// for what is found, so that only a flaw that depends on a change further away
	// can be missed.
	around = 256
	// aside is what is looked at on each side of a change, before it is widened to
	// whole lines: enough for a flaw next to it and what stands around that.
	aside = 2 * around
	// lineMost is how far a part is widened to the end of a line.
	lineMost = 1 << 10
	// longFlaw bounds a flaw that is looked at again because a change lies in it.
	longFlaw = 64 << 10
	// maxCutWork bounds flaws times copies: a delta of single bytes is no gain.
	maxCutWork = 1 << 20
)

type excerpt struct {
	copies []source.Copy
	parts  []penstock.Span // of the text, in order
	// carried are the flaws that stand in copied text.
	carried []standing
	buf     []byte
	whole   bool
}

func (x *excerpt) reset() {
	x.parts, x.carried, x.whole = x.parts[:0], x.carried[:0], true
}

// cut decides what of an object's text is looked at, given what is known of its
// base. It reports false where all of it is to be.
func (x *excerpt) cut(o *source.Object, base *sieved, path int32, size int) bool {
	copies := o.Copies(x.copies[:0])
	// Copies that go on where the one before ended are one.
	joined := copies[:0]
	for _, c := range copies {
		if n := len(joined); n > 0 && joined[n-1].At+joined[n-1].Size == c.At && joined[n-1].From+joined[n-1].Size == c.From {
			joined[n-1].Size += c.Size
			continue
		}
		joined = append(joined, c)
	}
	x.copies = joined
	if len(joined)*len(base.flaws) > maxCutWork {
		return false
	}
	at, from := 0, 0
	for _, c := range joined {
		if c.At != at || c.From != from || at != 0 {
			x.add(at-aside, c.At+aside)
		}
		at, from = c.At+c.Size, c.From+c.Size
	}
	if at != size || from != base.size {
		x.add(at-aside, size+aside)
	}
	for _, s := range base.flaws {
		if s.path != path {
			continue
		}
		first, last := x.find(s.start), x.find(s.end-1)
		if first < 0 || last < 0 {
			continue
		}
		c, d := joined[first], joined[last]
		start, end := s.start-c.From+c.At, s.end-d.From+d.At
		switch {
		case first == last && (c.From == 0 && c.At == 0 || s.start-c.From >= around) &&
			(c.From+c.Size == base.size && c.At+c.Size == size || c.From+c.Size-s.end >= around):
			s.start, s.end = start, end
			x.carried = append(x.carried, s)
		case start < end && end-start <= longFlaw:
			x.add(start-aside, end+aside)
		}
	}
	total := x.merge(size)
	x.whole = total > int64(size)/10*7
	if x.whole {
		x.parts, x.carried = x.parts[:0], x.carried[:0]
	}
	return !x.whole
}

// find returns the copy that holds a place of the base, -1 for none.
func (x *excerpt) find(from int) int {
	return slices.IndexFunc(x.copies, func(c source.Copy) bool { return from >= c.From && from < c.From+c.Size })
}

func (x *excerpt) add(start, end int) {
	x.parts = append(x.parts, penstock.Span{Start: int64(start), End: int64(end)})
}

// merge joins the parts that touch, and returns how many bytes they have.
func (x *excerpt) merge(size int) (total int64) {
	slices.SortFunc(x.parts, func(a, b penstock.Span) int { return cmp.Compare(a.Start, b.Start) })
	out := x.parts[:0]
	for _, s := range x.parts {
		s.Start, s.End = max(s.Start, 0), min(s.End, int64(size))
		if n := len(out); n > 0 && s.Start <= out[n-1].End+lineMost {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		if s.End > s.Start {
			out = append(out, s)
		}
	}
	x.parts = out
	for _, s := range out {
		total += s.End - s.Start
	}
	return total
}

// text is what is looked at. Between its parts stands an empty line.
func (x *excerpt) text(data []byte) []byte {
	x.buf = x.buf[:0]
	for i := range x.parts {
		s := &x.parts[i]
		low := max(0, int(s.Start)-lineMost/2)
		if k := bytes.LastIndexByte(data[low:s.Start], '\n'); k >= 0 {
			s.Start = int64(low + k + 1)
		} else if low == 0 {
			s.Start = 0
		}
		high := min(len(data), int(s.End)+lineMost/2)
		if k := bytes.IndexByte(data[s.End:high], '\n'); k >= 0 {
			s.End += int64(k)
		} else if high == len(data) {
			s.End = int64(high)
		}
		if i > 0 {
			x.buf = append(x.buf, '\n', '\n')
		}
		x.buf = append(x.buf, data[s.Start:s.End]...)
	}
	return x.buf
}

// at turns a place in what is looked at into one in the whole text.
func (x *excerpt) at(place int) int {
	if x.whole {
		return place
	}
	for _, s := range x.parts {
		n := int(s.End - s.Start)
		if place < n {
			return int(s.Start) + place
		}
		place -= n
		if place < 2 {
			return int(s.End)
		}
		place -= 2
	}
	return 0
}
