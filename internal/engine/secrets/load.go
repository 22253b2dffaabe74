package secrets

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"penstock"
	lookup "penstock/internal/syntax"
	"penstock/rules"
)

// detector is the rules of a run, ready to run. It is safe for concurrent use.
type detector struct {
	rules []*rule
	sets  []*ruleSet
	pre   *prefilter
	// whole are rules that are searched for over the whole text; byPath those
	// that look at the path alone.
	whole  []int32
	byPath []int32
	names  *pattern // matches if one of byPath does; nil without such
	// keyBits is the number of keywords that are only looked for.
	keyBits int
}

// loader gathers rules.
type loader struct {
	sets     []*ruleSet
	rules    []*rule
	programs int
	// needles are those of the rules, if they are known from the table.
	needles []needle
}

// load reads the built-in rules and those of files, leaves out those that match
// skip, and makes them ready to run.
func load(files []penstock.RuleFile, skip []string) (*detector, error) {
	l, err := read(files, skip)
	if err != nil {
		return nil, err
	}
	return l.detector(), nil
}

// read is load for who only wants to know the rules.
func read(files []penstock.RuleFile, skip []string) (*loader, error) {
	l := new(loader)
	user := map[string]*userFile{}
	// Without need the built-in rules are not even read.
	needed := !slices.Contains(skip, "secrets/*")
	for _, f := range files {
		u, err := l.readUser(f)
		if err != nil {
			return nil, err
		}
		user[f.Path] = u
		needed = needed || u.toml.Extend.UseDefault
	}
	own := new(userFile)
	if needed {
		var err error
		if own, err = l.builtin(); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		if err := l.addUser(user[f.Path], user, own, 0); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 && len(skip) == 0 {
		l.needles = own.needles
	}
	l.rules = append(l.rules, own.rules...)
	for _, f := range files {
		l.rules = append(l.rules, user[f.Path].rules...)
	}
	l.rules = slices.DeleteFunc(l.rules, func(r *rule) bool { return r.dropped || skipped(&r.info, skip) })
	// A rule that another requires is kept, silently, even if it is skipped.
	have := map[*rule]bool{}
	for _, r := range l.rules {
		have[r] = true
	}
	for i := 0; i < len(l.rules); i++ {
		for _, q := range l.rules[i].required {
			q.rule.needed = true
			if !have[q.rule] {
				have[q.rule], q.rule.silent = true, true
				l.rules = append(l.rules, q.rule)
			}
		}
	}
	return l, nil
}

// skipped reports whether a glob or name of skip means the rule.
func skipped(r *penstock.Rule, skip []string) bool {
	for _, s := range skip {
		if ok, err := path.Match(s, r.ID); err == nil && ok || s == r.ID || slices.Contains(r.Aliases, s) {
			return true
		}
	}
	return false
}

// userFile is one file of rules.
type userFile struct {
	path  string
	toml  *fileTOML
	index *tomlIndex
	set   *ruleSet
	rules []*rule
	added bool
	busy  bool
	own   bool
	// needles are those of the rules alone, with their bytes chosen; nil if that
	// was not done.
	needles []needle
}

// builtin reads the rules of this program, from the table if it is up to date.
func (l *loader) builtin() (*userFile, error) {
	if own, ok := l.fromTable(builtinTable); ok {
		return own, nil
	}
	return l.parseBuiltin()
}

// parseBuiltin reads the rules of this program from their files.
func (l *loader) parseBuiltin() (*userFile, error) {
	all := &userFile{path: "rules/secrets", set: new(ruleSet), own: true, added: true}
	l.sets = append(l.sets, all.set)
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := fs.ReadFile(rules.Secrets, name)
		if err != nil {
			return nil, err
		}
		u := &userFile{path: "rules/" + name, set: all.set, own: true}
		if u.toml, u.index, err = parseRuleFile(u.path, data); err != nil {
			return nil, err
		}
		for i := range u.toml.Rules {
			r, err := l.newRule(u, i)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(all.rules, func(o *rule) bool { return o.name == r.name }) {
				return nil, ruleError(u.path, u.index.line("rules", i, "id"), fmt.Sprintf("rule %q is written twice", r.name), "give each rule its own id")
			}
			all.rules = append(all.rules, r)
			u.rules = append(u.rules, r)
		}
		if err := l.allowlists(u, all.rules); err != nil {
			return nil, err
		}
		if err := l.require(u, all.rules); err != nil {
			return nil, err
		}
		if err := l.validate(u); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *loader) readUser(f penstock.RuleFile) (*userFile, error) {
	u := &userFile{path: f.Path, set: new(ruleSet)}
	l.sets = append(l.sets, u.set)
	var err error
	if u.toml, u.index, err = parseRuleFile(f.Path, f.Data); err != nil {
		return nil, err
	}
	return u, nil
}

// maxExtend is how many files may extend one another, as in gitleaks.
const maxExtend = 2

// addUser turns a file into rules: first the file that it extends, then its own.
func (l *loader) addUser(u *userFile, all map[string]*userFile, own *userFile, depth int) error {
	if u.added {
		return nil
	}
	u.busy = true
	defer func() { u.busy = false }()
	var base *userFile
	ext := u.toml.Extend
	switch {
	case ext.UseDefault && ext.Path != "":
		return ruleError(u.path, u.index.line("extend", "path"), "extend.path and extend.useDefault exclude each other", "keep one of the two")
	case ext.UseDefault:
		base = own
	case ext.Path != "":
		if base = findExtended(all, u.path, ext.Path); base == nil {
			return ruleError(u.path, u.index.line("extend", "path"), fmt.Sprintf("the extended file %q was not given", ext.Path), "name it, too: --rules "+ext.Path)
		}
		if base.busy || depth >= maxExtend {
			return ruleError(u.path, u.index.line("extend", "path"), "rule files extend one another in a circle or too deep", fmt.Sprintf("at most %d levels are followed", maxExtend))
		}
		if err := l.addUser(base, all, own, depth+1); err != nil {
			return err
		}
	}
	u.added = true
	for i := range u.toml.Rules {
		r, err := l.newRule(u, i)
		if err != nil {
			return err
		}
		// The last rule of an id counts, as in gitleaks.
		u.rules = slices.DeleteFunc(u.rules, func(o *rule) bool { return o.name == r.name })
		u.rules = append(u.rules, r)
	}
	known := slices.Clone(u.rules)
	if base != nil {
		for _, b := range base.rules {
			if disabled(b, ext.DisabledRules) {
				b.dropped = true
				continue
			}
			i := slices.IndexFunc(u.rules, func(r *rule) bool { return r.name == b.name || b.own && slices.Contains(b.info.Aliases, r.name) })
			if i < 0 {
				known = append(known, b)
				continue
			}
			u.rules[i].inherit(b)
			b.dropped = true
		}
	}
	before := len(u.set.global)
	if err := l.allowlists(u, known); err != nil {
		return err
	}
	if base != nil {
		// What the file allows holds for what it extends, and the other way round.
		if base.set != u.set {
			inherited := slices.Clone(base.set.global)
			base.set.global = append(base.set.global, u.set.global[before:]...)
			u.set.global = append(u.set.global, inherited...)
		}
	}
	if err := l.require(u, known); err != nil {
		return err
	}
	return l.validate(u)
}

func findExtended(all map[string]*userFile, from, name string) *userFile {
	for _, p := range []string{name, path.Join(path.Dir(from), name)} {
		if u := all[path.Clean(p)]; u != nil && u.path != from {
			return u
		}
		if u := all[p]; u != nil && u.path != from {
			return u
		}
	}
	for p, u := range all {
		if p != from && path.Base(p) == path.Base(name) {
			return u
		}
	}
	return nil
}

func disabled(r *rule, ids []string) bool {
	for _, id := range ids {
		if id == r.name || id == r.info.ID || slices.Contains(r.info.Aliases, id) {
			return true
		}
	}
	return false
}

// inherit fills what an extending rule leaves unset.
func (r *rule) inherit(b *rule) {
	if r.desc == "" {
		r.desc = b.desc
		if r.info.Title == r.name {
			r.info.Title = b.info.Title
		}
	}
	if r.entropy == 0 {
		r.entropy = b.entropy
	}
	if r.group == 0 {
		r.group = b.group
	}
	if r.re == nil {
		r.re, r.check, r.checkName = b.re, b.check, b.checkName
	}
	if r.path == nil {
		r.path = b.path
	}
	r.keywords = append(slices.Clone(b.keywords), r.keywords...)
	r.allow = append(slices.Clone(b.allow), r.allow...)
	if len(r.required) == 0 {
		r.required = b.required
	}
	if r.info.Why == "" {
		r.info.Why = b.info.Why
	}
	if r.info.Remedy == "" {
		r.info.Remedy = b.info.Remedy
	}
	r.info.Tags = append(slices.Clone(b.info.Tags), r.info.Tags...)
}

// newRule makes the nth rule of a file, without its allow-lists' targets and its
// requirements.
func (l *loader) newRule(u *userFile, n int) (*rule, error) {
	t := &u.toml.Rules[n]
	fail := func(key, msg, hint string) error {
		return ruleError(u.path, u.index.line("rules", n, key), msg, hint)
	}
	name := strings.TrimSpace(t.ID)
	if name == "" {
		return nil, fail("id", "the rule has no id", "add: id = \"kebab-name\"")
	}
	r := &rule{
		name: name, own: u.own, set: u.set,
		desc: t.Description, group: t.SecretGroup, entropy: t.Entropy, silent: t.SkipReport,
		generic: strings.Contains(strings.ToLower(name), "generic"),
	}
	engine := "user/"
	if u.own {
		engine = "secrets/"
	}
	r.info = penstock.Rule{
		ID: engine + name, Aliases: t.Aliases, Title: t.Title,
		Severity: penstock.High, Confidence: penstock.ConfidenceMedium,
		Why: t.Why, Remedy: t.Remedy, CWE: t.CWE, Tags: t.Tags, References: t.References,
		Bad: strings.Join(t.Bad, "\n"), Good: strings.Join(t.Good, "\n"),
	}
	if r.info.Title == "" {
		r.info.Title = cmp.Or(strings.TrimSuffix(strings.TrimSpace(t.Description), "."), name)
	}
	if len(r.info.CWE) == 0 {
		r.info.CWE = []int{798} // CWE-798: use of hard-coded credentials
	}
	if t.Severity != "" {
		s, err := penstock.ParseSeverity(t.Severity)
		if err != nil {
			return nil, fail("severity", err.Error(), "")
		}
		r.info.Severity = s
	}
	if t.Confidence != "" {
		if err := r.info.Confidence.UnmarshalText([]byte(t.Confidence)); err != nil {
			return nil, fail("confidence", err.Error(), "")
		}
	}
	var err error
	if t.Regex != "" {
		if r.re, err = l.pattern(t.Regex); err != nil {
			return nil, fail("regex", fmt.Sprintf("rule %q: %v", name, err), "expressions are in RE2 syntax: no look-around, no back-references")
		}
	}
	if t.Path != "" {
		if r.path, err = l.pattern(t.Path); err != nil {
			return nil, fail("path", fmt.Sprintf("rule %q: %v", name, err), "expressions are in RE2 syntax: no look-around, no back-references")
		}
	}
	for _, k := range t.Keywords {
		if k = strings.ToLower(k); k != "" {
			r.keywords = append(r.keywords, k)
		}
	}
	if t.Check != "" {
		check, ok := checkByName(t.Check)
		if !ok {
			hint := ""
			if near := lookup.Nearest(t.Check, knownChecks()); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return nil, fail("check", fmt.Sprintf("rule %q: unknown check %q", name, t.Check), hint)
		}
		r.check, r.checkName = check, t.Check
	}
	lists, key := t.Allowlists, "allowlists"
	if t.Allowlist != nil {
		if len(lists) > 0 {
			return nil, fail("allowlist", fmt.Sprintf("rule %q: [rules.allowlist] cannot stand beside [[rules.allowlists]]", name), "write all lists as [[rules.allowlists]]")
		}
		lists, key = []*allowTOML{t.Allowlist}, "allowlist"
	}
	for i, a := range lists {
		list, err := l.allowlist(u, a, []any{"rules", n, key, i})
		if err != nil {
			return nil, err
		}
		r.allow = append(r.allow, list)
	}
	return r, nil
}

// knownChecks lists the checks that the built-in rules use.
func knownChecks() []string {
	var names []string
	if own, err := new(loader).builtin(); err == nil {
		for _, r := range own.rules {
			if r.checkName != "" && !slices.Contains(names, r.checkName) {
				names = append(names, r.checkName)
			}
		}
	}
	return names
}

// pattern parses an expression for later.
func (l *loader) pattern(src string) (*pattern, error) {
	re, n, err := parsePattern(src)
	if err != nil {
		return nil, err
	}
	if l.programs += n; l.programs > maxPrograms {
		return nil, fmt.Errorf("all expressions together need more than %d instructions", maxPrograms)
	}
	return &pattern{src: src, tree: re}, nil
}

// allowlist makes one allow-list; at is its place in the file.
func (l *loader) allowlist(u *userFile, t *allowTOML, at []any) (*allowlist, error) {
	fail := func(key, msg, hint string) error {
		return ruleError(u.path, u.index.line(append(slices.Clone(at), key)...), msg, hint)
	}
	a := new(allowlist)
	switch strings.ToUpper(t.Condition) {
	case "AND", "&&":
		a.and = true
	case "", "OR", "||":
	default:
		return nil, fail("condition", fmt.Sprintf("unknown condition %q", t.Condition), "use AND or OR")
	}
	switch t.RegexTarget {
	case "", "secret":
	case "match":
		a.target = targetMatch
	case "line":
		a.target = targetLine
	default:
		hint := "use secret, match or line"
		if near := lookup.Nearest(t.RegexTarget, []string{"secret", "match", "line"}); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, fail("regexTarget", fmt.Sprintf("unknown regexTarget %q", t.RegexTarget), hint)
	}
	if len(t.Commits)+len(t.Paths)+len(t.Regexes)+len(t.StopWords) == 0 {
		return nil, fail("", "the allow-list allows nothing", "give it paths, regexes, stopwords or commits")
	}
	a.commits = len(t.Commits) > 0
	for _, id := range t.Commits {
		if a.ids == nil {
			a.ids = make(map[string]bool)
		}
		a.ids[strings.ToLower(id)] = true
	}
	var err error
	join := func(key string, list []string) *pattern {
		if len(list) == 0 || err != nil {
			return nil
		}
		if !u.own {
			// Each must be an expression of its own; the built-in ones are tested.
			for _, p := range list {
				if _, _, e := parsePattern(p); e != nil {
					err = fail(key, e.Error(), "expressions are in RE2 syntax: no look-around, no back-references")
					return nil
				}
			}
		}
		joined := joinPatterns(list)
		p, e := l.joined(joined)
		if e != nil {
			err = fail(key, e.Error(), "")
		}
		return p
	}
	a.paths = join("paths", t.Paths)
	a.regexes = join("regexes", t.Regexes)
	if err != nil {
		return nil, err
	}
	if len(t.StopWords) > 0 {
		a.stop = newWordSet(t.StopWords)
	}
	return a, nil
}

// joined is like pattern for a list of expressions, which may be longer.
func (l *loader) joined(src string) (*pattern, error) {
	if len(src) > 16*maxPattern {
		return nil, fmt.Errorf("the expressions of one list have %d bytes; at most %d are allowed", len(src), 16*maxPattern)
	}
	l.programs += len(src)
	if l.programs > maxPrograms {
		return nil, fmt.Errorf("all expressions together need more than %d instructions", maxPrograms)
	}
	return &pattern{src: src}, nil
}

// allowlists adds a file's own allow-lists to its rules or to their targets.
func (l *loader) allowlists(u *userFile, known []*rule) error {
	lists, key := u.toml.Allowlists, "allowlists"
	if u.toml.Allowlist != nil {
		if len(lists) > 0 {
			return ruleError(u.path, u.index.line("allowlist"), "[allowlist] cannot stand beside [[allowlists]]", "write all lists as [[allowlists]]")
		}
		lists, key = []*allowTOML{u.toml.Allowlist}, "allowlist"
	}
	for i, t := range lists {
		a, err := l.allowlist(u, t, []any{key, i})
		if err != nil {
			return err
		}
		if len(t.TargetRules) == 0 {
			u.set.global = append(u.set.global, a)
			continue
		}
		for _, id := range t.TargetRules {
			j := slices.IndexFunc(known, func(r *rule) bool { return r.name == id || r.own && slices.Contains(r.info.Aliases, id) })
			if j < 0 {
				return ruleError(u.path, u.index.line(key, i, "targetRules"), fmt.Sprintf("the allow-list's target rule %q does not exist", id), nearestRule(id, known))
			}
			known[j].allow = append(known[j].allow, a)
		}
	}
	return nil
}

func nearestRule(id string, known []*rule) string {
	names := make([]string, len(known))
	for i, r := range known {
		names[i] = r.name
	}
	if near := lookup.Nearest(id, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// require resolves [[rules.required]].
func (l *loader) require(u *userFile, known []*rule) error {
	for n := range u.toml.Rules {
		t := &u.toml.Rules[n]
		i := slices.IndexFunc(u.rules, func(r *rule) bool { return r.name == strings.TrimSpace(t.ID) })
		if i < 0 || len(t.Required) == 0 {
			continue
		}
		u.rules[i].required = nil
		for k, q := range t.Required {
			j := slices.IndexFunc(known, func(r *rule) bool { return r.name == q.ID || r.own && slices.Contains(r.info.Aliases, q.ID) })
			if j < 0 {
				return ruleError(u.path, u.index.line("rules", n, "required", k, "id"), fmt.Sprintf("rule %q requires %q, which does not exist", t.ID, q.ID), nearestRule(q.ID, known))
			}
			need := requirement{rule: known[j], lines: -1, columns: -1}
			if q.WithinLines != nil {
				need.lines = max(0, *q.WithinLines)
			}
			if q.WithinColumns != nil {
				need.columns = max(0, *q.WithinColumns)
			}
			u.rules[i].required = append(u.rules[i].required, need)
		}
	}
	return nil
}

// validate checks what can only be known after extending.
func (l *loader) validate(u *userFile) error {
	for n := range u.toml.Rules {
		t := &u.toml.Rules[n]
		i := slices.IndexFunc(u.rules, func(r *rule) bool { return r.name == strings.TrimSpace(t.ID) })
		if i < 0 {
			continue
		}
		r := u.rules[i]
		if r.re == nil && r.path == nil {
			return ruleError(u.path, u.index.line("rules", n), fmt.Sprintf("rule %q has neither regex nor path and would find nothing", r.name), "give it one of the two")
		}
		if r.re != nil && r.re.tree != nil && r.group > r.re.tree.MaxCap() || r.group < 0 {
			return ruleError(u.path, u.index.line("rules", n, "secretGroup"), fmt.Sprintf("rule %q: secretGroup is %d, but the expression has %d groups", r.name, r.group, r.re.tree.MaxCap()), "count the opening brackets of the expression")
		}
	}
	return nil
}

// detector makes the anchors of all rules and the prefilter.
func (l *loader) detector() *detector {
	d := &detector{rules: l.rules, sets: l.sets}
	for i, s := range d.sets {
		s.index = i
	}
	known := l.needles != nil
	var needles []needle
	var names []string
	bits := map[string]int{}
	for i, r := range d.rules {
		if r.re == nil {
			d.byPath = append(d.byPath, int32(i))
			names = append(names, "(?:"+r.path.src+")")
			continue
		}
		if !r.planned {
			r.plan()
		}
		for g := 0; g < len(r.groups) && !known; g++ {
			for _, n := range r.groups[g].needles {
				needles = append(needles, needle{text: n.text, targets: []needleTarget{{
					rule: int32(i), group: int16(g), off: int16(n.off), len: int16(n.len),
				}}})
			}
		}
		if len(r.groups) == 0 {
			d.whole = append(d.whole, int32(i))
		}
		if !r.keyed {
			continue
		}
		for _, k := range r.keywords {
			bit, ok := bits[k]
			if !ok {
				bit = len(bits)
				bits[k] = bit
				if len(k) >= 2 && !known {
					needles = append(needles, needle{text: k, targets: []needleTarget{{group: -1, bit: int16(bit)}}})
				}
			}
			if len(k) < 2 {
				bit = -1 - int(k[0]) // looked for by itself
			}
			r.keyBits = append(r.keyBits, bit)
		}
	}
	d.keyBits = len(bits)
	if len(names) > 0 {
		d.names = &pattern{src: strings.Join(names, "|")}
	}
	if known {
		d.pre = buildPrefilter(l.needles)
	} else {
		d.pre = newPrefilter(mergeNeedles(needles))
	}
	return d
}

// plan derives a rule's anchors.
func (r *rule) plan() {
	if r.re == nil {
		return
	}
	tree := r.re.tree
	if tree == nil {
		tree = mustParse(r.re.src)
	}
	r.minBytes, _ = lengths(tree)
	groups := planAnchors(tree, r.keywords)
	r.groups = make([]anchorRun, len(groups))
	for i := range groups {
		r.groups[i].anchorGroup = groups[i]
	}
	r.keyed = len(r.keywords) > 0 && !(len(groups) > 0 && impliesKeyword(groups, r.keywords))
	r.planned = true
}

// impliesKeyword reports whether every anchor holds one of the keywords, so that
// a match proves that the file has one.
func impliesKeyword(groups []anchorGroup, keywords []string) bool {
	for _, g := range groups {
		if !holdKeyword(g.needles, keywords) {
			return false
		}
	}
	return true
}

// holdKeyword reports whether each needle holds a keyword.
func holdKeyword(needles []needleText, keywords []string) bool {
	for _, n := range needles {
		if !slices.ContainsFunc(keywords, func(k string) bool { return strings.Contains(n.text, k) }) {
			return false
		}
	}
	return true
}
