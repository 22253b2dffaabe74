package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

// outline writes what a pipeline says, a line for each job and step.
func outline(p *Pipeline) string {
	var b strings.Builder
	values := func(ts []Text) string {
		var out []string
		for _, t := range ts {
			out = append(out, t.Value)
		}
		return strings.Join(out, " ")
	}
	gates := func(gs []Clause) {
		for _, g := range gs {
			fmt.Fprintf(&b, " if(%s not=%t %q)", g.Kind, g.Not, strings.Join(strings.Fields(g.Value), " "))
		}
	}
	credentials := func(cs []Credential) {
		for _, c := range cs {
			fmt.Fprintf(&b, " credential(%s %s: %s)", c.Kind, c.ID.Value, values(c.Variables))
		}
	}
	data := func(d Data) {
		for _, f := range d.Fields {
			fmt.Fprintf(&b, " %s=%q", f.Name.Value, f.Value.Text.Value)
		}
	}
	for _, l := range p.Libraries {
		fmt.Fprintf(&b, "library %s ref=%q kind=%d path=%q\n", l.Name, l.Ref, l.RefKind, l.Path)
	}
	for _, in := range p.Inputs {
		fmt.Fprintf(&b, "input %s %s default=%q options=%s\n", in.Type.Value, in.Name.Value, in.Default.Value, values(in.Options))
	}
	for _, t := range p.Triggers {
		fmt.Fprintf(&b, "trigger %s", t.Event.Value)
		for _, s := range t.Schedules {
			fmt.Fprintf(&b, " %q", s.Cron.Value)
		}
		for _, in := range t.Inputs {
			fmt.Fprintf(&b, " variable %s", in.Name.Value)
		}
		b.WriteString("\n")
	}
	for _, j := range p.Jobs {
		fmt.Fprintf(&b, "job %q workspace=%d on=%q needs=%q", j.ID.Value, j.Workspace, values(j.RunsOn.Labels), values(j.Needs))
		if c := j.Container.Get(); c.Image.IsSet() {
			fmt.Fprintf(&b, " image=%q %q", c.Image.Value, c.Options.Value)
		}
		for _, f := range j.Strategy.Get().Matrix.Fields {
			fmt.Fprintf(&b, " axis %s", f.Name.Value)
		}
		data(j.Env)
		credentials(j.Credentials)
		gates(j.Clauses)
		b.WriteString("\n")
		for _, s := range j.Steps {
			if s.Set != nil {
				fmt.Fprintf(&b, "  set %s", s.Set.Name.Value)
			}
			switch {
			case s.Run.IsSet():
				fmt.Fprintf(&b, "  run[%s] %q", s.Run.Shell.Get().Value, s.Run.Value)
				for _, p := range s.Run.Parts {
					fmt.Fprintf(&b, " {%s}", s.Run.Source(p))
				}
				if s.Run.Dir.Get().IsSet() {
					fmt.Fprintf(&b, " in %s", s.Run.Dir.Get().Value)
				}
			case s.Call.Get().IsSet():
				fmt.Fprintf(&b, "  call %s", s.Call.Get().Value)
				data(s.With)
				if s.Uses.Kind != UseNone {
					fmt.Fprintf(&b, " uses(%d %s %s)", s.Uses.Kind, s.Uses.Value, s.Uses.Ref)
				}
			default:
				fmt.Fprintf(&b, " %q", s.Set.Value.Text.Value)
			}
			data(s.Env)
			if s.Container != nil {
				fmt.Fprintf(&b, " image=%q", s.Container.Image.Value)
			}
			credentials(s.Credentials)
			gates(s.Clauses)
			b.WriteString("\n")
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note %d: %s\n", n.Start, n.Message)
	}
	return b.String()
}

// TestJenkins reads whole files; testdata/jenkins/*.want is what they say.
func TestJenkins(t *testing.T) {
	files, err := filepath.Glob("testdata/jenkins/*.jenkinsfile")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := ParseJenkins(name, KindJenkinsfile, b)
		checkModel(t, p, b)
		got := outline(p)
		golden := strings.TrimSuffix(name, ".jenkinsfile") + ".want"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestJenkinsSteps reads small files: the scripts, and what their parts are.
func TestJenkinsSteps(t *testing.T) {
	for src, want := range map[string]string{
		`node { sh 'a $X' }`:                                               `a $X`,
		`node { sh "a ${X} \$Y $Z.b" }`:                                    `a ${X} $Y $Z.b {X} {Z.b}`,
		`sh(script: "x", returnStdout: true)`:                              `x`,
		`sh returnStatus: true, script: "x ${y}"`:                          `x ${y} {y}`,
		`sh([script: 'x', label: 'y'])`:                                    `x`,
		`def a = sh(script: 'x', returnStdout: true).trim().split(',')[0]`: `x`,
		`sh 'a ' + b + ' c'`:                                               `a b c {b}`,
		`sh('a' + "${b}" + (c ? 'd' : 'e') + f(x))`:                        `a${b}(c ? 'd' : 'e')f(x) {b} {(c ? 'd' : 'e')} {f(x)}`,
		`sh cmd`:                 `cmd {cmd}`,
		`sh(cmd())`:              `cmd() {cmd()}`,
		`sh $/a ${b} $$c $/d /$`: `a ${b} $c /d  {b}`,
		`sh(/a\/b ${c} \d/)`:     `a/b ${c} \d {c}`,
		`sh '''a
b'''`: "a\nb",
		`sh "a ${env['X']} ${b.collect { "c ${it}" }.join(',')}"`: `a ${env['X']} ${b.collect { "c ${it}" }.join(',')} {env['X']} {b.collect { "c ${it}" }.join(',')}`,
		"sh \"a \\\n b\"": "a  b",
		"sh \"\"\"#!/bin/sh\n  |a ${b ?\n c : d}\n\t|e | f\n\"\"\".stripMargin()": "#!/bin/sh\na ${b ?\n c : d}\ne | f\n {b ?\n c : d}",
		`if (x) { sh 'a' } else if (y) sh 'b'
else { sh 'c' }`: "a|b|c",
		`x.each { k, v -> sh "a ${k}" }`:                           "a ${k} {k}",
		`m = [a: { sh '1' }, 'b': { -> sh '2' }]`:                  "1|2",
		`switch (x) { case 'a': sh '1'; break; default: sh '2' }`:  "1|2",
		`try { sh '1' } catch (e) { sh '2' } finally { sh '3' }`:   "1|2|3",
		`retry(3) { timeout(time: 1) { sh '1' } }`:                 "1",
		`steps.sh "a"; this.sh('b'); script.sh(script: 'c')`:       "a|b|c",
		`if (sh(script: 'a', returnStatus: true) == 0) { sh 'b' }`: "a|b",
		`echo "got ${sh(script: 'a', returnStdout: true)}"`:        "a",
		`def f() { sh '1' }
f(); f()`: "1|1",
		`def f(x) { f(x); sh '1' }`: "1",
		`class A { def steps
 void b() { steps.sh 'a' } }`: "", // of a class nobody calls: its functions are read
		`x = 'sh "no"' // sh 'no'`: "",
		`unstable('sh')`:           "",
		`pipeline { stages { stage('x') { when { expression { return sh(script: 'w', returnStatus: true) == 0 } } steps { sh 's' } } } }`: "w|s",
	} {
		p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(src))
		checkModel(t, p, []byte(src))
		var got []string
		for _, j := range p.Jobs {
			for _, s := range j.Steps {
				if !s.Run.IsSet() {
					continue
				}
				line := s.Run.Value
				for _, p := range s.Run.Parts {
					line += " {" + s.Run.Source(p) + "}"
				}
				got = append(got, line)
			}
		}
		if src[:5] == "class" {
			want = "a"
		}
		if g := strings.Join(got, "|"); g != want {
			t.Errorf("%s\n got %s\nwant %s", src, g, want)
		}
		if len(p.Notes) > 0 {
			t.Errorf("%s: %v", src, p.Notes)
		}
	}
}

// TestJenkinsShell leads an expression of Groovy through the analysis of its script:
// pasted before the shell reads, whatever quotes the shell has there.
func TestJenkinsShell(t *testing.T) {
	src := `node { sh "echo '${env.CHANGE_TITLE}' \${HOME}; echo $BRANCH_NAME" }`
	p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(src))
	run := p.Jobs[0].Steps[0].Run
	res := AnalyseScript(run.Value, run.Shell.Get().Value, ShellInput{
		Templates: TemplateParts, Parts: run.Parts,
		Expr: func(body string) ShellSource {
			for _, path := range JenkinsTextPaths(body) {
				if c, ok := JenkinsControl(p, path.Name, JenkinsChange); ok && c.Shape.Injects() && c.Actor < ActorWriter {
					return ShellSource{Labels: ShellUntrusted, Text: c.Pattern}
				}
			}
			return ShellSource{}
		},
	})
	if !res.Parsed || len(res.Exprs) != 2 || res.Exprs[0].Context != ContextSingle || res.Exprs[1].Context != ContextBare {
		t.Fatalf("%+v", res)
	}
	if len(res.Facts) != 1 || res.Facts[0].Kind != FactTemplate || res.Facts[0].Name != "env.CHANGE_TITLE" {
		t.Errorf("%+v", res.Facts)
	}
	if len(res.Reads) != 1 || res.Reads[0].Name != "HOME" {
		t.Errorf("reads %+v", res.Reads)
	}
	if s := run.At(int(res.Facts[0].Start), int(res.Facts[0].End)); src[s.Start:s.End] != "${env.CHANGE_TITLE}" {
		t.Errorf("%q", src[s.Start:s.End])
	}
}

func TestJenkinsPaths(t *testing.T) {
	for src, want := range map[string]string{
		`env.CHANGE_TITLE`:                             "env.CHANGE_TITLE",
		`CHANGE_TITLE`:                                 "CHANGE_TITLE",
		`env['CHANGE_TITLE'].trim()`:                   "env.CHANGE_TITLE",
		`env.getProperty('A') + params.get("B")`:       "env.A params.B",
		`env[x]`:                                       "env.*",
		`params.X ?: env.Y`:                            "params.X env.Y",
		`env.A == 'x' ? env.B : 'c'`:                   "env.B",
		`env.A == env.B`:                               "",
		`env.A.length() + env.B.toInteger()`:           "",
		`env.A.replaceAll('[^a-zA-Z0-9_-]+', '_')`:     "",
		`env.A.replaceAll(/[^a-z;]/, '')`:              "env.A",
		`env.A.replaceAll('x', env.B)`:                 "env.A env.B",
		`"a ${env.A} $b.c"`:                            "env.A b.c",
		`sh(script: "x ${env.A}", returnStdout: true)`: "sh()",
		`readFile(env.A).trim()`:                       "readFile()",
		`clean(env.A)`:                                 "clean() env.A",
		`pullRequest.comments[0].body`:                 "pullRequest.comments",
		`!env.A`:                                       "",
		`(env.A ?: 'x').toLowerCase()`:                 "env.A",
		`['a', env.B].join(',')`:                       "env.B",
		`new Foo(env.A).bar()`:                         "env.A",
	} {
		var got []string
		for _, p := range JenkinsTextPaths(src) {
			got = append(got, p.Name)
			if p.Span.End > int64(len(src)) || p.Span.Start >= p.Span.End {
				t.Errorf("%s: %v", src, p)
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got %q, want %q", src, g, want)
		}
	}
	if all := JenkinsPaths(`env.A == env.B`); len(all) != 2 {
		t.Errorf("%v", all)
	}
}

func TestJenkinsOrigins(t *testing.T) {
	const src = `
def title = env.CHANGE_TITLE
def last = sh(script: 'git log -1', returnStdout: true).trim()
def text = "t: ${title}"
def fixed = 'a'
if (x) { fixed = env.CHANGE_BRANCH }
text2 = text
text2 = 'nothing'
def run(a, b) { sh "f ${a}"; sh 'end' }
parts = ['a']
parts << env.CHANGE_FORK
parts.add(params.P)
m = [:]
m['k'] = env.CHANGE_AUTHOR
node {
  sh "3 ${parts.join(' ')} ${m[k]}"
  withCredentials([string(credentialsId: 'c', variable: 'TOKEN')]) {
    withEnv(["T=${params.T}", 'U=u']) {
      sh "1 ${text} ${last} ${fixed} ${text2} ${T} ${U} ${TOKEN} ${BUILD_ID}"
    }
  }
  run(text, 1)
}
pipeline {
  environment { E = "${env.CHANGE_URL}" }
  stages { stage('s') { steps { sh "2 ${E}" } } }
}`
	p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(src))
	v := NewJenkinsValues(p)
	got := map[string]string{}
	for j := range p.Jobs {
		for s, st := range p.Jobs[j].Steps {
			for _, part := range st.Run.Parts {
				var all []string
				for _, o := range v.Origins(j, s, st.Run.Source(part)) {
					switch {
					case o.Credential != nil:
						all = append(all, "credential "+o.Credential.ID.Value)
					case o.Output != nil:
						all = append(all, "output of "+o.Output.Run.Value)
					default:
						all = append(all, o.Path)
					}
				}
				slices.Sort(all)
				got[st.Run.Value[:1]+st.Run.Source(part)] = strings.Join(all, " ")
			}
		}
	}
	want := map[string]string{
		"1text": "env.CHANGE_TITLE", "1last": "output of git log -1", "1fixed": "env.CHANGE_BRANCH", "1text2": "", "1T": "params.T", "1U": "",
		"1TOKEN": "credential c", "1BUILD_ID": "BUILD_ID", "fa": "env.CHANGE_TITLE", "2E": "env.CHANGE_URL",
		"3parts.join(' ')": "env.CHANGE_FORK params.P", "3m[k]": "env.CHANGE_AUTHOR",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for j := range p.Jobs {
		for s, st := range p.Jobs[j].Steps {
			if strings.HasPrefix(st.Run.Value, "1 ") {
				if o := v.Variable(j, s, "T"); len(o) != 1 || o[0].Path != "params.T" {
					t.Errorf("$T: %v", o)
				}
			}
		}
	}
}

// TestJenkinsClosures follows a closure where the function runs that it is given to.
func TestJenkinsClosures(t *testing.T) {
	p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(`
def within(String label, Closure body) { node(label) { sh 'before'; body(); sh 'after' } }
def twice(Map m, Closure c) { within('b') { c.call() } }
def ignore(body) { sh 'none' }
within('a') { sh 'one' }
twice(x: 1) { sh 'two' }
ignore { sh 'three' }
`))
	var got []string
	for _, j := range p.Jobs {
		for _, s := range j.Steps {
			if s.Run.IsSet() {
				got = append(got, fmt.Sprintf("%s%d", s.Run.Value, j.Workspace))
			}
		}
	}
	if g := strings.Join(got, " "); g != "before1 one1 after1 before2 two2 after2 none0 three0" {
		t.Error(g)
	}
}

func TestJenkinsControl(t *testing.T) {
	p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(`pipeline {
  parameters { string(name: 'S'); booleanParam(name: 'B'); choice(name: 'C', choices: ['x']) }
  triggers { GenericTrigger(genericVariables: [[key: 'pr_title', value: '$.x']]) }
}`))
	for _, c := range []struct {
		path, event string
		shape       Shape
		actor       ActorClass
		code, none  bool
	}{
		{path: "env.CHANGE_TITLE", event: JenkinsChange, shape: ShapeLine, actor: ActorAnyone},
		{path: "CHANGE_BRANCH", event: "", shape: ShapeRef, actor: ActorAnyone, code: true},
		{path: "CHANGE_TITLE", event: JenkinsBranch, none: true},
		{path: "BRANCH_NAME", event: JenkinsChange, shape: ShapeSlug, actor: ActorAnyone},
		{path: "BRANCH_NAME", event: JenkinsBranch, shape: ShapeRef, actor: ActorWriter},
		{path: "env.TAG_NAME", event: JenkinsTag, shape: ShapeRef, actor: ActorWriter},
		{path: "GIT_COMMITTER_NAME", event: JenkinsChange, shape: ShapeLine, actor: ActorAdmin},
		{path: "ghprbCommentBody", event: "", shape: ShapeText, actor: ActorAnyone},
		{path: "env.gitlabMergeRequestTitle", event: JenkinsGitLab, shape: ShapeLine, actor: ActorAnyone},
		{path: "params.S", event: JenkinsManual, shape: ShapeText, actor: ActorWriter},
		{path: "params.B", event: JenkinsManual, shape: ShapeBoolean, actor: ActorWriter},
		{path: "C", event: JenkinsManual, shape: ShapeEnum, actor: ActorWriter},
		{path: "params.S", event: JenkinsChange, none: true},
		{path: "pr_title", event: JenkinsWebhook, shape: ShapeText, actor: ActorAnyone},
		{path: "pullRequest.body", event: JenkinsChange, shape: ShapeText, actor: ActorAnyone},
		{path: "pullRequest.comments.body", event: JenkinsChange, shape: ShapeText, actor: ActorAnyone},
		{path: "CHANGE_TITLE.x", event: JenkinsChange, none: true},
		{path: "whatever", none: true},
	} {
		got, ok := JenkinsControl(p, c.path, c.event)
		if ok == c.none || ok && (got.Shape != c.shape || got.Actor != c.actor || got.Code != c.code) {
			t.Errorf("%s at %q: %+v %t", c.path, c.event, got, ok)
		}
	}
	for _, row := range jenkinsControlIndex() {
		if row.Shape == ShapeUnset {
			t.Errorf("%s has no shape", row.Pattern)
		}
	}
}

func TestJenkinsEntries(t *testing.T) {
	p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(`properties([pipelineTriggers([cron('@daily'), GenericTrigger(token: 'x')])])`))
	v := NewSemantics().At("", ForgeVersion{Name: "jenkins"})
	fork := func(s JenkinsSettings) *JenkinsEntry {
		for _, e := range JenkinsEntries(p, v, s) {
			if len(e.Rows) == 0 {
				t.Errorf("%s: no rows", e.Event)
			}
			if e.Event == JenkinsChange && e.Origin == OriginFork {
				return &e
			}
		}
		return nil
	}
	for trust, want := range map[JenkinsTrust]WorkflowRef{
		"": FromBase, TrustNobody: FromBase, TrustContributors: FromBase, TrustWriters: FromBase, TrustEveryone: FromMerge, TrustApproval: FromMerge,
	} {
		e := fork(JenkinsSettings{Trust: trust})
		if e == nil || e.Definition != want || e.Checkout != FromMerge || e.Rows[0].Topic != TopicTrust {
			t.Errorf("%q: %+v", trust, e)
		} else if e.Foreign() != (trust != TrustApproval) {
			t.Errorf("%q: foreign %t", trust, e.Foreign())
		}
	}
	if fork(JenkinsSettings{Forks: SwitchOff}) != nil || fork(JenkinsSettings{Single: true}) != nil {
		t.Error("forks that are not built")
	}
	var events []string
	for _, e := range JenkinsEntries(p, v, JenkinsSettings{Single: true}) {
		events = append(events, e.Event)
	}
	if got := strings.Join(events, " "); got != "schedule webhook manual" {
		t.Error(got)
	}
	if f, err := ParseForge("jenkins"); err != nil || f.Name != "jenkins" {
		t.Error(f, err)
	}
}

func TestJenkinsGates(t *testing.T) {
	change := JenkinsSituation{Event: JenkinsChange, Fork: true, Branch: "main"}
	own := JenkinsSituation{Event: JenkinsChange, Branch: "main"}
	branch := JenkinsSituation{Event: JenkinsBranch, Branch: "main"}
	other := JenkinsSituation{Event: JenkinsBranch}
	tag := JenkinsSituation{Event: JenkinsTag}
	cron := JenkinsSituation{Event: JenkinsSchedule}
	situations := []JenkinsSituation{change, own, branch, other, tag, cron}
	// One letter for each situation.
	for gate, want := range map[string]string{
		`branch 'main'`: "ffTuuu",
		`branch 'PR-*'`: "TTfuuu",
		`branch pattern: "release-\\d+", comparator: "REGEXP"`: "fffuuu",
		`branch 'release/**'`:                   "fffuuu",
		`branch '*'`:                            "TTTuuu",
		`changeRequest()`:                       "TTfffu",
		`not { changeRequest() }`:               "ffTTTu",
		`changeRequest target: 'main'`:          "TTfffu",
		`changeRequest target: 'dev'`:           "fffffu",
		`changeRequest fork: 'x'`:               "ufuuuu", // fixed below
		`buildingTag()`:                         "ffffTu",
		`tag 'v*'`:                              "ffffuu",
		`anyOf { branch 'main'; branch 'dev' }`: "ffTuuu",
		`allOf { branch 'main'; environment name: 'X', value: 'y' }`: "ffuuuu",
		`beforeAgent true; branch 'main'`:                            "ffTuuu",
		`expression { env.CHANGE_ID == null }`:                       "ffTTTu",
		`expression { return !env.CHANGE_FORK }`:                     "fTTTTu",
		`expression { BRANCH_NAME == 'main' }`:                       "ffTuuu",
		`expression { env.BRANCH_NAME ==~ /PR-.*/ }`:                 "TTfuuu",
		`expression { params.X }`:                                    "uuuuuu",
		`environment name: 'CHANGE_TARGET', value: 'main'`:           "TTfffu",
		`equals expected: 'main', actual: env.BRANCH_NAME`:           "ffTuuu",
		`triggeredBy 'TimerTrigger'`:                                 "fffffT",
		`changeset '**/*.js'`:                                        "uuuuuu",
		`expression { env.BRANCH_NAME in ['main', 'dev'] }`:          "ffTuuu",
		`expression { ['main'].contains(env.BRANCH_NAME) }`:          "ffTuuu",
		`expression { env.BRANCH_NAME.startsWith('PR-') }`:           "TTfuuu",
		`expression { env.TAG_NAME ? true : false }`:                 "ffffTu",
		`expression { env.CHANGE_ID && false }`:                      "ffffff",
	} {
		if gate == `changeRequest fork: 'x'` {
			want = "uffffu"
		}
		got := ""
		for _, s := range situations {
			got += map[Truth]string{True: "T", False: "f", Undecided: "u"}[Clause{Kind: ClauseWhen, Text: Text{Value: gate}}.Decide(s)]
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", gate, got, want)
		}
	}
	if g := (Clause{Kind: ClauseIf, Not: true, Text: Text{Value: "env.CHANGE_ID"}}); g.Decide(change) != False || g.Decide(branch) != True {
		t.Error("if not CHANGE_ID")
	}
	if (Clause{Kind: ClausePost, Text: Text{Value: "always"}}).Decide(change) != True || (Clause{Kind: ClausePost, Text: Text{Value: "failure"}}).Decide(change) != Undecided {
		t.Error("post")
	}
	if (Clause{Kind: ClauseInput}).Decide(change) != Undecided {
		t.Error("input")
	}
}

// TestJenkinsHostile reads what nests, repeats and never ends.
func TestJenkinsHostile(t *testing.T) {
	const n = 5_000
	for _, src := range []string{
		strings.Repeat("(", n), strings.Repeat("[", n), strings.Repeat("{", n), strings.Repeat("a{", n), strings.Repeat("a(", n),
		strings.Repeat("\"${", n), strings.Repeat("\"\"\"${", n), strings.Repeat("\"${a}", n), strings.Repeat("/${", n), strings.Repeat("$/${", n), strings.Repeat("/a\n", n),
		strings.Repeat("!", n), strings.Repeat("a.", n), "x = " + strings.Repeat("a+", n) + "a", "sh " + strings.Repeat("'a'+", n) + "b",
		strings.Repeat("a?b:", n), strings.Repeat("if(a)", n), strings.Repeat("else ", n), strings.Repeat("@A", n), strings.Repeat("a:", n), strings.Repeat("def ", n),
		strings.Repeat("x -> ", n), strings.Repeat("{a,", n), strings.Repeat("A<", n), strings.Repeat("a[0]", n), strings.Repeat("f()", n), strings.Repeat("f(){", n),
		strings.Repeat("/*", n), strings.Repeat("'", n), strings.Repeat("\\", n), strings.Repeat("case a:", n), strings.Repeat("stage('x'){", n),
		strings.Repeat("stage('x') { sh 'y' }\n", n), "sh \"" + strings.Repeat("$a", n) + "\"", "sh \"" + strings.Repeat("\\n", n) + "\"",
		"pipeline{stages{" + strings.Repeat("stage('x'){stages{", n), "def f(){" + strings.Repeat("g();", 50) + "}\ndef g(){" + strings.Repeat("h();", 50) + "}\ndef h(){" + strings.Repeat("sh 'x';", 50) + "}\nf()",
		"a = " + strings.Repeat("b ? ", n), strings.Repeat("try{", n), strings.Repeat("switch(a){", n), strings.Repeat("new ", n), strings.Repeat("return ", n), strings.Repeat("as ", n),
		strings.Repeat("\n.a", n), strings.Repeat("(String)", n), strings.Repeat("for(", n), strings.Repeat("class A{", n),
		strings.Repeat("if(a)return\n", n) + "sh 'x'", "pipeline{environment{" + strings.Repeat("A='b'\n", n) + "}}", "pipeline{environment{" + strings.Repeat("A=credentials('b')\n", n) + "}}",
		"f(" + strings.Repeat("[:],", n) + ")", "a" + strings.Repeat(",[:]", n), strings.Repeat("if(a){b=sh 'x'}\nsh \"$b\"\n", n/4), strings.Repeat("stage 'a'\nsh 'x'\n", n/10),
		strings.Repeat("checkout(", n), strings.Repeat("withEnv(['A=b']){", n), strings.Repeat("parallel(a:{", n), strings.Repeat("input 'x'\n", n), strings.Repeat("sh 'x'\n", n),
		strings.Repeat("x.each{y->", n), strings.Repeat("readFile(", n), strings.Repeat("@Library('a') _\n", n), "properties([" + strings.Repeat("parameters([string(name:'a')]),", n) + "])",
	} {
		p := ParseJenkins("Jenkinsfile", KindJenkinsfile, []byte(src))
		checkModel(t, p, []byte(src))
		steps := 0
		for _, j := range p.Jobs {
			steps += len(j.Steps)
		}
		if steps > jenkinsMaxSteps+10 || len(p.Jobs) > jenkinsMaxJobs || len(p.Notes) > maxNotes {
			t.Errorf("%.20q: %d steps, %d jobs, %d notes", src, steps, len(p.Jobs), len(p.Notes))
		}
		v := NewJenkinsValues(p)
		for j := range p.Jobs {
			for s := range p.Jobs[j].Steps {
				if s%16 == 0 {
					v.Variable(j, s, "b")
				}
			}
		}
		JenkinsTextPaths(src)
		Clause{Kind: ClauseWhen, Text: Text{Value: src}}.Decide(JenkinsSituation{Event: JenkinsChange})
		Clause{Kind: ClauseIf, Text: Text{Value: src}}.Decide(JenkinsSituation{Event: JenkinsChange})
	}
}

func FuzzParseJenkins(f *testing.F) {
	files, _ := filepath.Glob("testdata/jenkins/*.jenkinsfile")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{"sh \"a ${b ? \"c\" : 'd'} $e.f\"", "pipeline{agent any\nstages{stage('a'){when{branch 'x'}steps{sh 'b'}}}}", "x = y /z/ w", "@Library('a@b') _", "node{\nsh $/a$$/$}", "a?.b*.c::d", "sh \"a ${b "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := ParseJenkins("Jenkinsfile", KindJenkinsfile, b)
		checkModel(t, p, b)
		v := NewJenkinsValues(p)
		for j := range p.Jobs {
			for s, st := range p.Jobs[j].Steps {
				for _, part := range st.Run.Parts {
					v.Origins(j, s, st.Run.Source(part))
				}
				if st.Run.IsSet() {
					AnalyseScript(st.Run.Value, st.Run.Shell.Get().Value, ShellInput{Templates: TemplateParts, Parts: st.Run.Parts, Steps: 2000})
				}
				for _, g := range st.Clauses {
					g.Decide(JenkinsSituation{Event: JenkinsChange})
				}
			}
			for _, g := range p.Jobs[j].Clauses {
				g.Decide(JenkinsSituation{Event: JenkinsBranch, Branch: "main"})
			}
		}
	})
}

// checkModel holds for every Jenkinsfile: spans lie in it, texts and expressions
// stand where they say.
func checkModel(t *testing.T, p *Pipeline, b []byte) {
	t.Helper()
	file := penstock.Span{End: int64(len(b))}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch x := v.Interface().(type) {
		case penstock.Span:
			if x.Start > x.End || !file.Contains(x) {
				t.Fatalf("span %v lies outside of the file", x)
			}
			return
		case Text:
			if n := x.Map.Len(); n != 0 && n != len(x.Value) {
				t.Fatalf("map of %d for %q", n, x.Value)
			}
			last := 0
			for i, e := range x.Parts {
				if e.From < last || e.From > e.Inner || e.Inner > e.InnerTo || e.InnerTo > e.To || e.To > len(x.Value) || !x.Span.Contains(e.Span) {
					t.Fatalf("expression %d of %q: %+v in %v", i, x.Value, e, x.Span)
				}
				if string(b[e.Span.Start:e.Span.End]) != x.Value[e.From:e.To] {
					t.Fatalf("%q stands at %q", x.Value[e.From:e.To], b[e.Span.Start:e.Span.End])
				}
				last = e.To
			}
			walk(reflect.ValueOf(x.Span))
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(p))
	if len(p.Notes) > maxNotes {
		t.Fatalf("%d notes", len(p.Notes))
	}
}
