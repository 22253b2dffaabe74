package main

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"penstock"
	"penstock/internal/gate"
	"penstock/internal/scan"
	"penstock/internal/syntax"
)

// Config is the configuration: the one struct from which the keys of
// penstock.yaml, the flags of scan, the PENSTOCK_* variables, the JSON Schema and
// `config show` are made. A field's key is its yaml tag, its variable is PENSTOCK_
// and the name of its flag (or else key) in capitals. A field without a yaml tag
// is not to be decided by a file in the scanned tree.
type Config struct {
	Version  int            `yaml:"version" doc:"version of this format: 1"`
	Scan     ScanConfig     `yaml:"scan" doc:"what is checked, and how"`
	Pipeline PipelineConfig `yaml:"pipeline" doc:"what the answers about pipelines depend on"`
	Gate     gate.Policy    `yaml:"gate" doc:"what blocks"`
	Change   ChangeConfig
	Report   ReportConfig `yaml:"report" doc:"how it is shown"`
}

// ScanConfig says what is checked.
type ScanConfig struct {
	Engines     []string `yaml:"engines" flag:"engines" split:"," doc:"engines to run; empty for all"`
	Rules       []string `yaml:"rules" flag:"rules" doc:"rule files, or folders of .toml files"`
	SkipRules   []string `yaml:"skip-rules" flag:"skip-rule" split:"," doc:"rule ids or globs to leave out"`
	Exclude     []string `yaml:"exclude" flag:"exclude" doc:"paths to leave out, in .gitignore syntax"`
	DecodeDepth int      `yaml:"decode-depth" flag:"decode-depth" doc:"layers of base64, hex and URL encoding to take off; 0 for none"`
	Jobs        int      `yaml:"jobs" flag:"jobs" doc:"goroutines that analyse; 0 for one per processor"`
	Sandbox     string   `yaml:"sandbox" flag:"sandbox" choices:"best-effort,require" doc:"best-effort, or require to fail where the kernel cannot confine the worker"`
	NoGitignore bool     `yaml:"no-gitignore" flag:"no-gitignore" doc:"also scan what .gitignore files leave out"`
	NoCache     bool     `yaml:"no-cache" flag:"no-cache" doc:"neither read nor write the cache"`
	Offline     bool     `yaml:"offline" flag:"offline" doc:"stay without the network, whatever else asks for it"`
	Online      bool     `flag:"online" doc:"ask the forge about the actions that are used (GH_TOKEN or GITHUB_TOKEN, GITHUB_API_URL)"`
	Limits      Limits   `yaml:"limits" doc:"bounds on what one run may cost; 0 for the default"`
}

// PipelineConfig says what the definitions of pipelines do not: where and when they
// run.
type PipelineConfig struct {
	AsOf     string `yaml:"as-of" flag:"as-of" doc:"day YYYY-MM-DD whose rules of the forge count; empty for the latest known"`
	Forge    string `yaml:"forge" flag:"forge" doc:"your own server, such as github@3.17 or gitlab@17.2; empty for the public ones"`
	Settings string `yaml:"forge-settings" flag:"forge-settings" doc:"file with the settings of the forge: default token, runners, environments, trust in forks"`
	Graph    bool   `yaml:"graph" flag:"graph" doc:"also give assets and edges for the attack graph (in jsonl and json)"`
	// RequestBudget bounds what --online may ask.
	RequestBudget int `yaml:"request-budget" flag:"request-budget" doc:"requests that --online may make in a run"`

	Forbidden []string `yaml:"forbidden-actions" doc:"actions that must not be used, such as owner/* or owner/repo"`
	Allowed   []string `yaml:"allowed-actions" doc:"actions that alone may be used"`
}

// Limits are scan.Limits as people write them.
type Limits struct {
	FileSize        Size `yaml:"file-size" doc:"largest file that is read, such as 100MiB"`
	WholeSize       Size `yaml:"whole-size" doc:"largest file that is read in one piece"`
	ArchiveDepth    int  `yaml:"archive-depth" doc:"archives within archives"`
	ArchiveEntries  int  `yaml:"archive-entries" doc:"entries of one archive"`
	ArchiveBytes    Size `yaml:"archive-bytes" doc:"unpacked bytes of one archive"`
	ArchiveRatio    int  `yaml:"archive-ratio" doc:"unpacked against packed size"`
	FindingsPerRule int  `yaml:"findings-per-rule" doc:"findings of one rule in one file"`
	Memory          Size `yaml:"memory" doc:"memory of the worker"`
}

func (l Limits) scan() scan.Limits {
	return scan.Limits{
		FileSize: int64(l.FileSize), WholeSize: int64(l.WholeSize),
		ArchiveDepth: l.ArchiveDepth, ArchiveEntries: l.ArchiveEntries,
		ArchiveBytes: int64(l.ArchiveBytes), ArchiveRatio: int64(l.ArchiveRatio),
		FindingsPerRule: l.FindingsPerRule, Memory: int64(l.Memory),
	}
}

// ReportConfig says how a run is shown.
type ReportConfig struct {
	Format string   `yaml:"format" flag:"format" doc:"format on standard output"`
	Output []string `flag:"output" doc:"further reports, as format=path"`
	All    bool     `yaml:"all" flag:"all" doc:"show every finding, and the suppressed ones"`
	Color  string   `yaml:"color" flag:"color" choices:"auto,always,never" doc:"colours: auto, always or never"`
	Width  int      `yaml:"width" flag:"width" doc:"columns to fit to; 0 for the terminal's"`
	// MarkdownSize is for a comment on a pull request; the step summary has its own.
	MarkdownSize Size `yaml:"markdown-size" flag:"markdown-size" doc:"largest Markdown report, such as 64KiB for a comment at GitHub; 0 for 1000KiB"`
	Quiet        bool `flag:"quiet" short:"q" doc:"show the verdict and what was not read only"`
	Verbose      bool `yaml:"verbose" flag:"verbose" short:"v" doc:"say on standard error what is done"`
}

func defaults() Config {
	return Config{
		Version:  1,
		Scan:     ScanConfig{DecodeDepth: 5, Sandbox: "best-effort"},
		Pipeline: PipelineConfig{RequestBudget: 200},
		Gate:     gate.Default(),
		Report:   ReportConfig{Format: "text", Color: "auto"},
	}
}

// Size is a number of bytes, written as 1048576, 1024KiB, 1MiB or 1MB.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1},
}

// MarshalText writes the largest unit that fits without a rest.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []int{2, 1, 0} {
		if unit := sizeUnits[u]; s != 0 && int64(s)%unit.bytes == 0 {
			return []byte(strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.suffix), nil
		}
	}
	return []byte(strconv.FormatInt(int64(s), 10)), nil
}

// UnmarshalText reads a number of bytes with an optional unit.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := cutSuffixFold(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is no size: write a number of bytes, or such as 64MiB", text)
	}
	*s = Size(n * unit)
	return nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n], true
	}
	return s, false
}

// option is one leaf of Config.
type option struct {
	key     string // "scan.decode-depth"; empty if no file may set it
	flag    string // "decode-depth"; empty for none
	env     string // "PENSTOCK_DECODE_DEPTH"; empty for lists of structs and maps
	short   string
	split   string
	choices []string
	doc     string
	index   []int
	typ     reflect.Type
}

// name is what messages and origins call the option.
func (o *option) name() string {
	if o.key != "" {
		return o.key
	}
	return "--" + o.flag
}

// options lists the leaves of Config in the order of its fields. The list is
// shared: nothing writes to it.
func options() []option { return allOptions() }

var allOptions = sync.OnceValue(listOptions)

func listOptions() []option {
	var list []option
	var visit func(t reflect.Type, key string, index []int)
	visit = func(t reflect.Type, key string, index []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			at := append(slices.Clone(index), i)
			name := f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct && !isText(f.Type) {
				visit(f.Type, joinKey(key, name), at)
				continue
			}
			o := option{flag: f.Tag.Get("flag"), short: f.Tag.Get("short"), split: f.Tag.Get("split"), doc: f.Tag.Get("doc"), index: at, typ: f.Type}
			if c := f.Tag.Get("choices"); c != "" {
				o.choices = strings.Split(c, ",")
			}
			if name != "" {
				o.key = joinKey(key, name)
			}
			if isScalar(f.Type) || f.Type == reflect.TypeFor[[]string]() {
				o.env = envName(&o)
			}
			list = append(list, o)
		}
	}
	visit(reflect.TypeFor[Config](), "", nil)
	return list
}

func envName(o *option) string {
	name := o.flag
	if name == "" {
		_, name, _ = strings.Cut(o.key, ".")
	}
	if name == "" {
		return "" // version
	}
	return "PENSTOCK_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

func joinKey(at, name string) string {
	if at == "" || name == "" {
		return at + name
	}
	return at + "." + name
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	}
	return isText(t)
}

func (o *option) value(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(o.index)
}

func (o *option) isBool() bool { return o.typ.Kind() == reflect.Bool }

func (o *option) isList() bool { return o.typ.Kind() == reflect.Slice }

// set parses texts into the option's field. A list takes all of them, anything
// else the last.
func (o *option) set(c *Config, texts []string) error {
	v := o.value(c)
	if o.isList() {
		list := []string{}
		for _, t := range texts {
			parts := []string{t}
			if o.split != "" {
				parts = strings.Split(t, o.split)
			}
			for _, p := range parts {
				if p = strings.TrimSpace(p); p != "" {
					list = append(list, p)
				}
			}
		}
		v.Set(reflect.ValueOf(list))
		return nil
	}
	text := texts[len(texts)-1]
	switch {
	case isText(o.typ):
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	case o.isBool():
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case o.typ.Kind() == reflect.String:
		v.SetString(text)
	default:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(int64(n))
	}
	return nil
}

// show writes the option's value as YAML would have it.
func (o *option) show(c *Config) any {
	v := o.value(c)
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	if o.isList() && v.IsNil() {
		return []string{}
	}
	return v.Interface()
}

// maxJobs and maxDecode keep a typing error, or a configuration in a hostile
// tree, from costing the machine.
const (
	maxJobs     = 256
	maxDecode   = 16
	maxRequests = 5000 // what GitHub allows a user in an hour
)

// check finds values that are of the right kind and still wrong. The error's
// place is the option's origin.
func (s *settings) check(engines []penstock.Engine) error {
	names := engineNames(engines)
	wrong := func(key, message, hint string) error {
		return &penstock.Error{Code: s.codeOf(key), Message: s.origin[key] + ": " + message, Hint: hint}
	}
	for _, o := range options() {
		if o.choices != nil {
			if got := o.value(&s.Config).String(); !slices.Contains(o.choices, got) {
				return wrong(o.name(), fmt.Sprintf("%s must not be %q", o.name(), syntax.Shown(got)), "use one of "+strings.Join(o.choices, ", "))
			}
		}
	}
	for _, e := range s.Scan.Engines {
		if !slices.Contains(names, e) {
			return wrong("scan.engines", fmt.Sprintf("there is no engine %q", syntax.Shown(e)), nearHint(e, names))
		}
	}
	if n := s.Scan.Jobs; n < 0 || n > maxJobs {
		return wrong("scan.jobs", fmt.Sprintf("%d jobs are not possible", n), fmt.Sprintf("use 0 to %d", maxJobs))
	}
	if n := s.Scan.DecodeDepth; n < 0 || n > maxDecode {
		return wrong("scan.decode-depth", fmt.Sprintf("a decoding depth of %d is not possible", n), fmt.Sprintf("use 0 to %d", maxDecode))
	}
	if n := s.Pipeline.RequestBudget; n < 0 || n > maxRequests {
		return wrong("pipeline.request-budget", fmt.Sprintf("%d requests are not possible", n), fmt.Sprintf("use 0 to %d", maxRequests))
	}
	if s.Version != 1 {
		return wrong("version", fmt.Sprintf("version %d is not known", s.Version), "this penstock reads version: 1")
	}
	if err := s.Gate.Check(append(names, "user", "gate")); err != nil {
		k := err.(*gate.KeyError)
		hint := ""
		if k.Name != "" {
			hint = nearHint(k.Name, k.Known)
		}
		return wrong(k.Key, k.Error(), hint)
	}
	return nil
}
