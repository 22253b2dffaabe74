package scan

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"penstock"
	"penstock/internal/source"
)

// The worker protocol is private: both ends are the same binary. Frames are one
// type byte, a 32-bit little-endian length and a payload. The parent treats them
// as hostile, since the worker reads hostile files.
const (
	frameJob     = 'j' // parent to worker: job, JSON
	frameHello   = 'h' // worker: notes about its sandbox, as encodeRecords writes them
	frameUnit    = 'u' // worker: one unit
	frameKnown   = 'c' // worker: units that stand in the cache as they are
	frameRecords = 'r' // worker: what Finish reported, likewise
	frameBase    = 'b' // worker: the same of the base's side
	frameRenames = 'm' // worker: files that moved as they are, JSON from old to new
	frameHistory = 'y' // worker: the end of a history, JSON historyEnd
	frameSeen    = 's' // worker: what the next scan of a history may build on
	frameStep    = 'p' // worker: how many versions of files a history has so far
	frameAsk     = 'q' // worker: JSON []penstock.Question; it waits for the answer
	frameAnswer  = 'a' // parent to worker: JSON []penstock.Answer
	frameFatal   = 'x' // worker: the run as a whole cannot be done, JSON fatal
	frameEnd     = 'e' // worker: all is done
)

// maxFrame bounds what the parent holds for the worker at once.
const maxFrame = 64 << 20

var errFrame = errors.New("malformed frame from the worker")

func writeFrame(w *bufio.Writer, kind byte, payload []byte) error {
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

// readFrame reads into buf, which grows as bytes arrive, never by the announced
// length alone.
func readFrame(r *bufio.Reader, buf []byte) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, buf, err
	}
	n := int(binary.LittleEndian.Uint32(head[1:]))
	if n > maxFrame {
		return 0, buf, errFrame
	}
	buf = buf[:0]
	for len(buf) < n {
		step := min(n-len(buf), max(64<<10, len(buf)))
		at := len(buf)
		if cap(buf) < at+step {
			buf = append(buf, make([]byte, step)...)
		} else {
			buf = buf[:at+step]
		}
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			return 0, buf, err
		}
	}
	return head[0], buf, nil
}

// unit is how one entry of the source ended, with all that it gave. It is the
// frame of the protocol and the entry of the cache alike.
type unit struct {
	path    string
	size    int64
	state   penstock.State
	reason  penstock.Reason
	detail  string
	engines uint64 // a bit per selected engine that read it
	// stat, hash and deps let the cache know the file again; hash is zero where
	// the result must not be reused.
	stat source.Stat
	hash digest
	deps []dep
	// records are those of encodeRecords, empty for none.
	records []byte
}

// digest is a truncated SHA-256; 128 bits are enough against accident and, the
// cache being private to one trust class, against choice.
type digest [16]byte

// dep is another file that the result depends on.
type dep struct {
	path string
	hash digest
}

// cacheable reports whether the next run may use the unit: the bytes were read
// and all went well.
func (u *unit) cacheable() bool { return u.state != penstock.Unread && u.hash != (digest{}) }

func (u *unit) append(b []byte) []byte {
	b = appendString(b, u.path)
	b = binary.AppendUvarint(b, uint64(u.size))
	b = append(b, byte(u.state))
	b = appendString(b, string(u.reason))
	b = appendString(b, u.detail)
	b = binary.AppendUvarint(b, u.engines)
	b = binary.AppendUvarint(b, uint64(u.stat.Mtime))
	b = binary.AppendUvarint(b, uint64(u.stat.Ctime))
	b = binary.AppendUvarint(b, u.stat.Inode)
	b = append(b, u.hash[:]...)
	b = binary.AppendUvarint(b, uint64(len(u.deps)))
	for _, d := range u.deps {
		b = appendString(b, d.path)
		b = append(b, d.hash[:]...)
	}
	return appendString(b, string(u.records))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unitReader decodes units. Strings share the text they are read from.
type unitReader struct {
	s   string
	err error
}

func (r *unitReader) uvarint() uint64 {
	// binary.Uvarint wants bytes; this reads the same code from a string.
	var v uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return v
		}
	}
	r.err = errFrame
	r.s = ""
	return 0
}

func (r *unitReader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.err = errFrame
		r.s = ""
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *unitReader) string() string { return r.take(r.uvarint()) }

func (r *unitReader) digest() (d digest) {
	copy(d[:], r.take(uint64(len(d))))
	return d
}

func (r *unitReader) unit() (u unit, err error) {
	u.path = r.string()
	size := r.uvarint()
	u.size = int64(min(size, math.MaxInt64))
	if s := r.take(1); s != "" {
		u.state = penstock.State(s[0])
	}
	u.reason = penstock.Reason(r.string())
	u.detail = r.string()
	u.engines = r.uvarint()
	u.stat = source.Stat{Size: u.size, Mtime: int64(r.uvarint()), Ctime: int64(r.uvarint()), Inode: r.uvarint()}
	u.hash = r.digest()
	n := r.uvarint()
	if n > uint64(len(r.s)) { // each takes more than a byte
		r.err = errFrame
		n = 0
	}
	for range n {
		u.deps = append(u.deps, dep{path: r.string(), hash: r.digest()})
	}
	if records := r.string(); records != "" {
		u.records = []byte(records)
	}
	if u.state < penstock.Scanned || u.state > penstock.Unread {
		r.err = errFrame
	}
	return u, r.err
}

// appendFeatures writes features in binary.
func appendFeatures(b []byte, all []*penstock.Features) []byte {
	for _, f := range all {
		if f == nil {
			f = new(penstock.Features) // which no reader takes
		}
		b = appendString(b, f.Path)
		b = appendString(b, f.Class)
		b = binary.AppendUvarint(b, uint64(f.Line))
		b = binary.AppendUvarint(b, uint64(f.Ordinal))
		for _, h := range []penstock.Hash{f.Key, f.Value, f.Code} {
			b = binary.LittleEndian.AppendUint64(b, uint64(h))
		}
		for _, n := range []uint32{f.Abstract, f.Scope, f.Flow} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		partial := byte(0)
		if f.Partial {
			partial = 1
		}
		b = append(b, partial)
		for _, list := range [][]uint32{f.Tokens, f.Before, f.After, f.Outer} {
			b = binary.AppendUvarint(b, uint64(len(list)))
			for _, n := range list {
				b = binary.AppendUvarint(b, uint64(n))
			}
		}
	}
	return b
}

// readFeatures reads what appendFeatures wrote, refusing what no honest worker sends.
func readFeatures(b []byte) ([]*penstock.Features, error) {
	r := unitReader{s: string(b)}
	fixed := func(n uint64) (v uint64) {
		for i, c := range []byte(r.take(n)) {
			v |= uint64(c) << (8 * i)
		}
		return v
	}
	list := func() []uint32 {
		n := r.uvarint()
		if n > uint64(len(r.s)) {
			r.err = errFrame
		}
		if n == 0 || r.err != nil {
			return nil
		}
		out := make([]uint32, n)
		for i := range out {
			v := r.uvarint()
			if v > math.MaxUint32 {
				r.err = errFrame
			}
			out[i] = uint32(v)
		}
		return out
	}
	var all []*penstock.Features
	for r.s != "" && r.err == nil {
		f := &penstock.Features{Path: r.string(), Class: r.string()}
		line, ordinal := r.uvarint(), r.uvarint()
		if line > math.MaxInt32 || ordinal > math.MaxInt32 {
			return nil, errFrame
		}
		f.Line, f.Ordinal = int(line), int(ordinal)
		f.Key, f.Value, f.Code = penstock.Hash(fixed(8)), penstock.Hash(fixed(8)), penstock.Hash(fixed(8))
		f.Abstract, f.Scope, f.Flow = uint32(fixed(4)), uint32(fixed(4)), uint32(fixed(4))
		f.Partial = fixed(1) == 1
		f.Tokens, f.Before, f.After, f.Outer = list(), list(), list(), list()
		if r.err != nil || !f.Valid() {
			return nil, errFrame
		}
		all = append(all, f)
	}
	return all, r.err
}

// encodeRecords writes each record as its type, its group, its features and itself as
// JSON, one after the other. Group and features stand apart since no report may show
// them; features as JSON took longer than all the rest, and so did records as JSON
// within JSON.
func encodeRecords(records []penstock.Record) ([]byte, error) {
	var b, features []byte
	for _, r := range records {
		value, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", r.RecordType(), err)
		}
		group := ""
		features = features[:0]
		if f, ok := r.(*penstock.Finding); ok {
			group, features = f.Group, appendFeatures(features, f.Features)
		}
		b = appendString(appendString(b, r.RecordType()), group)
		b = append(binary.AppendUvarint(b, uint64(len(features))), features...)
		b = append(binary.AppendUvarint(b, uint64(len(value))), value...)
	}
	return b, nil
}

// decodeRecords reads what encodeRecords wrote, refusing what no honest worker sends.
func decodeRecords(b []byte) ([]penstock.Record, error) {
	var records []penstock.Record
	for r := (recordReader{b: b}); len(r.b) > 0; {
		kind, group, features, value, err := r.next()
		if err != nil {
			return nil, err
		}
		record, err := decodeRecord(string(kind), group, features, value)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func decodeRecord(kind string, group, features, value []byte) (penstock.Record, error) {
	var r penstock.Record
	switch kind {
	case "finding":
		all, err := readFeatures(features)
		if err != nil {
			return nil, err
		}
		r = &penstock.Finding{Group: string(group), Features: all}
	case "component":
		r = new(penstock.Component)
	case "asset":
		r = new(penstock.Asset)
	case "edge":
		r = new(penstock.Edge)
	case "fact":
		r = new(penstock.Fact)
	case "coverage":
		r = new(penstock.Coverage)
	case "note":
		r = new(penstock.Note)
	default:
		return nil, errFrame
	}
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	return r, nil
}

// recordReader cuts what encodeRecords wrote into its fields, which share its bytes.
type recordReader struct{ b []byte }

func (r *recordReader) next() (kind, group, features, value []byte, err error) {
	for _, field := range []*[]byte{&kind, &group, &features, &value} {
		n, size := binary.Uvarint(r.b)
		if size <= 0 || n > uint64(len(r.b)-size) {
			return nil, nil, nil, nil, errFrame
		}
		*field, r.b = r.b[size:size+int(n)], r.b[size+int(n):]
	}
	return kind, group, features, value, nil
}

// job is all that a worker is told.
type job struct {
	Roots     []jobRoot      `json:"roots"`
	Engines   []string       `json:"engines"`
	Setup     penstock.Setup `json:"setup"`
	Exclude   []string       `json:"exclude,omitempty"`
	Jobs      int            `json:"jobs"`
	Limits    Limits         `json:"limits"`
	NoIgnores bool           `json:"noIgnores,omitempty"`
	NoGit     bool           `json:"noGit,omitempty"`
	Sandbox   string         `json:"sandbox,omitempty"`
	Hash      bool           `json:"hash,omitempty"` // results will be cached
	// Now is when the run began, in nanoseconds: files touched after it may
	// change again without a new time stamp.
	Now int64 `json:"now"`
	// Ask is set where questions are answered.
	Ask bool `json:"ask,omitempty"`
	// Done are units that an earlier worker of this run finished; Alone are those
	// that were in flight when it died, to be read one at a time at the end.
	Done  []string `json:"done,omitempty"`
	Alone []string `json:"alone,omitempty"`
	// Facts are those that done units left, and BaseFacts those of the base's side.
	Facts     []penstock.Fact `json:"facts,omitempty"`
	BaseFacts []penstock.Fact `json:"baseFacts,omitempty"`
}

// jobRoot is one thing to scan.
type jobRoot struct {
	// Name is the absolute path of a folder; for a single file that of its
	// folder, with the file's own name in File.
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	// Prefix goes before each path of this root to make the path that is shown.
	Prefix string `json:"prefix,omitempty"`
	// Repo is the top of the git work tree that the folder lies in, and Sub the
	// folder's path in it.
	Repo string `json:"repo,omitempty"`
	Sub  string `json:"sub,omitempty"`
	// View is set where the git repository is read in place of all files.
	View *View `json:"view,omitempty"`
	// Stdin is set for standard input.
	Stdin bool `json:"stdin,omitempty"`
	// Cached is set where a cache file comes with the job.
	Cached bool `json:"cached,omitempty"`
}

// fatal is why a run as a whole cannot be done.
type fatal struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}
