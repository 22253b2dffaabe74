package penstock

import (
	"context"
	"io"
	"iter"
	"sync"
)

// Needs are what an engine requires beyond the bytes of files. They are declared
// so that a run without network or history can say what it left out.
type Needs uint8

const (
	NeedsNetwork Needs = 1 << iota
	NeedsHistory
)

// Engine is one kind of analysis. It is a value: listed once, in
// cmd/penstock/engines.go, with no state of its own.
type Engine struct {
	Name string
	// Doc is one sentence.
	Doc string
	// Version changes whenever the same bytes may give another answer. It is
	// part of the cache key.
	Version int
	Needs   Needs
	// Digest is a hash of the built-in rule data, in hex: part of the header and
	// of the cache key.
	Digest func() string
	// PerFile means that Finish does nothing, so that a run whose files are all
	// cached need not open the engine at all.
	PerFile bool
	// After names the engines whose facts this one reads in Finish.
	After []string
	// Rules describes the built-in rules and those of the user's rule files. A
	// rule file that does not parse is an error that names file and line.
	Rules func(files []RuleFile) ([]Rule, error)
	// Lint says what in rule files is allowed and yet hardly meant; nil for
	// nothing. Its error is that of Rules.
	Lint func(files []RuleFile) ([]*Note, error)
	// Open starts one run. It is called in the worker.
	Open func(ctx context.Context, setup Setup) (Pass, error)
	// Secrets returns the spans of b that a snippet must not show; nil for every
	// engine but one. It sees the text around a finding of any engine.
	Secrets func(path string, b []byte) []Span
}

// Setup is what an engine is told about a run. It crosses the process border,
// so it is data.
type Setup struct {
	RuleFiles []RuleFile `json:"ruleFiles,omitempty"`
	// SkipRules are rule ids or globs such as "secrets/*".
	SkipRules []string `json:"skipRules,omitempty"`
	// DecodeDepth is how many layers of encoding are taken off; 0 for none.
	DecodeDepth int `json:"decodeDepth"`
	// Repeats says that the same text will be seen many times, as in a history:
	// engines may remember what they made of it, in bounded memory. What they find
	// is the same with it and without.
	Repeats bool `json:"repeats,omitempty"`
	// Key is for keyed hashes of secrets; 32 random bytes that stay on this
	// machine.
	Key []byte `json:"key,omitempty"`
	// Pipeline is for the engine of that name.
	Pipeline PipelineSetup `json:"pipeline,omitzero"`
	// Salt is the key of Features: that of the baseline the run compares with, or
	// any for two sides that are scanned together. Empty means Key for two sides and for
	// a history, and no Features else.
	Salt []byte `json:"salt,omitempty"`
}

// PipelineSetup is what the answers about pipelines depend on beside their
// definitions.
type PipelineSetup struct {
	// AsOf is the day YYYY-MM-DD that the answer is for, empty for the latest rules.
	AsOf string `json:"asOf,omitempty"`
	// Forge is the server: "github", "github@3.17"; empty for the public ones.
	Forge string `json:"forge,omitempty"`
	// Settings is a file of settings of forges, nil for none.
	Settings *RuleFile `json:"settings,omitempty"`
	// Repairs asks for a repair with every finding that there is one for; without it
	// only what is above hygiene has one.
	Repairs bool `json:"repairs,omitempty"`
	// Graph asks for assets and edges of the attack graph.
	Graph bool `json:"graph,omitempty"`
	// Forbidden are patterns of actions that must not be used; with Allowed only
	// those may.
	Forbidden []string `json:"forbidden,omitempty"`
	Allowed   []string `json:"allowed,omitempty"`
}

// Pass is one engine at work on one run. File is called concurrently, once for
// each file that the engine wants, and must depend on nothing but that file (and
// what it read through Tree): its records are cached. What Finish needs travels
// as Fact records.
type Pass interface {
	// Wants sees the path and size of a file and says whether File wants it. It
	// does no input or output.
	Wants(path string, info FileInfo) bool
	// File analyses one file. An error is a coverage record of this file; the
	// run goes on. The File must not be kept.
	File(ctx context.Context, f *File, r Reporter) error
	// Finish is called after all files and after the engines in After. Findings may
	// lie in any file of the tree.
	Finish(ctx context.Context, run Run, r Reporter) error
}

// Reporter takes what an engine found: *Finding, *Component, *Asset, *Edge,
// *Fact, *Coverage or *Note. It may be called concurrently.
type Reporter interface{ Report(Record) }

// Tree reads another file of the source by its path. The read is rooted and
// bounded.
type Tree interface {
	Read(path string) ([]byte, error)
	// List names what lies in a folder, sorted, folders with a slash at their end.
	// What is no folder, or cannot be read, has nothing in it.
	List(path string) []string
}

// Run is what Finish may use. Where there are several roots, or two sides of a
// change, Finish is called for each.
type Run struct {
	Tree  Tree
	Facts []Fact
	// Root is what paths begin with: empty, or a folder with a slash at its end.
	Root string
	// Changed means that only files that differ between two versions were offered;
	// facts of the others are missing.
	Changed bool
	// Ask puts questions to the forge and returns an answer to each, in their order;
	// the most valuable come first, since the number of requests is bounded. It is nil
	// where there is nobody to ask: offline.
	Ask func(questions []Question) []Answer
	// Each calls do for 0 to n-1 on the pass's own worker pool.
	Each func(n int, do func(i int))
}

// FileInfo is what is known of a file before it is read.
type FileInfo struct {
	Size int64
	// Executable is true where any execute bit is set.
	Executable bool
	// Member is true inside a container.
	Member bool
	// Commit is the commit in full, in hex, that the file is said to have come with.
	// In a history it is set only to ask what that commit is allowed.
	Commit string
	// Binary is true once the content is known not to be text. Only an engine
	// whose Wants says yes to it is given such a file.
	Binary bool
}

// Segment is a piece of a file. Pieces overlap so that a match that lies across
// an edge is whole in one of them.
type Segment struct {
	// Base is the offset of Bytes[0] in the file.
	Base  int64
	Bytes []byte
	// Fresh is the index in Bytes before which everything was also in the
	// previous segment.
	Fresh int
	// Last is true for the final piece.
	Last bool
}

// File is one file as engines see it: UTF-8 or at least ASCII-compatible text
// (UTF-16 is converted before), read at most once, whoever asks.
type File struct {
	Path string
	Info FileInfo
	// Tree reads other files of the source; what it reads becomes part of this
	// file's cache key.
	Tree Tree

	load     func() ([]byte, error)
	segments func(size, overlap int) iter.Seq2[Segment, error]
	once     sync.Once
	bytes    []byte
	err      error

	mu     sync.Mutex
	parsed map[any]*parseOnce
}

type parseOnce struct {
	once  sync.Once
	value any
	err   error
}

// NewFile makes a file from a loader, which is called at most once, and an
// optional reader of pieces for files too large to hold; nil means that the
// whole is one piece.
func NewFile(path string, info FileInfo, load func() ([]byte, error), segments func(size, overlap int) iter.Seq2[Segment, error]) *File {
	return &File{Path: path, Info: info, load: load, segments: segments}
}

// ErrTooLarge is returned by Bytes for a file that is only read in segments.
var ErrTooLarge = &Error{Message: "too large to read whole", Err: io.ErrShortBuffer}

// ErrNotChecked is returned by Pass.File for a file that the engine wanted to see and
// cannot judge: it does not count as read by the engine, which has said why in a note.
var ErrNotChecked = &Error{Message: "not checked"}

// Bytes returns the whole file. The slice is shared: do not write to it. It is
// valid until File returns.
func (f *File) Bytes() ([]byte, error) {
	f.once.Do(func() { f.bytes, f.err = f.load() })
	return f.bytes, f.err
}

// Segments yields the file in pieces of about size bytes of which overlap bytes
// are repeated. A file that fits in memory is one piece. A piece is valid until
// the next one; findings reported during a piece must lie inside it.
func (f *File) Segments(size, overlap int) iter.Seq2[Segment, error] {
	if f.segments != nil {
		return f.segments(size, overlap)
	}
	return func(yield func(Segment, error) bool) {
		b, err := f.Bytes()
		yield(Segment{Bytes: b, Last: true}, err)
	}
}

// Parsed parses the file once per parser and shares the tree between engines.
// The key identifies the parser; a package-level variable's address serves.
func Parsed[T any](f *File, key any, parse func([]byte) (T, error)) (T, error) {
	f.mu.Lock()
	if f.parsed == nil {
		f.parsed = make(map[any]*parseOnce)
	}
	p := f.parsed[key]
	if p == nil {
		p = new(parseOnce)
		f.parsed[key] = p
	}
	f.mu.Unlock()
	p.once.Do(func() {
		b, err := f.Bytes()
		if err != nil {
			p.err = err
			return
		}
		p.value, p.err = parse(b)
	})
	if p.err != nil {
		var zero T
		return zero, p.err
	}
	return p.value.(T), nil
}
