package scan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"penstock"
	"penstock/internal/source"
	"penstock/internal/syntax"
)

// headSize is how much of a file is looked at to tell what it is.
const headSize = 8 << 10

// pass is one run inside the worker.
type pass struct {
	job     job
	engines []*runner
	limits  Limits
	hide    func(path string, b []byte) []penstock.Span
	roots   []*openRoot
	bytes   *gate // bounds the bytes of files in memory
	exclude *source.Ignore
}

// openRoot is a root of the job, opened.
type openRoot struct {
	jobRoot
	index int // among the job's roots
	root  *source.Root
	git   *source.Repository
	sides *sides          // for a root with a view
	dirs  *source.GitDirs // for one whose history is read
	stdin *source.File
	cache *cursor
	seen  *seenSet // for one whose history is read
	// known are the indices of units that are as the cache has them, not yet
	// told to the parent.
	known []byte
	last  int
}

// runner is one selected engine. It opens when the first file needs it, since a
// run whose files are all cached needs no engine.
type runner struct {
	engine penstock.Engine
	bit    uint64
	setup  penstock.Setup
	once   sync.Once
	opened bool
	pass   penstock.Pass
	err    error
}

func (r *runner) open(ctx context.Context) (penstock.Pass, error) {
	r.once.Do(func() {
		r.opened = true
		r.pass, r.err = r.engine.Open(ctx, r.setup)
	})
	return r.pass, r.err
}

// gate is a counting semaphore over bytes.
type gate struct {
	mu   sync.Mutex
	cond sync.Cond
	free int64
	all  int64
}

func newGate(n int64) *gate {
	g := &gate{free: n, all: n}
	g.cond.L = &g.mu
	return g
}

func (g *gate) take(n int64) int64 {
	n = min(n, g.all)
	g.mu.Lock()
	for g.free < n {
		g.cond.Wait()
	}
	g.free -= n
	g.mu.Unlock()
	return n
}

func (g *gate) give(n int64) {
	g.mu.Lock()
	g.free += n
	g.mu.Unlock()
	g.cond.Broadcast()
}

// scratch is what one goroutine reuses from file to file.
type scratch struct{ buf []byte }

// keepScratch bounds what is kept; larger buffers go back to the collector.
const keepScratch = 2 << 20

// content is a file or member ready to be looked at.
type content struct {
	path string
	info penstock.FileInfo
	// bytes is the whole, or nil for a file that is read in segments through
	// reopen.
	bytes  []byte
	reopen func() (io.Reader, error)
	// random reads a container on disk; nil means bytes.
	random io.ReaderAt
	size   int64
	tree   *tree
	// readErr is why reading in segments ended early.
	readErr error
}

// reason classes an error of reading the content.
func (c *content) reason(err error) penstock.Reason {
	if c.info.Member {
		return source.MemberReason(err)
	}
	return source.Reason(err)
}

// file reads and analyses one file of a root and returns its unit.
// It reports false for one that the base of a comparison has with the same bytes.
func (p *pass) file(ctx context.Context, t task, s *scratch) (u unit, differs bool) {
	if !t.blob.IsZero() {
		return p.blob(ctx, t), true
	}
	root, name, st := t.root, t.name, t.stat
	u = unit{path: root.Prefix + name, size: st.Size, stat: st}
	if st.Size > p.limits.FileSize {
		u.state, u.reason = penstock.Excluded, penstock.ReasonSize
		u.detail = fmt.Sprintf("larger than the limit of %d bytes", p.limits.FileSize)
		return u, true
	}
	info := penstock.FileInfo{Size: st.Size, Executable: st.Executable()}
	if st.Size == 0 {
		// Nothing to read, but a rule may be about the name alone.
		if root.sides != nil && root.unchanged(name, 0, bytes.NewReader(nil)) {
			return u, false
		}
		return p.analyse(ctx, u, content{path: u.path, info: info, bytes: []byte{}, tree: p.tree(root)}), true
	}
	weight := p.bytes.take(min(st.Size, p.limits.WholeSize))
	defer p.bytes.give(weight)
	f, opened, err := root.root.Open(name)
	if err != nil {
		return u.unread(source.Reason(err), err), true
	}
	defer f.Close()
	u.stat, u.size = opened, opened.Size
	c := content{path: u.path, info: info, size: opened.Size, random: f, tree: p.tree(root)}
	c.info.Size = opened.Size
	var sum hash.Hash
	if opened.Size <= p.limits.WholeSize {
		if c.bytes, err = s.read(f, opened.Size); err != nil {
			return u.unread(source.Reason(err), err), true
		}
		if int64(len(c.bytes)) != opened.Size {
			return u.unread(penstock.ReasonChanged, errors.New("its size changed while it was read")), true
		}
		if root.sides != nil && root.unchanged(name, opened.Size, bytes.NewReader(c.bytes)) {
			return u, false
		}
		if p.job.Hash {
			u.hash = digestBytes(c.bytes)
			if t.known != nil && t.known.hash == u.hash && p.depsHold(t.known.deps) {
				t.known.stat = opened
				return *t.known, true
			}
		}
	} else {
		if root.sides != nil && root.unchanged(name, opened.Size, io.NewSectionReader(f, 0, opened.Size)) {
			return u, false
		}
		if p.job.Hash {
			sum = sha256.New()
		}
		first := true
		c.reopen = func() (io.Reader, error) {
			r := io.Reader(io.NewSectionReader(f, 0, opened.Size))
			if first && sum != nil {
				r = io.TeeReader(r, sum)
			}
			first = false
			return r, nil
		}
	}
	u = p.analyse(ctx, u, c)
	if sum != nil && u.state == penstock.Scanned {
		sum.Sum(u.hash[:0])
	}
	after, err := f.Stat()
	if err != nil || !after.Same(opened) {
		return u.unread(penstock.ReasonChanged, errors.New("it changed while it was read")), true
	}
	u.deps = append(u.deps, c.tree.deps...)
	return u, true
}

// read fills the buffer with at most one byte more than the file should have.
func (s *scratch) read(r io.Reader, size int64) ([]byte, error) {
	buf := s.buf
	if int64(cap(buf)) < size+1 {
		buf = make([]byte, size+1, max(size+1, 64<<10))
		if cap(buf) <= keepScratch {
			s.buf = buf
		}
	}
	buf = buf[:size+1]
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return buf[:n], nil
}

func digestBytes(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest(sum[:16])
}

func (u unit) unread(r penstock.Reason, err error) unit {
	u.state, u.reason, u.detail = penstock.Unread, r, detail(err)
	u.hash = digest{}
	return u
}

// detail is an error without the paths of this machine.
func detail(err error) string {
	const most = 300
	s := err.Error()
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// wants asks the engines, opening them on the first call.
func (p *pass) wants(ctx context.Context, path string, info penstock.FileInfo) (bool, error) {
	any := false
	for _, r := range p.engines {
		engine, err := r.open(ctx)
		if err != nil {
			return false, err
		}
		any = any || engine.Wants(path, info)
	}
	return any, nil
}

// analyse tells what the content is and gives it to the engines or, if it is a
// container, takes it apart.
func (p *pass) analyse(ctx context.Context, u unit, c content) unit {
	col := &collector{path: c.path, limit: p.limits.FindingsPerRule}
	budget := source.NewBudget(p.archiveLimits())
	u.state, u.reason, u.detail, u.engines = p.look(ctx, &c, col, budget)
	col.overflow()
	records, err := encodeRecords(col.records)
	if err != nil {
		return u.unread(penstock.ReasonCrash, err)
	}
	u.records = records
	if u.state == penstock.Unread {
		u.hash = digest{}
	}
	for _, r := range col.records {
		if cov, ok := r.(*penstock.Coverage); ok && cov.State == penstock.Unread {
			u.hash = digest{} // try again next time
		}
	}
	return u
}

func (p *pass) archiveLimits() source.Limits {
	return source.Limits{
		Depth: p.limits.ArchiveDepth, Entries: p.limits.ArchiveEntries,
		Bytes: p.limits.ArchiveBytes, Ratio: p.limits.ArchiveRatio,
	}
}

// look is analyse for one content, which may be a member. What is inside of it
// goes to the collector.
func (p *pass) look(ctx context.Context, c *content, col *collector, budget *source.Budget) (penstock.State, penstock.Reason, string, uint64) {
	head, err := c.head()
	if err != nil {
		return penstock.Unread, source.Reason(err), detail(err), 0
	}
	// What lies in a container has been taken apart by source already.
	if kind := source.Detect(c.path, head); kind != source.KindNone && !c.info.Member {
		if !kind.Supported() {
			return penstock.Excluded, penstock.ReasonBinary, kind.NotOpened(), 0
		}
		return p.expand(ctx, c, kind, col, budget)
	}
	if source.LFSPointer(head, c.size) {
		return penstock.Excluded, penstock.ReasonLFS, "", 0
	}
	enc := source.Text(head)
	c.info.Binary = enc == source.Binary
	if !c.info.Binary && c.bytes != nil && enc != source.UTF8 {
		c.bytes = source.ToUTF8(nil, c.bytes, enc)
	}
	engines, crash := p.engine(ctx, c, enc, col)
	switch {
	case crash != nil:
		return penstock.Unread, penstock.ReasonCrash, detail(crash), engines
	case engines != 0:
		return penstock.Scanned, "", "", engines
	case c.size == 0:
		return penstock.Excluded, penstock.ReasonEmpty, "", 0
	case c.info.Binary:
		return penstock.Excluded, penstock.ReasonBinary, "", 0
	default:
		return penstock.Excluded, penstock.ReasonNotWanted, "", 0
	}
}

func (c *content) head() ([]byte, error) {
	if c.bytes != nil {
		return c.bytes[:min(len(c.bytes), headSize)], nil
	}
	r, err := c.peek()
	if err != nil {
		return nil, err
	}
	b := make([]byte, headSize)
	n, err := io.ReadFull(r, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// peek reads from the start without counting as the reading.
func (c *content) peek() (io.Reader, error) {
	if c.random != nil {
		return io.NewSectionReader(c.random, 0, c.size), nil
	}
	return nil, errors.New("cannot be read twice")
}

// expand visits the members of a container.
func (p *pass) expand(ctx context.Context, c *content, kind source.Kind, col *collector, budget *source.Budget) (penstock.State, penstock.Reason, string, uint64) {
	random := c.random
	if c.bytes != nil {
		random = bytes.NewReader(c.bytes)
	}
	var engines uint64
	cover := func(cov penstock.Coverage) { col.records = append(col.records, &cov) }
	visit := func(m source.Member) error {
		state, reason, why, by := p.member(ctx, m, c.tree, col, budget)
		engines |= by
		cover(penstock.Coverage{Path: m.Path, Size: max(m.Size, 0), State: state, Reason: reason, Detail: why, Engines: p.names(by)})
		return ctx.Err()
	}
	if err := source.Expand(ctx, c.path, kind, random, c.size, budget, visit, cover); err != nil {
		return penstock.Unread, penstock.ReasonArchive, detail(err), engines
	}
	for _, n := range budget.Notes() {
		col.records = append(col.records, &n)
	}
	// A container counts as read by every engine: what it holds is accounted for
	// member by member.
	return penstock.Scanned, "", "", p.allBits()
}

// member reads one member of a container. Members that are containers have been
// taken apart by source already.
func (p *pass) member(ctx context.Context, m source.Member, t *tree, col *collector, budget *source.Budget) (penstock.State, penstock.Reason, string, uint64) {
	info := penstock.FileInfo{Size: max(m.Size, 0), Executable: m.Executable, Member: true}
	wanted, err := p.wants(ctx, m.Path, info)
	if err != nil {
		return penstock.Unread, penstock.ReasonCrash, detail(err), 0
	}
	if !wanted {
		return penstock.Excluded, penstock.ReasonNotWanted, "", 0
	}
	if m.Size != 0 && source.Text(m.Head) == source.Binary {
		// Not unpacked, unless an engine reads such files.
		info.Binary = true
		if wanted, err = p.wants(ctx, m.Path, info); err == nil && !wanted {
			return penstock.Excluded, penstock.ReasonBinary, "", 0
		}
	}
	c := content{path: m.Path, info: info, size: m.Size, tree: t}
	var whole bytes.Buffer
	if m.Size > 0 && m.Size <= p.limits.WholeSize {
		whole.Grow(int(m.Size))
	}
	_, err = io.Copy(&whole, io.LimitReader(m.Reader, p.limits.WholeSize+1))
	c.bytes = whole.Bytes()
	if err != nil {
		return penstock.Unread, source.MemberReason(err), detail(err), 0
	}
	if int64(len(c.bytes)) > p.limits.WholeSize {
		// The rest comes as it is unpacked; it can be read only once.
		c.bytes = nil
		c.random = onlyHead(bytes.Clone(whole.Bytes()[:headSize]))
		c.reopen = once(io.MultiReader(&whole, m.Reader))
	} else {
		c.size = int64(len(c.bytes))
	}
	if c.bytes == nil && c.size == 0 {
		c.bytes = []byte{}
	}
	inner := &collector{path: m.Path, limit: p.limits.FindingsPerRule}
	state, reason, why, by := p.look(ctx, &c, inner, budget)
	inner.overflow()
	col.records = append(col.records, inner.records...)
	return state, reason, why, by
}

func (p *pass) allBits() uint64 { return 1<<len(p.engines) - 1 }

// names lists the engines of a bit set, which is in the order of their names.
func (p *pass) names(bits uint64) []string { return engineNames(p.job.Engines, bits) }

func engineNames(all []string, bits uint64) []string {
	if bits == 0 {
		return nil
	}
	var names []string
	for i, name := range all {
		if bits&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// engine runs the engines on one content and returns those that read it whole.
func (p *pass) engine(ctx context.Context, c *content, enc source.Encoding, col *collector) (read uint64, crash error) {
	ig := &ignores{path: c.path, off: p.job.NoIgnores}
	f := p.newFile(c, enc, col, ig)
	for _, r := range p.engines {
		engine, err := r.open(ctx)
		if err != nil {
			return read, err
		}
		if !engine.Wants(c.path, c.info) {
			continue
		}
		col.engine, col.failed = r.engine.Name, false
		err = guard(func() error { return engine.File(ctx, f, col) })
		var broke *crashError
		switch {
		case errors.Is(err, penstock.ErrNotChecked):
			col.failed = true
		case errors.As(err, &broke):
			col.open = nil
			col.Report(&penstock.Coverage{Path: c.path, Size: c.size, State: penstock.Unread, Reason: penstock.ReasonCrash, Detail: broke.Error()})
		case errors.Is(err, penstock.ErrTooLarge):
			col.Report(&penstock.Coverage{Path: c.path, Size: c.size, State: penstock.Unread, Reason: penstock.ReasonBudget, Detail: detail(err)})
		case err != nil && err == c.readErr:
			col.Report(&penstock.Coverage{Path: c.path, Size: c.size, State: penstock.Unread, Reason: c.reason(err), Detail: detail(err)})
		case err != nil:
			col.Report(&penstock.Coverage{Path: c.path, Size: c.size, State: penstock.Unread, Reason: penstock.ReasonParse, Detail: detail(err)})
		}
		if c.bytes != nil {
			// Offsets are of the whole text from here on.
			whole := &piece{text: c.bytes}
			p.finishPiece(whole, col, ig)
		} else if n := len(col.open); n > 0 {
			// Their text is gone. An engine that does this is at fault, and what it
			// found must not be lost without a word.
			col.open = nil
			col.Report(&penstock.Coverage{Path: c.path, Size: c.size, State: penstock.Unread, Reason: penstock.ReasonCrash, Detail: fmt.Sprintf("%d findings were reported after their piece of the file", n)})
		}
		if !col.failed {
			read |= r.bit
		}
	}
	if c.bytes != nil && read != 0 && !c.info.Binary {
		p.endPiece(&piece{text: c.bytes}, col, ig)
	}
	return read, nil
}

// finishPiece completes the findings that lie in the piece.
func (p *pass) finishPiece(t *piece, col *collector, ig *ignores) {
	if len(col.open) == 0 {
		return
	}
	if ig.marks == nil {
		t.lines = syntax.NewLines(t.text)
		ig.read(t)
	}
	col.resolve(t, ig, p.hide, p.salt())
}

// endPiece notes the ignores that covered nothing.
func (p *pass) endPiece(t *piece, col *collector, ig *ignores) {
	if ig.marks == nil && !ig.off && bytes.Contains(t.text, ignoreMarker) {
		t.lines = syntax.NewLines(t.text)
		ig.read(t)
	}
	if len(ig.marks) > 0 {
		col.records = append(col.records, ig.unused(p.ranHere)...)
	}
	ig.marks = nil
}

// salt is the key of features, nil where nothing is to be known again: the run is
// compared with no baseline, and no root has two sides or a history.
func (p *pass) salt() []byte {
	s := p.job.Setup.Salt
	if len(s) == 0 && slices.ContainsFunc(p.job.Roots, func(r jobRoot) bool { return r.View != nil }) {
		s = p.job.Setup.Key
	}
	return s
}

// ranHere reports whether an engine has said all about a file that it has to say.
func (p *pass) ranHere(engine string) bool {
	for _, r := range p.engines {
		if r.engine.Name == engine && r.engine.PerFile {
			return true
		}
	}
	return false
}

// newFile makes the engines' view of a content.
func (p *pass) newFile(c *content, enc source.Encoding, col *collector, ig *ignores) *penstock.File {
	load := func() ([]byte, error) {
		if c.bytes == nil {
			return nil, penstock.ErrTooLarge
		}
		return c.bytes, nil
	}
	var segments func(size, overlap int) iter.Seq2[penstock.Segment, error]
	if c.bytes == nil {
		segments = func(size, overlap int) iter.Seq2[penstock.Segment, error] {
			return p.segments(c, enc, col, ig, size, overlap)
		}
	}
	f := penstock.NewFile(c.path, c.info, load, segments)
	f.Tree = c.tree
	return f
}

// segments reads a large content piece by piece. The findings of a piece are
// completed before the next one takes its place.
func (p *pass) segments(c *content, enc source.Encoding, col *collector, ig *ignores, size, overlap int) iter.Seq2[penstock.Segment, error] {
	return func(yield func(penstock.Segment, error) bool) {
		r, err := c.reopen()
		if err != nil {
			yield(penstock.Segment{}, err)
			return
		}
		if enc != source.UTF8 {
			r = source.NewUTF8Reader(r, enc)
		}
		buf := make([]byte, size+overlap)
		at := &piece{}
		kept := 0 // bytes of buf that were in the piece before
		for {
			n, err := io.ReadFull(r, buf[kept:])
			last := err == io.EOF || err == io.ErrUnexpectedEOF
			if err != nil && !last {
				c.readErr = err
				yield(penstock.Segment{}, err)
				return
			}
			at.text = buf[:kept+n]
			if !yield(penstock.Segment{Base: at.base, Bytes: at.text, Fresh: kept, Last: last}, nil) {
				p.finishPiece(at, col, ig)
				return
			}
			p.finishPiece(at, col, ig)
			p.endPiece(at, col, ig)
			if last {
				return
			}
			drop := len(at.text) - overlap
			at.advance(drop)
			kept = copy(buf, at.text[drop:])
		}
	}
}

// advance moves the piece's start by n bytes.
func (p *piece) advance(n int) {
	lines := syntax.NewLines(p.text)
	line, col := lines.Position(int64(n))
	if line == 1 {
		p.column += col - 1
	} else {
		p.column = col - 1
	}
	p.line += line - 1
	p.base += int64(n)
}

// crashError is a panic of an engine.
type crashError struct{ what string }

func (e *crashError) Error() string { return e.what }

// guard turns a panic into an error. The value is not shown: it could carry
// bytes of the file.
func guard(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &crashError{"the engine panicked: " + panicPlace(debug.Stack())}
		}
	}()
	return do()
}

// panicPlace is the first frame of ours below the panic, file and line.
func panicPlace(stack []byte) string {
	_, below, _ := strings.Cut(string(stack), "panic(")
	for line := range strings.Lines(below) {
		i := strings.Index(line, "/internal/")
		if i < 0 || !strings.Contains(line, ".go:") {
			continue
		}
		place, _, _ := strings.Cut(strings.TrimSpace(line[i+1:]), " +0x")
		return place
	}
	return "in a library"
}

// tree reads other files for one unit and remembers them.
type tree struct {
	p    *pass
	root *openRoot
	// read reads a file of the root's folder; nil reads the folder itself.
	read func(name string) ([]byte, error)
	// limit bounds how many files are read, 0 is treeLimit.
	limit int
	mu    sync.Mutex
	deps  []dep
}

func (p *pass) tree(root *openRoot) *tree { return &tree{p: p, root: root} }

// treeLimit bounds how many files one file may draw in.
const treeLimit = 1000

// Read implements penstock.Tree.
func (t *tree) Read(path string) ([]byte, error) {
	name, ok := strings.CutPrefix(path, t.root.Prefix)
	read := t.read
	if read == nil && t.root.root != nil {
		read = func(name string) ([]byte, error) { return t.p.readWhole(t.root, name) }
	}
	if !ok || read == nil {
		return nil, fmt.Errorf("%s is not in the scanned tree", path)
	}
	b, err := read(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit := cmp.Or(t.limit, treeLimit); len(t.deps) >= limit {
		return nil, fmt.Errorf("more than %d other files are needed", limit)
	}
	t.deps = append(t.deps, dep{path: path, hash: depHash(b, err)})
	return b, err
}

func depHash(b []byte, err error) digest {
	if err != nil {
		return digest{} // its absence is what the result depends on
	}
	return digestBytes(b)
}

func (p *pass) readWhole(root *openRoot, name string) ([]byte, error) {
	f, st, err := root.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size > p.limits.WholeSize {
		return nil, penstock.ErrTooLarge
	}
	return io.ReadAll(io.LimitReader(f, p.limits.WholeSize))
}

// depsHold reports whether the other files that a result depends on are the same.
func (p *pass) depsHold(deps []dep) bool {
	for _, d := range deps {
		held := false
		for _, root := range p.roots {
			if name, ok := strings.CutPrefix(d.path, root.Prefix); ok && root.root != nil {
				held = depHash(p.readWhole(root, name)) == d.hash
				break
			}
		}
		if !held {
			return false
		}
	}
	return true
}
