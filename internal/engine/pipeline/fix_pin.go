package pipeline

import (
	"fmt"
	"strings"

	"penstock"
)

// Resolver knows which commit a branch or tag is at its forge.
type Resolver interface {
	Resolved(owner, repo, ref string) (commit string, ok bool)
}

// fixPin puts the commit in place of a branch or tag, with the version as comment.
func fixPin(e *editor, f *Flaw) *penstock.Fix {
	u, ok := e.useAt(f.Span)
	if !ok || u.Kind != UseRemote || u.RefKind != RefTag && u.RefKind != RefBranch {
		return nil
	}
	commit, version := e.x.commitOf(e.p, u)
	if commit == "" {
		if !plainRef(u.Owner+u.Repo) || !plainRef(u.Ref) {
			return nil
		}
		return fix(false, "", nil, fmt.Sprintf("pin %s/%s to the commit that %s is: gh api repos/%s/%s/commits/%s --jq .sha", u.Owner, u.Repo, u.Ref, u.Owner, u.Repo, u.Ref))
	}
	from := strings.LastIndex(u.Value, u.Ref)
	edit, ok := e.replace(u.Text, from, from+len(u.Ref), commit)
	if !ok {
		return nil
	}
	edits := []penstock.Edit{edit}
	end := e.lineEnd(u.Span.End)
	rest := strings.TrimSpace(string(e.p.Source[u.Span.End:end]))
	switch {
	case u.Comment != nil && !VersionOf(Use{Text: u.Text, Ref: commit, RefKind: RefCommit, Comment: u.Comment}).Known:
		edits = append(edits, e.insert(u.Comment.Start, "# "+version+" "))
	case u.Comment == nil && rest == "":
		edits = append(edits, e.insert(u.Span.End, " # "+version))
	}
	return fix(true, fmt.Sprintf("Pin %s/%s to the commit of %s.", u.Owner, u.Repo, u.Ref), edits)
}

// plainRef reports whether a text can stand in a command as it is.
func plainRef(s string) bool {
	for i := range len(s) {
		if !wordByte(s[i]) && strings.IndexByte("-./+", s[i]) < 0 {
			return false
		}
	}
	return s != "" && s[0] != '-' && !strings.Contains(s, "..")
}

// useAt is the use that stands at a span.
func (e *editor) useAt(s penstock.Span) (Use, bool) {
	for i := range e.p.Jobs {
		if u := e.p.Jobs[i].Uses; u.IsSet() && u.Span.Contains(s) && u.Alias.End == 0 {
			return u, true
		}
	}
	for at := range e.p.steps() {
		if u := at.Step.Uses; u.IsSet() && u.Span.Contains(s) && u.Alias.End == 0 {
			return u, true
		}
	}
	return Use{}, false
}

// commitOf is the commit that a use's branch or tag is known to be, with its name for
// people: from the lock, from the same version that is pinned elsewhere in the project,
// or from who asked the forge.
func (x *Project) commitOf(p *Pipeline, u Use) (commit, version string) {
	name := strings.ToLower(u.Owner + "/" + u.Repo)
	if lock := x.lock(); lock != nil {
		for _, d := range lock.Lock.Dependencies {
			if !strings.EqualFold(d.Pin.Value, u.Owner+"/"+u.Repo+"@"+u.Ref) {
				continue
			}
			_, c, _ := strings.Cut(d.Commit.Value, "-")
			if IsCommit(c) {
				return c, u.Ref
			}
		}
	}
	if x.pins == nil {
		x.findPins()
	}
	if pin, ok := x.pins[name+"@"+strings.ToLower(u.Ref)]; ok && pin.commit != "" {
		return pin.commit, pin.version
	}
	if x.Resolver != nil {
		if c, ok := x.Resolver.Resolved(u.Owner, u.Repo, u.Ref); ok && IsCommit(c) {
			return c, u.Ref
		}
	}
	return "", ""
}

// pinned is a commit that the project uses under the name of a version. The commit is
// empty where it is not the same everywhere.
type pinned struct{ commit, version string }

// findPins collects commits with the version that stands behind them as a comment.
func (x *Project) findPins() {
	x.pins = make(map[string]pinned)
	add := func(u Use) {
		if u.Kind != UseRemote || u.RefKind != RefCommit || u.Comment == nil {
			return
		}
		words := strings.Fields(u.Comment.Text)
		if len(words) == 0 {
			return
		}
		version := strings.TrimPrefix(strings.TrimPrefix(words[0], "tag="), "@")
		if refKind(version) != RefTag {
			return
		}
		key := strings.ToLower(u.Owner + "/" + u.Repo + "@" + version)
		if have, ok := x.pins[key]; ok && !strings.EqualFold(have.commit, u.Ref) {
			x.pins[key] = pinned{} // two commits say that they are it
			return
		}
		x.pins[key] = pinned{u.Ref, version}
	}
	for _, p := range x.Pipelines {
		for i := range p.Jobs {
			add(p.Jobs[i].Uses)
		}
		for at := range p.steps() {
			add(at.Step.Uses)
		}
	}
}
