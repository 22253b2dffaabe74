package secrets

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// TestBuiltinTable checks that builtin.bin was made from the rule files of now.
func TestBuiltinTable(t *testing.T) {
	want, err := makeTable(rulesDigest())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("builtin.bin", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if builtinTable != want {
		t.Error("builtin.bin is not of these rules: run go test -run TestBuiltinTable -update ./internal/engine/secrets")
	}
	l := new(loader)
	if _, ok := l.fromTable(want, rulesDigest()); !ok {
		t.Error("the table that was written cannot be read")
	}
}
