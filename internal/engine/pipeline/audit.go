package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"penstock"
)

// audit looks at one definition and reports what is wrong with it. An audit holds no
// state and depends on the project alone.
type audit func(x *Project, p *Pipeline, report func(Flaw))

// audits are all that look at one definition at a time.
func audits() []audit {
	return append(guardAudits(),
		auditPermissions, auditTokens, auditSecrets, auditDefinition, auditUpdates, auditUses, auditScripts, auditLock, auditRuntime, auditForges, auditHooks,
	)
}

// sameFlaw is what makes two flaws one.
type sameFlaw struct {
	rule    string
	place   Place
	message string
}

// joined makes one flaw of those that are one: a job that runs a stranger's code in
// five steps is repaired in one place. The first step has it, the others are related.
func joined(flaws []Flaw) []Flaw {
	type key struct {
		rule, path, job string
		tier            penstock.Tier
	}
	first := make(map[key]int)
	out := flaws[:0]
	// In the order of the file, which the flow does not keep.
	slices.SortStableFunc(flaws, func(a, b Flaw) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Start, b.Start)) })
	for _, f := range flaws {
		if f.Rule == "untrusted-code-execution" || f.Rule == "artifact-poisoning" {
			job, _, _ := strings.Cut(f.Scope, ",")
			k := key{f.Rule, f.Path, job, f.tier()}
			if i, ok := first[k]; ok && job != "" {
				out[i].Related = append(out[i].Related, Hop{Place: f.Place, Text: alsoHere})
				continue
			}
			first[k] = len(out)
		}
		out = append(out, f)
	}
	return out
}

// alsoHere is what is said of a further place of a joined flaw.
const alsoHere = "the same happens here"

// Audit reports every flaw of the project, in no given order.
func (x *Project) Audit(report func(Flaw)) {
	all := audits()
	var flaws []Flaw
	seen := make(map[sameFlaw]bool)
	add := func(f Flaw) {
		f = x.located(f)
		// A file that others are made of, more than once, has its flaws once.
		if key := (sameFlaw{f.Rule, f.Place, f.Message}); !seen[key] {
			seen[key] = true
			flaws = append(flaws, f)
		}
	}
	for _, p := range x.Pipelines {
		for _, a := range all {
			a(x, p, add)
		}
	}
	x.flow(add)
	flaws = x.openGates(flaws)
	x.idleGates(flaws)
	flaws = joined(flaws)
	x.repair(flaws)
	for i := range flaws {
		report(flaws[i])
	}
}
