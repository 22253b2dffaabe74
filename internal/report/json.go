package report

import (
	"fmt"
	"io"

	"penstock"
)

// jsonDocument is the whole run as one JSON document, records of a kind together
// and in stream order. Its members are those of the records.
type jsonDocument struct {
	w      io.Writer `json:"-"`
	Schema int       `json:"schema"`
	// Complete is false where the stream ended before its end record.
	Complete   bool                  `json:"complete"`
	Header     *penstock.Header      `json:"header"`
	Verdict    *penstock.Verdict     `json:"verdict"`
	Totals     penstock.Totals       `json:"totals"`
	Counts     map[string]int        `json:"findingsBySeverity"`
	Rules      []*penstock.Rule      `json:"rules"`
	Findings   []*penstock.Finding   `json:"findings"`
	Components []*penstock.Component `json:"components"`
	Assets     []*penstock.Asset     `json:"assets"`
	Edges      []*penstock.Edge      `json:"edges"`
	Coverage   []*penstock.Coverage  `json:"coverage"`
	Notes      []*penstock.Note      `json:"notes"`
}

func newJSON(w io.Writer, _ Options) Sink {
	// Empty lists are written as lists, so that a reader need not look for null.
	return &jsonDocument{
		w: w, Schema: penstock.Schema, Counts: map[string]int{},
		Rules: []*penstock.Rule{}, Findings: []*penstock.Finding{}, Components: []*penstock.Component{},
		Assets: []*penstock.Asset{}, Edges: []*penstock.Edge{}, Coverage: []*penstock.Coverage{}, Notes: []*penstock.Note{},
	}
}

func (j *jsonDocument) Record(r penstock.Record) error {
	switch r := r.(type) {
	case *penstock.Header:
		j.Header = r
	case *penstock.Rule:
		j.Rules = append(j.Rules, r)
	case *penstock.Finding:
		j.Findings = append(j.Findings, r)
	case *penstock.Component:
		j.Components = append(j.Components, r)
	case *penstock.Asset:
		j.Assets = append(j.Assets, r)
	case *penstock.Edge:
		j.Edges = append(j.Edges, r)
	case *penstock.Coverage:
		j.Coverage = append(j.Coverage, r)
	case *penstock.Note:
		j.Notes = append(j.Notes, r)
	case *penstock.Verdict:
		j.Verdict = r
	case *penstock.End:
		j.Complete, j.Totals = true, r.Totals
		if r.Findings != nil {
			j.Counts = r.Findings
		}
	}
	return nil
}

func (j *jsonDocument) Close() error { return writeJSON(j.w, j, "  ") }

// writeJSON encodes v as one document.
func writeJSON(w io.Writer, v any, indent string) error {
	b, err := encodeJSON(v, indent)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
