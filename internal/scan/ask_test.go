//go:build linux

package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// askEngine asks, at the end, what its *.ask files say: a question in JSON a line.
func askEngine() penstock.Engine {
	return penstock.Engine{
		Name: "ask", Version: 1,
		Open: func(context.Context, penstock.Setup) (penstock.Pass, error) { return askPass{}, nil },
	}
}

type askPass struct{}

func (askPass) Wants(path string, _ penstock.FileInfo) bool { return strings.HasSuffix(path, ".ask") }

func (askPass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	b, err := f.Bytes()
	r.Report(&penstock.Fact{Kind: "ask", Data: bytes.Clone(b)})
	return err
}

func (askPass) Finish(_ context.Context, run penstock.Run, r penstock.Reporter) error {
	if run.Ask == nil {
		r.Report(&penstock.Note{Code: "answer", Message: "nobody"})
		return nil
	}
	for _, f := range run.Facts {
		if f.Kind != "ask" {
			continue
		}
		// Twice, so that the answers of one question cannot be taken for the next's.
		for range 2 {
			var questions []penstock.Question
			for line := range strings.Lines(string(f.Data)) {
				var q penstock.Question
				if err := json.Unmarshal([]byte(line), &q); err != nil {
					return err
				}
				questions = append(questions, q)
			}
			for i, a := range run.Ask(questions) {
				r.Report(&penstock.Note{Code: "answer", Message: fmt.Sprintf("%s %v %s", questions[i].Repo, a.Known, a.Moved)})
			}
		}
	}
	return nil
}

const questions = `{"kind":"repository","owner":"o","repo":"a"}
{"kind":"repository","owner":"o","repo":"b"}
{"kind":"repository","owner":"o","repo":"a"}
`

func answersOf(r *Result) []string {
	var out []string
	for _, n := range r.Notes {
		if n.Code == "answer" {
			out = append(out, n.Message)
		}
	}
	return out
}

// In a worker and without one, the questions of an engine reach who answers, each once,
// and the answers come back in order.
func TestAsk(t *testing.T) {
	for name, worker := range map[string]func() (*exec.Cmd, error){"worker": testWorker, "in process": nil} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "x.ask", questions)
			var got [][]string
			cfg := Config{Roots: []string{dir}, Dir: dir, Engines: append(testEngines(), askEngine()), Worker: worker}
			run := func() *Result {
				r, err := Run(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if diff := cmp.Diff([]string{"nobody"}, answersOf(run())); diff != "" {
				t.Errorf("offline (-want +got):\n%s", diff)
			}
			cfg.Resolve = func(_ context.Context, questions []penstock.Question) []penstock.Answer {
				answers := make([]penstock.Answer, len(questions))
				var repos []string
				for i, q := range questions {
					repos = append(repos, q.Repo)
					// Larger than a pipe holds.
					answers[i] = penstock.Answer{Known: true, Moved: "x/" + q.Repo, Tags: []string{strings.Repeat("v", 200_000)}}
				}
				got = append(got, repos)
				return answers
			}
			if diff := cmp.Diff([]string{"a true x/a", "b true x/b"}, answersOf(run())); diff != "" {
				t.Errorf("online (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([][]string{{"a", "b"}, {"a", "b"}}, got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// A worker that asks anything but well-formed questions is a worker that was taken over:
// nothing is looked up, and the engine's end is lost.
func TestAskHostile(t *testing.T) {
	for _, q := range []string{
		`{"kind":"repository","owner":"..","repo":"user"}`,
		`{"kind":"repository","owner":"o","repo":"r/../../../user/keys"}`,
		`{"kind":"ref","owner":"o","repo":"r","ref":"a?access_token=1"}`,
		`{"kind":"commit","owner":"o","repo":"r","ref":"main"}`,
		`{"kind":"delete","owner":"o","repo":"r"}`,
	} {
		dir := t.TempDir()
		write(t, dir, "x.ask", q+"\n")
		write(t, dir, "y", "SECRET-stays\n")
		r, err := Run(t.Context(), Config{
			Roots: []string{dir}, Dir: dir, Engines: append(testEngines(), askEngine()), Worker: testWorker,
			Resolve: func(_ context.Context, questions []penstock.Question) []penstock.Answer {
				t.Errorf("looked up: %v", questions)
				return make([]penstock.Answer, len(questions))
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || len(answersOf(r)) != 0 {
			t.Errorf("%s: %v, %v", q, r.Findings, answersOf(r))
		}
		incomplete := false
		for _, n := range r.Notes {
			incomplete = incomplete || n.Incomplete
		}
		if !incomplete {
			t.Errorf("%s: no note says that something was not done", q)
		}
	}
}

func TestAnswer(t *testing.T) {
	many := func(n int) string {
		var list []penstock.Question
		for i := range n {
			list = append(list, penstock.Question{Kind: penstock.AskRepository, Owner: "o", Repo: fmt.Sprint("r", i)})
		}
		b, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	asked := 0
	resolve := func(_ context.Context, q []penstock.Question) []penstock.Answer {
		asked += len(q)
		return make([]penstock.Answer, len(q))
	}
	var out bytes.Buffer
	r := &run{cfg: &Config{Resolve: resolve}, answers: &out}
	r.job.Ask = true
	for _, bad := range []string{"", "{}", "[]", "null", "[{}]", `["x"]`, strings.Repeat("[", 1000), `[{"kind":"repository","owner":"o","repo":"r","ref":"x"}]`,
		`[{"kind":"repository","owner":"o","repo":"r"}`, `[{"kind":"repository","owner":"o","repo":"r"},{}]`, "[" + strings.Repeat("{},", 1<<20) + "{}]"} {
		if err := r.answer(t.Context(), []byte(bad)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if asked != 0 || out.Len() != 0 {
		t.Errorf("%d asked, %d bytes answered", asked, out.Len())
	}
	if err := r.answer(t.Context(), []byte(many(maxQuestions+1))); !errors.Is(err, errFrame) || asked != 0 {
		t.Errorf("more than a run may ask: %v", err)
	}
	r.asked = 10
	if err := r.answer(t.Context(), []byte(many(maxQuestions))); err != nil {
		t.Fatal(err)
	}
	kind, payload, err := readFrame(bufio.NewReader(&out), nil)
	var answers []penstock.Answer
	if err != nil || kind != frameAnswer || json.Unmarshal(payload, &answers) != nil || len(answers) != maxQuestions {
		t.Errorf("%v: %d answers", err, len(answers))
	}
	if asked != maxQuestions-10 || len(r.notes) != 1 {
		t.Errorf("%d asked, notes %v", asked, r.notes)
	}
	// Nobody is to be asked.
	offline := &run{cfg: &Config{}, answers: &out}
	if err := offline.answer(t.Context(), []byte(many(1))); !errors.Is(err, errFrame) {
		t.Errorf("offline: %v", err)
	}
	// Who resolves was interrupted.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.asked = 0
	if err := r.answer(ctx, []byte(many(1))); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
