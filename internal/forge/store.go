package forge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How long an answer is believed without asking again.
const (
	liveRef        = 24 * time.Hour      // tags and branches move
	liveRepository = 7 * 24 * time.Hour  // archived, moved
	liveHistory    = 30 * 24 * time.Hour // what a commit holds never changes
	liveAdvisories = 24 * time.Hour
	// liveMissing is for what was not found, which may be made at any time.
	liveMissing = 24 * time.Hour
	// liveAtAll is when an entry goes, whether it could be asked for again by its
	// tag or not.
	liveAtAll = 60 * 24 * time.Hour
)

// Bounds of the file.
const (
	maxStore   = 8 << 20
	maxEntries = 5000
)

// entry is one answer of the API, reduced to what is used of it.
type entry struct {
	At     int64           `json:"at"` // seconds since 1970
	Status int             `json:"status"`
	ETag   string          `json:"etag,omitempty"`
	Moved  string          `json:"moved,omitempty"` // path of a redirect
	Next   string          `json:"next,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
}

// store keeps answers on this machine. A damaged file is an empty one.
type store struct {
	path     string // empty for none
	readOnly bool
	entries  map[string]*entry
	changed  bool
}

type storeFile struct {
	Version int               `json:"version"`
	Entries map[string]*entry `json:"entries"`
	// Until is when the server may be asked again, in seconds since 1970.
	Until int64 `json:"until,omitempty"`
}

const storeVersion = 1

// storeName names the file of an API and of who asks it: with a token more can be seen.
func storeName(api string, token bool) string {
	who := "anonymous"
	if token {
		who = "token"
	}
	sum := sha256.Sum256([]byte(strings.ToLower(api) + "\n" + who))
	return "forge-" + hex.EncodeToString(sum[:8]) + ".json"
}

// openStore reads a file of answers; until is when the server may be asked again.
func openStore(path string, readOnly bool) (s *store, until time.Time) {
	s = &store{path: path, readOnly: readOnly, entries: make(map[string]*entry)}
	if path == "" {
		return s, until
	}
	f, err := os.Open(path)
	if err != nil {
		return s, until
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStore+1))
	var file storeFile
	if err != nil || len(b) > maxStore || json.Unmarshal(b, &file) != nil || file.Version != storeVersion {
		return s, until
	}
	for key, e := range file.Entries {
		if e != nil && len(s.entries) < maxEntries {
			s.entries[key] = e
		}
	}
	if file.Until > 0 {
		until = time.Unix(file.Until, 0)
	}
	return s, until
}

func (s *store) get(key string) *entry { return s.entries[key] }

func (s *store) put(key string, e *entry) {
	s.entries[key] = e
	s.changed = true
}

// save writes the file, if there is something new, beside and into its place.
func (s *store) save(now, until time.Time) error {
	if s.path == "" || s.readOnly || !s.changed && !until.After(now) {
		return nil
	}
	type aged struct {
		key string
		at  int64
	}
	var all []aged
	for key, e := range s.entries {
		if age := now.Sub(time.Unix(e.At, 0)); age > liveAtAll || age < -time.Hour {
			delete(s.entries, key)
			continue
		}
		all = append(all, aged{key, e.At})
	}
	slices.SortFunc(all, func(a, b aged) int { return int(b.at - a.at) }) // youngest first
	file := storeFile{Version: storeVersion, Entries: make(map[string]*entry)}
	size := 0
	for i, a := range all {
		e := s.entries[a.key]
		if size += len(a.key) + len(e.Value) + 200; i >= maxEntries || size > maxStore {
			break
		}
		file.Entries[a.key] = e
	}
	if until.After(now) {
		file.Until = until.Unix()
	}
	b, err := json.Marshal(file)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), ".forge-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.path)
}
