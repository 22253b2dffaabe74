//go:build !unix

package main

import "io/fs"

// Elsewhere the folders of a user's profile are the user's own, and permission
// bits say nothing.
const noFollow = 0

func ours(fs.FileInfo) bool { return true }

func openToOthers(fs.FileInfo, fs.FileMode) bool { return false }
