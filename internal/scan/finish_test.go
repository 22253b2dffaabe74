//go:build linux

package scan

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// pairEngine finds, at the end, the line "use NAME" of *.user files whose NAME.def
// says "bad": what is wrong depends on another file.
func pairEngine() penstock.Engine {
	return penstock.Engine{
		Name: "pair", Version: 1,
		Open: func(context.Context, penstock.Setup) (penstock.Pass, error) { return pairPass{}, nil },
	}
}

type pairPass struct{}

func (pairPass) Wants(path string, _ penstock.FileInfo) bool { return strings.HasSuffix(path, ".user") }

func (pairPass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	b, err := f.Bytes()
	if bytes.Contains(b, []byte("die-at-the-end")) {
		r.Report(&penstock.Fact{Kind: "deadly"})
	}
	r.Report(&penstock.Fact{Kind: "user"})
	return err
}

func (pairPass) Finish(_ context.Context, run penstock.Run, r penstock.Reporter) error {
	var users []string
	for _, f := range run.Facts {
		switch f.Kind {
		case "user":
			users = append(users, f.Path)
		case "deadly":
			misbehave([]byte("please-overflow"))
		}
	}
	if run.Changed {
		for _, name := range run.Tree.List(run.Root) {
			if strings.HasSuffix(name, ".user") {
				users = append(users, run.Root+name)
			}
		}
	}
	slices.Sort(users)
	for _, user := range slices.Compact(users) {
		text, err := run.Tree.Read(user)
		if err != nil {
			return err
		}
		at := 0
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "use "); ok {
				name, _, _ = strings.Cut(name, " ")
				def, err := run.Tree.Read(run.Root + name + ".def")
				if i := bytes.Index(def, []byte("bad")); err == nil && i >= 0 {
					r.Report(&penstock.Finding{
						Rule: "pair/bad", Severity: penstock.High,
						Location: penstock.Location{Path: user, Span: penstock.Span{Start: int64(at), End: int64(at + 4 + len(name))}},
						Trace:    []penstock.Label{{Location: penstock.Location{Path: run.Root + name + ".def", Span: penstock.Span{Start: int64(i), End: int64(i + 3)}}, Message: "bad"}},
					})
				}
			}
			at += len(line)
		}
	}
	return nil
}

// pairs lists what was found, with the place of the trace.
func pairs(findings []*penstock.Finding, dir string) []string {
	var out []string
	for _, f := range findings {
		if f.Rule != "pair/bad" {
			continue
		}
		l, s := f.Trace[0].Location, ""
		if f.Suppressed != nil {
			s = " " + f.Suppressed.Reason
		}
		if f.Snippet == nil || len(f.Features) != 1 {
			s += " incomplete"
		}
		out = append(out, fmt.Sprintf("%s:%d %s:%d%s", strings.TrimPrefix(f.Location.Path, dir+"/"), f.Location.Line, strings.TrimPrefix(l.Path, dir+"/"), l.Line, s))
	}
	return out
}

func TestFinishPlaces(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.user", "x\nuse one\nuse two # penstock: ignore[pair/bad] known\n")
	write(t, dir, "sub/b.user", "use one\n\nuse three\n")
	write(t, dir, "one.def", "good\nbad\n")
	write(t, dir, "two.def", "bad\n")
	write(t, dir, "clean.user", "use none # penstock: ignore[pair/bad] nothing here\n")
	run := func(cache, salt string) *Result {
		r, err := Run(t.Context(), Config{Roots: []string{dir}, Dir: dir, Engines: append(testEngines(), pairEngine()), CacheDir: cache, Worker: testWorker, Setup: penstock.Setup{Salt: []byte(salt)}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, f := range run("", "").Findings {
		if len(f.Features) > 0 {
			t.Errorf("%s: features, though nothing is compared", f.Rule)
		}
	}
	want := []string{"a.user:2 one.def:2", "a.user:3 two.def:1 known", "sub/b.user:1 one.def:2"}
	cache := t.TempDir()
	for _, how := range []string{"first", "cached"} {
		r := run(cache, "salt")
		if diff := cmp.Diff(want, pairs(r.Findings, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
		var unused []string
		for _, n := range r.Notes {
			if n.Code == "ignore-unused" {
				unused = append(unused, n.Place)
			}
		}
		if diff := cmp.Diff([]string{"clean.user:1"}, unused); diff != "" {
			t.Errorf("%s: unused ignores (-want +got):\n%s", how, diff)
		}
	}
}

// A file that is named beside a folder does not make the folder's findings twice.
func TestFinishFileBesideFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "sub/a.user", "use one\n")
	write(t, dir, "sub/one.def", "bad\n")
	write(t, dir, "one.def", "bad\n")
	write(t, dir, "note.txt", "x\n")
	t.Chdir(dir)
	for _, roots := range [][]string{{"sub", "note.txt"}, {"note.txt", "sub"}} {
		r, err := Run(t.Context(), Config{Roots: roots, Dir: dir, Engines: append(testEngines(), pairEngine()), Worker: testWorker, Setup: penstock.Setup{Salt: []byte("salt")}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"sub/a.user:1 sub/one.def:1"}, pairs(r.Findings, dir)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", roots, diff)
		}
		var counts []string // of the files of each root, by the engine count
		for _, n := range r.Notes {
			counts = append(counts, n.Message)
		}
		if diff := cmp.Diff([]string{"1", "2"}, counts); diff != "" {
			t.Errorf("%v: files of the roots (-want +got):\n%s", roots, diff)
		}
	}
}

// A finding in a file that a change does not touch may come from one that it does.
func TestFinishSides(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	write(t, dir, "a.user", "use one\nuse two\n")
	write(t, dir, "one.def", "bad\n")
	write(t, dir, "two.def", "good\n")
	write(t, dir, "z.user", "")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "base")
	base := git(t, dir, "rev-parse", "HEAD")
	write(t, dir, "one.def", "good\n")
	write(t, dir, "two.def", "\nbad\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "head")
	head := git(t, dir, "rev-parse", "HEAD")
	for _, v := range []View{
		{Kind: ViewRange, Repository: dir, Base: base, Head: head},
		{Kind: ViewWorkTree, Repository: dir, Base: base},
		{Kind: ViewStaged, Repository: dir, Base: base, Index: "index"},
	} {
		r, err := Run(t.Context(), Config{Roots: []string{dir}, Dir: dir, View: &v, Engines: append(testEngines(), pairEngine()), Worker: testWorker})
		if err != nil {
			t.Fatal(v.Kind, err)
		}
		if diff := cmp.Diff([]string{"a.user:2 two.def:2"}, pairs(r.Findings, dir)); diff != "" {
			t.Errorf("%s: head (-want +got):\n%s", v.Kind, diff)
		}
		if diff := cmp.Diff([]string{"a.user:1 one.def:1"}, pairs(r.Base, dir)); diff != "" {
			t.Errorf("%s: base (-want +got):\n%s", v.Kind, diff)
		}
	}
}

// An engine that kills the worker at the end costs what it would have said, and no
// more.
func TestFinishDies(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.user", "die-at-the-end\nSECRET-stays\n")
	r, err := Run(t.Context(), Config{Roots: []string{dir}, Dir: dir, Engines: append(testEngines(), pairEngine()), Worker: testWorker})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Location.Path != "a.user" {
		t.Errorf("findings: %v", r.Findings)
	}
	if !slices.ContainsFunc(r.Notes, func(n *penstock.Note) bool { return n.Code == "finish-failed" && n.Incomplete }) {
		t.Errorf("no note says that the engine did not finish: %v", r.Notes)
	}
}

// Versions of different times make no whole: such an engine has no part in a history.
func TestFinishNotInHistory(t *testing.T) {
	dir, _, _ := changed(t)
	cfg := Config{Roots: []string{dir}, View: &View{Kind: ViewHistory, Repository: dir}, Engines: append(testEngines(), pairEngine()), Worker: testWorker}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(r.Header.Engines, "pair") || !slices.Contains(r.Header.Engines, "words") {
		t.Errorf("engines of the history: %v", r.Header.Engines)
	}
	cfg.Select = []string{"pair"}
	if _, err := Run(t.Context(), cfg); err == nil {
		t.Error("a history for an engine that cannot read one")
	}
}
