//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// noFollow refuses a link as the last part of a name.
const noFollow = syscall.O_NOFOLLOW

// ours reports whether the file belongs to the user that runs the program.
func ours(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}

// openToOthers reports whether others than the owner have one of the rights.
func openToOthers(st fs.FileInfo, rights fs.FileMode) bool { return st.Mode().Perm()&rights != 0 }
