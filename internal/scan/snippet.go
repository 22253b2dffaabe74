package scan

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"penstock"
)

const (
	snippetContext = 1   // lines before and after
	snippetLines   = 6   // most lines of one snippet
	snippetWidth   = 200 // bytes of one line around the marker
	// redactReach is how far around a snippet text is searched for secrets: a
	// long key that begins above must be known inside too.
	redactReach = 16 << 10
	hidden      = "[redacted]"
	// wholeText is the size, in bytes, up to which a text is searched as a whole.
	wholeText = 256 << 10
)

// cutter cuts snippets of one piece, showing no secret: neither the one that was
// found nor one that only stands beside a finding of another engine.
type cutter struct {
	p     *piece
	path  string
	hide  func(path string, b []byte) []penstock.Span
	spans []mask // of the findings, sorted
	// whole holds the masks of the whole text once it was searched.
	whole  []mask
	looked bool
	// wide holds the masks of a part of a text that is not searched as a whole.
	wide             []mask
	wideFrom, wideTo int
	// values are the hidden texts with what stands in their place.
	values map[string]string
}

// mask is a span of the piece's text and what stands in its place.
type mask struct {
	start, end int
	text       string
}

func newCutter(path string, p *piece, findings []*penstock.Finding, hide func(string, []byte) []penstock.Span) *cutter {
	c := &cutter{p: p, path: path, hide: hide, values: make(map[string]string)}
	for _, f := range findings {
		if f.Evidence.Secret == nil {
			continue
		}
		text := hidden
		if f.Evidence.Secret.Hint != "" {
			text = f.Evidence.Secret.Hint
		}
		for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
			if l.Path == path || l.Path == "" {
				c.spans = append(c.spans, c.mask(l.Span, p.base, text))
			}
		}
	}
	c.remember(c.spans)
	return c
}

func (c *cutter) mask(s penstock.Span, base int64, text string) mask {
	n := int64(len(c.p.text))
	m := mask{int(max(0, min(s.Start-base, n))), int(max(0, min(s.End-base, n))), text}
	// The armour line of a key says what it is and hides nothing.
	if m.end > m.start && strings.HasPrefix(string(c.p.text[m.start:min(m.end, m.start+11)]), "-----BEGIN ") {
		if i := strings.IndexByte(string(c.p.text[m.start:min(m.end, m.start+100)]), '\n'); i > 0 {
			m.start += i + 1
			m.text = hidden
		}
	}
	return m
}

// masks returns what to hide in text[start:end], sorted and apart. Where a secret
// that was found and one that only stands there overlap, the finding's own mask
// stays whole and shows its hint.
func (c *cutter) masks(start, end int) []mask {
	masks := near(c.spans, start, end)
	own := masks
	if c.hide != nil {
		for _, m := range near(c.found(start, end), start, end) {
			masks = append(masks, without(m, own)...)
		}
	}
	masks = append(masks, c.again(start, end)...)
	slices.SortStableFunc(masks, func(a, b mask) int { return cmp.Or(cmp.Compare(a.start, b.start), -cmp.Compare(a.end, b.end)) })
	var apart []mask
	for _, m := range masks {
		if n := len(apart); n > 0 && m.start < apart[n-1].end {
			apart[n-1].end = max(apart[n-1].end, m.end)
			continue
		}
		apart = append(apart, m)
	}
	return apart
}

// near returns the masks that touch text[start:end], in a slice of its own.
func near(masks []mask, start, end int) []mask {
	var out []mask
	for _, m := range masks {
		if m.start < end && m.end > start && m.end > m.start {
			out = append(out, m)
		}
	}
	return out
}

// without returns the parts of m outside of the masks that are worth hiding: what
// is left of a quoted value beside the value is its quotes.
func without(m mask, masks []mask) []mask {
	const least = 3
	parts := []mask{m}
	for _, o := range masks {
		var rest []mask
		for _, p := range parts {
			if o.end <= p.start || p.end <= o.start {
				rest = append(rest, p)
				continue
			}
			for _, q := range []mask{{p.start, o.start, p.text}, {o.end, p.end, p.text}} {
				if q.end-q.start >= least {
					rest = append(rest, q)
				}
			}
		}
		parts = rest
	}
	return parts
}

const (
	againLeast = 6   // bytes; shorter values occur by chance
	againMost  = 200 // values of one file that are looked for
)

// remember notes the values under the masks.
func (c *cutter) remember(masks []mask) {
	for _, m := range masks {
		if len(c.values) >= againMost {
			return
		}
		value := string(c.p.text[m.start:m.end])
		if len(value) < againLeast || len(value) > redactReach {
			continue
		}
		if _, ok := c.values[value]; !ok {
			c.values[value] = m.text
		}
	}
}

// again finds further occurrences of hidden values: in a comment, say, where no
// rule would take them for secrets.
func (c *cutter) again(start, end int) []mask {
	var out []mask
	for value, text := range c.values {
		for at := start; ; {
			i := bytes.Index(c.p.text[at:end], []byte(value))
			if i < 0 {
				break
			}
			out = append(out, mask{at + i, at + i + len(value), text})
			at += i + len(value)
		}
	}
	// The order of a map must not decide which of two overlapping masks is shown.
	slices.SortFunc(out, func(a, b mask) int {
		return cmp.Or(cmp.Compare(a.start, b.start), -cmp.Compare(a.end, b.end), cmp.Compare(a.text, b.text))
	})
	return out
}

// found searches the text around for secrets that are not findings here.
func (c *cutter) found(start, end int) []mask {
	text := c.p.text
	if len(text) <= wholeText {
		if !c.looked {
			c.looked = true
			for _, s := range c.hide(c.path, text) {
				c.whole = append(c.whole, c.mask(s, 0, hidden))
			}
			c.remember(c.whole)
		}
		return c.whole
	}
	if c.wideFrom <= start && end <= c.wideTo {
		return c.wide
	}
	// One search serves what follows soon, too. It begins with a line, since the rest of
	// a name or a hash looks like a secret.
	const ahead = 64 << 10
	end = min(len(text), end+ahead)
	from, to := max(0, start-redactReach), min(len(text), end+redactReach)
	if i := bytes.LastIndexByte(text[max(0, from-redactReach):from], '\n'); i >= 0 {
		from = max(0, from-redactReach) + i + 1
	}
	c.wide, c.wideFrom, c.wideTo = nil, start, end
	for _, s := range c.hide(c.path, text[from:to]) {
		c.wide = append(c.wide, c.mask(penstock.Span{Start: s.Start + int64(from), End: s.End + int64(from)}, 0, hidden))
	}
	c.remember(c.wide)
	return c.wide
}

// snippet cuts the lines of a located finding.
func (c *cutter) snippet(f *penstock.Finding) *penstock.Snippet {
	line, _ := c.p.lines.Position(f.Location.Start - c.p.base)
	last, _ := c.p.lines.Position(max(f.Location.Start, f.Location.End-1) - c.p.base)
	first := max(1, line-snippetContext)
	until := min(last+snippetContext, first+snippetLines-1, c.p.lines.Count())
	start, _ := c.p.lines.LineSpan(first)
	_, end := c.p.lines.LineSpan(until)
	// One line of 500 MB must not be searched whole.
	from := max(start, f.Location.Start-c.p.base-redactReach)
	to := min(end, f.Location.End-c.p.base+redactReach)
	masks := c.masks(int(from), int(max(from, to)))
	s := &penstock.Snippet{FirstLine: first + c.p.line}
	for n := first; n <= until; n++ {
		a, b := c.p.lines.LineSpan(n)
		s.Lines = append(s.Lines, c.line(int(a), int(b), f, masks))
	}
	return s
}

// line renders text[start:end] around the finding's part of it.
func (c *cutter) line(start, end int, f *penstock.Finding, masks []mask) penstock.SnippetLine {
	markStart := int(min(max(f.Location.Start-c.p.base, int64(start)), int64(end)))
	markEnd := int(max(min(f.Location.End-c.p.base, int64(end)), int64(markStart)))
	marked := f.Location.Start-c.p.base < int64(end) && f.Location.End-c.p.base > int64(start)
	if !marked {
		markStart, markEnd = start, start
	}
	// The window begins before the marker; a long marker is cut, not the reader.
	var out penstock.SnippetLine
	from := start
	if markStart-start > snippetWidth/2 {
		from = runeStart(c.p.text, markStart-snippetWidth/2, start)
		out.ClippedStart = true
	}
	var b strings.Builder
	room := func() bool { return b.Len() < snippetWidth }
	at := from
	setMark := func(pos int) {
		if marked && pos == markStart {
			out.MarkStart = b.Len()
		}
	}
	copyText := func(to int) {
		for at < to && room() {
			setMark(at)
			_, size := utf8.DecodeRune(c.p.text[at:to])
			b.Write(c.p.text[at : at+size])
			at += size
			if marked && at >= markEnd && out.MarkEnd == 0 {
				out.MarkEnd = b.Len()
			}
		}
	}
	for _, m := range masks {
		if m.end <= from || m.start >= end || !room() {
			continue
		}
		copyText(max(m.start, from))
		if !room() {
			break
		}
		// The mark begins with the mask that hides its beginning.
		if marked && markStart >= max(m.start, from) && markStart < m.end {
			out.MarkStart = b.Len()
		}
		b.WriteString(m.text)
		at = min(m.end, end)
		if marked && at >= markEnd && out.MarkEnd == 0 {
			out.MarkEnd = b.Len()
		}
	}
	copyText(end)
	out.ClippedEnd = at < end
	if marked && out.MarkEnd <= out.MarkStart {
		out.MarkEnd = b.Len()
	}
	text := b.String()
	if !utf8.ValidString(text) {
		// Offsets must stay right, so each bad byte becomes one byte.
		fixed := []byte(text)
		for i := 0; i < len(fixed); {
			r, size := utf8.DecodeRune(fixed[i:])
			if r == utf8.RuneError && size == 1 {
				fixed[i] = '?'
			}
			i += size
		}
		text = string(fixed)
	}
	out.Text = text
	return out
}

// runeStart moves i back to the start of a character, not before low.
func runeStart(b []byte, i, low int) int {
	for n := 0; n < utf8.UTFMax && i > low && !utf8.RuneStart(b[i]); n++ {
		i--
	}
	return max(i, low)
}
