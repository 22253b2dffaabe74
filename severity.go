package penstock

import (
	"fmt"
	"strings"
)

// Severity says how bad it is if a finding is true. The zero value is unset, so
// that a forgotten severity can never read as harmless.
type Severity int

const (
	SeverityUnset Severity = iota
	Info
	Low
	Medium
	High
	Critical
)

var severityNames = [...]string{"unset", "info", "low", "medium", "high", "critical"}

// Severities lists every set severity, worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Info} }

func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return severityNames[0]
	}
	return severityNames[s]
}

// ParseSeverity reads a severity by its lower-case name.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames[1:] {
		if strings.EqualFold(n, name) {
			return Severity(i + 1), nil
		}
	}
	return SeverityUnset, fmt.Errorf("unknown severity %q: use one of critical, high, medium, low, info", name)
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes, "unset" included; a setting is
// read by ParseSeverity, which refuses that.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	if string(text) == severityNames[0] {
		*s = SeverityUnset
		return nil
	}
	*s, err = ParseSeverity(string(text))
	return err
}

// SARIFLevel is the SARIF 2.1.0 result level of the severity (section 3.27.10).
func (s Severity) SARIFLevel() string {
	switch s {
	case Critical, High:
		return "error"
	case Medium:
		return "warning"
	default:
		return "note"
	}
}

// SecuritySeverity is the number that GitHub code scanning reads from a rule's
// security-severity property: above 9.0 critical, from 7.0 high, from 4.0
// medium, below that low.
func (s Severity) SecuritySeverity() string {
	switch s {
	case Critical:
		return "9.5"
	case High:
		return "8.0"
	case Medium:
		return "5.5"
	case Low:
		return "3.0"
	default:
		return "0.0"
	}
}

// Confidence says how likely it is that a finding is true.
type Confidence int

const (
	ConfidenceUnset Confidence = iota
	ConfidenceLow
	ConfidenceMedium
	ConfidenceHigh
)

var confidenceNames = [...]string{"unset", "low", "medium", "high"}

func (c Confidence) String() string {
	if c < 0 || int(c) >= len(confidenceNames) {
		return confidenceNames[0]
	}
	return confidenceNames[c]
}

// MarshalText writes the confidence's name.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the confidence's name.
func (c *Confidence) UnmarshalText(text []byte) error {
	for i, n := range confidenceNames {
		if n == string(text) {
			*c = Confidence(i)
			return nil
		}
	}
	return fmt.Errorf("unknown confidence %q: use one of high, medium, low", text)
}
