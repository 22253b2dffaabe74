package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/engine/pipeline"
	"penstock/internal/gate"
	"penstock/internal/report"
	"penstock/internal/scan"
)

func (a *app) scanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scan [PATH...]",
		Short: "Check folders, files and archives, and pass or block",
		Long: `Scan checks folders, files and archives, the current folder if none is named,
or standard input for "-". It prints what it found, what it did not look at and
why, and the gate's verdict.

Every flag but --config also has a variable, PENSTOCK_ and its name in capitals,
and all that decide on the result have a key in penstock.yaml; a flag outweighs a
variable, a variable the file. See: penstock config show --origin`,
		Example: `  penstock scan
  penstock scan --fail-on medium src Dockerfile
  penstock scan --output sarif=out.sarif --output html=out.html
  git diff | penstock scan -`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.scan(cmd, args)
		},
	}
	addFlags(cmd)
	return cmd
}

func (a *app) scan(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	s, err := a.load(cmd, args)
	if err != nil {
		return err
	}
	targets, err := s.targets()
	if err != nil {
		return err
	}
	if err := checkTargets(targets); err != nil {
		return err
	}
	r, err := a.check(cmd.Context(), s, args)
	if err != nil {
		return err
	}
	outs, err := a.openOutputs(targets, func(t target) report.Options { return a.sinkOptions(s, t, r.ci.Commit) })
	if err != nil {
		return err
	}
	if err := r.records(outs.record); err != nil {
		outs.discard()
		return err
	}
	if err := cmd.Context().Err(); err != nil {
		outs.discard()
		return err
	}
	if err := outs.commit(); err != nil {
		return err
	}
	a.stepSummary(s, r.ci.Commit, r.records)
	if code := verdictCode(r.verdict, gate.Nothing(r.result.Totals), s.Gate.ExitZero); code != penstock.ExitPass {
		return exit(code)
	}
	return nil
}

// run is one scan with its verdict.
type checked struct {
	result  *scan.Result
	verdict penstock.Verdict
	ci      ci
	// compared is what the run gave against a baseline, nil for none.
	compared *compared
}

// records yields the whole stream: the scan's records, the verdict, the end.
func (r *checked) records(each func(penstock.Record) error) error {
	for rec := range r.result.Records() {
		if err := each(rec); err != nil {
			return err
		}
	}
	if err := each(&r.verdict); err != nil {
		return err
	}
	end := penstock.End{Totals: r.result.Totals, Findings: map[string]int{}}
	for _, f := range r.result.Findings {
		if f.Suppressed == nil && f.Status != penstock.StatusFixed {
			end.Findings[f.Severity.String()]++
		}
	}
	return each(&end)
}

// check scans and asks the gate. What decides on the check, configuration,
// exceptions, ignore lists and baseline, comes from the base where a change is
// checked (settings.project). Everything that the user wrote is read before, so
// that a typing error does not cost a scan.
func (a *app) check(ctx context.Context, s *settings, targets []string) (*checked, error) {
	known, digest, err := s.baseline()
	if err != nil {
		return nil, err
	}
	return a.checkAgainst(ctx, s, targets, known, digest)
}

// checkAgainst is check with what the baseline knows; nil, or no more than a salt,
// for nothing. The digest is that of its file.
func (a *app) checkAgainst(ctx context.Context, s *settings, targets []string, known *before, digest string) (*checked, error) {
	started := a.now()
	ruleFiles, err := s.ruleFiles()
	if err != nil {
		return nil, err
	}
	pipelines, err := s.pipelineSetup()
	if err != nil {
		return nil, err
	}
	in := gate.Input{Policy: s.Gate, From: "default", FromRoot: s.fromRoot(), Today: started.Format(time.DateOnly)}
	if s.path != "" {
		in.From = filepath.ToSlash(s.path)
	}
	if in.Exceptions, err = s.exceptions(); err != nil {
		return nil, err
	}
	var notes []*penstock.Note
	if in.Ignores, notes, err = s.ignores(targets); err != nil {
		return nil, err
	}
	selected, dropped := s.selected(a.engines)
	if dropped != nil {
		notes = append(notes, dropped)
	}
	c := &checked{ci: detectCI(a.env)}
	cache := a.openCache(s.Scan.NoCache, c.ci.trust())
	if cache.note != nil {
		notes = append(notes, cache.note)
	}
	a.verbose(s, "configuration: %s", orNone(s.path))
	a.verbose(s, "project: %s", s.root)
	a.verbose(s, "cache: %s, read only: %v, %s", orNone(cache.dir), cache.readOnly, c.ci.trust())

	if s.change != nil {
		a.verbose(s, "change: %s", s.change.label)
	}
	online, err := a.openForge(s, cache)
	if err != nil {
		return nil, err
	}
	progress := a.progress(s)
	defer progress.end()
	cfg := scan.Config{
		Roots: targets, Stdin: a.in,
		Engines: a.engines, Select: selected,
		Setup:   penstock.Setup{RuleFiles: ruleFiles, SkipRules: s.Scan.SkipRules, DecodeDepth: s.Scan.DecodeDepth, Pipeline: pipelines, Key: cache.key, Salt: known.key()},
		Exclude: s.Scan.Exclude, NoIgnores: s.Gate.NoIgnores, NoGit: s.Scan.NoGitignore,
		Jobs: s.Scan.Jobs, Limits: s.Scan.Limits.scan(), Sandbox: s.Scan.Sandbox,
		CacheDir: cache.dir, CacheReadOnly: cache.readOnly,
		Worker: a.worker, Now: started,
		Version: version, Build: thisBuild().String(),
	}
	if online != nil {
		cfg.Resolve = online.Resolve
	}
	if progress != nil {
		cfg.Progress = progress.update
	}
	if s.change != nil {
		cfg.View = &s.change.view
		if s.change.bare {
			cfg.Roots = []string{s.change.top}
		}
	}
	if c.result, err = scan.Run(ctx, cfg); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if online != nil {
		notes = append(notes, a.closeForge(s, online)...)
	}
	notes = append(notes, s.notes...)
	notes = append(notes, s.weakens(c)...)
	if c.ci.Fork && !s.named && s.change == nil && (s.path != "" || len(in.Exceptions) > 0 || len(in.Ignores) > 0 || digest != "") {
		notes = append(notes, &penstock.Note{
			Code:    "config-untrusted",
			Message: "the configuration, exceptions, ignore lists and baseline come from the change that is checked, which is from a fork",
			Hint:    "give the job a configuration of your own by --config, and --no-ignores",
		})
	}
	c.result.Notes = append(c.result.Notes, notes...)
	c.result.Header.Config = s.digest(in, digest)
	if known != nil && known.place != "" {
		if err := a.compare(c, s, cfg.Roots, known); err != nil {
			return nil, err
		}
		in.Baseline = c.compared.gate
	}
	if s.change.compares() {
		if in.Base, err = a.compareBase(c, s, cfg.Roots); err != nil {
			return nil, err
		}
	}
	if err := s.addChanged(c.result, targets); err != nil {
		return nil, err
	}

	in.Rules, in.Findings, in.Totals, in.Notes = c.result.Rules, c.result.Findings, c.result.Totals, c.result.Notes
	in.Whole = s.whole(targets, selected, a.engines)
	var more []*penstock.Note
	c.verdict, more = gate.Decide(in)
	c.result.Notes = append(c.result.Notes, more...)
	a.verbose(s, "done: %d files, %d bytes in %s", c.result.Totals.Files, c.result.Totals.Bytes, a.now().Sub(started).Round(time.Millisecond))
	return c, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// verbose says on standard error what is done. Time stands only here.
func (a *app) verbose(s *settings, format string, args ...any) {
	if s.Report.Verbose {
		fmt.Fprintf(a.err, "%s\n", plain(fmt.Sprintf(format, args...)))
	}
}

// selected names the engines to run; nil means all. Offline leaves out those
// that need the network, and says so.
func (s *settings) selected(all []penstock.Engine) ([]string, *penstock.Note) {
	if !s.Scan.Offline {
		return s.Scan.Engines, nil
	}
	var names, left []string
	for _, e := range all {
		switch {
		case len(s.Scan.Engines) > 0 && !slices.Contains(s.Scan.Engines, e.Name):
		case e.Needs&penstock.NeedsNetwork != 0:
			left = append(left, e.Name)
		default:
			names = append(names, e.Name)
		}
	}
	if left == nil {
		return s.Scan.Engines, nil
	}
	return names, &penstock.Note{
		Code: "offline", Message: "not run, because they need the network: " + strings.Join(left, ", "),
	}
}

// whole reports whether the run covers the project, so that an exception without
// a finding is one without use.
func (s *settings) whole(targets, selected []string, all []penstock.Engine) bool {
	if s.change != nil || len(s.Scan.SkipRules) > 0 || len(selected) > 0 && len(selected) < len(all) {
		return false
	}
	for _, t := range targets {
		abs, err := filepath.Abs(t)
		if err == nil && t != "-" && within(abs, s.root) {
			return true
		}
	}
	return false
}

const defaultExceptions = ".penstock/exceptions.yaml"

// exceptions reads the file that the policy names, or the one that is in its
// usual place.
func (s *settings) exceptions() ([]gate.Exception, error) {
	if name := s.Gate.Exceptions; name != "" {
		data, err := s.files("gate.exceptions").read(name, maxConfig)
		if err != nil {
			return nil, &penstock.Error{Message: "read exceptions", Hint: "it was named by " + s.origin["gate.exceptions"], Err: err}
		}
		return gate.ParseExceptions(filepath.ToSlash(name), data)
	}
	path := filepath.Join(s.root, defaultExceptions)
	tree := s.project(s.root)
	if !tree.exists(path) {
		return nil, nil
	}
	name := filepath.ToSlash(displayPath(path))
	data, err := tree.read(path, maxConfig)
	if err != nil {
		return nil, &penstock.Error{Message: "read exceptions " + name, Hint: "it must be a regular file of at most 1 MiB inside the project", Err: err}
	}
	return gate.ParseExceptions(name, data)
}

// pipelineSetup reads what the answers about pipelines depend on.
func (s *settings) pipelineSetup() (penstock.PipelineSetup, error) {
	c := s.Pipeline
	setup := penstock.PipelineSetup{AsOf: c.AsOf, Forge: c.Forge, Forbidden: c.Forbidden, Allowed: c.Allowed, Repairs: s.repairs, Graph: c.Graph}
	if c.Settings != "" {
		data, err := s.files("pipeline.forge-settings").read(c.Settings, maxConfig)
		if err != nil {
			return setup, &penstock.Error{Message: "read the settings of the forge", Hint: "the file was named by " + s.origin["pipeline.forge-settings"], Err: err}
		}
		setup.Settings = &penstock.RuleFile{Path: filepath.ToSlash(c.Settings), Data: data}
	}
	for _, check := range []struct {
		key   string
		setup penstock.PipelineSetup
	}{
		{"pipeline.as-of", penstock.PipelineSetup{AsOf: c.AsOf}},
		{"pipeline.forge", penstock.PipelineSetup{Forge: c.Forge}},
		{"pipeline.forge-settings", penstock.PipelineSetup{Settings: setup.Settings}},
	} {
		if err := pipeline.CheckSetup(check.setup); err != nil {
			message := err.Error()
			if check.setup.Settings == nil {
				message = s.origin[check.key] + ": " + message
			}
			return setup, &penstock.Error{Code: s.codeOf(check.key), Message: message}
		}
	}
	return setup, nil
}

// ignores reads the .gitleaksignore files of the targets, the current folder and
// the project. An entry's path counts from its file's folder.
func (s *settings) ignores(targets []string) ([]gate.Ignore, []*penstock.Note, error) {
	if s.Gate.NoIgnores {
		return nil, nil, nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	dirs := []string{cwd, s.root}
	for _, t := range targets {
		if st, err := os.Stat(t); err != nil || !st.IsDir() {
			continue // a file holds none; of what is not there, the scan says so
		}
		if abs, err := filepath.Abs(t); err == nil {
			dirs = append(dirs, abs)
		}
	}
	slices.Sort(dirs)
	var all []gate.Ignore
	var notes []*penstock.Note
	for _, dir := range slices.Compact(dirs) {
		file := filepath.Join(dir, ".gitleaksignore")
		data, err := s.project(dir).read(file, 16*maxConfig)
		name := filepath.ToSlash(displayPath(file))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
				notes = append(notes, &penstock.Note{Code: "gitleaksignore-unread", Place: name, Message: "it was not read: " + reasonOf(err)})
			}
			continue
		}
		list, bad := gate.ParseIgnores(name, data)
		for i := range list {
			list[i].Path = s.ignorePath(cwd, dir, list[i].Path)
		}
		all, notes = append(all, list...), append(notes, bad...)
	}
	return all, notes, nil
}

// ignorePath turns an entry's path into the one that the gate compares: from the
// project's root where that holds the file, else from the current folder.
func (s *settings) ignorePath(cwd, dir, entry string) string {
	abs := path.Join(filepath.ToSlash(dir), entry)
	for _, base := range []string{s.root, cwd} {
		if rel, err := filepath.Rel(base, filepath.FromSlash(abs)); err == nil && within(base, filepath.FromSlash(abs)) {
			return filepath.ToSlash(rel)
		}
	}
	return abs
}

func reasonOf(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// smallFile is a limit that would leave out ordinary source files.
const smallFile = 256 << 10

// weakens says loudly what a configuration from the tree switches off. It is
// honoured: on a laptop the tree is the user's own. For a change from elsewhere
// it has to be seen.
func (s *settings) weakens(c *checked) []*penstock.Note {
	if s.path == "" || s.named {
		return nil
	}
	var notes []*penstock.Note
	note := func(key, format string, args ...any) {
		place := filepath.ToSlash(s.path)
		if line, ok := s.keys[key]; ok {
			place = fmt.Sprintf("%s:%d", place, line)
		}
		notes = append(notes, &penstock.Note{
			Code: "config-weakens", Place: place, Message: fmt.Sprintf(format, args...),
			Hint: "to check without it: penstock scan --no-config",
		})
	}
	set := func(key string) bool { return s.fromFile[key] }
	if set("gate.block") && s.Gate.Block == gate.Never {
		note("gate.block", "the configuration lets every finding pass")
	}
	for _, e := range slices.Sorted(maps.Keys(s.Gate.Engines)) {
		if s.Gate.Engines[e] == gate.Never {
			note("gate.engines."+e, "the configuration lets every finding of the engine %s pass", e)
		}
	}
	for i, p := range s.Gate.Paths {
		if p.Block == gate.Never && strings.Trim(p.Match, "*./") == "" {
			note(fmt.Sprintf("gate.paths[%d]", i), "the configuration lets every finding pass")
		}
	}
	if set("gate.exit-zero") && s.Gate.ExitZero {
		note("gate.exit-zero", "the configuration makes the program exit with 0 whatever it finds")
	}
	for _, r := range s.Scan.SkipRules {
		if set("scan.skip-rules") && strings.HasSuffix(r, "/*") {
			note("scan.skip-rules", "the configuration leaves out all rules of %q", r)
		}
	}
	t := c.result.Totals
	if n := t.ByReason[penstock.ReasonExclude]; set("scan.exclude") && t.Scanned == 0 && n > 0 {
		note("scan.exclude", "the configuration excludes all that could be checked: %d files or folders", n)
	}
	if size := s.Scan.Limits.FileSize; set("scan.limits.file-size") && size > 0 && size < smallFile {
		note("scan.limits.file-size", "the configuration leaves out every file of more than %d bytes", size)
	}
	return notes
}

// digest identifies everything but the tree, the rules and the build that the
// verdict depends on. How many processors work on it and where it is shown are
// no part of it.
func (s *settings) digest(in gate.Input, baseline string) string {
	scan := s.Scan
	scan.Jobs, scan.NoCache, scan.Rules = 0, false, nil
	b, err := json.Marshal(struct {
		Scan       ScanConfig
		Pipeline   PipelineConfig
		Gate       gate.Policy
		Exceptions []gate.Exception
		Ignores    []gate.Ignore
		Baseline   string `json:",omitempty"`
	}{scan, s.Pipeline, s.Gate, in.Exceptions, in.Ignores, baseline})
	if err != nil {
		panic(err) // plain data: a programmer's error
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
