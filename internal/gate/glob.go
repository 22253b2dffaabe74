package gate

import (
	"strings"

	"penstock"
)

// glob is a compiled pattern. The zero value matches nothing.
type glob struct {
	// prefix is the literal text that every match begins with; ops are the rest.
	prefix string
	ops    []globOp
	sep    byte
	set    bool
}

// pathGlob compiles a pattern for slash-separated paths. It matches a path or
// one of the folders or containers that the path lies in: "*" and "?" stay
// within a name, "**" crosses names, "\" takes the next byte literally. A
// pattern without "/" matches a name at any depth; a leading "/" or "./"
// anchors, a trailing "/" is dropped, "." is everything.
func pathGlob(pattern string) glob {
	p := strings.TrimSuffix(pattern, "/")
	rest, rooted := strings.CutPrefix(strings.TrimPrefix(p, "."), "/")
	switch {
	case pattern == "":
		return glob{}
	case p == "" || p == "." || rooted && rest == "":
		return newGlob("**", '/')
	case rooted:
		return newGlob(rest, '/')
	case strings.Contains(p, "/"):
		return newGlob(p, '/')
	default:
		return newGlob("**/"+p, '/')
	}
}

// literalPath is the one path that a pattern for paths names if it has no
// wildcard, else empty. A name without "/" also matches elsewhere; what it
// literally says is the file of that name in the root.
func literalPath(pattern string) string {
	p := strings.TrimSuffix(pattern, "/")
	if rest, rooted := strings.CutPrefix(strings.TrimPrefix(p, "."), "/"); rooted {
		p = rest
	}
	if g := newGlob(p, '/'); len(g.ops) == 0 {
		return g.prefix
	}
	return ""
}

// nameGlob compiles a pattern for rule ids, where "*" matches any text.
func nameGlob(pattern string) glob {
	if pattern == "" {
		return glob{}
	}
	return newGlob(pattern, 0)
}

func newGlob(pattern string, sep byte) glob {
	ops := compile(pattern, sep)
	n := 0
	for n < len(ops) && ops[n].kind == literal {
		n++
	}
	prefix := make([]byte, n)
	for i := range n {
		prefix[i] = ops[i].c
	}
	return glob{prefix: string(prefix), ops: ops[n:], sep: sep, set: true}
}

// match runs the pattern as a set of states, so that no pattern can make it
// backtrack: at most len(pattern) x len(text) steps.
func (g *glob) match(text string) bool {
	rest, ok := strings.CutPrefix(text, g.prefix)
	if !ok || !g.set {
		return false
	}
	ops, sep := g.ops, g.sep
	if len(ops) == 0 {
		return rest == "" || sep != 0 && g.below(rest)
	}
	now, next := make([]bool, len(ops)+1), make([]bool, len(ops)+1)
	now[0] = true
	closure(ops, now, g.prefix == "" || g.prefix[len(g.prefix)-1] == sep)
	for i := range len(rest) {
		c := rest[i]
		if sep != 0 && now[len(ops)] && g.below(rest[i:]) {
			return true
		}
		clear(next)
		for s, on := range now[:len(ops)] {
			if !on {
				continue
			}
			switch op := ops[s]; op.kind {
			case literal:
				next[s+1] = next[s+1] || op.c == c
			case one:
				next[s+1] = next[s+1] || sep == 0 || c != sep
			case star:
				next[s] = next[s] || sep == 0 || c != sep
			case anything, folders:
				next[s] = true
			}
		}
		now, next = next, now
		closure(ops, now, sep != 0 && c == sep)
	}
	return now[len(ops)]
}

// below reports whether text lies in what was matched up to here.
func (g *glob) below(text string) bool {
	return text[0] == g.sep || strings.HasPrefix(text, penstock.MemberSeparator)
}

const (
	literal = iota
	one
	star
	anything // "**"
	folders  // "**/": nothing, or any text that ends with a separator
)

type globOp struct {
	kind int
	c    byte
}

func compile(p string, sep byte) []globOp {
	var ops []globOp
	for i := 0; i < len(p); i++ {
		start := i == 0 || p[i-1] == '/'
		switch {
		case p[i] == '*' && sep != 0 && strings.HasPrefix(p[i:], "**/") && start:
			ops = append(ops, globOp{kind: folders})
			i += 2
		case p[i] == '*' && strings.HasPrefix(p[i:], "**"):
			ops = append(ops, globOp{kind: anything})
			i++
		case p[i] == '*':
			ops = append(ops, globOp{kind: star})
		case p[i] == '?':
			ops = append(ops, globOp{kind: one})
		case p[i] == '\\' && i+1 < len(p):
			i++
			ops = append(ops, globOp{kind: literal, c: p[i]})
		default:
			ops = append(ops, globOp{kind: literal, c: p[i]})
		}
	}
	return ops
}

// closure steps over what may match nothing. A state at a folders op may leave
// it only where a name begins.
func closure(ops []globOp, on []bool, nameStart bool) {
	for s := range ops {
		if !on[s] {
			continue
		}
		switch ops[s].kind {
		case star, anything:
			on[s+1] = true
		case folders:
			on[s+1] = on[s+1] || nameStart
		}
	}
}
