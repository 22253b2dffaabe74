package source

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lsFiles is what git says of the index: path and mode, each path once.
func lsFiles(t *testing.T, dir string) []string {
	t.Helper()
	var want []string
	for _, line := range strings.Split(string(gitCommand(t, dir, nil, "ls-files", "-s", "-z", "--sparse")), "\x00") {
		if line == "" {
			continue
		}
		meta, path, _ := strings.Cut(line, "\t")
		want = append(want, path+" "+strings.Fields(meta)[0])
	}
	slices.Sort(want)
	return slices.Compact(want)
}

func parseDir(dir string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, ".git/index"))
	if err != nil {
		return nil, err
	}
	entries, err := ParseSplitIndex(b, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, ".git", name))
	})
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s %06o", e.Path, e.Mode))
	}
	slices.Sort(got)
	return got, err
}

func compareIndex(t *testing.T, dir, what string) {
	t.Helper()
	want := lsFiles(t, dir)
	got, err := parseDir(dir)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %d entries, git has %d\n%.2000q\n%.2000q", what, len(got), len(want), got, want)
	}
}

// indexRepository makes a repository with n files, a link, a submodule entry and
// odd names.
func indexRepository(t *testing.T, n int, init ...string) string {
	t.Helper()
	dir := t.TempDir()
	gitCommand(t, dir, nil, append([]string{"init", "-q"}, init...)...)
	g := rand.New(rand.NewPCG(uint64(n), 3))
	for i := range n {
		path := fmt.Sprintf("d%d/e%d/file-%d", g.IntN(7), g.IntN(5), i)
		if i%50 == 0 {
			path = "deep/" + strings.Repeat("long-folder-name/", 20) + strconv.Itoa(i)
		}
		if i%33 == 0 {
			path += "\n\tü\\ \x1b"
		}
		os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o777)
		if err := os.WriteFile(filepath.Join(dir, path), []byte(strconv.Itoa(i)), 0o666|os.FileMode(i%2*0o111)); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("d0", filepath.Join(dir, "link"))
	gitCommand(t, dir, nil, "add", "-A")
	empty := strings.TrimSpace(string(gitCommand(t, dir, nil, "rev-parse", "--show-object-format")))
	oid := strings.Repeat("1", map[string]int{"sha1": 40, "sha256": 64}[empty])
	gitCommand(t, dir, nil, "update-index", "--add", "--cacheinfo", "160000,"+oid+",module")
	return dir
}

func TestParseIndex(t *testing.T) {
	needGit(t)
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			dir := indexRepository(t, 400, "--object-format="+format)
			compareIndex(t, dir, "version 2")
			gitCommand(t, dir, nil, "update-index", "--index-version", "4")
			compareIndex(t, dir, "version 4")
			gitCommand(t, dir, nil, "update-index", "--index-version", "3")
			os.WriteFile(filepath.Join(dir, "later"), nil, 0o666)
			gitCommand(t, dir, nil, "add", "-N", "later")
			compareIndex(t, dir, "intent to add")
			gitCommand(t, dir, nil, "update-index", "--skip-worktree", "link")
			compareIndex(t, dir, "skip-worktree")
			gitCommand(t, dir, nil, "update-index", "--index-version", "4", "--untracked-cache")
			compareIndex(t, dir, "version 4 with extended flags")
		})
	}
}

func TestParseIndexSplit(t *testing.T) {
	needGit(t)
	for _, version := range []string{"2", "4"} {
		dir := indexRepository(t, 300)
		gitCommand(t, dir, nil, "update-index", "--index-version", version)
		gitCommand(t, dir, nil, "config", "splitIndex.maxPercentChange", "100")
		gitCommand(t, dir, nil, "update-index", "--split-index")
		compareIndex(t, dir, "split")
		b, err := os.ReadFile(filepath.Join(dir, ".git/index"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseIndex(b); !errors.Is(err, ErrSplitIndex) {
			t.Errorf("without the shared index: %v", err)
		}
		// Add, change and remove.
		files := lsFiles(t, dir)
		for i, f := range files {
			path, _, _ := strings.Cut(f, " ")
			switch {
			case strings.ContainsAny(path, "\n") || strings.HasPrefix(path, "module") || path == "link":
			case i%7 == 0:
				gitCommand(t, dir, nil, "rm", "-q", "-f", "--", path)
			case i%7 == 1:
				os.WriteFile(filepath.Join(dir, path), []byte("changed"), 0o777)
			}
		}
		os.WriteFile(filepath.Join(dir, "a-new"), nil, 0o666)
		os.WriteFile(filepath.Join(dir, "z-new"), nil, 0o666)
		gitCommand(t, dir, nil, "add", "-A")
		b, _ = os.ReadFile(filepath.Join(dir, ".git/index"))
		if _, err := ParseIndex(b); !errors.Is(err, ErrSplitIndex) {
			t.Fatal("the index is no longer split; the test tests nothing")
		}
		compareIndex(t, dir, "split and changed, version "+version)
	}
}

func TestParseIndexConflict(t *testing.T) {
	needGit(t)
	dir := indexRepository(t, 20)
	blob := strings.TrimSpace(string(gitCommand(t, dir, []byte("x"), "hash-object", "-w", "--stdin")))
	gitCommand(t, dir, fmt.Appendf(nil, "100644 %s 1\tboth\n100644 %s 2\tboth\n100644 %s 3\tboth\n", blob, blob, blob), "update-index", "--index-info")
	compareIndex(t, dir, "conflict")
	got, _ := parseDir(dir)
	if n := len(slices.DeleteFunc(got, func(s string) bool { return s != "both 100644" })); n != 1 {
		t.Errorf("the path in conflict is there %d times", n)
	}
}

func TestParseIndexSparse(t *testing.T) {
	needGit(t)
	dir := indexRepository(t, 100)
	gitCommand(t, dir, nil, "rm", "-q", "--cached", "module")
	gitCommand(t, dir, nil, "commit", "-q", "-m", "x")
	gitCommand(t, dir, nil, "sparse-checkout", "init", "--cone", "--sparse-index")
	gitCommand(t, dir, nil, "sparse-checkout", "set", "d1")
	compareIndex(t, dir, "sparse")
	got, _ := parseDir(dir)
	if !slices.Contains(got, "d2/ 040000") {
		t.Error("no sparse folder; the test tests nothing")
	}
}

func TestParseIndexDamaged(t *testing.T) {
	needGit(t)
	dir := indexRepository(t, 30)
	b, err := os.ReadFile(filepath.Join(dir, ".git/index"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x20
		if _, err := ParseIndex(bad); err == nil {
			t.Fatalf("byte %d changed and no error", i)
		}
		if _, err := ParseIndex(b[:i]); err == nil {
			t.Fatalf("cut at %d and no error", i)
		}
	}
	// index.skipHash leaves the checksum out.
	zero := bytes.Clone(b)
	clear(zero[len(zero)-sha1.Size:])
	if entries, err := ParseIndex(zero); err != nil || len(entries) < 30 {
		t.Errorf("without checksum: %d entries, %v", len(entries), err)
	}
}

// indexOf makes an index of version 4 from names given as (strip, suffix), with a
// right checksum.
func indexOf(count uint32, names ...string) []byte {
	b := binary.BigEndian.AppendUint32([]byte("DIRC"), 4)
	b = binary.BigEndian.AppendUint32(b, count)
	for _, n := range names {
		e := make([]byte, 62)
		binary.BigEndian.PutUint32(e[24:], 0o100644)
		binary.BigEndian.PutUint16(e[60:], 0x0fff)
		b = append(append(b, e...), n...)
	}
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func TestParseIndexHostile(t *testing.T) {
	long := "\x00" + strings.Repeat("x", maxIndexName-10) + "\x00"
	growing := []string{long}
	for range 5000 {
		growing = append(growing, "\x01y\x00") // the whole name again, in three bytes
	}
	for name, b := range map[string][]byte{
		"more entries than bytes":  indexOf(1<<31, "\x00a\x00"),
		"strips what is not there": indexOf(1, "\x05a\x00"),
		"huge number":              indexOf(1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fa\x00"),
		"long name":                indexOf(1, "\x00"+strings.Repeat("x", maxIndexName+1)+"\x00"),
		"names that grow":          indexOf(uint32(len(growing)), growing...),
		"no end":                   indexOf(1, "\x00aaaaaaa"),
		"no name":                  indexOf(1, "\x00\x00"),
		"version 9":                append([]byte("DIRC\x00\x00\x00\x09\x00\x00\x00\x00"), make([]byte, 20)...),
	} {
		if _, err := ParseIndex(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte("DIRC"), []byte(nil))
	f.Add(indexOf(2, "\x00a/b\x00", "\x01c\x00"), []byte(nil))
	link := append([]byte("link\x00\x00\x00\x54"), bytes.Repeat([]byte{1}, 20)...)
	for range 2 {
		link = append(link, 0, 0, 0, 64, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	}
	b := indexOf(1, "\x00\x00")
	f.Add(append(b[:len(b)-20], link...), indexOf(1, "\x00a\x00"))
	f.Fuzz(func(t *testing.T, b, base []byte) {
		// With the checksum off, or the fuzzer gets nowhere.
		b = append(bytes.Clone(b), make([]byte, 20)...)
		base = append(bytes.Clone(base), make([]byte, 20)...)
		entries, err := ParseSplitIndex(b, func(string) ([]byte, error) { return base, nil })
		if err != nil {
			return
		}
		for i, e := range entries {
			if e.Path == "" || i > 0 && entries[i-1].Path >= e.Path {
				t.Fatalf("entry %d: %q", i, e.Path)
			}
		}
	})
}

func BenchmarkParseIndex(b *testing.B) {
	var names []string
	for i := range 50_000 {
		names = append(names, fmt.Sprintf("\x00internal/package%d/file%d.go\x00", i/50, i))
	}
	names[0] = "\x00internal/package0/file0.go\x00"
	for i := 1; i < len(names); i++ {
		prev := len(names[i-1]) - 2
		names[i] = string([]byte{byte(prev)}) + names[i][1:]
	}
	index := indexOf(uint32(len(names)), names...)
	if _, err := ParseIndex(index); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(index)))
	for b.Loop() {
		ParseIndex(index)
	}
}
