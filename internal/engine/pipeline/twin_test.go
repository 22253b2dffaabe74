package pipeline

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"penstock"
)

// One pipeline in the languages of four forges is in the same tier in each, or in the one
// that expect.yaml explains.
func TestTwins(t *testing.T) {
	for _, w := range readTwins(t) {
		data, err := yaml.Marshal(&w.settings)
		if err != nil {
			t.Fatal(err)
		}
		settings := Settings{AsOf: w.expect.AsOf}
		if err := settings.ParseSettings("settings.yaml", data); err != nil {
			t.Fatal(err)
		}
		for forge, file := range twinFiles {
			t.Run(w.name+"/"+forge, func(t *testing.T) {
				files := textTree{}
				for name, b := range w.files {
					if name == file || forge == "github" && strings.HasPrefix(name, ".github/") {
						files[name] = b
					}
				}
				checkTwinForge(t, w.expect.Forges[forge], file, files, settings)
			})
		}
	}
}

func checkTwinForge(t *testing.T, want twinAnswer, file string, files textTree, settings Settings) {
	t.Helper()
	worst, tier := 0, "clean"
	var met bool
	var shown []string
	for _, f := range found(projectOf(files, settings)) {
		got := f.tier()
		if got == penstock.TierHygiene && want.Tier != "hygiene" {
			continue
		}
		line, _ := lineAt(files, f.Place)
		if slices.Contains(want.Rules, "pipeline/"+f.Rule) && string(got) == want.Tier && f.Path == file && (want.Line == "" || strings.TrimSpace(line) == want.Line) {
			met = true
		}
		if tierRank[got] > worst {
			worst, tier = tierRank[got], string(got)
		}
		if got != penstock.TierHygiene || slices.Contains(want.Rules, "pipeline/"+f.Rule) {
			shown = append(shown, showFlaw(files, f))
		}
	}
	if tier != want.Tier || !met && want.Tier != "clean" {
		t.Errorf("the highest tier is %s, want %s by one of %q at %q:\n%s", tier, want.Tier, want.Rules, want.Line, strings.Join(shown, "\n"))
	}
}
