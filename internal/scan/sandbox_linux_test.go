package scan

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const escapeArg = "__escape"

// escape confines itself to the folder named in its arguments, as a worker does,
// and tries to get out. It prints what each attempt gave.
func escape() int {
	inside, outside := os.Args[2], os.Args[3]
	notes, err := confine([]string{inside}, &job{Limits: Limits{}.withDefaults(), Sandbox: "require"})
	if err != nil || len(notes) > 0 {
		fmt.Println("confine:", err, notes)
		return 1
	}
	results := make(map[string]string)
	try := func(name string, err error) {
		results[name] = "done"
		if err != nil {
			results[name] = err.Error()
		}
	}
	_, err = os.ReadFile(filepath.Join(inside, "file"))
	try("read inside", err)
	_, err = os.ReadFile(outside)
	try("read outside", err)
	_, err = os.ReadFile("/etc/passwd")
	try("read passwd", err)
	_, err = os.ReadDir("/")
	try("list outside", err)
	_, err = os.ReadFile("/proc/self/environ")
	try("read proc", err)
	try("write inside", os.WriteFile(filepath.Join(inside, "new"), nil, 0o600))
	try("write through", os.WriteFile(filepath.Join(inside, "file"), nil, 0o600))
	try("remove", os.Remove(filepath.Join(inside, "file")))
	try("chdir", os.Chdir("/"))
	try("chmod", os.Chmod(filepath.Join(inside, "file"), 0o777))
	for _, network := range []string{"tcp", "udp"} {
		conn, err := net.DialTimeout(network, "127.0.0.1:9", time.Second)
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		try(network, err)
	}
	_, err = net.Dial("unix", "/tmp/none")
	try("unix socket", err)
	_, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	try("socket", err)
	_, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	try("socketpair", err)
	try("exec", exec.Command("/bin/true").Run())
	try("execve", syscall.Exec("/bin/true", []string{"true"}, nil))
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
	try("fork", orNil(errno))
	try("signal parent", syscall.Kill(os.Getppid(), 0))
	try("signal group", syscall.Kill(0, 0))
	try("ptrace", syscall.PtraceAttach(os.Getppid()))
	_, err = unix.MemfdCreate("x", 0)
	try("memfd", err)
	try("raise limit", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}))
	_ = json.NewEncoder(os.Stdout).Encode(results)
	return 0
}

func orNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// TestEscape runs every way out that we know from inside a confined process.
func TestEscape(t *testing.T) {
	if LandlockABI() < wantABI {
		t.Skipf("SKIPPED LOUDLY: this kernel's Landlock is ABI %d, the sandbox cannot be complete", LandlockABI())
	}
	inside, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{filepath.Join(inside, "file"), outside} {
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(exe, escapeArg, inside, outside).Output()
	if err != nil {
		t.Fatalf("escape: %v\n%s", err, out)
	}
	var results map[string]string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if results["read inside"] != "done" {
		t.Errorf("read inside: %s", results["read inside"])
	}
	delete(results, "read inside")
	if len(results) < 20 {
		t.Errorf("only %d attempts: %v", len(results), results)
	}
	for name, result := range results {
		if !strings.Contains(result, "permission denied") && !strings.Contains(result, "operation not permitted") {
			t.Errorf("%s: %s, want it refused", name, result)
		}
	}
	t.Logf("%s attempts refused", strconv.Itoa(len(results)))
}
