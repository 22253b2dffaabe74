package secrets

import (
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// TestBuiltinTable checks that builtin.bin was made from the rule files of now.
func TestBuiltinTable(t *testing.T) {
	want, err := makeTable()
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
		t.Error("builtin.bin is not of these rules: run go test ./internal/engine/secrets -run TestBuiltinTable -update")
	}
	l := new(loader)
	own, ok := l.fromTable(want)
	if !ok {
		t.Fatal("the table that was written cannot be read")
	}
	l.rules, l.needles = own.rules, own.needles
	parsed := new(loader)
	if own, err = parsed.parseBuiltin(); err != nil {
		t.Fatal(err)
	}
	parsed.rules = own.rules
	a, b := l.detector(), parsed.detector()
	if len(a.pre.needles) == 0 || !reflect.DeepEqual(a.pre, b.pre) {
		t.Error("the table makes another prefilter than the rules")
	}
	if !slices.Equal(a.whole, b.whole) || a.keyBits != b.keyBits {
		t.Error("the table makes another detector than the rules")
	}
	for i, r := range a.rules {
		if !slices.Equal(r.keyBits, b.rules[i].keyBits) {
			t.Errorf("%s: keywords %v from the table, %v from the rules", r.name, r.keyBits, b.rules[i].keyBits)
		}
	}
}
