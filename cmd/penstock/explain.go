package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/engine/pipeline"
	"penstock/internal/engine/secrets"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain RULE",
		Short: "Say what a rule is about, why it matters and what to do",
		Long: `Explain prints all that is known of a rule: its id, an alias such as the id that
gitleaks uses, or a rule of your own by --rules. Of a rule of the forge that a step of
a path names, such as github-checkout-guard, it prints what holds, since when and where
that is written.`,
		Example:           "  penstock explain secrets/github-personal-access-token\n  penstock explain github-pat\n  penstock explain github-checkout-guard",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeRules,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.explain(cmd, args[0]) },
	}
	addRuleFlags(cmd)
	return cmd
}

// addRuleFlags are the flags of verbs that read rules and no tree.
func addRuleFlags(cmd *cobra.Command) {
	for _, o := range options() {
		if o.flag == "rules" {
			addFlag(cmd, o)
		}
	}
	addConfigFlags(cmd)
}

// allRules are the built-in rules, that of a change to its own check, and those of
// the user's files, sorted by id, and these files.
func (a *app) allRules(cmd *cobra.Command) ([]penstock.Rule, []penstock.RuleFile, error) {
	s, err := a.load(cmd, []string{"."})
	if err != nil {
		return nil, nil, err
	}
	files, err := s.ruleFiles()
	if err != nil {
		return nil, nil, err
	}
	rules := []penstock.Rule{changedRule()}
	for _, e := range a.engines {
		if e.Rules == nil {
			continue
		}
		list, err := e.Rules(files)
		if err != nil {
			return nil, nil, err
		}
		rules = append(rules, list...)
	}
	slices.SortFunc(rules, func(a, b penstock.Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules, files, nil
}

// completeRules gives the ids for the shell.
func (a *app) completeRules(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	rules, _, err := a.allRules(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var ids []string
	for _, r := range rules {
		if strings.HasPrefix(r.ID, prefix) {
			ids = append(ids, r.ID+"\t"+r.Title)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// findRule looks for an id, an alias, or the part of an id after the engine.
func findRule(rules []penstock.Rule, name string) (*penstock.Rule, error) {
	var names []string
	for _, same := range []func(r *penstock.Rule) bool{
		func(r *penstock.Rule) bool { return r.ID == name },
		func(r *penstock.Rule) bool { return slices.Contains(r.Aliases, name) },
		func(r *penstock.Rule) bool { return tail(r.ID) == name },
	} {
		for i := range rules {
			if same(&rules[i]) {
				return &rules[i], nil
			}
		}
	}
	for _, r := range rules {
		names = append(names, r.ID, tail(r.ID))
		names = append(names, r.Aliases...)
	}
	hint := nearHint(name, names)
	if hint == "" {
		hint = "to list them: penstock rules"
	}
	return nil, usage(hint, "there is no rule %q", name)
}

func tail(id string) string { return id[strings.IndexByte(id, '/')+1:] }

func (a *app) explain(cmd *cobra.Command, name string) error {
	for _, row := range pipeline.NewSemantics().Rows() {
		if row.ID == name {
			_, err := fmt.Fprint(a.out, forgeRule(row))
			return err
		}
	}
	rules, files, err := a.allRules(cmd)
	if err != nil {
		return err
	}
	r, err := findRule(rules, name)
	if err != nil {
		return err
	}
	if r.Engine() == "secrets" || r.Engine() == "user" {
		bad, good, err := secrets.Examples(files, r.ID)
		if err != nil {
			return err
		}
		r.Bad, r.Good = strings.Join(bad, "\n"), strings.Join(good, "\n")
	}
	var needs []string
	var settings string
	if info := pipeline.FindRule(r.ID); info != nil {
		if info.Online {
			needs = append(needs, "with --online, since no file tells it")
		}
		for _, e := range info.Examples[:min(len(info.Examples), 1)] {
			if s := e.SettingsFile(); s != nil {
				settings = string(s)
				needs = append(needs, "with --forge-settings and the file below")
			}
			for _, k := range slices.Sorted(maps.Keys(e.Config)) {
				needs = append(needs, "with pipeline."+k+": "+e.Config[k])
			}
		}
	}
	_, err = fmt.Fprint(a.out, explanation(r, needs, settings))
	return err
}

// forgeRule is the text of a rule of the forge for a terminal.
func forgeRule(row pipeline.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: a rule of %s\n\n%s\n", row.ID, row.Forge, wrap(row.Statement, "  ", 80))
	line := func(word, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", word, text)
		}
	}
	version := func(v pipeline.Version) string {
		if v == (pipeline.Version{}) {
			return ""
		}
		return v.String()
	}
	b.WriteString("\n")
	line("events", strings.Join(row.Events, ", "))
	line("from", string(row.From))
	line("until", string(row.Until))
	line("on servers since", version(row.Since))
	line("on servers before", version(row.Before))
	if row.ServiceOnly {
		b.WriteString("on the forge's own service only\n")
	}
	if row.ServerOnly {
		b.WriteString("on servers only\n")
	}
	line("source", row.Source)
	return b.String()
}

// explanation is the text of a rule for a terminal, at most 80 columns wide but
// for examples and addresses. A user's rule file is text from elsewhere: all of
// it is made plain.
func explanation(r *penstock.Rule, needs []string, settings string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s: %s", plain(r.ID), plain(r.Title))
	line("severity %s, confidence %s", r.Severity, r.Confidence)
	switch r.Tier {
	case penstock.TierHygiene:
		line("tier: hygiene, which does not block unless gate.hygiene says so")
	case penstock.TierExploitable:
		line("tier: up to exploitable")
	case penstock.TierProvenPath:
		line("tier: up to proven path, where each step to something of value is shown")
	}
	if len(r.Forges) > 0 {
		line("forges: %s", plain(strings.Join(r.Forges, ", ")))
	}
	if len(r.Aliases) > 0 {
		line("also known as %s", plain(strings.Join(r.Aliases, ", ")))
	}
	section := func(title, text string) {
		if text != "" {
			line("\n%s\n%s", title, wrap(text, "  ", 80))
		}
	}
	section("Why it matters", r.Why)
	example := func(title, text string) {
		if text == "" {
			return
		}
		line("\n%s", title)
		for l := range strings.Lines(text) {
			line("  %s", plain(strings.TrimRight(l, "\r\n")))
		}
	}
	if len(needs) > 0 {
		section("When", "The example below is found "+strings.Join(needs, ", and ")+".")
	}
	example("Settings of the forge", settings)
	example("Found", r.Bad)
	example("Not found", r.Good)
	section("What to do", r.Remedy)
	var tags []string
	for _, n := range r.CWE {
		tags = append(tags, fmt.Sprintf("CWE-%d", n))
	}
	if tags = append(tags, r.Tags...); len(tags) > 0 {
		line("\nTags\n  %s", plain(strings.Join(tags, ", ")))
	}
	if len(r.References) > 0 {
		line("\nReferences")
		for _, ref := range r.References {
			line("  %s", plain(ref))
		}
	}
	line(`
To accept one finding
  on its line, with a reason:     penstock: ignore[%[1]s] why it is harmless
  with owner and expiry:          an entry in .penstock/exceptions.yaml
To switch the rule off
  for one run:                    penstock scan --skip-rule '%[1]s'
  for the project:                scan: {skip-rules: [%[1]s]} in penstock.yaml`, plain(r.ID))
	return b.String()
}

// wrap breaks running text at blanks and indents it; paragraphs stay.
func wrap(text, indent string, width int) string {
	var out []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			word = plain(word)
			if line != "" && len(indent)+len(line)+1+len(word) > width {
				out, line = append(out, indent+line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		out = append(out, indent+line)
	}
	return strings.Join(out, "\n")
}
