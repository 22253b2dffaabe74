package syntax

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPosition(t *testing.T) {
	tests := []struct {
		name, text string
		off        int64
		line, col  int
	}{
		{"empty", "", 0, 1, 1},
		{"past the end", "ab", 9, 1, 3},
		{"before the start", "ab", -3, 1, 1},
		{"on the line feed", "ab\ncd", 2, 1, 3},
		{"after the line feed", "ab\ncd", 3, 2, 1},
		{"after the last line feed", "ab\n", 3, 2, 1},
		{"on CR of CR LF", "ab\r\ncd", 2, 1, 3},
		{"after CR LF", "ab\r\ncd", 4, 2, 1},
		{"lone CR is no line end", "ab\rcd", 3, 1, 4},
		{"two bytes, one unit", "éx", 2, 1, 2},
		{"inside a character", "éx", 1, 1, 1},
		{"three bytes, one unit", "日x", 3, 1, 2},
		{"four bytes, two units", "😀x", 4, 1, 3},
		{"Latin-1", "\xe9\xe8x", 2, 1, 3},
		{"stray continuation bytes", "\x80\x80\x80\x80\x80x", 5, 1, 6},
		{"cut character", "\xf0\x9f\x98", 3, 1, 4},
		{"byte order mark", "\xef\xbb\xbfab", 4, 1, 2},
		{"inside the byte order mark", "\xef\xbb\xbfab", 1, 1, 1},
		{"byte order mark further on", "a\xef\xbb\xbfb", 4, 1, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line, col := NewLines([]byte(tt.text)).Position(tt.off)
			if line != tt.line || col != tt.col {
				t.Errorf("Position(%q, %d) = %d:%d, want %d:%d", tt.text, tt.off, line, col, tt.line, tt.col)
			}
		})
	}
}

func TestLineSpan(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
		want       string
	}{
		{"first", "ab\ncd", 1, "ab"},
		{"last without a line end", "ab\ncd", 2, "cd"},
		{"after the last line end", "ab\n", 2, ""},
		{"beyond", "ab\n", 7, ""},
		{"zero is the first", "ab\ncd", 0, "ab"},
		{"CR LF", "ab\r\ncd\r\n", 1, "ab"},
		{"CR LF, second", "ab\r\ncd\r\n", 2, "cd"},
		{"only one CR belongs to the end", "ab\r\r\n", 1, "ab\r"},
		{"final CR stays", "ab\r", 1, "ab\r"},
		{"byte order mark", "\xef\xbb\xbfab\n", 1, "ab"},
		{"empty line", "\n\nx", 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end := NewLines([]byte(tt.text)).LineSpan(tt.line)
			if got := tt.text[start:end]; got != tt.want {
				t.Errorf("LineSpan(%q, %d) = %q, want %q", tt.text, tt.line, got, tt.want)
			}
		})
	}
}

// reference is the plain definition that the index must agree with.
func reference(b []byte, off int) (line, col int) {
	line, col = 1, 1
	i := bom(b)
	for i < len(b) && i < off {
		r, size := utf8.DecodeRune(b[i:])
		if i+size > off {
			break
		}
		i += size
		switch {
		case r == '\n':
			line, col = line+1, 1
		case r > 0xFFFF:
			col += 2
		default:
			col++
		}
	}
	return line, col
}

func check(t *testing.T, b []byte, offsets []int) {
	t.Helper()
	l := NewLines(b)
	for _, off := range offsets {
		line, col := l.Position(int64(off))
		wantLine, wantCol := reference(b, off)
		if line != wantLine || col != wantCol {
			t.Fatalf("Position(%d) = %d:%d, want %d:%d", off, line, col, wantLine, wantCol)
		}
		start, end := l.LineSpan(line)
		if end < start || end > int64(len(b)) || bytes.IndexByte(b[start:end], '\n') >= 0 {
			t.Fatalf("LineSpan(%d) = [%d,%d)", line, start, end)
		}
		if off >= bom(b) && int64(off) < start {
			t.Fatalf("LineSpan(%d) begins at %d, after the offset %d on that line", line, start, off)
		}
	}
	if got, want := l.Count(), bytes.Count(b, []byte{'\n'})+1; got != want {
		t.Fatalf("Count() = %d, want %d", got, want)
	}
}

// TestBlocks crosses block edges with characters of every width and with lines
// both shorter and longer than a block, in an order that jumps back and forth.
func TestBlocks(t *testing.T) {
	texts := map[string]string{
		"short lines":  strings.Repeat("aé日😀\n", 2000),
		"one long":     strings.Repeat("aé日😀", 3000),
		"invalid":      strings.Repeat("\x80\xf0\x9f\x98a\xe9", 3000),
		"only feeds":   strings.Repeat("\n", 10000),
		"long then":    strings.Repeat("😀", 3000) + "\n" + strings.Repeat("x\r\n", 3000),
		"mark, shifts": "\xef\xbb\xbf" + strings.Repeat("日", 6000),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			b := []byte(text)
			var offsets []int
			for _, edge := range []int{12288, 0, 4096, 8192, len(b)} {
				for d := -5; d <= 5; d++ {
					if off := edge + d; off >= 0 && off <= len(b) {
						offsets = append(offsets, off)
					}
				}
			}
			check(t, b, offsets)
		})
	}
}

// TestLazy holds the index to its promise that it reads no further than asked.
func TestLazy(t *testing.T) {
	b := bytes.Repeat([]byte("x\n"), 1<<20)
	l := NewLines(b)
	l.Position(10)
	if len(l.blocks) > 3 {
		t.Errorf("a look-up at offset 10 indexed %d blocks", len(l.blocks))
	}
	l.LineSpan(1)
	if len(l.blocks) > 3 {
		t.Errorf("the span of line 1 indexed %d blocks", len(l.blocks))
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\n\xef\xbb\xbf😀\xff"), 5)
	f.Add(bytes.Repeat([]byte("é\n"), 3000), 4097)
	f.Fuzz(func(t *testing.T, b []byte, off int) {
		off = max(0, min(off, len(b)))
		check(t, b, []int{off, len(b), 0, len(b) / 2})
	})
}

func BenchmarkLines(b *testing.B) {
	text := bytes.Repeat([]byte("	token := os.Getenv(\"NAME\") // of the job\n"), 1<<20/43)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		NewLines(text).Position(int64(len(text)))
	}
}

// BenchmarkLongLine is the hostile case: ten thousand findings on one line.
func BenchmarkLongLine(b *testing.B) {
	text := bytes.Repeat([]byte("x"), 16<<20)
	b.ReportAllocs()
	for b.Loop() {
		l := NewLines(text)
		for i := range int64(10000) {
			l.Position(i * 1600)
			l.LineSpan(1)
		}
	}
}
