package source

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrShallow says that the answer lies in history that was cut off when the
// repository was cloned.
var ErrShallow = errors.New("the clone is shallow: its history ends too early")

// Bounds of trees.
const (
	maxTreeDepth   = 512
	maxTreeEntries = 10_000_000 // visited by one walk: trees can share what they hold
	maxTreePath    = 64 << 10   // bytes
)

// Commit reads a commit.
func (g *Git) Commit(id ObjectID) (*Commit, error) {
	data, err := g.as(id, ObjectCommit)
	if err != nil {
		return nil, err
	}
	c, err := ParseCommit(data, g.hash)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", id, err)
	}
	c.ID = id
	return c, nil
}

func (g *Git) as(id ObjectID, want ObjectKind) ([]byte, error) {
	kind, data, err := g.Get(id)
	if err == nil && kind != want {
		err = fmt.Errorf("object %s is a %s, not a %s: %w", id, kind, want, ErrCorrupt)
	}
	return data, err
}

func (g *Git) commitHead(id ObjectID) (commitHead, error) {
	data, err := g.as(id, ObjectCommit)
	if err != nil {
		return commitHead{}, err
	}
	h, err := parseCommitHead(data, g.hash)
	if err != nil {
		return h, fmt.Errorf("object %s: %w", id, err)
	}
	if g.shallow[id] {
		h.parents = nil
	}
	return h, nil
}

// CommitNode is what the order of history needs of a commit.
type CommitNode struct {
	ID, Tree ObjectID
	Parents  []ObjectID // none where history was cut off
	Time     int64      // of the committer, seconds since 1970
}

// commitInfo is a commit met on a walk.
type commitInfo struct {
	CommitNode
	flags   uint8
	queued  bool
	unread  bool // only id and time are known yet
	waiting int  // children not yet given out
}

const (
	fromA  = 1 << iota // reachable from the first commit
	fromB              // reachable from the second
	stale              // below a common ancestor
	result             // a common ancestor
)

// history are the commits met by one walk.
type history struct {
	g     *Git
	seen  map[ObjectID]*commitInfo
	queue commitQueue
	// cut is set when the walk came to where history was cut off.
	cut bool
}

func (g *Git) newHistory() *history { return &history{g: g, seen: make(map[ObjectID]*commitInfo)} }

func (h *history) get(id ObjectID) (*commitInfo, error) {
	if c := h.seen[id]; c != nil {
		return c, nil
	}
	head, err := h.g.commitHead(id)
	if err != nil {
		return nil, err
	}
	c := &commitInfo{CommitNode: CommitNode{ID: id, Tree: head.tree, Parents: head.parents, Time: signatureTime(head.committer)}}
	h.seen[id] = c
	h.cut = h.cut || h.g.shallow[id]
	return c, nil
}

// read completes a commit of which only id and time were known.
func (h *history) read(c *commitInfo) error {
	if !c.unread {
		return nil
	}
	head, err := h.g.commitHead(c.ID)
	if err != nil {
		return err
	}
	c.unread, c.Tree, c.Parents = false, head.tree, head.parents
	return nil
}

func (h *history) push(c *commitInfo) {
	if !c.queued {
		c.queued = true
		heap.Push(&h.queue, c)
	}
}

func (h *history) pop() *commitInfo {
	c := heap.Pop(&h.queue).(*commitInfo)
	c.queued = false
	return c
}

// commitQueue is a heap, the youngest commit first.
type commitQueue []*commitInfo

func (q commitQueue) Len() int { return len(q) }
func (q commitQueue) Less(i, k int) bool {
	if q[i].Time != q[k].Time {
		return q[i].Time > q[k].Time
	}
	return q[i].ID.Compare(q[k].ID) < 0
}
func (q commitQueue) Swap(i, k int) { q[i], q[k] = q[k], q[i] }
func (q *commitQueue) Push(x any)   { *q = append(*q, x.(*commitInfo)) }
func (q *commitQueue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return c
}

// MergeBase returns the best common ancestors of two commits: those that are not
// ancestors of another one, the youngest first. There is more than one after
// criss-cross merges, and none for histories that have nothing in common; if that
// may be so only because history was cut off, the error is ErrShallow.
//
// It reads the commits down to where the two histories meet. The file commit-graph
// is not used: nothing verifies it, and one that lies could hide changes.
func (g *Git) MergeBase(a, b ObjectID) ([]ObjectID, error) {
	h := g.newHistory()
	found, err := h.common(a, []ObjectID{b})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		if h.cut {
			return nil, fmt.Errorf("no common ancestor of %s and %s: %w", a, b, ErrShallow)
		}
		return nil, nil
	}
	// Clocks that went wrong can leave ancestors of others among them.
	const most = 64
	if len(found) > 1 && len(found) <= most {
		drop := make([]bool, len(found))
		for i := range found {
			var others []ObjectID
			for k := range found {
				if k != i && !drop[k] {
					others = append(others, found[k])
				}
			}
			if len(others) == 0 {
				break
			}
			h := g.newHistory()
			if _, err := h.common(found[i], others); err != nil {
				return nil, err
			}
			drop[i] = h.seen[found[i]].flags&fromB != 0
		}
		kept := found[:0]
		for i, id := range found {
			if !drop[i] {
				kept = append(kept, id)
			}
		}
		found = kept
	}
	return found, nil
}

// common paints what is reachable from a and from any of bs, youngest first, until
// all that is left lies below common ancestors. It is the algorithm of git's
// commit-reach.c.
func (h *history) common(a ObjectID, bs []ObjectID) ([]ObjectID, error) {
	c, err := h.get(a)
	if err != nil {
		return nil, err
	}
	c.flags |= fromA
	h.push(c)
	for _, b := range bs {
		if c, err = h.get(b); err != nil {
			return nil, err
		}
		c.flags |= fromB
		h.push(c)
	}
	var results []*commitInfo
	fresh := 0 // in the queue and not stale
	for _, c := range h.queue {
		if c.flags&stale == 0 {
			fresh++
		}
	}
	for fresh > 0 {
		c := h.pop()
		if c.flags&stale == 0 {
			fresh--
		}
		flags := c.flags & (fromA | fromB | stale)
		if flags == fromA|fromB {
			if c.flags&result == 0 {
				c.flags |= result
				results = append(results, c)
			}
			flags |= stale
		}
		for _, id := range c.Parents {
			p, err := h.get(id)
			if err != nil {
				return nil, err
			}
			if p.flags&flags == flags {
				continue
			}
			was := p.queued && p.flags&stale == 0
			p.flags |= flags
			h.push(p)
			now := p.flags&stale == 0
			switch {
			case was && !now:
				fresh--
			case !was && now:
				fresh++
			}
		}
	}
	results = slices.DeleteFunc(results, func(c *commitInfo) bool { return c.flags&stale != 0 })
	slices.SortFunc(results, func(a, b *commitInfo) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), a.ID.Compare(b.ID))
	})
	var ids []ObjectID
	for _, c := range results {
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// dateSlack is by how much clocks may go wrong before Commits gives out commits
// that stop excludes: a parent up to a day younger than its child.
const dateSlack = 24 * 3600

// Commits calls visit for the commits that are reachable from the first ids and
// not from those in stop, each once, no parent before all of its children that are
// visited, and the youngest first where that leaves a choice. It ends when visit
// returns false.
//
// All are gathered before the first is visited: 200 bytes each. A commit that is
// missing is an error, unless history was cut off there.
func (g *Git) Commits(from, stop []ObjectID, visit func(CommitNode) bool) error {
	return g.newHistory().commits(from, stop, nil, func(_ ObjectID, err error) error { return err }, visit)
}

// commits is Commits that asks bad about each commit that cannot be read: if bad
// returns nil, history is cut off there. Further stops, with their times, are known:
// they are read only if the walk comes to their time.
func (h *history) commits(from, stop []ObjectID, known []LogStop, bad func(ObjectID, error) error, visit func(CommitNode) bool) error {
	const out = fromB
	for _, s := range known {
		c := &commitInfo{CommitNode: CommitNode{ID: s.ID, Time: s.Time}, unread: true, flags: out}
		h.seen[s.ID] = c
		h.push(c)
	}
	add := func(ids []ObjectID, flag uint8) error {
		for _, id := range ids {
			c, err := h.get(id)
			if err != nil {
				if err = bad(id, err); err != nil {
					return err
				}
				continue
			}
			c.flags |= flag
			h.push(c)
		}
		return nil
	}
	if err := errors.Join(add(from, fromA), add(stop, out)); err != nil {
		return err
	}
	var found []*commitInfo
	wanted := 0 // in the queue and not excluded
	for _, c := range h.queue {
		if c.flags&out == 0 {
			wanted++
		}
	}
	oldest := int64(1<<63 - 1)
	for len(h.queue) > 0 {
		if wanted == 0 && (len(found) == 0 || h.queue[0].Time+dateSlack < oldest) {
			break
		}
		c := h.pop()
		if c.flags&out == 0 {
			wanted--
			found = append(found, c)
			oldest = min(oldest, c.Time)
		}
		if err := h.read(c); err != nil {
			if err = bad(c.ID, err); err != nil {
				return err
			}
		}
		var lost []ObjectID
		for _, id := range c.Parents {
			// Below what is excluded, commits may be missing: nobody needs them.
			p, err := h.get(id)
			if err != nil {
				if c.flags&out == 0 || !errors.Is(err, ErrMissing) {
					if err = bad(id, err); err != nil {
						return err
					}
				}
				lost = append(lost, id)
				continue
			}
			flags := c.flags & (fromA | out)
			if p.flags&flags == flags {
				continue
			}
			was := p.queued && p.flags&out == 0
			p.flags |= flags
			h.push(p)
			switch now := p.flags&out == 0; {
			case was && !now:
				wanted--
			case !was && now:
				wanted++
			}
		}
		if lost != nil {
			c.Parents = slices.DeleteFunc(slices.Clone(c.Parents), func(id ObjectID) bool { return slices.Contains(lost, id) })
		}
	}
	kept := found[:0]
	for _, c := range found {
		if c.flags&(out|result) == 0 {
			c.flags |= result // once, however often it was queued
			kept = append(kept, c)
		}
	}
	for _, c := range kept {
		for _, id := range c.Parents {
			h.seen[id].waiting++
		}
	}
	h.queue = h.queue[:0]
	for _, c := range kept {
		c.queued = false
		if c.waiting == 0 {
			h.push(c)
		}
	}
	for len(h.queue) > 0 {
		c := h.pop()
		if !visit(c.CommitNode) {
			return nil
		}
		for _, id := range c.Parents {
			p := h.seen[id]
			if p.waiting--; p.waiting == 0 && p.flags&result != 0 {
				h.push(p)
			}
		}
	}
	return nil
}

// Tree reads a tree.
func (g *Git) Tree(id ObjectID) ([]TreeEntry, error) {
	data, err := g.as(id, ObjectTree)
	if err != nil {
		return nil, err
	}
	entries, err := ParseTree(data, g.hash)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", id, err)
	}
	return entries, nil
}

// Entry returns what has a path, with slashes, below a tree. Errors are ErrNoRef
// where nothing has it, and those of reading objects.
func (g *Git) Entry(tree ObjectID, path string) (TreeEntry, error) {
	e := TreeEntry{Mode: IndexFolder, ID: tree}
	for part := range strings.SplitSeq(path, "/") {
		if e.Kind() != IndexFolder {
			return TreeEntry{}, fmt.Errorf("%.200q: %w", path, ErrNoRef)
		}
		data, err := g.as(e.ID, ObjectTree)
		if err != nil {
			return TreeEntry{}, err
		}
		for it := (treeIter{data, g.hash}); ; {
			name, mode, id, ok, err := it.next()
			if err != nil {
				return TreeEntry{}, fmt.Errorf("object %s: %w", e.ID, err)
			}
			if !ok {
				return TreeEntry{}, fmt.Errorf("%.200q: %w", path, ErrNoRef)
			}
			if string(name) == part {
				e = TreeEntry{Name: part, Mode: mode, ID: idOf(id)}
				break
			}
		}
	}
	return e, nil
}

// TreeFile is one entry that is no folder, met on a walk through a tree.
type TreeFile struct {
	// Path is all names with slashes between them. It is for showing: if Hazard is
	// set, it must not be made a path of files.
	Path string
	TreeEntry
	// Unsafe says why the path must not be used as one, "" if it may.
	Unsafe string
}

// WalkTree calls visit for every file, link and submodule below a tree, in the
// order of the tree, until it returns an error, which WalkTree returns. Subtrees
// that cannot be read are given to bad, which may return nil to go on.
func (g *Git) WalkTree(tree ObjectID, visit func(TreeFile) error, bad func(path string, err error) error) error {
	left := g.maxEntries
	return g.walkTree(tree, "", "", 0, &left, visit, bad)
}

func (g *Git) walkTree(tree ObjectID, prefix, unsafe string, depth int, left *int, visit func(TreeFile) error, bad func(string, error) error) error {
	side, err := g.side(tree)
	if err == nil && (depth > maxTreeDepth || len(prefix) > maxTreePath) {
		err = fmt.Errorf("folders in folders: %w", ErrLimit)
	}
	if err != nil {
		return bad(prefix, err)
	}
	for ; side.ok; side.next() {
		if *left--; *left < 0 {
			return fmt.Errorf("more than %d entries in one tree: %w", g.maxEntries, ErrLimit)
		}
		path := prefix + string(side.name)
		e := TreeEntry{Name: path[len(prefix):], Mode: side.mode, ID: idOf(side.id)}
		why := cmp.Or(unsafe, side.unsafe, e.Hazard())
		if e.Kind() == IndexFolder {
			if err := g.walkTree(e.ID, path+"/", why, depth+1, left, visit, bad); err != nil {
				return err
			}
			continue
		}
		if err := visit(TreeFile{Path: path, TreeEntry: e, Unsafe: why}); err != nil {
			return err
		}
	}
	return nil
}

// rawEntry is an entry of a tree whose name and id are part of the tree's bytes.
type rawEntry struct {
	name, id []byte
	mode     uint32
}

// treeSide gives the entries of a tree in git's order, one after the other.
type treeSide struct {
	rawEntry
	ok     bool
	unsafe string // why none of the names must be made a path of files
	data   []byte // all of the tree
	it     treeIter
	list   []rawEntry // what is left, if the tree was not in order
}

// side reads a tree; the zero id stands for an empty one. It checks all entries
// first. Git writes them sorted and each name once; who does not must not hide
// anything by it, so such a tree is sorted here.
func (g *Git) side(id ObjectID) (*treeSide, error) {
	if id.IsZero() {
		return new(treeSide), nil
	}
	data, err := g.as(id, ObjectTree)
	if err != nil {
		return nil, err
	}
	s := &treeSide{data: data, it: treeIter{data, g.hash}}
	check := s.it
	var before rawEntry
	for first := true; ; first = false {
		name, mode, entry, ok, err := check.next()
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", id, err)
		}
		if !ok {
			break
		}
		e := rawEntry{name, entry, mode}
		if !first && before.compare(e) >= 0 {
			s.unsafe = "a tree that is not in order, or has a name twice"
			break
		}
		before = e
	}
	if s.unsafe != "" {
		if err := s.sort(); err != nil {
			return nil, fmt.Errorf("object %s: %w", id, err)
		}
	}
	s.next()
	return s, nil
}

// sort puts what is left in order.
func (s *treeSide) sort() error {
	for {
		name, mode, entry, ok, err := s.it.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		s.list = append(s.list, rawEntry{name, entry, mode})
	}
	slices.SortStableFunc(s.list, rawEntry.compare)
	return nil
}

func (s *treeSide) next() {
	if len(s.list) > 0 {
		s.rawEntry, s.list = s.list[0], s.list[1:]
		s.ok = true
		return
	}
	s.name, s.mode, s.id, s.ok, _ = s.it.next() // checked before
}

// compare is the order of trees: a folder's name counts as if it ended in a slash.
func (e rawEntry) compare(f rawEntry) int {
	n := min(len(e.name), len(f.name))
	if c := bytes.Compare(e.name[:n], f.name[:n]); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(e.byteAt(n), f.byteAt(n)), cmp.Compare(len(e.name), len(f.name)))
}

func (e rawEntry) byteAt(n int) byte {
	switch {
	case len(e.name) > n:
		return e.name[n]
	case e.mode&IndexKind == IndexFolder:
		return '/'
	}
	return 0
}

// Change is a difference between two trees. Old has no id where something was
// added, New where it was removed. Neither is a folder: what is below one is given
// instead.
type Change struct {
	Path string
	// From is the path before a rename, else empty.
	From     string
	Old, New TreeEntry
	// Unsafe says why the path must not be used as one, "" if it may.
	Unsafe string
}

// Diff calls visit for each difference between two trees, in the order of trees,
// until it returns an error, which Diff returns. The zero id stands for an empty
// tree. Equal subtrees are not read. See Renames.
func (g *Git) Diff(a, b ObjectID, visit func(Change) error) error {
	left := g.maxEntries
	return g.diff(a, b, "", "", 0, &left, visit)
}

func (g *Git) diff(a, b ObjectID, prefix, unsafe string, depth int, left *int, visit func(Change) error) error {
	if a == b {
		return nil
	}
	if depth > maxTreeDepth || len(prefix) > maxTreePath {
		return fmt.Errorf("folders in folders: %w", ErrLimit)
	}
	x, err := g.side(a)
	if err != nil {
		return fmt.Errorf("folder %.200q: %w", prefix, err)
	}
	y, err := g.side(b)
	if err != nil {
		return fmt.Errorf("folder %.200q: %w", prefix, err)
	}
	for x.ok || y.ok {
		if *left--; *left < 0 {
			return fmt.Errorf("more than %d differences: %w", g.maxEntries, ErrLimit)
		}
		order := 0
		switch {
		case !x.ok:
			order = 1
		case !y.ok:
			order = -1
		default:
			order = x.compare(y.rawEntry)
		}
		if order == 0 && x.mode == y.mode && bytes.Equal(x.id, y.id) {
			x.next()
			y.next()
			continue
		}
		var old, new TreeEntry
		why := unsafe
		if order <= 0 {
			old = TreeEntry{Name: string(x.name), Mode: x.mode, ID: idOf(x.id)}
			why = cmp.Or(why, x.unsafe, old.Hazard())
			x.next()
		}
		if order >= 0 {
			new = TreeEntry{Name: string(y.name), Mode: y.mode, ID: idOf(y.id)}
			why = cmp.Or(why, y.unsafe, new.Hazard())
			y.next()
		}
		path := prefix + cmp.Or(old.Name, new.Name)
		if cmp.Or(old.Kind(), new.Kind()) == IndexFolder {
			if err := g.diff(old.ID, new.ID, path+"/", why, depth+1, left, visit); err != nil {
				return err
			}
			continue
		}
		if err := visit(Change{Path: path, Old: old, New: new, Unsafe: why}); err != nil {
			return err
		}
	}
	return nil
}

// maxRenames bounds the pairs that are weighed for one blob that went and came
// many times, as empty files do.
const maxRenames = 256

// Renames joins files that went with files that came and hold the very same bytes,
// one to one: those of the same name first, then those whose paths have most in
// common. The changes of a Diff go in and come out sorted by path; a joined pair
// becomes one change with From set.
func Renames(changes []Change) []Change {
	type group struct{ gone, came []int }
	groups := make(map[ObjectID]*group)
	at := func(e TreeEntry) *group {
		gr := groups[e.ID]
		if gr == nil {
			gr = new(group)
			groups[e.ID] = gr
		}
		return gr
	}
	for i, c := range changes {
		switch {
		case c.New.ID.IsZero() && c.Old.Kind() != IndexSubmodule:
			gr := at(c.Old)
			gr.gone = append(gr.gone, i)
		case c.Old.ID.IsZero() && c.New.Kind() != IndexSubmodule:
			gr := at(c.New)
			gr.came = append(gr.came, i)
		}
	}
	from := make(map[int]int) // by what came
	used := make(map[int]bool)
	join := func(gone, came int) {
		from[came] = gone
		used[gone] = true
	}
	for _, gr := range groups {
		if len(gr.gone) == 0 || len(gr.came) == 0 {
			continue
		}
		byName := make(map[string][]int)
		for _, i := range gr.gone {
			name := path.Base(changes[i].Path)
			byName[name] = append(byName[name], i)
		}
		for pass := range 2 {
			for _, i := range gr.came {
				if _, done := from[i]; done {
					continue
				}
				candidates := gr.gone
				if pass == 0 {
					candidates = byName[path.Base(changes[i].Path)]
				}
				best, most := -1, -1
				for n, k := range candidates {
					if n >= maxRenames {
						break
					}
					if used[k] || changes[k].Old.Kind() != changes[i].New.Kind() {
						continue
					}
					if score := likeness(changes[k].Path, changes[i].Path); score > most {
						best, most = k, score
					}
				}
				if best >= 0 {
					join(best, i)
				}
			}
		}
	}
	var out []Change
	for i, c := range changes {
		if used[i] {
			continue
		}
		if k, renamed := from[i]; renamed {
			c.From, c.Old = changes[k].Path, changes[k].Old
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// likeness counts the bytes at both ends that two paths have in common.
func likeness(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	m := 0
	for m < len(a)-n && m < len(b)-n && a[len(a)-1-m] == b[len(b)-1-m] {
		m++
	}
	return n + m
}
