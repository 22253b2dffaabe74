package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"

	"penstock"
)

// version is part of the cache key: it changes whenever the same bytes may give
// another answer.
const version = 1

// Engine is the engine as the list of engines names it.
func Engine() penstock.Engine {
	return penstock.Engine{
		Name: "pipeline", Doc: "What a stranger can make CI do: injections, untrusted code, poisoned caches and artifacts, weak guards.",
		Version: version, Open: open,
	}
}

// pass is one run. What File learns of a definition beyond its coverage is known only
// when all are read, so it leaves a fact and the model, and Finish does the work.
type pass struct {
	settings Settings

	mu     sync.Mutex
	models map[digest]*Pipeline
	held   int64 // bytes of files whose models are held
}

var _ penstock.Pass = (*pass)(nil)

// digest tells versions of a file apart, which have the same path where two sides are
// compared.
type digest [16]byte

const (
	// maxFile bounds a definition: GitHub takes 512 KiB, GitLab 1 MiB, others no more.
	maxFile = 2 << 20
	// maxHeld bounds the files whose models wait for Finish; the rest is read again.
	maxHeld = 16 << 20
	// factFile is the kind of the fact that a definition leaves.
	factFile = "file"
)

// fileFact is what File leaves of a definition.
type fileFact struct {
	Kind   Kind   `json:"kind"`
	Digest digest `json:"digest"`
	// Text is the file where it cannot be read again: in a container.
	Text []byte `json:"text,omitempty"`
}

func open(_ context.Context, setup penstock.Setup) (penstock.Pass, error) {
	p := &pass{models: make(map[digest]*Pipeline)}
	if err := p.settings.from(setup.Pipeline); err != nil {
		return nil, err
	}
	return p, nil
}

// Wants implements penstock.Pass.
func (p *pass) Wants(path string, info penstock.FileInfo) bool {
	return !info.Binary && (Detect(path) != KindNone || foreign(path) != "")
}

// foreign names the product whose definition a file is, for those that are not read
// yet: that such a file is there and was not checked must be said.
func foreign(file string) string {
	dir, name := path.Split(file)
	dir = path.Base(dir)
	yaml := strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")
	switch {
	case dir == ".circleci" && (name == "config.yml" || name == "config.yaml"):
		return "CircleCI"
	case name == "bitbucket-pipelines.yml":
		return "Bitbucket Pipelines"
	case name == ".travis.yml":
		return "Travis CI"
	case name == ".drone.yml" || name == ".drone.yaml" || name == ".drone.star" || name == ".drone.jsonnet":
		return "Drone"
	case dir == ".woodpecker" && yaml || name == ".woodpecker.yml" || name == ".woodpecker.yaml":
		return "Woodpecker"
	case dir == ".buildkite" && yaml && strings.HasPrefix(name, "pipeline"):
		return "Buildkite"
	case dir == ".tekton" && yaml:
		return "Tekton"
	case name == "appveyor.yml" || name == ".appveyor.yml":
		return "AppVeyor"
	case name == "cloudbuild.yaml" || name == "cloudbuild.yml":
		return "Google Cloud Build"
	case name == ".cirrus.yml" || name == ".cirrus.star":
		return "Cirrus CI"
	case (dir == "workflows" && strings.Contains(file, ".gitea/workflows/") || strings.Contains(file, ".forgejo/workflows/")) && yaml:
		return "Gitea Actions"
	}
	return ""
}

// File implements penstock.Pass.
func (p *pass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	b, err := f.Bytes()
	if err != nil {
		return err
	}
	if len(b) > maxFile {
		return penstock.ErrTooLarge
	}
	kind := Detect(f.Path)
	if kind == KindNone {
		r.Report(&penstock.Note{
			Code: "format-not-checked", Place: f.Path,
			Message: "the pipeline engine cannot read definitions of " + foreign(f.Path) + " yet: what is in this file is not checked by it",
		})
		return penstock.ErrNotChecked
	}
	fact := fileFact{Kind: kind, Digest: digestOf(f.Path, b)}
	if f.Info.Member {
		fact.Text = b
	}
	p.model(f.Path, kind, fact.Digest, b)
	data, err := json.Marshal(fact)
	if err != nil {
		return err
	}
	r.Report(&penstock.Fact{Kind: factFile, Data: data})
	return nil
}

func digestOf(path string, b []byte) (d digest) {
	h := sha256.New()
	h.Write([]byte(path))
	h.Write([]byte{0})
	h.Write(b)
	copy(d[:], h.Sum(nil))
	return d
}

// model parses a definition and keeps the model for Finish while there is room.
func (p *pass) model(path string, kind Kind, d digest, b []byte) *Pipeline {
	p.mu.Lock()
	m := p.models[d]
	p.mu.Unlock()
	if m != nil {
		return m
	}
	m = parse(path, kind, slices.Clone(b))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held+int64(len(b)) <= maxHeld {
		p.models[d] = m
		p.held += int64(len(b))
	}
	return m
}

// parse reads a definition of any kind. b must not change any more.
func parse(path string, kind Kind, b []byte) *Pipeline {
	p := ParseGitHub(path, kind, b)
	p.Source = b
	return p
}

// Finish implements penstock.Pass.
func (p *pass) Finish(_ context.Context, run penstock.Run, r penstock.Reporter) error {
	// Definitions of one repository belong together, and each folder with a
	// .github of its own is one.
	projects := make(map[string][]*Pipeline)
	seen := make(map[string]bool)
	add := func(path string, kind Kind, d digest, b []byte) {
		if !seen[path] {
			seen[path] = true
			root := run.Root + repositoryOf(strings.TrimPrefix(path, run.Root))
			projects[root] = append(projects[root], p.model(path, kind, d, b))
		}
	}
	for _, f := range run.Facts {
		if f.Engine != "pipeline" || f.Kind != factFile {
			continue
		}
		var fact fileFact
		if err := json.Unmarshal(f.Data, &fact); err != nil {
			return err
		}
		p.mu.Lock()
		held := p.models[fact.Digest] != nil
		p.mu.Unlock()
		b := fact.Text
		if !held && b == nil {
			var err error
			if b, err = run.Tree.Read(f.Path); err != nil {
				r.Report(&penstock.Coverage{Path: f.Path, State: penstock.Unread, Reason: penstock.ReasonVanished, Detail: err.Error()})
				continue
			}
		}
		add(f.Path, fact.Kind, fact.Digest, b)
	}
	if run.Changed {
		p.unchanged(run, add)
	}
	roots := make([]string, 0, len(projects))
	for root := range projects {
		roots = append(roots, root)
	}
	slices.Sort(roots)
	run.Each(len(roots), func(i int) {
		x := newProject(roots[i], projects[roots[i]], p.settings, run.Tree.Read)
		x.Audit(func(f Flaw) {
			out := f.finding()
			x.foreignIgnore(&f, out)
			r.Report(out)
		})
	})
	return nil
}

// unchanged adds the definitions that a change does not touch: what they do may
// depend on what it touches.
func (p *pass) unchanged(run penstock.Run, add func(path string, kind Kind, d digest, b []byte)) {
	for _, dir := range []string{"", ".github", ".github/workflows"} {
		for _, name := range run.Tree.List(run.Root + dir) {
			full := run.Root + path.Join(dir, name)
			kind := Detect(full)
			if kind == KindNone || strings.HasSuffix(name, "/") {
				continue
			}
			if b, err := run.Tree.Read(full); err == nil && len(b) <= maxFile {
				add(full, kind, digestOf(full, b), b)
			}
		}
	}
}

// repositoryOf is the folder of the repository that a definition belongs to, with a
// slash at its end: what stands before .github, or else its own folder's.
func repositoryOf(file string) string {
	if i := strings.Index("/"+file, "/.github/"); i >= 0 {
		return file[:i]
	}
	if i := strings.LastIndex(file, penstock.MemberSeparator); i >= 0 {
		return file[:i+len(penstock.MemberSeparator)]
	}
	return ""
}

// finding is the flaw as the vocabulary has it.
func (f *Flaw) finding() *penstock.Finding {
	rule := ruleOf(f.Rule)
	out := &penstock.Finding{
		Rule: "pipeline/" + f.Rule, Severity: cmp.Or(f.Severity, rule.Severity), Confidence: cmp.Or(f.Confidence, rule.Confidence),
		Message: f.Message, Location: f.location(), Notes: f.Notes, Fix: f.Fix,
	}
	out.Evidence.Scope = f.Scope
	out.Evidence.Tier = cmp.Or(f.Tier, rule.Tier)
	rows := make(map[string]bool)
	labels := func(hops []Hop) []penstock.Label {
		var all []penstock.Label
		for _, h := range hops {
			text := h.Text
			if h.Row != nil && h.Row.ID != "" {
				rows[h.Row.ID] = true
				text += " [" + h.Row.ID + "]"
			}
			all = append(all, penstock.Label{Location: h.location(), Message: text})
		}
		return all
	}
	out.Trace, out.Related = labels(f.Trace), labels(f.Related)
	if out.Evidence.Tier != penstock.TierHygiene {
		e := &penstock.PipelineEvidence{Events: f.Events, Reaches: f.Reaches, Cut: f.Cut}
		if f.Actor != ActorUnset {
			e.Actor = f.Actor.String()
		}
		for id := range rows {
			e.Semantics = append(e.Semantics, id)
		}
		slices.Sort(e.Semantics)
		out.Evidence.Pipeline = e
	}
	return out
}

func (p Place) location() penstock.Location { return penstock.Location{Path: p.Path, Span: p.Span} }

// ruleInfo is what the engine itself needs of a rule.
type ruleInfo struct {
	Tier       penstock.Tier
	Severity   penstock.Severity
	Confidence penstock.Confidence
}

func ruleOf(string) ruleInfo {
	return ruleInfo{Tier: penstock.TierHygiene, Severity: penstock.Medium, Confidence: penstock.ConfidenceMedium}
}
