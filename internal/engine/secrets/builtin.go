package secrets

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"

	"penstock"
	"penstock/rules"
)

// Reading half a megabyte of TOML and planning five hundred expressions takes a
// tenth of a second, which a scan of two changed files would feel. So the result
// is kept in builtin.bin, made by
// `go test . -run TestBuiltinTable -update`. It
// holds digests of the rule files that it was made from (tableHead); with others it
// is not used.

//go:embed builtin.bin
var builtinTable string

// coder reads or writes a table: the same calls do both, so that they cannot
// disagree. Strings that are read share the table's memory.
type coder struct {
	writing bool
	out     []byte
	in      string
	bad     bool
	// What is read comes from blocks of memory: it lives as long as the rest, and
	// there are thousands.
	rulesMem   []rule
	patternMem []pattern
	stringMem  []string
	literalMem []needleText
	anchorMem  []anchorRun
}

// take cuts n values from a block of memory.
func take[T any](mem *[]T, n int) []T {
	if n > len(*mem) {
		*mem = make([]T, max(n, 256))
	}
	s := (*mem)[:n:n]
	*mem = (*mem)[n:]
	return s
}

func (c *coder) num(n *int) {
	if c.writing {
		c.out = binary.AppendVarint(c.out, int64(*n))
		return
	}
	if len(c.in) > 0 && c.in[0] < 0x80 {
		u := c.in[0]
		*n = int(u>>1) ^ -int(u&1)
		c.in = c.in[1:]
		return
	}
	var u uint64
	for shift := 0; ; shift += 7 {
		if len(c.in) == 0 || shift > 63 {
			c.bad = true
			return
		}
		b := c.in[0]
		c.in = c.in[1:]
		u |= uint64(b&0x7F) << shift
		if b < 0x80 {
			break
		}
	}
	*n = int(int64(u>>1) ^ -int64(u&1))
}

func (c *coder) str(s *string) {
	n := len(*s)
	c.num(&n)
	if c.writing {
		c.out = append(c.out, *s...)
		return
	}
	if c.bad || n < 0 || n > len(c.in) {
		c.bad = true
		return
	}
	*s, c.in = c.in[:n], c.in[n:]
}

func (c *coder) flag(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	c.num(&n)
	*b = n == 1
}

func (c *coder) word(u *uint64) {
	if c.writing {
		c.out = binary.LittleEndian.AppendUint64(c.out, *u)
		return
	}
	if len(c.in) < 8 {
		c.bad = true
		return
	}
	*u = binary.LittleEndian.Uint64([]byte(c.in[:8]))
	c.in = c.in[8:]
}

func list[T any](c *coder, s *[]T, each func(*T)) {
	listFrom(c, func(n int) []T { return make([]T, n) }, s, each)
}

// listFrom is list with the memory for what is read.
func listFrom[T any](c *coder, mem func(n int) []T, s *[]T, each func(*T)) {
	n := len(*s)
	c.num(&n)
	if !c.writing {
		if c.bad || n < 0 || n > len(c.in) {
			c.bad = true
			return
		}
		if n == 0 {
			return
		}
		*s = mem(n)
	}
	for i := range *s {
		each(&(*s)[i])
	}
}

func (c *coder) strs(s *[]string) {
	listFrom(c, func(n int) []string { return take(&c.stringMem, n) }, s, c.str)
}

// small is num for the small integer types.
func small[T ~int | ~uint8 | ~int8 | ~int16 | ~int32](c *coder, v *T) {
	n := int(*v)
	c.num(&n)
	*v = T(n)
}

func (c *coder) pattern(p **pattern) {
	src := ""
	if *p != nil {
		src = (*p).src
	}
	c.str(&src)
	if !c.writing && src != "" {
		*p = &take(&c.patternMem, 1)[0]
		(*p).src = src
	}
}

func (c *coder) allowlist(a **allowlist) {
	if !c.writing {
		*a = new(allowlist)
	}
	l := *a
	c.flag(&l.and)
	c.flag(&l.commits)
	small(c, &l.target)
	c.pattern(&l.paths)
	c.pattern(&l.regexes)
	var words []string
	if l.stop != nil {
		words = l.stop.words
	}
	c.strs(&words)
	if !c.writing && len(words) > 0 {
		l.stop = newWordSet(words)
	}
}

func (c *coder) info(r *penstock.Rule) {
	c.str(&r.ID)
	c.strs(&r.Aliases)
	c.str(&r.Title)
	small(c, &r.Severity)
	small(c, &r.Confidence)
	c.str(&r.Why)
	c.str(&r.Remedy)
	list(c, &r.CWE, c.num)
	c.strs(&r.Tags)
	c.strs(&r.References)
	c.str(&r.Bad)
	c.str(&r.Good)
}

func (c *coder) group(g *anchorRun) {
	listFrom(c, func(n int) []needleText { return take(&c.literalMem, n) }, &g.needles, func(n *needleText) {
		c.str(&n.text)
		c.num(&n.off)
		c.num(&n.len)
	})
	c.num(&g.preMin)
	c.num(&g.preMax)
	small(c, &g.lead)
	for i := range g.preSet {
		c.word(&g.preSet[i])
	}
}

// rules reads or writes the built-in rules and their global allow-lists.
func (c *coder) rules(set *ruleSet, rules *[]*rule) {
	list(c, &set.global, c.allowlist)
	var needs [][]string // by rule: name, lines, columns of what it requires
	list(c, rules, func(p **rule) {
		if !c.writing {
			*p = &take(&c.rulesMem, 1)[0]
			(*p).own, (*p).set, (*p).planned = true, set, true
		}
		r := *p
		c.str(&r.name)
		c.str(&r.desc)
		c.info(&r.info)
		c.flag(&r.generic)
		c.pattern(&r.re)
		c.pattern(&r.path)
		c.num(&r.group)
		e := math.Float64bits(r.entropy)
		c.word(&e)
		r.entropy = math.Float64frombits(e)
		c.strs(&r.keywords)
		c.str(&r.checkName)
		list(c, &r.allow, c.allowlist)
		c.flag(&r.silent)
		listFrom(c, func(n int) []anchorRun { return take(&c.anchorMem, n) }, &r.groups, c.group)
		c.flag(&r.keyed)
		c.num(&r.minBytes)
		var names []string
		for _, q := range r.required {
			names = append(names, q.rule.name)
		}
		c.strs(&names)
		needs = append(needs, names)
		n := len(names)
		if !c.writing && n > 0 {
			r.required = make([]requirement, n)
		}
		for i := range r.required {
			c.num(&r.required[i].lines)
			c.num(&r.required[i].columns)
		}
		if !c.writing && r.checkName != "" {
			check, ok := checkByName(r.checkName)
			r.check, c.bad = check, c.bad || !ok
		}
	})
	if c.writing || c.bad {
		return
	}
	byName := make(map[string]*rule, len(*rules))
	for _, r := range *rules {
		byName[r.name] = r
	}
	for i, r := range *rules {
		for k, name := range needs[i] {
			r.required[k].rule = byName[name]
			c.bad = c.bad || byName[name] == nil
		}
	}
}

// needles reads or writes the needles of the built-in rules alone. Their texts are
// many and short: the targets are made in one piece.
func (c *coder) needles(needles *[]needle) {
	n := 0
	for i := range *needles {
		n += len((*needles)[i].targets)
	}
	c.num(&n)
	var targets []needleTarget
	if !c.writing {
		if c.bad || n < 0 || n > len(c.in) {
			c.bad = true
			return
		}
		targets = make([]needleTarget, n)
	}
	list(c, needles, func(n *needle) {
		c.str(&n.text)
		c.num(&n.at)
		k := len(n.targets)
		c.num(&k)
		if !c.writing {
			if c.bad || k < 0 || k > len(targets) {
				c.bad = true
				return
			}
			n.targets, targets = targets[:k:k], targets[k:]
		}
		for i := range n.targets {
			t := &n.targets[i]
			small(c, &t.rule)
			small(c, &t.group)
			small(c, &t.bit)
			small(c, &t.off)
			small(c, &t.len)
		}
	})
}

// tableHead begins a table: the digest of the rule files that it was made of, in
// hex, and a short one of their names and sizes. Hashing half a megabyte of rules
// would cost every run of the program; a file that changed and kept its size is
// caught by the test of the table.
func tableHead(table string) (digest string, rest string, ok bool) {
	files := filesDigest()
	const length = 2 * sha256.Size
	if len(table) < length+len(files) || table[length:length+len(files)] != files {
		return "", "", false
	}
	return table[:length], table[length+len(files):], true
}

// filesDigest is a short digest of the names and sizes of the built-in rule files.
func filesDigest() string {
	sum := sha256.New()
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml") // sorted
	for _, name := range names {
		info, err := fs.Stat(rules.Secrets, name)
		if err != nil {
			panic(err) // embedded files can be read
		}
		fmt.Fprintf(sum, "%s %d\n", name, info.Size())
	}
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// digest is rulesDigest as the table knows it.
func digest() string {
	if d, _, ok := tableHead(builtinTable); ok {
		return d
	}
	return rulesDigest()
}

// fromTable reads the built-in rules from the table, if it is of these files.
func (l *loader) fromTable(table string) (*userFile, bool) {
	_, rest, ok := tableHead(table)
	if !ok {
		return nil, false
	}
	all := &userFile{path: "rules/secrets", set: new(ruleSet), own: true, added: true}
	c := &coder{in: rest}
	c.rules(all.set, &all.rules)
	c.needles(&all.needles)
	if c.bad || len(c.in) > 0 {
		return nil, false
	}
	l.sets = append(l.sets, all.set)
	return all, true
}

// makeTable writes what fromTable reads.
func makeTable() (string, error) {
	l := new(loader)
	own, err := l.parseBuiltin()
	if err != nil {
		return "", err
	}
	l.rules = own.rules
	d := l.detector()
	c := &coder{writing: true, out: []byte(rulesDigest() + filesDigest())}
	c.rules(own.set, &own.rules)
	c.needles(&d.pre.needles)
	return string(c.out), nil
}
