package pipeline

import (
	"testing"
)

func TestActionTableReads(t *testing.T) {
	table, err := readActions(embedded(actionsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(table.actions) < 40 {
		t.Fatalf("only %d actions", len(table.actions))
	}
}
