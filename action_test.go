package penstock_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type action struct {
	Runs struct {
		Using string
		Steps []struct {
			ID, Run, Uses string
			Env           map[string]string
		}
	}
}

func readAction(t *testing.T) action {
	t.Helper()
	b, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	if a.Runs.Using != "composite" || len(a.Runs.Steps) != 2 {
		t.Fatalf("action.yml: using %q with %d steps, want composite with 2", a.Runs.Using, len(a.Runs.Steps))
	}
	return a
}

// TestActionIsClosed: no code of a third party, and no expression in a script,
// where the text of a pull request would become code.
func TestActionIsClosed(t *testing.T) {
	for _, s := range readAction(t).Runs.Steps {
		if s.Uses != "" {
			t.Errorf("step %s uses %s", s.ID, s.Uses)
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("step %s: an expression stands in its script", s.ID)
		}
	}
}

// TestActionRuns runs both scripts as a runner does, with a program that writes
// down its arguments, and inputs that a shell would take for code.
func TestActionRuns(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	const digest = "sha256sum"
	if _, err := exec.LookPath(digest); err != nil {
		t.Skip("no " + digest)
	}
	a := readAction(t)
	run := func(t *testing.T, step int, env ...string) (string, int) {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", a.Runs.Steps[step].Run)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}

	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	script := "#!/bin/sh\nfor a in \"$@\"; do echo \"<$a>\"; done\n[ \"$1\" = version ] || exit 1\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	sum, err := exec.Command(digest, program).Output()
	if err != nil {
		t.Fatal(err)
	}
	sha := string(sum[:64])
	output := filepath.Join(dir, "output")
	base := []string{"RUNNER_TEMP=" + dir, "GITHUB_OUTPUT=" + output}

	for _, bad := range []string{"", "x", strings.Repeat("0", 64)} {
		if out, code := run(t, 0, append(base, "BINARY="+program, "SHA256="+bad)...); code == 0 {
			t.Errorf("sha256 %q was accepted: %s", bad, out)
		}
	}
	if out, code := run(t, 0, append(base, "BINARY="+program, "SHA256="+strings.ToUpper(sha))...); code != 0 {
		t.Fatalf("the right digest was refused: %s", out)
	}

	out, code := run(t, 1, append(base, "SCAN_PATH=-x; touch pwned", "FAIL_ON=low", "SINCE=--x y", "ARGS=--all $(touch pwned) `id`", "SARIF=a b.sarif")...)
	want := "<scan>\n<--output>\n<sarif=a b.sarif>\n<--fail-on>\n<low>\n<--since=--x y>\n<--all>\n<$(touch>\n<pwned)>\n<`id`>\n<-->\n<-x; touch pwned>\n"
	if out != want || code != 1 {
		t.Errorf("exit code %d, arguments:\n%swant exit code 1 and:\n%s", code, out, want)
	}
	b, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), "sarif=a b.sarif\nexit-code=1\n"; got != want {
		t.Errorf("outputs %q, want %q", got, want)
	}
	if out, code := run(t, 1, append(base, "SCAN_PATH=.", "FAIL_ON=", "SINCE=", "ARGS=", "SARIF=a\nexit-code=0")...); code != 64 {
		t.Errorf("a forged output line was accepted (exit code %d): %s", code, out)
	}
}
