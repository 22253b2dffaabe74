package secrets

import (
	"math/bits"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// An anchor plan says at which literals in a text a regular expression has to
// be tried. Every match holds one of the literals of one of the groups, so that
// a text without them needs no look at all. It is derived from the syntax tree
// alone: what the tree does not prove is not assumed, and an expression without
// a usable literal has no plan and is searched for over the whole text.
type anchorGroup struct {
	// needles are lower-case texts to look for, whatever their case. The literal
	// of the expression stands at off in each; a needle may be longer than it by
	// a neighbouring character.
	needles []needleText
	// The literal starts at least preMin and at most preMax bytes after the
	// match does; preMax < 0 is without bound. All of these bytes are in preSet.
	preMin, preMax int
	preSet         [4]uint64
	// lead are the assertions that must hold at the literal's start, where that is
	// the match's, too.
	lead syntax.EmptyOp
	// rest is what must follow the literal.
	rest []*syntax.Regexp
}

type needleText struct {
	text     string
	off, len int // the literal is text[off:off+len]
}

const (
	maxLiterals   = 96   // literals of one group
	maxLiteralLen = 32   // bytes of one literal
	maxPiece      = 24   // characters of a piece of a longer one
	maxExpand     = 64   // characters of a class that lengthens a short literal
	maxDensity    = 0.02 // expected anchors a byte, above which a search is cheaper
	minDensity    = 1e-5 // below which an anchor costs nothing that could be saved
)

// planAnchors derives the anchors of re, or nil if it has none. It favours those
// that hold one of the keywords, which then need not be looked for.
func planAnchors(re *syntax.Regexp, keywords []string) []anchorGroup {
	list := flatten(nil, stripCaptures(re))
	gs, cost := groupsOf(list, prefix{}, nil, keywords)
	if cost >= impossible {
		return nil
	}
	var sum float64
	for _, g := range gs {
		sum += density(g.needles)
	}
	if sum > maxDensity {
		return nil
	}
	return gs
}

// stripCaptures copies the tree without its groups.
func stripCaptures(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpCapture {
		return stripCaptures(re.Sub[0])
	}
	if len(re.Sub) == 0 {
		return re
	}
	c := *re
	c.Sub = make([]*syntax.Regexp, len(re.Sub))
	for i, s := range re.Sub {
		c.Sub[i] = stripCaptures(s)
	}
	return &c
}

// flatten appends the elements of nested concatenations.
func flatten(list []*syntax.Regexp, re *syntax.Regexp) []*syntax.Regexp {
	if re.Op == syntax.OpLiteral {
		// Long literals in pieces, so that each is a usable one.
		for runes := re.Rune; ; runes = runes[maxPiece:] {
			if len(runes) <= maxPiece {
				return append(list, &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: runes})
			}
			list = append(list, &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: runes[:maxPiece]})
		}
	}
	if re.Op != syntax.OpConcat {
		return append(list, re)
	}
	for _, s := range re.Sub {
		list = flatten(list, s)
	}
	return list
}

// prefix sums up what may stand between the start of a match and a place in it.
type prefix struct {
	min, max int // max < 0 is without bound
	set      [4]uint64
	lead     syntax.EmptyOp // at the place itself, while max is 0
}

func (p prefix) then(re *syntax.Regexp) prefix {
	lo, hi := lengths(re)
	p.min += lo
	if hi < 0 || p.max < 0 {
		p.max = -1
	} else {
		p.max += hi
	}
	addBytes(&p.set, re)
	switch {
	case p.max != 0:
		p.lead = 0
	case re.Op == syntax.OpBeginLine:
		p.lead |= syntax.EmptyBeginLine
	case re.Op == syntax.OpBeginText:
		p.lead |= syntax.EmptyBeginText
	case re.Op == syntax.OpWordBoundary:
		p.lead |= syntax.EmptyWordBoundary
	case re.Op == syntax.OpNoWordBoundary:
		p.lead |= syntax.EmptyNoWordBoundary
	}
	return p
}

// impossible is the cost of what has no anchor.
const impossible = 1e9

// groupsOf finds the cheapest anchors of a concatenation. rest follows it.
func groupsOf(list []*syntax.Regexp, pre prefix, rest []*syntax.Regexp, keywords []string) ([]anchorGroup, float64) {
	var best []anchorGroup
	cost := float64(impossible)
	take := func(gs []anchorGroup, c float64) {
		if c < cost {
			best, cost = gs, c
		}
	}
	sets := make([][]string, len(list))
	for i, re := range list {
		sets[i] = exactSet(re)
	}
	pres := make([]prefix, len(list)+1)
	pres[0] = pre
	for i := range list {
		pres[i+1] = pres[i].then(list[i])
	}
	for i := range list {
		pre := pres[i]
		if sets[i] != nil {
			run := []string{""}
			for j := i; j < len(list) && sets[j] != nil; j++ {
				if run = product(run, sets[j]); run == nil {
					break
				}
				ns := needlesOf(run, list, i, j)
				c := density(ns)
				c = max(c, minDensity) + c/1000
				switch {
				case pre.max < 0 && bits.OnesCount64(pre.set[0])+bits.OnesCount64(pre.set[1]) > 120:
					c *= 1e5 // a match may have begun anywhere before
				case pre.max < 0:
					c *= 16
				case pre.max > 0:
					c *= 4 + float64(pre.max)/50
				}
				if len(keywords) > 0 && !holdKeyword(ns, keywords) {
					c *= 20
				}
				if c < cost {
					g := anchorGroup{needles: ns, preMin: pre.min, preMax: pre.max, preSet: pre.set, lead: pre.lead}
					g.rest = append(slices.Clone(list[j+1:]), rest...)
					take([]anchorGroup{g}, c)
				}
			}
		} else {
			after := append(slices.Clone(list[i+1:]), rest...)
			take(groupsIn(list[i], nil, pre, after, keywords))
			// The literals before an alternation lengthen those in it.
			k := i
			for k > 0 && sets[k-1] != nil && i-k < 3 {
				k--
			}
			if k < i && list[i].Op == syntax.OpAlternate {
				take(groupsIn(list[i], list[k:i], pres[k], after, keywords))
			}
		}
	}
	return best, cost
}

// groupsIn finds the anchors within one element that is no finite set. lead
// stands before it, if it is an alternation.
func groupsIn(re *syntax.Regexp, lead []*syntax.Regexp, pre prefix, rest []*syntax.Regexp, keywords []string) ([]anchorGroup, float64) {
	switch re.Op {
	case syntax.OpConcat:
		return groupsOf(flatten(nil, re), pre, rest, keywords)
	case syntax.OpAlternate:
		var all []anchorGroup
		var sum float64
		for _, s := range re.Sub {
			gs, c := groupsOf(flatten(slices.Clone(lead), s), pre, rest, keywords)
			if sum += c; sum >= impossible {
				return nil, impossible
			}
			all = append(all, gs...)
		}
		return all, sum
	case syntax.OpPlus:
		more := &syntax.Regexp{Op: syntax.OpStar, Flags: re.Flags, Sub: re.Sub}
		return groupsOf(flatten(nil, re.Sub[0]), pre, append([]*syntax.Regexp{more}, rest...), keywords)
	case syntax.OpRepeat:
		if re.Min < 1 {
			return nil, impossible
		}
		more := &syntax.Regexp{Op: syntax.OpRepeat, Flags: re.Flags, Sub: re.Sub, Min: re.Min - 1, Max: re.Max}
		if re.Max > 0 {
			more.Max--
		}
		if more.Max == 0 {
			more = &syntax.Regexp{Op: syntax.OpEmptyMatch}
		}
		return groupsOf(flatten(nil, re.Sub[0]), pre, append([]*syntax.Regexp{more}, rest...), keywords)
	}
	return nil, impossible
}

// exactSet lists the lower-cased texts that re matches, if they are few.
func exactSet(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r >= utf8.RuneSelf && re.Flags&syntax.FoldCase != 0 {
				return nil
			}
		}
		s := lowerASCII(string(re.Rune))
		if len(s) > maxLiteralLen {
			return nil
		}
		return []string{s}
	case syntax.OpCharClass:
		cs := classChars(re, 4)
		if cs == nil {
			return nil
		}
		set := make([]string, len(cs))
		for i, c := range cs {
			set[i] = string(rune(c))
		}
		return set
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText,
		syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpConcat:
		set := []string{""}
		for _, s := range re.Sub {
			sub := exactSet(s)
			if sub == nil {
				return nil
			}
			if set = product(set, sub); set == nil {
				return nil
			}
		}
		return set
	case syntax.OpAlternate:
		var set []string
		for _, s := range re.Sub {
			sub := exactSet(s)
			if sub == nil || len(set)+len(sub) > maxLiterals {
				return nil
			}
			set = append(set, sub...)
		}
		return unique(set)
	case syntax.OpQuest:
		sub := exactSet(re.Sub[0])
		if sub == nil {
			return nil
		}
		return unique(append(slices.Clone(sub), ""))
	case syntax.OpRepeat:
		if re.Min != re.Max || re.Min > 4 {
			return nil
		}
		sub := exactSet(re.Sub[0])
		set := []string{""}
		for range re.Min {
			if sub == nil || set == nil {
				return nil
			}
			set = product(set, sub)
		}
		return set
	}
	return nil
}

// product joins each of a with each of b, or nil if that is too many.
func product(a, b []string) []string {
	if len(a)*len(b) > maxLiterals {
		return nil
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			if len(x)+len(y) > maxLiteralLen {
				return nil
			}
			out = append(out, x+y)
		}
	}
	return unique(out)
}

func unique(set []string) []string {
	slices.Sort(set)
	return slices.Compact(set)
}

// needlesOf makes needles of the literals of list[i..j], longer by a neighbour
// where one is too short for the prefilter.
func needlesOf(lits []string, list []*syntax.Regexp, i, j int) []needleText {
	short := false
	for _, l := range lits {
		short = short || len(l) < 3
	}
	plain := make([]needleText, len(lits))
	for k, l := range lits {
		plain[k] = needleText{l, 0, len(l)}
	}
	if !short {
		return plain
	}
	best := plain
	if j+1 < len(list) {
		if cs := headChars(list[j+1]); cs != nil {
			var ns []needleText
			for _, l := range lits {
				for _, c := range cs {
					ns = append(ns, needleText{l + string(rune(c)), 0, len(l)})
				}
			}
			if density(ns) < density(best) {
				best = ns
			}
		}
	}
	if i > 0 {
		if cs := headChars(list[i-1]); cs != nil && fixedOne(list[i-1]) {
			var ns []needleText
			for _, l := range lits {
				for _, c := range cs {
					ns = append(ns, needleText{string(rune(c)) + l, 1, len(l)})
				}
			}
			if density(ns) < density(best) {
				best = ns
			}
		}
	}
	return best
}

// headChars lists the characters of which one must stand first in re.
func headChars(re *syntax.Regexp) []byte {
	switch re.Op {
	case syntax.OpCharClass:
		return classChars(re, maxExpand)
	case syntax.OpPlus:
		return headChars(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return headChars(re.Sub[0])
		}
	}
	return nil
}

// fixedOne reports whether re ends with one character of its headChars: true for
// a class and for a repeated class.
func fixedOne(re *syntax.Regexp) bool {
	for re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Min > 0 {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpCharClass
}

// The two runes beyond ASCII that fold to an ASCII letter. A class made
// case-insensitive holds them; as part of a credential or its name they are not
// looked for.
const (
	longS      = 'ſ'
	kelvinSign = '\u212a'
)

// classChars lists the lower-cased characters of a class of ASCII, if they are
// at most limit.
func classChars(re *syntax.Regexp, limit int) []byte {
	var cs []byte
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if r == longS || r == kelvinSign {
				continue
			}
			if r >= utf8.RuneSelf {
				return nil
			}
			c := lower[byte(r)]
			if !slices.Contains(cs, c) {
				if cs = append(cs, c); len(cs) > limit {
					return nil
				}
			}
		}
	}
	slices.Sort(cs)
	return cs
}

// lengths is the least and the greatest number of bytes that re matches;
// the greatest is -1 where there is none.
func lengths(re *syntax.Regexp) (lo, hi int) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			n := utf8.RuneLen(r)
			if re.Flags&syntax.FoldCase != 0 {
				lo++
				hi += utf8.UTFMax
				continue
			}
			if n < 0 || r == utf8.RuneError {
				lo++ // an invalid byte reads as U+FFFD
				hi += utf8.UTFMax
				continue
			}
			lo += n
			hi += n
		}
		return lo, hi
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return 0, 0
		}
		hi = 1
		for i := 1; i < len(re.Rune); i += 2 {
			if r := re.Rune[i]; r >= utf8.RuneSelf && !(re.Rune[i-1] == r && (r == longS || r == kelvinSign)) {
				hi = utf8.UTFMax
			}
		}
		return 1, hi
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, utf8.UTFMax
	case syntax.OpCapture:
		return lengths(re.Sub[0])
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		lo, _ = lengths(re.Sub[0])
		return lo, -1
	case syntax.OpQuest:
		_, hi = lengths(re.Sub[0])
		return 0, hi
	case syntax.OpRepeat:
		lo, hi = lengths(re.Sub[0])
		lo *= re.Min
		if re.Max < 0 || hi < 0 {
			return lo, -1
		}
		return lo, hi * re.Max
	case syntax.OpConcat:
		for _, s := range re.Sub {
			l, h := lengths(s)
			lo += l
			if h < 0 || hi < 0 {
				hi = -1
			} else {
				hi += h
			}
		}
		return lo, hi
	case syntax.OpAlternate:
		for i, s := range re.Sub {
			l, h := lengths(s)
			if i == 0 || l < lo {
				lo = l
			}
			if h < 0 || hi < 0 {
				hi = -1
			} else {
				hi = max(hi, h)
			}
		}
		return lo, hi
	}
	return 0, 0
}

// addBytes adds every byte that a match of re can hold.
func addBytes(set *[4]uint64, re *syntax.Regexp) {
	add := func(lo, hi rune) {
		if hi >= utf8.RuneSelf {
			set[2], set[3] = ^uint64(0), ^uint64(0)
			hi = utf8.RuneSelf - 1
		}
		for r := lo; r <= hi; r++ {
			set[r>>6] |= 1 << uint(r&63)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			add(r, r)
			if re.Flags&syntax.FoldCase != 0 {
				add(0, 0x10FFFF)
			}
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			add(re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		add(0, 0x10FFFF)
	default:
		for _, s := range re.Sub {
			addBytes(set, s)
		}
	}
}

// density estimates how many of the needles a byte of source text starts.
func density(ns []needleText) float64 {
	var sum float64
	for _, n := range ns {
		if len(n.text) < 2 {
			return impossible
		}
		p := 1.0
		for i := range len(n.text) {
			p *= commonness(n.text[i])
		}
		if n.text == strings.Repeat(n.text[:1], len(n.text)) {
			p = max(p, 1e-3) // runs of one character are common in all that is encoded
		}
		// Text is not random: the more letters, the less each one tells.
		sum += p * 4
		if len(n.text) == 2 {
			// It takes a place of the table for each third byte.
			sum += 128.0 / (1 << hashBits)
		}
	}
	return sum
}

// letterShare is the share of each letter, of either case, among the bytes of
// source text, in thousandths: counted over the source of Go 1.26.
var letterShare = [26]float64{36, 11, 23, 19, 57, 20, 12, 10, 34, 1, 5, 22, 14, 36, 30, 17, 1, 40, 34, 48, 18, 9, 5, 27, 8, 1}

// commonness is the share of a byte in source text.
func commonness(c byte) float64 {
	switch {
	case 'a' <= c && c <= 'z':
		return letterShare[c-'a'] / 1000
	case '0' <= c && c <= '9':
		return 0.01
	case c == ' ' || c == '\t' || c == '\n':
		return 0.1
	case strings.IndexByte(`._-"'()=,/:`, c) >= 0:
		return 0.02
	}
	return 0.005
}

var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}()

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower[c]
	}
	return string(b)
}

// concat joins elements to one expression.
func concat(list []*syntax.Regexp) *syntax.Regexp {
	if len(list) == 0 {
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: list}
}

const (
	// relaxMin and relaxMax are the bounds of a repetition beyond which a filter
	// does not count: a filter that counts to 512 has a state for each number.
	relaxMin = 40
	relaxMax = 64
)

// relax copies re with its large repetitions made larger: it matches whatever re
// matches.
func relax(re *syntax.Regexp) *syntax.Regexp {
	if len(re.Sub) == 0 {
		return re
	}
	c := *re
	c.Sub = make([]*syntax.Regexp, len(re.Sub))
	for i, s := range re.Sub {
		c.Sub[i] = relax(s)
	}
	if c.Op == syntax.OpCapture {
		return c.Sub[0]
	}
	if c.Op == syntax.OpRepeat {
		if c.Max > relaxMax || c.Min > relaxMin {
			c.Max = -1
		}
		c.Min = min(c.Min, relaxMin)
	}
	return &c
}
