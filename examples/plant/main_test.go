package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlant shows that every leak still finds its place in the shop, and that
// the committed shop holds none of them.
func TestPlant(t *testing.T) {
	shop := os.DirFS("../shop")
	dest := filepath.Join(t.TempDir(), "shop")
	if err := plant(shop, dest); err != nil {
		t.Fatal(err)
	}
	changed := 0
	err := fs.WalkDir(os.DirFS(dest), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		got, err := os.ReadFile(filepath.Join(dest, p))
		if err != nil {
			return err
		}
		committed, err := fs.ReadFile(shop, p)
		if err != nil || string(committed) != string(got) {
			changed++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed != 13 {
		t.Errorf("%d files differ from the committed ones, want 13", changed)
	}
	for _, p := range []string{"app/config.py", "infra/prod.tfvars", ".npmrc"} {
		b, err := fs.ReadFile(shop, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"sk_" + "live_", "npm" + "_", "ghp" + "_"} {
			if strings.Contains(string(b), prefix) {
				t.Errorf("%s is committed with %s in it", p, prefix)
			}
		}
	}
}

func TestPlantRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := plant(os.DirFS("../shop"), dir); err == nil {
		t.Error("an existing folder was overwritten")
	}
	if err := (leak{"app/config.py", "no such text", "x"}).put("../shop"); err == nil {
		t.Error("a leak without its place was accepted")
	}
}
