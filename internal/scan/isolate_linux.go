package scan

import (
	"os/exec"
	"syscall"
)

// isolate makes the worker die with its parent and gives it a process group of
// its own, so that the terminal's signals reach the parent alone.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
