package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"penstock"
	"penstock/internal/source"
)

// ViewKind says what of a repository is read.
type ViewKind string

const (
	// ViewRange compares the trees of two commits; the work tree plays no part.
	ViewRange ViewKind = "range"
	// ViewWorkTree compares the tree of a commit with the files of the work tree,
	// untracked ones included.
	ViewWorkTree ViewKind = "work-tree"
	// ViewStaged compares the tree of a commit with git's index.
	ViewStaged ViewKind = "staged"
	// ViewHistory reads all that commits brought in, each flaw once with the commit
	// that had it first. It compares nothing.
	ViewHistory ViewKind = "history"
)

// View is what of a git repository is read in place of all files below the roots:
// what differs between two versions, both of them, so that what is new can be told
// from what was there. Equal files are not looked at.
type View struct {
	Kind ViewKind `json:"kind"`
	// Repository is the folder that holds .git, or a bare repository. Every root
	// must lie in it.
	Repository string `json:"repository"`
	// Base and Head are commits, in full. No Base is an empty tree. Only ViewRange
	// has a Head.
	Base string `json:"base,omitempty"`
	Head string `json:"head,omitempty"`
	// Index is the name of git's index in the repository's own folder, for
	// ViewStaged: "index" but for the hooks of some commits.
	Index string `json:"index,omitempty"`
	// Tips and Stop are commits, in full, for ViewHistory: what is reachable from
	// Tips and not from Stop is read. No Tips are all refs and HEAD.
	Tips []string `json:"tips,omitempty"`
	Stop []string `json:"stop,omitempty"`
	// Alternates are folders of objects outside of the repository that may be read
	// if the repository names them; Objects are read in any case.
	Alternates []string `json:"alternates,omitempty"`
	Objects    []string `json:"objects,omitempty"`
}

// GitOptions are those by which the repository is found and read: the caches are
// small, since few objects are read twice.
func (v *View) GitOptions() source.GitOptions {
	pages := int64(8 << 20)
	if v.history() {
		pages = 24 << 20 // all indexes are asked about
	}
	return source.GitOptions{
		Alternates: func(dir string) bool {
			for _, a := range v.Alternates {
				if filepath.Clean(a) == filepath.Clean(dir) {
					return true
				}
			}
			return false
		},
		Objects: v.Objects, Cache: 16 << 20, Pages: pages, Scattered: !v.history(),
	}
}

func (v *View) base() string {
	if v == nil {
		return ""
	}
	if len(v.Stop) == 1 {
		return v.Stop[0]
	}
	return v.Base
}

func (v *View) head() string {
	if v == nil {
		return ""
	}
	if len(v.Tips) == 1 {
		return v.Tips[0]
	}
	return v.Head
}

func (v *View) history() bool { return v != nil && v.Kind == ViewHistory }

// remembers reports whether the next run builds on this one: only one of a whole
// history is sure to be followed by one of the same.
func (v *View) remembers() bool { return v.history() && len(v.Tips) == 0 && len(v.Stop) == 0 }

// basePrefix goes before the path of a unit of the base's side. No path of a walk
// or of a tree begins like that, so no file of the head can pass for one of the
// base, where it would count as known.
const basePrefix = "//base/"

// sides is a repository of which two versions are read.
type sides struct {
	view *View
	dirs *source.GitDirs
	mu   sync.Mutex // guards all below: a Git is not for concurrent use
	git  *source.Git
	base source.ObjectID // a tree, zero for an empty one
	head source.ObjectID // a tree, for ViewRange
	// staged is the index, for ViewStaged.
	staged []source.IndexEntry
	// For ViewWorkTree: old are the files of the base's tree that are not known to
	// be the same in the work tree, and came the new ones.
	old  map[string]source.TreeEntry
	seen map[string]bool // names of old that the work tree has
	came map[string]source.ObjectID
	// clean are the files of old that git's index holds as they are in the base,
	// and written is when it did.
	clean   map[string]source.IndexEntry
	written int64
	// sparse are files that git leaves out of the work tree on purpose and holds in
	// another version than the base.
	sparse []source.IndexEntry
}

// findSides opens the folders of the repository, while the worker may.
func findSides(v *View) (*sides, error) {
	dirs, err := source.FindGit(v.Repository, v.GitOptions())
	if err != nil {
		return nil, err
	}
	return &sides{view: v, dirs: dirs}, nil
}

// open reads what the comparison starts from.
func (s *sides) open() error {
	var err error
	if s.git, err = source.OpenGit(s.dirs); err != nil {
		return err
	}
	if s.base, err = s.tree(s.view.Base); err != nil {
		return fmt.Errorf("the base %s: %w", s.view.Base, err)
	}
	switch s.view.Kind {
	case ViewRange:
		if s.head, err = s.tree(s.view.Head); err != nil {
			return fmt.Errorf("the head %s: %w", s.view.Head, err)
		}
	case ViewStaged:
		if s.staged, _, err = s.dirs.Index(s.view.Index); err != nil {
			return fmt.Errorf("git's index: %w", err)
		}
	}
	return nil
}

func (s *sides) tree(commit string) (source.ObjectID, error) {
	if commit == "" {
		return source.ObjectID{}, nil
	}
	id, err := source.ParseObjectID(commit)
	if err != nil {
		return id, err
	}
	return s.git.Peel(id, source.ObjectTree)
}

// notes are what the repository's reader has to say.
func (s *sides) notes() []penstock.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []penstock.Record
	for _, n := range s.git.Notes() {
		records = append(records, &penstock.Note{Code: "git", Message: n})
	}
	return records
}

// in cuts a path of the repository to one of the root, or reports that it does not
// lie there.
func (r *openRoot) in(path string) (string, bool) {
	if r.File != "" {
		return r.File, path == joinPath(r.Sub, r.File)
	}
	if r.Sub == "" {
		return path, true
	}
	return strings.CutPrefix(path, r.Sub+"/")
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// changes offers what differs between two trees, or a tree and the index.
func (w *worker) changes(p *pass, root *openRoot, offer func(task), cover func(penstock.Coverage), stop func() bool) error {
	s := root.sides
	s.mu.Lock()
	var changes []source.Change
	var err error
	visit := func(c source.Change) error {
		if _, ok := root.in(c.Path); ok {
			changes = append(changes, c)
		}
		if stop() {
			return context.Canceled
		}
		return nil
	}
	if s.view.Kind == ViewStaged {
		err = s.git.DiffIndex(s.base, s.staged, visit)
	} else {
		err = s.git.Diff(s.base, s.head, visit)
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	for _, c := range changes {
		p.change(root, c, offer, cover)
	}
	return w.renames(root, changes)
}

// change offers both sides of one difference.
func (p *pass) change(root *openRoot, c source.Change, offer func(task), cover func(penstock.Coverage)) {
	name, _ := root.in(c.Path)
	if !c.New.ID.IsZero() {
		pattern, out := p.excludes(name)
		switch {
		case out:
			cover(penstock.Coverage{Path: name, State: penstock.Excluded, Reason: penstock.ReasonExclude, Detail: pattern})
		case c.New.Kind() == source.IndexSubmodule:
			cover(penstock.Coverage{Path: name, State: penstock.Excluded, Reason: penstock.ReasonSubmodule})
		case c.New.Kind() == source.IndexSymlink:
			cover(penstock.Coverage{Path: name, State: penstock.Excluded, Reason: penstock.ReasonSymlink})
		case c.Unsafe != "":
			cover(penstock.Coverage{Path: name, State: penstock.Unread, Reason: penstock.ReasonUnsafeName, Detail: c.Unsafe})
		default:
			offer(task{root: root, name: name, blob: c.New.ID, stat: source.Stat{Mode: c.New.Mode}})
		}
	}
	if c.Old.Kind() == source.IndexFile && c.Unsafe == "" {
		p.old(root, name, c.Old, offer)
	}
}

// old offers a file of the base.
func (p *pass) old(root *openRoot, name string, e source.TreeEntry, offer func(task)) {
	if _, out := p.excludes(name); !out {
		offer(task{root: root, name: name, blob: e.ID, stat: source.Stat{Mode: e.Mode}, base: true})
	}
}

// excludes reports whether --exclude leaves out a path, by itself or by one of the
// folders that it lies in.
func (p *pass) excludes(name string) (pattern string, out bool) {
	if p.exclude == nil {
		return "", false
	}
	for i := range name {
		if name[i] == '/' {
			if out, pattern := p.exclude.Match(name[:i], true); out {
				return pattern, true
			}
		}
	}
	out, pattern = p.exclude.Match(name, false)
	return pattern, out
}

// renames tells the parent which files moved as they are.
func (w *worker) renames(root *openRoot, changes []source.Change) error {
	moved := make(map[string]string)
	for _, c := range source.Renames(changes) {
		if c.From == "" {
			continue
		}
		from, ok1 := root.in(c.From)
		to, ok2 := root.in(c.Path)
		if ok1 && ok2 {
			moved[root.Prefix+from] = root.Prefix + to
		}
	}
	if len(moved) == 0 {
		return nil
	}
	b, err := json.Marshal(moved)
	if err != nil || len(b) > maxFrame {
		return err // without them, more findings count as new
	}
	w.frame(frameRenames, b)
	return nil
}

// listOld gathers the files of the base, before the work tree is walked.
func (root *openRoot) listOld() error {
	s := root.sides
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = make(map[string]source.TreeEntry)
	s.seen, s.came = make(map[string]bool), make(map[string]source.ObjectID)
	if s.base.IsZero() {
		return nil
	}
	if err := s.git.WalkTree(s.base, func(f source.TreeFile) error {
		if name, ok := root.in(f.Path); ok && f.Kind() == source.IndexFile && f.Unsafe == "" {
			s.old[name] = f.TreeEntry
		}
		return nil
	}, func(path string, err error) error {
		return fmt.Errorf("folder %.200q of the base: %w", path, err)
	}); err != nil {
		return err
	}
	staged, written, err := s.dirs.Index("index")
	if err == nil {
		staged, err = s.git.Expand(staged)
	}
	if err != nil {
		return nil // every file is read then, and what is not there counts as gone
	}
	s.written, s.clean = written, make(map[string]source.IndexEntry)
	for _, e := range staged {
		name, ok := root.in(e.Path)
		same := ok && s.old[name].ID == e.ID
		switch {
		case !ok:
		case e.Sparse && !root.holds(name):
			if same {
				delete(s.old, name)
			} else if e.Mode&source.IndexKind == source.IndexFile {
				s.seen[name] = true
				s.sparse = append(s.sparse, e)
			}
		case same:
			s.clean[name] = e
		}
	}
	return nil
}

// holds reports whether the work tree has a file.
func (root *openRoot) holds(name string) bool {
	f, _, err := root.root.Open(name)
	if err == nil {
		f.Close()
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// offerSparse offers what differs and is not checked out.
func (p *pass) offerSparse(root *openRoot, offer func(task)) {
	for _, e := range root.sides.sparse {
		name, _ := root.in(e.Path)
		if _, out := p.excludes(name); !out {
			offer(task{root: root, name: name, blob: e.ID, stat: source.Stat{Mode: e.Mode}})
		}
	}
}

// untouched reports whether a file need not be read to know that it is as in the
// base.
func (root *openRoot) untouched(name string, st source.Stat) bool {
	s := root.sides
	if s == nil || s.clean == nil {
		return false
	}
	e, ok := s.clean[name]
	if !ok || !e.Clean(st, s.written) {
		return false
	}
	s.mu.Lock()
	delete(s.old, name)
	s.mu.Unlock()
	return true
}

// unchanged reports whether a file of the work tree has the very bytes that it has
// in the base, and remembers the answer.
func (root *openRoot) unchanged(name string, size int64, r io.Reader) bool {
	s := root.sides
	h := s.git.BlobHash(size)
	if n, err := io.Copy(h, r); err != nil || n != size {
		return false // reading it again says what is wrong
	}
	id := source.BlobID(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.old[name]
	switch {
	case known && old.ID == id:
		delete(s.old, name)
		return true
	case known:
		s.seen[name] = true
	default:
		s.came[name] = id
	}
	return false
}

// met notes that an earlier worker of the run read a file of the work tree.
func (r *openRoot) met(t task) {
	if r.sides == nil || t.base || r.sides.old == nil {
		return
	}
	r.sides.mu.Lock()
	r.sides.seen[t.name] = true
	r.sides.mu.Unlock()
}

// offerOld offers the files of the base that are gone or other ones now.
func (w *worker) offerOld(p *pass, root *openRoot, offer func(task)) error {
	s := root.sides
	var changes []source.Change
	for name, e := range s.old {
		p.old(root, name, e, offer)
		if !s.seen[name] {
			changes = append(changes, source.Change{Path: joinPath(root.Sub, name), Old: e})
		}
	}
	for name, id := range s.came {
		changes = append(changes, source.Change{Path: joinPath(root.Sub, name), New: source.TreeEntry{Mode: source.IndexFile | 0o644, ID: id}})
	}
	source.SortChanges(changes)
	return w.renames(root, changes)
}

// blob reads and analyses one file that is an object.
func (p *pass) blob(ctx context.Context, t task) unit {
	root := t.root
	u := unit{path: t.path()}
	s := root.sides
	s.mu.Lock()
	kind, size, err := s.git.Size(t.blob)
	s.mu.Unlock()
	if err == nil && kind != source.ObjectBlob {
		err = fmt.Errorf("object %s is a %s, not a file: %w", t.blob, kind, source.ErrCorrupt)
	}
	if err != nil {
		return u.unread(gitReason(err), err)
	}
	u.size = size
	if size > p.limits.FileSize {
		u.state, u.reason = penstock.Excluded, penstock.ReasonSize
		u.detail = fmt.Sprintf("larger than the limit of %d bytes", p.limits.FileSize)
		return u
	}
	c := content{
		path: root.Prefix + t.name, size: size, tree: &tree{p: p, root: root, read: s.reader(root, t.base)},
		info: penstock.FileInfo{Size: size, Executable: t.stat.Mode&0o111 != 0},
	}
	weight := p.bytes.take(size)
	defer p.bytes.give(weight)
	s.mu.Lock()
	_, data, err := s.git.Get(t.blob)
	data = bytes.Clone(data) // the cache keeps the other
	s.mu.Unlock()
	if errors.Is(err, source.ErrTooLarge) {
		return p.largeBlob(ctx, t, u, c)
	}
	if err != nil {
		return u.unread(gitReason(err), err)
	}
	if size <= p.limits.WholeSize {
		if c.bytes = data; data == nil {
			c.bytes = []byte{}
		}
	} else {
		c.random = bytes.NewReader(data)
		c.reopen = func() (io.Reader, error) { return bytes.NewReader(data), nil }
	}
	u = p.analyse(ctx, u, c)
	u.hash = digest{}
	return u
}

// largeBlob analyses an object that is too large to be held, as it is unpacked.
func (p *pass) largeBlob(ctx context.Context, t task, u unit, c content) unit {
	// A reader of its own: the other one serves other files meanwhile.
	git, err := source.OpenGit(t.root.sides.dirs)
	if err != nil {
		return u.unread(gitReason(err), err)
	}
	defer git.Close()
	_, _, r, err := git.Open(t.blob)
	if err != nil {
		return u.unread(gitReason(err), err)
	}
	defer r.Close()
	first, err := io.ReadAll(io.LimitReader(r, p.limits.WholeSize))
	if err != nil {
		return u.unread(gitReason(err), err)
	}
	c.random, c.reopen = onlyHead(first), once(io.MultiReader(bytes.NewReader(first), r))
	u = p.analyse(ctx, u, c)
	u.hash = digest{}
	return u
}

// reader reads other files of one side of the comparison.
func (s *sides) reader(root *openRoot, base bool) func(name string) ([]byte, error) {
	if s.view.Kind == ViewWorkTree && !base {
		return nil
	}
	return func(name string) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		path := joinPath(root.Sub, name)
		var e source.TreeEntry
		var err error
		switch {
		case !base && s.view.Kind == ViewStaged:
			e, err = source.FindStaged(s.staged, path)
		case base:
			e, err = s.entry(s.base, path)
		default:
			e, err = s.entry(s.head, path)
		}
		if err == nil && e.Kind() != source.IndexFile {
			err = fs.ErrNotExist
		}
		if err != nil {
			return nil, err
		}
		_, data, err := s.git.Get(e.ID)
		return bytes.Clone(data), err
	}
}

func (s *sides) entry(tree source.ObjectID, path string) (source.TreeEntry, error) {
	if tree.IsZero() {
		return source.TreeEntry{}, fs.ErrNotExist
	}
	return s.git.Entry(tree, path)
}

// gitReason classes an error of reading an object.
func gitReason(err error) penstock.Reason {
	switch {
	case errors.Is(err, source.ErrMissing):
		return penstock.ReasonMissing
	case errors.Is(err, source.ErrCorrupt):
		return penstock.ReasonDamaged
	case errors.Is(err, source.ErrTooLarge), errors.Is(err, source.ErrLimit):
		return penstock.ReasonBudget
	}
	return source.Reason(err)
}
