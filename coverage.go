package penstock

// State is how one file of the source ended. The zero value is unset and counts
// as unread.
type State int

const (
	StateUnset State = iota
	// Scanned: read whole by the engines named.
	Scanned
	// Excluded: left out on purpose, for the reason named.
	Excluded
	// Unread: should have been read and was not. Unread is never clean.
	Unread
)

var stateNames = [...]string{"unset", "scanned", "excluded", "unread"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return stateNames[0]
	}
	return stateNames[s]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the state's name; an unknown one is unset.
func (s *State) UnmarshalText(text []byte) error {
	*s = StateUnset
	for i, n := range stateNames {
		if n == string(text) {
			*s = State(i)
		}
	}
	return nil
}

// Reason says why a file was excluded or unread. Values are stable: reports and
// policies name them.
type Reason string

const (
	// Excluded.
	ReasonIgnored    Reason = "ignored"     // a .gitignore rule, and git does not track the file
	ReasonExclude    Reason = "exclude"     // --exclude or the configuration
	ReasonBinary     Reason = "binary"      // no text, and no container that we open
	ReasonSize       Reason = "size"        // over the size cap
	ReasonSymlink    Reason = "symlink"     // links are not followed
	ReasonSpecial    Reason = "special"     // FIFO, device, socket
	ReasonNotWanted  Reason = "not-wanted"  // no selected engine reads such files
	ReasonVCS        Reason = "vcs"         // the version control system's own folder
	ReasonEmpty      Reason = "empty"       // zero bytes
	ReasonSubmodule  Reason = "submodule"   // another repository, not checked out
	ReasonLFS        Reason = "lfs"         // a pointer; the content lies in Git LFS
	ReasonOtherMount Reason = "other-mount" // a different file system, e.g. /proc
	// Unread.
	ReasonPermission Reason = "permission"
	ReasonVanished   Reason = "vanished" // gone between listing and reading
	ReasonChanged    Reason = "changed"  // changed while it was read
	ReasonIO         Reason = "io"
	ReasonMissing    Reason = "missing"     // an object that the repository does not hold
	ReasonDamaged    Reason = "damaged"     // an object that is not what its id says
	ReasonArchive    Reason = "archive"     // damaged, encrypted or unsupported container
	ReasonArchiveCap Reason = "archive-cap" // entry, total, ratio, count or depth cap
	ReasonUnsafeName Reason = "unsafe-name" // a member that names a place outside its container
	ReasonParse      Reason = "parse"
	ReasonBudget     Reason = "budget" // an engine stopped at its step budget
	ReasonCrash      Reason = "crash"  // an engine panicked
	ReasonKilled     Reason = "killed" // the file killed the worker
	ReasonInterrupt  Reason = "interrupted"
)

// Coverage says how one file ended, or one engine's part of it. A file that no
// engine read whole has at least one record that is not Scanned.
type Coverage struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is for people: the error, the pattern that excluded the file.
	Detail string `json:"detail,omitempty"`
	// Engines are those that read the file, sorted; for Unread with an engine's
	// own failure, that engine.
	Engines []string `json:"engines,omitempty"`
}

// Totals is coverage in numbers. Each file counts once, by its worst state.
type Totals struct {
	Files    int   `json:"files"`
	Scanned  int   `json:"scanned"`
	Excluded int   `json:"excluded"`
	Unread   int   `json:"unread"`
	Bytes    int64 `json:"bytes"` // of scanned files
	// Members counts files inside containers; they are not part of Files.
	Members int `json:"members,omitempty"`
	// ByReason counts files and members that were not scanned.
	ByReason map[Reason]int `json:"byReason,omitempty"`
	// ByEngine counts files and members that each engine read.
	ByEngine map[string]int `json:"byEngine,omitempty"`
}

// Note is a fact about the run that no single file carries: the sandbox is
// weaker than it should be, a rule is slow, an exception expired.
type Note struct {
	// Code is stable: "sandbox-partial", "exception-expired", "ignore-unused".
	Code    string `json:"code"`
	Message string `json:"message"`
	// Place is "path:line" where there is one.
	Place string `json:"place,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Incomplete means that part of the work was not done.
	Incomplete bool `json:"incomplete,omitempty"`
}
