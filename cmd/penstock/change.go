package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/scan"
	"penstock/internal/source"
)

// ChangeConfig says which change is checked in place of all files. No file of the
// scanned tree decides on it.
type ChangeConfig struct {
	Since      string   `flag:"since" doc:"check what differs from REF: its merge base with HEAD against the work tree; auto finds it"`
	Range      string   `flag:"range" doc:"check what differs between two commits, A..B or A...B (from their merge base), without the work tree"`
	Staged     bool     `flag:"staged" doc:"check what is staged against HEAD"`
	History    bool     `flag:"history" doc:"check all commits of all branches and tags, or with --range or --since those in between"`
	Alternates []string `flag:"alternates" doc:"folder of git objects outside of the repository that it may borrow from"`
}

// sinceAuto is the value of --since that finds the base by itself.
const sinceAuto = "auto"

// change is what is checked in place of all files: two versions of a repository.
type change struct {
	view scan.View
	// top is the folder of the work tree, absolute, or of the bare repository.
	top  string
	bare bool
	// before are the project's own files as the base has them, after those of the
	// head, if that is a commit.
	before, after project
	// label says in words what is compared or read.
	label string
	git   *source.Git
	dirs  *source.GitDirs
}

func (c *change) close() {
	if c != nil {
		c.git.Close()
		c.dirs.Close()
	}
}

// loadChange reads the flags and variables that ask for a change, before all
// others, and finds it. Nil means that all files are checked.
//
// Objects are read here, outside of the worker: the configuration is needed before
// there is one. The reader is memory-safe, bounded and runs nothing; see the
// threat model.
func (a *app) loadChange(cmd *cobra.Command, targets []string) (*change, error) {
	if cmd.Flags().Lookup("since") == nil {
		return nil, nil
	}
	s := newSettings()
	for _, o := range options() {
		if !isChange(&o) {
			continue
		}
		f := cmd.Flags().Lookup(o.flag)
		v, ok := f.Value.(*flagValue)
		switch {
		case ok && f.Changed:
			if err := o.set(&s.Config, v.texts); err != nil {
				return nil, usage(o.doc, "--%s: %s", o.flag, err)
			}
		case a.env(o.env) != "":
			if err := o.set(&s.Config, strings.Split(a.env(o.env), "\n")); err != nil {
				return nil, &penstock.Error{Message: o.env + ": " + err.Error(), Hint: o.doc}
			}
		}
	}
	want := s.Change
	if f := cmd.Flags().Lookup("history"); f.Changed && f.Value.Type() == "bool" {
		want.History = f.Value.String() == "true"
	}
	asked := 0
	for _, set := range []bool{want.Since != "", want.Range != "", want.Staged} {
		if set {
			asked++
		}
	}
	switch {
	case asked == 0 && !want.History:
		return nil, nil
	case asked > 1:
		return nil, usage("", "--since, --range and --staged exclude one another")
	case want.Staged && want.History:
		return nil, usage("", "what is staged has no history")
	}
	return a.findChange(want, targets)
}

// isChange reports whether an option is one of ChangeConfig.
func isChange(o *option) bool { return o.key == "" && slices.Contains(changeFlags, o.flag) }

var changeFlags = []string{"since", "range", "staged", "history", "alternates"}

// findChange opens the repository of the targets and resolves what is compared.
func (a *app) findChange(want ChangeConfig, targets []string) (_ *change, err error) {
	c := &change{}
	if c.top, err = repositoryOf(targets); err != nil {
		return nil, err
	}
	c.view = scan.View{Repository: c.top}
	for _, dir := range want.Alternates {
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		c.view.Alternates = append(c.view.Alternates, dir)
	}
	if a.env("GIT_QUARANTINE_PATH") != "" && filepath.IsAbs(a.env("GIT_OBJECT_DIRECTORY")) {
		// A hook before a push is taken: what is pushed lies apart.
		c.view.Objects = []string{a.env("GIT_OBJECT_DIRECTORY")}
	}
	if c.dirs, err = source.FindGit(c.top, c.view.GitOptions()); err != nil {
		return nil, gitError(err)
	}
	c.bare = c.dirs.WorkTree == ""
	if c.git, err = source.OpenGit(c.dirs); err != nil {
		c.dirs.Close()
		return nil, gitError(err)
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	switch {
	case want.History && want.Range == "" && want.Since == "":
		c.view.Kind, c.label = scan.ViewHistory, "all of history"
		return c, nil
	case want.Staged:
		err = a.staged(c)
	case want.Range != "":
		err = c.between(want.Range)
	case want.Since == sinceAuto:
		var found bool
		if found, err = a.auto(c); err == nil && !found {
			c.close()
			if want.History {
				return a.findChange(ChangeConfig{History: true, Alternates: want.Alternates}, targets)
			}
			return nil, nil
		}
	default:
		err = c.since(want.Since)
	}
	if err != nil {
		return nil, a.changeError(c, err)
	}
	if want.History && c.view.Head == "" && !c.bare {
		head, err := c.commit("HEAD")
		if err != nil {
			return nil, a.changeError(c, err)
		}
		c.view.Kind, c.view.Head = scan.ViewRange, head.String()
	}
	if c.bare && c.view.Kind != scan.ViewRange {
		return nil, usage("compare two commits: --range A..B", "%s is a bare repository: it has no work tree and no index", displayPath(c.top))
	}
	if c.before, err = c.at(c.view.Base); err != nil {
		return nil, a.changeError(c, err)
	}
	if c.view.Kind == scan.ViewRange {
		if c.after, err = c.at(c.view.Head); err != nil {
			return nil, a.changeError(c, err)
		}
	}
	if want.History {
		v := &c.view
		v.Kind, v.Tips, v.Stop, v.Base, v.Head = scan.ViewHistory, []string{v.Head}, []string{v.Base}, "", ""
	}
	return c, nil
}

// compares reports whether two versions are scanned, so that what is new can be
// told from what was there.
func (c *change) compares() bool { return c != nil && c.view.Kind != scan.ViewHistory }

// at gives the project's files in a commit; none where there is no commit.
func (c *change) at(commit string) (project, error) {
	p := project{top: c.top, git: c.git}
	if commit == "" {
		return p, nil
	}
	id, err := source.ParseObjectID(commit)
	if err != nil {
		return p, err
	}
	p.tree, err = c.git.Peel(id, source.ObjectTree)
	return p, err
}

// repositoryOf finds the repository that all targets lie in: the nearest folder
// upwards that has .git or, if there is none, that is a bare repository. A folder
// of a work tree that looks like a bare one is what its author wrote into it: the
// base of a change must not come from there.
func repositoryOf(targets []string) (string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if slices.Contains(targets, "-") {
		return "", usage("", "standard input is no repository: name a folder")
	}
	from := commonFolder(cwd, targets)
	if real, err := filepath.EvalSymlinks(from); err == nil {
		from = real
	}
	bare := ""
	for dir := from; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil && !emptyGit(dir) {
			return dir, nil
		}
		if bare == "" && isBare(dir) {
			bare = dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if bare == "" {
		return "", &penstock.Error{Message: fmt.Sprintf("%s lies in no git repository", displayPath(from)), Hint: "a change is looked for in git; to check all files: penstock scan"}
	}
	return bare, nil
}

// emptyGit reports whether the .git of a folder is no repository at all. One that
// is damaged or leads elsewhere is an error, not none.
func emptyGit(dir string) bool {
	dirs, err := source.FindGit(dir, source.GitOptions{})
	if err == nil {
		dirs.Close()
	}
	return errors.Is(err, source.ErrNoGit)
}

func isBare(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

func (c *change) commit(name string) (source.ObjectID, error) {
	id, err := c.git.Resolve(name)
	if err == nil {
		id, err = c.git.Peel(id, source.ObjectCommit)
	}
	return id, err
}

// staged compares HEAD, if there is a commit yet, with the index. In a hook of a
// commit of chosen files that is another one than usual.
func (a *app) staged(c *change) error {
	c.view.Kind, c.label, c.view.Index = scan.ViewStaged, "what is staged with HEAD", "index"
	if name := a.env("GIT_INDEX_FILE"); name != "" {
		abs, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err != nil || real != c.dirs.Dir {
			return &penstock.Error{Message: "GIT_INDEX_FILE names an index outside of the repository's folder", Hint: "unset it, or use --since"}
		}
		c.view.Index = filepath.Base(abs)
	}
	head, err := c.commit("HEAD")
	if errors.Is(err, source.ErrNoRef) {
		return nil
	}
	c.view.Base = head.String()
	return err
}

// since compares the merge base of a ref and HEAD with the work tree.
func (c *change) since(ref string) error {
	c.view.Kind = scan.ViewWorkTree
	if c.bare {
		return nil // refused by findChange
	}
	base, err := c.mergeBase(ref, "HEAD")
	if err != nil {
		return err
	}
	c.view.Base = base.String()
	c.label = fmt.Sprintf("the work tree with %s, the merge base with %s", short(c.view.Base), ref)
	return nil
}

// between compares two commits: A..B as they are, A...B from their merge base.
func (c *change) between(text string) error {
	c.view.Kind = scan.ViewRange
	a, b, merge := strings.Cut(text, "...")
	if !merge {
		var ok bool
		if a, b, ok = strings.Cut(text, ".."); !ok {
			return usage("write A..B, or A...B to begin at the merge base", "--range %q names one commit", text)
		}
	}
	a, b = cmp.Or(a, "HEAD"), cmp.Or(b, "HEAD")
	head, err := c.commit(b)
	if err != nil {
		return refError{b, err}
	}
	var base source.ObjectID
	if merge {
		base, err = c.mergeBase(a, b)
	} else if base, err = c.commit(a); err != nil {
		err = refError{a, err}
	}
	if err != nil {
		return err
	}
	c.compare(base, head)
	return nil
}

func (c *change) compare(base, head source.ObjectID) {
	c.view.Kind = scan.ViewRange
	c.view.Base, c.view.Head = base.String(), head.String()
	c.label = short(c.view.Head) + " with " + short(c.view.Base)
}

func (c *change) mergeBase(a, b string) (source.ObjectID, error) {
	x, err := c.commit(a)
	if err != nil {
		return x, refError{a, err}
	}
	y, err := c.commit(b)
	if err != nil {
		return x, refError{b, err}
	}
	bases, err := c.git.MergeBase(x, y)
	if err != nil {
		return x, err
	}
	if len(bases) == 0 {
		return x, &penstock.Error{Message: fmt.Sprintf("%s and %s have no commit in common", a, b), Hint: "to compare them as they are: --range A..B"}
	}
	return bases[0], nil
}

// refError is a name that does not lead to a commit.
type refError struct {
	name string
	err  error
}

func (e refError) Error() string { return fmt.Sprintf("%q: %s", e.name, e.err) }
func (e refError) Unwrap() error { return e.err }

func short(commit string) string { return commit[:min(12, len(commit))] }

func gitError(err error) error {
	switch {
	case errors.Is(err, source.ErrGitLink):
		return &penstock.Error{Message: "the repository is not read", Hint: "a .git file is followed only to a worktree that lists it; for a submodule, name the repository it belongs to", Err: err}
	case errors.Is(err, source.ErrGitFormat):
		return &penstock.Error{Message: "the repository is not read", Err: err}
	}
	return &penstock.Error{Message: "open the repository", Err: err}
}

// changeError says what a change that cannot be found lacks, and how to get it.
func (a *app) changeError(c *change, err error) error {
	var known *penstock.Error
	if errors.As(err, &known) {
		return err
	}
	e := &penstock.Error{Message: "find what changed", Err: err}
	var ref refError
	switch {
	case c.git.Shallow() && (errors.Is(err, source.ErrShallow) || errors.Is(err, source.ErrMissing) || errors.Is(err, source.ErrNoRef)):
		e.Message = "this clone is shallow and does not reach back to the base"
		e.Hint = "fetch more of the history: " + detectCI(a.env).deepen()
	case errors.As(err, &ref) && errors.Is(err, source.ErrNoRef):
		e.Message = fmt.Sprintf("%q names no commit here", ref.name)
		e.Err = nil
		// A hint is copied into a shell.
		if branch := strings.TrimPrefix(ref.name, "origin/"); plainBranch(branch) {
			e.Hint = "if it is a branch of the remote, fetch it first: git fetch origin " + branch
		}
	case errors.Is(err, source.ErrMissing) && c.git.Partial():
		e.Hint = "this is a partial clone; fetch what it lacks: git fetch --refetch --no-filter"
	}
	return e
}

func plainBranch(name string) bool {
	rest := strings.TrimFunc(name, func(r rune) bool {
		return r == '-' || r == '_' || r == '.' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	})
	return name != "" && rest == "" && !strings.HasPrefix(name, "-")
}

// auto finds the change that the CI system runs for, or outside of one what
// differs from the remote's main branch. False means that there is none and all
// files are to be checked: a push, a schedule, a tag.
func (a *app) auto(c *change) (bool, error) {
	if a.env("PRE_COMMIT") == "1" {
		return a.preCommit(c)
	}
	env := detectCI(a.env)
	if env.Name == "" {
		for _, ref := range []string{"refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/main", "refs/heads/master"} {
			if _, err := c.commit(ref); err == nil {
				return true, c.since(ref)
			}
		}
		return false, &penstock.Error{Code: penstock.ExitUsage, Message: "no main branch is known to compare with", Hint: "name one: --since REF"}
	}
	if !env.PullRequest {
		return false, nil
	}
	head, err := c.commit("HEAD")
	if err != nil {
		return false, refError{"HEAD", err}
	}
	commit, err := c.git.Commit(head)
	if err != nil {
		return false, err
	}
	// A merge ref: what the change would be once merged. Its first parent is the
	// target branch. The history may end here, and then the error says so.
	merged := len(commit.Parents) == 2 && env.Source == commit.Parents[1].String()
	if merged {
		if !c.git.Has(commit.Parents[0]) {
			return false, fmt.Errorf("the commit %s: %w", commit.Parents[0], source.ErrMissing)
		}
		c.compare(commit.Parents[0], head)
		return true, nil
	}
	if env.Source != "" && env.Source != head.String() {
		return false, &penstock.Error{
			Message: fmt.Sprintf("the commit that is checked out, %s, is not that of the change, %s", short(head.String()), short(env.Source)),
			Hint:    "check out the change, or name what to compare: --range A..B",
		}
	}
	for _, target := range env.Target {
		if _, err := c.commit(target); err != nil {
			continue
		}
		base, err := c.mergeBase(target, "HEAD")
		if err != nil {
			return false, err
		}
		c.compare(base, head)
		return true, nil
	}
	return false, refError{cmp.Or(cmp.Or(env.Target...), "the target branch"), source.ErrNoRef}
}

// preCommit finds what the hook framework pre-commit runs for: a range of commits,
// what is staged, or with nothing staged, as in a run over all files, everything.
func (a *app) preCommit(c *change) (bool, error) {
	from, to := a.env("PRE_COMMIT_FROM_REF"), a.env("PRE_COMMIT_TO_REF")
	if from != "" && to != "" {
		return true, c.between(from + ".." + to)
	}
	if err := a.staged(c); err != nil {
		return false, err
	}
	before, err := c.at(c.view.Base)
	if err != nil {
		return false, err
	}
	staged, err := c.index()
	if err != nil {
		return false, err
	}
	some := errors.New("something is staged")
	err = c.git.DiffIndex(before.tree, staged, func(source.Change) error { return some })
	if err == nil || errors.Is(err, some) {
		return err != nil, nil
	}
	return false, err
}

// own are the project's own files that decide on the check: configuration,
// exceptions, baseline, rules and ignore lists.
func (s *settings) own(targets []string) []string {
	paths := []string{filepath.Join(s.root, ".penstock")}
	dir, top := s.root, s.root
	if s.change != nil {
		top = s.change.top
	}
	if from, _, err := searchRange(targets); err == nil && within(top, from) {
		dir = from
	}
	for ; within(top, dir); dir = filepath.Dir(dir) {
		for _, name := range configNames {
			paths = append(paths, filepath.Join(dir, name))
		}
		paths = append(paths, filepath.Join(dir, ".gitleaksignore"))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for key, names := range map[string][]string{"scan.rules": s.Scan.Rules, "gate.exceptions": {s.Gate.Exceptions}, "gate.baseline": {s.Gate.Baseline}} {
		in := s.files(key)
		for _, name := range names {
			if name == "" {
				continue
			}
			if abs, err := filepath.Abs(in.at(name)); err == nil && within(top, abs) {
				paths = append(paths, abs)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// maxOwn bounds the files that are compared in one folder of the project's own. A
// change that has more shows by those.
const maxOwn = 200

// ruleChanged is the finding of a change that edits what it is checked by.
const ruleChanged = "gate/configuration-changed"

// changedRule describes it; it belongs to no engine.
func changedRule() penstock.Rule {
	return penstock.Rule{
		ID: ruleChanged, Title: "The change edits the configuration that it is checked by",
		Severity: penstock.Medium, Confidence: penstock.ConfidenceHigh,
		Why:    "Whoever may edit the configuration, the exceptions, the baseline, the rules or an ignore list may switch off the check of everything that comes after. This run used the version of the base, so the edit decides nothing yet; it does once it is merged.",
		Remedy: "Let an owner of the check look at the edit before it is merged, for example through a CODEOWNERS entry for penstock.yaml, .penstock/ and .gitleaksignore.",
		CWE:    []int{285},
	}
}

// changedConfig finds what a change does to the files that decide on its check.
func (s *settings) changedConfig(targets []string) ([]*penstock.Finding, error) {
	c := s.change
	if c == nil || c.before.git == nil || s.skips(changedRule()) {
		return nil, nil
	}
	var findings []*penstock.Finding
	seen := make(map[string]bool)
	for _, path := range s.own(targets) {
		old, err := c.before.digests(path)
		if err != nil {
			return nil, err
		}
		now, err := c.now(path)
		if err != nil {
			return nil, err
		}
		names := make([]string, 0, len(old)+len(now))
		for name := range old {
			names = append(names, name)
		}
		for name := range now {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if old[name] == now[name] || seen[name] {
				continue
			}
			seen[name] = true
			what := "edits"
			switch {
			case old[name].IsZero():
				what = "adds"
			case now[name].IsZero():
				what = "removes"
			}
			findings = append(findings, &penstock.Finding{
				Rule: ruleChanged, Severity: penstock.Medium, Confidence: penstock.ConfidenceHigh, Title: changedRule().Title,
				Message:  fmt.Sprintf("the change %s this file, which decides on how it is checked; the base's version was used", what),
				Location: penstock.Location{Path: s.shown(filepath.Join(c.top, filepath.FromSlash(name)))},
				Status:   penstock.StatusNew,
			})
		}
	}
	return findings, nil
}

// addChanged puts the findings on the project's own files into the result.
func (s *settings) addChanged(res *scan.Result, targets []string) error {
	changed, err := s.changedConfig(targets)
	if err != nil || len(changed) == 0 {
		return err
	}
	res.Findings = append(res.Findings, changed...)
	slices.SortFunc(res.Findings, (*penstock.Finding).Compare)
	res.Rules = append(res.Rules, changedRule())
	slices.SortFunc(res.Rules, func(a, b penstock.Rule) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// shown is a path as findings have it: from the current folder if it lies below.
func (s *settings) shown(path string) string {
	if s.change != nil && s.change.bare {
		if rel, err := filepath.Rel(s.change.top, path); err == nil {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(displayPath(path))
}

// now lists the files at a path, absolute, and below as the head has them.
func (c *change) now(path string) (map[string]source.ObjectID, error) {
	switch c.view.Kind {
	case scan.ViewRange, scan.ViewHistory:
		return c.after.digests(path)
	case scan.ViewStaged:
		rel, err := c.before.in(path)
		if err != nil {
			return nil, err
		}
		staged, err := c.index()
		if err != nil {
			return nil, err
		}
		list := make(map[string]source.ObjectID)
		for _, e := range staged {
			if len(list) == maxOwn {
				break
			}
			if !e.Intent && (e.Path == rel || strings.HasPrefix(e.Path, rel+"/")) {
				list[e.Path] = e.ID
			}
		}
		return list, nil
	}
	list := make(map[string]source.ObjectID)
	disk := project{top: c.top}
	var add func(path string, depth int) error
	add = func(path string, depth int) error {
		names, err := disk.names(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && names != nil:
			for _, name := range names {
				if len(list) >= maxOwn {
					return nil
				}
				if depth == 0 {
					return fmt.Errorf("folders in folders of %s", displayPath(path))
				}
				if err := add(filepath.Join(path, name), depth-1); err != nil {
					return err
				}
			}
			return nil
		}
		rel, err := disk.in(path)
		if err != nil {
			return err
		}
		data, err := disk.read(path, maxBaseline)
		if err != nil {
			data = []byte(err.Error()) // a link, a device: not what the base has
		}
		h := c.git.BlobHash(int64(len(data)))
		h.Write(data)
		list[rel] = source.BlobID(h)
		return nil
	}
	return list, add(path, 8)
}

func (c *change) index() ([]source.IndexEntry, error) {
	staged, _, err := c.dirs.Index(cmp.Or(c.view.Index, "index"))
	if err != nil {
		return nil, &penstock.Error{Message: "read git's index", Err: err}
	}
	return staged, nil
}

// githubCommits reads the parts of GitHub's event file that name commits.
func githubCommits(path string) (base, head string) {
	data, err := readRegular(os.OpenFile, path, maxEvent)
	if err != nil {
		return "", ""
	}
	var e struct {
		PullRequest struct {
			Head, Base struct {
				SHA string `json:"sha"`
			}
		} `json:"pull_request"`
		MergeGroup struct {
			Base string `json:"base_sha"`
			Head string `json:"head_sha"`
		} `json:"merge_group"`
	}
	if json.Unmarshal(data, &e) != nil {
		return "", ""
	}
	return cmp.Or(e.PullRequest.Base.SHA, e.MergeGroup.Base), cmp.Or(e.PullRequest.Head.SHA, e.MergeGroup.Head)
}
