package pipeline

// audit looks at one definition and reports what is wrong with it. An audit holds no
// state and depends on the project alone.
type audit func(x *Project, p *Pipeline, report func(Flaw))

// audits are all that look at one definition at a time.
func audits() []audit {
	return append(guardAudits(),
		auditPermissions, auditTokens, auditSecrets, auditDefinition, auditUpdates, auditUses, auditScripts, auditLock, auditRuntime, auditForges,
	)
}

// sameFlaw is what makes two flaws one.
type sameFlaw struct {
	rule    string
	place   Place
	message string
}

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
	x.repair(flaws)
	for i := range flaws {
		report(flaws[i])
	}
}
