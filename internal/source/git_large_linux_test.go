package source

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func cpuSeconds(who int) float64 {
	var u syscall.Rusage
	syscall.Getrusage(who, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func peakKB(t testing.TB) string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(b)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			return strings.TrimSpace(rest)
		}
	}
	return "?"
}

// TestGitLarge reads every object of the repository that PENSTOCK_GIT names, on
// which git itself may be run, and says what it took. With PENSTOCK_GIT_COMPARE it
// compares ids, kinds and sizes with git's; with PENSTOCK_GIT_BLOBS it reads blobs
// only.
func TestGitLarge(t *testing.T) {
	path := os.Getenv("PENSTOCK_GIT")
	if path == "" {
		t.Skip("SKIPPED: PENSTOCK_GIT names no repository")
	}
	start, cpu := time.Now(), cpuSeconds(syscall.RUSAGE_SELF)
	took := func(what string) {
		t.Logf("%s: %v wall, %.2f s CPU, peak %s", what, time.Since(start).Round(100*time.Microsecond), cpuSeconds(syscall.RUSAGE_SELF)-cpu, peakKB(t))
		start, cpu = time.Now(), cpuSeconds(syscall.RUSAGE_SELF)
	}
	d, err := FindGit(path, GitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g, err := OpenGit(d)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	took("open")
	head, err := g.Resolve("HEAD^{commit}")
	if err != nil {
		t.Fatal(err)
	}
	commit, err := g.Commit(head)
	if err != nil {
		t.Fatal(err)
	}
	took("first commit")
	files := 0
	err = g.WalkTree(commit.Tree, func(TreeFile) error { files++; return nil }, func(_ string, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	took(fmt.Sprintf("tree of %d files", files))
	n := 0
	if err := g.Commits([]ObjectID{head}, nil, func(CommitNode) bool { n++; return true }); err != nil {
		t.Fatal(err)
	}
	took(fmt.Sprintf("%d commits in order", n))
	var wanted func(ObjectID, ObjectKind) bool
	if os.Getenv("PENSTOCK_GIT_BLOBS") != "" {
		wanted = func(_ ObjectID, k ObjectKind) bool { return k == ObjectBlob }
	}
	plan, err := g.Plan(wanted)
	if err != nil {
		t.Fatal(err)
	}
	took(fmt.Sprintf("plan of %d objects", plan.Objects()))
	want := make(map[ObjectID]string)
	if os.Getenv("PENSTOCK_GIT_COMPARE") != "" {
		cmd := exec.Command("git", "-C", path, "cat-file", "--batch-check", "--batch-all-objects", "--unordered")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			name, rest, _ := strings.Cut(lines.Text(), " ")
			id, err := ParseObjectID(name)
			if err != nil {
				t.Fatal(err)
			}
			want[id] = rest
		}
		if len(want) != plan.Objects() {
			t.Errorf("%d objects, git has %d", plan.Objects(), len(want))
		}
		start, cpu = time.Now(), cpuSeconds(syscall.RUSAGE_SELF)
	}
	var count [5]int
	var total int64
	bad := 0
	for chunk := range plan.Chunks() {
		err := g.Visit(plan, chunk, func(o *Object) error {
			if o.Err != nil {
				bad++
				if bad < 10 {
					t.Error(o.Err)
				}
				return nil
			}
			count[o.Kind]++
			total += int64(len(o.Data))
			if len(want) > 0 {
				if got := o.Kind.String() + " " + strconv.Itoa(len(o.Data)); want[o.ID] != got {
					t.Errorf("%s: %s, git says %q", o.ID, got, want[o.ID])
				}
				delete(want, o.ID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d objects were not given out", len(want))
	}
	took(fmt.Sprintf("all objects: %d commits, %d trees, %d blobs, %d tags, %d bytes; %d unreadable", count[1], count[2], count[3], count[4], total, bad))
	for _, note := range g.Notes() {
		t.Log(note)
	}
}

// TestGitRange measures the merge base and the differences of the two commits
// that PENSTOCK_RANGE names ("A..B") in the repository PENSTOCK_GIT.
func TestGitRange(t *testing.T) {
	path := os.Getenv("PENSTOCK_GIT")
	a, b, found := strings.Cut(os.Getenv("PENSTOCK_RANGE"), "..")
	if path == "" || !found {
		t.Skip("SKIPPED: PENSTOCK_GIT and PENSTOCK_RANGE name no range")
	}
	cpu := cpuSeconds(syscall.RUSAGE_SELF)
	d, err := FindGit(path, GitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g, err := OpenGit(d)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var sides [2]ObjectID
	for i, name := range []string{a, b} {
		if sides[i], err = g.Resolve(name + "^{commit}"); err != nil {
			t.Fatal(err)
		}
	}
	bases, err := g.MergeBase(sides[0], sides[1])
	if err != nil || len(bases) == 0 {
		t.Fatalf("%v, %v", bases, err)
	}
	from, err1 := g.Peel(bases[0], ObjectTree)
	to, err2 := g.Peel(sides[1], ObjectTree)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	var changes []Change
	if err := g.Diff(from, to, func(c Change) error { changes = append(changes, c); return nil }); err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for _, c := range changes {
		for _, e := range []TreeEntry{c.Old, c.New} {
			if !e.ID.IsZero() && e.Kind() == IndexFile {
				_, data, err := g.Get(e.ID)
				if err != nil {
					t.Fatal(err)
				}
				bytes += len(data)
			}
		}
	}
	commits := 0
	if err := g.Commits(sides[1:], sides[:1], func(CommitNode) bool { commits++; return true }); err != nil {
		t.Fatal(err)
	}
	t.Logf("base %s, %d changes, %d after renames, %d bytes of blobs, %d commits: %.3f s CPU, peak %s",
		bases[0], len(changes), len(Renames(changes)), bytes, commits, cpuSeconds(syscall.RUSAGE_SELF)-cpu, peakKB(t))
}
