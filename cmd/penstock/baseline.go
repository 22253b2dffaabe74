package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/gate"
	"penstock/internal/identity"
)

const defaultBaseline = ".penstock/baseline.jsonl"

func (a *app) baselineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Write, show or prune the file of known findings",
		Long: `A baseline is a file of the findings that are known, by default
.penstock/baseline.jsonl. A scan that finds it lets only new findings block. It
holds paths, rule ids and keyed hashes, and no text of any finding; a finding is
known again when its file is renamed or its code moves. Where the flagged code
itself has changed, the finding is still known, but open again.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var output string
	var force bool
	write := &cobra.Command{
		Use:   "write [PATH...]",
		Short: "Write a baseline of all open findings",
		Long: `Write scans as "penstock scan" does and writes the findings that are open, those
that no exception and no ignore covers. A baseline that is there already keeps its
salt and when its findings were first seen; what this run did not look at stays in
it. Another file in its place is overwritten by --force only.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writeBaseline(cmd, orHere(args), output, force)
		},
	}
	addScanFlags(write, "baseline")
	write.Flags().StringVar(&output, "output", "", "file to write, in place of that of the configuration")
	write.Flags().BoolVar(&force, "force", false, "overwrite a file that is no baseline")
	var asJSON bool
	show := &cobra.Command{
		Use:   "show [FILE]",
		Short: "List what a baseline holds",
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.showBaseline(cmd, args, asJSON) },
	}
	addConfigFlags(show)
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	var dryRun bool
	prune := &cobra.Command{
		Use:   "prune [PATH...]",
		Short: "Drop what is gone from the baseline, and note what moved",
		Long: `Prune scans as "penstock scan" does, and drops the entries whose finding is gone:
where the file was read by an engine that knows the rule, or is no more. What
could not be read, or was not looked at, stays. Entries whose code stands
elsewhere now move there; those whose code has changed stay as they are.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.pruneBaseline(cmd, orHere(args), dryRun) },
	}
	addScanFlags(prune)
	prune.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be done")
	for _, c := range []*cobra.Command{write, show, prune} {
		c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	cmd.AddCommand(write, show, prune)
	return cmd
}

// addScanFlags defines the flags that say how a tree is scanned and what counts
// there, but not those of reports.
func addScanFlags(cmd *cobra.Command, but ...string) {
	but = append(but, "", "format", "output", "all", "width", "quiet", "color", "exit-zero", "fail-on")
	but = append(but, changeFlags...)
	for _, o := range options() {
		if !slices.Contains(but, o.flag) {
			addFlag(cmd, o)
		}
	}
	addConfigFlags(cmd)
}

// baselineFile is where a baseline lies or is to lie.
type baselineFile struct {
	// name is what messages call it.
	name string
	// dir and path are where it is. Below a dir that is the project nothing leads
	// out; another file was named by the user and may be anywhere.
	dir, path string
}

// baselineFile finds the place: the one that the policy names, or the usual one.
func (s *settings) baselineFile() baselineFile {
	name := s.Gate.Baseline
	switch {
	case name == "":
		return baselineFile{filepath.ToSlash(displayPath(filepath.Join(s.root, defaultBaseline))), s.root, defaultBaseline}
	case s.fromFile["gate.baseline"] && !s.named:
		return baselineFile{filepath.ToSlash(name), s.root, name}
	case s.fromFile["gate.baseline"] && !filepath.IsAbs(name):
		return namedBaseline(filepath.Join(s.root, name), name)
	}
	return namedBaseline(name, name)
}

func namedBaseline(path, name string) baselineFile {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return baselineFile{name: filepath.ToSlash(name), dir: filepath.Dir(path), path: filepath.Base(path)}
}

// baselineHint says what to do about a baseline that does not read.
const baselineHint = "make one with: penstock baseline write"

// read reads the baseline; nil means that there is no such file.
func (f baselineFile) read() (*identity.Baseline, error) {
	tree, err := os.OpenRoot(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	if _, err := tree.Lstat(f.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := readRegular(tree.OpenFile, f.path, maxBaseline)
	if err != nil {
		return nil, err
	}
	return identity.ReadBaseline(bytes.NewReader(data))
}

// write puts the baseline in its place, whole or not at all.
func (f baselineFile) write(b *identity.Baseline) error {
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		return err
	}
	fail := func(err error) error { return &penstock.Error{Message: "write baseline " + f.name, Err: err} }
	tree, err := os.OpenRoot(f.dir)
	if err != nil {
		return fail(err)
	}
	defer tree.Close()
	if filepath.Dir(f.path) != "." {
		if err := tree.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return fail(err)
		}
	}
	var temp *os.File
	name := ""
	for i := range 1000 {
		name = fmt.Sprintf("%s.%d-%d.tmp", f.path, os.Getpid(), i)
		if temp, err = tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return fail(err)
	}
	_, err = temp.Write(out.Bytes())
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = tree.Rename(name, f.path)
	}
	if err != nil {
		tree.Remove(name)
		return fail(err)
	}
	return nil
}

// baseline reads what a scan compares with, that of the base where a change is
// checked; nil for nothing. The digest is that of the file.
func (s *settings) baseline() (b *before, digest string, err error) {
	name, hint := s.Gate.Baseline, "it was named by "+s.origin["gate.baseline"]+"; "+baselineHint
	var data []byte
	if name != "" {
		data, err = s.files("gate.baseline").read(name, maxBaseline)
	} else {
		path := filepath.Join(s.root, defaultBaseline)
		tree := s.project(s.root)
		if !tree.exists(path) {
			return nil, "", nil
		}
		name, hint = displayPath(path), baselineHint
		data, err = tree.read(path, maxBaseline)
	}
	name = filepath.ToSlash(name)
	var read *identity.Baseline
	if err == nil {
		read, err = identity.ReadBaseline(bytes.NewReader(data))
	}
	if err != nil {
		return nil, "", &penstock.Error{Message: "read baseline " + name, Hint: hint, Err: err}
	}
	sum := sha256.Sum256(data)
	return beforeBaseline(name, read), hex.EncodeToString(sum[:]), nil
}

func beforeBaseline(name string, b *identity.Baseline) *before {
	k := &before{origin: "the baseline " + name, place: name, salt: b.Salt, observed: b.Observations()}
	for _, e := range b.Entries {
		k.old = append(k.old, gate.Old{Rule: e.Rule, Path: e.Features.Path, Line: e.Features.Line, Fingerprint: e.Fingerprint})
	}
	return k
}

func (a *app) writeBaseline(cmd *cobra.Command, targets []string, output string, force bool) error {
	if slices.Contains(targets, "-") {
		return usage("name files or folders", "standard input has no findings to come back to")
	}
	s, err := a.load(cmd, targets)
	if err != nil {
		return err
	}
	f := s.baselineFile()
	if output != "" {
		f = namedBaseline(output, output)
	}
	old, err := f.read()
	if err != nil && !force {
		return &penstock.Error{Message: f.name + " is there and is no baseline of ours", Hint: "choose another file by --output, or overwrite it by --force", Err: err}
	}
	if err != nil || old == nil {
		old = &identity.Baseline{Salt: make([]byte, identity.SaltSize)}
		rand.Read(old.Salt) // never fails
	}
	c, err := a.checkAgainst(cmd.Context(), s, targets, &before{salt: old.Salt}, "")
	if err != nil {
		return err
	}
	covered, err := a.covered(s, targets, c.result)
	if err != nil {
		return err
	}
	all := rooted(c.result.Findings, s.fromRoot())
	open := slices.Clone(all)
	open = slices.DeleteFunc(open, func(f *penstock.Finding) bool { return f.Suppressed != nil || f.Status == penstock.StatusFixed })
	next := identity.NewBaseline(old.Salt, version, firstSeen(targets, c), open)
	known := 0
	for _, p := range identity.Match(old.Observations(), next.Observations(), identity.Options{}).Pairs {
		next.Entries[p.New].Since = cmp.Or(old.Entries[p.Old].Since, next.Entries[p.New].Since)
		known++
	}
	made := len(next.Entries)
	var kept []identity.Entry
	for _, i := range identity.Match(old.Observations(), identity.Observe(all), identity.Options{}).Gone {
		if e := old.Entries[i]; !covered(e.Features.Path, e.Rule) {
			kept = append(kept, e)
		}
	}
	next.Add(kept...)
	if err := f.write(next); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "wrote %s: %s, in %s, %d of them known before\n", plain(f.name), counted(len(open), "open finding"), counted(made, "place"), known)
	if len(kept) > 0 {
		fmt.Fprintf(a.out, "kept %s that this run did not look at\n", counted(len(kept), "entry"))
	}
	if len(open) > made {
		fmt.Fprintln(a.out, "warning: some findings are about no text and cannot be known again; accept them by an exception")
	}
	a.unreadWarning(c, "what is in them is not in the baseline")
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	switch {
	case n == 1:
	case noun == "entry":
		noun = "entries"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func (a *app) unreadWarning(c *checked, so string) {
	if c.verdict.Incomplete {
		fmt.Fprintf(a.out, "warning: not everything could be read (%s), so %s; see: penstock scan\n", counted(c.result.Totals.Unread, "file"), so)
	}
}

func (a *app) showBaseline(cmd *cobra.Command, args []string, asJSON bool) error {
	var f baselineFile
	if len(args) == 1 {
		f = namedBaseline(args[0], args[0])
	} else {
		s, err := a.load(cmd, []string{"."})
		if err != nil {
			return err
		}
		f = s.baselineFile()
	}
	b, err := f.must()
	if err != nil {
		return err
	}
	if asJSON {
		type entry struct {
			Rule        string `json:"rule"`
			Path        string `json:"path"`
			Line        int    `json:"line"`
			Since       string `json:"since,omitempty"`
			Fingerprint string `json:"fingerprint,omitempty"`
		}
		list := make([]entry, 0, len(b.Entries))
		for _, e := range b.Entries {
			list = append(list, entry{e.Rule, e.Features.Path, e.Features.Line, e.Since, e.Fingerprint})
		}
		return writeJSON(a.out, list)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tPLACE\tSINCE")
	for _, e := range b.Entries {
		fmt.Fprintf(w, "%s\t%s\t%s\n", plain(e.Rule), plain(entryPlace(e)), plain(cmp.Or(e.Since, "-")))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s in %s, written by penstock %s\n", counted(len(b.Entries), "entry"), plain(f.name), plain(b.Tool))
	return err
}

func entryPlace(e identity.Entry) string {
	return fmt.Sprintf("%s:%d", e.Features.Path, e.Features.Line)
}

// must reads a baseline that has to be there.
func (f baselineFile) must() (*identity.Baseline, error) {
	b, err := f.read()
	if err == nil && b == nil {
		err = &fs.PathError{Op: "open", Path: f.name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, &penstock.Error{Message: "read baseline", Hint: baselineHint, Err: err}
	}
	return b, nil
}

func (a *app) pruneBaseline(cmd *cobra.Command, targets []string, dryRun bool) error {
	if slices.Contains(targets, "-") {
		return usage("name files or folders", "standard input proves nothing about files")
	}
	s, err := a.load(cmd, targets)
	if err != nil {
		return err
	}
	f := s.baselineFile()
	old, err := f.must()
	if err != nil {
		return err
	}
	c, err := a.checkAgainst(cmd.Context(), s, targets, beforeBaseline(f.name, old), "")
	if err != nil {
		return err
	}
	covered, err := a.covered(s, targets, c.result)
	if err != nil {
		return err
	}
	r := c.compared.result
	r.Pairs = slices.Clone(r.Pairs)
	for i, p := range r.Pairs {
		// An exception may cover the finding by what the entry says of it: then the
		// entry must go on saying that.
		if sup := c.compared.findings[c.compared.fresh[p.New].Finding].Suppressed; sup != nil && sup.Kind != "baseline" {
			r.Pairs[i].Exact = false
		}
	}
	next, dropped, moved := old.Pruned(r, c.compared.fresh, c.compared.rooted, covered)
	at := make(map[int]int, len(r.Pairs))
	for _, p := range r.Pairs {
		at[p.Old] = p.New
	}
	would := map[bool]string{true: "would "}[dryRun]
	list := func(verb string, which []int, text func(i int) string) {
		const most = 50
		for n, i := range which {
			if n == most {
				fmt.Fprintf(a.out, "  and %d more\n", len(which)-most)
				break
			}
			fmt.Fprintf(a.out, "  %s %s %s\n", verb, plain(old.Entries[i].Rule), plain(text(i)))
		}
	}
	list("drop", dropped, func(i int) string { return entryPlace(old.Entries[i]) })
	list("move", moved, func(i int) string {
		o := c.compared.fresh[at[i]]
		return fmt.Sprintf("%s to %s:%d", entryPlace(old.Entries[i]), o.Path, o.Line)
	})
	unknown := len(r.Gone) - len(dropped)
	var was, is bytes.Buffer
	if err := errors.Join(old.Write(&was), next.Write(&is)); err != nil {
		return err
	}
	if !dryRun && !bytes.Equal(was.Bytes(), is.Bytes()) {
		if err := f.write(next); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "%sdrop %s, move %d, keep %d in %s\n", would, counted(len(dropped), "entry"), len(moved), len(next.Entries)-len(moved), plain(f.name))
	if unknown > 0 {
		fmt.Fprintf(a.out, "not found and not proven to be gone, so kept: %s\n", counted(unknown, "entry"))
	}
	a.unreadWarning(c, "entries about them are kept")
	return nil
}
