package pipeline

import (
	"io/fs"
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

	forge     forgeFacts
	semantics Semantics
	views     map[Forge]View
	pins      map[string]pinned // by owner/repo@version; nil before they are looked for
	tree      penstock.Tree
	byPath    map[string]*Pipeline
	loaded    map[string]*Pipeline // what Open read beside Pipelines; nil for what is not there
	files     map[string][]byte
	reads     int
	plains    map[*Step]ShellResult
	ways      ways
	drawn     int
	secretive map[*Job]bool // what holdsSecrets said
	limits    []string      // what was left out since it is too much
	overflows []overflow    // rules with more flaws than are reported
}

// Bounds of what a project draws in beside its own files.
const (
	maxReads     = 2000
	maxReadBytes = 1 << 20 // of one file
	// maxDrawn bounds what all definitions of a project draw in, together: in bytes of
	// files, a step counted as drawnStep.
	maxDrawn  = 64 << 20
	drawnStep = 1 << 10
)

// newProject makes a project of definitions that were read each by itself; those that
// include others are put together. tree reads other files of the repository, by full
// paths.
func newProject(root string, pipelines []*Pipeline, settings Settings, tree penstock.Tree) *Project {
	x := &Project{
		Root: root, Pipelines: pipelines, Settings: settings, tree: tree,
		semantics: NewSemantics(), views: make(map[Forge]View),
		byPath: make(map[string]*Pipeline, len(pipelines)), loaded: make(map[string]*Pipeline), files: make(map[string][]byte), secretive: make(map[*Job]bool),
	}
	slices.SortFunc(x.Pipelines, func(a, b *Pipeline) int { return strings.Compare(a.Path, b.Path) })
	for i, p := range x.Pipelines {
		p = x.whole(p)
		x.Pipelines[i] = p
		x.byPath[p.Path] = p
	}
	return x
}

// whole is a definition with what it includes.
func (x *Project) whole(p *Pipeline) *Pipeline {
	if p.Kind != KindGitLab && p.Kind != KindAzure {
		return p
	}
	if x.drawn > maxDrawn {
		x.limit(limitIncludes)
		return p
	}
	read := func(name string) ([]byte, error) {
		b, err := x.reader(p)(name)
		x.drawn += len(b)
		return b, err
	}
	var whole *Pipeline
	if p.Kind == KindGitLab {
		whole = MergeGitLab(strings.TrimPrefix(p.Path, x.Root), p.Source, GitLabTree{Read: read, List: x.below})
	} else {
		own := *p
		own.Path = strings.TrimPrefix(p.Path, x.Root)
		var err error
		if whole, err = AzureResolve(&own, read); err != nil {
			return p
		}
	}
	x.drawn += drawnStep * whole.size()
	return x.rebase(whole, p)
}

// rebase gives a definition that was put together the paths that the run knows.
func (x *Project) rebase(whole, p *Pipeline) *Pipeline {
	whole.Path, whole.Source = p.Path, p.Source
	for i := range whole.Files {
		whole.Files[i].Path = x.Root + whole.Files[i].Path
	}
	return whole
}

// reader reads files by their names from the repository's folder, the definition's own
// without asking the tree.
func (x *Project) reader(p *Pipeline) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		name = path.Clean(strings.TrimPrefix(name, "/"))
		if x.Root+name == p.Path {
			return p.Source, nil
		}
		if b, ok := x.File(name); ok {
			return b, nil
		}
		return nil, fs.ErrNotExist
	}
}

// below lists the files below a folder of the repository, in order, as far as maxReads
// folders go.
func (x *Project) below(dir string) []string {
	var files []string
	left := maxReads
	var walk func(dir string)
	walk = func(dir string) {
		if x.tree == nil {
			return
		}
		if left--; left < 0 {
			x.limit(limitFolders)
			return
		}
		for _, name := range x.tree.List(x.Root + dir) {
			full := path.Join(dir, name)
			if strings.HasSuffix(name, "/") {
				if name != ".git/" && name != "node_modules/" {
					walk(full)
				}
				continue
			}
			files = append(files, full)
		}
	}
	walk(strings.Trim(dir, "/"))
	slices.Sort(files)
	return files
}

// What is said of a bound that was reached.
const (
	limitIncludes = "includes and templates: they are used more often than is followed"
	limitFiles    = "files: more are asked for than are read"
	limitFolders  = "folders: there are more than are listed"
	limitWays     = "ways through the pipelines: there are more than are followed"
	limitDepth    = "actions and workflows: they call one another more deeply than is followed"
	limitShell    = "scripts: they take more work than is given to them"
	limitScripts  = "scripts of the repository: more are called than are read"
	limitNames    = "variables: they are used more often than is followed"
	limitStashes  = "files that jobs keep for others: there are more than are followed"
)

// limit notes that something was left out since there is too much of it.
func (x *Project) limit(what string) {
	if !slices.Contains(x.limits, what) {
		x.limits = append(x.limits, what)
	}
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
	if x.tree == nil {
		return nil, false
	}
	if x.reads >= maxReads {
		x.limit(limitFiles)
		return nil, false
	}
	x.reads++
	b, err := x.tree.Read(x.Root + name)
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
	// Why says what is not proved, of a flaw that is exploitable and no proven path.
	Why []string
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
	// Weak is the kind of a check that does not hold, through which the way leads.
	Weak GuardKind
}
