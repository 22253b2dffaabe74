package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"penstock"
)

// maxLine bounds one line of a stream that is read, in bytes. A finding with
// 10,000 places takes about 2 MB.
const maxLine = 16 << 20

// Replay reads a stream as the jsonl format writes it and gives its records to
// s, which it does not close. Unknown record types are skipped.
//
// A stream of another major version, one that is cut off, changed, or no stream
// at all is a *penstock.Error; s has then been given some records and must be
// dropped without Close. Memory is bounded by one line of at most 16 MiB.
func Replay(r io.Reader, s Sink) error {
	p := &replay{in: bufio.NewReaderSize(r, 64<<10), sink: s, digest: sha256.New(), paths: newRewriter(UnescapePath, func(s string) string { return s })}
	for {
		line, err := p.line()
		if err == io.EOF {
			return p.finish()
		}
		if err != nil {
			return err
		}
		if err := p.record(line); err != nil {
			return err
		}
	}
}

type replay struct {
	in      *bufio.Reader
	sink    Sink
	buf     []byte
	paths   rewriter // brings back paths as they are
	number  int      // of the current line, from 1
	records int
	digest  hash.Hash
	started bool
	ended   bool
}

// line reads the next line with its line end into a buffer that is reused.
func (p *replay) line() ([]byte, error) {
	p.buf = p.buf[:0]
	p.number++
	for {
		part, err := p.in.ReadSlice('\n')
		if len(p.buf)+len(part) > maxLine {
			return nil, p.fail(nil, "is longer than %d MiB", maxLine>>20)
		}
		p.buf = append(p.buf, part...)
		switch {
		case err == nil:
			return p.buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(p.buf) > 0:
			return p.buf, nil
		case err == io.EOF:
			return nil, io.EOF
		default:
			return nil, &penstock.Error{Message: "cannot read the stream", Err: err}
		}
	}
}

func (p *replay) record(line []byte) error {
	if p.ended {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		return p.fail(nil, "stands after the end record")
	}
	var kind struct {
		Type   string `json:"type"`
		Schema int    `json:"schema"`
	}
	err := json.Unmarshal(line, &kind)
	switch {
	case !p.started && (err != nil || kind.Type != "header"):
		return &penstock.Error{
			Message: "this is not a penstock stream",
			Hint:    "make one with: penstock scan --format jsonl",
			Err:     err,
		}
	case err != nil && line[len(line)-1] != '\n':
		return p.cutOff()
	case err != nil:
		return p.fail(err, "is no record")
	case !p.started && kind.Schema != penstock.Schema:
		return &penstock.Error{
			Message: fmt.Sprintf("the stream has schema version %d, this penstock reads version %d", kind.Schema, penstock.Schema),
			Hint:    "use the penstock that wrote the stream, or scan again",
		}
	case p.started && kind.Type == "header":
		return p.fail(nil, "is a second header")
	}
	p.started = true
	r := newRecord(kind.Type)
	if r != nil {
		if err := json.Unmarshal(line, r); err != nil {
			return p.fail(err, "is no valid %s record", kind.Type)
		}
		if end, ok := r.(*penstock.End); ok {
			p.ended = true
			if end.Records != p.records || end.Digest != hex.EncodeToString(p.digest.Sum(nil)) {
				return &penstock.Error{
					Message: "the stream was changed after it was written: its count or digest is wrong",
					Hint:    "scan again, and keep the file as it is",
				}
			}
		}
	}
	p.digest.Write(line)
	p.records++
	if r == nil {
		return nil
	}
	return p.sink.Record(p.paths.rewrite(r))
}

// newRecord returns an empty record of a type, nil for one that is not known.
func newRecord(kind string) penstock.Record {
	switch kind {
	case "header":
		return new(penstock.Header)
	case "rule":
		return new(penstock.Rule)
	case "finding":
		return new(penstock.Finding)
	case "component":
		return new(penstock.Component)
	case "asset":
		return new(penstock.Asset)
	case "edge":
		return new(penstock.Edge)
	case "coverage":
		return new(penstock.Coverage)
	case "note":
		return new(penstock.Note)
	case "verdict":
		return new(penstock.Verdict)
	case "end":
		return new(penstock.End)
	}
	return nil
}

func (p *replay) finish() error {
	switch {
	case p.ended:
		return nil
	case !p.started:
		return &penstock.Error{
			Message: "this is not a penstock stream: it is empty",
			Hint:    "make one with: penstock scan --format jsonl",
		}
	}
	return p.cutOff()
}

func (p *replay) cutOff() error {
	return &penstock.Error{
		Message: "the stream is incomplete: it has no end record",
		Hint:    "the scan that wrote it was interrupted; scan again",
	}
}

func (p *replay) fail(err error, format string, args ...any) error {
	return &penstock.Error{
		Message: fmt.Sprintf("line %d of the stream ", p.number) + fmt.Sprintf(format, args...),
		Hint:    "the file is damaged or was not written by penstock; scan again",
		Err:     err,
	}
}
