package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/engine/secrets"
	"penstock/internal/gate"
	"penstock/internal/scan"
)

// sinkEngine stands for an engine of code: it flags each call of exec.
func sinkEngine() penstock.Engine {
	return penstock.Engine{
		Name: "code", Doc: "calls of exec", Version: 1, PerFile: true,
		Rules: func([]penstock.RuleFile) ([]penstock.Rule, error) {
			return []penstock.Rule{{ID: "code/exec", Severity: penstock.High}}, nil
		},
		Open: func(context.Context, penstock.Setup) (penstock.Pass, error) { return sinkPass{}, nil },
	}
}

type sinkPass struct{}

func (sinkPass) Wants(string, penstock.FileInfo) bool { return true }

func (sinkPass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	b, err := f.Bytes()
	if err != nil {
		return err
	}
	for at := 0; ; {
		n := bytes.Index(b[at:], []byte("exec("))
		if n < 0 {
			return nil
		}
		start := int64(at + n)
		r.Report(&penstock.Finding{Rule: "code/exec", Severity: penstock.High, Location: penstock.Location{Span: penstock.Span{Start: start, End: start + 5}}})
		at += n + 5
	}
}

func (sinkPass) Finish(context.Context, penstock.Run, penstock.Reporter) error { return nil }

func scanTexts(t *testing.T, files map[string]string) *scan.Result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	key := []byte("0123456789abcdef0123456789abcdef")
	r, err := scan.Run(t.Context(), scan.Config{
		Roots: []string{dir}, Dir: dir, NoGit: true, Engines: []penstock.Engine{sinkEngine(), secrets.Engine()},
		Setup: penstock.Setup{Key: key, Salt: []byte("sixteen bytes ok")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const deploy = `const { exec } = require('child_process')

function restart(name) {
  const unit = units.get(name)
  log.info('restarting %s', unit)
  exec('systemctl restart app.service', { timeout: 5000 }, done)
  metrics.count('restart')
}

function status(name) {
  const unit = units.get(name)
  return cache.lookup(unit)
}

module.exports = { restart, status }
`

// TestExceptionsFollowText takes exceptions of a base through real edits of the
// text: they follow code that only moved, and none holds for code that changed.
func TestExceptionsFollowText(t *testing.T) {
	const sink = "exec('systemctl restart app.service', { timeout: 5000 }, done)"
	edit := func(old, new string) string {
		if !strings.Contains(deploy, old) {
			t.Fatalf("the text has no %q", old)
		}
		return strings.ReplaceAll(deploy, old, new)
	}
	renames := map[string]string{"src/deploy.js": "lib/deploy.js"}
	for _, c := range []struct {
		name    string
		head    map[string]string
		renames map[string]string
		want    string // of the finding at the sink: suppressed, or status and whether it blocks
		note    string
	}{
		{"untouched", map[string]string{"src/deploy.js": deploy}, nil, "suppressed", ""},
		{"lines above", map[string]string{"src/deploy.js": "// a\n// b\n\n" + deploy}, nil, "suppressed", ""},
		{"indented", map[string]string{"src/deploy.js": strings.ReplaceAll(deploy, "  ", "\t\t")}, nil, "suppressed", ""},
		{"renamed", map[string]string{"lib/deploy.js": deploy}, renames, "suppressed", "exception-moved"},
		{"renamed, git does not know", map[string]string{"ops/restart.js": deploy}, nil, "suppressed", "exception-moved"},
		{"an argument edited", map[string]string{"src/deploy.js": edit("'systemctl restart app.service'", "'systemctl restart ' + name")}, nil, "new blocks", "exception-suspended"},
		{"an option edited", map[string]string{"src/deploy.js": edit("timeout: 5000", "shell: '/bin/sh'")}, nil, "new blocks", "exception-suspended"},
		{"a constant edited", map[string]string{"src/deploy.js": edit("5000", "6000")}, nil, "new blocks", "exception-suspended"},
		{"renamed and edited", map[string]string{"lib/deploy.js": edit("'systemctl restart app.service'", "name")}, renames, "new blocks", "exception-suspended"},
		{"moved and edited", map[string]string{"ops/restart.js": edit("'systemctl restart app.service'", "name")}, nil, "new blocks", ""},
		{"rewritten", map[string]string{"src/deploy.js": edit(sink, "exec(name)")}, nil, "new blocks", "exception-suspended"},
		{"same line in another function", map[string]string{"src/deploy.js": strings.Replace(edit("  "+sink+"\n", ""), "  return cache", "  "+sink+"\n  return cache", 1)}, nil, "new blocks", "exception-suspended"},
		{"one more in the file", map[string]string{"src/deploy.js": deploy + "\nfunction run(x) {\n  exec(x.command)\n}\n"}, nil, "suppressed", "exception-suspended"},
	} {
		for _, by := range []string{"path", "fingerprint"} {
			t.Run(c.name+" by "+by, func(t *testing.T) {
				base := scanTexts(t, map[string]string{"src/deploy.js": deploy})
				head := scanTexts(t, c.head)
				e := gate.Exception{Rule: "code/exec", Owner: "@team", Reason: "constant", Expires: "2999-12-31", Place: "e.yaml:3"}
				if by == "path" {
					e.Path = "src/deploy.js"
				} else {
					e.Fingerprint = base.Findings[0].Fingerprint
				}
				known := baseOf("the base", base.Findings, c.renames, nil).compare(head.Findings, nil)
				_, notes := gate.Decide(gate.Input{
					Policy: gate.Default(), Exceptions: []gate.Exception{e}, Findings: head.Findings, Totals: head.Totals, Today: "2026-11-25", Base: known.gate,
				})
				f := head.Findings[0]
				got := string(f.Status)
				switch {
				case f.Suppressed != nil:
					got = "suppressed"
				case f.Blocks:
					got += " blocks"
				}
				if got != c.want {
					t.Errorf("%s, want %s: %+v", got, c.want, known.result)
				}
				codes := []string{""}
				for _, n := range notes {
					codes = append(codes, n.Code)
				}
				// A new path may keep the fingerprint's scope, not its path: what moved
				// and changed then has nothing to do with the exception any more.
				want := c.note
				if by == "fingerprint" && c.name == "one more in the file" {
					want = "" // it has a fingerprint of its own
				}
				if !slices.Contains(codes, want) {
					t.Errorf("notes %q, want %q", codes, want)
				}
				for _, f := range head.Findings[1:] {
					if f.Suppressed != nil || !f.Blocks {
						t.Errorf("line %d: %s", f.Location.Line, f.Reason)
					}
				}
			})
		}
	}
}

// TestCovered: what proves that a finding is gone, and what does not.
func TestCovered(t *testing.T) {
	s := newSettings()
	s.root, _ = filepath.Abs(".")
	a := &app{engines: []penstock.Engine{sinkEngine(), secrets.Engine()}}
	r := &scan.Result{
		Header: penstock.Header{Engines: []string{"code", "secrets"}},
		Coverage: []*penstock.Coverage{
			{Path: "read", State: penstock.Scanned, Engines: []string{"code"}},
			{Path: "half", State: penstock.Scanned, Engines: []string{"secrets"}},
			{Path: "half", State: penstock.Unread, Engines: []string{"code"}},
			{Path: "secret", State: penstock.Scanned, Engines: []string{"secrets"}},
			{Path: "empty", State: penstock.Excluded, Reason: penstock.ReasonEmpty},
			{Path: "large", State: penstock.Excluded, Reason: penstock.ReasonSize},
			{Path: "link", State: penstock.Excluded, Reason: penstock.ReasonSymlink},
			{Path: "vendor/", State: penstock.Excluded, Reason: penstock.ReasonExclude},
			{Path: "locked/", State: penstock.Unread, Reason: penstock.ReasonPermission},
			{Path: "a.zip", State: penstock.Scanned, Engines: []string{"code"}},
			{Path: "a.zip!/d/b.zip", State: penstock.Unread, Reason: penstock.ReasonArchive},
			{Path: "bad.zip", State: penstock.Unread, Reason: penstock.ReasonArchive},
		},
		Notes: []*penstock.Note{{Code: "findings-capped", Place: "capped", Incomplete: true}, {Code: "x", Place: "read"}},
	}
	r.Coverage = append(r.Coverage, &penstock.Coverage{Path: "capped", State: penstock.Scanned, Engines: []string{"code"}})
	ask := func(targets ...string) string {
		covered, err := a.covered(s, targets, r)
		if err != nil {
			t.Fatal(err)
		}
		var yes []string
		for _, p := range []string{
			"read", "half", "secret", "empty", "large", "link", "link/x", "vendor/a/b", "locked/a", "a.zip!/gone", "a.zip!/d/gone", "a.zip!/d/b.zip!/x", "bad.zip!/x",
			"gone", "testdata/gone", "capped", "../elsewhere", "/elsewhere",
		} {
			if covered(p, "code/exec") {
				yes = append(yes, p)
			}
		}
		return strings.Join(yes, " ")
	}
	const files = "read empty a.zip!/gone a.zip!/d/gone"
	if d := cmp.Diff(files+" gone testdata/gone", ask(".")); d != "" {
		t.Errorf("the whole (-want +got):\n%s", d)
	}
	if d := cmp.Diff("read empty testdata/gone", ask("testdata")); d != "" {
		t.Errorf("a folder (-want +got):\n%s", d)
	}
	s.Scan.SkipRules = []string{"code/*"}
	if d := cmp.Diff("empty gone testdata/gone", strings.Join(slices.DeleteFunc(strings.Fields(ask(".")), func(p string) bool { return strings.Contains(p, "zip") }), " ")); d != "" {
		t.Errorf("a rule left out (-want +got):\n%s", d)
	}
	s.Scan.SkipRules = nil
	r.Notes = append(r.Notes, &penstock.Note{Code: "worker-lost", Incomplete: true})
	if got := ask("."); got != "" {
		t.Errorf("a run cut short proves %q", got)
	}
}

// TestGone: a secret is gone when its last place is.
func TestGone(t *testing.T) {
	const token = "ghp_"
	secret := func(n int) string { return fmt.Sprintf("token = %q\n", canary(n)) }
	if !strings.HasPrefix(canary(1), token) {
		t.Fatal("no token")
	}
	base := scanTexts(t, map[string]string{"a.py": secret(1), "b.py": secret(1), "c.py": secret(2), "d.py": secret(2), "e.py": secret(3)})
	head := scanTexts(t, map[string]string{"a.py": secret(1), "e.py": ""})
	all := func(string, string) bool { return true }
	k := baseOf("the base", base.Findings, nil, nil)
	for _, of := range []string{"", "baseline"} {
		k.place = of
		c := k.compare(head.Findings, nil)
		if got := len(c.gone(all)); got != 2 {
			t.Errorf("%q: %d gone, want 2", of, got)
		}
		if got := len(c.gone(func(p, _ string) bool { return p != "d.py" })); got != 1 {
			t.Errorf("%q: %d gone, want 1: one place was not looked at", of, got)
		}
		f := head.Findings[0]
		if d := cmp.Diff([]gate.Match{{Old: slices.IndexFunc(k.old, func(o gate.Old) bool { return o.Path == "a.py" }), Exact: true}}, c.gate.New[f]); d != "" {
			t.Errorf("%q (-want +got):\n%s", of, d)
		}
	}
}

// TestCompareOneLine: of two places on one line, of which one is new, neither is
// taken for the known one, whichever comes first.
func TestCompareOneLine(t *testing.T) {
	known := &penstock.Features{Path: "a.js", Line: 1, Class: "secrets", Code: 7, Value: 1 << 63, Tokens: []uint32{1, 2}}
	other := *known
	other.Code = 8
	base := &penstock.Finding{Rule: "secrets/a", Group: "g", Location: penstock.Location{Path: "a.js", Line: 1}, Features: []*penstock.Features{known}}
	for _, features := range [][]*penstock.Features{{known, &other}, {&other, known}} {
		f := *base
		f.Places = []penstock.Location{{Path: "a.js", Line: 1, Column: 900}}
		f.Features = features
		c := baseOf("the base", []*penstock.Finding{base}, nil, nil).compare([]*penstock.Finding{&f}, nil)
		for _, m := range c.gate.New[&f] {
			if m.Old >= 0 {
				t.Errorf("a new place passes for a known one: %+v", c.gate.New[&f])
			}
		}
	}
	// Both known, one of them by other code.
	fresh := *base
	edited := *known
	edited.Code = 9
	two := *base
	two.Features = []*penstock.Features{known, &other}
	for _, features := range [][]*penstock.Features{{known, &edited}, {&edited, known}} {
		fresh.Features = features
		c := baseOf("the base", []*penstock.Finding{&two}, nil, nil).compare([]*penstock.Finding{&fresh}, nil)
		if m := c.gate.New[&fresh][0]; m.Old < 0 || m.Exact {
			t.Errorf("edited code passes for the same: %+v of %+v", m, c.result)
		}
	}
}
