package scan

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"penstock"
)

// manyUnits is the number of files from which a run is large enough for memory to
// matter more than the time that collecting it takes.
const manyUnits = 256

// historyMemory is the worker's limit for a history, in bytes: a million commits and
// three million versions of files take more than a tree ever does.
const historyMemory = 3 << 30

// maxRestarts bounds how many workers one run may lose. Each loss costs two
// restarts at most: one to find the culprit, one to go on.
const maxRestarts = 24

// Run scans and returns the result. An error means that the run as a whole could
// not be done; what went wrong with single files is coverage. When ctx ends, the
// worker is ended and ctx's error returned.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	r, err := newRun(&cfg)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		err := r.attempt(ctx)
		if err == nil {
			break
		}
		var died *diedError
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.As(err, &died) {
			return nil, err
		}
		if try >= maxRestarts || r.hopeless(died) {
			r.giveUp(died, try+1)
			break
		}
		r.afterDeath(died)
	}
	r.saveCache()
	return r.result(), nil
}

// run is the parent's state of one run.
type run struct {
	cfg     *Config
	job     job
	engines []penstock.Engine // selected, in the order of job.Engines
	caches  []string          // the cache file's name of each root, "" for none

	done []*unit
	// units are the paths of done, kept once a worker has died: the next one
	// walks again.
	units     map[string]bool
	texts     []string          // the cache file of each root, checked
	cached    [][]unit          // of each root, decoded when the worker first names one
	lastKnown []int             // of each root, in this attempt
	records   []penstock.Record // of Finish and of the walk, this attempt's
	base      []penstock.Record // of Finish, of the base's side
	hello     []penstock.Record
	notes     []penstock.Record // the parent's own
	alone     map[string]bool   // in flight when a worker died
	renames   map[string]string // files that moved as they are, from old to new
	histories []*historyEnd     // of this attempt
	seen      map[int][]byte    // of each root, what the next run may build on
	blind     int               // workers that died with nothing in flight
	fresh     bool              // something is not as the cache has it
	asked     int               // questions of this attempt
	answers   io.Writer         // to the worker
}

// newRun checks the configuration and makes the job.
func newRun(cfg *Config) (*run, error) {
	r := &run{cfg: cfg, alone: make(map[string]bool)}
	selected := cfg.Select
	if len(selected) == 0 {
		for _, e := range cfg.Engines {
			selected = append(selected, e.Name)
		}
	}
	selected = slices.Sorted(slices.Values(selected))
	selected = slices.Compact(selected)
	for _, name := range selected {
		i := slices.IndexFunc(cfg.Engines, func(e penstock.Engine) bool { return e.Name == name })
		if i < 0 {
			return nil, &penstock.Error{Code: penstock.ExitUsage, Message: fmt.Sprintf("unknown engine %q", name), Hint: "engines: " + strings.Join(engineNamesOf(cfg.Engines), ", ")}
		}
		r.engines = append(r.engines, cfg.Engines[i])
	}
	if cfg.View.history() {
		// Versions of different times make no whole.
		r.engines = slices.DeleteFunc(r.engines, func(e penstock.Engine) bool { return !e.PerFile })
		if len(r.engines) == 0 {
			return nil, &penstock.Error{Code: penstock.ExitUsage, Message: "none of the engines chosen can read a history: " + strings.Join(selected, ", ")}
		}
		selected = engineNamesOf(r.engines)
	}
	now := cfg.Now
	if now.IsZero() {
		now = time.Now()
	}
	jobs := cfg.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	r.job = job{
		Engines: selected, Setup: cfg.Setup, Exclude: cfg.Exclude, Jobs: min(jobs, flightSlots), Limits: cfg.Limits.withDefaults(),
		NoIgnores: cfg.NoIgnores, NoGit: cfg.NoGit, Sandbox: cfg.Sandbox, Hash: cfg.CacheDir != "" && !cfg.CacheReadOnly, Now: now.UnixNano(),
		Ask: cfg.Resolve != nil,
	}
	if cfg.View.history() {
		r.job.Setup.Repeats = true
		if cfg.Limits.Memory == 0 {
			r.job.Limits.Memory = historyMemory
		}
	}
	if len(r.job.Setup.Key) == 0 {
		r.job.Setup.Key = make([]byte, 32)
		if _, err := rand.Read(r.job.Setup.Key); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	for _, name := range cfg.Roots {
		root, err := resolveRoot(cfg.Dir, name)
		if err != nil {
			return nil, err
		}
		if cfg.View != nil {
			if err := root.look(cfg.View, name); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(r.job.Roots, root) {
			r.job.Roots = append(r.job.Roots, root)
		}
	}
	r.job.Roots = withoutNested(r.job.Roots)
	r.texts = make([]string, len(r.job.Roots))
	r.cached = make([][]unit, len(r.job.Roots))
	for i := range r.job.Roots {
		root := &r.job.Roots[i]
		name := ""
		switch {
		case cfg.CacheDir == "" || root.Stdin:
		case root.View.remembers():
			name = cacheDigest(cfg, &r.job, *root, r.engines) + ".seen"
			_, root.Cached = checkCache(filepath.Join(cfg.CacheDir, name), seenMagic)
		case root.View == nil:
			name = cacheDigest(cfg, &r.job, *root, r.engines) + ".units"
			if text, ok := checkCache(filepath.Join(cfg.CacheDir, name), cacheMagic); ok {
				root.Cached = true
				r.texts[i] = text
			}
		}
		r.caches = append(r.caches, name)
	}
	return r, nil
}

func engineNamesOf(engines []penstock.Engine) []string {
	var names []string
	for _, e := range engines {
		names = append(names, e.Name)
	}
	return names
}

// resolveRoot finds what the user named. A link in that name is followed: the
// user chose it.
func resolveRoot(base, name string) (jobRoot, error) {
	if name == "-" {
		return jobRoot{Stdin: true}, nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return jobRoot{}, fmt.Errorf("resolve %s: %w", name, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return jobRoot{}, &penstock.Error{Message: fmt.Sprintf("%s does not exist", name), Hint: "name a folder, a file, an archive, or - for standard input", Err: nil}
	}
	if err != nil {
		return jobRoot{}, &penstock.Error{Message: fmt.Sprintf("cannot open %s", name), Err: err}
	}
	st, err := os.Stat(real)
	if err != nil {
		return jobRoot{}, &penstock.Error{Message: fmt.Sprintf("cannot open %s", name), Err: err}
	}
	shown := showAs(base, name, abs)
	if st.IsDir() {
		if shown != "" {
			shown += "/"
		}
		root := jobRoot{Name: real, Prefix: shown}
		root.Repo, root.Sub = findRepository(real)
		return root, nil
	}
	if !st.Mode().IsRegular() {
		return jobRoot{}, &penstock.Error{Message: fmt.Sprintf("%s is neither a folder nor a regular file", name), Hint: "to scan a stream, pipe it in and name it -"}
	}
	dir := filepath.ToSlash(filepath.Dir(shown))
	if dir == "." || shown == "" {
		dir = ""
	} else if !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	return jobRoot{Name: filepath.Dir(real), File: filepath.Base(real), Prefix: dir}, nil
}

// look makes the root one of the repository in place of its files.
func (r *jobRoot) look(v *View, name string) error {
	sub, err := filepath.Rel(v.Repository, r.Name)
	if r.Stdin || err != nil || !filepath.IsLocal(sub) {
		return &penstock.Error{Code: penstock.ExitUsage, Message: fmt.Sprintf("%s does not lie in the repository %s", name, v.Repository)}
	}
	if sub == "." {
		sub = ""
	}
	if _, err := os.Lstat(filepath.Join(v.Repository, ".git")); errors.Is(err, fs.ErrNotExist) {
		r.Prefix = "" // a bare repository: its files lie nowhere
	}
	r.View, r.Repo, r.Sub = v, v.Repository, filepath.ToSlash(sub)
	return nil
}

// findRepository looks for the git work tree that a folder lies in.
func findRepository(dir string) (top, sub string) {
	for top := dir; ; top = filepath.Dir(top) {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			sub, err := filepath.Rel(top, dir)
			if err != nil || sub == "." {
				sub = ""
			}
			return top, filepath.ToSlash(sub)
		}
		if top == filepath.Dir(top) {
			return "", ""
		}
	}
}

// showAs is how paths below a root begin: relative to where the user stands, if
// the root is below it, else as the user wrote it.
func showAs(base, name, abs string) string {
	if cwd, err := filepath.Abs(base); err == nil {
		if rel, err := filepath.Rel(cwd, abs); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			if rel == "." {
				return ""
			}
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(filepath.Clean(name))
}

// withoutNested drops roots that lie inside another one.
func withoutNested(roots []jobRoot) []jobRoot {
	var out []jobRoot
	for i, r := range roots {
		inside := false
		for k, other := range roots {
			if i == k || other.File != "" || other.Stdin || r.Stdin {
				continue
			}
			full := filepath.Join(r.Name, r.File)
			inside = inside || full != other.Name && strings.HasPrefix(full, strings.TrimSuffix(other.Name, "/")+"/")
		}
		if !inside {
			out = append(out, r)
		}
	}
	return out
}

// diedError says that the worker ended without finishing.
type diedError struct {
	how    string
	flight []string
}

func (e *diedError) Error() string { return e.how }

// attempt runs one worker to its end.
func (r *run) attempt(ctx context.Context) error {
	r.asked = 0
	r.records, r.base, r.hello, r.histories, r.seen = nil, nil, nil, nil, make(map[int][]byte)
	if r.cfg.View.history() {
		// The first commit of a flaw is known when all is read: what a worker that
		// died has sent does not count, but for what killed one.
		r.done = slices.DeleteFunc(r.done, func(u *unit) bool { return u.reason != penstock.ReasonKilled })
		r.units = setOf(pathsOf(r.done))
	}
	r.lastKnown = make([]int, len(r.job.Roots))
	r.job.Done = r.job.Done[:0]
	for _, u := range r.done {
		r.job.Done = append(r.job.Done, u.path)
		if strings.HasPrefix(u.path, basePrefix) {
			r.job.BaseFacts = append(r.job.BaseFacts, factsOf(u.records)...)
			continue
		}
		r.job.Facts = append(r.job.Facts, factsOf(u.records)...)
	}
	r.job.Alone = slices.Sorted(maps.Keys(r.alone))
	payload, err := json.Marshal(&r.job)
	if err != nil {
		return fmt.Errorf("encode job: %w", err)
	}
	r.job.Facts, r.job.BaseFacts = nil, nil
	if r.cfg.Worker == nil {
		return r.inProcess(ctx, payload)
	}
	return r.inWorker(ctx, payload)
}

// inProcess runs the worker's code here, without a sandbox.
func (r *run) inProcess(ctx context.Context, payload []byte) error {
	jobR, jobW := io.Pipe()
	outR, outW := io.Pipe()
	answerR, answerW := io.Pipe()
	defer answerW.Close()
	r.answers = answerW
	w := &worker{engines: r.cfg.Engines, stdin: r.cfg.Stdin, answers: bufio.NewReader(answerR), cache: func(i int) *os.File { return r.openCaches()[i] }}
	go func() {
		b := bufio.NewWriter(jobW)
		_ = writeFrame(b, frameJob, payload)
		_ = b.Flush()
	}()
	go func() { outW.CloseWithError(w.serve(jobR, outW)) }()
	return r.read(ctx, outR)
}

func (r *run) openCaches() []*os.File {
	var files []*os.File
	for i, root := range r.job.Roots {
		if !root.Cached {
			continue
		}
		f, err := os.Open(filepath.Join(r.cfg.CacheDir, r.caches[i]))
		if err != nil {
			f, _ = os.Open(os.DevNull)
		}
		files = append(files, f)
	}
	return files
}

// inWorker runs a worker process.
func (r *run) inWorker(ctx context.Context, payload []byte) error {
	cmd, err := r.cfg.Worker()
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	flight, err := newFlight()
	if err != nil {
		return err
	}
	defer flight.close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	defer null.Close()
	stdin := r.cfg.Stdin
	if stdin == nil || !slices.ContainsFunc(r.job.Roots, func(j jobRoot) bool { return j.Stdin }) {
		stdin = null
	}
	var job bytes.Buffer
	b := bufio.NewWriter(&job)
	if err := errors.Join(writeFrame(b, frameJob, payload), b.Flush()); err != nil {
		return err
	}
	caches := r.openCaches()
	defer func() {
		for _, f := range caches {
			f.Close()
		}
	}()
	stderr := &tail{max: 16 << 10}
	cmd.Env = []string{} // not nil: nil would mean ours
	cmd.Stdin = &job
	cmd.Stderr = stderr
	answerR, answerW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	defer answerW.Close()
	defer answerR.Close()
	r.answers = answerW
	cmd.ExtraFiles = append([]*os.File{flight.file, stdin, answerR}, caches...)
	isolate(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	answerR.Close() // so that writing to a worker that is gone fails
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	readErr := r.read(ctx, out)
	if readErr != nil {
		_ = cmd.Process.Kill() // it may still write; nobody reads
	}
	waitErr := cmd.Wait()
	var f *penstock.Error
	if readErr == nil || errors.As(readErr, &f) {
		return readErr
	}
	return &diedError{how: howDied(readErr, waitErr, stderr.b), flight: flight.paths()}
}

// tail keeps the end of what a worker says while dying. It is classed, never
// shown: it may hold bytes of the files.
type tail struct {
	b   []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	// The first lines of a Go crash say why.
	if room := t.max - len(t.b); room > 0 {
		t.b = append(t.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func howDied(readErr, waitErr error, stderr []byte) string {
	switch {
	case errors.Is(readErr, errFrame):
		return "the worker sent something malformed"
	case bytes.Contains(stderr, []byte("stack overflow")), bytes.Contains(stderr, []byte("stack exceeds")):
		return "the worker ran out of stack"
	case bytes.Contains(stderr, []byte("out of memory")), bytes.Contains(stderr, []byte("cannot allocate memory")):
		return "the worker ran out of memory"
	case waitErr != nil:
		return "the worker died (" + waitErr.Error() + ")"
	default:
		return "the worker ended early"
	}
}

// read takes frames until the end. It trusts nothing in them.
func (r *run) read(ctx context.Context, out io.Reader) error {
	in := bufio.NewReaderSize(out, 256<<10)
	var buf []byte
	for count := 0; ; count++ {
		kind, payload, err := readFrame(in, buf)
		if err != nil {
			return err
		}
		buf = payload
		switch kind {
		case frameUnit:
			err = r.unit(payload)
		case frameKnown:
			err = r.known(payload)
		case frameRecords, frameBase, frameHello:
			var records []penstock.Record
			records, err = decodeRecords(payload)
			switch kind {
			case frameHello:
				r.hello = append(r.hello, records...)
			case frameBase:
				r.base = append(r.base, records...)
			default:
				r.records = append(r.records, records...)
			}
		case frameRenames:
			var moved map[string]string
			if json.Unmarshal(payload, &moved) != nil {
				return errFrame
			}
			if r.renames == nil {
				r.renames = make(map[string]string)
			}
			maps.Copy(r.renames, moved)
		case frameHistory:
			end := new(historyEnd)
			if json.Unmarshal(payload, end) != nil || !end.valid(len(r.job.Roots)) {
				return errFrame
			}
			r.histories = append(r.histories, end)
		case frameSeen:
			root, size := binary.Uvarint(payload)
			if size <= 0 || root >= uint64(len(r.job.Roots)) {
				return errFrame
			}
			r.seen[int(root)] = bytes.Clone(payload[size:])
		case frameStep:
			n, size := binary.Uvarint(payload)
			if size <= 0 || n > math.MaxInt32 {
				return errFrame
			}
			if r.cfg.Progress != nil {
				r.cfg.Progress(int(n))
			}
		case frameAsk:
			err = r.answer(ctx, payload)
		case frameFatal:
			var f fatal
			if err := json.Unmarshal(payload, &f); err != nil {
				return errFrame
			}
			return &penstock.Error{Message: f.Message, Hint: f.Hint}
		case frameEnd:
			return nil
		default:
			err = errFrame
		}
		if err != nil {
			return err
		}
		if r.cfg.Progress != nil && count%64 == 0 {
			r.cfg.Progress(len(r.done))
		}
	}
}

// unit takes one unit of the worker.
func (r *run) unit(payload []byte) error {
	reader := unitReader{s: string(payload)}
	u, err := reader.unit()
	if err != nil || reader.s != "" {
		return errFrame
	}
	if u.path == "" || len(u.path) > 2*flightSlot || u.engines>>len(r.engines) != 0 || !r.ours(u.path) {
		return errFrame
	}
	if r.units[u.path] {
		return nil // a folder that an earlier worker reported
	}
	r.fresh = r.fresh || u.cacheable()
	if r.cfg.CacheDir == "" {
		u.deps, u.hash = nil, digest{}
	}
	r.done = append(r.done, &u)
	if len(r.done) == manyUnits {
		// What the parent holds is the result, which only grows; half the slack costs
		// it little time and keeps parent and worker together small.
		debug.SetGCPercent(50)
	}
	return nil
}

// known takes units that are as the cache has them.
func (r *run) known(payload []byte) error {
	n, size := binary.Uvarint(payload)
	if size <= 0 || n >= uint64(len(r.cached)) {
		return errFrame
	}
	payload = payload[size:]
	if r.cached[n] == nil {
		r.cached[n] = decodeCache(r.texts[n])
		r.done = slices.Grow(r.done, len(r.cached[n]))
		debug.SetGCPercent(50)
	}
	units := r.cached[n]
	at := &r.lastKnown[n]
	for len(payload) > 0 {
		step, size := binary.Uvarint(payload)
		if size <= 0 || step > uint64(len(units)) {
			return errFrame
		}
		payload = payload[size:]
		if *at += int(step); *at >= len(units) {
			return errFrame
		}
		if !r.units[units[*at].path] {
			r.done = append(r.done, &units[*at])
		}
	}
	return nil
}

// ours reports whether a path belongs to a root of the run.
func (r *run) ours(path string) bool {
	switch {
	case r.cfg.View.history():
		var ok bool
		if _, path, ok = cutCommit(path); !ok {
			return false
		}
	case r.cfg.View != nil:
		path = strings.TrimPrefix(path, basePrefix)
	}
	for _, root := range r.job.Roots {
		if root.Stdin && path == stdinName || !root.Stdin && strings.HasPrefix(path, root.Prefix) {
			return true
		}
	}
	return false
}

func pathsOf(units []*unit) []string {
	paths := make([]string, 0, len(units))
	for _, u := range units {
		paths = append(paths, u.path)
	}
	return paths
}

// afterDeath decides what the next worker does: what was in flight is read one
// at a time, and the one that was alone in flight is the culprit.
func (r *run) afterDeath(died *diedError) {
	r.units = make(map[string]bool, len(r.done))
	for _, u := range r.done {
		r.units[u.path] = true
	}
	var open []string
	for _, path := range died.flight {
		if !r.units[path] {
			open = append(open, path)
		}
	}
	if len(open) == 1 && (r.alone[open[0]] || r.job.Jobs == 1) {
		r.kill(open[0], died.how)
		return
	}
	for _, path := range open {
		r.alone[path] = true
	}
}

func (r *run) kill(path, how string) {
	delete(r.alone, path)
	if !r.ours(path) {
		return
	}
	if r.units != nil {
		r.units[path] = true
	}
	r.done = append(r.done, &unit{path: path, state: penstock.Unread, reason: penstock.ReasonKilled, detail: how})
}

// hopeless reports whether another worker would come no further: it died twice while
// it walked a history, before any version of a file, and each walk takes long.
func (r *run) hopeless(died *diedError) bool {
	if !r.cfg.View.history() || len(died.flight) > 0 {
		return false
	}
	r.blind++
	return r.blind > 1
}

// giveUp ends a run whose workers keep dying.
func (r *run) giveUp(died *diedError, times int) {
	for _, path := range slices.Sorted(maps.Keys(r.alone)) {
		r.kill(path, died.how)
	}
	r.notes = append(r.notes, &penstock.Note{
		Code: "worker-lost", Incomplete: true,
		Message: fmt.Sprintf("the worker died %d times, the last time because %s; what was left is not read", times, died.how),
	})
}

// saveCache writes each root's units if they are not what the cache has.
func (r *run) saveCache() {
	if r.cfg.CacheDir == "" || r.cfg.CacheReadOnly {
		return
	}
	for i, root := range r.job.Roots {
		if r.caches[i] == "" {
			continue
		}
		if root.View.history() {
			if seen := r.seen[i]; seen != nil {
				r.noteCache(placeCache(r.cfg.CacheDir, r.caches[i], seenMagic, seen))
			}
			continue
		}
		if root.Cached && !r.fresh {
			continue
		}
		var units []*unit
		for _, u := range r.done {
			if u.cacheable() && strings.HasPrefix(u.path, root.Prefix) {
				units = append(units, u)
			}
		}
		r.noteCache(writeCache(r.cfg.CacheDir, r.caches[i], units, r.job.Now))
	}
}

func (r *run) noteCache(err error) {
	if err != nil {
		r.notes = append(r.notes, &penstock.Note{Code: "cache", Message: "the cache cannot be written: " + detail(err), Hint: "--no-cache turns it off"})
	}
}

// header describes the run.
func (r *run) header() penstock.Header {
	rules, config := sha256.New(), sha256.New()
	for _, e := range r.engines {
		fmt.Fprintf(rules, "%s %d %s\n", e.Name, e.Version, digestOf(e))
	}
	for _, f := range r.job.Setup.RuleFiles {
		fmt.Fprintf(rules, "%x\n", sha256.Sum256(f.Data))
	}
	enc := json.NewEncoder(config)
	_ = enc.Encode(r.job.Exclude)
	_ = enc.Encode(r.job.Setup.SkipRules)
	_ = enc.Encode(r.job.Setup.DecodeDepth)
	_ = enc.Encode(r.job.Limits)
	_ = enc.Encode([]bool{r.job.NoIgnores, r.job.NoGit})
	_ = enc.Encode(r.job.Setup.Pipeline)
	return penstock.Header{
		Schema: penstock.Schema, Tool: "penstock", Version: r.cfg.Version, Build: r.cfg.Build,
		Roots: r.cfg.Roots, Engines: r.job.Engines, Base: r.cfg.View.base(), Head: r.cfg.View.head(), History: r.cfg.View.history(),
		Rules: hex.EncodeToString(rules.Sum(nil)), Config: hex.EncodeToString(config.Sum(nil)),
	}
}
