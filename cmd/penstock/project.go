package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"penstock/internal/source"
)

// project reads the project's own files: configuration, exceptions, rules, ignore
// lists. They are those on disk or, where a change is checked, those of its base,
// so that a change cannot weaken its own check.
type project struct {
	// top is the folder that holds them, absolute; what a link leads out of it to
	// is refused.
	top string
	// git and tree are set for the files of a commit; top is then the folder of the
	// repository.
	git  *source.Git
	tree source.ObjectID
}

// in returns the path below top, with slashes.
func (p project) in(path string) (string, error) {
	rel, err := filepath.Rel(p.top, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("it lies outside of " + p.top)}
	}
	return filepath.ToSlash(rel), nil
}

// entry finds a path, absolute, in the commit.
func (p project) entry(path string) (source.TreeEntry, error) {
	rel, err := p.in(path)
	if err != nil {
		return source.TreeEntry{}, err
	}
	if rel == "." {
		return source.TreeEntry{Mode: source.IndexFolder, ID: p.tree}, nil
	}
	if p.tree.IsZero() {
		return source.TreeEntry{}, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	e, err := p.git.Entry(p.tree, rel)
	if errors.Is(err, source.ErrNoRef) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return e, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return e, nil
}

// exists reports whether there is anything at a path, absolute.
func (p project) exists(path string) bool {
	if p.git != nil {
		_, err := p.entry(path)
		return err == nil
	}
	root, rel, err := p.open(path)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Lstat(rel)
	return err == nil
}

func (p project) open(path string) (*os.Root, string, error) {
	rel, err := p.in(path)
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(p.top)
	return root, rel, err
}

// read reads a regular file of at most limit bytes at a path, absolute.
func (p project) read(path string, limit int64) ([]byte, error) {
	if p.git == nil {
		root, rel, err := p.open(path)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return readRegular(root.OpenFile, rel, limit)
	}
	e, err := p.entry(path)
	if err == nil && e.Kind() != source.IndexFile {
		err = &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, err
	}
	if _, size, err := p.git.Size(e.ID); err == nil && size > limit {
		return nil, tooLarge(path, size, limit)
	}
	_, data, err := p.git.Get(e.ID)
	if err == nil && int64(len(data)) > limit {
		err = errTooLarge
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return slices.Clone(data), nil // the reader's cache keeps the other
}

// names lists a folder at a path, absolute, in order; nil means that it is none.
func (p project) names(path string) ([]string, error) {
	if p.git == nil {
		root, rel, err := p.open(path)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return folderNames(root.OpenFile, rel)
	}
	e, err := p.entry(path)
	if err != nil || e.Kind() != source.IndexFolder {
		return nil, err
	}
	entries, err := p.git.Tree(e.ID)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range entries {
		if e.Hazard() == "" {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// digests lists what lies at a path and below, absolute: each file, slashed from
// the top, with the id that git has or would have for it. Nothing there is an
// empty list; of more than maxOwn the first are listed.
func (p project) digests(path string) (map[string]source.ObjectID, error) {
	list := make(map[string]source.ObjectID)
	rel, err := p.in(path)
	if err != nil {
		return list, err
	}
	e, err := p.entry(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return list, nil
	case err != nil:
		return nil, err
	case e.Kind() != source.IndexFolder:
		list[rel] = e.ID
		return list, nil
	}
	enough := errors.New("enough")
	err = p.git.WalkTree(e.ID, func(f source.TreeFile) error {
		if len(list) == maxOwn {
			return enough
		}
		list[strings.TrimPrefix(rel+"/"+f.Path, "./")] = f.ID
		return nil
	}, func(_ string, err error) error { return err })
	if errors.Is(err, enough) {
		err = nil
	}
	return list, err
}
