package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
		Version: version, Open: open, Rules: engineRules,
	}
}

// engineRules are the rules as the program lists them. Rule files are for others.
func engineRules([]penstock.RuleFile) ([]penstock.Rule, error) {
	all := Rules()
	out := make([]penstock.Rule, 0, len(all))
	for i := range all {
		r := all[i].Rule
		r.Aliases = slices.Clone(r.Aliases)
		r.Tier = penstock.Tier(all[i].Tier)
		for _, f := range all[i].Forges {
			r.Forges = append(r.Forges, string(f))
		}
		for _, p := range all[i].Peers {
			if tool, _, _ := strings.Cut(p, "/"); tool == "zizmor" || tool == "poutine" || tool == "codeql" {
				r.Aliases = append(r.Aliases, p)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// ruleIndex finds the rules by what follows the engine in their id.
var ruleIndex = sync.OnceValue(func() map[string]*RuleInfo {
	all := Rules()
	index := make(map[string]*RuleInfo, len(all))
	for i := range all {
		index[strings.TrimPrefix(all[i].ID, "pipeline/")] = &all[i]
	}
	return index
})

// pass is one run. What a definition does is known only when all are read, so File
// leaves a fact and the text, and Finish does the work.
type pass struct {
	settings Settings

	mu    sync.Mutex
	texts map[digest][]byte
	held  int // bytes of texts
}

var _ penstock.Pass = (*pass)(nil)

// digest tells versions of a file apart, which have the same path where two sides are
// compared.
type digest [16]byte

const (
	// maxFile bounds a definition: GitHub takes 512 KiB, GitLab 1 MiB, others no more.
	maxFile = 2 << 20
	// maxHeld bounds the texts that wait for Finish; the rest is read again.
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
	p := &pass{texts: make(map[digest][]byte)}
	if err := p.settings.from(setup.Pipeline); err != nil {
		return nil, err
	}
	return p, nil
}

// Wants implements penstock.Pass.
func (p *pass) Wants(path string, info penstock.FileInfo) bool {
	kind := Detect(path)
	return !info.Binary && (kind != KindNone && kind != KindGitLabPart && kind != KindAzurePart || foreign(path) != "")
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
	if kind == KindAzure && !LooksAzure(b) {
		return nil // another file in a folder that is often Azure's
	}
	fact := fileFact{Kind: kind, Digest: digestOf(f.Path, b)}
	if f.Info.Member {
		fact.Text = b
	}
	p.mu.Lock()
	if p.held+len(b) <= maxHeld && p.texts[fact.Digest] == nil {
		p.texts[fact.Digest] = slices.Clone(b)
		p.held += len(b)
	}
	p.mu.Unlock()
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

// parse reads a definition of any kind. b must not change any more.
func parse(path string, kind Kind, b []byte) *Pipeline {
	var p *Pipeline
	switch kind {
	case KindGitLab, KindGitLabPart:
		p = ParseGitLab(path, b)
	case KindAzure, KindAzurePart:
		p = ParseAzure(path, b)
	case KindJenkinsfile:
		p = ParseJenkins(path, kind, b)
	default:
		p = ParseGitHub(path, kind, b)
	}
	p.Source = b
	return p
}

// definition is a file that Finish looks at.
type definition struct {
	path string
	kind Kind
	text []byte
}

// Finish implements penstock.Pass.
func (p *pass) Finish(_ context.Context, run penstock.Run, r penstock.Reporter) error {
	// Definitions of one repository belong together, and each folder with a
	// .github of its own is one.
	projects := make(map[string][]definition)
	seen := make(map[string]bool)
	add := func(d definition) {
		if !seen[d.path] {
			seen[d.path] = true
			root := run.Root + repositoryOf(strings.TrimPrefix(d.path, run.Root))
			projects[root] = append(projects[root], d)
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
		text := p.texts[fact.Digest]
		p.mu.Unlock()
		if text == nil {
			text = fact.Text
		}
		if text == nil {
			var err error
			if text, err = run.Tree.Read(f.Path); err != nil {
				r.Report(&penstock.Coverage{Path: f.Path, State: penstock.Unread, Reason: penstock.ReasonVanished, Detail: err.Error()})
				continue
			}
		}
		add(definition{f.Path, fact.Kind, text})
	}
	if run.Changed {
		unchanged(run, add)
	}
	roots := make([]string, 0, len(projects))
	for root := range projects {
		roots = append(roots, root)
	}
	slices.Sort(roots)
	for _, root := range roots {
		p.project(run, root, projects[root], r)
	}
	return nil
}

// project looks at the definitions of one repository, whose models are then dropped.
func (p *pass) project(run penstock.Run, root string, files []definition, r penstock.Reporter) {
	models := make([]*Pipeline, len(files))
	run.Each(len(files), func(i int) { models[i] = parse(files[i].path, files[i].kind, files[i].text) })
	x := newProject(root, models, p.settings, run.Tree)
	var flaws []Flaw
	x.ask(run, r)
	x.Audit(func(f Flaw) {
		out := f.finding()
		if q := x.held(f.Path); q != nil {
			out.Head = q.head(f.Span)
		}
		x.foreignIgnore(&f, out)
		r.Report(out)
		if p.settings.Graph {
			flaws = append(flaws, f)
		}
	})
	if p.settings.Graph {
		x.Facts(flaws, r.Report)
	}
	x.unread(r)
	for _, o := range x.overflows {
		r.Report(o.note(root))
	}
	for _, what := range x.limits {
		r.Report(&penstock.Note{
			Code: "pipeline-limit", Place: root, Incomplete: true,
			Message: "the pipeline engine did not look at all of this repository: " + what,
		})
	}
}

// unread says of each file of which a part was not understood, or was more than is
// read, that it is not checked: the finding about it is hygiene, and would let it pass.
func (x *Project) unread(r penstock.Reporter) {
	told := make(map[string]bool)
	for _, p := range x.Pipelines {
		for _, n := range p.Notes {
			if n.Kind != NoteSyntax && n.Kind != NoteLimit {
				continue
			}
			at := p.place(n.Span)
			if told[at.Path] {
				continue
			}
			told[at.Path] = true
			message := "the pipeline engine did not look at all of this definition: " + n.Message
			if q := x.held(at.Path); q != nil && len(q.Files) == 0 {
				message += fmt.Sprintf(" (from line %d on)", q.lineOf(at.Start))
			}
			r.Report(&penstock.Note{Code: "definition-unread", Place: at.Path, Incomplete: true, Message: message})
		}
	}
}

// unchanged adds the definitions that a change does not touch: what they do may
// depend on what it touches.
func unchanged(run penstock.Run, add func(definition)) {
	for _, dir := range []string{"", ".github", ".github/workflows"} {
		for _, name := range run.Tree.List(run.Root + dir) {
			full := run.Root + path.Join(dir, name)
			kind := Detect(full)
			if kind == KindNone || strings.HasSuffix(name, "/") {
				continue
			}
			if b, err := run.Tree.Read(full); err == nil && len(b) <= maxFile && (kind != KindAzure || LooksAzure(b)) {
				add(definition{full, kind, b})
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
	rule := ruleIndex()[f.Rule]
	if rule == nil {
		panic("a flaw of an unknown rule: " + f.Rule) // a programmer's error
	}
	out := &penstock.Finding{
		Rule: "pipeline/" + f.Rule, Severity: cmp.Or(f.Severity, rule.Severity), Confidence: cmp.Or(f.Confidence, rule.Confidence),
		Message: f.Message, Location: f.location(), Notes: f.Notes, Fix: f.Fix,
	}
	out.Evidence.Scope = f.Scope
	out.Evidence.Tier = f.tier()
	rows := make(map[string]bool)
	labels := func(hops []Hop) []penstock.Label {
		var all []penstock.Label
		told := make(map[Hop]bool)
		for _, h := range hops {
			if plain := (Hop{Place: h.Place, Text: h.Text}); told[plain] {
				continue
			} else {
				told[plain] = true
			}
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
		if out.Evidence.Tier == penstock.TierExploitable {
			if e.Why = f.Why; len(e.Why) == 0 {
				e.Why = []string{restWhy(f.Rule)}
			}
		}
		out.Evidence.Pipeline = e
	}
	return out
}

// tier is the flaw's own tier, or else that of its rule.
func (f *Flaw) tier() penstock.Tier {
	if f.Tier != "" {
		return f.Tier
	}
	return penstock.Tier(ruleIndex()[f.Rule].Tier)
}

func (p Place) location() penstock.Location { return penstock.Location{Path: p.Path, Span: p.Span} }
