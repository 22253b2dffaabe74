// Package fake is a GitHub of a few repositories, for tests: what is asked of its REST API
// here, made from a short description. It serves from memory and changes nothing.
//
// Invariant: it answers as GitHub documents it (status, Link, ETag, rate limit), so that a
// client that passes against it passes there.
package fake

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// World is what the forge holds.
type World struct {
	Repositories map[string]*Repository `yaml:"repositories"` // by owner/repo
	// Moved are old names of repositories, each with the new one.
	Moved map[string]string `yaml:"moved"`
	// Users are names that are taken beside the owners of repositories.
	Users      []string   `yaml:"users"`
	Advisories []Advisory `yaml:"advisories"`
	Limit      Limit      `yaml:"limit"`
}

// Repository is a repository with those of its forks.
type Repository struct {
	Default  string `yaml:"default"` // main if empty
	Archived bool   `yaml:"archived"`
	// Private repositories are not there for who has no token.
	Private bool `yaml:"private"`
	// Commits are those of the repository and its forks, with their parents; see SHA.
	Commits  map[string][]string `yaml:"commits"`
	Branches map[string]string   `yaml:"branches"`
	Tags     map[string]string   `yaml:"tags"`
	// Annotated are the tags that have an object of their own.
	Annotated []string `yaml:"annotated"`
}

// Advisory is a published vulnerability.
type Advisory struct {
	ID, Package, Range, Fixed, Severity, Summary string
}

// Limit is how many requests are answered before Status.
type Limit struct {
	After      int
	Status     int // 403 or 429
	RetryAfter int `yaml:"retry-after"` // seconds; 0 for a reset in an hour
}

// Parse reads a description.
func Parse(text []byte) (*World, error) {
	w := new(World)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(w); err != nil {
		return nil, fmt.Errorf("read the world of a forge: %w", err)
	}
	return w, nil
}

// SHA is the commit that a short name stands for; a whole commit stands for itself.
func SHA(name string) string {
	if len(name) == 40 && strings.Trim(name, "0123456789abcdef") == "" {
		return name
	}
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// Server serves a world below any prefix that ends before "/repos/". It may be used
// concurrently.
type Server struct {
	World *World
	// Now is for the reset of the rate limit.
	Now func() time.Time
	// Wrong answers a request in place of the server, if it returns true.
	Wrong func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string
}

// Requests are the requests so far, as path and query.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.RequestURI())
	n := len(s.requests)
	s.mu.Unlock()
	if r.Method != http.MethodGet {
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	if s.Wrong != nil && s.Wrong(w, r) {
		return
	}
	if l := s.World.Limit; l.After > 0 {
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(max(0, l.After-n)))
		if n > l.After {
			if l.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(l.RetryAfter))
			} else {
				w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(s.Now().Add(time.Hour).Unix(), 10))
			}
			fail(w, cmp.Or(l.Status, http.StatusForbidden))
			return
		}
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(s.Now().Add(time.Hour).Unix(), 10))
	}
	path := strings.Trim(r.URL.Path, "/")
	switch parts := strings.Split(path, "/"); {
	case parts[0] == "advisories":
		s.advisories(w, r)
	case parts[0] == "users" && len(parts) == 2:
		if !s.taken(parts[1]) {
			fail(w, http.StatusNotFound)
			return
		}
		send(w, r, map[string]any{"login": parts[1]})
	case parts[0] == "repositories" && len(parts) == 2:
		i, err := strconv.Atoi(parts[1])
		names := s.names()
		if err != nil || i < 1 || i > len(names) {
			fail(w, http.StatusNotFound)
			return
		}
		s.repository(w, r, names[i-1], nil)
	case parts[0] == "repos" && len(parts) >= 3:
		s.repository(w, r, parts[1]+"/"+parts[2], parts[3:])
	default:
		fail(w, http.StatusNotFound)
	}
}

func (s *Server) names() []string {
	var names []string
	for name := range s.World.Repositories {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *Server) taken(user string) bool {
	same := func(name string) bool {
		owner, _, _ := strings.Cut(name, "/")
		return strings.EqualFold(owner, user)
	}
	return slices.ContainsFunc(s.World.Users, same) || slices.ContainsFunc(s.names(), same)
}

func (s *Server) repository(w http.ResponseWriter, r *http.Request, name string, rest []string) {
	for old, now := range s.World.Moved {
		if strings.EqualFold(old, name) {
			w.Header().Set("Location", fmt.Sprintf("http://%s/repositories/%d", r.Host, 1+slices.Index(s.names(), now)))
			fail(w, http.StatusMovedPermanently)
			return
		}
	}
	names := s.names()
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 || s.World.Repositories[names[i]].Private && r.Header.Get("Authorization") == "" {
		fail(w, http.StatusNotFound)
		return
	}
	repo := s.World.Repositories[names[i]]
	switch what := strings.Join(rest, "/"); {
	case what == "":
		send(w, r, map[string]any{"id": i + 1, "full_name": names[i], "archived": repo.Archived, "default_branch": cmp.Or(repo.Default, "main"), "private": repo.Private})
	case what == "tags":
		repo.page(w, r, repo.Tags)
	case what == "branches":
		repo.page(w, r, repo.Branches)
	case strings.HasPrefix(what, "git/ref/heads/"):
		repo.ref(w, r, "heads", what[len("git/ref/heads/"):])
	case strings.HasPrefix(what, "git/ref/tags/"):
		repo.ref(w, r, "tags", what[len("git/ref/tags/"):])
	case strings.HasPrefix(what, "git/tags/"):
		for _, tag := range repo.Annotated {
			if tagObject(tag) == what[len("git/tags/"):] {
				send(w, r, map[string]any{"tag": tag, "object": map[string]string{"type": "commit", "sha": SHA(repo.Tags[tag])}})
				return
			}
		}
		fail(w, http.StatusNotFound)
	case strings.HasPrefix(what, "git/commits/"):
		sha := what[len("git/commits/"):]
		if !repo.has(sha) {
			fail(w, http.StatusNotFound)
			return
		}
		send(w, r, map[string]any{"sha": sha})
	case strings.HasPrefix(what, "compare/"):
		repo.compare(w, r, what[len("compare/"):])
	default:
		fail(w, http.StatusNotFound)
	}
}

func tagObject(tag string) string { return SHA("tag object " + tag) }

// page sends a page of names with their commits.
func (repo *Repository) page(w http.ResponseWriter, r *http.Request, all map[string]string) {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil || size < 1 || size > 100 {
		size = 30
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	if page*size < len(names) {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.Path, q.Encode()))
	}
	list := []any{}
	for _, name := range names[min((page-1)*size, len(names)):min(page*size, len(names))] {
		list = append(list, map[string]any{"name": name, "commit": map[string]string{"sha": SHA(all[name])}})
	}
	send(w, r, list)
}

func (repo *Repository) ref(w http.ResponseWriter, r *http.Request, kind, name string) {
	all := repo.Branches
	if kind == "tags" {
		all = repo.Tags
	}
	commit, ok := all[name]
	if !ok {
		fail(w, http.StatusNotFound)
		return
	}
	object := map[string]string{"type": "commit", "sha": SHA(commit)}
	if kind == "tags" && slices.Contains(repo.Annotated, name) {
		object = map[string]string{"type": "tag", "sha": tagObject(name)}
	}
	send(w, r, map[string]any{"ref": "refs/" + kind + "/" + name, "object": object})
}

func (repo *Repository) has(sha string) bool {
	for name := range repo.Commits {
		if SHA(name) == sha {
			return true
		}
	}
	return false
}

// ancestors are a commit and all that it builds on.
func (repo *Repository) ancestors(sha string) map[string]bool {
	seen := make(map[string]bool)
	var walk func(sha string)
	walk = func(sha string) {
		if seen[sha] {
			return
		}
		seen[sha] = true
		for name, parents := range repo.Commits {
			if SHA(name) == sha {
				for _, p := range parents {
					walk(SHA(p))
				}
			}
		}
	}
	walk(sha)
	return seen
}

func (repo *Repository) compare(w http.ResponseWriter, r *http.Request, what string) {
	base, head, ok := strings.Cut(what, "...")
	if !ok || !repo.has(base) || !repo.has(head) {
		fail(w, http.StatusNotFound)
		return
	}
	ofBase, ofHead := repo.ancestors(base), repo.ancestors(head)
	status := "diverged"
	common := false
	for sha := range ofBase {
		common = common || ofHead[sha]
	}
	switch {
	case base == head:
		status = "identical"
	case ofBase[head]:
		status = "behind"
	case ofHead[base]:
		status = "ahead"
	case !common:
		fail(w, http.StatusNotFound)
		return
	}
	send(w, r, map[string]any{"status": status, "commits": []any{}})
}

func (s *Server) advisories(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := []any{}
	for _, a := range s.World.Advisories {
		named := strings.Split(strings.ToLower(q.Get("affects")), ",")
		if q.Get("ecosystem") != "actions" || !slices.Contains(named, strings.ToLower(a.Package)) {
			continue
		}
		var fixed any
		if a.Fixed != "" {
			fixed = a.Fixed
		}
		list = append(list, map[string]any{
			"ghsa_id": a.ID, "cve_id": nil, "summary": a.Summary, "severity": a.Severity, "withdrawn_at": nil,
			"vulnerabilities": []any{map[string]any{
				"package":                  map[string]string{"ecosystem": "actions", "name": a.Package},
				"vulnerable_version_range": a.Range, "first_patched_version": fixed,
			}},
		})
	}
	send(w, r, list)
}

// send answers with JSON, or that nothing changed.
func send(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError)
		return
	}
	sum := sha1.Sum(b)
	etag := `W/"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(b) // who is gone does not read
}

func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}
