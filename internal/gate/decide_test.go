package gate

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

const today = "2026-11-25"

func finding(rule string, s penstock.Severity, paths ...string) *penstock.Finding {
	f := &penstock.Finding{Rule: rule, Severity: s, Fingerprint: rule + "@" + paths[0]}
	f.Location = penstock.Location{Path: paths[0], Line: 7}
	for _, p := range paths[1:] {
		f.Places = append(f.Places, penstock.Location{Path: p, Line: 7})
	}
	return f
}

// tiered is a critical finding of a tier.
func tiered(tier penstock.Tier) *penstock.Finding {
	f := finding("pipeline/a", penstock.Critical, "a")
	f.Evidence.Tier = tier
	return f
}

func exception(rule, path string) Exception {
	return Exception{Rule: rule, Path: path, Owner: "@team", Reason: "demo", Expires: "2026-12-31", Place: "e:1"}
}

func policy(change func(*Policy)) Policy {
	p := Default()
	change(&p)
	return p
}

func TestDecide(t *testing.T) {
	read := penstock.Totals{Files: 3, Scanned: 3}
	never := policy(func(p *Policy) { p.Block = Never })
	for _, c := range []struct {
		name    string
		in      Input
		want    string // pass, incomplete, blocking/open/suppressed
		reasons []string
		notes   []string // code and place
		each    []string // of each finding
	}{
		{
			name:    "clean",
			in:      Input{Policy: Default()},
			want:    "pass 0/0/0",
			reasons: []string{"no open findings"},
		},
		{
			name: "high blocks by default, medium does not",
			in: Input{Policy: Default(), Findings: []*penstock.Finding{
				finding("secrets/a", penstock.High, "a"), finding("secrets/b", penstock.Critical, "a"), finding("secrets/c", penstock.Medium, "a"),
			}},
			want:    "block 2/3/0",
			reasons: []string{"2 findings at or above high block (1 critical, 1 high), by the policy's block"},
			each:    []string{"blocks: high is at or above high (block)", "blocks: critical is at or above high (block)", "medium is below high (block)"},
		},
		{
			name:    "below",
			in:      Input{Policy: Default(), Findings: []*penstock.Finding{finding("secrets/c", penstock.Low, "a")}},
			want:    "pass 0/1/0",
			reasons: []string{"1 open finding, none at or above the severity that blocks"},
		},
		{
			name:    "never",
			in:      Input{Policy: never, Findings: []*penstock.Finding{finding("secrets/c", penstock.Critical, "a")}},
			want:    "pass 0/1/0",
			reasons: []string{"1 open finding is one that the policy lets pass"},
			each:    []string{"the policy lets it pass (block: never)"},
		},
		{
			name:    "hygiene passes",
			in:      Input{Policy: Default(), Findings: []*penstock.Finding{tiered(penstock.TierHygiene), tiered(penstock.TierExploitable)}},
			want:    "block 1/2/0",
			reasons: []string{"1 finding at or above high blocks (1 critical), by the policy's block"},
			each:    []string{"the policy lets it pass (hygiene: never)", "blocks: critical is at or above high (block)"},
		},
		{
			name: "hygiene has a threshold of its own, and no lower one than all",
			in: Input{Policy: policy(func(p *Policy) { p.Hygiene = At(penstock.Critical) }), Findings: []*penstock.Finding{
				tiered(penstock.TierHygiene),
			}},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above critical blocks (1 critical), by the policy's hygiene"},
			each:    []string{"blocks: critical is at or above critical (hygiene)"},
		},
		{
			name:    "an unset severity is the worst",
			in:      Input{Policy: Default(), Findings: []*penstock.Finding{finding("secrets/c", penstock.SeverityUnset, "a")}},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 unset), by the policy's block"},
		},
		{
			name:    "an unset threshold blocks all",
			in:      Input{Findings: []*penstock.Finding{finding("secrets/c", penstock.Info, "a")}},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above unset blocks (1 info), by the policy's block"},
		},
		{
			name: "engine",
			in: Input{
				Policy:   policy(func(p *Policy) { p.Engines = map[string]Threshold{"secrets": At(penstock.Medium)} }),
				Findings: []*penstock.Finding{finding("secrets/c", penstock.Medium, "a"), finding("code/x", penstock.Medium, "a")},
			},
			want:    "block 1/2/0",
			reasons: []string{"1 finding at or above medium blocks (1 medium), by the policy's engines.secrets"},
		},
		{
			name: "the last path that matches wins, over the engine",
			in: Input{
				Policy: policy(func(p *Policy) {
					p.Engines = map[string]Threshold{"secrets": At(penstock.Low)}
					p.Paths = []PathRule{{"test/**", Never}, {"test/real/**", At(penstock.Critical)}}
				}),
				Findings: []*penstock.Finding{finding("secrets/c", penstock.Critical, "test/a"), finding("secrets/c", penstock.Critical, "test/real/a"), finding("secrets/c", penstock.High, "test/real/a")},
			},
			want:    "block 1/3/0",
			reasons: []string{"1 finding at or above critical blocks (1 critical), by the policy's paths: test/real/**"},
			each:    []string{"the policy lets it pass (paths: test/**: never)", "blocks: critical is at or above critical (paths: test/real/**)", "high is below critical (paths: test/real/**)"},
		},
		{
			name: "the strictest place decides",
			in: Input{
				Policy:   policy(func(p *Policy) { p.Paths = []PathRule{{"test/**", Never}} }),
				Findings: []*penstock.Finding{finding("secrets/c", penstock.High, "test/a", "src/a")},
			},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block"},
		},
		{
			name: "paths count from the root of the project",
			in: Input{
				Policy:   policy(func(p *Policy) { p.Paths = []PathRule{{"/sub/test/**", Never}} }),
				FromRoot: inSub,
				Findings: []*penstock.Finding{finding("secrets/c", penstock.High, "test/a")},
			},
			want:    "pass 0/1/0",
			reasons: []string{"1 open finding is one that the policy lets pass"},
		},
		{
			name: "exception",
			in: Input{
				Policy: Default(), Whole: true,
				Exceptions: []Exception{exception("secrets/*", "docs/**"), exception("secrets/other", "docs/**")},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "docs/a")},
			},
			want:    "pass 0/0/1",
			reasons: []string{"no open findings", "1 finding is suppressed: 1 by exception"},
			notes:   []string{"exception-unused e:1"},
			each:    []string{"exception: suppressed by exception of @team until 2026-12-31: demo"},
		},
		{
			name: "unused is not said of a partial run",
			in: Input{
				Policy: Default(), Exceptions: []Exception{exception("secrets/*", "docs/**")},
				Ignores: []Ignore{{Path: "a", Rule: "b", Line: 1}},
			},
			want:    "pass 0/0/0",
			reasons: []string{"no open findings"},
		},
		{
			name: "an expired exception does not count, and is not called unused",
			in: Input{
				Policy: Default(), Whole: true,
				Exceptions: []Exception{{Rule: "secrets/a", Path: "a", Owner: "o", Reason: "r", Expires: "2026-11-24", Place: "e:2"}},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "a")},
			},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block"},
			notes:   []string{"exception-expired e:2"},
		},
		{
			name: "the last day still counts",
			in: Input{
				Policy:     Default(),
				Exceptions: []Exception{{Rule: "secrets/a", Path: "a", Owner: "o", Reason: "r", Expires: today, Place: "e:2"}},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "a")},
			},
			want:    "pass 0/0/1",
			reasons: []string{"no open findings", "1 finding is suppressed: 1 by exception"},
		},
		{
			name: "an exception too far ahead",
			in: Input{
				Policy:     policy(func(p *Policy) { p.MaxExceptionDays = 30 }),
				Exceptions: []Exception{exception("secrets/a", "a")},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "a")},
			},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block"},
			notes:   []string{"exception-too-long e:1"},
		},
		{
			name: "an exception of one copy does not hide the other",
			in: Input{
				Policy: Default(), Whole: true,
				Exceptions: []Exception{exception("secrets/a", "test/**")},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "test/a", "src/a")},
			},
			want:    "block 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block"},
		},
		{
			name: "two exceptions cover two copies",
			in: Input{
				Policy:     Default(),
				Exceptions: []Exception{exception("secrets/a", "test/**"), exception("secrets/a", "src/a")},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "test/a", "src/a")},
			},
			want:    "pass 0/0/1",
			reasons: []string{"no open findings", "1 finding is suppressed: 1 by exception"},
		},
		{
			name: "an exception by fingerprint holds for that one",
			in: Input{
				Policy:     Default(),
				Exceptions: []Exception{{Rule: "*", Fingerprint: "secrets/a@a", Owner: "o", Reason: "r", Expires: today}},
				Findings:   []*penstock.Finding{finding("secrets/a", penstock.High, "a"), finding("secrets/a", penstock.High, "b")},
			},
			want:    "block 1/1/1",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block", "1 finding is suppressed: 1 by exception"},
		},
		{
			name: "gitleaksignore by name, alias and member",
			in: Input{
				Policy: Default(), Whole: true,
				Rules: []penstock.Rule{{ID: "secrets/b", Aliases: []string{"their-b"}}},
				Ignores: []Ignore{
					{Path: "x", Rule: "a", Line: 7, Place: "i:1"}, {Path: "x", Rule: "their-b", Line: 7, Place: "i:2"},
					{Path: "z.zip!m", Rule: "a", Line: 7, Place: "i:3"}, {Path: "x", Rule: "a", Line: 8, Place: "i:4"},
					{Commit: "c", Path: "gone", Rule: "a", Line: 1, Place: "i:5"},
				},
				Findings: []*penstock.Finding{
					finding("secrets/a", penstock.High, "x"), finding("secrets/b", penstock.High, "x"), finding("secrets/a", penstock.High, "z.zip!/m"),
				},
			},
			want:    "pass 0/0/3",
			reasons: []string{"no open findings", "3 findings are suppressed: 3 by .gitleaksignore"},
			notes:   []string{"gitleaksignore-unused i:4"},
		},
		{
			name: "gitleaksignore counts from the root",
			in: Input{
				Policy: Default(), FromRoot: inSub,
				Ignores:  []Ignore{{Path: "sub/x", Rule: "a", Line: 7, Place: "i:1"}},
				Findings: []*penstock.Finding{finding("secrets/a", penstock.High, "x")},
			},
			want:    "pass 0/0/1",
			reasons: []string{"no open findings", "1 finding is suppressed: 1 by .gitleaksignore"},
		},
		{
			name: "inline, expired inline, and all of it switched off",
			in: Input{
				Policy: Default(),
				Findings: []*penstock.Finding{
					suppressedFinding("inline", ""), suppressedFinding("inline", "2026-11-01"),
				},
			},
			want:    "block 1/1/1",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block", "1 finding is suppressed: 1 by inline"},
			notes:   []string{"ignore-expired x:6"},
		},
		{
			name: "no-ignores",
			in: Input{
				Policy:   policy(func(p *Policy) { p.NoIgnores = true }),
				Whole:    true,
				Ignores:  []Ignore{{Path: "x", Rule: "a", Line: 7, Place: "i:1"}},
				Findings: []*penstock.Finding{suppressedFinding("gitleaks:allow", ""), finding("secrets/a", penstock.High, "x")},
			},
			want:    "block 2/2/0",
			reasons: []string{"2 findings at or above high block (2 high), by the policy's block"},
		},
		{
			name:    "unread files",
			in:      Input{Policy: Default(), Totals: penstock.Totals{Files: 3, Scanned: 1, Unread: 2}},
			want:    "block incomplete 0/0/0",
			reasons: []string{"the run is incomplete: 2 files could not be read, which the policy counts as failure", "no open findings"},
		},
		{
			name: "unread files, and the policy only warns",
			in: Input{
				Policy: policy(func(p *Policy) { p.Incomplete = WarnUnread }), Totals: penstock.Totals{Files: 3, Scanned: 1, Unread: 1},
				Notes: []*penstock.Note{{Code: "x", Incomplete: true}},
			},
			want:    "pass incomplete 0/0/0",
			reasons: []string{"the run is incomplete: 1 file could not be read and 1 part of the work was not done (see the notes), which the policy only warns of", "no open findings"},
		},
		{
			name:    "an unread file does not soften a block",
			in:      Input{Policy: Default(), Totals: penstock.Totals{Files: 3, Scanned: 1, Unread: 2}, Findings: []*penstock.Finding{finding("secrets/a", penstock.High, "a")}},
			want:    "block incomplete 1/1/0",
			reasons: []string{"1 finding at or above high blocks (1 high), by the policy's block", "the run is incomplete: 2 files could not be read, which the policy counts as failure"},
		},
		{
			name:    "nothing to check",
			in:      Input{Policy: Default(), Totals: penstock.Totals{Files: 2, Excluded: 2, ByReason: map[penstock.Reason]int{penstock.ReasonExclude: 2}}},
			want:    "block 0/0/0",
			reasons: []string{"there was nothing to check: 2 files were left out by ignore rules or exclusions"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Today = today
			if c.in.Totals.Files == 0 {
				c.in.Totals = read
			}
			v, notes := Decide(c.in)
			got := "block"
			if v.Pass {
				got = "pass"
			}
			if v.Incomplete {
				got += " incomplete"
			}
			got += fmt.Sprintf(" %d/%d/%d", v.Blocking, v.Open, v.Suppressed)
			if got != c.want {
				t.Errorf("verdict %s, want %s", got, c.want)
			}
			if d := cmp.Diff(c.reasons, v.Reasons); d != "" {
				t.Errorf("reasons (-want +got):\n%s", d)
			}
			var codes []string
			for _, n := range notes {
				codes = append(codes, n.Code+" "+n.Place)
			}
			if d := cmp.Diff(c.notes, codes); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			for i, want := range c.each {
				f := c.in.Findings[i]
				got := f.Reason
				if f.Blocks {
					got = "blocks: " + got
				}
				if f.Suppressed != nil {
					got = f.Suppressed.Kind + ": " + got
				}
				if got != want {
					t.Errorf("finding %d: %s, want %s", i, got, want)
				}
			}
		})
	}
}

func suppressedFinding(kind, expires string) *penstock.Finding {
	f := finding("secrets/z", penstock.High, "x")
	f.Suppressed = &penstock.Suppression{Kind: kind, Expires: expires, Place: "x:6"}
	return f
}

func TestNothing(t *testing.T) {
	by := func(r penstock.Reason, n int) penstock.Totals {
		return penstock.Totals{Files: n, Excluded: n, ByReason: map[penstock.Reason]int{r: n}}
	}
	for _, c := range []struct {
		name string
		in   penstock.Totals
		want bool
	}{
		{"no file", penstock.Totals{}, true},
		{"all excluded by the user", by(penstock.ReasonExclude, 3), true},
		{"all ignored by git", by(penstock.ReasonIgnored, 3), true},
		{"a picture was there to check", by(penstock.ReasonBinary, 1), false},
		{"scanned", penstock.Totals{Files: 1, Scanned: 1}, false},
		{"unread", penstock.Totals{Files: 1, Unread: 1}, false},
	} {
		if Nothing(c.in) != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	engines := []string{"secrets", "user"}
	for _, c := range []struct {
		change func(*Policy)
		want   string
	}{
		{func(*Policy) {}, ""},
		{func(p *Policy) { p.Paths = []PathRule{{Block: Never}} }, "gate.paths[0]"},
		{func(p *Policy) { p.Paths = []PathRule{{Match: "a"}} }, "gate.paths[0]"},
		{func(p *Policy) { p.Engines = map[string]Threshold{"secret": Never} }, "gate.engines.secret"},
		{func(p *Policy) { p.MaxExceptionDays = -1 }, "gate.max-exception-days"},
	} {
		err := policy(c.change).Check(engines)
		got := ""
		if k, ok := err.(*KeyError); ok {
			got = k.Key
		}
		if got != c.want {
			t.Errorf("got %v, want an error of %q", err, c.want)
		}
	}
}

func inSub(p string) string { return "sub/" + p }
