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
	if len(e.Why) > 0 {
		facts = append(facts, pathFact{"why", "no proven path: " + strings.Join(e.Why, "; ")})
	}
	for _, c := range e.Cut {
		facts = append(facts, pathFact{"cut", c})
	}
	return facts
}

// kindOf is what a finding is counted as beside others: its tier, or its engine where
// that knows no tiers.
func kindOf(f *penstock.Finding) string {
	if tier := tierText(f); tier != "" {
		return tier
	}
	return (&penstock.Rule{ID: f.Rule}).Engine()
}

// kindCount is how many findings are of a kind, by severity.
type kindCount struct {
	kind       string
	n, fresh   int
	severities []severityCount
}

// tally counts danger by kind, the worst tier first, and hygiene apart. Hygiene that
// blocks is hygiene here, too.
func tally(open []*penstock.Finding) (danger []kindCount, hygiene kindCount) {
	by := make(map[string][]*penstock.Finding)
	for _, f := range open {
		by[kindOf(f)] = append(by[kindOf(f)], f)
	}
	kinds := sortedKeys(by)
	order := []penstock.Tier{penstock.TierProvenPath, penstock.TierExploitable, "", penstock.TierHygiene}
	slices.SortStableFunc(kinds, func(a, b string) int {
		return cmp.Compare(slices.Index(order, by[a][0].Evidence.Tier), slices.Index(order, by[b][0].Evidence.Tier))
	})
	for _, k := range kinds {
		c := kindCount{kind: k, n: len(by[k]), severities: severities(by[k])}
		for _, f := range by[k] {
			if f.Status == penstock.StatusNew {
				c.fresh++
			}
		}
		if by[k][0].Evidence.Tier == penstock.TierHygiene {
			hygiene = c
		} else {
			danger = append(danger, c)
		}
	}
	return danger, hygiene
}

// tiered reports whether some finding has a tier, so that danger and hygiene are told
// apart.
func tiered(findings []*penstock.Finding) bool {
	return slices.ContainsFunc(findings, func(f *penstock.Finding) bool { return f.Evidence.Tier != "" })
}

// bundle is one flaw that people are told once: a finding, and others of the same rule,
// tier and file whose way in is the same. Formats for machines have each by itself.
type bundle struct {
	*penstock.Finding
	also []*penstock.Finding
}

// cause is what the findings of a bundle have in common.
type cause struct {
	rule, title, path, job, who, entry, notes, reason string
	tier                                              penstock.Tier
	severity                                          penstock.Severity
	confidence                                        penstock.Confidence
	status                                            penstock.Status
	blocks                                            bool
}

// bundles joins findings that tell the same flaw, in the order of the first of each.
func bundles(findings []*penstock.Finding) []bundle {
	index := make(map[cause]int)
	out := make([]bundle, 0, len(findings))
	for _, f := range findings {
		e := f.Evidence.Pipeline
		if e == nil || f.Evidence.Tier == penstock.TierHygiene || f.Suppressed != nil || f.Commit != nil || f.Status == penstock.StatusFixed {
			out = append(out, bundle{Finding: f})
			continue
		}
		c := cause{
			rule: f.Rule, title: f.Title, path: f.Location.Path, who: strings.Join(append([]string{e.Actor}, e.Events...), "\x00"),
			notes: strings.Join(slices.Concat(f.Notes, each(e.Why, withoutPlaces)), "\x00"), reason: f.Reason,
			tier: f.Evidence.Tier, severity: f.Severity, confidence: f.Confidence, status: f.Status, blocks: f.Blocks,
		}
		if len(f.Trace) > 0 {
			c.entry = position(f.Trace[0].Location) + " " + f.Trace[0].Message
		} else {
			c.job = jobOf(f)
		}
		if i, ok := index[c]; ok {
			out[i].also = append(out[i].also, f)
			continue
		}
		index[c] = len(out)
		out = append(out, bundle{Finding: f})
	}
	return out
}

// withoutPlaces is a reason without the places of the check, "(file:3, file:9)".
func withoutPlaces(why string) string {
	if i := strings.LastIndex(why, " ("); i >= 0 && strings.HasSuffix(why, ")") {
		return why[:i]
	}
	return why
}

// single makes a bundle of each finding.
func single(findings []*penstock.Finding) []bundle {
	return each(findings, func(f *penstock.Finding) bundle { return bundle{Finding: f} })
}

// loose is the findings of bundles.
func loose(all []bundle) []*penstock.Finding {
	var out []*penstock.Finding
	for _, b := range all {
		out = append(append(out, b.Finding), b.also...)
	}
	return out
}

// jobOf is the job of a scope such as "job build, step 3".
func jobOf(f *penstock.Finding) string {
	job, _, _ := strings.Cut(f.Evidence.Scope, ", ")
	return job
}

// differs says in which way another finding of the bundle is not like the first.
func (b bundle) differs(f *penstock.Finding) string {
	var parts []string
	if job := jobOf(f); job != jobOf(b.Finding) && job != "" {
		parts = append(parts, job)
	}
	if f.Message != b.Message && f.Message != "" {
		parts = append(parts, f.Message)
	}
	wins, first := f.Evidence.Pipeline.Reaches, b.Evidence.Pipeline.Reaches
	more := slices.DeleteFunc(slices.Clone(wins), func(s string) bool { return slices.Contains(first, s) })
	switch {
	case len(wins) == len(first)+len(more) && len(more) > 0:
		parts = append(parts, "also wins "+strings.Join(more, ", "))
	case !slices.Equal(wins, first) && len(wins) > 0:
		parts = append(parts, "wins "+strings.Join(wins, ", "))
	}
	if why := f.Evidence.Pipeline.Why; !slices.Equal(why, b.Evidence.Pipeline.Why) {
		parts = append(parts, strings.Join(why, "; "))
	}
	return strings.Join(parts, "; ")
}

// facts are the pathFacts of the first finding, with the cuts of all. An edit that is
// the same in several places is told once.
func (b bundle) facts() []pathFact {
	facts := slices.DeleteFunc(pathFacts(b.Finding), func(p pathFact) bool { return p.word == "cut" })
	places := make(map[string][]string)
	var edits []string
	for _, f := range loose([]bundle{b}) {
		if f.Evidence.Pipeline == nil {
			continue
		}
		for _, c := range f.Evidence.Pipeline.Cut {
			place, edit, ok := strings.Cut(c, ": ")
			if !ok {
				place, edit = "", c
			}
			if !slices.Contains(edits, edit) {
				edits = append(edits, edit)
			}
			if place != "" && !slices.Contains(places[edit], place) {
				places[edit] = append(places[edit], place)
			}
		}
	}
	for _, edit := range edits {
		text := edit
		if at := joinPlaces(places[edit]); at != "" {
			text = at + ": " + edit
		}
		facts = append(facts, pathFact{"cut", text})
	}
	return facts
}

// joinPlaces lists places such as "file:line"; of one in the file of the place before it,
// only the line.
func joinPlaces(places []string) string {
	var b strings.Builder
	last := ""
	for i, p := range places {
		n := strings.LastIndexByte(p, ':') + 1
		switch {
		case i == 0:
			b.WriteString(p)
		case n > 0 && p[:n] == last:
			b.WriteString(", " + p[n:])
		default:
			b.WriteString(", " + p)
		}
		last = p[:n]
	}
	return b.String()
}

// own are the steps of a way that the first finding's does not have.
func (b bundle) own(f *penstock.Finding) []penstock.Label {
	told := make(map[penstock.Label]bool, len(b.Trace))
	for _, l := range b.Trace {
		told[l] = true
	}
	return slices.DeleteFunc(slices.Clone(f.Trace), func(l penstock.Label) bool { return told[l] })
}

// minor reports whether a note is the same in every run and changes nothing of the
// answer: which rules need the forge. It is told where everything is asked for, and in
// the formats for machines.
func minor(n *penstock.Note) bool { return n.Code == "offline-rules" && !n.Incomplete }

// gainText begins a step that is not a step of the way but what is won at its end.
const gainText = "this wins "

// forgeRule cuts the rule of the forge off the text of a step, as "[id]" at its end.
func forgeRule(f *penstock.Finding, message string) (text, rule string) {
	e := f.Evidence.Pipeline
	if e == nil || !strings.HasSuffix(message, "]") {
		return message, ""
	}
	i := strings.LastIndex(message, " [")
	if i < 0 || !slices.Contains(e.Semantics, message[i+2:len(message)-1]) {
		return message, ""
	}
	return message[:i], message[i+2 : len(message)-1]
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
			l := shown(f).Location
			l.Column = 0
			if p := position(l); !slices.Contains(out[i].places, p) {
				out[i].places = append(out[i].places, p)
			}
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
