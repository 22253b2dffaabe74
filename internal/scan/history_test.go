//go:build linux

package scan

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/source"
)

// change is a commit of a history that a test makes. Parents are numbers of changes
// before it, from 1; none is the one before, and -1 none at all.
type change struct {
	branch  string // main if empty
	parents []int
	files   map[string]string
	drop    []string
	message string
	time    int64 // seconds after the one before, 60 if zero
}

// makeHistory makes a bare repository by git fast-import and returns the ids of the
// commits, from index 1.
func makeHistory(t *testing.T, changes []change) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	git(t, dir, "init", "-q", "--bare", "-b", "main")
	return dir, addHistory(t, dir, changes, 0)
}

// addHistory adds the changes from index from on to a repository that has those
// before.
func addHistory(t *testing.T, dir string, changes []change, from int) []string {
	t.Helper()
	var in bytes.Buffer
	data := func(s string) { fmt.Fprintf(&in, "data %d\n%s\n", len(s), s) }
	clock := int64(1_700_000_000)
	for i, c := range changes {
		step := c.time
		if step == 0 {
			step = 60
		}
		clock += step
		if i < from {
			continue
		}
		branch, message := c.branch, c.message
		if branch == "" {
			branch = "main"
		}
		if message == "" {
			message = fmt.Sprintf("change %d", i+1)
		}
		parents := c.parents
		if parents == nil && i > 0 {
			parents = []int{i}
		}
		if i == 0 || len(parents) == 1 && parents[0] < 0 {
			parents = nil
			fmt.Fprintf(&in, "reset refs/heads/%s\n", branch)
		}
		fmt.Fprintf(&in, "commit refs/heads/%s\nmark :%d\nauthor Ann Author <ann@example.com> %d +0200\ncommitter Com Mitter <com@example.com> %d +0000\n", branch, i+1, clock-30, clock)
		data(message)
		for k, p := range parents {
			fmt.Fprintf(&in, "%s :%d\n", map[bool]string{true: "from", false: "merge"}[k == 0], p)
		}
		for _, name := range c.drop {
			fmt.Fprintf(&in, "D %s\n", name)
		}
		for _, name := range sortedKeys(c.files) {
			fmt.Fprintf(&in, "M 100644 inline %s\n", name)
			data(c.files[name])
		}
	}
	marks := filepath.Join(dir, "marks")
	args := []string{"-C", dir, "fast-import", "--quiet", "--force", "--export-marks=" + marks}
	if from > 0 {
		args = append(args, "--import-marks="+marks)
	}
	cmd := exec.Command("git", args...)
	cmd.Stdin = &in
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fast-import: %v\n%s", err, out)
	}
	text, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(changes)+1)
	for line := range strings.Lines(string(text)) {
		var n int
		var id string
		if _, err := fmt.Sscanf(line, ":%d %s", &n, &id); err == nil && n < len(ids) {
			ids[n] = id
		}
	}
	return ids
}

func historyConfig(dir string) Config {
	return Config{
		Roots: []string{dir}, Dir: dir, View: &View{Kind: ViewHistory, Repository: dir}, Worker: testWorker, Select: []string{"words"},
		Setup: penstock.Setup{Key: bytes.Repeat([]byte{1}, 32)},
	}
}

// told is a history's result in short: of each finding the number of its commit,
// whether it is still there, and its places with their lines.
func told(r *Result, ids []string) []string {
	number := func(path string) string {
		for i, id := range ids {
			if rest, ok := strings.CutPrefix(path, id[:min(len(id), commitDigits)]+":"); ok && id != "" {
				return fmt.Sprintf("%d:%s", i, rest)
			}
		}
		return path
	}
	var list []string
	for _, f := range r.Findings {
		s := fmt.Sprintf("%d", slices.Index(ids, f.Commit.ID))
		if f.Commit.Present {
			s += " present"
		}
		if f.Suppressed != nil {
			s += " suppressed"
		}
		places := append([]penstock.Location{f.Location}, f.Places...)
		for _, p := range places {
			s += fmt.Sprintf(" %s:%d", number(p.Path), p.Line)
		}
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

func zipped(t *testing.T, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// filler is text around secrets, so that git stores versions as deltas.
func filler(seed, lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d of %d: %x\n", i, seed, (i+1)*(seed+7)*2654435761)
	}
	return b.String()
}

// TestHistory: each secret once, with the commit that brought it in, whether it is
// still there, and one place for each path.
func TestHistory(t *testing.T) {
	long := filler(1, 200)
	changes := []change{
		{files: map[string]string{"a": "SECRET-one\n", "big": long + "SECRET-big\n" + filler(2, 200)}},                          // 1
		{files: map[string]string{"a": "first\nSECRET-one\n"}},                                                                  // 2: moved within the file
		{files: map[string]string{"a": "nothing\n"}},                                                                            // 3: removed
		{files: map[string]string{"b": "x\nSECRET-one\n"}},                                                                      // 4: again, elsewhere
		{files: map[string]string{"big": "SECRET-top\n" + long + "SECRET-big\n" + filler(2, 200)}},                              // 5
		{files: map[string]string{"moved/big": "SECRET-top\n" + long + "SECRET-big\n" + filler(2, 200)}, drop: []string{"big"}}, // 6: renamed
		{branch: "side", parents: []int{4}, files: map[string]string{"side": "SECRET-side\n"}},                                  // 7
		{parents: []int{6, 7}, files: map[string]string{"evil": "SECRET-evil\n", "side": "SECRET-side\n"}},                      // 8: a merge with a file of its own
		{files: map[string]string{"lib.zip": zipped(t, "in/side", "one\ntwo SECRET-zip\n")}},                                    // 9
		{files: map[string]string{"m": "SECRET-marked // gitleaks:allow\n"}},                                                    // 10
		{files: map[string]string{"m": "SECRET-marked\n"}},                                                                      // 11: now in the open
		{branch: "gone", parents: []int{-1}, files: map[string]string{"alone": "SECRET-alone\n"}},                               // 12: another root
		{parents: []int{11}, message: "a summary\n\nwith SECRET-said in it", files: map[string]string{"x": "x"}},                // 13
	}
	dir, ids := makeHistory(t, changes)
	want := []string{
		"1 present 1:a:1 4:b:2",
		"1 present 1:big:201 6:moved/big:202",
		"10 present suppressed 10:m:1", // the secret is; the mark is not
		"11 present 11:m:1",
		"12 12:alone:1",
		"13 13:" + messageName + ":3",
		"5 present 5:big:1 6:moved/big:1",
		"7 present 7:side:1",
		"8 present 8:evil:1",
		"9 present 9:lib.zip!/in/side:2",
	}
	check := func(what string, cfg Config) *Result {
		t.Helper()
		r := mustRun(t, cfg)
		if diff := cmp.Diff(want, told(r, ids)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		return r
	}
	cfg := historyConfig(dir)
	r := check("loose", cfg)
	if !r.Header.History {
		t.Error("the header does not say that history was read")
	}
	if r.Totals.Unread != 0 || r.Totals.Files != r.Totals.Scanned+r.Totals.Excluded || r.Totals.Scanned != 14 {
		t.Errorf("totals: %+v", r.Totals)
	}
	c := r.Findings[0].Commit
	for _, f := range r.Findings {
		if f.Commit.ID == ids[13] {
			c = f.Commit
		}
	}
	if c.Author != "Ann Author" || c.Mail != "ann@example.com" || c.Summary != "a summary" || c.Time != "2023-11-15T00:25:50+02:00" {
		t.Errorf("commit: %+v", c)
	}
	cfg.Jobs = 1
	one := lines(t, mustRun(t, cfg), dir)
	cfg.Jobs = 4
	if diff := cmp.Diff(one, lines(t, mustRun(t, cfg), dir)); diff != "" {
		t.Errorf("with one goroutine and with four:\n%s", diff)
	}
	git(t, dir, "repack", "-q", "-a", "-d", "-f", "--depth=50")
	check("packed", historyConfig(dir))
	if strings.Contains(lines(t, r, dir), "SECRET-") {
		t.Error("a secret is shown")
	}
	// A part of it.
	cfg = historyConfig(dir)
	cfg.View.Tips, cfg.View.Stop = []string{ids[8]}, []string{ids[4]}
	r = mustRun(t, cfg)
	part := []string{"5 present 5:big:1 6:moved/big:1", "5 present 5:big:202 6:moved/big:202", "7 present 7:side:1", "8 present 8:evil:1"}
	if diff := cmp.Diff(part, told(r, ids)); diff != "" {
		t.Errorf("a range (-want +got):\n%s", diff)
	}
	if r.Header.Head != ids[8] || r.Header.Base != ids[4] {
		t.Errorf("header: %+v", r.Header)
	}
}

// TestHistoryPlanned reads enough versions for the packs' own order and for deltas
// to matter, and compares with a scan of every version by itself.
func TestHistoryPlanned(t *testing.T) {
	var changes []change
	texts := make([]string, 8)
	for i := range texts {
		texts[i] = filler(i, 150)
	}
	type place struct{ word, path string }
	first := make(map[place]int)
	for n := len(texts); n <= planFrom+200; n++ {
		i, commit := n*7%len(texts), n/len(texts) // each commit changes every file
		all := strings.SplitAfter(texts[i], "\n")
		at := n * 31 % len(all)
		switch n % 5 {
		case 0:
			all[at] = fmt.Sprintf("key = SECRET-%dx\n", n%97)
		case 1:
			all = slices.Delete(all, at, min(at+1, len(all)))
		case 2:
			all = slices.Insert(all, at, fmt.Sprintf("some new words %d\n", n))
		case 3: // a line goes elsewhere
			line := all[at]
			all = slices.Insert(slices.Delete(all, at, at+1), (at*3)%len(all), line)
		case 4:
			all[at] = strings.ReplaceAll(all[at], "SECRET-", "SECRET-y")
		}
		texts[i] = strings.Join(all, "")
		path := fmt.Sprintf("dir/file-%d", i)
		for _, s := range findWords([]byte(texts[i]), []byte("SECRET-")) {
			p := place{texts[i][s.Start:s.End], path}
			if first[p] == 0 {
				first[p] = commit
			}
		}
		if len(changes) < commit {
			changes = append(changes, change{files: map[string]string{}})
		}
		changes[commit-1].files[path] = texts[i]
	}
	dir, ids := makeHistory(t, changes)
	git(t, dir, "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=20")
	cfg := historyConfig(dir)
	r := mustRun(t, cfg)
	want := make(map[string]bool)
	for p, n := range first {
		want[commitDigitsOf(ids[n])+":"+p.path] = true
	}
	got := make(map[string]bool)
	places := 0
	for _, f := range r.Findings {
		for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
			got[l.Path] = true
			places++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if places != len(first) || len(first) < 100 {
		t.Errorf("%d places, want %d", places, len(first))
	}
}

func commitDigitsOf(id string) string { return id[:commitDigits] }

// TestHistorySeen: a run that builds on an earlier one says what a run without it
// says, whatever became of the repository in between.
func TestHistorySeen(t *testing.T) {
	changes := []change{
		{files: map[string]string{"a": "SECRET-one\n", "keep": "SECRET-keep\n"}},
		{files: map[string]string{"b": "SECRET-two\n"}, branch: "topic"},
		{parents: []int{1}, files: map[string]string{"a": "none\n"}},
		// from here on added later
		{parents: []int{3}, files: map[string]string{"c": "SECRET-three\n", "a": "SECRET-one\n"}},
		{parents: []int{4, 2}, files: map[string]string{"keep": "gone\n"}},
		{branch: "old", parents: []int{1}, time: -200, files: map[string]string{"c": "SECRET-three\n"}},
	}
	dir, _ := makeHistory(t, changes[:3])
	cfg := historyConfig(dir)
	cfg.CacheDir = t.TempDir()
	check := func(what string) {
		t.Helper()
		fresh := cfg
		fresh.CacheDir = ""
		want := lines(t, mustRun(t, fresh), dir)
		for range 2 {
			if diff := cmp.Diff(want, lines(t, mustRun(t, cfg), dir)); diff != "" {
				t.Errorf("%s (-without +with):\n%s", what, diff)
			}
		}
	}
	check("first")
	list, err := os.ReadDir(cfg.CacheDir)
	if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Name(), ".seen") {
		t.Fatalf("cache: %v, %v", list, err)
	}
	seen, err := os.ReadFile(filepath.Join(cfg.CacheDir, list[0].Name()))
	if err != nil || bytes.Contains(seen, []byte("SECRET-")) {
		t.Errorf("the cache holds a secret, or: %v", err)
	}
	addHistory(t, dir, changes[:4], 3)
	check("a commit more")
	addHistory(t, dir, changes[:5], 4)
	check("a merge")
	addHistory(t, dir, changes, 5)
	check("a branch that is older than what was read")
	git(t, dir, "tag", "-a", "-m", "SECRET-tagged", "v1", "main~1")
	check("a tag")
	git(t, dir, "branch", "-D", "old")
	check("a branch less, to whose commit a secret was put down")
	git(t, dir, "update-ref", "refs/heads/main", "main~1")
	check("commits less")
	git(t, dir, "repack", "-q", "-a", "-d")
	git(t, dir, "prune", "--expire=now")
	check("nothing but packs")
	// What is damaged is not used.
	list, _ = os.ReadDir(cfg.CacheDir)
	name := filepath.Join(cfg.CacheDir, list[0].Name())
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	check("a damaged cache")
	// Who may only read does not write.
	cfg.CacheDir, cfg.CacheReadOnly = t.TempDir(), true
	mustRun(t, cfg)
	if list, _ := os.ReadDir(cfg.CacheDir); len(list) != 0 {
		t.Errorf("a run that may only read wrote %v", list)
	}
}

// TestHistoryCulprit: a version that kills the worker costs only itself.
func TestHistoryCulprit(t *testing.T) {
	changes := []change{
		{files: map[string]string{"a": "SECRET-one\n"}},
		{files: map[string]string{"bad": "please-exit\n"}},
		{files: map[string]string{"bad": "mended\n", "worse": "please-panic"}},
		{files: map[string]string{"c": "SECRET-two\n"}},
	}
	dir, ids := makeHistory(t, changes)
	for _, jobs := range []int{1, 4} {
		cfg := historyConfig(dir)
		cfg.Jobs = jobs
		r := mustRun(t, cfg)
		want := map[string]string{
			ids[2][:commitDigits] + ":bad":   "unread killed",
			ids[3][:commitDigits] + ":worse": "unread crash",
		}
		if diff := cmp.Diff(want, states(r, dir)); diff != "" {
			t.Errorf("%d jobs: coverage (-want +got):\n%s", jobs, diff)
		}
		if diff := cmp.Diff([]string{"1 present 1:a:1", "4 present 4:c:1"}, told(r, ids)); diff != "" {
			t.Errorf("%d jobs (-want +got):\n%s", jobs, diff)
		}
		if r.Totals.Unread != 2 || r.Totals.Scanned != 3 {
			t.Errorf("totals: %+v", r.Totals)
		}
	}
}

// TestHistoryHoles: what a clone does not have is said, and the rest is scanned.
func TestHistoryHoles(t *testing.T) {
	changes := []change{
		{files: map[string]string{"a": "SECRET-one\n"}},
		{files: map[string]string{"b": "SECRET-two\n"}},
		{files: map[string]string{"c": "SECRET-three\n"}},
	}
	dir, ids := makeHistory(t, changes)
	shallow := t.TempDir()
	git(t, shallow, "clone", "-q", "--bare", "--depth=1", "file://"+dir, "s")
	r := mustRun(t, historyConfig(filepath.Join(shallow, "s")))
	if diff := cmp.Diff([]string{"3 present 3:a:1", "3 present 3:b:1", "3 present 3:c:1"}, told(r, ids)); diff != "" {
		t.Errorf("shallow (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(r.Notes, func(n *penstock.Note) bool { return n.Code == "history-shallow" }) {
		t.Errorf("no note: %v", r.Notes)
	}
	// A blob, then a folder, then a commit less.
	remove := func(spec string) {
		t.Helper()
		out, err := exec.Command("git", "-C", dir, "rev-parse", spec).Output()
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSpace(string(out))
		if err := os.Remove(filepath.Join(dir, "objects", id[:2], id[2:])); err != nil {
			t.Fatal(err)
		}
	}
	for _, pack := range packsOf(t, dir) {
		b, err := os.ReadFile(pack)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "objects", "pack")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "-C", dir, "unpack-objects", "-q")
		cmd.Stdin = bytes.NewReader(b)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	remove("main~1:b")
	r = mustRun(t, historyConfig(dir))
	if diff := cmp.Diff(map[string]string{ids[2][:commitDigits] + ":b": "unread missing"}, states(r, dir)); diff != "" {
		t.Errorf("a blob less (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 present 1:a:1", "3 present 3:c:1"}, told(r, ids)); diff != "" {
		t.Errorf("a blob less (-want +got):\n%s", diff)
	}
	remove("main~2^{commit}")
	r = mustRun(t, historyConfig(dir))
	if diff := cmp.Diff([]string{"2 present 2:a:1", "3 present 3:c:1"}, told(r, ids)); diff != "" {
		t.Errorf("a commit less (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(r.Notes, func(n *penstock.Note) bool { return n.Code == "history-commit" && n.Incomplete }) {
		t.Errorf("no note: %v", r.Notes)
	}
}

func packsOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestHistoryAllowed: what an allow-list exempts for a commit does not turn up as
// that of the next commit which has it, nor in a run that builds on this one.
func TestHistoryAllowed(t *testing.T) {
	changes := []change{
		{files: map[string]string{"a": "SECRET-one\n"}},
		{files: map[string]string{"a": "more\nSECRET-one\nSECRET-two\n"}},
		{files: map[string]string{"b": "SECRET-one\n"}},
		{files: map[string]string{"a": "and more\nSECRET-one\nSECRET-two\n"}},
	}
	dir, ids := makeHistory(t, changes[:3])
	cfg := historyConfig(dir)
	cfg.CacheDir = t.TempDir()
	cfg.Setup.RuleFiles = []penstock.RuleFile{{Path: "r", Data: []byte("commits = " + ids[1])}}
	want := []string{"2 present 2:a:3", "3 present 3:b:1"}
	for range 2 {
		if diff := cmp.Diff(want, told(mustRun(t, cfg), ids)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	addHistory(t, dir, changes, 3)
	if diff := cmp.Diff(want, told(mustRun(t, cfg), ids)); diff != "" {
		t.Errorf("one commit more (-want +got):\n%s", diff)
	}
}

// TestHistoryText: what people wrote into commits is hostile, and may hold secrets.
func TestHistoryText(t *testing.T) {
	dir, _ := makeHistory(t, []change{{
		message: "SECRET-said \x1b[31m" + strings.Repeat("x", 500) + "\nmore",
		files:   map[string]string{"a": "SECRET-one\n", "link": "a"},
	}})
	r := mustRun(t, historyConfig(dir))
	if len(r.Findings) != 2 {
		t.Fatalf("findings: %v", r.Findings)
	}
	for _, f := range r.Findings {
		if s := f.Commit.Summary; strings.Contains(s, "SECRET-said") || !strings.HasPrefix(s, "[redacted] ") || len(s) > 300 {
			t.Errorf("summary: %q", s)
		}
	}
}

// TestHistoryFrames: the parent believes nothing that does not fit together.
func TestHistoryFrames(t *testing.T) {
	id := strings.Repeat("ab", 20)
	for name, end := range map[string]historyEnd{
		"negative":    {Totals: historyTotals{Files: -1}},
		"bytes":       {Totals: historyTotals{Bytes: -1}},
		"a reason":    {Totals: historyTotals{ByReason: map[penstock.Reason]int{"x": -1}}},
		"long reason": {Totals: historyTotals{ByReason: map[penstock.Reason]int{penstock.Reason(strings.Repeat("x", 200)): 1}}},
		"engine":      {Totals: historyTotals{ByEngine: map[string]int{"x": -1}}},
		"root":        {Root: 1},
		"no root":     {Root: -1},
		"commit":      {Order: []string{"abc"}},
		"no hex":      {Order: []string{strings.Repeat("x", 40)}},
	} {
		if end.valid(1) {
			t.Errorf("%s is believed", name)
		}
	}
	good := historyEnd{Totals: historyTotals{Files: 1, ByReason: map[penstock.Reason]int{"x": 1}}, Order: []string{id}}
	if !good.valid(1) {
		t.Error("nothing is believed")
	}
	r := &run{cfg: &Config{View: &View{Kind: ViewHistory}}, job: job{Roots: []jobRoot{{Prefix: "p/"}}}}
	at := func(path, commit string) *penstock.Finding {
		return &penstock.Finding{Rule: "words/word", Location: penstock.Location{Path: path}, Commit: &penstock.Commit{ID: commit}}
	}
	long := at(id[:12]+":p/f", id)
	long.Commit.Summary = strings.Repeat("x", 5000)
	bare := at(id[:12]+":p/f", id)
	bare.Commit = nil
	for name, f := range map[string]*penstock.Finding{
		"another commit": at(strings.Repeat("0", 12)+":p/f", id), "no commit in the path": at("p/f", id), "another root": at(id[:12]+":q/f", id),
		"half an id": at(id[:12]+":p/f", id[:12]), "capitals": at(strings.ToUpper(id[:12])+":p/f", id), "long": long, "no commit": bare,
	} {
		var res Result
		r.take(&res, []penstock.Record{f})
		if len(res.Findings) > 0 {
			t.Errorf("%s is believed", name)
		}
	}
	var res Result
	if r.take(&res, []penstock.Record{at(id[:12]+":p/f", id)}); len(res.Findings) != 1 {
		t.Error("no finding is believed")
	}
}

// FuzzSeen: whatever stands in a file of what was seen is read or refused, and what is
// read is written the same.
func FuzzSeen(f *testing.F) {
	id := func(n string) source.ObjectID {
		x, err := source.ParseObjectID(strings.Repeat(n, 40))
		if err != nil {
			f.Fatal(err)
		}
		return x
	}
	ref := commitRef{id("c"), 7, 5}
	s := &seenSet{
		tips: []source.LogStop{{ID: id("a"), Time: 3}}, tags: map[source.ObjectID]source.ObjectID{id("b"): id("a")},
		skew: map[source.ObjectID]int64{id("c"): 7}, pairs: []uint64{1, 1 << 60},
		flaws:  []seenFlaw{{flaw{[16]byte{1}, true}, "p", ref, []byte("[]"), id("d"), true}, {commit: ref}},
		unread: []seenUnread{{ref, "q", id("e"), true}},
		totals: historyTotals{Commits: 1, Files: 2, Scanned: 3, Excluded: 4, Bytes: 5, ByReason: map[penstock.Reason]int{"x": 6}, ByEngine: map[string]int{"y": 7}},
	}
	f.Add(string(s.append(nil)))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := decodeSeen(text)
		if err != nil {
			return
		}
		again, err := decodeSeen(string(s.append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := string(s.append(nil)), string(again.append(nil)); a != b {
			t.Errorf("written differently: %q, %q", a, b)
		}
	})
}

// TestHistoryParts: of a history only what lies below the root counts, and nothing that
// is excluded; links are no files, large texts and other encodings are read.
func TestHistoryParts(t *testing.T) {
	wide := func(s string) string {
		var b strings.Builder
		b.WriteString("\xff\xfe")
		for _, c := range []byte(s) {
			b.Write([]byte{c, 0})
		}
		return b.String()
	}
	changes := []change{{message: "SECRET-said", files: map[string]string{
		"top": "SECRET-top\n", "sub/in": "SECRET-in\n", "sub/deep/in": "SECRET-deep\n", "sub/out.gen": "SECRET-out\n", "sub/binary": "\x00\x01\x02SECRET-binary",
		"sub/wide": wide("line\nSECRET-wide\n"), "sub/large": strings.Repeat("0123456789abcde\n", 20_000) + "SECRET-large\n", "sub/empty": "",
	}}}
	work, ids := t.TempDir(), []string(nil)
	git(t, work, "init", "-q", "-b", "main")
	ids = addHistory(t, work, changes, 0)
	git(t, work, "reset", "-q", "--hard", "main")
	if err := os.Symlink("in", filepath.Join(work, "sub/link")); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", "-A")
	git(t, work, "rm", "-q", "--cached", "marks")
	git(t, work, "commit", "-qm", "a link")
	cfg := Config{
		Roots: []string{filepath.Join(work, "sub")}, Dir: work, View: &View{Kind: ViewHistory, Repository: work}, Worker: testWorker, Select: []string{"words"},
		Exclude: []string{"*.gen"}, Limits: Limits{WholeSize: 100 << 10},
	}
	r := mustRun(t, cfg)
	want := []string{"1 present 1:sub/deep/in:1", "1 present 1:sub/in:1", "1 present 1:sub/large:20001", "1 present 1:sub/wide:2"}
	if diff := cmp.Diff(want, told(r, ids)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	reasons := map[penstock.Reason]int{penstock.ReasonExclude: 1, penstock.ReasonBinary: 1, penstock.ReasonSymlink: 1}
	if diff := cmp.Diff(reasons, r.Totals.ByReason); diff != "" || r.Totals.Files != 8 || r.Totals.Scanned != 5 {
		t.Errorf("totals %+v (-want +got):\n%s", r.Totals, diff)
	}
	cfg.Roots = []string{filepath.Join(work, "sub/in")}
	if diff := cmp.Diff(want[1:2], told(mustRun(t, cfg), ids)); diff != "" {
		t.Errorf("a file (-want +got):\n%s", diff)
	}
}

// TestHistoryHopeless: a worker that dies before it comes to any file is not started
// again and again.
func TestHistoryHopeless(t *testing.T) {
	dir, _ := makeHistory(t, []change{{files: map[string]string{"a": "SECRET-one\n"}}})
	cfg := historyConfig(dir)
	started := 0
	cfg.Worker = func() (*exec.Cmd, error) {
		started++
		return exec.Command("/bin/false"), nil
	}
	r := mustRun(t, cfg)
	if started != 2 || !slices.ContainsFunc(r.Notes, func(n *penstock.Note) bool { return n.Code == "worker-lost" && n.Incomplete }) {
		t.Errorf("%d workers, notes %v", started, r.Notes)
	}
}
