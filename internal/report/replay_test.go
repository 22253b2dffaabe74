package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// keep is a sink that keeps its records.
type keep struct{ records []penstock.Record }

func (k *keep) Record(r penstock.Record) error { k.records = append(k.records, r); return nil }
func (k *keep) Close() error                   { return nil }

// TestRoundTrip writes a stream, reads it, and wants the records back, paths
// that are not UTF-8 included.
func TestRoundTrip(t *testing.T) {
	want := stream()
	var got keep
	if err := Replay(bytes.NewReader(render(t, "jsonl", Options{}, want)), &got); err != nil {
		t.Fatal(err)
	}
	end := got.records[len(got.records)-1].(*penstock.End)
	if end.Records != len(want)-1 || len(end.Digest) != 64 {
		t.Errorf("the end counts %d records with digest %q", end.Records, end.Digest)
	}
	end.Records, end.Digest = 0, ""
	if diff := cmp.Diff(want, got.records); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
}

// TestReplayEqual makes every format from the run and from its stream.
func TestReplayEqual(t *testing.T) {
	records := stream()
	saved := render(t, "jsonl", Options{}, records)
	for _, format := range Formats() {
		var b bytes.Buffer
		s, err := New(format, &b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Replay(bytes.NewReader(saved), s); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(render(t, format, Options{}, records)), b.String()); diff != "" {
			t.Errorf("%s (-direct +replayed)\n%s", format, diff)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	good := string(render(t, "jsonl", Options{}, stream()))
	lines := strings.SplitAfter(good, "\n")
	last := lines[len(lines)-2]
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "not a penstock stream"},
		{"something else", "hello\n", "not a penstock stream"},
		{"other JSON", "{\"version\": \"2.1.0\"}\n", "not a penstock stream"},
		{"no header", lines[1] + last, "not a penstock stream"},
		{"later schema", strings.Replace(good, `"schema":1`, `"schema":2`, 1), "schema version 2"},
		{"no end", strings.Join(lines[:len(lines)-2], ""), "no end record"},
		{"cut within a line", good[:len(good)/2], "no end record"},
		{"cut within the end", strings.TrimSuffix(good, "}\n"), "no end record"},
		{"a line removed", strings.Join(append(append([]string{}, lines[:3]...), lines[4:]...), ""), "was changed"},
		{"a finding edited", strings.Replace(good, `"severity":"critical"`, `"severity":"info"`, 1), "was changed"},
		{"a blank line", lines[0] + "\n" + strings.Join(lines[1:], ""), "line 2 of the stream is no record"},
		{"second header", lines[0] + good, "second header"},
		{"after the end", good + lines[1], "after the end"},
		{"bad severity", lines[0] + `{"type":"finding","severity":"huge"}` + "\n", "no valid finding"},
		{"long line", lines[0] + `{"type":"note","message":"` + strings.Repeat("a", maxLine) + "\"}\n", "longer than 16 MiB"},
		{"deep", lines[0] + `{"type":"x","y":` + strings.Repeat("[", 1<<20) + "\n", "no record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Replay(strings.NewReader(tt.in), &keep{})
			var e *penstock.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || e.Hint == "" {
				t.Errorf("Replay: %v, want a *penstock.Error about %q with a hint", err, tt.want)
			}
		})
	}
}

// TestReplayLater reads a stream of a later minor version: with records and
// members that this version does not know.
func TestReplayLater(t *testing.T) {
	var b bytes.Buffer
	s, _ := New("jsonl", &b, Options{})
	_ = s.Record(&penstock.Header{Schema: 1, Tool: "penstock"})
	_ = s.Record(later{New: "x"})
	_ = s.Record(&penstock.End{})
	var got keep
	if err := Replay(&b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.records) != 2 {
		t.Errorf("got %d records, want header and end", len(got.records))
	}
}

type later struct {
	New string `json:"new"`
}

func (later) RecordType() string { return "prophecy" }

func TestReplayReadError(t *testing.T) {
	in := io.MultiReader(bytes.NewReader(render(t, "jsonl", Options{}, stream())[:500]), broken{})
	err := Replay(in, &keep{})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Replay: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUnknownFormat(t *testing.T) {
	_, err := New("xml", io.Discard, Options{})
	var e *penstock.Error
	if !errors.As(err, &e) || e.Code != penstock.ExitUsage || !strings.Contains(e.Hint, "sarif") {
		t.Errorf("New: %v", err)
	}
}

// TestWriteError sees that every format reports a full disk.
func TestWriteError(t *testing.T) {
	for _, format := range Formats() {
		s, _ := New(format, full{}, Options{})
		var err error
		for _, r := range stream() {
			err = errors.Join(err, s.Record(r))
		}
		if err = errors.Join(err, s.Close()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestDeterminism renders each format many times.
func TestDeterminism(t *testing.T) {
	for _, format := range Formats() {
		first := render(t, format, Options{}, stream())
		for range 10 {
			if !bytes.Equal(first, render(t, format, Options{}, stream())) {
				t.Fatalf("%s differs from one run to the next", format)
			}
		}
	}
}

// TestCanary plants a value as penstock.Secret in every way a careless engine
// might, and looks for it in all formats.
func TestCanary(t *testing.T) {
	canary := penstock.Secret("canary-" + strings.Repeat("Zq9", 9))
	records := stream()
	for _, r := range records {
		if f, ok := r.(*penstock.Finding); ok {
			f.Message = fmt.Sprintf("%v %s %+v %#v", canary, canary, canary, canary)
			f.Notes = []string{fmt.Sprint(canary), fmt.Sprint(struct{ S penstock.Secret }{canary})}
			f.Group = string(canary)
		}
	}
	for _, format := range Formats() {
		for _, opts := range []Options{{}, {All: true, Color: true, Links: true, Dir: "/d"}} {
			if out := render(t, format, opts, records); bytes.Contains(out, []byte(string(canary)[:12])) {
				t.Errorf("%s shows the canary", format)
			}
		}
	}
}

// FuzzReplay feeds hostile streams to every format. The digest is made right, so
// that the fuzzer gets past it.
func FuzzReplay(f *testing.F) {
	f.Add(render(f, "jsonl", Options{}, stream()))
	f.Add([]byte(`{"type":"header","schema":1}` + "\n" + `{"type":"finding","severity":"low","location":{"line":-5,"column":99999999},"snippet":{"firstLine":-9,"lines":[{"text":"\t日é","markStart":-1,"markEnd":99},{"markStart":3}]},"related":[{"location":{"line":1}}],"suppressed":{}}` + "\n" + `{"type":"end","totals":{"files":-1,"byReason":{"x":-2}}}`))
	f.Add([]byte(`{"type":"header"}` + "\n" + `{"type":"coverage","path":"javascript:alert(1)","state":"??","reason":"\u001b"}` + "\n" + `{"type":"verdict","open":-1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = Replay(bytes.NewReader(in), &keep{})
		var records []penstock.Record
		for _, line := range bytes.SplitAfter(in, []byte("\n")) {
			var kind struct{ Type string }
			if json.Unmarshal(line, &kind) != nil {
				continue
			}
			if r := newRecord(kind.Type); r != nil && json.Unmarshal(line, r) == nil {
				records = append(records, newRewriter(UnescapePath, validText).rewrite(r))
			}
		}
		if len(records) == 0 {
			return
		}
		for _, format := range Formats() {
			out := render(t, format, Options{Width: 60}, records)
			for i, c := range out {
				if c < 0x20 && c != '\n' && c != '\t' || c == 0x7f {
					t.Fatalf("%s writes the byte %#x: %q", format, c, out[max(0, i-40):i+1])
				}
			}
			if inlineCommand.Match(out) {
				t.Fatalf("%s forms a workflow command: %q", format, inlineCommand.Find(out))
			}
		}
		saved := render(t, "jsonl", Options{}, append(append([]penstock.Record{&penstock.Header{Schema: 1}}, drop(records)...), &penstock.End{}))
		if err := Replay(bytes.NewReader(saved), &keep{}); err != nil {
			t.Fatalf("our own stream is refused: %v\n%s", err, saved)
		}
	})
}

// drop removes headers and ends.
func drop(records []penstock.Record) []penstock.Record {
	var out []penstock.Record
	for _, r := range records {
		switch r.(type) {
		case *penstock.Header, *penstock.End:
		default:
			out = append(out, r)
		}
	}
	return out
}
