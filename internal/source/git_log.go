package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Bounds of a Log.
const (
	maxLogCommits = 4_000_000
	maxLogTips    = 4_000_000
	// maxLogEntries bounds the entries of trees that are compared for one log:
	// ten times what the history of a large kernel takes.
	maxLogEntries = 4 << 30
)

// LogCommit is a commit of a Log.
type LogCommit struct {
	ID, Tree ObjectID
	// Time is the committer's, in seconds since 1970. Order is Time, or one more
	// than the greatest Order of the parents if that is more: what git calls the
	// corrected commit date. It depends on the commit's own history alone, so that
	// two logs agree on it.
	Time, Order int64
	parents     []ObjectID // the trees of the parents
}

// Log is a part of the history with what each commit brought in.
type Log struct {
	// Commits are in the order of their Order, and of their ids where that is
	// equal: no commit comes before one of its ancestors.
	Commits []LogCommit
	// Met are those of the known stops that the walk from the tips came to.
	Met map[ObjectID]bool
	// Cut is set where the history goes on beyond what the clone has.
	Cut bool

	g    *Git
	left int64
	// The trees read last, and those before them.
	trees, older map[ObjectID]*logTree
	size         int
}

// LogStop is a commit of a log that was read before.
type LogStop struct {
	ID   ObjectID
	Time int64
}

// Log gathers the commits that are reachable from the first ids and not from those
// in stop or known, the oldest first. Orders names the Order of commits outside of
// the log where that is not their Time. Commits that cannot be read are given to bad, which
// may return nil to go on without them and what lies below.
//
// It takes 300 bytes of memory for each commit.
func (g *Git) Log(from, stop []ObjectID, known []LogStop, orders map[ObjectID]int64, bad func(id ObjectID, err error) error) (*Log, error) {
	h := g.newHistory()
	l := &Log{Met: make(map[ObjectID]bool), g: g, left: maxLogEntries}
	var nodes []CommitNode
	err := h.commits(from, stop, known, bad, func(c CommitNode) bool {
		nodes = append(nodes, c)
		return len(nodes) <= maxLogCommits
	})
	if err != nil {
		return nil, err
	}
	if len(nodes) > maxLogCommits {
		return nil, fmt.Errorf("more than %d commits: %w", maxLogCommits, ErrLimit)
	}
	for _, s := range known {
		if c := h.seen[s.ID]; c.flags&fromA != 0 {
			l.Met[s.ID] = true
		}
	}
	l.Cut = h.cut
	slices.Reverse(nodes)
	at := make(map[ObjectID]int64, len(nodes))
	l.Commits = make([]LogCommit, 0, len(nodes))
	for _, n := range nodes {
		c := LogCommit{ID: n.ID, Tree: n.Tree, Time: n.Time, Order: n.Time}
		for _, id := range n.Parents {
			p := h.seen[id]
			if p == nil {
				continue
			}
			order, own := at[id]
			if !own {
				if order, own = orders[id]; !own {
					order = p.Time
				}
			}
			c.Order = max(c.Order, order+1)
			if err := h.read(p); err != nil {
				if err = bad(id, err); err != nil {
					return nil, err
				}
				continue
			}
			c.parents = append(c.parents, p.Tree)
		}
		at[n.ID] = c.Order
		l.Commits = append(l.Commits, c)
	}
	slices.SortFunc(l.Commits, func(a, b LogCommit) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), a.ID.Compare(b.ID))
	})
	return l, nil
}

// Introduced calls visit for each file, link and submodule that a commit of the log
// has and that none of its parents has at the same path with the same content, until
// visit returns an error, which Introduced returns. A merge has those that no side
// brought, and the first commit all. Folders that cannot be read are given to bad,
// which may return nil to go on.
func (l *Log) Introduced(commit int, visit func(TreeFile) error, bad func(path string, err error) error) error {
	c := &l.Commits[commit]
	d := introduction{Log: l, left: min(l.left, int64(l.g.maxEntries)), visit: visit, bad: bad}
	l.left -= d.left
	err := d.folder(c.Tree, c.parents, "", "", 0)
	l.left += max(d.left, 0)
	return err
}

type introduction struct {
	*Log
	left  int64
	visit func(TreeFile) error
	bad   func(string, error) error
}

func (d *introduction) folder(tree ObjectID, parents []ObjectID, prefix, unsafe string, depth int) error {
	if slices.Contains(parents, tree) {
		return nil
	}
	after, err := d.tree(tree)
	if err == nil && (depth > maxTreeDepth || len(prefix) > maxTreePath) {
		err = fmt.Errorf("folders in folders: %w", ErrLimit)
	}
	if err != nil {
		return d.bad(prefix, err)
	}
	before := make([]*logTree, 0, len(parents))
	for _, id := range parents {
		t, err := d.tree(id)
		if err != nil {
			t = new(logTree) // more counts as new
		}
		before = append(before, t)
	}
	if len(before) == 1 && after.why == "" && before[0].why == "" {
		return d.pair(after, before[0], prefix, unsafe, depth)
	}
	return d.merge(after, before, prefix, unsafe, depth)
}

// pair compares a tree with the one before it, both in git's order. Most of their
// bytes are the same: they are skipped without a look at what they mean.
func (d *introduction) pair(after, before *logTree, prefix, unsafe string, depth int) error {
	y, x := treeIter{after.data, d.g.hash}, treeIter{before.data, d.g.hash}
	for ends := 0; len(y.b) > 0; ends++ {
		skipEqual(&y, &x, d.g.hash)
		if ends < 16 && bytes.Equal(y.b, x.b) {
			return nil
		}
		if len(y.b) == 0 {
			return nil
		}
		if d.left--; d.left < 0 {
			return d.bad(prefix, errLogEntries)
		}
		e, err := nextEntry(&y)
		if err != nil {
			return d.bad(prefix, err)
		}
		var was rawEntry
		for len(x.b) > 0 {
			at := x
			f, err := nextEntry(&x)
			if err != nil {
				return d.bad(prefix, err)
			}
			c := f.compare(e)
			if c > 0 {
				x = at
				break
			}
			if c == 0 {
				was = f
				break
			}
		}
		if was.id != nil && was.mode&IndexKind == e.mode&IndexKind && bytes.Equal(was.id, e.id) {
			continue
		}
		var id ObjectID
		if was.id != nil {
			id = idOf(was.id)
		}
		if err := d.entry(e, []ObjectID{id}, prefix, unsafe, depth); err != nil {
			return err
		}
	}
	return nil
}

var errLogEntries = fmt.Errorf("too many entries in the trees of history: %w", ErrLimit)

func nextEntry(it *treeIter) (rawEntry, error) {
	name, mode, id, _, err := it.next()
	return rawEntry{name, id, mode}, err
}

// skipEqual moves both over the entries that they begin with in common.
func skipEqual(y, x *treeIter, hash int) {
	n := min(len(y.b), len(x.b))
	same := 0
	for step := 256; same < n; {
		k := min(step, n-same)
		if bytes.Equal(y.b[same:same+k], x.b[same:same+k]) {
			same += k
			step = min(2*step, 4096)
			continue
		}
		if step == 16 {
			break
		}
		step = max(step/4, 16)
	}
	at := 0
	for at < same {
		end := bytes.IndexByte(y.b[at:same], 0)
		if end < 0 || at+end+1+hash > same {
			break
		}
		at += end + 1 + hash
	}
	y.b, x.b = y.b[at:], x.b[at:]
}

// merge compares a tree with any number of trees before it.
func (d *introduction) merge(after *logTree, trees []*logTree, prefix, unsafe string, depth int) error {
	side := after.side(d.g.hash)
	before := make([]*treeSide, 0, len(trees))
	for _, t := range trees {
		before = append(before, t.side(d.g.hash))
	}
	for ; side.ok; side.next() {
		if d.left--; d.left < 0 {
			return d.bad(prefix, errLogEntries)
		}
		known := false
		below := make([]ObjectID, 0, len(before))
		for _, s := range before {
			for s.ok && s.compare(side.rawEntry) < 0 {
				s.next()
			}
			var id ObjectID
			if s.ok && s.compare(side.rawEntry) == 0 {
				known = known || s.mode&IndexKind == side.mode&IndexKind && bytes.Equal(s.id, side.id)
				id = idOf(s.id)
			}
			below = append(below, id)
		}
		if known {
			continue
		}
		if err := d.entry(side.rawEntry, below, prefix, cmp.Or(unsafe, side.unsafe), depth); err != nil {
			return err
		}
	}
	return nil
}

// entry visits what is new, and below a folder what is new in it.
func (d *introduction) entry(raw rawEntry, before []ObjectID, prefix, unsafe string, depth int) error {
	e := TreeEntry{Name: string(raw.name), Mode: raw.mode, ID: idOf(raw.id)}
	why := cmp.Or(unsafe, e.Hazard())
	if e.Kind() == IndexFolder {
		return d.folder(e.ID, before, prefix+e.Name+"/", why, depth+1)
	}
	return d.visit(TreeFile{Path: prefix + e.Name, TreeEntry: e, Unsafe: why})
}

// logTree is a tree that was read and checked.
type logTree struct {
	data []byte
	why  string // it is not in order
}

func (t *logTree) side(hash int) *treeSide {
	s := &treeSide{it: treeIter{t.data, hash}, unsafe: t.why}
	if t.why != "" {
		s.sort()
	}
	s.next()
	return s
}

// maxLogTrees bounds what is kept of trees, in bytes: each commit's trees are those
// that the next one is compared with.
const maxLogTrees = 16 << 20

// tree reads a tree; the zero id stands for an empty one.
func (l *Log) tree(id ObjectID) (*logTree, error) {
	if id.IsZero() {
		return new(logTree), nil
	}
	if t := l.trees[id]; t != nil {
		return t, nil
	}
	t := l.older[id]
	if t == nil {
		s, err := l.g.side(id)
		if err != nil {
			return nil, err
		}
		t = &logTree{data: s.data, why: s.unsafe}
	}
	if l.size += len(t.data) + 100; l.trees == nil || l.size > maxLogTrees/2 {
		l.older, l.trees, l.size = l.trees, make(map[ObjectID]*logTree), 0
	}
	l.trees[id] = t
	return t, nil
}

// Tag is an annotated tag and the commit that it leads to, or the known tag.
type Tag struct{ ID, Commit ObjectID }

// Tips are the commits that all refs and HEAD lead to, and the annotated tags on the
// way, each once and in no given order. What is known, commit or tag, is in same and
// not read. Refs that lead to something else than a commit are passed over; those that
// cannot be read are given to bad.
func (g *Git) Tips(known func(ObjectID) bool, bad func(name string, err error)) (commits []ObjectID, tags []Tag, same []ObjectID, err error) {
	met := make(map[ObjectID]ObjectID) // to the commit or known tag at the end
	full := false
	follow := func(r Ref) error {
		var way []ObjectID
		id, end := r.ID, ObjectID{}
		defer func() {
			for _, t := range way {
				if met[t] = end; !end.IsZero() {
					tags = append(tags, Tag{t, end})
				}
			}
		}()
		for range maxPeel {
			if id.IsZero() {
				return nil
			}
			if was, again := met[id]; again {
				end = was
				return nil
			}
			if known(id) {
				same = append(same, id)
				met[id], end = id, id
				return nil
			}
			kind, data, err := g.Get(id)
			if err != nil {
				return err
			}
			switch kind {
			case ObjectCommit:
				commits = append(commits, id)
				met[id], end = id, id
				return nil
			case ObjectTag:
				way = append(way, id)
				if id, _, err = parseTagTarget(data, g.hash); err != nil {
					return err
				}
			default:
				met[id] = ObjectID{}
				return nil
			}
		}
		return fmt.Errorf("tags of tags: %w", ErrLimit)
	}
	err = g.Refs(func(r Ref) bool {
		full = len(met) >= maxLogTips
		if !full {
			if err := follow(r); err != nil {
				bad(r.Name, err)
			}
		}
		return !full
	})
	if full {
		err = errors.Join(err, fmt.Errorf("refs: %w", ErrLimit))
	}
	return commits, tags, same, err
}

// TextOf cuts the message out of a commit or tag.
func TextOf(data []byte) []byte {
	_, message, _ := bytes.Cut(data, []byte("\n\n"))
	return message
}
