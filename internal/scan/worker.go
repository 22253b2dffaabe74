package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"penstock"
	"penstock/internal/source"
)

// WorkerArg is the argument by which the program knows that it is a worker. It
// must be looked at before anything else is done.
const WorkerArg = "__worker"

// Descriptors that the parent hands to the worker beside the standard streams.
const (
	fdFlight = 3 // memory shared with the parent: the files in flight
	fdStdin  = 4 // the user's standard input, or the null device
	fdAnswer = 5 // what the parent answers to questions
	fdCache  = 6 // one cache file per root that has one
)

// ServeWorker is the whole of the worker process: it reads a job from standard
// input, gives up its rights, scans, and writes frames to standard output. It
// returns the exit code.
func ServeWorker(engines []penstock.Engine) int {
	limitStack()
	debug.SetGCPercent(400) // until many files are read, see files
	flight, err := openFlight(os.NewFile(fdFlight, "flight"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return penstock.ExitError
	}
	caches := func(i int) *os.File { return os.NewFile(uintptr(fdCache+i), "cache") }
	w := &worker{engines: engines, flight: flight, stdin: os.NewFile(fdStdin, "stdin"), answers: bufio.NewReader(os.NewFile(fdAnswer, "answers")), cache: caches, confine: confine}
	if err := w.serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return penstock.ExitError
	}
	return penstock.ExitPass
}

// worker is one worker, in its own process or, for tests, in the caller's.
type worker struct {
	engines []penstock.Engine
	flight  *flight
	stdin   *os.File
	answers *bufio.Reader // frames of the parent
	cache   func(i int) *os.File
	// confine gives up the process's rights; nil in the caller's own process.
	confine func(paths []string, j *job) ([]penstock.Note, error)

	mu  sync.Mutex // guards out
	out *bufio.Writer
	buf []byte

	asking sync.Mutex // one question at a time
}

func (w *worker) serve(in io.Reader, out io.Writer) error {
	w.out = bufio.NewWriterSize(out, 64<<10)
	kind, payload, err := readFrame(bufio.NewReader(in), nil)
	if err != nil || kind != frameJob {
		return fmt.Errorf("read job: %w", errors.Join(err, errFrame))
	}
	var j job
	if err := json.Unmarshal(payload, &j); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if err := w.run(j); err != nil {
		f := fatal{Message: err.Error()}
		var e *penstock.Error
		if errors.As(err, &e) {
			f.Hint = e.Hint
		}
		b, err := json.Marshal(f)
		if err != nil {
			return err
		}
		w.frame(frameFatal, b)
	} else {
		w.frame(frameEnd, nil)
	}
	return w.out.Flush()
}

func (w *worker) frame(kind byte, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A broken pipe means that the parent is gone; the next write ends us.
	if writeFrame(w.out, kind, payload) != nil {
		os.Exit(penstock.ExitError)
	}
}

func (w *worker) unit(kind byte, u *unit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = u.append(w.buf[:0])
	if writeFrame(w.out, kind, w.buf) != nil {
		os.Exit(penstock.ExitError)
	}
}

// known tells the parent, some at a time, that a unit is as the cache has it: the
// distance of its index from the one before.
func (w *worker) known(root *openRoot, index int) {
	root.known = binary.AppendUvarint(root.known, uint64(index-root.last))
	root.last = index
	if len(root.known) > 32<<10 {
		w.flushKnown(root)
	}
}

func (w *worker) flushKnown(root *openRoot) {
	if len(root.known) > 0 {
		w.frame(frameKnown, append(binary.AppendUvarint(nil, uint64(root.index)), root.known...))
		root.known = root.known[:0]
	}
}

func (w *worker) records(kind byte, records []penstock.Record) error {
	b, err := encodeRecords(records)
	if err != nil || b == nil {
		return err
	}
	w.frame(kind, b)
	return nil
}

func (w *worker) run(j job) error {
	ctx := context.Background() // ends with the process
	p := &pass{job: j, limits: j.Limits, bytes: newGate(max(64<<20, 2*j.Limits.WholeSize))}
	for _, e := range w.engines {
		if e.Secrets != nil {
			p.hide = e.Secrets
		}
	}
	for i, name := range j.Engines {
		k := slices.IndexFunc(w.engines, func(e penstock.Engine) bool { return e.Name == name })
		if k < 0 {
			return fmt.Errorf("unknown engine %q", name)
		}
		p.engines = append(p.engines, &runner{engine: w.engines[k], bit: 1 << i, setup: j.Setup})
	}
	var paths []string
	caches := 0
	for k, r := range j.Roots {
		root := &openRoot{jobRoot: r, index: k}
		p.roots = append(p.roots, root)
		if r.Cached {
			f := w.cache(caches)
			if r.View.history() {
				root.seen = loadSeen(f)
			} else {
				root.cache = loadCache(f)
			}
			caches++
		}
		if r.Stdin {
			root.stdin = source.NewFile(w.stdin)
			continue
		}
		more, err := root.find(&j)
		if err != nil {
			return err
		}
		paths = append(paths, more...)
	}
	if w.confine != nil {
		notes, err := w.confine(paths, &j)
		if err != nil {
			return err
		}
		var records []penstock.Record
		for i := range notes {
			records = append(records, &notes[i])
		}
		if err := w.records(frameHello, records); err != nil {
			return err
		}
	}
	for _, root := range p.roots {
		if root.sides != nil {
			if err := root.sides.open(); err != nil {
				return &penstock.Error{Message: "read the repository", Err: err}
			}
		}
	}
	if len(p.job.Exclude) > 0 {
		exclude, problems := source.ParseExclude(p.job.Exclude)
		for _, why := range problems {
			glob := p.job.Exclude[min(max(why.Line, 1), len(p.job.Exclude))-1]
			return &penstock.Error{Message: fmt.Sprintf("exclude %q: %s", glob, why.Message), Hint: "globs are in .gitignore syntax"}
		}
		p.exclude = exclude
	}
	if len(j.Setup.RuleFiles) > 0 {
		// A rule file with an error is an error of the run, before any file.
		for _, r := range p.engines {
			if _, err := r.open(ctx); err != nil {
				return err
			}
		}
	}
	facts, err := w.files(ctx, p)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(j.Roots, func(r jobRoot) bool { return r.View.history() }) {
		return nil // work across files would join those of different times
	}
	facts.add(false, j.Facts)
	facts.add(true, j.BaseFacts)
	return w.finish(ctx, p, facts)
}

// find opens what the root is, while the worker may, and returns the paths that it
// needs from then on.
func (r *openRoot) find(j *job) ([]string, error) {
	var paths []string
	if r.View.history() {
		dirs, err := source.FindGit(r.View.Repository, r.View.GitOptions())
		if err != nil {
			return nil, &penstock.Error{Message: "open the repository", Err: err}
		}
		r.dirs = dirs
		return dirs.Paths(), nil
	}
	if r.View != nil {
		s, err := findSides(r.View)
		if err != nil {
			return nil, &penstock.Error{Message: "open the repository", Err: err}
		}
		r.sides = s
		paths = append(paths, s.dirs.Paths()...)
		if r.View.Kind != ViewWorkTree {
			return paths, nil
		}
	}
	opened, err := source.OpenRoot(r.Name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.Name, err)
	}
	r.root = opened
	if r.Repo != "" && !j.NoGit {
		if dirs, err := source.FindGit(r.Repo, source.GitOptions{}); err == nil {
			if top, err := source.OpenRoot(r.Repo); err == nil {
				r.git = source.ReadRepository(dirs, top, r.Sub)
				top.Close()
			}
			dirs.Close()
		}
	}
	return append(paths, filepath.Join(r.Name, r.File)), nil
}

func loadCache(f *os.File) *cursor {
	defer f.Close()
	s, err := readCache(f)
	if err != nil {
		return nil
	}
	return newCursor(s)
}

// task is one file to read.
type task struct {
	root *openRoot
	name string
	stat source.Stat
	// known is what the cache has for the path, nil for nothing.
	known *unit
	// blob is the object to read in place of the file, zero for none; base is set
	// for the old side of a comparison.
	blob source.ObjectID
	base bool
}

// path is the path of the task's unit.
func (t *task) path() string {
	if t.base {
		return basePrefix + t.root.Prefix + t.name
	}
	return t.root.Prefix + t.name
}

// files walks the roots and reads every file, several at a time.
func (w *worker) files(ctx context.Context, p *pass) (facts, error) {
	done := setOf(p.job.Done)
	alone := setOf(p.job.Alone)
	var later []task
	var mu sync.Mutex
	var all facts
	var failed atomic.Pointer[error]
	keep := func(records []byte, base bool) {
		if found := factsOf(records); len(found) > 0 {
			mu.Lock()
			all.add(base, found)
			mu.Unlock()
		}
	}
	one := func(slot int, t task, s *scratch) {
		w.flight.begin(slot, t.path())
		defer w.flight.end(slot)
		u, differs := p.file(ctx, t, s)
		if !differs {
			return
		}
		w.unit(frameUnit, &u)
		if err := p.openError(); err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		keep(u.records, t.base)
	}
	stop := func() bool { return failed.Load() != nil }
	offered := 0
	// phase reads what all offers, on as many goroutines as the job has.
	phase := func(all func(offer func(task)) error) error {
		tasks := make(chan task, 256)
		var readers sync.WaitGroup
		// A run of few small files, or one that finds everything in the cache, needs
		// no readers beside the walk: handing them over costs more than reading them.
		few, started := make([]task, 0, fewTasks), false
		start := func() {
			started = true
			for slot := range p.job.Jobs {
				readers.Go(func() {
					s := new(scratch)
					for t := range tasks {
						if !stop() {
							one(slot, t, s)
						}
					}
				})
			}
			for _, t := range few {
				tasks <- t
			}
		}
		err := all(func(t task) {
			path := t.path()
			if done[path] {
				t.root.met(t)
				return
			}
			if u, i := t.root.cache.seek(path); u != nil {
				if u.unchanged(t.stat) && p.depsHold(u.deps) {
					w.known(t.root, i)
					keep(u.records, false)
					return
				}
				copied := *u
				t.known = &copied
			}
			if alone[path] {
				later = append(later, t)
				return
			}
			if offered++; offered == manyUnits {
				debug.SetGCPercent(50)
			}
			if !started && len(few) < fewTasks && t.stat.Size <= fewSize {
				few = append(few, t)
				return
			}
			if !started {
				start()
			}
			tasks <- t
		})
		if !started {
			s := new(scratch)
			for _, t := range few {
				if !stop() {
					one(0, t, s)
				}
			}
		}
		close(tasks)
		readers.Wait()
		return err
	}
	walkErr := phase(func(offer func(task)) error {
		var errs []error
		for _, root := range p.roots {
			errs = append(errs, w.root(ctx, p, root, offer, stop))
			w.flushKnown(root)
		}
		return errors.Join(errs...)
	})
	for _, root := range p.roots {
		// Only now it is known which files of the base are others in the work tree.
		if root.sides != nil && root.View.Kind == ViewWorkTree && walkErr == nil && !stop() {
			walkErr = phase(func(offer func(task)) error { return w.offerOld(p, root, offer) })
		}
	}
	s := new(scratch)
	for _, t := range later {
		if !stop() {
			// What was written must be with the parent if this one kills us.
			w.flush()
			one(0, t, s)
		}
	}
	if err := failed.Load(); err != nil {
		return all, *err
	}
	return all, walkErr
}

func (w *worker) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.Flush()
}

// root offers every file of one root and reports what is not offered.
func (w *worker) root(ctx context.Context, p *pass, root *openRoot, offer func(task), stop func() bool) error {
	cover := func(c penstock.Coverage) {
		u := unit{path: root.Prefix + c.Path, size: c.Size, state: c.State, reason: c.Reason, detail: c.Detail}
		w.unit(frameUnit, &u)
	}
	if root.dirs != nil {
		return w.history(ctx, p, root, stop)
	}
	file := func(name string, st source.Stat) {
		if !root.untouched(name, st) {
			offer(task{root: root, name: name, stat: st})
		}
	}
	if root.sides != nil {
		defer func() { _ = w.records(frameRecords, root.sides.notes()) }()
		if root.View.Kind != ViewWorkTree {
			return w.changes(p, root, offer, cover, stop)
		}
		if err := root.listOld(); err != nil {
			return err
		}
		p.offerSparse(root, offer)
	}
	switch {
	case root.Stdin:
		u := p.stream(ctx, root)
		w.unit(frameUnit, &u)
		return nil
	case root.File != "":
		f, st, err := root.root.Open(root.File)
		if err != nil {
			cover(penstock.Coverage{Path: root.File, State: penstock.Unread, Reason: source.Reason(err), Detail: detail(err)})
			return nil
		}
		f.Close()
		file(root.File, st)
		return nil
	}
	walker := &source.Walker{Root: root.root, Git: root.git, File: file, Cover: cover}
	walker.Exclude = p.exclude
	walker.Note = func(n penstock.Note) { _ = w.records(frameRecords, []penstock.Record{&n}) }
	return walker.Walk(stop)
}

// stream reads standard input, which has no size and can be read only once.
func (p *pass) stream(ctx context.Context, root *openRoot) unit {
	u := unit{path: stdinName}
	c := content{path: stdinName, tree: p.tree(&openRoot{jobRoot: root.jobRoot})}
	limited := &io.LimitedReader{R: root.stdin, N: p.limits.FileSize}
	first, err := io.ReadAll(io.LimitReader(limited, p.limits.WholeSize+1))
	if err != nil {
		return u.unread(source.Reason(err), err)
	}
	c.bytes, c.size = first, int64(len(first))
	if c.size > p.limits.WholeSize {
		c.bytes, c.random = nil, onlyHead(first)
		c.reopen = once(io.MultiReader(bytes.NewReader(first), limited))
	}
	c.info.Size = c.size
	u = p.analyse(ctx, u, c)
	u.size = p.limits.FileSize - limited.N
	if limited.N == 0 && u.state == penstock.Scanned {
		return u.unread(penstock.ReasonSize, fmt.Errorf("only the first %d bytes were read", p.limits.FileSize))
	}
	return u
}

// onlyHead reads the start of a stream that is kept in memory.
func onlyHead(first []byte) io.ReaderAt { return bytes.NewReader(first[:min(len(first), headSize)]) }

// once returns r the first time and an error after that.
func once(r io.Reader) func() (io.Reader, error) {
	used := false
	return func() (io.Reader, error) {
		if used {
			return nil, penstock.ErrTooLarge
		}
		used = true
		return r, nil
	}
}

// stdinName is the path under which standard input is shown.
const stdinName = "stdin"

// openError is the first error of opening an engine, an error of the run.
func (p *pass) openError() error {
	for _, r := range p.engines {
		if r.opened && r.err != nil {
			return r.err
		}
	}
	return nil
}

// Below these a run is read where it is walked: a number of files, and the bytes of
// each. The size of an object is not known beforehand and counts as none.
const (
	fewTasks = 32
	fewSize  = 256 << 10
)

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}
