package penstock

// Schema is the major version of the record stream. A reader refuses a stream
// of another major version and ignores record types that it does not know.
const Schema = 1

// Record is one message of the stream that a run is: a Header, then Rules,
// Findings, Components, Assets, Edges, Coverage and Notes in total order, the
// Verdict, and End. Every report format is made from it.
type Record interface{ RecordType() string }

// Header opens the stream. It holds nothing that changes between two runs over
// the same input with the same build: no time, no host, no path of the machine.
type Header struct {
	Schema  int    `json:"schema"`
	Tool    string `json:"tool"`
	Version string `json:"version"`
	// Build names the revision and whether cgo is in.
	Build string `json:"build,omitempty"`
	// Roots are the paths as the user named them.
	Roots   []string `json:"roots"`
	Engines []string `json:"engines"`
	// Base and Head are the commits that a range compares; Head is empty where the
	// work tree or the index takes its place. History is set where all commits
	// between them, or up to Head, were read.
	Base    string `json:"base,omitempty"`
	Head    string `json:"head,omitempty"`
	History bool   `json:"history,omitempty"`
	// Rules and Config are SHA-256 digests, in hex.
	Rules  string `json:"rulesDigest"`
	Config string `json:"configDigest"`
}

// End closes the stream; a stream without it is incomplete.
type End struct {
	Totals Totals `json:"totals"`
	// Findings counts open findings by severity name.
	Findings map[string]int `json:"findings"`
	// Records counts the records before this one; Digest is the SHA-256 in hex
	// of their lines, newlines included. Both are filled by the jsonl writer.
	Records int    `json:"records,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

func (*Header) RecordType() string    { return "header" }
func (*Rule) RecordType() string      { return "rule" }
func (*Finding) RecordType() string   { return "finding" }
func (*Component) RecordType() string { return "component" }
func (*Asset) RecordType() string     { return "asset" }
func (*Edge) RecordType() string      { return "edge" }
func (*Fact) RecordType() string      { return "fact" }
func (*Coverage) RecordType() string  { return "coverage" }
func (*Note) RecordType() string      { return "note" }
func (*Verdict) RecordType() string   { return "verdict" }
func (*End) RecordType() string       { return "end" }
