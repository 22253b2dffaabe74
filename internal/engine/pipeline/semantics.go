package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Date is a day, written 2026-06-18. The empty Date is no bound: as a date to ask
// for it means the latest that is known.
type Date string

// ParseDate checks a date.
func ParseDate(s string) (Date, error) {
	days := [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		year, err1 := strconv.ParseUint(s[:4], 10, 16)
		month, err2 := strconv.ParseUint(s[5:7], 10, 8)
		day, err3 := strconv.ParseUint(s[8:], 10, 8)
		leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
		if err1 == nil && err2 == nil && err3 == nil && month >= 1 && month <= 12 && day >= 1 && int(day) <= days[month-1] && (month != 2 || day != 29 || leap) {
			return Date(s), nil
		}
	}
	return "", fmt.Errorf("%q is no date: write it like 2026-06-18", clip(s))
}

// before reports whether d is before e; no bound is after all.
func (d Date) before(e Date) bool { return d != "" && (e == "" || d < e) }

// Version is a version of a forge's server, such as 3.17. The zero Version is none.
type Version struct{ Major, Minor int }

// ParseVersion reads a version of one or two numbers; more are ignored.
func ParseVersion(s string) (Version, error) {
	parts := strings.SplitN(strings.TrimPrefix(s, "v"), ".", 3)
	var v Version
	var err error
	if v.Major, err = strconv.Atoi(parts[0]); err == nil && len(parts) > 1 {
		v.Minor, err = strconv.Atoi(parts[1])
	}
	if err != nil || v.Major < 0 || v.Minor < 0 || v.Major > 9999 || v.Minor > 9999 {
		return Version{}, fmt.Errorf("%q is no version: write it like 3.17", clip(s))
	}
	return v, nil
}

func (v Version) compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor))
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// ForgeVersion is a forge and, where it is one's own server, its version.
type ForgeVersion struct {
	// Name is "github", "gitlab" or "azure".
	Name string
	// Server is the version of GitHub Enterprise Server or of a GitLab server; zero
	// for github.com and gitlab.com.
	Server Version
}

func (f ForgeVersion) String() string {
	if f.Server == (Version{}) {
		return f.Name
	}
	return f.Name + "@" + f.Server.String()
}

// ParseForge reads github, github@3.17 (Enterprise Server), gitlab, gitlab@17.2 or
// jenkins, whose rules have no version, or azure.
func ParseForge(s string) (ForgeVersion, error) {
	name, version, at := strings.Cut(s, "@")
	switch name {
	case "github.com":
		name = "github"
	case "ghes":
		if at {
			name = "github"
		}
	case "gitlab.com":
		name = "gitlab"
	}
	if name == "jenkins" && !at {
		return ForgeVersion{Name: name}, nil
	}
	if name != "github" && name != "gitlab" && (name != "azure" || at) {
		return ForgeVersion{}, fmt.Errorf("%q is no forge: write github, github@3.17, gitlab, gitlab@17.2, azure or jenkins", clip(s))
	}
	f := ForgeVersion{Name: name}
	if !at {
		return f, nil
	}
	var err error
	f.Server, err = ParseVersion(version)
	return f, err
}

// Topic is a question about a forge.
type Topic string

// The topics.
const (
	TopicRef           Topic = "ref"            // which commit the workflow is taken from, what github.ref is
	TopicToken         Topic = "token"          // rights of the job's token without "permissions"
	TopicTokenLimit    Topic = "token-limit"    // the most that "permissions" can give
	TopicSecrets       Topic = "secrets"        // which secrets reach the job
	TopicCacheScope    Topic = "cache-scope"    // in whose name caches are saved
	TopicCacheWrite    Topic = "cache-write"    // whether they can be saved
	TopicCacheMode     Topic = "cache-mode"     // whether the key cache-mode is known
	TopicOIDC          Topic = "oidc"           // whether an identity token can be had
	TopicSubject       Topic = "oidc-subject"   // the form of its subject
	TopicCheckoutGuard Topic = "checkout-guard" // whether actions/checkout refuses code of forks
	TopicLock          Topic = "lock"           // whether actions.lock pins
	TopicApproval      Topic = "approval"       // whether a maintainer must approve the run
	TopicEnvironment   Topic = "environment"    // against which ref environments check branch rules
	TopicProject       Topic = "project"        // GitLab: in which project the pipeline runs
	TopicVariables     Topic = "variables"      // GitLab: which variables reach it
	TopicJobToken      Topic = "job-token"      // GitLab: which projects a job token reaches
)

// Row is a rule of a forge that holds for some events from one day, or version of
// the server, to another.
type Row struct {
	// ID is unique and does not change.
	ID    string
	Forge string
	Topic Topic
	// Events for which it holds; nil is all. Origin as well; OriginAny is all.
	Events []string
	Origin Origin
	// From and Until bound the days on the forge's own service: From is the first,
	// Until the first no more. Empty is no bound.
	From, Until Date
	// Since and Before bound the versions of servers, in the same way.
	Since, Before Version
	// ServiceOnly rows hold on no server, ServerOnly rows on nothing else.
	ServiceOnly, ServerOnly bool
	Answer                  string
	Statement               string
	// Source is an address.
	Source string
}

// Origin is where the code of a run comes from.
type Origin uint8

// The origins.
const (
	OriginAny        Origin = iota
	OriginRepository        // a branch of the repository itself
	OriginFork
	OriginDependabot
)

// Semantics is the table of rules. The zero Semantics is empty; NewSemantics is ours.
type Semantics struct{ rows []Row }

// NewSemantics returns the built-in table.
func NewSemantics() Semantics {
	return Semantics{rows: semanticTable()}
}

var semanticTable = sync.OnceValue(func() []Row { return slices.Concat(semanticRows, jenkinsRows) })

// Rows are all rows, to list them. Do not write to them.
func (s Semantics) Rows() []Row { return s.rows }

// At is the view of the table for one forge on a day. The empty date is the latest:
// every change that is known has happened. For a server the version decides and the
// date does not matter.
func (s Semantics) At(date Date, forge ForgeVersion) View {
	if forge.Name == "" {
		forge.Name = "github"
	}
	v := View{Date: date, Forge: forge}
	for i := range s.rows {
		if r := &s.rows[i]; r.Forge == forge.Name && v.holds(r) {
			v.rows = append(v.rows, r)
		}
	}
	return v
}

// View is what holds on one day at one forge.
type View struct {
	Date  Date
	Forge ForgeVersion
	rows  []*Row // of the table
}

func (v View) holds(r *Row) bool {
	if server := v.Forge.Server; server != (Version{}) {
		return !r.ServiceOnly && server.compare(r.Since) >= 0 && (r.Before == (Version{}) || server.compare(r.Before) < 0)
	}
	if r.ServerOnly {
		return false
	}
	if v.Date == "" {
		return r.Until == ""
	}
	return v.Date >= r.From && (r.Until == "" || v.Date < r.Until)
}

// Row is the rule that answers the topic for an event and an origin: the one that
// names the event before the one for all, then the one that names the origin, then
// the later. The zero Row is no answer.
func (v View) Row(topic Topic, event string, origin Origin) Row {
	var best *Row
	score := -1
	for _, r := range v.rows {
		if r.Topic != topic || r.Origin != OriginAny && r.Origin != origin || len(r.Events) > 0 && !slices.Contains(r.Events, event) {
			continue
		}
		n := 0
		if len(r.Events) > 0 {
			n += 2
		}
		if r.Origin != OriginAny {
			n++
		}
		if n > score || n == score && (r.From > best.From || r.Since.compare(best.Since) > 0) {
			best, score = r, n
		}
	}
	if best == nil {
		return Row{}
	}
	return *best
}

// Access is what a token may do.
type Access string

// The kinds of access.
const (
	AccessNone  Access = "none"
	AccessRead  Access = "read"
	AccessWrite Access = "write"
	// AccessSetting is write or read by a setting of the repository or organisation.
	AccessSetting Access = "setting"
)

// TokenDefault is what the job's token may do if the workflow has no "permissions".
func (v View) TokenDefault(event string, origin Origin) (Access, Row) {
	r := v.Row(TopicToken, event, origin)
	return Access(r.Answer), r
}

// TokenDefaultOf is TokenDefault for a repository, or organisation, that was created
// on a day, whose setting nobody changed.
func (v View) TokenDefaultOf(event string, origin Origin, created Date) (Access, Row) {
	a, r := v.TokenDefault(event, origin)
	if a != AccessSetting || created == "" {
		return a, r
	}
	if created.before(tokenReadSince) {
		return AccessWrite, r
	}
	return AccessRead, r
}

// tokenReadSince is the day from which new enterprises, organisations and
// repositories have the read-only default.
// https://github.blog/changelog/2023-02-02-github-actions-updating-the-default-github_token-permissions-to-read-only
const tokenReadSince Date = "2023-02-02"

// TokenLimit is the most that "permissions" can give the job's token.
func (v View) TokenLimit(event string, origin Origin) (Access, Row) {
	r := v.Row(TopicTokenLimit, event, origin)
	return Access(r.Answer), r
}

// Reach is which secrets a job can read.
type Reach string

// The kinds of reach.
const (
	ReachNone Reach = "none"
	// ReachAll are the secrets of repository and organisation, and those of the
	// environment that the job names if its rules let it.
	ReachAll Reach = "all"
	// ReachDependabot are the secrets that were set for Dependabot.
	ReachDependabot Reach = "dependabot"
)

// SecretsReach is which secrets a job for the event can read.
func (v View) SecretsReach(event string, origin Origin) (Reach, Row) {
	r := v.Row(TopicSecrets, event, origin)
	return Reach(r.Answer), r
}

// WorkflowRef is where the workflow file comes from and what is checked out when no
// ref is named.
type WorkflowRef string

// The refs.
const (
	FromDefault    WorkflowRef = "default"     // the default branch
	FromBase       WorkflowRef = "base"        // the branch that the pull request goes to
	FromMerge      WorkflowRef = "merge"       // the pull request merged: its author's code
	FromPushed     WorkflowRef = "pushed"      // the branch or tag that was pushed or created
	FromChosen     WorkflowRef = "chosen"      // a branch or tag that the actor names
	FromTag        WorkflowRef = "tag"         // the tag of the release
	FromMergeGroup WorkflowRef = "merge-group" // the queue's branch: approved pull requests, merged
	FromDeployed   WorkflowRef = "deployed"    // the ref that is deployed
	FromCaller     WorkflowRef = "caller"      // that of the calling workflow
)

// Ref is where the workflow for the event comes from.
func (v View) Ref(event string) (WorkflowRef, Row) {
	r := v.Row(TopicRef, event, OriginAny)
	return WorkflowRef(r.Answer), r
}

// CacheScope is in whose name a run's caches are saved: those of the default branch
// are restored by every run. The values are those of Ref.
func (v View) CacheScope(event string) (WorkflowRef, Row) {
	r := v.Row(TopicCacheScope, event, OriginAny)
	return WorkflowRef(r.Answer), r
}

// CacheWrite reports whether a job for the event can save caches in its scope. Mode
// is the job's cache-mode, or else the workflow's; empty if there is none, or where
// it is an expression, for which the caller asks twice.
func (v View) CacheWrite(event string, origin Origin, mode string) (bool, Row) {
	if known := v.Row(TopicCacheMode, event, OriginAny); mode != "" && known.Answer == "yes" {
		switch mode {
		case "write", "write-only":
			return true, known
		case "read", "none":
			return false, known
		}
	}
	r := v.Row(TopicCacheWrite, event, origin)
	return r.Answer == "write", r
}

// OIDC reports whether a job for the event can have an identity token, given that
// its permissions say id-token: write.
func (v View) OIDC(event string, origin Origin) (bool, Row) {
	r := v.Row(TopicOIDC, event, origin)
	return r.Answer == "yes", r
}

// SubjectForm is the form of the subject of identity tokens.
type SubjectForm string

// The forms.
const (
	SubjectNames SubjectForm = "names" // repo:owner/repo:...
	SubjectIDs   SubjectForm = "ids"   // repo:owner@id/repo@id:...
	// SubjectEither: it depends on a setting of the repository that we do not know.
	SubjectEither SubjectForm = "either"
)

// OIDCSubject is the form of the default subject for a repository that was created,
// or last renamed or transferred, on a day; empty if that is not known.
func (v View) OIDCSubject(created Date) (SubjectForm, Row) {
	r := v.Row(TopicSubject, "", OriginAny)
	form := SubjectForm(r.Answer)
	if form != SubjectEither || created == "" {
		return form, r
	}
	if created.before(subjectIDsSince) {
		return SubjectEither, r // names, unless it was opted in
	}
	return SubjectIDs, r
}

// subjectIDsSince is the day after which new repositories have subjects with ids.
const subjectIDsSince Date = "2026-07-15"

// Guard is what actions/checkout does with a pull request from a fork.
type Guard string

// The answers.
const (
	GuardRefuses Guard = "refuses"
	GuardAbsent  Guard = "absent"
	// GuardUnknown: the reference is a commit that we do not know.
	GuardUnknown Guard = "unknown"
)

// CheckoutGuard reports whether actions/checkout at a reference (v4, v4.2.2, a
// commit, main) refuses to check out a fork's pull request when the event is
// pull_request_target, or workflow_run after an event of a pull request. It refuses:
// a repository that is the fork; a ref that is refs/pull/N/head or /merge; and the
// commits of head and merge. It does not see git fetch, gh pr checkout, or another
// name of the branch; and allow-unsafe-pr-checkout: true turns it off. In other events
// there is no guard.
func (v View) CheckoutGuard(reference, event string) (Guard, Row) {
	r := v.Row(TopicCheckoutGuard, event, OriginAny)
	if r.Answer != "guarded" {
		return GuardAbsent, r
	}
	if isSHA(reference) {
		if slices.Contains(guardedCommits, strings.ToLower(reference)) {
			return GuardRefuses, r
		}
		if slices.Contains(unguardedCommits, strings.ToLower(reference)) {
			return GuardAbsent, r
		}
		return GuardUnknown, r
	}
	server := v.Forge.Server != Version{}
	major, rest, exact := strings.Cut(strings.TrimPrefix(reference, "v"), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		if reference == "main" && !server && !v.Date.before(checkoutGuardSince) {
			return GuardRefuses, r
		}
		return GuardUnknown, r
	}
	switch {
	case !exact && server:
		// The server may carry a copy of its own, of any age.
		return GuardUnknown, r
	case n >= 7:
		if v.Date.before(checkoutGuardSince) && !server {
			return GuardAbsent, r
		}
		return GuardRefuses, r
	case n < 2:
		return GuardAbsent, r
	case !exact:
		if v.Date.before(checkoutBackportSince) {
			return GuardAbsent, r
		}
		return GuardRefuses, r
	}
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(minor)
	if err != nil {
		return GuardUnknown, r
	}
	// The first guarded minor version of v2 to v6.
	if m >= [...]int{2: 8, 3: 7, 4: 4, 5: 1, 6: 1}[n] {
		return GuardRefuses, r
	}
	return GuardAbsent, r
}

const (
	checkoutGuardSince    Date = "2026-06-18" // v7.0.0
	checkoutBackportSince Date = "2026-07-16" // v2.8.0, v3.7.0, v4.4.0, v5.1.0, v6.1.0, and v2 to v6
)

// isSHA reports whether a reference is a commit in full.
func isSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// Lock reports whether .github/workflows/actions.lock pins what workflows use.
func (v View) Lock() (bool, Row) {
	r := v.Row(TopicLock, "", OriginAny)
	return r.Answer == "preview" || r.Answer == "yes", r
}

// Approval is whether someone with write access must approve the run first.
type Approval string

// The answers.
const (
	ApprovalNone    Approval = "none"
	ApprovalSetting Approval = "setting" // by default for the first contribution alone
)

// NeedsApproval is whether a run for the event waits for approval.
func (v View) NeedsApproval(event string, origin Origin) (Approval, Row) {
	r := v.Row(TopicApproval, event, origin)
	return Approval(r.Answer), r
}

// EnvironmentRef is the ref against which the branch rules of an environment are
// checked. The values are those of Ref, and "head" for a pull request's own branch.
func (v View) EnvironmentRef(event string) (WorkflowRef, Row) {
	r := v.Row(TopicEnvironment, event, OriginAny)
	return WorkflowRef(r.Answer), r
}

// PipelineProject is, at GitLab, in which project a pipeline runs: "own", "fork", or
// "parent" if a member of the parent starts it.
func (v View) PipelineProject(source string, origin Origin, startedByMember bool) (string, Row) {
	r := v.Row(TopicProject, source, origin)
	if r.Answer == "fork" && startedByMember {
		if parent := v.Row(TopicProject, source+" started by a member", origin); parent.Answer == "parent" {
			return parent.Answer, parent
		}
	}
	return r.Answer, r
}

// ProtectedVariables reports, at GitLab, whether protected variables and runners
// reach a pipeline: "yes" if its ref is protected, "setting" if source and target
// branch are and a setting allows it, or "no".
func (v View) ProtectedVariables(source string) (string, Row) {
	r := v.Row(TopicVariables, source, OriginAny)
	return r.Answer, r
}

// JobTokenReach is, at GitLab, which projects a job token reaches by default: "any"
// that its user reaches, or those on an "allowlist".
func (v View) JobTokenReach() (string, Row) {
	r := v.Row(TopicJobToken, "", OriginAny)
	return r.Answer, r
}
