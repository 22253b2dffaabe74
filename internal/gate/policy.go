// Package gate turns findings into a verdict: policy, exceptions, ignore lists
// and baseline in, reasons in plain sentences out.
//
// Invariant: Decide is a pure function. It reads no file and no clock, and equal
// input gives an equal verdict.
package gate

import (
	"fmt"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// Threshold is the severity from which findings block. The zero value is unset;
// Never lets every finding pass.
type Threshold int

// Never is above every severity.
const Never = Threshold(penstock.Critical) + 1

// At is the threshold that blocks at and above s.
func At(s penstock.Severity) Threshold { return Threshold(s) }

func (t Threshold) String() string {
	if t == Never {
		return "never"
	}
	return penstock.Severity(t).String()
}

// MarshalText writes the threshold's name.
func (t Threshold) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a severity's name or "never".
func (t *Threshold) UnmarshalText(text []byte) error {
	if strings.EqualFold(string(text), "never") {
		*t = Never
		return nil
	}
	s, err := penstock.ParseSeverity(string(text))
	if err != nil {
		return fmt.Errorf("unknown severity %q: use one of critical, high, medium, low, info, never", text)
	}
	*t = At(s)
	return nil
}

// blocks reports whether a finding of severity s is at or above t. An unset
// severity is a defect of an engine and counts as the worst, an unset threshold
// as the lowest: neither may read as harmless.
func (t Threshold) blocks(s penstock.Severity) bool {
	if s == penstock.SeverityUnset {
		s = penstock.Critical
	}
	return Threshold(s) >= t
}

// OnUnread says what unread files mean for the verdict. The zero value is
// FailUnread.
type OnUnread int

const (
	// FailUnread lets an incomplete run fail, with its own exit code.
	FailUnread OnUnread = iota
	// WarnUnread only says that the run is incomplete.
	WarnUnread
)

func (u OnUnread) String() string {
	if u == WarnUnread {
		return "warn"
	}
	return "block"
}

// MarshalText writes "block" or "warn".
func (u OnUnread) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads "block" or "warn".
func (u *OnUnread) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "block":
		*u = FailUnread
	case "warn":
		*u = WarnUnread
	default:
		return fmt.Errorf("unknown value %q: use block or warn", text)
	}
	return nil
}

// Policy says what blocks. For one finding the last entry of Paths that matches
// one of its places decides, else its engine's entry, else Block. A finding with
// places under several thresholds blocks if any of them says so. One of the tier
// hygiene blocks only if it is at or above Hygiene as well.
type Policy struct {
	Block      Threshold            `yaml:"block" flag:"fail-on" doc:"findings of this severity and above block: critical, high, medium, low, info or never"`
	Hygiene    Threshold            `yaml:"hygiene" flag:"fail-on-hygiene" doc:"another threshold for what makes attacks easier and is none by itself"`
	Engines    map[string]Threshold `yaml:"engines" doc:"another threshold for single engines, by name"`
	Paths      []PathRule           `yaml:"paths" doc:"another threshold for single paths; the last entry that matches wins, also over engines"`
	OnlyNew    bool                 `yaml:"only-new" doc:"only findings that neither the baseline nor the base of a range knows block"`
	Incomplete OnUnread             `yaml:"incomplete" doc:"what files that could not be read mean: block (exit code 2) or warn"`
	Exceptions string               `yaml:"exceptions" flag:"exceptions" doc:"file of accepted findings, with owner, reason and expiry"`
	// MaxExceptionDays is a bound on how far ahead an exception may expire; one
	// that is further away does not count. 0 means no bound.
	MaxExceptionDays int    `yaml:"max-exception-days" doc:"an exception that expires later than this many days from now does not count; 0 for no bound"`
	Baseline         string `yaml:"baseline" flag:"baseline" doc:"file of known findings, as penstock baseline write makes it; else .penstock/baseline.jsonl, if it is there"`
	NoIgnores        bool   `yaml:"no-ignores" flag:"no-ignores" doc:"inline ignores and .gitleaksignore do not count"`
	ExitZero         bool   `yaml:"exit-zero" flag:"exit-zero" doc:"exit with 0 even if findings block or files are unread; the verdict stays"`
}

// PathRule is the threshold of the paths that Match matches: "*" stays within a
// folder, "**" crosses folders, a pattern without "/" matches a name anywhere,
// and what matches a folder holds for everything in it.
type PathRule struct {
	Match string    `yaml:"match" doc:"glob from the root of the project"`
	Block Threshold `yaml:"block" doc:"critical, high, medium, low, info or never"`
}

// Default is the policy of a project that has none: high and critical block, but no
// hygiene, a baseline hides what is old, and what could not be read is not clean.
func Default() Policy {
	return Policy{Block: At(penstock.High), Hygiene: Never, OnlyNew: true}
}

// Check finds what is wrong with a policy that decoded well: a path rule without
// a pattern or threshold, an engine that does not exist. The error names the
// key.
func (p Policy) Check(engines []string) error {
	for i, r := range p.Paths {
		key := fmt.Sprintf("gate.paths[%d]", i)
		if r.Match == "" {
			return &KeyError{Key: key, Message: "needs match, a glob"}
		}
		if r.Block == 0 {
			return &KeyError{Key: key, Message: "needs block, a severity or never"}
		}
	}
	for name := range p.Engines {
		if !slices.Contains(engines, name) {
			return &KeyError{Key: "gate.engines." + syntax.Shown(name), Message: fmt.Sprintf("there is no engine %q", syntax.Shown(name)), Name: name, Known: engines}
		}
	}
	if p.MaxExceptionDays < 0 {
		return &KeyError{Key: "gate.max-exception-days", Message: "must not be negative"}
	}
	return nil
}

// KeyError is a wrong value of a policy. Key is its dotted path; Known are the
// names that would have been right, if Name is the wrong one.
type KeyError struct {
	Key, Message string
	Name         string
	Known        []string
}

func (e *KeyError) Error() string { return e.Key + ": " + e.Message }
