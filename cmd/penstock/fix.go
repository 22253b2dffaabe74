package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/engine/pipeline"
	"penstock/internal/fix"
	"penstock/internal/report"
	"penstock/internal/scan"
)

type fixOptions struct {
	write, unsafe bool
	rule          string
	history       bool
	from          string
}

func (a *app) fixCommand() *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "fix [PATH...]",
		Short: "Show or write repairs of what a scan finds",
		Long: `Fix scans, and shows as a diff what would remove the open findings. Secrets are
redacted in it. With --write the edits are made: only inside the folder, only if
the file is as it was, and only if a new scan of the edited file has lost the
finding. A repair that moves jobs makes a file beside the workflow, never in the
place of another. An edit that needs a hand after it is made with --unsafe only. What a
person must do, such as revoking a credential, is listed and comes first.

With --history it prints how to rotate each secret in the history of git and then
how to take it out, as commands; nothing is run and no value is shown. --from
reads the stream of an earlier scan, "-" for standard input.`,
		Example: "  penstock fix --write\n  penstock scan --history --output jsonl=history.jsonl\n  penstock fix --history\n  penstock fix --history --from history.jsonl",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.history || o.from != "" {
				return a.fixHistory(cmd, args, &o)
			}
			return a.fix(cmd, orHere(args), &o)
		},
	}
	for _, opt := range options() {
		switch opt.flag {
		case "", "format", "output", "all", "width", "quiet", "exit-zero", "history":
		default:
			addFlag(cmd, opt)
		}
	}
	addConfigFlags(cmd)
	cmd.Flags().BoolVar(&o.write, "write", false, "make the edits")
	cmd.Flags().BoolVar(&o.unsafe, "unsafe", false, "also take edits that may need a hand after them")
	cmd.Flags().BoolVar(&o.history, "history", false, "print how to rotate and purge the secrets in history")
	cmd.Flags().StringVar(&o.from, "from", "", "with --history: the jsonl stream of an earlier scan")
	cmd.Flags().StringVar(&o.rule, "rule", "", "only findings of this rule")
	return cmd
}

func (a *app) fix(cmd *cobra.Command, targets []string, o *fixOptions) error {
	if slices.Contains(targets, "-") {
		return usage("name files or folders", "standard input cannot be repaired")
	}
	s, err := a.load(cmd, targets)
	if err != nil {
		return err
	}
	s.repairs = true
	c, err := a.check(cmd.Context(), s, targets)
	if err != nil {
		return err
	}
	base, err := fixBase(targets)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return &penstock.Error{Message: "open the folder to repair", Err: err}
	}
	defer root.Close()
	var open []*penstock.Finding
	for _, f := range c.result.Findings {
		if f.Suppressed == nil && f.Status != penstock.StatusFixed && (o.rule == "" || o.rule == f.Rule) {
			open = append(open, f)
		}
	}
	var beside map[string][]byte // read once
	plan, err := fix.Make(cmd.Context(), root, open, c.result.Findings, fix.Options{
		Unsafe: o.unsafe, Name: fixName(base),
		Scan: func(ctx context.Context, files map[string][]byte) ([]*penstock.Finding, error) {
			if beside == nil {
				beside = besides(root, files)
			}
			return a.scanBytes(ctx, s, files, beside)
		},
	})
	if err != nil {
		return err
	}
	a.showPlan(s, plan, open)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if !o.write {
		if len(plan.Files) > 0 {
			fmt.Fprintf(a.out, "\nTo make these edits: penstock fix --write%s\n", map[bool]string{true: " --unsafe"}[o.unsafe])
		}
		return nil
	}
	var errs []error
	for _, f := range plan.Files {
		if f.New {
			continue // is made with the one that it belongs to
		}
		if err := fix.Write(root, f); err != nil {
			errs = append(errs, &penstock.Error{Hint: "run fix again", Err: err})
			continue
		}
		for _, made := range f.Made {
			fmt.Fprintf(a.out, "made %s\n", plain(made.Path))
		}
		fmt.Fprintf(a.out, "wrote %s\n", plain(f.Path))
	}
	return errors.Join(errs...)
}

// fixHistory prints what to do about secrets in history. It changes nothing.
func (a *app) fixHistory(cmd *cobra.Command, targets []string, o *fixOptions) error {
	read, err := a.historySource(cmd, targets, o)
	if err != nil {
		return err
	}
	s := newSettings()
	if err := a.loadEnv(s); err != nil {
		return err
	}
	if err := loadFlags(cmd, s); err != nil {
		return err
	}
	tty, width := a.terminal(a.out)
	buf := bufio.NewWriterSize(a.out, 64<<10)
	guide := report.NewPurge(buf, report.Options{Color: report.ColorMode(s.Report.Color, a.env, tty), Width: width})
	if o.rule != "" {
		guide = oneRule{guide, o.rule}
	}
	if err := read(cmd.Context(), guide); err != nil {
		return err
	}
	if err := guide.Close(); err != nil {
		return err
	}
	return buf.Flush()
}

// historySource is where the records of a run over history come from: a stream
// that was kept, or a scan made on the spot.
func (a *app) historySource(cmd *cobra.Command, targets []string, o *fixOptions) (func(context.Context, report.Sink) error, error) {
	switch {
	case !o.history:
		return nil, usage("add --history", "--from is for --history")
	case o.write || o.unsafe:
		return nil, usage("leave out --write and --unsafe; run the commands yourself", "--history changes nothing")
	case o.from == "":
		return func(ctx context.Context, sink report.Sink) error {
			s, err := a.load(cmd, orHere(targets))
			if err != nil {
				return err
			}
			c, err := a.check(ctx, s, orHere(targets))
			if err != nil {
				return err
			}
			return c.records(sink.Record)
		}, nil
	case len(targets) > 0:
		return nil, usage("leave out the paths", "with --from there is nothing to scan")
	}
	return func(_ context.Context, sink report.Sink) error {
		in, done, err := a.openStream(o.from)
		if err != nil {
			return err
		}
		defer done()
		return report.Replay(in, sink)
	}, nil
}

// oneRule hands on the findings of one rule only.
type oneRule struct {
	report.Sink
	rule string
}

func (s oneRule) Record(r penstock.Record) error {
	if f, ok := r.(*penstock.Finding); ok && f.Rule != s.rule {
		return nil
	}
	return s.Sink.Record(r)
}

// fixBase is the folder in which files may be changed: the deepest one that
// holds all targets, or the current one if that holds them.
func fixBase(targets []string) (string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	common := commonFolder(cwd, targets)
	if within(cwd, common) {
		return cwd, nil
	}
	return common, nil
}

// fixName turns paths of findings into names below base.
func fixName(base string) func(string) string {
	return func(p string) string {
		abs, err := filepath.Abs(filepath.FromSlash(p))
		if err != nil || !within(base, abs) {
			return ""
		}
		rel, err := filepath.Rel(base, abs)
		if err != nil {
			return ""
		}
		return filepath.ToSlash(rel)
	}
}

// Bounds of what is laid beside edited definitions of pipelines, whose findings depend
// on other files: the walk's entries, the files, the bytes of one and of all.
const (
	besideEntries = 200_000
	besideFiles   = 5000
	besideFile    = 1 << 20
	besideBytes   = 64 << 20
)

// besides reads what definitions of pipelines draw in: other definitions, and scripts.
// What is not read makes the scans before and after see less, both alike.
func besides(root *os.Root, files map[string][]byte) map[string][]byte {
	found := map[string][]byte{}
	needed := false
	for name := range files {
		needed = needed || pipeline.Detect(name) != pipeline.KindNone
	}
	if !needed {
		return found
	}
	entries, size := 0, 0
	_ = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if entries++; entries > besideEntries || len(found) >= besideFiles || size >= besideBytes {
			return fs.SkipAll
		}
		if err != nil {
			return nil // it would not be read by the scan either
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "vendor", "third_party", "target", "dist":
				return fs.SkipDir
			}
			return nil
		}
		if _, edited := files[name]; edited || !d.Type().IsRegular() || !drawnIn(name) {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > besideFile {
			return nil
		}
		if b, err := root.ReadFile(name); err == nil {
			found[name] = b
			size += len(b)
		}
		return nil
	}) // the function returns no error
	return found
}

// drawnIn reports whether a pipeline may depend on a file of that name.
func drawnIn(name string) bool {
	if pipeline.Detect(name) != pipeline.KindNone || strings.HasPrefix(name, ".github/") || strings.Contains(name, "/.github/") || strings.HasPrefix(name, ".gitlab/") {
		return true
	}
	switch path.Base(name) {
	case "Makefile", "makefile", "GNUmakefile", "package.json", "Dockerfile", ".gitattributes":
		return true
	}
	switch path.Ext(name) {
	case ".sh", ".bash", ".py", ".js", ".mjs", ".cjs", ".ps1", ".rb", ".pl", ".mk", ".yml", ".yaml", ".groovy":
		return true
	}
	return false
}

// scanBytes scans bytes under the names that they have below the folder to repair, with
// what lies beside them there: all is put into a folder of this run, since it is the
// worker that has to read it.
func (a *app) scanBytes(ctx context.Context, s *settings, files, beside map[string][]byte) ([]*penstock.Finding, error) {
	dir, err := os.MkdirTemp("", "penstock-fix-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	put := func(name string, data []byte) error {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if !within(dir, p) {
			return fmt.Errorf("%s leads out of the folder", name)
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return err
		}
		return os.WriteFile(p, data, 0o600)
	}
	for _, set := range []map[string][]byte{beside, files} {
		for name, data := range set {
			if err := put(name, data); err != nil {
				return nil, err
			}
		}
	}
	ruleFiles, err := s.ruleFiles()
	if err != nil {
		return nil, err
	}
	pipelines, err := s.pipelineSetup()
	if err != nil {
		return nil, err
	}
	r, err := scan.Run(ctx, scan.Config{
		Roots: []string{dir}, Dir: dir, Engines: a.engines, Select: s.Scan.Engines,
		Setup: penstock.Setup{RuleFiles: ruleFiles, SkipRules: s.Scan.SkipRules, DecodeDepth: s.Scan.DecodeDepth, Pipeline: pipelines},
		NoGit: true, NoIgnores: true,
		Limits: s.Scan.Limits.scan(), Sandbox: s.Scan.Sandbox, Worker: a.worker, Now: a.now(), Version: version,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range r.Coverage {
		if _, edited := files[c.Path]; edited && c.State == penstock.Unread {
			return nil, errors.New("a file could not be read")
		}
	}
	return r.Findings, nil
}

// showPlan prints the steps first: an edit alone does not close a leak.
func (a *app) showPlan(s *settings, plan *fix.Plan, open []*penstock.Finding) {
	if len(open) == 0 {
		fmt.Fprintln(a.out, "nothing to repair: no open findings")
		return
	}
	tty, _ := a.terminal(a.out)
	color := report.ColorMode(s.Report.Color, a.env, tty)
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	if steps := stepsOf(open); len(steps) > 0 {
		fmt.Fprintln(a.out, "First, by hand:")
		for _, step := range steps {
			fmt.Fprintf(a.out, "  %s\n", plain(step))
		}
	}
	for _, f := range plan.Files {
		old := plain(f.Path)
		if f.New {
			old = "/dev/null"
		}
		fmt.Fprintf(a.out, "\n%s\n%s\n", paint("1", "--- "+old), paint("1", "+++ "+plain(f.Path)))
		for _, l := range f.Diff() {
			text := plainTabs(l.Text)
			switch l.Kind {
			case '@':
				fmt.Fprintln(a.out, paint("36", text))
			case '-':
				fmt.Fprintln(a.out, paint("31", "-"+text))
			case '+':
				fmt.Fprintln(a.out, paint("32", "+"+text))
			default:
				fmt.Fprintln(a.out, " "+text)
			}
		}
	}
	if len(plan.Left) == 0 {
		return
	}
	fmt.Fprintf(a.out, "\nNot repaired:\n")
	unsafe := false
	for _, l := range plan.Left {
		unsafe = unsafe || l.Unsafe
		fmt.Fprintf(a.out, "  %s:%d %s %s\n", plain(l.Finding.Location.Path), l.Finding.Location.Line, plain(l.Finding.Rule), plain(l.Why))
	}
	if unsafe {
		fmt.Fprintln(a.out, "To see the edits that may need a hand: penstock fix --unsafe")
	}
}

// plainTabs is plain for a line of source.
func plainTabs(s string) string {
	parts := strings.Split(s, "\t")
	for i := range parts {
		parts[i] = plain(parts[i])
	}
	return strings.Join(parts, "\t")
}

// stepsOf lists what a person must do, each step once, with where it is about.
func stepsOf(findings []*penstock.Finding) []string {
	var order []string
	places := map[string][]string{}
	for _, f := range findings {
		if f.Fix == nil {
			continue
		}
		for _, step := range f.Fix.Steps {
			if places[step] == nil {
				order = append(order, step)
			}
			places[step] = append(places[step], fmt.Sprintf("%s:%d", f.Location.Path, f.Location.Line))
		}
	}
	const most = 3
	for i, step := range order {
		at := places[step]
		more := ""
		if len(at) > most {
			more = fmt.Sprintf(" and %d more", len(at)-most)
			at = at[:most]
		}
		order[i] = fmt.Sprintf("%d. %s (%s%s)", i+1, step, strings.Join(at, ", "), more)
	}
	return order
}
