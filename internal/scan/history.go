package scan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
	"penstock/internal/source"
)

// The scan of a history has three steps. First the commits are walked, the oldest
// first, and what each of them brought in is gathered: pairs of a blob and a path.
// Then each pair is sieved: the engines say which flaws it holds, by their Group and
// without snippets. Last, of each flaw at each path the oldest commit is analysed like
// any file, which gives the finding that is reported.
//
// Looking only at what is new in a version, by the copies of its delta, was tried: with
// an engine that remembers (Setup.Repeats) it saves no time, and it misses what depends
// on text further away.

// Bounds of one history, so that a hostile one cannot take all memory. A run that
// meets one says so and is incomplete.
const (
	maxPairs     = 8_000_000
	maxPathBytes = 256 << 20
	maxSights    = 1 << 20 // flaws times paths
	maxPathLen   = 4 << 10 // bytes; git itself checks out no longer ones
	// maxUnreadShown bounds the records of single files that could not be read.
	maxUnreadShown = 1000
	// maxReaders bounds the goroutines that read a history: each has caches.
	maxReaders = 8
	// planFrom is how many blobs must be wanted for reading the packs in their own
	// order to pay.
	planFrom = 2000
)

// Paths of texts that no file holds. No file of a tree can be named like that: git
// refuses .git, and so do we.
const (
	messageName = ".git/COMMIT_EDITMSG"
	tagName     = ".git/TAG_EDITMSG"
)

// commitDigits are the digits of a commit's id that a path begins with.
const commitDigits = 12

// commitPath is the path of a file as a commit has it.
func commitPath(id source.ObjectID, path string) string {
	return id.String()[:commitDigits] + ":" + path
}

// cutCommit cuts the commit off a path.
func cutCommit(path string) (commit, rest string, ok bool) {
	if len(path) <= commitDigits || path[commitDigits] != ':' || strings.Trim(path[:commitDigits], "0123456789abcdef") != "" {
		return "", path, false
	}
	return path[:commitDigits], path[commitDigits+1:], true
}

// pair is a blob at a path.
type pair struct {
	blob, path int32
	commit     int32 // the oldest that has it
	next       int32 // pair of the same blob, -1 for none
	run        bool  // the file is executable
}

// flaw identifies a finding across versions: a hash of its rule or, for built-in
// rules, of the engine, and of its Group. Marked is one that an inline ignore covers.
type flaw struct {
	what   [16]byte
	marked bool
}

func flawOf(rule, group string, marked bool) flaw {
	name, _, _ := strings.Cut(rule, "/")
	if name == "user" {
		name = rule
	}
	sum := sha256.Sum256([]byte(name + "\x00" + group))
	return flaw{[16]byte(sum[:16]), marked}
}

// sightKey is a flaw at a path.
type sightKey struct {
	flaw
	path int32
}

// history is the scan of one repository's history, in the worker.
type history struct {
	w    *worker
	p    *pass
	root *openRoot
	ctx  context.Context
	stop func() bool
	dirs *source.GitDirs
	git  *source.Git
	log  *source.Log
	old  *seenSet // what an earlier run knows, nil for nothing
	// The commits of the log, and those that old names, in their order; fresh is
	// how many are of the log.
	commits []commitRef
	fresh   int
	start   []source.ObjectID        // where the walk started
	same    map[source.ObjectID]bool // tips that are as they were
	tags    []source.Tag             // not known before
	cut     bool

	paths   []string // within the root
	pathAt  map[string]int32
	skipped []bool // of each path: an exclude glob has it
	blobs   []source.ObjectID
	first   []int32 // of each blob, its first pair
	blobAt  map[source.ObjectID]int32
	pairs   []pair
	have    map[uint64]int32 // blob and path to pair
	size    int              // bytes of paths

	steps  atomic.Int64 // blobs that were looked at
	mu     sync.Mutex
	totals historyTotals
	sights map[sightKey]int32 // the pair of the oldest commit that has it
	unread []unreadPair
	notes  map[penstock.Note]bool
	found  map[sightKey]*confirmed
	lists  bool // a rule file may have an allow-list that names commits
}

// unreadPair is a pair that could not be read whole.
type unreadPair struct {
	pair   int32
	member string
	reason penstock.Reason
	detail string
}

// historyTotals counts pairs, each a file at one path.
type historyTotals struct {
	Commits  int                     `json:"commits"`
	Files    int                     `json:"files"`
	Scanned  int                     `json:"scanned"`
	Excluded int                     `json:"excluded"`
	Unread   int                     `json:"unread"` // those without a record of their own
	Bytes    int64                   `json:"bytes"`
	ByReason map[penstock.Reason]int `json:"byReason,omitempty"`
	ByEngine map[string]int          `json:"byEngine,omitempty"`
}

func (t *historyTotals) add(u *historyTotals) {
	t.Commits += u.Commits
	t.Files += u.Files
	t.Scanned += u.Scanned
	t.Excluded += u.Excluded
	t.Bytes += u.Bytes
	for k, n := range u.ByReason {
		t.ByReason[k] += n
	}
	for k, n := range u.ByEngine {
		t.ByEngine[k] += n
	}
}

// historyEnd is what the worker says last about a history.
type historyEnd struct {
	Totals historyTotals `json:"totals"`
	// Order are the ids of the commits that findings name, the oldest first.
	Order []string `json:"order,omitempty"`
	Root  int      `json:"root"`
}

// history scans the history of a root's repository.
func (w *worker) history(ctx context.Context, p *pass, root *openRoot, stop func() bool) error {
	debug.SetGCPercent(50)
	h := &history{
		w: w, p: p, root: root, ctx: ctx, stop: stop, dirs: root.dirs,
		pathAt: make(map[string]int32), blobAt: make(map[source.ObjectID]int32), have: make(map[uint64]int32),
		sights: make(map[sightKey]int32), notes: make(map[penstock.Note]bool),
	}
	h.totals.ByReason = make(map[penstock.Reason]int)
	h.totals.ByEngine = make(map[string]int)
	h.lists = slices.ContainsFunc(p.job.Setup.RuleFiles, func(f penstock.RuleFile) bool { return bytes.Contains(f.Data, []byte("commits")) })
	var err error
	if h.git, err = source.OpenGit(h.dirs); err != nil {
		return &penstock.Error{Message: "read the repository", Err: err}
	}
	defer func() { h.git.Close() }()
	if err := h.gather(); err != nil {
		return &penstock.Error{Message: "walk the history", Err: err}
	}
	// What the walk had in its caches is not needed to read blobs.
	h.log = nil
	for _, n := range h.git.Notes() {
		h.note("git", false, "%s", n)
	}
	h.git.Close()
	if h.git, err = source.OpenGit(h.dirs); err != nil {
		return &penstock.Error{Message: "read the repository", Err: err}
	}
	if err := h.sieve(); err != nil || stop() {
		return err
	}
	end, err := h.report()
	if err != nil || stop() {
		return err
	}
	var records []penstock.Record
	for n := range h.notes {
		records = append(records, &n)
	}
	if err := w.records(frameRecords, records); err != nil {
		return err
	}
	end.Root = root.index
	b, err := json.Marshal(end)
	if err != nil {
		return err
	}
	w.frame(frameHistory, b)
	if p.job.Hash && root.View.remembers() {
		if b := h.remember(); b != nil && len(b) < maxFrame {
			w.frame(frameSeen, append(binary.AppendUvarint(nil, uint64(root.index)), b...))
		}
	}
	return nil
}

// note says something about the run, once.
func (h *history) note(code string, incomplete bool, format string, args ...any) {
	const most = 200
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.notes) < most {
		h.notes[penstock.Note{Code: code, Message: fmt.Sprintf(format, args...), Incomplete: incomplete}] = true
	}
}

// gather walks the commits and lists what they brought in.
func (h *history) gather() error {
	if err := h.tips(); err != nil {
		return err
	}
	at := make(map[source.ObjectID]int32, len(h.commits))
	for i, c := range h.commits {
		at[c.id] = int32(i)
	}
	whole := h.root.Sub == "" && h.root.File == ""
	// The newest first: packs hold older trees as deltas of newer ones.
	for i := len(h.log.Commits) - 1; i >= 0 && !h.stop(); i-- {
		id := h.log.Commits[i].ID
		commit := at[id]
		err := h.log.Introduced(i, func(f source.TreeFile) error { return h.add(commit, f) }, func(path string, err error) error {
			if errors.Is(err, source.ErrLimit) {
				return err
			}
			h.note("history-folder", true, "folders of the history cannot be read: %s", detail(err))
			return nil
		})
		if err == nil && whole {
			err = h.put(commit, messageName, id, false)
		}
		if errors.Is(err, source.ErrLimit) {
			h.note("history-limit", true, "the history is too large to be read whole: %s", detail(err))
			break
		}
		if err != nil {
			return err
		}
	}
	for _, t := range h.tags {
		if i, ok := at[t.Commit]; whole && ok {
			if err := h.put(i, tagName, t.ID, false); err != nil {
				break
			}
		}
	}
	for _, u := range h.old.unreads() {
		// Perhaps it can be read by now.
		if err := h.put(at[u.commit.id], u.path, u.blob, u.run); err != nil {
			return err
		}
	}
	return nil
}

// tips finds out where the walk starts and stops, and makes the list of commits.
func (h *history) tips() error {
	view := h.root.View
	tips, err := parseIDs(view.Tips)
	if err != nil {
		return err
	}
	stop, err := parseIDs(view.Stop)
	if err != nil {
		return err
	}
	h.old = h.root.seen
	if len(tips) == 0 {
		var same []source.ObjectID
		tips, h.tags, same, err = h.git.Tips(h.old.knows, func(name string, err error) {
			h.note("history-ref", false, "a reference leads to nothing that can be read: %s", detail(err))
		})
		if err != nil {
			return err
		}
		if h.old != nil {
			return h.goOn(tips, same)
		}
	}
	return h.walk(tips, stop)
}

// walk reads the commits between tips and stop, or what an earlier run knows.
func (h *history) walk(tips, stop []source.ObjectID) error {
	h.start = tips
	var err error
	h.log, err = h.git.Log(tips, stop, h.old.stops(), h.old.orders(), func(id source.ObjectID, err error) error {
		h.note("history-commit", true, "a commit cannot be read, nor what lies before it: %s", detail(err))
		return nil
	})
	if err != nil {
		return err
	}
	if h.log.Cut {
		h.cut = true
		h.note("history-shallow", false, "the clone is shallow: the history before it was not read")
	}
	for _, c := range h.log.Commits {
		h.commits = append(h.commits, commitRef{c.ID, c.Order, c.Time})
	}
	h.fresh = len(h.commits)
	h.commits = append(h.commits, h.old.commits()...)
	h.sortCommits()
	return nil
}

// commitRef is a commit and its place in the order of history.
type commitRef struct {
	id    source.ObjectID
	order int64
	time  int64
}

func parseIDs(list []string) ([]source.ObjectID, error) {
	var ids []source.ObjectID
	for _, s := range list {
		id, err := source.ParseObjectID(s)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// add takes a file that a commit brought in.
func (h *history) add(commit int32, f source.TreeFile) error {
	name, ok := h.root.in(f.Path)
	if !ok {
		return nil
	}
	switch {
	case f.Kind() == source.IndexSymlink:
		h.exclude(penstock.ReasonSymlink)
		return nil
	case f.Kind() == source.IndexSubmodule:
		h.exclude(penstock.ReasonSubmodule)
		return nil
	case f.Unsafe != "" || len(name) > maxPathLen:
		// Whoever can name a file like that must not hide anything in it.
		h.note("history-unsafe", true, "a file was not read, for its name must not be made a path: %s", cmp.Or(f.Unsafe, "too long"))
		h.totals.Files++
		h.totals.Unread++
		h.totals.ByReason[penstock.ReasonUnsafeName]++
		return nil
	}
	return h.put(commit, name, f.ID, f.Mode&0o111 != 0)
}

func (h *history) exclude(r penstock.Reason) {
	h.totals.Files++
	h.totals.Excluded++
	h.totals.ByReason[r]++
}

// put notes that a commit has a blob at a path.
func (h *history) put(commit int32, name string, id source.ObjectID, run bool) error {
	path, err := h.pathOf(name)
	if err != nil {
		return err
	}
	blob, known := h.blobAt[id]
	if !known {
		blob = int32(len(h.blobs))
		h.blobs = append(h.blobs, id)
		h.first = append(h.first, -1)
		h.blobAt[id] = blob
	}
	key := uint64(blob)<<32 | uint64(path)
	if at, known := h.have[key]; known {
		if !h.skipped[path] {
			h.pairs[at].commit = min(h.pairs[at].commit, commit)
		}
		return nil
	}
	if h.skipped[path] {
		h.have[key] = 0
		if !h.old.counted(pairHash(id, name)) {
			h.exclude(penstock.ReasonExclude)
		}
		return nil
	}
	if len(h.pairs) >= maxPairs {
		return fmt.Errorf("more than %d versions of files: %w", maxPairs, source.ErrLimit)
	}
	at := int32(len(h.pairs))
	h.have[key] = at
	h.pairs = append(h.pairs, pair{blob: blob, path: path, commit: commit, next: h.first[blob], run: run})
	h.first[blob] = at
	return nil
}

// pathOf numbers a path.
func (h *history) pathOf(name string) (int32, error) {
	path, known := h.pathAt[name]
	if !known {
		if h.size += len(name) + 64; h.size > maxPathBytes {
			return 0, fmt.Errorf("more than %d bytes of paths: %w", maxPathBytes, source.ErrLimit)
		}
		path = int32(len(h.paths))
		h.paths = append(h.paths, name)
		h.pathAt[name] = path
		_, out := h.p.excludes(name)
		h.skipped = append(h.skipped, out)
	}
	return path, nil
}

// label is the path under which a pair is shown.
func (h *history) label(at int32) string {
	pr := &h.pairs[at]
	return commitPath(h.commits[pr.commit].id, h.root.Prefix+h.paths[pr.path])
}

// sieve reads all blobs.
func (h *history) sieve() error {
	read := make([]bool, len(h.blobs))
	killed, alone := setOf(h.p.job.Done), setOf(h.p.job.Alone)
	// What was in flight when an earlier worker died goes first, one at a time: if
	// one kills this worker, too, little is lost.
	if len(killed)+len(alone) > 0 {
		r := h.reader(h.git, 0)
		for at := range h.pairs {
			label := h.label(int32(at))
			pr := &h.pairs[at]
			switch {
			case killed[label]:
				pr.commit = -1 - pr.commit // has its unit
			case alone[label] && !read[pr.blob]:
				r.get(pr.blob)
				read[pr.blob] = true
			}
		}
		r.done()
	}
	wanted := 0
	for blob, first := range h.first {
		if first < 0 {
			read[blob] = true
		}
		if !read[blob] {
			wanted++
		}
	}
	var err error
	if wanted >= planFrom {
		err = h.planned(read)
	}
	if err != nil || h.stop() {
		return err
	}
	r := h.reader(h.git, 0)
	for blob := range h.blobs {
		if !read[blob] && !h.stop() {
			r.get(int32(blob))
		}
	}
	r.done()
	return h.p.openError()
}

// planned reads the blobs that are still wanted in the order of the packs.
func (h *history) planned(read []bool) error {
	plan, err := h.git.Plan(func(id source.ObjectID, _ source.ObjectKind) bool {
		blob, known := h.blobAt[id]
		return known && !read[blob]
	})
	if err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var readers sync.WaitGroup
	for slot := range min(h.p.job.Jobs, maxReaders) {
		readers.Go(func() {
			git, err := source.OpenGit(h.dirs)
			if err == nil {
				defer git.Close()
				r := h.reader(git, slot)
				defer r.done()
				for chunk := next.Add(1) - 1; int(chunk) < plan.Chunks() && err == nil && !h.stop(); chunk = next.Add(1) - 1 {
					err = git.Visit(plan, int(chunk), func(o *source.Object) error {
						blob := h.blobAt[o.ID]
						read[blob] = true // each belongs to one chunk
						r.object(blob, o)
						return nil
					})
				}
			}
			if err != nil {
				// What is not read now is read one by one.
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	readers.Wait()
	if err := failed.Load(); err != nil {
		h.note("git", false, "a part of the packs was read the slow way: %s", detail(*err))
	}
	return h.p.openError()
}

// reader sieves blobs on one goroutine.
type reader struct {
	h      *history
	git    *source.Git
	slot   int
	totals historyTotals
	sights map[sightKey]int32
	seen   sifter
	none   *tree
	// counts is whether the pair at hand is part of the totals.
	counts bool
}

func (h *history) reader(git *source.Git, slot int) *reader {
	r := &reader{h: h, git: git, slot: slot, sights: make(map[sightKey]int32)}
	r.totals.ByReason = make(map[penstock.Reason]int)
	r.totals.ByEngine = make(map[string]int)
	r.none = &tree{p: h.p, root: h.root, read: func(string) ([]byte, error) { return nil, fs.ErrNotExist }}
	return r
}

// done adds what the reader found to the history.
func (r *reader) done() {
	h := r.h
	h.mu.Lock()
	defer h.mu.Unlock()
	h.totals.add(&r.totals)
	for key, at := range r.sights {
		if !h.see(h.sights, key, at) {
			h.notes[penstock.Note{Code: "history-limit", Message: tooManySights, Incomplete: true}] = true
		}
	}
}

var tooManySights = fmt.Sprintf("more than %d flaws were found; the rest is left out", maxSights)

// see notes that a pair has a flaw. It reports false where there is no more room.
func (h *history) see(sights map[sightKey]int32, key sightKey, at int32) bool {
	old, known := sights[key]
	if !known && len(sights) >= maxSights {
		return false
	}
	if !known || h.pairs[at].commit < h.pairs[old].commit {
		sights[key] = at
	}
	return true
}

// get reads one blob by itself.
func (r *reader) get(blob int32) {
	o := source.Object{ID: r.h.blobs[blob]}
	o.Kind, o.Data, o.Err = r.git.Get(o.ID)
	r.object(blob, &o)
}

// outcome is how a pair ended: scanned, or excluded with a reason, or unread.
type outcome struct {
	state  penstock.State
	reason penstock.Reason
}

var wasScanned = outcome{state: penstock.Scanned}

// object sieves a blob, or the text of a commit or tag, at each of its paths.
func (r *reader) object(blob int32, o *source.Object) {
	h := r.h
	const step = 1 << 10
	if n := h.steps.Add(1); n%step == 0 {
		h.w.frame(frameStep, binary.AppendUvarint(nil, uint64(n)))
		h.w.flush()
	}
	for at := h.first[blob]; at >= 0; at = h.pairs[at].next {
		pr := &h.pairs[at]
		if pr.commit < 0 {
			pr.commit = -1 - pr.commit // it killed a worker, and has its unit
			continue
		}
		name := h.paths[pr.path]
		text := name == messageName || name == tagName
		err := o.Err
		if err == nil && (o.Kind == source.ObjectBlob) == text {
			err = fmt.Errorf("object %s is a %s: %w", o.ID, o.Kind, source.ErrCorrupt)
		}
		if err != nil {
			r.unread(at, "", gitReason(err), detail(err))
			continue
		}
		data := o.Data
		if text {
			data = source.TextOf(data)
		}
		r.counts = !text && (h.old == nil || !h.old.counted(pairHash(o.ID, name)))
		h.w.flight.begin(r.slot, h.label(at))
		end := r.pair(at, data)
		h.w.flight.end(r.slot)
		t := &r.totals
		switch {
		case !r.counts || end.state == penstock.Unread: // messages are no files, and the unread have records
		case end.state == penstock.Scanned:
			t.Files++
			t.Scanned++
			t.Bytes += int64(len(data))
		default:
			t.Files++
			t.Excluded++
			t.ByReason[end.reason]++
		}
	}
}

// unread notes a pair, or a member of it, that was not read whole.
func (r *reader) unread(at int32, member string, reason penstock.Reason, why string) outcome {
	h := r.h
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread = append(h.unread, unreadPair{at, member, reason, why})
	if len(h.unread) >= 2*maxUnreadShown {
		h.trimUnread()
	}
	return outcome{penstock.Unread, reason}
}

// trimUnread keeps the records of the first pairs and counts the rest.
func (h *history) trimUnread() {
	slices.SortFunc(h.unread, func(a, b unreadPair) int {
		return cmp.Or(cmp.Compare(a.pair, b.pair), cmp.Compare(a.member, b.member))
	})
	for _, u := range h.unread[min(len(h.unread), maxUnreadShown):] {
		h.totals.Files++
		h.totals.Unread++
		h.totals.ByReason[u.reason]++
	}
	h.unread = h.unread[:min(len(h.unread), maxUnreadShown)]
}

// pair sieves one text at one path.
func (r *reader) pair(at int32, data []byte) outcome {
	h, p := r.h, r.h.p
	pr := &h.pairs[at]
	path := h.root.Prefix + h.paths[pr.path]
	size := int64(len(data))
	if size > p.limits.FileSize {
		return outcome{penstock.Excluded, penstock.ReasonSize}
	}
	info := penstock.FileInfo{Size: size, Executable: pr.run}
	head := data[:min(len(data), headSize)]
	if size > p.limits.WholeSize || source.Detect(path, head) != source.KindNone || source.Text(head) != source.UTF8 {
		return r.special(at, path, data, info)
	}
	f := penstock.NewFile(path, info, func() ([]byte, error) { return data, nil }, nil)
	f.Tree = r.none
	read, err := r.engines(f, info)
	if err != nil {
		reason := penstock.ReasonParse
		var broke *crashError
		if errors.As(err, &broke) {
			reason = penstock.ReasonCrash
		}
		return r.unread(at, "", reason, detail(err))
	}
	for _, x := range r.seen.found {
		r.saw(sightKey{flawOf(x.rule, x.group, marked(data, x.start, x.end)), pr.path}, at)
	}
	switch why := r.seen.unread; {
	case why != nil:
		return r.unread(at, "", why.Reason, why.Detail)
	case read:
		return wasScanned
	case size == 0:
		return outcome{penstock.Excluded, penstock.ReasonEmpty}
	}
	return outcome{penstock.Excluded, penstock.ReasonNotWanted}
}

func (r *reader) saw(key sightKey, at int32) {
	if !r.h.see(r.sights, key, at) {
		r.h.note("history-limit", true, "%s", tooManySights)
	}
}

// engines runs the engines on a text and gathers in r.seen what they find.
func (r *reader) engines(f *penstock.File, info penstock.FileInfo) (read bool, err error) {
	r.seen.reset(r.h.p.limits.FindingsPerRule)
	for _, e := range r.h.p.engines {
		engine, err := e.open(r.h.ctx)
		if err != nil {
			return read, err
		}
		if !engine.Wants(f.Path, info) {
			continue
		}
		err = guard(func() error { return engine.File(r.h.ctx, f, &r.seen) })
		if err != nil {
			return read, err
		}
		if r.counts {
			r.totals.ByEngine[e.engine.Name]++
		}
		read = true
	}
	return read, nil
}

// special sieves what is no plain text: containers, other encodings, and what is too
// large to be held whole.
func (r *reader) special(at int32, path string, data []byte, info penstock.FileInfo) outcome {
	u := r.h.analyse(path, data, info)
	records, err := decodeRecords(u.records)
	if err != nil {
		return r.unread(at, "", penstock.ReasonCrash, detail(err))
	}
	members := 0
	for _, rec := range records {
		switch rec := rec.(type) {
		case *penstock.Finding:
			if rec.Group != "" {
				r.saw(sightKey{flawOf(rec.Rule, rec.Group, rec.Suppressed != nil), r.h.pairs[at].path}, at)
			}
		case *penstock.Coverage:
			const most = 10 // of one container
			if rec.State == penstock.Unread && u.state != penstock.Unread && members < most {
				members++
				r.unread(at, strings.TrimPrefix(rec.Path, path), rec.Reason, rec.Detail)
			}
		case *penstock.Note:
			if rec.Incomplete {
				r.h.note(rec.Code, true, "%s", rec.Message)
			}
		}
	}
	switch u.state {
	case penstock.Unread:
		return r.unread(at, "", u.reason, u.detail)
	case penstock.Scanned:
		for _, name := range r.h.p.names(u.engines) {
			if !r.counts {
				break
			}
			r.totals.ByEngine[name]++
		}
	}
	return outcome{u.state, u.reason}
}

// analyse is the closer look: that of the pass at any file.
func (h *history) analyse(path string, data []byte, info penstock.FileInfo) unit {
	c := content{
		path: path, size: info.Size, info: info,
		tree: &tree{p: h.p, root: h.root, read: func(string) ([]byte, error) { return nil, fs.ErrNotExist }},
	}
	if info.Size <= h.p.limits.WholeSize {
		if c.bytes = data; data == nil {
			c.bytes = []byte{}
		}
	} else {
		c.random = bytes.NewReader(data)
		c.reopen = func() (io.Reader, error) { return bytes.NewReader(data), nil }
	}
	return h.p.analyse(h.ctx, unit{path: path, size: info.Size}, c)
}

// marked reports whether an inline ignore may cover what stands at [start, end): a
// closer look tells.
func marked(b []byte, start, end int) bool {
	start, end = max(0, min(start, len(b))), max(0, min(end, len(b)))
	from := bytes.LastIndexByte(b[:start], '\n') + 1
	to := len(b)
	if i := bytes.IndexByte(b[end:], '\n'); i >= 0 {
		to = end + i
	}
	if bytes.Contains(b[from:to], gitleaksMark) {
		return true
	}
	if from > 0 {
		from = bytes.LastIndexByte(b[:from-1], '\n') + 1
	}
	return bytes.Contains(b[from:to], ignoreMarker)
}

// sifter keeps of what engines report only what tells flaws apart.
type sifter struct {
	found  []sifted
	counts map[string]int
	limit  int
	unread *penstock.Coverage
}

type sifted struct {
	rule, group string
	start, end  int
}

var _ penstock.Reporter = (*sifter)(nil)

func (s *sifter) reset(limit int) {
	s.found, s.unread, s.limit = s.found[:0], nil, limit
	clear(s.counts)
}

// Report implements penstock.Reporter.
func (s *sifter) Report(r penstock.Record) {
	switch r := r.(type) {
	case *penstock.Finding:
		if r.Group == "" {
			return // no version can be told from another
		}
		if s.counts == nil {
			s.counts = make(map[string]int)
		}
		if s.counts[r.Rule]++; s.counts[r.Rule] <= s.limit {
			s.found = append(s.found, sifted{r.Rule, r.Group, int(r.Location.Start), int(r.Location.End)})
		}
	case *penstock.Coverage:
		if r.State == penstock.Unread && s.unread == nil {
			s.unread = r
		}
	}
}

// sighted is a flaw with the pair that is to confirm it.
type sighted struct {
	key  sightKey
	pair int32
}

// confirmed is a flaw at a path: its first commit, and the findings there. It has none
// where an allow-list exempts what that commit brought.
type confirmed struct {
	commit   int32
	blob     source.ObjectID
	findings []*penstock.Finding
	head     source.ObjectID // what is checked out at the path, zero for nothing
	present  bool            // it has the flaw
}

func (c *confirmed) records() []penstock.Record {
	var records []penstock.Record
	for _, f := range c.findings {
		records = append(records, f)
	}
	return records
}

// report confirms what was seen, and sends it.
func (h *history) report() (*historyEnd, error) {
	h.found = make(map[sightKey]*confirmed)
	if err := h.recall(); err != nil {
		return nil, err
	}
	tasks := make([]sighted, 0, len(h.sights))
	for key, at := range h.sights {
		if f := h.found[key]; f == nil || h.pairs[at].commit < f.commit {
			tasks = append(tasks, sighted{key, at})
		}
	}
	h.confirm(tasks)
	for key, f := range h.found {
		other := key
		other.marked = false
		g := h.found[other]
		if !key.marked || g == nil || len(f.findings) > 0 && f.findings[0].Suppressed != nil {
			continue
		}
		// The marker counts for nothing: it is the same finding.
		if f.commit < g.commit {
			h.found[other] = f
		}
		delete(h.found, key)
	}
	h.look()
	return h.send()
}

func (k sightKey) compare(l sightKey) int {
	return cmp.Or(cmp.Compare(k.path, l.path), bytes.Compare(k.what[:], l.what[:]), boolCompare(k.marked, l.marked))
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// recall takes what an earlier run found.
func (h *history) recall() error {
	if h.old == nil {
		return nil
	}
	at := make(map[source.ObjectID]int32, len(h.commits))
	for i, c := range h.commits {
		at[c.id] = int32(i)
	}
	for i := range h.old.flaws {
		f := &h.old.flaws[i]
		path, err := h.pathOf(f.path)
		if err != nil {
			return err
		}
		records, err := decodeRecords(f.records)
		if err != nil {
			return err
		}
		c := &confirmed{commit: at[f.commit.id], head: f.head, present: f.present}
		for _, rec := range records {
			if f, ok := rec.(*penstock.Finding); ok && f.Commit != nil {
				c.findings = append(c.findings, f)
			}
		}
		h.found[sightKey{f.flaw, path}] = c
	}
	return nil
}

// confirm looks closer at pairs, each once, and keeps what is found of the flaws.
func (h *history) confirm(tasks []sighted) {
	slices.SortFunc(tasks, func(a, b sighted) int { return cmp.Compare(a.pair, b.pair) })
	for len(tasks) > 0 && !h.stop() {
		n := 1
		for n < len(tasks) && tasks[n].pair == tasks[0].pair {
			n++
		}
		at := tasks[0].pair
		found := h.closer(at)
		for _, t := range tasks[:n] {
			if list := found[t.key.flaw]; list != nil {
				h.keep(t.key, at, list)
				continue
			}
			h.note("history-unconfirmed", true, "a second look at %s does not find all that the first one did", h.label(at))
		}
		tasks = tasks[n:]
	}
}

// keep notes that a pair has a flaw indeed.
func (h *history) keep(key sightKey, at int32, findings []*penstock.Finding) {
	pr := &h.pairs[at]
	c := &confirmed{commit: pr.commit, blob: h.blobs[pr.blob]}
	path, label, commit := h.root.Prefix+h.paths[pr.path], h.label(at), h.commit(h.commits[pr.commit].id)
	for _, f := range findings {
		own, by := *f, commit
		own.Commit = &by
		moveTo(&own, path, label)
		c.findings = append(c.findings, &own)
	}
	h.found[key] = c
}

// closer analyses a pair and sorts what it has by flaw.
func (h *history) closer(at int32) map[flaw][]*penstock.Finding {
	pr := &h.pairs[at]
	name := h.paths[pr.path]
	_, data, err := h.git.Get(h.blobs[pr.blob])
	if err != nil {
		return nil // it was read before; confirm says that something changed
	}
	if name == messageName || name == tagName {
		data = source.TextOf(data)
	}
	h.w.flight.begin(0, h.label(at))
	defer h.w.flight.end(0)
	path, info := h.root.Prefix+name, penstock.FileInfo{Size: int64(len(data)), Executable: pr.run}
	found := h.flaws(path, data, info)
	if !h.lists || len(found) == 0 {
		return found
	}
	// An allow-list that names the commit exempts what came with it. The secret does
	// not then count as that of the commit after.
	info.Commit = h.commits[pr.commit].id.String()
	left := h.flaws(path, data, info)
	for key := range found {
		if left[key] == nil {
			found[key] = []*penstock.Finding{}
		}
	}
	return found
}

// flaws are those of a file.
func (h *history) flaws(path string, data []byte, info penstock.FileInfo) map[flaw][]*penstock.Finding {
	u := h.analyse(path, data, info)
	records, err := decodeRecords(u.records)
	if err != nil {
		return nil
	}
	found := make(map[flaw][]*penstock.Finding)
	for _, rec := range records {
		if f, ok := rec.(*penstock.Finding); ok && f.Group != "" {
			key := flawOf(f.Rule, f.Group, f.Suppressed != nil)
			found[key] = append(found[key], f)
		}
	}
	for key, list := range found {
		other := flaw{key.what, true}
		if !key.marked && found[other] == nil {
			// A marker may stand there without a reason, and count for nothing.
			found[other] = list
		}
	}
	return found
}

// look finds out which flaws the commit that is checked out still has, by path.
func (h *history) look() {
	head := source.ObjectID{}
	if ref, err := h.git.Ref("HEAD"); err == nil {
		if head, err = h.git.Peel(ref.ID, source.ObjectTree); err != nil {
			head = source.ObjectID{}
		}
	}
	blobs := make(map[int32]source.ObjectID)
	flaws := make(map[int32]map[flaw][]*penstock.Finding)
	for key, f := range h.found {
		name := h.paths[key.path]
		id, asked := blobs[key.path]
		if !asked && !head.IsZero() {
			if e, err := h.git.Entry(head, joinPath(h.root.Sub, name)); err == nil && e.Kind() == source.IndexFile {
				id = e.ID
			}
			blobs[key.path] = id
		}
		switch {
		case id.IsZero():
			f.present = false
		case id == f.blob:
			f.present = true
		case id == f.head: // as it was the last time
		default:
			if flaws[key.path] == nil {
				if _, data, err := h.git.Get(id); err == nil {
					flaws[key.path] = h.flaws(h.root.Prefix+name, data, penstock.FileInfo{Size: int64(len(data))})
				}
			}
			has := flaws[key.path]
			f.present = has[flaw{key.what, false}] != nil || has[flaw{key.what, true}] != nil
		}
		f.head = id
		for _, x := range f.findings {
			x.Commit.Present = f.present
		}
	}
}

// send gives what was confirmed to the parent, a unit for each version of a file.
func (h *history) send() (*historyEnd, error) {
	keys := make([]sightKey, 0, len(h.found))
	for key := range h.found {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b sightKey) int {
		return cmp.Or(cmp.Compare(h.found[a].commit, h.found[b].commit), strings.Compare(h.paths[a.path], h.paths[b.path]), a.compare(b))
	})
	end := new(historyEnd)
	last := int32(-1)
	for len(keys) > 0 {
		commit, path := h.found[keys[0]].commit, keys[0].path
		if commit != last {
			last = commit
			end.Order = append(end.Order, h.commits[commit].id.String())
		}
		var records []penstock.Record
		for len(keys) > 0 && keys[0].path == path && h.found[keys[0]].commit == commit {
			records = append(records, h.found[keys[0]].records()...)
			keys = keys[1:]
		}
		if len(records) == 0 {
			continue
		}
		b, err := encodeRecords(records)
		if err != nil {
			return nil, err
		}
		label := commitPath(h.commits[commit].id, h.root.Prefix+h.paths[path])
		h.w.unit(frameUnit, &unit{path: label, state: penstock.Scanned, engines: h.p.allBits(), records: b})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trimUnread()
	for _, u := range h.unread {
		h.w.unit(frameUnit, &unit{path: h.label(u.pair) + u.member, state: penstock.Unread, reason: u.reason, detail: u.detail})
	}
	h.totals.Commits = h.fresh
	if h.old != nil {
		h.totals.add(&h.old.totals)
	}
	end.Totals = h.totals
	return end, nil
}

// moveTo makes a finding in a file one in a commit's version of the file.
func moveTo(f *penstock.Finding, path, label string) {
	move := func(l *penstock.Location) {
		if rest, ok := strings.CutPrefix(l.Path, path); ok {
			l.Path = label + rest
		}
	}
	move(&f.Location)
	f.Places = slices.Clone(f.Places)
	for i := range f.Places {
		move(&f.Places[i])
	}
	f.Related, f.Trace = slices.Clone(f.Related), slices.Clone(f.Trace)
	for i := range f.Related {
		move(&f.Related[i].Location)
	}
	for i := range f.Trace {
		move(&f.Trace[i].Location)
	}
	if s := f.Suppressed; s != nil {
		own := *s
		if rest, ok := strings.CutPrefix(own.Place, path); ok {
			own.Place = label + rest
		}
		f.Suppressed = &own
	}
	if f.Fix != nil {
		// Old versions are not edited.
		own := *f.Fix
		own.Edits = nil
		if f.Fix = &own; len(own.Steps) == 0 {
			f.Fix = nil
		}
	}
}

// commit describes a commit. Its text is hostile, and may hold secrets of its own.
func (h *history) commit(id source.ObjectID) penstock.Commit {
	out := penstock.Commit{ID: id.String()}
	c, err := h.git.Commit(id)
	if err != nil {
		return out
	}
	line, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	out.Author, out.Mail, out.Summary = h.clean(c.Author.Name), h.clean(c.Author.Email), h.clean(strings.TrimSpace(line))
	if !c.Author.When.IsZero() {
		out.Time = c.Author.When.Format(time.RFC3339)
	}
	return out
}

// clean clips a text and blanks what is secret in it.
func (h *history) clean(s string) string {
	const most, look = 200, 2000
	s = s[:min(len(s), look)]
	if h.p.hide != nil {
		b := []byte(s)
		var out []byte
		at := 0
		spans := h.p.hide(messageName, b)
		slices.SortFunc(spans, func(a, b penstock.Span) int { return cmp.Compare(a.Start, b.Start) })
		for _, sp := range spans {
			if int(sp.Start) >= at && sp.End > sp.Start && int(sp.End) <= len(b) {
				out = append(append(out, b[at:sp.Start]...), "[redacted]"...)
				at = int(sp.End)
			} else if int(sp.End) > at && int(sp.End) <= len(b) {
				at = int(sp.End)
			}
		}
		s = string(append(out, b[at:]...))
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// checkID reports whether a text is a commit's id in full.
func checkID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64)
}
