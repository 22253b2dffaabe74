package pipeline

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Prizes are what code that runs in a job by an entry can get at, the best first. For
// a run of the stranger's own definition it is what the forge gives such a run.
func (x *Project) Prizes(p *Pipeline, e *Entry, j *Job) []Prize {
	var all []Prize
	switch p.Forge {
	case GitHub:
		all = x.githubPrizes(p, e, j)
	case GitLab:
		all = x.gitlabPrizes(p, e, j)
	case Azure:
		all = x.azurePrizes(p, e, j)
	case Jenkins:
		all = x.jenkinsPrizes(p, e, j)
	}
	slices.SortStableFunc(all, func(a, b Prize) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// maxPrizes bounds what is named of one job.
const maxPrizes = 64

// scopeWeights are what write access to a scope is worth. Scopes that are missing are
// worth little.
var scopeWeights = map[string]int{
	"contents": 85, "packages": 80, "actions": 70, "attestations": 55, "pages": 60, "deployments": 55, "id-token": 65, "pull-requests": 55,
	"statuses": 52, "checks": 52, "repository-projects": 20, "security-events": 40, "issues": 30, "discussions": 20, "artifact-metadata": 30, "models": 25,
}

// allScopes are those of write-all.
var allScopes = []string{"contents", "packages", "actions", "attestations", "pages", "deployments", "pull-requests", "statuses", "checks", "security-events", "issues", "discussions", "id-token"}

// Access of a job's token to its scopes.
type tokenAccess struct {
	// write are the scopes, with the places that give them.
	write map[string]Place
	// setting: write access depends on a setting that is not known.
	setting bool
	row     *Row
}

// token is what the job's token can do by an entry.
func (x *Project) token(p *Pipeline, e *Entry, j *Job) tokenAccess {
	r := x.rightsOf(e.Event, e.Origin)
	out := tokenAccess{write: make(map[string]Place)}
	perms, path := j.Permissions, p.Path
	if !perms.IsSet() {
		perms = p.Permissions
	}
	var caller *tokenAccess
	if e.caller != nil {
		t := x.token(e.caller.pipeline, e.callerEntry, e.caller.job)
		caller = &t
	}
	limit := r.limit
	if e.Origin == OriginFork && x.Settings.GitHub.ForkWriteToken {
		limit = AccessWrite
	}
	switch {
	case limit == AccessRead:
		out.row = &r.limitRow
		return out
	case !perms.IsSet() && caller != nil:
		return *caller
	case !perms.IsSet():
		access := r.token
		if e.Origin == OriginFork && x.Settings.GitHub.ForkWriteToken && access == AccessRead {
			access = AccessWrite
		}
		if access == AccessSetting && x.Settings.GitHub.DefaultToken != "" {
			access = x.Settings.GitHub.DefaultToken
		}
		out.row = &r.tokenRow
		out.setting = access == AccessSetting
		if access == AccessWrite || access == AccessSetting {
			span := j.ID.Span
			for _, s := range allScopes {
				if s != "id-token" { // never by default
					out.write[s] = Place{path, span}
				}
			}
		}
		return out
	}
	out.row = &r.limitRow
	if perms.All == LevelWrite {
		for _, s := range allScopes {
			out.write[s] = Place{path, perms.Span}
		}
	}
	for _, s := range perms.Scopes {
		if name := strings.ToLower(s.Name.Value); s.Level == LevelWrite && len(out.write) < maxPrizes {
			out.write[name] = Place{path, s.Name.Span}
		}
	}
	if caller != nil {
		// A called workflow cannot have more than its caller.
		for name := range out.write {
			if _, ok := caller.write[name]; !ok {
				delete(out.write, name)
			}
		}
		out.setting = caller.setting
	}
	return out
}

// secretsOf says whether secrets exist for an entry.
func (x *Project) secretsOf(e *Entry) (Reach, *Row) {
	r := x.rightsOf(e.Event, e.Origin)
	if e.Origin == OriginFork && e.Own && x.Settings.GitHub.ForkSecrets {
		return ReachAll, &r.secretsRow
	}
	return r.secrets, &r.secretsRow
}

func (x *Project) githubPrizes(p *Pipeline, e *Entry, j *Job) []Prize {
	r := x.rightsOf(e.Event, e.Origin)
	var all []Prize
	add := func(q Prize) {
		if len(all) < maxPrizes && !slices.ContainsFunc(all, func(o Prize) bool { return o.Kind == q.Kind && o.Name == q.Name && (o.Step == q.Step || o.Step < 0) }) {
			all = append(all, q)
		}
	}
	token := x.token(p, e, j)
	for _, name := range allScopes {
		place, ok := token.write[name]
		if !ok {
			continue
		}
		q := Prize{Place: place, Kind: PrizeWrite, Name: name, Text: "write access to " + name, Step: -1, Row: token.row, Weight: scopeWeights[name], Setting: token.setting}
		switch name {
		case "actions":
			q.Kind, q.Text = PrizeDispatch, "the right to start other workflows"
		case "packages":
			q.Kind, q.Text = PrizePublish, "the right to publish packages"
		case "id-token":
			if !r.identity {
				continue
			}
			q.Kind, q.Text, q.Row = PrizeIdentity, "an identity token of the repository", &r.identityRow
		}
		if token.setting {
			if q.Weight < 60 {
				continue // too little for something that may not be
			}
			q.Text += ", if tokens write by default"
			q.Weight -= settingCost(true)
		}
		add(q)
	}
	_, contents := token.write["contents"]
	if place, pulls := token.write["pull-requests"]; pulls && contents {
		add(Prize{Place: place, Kind: PrizeMerge, Name: "pull-requests", Text: "the right to approve and merge pull requests", Step: -1, Row: token.row, Weight: 82 - settingCost(token.setting), Setting: token.setting})
	}
	reach, secretRow := x.secretsOf(e)
	if reach == ReachAll {
		x.secretPrizes(p, e, j, secretRow, add)
	}
	_, identity := token.write["id-token"]
	worth := reach == ReachAll || len(token.write) > 0
	for i := range j.Steps {
		if worth {
			x.stepPrizes(p, &j.Steps[i], i, identity, reach == ReachAll, add)
		}
	}
	x.runnerPrize(p, e, j, add)
	x.cachePrize(p, e, j, add)
	return all
}

func settingCost(setting bool) int {
	if setting {
		return 10
	}
	return 0
}

// secretRef is a place where a job reads a secret, or all of them.
type secretRef struct {
	place Place
	path  string
	step  int
}

// secretPrizes are the secrets that a job is given.
func (x *Project) secretPrizes(p *Pipeline, e *Entry, j *Job, row *Row, add func(Prize)) {
	refs, known := x.ways.secrets[j]
	if !known {
		refs = x.secretRefs(p, j)
		if x.ways.secrets == nil {
			x.ways.secrets = make(map[*Job][]secretRef)
		}
		x.ways.secrets[j] = refs
	}
	for _, r := range refs {
		if q, ok := x.secretPrize(e, r.path, r.place, r.step, row); ok {
			add(q)
		}
	}
}

func (x *Project) secretRefs(p *Pipeline, j *Job) []secretRef {
	var out []secretRef
	names := func(place Place, name string, step int) {
		if len(out) < 4*maxPrizes {
			out = append(out, secretRef{place, name, step})
		}
	}
	text := func(step int) func(Text) {
		return func(t Text) {
			if len(t.Parts) == 0 || !strings.Contains(t.Value, "ecrets") && !strings.Contains(strings.ToLower(t.Value), "secrets") {
				return
			}
			for _, part := range t.Parts {
				expr, err := ParseExpression(strings.TrimSpace(t.Source(part)))
				if err != nil {
					continue
				}
				for _, path := range expr.Paths() {
					if path.Name == "secrets" || strings.HasPrefix(path.Name, "secrets.") || strings.HasPrefix(path.Name, "secrets[") {
						names(placed(p, part.Span), path.Name, step)
					}
				}
			}
		}
	}
	whole := text(-1)
	p.Env.Texts(whole)
	j.Env.Texts(whole)
	if j.Container.Has() {
		j.Container.Get().Credentials.Texts(whole)
		j.Container.Get().Env.Texts(whole)
	}
	for _, c := range containersOf(j.Services) {
		c.Credentials.Texts(whole)
		c.Env.Texts(whole)
	}
	if j.Uses.IsSet() {
		j.With.Texts(whole)
		j.Secrets.Get().Texts(whole)
		if j.InheritsSecrets() && (j.Uses.Kind == UseRemote || x.Workflow(j.Uses) == nil) {
			names(placed(p, j.Secrets.Get().Span), "secrets", -1)
		}
	}
	for i := range j.Steps {
		s := &j.Steps[i]
		step := text(i)
		step(s.Run.Text)
		s.With.Texts(step)
		s.Env.Texts(step)
		step(s.If)
	}
	return out
}

func containersOf(services []Service) []Container {
	var out []Container
	for _, s := range services {
		out = append(out, s.Container)
	}
	return out
}

// secretPrize is the prize of a context below secrets.
func (x *Project) secretPrize(e *Entry, path string, place Place, step int, row *Row) (Prize, bool) {
	segments := splitPath(path)
	if len(segments) < 2 || segments[1] == "*" {
		return Prize{Place: place, Kind: PrizeSecrets, Name: "secrets", Text: "all secrets of the repository", Step: step, Row: row, Weight: 100}, true
	}
	name := segments[1]
	if name == "github_token" {
		return Prize{}, false
	}
	if e.caller != nil && !e.caller.job.InheritsSecrets() {
		// Only what the caller hands over is there.
		given := e.caller.job.Secrets.Get().Get(name)
		if given.Kind == DataNone || e.caller.job.Secrets.Get().Kind != DataMap {
			return Prize{}, false
		}
		if strings.Contains(strings.ToLower(given.Text.Value), "secrets.github_token") || strings.Contains(given.Text.Value, "github.token") {
			return Prize{}, false
		}
	}
	upper := strings.ToUpper(name)
	return Prize{Place: place, Kind: PrizeSecret, Name: upper, Text: "the secret " + clip(upper), Step: step, Row: row, Weight: secretWeight(upper)}, true
}

// secretWeight guesses what a secret is worth by its name.
func secretWeight(name string) int {
	switch {
	case hasAny(name, "CODECOV", "COVERALLS", "SONAR", "CODACY", "SLACK", "DISCORD", "WEBHOOK", "ALGOLIA", "SENTRY_DSN", "MATRIX", "TELEGRAM", "TEAMS_"):
		return 60
	case hasAny(name, "NPM", "PYPI", "CARGO", "CRATES", "RUBYGEMS", "NUGET", "MAVEN", "OSSRH", "SIGN", "GPG", "PRIVATE_KEY", "DOCKER", "AWS_", "AZURE", "GCP", "GOOGLE_", "DEPLOY", "SSH"):
		return 95
	case hasAny(name, "PAT", "GH_TOKEN", "GITHUB", "BOT", "TOKEN"):
		return 92
	case hasAny(name, "USERNAME", "_USER", "EMAIL", "_ID", "_URL", "_HOST", "REGION"):
		return 51
	}
	return 90
}

// publishActions are actions that publish, by owner/repo.
var publishActions = map[string]string{
	"pypa/gh-action-pypi-publish": "a package", "js-devtools/npm-publish": "a package", "changesets/action": "packages", "rubygems/release-gem": "a package",
	"softprops/action-gh-release": "a release", "ncipollo/release-action": "a release", "actions/create-release": "a release", "goreleaser/goreleaser-action": "a release",
	"cycjimmy/semantic-release-action": "a release", "googleapis/release-please-action": "a release", "release-drafter/release-drafter": "a draft of a release",
	"docker/build-push-action": "an image", "docker/bake-action": "an image", "redhat-actions/push-to-registry": "an image", "helm/chart-releaser-action": "a chart",
	"peaceiris/actions-gh-pages": "the site", "jamesives/github-pages-deploy-action": "the site", "actions/deploy-pages": "the site", "cloudflare/pages-action": "the site",
	"cloudflare/wrangler-action": "a deployment", "azure/webapps-deploy": "a deployment", "firebaseextended/action-hosting-deploy": "the site",
}

// publishCommands are commands that publish.
var publishCommands = []struct{ command, what string }{
	{"npm publish", "a package"}, {"pnpm publish", "a package"}, {"yarn npm publish", "a package"}, {"yarn publish", "a package"}, {"lerna publish", "packages"}, {"twine upload", "a package"},
	{"poetry publish", "a package"}, {"uv publish", "a package"}, {"flit publish", "a package"}, {"hatch publish", "a package"}, {"cargo publish", "a package"}, {"gem push", "a package"},
	{"dotnet nuget push", "a package"}, {"bun publish", "a package"}, {"maturin publish", "a package"}, {"./gradlew publish", "a package"}, {"nuget push", "a package"}, {"mvn deploy", "a package"}, {"mvn -B deploy", "a package"}, {"publishToSonatype", "a package"}, {"./gradlew publish", "a package"},
	{"vsce publish", "an extension"}, {"ovsx publish", "an extension"}, {"docker push", "an image"}, {"podman push", "an image"}, {"crane push", "an image"}, {"skopeo copy", "an image"}, {"helm push", "a chart"},
	{"gh release create", "a release"}, {"gh release upload", "a release"}, {"goreleaser release", "a release"}, {"semantic-release", "a release"}, {"aws s3 sync", "files"}, {"aws s3 cp", "files"},
	{"terraform apply", "a deployment"}, {"pulumi up", "a deployment"}, {"kubectl apply", "a deployment"}, {"helm upgrade", "a deployment"}, {"cdk deploy", "a deployment"}, {"serverless deploy", "a deployment"},
	{"wrangler deploy", "a deployment"}, {"vercel deploy", "a deployment"}, {"vercel --prod", "a deployment"}, {"netlify deploy", "a deployment"}, {"firebase deploy", "a deployment"}, {"flyctl deploy", "a deployment"},
}

// cloudLogins are actions that log in to a cloud, with the inputs that name the role,
// and those that show that the job's identity token is used.
var cloudLogins = map[string]struct{ cloud, role string }{
	"aws-actions/configure-aws-credentials":      {"AWS", "role-to-assume"},
	"google-github-actions/auth":                 {"Google Cloud", "workload_identity_provider"},
	"azure/login":                                {"Azure", "client-id"},
	"hashicorp/vault-action":                     {"Vault", "role"},
	"aliyun/configure-aliyun-credentials-action": {"Alibaba Cloud", "role-to-assume"},
	"pulumi/auth-actions":                        {"Pulumi", "organization"},
}

// stepPrizes are what a step does that is worth having: it publishes, or logs in.
func (x *Project) stepPrizes(p *Pipeline, s *Step, i int, identity, secrets bool, add func(Prize)) {
	if s.Uses.Kind == UseRemote {
		name := strings.ToLower(s.Uses.Owner + "/" + s.Uses.Repo)
		if what, ok := publishActions[name]; ok {
			if name == "docker/build-push-action" || name == "docker/bake-action" {
				if push := s.With.Get("push").Text.Value; (push == "" || push == "false") && !strings.Contains(s.With.Get("outputs").Text.Value, "push=true") {
					return
				}
			}
			weight := 88
			switch {
			case name == "pypa/gh-action-pypi-publish" && identity:
				weight = 96
			case name == "release-drafter/release-drafter":
				weight = 45
			}
			add(Prize{Place: placed(p, s.Uses.Span), Kind: PrizePublish, Name: name, Text: "the step that publishes " + what, Step: i, Weight: weight})
		}
		if c, ok := cloudLogins[name]; ok {
			role := s.With.Get(c.role).Text
			if role.Value == "" && !secrets || role.Value != "" && !identity && !secrets {
				return
			}
			text := "a role in " + c.cloud
			if role.Value != "" && len(role.Parts) == 0 {
				text = "the role " + clip(role.Value) + " in " + c.cloud
			}
			add(Prize{Place: placed(p, s.Uses.Span), Kind: PrizeCloud, Name: cmp.Or(role.Value, c.cloud), Text: text, Step: i, Weight: 98})
		} else if (secrets || identity) && signsIn(s.Uses) && LookupAction(s.Uses) == nil {
			add(Prize{Place: placed(p, s.Uses.Span), Kind: PrizeCloud, Name: name, Text: "what " + clip(s.Uses.Value) + " signs in to, by its name", Step: i, Weight: 50, Setting: true})
		}
		return
	}
	if !s.Run.IsSet() {
		return
	}
	at, known := x.ways.publishes[s]
	if !known {
		at = publishes(s.Run.Value)
		if x.ways.publishes == nil {
			x.ways.publishes = make(map[*Step][2]int)
		}
		x.ways.publishes[s] = at
	}
	if at[0] < 0 {
		return
	}
	c := publishCommands[at[0]]
	add(Prize{Place: placed(p, s.Run.At(at[1], at[1]+len(c.command))), Kind: PrizePublish, Name: c.command, Text: "the command that publishes " + c.what + " (" + c.command + ")", Step: i, Weight: 86})
}

// signsIn reports whether an action is by its name one that signs in somewhere.
func signsIn(u Use) bool {
	name := u.Repo
	if u.Path != "" {
		name = path.Base(u.Path)
	}
	return slices.ContainsFunc(nameWords(name), func(w string) bool {
		return slices.Contains([]string{"auth", "authenticate", "login", "signin", "credentials", "creds"}, w)
	})
}

// publishes finds the first of publishCommands in a script: its index and its place.
func publishes(script string) [2]int {
	if len(script) > 1<<16 {
		script = script[:1<<16]
	}
	if !hasAny(script, "publish", "push", "upload", "apply", "deploy", "release", "Sonatype", "s3 ", "pulumi up", "skopeo", "upgrade", "--prod") {
		return [2]int{-1, 0}
	}
	for n, c := range publishCommands {
		at := strings.Index(script, c.command)
		if at >= 0 && !strings.Contains(script[at:min(len(script), at+200)], "--dry-run") {
			return [2]int{n, at}
		}
	}
	return [2]int{-1, 0}
}

// runnerPrize is a runner that keeps what a job leaves on it.
func (x *Project) runnerPrize(p *Pipeline, e *Entry, j *Job, add func(Prize)) {
	self, known := false, false // known: the settings speak of a runner
	for _, w := range x.wishesOf(p, e, j) {
		settled := false
		for _, l := range w {
			for label, kind := range x.Settings.GitHub.Runners {
				if !strings.EqualFold(label, l.text) {
					continue
				}
				if kind == RunnerPersistent {
					add(Prize{Place: placed(p, l.span), Kind: PrizeRunner, Name: label, Text: "the runner " + clip(label) + ", which lives on after the job", Step: -1, Weight: 78})
					return
				}
				settled = true
			}
		}
		if settled {
			known = true
		} else {
			self = self || w.own()
		}
	}
	if known && !self {
		return
	}
	if e.Own {
		// The stranger's definition names the runner.
		names := make([]string, 0, len(x.Settings.GitHub.Runners))
		for label, kind := range x.Settings.GitHub.Runners {
			if kind == RunnerPersistent {
				names = append(names, label)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			add(Prize{Place: placed(p, j.RunsOn.Span), Kind: PrizeRunner, Name: names[0], Text: "the runner " + clip(names[0]) + ", which lives on after the job and which the stranger's own definition can ask for", Step: -1, Weight: 76})
			return
		}
	}
	if self {
		add(Prize{Place: placed(p, j.RunsOn.Span), Kind: PrizeRunner, Name: "self-hosted", Text: "a runner of your own, if it lives on after the job", Step: -1, Weight: 72, Setting: true})
	}
}

// restoresCaches reports whether some job of the project restores caches that another
// run could have saved.
func (x *Project) restoresCaches() bool {
	if x.ways.restores == Undecided {
		x.ways.restores = False
		for _, p := range x.Pipelines {
			for i := range p.Jobs {
				if slices.ContainsFunc(p.Jobs[i].Steps, cachesStep) {
					x.ways.restores = True
				}
			}
			if p.Action != nil && slices.ContainsFunc(p.Action.Steps, cachesStep) {
				x.ways.restores = True
			}
		}
	}
	return x.ways.restores == True
}

// cachingActions restore caches without being asked.
var cachingActions = []string{"actions/cache", "swatinem/rust-cache", "gradle/actions", "gradle/gradle-build-action", "hendrikmuhs/ccache-action", "mozilla-actions/sccache-action", "golangci/golangci-lint-action", "pre-commit/action", "astral-sh/setup-uv", "actions/setup-go"}

// cachesStep reports whether a step restores a cache.
func cachesStep(s Step) bool {
	if s.Uses.Kind != UseRemote {
		return false
	}
	name := strings.ToLower(s.Uses.Owner + "/" + s.Uses.Repo)
	if slices.Contains(cachingActions, name) {
		return s.With.Get("cache").Text.Value != "false"
	}
	switch name {
	case "docker/build-push-action", "docker/bake-action":
		return strings.Contains(s.With.Get("cache-from").Text.Value, "type=gha")
	}
	for _, input := range []string{"cache", "bundler-cache", "enable-cache", "cache-dependency-path"} {
		if v := s.With.Get(input).Text.Value; v != "" && v != "false" {
			return true
		}
	}
	return false
}

// cachePrize is the right to save caches that other runs restore.
func (x *Project) cachePrize(p *Pipeline, e *Entry, j *Job, add func(Prize)) {
	if e.Own || !x.restoresCaches() {
		return
	}
	view := x.View(GitHub)
	scope, _ := view.CacheScope(e.Event)
	if scope != FromDefault && scope != FromBase && scope != FromPushed {
		return
	}
	mode := j.CacheMode
	if !mode.IsSet() {
		mode = p.CacheMode
	}
	value := strings.TrimSpace(mode.Value)
	if len(mode.Parts) > 0 {
		value = "write" // it may be
	}
	yes, row := view.CacheWrite(e.Event, e.Origin, value)
	if !yes {
		return
	}
	span := j.ID.Span
	if mode.IsSet() {
		span = mode.Span
	}
	add(Prize{Place: placed(p, span), Kind: PrizeCache, Name: string(scope), Text: "the caches of the default branch, which every run restores", Step: -1, Row: &row, Weight: 62})
}
