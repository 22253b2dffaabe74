package fix

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// around is how many unchanged lines stand around a change, as in diff -u.
const around = 3

// hidden stands for a secret.
const hidden = "[redacted]"

// Line is one line of a diff. Kind is ' ', '-', '+', '@' for the head of a hunk.
type Line struct {
	Kind byte
	Text string
}

// Diff is the unified diff of the file, without its two head lines. No line
// shows a byte that a finding is about; so it is to be read, not to be applied.
// Text is raw: the caller escapes what a terminal must not see.
func (f *File) Diff() []Line {
	if f.New {
		var b strings.Builder
		for _, e := range f.edits {
			b.WriteString(e.Text)
			b.WriteString(f.of.text(e.Start, e.End, nil))
		}
		all := split(b.String())
		out := []Line{{'@', fmt.Sprintf("@@ -0,0 +1,%d @@", len(all))}}
		for _, l := range all {
			out = append(out, Line{'+', l})
		}
		return out
	}
	starts := lineStarts(f.Before)
	var out []Line
	delta := 0
	for i := 0; i < len(f.edits); {
		first, last := f.lines(starts, f.edits[i])
		k := i + 1
		for ; k < len(f.edits); k++ {
			from, to := f.lines(starts, f.edits[k])
			if from > last+2*around+1 {
				break
			}
			last = max(last, to)
		}
		hunk, grew := f.hunk(starts, i, k, first, last, delta)
		out = append(out, hunk...)
		delta += grew
		i = k
	}
	return out
}

// hunk shows the edits i to k-1, which touch the lines first to last.
func (f *File) hunk(starts []int64, i, k, first, last, delta int) (out []Line, grew int) {
	top, bottom := max(0, first-around), min(len(starts)-2, last+around)
	out = append(out, Line{})
	added := 0
	put := func(kind byte, lines []string) {
		for _, l := range lines {
			out = append(out, Line{kind, l})
		}
		if kind != '-' {
			added += len(lines)
		}
	}
	put(' ', f.show(starts[top], starts[first], nil))
	for at := first; at <= last; {
		// A run of lines that edits touch, or one line between two runs.
		run := at
		var edits []penstock.Edit
		for ; i < k; i++ {
			from, to := f.lines(starts, f.edits[i])
			if from > run {
				break
			}
			run, edits = max(run, to), append(edits, f.edits[i])
		}
		from, to := starts[at], starts[run+1]
		if edits == nil {
			put(' ', f.show(from, to, nil))
		} else {
			old, now := f.show(from, to, nil), f.show(from, to, edits)
			same := 0
			for same < len(old) && same < len(now) && old[same] == now[same] {
				same++
			}
			put(' ', old[:same])
			old, now = old[same:], now[same:]
			for same = 0; same < len(old) && same < len(now) && old[len(old)-1-same] == now[len(now)-1-same]; {
				same++
			}
			put('-', old[:len(old)-same])
			put('+', now[:len(now)-same])
			put(' ', old[len(old)-same:])
		}
		at = run + 1
	}
	put(' ', f.show(starts[last+1], starts[bottom+1], nil))
	removed := bottom - top + 1
	out[0] = Line{'@', fmt.Sprintf("@@ -%d,%d +%d,%d @@", top+1, removed, top+1+delta, added)}
	return out, added - removed
}

// show returns the lines of Before from start to end, with edits applied and
// everything hidden that has to be.
func (f *File) show(start, end int64, edits []penstock.Edit) []string {
	return split(f.text(start, end, edits))
}

func (f *File) text(start, end int64, edits []penstock.Edit) string {
	var b bytes.Buffer
	at := start
	upTo := func(to int64) {
		i, _ := slices.BinarySearchFunc(f.hide, at, func(s penstock.Span, p int64) int {
			if s.End <= p {
				return -1
			}
			return 1
		})
		for ; i < len(f.hide) && f.hide[i].Start < to && at < to; i++ {
			b.Write(f.Before[at:max(at, f.hide[i].Start)])
			next := min(to, f.hide[i].End)
			b.WriteString(hidden)
			// A hidden span of several lines keeps their number.
			b.WriteString(strings.Repeat("\n", bytes.Count(f.Before[max(at, f.hide[i].Start):next], []byte{'\n'})))
			at = max(at, next)
		}
		if at < to {
			b.Write(f.Before[at:to])
			at = to
		}
	}
	for _, e := range edits {
		upTo(e.Start)
		b.WriteString(e.Text)
		at = e.End
	}
	upTo(end)
	return b.String()
}

// split cuts a text into lines without their ends.
func split(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(l, "\r\n"))
	}
	return lines
}

// lines are the first and last line that an edit touches, from 0.
func (f *File) lines(starts []int64, e penstock.Edit) (first, last int) {
	line := func(at int64) int {
		i, found := slices.BinarySearch(starts[:len(starts)-1], at)
		if !found {
			i--
		}
		return i
	}
	return line(e.Start), line(max(e.Start, e.End-1))
}

// lineStarts are the offsets at which lines begin, and the end.
func lineStarts(b []byte) []int64 {
	starts := []int64{0}
	for i, c := range b {
		if c == '\n' && i+1 < len(b) {
			starts = append(starts, int64(i+1))
		}
	}
	return append(starts, int64(len(b)))
}
