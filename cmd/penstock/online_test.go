package main

import (
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"penstock/internal/forge/fake"
)

// running is the fake forge of a script.
type running struct {
	*fake.Server
	counted int
}

// startForge FILE serves the world that the file describes at GITHUB_API_URL.
func startForge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forge FILE")
	}
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	world, err := fake.Parse(text)
	ts.Check(err)
	f := ts.Value(forgeKey{}).(*running)
	*f = running{Server: &fake.Server{World: world, Now: time.Now}}
	h := httptest.NewServer(f.Server)
	ts.Defer(h.Close)
	ts.Setenv("GITHUB_API_URL", h.URL)
}

type forgeKey struct{}

// countRequests N [PART] compares how many requests came since the last time, and what one
// of them holds.
func countRequests(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: requests N [PART...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	f := ts.Value(forgeKey{}).(*running)
	all := f.Requests()
	fresh := all[f.counted:]
	f.counted = len(all)
	if len(fresh) != want {
		ts.Fatalf("%d requests, want %d:\n%s", len(fresh), want, strings.Join(fresh, "\n"))
	}
	for _, part := range args[1:] {
		if !strings.Contains(strings.Join(fresh, "\n"), part) {
			ts.Fatalf("no request holds %q:\n%s", part, strings.Join(fresh, "\n"))
		}
	}
}
