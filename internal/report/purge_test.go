package report

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// guide is what NewPurge makes of records.
func guide(t testing.TB, records []penstock.Record) string {
	t.Helper()
	var b bytes.Buffer
	feed(t, NewPurge(&b, Options{}), records)
	return b.String()
}

// scriptOf is the shell script in a guide.
func scriptOf(t testing.TB, s string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, "\n  umask 077\n")
	s, _, more := strings.Cut(s, "\nAfter the push\n")
	if !ok || !more {
		t.Fatalf("there is no script in\n%s", s)
	}
	return "  umask 077\n" + s
}

func TestPurgeGolden(t *testing.T) {
	golden(t, "purge.txt", []byte(guide(t, historyStream())))
}

func TestPurgeNothing(t *testing.T) {
	empty := []penstock.Record{&penstock.Header{History: true}, &penstock.End{}}
	if out := guide(t, empty); !strings.HasPrefix(out, "nothing to purge") {
		t.Errorf("got %q", out)
	}
	if out := guide(t, empty[:1]); !strings.Contains(out, "incomplete:") {
		t.Errorf("a run that was cut off looks whole: %q", out)
	}
	var e *penstock.Error
	s := NewPurge(&bytes.Buffer{}, Options{})
	for _, r := range rangeStream() {
		if err := s.Record(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); !errors.As(err, &e) || !strings.Contains(e.Hint, "--history") {
		t.Errorf("a stream without history: %v", err)
	}
}

// hostileNames are names that a file in a repository can have.
func hostileNames() []string {
	return []string{
		"plain/name-1.txt", "a b", "it's", "'", "''", `"`, `\`, `\n`, `a\`, "-rf", "--", "-", "$(touch pwned)", "`touch pwned`", "${HOME}", "$HOME",
		"a\nb", "a\n", "\n", "a\n\n", "\r", "\t", " ", "  a  ", "*", "?", "[a]", "~", "~root", "#x", "a#b", "!x", "a!!b", "&", "|", ";", ">x", "<x", "(", ")", "{a,b}",
		"%s%n%%", "100%", "%", "\x1b[31mred", "\x07", "\x7f", "\u202egnp.exe", "a\u200bb", "\u00a0", "e\u0301", "日本語", "😀", "\xff\xfe", "a\xc3", "\ufffd",
		"##[group]x", "::error::x", "x\n::error::y", "=ls", "a=b", "a;touch pwned", "$'x'", "\\041", "0\\0", "7" + "\x01" + "7", "a.zip!/b",
	}
}

// shells are the POSIX shells at hand.
func shells(t testing.TB) []string {
	var out, seen []string
	for _, name := range []string{"sh", "dash", "bash", "busybox", "ksh", "mksh", "zsh"} {
		p, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		real, err := filepath.EvalSymlinks(p) // sh is often one of the others
		if err != nil || slices.Contains(seen, real) {
			continue
		}
		seen, out = append(seen, real), append(out, p)
	}
	if len(out) == 0 {
		t.Skip("SKIPPED: no shell on PATH")
	}
	return out
}

// sh runs a script.
func sh(t testing.TB, shell, dir, script string, env ...string) []byte {
	t.Helper()
	args := []string{"-c", script}
	if filepath.Base(shell) == "busybox" {
		args = append([]string{"sh"}, args...)
	}
	cmd := exec.Command(shell, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s\n%s", shell, err, out, script)
	}
	return out
}

// TestShellWord gives words to shells and wants the very bytes back.
func TestShellWord(t *testing.T) {
	all := hostileNames()
	every := make([]byte, 0, 255)
	for c := 1; c < 256; c++ {
		every = append(every, byte(c))
		all = append(all, string([]byte{byte(c)}), "x"+string([]byte{byte(c)})+"7")
	}
	all = append(all, string(every), "")
	var script, want strings.Builder
	for _, name := range all {
		word, setup := shellWord(name, "p1")
		for _, s := range []string{word, setup} {
			marks := 0
			for _, r := range s {
				if hidden(r, &marks) || r == '\n' {
					t.Errorf("%q becomes %q, which holds %U", name, s, r)
				}
			}
			if breakCommands(s) != s {
				t.Errorf("%q becomes %q, which would be changed", name, s)
			}
		}
		if setup != "" {
			script.WriteString(setup + "\n")
		}
		script.WriteString("printf '%s\\001' --path=" + word + "\n")
		want.WriteString("--path=" + name + "\x01")
	}
	for _, shell := range shells(t) {
		dir := t.TempDir()
		got := sh(t, shell, dir, script.String())
		if string(got) != want.String() {
			g, w := strings.Split(string(got), "\x01"), strings.Split(want.String(), "\x01")
			for i := range min(len(g), len(w)) {
				if g[i] != w[i] {
					t.Errorf("%s: got %q, want %q", shell, g[i], w[i])
				}
			}
			t.Errorf("%s: the words differ", shell)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s ran something: %v", shell, left)
		}
	}
}

// historyOf makes one finding of history per name.
func historyOf(commit string, names []string, at func(name string) penstock.Location) []penstock.Record {
	records := []penstock.Record{&penstock.Header{History: true}}
	for _, name := range names {
		l := at(name)
		l.Path = commit + ":" + name
		records = append(records, &penstock.Finding{
			Rule: "secrets/x", Title: name, Location: l, Commit: &penstock.Commit{ID: commit, Author: name, Summary: name},
			Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: name, Length: 5}}, Fingerprint: name, Fix: &penstock.Fix{Steps: []string{name}},
		})
	}
	return append(records, &penstock.End{})
}

// TestPurgeScript runs the script on a repository whose files have hostile
// names: the commands that fetch values with git, and git filter-repo in the form
// of a function that keeps its arguments. A commit that the clone lacks must give
// no value.
func TestPurgeScript(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("SKIPPED: no git on PATH")
	}
	var names []string
	for _, n := range hostileNames() {
		if !strings.Contains(n, "!/") {
			names = append(names, n)
		}
	}
	// A tree made from objects takes names that no check-out would.
	repo := t.TempDir()
	clean := []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	run := func(stdin string, args ...string) string {
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Env, cmd.Stdin = repo, append(os.Environ(), clean...), strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("", "init", "-q", "-b", "main", ".")
	var index strings.Builder
	for i, n := range names {
		if strings.Contains(n, "/") {
			continue
		}
		blob := run("line\nk = \""+string(rune('A'+i%26))+"1234\"\nend\n", "hash-object", "-w", "--stdin")
		index.WriteString("100644 blob " + blob + "\t" + n + "\x00")
	}
	tree := run(index.String(), "mktree", "-z")
	commit := run("", "commit-tree", "-m", "all", tree)
	run("", "update-ref", "refs/heads/main", commit)
	names = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, "/") })

	exact := func(string) penstock.Location {
		return penstock.Location{Span: penstock.Span{Start: 10, End: 15}, Line: 2, EndLine: 2}
	}
	wholeLine := func(string) penstock.Location {
		return penstock.Location{Span: penstock.Span{Start: 0, End: 100}, Line: 2, EndLine: 2}
	}
	wholeFile := func(string) penstock.Location { return penstock.Location{} }
	withLost := slices.Insert(historyOf(commit, names, exact), 1, historyOf(newCommit, names[:1], exact)[1])
	for _, shell := range shells(t) {
		for kind, at := range map[string]func(string) penstock.Location{"exact": exact, "line": wholeLine, "file": wholeFile} {
			records := historyOf(commit, names, at)
			if kind == "exact" {
				records = withLost
			}
			script := scriptOf(t, guide(t, records))
			script = strings.Replace(script, "git clone --mirror URL", "git clone -q --mirror \"$REPO\"", 1)
			dir := t.TempDir()
			prelude := `penstock() { :; }
git() {
  case $1$3 in
  -Cfilter-repo) shift 3; printf '%s\001' "$@" > args; cp "$dir/replace.txt" kept 2>/dev/null || : ;;
  push*) : ;;
  *) command git "$@" ;;
  esac
}
set -e
`
			out := sh(t, shell, dir, prelude+script, append(clean, "EDITOR=true", "REPO="+repo, "TMPDIR="+dir)...)
			last := out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:]
			made, ok := strings.CutSuffix(string(last), "/purge.git/filter-repo\n")
			if !ok || strings.Contains(string(out), "fatal:") != (kind == "exact") {
				t.Fatalf("%s, %s: the script prints %q", shell, kind, out)
			}
			args, err := os.ReadFile(filepath.Join(dir, "args"))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			switch kind {
			case "file":
				sorted := slices.Clone(names)
				slices.Sort(sorted)
				want = []string{"--sensitive-data-removal", "--invert-paths"}
				for _, n := range sorted {
					want = append(want, "--path="+n)
				}
			default:
				want = []string{"--sensitive-data-removal", "--replace-text=" + made + "/replace.txt", "--replace-message=" + made + "/replace.txt"}
				kept, err := os.ReadFile(filepath.Join(dir, "kept"))
				if err != nil {
					t.Fatal(err)
				}
				pattern := `^literal:[A-Z]1234==>REMOVED$`
				if kind == "line" {
					pattern = `^k = "[A-Z]1234"$`
				}
				lines := strings.Split(strings.TrimSuffix(string(kept), "\n"), "\n")
				for _, l := range lines {
					if !regexp.MustCompile(pattern).MatchString(l) {
						t.Errorf("%s, %s: the line %q", shell, kind, l)
					}
				}
				if len(lines) != len(names) {
					t.Errorf("%s, %s: %d lines for %d secrets", shell, kind, len(lines), len(names))
				}
			}
			if got := strings.Join(want, "\x01") + "\x01"; got != string(args) {
				t.Errorf("%s, %s: git filter-repo is given\n%q, want\n%q", shell, kind, args, got)
			}
			left, _ := os.ReadDir(dir)
			for _, e := range left {
				if n := e.Name(); n != "args" && n != "kept" && n != filepath.Base(made) {
					t.Errorf("%s, %s: %q was left or made", shell, kind, n)
				}
			}
		}
	}
}

// checkGuide wants a guide that is inert: on a terminal, in a log, and pasted
// into a shell that knows no comments.
func checkGuide(t testing.TB, out string) {
	t.Helper()
	marks := 0
	for i, r := range out {
		if r != '\n' && hidden(r, &marks) {
			t.Fatalf("the guide holds %U near %q", r, out[max(0, i-30):min(len(out), i+30)])
		}
	}
	if inlineCommand.MatchString(out) || lineCommand.MatchString(out) {
		t.Fatalf("the guide forms a command of a CI system:\n%s", out)
	}
	for l := range strings.Lines(out) {
		if s := strings.TrimSpace(l); strings.HasPrefix(l, "  #") && !regexp.MustCompile(`^#[A-Za-z ,.:-]*$`).MatchString(s) {
			t.Fatalf("a comment that an interactive shell might act on: %q", s)
		}
	}
}

func TestPurgeInert(t *testing.T) {
	checkGuide(t, guide(t, historyStream()))
	checkGuide(t, guide(t, historyOf(oldCommit, hostileNames(), func(string) penstock.Location { return at("", 2, 1, 5) })))
}

func FuzzPurge(f *testing.F) {
	for _, n := range hostileNames() {
		f.Add(n, 1, 5)
	}
	f.Add("x.pem", 0, -3)
	f.Fuzz(func(t *testing.T, name string, line, n int) {
		out := guide(t, historyOf(oldCommit, []string{name}, func(string) penstock.Location {
			return penstock.Location{Span: penstock.Span{Start: int64(n), End: int64(n) + 5}, Line: line, EndLine: n}
		}))
		checkGuide(t, out)
		word, setup := shellWord(name, "p1")
		if breakCommands(word) != word || breakCommands(setup) != setup {
			t.Fatalf("the words %q and %q would be changed", word, setup)
		}
	})
}
