package source

import (
	"io"
	"slices"
	"strings"

	"penstock"
)

// Walk bounds.
const (
	maxPath   = 4096 // PATH_MAX of Linux; longer paths cannot be opened at once
	maxIgnore = 1 << 20
	maxIndex  = 512 << 20
)

// maxList bounds how many entries of one folder List names.
const maxList = 10_000

// List names what lies in a folder, sorted, folders with a slash at their end; links
// and special files are left out. What cannot be read has nothing in it.
func (r *Root) List(dir string) []string {
	if dir == "" {
		dir = "."
	}
	d, _, err := r.openFolder(dir)
	if err != nil {
		return nil
	}
	defer d.close()
	names, _ := d.names(maxList)
	var list []string
	for _, name := range names {
		st, err := d.stat(name)
		if err != nil {
			continue
		}
		switch st.Mode & modeType {
		case modeFolder:
			list = append(list, name+"/")
		case modeRegular:
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Repository is what a walk needs to know of git: what is tracked, and the ignore
// files above the root. It is read before the worker gives up its rights, and
// parsed after.
type Repository struct {
	sub    string // the root's folder in the work tree, empty or ending in a slash
	index  []byte
	shared map[string][]byte
	above  map[string][]byte // ignore files by folder, from the top down
	dirs   []string
}

// ReadRepository reads what git keeps beside the work tree top, for a walk that
// starts in its folder sub. It returns nil where there is no index: without one,
// ignore files must not be able to hide files.
func ReadRepository(dirs *GitDirs, top *Root, sub string) *Repository {
	g := &Repository{shared: make(map[string][]byte), above: make(map[string][]byte)}
	var err error
	if g.index, g.shared, _, err = dirs.index("index"); err != nil {
		return nil
	}
	add := func(dir string, b []byte, err error) {
		if err == nil {
			g.dirs = append(g.dirs, dir)
			g.above[dir] = append(append(g.above[dir], b...), '\n')
		}
	}
	exclude, err := dirs.common.readSmall("info/exclude", maxIgnore)
	add("", exclude, err)
	if sub == "" {
		return g
	}
	g.sub = sub + "/"
	for i := range g.sub {
		dir := ""
		if i > 0 {
			dir = g.sub[:i] + "/"
		}
		if i == 0 || g.sub[i] == '/' && i < len(g.sub)-1 {
			b, err := top.readSmall(dir+".gitignore", maxIgnore)
			add(strings.TrimSuffix(dir, "/"), b, err)
		}
	}
	g.dirs = slices.Compact(g.dirs)
	return g
}

// Walker visits a tree in the order of names, folder by folder.
type Walker struct {
	Root *Root
	// Exclude is matched against every path; nil excludes nothing.
	Exclude *Ignore
	// Git is the repository whose .gitignore files are honoured for what its
	// index does not track; nil honours none.
	Git *Repository
	// File is called for each regular file. The path is relative to the root.
	File func(path string, st Stat)
	// Cover is called for every entry that is not visited. The path of a folder
	// ends in a slash and stands for all that is below.
	Cover func(c penstock.Coverage)
	// Note takes facts about the walk itself.
	Note func(n penstock.Note)

	tracked []string // sorted; nil where git does not matter
	ignores *Ignores
	dev     uint64
}

// Walk visits the tree. It returns an error only if the root itself cannot be
// read; it stops early when stop says so.
func (w *Walker) Walk(stop func() bool) error {
	if w.Git != nil {
		w.readIndex()
	}
	d, st, err := w.Root.openFolder(".")
	if err != nil {
		return err
	}
	w.dev = st.Dev
	return w.walk(d, "", stop)
}

// readIndex parses what git tracks.
func (w *Walker) readIndex() {
	entries, err := parseIndexFiles(w.Git.index, w.Git.shared)
	if err != nil {
		w.Note(penstock.Note{
			Code: "git-index", Place: ".git/index",
			Message: "git's index cannot be read (" + err.Error() + "), so .gitignore files are not honoured and ignored files are scanned too",
		})
		return
	}
	w.tracked = make([]string, 0, len(entries))
	for _, e := range entries {
		if path, ok := strings.CutPrefix(e.Path, w.Git.sub); ok {
			w.tracked = append(w.tracked, path)
		}
	}
	slices.Sort(w.tracked)
	w.ignores = new(Ignores)
	for _, dir := range w.Git.dirs {
		w.ignores.Push(dir, w.Git.above[dir])
	}
}

func (w *Walker) isTracked(path string) bool {
	_, found := slices.BinarySearch(w.tracked, path)
	return found
}

// holdsTracked reports whether a tracked file lies below the folder.
func (w *Walker) holdsTracked(dir string) bool {
	prefix := dir + "/"
	i, _ := slices.BinarySearch(w.tracked, prefix)
	return i < len(w.tracked) && strings.HasPrefix(w.tracked[i], prefix)
}

func (w *Walker) walk(d *folder, dir string, stop func() bool) error {
	var names []string
	for {
		batch, err := d.names(4096)
		names = append(names, batch...)
		if err == io.EOF || (err == nil && len(batch) == 0) {
			break
		}
		if err != nil {
			w.cover(dir+"/", penstock.Unread, Reason(err), err.Error())
			break
		}
	}
	slices.Sort(names)
	if w.ignores != nil {
		if _, found := slices.BinarySearch(names, ".gitignore"); found {
			w.pushIgnore(dir)
			defer w.ignores.Pop()
		}
	}
	var folders []string
	for _, name := range names {
		if stop() {
			break
		}
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		if len(path) >= maxPath {
			w.cover(path, penstock.Unread, penstock.ReasonIO, "the path is too long")
			continue
		}
		st, err := d.stat(name)
		if err != nil {
			w.cover(path, penstock.Unread, Reason(err), err.Error())
			continue
		}
		if st.Mode&modeType == modeFolder {
			folders = append(folders, name)
			continue
		}
		w.entry(path, st)
	}
	// Only one folder at a time is open, however deep the tree is.
	d.close()
	for _, name := range folders {
		if stop() {
			return nil
		}
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		w.descend(path, name, stop)
	}
	return nil
}

func (w *Walker) pushIgnore(dir string) {
	name := ".gitignore"
	if dir != "" {
		name = dir + "/.gitignore"
	}
	b, err := w.Root.readSmall(name, maxIgnore)
	if err != nil {
		b = nil
	}
	w.ignores.Push(strings.TrimSuffix(w.Git.sub+dir, "/"), b)
}

func (w *Walker) entry(path string, st Stat) {
	switch st.Mode & modeType {
	case modeRegular:
	case modeSymlink:
		w.cover(path, penstock.Excluded, penstock.ReasonSymlink, "")
		return
	default:
		w.cover(path, penstock.Excluded, penstock.ReasonSpecial, "")
		return
	}
	if pattern, out := w.excluded(path, false); out {
		w.cover(path, penstock.Excluded, penstock.ReasonExclude, pattern)
		return
	}
	if pattern, out := w.ignored(path, false); out {
		w.cover(path, penstock.Excluded, penstock.ReasonIgnored, pattern)
		return
	}
	w.File(path, st)
}

func (w *Walker) descend(path, name string, stop func() bool) {
	if name == ".git" {
		w.gitFolder(path)
		return
	}
	if name == ".hg" || name == ".svn" || name == ".jj" {
		w.cover(path+"/", penstock.Excluded, penstock.ReasonVCS, "")
		return
	}
	if pattern, out := w.excluded(path, true); out {
		w.cover(path+"/", penstock.Excluded, penstock.ReasonExclude, pattern)
		return
	}
	if pattern, out := w.ignored(path, true); out {
		w.cover(path+"/", penstock.Excluded, penstock.ReasonIgnored, pattern)
		return
	}
	d, st, err := w.Root.openFolder(path)
	if err != nil {
		w.cover(path+"/", penstock.Unread, Reason(err), err.Error())
		return
	}
	if st.Dev != w.dev {
		d.close()
		w.cover(path+"/", penstock.Excluded, penstock.ReasonOtherMount, "")
		return
	}
	w.walk(d, path, stop)
}

// gitFolder leaves git's objects to the history scan, but offers the one file in
// which people leave credentials: the configuration.
func (w *Walker) gitFolder(path string) {
	w.cover(path+"/", penstock.Excluded, penstock.ReasonVCS, "")
	d, _, err := w.Root.openFolder(path)
	if err != nil {
		return
	}
	defer d.close()
	if st, err := d.stat("config"); err == nil && st.Mode&modeType == modeRegular {
		w.File(path+"/config", st)
	}
}

func (w *Walker) excluded(path string, isDir bool) (string, bool) {
	if w.Exclude == nil {
		return "", false
	}
	out, pattern := w.Exclude.Match(path, isDir)
	return pattern, out
}

func (w *Walker) ignored(path string, isDir bool) (string, bool) {
	if w.ignores == nil {
		return "", false
	}
	out, pattern := w.ignores.Match(w.Git.sub+path, isDir)
	if !out {
		return "", false
	}
	// Git scans what it tracks, whatever an ignore file says, and so do we.
	if isDir && w.holdsTracked(path) || !isDir && w.isTracked(path) {
		return "", false
	}
	return pattern, true
}

func (w *Walker) cover(path string, s penstock.State, r penstock.Reason, detail string) {
	w.Cover(penstock.Coverage{Path: path, State: s, Reason: r, Detail: detail})
}
