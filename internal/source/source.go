// Package source opens what is checked as a stream of files: folders, single
// files, archives as files within files.
//
// Invariant: nothing outside the root is opened, whatever links, names and races
// the tree holds, and every entry of the tree is either visited or accounted for
// with a reason.
package source

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"penstock"
)

// Stat is what identifies an unchanged file without reading it, as git's index
// does: if none of it changed, the bytes did not.
type Stat struct {
	Size  int64
	Mtime int64 // nanoseconds since 1970
	Ctime int64
	Inode uint64
	Mode  uint32 // as in stat(2)
	Links uint64
	Dev   uint64
}

// Executable reports whether any execute bit is set.
func (s Stat) Executable() bool { return s.Mode&0o111 != 0 }

// Same reports whether both stats are of the same unchanged file.
func (s Stat) Same(t Stat) bool {
	return s.Size == t.Size && s.Mtime == t.Mtime && s.Ctime == t.Ctime && s.Inode == t.Inode
}

// ParseExclude compiles globs in .gitignore syntax, relative to the root, for
// Walker.Exclude. Problems are of single globs, Line counting from 1.
func ParseExclude(globs []string) (*Ignore, []Problem) {
	return ParseIgnore([]byte(strings.Join(globs, "\n")), "")
}

// Reason classes an error of opening or reading as the reason of an unread file.
func Reason(err error) penstock.Reason {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EPERM):
		return penstock.ReasonPermission
	case errors.Is(err, fs.ErrNotExist):
		return penstock.ReasonVanished
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EXDEV):
		// Between listing and opening the entry became a link or left the root.
		return penstock.ReasonChanged
	default:
		return penstock.ReasonIO
	}
}
