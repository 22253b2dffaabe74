package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"penstock"
)

const keySize = 32

// cacheSetup is where a run may keep things on this machine.
type cacheSetup struct {
	dir      string // empty for none
	readOnly bool
	key      []byte // of the keyed hashes of secrets
	note     *penstock.Note
}

// cacheBase is $XDG_CACHE_HOME/penstock/v1, or ~/.cache/penstock/v1; the XDG
// specification wants relative paths ignored.
func (a *app) cacheBase() string {
	base := a.env("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) {
		home := a.env("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "penstock", "v1")
}

// openCache makes the folder of a trust class and the key in it. What goes wrong
// costs the cache, never the run: the note says so.
func (a *app) openCache(off bool, t trust) cacheSetup {
	c := cacheSetup{readOnly: t == untrusted, key: make([]byte, keySize)}
	rand.Read(c.key) // never fails
	if off {
		return c
	}
	base := a.cacheBase()
	if base == "" {
		return c
	}
	dir := filepath.Join(base, string(t))
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = ownFolder(dir)
	}
	if err == nil {
		var key []byte
		if key, err = machineKey(filepath.Join(dir, "key"), c.key); err == nil {
			c.dir, c.key = dir, key
			return c
		}
	}
	c.note = &penstock.Note{
		Code:    "cache-unusable",
		Message: "the cache is not used: " + err.Error(),
		Hint:    "fix the folder, set XDG_CACHE_HOME, or scan with --no-cache",
	}
	return c
}

// ownFolder refuses a folder in which someone else could put entries: a cached
// result is believed.
func ownFolder(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	switch {
	case !st.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	case openToOthers(st, 0o022):
		return fmt.Errorf("others may write to %s", dir)
	case !ours(st):
		return fmt.Errorf("%s belongs to someone else", dir)
	}
	return nil
}

// machineKey reads the key of this machine, or keeps fresh as it.
func machineKey(path string, fresh []byte) ([]byte, error) {
	for range 2 {
		f, err := os.OpenFile(path, os.O_RDONLY|noFollow|syscall.O_NONBLOCK, 0)
		if err == nil {
			defer f.Close()
			key := make([]byte, keySize+1)
			st, err := f.Stat()
			if err != nil {
				return nil, err
			}
			if n, _ := f.Read(key); n != keySize || openToOthers(st, 0o077) || !st.Mode().IsRegular() {
				return nil, fmt.Errorf("%s is damaged or open to others; remove it", path)
			}
			return key[:keySize], nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := placeKey(path, fresh); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s cannot be kept", path)
}

// placeKey writes beside and links, so that a run at the same time sees a whole
// key or none, and the first one stays.
func placeKey(path string, key []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
