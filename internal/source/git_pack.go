package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// Bounds of packs. Git itself makes no chain of deltas deeper than 4,095.
const (
	maxDeltaDepth = 4096
	// maxDeltaWork bounds what is put together on the way to one object, in bytes:
	// 64 steps of the largest object that is held by default.
	maxDeltaWork = 4 << 30
	// streamFrom is the size from which an object is decompressed as a stream, so
	// that its compressed bytes are not held as well.
	streamFrom = 1 << 20
	// deflateRatio is the most that deflate can make of a byte (RFC 1951: a match
	// of 258 bytes in 2 bits).
	deflateRatio = 1032
)

// entryKind is ObjectKind, or one of the two kinds of deltas.
type entryKind uint8

const (
	entryOffset entryKind = 6 // the base lies so many bytes before
	entryRef    entryKind = 7 // the base is named by its id
)

func (k entryKind) isDelta() bool { return k == entryOffset || k == entryRef }

// pack is a pack and its index.
type pack struct {
	handle // of the pack
	size   int64
	number int
	// index
	idx            pagedFile
	opened         bool
	err            error // why the index cannot be used
	version, count int
	fan            [256]uint32
	ids, offsets   int64 // where the tables are
	large          int64
	larges         int
	// covered says that a multi-pack index is to answer for it.
	covered bool
}

// findPacks lists the packs of a folder of objects, without opening any.
func (g *Git) findPacks(dir gitFolder) error {
	names, err := dir.list("pack", 4*maxPacks)
	if err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	f, _, err := dir.openFolder("pack")
	if err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	defer f.close()
	below := dir.below("pack")
	byName := make(map[string]*pack)
	for _, name := range names {
		stem, isIndex := strings.CutSuffix(name, ".idx")
		if !isIndex {
			continue
		}
		if _, found := slices.BinarySearch(names, stem+".pack"); !found {
			continue
		}
		st1, err1 := f.stat(name)
		st2, err2 := f.stat(stem + ".pack")
		if err1 != nil || err2 != nil || st1.Mode&modeType != modeRegular || st2.Mode&modeType != modeRegular {
			g.note("the pack %s.pack or its index is no regular file", stem)
			continue
		}
		if len(byName) >= maxPacks {
			return fmt.Errorf("more than %d packs: %w", maxPacks, ErrLimit)
		}
		p := &pack{
			handle: handle{dir: below, name: stem + ".pack"}, size: st2.Size,
			idx: pagedFile{handle: handle{dir: below, name: name}, size: st1.Size},
		}
		byName[name] = p
		g.packs = append(g.packs, p)
	}
	if _, found := slices.BinarySearch(names, "multi-pack-index"); found {
		if st, err := f.stat("multi-pack-index"); err == nil && st.Mode&modeType == modeRegular {
			m := &multiIndex{file: pagedFile{handle: handle{dir: below, name: "multi-pack-index"}, size: st.Size}}
			if err := m.open(g, byName); err != nil {
				// Every pack has its own index as well.
				g.note("the multi-pack index is not used: %v", err)
				return nil
			}
			for _, p := range m.packs {
				if p != nil {
					p.covered = true
				}
			}
			g.midx = append(g.midx, m)
		}
	}
	return nil
}

var errIndex = fmt.Errorf("the index of a pack: %w", ErrCorrupt)

// open reads the head of the index (gitformat-pack(5)) once.
func (p *pack) open(g *Git) error {
	if p.opened {
		return p.err
	}
	p.opened = true
	if p.err = p.openIndex(g); p.err != nil {
		g.note("the pack %s cannot be used: %v", p.name, p.err)
	}
	return p.err
}

func (p *pack) openIndex(g *Git) error {
	var head [8 + 256*4]byte
	if p.idx.size < int64(len(head)) {
		return errIndex
	}
	if err := g.files.readAt(&p.idx.handle, head[:], 0); err != nil {
		return err
	}
	table := head[:256*4]
	p.version = 1
	if string(head[:4]) == "\xfftOc" {
		p.version = int(binary.BigEndian.Uint32(head[4:]))
		if p.version != 2 {
			return fmt.Errorf("version %d is not known: %w", p.version, ErrGitFormat)
		}
		table = head[8:]
	}
	if err := readFan(&p.fan, table); err != nil {
		return err
	}
	n, h := int64(p.fan[255]), int64(g.hash)
	p.count = int(n)
	trailer := 2 * h
	if p.version == 1 {
		p.offsets, p.ids = 1024, 1024+4
		if p.idx.size != 1024+n*(4+h)+trailer {
			return errIndex
		}
	} else {
		p.ids = 8 + 1024
		p.offsets = p.ids + n*(h+4)
		p.large = p.offsets + n*4
		rest := p.idx.size - p.large - trailer
		if rest < 0 || rest%8 != 0 || rest/8 > n {
			return errIndex
		}
		p.larges = int(rest / 8)
	}
	var start [12]byte
	if p.size < int64(len(start))+h {
		return fmt.Errorf("%s is too short: %w", p.name, ErrCorrupt)
	}
	if err := g.files.readAt(&p.handle, start[:], 0); err != nil {
		return err
	}
	if v := binary.BigEndian.Uint32(start[4:]); string(start[:4]) != "PACK" || v < 2 || v > 3 {
		return fmt.Errorf("%s is no pack of a known version: %w", p.name, ErrCorrupt)
	}
	if int64(binary.BigEndian.Uint32(start[8:])) != n {
		return fmt.Errorf("%s does not hold as many objects as its index: %w", p.name, ErrCorrupt)
	}
	// Both end with the checksum of the pack. It is compared, not computed: each
	// object is verified by itself.
	var own [32]byte
	if err := g.files.readAt(&p.handle, own[:h], p.size-h); err != nil {
		return err
	}
	want, err := p.idx.at(g, p.idx.size-trailer, g.hash)
	if err != nil {
		return err
	}
	if string(want) != string(own[:h]) {
		return fmt.Errorf("%s belongs to another index: %w", p.name, ErrCorrupt)
	}
	return nil
}

func readFan(fan *[256]uint32, table []byte) error {
	before := uint32(0)
	for i := range fan {
		fan[i] = binary.BigEndian.Uint32(table[4*i:])
		if fan[i] < before || fan[i] > 1<<31-1 {
			return errIndex
		}
		before = fan[i]
	}
	return nil
}

// search finds an id in a sorted table: ids are evenly spread, so a guess by value
// lands on the right page most times. It halves when guessing does not help.
func search(g *Git, f *pagedFile, fan *[256]uint32, table, stride int64, id ObjectID) (pos int, found bool, err error) {
	lo, hi := 0, int(fan[id.sum[0]])
	if id.sum[0] > 0 {
		lo = int(fan[id.sum[0]-1])
	}
	key := int64(binary.BigEndian.Uint32(id.sum[1:]))
	keyLo, keyHi := int64(0), int64(1)<<32
	for try := 0; lo < hi; try++ {
		mid := lo + (hi-lo)/2
		if try < 4 && key >= keyLo && keyHi > keyLo {
			mid = lo + int((key-keyLo)*int64(hi-lo)/(keyHi-keyLo))
			mid = min(max(mid, lo), hi-1)
		}
		b, err := f.at(g, table+int64(mid)*stride, int(id.size))
		if err != nil {
			return 0, false, err
		}
		switch c := strings.Compare(string(b), string(id.raw())); {
		case c == 0:
			return mid, true, nil
		case c < 0:
			lo = mid + 1
			keyLo = int64(binary.BigEndian.Uint32(b[1:]))
		default:
			hi = mid
			keyHi = int64(binary.BigEndian.Uint32(b[1:])) + 1
		}
	}
	return lo, false, nil
}

func (p *pack) stride(g *Git) int64 {
	if p.version == 1 {
		return int64(g.hash) + 4
	}
	return int64(g.hash)
}

// find looks an id up.
func (p *pack) find(g *Git, id ObjectID) (off int64, found bool, err error) {
	if p.open(g) != nil {
		return 0, false, nil // noted
	}
	pos, found, err := search(g, &p.idx, &p.fan, p.ids, p.stride(g), id)
	if err != nil || !found {
		return 0, false, err
	}
	off, err = p.offset(g, pos)
	return off, err == nil, err
}

// id is the id at a position of the index.
func (p *pack) id(g *Git, pos int) (ObjectID, error) {
	b, err := p.idx.at(g, p.ids+int64(pos)*p.stride(g), g.hash)
	if err != nil {
		return ObjectID{}, err
	}
	return idOf(b), nil
}

// offset is where the object at a position of the index begins.
func (p *pack) offset(g *Git, pos int) (int64, error) {
	stride := int64(4)
	if p.version == 1 {
		stride += int64(g.hash)
	}
	b, err := p.idx.at(g, p.offsets+int64(pos)*stride, 4)
	if err != nil {
		return 0, err
	}
	v := binary.BigEndian.Uint32(b)
	off := int64(v)
	if p.version == 2 && v&(1<<31) != 0 {
		i := int(v &^ (1 << 31))
		if i >= p.larges {
			return 0, errIndex
		}
		if b, err = p.idx.at(g, p.large+int64(i)*8, 8); err != nil {
			return 0, err
		}
		off = int64(binary.BigEndian.Uint64(b) &^ (1 << 63))
	}
	if off < 12 || off >= p.size-int64(g.hash) {
		return 0, fmt.Errorf("%s has nothing at %d: %w", p.name, off, ErrCorrupt)
	}
	return off, nil
}

// multiIndex is an index over several packs (gitformat-pack(5), multi-pack-index).
// One that goes on in others (the folder multi-pack-index.d) is not used.
type multiIndex struct {
	file         pagedFile
	packs        []*pack // nil where the pack is gone
	fan          [256]uint32
	ids, offsets int64
	large        int64
	larges       int
}

func (m *multiIndex) open(g *Git, byName map[string]*pack) error {
	const chunkHead = 12
	var head [12]byte
	if m.file.size < int64(len(head)+2*chunkHead+g.hash) {
		return fmt.Errorf("too short: %w", ErrCorrupt)
	}
	if err := g.files.readAt(&m.file.handle, head[:], 0); err != nil {
		return err
	}
	switch {
	case string(head[:4]) != "MIDX":
		return fmt.Errorf("not a multi-pack index: %w", ErrCorrupt)
	case head[4] != 1:
		return fmt.Errorf("version %d: %w", head[4], ErrGitFormat)
	case head[5] != 1 && g.hash == 20 || head[5] != 2 && g.hash == 32:
		return fmt.Errorf("it is of another kind of ids: %w", ErrCorrupt)
	case head[7] != 0:
		return fmt.Errorf("it is one of a chain: %w", ErrGitFormat)
	}
	count := int64(binary.BigEndian.Uint32(head[8:]))
	table := make([]byte, (int(head[6])+1)*chunkHead)
	if err := g.files.readAt(&m.file.handle, table, int64(len(head))); err != nil {
		return err
	}
	chunks := make(map[string][2]int64)
	end := m.file.size - int64(g.hash)
	for i := range int(head[6]) {
		at, next := binary.BigEndian.Uint64(table[i*chunkHead+4:]), binary.BigEndian.Uint64(table[(i+1)*chunkHead+4:])
		if at > next || next > uint64(end) || at < uint64(len(head)+len(table)) {
			return fmt.Errorf("a part lies outside: %w", ErrCorrupt)
		}
		chunks[string(table[i*chunkHead:i*chunkHead+4])] = [2]int64{int64(at), int64(next - at)}
	}
	names, fan, ids, offsets := chunks["PNAM"], chunks["OIDF"], chunks["OIDL"], chunks["OOFF"]
	if fan[1] != 1024 || names[1] > 64<<20 || count > maxPacks {
		return fmt.Errorf("a part is missing: %w", ErrCorrupt)
	}
	var b [1024]byte
	if err := g.files.readAt(&m.file.handle, b[:], fan[0]); err != nil {
		return err
	}
	if err := readFan(&m.fan, b[:]); err != nil {
		return err
	}
	n := int64(m.fan[255])
	if ids[1] != n*int64(g.hash) || offsets[1] != n*8 {
		return fmt.Errorf("the parts do not fit: %w", ErrCorrupt)
	}
	m.ids, m.offsets = ids[0], offsets[0]
	m.large, m.larges = chunks["LOFF"][0], int(chunks["LOFF"][1]/8)
	text := make([]byte, names[1])
	if err := g.files.readAt(&m.file.handle, text, names[0]); err != nil {
		return err
	}
	for range count {
		name, rest, found := strings.Cut(string(text[:min(len(text), 512)]), "\x00")
		if !found {
			return fmt.Errorf("the name of a pack does not end: %w", ErrCorrupt)
		}
		_ = rest
		text = text[len(name)+1:]
		m.packs = append(m.packs, byName[name])
	}
	return nil
}

// find looks an id up. Found is false, too, if the pack is gone.
func (m *multiIndex) find(g *Git, id ObjectID) (p *pack, off int64, found bool, err error) {
	pos, found, err := search(g, &m.file, &m.fan, m.ids, int64(g.hash), id)
	if err != nil || !found {
		return nil, 0, false, err
	}
	b, err := m.file.at(g, m.offsets+int64(pos)*8, 8)
	if err != nil {
		return nil, 0, false, err
	}
	number, low := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if int64(number) >= int64(len(m.packs)) {
		return nil, 0, false, fmt.Errorf("the multi-pack index names a pack that is not there: %w", ErrCorrupt)
	}
	off = int64(low)
	if m.large > 0 && low&(1<<31) != 0 {
		i := int(low &^ (1 << 31))
		if i >= m.larges {
			return nil, 0, false, fmt.Errorf("the multi-pack index: %w", ErrCorrupt)
		}
		if b, err = m.file.at(g, m.large+int64(i)*8, 8); err != nil {
			return nil, 0, false, err
		}
		off = int64(binary.BigEndian.Uint64(b) &^ (1 << 63))
	}
	if p = m.packs[number]; p == nil || p.open(g) != nil {
		return nil, 0, false, nil
	}
	if off < 12 || off >= p.size-int64(g.hash) {
		return nil, 0, false, fmt.Errorf("%s has nothing at %d: %w", p.name, off, ErrCorrupt)
	}
	return p, off, true, nil
}

// packWindow is a part of a pack that was read, for what lies near.
type packWindow struct {
	p   *pack
	off int64
	b   []byte
	buf []byte
}

// windowSize is read at once where reading goes on from the window before: some tens
// of commits or deltas, which lie together. Elsewhere it is jumpSize: the deltas of
// one file lie far apart, and each is short.
const (
	windowSize = 16 << 10
	jumpSize   = 1 << 10
)

// raw returns at least n bytes of a pack from an offset, or all up to the
// checksum at its end. They are valid until the next call.
func (g *Git) raw(p *pack, off int64, n int) ([]byte, error) {
	n = int(min(int64(n), p.size-int64(g.hash)-off))
	if n <= 0 {
		return nil, fmt.Errorf("%s has nothing at %d: %w", p.name, off, ErrCorrupt)
	}
	w := &g.window
	if w.p == p && off >= w.off && off+int64(n) <= w.off+int64(len(w.b)) {
		return w.b[off-w.off:], nil
	}
	size := int64(jumpSize)
	if w.p == p && off >= w.off && off < w.off+int64(len(w.b))+windowSize {
		size = windowSize
	}
	size = min(max(int64(n), size), p.size-int64(g.hash)-off)
	if int64(cap(w.buf)) < size {
		w.buf = make([]byte, max(size, windowSize))
	}
	w.p = nil
	if err := g.files.readAt(&p.handle, w.buf[:size], off); err != nil {
		return nil, err
	}
	w.p, w.off, w.b = p, off, w.buf[:size]
	return w.b, nil
}

// packEntry is the head of an object in a pack.
type packEntry struct {
	kind entryKind
	size int64 // of the object, or of the delta
	data int64 // where the compressed bytes begin
	base int64 // of a delta
}

// maxEntryHead is the most that a head can take: size, and an offset or id.
const maxEntryHead = 10 + 32

var errEntry = fmt.Errorf("the head of an object in a pack: %w", ErrCorrupt)

// parseEntry reads the head of an object. For a delta by offset it returns how far
// back its base is, for one by id that id.
func parseEntry(b []byte, hash int) (kind entryKind, size, back int64, ref ObjectID, n int, err error) {
	if len(b) == 0 {
		return 0, 0, 0, ref, 0, errEntry
	}
	c := b[0]
	n = 1
	kind = entryKind(c >> 4 & 7)
	size = int64(c & 15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if n >= len(b) || shift > 53 {
			return 0, 0, 0, ref, 0, errEntry
		}
		c = b[n]
		n++
		size |= int64(c&0x7f) << shift
	}
	switch kind {
	case entryKind(ObjectCommit), entryKind(ObjectTree), entryKind(ObjectBlob), entryKind(ObjectTag):
	case entryOffset:
		v, m := indexVarint(b[n:])
		if m == 0 || v == 0 || v > 1<<62 {
			return 0, 0, 0, ref, 0, errEntry
		}
		back = int64(v)
		n += m
	case entryRef:
		if len(b)-n < hash {
			return 0, 0, 0, ref, 0, errEntry
		}
		ref = idOf(b[n : n+hash])
		n += hash
	default:
		return 0, 0, 0, ref, 0, errEntry
	}
	return kind, size, back, ref, n, nil
}

// entry reads the head of the object at an offset. The base of a delta lies in the
// same pack, as git has it.
func (g *Git) entry(p *pack, off int64) (packEntry, error) {
	b, err := g.raw(p, off, maxEntryHead)
	if err != nil {
		return packEntry{}, err
	}
	kind, size, back, ref, n, err := parseEntry(b, g.hash)
	if err != nil {
		return packEntry{}, fmt.Errorf("%s at %d: %w", p.name, off, err)
	}
	e := packEntry{kind: kind, size: size, data: off + int64(n)}
	switch kind {
	case entryOffset:
		if e.base = off - back; e.base < 12 {
			return packEntry{}, fmt.Errorf("%s at %d: %w", p.name, off, errEntry)
		}
	case entryRef:
		base, found, err := p.find(g, ref)
		if err != nil {
			return packEntry{}, err
		}
		if !found {
			return packEntry{}, fmt.Errorf("%s at %d: base %s: %w", p.name, off, ref, ErrMissing)
		}
		e.base = base
	}
	return e, nil
}

// unpack decompresses what is at an offset into dst, which it must fill.
func (g *Git) unpack(dst []byte, p *pack, off int64) error {
	g.work += int64(len(dst))
	left := p.size - int64(g.hash) - off
	if len(dst) > streamFrom {
		r, err := g.stream.reset(g.stream.buffered(io.NewSectionReader(readerOf{g, p}, off, left)))
		if err == nil {
			_, err = io.ReadFull(r, dst)
		}
		if err == nil {
			var one [1]byte
			var n int
			if n, err = io.ReadFull(r, one[:]); n > 0 {
				err = errOutputFull
			} else if err == io.EOF {
				return nil
			}
		}
		return fmt.Errorf("%s at %d: %w: %w", p.name, off, ErrCorrupt, err)
	}
	// Deflate makes little more of what it cannot compress (zlib's compressBound);
	// what takes more than twice that was made to cost.
	most := len(dst) + len(dst)>>10 + 64
	for need := most; ; need *= 4 {
		src, err := g.raw(p, off, need)
		if err != nil {
			return err
		}
		n, _, err := g.inflate.zlib(dst, src)
		if err == nil && n == len(dst) {
			return nil
		}
		if errors.Is(err, errInputShort) && int64(len(src)) < left && need < 16*most+64<<10 {
			continue
		}
		if err == nil {
			err = errInputShort
		}
		return fmt.Errorf("%s at %d: %w: %w", p.name, off, ErrCorrupt, err)
	}
}

// readerOf reads a pack without the window.
type readerOf struct {
	g *Git
	p *pack
}

func (r readerOf) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > r.p.size {
		b = b[:max(0, r.p.size-off)]
	}
	if err := r.g.files.readAt(&r.p.handle, b, off); err != nil {
		return 0, err
	}
	return len(b), nil
}

// plausible checks a size before it is allocated.
func (g *Git) plausible(p *pack, e packEntry) error {
	if e.size > g.maxObject {
		return fmt.Errorf("%d bytes: %w", e.size, ErrTooLarge)
	}
	if e.size/deflateRatio > p.size-e.data {
		return fmt.Errorf("%s at %d claims %d bytes: %w", p.name, e.data, e.size, ErrCorrupt)
	}
	return nil
}

// packed returns the object at an offset of a pack, not yet verified.
func (g *Git) packed(p *pack, off int64) (ObjectKind, []byte, error) {
	type step struct {
		off int64
		e   packEntry
	}
	var room [64]step
	chain := room[:0]
	var kind ObjectKind
	var data []byte
	for at := off; ; {
		if it := g.bases.get(p.number, at); it != nil {
			kind, data = it.kind, it.data
			break
		}
		e, err := g.entry(p, at)
		if err != nil {
			return 0, nil, err
		}
		if err := g.plausible(p, e); err != nil {
			return 0, nil, err
		}
		if !e.kind.isDelta() {
			kind = ObjectKind(e.kind)
			data = make([]byte, e.size)
			if err := g.unpack(data, p, e.data); err != nil {
				return 0, nil, err
			}
			// Walks through history read each commit once, and few are bases.
			if kind != ObjectCommit || len(chain) > 0 {
				g.bases.put(p.number, at, kind, data)
			}
			break
		}
		if len(chain) == maxDeltaDepth {
			return 0, nil, fmt.Errorf("%s at %d: a chain of more than %d deltas, or a circle: %w", p.name, off, maxDeltaDepth, ErrLimit)
		}
		chain = append(chain, step{at, e})
		at = e.base
	}
	done := int64(0)
	for i, s := range slices.Backward(chain) {
		// Of few objects that lie far apart, the other version of the one that is
		// wanted may be the next base; those further down are made and forgotten.
		passing := g.dirs.opts.Scattered && i >= 2
		var room []byte
		if passing {
			room = g.passing[i%2]
		}
		made, err := g.patch(p, s.e, data, room)
		if err != nil {
			return 0, nil, err
		}
		data = made
		if passing {
			g.passing[i%2] = made
		} else {
			g.bases.put(p.number, s.off, kind, data)
		}
		if done += int64(len(data)) + s.e.size; done > maxDeltaWork {
			return 0, nil, fmt.Errorf("%s at %d: deltas of more than %d bytes: %w", p.name, off, int64(maxDeltaWork), ErrLimit)
		}
	}
	return kind, data, nil
}

// patch makes the object that a delta makes of its base, in room if it fits.
func (g *Git) patch(p *pack, e packEntry, base, room []byte) ([]byte, error) {
	ops, size, err := g.readDelta(p, e, int64(len(base)))
	if err != nil {
		return nil, err
	}
	var made []byte
	if int64(cap(room)) >= size && room != nil {
		made = room[:size]
	} else {
		made = make([]byte, size, size+size/8)
	}
	if err := applyDelta(made, base, ops); err != nil {
		return nil, fmt.Errorf("%s at %d: %w", p.name, e.data, err)
	}
	g.work += size
	return made, nil
}

// readDelta returns the instructions of a delta, valid until the next call, and
// the size of what they make.
func (g *Git) readDelta(p *pack, e packEntry, base int64) (ops []byte, size int64, err error) {
	if int64(cap(g.delta)) < e.size {
		g.delta = make([]byte, max(e.size, 4096))
	}
	delta := g.delta[:e.size]
	if cap(g.delta) > streamFrom {
		g.delta = nil // large ones are rare; none is kept
	}
	if err := g.unpack(delta, p, e.data); err != nil {
		return nil, 0, err
	}
	want, size, ops, err := deltaSizes(delta)
	if err == nil && want != base {
		err = fmt.Errorf("a delta is for a base of %d bytes, not %d: %w", want, base, ErrCorrupt)
	}
	if err == nil && size > g.maxObject {
		err = fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s at %d: %w", p.name, e.data, err)
	}
	return ops, size, nil
}

// packedSize returns what packed would, but only its size.
func (g *Git) packedSize(p *pack, off int64) (ObjectKind, int64, error) {
	size := int64(-1)
	for depth := 0; depth <= maxDeltaDepth; depth++ {
		if it := g.bases.get(p.number, off); it != nil {
			if size < 0 {
				size = int64(len(it.data))
			}
			return it.kind, size, nil
		}
		e, err := g.entry(p, off)
		if err != nil {
			return 0, 0, err
		}
		if !e.kind.isDelta() {
			if size < 0 {
				size = e.size
			}
			return ObjectKind(e.kind), size, nil
		}
		if size < 0 {
			var head [20]byte
			src, err := g.raw(p, e.data, 512)
			if err != nil {
				return 0, 0, err
			}
			n, _, err := g.inflate.zlib(head[:min(e.size, int64(len(head)))], src)
			if err != nil && !errors.Is(err, errOutputFull) && !errors.Is(err, errInputShort) {
				return 0, 0, fmt.Errorf("%s at %d: %w: %w", p.name, off, ErrCorrupt, err)
			}
			if _, size, _, err = deltaSizes(head[:n]); err != nil {
				return 0, 0, err
			}
		}
		off = e.base
	}
	return 0, 0, fmt.Errorf("%s at %d: a chain of more than %d deltas, or a circle: %w", p.name, off, maxDeltaDepth, ErrLimit)
}

// prefixed calls add for the ids that begin with the digits, as the half bytes of
// low up to those of high.
func (p *pack) prefixed(g *Git, low, high ObjectID, add func(ObjectID) bool) error {
	if p.open(g) != nil {
		return nil
	}
	var failed error
	first := sort.Search(p.count, func(i int) bool {
		id, err := p.id(g, i)
		if err != nil {
			failed = err
		}
		return id.Compare(low) >= 0
	})
	for i := first; i < p.count && failed == nil; i++ {
		id, err := p.id(g, i)
		if err != nil {
			return err
		}
		if id.Compare(high) > 0 || !add(id) {
			break
		}
	}
	return failed
}
