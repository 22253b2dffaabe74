package source

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Plan lists every object of a repository once, in an order in which reading them
// is cheap: each base of deltas before what is made of it, so that nothing is
// decompressed twice. Versions of one file follow one another that way.
//
// A plan does not change, and may be used by several Gits of the same folders at
// once. It takes 26 bytes of memory for each object in packs.
type Plan struct {
	packs  []*packPlan
	loose  []looseObject
	chunks []planChunk
	count  int
}

type looseObject struct {
	id  ObjectID
	dir int
}

// planChunk is a part of a plan: roots of one pack, or loose objects (pack -1).
type planChunk struct{ pack, from, to int }

// packPlan are the objects of a pack in the order in which they lie there.
type packPlan struct {
	number int
	name   string
	places []uint64 // offset, and in the low bits the position in the index
	low    int      // how many bits
	flags  []uint8
	roots  []int32
	// The objects made of one, as a list: first of the base, then next of each.
	first, next []int32
}

// Flags of an object of a plan, beside its kind.
const (
	planKind   = 7
	planWanted = 8
	planNeeded = 16 // by itself or for one that is made of it
)

// rootsOfChunk is how many objects that are no deltas one chunk takes, with all
// that is made of them.
const rootsOfChunk = 512

// Plan lists the objects for which want returns true: all if it is nil. It reads
// indexes and the heads of objects, not their content. The kind is 0 for a delta
// whose base is not there. Packs that cannot be read are in Notes.
func (g *Git) Plan(want func(id ObjectID, kind ObjectKind) bool) (*Plan, error) {
	plan := new(Plan)
	for i, p := range g.packs {
		if p.open(g) != nil {
			continue // noted
		}
		pp, err := g.planPack(p, g.packs[:i], want)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				return nil, err
			}
			g.note("the pack %s cannot be used: %v", p.name, err)
			continue
		}
		for _, f := range pp.flags {
			if f&planWanted != 0 {
				plan.count++
			}
		}
		for from := 0; from < len(pp.roots); from += rootsOfChunk {
			plan.chunks = append(plan.chunks, planChunk{len(plan.packs), from, min(from+rootsOfChunk, len(pp.roots))})
		}
		plan.packs = append(plan.packs, pp)
	}
	if err := g.planLoose(plan, want); err != nil {
		return nil, err
	}
	for from := 0; from < len(plan.loose); from += rootsOfChunk {
		plan.chunks = append(plan.chunks, planChunk{-1, from, min(from+rootsOfChunk, len(plan.loose))})
	}
	return plan, nil
}

// Objects is how many objects Visit will give out, in all chunks.
func (p *Plan) Objects() int { return p.count }

// Chunks is the number of parts in which the plan can be read.
func (p *Plan) Chunks() int { return len(p.chunks) }

func (g *Git) planPack(p *pack, before []*pack, want func(ObjectID, ObjectKind) bool) (*packPlan, error) {
	n := p.count
	pp := &packPlan{
		number: p.number, name: p.name, low: bits.Len(uint(n)),
		places: make([]uint64, n), flags: make([]uint8, n), first: make([]int32, n), next: make([]int32, n),
	}
	if bits.Len64(uint64(p.size))+pp.low > 64 {
		return nil, fmt.Errorf("%s: %d objects in %d bytes: %w", p.name, n, p.size, ErrLimit)
	}
	for pos := range n {
		off, err := p.offset(g, pos)
		if err != nil {
			return nil, err
		}
		pp.places[pos] = uint64(off)<<pp.low | uint64(pos)
	}
	slices.Sort(pp.places)
	const none = -1
	bases := pp.next // until the lists are made
	for i := range n {
		off := pp.offset(i)
		b, err := g.raw(p, off, maxEntryHead)
		if err != nil {
			return nil, err
		}
		kind, _, back, ref, _, err := parseEntry(b, g.hash)
		bases[i] = none
		pp.first[i] = none
		if err != nil {
			continue // kind 0; Visit says why
		}
		switch kind {
		case entryOffset:
			bases[i] = int32(pp.at(i, off-back))
		case entryRef:
			at, found, err := p.find(g, ref)
			if err != nil {
				return nil, err
			}
			if found {
				bases[i] = int32(pp.at(n, at))
			}
		default:
			pp.flags[i] = uint8(kind)
		}
	}
	// A delta is what its base is. A base by offset comes before; others are
	// followed, in a circle no further than there are objects.
	var path []int32
	for i := range int32(n) {
		path = path[:0]
		at := i
		for pp.flags[at]&planKind == 0 && bases[at] != none && len(path) <= maxDeltaDepth {
			path = append(path, at)
			at = bases[at]
		}
		for _, k := range path {
			pp.flags[k] |= pp.flags[at] & planKind
		}
	}
	for i := range int32(n) {
		id, err := p.id(g, pp.pos(i))
		if err != nil {
			return nil, err
		}
		if want != nil && !want(id, ObjectKind(pp.flags[i]&planKind)) {
			continue
		}
		elsewhere := false
		for _, q := range before {
			if _, found, err := q.find(g, id); err == nil && found {
				elsewhere = true
				break
			}
		}
		if elsewhere {
			continue
		}
		pp.flags[i] |= planWanted
		for at := i; at != none && pp.flags[at]&planNeeded == 0; at = bases[at] {
			pp.flags[at] |= planNeeded
		}
	}
	for i := int32(n) - 1; i >= 0; i-- {
		base := bases[i]
		pp.next[i] = none
		if pp.flags[i]&planNeeded == 0 {
			continue
		}
		// What has no kind hangs in the air or in a circle: it is tried by itself.
		if base == none || pp.flags[i]&planKind == 0 {
			pp.roots = append(pp.roots, i)
			continue
		}
		pp.next[i] = pp.first[base]
		pp.first[base] = i
	}
	slices.Reverse(pp.roots)
	return pp, nil
}

func (pp *packPlan) offset(i int) int64 { return int64(pp.places[i] >> pp.low) }
func (pp *packPlan) pos(i int32) int    { return int(pp.places[i] & (1<<pp.low - 1)) }

// at finds the object at an offset among those before i, near ones first.
func (pp *packPlan) at(i int, off int64) int {
	if off < 0 {
		return -1
	}
	lo, step := i, 1
	for lo > 0 && (lo == i || pp.offset(lo) > off) {
		lo -= step
		step *= 2
	}
	lo = max(lo, 0)
	k, _ := slices.BinarySearch(pp.places[lo:i], uint64(off)<<pp.low)
	if k += lo; k < i && pp.offset(k) == off {
		return k
	}
	return -1
}

func (g *Git) planLoose(plan *Plan, want func(ObjectID, ObjectKind) bool) error {
	seen := make(map[ObjectID]bool)
	for number, dir := range g.dirs.objects {
		for b := range 256 {
			two := fmt.Sprintf("%02x", b)
			names, err := dir.list(two, maxLooseNames)
			if err != nil {
				g.note("the folder of loose objects %s cannot be read: %v", two, err)
				continue
			}
			for _, name := range names {
				id, ok := parseHexID([]byte(two+name), g.hash)
				if !ok || seen[id] {
					continue
				}
				if g.inPack(id) {
					continue
				}
				if len(plan.loose) >= maxLooseNames {
					return fmt.Errorf("loose objects: %w", ErrLimit)
				}
				seen[id] = true
				if want != nil {
					kind := ObjectKind(0)
					if f, _, k, _, err := g.openLoose(dir, id, &g.stream); err == nil {
						kind = k
						f.Close()
					}
					if !want(id, kind) {
						continue
					}
				}
				plan.loose = append(plan.loose, looseObject{id, number})
				plan.count++
			}
		}
	}
	return nil
}

func (g *Git) inPack(id ObjectID) bool {
	for _, p := range g.packs {
		if _, found, err := p.find(g, id); err == nil && found {
			return true
		}
	}
	return false
}

// Object is what Visit gives out. It is valid until the function returns.
type Object struct {
	ID   ObjectID
	Kind ObjectKind
	// Data is the content, verified; nil if Err is set.
	Data []byte
	// Err says why the object cannot be read. ErrTooLarge leaves Git.Open.
	Err error
}

// maxFamily bounds the objects held as bases while one family of deltas is read,
// in bytes; those dropped are made again.
const maxFamily = 48 << 20

// Visit reads a chunk of the plan and calls visit for each object until it returns
// an error, which Visit returns. Single objects that cannot be read are given out
// with their error.
func (g *Git) Visit(plan *Plan, chunk int, visit func(*Object) error) error {
	c := plan.chunks[chunk]
	if c.pack < 0 {
		for _, l := range plan.loose[c.from:c.to] {
			o := Object{ID: l.id}
			if o.Kind, o.Data, o.Err = g.loose(g.dirs.objects[l.dir], l.id); o.Err != nil {
				o.Data = nil
				o.Err = fmt.Errorf("object %s: %w", l.id, o.Err)
			}
			if err := visit(&o); err != nil {
				return err
			}
		}
		return nil
	}
	pp := plan.packs[c.pack]
	if pp.number >= len(g.packs) || g.packs[pp.number].name != pp.name {
		return fmt.Errorf("the plan is of other packs: %w", ErrCorrupt)
	}
	v := &visitor{g: g, p: g.packs[pp.number], pp: pp, visit: visit}
	if v.p.open(g) != nil {
		return v.p.err
	}
	for _, root := range pp.roots[c.from:c.to] {
		if err := v.family(root); err != nil {
			return err
		}
	}
	return nil
}

// visitor reads families: an object that is no delta, and all that is made of it.
type visitor struct {
	g     *Git
	p     *pack
	pp    *packPlan
	visit func(*Object) error
	stack []member
	held  int64 // bytes of the members' data
	spare [][]byte
	obj   Object
}

// member is an object on the way from the root to the one that is read.
type member struct {
	node, child int32 // child: the next to read
	kind        ObjectKind
	data        []byte // nil if dropped
	failed      bool
}

func (v *visitor) family(root int32) error {
	if err := v.enter(root, nil); err != nil {
		return err
	}
	for len(v.stack) > 0 {
		m := &v.stack[len(v.stack)-1]
		if m.child < 0 {
			v.free(m)
			v.stack = v.stack[:len(v.stack)-1]
			continue
		}
		node := m.child
		m.child = v.pp.next[node]
		if m.data == nil && !m.failed {
			// It had to make room: make it again, by the way that Get takes.
			_, data, err := v.g.packed(v.p, v.pp.offset(int(m.node)))
			if err != nil {
				m.failed = true
			} else {
				m.data = slices.Clone(data) // the cache keeps the other
				v.held += int64(cap(m.data))
			}
		}
		if err := v.enter(node, m); err != nil {
			return err
		}
	}
	return nil
}

// enter reads one object, gives it out if it is wanted and puts it on the stack.
func (v *visitor) enter(node int32, base *member) error {
	m := member{node: node, child: v.pp.first[node]}
	v.obj = Object{}
	data, err := v.read(&m, base)
	if base != nil && base.child < 0 {
		// No more is made of it.
		v.free(base)
	}
	if err != nil {
		m.failed = true
	}
	m.data = data
	v.held += int64(cap(data))
	if v.pp.flags[node]&planWanted != 0 {
		id, err2 := v.p.id(v.g, v.pp.pos(node))
		if err2 != nil {
			return err2
		}
		o := &v.obj
		o.ID, o.Kind, o.Data, o.Err = id, m.kind, data, err
		if err == nil && v.g.sum(m.kind, data) != id {
			o.Err = fmt.Errorf("%s at %d holds something else: %w", v.p.name, v.pp.offset(int(node)), ErrCorrupt)
		}
		if o.Err != nil {
			o.Data = nil
			o.Kind = ObjectKind(v.pp.flags[node] & planKind)
			if !errors.Is(o.Err, ErrTooLarge) {
				if kind, data, err := v.g.elsewhere(v.p, id); err == nil {
					o.Kind, o.Data, o.Err = kind, data, nil
				}
			}
			if o.Err != nil {
				o.Err = fmt.Errorf("object %s: %w", id, o.Err)
			}
		}
		if err := v.visit(o); err != nil {
			return err
		}
	}
	if m.child < 0 {
		v.free(&m)
		return nil
	}
	v.stack = append(v.stack, m)
	for i := 0; v.held > maxFamily && i < len(v.stack)-1; i++ {
		v.free(&v.stack[i])
	}
	return nil
}

// read makes the content of a member.
func (v *visitor) read(m *member, base *member) ([]byte, error) {
	g, p := v.g, v.p
	off := v.pp.offset(int(m.node))
	if base != nil && base.failed {
		return nil, fmt.Errorf("%s at %d: the base of the delta cannot be read: %w", p.name, off, ErrCorrupt)
	}
	if base == nil && v.pp.flags[m.node]&planKind == 0 {
		_, _, err := g.packed(p, off) // says what is wrong with it
		if err == nil {
			err = ErrCorrupt
		}
		return nil, err
	}
	b, err := g.raw(p, off, maxEntryHead)
	if err != nil {
		return nil, err
	}
	kind, size, _, _, n, err := parseEntry(b, g.hash)
	if err != nil {
		return nil, err
	}
	e := packEntry{kind: kind, size: size, data: off + int64(n)}
	if err := g.plausible(p, e); err != nil {
		return nil, err
	}
	if base == nil {
		m.kind = ObjectKind(kind)
		data := v.buffer(size)
		if err := g.unpack(data, p, e.data); err != nil {
			return nil, err
		}
		return data, nil
	}
	m.kind = base.kind
	ops, size, err := g.readDelta(p, e, int64(len(base.data)))
	if err != nil {
		return nil, err
	}
	data := v.buffer(size)
	if err := applyDelta(data, base.data, ops); err != nil {
		return nil, fmt.Errorf("%s at %d: %w", p.name, off, err)
	}
	g.work += size
	return data, nil
}

// buffer returns a buffer that is not nil, an old one if there is one that fits.
func (v *visitor) buffer(size int64) []byte {
	for i, b := range v.spare {
		// One that is far too large is better kept for what needs it.
		if int64(cap(b)) >= size && int64(cap(b)) <= 4*size+4096 {
			last := len(v.spare) - 1
			v.spare[i] = v.spare[last]
			v.spare = v.spare[:last]
			return b[:size]
		}
	}
	return make([]byte, size, size+size/8+64)
}

// free gives a member's data back.
func (v *visitor) free(m *member) {
	if m.data == nil {
		return
	}
	v.held -= int64(cap(m.data))
	const most = 16
	if cap(m.data) <= streamFrom {
		if len(v.spare) == most {
			copy(v.spare, v.spare[1:])
			v.spare = v.spare[:most-1]
		}
		v.spare = append(v.spare, m.data)
	}
	m.data = nil
}

// elsewhere returns an object from any place but one pack, where it is damaged.
func (g *Git) elsewhere(not *pack, id ObjectID) (ObjectKind, []byte, error) {
	for _, p := range g.packs {
		if p == not {
			continue
		}
		if off, found, err := p.find(g, id); err == nil && found {
			if kind, data, err := g.packed(p, off); err == nil && g.sum(kind, data) == id {
				return kind, data, nil
			}
		}
	}
	for _, dir := range g.dirs.objects {
		if kind, data, err := g.loose(dir, id); err == nil {
			return kind, data, nil
		}
	}
	return 0, nil, fmt.Errorf("object %s: %w", id, ErrMissing)
}
