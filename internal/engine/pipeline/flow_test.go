package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"penstock"
)

// flowCase is one repository of testdata/flow with what must be found in it.
type flowCase struct {
	name  string
	asOf  Date
	files map[string][]byte
}

func flowCases(t *testing.T) []flowCase {
	t.Helper()
	archives, err := filepath.Glob("testdata/flow/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	var out []flowCase
	for _, file := range archives {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(b).Files {
			head, path, ok := strings.Cut(strings.TrimPrefix(f.Name, "case "), "/")
			if !ok || !strings.HasPrefix(f.Name, "case ") {
				t.Fatalf("%s: the file %q", file, f.Name)
			}
			name, date, _ := strings.Cut(head, " as-of ")
			if len(out) == 0 || out[len(out)-1].name != name {
				out = append(out, flowCase{name, Date(date), make(map[string][]byte)})
			}
			out[len(out)-1].files[path] = f.Data
		}
	}
	return out
}

var wantMark = regexp.MustCompile(`# want: ([a-z-]+) ([a-z-]+)`)

func TestFlowCases(t *testing.T) {
	for _, c := range flowCases(t) {
		t.Run(c.name, func(t *testing.T) {
			want := make(map[string]bool)
			absent := make(map[string]bool)
			for _, name := range sortedKeys(c.files) {
				for i, line := range strings.Split(string(c.files[name]), "\n") {
					if m := wantMark.FindStringSubmatch(line); m != nil {
						text := fmt.Sprintf("%s:%d %s", name, i+1, m[1])
						if m[2] == "none" {
							absent[text] = true
						} else {
							want[text+" "+m[2]] = true
						}
					}
				}
			}
			got := make(map[string]bool)
			var shown []string
			for _, f := range flawsOf(projectOf(c.files, Settings{AsOf: c.asOf})) {
				_, n := lineAt(c.files, f.Place)
				at := fmt.Sprintf("%s:%d %s", f.Path, n, f.Rule)
				text := at + " " + string(f.Tier)
				if absent[at] {
					t.Errorf("must not be there: %s", showFlaw(c.files, f))
				}
				if f.Tier != penstock.TierHygiene || want[text] {
					got[text] = true
					shown = append(shown, showFlaw(c.files, f))
				}
				checkFlaw(t, c.files, f)
			}
			if d := cmp.Diff(sortedKeys(want), sortedKeys(got)); d != "" {
				t.Errorf("(-want +got):\n%s\n%s", d, strings.Join(shown, ""))
			}
		})
	}
}

// checkFlaw holds what every flaw must be.
func checkFlaw(t *testing.T, files map[string][]byte, f Flaw) {
	t.Helper()
	if !slices.Contains(flowRules, f.Rule) || f.Message == "" || f.Tier == "" {
		t.Errorf("a flaw of rule %q, tier %q, message %q", f.Rule, f.Tier, f.Message)
	}
	for _, h := range append(append([]Hop{{Place: f.Place, Text: "-"}}, f.Trace...), f.Related...) {
		b, ok := files[h.Path]
		if !ok || h.Start < 0 || h.End < h.Start || h.End > int64(len(b)) || h.Text == "" {
			t.Errorf("%s: a hop %+v that is nowhere", f.Rule, h)
		}
	}
	if len(f.Trace) > flowHops+4 {
		t.Errorf("%s: %d hops", f.Rule, len(f.Trace))
	}
	if f.Tier == penstock.TierProvenPath && (len(f.Trace) < 3 || len(f.Reaches) == 0 || len(f.Cut) == 0 || len(f.Events) == 0 || f.Actor > ActorReturning || f.Actor == ActorUnset) {
		t.Errorf("a proven path without all that it needs: %s", showFlaw(files, f))
	}
}
