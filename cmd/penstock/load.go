package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"penstock"
	"penstock/internal/gate"
	"penstock/internal/syntax"
)

// Caps on what is read for a run beside the tree. A configuration is written by
// people; a rule file may be generated.
const (
	maxConfig   = 1 << 20
	maxRuleFile = 16 << 20
	maxRules    = 64 << 20 // all rule files together
	maxBaseline = 64 << 20
)

// configNames are looked for in each folder, in this order.
var configNames = [...]string{"penstock.yaml", ".penstock/config.yaml"}

// settings are the configuration of a run and where each value came from.
type settings struct {
	Config
	// path is the configuration file as messages name it, empty for none.
	path string
	// root is the project's folder, absolute: exceptions, globs of the policy and
	// relative paths in the configuration count from here.
	root string
	// named means that the user named the file; otherwise it was found in the
	// tree, which may be hostile: what it names must lie in root.
	named bool
	// origin says for each option where its value is from: "default",
	// "penstock.yaml:3", "PENSTOCK_JOBS", "--jobs".
	origin map[string]string
	// fromFile are the options that the file sets.
	fromFile map[string]bool
	keys     syntax.Keys
	notes    []*penstock.Note
	// repairs asks engines for every repair that they know of.
	repairs bool
	// change is what is checked in place of all files, nil for these.
	change *change
}

// codeOf is the exit code of a wrong value: a wrong flag is wrong use, a wrong
// file or variable is a broken configuration.
func (s *settings) codeOf(key string) int {
	if strings.HasPrefix(s.origin[key], "--") {
		return penstock.ExitUsage
	}
	return penstock.ExitError
}

func newSettings() *settings {
	s := &settings{Config: defaults(), origin: map[string]string{}, fromFile: map[string]bool{}}
	for _, o := range options() {
		s.origin[o.name()] = "default"
	}
	return s
}

// load finds and reads the configuration for the targets, and puts variables and
// flags over it.
func (a *app) load(cmd *cobra.Command, targets []string) (*settings, error) {
	s := newSettings()
	var err error
	if s.root, err = projectRoot(targets); err != nil {
		return nil, err
	}
	// What is compared decides from where the configuration is read.
	if s.change, err = a.loadChange(cmd, targets); err != nil {
		return nil, err
	}
	if s.change != nil && s.change.bare {
		s.root = s.change.top
	}
	if err := a.loadFile(cmd, s, targets); err != nil {
		return nil, err
	}
	if err := a.loadEnv(s); err != nil {
		return nil, err
	}
	if err := loadFlags(cmd, s); err != nil {
		return nil, err
	}
	return s, s.check(a.engines)
}

func (a *app) loadFile(cmd *cobra.Command, s *settings, targets []string) error {
	name, from := a.env("PENSTOCK_CONFIG"), "PENSTOCK_CONFIG"
	off := a.env("PENSTOCK_NO_CONFIG") != "" && a.env("PENSTOCK_NO_CONFIG") != "0" && a.env("PENSTOCK_NO_CONFIG") != "false"
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		name, from, off = f.Value.String(), "--config", false
	}
	if f := cmd.Flags().Lookup("no-config"); f != nil && f.Changed {
		off = f.Value.String() == "true"
	}
	if off {
		return nil
	}
	var data []byte
	var err error
	if name != "" {
		if data, err = readNamed(name, maxConfig); err != nil {
			return &penstock.Error{Message: "read configuration", Hint: "it was named by " + from, Err: err}
		}
		s.path, s.named = name, true
		if s.root, err = filepath.Abs(filepath.Dir(name)); err != nil {
			return err
		}
		if filepath.Base(s.root) == ".penstock" {
			s.root = filepath.Dir(s.root)
		}
	} else if data, err = s.find(targets); err != nil {
		return err
	}
	if s.path == "" {
		return nil
	}
	keys, err := syntax.DecodeYAML(s.path, data, &s.Config)
	if err != nil {
		return err
	}
	s.keys = keys
	for key, line := range keys {
		s.origin[key] = fmt.Sprintf("%s:%d", s.path, line)
		s.fromFile[key] = true
	}
	if _, ok := keys["version"]; !ok {
		return &penstock.Error{Message: s.path + ":1: version is missing", Hint: "begin the file with: version: 1"}
	}
	return nil
}

// find looks for a configuration from the targets' folder up to the root of the
// repository and reads the first.
func (s *settings) find(targets []string) ([]byte, error) {
	from, top, err := searchRange(targets)
	if err != nil || from == "" {
		return nil, err
	}
	if s.change != nil {
		top = s.change.top
	}
	tree := s.project(top)
	for dir := from; ; dir = filepath.Dir(dir) {
		var found []string
		for _, name := range configNames {
			if tree.exists(filepath.Join(dir, name)) {
				found = append(found, name)
			}
		}
		switch {
		case len(found) > 1:
			return nil, &penstock.Error{
				Message: fmt.Sprintf("both %s and %s are in %s", found[0], found[1], displayPath(dir)),
				Hint:    "keep one of the two",
			}
		case len(found) == 1:
			s.path, s.root = displayPath(filepath.Join(dir, found[0])), dir
			data, err := tree.read(filepath.Join(dir, found[0]), maxConfig)
			if err != nil {
				return nil, &penstock.Error{
					Message: "read configuration " + s.path,
					Hint:    "it must be a regular file of at most 1 MiB inside the project; scan without it by --no-config",
					Err:     err,
				}
			}
			return data, nil
		}
		if dir == top {
			return nil, nil
		}
	}
}

// searchRange returns the folder where the search for a configuration starts and
// the one where it ends: the root of the repository, or, outside of one, the
// current folder if the targets are below it, else the start itself. Both are
// absolute; they are empty if there is no folder, as for standard input alone.
func searchRange(targets []string) (from, top string, err error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", "", err
	}
	from = commonFolder(cwd, targets)
	for dir := from; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return from, dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if within(cwd, from) {
		return from, cwd, nil
	}
	return from, from, nil
}

// commonFolder is the deepest folder that holds all targets.
func commonFolder(cwd string, targets []string) string {
	common := ""
	for _, t := range targets {
		dir := cwd
		if t != "-" {
			dir = t
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(cwd, dir)
			}
			if st, err := os.Stat(dir); err != nil || !st.IsDir() {
				dir = filepath.Dir(dir)
			}
		}
		if common == "" {
			common = filepath.Clean(dir)
		}
		for !within(common, dir) {
			common = filepath.Dir(common)
		}
	}
	if common == "" {
		return cwd
	}
	return common
}

// within reports whether path is dir or lies in it, by name.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// projectRoot is the root of the project that has no configuration.
func projectRoot(targets []string) (string, error) {
	_, top, err := searchRange(targets)
	return top, err
}

// displayPath shortens an absolute path to one from the current folder.
func displayPath(path string) string {
	cwd, err := os.Getwd()
	if err != nil || !within(cwd, path) {
		return path
	}
	rel, err := filepath.Rel(cwd, path)
	if err != nil {
		return path
	}
	return rel
}

// fromRoot turns a path of a finding, relative to the current folder, into one
// relative to the project's root.
func (s *settings) fromRoot() func(string) string {
	cwd, err := os.Getwd()
	if err != nil || cwd == s.root {
		return nil
	}
	return func(path string) string {
		abs := filepath.FromSlash(path)
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(cwd, abs)
		}
		if !within(s.root, abs) {
			return path
		}
		rel, err := filepath.Rel(s.root, abs)
		if err != nil {
			return path
		}
		return filepath.ToSlash(rel)
	}
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("too large")
)

// opener is os.OpenFile or that of an os.Root.
type opener func(name string, flag int, perm fs.FileMode) (*os.File, error)

// openRegular opens a regular file of at most limit bytes. O_NONBLOCK keeps a
// FIFO from hanging the run before it is refused.
func openRegular(open opener, name string, limit int64) (*os.File, error) {
	f, err := open(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case !st.Mode().IsRegular():
		err = &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	case st.Size() > limit:
		err = tooLarge(name, st.Size(), limit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func tooLarge(name string, size, limit int64) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w: %d bytes, at most %d are read", errTooLarge, size, limit)}
}

func readRegular(open opener, name string, limit int64) ([]byte, error) {
	f, err := openRegular(open, name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: name, Err: errTooLarge}
	}
	return data, err
}

// readNamed reads a file that the user named.
func readNamed(name string, limit int64) ([]byte, error) {
	return readRegular(os.OpenFile, name, limit)
}

// reader gives access to the files that an option names.
type reader struct {
	// base is the folder that their relative names count from.
	base string
	// tree is set where nobody vouched for who names them: then they must lie in
	// the project.
	tree *project
}

// files is the reader of an option: relative to the current folder where a flag or
// variable set it, to the project's root where the configuration did.
func (s *settings) files(key string) reader {
	if !s.fromFile[key] || s.origin[key] == "default" {
		return reader{}
	}
	if s.named {
		return reader{base: s.root}
	}
	tree := s.project(s.root)
	return reader{base: s.root, tree: &tree}
}

func (r reader) at(name string) string {
	if r.base == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.base, name)
}

func (r reader) read(name string, limit int64) ([]byte, error) {
	if r.tree != nil {
		return r.tree.read(r.at(name), limit)
	}
	return readRegular(os.OpenFile, r.at(name), limit)
}

// names lists a folder; nil means that name is none.
func (r reader) names(name string) ([]string, error) {
	if r.tree != nil {
		return r.tree.names(r.at(name))
	}
	return folderNames(os.OpenFile, r.at(name))
}

// project reads the files below a folder, absolute: those on disk, or those of the
// base of the change that is checked.
func (s *settings) project(top string) project {
	if c := s.change; c != nil && c.before.git != nil && within(c.top, top) {
		return c.before
	}
	return project{top: top}
}

// ruleFiles reads the rule files, and the .toml files of rule folders in the
// order of their names.
func (s *settings) ruleFiles() ([]penstock.RuleFile, error) {
	if len(s.Scan.Rules) == 0 {
		return nil, nil
	}
	in := s.files("scan.rules")
	var files []penstock.RuleFile
	total := 0
	read := func(name string) error {
		data, err := in.read(name, maxRuleFile)
		if err != nil {
			return ruleFileError(name, err)
		}
		if total += len(data); total > maxRules {
			return &penstock.Error{Message: fmt.Sprintf("the rule files have more than %d MiB", maxRules>>20), Hint: "name fewer of them by --rules"}
		}
		files = append(files, penstock.RuleFile{Path: filepath.ToSlash(name), Data: data})
		return nil
	}
	for _, name := range s.Scan.Rules {
		names, err := in.folder(name)
		if err != nil {
			return nil, ruleFileError(name, err)
		}
		if names == nil {
			names = []string{name}
		}
		for _, n := range names {
			if err := read(n); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func ruleFileError(name string, err error) error {
	hint := "--rules takes a rule file in TOML, or a folder of them"
	if errors.Is(err, errTooLarge) {
		hint = "split it into smaller files"
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &penstock.Error{Message: "rules " + name, Hint: hint, Err: err}
}

// folder lists the .toml files of a folder; nil means that name is no folder. A
// folder without rule files is an error: nobody names one on purpose.
func (r reader) folder(name string) ([]string, error) {
	all, err := r.names(name)
	if all == nil || err != nil {
		return nil, err
	}
	var names []string
	for _, n := range all {
		if strings.HasSuffix(n, ".toml") {
			names = append(names, filepath.Join(name, n))
		}
	}
	if names == nil {
		return nil, errors.New("no .toml file in this folder")
	}
	return names, nil
}

// folderNames lists a folder in order; nil means that name is none.
func folderNames(open opener, name string) ([]string, error) {
	f, err := open(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.IsDir() {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	if names == nil {
		names = []string{}
	}
	slices.Sort(names)
	return names, nil
}

// loadEnv puts PENSTOCK_* variables over the file. A name that is nearly one of
// ours is noted; others may be a script's own.
func (a *app) loadEnv(s *settings) error {
	known := []string{"CONFIG", "NO_CONFIG"}
	for _, o := range options() {
		if o.env == "" {
			continue
		}
		known = append(known, strings.TrimPrefix(o.env, "PENSTOCK_"))
		text := a.env(o.env)
		if text == "" {
			continue
		}
		texts := []string{text}
		if o.isList() && o.split == "" {
			texts = strings.Split(text, "\n")
		}
		if err := o.set(&s.Config, texts); err != nil {
			return &penstock.Error{Message: o.env + ": " + err.Error(), Hint: o.doc}
		}
		s.over(&o, o.env)
	}
	for _, e := range a.environ {
		name, _, _ := strings.Cut(e, "=")
		name, ours := strings.CutPrefix(name, "PENSTOCK_")
		if !ours || slices.Contains(known, name) {
			continue
		}
		if near := syntax.Nearest(name, known); near != "" {
			s.notes = append(s.notes, &penstock.Note{
				Code:    "env-unknown",
				Message: "the variable PENSTOCK_" + name + " is none of ours and does nothing",
				Hint:    "did you mean PENSTOCK_" + near + "?",
			})
		}
	}
	return nil
}

// over notes that something weightier than the file set the option. A threshold
// for the whole run also takes the place of those for engines.
func (s *settings) over(o *option, origin string) {
	s.origin[o.name()] = origin
	delete(s.fromFile, o.name())
	if o.flag == "fail-on" {
		s.Gate.Engines = nil
	}
}

// flagValue collects what the user gave to one flag; it is parsed after the file
// and the variables.
type flagValue struct {
	option *option
	texts  []string
}

func (v *flagValue) String() string { return strings.Join(v.texts, ", ") }

// Set checks at once, so that the error names the flag.
func (v *flagValue) Set(text string) error {
	var scratch Config
	if err := v.option.set(&scratch, []string{text}); err != nil {
		return err
	}
	v.texts = append(v.texts, text)
	return nil
}

// Type is what help shows for the value.
func (v *flagValue) Type() string {
	switch {
	case v.option.isBool():
		return "bool"
	case v.option.flag == "as-of":
		return "date"
	case v.option.flag == "forge":
		return "server"
	case v.option.flag == "since", v.option.flag == "base", v.option.flag == "range":
		return "ref"
	case v.option.typ == reflect.TypeFor[gate.Threshold]():
		return "severity"
	case v.option.choices != nil, v.option.flag == "fail-on", v.option.flag == "format":
		return "name"
	case v.option.isList():
		return "list"
	case v.option.typ.Kind().String() == "int":
		return "n"
	}
	return "file"
}

// addFlags defines the flags of all options, and those of the configuration.
func addFlags(cmd *cobra.Command) {
	for _, o := range options() {
		if o.flag != "" {
			addFlag(cmd, o)
		}
	}
	// What others call it.
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "base" {
			name = "since"
		}
		return pflag.NormalizedName(name)
	})
	addConfigFlags(cmd)
}

func addFlag(cmd *cobra.Command, o option) {
	f := cmd.Flags().VarPF(&flagValue{option: &o}, o.flag, o.short, o.doc)
	if o.isBool() {
		f.NoOptDefVal = "true"
	}
	if o.choices != nil {
		// The only error is a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(o.flag, cobra.FixedCompletions(o.choices, cobra.ShellCompDirectiveNoFileComp))
	}
}

func addConfigFlags(cmd *cobra.Command) {
	cmd.Flags().String("config", "", "configuration file, in place of the one in the tree")
	cmd.Flags().Bool("no-config", false, "read no configuration")
}

func loadFlags(cmd *cobra.Command, s *settings) error {
	for _, o := range options() {
		f := cmd.Flags().Lookup(o.flag)
		if o.flag == "" || f == nil || !f.Changed {
			continue
		}
		v, ok := f.Value.(*flagValue)
		if !ok {
			continue
		}
		if err := o.set(&s.Config, v.texts); err != nil {
			return usage(o.doc, "--%s: %s", o.flag, err)
		}
		s.over(&o, "--"+o.flag)
	}
	return nil
}
