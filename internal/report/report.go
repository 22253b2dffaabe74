// Package report turns the record stream of a run into reports: one file per
// format, every one fed by the same records.
//
// Invariant: what a report shows of the scanned tree is inert in its sink. Each
// format has one escaper, and what a reader of the format gets back is the
// visible form of the text that went in. No report holds the time of day, the
// machine or the order of a map, so the same stream gives the same bytes.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"penstock"
)

// Sink takes the records of one run in stream order and writes one report.
// Record does not keep or change what it is given beyond reading it until
// Close, so records must not be changed in between. Close writes what is left;
// it does not close the writer. A sink that is dropped without Close leaves a
// report that says nothing or that is cut off.
type Sink interface {
	Record(penstock.Record) error
	Close() error
}

// Options are the choices of all formats; each format reads its own. The zero
// value is useful.
type Options struct {
	// All shows every open finding and lists the suppressed ones: text and
	// markdown, which otherwise show the ten to act on first.
	All bool
	// Verbose also gives notes that are the same in every run: text and markdown.
	Verbose bool
	// Quiet leaves out findings: text shows the verdict and what was not read.
	Quiet bool
	// Color, Links and Width are for the terminal: SGR colours, OSC 8 links, and
	// the columns to fit to, 0 for 100. Links need Dir.
	Color bool
	Links bool
	Width int
	// Dir is the absolute folder that paths are relative to; it appears in
	// terminal links only, never in a file.
	Dir string
	// Time stands in formats that require one (gitlab); zero is the Unix epoch.
	Time time.Time
	// Commit is the hash of the scanned commit where there is one (gitlab).
	Commit string
	// MaxBytes bounds a Markdown report; 0 means the limit of a GitHub step
	// summary, which also is the most. 65,536 fits a comment there.
	MaxBytes int
}

// format is one entry of the table of formats.
type format struct {
	name string
	open func(io.Writer, Options) Sink
}

func formats() []format {
	return []format{
		{"text", newText},
		{"jsonl", newJSONL},
		{"json", newJSON},
		{"sarif", newSARIF},
		{"gitlab", newGitLab},
		{"codequality", newCodeQuality},
		{"html", newHTML},
		{"markdown", newMarkdown},
	}
}

// Formats lists the names that New knows, the usual one first.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// New opens a report in the named format. An unknown name is a *penstock.Error.
func New(name string, w io.Writer, opts Options) (Sink, error) {
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.name == name })
	if i < 0 {
		return nil, &penstock.Error{
			Code:    penstock.ExitUsage,
			Message: fmt.Sprintf("unknown format %q", name),
			Hint:    "use one of " + strings.Join(Formats(), ", "),
		}
	}
	return newNormal(all[i].open(w, opts)), nil
}
