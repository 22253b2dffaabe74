package scan

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"penstock"
)

// wantABI is the Landlock ABI that closes everything we know of: files, TCP,
// device ioctls, abstract sockets and signals to other processes (scoped, ABI 6),
// with audit control (7).
const wantABI = 7

// LandlockABI is the kernel's Landlock ABI, 0 for none.
func LandlockABI() int {
	v, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return v
}

// limitStack lets runaway recursion die at 64 MB instead of 1 GB: 0.18 s instead
// of 1.45 s.
func limitStack() { debug.SetMaxStack(64 << 20) }

// confine gives up the worker's rights: it may read below paths, and use the
// descriptors that it has. What the kernel cannot enforce is said in notes, or
// with the sandbox required is an error.
func confine(paths []string, j *job) ([]penstock.Note, error) {
	var weak []string
	if err := limitMemory(j.Limits.Memory); err != nil {
		weak = append(weak, "no memory limit ("+err.Error()+")")
	}
	// No core file: it would hold the secrets that were read.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		weak = append(weak, "core files are not off ("+err.Error()+")")
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		weak = append(weak, "other processes of this user may read its memory ("+err.Error()+")")
	}
	if err := restrictFiles(paths); err != nil {
		weak = append(weak, "file access is not restricted by Landlock ("+err.Error()+")")
	} else if abi := LandlockABI(); abi < wantABI {
		weak = append(weak, fmt.Sprintf("this kernel's Landlock is ABI %d, not %d", abi, wantABI))
	}
	if err := restrictCalls(); err != nil {
		weak = append(weak, "system calls are not filtered by seccomp ("+err.Error()+")")
	}
	if len(weak) == 0 {
		return nil, nil
	}
	if j.Sandbox == "require" {
		return nil, &penstock.Error{
			Message: "the sandbox is required but incomplete: " + strings.Join(weak, "; "),
			Hint:    "run on a kernel with Landlock (5.13 or later, best 6.12) in a container that allows it, or set sandbox: best-effort",
		}
	}
	var notes []penstock.Note
	for _, w := range weak {
		notes = append(notes, penstock.Note{
			Code: "sandbox-partial", Message: "the worker's sandbox is incomplete: " + w,
			Hint: "penstock doctor shows what this machine offers",
		})
	}
	return notes, nil
}

func restrictFiles(paths []string) error {
	if LandlockABI() == 0 {
		return fmt.Errorf("the kernel has none, or the container forbids it")
	}
	var rules []landlock.Rule
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			continue // reported as unread when it is opened
		}
		if st.IsDir() {
			rules = append(rules, landlock.RODirs(path))
		} else {
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	// Restrict, not RestrictPaths: it closes network and scopes as well.
	return landlock.V7.BestEffort().Restrict(rules...)
}

// allowed are the system calls that the Go runtime, the C library's threads and
// allocator, and reading files need.
var allowed = []string{
	"read", "pread64", "readv", "write", "writev", "close", "fstat", "newfstatat", "lseek",
	"openat", "openat2", "getdents64", "readlinkat", "fcntl",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "brk", "mlock", "munlock",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"futex", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday",
	"sched_yield", "sched_getaffinity", "getpid", "gettid", "getrandom", "getrlimit", "uname",
	"exit", "exit_group", "rseq", "set_robust_list", "membarrier",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "pipe2", "ppoll",
	"timer_create", "timer_settime", "timer_delete", "setitimer",
}

// allowedHere are calls that exist on some processors only.
var allowedHere = map[string][]string{
	"amd64": {"poll", "fadvise64", "epoll_wait", "arch_prctl"},
	"arm64": {"fadvise64"},
}

// restrictCalls answers EPERM to every call that is not listed: no socket of any
// kind, no exec, no signal to another process, no change of files.
func restrictCalls() error {
	errno := func(n unix.Errno) seccomp.Action { return seccomp.ActionErrno | seccomp.Action(n) }
	names := append(append([]string{}, allowed...), allowedHere[runtime.GOARCH]...)
	filter := seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: names},
				// Threads only; the C library falls back from clone3, whose flags
				// a filter cannot see, on ENOSYS and on nothing else.
				{Action: errno(unix.ENOSYS), Names: []string{"clone3"}},
				{Action: seccomp.ActionAllow, NamesWithCondtions: []seccomp.NameWithConditions{
					{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
					// The runtime pre-empts its own threads by signal.
					{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: uint64(os.Getpid())}}},
					// Asking for limits, not setting them.
					{Name: "prlimit64", Conditions: seccomp.ArgumentConditions{{Argument: 2, Operation: seccomp.Equal, Value: 0}}},
					{Name: "prctl", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: unix.PR_SET_VMA}}},
				}},
			},
		},
	}
	return seccomp.LoadFilter(filter)
}

// limitMemory bounds the worker's data. RLIMIT_AS cannot be used with Go, which
// maps far more than it touches. The race detector breaks under both limits.
func limitMemory(n int64) error {
	if raceEnabled || n <= 0 {
		return nil
	}
	debug.SetMemoryLimit(n / 10 * 8)
	return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(n), Max: uint64(n)})
}
