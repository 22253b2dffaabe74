package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what one run of a program cost.
type sample struct {
	cpu, wall time.Duration
	// peak is the sum of the resident high-water marks of the process and of
	// those it started, in bytes: an upper bound of what they held at one time.
	peak int64
	code int
}

// measure runs the program and samples the memory of its process tree every 5 ms.
// An exit code is not an error.
func measure(ctx context.Context, cmd *exec.Cmd) (sample, error) {
	var stderr bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	done := make(chan struct{})
	peaks := make(chan int64)
	go func() {
		marks := map[int]int64{} // by process, as marks only grow
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highWater(cmd.Process.Pid, marks)
			case <-done:
				var sum int64
				for _, m := range marks {
					sum += m
				}
				peaks <- sum
				return
			}
		}
	}()
	err := cmd.Wait()
	s := sample{wall: time.Since(begin)}
	close(done)
	s.peak = <-peaks
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return s, err
	}
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.code = cmd.ProcessState.ExitCode()
	if s.code < 0 {
		return s, fmt.Errorf("%s: %v: %s", filepath.Base(cmd.Path), err, stderr.String())
	}
	return s, nil
}

// timeOnly is measure for programs that end within milliseconds, whose time the
// sampling of their memory would disturb. Here an exit code is an error.
func timeOnly(cmd *exec.Cmd) (sample, error) {
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	return sample{wall: time.Since(begin), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// highWater notes VmHWM of pid and its descendants in bytes.
func highWater(pid int, marks map[int]int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return // it has just ended
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err == nil {
				marks[pid] = max(marks[pid], kb<<10)
			}
		}
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return
	}
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(f); err == nil {
				highWater(child, marks)
			}
		}
	}
}

// median of one field over the runs.
func median[T int64 | time.Duration](runs []sample, field func(sample) T) T {
	var all []T
	for _, s := range runs {
		all = append(all, field(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func cpu(s sample) time.Duration  { return s.cpu }
func wall(s sample) time.Duration { return s.wall }
func peak(s sample) int64         { return s.peak }

// row is a line of a table: medians and the spread of the CPU time.
func row(name string, runs []sample) string {
	lo, hi := runs[0].cpu, runs[0].cpu
	for _, s := range runs {
		lo, hi = min(lo, s.cpu), max(hi, s.cpu)
	}
	return fmt.Sprintf("| %s | %.2f (%.2f-%.2f) | %.2f | %.0f | %d |\n", name,
		median(runs, cpu).Seconds(), lo.Seconds(), hi.Seconds(), median(runs, wall).Seconds(),
		float64(median(runs, peak))/(1<<20), len(runs))
}

const tableHead = "| program | CPU s median (range) | wall s | peak MiB | runs |\n|---|---|---|---|---|\n"

func add(a, b sample) sample {
	return sample{cpu: a.cpu + b.cpu, wall: a.wall + b.wall, peak: max(a.peak, b.peak), code: max(a.code, b.code)}
}
