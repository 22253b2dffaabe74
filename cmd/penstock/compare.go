package main

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/gate"
	"penstock/internal/identity"
	"penstock/internal/scan"
	"penstock/internal/source"
)

// before is what was known before a run: the base of a range, or a baseline. All
// of its paths count from the root of the project.
type before struct {
	// origin is what reasons call it, place the file of a baseline.
	origin, place string
	// salt is what the run must be scanned with to be compared.
	salt []byte
	// observed are the places; old says the same of each for the gate.
	observed []identity.Observation
	old      []gate.Old
	opts     identity.Options
}

// baseOf is the base of a range: findings of a scan with the salt of the head's,
// renames as git knows them.
func baseOf(origin string, findings []*penstock.Finding, renames map[string]string, fromRoot func(string) string) *before {
	b := &before{origin: origin, opts: identity.Options{Renames: renames}}
	findings = rooted(findings, fromRoot)
	if fromRoot != nil {
		b.opts.Renames = make(map[string]string, len(renames))
		for from, to := range renames {
			b.opts.Renames[fromRoot(from)] = fromRoot(to)
		}
	}
	b.observed = identity.Observe(findings)
	for _, o := range b.observed {
		f := findings[o.Finding]
		b.old = append(b.old, gate.Old{Rule: f.Rule, Path: o.Path, Line: o.Line, Fingerprint: f.Fingerprint, Ignored: f.Suppressed != nil})
	}
	return b
}

// key is the salt for a scan that is to be compared; nil for any.
func (b *before) key() []byte {
	if b == nil {
		return nil
	}
	return b.salt
}

// compare compares a run with a baseline, and notes what of it is gone.
func (a *app) compare(c *checked, s *settings, targets []string, known *before) error {
	c.compared = known.compare(c.result.Findings, s.fromRoot())
	c.result.Notes = append(c.result.Notes, c.compared.notes...)
	if len(c.compared.result.Gone) == 0 || s.change != nil {
		return nil // a scan of what differs says nothing of the rest
	}
	covered, err := a.covered(s, targets, c.result)
	if err != nil {
		return err
	}
	n := len(c.compared.gone(covered))
	c.compared.gate.Gone = n
	if n > 0 {
		c.result.Notes = append(c.result.Notes, &penstock.Note{
			Code: "baseline-stale", Place: known.place,
			Message: "gone since it was written: " + counted(n, "finding"),
			Hint:    "take them out: penstock baseline prune",
		})
	}
	return nil
}

// compareBase compares a run on a change with its base, and puts what is gone
// into the result as fixed.
func (a *app) compareBase(c *checked, s *settings, targets []string) (*gate.Comparison, error) {
	origin := "the base"
	if id := s.change.view.Base; id != "" {
		origin += " " + short(id)
	}
	known := baseOf(origin, c.result.Base, c.result.Renames, s.fromRoot())
	k := known.compare(c.result.Findings, s.fromRoot())
	c.result.Notes = append(c.result.Notes, k.notes...)
	if len(k.result.Gone) == 0 {
		return k.gate, nil
	}
	covered, err := a.covered(s, targets, c.result)
	if err != nil {
		return nil, err
	}
	for _, i := range k.gone(covered) {
		f := c.result.Base[known.observed[i].Finding]
		f.Status = penstock.StatusFixed
		c.result.Findings = append(c.result.Findings, f)
	}
	slices.SortFunc(c.result.Findings, (*penstock.Finding).Compare)
	return k.gate, nil
}

// rooted returns the findings with features whose paths count from the root, so
// that it does not matter where a scan was started. Only Rule, Fingerprint, Group
// and Features of the copies are of use.
func rooted(findings []*penstock.Finding, fromRoot func(string) string) []*penstock.Finding {
	if fromRoot == nil {
		return findings
	}
	list := make([]*penstock.Finding, len(findings))
	for i, f := range findings {
		g := *f
		g.Features = make([]*penstock.Features, len(f.Features))
		for k, x := range f.Features {
			y := *x
			y.Path = fromRoot(x.Path)
			g.Features[k] = &y
		}
		list[i] = &g
	}
	return list
}

// compared is what a run gave against what was known before.
type compared struct {
	before *before
	// findings are those of the run, rooted their copies with paths from the root;
	// fresh are their places.
	findings, rooted []*penstock.Finding
	fresh            []identity.Observation
	result           identity.Result
	gate             *gate.Comparison
	notes            []*penstock.Note
}

// compare matches the findings of a run with what was known before. It sets
// nothing in them: the gate does, from compared.gate.
func (b *before) compare(findings []*penstock.Finding, fromRoot func(string) string) *compared {
	c := &compared{before: b, findings: slices.Clone(findings)} // the caller may add to its list and sort it
	c.rooted = rooted(c.findings, fromRoot)
	c.fresh = identity.Observe(c.rooted)
	c.result = identity.Match(b.observed, c.fresh, b.opts)
	c.gate = &gate.Comparison{Origin: b.origin, Place: b.place, Old: b.old, New: make(map[*penstock.Finding][]gate.Match, len(findings))}

	type place struct {
		finding int
		path    string
		line    int
	}
	matches := make(map[place]gate.Match, len(c.fresh))
	pairs := make(map[int]identity.Pair, len(c.result.Pairs))
	for _, p := range c.result.Pairs {
		pairs[p.New] = p
	}
	for i, o := range c.fresh {
		m := gate.Match{Old: -1}
		if p, ok := pairs[i]; ok {
			m = gate.Match{Old: p.Old, Exact: p.Exact}
		}
		// Of two places on one line, as minified code has them, the worse counts.
		k := place{o.Finding, o.Path, o.Line}
		if have, ok := matches[k]; ok {
			m.Exact = m.Exact && have.Exact
			if have.Old < 0 {
				m = have
			}
		}
		matches[k] = m
	}
	for i, f := range findings {
		if len(f.Features) == 0 {
			continue // nothing to know it by
		}
		list := make([]gate.Match, 0, 1+len(f.Places))
		for n := range 1 + len(f.Places) {
			l := f.Location
			if n > 0 {
				l = f.Places[n-1]
			}
			if fromRoot != nil {
				l.Path = fromRoot(l.Path)
			}
			m, ok := matches[place{i, l.Path, l.Line}]
			if !ok {
				m.Old = -1
			}
			list = append(list, m)
		}
		c.gate.New[f] = list
	}
	for _, s := range c.result.Skipped {
		c.notes = append(c.notes, &penstock.Note{
			Code: "compare-crowded", Place: s.Path,
			Message: fmt.Sprintf("%d findings of %s look like one another, too many to tell which of them were known", s.Fresh, s.Class),
		})
	}
	return c
}

// gone lists what was known and has no place in the run any more, as one index in
// before.observed for each finding, where covered proves of all its places that
// they were looked at. For a baseline, which does not know its findings, the
// places of one secret are one finding.
func (c *compared) gone(covered func(path, rule string) bool) []int {
	type flaw struct {
		finding int
		class   string
		value   penstock.Hash
	}
	of := func(i int) flaw {
		o := c.before.observed[i]
		if c.before.place != "" && o.Value != 0 && !o.Value.Guessable() {
			return flaw{class: o.Class, value: o.Value}
		}
		return flaw{finding: o.Finding}
	}
	here := make(map[flaw]bool)
	for _, p := range c.result.Pairs {
		here[of(p.Old)] = true
	}
	for _, i := range c.result.Gone {
		if !covered(c.before.old[i].Path, c.before.old[i].Rule) {
			here[of(i)] = true
		}
	}
	var list []int
	for _, i := range c.result.Gone {
		if k := of(i); !here[k] {
			here[k] = true
			list = append(list, i)
		}
	}
	return list
}

// covered returns whether a run proves that a finding of the rule that it does not
// have at the path, counted from the root, is gone: the file was read whole by an
// engine that knows the rule, or is no more although its folder was visited.
func (a *app) covered(s *settings, targets []string, r *scan.Result) (func(path, rule string) bool, error) {
	fromRoot := s.fromRoot()
	if fromRoot == nil {
		fromRoot = func(p string) string { return p }
	}
	for _, n := range r.Notes {
		if n.Incomplete && n.Place == "" {
			return func(string, string) bool { return false }, nil
		}
	}
	var roots []string
	for _, t := range targets {
		if abs, err := filepath.Abs(t); err == nil && t != "-" {
			roots = append(roots, abs)
		}
	}
	files, err := s.ruleFiles()
	if err != nil {
		return nil, err
	}
	engines := make(map[string]string) // by rule
	for _, e := range a.engines {
		if e.Rules == nil || !slices.Contains(r.Header.Engines, e.Name) {
			continue
		}
		rules, err := e.Rules(files)
		if err != nil {
			return nil, err
		}
		for _, rule := range rules {
			if !s.skips(rule) {
				engines[rule.ID] = e.Name
			}
		}
	}
	type state struct {
		read    bool // by engines
		engines []string
		shut    bool // what it holds was not looked at
	}
	states := make(map[string]state, len(r.Coverage))
	for _, c := range r.Coverage {
		p := strings.TrimSuffix(fromRoot(c.Path), "/")
		st := states[p]
		switch {
		case c.State == penstock.Scanned:
			st.read = true
			st.engines = append(st.engines, c.Engines...)
		case c.State == penstock.Excluded && c.Reason == penstock.ReasonEmpty:
		default:
			st.shut = true
		}
		states[p] = st
	}
	for _, n := range r.Notes {
		if n.Incomplete {
			p := fromRoot(n.Place)
			st := states[p]
			st.shut = true
			states[p] = st
		}
	}
	return func(p, rule string) bool {
		for up := p; ; {
			if states[up].shut {
				return false
			}
			next := above(up)
			if next == up {
				break
			}
			up = next
		}
		if st, ok := states[p]; ok {
			return !st.read || slices.Contains(st.engines, engines[rule])
		}
		abs := filepath.Join(s.root, filepath.FromSlash(p))
		return !path.IsAbs(p) && slices.ContainsFunc(roots, func(root string) bool { return within(root, abs) })
	}, nil
}

// above is the folder or container that a path lies in, "." at last.
func above(p string) string {
	container, member := p, ""
	if i := strings.LastIndex(p, penstock.MemberSeparator); i >= 0 {
		container, member = p[:i], p[i+len(penstock.MemberSeparator):]
		if dir := path.Dir(member); dir != "." && dir != "/" {
			return container + penstock.MemberSeparator + dir
		}
		return container
	}
	return path.Dir(p)
}

// skips reports whether the configuration leaves the rule out, as engines do.
func (s *settings) skips(r penstock.Rule) bool {
	return slices.ContainsFunc(s.Scan.SkipRules, func(skip string) bool {
		ok, err := path.Match(skip, r.ID)
		return err == nil && ok || skip == r.ID || slices.Contains(r.Aliases, skip)
	})
}

// firstSeen is the commit that new entries of a baseline name: the one that is
// checked out, or what the CI system says of it; empty if neither is known.
func firstSeen(targets []string, c *checked) string {
	if id, err := headOf(targets); err == nil {
		return id
	}
	id := c.ci.Commit
	if n := len(id); (n == 40 || n == 64) && strings.Trim(id, "0123456789abcdef") == "" {
		return id
	}
	return ""
}

func headOf(targets []string) (string, error) {
	top, err := repositoryOf(targets)
	if err != nil {
		return "", err
	}
	dirs, err := source.FindGit(top, source.GitOptions{})
	if err != nil {
		return "", err
	}
	defer dirs.Close()
	git, err := source.OpenGit(dirs)
	if err != nil {
		return "", err
	}
	defer git.Close()
	id, err := git.Resolve("HEAD")
	return id.String(), err
}
