package penstock

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Features are what the matcher (internal/identity) needs to know a finding
// again in another version of the tree: hashes, and no text. They are made in
// the worker, beside the snippet.
//
// All hashes are keyed with the run's salt (Setup.Salt), so they compare only
// with those of the same salt. Secrets, the finding's own and those that stand
// around it, are left out of every hash but Value. Since the salt of a baseline
// lies beside its hashes, the key alone stops no guessing; the short hashes do:
// of a million guesses for a token or a line, some fifteen stay possible.
type Features struct {
	// Path and Line are where the finding stood, Line counting from 1.
	Path string `json:"path"`
	Line int    `json:"line"`
	// Class says what kinds of finding may be the same: only equal ones are.
	Class string `json:"class"`
	// Key is a hash of what the engine calls the flaw (Finding.Group), zero for
	// none. Equal keys in one class are the same finding wherever they stand.
	Key Hash `json:"key,omitzero"`
	// Value is a hash of a secret's value without white space, zero for none.
	// For a value that a dictionary may hold it has FeatureBits bits only.
	Value Hash `json:"value,omitzero"`
	// Code is a hash of the tokens of the flagged lines; white space, the kind of
	// quotes and a comma or semicolon at the end do not count.
	Code Hash `json:"code"`
	// Abstract is like Code with all identifiers, numbers and strings alike.
	Abstract uint32 `json:"abstract"`
	// Tokens is the multiset of the flagged tokens, sorted, at most MaxTokens.
	Tokens []uint32 `json:"tokens,omitempty"`
	// Before and After are the lines around that say something, the nearest
	// first, at most MaxContext each.
	Before []uint32 `json:"before,omitempty"`
	After  []uint32 `json:"after,omitempty"`
	// Scope is a hash of what encloses the finding, zero for nothing.
	Scope uint32 `json:"scope,omitempty"`
	// Outer are the lines that open what encloses the finding, the nearest first,
	// at most MaxOuter. Where such a line has no word, it is the first one inside.
	// A test's title and an entry's name stand there, too far for Before.
	Outer []uint32 `json:"outer,omitempty"`
	// Flow is a hash of the ends of the trace, zero for no trace.
	Flow uint32 `json:"flow,omitempty"`
	// Ordinal counts from 0 the findings of one class and Code in one file.
	Ordinal int `json:"ordinal,omitempty"`
	// Partial means that the flagged code was longer than what Code covers.
	Partial bool `json:"partial,omitempty"`
}

const (
	// FeatureBits is the width of hashes of single tokens and lines. Sixteen tell
	// eight lines apart well enough (a chance of 0.0002 that any of 4 x 4 differing
	// lines look equal) and leave a guesser with too many candidates.
	FeatureBits = 16
	// MaxTokens, MaxContext and MaxOuter bound the lists of Features.
	MaxTokens  = 64
	MaxContext = 4
	MaxOuter   = 8
)

// Hash is a keyed 64-bit hash, written as 16 hexadecimal digits since readers of
// JSON lose the low bits of large numbers.
type Hash uint64

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Anything but 16 hexadecimal
// digits is an error.
func (h *Hash) UnmarshalText(b []byte) error {
	var raw [8]byte
	if len(b) != 16 {
		return fmt.Errorf("hash of %d digits, want 16", len(b))
	}
	if _, err := hex.Decode(raw[:], b); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	*h = 0
	for _, c := range raw {
		*h = *h<<8 | Hash(c)
	}
	return nil
}

// Guessable reports whether h is the short hash of a value that a dictionary may
// hold, so that its equality alone proves little.
func (h Hash) Guessable() bool { return h>>FeatureBits == 0 }

// Valid reports whether f keeps the bounds that its makers keep. Readers of
// features from elsewhere, a worker or a file, ask before they use them.
func (f *Features) Valid() bool {
	const longest = 4096 // bytes of a path, as PATH_MAX
	short := func(list []uint32, most int) bool {
		return len(list) <= most && !slices.ContainsFunc(list, func(v uint32) bool { return v>>FeatureBits != 0 })
	}
	return f != nil && len(f.Path) <= longest && len(f.Class) <= 200 && f.Class != "" && f.Line >= 0 && f.Ordinal >= 0 &&
		short(f.Tokens, MaxTokens) && slices.IsSorted(f.Tokens) && short(f.Before, MaxContext) && short(f.After, MaxContext) && short(f.Outer, MaxOuter)
}

// GroupOf makes the Group of a finding that its domain names, from the parts of
// the name; it must not depend on the machine, the run or a version. The parts:
//
//   - dependency: alias cluster, purl without its version, manifest or image layer root
//   - infrastructure: resource address, attribute
//   - cloud: ARN
//   - workflow: workflow path, job, step ordinal, uses
//
// The weakness class stands apart, in Features.Class. The Group of a secret is no
// name but a keyed hash of its value.
func GroupOf(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p) // no part can pass for two
	}
	return b.String()
}
