package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/internal/scan"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what of this machine a scan can use, and what is amiss",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd) },
	}
	addConfigFlags(cmd)
	return cmd
}

type checkup struct {
	a      *app
	failed bool
}

func (c *checkup) say(state, what, hint, format string, args ...any) {
	fmt.Fprintf(c.a.out, "%-5s %-14s %s\n", state, what, plain(fmt.Sprintf(format, args...)))
	if hint != "" {
		fmt.Fprintf(c.a.out, "      %-14s hint: %s\n", "", plain(hint))
	}
	c.failed = c.failed || state == "fail"
}

func (a *app) doctor(cmd *cobra.Command) error {
	c := &checkup{a: a}
	b := thisBuild()
	cgo := "without cgo"
	if b.Cgo {
		cgo = "with cgo"
	}
	c.say("ok", "program", "", "penstock %s, %s, %s, %s", b.Version, b.Go, b.Platform, cgo)
	c.say("ok", "kernel", "", "%s", firstLine("/proc/sys/kernel/osrelease"))
	c.landlock()
	c.seccomp()
	c.worker(cmd.Context())
	c.cache()
	s, err := a.load(cmd, []string{"."})
	c.config(s, err)
	c.engines()
	if ci := detectCI(a.env); ci.Name != "" {
		where := "no pull request"
		switch {
		case ci.Fork:
			where = "a pull request from a fork: the cache is only read"
		case ci.PullRequest:
			where = "a pull request of this project"
		}
		c.say("ok", "CI", "", "%s, %s", ci.Name, where)
	} else {
		c.say("ok", "CI", "", "none found")
	}
	if c.failed {
		return exit(penstock.ExitError)
	}
	return nil
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

func (c *checkup) landlock() {
	abi := scan.LandlockABI()
	switch {
	case abi == 0:
		c.say("warn", "Landlock", "use a kernel of 5.13 or later with Landlock on, in a container that allows it", "not available: the worker can read what you can read")
	case abi < 6:
		c.say("warn", "Landlock", "kernel 6.12 brings ABI 6, which also keeps signals and sockets in", "ABI %d", abi)
	default:
		c.say("ok", "Landlock", "", "ABI %d", abi)
	}
}

func (c *checkup) seccomp() {
	actions := firstLine("/proc/sys/kernel/seccomp/actions_avail")
	if !strings.Contains(actions, "errno") {
		c.say("warn", "seccomp", "use a kernel with CONFIG_SECCOMP_FILTER", "filters are not available: %s", actions)
		return
	}
	c.say("ok", "seccomp", "", "filters are available")
}

// worker starts one, as a scan would, over a folder with one file.
func (c *checkup) worker(ctx context.Context) {
	dir, err := os.MkdirTemp("", "penstock-doctor-")
	if err != nil {
		c.say("fail", "worker", "set TMPDIR to a folder that can be written", "%v", err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "probe.txt"), []byte("nothing\n"), 0o600); err != nil {
		c.say("fail", "worker", "", "%v", err)
		return
	}
	r, err := scan.Run(ctx, scan.Config{Roots: []string{dir}, Engines: c.a.engines, Worker: c.a.worker, Now: c.a.now()})
	if err != nil {
		var e *penstock.Error
		hint := ""
		if errors.As(err, &e) {
			hint = e.Hint
		}
		c.say("fail", "worker", hint, "%v", err)
		return
	}
	weak := false
	for _, n := range r.Notes {
		if strings.HasPrefix(n.Code, "sandbox") {
			weak = true
			c.say("warn", "worker", n.Hint, "%s", n.Message)
		}
	}
	if r.Totals.Unread > 0 {
		c.say("fail", "worker", "", "it could not read a file that is there")
	} else if !weak {
		c.say("ok", "worker", "", "starts and is confined")
	}
}

func (c *checkup) cache() {
	t := detectCI(c.a.env).trust()
	switch cache := c.a.openCache(false, t); {
	case cache.note != nil:
		c.say("warn", "cache", cache.note.Hint, "%s", cache.note.Message)
	case cache.dir == "":
		c.say("warn", "cache", "set HOME or XDG_CACHE_HOME", "there is no place for it")
	default:
		c.say("ok", "cache", "", "%s", cache.dir)
	}
}

func (c *checkup) config(s *settings, err error) {
	var e *penstock.Error
	switch {
	case err != nil && errors.As(err, &e):
		c.say("fail", "configuration", e.Hint, "%v", err)
	case err != nil:
		c.say("fail", "configuration", "", "%v", err)
	case s.path == "":
		c.say("ok", "configuration", "", "none found, the defaults hold")
	default:
		c.say("ok", "configuration", "", "%s", s.path)
	}
}

func (c *checkup) engines() {
	if len(c.a.engines) == 0 {
		c.say("fail", "engines", "", "this build has none")
	}
	for _, e := range c.a.engines {
		n := 0
		if e.Rules != nil {
			rules, err := e.Rules(nil)
			if err != nil {
				c.say("fail", "engine", "", "%s: %v", e.Name, err)
				continue
			}
			n = len(rules)
		}
		c.say("ok", "engine", "", "%s, %d rules", e.Name, n)
	}
}
