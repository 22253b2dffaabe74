package secrets

import (
	"io/fs"
	"strings"

	"penstock"
	"penstock/rules"
)

// Examples expands the examples of a rule, built in or of the user's files, which
// are templates: texts in which it finds something, and such in which it must
// not. The values are made up and never issued; the same rule gives the same
// texts. A rule without examples, or one that is not there, gives none.
func Examples(files []penstock.RuleFile, id string) (bad, good []string, err error) {
	engine, name, _ := strings.Cut(id, "/")
	if engine == "secrets" {
		if files, err = builtinFiles(); err != nil {
			return nil, nil, err
		}
	}
	for _, f := range files {
		t, _, err := parseRuleFile(f.Path, f.Data)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range t.Rules {
			if strings.TrimSpace(r.ID) != name {
				continue
			}
			if bad, err = expandAll(r.Bad, r.Check); err != nil {
				return nil, nil, err
			}
			good, err = expandAll(r.Good, r.Check)
			return bad, good, err
		}
	}
	return nil, nil, nil
}

func builtinFiles() ([]penstock.RuleFile, error) {
	names, err := fs.Glob(rules.Secrets, "secrets/*.toml")
	if err != nil {
		return nil, err
	}
	var files []penstock.RuleFile
	for _, n := range names {
		data, err := fs.ReadFile(rules.Secrets, n)
		if err != nil {
			return nil, err
		}
		files = append(files, penstock.RuleFile{Path: "rules/" + n, Data: data})
	}
	return files, nil
}

func expandAll(templates []string, check string) ([]string, error) {
	out := make([]string, 0, len(templates))
	for i, t := range templates {
		text, err := Expand(t, uint64(i), check)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}
