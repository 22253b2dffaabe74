package pipeline

import (
	"regexp"
	"slices"
	"strings"

	"penstock"
)

// known runs an action that the table of actions describes.
func (jr *jobRun) known(fr *frame, st *Step, s *ActionSummary, out *stepOut) {
	jr.inputSinks(fr, st, s)
	for _, e := range s.Effects {
		switch e.Kind {
		case EffectCheckout, EffectRun, EffectDownload, EffectUpload, EffectAgent, EffectMerge, EffectApprove, EffectSetEnv, EffectPublish:
		default:
			continue
		}
		truth := s.Applies(e, st.With)
		if truth == False {
			continue
		}
		switch e.Kind {
		case EffectCheckout:
			jr.checkout(fr, st, s, e)
		case EffectRun:
			jr.builds(fr, st, s, e, truth)
		case EffectDownload:
			jr.download(fr, st, s, e)
		case EffectUpload:
			jr.upload(fr, st, s, e)
		case EffectAgent:
			jr.agent(fr, st, s, e, out)
		case EffectMerge, EffectApprove:
			if e.What == "pull" {
				jr.deputy(fr, st, Place{fr.file.Path, st.Uses.Span}, st.Uses.Value)
			}
		case EffectPublish:
			jr.publish(fr, st, s, e)
		case EffectSetEnv:
			if e.Argument("from") == "workspace" {
				if t := jr.treeAt(jr.inputPath(fr, st, s, e.Argument("dir"))); t.foreign() && jr.attacked() {
					jr.sink(fr, sink{rule: "environment-injection", place: Place{fr.file.Path, st.Uses.Span}, scope: jr.scope(st), step: st, runs: true, most: penstock.TierExploitable,
						text: "the action sets variables of later steps from files of it", message: "variables of later steps come from files that a stranger wrote"}, value{t.taint})
				}
			}
		}
	}
	jr.actionOutputs(fr, st, s, out)
	for _, in := range s.Inputs {
		if in.Role == RoleCode && in.Detail == "javascript" {
			jr.javascriptStep(fr, st, in.Name, out)
		}
	}
}

// parts are the expressions of a text, each with what is known of it.
func (fr *frame) parts(t Text, do func(i Interpolation, body string, v value)) {
	for _, i := range t.Parts {
		if i.Open || i.Bare {
			continue
		}
		body := strings.TrimSpace(t.Source(i))
		if v := fr.body(body, fr.place(t, i.From, i.To)); len(v) > 0 {
			do(i, body, v)
		}
	}
}

// inputSinks looks at what a step gives to an action.
func (jr *jobRun) inputSinks(fr *frame, st *Step, s *ActionSummary) {
	for _, f := range st.With.Fields {
		t := f.Value.Text
		if len(t.Parts) == 0 {
			continue
		}
		in := s.Input(f.Name.Value)
		if in == nil {
			continue
		}
		switch in.Role {
		case RoleCode, RoleCommand, RoleTemplate, RoleArguments, RoleURL:
		default:
			continue
		}
		fr.parts(t, func(i Interpolation, body string, v value) {
			place := fr.place(t, i.From, i.To)
			if in.Detail == "javascript" && !quotedAt(t.Value, i) && (wrapsJSON(body) || v.json()) {
				return // JSON is JavaScript, and its texts stay texts
			}
			bad := v.injecting().copied(s)
			if len(bad) == 0 {
				if in.Role == RoleCode && (in.Detail == "javascript" || in.Detail == "shell" || in.Detail == "powershell" || in.Detail == "python") {
					jr.pasted(fr, st, place, v)
				}
				return
			}
			k := sink{place: place, scope: jr.scope(st), step: st, runs: true, text: "it is pasted into the input " + f.Name.Value + " of " + s.Name + ", which runs it"}
			switch in.Role {
			case RoleCode, RoleTemplate:
				k.rule, k.message = "template-injection", describe(bad[0].path)+" is pasted into a program that "+s.Name+" runs"
				if bad[0].model {
					k.rule = "agent-output-injection"
				}
			case RoleCommand:
				k.rule, k.message = "command-injection", describe(bad[0].path)+" becomes a part of a command that "+s.Name+" runs"
			case RoleArguments:
				if begun := strings.TrimRight(t.Value[:i.From], `"'`); begun != "" && !strings.ContainsRune(" \t\n", rune(begun[len(begun)-1])) && len(v.allowing(' ')) == 0 {
					return // one word that the input itself begins
				}
				k.rule, k.message, k.most, k.runs = "argument-injection", describe(bad[0].path)+" becomes arguments of what "+s.Name+" runs", penstock.TierExploitable, false
			case RoleURL:
				if i.From > 0 && strings.Contains(t.Value[:i.From], "//") {
					return // the host is given
				}
				k.rule, k.message, k.most, k.runs = "request-forgery", describe(bad[0].path)+" says where "+s.Name+" connects to", jr.forgery(), false
				k.text = "it is the address that " + s.Name + " connects to"
			}
			jr.sink(fr, k, bad)
		})
	}
}

// forgery is the tier of a request whose address an outsider chooses: a hosted runner
// reaches nothing that the outsider does not.
func (jr *jobRun) forgery() penstock.Tier {
	if ownMachine(jr.p, jr.j) {
		return penstock.TierExploitable
	}
	return penstock.TierHygiene
}

// wrapsJSON reports whether an expression is a call of toJSON.
func wrapsJSON(body string) bool {
	e, err := ParseExpression(body)
	return err == nil && e.Root != nil && e.Root.Kind == ExprCall && e.Root.Name == "tojson"
}

// quotedAt reports whether an expression stands within a text of JavaScript, by what is
// around it on its line.
func quotedAt(text string, i Interpolation) bool {
	line := text[strings.LastIndexByte(text[:i.From], '\n')+1 : i.From]
	for _, q := range []string{"'", `"`} {
		if strings.Count(line, q)%2 == 1 {
			return true
		}
	}
	return strings.Count(text[:i.From], "`")%2 == 1
}

// json reports whether a value is JSON, made by an action.
func (v value) json() bool {
	return len(v) > 0 && !slices.ContainsFunc(v, func(t taint) bool { return !t.encoded })
}

// pasted is an expression in a program that no outsider chooses.
func (jr *jobRun) pasted(fr *frame, st *Step, place Place, v value) {
	for _, t := range v {
		if t.outsider() && !t.checked || !t.shape.Injects() || t.file != filesNone {
			continue
		}
		jr.add(Flaw{Rule: "template-expansion", Tier: penstock.TierHygiene, Place: place, Scope: jr.scope(st),
			Message: describe(t.path) + " is pasted into a program; no outsider chooses it, but a quote in it breaks the program"}, pathCut{})
		return
	}
}

// given is what a step says of an input of an action, or the default.
func (fr *frame) given(st *Step, s *ActionSummary, name string) (text string, v value, set bool) {
	if d := st.With.Get(name); d.Kind == DataScalar {
		return d.Text.Value, fr.value(d.Text), true
	}
	text, _ = s.Value(name, st.With)
	return text, nil, false
}

// inputPath is the path that a step gives to an input of an action.
func (jr *jobRun) inputPath(fr *frame, st *Step, s *ActionSummary, name string) string {
	if name == "" {
		return ""
	}
	text, _ := s.Value(name, st.With)
	return cleanDir(fr.constants(text))
}

// namedVariable is an expression that is a variable of the environment.
var namedVariable = regexp.MustCompile(`\$\{\{\s*env\.([A-Za-z_][\w-]*)\s*\}\}`)

// constants puts the values of variables into a text, as far as the definition says them.
func (fr *frame) constants(text string) string {
	if !strings.Contains(text, "env.") || len(text) > 4096 {
		return text
	}
	return namedVariable.ReplaceAllStringFunc(text, func(m string) string {
		name := strings.ToLower(namedVariable.FindStringSubmatch(m)[1])
		for i := len(fr.over) - 1; i >= 0; i-- {
			if v, ok := fr.over[i][name]; ok {
				return v.constant(m)
			}
		}
		if fr.job != nil {
			return fr.job.env[name].constant(m)
		}
		return m
	})
}

// constant is what the definition says that a variable holds, or other.
func (v envVar) constant(other string) string {
	if v.text == "" || len(v.text) > 300 || strings.Contains(v.text, "${{") {
		return other
	}
	return v.text
}

// someTree is a stranger's folder of the job, where the definition does not say which
// folder is meant.
func (jr *jobRun) someTree() tree {
	if jr.ws.foreign() {
		return jr.ws
	}
	for _, k := range sortedKeys(jr.dirs) {
		if t := jr.dirs[k]; t.foreign() && t.taint.file == filesCheckout {
			return t
		}
	}
	return tree{}
}

// checkout puts code of a repository into the workspace.
func (jr *jobRun) checkout(fr *frame, st *Step, s *ActionSummary, e Effect) {
	dir := jr.inputPath(fr, st, s, e.Argument("dir"))
	if dir != "" && strings.Contains(dir, "${{") {
		dir = "?" // a folder of its own
	}
	at := Place{fr.file.Path, st.Uses.Span}
	if e.Argument("ref") == "" {
		if e.What == "pull" {
			jr.bring(fr, st, dir, taint{path: "the code of the pull request", shape: ShapeText, actor: jr.pullAuthor(), code: true, moves: true}, at, st.Uses.Value)
		}
		return
	}
	repoText, repo, repoSet := fr.given(st, s, e.Argument("repository"))
	refText, ref, refSet := fr.given(st, s, e.Argument("ref"))
	var from *taint
	for i, t := range repo {
		if t.code && t.outsider() {
			from = &repo[i]
		}
	}
	if refSet && len(ref) == 0 && chooses(refText) {
		if env := fr.decides(fr.run.template(refText)); env != nil {
			s, known := fr.run.template(refText).Evaluate(env).Text()
			refSet = !known || s != ""
		}
	}
	forked := from != nil
	for i, t := range ref {
		if !t.code || !t.outsider() {
			continue
		}
		switch {
		case t.shape == ShapeSHA, t.file != filesNone, strings.Contains(refText, "pull/"), strings.Contains(refText, "merge-requests/"):
			if from == nil || !t.moves {
				from = &ref[i]
			}
		case forked:
			from = &ref[i]
		case t.shape == ShapeUnset || t.shape == ShapeText:
			from = &ref[i]
		}
	}
	if from == nil && repoSet && len(repo) == 0 && !strings.Contains(repoText, "${{") && repoText != "" {
		jr.put(dir, tree{}) // another repository that the definition names
		return
	}
	if from == nil {
		for _, t := range ref {
			if t.code && t.outsider() && jr.attacked() && !fr.lone && jr.passage(false).open {
				jr.add(Flaw{Rule: "untrusted-checkout", Tier: penstock.TierHygiene, Place: at, Scope: jr.scope(st), Actor: max(t.actor, jr.e.Actor), Events: []string{jr.e.Event},
					Message: describe(t.path) + " says which branch of this repository is checked out, with rights of the repository",
					Trace:   append(append(jr.who(nil), t.way.hops()...), Hop{Place: at, Text: "a branch of that name is checked out, if this repository has one"})}, pathCut{})
				break
			}
		}
		if !refSet && jr.e.Checkout == FromMerge && (!repoSet || strings.Contains(repoText, "github.repository")) {
			t := taint{path: "the merge of the pull request", shape: ShapeText, actor: jr.e.Actor, code: true}
			if jr.e.Outsider() && jr.e.Origin == OriginFork {
				jr.bring(fr, st, dir, t, at, st.Uses.Value)
				return
			}
		}
		own := tree{}
		if !repoSet || strings.Contains(repoText, "github.repository") {
			own.text = ownTree
		}
		jr.put(dir, own)
		return
	}
	t := *from
	for _, input := range []string{e.Argument("ref"), e.Argument("repository")} {
		if d := st.With.Get(input); t.named.Path == "" && d.Kind == DataScalar && len(d.Text.Parts) > 0 {
			t.named = Place{fr.file.Path, d.Text.Span}
		}
	}
	if strings.Contains(refText, "pull/") {
		t.moves = true
	}
	if strings.EqualFold(s.Name, "actions/checkout") && jr.attacked() {
		allowed, known := s.Value("allow-unsafe-pr-checkout", st.With)
		guard, row := jr.x.View(GitHub).CheckoutGuard(strings.TrimSpace(st.Uses.Ref), jr.e.Event)
		switch {
		case guard == GuardAbsent || allowed == "true":
		case !known:
			t.doubt = "allow-unsafe-pr-checkout is an expression"
		case guard == GuardRefuses:
			jr.guarded(fr, st, at, t, row)
			jr.put(dir, tree{})
			jr.ended = jr.ended || jr.refused(fr, st, t, repo)
			return
		case guard == GuardUnknown:
			t.doubt = "this commit of actions/checkout is not known, and later ones refuse the code of forks"
		}
		if guard == GuardAbsent && row.Answer == "guarded" {
			t.way = t.way.then(Hop{Place: at, Text: "this version of actions/checkout does not refuse the code of forks", Row: &row})
		}
		if guard != GuardAbsent && allowed == "true" {
			place := Place{fr.file.Path, st.With.Get("allow-unsafe-pr-checkout").Span}
			t.way = t.way.then(Hop{Place: place, Text: "allow-unsafe-pr-checkout turns off the guard against the code of forks", Row: &row})
		}
	}
	jr.bring(fr, st, dir, t, at, st.Uses.Value)
}

// checkedOutText ends the hop at a checkout.
const checkedOutText = ": it is checked out"

// refused reports whether the guard of actions/checkout ends the job for every fork: the
// head is the one of the event, by what the event itself or the forge says of it. A commit
// that the forge is asked for can be a later one, which the guard does not know.
func (jr *jobRun) refused(fr *frame, st *Step, t taint, repo value) bool {
	if jr.e.Origin != OriginFork || len(fr.stack) != 1 || st.ContinueOnError.Get().IsSet() && strings.TrimSpace(st.ContinueOnError.Get().Value) != "false" {
		return false
	}
	if st.If.IsSet() && jr.stepReach().truth != True {
		return false
	}
	return strings.HasPrefix(t.path, "github.event.") || len(repo) > 0 && !slices.ContainsFunc(repo, func(r taint) bool {
		return !r.outsider() || !r.told && !strings.HasPrefix(r.path, "github.event.")
	})
}

// asked marks what a script knows of the pull request of the event, where it asks the
// forge for no other.
func (jr *jobRun) asked(script string, v value) value {
	if jr.e.Event != "pull_request_target" || len(v) == 0 || !hasAny(script, "pulls.get(", "pulls.get (") || hasAny(script, "pulls.list", "search.", "context.payload.workflow_run") ||
		!hasAny(script, "context.payload.pull_request.number", "context.issue.number", "context.payload.number", "github.event.number", "github.event.pull_request.number") {
		return v
	}
	v = slices.Clone(v)
	for i := range v {
		v[i].told = v[i].told || v[i].code && v[i].path == headOwner
	}
	return v
}

// headOwner names the repository of a head that a script has asked for.
const headOwner = "the repository of a pull request"

// bring makes a folder a stranger's checkout.
func (jr *jobRun) bring(fr *frame, st *Step, dir string, t taint, at Place, by string) {
	t.file, t.shape, t.checked = filesCheckout, ShapeText, false
	where := "into the workspace"
	if dir != "" {
		where = "into the folder " + dir
	}
	t.way = t.way.then(Hop{Place: at, Text: by + " puts that code " + where + checkedOutText})
	tr := tree{taint: t, text: "the code of a pull request"}
	jr.put(dir, tr)
	jr.checkedOut(fr, st, at, tr)
}

// guarded reports a checkout that fails for forks.
func (jr *jobRun) guarded(fr *frame, st *Step, at Place, t taint, row Row) {
	pass := jr.passage(false)
	if !pass.open || fr.lone {
		return
	}
	jr.add(Flaw{Rule: "untrusted-checkout", Tier: penstock.TierHygiene, Place: at, Scope: jr.scope(st), Actor: max(t.actor, jr.e.Actor), Events: []string{jr.e.Event},
		Message: "the code of a pull request is checked out with rights of the repository; only the guard of actions/checkout refuses that of forks",
		Trace:   append(jr.who(nil), Hop{Place: at, Text: "actions/checkout refuses the code of forks here", Row: &row})}, pathCut{})
}

// checkedOut reports a stranger's code beside rights, whatever becomes of it.
func (jr *jobRun) checkedOut(fr *frame, st *Step, at Place, t tree) {
	if !jr.attacked() || fr.lone || jr.p.Forge != GitHub {
		return
	}
	jr.arrive(fr, sink{rule: "untrusted-checkout", place: at, scope: jr.scope(st), step: st, most: penstock.TierHygiene,
		text: "the workspace holds a stranger's code", message: "the code of a stranger is checked out in a job with rights of the repository"}, t.taint)
}

// builds is an action that runs what lies in the workspace.
func (jr *jobRun) builds(fr *frame, st *Step, s *ActionSummary, e Effect, truth Truth) {
	dir := jr.inputPath(fr, st, s, e.Argument("dir"))
	if f := jr.inputPath(fr, st, s, e.Argument("file")); f != "" {
		dir = f
	}
	t := jr.treeAt(dir)
	computed := !t.foreign() && (strings.Contains(dir, "${{ steps.") || strings.Contains(dir, "${{ needs."))
	if computed {
		t = jr.someTree()
	}
	if !t.foreign() {
		return
	}
	v := value{t.taint}
	switch {
	case truth == Undecided:
		v[0].doubt = "whether the action runs code depends on an expression"
	case computed:
		v[0].doubt = cmpText(v[0].doubt, "in which folder the action runs code is computed")
	}
	jr.execute(fr, st, Place{fr.file.Path, st.Uses.Span}, s.Name+" runs "+cmpText(e.What, "code")+" of it", e.What, t, v)
}

// execute is a place that runs code of a folder that a stranger filled.
func (jr *jobRun) execute(fr *frame, st *Step, at Place, text, command string, t tree, v value) {
	jr.executeAs(fr, st, at, text, command, cmpText(command, "the step")+" runs code that a stranger wrote, with rights of the repository", t, v)
}

// executeAs is execute with what is said of a checkout.
func (jr *jobRun) executeAs(fr *frame, st *Step, at Place, text, command, message string, t tree, v value) {
	if !jr.attacked() && !fr.lone {
		return
	}
	if len(v) == 0 {
		v = value{t.taint}
	}
	v = v.outsiders()
	s := sink{place: at, scope: jr.scope(st), step: st, runs: true, prized: true, text: text}
	for _, o := range v {
		s.rule, s.message = "untrusted-code-execution", message
		if o.file == filesArtifact {
			s.rule, s.message = "artifact-poisoning", cmpText(command, "the step")+" runs files of an artifact that a stranger made"
		}
		if strings.HasPrefix(command, "docker") || command == "podman build" || command == "dockerfile" {
			s.most = penstock.TierExploitable // in a container of its own, unless it gets out
			o.doubt = cmpText(o.doubt, "the code runs while an image is built, beside the job's secrets but not with them")
		}
		if pass := jr.passage(false); pass.once {
			if !o.moves {
				continue // what was looked at is what runs
			}
			s.rule = "checkout-race"
			s.message = "the code that is checked out can change after someone has approved it"
			if w := lastCheckout(o.way); w != nil {
				s.place = w.hop.Place
			}
			if o.named.Path != "" {
				s.place = o.named
			}
			s.most = penstock.TierExploitable
		}
		jr.arrive(fr, s, o)
	}
}

// lastCheckout is the hop of the way at which the code was brought.
func lastCheckout(w *way) *way {
	for ; w != nil; w = w.prev {
		if strings.Contains(w.hop.Text, "it is checked out") || strings.Contains(w.hop.Text, "into the workspace") {
			return w
		}
	}
	return nil
}

// actionOutputs are what an action gives to later steps.
func (jr *jobRun) actionOutputs(fr *frame, st *Step, s *ActionSummary, out *stepOut) {
	if !st.ID.IsSet() {
		return
	}
	at := Place{fr.file.Path, st.Uses.Span}
	for i := range s.Outputs {
		o := &s.Outputs[i]
		name := strings.ToLower(o.Name)
		v := jr.outputOf(fr, st, s, o, at)
		if len(v) == 0 {
			continue
		}
		if strings.Contains(name, "*") {
			// Few ask for them; any name may be one.
			jr.starOutputs(st, s, o, v, out)
			continue
		}
		out.named[name] = out.named[name].with(v.through(at, s.Name+" gives it as the output "+o.Name))
	}
}

// starOutputs names those outputs of a pattern that the job reads.
func (jr *jobRun) starOutputs(st *Step, s *ActionSummary, o *ActionOutput, v value, out *stepOut) {
	id := "steps." + strings.ToLower(st.ID.Value) + ".outputs."
	for _, body := range sortedKeys(jr.bodies) {
		for _, c := range jr.bodies[body].Paths() {
			if name, ok := strings.CutPrefix(c.Name, id); ok && s.Output(name) == o {
				out.named[name] = out.named[name].with(v)
			}
		}
	}
}

// outputOf is who has a say in an output of an action.
func (jr *jobRun) outputOf(fr *frame, st *Step, s *ActionSummary, o *ActionOutput, at Place) value {
	t := taint{path: "the output " + o.Name + " of " + s.Name, shape: o.Shape, actor: ActorAnyone, code: o.Code, moves: o.Code}
	pull := strings.HasPrefix(jr.e.Event, "pull_request")
	switch o.From {
	case FromPull:
		if !pull && jr.e.Event != "issue_comment" {
			return nil
		}
		t.actor = jr.pullAuthor()
	case FromComment:
		if !strings.Contains(jr.e.Event, "comment") && jr.e.Event != "pull_request_review" {
			return nil
		}
	case FromIssue:
		if jr.e.Event != "issues" && jr.e.Event != "issue_comment" {
			return nil
		}
	case FromEvent, FromCommits:
		if !jr.attacked() {
			return nil
		}
		if o.From == FromCommits && !pull && !jr.ws.foreign() {
			return nil
		}
	case FromWorkspace, FromArtifact:
		tr := jr.ws
		for _, in := range s.Inputs {
			if in.Role == RolePath || in.Role == RoleDirectory {
				if p := jr.inputPath(fr, st, s, in.Name); p != "" {
					tr = jr.treeAt(firstLine(p))
				}
			}
		}
		if !tr.foreign() {
			return nil
		}
		t.way, t.before, t.doubt, t.path = tr.taint.way, tr.taint.before, tr.taint.doubt, tr.taint.path
	case FromModel:
		return nil // the agent says
	case FromInput:
		_, v, _ := fr.given(st, s, o.Input)
		v = slices.Clone(v)
		for i := range v {
			v[i].code = v[i].code && o.Code
			if !o.Shape.Injects() {
				v[i].shape = o.Shape
			}
		}
		return v
	case FromScript:
		return jr.scriptOutput(fr, st, s, o)
	default:
		return nil
	}
	if !jr.e.Outsider() {
		return nil
	}
	if strings.EqualFold(s.Name, "tj-actions/changed-files") {
		if safe, known := s.Value("safe_output", st.With); (!known || safe == "true") && (!s.Version.Known || s.Version.In(">=41")) {
			t.checked = true
		}
	}
	if strings.EqualFold(s.Name, "dorny/paths-filter") {
		switch list, _ := s.Value("list-files", st.With); list {
		case "json":
			t.encoded = true
		case "shell", "escape":
			t.checked = true
		}
	}
	t.way = t.way.then(Hop{Place: at, Text: s.Name + " reads " + o.Shape.String() + " that a stranger chooses"})
	return value{t}
}

// scriptOutput is what the result of a script in JavaScript may hold, by its look: it is
// not followed.
func (jr *jobRun) scriptOutput(fr *frame, st *Step, s *ActionSummary, o *ActionOutput) value {
	text, v, _ := fr.given(st, s, o.Input)
	if in := s.Input(o.Input); in == nil || in.Detail != "javascript" || !jr.e.Outsider() {
		return nil
	}
	at := Place{fr.file.Path, st.With.Get(o.Input).Span}
	v = v.injecting()
	names := jr.scripted(fr, st.With.Get(o.Input).Text)
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "return ")
		if !ok {
			continue
		}
		v = v.with(jr.javascriptOf(rest, names, at))
	}
	return v
}

// javascript is what an expression of JavaScript holds, by its look alone: a text of
// the event, or the head of a pull request.
func (jr *jobRun) javascript(s string, at Place) value {
	s = strings.TrimRight(strings.TrimSpace(s), ";)")
	s = strings.ReplaceAll(strings.TrimSpace(s), "?.", ".")
	// What cuts a text into parts leaves it a text.
	if m := javascriptParts.FindStringIndex(s); m != nil && m[0] > 0 {
		s = s[:m[0]]
	}
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(s, w) })
	}
	t := taint{path: "what a script reads", actor: ActorAnyone}
	switch {
	case strings.ContainsAny(s, "(?=<>`'\"|&") && !strings.HasPrefix(s, "context.payload"):
		return nil
	case has("head.sha", "headRefOid", "merge_commit_sha", "potentialMergeCommit.oid"):
		t.path, t.shape, t.code, t.moves = "the head of a pull request", ShapeSHA, true, !strings.Contains(s, "context.payload")
	case has("head.ref", "headRefName"):
		t.path, t.shape, t.code, t.moves = "the branch of a pull request", ShapeRef, true, true
	case has("head.repo.full_name", "head.repo.clone_url", "head.repo.owner.login", "head.repo.name", "head.user.login"):
		t.path, t.shape, t.code = headOwner, ShapeSlug, true
	case has("pull_request.title", "issue.title", "data.title", "pr.title"):
		t.path, t.shape = "the title of a pull request or issue", ShapeLine
	case has("pull_request.body", "issue.body", "comment.body", "data.body", "pr.body"):
		t.path, t.shape = "the text of a pull request, issue or comment", ShapeText
	default:
		return nil
	}
	if !has("comment.body") {
		t.actor = jr.pullAuthor()
	}
	t.way = t.way.then(Hop{Place: at, Text: "the script reads " + t.path})
	return value{t}
}

// javascriptParts are the methods that make another text of a text, up to the end of an
// expression.
var javascriptParts = regexp.MustCompile(`(?:\.(?:trim|trimStart|trimEnd|toString|split|slice|substring|substr|toLowerCase|toUpperCase|pop|shift|at|match|replace|replaceAll)\b\([^()]*\)?|\[\d+\])+$`)

// javascriptLet is a line that gives a name to something.
var javascriptLet = regexp.MustCompile(`(?m)^\s*(?:(?:const|let|var)\s+)?([A-Za-z_$][\w$]*)\s*=\s*([^=\n][^\n]*)$`)

// javascriptShell is a call that gives a text to a shell.
var javascriptShell = regexp.MustCompile(`(?:^|[^.\w])(?:exec|execSync)\(([^\n]*)|\b(?:child_process|cp|childProcess)\.(?:exec|execSync)\(([^\n]*)`)

// javascriptText is what a text of JavaScript takes in: an expression in a template, or
// one that is added.
var javascriptText = regexp.MustCompile(`\$\{([^{}\n]*)\}|\+\s*([\w$.?\[\]]+)`)

// scripted are the names of a script in JavaScript that hold texts of strangers.
func (jr *jobRun) scripted(fr *frame, t Text) map[string]value {
	out := make(map[string]value)
	add := func(name string, v value) {
		if len(v) > 0 {
			out[name] = out[name].with(v)
		}
	}
	if indexAny(t.Value, "head.", "headRef", ".title", ".body", "merge_commit", "MergeCommit") < 0 && !(strings.Contains(t.Value, "} =") && indexAny(t.Value, "title", "body", "head") >= 0) {
		return out // nothing that javascript knows
	}
	// Twice: a name may be given before what it is made of stands in the script.
	for range 2 {
		for _, m := range javascriptLet.FindAllStringSubmatchIndex(t.Value, 100) {
			add(t.Value[m[2]:m[3]], jr.javascriptOf(t.Value[m[4]:m[5]], out, fr.place(t, m[0], m[1])))
		}
		for _, m := range javascriptFunction.FindAllStringSubmatchIndex(t.Value, 20) {
			name, body := t.Value[m[2]:m[3]], t.Value[m[1]:]
			if end := strings.Index(body, "\n}"); end >= 0 {
				body = body[:end]
			}
			for _, k := range javascriptReturn.FindAllStringSubmatchIndex(body, 10) {
				add(name+"()", jr.javascriptOf(body[k[2]:k[3]], out, fr.place(t, m[1]+k[0], m[1]+k[1])))
			}
		}
	}
	for _, m := range javascriptOpen.FindAllStringSubmatchIndex(t.Value, 50) {
		of := strings.TrimRight(strings.TrimSpace(t.Value[m[4]:m[5]]), "; ")
		for _, part := range strings.Split(t.Value[m[2]:m[3]], ",") {
			member, name, ok := strings.Cut(part, ":")
			if member = strings.TrimSpace(member); !ok {
				name = member
			}
			add(strings.TrimSpace(name), jr.javascript(of+"."+member, fr.place(t, m[0], m[1])))
		}
	}
	return out
}

// submatches are the matches of a pattern that has one of the words in each: looking for
// words is cheap.
func submatches(re *regexp.Regexp, text string, most int, words ...string) [][]int {
	if indexAny(text, words...) < 0 {
		return nil
	}
	return re.FindAllStringSubmatchIndex(text, most)
}

var (
	// javascriptFunction is the head of a function with a name.
	javascriptFunction = regexp.MustCompile(`(?m)(?:\bfunction\s+([A-Za-z_$][\w$]*)\s*\([^)\n]*\)\s*\{)`)
	javascriptReturn   = regexp.MustCompile(`(?m)\breturn\s+([^\n;]+)`)
	// javascriptOpen takes members of something into names.
	javascriptOpen = regexp.MustCompile(`(?m)^\s*(?:const|let|var)\s+\{([^{}\n]*)\}\s*=\s*([\w$.?\[\]]+)\s*;?\s*$`)
	// javascriptCalled is a call, and what is taken of its answer.
	javascriptCalled = regexp.MustCompile(`^\(?\s*await\s+[\w$.]+\(.*\)\)?\s*((?:\??\.[\w$]+|\[\d+\])+)$`)
	javascriptAsk    = regexp.MustCompile(`^(?:await\s+)?([A-Za-z_$][\w$]*)\(.*\)$`)
	javascriptOr     = regexp.MustCompile(`\|\||\?\?|\s\?\s|\s:\s`)
)

// javascriptOf is what an expression holds, which may be a name of the script.
func (jr *jobRun) javascriptOf(s string, names map[string]value, at Place) value {
	s = strings.TrimSpace(s)
	if v := jr.javascript(s, at); len(v) > 0 {
		return v
	}
	s = strings.TrimRight(s, "; ")
	if len(s) > 2000 {
		return nil
	}
	if parts := javascriptOr.Split(s, 6); len(parts) > 1 {
		// One of several; what stands before a question mark only decides.
		var v value
		for i, p := range parts {
			if i > 0 || !strings.Contains(s, " ? ") {
				v = v.with(jr.javascriptOf(p, names, at))
			}
		}
		return v
	}
	if m := javascriptCalled.FindStringSubmatch(s); m != nil {
		return jr.javascript("answer"+m[1], at)
	}
	if m := javascriptAsk.FindStringSubmatch(s); m != nil && len(names[m[1]+"()"]) > 0 {
		return names[m[1]+"()"]
	}
	if m := javascriptParts.FindStringIndex(s); m != nil {
		s = s[:m[0]]
	}
	return names[s]
}

var (
	setOutput = regexp.MustCompile(`core\.setOutput\(\s*['"` + "`" + `]([A-Za-z0-9_-]+)['"` + "`" + `]\s*,\s*([^\n]*)`)
	readFile  = regexp.MustCompile(`readFile(?:Sync)?\(\s*['"` + "`" + `]([^'"` + "`" + `\n]+)['"` + "`" + `]`)
	localCode = regexp.MustCompile(`(?:require|import)\(\s*['"` + "`" + `](?:\$\{process\.env\.GITHUB_WORKSPACE\}/|\./|\.\./)([^'"` + "`" + `\n]+)['"` + "`" + `]`)
)

// javascriptStep looks at a script in JavaScript that a step holds: which outputs it
// sets, and whether it loads code of the workspace.
func (jr *jobRun) javascriptStep(fr *frame, st *Step, input string, out *stepOut) {
	t := st.With.Get(input).Text
	if !jr.e.Outsider() || fr.lone || !t.IsSet() || len(t.Value) > 1<<16 {
		return
	}
	read := tree{}
	for _, m := range submatches(readFile, t.Value, 20, "readFile") {
		if tr := jr.treeAt(t.Value[m[2]:m[3]]); tr.foreign() {
			read = tr
			read.taint.way = read.taint.way.then(Hop{Place: fr.place(t, m[0], m[1]), Text: "the script reads " + clip(t.Value[m[2]:m[3]])})
			read.taint.shape, read.taint.code = ShapeText, true
		}
	}
	names := jr.scripted(fr, t)
	if jr.attacked() {
		jr.scriptArtifact(fr, st, t, names)
	}
	jr.javascriptCommands(fr, st, t, names, out)
	of := func(expr string, before int, at Place) value {
		v := jr.javascriptOf(strings.TrimSuffix(strings.TrimRight(expr, "; "), ")"), names, at)
		number := strings.HasPrefix(expr, "Number(") || strings.HasPrefix(expr, "parseInt(") || strings.HasPrefix(expr, "'") || strings.HasPrefix(expr, `"`)
		if read.foreign() && !number && !strings.Contains(t.Value, "parseInt(") && !strings.Contains(t.Value, "Number(") {
			o := read.taint
			if javascriptNumber(t.Value[:before], expr) {
				o.shape = ShapeNumber
			}
			v = v.with(value{o})
		}
		if env, ok := strings.CutPrefix(strings.TrimRight(expr, "); "), "process.env."); ok {
			v = v.with(fr.variable(strings.ToLower(env)))
		}
		return jr.asked(t.Value, v)
	}
	for _, m := range submatches(setOutput, t.Value, 50, "setOutput") {
		name, expr := strings.ToLower(t.Value[m[2]:m[3]]), strings.TrimSpace(t.Value[m[4]:m[5]])
		at := fr.place(t, m[0], m[1])
		if v := of(expr, m[0], at); len(v) > 0 {
			out.named[name] = out.named[name].with(v.through(at, "the script gives it as the output "+clip(t.Value[m[2]:m[3]])))
		}
	}
	jr.exported(fr, st, t, read, of)
	for _, m := range submatches(localCode, t.Value, 20, "require", "import") {
		if tr := jr.treeAt(t.Value[m[2]:m[3]]); tr.foreign() {
			jr.execute(fr, st, fr.place(t, m[0], m[1]), "the script loads "+clip(t.Value[m[2]:m[3]])+" of it", "the script", tr, value{tr.taint})
		}
	}
}

var (
	// javascriptProves is a call of the forge that fails for what is no number of something.
	javascriptProves = regexp.MustCompile(`\bawait\s+(?:github|octokit|client|gh)\.(?:rest\.|paginate\(\s*github\.(?:rest\.)?)?[\w.]+\s*[(,]\s*\{([^{}]*)\}`)
	// javascriptID is a member that takes the number of something.
	javascriptID = regexp.MustCompile(`\b(?:pull_number|issue_number|run_id|comment_id|artifact_id|job_id|review_id|release_id|deployment_id|check_run_id|workflow_run_id)(?:\s*:\s*([A-Za-z_$][\w$.]*)|\s*(?:,|$))`)
	// javascriptTests are checks of a name that let only a number pass.
	javascriptTests = regexp.MustCompile(`!\s*/\^(?:\\d|\[0-9\]|\[1-9\]\\d\*|\[1-9\]\[0-9\]\*)[+]?(?:\{\d*,?\d*\})?\$/\.test\(\s*(?:String\()?([A-Za-z_$][\w$.]*)|\bisNaN\(\s*([A-Za-z_$][\w$.]*)`)
	javascriptStops = regexp.MustCompile(`^[^\n]*\)\s*(?:\{[^{}]*)?\b(?:throw|return|process\.exit)\b`)
	// javascriptName is a name, or what makes a text of it.
	javascriptName = regexp.MustCompile("^(?:String\\(\\s*|`\\$\\{)?([A-Za-z_$][\\w$.]*?)(?:\\.toString\\(\\)|\\.trim\\(\\))?[)}`\\s;]*$")
)

// javascriptNumber reports whether a name holds a number by what a script has done with it
// up to a place: the forge has answered a call with it, or a check has let it pass.
func javascriptNumber(before, expr string) bool {
	m := javascriptName.FindStringSubmatch(expr)
	if m == nil || strings.Contains(before, "catch") || strings.Contains(before, "allSettled") {
		return false
	}
	name, from := m[1], -1
	for _, k := range javascriptProves.FindAllStringSubmatchIndex(before, 50) {
		for _, id := range javascriptID.FindAllStringSubmatch(before[k[2]:k[3]], 10) {
			given := id[1]
			if given == "" {
				given, _, _ = strings.Cut(strings.TrimSpace(id[0]), ",")
			}
			if strings.TrimSpace(given) == name {
				from = k[1]
			}
		}
	}
	for _, k := range javascriptTests.FindAllStringSubmatchIndex(before, 20) {
		a, b := k[2], k[3]
		if a < 0 {
			a, b = k[4], k[5]
		}
		if before[a:b] == name && javascriptStops.MatchString(before[b:]) {
			from = k[1]
		}
	}
	// What was proved holds until the name gets something else.
	return from >= 0 && !regexp.MustCompile(`(?:^|[^\w$.])`+regexp.QuoteMeta(name)+`\s*[+]?=[^=]`).MatchString(before[from:])
}

// written is a call of JavaScript that writes a file, up to its first argument.
var written = regexp.MustCompile(`\b(?:writeFile(?:Sync)?|createWriteStream)\(`)

// javascriptCommands looks at what a script in JavaScript gives to a shell.
func (jr *jobRun) javascriptCommands(fr *frame, st *Step, t Text, names map[string]value, out *stepOut) {
	if !jr.attacked() {
		return
	}
	for _, m := range submatches(javascriptShell, t.Value, 50, "exec") {
		from, to := m[2], m[3]
		if from < 0 {
			from, to = m[4], m[5]
		}
		place := fr.place(t, from, to)
		for _, k := range javascriptText.FindAllStringSubmatchIndex(t.Value[from:to], 20) {
			a, b := k[2], k[3]
			if a < 0 {
				a, b = k[4], k[5]
			}
			v := jr.javascriptOf(t.Value[from+a:from+b], names, place).injecting()
			if len(v) == 0 {
				continue
			}
			jr.sink(fr, sink{rule: "command-injection", place: place, scope: jr.scope(st), step: st, runs: true, text: "it is a part of a command that a shell runs",
				message: describe(v[0].path) + " is run as code by a shell"}, v)
			break
		}
	}
	if indexAny(t.Value, "exec", "spawn", "chdir", "getExecOutput") < 0 {
		// no call that runs a command
	} else if text := shCalls(t.Value, javascriptCalls); text != "" {
		c := code{path: fr.file.Path, text: text, at: t.At, shell: "bash", depth: 1}
		jr.analyse(fr, st, c, "", out)
	}
}
