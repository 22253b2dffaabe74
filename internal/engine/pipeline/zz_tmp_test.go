package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestZZReal(t *testing.T) {
	files, _ := filepath.Glob("/tmp/jf/*")
	re := regexp.MustCompile(`(?:^|[^\w.'"$/-])(?:steps\.|this\.|script\.)?(sh|bat|pwsh|powershell)\b\s*(?:\(|['"$\[]|[a-zA-Z_]+\s*[:+.]|[a-zA-Z_]+\s*$)`)
	var tot, found, filesN, missFiles int
	for _, fn := range files {
		b, _ := os.ReadFile(fn)
		src := string(b)
		toks, probs := lexGroovy(src)
		at := 0
		if strings.HasPrefix(src, "\ufeff") {
			at = 3
		}
		bad := false
		for _, k := range toks {
			if strings.Trim(strings.ReplaceAll(src[at:k.start], "\\", ""), " \t\f\v\r\n") != "" || int(k.start) < at {
				t.Errorf("%s: gap %q", fn, src[at:k.start])
				bad = true
				break
			}
			at = int(k.end)
			if k.kind == groovyBad {
				t.Logf("%s: bad token %q", fn, src[k.start:k.end])
			}
		}
		if at != len(src) {
			t.Errorf("%s: end %d of %d", fn, at, len(src))
		}
		_ = bad
		for _, p := range probs {
			t.Logf("%s: lex: %s at %q", fn, p.Message, src[p.Start:min(p.Start+40, int64(len(src)))])
		}
		p := ParseJenkins(fn, KindJenkinsfile, b)
		for _, n := range p.Notes {
			line := 1 + strings.Count(src[:n.Start], "\n")
			t.Logf("%s:%d: note %s %q", filepath.Base(fn), line, n.Message, src[n.Start:min(n.Start+40, int64(len(src)))])
		}
		// grep
		got := map[int]bool{}
		for _, j := range p.Jobs {
			for _, s := range j.Steps {
				if s.Run.IsSet() {
					got[1+strings.Count(src[:s.Span.Start], "\n")] = true
				}
			}
		}
		incode := []byte(src)
		for _, k := range toks {
			if k.kind == groovyComment || k.kind == groovyText || k.kind == groovyPiece {
				for i := k.start + 1; i < k.end; i++ {
					if incode[i] != '\n' {
						incode[i] = '_'
					}
				}
				if k.kind == groovyComment {
					incode[k.start] = ' '
				}
			}
		}
		filesN++
		miss := 0
		for i, l := range strings.Split(string(incode), "\n") {
			if re.MatchString(l) {
				tot++
				if got[i+1] {
					found++
				} else {
					miss++
					t.Logf("MISS %s:%d %s", filepath.Base(fn), i+1, strings.Split(src, "\n")[i])
				}
			}
		}
		if miss > 0 {
			missFiles++
		}
	}
	fmt.Println("files", filesN, "sh lines", tot, "found", found, "files with misses", missFiles)
	if fn := os.Getenv("ZZ"); fn != "" {
		b, _ := os.ReadFile(fn)
		p := ParseJenkins(fn, KindJenkinsfile, b)
		fmt.Println("triggers", len(p.Triggers), "inputs", len(p.Inputs), "libs", len(p.Libraries))
		for _, j := range p.Jobs {
			fmt.Printf("JOB %q ws=%d on=%v img=%q needs=%d", j.ID.Value, j.Workspace, texts(j.RunsOn.Labels), j.Container.Image.Value, len(j.Needs))
			for _, g := range j.Gates {
				fmt.Printf(" [%s not=%v %.60q]", g.Kind, g.Not, g.Value)
			}
			for _, c := range j.Credentials {
				fmt.Printf(" cred(%s %q %v)", c.Kind, c.ID.Value, texts(c.Variables))
			}
			for _, e := range j.Env.Fields {
				fmt.Printf(" %s=%.40q", e.Name.Value, e.Value.Text.Value)
			}
			fmt.Println()
			for _, s := range j.Steps {
				switch {
				case s.Run.IsSet():
					fmt.Printf("   RUN %s set=%s %.90q", s.Run.Shell.Value, s.Set.Value, s.Run.Value)
					for _, p := range s.Run.Parts {
						fmt.Printf(" {%s}", s.Run.Source(p))
						if string(b[p.Span.Start:p.Span.End]) != s.Run.Value[p.From:p.To] {
							t.Errorf("span %q %q", b[p.Span.Start:p.Span.End], s.Run.Value[p.From:p.To])
						}
					}
				case s.Call.IsSet():
					fmt.Printf("   CALL %s uses=%d %q", s.Call.Value, s.Uses.Kind, s.Uses.Value)
					for _, f := range s.With.Fields {
						fmt.Printf(" %s:%.40q", f.Name.Value, f.Value.Text.Value)
					}
				case s.Set.IsSet():
					fmt.Printf("   SET %s = %.60q", s.Set.Value, s.Value.Text.Value)
				}
				for _, g := range s.Gates {
					fmt.Printf(" [%s not=%v %.60q]", g.Kind, g.Not, g.Value)
				}
				for _, c := range s.Credentials {
					fmt.Printf(" cred(%s %q %v)", c.Kind, c.ID.Value, texts(c.Variables))
				}
				for _, e := range s.Env.Fields {
					fmt.Printf(" env %s=%.40q", e.Name.Value, e.Value.Text.Value)
				}
				if s.Container.Image.IsSet() {
					fmt.Printf(" in %s", s.Container.Image.Value)
				}
				fmt.Println()
			}
		}
	}
}

func texts(t []Text) (out []string) {
	for _, x := range t {
		out = append(out, x.Value)
	}
	return
}
