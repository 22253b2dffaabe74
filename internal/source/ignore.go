package source

import (
	"fmt"
	"strings"
)

// Bounds of one ignore file. The longest ignore files in public repositories have
// a few thousand lines.
const (
	maxPatterns   = 20_000
	maxPatternLen = 1024
	// maxLiterals is how many plain names one pattern with small character
	// classes, such as [Dd]ebug, is spelled out into.
	maxLiterals = 16
)

// Problem is something wrong in an ignore file. Line 0 is the file as a whole.
type Problem struct {
	Line    int
	Message string
}

// Pattern is one line of an ignore file.
type Pattern struct {
	// Text is the line as written, without blanks at its end.
	Text string
	Line int
	// Dir is the folder that the file lies in, empty for the root.
	Dir string
	// Negated patterns, which begin with "!", include again.
	Negated bool

	onlyDir bool
	glob    []token
	// prefix and suffix are what every match begins and ends with.
	prefix, suffix string
}

// Ignore is one compiled ignore file, or a list of globs in the same syntax. It
// does not change after ParseIgnore and may be used concurrently.
//
// A path is looked up by its name, by its whole and by the end of its name in
// tables; only patterns that are true globs are tried one by one, and of those
// only the ones whose literal beginning and end fit.
type Ignore struct {
	base     string
	patterns []Pattern // the last match wins

	// entries are the patterns under each key of the tables, newest first.
	entries []ignoreEntry
	names   map[string]int32
	paths   map[string]int32 // relative to base
	ends    suffixTrie

	nameGlobs globList
	// pathGlobs by the first segment, where that is literal; key "" otherwise.
	pathGlobs map[string][]int32
}

// ignoreEntry is one pattern in a list that begins in a table.
type ignoreEntry struct{ pattern, next int32 }

const none = int32(-1)

// ParseIgnore compiles the bytes of a .gitignore file that lies in folder base
// (slash-separated, empty for the root), with the semantics of git 2.39. Patterns
// that cannot match anything and patterns over the length bound are left out and
// reported. A file with too many patterns is reported and ignores nothing, since
// half of it could ignore more than the whole.
func ParseIgnore(b []byte, base string) (*Ignore, []Problem) {
	ig := &Ignore{base: base}
	var problems []Problem
	text := strings.TrimPrefix(string(b), "\xef\xbb\xbf")
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00") // git's lines are C strings
		if line == "" || line[0] == '#' {
			continue
		}
		if line = trimBlanks(line); line == "" {
			continue
		}
		if len(line) > maxPatternLen {
			problems = append(problems, Problem{n, fmt.Sprintf("pattern of %d bytes is longer than %d and not used", len(line), maxPatternLen)})
			continue
		}
		if len(ig.patterns) == maxPatterns {
			return &Ignore{base: base}, append(problems, Problem{n, fmt.Sprintf("more than %d patterns; the file is not used", maxPatterns)})
		}
		if why := ig.add(Pattern{Text: line, Line: n, Dir: base}); why != "" {
			problems = append(problems, Problem{n, fmt.Sprintf("pattern %q matches nothing: %s", line, why)})
		}
	}
	return ig, problems
}

// trimBlanks cuts spaces at the end unless a backslash protects them.
func trimBlanks(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ' ':
			continue
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		end = i + 1
	}
	return s[:end]
}

// add compiles one pattern, or says why it can match nothing.
func (ig *Ignore) add(p Pattern) (why string) {
	s := p.Text
	s, p.Negated = strings.CutPrefix(s, "!")
	s, p.onlyDir = strings.CutSuffix(s, "/")
	anchored := strings.Contains(s, "/")
	s = strings.TrimPrefix(s, "/")
	if s == "" {
		return "it is empty"
	}
	glob, why := compileGlob(s, anchored)
	if why != "" {
		return why
	}
	if !anchored {
		// Without a slash the pattern is for names in any folder.
		glob = append([]token{{op: opFolders}, {op: opLoop}}, glob...)
	}
	index := int32(len(ig.patterns))
	floating := glob[0].op == opFolders
	rest := glob
	if floating {
		rest = glob[2:]
	}
	switch name, star := singleSegment(rest); {
	case floating && name && star:
		for _, s := range spell(rest[1:]) {
			ig.ends.add(s, ig.entry(index, ig.ends.get(s)))
		}
	case floating && name:
		if all := spell(rest); all != nil {
			for _, s := range all {
				put(&ig.names, s, ig, index)
			}
			break
		}
		p.glob = rest
		p.edges()
		ig.nameGlobs.add(index, p.prefix)
	default:
		if all := spell(glob); all != nil {
			for _, s := range all {
				put(&ig.paths, s, ig, index)
			}
			break
		}
		p.glob = glob
		p.edges()
		if ig.pathGlobs == nil {
			ig.pathGlobs = make(map[string][]int32)
		}
		key, _, found := strings.Cut(p.prefix, "/")
		if !found {
			key = ""
		}
		ig.pathGlobs[key] = append(ig.pathGlobs[key], index)
	}
	ig.patterns = append(ig.patterns, p)
	return ""
}

// singleSegment reports whether a glob speaks of one name only, and whether it is
// a star followed by plain characters.
func singleSegment(g []token) (name, star bool) {
	star = len(g) > 0 && g[0].op == opStar
	for i, t := range g {
		switch t.op {
		case opLiteral:
			if t.b == '/' {
				return false, false
			}
		case opClass:
		case opAny, opStar:
			star = star && i == 0
		default:
			return false, false
		}
	}
	return true, star && spell(g[1:]) != nil
}

// entry puts a pattern before the list that begins at next.
func (ig *Ignore) entry(pattern, next int32) int32 {
	ig.entries = append(ig.entries, ignoreEntry{pattern, next})
	return int32(len(ig.entries) - 1)
}

func put(m *map[string]int32, key string, ig *Ignore, pattern int32) {
	if *m == nil {
		*m = make(map[string]int32)
	}
	next, found := (*m)[key]
	if !found {
		next = none
	}
	(*m)[key] = ig.entry(pattern, next)
}

// spell returns the strings that a glob without wildcards stands for, nil if it
// has wildcards or stands for too many.
func spell(g []token) []string {
	n := 1
	for _, t := range g {
		switch t.op {
		case opLiteral:
		case opClass:
			if n *= t.set.count(); n == 0 || n > maxLiterals {
				return nil
			}
		default:
			return nil
		}
	}
	all := []string{""}
	for _, t := range g {
		if t.op == opLiteral {
			for i := range all {
				all[i] += string([]byte{t.b})
			}
			continue
		}
		var next []string
		for c := range 256 {
			if t.set.has(byte(c)) {
				for _, s := range all {
					next = append(next, s+string([]byte{byte(c)}))
				}
			}
		}
		all = next
	}
	return all
}

// edges fills prefix and suffix.
func (p *Pattern) edges() {
	i := 0
	for i < len(p.glob) && p.glob[i].op == opLiteral {
		i++
	}
	p.prefix = literals(p.glob[:i])
	i = len(p.glob)
	for i > 0 && p.glob[i-1].op == opLiteral {
		i--
	}
	p.suffix = literals(p.glob[i:])
}

func literals(g []token) string {
	b := make([]byte, len(g))
	for i, t := range g {
		b[i] = t.b
	}
	return string(b)
}

// globList holds patterns for names, by their first byte where that is literal.
type globList struct {
	first map[byte][]int32
	wild  []int32
}

func (l *globList) add(index int32, prefix string) {
	if prefix == "" {
		l.wild = append(l.wild, index)
		return
	}
	if l.first == nil {
		l.first = make(map[byte][]int32)
	}
	l.first[prefix[0]] = append(l.first[prefix[0]], index)
}

// suffixTrie finds which of many endings a name has, from its last byte on.
type suffixTrie struct {
	nodes []suffixNode
	last  map[byte]int32
}

type suffixNode struct {
	b              byte
	entry          int32
	child, sibling int32
}

func (t *suffixTrie) next(list int32, b byte) int32 {
	for list != none && t.nodes[list].b != b {
		list = t.nodes[list].sibling
	}
	return list
}

func (t *suffixTrie) node(s string, create bool) int32 {
	if t.last == nil {
		if !create {
			return none
		}
		t.last = make(map[byte]int32)
		t.nodes = []suffixNode{{entry: none, child: none, sibling: none}} // 0 is the empty ending
	}
	at := int32(0)
	for i := len(s) - 1; i >= 0; i-- {
		b := s[i]
		var to int32
		if at == 0 {
			var found bool
			if to, found = t.last[b]; !found {
				to = none
			}
		} else {
			to = t.next(t.nodes[at].child, b)
		}
		if to == none {
			if !create {
				return none
			}
			to = int32(len(t.nodes))
			n := suffixNode{b: b, entry: none, child: none, sibling: none}
			if at == 0 {
				t.last[b] = to
			} else {
				n.sibling = t.nodes[at].child
				t.nodes[at].child = to
			}
			t.nodes = append(t.nodes, n)
		}
		at = to
	}
	return at
}

func (t *suffixTrie) get(s string) int32 {
	if n := t.node(s, false); n != none {
		return t.nodes[n].entry
	}
	return none
}

func (t *suffixTrie) add(s string, entry int32) { t.nodes[t.node(s, true)].entry = entry }

// newest returns the newer of best and the newest pattern of a list that fits.
func (ig *Ignore) newest(list, best int32, isDir bool) int32 {
	for ; list != none; list = ig.entries[list].next {
		p := ig.entries[list].pattern
		if p <= best {
			return best
		}
		if isDir || !ig.patterns[p].onlyDir {
			return p
		}
	}
	return best
}

// globs is newest for patterns that must be tried.
func (ig *Ignore) globs(list []int32, best int32, s string, isDir bool, work *int64) int32 {
	for i := len(list) - 1; i >= 0 && list[i] > best; i-- {
		p := &ig.patterns[list[i]]
		if p.onlyDir && !isDir || !strings.HasSuffix(s, p.suffix) || !strings.HasPrefix(s, p.prefix) {
			continue
		}
		if matchGlob(p.glob, s, work) {
			return list[i]
		}
	}
	return best
}

// find returns the pattern that decides about a path on its own, whatever stands
// above it; nil if none does. The path is relative to the root, not to base.
func (ig *Ignore) find(path string, isDir bool, work *int64) *Pattern {
	if len(ig.patterns) == 0 {
		return nil
	}
	rel := path
	if ig.base != "" {
		if len(path) <= len(ig.base) || path[len(ig.base)] != '/' || path[:len(ig.base)] != ig.base {
			return nil
		}
		rel = path[len(ig.base)+1:]
	}
	name := rel[strings.LastIndexByte(rel, '/')+1:]
	if name == "" {
		return nil
	}
	best := none
	if ig.names != nil {
		if list, found := ig.names[name]; found {
			best = ig.newest(list, best, isDir)
		}
	}
	if ig.paths != nil {
		if list, found := ig.paths[rel]; found {
			best = ig.newest(list, best, isDir)
		}
	}
	if t := &ig.ends; t.last != nil {
		best = ig.newest(t.nodes[0].entry, best, isDir)
		if at, found := t.last[name[len(name)-1]]; found {
			for i := len(name) - 1; ; {
				best = ig.newest(t.nodes[at].entry, best, isDir)
				if i--; i < 0 {
					break
				}
				if at = t.next(t.nodes[at].child, name[i]); at == none {
					break
				}
			}
		}
	}
	if ig.nameGlobs.first != nil {
		best = ig.globs(ig.nameGlobs.first[name[0]], best, name, isDir, work)
	}
	best = ig.globs(ig.nameGlobs.wild, best, name, isDir, work)
	if ig.pathGlobs != nil {
		best = ig.globs(ig.pathGlobs[""], best, rel, isDir, work)
		if i := strings.IndexByte(rel, '/'); i > 0 {
			best = ig.globs(ig.pathGlobs[rel[:i]], best, rel, isDir, work)
		}
	}
	if best == none {
		return nil
	}
	return &ig.patterns[best]
}

// Find returns the pattern that decides about a path, and whether the path is
// ignored; nil if no pattern speaks of it. A path below an ignored folder is
// ignored by the pattern of that folder and cannot be included again. The path is
// slash-separated and relative to the root. Nothing is allocated.
func (ig *Ignore) Find(path string, isDir bool) (p *Pattern, ignored bool) {
	if len(ig.patterns) == 0 {
		return nil, false
	}
	var work int64 // not bounded: one file, which a user may have written
	for i := len(ig.base) + 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if p := ig.find(path[:i], true, &work); p != nil && !p.Negated {
			return p, true
		}
	}
	if p = ig.find(path, isDir, &work); p == nil {
		return nil, false
	}
	return p, !p.Negated
}

// Match reports whether a path is ignored, and the text of the pattern that says
// so.
func (ig *Ignore) Match(path string, isDir bool) (ignored bool, pattern string) {
	return verdict(ig.Find(path, isDir))
}

func verdict(p *Pattern, ignored bool) (bool, string) {
	if !ignored {
		return false, ""
	}
	return true, p.Text
}

// Ignores are the ignore files that hold at one place of a walk: a stack, the
// root's first. The zero value ignores nothing. It remembers the folder that it
// was last asked about, so it is for one goroutine.
type Ignores struct {
	stack []*Ignore
	// dir is the folder of the last path, and by the pattern that ignores it or a
	// folder above it.
	dir   string
	known bool
	by    *Pattern
	// work is minus the steps that were used up.
	work int64
}

// globWork is how many steps the globs of a walk may take beyond those of
// ordinary ones: some seconds.
const globWork = 1 << 29

// Overrun reports whether globs made to be slow have used up what a walk may
// spend on them. From then on nothing is ignored, so more is scanned.
func (s *Ignores) Overrun() bool { return s.work < -globWork }

// Push adds the ignore file of a folder, which lies in or is the folder of the
// file below it on the stack. What has the least weight, .git/info/exclude or the
// user's own file, is pushed first, with the folder "".
func (s *Ignores) Push(dir string, file []byte) []Problem {
	ig, problems := ParseIgnore(file, dir)
	s.stack = append(s.stack, ig)
	s.known = false
	return problems
}

// Pop removes the file that was pushed last.
func (s *Ignores) Pop() {
	s.stack = s.stack[:len(s.stack)-1]
	s.known = false
}

// Find is like Ignore.Find for all files of the stack: deeper files outweigh
// those above them.
func (s *Ignores) Find(path string, isDir bool) (p *Pattern, ignored bool) {
	if len(s.stack) == 0 || s.Overrun() {
		return nil, false
	}
	dir := ""
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		dir = path[:i]
	}
	if !s.known || s.dir != dir {
		s.dir, s.known, s.by = dir, true, s.above(dir)
	}
	if s.by != nil {
		return s.by, true
	}
	if p = s.find(path, isDir); p == nil {
		return nil, false
	}
	return p, !p.Negated
}

// Match reports whether a path is ignored, and the text of the pattern that says
// so.
func (s *Ignores) Match(path string, isDir bool) (ignored bool, pattern string) {
	return verdict(s.Find(path, isDir))
}

// above returns the pattern that ignores a folder or the outermost folder above
// it that is ignored.
func (s *Ignores) above(dir string) *Pattern {
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if p := s.find(dir[:i], true); p != nil && !p.Negated {
			return p
		}
	}
	return nil
}

func (s *Ignores) find(path string, isDir bool) *Pattern {
	for i := len(s.stack) - 1; i >= 0; i-- {
		if p := s.stack[i].find(path, isDir, &s.work); p != nil {
			return p
		}
	}
	return nil
}
