package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// treeOf is a tree in memory.
func treeOf(files map[string]string) GitLabTree {
	return GitLabTree{
		Read: func(p string) ([]byte, error) {
			if s, ok := files[p]; ok {
				return []byte(s), nil
			}
			return nil, errors.New("not there")
		},
		List: func(folder string) []string {
			var out []string
			for p := range files {
				if folder == "" || strings.HasPrefix(p, folder+"/") {
					out = append(out, p)
				}
			}
			slices.Sort(out)
			return out
		},
	}
}

// mergeFiles merges files whose first is root.
func mergeFiles(t *testing.T, root string, files map[string]string) *Pipeline {
	t.Helper()
	p := MergeGitLab(root, []byte(files[root]), treeOf(files))
	checkGitLab(t, files, p)
	return p
}

// shown writes what a merged pipeline comes to, each text with its file.
func shown(files map[string]string, p *Pipeline) []string {
	at := func(t Text) string {
		if !t.IsSet() {
			return "-"
		}
		file, s := p.Locate(t.Span)
		line := 1 + strings.Count(files[file][:s.Start], "\n")
		return fmt.Sprintf("%s@%s:%d", t.Value, strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".yml"), line)
	}
	var out []string
	for _, i := range p.Includes {
		if i.Found == "" {
			out = append(out, "unresolved "+at(i.Text))
		}
	}
	for _, n := range p.Notes {
		file, s := p.Locate(n.Span)
		out = append(out, fmt.Sprintf("note %d %s %q", n.Kind, file, files[file][s.Start:s.End]))
	}
	for _, f := range p.Env.Fields {
		out = append(out, "env "+f.Name.Value+" "+at(f.Value.Text))
	}
	for _, j := range p.Jobs {
		line := "job " + at(j.ID)
		add := func(name string, t Text) {
			if t.IsSet() {
				line += " " + name + " " + at(t)
			}
		}
		add("stage", j.Stage)
		add("image", j.Container.Get().Image)
		for _, l := range j.RunsOn.Labels {
			add("tag", l)
		}
		for _, f := range j.Env.Fields {
			line += " " + f.Name.Value + "=" + at(f.Value.Text)
		}
		for _, r := range j.Rules {
			add("if", r.If)
		}
		out = append(out, line)
		for _, s := range j.Steps {
			off := 0
			for _, l := range strings.Split(s.Run.Value, "\n") {
				if l != "" {
					sp := s.Run.At(off, off+len(l))
					file, in := p.Locate(sp)
					out = append(out, fmt.Sprintf("  %d %s <- %s %q", s.Phase, l, file, files[file][in.Start:in.End]))
				}
				off += len(l) + 1
			}
		}
	}
	return out
}

func TestMergeGitLab(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"the file overrides what it includes, and maps are joined", map[string]string{
			".gitlab-ci.yml": "include: /ci/a.yml\nvariables: {B: root}\njob:\n  image: mine\n",
			"ci/a.yml":       "variables: {A: a, B: a}\njob:\n  image: theirs\n  script: [run]\nmore: {script: x}\n",
		}, `
env A a@a:1
env B root@.gitlab-ci:2
job job@.gitlab-ci:3 image mine@.gitlab-ci:4
  2 run <- ci/a.yml "run"
job more@a:5
  2 x <- ci/a.yml "x"`},
		{"later includes override earlier ones, and nested ones are under their file", map[string]string{
			".gitlab-ci.yml": "include: [{local: a.yml}, {local: b.yml}]\n",
			"a.yml":          "include: c.yml\nj: {image: a, stage: a}\n",
			"b.yml":          "j: {image: b}\n",
			"c.yml":          "j: {image: c, stage: c, tags: [c]}\n",
		}, `
job j@b:1 stage a@a:2 image b@b:1 tag c@c:1`},
		{"extends: several levels, lists, and what is own", map[string]string{
			".gitlab-ci.yml": ".a: {image: a, variables: {A: a, X: a}, script: [a]}\n.b: {extends: .a, variables: {B: b, X: b}}\n.c: {image: c, rules: [{if: $C}]}\njob: {extends: [.b, .c], variables: {X: own}}\n",
		}, `
job job@.gitlab-ci:4 image c@.gitlab-ci:3 A=a@.gitlab-ci:1 X=own@.gitlab-ci:4 B=b@.gitlab-ci:2 if $C@.gitlab-ci:3
  2 a <- .gitlab-ci.yml "a"`},
		{"a job extends one of another file that is included later", map[string]string{
			".gitlab-ci.yml": "include: [a.yml, b.yml]\n",
			"a.yml":          "job: {extends: .t}\n", "b.yml": ".t: {image: t}\n",
		}, `
job job@a:1 image t@b:1`},
		{"default, globals and inherit", map[string]string{
			".gitlab-ci.yml": "image: global\nbefore_script: [setup]\ndefault: {tags: [d]}\none: {script: [a]}\ntwo: {image: own, script: [b], inherit: {default: [tags]}}\nthree: {script: c, inherit: {default: false}}\nfour: {trigger: a/b}\nfive: {before_script: [], script: e, tags: null}\n",
		}, `
job one@.gitlab-ci:4 image global@.gitlab-ci:1 tag d@.gitlab-ci:3
  2 setup <- .gitlab-ci.yml "setup"
  2 a <- .gitlab-ci.yml "a"
job two@.gitlab-ci:5 image own@.gitlab-ci:5 tag d@.gitlab-ci:3
  2 b <- .gitlab-ci.yml "b"
job three@.gitlab-ci:6
  2 c <- .gitlab-ci.yml "c"
job four@.gitlab-ci:7
job five@.gitlab-ci:8 image global@.gitlab-ci:1 tag d@.gitlab-ci:3
  2 e <- .gitlab-ci.yml "e"`},
		{"references, into other files and nested", map[string]string{
			".gitlab-ci.yml": "include: a.yml\njob:\n  image: !reference [.img, image]\n  before_script: [!reference [.a, script], own]\n  script: [!reference [.b, script], last]\n  rules: [!reference [.b, rules]]\n",
			"a.yml":          ".img: {image: x}\n.a: {script: [one, two]}\n.b:\n  script: [!reference [.a, script], three]\n  rules: [{if: $B}]\n",
		}, `
job job@.gitlab-ci:2 image x@a:1 if $B@a:5
  2 one <- a.yml "one"
  2 two <- a.yml "two"
  2 own <- .gitlab-ci.yml "own"
  2 one <- a.yml "one"
  2 two <- a.yml "two"
  2 three <- a.yml "three"
  2 last <- .gitlab-ci.yml "last"`},
		{"inputs", map[string]string{
			".gitlab-ci.yml": "include:\n  - local: t.yml\n    inputs: {name: one, tags: [x, y], cmd: 'long command'}\n  - local: t.yml\n    inputs: {name: two}\n",
			"t.yml":          "spec:\n  inputs:\n    name:\n    image: {default: alpine}\n    tags: {type: array, default: [d]}\n    cmd: {default: nothing}\n---\n\"job-$[[ inputs.name ]]\":\n  image: $[[ inputs.image ]]:3\n  tags: $[[ inputs.tags ]]\n  script: echo \"$[[ inputs.cmd | truncate(0,4) ]] $[[inputs.cmd]]\" $[[ inputs.none ]]\n",
		}, `
note 6 t.yml "$[[ inputs.none ]]"
note 6 t.yml "$[[ inputs.none ]]"
job job-one@t:8 image alpine:3@t:9 tag x@.gitlab-ci:3 tag y@.gitlab-ci:3
  2 echo "long long command" $[[ inputs.none ]] <- t.yml "echo \"$[[ inputs.cmd | truncate(0,4) ]] $[[inputs.cmd]]\" $[[ inputs.none ]]"
job job-two@t:8 image alpine:3@t:9 tag d@t:5
  2 echo "noth nothing" $[[ inputs.none ]] <- t.yml "echo \"$[[ inputs.cmd | truncate(0,4) ]] $[[inputs.cmd]]\" $[[ inputs.none ]]"`},
		{"inputs of the first file stay", map[string]string{
			".gitlab-ci.yml": "spec: {inputs: {a: {default: x}}}\n---\ninclude: {local: t.yml, inputs: {b: '$[[ inputs.a ]]'}}\n",
			"t.yml":          "spec: {inputs: {b: }}\n---\nj: {script: 'echo $[[ inputs.b ]]'}\n",
		}, `
job j@t:3
  2 echo $[[ inputs.a ]] <- t.yml "echo $[[ inputs.b ]]"`},
		{"wildcards", map[string]string{
			".gitlab-ci.yml": "include: [ci/*.yml, 'deep/**/*.yml', 'none/*.yml']\n",
			"ci/a.yml":       "a: {script: x}\n", "ci/b.yml": "b: {script: x}\n", "ci/c.txt": "c: {script: x}\n", "ci/sub/d.yml": "d: {script: x}\n",
			"deep/e.yml": "e: {script: x}\n", "deep/x/y/f.yml": "f: {script: x}\n",
		}, `
unresolved none/*.yml@.gitlab-ci:1
note 6 .gitlab-ci.yml "'none/*.yml'"
job a@a:1
  2 x <- ci/a.yml "x"
job b@b:1
  2 x <- ci/b.yml "x"
job e@e:1
  2 x <- deep/e.yml "x"
job f@f:1
  2 x <- deep/x/y/f.yml "x"`},
		{"a repository below the root of the tree, and one around the file", map[string]string{
			"repo/ci/x.gitlab-ci.yml": "include: [/ci/a.yml, '../../secret.yml']\n",
			"repo/ci/a.yml":           "a: {script: x}\n",
			"ci/a.yml":                "wrong: {script: x}\n",
		}, `
unresolved ../../secret.yml@x.gitlab-ci:1
note 6 repo/ci/x.gitlab-ci.yml "'../../secret.yml'"
job a@a:1
  2 x <- repo/ci/a.yml "x"`},
		{"what is not in the tree", map[string]string{
			".gitlab-ci.yml": "include:\n  - {project: a/b, file: [x.yml, y.yml], ref: main}\n  - {remote: 'https://example.com/z.yml'}\n  - {template: T.gitlab-ci.yml}\n  - {component: h/a/b/c@1}\n  - {local: $DIR/x.yml}\n  - {project: $CI_PROJECT_PATH, file: own.yml}\nj: {extends: .theirs, script: !reference [.theirs, script]}\n",
			"own.yml":        "own: {script: x}\n",
		}, `
unresolved x.yml@.gitlab-ci:2
unresolved y.yml@.gitlab-ci:2
unresolved https://example.com/z.yml@.gitlab-ci:3
unresolved T.gitlab-ci.yml@.gitlab-ci:4
unresolved h/a/b/c@1@.gitlab-ci:5
unresolved $DIR/x.yml@.gitlab-ci:6
job own@own:1
  2 x <- own.yml "x"
job j@.gitlab-ci:8`},
		{"loops", map[string]string{
			".gitlab-ci.yml": "include: a.yml\n.x: {extends: .y}\n.y: {extends: .x, image: y}\nj: {extends: .x, script: [!reference [.r, script]]}\n.r: {script: [!reference [j, script], r]}\n",
			"a.yml":          "include: [b.yml, .gitlab-ci.yml]\na: {script: x}\n", "b.yml": "include: a.yml\n",
		}, `
note 7 b.yml "a.yml"
note 7 a.yml ".gitlab-ci.yml"
note 7 .gitlab-ci.yml ".x"
note 7 .gitlab-ci.yml "[!reference [.r, script]]"
job a@a:2
  2 x <- a.yml "x"
job j@.gitlab-ci:4 image y@.gitlab-ci:3
  2 r <- .gitlab-ci.yml "r"`},
		{"what is missing", map[string]string{
			".gitlab-ci.yml": "j: {extends: .no, script: [!reference [.no, script], !reference [j, no], x], image: !reference [j, [a]]}\n",
		}, `
note 6 .gitlab-ci.yml ".no"
note 6 .gitlab-ci.yml "[.no, script]"
note 6 .gitlab-ci.yml "[j, no]"
note 6 .gitlab-ci.yml "[j, [a]]"
job j@.gitlab-ci:1
  2 x <- .gitlab-ci.yml "x"`},
		{"anchors of included files, and comments", map[string]string{
			".gitlab-ci.yml": "include: {local: a.yml} # here\n",
			"a.yml":          ".a: &a [one, two]\n.b: &b {image: b}\nj: {<<: *b, script: [*a, three]} # there\n",
		}, `
job j@a:3 image b@a:2
  2 one <- a.yml "one"
  2 two <- a.yml "two"
  2 three <- a.yml "three"`},
		{"an included file that is broken", map[string]string{
			".gitlab-ci.yml": "include: [a.yml, b.yml]\nj: {script: x}\n",
			"a.yml":          "a: {script: y}\nb: [\n", "b.yml": "",
		}, `
note 1 a.yml "b: [\n"
job a@a:1
  2 y <- a.yml "y"
job j@.gitlab-ci:2
  2 x <- .gitlab-ci.yml "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := ".gitlab-ci.yml"
			if _, ok := c.files[root]; !ok {
				root = "repo/ci/x.gitlab-ci.yml"
			}
			p := mergeFiles(t, root, c.files)
			slices.SortStableFunc(p.Notes, func(a, b Note) int { return int(a.Kind) - int(b.Kind) })
			if d := cmp.Diff(lines(c.want), shown(c.files, p)); d != "" {
				t.Errorf("merged (-want +got):\n%s", d)
			}
		})
	}
}

// Copies of other projects' files in the tree are read, and what they include is
// theirs.
func TestMergeGitLabVendored(t *testing.T) {
	files := map[string]string{
		".gitlab-ci.yml":   "include: {project: a/b, ref: v1, file: /x.yml}\n",
		"vendor/a/b/x.yml": "include: [{local: y.yml}]\nj: {script: x}\n",
		"vendor/a/b/y.yml": "k: {script: y}\n",
		"y.yml":            "wrong: {script: y}\n",
	}
	tree := treeOf(files)
	var asked []string
	tree.Vendored = func(in Include) string {
		asked = append(asked, in.Owner+"/"+in.Repo+"/"+in.Path+"@"+in.Ref)
		return "vendor/" + in.Owner + "/" + in.Repo + "/" + in.Path
	}
	p := MergeGitLab(".gitlab-ci.yml", []byte(files[".gitlab-ci.yml"]), tree)
	if d := cmp.Diff([]string{"a/b/x.yml@v1", "a/b/y.yml@v1"}, asked); d != "" {
		t.Errorf("asked for (-want +got):\n%s", d)
	}
	if d := cmp.Diff(lines("\njob k@y:1\n  2 y <- vendor/a/b/y.yml \"y\"\njob j@x:2\n  2 x <- vendor/a/b/x.yml \"x\""), shown(files, p)); d != "" {
		t.Errorf("merged (-want +got):\n%s", d)
	}
}

func gitlabJobOf(p *Pipeline, name string) *Job {
	for i := range p.Jobs {
		if p.Jobs[i].ID.Value == name {
			return &p.Jobs[i]
		}
	}
	return nil
}

func TestGitLabChild(t *testing.T) {
	files := map[string]string{
		"x/.gitlab-ci.yml": "include: a.yml\nj:\n  trigger:\n    include:\n      - {local: child.yml, inputs: {n: one}}\n      - {artifact: made.yml, job: make}\n",
		"x/a.yml":          "k: {trigger: {include: /child.yml, inputs: {n: two}}}\nl: {trigger: a/b}\nm: {trigger: {include: .gitlab-ci.yml}}\n",
		"x/child.yml":      "spec: {inputs: {n: }}\n---\ninclude: a.yml # there\n\"$[[ inputs.n ]]\": {script: x}\n",
	}
	p := mergeFiles(t, "x/.gitlab-ci.yml", files)
	for job, want := range map[string]string{
		"j": "\nunresolved made.yml@.gitlab-ci:6\njob k@a:1\njob l@a:2\njob m@a:3\njob one@child:4\n  2 x <- x/child.yml \"x\"",
		"k": "\njob k@a:1\njob l@a:2\njob m@a:3\njob two@child:4\n  2 x <- x/child.yml \"x\"",
		"l": "", "m": "\nnote 7 x/a.yml \".gitlab-ci.yml\"",
	} {
		child := GitLabChild(p, gitlabJobOf(p, job), treeOf(files))
		if child == nil {
			if want != "" {
				t.Errorf("%s starts nothing", job)
			}
			continue
		}
		checkGitLab(t, files, child)
		if d := cmp.Diff(lines(want), shown(files, child)); d != "" {
			t.Errorf("child of %s (-want +got):\n%s", job, d)
		}
	}
}

// What a hostile repository makes of includes, templates and references ends.
func TestMergeGitLabBounds(t *testing.T) {
	has := func(t *testing.T, p *Pipeline, kind NoteKind) {
		t.Helper()
		if !slices.ContainsFunc(p.Notes, func(n Note) bool { return n.Kind == kind }) {
			t.Errorf("no note of kind %d in %+v", kind, p.Notes)
		}
	}
	t.Run("includes", func(t *testing.T) {
		files := map[string]string{".gitlab-ci.yml": "include: '*/*.yml'\n"}
		for i := range 400 {
			files[fmt.Sprintf("ci/%d.yml", i)] = fmt.Sprintf("j%d: {script: x}\n", i)
		}
		p := mergeFiles(t, ".gitlab-ci.yml", files)
		if len(p.Jobs) != maxIncludes {
			t.Errorf("%d jobs, want %d", len(p.Jobs), maxIncludes)
		}
		has(t, p, NoteLimit)
	})
	t.Run("includes that double", func(t *testing.T) {
		files := map[string]string{".gitlab-ci.yml": "include: [a0.yml, a0.yml]\n"}
		for i := range 40 {
			files[fmt.Sprintf("a%d.yml", i)] = fmt.Sprintf("include: [a%d.yml, a%d.yml]\n", i+1, i+1)
		}
		has(t, mergeFiles(t, ".gitlab-ci.yml", files), NoteLimit)
	})
	t.Run("references that double", func(t *testing.T) {
		var b strings.Builder
		b.WriteString(".a0: {script: [x, x, x, x, x, x, x, x, x, x]}\n")
		for i := 1; i <= 9; i++ {
			fmt.Fprintf(&b, ".a%d: {script: [%s]}\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("!reference [.a%d, script], ", i-1), 10), ", "))
		}
		b.WriteString("j: {script: !reference [.a9, script]}\n")
		has(t, MergeGitLab(".gitlab-ci.yml", []byte(b.String()), GitLabTree{}), NoteLimit)
	})
	t.Run("templates that are large", func(t *testing.T) {
		var b strings.Builder
		b.WriteString(".t:\n  variables:\n")
		for i := range 4000 {
			fmt.Fprintf(&b, "    A%d: x\n", i)
		}
		for i := range 4000 {
			fmt.Fprintf(&b, "j%d: {extends: .t, variables: {A1: y}}\n", i)
		}
		has(t, MergeGitLab(".gitlab-ci.yml", []byte(b.String()), GitLabTree{}), NoteLimit)
	})
	t.Run("templates that are deep", func(t *testing.T) {
		var b strings.Builder
		for i := range 50 {
			fmt.Fprintf(&b, ".t%d: {extends: .t%d}\n", i, i+1)
		}
		b.WriteString("j: {extends: .t0}\n")
		has(t, MergeGitLab(".gitlab-ci.yml", []byte(b.String()), GitLabTree{}), NoteLimit)
	})
	t.Run("inputs that grow", func(t *testing.T) {
		files := map[string]string{".gitlab-ci.yml": "include: {local: a0.yml, inputs: {x: " + strings.Repeat("y", 100) + "}}\n"}
		for i := range 18 {
			files[fmt.Sprintf("a%d.yml", i)] = fmt.Sprintf("spec: {inputs: {x: }}\n---\ninclude: {local: a%d.yml, inputs: {x: \"%s\"}}\n", i+1, strings.Repeat("$[[ inputs.x ]]", 10))
		}
		has(t, MergeGitLab(".gitlab-ci.yml", []byte(files[".gitlab-ci.yml"]), treeOf(files)), NoteLimit)
	})
}

func TestMatchFiles(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a/*.yml", "a/b.yml", true}, {"a/*.yml", "a/b/c.yml", false}, {"a/**.yml", "a/b/c.yml", true}, {"a/**/*.yml", "a/c.yml", true},
		{"a/**/*.yml", "a/b/d/c.yml", true}, {"**/x.yml", "x.yml", true}, {"*.yml", "x.yaml", false}, {"a/*/c.yml", "a/b/c.yml", true},
		{"a/*/c.yml", "a/c.yml", false}, {"", "", true}, {"*", "a/b", false}, {"**", "a/b", true},
	} {
		if got := matchFiles(c.pattern, c.name); got != c.want {
			t.Errorf("matchFiles(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func FuzzMergeGitLab(f *testing.F) {
	for _, s := range []string{
		"include: [a.yml, {local: 'b/*.yml', inputs: {x: 1}}]\nj: {extends: .t, script: [!reference [.t, script]]}\n",
		"spec: {inputs: {a: {default: [x]}}}\n---\n\"$[[ inputs.a ]]\": {script: '$[[ inputs.a | truncate(0,1) ]]', tags: $[[ inputs.a ]]}\n",
		"default: {image: x, before_script: [y]}\nj: {script: z, inherit: {default: [image]}, rules: [{if: $A == \"b\", when: manual}]}\n",
		".a: &a {<<: *a}\nj: {<<: [*a], only: {refs: [/x/], variables: [$A]}, trigger: {include: [{artifact: a, job: b}]}}\n",
		"workflow: {rules: [{if: $CI_COMMIT_TAG}, !reference [x, y]]}\nj: {needs: [{job: a}], run: [{step: a/b@c}], cache: [{key: {files: [a]}}]}\n",
		"x: !reference [x]\ny: !reference [y, 0, !reference [x]]\n",
	} {
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a)+len(b) > 4096 {
			return
		}
		files := map[string]string{".gitlab-ci.yml": string(a), "a.yml": string(b), "b/c.yml": string(a)}
		checkGitLab(t, files, ParseGitLab(".gitlab-ci.yml", a))
		p := mergeFiles(t, ".gitlab-ci.yml", files)
		for i := range p.Jobs {
			for _, s := range []GitLabSituation{{}, {Source: "push", OnDefault: False}, {Source: "merge_request_event", Fork: true}} {
				p.GitLabRun(s).Job(&p.Jobs[i])
			}
			GitLabCheckout(&p.Jobs[i], p, GitLabSituation{})
			if child := GitLabChild(p, &p.Jobs[i], treeOf(files)); child != nil && i < 3 {
				checkGitLab(t, files, child)
			}
			p.GitLabArtifactsFrom(&p.Jobs[i])
		}
	})
}
