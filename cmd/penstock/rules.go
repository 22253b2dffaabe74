package main

import (
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
		RunE: func(cmd *cobra.Command, args []string) error { return a.testRules(args) },
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

func (a *app) testRules(names []string) error {
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
		if e.Lint == nil {
			continue
		}
		list, err := e.Lint(files)
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
