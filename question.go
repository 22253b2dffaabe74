package penstock

import "strings"

// QuestionKind says what a question is about.
type QuestionKind string

const (
	// AskRepository: is it there, under that name, and is it archived?
	AskRepository QuestionKind = "repository"
	// AskRef: which commits are the tag and the branch of one name?
	AskRef QuestionKind = "ref"
	// AskCommit: does a branch or tag of the repository hold a commit, and which tags
	// are it?
	AskCommit QuestionKind = "commit"
	// AskAdvisories: which published vulnerabilities does the action have?
	AskAdvisories QuestionKind = "advisories"
)

// Question is about a repository at the forge: what no file of the tree can tell. An
// engine puts it to Run.Ask. It crosses the process border from a worker that may be
// taken over, so nothing of it is believed before Valid has said yes.
type Question struct {
	Kind  QuestionKind `json:"kind"`
	Owner string       `json:"owner"`
	Repo  string       `json:"repo"`
	// Ref is the name of a tag or branch (AskRef) or a whole commit in lower case
	// (AskCommit).
	Ref string `json:"ref,omitempty"`
	// Tag is the tag that a commit is said to be, empty for none (AskCommit).
	Tag string `json:"tag,omitempty"`
}

// Valid reports whether the question is well formed by the forge's grammar, so that
// the request made of it is about a repository and nothing else.
func (q *Question) Valid() bool {
	if !ValidOwner(q.Owner) || !ValidRepo(q.Repo) {
		return false
	}
	switch q.Kind {
	case AskRepository, AskAdvisories:
		return q.Ref == "" && q.Tag == ""
	case AskRef:
		return ValidRef(q.Ref) && q.Tag == ""
	case AskCommit:
		return ValidCommit(q.Ref) && (q.Tag == "" || ValidRef(q.Tag))
	}
	return false
}

// ValidOwner reports whether s can be a user or organisation of GitHub: letters, digits
// and hyphens, at most 39 (some old names end in a hyphen; those of managed users
// have an underscore).
func ValidOwner(s string) bool {
	return len(s) <= 39 && s != "" && s[0] != '-' && onlyBytes(s, "-_")
}

// ValidRepo reports whether s can be a repository of GitHub: at most 100 letters,
// digits, and ". - _".
func ValidRepo(s string) bool {
	return s != "" && len(s) <= 100 && s != "." && s != ".." && onlyBytes(s, "-_.")
}

// ValidCommit reports whether s is a whole commit, SHA-1 or SHA-256, in lower case.
func ValidCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// ValidRef reports whether s can be the short name of a branch or tag: git's own rules
// (git-check-ref-format) in printable ASCII, at most 250 bytes.
func ValidRef(s string) bool {
	if s == "" || len(s) > 250 || s == "@" || s[0] == '-' || strings.Contains(s, "..") || strings.Contains(s, "@{") || strings.HasSuffix(s, ".") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("~^:?*[\\", c) >= 0 {
			return false
		}
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// onlyBytes reports whether s is of letters, digits and the bytes of more.
func onlyBytes(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

// Reach says whether a commit belongs to a repository.
type Reach string

const (
	// ReachYes: a branch or tag holds it.
	ReachYes Reach = "yes"
	// ReachNo: none that was looked at does, though the forge serves it: the commit of
	// a fork, of a pull request or of a branch that is gone.
	ReachNo Reach = "no"
	// ReachAbsent: the forge does not know the commit at all.
	ReachAbsent Reach = "absent"
)

// Answer is what the forge says to a question. The zero value says nothing.
type Answer struct {
	// Known is false where the question was not asked (offline, budget, limit of the
	// forge) or not answered; then nothing follows from the rest.
	Known bool `json:"known,omitempty"`

	// Of AskRepository. Missing: there is none that can be seen under the name.
	Missing bool `json:"missing,omitempty"`
	// OwnerMissing: nobody has the owner's name, so anyone can register it.
	OwnerMissing bool `json:"ownerMissing,omitempty"`
	// Moved is the name that the repository has now, if it is another one.
	Moved    string `json:"moved,omitempty"`
	Archived bool   `json:"archived,omitempty"`

	// TagCommit and BranchCommit are the commits of the tag and the branch that have
	// the name (AskRef), or of the tag that the commit is said to be (AskCommit);
	// empty for none.
	TagCommit    string `json:"tagCommit,omitempty"`
	BranchCommit string `json:"branchCommit,omitempty"`
	// Tags are the tags at the commit, of AskRef those at TagCommit; AllTags says that
	// every tag of the repository was looked at.
	Tags    []string `json:"tags,omitempty"`
	AllTags bool     `json:"allTags,omitempty"`
	// Reach is of AskCommit. Sure says of ReachNo that every branch was looked at.
	Reach Reach `json:"reach,omitempty"`
	Sure  bool  `json:"sure,omitempty"`

	Advisories []Advisory `json:"advisories,omitempty"`
}

// Advisory is a published vulnerability of an action.
type Advisory struct {
	ID    string `json:"id"`
	Alias string `json:"alias,omitempty"` // its CVE
	Title string `json:"title"`
	// Severity is low, medium, high or critical.
	Severity string `json:"severity"`
	// Versions are bounds that all hold of a version that has it: ">= 1.0, < 1.2.3".
	Versions string `json:"versions"`
	Fixed    string `json:"fixed,omitempty"` // the first version without it
}
