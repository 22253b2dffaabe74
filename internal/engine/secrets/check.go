package secrets

// CheckResult says whether a secret's own checksum or shape is right.
type CheckResult uint8

const (
	Unknown CheckResult = iota
	Right
	Wrong
)

// Check examines a secret's checksum or inner shape.
type Check func(secret []byte) CheckResult

func checkByName(name string) (Check, bool) { return func([]byte) CheckResult { return Unknown }, true }

func checkNames() []string { return nil }
