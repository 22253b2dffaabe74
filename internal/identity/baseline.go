package identity

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"penstock"
)

// A baseline file is lines of JSON: a header, then one line per place of a
// finding, in order, so that two branches that change it merge. It holds hashes,
// paths and rule ids, and no text of any finding.
const (
	// BaselineVersion is the version of the file that is written. Older ones are
	// read: version 1 lacks Features.Outer. A newer one is refused.
	BaselineVersion = 2
	// SaltSize is the length of a salt in bytes.
	SaltSize = 16

	baselineMost = 64 << 20 // bytes of a file
	entriesMost  = 500_000
	lineMost     = 16 << 10 // bytes; 64 tokens and 16 lines take under 1 KB, a path up to 4 KB
	textMost     = 200      // bytes of a rule id, a version, a commit
)

// Baseline is what was found and accepted at some time.
type Baseline struct {
	// Salt is the key of all hashes: Setup.Salt of a scan that is compared.
	Salt []byte
	// Tool is the version of the program that wrote the file.
	Tool    string
	Entries []Entry
}

// Entry is one place of one finding.
type Entry struct {
	Rule string `json:"rule"`
	// Since is the commit in which the finding was first seen, empty if unknown.
	Since string `json:"since,omitempty"`
	// Fingerprint is Finding.Fingerprint, so that an exception by fingerprint stays
	// with its finding. Empty if unknown.
	Fingerprint string            `json:"fingerprint,omitempty"`
	Features    penstock.Features `json:"features"`
}

type header struct {
	Version int    `json:"baseline"`
	Tool    string `json:"tool"`
	Salt    string `json:"salt"`
}

// NewBaseline makes a baseline of findings that were scanned with the salt. The
// commit, where known, is where they were first seen.
func NewBaseline(salt []byte, tool, commit string, findings []*penstock.Finding) *Baseline {
	b := &Baseline{Salt: salt, Tool: tool}
	for _, o := range Observe(findings) {
		f := findings[o.Finding]
		b.Entries = append(b.Entries, Entry{Rule: f.Rule, Since: commit, Fingerprint: f.Fingerprint, Features: *o.Features})
	}
	b.sort()
	return b
}

// Add adds entries, in order.
func (b *Baseline) Add(list ...Entry) {
	b.Entries = append(b.Entries, list...)
	b.sort()
}

func (b *Baseline) sort() {
	slices.SortStableFunc(b.Entries, func(x, y Entry) int {
		f, g := &x.Features, &y.Features
		return cmp.Or(cmp.Compare(f.Path, g.Path), cmp.Compare(f.Line, g.Line), cmp.Compare(x.Rule, y.Rule),
			cmp.Compare(f.Code, g.Code), cmp.Compare(f.Value, g.Value), cmp.Compare(f.Key, g.Key), cmp.Compare(f.Ordinal, g.Ordinal))
	})
}

// Observations are the old side of Match. Observation.Finding is the index in
// Entries.
func (b *Baseline) Observations() []Observation {
	list := make([]Observation, len(b.Entries))
	for i := range b.Entries {
		list[i] = Observation{Features: &b.Entries[i].Features, Finding: i}
	}
	return list
}

// Pruned returns the baseline after a scan: entries that matched exactly move to
// where the finding stands now, those that matched otherwise stay as they are,
// and those without a partner go, if covered says that their file was looked at
// by an engine that knows their rule, or is no more. Fresh and r are the second
// argument and the result of the Match, findings those that fresh numbers.
// Dropped and moved are entries of b, by index, ascending; an entry is moved only
// if its path or line changed.
func (b *Baseline) Pruned(r Result, fresh []Observation, findings []*penstock.Finding, covered func(path, rule string) bool) (next *Baseline, dropped, moved []int) {
	next = &Baseline{Salt: b.Salt, Tool: b.Tool}
	absent := make(map[int]bool, len(r.Gone))
	for _, i := range r.Gone {
		absent[i] = true
	}
	exact := make(map[int]int, len(r.Pairs))
	for _, p := range r.Pairs {
		if p.Exact {
			exact[p.Old] = p.New
		}
	}
	for i, e := range b.Entries {
		if absent[i] && covered(e.Features.Path, e.Rule) {
			dropped = append(dropped, i)
			continue
		}
		if n, ok := exact[i]; ok {
			o, f := fresh[n], findings[fresh[n].Finding]
			if o.Path != e.Features.Path || o.Line != e.Features.Line {
				moved = append(moved, i)
			}
			e.Features, e.Rule, e.Fingerprint = *o.Features, f.Rule, f.Fingerprint
		}
		next.Entries = append(next.Entries, e)
	}
	next.sort()
	return next, dropped, moved
}

// Write writes the file. Equal baselines give equal bytes. An entry that Read
// would refuse is an error, before a byte is written.
func (b *Baseline) Write(w io.Writer) error {
	if len(b.Salt) != SaltSize {
		return fmt.Errorf("write baseline: salt of %d bytes, want %d", len(b.Salt), SaltSize)
	}
	if len(b.Entries) > entriesMost {
		return fmt.Errorf("write baseline: %d entries, at most %d", len(b.Entries), entriesMost)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(header{BaselineVersion, b.Tool, hex.EncodeToString(b.Salt)}); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	for i := range b.Entries {
		if err := b.Entries[i].check(); err != nil {
			return fmt.Errorf("write baseline: %s: %w", b.Entries[i].Rule, err)
		}
		start := out.Len()
		if err := enc.Encode(&b.Entries[i]); err != nil {
			return fmt.Errorf("write baseline: %w", err)
		}
		if out.Len()-start > lineMost || out.Len() > baselineMost {
			return fmt.Errorf("write baseline: too large at %s", b.Entries[i].Features.Path)
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

// check refuses what no honest writer writes.
func (e *Entry) check() error {
	switch {
	case len(e.Rule) > textMost || !strings.Contains(e.Rule, "/"):
		return errors.New("no rule id")
	case len(e.Since) > textMost:
		return errors.New("the commit is too long")
	case len(e.Fingerprint) > textMost:
		return errors.New("the fingerprint is too long")
	case !e.Features.Valid():
		return errors.New("features out of bounds")
	}
	return nil
}

// ReadBaseline reads a file, which may be hostile: at most 64 MiB, 500,000
// entries and 16 KiB a line. An error names the line. Fields that this version
// does not know are an error, since they could change what an entry means.
func ReadBaseline(r io.Reader) (*Baseline, error) {
	in := bufio.NewScanner(io.LimitReader(r, baselineMost+1))
	in.Buffer(make([]byte, 0, 4096), lineMost+2)
	b := &Baseline{}
	total, line := 0, 0
	fail := func(err error) error { return fmt.Errorf("read baseline: line %d: %w", line, err) }
	for in.Scan() {
		line++
		if total += len(in.Bytes()) + 1; total > baselineMost {
			return nil, fail(fmt.Errorf("larger than %d bytes", baselineMost))
		}
		text := bytes.TrimSpace(in.Bytes())
		if line == 1 {
			var h header // read leniently: a newer version may have more fields
			if err := json.Unmarshal(text, &h); err != nil {
				return nil, fail(quiet(err))
			}
			if h.Version == 0 {
				return nil, fail(errors.New("this is no baseline"))
			}
			if h.Version < 1 || h.Version > BaselineVersion {
				return nil, fail(fmt.Errorf("version %d, this program reads versions up to %d", h.Version, BaselineVersion))
			}
			salt, err := hex.DecodeString(h.Salt)
			if err != nil || len(salt) != SaltSize {
				return nil, fail(fmt.Errorf("the salt is not %d bytes in hexadecimal", SaltSize))
			}
			if len(h.Tool) > textMost {
				return nil, fail(errors.New("the tool's version is too long"))
			}
			b.Salt, b.Tool = salt, h.Tool
			continue
		}
		if len(text) == 0 {
			continue
		}
		if len(b.Entries) >= entriesMost {
			return nil, fail(fmt.Errorf("more than %d entries", entriesMost))
		}
		var e Entry
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, fail(quiet(err))
		}
		if d.More() {
			return nil, fail(errors.New("more than one entry"))
		}
		if err := e.check(); err != nil {
			return nil, fail(err)
		}
		b.Entries = append(b.Entries, e)
	}
	if err := in.Err(); err != nil {
		line++
		return nil, fail(err)
	}
	if line == 0 {
		return nil, errors.New("read baseline: the file is empty")
	}
	return b, nil
}

// quiet keeps the text of a file, which may be any file and hold a secret, out of
// an error: of a decoder's errors only those of syntax quote no more than a byte.
func quiet(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("it does not read as one of version %d", BaselineVersion)
}
