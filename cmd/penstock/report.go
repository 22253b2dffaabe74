package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/report"
)

func (a *app) reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report FILE.jsonl",
		Short: "Make other reports from the stream of an earlier scan",
		Long: `Report reads the stream that scan wrote by --format jsonl, "-" for standard
input, and makes any other format from it, the same as the scan would have. It
exits with 0 if the stream is whole, whatever the verdict in it.`,
		Example: "  penstock report run.jsonl --format sarif\n  penstock report run.jsonl --output html=run.html --output gitlab=gl.json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.report(cmd, args[0]) },
	}
	for _, o := range options() {
		switch o.flag {
		case "format", "output", "all", "color", "width", "quiet":
			addFlag(cmd, o)
		}
	}
	return cmd
}

func (a *app) report(cmd *cobra.Command, name string) error {
	s := newSettings()
	if err := a.loadEnv(s); err != nil {
		return err
	}
	if err := loadFlags(cmd, s); err != nil {
		return err
	}
	if err := s.check(a.engines); err != nil {
		return err
	}
	targets, err := s.targets()
	if err != nil {
		return err
	}
	if err := checkTargets(targets); err != nil {
		return err
	}
	in, done, err := a.openStream(name)
	if err != nil {
		return err
	}
	defer done()
	outs, err := a.openOutputs(targets, func(t target) report.Options { return a.sinkOptions(s, t, detectCI(a.env).Commit) })
	if err != nil {
		return err
	}
	if err := report.Replay(in, outs); err != nil {
		outs.discard()
		return err
	}
	return outs.commit()
}

// openStream opens a stream that was kept, "-" for standard input. done closes it.
func (a *app) openStream(name string) (in io.Reader, done func(), err error) {
	if name == "-" {
		return a.in, func() {}, nil
	}
	f, err := openRegular(os.OpenFile, name, 1<<62)
	if err != nil {
		return nil, nil, &penstock.Error{Message: "read stream", Hint: "make one with: penstock scan --output jsonl=FILE", Err: err}
	}
	return f, func() { f.Close() }, nil
}
