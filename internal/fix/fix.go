// Package fix applies the edits that findings propose.
//
// Invariant: a file is changed only inside the root, only if it still holds the
// bytes that the plan was made from, and only if a new scan of the edited bytes
// has lost the finding and gained none. A file is made only beside one that is
// changed, and never in the place of another. What a plan shows never holds a secret.
package fix

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"penstock"
)

// maxFile bounds the files that are edited, in bytes: they are held in memory
// twice, and nobody edits larger ones by hand.
const maxFile = 16 << 20

// Options are the choices of a plan.
type Options struct {
	// Unsafe also takes edits that may change what the program does or need a
	// hand after.
	Unsafe bool
	// Name turns the path of a finding into one below the root, "" if the file is
	// not there; nil means that they are the same.
	Name func(path string) string
	// Scan finds what is in files of these names (below the root) and bytes. It
	// runs with the rules of the scan that the findings are from.
	Scan func(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error)
}

// Plan is what can be done about findings.
type Plan struct {
	// Files are the edits, sorted by path.
	Files []*File
	// Left are the findings that no edit of the plan removes, in the order given,
	// each with the reason.
	Left []Left
}

// File is one file with its edits.
type File struct {
	// Path is as findings have it; Name is below the root.
	Path, Name string
	Before     []byte
	After      []byte
	// Fixed are the findings that the edits remove.
	Fixed []*penstock.Finding

	// New means that there is no such file yet: it is made when another file of the plan
	// is written, which has it in Made and loses lines to it.
	New  bool
	Made []*File

	// of is the file that a new one is made beside, edits its parts.
	of    *File
	edits []penstock.Edit
	// hide are the spans of Before that must not be shown, sorted.
	hide []penstock.Span
	mode fs.FileMode
}

// Left is a finding that stays.
type Left struct {
	Finding *penstock.Finding
	Why     string
	// Unsafe means that an edit exists and was not asked for.
	Unsafe bool
}

// Make plans the edits that remove findings. all are all findings of the run:
// their places are hidden when the plan is shown. Files are read, none is
// written. An error means that the plan as a whole could not be made.
func Make(ctx context.Context, root *os.Root, findings, all []*penstock.Finding, opts Options) (*Plan, error) {
	if opts.Name == nil {
		opts.Name = func(p string) string { return p }
	}
	b := &builder{root: root, opts: opts, files: map[string]*File{}, plan: &Plan{}}
	// What moves lines comes first: edits within them can be made afterwards, and are
	// mostly about less.
	moves := func(f *penstock.Finding) bool {
		return f.Fix != nil && slices.ContainsFunc(f.Fix.Edits, func(e penstock.Edit) bool { return e.New })
	}
	for _, first := range []bool{true, false} {
		for _, f := range findings {
			if moves(f) == first {
				b.add(f)
			}
		}
	}
	b.hide(all)
	files := make([]*File, 0, len(b.files))
	for _, f := range b.files {
		files = append(files, f)
	}
	slices.SortFunc(files, func(x, y *File) int { return strings.Compare(x.Path, y.Path) })
	if err := b.verify(ctx, files); err != nil {
		return nil, err
	}
	index := make(map[*penstock.Finding]int, len(findings))
	for i, f := range findings {
		index[f] = i
	}
	slices.SortStableFunc(b.plan.Left, func(x, y Left) int { return cmp.Compare(index[x.Finding], index[y.Finding]) })
	return b.plan, nil
}

type builder struct {
	root  *os.Root
	opts  Options
	files map[string]*File // by path
	plan  *Plan
}

func (b *builder) leave(f *penstock.Finding, why string, args ...any) {
	b.plan.Left = append(b.plan.Left, Left{Finding: f, Why: fmt.Sprintf(why, args...)})
}

// add takes the edits of one finding that can be made. Each place that is cleaned
// is one less, so one that cannot be edited does not keep the others.
func (b *builder) add(f *penstock.Finding) {
	switch {
	case f.Fix == nil || len(f.Fix.Edits) == 0:
		b.leave(f, "needs a change by hand")
		return
	case !f.Fix.Safe && !b.opts.Unsafe:
		b.plan.Left = append(b.plan.Left, Left{Finding: f, Why: "has an edit that may need a hand after it", Unsafe: true})
		return
	}
	if f.Evidence.Secret == nil {
		b.addWhole(f)
		return
	}
	var why string
	for _, e := range f.Fix.Edits {
		w := b.possible(e)
		if w == same {
			w = overlaps
		}
		if w != "" && w != overlaps {
			why = w
			continue
		}
		// Where another finding's edit takes the place out, that will do.
		file := b.files[e.Path]
		if w == "" {
			file.edits = append(file.edits, e)
		}
		if !slices.Contains(file.Fixed, f) {
			file.Fixed = append(file.Fixed, f)
		}
	}
	all := append([]penstock.Location{f.Location}, f.Places...)
	n := 0
	for _, l := range all {
		if b.edited(l) {
			n++
		}
	}
	switch {
	case n == len(all):
	case why == "":
		b.leave(f, "needs a change by hand in %d of %d places", len(all)-n, len(all))
	case len(all) == 1:
		b.leave(f, "%s", why)
	default:
		b.leave(f, "stays in %d of %d places: one %s", len(all)-n, len(all), why)
	}
}

// addWhole takes all edits of a finding or none: they belong together. An edit that
// another finding has, too, is made once, and what comes in at one place by several
// comes one after the other.
func (b *builder) addWhole(f *penstock.Finding) {
	for _, e := range f.Fix.Edits {
		if e.New {
			continue
		}
		if w := b.possible(e); w != "" && w != same {
			b.leave(f, "%s", w)
			return
		}
	}
	if w := b.addNew(f); w != "" {
		b.leave(f, "%s", w)
		return
	}
	for _, e := range f.Fix.Edits {
		if e.New {
			continue
		}
		file := b.files[e.Path]
		if !slices.Contains(file.edits, e) {
			file.edits = append(file.edits, e)
		}
		if !slices.Contains(file.Fixed, f) {
			file.Fixed = append(file.Fixed, f)
		}
	}
}

// addNew takes the files that a fix makes, each of parts that are in order. It says why
// one cannot be made, and then takes none.
func (b *builder) addNew(f *penstock.Finding) string {
	made := map[string]*File{}
	var order []string
	for _, e := range f.Fix.Edits {
		if !e.New {
			continue
		}
		n := made[e.Path]
		if n == nil {
			of, why := b.source(f, e.Path)
			if why != "" {
				return why
			}
			n = &File{Path: e.Path, Name: path.Join(path.Dir(of.Name), path.Base(e.Path)), New: true, of: of}
			made[e.Path] = n
			order = append(order, e.Path)
		}
		switch {
		case e.From == "" && e.Span == (penstock.Span{}):
		case e.From != n.of.Path || e.Text != "":
			return "makes a file of what it does not edit"
		case e.Start < 0 || e.End < e.Start || e.End > int64(len(n.of.Before)):
			return "has changed since the scan"
		}
		n.edits = append(n.edits, e)
		if n.size() > maxFile {
			return fmt.Sprintf("makes a file that is larger than %d MiB", maxFile>>20)
		}
	}
	for _, p := range order {
		n := made[p]
		if old := b.files[p]; old != nil {
			// Several findings move the same lines. Anything else is another file.
			if !old.New || !slices.Equal(old.edits, n.edits) {
				return overlaps
			}
			continue
		}
		for _, other := range b.files {
			if other.New && strings.EqualFold(other.Name, n.Name) {
				return overlaps
			}
		}
		if why := b.vacant(n); why != "" {
			return why
		}
	}
	for _, p := range order {
		if b.files[p] == nil {
			b.files[p] = made[p]
		}
		b.files[p].Fixed = append(b.files[p].Fixed, f)
	}
	return ""
}

// source is the file beside which a fix may make one: it lies in the same folder and is
// edited by the fix, too.
func (b *builder) source(f *penstock.Finding, name string) (*File, string) {
	const odd = "makes a file of a name that is not allowed"
	base := path.Base(name)
	if !fs.ValidPath(base) || strings.HasPrefix(base, ".") || len(base) > 255 || path.Clean(name) != name || strings.ContainsFunc(base, odder) {
		return nil, odd
	}
	if _, member := penstock.SplitContainer(name); member != "" {
		return nil, odd
	}
	for _, e := range f.Fix.Edits {
		if of := b.files[e.Path]; !e.New && of != nil && !of.New && path.Dir(e.Path) == path.Dir(name) {
			if b.opts.Name(name) != path.Join(path.Dir(of.Name), base) {
				return nil, odd
			}
			return of, ""
		}
	}
	return nil, "makes a file far from those that it edits"
}

// odder reports what does not belong into the name of a file that we make: what a shell
// or a terminal takes for something else, and what other systems do not have.
func odder(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r))
}

// vacant says why a file cannot be made: something has its name, if only in another case,
// by which some systems do not tell them apart.
func (b *builder) vacant(n *File) string {
	// The folder was reached without a link, or the file beside it would not be open; the
	// kernel keeps both inside of the root.
	dir, err := b.root.Open(path.Dir(n.Name))
	if err != nil {
		return "cannot make a file: " + reason(err)
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		for _, name := range names {
			if strings.EqualFold(name, path.Base(n.Name)) {
				return "makes a file that is there already"
			}
		}
		switch {
		case errors.Is(err, io.EOF) || err == nil && len(names) == 0:
			return ""
		case err != nil:
			return "cannot make a file: " + reason(err)
		}
	}
}

// size is how long a new file gets, in bytes.
func (f *File) size() int {
	n := 0
	for _, e := range f.edits {
		n += len(e.Text) + int(e.End-e.Start)
	}
	return n
}

// drop takes the edits of a finding out of the plan, but for those that others need.
func (b *builder) drop(f *penstock.Finding) {
	for _, file := range b.files {
		i := slices.Index(file.Fixed, f)
		if i < 0 {
			continue
		}
		file.Fixed = slices.Delete(file.Fixed, i, i+1)
		file.edits = nil
		for _, x := range file.Fixed {
			if file.New && len(file.edits) > 0 {
				break // the parts are the same for all
			}
			for _, e := range x.Fix.Edits {
				if e.Path == file.Path && (file.New || !slices.Contains(file.edits, e)) {
					file.edits = append(file.edits, e)
				}
			}
		}
	}
}

// edited reports whether the plan changes a place.
func (b *builder) edited(l penstock.Location) bool {
	file, ok := b.files[l.Path]
	return ok && file.edited(l.Span)
}

func (f *File) edited(s penstock.Span) bool {
	return !f.New && slices.ContainsFunc(f.edits, func(e penstock.Edit) bool { return e.Overlaps(s) })
}

const (
	overlaps = "overlaps another edit: run fix again after it"
	same     = "is made for another finding"
)

// possible opens the file of an edit and says why the edit cannot be made.
func (b *builder) possible(e penstock.Edit) string {
	if e.New || e.From != "" {
		return "moves text, which no repair of this kind does"
	}
	if _, member := penstock.SplitContainer(e.Path); member != "" {
		return "lies in an archive"
	}
	file, err := b.file(e.Path)
	if err != nil {
		return "cannot be edited: " + reason(err)
	}
	if file.New {
		return overlaps
	}
	if e.Start < 0 || e.End < e.Start || e.End > int64(len(file.Before)) {
		return "has changed since the scan"
	}
	for _, other := range file.edits {
		if e == other {
			return same
		}
		if e.Overlaps(other.Span) || e.Span == other.Span && e.Start < e.End {
			return overlaps
		}
	}
	return ""
}

func (b *builder) file(p string) (*File, error) {
	if f, ok := b.files[p]; ok {
		return f, nil
	}
	name := b.opts.Name(p)
	if name == "" {
		return nil, errors.New("it is outside of the folder")
	}
	data, mode, err := read(b.root, name)
	if err != nil {
		return nil, err
	}
	// Positions in other encodings are those of the converted text.
	if bytes.IndexByte(data, 0) >= 0 || bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("it is no text in UTF-8 or the like")
	}
	f := &File{Path: p, Name: name, Before: data, mode: mode}
	b.files[p] = f
	return f, nil
}

// read reads a regular file below the root. A link is refused even where it
// leads inside: the scan did not follow it.
func read(root *os.Root, name string) ([]byte, fs.FileMode, error) {
	st, err := root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, errors.New("it is no regular file")
	}
	if st.Size() > maxFile {
		return nil, 0, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !os.SameFile(st, opened) {
		return nil, 0, errors.New("it changed while it was read")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return data, opened.Mode(), err
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// hide collects what must not be shown of the files: the places of all findings,
// whatever became of them.
func (b *builder) hide(all []*penstock.Finding) {
	add := func(l penstock.Location) {
		if f, ok := b.files[l.Path]; ok && !f.New && l.Start >= 0 && l.Start < l.End && l.End <= int64(len(f.Before)) {
			f.hide = append(f.hide, l.Span)
		}
	}
	for _, f := range all {
		if f.Evidence.Secret == nil {
			continue
		}
		add(f.Location)
		for _, l := range f.Places {
			add(l)
		}
		if f.Fix == nil {
			continue
		}
		// What an edit takes out is the secret with its quotes.
		for _, e := range f.Fix.Edits {
			add(penstock.Location{Path: e.Path, Span: e.Span})
		}
	}
	for _, f := range b.files {
		f.hide = union(f.hide)
	}
}

// union sorts spans and joins those that touch.
func union(spans []penstock.Span) []penstock.Span {
	slices.SortFunc(spans, func(a, b penstock.Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
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

func (f *File) apply() {
	if f.New {
		f.After = make([]byte, 0, f.size())
		for _, e := range f.edits {
			f.After = append(append(f.After, e.Text...), f.of.Before[e.Start:e.End]...)
		}
		return
	}
	slices.SortStableFunc(f.edits, func(a, b penstock.Edit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var out bytes.Buffer
	at := int64(0)
	for _, e := range f.edits {
		out.Write(f.Before[at:e.Start])
		out.WriteString(e.Text)
		at = e.End
	}
	out.Write(f.Before[at:])
	f.After = out.Bytes()
}

// maxRounds bounds how often a plan is scanned, each time without the findings whose
// edits did no good the time before: then whole files are left out, and in the end all.
const maxRounds = 5

// verify scans the files as they are and as they would be, and keeps those in
// which every finding goes away and none comes.
func (b *builder) verify(ctx context.Context, files []*File) error {
	if len(files) == 0 {
		return nil
	}
	before := map[string][]byte{}
	made := map[string]bool{}
	for _, f := range files {
		if f.New {
			made[f.Name] = true
			f.of.Made = append(f.of.Made, f)
			continue
		}
		before[f.Name] = f.Before
	}
	old, err := b.scan(ctx, before)
	if err != nil {
		return err
	}
	for round := 1; ; round++ {
		after := map[string][]byte{}
		for _, f := range files {
			f.apply()
			if !f.New || len(f.edits) > 0 {
				after[f.Name] = f.After
			}
		}
		now, err := b.scan(ctx, after)
		if err != nil {
			return err
		}
		bad := map[*penstock.Finding]string{}
		for _, f := range files {
			if f.New {
				continue // what is found there counts for the file that it was taken from
			}
			own := map[*penstock.Finding]string{}
			all := now[f.Name]
			for _, n := range f.Made {
				for _, p := range now[n.Name] {
					p.apart = true
					all = append(all, p)
				}
			}
			f.judge(old[f.Name], all, own)
			if len(own) > 0 && round >= maxRounds {
				for _, x := range f.Fixed {
					own[x] = cmp.Or(own[x], "other edits of the file do not work")
				}
			}
			maps.Copy(bad, own)
		}
		for name, all := range now {
			if _, ours := before[name]; !ours && !made[name] && more(old[name], all) != "" {
				// Another file gets worse: nobody can say by which edit.
				for _, f := range files {
					for _, x := range f.Fixed {
						bad[x] = "makes another file worse"
					}
				}
			}
		}
		if len(bad) == 0 {
			break
		}
		for _, f := range files {
			for _, x := range slices.Clone(f.Fixed) {
				if why := bad[x]; why != "" || round >= 2*maxRounds {
					b.leave(x, "%s", cmp.Or(why, "other edits do not work"))
					b.drop(x)
				}
			}
		}
	}
	for _, f := range files {
		f.Made = slices.DeleteFunc(f.Made, func(n *File) bool { return len(n.edits) == 0 })
		if len(f.edits) > 0 {
			b.plan.Files = append(b.plan.Files, f)
		}
	}
	return nil
}

// place is where a scan found something.
type place struct {
	penstock.Span
	// kind is the rule. The rule that a place of a secret is told under depends on
	// where else the same one stands, so those are one kind.
	kind string
	// grave is false for what is told for information only.
	grave bool
	// apart: it lies in a file that is made, and Span is one of that.
	apart bool
}

func kindOf(f *penstock.Finding) string {
	if f.Evidence.Secret != nil {
		return "secret"
	}
	return f.Rule
}

// scan returns the places of all findings by file.
func (b *builder) scan(ctx context.Context, files map[string][]byte) (map[string][]place, error) {
	findings, err := b.opts.Scan(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("scan the edited files: %w", err)
	}
	places := map[string][]place{}
	for _, f := range findings {
		for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
			places[l.Path] = append(places[l.Path], place{Span: l.Span, kind: kindOf(f), grave: f.Severity != penstock.Info})
		}
	}
	return places, nil
}

// more names a kind of which there are more places than before, those for information
// left out.
func more(old, now []place) string {
	count := map[string]int{}
	for _, p := range old {
		count[p.kind]++
	}
	for _, p := range now {
		if !p.grave {
			continue
		}
		if count[p.kind]--; count[p.kind] < 0 {
			return p.kind
		}
	}
	return ""
}

// judge says of which findings the edits must not be made, and why: the scan of the
// file as it is does not know them any more, or that of the edited one still has them
// or new ones.
func (f *File) judge(old, now []place, bad map[*penstock.Finding]string) {
	const still = "would still be found after the edit, or another flaw in its place"
	fixed := map[place]bool{} // grave is not set
	kinds := map[string]int{}
	for _, x := range f.Fixed {
		kind, known := kindOf(x), false
		for _, l := range append([]penstock.Location{x.Location}, x.Places...) {
			if l.Path != f.Path || kind == "secret" && !f.edited(l.Span) {
				continue
			}
			if !slices.ContainsFunc(old, func(p place) bool { return p.Span == l.Span && p.kind == kind }) {
				bad[x] = "has changed since the scan"
				continue
			}
			known = true
			if at := (place{Span: l.Span, kind: kind}); !fixed[at] {
				fixed[at] = true
				kinds[kind]++
			}
			// A place that no edit touches is found again at its new offset.
			if kind != "secret" && !f.edited(l.Span) {
				moved := penstock.Span{Start: f.moved(l.Start), End: f.moved(l.End)}
				if slices.ContainsFunc(now, func(p place) bool { return p.Span == moved && p.kind == kind && !p.apart }) {
					bad[x] = still
				}
			}
		}
		if !known && bad[x] == "" && kind == "secret" {
			bad[x] = "has an edit that does not touch it"
		}
	}
	if len(bad) > 0 {
		return
	}
	var stay []place
	for _, p := range old {
		if at := (place{Span: p.Span, kind: p.kind}); !fixed[at] {
			stay = append(stay, p)
		}
	}
	left := map[string]int{}
	for _, p := range stay {
		left[p.kind]++
	}
	count := map[string]int{}
	for _, p := range now {
		if p.grave || kinds[p.kind] > 0 {
			count[p.kind]++
		}
	}
	for kind, n := range count {
		if n <= left[kind] {
			continue
		}
		// Those of the kind have not gone; of a new kind all may be the cause.
		for _, x := range f.Fixed {
			if kinds[kind] == 0 || kindOf(x) == kind {
				bad[x] = still
			}
		}
		if kinds[kind] == 0 {
			f.narrow(stay, now, kind, bad)
		}
	}
}

// narrow acquits findings whose edits lie far from every place of a new kind.
func (f *File) narrow(stay, now []place, kind string, bad map[*penstock.Finding]string) {
	const near = 300 // bytes
	guilty := map[*penstock.Finding]bool{}
	for _, p := range now {
		if p.kind == kind && p.apart {
			for _, x := range f.Fixed {
				if slices.ContainsFunc(x.Fix.Edits, func(e penstock.Edit) bool { return e.New }) {
					guilty[x] = true
				}
			}
			continue
		}
		if p.kind != kind || slices.ContainsFunc(stay, func(o place) bool { return o.kind == kind && f.moved(o.Start) == p.Start }) {
			continue
		}
		for _, x := range f.Fixed {
			for _, e := range x.Fix.Edits {
				if at := f.moved(e.Start); e.Path == f.Path && at-near <= p.End && p.Start <= at+int64(len(e.Text))+near {
					guilty[x] = true
				}
			}
		}
	}
	if len(guilty) == 0 {
		return
	}
	for _, x := range f.Fixed {
		if !guilty[x] {
			delete(bad, x)
		}
	}
}

// moved is where a byte of the file is after the edits.
func (f *File) moved(at int64) int64 {
	d := int64(0)
	for _, e := range f.edits {
		if e.End > at {
			break
		}
		d += int64(len(e.Text)) - (e.End - e.Start)
	}
	return at + d
}

// ErrChanged says that a file is not as the plan knows it.
var ErrChanged = errors.New("it changed since the plan was made")

// Write puts one file of the plan in place: a new file beside it with the same
// permissions and owner, then a rename. It refuses with ErrChanged a file that
// is not as planned. The files that it has in Made come first, and none of them stays
// if the file cannot be written; by itself no new file is written.
func Write(root *os.Root, f *File) error {
	if f.New {
		return fmt.Errorf("write %s: it belongs to another file", f.Path)
	}
	now, mode, err := read(root, f.Name)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	if !bytes.Equal(now, f.Before) || mode != f.mode {
		return fmt.Errorf("write %s: %w", f.Path, ErrChanged)
	}
	old, err := root.Lstat(f.Name)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	for i, n := range f.Made {
		if err = n.create(root, old); err != nil {
			err = fmt.Errorf("write %s: %w", n.Path, err)
			f.unmake(root, i)
			return err
		}
	}
	temp, err := f.writeBeside(root, old)
	if err == nil {
		if err = root.Rename(temp, f.Name); err != nil {
			root.Remove(temp)
		}
	}
	if err != nil {
		f.unmake(root, len(f.Made))
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}

// unmake removes the first n files that were made.
func (f *File) unmake(root *os.Root, n int) {
	for _, m := range f.Made[:n] {
		root.Remove(m.Name) // what is left of it does no harm but to be in the way
	}
}

// create makes a new file with the permissions and owner of an old one. Nothing is
// written to what is there already.
func (f *File) create(root *os.Root, old fs.FileInfo) error {
	out, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	_, err = out.Write(f.After)
	err = errors.Join(err, out.Chmod(old.Mode().Perm()), sameOwner(out, old), out.Sync(), out.Close())
	if err != nil {
		root.Remove(f.Name)
	}
	return err
}

func (f *File) writeBeside(root *os.Root, old fs.FileInfo) (name string, err error) {
	for i := range 1000 {
		name = path.Join(path.Dir(f.Name), fmt.Sprintf(".%s.%d-%d.tmp", path.Base(f.Name), os.Getpid(), i))
		out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = out.Write(f.After)
		err = errors.Join(err, out.Chmod(old.Mode().Perm()), sameOwner(out, old), out.Sync(), out.Close())
		if err != nil {
			root.Remove(name)
			return "", err
		}
		return name, nil
	}
	return "", errors.New("no free name beside it")
}
