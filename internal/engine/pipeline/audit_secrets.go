package pipeline

import (
	"fmt"
	"path"
	"strings"

	"penstock"
)

// auditSecrets looks at how secrets are handed to jobs and steps.
func auditSecrets(x *Project, p *Pipeline, report func(Flaw)) {
	if p.Forge != GitHub {
		return
	}
	for t := range p.texts() {
		t.expressions([]string{"secrets"}, func(e Expression, at func(penstock.Span) penstock.Span) {
			e.Walk(func(n *ExprNode) bool { return wideSecrets(p, t, n, at, report) })
		})
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.InheritsSecrets() {
			f := Flaw{
				Rule: "secrets-inherit", Place: p.place(penstock.Span{Start: j.Secrets.Get().Key.Start, End: j.Secrets.Get().Span.End}), Scope: jobScope(j),
				Message: "the called workflow gets every secret of this one, those that it does not need among them.",
			}
			if j.Uses.Kind != UseRemote {
				f.Severity = penstock.Low
			}
			report(f)
		}
		hardcoded := func(c *Container) {
			if pw := c.Credentials.Get("password"); pw.Kind == DataScalar && pw.Text.Value != "" && constant(pw.Text) {
				report(Flaw{
					Tier: penstock.TierHygiene, Rule: "hardcoded-credentials", Place: p.place(pw.Text.Span), Scope: jobScope(j),
					Message: "the password of the registry stands in the file, for everyone who can read it.",
				})
			}
		}
		if j.Container.Has() {
			hardcoded(j.Container.Get())
		}
		for k := range j.Services {
			hardcoded(&j.Services[k].Container)
		}
		outsideEnvironment(p, j, report)
	}
	persisted(x, p, report)
	x.eachEnv(p, func(d *Data, scope string) {
		for i := range d.Fields {
			variable(p, &d.Fields[i], scope, report)
		}
	})
}

// wideSecrets reports expressions that hand on all secrets, or take one apart.
func wideSecrets(p *Pipeline, t textAt, n *ExprNode, at func(penstock.Span) penstock.Span, report func(Flaw)) bool {
	secrets := func(n *ExprNode) bool { return n.Kind == ExprContext && strings.EqualFold(n.Name, "secrets") }
	switch {
	case n.Kind == ExprCall && n.Name == "tojson" && len(n.Args) == 1 && secrets(n.Args[0]):
		report(Flaw{
			Rule: "overprovisioned-secrets", Place: p.place(at(n.Span)), Scope: t.Scope(),
			Message: "all secrets are handed over as one text; whoever reads it has them all.",
		})
		return false
	case n.Kind == ExprIndex && secrets(n.Args[0]) && n.Args[1].Kind != ExprLiteral:
		report(Flaw{
			Rule: "overprovisioned-secrets", Place: p.place(at(n.Span)), Scope: t.Scope(), Severity: penstock.Low,
			Message: "which secret this is, is known only when it runs, so the runner is given all of them.",
		})
	case n.Kind == ExprCall && n.Name == "fromjson" && len(n.Args) == 1:
		if path, ok := pathOf(n.Args[0]); ok && strings.HasPrefix(path, "secrets.") {
			report(Flaw{
				Rule: "unredacted-secret", Place: p.place(at(n.Span)), Scope: t.Scope(),
				Message: "a secret is taken apart, and logs hide only the whole: what is taken out is shown as it is.",
			})
			return false
		}
	}
	return true
}

// constant reports whether a text is the same in every run.
func constant(t Text) bool {
	for _, part := range t.Parts {
		if e, err := ParseExpression(t.Source(part)); err != nil || e.Root.Kind != ExprLiteral {
			return false
		}
	}
	return true
}

// outsideEnvironment reports a job that uses secrets and belongs to no environment.
func outsideEnvironment(p *Pipeline, j *Job, report func(Flaw)) {
	if j.Environment.Get().Name.IsSet() || j.Uses.Kind != UseNone {
		return
	}
	var first penstock.Span
	names := map[string]bool{}
	look := func(t *Text) {
		for _, part := range t.Parts {
			if !holds(t.Source(part), "secrets") {
				continue
			}
			e, err := ParseExpression(t.Source(part))
			if err != nil {
				continue
			}
			for _, path := range e.Paths() {
				name, ok := strings.CutPrefix(path.Name, "secrets.")
				if !ok || name == "github_token" || name == "*" {
					continue
				}
				if len(names) == 0 {
					first = t.At(part.Inner+int(path.Span.Start), part.Inner+int(path.Span.End))
				}
				names[name] = true
			}
		}
	}
	w := textWalk{yield: func(t textAt) bool { look(t.Text); return true }}
	w.job(j)
	for s := range jobSteps(p, j) {
		w.step(s)
	}
	if len(names) > 0 {
		report(Flaw{
			Rule: "secrets-outside-environment", Place: p.place(first), Scope: jobScope(j),
			Message: fmt.Sprintf("the job uses %d %s of the repository; an environment could ask for approval, or admit certain branches alone.", len(names), plural(len(names), "secret", "secrets")),
		})
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// persisted reports checkouts that leave their token on the disk, and uploads that
// take it along.
func persisted(x *Project, p *Pipeline, report func(Flaw)) {
	lists := [][]Step{}
	for i := range p.Jobs {
		lists = append(lists, p.Jobs[i].Steps)
	}
	if p.Action != nil {
		lists = append(lists, p.Action.Steps)
	}
	for i, list := range lists {
		var job *Job
		if i < len(p.Jobs) {
			job = &p.Jobs[i]
		}
		var open []stepAt
		var written []secretFile
		pushes := false
		eachStep(p, job, list, func(s stepAt) bool {
			u := s.Step.Uses
			if u.Kind == UseRemote && strings.EqualFold(u.Owner+"/"+u.Repo, "actions/checkout") {
				if keep := s.Step.With.Get("persist-credentials"); s.Step.With.Kind != DataScalar && !(keep.Kind == DataScalar && (len(keep.Text.Parts) > 0 || strings.EqualFold(keep.Text.Value, "false"))) {
					open = append(open, s)
				}
			}
			pushes = pushes || strings.Contains(s.Step.Run.Value, "git push") || strings.Contains(s.Step.Run.Value, "git fetch") || strings.Contains(s.Step.Run.Value, "git pull") || strings.Contains(s.Step.Run.Value, "git submodule")
			if s.Step.Run.Value != "" {
				written = append(written, x.secretFiles(s)...)
			}
			if sum := LookupAction(u); sum != nil {
				if sum.Has(EffectUpload) {
					x.uploaded(sum, s, written, report)
				}
				pushes = pushes || sum.Has(EffectPush)
				if len(open) > 0 && sum.Has(EffectUpload) {
					if at, whole := wholeWorkspace(sum, s, open[len(open)-1]); whole {
						c := open[len(open)-1]
						report(Flaw{
							Tier: penstock.TierHygiene, Rule: "credentials-in-artifact", Place: p.place(at), Scope: s.Scope(),
							Message: "the artifact takes in the folder .git, in which the checkout left the job's token; whoever may read artifacts can use it while the job runs.",
							Related: []Hop{{Place: p.place(c.Step.Uses.Span), Text: "this checkout leaves the token"}},
						})
					}
				}
			}
			return true
		})
		if pushes {
			continue // git needs the token
		}
		for _, s := range open {
			f := Flaw{
				Rule: "persisted-credentials", Place: p.place(s.Step.Uses.Span), Scope: s.Scope(),
				Message: "the job's token stays on the disk after the checkout, for every later step to read; persist-credentials: false takes it off.",
			}
			if v := VersionOf(s.Step.Uses); v.Known && v.Parts[0] >= 6 {
				f.Severity = penstock.Info
				f.Notes = append(f.Notes, "since version 6 it is kept outside of the workspace, which uploads do not take along")
			}
			report(f)
		}
	}
}

// secretFile is a file that a script writes a secret to.
type secretFile struct {
	path string
	at   Place
}

// secretFiles are the files that a script writes secrets to.
func (x *Project) secretFiles(s stepAt) []secretFile {
	if !strings.Contains(s.Step.Run.Value, ">") && !strings.Contains(s.Step.Run.Value, "tee ") {
		return nil
	}
	var files []secretFile
	for _, f := range x.plain(s).Facts {
		if f.Kind == FactSecret && f.Sink == SecretFile && f.Name != "" && !f.Maybe {
			files = append(files, secretFile{path.Clean(f.Name), s.Pipeline.place(s.Step.Run.At(int(f.Start), int(f.End)))})
		}
	}
	return files
}

// uploaded reports an upload that takes along a file with a secret.
func (x *Project) uploaded(sum *ActionSummary, s stepAt, written []secretFile, report func(Flaw)) {
	for _, e := range sum.Effects {
		d := s.Step.With.Get(e.Argument("path"))
		if e.Kind != EffectUpload || d.Kind != DataScalar {
			continue
		}
		for line := range strings.Lines(d.Text.Value) {
			dir := path.Clean(strings.TrimSuffix(strings.TrimSpace(line), "/**"))
			for _, w := range written {
				if strings.TrimSpace(line) != "" && (w.path == dir || strings.HasPrefix(w.path, dir+"/")) {
					report(Flaw{
						Tier: penstock.TierHygiene, Rule: "credentials-in-artifact", Place: s.Pipeline.place(d.Text.Span), Scope: s.Scope(),
						Message: "the artifact takes along a file that holds a secret; whoever may read artifacts has it.",
						Related: []Hop{{Place: w.at, Text: "the secret is written here"}},
					})
					return
				}
			}
		}
	}
}

// wholeWorkspace reports whether an upload takes in the folder that a checkout made,
// with its .git.
func wholeWorkspace(sum *ActionSummary, s, checkout stepAt) (penstock.Span, bool) {
	if v := VersionOf(checkout.Step.Uses); v.Known && v.Parts[0] >= 6 {
		return penstock.Span{}, false
	}
	dir := strings.Trim(checkout.Step.With.Get("path").Text.Value, "./")
	for _, e := range sum.Effects {
		if e.Kind != EffectUpload {
			continue
		}
		d := s.Step.With.Get(e.Argument("path"))
		if d.Kind != DataScalar {
			continue
		}
		// Since 4.4 hidden files are left out unless they are asked for.
		if v := VersionOf(s.Step.Uses); strings.EqualFold(sum.Name, "actions/upload-artifact") && v.Known && !v.In("<4.4") && !strings.EqualFold(s.Step.With.Get("include-hidden-files").Text.Value, "true") {
			continue
		}
		for line := range strings.Lines(d.Text.Value) {
			line = strings.TrimSpace(line)
			switch strings.TrimSuffix(line, "/") {
			case ".", "", "${{ github.workspace }}", "..", "./":
				if line != "" {
					return d.Text.Span, true
				}
			}
			if dir != "" && strings.Trim(line, "./") == dir {
				return d.Text.Span, true
			}
		}
	}
	return penstock.Span{}, false
}

// eachEnv calls do with every map of environment variables.
func (x *Project) eachEnv(p *Pipeline, do func(d *Data, scope string)) {
	do(&p.Env, "")
	for i := range p.Jobs {
		j := &p.Jobs[i]
		do(&j.Env, jobScope(j))
		if j.Container.Has() {
			do(&j.Container.Get().Env, jobScope(j))
		}
	}
	if p.Action != nil {
		do(&p.Action.Env, "")
	}
	for s := range p.steps() {
		if s.Step.Env.Kind != DataNone {
			do(&s.Step.Env, s.Scope())
		}
	}
}

// variable looks at one environment variable that is written in the file.
func variable(p *Pipeline, f *Field, scope string, report func(Flaw)) {
	if f.Value.Kind != DataScalar {
		return
	}
	value := f.Value.Text.Value
	at := p.place(penstock.Span{Start: f.Name.Span.Start, End: f.Value.Text.Span.End})
	if p.Forge == Azure {
		at = p.place(f.Value.Text.Span) // the name may stand on a line of its own
	}
	on := strings.EqualFold(value, "true") || value == "1"
	switch name := strings.ToUpper(f.Name.Value); {
	case (name == "ACTIONS_RUNNER_DEBUG" || name == "ACTIONS_STEP_DEBUG" || name == "CI_DEBUG_TRACE" || name == "CI_DEBUG_SERVICES" || name == "SYSTEM.DEBUG" || name == "SYSTEM_DEBUG") && on:
		report(Flaw{
			Rule: "debug-enabled", Place: at, Scope: scope,
			Message: "debug logs hold more than others, values that no mask covers among it, and everyone who can read logs can read them.",
		})
	case name == "ACTIONS_ALLOW_UNSECURE_COMMANDS" && on:
		report(Flaw{
			Tier: penstock.TierHygiene, Rule: "insecure-commands", Place: at, Scope: scope,
			Message: "whatever prints a line to the log, a file name or a test's output, can set variables and paths for later steps.",
		})
	case name == "ACTIONS_ALLOW_USE_UNSECURE_NODE_VERSION" && on:
		report(Flaw{Rule: "deprecated-runtime", Place: at, Scope: scope, Message: "this keeps a runtime in use that gets no repairs any more."})
	case secretName(name) && wholePath(f.Value.Text, "vars."):
		report(Flaw{
			Tier: penstock.TierHygiene, Rule: "plain-variable-secret", Place: at, Scope: scope,
			Message: fmt.Sprintf("%s looks like a credential, and variables are shown in logs and to everyone who can read the repository's settings.", clip(f.Name.Value)),
		})
	case alias(name, f.Value.Text) != "":
		report(Flaw{
			Rule: "env-alias", Place: at, Scope: scope,
			Message: fmt.Sprintf("the runner sets %s to the same; a name more makes it harder to follow what is used.", alias(name, f.Value.Text)),
		})
	case secretName(name) && len(f.Value.Text.Parts) == 0 && secretValue(value):
		report(Flaw{
			Tier: penstock.TierHygiene, Rule: "plain-variable-secret", Place: at, Scope: scope,
			Message: fmt.Sprintf("%s looks like a credential and stands in the file, for everyone who can read it.", clip(f.Name.Value)),
		})
	}
}

// wholePath reports whether a text is one expression that is a context of this prefix.
func wholePath(t Text, prefix string) bool {
	if len(t.Parts) != 1 || t.Parts[0].From != 0 || t.Parts[0].To != len(t.Value) {
		return false
	}
	source := t.Source(t.Parts[0])
	if !holds(source, strings.TrimSuffix(prefix, ".")) {
		return false
	}
	e, err := ParseExpression(source)
	if err != nil {
		return false
	}
	path, ok := pathOf(e.Root)
	return ok && strings.HasPrefix(path, prefix)
}

// alias is the variable of the runner that holds what a variable of the definition is
// set to, empty without one.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables
func alias(name string, t Text) string {
	if !wholePath(t, "github.") {
		return ""
	}
	e, _ := ParseExpression(t.Source(t.Parts[0]))
	path, _ := pathOf(e.Root)
	member := strings.TrimPrefix(path, "github.")
	switch member {
	case "actor", "actor_id", "base_ref", "event_name", "head_ref", "job", "ref", "ref_name", "ref_type", "repository", "repository_id",
		"repository_owner", "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow", "workflow_ref", "workflow_sha", "workspace", "api_url":
		if standard := "GITHUB_" + strings.ToUpper(member); standard != name {
			return standard
		}
	}
	return ""
}

// secretName reports whether a variable of that name, in capitals, holds a credential.
func secretName(name string) bool {
	for _, test := range []string{"POSTGRES", "MYSQL", "MARIADB", "PGPASSWORD", "REDIS", "MONGO", "DATABASE", "TEST", "EXAMPLE", "DUMMY", "FAKE", "PUBLIC", "MSSQL", "SA_PASSWORD", "RABBITMQ", "ELASTIC"} {
		if strings.Contains(name, test) {
			return false
		}
	}
	for _, end := range []string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "SECRET_KEY", "ACCESS_KEY"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// secretValue reports whether a literal may be a real credential: long, of several
// kinds of characters, and no path, address or word.
func secretValue(v string) bool {
	if len(v) < 12 || strings.ContainsAny(v, " $/<>{}*\n") || strings.Contains(v, "xxx") || strings.Contains(v, "...") {
		return false
	}
	lower := strings.ToLower(v)
	for _, word := range []string{"test", "example", "dummy", "fake", "change", "password", "secret", "token", "placeholder", "sample", "your", "postgres", "root", "admin", "localhost"} {
		if strings.Contains(lower, word) {
			return false
		}
	}
	return true
}
