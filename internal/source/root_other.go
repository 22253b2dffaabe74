//go:build !linux

package source

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Root is an opened folder below which names are resolved by os.Root.
type Root struct{ root *os.Root }

// OpenRoot opens a folder that the user named; a link in that name is followed.
func OpenRoot(name string) (*Root, error) {
	r, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &Root{r}, nil
}

// Close closes the root.
func (r *Root) Close() error { return r.root.Close() }

// File is an opened regular file.
type File struct{ *os.File }

// Open opens a regular file for reading.
func (r *Root) Open(name string) (*File, Stat, error) {
	st, err := r.root.Lstat(name)
	if err != nil {
		return nil, Stat{}, err
	}
	if !st.Mode().IsRegular() {
		return nil, Stat{}, fmt.Errorf("%s is no regular file", name)
	}
	f, err := r.root.Open(name)
	if err != nil {
		return nil, Stat{}, err
	}
	now, err := f.Stat()
	if err != nil || !os.SameFile(st, now) {
		f.Close()
		return nil, Stat{}, fmt.Errorf("%s changed while it was opened", name)
	}
	return &File{f}, fromInfo(now), nil
}

// NewFile wraps a file that was opened elsewhere, such as standard input.
func NewFile(f *os.File) *File { return &File{f} }

// Stat asks for the file's state now.
func (f *File) Stat() (Stat, error) {
	st, err := f.File.Stat()
	if err != nil {
		return Stat{}, err
	}
	return fromInfo(st), nil
}

const (
	modeType    = 0o170000
	modeFolder  = 0o040000
	modeRegular = 0o100000
	modeSymlink = 0o120000
	modeSpecial = 0o010000
)

func fromInfo(st fs.FileInfo) Stat {
	s := Stat{Size: st.Size(), Mtime: st.ModTime().UnixNano(), Mode: uint32(st.Mode().Perm())}
	switch {
	case st.IsDir():
		s.Mode |= modeFolder
	case st.Mode().IsRegular():
		s.Mode |= modeRegular
	case st.Mode()&fs.ModeSymlink != 0:
		s.Mode |= modeSymlink
	default:
		s.Mode |= modeSpecial
	}
	return s
}

// folder is an opened folder of the walk.
type folder struct {
	f    *os.File
	root *Root
	dir  string
}

func (r *Root) openFolder(name string) (*folder, Stat, error) {
	st, err := r.root.Lstat(name)
	if err != nil {
		return nil, Stat{}, err
	}
	f, err := r.root.Open(name)
	if err != nil {
		return nil, Stat{}, err
	}
	if now, err := f.Stat(); err != nil || !st.IsDir() || !os.SameFile(st, now) {
		f.Close()
		return nil, Stat{}, fmt.Errorf("%s changed while it was opened", name)
	}
	return &folder{f, r, name}, fromInfo(st), nil
}

func (d *folder) names(n int) ([]string, error) { return d.f.Readdirnames(n) }

// stat does not follow links.
func (d *folder) stat(name string) (Stat, error) {
	st, err := d.root.root.Lstat(d.dir + "/" + name)
	if err != nil {
		return Stat{}, err
	}
	return fromInfo(st), nil
}

func (d *folder) close() { d.f.Close() }

// readSmall reads a file of at most limit bytes, for the walker's own needs.
func (r *Root) readSmall(name string, limit int64) ([]byte, error) {
	f, st, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
