package source

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// DiffIndex calls visit for each difference between a tree and what is staged, as
// Diff does between two trees. Entries are those of GitDirs.Index; the folders of
// a sparse index are looked into.
func (g *Git) DiffIndex(tree ObjectID, staged []IndexEntry, visit func(Change) error) error {
	staged, err := g.Expand(staged)
	if err != nil {
		return err
	}
	i := 0
	// upTo gives out what is staged before a path, and is new.
	upTo := func(path string, all bool) error {
		for ; i < len(staged) && (all || staged[i].Path < path); i++ {
			if err := visit(Change{Path: staged[i].Path, New: staged[i].tree(), Unsafe: unsafePath(staged[i].Path)}); err != nil {
				return err
			}
		}
		return nil
	}
	old := func(f TreeFile) error {
		if err := upTo(f.Path, false); err != nil {
			return err
		}
		c := Change{Path: f.Path, Old: f.TreeEntry, Unsafe: f.Unsafe}
		if i < len(staged) && staged[i].Path == f.Path {
			c.New = staged[i].tree()
			i++
			if c.New.ID == c.Old.ID && c.New.Mode == c.Old.Mode {
				return nil
			}
		}
		return visit(c)
	}
	if !tree.IsZero() {
		if err := g.WalkTree(tree, old, func(path string, err error) error {
			return fmt.Errorf("folder %.200q: %w", path, err)
		}); err != nil {
			return err
		}
	}
	return upTo("", true)
}

// Expand leaves out what is only intended and puts the files of a sparse index's
// folders in their place. The result is sorted by path.
func (g *Git) Expand(staged []IndexEntry) ([]IndexEntry, error) {
	out := make([]IndexEntry, 0, len(staged))
	for _, e := range staged {
		switch {
		case e.Intent:
		case e.Mode&IndexKind != IndexFolder:
			out = append(out, e)
		default:
			err := g.WalkTree(e.ID, func(f TreeFile) error {
				if len(out) >= g.maxEntries {
					return fmt.Errorf("more than %d entries in the index: %w", g.maxEntries, ErrLimit)
				}
				out = append(out, IndexEntry{Path: strings.TrimSuffix(e.Path, "/") + "/" + f.Path, Mode: f.Mode, ID: f.ID, Sparse: true})
				return nil
			}, func(path string, err error) error { return fmt.Errorf("folder %.200q: %w", e.Path+path, err) })
			if err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(out, func(a, b IndexEntry) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func (e IndexEntry) tree() TreeEntry {
	return TreeEntry{Name: e.Path[strings.LastIndexByte(e.Path, '/')+1:], Mode: e.Mode, ID: e.ID}
}

// unsafePath is Hazard for a whole path.
func unsafePath(path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if why := (TreeEntry{Name: name}).Hazard(); why != "" {
			return why
		}
	}
	return ""
}

// FindStaged returns the entry of a path; fs.ErrNotExist where nothing has it.
func FindStaged(staged []IndexEntry, path string) (TreeEntry, error) {
	i, found := slices.BinarySearchFunc(staged, path, func(e IndexEntry, path string) int { return strings.Compare(e.Path, path) })
	if !found || staged[i].Intent {
		return TreeEntry{}, fs.ErrNotExist
	}
	return staged[i].tree(), nil
}

// SortChanges puts changes in the order of their paths, as Renames wants them.
func SortChanges(changes []Change) {
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
}
