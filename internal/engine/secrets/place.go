package secrets

import "penstock"

// place classes where a file stands in a project.
type place uint8

const (
	placeSource place = iota
	placeTest
)

func placeOf(path string) place { return placeSource }

func (p place) String() string { return "source" }

func (p place) severity(s penstock.Severity, checked bool) penstock.Severity { return s }
