package source

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Errors of names. Test with errors.Is.
var (
	// ErrNoRef says that nothing has that name.
	ErrNoRef = errors.New("no such commit, branch or tag")
	// ErrAmbiguous says that several objects have ids that begin so.
	ErrAmbiguous = errors.New("more than one object has an id that begins so")
)

const (
	maxSymbolic = 5     // refs that name refs, as in git
	maxPeel     = 64    // tags of tags
	maxSteps    = 1e6   // of ~N
	maxRefLine  = 4096  // PATH_MAX: no longer name can be a file
	minAbbrev   = 4     // digits, as in git
	maxAbbrev   = 10000 // objects looked at for one abbreviated id
)

// Ref is a name of an object.
type Ref struct {
	Name string // refs/heads/main
	ID   ObjectID
	// Target is the ref that this one stands for, "" for none.
	Target string
}

// validRef reports whether a name can be that of a ref file: it is made a path
// below the repository's folder. The rules are those of git-check-ref-format(1).
func validRef(name string) bool {
	if name == "" || len(name) > maxRefLine || strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for i := range len(name) {
		if name[i] < 0x20 {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") {
			return false
		}
	}
	if strings.HasPrefix(name, "refs/") {
		return true
	}
	// Beside refs/, only such as HEAD, FETCH_HEAD and ORIG_HEAD are refs.
	for i := range len(name) {
		if c := name[i]; (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// refFolder is where a ref's file lies: some belong to the worktree.
func (g *Git) refFolder(name string) gitFolder {
	for _, own := range []string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return g.dirs.dir
		}
	}
	if strings.HasPrefix(name, "refs/") {
		return g.dirs.common
	}
	return g.dirs.dir
}

// Ref reads one ref by its full name, following refs that name others.
func (g *Git) Ref(name string) (Ref, error) {
	r := Ref{Name: name}
	for range maxSymbolic {
		found, err := g.readRefs([]string{name})
		if err != nil {
			return r, err
		}
		if len(found) == 0 {
			if r.Target != "" {
				return r, fmt.Errorf("%s stands for %.200q: %w", r.Name, r.Target, ErrNoRef)
			}
			return r, fmt.Errorf("%.200q: %w", name, ErrNoRef)
		}
		if found[0].Target == "" {
			r.ID = found[0].ID
			return r, nil
		}
		name = found[0].Target
		r.Target = name
	}
	return r, fmt.Errorf("%.200q stands for too many others: %w", r.Name, ErrLimit)
}

// readRefs reads those refs of the names that there are, in the order of the names.
// One reading of packed-refs answers for all.
func (g *Git) readRefs(names []string) ([]Ref, error) {
	found := make(map[string]Ref)
	var packed []string
	for _, name := range names {
		if !validRef(name) {
			continue
		}
		b, err := g.refFolder(name).readSmall(name, maxRefLine+64)
		if err != nil {
			// Not there, or a folder of refs, or something odd: packed, perhaps.
			packed = append(packed, name)
			continue
		}
		r, err := g.parseRef(name, b)
		if err != nil {
			return nil, err
		}
		found[name] = r
	}
	if len(packed) > 0 {
		if err := g.findPacked(packed, func(name string, id ObjectID) { found[name] = Ref{Name: name, ID: id} }); err != nil {
			return nil, err
		}
	}
	var out []Ref
	for _, name := range names {
		if r, ok := found[name]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (g *Git) parseRef(name string, b []byte) (Ref, error) {
	s := strings.TrimRight(string(b), " \t\r\n")
	if target, symbolic := strings.CutPrefix(s, "ref:"); symbolic {
		target = strings.TrimLeft(target, " \t")
		if !validRef(target) {
			return Ref{}, fmt.Errorf("%s stands for %.200q, which is no name of a ref: %w", name, target, ErrCorrupt)
		}
		return Ref{Name: name, Target: target}, nil
	}
	// FETCH_HEAD has more behind the id.
	s, _, _ = strings.Cut(s, "\t")
	id, ok := parseHexID([]byte(s), g.hash)
	if !ok {
		return Ref{}, fmt.Errorf("%s holds %.80q: %w", name, s, ErrCorrupt)
	}
	return Ref{Name: name, ID: id}, nil
}

// findPacked looks names up in the file packed-refs.
func (g *Git) findPacked(names []string, found func(name string, id ObjectID)) error {
	f, st, err := g.dirs.common.open("packed-refs")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read packed-refs: %w", err)
	}
	defer f.Close()
	take := func(name, digits []byte) bool {
		for _, want := range names {
			if string(name) == want {
				if id, ok := parseHexID(digits, g.hash); ok {
					found(want, id)
				}
			}
		}
		return true
	}
	var head [128]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read packed-refs: %w", err)
	}
	first, _, whole := bytes.Cut(head[:n], []byte("\n"))
	if !whole || !bytes.HasPrefix(first, []byte("# pack-refs with:")) || !bytes.Contains(first, []byte(" sorted")) {
		return parsePackedRefs(f, g.hash, take)
	}
	for _, name := range names {
		part, err := sortedRefs(f, int64(len(first)+1), st.Size, g.hash, name)
		if err != nil {
			return err
		}
		if err := parsePackedRefs(bytes.NewReader(part), g.hash, take); err != nil {
			return err
		}
	}
	return nil
}

// sortedRefs returns the lines of a sorted packed-refs, between two offsets, among
// which the name's must be, by halving.
func sortedRefs(f io.ReaderAt, lo, size int64, hash int, name string) ([]byte, error) {
	const few = 4 * maxRefLine
	buf := make([]byte, few)
	hi := size // the line starts at lo, hi or between
	for hi-lo > few {
		mid := lo + (hi-lo)/2
		n, err := f.ReadAt(buf, mid)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read packed-refs: %w", err)
		}
		// The first whole line of a ref behind mid.
		rest := buf[:n]
		at := mid
		var line []byte
		for {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return nil, fmt.Errorf("packed-refs has a line without end: %w", ErrCorrupt)
			}
			rest, at = rest[end+1:], at+int64(end)+1
			end = bytes.IndexByte(rest, '\n')
			if end < 0 {
				return nil, fmt.Errorf("packed-refs has a line without end: %w", ErrCorrupt)
			}
			if line = rest[:end]; len(line) > 2*hash+1 && line[0] != '^' {
				break
			}
		}
		if string(bytes.TrimRight(line[2*hash+1:], "\r")) <= name {
			lo = at
		} else {
			hi = mid
		}
	}
	part := make([]byte, min(hi+2*maxRefLine, size)-lo)
	n, err := f.ReadAt(part, lo)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read packed-refs: %w", err)
	}
	part = part[:n]
	if lo+int64(n) < size {
		part = part[:bytes.LastIndexByte(part, '\n')+1] // no half name
	}
	return part, nil
}

// packedRefs calls visit for each ref of the file packed-refs until it returns
// false. It reads the file as a stream, for it may hold millions.
func (g *Git) packedRefs(visit func(name, digits []byte) bool) error {
	f, _, err := g.dirs.common.open("packed-refs")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read packed-refs: %w", err)
	}
	defer f.Close()
	return parsePackedRefs(f, g.hash, visit)
}

// parsePackedRefs leaves the ids as digits: whoever looks for one name in a million
// needs one of them.
func parsePackedRefs(f io.Reader, hash int, visit func(name, digits []byte) bool) error {
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return fmt.Errorf("packed-refs has a line without end: %w", ErrCorrupt)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read packed-refs: %w", err)
		}
		if len(line) > 2*hash+1 && line[0] != '#' && line[0] != '^' && line[2*hash] == ' ' {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) > 2*hash+1 && !visit(line[2*hash+1:], line[:2*hash]) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// Refs calls visit for every ref below refs/, and for HEAD, each once, until it
// returns false. Damaged and odd ones are passed over. The memory it takes is that
// of the names of loose refs.
func (g *Git) Refs(visit func(Ref) bool) error {
	loose := make(map[string]bool)
	going := true
	one := func(name string) {
		r, err := g.Ref(name)
		if err == nil && going {
			going = visit(r)
		}
	}
	one("HEAD")
	var walk func(dir gitFolder, path string, depth int) error
	walk = func(dir gitFolder, path string, depth int) error {
		names, err := dir.list(path, maxLooseNames)
		if err != nil || depth > 64 {
			return nil // a file, a link, or gone
		}
		for _, name := range names {
			if !going {
				return nil
			}
			full := path + "/" + name
			if !validRef(full) || loose[full] {
				continue
			}
			if len(loose) >= maxLooseNames {
				return fmt.Errorf("loose refs: %w", ErrLimit)
			}
			if b, err := g.refFolder(full).readSmall(full, maxRefLine+64); err == nil {
				if r, err := g.parseRef(full, b); err == nil {
					loose[full] = true
					if r.Target != "" {
						one(full)
					} else {
						going = visit(r)
					}
					continue
				}
			}
			if err := walk(dir, full, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(g.dirs.common, "refs", 0); err != nil || !going {
		return err
	}
	if g.dirs.Dir != g.dirs.Common {
		if err := walk(g.dirs.dir, "refs", 0); err != nil || !going {
			return err
		}
	}
	return g.packedRefs(func(name, digits []byte) bool {
		id, ok := parseHexID(digits, g.hash)
		if !ok || loose[string(name)] || !bytes.HasPrefix(name, []byte("refs/")) {
			return true
		}
		return visit(Ref{Name: string(name), ID: id})
	})
}

// Resolve returns the id that a name stands for, in the syntax of gitrevisions(7):
// an id, the beginning of one, a ref with or without refs/heads/ and the like,
// "@", and behind it any of ~N, ^N, ^{}, ^{commit}, ^{tree}, ^0. Reflogs (@{...}),
// searches (:/text, ^{/text}) and paths (REV:path, see Entry) are not known.
//
// A tag is returned as such unless the suffix asks for more; see Peel. Errors are
// ErrNoRef and ErrAmbiguous, and those of reading objects.
func (g *Git) Resolve(name string) (ObjectID, error) {
	end := strings.IndexAny(name, "~^")
	if end < 0 {
		end = len(name)
	}
	id, err := g.resolveName(name[:end])
	if err != nil {
		return ObjectID{}, err
	}
	rest := name[end:]
	for rest != "" {
		op := rest[0]
		rest = rest[1:]
		if op == '^' && strings.HasPrefix(rest, "{") {
			shut := strings.IndexByte(rest, '}')
			if shut < 0 {
				return ObjectID{}, fmt.Errorf("%.200q: %w", name, ErrNoRef)
			}
			kind, known := parseObjectKind(rest[1:shut])
			if !known && rest[1:shut] != "" {
				return ObjectID{}, fmt.Errorf("%.200q: %w", name, ErrNoRef)
			}
			if id, err = g.Peel(id, kind); err != nil {
				return ObjectID{}, err
			}
			rest = rest[shut+1:]
			continue
		}
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n := 1
		if digits > 0 {
			if n, err = strconv.Atoi(rest[:digits]); err != nil || n > maxSteps {
				return ObjectID{}, fmt.Errorf("%.200q: %w", name, ErrNoRef)
			}
		}
		rest = rest[digits:]
		switch op {
		case '^':
			if id, err = g.Peel(id, ObjectCommit); err == nil && n > 0 {
				id, err = g.parent(id, n, name)
			}
		case '~':
			id, err = g.Peel(id, ObjectCommit)
			for ; n > 0 && err == nil; n-- {
				id, err = g.parent(id, 1, name)
			}
		default:
			err = fmt.Errorf("%.200q: %w", name, ErrNoRef)
		}
		if err != nil {
			return ObjectID{}, err
		}
	}
	return id, nil
}

func (g *Git) parent(id ObjectID, n int, name string) (ObjectID, error) {
	parents, err := g.Parents(id)
	if err != nil {
		return ObjectID{}, err
	}
	if n > len(parents) {
		if g.shallow[id] {
			return ObjectID{}, fmt.Errorf("%.200q: %w", name, ErrShallow)
		}
		return ObjectID{}, fmt.Errorf("%.200q: commit %s has %d parents: %w", name, id, len(parents), ErrNoRef)
	}
	return parents[n-1], nil
}

// Parents are the parents of a commit, none where history was cut off.
func (g *Git) Parents(id ObjectID) ([]ObjectID, error) {
	h, err := g.commitHead(id)
	return h.parents, err
}

func (g *Git) resolveName(name string) (ObjectID, error) {
	if name == "@" {
		name = "HEAD"
	}
	if len(name) == 2*g.hash {
		if id, err := ParseObjectID(name); err == nil {
			return id, nil
		}
	}
	if strings.Contains(name, "@{") || strings.ContainsAny(name, ":") {
		return ObjectID{}, fmt.Errorf("%.200q: reflogs, searches and paths are not known here: %w", name, ErrNoRef)
	}
	// The order of gitrevisions(7).
	var names []string
	for _, prefix := range []string{"", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"} {
		names = append(names, prefix+name)
	}
	names = append(names, "refs/remotes/"+name+"/HEAD")
	refs, err := g.readRefs(names)
	if err != nil {
		return ObjectID{}, err
	}
	if len(refs) > 0 {
		if refs[0].Target != "" {
			r, err := g.Ref(refs[0].Name)
			return r.ID, err
		}
		return refs[0].ID, nil
	}
	if len(name) >= minAbbrev && len(name) < 2*g.hash {
		return g.abbreviated(name)
	}
	return ObjectID{}, fmt.Errorf("%.200q: %w", name, ErrNoRef)
}

// abbreviated finds the object whose id begins with the digits. Where several do,
// the only commit among them is meant.
func (g *Git) abbreviated(digits string) (ObjectID, error) {
	none := fmt.Errorf("%.200q: %w", digits, ErrNoRef)
	low, high := ObjectID{size: uint8(g.hash)}, ObjectID{size: uint8(g.hash)}
	for i := range g.hash {
		high.sum[i] = 0xff
	}
	for i := range len(digits) {
		v, err := strconv.ParseUint(digits[i:i+1], 16, 8)
		if err != nil {
			return ObjectID{}, none
		}
		shift := 4 * (1 - i%2)
		low.sum[i/2] |= byte(v) << shift
		high.sum[i/2] &^= 0xf << shift
		high.sum[i/2] |= byte(v) << shift
	}
	found := make(map[ObjectID]bool)
	add := func(id ObjectID) bool {
		found[id] = true
		return len(found) < maxAbbrev
	}
	for _, p := range g.packs {
		if err := p.prefixed(g, low, high, add); err != nil {
			return ObjectID{}, err
		}
	}
	for _, dir := range g.dirs.objects {
		names, err := dir.list(digits2(low), maxLooseNames)
		if err != nil {
			continue
		}
		for _, name := range names {
			if id, ok := parseHexID([]byte(digits2(low)+name), g.hash); ok && id.Compare(low) >= 0 && id.Compare(high) <= 0 {
				add(id)
			}
		}
	}
	ids := make([]ObjectID, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	if len(ids) > 1 {
		ids = slices.DeleteFunc(ids, func(id ObjectID) bool {
			kind, _, err := g.Size(id)
			return err != nil || kind != ObjectCommit
		})
	}
	switch {
	case len(found) == 0:
		return ObjectID{}, none
	case len(ids) == 1:
		return ids[0], nil
	}
	return ObjectID{}, fmt.Errorf("%.200q: %w", digits, ErrAmbiguous)
}

func digits2(id ObjectID) string { return hex.EncodeToString(id.sum[:1]) }

// Peel follows tags to an object of a kind, and from a commit to its tree if that
// is wanted. Kind 0 is whatever is no tag.
func (g *Git) Peel(id ObjectID, kind ObjectKind) (ObjectID, error) {
	for range maxPeel {
		k, data, err := g.Get(id)
		if err != nil {
			if kind == ObjectBlob && errors.Is(err, ErrTooLarge) {
				return id, nil
			}
			return ObjectID{}, err
		}
		switch {
		case k == kind || kind == 0 && k != ObjectTag:
			return id, nil
		case k == ObjectTag:
			if id, _, err = parseTagTarget(data, g.hash); err != nil {
				return ObjectID{}, err
			}
		case k == ObjectCommit && kind == ObjectTree:
			h, err := parseCommitHead(data, g.hash)
			return h.tree, err
		default:
			return ObjectID{}, fmt.Errorf("object %s is a %s, not a %s: %w", id, k, kind, ErrNoRef)
		}
	}
	return ObjectID{}, fmt.Errorf("tags of tags: %w", ErrLimit)
}
