package pipeline

import (
	"cmp"
	"slices"
	"strings"

	"penstock"
)

// The kinds of assets and edges that the engine gives to the attack graph. Keys are
// paths, names and, for a job, PATH#ID.
const (
	AssetActor       = "actor"
	AssetWorkflow    = "workflow"
	AssetJob         = "job"
	AssetAction      = "action"
	AssetRunner      = "runner"
	AssetEnvironment = "environment"
	AssetPrize       = "prize" // what code in a job can get at; the fact "kind" says what it is

	EdgeTrigger  = "can-trigger" // actor to workflow; facts: event, after, row
	EdgeRuns     = "runs"        // workflow to job; facts: events, guards
	EdgeGets     = "gets"        // job to prize; facts: events, row
	EdgeUses     = "uses"        // job to action; facts: pinned
	EdgeCalls    = "calls"       // job to workflow
	EdgeStarts   = "starts"      // workflow to workflow, by its end or a dispatch
	EdgeRunsOn   = "runs-on"     // job to runner
	EdgeDeploys  = "deploys-to"  // job to environment
	EdgeExploits = "exploits"    // actor to prize, by a flaw; facts: rule, tier
)

// graph collects assets and edges, each once.
type graph struct {
	x      *Project
	assets map[string]*penstock.Asset
	edges  map[[3]string]*penstock.Edge
	prizes map[string]string // by text
}

// Facts reports what the project gives to the attack graph: who can start what, what
// runs there, what it gets at, and the flaws that lead from outside to it. Order and
// content depend on the definitions alone.
func (x *Project) Facts(flaws []Flaw, report func(penstock.Record)) {
	g := &graph{x: x, assets: make(map[string]*penstock.Asset), edges: make(map[[3]string]*penstock.Edge), prizes: make(map[string]string)}
	for _, p := range x.Pipelines {
		if len(p.Jobs) > 0 {
			g.pipeline(p)
		}
	}
	for i := range flaws {
		g.flaw(&flaws[i])
	}
	for _, k := range sortedKeys(g.assets) {
		report(g.assets[k])
	}
	edges := make([]*penstock.Edge, 0, len(g.edges))
	for _, e := range g.edges {
		edges = append(edges, e)
	}
	slices.SortFunc(edges, func(a, b *penstock.Edge) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, e := range edges {
		report(e)
	}
}

// asset adds an asset and returns its name in edges.
func (g *graph) asset(kind, key, name string, at Place) string {
	id := kind + ":" + key
	if g.assets[id] == nil {
		a := &penstock.Asset{Kind: kind, Key: key, Name: name}
		if at.Path != "" {
			a.Location = at.location()
		}
		g.assets[id] = a
	}
	return id
}

// edge adds an edge. Facts of one that is there are joined with commas.
func (g *graph) edge(kind, from, to string, at Place, facts ...string) {
	key := [3]string{kind, from, to}
	e := g.edges[key]
	if e == nil {
		e = &penstock.Edge{Kind: kind, From: from, To: to, Location: at.location(), Facts: make(map[string]string)}
		g.edges[key] = e
	}
	for i := 0; i+1 < len(facts); i += 2 {
		name, value := facts[i], facts[i+1]
		if value == "" {
			continue
		}
		have := strings.Split(e.Facts[name], ", ")
		if e.Facts[name] == "" {
			e.Facts[name] = value
		} else if !slices.Contains(have, value) && len(have) < 20 {
			e.Facts[name] += ", " + value
		}
	}
}

func (g *graph) pipeline(p *Pipeline) {
	workflow := g.asset(AssetWorkflow, p.Path, p.Name.Value, p.start())
	entries := g.x.Entries(p)
	for i := range entries {
		e := &entries[i]
		at := p.place(p.OnSpan)
		if e.Trigger != nil {
			at = p.place(e.Trigger.Event.Span)
		}
		row := ""
		if len(e.Rows) > 0 {
			row = e.Rows[0].ID
		}
		g.edge(EdgeTrigger, g.asset(AssetActor, e.Actor.String(), "", Place{}), workflow, at, "event", e.Event, "after", e.After, "row", row)
		for _, h := range e.Via {
			if h.Path != p.Path && h.Path != "" {
				g.edge(EdgeStarts, g.asset(AssetWorkflow, h.Path, "", Place{}), workflow, at, "event", e.Event)
			}
		}
		for k := range p.Jobs {
			j := &p.Jobs[k]
			truth, gates := g.x.Reach(p, e, j)
			if truth == False {
				continue
			}
			job := g.asset(AssetJob, p.Path+"#"+j.ID.Value, j.Name.Value, p.place(j.ID.Span))
			facts := []string{"events", e.Event}
			for _, gate := range gates {
				facts = append(facts, "guards", gate.Text)
			}
			g.edge(EdgeRuns, workflow, job, p.place(j.ID.Span), facts...)
			for _, z := range g.x.Prizes(p, e, j) {
				prize := g.asset(AssetPrize, string(z.Kind)+" "+z.Name, z.Text, Place{})
				g.assets[prize].Facts = map[string]string{"kind": string(z.Kind)}
				g.prizes[z.Text] = prize
				row := ""
				if z.Row != nil {
					row = z.Row.ID
				}
				g.edge(EdgeGets, job, prize, z.Place, "events", e.Event, "row", row)
			}
		}
	}
	for k := range p.Jobs {
		g.job(p, &p.Jobs[k])
	}
}

// job adds what a job uses, whoever starts it.
func (g *graph) job(p *Pipeline, j *Job) {
	job := g.asset(AssetJob, p.Path+"#"+j.ID.Value, j.Name.Value, p.place(j.ID.Span))
	use := func(u Use) {
		if u.Kind == UseRemote {
			g.edge(EdgeUses, job, g.asset(AssetAction, strings.TrimSpace(u.Value), "", Place{}), p.place(u.Span), "pinned", map[bool]string{true: "yes", false: "no"}[u.RefKind == RefCommit])
		}
	}
	use(j.Uses)
	if called := g.x.Workflow(j.Uses); called != nil {
		g.edge(EdgeCalls, job, g.asset(AssetWorkflow, called.Path, called.Name.Value, called.start()), p.place(j.Uses.Span))
	}
	for s := range jobSteps(p, j) {
		use(s.Step.Uses)
	}
	for _, l := range j.RunsOn.Labels {
		g.edge(EdgeRunsOn, job, g.asset(AssetRunner, l.Value, "", Place{}), p.place(l.Span))
	}
	if n := j.Environment.Get().Name; n.Value != "" {
		g.edge(EdgeDeploys, job, g.asset(AssetEnvironment, n.Value, "", Place{}), p.place(n.Span))
	}
}

// flaw adds the short way that a flaw above hygiene makes.
func (g *graph) flaw(f *Flaw) {
	if f.tier() == penstock.TierHygiene || f.Actor == ActorUnset {
		return
	}
	actor := g.asset(AssetActor, f.Actor.String(), "", Place{})
	for _, won := range f.Reaches {
		prize := g.prizes[won]
		if prize == "" {
			prize = g.asset(AssetPrize, won, won, Place{})
		}
		g.edge(EdgeExploits, actor, prize, f.Place, "rule", "pipeline/"+f.Rule, "tier", string(f.tier()))
	}
}
