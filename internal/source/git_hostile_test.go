package source

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tryGit is gitCommand for what may fail.
func tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	out, err := cmd.Output()
	return string(out), err
}

// fakeRepository makes an empty bare repository without git.
func fakeRepository(t testing.TB, hash int) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"objects/pack", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "HEAD"), "ref: refs/heads/main\n")
	if hash == 32 {
		writeFile(t, filepath.Join(dir, "config"), "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n")
	}
	return dir
}

// fakeObject is an object of a pack made by hand.
type fakeObject struct {
	kind entryKind
	data []byte // content, or a delta
	// base is the number of the object that a delta by offset is for.
	base int
	ref  ObjectID
	id   ObjectID
	// claim replaces the size in the head, offset that in the index, packed the
	// compressed bytes.
	claim  int64
	offset int64
	packed []byte
}

func blob(content string) fakeObject {
	return fakeObject{kind: entryKind(ObjectBlob), data: []byte(content), id: fakeID(ObjectBlob, []byte(content))}
}

func tree(content []byte) fakeObject {
	return fakeObject{kind: entryKind(ObjectTree), data: content, id: fakeID(ObjectTree, content)}
}

func fakeID(kind ObjectKind, content []byte) ObjectID {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", kind, len(content), content))
	return idOf(sum[:])
}

func appendHead(b []byte, kind entryKind, size int64) []byte {
	c := byte(kind)<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
	}
	return append(b, c)
}

func appendOffset(b []byte, v int64) []byte {
	out := []byte{byte(v & 0x7f)}
	for v >>= 7; v > 0; v >>= 7 {
		v--
		out = append(out, 0x80|byte(v&0x7f))
	}
	slices.Reverse(out)
	return append(b, out...)
}

// fakePack makes a pack and its index.
func fakePack(t testing.TB, objects []fakeObject) (pack, idx []byte) {
	t.Helper()
	pack = binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))
	type entry struct {
		id  ObjectID
		off int64
		crc uint32
	}
	entries := make([]entry, len(objects))
	var stored bytes.Buffer
	w := zlib.NewWriter(&stored) // kept: making one costs more than using it
	offsets := make([]int64, len(objects))
	for i, o := range objects {
		start := int64(len(pack))
		offsets[i] = start
		size := int64(len(o.data))
		if o.claim != 0 {
			size = o.claim
		}
		pack = appendHead(pack, o.kind, size)
		switch o.kind {
		case entryOffset:
			pack = appendOffset(pack, start-offsets[o.base])
		case entryRef:
			pack = append(pack, o.ref.raw()...)
		}
		if o.packed != nil {
			pack = append(pack, o.packed...)
		} else {
			stored.Reset()
			w.Reset(&stored)
			w.Write(o.data)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			pack = append(pack, stored.Bytes()...)
		}
		off := start
		if o.offset != 0 {
			off = o.offset
		}
		entries[i] = entry{o.id, off, crc32.ChecksumIEEE(pack[start:])}
	}
	sum := sha1.Sum(pack)
	pack = append(pack, sum[:]...)
	slices.SortStableFunc(entries, func(a, b entry) int { return a.id.Compare(b.id) })
	idx = []byte("\xfftOc\x00\x00\x00\x02")
	for b := range 256 {
		n := uint32(0)
		for _, e := range entries {
			if int(e.id.sum[0]) <= b {
				n++
			}
		}
		idx = binary.BigEndian.AppendUint32(idx, n)
	}
	for _, e := range entries {
		idx = append(idx, e.id.raw()...)
	}
	for _, e := range entries {
		idx = binary.BigEndian.AppendUint32(idx, e.crc)
	}
	var large []byte
	for _, e := range entries {
		if e.off < 1<<31 {
			idx = binary.BigEndian.AppendUint32(idx, uint32(e.off))
			continue
		}
		idx = binary.BigEndian.AppendUint32(idx, 1<<31|uint32(len(large)/8))
		large = binary.BigEndian.AppendUint64(large, uint64(e.off))
	}
	idx = append(append(idx, large...), sum[:]...)
	own := sha1.Sum(idx)
	return pack, append(idx, own[:]...)
}

func fakePacked(t testing.TB, opts GitOptions, objects ...fakeObject) *Git {
	t.Helper()
	dir := fakeRepository(t, 20)
	pack, idx := fakePack(t, objects)
	writeFile(t, filepath.Join(dir, "objects/pack/pack-1.pack"), string(pack))
	writeFile(t, filepath.Join(dir, "objects/pack/pack-1.idx"), string(idx))
	return openGit(t, dir, opts)
}

// visitAll returns what Visit gives out, by id.
func visitAll(t testing.TB, g *Git) map[ObjectID]error {
	t.Helper()
	plan, err := g.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[ObjectID]error)
	for chunk := range plan.Chunks() {
		if err := g.Visit(plan, chunk, func(o *Object) error { out[o.ID] = o.Err; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(out) != plan.Objects() {
		t.Errorf("%d of %d objects given out", len(out), plan.Objects())
	}
	return out
}

// delta makes a delta: sizes, then instructions.
func delta(base, result int, ops ...[]byte) []byte {
	var b []byte
	for _, v := range []int{base, result} {
		for ; v >= 0x80; v >>= 7 {
			b = append(b, byte(v)|0x80)
		}
		b = append(b, byte(v))
	}
	return append(b, bytes.Join(ops, nil)...)
}

func insertOp(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// copyAll copies size bytes from the start, at most 0xffffff.
func copyAll(size int) []byte { return []byte{0xf0, byte(size), byte(size >> 8), byte(size >> 16)} }

func someID(n byte) ObjectID {
	id := ObjectID{size: 20}
	for i := range 20 {
		id.sum[i] = n
	}
	return id
}

func TestGitHostilePacks(t *testing.T) {
	good := blob("good content")
	base := blob(strings.Repeat("0123456789", 10))
	ofDelta := blob(string(base.data) + "!")
	ofDelta.kind, ofDelta.data, ofDelta.base = entryOffset, delta(100, 101, copyAll(100), insertOp("!")), 0
	byRef := blob(string(base.data) + "?")
	byRef.kind, byRef.data, byRef.ref = entryRef, delta(100, 101, copyAll(100), insertOp("?")), base.id
	with := func(o fakeObject, change func(*fakeObject)) fakeObject {
		o.id = someID(0x77)
		change(&o)
		return o
	}
	bomb := deflated(t, make([]byte, 1<<20), 9)
	for _, c := range []struct {
		name string
		bad  fakeObject
		want error
	}{
		{"another content", with(good, func(o *fakeObject) {}), ErrCorrupt},
		{"claims more", with(good, func(o *fakeObject) { o.claim = 13 }), ErrCorrupt},
		{"claims less", with(good, func(o *fakeObject) { o.claim = 11 }), ErrCorrupt},
		{"claims gigabytes", with(good, func(o *fakeObject) { o.claim = 60 << 20 }), ErrCorrupt},
		{"claims petabytes", with(good, func(o *fakeObject) { o.claim = 1 << 50 }), ErrTooLarge},
		{"bomb", with(good, func(o *fakeObject) { o.packed = bomb }), ErrCorrupt},
		{"no zlib", with(good, func(o *fakeObject) { o.packed = []byte("hello, I am not compressed") }), ErrCorrupt},
		{"unknown kind", with(good, func(o *fakeObject) { o.kind = 5 }), ErrCorrupt},
		{"kind 0", with(good, func(o *fakeObject) { o.kind = 0 }), ErrCorrupt},
		{"offset beyond", with(good, func(o *fakeObject) { o.offset = 1 << 20 }), ErrCorrupt},
		{"offset far beyond", with(good, func(o *fakeObject) { o.offset = 1 << 60 }), ErrCorrupt},
		{"offset in the head", with(good, func(o *fakeObject) { o.offset = 3 }), ErrCorrupt},
		{"offset in the middle", with(good, func(o *fakeObject) { o.offset = 17 }), ErrCorrupt},
		{"delta of itself", with(byRef, func(o *fakeObject) { o.ref = o.id }), ErrLimit},
		{"delta of nothing", with(byRef, func(o *fakeObject) { o.ref = someID(1) }), ErrMissing},
		{"delta for another base", with(ofDelta, func(o *fakeObject) { o.data = delta(99, 101, copyAll(99), insertOp("!!")) }), ErrCorrupt},
		{"delta copies beyond", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 101, copyAll(101)) }), ErrCorrupt},
		{"delta makes more", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 101, copyAll(100), copyAll(100)) }), ErrCorrupt},
		{"delta makes less", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 101, copyAll(100)) }), ErrCorrupt},
		{"delta with the reserved instruction", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 101, []byte{0}) }), ErrCorrupt},
		{"delta cut short", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 101, []byte{0xff, 1}) }), ErrCorrupt},
		{"delta without sizes", with(ofDelta, func(o *fakeObject) { o.data = []byte{0x80, 0x80} }), ErrCorrupt},
		{"delta of a petabyte", with(ofDelta, func(o *fakeObject) { o.data = delta(100, 1<<50, copyAll(100)) }), ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := c.bad
			g := fakePacked(t, GitOptions{}, base, good, ofDelta, byRef, bad)
			_, _, err := g.Get(bad.id)
			if !errors.Is(err, c.want) {
				t.Errorf("get: %v, want %v", err, c.want)
			}
			if kind, size, r, err := g.Open(bad.id); err == nil {
				if _, err = io.Copy(io.Discard, r); !errors.Is(err, c.want) && c.want != ErrTooLarge {
					t.Errorf("open: %v %d, %v", kind, size, err)
				}
				r.Close()
			}
			g.Size(bad.id)
			// The others are read all the same, but for a pack whose index lies
			// about offsets in a plan.
			if strings.HasPrefix(c.name, "offset") && c.name != "offset in the middle" {
				if _, err := g.Plan(nil); err != nil || len(g.Notes()) != 1 {
					t.Errorf("plan: %v, notes %q", err, g.Notes())
				}
			} else {
				got := visitAll(t, g)
				for _, o := range []fakeObject{base, good, ofDelta, byRef} {
					if err, found := got[o.id]; err != nil || !found {
						t.Errorf("%s: %v, %v", o.id, err, found)
					}
				}
				if err := got[bad.id]; !errors.Is(err, c.want) {
					t.Errorf("visit: %v, want %v", err, c.want)
				}
			}
			for _, o := range []fakeObject{base, good, ofDelta, byRef} {
				if _, _, err := g.Get(o.id); err != nil {
					t.Errorf("%s: %v", o.id, err)
				}
			}
			// A good copy elsewhere is found.
			if c.name == "another content" {
				return
			}
			content := []byte("the right one of " + c.name)
			bad.id = fakeID(ObjectBlob, content)
			g = fakePacked(t, GitOptions{}, base, good, ofDelta, byRef, bad)
			writeLoose(t, g.dirs.Dir, bad.id, ObjectBlob, content)
			if kind, data, err := g.Get(bad.id); err != nil && c.want != ErrTooLarge || err == nil && (kind != ObjectBlob || !bytes.Equal(data, content)) {
				t.Errorf("a good copy: %v %q, %v", kind, data, err)
			}
		})
	}
}

func writeLoose(t testing.TB, dir string, id ObjectID, kind ObjectKind, content []byte) {
	t.Helper()
	b := deflated(t, fmt.Appendf(nil, "%s %d\x00%s", kind, len(content), content), 6)
	writeFile(t, filepath.Join(dir, "objects", loosePath(id)), string(b))
}

// TestGitDeltaCircle: two deltas by id that are made of each other.
func TestGitDeltaCircle(t *testing.T) {
	a := fakeObject{kind: entryRef, id: someID(1), ref: someID(2), data: delta(3, 3, copyAll(3))}
	b := fakeObject{kind: entryRef, id: someID(2), ref: someID(1), data: delta(3, 3, copyAll(3))}
	of := fakeObject{kind: entryOffset, id: someID(3), base: 1, data: delta(3, 3, copyAll(3))}
	g := fakePacked(t, GitOptions{}, a, b, of)
	for id, err := range visitAll(t, g) {
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", id, err)
		}
		if _, _, err := g.Size(id); !errors.Is(err, ErrLimit) {
			t.Errorf("size of %s: %v", id, err)
		}
	}
}

// TestGitDeltaChain: the deepest chain that git makes is read; a deeper one is
// refused by Get, and read by Visit, which goes from the base up.
func TestGitDeltaChain(t *testing.T) {
	const depth = 5000
	content := strings.Repeat("x", 50)
	objects := []fakeObject{blob(content)}
	for i := 1; i <= depth; i++ {
		next := fmt.Sprintf("%04d", i) + content[4:]
		o := blob(next)
		o.kind, o.base, o.data = entryOffset, i-1, delta(50, 50, insertOp(next[:4]), []byte{0x91, 4, 46})
		objects = append(objects, o)
		content = next
	}
	g := fakePacked(t, GitOptions{Cache: 1}, objects...)
	if _, data, err := g.Get(objects[4095].id); err != nil || !strings.HasPrefix(string(data), "4095x") {
		t.Errorf("depth 4095: %q, %v", data, err)
	}
	if _, _, err := g.Get(objects[depth].id); !errors.Is(err, ErrLimit) {
		t.Errorf("depth %d: %v", depth, err)
	}
	bad := 0
	for _, err := range visitAll(t, g) {
		if err != nil {
			bad++
		}
	}
	if bad > depth-maxDeltaDepth {
		t.Errorf("%d objects unread", bad)
	}
}

// TestGitDeltaBomb: deltas that double what they are made of. Nothing larger than
// the limit is made, and what is made is counted.
func TestGitDeltaBomb(t *testing.T) {
	const limit = 1 << 20
	size := 64
	objects := []fakeObject{blob(strings.Repeat("b", size))}
	for i := 1; i < 30; i++ {
		o := fakeObject{kind: entryOffset, base: i - 1, id: someID(byte(i)), data: delta(size, 2*size, copyAll(size), copyAll(size))}
		if size < 1<<19 {
			o.id = fakeID(ObjectBlob, bytes.Repeat([]byte("b"), 2*size))
		}
		objects = append(objects, o)
		size *= 2
		if size >= 1<<24 {
			break
		}
	}
	g := fakePacked(t, GitOptions{MaxObject: limit}, objects...)
	last := objects[len(objects)-1].id
	if _, _, err := g.Get(last); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the largest: %v", err)
	}
	got := visitAll(t, g)
	large := 0
	for _, err := range got {
		if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrCorrupt) {
			large++
		} else if err != nil {
			t.Error(err)
		}
	}
	if large == 0 || g.work > 10*limit {
		t.Errorf("%d too large, %d bytes of work", large, g.work)
	}
}

func TestGitTruncatedAndSwapped(t *testing.T) {
	objects := []fakeObject{blob("one"), blob("two"), blob(strings.Repeat("three", 10_000))}
	pack, idx := fakePack(t, objects)
	other, _ := fakePack(t, objects[:2])
	for _, c := range []struct {
		name      string
		pack, idx []byte
	}{
		{"pack cut short", pack[:len(pack)/2], idx},
		{"pack of another index", other, idx},
		{"empty pack", nil, idx},
		{"empty index", pack, nil},
		{"index cut short", pack, idx[:len(idx)-1]},
		{"index of version 3", pack, append([]byte("\xfftOc\x00\x00\x00\x03"), idx[8:]...)},
		{"fan that falls", pack, slices.Concat(idx[:8], []byte{0, 0, 1, 0}, idx[12:])},
		{"no pack", []byte("PUCK" + string(pack[4:])), idx},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fakeRepository(t, 20)
			writeFile(t, dir+"/objects/pack/pack-1.pack", string(c.pack))
			writeFile(t, dir+"/objects/pack/pack-1.idx", string(c.idx))
			g := openGit(t, dir, GitOptions{})
			if _, _, err := g.Get(objects[0].id); !errors.Is(err, ErrMissing) {
				t.Errorf("%v", err)
			}
			plan, err := g.Plan(nil)
			if err != nil || plan.Objects() != 0 || len(g.Notes()) != 1 {
				t.Errorf("%d objects, %v, notes %q", plan.Objects(), err, g.Notes())
			}
		})
	}
	// Cut short while it is read: an error, no crash.
	g := fakePacked(t, GitOptions{}, objects...)
	if _, _, err := g.Get(objects[0].id); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(g.dirs.Dir, "objects/pack/pack-1.pack"), 40); err != nil {
		t.Fatal(err)
	}
	g.window.p = nil
	if _, _, err := g.Get(objects[2].id); !errors.Is(err, ErrCorrupt) {
		t.Errorf("truncated: %v", err)
	}
}

func treeBytes(entries ...TreeEntry) []byte {
	var b []byte
	for _, e := range entries {
		b = fmt.Appendf(b, "%o %s\x00", e.Mode, e.Name)
		b = append(b, e.ID.raw()...)
	}
	return b
}

// TestGitHostileTrees: names that must not become paths are reported, and what is
// below them is visited.
func TestGitHostileTrees(t *testing.T) {
	content := blob("content")
	file := func(name string) TreeEntry { return TreeEntry{name, 0o100644, content.id} }
	inner := tree(treeBytes(file("inner")))
	folder := func(name string) TreeEntry { return TreeEntry{name, 0o40000, inner.id} }
	unsafe := []TreeEntry{
		folder(".."), folder("."), folder(".git"), file(".GIT"), file(".git "), file(".g\u200cit"), file("GIT~1"), file("a/b"), file("../../etc/passwd"), file(""),
		file("..\\x"), file(".git::$INDEX_ALLOCATION"), file("dup"), file("dup"),
	}
	top := tree(treeBytes(unsafe...))
	tidy := tree(treeBytes(file(".gitignore"), file("a"), folder("b"), file("git~10"), file("x..y")))
	g := fakePacked(t, GitOptions{}, content, inner, top, tidy)
	n := 0
	never := func(_ string, err error) error { return err }
	err := g.WalkTree(top.id, func(f TreeFile) error {
		n++
		if f.Unsafe == "" {
			t.Errorf("%q is not reported", f.Path)
		}
		return nil
	}, never)
	if err != nil || n != len(unsafe) {
		t.Errorf("%d of %d visited, %v", n, len(unsafe), err)
	}
	for _, e := range unsafe[:12] {
		if e.Hazard() == "" {
			t.Errorf("%q is no hazard", e.Name)
		}
	}
	n = 0
	for _, sides := range [][2]ObjectID{{top.id, {}}, {{}, top.id}} {
		if err := g.Diff(sides[0], sides[1], func(c Change) error {
			n++
			if c.Unsafe == "" {
				t.Errorf("%q is not reported", c.Path)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if n != 2*len(unsafe) {
		t.Errorf("%d of %d differences", n, 2*len(unsafe))
	}
	if err := g.Diff(ObjectID{}, tidy.id, func(c Change) error {
		if c.Unsafe != "" {
			t.Errorf("%q is reported: %s", c.Path, c.Unsafe)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	// The same entries in another order are no difference.
	mixed := tree(treeBytes(file("z"), file("a"), file("m")))
	sorted := tree(treeBytes(file("a"), file("m"), file("z")))
	g = fakePacked(t, GitOptions{}, content, mixed, sorted)
	if err := g.Diff(mixed.id, sorted.id, func(c Change) error { t.Errorf("%+v", c); return nil }); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"100644 a\x00short", "100644", "999 a\x00" + strings.Repeat("x", 20), "0 a\x00" + strings.Repeat("x", 20), " a\x00" + strings.Repeat("x", 20), "77777777 a\x00" + strings.Repeat("x", 20)} {
		if e, err := ParseTree([]byte(bad), 20); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v, %v", bad, e, err)
		}
	}
}

// TestGitTreeBombs: trees that share subtrees to look endless, that hold a million
// entries, and that are their own parts.
func TestGitTreeBombs(t *testing.T) {
	content := blob("content")
	objects := []fakeObject{content}
	below := TreeEntry{"f", 0o100644, content.id}
	for range 9 {
		var entries []TreeEntry
		for i := range 10 {
			e := below
			e.Name = fmt.Sprintf("f%d", i)
			entries = append(entries, e)
		}
		o := tree(treeBytes(entries...))
		objects = append(objects, o)
		below = TreeEntry{"d", 0o40000, o.id}
	}
	deep := content
	for i := range maxTreeDepth + 10 {
		mode := uint32(0o40000)
		if i == 0 {
			mode = 0o100644
		}
		deep = tree(treeBytes(TreeEntry{"d", mode, deep.id}))
		objects = append(objects, deep)
	}
	million := make([]byte, 0, 40<<20)
	for i := range 1_000_000 {
		million = fmt.Appendf(million, "100644 %08d\x00", i)
		million = append(million, content.id.raw()...)
	}
	wide := tree(million)
	objects = append(objects, wide)
	g := fakePacked(t, GitOptions{}, objects...)
	g.maxEntries = 1_000_000
	n := 0
	count := func(TreeFile) error { n++; return nil }
	never := func(_ string, err error) error { return err }
	if err := g.WalkTree(below.ID, count, never); !errors.Is(err, ErrLimit) || n > g.maxEntries {
		t.Errorf("shared subtrees: %d, %v", n, err)
	}
	n = 0
	if err := g.WalkTree(deep.id, count, never); !errors.Is(err, ErrLimit) {
		t.Errorf("deep: %d, %v", n, err)
	}
	if err := g.Diff(deep.id, ObjectID{}, func(Change) error { return nil }); !errors.Is(err, ErrLimit) {
		t.Errorf("deep: %v", err)
	}
	n = 0
	if err := g.WalkTree(wide.id, count, never); err != nil || n != 1_000_000 {
		t.Errorf("wide: %d, %v", n, err)
	}
	n = 0
	if err := g.Diff(ObjectID{}, wide.id, func(Change) error { n++; return nil }); err != nil || n != 1_000_000 {
		t.Errorf("wide: %d, %v", n, err)
	}
}

func TestGitHostileLoose(t *testing.T) {
	dir := fakeRepository(t, 20)
	g := openGit(t, dir, GitOptions{MaxObject: 1 << 20})
	for name, raw := range map[string][]byte{
		"empty":          nil,
		"text":           []byte("hello"),
		"no header":      deflated(t, []byte("hello"), 6),
		"no end":         deflated(t, bytes.Repeat([]byte("blob "), 100), 6),
		"unknown kind":   deflated(t, []byte("blub 5\x00hello"), 6),
		"negative":       deflated(t, []byte("blob -5\x00hello"), 6),
		"signed":         deflated(t, []byte("blob +5\x00hello"), 6),
		"claims more":    deflated(t, []byte("blob 6\x00hello"), 6),
		"claims less":    deflated(t, []byte("blob 4\x00hello"), 6),
		"other content":  deflated(t, []byte("blob 5\x00hello"), 6),
		"claims too big": deflated(t, []byte("blob 99999999999\x00hello"), 6),
	} {
		id := someID(0x42)
		writeFile(t, filepath.Join(dir, "objects", loosePath(id)), string(raw))
		want := ErrCorrupt
		if name == "claims too big" {
			want = ErrTooLarge
		}
		if _, _, err := g.Get(id); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, r, err := g.Open(id); err == nil {
			if _, err := io.Copy(io.Discard, r); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s as a stream: %v", name, err)
			}
			r.Close()
		}
	}
	if _, _, err := g.Get(someID(0x43)); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	if _, _, err := g.Get(ObjectID{}); !errors.Is(err, ErrMissing) {
		t.Errorf("the zero id: %v", err)
	}
	// A large one is streamed.
	large := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	id := fakeID(ObjectBlob, large)
	writeLoose(t, dir, id, ObjectBlob, large)
	if _, _, err := g.Get(id); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
	_, size, r, err := g.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, large) || size != int64(len(b)) {
		t.Errorf("stream: %d bytes, %v", len(b), err)
	}
}

func FuzzGitPack(f *testing.F) {
	base := blob(strings.Repeat("0123456789", 10))
	ofDelta := blob(string(base.data) + "!")
	ofDelta.kind, ofDelta.data = entryOffset, delta(100, 101, copyAll(100), insertOp("!"))
	byRef := blob(string(base.data) + "?")
	byRef.kind, byRef.data, byRef.ref = entryRef, delta(100, 101, copyAll(100), insertOp("?")), base.id
	objects := []fakeObject{base, ofDelta, byRef, blob("x")}
	pack, idx := fakePack(f, objects)
	f.Add(pack, idx)
	pack1, idx1 := fakePack(f, objects[:1])
	f.Add(pack1, idx1)
	dir := fakeRepository(f, 20)
	f.Fuzz(func(t *testing.T, pack, idx []byte) {
		// The trailers are made to fit, so that what is before them is reached.
		if len(pack) > 20 && len(idx) > 40 {
			copy(idx[len(idx)-40:], pack[len(pack)-20:])
		}
		os.WriteFile(dir+"/objects/pack/pack-1.pack", pack, 0o666)
		os.WriteFile(dir+"/objects/pack/pack-1.idx", idx, 0o666)
		g := openGit(t, dir, GitOptions{MaxObject: 1 << 16, Cache: 1 << 16})
		for _, o := range objects {
			if _, data, err := g.Get(o.id); err == nil && g.sum(ObjectBlob, data) != o.id {
				t.Errorf("%s is not verified", o.id)
			}
			g.Size(o.id)
			if _, _, r, err := g.Open(o.id); err == nil {
				io.Copy(io.Discard, io.LimitReader(r, 1<<20))
				r.Close()
			}
		}
		g.abbreviated(base.id.String()[:4])
		plan, err := g.Plan(nil)
		if err != nil {
			return
		}
		n := 0
		for chunk := range plan.Chunks() {
			g.Visit(plan, chunk, func(o *Object) error {
				if o.Err == nil && g.sum(o.Kind, o.Data) != o.ID {
					t.Errorf("%s is not verified", o.ID)
				}
				n++
				return nil
			})
		}
		if n != plan.Objects() {
			t.Errorf("%d of %d objects", n, plan.Objects())
		}
	})
}

// fakeMidx makes a multi-pack index of one pack.
func fakeMidx(objects []fakeObject, offsets []int64) []byte {
	ids := make([]int, len(objects))
	for i := range ids {
		ids[i] = i
	}
	slices.SortFunc(ids, func(a, b int) int { return objects[a].id.Compare(objects[b].id) })
	names := []byte("pack-1.idx\x00\x00")
	var fan, table, places []byte
	for b := range 256 {
		n := uint32(0)
		for _, o := range objects {
			if int(o.id.sum[0]) <= b {
				n++
			}
		}
		fan = binary.BigEndian.AppendUint32(fan, n)
	}
	for _, i := range ids {
		table = append(table, objects[i].id.raw()...)
		places = binary.BigEndian.AppendUint32(places, 0)
		places = binary.BigEndian.AppendUint32(places, uint32(offsets[i]))
	}
	out := []byte("MIDX\x01\x01\x04\x00\x00\x00\x00\x01")
	at := uint64(12 + 5*12)
	for _, chunk := range []struct {
		name string
		b    []byte
	}{{"PNAM", names}, {"OIDF", fan}, {"OIDL", table}, {"OOFF", places}, {"\x00\x00\x00\x00", nil}} {
		out = binary.BigEndian.AppendUint64(append(out, chunk.name...), at)
		at += uint64(len(chunk.b))
	}
	out = slices.Concat(out, names, fan, table, places)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

func FuzzGitMultiIndex(f *testing.F) {
	objects := []fakeObject{blob("one"), blob("two"), blob("three")}
	pack, idx := fakePack(f, objects)
	offsets := make([]int64, len(objects))
	for i, o := range objects {
		if i+1 < len(objects) {
			offsets[i+1] = int64(len(appendHead(nil, o.kind, int64(len(o.data)))) + len(deflated(f, o.data, 6)))
		}
	}
	offsets[0] = 12
	for i := 1; i < len(offsets); i++ {
		offsets[i] += offsets[i-1]
	}
	f.Add(fakeMidx(objects, offsets))
	dir := fakeRepository(f, 20)
	os.WriteFile(dir+"/objects/pack/pack-1.pack", pack, 0o666)
	os.WriteFile(dir+"/objects/pack/pack-1.idx", idx, 0o666)
	f.Fuzz(func(t *testing.T, midx []byte) {
		os.WriteFile(dir+"/objects/pack/multi-pack-index", midx, 0o666)
		g := openGit(t, dir, GitOptions{})
		// Whatever it says, the indexes of the packs know better.
		for _, o := range objects {
			if _, data, err := g.Get(o.id); err != nil || !bytes.Equal(data, o.data) {
				t.Errorf("%s: %q, %v", o.id, data, err)
			}
		}
	})
}

func FuzzGitDelta(f *testing.F) {
	f.Add([]byte("0123456789"), delta(10, 12, copyAll(10), insertOp("!!")))
	f.Fuzz(func(t *testing.T, base, d []byte) {
		size, result, ops, err := deltaSizes(d)
		if err != nil || size != int64(len(base)) || result > 1<<16 {
			return
		}
		dst := make([]byte, result)
		if applyDelta(dst, base, ops) != nil {
			return
		}
		if want := slowDelta(base, ops); !bytes.Equal(dst, want) {
			t.Errorf("made %x, want %x", dst, want)
		}
	})
}

// slowDelta does what applyDelta does to a delta that is right, byte by byte.
func slowDelta(base, ops []byte) (made []byte) {
	for len(ops) > 0 {
		op := ops[0]
		ops = ops[1:]
		if op&0x80 == 0 {
			made, ops = append(made, ops[:op]...), ops[op:]
			continue
		}
		var field [7]int // four bytes of the offset, three of the size
		for i := range field {
			if op>>i&1 != 0 {
				field[i], ops = int(ops[0]), ops[1:]
			}
		}
		from := field[0] | field[1]<<8 | field[2]<<16 | field[3]<<24
		size := field[4] | field[5]<<8 | field[6]<<16
		if size == 0 {
			size = 0x10000
		}
		made = append(made, base[from:from+size]...)
	}
	return made
}

func FuzzGitLoose(f *testing.F) {
	f.Add(deflated(f, []byte("blob 5\x00hello"), 6))
	f.Add(deflated(f, []byte("tree 0\x00"), 6))
	dir := fakeRepository(f, 20)
	id := fakeID(ObjectBlob, []byte("hello"))
	os.MkdirAll(filepath.Dir(filepath.Join(dir, "objects", loosePath(id))), 0o777)
	f.Fuzz(func(t *testing.T, raw []byte) {
		os.WriteFile(filepath.Join(dir, "objects", loosePath(id)), raw, 0o666)
		g := openGit(t, dir, GitOptions{MaxObject: 1 << 16})
		if kind, data, err := g.Get(id); err == nil && (kind != ObjectBlob || string(data) != "hello") {
			t.Errorf("%v %q", kind, data)
		}
		g.Size(id)
	})
}

func FuzzGitTree(f *testing.F) {
	f.Add(treeBytes(TreeEntry{"a", 0o100644, someID(1)}, TreeEntry{"b", 0o40000, someID(2)}), treeBytes(TreeEntry{"a", 0o100755, someID(1)}))
	dir := fakeRepository(f, 20)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		idA, idB := fakeID(ObjectTree, a), fakeID(ObjectTree, b)
		writeLoose(t, dir, idA, ObjectTree, a)
		writeLoose(t, dir, idB, ObjectTree, b)
		defer os.Remove(filepath.Join(dir, "objects", loosePath(idA)))
		defer os.Remove(filepath.Join(dir, "objects", loosePath(idB)))
		g := openGit(t, dir, GitOptions{})
		entries, err := ParseTree(a, 20)
		if err == nil && !bytes.Equal(normal(a), treeBytes(entries...)) {
			t.Errorf("%q does not come back as it was", a)
		}
		n := 0
		g.WalkTree(idA, func(TreeFile) error { n++; return nil }, func(string, error) error { n++; return nil })
		if err == nil && n != len(entries) {
			t.Errorf("%d entries, %d visited", len(entries), n)
		}
		g.Diff(idA, idB, func(Change) error { return nil })
	})
}

// normal takes the leading zeros from the modes of a tree.
func normal(b []byte) []byte {
	var out []byte
	it := treeIter{b, 20}
	for {
		name, mode, id, ok, err := it.next()
		if !ok || err != nil {
			return out
		}
		out = append(append(fmt.Appendf(out, "%o ", mode), name...), 0)
		out = append(out, id...)
	}
}

func FuzzGitCommit(f *testing.F) {
	id := strings.Repeat("1", 40)
	f.Add([]byte("tree " + id + "\nparent " + id + "\nauthor A <a@b> 123 +0100\ncommitter C <c@d> 99999999999999999999 -9999\ngpgsig x\n y\n\nmessage"))
	f.Add([]byte("tree " + id + "\nauthor \ncommitter \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseTagTarget(b, 20)
		c, err := ParseCommit(b, 20)
		if err != nil {
			return
		}
		for _, s := range []Signature{c.Author, c.Committer} {
			if y := s.When.Year(); y > 10000 {
				t.Errorf("year %d", y)
			}
			_ = s.When.String()
		}
	})
}

func FuzzGitRefs(f *testing.F) {
	f.Add([]byte("# pack-refs with: peeled fully-peeled sorted \n" + strings.Repeat("1", 40) + " refs/heads/main\n^" + strings.Repeat("2", 40) + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsePackedRefs(bytes.NewReader(b), 20, func(name, digits []byte) bool {
			if len(name) == 0 || len(digits) != 40 {
				t.Errorf("%q %s", name, digits)
			}
			return true
		})
		sortedRefs(bytes.NewReader(b), 0, int64(len(b)), 20, "refs/heads/main")
		sortedRefs(bytes.NewReader(bytes.Repeat(b, 1+40_000/(1+len(b)))), 0, 40_000, 20, "refs/heads/main")
		g := &Git{hash: 20}
		if r, err := g.parseRef("refs/heads/x", b); err == nil && r.Target != "" && !filepath.IsLocal(r.Target) {
			t.Errorf("%q leads outside", r.Target)
		}
		if c, err := parseGitConfig(b); err == nil {
			c.format()
		}
	})
}
