package pipeline

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"penstock"
	"penstock/internal/syntax"
)

// detectGitLab says what a file is to GitLab. The configuration of a project can lie
// anywhere by a setting; what has another name than the usual is not seen.
func detectGitLab(dir, name string) Kind {
	stem, yml := strings.CutSuffix(name, ".yml")
	if !yml {
		stem, yml = strings.CutSuffix(name, ".yaml")
	}
	if !yml {
		return KindNone
	}
	folders := strings.FieldsFunc(dir, func(r rune) bool { return r == '/' || r == ':' || r == '!' })
	last := ""
	if len(folders) > 0 {
		last = folders[len(folders)-1]
	}
	// A component is templates/NAME.yml or templates/NAME/template.yml.
	component := strings.HasSuffix(name, ".yml") && (last == "templates" || stem == "template" && len(folders) > 1 && folders[len(folders)-2] == "templates")
	switch {
	case slices.Contains(folders, ".gitlab") || slices.Contains(folders, ".gitlab-ci") || component:
		return KindGitLabPart
	case strings.HasSuffix(stem, ".gitlab-ci"):
		return KindGitLab
	}
	return KindNone
}

// ParseGitLab reads one file of GitLab CI/CD as it stands: what it includes, extends
// and refers to is named and not looked at. See MergeGitLab for what runs.
//
// It never fails: what it does not understand is in Notes and Extra. b must not
// change while the result is in use. The cost is linear in the size of the file,
// aliases counted as often as they are used up to the budget of syntax.ReadYAML.
func ParseGitLab(file string, b []byte) *Pipeline {
	kind := Detect(file)
	if kind != KindGitLabPart {
		kind = KindGitLab
	}
	g := gitlab{newReader(GitLab, file, kind, b, gitlabExpressions), nil}
	g.merges = true
	header, body := g.documents(g.y, g.p)
	if bytes.Contains(b, []byte("<<")) {
		body = (&mergeKeys{r: g.reader, done: map[*syntax.Node]*syntax.Node{}}).node(body)
	}
	g.header(header)
	g.file(body)
	for _, jobs := range [][]Job{g.p.Jobs, g.p.Templates} {
		for i := range jobs {
			jobs[i].Incomplete = len(jobs[i].Extends) > 0
		}
	}
	g.p.Triggers = gitlabTriggers(g.p)
	return g.p
}

// gitlabExpressions finds $[[ ]], which is put in before a pipeline is made, and
// ${{ }}, which is put in before a job or a step of "run" starts. Variables are no
// expressions: a shell, or the forge, expands them.
func gitlabExpressions(text string) []Interpolation {
	var out []Interpolation
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '$')
		if i < 0 {
			return out
		}
		from := at + i
		end := ""
		switch rest := text[from:]; {
		case strings.HasPrefix(rest, "$[["):
			end = "]]"
		case strings.HasPrefix(rest, "${{"):
			end = "}}"
		default:
			at = from + 1
			continue
		}
		p := Interpolation{From: from, Inner: from + 3, InnerTo: len(text), To: len(text), Open: true}
		if n := strings.Index(text[p.Inner:], end); n >= 0 {
			p.InnerTo, p.To, p.Open = p.Inner+n, p.Inner+n+len(end), false
		}
		out = append(out, p)
		at = p.To
	}
}

// gitlab is the front end of GitLab CI/CD. The keys are those of
// https://docs.gitlab.com/ci/yaml/ as of 18.x.
type gitlab struct {
	*reader
	// commentAt finds the comment behind a place; nil means those of the only file.
	commentAt func(int64) *syntax.Comment
}

// documents takes a file apart into the header, which declares inputs, and the rest.
func (g gitlab) documents(y *syntax.YAML, p *Pipeline) (header, body *syntax.Node) {
	docs := y.Documents
	if len(docs) == 0 {
		return nil, nil
	}
	p.Span = penstock.Span{Start: docs[0].Span.Start, End: docs[0].Span.End}
	body = docs[0]
	if body.Get("spec") != nil && len(body.Entries) == 1 {
		header, body = body, nil
		if docs = docs[1:]; len(docs) > 0 {
			body = docs[0]
			p.Span.End = body.Span.End
		}
	}
	if len(docs) > 1 {
		g.note(NoteSyntax, docs[1].Span, docs[0].Span, "more than one YAML document")
	}
	return header, body
}

// header reads what stands before the pipeline: spec.
func (g gitlab) header(n *syntax.Node) {
	if n == nil {
		return
	}
	g.fields(n, &g.p.Extra, func(key string, e syntax.Entry) bool { return key == "spec" && g.spec(e) })
}

func (g gitlab) spec(e syntax.Entry) bool {
	p := g.p
	g.fields(e.Value, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "inputs":
			return g.each(e, func(name Text, e syntax.Entry) {
				in := Input{Name: name, Span: whole(e)}
				g.fields(e.Value, &in.Extra, func(key string, e syntax.Entry) bool {
					single := e.Value.Kind == syntax.Scalar
					switch key {
					case "default":
						return single && g.text(&in.Default, e)
					case "description":
						return g.text(&in.Description, e)
					case "type":
						return g.text(&in.Type, e)
					case "options":
						return g.texts(&in.Options, e)
					}
					return false // also regex and rules
				})
				p.Inputs = append(p.Inputs, in)
			})
		case "include":
			return g.includes(&p.Includes, e)
		}
		return false
	})
	return true
}

// gitlabDefaults are the keys that "default" gives to jobs. Some may stand at the top
// of the file, too.
var gitlabDefaults = [...]string{
	"image", "services", "before_script", "after_script", "cache", "artifacts", "tags", "timeout", "retry", "interruptible", "id_tokens", "hooks", "identity",
}

const gitlabGlobals = 5 // so many of gitlabDefaults may stand at the top

// defaults joins the keys at the top of a file with those under "default".
func gitlabDefault(root *syntax.Node) *syntax.Node {
	out := &syntax.Node{Kind: syntax.Mapping, Tag: "!!map"}
	for _, e := range root.Entries {
		if e.Key.Kind == syntax.Scalar && slices.Contains(gitlabDefaults[:gitlabGlobals], e.Key.Value) {
			out.Entries = append(out.Entries, e)
			out.Span = e.Value.Span
		}
	}
	if n := root.Get("default"); n != nil && n.Kind == syntax.Mapping {
		out.Entries = append(out.Entries, n.Entries...)
		out.Span = placeOf(n)
	}
	return out
}

// file reads a whole file, or one that others were merged into.
func (g gitlab) file(n *syntax.Node) {
	if n == nil {
		return
	}
	p := g.p
	if d := gitlabDefault(n); len(d.Entries) > 0 {
		p.Default = &Job{Span: d.Span}
		g.job(p.Default, d)
	}
	jobs, templates := 0, 0
	for _, e := range n.Entries {
		if isGitLabJob(e) {
			if strings.HasPrefix(e.Key.Value, ".") {
				templates++
			} else {
				jobs++
			}
		}
	}
	// A job is large: growing the lists would copy them.
	p.Jobs, p.Templates = make([]Job, 0, jobs), make([]Job, 0, templates)
	g.fields(n, &p.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "spec":
			return g.spec(e)
		case "stages", "types":
			return g.texts(&p.Stages, e)
		case "variables":
			return g.vars(&p.Env, e)
		case "include":
			return g.includes(&p.Includes, e)
		case "workflow":
			g.fields(e.Value, &p.Extra, func(key string, e syntax.Entry) bool {
				switch key {
				case "name":
					return g.text(&p.RunName, e)
				case "rules":
					return g.rules(&p.Rules, &p.RulesSpan, e)
				}
				return false
			})
			return true
		case "default":
			return e.Value.IsNull() || e.Value.Kind == syntax.Mapping
		}
		if slices.Contains(gitlabDefaults[:gitlabGlobals], key) {
			return true
		}
		if e.Value.Kind != syntax.Mapping || g.left == 0 {
			if e.Value.Kind != syntax.Mapping && !strings.HasPrefix(key, ".") {
				g.wrong(e.Value, "a job is expected here")
			}
			return false
		}
		to := &p.Jobs
		if strings.HasPrefix(key, ".") {
			to = &p.Templates
		}
		*to = append(*to, Job{ID: g.scalar(penstock.Span{}, e.Key), Span: whole(e)})
		g.job(&(*to)[len(*to)-1], e.Value)
		return true
	})
}

// entry is whether a key of a job was there, and its value.
type entry struct {
	syntax.Entry
	key string
}

func (g gitlab) job(j *Job, n *syntax.Node) {
	var hook, before, script, after entry
	var needs []Download
	var dependencies *syntax.Entry
	g.fields(n, &j.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "before_script":
			before = entry{e, key}
		case "script":
			script = entry{e, key}
		case "after_script":
			after = entry{e, key}
		case "hooks":
			g.fields(e.Value, &j.Extra, func(key string, e syntax.Entry) bool {
				if key != "pre_get_sources_script" {
					return false
				}
				hook = entry{e, key}
				return true
			})
		case "run":
			return g.list(e, func(n *syntax.Node) { g.runStep(&j.Steps, n) })
		case "stage":
			return g.text(&j.Stage, e)
		case "extends":
			return g.texts(&j.Extends, e)
		case "image":
			return g.container(j.Container.Make(), e.Value, penstock.Span{})
		case "services":
			return g.items(e, 0, func(n *syntax.Node) {
				var s Service
				if !g.container(&s.Container, n, placeOf(e.Key)) {
					j.Extra = append(j.Extra, Field{Value: g.data(placeOf(e.Key), n)})
					return
				}
				if alias := n.Get("alias"); alias != nil && alias.Kind == syntax.Scalar {
					s.Name = g.scalar(penstock.Span{}, alias)
				}
				j.Services = append(j.Services, s)
			})
		case "variables":
			return g.vars(&j.Env, e)
		case "rules":
			return g.rules(&j.Rules, &j.RulesSpan, e)
		case "only":
			return g.filter(j.Only.Make(), e)
		case "except":
			return g.filter(j.Except.Make(), e)
		case "when":
			return g.text(j.When.Make(), e)
		case "allow_failure":
			return e.Value.Kind == syntax.Scalar && g.text(j.ContinueOnError.Make(), e)
		case "timeout":
			return g.text(j.Timeout.Make(), e)
		case "resource_group":
			j.Concurrency.Make().Span = placeOf(e.Value)
			return g.text(&j.Concurrency.Make().Group, e)
		case "environment":
			return github{g.reader}.environment(j.Environment.Make(), e)
		case "tags":
			j.RunsOn.Span = placeOf(e.Value)
			return g.texts(&j.RunsOn.Labels, e)
		case "needs":
			j.DownloadsSet = true
			return g.needs(j, &needs, e)
		case "dependencies":
			if e.Value.IsNull() {
				return true
			}
			dependencies = &e
		case "artifacts":
			return g.artifacts(j, e)
		case "cache":
			return g.items(e, 0, func(n *syntax.Node) { g.cache(j, placeOf(e.Key), n) })
		case "id_tokens":
			return g.each(e, func(name Text, e syntax.Entry) {
				t := Token{Name: name}
				g.fields(e.Value, &t.Extra, func(key string, e syntax.Entry) bool { return key == "aud" && g.texts(&t.Audience, e) })
				j.Tokens = append(j.Tokens, t)
			})
		case "secrets":
			return g.any(j.Secrets.Make(), e)
		case "inherit":
			return g.any(j.Inherit.Make(), e)
		case "parallel":
			if e.Value.Kind != syntax.Mapping {
				j.Strategy.Make().Extra = append(j.Strategy.Make().Extra, g.field(e))
				return true
			}
			g.fields(e.Value, &j.Strategy.Make().Extra, func(key string, e syntax.Entry) bool { return key == "matrix" && g.any(&j.Strategy.Make().Matrix, e) })
		case "trigger":
			return g.trigger(j, e)
		default:
			return false // also coverage, retry, release, pages, interruptible, inputs
		}
		return true
	})
	j.Downloads = needs
	if dependencies != nil {
		g.dependencies(j, *dependencies)
	}
	steps := j.Steps
	j.Steps = nil
	g.script(j, StepHook, hook)
	g.script(j, StepScript, before, script)
	j.Steps = append(j.Steps, steps...)
	g.script(j, StepAfter, after)
}

// script makes one step of the lists of commands that one shell runs.
func (g gitlab) script(j *Job, phase StepPhase, from ...entry) {
	s := Step{Phase: phase}
	var lines []*syntax.Node
	for _, e := range from {
		if e.Value == nil || e.Value.IsNull() {
			continue
		}
		// The script itself names the step, and not what stands before it.
		s.Span = whole(e.Entry)
		s.Run.Span, s.Run.Key, s.Run.Alias = e.Value.Span, placeOf(e.Key), e.Value.AliasSpan
		take := func(n *syntax.Node) {
			if n.Kind == syntax.Scalar {
				lines = append(lines, n)
				return
			}
			g.wrong(n, "a command is expected here: one with a colon and a space must stand in quotes")
			f := Field{Value: g.data(placeOf(e.Key), n)}
			f.Name.Value = e.key
			s.Extra = append(s.Extra, f)
		}
		if e.Value.Kind == syntax.Scalar {
			take(e.Value)
		} else {
			g.items(e.Entry, 0, take)
		}
	}
	if s.Span.End == 0 {
		return
	}
	switch len(lines) {
	case 0:
	case 1:
		s.Run.Text = g.scalar(s.Run.Key, lines[0])
	default:
		s.Run.Text = g.join(s.Run.Text, lines)
	}
	j.Steps = append(j.Steps, s)
}

// join makes one text of several, a line each.
func (g gitlab) join(t Text, lines []*syntax.Node) Text {
	var value strings.Builder
	for i, n := range lines {
		if !g.spend(1 + len(n.Value)/scalarUnit) {
			break
		}
		if i > 0 {
			at := int(lines[i-1].Span.End)
			var newline syntax.TextMap
			newline.Add(1, at, at)
			t.Map.Join(newline)
			value.WriteByte('\n')
		}
		if n.IsNull() {
			continue
		}
		value.WriteString(n.Value)
		t.Map.Join(n.Map)
	}
	t.Value = value.String()
	t.Parts = g.find(t.Value)
	for i := range t.Parts {
		t.Parts[i].Span = t.At(t.Parts[i].From, t.Parts[i].To)
	}
	return t
}

// referenceTag marks a list that is the way to a value of another job.
const referenceTag = "!reference"

// maxNested is how deep lists within lists are flattened, as GitLab does it.
const maxNested = 10

// items offers every item of a list, and of the lists in it; a value that is no list
// is the only item. A reference that is not resolved is an item.
func (g gitlab) items(e syntax.Entry, depth int, take func(n *syntax.Node)) bool {
	n := e.Value
	switch {
	case n.IsNull():
		return true
	case n.Kind != syntax.Sequence || n.Tag == referenceTag || depth > maxNested:
		take(n)
		return true
	}
	for _, c := range n.Items {
		if !g.spend(1) {
			return true
		}
		if c.Kind == syntax.Sequence {
			g.items(syntax.Entry{Key: e.Key, Value: c}, depth+1, take)
		} else {
			take(c)
		}
	}
	return true
}

// texts takes a single value or a list of them, flattened.
func (g gitlab) texts(to *[]Text, e syntax.Entry) bool {
	good := true
	key := placeOf(e.Key)
	g.items(e, 0, func(n *syntax.Node) {
		if n.Kind == syntax.Scalar {
			*to = append(*to, g.scalar(key, n))
		} else {
			good = g.wrong(n, "a single value is expected here")
		}
	})
	return good
}

// vars takes variables. One that is written as a map is its value.
func (g gitlab) vars(to *Data, e syntax.Entry) bool {
	if e.Value.Kind != syntax.Mapping {
		return e.Value.IsNull() || g.wrong(e.Value, "a map of names is expected here")
	}
	g.any(to, e)
	for i := range to.Fields {
		v := &to.Fields[i].Value
		if v.Kind != DataMap {
			continue
		}
		whole := *v
		*v = Data{Kind: DataScalar, Span: whole.Span, Key: whole.Key}
		for _, f := range whole.Fields {
			if f.Name.Value == "value" && f.Value.Kind == DataScalar {
				v.Text = f.Value.Text
				continue
			}
			v.Fields = append(v.Fields, f)
		}
	}
	return true
}

func (g gitlab) rules(to *[]Rule, span *penstock.Span, e syntax.Entry) bool {
	if e.Value.IsNull() {
		return true
	}
	if e.Value.Kind != syntax.Sequence {
		return g.wrong(e.Value, "a list of rules is expected here")
	}
	*span = placeOf(e.Value)
	return g.items(e, 0, func(n *syntax.Node) {
		r := Rule{Span: placeOf(n)}
		if n.Kind != syntax.Mapping {
			g.wrong(n, "a rule is expected here")
			r.Extra = append(r.Extra, Field{Value: g.data(placeOf(e.Key), n)})
		} else {
			g.fields(n, &r.Extra, func(key string, e syntax.Entry) bool { return g.rule(&r, key, e) })
		}
		*to = append(*to, r)
	})
}

func (g gitlab) rule(r *Rule, key string, e syntax.Entry) bool {
	paths := func(to *[]Text) bool {
		if e.Value.Kind != syntax.Mapping {
			return g.texts(to, e)
		}
		g.fields(e.Value, &r.Extra, func(key string, e syntax.Entry) bool {
			switch key {
			case "paths":
				return g.texts(to, e)
			case "compare_to":
				return g.text(&r.CompareTo, e)
			}
			return false // also project and ref of exists
		})
		return true
	}
	switch key {
	case "if":
		return github{g.reader}.condition(&r.If, e)
	case "when":
		return g.text(&r.When, e)
	case "changes":
		return paths(&r.Changes)
	case "exists":
		return paths(&r.Exists)
	case "allow_failure":
		return e.Value.Kind == syntax.Scalar && g.text(&r.AllowFailure, e)
	case "variables":
		return g.vars(&r.Variables, e)
	}
	return false // also needs, interruptible, start_in, auto_cancel
}

func (g gitlab) filter(to *Filter, e syntax.Entry) bool {
	if e.Value.IsNull() {
		return true
	}
	to.Span = placeOf(e.Value)
	if e.Value.Kind != syntax.Mapping {
		return g.texts(&to.Refs, e)
	}
	g.fields(e.Value, &to.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "refs":
			return g.texts(&to.Refs, e)
		case "variables":
			return g.texts(&to.Variables, e)
		case "changes":
			return g.texts(&to.Changes, e)
		case "kubernetes":
			return g.text(&to.Kubernetes, e)
		}
		return false
	})
	return true
}

// container takes the image of a job or a service.
func (g gitlab) container(to *Container, n *syntax.Node, key penstock.Span) bool {
	if n.IsNull() {
		return true
	}
	to.Span = placeOf(n)
	switch n.Kind {
	case syntax.Scalar:
		to.Image = g.scalar(key, n)
		return true
	case syntax.Mapping:
		g.fields(n, &to.Extra, func(name string, e syntax.Entry) bool {
			switch name {
			case "name":
				return g.text(&to.Image, e)
			case "variables":
				return g.vars(&to.Env, e)
			case "alias":
				return e.Value.Kind == syntax.Scalar
			}
			return false // also entrypoint, command, docker, kubernetes, pull_policy
		})
		return true
	}
	return g.wrong(n, "an image is expected here")
}

func (g gitlab) needs(j *Job, to *[]Download, e syntax.Entry) bool {
	return g.items(e, 0, func(n *syntax.Node) {
		d := Download{Span: placeOf(n)}
		switch n.Kind {
		case syntax.Scalar:
			d.Job = g.scalar(placeOf(e.Key), n)
		case syntax.Mapping:
			g.fields(n, &d.Extra, func(key string, e syntax.Entry) bool {
				switch key {
				case "job":
					return g.text(&d.Job, e)
				case "project":
					return g.text(&d.Project, e)
				case "ref":
					return g.text(&d.Ref, e)
				case "pipeline":
					return g.text(&d.Pipeline, e)
				case "artifacts":
					return g.text(&d.Artifacts, e)
				case "optional":
					return g.text(&d.Optional, e)
				}
				return false // also parallel
			})
		default:
			g.wrong(n, "a job is expected here")
			d.Extra = append(d.Extra, Field{Value: g.data(placeOf(e.Key), n)})
		}
		if d.Job.IsSet() && !d.Project.IsSet() && !d.Pipeline.IsSet() {
			j.Needs = append(j.Needs, d.Job)
		}
		*to = append(*to, d)
	})
}

// dependencies limits the artifacts that the job takes from its own pipeline.
func (g gitlab) dependencies(j *Job, e syntax.Entry) {
	j.DownloadsSet = true
	var names []Text
	g.texts(&names, e)
	kept := j.Downloads[:0:0]
	for _, d := range j.Downloads {
		if d.Project.IsSet() || d.Pipeline.IsSet() || d.Job.Value == "" {
			kept = append(kept, d)
		}
	}
	for _, name := range names {
		kept = append(kept, Download{Span: name.Span, Job: name})
	}
	j.Downloads = kept
}

func (g gitlab) artifacts(j *Job, e syntax.Entry) bool {
	if e.Value.IsNull() {
		return true
	}
	a := Artifact{Span: placeOf(e.Value)}
	g.fields(e.Value, &a.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&a.Name, e)
		case "paths":
			return g.texts(&a.Paths, e)
		case "exclude":
			return g.texts(&a.Exclude, e)
		case "untracked":
			return g.text(&a.Untracked, e)
		case "when":
			return g.text(&a.When, e)
		case "access", "public":
			return g.text(&a.Access, e)
		case "expire_in":
			return g.text(&a.ExpireIn, e)
		case "reports":
			g.fields(e.Value, &a.Reports, func(key string, e syntax.Entry) bool { return key == "dotenv" && g.texts(&a.Dotenv, e) })
			return true
		}
		return false // also expose_as
	})
	j.Artifacts = append(j.Artifacts, a)
	return true
}

func (g gitlab) cache(j *Job, key penstock.Span, n *syntax.Node) {
	c := Cache{Span: placeOf(n)}
	if n.Kind != syntax.Mapping {
		g.wrong(n, "a cache is expected here")
		j.Extra = append(j.Extra, Field{Value: g.data(key, n)})
		return
	}
	g.fields(n, &c.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "key":
			if e.Value.Kind != syntax.Mapping {
				return g.text(&c.Key, e)
			}
			g.fields(e.Value, &c.Extra, func(key string, e syntax.Entry) bool {
				switch key {
				case "files", "files_commits":
					return g.texts(&c.KeyFiles, e)
				case "prefix":
					return g.text(&c.Prefix, e)
				}
				return false
			})
			return true
		case "fallback_keys":
			return g.texts(&c.Fallback, e)
		case "paths":
			return g.texts(&c.Paths, e)
		case "policy":
			return g.text(&c.Policy, e)
		case "when":
			return g.text(&c.When, e)
		case "untracked":
			return g.text(&c.Untracked, e)
		case "unprotect":
			return g.text(&c.Unprotect, e)
		}
		return false
	})
	j.Caches = append(j.Caches, c)
}

// runStep takes a step of "run".
func (g gitlab) runStep(to *[]Step, n *syntax.Node) {
	s := Step{Span: placeOf(n)}
	g.fields(n, &s.Extra, func(key string, e syntax.Entry) bool {
		switch key {
		case "name":
			return g.text(&s.Name, e)
		case "script":
			return g.text(&s.Run.Text, e)
		case "step", "func", "action":
			var t Text
			if e.Value.Kind != syntax.Scalar || !g.text(&t, e) {
				return false // a map with git or oci
			}
			s.Uses = gitlabStep(t)
			s.Uses.Comment = g.comment(t.Span.End)
			return true
		case "inputs":
			return g.any(&s.With, e)
		case "env":
			return g.variables(&s.Env, e)
		}
		return false
	})
	*to = append(*to, s)
}

// comment is the one behind a place.
func (g gitlab) comment(at int64) *syntax.Comment {
	if g.commentAt != nil {
		return g.commentAt(at)
	}
	return g.y.CommentAfter(at)
}

// gitlabStep takes apart where a step comes from: ./path, or host/group/project@ref with
// /-/folder before the reference.
func gitlabStep(t Text) Use {
	v := strings.TrimSpace(t.Value)
	if v == "." || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") {
		return Use{Text: t, Kind: UseLocal, Path: strings.TrimPrefix(v, "./")}
	}
	u := Use{Text: t, Kind: UseInvalid}
	name, ref, _ := strings.Cut(v, "@")
	name, u.Path, _ = strings.Cut(name, "/-/")
	u.Name, name, _ = strings.Cut(name, "/")
	u.Owner, u.Repo = splitProject(name)
	u.Ref, u.RefKind = ref, gitlabRefKind(ref)
	switch {
	case strings.Contains(name, "$"):
		u.Kind = UseExpression
	case u.Owner != "" && u.Repo != "":
		u.Kind = UseRemote
	}
	return u
}

// gitlabComponent takes apart host/group/project/component@version.
func gitlabComponent(t Text) Use {
	u := Use{Text: t, Kind: UseInvalid}
	name, ref, _ := strings.Cut(strings.TrimSpace(t.Value), "@")
	host, rest, _ := strings.Cut(name, "/")
	project, component := path.Split(rest)
	u.Name, u.Path = host, component
	u.Owner, u.Repo = splitProject(strings.TrimSuffix(project, "/"))
	u.Ref, u.RefKind = ref, gitlabRefKind(ref)
	switch {
	case u.Owner != "" && u.Repo != "":
		u.Kind = UseRemote
	case strings.Contains(name, "$"):
		u.Kind = UseExpression
	}
	return u
}

// splitProject cuts the path of a project: groups may lie in groups.
func splitProject(p string) (group, project string) {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i], p[i+1:]
	}
	return "", p
}

// gitlabRefKind says what a reference looks like. A component's version may be
// part of one, 1 or 1.2, or ~latest: those are tags and branches that move.
func gitlabRefKind(ref string) RefKind {
	switch {
	case ref == "":
		return RefNone
	case strings.Contains(ref, "$"):
		return RefExpression
	}
	return refKind(ref)
}

// gitlabProject is a project that a pipeline uses.
func gitlabProject(t Text, version Text) Use {
	u := Use{Text: t, Kind: UseRemote, Ref: version.Value, RefKind: gitlabRefKind(version.Value)}
	u.Owner, u.Repo = splitProject(strings.Trim(t.Value, "/ "))
	if strings.Contains(t.Value, "$") {
		u.Kind = UseExpression
	}
	return u
}

func (g gitlab) trigger(j *Job, e syntax.Entry) bool {
	d := &Downstream{Span: placeOf(e.Value)}
	switch e.Value.Kind {
	case syntax.Scalar:
		if e.Value.IsNull() {
			return true
		}
		g.text(&d.Project, e)
	case syntax.Mapping:
		g.fields(e.Value, &d.Extra, func(key string, e syntax.Entry) bool {
			switch key {
			case "project":
				return g.text(&d.Project, e)
			case "branch":
				return g.text(&d.Branch, e)
			case "strategy":
				return g.text(&d.Strategy, e)
			case "include":
				return g.includes(&d.Includes, e)
			case "inputs":
				return g.any(&d.Inputs, e)
			case "forward":
				return g.any(&d.Forward, e)
			}
			return false
		})
	default:
		return g.wrong(e.Value, "a project or files are expected here")
	}
	j.Downstream, j.With = d, d.Inputs
	switch {
	case d.Project.IsSet():
		j.Uses = gitlabProject(d.Project, d.Branch)
		j.Uses.Comment = g.comment(d.Project.Span.End)
	case len(d.Includes) > 0:
		j.Uses = d.Includes[0].Use
		if d.Includes[0].Inputs.Kind != DataNone {
			j.With = d.Includes[0].Inputs
		}
	}
	return true
}

// includes takes the files that a pipeline is made of.
func (g gitlab) includes(to *[]Include, e syntax.Entry) bool {
	return g.items(e, 0, func(n *syntax.Node) { *to = append(*to, g.include(n, placeOf(e.Key))...) })
}

// include takes one entry, which may name several files of a project.
func (g gitlab) include(n *syntax.Node, key penstock.Span) []Include {
	in := Include{Span: placeOf(n)}
	if n.Kind == syntax.Scalar {
		t := g.scalar(key, n)
		in.Use = gitlabFile(t)
		in.Comment = g.comment(t.Span.End)
		return []Include{in}
	}
	if n.Kind != syntax.Mapping {
		g.wrong(n, "a file to include is expected here")
		in.Kind = UseInvalid
		in.Extra = append(in.Extra, Field{Value: g.data(key, n)})
		return []Include{in}
	}
	var files []Text
	var span penstock.Span
	g.fields(n, &in.Extra, func(key string, e syntax.Entry) bool {
		var t Text
		take := func(u func(Text) Use) bool {
			if !g.text(&t, e) {
				return false
			}
			in.Use = u(t)
			in.Comment = g.comment(t.Span.End)
			return true
		}
		switch key {
		case "local":
			return take(gitlabLocal)
		case "remote":
			return take(gitlabRemote)
		case "template":
			return take(func(t Text) Use { return Use{Text: t, Kind: UseTemplate, Path: t.Value} })
		case "component":
			return take(gitlabComponent)
		case "artifact":
			return take(func(t Text) Use { return Use{Text: t, Kind: UseArtifact, Path: t.Value} })
		case "job":
			return g.text(&in.Job, e)
		case "project":
			return g.text(&in.Project, e)
		case "ref":
			return g.text(&in.Version, e)
		case "file":
			return g.texts(&files, e)
		case "integrity":
			return g.text(&in.Integrity, e)
		case "inputs":
			return g.any(&in.Inputs, e)
		case "rules":
			return g.rules(&in.Rules, &span, e)
		}
		return false // also cache
	})
	if !in.Project.IsSet() {
		if in.Kind == UseNone {
			in.Kind = UseInvalid
		}
		return []Include{in}
	}
	in.Use = gitlabProject(in.Project, in.Version)
	at := in.Project
	if in.Version.IsSet() {
		at = in.Version
	}
	in.Comment = g.comment(at.Span.End)
	if len(files) == 0 {
		return []Include{in}
	}
	out := make([]Include, 0, len(files))
	for _, f := range files {
		in.Text, in.Path = f, strings.TrimPrefix(f.Value, "/")
		out = append(out, in)
	}
	return out
}

// gitlabFile is an include without a key.
func gitlabFile(t Text) Use {
	if strings.HasPrefix(t.Value, "http://") || strings.HasPrefix(t.Value, "https://") {
		return gitlabRemote(t)
	}
	return gitlabLocal(t)
}

func gitlabLocal(t Text) Use {
	u := Use{Text: t, Kind: UseLocal, Path: strings.TrimPrefix(t.Value, "/")}
	if strings.Contains(t.Value, "$") {
		u.Kind = UseExpression
	}
	return u
}

func gitlabRemote(t Text) Use {
	u := Use{Text: t, Kind: UseURL, Path: t.Value}
	_, rest, _ := strings.Cut(t.Value, "://")
	u.Name, _, _ = strings.Cut(rest, "/")
	return u
}

// mergeKeys replaces the merge keys of YAML by what they stand for. GitLab's reader
// goes through a map from top to bottom, and what comes later counts, be it written
// there or merged in; of a list of maps the first counts.
type mergeKeys struct {
	r    *reader
	done map[*syntax.Node]*syntax.Node
}

func (m *mergeKeys) node(n *syntax.Node) *syntax.Node {
	if n == nil || n.Kind != syntax.Mapping && n.Kind != syntax.Sequence {
		return n
	}
	if out, ok := m.done[n]; ok {
		return out
	}
	out := n
	change := func() {
		if out == n {
			c := *n
			c.Items, c.Entries = slices.Clone(n.Items), slices.Clone(n.Entries)
			out = &c
		}
	}
	for i, c := range n.Items {
		if d := m.node(c); d != c {
			change()
			out.Items[i] = d
		}
	}
	merges := false
	for i, e := range n.Entries {
		if d := m.node(e.Value); d != e.Value {
			change()
			out.Entries[i].Value = d
		}
		merges = merges || e.IsMerge()
	}
	if merges {
		change()
		out.Entries = m.entries(out.Entries)
	}
	m.done[n] = out
	return out
}

func (m *mergeKeys) entries(from []syntax.Entry) []syntax.Entry {
	var out []syntax.Entry
	at := map[string]int{}
	written := map[string]bool{}
	put := func(e syntax.Entry, own bool) {
		key := e.Key.Value
		if e.Key.Kind != syntax.Scalar {
			out = append(out, e)
			return
		}
		i, ok := at[key]
		if !ok {
			at[key] = len(out)
			out = append(out, e)
		} else {
			if own && written[key] {
				m.r.note(NoteDuplicate, placeOf(out[i].Key), placeOf(e.Key), "the key is there twice")
			}
			out[i] = e
		}
		written[key] = own
	}
	for _, e := range from {
		switch {
		case !e.IsMerge():
			put(e, true)
		case e.Value.Kind == syntax.Mapping:
			for _, c := range e.Value.Entries {
				put(c, false)
			}
		case e.Value.Kind == syntax.Sequence:
			for _, c := range slices.Backward(e.Value.Items) {
				for _, c := range c.Entries {
					put(c, false)
				}
			}
		default:
			m.r.wrong(e.Value, "a map is expected here")
		}
	}
	return out
}
