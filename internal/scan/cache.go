package scan

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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
	cacheMagic = "penstock cache 4\n"
	cacheHead  = len(cacheMagic) + sha256.Size
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
	if !release().MatchString(cfg.Version) {
		key.Build += programStat()
	}
	b, err := json.Marshal(key)
	if err != nil {
		panic(err) // plain data: a programmer's error
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// release is the form of a version that stands for one program and no other.
var release = lazyPattern(`^v?\d+\.\d+\.\d+$`)

// programStat tells builds between releases apart, of which many have one name.
func programStat() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	st, err := os.Stat(exe)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" %d %d", st.Size(), st.ModTime().UnixNano())
}

func digestOf(e penstock.Engine) string {
	if e.Digest == nil {
		return ""
	}
	return e.Digest()
}

// readCache reads a cache file as text: strings of units share it.
func readCache(f *os.File) (string, error) {
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(int(min(st.Size(), cacheTotal)))
	_, err = io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{io.LimitReader(f, cacheTotal)}, make([]byte, 64<<10))
	return b.String(), err
}

// checkCache reads a cache file whole; a damaged one is no cache. The magic is that
// of its kind.
func checkCache(name, magic string) (string, bool) {
	f, err := os.Open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	s, err := readCache(f)
	cacheHead := len(magic) + sha256.Size
	if err != nil || len(s) < cacheHead || !strings.HasPrefix(s, magic) {
		return "", false
	}
	sum := sha256.New()
	_, _ = io.CopyBuffer(sum, struct{ io.Reader }{strings.NewReader(s[cacheHead:])}, make([]byte, 64<<10))
	return s, string(sum.Sum(nil)) == s[len(magic):cacheHead]
}

// decodeCache decodes all units of a checked cache file, for the parent.
func decodeCache(s string) []unit {
	r := unitReader{s: s[cacheHead:]}
	n := r.uvarint()
	if n > uint64(len(r.s)) {
		return nil
	}
	units := make([]unit, n)
	for i := range units {
		u, err := r.unit()
		if err != nil {
			return nil
		}
		units[i] = u
	}
	return units
}

// cursor goes through a cache file in step with the walk, which visits files in
// the order of the units. It decodes one unit at a time and keeps none.
type cursor struct {
	r     unitReader
	left  uint64
	index int // of at
	at    unit
}

// newCursor starts on the units of a cache file that the parent has checked.
func newCursor(s string) *cursor {
	if len(s) < cacheHead {
		return nil
	}
	c := &cursor{r: unitReader{s: s[cacheHead:]}, index: -1}
	c.left = c.r.uvarint()
	c.next()
	return c
}

func (c *cursor) next() {
	c.index++
	c.at.path = ""
	if c.left == 0 || c.r.err != nil {
		return
	}
	c.left--
	if u, err := c.r.unit(); err == nil {
		c.at = u
	}
}

// seek returns what the last run knew of a path. Paths must come in the order of
// the walk.
func (c *cursor) seek(path string) (known *unit, index int) {
	if c == nil {
		return nil, 0
	}
	for c.at.path != "" && compareWalk(c.at.path, path) < 0 {
		c.next()
	}
	if c.at.path != path {
		return nil, 0
	}
	return &c.at, c.index
}

// unchanged reports whether a file's stat is that of the last run.
func (u *unit) unchanged(st source.Stat) bool { return u.stat.Mtime != 0 && u.stat.Same(st) }

// compareWalk is the order in which the walk visits files: those of a folder by
// name, then its folders by name.
func compareWalk(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	start := strings.LastIndexByte(a[:i], '/') + 1
	nameA, _, inA := strings.Cut(a[start:], "/")
	nameB, _, inB := strings.Cut(b[start:], "/")
	if inA != inB {
		if inB {
			return -1
		}
		return 1
	}
	return strings.Compare(nameA, nameB)
}

// writeCache replaces a root's cache file. Units must not be unread. It fails
// quietly for the run: a cache that cannot be written costs time, not truth.
func writeCache(dir, name string, units []*unit, now int64) error {
	slices.SortFunc(units, func(a, b *unit) int { return compareWalk(a.path, b.path) })
	var body []byte
	body = binary.AppendUvarint(body, uint64(len(units)))
	for i := range units {
		u := *units[i]
		if max(u.stat.Mtime, u.stat.Ctime) > now-int64(racy) {
			u.stat.Mtime = 0 // never equal: look at the bytes next time
		}
		body = u.append(body)
	}
	return placeCache(dir, name, cacheMagic, body)
}

// placeCache writes a cache file beside and puts it in its place.
func placeCache(dir, name, magic string, body []byte) error {
	sum := sha256.Sum256(body)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	for _, part := range [][]byte{[]byte(magic), sum[:], body} {
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
		if err != nil || !strings.HasSuffix(e.Name(), ".units") && !strings.HasSuffix(e.Name(), ".seen") {
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
