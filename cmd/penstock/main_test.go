package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"penstock/internal/scan"
)

// The test binary is the program, so it is also the worker. This must be looked
// at first: a worker that ran the tests would start workers without end.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == scan.WorkerArg {
		os.Exit(scan.ServeWorker(engines()))
	}
	testscript.Main(m, map[string]func(){"penstock": main})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			home := e.WorkDir + ".home" // beside what is scanned
			e.Setenv("HOME", home)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
			e.Setenv("TMPDIR", filepath.Join(home, "tmp"))
			e.Values[forgeKey{}] = new(running)
			return errors.Join(os.MkdirAll(filepath.Join(home, "tmp"), 0o700), os.Mkdir(filepath.Join(e.WorkDir, ".git"), 0o755))
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "forge": startForge, "requests": countRequests, "plant": plant, "clean": clean, "mkfifo": mkfifo, "fill": fillFile, "interrupt": interrupt,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// exits CODE COMMAND ARGS... runs the command and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var e *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &e) {
		code = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// canary makes the n-th GitHub personal access token: well formed, with a right
// checksum, and never issued. The format: "ghp_", 30 letters and digits, six
// base-62 digits of the CRC-32 of those.
func canary(n int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body := make([]byte, 30)
	x := uint32(n)*2654435761 + 12345
	for i := range body {
		x = x*1664525 + 1013904223
		body[i] = digits[x>>16%62]
	}
	sum := crc32.ChecksumIEEE(body)
	tail := make([]byte, 6)
	for i := len(tail) - 1; i >= 0; i-- {
		tail[i] = digits[sum%62]
		sum /= 62
	}
	return "ghp_" + string(body) + string(tail)
}

const canaries = 8

// plant FILE... puts credentials for the marks CANARY1 to CANARY8.
func plant(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		b, err := os.ReadFile(ts.MkAbs(name))
		ts.Check(err)
		for i := 1; i <= canaries; i++ {
			b = bytes.ReplaceAll(b, fmt.Appendf(nil, "CANARY%d", i), []byte(canary(i)))
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), b, 0o644))
	}
}

// forms are the ways in which a secret may show: a piece of it is enough.
func forms(secret string) []string {
	body := secret[4:]
	list := []string{
		body, strings.ToUpper(hex.EncodeToString([]byte(body))), hex.EncodeToString([]byte(body)),
		url.QueryEscape(body), body[:12], body[len(body)-12:], body[10:22],
	}
	for shift := range 3 {
		// Base64 of a text depends on where it begins, modulo 3.
		e := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + body))
		list = append(list, e[4:len(e)-4])
	}
	return list
}

// clean PATH... fails if a canary shows in stdout, stderr, a file or anything in
// a folder.
func clean(ts *testscript.TestScript, neg bool, args []string) {
	look := func(name, text string) {
		for i := 1; i <= canaries; i++ {
			for _, f := range forms(canary(i)) {
				if strings.Contains(text, f) {
					ts.Fatalf("%s shows a planted secret (%q)", name, f)
				}
			}
		}
	}
	for _, name := range args {
		if name == "stdout" || name == "stderr" {
			look(name, ts.ReadFile(name))
			continue
		}
		err := filepath.WalkDir(ts.MkAbs(name), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(p)
			look(p, string(b))
			return err
		})
		ts.Check(err)
	}
}

func mkfifo(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(syscall.Mkfifo(ts.MkAbs(name), 0o600))
	}
}

// fill FILE N TEXT writes TEXT N times.
func fillFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: fill FILE N TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteString(strings.Repeat(args[2], n))
	ts.Check(err)
}

// interrupt ARGS... starts penstock on a standard input that never ends, sends
// SIGINT, and wants exit code 130.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("penstock", args...)
	if found, err := exec.LookPath(filepath.Join(filepath.Dir(os.Args[0]), "penstock")); err == nil {
		cmd.Path = found
	}
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"), "PATH="+ts.Getenv("PATH"))
	r, w, err := os.Pipe()
	ts.Check(err)
	defer w.Close()
	cmd.Stdin = r
	var errs bytes.Buffer
	cmd.Stderr = &errs
	ts.Check(cmd.Start())
	r.Close()
	_, err = w.WriteString("begun\n")
	ts.Check(err)
	// Signals that come before the handler is there kill the program all the
	// same, with another code; so wait until the worker runs.
	deadline := time.Now().Add(20 * time.Second)
	for !hasChild(cmd.Process.Pid) && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	err = cmd.Wait()
	var e *exec.ExitError
	if !errors.As(err, &e) || e.ExitCode() != 130 {
		ts.Fatalf("ended with %v, want exit code 130; stderr: %s", err, errs.String())
	}
}

func hasChild(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err == nil && len(bytes.TrimSpace(b)) > 0 {
		return true
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		if b, err := os.ReadFile(t); err == nil && len(bytes.TrimSpace(b)) > 0 {
			return true
		}
	}
	return false
}
