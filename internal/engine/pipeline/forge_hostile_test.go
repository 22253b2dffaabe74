package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

// What a hostile definition of any forge makes the audits do ends, and soon: the whole of
// these takes some seconds, and not minutes.
func TestForgesHostile(t *testing.T) {
	settings := Settings{
		GitLab:  GitLabSettings{ForkPipelines: "parent", Variables: []string{"KEY"}},
		Azure:   AzureSettings{ForkSecrets: SwitchOn, Secrets: []string{"KEY"}},
		Jenkins: JenkinsSettings{Trust: TrustNobody, Credentials: map[string]string{"key": "global"}},
	}
	many := func(head, each string, n int) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, strings.ReplaceAll(each, "%d", "%[1]d"), i)
		}
		return b.String()
	}
	vars := many("variables:\n", "  V%d: $V%d$CI_COMMIT_MESSAGE\n", 3000)
	for name, text := range map[string]string{
		".gitlab-ci.yml":      many(vars, "j%d:\n  rules: [{if: '$V%d == \"x\" || $CI_MERGE_REQUEST_ID'}]\n  script: [eval \"$V%d $CI_COMMIT_MESSAGE\"]\n", 3000),
		"azure-pipelines.yml": many(vars+"jobs:\n", "- job: j%d\n  condition: eq(variables.V%d, 'x')\n  steps: [{bash: 'eval \"$V%d $(V%d) $(Build.SourceVersionMessage)\"', env: {A%d: $(KEY)}}]\n", 3000),
		"Jenkinsfile":         many("pipeline { agent any\n stages {\n", "stage('s%d') { environment { K%d = credentials('key') }\n steps { script { x%d = \"${env.CHANGE_TITLE} ${x%d}\" }\n sh \"eval ${x%d} $CHANGE_TITLE\" } }\n", 2000) + "}}",
	} {
		t.Run(name, func(t *testing.T) {
			x := projectOf(textTree{name: []byte(text)}, settings)
			for _, f := range found(x) {
				if f.Start < 0 || f.End < f.Start || f.Path != name || int(f.End) > len(text) {
					t.Fatalf("%s at %v", f.Rule, f.Place)
				}
			}
		})
	}
}
