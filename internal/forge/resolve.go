package forge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"penstock"
)

// Config is how the forge is asked.
type Config struct {
	// API is the address of the REST API, empty for PublicAPI.
	API string
	// Token signs requests, empty for none: then 60 an hour are allowed in place of 1,000
	// or 5,000.
	Token string
	// Budget is how many requests may be made.
	Budget int
	// CacheDir keeps answers, empty for none; CacheReadOnly only reads it.
	CacheDir      string
	CacheReadOnly bool
	// Version of the program goes into the name by which it asks.
	Version string
	// Now is time.Now if it is nil, Transport the usual one with the proxies of the
	// environment.
	Now       func() time.Time
	Transport http.RoundTripper
}

// Resolver answers questions about repositories. It is not for concurrent use.
type Resolver struct {
	client *client
	store  *store
	fresh  map[string]bool // keys of the store that were asked for in this run
	cached int             // answers of the API that needed no request

	answers map[penstock.Question]penstock.Answer
	unseen  map[string]error // repositories that cannot be seen
	left    map[string]int   // questions without an answer, by reason
}

// Per repository and per pin: what one bad commit can cost at most.
const (
	maxTagPages      = 3 // of 100 tags
	maxPinSteps      = 5
	maxAdvisoryPages = 5
	advisoryBatch    = 50 // actions in one request, which bounds its address to 7 KB
	maxPeel          = 2  // a tag of a tag of a commit
)

// New makes a resolver. The error is one of the configuration.
func New(c Config) (*Resolver, error) {
	cl, err := newClient(&c)
	if err != nil {
		return nil, err
	}
	path := ""
	if c.CacheDir != "" {
		path = filepath.Join(c.CacheDir, storeName(cl.base.String(), c.Token != ""))
	}
	r := &Resolver{
		client: cl, fresh: make(map[string]bool), answers: make(map[penstock.Question]penstock.Answer),
		unseen: make(map[string]error), left: make(map[string]int),
	}
	r.store, cl.until = openStore(path, c.CacheReadOnly)
	return r, nil
}

// Resolve answers questions in their order, which is that of the requests too, and
// those about advisories first: they share requests. What cannot be answered is unknown;
// see Left. A question that was answered costs nothing when it is asked again.
func (r *Resolver) Resolve(ctx context.Context, questions []penstock.Question) []penstock.Answer {
	r.advisories(ctx, questions)
	out := make([]penstock.Answer, len(questions))
	for i, q := range questions {
		a, known := r.answers[q]
		if !known {
			var err error
			if !q.Valid() {
				err = errOdd
			} else {
				a, err = r.answer(ctx, &q)
			}
			r.keep(q, a, err)
			a = r.answers[q]
		}
		out[i] = a
	}
	return out
}

func (r *Resolver) keep(q penstock.Question, a penstock.Answer, err error) {
	a.Known = err == nil
	if err != nil {
		a = penstock.Answer{}
		// What cannot be seen is counted once: by the question about the repository.
		if !errors.Is(err, context.Canceled) && (q.Kind == penstock.AskRepository || !errors.Is(err, errUnseen)) {
			r.left[reason(err)]++
		}
	}
	r.answers[q] = a
}

func reason(err error) string {
	for _, known := range []error{errBudget, errLimited, errToken, errSlow, errAway, errUnseen, errRefused} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return errOdd.Error()
}

// Left says how many questions stayed without an answer, by the reason.
func (r *Resolver) Left() map[string]int { return maps.Clone(r.left) }

// Requests are how many requests were made, and how many answers of earlier runs were
// used in their place.
func (r *Resolver) Requests() (made, cached int) { return r.client.made, r.cached }

// Close keeps the answers for the next run.
func (r *Resolver) Close() error { return r.store.save(r.client.now(), r.client.until) }

func (r *Resolver) answer(ctx context.Context, q *penstock.Question) (penstock.Answer, error) {
	if q.Kind == penstock.AskRepository {
		return r.repositoryAnswer(ctx, q)
	}
	repo, err := r.repository(ctx, q.Owner, q.Repo)
	if err != nil {
		return penstock.Answer{}, err
	}
	switch q.Kind {
	case penstock.AskRef:
		return r.ref(ctx, repo, q.Ref)
	case penstock.AskCommit:
		return r.commit(ctx, repo, q.Ref, q.Tag)
	}
	return penstock.Answer{}, errOdd
}

// fetch returns an answer of the API, from the store while it is young enough. reduce
// makes of a body what is kept of it.
func (r *Resolver) fetch(ctx context.Context, path string, live time.Duration, reduce func(body []byte) (any, error)) (*entry, error) {
	now := r.client.now()
	e := r.store.get(path)
	if e != nil {
		if e.Status != http.StatusOK {
			live = min(live, liveMissing)
		}
		age := now.Sub(time.Unix(e.At, 0))
		if r.fresh[path] || age >= 0 && age < live {
			if !r.fresh[path] {
				r.fresh[path] = true
				r.cached++
			}
			return e, nil
		}
	}
	etag := ""
	if e != nil && e.Status == http.StatusOK {
		etag = e.ETag
	}
	res, err := r.client.get(ctx, path, etag)
	if err != nil {
		return nil, err
	}
	if res.status == http.StatusNotModified {
		renewed := *e
		renewed.At = now.Unix()
		e = &renewed
	} else {
		e = &entry{At: now.Unix(), Status: res.status, ETag: res.etag, Moved: res.location, Next: res.next}
		if res.status == http.StatusOK {
			v, err := reduce(res.body)
			if err != nil {
				return nil, err
			}
			if e.Value, err = json.Marshal(v); err != nil {
				return nil, errOdd
			}
		}
	}
	r.store.put(path, e)
	r.fresh[path] = true
	return e, nil
}

// into reads what is kept of an answer. The store is a file: what does not fit is odd.
func (e *entry) into(v any) error { return decode(e.Value, v) }

// repository is what is kept of a repository.
type repository struct {
	Name     string `json:"name"` // owner/repo, as it is now
	Archived bool   `json:"archived,omitempty"`
	Default  string `json:"default,omitempty"` // its default branch
}

func (r *repository) path() string { return "/repos/" + strings.ToLower(r.Name) }

func reduceRepository(b []byte) (any, error) {
	var in struct {
		FullName      string `json:"full_name"`
		Archived      bool   `json:"archived"`
		DefaultBranch string `json:"default_branch"`
	}
	if err := decode(b, &in); err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(in.FullName, "/")
	if !penstock.ValidOwner(owner) || !penstock.ValidRepo(name) {
		return nil, errOdd
	}
	if !penstock.ValidRef(in.DefaultBranch) {
		in.DefaultBranch = ""
	}
	return repository{in.FullName, in.Archived, in.DefaultBranch}, nil
}

// repository finds a repository, under another name too. It costs one request, and one
// more if it moved.
func (r *Resolver) repository(ctx context.Context, owner, name string) (*repository, error) {
	key := strings.ToLower(owner + "/" + name)
	if err := r.unseen[key]; err != nil {
		return nil, err
	}
	path := "/repos/" + key
	for range maxHops + 1 {
		e, err := r.fetch(ctx, path, liveRepository, reduceRepository)
		if err != nil {
			return nil, err
		}
		switch {
		case e.Status == http.StatusOK:
			var out repository
			if err := e.into(&out); err != nil {
				return nil, err
			}
			return &out, nil
		case e.Moved != "" && movedPath().MatchString(e.Moved):
			path = e.Moved
		case e.Moved != "":
			return nil, errOdd
		default:
			r.unseen[key] = errUnseen
			return nil, errUnseen
		}
	}
	return nil, errOdd
}

var movedPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/(?:repositories/[0-9]{1,19}|repos/[A-Za-z0-9_-]{1,39}/[A-Za-z0-9._-]{1,100})$`)
})

func (r *Resolver) repositoryAnswer(ctx context.Context, q *penstock.Question) (a penstock.Answer, err error) {
	repo, err := r.repository(ctx, q.Owner, q.Repo)
	switch {
	case errors.Is(err, errUnseen):
		a.Missing = true
	case err != nil:
		return a, err
	default:
		a.Archived = repo.Archived
		if strings.EqualFold(repo.Name, q.Owner+"/"+q.Repo) {
			return a, nil
		}
		a.Moved = repo.Name
	}
	// Whether somebody still has the old owner's name decides on who can take it over.
	if now, _, _ := strings.Cut(a.Moved, "/"); strings.EqualFold(now, q.Owner) {
		return a, nil
	}
	e, err := r.fetch(ctx, "/users/"+strings.ToLower(q.Owner), liveRepository, func([]byte) (any, error) { return true, nil })
	if err != nil {
		return a, err
	}
	a.OwnerMissing = e.Status == http.StatusNotFound
	if a.Missing && !a.OwnerMissing {
		return a, errUnseen // private, or gone; only its owner could put another there
	}
	return a, nil
}

// named is a name with the commit that it is.
type named struct {
	Name   string `json:"n"`
	Commit string `json:"c"`
}

// reduceNamed reads a page of tags or branches. What is not well formed is left out.
func reduceNamed(b []byte) (any, error) {
	var in []struct {
		Name   string `json:"name"`
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	if err := decode(b, &in); err != nil {
		return nil, err
	}
	out := make([]named, 0, min(len(in), 100))
	for _, n := range in {
		if penstock.ValidRef(n.Name) && penstock.ValidCommit(n.Commit.SHA) && len(out) < 100 {
			out = append(out, named{n.Name, n.Commit.SHA})
		}
	}
	return out, nil
}

// list reads up to most pages of tags or branches; all says whether that was all.
func (r *Resolver) list(ctx context.Context, repo *repository, what string, most int) (list []named, all bool, err error) {
	for page := 1; page <= most; page++ {
		e, err := r.fetch(ctx, repo.path()+"/"+what+"?per_page=100&page="+strconv.Itoa(page), liveRef, reduceNamed)
		if err != nil {
			return nil, false, err
		}
		var some []named
		if e.Status != http.StatusOK {
			return nil, false, errUnseen
		}
		if err := e.into(&some); err != nil {
			return nil, false, err
		}
		list = append(list, some...)
		if e.Next == "" {
			return list, true, nil
		}
	}
	return list, false, nil
}

// object is what a ref or a tag points to.
type object struct {
	SHA string `json:"sha"`
	Tag bool   `json:"tag,omitempty"` // it is an annotated tag, which points on
}

func reduceObject(b []byte) (any, error) {
	var in struct {
		Object struct {
			SHA  string `json:"sha"`
			Type string `json:"type"`
		} `json:"object"`
	}
	if err := decode(b, &in); err != nil {
		return nil, err
	}
	if !penstock.ValidCommit(in.Object.SHA) {
		return nil, errOdd
	}
	return object{in.Object.SHA, in.Object.Type == "tag"}, nil
}

// pointer is what a ref points to, nil if there is none: "heads/main", "tags/v1".
func (r *Resolver) pointer(ctx context.Context, repo *repository, ref string) (*object, error) {
	return r.object(ctx, repo.path()+"/git/ref/"+escapeRef(ref), liveRef)
}

func (r *Resolver) object(ctx context.Context, path string, live time.Duration) (*object, error) {
	e, err := r.fetch(ctx, path, live, reduceObject)
	if err != nil || e.Status != http.StatusOK {
		return nil, err
	}
	o := new(object)
	return o, e.into(o)
}

// peel follows an annotated tag to the commit.
func (r *Resolver) peel(ctx context.Context, repo *repository, o *object, spend func() bool) (string, error) {
	for range maxPeel {
		if o == nil || !o.Tag {
			break
		}
		if !spend() {
			return "", nil
		}
		var err error
		if o, err = r.object(ctx, repo.path()+"/git/tags/"+o.SHA, liveHistory); err != nil {
			return "", err
		}
	}
	if o == nil || o.Tag {
		return "", nil
	}
	return o.SHA, nil
}

// escapeRef writes a ref as the end of a path, its slashes as they are.
func escapeRef(ref string) string {
	parts := strings.Split(ref, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func find(list []named, name string) string {
	if i := slices.IndexFunc(list, func(n named) bool { return n.Name == name }); i >= 0 {
		return list[i].Commit
	}
	return ""
}

// namesOf are the names of a commit, the longest version first: v4.2.1 says more than v4.
func namesOf(list []named, commit string) []string {
	var names []string
	for _, n := range list {
		if n.Commit == commit && len(names) < 20 {
			names = append(names, n.Name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Count(b, ".")-strings.Count(a, "."), strings.Compare(a, b))
	})
	return names
}

// ref answers which commits a name is, as tag and as branch.
func (r *Resolver) ref(ctx context.Context, repo *repository, name string) (a penstock.Answer, err error) {
	tags, all, err := r.list(ctx, repo, "tags", maxTagPages)
	if err != nil {
		return a, err
	}
	a.TagCommit = find(tags, name)
	if a.TagCommit == "" && !all {
		o, err := r.pointer(ctx, repo, "tags/"+name)
		if err != nil {
			return a, err
		}
		if a.TagCommit, err = r.peel(ctx, repo, o, func() bool { return true }); err != nil {
			return a, err
		}
	}
	if a.TagCommit != "" {
		a.Tags, a.AllTags = namesOf(tags, a.TagCommit), all
	}
	branch, err := r.pointer(ctx, repo, "heads/"+name)
	if err != nil {
		return a, err
	}
	if branch != nil && !branch.Tag {
		a.BranchCommit = branch.SHA
	}
	return a, nil
}

// commit answers whether the repository holds a commit. The tags of a repository are
// read once; beyond that a commit costs at most maxPinSteps requests, however many
// branches and tags there are. Steps are counted whether they are in the store or not,
// so that the answer does not depend on it.
func (r *Resolver) commit(ctx context.Context, repo *repository, sha, tag string) (a penstock.Answer, err error) {
	tags, all, err := r.list(ctx, repo, "tags", maxTagPages)
	if err != nil {
		return a, err
	}
	steps := maxPinSteps
	spend := func() bool { steps--; return steps >= 0 }
	a.Tags, a.AllTags = namesOf(tags, sha), all
	if tag != "" {
		a.TagCommit = find(tags, tag)
	}
	if tag != "" && (a.TagCommit == "" && !all || a.TagCommit != "" && len(a.Tags) == 0) && spend() {
		// The tag is further back, or it is annotated and the pin is the tag itself.
		o, err := r.pointer(ctx, repo, "tags/"+tag)
		if err != nil {
			return a, err
		}
		if o != nil && o.SHA == sha {
			a.TagCommit, a.Tags, a.Reach = sha, []string{tag}, penstock.ReachYes
			return a, nil
		}
		if a.TagCommit == "" {
			if a.TagCommit, err = r.peel(ctx, repo, o, spend); err != nil {
				return a, err
			}
			if a.TagCommit == sha {
				a.Tags = append(a.Tags, tag)
			}
		}
	}
	if len(a.Tags) > 0 {
		a.Reach = penstock.ReachYes
		return a, nil
	}
	a.Reach, a.Sure, err = r.reach(ctx, repo, sha, tag, a.TagCommit, spend)
	return a, err
}

// reach looks for a commit that is no tag in the history of the default branch, the tag
// that it is said to be, and other branches, those that look like releases first.
func (r *Resolver) reach(ctx context.Context, repo *repository, sha, tag, tagCommit string, spend func() bool) (reach penstock.Reach, sure bool, err error) {
	// That a branch holds a commit stays true when the branch grows.
	key := "reach " + repo.path() + "/" + sha
	if e := r.store.get(key); e != nil && r.client.now().Sub(time.Unix(e.At, 0)) < liveHistory {
		r.cached++
		return penstock.ReachYes, false, nil
	}
	found := func() (penstock.Reach, bool, error) {
		r.store.put(key, &entry{At: r.client.now().Unix(), Status: http.StatusOK})
		return penstock.ReachYes, false, nil
	}
	if !spend() {
		return "", false, nil
	}
	branches, all, err := r.list(ctx, repo, "branches", 1)
	if err != nil {
		return "", false, err
	}
	if slices.ContainsFunc(branches, func(n named) bool { return n.Commit == sha }) {
		return found()
	}
	heads := orderHeads(branches, repo.Default, tag)
	if len(heads) == 0 || heads[0].Name != repo.Default {
		if repo.Default != "" && spend() {
			o, err := r.pointer(ctx, repo, "heads/"+repo.Default)
			if err != nil {
				return "", false, err
			}
			if o != nil {
				heads = append([]named{{repo.Default, o.SHA}}, heads...)
			}
		}
	}
	if tagCommit != "" && len(heads) > 0 {
		heads = slices.Insert(heads, 1, named{tag, tagCommit})
	}
	seen := make(map[string]bool)
	looked, exists := 0, false
	for _, h := range heads {
		if seen[h.Commit] {
			looked++
			continue
		}
		seen[h.Commit] = true
		if !spend() {
			break
		}
		// With a page beyond the first the answer lists neither files nor all commits.
		e, err := r.fetch(ctx, repo.path()+"/compare/"+h.Commit+"..."+sha+"?per_page=1&page=2", liveHistory, reduceCompare)
		if err != nil {
			return "", false, err
		}
		looked++
		if e.Status != http.StatusOK {
			// No history in common, or no such commit.
			if exists || !spend() {
				continue
			}
			if exists, err = r.exists(ctx, repo, sha); err != nil {
				return "", false, err
			}
			if !exists {
				return penstock.ReachAbsent, true, nil
			}
			continue
		}
		var status string
		if err := e.into(&status); err != nil {
			return "", false, err
		}
		if status == "behind" || status == "identical" {
			return found()
		}
	}
	if looked == 0 {
		return "", false, nil
	}
	return penstock.ReachNo, all && looked == len(heads), nil
}

// exists reports whether the forge serves a commit under the repository's name, be it of
// a fork.
func (r *Resolver) exists(ctx context.Context, repo *repository, sha string) (bool, error) {
	e, err := r.fetch(ctx, repo.path()+"/git/commits/"+sha, liveHistory, func([]byte) (any, error) { return true, nil })
	return err == nil && e.Status == http.StatusOK, err
}

func reduceCompare(b []byte) (any, error) {
	var in struct {
		Status string `json:"status"`
	}
	if err := decode(b, &in); err != nil {
		return nil, err
	}
	switch in.Status {
	case "ahead", "behind", "identical", "diverged":
		return in.Status, nil
	}
	return nil, errOdd
}

// orderHeads puts the default branch first, then those that look like releases of the
// tag's major version, then other releases.
func orderHeads(branches []named, def, tag string) []named {
	major, _, _ := strings.Cut(strings.TrimLeft(tag, "vV"), ".")
	rank := func(name string) int {
		low := strings.ToLower(name)
		last := strings.TrimLeft(low[strings.LastIndexByte(low, '/')+1:], "v")
		switch {
		case name == def:
			return 0
		case major != "" && (last == major || strings.HasPrefix(last, major+".")):
			return 1
		case strings.Contains(low, "release") || strings.Contains(low, "stable"):
			return 2
		case last != "" && last[0] >= '0' && last[0] <= '9', low == "main" || low == "master":
			return 3
		}
		return 4
	}
	heads := slices.Clone(branches)
	slices.SortStableFunc(heads, func(a, b named) int { return rank(a.Name) - rank(b.Name) })
	return heads
}

// advisories answers all questions about advisories, many in one request.
func (r *Resolver) advisories(ctx context.Context, questions []penstock.Question) {
	var open []penstock.Question
	for _, q := range questions {
		if _, known := r.answers[q]; known || q.Kind != penstock.AskAdvisories || !q.Valid() {
			continue
		}
		if e := r.store.get(advisoryKey(&q)); e != nil {
			var a penstock.Answer
			if age := r.client.now().Sub(time.Unix(e.At, 0)); age >= 0 && age < liveAdvisories && e.into(&a.Advisories) == nil {
				r.cached++
				r.keep(q, a, nil)
				continue
			}
		}
		open = append(open, q)
	}
	for batch := range slices.Chunk(open, advisoryBatch) {
		found, err := r.advisoryPages(ctx, batch)
		for i := range batch {
			q := batch[i]
			a := penstock.Answer{Advisories: found[strings.ToLower(q.Owner+"/"+q.Repo)]}
			if err == nil {
				if b, err := json.Marshal(a.Advisories); err == nil {
					r.store.put(advisoryKey(&q), &entry{At: r.client.now().Unix(), Status: http.StatusOK, Value: b})
				}
			}
			r.keep(q, a, err)
		}
	}
}

func advisoryKey(q *penstock.Question) string {
	return "advisories " + strings.ToLower(q.Owner+"/"+q.Repo)
}

// advisory is one of GitHub's, as the API writes it.
type advisory struct {
	ID              string `json:"ghsa_id"`
	CVE             string `json:"cve_id"`
	Summary         string `json:"summary"`
	Severity        string `json:"severity"`
	Withdrawn       string `json:"withdrawn_at"`
	Vulnerabilities []struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
		Range string          `json:"vulnerable_version_range"`
		Fixed json.RawMessage `json:"first_patched_version"`
	} `json:"vulnerabilities"`
}

func (r *Resolver) advisoryPages(ctx context.Context, batch []penstock.Question) (map[string][]penstock.Advisory, error) {
	var names []string
	for _, q := range batch {
		names = append(names, strings.ToLower(q.Owner+"/"+q.Repo))
	}
	slices.Sort(names)
	found := make(map[string][]penstock.Advisory, len(names))
	base := "/advisories?ecosystem=actions&per_page=100&affects=" + url.QueryEscape(strings.Join(names, ","))
	path := base
	for range maxAdvisoryPages {
		res, err := r.client.get(ctx, path, "")
		if err != nil {
			return nil, err
		}
		var list []advisory
		if res.status != http.StatusOK {
			return nil, errOdd
		}
		if err := decode(res.body, &list); err != nil {
			return nil, err
		}
		for i := range list {
			list[i].add(names, found)
		}
		if res.next == "" {
			return found, nil
		}
		path = base + "&" + res.next
	}
	return nil, errOdd // more than there are: what is missing must not read as none
}

// add sorts an advisory under the actions that it names.
func (a *advisory) add(names []string, found map[string][]penstock.Advisory) {
	if a.Withdrawn != "" || !advisoryID().MatchString(a.ID) {
		return
	}
	for _, v := range a.Vulnerabilities {
		name := strings.ToLower(v.Package.Name)
		if v.Package.Ecosystem != "actions" || !slices.Contains(names, name) || len(found[name]) >= 50 || len(v.Range) > 200 {
			continue
		}
		out := penstock.Advisory{ID: a.ID, Title: title(a.Summary), Severity: a.Severity, Versions: v.Range, Fixed: fixedIn(v.Fixed)}
		if cveID().MatchString(a.CVE) {
			out.Alias = a.CVE
		}
		found[name] = append(found[name], out)
	}
}

var (
	advisoryID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^GHSA(-[0-9a-z]{4}){3}$`) })
	cveID      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,7}$`) })
	plainVer   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?[0-9][0-9A-Za-z.+-]{0,40}$`) })
)

// fixedIn reads the first version without a flaw: a text, or in older versions of
// the API an object.
func fixedIn(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		var o struct {
			Identifier string `json:"identifier"`
		}
		_ = json.Unmarshal(raw, &o)
		s = o.Identifier
	}
	if !plainVer().MatchString(s) {
		return ""
	}
	return s
}

// title is the first line of what an advisory says, at most 200 characters.
func title(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range strings.ToValidUTF8(strings.TrimSpace(s), "") {
		if n++; c == '\n' || n > 200 {
			break
		}
		if unicode.IsPrint(c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}
