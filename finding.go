package penstock

import "cmp"

// Finding is one flaw, whichever engine found it. One flaw has one finding: a
// secret that stands in many files is one finding with many Places.
type Finding struct {
	// Rule is the id "engine/kebab-name"; a user's rule is "user/name".
	Rule       string     `json:"rule"`
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	// Title says in a few words what is wrong; empty means the rule's title.
	Title string `json:"title"`
	// Message says what is wrong here, in plain text of one or two sentences.
	Message  string   `json:"message,omitempty"`
	Location Location `json:"location"`
	Snippet  *Snippet `json:"snippet,omitempty"`
	// Places are further locations of the very same flaw, in total order.
	Places []Location `json:"places,omitempty"`
	// Related are other locations that help to understand it.
	Related []Label `json:"related,omitempty"`
	// Trace is the way from a source to the sink, first step first.
	Trace    []Label  `json:"trace,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Evidence Evidence `json:"evidence,omitzero"`
	Fix      *Fix     `json:"fix,omitempty"`
	// Fingerprint is the stateless hint "penstock/v1": made from rule, path,
	// scope and ordinal, never from a secret's value.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Status compares with what was known before, where there was something to
	// compare with: the base of a range, or a baseline.
	Status Status `json:"status,omitempty"`
	// Commit brought the flaw in, where history was read: the oldest of those that
	// Location and Places name. Location.Path is then "commit:path".
	Commit *Commit `json:"commit,omitempty"`
	// Suppressed says why the finding does not count; nil means that it counts.
	Suppressed *Suppression `json:"suppressed,omitempty"`
	// Blocks is the gate's decision on this finding, with its reason.
	Blocks bool   `json:"blocks,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Head is where a block of text begins that the finding lies in and that can hold
	// no comment of the file: a comment there counts as one on the finding's line.
	Head Span `json:"-"`
	// Group joins findings of one rule that are the same flaw. For a secret it
	// is a keyed hash of the value; it never leaves the process that reads it.
	Group string `json:"-"`
	// Features are what the finding is known again by, one for each of Location
	// and Places that lay in a text, in no given order. They stand in no report. A run
	// that is compared with nothing makes none.
	Features []*Features `json:"-"`
}

// Status says how a finding stands to what was known before.
type Status string

const (
	StatusNew       Status = "new"       // it was not there before
	StatusUnchanged Status = "unchanged" // it was there, perhaps elsewhere
	// StatusFixed is one that was there and is no more. Its locations are those of
	// before. It counts for nothing but the report.
	StatusFixed Status = "fixed"
)

// Commit is one commit of the history that was read. All of its text is as
// hostile as the rest of the repository.
type Commit struct {
	ID string `json:"id"`
	// Author is the name, Mail the address, Time the author's date in RFC 3339.
	Author string `json:"author,omitempty"`
	Mail   string `json:"mail,omitempty"`
	Time   string `json:"time,omitempty"`
	// Summary is the first line of the message, clipped.
	Summary string `json:"summary,omitempty"`
	// Present is true where the flaw is still in the commit that is checked out.
	Present bool `json:"present"`
}

// Suppression is an accepted finding: who accepted it, why and until when.
type Suppression struct {
	// Kind is "inline", "exception", "baseline", or the tool whose marker was
	// honoured: "gitleaks:allow", ".gitleaksignore".
	Kind   string `json:"kind"`
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Expires is a date YYYY-MM-DD, empty for never.
	Expires string `json:"expires,omitempty"`
	// Place is where the suppression is written, "path:line".
	Place string `json:"place,omitempty"`
}

// Fix is a proposed repair: edits that do not overlap, and what they do.
type Fix struct {
	Description string `json:"description"`
	// Safe means that the behaviour of the program stays as it is.
	Safe  bool   `json:"safe"`
	Edits []Edit `json:"edits,omitempty"`
	// Steps are what a person must do beside the edits: rotate, purge.
	Steps []string `json:"steps,omitempty"`
}

// Edit replaces the bytes of Span in the file Path by Text.
//
// With New, Path is a file that is not there yet, in the folder of a file that the
// same fix edits, and the edit is a part of it; the parts follow one another as they
// do in the fix. A part with From is what the bytes of Span in the file From were
// before the fix, any other is Text. So a fix that moves lines does not carry them,
// and no report shows a secret that stands in them.
type Edit struct {
	Path string `json:"path"`
	Span
	Text string `json:"text"`
	New  bool   `json:"new,omitempty"`
	From string `json:"from,omitempty"`
}

// Tier says how far a flaw of a pipeline leads, as far as it can be shown.
type Tier string

const (
	// TierProvenPath: an outsider reaches something of value, every step shown.
	TierProvenPath Tier = "proven-path"
	// TierExploitable: untrusted input reaches a place where it does harm, or a guard
	// does not hold.
	TierExploitable Tier = "exploitable"
	// TierHygiene makes attacks easier or worse, and is none by itself.
	TierHygiene Tier = "hygiene"
)

// Shown is the severity for a place that knows no tiers, such as the checks of a forge,
// which fail on what is high: hygiene is at most low there.
func (t Tier) Shown(s Severity) Severity {
	if t == TierHygiene && s > Low {
		return Low
	}
	return s
}

// Evidence carries the facts of a finding that only some engines have.
type Evidence struct {
	// Tier is set by engines that tell danger from hygiene.
	Tier Tier `json:"tier,omitempty"`
	// Pipeline is set by the pipeline engine for a flaw above hygiene.
	Pipeline *PipelineEvidence `json:"pipeline,omitempty"`
	// Secret is set by the secrets engine.
	Secret *SecretEvidence `json:"secret,omitempty"`
	// Scope names what encloses the flaw: a key, a function, a job, a resource.
	Scope string `json:"scope,omitempty"`
}

// SecretEvidence says what kind of secret was found, without its value.
type SecretEvidence struct {
	// Kind is the rule's name for the credential: "GitHub token".
	Kind string `json:"kind,omitempty"`
	// Hint is the redacted value, at most four of its characters: "ghp_…".
	Hint   string `json:"hint,omitempty"`
	Length int    `json:"length,omitempty"`
	// Entropy is Shannon's, in bits per byte.
	Entropy float64 `json:"entropy,omitempty"`
	// Decoded lists the encodings that hid the value, outermost first.
	Decoded []string `json:"decoded,omitempty"`
	// Checksum is true where the format has one and it was right.
	Checksum bool `json:"checksum,omitempty"`
	// Where classes the place: "source", "test", "example", "documentation",
	// "configuration", "ci", "history", "archive".
	Where string `json:"where,omitempty"`
}

// PipelineEvidence says who can use a flaw of a pipeline, and what for.
type PipelineEvidence struct {
	// Actor is the weakest who can: "anyone with an account".
	Actor string `json:"actor,omitempty"`
	// Events are the forge's names of those by which.
	Events []string `json:"events,omitempty"`
	// Reaches is what is won: "the secret NPM_TOKEN".
	Reaches []string `json:"reaches,omitempty"`
	// Semantics are the ids of the rows of the table of the forge's rules on which
	// the answer rests.
	Semantics []string `json:"semantics,omitempty"`
	// Cut are the fewest edits that break the path.
	Cut []string `json:"cut,omitempty"`
	// Why says what is not proved, of a flaw that is exploitable and no proven path:
	// checks whose answer is not known, with their places, or what it takes beside.
	Why []string `json:"why,omitempty"`
}

// Compare is the total order of findings: path, offset, rule, then the rest.
func (f *Finding) Compare(g *Finding) int {
	return cmp.Or(
		CompareLocations(f.Location, g.Location),
		cmp.Compare(f.Rule, g.Rule),
		cmp.Compare(f.Message, g.Message),
		cmp.Compare(f.Evidence.Scope, g.Evidence.Scope),
	)
}

// CompareLocations orders by path, start, end.
func CompareLocations(a, b Location) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}
