package pipeline

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write generated files")

const (
	ruleFolder = "../../../rules/pipeline"
	peersFile  = ruleFolder + "/peers.yaml"
	peersDoc   = "../../../docs/pipeline-rules.md"
)

// peerTool is another tool with all of its rules.
type peerTool struct {
	id, title, url, asOf, note string
	// rows are its rules by name.
	rows []peerRow
}

type peerRow struct {
	name string
	// ours are the ids of our rules that answer it, reason why there is none.
	ours   []string
	reason string
}

// TestPeers checks that each rule of another tool has either a rule of ours or a
// reason, and that the table in docs says so.
func TestPeers(t *testing.T) {
	tools := readPeers(t)
	ours := map[string][]string{}
	for _, r := range Rules() {
		for _, p := range r.Peers {
			ours[p] = append(ours[p], r.ID)
		}
	}
	// At least so many rules the tools had when the table was made: what is lost
	// by mistake shows.
	atLeast := map[string]int{"zizmor": 41, "poutine": 13, "codeql": 47, "actionlint": 38, "octoscan": 17, "sisakulint": 61,
		"trajan/github": 91, "trajan/gitlab": 141, "trajan/azure": 6, "trajan/jenkins": 7, "plumber": 68, "gato-x": 7, "raven": 17, "scorecard": 13}
	for i := range tools {
		tool := &tools[i]
		if len(tool.rows) < atLeast[tool.id] {
			t.Errorf("%s: %d rules, want %d", tool.id, len(tool.rows), atLeast[tool.id])
		}
		delete(atLeast, tool.id)
		seen := map[string]bool{}
		for j := range tool.rows {
			row := &tool.rows[j]
			id := tool.id + "/" + row.name
			if seen[id] {
				t.Errorf("%s: two rows", id)
			}
			seen[id] = true
			if !peerID.MatchString(id) {
				t.Errorf("%s: not an id", id)
			}
			row.ours = ours[id]
			delete(ours, id)
			switch {
			case len(row.ours) == 0 && row.reason == "":
				t.Errorf("%s: answered by no rule, and no reason", id)
			case len(row.ours) > 0 && row.reason != "":
				t.Errorf("%s: answered by %v, and a reason", id, row.ours)
			}
		}
	}
	for id := range atLeast {
		t.Errorf("%s is missing", id)
	}
	for id, by := range ours {
		t.Errorf("%s, a peer of %v, is not in %s", id, by, peersFile)
	}
	doc := peersMarkdown(tools)
	if *update {
		if err := os.WriteFile(peersDoc, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(peersDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, doc) {
		t.Errorf("%s is not of these rules: run go test ./internal/engine/pipeline -run TestPeers -update", peersDoc)
	}
}

func readPeers(t *testing.T) []peerTool {
	b, err := os.ReadFile(peersFile)
	if err != nil {
		t.Fatal(err)
	}
	root, err := readPlain(string(b))
	if err != nil {
		t.Fatal(err)
	}
	d := plainDecoder{}
	var tools []peerTool
	for _, n := range d.get(root, "tools").items {
		d.known(n, "id", "title", "url", "as-of", "note", "answered", "without")
		tool := peerTool{id: d.get(n, "id").text, title: d.get(n, "title").text, url: d.get(n, "url").text,
			asOf: d.get(n, "as-of").text, note: d.get(n, "note").text}
		for _, name := range d.texts(n, "answered") {
			tool.rows = append(tool.rows, peerRow{name: name})
		}
		for _, g := range d.get(n, "without").items {
			d.known(g, "reason", "ids")
			reason := d.get(g, "reason").text
			if len(reason) < 20 {
				t.Errorf("%s: reason %q", tool.id, reason)
			}
			for _, name := range d.texts(g, "ids") {
				tool.rows = append(tool.rows, peerRow{name: name, reason: reason})
			}
		}
		slices.SortFunc(tool.rows, func(a, b peerRow) int { return strings.Compare(a.name, b.name) })
		tools = append(tools, tool)
	}
	if d.err != nil {
		t.Fatal(d.err)
	}
	return tools
}

func peersMarkdown(tools []peerTool) []byte {
	var b bytes.Buffer
	b.WriteString(`# Rules of the pipeline engine

<!-- Made from rules/pipeline/*.yaml by go test ./internal/engine/pipeline -run TestPeers -update -->

Tiers: **proven-path** (an outsider reaches something valuable, each step shown), **exploitable** (untrusted input
reaches the place, or a guard does not hold), **hygiene**. The table gives the worst that a rule can have; only the
first two fail a build by default. *online* rules need facts of a resolver or the settings of the forge. ` +
		"`penstock explain RULE`" + ` shows why, what to do, and examples.

## Ours

`)
	all := Rules()
	fmt.Fprintf(&b, "%d rules.\n\n| rule | what is wrong | tier | severity | forges |\n|---|---|---|---|---|\n", len(all))
	for _, r := range all {
		forges := make([]string, len(r.Forges))
		for i, f := range r.Forges {
			forges[i] = string(f)
		}
		online := ""
		if r.Online {
			online = ", *online*"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s%s |\n", r.ID, r.Title, r.Tier, r.Severity, strings.Join(forges, ", "), online)
	}
	b.WriteString("\n## What answers the rules of other tools\n\nEvery rule of theirs, and ours for it or the reason why there is none.\n\n")
	b.WriteString("| tool | as of | its rules | answered | not here |\n|---|---|---|---|---|\n")
	for _, tool := range tools {
		answered := 0
		for _, row := range tool.rows {
			if len(row.ours) > 0 {
				answered++
			}
		}
		fmt.Fprintf(&b, "| [%s](%s) | %s | %d | %d | %d |\n", tool.title, tool.url, tool.asOf, len(tool.rows), answered, len(tool.rows)-answered)
	}
	for _, tool := range tools {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| theirs | ours |\n|---|---|\n", tool.title, tool.note)
		for _, row := range tool.rows {
			answer := strings.Join(row.ours, ", ")
			if answer == "" {
				answer = "none: " + row.reason
			}
			fmt.Fprintf(&b, "| %s | %s |\n", row.name, answer)
		}
	}
	return b.Bytes()
}

// TestRuleFiles checks that no rule file is left out of the program.
func TestRuleFiles(t *testing.T) {
	files, err := filepath.Glob(ruleFolder + "/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	n := 0
	for _, f := range files {
		if f == peersFile || filepath.Base(f) == path.Base(actionsFile) {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		own, err := readRules(string(b))
		if err != nil {
			t.Fatal(f, err)
		}
		n += len(own)
	}
	if n != len(Rules()) {
		t.Errorf("%d rules in the files, %d in the program", n, len(Rules()))
	}
}
