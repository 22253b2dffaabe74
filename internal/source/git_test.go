package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func gitText(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(string(gitCommand(t, dir, nil, args...)))
}

func writeFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// objectRepository makes a repository by git fast-import: a history with branches,
// merges (criss-cross, and of three), clocks that went wrong, renames, links, a
// submodule, tags of tags, and files of which little changes.
func objectRepository(t testing.TB, init ...string) string {
	t.Helper()
	dir := t.TempDir()
	gitCommand(t, dir, nil, append([]string{"init", "-q", "-b", "main"}, init...)...)
	gitCommand(t, dir, nil, "config", "gc.auto", "0")
	gitCommand(t, dir, nil, "config", "uploadpack.allowFilter", "true")
	g := rand.New(rand.NewPCG(7, 11))
	var in bytes.Buffer
	text := func() string {
		var b strings.Builder
		for i := range 120 {
			fmt.Fprintf(&b, "line %d %x\n", i, g.Uint64())
		}
		return b.String()
	}
	files := make([]string, 12)
	for i := range files {
		files[i] = text()
	}
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(g.Uint32())
	}
	data := func(s string) { fmt.Fprintf(&in, "data %d\n%s\n", len(s), s) }
	clock := int64(1_500_000_000)
	const commits = 60
	for n := 1; n <= commits; n++ {
		clock += int64(g.IntN(5000)) - 700 // now and then before its parent
		fmt.Fprintf(&in, "commit refs/heads/b%d\nmark :%d\nauthor A U Thor <a@example.com> %d -0730\ncommitter C <c@example.com> %d +0130\n", n%3, n, clock-50, clock)
		data(fmt.Sprintf("commit %d\n\nwith a body\n", n))
		if n > 3 {
			fmt.Fprintf(&in, "from :%d\n", max(1, n-1-g.IntN(6)))
			for range g.IntN(3) {
				fmt.Fprintf(&in, "merge :%d\n", max(1, n-1-g.IntN(6)))
			}
		} else if n > 1 {
			fmt.Fprintf(&in, "from :%d\n", n-1)
		}
		if n == 1 {
			fmt.Fprintf(&in, "M 120000 inline link\n")
			data("d0/file-0")
			fmt.Fprintf(&in, "M 160000 %s module\n", strings.Repeat("1", map[bool]int{true: 64, false: 40}[len(init) > 0]))
			fmt.Fprintf(&in, "M 100644 inline large\n")
			data(string(noise))
			fmt.Fprintf(&in, "M 100755 inline d1.x/run\n")
			data("#!/bin/sh\n")
			fmt.Fprintf(&in, "M 100644 inline d1/empty\n")
			data("")
			for i := range files {
				fmt.Fprintf(&in, "M 100644 inline d%d/e/file-%d\n", i%4, i)
				data(files[i])
			}
		}
		for range 1 + g.IntN(3) {
			i := g.IntN(len(files))
			at := g.IntN(len(files[i]) - 100)
			files[i] = files[i][:at] + fmt.Sprintf("changed %x\n", g.Uint32()) + files[i][at+g.IntN(60):]
			fmt.Fprintf(&in, "M 100644 inline d%d/e/file-%d\n", i%4, i)
			data(files[i])
		}
		if n%20 == 0 {
			fmt.Fprintf(&in, "R d1/e moved-%d\n", n)
		}
		if n%25 == 0 {
			noise[n] ^= 1
			fmt.Fprintf(&in, "M 100644 inline large\n")
			data(string(noise))
		}
	}
	// Two branches that merged each other: two best common ancestors.
	for i, parents := range [][]int{{commits}, {commits}, {commits + 1, commits + 2}, {commits + 2, commits + 1}} {
		fmt.Fprintf(&in, "commit refs/heads/cross%d\nmark :%d\ncommitter C <c@example.com> %d +0000\n", i%2, commits+1+i, clock+int64(i))
		data(fmt.Sprint("cross ", i))
		fmt.Fprintf(&in, "from :%d\n", parents[0])
		for _, p := range parents[1:] {
			fmt.Fprintf(&in, "merge :%d\n", p)
		}
		fmt.Fprintf(&in, "M 100644 inline cross%d\n", i)
		data("x")
	}
	fmt.Fprintf(&in, "reset refs/heads/main\nfrom :%d\n\n", commits)
	gitCommand(t, dir, in.Bytes(), "fast-import", "--quiet", "--force")
	gitCommand(t, dir, nil, "tag", "light", "main~3")
	gitCommand(t, dir, nil, "tag", "-a", "-m", "a tag", "v1", "main~5")
	gitCommand(t, dir, nil, "tag", "-a", "-m", "a tag of a tag", "v1.1", "v1")
	gitCommand(t, dir, nil, "tag", "-a", "-m", "a tag of a tree", "tree", "main^{tree}")
	gitCommand(t, dir, nil, "checkout", "-q", "main")
	return dir
}

func openGit(t testing.TB, path string, opts GitOptions) *Git {
	t.Helper()
	d, err := FindGit(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	g, err := OpenGit(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// allObjects is what git says: of each object its kind and content.
func allObjects(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := gitCommand(t, dir, nil, "cat-file", "--batch-all-objects", "--batch")
	all := make(map[string]string)
	for len(out) > 0 {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		f := strings.Fields(string(head))
		size, err := strconv.Atoi(f[2])
		if err != nil {
			t.Fatal(err)
		}
		all[f[0]] = f[1] + "\n" + string(rest[:size])
		out = rest[size+1:]
	}
	return all
}

// compareObjects reads every object in each of the ways there are.
func compareObjects(t *testing.T, dir string, g *Git) {
	t.Helper()
	want := allObjects(t, dir)
	if len(want) < 10 {
		t.Fatalf("only %d objects", len(want))
	}
	for name, content := range want {
		id, err := ParseObjectID(name)
		if err != nil {
			t.Fatal(err)
		}
		kind, size, err := g.Size(id)
		if err != nil || !strings.HasPrefix(content, kind.String()+"\n") || size != int64(len(content)-len(kind.String())-1) {
			t.Errorf("size of %s: %v %d, %v", name, kind, size, err)
		}
		kind, data, err := g.Get(id)
		if err != nil || kind.String()+"\n"+string(data) != content {
			t.Errorf("get %s: %v, %d bytes, %v", name, kind, len(data), err)
		}
		kind, size, r, err := g.Open(id)
		if err != nil {
			t.Errorf("open %s: %v", name, err)
			continue
		}
		data, err = io.ReadAll(r)
		if err != nil || kind.String()+"\n"+string(data) != content || size != int64(len(data)) {
			t.Errorf("stream of %s: %v, %d of %d bytes, %v", name, kind, len(data), size, err)
		}
		r.Close()
		if !g.Has(id) {
			t.Errorf("%s is not there", name)
		}
	}
	plan, err := g.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Objects() != len(want) {
		t.Errorf("the plan has %d objects of %d", plan.Objects(), len(want))
	}
	seen := make(map[ObjectID][]byte)
	for chunk := range plan.Chunks() {
		err := g.Visit(plan, chunk, func(o *Object) error {
			if o.Err != nil {
				t.Error(o.Err)
				return nil
			}
			if seen[o.ID] != nil {
				t.Errorf("%s comes twice", o.ID)
			}
			if o.Kind.String()+"\n"+string(o.Data) != want[o.ID.String()] {
				t.Errorf("visit of %s: %v, %d bytes", o.ID, o.Kind, len(o.Data))
			}
			seen[o.ID] = append([]byte{}, o.Data...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d of %d objects visited", len(seen), len(want))
	}
	for _, note := range g.Notes() {
		t.Error(note)
	}
}

func TestGitObjects(t *testing.T) {
	needGit(t)
	for _, format := range []string{"sha1", "sha256"} {
		var init []string
		if format != "sha1" {
			init = []string{"--object-format=" + format}
		}
		t.Run(format, func(t *testing.T) {
			dir := objectRepository(t, init...)
			check := func(what string) {
				t.Helper()
				t.Run(what, func(t *testing.T) { compareObjects(t, dir, openGit(t, dir, GitOptions{})) })
			}
			check("as imported")
			gitCommand(t, dir, nil, "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=20")
			if n := gitText(t, dir, "count-objects", "-v"); !strings.Contains(n, "packs: 1") {
				t.Fatalf("not one pack: %s", n)
			}
			check("deltas")
			t.Run("small caches", func(t *testing.T) {
				compareObjects(t, dir, openGit(t, dir, GitOptions{Cache: 20_000, Pages: 1}))
			})
			gitCommand(t, dir, nil, "-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f")
			check("deltas by id")
			gitCommand(t, dir, nil, "-c", "pack.indexVersion=1", "repack", "-q", "-a", "-d", "-f")
			check("index version 1")
			gitCommand(t, dir, nil, "repack", "-q", "-a", "-d", "-f")
			for i := range 3 {
				writeFile(t, filepath.Join(dir, "later"), fmt.Sprint("later ", i))
				gitCommand(t, dir, nil, "add", "-A")
				gitCommand(t, dir, nil, "commit", "-q", "-m", "later")
				gitCommand(t, dir, nil, "repack", "-q", "-d")
			}
			writeFile(t, filepath.Join(dir, "later"), "loose")
			gitCommand(t, dir, nil, "add", "-A")
			check("packs and loose")
			gitCommand(t, dir, nil, "multi-pack-index", "write")
			g := openGit(t, dir, GitOptions{})
			if len(g.midx) != 1 || len(g.packs) != 4 || !g.packs[3].covered {
				t.Fatalf("the multi-pack index is not used: %d, %d packs", len(g.midx), len(g.packs))
			}
			check("multi-pack index")
			gitCommand(t, dir, nil, "commit", "-q", "-m", "after the multi-pack index")
			gitCommand(t, dir, nil, "repack", "-q", "-d")
			check("a pack beside the multi-pack index")
			for _, object := range looseFiles(t, dir) {
				t.Errorf("%s is still loose", object)
			}
			gitCommand(t, dir, nil, "config", "core.looseCompression", "0")
			gitCommand(t, dir, bytes.Repeat([]byte("stored "), 100_000), "hash-object", "-w", "--stdin")
			for _, p := range g.packs {
				gitCommand(t, dir, mustRead(t, filepath.Join(dir, ".git/objects/pack", p.name)), "unpack-objects", "-q")
			}
			check("loose beside packs")
		})
	}
}

func looseFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".git/objects/??/*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGitBareAndWorktree(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	gitCommand(t, dir, nil, "clone", "-q", "--bare", dir, bare)
	compareObjects(t, bare, openGit(t, bare, GitOptions{}))

	tree := filepath.Join(t.TempDir(), "tree")
	gitCommand(t, dir, nil, "worktree", "add", "-q", "-b", "side", tree, "b1")
	g := openGit(t, tree, GitOptions{})
	compareObjects(t, tree, g)
	if g.dirs.Common != filepath.Join(dir, ".git") {
		t.Errorf("common folder %s", g.dirs.Common)
	}
	for _, name := range []string{"HEAD", "side", "main", "v1"} {
		id, err := g.Resolve(name)
		if want := gitText(t, tree, "rev-parse", name); err != nil || id.String() != want {
			t.Errorf("%s: %s, want %s: %v", name, id, want, err)
		}
	}
	if b, err := g.dirs.dir.readSmall("index", 1<<20); err != nil || !bytes.Equal(b, mustRead(t, filepath.Join(g.dirs.Dir, "index"))) {
		t.Errorf("index of the worktree: %v", err)
	}
	// The sandbox is told of all that is read.
	for _, path := range []string{g.dirs.Dir, filepath.Join(dir, ".git/objects"), filepath.Join(dir, ".git/refs"), filepath.Join(dir, ".git/packed-refs")} {
		if !slices.Contains(g.dirs.Paths(), path) {
			t.Errorf("paths lack %s: %q", path, g.dirs.Paths())
		}
	}
}

// TestGitLink: .git as a file or link is followed only where what it names belongs
// to this very work tree.
func TestGitLink(t *testing.T) {
	needGit(t)
	victim := objectRepository(t)
	other := filepath.Join(t.TempDir(), "other")
	gitCommand(t, victim, nil, "worktree", "add", "-q", other, "-b", "w")
	names, err := filepath.Glob(filepath.Join(victim, ".git/worktrees/*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	gitdir := names[0]
	for _, c := range []struct {
		name string
		make func(dir string)
	}{
		{"file to a repository", func(dir string) { writeFile(t, dir+"/.git", "gitdir: "+victim+"/.git\n") }},
		{"file to another's worktree", func(dir string) { writeFile(t, dir+"/.git", "gitdir: "+gitdir+"\n") }},
		{"own folder, foreign commondir", func(dir string) {
			writeFile(t, dir+"/.git", "gitdir: x\n")
			writeFile(t, dir+"/x/gitdir", dir+"/.git\n")
			writeFile(t, dir+"/x/commondir", victim+"/.git\n")
			writeFile(t, dir+"/x/HEAD", "ref: refs/heads/main\n")
		}},
		{"own folder that is called as another's worktree", func(dir string) {
			name := filepath.Base(gitdir)
			writeFile(t, dir+"/.git", "gitdir: "+name+"\n")
			writeFile(t, dir+"/"+name+"/gitdir", dir+"/.git\n")
			writeFile(t, dir+"/"+name+"/commondir", victim+"/.git\n")
		}},
		{"back-pointer through a link", func(dir string) {
			writeFile(t, dir+"/.git", "gitdir: "+gitdir+"\n")
			os.Remove(dir + "/other")
			os.Symlink(other, dir+"/other")
		}},
		{"commondir in a real folder", func(dir string) {
			gitCommand(t, dir, nil, "init", "-q")
			writeFile(t, dir+"/.git/commondir", victim+"/.git\n")
		}},
		{"link", func(dir string) { os.Symlink(victim+"/.git", dir+"/.git") }},
		{"nonsense", func(dir string) { writeFile(t, dir+"/.git", "x\n") }},
		{"nowhere", func(dir string) { writeFile(t, dir+"/.git", "gitdir: /nowhere/at/all\n") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(dir)
			d, err := FindGit(dir, GitOptions{})
			if !errors.Is(err, ErrGitLink) {
				t.Fatalf("%+v, %v", d, err)
			}
		})
	}
	for _, name := range []string{"objects", "refs"} {
		dir := t.TempDir()
		gitCommand(t, dir, nil, "init", "-q")
		os.RemoveAll(dir + "/.git/" + name)
		os.Symlink(victim+"/.git/"+name, dir+"/.git/"+name)
		if _, err := FindGit(dir, GitOptions{}); !errors.Is(err, ErrNoGit) {
			t.Errorf("%s as a link: %v", name, err)
		}
	}
	if _, err := FindGit(t.TempDir(), GitOptions{}); !errors.Is(err, ErrNoGit) {
		t.Errorf("no repository: %v", err)
	}
}

func TestGitAlternates(t *testing.T) {
	needGit(t)
	origin := objectRepository(t)
	outside := filepath.Join(t.TempDir(), "outside")
	gitCommand(t, origin, nil, "clone", "-q", "-s", origin, outside)
	writeFile(t, outside+"/new", "own")
	gitCommand(t, outside, nil, "add", "-A")
	gitCommand(t, outside, nil, "commit", "-q", "-m", "own")
	g := openGit(t, outside, GitOptions{})
	if len(g.Notes()) != 1 || len(g.dirs.Refused) != 1 {
		t.Errorf("notes %q, refused %q", g.Notes(), g.dirs.Refused)
	}
	id, err := g.Resolve("HEAD~1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Commit(id); !errors.Is(err, ErrMissing) {
		t.Errorf("an object of the alternate: %v", err)
	}
	var asked []string
	g = openGit(t, outside, GitOptions{Alternates: func(dir string) bool { asked = append(asked, dir); return true }})
	compareObjects(t, outside, g)
	if d := cmp.Diff([]string{origin + "/.git/objects"}, asked); d != "" {
		t.Error(d)
	}
	// Inside the root, and alternates of alternates, in a circle.
	inside := t.TempDir()
	gitCommand(t, inside, nil, "init", "-q")
	gitCommand(t, inside, nil, "clone", "-q", "--bare", origin, inside+"/store/one.git")
	gitCommand(t, inside, nil, "clone", "-q", "-s", "--bare", inside+"/store/one.git", inside+"/store/two.git")
	writeFile(t, inside+"/store/one.git/objects/info/alternates", "../../../.git/objects\n")
	writeFile(t, inside+"/.git/objects/info/alternates", "# a comment\n../../store/two.git/objects\n")
	compareObjects(t, inside, openGit(t, inside, GitOptions{}))
	writeFile(t, inside+"/.git/objects/info/alternates", "../../linked\n")
	os.Symlink(origin+"/.git/objects", inside+"/linked")
	g = openGit(t, inside, GitOptions{})
	if len(g.dirs.objects) != 1 || len(g.dirs.Refused) != 1 {
		t.Errorf("a link to an alternate was followed: %d folders", len(g.dirs.objects))
	}
	// A quarantine of objects that the user names.
	writeFile(t, inside+"/.git/objects/info/alternates", "")
	compareObjects(t, outside, openGit(t, inside, GitOptions{Objects: []string{outside + "/.git/objects"}, Alternates: func(string) bool { return true }}))
}

func TestGitShallowAndPartial(t *testing.T) {
	needGit(t)
	origin := objectRepository(t)
	dir := filepath.Join(t.TempDir(), "shallow")
	gitCommand(t, origin, nil, "clone", "-q", "--no-single-branch", "--depth=3", "file://"+origin, dir)
	g := openGit(t, dir, GitOptions{})
	compareObjects(t, dir, g)
	if !g.Shallow() || g.Partial() {
		t.Errorf("shallow %v, partial %v", g.Shallow(), g.Partial())
	}
	compareCommits(t, dir, g, "HEAD", "")
	first := gitText(t, dir, "rev-list", "-1", "HEAD", "--skip=2")
	id, err := ParseObjectID(first)
	if err != nil {
		t.Fatal(err)
	}
	_ = id
	for cut := range g.shallow {
		if parents, err := g.Parents(cut); err != nil || len(parents) != 0 {
			t.Errorf("parents of the last commit: %v, %v", parents, err)
		}
		if _, err := g.Resolve(cut.String() + "~1"); !errors.Is(err, ErrShallow) {
			t.Errorf("beyond the end: %v", err)
		}
	}
	// Two branches whose common ancestor was cut off.
	linear := t.TempDir()
	gitCommand(t, linear, nil, "init", "-q", "-b", "main")
	for _, name := range []string{"a", "b", "c"} {
		gitCommand(t, linear, nil, "commit", "-q", "--allow-empty", "-m", name)
	}
	gitCommand(t, linear, nil, "checkout", "-q", "-b", "side", "main~2")
	gitCommand(t, linear, nil, "commit", "-q", "--allow-empty", "-m", "d")
	dir = filepath.Join(t.TempDir(), "cut")
	gitCommand(t, linear, nil, "clone", "-q", "--no-single-branch", "--depth=1", "file://"+linear, dir)
	g = openGit(t, dir, GitOptions{})
	a, err1 := g.Resolve("origin/main")
	b, err2 := g.Resolve("origin/side")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if bases, err := g.MergeBase(a, b); !errors.Is(err, ErrShallow) {
		t.Errorf("merge base of a shallow clone: %v, %v", bases, err)
	}

	dir = filepath.Join(t.TempDir(), "partial")
	gitCommand(t, origin, nil, "clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+origin, dir)
	g = openGit(t, dir, GitOptions{})
	if g.Shallow() || !g.Partial() {
		t.Errorf("shallow %v, partial %v", g.Shallow(), g.Partial())
	}
	head, err := g.Resolve("HEAD^{tree}")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = g.WalkTree(head, func(f TreeFile) error {
		files++
		if f.Kind() == IndexSubmodule {
			return nil
		}
		if _, _, err := g.Get(f.ID); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %v", f.Path, err)
		}
		return nil
	}, func(_ string, err error) error { return err })
	if err != nil || files < 10 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestGitFormats(t *testing.T) {
	for _, c := range []struct {
		config string
		hash   int
		want   error
	}{
		{"", 20, nil},
		{"[core]\n\trepositoryformatversion = 0\n[extensions]\n\tunknown = 1\n", 20, nil},
		{"[core]\nrepositoryformatversion = 1\n[extensions]\nworktreeConfig = true\nobjectformat = \"sha256\" ; so\n", 32, nil},
		{"[CORE]\nRepositoryFormatVersion=1 # x\n[extensions] refStorage = reftable\n", 0, ErrGitFormat},
		{"[core]\nrepositoryformatversion = 1\n[extensions]\nunknown\n", 0, ErrGitFormat},
		{"[core]\nrepositoryformatversion = 2\n", 0, ErrGitFormat},
		{"[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = md5\n", 0, ErrGitFormat},
		{"[include]\npath = /etc/passwd\n[core]\nfsmonitor = touch x\n", 20, nil},
	} {
		g, err := parseGitConfig([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		hash, err := g.format()
		if !errors.Is(err, c.want) || hash != c.hash {
			t.Errorf("%q: %d, %v", c.config, hash, err)
		}
	}
	c, err := parseGitConfig([]byte("[remote \"a ] b\"]\n\turl = x\n\tpromisor = yes\n"))
	if err != nil || !c.promisor {
		t.Errorf("promisor: %+v, %v", c, err)
	}
}

// compareCommits compares the set, and checks the order.
func compareCommits(t *testing.T, dir string, g *Git, from, stop string) {
	t.Helper()
	args := []string{"rev-list", from}
	var fromIDs, stopIDs []ObjectID
	id, err := g.Resolve(from + "^{commit}")
	if err != nil {
		t.Fatal(err)
	}
	fromIDs = append(fromIDs, id)
	if stop != "" {
		args = append(args, "^"+stop)
		if id, err = g.Resolve(stop + "^{commit}"); err != nil {
			t.Fatal(err)
		}
		stopIDs = append(stopIDs, id)
	}
	want := strings.Fields(gitText(t, dir, args...))
	var got []string
	seen := make(map[ObjectID]bool)
	err = g.Commits(fromIDs, stopIDs, func(c CommitNode) bool {
		got = append(got, c.ID.String())
		for _, p := range c.Parents {
			if seen[p] {
				t.Errorf("%s comes after its parent", c.ID)
			}
		}
		seen[c.ID] = true
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); d != "" {
		t.Errorf("%s ^%s (-git +ours):\n%s", from, stop, d)
	}
}

func TestGitHistory(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	g := openGit(t, dir, GitOptions{})
	all := strings.Fields(gitText(t, dir, "rev-list", "--all"))
	compareCommits(t, dir, g, "main", "")
	random := rand.New(rand.NewPCG(3, 5))
	several := 0
	for i := range 25 {
		a, b := all[random.IntN(len(all))], all[random.IntN(len(all))]
		if i == 0 {
			a, b = gitText(t, dir, "rev-parse", "cross0"), gitText(t, dir, "rev-parse", "cross1")
		}
		compareCommits(t, dir, g, a, b)
		want := strings.Fields(gitText(t, dir, "merge-base", "--all", a, b))
		idA, _ := ParseObjectID(a)
		idB, _ := ParseObjectID(b)
		bases, err := g.MergeBase(idA, idB)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range bases {
			got = append(got, id.String())
		}
		if len(got) > 1 {
			several++
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("merge base of %s and %s (-git +ours):\n%s", a, b, d)
		}
		compareDiff(t, dir, g, a, b)
	}
	if several == 0 {
		t.Error("no criss-cross merge was among the pairs")
	}
	c, err := g.Commit(mustResolve(t, g, "main"))
	if err != nil {
		t.Fatal(err)
	}
	want := gitText(t, dir, "log", "-1", "--format=%T %P|%an|%ae|%aI|%cn|%ce|%cI|%B", "main")
	var parents []string
	for _, p := range c.Parents {
		parents = append(parents, p.String())
	}
	const iso = "2006-01-02T15:04:05-07:00"
	got := strings.TrimSpace(fmt.Sprintf("%s %s|%s|%s|%s|%s|%s|%s|%s", c.Tree, strings.Join(parents, " "), c.Author.Name, c.Author.Email, c.Author.When.Format(iso), c.Committer.Name, c.Committer.Email, c.Committer.When.Format(iso), c.Message))
	if got != want {
		t.Errorf("commit\n%s\nwant\n%s", got, want)
	}
}

func mustResolve(t testing.TB, g *Git, name string) ObjectID {
	t.Helper()
	id, err := g.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func compareDiff(t *testing.T, dir string, g *Git, a, b string) {
	t.Helper()
	treeA, treeB := mustResolve(t, g, a+"^{tree}"), mustResolve(t, g, b+"^{tree}")
	var changes []Change
	var got []string
	zero := strings.Repeat("0", 2*g.hash)
	show := func(id ObjectID) string {
		if id.IsZero() {
			return zero
		}
		return id.String()
	}
	err := g.Diff(treeA, treeB, func(c Change) error {
		changes = append(changes, c)
		if c.Unsafe != "" {
			t.Errorf("%s: %s", c.Path, c.Unsafe)
		}
		status := "M"
		switch {
		case c.Old.ID.IsZero():
			status = "A"
		case c.New.ID.IsZero():
			status = "D"
		case c.Old.Kind() != c.New.Kind():
			status = "T"
		}
		got = append(got, fmt.Sprintf(":%06o %06o %s %s %s\x00%s\x00", c.Old.Mode, c.New.Mode, show(c.Old.ID), show(c.New.ID), status, c.Path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := string(gitCommand(t, dir, nil, "diff-tree", "-r", "-z", "--no-renames", a, b))
	if d := cmp.Diff(want, strings.Join(got, "")); d != "" {
		t.Errorf("diff of %s and %s (-git +ours):\n%s", a, b, d)
	}
	renames := strings.Count(string(gitCommand(t, dir, nil, "diff-tree", "-r", "-M100%", "--diff-filter=R", a, b)), "\n")
	ours := 0
	for _, c := range Renames(changes) {
		if c.From != "" {
			ours++
			if c.Old.ID != c.New.ID {
				t.Errorf("%s was not %s", c.Path, c.From)
			}
		}
	}
	if ours != renames {
		t.Errorf("%d renames between %s and %s, git has %d", ours, a, b, renames)
	}
}

func TestGitTree(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	g := openGit(t, dir, GitOptions{})
	var got []string
	err := g.WalkTree(mustResolve(t, g, "main^{tree}"), func(f TreeFile) error {
		kind := "blob"
		if f.Kind() == IndexSubmodule {
			kind = "commit"
		}
		got = append(got, fmt.Sprintf("%06o %s %s\t%s\x00", f.Mode, kind, f.ID, f.Path))
		return nil
	}, func(_ string, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(gitCommand(t, dir, nil, "ls-tree", "-r", "-z", "main")), strings.Join(got, "")); d != "" {
		t.Errorf("(-git +ours):\n%s", d)
	}
	tree := mustResolve(t, g, "main^{tree}")
	e, err := g.Entry(tree, "d1.x/run")
	if err != nil || e.Mode != 0o100755 || e.ID.String() != gitText(t, dir, "rev-parse", "main:d1.x/run") {
		t.Errorf("entry: %+v, %v", e, err)
	}
	for _, path := range []string{"", "d9", "d1.x/run/x", "/d1.x", "d1.x//run"} {
		if _, err := g.Entry(tree, path); !errors.Is(err, ErrNoRef) {
			t.Errorf("entry %q: %v", path, err)
		}
	}
}

func TestGitResolve(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	gitCommand(t, dir, nil, "tag", "both", "main~7")
	gitCommand(t, dir, nil, "branch", "both", "main~8")
	gitCommand(t, dir, nil, "update-ref", "refs/remotes/origin/main", "main~2")
	gitCommand(t, dir, nil, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	gitCommand(t, dir, nil, "update-ref", "refs/heads/-dash", "main~9")
	gitCommand(t, dir, nil, "update-ref", "refs/heads/beef", "main~4")
	names := []string{
		"HEAD", "@", "main", "heads/main", "refs/heads/main", "both", "heads/both", "light", "v1", "v1.1", "tags/v1", "origin", "origin/main", "origin/HEAD",
		"v1^{}", "v1.1^{commit}", "v1.1^{tree}", "tree", "tree^{}", "tree^{tree}", "v1^0", "main~0", "main^", "main~", "main^^", "main~10", "main~3^1~2", "main^{tree}", "@~2", "beef",
		"nosuch", "main^9", "main~100000", "main^{blob}", "refs/heads", "../HEAD", "refs/../HEAD", "config", "", "~1", "main^{", "main^{x}", "refs/heads/main/", "refs/heads/-dash",
		"v1^{tag}", "tree^{commit}",
	}
	commits := strings.Fields(gitText(t, dir, "rev-list", "--all"))
	for _, id := range commits[:6] {
		names = append(names, id, id[:12], id[:7]+"~1", strings.ToUpper(id[:9]))
	}
	check := func(t *testing.T, g *Git) {
		t.Helper()
		for _, name := range names {
			var want string
			if out, err := tryGit(dir, "rev-parse", "--verify", "-q", "--end-of-options", name); err == nil {
				want = strings.TrimSpace(out)
			}
			id, err := g.Resolve(name)
			got := ""
			if err == nil {
				got = id.String()
			} else if !errors.Is(err, ErrNoRef) {
				t.Errorf("%q: %v", name, err)
			}
			if got != want {
				t.Errorf("%q is %s, git says %s: %v", name, got, want, err)
			}
		}
		want := gitText(t, dir, "for-each-ref", "--format=%(objectname) %(refname)")
		var got []string
		err := g.Refs(func(r Ref) bool {
			if r.Name != "HEAD" {
				got = append(got, r.ID.String()+" "+r.Name)
			}
			return true
		})
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[2*g.hash:], b[2*g.hash:]) })
		if d := cmp.Diff(want, strings.Join(got, "\n")); err != nil || d != "" {
			t.Errorf("refs: %v (-git +ours):\n%s", err, d)
		}
	}
	t.Run("loose", func(t *testing.T) { check(t, openGit(t, dir, GitOptions{})) })
	gitCommand(t, dir, nil, "pack-refs", "--all")
	t.Run("packed", func(t *testing.T) { check(t, openGit(t, dir, GitOptions{})) })
	gitCommand(t, dir, nil, "branch", "-f", "both", "main~1")
	gitCommand(t, dir, nil, "update-ref", "refs/heads/deep/er/name", "main~1")
	t.Run("both", func(t *testing.T) { check(t, openGit(t, dir, GitOptions{})) })

	// Objects that begin alike: blobs only, and one commit among them.
	short := commits[0][:4]
	g := openGit(t, dir, GitOptions{})
	var twins []string
	for i := 0; len(twins) < 2 && i < 2_000_000; i++ {
		body := fmt.Sprint("twin ", i)
		if id := g.sum(ObjectBlob, []byte(body)).String(); id[:4] == short {
			gitCommand(t, dir, []byte(body), "hash-object", "-w", "--stdin")
			twins = append(twins, id)
		}
	}
	g = openGit(t, dir, GitOptions{})
	if id, err := g.Resolve(short); err != nil || id.String() != commits[0] {
		t.Errorf("the only commit of three: %s, %v", id, err)
	}
	gitCommand(t, dir, nil, "update-ref", "-d", "refs/heads/beef")
	symbolic := filepath.Join(dir, ".git/refs/heads/")
	writeFile(t, filepath.Join(symbolic, "one"), "ref: refs/heads/two\n")
	writeFile(t, filepath.Join(symbolic, "two"), "ref: refs/heads/one\n")
	writeFile(t, filepath.Join(symbolic, "out"), "ref: ../../config\n")
	writeFile(t, filepath.Join(symbolic, "bad"), "hello\n")
	for name, want := range map[string]error{"one": ErrLimit, "out": ErrCorrupt, "bad": ErrCorrupt} {
		if _, err := g.Resolve(name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGitMillionRefs: a repository with a million refs takes no memory for them.
func TestGitMillionRefs(t *testing.T) {
	dir := fakeRepository(t, 20)
	var b bytes.Buffer
	b.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	const n = 1_000_000
	for i := range n {
		fmt.Fprintf(&b, "%040x refs/heads/x%07d\n", i+1, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "packed-refs"), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	g := openGit(t, dir, GitOptions{})
	for _, i := range []int{0, 1, 2, 341, n / 2, n - 2, n - 1} {
		id := mustResolve(t, g, fmt.Sprintf("x%07d", i))
		if want := fmt.Sprintf("%040x", i+1); id.String() != want {
			t.Errorf("%s, want %s", id, want)
		}
	}
	for _, name := range []string{"a", "x", "x1000000", "x00000001", "x000000", "x0999999\r"} {
		if id, err := g.Resolve(name); !errors.Is(err, ErrNoRef) {
			t.Errorf("%q: %s, %v", name, id, err)
		}
	}
	allocs := testing.AllocsPerRun(1, func() { g.Resolve("x0000001") })
	if allocs > 1000 {
		t.Errorf("%v allocations for one ref of a million", allocs)
	}
	count := 0
	if err := g.Refs(func(Ref) bool { count++; return true }); err != nil || count != n {
		t.Errorf("%d refs, %v", count, err)
	}
}
