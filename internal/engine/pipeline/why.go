package pipeline

import (
	"slices"
	"strings"
)

// maxWhy is how many reasons a finding gives for its tier.
const maxWhy = 6

// unproven says why a way that is open is no proven path: the checks on it whose answer
// is not known, with their places, what it takes beside, and what is not known of the end.
func (jr *jobRun) unproven(s sink, t taint, pass passage, prizes []Prize, capped bool) []string {
	var out []string
	add := func(text string) {
		if text != "" && len(out) < maxWhy && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for i, g := range pass.doubts {
		// One check may guard several jobs of the way.
		if slices.ContainsFunc(pass.doubts[:i], func(h Hop) bool { return h.Text == g.Text }) {
			continue
		}
		var places []string
		for _, h := range pass.doubts[i:] {
			if h.Text == g.Text {
				places = append(places, jr.line(h.Place))
			}
		}
		add(g.Text + " (" + strings.Join(places, ", ") + ")")
	}
	if t.doubt != "" {
		add("not certain: " + t.doubt)
	}
	switch {
	case t.after != "":
		add("it takes that " + t.after)
	case jr.e.After != "":
		add("it takes that " + jr.e.After)
	}
	if !jr.e.Outsider() {
		add("the run itself is started by " + jr.e.Actor.String())
	}
	i := slices.IndexFunc(prizes, func(p Prize) bool { return p.Weight >= worthIt })
	switch {
	case len(prizes) == 0:
		add("nothing of value was found in the job")
	case i < 0:
		add("nothing of more value was found in the job than " + prizes[0].Text)
	case !slices.ContainsFunc(prizes, func(p Prize) bool { return p.Weight >= worthIt && !p.Setting }):
		add("a setting of the forge that is not given decides on " + prizes[i].Text)
	}
	if capped {
		add(restWhy(s.rule))
	}
	return out
}

// restWhy is why a rule shows no proven path by itself.
func restWhy(rule string) string {
	switch rule {
	case "argument-injection":
		return "what the program does with other arguments is not followed"
	case "agent-prompt-injection":
		return "what an agent makes of the text is not certain"
	case "agent-output-injection":
		return "what an agent writes is not certain"
	case "checkout-race":
		return "it takes that the code changes between the approval and the checkout"
	case "confused-deputy-merge":
		return "what is merged, and what that leads to, is not followed"
	case "output-clobbering":
		return "what a replaced output does in later steps is not followed"
	case "request-forgery":
		return "what the runner's network holds is not known"
	case "remote-include-insecure":
		return "it takes someone on the way to the server"
	case "cache-poisoning", "cache-mode-write":
		return "whether a poisoned cache is restored before it is replaced is not certain"
	case "known-vulnerable-action":
		return "who can make use of the flaw here is not followed"
	case "unsafe-pr-checkout":
		return "the code is only brought here: where something was seen to run it, that is a finding of its own"
	case "impostor-commit", "ref-confusion", "repo-jacking", "typosquat-action":
		return "whether someone has made use of it is not known"
	case "expression-in-uses":
		return "which definition is taken then is not followed"
	case "spoofable-actor", "spoofable-branch", "association-gate", "label-gate", "conclusion-only-gate", "review-gate",
		"always-true-condition", "unsound-contains", "unprotected-environment", "dispatch-environment-input":
		return "nothing that holds is in the way, but what a stranger can do behind it was not followed step by step"
	}
	return "what it leads to from there is not followed to its end"
}
