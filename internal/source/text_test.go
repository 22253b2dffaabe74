package source

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

func utf16Bytes(s string, order binary.AppendByteOrder, mark bool) []byte {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func utf32Bytes(s string, order binary.AppendByteOrder, mark bool) []byte {
	var b []byte
	if mark {
		b = order.AppendUint32(b, 0xfeff)
	}
	for _, r := range s {
		b = order.AppendUint32(b, uint32(r))
	}
	return b
}

func TestText(t *testing.T) {
	le, be := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	latin := "name = value\r\npath = C:\\temp\r\n"
	mixed := "name = 値　値 \U0001f600 äöü\nregion = eu-west-1\n"
	tests := []struct {
		name string
		head []byte
		want Encoding
	}{
		{"empty", nil, UTF8},
		{"ascii", []byte("a=b\n"), UTF8},
		{"utf-8", []byte("größe = 3\n"), UTF8},
		{"utf-8 with a mark", []byte("\xef\xbb\xbfa=b\n"), UTF8},
		{"latin-1", []byte("gr\xf6\xdfe = 3\n"), UTF8},
		{"latin-1 that begins like a format", []byte("BMW f\xfcr alle"), UTF8},
		{"terminal log", []byte("\x1b[31merror\x1b[0m\n"), UTF8},
		{"gif in prose", []byte("GIF89a is a format\n"), UTF8},
		{"pdf in prose", []byte("%PDF- is a format\n"), UTF8},
		{"environment", []byte("HOME=/root\x00PATH=/bin:/usr/bin\x00"), UTF8},
		{"find -print0", []byte("./a\x00./b\x00./größe\x00"), UTF8},
		{"mostly nul", append([]byte("abc"), make([]byte, 20)...), Binary},
		{"zeros", make([]byte, 600), Binary},
		{"random", []byte{0x12, 0, 0x93, 0xff, 3, 0, 0x77, 0xa1, 9, 0x80}, Binary},
		{"elf", []byte("\x7fELF\x02\x01\x01"), Binary},
		{"png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), Binary},
		{"gif", []byte("GIF89a\x01\x02"), Binary},
		{"jpeg", []byte("\xff\xd8\xff\xe0"), Binary},
		{"class", []byte("\xca\xfe\xba\xbe\x00\x00\x004"), Binary},
		{"wasm", []byte("\x00asm\x01\x00\x00\x00"), Binary},
		{"sqlite", []byte("SQLite format 3\x00"), Binary},
		{"pe", append([]byte("MZ\x90\x00\x03\x00\x00\x00"), make([]byte, 64)...), Binary},
		{"pyc", []byte("\x61\r\r\n\x00\x00\x00\x00\x10\x99\x12\x61"), Binary},
		{"pdf", []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\x01\x02"), Binary},
		{"gzip", []byte("\x1f\x8b\x08\x00"), Binary},
		{"utf-16le mark", utf16Bytes(mixed, le, true), UTF16LE},
		{"utf-16be mark", utf16Bytes(mixed, be, true), UTF16BE},
		{"utf-16le", utf16Bytes(latin, le, false), UTF16LE},
		{"utf-16be", utf16Bytes(latin, be, false), UTF16BE},
		{"utf-16le mixed", utf16Bytes(mixed, le, false), UTF16LE},
		{"utf-16be mixed", utf16Bytes(mixed, be, false), UTF16BE},
		{"utf-16le cut in a pair", utf16Bytes(mixed, le, false)[:2*15], UTF16LE},
		{"utf-32le mark", utf32Bytes(mixed, le, true), UTF32LE},
		{"utf-32be mark", utf32Bytes(mixed, be, true), UTF32BE},
		{"utf-32le", utf32Bytes(mixed, le, false), UTF32LE},
		{"utf-32be", utf32Bytes(mixed, be, false), UTF32BE},
		{"16-bit samples", func() []byte {
			var b []byte
			for i := range 512 {
				b = binary.LittleEndian.AppendUint16(b, uint16(i*37-9000))
			}
			return b
		}(), Binary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.head); got != tt.want {
				t.Errorf("Text = %v, want %v", got, tt.want)
			}
		})
	}
}

// A rune that the head cuts is not a fault, wherever it is cut.
func TestTextCutRune(t *testing.T) {
	s := "a\x00" + strings.Repeat("b", 90) + "\U0001f600"
	for i := len(s) - 3; i <= len(s); i++ {
		if got := Text([]byte(s[:i])); got != UTF8 {
			t.Errorf("Text of %d bytes = %v", i, got)
		}
	}
}

func TestToUTF8(t *testing.T) {
	le, be := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	s := "a\r\nß € \U0001f600 end\u2028"
	for _, tt := range []struct {
		e    Encoding
		b    []byte
		want string
	}{
		{UTF16LE, utf16Bytes(s, le, true), s},
		{UTF16LE, utf16Bytes(s, le, false), s},
		{UTF16BE, utf16Bytes(s, be, true), s},
		{UTF32LE, utf32Bytes(s, le, true), s},
		{UTF32BE, utf32Bytes(s, be, false), s},
		{UTF16LE, []byte{0x61, 0, 0x00, 0xd8, 0x62, 0}, "a\ufffdb"},
		{UTF16LE, []byte{0x61, 0, 0x00, 0xd8}, "a\ufffd"},
		{UTF16LE, []byte{0x61, 0, 0x62}, "a\ufffd"},
		{UTF16LE, []byte{0x00, 0xdc, 0x00, 0xd8}, "\ufffd\ufffd"},
		{UTF32LE, []byte{0x61, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1}, "a\ufffd\ufffd"},
		{UTF8, []byte("\xef\xbb\xbfx\xff"), "\xef\xbb\xbfx\xff"},
		{UTF16BE, nil, ""},
	} {
		if got := string(ToUTF8([]byte(">"), tt.b, tt.e)); got != ">"+tt.want {
			t.Errorf("ToUTF8(%x, %v) = %q, want %q", tt.b, tt.e, got, tt.want)
		}
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(tt.b),
			"bytes": iotest.OneByteReader(bytes.NewReader(tt.b)),
			"eof":   iotest.DataErrReader(bytes.NewReader(tt.b)),
		} {
			got, err := io.ReadAll(NewUTF8Reader(r, tt.e))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s: reading %x as %v gives %q, %v; want %q", name, tt.b, tt.e, got, err, tt.want)
			}
		}
	}
}

func TestUTF8ReaderKeepsError(t *testing.T) {
	r := NewUTF8Reader(io.MultiReader(strings.NewReader("a\x00b\x00"), iotest.ErrReader(io.ErrNoProgress)), UTF16LE)
	got, err := io.ReadAll(r)
	if string(got) != "ab" || err != io.ErrNoProgress {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTextAllocates(t *testing.T) {
	head := bytes.Repeat([]byte("the quick brown fox\n"), 400)
	wide := utf16Bytes(string(head), binary.LittleEndian, false)
	if n := testing.AllocsPerRun(100, func() { Text(head); Text(wide) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a=b\n"))
	f.Add(utf16Bytes("a=b \U0001f600\n", binary.LittleEndian, true))
	f.Add(utf32Bytes("a=b \U0001f600\n", binary.BigEndian, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		for e := Binary; e <= UTF32BE; e++ {
			whole := ToUTF8(nil, b, e)
			if e >= UTF16LE && !utf8.Valid(whole) {
				t.Fatalf("%v: not UTF-8: %q", e, whole)
			}
			streamed, err := io.ReadAll(NewUTF8Reader(iotest.HalfReader(bytes.NewReader(b)), e))
			if err != nil || !bytes.Equal(whole, streamed) {
				t.Fatalf("%v: streamed %q, whole %q, %v", e, streamed, whole, err)
			}
		}
		e := Text(b)
		if e == EncodingUnset {
			t.Fatal("unset")
		}
		if bytes.IndexByte(b[:min(len(b), TextHead)], 0) < 0 && e >= UTF16LE && mark(b) != e {
			t.Fatalf("%v without NUL or mark", e)
		}
	})
}

func BenchmarkText(b *testing.B) {
	text := bytes.Repeat([]byte("the quick brown fox = 1\n"), 400)[:TextHead]
	for name, head := range map[string][]byte{
		"text": text, "small": text[:700], "elf": append([]byte("\x7fELF\x02\x01\x01\x00\x00"), text...)[:TextHead],
		"nul": append([]byte("\x01\x02\x00\x00"), text...)[:TextHead],
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Text(head)
			}
		})
	}
}

func BenchmarkToUTF8(b *testing.B) {
	src := utf16Bytes(strings.Repeat("the quick brown fox = 1\n", 4000), binary.LittleEndian, true)
	var dst []byte
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		dst = ToUTF8(dst[:0], src, UTF16LE)
	}
}

// TestLFSPointer: what holds more than a pointer is scanned like any other file.
func TestLFSPointer(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0a", 32) + "\nsize 12345\n"
	for text, want := range map[string]bool{
		pointer:                                                  true,
		pointer + "token = x\n":                                  false,
		"token = x\n" + pointer:                                  false,
		pointer[:len(pointer)-1]:                                 false,
		strings.Replace(pointer, "0a0a", "0g0g", 1):              false,
		strings.Replace(pointer, "12345", "", 1):                 false,
		strings.Replace(pointer, "12345", "12 token=x", 1):       false,
		strings.Replace(pointer, "\noid", "\next-0-x y\noid", 1): false,
		"": false,
	} {
		if got := LFSPointer([]byte(text), int64(len(text))); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if LFSPointer([]byte(pointer), int64(len(pointer))+1) {
		t.Error("a file of which only the head is known is a pointer")
	}
}
