package pipeline

import (
	"testing"

	"penstock/rules"
)

func TestActionTableReads(t *testing.T) {
	table, err := readActions(rules.Actions)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.actions) < 40 {
		t.Fatalf("only %d actions", len(table.actions))
	}
}
