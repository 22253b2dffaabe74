package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func allTips(t testing.TB, g *Git) []ObjectID {
	t.Helper()
	tips, _, same, err := g.Tips(func(ObjectID) bool { return false }, func(name string, err error) { t.Errorf("%s: %v", name, err) })
	if err != nil || len(same) > 0 {
		t.Fatal(same, err)
	}
	return tips
}

func refuse(_ ObjectID, err error) error { return err }

// introduced is what each commit of a log brought in, by the commit's id.
func introduced(t testing.TB, l *Log) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for i, c := range l.Commits {
		list := []string{}
		err := l.Introduced(i, func(f TreeFile) error {
			list = append(list, fmt.Sprintf("%o %s %s", f.Mode, f.ID, f.Path))
			return nil
		}, func(_ string, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		all[c.ID.String()] = list
	}
	return all
}

// TestGitLog compares with git: which commits there are, that none comes before an
// ancestor, and what each brought in that none of its parents has.
func TestGitLog(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	g := openGit(t, dir, GitOptions{})
	l, err := g.Log(allTips(t, g), nil, nil, nil, refuse)
	if err != nil {
		t.Fatal(err)
	}
	place := make(map[ObjectID]int)
	skewed := 0
	for i, c := range l.Commits {
		place[c.ID] = i
		parents, err := g.Parents(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parents {
			if at, ok := place[p]; !ok || at >= i {
				t.Errorf("%s comes before its parent %s", c.ID, p)
			}
		}
		if c.Order != c.Time {
			skewed++
		}
	}
	if want := len(strings.Fields(gitText(t, dir, "rev-list", "--all", "HEAD"))); len(l.Commits) != want || skewed == 0 {
		t.Errorf("%d commits of %d, %d of them with clocks that went wrong", len(l.Commits), want, skewed)
	}
	got := introduced(t, l)
	merges := 0
	for _, c := range l.Commits {
		id := c.ID.String()
		parents := strings.Fields(gitText(t, dir, "rev-list", "--parents", "-1", id))[1:]
		if len(parents) == 0 {
			parents = []string{gitText(t, dir, "hash-object", "-t", "tree", "/dev/null")}
		}
		// git diff-tree against each parent; what is in all of them is new.
		count := make(map[string]int)
		for _, p := range parents {
			for line := range strings.Lines(gitText(t, dir, "diff-tree", "-r", "--no-commit-id", "--no-renames", p, id)) {
				f := strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool { return r == ' ' || r == '\t' || r == ':' })
				if f[4] != "D" && f[2] != f[3] {
					count[strings.TrimLeft(f[1], "0")+" "+f[3]+" "+f[5]]++
				}
			}
		}
		want := []string{}
		for line, n := range count {
			if n == len(parents) {
				want = append(want, line)
			}
		}
		slices.Sort(want)
		if len(parents) > 1 {
			merges += len(want)
		}
		if diff := cmp.Diff(want, got[id]); diff != "" {
			t.Errorf("%s (-git +got):\n%s", id, diff)
		}
	}
	if merges == 0 {
		t.Error("no merge brought anything in: nothing was compared")
	}
	// In two parts: the same orders, the same content.
	half := l.Commits[len(l.Commits)/2]
	first, err := g.Log([]ObjectID{half.ID}, nil, nil, nil, refuse)
	if err != nil {
		t.Fatal(err)
	}
	orders := make(map[ObjectID]int64)
	for _, c := range first.Commits {
		if c.Order != c.Time {
			orders[c.ID] = c.Order
		}
	}
	rest, err := g.Log(allTips(t, g), nil, []LogStop{{half.ID, half.Time}}, orders, refuse)
	if err != nil {
		t.Fatal(err)
	}
	if !rest.Met[half.ID] || len(first.Commits)+len(rest.Commits) != len(l.Commits) {
		t.Errorf("%d and %d commits of %d", len(first.Commits), len(rest.Commits), len(l.Commits))
	}
	whole := make(map[ObjectID]LogCommit)
	for _, c := range l.Commits {
		whole[c.ID] = c
	}
	for _, c := range append(first.Commits, rest.Commits...) {
		if c.Order != whole[c.ID].Order {
			t.Errorf("%s has the order %d in a part, %d in the whole", c.ID, c.Order, whole[c.ID].Order)
		}
	}
	for id, list := range introduced(t, rest) {
		if diff := cmp.Diff(got[id], list); diff != "" {
			t.Errorf("%s in a part (-whole +part):\n%s", id, diff)
		}
	}
}

// TestGitTips: every commit and tag that refs lead to, once; what is known is not read.
func TestGitTips(t *testing.T) {
	needGit(t)
	dir := objectRepository(t)
	gitCommand(t, dir, nil, "update-ref", "refs/other/blob", gitText(t, dir, "rev-parse", "main:large"))
	gitCommand(t, dir, nil, "update-ref", "refs/other/again", "v1.1")
	writeFile(t, filepath.Join(dir, ".git/refs/heads/broken"), strings.Repeat("1", 40)+"\n")
	g := openGit(t, dir, GitOptions{})
	var bad []string
	tips, tags, _, err := g.Tips(func(ObjectID) bool { return false }, func(name string, err error) {
		if !errors.Is(err, ErrMissing) {
			t.Error(err)
		}
		bad = append(bad, name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"refs/heads/broken"}, bad); diff != "" {
		t.Error(diff)
	}
	want := make(map[string]bool)
	for _, name := range strings.Fields(gitText(t, dir, "for-each-ref", "--format=%(refname)", "refs/heads/b*", "refs/heads/c*", "refs/heads/main", "refs/tags/v*", "refs/tags/light")) {
		if name != "refs/heads/broken" {
			want[gitText(t, dir, "rev-parse", name+"^{commit}")] = true
		}
	}
	got := make(map[string]bool)
	for _, id := range tips {
		if got[id.String()] {
			t.Errorf("%s comes twice", id)
		}
		got[id.String()] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tips (-want +got):\n%s", diff)
	}
	commit := gitText(t, dir, "rev-parse", "v1^{commit}")
	for _, name := range []string{"v1", "v1.1"} {
		id := gitText(t, dir, "rev-parse", name)
		n := 0
		for _, tag := range tags {
			if tag.ID.String() == id && tag.Commit.String() == commit {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the tag %s comes %d times", name, n)
		}
	}
	_, tags, same, err := g.Tips(func(ObjectID) bool { return true }, func(string, error) {})
	if err != nil || len(tags) > 0 || len(same) < len(want) {
		t.Errorf("%d tags, %d known, %v", len(tags), len(same), err)
	}
}

// TestGitLogHoles: a commit that is missing ends the walk there, if the caller agrees;
// a folder that is missing hides only what lies in it.
func TestGitLogHoles(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	gitCommand(t, dir, nil, "init", "-q", "-b", "main")
	var ids []ObjectID
	for i := range 4 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("d%d/f", i)), fmt.Sprint(i))
		writeFile(t, filepath.Join(dir, "top"), fmt.Sprint(i))
		gitCommand(t, dir, nil, "add", "-A")
		gitCommand(t, dir, nil, "commit", "-q", "-m", "c")
		id, err := ParseObjectID(gitText(t, dir, "rev-parse", "HEAD"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	remove := func(id string) {
		if err := os.Remove(filepath.Join(dir, ".git/objects", id[:2], id[2:])); err != nil {
			t.Fatal(err)
		}
	}
	folder := gitText(t, dir, "rev-parse", "HEAD:d3")
	remove(ids[1].String())
	remove(folder)
	g := openGit(t, dir, GitOptions{})
	if _, err := g.Log(ids[3:], nil, nil, nil, refuse); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v", err)
	}
	l, err := g.Log(ids[3:], nil, nil, nil, func(id ObjectID, err error) error {
		if id != ids[1] {
			t.Errorf("%s: %v", id, err)
		}
		return nil
	})
	if err != nil || len(l.Commits) != 2 || l.Commits[0].ID != ids[2] {
		t.Fatalf("%v, %v", l, err)
	}
	var paths, bad []string
	for i := range l.Commits {
		err := l.Introduced(i, func(f TreeFile) error { paths = append(paths, f.Path); return nil }, func(p string, err error) error {
			bad = append(bad, p)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The commit above the hole counts as the first.
	if diff := cmp.Diff([]string{"d0/f", "d1/f", "d2/f", "top", "top"}, paths); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"d3/"}, bad); diff != "" {
		t.Error(diff)
	}
}

// TestGitLogBombs: trees that share what they hold are as large as one likes; the walk
// through them ends. So does one through trees that are not in order, and nothing in
// those is hidden.
func TestGitLogBombs(t *testing.T) {
	var objects []fakeObject
	leaf := blob("leaf")
	objects = append(objects, leaf)
	below := TreeEntry{Name: "f", Mode: IndexFile | 0o644, ID: leaf.id}
	for range 40 {
		var list []TreeEntry
		for i := range 10 {
			e := below
			e.Name = fmt.Sprintf("n%d", i)
			list = append(list, e)
		}
		o := tree(treeBytes(list...))
		objects = append(objects, o)
		below = TreeEntry{Mode: IndexFolder, ID: o.id}
	}
	commit := func(tree ObjectID, parents ...ObjectID) fakeObject {
		text := "tree " + tree.String() + "\n"
		for _, p := range parents {
			text += "parent " + p.String() + "\n"
		}
		text += "author a <a@example.com> 1 +0000\ncommitter a <a@example.com> 1 +0000\n\nx\n"
		return fakeObject{kind: entryKind(ObjectCommit), data: []byte(text), id: fakeID(ObjectCommit, []byte(text))}
	}
	bomb := commit(below.ID)
	odd := tree(treeBytes(
		TreeEntry{Name: "z", Mode: IndexFile | 0o644, ID: leaf.id}, TreeEntry{Name: "a", Mode: IndexFile | 0o644, ID: leaf.id},
		TreeEntry{Name: "..", Mode: IndexFile | 0o644, ID: leaf.id}, TreeEntry{Name: "a", Mode: IndexFile | 0o644, ID: leaf.id},
	))
	first := commit(odd.id)
	second := commit(odd.id, first.id)
	objects = append(objects, bomb, odd, first, second)
	g := fakePacked(t, GitOptions{}, objects...)
	g.maxEntries = 100_000
	l, err := g.Log([]ObjectID{bomb.id}, nil, nil, nil, refuse)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = l.Introduced(0, func(TreeFile) error { n++; return nil }, func(_ string, err error) error { return err })
	if !errors.Is(err, ErrLimit) || n > 100_000 {
		t.Errorf("%d files, error %v", n, err)
	}
	l, err = g.Log([]ObjectID{second.id}, nil, nil, nil, refuse)
	if err != nil {
		t.Fatal(err)
	}
	got := introduced(t, l)
	if len(got[first.id.String()]) != 4 || len(got[second.id.String()]) != 0 {
		t.Errorf("%v", got)
	}
}

// FuzzGitIntroduced: for two trees of any bytes, what is new is what a plain comparison
// says.
func FuzzGitIntroduced(f *testing.F) {
	id := someID(1)
	f.Add(treeBytes(TreeEntry{Name: "a", Mode: IndexFile | 0o644, ID: id}), treeBytes(TreeEntry{Name: "a", Mode: IndexFile | 0o755, ID: someID(2)}, TreeEntry{Name: "b", Mode: IndexFile | 0o644, ID: id}))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		const hash = 20
		before, err1 := ParseTree(a, hash)
		after, err2 := ParseTree(b, hash)
		if err1 != nil || err2 != nil {
			return
		}
		folder := func(e TreeEntry) bool { return e.Kind() == IndexFolder }
		if slices.ContainsFunc(before, folder) || slices.ContainsFunc(after, folder) {
			return // there is no repository to look below them
		}
		sorted := func(list []TreeEntry) bool {
			for i := range list[:max(len(list)-1, 0)] {
				if list[i].Name >= list[i+1].Name {
					return false
				}
			}
			return true
		}
		if !sorted(before) || !sorted(after) {
			return
		}
		var want, got []string
		for _, e := range after {
			if !slices.ContainsFunc(before, func(o TreeEntry) bool { return o.Name == e.Name && o.ID == e.ID && o.Kind() == e.Kind() }) {
				want = append(want, e.Name)
			}
		}
		g := &Git{hash: hash}
		d := introduction{Log: &Log{g: g}, left: 1 << 20, visit: func(f TreeFile) error { got = append(got, f.Path); return nil }, bad: func(_ string, err error) error { return err }}
		if err := d.pair(&logTree{data: b}, &logTree{data: a}, "", "", 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		got = nil
		if err := d.merge(&logTree{data: b}, []*logTree{{data: a}}, "", "", 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
