package penstock

import "strings"

// Rule is what a rule says about itself: the one text behind explain, the
// documentation, SARIF and the HTML report.
type Rule struct {
	// ID is "engine/kebab-name" and never changes; Aliases are former or foreign
	// ids that mean the same rule.
	ID         string     `json:"id"`
	Aliases    []string   `json:"aliases,omitempty"`
	Title      string     `json:"title"`
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	// Tier is the highest that a finding of the rule can have, empty where the engine
	// knows no tiers; Forges are the forges whose definitions it is about.
	Tier   Tier     `json:"tier,omitempty"`
	Forges []string `json:"forges,omitempty"`
	// Why says what an attacker gains, in a few sentences of plain text.
	Why string `json:"why,omitempty"`
	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`
	// CWE holds numbers: 798 for CWE-798.
	CWE []int `json:"cwe,omitempty"`
	// Tags are further frameworks and groups: "OWASP-CICD-SEC-6", "aws".
	Tags       []string `json:"tags,omitempty"`
	References []string `json:"references,omitempty"`
	Bad        string   `json:"bad,omitempty"`
	Good       string   `json:"good,omitempty"`
}

// Engine is the part of the id before the slash; "user" for users' rules.
func (r *Rule) Engine() string {
	engine, _, _ := strings.Cut(r.ID, "/")
	return engine
}

// RuleFile is a rule file that the user named, read by the parent.
type RuleFile struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}
