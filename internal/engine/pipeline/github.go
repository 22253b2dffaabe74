package pipeline

import (
	"path"
	"strings"

	"penstock/internal/syntax"
)

// Detect says what a file is to its forge, by its path alone. The folder that the
// forge looks into may itself lie anywhere, since a scan may begin above it. Azure's
// files have names that anything may have: see LooksAzure.
func Detect(file string) Kind {
	dir, name := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	yaml := strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")
	in := func(folder string) bool {
		rest, ok := strings.CutSuffix(dir, folder)
		return ok && (rest == "" || strings.HasSuffix(rest, "/") || strings.HasSuffix(rest, ":"))
	}
	switch {
	case in(".github/workflows") && yaml:
		return KindWorkflow
	case in(".github/workflows") && name == "actions.lock":
		return KindLock
	case in(".github") && (name == "dependabot.yml" || name == "dependabot.yaml"):
		return KindDependabot
	case name == "action.yml" || name == "action.yaml":
		return KindAction
	case name == ".pre-commit-config.yaml" || name == ".pre-commit-config.yml":
		return KindHooks
	case isJenkinsfile(name):
		return KindJenkinsfile
	case yaml && (azureName(name) || in(".azure-pipelines") || in(".azuredevops") || in(".vsts-ci") || in(".pipelines")):
		return KindAzure
	}
	return detectGitLab(dir, name)
}

// ParseGitHub reads a file of GitHub Actions or Dependabot. It never fails: what it
// does not understand is in Notes and Extra. b must not change while the result is
// in use. The cost is linear in the size of the file, aliases counted as often as
// they are used up to the budget of syntax.ReadYAML.
func ParseGitHub(file string, kind Kind, b []byte) *Pipeline {
	g := github{newReader(GitHub, file, kind, b, githubExpressions)}
	n := g.root()
	if n == nil {
		return g.p
	}
	switch kind {
	case KindAction:
		g.action(n)
	case KindDependabot:
		g.dependabot(n)
	case KindLock:
		g.lock(n)
	case KindHooks:
		g.hooks(n)
	default:
		g.workflow(n)
	}
	return g.p
}

// githubExpressions finds ${{ }} in a text. An expression ends at the first }} that
// does not stand in a string.
func githubExpressions(text string) []Interpolation {
	var out []Interpolation
	for at := 0; ; {
		i := strings.Index(text[at:], "${{")
		if i < 0 {
			return out
		}
		from := at + i
		p := Interpolation{From: from, Inner: from + 3, InnerTo: len(text), To: len(text), Open: true}
		if n := expressionEnd(text[p.Inner:]); n >= 0 {
			p.InnerTo, p.To, p.Open = p.Inner+n, p.Inner+n+len("}}"), false
		}
		out = append(out, p)
		at = p.To
	}
}

// github is the front end of GitHub Actions. The keys are those of GitHub's
// workflow syntax, metadata syntax and Dependabot options reference, with the step
// keywords and cache-mode of 2026.
type github struct{ *reader }

func (g github) workflow(n *syntax.Node) {
	p := g.p
	on := n.Get("on") != nil
	g.fields(n, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&p.Name, e)
		case "run-name":
			return g.text(&p.RunName, e)
		case "on":
			return g.triggers(e)
		case "true", "True", "TRUE":
			// A tool that speaks YAML 1.1 wrote "on" back as a boolean.
			return !on && e.Key.Style == syntax.Plain && g.triggers(e)
		case "permissions":
			return g.permissions(&p.Permissions, e)
		case "env":
			return g.variables(&p.Env, e)
		case "defaults":
			return g.defaults(&p.Defaults, e)
		case "concurrency":
			return g.concurrency(&p.Concurrency, e)
		case "cache-mode":
			return g.text(&p.CacheMode, e)
		case "jobs":
			p.Jobs = make([]Job, 0, len(e.Value.Entries))
			return g.each(e, func(id Text, e syntax.Entry) {
				p.Jobs = append(p.Jobs, Job{ID: id, Span: whole(e)})
				g.job(&p.Jobs[len(p.Jobs)-1], e)
			})
		}
		return false
	})
}

func (g github) triggers(e syntax.Entry) bool {
	p := g.p
	p.OnSpan = whole(e)
	good := true
	add := func(t Trigger) {
		p.Triggers = append(p.Triggers, t)
		p.Inputs = append(p.Inputs, t.Inputs...)
		p.Outputs = append(p.Outputs, t.Outputs...)
		p.Secrets = append(p.Secrets, t.Secrets...)
	}
	switch n := e.Value; {
	case n.IsNull():
	case n.Kind == syntax.Scalar:
		add(Trigger{Event: g.scalar(placeOf(e.Key), n), Span: placeOf(n)})
	case n.Kind == syntax.Sequence:
		for _, c := range n.Items {
			if c.Kind == syntax.Scalar {
				add(Trigger{Event: g.scalar(placeOf(e.Key), c), Span: placeOf(c)})
			} else {
				good = g.wrong(c, "an event is expected here")
			}
		}
	default:
		good = g.each(e, func(name Text, e syntax.Entry) { add(g.trigger(name, e)) })
	}
	return good
}

func (g github) trigger(name Text, e syntax.Entry) Trigger {
	t := Trigger{Event: name, Span: whole(e)}
	if name.Value == "schedule" && e.Value.Kind == syntax.Sequence {
		for _, c := range e.Value.Items {
			var s Schedule
			g.fields(c, &t.Extra, func(key string, e syntax.Entry) bool {
				switch key {
				case "cron":
					return g.text(&s.Cron, e)
				case "timezone":
					return g.text(&s.Timezone, e)
				}
				return false
			})
			t.Schedules = append(t.Schedules, s)
		}
		return t
	}
	g.fields(e.Value, &t.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "types":
			return g.texts(&t.Types, e)
		case "branches":
			return g.texts(&t.Branches, e)
		case "branches-ignore":
			return g.texts(&t.BranchesIgnore, e)
		case "tags":
			return g.texts(&t.Tags, e)
		case "tags-ignore":
			return g.texts(&t.TagsIgnore, e)
		case "paths":
			return g.texts(&t.Paths, e)
		case "paths-ignore":
			return g.texts(&t.PathsIgnore, e)
		case "workflows":
			return g.texts(&t.Workflows, e)
		case "inputs":
			return g.inputs(&t.Inputs, e)
		case "outputs":
			return g.outputs(&t.Outputs, e)
		case "secrets":
			return g.inputs(&t.Secrets, e)
		}
		return false
	})
	return t
}

func (g github) inputs(to *[]Input, e syntax.Entry) bool {
	return g.each(e, func(name Text, e syntax.Entry) {
		in := Input{Name: name, Span: whole(e)}
		g.fields(e.Value, &in.Extra, func(key string, e syntax.Entry) bool {
			switch key {
			case "type":
				return g.text(&in.Type, e)
			case "description":
				return g.text(&in.Description, e)
			case "required":
				return g.text(&in.Required, e)
			case "default":
				return g.text(&in.Default, e)
			case "options":
				return g.texts(&in.Options, e)
			}
			return false
		})
		*to = append(*to, in)
	})
}

func (g github) outputs(to *[]Output, e syntax.Entry) bool {
	return g.each(e, func(name Text, e syntax.Entry) {
		out := Output{Name: name}
		g.fields(e.Value, &out.Extra, func(key string, e syntax.Entry) bool {
			switch key {
			case "value":
				return g.text(&out.Value, e)
			case "description":
				return g.text(&out.Description, e)
			}
			return false
		})
		*to = append(*to, out)
	})
}

func (g github) permissions(to *Permissions, e syntax.Entry) bool {
	p := Permissions{Key: placeOf(e.Key), Span: placeOf(e.Value)}
	switch n := e.Value; {
	case n.IsNull():
		return g.wrong(n, "permissions without a value")
	case n.Kind == syntax.Scalar:
		p.Text = g.scalar(p.Key, n)
		switch n.Value {
		case "read-all":
			p.All = LevelRead
		case "write-all":
			p.All = LevelWrite
		default:
			g.wrong(n, "a permission that is not known")
		}
	case n.Kind == syntax.Mapping:
		if len(n.Entries) == 0 {
			p.All = LevelNone
		}
		g.each(e, func(name Text, e syntax.Entry) {
			s := Scope{Name: name}
			if !g.text(&s.Value, e) {
				p.Extra = append(p.Extra, g.field(e))
				return
			}
			switch s.Value.Value {
			case "none":
				s.Level = LevelNone
			case "read":
				s.Level = LevelRead
			case "write":
				s.Level = LevelWrite
			default:
				g.wrong(e.Value, "a permission that is not known")
			}
			p.Scopes = append(p.Scopes, s)
		})
	default:
		return g.wrong(n, "permissions must be a word or a map of scopes")
	}
	*to = p
	return true
}

func (g github) defaults(to *Defaults, e syntax.Entry) bool {
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		if key != "run" {
			return false
		}
		g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
			switch key {
			case "shell":
				return g.text(&to.Shell, e)
			case "working-directory":
				return g.text(&to.Dir, e)
			}
			return false
		})
		return true
	})
	return true
}

func (g github) concurrency(to *Concurrency, e syntax.Entry) bool {
	to.Span = placeOf(e.Value)
	if e.Value.Kind == syntax.Scalar {
		return g.text(&to.Group, e)
	}
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "group":
			return g.text(&to.Group, e)
		case "cancel-in-progress":
			return g.text(&to.CancelInProgress, e)
		case "queue":
			return g.text(&to.Queue, e)
		}
		return false
	})
	return true
}

func (g github) job(j *Job, e syntax.Entry) {
	g.fields(e.Value, &j.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&j.Name, e)
		case "needs":
			return g.texts(&j.Needs, e)
		case "if":
			return g.condition(&j.If, e)
		case "runs-on":
			return g.runsOn(&j.RunsOn, e)
		case "permissions":
			return g.permissions(&j.Permissions, e)
		case "environment":
			return g.environment(j.Environment.Make(), e)
		case "env":
			return g.variables(&j.Env, e)
		case "outputs":
			return g.variables(&j.Outputs, e)
		case "strategy":
			g.strategy(j.Strategy.Make(), e)
			return true
		case "container":
			return g.container(j.Container.Make(), e)
		case "services":
			return g.each(e, func(name Text, e syntax.Entry) {
				s := Service{Name: name}
				if !g.container(&s.Container, e) {
					j.Extra = append(j.Extra, g.field(e))
					return
				}
				j.Services = append(j.Services, s)
			})
		case "steps":
			return g.steps(&j.Steps, e)
		case "continue-on-error":
			return g.text(j.ContinueOnError.Make(), e)
		case "timeout-minutes":
			return g.text(j.Timeout.Make(), e)
		case "defaults":
			return g.defaults(j.Defaults.Make(), e)
		case "concurrency":
			return g.concurrency(j.Concurrency.Make(), e)
		case "cache-mode":
			return g.text(&j.CacheMode, e)
		case "uses":
			return g.uses(&j.Uses, e)
		case "with":
			return g.variables(&j.With, e)
		case "secrets":
			if e.Value.Kind == syntax.Scalar && e.Value.Value == "inherit" {
				return g.any(j.Secrets.Make(), e)
			}
			return g.variables(j.Secrets.Make(), e)
		}
		return false
	})
}

// condition takes the value of an "if", which is an expression without ${{ }} if
// there is none in it.
func (g github) condition(to *Text, e syntax.Entry) bool {
	if !g.text(to, e) {
		return false
	}
	if len(to.Parts) == 0 && strings.TrimSpace(to.Value) != "" {
		n := len(to.Value)
		to.Parts = []Interpolation{{InnerTo: n, To: n, Bare: true, Span: to.At(0, n)}}
	}
	return true
}

func (g github) runsOn(to *RunsOn, e syntax.Entry) bool {
	to.Span = placeOf(e.Value)
	if e.Value.Kind != syntax.Mapping {
		return g.texts(&to.Labels, e)
	}
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "labels":
			return g.texts(&to.Labels, e)
		case "group":
			return g.text(&to.Group, e)
		}
		return false
	})
	return true
}

func (g github) environment(to *JobEnvironment, e syntax.Entry) bool {
	to.Span = placeOf(e.Value)
	if e.Value.Kind == syntax.Scalar {
		return g.text(&to.Name, e)
	}
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&to.Name, e)
		case "url":
			return g.text(&to.URL, e)
		}
		return false
	})
	return true
}

func (g github) strategy(to *Strategy, e syntax.Entry) {
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "matrix":
			return g.any(&to.Matrix, e)
		case "fail-fast":
			return g.text(&to.FailFast, e)
		case "max-parallel":
			return g.text(&to.MaxParallel, e)
		}
		return false
	})
}

func (g github) container(to *Container, e syntax.Entry) bool {
	to.Span = placeOf(e.Value)
	if e.Value.Kind == syntax.Scalar {
		return g.text(&to.Image, e)
	}
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "image":
			return g.text(&to.Image, e)
		case "credentials":
			return g.variables(&to.Credentials, e)
		case "env":
			return g.variables(&to.Env, e)
		case "options":
			return g.text(&to.Options, e)
		}
		return false // also ports and volumes
	})
	return true
}

func (g github) steps(to *[]Step, e syntax.Entry) bool {
	*to = make([]Step, 0, len(e.Value.Items))
	return g.list(e, func(n *syntax.Node) {
		*to = append(*to, Step{Span: placeOf(n)})
		g.step(&(*to)[len(*to)-1], n)
	})
}

func (g github) step(s *Step, n *syntax.Node) {
	g.fields(n, &s.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "id":
			return g.text(&s.ID, e)
		case "name":
			return g.text(&s.Name, e)
		case "if":
			return g.condition(&s.If, e)
		case "uses":
			return g.uses(&s.Uses, e)
		case "with":
			return g.variables(&s.With, e)
		case "run":
			return g.text(&s.Run.Text, e)
		case "shell":
			return g.text(s.Run.Shell.Make(), e)
		case "working-directory":
			return g.text(s.Run.Dir.Make(), e)
		case "env":
			return g.variables(&s.Env, e)
		case "continue-on-error":
			return g.text(s.ContinueOnError.Make(), e)
		case "timeout-minutes":
			return g.text(s.Timeout.Make(), e)
		case "background":
			return g.text(s.Background.Make(), e)
		case "wait":
			return g.texts(&s.Wait, e)
		case "wait-all":
			return g.text(s.WaitAll.Make(), e)
		case "cancel":
			return g.text(s.Cancel.Make(), e)
		case "parallel":
			return g.steps(&s.Parallel, e)
		}
		return false
	})
}

func (g github) uses(to *Use, e syntax.Entry) bool {
	var t Text
	if !g.text(&t, e) {
		return false
	}
	*to = ParseUse(t)
	to.Comment = g.y.CommentAfter(t.Span.End)
	key := useKey{value: t.Value}
	if to.Comment != nil {
		key.comment = to.Comment.Text
	}
	known, ok := g.actions[key]
	if !ok {
		if g.actions == nil {
			g.actions = make(map[useKey]*ActionSummary)
		}
		known = LookupAction(*to)
		g.actions[key] = known
	}
	to.known, to.looked = known, true
	return true
}

// useKey is what the summary of a use depends on.
type useKey struct{ value, comment string }

// ParseUse takes apart the value of "uses".
func ParseUse(t Text) Use {
	u := Use{Text: t, Kind: UseInvalid}
	v := strings.TrimSpace(t.Value)
	if image, ok := strings.CutPrefix(v, "docker://"); ok {
		u.Kind = UseDocker
		u.Name, u.Ref, u.RefKind = SplitImage(image)
		return u
	}
	if p, ok := strings.CutPrefix(v, "$/"); ok {
		u.Kind, u.Path = UseSelf, p
		return u
	}
	if v == "." || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") {
		u.Kind, u.Path = UseLocal, strings.TrimPrefix(v, "./")
		return u
	}
	name, ref, found := strings.Cut(v, "@")
	if strings.Contains(name, "${{") {
		u.Kind = UseExpression
		return u
	}
	parts := strings.SplitN(strings.ReplaceAll(name, `\`, "/"), "/", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return u
	}
	u.Owner, u.Repo = parts[0], parts[1]
	if len(parts) == 3 {
		u.Path = parts[2]
	}
	if !found || ref == "" {
		return u
	}
	u.Kind, u.Ref, u.RefKind = UseRemote, ref, refKind(ref)
	return u
}

// SplitImage takes apart a reference to a container image. A digest counts before
// a tag.
func SplitImage(image string) (name, ref string, kind RefKind) {
	if strings.Contains(image, "${{") {
		return image, "", RefExpression
	}
	if name, digest, ok := strings.Cut(image, "@"); ok {
		return name, digest, RefDigest
	}
	// A colon before a slash belongs to a port.
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:], RefTag
	}
	return image, "", RefNone
}

// refKind says what a reference looks like.
func refKind(ref string) RefKind {
	if strings.Contains(ref, "${{") {
		return RefExpression
	}
	if IsCommit(ref) {
		return RefCommit
	}
	// A version: v4, 1.2.3, v2.0.0-rc.1.
	v := strings.TrimPrefix(strings.TrimPrefix(ref, "v"), "V")
	v, _, _ = strings.Cut(v, "-")
	v, _, _ = strings.Cut(v, "+")
	if v == "" || v[0] < '0' || v[0] > '9' || strings.Trim(v, "0123456789.") != "" {
		return RefBranch
	}
	return RefTag
}

// IsCommit reports whether ref is a whole SHA-1 or SHA-256 in hex.
func IsCommit(ref string) bool {
	if len(ref) != 40 && len(ref) != 64 {
		return false
	}
	return strings.Trim(ref, "0123456789abcdefABCDEF") == ""
}

// action reads an action's metadata: composite, for a runtime, or of a container.
func (g github) action(n *syntax.Node) {
	p := g.p
	g.fields(n, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&p.Name, e)
		case "inputs":
			return g.inputs(&p.Inputs, e)
		case "outputs":
			return g.outputs(&p.Outputs, e)
		case "runs":
			p.Action = &Action{Span: whole(e)}
			g.runs(p.Action, e)
			return true
		}
		return false // also author, description and branding
	})
}

func (g github) runs(a *Action, e syntax.Entry) {
	g.fields(e.Value, &a.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "using":
			return g.text(&a.Using, e)
		case "main":
			return g.text(&a.Main, e)
		case "pre":
			return g.text(&a.Pre, e)
		case "pre-if":
			return g.condition(&a.PreIf, e)
		case "post":
			return g.text(&a.Post, e)
		case "post-if":
			return g.condition(&a.PostIf, e)
		case "image":
			return g.text(&a.Image, e)
		case "entrypoint":
			return g.text(&a.Entrypoint, e)
		case "pre-entrypoint":
			return g.text(&a.PreEntrypoint, e)
		case "post-entrypoint":
			return g.text(&a.PostEntrypoint, e)
		case "args":
			return g.texts(&a.Args, e)
		case "env":
			return g.variables(&a.Env, e)
		case "steps":
			return g.steps(&a.Steps, e)
		}
		return false
	})
}

// hooks reads a configuration of pre-commit.
// https://pre-commit.com/#adding-pre-commit-plugins-to-your-project
func (g github) hooks(n *syntax.Node) {
	g.fields(n, &g.p.Extra, func(key string, e syntax.Entry) bool {
		if key != "repos" {
			return false
		}
		return g.list(e, func(n *syntax.Node) {
			var h Hook
			g.fields(n, &h.Extra, func(key string, e syntax.Entry) bool {
				switch key {
				case "repo":
					return g.text(&h.Repo, e)
				case "rev":
					return g.text(&h.Rev, e)
				}
				return false
			})
			g.p.Hooks = append(g.p.Hooks, h)
		})
	})
}

func (g github) dependabot(n *syntax.Node) {
	p := g.p
	d := &Dependabot{}
	p.Dependabot = d
	g.fields(n, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "version":
			return g.text(&d.Version, e)
		case "registries":
			return g.each(e, func(_ Text, e syntax.Entry) { d.Registries = append(d.Registries, g.field(e)) })
		case "updates":
			return g.list(e, func(n *syntax.Node) { d.Updates = append(d.Updates, g.update(n)) })
		}
		return false
	})
}

func (g github) update(n *syntax.Node) Update {
	u := Update{Span: placeOf(n)}
	g.fields(n, &u.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "package-ecosystem":
			return g.text(&u.Ecosystem, e)
		case "directory", "directories":
			return g.texts(&u.Directories, e)
		case "target-branch":
			return g.text(&u.Branch, e)
		case "insecure-external-code-execution":
			return g.text(&u.ExternalCode, e)
		case "schedule":
			return g.any(&u.Schedule, e)
		case "cooldown":
			return g.any(&u.Cooldown, e)
		case "groups":
			return g.any(&u.Groups, e)
		case "registries":
			return g.any(&u.Registries, e)
		}
		return false
	})
	return u
}

// lock reads a lock of actions, of the schemas v0.0.1 to v0.0.3.
func (g github) lock(n *syntax.Node) {
	p := g.p
	l := &Lock{}
	p.Lock = l
	g.fields(n, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "version":
			return g.text(&l.Version, e)
		case "workflows":
			return g.each(e, func(name Text, e syntax.Entry) {
				w := LockedWorkflow{Path: name}
				if !g.texts(&w.Pins, e) {
					p.Extra = append(p.Extra, g.field(e))
				}
				l.Workflows = append(l.Workflows, w)
			})
		case "dependencies":
			return g.each(e, func(name Text, e syntax.Entry) {
				a := LockedAction{Pin: name}
				g.lockedAction(&a, e)
				l.Dependencies = append(l.Dependencies, a)
			})
		}
		return false
	})
}

func (g github) lockedAction(a *LockedAction, e syntax.Entry) {
	g.fields(e.Value, &a.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "hostname":
			return g.text(&a.Hostname, e)
		case "ref":
			return g.text(&a.Ref, e)
		case "commit":
			return g.text(&a.Commit, e)
		case "owner_id":
			return g.text(&a.OwnerID, e)
		case "repo_id":
			return g.text(&a.RepoID, e)
		case "uses":
			return g.texts(&a.Uses, e)
		}
		return false
	})
}
