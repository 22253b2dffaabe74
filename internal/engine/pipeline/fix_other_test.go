package pipeline

import (
	"testing"
)

// resolved answers for one action.
type resolved struct{ ref, commit string }

func (r resolved) Resolved(_, _, ref string) (string, bool) { return r.commit, ref == r.ref }

// A commit comes from the lock, from the same version elsewhere, or from the forge.
func TestFixPin(t *testing.T) {
	const sha, other = "49933ea5288caeca8642d1e84afbd3f7d6820020", "11bd71901bbe5b1630ceea73d27597364c9af683"
	head := "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
	for _, c := range []struct {
		name, uses, beside, lock string
		resolver                 Resolver
		want                     string
	}{
		{name: "unknown", uses: "a/b@v1"},
		{name: "elsewhere", uses: "a/b@v1", beside: "a/b@" + sha + " # v1", want: "a/b@" + sha + " # v1"},
		{name: "elsewhere, another version", uses: "a/b@v1", beside: "a/b@" + sha + " # v1.2"},
		{name: "elsewhere, two commits", uses: "a/b@v1", beside: "a/b@" + sha + " # v1\n      - uses: a/b@" + other + " # v1"},
		{name: "a path, quotes, a comment", uses: "'a/b/c@v1' # keep", beside: "a/b@" + sha + " # v1", want: "'a/b/c@" + sha + "' # v1 # keep"},
		{name: "lock", uses: "a/b@v1", lock: "version: v0.0.3\nworkflows: {}\ndependencies:\n  a/b@v1:\n    commit: sha1-" + sha + "\n", want: "a/b@" + sha + " # v1"},
		{name: "forge", uses: "a/b@main", resolver: resolved{"main", sha}, want: "a/b@" + sha + " # main"},
		{name: "forge, no commit", uses: "a/b@main", resolver: resolved{"main", "$(id)"}},
		{name: "a name that is no word", uses: "a/b@v1;id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := head + "      - uses: " + c.uses + "\n"
			p := parse(".github/workflows/x.yml", KindWorkflow, []byte(text))
			all := []*Pipeline{p}
			if c.beside != "" {
				all = append(all, parse(".github/workflows/y.yml", KindWorkflow, []byte(head+"      - uses: "+c.beside+"\n")))
			}
			if c.lock != "" {
				all = append(all, parse(".github/workflows/actions.lock", KindLock, []byte(c.lock)))
			}
			x := newProject("", all, Settings{Repairs: true}, textTree{})
			x.Resolver = c.resolver
			f := fixPin(newEditor(x, p), &Flaw{Rule: "unpinned-uses", Place: p.place(p.Jobs[0].Steps[0].Uses.Span)})
			if c.want == "" {
				if f != nil && len(f.Edits) > 0 {
					t.Fatalf("repaired: %v", f.Edits)
				}
				if plain := c.uses != "a/b@v1;id"; plain != (f != nil) {
					t.Errorf("steps %v", f)
				}
				return
			}
			if f == nil || !f.Safe {
				t.Fatalf("not repaired, or not safe: %+v", f)
			}
			if got := applyEdits(t, text, f.Edits); got != head+"      - uses: "+c.want+"\n" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Whether a repair is safe depends on what the rest of the job may need.
func TestFixSafe(t *testing.T) {
	for _, c := range []struct {
		name, rule, text string
		safe             bool
	}{
		{"nothing needs more", "missing-permissions", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: make\n", true},
		{"an unknown action", "missing-permissions", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: who/knows@v4\n", false},
		{"the token is given away", "missing-permissions", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: x\n        env: {T: \"${{ github.token }}\"}\n", false},
		{"a script that may publish", "missing-permissions", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ./release.sh\n", false},
		{"the token cannot write", "persisted-credentials", "on: push\npermissions: {contents: read}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: ./release.sh\n", true},
		{"the token can write", "persisted-credentials", "on: push\npermissions: {contents: write}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: ./release.sh\n", false},
		{"somebody's own token", "persisted-credentials", "on: push\npermissions: {contents: read}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n        with: {token: \"${{ secrets.X }}\"}\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(".github/workflows/x.yml", KindWorkflow, []byte(c.text))
			x := newProject("", []*Pipeline{p}, Settings{Repairs: true}, textTree{})
			for _, f := range found(x) {
				if f.Rule != c.rule {
					continue
				}
				if f.Fix == nil || len(f.Fix.Edits) == 0 || f.Fix.Safe != c.safe {
					t.Errorf("%+v, want safe %v", f.Fix, c.safe)
				}
				return
			}
			t.Error("not found")
		})
	}
}

// Comments stay with what they are about, and a block keeps its last line.
func TestFixPlaces(t *testing.T) {
	for _, c := range []struct{ name, before, want string }{
		{"comment below", "on:\n  push:\n    # all\n\njobs:\n", "on:\n  push:\n    # all\n\npermissions:\n  contents: read\n\njobs:\n"},
		{"comment of the next", "on: push\n# jobs\njobs:\n", "on: push\npermissions:\n  contents: read\n# jobs\njobs:\n"},
		{"block at the end", "on:\n  workflow_dispatch:\n    inputs:\n      x:\n        description: |\n          a\n\njobs:\n", "on:\n  workflow_dispatch:\n    inputs:\n      x:\n        description: |\n          a\n\npermissions:\n  contents: read\n\njobs:\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail := "  a:\n    runs-on: x\n    steps:\n      - run: make\n"
			p := parse(".github/workflows/x.yml", KindWorkflow, []byte(c.before+tail))
			x := newProject("", []*Pipeline{p}, Settings{Repairs: true}, textTree{})
			f := fixMissingPermissions(newEditor(x, p), &Flaw{})
			if f == nil {
				t.Fatal("not repaired")
			}
			if got := applyEdits(t, c.before+tail, f.Edits); got != c.want+tail {
				t.Errorf("got\n%s", got)
			}
		})
	}
}
