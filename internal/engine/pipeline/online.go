package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// What no file of the tree can tell is asked of the forge: whether the actions that are
// used are there, whether they are where they were, and whose commits are pinned.

// maxAsked bounds the questions of one project.
const maxAsked = 1000

// forgeFacts are the forge's answers; nil where nobody was asked.
type forgeFacts map[penstock.Question]penstock.Answer

// onlineRules are those that are silent without the forge's answers, and partlyOnline
// those that find more with them.
func onlineRules() (only, partly []string) {
	return []string{"impostor-commit", "ref-confusion", "repo-jacking", "stale-action-ref"},
		[]string{"archived-action", "known-vulnerable-action", "ref-version-mismatch"}
}

// of is the answer to a question.
func (f forgeFacts) of(kind penstock.QuestionKind, u Use) penstock.Answer {
	return f[question(kind, u)]
}

// question asks about a use.
func question(kind penstock.QuestionKind, u Use) penstock.Question {
	q := penstock.Question{Kind: kind, Owner: strings.ToLower(u.Owner), Repo: strings.ToLower(u.Repo)}
	switch kind {
	case penstock.AskRef:
		q.Ref = u.Ref
	case penstock.AskCommit:
		q.Ref, q.Tag = strings.ToLower(u.Ref), commentTag(u)
	}
	return q
}

// commentTag is the tag that the comment behind a commit names, empty for none.
func commentTag(u Use) string {
	if u.RefKind != RefCommit || u.Comment == nil {
		return ""
	}
	for _, word := range strings.FieldsFunc(u.Comment.Text, func(r rune) bool { return strings.ContainsRune(" \t#,;=@()", r) }) {
		// The same word from which VersionOf reads the version.
		one := u
		comment := *u.Comment
		comment.Text = word
		one.Comment, one.looked = &comment, false
		if VersionOf(one).Known && penstock.ValidRef(word) {
			return word
		}
	}
	return ""
}

// asksForge reports whether the forge is asked about a use, of GitHub and from elsewhere.
func asksForge(u Use) bool {
	q := question(penstock.AskRepository, u)
	return u.Kind == UseRemote && u.RefKind != RefExpression && !strings.Contains(u.Path, "${{") && q.Valid()
}

// remoteUses yields what the definitions of GitHub use of other repositories, with the
// job that does, nil for an action.
func (x *Project) remoteUses(yield func(u Use, j *Job) bool) {
	for _, p := range x.Pipelines {
		if p.Forge != GitHub {
			continue
		}
		for i := range p.Jobs {
			if j := &p.Jobs[i]; asksForge(j.Uses) && !yield(j.Uses, j) {
				return
			}
		}
		for s := range p.steps() {
			if asksForge(s.Step.Uses) && !yield(s.Step.Uses, s.Job) {
				return
			}
		}
	}
}

// questions are what the project asks the forge, the most valuable first, since requests
// are bounded: of strangers' code that gets secrets, of other strangers' code, of the
// forge's own.
func (x *Project) questions() []penstock.Question {
	worth := make(map[penstock.Question]int)
	add := func(q penstock.Question, w int) {
		if q.Valid() {
			worth[q] = max(worth[q], w)
		}
	}
	grave := make(map[*Job]bool)
	for u, j := range x.remoteUses {
		w := 1
		if !firstParty(u.Owner) {
			w += 2
		}
		if j != nil {
			secret, known := grave[j]
			if !known {
				secret = holdsSecrets(j)
				grave[j] = secret
			}
			if secret {
				w++
			}
		}
		// Advisories are asked for many at once.
		add(question(penstock.AskAdvisories, u), w+10)
		add(question(penstock.AskRepository, u), w)
		switch u.RefKind {
		case RefCommit:
			add(question(penstock.AskCommit, u), w)
		case RefTag, RefBranch:
			if !strings.HasPrefix(u.Ref, "refs/") { // that says which one it is
				add(question(penstock.AskRef, u), w)
			}
		}
	}
	all := make([]penstock.Question, 0, len(worth))
	for q := range worth {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b penstock.Question) int {
		return cmp.Or(
			worth[b]-worth[a], strings.Compare(a.Owner, b.Owner), strings.Compare(a.Repo, b.Repo),
			-strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Ref, b.Ref), strings.Compare(a.Tag, b.Tag),
		)
	})
	return all
}

// ask asks the forge, or notes that nobody can be asked.
func (x *Project) ask(run penstock.Run, r penstock.Reporter) {
	if run.Ask == nil {
		some := false
		for range x.remoteUses {
			some = true
			break
		}
		if !some {
			return
		}
		only, partly := onlineRules()
		r.Report(&penstock.Note{
			Code:    "offline-rules",
			Message: "rules that ask the forge did not run: " + strings.Join(only, ", ") + "; and in part: " + strings.Join(partly, ", "),
			Hint:    "penstock scan --online",
		})
		return
	}
	questions := x.questions()
	if len(questions) == 0 {
		return
	}
	if left := len(questions) - maxAsked; left > 0 {
		r.Report(&penstock.Note{Code: "online-left-out", Message: fmt.Sprintf("%d questions to the forge were not asked: a project may ask %d", left, maxAsked)})
		questions = questions[:maxAsked]
	}
	x.forge = make(forgeFacts, len(questions))
	for i, a := range run.Ask(questions) {
		if i < len(questions) && a.Known {
			x.forge[questions[i]] = a
		}
	}
}

// resolved is the commit that the forge says the tag or branch of a use is, with the most
// exact of its names; empty where it is not known, or where a tag and a branch of the name
// differ: which one is meant is not for us to say.
func (f forgeFacts) resolved(u Use) (commit, version string) {
	a := f.of(penstock.AskRef, u)
	if a.TagCommit != "" && a.BranchCommit != "" && a.TagCommit != a.BranchCommit {
		return "", ""
	}
	version = u.Ref
	if len(a.Tags) > 0 && readVersion(a.Tags[0]).Known {
		version = a.Tags[0]
	}
	if commit = cmp.Or(a.TagCommit, a.BranchCommit); !IsCommit(commit) {
		return "", ""
	}
	return commit, version
}

// auditForge reports what the forge's answers say of a use.
func (x *Project) auditForge(u useAt, sum *ActionSummary, flaw func(rule string, severity penstock.Severity, format string, args ...any) Flaw, report func(Flaw)) {
	if x.forge == nil || u.p.Forge != GitHub || !asksForge(u.use) {
		return
	}
	name := clip(u.use.Owner + "/" + u.use.Repo)
	if a := x.forge.of(penstock.AskRepository, u.use); a.Known {
		jacking(a, u.use, name, flaw, report)
		if a.Archived && (sum == nil || sum.Archived == "") {
			report(flaw("archived-action", penstock.SeverityUnset, "the repository of %s is archived: no flaw in it will be repaired.", name))
		}
	}
	version := VersionOf(u.use)
	switch u.use.RefKind {
	case RefCommit:
		if a := x.forge.of(penstock.AskCommit, u.use); a.Known {
			pinnedCommit(a, u.use, name, flaw, report)
			version = versionAt(a.Tags, version)
		}
	case RefTag, RefBranch:
		if a := x.forge.of(penstock.AskRef, u.use); a.Known {
			if a.TagCommit != "" && a.BranchCommit != "" {
				f := flaw("ref-confusion", penstock.SeverityUnset, "%s has a tag and a branch of the name %s, and either may be meant.", name, clip(u.use.Ref))
				if a.TagCommit == a.BranchCommit {
					f.Severity = penstock.Low
					f.Notes = append(f.Notes, "for now both are the same commit")
				}
				report(f)
			}
			version = versionAt(a.Tags, version)
		}
	}
	x.advised(u.use, version, sum, flaw, report)
}

// jacking reports a repository whose name somebody else can take.
func jacking(a penstock.Answer, u Use, name string, flaw func(string, penstock.Severity, string, ...any) Flaw, report func(Flaw)) {
	owner := clip(u.Owner)
	switch {
	case a.Missing && a.OwnerMissing:
		report(flaw("repo-jacking", penstock.SeverityUnset, "%s does not exist, and nobody has the name %s: whoever registers it decides what runs here.", name, owner))
	case a.Moved != "" && a.OwnerMissing:
		f := flaw("repo-jacking", penstock.High, "%s is %s now, and nobody has the name %s any more: whoever registers it can end the redirection, and decides what runs here.", name, clip(a.Moved), owner)
		if u.RefKind == RefCommit {
			// A commit cannot be chosen; the job would fail.
			f.Severity, f.Tier = penstock.Medium, penstock.TierHygiene
			f.Message = fmt.Sprintf("%s is %s now, and nobody has the name %s any more. The commit holds against another repository of that name; the next update may not.", name, clip(a.Moved), owner)
		}
		report(f)
	case a.Moved != "":
		f := flaw("repo-jacking", penstock.Info, "%s is %s now: the redirection ends when %s makes another repository of the old name.", name, clip(a.Moved), owner)
		f.Tier = penstock.TierHygiene
		report(f)
	}
}

// pinnedCommit reports what is wrong with a commit that a use is pinned to.
func pinnedCommit(a penstock.Answer, u Use, name string, flaw func(string, penstock.Severity, string, ...any) Flaw, report func(Flaw)) {
	tag := commentTag(u)
	commit := strings.ToLower(u.Ref)
	other := tag != "" && a.TagCommit != "" && a.TagCommit != commit // the comment's tag is another commit
	switch a.Reach {
	case penstock.ReachAbsent:
		f := flaw("impostor-commit", penstock.Medium, "the forge knows no such commit of %s, or of a fork of it: the job cannot run, or runs what is pushed there some day.", name)
		f.Tier = penstock.TierHygiene
		report(f)
		return
	case penstock.ReachNo:
		f := flaw("impostor-commit", penstock.SeverityUnset, "no branch or tag of %s holds this commit: it is somebody else's, from a fork or a pull request.", name)
		if !a.Sure {
			f.Message = fmt.Sprintf("neither the default branch of %s, nor its tags, nor the branches that were looked at hold this commit: it may be somebody else's, from a fork or a pull request.", name)
			f.Severity, f.Confidence = penstock.High, penstock.ConfidenceMedium
			if !other {
				f.Tier, f.Confidence = penstock.TierHygiene, penstock.ConfidenceLow
			}
		}
		if other {
			f.Notes = append(f.Notes, "the comment calls it "+clip(tag)+", which is another commit: "+a.TagCommit)
		}
		report(f)
		return
	}
	said, is := VersionOf(u), versionAt(a.Tags, ActionVersion{Parts: openVersion})
	switch {
	case tag != "" && len(a.Tags) > 0 && !slices.ContainsFunc(a.Tags, func(t string) bool { return sameVersion(said, readVersion(t)) || strings.EqualFold(t, tag) }):
		if wholeVersion(is) || is.Known && !wholeVersion(said) || other {
			report(flaw("ref-version-mismatch", penstock.SeverityUnset, "the comment says %s, and the commit is %s.", clip(tag), clip(a.Tags[0])))
		}
	case other && len(a.Tags) == 0 && wholeVersion(said):
		report(flaw("ref-version-mismatch", penstock.SeverityUnset, "the comment says %s, which is another commit.", clip(tag)))
	}
	if a.Reach == penstock.ReachYes && a.AllTags && len(a.Tags) == 0 {
		report(flaw("stale-action-ref", penstock.SeverityUnset, "no tag of %s is at this commit.", name))
	}
}

// wholeVersion reports whether a version names one release, and no tag that moves with them.
func wholeVersion(v ActionVersion) bool { return v.Known && v.Parts[2] != openVersion[2] }

// sameVersion reports whether what is said is the version, or says less of it: v4 of
// v4.2.2.
func sameVersion(said, is ActionVersion) bool {
	if !said.Known || !is.Known {
		return false
	}
	for i := range said.Parts {
		if said.Parts[i] == openVersion[i] {
			return true
		}
		if said.Parts[i] != is.Parts[i] {
			return false
		}
	}
	return true
}

// versionAt is the version of the first tag that is one; tags come with the most exact
// first.
func versionAt(tags []string, or ActionVersion) ActionVersion {
	for _, t := range tags {
		if v := readVersion(t); v.Known {
			return v
		}
	}
	return or
}

// advised reports the advisories that name the version of a use, but for those that the
// table of actions told of.
func (x *Project) advised(u Use, version ActionVersion, sum *ActionSummary, flaw func(string, penstock.Severity, string, ...any) Flaw, report func(Flaw)) {
	a := x.forge.of(penstock.AskAdvisories, u)
	if !a.Known || !version.Known {
		return
	}
	seen := make(map[string]bool)
	if sum != nil {
		for _, known := range sum.Advisories {
			seen[known.ID], seen[known.Alias] = true, true
		}
	}
	for _, adv := range a.Advisories {
		versions, ok := advisoryRange(adv.Versions)
		if seen[adv.ID] || adv.Alias != "" && seen[adv.Alias] || !ok || !version.In(versions) {
			continue
		}
		seen[adv.ID] = true
		f := flaw("known-vulnerable-action", advisorySeverity(adv.Severity), "%s: %s.", adv.ID, strings.TrimSuffix(adv.Title, "."))
		if adv.Fixed != "" {
			f.Message += " It is repaired in " + adv.Fixed + "."
		}
		if adv.Alias != "" {
			f.Notes = append(f.Notes, "also known as "+adv.Alias)
		}
		report(f)
	}
}

// advisoryRange brings the bounds of an advisory, ">= 1.0, < 1.2.3", into the form of
// ActionVersion.In; false for what cannot be read.
func advisoryRange(s string) (string, bool) {
	var bounds []string
	for bound := range strings.SplitSeq(s, ",") {
		bound = strings.ReplaceAll(bound, " ", "")
		sign := bound[:len(bound)-len(strings.TrimLeft(bound, "<>="))]
		v := readVersion(bound[len(sign):])
		if !v.Known || !slices.Contains([]string{"<", "<=", ">", ">=", "="}, sign) {
			return "", false
		}
		var text strings.Builder
		text.WriteString(sign)
		for i, part := range v.Parts {
			if part == openVersion[i] {
				break
			}
			if i > 0 {
				text.WriteByte('.')
			}
			fmt.Fprint(&text, part)
		}
		bounds = append(bounds, text.String())
	}
	return strings.Join(bounds, ","), len(bounds) > 0
}
