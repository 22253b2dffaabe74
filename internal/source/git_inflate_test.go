package source

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func deflated(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// inflateTexts are inputs of every kind of block, of long and of overlapping
// matches.
func inflateTexts() [][]byte {
	g := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(g.Uint32())
	}
	skewed := make([]byte, 100_000)
	for i := range skewed {
		skewed[i] = byte(g.ExpFloat64() * 9)
	}
	var words strings.Builder
	for range 30_000 {
		fmt.Fprintf(&words, "%x ", g.IntN(1<<(1+g.IntN(20))))
	}
	return [][]byte{
		nil, []byte("a"), []byte("hello, hello, hello"), bytes.Repeat([]byte("a"), 5000),
		bytes.Repeat([]byte("abc"), 3000), bytes.Repeat([]byte("abcdefghij"), 3000), noise, skewed, []byte(words.String()),
		append(bytes.Clone(noise[:40_000]), noise[:40_000]...),
	}
}

func TestInflate(t *testing.T) {
	z := new(inflater)
	for i, text := range inflateTexts() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, 6, flate.BestCompression} {
			packed := deflated(t, text, level)
			dst := make([]byte, len(text))
			wrote, read, err := z.zlib(dst, append(bytes.Clone(packed), "more"...))
			if err != nil || wrote != len(text) || !bytes.Equal(dst, text) {
				t.Fatalf("text %d, level %d: wrote %d of %d: %v", i, level, wrote, len(text), err)
			}
			if want := len(packed) - 4; read != want {
				t.Errorf("text %d, level %d: read %d, want %d", i, level, read, want)
			}
			for _, cut := range []int{0, 1, 2, 3, 10, len(packed) / 2, len(packed) - 5} {
				if cut >= len(packed)-4 || cut < 0 {
					continue
				}
				if _, _, err := z.zlib(dst, packed[:cut]); !errors.Is(err, errInputShort) {
					t.Errorf("text %d, level %d, cut at %d: %v", i, level, cut, err)
				}
			}
			if len(text) > 0 {
				short := dst[:len(text)*2/3]
				clear(short)
				wrote, _, err := z.zlib(short, packed)
				if !errors.Is(err, errOutputFull) || wrote != len(short) || !bytes.Equal(short, text[:wrote]) {
					t.Errorf("text %d, level %d, short output: %d, %v", i, level, wrote, err)
				}
			}
		}
	}
}

// FuzzInflate compares with the standard library: the same output, and an error
// where that has one.
func FuzzInflate(f *testing.F) {
	for _, text := range inflateTexts() {
		for _, level := range []int{1, 9} {
			if packed := deflated(f, text, level); len(packed) < 4000 {
				f.Add(packed[2:])
			}
		}
	}
	f.Add([]byte("\x63\x00"))
	z := new(inflater)
	f.Fuzz(func(t *testing.T, src []byte) {
		const limit = 1 << 16
		r := flate.NewReader(bytes.NewReader(src))
		want := make([]byte, limit)
		n, err := io.ReadFull(r, want)
		over := false
		if err == nil {
			var one [1]byte
			k, e := r.Read(one[:])
			over = k > 0
			err = e
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF && n < limit {
			// ReadFull calls a clean end early unexpected too: ask again.
			_, err = r.Read(make([]byte, 1))
		}
		clean := err == io.EOF
		got := make([]byte, limit)
		wrote, read, gotErr := z.inflate(got, src)
		if read > len(src) || wrote > limit {
			t.Fatalf("read %d of %d, wrote %d", read, len(src), wrote)
		}
		switch {
		case over:
			if !errors.Is(gotErr, errOutputFull) || !bytes.Equal(got, want) {
				t.Fatalf("over the limit: %v", gotErr)
			}
		case clean != (gotErr == nil):
			t.Fatalf("the standard library says %v, we say %v", err, gotErr)
		case clean && (wrote != n || !bytes.Equal(got[:n], want[:n])):
			t.Fatalf("other output: %d and %d bytes", n, wrote)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	var text strings.Builder
	g := rand.New(rand.NewPCG(5, 6))
	names := strings.Fields("func return err nil if for range string bytes package import type struct error value index count offset")
	for text.Len() < 8000 {
		text.WriteString(names[g.IntN(len(names))] + " ")
		if g.IntN(8) == 0 {
			text.WriteString("\n\t")
		}
	}
	packed := deflated(b, []byte(text.String()), 6)
	b.Run("ours", func(b *testing.B) {
		z := new(inflater)
		dst := make([]byte, text.Len())
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			if _, _, err := z.zlib(dst, packed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("klauspost", func(b *testing.B) {
		var z zlibStream
		dst := make([]byte, text.Len())
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			r, err := z.reset(bytes.NewReader(packed))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(r, dst); err != nil {
				b.Fatal(err)
			}
		}
	})
}
