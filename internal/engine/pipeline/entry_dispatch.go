package pipeline

import (
	"encoding/json"
	"slices"
	"strings"
)

// slashCommands is an action that makes a repository_dispatch of a comment that begins
// with a command, and the payload of what the forge says of comment and pull request.
// https://github.com/peter-evans/slash-command-dispatch
const slashCommands = "peter-evans/slash-command-dispatch"

// dispatchEntries are the ways by which an outsider causes a repository_dispatch: a
// workflow of the project that hands on commands of comments, whoever writes them.
func (x *Project) dispatchEntries(p *Pipeline, t *Trigger) []Entry {
	for _, other := range x.Pipelines {
		if other == p || other.Kind != KindWorkflow || other.Forge != GitHub || other.Trigger("issue_comment") == nil {
			continue
		}
		for i := range other.Jobs {
			j := &other.Jobs[i]
			for n := range j.Steps {
				st := &j.Steps[n]
				if !strings.EqualFold(st.Uses.Owner+"/"+st.Uses.Repo, slashCommands) || !anyCommand(st, t) {
					continue
				}
				from := x.Entries(other)
				for k := range from {
					base := &from[k]
					if base.Event != "issue_comment" || !base.Outsider() || base.caller != nil {
						continue
					}
					r := reached{}
					r.truth, r.gates = x.Reach(other, base, j)
					truth, gates := x.StepReach(other, base, j, n)
					s := reached{truth, gates}
					if r.shut() || s.shut() {
						continue
					}
					e := x.entry(p, t, Situation{Event: "repository_dispatch", Actor: base.Actor}, base.After, "")
					e.gates = append(append(append(e.gates, base.gates...), r.gates...), gates...)
					e.doubt = base.doubt
					e.gates = append(e.gates, Gate{Place: placed(other, st.Uses.Span), Kind: GuardOther, Weakness: "everybody may give the command", Text: "the workflow " + clip(other.Path) + " hands on commands of comments"})
					return []Entry{e}
				}
			}
		}
	}
	return nil
}

// anyCommand reports whether everybody may give one of the commands for which a step
// causes an event of the trigger's types.
func anyCommand(st *Step, t *Trigger) bool {
	text := func(name string) string { return strings.TrimSpace(st.With.Get(name).Text.Value) }
	if kind := text("dispatch-type"); kind != "" && kind != "repository" {
		return false
	}
	open := func(permission string) bool { return permission == "none" || permission == "read" }
	suffix := "-command"
	if st.With.Get("event-type-suffix").Kind == DataScalar {
		suffix = text("event-type-suffix")
	}
	asked := func(command, suffix string) bool {
		return len(t.Types) == 0 || slices.ContainsFunc(t.Types, func(k Text) bool { return command != "" && strings.EqualFold(k.Value, command+suffix) })
	}
	if config := text("config"); config != "" {
		var all []struct {
			Command    string  `json:"command"`
			Permission string  `json:"permission"`
			Suffix     *string `json:"event_type_suffix"`
		}
		if len(config) > 1<<16 || json.Unmarshal([]byte(config), &all) != nil {
			return false
		}
		for _, c := range all {
			end := suffix
			if c.Suffix != nil {
				end = *c.Suffix
			}
			if open(c.Permission) && asked(c.Command, end) {
				return true
			}
		}
		return false
	}
	return open(text("permission")) && slices.ContainsFunc(strings.FieldsFunc(text("commands"), func(r rune) bool { return r == ',' || r == '\n' || r == ' ' }),
		func(c string) bool { return asked(c, suffix) })
}

// payload is the context of the comment's event that a member of a dispatch's payload
// holds, and that event; empty for what nobody outside chooses.
func payload(path string) (context, event string) {
	rest, ok := strings.CutPrefix(path, "github.event.client_payload.")
	if !ok {
		return "", ""
	}
	if s, ok := strings.CutPrefix(rest, "github.payload."); ok {
		return "github.event." + s, "issue_comment"
	}
	if s, ok := strings.CutPrefix(rest, "pull_request."); ok {
		return "github.event.pull_request." + s, "pull_request_target"
	}
	if strings.HasPrefix(rest, "slash_command.args") {
		return "github.event.comment.body", "issue_comment"
	}
	return "", ""
}
