package gate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"penstock"
	"penstock/internal/syntax"
)

// Exception is an accepted risk. It covers the findings that match all of Rule,
// Path and Fingerprint that are set.
type Exception struct {
	Rule        string `yaml:"rule" doc:"rule id or glob, such as secrets/*"`
	Path        string `yaml:"path" doc:"glob from the root of the project"`
	Fingerprint string `yaml:"fingerprint" doc:"fingerprint of one finding, from a jsonl report"`
	Owner       string `yaml:"owner" doc:"who answers for it"`
	Reason      string `yaml:"reason" doc:"why it is acceptable"`
	Expires     string `yaml:"expires" doc:"last day that it counts, YYYY-MM-DD"`
	// Place is "file:line".
	Place string `yaml:"-"`
}

type exceptionsFile struct {
	Version    int         `yaml:"version"`
	Exceptions []Exception `yaml:"exceptions"`
}

// ParseExceptions reads an exceptions file. The path is only for messages. An
// entry without rule, owner, reason or expiry, or without a path or fingerprint
// that bounds it, is an error that names its line.
func ParseExceptions(path string, data []byte) ([]Exception, error) {
	var f exceptionsFile
	keys, err := syntax.DecodeYAML(path, data, &f)
	if err != nil {
		return nil, err
	}
	if f.Version != 1 {
		return nil, &penstock.Error{
			Message: fmt.Sprintf("%s:%d: version must be 1", path, max(keys["version"], 1)),
			Hint:    "begin the file with: version: 1",
		}
	}
	var errs []error
	for i := range f.Exceptions {
		e := &f.Exceptions[i]
		e.Place = path + ":" + strconv.Itoa(keys[fmt.Sprintf("exceptions[%d]", i)])
		if message, hint := e.check(); message != "" {
			errs = append(errs, &penstock.Error{Message: e.Place + ": " + message, Hint: hint})
		}
	}
	return f.Exceptions, errors.Join(errs...)
}

func (e *Exception) check() (message, hint string) {
	switch {
	case e.Rule == "":
		return "the exception names no rule", "add rule: a rule id or a glob such as secrets/*"
	case e.Path == "" && e.Fingerprint == "":
		return "the exception holds for no place", "add path: a glob, or fingerprint:"
	case strings.TrimSpace(e.Owner) == "":
		return "the exception has no owner", "add owner: the person or team that answers for it"
	case strings.TrimSpace(e.Reason) == "":
		return "the exception has no reason", "add reason: why the risk is acceptable"
	case e.Expires == "":
		return "the exception has no expiry", "add expires: YYYY-MM-DD"
	}
	if _, err := time.Parse(time.DateOnly, e.Expires); err != nil {
		return fmt.Sprintf("expires %q is no date", syntax.Shown(e.Expires)), "write expires: YYYY-MM-DD"
	}
	return "", ""
}

// Ignore is one entry of a .gitleaksignore file. Commit is empty or the commit
// that the entry is about. One with a commit counts for the same line of the tree,
// too; one without for that line in every commit.
type Ignore struct {
	Commit, Path, Rule string
	Line               int
	// Place is "file:line" of the entry.
	Place string
}

// maxIgnores bounds a .gitleaksignore file.
const maxIgnores = 100_000

// ParseIgnores reads a .gitleaksignore file: lines "file:rule:line" or
// "commit:file:rule:line", "#" begins a comment. Lines of another form are notes
// with the code "gitleaksignore-invalid". The path is only for places.
func ParseIgnores(path string, data []byte) ([]Ignore, []*penstock.Note) {
	var ignores []Ignore
	var notes []*penstock.Note
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || len(ignores) >= maxIgnores {
			continue
		}
		ig, ok := parseIgnore(line)
		ig.Place = path + ":" + strconv.Itoa(number)
		if !ok {
			if len(notes) < 10 {
				notes = append(notes, &penstock.Note{
					Code:    "gitleaksignore-invalid",
					Message: "this entry is not understood",
					Place:   ig.Place,
					Hint:    "write file:rule:line",
				})
			}
			continue
		}
		ignores = append(ignores, ig)
	}
	return ignores, notes
}

// parseIgnore reads from the right, because a file name may hold colons.
func parseIgnore(s string) (ig Ignore, ok bool) {
	rest, line, ok1 := cutLast(s)
	file, rule, ok2 := cutLast(rest)
	n, err := strconv.Atoi(line)
	if !ok1 || !ok2 || err != nil || n < 0 || file == "" || rule == "" {
		return ig, false
	}
	ig.Rule, ig.Line = rule, n
	if commit, after, found := strings.Cut(file, ":"); found && isCommit(commit) && after != "" {
		ig.Commit, file = commit, after
	}
	ig.Path = strings.TrimPrefix(strings.ReplaceAll(file, `\`, "/"), "./")
	return ig, true
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func isCommit(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
