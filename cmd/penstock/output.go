package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"penstock"
	"penstock/internal/report"
)

// target is one report to write. Path is "-" for standard output.
type target struct{ format, path string }

// targets reads --format and --output. Without either the text goes to standard
// output; an --output of "-" takes its place.
func (s *settings) targets() ([]target, error) {
	formats := report.Formats()
	check := func(format string, code int, from string) error {
		if slices.Contains(formats, format) {
			return nil
		}
		return &penstock.Error{Code: code, Message: fmt.Sprintf("%s: unknown format %q", from, format), Hint: nearHint(format, formats)}
	}
	origin := s.origin["report.format"]
	if err := check(s.Report.Format, s.codeOf("report.format"), origin); err != nil {
		return nil, err
	}
	var list []target
	seen := map[string]bool{}
	for _, o := range s.Report.Output {
		format, path, ok := strings.Cut(o, "=")
		if !ok || path == "" {
			return nil, usage("write format=path, such as sarif=penstock.sarif", "--output %q names no path", o)
		}
		if err := check(format, penstock.ExitUsage, "--output"); err != nil {
			return nil, err
		}
		clean := path
		if path != "-" {
			clean = filepath.Clean(path)
		}
		if seen[clean] {
			return nil, usage("give each report a path of its own", "two reports would go to %s", path)
		}
		seen[clean] = true
		list = append(list, target{format, path})
	}
	if seen["-"] {
		if strings.HasPrefix(origin, "--") {
			return nil, usage("leave out --format, or give the other report a path", "two reports would go to standard output")
		}
		return list, nil
	}
	return append([]target{{s.Report.Format, "-"}}, list...), nil
}

// sinkOptions are the choices for one report.
func (a *app) sinkOptions(s *settings, t target, commit string) report.Options {
	o := report.Options{All: s.Report.All, Verbose: s.Report.Verbose, Quiet: s.Report.Quiet, Time: a.sourceDate(), Commit: commit}
	o.MaxBytes = int(min(s.Report.MarkdownSize, math.MaxInt32))
	if t.path != "-" || t.format != "text" {
		return o
	}
	tty, width := a.terminal(a.out)
	o.Color = report.ColorMode(s.Report.Color, a.env, tty)
	o.Width = s.Report.Width
	if tty {
		if o.Width == 0 {
			o.Width = width
		}
		if dir, err := os.Getwd(); err == nil && o.Color {
			o.Links, o.Dir = true, dir
		}
	}
	return o
}

// sourceDate is SOURCE_DATE_EPOCH (reproducible-builds.org), or zero.
func (a *app) sourceDate() time.Time {
	n, err := strconv.ParseInt(a.env("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// terminal reports whether w is one, and its columns.
func (a *app) terminal(w io.Writer) (is bool, width int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, 0
	}
	return true, width
}

// outputs are all reports of one run. They are written beside their places and
// put there together at the end, so that a run that fails leaves nothing.
type outputs struct {
	list []*output
}

type output struct {
	target
	sink report.Sink
	buf  *bufio.Writer
	// file is the temporary file that becomes path; or, for a device or pipe, the
	// thing itself; nil for standard output.
	file *os.File
	temp string
	path string
}

// checkTargets finds what is wrong with the places before anything is scanned.
func checkTargets(list []target) error {
	for _, t := range list {
		if t.path == "-" {
			continue
		}
		if st, err := os.Stat(t.path); err == nil && st.IsDir() {
			return usage("name a file in it", "%s is a folder", t.path)
		}
		dir := filepath.Dir(t.path)
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return &penstock.Error{Message: fmt.Sprintf("cannot write %s: there is no folder %s", t.path, dir), Hint: "make the folder first"}
		}
	}
	return nil
}

// openOutputs opens every report. Standard output is last, so that it is written
// only if all files could be.
func (a *app) openOutputs(list []target, options func(target) report.Options) (*outputs, error) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b target) int {
		return strings.Compare(strconv.FormatBool(a.path == "-"), strconv.FormatBool(b.path == "-"))
	})
	outs := &outputs{}
	for _, t := range list {
		o, err := a.openOutput(t)
		if err != nil {
			outs.discard()
			return nil, err
		}
		outs.list = append(outs.list, o)
		if o.sink, err = report.New(t.format, o.buf, options(t)); err != nil {
			outs.discard()
			return nil, err
		}
	}
	return outs, nil
}

func (a *app) openOutput(t target) (*output, error) {
	o := &output{target: t, path: t.path}
	if t.path == "-" {
		o.buf = bufio.NewWriterSize(a.out, 64<<10)
		return o, nil
	}
	fail := func(err error) error {
		return &penstock.Error{Message: "write report " + t.path, Err: err}
	}
	mode := fs.FileMode(0o666)
	if real, err := filepath.EvalSymlinks(t.path); err == nil {
		o.path = real
		st, err := os.Stat(real)
		if err != nil {
			return nil, fail(err)
		}
		if !st.Mode().IsRegular() {
			if o.file, err = os.OpenFile(real, os.O_WRONLY, 0); err != nil {
				return nil, fail(err)
			}
			o.buf = bufio.NewWriterSize(o.file, 64<<10)
			return o, nil
		}
		mode = st.Mode().Perm()
	}
	f, err := createBeside(o.path, mode)
	if err != nil {
		return nil, fail(err)
	}
	o.file, o.temp = f, f.Name()
	o.buf = bufio.NewWriterSize(f, 64<<10)
	return o, nil
}

// createBeside makes a new file in the folder of path. The process's umask
// applies, as it would to the file itself.
func createBeside(path string, mode fs.FileMode) (*os.File, error) {
	for i := range 1000 {
		name := fmt.Sprintf("%s.%d-%d.tmp", path, os.Getpid(), i)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("no free name beside %s", path)
}

// record gives a record to every report.
func (o *outputs) record(r penstock.Record) error {
	for _, out := range o.list {
		if err := out.sink.Record(r); err != nil {
			return &penstock.Error{Message: "write report " + out.target.path, Err: err}
		}
	}
	return nil
}

// Record makes outputs a sink for a replay.
func (o *outputs) Record(r penstock.Record) error { return o.record(r) }

// Close is for the interface of a sink; commit does the work.
func (o *outputs) Close() error { return nil }

// commit completes all reports and puts them in place, or discards them.
func (o *outputs) commit() error {
	for _, out := range o.list {
		err := out.sink.Close()
		if err == nil && out.path != "-" {
			err = out.buf.Flush()
		}
		if err == nil && out.temp != "" {
			err = out.file.Sync()
		}
		if err != nil {
			o.discard()
			return &penstock.Error{Message: "write report " + out.target.path, Err: err}
		}
	}
	for _, out := range o.list {
		if out.temp == "" {
			continue
		}
		err := errors.Join(out.file.Close(), os.Rename(out.temp, out.path))
		if err != nil {
			o.discard()
			return &penstock.Error{Message: "write report " + out.target.path, Err: err}
		}
		out.temp = ""
	}
	for _, out := range o.list {
		if out.path != "-" {
			continue
		}
		if err := out.buf.Flush(); err != nil {
			return &penstock.Error{Message: "write to standard output", Err: err}
		}
	}
	return nil
}

// discard removes what was begun.
func (o *outputs) discard() {
	for _, out := range o.list {
		if out.file != nil {
			out.file.Close()
		}
		if out.temp != "" {
			os.Remove(out.temp)
			out.temp = ""
		}
	}
}

// stepSummary appends the Markdown report to the summary of a GitHub job. It is
// a service: what goes wrong with it is said and changes nothing.
func (a *app) stepSummary(s *settings, commit string, records func(func(penstock.Record) error) error) {
	path := a.env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return
	}
	var text strings.Builder
	o := a.sinkOptions(s, target{"markdown", path}, commit)
	o.MaxBytes = 0
	sink, err := report.New("markdown", &text, o)
	if err == nil {
		err = records(sink.Record)
	}
	if err == nil {
		err = sink.Close()
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	}
	if err == nil {
		_, err = f.WriteString(text.String())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintf(a.err, "warning: the step summary was not written: %s\n", plain(err.Error()))
	}
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progress is one line on a terminal's standard error, which appears only if the
// run takes long enough to wonder.
type progress struct {
	w     io.Writer
	now   func() time.Time
	start time.Time
	last  time.Time
	shown bool
}

const (
	progressAfter = 300 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

// progress returns nil where nothing is to be shown.
func (a *app) progress(s *settings) *progress {
	if tty, _ := a.terminal(a.err); !tty || s.Report.Quiet || a.env("TERM") == "dumb" {
		return nil
	}
	return &progress{w: a.err, now: a.now, start: a.now()}
}

func (p *progress) update(files int) {
	now := p.now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.shown = now, true
	fmt.Fprintf(p.w, "\r\x1b[Kfiles checked: %d", files)
}

// end erases the line.
func (p *progress) end() {
	if p != nil && p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
