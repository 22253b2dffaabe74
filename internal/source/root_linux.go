package source

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Root is an opened folder below which names are resolved by the kernel with
// openat2(2) and RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS: one system call for a
// path of any depth, and no race can lead outside.
type Root struct {
	dir *os.File
	// fallback serves kernels and sandboxes without openat2: os.Root resolves
	// each component by itself, but follows links that stay inside, so the
	// caller's own check of each folder entry matters there.
	fallback *os.Root
}

// OpenRoot opens a folder that the user named; a link in that name is followed.
func OpenRoot(name string) (*Root, error) {
	dir, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &Root{dir: dir}
	probe, err := r.open(".", unix.O_PATH)
	if err == nil {
		unix.Close(probe)
		return r, nil
	}
	if r.fallback, err = os.OpenRoot(name); err != nil {
		dir.Close()
		return nil, err
	}
	return r, nil
}

// Close closes the root.
func (r *Root) Close() error {
	if r.fallback != nil {
		r.fallback.Close()
	}
	return r.dir.Close()
}

func (r *Root) open(name string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(int(r.dir.Fd()), name, &how)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		return fd, err
	}
}

// File is an opened regular file. It reads by plain system calls: os.File would
// offer every descriptor to the poller first, two more calls per file.
type File struct {
	fd   int
	keep *os.File // owns the descriptor in the fallback
}

// Open opens a regular file for reading. O_NONBLOCK keeps a FIFO that took the
// file's place from blocking; such a one is refused.
func (r *Root) Open(name string) (*File, Stat, error) {
	f, err := r.openFile(name)
	if err != nil {
		return nil, Stat{}, err
	}
	st, err := f.Stat()
	if err == nil && st.Mode&modeType != modeRegular {
		err = unix.ELOOP
	}
	if err != nil {
		f.Close()
		return nil, Stat{}, err
	}
	return f, st, nil
}

func (r *Root) openFile(name string) (*File, error) {
	if r.fallback != nil {
		f, err := r.fallback.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, err
		}
		return &File{fd: int(f.Fd()), keep: f}, nil
	}
	fd, err := r.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	return &File{fd: fd}, nil
}

// NewFile wraps a descriptor that was opened elsewhere, such as standard input.
func NewFile(f *os.File) *File { return &File{fd: int(f.Fd()), keep: f} }

// Stat asks for the file's state now.
func (f *File) Stat() (Stat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return Stat{}, err
	}
	return fromUnix(&st), nil
}

// Read reads from the file's own position.
func (f *File) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(f.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && f.keep != nil:
			// Standard input that its owner made non-blocking.
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}, -1)
			if err == nil || err == unix.EINTR {
				continue
			}
			return 0, err
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Pread(f.fd, b[done:], off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.keep != nil {
		return f.keep.Close()
	}
	return unix.Close(f.fd)
}

func fromUnix(st *unix.Stat_t) Stat {
	return Stat{
		Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), Inode: st.Ino,
		Mode: st.Mode, Links: uint64(st.Nlink), Dev: st.Dev,
	}
}

// folder is an opened folder of the walk.
type folder struct{ f *os.File }

func (r *Root) openFolder(name string) (*folder, Stat, error) {
	var f *os.File
	if r.fallback != nil {
		var err error
		if f, err = r.fallback.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
			return nil, Stat{}, err
		}
	} else {
		fd, err := r.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return nil, Stat{}, err
		}
		f = os.NewFile(uintptr(fd), name)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, Stat{}, err
	}
	return &folder{f}, fromUnix(&st), nil
}

// names returns up to n names of the folder, or io.EOF.
func (d *folder) names(n int) ([]string, error) { return d.f.Readdirnames(n) }

// stat does not follow links.
func (d *folder) stat(name string) (Stat, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(d.f.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Stat{}, err
	}
	return fromUnix(&st), nil
}

func (d *folder) close() { d.f.Close() }

const (
	modeType    = unix.S_IFMT
	modeFolder  = unix.S_IFDIR
	modeRegular = unix.S_IFREG
	modeSymlink = unix.S_IFLNK
)

// readSmall reads a file of at most limit bytes, for the walker's own needs:
// ignore files, git's index.
func (r *Root) readSmall(name string, limit int64) ([]byte, error) {
	f, st, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	b := make([]byte, st.Size)
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	return b[:n], err
}
