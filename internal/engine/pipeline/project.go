package pipeline

import (
	"path"
	"slices"
	"strings"

	"penstock"
)

// Project is the pipeline definitions of one repository, with what they need of the
// rest of it. It is not for concurrent use.
type Project struct {
	// Root is the folder that the repository lies in, with a slash at its end, empty
	// for where the scan was started. Paths of pipelines begin with it.
	Root string
	// Pipelines are all definitions, in order of their paths.
	Pipelines []*Pipeline
	Settings  Settings
	// Resolver knows what branches and tags are at the forge; nil where nobody asks.
	Resolver Resolver

	semantics Semantics
	views     map[Forge]View
	pins      map[string]pinned // by owner/repo@version; nil before they are looked for
	read      func(path string) ([]byte, error)
	byPath    map[string]*Pipeline
	loaded    map[string]*Pipeline // what Open read beside Pipelines; nil for what is not there
	files     map[string][]byte
	reads     int
}

// Bounds of what a project draws in beside its own files.
const (
	maxReads     = 2000
	maxReadBytes = 1 << 20 // of one file
)

// newProject makes a project; read reads another file of the tree by its full path.
func newProject(root string, pipelines []*Pipeline, settings Settings, read func(path string) ([]byte, error)) *Project {
	x := &Project{
		Root: root, Pipelines: pipelines, Settings: settings, read: read,
		semantics: NewSemantics(), views: make(map[Forge]View),
		byPath: make(map[string]*Pipeline, len(pipelines)), loaded: make(map[string]*Pipeline), files: make(map[string][]byte),
	}
	slices.SortFunc(x.Pipelines, func(a, b *Pipeline) int { return strings.Compare(a.Path, b.Path) })
	for _, p := range x.Pipelines {
		x.byPath[p.Path] = p
	}
	return x
}

// View is what holds at the forge, on the day and in the version that the run asks for.
func (x *Project) View(forge Forge) View {
	v, ok := x.views[forge]
	if !ok {
		version := ForgeVersion{Name: string(forge)}
		if x.Settings.Forge.Name == string(forge) {
			version = x.Settings.Forge
		}
		v = x.semantics.At(x.Settings.AsOf, version)
		x.views[forge] = v
	}
	return v
}

// File reads a file of the repository, named from the repository's folder. The second
// result is false for one that is not there, is too large, or leads out of it.
func (x *Project) File(name string) ([]byte, bool) {
	name = path.Clean(strings.TrimPrefix(name, "/"))
	if name == "." || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\\") {
		return nil, false
	}
	if b, known := x.files[name]; known {
		return b, b != nil
	}
	if x.reads >= maxReads || x.read == nil {
		return nil, false
	}
	x.reads++
	b, err := x.read(x.Root + name)
	if err != nil || len(b) > maxReadBytes {
		b = nil
	} else if b == nil {
		b = []byte{}
	}
	x.files[name] = b
	return b, b != nil
}

// Pipeline returns the definition at a path from the repository's folder, nil if there
// is none. What lies where no scan would take it for one is read for this.
func (x *Project) Pipeline(name string, kind Kind) *Pipeline {
	full := x.Root + name
	if p := x.byPath[full]; p != nil {
		return p
	}
	if p, known := x.loaded[full]; known {
		return p
	}
	var p *Pipeline
	if b, ok := x.File(name); ok {
		p = parse(full, kind, b)
	}
	x.loaded[full] = p
	return p
}

// Action returns the action that a use names if it lies in this repository, nil if it
// does not, or is not there.
func (x *Project) Action(u Use) *Pipeline {
	if u.Kind != UseLocal && u.Kind != UseSelf {
		return nil
	}
	dir := path.Clean(u.Path)
	if dir == ".." || strings.HasPrefix(dir, "../") {
		return nil
	}
	for _, name := range []string{"action.yml", "action.yaml"} {
		if p := x.Pipeline(path.Join(dir, name), KindAction); p != nil {
			return p
		}
	}
	return nil
}

// Workflow returns the reusable workflow that a job calls if it lies in this
// repository.
func (x *Project) Workflow(u Use) *Pipeline {
	if u.Kind != UseLocal && u.Kind != UseSelf {
		return nil
	}
	name := path.Clean(u.Path)
	if Detect(name) != KindWorkflow {
		return nil
	}
	return x.Pipeline(name, KindWorkflow)
}

// Flaw is a finding in the making.
type Flaw struct {
	// Rule is the id without the engine: "template-injection".
	Rule string
	// Tier may be lower than the rule's, empty is the rule's own.
	Tier penstock.Tier
	Place
	// Message says what is wrong here; it may hold names of the file, which reports
	// escape.
	Message string
	// Severity and Confidence are those of the rule if they are not set.
	Severity   penstock.Severity
	Confidence penstock.Confidence
	// Trace is the way, the outsider's first step first.
	Trace   []Hop
	Related []Hop
	Notes   []string
	// Scope names what encloses the flaw: "job build, step 3".
	Scope string
	// Actor is the weakest who can do it, Events are those by which.
	Actor  ActorClass
	Events []string
	// Reaches is what is won: "the secret NPM_TOKEN", "write access to contents".
	Reaches []string
	// Cut are the fewest edits that break the path.
	Cut []string
	Fix *penstock.Fix
}

// Place is a span in a file.
type Place struct {
	Path string
	penstock.Span
}

// Hop is one step of the way.
type Hop struct {
	Place
	Text string
	// Row is the rule of the forge by which it works, nil if there is none.
	Row *Row
}
