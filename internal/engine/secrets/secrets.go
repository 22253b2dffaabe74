// Package secrets is the engine that finds credentials in files.
//
// One pass over the bytes finds the literals that every match of some rule must
// hold; a DFA derived from the rule's expression follows each and drops nearly
// all; what is left is matched exactly, with gitleaks' semantics for entropy,
// groups and allow-lists. What is found so is what a search of every rule over
// the whole file would find.
//
// Invariant: a secret's value leaves this package only as a keyed hash and a hint
// of at most four characters.
package secrets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"penstock"
	"penstock/rules"
)

// Version changes whenever the same bytes may give another answer.
const version = 3

// Engine is the secrets engine.
func Engine() penstock.Engine {
	e := new(engine)
	return penstock.Engine{
		Name:    "secrets",
		Doc:     "Credentials written down in files: tokens, keys, passwords, connection strings.",
		Version: version,
		Digest:  digest,
		PerFile: true,
		Rules:   describe,
		Lint:    lint,
		Open:    e.open,
		Secrets: e.secrets,
	}
}

// open starts a run with an engine of its own, for tests.
func open(ctx context.Context, setup penstock.Setup) (penstock.Pass, error) {
	return new(engine).open(ctx, setup)
}

// rulesDigest is the SHA-256 of the built-in rule files.
func rulesDigest() string {
	sum := sha256.New()
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml") // sorted
	for _, name := range names {
		var f fs.File
		if f, err = rules.Secrets.Open(name); err != nil {
			break
		}
		var info fs.FileInfo
		if info, err = f.Stat(); err != nil {
			break
		}
		fmt.Fprintf(sum, "%s %d\n", name, info.Size())
		if _, err = io.Copy(sum, f); err != nil {
			break
		}
	}
	if err != nil {
		panic(err) // embedded files can be read
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// describe lists the rules of the engine and of the files.
func describe(files []penstock.RuleFile) ([]penstock.Rule, error) {
	l, err := read(files, nil)
	if err != nil {
		return nil, err
	}
	out := make([]penstock.Rule, 0, len(l.rules))
	for _, r := range l.rules {
		if !r.silent {
			out = append(out, r.info)
		}
	}
	slices.SortFunc(out, func(a, b penstock.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (e *engine) open(_ context.Context, setup penstock.Setup) (penstock.Pass, error) {
	var d *detector
	var err error
	if len(setup.RuleFiles) == 0 && len(setup.SkipRules) == 0 {
		d, err = e.detector()
	} else {
		d, err = load(setup.RuleFiles, setup.SkipRules)
	}
	if err != nil {
		return nil, err
	}
	p := &pass{d: d, key: setup.Key, depth: max(0, min(setup.DecodeDepth, maxDepth))}
	var m *memo
	if setup.Repeats {
		m = newMemo(d)
	}
	p.pool.New = func() any {
		sc := newScratch(d)
		sc.recall.memo = m
		return sc
	}
	return p, nil
}

// pass is one run of the engine.
type pass struct {
	d     *detector
	key   []byte
	depth int
	pool  sync.Pool
}

var _ penstock.Pass = (*pass)(nil)

const (
	// segmentSize and segmentOverlap are how large files are read. A match longer
	// than half the overlap may be lost where two pieces meet.
	segmentSize    = 4 << 20
	segmentOverlap = 64 << 10
)

func (p *pass) Wants(path string, info penstock.FileInfo) bool {
	if info.Binary {
		return p.wantsName(path)
	}
	return info.Size > 0 && len(p.d.rules) > 0
}

// wantsName reports whether a rule about names alone takes the path: such rules
// hold for a key store that is no text, and nothing else does.
func (p *pass) wantsName(path string) bool {
	if len(p.d.byPath) == 0 {
		return false
	}
	sc := p.pool.Get().(*scratch)
	defer p.pool.Put(sc)
	b := []byte(path)
	p.d.begin(b, sc)
	p.d.byName(b, sc)
	return len(sc.hits) > 0
}

func (p *pass) File(ctx context.Context, f *penstock.File, r penstock.Reporter) error {
	sc := p.pool.Get().(*scratch)
	defer p.pool.Put(sc)
	d := p.d
	path := []byte(f.Path)
	d.beginIn(path, f.Info.Commit, sc)
	if !slices.Contains(sc.off, false) {
		return nil
	}
	if f.Info.Binary {
		d.byName(path, sc)
		p.report(f, sc.hits, r)
		return nil
	}
	row := 0
	var until int64 // matches that start before it belong to earlier pieces
	for seg, err := range f.Segments(segmentSize, segmentOverlap) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if seg.Fresh > 0 {
			row -= bytes.Count(seg.Bytes[:seg.Fresh], []byte("\n"))
		}
		t := &text{b: seg.Bytes, path: path, base: seg.Base, row: row, from: int(max(0, until-seg.Base)), until: len(seg.Bytes)}
		if !seg.Last {
			t.until = max(t.from, len(seg.Bytes)-segmentOverlap/2)
		}
		until = seg.Base + int64(t.until)
		first := len(sc.hits)
		d.scan(t, sc)
		if p.depth > 0 {
			d.decode(t, sc, p.depth)
		}
		placeLines(t, sc.hits[first:])
		p.describeHits(f.Path, t, sc.hits[first:])
		// Now, not after the last piece: a finding is completed with the text of the
		// piece during which it is reported.
		p.report(f, sc.hits[first:], r)
		if !seg.Last {
			row += bytes.Count(seg.Bytes, []byte("\n"))
		}
	}
	first := len(sc.hits)
	d.byName(path, sc)
	p.report(f, sc.hits[first:], r)
	if sc.spent {
		r.Report(&penstock.Coverage{
			Path: f.Path, Size: f.Info.Size, State: penstock.Unread, Reason: penstock.ReasonBudget,
			Detail: "the secrets engine stopped at its step budget", Engines: []string{"secrets"},
		})
	}
	return nil
}

// Finish does nothing: all findings belong to one file.
func (p *pass) Finish(ctx context.Context, run penstock.Run, r penstock.Reporter) error {
	return nil
}

// maxFixWork bounds the work on repairs in one piece of a file: each may look at
// the whole piece, so that many findings times a large piece would be too much. In
// bytes.
const maxFixWork = 8 << 20

// describeHits adds what only the text tells: the name of each value and how the
// line could do without it.
func (p *pass) describeHits(path string, t *text, hits []hit) {
	fixes := 0
	for i := range hits {
		h := &hits[i]
		if h.quiet || h.rule.silent || h.from < t.base || h.to > t.base+int64(len(t.b)) || h.to == h.from {
			continue
		}
		span := penstock.Span{Start: h.from - t.base, End: h.to - t.base}
		h.scope = scopeOf(t.b, int(span.Start))
		if len(h.decoded) == 0 && (fixes+1)*len(t.b) <= maxFixWork {
			fixes++
			h.fix = proposeFix(path, t.b, t.base, span, h.rule.name)
		}
	}
}

// byName runs the rules that look at the path alone.
func (d *detector) byName(path []byte, sc *scratch) {
	if d.names == nil || !d.names.get().matches(path, &sc.trace) {
		return
	}
	t := &text{path: path}
	for _, id := range d.byPath {
		r := d.rules[id]
		if !d.wantsPath(id, r, t, sc) {
			continue
		}
		sc.hits = append(sc.hits, hit{rule: r})
	}
}

// placeLines finds the start of the line of each hit, in one pass.
func placeLines(t *text, hits []hit) {
	order := make([]int, len(hits))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(hits[a].start, hits[b].start) })
	pos, line, row := 0, t.base, 0
	for _, i := range order {
		at := min(int(hits[i].start-t.base)+1, len(t.b))
		// A match that starts at a newline counts for the line after it.
		between := t.b[pos:max(pos, at)]
		if j := bytes.LastIndexByte(between, '\n'); j >= 0 {
			line = t.base + int64(pos+j+1)
			row += bytes.Count(between, []byte("\n"))
		}
		pos = max(pos, at)
		hits[i].line, hits[i].row = line, t.row+row
	}
}

// report turns hits into findings.
func (p *pass) report(f *penstock.File, hits []hit, r penstock.Reporter) {
	keep := p.d.settle(hits)
	for i := range hits {
		if !keep[i] {
			continue
		}
		r.Report(p.finding(f, &hits[i]))
	}
}

// settle decides which hits are reported: those whose requirements are met, and
// of two that mean the same the better.
func (d *detector) settle(hits []hit) []bool {
	keep := make([]bool, len(hits))
	for i := range hits {
		h := &hits[i]
		keep[i] = !h.quiet && !h.rule.silent && !h.allowed
		for _, q := range h.rule.required {
			if !keep[i] || !meets(h, q, hits) {
				keep[i] = false
				break
			}
		}
	}
	byLine := map[int64][]int{}
	for i := range hits {
		byLine[hits[i].line] = append(byLine[hits[i].line], i)
	}
	for i := range hits {
		h := &hits[i]
		if !keep[i] || !h.rule.generic {
			continue
		}
		for _, j := range byLine[h.line] {
			o := &hits[j]
			if j != i && !o.quiet && !o.rule.silent && o.rule.name != h.rule.name && !o.rule.generic && bytes.Contains(o.value, h.value) {
				keep[i] = false
				break
			}
		}
	}
	dropDecoded(hits, keep)
	dropOverlaps(hits, keep)
	return keep
}

// dropDecoded drops what a rule found in a decoded view and elsewhere, too, with
// fewer layers.
func dropDecoded(hits []hit, keep []bool) {
	var order []int
	some := false
	for i := range hits {
		if keep[i] {
			order = append(order, i)
			some = some || len(hits[i].decoded) > 0
		}
	}
	if !some {
		return
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &hits[a], &hits[b]
		return cmp.Or(cmp.Compare(x.rule.info.ID, y.rule.info.ID), cmp.Compare(x.from, y.from), cmp.Compare(len(x.decoded), len(y.decoded)))
	})
	last := -1
	for _, i := range order {
		h := &hits[i]
		if last >= 0 && hits[last].rule == h.rule && h.from < hits[last].to {
			switch {
			case len(h.decoded) > len(hits[last].decoded), len(h.decoded) > 0 && len(h.decoded) == len(hits[last].decoded) && bytes.Equal(h.value, hits[last].value):
				keep[i] = false
				continue
			case len(h.decoded) < len(hits[last].decoded):
				keep[last] = false
			}
		}
		last = i
	}
}

// dropOverlaps keeps, of our own rules' hits whose secrets overlap, the best.
func dropOverlaps(hits []hit, keep []bool) {
	var own []int
	for i := range hits {
		if keep[i] && hits[i].rule.own && hits[i].to > hits[i].from {
			own = append(own, i)
		}
	}
	slices.SortStableFunc(own, func(a, b int) int {
		return cmp.Or(cmp.Compare(hits[a].from, hits[b].from), cmp.Compare(hits[a].to, hits[b].to))
	})
	for k := 0; k < len(own); {
		// A cluster of secrets that overlap, each at least the next.
		end := hits[own[k]].to
		n := k + 1
		for n < len(own) && hits[own[n]].from < end {
			end = max(end, hits[own[n]].to)
			n++
		}
		if n > k+1 {
			cluster := slices.Clone(own[k:n])
			slices.SortStableFunc(cluster, func(a, b int) int { return better(&hits[a], &hits[b]) })
			for x, a := range cluster {
				for _, b := range cluster[:x] {
					if keep[b] && hits[a].from < hits[b].to && hits[b].from < hits[a].to {
						keep[a] = false
						break
					}
				}
			}
		}
		k = n
	}
}

// better orders hits on the same text, the one to keep first.
func better(a, b *hit) int {
	rank := func(h *hit) int {
		n := int(h.rule.info.Confidence) * 2
		if h.checked {
			n += 10
		}
		if !h.rule.generic {
			n += 7
		}
		if len(h.decoded) == 0 {
			n++
		}
		return n
	}
	return cmp.Or(
		cmp.Compare(rank(b), rank(a)),
		cmp.Compare(b.rule.info.Severity, a.rule.info.Severity),
		cmp.Compare(b.to-b.from, a.to-a.from),
		cmp.Compare(a.rule.info.ID, b.rule.info.ID),
	)
}

// meets reports whether a hit of a required rule is near enough.
func meets(h *hit, q requirement, hits []hit) bool {
	for i := range hits {
		o := &hits[i]
		if o.rule != q.rule || o.allowed {
			continue
		}
		if q.lines >= 0 && abs(o.row-h.row) > q.lines {
			continue
		}
		if q.columns >= 0 && abs(int(o.start-o.line)-int(h.start-h.line)) > q.columns {
			continue
		}
		return true
	}
	return false
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func (p *pass) finding(f *penstock.File, h *hit) *penstock.Finding {
	r := h.rule
	where := placeOf(f.Path)
	out := &penstock.Finding{
		Rule: r.info.ID, Title: r.info.Title, Message: r.desc,
		Severity: where.severity(r.info.Severity, h.checked && issued(r.checkName)), Confidence: r.info.Confidence,
		Location: penstock.Location{Path: f.Path, Span: penstock.Span{Start: h.from, End: h.to}},
		Fix:      h.fix,
	}
	if h.checked {
		out.Confidence = penstock.ConfidenceHigh
	}
	if r.re == nil {
		out.Evidence.Secret = &penstock.SecretEvidence{Kind: r.info.Title, Where: where.String()}
		out.Group = p.hash([]byte(fmt.Sprintf("path\x00%s\x00%s", r.info.ID, f.Path)))
		return out
	}
	out.Evidence.Scope = h.scope
	out.Evidence.Secret = &penstock.SecretEvidence{
		Kind: r.info.Title, Hint: hint(h.value), Length: len(h.value),
		Entropy: float64(int(h.entropy*100+0.5)) / 100,
		Decoded: h.decoded, Checksum: h.checked, Where: where.String(),
	}
	out.Group = p.hash(h.value)
	return out
}

// hash is the keyed hash by which the pass joins the places of one secret.
func (p *pass) hash(value []byte) string {
	m := hmac.New(sha256.New, p.key)
	m.Write(value)
	return hex.EncodeToString(m.Sum(nil))
}

// hint shows at most four characters of a value, and none of a short one.
func hint(value []byte) string {
	if len(value) < 16 {
		return ""
	}
	n := 0
	for n < 4 && value[n] > ' ' && value[n] < 0x7f {
		n++
	}
	if n == 0 {
		return ""
	}
	return string(value[:n]) + "…"
}
