package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"penstock"
)

func (a *app) rulesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, _, err := a.allRules(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				if rules == nil {
					rules = []penstock.Rule{}
				}
				return writeJSON(a.out, rules)
			}
			return a.listRules(rules)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with all texts")
	addRuleFlags(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:   "test FILE|DIR...",
		Short: "Check rule files of your own",
		Long: `Test reads rule files, in the format of gitleaks or with the keys of Penstock,
and says what is wrong or works otherwise than it may seem. It exits with 2 if a
file cannot be used.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.testRules(cmd.Context(), args) },
	})
	return cmd
}

func (a *app) listRules(rules []penstock.Rule) error {
	width := 0
	for _, r := range rules {
		width = max(width, len(r.ID))
	}
	for _, r := range rules {
		if _, err := fmt.Fprintf(a.out, "%-*s  %-8s  %s\n", width, plain(r.ID), r.Severity, plain(r.Title)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "%d rules\n", len(rules))
	return err
}

func (a *app) testRules(ctx context.Context, names []string) error {
	s := newSettings()
	s.Scan.Rules = names
	files, err := s.ruleFiles()
	if err != nil {
		return err
	}
	count, warnings := 0, 0
	for _, e := range a.engines {
		if e.Rules == nil {
			continue
		}
		own, err := e.Rules(nil)
		if err != nil {
			return err
		}
		all, err := e.Rules(files)
		if err != nil {
			return err
		}
		count += len(all) - len(own)
		list, err := ruleWarnings(ctx, e, files)
		if err != nil {
			return err
		}
		warnings += len(list)
		for _, n := range list {
			a.warn(n)
		}
	}
	_, err = fmt.Fprintf(a.out, "%d files, %d rules, %d warnings\n", len(files), count, warnings)
	return err
}

func (a *app) warn(n *penstock.Note) {
	place := ""
	if n.Place != "" {
		place = plain(n.Place) + ": "
	}
	fmt.Fprintf(a.out, "warning: %s%s\n", place, plain(n.Message))
	if n.Hint != "" {
		fmt.Fprintf(a.out, "hint: %s\n", plain(n.Hint))
	}
}

// notes is a reporter that keeps the notes.
type notes []*penstock.Note

func (n *notes) Report(r penstock.Record) {
	if note, ok := r.(*penstock.Note); ok {
		*n = append(*n, note)
	}
}

// ruleWarnings opens an engine with the files and no tree: what it has to say
// about rules it says as notes.
func ruleWarnings(ctx context.Context, e penstock.Engine, files []penstock.RuleFile) ([]*penstock.Note, error) {
	if e.Open == nil {
		return nil, nil
	}
	pass, err := e.Open(ctx, penstock.Setup{RuleFiles: files})
	if err != nil {
		return nil, err
	}
	var list notes
	each := func(n int, do func(i int)) {
		for i := range n {
			do(i)
		}
	}
	err = pass.Finish(ctx, penstock.Run{Each: each}, &list)
	return list, err
}
