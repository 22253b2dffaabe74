//go:build !linux

package scan

import (
	"os"
	"os/exec"
	"runtime/debug"

	"penstock"
)

// LandlockABI is 0: Landlock is Linux's.
func LandlockABI() int { return 0 }

func limitStack() { debug.SetMaxStack(64 << 20) }

// confine can bound memory only by asking the collector; the rest is said.
func confine(_ []string, j *job) ([]penstock.Note, error) {
	debug.SetMemoryLimit(j.Limits.Memory / 10 * 8)
	const weak = "the worker's sandbox is incomplete: this system has neither Landlock nor seccomp"
	if j.Sandbox == "require" {
		return nil, &penstock.Error{Message: weak, Hint: "run on Linux, or set sandbox: best-effort"}
	}
	return []penstock.Note{{Code: "sandbox-partial", Message: weak, Hint: "scan code that you do not trust on Linux"}}, nil
}

func isolate(*exec.Cmd) {}

// flight is a plain file here; what was in flight is not known after a death, so
// the run ends incomplete sooner.
type flight struct{ file *os.File }

const (
	flightSlots = 256
	flightSlot  = 8 << 10
)

func newFlight() (*flight, error) {
	f, err := os.Open(os.DevNull)
	return &flight{file: f}, err
}

func openFlight(f *os.File) (*flight, error) { return &flight{file: f}, nil }

func (f *flight) begin(int, string) {}
func (f *flight) end(int)           {}
func (f *flight) paths() []string   { return nil }
func (f *flight) close()            { f.file.Close() }
