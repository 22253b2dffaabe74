package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"penstock"
)

// jsonl is the record stream itself: one JSON object per line, its first member
// "type", the rest the fields of the record. It streams.
//
// Paths stand in it as EscapePath writes them, so that a path which is not UTF-8
// survives; Replay turns them back. The end record carries the number of lines
// before it and their SHA-256, line ends included.
type jsonl struct {
	w       io.Writer
	digest  hash.Hash
	records int
}

func newJSONL(w io.Writer, _ Options) Sink { return &jsonl{w: w, digest: sha256.New()} }

func (j *jsonl) Record(r penstock.Record) error {
	switch e := r.(type) {
	case *penstock.Fact:
		return nil // for engines only; may be large
	case *penstock.End:
		end := *e
		end.Records, end.Digest = j.records, hex.EncodeToString(j.digest.Sum(nil))
		r = &end
	}
	line, err := encodeJSON(r, "")
	if err != nil {
		return err
	}
	head := `{"type":"` + r.RecordType() + `"`
	if line[1] != '}' {
		head += ","
	}
	line = append([]byte(head), line[1:]...)
	j.digest.Write(line)
	j.records++
	if _, err := j.w.Write(line); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

func (j *jsonl) Close() error { return nil }
