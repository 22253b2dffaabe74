package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// auditForges looks at what only GitLab, Azure and Jenkins have. What their models share
// with GitHub's is looked at by the audits of that.
func auditForges(x *Project, p *Pipeline, report func(Flaw)) {
	platform(x, p, report)
	switch p.Forge {
	case GitLab:
		if p.Kind == KindGitLab {
			x.gitlabHygiene(p, report)
		}
	case Azure:
		x.azureHygiene(p, report)
	case Jenkins:
		x.jenkinsHygiene(p, report)
	default:
		return
	}
	x.eachEnv(p, func(d *Data, scope string) {
		for i := range d.Fields {
			variable(p, &d.Fields[i], scope, report)
		}
	})
}

// forgeUses are the images, libraries, includes and templates of a definition.
func (x *Project) forgeUses(p *Pipeline, report func(Flaw)) {
	seen := make(map[penstock.Span]bool)
	look := func(c *Container, scope string) {
		t := c.Image
		if !t.IsSet() || seen[t.Span] {
			return
		}
		seen[t.Span] = true
		if int64(len(p.Source)) > c.Span.Start && len(p.Files) == 0 && strings.HasPrefix(string(p.Source[c.Span.Start:min(int64(len(p.Source)), c.Span.Start+20)]), "docker.build") {
			return // it is made here
		}
		if strings.Contains(t.Value, "$") {
			privileged(p, c, scope, report)
		} else {
			image(p, nil, c, scope, report)
		}
	}
	service := func(c *Container, scope string) {
		if t := c.Image; !seen[t.Span] && strings.Contains(t.Value, "dind") {
			report(Flaw{
				Rule: "privileged-container", Place: p.place(t.Span), Scope: scope,
				Message: "Docker in Docker wants a privileged runner: code in such a job gets at the host, and at what other jobs do on it.",
			})
		}
		look(c, scope)
	}
	if d := p.Default; d != nil {
		look(d.Container.Get(), "")
		for i := range d.Services {
			service(&d.Services[i].Container, "")
		}
	}
	for i := range p.Resources {
		look(&p.Resources[i].Container, "")
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.Container.Has() {
			look(j.Container.Get(), jobScope(j))
		}
		for k := range j.Services {
			service(&j.Services[k].Container, jobScope(j))
		}
		for k := range j.Steps {
			if c := j.Steps[k].Container; c != nil {
				look(c, jobScope(j))
			}
		}
	}
	for i := range p.Templates {
		j := &p.Templates[i]
		if j.Container.Has() {
			look(j.Container.Get(), jobScope(j))
		}
		for k := range j.Services {
			service(&j.Services[k].Container, jobScope(j))
		}
	}
	x.includes(p, report)
	x.azureTemplates(p, report)
	for _, u := range p.Libraries {
		library(p, u, report)
	}
}

// includes are the files of others that a pipeline of GitLab is made of.
func (x *Project) includes(p *Pipeline, report func(Flaw)) {
	seen := make(map[penstock.Span]bool)
	all := p.Includes
	for i := range p.Jobs {
		if d := p.Jobs[i].Downstream; d != nil {
			all = append(slices.Clip(all), d.Includes...)
		}
	}
	for i := range all {
		in := &all[i]
		if seen[in.Span] {
			continue
		}
		at := in.Text.Span
		ref, kind := in.Ref, in.RefKind
		if in.Version.IsSet() {
			at = in.Version.Span
		}
		flaw := func(rule string, tier penstock.Tier, severity penstock.Severity, message string) {
			seen[in.Span] = true
			report(Flaw{Rule: rule, Tier: tier, Severity: severity, Place: p.place(at), Message: message})
		}
		switch {
		case in.Kind == UseURL:
			switch {
			case strings.HasPrefix(strings.ToLower(in.Path), "http://"):
				flaw("remote-include-insecure", penstock.TierExploitable, penstock.SeverityUnset, "the file comes without transport security: anyone on the way decides what the jobs run.")
			case !in.Integrity.IsSet():
				flaw("remote-include-insecure", penstock.TierHygiene, penstock.Medium, "the file is what the server sends today; integrity would hold it to what was meant.")
			}
		case in.Found == "" && (in.Kind == UseExpression || strings.Contains(in.Text.Value, "$")) && x.chosenInclude(p, in):
			at = in.Text.Span
			flaw("expression-in-uses", penstock.TierHygiene, penstock.SeverityUnset, "a variable says which file becomes a part of the pipeline.")
		case in.Kind != UseRemote && !in.Project.IsSet():
		case strings.Contains(in.Project.Value, "$CI_PROJECT_PATH") || strings.Contains(in.Project.Value, "${CI_PROJECT_PATH"):
			// its own project
		case kind == RefExpression:
			name := strings.Trim(strings.TrimSpace(ref), "${}")
			if v := p.Env.Get(name); v.Kind == DataScalar && !strings.Contains(v.Text.Value, "$") {
				if !IsCommit(v.Text.Value) {
					flaw("unpinned-include", "", penstock.SeverityUnset, "the ref that the variable names can move, and with it what the jobs run.")
				}
				continue
			}
			if strings.Contains(name, "CI_COMMIT_SHA") || strings.Contains(ref, "$[[") {
				continue
			}
			message := "the ref of this include is known only when the pipeline is made"
			if c, ok := GitLabControlOf(name, ""); ok && c.Shape == ShapeRef {
				message += ": whoever may push a branch of that name to the other project chooses what runs"
			}
			flaw("expression-in-uses", penstock.TierHygiene, penstock.SeverityUnset, message+".")
		case kind == RefCommit:
		case kind == RefNone:
			flaw("unpinned-include", "", penstock.SeverityUnset, "without a ref it is whatever the default branch of the other project holds.")
		default:
			severity := penstock.SeverityUnset
			if fullVersion(ref) {
				severity = penstock.Low
			}
			flaw("unpinned-include", "", severity, fmt.Sprintf("%s can move, and with it what the jobs run; a commit cannot.", clip(ref)))
		}
	}
}

// chosenInclude reports whether a variable that is neither the server's nor constant in
// the file names what is included.
func (x *Project) chosenInclude(p *Pipeline, in *Include) bool {
	for _, m := range gitlabReference.FindAllStringSubmatch(in.Text.Value+" "+in.Project.Value, 10) {
		if name := m[1]; !strings.HasPrefix(name, "CI_SERVER_") && !strings.HasPrefix(name, "CI_TEMPLATE_") && !strings.HasPrefix(name, "CI_PROJECT_") && name != "CI_COMMIT_SHA" &&
			name != "CI_API_V4_URL" && p.Env.Get(name).Kind == DataNone {
			return true
		}
	}
	return false
}

// fullVersion reports whether a ref is a version of three numbers, which seldom moves.
func fullVersion(ref string) bool {
	parts := strings.Split(strings.TrimPrefix(ref, "v"), ".")
	return len(parts) == 3 && strings.Trim(strings.Join(parts, ""), "0123456789") == ""
}

// azureTemplates are the repositories that templates of a pipeline of Azure come from.
func (x *Project) azureTemplates(p *Pipeline, report func(Flaw)) {
	for i := range p.Resources {
		r := &p.Resources[i]
		if r.Kind != "repository" || r.Uses.Kind != UseRemote || r.Name.Value == "" || !strings.Contains(string(p.Source), "@"+r.Name.Value) {
			continue
		}
		at := r.Uses.Span
		if r.RefAt.End > 0 {
			at = r.RefAt
		}
		f := Flaw{Rule: "unpinned-include", Place: p.place(at)}
		switch r.Uses.RefKind {
		case RefCommit:
			continue
		case RefExpression:
			f.Rule, f.Tier, f.Message = "expression-in-uses", penstock.TierHygiene, "which version of the templates is used is known only when the pipeline is made."
		case RefNone:
			f.Message = "without a ref the templates are whatever the default branch holds."
		default:
			f.Message = fmt.Sprintf("%s can move, and with it what the templates run; a commit cannot.", clip(r.Uses.Ref))
		}
		report(f)
	}
}

// library is a shared library of Jenkins.
func library(p *Pipeline, u Use, report func(Flaw)) {
	f := Flaw{Rule: "unpinned-include", Place: p.place(u.Span), Message: fmt.Sprintf("%s can move, and with it code that runs as a part of the pipeline; a commit cannot.", clip(u.Ref))}
	switch {
	case u.Kind == UseExpression || u.RefKind == RefExpression:
		f.Rule, f.Tier, f.Message = "expression-in-uses", penstock.TierHygiene, "which library, or which version of it, runs here is known only at run time."
	case u.RefKind == RefCommit:
		return
	case fullVersion(u.Ref):
		f.Severity = penstock.Low
	case u.RefKind == RefNone:
		f.Severity, f.Message = penstock.Low, "without a version it is whatever the settings of the server name, mostly a branch."
	}
	report(f)
}

// Credentials that stand in a command.
var loginWords = regexp.MustCompile(`(?:\b(?:docker|podman|buildah|nerdctl|skopeo|crane|oras|regctl|helm registry|az acr|az|cf|argocd|oc)\b[^\n;|&]{0,200}?\blogin\b[^\n;|&]{0,200}?[ \t](?:-p|--password)[ =]|\bsshpass[ \t]+-p[ \t]*)("[^"$\n]+"|'[^'$\n]+'|[^\s"'$<({-][^\s"'$<({;|&]*)`)

// logins reports passwords that are written into a command.
func logins(p *Pipeline, t Text, scope string, report func(Flaw)) {
	if !strings.Contains(t.Value, "login") && !strings.Contains(t.Value, "sshpass") {
		return
	}
	for _, m := range loginWords.FindAllStringSubmatchIndex(t.Value, 10) {
		word := strings.Trim(t.Value[m[2]:m[3]], `"'`)
		if len(word) < 3 || strings.ContainsAny(word, "<>*%`") || strings.Contains(strings.ToLower(word), "xxx") || strings.Contains(word, "your") ||
			slices.ContainsFunc(t.Parts, func(i Interpolation) bool { return i.From < m[3] && i.To > m[2] }) {
			continue
		}
		report(Flaw{
			Rule: "hardcoded-credentials", Tier: penstock.TierHygiene, Place: p.place(t.At(m[2], m[3])), Scope: scope,
			Message: "the password stands in the file, for everyone who can read it.",
		})
	}
}

// intoArtifact reports a secret that is written to a file which the job leaves to others.
func intoArtifact(f ShellFact, at Place, s stepAt, report func(Flaw)) {
	if f.Sink != SecretFile || s.Job == nil || f.Maybe {
		return
	}
	file := strings.TrimPrefix(f.Name, "./")
	for _, a := range s.Job.Artifacts {
		for _, t := range a.Paths {
			dir := strings.TrimSuffix(strings.TrimPrefix(t.Value, "./"), "/")
			if dir != "" && !strings.Contains(dir, "$") && (file == dir || strings.HasPrefix(file, dir+"/")) {
				report(Flaw{
					Rule: "credentials-in-artifact", Tier: penstock.TierHygiene, Place: at, Scope: s.Scope(),
					Message: "a credential is written to a file that the job leaves as an artifact, for everyone who may download it.",
					Related: []Hop{{Place: s.Pipeline.place(t.Span), Text: "this takes the file in"}},
				})
				return
			}
		}
	}
}

// forgeInput adds what a forge says of a script: its syntaxes, and which variables are
// credentials.
func (x *Project) forgeInput(s stepAt, in *ShellInput) {
	p := s.Pipeline
	in.Templates = p.templates()
	secret := func(name string) {
		in.Vars[name] = ShellSource{Labels: ShellSecret, Text: "the credential " + clip(name)}
	}
	switch p.Forge {
	case GitLab:
		if s.Job != nil {
			for _, name := range x.gitlabReads(p, s.Job) {
				secret(name)
			}
		}
	case Azure:
		in.Macros = x.macros(p)
		for _, f := range s.Step.Env.Fields {
			if v := f.Value.Text; strings.Contains(v.Value, "$(") && (secretName(strings.ToUpper(f.Name.Value)) || holds(v.Value, "System.AccessToken")) {
				secret(f.Name.Value)
			}
		}
	case Jenkins:
		in.Parts = s.Step.Run.Parts
		all := s.Step.Credentials
		if s.Job != nil {
			all = append(slices.Clip(all), s.Job.Credentials...)
		}
		for _, c := range all {
			for _, v := range c.Variables {
				if c.secret(v.Value) {
					secret(v.Value)
				}
			}
		}
	}
}

// secret reports whether a variable of the credential holds the secret itself, and not a
// file's name or a user's.
func (c Credential) secret(variable string) bool {
	switch c.Kind {
	case "file", "zip", "sshUserPrivateKey", "certificate", "dockerCert", "sshagent", "kubeconfigFile", "kubeconfigContent":
		return false
	}
	upper := strings.ToUpper(variable)
	return !strings.HasSuffix(upper, "_USR") && !strings.Contains(upper, "USER") && !strings.HasSuffix(upper, "_ID") && !strings.HasSuffix(upper, "LOGIN")
}

// macros are the variables of a pipeline of Azure.
func (x *Project) macros(p *Pipeline) map[string]bool {
	m, ok := x.ways.macros[p]
	if !ok {
		m = AzureVariables(p)
		if x.ways.macros == nil {
			x.ways.macros = make(map[*Pipeline]map[string]bool)
		}
		x.ways.macros[p] = m
	}
	return m
}

func (x *Project) gitlabHygiene(p *Pipeline, report func(Flaw)) {
	set := &x.Settings.GitLab
	merge := p.GitLabRun(GitLabSituation{Source: "merge_request_event", Actor: ActorWriter})
	branch := p.GitLabRun(GitLabSituation{Source: "push", Actor: ActorWriter, OnDefault: False})
	manual := []*GitLabRun{p.GitLabRun(GitLabSituation{Source: "web"}), p.GitLabRun(GitLabSituation{Source: "trigger"})}
	always := func(t Text, scope string) {
		if e, err := ParseGitLabExpression(t.Value); err == nil {
			if trap, ok := e.AlwaysTrue(); ok {
				report(Flaw{
					Rule: "always-true-condition", Tier: penstock.TierHygiene, Place: p.place(t.At(int(trap.Span.Start), int(trap.Span.End))), Scope: scope,
					Message: "This condition is always true: " + trap.Reason + ".",
				})
			}
		}
	}
	for i := range p.Rules {
		if p.Rules[i].If.IsSet() {
			always(p.Rules[i].If, "")
		}
	}
	seen := make(map[penstock.Span]bool)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		scope := jobScope(j)
		for k := range j.Rules {
			if r := &j.Rules[k]; r.If.IsSet() && !seen[r.If.Span] {
				seen[r.If.Span] = true
				always(r.If, scope)
			}
		}
		inMerge := merge.Job(j).Runs == True && p.Trigger("merge_request_event") != nil
		for _, t := range j.Tokens {
			if inMerge && j.Environment.Get().Name.Value == "" && !seen[t.Name.Span] {
				seen[t.Name.Span] = true
				report(Flaw{
					Rule: "oidc-too-broad", Tier: penstock.TierHygiene, Place: p.place(t.Name.Span), Scope: scope,
					Message: "every merge request gets this identity token; who trusts it must ask for protected refs, or the job for an environment.",
				})
			}
		}
		x.otherProject(p, j, report)
		x.gitlabCaches(p, j, inMerge, merge, report)
		name := j.Environment.Get().Name
		if env, ok := set.Environments[name.Value]; ok && name.Value != "" && !env.Reviewers && len(env.Branches) == 0 && branch.Job(j).Runs != False {
			report(Flaw{
				Rule: "unprotected-environment", Tier: penstock.TierHygiene, Place: p.place(name.Span), Scope: scope,
				Message: "nothing protects the environment " + clip(name.Value) + ": every branch deploys to it.",
			})
		}
		if at := strings.IndexByte(name.Value, '$'); at >= 0 {
			for _, m := range gitlabReference.FindAllStringSubmatch(name.Value, 5) {
				started := slices.ContainsFunc(manual, func(r *GitLabRun) bool { return r.Job(j).Runs != False })
				explicit := j.RulesSpan.End > 0 && merge.Job(j).Runs == False && branch.Job(j).Runs == False
				if started && explicit && !strings.HasPrefix(m[1], "CI_") && p.Env.Get(m[1]).Kind == DataNone && j.Env.Get(m[1]).Kind == DataNone {
					report(Flaw{
						Rule: "dispatch-environment-input", Tier: penstock.TierHygiene, Place: p.place(name.Span), Scope: scope,
						Message: "whoever starts the pipeline names the environment by the variable " + clip(m[1]) + ", and gets its variables.",
					})
					break
				}
			}
		}
		for _, l := range j.RunsOn.Labels {
			if _, own := set.Runners[l.Value]; own && !seen[l.Span] {
				seen[l.Span] = true
				ownRunner(p, j, l.Span, report)
			}
		}
	}
}

// otherProject reports code that comes as an artifact of another project's job.
func (x *Project) otherProject(p *Pipeline, j *Job, report func(Flaw)) {
	foreign := func(j *Job) bool {
		return slices.ContainsFunc(j.Downloads, func(d Download) bool { return d.Project.IsSet() && d.Artifacts.Value != "false" })
	}
	if foreign(j) {
		for s := range jobSteps(p, j) {
			if s.Step.Run.Value == "" {
				continue
			}
			for _, f := range AnalyseScript(s.Step.Run.Value, s.Step.Run.Shell.Get().Value, ShellInput{Templates: p.templates()}).Facts {
				if f.Kind == FactExecute && f.Name != "" && !f.Maybe {
					report(Flaw{
						Rule: "artifact-poisoning", Tier: penstock.TierHygiene, Place: p.place(s.Step.Run.At(int(f.Start), int(f.End))), Scope: s.Scope(),
						Message: "the job has files of another project's job, and runs " + clip(f.Name) + ": whoever writes there may write what runs here.",
					})
					break
				}
			}
		}
	}
	if d := j.Downstream; d != nil {
		for i := range d.Includes {
			in := &d.Includes[i]
			if from := x.jobOf(p, in.Job.Value); in.Kind == UseArtifact && from != nil && foreign(from) {
				report(Flaw{
					Rule: "artifact-poisoning", Tier: penstock.TierHygiene, Place: p.place(in.Text.Span), Scope: jobScope(j),
					Message: "the definition of the child pipeline comes out of a job that has files of another project.",
				})
			}
		}
	}
}

// gitlabCaches reports caches that merge requests write and other pipelines restore,
// where the server keeps them in one place.
func (x *Project) gitlabCaches(p *Pipeline, j *Job, inMerge bool, merge *GitLabRun, report func(Flaw)) {
	scope, row := x.View(GitLab).CacheScope("")
	if !inMerge {
		return
	}
	for i := range j.Caches {
		c := &j.Caches[i]
		shared := scope == "shared" || c.Unprotect.Value == "true"
		if !shared || c.Policy.Value == "pull" || strings.Contains(c.Key.Value, "$") || len(c.KeyFiles) > 0 {
			continue
		}
		for k := range p.Jobs {
			o := &p.Jobs[k]
			if o == j || merge.Job(o).Runs != False {
				continue
			}
			for n := range o.Caches {
				d := &o.Caches[n]
				if d.Key.Value != c.Key.Value || d.Policy.Value == "push" || len(d.KeyFiles) > 0 {
					continue
				}
				at := c.Key.Span
				if at.End == 0 {
					at = c.Span
				}
				f := Flaw{
					Rule: "cache-poisoning", Tier: penstock.TierHygiene, Place: p.place(at), Scope: jobScope(j),
					Message: "merge requests write this cache, and " + jobScope(o) + ", which is not for them, restores it.",
					Related: []Hop{{Place: p.place(cmpSpan(d.Key.Span, d.Span, o.ID.Span)), Text: "this restores it", Row: &row}},
				}
				if x.Settings.GitLab.ForkPipelines == "parent" {
					f.Tier = penstock.TierExploitable
				}
				report(f)
				return
			}
		}
	}
}

func (x *Project) azureHygiene(p *Pipeline, report func(Flaw)) {
	always := func(t Text, scope string) {
		c, err := ParseAzureCondition(t.Value)
		if err != nil || c.Expression.Root == nil || c.Expression.Root.Kind == ExprLiteral || c.Expression.Root.Kind == ExprCall && c.Expression.Root.Name == "always" {
			return
		}
		if c.Evaluate(nil).Truth() == True {
			report(Flaw{
				Rule: "always-true-condition", Tier: penstock.TierHygiene, Place: p.place(t.Span), Scope: scope,
				Message: "This condition is always true, whatever the variables hold.",
			})
		}
	}
	seen := make(map[penstock.Span]bool)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		scope := jobScope(j)
		for _, t := range []Text{*j.StageIf.Get(), j.If} {
			if t.IsSet() && !seen[t.Span] {
				seen[t.Span] = true
				always(t, scope)
			}
		}
		if hosted, known := AzureHosted(j); known && !hosted && !seen[j.RunsOn.Group.Span] {
			seen[j.RunsOn.Group.Span] = true
			ownRunner(p, j, j.RunsOn.Group.Span, report)
		}
		for _, l := range j.RunsOn.Labels {
			if !seen[l.Span] {
				seen[l.Span] = true
				azureRetiredImage(x, p, j, l, report)
			}
		}
		x.azureSteps(p, j, report)
		for k := range j.Steps {
			if t := j.Steps[k].If; t.IsSet() && !seen[t.Span] {
				seen[t.Span] = true
				always(t, fmt.Sprintf("%s, step %d", scope, k+1))
			}
		}
	}
}

// azureSteps looks at the checkouts of a job, and at secrets in the text of its scripts.
func (x *Project) azureSteps(p *Pipeline, j *Job, report func(Flaw)) {
	var kept []stepAt
	pushes := false
	defined := x.macros(p)
	for s := range jobSteps(p, j) {
		st := s.Step
		if st.Uses.Kind == UseBuiltin && st.Uses.Name == "checkout" && strings.EqualFold(st.With.Get("persistCredentials").Text.Value, "true") {
			kept = append(kept, s)
		}
		for _, word := range []string{"git push", "git fetch", "git pull", "git submodule", "git clone", "lerna", "semantic-release", "gitversion", "extraheader"} {
			pushes = pushes || holds(st.Run.Value, word) || st.Uses.Kind == UseTask && holds(st.Uses.Name, strings.TrimPrefix(word, "git "))
		}
		if len(kept) > 0 {
			if at, ok := azureWholeUpload(st); ok {
				report(Flaw{
					Rule: "credentials-in-artifact", Tier: penstock.TierHygiene, Place: p.place(at), Scope: s.Scope(),
					Message: "the artifact takes in the folder .git, in which the checkout left the job's token.",
					Related: []Hop{{Place: p.place(kept[0].Step.With.Get("persistCredentials").Span), Text: "this leaves the token"}},
				})
			}
		}
		for _, part := range st.Run.Parts {
			name := strings.TrimSpace(st.Run.Source(part))
			if !strings.HasPrefix(st.Run.Value[part.From:], "$(") {
				continue
			}
			sure := AzureTokenVariable(name) || slices.ContainsFunc(x.Settings.Azure.Secrets, func(v string) bool { return strings.EqualFold(v, name) })
			if may, _ := AzureSecret(name, defined); !may || !sure && !secretName(strings.ToUpper(name)) {
				continue
			}
			f := Flaw{
				Rule: "secret-exposed", Tier: penstock.TierHygiene, Severity: penstock.Low, Place: p.place(part.Span), Scope: s.Scope(),
				Message: clip(name) + " is pasted into the script, which the agent writes to a file, and into the arguments of what it calls; env hands a secret over unseen.",
			}
			if !sure {
				f.Confidence = penstock.ConfidenceLow
			}
			report(f)
		}
	}
	if pushes {
		return
	}
	for _, s := range kept {
		report(Flaw{
			Rule: "persisted-credentials", Place: p.place(s.Step.With.Get("persistCredentials").Span), Scope: s.Scope(),
			Message: "the job's token stays in the configuration of git after the checkout, for every later step to read.",
		})
	}
}

// azureWholeUpload reports whether a step publishes the folder of the sources.
func azureWholeUpload(st *Step) (penstock.Span, bool) {
	var t Text
	switch {
	case st.Uses.Kind == UseBuiltin && (st.Uses.Name == "publish" || st.Uses.Name == "upload"):
		t = st.Uses.Text
	case st.Uses.Kind == UseTask && (strings.EqualFold(st.Uses.Name, "PublishBuildArtifacts") || strings.EqualFold(st.Uses.Name, "PublishPipelineArtifact")):
		for _, name := range []string{"PathtoPublish", "targetPath", "path"} {
			if d := st.With.Get(name); d.Kind == DataScalar {
				t = d.Text
			}
		}
	}
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(t.Value), "/\\")) {
	case "$(build.sourcesdirectory)", "$(system.defaultworkingdirectory)", "$(build.repository.localpath)", ".":
		return t.Span, true
	}
	return penstock.Span{}, false
}

// azureRetired are images of hosted agents that no longer exist, with the day.
// https://learn.microsoft.com/en-us/azure/devops/pipelines/agents/hosted
var azureRetired = []struct {
	image string
	since Date
}{
	{"ubuntu-16.04", "2021-09-20"}, {"ubuntu-18.04", "2023-04-03"}, {"ubuntu-20.04", "2025-04-30"}, {"vs2017-win2016", "2022-04-01"}, {"vs2015-win2012r2", "2020-03-23"},
	{"win1803", "2020-03-23"}, {"macos-10.13", "2020-03-23"}, {"macos-10.14", "2021-12-10"}, {"macos-10.15", "2022-12-01"}, {"macos-11", "2024-06-28"}, {"macos-12", "2024-12-03"},
}

func azureRetiredImage(x *Project, p *Pipeline, j *Job, l Text, report func(Flaw)) {
	for _, r := range azureRetired {
		if strings.EqualFold(l.Value, r.image) && (x.Settings.AsOf == "" || x.Settings.AsOf >= r.since) {
			report(Flaw{
				Rule: "retired-runner", Place: p.place(l.Span), Scope: jobScope(j),
				Message: fmt.Sprintf("hosted agents have not had this image since %s: the job fails.", r.since),
			})
		}
	}
}

// jenkinsHygiene reports credentials that Groovy puts into the text of a script.
// https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#string-interpolation
func (x *Project) jenkinsHygiene(p *Pipeline, report func(Flaw)) {
	var values *JenkinsValues
	seen := make(map[penstock.Span]bool)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		for k := range j.Steps {
			st := &j.Steps[k]
			if !st.Run.IsSet() || len(st.Run.Parts) == 0 || len(j.Credentials)+len(st.Credentials) == 0 {
				continue
			}
			if values == nil {
				values = NewJenkinsValues(p)
			}
			for _, part := range st.Run.Parts {
				if seen[part.Span] {
					continue
				}
				for _, o := range values.Origins(i, k, st.Run.Source(part)) {
					if o.Credential == nil || !o.Credential.secret(strings.TrimPrefix(o.Path, "env.")) {
						continue
					}
					seen[part.Span] = true
					report(Flaw{
						Rule: "secret-exposed", Tier: penstock.TierHygiene, Severity: penstock.Medium, Place: p.place(part.Span), Scope: fmt.Sprintf("%s, step %d", jobScope(j), k+1),
						Message: "Groovy puts the secret into the text of the script, where the list of processes shows it and its characters are read by the shell; in single quotes the shell takes it from the environment.",
						Related: []Hop{{Place: p.place(o.Credential.Span), Text: "the credentials"}},
					})
					break
				}
			}
		}
		for _, l := range j.RunsOn.Labels {
			if _, own := x.Settings.Jenkins.Agents[l.Value]; own && x.Settings.Jenkins.Agents[l.Value] == RunnerPersistent && !seen[l.Span] {
				seen[l.Span] = true
				ownRunner(p, j, l.Span, report)
			}
		}
	}
}

// platformFlaw is a flaw of a forge's server by which others run pipelines or take over
// accounts.
type platformFlaw struct {
	forge Forge
	id    string
	// since and before bound the versions: before is the first of which every release is
	// repaired; fixed are the releases that repaired older ones.
	since, before Version
	fixed, what   string
}

// platformFlaws are from the vendors' notes on security releases, as of 2026-11.
var platformFlaws = []platformFlaw{
	{GitLab, "CVE-2023-5009", Version{13, 12}, Version{16, 4}, "16.2.7 and 16.3.4", "runs pipelines as any user by scan policies"},
	{GitLab, "CVE-2023-7028", Version{16, 1}, Version{16, 8}, "16.5.6, 16.6.4 and 16.7.2", "takes over accounts by resetting their passwords"},
	{GitLab, "CVE-2024-5655", Version{15, 8}, Version{17, 2}, "16.11.5, 17.0.3 and 17.1.1", "runs pipelines as another user"},
	{GitLab, "CVE-2024-6385", Version{15, 8}, Version{17, 2}, "16.11.6, 17.0.4 and 17.1.2", "runs pipelines as another user"},
	{GitLab, "CVE-2024-6678", Version{8, 14}, Version{17, 4}, "17.1.7, 17.2.5 and 17.3.2", "runs pipelines as any user"},
	{GitLab, "CVE-2024-9164", Version{12, 5}, Version{17, 5}, "17.2.9, 17.3.5 and 17.4.2", "runs pipelines on any branch"},
	{GitHub, "CVE-2024-4985", Version{}, Version{3, 13}, "3.9.15, 3.10.12, 3.11.10 and 3.12.4", "signs in as anyone where SAML assertions are encrypted"},
	{GitHub, "CVE-2024-6800", Version{}, Version{3, 14}, "3.10.16, 3.11.14, 3.12.8 and 3.13.3", "signs in as anyone by a forged SAML response"},
	{GitHub, "CVE-2024-9487", Version{}, Version{3, 15}, "3.11.16, 3.12.10, 3.13.5 and 3.14.2", "signs in as anyone where SAML assertions are encrypted"},
}

// platform reports a version of the server that is known to be vulnerable, once.
func platform(x *Project, p *Pipeline, report func(Flaw)) {
	v := x.Settings.Forge
	if v.Server == (Version{}) || v.Name != string(p.Forge) || len(p.Jobs) == 0 {
		return
	}
	for _, o := range x.Pipelines {
		if o.Forge == p.Forge && len(o.Jobs) > 0 {
			if o != p {
				return
			}
			break
		}
	}
	f := Flaw{Rule: "vulnerable-platform", Place: p.place(p.Jobs[0].ID.Span)}
	var what []string
	for _, k := range platformFlaws {
		if k.forge == p.Forge && v.Server.compare(k.since) >= 0 && v.Server.compare(k.before) < 0 {
			what = append(what, k.id)
			f.Notes = append(f.Notes, fmt.Sprintf("%s: whoever uses it %s; repaired in %s", k.id, k.what, k.fixed))
		}
	}
	if len(what) == 0 {
		return
	}
	f.Message = fmt.Sprintf("version %s of the server has %s, unless its patch release is a later one.", v.Server, strings.Join(what, ", "))
	report(f)
}
