package secrets

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"penstock"
)

const (
	// minRedact is the shortest run of token characters that is hidden for its
	// looks alone.
	minRedact = 20
	// redactEntropy is what such a run must exceed, in bits a byte; random
	// hexadecimal of 32 digits has 3.3 to 3.9.
	redactEntropy = 3.0
)

// engine is what the functions of one penstock.Engine share: the built-in rules,
// read on first need.
type engine struct {
	once sync.Once
	d    *detector
	err  error
	pool sync.Pool
}

func (e *engine) detector() (*detector, error) {
	e.once.Do(func() {
		e.d, e.err = load(nil, nil)
		e.pool.New = func() any { return newScratch(e.d) }
	})
	return e.d, e.err
}

// secrets returns what of b a snippet must not show, sorted and apart. It is
// broader than the findings: places, allow-lists and skipped rules do not count,
// and what only looks like a credential is hidden, too. Only what is clearly a
// placeholder stays. The cost is that of a scan.
func (e *engine) secrets(path string, b []byte) []penstock.Span {
	if len(b) == 0 {
		return nil
	}
	spans := looks(b)
	if d, err := e.detector(); err == nil {
		sc := e.pool.Get().(*scratch)
		p := []byte(path)
		d.begin(p, sc)
		t := &text{b: b, path: p, until: len(b), all: true}
		d.scan(t, sc)
		d.decode(t, sc, 2)
		for i := range sc.hits {
			if h := &sc.hits[i]; h.to > h.from {
				spans = append(spans, penstock.Span{Start: h.from, End: h.to})
			}
		}
		d.begin(p, sc) // forget the values
		e.pool.Put(sc)
	}
	slices.SortFunc(spans, func(a, b penstock.Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	var out []penstock.Span
	for _, s := range spans {
		if n := len(out); n > 0 && s.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}

// looks finds runs of token characters that no person wrote.
func looks(b []byte) []penstock.Span {
	var spans []penstock.Span
	for i := 0; i < len(b); {
		if base64Value[b[i]] == 0xFF {
			i++
			continue
		}
		l := i
		for i < len(b) && base64Value[b[i]] != 0xFF {
			i++
		}
		for i < len(b) && b[i] == '=' && i-l >= minRedact {
			i++
		}
		run := b[l:i]
		if len(run) < minRedact || public(b, l, i) || shannon(run) <= redactEntropy {
			continue
		}
		c := count(run)
		if c.digit == 0 && (c.lower == 0 || c.upper == 0) || wordlike(run) || bytes.Count(run, []byte{'/'}) > len(run)/12+1 && codelike(run) {
			continue
		}
		spans = append(spans, penstock.Span{Start: int64(l), End: int64(i)})
	}
	return spans
}

// public reports whether the run b[l:r] is by its surroundings a hash that tells
// nothing: the commit after "@", a digest, a UUID.
func public(b []byte, l, r int) bool {
	run := b[l:r]
	if l > 0 && b[l-1] == '@' && isHex(run) {
		return true
	}
	before := b[max(0, l-16):l]
	for _, w := range []string{"sha1:", "sha256:", "sha384:", "sha512:", "md5:", "h1:"} {
		if bytes.HasSuffix(before, []byte(w)) {
			return true
		}
	}
	for _, w := range []string{"sha1-", "sha256-", "sha384-", "sha512-"} {
		if bytes.HasPrefix(run, []byte(w)) {
			return true
		}
	}
	return len(run) == 36 && run[8] == '-' && run[13] == '-' && run[18] == '-' && run[23] == '-' && isHex(bytes.ReplaceAll(run, []byte{'-'}, nil))
}

// scopeReach is how far before a value its name is looked for, in bytes.
const scopeReach = 100

// scopeOf is the name to the left of a value: a key, a variable. It is empty if
// what stands there is no plain name.
func scopeOf(b []byte, at int) string {
	lo := max(0, at-scopeReach)
	if i := bytes.LastIndexByte(b[lo:at], '\n'); i >= 0 {
		lo += i + 1
	}
	end := at
	for end > lo && !isLetter(b[end-1]) && !isDigit(b[end-1]) && b[end-1] != '_' && b[end-1] < 0x80 {
		end--
	}
	start := end
	for start > lo && (isLetter(b[start-1]) || isDigit(b[start-1]) || b[start-1] == '_' || b[start-1] == '-' || b[start-1] == '.') {
		start--
	}
	name := bytes.Trim(b[start:end], "-.")
	if end == at || len(name) < 2 || len(name) > 48 || start == lo && lo > 0 && b[lo-1] != '\n' {
		return ""
	}
	// A name is made of words; a value is not.
	wordy, letters := wording(name)
	if letters == 0 || len(name)-letters > len(name)/2 || len(name) > 12 && wordy*2 < letters {
		return ""
	}
	return string(name)
}
