package source

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kinds of IndexEntry.Mode, which also holds the permission bits of files.
const (
	IndexFile      = 0o100000
	IndexSymlink   = 0o120000
	IndexSubmodule = 0o160000
	// IndexFolder is a folder of a sparse checkout: everything below is tracked
	// and nothing of it should be in the work tree. Its path ends in a slash.
	IndexFolder = 0o040000
	// IndexKind masks the kind.
	IndexKind = 0o170000
)

// IndexEntry is one path that git tracks.
type IndexEntry struct {
	Path string
	Mode uint32
	// ID is what is staged for the path.
	ID ObjectID
	// Intent is set where only the intent to add the path is staged, and nothing
	// of it (git add -N).
	Intent bool
	// Mtime and Ctime, in nanoseconds, and the low 32 bits of Size and Inode are
	// those of the file when ID was taken from it.
	Mtime, Ctime int64
	Size, Inode  uint32
	// Sparse is set where git leaves the file out of the work tree on purpose.
	Sparse bool
}

// Bounds of an index, beside that of its bytes: names in version 4 are written as
// changes of the one before and could grow without end.
const (
	maxIndexName  = 1 << 16
	maxIndexNames = 256 << 20
)

// ErrSplitIndex is returned by ParseIndex for an index that needs another file.
var ErrSplitIndex = errors.New("a split index")

// ParseIndex reads the bytes of git's index, versions 2 to 4, of SHA-1 and
// SHA-256 repositories, and returns its entries sorted by path, each path once
// (the stages of a conflict are one). The checksum is verified unless git was told
// to leave it out. The format is in gitformat-index(5).
//
// A split index, which `git update-index --split-index` makes, is the error
// ErrSplitIndex: see ParseSplitIndex.
func ParseIndex(b []byte) ([]IndexEntry, error) { return ParseSplitIndex(b, nil) }

// ParseSplitIndex is ParseIndex for an index that may be split: shared returns the
// bytes of a file beside it, whose name is "sharedindex." and hex digits.
func ParseSplitIndex(b []byte, shared func(name string) ([]byte, error)) ([]IndexEntry, error) {
	x, err := parseIndex(b)
	if err != nil {
		return nil, err
	}
	if x.base == nil {
		if slices.ContainsFunc(x.entries, func(e IndexEntry) bool { return e.Path == "" }) {
			return nil, errors.New("an entry has no name")
		}
		return x.sorted(), nil
	}
	if shared == nil {
		return nil, ErrSplitIndex
	}
	name := "sharedindex." + hex.EncodeToString(x.base)
	b, err = shared(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	base, err := parseIndex(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if base.base != nil {
		return nil, fmt.Errorf("%s is itself split", name)
	}
	if err := x.merge(base); err != nil {
		return nil, err
	}
	return x.sorted(), nil
}

// index is one file as parsed.
type index struct {
	entries []IndexEntry
	// base names the shared index, nil if there is none.
	base              []byte
	deleted, replaced []uint64 // bitmaps over the entries of the shared index
}

// sorted puts the entries in order, and once each: later ones count.
func (x *index) sorted() []IndexEntry {
	byPath := func(a, b IndexEntry) int { return strings.Compare(a.Path, b.Path) }
	if !slices.IsSortedFunc(x.entries, byPath) {
		slices.SortStableFunc(x.entries, byPath)
	}
	kept := x.entries[:0]
	for i, e := range x.entries {
		if i+1 < len(x.entries) && x.entries[i+1].Path == e.Path {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// merge applies x, which is the difference, to the shared index: first the entries
// without a name, one for each replaced position, then those that are new.
func (x *index) merge(base *index) error {
	own := x.entries
	x.entries = make([]IndexEntry, 0, len(base.entries)+len(own))
	for i, e := range base.entries {
		if bit(x.deleted, i) {
			continue
		}
		if bit(x.replaced, i) {
			if len(own) == 0 || own[0].Path != "" {
				return errors.New("the split index replaces more than it holds")
			}
			own[0].Path = e.Path
			e, own = own[0], own[1:]
		}
		if e.Path == "" {
			return errors.New("an entry of the shared index has no name")
		}
		x.entries = append(x.entries, e)
	}
	for _, e := range own {
		if e.Path == "" {
			return errors.New("the split index replaces what its base does not hold")
		}
		x.entries = append(x.entries, e)
	}
	return nil
}

func bit(set []uint64, i int) bool { return i>>6 < len(set) && set[i>>6]&(1<<(i&63)) != 0 }

func parseIndex(b []byte) (*index, error) {
	const header = 12
	if len(b) < header+sha1.Size || string(b[:4]) != "DIRC" {
		return nil, errors.New("not an index file")
	}
	version, count := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("index version %d is not known", version)
	}
	hash, err := indexHash(b)
	if err != nil {
		return nil, err
	}
	x := new(index)
	rest, err := x.parseEntries(b[header:len(b)-hash], version, count, hash)
	if err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		if len(rest) < 8 {
			return nil, errors.New("an extension is cut short")
		}
		name, size := string(rest[:4]), binary.BigEndian.Uint32(rest[4:])
		if uint64(size) > uint64(len(rest)-8) {
			return nil, fmt.Errorf("extension %q is cut short", name)
		}
		body := rest[8 : 8+size]
		rest = rest[8+size:]
		switch {
		case name == "link":
			if err := x.parseLink(body, hash); err != nil {
				return nil, fmt.Errorf("extension link: %w", err)
			}
		case name == "sdir": // sparse folders; the entries show them
		case name[0] < 'A' || name[0] > 'Z':
			return nil, fmt.Errorf("extension %q is not known and not optional", name)
		}
	}
	return x, nil
}

// indexHash tells the size of the repository's hashes from the checksum at the
// end, which it verifies. An all-zero one is git's index.skipHash; that setting
// leaves the two formats to be told apart by their first entry.
func indexHash(b []byte) (int, error) {
	body, sum := b[:len(b)-sha1.Size], b[len(b)-sha1.Size:]
	if want := sha1.Sum(body); bytes.Equal(sum, want[:]) {
		return sha1.Size, nil
	}
	zero := len(bytes.Trim(sum, "\x00")) == 0
	if len(b) < 12+sha256.Size {
		if zero {
			return sha1.Size, nil
		}
		return 0, errors.New("the checksum is wrong")
	}
	body, sum = b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); bytes.Equal(sum, want[:]) {
		return sha256.Size, nil
	}
	if !zero {
		return 0, errors.New("the checksum is wrong")
	}
	if len(bytes.Trim(sum, "\x00")) > 0 {
		return sha1.Size, nil
	}
	x := new(index)
	version, count := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if _, err := x.parseEntries(b[12:len(b)-sha1.Size], version, count, sha1.Size); err == nil {
		return sha1.Size, nil
	}
	return sha256.Size, nil
}

// parseEntries reads the entries and returns what follows them.
func (x *index) parseEntries(b []byte, version, count uint32, hash int) (rest []byte, err error) {
	const (
		modeAt    = 24
		extended  = 0x4000
		sparse    = 0x4000 // in the extended flags
		intent    = 0x2000
		nameMask  = 0x0fff
		alignment = 8
	)
	fixed := 40 + hash + 2 // stat data, object name, flags
	if uint64(count)*uint64(fixed+2) > uint64(len(b)) {
		return nil, fmt.Errorf("%d entries do not fit in %d bytes", count, len(b))
	}
	x.entries = make([]IndexEntry, count)
	ends := make([]int, count) // of each name in names
	var names []byte
	prev := 0 // where the name before begins
	for i := range x.entries {
		if len(b) < fixed {
			return nil, fmt.Errorf("entry %d is cut short", i)
		}
		e := &x.entries[i]
		e.Mode = binary.BigEndian.Uint32(b[modeAt:])
		switch e.Mode & IndexKind {
		case IndexFile, IndexSymlink, IndexSubmodule, IndexFolder:
		default:
			return nil, fmt.Errorf("entry %d has the unknown mode %o", i, e.Mode)
		}
		e.ID = idOf(b[40 : 40+hash])
		e.Ctime, e.Mtime = indexTime(b), indexTime(b[8:])
		e.Inode, e.Size = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint32(b[36:])
		flags := binary.BigEndian.Uint16(b[fixed-2:])
		at := fixed
		if flags&extended != 0 {
			if version < 3 || len(b) < fixed+2 {
				return nil, fmt.Errorf("entry %d has flags that version %d does not know", i, version)
			}
			more := binary.BigEndian.Uint16(b[fixed:])
			e.Sparse, e.Intent = more&sparse != 0, more&intent != 0
			at += 2
		}
		start := len(names)
		if version == 4 {
			strip, n := indexVarint(b[at:])
			if n == 0 || strip > uint64(start-prev) {
				return nil, fmt.Errorf("entry %d has a damaged name", i)
			}
			at += n
			names = append(names, names[prev:start-int(strip)]...)
		}
		end := bytes.IndexByte(b[at:], 0)
		if end < 0 {
			return nil, fmt.Errorf("the name of entry %d does not end", i)
		}
		names = append(names, b[at:at+end]...)
		size := len(names) - start
		if size > maxIndexName || len(names) > maxIndexNames {
			return nil, errors.New("names are too long")
		}
		if claimed := int(flags & nameMask); claimed < nameMask && claimed != size {
			return nil, fmt.Errorf("entry %d claims a name of %d bytes and has %d", i, claimed, size)
		}
		at += end + 1
		if version < 4 {
			at = (at + alignment - 1) &^ (alignment - 1)
		}
		if at > len(b) {
			return nil, fmt.Errorf("entry %d is cut short", i)
		}
		prev, ends[i] = start, len(names)
		b = b[at:]
	}
	all := string(names)
	start := 0
	for i, end := range ends {
		x.entries[i].Path = all[start:end]
		start = end
	}
	return b, nil
}

func indexTime(b []byte) int64 {
	return int64(binary.BigEndian.Uint32(b))*1e9 + int64(binary.BigEndian.Uint32(b[4:]))
}

// Clean reports whether a file with the stat still has the bytes that are staged,
// as git itself concludes it: nothing of the stat changed, and it is older than
// the index. Who writes an index elsewhere, into an archive say, cannot know the
// inode and the time of change that the file will have here.
func (e *IndexEntry) Clean(st Stat, indexTime int64) bool {
	return e.Mode&IndexKind == IndexFile && !e.Intent && e.Ctime != 0 && e.Inode != 0 &&
		e.Mtime == st.Mtime && e.Ctime == st.Ctime && e.Inode == uint32(st.Inode) && e.Size == uint32(st.Size) &&
		e.Mtime < indexTime && e.Ctime < indexTime
}

// indexVarint reads git's offset encoding; n is 0 if it is damaged.
func indexVarint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 9 {
		c := b[n]
		v = v<<7 | uint64(c&0x7f)
		n++
		if c&0x80 == 0 {
			return v, n
		}
		v++
	}
	return 0, 0
}

// parseLink reads the extension of a split index: the shared index, and which of
// its entries are deleted and replaced.
func (x *index) parseLink(b []byte, hash int) (err error) {
	if len(b) < hash {
		return errors.New("cut short")
	}
	if base := b[:hash]; len(bytes.Trim(base, "\x00")) > 0 {
		x.base = bytes.Clone(base)
	}
	if b = b[hash:]; len(b) == 0 {
		return nil
	}
	if x.deleted, b, err = parseEWAH(b); err != nil {
		return err
	}
	x.replaced, _, err = parseEWAH(b)
	return err
}

// maxBitmap bounds a bitmap, in words; more entries than these would make an index
// over its size bound.
const maxBitmap = 1 << 17

// parseEWAH expands a bitmap in the EWAH format of git: the number of bits, the
// number of words, the words (runs of equal words, each followed by literal ones),
// and the place of the last run, which only writers need.
func parseEWAH(b []byte) (set []uint64, rest []byte, err error) {
	if len(b) < 8 {
		return nil, nil, errors.New("a bitmap is cut short")
	}
	n := uint64(binary.BigEndian.Uint32(b[4:]))
	b = b[8:]
	if n*8+4 > uint64(len(b)) {
		return nil, nil, errors.New("a bitmap is cut short")
	}
	words := b[:n*8]
	rest = b[n*8+4:]
	for len(words) > 0 {
		run := binary.BigEndian.Uint64(words)
		words = words[8:]
		same, literal := run>>1&(1<<32-1), run>>33
		if literal*8 > uint64(len(words)) || same+literal+uint64(len(set)) > maxBitmap {
			return nil, nil, errors.New("a bitmap is damaged")
		}
		word := -(run & 1)
		for range same {
			set = append(set, word)
		}
		for range literal {
			set = append(set, binary.BigEndian.Uint64(words))
			words = words[8:]
		}
	}
	return set, rest, nil
}
