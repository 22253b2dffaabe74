package pipeline

import (
	"strings"
	"testing"

	"penstock"
)

// fixTemplateIn repairs the first expression of a step of a definition.
func fixTemplateIn(t testing.TB, text string) (after string, f *penstock.Fix) {
	t.Helper()
	p := parse(".github/workflows/x.yml", KindWorkflow, []byte(text))
	x := newProject("", []*Pipeline{p}, Settings{Repairs: true}, textTree{})
	for at := range p.steps() {
		for _, d := range append([]Data{{Kind: DataScalar, Text: at.Step.Run.Text}}, at.Step.With.Get("script")) {
			if len(d.Text.Parts) > 0 {
				flaw := Flaw{Rule: "template-injection", Place: p.place(d.Text.Parts[0].Span)}
				if f = fixTemplate(newEditor(x, p), &flaw); f == nil {
					return "", nil
				}
				return applyEdits(t, text, f.Edits), f
			}
		}
	}
	t.Fatal("no expression")
	return "", nil
}

// What the script becomes, for each kind of place that an expression can stand in.
func TestFixTemplateQuotes(t *testing.T) {
	const title = "${{ github.event.issue.title }}"
	for _, c := range []struct{ name, shell, script, want string }{
		{"double quotes", "", `echo "New: ` + title + `!"`, `echo "New: $ISSUE_TITLE!"`},
		{"double quotes, a letter behind", "", `echo "` + title + `s"`, `echo "${ISSUE_TITLE}s"`},
		{"unquoted", "", "echo " + title, `echo "$ISSUE_TITLE"`},
		{"unquoted within a word", "", "echo a/" + title + "/b", `echo a/"$ISSUE_TITLE"/b`},
		{"assignment", "", "X=" + title + "\necho", "X=\"$ISSUE_TITLE\"\necho"},
		{"single quotes alone", "", "echo '" + title + "'", `echo "$ISSUE_TITLE"`},
		{"single quotes", "", "echo 'a " + title + " b'", `echo 'a '"$ISSUE_TITLE"' b'`},
		{"single quotes, first", "", "echo '" + title + " b'", `echo "$ISSUE_TITLE"' b'`},
		{"here-document", "", "cat <<E\n" + title + "\nE", "cat <<E\n$ISSUE_TITLE\nE"},
		{"quoted here-document", "", "cat <<'E'\n" + title + "\nE", ""},
		{"ansi quotes", "", "echo $'a " + title + "'", ""},
		{"arithmetic", "", "echo $((" + title + " + 1))", ""},
		{"command", "", title + " x", ""},
		{"behind a backslash", "", `echo "\` + title + `"`, ""},
		{"a runner's own", "", `echo "${{ github.head_ref }}"`, `echo "$GITHUB_HEAD_REF"`},
		{"a runner's own that the script sets", "", "GITHUB_REF=x\necho \"${{ github.ref }}\"", "GITHUB_REF=x\necho \"$REF\""},
		{"a variable of the workflow", "", `echo "${{ env.WHAT }}"`, `echo "$WHAT"`},
		{"a name that is taken", "", "ISSUE_TITLE=1; echo \"" + title + `"`, `ISSUE_TITLE=1; echo "$ISSUE_TITLE_2"`},
		{"a name that programs read", "", `echo "${{ vars.x }} ${{ steps.go.outputs.flags }}"`, `echo "$VARS_X ${{ steps.go.outputs.flags }}"`},
		{"nothing, or an option", "", `tool ${{ inputs.x && '--x' || '' }}`, `tool $INPUTS_X`},
		{"PowerShell", "pwsh", `Write-Host "a ` + title + `"`, `Write-Host "a $env:ISSUE_TITLE"`},
		{"PowerShell, a letter behind", "pwsh", `Write-Host "` + title + `s"`, `Write-Host "${env:ISSUE_TITLE}s"`},
		{"PowerShell, single quotes", "pwsh", `$x = '` + title + `'`, `$x = $env:ISSUE_TITLE`},
		{"PowerShell, within single quotes", "pwsh", `$x = 'a ` + title + `'`, ""},
		{"cmd", "cmd", `echo ` + title, ""},
		{"Python without os", "python", `print("` + title + `")`, ""},
		{"Python", "python", "import os\nprint(\"" + title + `")`, "import os\nprint(os.environ[\"ISSUE_TITLE\"])"},
		{"Python, formatted", "python", "import os\nprint(f\"" + title + `")`, ""},
		{"JavaScript, template", "js", "const x = `a " + title + "`", "const x = `a ${process.env.ISSUE_TITLE}`"},
		{"JavaScript, whole template", "js", "const x = `" + title + "`", "const x = process.env.ISSUE_TITLE"},
		{"JavaScript, string", "js", `f('` + title + `')`, `f(process.env.ISSUE_TITLE)`},
		{"JavaScript, part of a string", "js", `f('a ` + title + `')`, ""},
		{"JavaScript, code", "js", `f(` + title + `)`, ""},
		{"JavaScript, data", "js", `f(${{ toJSON(github.event.issue.labels) }})`, `f(JSON.parse(process.env.ISSUE_LABELS))`},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := "on: issues\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - "
			body := "|\n          " + strings.ReplaceAll(c.script, "\n", "\n          ") + "\n"
			switch c.shell {
			case "":
				head += "run: "
			case "js":
				head += "uses: actions/github-script@v7\n        with:\n          script: "
				body = "|\n            " + strings.ReplaceAll(c.script, "\n", "\n            ") + "\n"
			default:
				head += "shell: " + c.shell + "\n        run: "
			}
			after, f := fixTemplateIn(t, head+body)
			if c.want == "" {
				if f != nil {
					t.Fatalf("repaired:\n%s", after)
				}
				return
			}
			if f == nil {
				t.Fatal("not repaired")
			}
			p := parse(".github/workflows/x.yml", KindWorkflow, []byte(after))
			s := &p.Jobs[0].Steps[0]
			got := s.Run.Value
			if c.shell == "js" {
				got = s.With.Get("script").Text.Value
			}
			if got = strings.TrimSuffix(got, "\n"); got != c.want {
				t.Errorf("script %q, want %q", got, c.want)
			}
			if len(p.Notes) > 0 {
				t.Errorf("%v in\n%s", p.Notes, after)
			}
		})
	}
}

// How files are written does not matter, and stays.
func TestFixTemplateLayout(t *testing.T) {
	for _, c := range []struct{ name, before, want string }{
		{"before run", "jobs:\n  a:\n    steps:\n    -   name: x # y\n        # why\n        run:  'echo \"${{ inputs.a }}\"'   # z\n        if: b\n",
			"jobs:\n  a:\n    steps:\n    -   name: x # y\n        env:\n          INPUTS_A: ${{ inputs.a }}\n        # why\n        run:  'echo \"$INPUTS_A\"'   # z\n        if: b\n"},
		{"single quotes of YAML", "jobs: {a: {steps: [{name: x, run: 'echo ''${{ inputs.a }} b'''}]}}",
			"jobs: {a: {steps: [{name: x, env: { INPUTS_A: \"${{ inputs.a }}\" }, run: 'echo \"$INPUTS_A\"'' b'''}]}}"},
		{"double quotes of YAML", "jobs:\n  a:\n    steps:\n      - run: \"echo ${{ inputs.a }}\"\n",
			"jobs:\n  a:\n    steps:\n      - run: \"echo \\\"$INPUTS_A\\\"\"\n        env:\n          INPUTS_A: ${{ inputs.a }}\n"},
		{"lines of Windows, no end", "jobs:\r\n  a:\r\n    steps:\r\n      - run: |\r\n          echo \"${{ inputs.a }}\"",
			"jobs:\r\n  a:\r\n    steps:\r\n      - run: |\r\n          echo \"$INPUTS_A\"\r\n        env:\r\n          INPUTS_A: ${{ inputs.a }}"},
		{"byte order mark", "\xef\xbb\xbfjobs:\n  a:\n    steps:\n      - run: >\n          echo\n          \"${{ inputs.a }}\"\n\n      - run: x\n",
			"\xef\xbb\xbfjobs:\n  a:\n    steps:\n      - run: >\n          echo\n          \"$INPUTS_A\"\n        env:\n          INPUTS_A: ${{ inputs.a }}\n\n      - run: x\n"},
		{"variables that are there", "jobs:\n  a:\n    steps:\n      - run: echo \"${{ inputs.a }}\"\n        env:\n            B: 1 # c\n      - run: x\n",
			"jobs:\n  a:\n    steps:\n      - run: echo \"$INPUTS_A\"\n        env:\n            B: 1 # c\n            INPUTS_A: ${{ inputs.a }}\n      - run: x\n"},
		{"variables in braces", "jobs:\n  a:\n    steps:\n      - env: {B: 1}\n        run: echo \"${{ inputs.a }}\"\n",
			"jobs:\n  a:\n    steps:\n      - env: {B: 1, INPUTS_A: \"${{ inputs.a }}\"}\n        run: echo \"$INPUTS_A\"\n"},
		{"the same variable", "jobs:\n  a:\n    steps:\n      - env: {B: \"${{ inputs.a }}\"}\n        run: echo \"${{ inputs.a }}\"\n",
			"jobs:\n  a:\n    steps:\n      - env: {B: \"${{ inputs.a }}\"}\n        run: echo \"$B\"\n"},
		{"steps at the same time", "jobs:\n  a:\n    steps:\n      - parallel:\n          - name: x\n            run: echo \"${{ inputs.a }}\"\n",
			"jobs:\n  a:\n    steps:\n      - parallel:\n          - name: x\n            env:\n              INPUTS_A: ${{ inputs.a }}\n            run: echo \"$INPUTS_A\"\n"},
		{"an anchor", "jobs:\n  a:\n    steps:\n      - &s\n        run: echo \"${{ inputs.a }}\"\n      - *s\n", ""},
		{"variables by an alias", "env: &e {A: 1}\njobs:\n  a:\n    steps:\n      - env: *e\n        run: echo \"${{ inputs.a }}\"\n", ""},
		{"variables by an expression", "jobs:\n  a:\n    steps:\n      - env: ${{ fromJSON(inputs.e) }}\n        run: echo \"${{ inputs.a }}\"\n", ""},
		{"several systems", "jobs:\n  a:\n    runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [ubuntu-latest, windows-latest]}}\n    steps:\n      - run: echo \"${{ inputs.a }}\"\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if after, _ := fixTemplateIn(t, c.before); after != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", after, c.want)
			}
		})
	}
}

// A repair is made of bytes in the file, and never fails, whatever the file holds.
func FuzzFix(f *testing.F) {
	for _, r := range Rules() {
		for _, e := range r.Examples {
			for _, file := range ExampleFiles(e.Bad) {
				if Detect(file.Path) == KindWorkflow {
					f.Add(file.Text)
				}
			}
		}
	}
	f.Add("jobs: {a: {steps: [{run: 'a ${{ inputs.a }} ${{ inputs.go }}'}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 20_000 {
			t.Skip()
		}
		p := parse(".github/workflows/x.yml", KindWorkflow, []byte(text))
		x := newProject("", []*Pipeline{p}, Settings{Repairs: true}, textTree{})
		flaws := found(x)
		for at := range p.steps() {
			for _, part := range at.Step.Run.Parts {
				flaws = append(flaws, Flaw{Rule: "template-injection", Place: p.place(part.Span)})
			}
		}
		for i := range flaws {
			flaws[i].Fix = nil
		}
		x.repair(flaws)
		for i := range flaws {
			if f := flaws[i].Fix; f != nil {
				var own []penstock.Edit
				for _, e := range f.Edits {
					switch {
					case e.New && e.Path == ".github/workflows/x-untrusted.yml" && e.Start >= 0 && e.Start <= e.End && e.End <= int64(len(text)):
					case e.New || e.Path != p.Path:
						t.Fatalf("edit of %q", e.Path)
					default:
						own = append(own, e)
					}
				}
				applyEdits(t, text, own)
			}
		}
	})
}
