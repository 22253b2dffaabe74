// Package scan is the pass: it offers each file of the source once to every
// engine, inside a worker process without rights, and turns what they report
// into one ordered result in which every file is accounted for.
//
// Invariant: the result depends on the bytes, the rules and the configuration,
// never on the number of workers, the cache or the load of the machine.
package scan

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"time"

	"penstock"
)

// Config is one run. The zero value scans nothing; Roots and Engines are needed.
type Config struct {
	// Roots are what to scan: folders, files, archives, "-" for Stdin.
	Roots []string
	// Dir is the folder that shown paths are relative to; empty for the current
	// one. Roots are relative to the current folder in any case.
	Dir string
	// View reads two versions of a git repository in place of all files, nil does
	// not. What is found in the old one is Result.Base.
	View *View
	// Stdin is read for the root "-".
	Stdin *os.File
	// Engines are all engines of the program; Select names those to run, empty
	// for all.
	Engines []penstock.Engine
	Select  []string
	Setup   penstock.Setup
	// Exclude are globs in .gitignore syntax, relative to each root.
	Exclude []string
	// NoIgnores leaves inline ignores unheeded; NoGit leaves .gitignore files.
	NoIgnores bool
	NoGit     bool
	// Jobs is the number of goroutines that analyse; 0 means one per processor.
	Jobs   int
	Limits Limits
	// Sandbox is "best-effort" (also when empty) or "require".
	Sandbox string
	// CacheDir is the folder of this trust class, empty for no cache.
	CacheDir string
	// CacheReadOnly is set for runs on code that nobody has vouched for.
	CacheReadOnly bool
	// Worker makes the command that starts a worker: the program itself, in
	// worker mode. Nil runs the pass in this process, for tests.
	Worker func() (*exec.Cmd, error)
	// Resolve answers questions about repositories at a forge, in their order; nil is
	// offline. The questions are well formed. It is called by one goroutine at a time.
	Resolve func(ctx context.Context, questions []penstock.Question) []penstock.Answer
	// Progress is told now and then how many files are done; may be nil.
	Progress func(files int)
	// Now is when the run began; zero means time.Now. It decides only which time
	// stamps the cache trusts.
	Now time.Time
	// Version and Build go into the header and the cache key.
	Version, Build string
}

// Limits bound what one run may cost. Zero means the default.
type Limits struct {
	// FileSize is the largest file that is read at all, in bytes.
	FileSize int64 `json:"fileSize,omitempty"`
	// WholeSize is the largest file handed to engines in one piece.
	WholeSize int64 `json:"wholeSize,omitempty"`
	// ArchiveDepth, ArchiveEntries, ArchiveBytes and ArchiveRatio bound containers.
	ArchiveDepth   int   `json:"archiveDepth,omitempty"`
	ArchiveEntries int   `json:"archiveEntries,omitempty"`
	ArchiveBytes   int64 `json:"archiveBytes,omitempty"`
	ArchiveRatio   int64 `json:"archiveRatio,omitempty"`
	// FindingsPerRule bounds the findings of one rule in one file; the rest are
	// counted in a note.
	FindingsPerRule int `json:"findingsPerRule,omitempty"`
	// Memory is the worker's limit in bytes.
	Memory int64 `json:"memory,omitempty"`
}

// withDefaults fills what is zero.
func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.FileSize, 1<<30)
	set(&l.WholeSize, 8<<20)
	setInt(&l.ArchiveDepth, 6)
	setInt(&l.ArchiveEntries, 100_000)
	set(&l.ArchiveBytes, 1<<30)
	// Deflate cannot exceed 1,032: a disk image of zeros is no attack, and what
	// is nested to multiply still is bounded by ArchiveBytes.
	set(&l.ArchiveRatio, 1100)
	setInt(&l.FindingsPerRule, 1000)
	set(&l.Memory, 1<<30)
	return l
}

// Result is one run, in total order.
type Result struct {
	Header     penstock.Header
	Rules      []penstock.Rule // those that findings name, sorted by id
	Findings   []*penstock.Finding
	Components []*penstock.Component
	Assets     []*penstock.Asset
	Edges      []*penstock.Edge
	Coverage   []*penstock.Coverage
	Notes      []*penstock.Note
	Totals     penstock.Totals
	// Base are the findings of the old version of what differs, and Renames the
	// files that moved as they are, from old to new. Both only with Config.View;
	// coverage, totals and the stream are of the new version alone.
	Base    []*penstock.Finding
	Renames map[string]string
}

// Records is the stream of the result, without the verdict and the end, which
// the gate adds.
func (r *Result) Records() iter.Seq[penstock.Record] {
	return func(yield func(penstock.Record) bool) {
		if !yield(&r.Header) {
			return
		}
		for i := range r.Rules {
			if !yield(&r.Rules[i]) {
				return
			}
		}
		_ = each(r.Findings, yield) && each(r.Components, yield) && each(r.Assets, yield) &&
			each(r.Edges, yield) && each(r.Coverage, yield) && each(r.Notes, yield)
	}
}

func each[T penstock.Record](records []T, yield func(penstock.Record) bool) bool {
	for _, r := range records {
		if !yield(r) {
			return false
		}
	}
	return true
}
