package pipeline

import (
	"slices"
	"strings"

	"penstock"
)

// runnerLabel is a label that a job asks for.
type runnerLabel struct {
	text string
	span penstock.Span
}

// runnerWish is a set of labels of which a runner must have all.
type runnerWish []runnerLabel

// defaultLabels are those that the software of a runner of one's own gives itself. No
// hosted runner has one of them.
// https://docs.github.com/en/actions/reference/runners/self-hosted-runners
var defaultLabels = []string{"x64", "arm", "arm64", "linux", "windows", "macos"}

// serviceLabels begin the labels by which services and controllers are asked for a
// machine that lives for one job.
var serviceLabels = []string{"runs-on", "runner=", "blacksmith-", "depot-", "namespace-", "nscloud-", "warp-", "buildjet-", "ubicloud", "cirun-", "actuated", "codebuild-", "1es.pool=", "garm-"}

// own reports whether the labels ask for a runner of one's own, by what GitHub and its
// users call one, and not for a machine that is made for the job.
func (w runnerWish) own() bool {
	own := false
	for _, l := range w {
		text := strings.ToLower(strings.TrimSpace(l.text))
		if len(text) > 256 {
			continue
		}
		if slices.ContainsFunc(serviceLabels, func(s string) bool { return strings.HasPrefix(text, s) }) {
			return false
		}
		own = own || slices.Contains(defaultLabels, text)
		words := strings.FieldsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		for i, word := range words {
			named := word == "selfhosted" || word == "self" && i+1 < len(words) && words[i+1] == "hosted"
			switch {
			case word == "ephemeral":
				return false
			case named && (i == 0 || words[i-1] != "non" && words[i-1] != "not" && words[i-1] != "no"):
				own = true
			}
		}
	}
	return own
}

// Bounds of what is looked at for one job.
const (
	maxWishes     = 64
	maxRunnerWork = 2000
)

// wishReader finds what runners a job may ask for: of expressions all that they may come
// to.
type wishReader struct {
	j   *Job
	env *Environment
	// may says whether the person that matters can make a condition true; nil for anyone.
	may  func(n *ExprNode, in Text, base int64) bool
	left int
}

// wishesOf are the runners that a job may ask for, whoever causes the run.
func wishesOf(j *Job) []runnerWish {
	r := wishReader{j: j, env: &Environment{}, left: maxRunnerWork}
	return r.wishes()
}

// wishesOf are the runners that a job may ask for in a run by the entry.
func (x *Project) wishesOf(p *Pipeline, e *Entry, j *Job) []runnerWish {
	r := wishReader{j: j, env: e.Env, left: maxRunnerWork}
	if e.Env == nil {
		r.env = &Environment{}
	}
	if e.Outsider() && p.Forge == GitHub {
		r.may = func(n *ExprNode, in Text, base int64) bool {
			a := &asker{x: x, p: p, e: e, j: j, step: -1, env: r.env, text: in, base: base}
			truth, gates := a.ask(n, true)
			return truth != False && Open(gates)
		}
	}
	return r.wishes()
}

func (r *wishReader) wishes() []runnerWish {
	var fixed runnerWish
	var open [][]runnerWish
	for _, l := range r.j.RunsOn.Labels {
		if len(l.Parts) == 0 {
			fixed = append(fixed, runnerLabel{l.Value, l.Span})
			continue
		}
		if madeForRun(l) {
			return nil
		}
		open = append(open, r.text(l, l.Span, 0))
	}
	all := []runnerWish{fixed}
	for _, alternatives := range open {
		if len(alternatives) == 0 {
			continue
		}
		var next []runnerWish
		for _, w := range all {
			for _, a := range alternatives {
				if len(next) < maxWishes {
					next = append(next, append(w[:len(w):len(w)], a...))
				}
			}
		}
		all = next
	}
	return all
}

// madeForRun reports whether a label names the run: a runner that has it was started for
// it.
func madeForRun(l Text) bool {
	return slices.ContainsFunc(l.Parts, func(i Interpolation) bool { return strings.Contains(strings.ToLower(l.Source(i)), "github.run_id") })
}

// text is what a text with expressions may come to.
func (r *wishReader) text(t Text, span penstock.Span, depth int) []runnerWish {
	parts := ParseTemplate(t.Value).Parts
	if len(parts) == 1 && parts[0].IsExpression {
		if parts[0].Err != nil || depth > maxEnvLevels {
			return nil
		}
		return r.node(parts[0].Expression.Root, t, parts[0].Inner, span, depth)
	}
	all := []string{""}
	for _, p := range parts {
		say := []string{p.Text}
		if p.IsExpression {
			say = []string{"*"}
			if p.Err == nil && depth <= maxEnvLevels {
				if given := r.node(p.Expression.Root, t, p.Inner, span, depth); len(given) > 0 {
					say = nil
					for _, w := range given {
						if len(w) == 1 {
							say = append(say, w[0].text)
						}
					}
				}
			}
		}
		var next []string
		for _, a := range all {
			for _, s := range say {
				if len(next) < maxWishes && len(a)+len(s) < 1024 {
					next = append(next, a+s)
				}
			}
		}
		all = next
	}
	var out []runnerWish
	for _, s := range all {
		out = append(out, runnerWish{{s, span}})
	}
	return out
}

// given are the labels of a value that is known.
func given(v Value, span penstock.Span) runnerWish {
	var out runnerWish
	switch v.Kind() {
	case KindArray:
		for _, item := range *v.array {
			if s, known := item.Text(); known && len(out) < maxWishes {
				out = append(out, runnerLabel{s, span})
			}
		}
	case KindObject:
		if labels, ok := v.member("labels"); ok {
			return given(labels, span)
		}
	default:
		if s, known := v.Text(); known && s != "" {
			out = append(out, runnerLabel{s, span})
		}
	}
	return out
}

// node is what an expression may come to.
func (r *wishReader) node(n *ExprNode, t Text, base int64, span penstock.Span, depth int) []runnerWish {
	if r.left--; n == nil || r.left < 0 {
		return nil
	}
	v := Expression{Root: n}.Evaluate(r.env)
	if v.Known() {
		if w := given(v, span); len(w) > 0 {
			return []runnerWish{w}
		}
		return nil
	}
	var out []runnerWish
	add := func(more []runnerWish) {
		out = append(out, more[:min(len(more), maxWishes-len(out))]...)
	}
	holds := func(n *ExprNode) bool {
		return Expression{Root: n}.Evaluate(r.env).Truth() != False && (r.may == nil || r.may(n, t, base))
	}
	switch n.Kind {
	case ExprOr:
		for _, arg := range n.Args {
			add(r.node(arg, t, base, span, depth))
			if (Expression{Root: arg}).Evaluate(r.env).Truth() == True {
				break
			}
		}
	case ExprAnd:
		for _, arg := range n.Args[:len(n.Args)-1] {
			if !holds(arg) {
				return nil
			}
		}
		add(r.node(n.Args[len(n.Args)-1], t, base, span, depth))
	case ExprIndex:
		if list := (Expression{Root: n.Args[0]}).Evaluate(r.env); list.Kind() == KindArray {
			for _, item := range *list.array {
				if w := given(item, span); len(w) > 0 {
					add([]runnerWish{w})
				}
			}
		}
	case ExprCall:
		switch n.Name {
		case "case":
			for i := 0; i+1 < len(n.Args); i += 2 {
				if holds(n.Args[i]) {
					add(r.node(n.Args[i+1], t, base, span, depth))
				}
			}
			if len(n.Args)%2 == 1 {
				add(r.node(n.Args[len(n.Args)-1], t, base, span, depth))
			}
		case "fromjson":
			if len(n.Args) != 1 {
				break
			}
			for _, w := range r.node(n.Args[0], t, base, span, depth) {
				for _, l := range w {
					list := &ExprNode{Kind: ExprCall, Name: "fromjson", Args: []*ExprNode{{Kind: ExprLiteral, Value: String(l.text)}}}
					if read := given((Expression{Root: list}).Evaluate(r.env), l.span); len(read) > 0 {
						add([]runnerWish{read})
					}
				}
			}
		case "format":
			if len(n.Args) > 0 && n.Args[0].Kind == ExprLiteral {
				add([]runnerWish{{{n.Args[0].Value.text(), span}}})
			}
		}
	case ExprMember, ExprContext, ExprFilter:
		if path, ok := pathOf(n); ok && strings.HasPrefix(path, "matrix.") {
			add(r.matrix(splitPath(path)[1:], span, depth))
		}
	}
	return out
}

// matrix are the values that a member of the matrix can have. What is said of another
// axis in the same item is not kept apart.
func (r *wishReader) matrix(path []string, span penstock.Span, depth int) []runnerWish {
	if len(path) == 0 || depth > maxEnvLevels {
		return nil
	}
	var out []runnerWish
	one := func(d Data) {
		for _, name := range path[1:] {
			d = d.Get(name)
		}
		if labels := d.Get("labels"); labels.Kind != DataNone {
			d = labels
		}
		if d.Kind == DataScalar {
			if len(d.Text.Parts) > 0 {
				out = append(out, r.text(d.Text, span, depth+1)...)
			} else if d.Text.Value != "" {
				out = append(out, runnerWish{{d.Text.Value, span}})
			}
			return
		}
		var w runnerWish
		for _, item := range d.Items {
			if item.Kind == DataScalar && len(w) < maxWishes {
				w = append(w, runnerLabel{item.Text.Value, span})
			}
		}
		if len(w) > 0 {
			out = append(out, w)
		}
	}
	m := r.j.Strategy.Get().Matrix
	for _, item := range m.Get(path[0]).Items {
		if len(out) < maxWishes {
			one(item)
		}
	}
	for _, item := range m.Get("include").Items {
		if d := item.Get(path[0]); len(out) < maxWishes && d.Kind != DataNone {
			one(d)
		}
	}
	return out[:min(len(out), maxWishes)]
}

// ownMachine reports whether a job runs on a runner that the owner keeps.
func ownMachine(p *Pipeline, j *Job) bool {
	if p.Forge != GitHub {
		return slices.ContainsFunc(j.RunsOn.Labels, func(l Text) bool { return strings.EqualFold(l.Value, "self-hosted") }) || j.RunsOn.Group.IsSet()
	}
	return j.RunsOn.Group.IsSet() || slices.ContainsFunc(wishesOf(j), runnerWish.own)
}
