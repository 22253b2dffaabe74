package pipeline

import (
	"slices"
	"strings"
	"testing"

	"penstock"
)

// Every finding that is exploitable, in all examples, says what is not proved, and no
// other does. Ways that were followed say what it is here, not what the rule says.
func TestWhy(t *testing.T) {
	exploitable, own := 0, 0
	for _, r := range Rules() {
		for n, e := range r.Examples {
			x := exampleProject(t, ExampleFiles(e.Bad), exampleSettings(t, &e))
			x.ask(penstock.Run{Ask: exampleForge(t, &e)}, ignoreNotes{})
			for _, f := range found(x) {
				var why []string
				if p := f.finding().Evidence.Pipeline; p != nil {
					why = p.Why
				}
				is := f.tier() == penstock.TierExploitable
				if is != (len(why) > 0) || slices.ContainsFunc(why, func(s string) bool { return s == "" || strings.HasSuffix(s, ".") }) {
					t.Errorf("%s in example %d of %s is %s; why: %q", f.Rule, n, r.ID, f.tier(), why)
				}
				if is {
					exploitable++
				}
				if is && len(f.Why) > 0 {
					own++
				}
			}
		}
	}
	if own < 20 || own == exploitable {
		t.Errorf("%d of %d exploitable findings have a reason of their own", own, exploitable)
	}
}
