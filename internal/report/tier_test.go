package report

import (
	"fmt"
	"strings"
	"testing"

	"penstock"
)

// tierStream is a run over pipelines: one path, one flaw that leads nowhere proven,
// and hygiene that would drown both.
func tierStream() []penstock.Record {
	path := &penstock.Finding{
		Rule: "pipeline/template-injection", Title: "Untrusted text is pasted into a script", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh,
		Message: "The title of the pull request becomes part of the script.", Location: at(".github/workflows/a.yml", 12, 20, 40),
		Snippet: snip(11, "      - run: |", "          echo «${{ github.event.pull_request.title }}»"),
		Trace: []penstock.Label{
			{Location: at(".github/workflows/a.yml", 2, 3, 20), Message: "anyone opens a pull request [github-ref-pull-request-target-default]"},
			{Location: at(".github/workflows/a.yml", 12, 20, 40), Message: "its title is pasted into the script\x1b[31m"},
			{Location: at(".github/workflows/a.yml", 15, 1, 9), Message: "the step gets NPM_TOKEN"},
		},
		Evidence: penstock.Evidence{
			Tier: penstock.TierProvenPath, Scope: "job build",
			Pipeline: &penstock.PipelineEvidence{
				Actor: "anyone with an account", Events: []string{"pull_request_target"}, Reaches: []string{"the secret NPM_TOKEN"},
				Semantics: []string{"github-ref-pull-request-target-default"}, Cut: []string{"pass the title by env at a.yml:12"},
			},
		},
		Blocks: true, Reason: "critical is at or above high (block)",
	}
	records := []penstock.Record{
		&penstock.Rule{ID: "pipeline/unpinned-uses", Title: "An action can change under you", Severity: penstock.Medium},
		path,
		&penstock.Finding{
			Rule: "pipeline/spoofable-actor", Title: "The check of the actor can be passed", Severity: penstock.Medium, Location: at(".github/workflows/b.yml", 4, 5, 30),
			Evidence: penstock.Evidence{Tier: penstock.TierExploitable, Pipeline: &penstock.PipelineEvidence{}},
		},
	}
	for i := range 5 {
		records = append(records, &penstock.Finding{
			Rule: "pipeline/unpinned-uses", Severity: penstock.High, Location: at(fmt.Sprintf(".github/workflows/%c.yml", 'a'+i), 7, 9, 30),
			Evidence: penstock.Evidence{Tier: penstock.TierHygiene}, Reason: "the policy lets it pass (hygiene: never)",
		})
	}
	return append(records,
		&penstock.Verdict{Blocking: 1, Open: 7},
		&penstock.End{Totals: penstock.Totals{Files: 5, Scanned: 5, Bytes: 900, ByEngine: map[string]int{"pipeline": 5}}},
	)
}

func TestTiers(t *testing.T) {
	for _, format := range []string{"text", "sarif", "markdown", "html", "gitlab", "codequality"} {
		golden(t, "tiers."+format, render(t, format, Options{}, tierStream()))
	}
	if out := string(render(t, "text", Options{All: true}, tierStream())); strings.Count(out, "[pipeline/unpinned-uses]") != 5 {
		t.Errorf("--all leaves out hygiene:\n%s", out)
	}
}
