package pipeline

import (
	"slices"
	"sort"
	"strings"

	"penstock"
)

// JenkinsPaths are the variables that an expression of a Jenkinsfile reads, in order,
// with spans in the source: env.X, params.X, x, pullRequest.title. The result of a
// step or of a function that the expression calls is its name with (), as sh().
func JenkinsPaths(source string) []ContextPath { return jenkinsPaths(source, false) }

// JenkinsTextPaths are those of JenkinsPaths whose text may be in the result: what is
// compared, counted or made a number is not, nor what replaceAll has left only
// harmless characters of.
func JenkinsTextPaths(source string) []ContextPath { return jenkinsPaths(source, true) }

func jenkinsPaths(source string, text bool) []ContextPath {
	c := jenkinsCollector{text: text}
	root, _, _ := readGroovy(source)
	for _, n := range root.Items {
		c.collect(n, 0)
	}
	return c.out
}

type jenkinsCollector struct {
	text bool
	out  []ContextPath
}

func (c *jenkinsCollector) add(name string, span penstock.Span) {
	if len(c.out) < 1000 {
		c.out = append(c.out, ContextPath{Name: name, Span: span})
	}
}

func (c *jenkinsCollector) all(items []*groovyNode, depth int) {
	for _, i := range items {
		c.collect(i, depth)
	}
}

func (c *jenkinsCollector) collect(n *groovyNode, depth int) {
	if n == nil || depth > jenkinsMaxNest {
		return
	}
	depth++
	switch n.Kind {
	case groovyName, groovyMember, groovyIndex:
		if path := groovyPath(n); path != "" {
			if path != "it" && path != "this" {
				c.add(strings.TrimPrefix(path, "this."), n.Span)
			}
			return
		}
		// A part of what stands on the left: x.y[0], params[name].
		c.collect(n.Left, depth)
		if base := groovyPath(n.Left); n.Kind == groovyIndex && (base == "env" || base == "params") && len(c.out) > 0 {
			c.out[len(c.out)-1].Name = base + ".*"
		}
		if !c.text {
			c.all(n.Items, depth)
		}
	case groovyString:
		c.all(n.Exprs, depth)
	case groovyBinary:
		c.binary(n, depth)
	case groovyUnary:
		if !c.text {
			c.collect(n.Left, depth)
		}
	case groovyTernary:
		if n.Key != nil && !c.text {
			c.collect(n.Key, depth)
		}
		c.collect(n.Left, depth)
		c.collect(n.Right, depth)
	case groovyCall:
		c.call(n, depth)
	case groovyPair, groovyReturn, groovyLabel:
		c.collect(n.Left, depth)
	case groovyList, groovyMap, groovyOther, groovyBlock, groovyNew, groovyClosure:
		c.all(n.Items, depth)
	case groovyAssign:
		c.collect(n.Right, depth)
	case groovyIf:
		if !c.text {
			c.collect(n.Key, depth)
		}
		c.collect(n.Left, depth)
		c.collect(n.Right, depth)
	}
}

func (c *jenkinsCollector) binary(n *groovyNode, depth int) {
	// Chains lean to the left.
	var chain []*groovyNode
	for ; n != nil && n.Kind == groovyBinary; n = n.Left {
		switch n.Name {
		case "==", "!=", "<", ">", "<=", ">=", "&&", "||", "==~", "=~", "in", "instanceof", "<=>", "===", "!==":
			if c.text {
				// Nothing of its operands is in the result.
				n = nil
			}
		}
		if n == nil {
			break
		}
		chain = append(chain, n.Right)
	}
	c.collect(n, depth)
	slices.Reverse(chain)
	c.all(chain, depth)
}

func (c *jenkinsCollector) call(n *groovyNode, depth int) {
	m := n.Left
	path := groovyPath(m)
	if m != nil && m.Kind == groovyMember {
		switch m.Name {
		case "getProperty", "get", "getOrDefault", "getAt":
			if base := groovyPath(m.Left); (base == "env" || base == "params") && len(n.Items) > 0 && n.Items[0] != nil {
				name := "*"
				if s := n.Items[0]; s.Kind == groovyString && len(s.Exprs) == 0 {
					name = s.Text.Value
				}
				c.add(base+"."+name, n.Span)
				return
			}
		case "toInteger", "toLong", "toBoolean", "toDouble", "isEmpty", "size", "length", "contains", "startsWith", "endsWith", "equals", "equalsIgnoreCase", "matches",
			"hashCode", "indexOf", "compareTo", "any", "every", "count", "isNumber", "isInteger", "digest", "md5", "sha256", "encodeBase64":
			if c.text {
				return
			}
		case "replaceAll":
			if c.text && len(n.Items) == 2 && groovyHarmless(n.Items[0]) && n.Items[1] != nil && n.Items[1].Kind == groovyString && len(n.Items[1].Exprs) == 0 {
				return
			}
		}
		c.collect(m.Left, depth)
		c.all(n.Items, depth)
		return
	}
	if path != "" {
		c.add(path+"()", n.Span)
		// What a step does with its arguments is not in what it prints; a function may
		// give them back.
		if c.text && (jenkinsShell(path) != "" || jenkinsStep(path)) {
			return
		}
	} else {
		c.collect(m, depth)
	}
	c.all(n.Items, depth)
}

// groovyHarmless reports whether a pattern removes everything but letters, digits
// and a few signs: [^a-zA-Z0-9_.-]+.
func groovyHarmless(n *groovyNode) bool {
	if n == nil || n.Kind != groovyString || len(n.Exprs) > 0 {
		return false
	}
	p := strings.TrimRight(n.Text.Value, "+*")
	p = strings.Trim(p, "()")
	if p == `\W` {
		return true
	}
	set, ok := strings.CutPrefix(p, "[^")
	if !ok || !strings.HasSuffix(set, "]") {
		return false
	}
	set = set[:len(set)-1]
	for _, r := range []string{"a-z", "A-Z", "0-9", `\w`, `\d`, `\-`, `\.`} {
		set = strings.ReplaceAll(set, r, "")
	}
	return strings.Trim(set, "_.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// JenkinsOrigin is something that an expression's text comes from.
type JenkinsOrigin struct {
	// Path is a variable that the pipeline does not set, or the result of a call.
	Path string
	// Output is the script whose output it is; nil for anything else.
	Output *Step
	// Credential is the one that the variable holds; nil for anything else.
	Credential *Credential
	// Through are the assignments on the way, the last first.
	Through []penstock.Span
}

// JenkinsValues follows the variables of one pipeline. It remembers what it has read
// and is not for several goroutines at a time.
type JenkinsValues struct {
	p     *Pipeline
	sets  map[string][]jenkinsSet
	paths map[penstock.Span][]ContextPath
}

// of are the paths of one part of a text of the pipeline.
func (v *JenkinsValues) of(t Text, p Interpolation) []ContextPath {
	out, ok := v.paths[p.Span]
	if !ok {
		out = JenkinsTextPaths(t.Source(p))
		v.paths[p.Span] = out
	}
	return out
}

// jenkinsSet is a step that sets a variable; partial, if only a part of it.
type jenkinsSet struct {
	job, step int
	partial   bool
}

// NewJenkinsValues indexes what a pipeline sets.
func NewJenkinsValues(p *Pipeline) *JenkinsValues {
	v := &JenkinsValues{p: p, sets: map[string][]jenkinsSet{}, paths: map[penstock.Span][]ContextPath{}}
	for j := range p.Jobs {
		for s := range p.Jobs[j].Steps {
			if set := p.Jobs[j].Steps[s].Set; set != nil {
				name := set.Name.Value
				v.sets[name] = append(v.sets[name], jenkinsSet{j, s, false})
				// x[i] = ..., x.y = ... are in x.
				if i := strings.IndexAny(name, ".["); i > 0 && name[:i] != "env" && name[:i] != "params" && name[:i] != "currentBuild" {
					v.sets[name[:i]] = append(v.sets[name[:i]], jenkinsSet{j, s, true})
				}
			}
		}
	}
	return v
}

// Origins are what the text of an expression comes from that stands in a step of a
// job: assignments before it and environments around it are followed. Whatever is
// set under a condition leaves what was set before possible. Cost: at most
// jenkinsMaxOrigins assignments.
func (v *JenkinsValues) Origins(job, step int, source string) []JenkinsOrigin {
	w := jenkinsWalk{v: v, seen: map[jenkinsSeen]bool{}}
	for _, p := range JenkinsTextPaths(source) {
		w.path(job, step, p.Name, nil)
	}
	return w.out
}

// Variable are the origins of a variable of the environment, as a script sees it.
func (v *JenkinsValues) Variable(job, step int, name string) []JenkinsOrigin {
	w := jenkinsWalk{v: v, seen: map[jenkinsSeen]bool{}}
	w.path(job, step, "env."+name, nil)
	return w.out
}

const jenkinsMaxOrigins = 500

type jenkinsSeen struct {
	job, step int
	name      string
}

type jenkinsWalk struct {
	v     *JenkinsValues
	seen  map[jenkinsSeen]bool
	out   []JenkinsOrigin
	count int
}

func (w *jenkinsWalk) path(job, step int, path string, through []penstock.Span) {
	w.count++
	key := jenkinsSeen{job, step, path}
	if w.seen[key] || w.count > jenkinsMaxOrigins || len(through) > 50 || job >= len(w.v.p.Jobs) {
		return
	}
	w.seen[key] = true
	j := &w.v.p.Jobs[job]
	name, isEnv := strings.CutPrefix(path, "env.")
	if c := w.credential(j, step, name); c != nil {
		w.out = append(w.out, JenkinsOrigin{Path: path, Credential: c, Through: through})
		return
	}
	// An environment around the step counts before what env.X = ... set.
	if strings.IndexByte(name, '.') < 0 && step < len(j.Steps) && w.environment(j.Steps[step].Env, job, step, name, through) {
		return
	}
	names := []string{path}
	if !isEnv {
		// x.y.z comes from x, and a name alone may be one of the environment.
		for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
			names = append(names, path[:i])
		}
		names = append(names, "env."+path)
	}
	for _, n := range names {
		if w.assigned(job, step, n, through) {
			return
		}
	}
	if w.environment(j.Env, job, step, name, through) || w.environment(w.v.p.Env, job, step, name, through) {
		return
	}
	w.out = append(w.out, JenkinsOrigin{Path: path, Through: through})
}

// assigned follows what a name was last set to, and reports whether that is all that
// it can hold.
func (w *jenkinsWalk) assigned(job, step int, name string, through []penstock.Span) bool {
	sets := w.v.sets[name]
	gates := 0
	if step < len(w.v.p.Jobs[job].Steps) {
		gates = len(w.v.p.Jobs[job].Steps[step].Clauses)
	}
	before := sort.Search(len(sets), func(i int) bool { return sets[i].job > job || sets[i].job == job && sets[i].step >= step })
	for i := before - 1; i >= 0; i-- {
		s := sets[i]
		w.count++
		st := &w.v.p.Jobs[s.job].Steps[s.step]
		way := append(slices.Clip(through), st.Span)
		if st.Run.IsSet() {
			w.out = append(w.out, JenkinsOrigin{Path: name, Output: st, Through: way})
		} else {
			st.Set.Value.Texts(func(t Text) {
				for _, p := range t.Parts {
					for _, c := range w.v.of(t, p) {
						w.path(s.job, s.step, c.Name, way)
					}
				}
			})
		}
		// Set in the same branch, or in none at all.
		if s.partial {
			continue
		}
		if len(st.Clauses) == 0 && (s.job == job || len(w.v.p.Jobs[s.job].Clauses) == 0) || s.job == job && sameClauses(st.Clauses, w.v.p.Jobs[job].Steps[min(step, len(w.v.p.Jobs[job].Steps)-1)].Clauses) && gates > 0 {
			return true
		}
		if w.count > jenkinsMaxOrigins {
			return true
		}
	}
	return false
}

// sameClauses reports whether the clauses of a step are the first of another's.
func sameClauses(a, b []Clause) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if a[i].Span != b[i].Span || a[i].Not != b[i].Not {
			return false
		}
	}
	return true
}

// environment follows a variable of an environment.
func (w *jenkinsWalk) environment(d Data, job, step int, name string, through []penstock.Span) bool {
	for i := len(d.Fields) - 1; i >= 0; i-- {
		f := d.Fields[i]
		if f.Name.Value != name {
			continue
		}
		way := append(slices.Clip(through), f.Value.Span)
		f.Value.Texts(func(t Text) {
			for _, p := range t.Parts {
				for _, c := range w.v.of(t, p) {
					if c.Name != name && c.Name != "env."+name {
						w.path(job, step, c.Name, way)
					} else {
						w.out = append(w.out, JenkinsOrigin{Path: c.Name, Through: way})
					}
				}
			}
		})
		return true
	}
	return false
}

// credential is the one that a variable holds in a step.
func (w *jenkinsWalk) credential(j *Job, step int, name string) *Credential {
	find := func(all []Credential) *Credential {
		for i := len(all) - 1; i >= 0; i-- {
			for _, v := range all[i].Variables {
				if v.Value == name {
					return &all[i]
				}
			}
		}
		return nil
	}
	if step < len(j.Steps) {
		if c := find(j.Steps[step].Credentials); c != nil {
			return c
		}
	}
	return find(j.Credentials)
}
