package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestIgnore(t *testing.T) {
	const file = "\xef\xbb\xbf# comment\r\n" +
		"*.log\r\n" +
		"!keep.log\n" +
		"/root.txt\n" +
		"build/\n" +
		"docs/*.html\n" +
		"a/**/z\n" +
		"**/deep/file\n" +
		"below/**\n" +
		"[Dd]ebug\n" +
		"te?t\n" +
		"\\#hash\n" +
		"\\!bang\n" +
		"space\\ \n" +
		"blanks   \n" +
		"[[:digit:]]x\n" +
		"[!a-c]y\n" +
		"!/build/x\n" +
		"nested/dir/\n" +
		"npm-*\n"
	ig, problems := ParseIgnore([]byte(file), "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tests := []struct {
		path  string
		isDir bool
		want  string // the pattern, "" for not ignored
	}{
		{"a.log", false, "*.log"},
		{"x/y/a.log", false, "*.log"},
		{".log", false, "*.log"},
		{"keep.log", false, ""},
		{"x/keep.log", false, ""},
		{"root.txt", false, "/root.txt"},
		{"x/root.txt", false, ""},
		{"build", false, ""},
		{"build", true, "build/"},
		{"build/x", false, "build/"}, // a line below cannot bring it back
		{"x/build/y", false, "build/"},
		{"docs/a.html", false, "docs/*.html"},
		{"docs/x/a.html", false, ""},
		{"x/docs/a.html", false, ""},
		{"a/z", false, "a/**/z"},
		{"a/b/c/z", false, "a/**/z"},
		{"a/bz", false, ""},
		{"deep/file", false, "**/deep/file"},
		{"x/deep/file", false, "**/deep/file"},
		{"below", true, ""},
		{"below/x", false, "below/**"},
		{"Debug", true, "[Dd]ebug"},
		{"x/debug", false, "[Dd]ebug"},
		{"test", false, "te?t"},
		{"#hash", false, "\\#hash"},
		{"!bang", false, "\\!bang"},
		{"space ", false, "space\\ "},
		{"space", false, ""},
		{"blanks", false, "blanks"},
		{"7x", false, "[[:digit:]]x"},
		{"dy", false, "[!a-c]y"},
		{"by", false, ""},
		{"nested/dir", true, "nested/dir/"},
		{"nested/dir", false, ""},
		{"npm-debug", false, "npm-*"},
		{"npm", false, ""},
	}
	for _, tt := range tests {
		ignored, pattern := ig.Match(tt.path, tt.isDir)
		if ignored != (tt.want != "") || pattern != tt.want {
			t.Errorf("Match(%q, %v) = %v, %q; want %q", tt.path, tt.isDir, ignored, pattern, tt.want)
		}
	}
	if p, _ := ig.Find("x/keep.log", false); p == nil || p.Line != 3 || !p.Negated {
		t.Errorf("Find = %+v", p)
	}
}

func TestIgnoresStack(t *testing.T) {
	var s Ignores
	if ignored, _ := s.Match("a", false); ignored {
		t.Error("the empty stack ignores")
	}
	s.Push("", []byte("secret\n*.tmp\nout/\n")) // .git/info/exclude
	s.Push("", []byte("!secret\n"))
	s.Push("sub", []byte("!*.tmp\n/only\n"))
	check := func(path string, isDir, want bool) {
		t.Helper()
		if got, by := s.Match(path, isDir); got != want {
			t.Errorf("Match(%q) = %v by %q, want %v", path, got, by, want)
		}
	}
	check("secret", false, false)
	check("a.tmp", false, true)
	check("sub/a.tmp", false, false)
	check("sub/x/a.tmp", false, false)
	check("subx/a.tmp", false, true)
	check("sub/only", false, true)
	check("sub/x/only", false, false)
	check("only", false, false)
	check("sub/out", true, true)
	check("sub/out/a.tmp", false, true)
	check("sub/out/deep/er/a.tmp", false, true)
	s.Push("sub/x", []byte("*\n"))
	check("sub/x/a", false, true)
	s.Pop()
	check("sub/x/a", false, false)
	s.Pop()
	check("sub/a.tmp", false, true)
}

func TestIgnoreProblems(t *testing.T) {
	long := strings.Repeat("x", maxPatternLen+1)
	for _, tt := range []struct {
		file string
		line int
		want string
	}{
		{"ok\n[abc\n", 2, "["},
		{"a[[:nope:]]\n", 1, "["},
		{"\n\nfoo\\\n", 3, "backslash"},
		{"/\n", 1, "empty"},
		{"!\n", 1, "empty"},
		{long, 1, "longer"},
		{strings.Repeat("a\n", maxPatterns+1), maxPatterns + 1, "more than"},
	} {
		ig, problems := ParseIgnore([]byte(tt.file), "")
		if len(problems) != 1 || problems[0].Line != tt.line || !strings.Contains(problems[0].Message, tt.want) {
			t.Errorf("ParseIgnore(%.20q) reports %v", tt.file, problems)
		}
		if ignored, _ := ig.Match("a", false); ignored {
			t.Errorf("ParseIgnore(%.20q) ignores a", tt.file)
		}
	}
}

// ignoreGen makes patterns and names from a small alphabet, so that they meet.
type ignoreGen struct{ *rand.Rand }

func (g ignoreGen) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g ignoreGen) name() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.pick("a", "b", "c", "a", "b", ".", "-", "A", "1", "!", "#", " ", "]", "[", "\\", "é", "*"))
	}
	if s := b.String(); s != "." && s != ".." && s != ".git" && s != ".gitignore" {
		return s
	}
	return "a"
}

func (g ignoreGen) pattern() string {
	var b strings.Builder
	if g.IntN(5) == 0 {
		b.WriteByte('!')
	}
	if g.IntN(4) == 0 {
		b.WriteString(g.pick("/", "**/", "/**/", "//"))
	}
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			b.WriteString(g.pick("/", "/", "/**/", "/*/", "**/", "\\/", "/**", "//"))
		}
		for range 1 + g.IntN(3) {
			b.WriteString(g.pick("a", "b", "c", "a", "b", "*", "*", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]",
				"[[:alpha:]]", "[a", "[b-a]", "[[:x:]]", "[[:a]", "[\\]a]", "[a-]", "[--a]", "[a\\-c]", "**", "***",
				".", "-", "A", "1", "\\!", "\\#", "\\ ", " ", "#", "!", "\\a", "\\*", "\\\\", "é", "]"))
		}
	}
	b.WriteString(g.pick("", "", "", "/", "/**", "/*", " ", "  ", "\\ ", "\\", "*", "\r", "\t"))
	return b.String()
}

// tree makes folders and files and returns their paths; folders end in a slash.
func (g ignoreGen) tree(t *testing.T, root, dir string, depth int, paths *[]string) {
	for range 2 + g.IntN(4) {
		path := filepath.Join(dir, g.name())
		full := filepath.Join(root, path)
		if _, err := os.Lstat(full); err == nil {
			continue
		}
		if depth > 0 && g.IntN(2) == 0 {
			if err := os.Mkdir(full, 0o777); err != nil {
				t.Fatal(err)
			}
			*paths = append(*paths, path+"/")
			g.tree(t, root, path, depth-1, paths)
			continue
		}
		if err := os.WriteFile(full, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		*paths = append(*paths, path)
	}
}

// gitCommand runs git in a repository that the test made, without any
// configuration of the machine.
func gitCommand(t testing.TB, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "LC_ALL=C",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && args[0] == "check-ignore" && exit.ExitCode() == 1 {
		err = nil // nothing is ignored
	}
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func needGit(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git on this machine to compare with")
	}
}

// Every answer, with the line that gives it, is that of git check-ignore.
func TestIgnoreAgainstGit(t *testing.T) {
	needGit(t)
	rounds := 40
	if testing.Short() {
		rounds = 15
	}
	var asked, ignored, negated int
	for seed := range rounds {
		g := ignoreGen{rand.New(rand.NewPCG(uint64(seed), 7))}
		root := t.TempDir()
		gitCommand(t, root, nil, "init", "-q")
		var paths []string
		g.tree(t, root, "", 3, &paths)
		files := map[string][]byte{}
		write := func(dir, name string) {
			var b bytes.Buffer
			if g.IntN(10) == 0 {
				b.WriteString("\xef\xbb\xbf")
			}
			for range 1 + g.IntN(8) {
				b.WriteString(g.pattern() + "\n")
			}
			if g.IntN(4) == 0 {
				b.Truncate(b.Len() - 1)
			}
			files[dir+"|"+name] = b.Bytes()
			if err := os.WriteFile(filepath.Join(root, dir, name), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		os.MkdirAll(filepath.Join(root, ".git/info"), 0o777)
		write(".git/info", "exclude")
		write("", ".gitignore")
		for _, p := range paths {
			if strings.HasSuffix(p, "/") && g.IntN(2) == 0 {
				write(strings.TrimSuffix(p, "/"), ".gitignore")
			}
		}
		var stdin bytes.Buffer
		for _, p := range paths {
			stdin.WriteString(strings.TrimSuffix(p, "/") + "\x00")
		}
		out := strings.Split(string(gitCommand(t, root, stdin.Bytes(), "check-ignore", "--no-index", "-v", "-n", "-z", "--stdin")), "\x00")
		for i, p := range paths {
			want := out[i*4+0] + ":" + out[i*4+1] + ":" + out[i*4+2]
			var s Ignores
			s.Push("", files[".git/info|exclude"])
			s.Push("", files["|.gitignore"])
			for j := range len(p) - 1 {
				if p[j] == '/' {
					if f, ok := files[p[:j]+"|.gitignore"]; ok {
						s.Push(p[:j], f)
					}
				}
			}
			path, isDir := strings.CutSuffix(p, "/")
			by, yes := s.Find(path, isDir)
			got := "::"
			if by != nil {
				got = strconv.Itoa(by.Line) + ":" + by.Text
				_, want, _ = strings.Cut(want, ":")
			}
			asked++
			if yes {
				ignored++
			} else if by != nil {
				negated++
			}
			if got != want {
				t.Errorf("seed %d: %q: we say %q, git says %q", seed, p, got, want)
			}
		}
	}
	t.Logf("%d paths, %d ignored, %d included again", asked, ignored, negated)
	if ignored < asked/10 || negated < asked/100 {
		t.Error("the patterns hardly meet the paths; the test tests nothing")
	}
}

func TestGlobHostile(t *testing.T) {
	for _, tt := range []struct{ pattern, s string }{
		{strings.Repeat("a*", 400) + "b", strings.Repeat("a", 1500)},
		{strings.Repeat("**/", 300) + "x", strings.Repeat("a/", 700)},
		{strings.Repeat("**/a*a*", 120) + "x", strings.Repeat("aaa/", 400)},
		{strings.Repeat("[a-z]*", 150) + "1", strings.Repeat("q", 1500)},
	} {
		g, why := compileGlob(tt.pattern, true)
		if why != "" {
			t.Fatal(why)
		}
		var work int64
		if matchGlob(g, tt.s, &work) {
			t.Errorf("%.20s matches", tt.pattern)
		}
		if work == 0 {
			t.Errorf("%.20s is not slow; the test tests nothing", tt.pattern)
		}
		if !matchGlob(g[:len(g)-1], tt.s, &work) && tt.s[len(tt.s)-1] != '/' {
			t.Errorf("%.20s without its end matches not", tt.pattern)
		}
		var s Ignores
		s.Push("", []byte(tt.pattern+"\nignored\n"))
		s.Match(tt.s, false)
		if ignored, _ := s.Match("ignored", false); !ignored {
			t.Error("one slow glob ends it all")
		}
		s.work -= globWork + 1
		if ignored, _ := s.Match("ignored", false); ignored || !s.Overrun() {
			t.Error("ignored when the budget is used up")
		}
	}
}

func TestIgnoreAllocates(t *testing.T) {
	var s Ignores
	s.Push("", []byte(benchIgnore))
	s.Push("internal", []byte("*.gen\n/tmp/\n"))
	paths := []string{"internal/source/ignore.go", "internal/source/x.log", "cmd/penstock/main.go", "web/node_modules/a/b.js"}
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range paths {
			s.Match(p, false)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The backtracking matcher and the one without must agree, and nothing panics.
func FuzzIgnore(f *testing.F) {
	f.Add("a/**/b*[!c]?", "a/x/y/bzzd")
	f.Add("**/x**/**/\\*[[:alpha:]-z]\n!foo\\ \n/a/", "x/y/*a")
	f.Add(strings.Repeat("a*", 30), strings.Repeat("a", 60))
	f.Add("[a", "a")
	for seed := range 20 {
		g := ignoreGen{rand.New(rand.NewPCG(uint64(seed), 9))}
		f.Add(g.pattern()+"\n"+g.pattern(), g.name()+"/"+g.name()+"/"+g.name())
	}
	f.Fuzz(func(t *testing.T, file, path string) {
		ig, _ := ParseIgnore([]byte(file), "")
		for _, isDir := range []bool{false, true} {
			p, ignored := ig.Find(path, isDir)
			if ignored && p == nil {
				t.Fatal("ignored by nothing")
			}
		}
		ParseIgnore([]byte(file), path)
		for _, line := range strings.Split(file, "\n") {
			if len(line) > maxPatternLen || len(path) > 4096 {
				return
			}
			for _, deep := range []bool{false, true} {
				g, why := compileGlob(line, deep)
				if why != "" {
					continue
				}
				fast, steps := backtrackGlob(g, path)
				if slow, _ := simulateGlob(g, path); steps < globSteps && fast != slow {
					t.Fatalf("glob %q on %q: backtracking says %v, the simulation %v", line, path, fast, slow)
				}
			}
		}
	})
}

// benchIgnore is like what a project of several languages has.
var benchIgnore = func() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "*.ext%d\n/dir%d/\nname%d\nsub%d/gen/*.x\ncache-%d-*\n[Bb]in%d/\n", i, i, i, i, i, i)
	}
	b.WriteString("node_modules/\n*.log\n**/dist/**\n!important\n*~\n.env.*\n")
	return b.String()
}()

func BenchmarkIgnores(b *testing.B) {
	var s Ignores
	s.Push("", []byte(benchIgnore))
	s.Push("internal", []byte("*.gen\n/tmp/\n"))
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprintf("internal/pkg%d/source/file%d.go", i/20, i)
	}
	b.ResetTimer()
	i := 0
	for b.Loop() {
		s.Match(paths[i], false)
		if i++; i == len(paths) {
			i = 0
		}
	}
}

func BenchmarkParseIgnore(b *testing.B) {
	for b.Loop() {
		ParseIgnore([]byte(benchIgnore), "")
	}
}
