package secrets

import (
	"bytes"
	"regexp/syntax"
	"strings"
	"sync"

	"penstock"
)

// rule is one rule, ready to run. It does not change after loading, except that
// its expressions are compiled when they are first needed.
type rule struct {
	info penstock.Rule
	name string // the id without its engine, as a rule file writes it
	desc string
	own  bool // built in
	// generic rules yield to the others.
	generic bool

	re        *pattern // nil for a rule on paths alone
	path      *pattern // nil for every path
	group     int
	entropy   float64
	keywords  []string
	check     Check
	checkName string
	allow     []*allowlist
	set       *ruleSet
	required  []requirement
	// silent rules are not reported; others require them.
	silent bool
	// dropped rules were disabled or replaced by a file that extends theirs.
	dropped bool
	// needed says that some rule requires this one.
	needed bool

	// How it is found; see plan.
	planned bool
	groups  []anchorRun
	filters sync.Once // see prepare
	// keyed says that the keywords must be looked for in the file, as a match
	// need not hold one.
	keyed    bool
	keyBits  []int
	minBytes int // of a match
}

type requirement struct {
	rule           *rule
	lines, columns int // -1 for anywhere in the file
}

// ruleSet is the rules that share global allow-lists: the built-in ones, or those
// of one file.
type ruleSet struct {
	index  int
	global []*allowlist
}

// anchorRun is a group of anchors at work.
type anchorRun struct {
	anchorGroup
	filter *dfa
	// next are the characters of ASCII that may follow the literal.
	next [2]uint64
}

// pattern is an expression that is compiled on first use.
type pattern struct {
	src  string
	tree *syntax.Regexp // dropped once compiled
	once sync.Once
	p    *prog
}

func (p *pattern) get() *prog {
	p.once.Do(func() {
		re := p.tree
		if re == nil {
			re = mustParse(p.src)
		}
		p.p, p.tree = mustCompile(re), nil
	})
	return p.p
}

// mustParse parses what has been parsed before.
func mustParse(src string) *syntax.Regexp {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		panic("secrets: an expression that was checked does not parse: " + err.Error())
	}
	return re
}

func mustCompile(re *syntax.Regexp) *prog {
	p, err := compile(re)
	if err != nil {
		panic("secrets: a parsed expression does not compile: " + err.Error())
	}
	return p
}

// allowlist says what is no secret after all.
type allowlist struct {
	and     bool // all conditions, not any
	commits bool // has commits
	ids     map[string]bool
	paths   *pattern
	regexes *pattern
	target  target
	stop    *wordSet
}

// target is what an allow-list's expressions look at.
type target uint8

const (
	targetSecret target = iota
	targetMatch
	targetLine
)

// joinPatterns makes one expression of several, exactly as gitleaks does: without
// grouping them, so that a flag set in one holds for all after it.
func joinPatterns(patterns []string) string {
	return "(?:" + strings.Join(patterns, "|") + ")"
}

// allowsPath reports whether the list exempts a whole file.
func (a *allowlist) allowsPath(path []byte, commit string, t *tracer) bool {
	if a.and {
		return a.regexes == nil && a.stop == nil && (a.paths != nil || a.commits) &&
			(!a.commits || a.ids[commit]) && (a.paths == nil || a.paths.get().matches(path, t))
	}
	return a.ids[commit] || a.paths != nil && a.paths.get().matches(path, t)
}

// allows reports whether the list exempts a finding. line is asked for only if
// it is looked at.
func (a *allowlist) allows(secret, match []byte, line func() []byte, path []byte, commit string, t *tracer) bool {
	text := secret
	switch a.target {
	case targetMatch:
		text = match
	case targetLine:
		text = line()
	}
	if a.and {
		return (!a.commits || a.ids[commit]) &&
			(a.paths == nil || a.paths.get().matches(path, t)) &&
			(a.regexes == nil || len(text) > 0 && a.regexes.get().matches(text, t)) &&
			(a.stop == nil || a.stop.in(secret))
	}
	return a.stop != nil && a.stop.in(secret) ||
		a.regexes != nil && len(text) > 0 && a.regexes.get().matches(text, t)
}

// wordSet finds words in short texts, in any case.
type wordSet struct {
	words []string
	// What follows is made when it is first needed: few scans need it.
	once sync.Once
	// heads has a bit for each pair of bytes that starts a word.
	heads [1024]uint64
	// byHead lists the words by their first two bytes; single holds the shorter.
	byHead map[uint16][]string
	single []string
}

func newWordSet(words []string) *wordSet { return &wordSet{words: words} }

func (s *wordSet) prepare() {
	s.byHead = map[uint16][]string{}
	for _, w := range s.words {
		w = strings.ToLower(w)
		if len(w) < 2 {
			s.single = append(s.single, w)
			continue
		}
		h := uint16(w[0])<<8 | uint16(w[1])
		s.heads[h>>6] |= 1 << (h & 63)
		s.byHead[h] = append(s.byHead[h], w)
	}
}

// in reports whether text, lower-cased, holds a word of the set.
func (s *wordSet) in(text []byte) bool {
	s.once.Do(s.prepare)
	low := text
	for i, c := range text {
		if c >= 0x80 {
			low = bytes.ToLower(text)
			break
		}
		if lower[c] != c && &low[0] == &text[0] {
			low = bytes.Clone(text)
		}
		if lower[c] != c {
			low[i] = lower[c]
		}
	}
	for _, w := range s.single {
		if bytes.Contains(low, []byte(w)) {
			return true
		}
	}
	for i := 0; i+1 < len(low); i++ {
		h := uint16(low[i])<<8 | uint16(low[i+1])
		if s.heads[h>>6]>>(h&63)&1 == 0 {
			continue
		}
		for _, w := range s.byHead[h] {
			if len(w) <= len(low)-i && string(low[i:i+len(w)]) == w {
				return true
			}
		}
	}
	return false
}
