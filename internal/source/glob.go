package source

import "math/bits"

// The globs of git, as its wildmatch.c understands them with WM_PATHNAME:
//
//	?      one byte, no slash
//	*      any bytes, no slash
//	[a-z]  one byte of a set, no slash; [!a] and [^a] negate; [[:digit:]]
//	**/    at the start or after a slash: any number of folders, also none
//	/**    at the end: everything below
//	\x     x
//
// Other runs of stars are one star. As in git, "**" that is the first wildcard of
// a pattern counts as standing after a slash even where it does not.

type globOp uint8

const (
	opLiteral globOp = iota
	opAny            // one byte but no slash
	opClass
	opStar    // any bytes but no slash
	opAll     // any bytes
	opFolders // nothing, or any bytes and then a slash; opLoop follows
	opLoop    // the bytes of opFolders
)

type token struct {
	op  globOp
	b   byte
	set *byteSet
}

type byteSet [4]uint64

func (s *byteSet) add(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s[c>>6] |= 1 << (c & 63)
	}
}

func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *byteSet) count() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

func special(c byte) bool { return c == '*' || c == '?' || c == '[' || c == '\\' }

// compileGlob compiles a pattern for whole paths or, with deep false, for names; or
// it says why the pattern can match nothing.
func compileGlob(s string, deep bool) (g []token, why string) {
	first := 0
	for first < len(s) && !special(s[first]) {
		first++
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i++; i == len(s) {
				return nil, "it ends in a backslash"
			}
			g = append(g, token{op: opLiteral, b: s[i]})
		case '?':
			g = append(g, token{op: opAny})
		case '*':
			start := i
			for i+1 < len(s) && s[i+1] == '*' {
				i++
			}
			rest := s[i+1:]
			switch {
			case !deep || i == start || start != first && s[start-1] != '/':
				g = append(g, token{op: opStar})
			case rest == "" || len(rest) > 1 && rest[:2] == `\/`:
				g = append(g, token{op: opAll})
			case rest[0] == '/':
				g = append(g, token{op: opFolders}, token{op: opLoop})
				i++
			default:
				g = append(g, token{op: opStar})
			}
		case '[':
			set, n := compileClass(s[i+1:])
			if n == 0 {
				return nil, "a [ is not closed, or holds an unknown class"
			}
			set[0] &^= 1 << '/' // a slash is matched by a slash only
			g = append(g, token{op: opClass, set: set})
			i += n
		default:
			g = append(g, token{op: opLiteral, b: c})
		}
	}
	return g, ""
}

// compileClass compiles what follows an opening bracket and returns how many
// bytes it took, 0 if it is malformed. The order of the cases is git's.
func compileClass(s string) (*byteSet, int) {
	set := new(byteSet)
	i := 0
	at := func(i int) byte { // 0 is the end, as in C
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	negated := at(0) == '!' || at(0) == '^'
	if negated {
		i++
	}
	prev := byte(0)
	for {
		c := at(i)
		switch {
		case c == 0:
			return nil, 0
		case c == '\\':
			i++
			if c = at(i); c == 0 {
				return nil, 0
			}
			set.add(c, c)
		case c == '-' && prev != 0 && at(i+1) != 0 && at(i+1) != ']':
			i++
			if c = at(i); c == '\\' {
				i++
				if c = at(i); c == 0 {
					return nil, 0
				}
			}
			if prev <= c {
				set.add(prev, c)
			}
			c = 0
		case c == '[' && at(i+1) == ':':
			end := i + 2
			for at(end) != 0 && at(end) != ']' {
				end++
			}
			if at(end) == 0 {
				return nil, 0
			}
			if end == i+2 || at(end-1) != ':' {
				set.add('[', '[') // no ":]", so an ordinary character
				break
			}
			if end-1 < i+2 || !set.addNamed(s[i+2:end-1]) {
				return nil, 0
			}
			i, c = end, 0
		default:
			set.add(c, c)
		}
		prev = c
		i++
		if at(i) == ']' {
			break
		}
	}
	if negated {
		for j := range set {
			set[j] = ^set[j]
		}
		set[0] &^= 1 // no path holds NUL
	}
	return set, i + 1
}

// addNamed adds a POSIX class in the C locale.
func (s *byteSet) addNamed(name string) bool {
	switch name {
	case "alnum":
		s.add('0', '9')
		s.add('A', 'Z')
		s.add('a', 'z')
	case "alpha":
		s.add('A', 'Z')
		s.add('a', 'z')
	case "blank":
		s.add(' ', ' ')
		s.add('\t', '\t')
	case "cntrl":
		s.add(0, 0x1f)
		s.add(0x7f, 0x7f)
	case "digit":
		s.add('0', '9')
	case "graph":
		s.add(0x21, 0x7e)
	case "lower":
		s.add('a', 'z')
	case "print":
		s.add(0x20, 0x7e)
	case "punct":
		s.add(0x21, 0x2f)
		s.add(0x3a, 0x40)
		s.add(0x5b, 0x60)
		s.add(0x7b, 0x7e)
	case "space":
		s.add('\t', '\r')
		s.add(' ', ' ')
	case "upper":
		s.add('A', 'Z')
	case "xdigit":
		s.add('0', '9')
		s.add('A', 'F')
		s.add('a', 'f')
	default:
		return false
	}
	return true
}

// globSteps is how many steps the backtracking matcher may take before the one
// without backtracking takes over.
const globSteps = 2048

// freeSteps is what a glob that nobody made to be slow may take.
const freeSteps = 256

// matchGlob reports whether a glob matches all of s. It allocates nothing. It takes
// at most globSteps + len(s) * len(g) steps; what it took beyond freeSteps is
// taken off work.
//
// Going back to the last star is enough: a star cannot cross a slash, so the
// slashes between two stars fix where the second one's segment begins, and the
// last opAll or opFolders can take whatever an earlier one could have left.
func matchGlob(g []token, s string, work *int64) bool {
	match, steps := backtrackGlob(g, s)
	if steps >= globSteps {
		var more int
		match, more = simulateGlob(g, s)
		steps += more
	}
	if steps > freeSteps {
		*work -= int64(steps - freeSteps)
	}
	return match
}

func backtrackGlob(g []token, s string) (match bool, steps int) {
	i, j := 0, 0
	star, starAt := -1, 0
	deep, deepAt := -1, 0
	for ; steps < globSteps; steps++ {
		if i == len(g) {
			if j == len(s) {
				return true, steps
			}
		} else {
			ok := false
			switch t := &g[i]; t.op {
			case opLiteral:
				ok = j < len(s) && s[j] == t.b
			case opAny:
				ok = j < len(s) && s[j] != '/'
			case opClass:
				ok = j < len(s) && t.set.has(s[j])
			case opStar:
				star, starAt = i, j
				i++
				continue
			case opAll:
				deep, deepAt, star = i, j, -1
				i++
				continue
			case opFolders:
				deep, deepAt, star = i, j, -1
				i += 2
				continue
			}
			if ok {
				i++
				j++
				continue
			}
		}
		if star >= 0 && starAt < len(s) && s[starAt] != '/' {
			starAt++
			i, j = star+1, starAt
			continue
		}
		star = -1
		if deep < 0 {
			return false, steps
		}
		if g[deep].op == opFolders {
			for deepAt < len(s) && s[deepAt] != '/' {
				deepAt++
			}
			i = deep + 2
		} else {
			i = deep + 1
		}
		if deepAt == len(s) {
			return false, steps
		}
		deepAt++
		j = deepAt
	}
	return false, steps
}

// simulateGlob is matchGlob as a set of states that moves along s.
func simulateGlob(g []token, s string) (match bool, steps int) {
	// A token takes at least one byte of the pattern, but for the two that a name
	// pattern gets in front.
	var now, next [(maxPatternLen+2)/64 + 1]uint64
	words := len(g)/64 + 1
	enter := func(set []uint64, i int) { // with all that follows without a byte
		for {
			set[i>>6] |= 1 << (i & 63)
			if i == len(g) {
				return
			}
			switch g[i].op {
			case opStar, opAll:
				i++
			case opFolders:
				set[(i+1)>>6] |= 1 << ((i + 1) & 63)
				i += 2
			default:
				return
			}
		}
	}
	enter(now[:], 0)
	for j := 0; j < len(s); j++ {
		c := s[j]
		clear(next[:words])
		any := false
		for w := range words {
			for set := now[w]; set != 0; set &= set - 1 {
				i := w<<6 + bits.TrailingZeros64(set)
				if i == len(g) {
					continue
				}
				steps++
				to := -1
				switch t := &g[i]; t.op {
				case opLiteral:
					if c == t.b {
						to = i + 1
					}
				case opAny:
					if c != '/' {
						to = i + 1
					}
				case opClass:
					if t.set.has(c) {
						to = i + 1
					}
				case opStar:
					if c != '/' {
						to = i
					}
				case opAll:
					to = i
				case opLoop:
					next[i>>6] |= 1 << (i & 63)
					any = true
					if c == '/' {
						to = i + 1
					}
				}
				if to >= 0 {
					enter(next[:], to)
					any = true
				}
			}
		}
		if !any {
			return false, steps
		}
		now, next = next, now
	}
	return now[len(g)>>6]&(1<<(len(g)&63)) != 0, steps
}
