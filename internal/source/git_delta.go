package source

import (
	"fmt"
)

// deltaSizes reads the two numbers that a delta begins with: the size of what it
// applies to and of what it makes. Rest are its instructions.
func deltaSizes(delta []byte) (base, result int64, rest []byte, err error) {
	base, n := leVarint(delta)
	if n == 0 {
		return 0, 0, nil, fmt.Errorf("a delta has no size: %w", ErrCorrupt)
	}
	result, m := leVarint(delta[n:])
	if m == 0 {
		return 0, 0, nil, fmt.Errorf("a delta has no size: %w", ErrCorrupt)
	}
	return base, result, delta[n+m:], nil
}

// leVarint reads 7 bits a byte, the lowest first; n is 0 if it does not end or
// is no size.
func leVarint(b []byte) (v int64, n int) {
	for n < len(b) && n < 9 {
		c := b[n]
		v |= int64(c&0x7f) << (7 * n)
		n++
		if c&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}

// applyDelta makes dst, whose length is the result's, of the base and the
// instructions (gitformat-pack(5), "Deltified representation").
func applyDelta(dst, base, ops []byte) error {
	out := 0
	for len(ops) > 0 {
		op := ops[0]
		if op&0x80 == 0 {
			n := int(op)
			if n == 0 || n >= len(ops) || n > len(dst)-out {
				return fmt.Errorf("a delta is damaged: %w", ErrCorrupt)
			}
			copy(dst[out:], ops[1:1+n])
			out += n
			ops = ops[1+n:]
			continue
		}
		from, size, rest, ok := copyOp(ops)
		if !ok || from > len(base) || size > len(base)-from || size > len(dst)-out {
			return fmt.Errorf("a delta is damaged: %w", ErrCorrupt)
		}
		copy(dst[out:out+size], base[from:])
		out += size
		ops = rest
	}
	if out != len(dst) {
		return fmt.Errorf("a delta makes %d of %d bytes: %w", out, len(dst), ErrCorrupt)
	}
	return nil
}

// copyOp reads a copy instruction.
func copyOp(ops []byte) (from, size int, rest []byte, ok bool) {
	op := ops[0]
	at := 1
	for bit := range 7 {
		if op&(1<<bit) == 0 {
			continue
		}
		if at >= len(ops) {
			return 0, 0, nil, false
		}
		if bit < 4 {
			from |= int(ops[at]) << (8 * bit)
		} else {
			size |= int(ops[at]) << (8 * (bit - 4))
		}
		at++
	}
	if size == 0 {
		size = 0x10000
	}
	return from, size, ops[at:], true
}

// baseCache keeps objects that were put together, since the next one is often a
// delta of one of them. The least recently used go first.
type baseCache struct {
	limit, size int64
	items       map[baseKey]*baseItem
	first, end  *baseItem // most and least recently used
}

type baseKey struct {
	pack int
	off  int64
}

type baseItem struct {
	key        baseKey
	kind       ObjectKind
	data       []byte
	prev, next *baseItem
}

// baseOverhead is what an entry costs beside its bytes.
const baseOverhead = 160

func (c *baseCache) get(pack int, off int64) *baseItem {
	it := c.items[baseKey{pack, off}]
	if it != nil && it != c.first {
		c.unlink(it)
		c.push(it)
	}
	return it
}

func (c *baseCache) put(pack int, off int64, kind ObjectKind, data []byte) {
	cost := int64(cap(data)) + baseOverhead
	key := baseKey{pack, off}
	if cost > c.limit/2 || c.items[key] != nil {
		return
	}
	for c.size+cost > c.limit && c.end != nil {
		c.remove(c.end)
	}
	if c.items == nil {
		c.items = make(map[baseKey]*baseItem)
	}
	it := &baseItem{key: key, kind: kind, data: data}
	c.items[key] = it
	c.size += cost
	c.push(it)
}

func (c *baseCache) drop(pack int, off int64) {
	if it := c.items[baseKey{pack, off}]; it != nil {
		c.remove(it)
	}
}

func (c *baseCache) remove(it *baseItem) {
	c.unlink(it)
	delete(c.items, it.key)
	c.size -= int64(cap(it.data)) + baseOverhead
}

func (c *baseCache) push(it *baseItem) {
	it.prev, it.next = nil, c.first
	if c.first != nil {
		c.first.prev = it
	} else {
		c.end = it
	}
	c.first = it
}

func (c *baseCache) unlink(it *baseItem) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		c.first = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		c.end = it.prev
	}
}
