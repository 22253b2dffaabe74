package fix

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// The scanner of these tests finds every run of letters that begins with "SEC".
func find(files map[string][]byte) []*penstock.Finding {
	var out []*penstock.Finding
	for name, data := range files {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte("SEC"))
			if i < 0 {
				break
			}
			start := at + i
			end := start
			for end < len(data) && data[end] >= 'A' && data[end] <= 'Z' {
				end++
			}
			out = append(out, &penstock.Finding{
				Rule:     "secrets/x",
				Location: penstock.Location{Path: name, Span: penstock.Span{Start: int64(start), End: int64(end)}},
				Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{}},
			})
			at = end
		}
	}
	return out
}

func scanner(_ context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
	return find(files), nil
}

type tree struct {
	t   *testing.T
	dir string
	*os.Root
}

func newTree(t *testing.T, files map[string]string) *tree {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &tree{t, dir, root}
}

func (tr *tree) read(name string) string {
	tr.t.Helper()
	b, err := os.ReadFile(filepath.Join(tr.dir, name))
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(b)
}

// findings are those of the tree, each with the edit that puts text in its place.
func (tr *tree) findings(text string, safe bool, names ...string) []*penstock.Finding {
	var out []*penstock.Finding
	for _, n := range names {
		files := map[string][]byte{n: []byte(tr.read(n))}
		for _, f := range find(files) {
			f.Fix = &penstock.Fix{Safe: safe, Edits: []penstock.Edit{{Path: n, Span: f.Location.Span, Text: text}}}
			out = append(out, f)
		}
	}
	return out
}

func plan(t *testing.T, tr *tree, fs []*penstock.Finding, opts Options) *Plan {
	t.Helper()
	if opts.Scan == nil {
		opts.Scan = scanner
	}
	p, err := Make(t.Context(), tr.Root, fs, fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func show(f *File) string {
	var b strings.Builder
	for _, l := range f.Diff() {
		if l.Kind != '@' {
			b.WriteByte(l.Kind)
		}
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

func whys(p *Plan) []string {
	var out []string
	for _, l := range p.Left {
		out = append(out, l.Finding.Location.Path+" "+l.Why)
	}
	return out
}

func TestPlanAndWrite(t *testing.T) {
	tr := newTree(t, map[string]string{"a/x.go": "one\ntwo\nthree\nk := \"SECRETA\" // SECRETB\nfive\r\nsix\nseven\neight\nnine\nz := \"SECRETC\""})
	fs := tr.findings("ENV", true, "a/x.go")
	p := plan(t, tr, fs[:1:1], Options{}) // only the first is to be fixed
	if len(p.Files) != 1 || len(p.Left) != 0 {
		t.Fatalf("plan %+v, left %v", p.Files, whys(p))
	}
	if got := show(p.Files[0]); strings.Contains(got, "SECRETA") {
		t.Errorf("diff shows the secret:\n%s", got)
	}

	p, err := Make(t.Context(), tr.Root, fs, fs, Options{Scan: scanner})
	if err != nil {
		t.Fatal(err)
	}
	want := `@@ -1,10 +1,10 @@
 one
 two
 three
-k := "[redacted]" // [redacted]
+k := "ENV" // ENV
 five
 six
 seven
 eight
 nine
-z := "[redacted]"
+z := "ENV"
`
	if d := cmp.Diff(want, show(p.Files[0])); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	if err := Write(tr.Root, p.Files[0]); err != nil {
		t.Fatal(err)
	}
	if got := tr.read("a/x.go"); got != "one\ntwo\nthree\nk := \"ENV\" // ENV\nfive\r\nsix\nseven\neight\nnine\nz := \"ENV\"" {
		t.Errorf("wrote %q", got)
	}
	st, err := os.Stat(filepath.Join(tr.dir, "a/x.go"))
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(tr.dir, "a/.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Findings that are not to be fixed are hidden all the same.
func TestDiffHidesAllFindings(t *testing.T) {
	tr := newTree(t, map[string]string{"x": "SECRETB\nk=SECRETA SECRETC\n"})
	fs := tr.findings("ENV", true, "x")
	p, err := Make(t.Context(), tr.Root, fs[1:2], fs, Options{Scan: scanner})
	if err != nil {
		t.Fatal(err)
	}
	want := "@@ -1,2 +1,2 @@\n [redacted]\n-k=[redacted] [redacted]\n+k=ENV [redacted]\n"
	if d := cmp.Diff(want, show(p.Files[0])); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
}

func TestDiffHunks(t *testing.T) {
	lines := make([]string, 30)
	for i := range lines {
		lines[i] = string(rune('a' + i%26))
	}
	lines[2], lines[20] = "SECRETA", "SECRETB\nSECRETC"
	tr := newTree(t, map[string]string{"x": strings.Join(lines, "\n") + "\n"})
	fs := tr.findings("1\n2", true, "x")
	p := plan(t, tr, fs, Options{})
	got := show(p.Files[0])
	for _, want := range []string{"@@ -1,6 +1,7 @@\n", "@@ -18,8 +19,10 @@\n", "-[redacted]\n+1\n+2\n-[redacted]\n+1\n+2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLeft(t *testing.T) {
	tr := newTree(t, map[string]string{
		"plain": "SECRETA", "utf16": "\xff\xfeSECRETA", "twice": "SECRETA", "again": "SECRETA", "new": "SECRETA",
		"places": "SECRETA x", "unsafe": "SECRETA", "multi1": "SECRETA", "multi2": "SECRETA",
	})
	if err := os.Symlink("plain", filepath.Join(tr.dir, "link")); err != nil {
		t.Fatal(err)
	}
	one := func(name, text string) *penstock.Finding { return tr.findings(text, true, name)[0] }
	handmade := one("plain", "ENV")
	handmade.Fix.Edits = nil
	outside := one("plain", "ENV")
	outside.Fix.Edits[0].Path = "../x"
	member := one("plain", "ENV")
	member.Fix.Edits[0].Path = "a.zip!/x"
	beyond := one("plain", "ENV")
	beyond.Fix.Edits[0].End = 100
	link := one("plain", "ENV")
	link.Fix.Edits[0].Path = "link"
	places := one("multi1", "ENV")
	places.Places = []penstock.Location{{Path: "multi2", Span: penstock.Span{Start: 0, End: 7}}}
	overlap := one("twice", "ENV")
	changed := one("again", "ENV")
	changed.Location.Start++
	elsewhere := one("places", "ENV")
	elsewhere.Fix.Edits[0].Span = penstock.Span{Start: 8, End: 9}
	for _, c := range []struct {
		name string
		fs   []*penstock.Finding
		want []string
	}{
		{"edit elsewhere", []*penstock.Finding{elsewhere}, []string{"places needs a change by hand in 1 of 1 places", "places has an edit that does not touch it"}},
		{"no edit", []*penstock.Finding{handmade}, []string{"plain needs a change by hand"}},
		{"outside", []*penstock.Finding{outside}, []string{"plain cannot be edited: path escapes from parent"}},
		{"member", []*penstock.Finding{member}, []string{"plain lies in an archive"}},
		{"beyond the end", []*penstock.Finding{beyond}, []string{"plain has changed since the scan"}},
		{"link", []*penstock.Finding{link}, []string{"plain cannot be edited: it is no regular file"}},
		{"places", []*penstock.Finding{places}, []string{"multi1 needs a change by hand in 1 of 2 places"}},
		{"overlap", []*penstock.Finding{overlap, one("twice", "X")}, nil},
		{"utf16", []*penstock.Finding{one("utf16", "ENV")}, []string{"utf16 cannot be edited: it is no text in UTF-8 or the like"}},
		{"changed", []*penstock.Finding{changed}, []string{"again has changed since the scan"}},
		{"still there", []*penstock.Finding{one("new", "SECRETX")}, []string{"new would still be found after the edit, or another flaw in its place"}},
		{"unsafe", tr.findings("ENV", false, "unsafe"), []string{"unsafe has an edit that may need a hand after it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, whys(plan(t, tr, c.fs, Options{}))); d != "" {
				t.Errorf("left (-want +got):\n%s", d)
			}
		})
	}
	if p := plan(t, tr, tr.findings("ENV", false, "unsafe"), Options{Unsafe: true}); len(p.Files) != 1 {
		t.Errorf("--unsafe left %v", whys(p))
	}
	if p := plan(t, tr, []*penstock.Finding{places}, Options{}); len(p.Files) != 1 {
		t.Errorf("one of two places left %v", whys(p))
	}
	places.Fix.Edits = append(places.Fix.Edits, penstock.Edit{Path: "multi2", Span: penstock.Span{Start: 0, End: 7}, Text: "ENV"})
	if p := plan(t, tr, []*penstock.Finding{places}, Options{}); len(p.Files) != 2 {
		t.Errorf("two places left %v", whys(p))
	}
}

// An edit that brings another finding is no repair.
func TestNewFindingIsRefused(t *testing.T) {
	tr := newTree(t, map[string]string{"x": "SECRETA"})
	scan := func(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
		out := find(files)
		if bytes.Contains(files["x"], []byte("ENV")) {
			out = append(out, &penstock.Finding{Rule: "code/y", Location: penstock.Location{Path: "x"}})
		}
		return out, nil
	}
	p := plan(t, tr, tr.findings("ENV", true, "x"), Options{Scan: scan})
	if d := cmp.Diff([]string{"x would still be found after the edit, or another flaw in its place"}, whys(p)); d != "" {
		t.Error(d)
	}
}

func TestScanErrorEndsThePlan(t *testing.T) {
	tr := newTree(t, map[string]string{"x": "SECRETA"})
	fs := tr.findings("ENV", true, "x")
	want := errors.New("no")
	_, err := Make(t.Context(), tr.Root, fs, fs, Options{Scan: func(context.Context, map[string][]byte) ([]*penstock.Finding, error) { return nil, want }})
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestWriteRefusesWhatChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
	}{
		{"bytes", func(p string) error { return os.WriteFile(p, []byte("SECRETA and more"), 0o640) }},
		{"mode", func(p string) error { return os.Chmod(p, 0o600) }},
		{"gone", os.Remove},
		{"link", func(p string) error { return errors.Join(os.Rename(p, p+"2"), os.Symlink(filepath.Base(p)+"2", p)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTree(t, map[string]string{"x": "SECRETA"})
			p := plan(t, tr, tr.findings("ENV", true, "x"), Options{})
			if err := c.change(filepath.Join(tr.dir, "x")); err != nil {
				t.Fatal(err)
			}
			if err := Write(tr.Root, p.Files[0]); err == nil {
				t.Error("written all the same")
			}
			if b, err := os.ReadFile(filepath.Join(tr.dir, "x")); err == nil && strings.Contains(string(b), "ENV") {
				t.Errorf("changed: %q", b)
			}
		})
	}
}

func TestEmptyEditAtTheEnd(t *testing.T) {
	tr := newTree(t, map[string]string{"x": "a\nSECRETA\n"})
	fs := tr.findings("", true, "x")
	p := plan(t, tr, fs, Options{})
	if got := show(p.Files[0]); got != "@@ -1,2 +1,2 @@\n a\n-[redacted]\n+\n" {
		t.Errorf("diff %q", got)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc\n", 2, 3, "x\ny", 0, 1)
	f.Add("", 0, 0, "x", 0, 0)
	f.Fuzz(func(t *testing.T, text string, start, end int, repl string, hs, he int) {
		if start < 0 || end < start || end > len(text) || hs < 0 || he <= hs || he > len(text) || len(text) > 10000 {
			return
		}
		x := &File{Before: []byte(text), edits: []penstock.Edit{{Span: penstock.Span{Start: int64(start), End: int64(end)}, Text: repl}}}
		x.hide = union([]penstock.Span{{Start: int64(hs), End: int64(he)}})
		x.apply()
		x.Diff()
	})
}

// flaws are a scanner that finds the words of a text that begin with "BAD", each a rule
// of its own.
func flaws(_ context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
	var out []*penstock.Finding
	for name, data := range files {
		at := 0
		for _, word := range strings.SplitAfter(string(data), " ") {
			if w := strings.TrimSpace(word); strings.HasPrefix(w, "BAD") {
				out = append(out, &penstock.Finding{
					Rule: "x/" + w, Severity: penstock.Low,
					Location: penstock.Location{Path: name, Span: penstock.Span{Start: int64(at), End: int64(at + len(w))}},
				})
			}
			at += len(word)
		}
	}
	return out, nil
}

// Edits of a finding that is no secret are made all or not at all, the same edit of two
// once, and a finding whose edits do no good does not keep the others.
func TestWhole(t *testing.T) {
	// What stands near a new flaw is held to be its cause.
	far := strings.Repeat("- ", 300)
	tr := newTree(t, map[string]string{"a": "head BAD1 mid BAD2 BAD3 " + far + "BAD4 " + far + "BAD5 end"})
	fs, _ := flaws(t.Context(), map[string][]byte{"a": []byte(tr.read("a"))})
	edit := func(from, to int64, text string) penstock.Edit {
		return penstock.Edit{Path: "a", Span: penstock.Span{Start: from, End: to}, Text: text}
	}
	at := func(i int) penstock.Edit { return edit(fs[i].Location.Start, fs[i].Location.End, "ok") }
	head := edit(4, 4, " env")
	fs[0].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{head, edit(4, 4, " one"), at(0)}}
	fs[1].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{head, edit(4, 4, " two"), at(1)}}
	// It stands in the way of the first, so that none of its edits is made.
	fs[2].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{at(2), edit(fs[0].Location.Start, fs[0].Location.End, "other")}}
	// It brings another flaw, and the next does nothing.
	fs[3].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{edit(fs[3].Location.Start, fs[3].Location.End, "BADNEW")}}
	fs[4].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{edit(fs[4].Location.End, fs[4].Location.End, " x")}}
	p := plan(t, tr, fs, Options{Scan: flaws})
	if len(p.Files) != 1 || string(p.Files[0].After) != "head env one two ok mid ok BAD3 "+far+"BAD4 "+far+"BAD5 end" {
		t.Fatalf("files %+v, left %q", p.Files, whys(p))
	}
	want := []string{
		"a overlaps another edit: run fix again after it",
		"a would still be found after the edit, or another flaw in its place",
		"a would still be found after the edit, or another flaw in its place",
	}
	if diff := cmp.Diff(want, whys(p)); diff != "" {
		t.Error(diff)
	}
}

// A file that is not edited must not get worse.
func TestOthersWorse(t *testing.T) {
	tr := newTree(t, map[string]string{"a": "BAD1"})
	scan := func(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
		if string(files["a"]) == "ok" {
			files = map[string][]byte{"a": files["a"], "b": []byte("BAD2")}
		}
		return flaws(ctx, files)
	}
	fs, _ := flaws(t.Context(), map[string][]byte{"a": []byte("BAD1")})
	fs[0].Fix = &penstock.Fix{Safe: true, Edits: []penstock.Edit{{Path: "a", Span: penstock.Span{End: 4}, Text: "ok"}}}
	p := plan(t, tr, fs, Options{Scan: scan})
	if diff := cmp.Diff([]string{"a makes another file worse"}, whys(p)); diff != "" || len(p.Files) > 0 {
		t.Errorf("files %d %s", len(p.Files), diff)
	}
}

// badLines finds the lines that begin with "BAD", each a rule of its own.
func badLines(_ context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
	var out []*penstock.Finding
	for name, data := range files {
		at := 0
		for line := range strings.Lines(string(data)) {
			if w := strings.TrimSpace(line); strings.HasPrefix(w, "BAD") {
				out = append(out, &penstock.Finding{
					Rule: "x/" + w, Severity: penstock.Low,
					Location: penstock.Location{Path: name, Span: penstock.Span{Start: int64(at), End: int64(at + len(w))}},
				})
			}
			at += len(line)
		}
	}
	return out, nil
}

// move is a repair of the flaw in a file: its line goes to a new file.
func move(t *testing.T, tr *tree, from, to string, span penstock.Span) *penstock.Finding {
	t.Helper()
	fs, _ := badLines(t.Context(), map[string][]byte{from: []byte(tr.read(from))})
	f := fs[0]
	f.Fix = &penstock.Fix{Edits: []penstock.Edit{
		{Path: from, Span: span},
		{Path: to, New: true, Text: "head\n"},
		{Path: to, New: true, From: from, Span: span},
		{Path: to, New: true, Text: "head\n"}, // the same part again is none to leave out
	}}
	return f
}

// alone finds the words only in files that begin otherwise than the new one.
func alone(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
	rest := map[string][]byte{}
	for name, data := range files {
		if !bytes.HasPrefix(data, []byte("head")) {
			rest[name] = data
		}
	}
	return badLines(ctx, rest)
}

func TestMove(t *testing.T) {
	tr := newTree(t, map[string]string{"d/a.yml": "keep\nSECRETA\nBAD1\nrest\n"})
	span := penstock.Span{Start: 5, End: 18}
	f := move(t, tr, "d/a.yml", "d/b.yml", span)
	second := *f
	secret := &penstock.Finding{Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{}}, Location: penstock.Location{Path: "d/a.yml", Span: penstock.Span{Start: 5, End: 12}}}
	p, err := Make(t.Context(), tr.Root, []*penstock.Finding{f, &second}, []*penstock.Finding{f, secret}, Options{Unsafe: true, Scan: alone})
	if err != nil || len(p.Files) != 2 || len(p.Left) > 0 {
		t.Fatalf("%+v, left %q, %v", p, whys(p), err)
	}
	if p.Files[1].Name != "d/b.yml" || !p.Files[1].New || len(p.Files[0].Made) != 1 || p.Files[0].Made[0] != p.Files[1] {
		t.Fatalf("files %+v", p.Files)
	}
	got := show(p.Files[0]) + show(p.Files[1])
	want := "@@ -1,4 +1,2 @@\n keep\n-[redacted]\n-BAD1\n rest\n@@ -0,0 +1,4 @@\n+head\n+[redacted]\n+BAD1\n+head\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	if err := Write(tr.Root, p.Files[1]); err == nil {
		t.Error("a new file was written by itself")
	}
	if err := Write(tr.Root, p.Files[0]); err != nil {
		t.Fatal(err)
	}
	if a, b := tr.read("d/a.yml"), tr.read("d/b.yml"); a != "keep\nrest\n" || b != "head\nSECRETA\nBAD1\nhead\n" {
		t.Errorf("wrote %q and %q", a, b)
	}
	st, err := os.Stat(filepath.Join(tr.dir, "d/b.yml"))
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// What stands in the new file counts: it must not have the finding, or another one.
func TestMoveIsProved(t *testing.T) {
	tr := newTree(t, map[string]string{"a.yml": "keep\nBAD1\n"})
	f := move(t, tr, "a.yml", "b.yml", penstock.Span{Start: 5, End: 10})
	p := plan(t, tr, []*penstock.Finding{f}, Options{Unsafe: true, Scan: badLines})
	if len(p.Files) > 0 || len(p.Left) != 1 {
		t.Errorf("the flaw was moved: %v", p.Files)
	}
	f = move(t, tr, "a.yml", "b.yml", penstock.Span{Start: 5, End: 10})
	f.Fix.Edits[1].Text = "head BAD2 \n"
	worse := func(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
		out, err := alone(ctx, files)
		if bytes.Contains(files["b.yml"], []byte("BAD2")) {
			out = append(out, &penstock.Finding{Rule: "x/BAD2", Severity: penstock.Low, Location: penstock.Location{Path: "b.yml"}})
		}
		return out, err
	}
	p = plan(t, tr, []*penstock.Finding{f}, Options{Unsafe: true, Scan: worse})
	if len(p.Files) > 0 || len(p.Left) != 1 {
		t.Errorf("another flaw came: %v", p.Files)
	}
}

func TestMoveRefused(t *testing.T) {
	tr := newTree(t, map[string]string{
		"d/a.yml": "keep\nBAD1\n", "d/there.yml": "x", "d/Case.yml": "x", "d/other.yml": "BAD2\n", "top.yml": "x", "d/sub/x": "x",
	})
	if err := os.Symlink("nowhere", filepath.Join(tr.dir, "d/link.yml")); err != nil {
		t.Fatal(err)
	}
	span := penstock.Span{Start: 5, End: 10}
	for _, c := range []struct{ name, to, want string }{
		{"there", "d/there.yml", "makes a file that is there already"},
		{"another case", "d/case.yml", "makes a file that is there already"},
		{"a link", "d/link.yml", "makes a file that is there already"},
		{"a folder", "d/sub", "makes a file that is there already"},
		{"itself", "d/a.yml", "overlaps another edit: run fix again after it"},
		{"elsewhere", "b.yml", "makes a file far from those that it edits"},
		{"above", "d/../../b.yml", "makes a file of a name that is not allowed"},
		{"outside", "../d/b.yml", "makes a file far from those that it edits"},
		{"absolute", "/d/b.yml", "makes a file far from those that it edits"},
		{"dots", "d/..", "makes a file of a name that is not allowed"},
		{"hidden", "d/.b.yml", "makes a file of a name that is not allowed"},
		{"the folder", "d/", "makes a file of a name that is not allowed"},
		{"nothing", "", "makes a file of a name that is not allowed"},
		{"a member", "d/a.zip!/b.yml", "makes a file of a name that is not allowed"},
		{"a line break", "d/b\n.yml", "makes a file of a name that is not allowed"},
		{"a shell's", "d/$(id).yml", "makes a file of a name that is not allowed"},
		{"another system's", `d/..\..\b.yml`, "makes a file of a name that is not allowed"},
		{"a stream", "d/b.yml:x", "makes a file of a name that is not allowed"},
		{"long", "d/" + strings.Repeat("b", 300), "makes a file of a name that is not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := move(t, tr, "d/a.yml", c.to, span)
			p := plan(t, tr, []*penstock.Finding{f}, Options{Unsafe: true, Scan: alone})
			if d := cmp.Diff([]string{"d/a.yml " + c.want}, whys(p)); d != "" || len(p.Files) > 0 {
				t.Errorf("files %d, left (-want +got):\n%s", len(p.Files), d)
			}
		})
	}
	for _, c := range []struct {
		name, want string
		change     func(f *penstock.Finding)
	}{
		{"text of another file", "makes a file of what it does not edit", func(f *penstock.Finding) { f.Fix.Edits[2].From = "d/there.yml" }},
		{"text from outside", "makes a file of what it does not edit", func(f *penstock.Finding) { f.Fix.Edits[2].From = "/etc/hostname" }},
		{"a span without a file", "makes a file of what it does not edit", func(f *penstock.Finding) { f.Fix.Edits[2].From = "" }},
		{"beyond the end", "has changed since the scan", func(f *penstock.Finding) { f.Fix.Edits[2].End = 1 << 40 }},
		{"backwards", "has changed since the scan", func(f *penstock.Finding) { f.Fix.Edits[2].Start = 11; f.Fix.Edits[2].End = 10 }},
		{"before the start", "has changed since the scan", func(f *penstock.Finding) { f.Fix.Edits[2].Start = -1 }},
		{"nothing edited", "makes a file far from those that it edits", func(f *penstock.Finding) { f.Fix.Edits = f.Fix.Edits[1:] }},
		{"moved into a file that is there", "moves text, which no repair of this kind does", func(f *penstock.Finding) { f.Fix.Edits[0].From = "d/there.yml" }},
		{"too large", "makes a file that is larger than 16 MiB", func(f *penstock.Finding) {
			part := f.Fix.Edits[1]
			part.Text = strings.Repeat("x", 9<<20)
			f.Fix.Edits = append(f.Fix.Edits, part, part)
		}},
		{"a secret's", "needs a change by hand in 1 of 1 places", func(f *penstock.Finding) {
			f.Evidence.Secret = &penstock.SecretEvidence{}
			f.Fix.Edits = f.Fix.Edits[1:]
			f.Fix.Edits[0].Path = "d/there.yml"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := move(t, tr, "d/a.yml", "d/b.yml", span)
			c.change(f)
			p := plan(t, tr, []*penstock.Finding{f}, Options{Unsafe: true, Scan: alone})
			if got := whys(p); len(got) != 1 || !strings.Contains(got[0], c.want) && c.name != "a secret's" || len(p.Files) > 0 {
				t.Errorf("files %d, left %q, want %q", len(p.Files), got, c.want)
			}
		})
	}
	// Two findings that would make one file of different parts: the first has it.
	f, other := move(t, tr, "d/a.yml", "d/b.yml", span), move(t, tr, "d/other.yml", "d/B.yml", penstock.Span{End: 5})
	p := plan(t, tr, []*penstock.Finding{f, other}, Options{Unsafe: true, Scan: alone})
	if d := cmp.Diff([]string{"d/other.yml overlaps another edit: run fix again after it"}, whys(p)); d != "" || len(p.Files) != 2 {
		t.Errorf("files %d, left (-want +got):\n%s", len(p.Files), d)
	}
	for _, name := range []string{"d/there.yml", "d/Case.yml", "top.yml"} {
		if tr.read(name) != "x" {
			t.Errorf("%s was written", name)
		}
	}
}

// A file that came since the plan is not overwritten, and neither half is written alone.
func TestMoveRefusesWhatChanged(t *testing.T) {
	span := penstock.Span{Start: 5, End: 10}
	for _, c := range []struct {
		name   string
		change func(dir string) error
	}{
		{"a file", func(dir string) error { return os.WriteFile(filepath.Join(dir, "b.yml"), []byte("x"), 0o600) }},
		{"a link", func(dir string) error { return os.Symlink("c.yml", filepath.Join(dir, "b.yml")) }},
		{"a folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, "b.yml"), 0o700) }},
		{"the source", func(dir string) error { return os.WriteFile(filepath.Join(dir, "a.yml"), []byte("BAD3"), 0o600) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTree(t, map[string]string{"a.yml": "keep\nBAD1\n"})
			p := plan(t, tr, []*penstock.Finding{move(t, tr, "a.yml", "b.yml", span)}, Options{Unsafe: true, Scan: alone})
			if err := c.change(tr.dir); err != nil {
				t.Fatal(err)
			}
			if err := Write(tr.Root, p.Files[0]); !errors.Is(err, ErrChanged) {
				t.Errorf("got %v", err)
			}
			if !strings.Contains(tr.read("a.yml"), "BAD") {
				t.Error("the source was written")
			}
			if b, err := os.ReadFile(filepath.Join(tr.dir, "b.yml")); err == nil && string(b) != "x" {
				t.Errorf("the new file was written: %q", b)
			}
			if _, err := os.Lstat(filepath.Join(tr.dir, "c.yml")); err == nil {
				t.Error("a link was followed")
			}
		})
	}
}
