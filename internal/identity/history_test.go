package identity_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/identity"
)

// TestHistories measures identity on real histories. It needs copies of public
// repositories that are known to be harmless, since it runs git on them:
//
//	PENSTOCK_HISTORIES="NAME=GITDIR:MONTHS,..." go test -run Histories -v ./internal/identity
//
// The truth is a line map: "git diff -w -M40%" between the two ends, and "git
// blame -w -M -C" of the new one. Lines that were edited are outside of it, so
// joins of findings on such lines count as unknown; PENSTOCK_SAMPLE names a file
// for them, to be judged by eye. "Both" is what either says and the other does not
// deny, "apart" the same without files that were renamed and have a copy.
func TestHistories(t *testing.T) {
	list := os.Getenv("PENSTOCK_HISTORIES")
	if list == "" {
		t.Skip("PENSTOCK_HISTORIES is not set")
	}
	sample := os.Stdout
	if name := os.Getenv("PENSTOCK_SAMPLE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sample = f
	}
	for _, h := range strings.Split(list, ",") {
		name, rest, _ := strings.Cut(h, "=")
		k := strings.LastIndex(rest, ":")
		months, err := strconv.Atoi(rest[k+1:])
		if err != nil {
			t.Fatal(err)
		}
		m := loadMeasured(t, os.Getenv("PENSTOCK_SAVE"), name, rest[:k], months)
		g := history{t, rest[:k]}
		fresh := g.git("rev-parse", "HEAD")
		m.report(t, name, months, g.copies(g.before(fresh, months), fresh), sample)
	}
}

// measured is what was seen of a history: the places of both ends with their
// lines, and the truth twice.
type measured struct {
	Old, Fresh  []seen
	Diff, Blame [][2]int
}

type seen struct {
	F     *penstock.Features
	N     int
	Group string
	Text  string
}

// loadMeasured scans a history, or reads what an earlier run of the same program
// saved: only the matcher may have changed since.
func loadMeasured(t *testing.T, saved, name, dir string, months int) *measured {
	file := filepath.Join(saved, name+".json")
	m := &measured{}
	if b, err := os.ReadFile(file); saved != "" && err == nil {
		if err := json.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	g := history{t, dir}
	fresh := g.git("rev-parse", "HEAD")
	old := g.before(fresh, months)
	oldDir, freshDir := g.checkout(old), g.checkout(fresh)
	// git knows nothing of the inside of archives.
	inArchive := func(o identity.Observation) bool { return strings.Contains(o.Path, penstock.MemberSeparator) }
	a := slices.DeleteFunc(observe(t, oldDir), inArchive)
	b := slices.DeleteFunc(observe(t, freshDir), inArchive)
	two, from, to := g.pair(oldDir, freshDir)
	pairs := func(tr truth) (list [][2]int) {
		for _, o := range slices.Sorted(maps.Keys(tr.to)) {
			list = append(list, [2]int{o, tr.to[o]})
		}
		return list
	}
	m.Diff = pairs(truthOf(a, b, two.diff(from, to)))
	m.Blame = pairs(truthOf(a, b, g.blame(old, oldDir, fresh, b)))
	for _, o := range a {
		m.Old = append(m.Old, seen{o.Features, o.Finding, o.Group, lineOf(oldDir, o)})
	}
	for _, o := range b {
		m.Fresh = append(m.Fresh, seen{o.Features, o.Finding, o.Group, lineOf(freshDir, o)})
	}
	if saved != "" {
		b, err := json.Marshal(m)
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *measured) report(t *testing.T, name string, months int, copied func(old, fresh string) bool, sample io.Writer) {
	side := func(list []seen) (out []identity.Observation) {
		for _, s := range list {
			out = append(out, identity.Observation{Features: s.F, Finding: s.N, Group: s.Group})
		}
		return out
	}
	a, b := side(m.Old), side(m.Fresh)
	r := identity.Match(a, b, identity.Options{})
	if d := wrongExact(a, b, r); d != "" {
		t.Error(d)
	}
	for _, by := range []string{"diff", "blame", "both", "apart"} {
		tr := newTruth()
		switch by {
		case "diff":
			tr = asTruth(m.Diff)
		case "blame":
			tr = asTruth(m.Blame)
		default:
			// What either says and the other does not deny: blame takes a copy for a
			// move, and diff takes one of two equal lines for the other.
			diff, blame := asTruth(m.Diff), asTruth(m.Blame)
			for _, p := range append(slices.Clone(m.Diff), m.Blame...) {
				if by == "apart" && copied(m.Old[p[0]].F.Path, m.Fresh[p[1]].F.Path) {
					continue
				}
				if diff.allows(p) && blame.allows(p) {
					tr.to[p[0]], tr.from[p[1]] = p[1], p[0]
				}
			}
		}
		var c tally
		c.add(r, tr, a, b)
		fmt.Printf("%-13s %2d months %-5s old %5d new %5d skipped %d | survive %5d kept %6.2f%% swapped %d lost %d | wrong %.2f%% of %d joins, twins %d, exact %d\n",
			name, months, by, len(a), len(b), len(r.Skipped), c.survivors, percent(c.kept, c.survivors), c.swapped, c.lost, percent(sum(c.wrong), c.joins), c.joins, c.twins, c.exactWrong)
		for p := identity.PassSame; p <= identity.PassEdited; p++ {
			fmt.Printf("   %-7s right %5d wrong %3d unknown %4d\n", p, c.right[p], c.wrong[p], c.unknown[p])
		}
		got := map[int]bool{}
		for _, p := range r.Pairs {
			got[p.Old] = true
			n, known := tr.to[p.Old]
			_, knownNew := tr.from[p.New]
			kind := "UNKNOWN"
			switch {
			case known && n == p.New:
				continue
			case known || knownNew:
				kind = "WRONG"
			}
			o, f := m.Old[p.Old], m.Fresh[p.New]
			fmt.Fprintf(sample, "%s %s %s %s exact=%v ctx=%.2f sim=%.2f scope=%v %s\n  - %s:%d: %s\n  + %s:%d: %s\n", name, by, kind, p.Pass, p.Exact, p.Context, p.Similar, p.Scope, o.F.Class,
				o.F.Path, o.F.Line, o.Text, f.F.Path, f.F.Line, f.Text)
			if known {
				f := m.Fresh[n]
				fmt.Fprintf(sample, "  = %s:%d: %s\n", f.F.Path, f.F.Line, f.Text)
			}
			if before, ok := tr.from[p.New]; ok {
				o := m.Old[before]
				fmt.Fprintf(sample, "  ~ %s:%d: %s\n", o.F.Path, o.F.Line, o.Text)
			}
		}
		for _, o := range slices.Sorted(maps.Keys(tr.to)) {
			if o, f := m.Old[o], m.Fresh[tr.to[o]]; !got[slices.IndexFunc(m.Old, func(s seen) bool { return s.F == o.F })] {
				fmt.Fprintf(sample, "%s %s LOST %s\n  - %s:%d: %s\n  + %s:%d: %s\n", name, by, o.F.Class, o.F.Path, o.F.Line, o.Text, f.F.Path, f.F.Line, f.Text)
			}
		}
	}
}

func asTruth(pairs [][2]int) truth {
	t := newTruth()
	for _, p := range pairs {
		t.to[p[0]], t.from[p[1]] = p[1], p[0]
	}
	return t
}

// allows reports whether the truth has the pair, or nothing against it.
func (t truth) allows(p [2]int) bool {
	n, ok := t.to[p[0]]
	o, back := t.from[p[1]]
	return (!ok || n == p[1]) && (!back || o == p[0])
}

func lineOf(dir string, o identity.Observation) string {
	b, _ := os.ReadFile(filepath.Join(dir, o.Path))
	lines := bytes.Split(b, []byte("\n"))
	if o.Line < 1 || o.Line > len(lines) {
		return ""
	}
	l := bytes.TrimSpace(lines[o.Line-1])
	return string(l[:min(len(l), 160)])
}

type history struct {
	t   testing.TB
	dir string
}

func (g history) git(args ...string) string { return strings.TrimSpace(string(g.raw(args...))) }

func (g history) raw(args ...string) []byte {
	g.t.Helper()
	out, err := g.try(args...)
	if err != nil {
		g.t.Fatalf("git %s: %v", args, err)
	}
	return out
}

func (g history) try(args ...string) ([]byte, error) {
	cmd := exec.Command("git", append([]string{"--git-dir=" + g.dir, "-c", "core.fsmonitor=", "-c", "diff.external="}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	return cmd.Output()
}

// before is the commit of the first-parent line some months before another.
func (g history) before(commit string, months int) string {
	date := g.git("log", "-1", "--format=%cd", "--date=format:%Y-%m-%d", commit)
	return g.git("rev-list", "-1", "--first-parent", fmt.Sprintf("--before=%s -%d months", date, months), commit)
}

func (g history) checkout(commit string) string {
	g.t.Helper()
	dir := g.t.TempDir()
	for _, f := range g.files(commit) {
		name := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(name, f.text, 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	return dir
}

type file struct {
	path string
	text []byte
}

// files reads the files of a commit. A copy may lack large ones.
func (g history) files(commit string) []file {
	g.t.Helper()
	var list []file
	var ask bytes.Buffer
	for _, l := range strings.Split(string(g.raw("ls-tree", "-r", "-z", commit)), "\x00") {
		meta, path, ok := strings.Cut(l, "\t")
		if f := strings.Fields(meta); ok && f[1] == "blob" && f[0] != "120000" {
			list = append(list, file{path: path})
			fmt.Fprintln(&ask, f[2])
		}
	}
	cmd := exec.Command("git", "--git-dir="+g.dir, "cat-file", "--batch")
	cmd.Stdin = &ask
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("cat-file: %v", err)
	}
	have := list[:0]
	for _, f := range list {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		out = rest
		field := strings.Fields(string(head))
		if len(field) < 3 {
			continue // missing
		}
		n, err := strconv.Atoi(field[2])
		if err != nil {
			g.t.Fatal(err)
		}
		f.text, out = out[:n], out[n+1:]
		have = append(have, f)
	}
	return have
}

// copies reports of a file that was renamed whether git chose among copies: one of
// equal content has gone, or come, as well. Then nobody knows which became which.
func (g history) copies(old, fresh string) func(old, fresh string) bool {
	list := func(commit string) map[string]string {
		blobs := map[string]string{}
		for _, l := range strings.Split(string(g.raw("ls-tree", "-r", "-z", commit)), "\x00") {
			if meta, path, ok := strings.Cut(l, "\t"); ok {
				blobs[path] = strings.Fields(meta)[2]
			}
		}
		return blobs
	}
	was, is := list(old), list(fresh)
	count := func(these, others map[string]string) map[string]int {
		n := map[string]int{}
		for path, blob := range these {
			if _, ok := others[path]; !ok {
				n[blob]++
			}
		}
		return n
	}
	gone, came := count(was, is), count(is, was)
	return func(o, n string) bool { return o != n && (gone[was[o]] > 1 || came[is[n]] > 1) }
}

// pair makes a repository of two commits out of two folders, in which git can
// compare what a copy with missing files cannot.
func (g history) pair(oldDir, freshDir string) (repo history, old, fresh string) {
	g.t.Helper()
	repo = history{g.t, filepath.Join(g.t.TempDir(), "git")}
	repo.raw("init", "-q", "--bare")
	for _, dir := range []string{oldDir, freshDir} {
		args := []string{"-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null", "--work-tree=" + dir}
		repo.raw(append(args, "add", "-A", "-f", ".")...)
		old, fresh = fresh, repo.git("write-tree")
	}
	return repo, old, fresh
}

// hunk is a changed region: counts of lines at old and new.
type hunk struct{ old, oldN, fresh, freshN int }

// diff is the line map of two commits, new to old.
func (g history) diff(old, fresh string) func(lineRef) (lineRef, bool) {
	oldPath := map[string]string{} // by new path
	hunks := map[string][]hunk{}
	was := map[string]bool{}
	for _, p := range strings.Split(string(g.raw("ls-tree", "-r", "-z", "--name-only", old)), "\x00") {
		was[p] = true
	}
	in := bufio.NewScanner(bytes.NewReader(g.raw("-c", "core.quotePath=false", "diff", "-w", "-M40%", "-l20000", "-U0", "--no-color", "--no-ext-diff", "--no-textconv", old, fresh)))
	in.Buffer(nil, 64<<20)
	var from, to string
	body := 0
	for in.Scan() {
		l := in.Text()
		switch {
		case body > 0 && l != "" && (l[0] == '+' || l[0] == '-'):
			body--
		case strings.HasPrefix(l, "diff --git "):
			from, to, body = "", "", 0
		case strings.HasPrefix(l, "rename from "):
			from = l[len("rename from "):]
		case strings.HasPrefix(l, "rename to "):
			to = l[len("rename to "):]
			oldPath[to] = from
		case strings.HasPrefix(l, "--- "):
			from = strings.TrimSuffix(strings.TrimPrefix(l[4:], "a/"), "\t")
		case strings.HasPrefix(l, "+++ "):
			to = strings.TrimSuffix(strings.TrimPrefix(l[4:], "b/"), "\t")
			oldPath[to] = from
		case strings.HasPrefix(l, "@@ "):
			f := strings.Fields(l)
			h := hunk{}
			h.old, h.oldN = span(f[1][1:])
			h.fresh, h.freshN = span(f[2][1:])
			body = h.oldN + h.freshN
			hunks[to] = append(hunks[to], h)
		}
	}
	return func(at lineRef) (lineRef, bool) {
		from, changed := oldPath[at.path]
		if !changed {
			return at, was[at.path]
		}
		if from == "/dev/null" {
			return lineRef{}, false
		}
		shift := 0
		for _, h := range hunks[at.path] {
			start := h.fresh
			if h.freshN == 0 {
				start++ // the hunk lies after this line
			}
			if at.line < start {
				break
			}
			if at.line < start+h.freshN {
				return lineRef{}, false
			}
			shift = h.oldN - h.freshN + shift
		}
		return lineRef{from, at.line + shift}, true
	}
}

func span(s string) (start, n int) {
	a, b, ok := strings.Cut(s, ",")
	start, _ = strconv.Atoi(a)
	n = 1
	if ok {
		n, _ = strconv.Atoi(b)
	}
	return start, n
}

// blame maps the lines of new observations to the old commit.
func (g history) blame(old, oldDir, fresh string, list []identity.Observation) func(lineRef) (lineRef, bool) {
	origin := map[lineRef]lineRef{}
	maps := map[string]func(lineRef) (lineRef, bool){}
	byPath := map[string][]int{}
	for _, o := range list {
		byPath[o.Path] = append(byPath[o.Path], o.Line)
	}
	for p, lines := range byPath {
		args := []string{"blame", "-w", "-M", "-C", "--porcelain"}
		slices.Sort(lines)
		for _, l := range slices.Compact(lines) {
			if l > 0 {
				args = append(args, fmt.Sprintf("-L%d,%d", l, l))
			}
		}
		if len(args) == 5 {
			continue
		}
		out, err := g.try(append(args, old+".."+fresh, "--", p)...)
		if err != nil {
			continue // an object is missing in the copy: no truth for this file
		}
		type commit struct {
			boundary bool
			path     string
		}
		commits := map[string]*commit{}
		var sha, where string
		var was, now int
		for _, l := range strings.Split(string(out), "\n") {
			f := strings.Fields(l)
			switch {
			case len(f) >= 3 && len(f[0]) == 40 && !strings.HasPrefix(l, "\t"):
				sha = f[0]
				was, _ = strconv.Atoi(f[1])
				now, _ = strconv.Atoi(f[2])
				if commits[sha] == nil {
					commits[sha] = &commit{}
				}
				where = commits[sha].path
			case l == "boundary":
				commits[sha].boundary = true
			case strings.HasPrefix(l, "filename "):
				where = l[len("filename "):]
				commits[sha].path = where
			case strings.HasPrefix(l, "\t"):
				if !commits[sha].boundary {
					continue
				}
				at := lineRef{where, was}
				if sha != old {
					// A branch that left before the old commit: from there to it.
					if maps[sha] == nil {
						if len(maps) >= 40 {
							continue
						}
						two, from, to := g.pair(oldDir, g.checkout(sha))
						maps[sha] = two.diff(from, to)
					}
					back, ok := maps[sha](at)
					if !ok {
						continue
					}
					at = back
				}
				origin[lineRef{p, now}] = at
			}
		}
	}
	return func(at lineRef) (lineRef, bool) {
		o, ok := origin[at]
		return o, ok
	}
}

// wrongExact looks for a pair that is exact and must not be.
func wrongExact(old, fresh []identity.Observation, r identity.Result) string {
	for _, p := range r.Pairs {
		o, n := old[p.Old], fresh[p.New]
		if p.Exact && (p.Pass == identity.PassEdited || o.Code != n.Code || o.Scope != n.Scope || o.Value != n.Value || o.Class != n.Class) {
			return fmt.Sprintf("an exact pair of different code: %s:%d and %s:%d", o.Path, o.Line, n.Path, n.Line)
		}
	}
	return ""
}
