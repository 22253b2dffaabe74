//go:build linux

package scan

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"penstock"
)

// The test binary is its own worker: it must look for that first, or starting a
// worker would start the tests again, and again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case WorkerArg:
			os.Exit(ServeWorker(append(testEngines(), pairEngine(), askEngine())))
		case powerlessArg:
			becomePowerless()
		case escapeArg:
			os.Exit(escape())
		}
	}
	os.Exit(m.Run())
}

func testWorker() (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(exe, WorkerArg), nil
}

// powerlessArg starts a worker that cannot read what its user may not, even if
// the tests run as root.
const powerlessArg = "__powerless"

func powerlessWorker() (*exec.Cmd, error) {
	cmd, err := testWorker()
	if err == nil {
		cmd.Args[1] = powerlessArg
	}
	return cmd, err
}

// becomePowerless starts the worker anew in its own place. Capabilities belong to
// a thread, so only a new program has none in all of its threads; the secure bit
// keeps root from getting them back.
func becomePowerless() {
	runtime.LockOSThread()
	const noRoot = 1 << 0
	exe, err := os.Executable()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	err = errors.Join(err, unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0), unix.Capset(&header, &none[0]))
	if err == nil {
		err = unix.Exec(exe, []string{exe, WorkerArg}, nil)
	}
	panic(err)
}

func testEngines() []penstock.Engine {
	return []penstock.Engine{wordEngine("words", "SECRET-"), wordEngine("marks", "MARK-"), countEngine()}
}

// wordEngine finds words that begin with a prefix and reads like the secrets
// engine: in segments, with keyed groups. Some words make it misbehave.
func wordEngine(name, prefix string) penstock.Engine {
	rule := penstock.Rule{ID: name + "/word", Title: "a word", Severity: penstock.High, Confidence: penstock.ConfidenceHigh}
	e := penstock.Engine{
		Name: name, Version: 1, PerFile: true,
		Rules: func([]penstock.RuleFile) ([]penstock.Rule, error) { return []penstock.Rule{rule}, nil },
		Open: func(_ context.Context, s penstock.Setup) (penstock.Pass, error) {
			for _, f := range s.RuleFiles {
				if bytes.Contains(f.Data, []byte("broken")) {
					return nil, &penstock.Error{Message: f.Path + ":1: broken rule", Hint: "mend it"}
				}
			}
			p := &wordPass{rule: rule, prefix: []byte(prefix), key: s.Key}
			for _, f := range s.RuleFiles {
				p.allowed = append(p.allowed, f.Data...)
			}
			return p, nil
		},
	}
	if name == "words" {
		e.Secrets = func(_ string, b []byte) []penstock.Span {
			return findWords(b, []byte(prefix))
		}
	}
	return e
}

type wordPass struct {
	rule   penstock.Rule
	prefix []byte
	key    []byte
	// allowed holds the commits that rule files allow everything.
	allowed []byte
}

var _ penstock.Pass = (*wordPass)(nil)

func (p *wordPass) Wants(path string, info penstock.FileInfo) bool {
	return !info.Binary && !strings.HasSuffix(path, ".unwanted")
}

func (p *wordPass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	if c := f.Info.Commit; c != "" && bytes.Contains(p.allowed, []byte(c)) {
		return nil
	}
	for seg, err := range f.Segments(64<<10, 1<<10) {
		if err != nil {
			return err
		}
		misbehave(seg.Bytes)
		for _, s := range findWords(seg.Bytes, p.prefix) {
			if s.End <= int64(seg.Fresh) || !seg.Last && s.Start >= int64(len(seg.Bytes)-1<<9) && s.End == int64(len(seg.Bytes)) {
				continue
			}
			word := seg.Bytes[s.Start:s.End]
			mac := hmac.New(sha256.New, p.key)
			mac.Write(word)
			r.Report(&penstock.Finding{
				Rule: p.rule.ID, Title: p.rule.Title, Severity: p.rule.Severity, Confidence: p.rule.Confidence,
				Location: penstock.Location{Span: penstock.Span{Start: s.Start + seg.Base, End: s.End + seg.Base}},
				Evidence: penstock.Evidence{Secret: &penstock.SecretEvidence{Kind: "word", Length: len(word)}},
				Group:    hex.EncodeToString(mac.Sum(nil)),
			})
		}
	}
	return nil
}

func (p *wordPass) Finish(context.Context, penstock.Run, penstock.Reporter) error { return nil }

// misbehave does what hostile input could make a real engine do.
func misbehave(b []byte) {
	switch {
	case bytes.Contains(b, []byte("please-panic")):
		panic("SECRET-in-panic")
	case bytes.Contains(b, []byte("please-exit")):
		os.Exit(7)
	case bytes.Contains(b, []byte("please-overflow")):
		var recurse func(n int) int
		recurse = func(n int) int { return recurse(n+1) + n }
		fmt.Fprintln(os.Stderr, recurse(0))
	case bytes.Contains(b, []byte("please-allocate")):
		var hold [][]byte
		for {
			block := make([]byte, 16<<20)
			for i := range block {
				block[i] = 1
			}
			hold = append(hold, block)
			if len(hold) > 512 {
				panic(errors.New("no memory limit"))
			}
		}
	}
}

func findWords(b, prefix []byte) (spans []penstock.Span) {
	for at := 0; ; {
		i := bytes.Index(b[at:], prefix)
		if i < 0 {
			return spans
		}
		start := at + i
		end := start + len(prefix)
		for end < len(b) && (b[end] >= 'a' && b[end] <= 'z' || b[end] >= '0' && b[end] <= '9') {
			end++
		}
		spans = append(spans, penstock.Span{Start: int64(start), End: int64(end)})
		at = end
	}
}

// countEngine does its work in Finish, from facts.
func countEngine() penstock.Engine {
	return penstock.Engine{
		Name: "count", Version: 1, After: []string{"words"},
		Open: func(context.Context, penstock.Setup) (penstock.Pass, error) { return countPass{}, nil },
	}
}

type countPass struct{}

func (countPass) Wants(_ string, info penstock.FileInfo) bool { return !info.Binary }

func (countPass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	r.Report(&penstock.Fact{Kind: "size", Data: fmt.Append(nil, f.Info.Size)})
	return nil
}

func (countPass) Finish(_ context.Context, run penstock.Run, r penstock.Reporter) error {
	n := 0
	for _, f := range run.Facts {
		if f.Engine == "count" && f.Kind == "size" {
			n++
		}
	}
	r.Report(&penstock.Note{Code: "count", Message: fmt.Sprint(n)})
	return nil
}
