//go:build linux

package scan

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// git runs git on a repository that the test made, with nothing of this machine's
// configuration.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// changed makes a repository with two commits and returns its folder and their
// ids. Between them one file changes, one comes, one goes, one moves, one stays.
func changed(t *testing.T) (dir, base, head string) {
	t.Helper()
	dir = t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	write(t, dir, "stays.txt", "SECRET-stays\n")
	write(t, dir, "changes.txt", "one\nSECRET-old\n")
	write(t, dir, "goes.txt", "SECRET-goes\n")
	write(t, dir, "sub/moves.txt", "SECRET-moves\nand more of it\n")
	write(t, dir, ".gitignore", "*.log\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "base")
	base = git(t, dir, "rev-parse", "HEAD")
	write(t, dir, "changes.txt", "zero\none\nSECRET-old\nSECRET-new\n")
	write(t, dir, "comes.txt", "SECRET-comes\n")
	git(t, dir, "rm", "-q", "goes.txt")
	if err := os.MkdirAll(filepath.Join(dir, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "mv", "sub/moves.txt", "other/moved.txt")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "head")
	return dir, base, git(t, dir, "rev-parse", "HEAD")
}

// places lists what was found: path, line, kind.
func places(r *Result, dir string) (head, base []string) {
	for _, f := range r.Findings {
		head = append(head, fmt.Sprintf("%s:%d %s", strings.TrimPrefix(f.Location.Path, dir+"/"), f.Location.Line, f.Rule))
	}
	for _, f := range r.Base {
		base = append(base, fmt.Sprintf("%s:%d %s", strings.TrimPrefix(f.Location.Path, dir+"/"), f.Location.Line, f.Rule))
	}
	return head, base
}

func TestView(t *testing.T) {
	dir, base, head := changed(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, dir, "clone", "-q", "--bare", dir, bare)
	wantHead := []string{"changes.txt:3 words/word", "changes.txt:4 words/word", "comes.txt:1 words/word", "other/moved.txt:1 words/word"}
	wantBase := []string{"changes.txt:2 words/word", "goes.txt:1 words/word", "sub/moves.txt:1 words/word"}
	rename := map[string]string{dir + "/sub/moves.txt": dir + "/other/moved.txt"}

	// The work tree has what the head has, and an untracked and an ignored file.
	write(t, dir, "untracked.txt", "SECRET-untracked\n")
	write(t, dir, "ignored.log", "SECRET-ignored\n")
	for _, c := range []struct {
		name       string
		view       View
		root       string
		head, base []string
		renames    map[string]string
	}{
		{name: "range", view: View{Kind: ViewRange, Repository: dir, Base: base, Head: head}, root: dir, head: wantHead, base: wantBase, renames: rename},
		{name: "backwards", view: View{Kind: ViewRange, Repository: dir, Base: head, Head: base}, root: dir, head: wantBase, base: wantHead,
			renames: map[string]string{dir + "/other/moved.txt": dir + "/sub/moves.txt"}},
		{name: "bare", view: View{Kind: ViewRange, Repository: bare, Base: base, Head: head}, root: bare, head: wantHead, base: wantBase,
			renames: map[string]string{"sub/moves.txt": "other/moved.txt"}},
		{name: "nothing", view: View{Kind: ViewRange, Repository: dir, Base: head, Head: head}, root: dir},
		{name: "no base", view: View{Kind: ViewRange, Repository: dir, Head: base}, root: dir,
			head: []string{"changes.txt:2 words/word", "goes.txt:1 words/word", "stays.txt:1 words/word", "sub/moves.txt:1 words/word"}},
		{name: "folder", view: View{Kind: ViewRange, Repository: dir, Base: base, Head: head}, root: dir + "/other", head: []string{"other/moved.txt:1 words/word"}},
		{name: "file", view: View{Kind: ViewRange, Repository: dir, Base: base, Head: head}, root: dir + "/changes.txt",
			head: wantHead[:2], base: wantBase[:1]},
		{name: "work tree", view: View{Kind: ViewWorkTree, Repository: dir, Base: base}, root: dir,
			head: append(slices.Clone(wantHead), "untracked.txt:1 words/word"), base: wantBase, renames: rename},
		{name: "staged, nothing", view: View{Kind: ViewStaged, Repository: dir, Base: head, Index: "index"}, root: dir},
		{name: "staged", view: View{Kind: ViewStaged, Repository: dir, Base: base, Index: "index"}, root: dir, head: wantHead, base: wantBase, renames: rename},
	} {
		t.Run(c.name, func(t *testing.T) {
			view := c.view
			r := mustRun(t, Config{Roots: []string{c.root}, Worker: testWorker, Select: []string{"words"}, View: &view})
			gotHead, gotBase := places(r, dir)
			if diff := cmp.Diff(c.head, gotHead); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.base, gotBase); diff != "" {
				t.Errorf("base (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.renames, r.Renames); diff != "" {
				t.Errorf("renames (-want +got):\n%s", diff)
			}
			if r.Header.Base != view.Base || r.Header.Head != view.Head {
				t.Errorf("header has %q and %q", r.Header.Base, r.Header.Head)
			}
		})
	}
}

// TestViewStaged scans what is staged, not what lies in the work tree.
func TestViewStaged(t *testing.T) {
	dir, _, head := changed(t)
	write(t, dir, "changes.txt", "SECRET-staged\n")
	git(t, dir, "add", "changes.txt")
	write(t, dir, "changes.txt", "SECRET-later, not staged\nSECRET-too\n")
	write(t, dir, "intent.txt", "SECRET-intent\n")
	git(t, dir, "add", "-N", "intent.txt")
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewStaged, Repository: dir, Base: head, Index: "index"}})
	got, _ := places(r, dir)
	if diff := cmp.Diff([]string{"changes.txt:1 words/word"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestViewTouched makes a file differ without its length or time telling: the
// index must not be believed where it may be too young to know.
func TestViewTouched(t *testing.T) {
	dir, _, head := changed(t)
	path := filepath.Join(dir, "comes.txt")
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "comes.txt", "SECRET-cameS\n") // as long as before
	if err := os.Chtimes(path, st.ModTime(), st.ModTime()); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewWorkTree, Repository: dir, Base: head}})
	got, _ := places(r, dir)
	if diff := cmp.Diff([]string{"comes.txt:1 words/word"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestViewSparse: what a sparse checkout leaves out is not gone, and what differs
// there is read from its object.
func TestViewSparse(t *testing.T) {
	for _, mode := range []string{"--no-sparse-index", "--sparse-index"} {
		dir, _, head := changed(t)
		git(t, dir, "sparse-checkout", "set", mode, "other")
		if _, err := os.Stat(filepath.Join(dir, "other/moved.txt")); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "sub/kept.txt", "SECRET-kept\n")
		git(t, dir, "add", "--sparse", "sub/kept.txt")
		git(t, dir, "commit", "-qm", "more")
		base := git(t, dir, "rev-parse", "HEAD")
		git(t, dir, "sparse-checkout", "reapply")
		for from, want := range map[string][]string{base: nil, head: {"sub/kept.txt:1 words/word"}} {
			r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewWorkTree, Repository: dir, Base: from}})
			got, old := places(r, dir)
			if diff := cmp.Diff(want, got); diff != "" || len(old) > 0 {
				t.Errorf("%s: base %v, head (-want +got):\n%s", mode, old, diff)
			}
		}
	}
}

// TestViewDeath kills the worker by a file of each side.
func TestViewDeath(t *testing.T) {
	dir, _, _ := changed(t)
	write(t, dir, "dies.txt", "SECRET-was\nplease-exit\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "deadly base")
	base := git(t, dir, "rev-parse", "HEAD")
	write(t, dir, "dies.txt", "SECRET-was\n")
	write(t, dir, "lives.txt", "SECRET-lives\n")
	write(t, dir, "kills.txt", "please-exit\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "deadly head")
	head := git(t, dir, "rev-parse", "HEAD")
	r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewRange, Repository: dir, Base: base, Head: head}})
	got, old := places(r, dir)
	if diff := cmp.Diff([]string{"dies.txt:1 words/word", "lives.txt:1 words/word"}, got); diff != "" || len(old) > 0 {
		t.Errorf("base %v, head (-want +got):\n%s", old, diff)
	}
	if diff := cmp.Diff(map[string]string{"dies.txt": "scanned", "lives.txt": "scanned", "kills.txt": "unread killed"}, states(r, dir)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(r.Notes, func(n *penstock.Note) bool { return n.Code == "base-unread" && n.Place == dir+"/dies.txt" }) {
		t.Errorf("no note says that the base was not read: %v", r.Notes)
	}
}

// TestViewPoses offers files whose names look like the base's side of the
// protocol.
func TestViewPoses(t *testing.T) {
	dir, _, head := changed(t)
	write(t, dir, "base/x.txt", "SECRET-poses\n")
	write(t, dir, "a:b/base/x.txt", "SECRET-other\n")
	for _, view := range []View{{Kind: ViewWorkTree, Base: head}, {Kind: ViewStaged, Base: head, Index: "index"}} {
		if view.Kind == ViewStaged {
			git(t, dir, "add", "-A")
		}
		view.Repository = dir
		r := mustRun(t, Config{Roots: []string{dir}, Worker: testWorker, Select: []string{"words"}, View: &view})
		got, old := places(r, dir)
		if diff := cmp.Diff([]string{"a:b/base/x.txt:1 words/word", "base/x.txt:1 words/word"}, got); diff != "" || len(old) > 0 {
			t.Errorf("%s: base %v, head (-want +got):\n%s", view.Kind, old, diff)
		}
	}
}

// TestWorktree: a .git file that belongs to a worktree is followed, so ignore files
// hold there too; one that leads elsewhere is not.
func TestWorktree(t *testing.T) {
	dir, _, head := changed(t)
	tree := filepath.Join(t.TempDir(), "tree")
	git(t, dir, "worktree", "add", "-q", "-b", "w", tree)
	write(t, tree, "x.log", "SECRET-x\n")
	write(t, tree, "y.txt", "SECRET-y\n")
	r := mustRun(t, Config{Roots: []string{tree}, Worker: testWorker, Select: []string{"words"}})
	if got := states(r, tree); got["x.log"] != "excluded ignored" || got["y.txt"] != "scanned" {
		t.Errorf("x.log is %s, y.txt %s", got["x.log"], got["y.txt"])
	}
	r = mustRun(t, Config{Roots: []string{tree}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewWorkTree, Repository: tree, Base: head}})
	got, _ := places(r, tree)
	if diff := cmp.Diff([]string{"y.txt:1 words/word"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	write(t, tree, ".git", "gitdir: "+filepath.Join(dir, ".git")+"\n")
	r = mustRun(t, Config{Roots: []string{tree}, Worker: testWorker, Select: []string{"words"}})
	if got := states(r, tree); got["x.log"] != "scanned" {
		t.Errorf("x.log is %s, though the repository is not this tree's", got["x.log"])
	}
}

// TestViewLarge finds what stands behind 66 MB of an object, which is not held in
// memory.
func TestViewLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: writes 70 MB")
	}
	dir, base, _ := changed(t)
	// Random enough that git stores it whole.
	text := make([]byte, 0, 70<<20)
	for n := uint32(1); len(text) < 66<<20; n = n*1664525 + 1013904223 {
		text = fmt.Appendf(text, "%08x ", n)
	}
	write(t, dir, "large.txt", string(text)+"\nSECRET-far\n")
	git(t, dir, "add", "large.txt")
	git(t, dir, "commit", "-qm", "large")
	head := git(t, dir, "rev-parse", "HEAD")
	r := mustRun(t, Config{Roots: []string{dir + "/large.txt"}, Worker: testWorker, Select: []string{"words"}, View: &View{Kind: ViewRange, Repository: dir, Base: base, Head: head}})
	got, _ := places(r, dir)
	if diff := cmp.Diff([]string{"large.txt:2 words/word"}, got); diff != "" || r.Totals.Unread > 0 {
		t.Errorf("%v (-want +got):\n%s", states(r, dir), diff)
	}
}
