package scan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/source"
)

// What one run leaves for the next: the commits that it read up to, the flaws that it
// found, each with its first commit, and of every version of a file a short hash, so
// that totals stay true. The next run walks what is new, and looks at the flaws'
// paths in the commit that is checked out. The parent writes the file, the worker
// reads it through a descriptor, as with the cache of a folder's files.

const seenMagic = "penstock history 2\n"

// seenSet is what an earlier run knows. A nil one knows nothing.
type seenSet struct {
	tips   []source.LogStop
	tags   map[source.ObjectID]source.ObjectID // annotated tags, to their commits
	skew   map[source.ObjectID]int64           // orders that are not the time
	pairs  []uint64                            // hashes, sorted
	flaws  []seenFlaw
	unread []seenUnread
	totals historyTotals
	isTip  map[source.ObjectID]bool
}

// seenFlaw is a flaw at a path.
type seenFlaw struct {
	flaw
	path    string
	commit  commitRef
	records []byte
	// head is the blob that the commit that is checked out had at the path, and
	// present whether it had the flaw.
	head    source.ObjectID
	present bool
}

// seenUnread is a version of a file that could not be read.
type seenUnread struct {
	commit commitRef
	path   string
	blob   source.ObjectID
	run    bool
}

func (s *seenSet) knows(id source.ObjectID) bool {
	if s == nil {
		return false
	}
	_, tag := s.tags[id]
	return tag || s.isTip[id]
}

func (s *seenSet) stops() []source.LogStop {
	if s == nil {
		return nil
	}
	return s.tips
}

func (s *seenSet) orders() map[source.ObjectID]int64 {
	if s == nil {
		return nil
	}
	return s.skew
}

func (s *seenSet) unreads() []seenUnread {
	if s == nil {
		return nil
	}
	return s.unread
}

// commits are those that the set names.
func (s *seenSet) commits() []commitRef {
	if s == nil {
		return nil
	}
	var list []commitRef
	for i := range s.flaws {
		list = append(list, s.flaws[i].commit)
	}
	for i := range s.unread {
		list = append(list, s.unread[i].commit)
	}
	return list
}

// counted reports whether an earlier run counted a version of a file.
func (s *seenSet) counted(hash uint64) bool {
	if s == nil {
		return false
	}
	_, found := slices.BinarySearch(s.pairs, hash)
	return found
}

// pairHash stands for a blob at a path. Two with the same hash are counted as one.
func pairHash(blob source.ObjectID, path string) uint64 {
	sum := sha256.Sum256(append(blob.Bytes(), path...))
	return binary.LittleEndian.Uint64(sum[:])
}

// goOn walks what came since an earlier run. It starts anew where commits went away
// that flaws were put down to.
func (h *history) goOn(tips, same []source.ObjectID) error {
	now := make(map[source.ObjectID]bool)
	for _, id := range tips {
		now[id] = true
	}
	h.same = make(map[source.ObjectID]bool)
	for _, id := range same {
		if commit, tag := h.old.tags[id]; tag {
			id = commit
		}
		now[id], h.same[id] = true, true
	}
	if err := h.walk(tips, nil); err != nil {
		return err
	}
	var lost []source.ObjectID
	for _, s := range h.old.tips {
		if !now[s.ID] && !h.log.Met[s.ID] {
			lost = append(lost, s.ID)
		}
	}
	if len(lost) > 0 && !h.reachable(lost, now) {
		h.old, h.commits, h.log = nil, nil, nil
		h.mu.Lock()
		clear(h.notes)
		h.mu.Unlock()
		var err error
		tips, h.tags, _, err = h.git.Tips(h.old.knows, func(name string, err error) {
			h.note("history-ref", false, "a reference leads to nothing that can be read: %s", detail(err))
		})
		if err != nil {
			return err
		}
		return h.walk(tips, nil)
	}
	// New tags of commits that were read before.
	for i, t := range h.tags {
		if commit, known := h.old.tags[t.Commit]; known {
			t.Commit = commit
			h.tags[i] = t
		}
		if slices.ContainsFunc(h.commits, func(c commitRef) bool { return c.id == t.Commit }) {
			continue
		}
		c, err := h.git.Commit(t.Commit)
		if err != nil {
			continue
		}
		ref := commitRef{id: t.Commit, order: c.Committer.When.Unix(), time: c.Committer.When.Unix()}
		if order, ok := h.old.skew[t.Commit]; ok {
			ref.order = order
		}
		h.commits = append(h.commits, ref)
	}
	h.sortCommits()
	return nil
}

func (h *history) sortCommits() {
	slices.SortFunc(h.commits, func(a, b commitRef) int {
		return cmp.Or(cmp.Compare(a.order, b.order), a.id.Compare(b.id))
	})
	h.commits = slices.CompactFunc(h.commits, func(a, b commitRef) bool { return a.id == b.id })
}

// reachable reports whether all commits that the earlier run names can still be
// reached although references went away. Versions of files that no commit has any more
// stay counted.
func (h *history) reachable(lost []source.ObjectID, now map[source.ObjectID]bool) bool {
	named := make(map[source.ObjectID]bool)
	for _, c := range h.old.commits() {
		named[c.id] = true
	}
	var tips []source.ObjectID
	for id := range now {
		tips = append(tips, id)
	}
	all := true
	gone := 0
	err := h.git.Commits(lost, tips, func(c source.CommitNode) bool {
		all = !named[c.ID]
		gone++
		return all
	})
	h.old.totals.Commits -= gone
	return err == nil && all
}

// remember encodes what the next run may build on, nil for nothing: what was not read
// this time must be tried again.
func (h *history) remember() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut || h.totals.Unread > 0 || h.stop() {
		return nil
	}
	for n := range h.notes {
		if n.Incomplete {
			return nil
		}
	}
	s := &seenSet{tags: make(map[source.ObjectID]source.ObjectID), skew: make(map[source.ObjectID]int64), totals: h.totals}
	times := make(map[source.ObjectID]int64)
	for _, c := range h.commits {
		times[c.id] = c.time
		if c.time != c.order {
			s.skew[c.id] = c.order
		}
	}
	for _, id := range h.start {
		s.tips = append(s.tips, source.LogStop{ID: id, Time: times[id]})
	}
	if h.old != nil {
		for _, t := range h.old.tips {
			if h.same[t.ID] {
				s.tips = append(s.tips, t)
			}
		}
		for id, order := range h.old.skew {
			s.skew[id] = order
		}
		for id, commit := range h.old.tags {
			s.tags[id] = commit
		}
		s.pairs = h.old.pairs
	}
	for _, t := range h.tags {
		s.tags[t.ID] = t.Commit
	}
	failed := make(map[int32]bool)
	for _, u := range h.unread {
		if failed[u.pair] {
			continue
		}
		failed[u.pair] = true
		pr := &h.pairs[u.pair]
		s.unread = append(s.unread, seenUnread{h.commits[pr.commit], h.paths[pr.path], h.blobs[pr.blob], pr.run})
	}
	for key, at := range h.have {
		path := int32(key & 0xffffffff)
		if !h.skipped[path] && failed[at] {
			continue
		}
		s.pairs = append(s.pairs, pairHash(h.blobs[key>>32], h.paths[path]))
	}
	slices.Sort(s.pairs)
	s.pairs = slices.Compact(s.pairs)
	for key, f := range h.found {
		records, err := encodeRecords(f.records())
		if err != nil {
			return nil
		}
		s.flaws = append(s.flaws, seenFlaw{key.flaw, h.paths[key.path], h.commits[f.commit], records, f.head, f.present})
	}
	slices.SortFunc(s.flaws, func(a, b seenFlaw) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(string(a.what[:]), string(b.what[:])), boolCompare(a.marked, b.marked))
	})
	return s.append(nil)
}

func (s *seenSet) append(b []byte) []byte {
	number := func(v int64) { b = binary.AppendVarint(b, v) }
	id := func(x source.ObjectID) { b = appendString(b, string(x.Bytes())) }
	ref := func(c commitRef) { id(c.id); number(c.order); number(c.time) }
	flag := func(v bool) {
		if v {
			number(1)
		} else {
			number(0)
		}
	}
	slices.SortFunc(s.tips, func(a, b source.LogStop) int { return a.ID.Compare(b.ID) })
	number(int64(len(s.tips)))
	for _, t := range s.tips {
		id(t.ID)
		number(t.Time)
	}
	number(int64(len(s.tags)))
	for _, t := range sortedIDs(s.tags) {
		id(t)
		id(s.tags[t])
	}
	number(int64(len(s.skew)))
	for _, c := range sortedIDs(s.skew) {
		id(c)
		number(s.skew[c])
	}
	number(int64(len(s.pairs)))
	for _, p := range s.pairs {
		b = binary.LittleEndian.AppendUint64(b, p)
	}
	number(int64(len(s.flaws)))
	for i := range s.flaws {
		f := &s.flaws[i]
		b = append(b, f.what[:]...)
		flag(f.marked)
		b = appendString(b, f.path)
		ref(f.commit)
		b = appendString(b, string(f.records))
		id(f.head)
		flag(f.present)
	}
	number(int64(len(s.unread)))
	for _, u := range s.unread {
		ref(u.commit)
		b = appendString(b, u.path)
		id(u.blob)
		flag(u.run)
	}
	t := &s.totals
	for _, n := range []int64{int64(t.Commits), int64(t.Files), int64(t.Scanned), int64(t.Excluded), t.Bytes} {
		number(n)
	}
	number(int64(len(t.ByReason)))
	for _, r := range sortedKeys(t.ByReason) {
		b = appendString(b, string(r))
		number(int64(t.ByReason[r]))
	}
	number(int64(len(t.ByEngine)))
	for _, e := range sortedKeys(t.ByEngine) {
		b = appendString(b, e)
		number(int64(t.ByEngine[e]))
	}
	return b
}

func sortedIDs[V any](m map[source.ObjectID]V) []source.ObjectID {
	ids := make([]source.ObjectID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, source.ObjectID.Compare)
	return ids
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// loadSeen reads a file that the parent has checked; nil if it cannot be.
func loadSeen(f *os.File) *seenSet {
	defer f.Close()
	text, err := readCache(f)
	if err != nil || len(text) < len(seenMagic)+sha256.Size {
		return nil
	}
	s, err := decodeSeen(text[len(seenMagic)+sha256.Size:])
	if err != nil {
		return nil
	}
	return s
}

func decodeSeen(text string) (*seenSet, error) {
	r := unitReader{s: text}
	number := func() int64 {
		v := r.uvarint()
		return int64(v>>1) ^ -int64(v&1)
	}
	each := func(do func()) {
		for n := number(); n > 0 && r.err == nil; n-- {
			do()
		}
	}
	id := func() source.ObjectID {
		raw := r.string()
		if raw == "" {
			return source.ObjectID{}
		}
		x, ok := source.ObjectIDOf([]byte(raw))
		if !ok {
			r.err, r.s = errFrame, ""
		}
		return x
	}
	ref := func() commitRef { return commitRef{id(), number(), number()} }
	s := &seenSet{
		tags: make(map[source.ObjectID]source.ObjectID), skew: make(map[source.ObjectID]int64), isTip: make(map[source.ObjectID]bool),
		totals: historyTotals{ByReason: make(map[penstock.Reason]int), ByEngine: make(map[string]int)},
	}
	each(func() {
		t := source.LogStop{ID: id(), Time: number()}
		s.tips = append(s.tips, t)
		s.isTip[t.ID] = true
	})
	each(func() {
		tag := id()
		s.tags[tag] = id()
	})
	each(func() {
		c := id()
		s.skew[c] = number()
	})
	each(func() {
		if p := r.take(8); len(p) == 8 {
			s.pairs = append(s.pairs, binary.LittleEndian.Uint64([]byte(p)))
		}
	})
	each(func() {
		var f seenFlaw
		copy(f.what[:], r.take(16))
		f.marked = number() != 0
		f.path = r.string()
		f.commit = ref()
		f.records = []byte(r.string())
		f.head = id()
		f.present = number() != 0
		s.flaws = append(s.flaws, f)
	})
	each(func() {
		s.unread = append(s.unread, seenUnread{ref(), r.string(), id(), number() != 0})
	})
	t := &s.totals
	t.Commits, t.Files, t.Scanned, t.Excluded, t.Bytes = int(number()), int(number()), int(number()), int(number()), number()
	each(func() {
		reason := penstock.Reason(r.string())
		t.ByReason[reason] = int(number())
	})
	each(func() {
		name := r.string()
		t.ByEngine[name] = int(number())
	})
	return s, r.err
}
