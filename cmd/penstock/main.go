// Command penstock checks a pipeline before anything reaches the cloud.
//
// This package is the wiring: it owns the terminal, the environment, files named
// by the user and the exit code, and hands everything else to the packages under
// internal. Only main calls os.Exit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/scan"
	"penstock/internal/syntax"
)

func main() {
	// The worker must not run a line of what follows: it serves and ends.
	if len(os.Args) > 1 && os.Args[1] == scan.WorkerArg {
		os.Exit(scan.ServeWorker(engines()))
	}
	debug.SetGCPercent(400) // until a run shows that it is large, see scan
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// app is one call of the program: what it was given from outside.
type app struct {
	in      *os.File
	out     io.Writer
	err     io.Writer
	environ []string
	engines []penstock.Engine
	// worker makes the command that starts this program in worker mode.
	worker func() (*exec.Cmd, error)
	now    func() time.Time
}

// run is the whole program but for leaving it; it returns the exit code.
func run(args []string, in *os.File, out, errw io.Writer, environ []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the run in order; the second one ends the program.
	context.AfterFunc(ctx, stop)
	a := &app{in: in, out: out, err: errw, environ: environ, engines: engines(), worker: workerCommand, now: time.Now}
	return a.main(ctx, args)
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if code, ok := err.(exit); ok {
		return int(code)
	}
	if err == nil {
		return penstock.ExitPass
	}
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "interrupted: nothing was written")
		return penstock.ExitInterrupted
	}
	printError(a.err, err)
	return exitCode(err)
}

// workerCommand starts the program itself, with nothing of the environment.
func workerCommand() (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program itself: %w", err)
	}
	cmd := exec.Command(exe, scan.WorkerArg)
	cmd.Env = []string{}
	return cmd, nil
}

// env looks up a variable; the last of equal names counts, as for exec.
func (a *app) env(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(a.environ[i], "="); key == name {
			return value
		}
	}
	return ""
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "penstock",
		Short: "Check a pipeline before anything reaches the cloud",
		Long: `Penstock checks what a pipeline is about to ship: one binary, no account, no
network. It says what it found, what it could not read, and passes or blocks.

Exit codes: 0 pass; 1 the gate blocks; 2 error, unread files or a broken
configuration; 3 nothing to check; 64 wrong use; 130 interrupted.`,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		a.scanCommand(), a.reportCommand(), a.explainCommand(), a.rulesCommand(), a.fixCommand(), a.baselineCommand(),
		a.configCommand(), a.initCommand(), a.doctorCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes wrong arguments wrong use for the exit code.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			var known *penstock.Error
			if err != nil && !errors.As(err, &known) {
				return &penstock.Error{Code: penstock.ExitUsage, Hint: "see: " + cmd.CommandPath() + " --help", Err: err}
			}
			return err
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// knownCommand is reached with arguments only if the first names no command.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := "see: " + cmd.CommandPath() + " --help"
	if near := syntax.Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+near)
	} else if _, err := os.Lstat(args[0]); err == nil {
		hint = fmt.Sprintf("to check it: penstock scan %s", args[0])
	}
	return usage(hint, "unknown command %q", args[0])
}
