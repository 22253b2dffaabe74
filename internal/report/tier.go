package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"penstock"
)

// tierText names the tier of a finding; empty where its engine knows no tiers.
func tierText(f *penstock.Finding) string {
	switch f.Evidence.Tier {
	case penstock.TierProvenPath:
		return "proven path"
	case "":
		return ""
	}
	return string(f.Evidence.Tier)
}

// tierRank orders findings by tier: what is proven first, hygiene last. A finding
// without a tier is a danger until someone says otherwise.
func tierRank(f *penstock.Finding) int {
	switch f.Evidence.Tier {
	case penstock.TierProvenPath:
		return 0
	case penstock.TierHygiene:
		return 2
	}
	return 1
}

// idle reports whether a finding is hygiene that blocks nothing: it is counted by
// rule and not shown in full unless it is asked for.
func idle(f *penstock.Finding) bool { return f.Evidence.Tier == penstock.TierHygiene && !f.Blocks }

// pathFact is one line about who can use a flaw, and what for.
type pathFact struct{ word, text string }

// pathFacts say who can use a flaw of a pipeline, what is won, and what to edit.
func pathFacts(f *penstock.Finding) []pathFact {
	e := f.Evidence.Pipeline
	if e == nil {
		return nil
	}
	var facts []pathFact
	if e.Actor != "" {
		who := e.Actor
		if len(e.Events) > 0 {
			who += ", by " + strings.Join(e.Events, ", ")
		}
		facts = append(facts, pathFact{"who", who})
	}
	if len(e.Reaches) > 0 {
		facts = append(facts, pathFact{"wins", strings.Join(e.Reaches, ", ")})
	}
	for _, c := range e.Cut {
		facts = append(facts, pathFact{"cut", c})
	}
	return facts
}

// ruleCount is how often a rule found something, with the first places.
type ruleCount struct {
	rule, title string
	n           int
	places      []string
}

// byRule counts findings by rule, the worst and then the most frequent first, with
// up to places of each.
func (d *document) byRule(findings []*penstock.Finding, places int) []ruleCount {
	index := make(map[string]int)
	worst := make(map[string]penstock.Severity)
	var out []ruleCount
	for _, f := range findings {
		i, ok := index[f.Rule]
		if !ok {
			i = len(out)
			index[f.Rule] = i
			out = append(out, ruleCount{rule: f.Rule, title: d.title(f)})
		}
		out[i].n++
		worst[f.Rule] = max(worst[f.Rule], f.Severity)
		if len(out[i].places) < places {
			out[i].places = append(out[i].places, position(shown(f).Location))
		}
	}
	slices.SortStableFunc(out, func(a, b ruleCount) int {
		return cmp.Or(cmp.Compare(worst[b.rule], worst[a.rule]), cmp.Compare(b.n, a.n), cmp.Compare(a.rule, b.rule))
	})
	return out
}

// text is the count in one line.
func (c ruleCount) text() string {
	s := fmt.Sprintf("%s, %s: %s", c.rule, c.title, strings.Join(c.places, ", "))
	if rest := c.n - len(c.places); rest > 0 {
		s += ", and " + number(rest) + " more"
	}
	return s
}
