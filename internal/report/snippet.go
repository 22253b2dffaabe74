package report

import (
	"strconv"
	"strings"
	"unicode"

	"penstock"
)

const (
	// tabStop is the distance of tab stops in snippets, in columns.
	tabStop = 4
	// maxRows is how many lines of one snippet are shown; of longer ones the
	// first and the last.
	maxRows = 12
	// ellipsis stands where a line is cut.
	ellipsis = "..."
)

// view is a snippet ready to print.
type view struct {
	gutter int
	rows   []row
	// elsewhere are related places that the rows do not show.
	elsewhere []penstock.Label
	// messageShown says that the finding's message stands beside the marker.
	messageShown bool
}

// row is one printed line: a number or blanks as wide as the gutter, and what
// follows the bar.
type row struct{ number, text string }

// label is a marker under a line: columns [from, to) of the whole line.
type label struct {
	from, to int
	sign     byte
	st       style
	message  string
}

// view lays out the snippet of a finding within the width of the report.
func (t *text) view(f *penstock.Finding) view {
	v := view{gutter: 1}
	s := f.Snippet
	if s == nil || len(s.Lines) == 0 {
		v.elsewhere = f.Related
		if f.Location.Line > 0 {
			v.gutter = len(strconv.Itoa(f.Location.Line))
		}
		return v
	}
	first := max(s.FirstLine, 1)
	v.gutter = len(strconv.Itoa(first + len(s.Lines) - 1))
	blank := strings.Repeat(" ", v.gutter)
	avail := max(t.width-v.gutter-3, 20)

	labels := make(map[int][]penstock.Label) // by index in s.Lines
	for _, l := range f.Related {
		i := l.Location.Line - first
		if l.Location.Path == f.Location.Path && i >= 0 && i < len(s.Lines) && markable(s.Lines[i], l.Location) {
			labels[i] = append(labels[i], l)
		} else {
			v.elsewhere = append(v.elsewhere, l)
		}
	}
	last := -1 // the last marked line
	for i, line := range s.Lines {
		if line.MarkEnd > line.MarkStart {
			last = i
		}
	}
	_, st := level(f.Severity)
	for i, line := range s.Lines {
		if len(s.Lines) > maxRows && i >= maxRows*2/3 && i < len(s.Lines)-maxRows/3 && i != last {
			if i == maxRows*2/3 {
				v.rows = append(v.rows, row{blank, " " + ellipsis})
			}
			v.elsewhere = append(v.elsewhere, labels[i]...)
			continue
		}
		cells := t.cells(line)
		start, end := clampMarks(line)
		var marks []label
		if end > start {
			m := label{column(cells, start), column(cells, end), '^', st, ""}
			m.to = max(m.to, m.from+1)
			if i == last && f.Message != "" {
				m.message = oneLine(f.Message)
			}
			marks = append(marks, m)
		}
		for _, l := range labels[i] {
			at := utf16Offset(line.Text, l.Location.Column)
			to := at
			if l.Location.EndLine == l.Location.Line {
				to = utf16Offset(line.Text, l.Location.EndColumn)
			}
			m := label{column(cells, at), column(cells, to), '-', blue, oneLine(l.Message)}
			m.to = max(m.to, m.from+1)
			marks = append(marks, m)
		}
		w := t.window(line, cells, marks, avail)
		v.rows = append(v.rows, row{pad(strconv.Itoa(first+i), v.gutter), w.text})
		for _, m := range marks {
			from, to := w.clip(m)
			under := strings.Repeat(" ", from+1) + t.paint(m.st, strings.Repeat(string(m.sign), to-from))
			if m.message != "" && to+2+t.columns(m.message) <= avail {
				under += " " + t.paint(m.st, m.message)
				if m.sign == '^' {
					v.messageShown = true
				}
			} else if m.sign == '-' && m.message != "" {
				under += " " + t.paint(m.st, m.message)
			}
			v.rows = append(v.rows, row{blank, under})
		}
	}
	return v
}

func pad(s string, width int) string { return strings.Repeat(" ", width-len(s)) + s }

// markable reports whether a column of the file can be found in a snippet line:
// the line begins where it does in the file, and no redacted text stands in it.
func markable(line penstock.SnippetLine, l penstock.Location) bool {
	return !line.ClippedStart && line.MarkStart == line.MarkEnd && l.Column > 0 &&
		utf16Offset(line.Text, l.Column) < len(line.Text)
}

// utf16Offset is the byte offset of a column, counted from 1 in UTF-16 units.
func utf16Offset(s string, col int) int {
	for i, r := range s {
		if col <= 1 {
			return i
		}
		col--
		if r > 0xffff {
			col--
		}
	}
	return len(s)
}

// cell is what one character of a line takes on the terminal.
type cell struct {
	s       string
	at      int // byte offset of the character in the line
	column  int
	width   int
	escaped bool
}

// cells lays out one line: tabs expanded, hidden characters escaped, combining
// marks joined to what they combine with.
func (t *text) cells(line penstock.SnippetLine) []cell {
	s := line.Text
	if !line.ClippedEnd {
		s = strings.TrimSuffix(s, "\r")
	}
	cells := make([]cell, 0, len(s))
	col, marks := 0, 0
	for at, r := range s {
		c := cell{at: at, column: col}
		switch {
		case r == '\t':
			c.width = tabStop - col%tabStop
			c.s = strings.Repeat(" ", c.width)
		case hidden(r, &marks), r == '#' && inlineCommand.MatchString("#"+s[at:min(at+16, len(s))]) && at > 0 && s[at-1] == '#':
			c.s, c.escaped = escapeRune(r), true
			c.width = len(c.s)
		case unicode.In(r, unicode.Mn, unicode.Me) && len(cells) > 0:
			cells[len(cells)-1].s += string(r)
			continue
		default:
			c.s = string(r)
			c.width = t.cond.RuneWidth(r)
		}
		cells = append(cells, c)
		col += c.width
	}
	return cells
}

// column is the column at which the byte offset at is shown.
func column(cells []cell, at int) int {
	if len(cells) == 0 {
		return 0
	}
	lo, hi := 0, len(cells)
	for lo < hi {
		if mid := (lo + hi) / 2; cells[mid].at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(cells) {
		return cells[lo].column
	}
	c := cells[len(cells)-1]
	return c.column + c.width
}

// window is the part of a line that is printed.
type window struct {
	text string
	// first and last are columns of the line; shift is added to a column of the
	// line to get one of the window.
	first, last, shift int
}

// clip returns the columns of a marker within the window, at least one wide.
func (w window) clip(m label) (from, to int) {
	from = max(w.first, min(m.from, w.last-1))
	to = max(from+1, min(m.to, w.last))
	return from + w.shift, to + w.shift
}

// window chooses what to show of a line that may be wider than avail: the first
// marker with about as much text on either side.
func (t *text) window(line penstock.SnippetLine, cells []cell, marks []label, avail int) window {
	total := 0
	if n := len(cells); n > 0 {
		total = cells[n-1].column + cells[n-1].width
	}
	w := window{last: total}
	head, tail := line.ClippedStart, line.ClippedEnd
	room := avail
	if head {
		room -= len(ellipsis)
	}
	if tail {
		room -= len(ellipsis)
	}
	if total > room {
		room = avail - 2*len(ellipsis)
		if len(marks) > 0 {
			wide := min(marks[0].to-marks[0].from, room)
			w.first = max(0, min(marks[0].from-(room-wide)/2, total-room))
		}
		w.last = min(total, w.first+room)
		head, tail = head || w.first > 0, tail || w.last < total
	}
	var b strings.Builder
	b.WriteByte(' ')
	if head {
		b.WriteString(t.paint(faint, ellipsis))
		w.shift = len(ellipsis)
	}
	started := false
	for _, c := range cells {
		if c.column < w.first || c.column+c.width > w.last {
			continue
		}
		if !started {
			// A wide character or a tab may be cut at the left edge.
			started = true
			b.WriteString(strings.Repeat(" ", c.column-w.first))
		}
		st := plain
		if c.escaped {
			st = reversed
		}
		b.WriteString(t.paint(st, c.s))
	}
	w.shift -= w.first
	if tail {
		b.WriteString(t.paint(faint, ellipsis))
	}
	w.text = strings.TrimRight(b.String(), " ")
	return w
}
