package pipeline

import (
	"regexp"
	"strings"
)

// slugForm is the form of owner/name.
var slugForm = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[\w.-]{1,100}$`)

// repository is what is known of a repository's name.
type repository struct{ name, owner string }

// repositoryName is the name of the repository, owner/name, or its owner alone; empty if
// they are not known. Settings say it. Otherwise it is the name that conditions of the
// project ask for: jobs are kept for the repository that they are written in, far more
// often than for another one. A single condition says nothing, nor do several of which
// half ask for something else.
func (x *Project) repositoryName() (name, owner string) {
	w := &x.ways
	if w.repository == nil {
		w.repository = &repository{}
		if s := x.Settings.GitHub.Repository; s != "" {
			w.repository.name = s
		} else {
			*w.repository = x.askedRepository()
		}
		if w.repository.name != "" {
			w.repository.owner, _, _ = strings.Cut(w.repository.name, "/")
		}
	}
	return w.repository.name, w.repository.owner
}

// ballot counts for and against names.
type ballot struct {
	votes map[string]int
	first []string // in order of appearance
	all   int
}

func (b *ballot) vote(s string, yes bool) {
	if b.votes == nil {
		b.votes = make(map[string]int)
	}
	b.all++
	if !yes {
		return
	}
	key := fold(s)
	if b.votes[key] == 0 {
		b.first = append(b.first, s)
	}
	b.votes[key]++
}

// winner is the name that more than half of at least two votes are for.
func (b *ballot) winner() string {
	for _, s := range b.first {
		if n := b.votes[fold(s)]; n > 1 && 2*n > b.all {
			return s
		}
	}
	return ""
}

// askedRepository is the name that the conditions of the project ask for.
func (x *Project) askedRepository() repository {
	var names, owners ballot
	asks := func(text Text) {
		if !strings.Contains(strings.ToLower(text.Value), "github.repository") {
			return
		}
		c := x.condition(text.Value)
		if c == nil {
			return
		}
		for _, part := range c.Template.Parts {
			if part.IsExpression && part.Err == nil {
				polls(part.Expression.Root, true, &names, &owners, 0)
			}
		}
	}
	for _, p := range x.Pipelines {
		if p.Forge == GitHub {
			conditions(p, func(_ *Job, _ int, text Text) { asks(text) })
		}
	}
	r := repository{name: names.winner()}
	if r.name == "" {
		r.owner = owners.winner()
	}
	return r
}

// polls takes the votes of a condition for names of the repository and of its owner.
func polls(n *ExprNode, want bool, names, owners *ballot, depth int) {
	if n == nil || depth > 50 {
		return
	}
	if n.Kind == ExprNot {
		polls(n.Args[0], !want, names, owners, depth+1)
		return
	}
	if n.Kind == ExprAnd || n.Kind == ExprOr {
		for _, a := range n.Args {
			polls(a, want, names, owners, depth+1)
		}
		return
	}
	compare := n.Kind == ExprCompare && (n.Name == "==" || n.Name == "!=")
	if !compare && !(n.Kind == ExprCall && n.Name == "startswith" && len(n.Args) == 2) {
		return
	}
	for i, a := range n.Args[:2] {
		path, ok := pathOf(a)
		other := n.Args[1-i]
		if !ok || other.Kind != ExprLiteral || other.Value.kind != KindString || !compare && i > 0 {
			continue
		}
		text, yes := other.Value.string, want == (!compare || n.Name == "==")
		switch path {
		case "github.repository", "github.event.repository.full_name":
			if compare && slugForm.MatchString(text) {
				names.vote(text, yes)
			}
			if owner, _, cut := strings.Cut(text, "/"); cut && owner != "" {
				owners.vote(owner, yes)
			}
		case "github.repository_owner", "github.event.repository.owner.login":
			owners.vote(text, yes)
		}
	}
}
