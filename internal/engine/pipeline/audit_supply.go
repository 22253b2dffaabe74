package pipeline

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"penstock"
)

// auditUses looks at everything that a definition takes from elsewhere.
func auditUses(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub {
		x.forgeUses(p, report)
		return
	}
	creators := make(map[string]bool)
	comments := make(map[string]Use)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.Uses.IsSet() {
			x.use(useAt{p, j.Uses, jobScope(j), x.holdsSecrets(j), true, Data{}}, report)
		}
		if j.Container.Has() {
			image(p, j, j.Container.Get(), jobScope(j), report)
		}
		for k := range j.Services {
			image(p, j, &j.Services[k].Container, jobScope(j), report)
		}
	}
	for s := range p.steps() {
		if !s.Step.Uses.IsSet() {
			continue
		}
		u := useAt{p, s.Step.Uses, s.Scope(), s.Job != nil && x.holdsSecrets(s.Job), false, s.Step.With}
		x.use(u, report)
		creator(u, creators, report)
		mismatched(u, comments, report)
	}
	mutableInside(x, p, report)
}

// useAt is a use with what encloses it.
type useAt struct {
	p     *Pipeline
	use   Use
	scope string
	// grave: what is used gets secrets, or a token that writes.
	grave    bool
	workflow bool // a called workflow
	with     Data
}

// holdsSecrets reports whether code in a job can get at secrets or rights that matter.
func (x *Project) holdsSecrets(j *Job) bool {
	holds, known := x.secretive[j]
	if !known {
		holds = holdsSecrets(j)
		x.secretive[j] = holds
	}
	return holds
}

func holdsSecrets(j *Job) bool {
	for _, s := range j.Permissions.Scopes {
		if s.Level == LevelWrite && grave(s.Name.Value) {
			return true
		}
	}
	if j.Permissions.All == LevelWrite || j.InheritsSecrets() {
		return true
	}
	found := false
	w := textWalk{yield: func(t textAt) bool {
		for _, part := range t.Parts {
			source := t.Source(part)
			if i := strings.Index(strings.ToLower(source), "secrets."); i >= 0 && !holds(source, "secrets.github_token") {
				found = true
			}
		}
		return !found
	}}
	w.job(j)
	for s := range jobSteps(nil, j) {
		w.step(s)
	}
	return found
}

// firstParty reports whether the owner is the forge itself.
func firstParty(owner string) bool {
	switch strings.ToLower(owner) {
	case "actions", "github", "dependabot":
		return true
	}
	return false
}

// use looks at one use.
func (x *Project) use(u useAt, report func(Flaw)) {
	at := u.p.place(u.use.Span)
	if span := u.use.RefSpan(); span.End > span.Start {
		at = u.p.place(penstock.Span{Start: u.use.Span.Start, End: span.End})
	}
	flaw := func(rule string, severity penstock.Severity, format string, args ...any) Flaw {
		return Flaw{Rule: rule, Place: at, Scope: u.scope, Severity: severity, Message: fmt.Sprintf(format, args...)}
	}
	name := clip(u.use.Owner + "/" + u.use.Repo)
	if u.use.Kind == UseRemote && (u.use.RefKind == RefExpression || strings.Contains(u.use.Path, "${{")) {
		u.use.Kind = UseExpression
	}
	switch u.use.Kind {
	case UseExpression:
		f := flaw("expression-in-uses", penstock.SeverityUnset, "what is used here is known only when it runs.")
		f.Tier = penstock.TierHygiene
		report(f)
		return
	case UseDocker:
		unpinnedImage(u.p, u.use.Text, u.use.RefKind, u.use.Ref, u.scope, report)
		return
	case UseRemote:
	default:
		return
	}
	sum := LookupAction(u.use)
	if u.use.RefKind != RefCommit && !x.locked(u.p, u.use) {
		x.unpinned(u, sum, flaw, report)
	}
	if near := NearAction(u.use); near != "" {
		report(flaw("typosquat-action", penstock.SeverityUnset, "%s is nearly named like %s, and somebody else's.", name, near))
	}
	if x.forbidden(u.use) {
		report(flaw("forbidden-action", penstock.SeverityUnset, "the configuration does not let %s be used.", name))
	}
	x.auditForge(u, sum, flaw, report)
	if sum == nil {
		return
	}
	if sum.Archived != "" {
		report(flaw("archived-action", penstock.SeverityUnset, "the repository of %s is archived: no flaw in it will be repaired.", name))
	}
	for _, a := range sum.Advisories {
		f := flaw("known-vulnerable-action", advisorySeverity(a.Severity), "%s: %s.", a.ID, strings.TrimSuffix(a.Title, "."))
		if a.Fixed != "" {
			f.Message += " It is repaired in " + a.Fixed + "."
		}
		if a.Compromise {
			f.Severity = penstock.Critical
			if u.use.RefKind == RefCommit {
				f.Tier = penstock.TierExploitable
				f.Notes = append(f.Notes, "this very commit holds the attacker's code")
			}
		}
		if a.Alias != "" {
			f.Notes = append(f.Notes, "also known as "+a.Alias)
		}
		report(f)
	}
	if sum.Instead != "" {
		report(flaw("superfluous-action", penstock.SeverityUnset, "%s does the same: one party less to trust.", sum.Instead))
	}
	if sum.Runtime == "node12" || sum.Runtime == "node16" || sum.Runtime == "node20" {
		f := flaw("deprecated-runtime", penstock.Low, "it runs on %s, which gets no repairs any more.", sum.Runtime)
		if sum.Runtime == "node20" {
			f.Severity = penstock.Info
		}
		report(f)
	}
	for _, e := range sum.Effects {
		if version := e.Argument("version"); e.Kind == EffectTool && version != "" && sum.Applies(e, u.with) != False {
			d := u.with.Get(version)
			if in := sum.Input(version); d.Kind == DataNone && in != nil && in.Default == "latest" {
				report(flaw("unpinned-tool", penstock.SeverityUnset, "without a version the latest %s gets installed.", e.What))
			}
			if d.Kind == DataScalar && strings.EqualFold(strings.TrimSpace(d.Text.Value), "latest") {
				f := flaw("unpinned-tool", penstock.SeverityUnset, "whatever version of %s is the latest gets installed.", e.What)
				f.Place = u.p.place(d.Text.Span)
				report(f)
			}
		}
	}
	x.publishing(u, sum, report)
}

func (x *Project) unpinned(u useAt, sum *ActionSummary, flaw func(string, penstock.Severity, string, ...any) Flaw, report func(Flaw)) {
	what := "tag"
	if u.use.RefKind == RefBranch {
		what = "branch"
	}
	rule, thing := "unpinned-uses", "the action"
	if u.workflow {
		rule, thing = "reusable-mutable-ref", "the workflow"
	}
	own := firstParty(u.use.Owner)
	severity := penstock.Medium
	switch {
	case own && u.use.RefKind != RefBranch:
		severity = penstock.Low
	case u.grave && !own:
		severity = penstock.High
	}
	f := flaw(rule, severity, "%s can move, and with it the code that runs here; a commit cannot.", cmpWord(what, u.use.Ref))
	if u.grave && !own {
		f.Message = fmt.Sprintf("whoever can move the %s %s of %s gets the secrets or the token of this job.", what, clip(u.use.Ref), thing)
	}
	report(f)
}

func cmpWord(what, ref string) string { return "the " + what + " " + clip(ref) }

// locked reports whether actions.lock pins a use for the workflow.
func (x *Project) locked(p *Pipeline, u Use) bool {
	lock := x.lock()
	if on, _ := x.View(GitHub).Lock(); !on || lock == nil {
		return false
	}
	pin := strings.ToLower(u.Owner + "/" + u.Repo + "@" + u.Ref)
	file := strings.TrimPrefix(p.Path, x.Root)
	for _, w := range lock.Lock.Workflows {
		if strings.TrimPrefix(w.Path.Value, "/") != file && path.Base(w.Path.Value) != path.Base(file) {
			continue
		}
		for _, t := range w.Pins {
			if strings.EqualFold(t.Value, pin) {
				return slices.ContainsFunc(lock.Lock.Dependencies, func(a LockedAction) bool {
					return strings.EqualFold(a.Pin.Value, pin) && a.Commit.Value != ""
				})
			}
		}
	}
	return false
}

// lock is the project's actions.lock, nil without one.
func (x *Project) lock() *Pipeline {
	if p := x.byPath[x.Root+".github/workflows/actions.lock"]; p != nil && p.Lock != nil {
		return p
	}
	return nil
}

func (x *Project) forbidden(u Use) bool {
	name := strings.ToLower(u.Owner + "/" + u.Repo)
	match := func(pattern string) bool {
		pattern, _, _ = strings.Cut(strings.ToLower(pattern), "@")
		ok, err := path.Match(pattern, name)
		return err == nil && ok || pattern == strings.ToLower(u.Owner)
	}
	if slices.ContainsFunc(x.Settings.Forbidden, match) {
		return true
	}
	return len(x.Settings.Allowed) > 0 && !slices.ContainsFunc(x.Settings.Allowed, match)
}

func advisorySeverity(s string) penstock.Severity {
	switch s {
	case "critical":
		return penstock.Critical
	case "high":
		return penstock.High
	case "low":
		return penstock.Low
	}
	return penstock.Medium
}

// creator notes, once for each owner, that the forge has not checked who it is.
func creator(u useAt, seen map[string]bool, report func(Flaw)) {
	owner := strings.ToLower(u.use.Owner)
	if u.use.Kind != UseRemote || seen[owner] || firstParty(owner) || VerifiedCreator(owner) {
		return
	}
	seen[owner] = true
	report(Flaw{
		Rule: "unverified-creator", Place: u.p.place(u.use.Span), Scope: u.scope,
		Message: fmt.Sprintf("the forge has not verified who %s is.", clip(u.use.Owner)),
	})
}

// mismatched reports a commit that two comments call by different versions.
func mismatched(u useAt, seen map[string]Use, report func(Flaw)) {
	if u.use.RefKind != RefCommit {
		return
	}
	v := VersionOf(u.use)
	if !v.Comment {
		return
	}
	key := strings.ToLower(u.use.Owner + "/" + u.use.Repo + "@" + u.use.Ref)
	first, ok := seen[key]
	if !ok {
		seen[key] = u.use
		return
	}
	if w := VersionOf(first); w.Parts != v.Parts {
		report(Flaw{
			Rule: "ref-version-mismatch", Place: u.p.place(u.use.Span), Scope: u.scope,
			Message: "the same commit is called another version elsewhere in this file, so one of the comments is wrong.",
			Related: []Hop{{Place: u.p.place(first.Span), Text: "here"}},
		})
	}
}

// image looks at a container's image.
func image(p *Pipeline, j *Job, c *Container, scope string, report func(Flaw)) {
	if !c.Image.IsSet() || c.Image.Value == "" {
		return
	}
	_, ref, kind := SplitImage(c.Image.Value)
	unpinnedImage(p, c.Image, kind, ref, scope, report)
	if axis, ok := matrixAxis(c.Image); ok && j != nil {
		matrixValues(j, axis, func(t Text) {
			_, ref, kind := SplitImage(t.Value)
			unpinnedImage(p, t, kind, ref, scope, report)
		})
	}
	privileged(p, c, scope, report)
}

func unpinnedImage(p *Pipeline, t Text, kind RefKind, ref, scope string, report func(Flaw)) {
	f := Flaw{Rule: "unpinned-image", Place: p.place(t.Span), Scope: scope, Severity: penstock.Low, Message: fmt.Sprintf("the tag %s can be moved to another image; a digest cannot.", clip(ref))}
	switch {
	case kind == RefDigest || kind == RefExpression || len(t.Parts) > 0 || t.Value == "":
		return
	case kind == RefNone || ref == "latest":
		f.Severity, f.Message = penstock.Medium, "without a tag, or with latest, the image is another one with each release."
	}
	report(f)
}

// privileged reports a container that is none: what runs in it has the host.
func privileged(p *Pipeline, c *Container, scope string, report func(Flaw)) {
	hostAccess(p, c.Options, scope, report)
	for _, f := range c.Extra {
		if f.Name.Value != "volumes" {
			continue
		}
		f.Value.Texts(func(t Text) {
			if strings.Contains(t.Value, "docker.sock") {
				report(Flaw{
					Rule: "privileged-container", Place: p.place(t.Span), Scope: scope,
					Message: "with the socket of Docker, code in this container can start another that has the whole host.",
				})
			}
		})
	}
}

// hostAccess reports options of a container that give it the host.
func hostAccess(p *Pipeline, t Text, scope string, report func(Flaw)) {
	for _, sign := range []string{"--privileged", "/var/run/docker.sock", "--pid=host", "--pid host", "SYS_ADMIN", "--cap-add=ALL", "--cap-add ALL"} {
		if i := strings.Index(t.Value, sign); i >= 0 {
			report(Flaw{
				Rule: "privileged-container", Place: p.place(t.At(i, i+len(sign))), Scope: scope,
				Message: "code in this container gets at the host, and at every other container on it.",
			})
			return
		}
	}
}

// mutableInside reports an action that stays mutable however it is pinned: what it
// uses itself is not.
func mutableInside(x *Project, p *Pipeline, report func(Flaw)) {
	a := p.Action
	if a == nil {
		return
	}
	if strings.HasPrefix(a.Image.Value, "docker://") {
		if _, _, kind := SplitImage(strings.TrimPrefix(a.Image.Value, "docker://")); kind != RefDigest && kind != RefExpression {
			report(Flaw{
				Rule: "unpinnable-action", Place: p.place(a.Image.Span),
				Message: "the action runs an image by its tag: who pins the action to a commit gets whatever the tag holds.",
			})
		}
	}
	for s := range p.steps() {
		u := s.Step.Uses
		if u.Kind == UseRemote && u.RefKind != RefCommit && !firstParty(u.Owner) || u.Kind == UseDocker && u.RefKind != RefDigest {
			report(Flaw{
				Rule: "unpinnable-action", Place: p.place(u.Span), Scope: s.Scope(),
				Message: "who pins this action to a commit still gets whatever this reference holds.",
			})
			return
		}
	}
	if using := a.Using.Value; using == "node12" || using == "node16" || using == "node20" {
		f := Flaw{Rule: "deprecated-runtime", Place: p.place(a.Using.Span), Severity: penstock.Low, Message: using + " gets no repairs any more."}
		if using == "node20" {
			f.Severity = penstock.Info
		}
		report(f)
	}
}

// publishing looks at how packages are signed in with and signed.
func (x *Project) publishing(u useAt, sum *ActionSummary, report func(Flaw)) {
	for _, e := range sum.Effects {
		if e.Kind != EffectPublish || sum.Applies(e, u.with) == False {
			continue
		}
		registry := trusted(e.What)
		if registry == "" {
			continue
		}
		for i := range sum.Inputs {
			in := &sum.Inputs[i]
			d := u.with.Get(in.Name)
			if in.Role != RoleSecret || d.Kind != DataScalar || !holds(d.Text.Value, "secrets.") || holds(d.Text.Value, "secrets.github_token") {
				continue
			}
			report(Flaw{
				Rule: "use-trusted-publishing", Place: u.p.place(d.Text.Span), Scope: u.scope,
				Message: registry + " takes the job's own identity; a token that lives on can be stolen and used from anywhere.",
			})
		}
		if d := u.with.Get("attestations"); d.Kind == DataScalar && strings.EqualFold(d.Text.Value, "false") {
			report(Flaw{
				Rule: "missing-provenance", Place: u.p.place(d.Text.Span), Scope: u.scope,
				Message: "without attestations nobody can tell whether the package is from this build.",
			})
		}
	}
}

// trusted names a registry that takes the identity of a job, empty for others.
func trusted(what string) string {
	switch strings.ToLower(what) {
	case "pypi":
		return "PyPI"
	case "npm":
		return "npm"
	case "rubygems":
		return "RubyGems"
	case "crates", "crates.io":
		return "crates.io"
	case "nuget":
		return "NuGet"
	}
	return ""
}

// auditScripts looks at what scripts install, fetch and publish.
func auditScripts(x *Project, p *Pipeline, report func(Flaw)) {
	for s := range p.steps() {
		run := s.Step.Run
		if run.Value == "" {
			continue
		}
		publishScript(x, s, report)
		seen, lines := make(map[string]bool), make(map[int]bool)
		for _, f := range x.plain(s).Facts {
			at := p.place(run.At(int(f.Start), int(f.End)))
			switch f.Kind {
			case FactSecret:
				exposed(f, at, s, report)
				intoArtifact(f, at, s, report)
			case FactUnpinned, FactExecute:
				if f.Kind == FactExecute && !addsPackage(f.Command) {
					continue
				}
				lines[strings.Count(run.Value[:f.Start], "\n")] = true
				if key := f.Command + " " + f.Name; !seen[key] {
					seen[key] = true
					report(Flaw{
						Rule: "adhoc-package", Place: at, Scope: s.Scope(),
						Message: fmt.Sprintf("%s takes whatever version there is, with no lock that says what was meant.", clip(cmp.Or(f.Command, "this"))),
					})
				}
			case FactDownloadRun:
				if f.Verified {
					continue
				}
				flaw := Flaw{
					Rule: "unverified-script", Place: at, Scope: s.Scope(),
					Message: "what is run here is what the server sends today; nothing checks that it is what was meant.",
				}
				if f.Labels&shellPlain != 0 {
					flaw.Severity, flaw.Message = penstock.High, "what is run here comes without transport security: anyone on the way can change it."
				}
				if f.Maybe {
					flaw.Confidence = penstock.ConfidenceLow
				}
				report(flaw)
			}
		}
		plainInstalls(p, s, lines, report)
		plainAddress(p, run.Text, s.Scope(), report)
		logins(p, run.Text, s.Scope(), report)
		if strings.Contains(run.Value, "docker run") {
			hostAccess(p, run.Text, s.Scope(), report)
		}
	}
	for s := range p.steps() {
		if sum := LookupAction(s.Step.Uses); sum != nil {
			for _, in := range sum.Inputs {
				if d := s.Step.With.Get(in.Name); in.Role == RoleURL && d.Kind == DataScalar {
					plainAddress(p, d.Text, s.Scope(), report)
				}
			}
		}
	}
}

// addsPackage reports whether a command adds a dependency that the lock does not have.
func addsPackage(command string) bool {
	switch command {
	case "yarn add", "pnpm add", "npm add", "bun add", "bundle add", "poetry add", "uv add", "pdm add", "composer require":
		return true
	}
	return false
}

// auditHooks looks at the repositories that pre-commit takes hooks from.
func auditHooks(_ *Project, p *Pipeline, report func(Flaw)) {
	for _, h := range p.Hooks {
		plainAddress(p, h.Repo, "", report)
		_, name, ok := strings.Cut(h.Repo.Value, "github.com/")
		if !ok || !h.Rev.IsSet() {
			continue
		}
		u := ParseUse(Text{Value: strings.TrimSuffix(name, ".git") + "@" + h.Rev.Value})
		if sum := LookupAction(u); sum != nil && sum.Archived != "" {
			report(Flaw{Rule: "archived-action", Place: p.place(h.Repo.Span), Message: "the repository of these hooks is archived: no flaw in it will be repaired."})
		}
	}
}

// plainInstalls finds installs that the analysis of scripts does not take for such: in
// shells that it does not read, and of packages that no lock has, whatever their version.
// known are the lines of the script on which something was found.
func plainInstalls(p *Pipeline, s stepAt, known map[int]bool, report func(Flaw)) {
	run := s.Step.Run
	at, n := 0, -1
	for line := range strings.Lines(run.Value) {
		n++
		start := at + len(line) - len(strings.TrimLeft(line, " \t"))
		at += len(line)
		line = strings.TrimSpace(line)
		if known[n] || len(line) > 500 {
			continue
		}
		for _, command := range []string{"bundle add ", "npm install ", "npm i ", "npm add ", "pip install ", "gem install ", "gem i ", "choco install "} {
			rest, ok := strings.CutPrefix(line, command)
			if !ok || command == "pip install " && p.Forge == GitHub && DialectOf(cmp.Or(run.Shell.Get().Value, jobShell(s))) == DialectBash {
				continue // of those the analysis knows more
			}
			if named := installed(rest); named {
				report(Flaw{
					Rule: "adhoc-package", Place: p.place(run.At(start, start+len(strings.TrimSpace(command)))), Scope: s.Scope(),
					Message: strings.TrimSpace(command) + " takes a package that no lock file has, with all that it depends on in whatever version there is.",
				})
			}
		}
	}
}

// installed reports whether the arguments of an install name a package of a registry.
func installed(rest string) bool {
	rest, _, _ = strings.Cut(rest, "&&")
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "|")
	value := false
	for word := range strings.FieldsSeq(rest) {
		word = strings.Trim(word, `"'`)
		switch {
		case value:
			value = false
		case word == "--prefix" || word == "-C" || word == "--registry" || word == "-r" || word == "--workspace" || word == "-w" || word == "--loglevel" || word == "--source" || word == "-s":
			value = true
			if word == "-r" {
				return false
			}
		case strings.HasPrefix(word, "-") || strings.HasPrefix(word, "#"):
			if word == "--help" || word == "--local" || strings.HasPrefix(word, "#") {
				return false
			}
		case strings.HasPrefix(word, ".") || strings.HasPrefix(word, "/") || strings.ContainsAny(word, "$%:\\*") && !strings.HasPrefix(word, "@") && !strings.Contains(word, ":1") || strings.HasSuffix(word, ".tgz") || strings.HasSuffix(word, ".gem"):
		default:
			return true
		}
	}
	return false
}

// jobShell is the shell of a step that names none.
func jobShell(s stepAt) string {
	if s.Job == nil {
		return ""
	}
	return cmp.Or(s.Job.Defaults.Get().Shell.Value, s.Pipeline.Defaults.Shell.Value)
}

// exposed reports a secret that goes where others may see it.
func exposed(f ShellFact, at Place, s stepAt, report func(Flaw)) {
	if f.Maybe {
		return
	}
	flaw := Flaw{Rule: "secret-exposed", Tier: penstock.TierHygiene, Severity: penstock.Medium, Place: at, Scope: s.Scope()}
	switch f.Sink {
	case SecretLog, SecretEncoded:
		if !f.Unmasked {
			return
		}
		flaw.Message = "the secret is written to the log in a form that the mask does not know."
	case SecretTrace:
		flaw.Severity, flaw.Message = penstock.Low, "the shell writes each command to the log, with the secret in it; the mask covers the plain form alone."
	case SecretCommandLine:
		if s.Job == nil || !ownMachine(s.Pipeline, s.Job) {
			return // nobody else is on a hosted runner
		}
		flaw.Severity, flaw.Message = penstock.Low, "every process of the machine can read the arguments of this one, the secret among them."
	case SecretNetwork:
		if s.Pipeline.Forge != GitHub {
			return // a credential of a guess, and sent to be used
		}
		flaw.Severity, flaw.Message = penstock.Low, "the secret is sent to another host."
	default:
		return
	}
	if f.Labels&ShellSecrets != 0 && (f.Sink == SecretNetwork || f.Sink == SecretLog || f.Sink == SecretEncoded) {
		// No use of a credential needs all of them: this is how they are stolen.
		flaw.Tier, flaw.Severity = penstock.TierExploitable, penstock.Critical
		flaw.Message = "all secrets of the run are written to the log in a form that the mask does not know."
		if f.Sink == SecretNetwork {
			flaw.Message = "all secrets of the run are sent to another host."
		}
	}
	if f.Detail != "" {
		flaw.Notes = append(flaw.Notes, f.Detail)
	}
	report(flaw)
}

// plainAddress reports addresses without transport security that something is
// fetched from or sent to.
func plainAddress(p *Pipeline, t Text, scope string, report func(Flaw)) {
	for at := 0; ; {
		i := indexAny(t.Value[at:], "http://", "git://", "ftp://", "svn://")
		if i < 0 {
			break
		}
		i += at
		at = i + strings.Index(t.Value[i:], "//") + 2
		host := t.Value[at:]
		if n := strings.IndexAny(host, "/ \t\r\n\"'`$|;)<>"); n >= 0 {
			host = host[:n]
		}
		if h, _, ok := strings.Cut(host, ":"); ok {
			host = h
		}
		line := t.Value[strings.LastIndexByte(t.Value[:i], '\n')+1 : i]
		if !strings.Contains(host, ".") || i > 0 && t.Value[i-1] == '+' || local(host) || strings.Contains(line, "#") || strings.Contains(line, "echo ") || strings.Contains(line, "xmlns") || strings.HasPrefix(host, "www.w3.org") || strings.HasPrefix(host, "schemas.") {
			continue
		}
		report(Flaw{
			Rule: "insecure-url", Place: p.place(t.At(i, at+len(host))), Scope: scope,
			Message: "this address has no transport security: anyone on the way can read and change what goes over it.",
		})
	}
	for _, sign := range []string{"curl -k ", "curl --insecure ", "wget --no-check-certificate ", "http.sslVerify=false", "http.sslVerify false", "NODE_TLS_REJECT_UNAUTHORIZED=0", "--trusted-host "} {
		if i := strings.Index(t.Value, sign); i >= 0 {
			report(Flaw{
				Rule: "insecure-url", Place: p.place(t.At(i, i+len(sign)-1)), Scope: scope,
				Message: "nobody checks who the server is, so anyone on the way can be it.",
			})
		}
	}
}

// indexAny is the first place where one of the words stands, -1 for none.
func indexAny(s string, words ...string) int {
	first := -1
	for _, w := range words {
		if i := strings.Index(s, w); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// local reports whether a host is the machine itself or one of its network.
func local(host string) bool {
	for _, prefix := range []string{"127.", "10.", "192.168.", "172.", "169.254.", "0.0.0.0", "host.docker."} {
		if strings.HasPrefix(host, prefix) {
			return true
		}
	}
	for _, suffix := range []string{".local", ".internal", ".localhost", ".test", ".example", ".svc", ".lan"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// publishScript looks at scripts that publish packages.
func publishScript(x *Project, s stepAt, report func(Flaw)) {
	v := s.Step.Run.Value
	token := func(names ...string) *Field {
		for _, d := range []*Data{&s.Step.Env, jobEnv(s.Job), &s.Pipeline.Env} {
			for i := range d.Fields {
				if f := &d.Fields[i]; slices.Contains(names, f.Name.Value) && holds(f.Value.Text.Value, "secrets.") {
					return f
				}
			}
		}
		return nil
	}
	for _, c := range []struct {
		command, registry string
		tokens            []string
	}{
		{"npm publish", "npm", []string{"NODE_AUTH_TOKEN", "NPM_TOKEN", "NPM_AUTH_TOKEN"}},
		{"cargo publish", "crates.io", []string{"CARGO_REGISTRY_TOKEN"}},
		{"gem push", "RubyGems", []string{"GEM_HOST_API_KEY", "RUBYGEMS_API_KEY"}},
		{"twine upload", "PyPI", []string{"TWINE_PASSWORD"}},
		{"uv publish", "PyPI", []string{"UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"}},
		{"poetry publish", "PyPI", []string{"POETRY_PYPI_TOKEN_PYPI"}},
	} {
		i := strings.Index(v, c.command)
		if i < 0 || i > 0 && !strings.ContainsRune(" \t\n;&|(", rune(v[i-1])) {
			continue
		}
		f := token(c.tokens...)
		if f == nil {
			continue
		}
		at := s.Pipeline.place(s.Step.Run.At(i, i+len(c.command)))
		report(Flaw{
			Rule: "use-trusted-publishing", Place: s.Pipeline.place(f.Value.Text.Span), Scope: s.Scope(),
			Message: c.registry + " takes the job's own identity; a token that lives on can be stolen and used from anywhere.",
			Related: []Hop{{Place: at, Text: "this publishes"}},
		})
		line, _, _ := strings.Cut(v[i:], "\n")
		if c.registry == "npm" && !strings.Contains(line, "--provenance") && !strings.Contains(line, "--dry-run") && !provenance(s) {
			report(Flaw{
				Rule: "missing-provenance", Place: at, Scope: s.Scope(),
				Message: "without --provenance nobody can tell whether the package is from this build.",
			})
		}
		return
	}
}

func jobEnv(j *Job) *Data {
	if j == nil {
		return &Data{}
	}
	return &j.Env
}

func provenance(s stepAt) bool {
	for _, d := range []*Data{&s.Step.Env, jobEnv(s.Job), &s.Pipeline.Env} {
		if strings.EqualFold(d.Get("NPM_CONFIG_PROVENANCE").Text.Value, "true") {
			return true
		}
	}
	return false
}

// plain is what a script does whatever its surroundings hold. It is empty for a script
// in which nothing that audits look for can be.
func (x *Project) plain(s stepAt) ShellResult {
	if r, known := x.plains[s.Step]; known {
		return r
	}
	in := ShellInput{Vars: make(map[string]ShellSource), Expr: secretSource}
	for _, d := range []*Data{&s.Pipeline.Env, jobEnv(s.Job), &s.Step.Env} {
		for _, f := range d.Fields {
			if src := secretIn(f.Value.Text); src.Labels != 0 {
				in.Vars[f.Name.Value] = src
			}
		}
	}
	if s.Pipeline.Forge != GitHub {
		x.forgeInput(s, &in)
	}
	var r ShellResult
	if v := s.Step.Run.Value; len(in.Vars) > 0 || holds(v, "secrets") || indexAny(v, plainWords...) >= 0 {
		r = AnalyseScript(v, cmp.Or(s.Step.Run.Shell.Get().Value, jobShell(s)), in)
	}
	if x.plains == nil {
		x.plains = make(map[*Step]ShellResult)
	}
	x.plains[s.Step] = r
	return r
}

// plainWords are in every script that installs or fetches something.
var plainWords = []string{"install", "add ", "npx", "uvx", "pipx", "dlx", "bunx", "npm i", "gem i", " get ", "require ", "http", "curl", "wget", "fetch", "latest", "prepare"}

// secretIn says whether a text is made from a secret.
func secretIn(t Text) ShellSource {
	for _, part := range t.Parts {
		if src := secretSource(t.Source(part)); src.Labels != 0 {
			return src
		}
	}
	return ShellSource{}
}

func secretSource(body string) ShellSource {
	if !holds(body, "secrets") {
		return ShellSource{}
	}
	e, err := ParseExpression(body)
	if err != nil {
		return ShellSource{}
	}
	for _, path := range e.TextPaths() {
		if path.Name == "secrets" || path.Name == "secrets.*" {
			return ShellSource{Labels: ShellSecret | ShellSecrets, Text: "all secrets of the run"}
		}
		if name, ok := strings.CutPrefix(path.Name, "secrets."); ok {
			return ShellSource{Labels: ShellSecret, Text: "the secret " + clip(name)}
		}
	}
	return ShellSource{}
}

// auditLock holds actions.lock against what workflows use.
func auditLock(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Lock == nil {
		return
	}
	commits := make(map[string]LockedAction)
	for _, d := range p.Lock.Dependencies {
		pin := strings.ToLower(d.Pin.Value)
		if d.Commit.Value == "" || !IsCommit(d.Commit.Value[strings.IndexByte(d.Commit.Value, '-')+1:]) {
			report(Flaw{Rule: "lock-mismatch", Place: p.place(d.Pin.Span), Message: "the lock names no commit for this action, so it pins nothing."})
		}
		if _, after, ok := strings.Cut(pin, "@"); ok && IsCommit(after) && !strings.HasSuffix(strings.ToLower(d.Commit.Value), after) {
			report(Flaw{Rule: "lock-mismatch", Place: p.place(d.Commit.Span), Message: "the lock names another commit than the one that is used."})
		}
		commits[pin] = d
	}
	for _, w := range p.Lock.Workflows {
		for _, t := range w.Pins {
			if _, ok := commits[strings.ToLower(t.Value)]; !ok {
				report(Flaw{Rule: "lock-mismatch", Place: p.place(t.Span), Message: "the lock lists this use and does not say which commit it is."})
			}
		}
	}
	if on, _ := x.View(GitHub).Lock(); !on {
		return
	}
	for _, q := range x.Pipelines {
		if q.Kind != KindWorkflow {
			continue
		}
		x.unlocked(p, q, report)
	}
}

// unlocked reports what a workflow uses and the lock does not have.
func (x *Project) unlocked(lock, q *Pipeline, report func(Flaw)) {
	file := strings.TrimPrefix(q.Path, x.Root)
	listed := slices.ContainsFunc(lock.Lock.Workflows, func(w LockedWorkflow) bool { return path.Base(w.Path.Value) == path.Base(file) })
	check := func(u Use, scope string) {
		if listed && u.Kind == UseRemote && u.RefKind != RefCommit && !x.locked(q, u) {
			report(Flaw{
				Rule: "lock-mismatch", Place: q.place(u.Span), Scope: scope,
				Message: "actions.lock pins other uses of this workflow and not this one.",
			})
		}
	}
	for i := range q.Jobs {
		check(q.Jobs[i].Uses, jobScope(&q.Jobs[i]))
	}
	for s := range q.steps() {
		check(s.Step.Uses, s.Scope())
	}
}
