package source

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"penstock"
)

// file is one member of a container that a test makes.
type file struct{ name, data string }

func zipOf(files ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.Create(f.name)
		if err != nil {
			panic(err)
		}
		io.WriteString(m, f.data)
	}
	w.Close()
	return b.Bytes()
}

func storedZipOf(files ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store})
		if err != nil {
			panic(err)
		}
		io.WriteString(m, f.data)
	}
	w.Close()
	return b.Bytes()
}

func tarOf(files ...file) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		io.WriteString(w, f.data)
	}
	w.Close()
	return b.Bytes()
}

func gzipOf(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zstdOf(b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

// arOf makes an ar archive; names over 15 bytes go to a table as GNU does, or
// before the data as BSD does.
func arOf(bsd bool, files ...file) []byte {
	var table, body bytes.Buffer
	b := bytes.NewBufferString(arMagic)
	for _, f := range files {
		name, data := f.name+"/", f.data
		switch {
		case len(name) > 16 && bsd:
			name, data = fmt.Sprintf("#1/%d", len(f.name)), f.name+f.data
		case len(name) > 16:
			name = fmt.Sprintf("/%d", table.Len())
			table.WriteString(f.name + "/\n")
		}
		fmt.Fprintf(&body, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", name, 0, 0, 0, 0o100644, len(data), data)
		if len(data)%2 == 1 {
			body.WriteByte('\n')
		}
	}
	if table.Len() > 0 {
		fmt.Fprintf(b, "%-48s%-10d`\n%s", "//", table.Len(), table.String())
		if table.Len()%2 == 1 {
			b.WriteByte('\n')
		}
	}
	b.Write(body.Bytes())
	return b.Bytes()
}

func cpioOf(old bool, files ...file) []byte {
	var b bytes.Buffer
	for i, f := range append(slices.Clone(files), file{name: cpioEnd}) {
		mode := 0o100644
		if strings.HasSuffix(f.name, "@") {
			mode = 0o120777
		}
		if old {
			fmt.Fprintf(&b, "%s%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o%s\x00%s", cpioOld, 0, i, mode, 0, 0, 1, 0, 0, len(f.name)+1, len(f.data), f.name, f.data)
			continue
		}
		fmt.Fprintf(&b, "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", cpioNew, i, mode, 0, 0, 1, 0, len(f.data), 0, 0, 0, 0, len(f.name)+1, 0, f.name)
		b.Write(make([]byte, -b.Len()&3))
		b.WriteString(f.data)
		b.Write(make([]byte, -b.Len()&3))
	}
	return b.Bytes()
}

func rpmOf(payload []byte, scripts ...file) []byte {
	b := bytes.NewBuffer(append([]byte("\xed\xab\xee\xdb"), make([]byte, 92)...))
	header := func(scripts []file) {
		var index, data bytes.Buffer
		for _, s := range scripts {
			for tag, name := range rpmScripts {
				if name == s.name {
					for _, v := range []uint32{tag, 6, uint32(data.Len()), 1} {
						binary.Write(&index, binary.BigEndian, v)
					}
				}
			}
			data.WriteString(s.data + "\x00")
		}
		b.WriteString(rpmMagic + "\x00\x00\x00\x00")
		binary.Write(b, binary.BigEndian, uint32(index.Len()/16))
		binary.Write(b, binary.BigEndian, uint32(data.Len()))
		b.Write(index.Bytes())
		b.Write(data.Bytes())
	}
	header([]file{{"sig", "abc"}})
	b.Write(make([]byte, -b.Len()&7))
	header(scripts)
	b.Write(payload)
	return b.Bytes()
}

// listing is what came out of a container.
type listing struct {
	members []string // "path=content"
	gaps    []string // "path: state reason detail"
	notes   []string
	made    int64
	reads   int64 // bytes that the visitor got
}

func (l *listing) gap(path string, reason penstock.Reason) string {
	for _, g := range l.gaps {
		if strings.HasPrefix(g, path+": ") && strings.Contains(g, " "+string(reason)+" ") {
			return g
		}
	}
	return ""
}

func list(t testing.TB, name string, b []byte, limits Limits) *listing {
	t.Helper()
	kind := Detect(name, b[:min(len(b), TextHead)])
	if kind == KindNone {
		t.Fatalf("%s is no container", name)
	}
	l, err := expandAll(context.Background(), name, kind, b, limits)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func expandAll(ctx context.Context, name string, kind Kind, b []byte, limits Limits) (*listing, error) {
	l := new(listing)
	budget := NewBudget(limits)
	err := Expand(ctx, name, kind, bytes.NewReader(b), int64(len(b)), budget, func(m Member) error {
		var head [100]byte
		n := 0
		var err error
		for err == nil {
			var buf [4096]byte
			var k int
			k, err = m.Reader.Read(buf[:])
			n += copy(head[min(n, len(head)):], buf[:k])
			l.reads += int64(k)
		}
		s := m.Path + "=" + string(head[:n])
		if err != io.EOF {
			l.gaps = append(l.gaps, fmt.Sprintf("%s: unread %s %v", m.Path, MemberReason(err), err))
		} else if !bytes.HasPrefix(m.Head, head[:n]) {
			return errors.New("head and content differ")
		}
		l.members = append(l.members, s)
		return nil
	}, func(c penstock.Coverage) {
		l.gaps = append(l.gaps, fmt.Sprintf("%s: %s %s %s", c.Path, c.State, c.Reason, c.Detail))
	})
	for _, n := range budget.Notes() {
		l.notes = append(l.notes, n.Code+" "+n.Place+" "+n.Message)
	}
	l.made = budget.made
	if err == nil && budget.memory != 0 {
		err = fmt.Errorf("%d bytes are still held", budget.memory)
	}
	return l, err
}

func TestExpand(t *testing.T) {
	ab := []file{{"a.txt", "alpha"}, {"d/b.txt", "beta"}}
	big := strings.Repeat("0123456789abcdef", 10_000)
	script := "#!/bin/sh\nexit 0\n"
	tests := []struct {
		name string
		b    []byte
		want []string
	}{
		{"x.zip", zipOf(ab...), []string{"x.zip!/a.txt=alpha", "x.zip!/d/b.txt=beta"}},
		{"misnamed.txt", zipOf(ab...), []string{"misnamed.txt!/a.txt=alpha", "misnamed.txt!/d/b.txt=beta"}},
		{"stored.jar", storedZipOf(ab...), []string{"stored.jar!/a.txt=alpha", "stored.jar!/d/b.txt=beta"}},
		{"empty.zip", zipOf(), nil},
		{"x.tar", tarOf(ab...), []string{"x.tar!/a.txt=alpha", "x.tar!/d/b.txt=beta"}},
		{"empty.tar", tarOf(), nil},
		{"x.tar.gz", gzipOf(tarOf(ab...)), []string{"x.tar.gz!/a.txt=alpha", "x.tar.gz!/d/b.txt=beta"}},
		{"x.crate", gzipOf(tarOf(ab...)), []string{"x.crate!/a.txt=alpha", "x.crate!/d/b.txt=beta"}},
		{"x.tar.zst", zstdOf(tarOf(ab...)), []string{"x.tar.zst!/a.txt=alpha", "x.tar.zst!/d/b.txt=beta"}},
		{"x.log.gz", gzipOf([]byte("line")), []string{"x.log.gz!/x.log=line"}},
		{"empty.gz", gzipOf(nil), []string{"empty.gz!/empty="}},
		{"two.gz", append(gzipOf([]byte("one ")), gzipOf([]byte("two"))...), []string{"two.gz!/two=one two"}},
		{"padded.gz", append(gzipOf([]byte("one")), make([]byte, 100_000)...), []string{"padded.gz!/padded=one"}},
		{"odd", gzipOf([]byte("line")), []string{"odd!/odd=line"}},
		{"x.zst", zstdOf([]byte("line")), []string{"x.zst!/x=line"}},
		{"x.a", arOf(false, ab...), []string{"x.a!/a.txt=alpha", "x.a!/d/b.txt=beta"}},
		{"gnu.a", arOf(false, file{"a-name-that-is-long.txt", "x"}, file{"another-name-that-is-long.txt", "yy"}),
			[]string{"gnu.a!/a-name-that-is-long.txt=x", "gnu.a!/another-name-that-is-long.txt=yy"}},
		{"bsd.a", arOf(true, file{"a-name-that-is-long.txt", "x"}, file{"short", "yy"}),
			[]string{"bsd.a!/a-name-that-is-long.txt=x", "bsd.a!/short=yy"}},
		{"x.deb", arOf(false, file{"debian-binary", "2.0\n"}, file{"control.tar.gz", string(gzipOf(tarOf(file{"./postinst", "sh"})))}, file{"data.tar.zst", string(zstdOf(tarOf(ab...)))}),
			[]string{"x.deb!/debian-binary=2.0\n", "x.deb!/control.tar.gz!/postinst=sh", "x.deb!/data.tar.zst!/a.txt=alpha", "x.deb!/data.tar.zst!/d/b.txt=beta"}},
		{"x.gem", tarOf(file{"metadata.gz", string(gzipOf([]byte("meta")))}, file{"data.tar.gz", string(gzipOf(tarOf(ab...)))}),
			[]string{"x.gem!/metadata.gz!/metadata=meta", "x.gem!/data.tar.gz!/a.txt=alpha", "x.gem!/data.tar.gz!/d/b.txt=beta"}},
		{"x.cpio", cpioOf(false, ab...), []string{"x.cpio!/a.txt=alpha", "x.cpio!/d/b.txt=beta"}},
		{"old.cpio", cpioOf(true, ab...), []string{"old.cpio!/a.txt=alpha", "old.cpio!/d/b.txt=beta"}},
		{"initrd", append(append(cpioOf(false, file{"early", "e"}), make([]byte, 300)...), zstdOf(cpioOf(false, file{"late", "l"}))...), []string{"initrd!/early=e", "initrd!/late=l"}},
		{"initrd2", append(append(cpioOf(false, file{"early", "e"}), make([]byte, 300)...), cpioOf(false, file{"late", "l"})...), []string{"initrd2!/early=e", "initrd2!/late=l"}},
		{"x.rpm", rpmOf(gzipOf(cpioOf(false, ab...)), file{"(postinstall)", "useradd x"}, file{"(preuninstall)", "true"}),
			[]string{"x.rpm!/(postinstall)=useradd x", "x.rpm!/(preuninstall)=true", "x.rpm!/a.txt=alpha", "x.rpm!/d/b.txt=beta"}},
		{"zstd.rpm", rpmOf(zstdOf(cpioOf(false, ab...))), []string{"zstd.rpm!/a.txt=alpha", "zstd.rpm!/d/b.txt=beta"}},
		{"self.jar", append([]byte(script), zipOf(ab...)...), []string{"self.jar!/a.txt=alpha", "self.jar!/d/b.txt=beta", "self.jar!/(prefix)=" + script}},
		{"nested.zip", zipOf(file{"in.zip", string(zipOf(ab...))}, file{"in.tgz", string(gzipOf(tarOf(ab...)))}, file{"after", "x"}),
			[]string{"nested.zip!/in.zip!/a.txt=alpha", "nested.zip!/in.zip!/d/b.txt=beta", "nested.zip!/in.tgz!/a.txt=alpha", "nested.zip!/in.tgz!/d/b.txt=beta", "nested.zip!/after=x"}},
		{"boot.jar", storedZipOf(file{"BOOT-INF/lib/a.jar", string(zipOf(ab...))}, file{"after", "x"}),
			[]string{"boot.jar!/BOOT-INF/lib/a.jar!/a.txt=alpha", "boot.jar!/BOOT-INF/lib/a.jar!/d/b.txt=beta", "boot.jar!/after=x"}},
		{"image.tar", tarOf(file{"layer.tar", string(tarOf(ab...))}, file{"l.jar", string(zipOf(ab...))}, file{"after", "x"}),
			[]string{"image.tar!/layer.tar!/a.txt=alpha", "image.tar!/layer.tar!/d/b.txt=beta", "image.tar!/l.jar!/a.txt=alpha", "image.tar!/l.jar!/d/b.txt=beta", "image.tar!/after=x"}},
		{"jar.tgz", gzipOf(tarOf(file{"l.jar", string(zipOf(ab...))}, file{"after", "x"})), []string{"jar.tgz!/l.jar!/a.txt=alpha", "jar.tgz!/l.jar!/d/b.txt=beta", "jar.tgz!/after=x"}},
		{"zip.gz", gzipOf(zipOf(ab...)), []string{"zip.gz!/zip!/a.txt=alpha", "zip.gz!/zip!/d/b.txt=beta"}},
		{"big.zip", zipOf(file{"big", big}, file{"after", "x"}), []string{"big.zip!/big=" + big[:100], "big.zip!/after=x"}},
		{"two.tar", append(tarOf(file{"1", "one"}), tarOf(file{"2", "two"})...), []string{"two.tar!/1=one", "two.tar!/2=two"}},
		{"two.tgz", gzipOf(append(tarOf(file{"1", "one"}), tarOf(file{"2", "two"})...)), []string{"two.tgz!/1=one", "two.tgz!/2=two"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := list(t, tt.name, tt.b, Limits{})
			if diff := cmp.Diff(tt.want, l.members); diff != "" {
				t.Error(diff)
			}
			if len(l.gaps)+len(l.notes) > 0 {
				t.Errorf("gaps %q, notes %q", l.gaps, l.notes)
			}
		})
	}
}

// What tools on the machine make, with all their options.
func TestExpandTools(t *testing.T) {
	text := strings.Repeat("a line of text, number ", 10_000) + "end"
	noise := make([]byte, 60_000)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	mixed := text[:100_000] + string(noise) + text
	for _, tt := range []struct {
		ext  string
		args []string
	}{
		{".xz", []string{"xz", "-0"}}, {".xz", []string{"xz", "-6"}}, {".xz", []string{"xz", "-9e"}},
		{".xz", []string{"xz", "-6", "--check=none"}}, {".xz", []string{"xz", "-6", "--check=crc32"}}, {".xz", []string{"xz", "-6", "--check=sha256"}},
		{".xz", []string{"xz", "--block-size=100000", "-T1"}}, {".xz", []string{"xz", "--lzma2=lc=1,lp=3,pb=0,dict=4096"}},
		{".xz", []string{"xz", "--lzma2=lc=0,lp=0,pb=4,dict=65536,nice=8"}}, {".xz", []string{"xz", "-T2", "--block-size=50000"}},
		{".lzma", []string{"xz", "--format=lzma"}}, {".lzma", []string{"xz", "--format=lzma", "--lzma1=lc=3,lp=0,pb=2,dict=4096"}},
		{".bz2", []string{"bzip2", "-1"}}, {".bz2", []string{"bzip2", "-9"}},
		{".lz4", []string{"lz4", "-1"}}, {".lz4", []string{"lz4", "-9", "-B4", "-BD", "-BX"}}, {".lz4", []string{"lz4", "-l"}}, {".lz4", []string{"lz4", "--content-size", "--no-frame-crc"}},
		{".zst", []string{"zstd", "-1"}}, {".zst", []string{"zstd", "-19"}}, {".zst", []string{"zstd", "--long=25"}},
		{".gz", []string{"gzip", "-9"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			if _, err := exec.LookPath(tt.args[0]); err != nil {
				t.Skipf("SKIPPED: no %s on this machine to make the input", tt.args[0])
			}
			for name, data := range map[string]string{"mixed": mixed, "empty": "", "byte": "x", "text": text, "noise": string(noise), "small": text[:20_000] + string(noise[:10_000]) + text[:20_000]} {
				cmd := exec.Command(tt.args[0], append(tt.args[1:], "-c")...)
				cmd.Stdin = strings.NewReader(data)
				b, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				if tt.ext == ".zst" || tt.ext == ".lz4" || tt.ext == ".xz" {
					b = append(b, b...) // several in a row
					data += data
				}
				kind := Detect("m"+tt.ext, b)
				var got bytes.Buffer
				budget := NewBudget(Limits{})
				err = Expand(context.Background(), "m"+tt.ext, kind, bytes.NewReader(b), int64(len(b)), budget, func(m Member) error {
					_, err := io.Copy(&got, m.Reader)
					return err
				}, func(c penstock.Coverage) { t.Errorf("%s: gap %+v", name, c) })
				if err != nil || got.String() != data {
					t.Errorf("%s: %d of %d bytes, equal %v, %v", name, got.Len(), len(data), got.String() == data, err)
				}
				if budget.memory != 0 {
					t.Errorf("%s: %d bytes held", name, budget.memory)
				}
				if name != "small" {
					continue
				}
				// Damage anywhere is an error, an end, or at least no panic.
				for i := 0; i < len(b)/2; i += 1 + len(b)/40 {
					bad := bytes.Clone(b[:len(b)/2])
					bad[i] ^= 0x10
					if _, err := expandAll(context.Background(), "m", kind, bad, Limits{}); err != nil {
						t.Fatal(err)
					}
					cut := list(t, "m"+tt.ext, b[:max(i, 16)], Limits{})
					if len(cut.gaps) == 0 {
						t.Errorf("cut at %d and no gap", i)
					}
				}
			}
		})
	}
}

func TestArTool(t *testing.T) {
	if _, err := exec.LookPath("ar"); err != nil {
		t.Skip("SKIPPED: no ar on this machine to make the input")
	}
	dir := t.TempDir()
	names := []string{"short", "a-very-long-name-for-an-ar-member.txt", "z"}
	for _, n := range names {
		os.WriteFile(filepath.Join(dir, n), []byte("in "+n), 0o666)
	}
	cmd := exec.Command("ar", append([]string{"rc", "x.a"}, names...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	b, err := os.ReadFile(filepath.Join(dir, "x.a"))
	if err != nil {
		t.Fatal(err)
	}
	l := list(t, "x.a", b, Limits{})
	var want []string
	for _, n := range names {
		want = append(want, "x.a!/"+n+"=in "+n)
	}
	if diff := cmp.Diff(want, l.members); diff != "" || len(l.gaps) > 0 {
		t.Error(diff, l.gaps)
	}
}

func TestDetect(t *testing.T) {
	v7 := tarOf(file{"old", "x"})
	copy(v7[257:265], make([]byte, 8))
	sum := 0
	for i, c := range v7[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int(c)
	}
	copy(v7[148:], fmt.Sprintf("%06o\x00 ", sum))
	pad := strings.Repeat("x", 600)
	for _, tt := range []struct {
		name, head string
		want       Kind
	}{
		{"a", "", KindNone}, {"a", "P", KindNone}, {"a.txt", "PK is short for " + pad, KindNone},
		{"a", "PK\x03\x04", KindZip}, {"a", "PK\x05\x06", KindZip},
		{"lfs.zip", "version https://git-lfs.github.com/spec/v1\n", KindNone},
		{"damaged.zip", "\x01\x02\x03\x00" + pad, KindZip},
		{"x.pyz", "#!/usr/bin/env python\nPK\x03\x04", KindZip},
		{"x.sh", "#!/bin/sh\n", KindNone},
		{"v7", string(v7), KindTar},
		{"empty.tar", string(make([]byte, 1024)), KindTar}, {"zeros", string(make([]byte, 1024)), KindNone},
		{"a", "\x1f\x8b\x08", KindGzip}, {"a.Z", "\x1f\x9d\x90", KindCompress},
		{"a", "BZh91AY&SY", KindBzip2}, {"a", "BZh is not" + pad, KindNone},
		{"a", "\xfd7zXZ\x00", KindXz}, {"a", "\x28\xb5\x2f\xfd", KindZstd}, {"a", "\x50\x2a\x4d\x18", KindZstd}, {"a.lz4", "\x5f\x2a\x4d\x18", KindLz4},
		{"a", "\x04\x22\x4d\x18", KindLz4}, {"a", "\x02\x21\x4c\x18", KindLz4},
		{"a", "\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00", KindLzma}, {"a", "] is a bracket", KindNone},
		{"a", "!<arch>\n", KindAr}, {"a", "!<thin>\n", KindNone}, {"a", "\xed\xab\xee\xdb", KindRPM},
		{"a", string(cpioOf(false)), KindCpio}, {"a", string(cpioOf(true)), KindCpio}, {"a", "070701 is a number" + pad, KindNone},
		{"a", "7z\xbc\xaf\x27\x1c", Kind7z}, {"a", "Rar!\x1a\x07\x01\x00", KindRar}, {"a", "MSCF\x00\x00\x00\x00", KindCab},
		{"a", "LZIP\x01", KindLzip}, {"a", "xar!\x00", KindXar}, {"a", pad, KindNone},
	} {
		if got := Detect(tt.name, []byte(tt.head)); got != tt.want {
			t.Errorf("Detect(%q, %.20q) = %v, want %v", tt.name, tt.head, got, tt.want)
		}
	}
	head := []byte(strings.Repeat("package source // text\n", 40))
	if n := testing.AllocsPerRun(100, func() { Detect("internal/source/archive.go", head) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnsupported(t *testing.T) {
	for name, head := range map[string]string{"x.7z": "7z\xbc\xaf\x27\x1c", "x.rar": "Rar!\x1a\x07\x00", "x.Z": "\x1f\x9d\x90", "x.lz": "LZIP\x01", "x.cab": "MSCF\x00\x00\x00\x00"} {
		l := list(t, name, []byte(head+strings.Repeat("\x00", 100)), Limits{})
		if len(l.gaps) != 1 || l.gap(name, penstock.ReasonBinary) == "" || !strings.Contains(l.gaps[0], "not opened") {
			t.Errorf("%s: %q", name, l.gaps)
		}
	}
	// Inside another container it costs only itself.
	l := list(t, "x.zip", zipOf(file{"a.7z", "7z\xbc\xaf\x27\x1c"}, file{"b", "x"}), Limits{})
	if diff := cmp.Diff([]string{"x.zip!/b=x"}, l.members); diff != "" || l.gap("x.zip!/a.7z", penstock.ReasonBinary) == "" {
		t.Error(diff, l.gaps)
	}
}

func TestCleanName(t *testing.T) {
	for raw, want := range map[string]string{
		"a/b.txt": "a/b.txt", "a b": "a b", "ü/名": "ü/名", "..a/b..": "..a/b..", ".env": ".env", "a/.env": "a/.env", "...": "...",
		"../../etc/passwd": "%2E%2E/%2E%2E/etc/passwd", "/etc/passwd": "etc/passwd", "a/../b": "a/%2E%2E/b", "a/..": "a/%2E%2E",
		`a\..\b`: "a/%2E%2E/b", `C:\x`: "C%3A/x", "c:x": "c%3Ax", `\\server\share`: "server/share",
		"./a": "a", "a//b": "a/b", "a/./b": "a/b", "a/": "a", "": "(unnamed)", "/": "(unnamed)", ".": "(unnamed)",
		"a\x00b": "a%00b", "a\x1b[31mb": "a%1B[31mb", "a\nb": "a%0Ab", "\xff": "%FF", "\x7f": "%7F",
		"a!/b": "a%21/b", "a!b": "a!b", "!": "%21",
	} {
		got, why := cleanName(raw)
		if got != want {
			t.Errorf("cleanName(%q) = %q, want %q", raw, got, want)
		}
		if again, _ := cleanName(got); again != got && !strings.HasSuffix(got, ")") {
			t.Errorf("cleanName(%q) = %q, which becomes %q", raw, got, again)
		}
		if unsafe := strings.Contains(raw, "..") && strings.Contains(got, "%2E"); unsafe && why == "" {
			t.Errorf("cleanName(%q) says nothing", raw)
		}
	}
	long, why := cleanName(strings.Repeat("ü", 3000))
	if len(long) > maxMemberName || why == "" || !plainName(long) {
		t.Errorf("a long name becomes %d bytes, %q", len(long), why)
	}
}

// A15: names that lead out are escaped, noted, and their content is read.
func TestUnsafeNames(t *testing.T) {
	for _, b := range [][]byte{
		zipOf(file{"../../etc/cron.d/x", "1"}, file{"/abs", "2"}, file{"ok", "3"}),
		tarOf(file{"../../etc/cron.d/x", "1"}, file{"/abs", "2"}, file{"ok", "3"}),
	} {
		l := list(t, "x", b, Limits{})
		want := []string{"x!/%2E%2E/%2E%2E/etc/cron.d/x=1", "x!/abs=2", "x!/ok=3"}
		if diff := cmp.Diff(want, l.members); diff != "" || len(l.gaps) > 0 {
			t.Error(diff, l.gaps)
		}
		if len(l.notes) != 1 || !strings.HasPrefix(l.notes[0], "archive-unsafe-name x 2 members") || !strings.Contains(l.notes[0], `"../../etc/cron.d/x"`) {
			t.Errorf("notes %q", l.notes)
		}
	}
}

// A16: members of the same name are all read.
func TestDuplicates(t *testing.T) {
	for _, b := range [][]byte{zipOf(file{"a", "1"}, file{"a", "2"}, file{"./a", "3"}), tarOf(file{"a", "1"}, file{"a", "2"}, file{"./a", "3"})} {
		l := list(t, "x", b, Limits{})
		if diff := cmp.Diff([]string{"x!/a=1", "x!/a#2=2", "x!/a#3=3"}, l.members); diff != "" || len(l.gaps) > 0 {
			t.Error(diff, l.gaps)
		}
		if len(l.notes) != 1 || !strings.HasPrefix(l.notes[0], "archive-duplicate x 2 members") {
			t.Errorf("notes %q", l.notes)
		}
	}
}

// A17: links and devices are not followed, and accounted for.
func TestLinks(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "sym", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"},
		{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../etc/shadow"},
		{Name: "fifo", Typeflag: tar.TypeFifo}, {Name: "dev", Typeflag: tar.TypeChar}, {Name: "dir/", Typeflag: tar.TypeDir},
	} {
		w.WriteHeader(&h)
	}
	w.Close()
	l := list(t, "x.tar", b.Bytes(), Limits{})
	want := []string{`x.tar!/sym: excluded symlink to "/etc/shadow"`, `x.tar!/hard: excluded symlink hard link to "../../etc/shadow"`, "x.tar!/fifo: excluded special ", "x.tar!/dev: excluded special "}
	if diff := cmp.Diff(want, l.gaps); diff != "" || len(l.members) > 0 {
		t.Error(diff, l.members)
	}
	b.Reset()
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "sym"}
	h.SetMode(os.ModeSymlink | 0o777)
	m, _ := z.CreateHeader(h)
	io.WriteString(m, "/etc/shadow")
	h = &zip.FileHeader{Name: "run.sh", Method: zip.Deflate}
	h.SetMode(0o755)
	z.CreateHeader(h)
	z.Create("dir/")
	z.Close()
	l = list(t, "x.zip", b.Bytes(), Limits{})
	if diff := cmp.Diff([]string{"x.zip!/sym: excluded symlink "}, l.gaps); diff != "" || len(l.members) != 1 {
		t.Error(diff, l.members)
	}
	l = list(t, "x.cpio", cpioOf(false, file{"link@", "/etc/shadow"}, file{"a", "b"}), Limits{})
	if diff := cmp.Diff([]string{"x.cpio!/link@: excluded symlink "}, l.gaps); diff != "" || len(l.members) != 1 {
		t.Error(diff, l.members)
	}
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

// A12: bombs stop at their cap, with what they hold bounded.
func TestBombs(t *testing.T) {
	limits := Limits{Bytes: 64 << 20, EntryBytes: 32 << 20}
	tests := map[string]struct {
		b   []byte
		gap string
	}{
		"ratio.gz":     {gzipOf([]byte(zeros(20 << 20))), "ratio.gz!/ratio"},
		"ratio.tar.gz": {gzipOf(tarOf(file{"a", "x"}, file{"z", zeros(20 << 20)})), "ratio.tar.gz"},
		"ratio.zst":    {zstdOf([]byte(zeros(20 << 20))), "ratio.zst!/ratio"},
		"ratio.zip":    {zipOf(file{"z", zeros(20 << 20)}), "ratio.zip!/z"},
		"nested.zip":   {zipOf(file{"a.zip", string(zipOf(file{"b.zip", string(zipOf(file{"z", zeros(20 << 20)}))}))}), "nested.zip!/a.zip!/b.zip!/z"},
		"gzgz.gz":      {gzipOf(gzipOf([]byte(zeros(20 << 20)))), "gzgz.gz!/gzgz!/gzgz"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := list(t, name, tt.b, limits)
			if l.gap(tt.gap, penstock.ReasonArchiveCap) == "" {
				t.Errorf("no gap at %s: %q", tt.gap, l.gaps)
			}
			if most := int64(ratioFree + defaultRatio*len(tt.b) + 1<<20); l.made > most {
				t.Errorf("%d bytes came of %d", l.made, len(tt.b))
			}
		})
	}
}

// A bomb costs itself; what stands beside it is read.
func TestBombBeside(t *testing.T) {
	noise := make([]byte, 80_000)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	l := list(t, "x.zip", zipOf(file{"noise", string(noise)}, file{"bomb", zeros(20 << 20)}, file{"after", "x"}), Limits{})
	if l.gap("x.zip!/bomb", penstock.ReasonArchiveCap) == "" || !slices.Contains(l.members, "x.zip!/after=x") {
		t.Errorf("%q %.200q", l.gaps, l.members)
	}
}

// The zip of David Fifield: many members over one body.
func TestOverlap(t *testing.T) {
	one := zipOf(file{"a", zeros(64 << 10)})
	dir := bytes.LastIndex(one, []byte("PK\x01\x02"))
	end := bytes.LastIndex(one, []byte("PK\x05\x06"))
	entry := one[dir:end]
	b := slices.Clone(one[:dir])
	const n = 1000
	for range n {
		b = append(b, entry...)
	}
	e := slices.Clone(one[end:])
	binary.LittleEndian.PutUint16(e[8:], n)
	binary.LittleEndian.PutUint16(e[10:], n)
	binary.LittleEndian.PutUint32(e[12:], uint32(n*len(entry)))
	b = append(b, e...)
	l := list(t, "x.zip", b, Limits{})
	if l.gap("x.zip", penstock.ReasonArchiveCap) == "" || l.made > int64(ratioFree+defaultRatio*len(b)+1<<20) {
		t.Errorf("%d bytes came of %d; %.300q", l.made, len(b), l.gaps)
	}
	few := list(t, "x.zip", b, Limits{Ratio: 1 << 20})
	if g := few.gap("x.zip", penstock.ReasonArchive); !strings.Contains(g, "999 members overlap") {
		t.Errorf("overlap is not told: %.300q", few.gaps)
	}
}

// A14, and a directory that is never held whole.
func TestManyEntries(t *testing.T) {
	const n = 100_000
	header := make([]byte, zipCentralSize, zipCentralSize+1)
	copy(header, "PK\x01\x02")
	header[28] = 1 // name
	entry := append(header, 'a')
	b := append([]byte(nil), zipOf(file{"a", ""})[:31]...) // a local header for all
	start := len(b)
	for range n {
		b = append(b, entry...)
	}
	end := make([]byte, zipEnd64Size+zipLocatorSize+zipEndSize)
	le := binary.LittleEndian
	copy(end, "PK\x06\x06")
	le.PutUint64(end[4:], zipEnd64Size-12)
	le.PutUint64(end[24:], n)
	le.PutUint64(end[32:], n)
	le.PutUint64(end[40:], uint64(len(b)-start))
	le.PutUint64(end[48:], uint64(start))
	copy(end[zipEnd64Size:], "PK\x06\x07")
	le.PutUint64(end[zipEnd64Size+8:], uint64(len(b)))
	end[zipEnd64Size+16] = 1
	copy(end[zipEnd64Size+zipLocatorSize:], "PK\x05\x06")
	for i := 8; i < 20; i++ {
		end[zipEnd64Size+zipLocatorSize+i] = 0xff
	}
	b = append(b, end...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	visits := 0
	l := new(listing)
	err := Expand(context.Background(), "x.zip", KindZip, bytes.NewReader(b), int64(len(b)), NewBudget(Limits{Entries: 5000}),
		func(m Member) error { visits++; return nil },
		func(c penstock.Coverage) {
			l.gaps = append(l.gaps, fmt.Sprintf("%s: %s %s %s", c.Path, c.State, c.Reason, c.Detail))
		})
	runtime.ReadMemStats(&after)
	if err != nil || visits != 5000 || !strings.Contains(l.gap("x.zip", penstock.ReasonArchiveCap), "more than 5000 members") {
		t.Errorf("%d visits, %v, %.300q", visits, err, l.gaps)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 10<<20 {
		t.Errorf("%d bytes allocated", got)
	}
	// The cap counts all levels.
	inner := string(zipOf(make([]file, 30)...))
	l = list(t, "y.zip", zipOf(file{"1.zip", inner}, file{"2.zip", inner}, file{"3.zip", inner}), Limits{Entries: 50})
	if len(l.members) > 50 || l.gap("y.zip", penstock.ReasonArchiveCap) == "" || l.gap("y.zip!/2.zip", penstock.ReasonArchiveCap) == "" {
		t.Errorf("%d members, %q", len(l.members), l.gaps)
	}
}

// A13: containers in containers.
func TestDepth(t *testing.T) {
	b := zipOf(file{"leaf", "x"})
	for range 9 {
		b = zipOf(file{"in.zip", string(b)}, file{"beside", "y"})
	}
	l := list(t, "x.zip", b, Limits{})
	if len(l.gaps) != 1 || !strings.Contains(l.gaps[0], "archive-cap containers are nested more than 6 deep") {
		t.Errorf("%q", l.gaps)
	}
	if n := len(l.members); n != 6 {
		t.Errorf("%d members beside, want 6: %q", n, l.members)
	}
	g := []byte("leaf")
	for range 9 {
		g = gzipOf(g)
	}
	l = list(t, "r.gz", g, Limits{})
	if len(l.members) > 0 || len(l.gaps) != 1 || !strings.HasPrefix(l.gaps[0], "r.gz!/r!/r!/r!/r!/r!/r: unread archive-cap") {
		t.Errorf("gzip in gzip: %q %q", l.members, l.gaps)
	}
	q := quine(t)
	r, err := gzip.NewReader(bytes.NewReader(q))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, q) {
		t.Fatalf("the quine is none: %d bytes give %d, %v", len(q), len(got), err)
	}
	if again := list(t, "r.gz", q, Limits{}); !cmp.Equal(again.gaps, l.gaps) || len(again.members) > 0 {
		t.Errorf("quine: %q %q", again.members, again.gaps)
	}
}

// quine makes a gzip file that decompresses to itself, after the idea of Russ Cox
// ("Zip Files All The Way Down", 2010): blocks L(n) that print the n bytes behind
// them and R(n) that repeat the last n bytes of the output, all five bytes long.
func quine(t *testing.T) []byte {
	lit := func(n int) string { return string([]byte{0, byte(n), 0, ^byte(n), 0xff}) }
	// A block of fixed codes with two matches over distance n, from 17 to 20, is
	// exactly 40 bits.
	rep := func(n int) string {
		var v, at uint64
		bits := func(x uint64, k int) { v |= x << at; at += uint64(k) }
		code := func(x uint64, k int) { // the highest bit first
			for k--; k >= 0; k-- {
				bits(x>>k&1, 1)
			}
		}
		bits(0, 1)
		bits(1, 2)
		for _, length := range []int{n - 10, 10} {
			code(uint64(length-3+1), 7)
			code(8, 5)
			bits(uint64(n-17), 3)
		}
		code(0, 7)
		return string(binary.LittleEndian.AppendUint64(nil, v)[:5])
	}
	prefix := "\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\x03r\x00"
	p, s := len(prefix)+5, 13+5
	build := func(crc uint32) []byte {
		l, r, l1, l4, r4, l0 := lit(p), rep(p), lit(5), lit(20), rep(20), lit(0)
		head := prefix + l + prefix + l + r + l1 + r + l1 + l1 + l4 + r + l1 + l1 + l4 + r4 +
			l4 + r4 + l4 + r4 + l4 + r4 + l4 + r4 + l0 + l0 + lit(s) + r4 + l0 + l0 + lit(s)
		size := len(head) + 2*s
		suffix := string(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32([]byte("\x01\x00\x00\xff\xff"), crc), uint32(size)))
		return []byte(head + rep(s) + suffix + rep(s) + suffix)
	}
	// The checksum stands in what it sums. CRC-32 is linear in it: 33 sums give the
	// equations.
	base := crc32.ChecksumIEEE(build(0))
	var rows [32]uint64 // coefficients, and the right side in bit 32
	for bit := range 32 {
		column := crc32.ChecksumIEEE(build(1<<bit)) ^ base ^ 1<<bit
		for row := range 32 {
			rows[row] |= uint64(column>>row&1) << bit
		}
	}
	for row := range 32 {
		rows[row] |= uint64(base>>row&1) << 32
	}
	for bit := range 32 {
		pivot := slices.IndexFunc(rows[bit:], func(r uint64) bool { return r>>bit&1 != 0 })
		if pivot < 0 {
			t.Fatal("the equations have no solution")
		}
		rows[bit], rows[bit+pivot] = rows[bit+pivot], rows[bit]
		for row := range 32 {
			if row != bit && rows[row]>>bit&1 != 0 {
				rows[row] ^= rows[bit]
			}
		}
	}
	crc := uint32(0)
	for bit := range 32 {
		crc |= uint32(rows[bit]>>32&1) << bit
	}
	return build(crc)
}

func TestExpandStops(t *testing.T) {
	b := zipOf(file{"a", "1"}, file{"in.tar", string(tarOf(file{"b", "2"}, file{"c", "3"}))}, file{"d", "4"})
	stop := errors.New("stop")
	for n := 1; n <= 4; n++ {
		visits := 0
		err := Expand(context.Background(), "x.zip", KindZip, bytes.NewReader(b), int64(len(b)), NewBudget(Limits{}), func(m Member) error {
			if visits++; visits == n {
				return stop
			}
			return nil
		}, func(c penstock.Coverage) { t.Errorf("gap %+v", c) })
		if err != stop || visits != n {
			t.Errorf("%d visits, %v", visits, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := expandAll(ctx, "x.zip", KindZip, b, Limits{}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	// A panic of the visitor is not caught.
	defer func() {
		if recover() == nil {
			t.Error("the visitor's panic is lost")
		}
	}()
	Expand(context.Background(), "x.zip", KindZip, bytes.NewReader(b), int64(len(b)), NewBudget(Limits{}), func(m Member) error { panic("x") }, nil)
}

// Nothing that a member's visitor leaves unread is missed by what follows.
func TestUnreadMembers(t *testing.T) {
	big := strings.Repeat("0123456789", 50_000)
	files := []file{{"a", big}, {"b", "x"}, {"c", big}, {"d", "y"}}
	for name, b := range map[string][]byte{
		"x.zip": zipOf(files...), "x.tar": tarOf(files...), "x.tgz": gzipOf(tarOf(files...)), "x.a": arOf(false, files...),
		"x.cpio": cpioOf(false, files...), "x.tar.zst": zstdOf(tarOf(files...)),
	} {
		var names []string
		err := Expand(context.Background(), name, Detect(name, b), bytes.NewReader(b), int64(len(b)), NewBudget(Limits{}), func(m Member) error {
			names = append(names, strings.TrimPrefix(m.Path, name+"!/"))
			return nil
		}, func(c penstock.Coverage) { t.Errorf("%s: gap %+v", name, c) })
		if err != nil || strings.Join(names, "") != "abcd" {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
}

func TestTruncated(t *testing.T) {
	files := []file{{"a", strings.Repeat("alpha ", 500)}, {"b", strings.Repeat("beta ", 500)}}
	for name, b := range map[string][]byte{
		"x.zip": zipOf(files...), "x.tar": bytes.TrimRight(tarOf(files...), "\x00"), "x.tgz": gzipOf(tarOf(files...)), "x.a": arOf(false, files...),
		"x.cpio": cpioOf(false, files...), "x.tar.zst": zstdOf(tarOf(files...)), "x.rpm": rpmOf(gzipOf(cpioOf(false, files...)), file{"(postinstall)", "x"}),
	} {
		kind := Detect(name, b)
		for n := 1; n < len(b); n += 1 + len(b)/200 {
			l, err := expandAll(context.Background(), name, kind, b[:n], Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(l.gaps) == 0 && name != "x.tar" && n > 8 && name != "x.a" && name != "x.cpio" {
				t.Errorf("%s cut at %d: no gap, %d members", name, n, len(l.members))
			}
			if len(l.gaps) == 0 && len(l.members) == len(files) && n < len(b)-1000 {
				t.Errorf("%s cut at %d: all there", name, n)
			}
		}
	}
}

func TestZipHostile(t *testing.T) {
	le := binary.LittleEndian
	base := func() []byte { return zipOf(file{"a.txt", strings.Repeat("alpha ", 100)}, file{"b.txt", "beta"}) }
	central := func(b []byte, i int) []byte {
		for ; i >= 0; i-- {
			at := bytes.Index(b, []byte("PK\x01\x02"))
			if i == 0 {
				return b[at:]
			}
			b = b[at+4:]
		}
		return nil
	}
	tests := map[string]struct {
		b      []byte
		member string // read
		gap    string // path
		detail string
	}{}
	add := func(name, member, gap, detail string, change func([]byte) []byte) {
		b := base()
		tests[name] = struct {
			b                   []byte
			member, gap, detail string
		}{change(b), member, gap, detail}
	}
	add("size too small", "x!/b.txt=beta", "x!/a.txt", "it has 600 bytes, the directory says 5", func(b []byte) []byte {
		le.PutUint32(central(b, 0)[24:], 5)
		return b
	})
	add("size too large", "x!/b.txt=beta", "x!/a.txt", "600 bytes", func(b []byte) []byte {
		le.PutUint32(central(b, 0)[24:], 1<<31)
		return b
	})
	add("checksum", "x!/b.txt=beta", "x!/a.txt", "checksum", func(b []byte) []byte {
		central(b, 0)[16] ^= 1
		return b
	})
	add("encrypted", "x!/b.txt=beta", "x!/a.txt", "encrypted", func(b []byte) []byte {
		central(b, 0)[8] |= 1
		return b
	})
	add("method", "x!/b.txt=beta", "x!/a.txt", "method 9 ", func(b []byte) []byte {
		central(b, 0)[10] = 9
		return b
	})
	add("two methods", "x!/b.txt=beta", "x", "two ways", func(b []byte) []byte {
		b[8] = 0 // stored, says the local header
		return b
	})
	add("two names", "x!/b.txt=beta", "x", `the name of "a.txt"`, func(b []byte) []byte {
		b[30] = 'z'
		return b
	})
	add("no local header", "x!/b.txt=beta", "x!/a.txt", "no member where", func(b []byte) []byte {
		b[2] = 9
		return b
	})
	add("offset behind the end", "x!/b.txt=beta", "x!/a.txt", "behind the end", func(b []byte) []byte {
		le.PutUint32(central(b, 0)[42:], 1<<30)
		return b
	})
	add("longer than the file", "x!/b.txt=beta", "x!/a.txt", "cut short", func(b []byte) []byte {
		le.PutUint32(central(b, 0)[20:], 1<<30)
		return b
	})
	add("count", "x!/b.txt=beta", "x", "claims 7 members and lists 2", func(b []byte) []byte {
		b[len(b)-12] = 7
		return b
	})
	add("behind the end", "x!/b.txt=beta", "x", "4 bytes behind", func(b []byte) []byte { return append(b, "more"...) })
	add("split archive", "", "x", "split", func(b []byte) []byte {
		b[len(b)-18] = 3
		return b
	})
	add("no directory", "", "x", "no zip directory", func(b []byte) []byte { return b[:len(b)-30] })
	add("directory elsewhere", "", "x", "damaged or cut off", func(b []byte) []byte {
		le.PutUint32(b[len(b)-6:], 3)
		le.PutUint32(b[len(b)-10:], 3)
		return b
	})
	add("hidden member", "x!/a.txt=alpha", "x", "does not list", func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte("PK\x01\x02"))
		end := bytes.LastIndex(b, []byte("PK\x05\x06"))
		out := append(slices.Clone(b[:at]), b[end:]...)
		e := out[at:]
		le.PutUint16(e[8:], 1)
		le.PutUint16(e[10:], 1)
		le.PutUint32(e[12:], uint32(at-bytes.Index(b, []byte("PK\x01\x02"))))
		return out
	})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := expandAll(context.Background(), "x", KindZip, tt.b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if g := l.gap(tt.gap, penstock.ReasonArchive); !strings.Contains(g, tt.detail) {
				t.Errorf("gaps %q", l.gaps)
			}
			if tt.member != "" && !slices.ContainsFunc(l.members, func(s string) bool { return strings.HasPrefix(s, tt.member) }) {
				t.Errorf("members %q", l.members)
			}
		})
	}
}

// A directory record with a comment, which may hold anything.
func TestZipComment(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.SetComment("a note " + strings.Repeat("x", 3000))
	w.Create("a")
	w.Close()
	l := list(t, "x.zip", b.Bytes(), Limits{})
	if len(l.members) != 2 || !strings.HasPrefix(l.members[1], "x.zip!/(comment)=a note xxx") || len(l.gaps) > 0 {
		t.Errorf("%q %q", l.members, l.gaps)
	}
}

func TestZipMethods(t *testing.T) {
	data := strings.Repeat("some text ", 300)
	streams := map[uint16][]byte{zipZstd: zstdOf([]byte(data)), zipZstdOld: zstdOf([]byte(data))}
	for method, args := range map[uint16][]string{zipBzip2: {"bzip2", "-c"}, zipXz: {"xz", "-c"}, zipLzma: {"xz", "-c", "--format=lzma"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader(data)
		b, err := cmd.Output()
		if err != nil {
			t.Logf("SKIPPED: method %d: %v", method, err)
			continue
		}
		if method == zipLzma {
			b = append([]byte{9, 20, 5, 0}, append(slices.Clone(b[:5]), b[13:]...)...)
		}
		streams[method] = b
	}
	for method, stream := range streams {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		m, err := w.CreateRaw(&zip.FileHeader{Name: "m", Method: method, CRC32: crc32.ChecksumIEEE([]byte(data)), CompressedSize64: uint64(len(stream)), UncompressedSize64: uint64(len(data))})
		if err != nil {
			t.Fatal(err)
		}
		m.Write(stream)
		w.Close()
		l := list(t, "x.zip", b.Bytes(), Limits{})
		if len(l.gaps) > 0 || len(l.members) != 1 || l.reads != int64(len(data)) {
			t.Errorf("method %d: %q %q", method, l.members, l.gaps)
		}
	}
}

func TestTarHostile(t *testing.T) {
	t.Run("long names", func(t *testing.T) {
		long := strings.Repeat("folder/", 400) + "x"
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		w.WriteHeader(&tar.Header{Name: long, Typeflag: tar.TypeReg, Format: tar.FormatGNU})
		w.Close()
		l := list(t, "x.tar", b.Bytes(), Limits{})
		if len(l.members) != 1 || len(l.members[0]) > maxMemberName+20 || len(l.notes) != 1 {
			t.Errorf("%q %q", l.members, l.notes)
		}
	})
	t.Run("huge pax header", func(t *testing.T) {
		record := "comment=" + strings.Repeat("y", 5<<20) + "\n"
		b := append(rawTar("pax", 'x', fmt.Sprintf("%d %s", len(record)+8, record)), tarOf(file{"a", "x"})...)
		l := list(t, "x.tar", b, Limits{})
		if len(l.gaps) != 1 || len(l.members) != 0 {
			t.Errorf("%.300q %.300q", l.members, l.gaps)
		}
	})
	t.Run("sparse", func(t *testing.T) {
		// 1 TiB that is all hole, in the format of GNU tar 1.0.
		var records string
		for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=a", "GNU.sparse.realsize=1099511627776"} {
			n := len(kv) + 4 // two digits, a blank, a newline
			records += fmt.Sprintf("%d %s\n", n, kv)
		}
		raw := append(rawTar("pax", 'x', records), rawTar("GNUSparseFile.0/a", '0', "1\n1099511627776\n0\n"+zeros(494))...)
		raw = append(raw, tarOf(file{"after", "x"})...)
		for name, in := range map[string][]byte{"x.tar": raw, "x.tgz": gzipOf(raw)} {
			l := list(t, name, in, Limits{})
			if l.gap(name+"!/a", penstock.ReasonArchiveCap) == "" || l.reads > 64<<20 || name == "x.tar" && !slices.Contains(l.members, name+"!/after=x") {
				t.Errorf("%d bytes, %.100q %.300q", l.reads, l.members, l.gaps)
			}
		}
	})
	t.Run("damaged header", func(t *testing.T) {
		b := tarOf(file{"a", "1"}, file{"b", "2"}, file{"c", "3"})
		b[1024+5] ^= 1
		l := list(t, "x.tar", b, Limits{})
		if l.gap("x.tar", penstock.ReasonArchive) == "" || len(l.members) != 1 {
			t.Errorf("%q %q", l.members, l.gaps)
		}
	})
	t.Run("behind the end", func(t *testing.T) {
		b := append(tarOf(file{"a", "1"}), bytes.Repeat([]byte("hidden text "), 100)...)
		for name, in := range map[string][]byte{"x.tar": b, "x.tgz": gzipOf(b)} {
			if l := list(t, name, in, Limits{}); !strings.Contains(l.gap(name, penstock.ReasonArchive), "behind the end") {
				t.Errorf("%q", l.gaps)
			}
		}
	})
	t.Run("gzip with more behind", func(t *testing.T) {
		b := append(gzipOf(tarOf(file{"a", "1"})), "hidden text"...)
		if l := list(t, "x.tgz", b, Limits{}); !strings.Contains(l.gap("x.tgz", penstock.ReasonArchive), "behind the end") || len(l.members) != 1 {
			t.Errorf("%q", l.gaps)
		}
	})
}

// rawTar makes one member of a tar archive, of any type.
func rawTar(name string, kind byte, data string) []byte {
	h := make([]byte, tarBlock)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", len(data)))
	h[156] = kind
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	h = append(h, data...)
	return append(h, make([]byte, -len(h)&(tarBlock-1))...)
}

// Opening costs too: thousands of empty streams of bzip2 end at a cap.
func TestManyStreams(t *testing.T) {
	empty := "BZh9\x17rE8P\x90\x00\x00\x00\x00"
	files := make([]file, 100)
	for i := range files {
		files[i] = file{fmt.Sprintf("%d.bz2", i), empty}
	}
	b := storedZipOf(files...)
	if l := list(t, "x.zip", b, Limits{}); len(l.gaps) > 0 || len(l.members) != 100 {
		t.Errorf("%d members, %.300q", len(l.members), l.gaps)
	}
	if l := list(t, "x.zip", b, Limits{Bytes: 200 << 20}); len(l.members) != 50 || l.gap("x.zip", penstock.ReasonArchiveCap) == "" {
		t.Errorf("%d members, %.300q", len(l.members), l.gaps)
	}
	for i := range files {
		files[i] = file{fmt.Sprintf("%d.zst", i), string(zstdOf(fmt.Append(nil, "text ", i)))}
	}
	if l := list(t, "x.zip", storedZipOf(files...), Limits{}); len(l.gaps) > 0 || len(l.members) != 100 || l.members[77] != "x.zip!/77.zst!/77=text 77" {
		t.Errorf("%d members, %.300q", len(l.members), l.gaps)
	}
}

// Inner zips are held in memory, up to the limit.
func TestMemoryLimit(t *testing.T) {
	noise := make([]byte, 3<<19)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	inner := string(zipOf(file{"noise", string(noise)}))
	b := gzipOf(tarOf(file{"in.zip", inner}, file{"after", "x"}))
	l := list(t, "x.tgz", b, Limits{Memory: 1 << 20})
	if !strings.Contains(l.gap("x.tgz!/in.zip", penstock.ReasonArchiveCap), "1 MiB of memory") || !slices.Contains(l.members, "x.tgz!/after=x") {
		t.Errorf("%q %.300q", l.gaps, l.members)
	}
	if l = list(t, "x.tgz", b, Limits{Memory: 4 << 20}); len(l.gaps) > 0 {
		t.Errorf("%q", l.gaps)
	}
	// In a plain tar and stored in a zip nothing needs to be held.
	for name, b := range map[string][]byte{"x.tar": tarOf(file{"in.zip", inner}), "x.zip": storedZipOf(file{"in.zip", inner})} {
		if l = list(t, name, b, Limits{Memory: 1 << 20}); len(l.gaps) > 0 {
			t.Errorf("%q", l.gaps)
		}
	}
}

// xzOf makes an xz file whose one block holds plain chunks.
func xzOf(data string, dictByte byte, check byte) []byte {
	le := binary.LittleEndian
	b := []byte(xzMagic)
	flags := []byte{0, check}
	b = le.AppendUint32(append(b, flags...), crc32.ChecksumIEEE(flags))
	start := len(b)
	h := []byte{2, 0, xzLZMA2, 1, dictByte, 0, 0, 0}
	b = le.AppendUint32(append(b, h...), crc32.ChecksumIEEE(h))
	for first := true; len(data) > 0; first = false {
		n := min(len(data), 1<<16)
		c := byte(2)
		if first {
			c = 1
		}
		b = append(b, c, byte((n-1)>>8), byte(n-1))
		b = append(b, data[:n]...)
		data = data[n:]
	}
	b = append(b, 0)
	unpadded := len(b) - start
	return append(b, make([]byte, -unpadded&3)...) // index and footer are missing
}

// A window is taken as it fills, whatever the header says.
func TestXzWindow(t *testing.T) {
	b := xzOf("text", lzma2DictMax, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l := list(t, "x.xz", b, Limits{})
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("%d bytes allocated for a text of 4", got)
	}
	if len(l.gaps) != 1 { // no index
		t.Errorf("%q", l.gaps)
	}
	l = list(t, "x.xz", xzOf(strings.Repeat("0123456789", 200_000), lzma2DictMax, 0), Limits{Memory: 1 << 20})
	if l.gap("x.xz!/x", penstock.ReasonArchiveCap) == "" {
		t.Errorf("%q", l.gaps)
	}
}

func FuzzExpand(f *testing.F) {
	ab := []file{{"a.txt", "alpha"}, {"d/b.txt", strings.Repeat("beta", 50)}}
	for _, b := range [][]byte{
		zipOf(ab...), storedZipOf(ab...), tarOf(ab...), gzipOf(tarOf(ab...)), zstdOf([]byte("x")), arOf(false, ab...), arOf(true, file{"a-name-that-is-long.txt", "x"}),
		cpioOf(false, ab...), cpioOf(true, ab...), rpmOf(gzipOf(cpioOf(false, ab...)), file{"(postinstall)", "x"}), zipOf(file{"i.zip", string(zipOf(ab...))}),
		xzOf("text", 10, 0), []byte("BZh9\x17rE8P\x90\x00\x00\x00\x00"), []byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00"),
		append([]byte("\x04\x22\x4d\x18\x60\x40\x82\x04\x00\x00\x80text"), 0, 0, 0, 0), []byte("\x02\x21\x4c\x18\x05\x00\x00\x00\x40text"),
	} {
		f.Add("x", b)
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		kind := Detect(name, b[:min(len(b), TextHead)])
		if kind == KindNone {
			return
		}
		limits := Limits{Entries: 200, Bytes: 4 << 20, EntryBytes: 1 << 20, Memory: 1 << 20, Depth: 3}
		seen := map[string]bool{}
		budget := NewBudget(limits)
		err := Expand(context.Background(), "x", kind, bytes.NewReader(b), int64(len(b)), budget, func(m Member) error {
			if seen[m.Path] {
				return fmt.Errorf("%q was visited twice", m.Path)
			}
			seen[m.Path] = true
			if _, inner, _ := strings.Cut(m.Path, "!/"); strings.ContainsAny(inner, "\x00\x1b\n\\") || strings.HasPrefix(inner, "/") || strings.Contains("/"+inner+"/", "/../") {
				return fmt.Errorf("unsafe path %q", m.Path)
			}
			n, _ := io.Copy(io.Discard, m.Reader)
			if n > limits.EntryBytes {
				return fmt.Errorf("%d bytes of one member", n)
			}
			return nil
		}, func(c penstock.Coverage) {
			if c.State != penstock.Unread && c.State != penstock.Excluded || c.Reason == "" || c.Path == "" || c.Size < 0 {
				t.Errorf("gap %+v", c)
			}
			if strings.Contains(c.Detail, "reader failed") {
				t.Errorf("a reader panicked: %s", c.Detail)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if budget.memory != 0 {
			t.Fatalf("%d bytes are still held", budget.memory)
		}
	})
}

// The decoders of our own, without the checksums that keep a fuzzer out.
func FuzzDecoders(f *testing.F) {
	f.Add(byte(0x5d), uint32(1<<16), []byte("\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(byte(0), uint32(1<<12), []byte("\x00\x1f\xff\x00\x00\x10\x20\x30\x40\x50\x60"))
	f.Add(byte(0xb4), uint32(1<<20), bytes.Repeat([]byte{0, 0x83, 0xff, 0x11}, 40))
	f.Add(byte(0), uint32(1<<12), []byte("\x01\x00\x03text\x80\x00\x09\x00\x09\x00aaaaaaaaaa\x00"))
	f.Add(byte(0), uint32(0), []byte("\x44text\x04\x00\x1fz\x01\x00\x00\x50abcde"))
	f.Fuzz(func(t *testing.T, props byte, dict uint32, b []byte) {
		hold := func(n int64) error {
			if n < 0 || n > 1<<30 {
				t.Fatalf("%d bytes of memory", n)
			}
			if n > 4<<20 {
				return errors.New("too much")
			}
			return nil
		}
		head := binary.LittleEndian.AppendUint32([]byte{props}, dict)
		head = append(head, "\xff\xff\xff\xff\xff\xff\xff\xff"...)
		if z, err := newLzmaReader(bufio.NewReader(bytes.NewReader(append(head, b...))), hold, false); err == nil {
			io.CopyN(io.Discard, z, 8<<20)
		}
		// LZMA2 behind a right header.
		x := xzOf("", byte(dict%(lzma2DictMax+1)), 0)
		const headers = 24
		x = append(x[:headers], b...)
		if z, err := newXzReader(bufio.NewReader(bytes.NewReader(x)), hold); err == nil {
			io.CopyN(io.Discard, z, 8<<20)
		}
		window := append(make([]byte, 0, 1<<12), b[:len(b)/2]...)
		out, err := lz4Block(window, b[len(b)/2:], 1<<20)
		if len(out) > 1<<20+len(b) || err == nil && len(out) < len(window) {
			t.Fatalf("%d bytes", len(out))
		}
	})
}

// BenchmarkExpand reads every byte of an archive of texts made by code.
func BenchmarkExpand(b *testing.B) {
	var files []file
	x := uint32(1)
	for i := range 2000 {
		var s strings.Builder
		for s.Len() < 10_000 {
			x = x*1664525 + 1013904223
			fmt.Fprintf(&s, "func name%d(value%d int) error { return nil } // line %d\n", x>>20, x>>25, s.Len())
		}
		files = append(files, file{fmt.Sprintf("src/p%d/f%d.go", i/50, i), s.String()})
	}
	for name, data := range map[string][]byte{"x.jar": zipOf(files...), "x.tar": tarOf(files...), "x.tar.gz": gzipOf(tarOf(files...)), "x.tar.zst": zstdOf(tarOf(files...))} {
		b.Run(name, func(b *testing.B) {
			budget := NewBudget(Limits{})
			buf := make([]byte, 32<<10)
			var n int64
			b.ReportAllocs()
			for b.Loop() {
				n = 0
				Expand(context.Background(), name, Detect(name, data), bytes.NewReader(data), int64(len(data)), budget, func(m Member) error {
					for {
						k, err := m.Reader.Read(buf)
						n += int64(k)
						if err != nil {
							return nil
						}
					}
				}, func(c penstock.Coverage) { b.Error(c) })
			}
			b.SetBytes(n)
		})
	}
}
