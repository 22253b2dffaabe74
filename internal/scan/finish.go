package scan

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"penstock"
	"penstock/internal/source"
	"penstock/internal/syntax"
)

// facts are what files left for the end of the run, of both sides of a comparison.
type facts struct{ head, base []penstock.Fact }

func (f *facts) add(base bool, found []penstock.Fact) {
	if base {
		f.base = append(f.base, found...)
	} else {
		f.head = append(f.head, found...)
	}
}

// factsOf are the facts among the records of a unit; other records are not decoded.
func factsOf(records []byte) []penstock.Fact {
	var facts []penstock.Fact
	for r := (recordReader{b: records}); len(r.b) > 0; {
		kind, _, _, value, err := r.next()
		if err != nil {
			return nil
		}
		var f penstock.Fact
		if string(kind) == "fact" && json.Unmarshal(value, &f) == nil {
			facts = append(facts, f)
		}
	}
	return facts
}

// finish lets each engine do its cross-file work, in the order of After: for the
// files below each root, and where two versions are compared for those of both.
func (w *worker) finish(ctx context.Context, p *pass, all facts) error {
	// Models of whole repositories come and go; they are small beside what the walk
	// held, and collecting them often costs a third of the time.
	debug.SetGCPercent(200)
	done := setOf(p.job.Done)
	head, base := byRoot(p.roots, all.head), byRoot(p.roots, all.base)
	var prefixes []string
	for _, root := range p.roots {
		// Files that were named one by one in one folder belong together.
		if root.Stdin || slices.Contains(prefixes, root.Prefix) {
			continue
		}
		prefixes = append(prefixes, root.Prefix)
		if err := w.finishSide(ctx, p, root, head[root.Prefix], false, done); err != nil {
			return err
		}
		if root.sides != nil {
			if err := w.finishSide(ctx, p, root, base[root.Prefix], true, done); err != nil {
				return err
			}
		}
	}
	return nil
}

// byRoot groups facts by the prefix of the root that their files lie in: by a folder
// rather than by the folder around it in which a file was named, so that nothing is
// looked at twice.
func byRoot(roots []*openRoot, all []penstock.Fact) map[string][]penstock.Fact {
	var prefixes []string
	for _, r := range roots {
		if !r.Stdin && !slices.Contains(prefixes, r.Prefix) {
			prefixes = append(prefixes, r.Prefix)
		}
	}
	slices.SortFunc(prefixes, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	groups := make(map[string][]penstock.Fact)
	for _, f := range all {
		if i := slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(f.Path, p) }); i >= 0 {
			groups[prefixes[i]] = append(groups[prefixes[i]], f)
		}
	}
	return groups
}

func (w *worker) finishSide(ctx context.Context, p *pass, root *openRoot, facts []penstock.Fact, base bool, done map[string]bool) error {
	slices.SortFunc(facts, compareFacts)
	kind := byte(frameRecords)
	if base {
		kind = frameBase
	}
	for _, r := range finishOrder(p.engines) {
		if r.engine.PerFile {
			continue
		}
		name := "finish " + r.engine.Name
		if done[name] {
			_ = w.records(frameRecords, []penstock.Record{&penstock.Note{
				Code: "finish-failed", Incomplete: true, Message: fmt.Sprintf("the engine %s could not finish: the worker died of it", r.engine.Name),
			}})
			continue
		}
		engine, err := r.open(ctx)
		if err != nil {
			return err
		}
		t := &finishTree{tree: tree{p: p, root: root, limit: finishReads}, texts: make(map[string][]byte)}
		if root.sides != nil {
			t.tree.read = root.sides.reader(root, base)
			t.list = root.sides.lister(root, base)
		}
		col := &lockedReporter{engine: r.engine.Name}
		run := penstock.Run{Tree: t, Facts: facts, Root: root.Prefix, Changed: root.sides != nil, Each: p.each}
		if p.job.Ask {
			run.Ask = w.ask
		}
		w.flight.begin(0, name)
		if err := guard(func() error { return engine.Finish(ctx, run, col) }); err != nil {
			col.Report(&penstock.Note{
				Code: "finish-failed", Incomplete: true,
				Message: fmt.Sprintf("the engine %s could not finish: %s", r.engine.Name, detail(err)),
			})
		}
		facts = append(facts, col.facts...)
		slices.SortFunc(facts, compareFacts)
		records := p.place(t, r.engine.Name, col, facts)
		w.flight.end(0)
		for batch := range slices.Chunk(records, 1000) {
			if err := w.records(kind, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// place completes findings that an engine reported at the end, file by file, with
// what only the text of the file tells.
func (p *pass) place(t *finishTree, engine string, col *lockedReporter, facts []penstock.Fact) []penstock.Record {
	records := col.records
	files := make(map[string]*placed)
	file := func(path string) *placed {
		f := files[path]
		if f == nil {
			f = &placed{col: collector{path: path, limit: p.limits.FindingsPerRule, engine: engine}}
			f.ig = ignores{path: path, off: p.job.NoIgnores}
			files[path] = f
			if text, err := t.text(path); err == nil {
				f.text = &piece{text: text, lines: syntax.NewLines(text)}
			}
		}
		return f
	}
	for _, r := range records {
		switch r := r.(type) {
		case *penstock.Asset:
			if r.Location.Path != "" {
				file(r.Location.Path).locate(&r.Location)
			}
		case *penstock.Edge:
			if r.Location.Path != "" {
				file(r.Location.Path).locate(&r.Location)
			}
		}
	}
	slices.SortFunc(col.findings, (*penstock.Finding).Compare)
	for _, f := range col.findings {
		file(f.Location.Path).col.Report(f)
	}
	for _, f := range facts {
		if f.Engine == engine {
			file(f.Path) // its ignores may be unused
		}
	}
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		f := files[path]
		open := f.col.open
		if f.text != nil {
			f.ig.read(f.text)
			f.col.resolve(f.text, &f.ig, p.hide, p.salt())
			f.col.records = append(f.col.records, f.ig.unused(func(e string) bool { return e == engine })...)
		} else {
			for _, o := range open {
				f.col.records = append(f.col.records, o)
			}
		}
		for _, o := range open {
			for i := range o.Trace {
				l := &o.Trace[i].Location
				file(l.Path).locate(l)
			}
			for i := range o.Related {
				l := &o.Related[i].Location
				file(l.Path).locate(l)
			}
			for i := range o.Places {
				file(o.Places[i].Path).locate(&o.Places[i])
			}
			if p.job.NoIgnores {
				o.Suppressed = nil
			}
		}
		f.col.overflow()
		records = append(records, f.col.records...)
	}
	return records
}

// placed is a file that findings of Finish lie in.
type placed struct {
	text *piece // nil where it cannot be read
	col  collector
	ig   ignores
}

func (f *placed) locate(l *penstock.Location) {
	if f.text != nil && l.End <= int64(len(f.text.text)) {
		f.text.locate(l, f.col.path)
	}
}

// finishReads bounds how many files the end of a run may read for one engine.
const finishReads = 20_000

// finishTree reads files for Finish, each once.
type finishTree struct {
	tree
	// list names what lies in a folder of the root; nil asks the folder itself.
	list  func(name string) []string
	mu    sync.Mutex
	texts map[string][]byte
	held  int64
}

// Read implements penstock.Tree. Text in other encodings is converted, as it is for
// File.
func (t *finishTree) Read(path string) ([]byte, error) { return t.text(path) }

func (t *finishTree) text(path string) ([]byte, error) {
	t.mu.Lock()
	b, known := t.texts[path]
	t.mu.Unlock()
	if known {
		if b == nil {
			return nil, fs.ErrNotExist
		}
		return b, nil
	}
	b, err := t.tree.Read(path)
	if err == nil {
		if enc := source.Text(b[:min(len(b), headSize)]); enc != source.UTF8 && enc != source.Binary {
			b = source.ToUTF8(nil, b, enc)
		}
		if b == nil {
			b = []byte{}
		}
	}
	const most = 64 << 20
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		b = nil
	}
	if t.held += int64(len(b)); t.held <= most {
		t.texts[path] = b
	}
	return b, err
}

// List implements penstock.Tree.
func (t *finishTree) List(dir string) []string {
	name, ok := strings.CutPrefix(dir, t.root.Prefix)
	if dir+"/" == t.root.Prefix {
		name, ok = "", true
	}
	if !ok || t.root.File != "" {
		return nil
	}
	name = strings.TrimSuffix(name, "/")
	var names []string
	switch {
	case t.list != nil:
		names = t.list(name)
	case t.root.root != nil:
		names = t.root.root.List(name)
	}
	return slices.DeleteFunc(names, func(n string) bool {
		_, out := t.p.excludes(path.Join(name, n))
		return out
	})
}

// List implements penstock.Tree.
func (t *tree) List(dir string) []string { return nil } // what a file draws in, it names

// lister names what lies in a folder of one side of the comparison.
func (s *sides) lister(root *openRoot, base bool) func(name string) []string {
	if s.view.Kind == ViewWorkTree && !base {
		return nil
	}
	return func(name string) []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		dir := strings.Trim(joinPath(root.Sub, name), "/")
		var names []string
		if s.view.Kind == ViewStaged && !base {
			for _, e := range s.staged {
				rest, ok := e.Path, true
				if dir != "" {
					rest, ok = strings.CutPrefix(e.Path, dir+"/")
				}
				if !ok {
					continue
				}
				if i := strings.IndexByte(rest, '/'); i >= 0 {
					rest = rest[:i+1]
				}
				names = append(names, rest)
			}
			slices.Sort(names)
			return slices.Compact(names)
		}
		tree := s.head
		if base {
			tree = s.base
		}
		if tree.IsZero() {
			return nil
		}
		if dir != "" {
			e, err := s.git.Entry(tree, dir)
			if err != nil || e.Kind() != source.IndexFolder {
				return nil
			}
			tree = e.ID
		}
		entries, err := s.git.Tree(tree)
		if err != nil {
			return nil
		}
		for _, e := range entries {
			switch e.Kind() {
			case source.IndexFolder:
				names = append(names, e.Name+"/")
			case source.IndexFile:
				names = append(names, e.Name)
			}
		}
		slices.Sort(names)
		return names
	}
}

// each runs do(0..n-1) on as many goroutines as the job has.
func (p *pass) each(n int, do func(i int)) {
	if n == 1 {
		do(0)
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(p.job.Jobs, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}

// lockedReporter takes what Finish reports, from several goroutines.
type lockedReporter struct {
	mu       sync.Mutex
	engine   string
	findings []*penstock.Finding
	records  []penstock.Record // all else but facts
	facts    []penstock.Fact
}

// Report implements penstock.Reporter.
func (c *lockedReporter) Report(r penstock.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := r.(type) {
	case *penstock.Fact:
		r.Engine = c.engine
		c.facts = append(c.facts, *r)
	case *penstock.Finding:
		c.findings = append(c.findings, r)
	case *penstock.Coverage:
		if r.State == penstock.Unread && len(r.Engines) == 0 {
			r.Engines = []string{c.engine}
		}
		c.records = append(c.records, r)
	default:
		c.records = append(c.records, r)
	}
}

// finishOrder puts each engine behind those it names in After.
func finishOrder(engines []*runner) []*runner {
	var order []*runner
	placed := make(map[string]bool)
	selected := make(map[string]bool)
	for _, r := range engines {
		selected[r.engine.Name] = true
	}
	for len(order) < len(engines) {
		before := len(order)
		for _, r := range engines {
			ready := !placed[r.engine.Name]
			for _, name := range r.engine.After {
				ready = ready && (placed[name] || !selected[name])
			}
			if ready {
				order = append(order, r)
				placed[r.engine.Name] = true
			}
		}
		if len(order) == before {
			panic("engines wait for each other") // a programmer's error in the list of engines
		}
	}
	return order
}

func compareFacts(a, b penstock.Fact) int {
	return cmp.Or(cmp.Compare(a.Engine, b.Engine), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path), bytes.Compare(a.Data, b.Data))
}
