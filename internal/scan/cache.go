package scan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"penstock"
	"penstock/internal/source"
)

// The cache holds, per root and per configuration, the units of the last run:
// path, stat, content hash and records. A file whose stat is unchanged is not
// opened; one whose bytes are unchanged is not analysed. The parent writes it,
// the worker reads it through a descriptor.

const (
	cacheMagic = "penstock cache 1\n"
	cacheTotal = 512 << 20 // bytes in one trust class; the oldest files go first
	// racy is how long before the run a file must have been left alone for its
	// time stamps to be trusted; coarse file systems step by up to two seconds.
	racy = 2 * time.Second
)

// cacheDigest identifies everything but the bytes that a result depends on.
func cacheDigest(cfg *Config, j *job, root jobRoot, engines []penstock.Engine) string {
	type engine struct {
		Name, Digest string
		Version      int
	}
	key := struct {
		Version, Build string
		Engines        []engine
		Setup          penstock.Setup
		Exclude        []string
		Limits         Limits
		NoIgnores      bool
		Root           jobRoot
	}{Version: cfg.Version, Build: cfg.Build, Setup: j.Setup, Exclude: j.Exclude, Limits: j.Limits, NoIgnores: j.NoIgnores, Root: root}
	for _, e := range engines {
		key.Engines = append(key.Engines, engine{e.Name, digestOf(e), e.Version})
	}
	b, err := json.Marshal(key)
	if err != nil {
		panic(err) // plain data: a programmer's error
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func digestOf(e penstock.Engine) string {
	if e.Digest == nil {
		return ""
	}
	return e.Digest()
}

// cacheReader answers what the last run knew of a path.
type cacheReader struct{ units map[string]unit }

// readCache loads a cache file. A damaged one is no cache.
func readCache(b []byte) *cacheReader {
	s, ok := strings.CutPrefix(string(b), cacheMagic)
	if !ok || len(s) < sha256.Size {
		return nil
	}
	sum := sha256.Sum256(b[len(cacheMagic)+sha256.Size:])
	if string(sum[:]) != s[:sha256.Size] {
		return nil
	}
	r := unitReader{s: s[sha256.Size:]}
	n := r.uvarint()
	if n > uint64(len(r.s)) {
		return nil
	}
	c := &cacheReader{units: make(map[string]unit, n)}
	for range n {
		u, err := r.unit()
		if err != nil {
			return nil
		}
		c.units[u.path] = u
	}
	return c
}

// unchanged returns the unit of a file whose stat is that of the last run.
func (c *cacheReader) unchanged(path string, st source.Stat) (unit, bool) {
	if c == nil {
		return unit{}, false
	}
	u, ok := c.units[path]
	if !ok || u.stat.Mtime == 0 || !u.stat.Same(st) {
		return unit{}, false
	}
	return u, true
}

// same returns the unit of a file whose bytes are those of the last run.
func (c *cacheReader) same(path string, hash digest) (unit, bool) {
	if c == nil {
		return unit{}, false
	}
	u, ok := c.units[path]
	return u, ok && u.hash == hash
}

// writeCache replaces a root's cache file. Units must not be unread. It fails
// quietly for the run: a cache that cannot be written costs time, not truth.
func writeCache(dir, name string, units []unit, now int64) error {
	slices.SortFunc(units, func(a, b unit) int { return cmp.Compare(a.path, b.path) })
	var body []byte
	body = binary.AppendUvarint(body, uint64(len(units)))
	for i := range units {
		u := units[i]
		if max(u.stat.Mtime, u.stat.Ctime) > now-int64(racy) {
			u.stat.Mtime = 0 // never equal: look at the bytes next time
		}
		body = u.append(body)
	}
	sum := sha256.Sum256(body)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	for _, part := range [][]byte{[]byte(cacheMagic), sum[:], body} {
		if _, err := f.Write(part); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	// Two runs at once each write a whole file; the later rename wins.
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return trimCache(dir)
}

// trimCache removes the oldest files until the folder is within its size.
func trimCache(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type file struct {
		name string
		info os.FileInfo
	}
	var files []file
	var total int64
	for _, e := range list {
		info, err := e.Info()
		if err != nil || !strings.HasSuffix(e.Name(), ".units") {
			continue
		}
		files = append(files, file{e.Name(), info})
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b file) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	for _, f := range files {
		if total <= cacheTotal {
			break
		}
		if err := os.Remove(filepath.Join(dir, f.name)); err != nil {
			return fmt.Errorf("trim cache: %w", err)
		}
		total -= f.info.Size()
	}
	return nil
}
