package source

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Errors of reading objects. Test with errors.Is.
var (
	// ErrMissing says that an object is not there: damage, or in a partial clone
	// (Git.Partial) left out on purpose.
	ErrMissing = errors.New("the object is missing")
	// ErrCorrupt says that bytes are not what they claim to be.
	ErrCorrupt = errors.New("damaged")
	// ErrTooLarge says that an object is larger than GitOptions.MaxObject.
	ErrTooLarge = errors.New("the object is too large")
	// ErrLimit says that a bound against hostile repositories was met.
	ErrLimit = errors.New("over the limit")
)

// ObjectID is the hash that names an object: SHA-1 or SHA-256. The zero value
// names none. It is comparable.
//
// Ids of SHA-1 are checked with plain SHA-1. Who can make collisions can have two
// objects of one id, in two packs; which of them is read is then open. Git refuses
// to receive such objects, but a copied folder was not received.
type ObjectID struct {
	sum  [32]byte
	size uint8
}

// IsZero reports whether the id names nothing.
func (id ObjectID) IsZero() bool { return id.sum == [32]byte{} }

// String is the id in hex digits.
func (id ObjectID) String() string { return hex.EncodeToString(id.sum[:id.size]) }

// Bytes is the id in bytes.
func (id ObjectID) Bytes() []byte { return bytes.Clone(id.sum[:id.size]) }

// Compare orders ids.
func (id ObjectID) Compare(other ObjectID) int { return bytes.Compare(id.sum[:], other.sum[:]) }

// raw is the id's bytes without a copy.
func (id *ObjectID) raw() []byte { return id.sum[:id.size] }

func idOf(b []byte) ObjectID {
	id := ObjectID{size: uint8(len(b))}
	copy(id.sum[:], b)
	return id
}

// ObjectIDOf is the id of 20 or 32 bytes.
func ObjectIDOf(b []byte) (ObjectID, bool) {
	if len(b) != sha1.Size && len(b) != sha256.Size {
		return ObjectID{}, false
	}
	return idOf(b), true
}

// ParseObjectID reads 40 or 64 hex digits.
func ParseObjectID(s string) (ObjectID, error) {
	id := ObjectID{size: uint8(len(s) / 2)}
	if len(s) != 40 && len(s) != 64 {
		return ObjectID{}, fmt.Errorf("%.70q is no object id", s)
	}
	if _, err := hex.Decode(id.sum[:], []byte(s)); err != nil {
		return ObjectID{}, fmt.Errorf("%.70q is no object id", s)
	}
	return id, nil
}

// ObjectKind is what an object is. The numbers are those of packs.
type ObjectKind uint8

// Kinds of objects.
const (
	ObjectCommit ObjectKind = 1
	ObjectTree   ObjectKind = 2
	ObjectBlob   ObjectKind = 3
	ObjectTag    ObjectKind = 4
)

func (k ObjectKind) String() string {
	if k >= 1 && k <= 4 {
		return [...]string{"commit", "tree", "blob", "tag"}[k-1]
	}
	return "unknown"
}

func parseObjectKind(s string) (ObjectKind, bool) {
	for k := ObjectCommit; k <= ObjectTag; k++ {
		if s == k.String() {
			return k, true
		}
	}
	return 0, false
}

// Git reads the objects and refs of a repository. It runs nothing and needs no
// more than the folders of GitDirs.
//
// Memory is bounded by GitOptions: what is cached, plus a few times the largest
// object. A Git is not for concurrent use; to read from several goroutines, open
// several from the same GitDirs.
type Git struct {
	dirs    *GitDirs
	hash    int // bytes of an id
	partial bool
	shallow map[ObjectID]bool
	notes   []string

	maxObject  int64
	maxEntries int // of a walk through trees
	packs      []*pack
	midx       []*multiIndex
	last       *pack // the last that had an object
	files      handles
	pages      pager
	bases      baseCache
	window     packWindow
	inflate    inflater
	stream     zlibStream
	delta      []byte
	passing    [2][]byte // objects on the way to the one that is wanted
	sums       map[int]hash.Hash
	work       int64
}

// OpenGit opens the repository that FindGit found. The folders stay the caller's
// to close. The configuration is read for what the format of the repository is
// and whether it is a partial clone, and for nothing else.
func OpenGit(d *GitDirs) (*Git, error) {
	g := &Git{dirs: d, maxObject: d.opts.MaxObject, maxEntries: maxTreeEntries, shallow: make(map[ObjectID]bool), sums: make(map[int]hash.Hash)}
	if g.maxObject <= 0 {
		g.maxObject = 64 << 20
	}
	g.bases.limit = d.opts.Cache
	if g.bases.limit <= 0 {
		g.bases.limit = 32 << 20
	}
	limit := d.opts.Pages
	if limit <= 0 {
		limit = 32 << 20
	}
	g.pages.limit = int(limit/pageSize) + 1
	config, err := d.common.readSmall("config", maxGitConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the repository's configuration: %w", err)
	}
	c, err := parseGitConfig(config)
	if err != nil {
		return nil, fmt.Errorf("read the repository's configuration: %w", err)
	}
	if g.hash, err = c.format(); err != nil {
		return nil, err
	}
	g.partial = c.promisor
	if err := g.readShallow(); err != nil {
		return nil, err
	}
	for i, dir := range d.objects {
		if err := g.findPacks(dir); err != nil {
			if i == 0 {
				g.Close()
				return nil, err
			}
			g.note("an alternate folder of objects cannot be read: %v", err)
		}
	}
	// The largest first: most objects are there.
	slices.SortStableFunc(g.packs, func(a, b *pack) int {
		if a.size != b.size {
			return int(min(1, max(-1, b.size-a.size)))
		}
		return strings.Compare(a.name, b.name)
	})
	for i, p := range g.packs {
		p.number = i
	}
	for _, refused := range d.Refused {
		g.note("the objects in %q are not read: the folder lies outside of what is scanned", refused)
	}
	return g, nil
}

// Close closes the files that are open.
func (g *Git) Close() error { return g.files.closeAll() }

// Partial reports whether the repository is a partial clone, in which objects may
// be missing on purpose.
func (g *Git) Partial() bool { return g.partial }

// Shallow reports whether history was cut off when the repository was cloned.
func (g *Git) Shallow() bool { return len(g.shallow) > 0 }

// Notes are facts about the repository that make its reading incomplete.
func (g *Git) Notes() []string { return slices.Clone(g.notes) }

func (g *Git) note(format string, args ...any) {
	const most = 100
	if len(g.notes) < most {
		g.notes = append(g.notes, fmt.Sprintf(format, args...))
	}
}

func (g *Git) readShallow() error {
	b, err := g.dirs.common.readSmall("shallow", maxShallow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the shallow file: %w", err)
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		id, err := ParseObjectID(string(line))
		if err != nil || int(id.size) != g.hash {
			return fmt.Errorf("read the shallow file: %.70q is no object id: %w", line, ErrCorrupt)
		}
		g.shallow[id] = true
	}
	return nil
}

// sum is the id that content of a kind has.
func (g *Git) sum(kind ObjectKind, data []byte) ObjectID {
	h := g.hasher(kind, int64(len(data)))
	h.Write(data)
	id := ObjectID{size: uint8(g.hash)}
	h.Sum(id.sum[:0])
	return id
}

// BlobHash returns a hash that becomes the id of a blob of the size in bytes once
// its content has been written to it; see BlobID. Unlike the Git it belongs to the
// caller alone.
func (g *Git) BlobHash(size int64) hash.Hash {
	h := newObjectHash(g.hash)
	h.Write(append(strconv.AppendInt([]byte("blob "), size, 10), 0))
	return h
}

// BlobID is the id that a BlobHash has come to.
func BlobID(h hash.Hash) ObjectID { return idOf(h.Sum(nil)) }

func (g *Git) hasher(kind ObjectKind, size int64) hash.Hash {
	h := g.sums[g.hash]
	if h == nil {
		h = newObjectHash(g.hash)
		g.sums[g.hash] = h
	}
	h.Reset()
	var head [32]byte
	h.Write(append(strconv.AppendInt(append(append(head[:0], kind.String()...), ' '), size, 10), 0))
	return h
}

func newObjectHash(size int) hash.Hash {
	if size == sha256.Size {
		return sha256.New()
	}
	return sha1.New()
}

// Get returns an object, verified against its id. The bytes are shared with the
// cache: they must not be changed. If one copy is damaged, another is looked for.
// Errors are ErrMissing, ErrCorrupt, ErrTooLarge and ErrLimit, and those of
// reading files.
func (g *Git) Get(id ObjectID) (ObjectKind, []byte, error) {
	var kind ObjectKind
	var data []byte
	err := g.each(id, func(p *pack, off int64) (err error) {
		if kind, data, err = g.packed(p, off); err == nil && g.sum(kind, data) != id {
			// What was put together wrongly must not serve as a base.
			g.bases.drop(p.number, off)
			err = fmt.Errorf("%s at %d holds something else: %w", p.name, off, ErrCorrupt)
		}
		return err
	}, func(dir gitFolder) (err error) {
		kind, data, err = g.loose(dir, id)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return kind, data, nil
}

// Size returns an object's kind and size without its content, and so unverified.
func (g *Git) Size(id ObjectID) (ObjectKind, int64, error) {
	var kind ObjectKind
	var size int64
	err := g.each(id, func(p *pack, off int64) (err error) {
		kind, size, err = g.packedSize(p, off)
		return err
	}, func(dir gitFolder) error {
		f, r, k, n, err := g.openLoose(dir, id, &g.stream)
		if err != nil {
			return err
		}
		_ = r
		kind, size = k, n
		return f.Close()
	})
	return kind, size, err
}

// Has reports whether an object is there, damaged perhaps.
func (g *Git) Has(id ObjectID) bool {
	return g.each(id, func(*pack, int64) error { return nil }, func(dir gitFolder) error {
		f, _, err := dir.open(loosePath(id))
		if err != nil {
			return err
		}
		return f.Close()
	}) == nil
}

// each calls packed and loose for the places in which an object is or may be, until
// one returns no error. It returns the first error that says more than that the
// object is not there.
func (g *Git) each(id ObjectID, packed func(*pack, int64) error, loose func(gitFolder) error) error {
	var first error
	try := func(err error) bool {
		if err == nil {
			return true
		}
		if first == nil && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
		return false
	}
	if int(id.size) != g.hash {
		return fmt.Errorf("object %s: %w", id, ErrMissing)
	}
	last := g.last
	if last != nil {
		if off, found, err := last.find(g, id); err != nil {
			try(err)
		} else if found && try(packed(last, off)) {
			return nil
		}
	}
	for _, m := range g.midx {
		p, off, found, err := m.find(g, id)
		if err != nil {
			try(err)
			continue
		}
		if found && p != last && try(packed(p, off)) {
			g.last = p
			return nil
		}
	}
	inPacks := func(covered bool) bool {
		for _, p := range g.packs {
			if p == last || p.covered != covered {
				continue
			}
			off, found, err := p.find(g, id)
			if err != nil {
				try(err)
				continue
			}
			if found && try(packed(p, off)) {
				g.last = p
				return true
			}
		}
		return false
	}
	if inPacks(false) {
		return nil
	}
	for _, dir := range g.dirs.objects {
		if try(loose(dir)) {
			return nil
		}
	}
	// The multi-pack index should have known, but it is not to be believed.
	if inPacks(true) {
		return nil
	}
	if first != nil {
		return fmt.Errorf("object %s: %w", id, first)
	}
	return fmt.Errorf("object %s: %w", id, ErrMissing)
}

// Open returns an object as a stream, which may be larger than what Get returns.
// Its content is verified at its end: the last Read returns ErrCorrupt in place of
// io.EOF where the id is another one. Objects larger than GitOptions.MaxObject that
// are stored as deltas are ErrTooLarge; git stores large ones whole.
func (g *Git) Open(id ObjectID) (ObjectKind, int64, io.ReadCloser, error) {
	var kind ObjectKind
	var size int64
	var out io.ReadCloser
	err := g.each(id, func(p *pack, off int64) error {
		e, err := g.entry(p, off)
		if err != nil {
			return err
		}
		if e.kind.isDelta() {
			k, data, err := g.packed(p, off)
			if err != nil {
				return err
			}
			if g.sum(k, data) != id {
				return fmt.Errorf("%s at %d holds something else: %w", p.name, off, ErrCorrupt)
			}
			kind, size, out = k, int64(len(data)), io.NopCloser(bytes.NewReader(data))
			return nil
		}
		// Its own descriptor: the shared one may be closed for others at any time.
		f, _, err := p.dir.open(p.name)
		if err != nil {
			return err
		}
		r, err := new(zlibStream).reset(bufio.NewReaderSize(io.NewSectionReader(f, e.data, p.size-int64(g.hash)-e.data), 64<<10))
		if err != nil {
			f.Close()
			return fmt.Errorf("%s at %d: %w: %w", p.name, off, ErrCorrupt, err)
		}
		kind, size = ObjectKind(e.kind), e.size
		out = g.verified(id, kind, size, r, f)
		return nil
	}, func(dir gitFolder) error {
		f, r, k, n, err := g.openLoose(dir, id, new(zlibStream))
		if err != nil {
			return err
		}
		kind, size, out = k, n, g.verified(id, k, n, r, f)
		return nil
	})
	return kind, size, out, err
}

func (g *Git) verified(id ObjectID, kind ObjectKind, size int64, r io.Reader, f *File) io.ReadCloser {
	h := newObjectHash(g.hash)
	fmt.Fprintf(h, "%s %d\x00", kind, size)
	return &verifiedReader{id: id, h: h, r: r, f: f, left: size}
}

// verifiedReader is an object's content as a stream.
type verifiedReader struct {
	id   ObjectID
	h    hash.Hash
	r    io.Reader
	f    *File
	left int64
	err  error
}

func (v *verifiedReader) Read(b []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.left == 0 {
		// The stream must end here, too.
		var one [1]byte
		if n, err := io.ReadFull(v.r, one[:]); n > 0 || err != io.EOF || !bytes.Equal(v.h.Sum(nil), v.id.raw()) {
			v.err = fmt.Errorf("object %s: %w", v.id, ErrCorrupt)
		} else {
			v.err = io.EOF
		}
		return 0, v.err
	}
	if int64(len(b)) > v.left {
		b = b[:v.left]
	}
	n, err := v.r.Read(b)
	v.h.Write(b[:n])
	v.left -= int64(n)
	if err != nil && (err != io.EOF || v.left > 0) {
		v.err = fmt.Errorf("object %s: %w: %w", v.id, ErrCorrupt, err)
		return n, v.err
	}
	return n, nil
}

func (v *verifiedReader) Close() error {
	v.err = fs.ErrClosed
	return v.f.Close()
}

// handles keeps the number of open files small, however many packs there are.
type handles struct{ open []*handle }

// maxHandles is far below the 256 descriptors of the smallest usual limit.
const maxHandles = 96

// handle is a file that is opened when it is read, and again when it had to make
// room for others.
type handle struct {
	dir  gitFolder
	name string
	f    *File
	was  Stat
}

// readAt reads all of b, or says why not.
func (h *handles) readAt(x *handle, b []byte, off int64) error {
	if x.f == nil {
		f, st, err := x.dir.open(x.name)
		if err != nil {
			return err
		}
		if x.was != (Stat{}) && !x.was.Same(st) {
			f.Close()
			return fmt.Errorf("%s changed while it was read: %w", x.name, ErrCorrupt)
		}
		x.f, x.was = f, st
		if len(h.open) >= maxHandles {
			h.open[0].f.Close()
			h.open[0].f = nil
			h.open = slices.Delete(h.open, 0, 1)
		}
		h.open = append(h.open, x)
	}
	n, err := x.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("%s is cut short: %w", x.name, ErrCorrupt)
	}
	return fmt.Errorf("read %s: %w", x.name, err)
}

func (h *handles) closeAll() error {
	var err error
	for _, x := range h.open {
		err = errors.Join(err, x.f.Close())
		x.f = nil
	}
	h.open = nil
	return err
}

// pageSize is the unit in which indexes are read: 200 ids. Larger pages cost more
// where few objects are read, and gain little where all are.
const pageSize = 4 << 10

// pager keeps pages of index files. The oldest go first: all of an index of a
// million objects fits, and what is larger is read in no order anyway.
type pager struct {
	limit int // pages
	ring  []pageRef
	next  int
}

type pageRef struct {
	f *pagedFile
	i int
}

// pagedFile is a file that is read by pages, once each while there is room.
type pagedFile struct {
	handle
	size  int64
	pages [][]byte
}

func (p *pagedFile) page(g *Git, i int) ([]byte, error) {
	if p.pages == nil {
		p.pages = make([][]byte, (p.size+pageSize-1)/pageSize)
	}
	if b := p.pages[i]; b != nil {
		return b, nil
	}
	start := int64(i) * pageSize
	b := make([]byte, min(pageSize, p.size-start))
	if err := g.files.readAt(&p.handle, b, start); err != nil {
		return nil, err
	}
	p.pages[i] = b
	if len(g.pages.ring) < g.pages.limit {
		g.pages.ring = append(g.pages.ring, pageRef{p, i})
	} else {
		old := &g.pages.ring[g.pages.next]
		old.f.pages[old.i] = nil
		*old = pageRef{p, i}
		g.pages.next = (g.pages.next + 1) % len(g.pages.ring)
	}
	return b, nil
}

// at returns n bytes (at most 64) at an offset; they stay valid.
func (p *pagedFile) at(g *Git, off int64, n int) ([]byte, error) {
	if off < 0 || off+int64(n) > p.size {
		return nil, fmt.Errorf("%s is too short: %w", p.name, ErrCorrupt)
	}
	i, in := int(off/pageSize), int(off%pageSize)
	b, err := p.page(g, i)
	if err != nil {
		return nil, err
	}
	if in+n <= len(b) {
		return b[in : in+n : in+n], nil
	}
	joined := append(make([]byte, 0, n), b[in:]...)
	if b, err = p.page(g, i+1); err != nil {
		return nil, err
	}
	return append(joined, b[:n-len(joined)]...), nil
}
