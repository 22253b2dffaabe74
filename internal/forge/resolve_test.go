package forge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/forge/fake"
)

const world = `
repositories:
  actions/checkout:
    commits: {a1: [], a2: [a1], a3: [a2], b1: [a1], b2: [b1], fork: [a2], orphan: [], d1: [a1], d2: [d1]}
    branches: {main: a3, releases/v3: b2, v4: a1}
    tags: {v4: a2, v4.2.2: a2, v4.1.0: a1, v5: d2}
    annotated: [v4.1.0]
  example/old:
    archived: true
    commits: {o1: []}
    branches: {main: o1}
  example/private:
    private: true
    commits: {p1: []}
    branches: {main: p1}
  new-owner/tool:
    commits: {t1: []}
    branches: {main: t1}
    tags: {v1: t1}
  example/renamed:
    commits: {r1: []}
    branches: {main: r1}
moved:
  old-owner/tool: new-owner/tool
  example/before: example/renamed
advisories:
  - {id: GHSA-aaaa-bbbb-cccc, package: example/old, range: '>= 1.0, < 1.2.3', fixed: 1.2.3, severity: high, summary: It runs what it is told.}
`

// forge starts a server of a world and returns it with how to ask it.
func forge(t *testing.T, text string) (*fake.Server, Config) {
	t.Helper()
	w, err := fake.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	s := &fake.Server{World: w, Now: func() time.Time { return now }}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, Config{API: h.URL, Budget: 200, Now: s.Now, Version: "test"}
}

func resolver(t *testing.T, c Config) *Resolver {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(kind penstock.QuestionKind, name, ref, tag string) penstock.Question {
	owner, repo, _ := strings.Cut(name, "/")
	return penstock.Question{Kind: kind, Owner: owner, Repo: repo, Ref: ref, Tag: tag}
}

func TestResolve(t *testing.T) {
	sha := fake.SHA
	checkout := "actions/checkout"
	for _, c := range []struct {
		name     string
		q        penstock.Question
		want     penstock.Answer
		requests int
		left     string
	}{
		{"repository", ask(penstock.AskRepository, checkout, "", ""), penstock.Answer{Known: true}, 1, ""},
		{"archived", ask(penstock.AskRepository, "Example/Old", "", ""), penstock.Answer{Known: true, Archived: true}, 1, ""},
		{"gone with its owner", ask(penstock.AskRepository, "nobody/tool", "", ""), penstock.Answer{Known: true, Missing: true, OwnerMissing: true}, 2, ""},
		{"gone or private", ask(penstock.AskRepository, "example/private", "", ""), penstock.Answer{}, 2, errUnseen.Error()},
		{"moved to another owner", ask(penstock.AskRepository, "old-owner/tool", "", ""), penstock.Answer{Known: true, Moved: "new-owner/tool", OwnerMissing: true}, 3, ""},
		{"renamed", ask(penstock.AskRepository, "example/before", "", ""), penstock.Answer{Known: true, Moved: "example/renamed"}, 2, ""},

		{"tag", ask(penstock.AskRef, checkout, "v4.2.2", ""), penstock.Answer{Known: true, TagCommit: sha("a2"), Tags: []string{"v4.2.2", "v4"}, AllTags: true}, 3, ""},
		{"branch and tag", ask(penstock.AskRef, checkout, "v4", ""), penstock.Answer{Known: true, TagCommit: sha("a2"), BranchCommit: sha("a1"), Tags: []string{"v4.2.2", "v4"}, AllTags: true}, 3, ""},
		{"branch", ask(penstock.AskRef, checkout, "releases/v3", ""), penstock.Answer{Known: true, BranchCommit: sha("b2")}, 3, ""},
		{"neither", ask(penstock.AskRef, checkout, "v9", ""), penstock.Answer{Known: true}, 3, ""},
		{"of what moved", ask(penstock.AskRef, "old-owner/tool", "v1", ""), penstock.Answer{Known: true, TagCommit: sha("t1"), Tags: []string{"v1"}, AllTags: true}, 4, ""},
		{"of what is not there", ask(penstock.AskRef, "nobody/tool", "v1", ""), penstock.Answer{}, 1, ""},

		{"release", ask(penstock.AskCommit, checkout, sha("a2"), "v4.2.2"), penstock.Answer{Known: true, Reach: penstock.ReachYes, TagCommit: sha("a2"), Tags: []string{"v4.2.2", "v4"}, AllTags: true}, 2, ""},
		{"another release", ask(penstock.AskCommit, checkout, sha("a2"), "v4.1.0"), penstock.Answer{Known: true, Reach: penstock.ReachYes, TagCommit: sha("a1"), Tags: []string{"v4.2.2", "v4"}, AllTags: true}, 2, ""},
		{"the tag itself", ask(penstock.AskCommit, checkout, sha("tag object v4.1.0"), "v4.1.0"), penstock.Answer{Known: true, Reach: penstock.ReachYes, TagCommit: sha("tag object v4.1.0"), Tags: []string{"v4.1.0"}, AllTags: true}, 3, ""},
		{"head of a branch", ask(penstock.AskCommit, checkout, sha("b2"), ""), penstock.Answer{Known: true, Reach: penstock.ReachYes, AllTags: true}, 3, ""},
		{"in a branch", ask(penstock.AskCommit, checkout, sha("b1"), ""), penstock.Answer{Known: true, Reach: penstock.ReachYes, AllTags: true}, 5, ""},
		{"in the history of its tag alone", ask(penstock.AskCommit, checkout, sha("d1"), "v5"), penstock.Answer{Known: true, Reach: penstock.ReachYes, TagCommit: sha("d2"), AllTags: true}, 6, ""},
		{"of a fork", ask(penstock.AskCommit, checkout, sha("fork"), ""), penstock.Answer{Known: true, Reach: penstock.ReachNo, Sure: true, AllTags: true}, 6, ""},
		{"of a fork, said to be a release", ask(penstock.AskCommit, checkout, sha("fork"), "v4.2.2"), penstock.Answer{Known: true, Reach: penstock.ReachNo, TagCommit: sha("a2"), AllTags: true}, 7, ""},
		{"without history in common", ask(penstock.AskCommit, checkout, sha("orphan"), ""), penstock.Answer{Known: true, Reach: penstock.ReachNo, Sure: true, AllTags: true}, 7, ""},
		{"nowhere", ask(penstock.AskCommit, checkout, sha("nothing"), ""), penstock.Answer{Known: true, Reach: penstock.ReachAbsent, Sure: true, AllTags: true}, 5, ""},

		{"advisory", ask(penstock.AskAdvisories, "example/old", "", ""), penstock.Answer{Known: true, Advisories: []penstock.Advisory{{ID: "GHSA-aaaa-bbbb-cccc", Title: "It runs what it is told.", Severity: "high", Versions: ">= 1.0, < 1.2.3", Fixed: "1.2.3"}}}, 1, ""},
		{"no advisory", ask(penstock.AskAdvisories, checkout, "", ""), penstock.Answer{Known: true}, 1, ""},
		{"malformed", ask(penstock.AskRef, checkout, "../../users/x", ""), penstock.Answer{}, 0, errOdd.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, config := forge(t, world)
			r := resolver(t, config)
			got := r.Resolve(t.Context(), []penstock.Question{c.q})
			if diff := cmp.Diff([]penstock.Answer{c.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := len(s.Requests()); n != c.requests {
				t.Errorf("%d requests, want %d: %q", n, c.requests, s.Requests())
			}
			want := map[string]int{}
			if c.left != "" {
				want[c.left] = 1
			}
			if diff := cmp.Diff(want, r.Left()); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			// Asked again, it costs nothing.
			r.Resolve(t.Context(), []penstock.Question{c.q})
			if n := len(s.Requests()); n != c.requests {
				t.Errorf("%d requests after asking again", n)
			}
		})
	}
}

// A private repository is seen with a token, and what was found with one is not what is
// found without.
func TestToken(t *testing.T) {
	s, config := forge(t, world)
	var seen []string
	s.Wrong = func(_ http.ResponseWriter, r *http.Request) bool {
		seen = append(seen, r.Header.Get("Authorization"))
		return false
	}
	config.CacheDir = t.TempDir()
	q := []penstock.Question{ask(penstock.AskRepository, "example/private", "", "")}
	config.Token = "fake-token"
	r := resolver(t, config)
	if a := r.Resolve(t.Context(), q); !a[0].Known || a[0].Missing {
		t.Errorf("with a token: %+v", a)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	config.Token = ""
	if a := resolver(t, config).Resolve(t.Context(), q); a[0].Known {
		t.Errorf("without: %+v", a)
	}
	if diff := cmp.Diff([]string{"Bearer fake-token", "", ""}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, e := range entriesOf(t, config.CacheDir) {
		if b, err := os.ReadFile(e); err != nil || strings.Contains(string(b), "fake-token") {
			t.Errorf("%s holds the token: %v", e, err)
		}
	}
}

func entriesOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing kept: %v", err)
	}
	return names
}

// One bad pin of a repository with a thousand branches and tags costs no more than one
// of a small one.
func TestBadPinIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("repositories:\n  big/action:\n    commits: {a1: [], fork: [a1]")
	for i := range 1000 {
		fmt.Fprintf(&b, ", c%d: [a1]", i)
	}
	b.WriteString("}\n    branches: {main: a1")
	for i := range 1000 {
		fmt.Fprintf(&b, ", b%d: c%d", i, i)
	}
	b.WriteString("}\n    tags: {v1: a1")
	for i := range 1000 {
		fmt.Fprintf(&b, ", v1.%d: c%d", i, i)
	}
	b.WriteString("}\n")
	s, config := forge(t, b.String())
	r := resolver(t, config)
	pin := ask(penstock.AskCommit, "big/action", fake.SHA("fork"), "v2.0")
	got := r.Resolve(t.Context(), []penstock.Question{pin})[0]
	if want := (penstock.Answer{Known: true, Reach: penstock.ReachNo}); !cmp.Equal(want, got) {
		t.Errorf("got %+v", got)
	}
	// The repository, three pages of tags, and five of its own.
	if n := len(s.Requests()); n != 1+maxTagPages+maxPinSteps {
		t.Errorf("%d requests: %q", n, s.Requests())
	}
	// A second one shares what is the repository's.
	before := len(s.Requests())
	pin.Ref = fake.SHA("nothing")
	if got := r.Resolve(t.Context(), []penstock.Question{pin})[0]; got.Reach != penstock.ReachAbsent {
		t.Errorf("got %+v", got)
	}
	if n := len(s.Requests()) - before; n > 2 {
		t.Errorf("%d more requests: %q", n, s.Requests()[before:])
	}
}

func TestBudget(t *testing.T) {
	s, config := forge(t, world)
	config.Budget = 3
	r := resolver(t, config)
	got := r.Resolve(t.Context(), []penstock.Question{
		ask(penstock.AskRef, "actions/checkout", "v4", ""), ask(penstock.AskRepository, "example/old", "", ""), ask(penstock.AskRepository, "actions/checkout", "", ""),
	})
	if !got[0].Known || got[1].Known || !got[2].Known {
		t.Errorf("got %+v", got)
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
	if diff := cmp.Diff(map[string]int{errBudget.Error(): 1}, r.Left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestCache(t *testing.T) {
	s, config := forge(t, world)
	config.CacheDir = t.TempDir()
	now := s.Now()
	config.Now = func() time.Time { return now }
	all := []penstock.Question{
		ask(penstock.AskRepository, "example/old", "", ""), ask(penstock.AskRef, "actions/checkout", "v4", ""),
		ask(penstock.AskCommit, "actions/checkout", fake.SHA("b1"), ""), ask(penstock.AskAdvisories, "example/old", "", ""),
	}
	run := func(what string, requests int) []penstock.Answer {
		t.Helper()
		before := len(s.Requests())
		r := resolver(t, config)
		got := r.Resolve(t.Context(), all)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(s.Requests()) - before; n != requests {
			t.Errorf("%s: %d requests, want %d: %q", what, n, requests, s.Requests()[before:])
		}
		return got
	}
	first := run("first", 8)
	if diff := cmp.Diff(first, run("at once", 0)); diff != "" {
		t.Errorf("from the cache (-first +second):\n%s", diff)
	}
	now = now.Add(25 * time.Hour)
	// Tags, branch and advisories are asked for again; of the first two the server says
	// that nothing changed. That a branch holds the commit stays so.
	if diff := cmp.Diff(first, run("a day later", 3)); diff != "" {
		t.Errorf("a day later (-first +second):\n%s", diff)
	}
	now = now.Add(7 * 24 * time.Hour)
	run("a week later", 5)
	// A run on code that nobody vouched for keeps nothing.
	name := entriesOf(t, config.CacheDir)[0]
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	config.CacheReadOnly = true
	now = now.Add(7 * 24 * time.Hour)
	run("read only", 5)
	if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
		t.Errorf("the cache was written: %v", err)
	}
	config.CacheReadOnly = false
	for _, damaged := range []string{"", "{", `{"version":1,"entries":{"x":null}}`, `{"version":9}`, strings.Repeat("x", maxStore+1)} {
		if err := os.WriteFile(name, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, run("damaged", 8)); diff != "" {
			t.Errorf("damaged (-first +second):\n%s", diff)
		}
	}
}

// The rate limit of the forge is heeded, in the next run too.
func TestLimit(t *testing.T) {
	for name, limit := range map[string]string{
		"reset":     "limit: {after: 2, status: 403}\n",
		"too many":  "limit: {after: 2, status: 429}\n",
		"secondary": "limit: {after: 2, status: 403, retry-after: 120}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, config := forge(t, world+limit)
			config.CacheDir = t.TempDir()
			now := s.Now()
			config.Now = func() time.Time { return now }
			all := []penstock.Question{
				ask(penstock.AskRepository, "example/old", "", ""), ask(penstock.AskRepository, "example/renamed", "", ""),
				ask(penstock.AskRepository, "actions/checkout", "", ""), ask(penstock.AskRepository, "new-owner/tool", "", ""),
			}
			r := resolver(t, config)
			got := r.Resolve(t.Context(), all)
			if !got[0].Known || !got[1].Known || got[2].Known || got[3].Known {
				t.Errorf("got %+v", got)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{errLimited.Error(): 2}, r.Left()); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			asked := len(s.Requests())
			if asked > 3 {
				t.Errorf("%d requests", asked)
			}
			r = resolver(t, config)
			if got := r.Resolve(t.Context(), all); !got[0].Known || got[3].Known {
				t.Errorf("the next run: %+v", got)
			}
			if n := len(s.Requests()); n != asked {
				t.Errorf("the next run asked: %q", s.Requests()[asked:])
			}
			now = now.Add(2 * time.Hour)
			s.World.Limit.After = 0
			if got := resolver(t, config).Resolve(t.Context(), all); !got[3].Known {
				t.Errorf("later: %+v", got)
			}
		})
	}
}

// Whatever a server sends, the bounds hold, and it is no answer.
func TestHostileServer(t *testing.T) {
	checkout := "actions/checkout"
	big := strings.Repeat("[", 1<<20)
	for name, c := range map[string]struct {
		q        penstock.Question
		requests int // at most
		answer   func(w http.ResponseWriter, r *http.Request)
	}{
		"huge": {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := w.Write([]byte(big)); err != nil {
					return
				}
			}
		}},
		"deep":          {ask(penstock.AskRepository, checkout, "", ""), 1, text(big)},
		"no JSON":       {ask(penstock.AskRepository, checkout, "", ""), 1, text("<html>")},
		"wrong types":   {ask(penstock.AskRepository, checkout, "", ""), 1, text(`{"full_name": 7}`)},
		"no name":       {ask(penstock.AskRepository, checkout, "", ""), 1, text(`{}`)},
		"name of paths": {ask(penstock.AskRepository, checkout, "", ""), 1, text(`{"full_name": "../../user"}`)},
		"endless tags": {ask(penstock.AskRef, checkout, "v4", ""), 1 + maxTagPages + 2, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<https://elsewhere.example.com/?page=2>; rel="next"`)
			text(`[{"name":"../x","commit":{"sha":"zz"}}]`)(w, r)
		}},
		"endless advisories": {ask(penstock.AskAdvisories, checkout, "", ""), maxAdvisoryPages, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<https://elsewhere.example.com/advisories?after=abc>; rel="next"`)
			text(`[]`)(w, r)
		}},
		"no advisories": {ask(penstock.AskAdvisories, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		"redirect elsewhere": {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.com/repos/a/b")
			w.WriteHeader(http.StatusMovedPermanently)
		}},
		"redirect to another question": {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/user/keys")
			w.WriteHeader(http.StatusMovedPermanently)
		}},
		"redirect in a circle": {ask(penstock.AskRepository, checkout, "", ""), 2, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(http.StatusMovedPermanently)
		}},
		"broken":        {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }},
		"refused":       {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }},
		"token refused": {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }},
		"hang up": {ask(penstock.AskRepository, checkout, "", ""), 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, config := forge(t, world)
			s.Wrong = func(w http.ResponseWriter, r *http.Request) bool {
				if c.q.Kind == penstock.AskRef && strings.HasSuffix(r.URL.Path, "/checkout") {
					return false
				}
				c.answer(w, r)
				return true
			}
			r := resolver(t, config)
			got := r.Resolve(t.Context(), []penstock.Question{c.q})
			if got[0].Known {
				t.Errorf("got %+v", got)
			}
			if n := len(s.Requests()); n > c.requests {
				t.Errorf("%d requests: %q", n, s.Requests())
			}
			if len(r.Left()) != 1 {
				t.Errorf("left: %v", r.Left())
			}
		})
	}
}

func text(s string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
}

// A server that is away is asked three times, not two hundred.
func TestAway(t *testing.T) {
	s, config := forge(t, world)
	s.Wrong = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	r := resolver(t, config)
	var all []penstock.Question
	for i := range 50 {
		all = append(all, ask(penstock.AskRepository, fmt.Sprintf("a/b%d", i), "", ""))
	}
	r.Resolve(t.Context(), all)
	if n := len(s.Requests()); n != maxFailures {
		t.Errorf("%d requests", n)
	}
	if diff := cmp.Diff(map[string]int{errAway.Error(): 50}, r.Left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// A server that takes its time does not hold up a scan for long.
func TestSlow(t *testing.T) {
	s, config := forge(t, world)
	now := s.Now()
	config.Now = func() time.Time { return now }
	s.Wrong = func(http.ResponseWriter, *http.Request) bool { now = now.Add(requestTime - time.Second); return false }
	r := resolver(t, config)
	var all []penstock.Question
	for i := range 50 {
		all = append(all, ask(penstock.AskRepository, fmt.Sprintf("example/b%d", i), "", ""))
	}
	r.Resolve(t.Context(), all)
	if n := len(s.Requests()); n > int(maxTime/(requestTime-time.Second))+1 {
		t.Errorf("%d requests", n)
	}
	if n := r.Left()[errSlow.Error()]; n == 0 {
		t.Errorf("left: %v", r.Left())
	}
}

func TestNew(t *testing.T) {
	for _, api := range []string{"", "https://api.github.com/", "https://ghe.example.com/api/v3", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"} {
		if _, err := New(Config{API: api}); err != nil {
			t.Errorf("%s: %v", api, err)
		}
	}
	for _, api := range []string{"http://ghe.example.com", "ftp://x", "https://", "x", "https://u:p@x", "https://x?y", "https://x#y", "http://127.0.0.1.example.com"} {
		if _, err := New(Config{API: api}); err == nil {
			t.Errorf("%s is taken", api)
		}
	}
	if _, err := New(Config{Token: "a\nb"}); err == nil {
		t.Error("a token of two lines is taken")
	}
}

// Requests go below the address that was given, whatever is asked.
func TestBelow(t *testing.T) {
	s, config := forge(t, world)
	config.API += "/api/v3"
	config.Budget = 1
	resolver(t, config).Resolve(t.Context(), []penstock.Question{ask(penstock.AskRepository, "A/b.c", "", "")})
	if diff := cmp.Diff([]string{"/api/v3/repos/a/b.c"}, s.Requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTitle(t *testing.T) {
	for in, want := range map[string]string{" a\x1b[31mb\nc": "a[31mb", strings.Repeat("ä", 300): strings.Repeat("ä", 200), "\xff": ""} {
		if got := title(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}

func FuzzReduce(f *testing.F) {
	f.Add([]byte(`{"full_name":"a/b","default_branch":"main"}`))
	f.Add([]byte(`[{"name":"v1","commit":{"sha":"a"}}]`))
	f.Add([]byte(`{"object":{"type":"tag","sha":"x"}}`))
	f.Add([]byte(`[{"ghsa_id":"GHSA-aaaa-bbbb-cccc","vulnerabilities":[{"package":{"ecosystem":"actions","name":"a/b"}}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := reduceRepository(b); err == nil {
			owner, name, _ := strings.Cut(v.(repository).Name, "/")
			if !penstock.ValidOwner(owner) || !penstock.ValidRepo(name) {
				t.Errorf("a repository %q", v)
			}
		}
		if v, err := reduceNamed(b); err == nil {
			for _, n := range v.([]named) {
				if !penstock.ValidRef(n.Name) || !penstock.ValidCommit(n.Commit) {
					t.Errorf("a name %q", n)
				}
			}
		}
		if v, err := reduceObject(b); err == nil && !penstock.ValidCommit(v.(object).SHA) {
			t.Errorf("an object %q", v)
		}
		_, _ = reduceCompare(b)
		_ = next(string(b))
		var list []advisory
		if decode(b, &list) == nil {
			found := make(map[string][]penstock.Advisory)
			for i := range list {
				list[i].add([]string{"a/b"}, found)
			}
		}
	})
}
