package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"penstock"
)

// sink is a place where a text, or a stranger's files, do harm.
type sink struct {
	rule  string
	place Place
	scope string
	// text is the hop at the place, message the flaw's.
	text, message string
	step          *Step
	// most is the highest tier, empty for no bound.
	most penstock.Tier
	// runs says that code of the attacker runs in the job.
	runs bool
	// prized says that without a prize there is nothing to report above hygiene.
	prized bool
	// extra are prizes beside those of the job.
	extra []Prize
	// only are the kinds of prizes that count, nil for all.
	only []PrizeKind
	// edits are what repairs the sink itself.
	edits []cutOption
	// clobbers: what is won are other outputs of the step.
	clobbers bool
	// calls are the actions of the repository that the step is within.
	calls []Hop
}

// way is what the forge and the gates say of the way to a step.
type passage struct {
	open bool // someone gets there
	sure bool // and no gate's answer is unknown
	once bool // a gate looked at something that can change afterwards
	// person: who causes the event has rights, so that its own texts are nobody else's.
	person bool
	// own: code of forks does not get there.
	own bool
	// settings are keys of settings, not given, that would change the answer.
	settings []string
	gates    []Hop
	// doubts are the gates for which sure is not set.
	doubts []Hop
}

// passage asks whether the step that runs can be reached, or the whole job.
func (jr *jobRun) passage(whole bool) passage {
	p := passage{open: !jr.reach.shut(), sure: true}
	gates := jr.reach.gates
	if !whole {
		r := jr.stepReach()
		p.open = p.open && !r.shut()
		if jr.e.Outsider() || jr.p.Forge != GitHub {
			gates = append(slices.Clone(gates), r.gates...)
		} else {
			p.open = r.truth != False // people with rights pass what asks who is there
		}
	}
	for _, g := range gates {
		weak := GuardKind("")
		text, doubt := "the way passes a check: "+g.Text, ""
		if g.setting != "" && !slices.Contains(p.settings, g.setting) {
			p.settings = append(p.settings, g.setting)
		}
		switch {
		case g.ownCode:
			p.own = true
		case g.Kind == GuardEnvironment && !g.Stops && g.Row == nil && jr.x.Settings.GitHub.known():
			continue // settings that do not name it say that nobody protects it
		case g.Stops && g.Once:
			p.once, p.sure = true, false
			p.person = p.person || g.Kind == GuardAssociation || g.Kind == GuardPermission || g.Kind == GuardActor
			text = "someone with rights lets it pass: " + g.Text + "; what was looked at can change afterwards"
			doubt = "someone with rights has to let it pass first: " + g.Text
		case g.Stops:
			p.open = false
		case g.Weakness != "":
			text += doesNotHold + g.Weakness
			weak = g.Kind
		case g.Once && g.Kind != GuardEnvironment:
			p.once, p.sure = true, false
			text += ", which looks at something that can change afterwards"
			doubt = "a check comes first, but looks at something that can change afterwards: " + g.Text
		default:
			p.sure = false
			text += ", whose answer is not known"
			doubt = "the answer of a check is not known: " + g.Text
		}
		if doubt != "" && len(p.doubts) < maxWhy {
			p.doubts = append(p.doubts, Hop{Place: g.Place, Text: doubt})
		}
		if len(p.gates) < 8 {
			p.gates = append(p.gates, Hop{Place: g.Place, Text: text, Row: g.Row, Weak: weak})
		}
	}
	return p
}

// doesNotHold stands in the hop of a weak gate before the weakness.
const doesNotHold = ", which does not hold: "

// known reports whether there are settings of the repository at all.
func (g GitHubSettings) known() bool {
	return g.DefaultBranch != "" || g.Created != "" || len(g.Environments) > 0
}

// worthIt is the weight from which a prize makes a path one that is proven.
const worthIt = 58

// sink reports that a text gets to a place, once for each outsider who has a say in it.
func (jr *jobRun) sink(fr *frame, s sink, v value) {
	for _, t := range v {
		if t.outsider() {
			jr.arrive(fr, s, t)
		}
	}
}

// arrive grades one way to a sink, and reports it if there is one.
func (jr *jobRun) arrive(fr *frame, s sink, t taint) bool {
	s.calls = fr.calls
	flaw := Flaw{Rule: s.rule, Place: s.place, Message: s.message, Scope: s.scope, Actor: max(t.actor, jr.e.Actor)}
	if t.stored {
		flaw.Actor = t.actor
	}
	if fr.lone {
		jr.loneSink(fr, flaw, s, t)
		return true
	}
	pass := jr.passage(s.step == nil)
	if !pass.open {
		return false
	}
	if pass.person && t.file == filesNone && !jr.others(t) {
		return false
	}
	if pass.own && (t.code || t.file == filesCheckout) {
		return false
	}
	flaw.Events = []string{cmp.Or(jr.cause, jr.e.Event)}
	prizes := jr.prizesOf(jr.p, jr.e, jr.j)
	prizes = append(slices.Clone(s.extra), prizes...)
	if s.only != nil {
		prizes = slices.DeleteFunc(slices.Clone(prizes), func(p Prize) bool { return !slices.Contains(s.only, p.Kind) })
	}
	if relay, ok := jr.relay(prizes); ok {
		prizes = append([]Prize{relay}, prizes...)
	}
	s.prized = s.prized || jr.p.Forge != GitHub && jr.emptyHanded()
	sure := slices.ContainsFunc(prizes, func(p Prize) bool { return p.Weight >= worthIt && !p.Setting })
	flaw.Tier = penstock.TierProvenPath
	switch {
	case !jr.e.Outsider() && t.after == "" && !t.stored || jr.e.Event == "workflow_call":
		flaw.Tier = penstock.TierHygiene
	case jr.e.Own && s.rule != "self-hosted-runner-exposed" && s.rule != "secrets-on-untrusted-code" && s.rule != "untrusted-definition":
		flaw.Tier = penstock.TierHygiene
		flaw.Notes = append(flaw.Notes, "By "+jr.e.Event+" the author's own version of the definition runs, so that nothing more is won by this.")
	case len(prizes) == 0 && s.prized:
		flaw.Tier = penstock.TierHygiene
	case !sure || !pass.sure || t.doubt != "" || t.after != "" || jr.e.After != "" || !jr.e.Outsider():
		flaw.Tier = penstock.TierExploitable
	}
	if doubt := jr.assumed(); doubt != "" && flaw.Tier == penstock.TierProvenPath {
		flaw.Tier = penstock.TierExploitable
		flaw.Why = append(flaw.Why, lowerFirst(strings.TrimSuffix(doubt, ".")))
	}
	capped := s.most != "" && tierRank[flaw.Tier] > tierRank[s.most]
	if capped {
		flaw.Tier = s.most
	}
	flaw.Trace = jr.trace(s, t, pass)
	switch {
	case flaw.Tier == penstock.TierExploitable:
		flaw.Why = append(flaw.Why, jr.unproven(s, t, pass, prizes, capped)...)
	case t.doubt != "":
		flaw.Notes = append(flaw.Notes, "Not certain: "+t.doubt+".")
	}
	if flaw.Tier != penstock.TierHygiene {
		for i, p := range prizes {
			if i == 6 {
				break
			}
			if !slices.Contains(flaw.Reaches, p.Text) {
				flaw.Reaches = append(flaw.Reaches, p.Text)
			}
		}
		flaw.Trace = append(flaw.Trace, gains(prizes)...)
		if len(prizes) > 0 && prizes[0].Kind == PrizeRunner {
			if v, ok := jr.shared(prizes[0].Name, jr.j); ok {
				flaw.Trace = append(flaw.Trace, Hop{Place: v.at, Text: "the job " + v.j.ID.Value + " runs on the same runner, by " + v.e.Event})
				flaw.Trace = append(flaw.Trace, gains(v.prizes)...)
				flaw.Reaches = append(flaw.Reaches, v.prizes[0].Text+", by the runner")
			}
		}
		if len(prizes) > 0 && prizes[0].Kind == PrizeCache && s.runs {
			// The cache is worth what the job has that restores it.
			if v, ok := jr.victimOf(jr.j); ok {
				flaw.Trace = append(append(flaw.Trace, v.hop()), gains(v.prizes)...)
				flaw.Reaches = append(flaw.Reaches, v.prizes[0].Text+", by a cache")
			}
		}
	}
	if flaw.Tier != penstock.TierHygiene && len(pass.settings) > 0 {
		flaw.Notes = append(flaw.Notes, "No settings of the forge say whether the environment is protected: --forge-settings with "+strings.Join(pass.settings, ", ")+" would change this.")
		if flaw.Tier == penstock.TierProvenPath {
			flaw.Confidence = penstock.ConfidenceMedium
		}
	}
	var cuts pathCut
	if flaw.Tier == penstock.TierProvenPath {
		cuts = jr.cuts(s, t)
	}
	if s.runs && tierRank[flaw.Tier] >= tierRank[penstock.TierExploitable] || s.runs && s.prized && jr.attacked() {
		jr.poisons(s, t, flaw, pass)
	}
	if jr.p.Forge == GitHub || flaw.Tier != penstock.TierHygiene || !s.prized || s.rule != "untrusted-code-execution" && s.rule != "artifact-poisoning" {
		jr.add(flaw, cuts)
	}
	return true
}

// others reports whether a text of the event is not of the one who causes it: that of
// the issue or pull request on which somebody comments.
func (jr *jobRun) others(t taint) bool {
	return strings.Contains(jr.e.Event, "comment") && (strings.HasPrefix(t.path, "github.event.issue.") || strings.HasPrefix(t.path, "github.event.pull_request.")) || jr.e.Event == "workflow_run"
}

// gains are the last hops: the best of what is won.
func gains(prizes []Prize) []Hop {
	var out []Hop
	for _, p := range prizes {
		if len(out) < 3 && !slices.ContainsFunc(out, func(h Hop) bool { return h.Place == p.Place }) {
			out = append(out, Hop{Place: p.Place, Text: gainText + p.Text, Row: p.Row})
		}
	}
	return out
}

const gainText = "this wins "

// trace is the way from the outsider to the sink.
func (jr *jobRun) trace(s sink, t taint, pass passage) []Hop {
	hops := slices.Clone(jr.origin)
	if hops == nil {
		hops = jr.who(t.before)
	}
	if t.stored {
		hops[len(hops)-1].Text = "the workflow runs (" + jr.e.Event + "), and reads what outsiders have written before"
	}
	if len(jr.e.Rows) > 1 {
		row := jr.e.Rows[1]
		hops = append(hops, Hop{Place: Place{jr.p.Path, jr.j.ID.Span}, Text: "the job " + jr.j.ID.Value + " runs: " + lowerFirst(row.Statement), Row: &row})
	} else {
		hops = append(hops, Hop{Place: Place{jr.p.Path, jr.j.ID.Span}, Text: "the job " + jr.j.ID.Value + " runs"})
	}
	hops = append(hops, pass.gates...)
	hops = append(hops, s.calls...)
	hops = append(hops, t.way.hops()...)
	if last := hops[len(hops)-1]; last.Place != s.place || last.Text != s.text {
		hops = append(hops, Hop{Place: s.place, Text: s.text})
	}
	if len(hops) > flowHops {
		hops = append(hops[:flowHops-5], hops[len(hops)-5:]...)
	}
	return hops
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// deeds say what someone does to cause an event.
var deeds = map[string]string{
	"pull_request": "opens a pull request", "pull_request_target": "opens a pull request", "pull_request_review": "reviews a pull request",
	"pull_request_review_comment": "comments on the code of a pull request", "issues": "opens an issue", "issue_comment": "writes a comment on an issue or a pull request",
	"commit_comment": "writes a comment on a commit", "discussion": "opens a discussion", "discussion_comment": "writes a comment on a discussion",
	"repository_dispatch": "writes a command as a comment", "fork": "forks the repository", "watch": "stars the repository", "gollum": "edits the wiki", "workflow_run": "causes a run whose end starts this one",
	"push": "gets a commit into the repository", "check_run": "gets a commit checked", "check_suite": "gets a commit checked", "status": "gets a status set on a commit",
	"merge_group": "has a pull request put into the merge queue", "workflow_call": "causes the run of a workflow that calls this one", "release": "publishes a release",
	"merge_request_event": "opens a merge request", AzurePullRequest: "opens a pull request", JenkinsChange: "opens a pull request", AzureCI: "gets a commit into the repository",
	JenkinsBranch: "gets a commit into the repository", JenkinsComment: "writes a comment on a pull request", JenkinsWebhook: "sends a request to the server",
	JenkinsGHPRB: "opens a pull request", JenkinsGitLab: "opens a merge request", JenkinsGerrit: "uploads a change",
}

// who are the first hops: the outsider, what it does, and how that leads to this file;
// run is what happens in the run that this one comes after.
func (jr *jobRun) who(run []Hop) []Hop {
	root := jr.e
	for root.callerEntry != nil {
		root = root.callerEntry
	}
	deed := deeds[jr.e.Event]
	if deed == "" {
		deed = "causes the event"
	}
	h := Hop{Place: jr.triggerPlace(), Text: jr.e.Actor.String() + " " + deed + " (" + jr.e.Event + ")"}
	if jr.e.After != "" {
		h.Text += ", and " + jr.e.After
	}
	if len(jr.e.Rows) > 0 {
		row := jr.e.Rows[0]
		h.Row = &row
	}
	before := min(len(root.Via), len(jr.e.Via))
	if before > 0 {
		h.Text = "its end starts this workflow (" + jr.e.Event + ")"
	}
	var hops []Hop
	for i, v := range jr.e.Via[:before] {
		if i == 0 {
			v.Text = jr.e.Actor.String() + " causes a run: " + v.Text
		}
		hops = append(hops, v)
	}
	hops = append(append(hops, run...), h)
	return append(hops, jr.e.Via[before:]...)
}

// triggerPlace is where the event is named, in this file or the first caller's.
func (jr *jobRun) triggerPlace() Place {
	e, p := jr.e, jr.p
	for e.callerEntry != nil && e.caller != nil {
		e, p = e.callerEntry, e.caller.pipeline
	}
	if e.Trigger != nil {
		return Place{p.Path, e.Trigger.Event.Span}
	}
	return Place{p.Path, p.OnSpan}
}

// relay is what a stranger gets who can start other workflows: the best that one of
// them has.
func (jr *jobRun) relay(own []Prize) (Prize, bool) {
	i := slices.IndexFunc(own, func(p Prize) bool { return p.Kind == PrizeDispatch })
	if i < 0 {
		return Prize{}, false
	}
	best, ok := jr.dispatched()
	if !ok {
		return Prize{}, false
	}
	best.Setting = own[i].Setting
	best.Text += ", in a workflow that it can start (" + strings.TrimPrefix(best.Path, jr.x.Root) + ")"
	return best, true
}

// dispatched is the best prize of all workflows that can be started by hand.
func (f *flows) dispatched() (Prize, bool) {
	if f.hand == nil {
		f.hand = &Prize{}
		for _, p := range f.x.Pipelines {
			if p.Kind != KindWorkflow || p.Trigger("workflow_dispatch") == nil {
				continue
			}
			es := f.entriesOf(p)
			for i := range es {
				if es[i].Event != "workflow_dispatch" {
					continue
				}
				for k := range p.Jobs {
					for _, q := range f.prizesOf(p, &es[i], &p.Jobs[k]) {
						if (q.Kind == PrizeSecret || q.Kind == PrizeCloud || q.Kind == PrizePublish && q.Name != "packages") && q.Weight > f.hand.Weight {
							*f.hand = q
						}
					}
				}
			}
		}
	}
	return *f.hand, f.hand.Weight > 0
}

// cutOption is an edit that breaks a way.
type cutOption struct {
	place Place
	text  string
	// cost orders edits that break as much: the smaller, the less is lost.
	cost int
}

// pathCut is one way: each of the edits breaks it.
type pathCut struct{ options []cutOption }

// cuts are the edits that break the way to a sink.
func (jr *jobRun) cuts(s sink, t taint) pathCut {
	options := slices.Clone(s.edits)
	switch s.rule {
	case "template-injection", "agent-output-injection":
		options = append(options, cutOption{s.place, "give the value to the step by env and use the variable in the script", 1})
	case "command-injection", "argument-injection":
		options = append(options, cutOption{s.place, "use the value as data: in quotes, behind --, and never as a part of a program", 2})
	case "environment-injection", "output-clobbering":
		options = append(options, cutOption{s.place, "remove line breaks before the value is written, or do not write it", 1})
	case "artifact-poisoning":
		options = append(options, cutOption{s.place, "do not run what comes out of the artifact: unpack it outside of the workspace, and read it as data", 2})
	}
	if t.file == filesCheckout && t.way != nil {
		first := t.way
		for w := t.way; w != nil; w = w.prev {
			if strings.Contains(w.hop.Text, "into the workspace") || strings.Contains(w.hop.Text, "checked out") {
				first = w
			}
		}
		options = append(options, cutOption{first.hop.Place, "do not check out the code of the pull request here: build it by pull_request without secrets, and hand the result on as data", 2})
	}
	if jr.p.Forge != GitHub {
		return jr.forgeCuts(s, options)
	}
	at := jr.triggerPlace()
	switch jr.e.Event {
	case "pull_request_target":
		options = append(options, cutOption{at, "use pull_request in place of pull_request_target", 3})
	case "self-hosted-runner-exposed":
	default:
		options = append(options, cutOption{Place{jr.p.Path, jr.j.ID.Span}, "let the job " + jr.j.ID.Value + " run only for people with write access", 4})
	}
	return pathCut{options}
}

// maxExact is up to how many edits the smallest set is found for certain.
const maxExact = 12

// minimalCut is the smallest set of edits that breaks all ways; of several the one that
// loses the least. With more than maxExact edits it is found greedily.
func (f *flows) minimalCut(ways []pathCut) []string {
	type candidate struct {
		cutOption
		covers uint64
	}
	var all []candidate
	ways = ways[:min(len(ways), 60)]
	for i, w := range ways {
		for _, o := range w.options {
			n := slices.IndexFunc(all, func(c candidate) bool { return c.place == o.place && c.text == o.text })
			if n < 0 {
				n = len(all)
				all = append(all, candidate{cutOption: o})
			}
			all[n].covers |= 1 << i
		}
	}
	if len(all) == 0 {
		return nil
	}
	goal := uint64(1)<<len(ways) - 1
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), strings.Compare(a.place.Path, b.place.Path), cmp.Compare(a.place.Start, b.place.Start), strings.Compare(a.text, b.text))
	})
	var chosen []candidate
	if len(all) <= maxExact {
		best, bestCost := uint(0), 1<<30
		for set := uint(1); set < 1<<len(all); set++ {
			var covers uint64
			cost := bits.OnesCount(set) * 1000
			for i := range all {
				if set&(1<<i) != 0 {
					covers |= all[i].covers
					cost += all[i].cost
				}
			}
			if covers == goal && cost < bestCost {
				best, bestCost = set, cost
			}
		}
		for i := range all {
			if best&(1<<i) != 0 {
				chosen = append(chosen, all[i])
			}
		}
	} else {
		for left := goal; left != 0; {
			best := 0
			for i := range all {
				if bits.OnesCount64(all[i].covers&left) > bits.OnesCount64(all[best].covers&left) {
					best = i
				}
			}
			if all[best].covers&left == 0 {
				break
			}
			left &^= all[best].covers
			chosen = append(chosen, all[best])
		}
	}
	var out []string
	for _, c := range chosen {
		out = append(out, fmt.Sprintf("%s: %s", f.line(c.place), c.text))
	}
	return out
}

// line is a place as file:line, or the file alone if it cannot be read.
func (f *flows) line(p Place) string {
	p = f.x.located(Flaw{Place: p}).Place
	if q := f.x.byPath[p.Path]; q != nil && len(q.Files) == 0 && p.Start <= int64(len(q.Source)) {
		return fmt.Sprintf("%s:%d", p.Path, q.lineOf(p.Start))
	}
	b, ok := f.x.File(strings.TrimPrefix(p.Path, f.x.Root))
	if !ok || p.Start > int64(len(b)) {
		return p.Path
	}
	return fmt.Sprintf("%s:%d", p.Path, 1+bytes.Count(b[:p.Start], []byte{'\n'}))
}
