package scan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"penstock"
)

const (
	longLine    = 512      // bytes; longer lines are split at statements
	chunk       = 256      // bytes of a statement in such a line, at most
	codeMost    = 16 << 10 // bytes of flagged code that are hashed
	contextSeek = 12       // lines searched on each side for penstock.MaxContext that say something
	scopeReach  = 16 << 10 // bytes before a finding in which its scope is looked for
	scopeLines  = 400      // lines, likewise
	scopeNames  = 2        // names of the chain
	wordMost    = 128      // bytes of a token; a longer one is several
	blank       = 0x01     // stands for hidden text; a letter to the tokenizer
)

// features makes penstock.Features of located findings of one piece. Its cost
// for one finding is bounded by the constants above, whatever the text.
type features struct {
	p    *piece
	cut  *cutter
	path string
	key  [16]byte
	buf  []byte // hashed next
	text []byte // one line, secrets blanked
	toks []token
	// masks hide what is secret in [from, to) of the piece.
	masks    []mask
	from, to int
	// known are the hashes of lines that were looked at, of a text small enough for
	// what is hidden in it not to depend on the finding.
	known map[[2]int]lineHash
}

// lineHash is what features.line gives.
type lineHash struct {
	hash uint32
	ok   bool
}

// newFeatures takes the salt of the run. The cutter knows what is secret.
func newFeatures(p *piece, cut *cutter, path string, salt []byte) *features {
	sum := sha256.Sum256(append([]byte("penstock features 1\x00"), salt...))
	return &features{p: p, cut: cut, path: path, key: [16]byte(sum[:16])}
}

// hash is a keyed hash of the buffer that begin started. The key comes first and
// three quarters of the digest are dropped, so that it cannot be continued.
func (x *features) hash() uint64 {
	sum := sha256.Sum256(x.buf)
	return binary.LittleEndian.Uint64(sum[:])
}

// begin starts a hash; kind keeps hashes of different things apart.
func (x *features) begin(kind byte) {
	x.buf = append(append(x.buf[:0], x.key[:]...), kind)
}

func (x *features) hashString(kind byte, s string) uint64 {
	x.begin(kind)
	x.buf = append(x.buf, s...)
	return x.hash()
}

func short(h uint64) uint32 { return uint32(h & (1<<penstock.FeatureBits - 1)) }

// of returns the features of a finding of this file.
func (x *features) of(f *penstock.Finding) *penstock.Features {
	out := &penstock.Features{Path: x.path, Line: f.Location.Line, Class: f.Rule}
	secret := f.Evidence.Secret
	if secret == nil && f.Group != "" {
		out.Key = penstock.Hash(x.hashString('g', f.Group))
	}
	start, end := int(f.Location.Start-x.p.base), int(f.Location.End-x.p.base)
	if f.Location.Path != x.path || start < 0 || end <= start || end > len(x.p.text) {
		return out
	}
	if secret != nil && secret.Length > 0 {
		if engine, _, _ := strings.Cut(f.Rule, "/"); engine != "user" {
			out.Class = engine // the same value is the same secret, whichever rule saw it
		}
		out.Value = x.value(x.p.text[start:end], secret)
	}

	first, _ := x.lineAt(start)
	_, last := x.lineAt(end - 1)
	last = max(last, end)
	if x.cut.hide != nil && len(x.p.text) > 0 {
		// One search of a large text serves all that is hashed of it.
		from, to := max(0, start-redactReach), min(len(x.p.text), end+redactReach)
		if from < x.cut.wideFrom || to > x.cut.wideTo {
			x.cut.found(from, to)
		}
	}
	x.from, x.to = max(0, first-contextSeek*longLine), min(len(x.p.text), last+contextSeek*longLine)
	x.masks = x.cut.masks(x.from, x.to)
	x.surround(first, last, out)

	x.tokenize(first, last, codeMost)
	out.Partial = len(x.text) >= codeMost
	out.Code, out.Abstract = x.code()
	for _, t := range x.toks[:min(len(x.toks), penstock.MaxTokens)] {
		x.begin('t')
		x.buf = t.append(x.buf, x.text)
		out.Tokens = append(out.Tokens, short(x.hash()))
	}
	slices.Sort(out.Tokens)
	out.Scope = x.scope(first, f.Evidence.Scope)
	out.Outer = x.outer(first)
	out.Flow = x.flow(f.Trace)
	return out
}

// value is the hash of a secret's value. White space does not count, since the
// line ends of a key may change. A value that people make up gets a hash so
// short that a guess cannot be confirmed.
func (x *features) value(value []byte, e *penstock.SecretEvidence) penstock.Hash {
	x.begin('v')
	letters, digits := false, false
	for _, c := range value {
		if c > ' ' {
			x.buf = append(x.buf, c)
		}
		letters = letters || c|0x20 >= 'a' && c|0x20 <= 'z'
		digits = digits || c >= '0' && c <= '9'
	}
	h := penstock.Hash(x.hash())
	const machineMade, spread = 24, 3.5 // bytes, bits per byte
	if e.Checksum || len(value) >= machineMade && letters && digits && e.Entropy >= spread {
		return h | 1<<63
	}
	return h&(1<<penstock.FeatureBits-1) | 1
}

// surround fills the lines around text[first:last].
func (x *features) surround(first, last int, out *penstock.Features) {
	at := first
	for n := 0; n < contextSeek && at > 0 && len(out.Before) < penstock.MaxContext; n++ {
		start, end := x.lineAt(at - 1)
		if h, ok := x.line(start, min(end, at)); ok {
			out.Before = append(out.Before, h)
		}
		at = start
	}
	at = last
	for n := 0; n < contextSeek && len(out.After) < penstock.MaxContext; n++ {
		if at < len(x.p.text) && x.p.text[at] == '\n' {
			at++
		}
		if at >= len(x.p.text) {
			break
		}
		_, end := x.lineAt(at)
		if h, ok := x.line(at, end); ok {
			out.After = append(out.After, h)
		}
		at = max(end, at+1)
	}
}

// line hashes a line of the surroundings. One without a word says nothing.
func (x *features) line(start, end int) (h uint32, ok bool) {
	at := [2]int{start, end}
	if k, seen := x.known[at]; seen {
		return k.hash, k.ok
	}
	defer func() {
		if len(x.p.text) <= wholeText {
			if x.known == nil {
				x.known = make(map[[2]int]lineHash)
			}
			x.known[at] = lineHash{h, ok}
		}
	}()
	x.tokenize(start, end, codeMost)
	for _, t := range x.toks {
		if t.kind != 'o' && !(t.end-t.start == 1 && x.text[t.start] == blank) {
			x.begin('l')
			for _, t := range x.toks {
				x.buf = append(t.append(x.buf, x.text), 0)
			}
			return short(x.hash()), true
		}
	}
	return 0, false
}

// lineAt returns the line that the byte at i lies in, without its line end. A
// long line counts as many: each statement of minified code is one.
func (x *features) lineAt(i int) (start, end int) {
	text := x.p.text
	low, high := max(0, i-longLine), min(len(text), i+longLine)
	before, after := bytes.LastIndexByte(text[low:i], '\n'), bytes.IndexByte(text[i:high], '\n')
	start, end = low+before+1, i+after
	open := before < 0 && low > 0 // the line begins further up
	if after < 0 {
		end = high
		open = open || high < len(text)
	}
	if !open && end-start <= longLine {
		return start, end
	}
	// The ends of statements lie where they lie, whatever comes before them.
	start, end = max(start, i-chunk), min(end, i+chunk)
	if k := bytes.LastIndexAny(text[start:i], ";{}"); k >= 0 {
		start += k + 1
	}
	if k := bytes.IndexAny(text[i:end], ";{}\n"); k >= 0 {
		if end = i + k; text[end] != '\n' {
			end++
		}
	}
	return start, end
}

// tokenize reads text[start:end] into x.toks, at most most bytes of it, with
// secrets blanked.
func (x *features) tokenize(start, end, most int) {
	x.text = x.text[:0]
	at := start
	masks := x.masks
	if start < x.from || end > x.to {
		masks = x.cut.masks(start, end)
	}
	i, _ := slices.BinarySearchFunc(masks, start, func(m mask, at int) int { return cmp.Compare(m.end, at+1) })
	for _, m := range masks[i:] {
		if m.start >= end {
			break
		}
		if len(x.text) >= most {
			break
		}
		if m.start > at {
			x.text = append(x.text, x.p.text[at:m.start]...)
		}
		x.text = append(x.text, blank)
		at = m.end
	}
	if at < end {
		x.text = append(x.text, x.p.text[at:end]...)
	}
	x.text = x.text[:min(len(x.text), most)]
	x.toks = appendTokens(x.toks[:0], x.text)
}

// code hashes the tokens of the flagged lines, as they are and abstracted.
func (x *features) code() (penstock.Hash, uint32) {
	x.begin('c')
	for _, t := range x.toks {
		x.buf = append(t.append(x.buf, x.text), 0)
	}
	code := penstock.Hash(x.hash())
	x.begin('a')
	for _, t := range x.toks {
		x.buf = append(x.buf, t.kind)
		if t.kind == 'o' {
			x.buf = append(x.buf, x.text[t.start])
		}
	}
	return code, uint32(x.hash())
}

// token is a word, number, string or operator of a text.
type token struct {
	kind       byte // 'i' identifier, 'n' number, 's' string, 'o' operator
	start, end int
}

// append writes the token as it is hashed: the kind of quotes counts only where
// languages read the inside differently.
func (t token) append(b, text []byte) []byte {
	word := text[t.start:t.end]
	if t.kind == 's' && !bytes.ContainsAny(word, "$\\#%") {
		b = append(append(b, 's', '"'), word[1:len(word)-1]...)
		return append(b, '"')
	}
	return append(append(b, t.kind), word...)
}

// appendTokens cuts one or more lines into tokens, the same for all languages.
// A quote without its partner on the line is an operator: an apostrophe, a
// lifetime. A comma or semicolon at the end is dropped.
func appendTokens(list []token, text []byte) []token {
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		kind := byte('o')
		i++
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v':
			continue
		case wordByte(c) && !(c >= '0' && c <= '9'):
			kind = 'i'
			for i < len(text) && i-start < wordMost && wordByte(text[i]) {
				i++
			}
		case c >= '0' && c <= '9':
			kind = 'n'
			for i < len(text) && i-start < wordMost && (wordByte(text[i]) || text[i] == '.') {
				i++
			}
		case c == '"' || c == '\'' || c == '`':
			if end := stringEnd(text, i, c); end > 0 {
				kind, i = 's', end
			}
		}
		list = append(list, token{kind, start, i})
	}
	for len(list) > 0 && (text[list[len(list)-1].start] == ';' || text[list[len(list)-1].start] == ',') {
		list = list[:len(list)-1]
	}
	return list
}

// stringEnd returns the end of the string that the quote before i opens, 0 for
// none on this line.
func stringEnd(text []byte, i int, quote byte) int {
	for ; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case quote:
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

func wordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80 || c == blank
}

// scope hashes the names of what encloses the line at first: the engine's own
// name, and the less indented lines above, nearest first. Indentation serves for
// all languages that people write; in minified code there is no scope.
func (x *features) scope(first int, own string) uint32 {
	text := x.p.text
	names := ""
	if own != "" {
		names = own
	}
	low := max(0, first-scopeReach)
	at := first
	indent := x.indent(first)
	found := 0
	for n := 0; n < scopeLines && at > low && indent > 0 && found < scopeNames; n++ {
		start := low + bytes.LastIndexByte(text[low:at-1], '\n') + 1
		if start == low && low > 0 || at-start > longLine {
			break
		}
		line := at
		at = start
		depth := x.indent(start)
		if depth < 0 || depth >= indent {
			continue
		}
		c := text[start+leading(text[start:])]
		if c == '}' || c == ')' || c == ']' || c == '#' || c == '*' || bytes.HasPrefix(text[start+leading(text[start:]):], []byte("//")) {
			continue
		}
		x.tokenize(start, line-1, longLine)
		name, control := scopeName(x.toks, x.text)
		if name == "" && !control {
			continue
		}
		indent = depth
		if !control {
			names += "\x00" + name
			found++
		}
	}
	if names == "" {
		return 0
	}
	return uint32(x.hashString('s', names)) | 1
}

// outer hashes the lines that open what encloses the line at first: each is less
// indented than all below it. It looks as far as scope does.
func (x *features) outer(first int) (list []uint32) {
	text := x.p.text
	low := max(0, first-scopeReach)
	at, indent := first, x.indent(first)
	inside := [2]int{first, first} // the line below at that is no blank one
	for n := 0; n < scopeLines && at > low && indent > 0 && len(list) < penstock.MaxOuter; n++ {
		start := low + bytes.LastIndexByte(text[low:at-1], '\n') + 1
		if start == low && low > 0 || at-start > longLine {
			break
		}
		end := at - 1
		at = start
		depth := x.indent(start)
		if depth < 0 {
			continue
		}
		below := inside
		inside = [2]int{start, end}
		if depth >= indent {
			continue
		}
		c := text[start+leading(text[start:])]
		if c == '}' || c == ')' || c == ']' || c == '#' || c == '*' || bytes.HasPrefix(text[start+leading(text[start:]):], []byte("//")) {
			continue
		}
		indent = depth
		if h, ok := x.opener(start, end); ok {
			list = append(list, h)
		} else if below[0] != first {
			if h, ok := x.opener(below[0], below[1]); ok {
				list = append(list, h)
			}
		}
	}
	return list
}

// opener hashes a line that opens something: by the title that people gave it, if
// it has one, since the code around a title changes more often. A title is the
// last string of several words.
func (x *features) opener(start, end int) (h uint32, ok bool) {
	h, ok = x.line(start, end)
	for _, t := range slices.Backward(x.toks) {
		if t.kind == 's' && bytes.IndexByte(x.text[t.start:t.end], ' ') >= 0 {
			x.begin('u')
			x.buf = t.append(x.buf, x.text)
			return short(x.hash()), true
		}
	}
	return h, ok
}

// leading is the number of blanks that a text begins with.
func leading(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == ' ' || b[n] == '\t') {
		n++
	}
	return n
}

// indent is the depth of the line that begins at start, -1 for an empty one. A
// tab counts as eight columns, as editors and Python have it.
func (x *features) indent(start int) int {
	depth := 0
	for _, c := range x.p.text[start:min(len(x.p.text), start+longLine)] {
		switch c {
		case ' ':
			depth++
		case '\t':
			depth += 8 - depth%8
		case '\r', '\n':
			return -1
		default:
			return depth
		}
	}
	return -1
}

// scopeName names what a line opens: the word before the first bracket, else its
// first words. Lines that only steer the flow open nothing that people name.
func scopeName(toks []token, text []byte) (name string, control bool) {
	var words []string
	for i, t := range toks {
		if t.kind == 'o' {
			if c := text[t.start]; (c == '{' || c == ':' || c == '=') && len(words) > 0 {
				break
			}
			continue
		}
		w := string(bytes.Trim(text[t.start:t.end], "\"'`"))
		switch w {
		case "if", "else", "elif", "for", "foreach", "while", "do", "try", "catch", "except", "finally", "with", "switch", "case", "default", "when", "unless", "then", "select", "match":
			if len(words) == 0 {
				return "", true
			}
		case "function", "func", "fn", "return", "def", "public", "private", "protected", "static", "async", "export", "const", "let", "var", "final", "override":
			continue
		}
		if t.kind == 'i' && i+1 < len(toks) && text[toks[i+1].start] == '(' {
			return w, false
		}
		if len(words) < 3 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " "), false
}

// flow hashes the ends of a trace: the lines where they lie in this text, else
// what is said of them.
func (x *features) flow(trace []penstock.Label) uint32 {
	if len(trace) == 0 {
		return 0
	}
	var ends [2]uint64
	for i, l := range []penstock.Label{trace[0], trace[len(trace)-1]} {
		at := int(l.Location.Start - x.p.base)
		if (l.Location.Path == "" || l.Location.Path == x.path) && at >= 0 && at < len(x.p.text) {
			start, end := x.lineAt(at)
			x.tokenize(start, end, codeMost)
			code, _ := x.code()
			ends[i] = uint64(code)
		} else {
			ends[i] = x.hashString('m', l.Message)
		}
	}
	x.begin('f')
	x.buf = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(x.buf, ends[0]), ends[1])
	return uint32(x.hash()) | 1
}
