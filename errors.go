package penstock

// Exit codes of the program. They are part of its contract.
const (
	ExitPass        = 0
	ExitBlocked     = 1   // the gate blocks, also when the run is incomplete
	ExitError       = 2   // error, unread files, broken configuration
	ExitNothing     = 3   // the named path holds nothing to check
	ExitUsage       = 64  // wrong use
	ExitInterrupted = 130 // interrupted; no half report is left
)

// Error is an error that a user sees: what went wrong, and what to do.
type Error struct {
	// Code is the exit code; 0 means ExitError.
	Code    int
	Message string
	Hint    string
	Err     error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }
