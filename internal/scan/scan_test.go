//go:build linux

package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// plant writes files into a new folder. Names are relative.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustRun(t *testing.T, cfg Config) *Result {
	t.Helper()
	if cfg.Engines == nil {
		cfg.Engines = testEngines()
	}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines is the result as text, without the places of this machine.
func lines(t *testing.T, r *Result, dir string) string {
	t.Helper()
	var b bytes.Buffer
	for rec := range r.Records() {
		if rec.RecordType() == "header" {
			continue
		}
		line, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

// states maps each covered path to its state and reason.
func states(r *Result, dir string) map[string]string {
	m := make(map[string]string)
	for _, c := range r.Coverage {
		s := c.State.String()
		if c.Reason != "" {
			s += " " + string(c.Reason)
		}
		path := strings.TrimPrefix(c.Path, dir+"/")
		if m[path] == "" {
			m[path] = s
		}
	}
	return m
}

var sample = map[string]string{
	"a.txt":         "one SECRET-abc here\nand MARK-x\n",
	"b/c.txt":       "SECRET-abc again\r\n\tSECRET-def // penstock: ignore[words/word] made up for the test\n",
	"b/d.unwanted":  "SECRET-zzz",
	"b/empty":       "",
	"bin.dat":       "\x7fELF\x00\x01\x02\x00SECRET-bin\x00",
	"e.txt":         strings.Repeat("filler line\n", 20_000) + "SECRET-far MARK-far\n",
	"link/readme":   "nothing",
	"with\nnewline": "SECRET-nl",
}

func TestRun(t *testing.T) {
	dir := plant(t, sample)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words", "marks"}})
	want := map[string]string{
		"a.txt": "scanned", "b/c.txt": "scanned", "b/d.unwanted": "excluded not-wanted", "b/empty": "scanned",
		"bin.dat": "excluded binary", "e.txt": "scanned", "link/readme": "scanned", "with\nnewline": "scanned",
		"out": "excluded symlink", "loop": "excluded symlink", "fifo": "excluded special",
	}
	if diff := cmp.Diff(want, states(r, dir)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	var got []string
	for _, f := range r.Findings {
		s := fmt.Sprintf("%s %s:%d:%d", f.Rule, strings.TrimPrefix(f.Location.Path, dir+"/"), f.Location.Line, f.Location.Column)
		if f.Suppressed != nil {
			s += " " + f.Suppressed.Kind
		}
		for _, p := range f.Places {
			s += fmt.Sprintf(" +%s:%d", strings.TrimPrefix(p.Path, dir+"/"), p.Line)
		}
		got = append(got, s)
	}
	wantFindings := []string{
		"words/word a.txt:1:5 +b/c.txt:1",
		"marks/word a.txt:2:5",
		"words/word b/c.txt:2:2 inline",
		"words/word e.txt:20001:1",
		"marks/word e.txt:20001:12",
		"words/word with\nnewline:1:1",
	}
	if diff := cmp.Diff(wantFindings, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r.Totals.Files != len(want) || r.Totals.Unread != 0 || r.Totals.Scanned != 6 {
		t.Errorf("totals: %+v", r.Totals)
	}
	if s := lines(t, r, dir); strings.Contains(s, "SECRET-") {
		t.Errorf("a secret is shown:\n%s", s)
	}
}

// TestOnlyMarksHidesSecrets: a snippet of another engine must not show a secret
// that stands beside its finding.
func TestOnlyMarksHidesSecrets(t *testing.T) {
	dir := plant(t, sample)
	r := mustRun(t, Config{Roots: []string{dir}, Select: []string{"marks"}})
	if len(r.Findings) != 2 || r.Findings[0].Snippet == nil {
		t.Fatalf("findings: %v", r.Findings)
	}
	if s := lines(t, r, dir); strings.Contains(s, "SECRET-") || !strings.Contains(s, hidden) {
		t.Errorf("a secret is shown, or nothing was hidden:\n%s", s)
	}
}

// TestValueAgain: the value of a finding is hidden wherever it stands in the
// snippet, and what surrounds it stays.
func TestValueAgain(t *testing.T) {
	value := "SECRET-" + "twice"
	dir := plant(t, map[string]string{"a": "was " + strings.ToLower(value[:2]) + " 'x' # " + value[7:] + "\nkey = '" + value + "' # " + value + "\n" + value + "tail\n"})
	r := mustRun(t, Config{Roots: []string{dir}, Select: []string{"words"}})
	if len(r.Findings) != 2 {
		t.Fatalf("%d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		for _, l := range f.Snippet.Lines {
			if strings.Contains(l.Text, value) {
				t.Errorf("shown: %q", l.Text)
			}
		}
	}
	if got, want := r.Findings[0].Snippet.Lines[1].Text, "key = '"+hidden+"' # "+hidden; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSameBytesWithAnyNumberOfJobs(t *testing.T) {
	dir := plant(t, sample)
	for i := range 50 {
		name := filepath.Join(dir, fmt.Sprintf("more%02d", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "SECRET-abc SECRET-m%d\nMARK-a", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cache := t.TempDir()
	var first string
	for i, jobs := range []int{1, 2, 8, 1, 8} {
		cfg := Config{Roots: []string{dir}, Jobs: jobs, Worker: testWorker}
		if i > 2 {
			cfg.CacheDir = cache
		}
		got := lines(t, mustRun(t, cfg), dir)
		if first == "" {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatalf("%d jobs (-first +got):\n%s", jobs, diff)
		}
	}
}

// TestBadFilesCostOnlyThemselves: whatever a file does to an engine, the others
// are scanned and the run is incomplete.
func TestBadFilesCostOnlyThemselves(t *testing.T) {
	files := map[string]string{"panic": "please-panic", "exit1": "please-exit", "exit2": "please-exit", "overflow": "please-overflow"}
	want := map[string]string{"panic": "unread crash", "exit1": "unread killed", "exit2": "unread killed", "overflow": "unread killed"}
	if !raceEnabled {
		files["allocate"] = "please-allocate"
		want["allocate"] = "unread killed"
	}
	for i := range 40 {
		name := fmt.Sprintf("good%02d", i)
		files[name] = "SECRET-g" + fmt.Sprint(i)
		want[name] = "scanned"
	}
	dir := plant(t, files)
	for _, jobs := range []int{1, 4} {
		r := mustRun(t, Config{Roots: []string{dir}, Jobs: jobs, Worker: testWorker, Select: []string{"words", "count"}})
		got := states(r, dir)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d jobs: coverage (-want +got):\n%s", jobs, diff)
		}
		if len(r.Findings) != 40 {
			t.Errorf("%d jobs: %d findings, want 40", jobs, len(r.Findings))
		}
		// Finish must see the facts of every file, those of dead workers included.
		facts := "41" // the good ones, and the one on which only the other engine panicked
		if len(r.Notes) != 1 || r.Notes[0].Message != facts {
			t.Errorf("%d jobs: notes %v, want one of %s", jobs, r.Notes[0], facts)
		}
		if s := lines(t, r, dir); strings.Contains(s, "in-panic") {
			t.Errorf("the panic's text is shown:\n%s", s)
		}
	}
}

func TestCache(t *testing.T) {
	dir := plant(t, sample)
	cache := t.TempDir()
	cfg := Config{Roots: []string{dir}, Worker: testWorker, CacheDir: cache, Setup: penstock.Setup{Key: bytes.Repeat([]byte{1}, 32)}}
	// Files that were touched just now are looked at again, so age them.
	old := time.Now().Add(-time.Hour)
	cfg.Now = time.Now().Add(time.Hour)
	for name := range sample {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	first := lines(t, mustRun(t, cfg), dir)
	second := lines(t, mustRun(t, cfg), dir)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("from the cache (-first +second):\n%s", diff)
	}
	// Same size, same time stamp, other bytes: the change time tells.
	a := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(a, []byte("two SECRET-abd here\nand MARK-x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(a, old, old); err != nil {
		t.Fatal(err)
	}
	third := mustRun(t, cfg)
	fresh := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Setup: cfg.Setup})
	if diff := cmp.Diff(lines(t, fresh, dir), lines(t, third, dir)); diff != "" {
		t.Errorf("after a change (-uncached +cached):\n%s", diff)
	}
	// A damaged cache is no cache.
	list, err := os.ReadDir(cache)
	if err != nil || len(list) != 1 {
		t.Fatalf("cache: %v %v", list, err)
	}
	name := filepath.Join(cache, list[0].Name())
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("SECRET-")) {
		t.Error("the cache holds a secret")
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(t, fresh, dir), lines(t, mustRun(t, cfg), dir)); diff != "" {
		t.Errorf("with a damaged cache (-uncached +got):\n%s", diff)
	}
}

func TestHostileTree(t *testing.T) {
	dir := plant(t, map[string]string{"ok": "SECRET-ok", "-rf": "SECRET-dash", "esc\x1b[31m": "x"})
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sparse.Truncate(10 << 30); err != nil {
		t.Fatal(err)
	}
	sparse.Close()
	long := make([]byte, 40<<20)
	for i := range long {
		long[i] = 'x'
	}
	copy(long[30<<20:], " SECRET-deep ")
	copy(long[64<<10-4:], " SECRET-edge ")
	if err := os.WriteFile(filepath.Join(dir, "long"), long, 0o644); err != nil {
		t.Fatal(err)
	}
	deep := dir
	for range 60 {
		deep = filepath.Join(deep, "dddddddddddddddddddd")
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, "f"), []byte("SECRET-bottom"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}})
	got := states(r, dir)
	if got["sparse"] != "excluded size" || got["long"] != "scanned" || got["-rf"] != "scanned" {
		t.Errorf("coverage: %v", got)
	}
	var places []string
	for _, f := range r.Findings {
		places = append(places, fmt.Sprintf("%s:%d:%d", filepath.Base(f.Location.Path), f.Location.Line, f.Location.Column))
	}
	slices.Sort(places)
	want := []string{"-rf:1:1", "f:1:1", fmt.Sprintf("long:1:%d", 30<<20+2), fmt.Sprintf("long:1:%d", 64<<10-4+2), "ok:1:1"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestUnreadable(t *testing.T) {
	dir := plant(t, map[string]string{"ok": "SECRET-ok", "closed": "SECRET-closed", "shut/in": "SECRET-in"})
	for _, name := range []string{"closed", "shut"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "shut"), 0o700) })
	r := mustRun(t, Config{Roots: []string{dir}, Worker: powerlessWorker, Select: []string{"words"}})
	want := map[string]string{"ok": "scanned", "closed": "unread permission", "shut/": "unread permission"}
	if diff := cmp.Diff(want, states(r, dir)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if r.Totals.Unread != 2 || len(r.Findings) != 1 {
		t.Errorf("totals %+v, %d findings", r.Totals, len(r.Findings))
	}
}

// meddler changes the tree while it is scanned, from the caller's own process.
type meddler struct{ dir string }

func (m meddler) Wants(string, penstock.FileInfo) bool { return true }

func (m meddler) File(_ context.Context, f *penstock.File, _ penstock.Reporter) error {
	switch filepath.Base(f.Path) {
	case "a-first":
		// What comes later in the walk has been listed already.
		os.Remove(filepath.Join(m.dir, "c-vanishes"))
		os.RemoveAll(filepath.Join(m.dir, "d-becomes-link"))
		os.Symlink("/etc/passwd", filepath.Join(m.dir, "d-becomes-link"))
	case "b-changes":
		os.WriteFile(filepath.Join(m.dir, "b-changes"), []byte("something else"), 0o644)
	}
	return nil
}

func (m meddler) Finish(context.Context, penstock.Run, penstock.Reporter) error { return nil }

func TestTreeChangesDuringTheScan(t *testing.T) {
	files := map[string]string{"a-first": "x", "b-changes": "x", "c-vanishes": "x", "d-becomes-link": "x", "e-last": "x"}
	dir := plant(t, files)
	engine := penstock.Engine{Name: "meddler", PerFile: true, Open: func(context.Context, penstock.Setup) (penstock.Pass, error) {
		return meddler{dir}, nil
	}}
	r := mustRun(t, Config{Roots: []string{dir}, Engines: []penstock.Engine{engine}, Jobs: 1})
	want := map[string]string{
		"a-first": "scanned", "b-changes": "unread changed", "c-vanishes": "unread vanished",
		"d-becomes-link": "unread changed", "e-last": "scanned",
	}
	if diff := cmp.Diff(want, states(r, dir)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// TestGitignore: what git tracks is scanned, whatever an ignore file says; what
// it does not track and ignores is left out, and without an index nothing is.
func TestGitignore(t *testing.T) {
	dir := plant(t, map[string]string{
		".gitignore":         "*.log\n/build/\n",
		"app/.gitignore":     "local\n",
		"a.log":              "SECRET-a", // tracked by force
		"b.log":              "SECRET-b",
		"build/out":          "SECRET-c",
		"build/kept":         "SECRET-d", // tracked by force
		"app/local":          "SECRET-e",
		"app/main":           "SECRET-f",
		"app/sub/c.log":      "SECRET-g",
		"app/sub/untracked":  "SECRET-h",
		"app/sub/local/deep": "SECRET-i",
	})
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-f", "a.log", "build/kept", "app/main", ".gitignore", "app/.gitignore")
	all := map[string]string{
		".gitignore": "scanned", "app/.gitignore": "scanned", ".git/": "excluded vcs", ".git/config": "scanned",
		"a.log": "scanned", "b.log": "excluded ignored", "build/out": "excluded ignored", "build/kept": "scanned",
		"app/local": "excluded ignored", "app/main": "scanned", "app/sub/c.log": "excluded ignored",
		"app/sub/untracked": "scanned", "app/sub/local/": "excluded ignored",
	}
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}})
	if diff := cmp.Diff(all, states(r, dir)); diff != "" {
		t.Errorf("whole (-want +got):\n%s", diff)
	}
	// From a folder inside, the ignore files above it count as well.
	sub := filepath.Join(dir, "app", "sub")
	r = mustRun(t, Config{Roots: []string{sub}, Worker: testWorker, Select: []string{"words"}})
	want := map[string]string{"c.log": "excluded ignored", "untracked": "scanned", "local/": "excluded ignored"}
	if diff := cmp.Diff(want, states(r, sub)); diff != "" {
		t.Errorf("inside (-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, ".git", "index")); err != nil {
		t.Fatal(err)
	}
	r = mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}})
	if r.Totals.ByReason[penstock.ReasonIgnored] != 0 {
		t.Errorf("without an index %d files are ignored", r.Totals.ByReason[penstock.ReasonIgnored])
	}
}

func TestRunErrors(t *testing.T) {
	dir := plant(t, map[string]string{"ok": "SECRET-ok"})
	for name, cfg := range map[string]Config{
		"missing":        {Roots: []string{filepath.Join(dir, "none")}},
		"unknown engine": {Roots: []string{dir}, Select: []string{"wrods"}},
		"broken rule":    {Roots: []string{dir}, Setup: penstock.Setup{RuleFiles: []penstock.RuleFile{{Path: "r.toml", Data: []byte("broken")}}}},
	} {
		cfg.Engines = testEngines()
		cfg.Worker = testWorker
		_, err := Run(t.Context(), cfg)
		var e *penstock.Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s: %v, want an error with a hint", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Roots: []string{dir}, Engines: testEngines(), Worker: testWorker}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestStdin(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	text := strings.Repeat("filler ", 2_000_000) + "\nSECRET-in"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := mustRun(t, Config{Roots: []string{"-"}, Stdin: f, Worker: testWorker, Select: []string{"words"}})
	if len(r.Findings) != 1 || r.Findings[0].Location.Line != 2 || r.Findings[0].Location.Path != "stdin" {
		t.Errorf("findings: %+v", r.Findings)
	}
	if r.Totals.Bytes != int64(len(text)) {
		t.Errorf("%d bytes read, want %d", r.Totals.Bytes, len(text))
	}
}

func TestWireRefusesNonsense(t *testing.T) {
	u := unit{path: "a/b", size: 3, state: penstock.Scanned, engines: 3, deps: []dep{{path: "x"}}, records: []byte("[]")}
	whole := u.append(nil)
	for n := range whole {
		r := unitReader{s: string(whole[:n])}
		if _, err := r.unit(); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a unit", n, len(whole))
		}
	}
}

func FuzzUnit(f *testing.F) {
	u := unit{path: "a/b", size: 3, state: penstock.Scanned, engines: 3, deps: []dep{{path: "x"}}, records: []byte("[]")}
	f.Add(u.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := unitReader{s: string(b)}
		u, err := r.unit()
		if err != nil {
			return
		}
		again := unitReader{s: string(u.append(nil))}
		v, err := again.unit()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u, v, cmp.AllowUnexported(unit{}, dep{})); diff != "" {
			t.Error(diff)
		}
	})
}
