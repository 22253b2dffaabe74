package pipeline

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"penstock"
)

// labelsFile is the list of places in real workflows with what was found to be true of
// them by reading: facts and line numbers only, no text of the files.
const labelsFile = "testdata/labels.tsv"

// What all sets of workflows together must give; docs/measured.md says what they gave.
const (
	leastPrecision = 0.92
	leastRecall    = 0.88
)

// label is a place of a real workflow.
type label struct {
	repository, commit, path string
	line                     int
	// rule is the rule that would report it.
	rule string
	// truth is a tier, or "race": a check stands before it, which is right about who, and
	// what it let pass can change afterwards. Reporting a race is no error, nor is silence.
	truth string
	// verdict is the tier that was reported when the list was made, or "none".
	verdict       string
	guard, reason string
}

// dangerous reports whether the place has to be found.
func (l label) dangerous() bool { return l.truth == "proven-path" || l.truth == "exploitable" }

// readLabels reads the list and checks its form.
func readLabels(t *testing.T) []label {
	t.Helper()
	b, err := os.ReadFile(labelsFile)
	if err != nil {
		t.Fatal(err)
	}
	repository, commit := regexp.MustCompile(`^[\w.-]+/[\w.-]+$`), regexp.MustCompile(`^[0-9a-f]{40}$`)
	rules := make(map[string]bool)
	for _, r := range Rules() {
		rules[strings.TrimPrefix(r.ID, "pipeline/")] = true
	}
	var all []label
	seen := make(map[string]bool)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if n == 1 || strings.HasPrefix(text, "#") {
			continue // the names of the columns
		}
		f := strings.Split(text, "\t")
		if len(f) != 9 {
			t.Fatalf("%s:%d: %d columns, want 9", labelsFile, n, len(f))
		}
		line, err := strconv.Atoi(f[3])
		l := label{f[0], f[1], f[2], line, f[4], f[5], f[6], f[7], f[8]}
		switch {
		case err != nil || line < 1:
			t.Errorf("%s:%d: line %q", labelsFile, n, f[3])
		case !repository.MatchString(l.repository) || !commit.MatchString(l.commit):
			t.Errorf("%s:%d: repository %q at %q", labelsFile, n, l.repository, l.commit)
		case !fs.ValidPath(l.path) || Detect(l.path) == KindNone:
			t.Errorf("%s:%d: %q is no definition", labelsFile, n, l.path)
		case !rules[l.rule]:
			t.Errorf("%s:%d: no rule %q", labelsFile, n, l.rule)
		case !slices.Contains([]string{"proven-path", "exploitable", "race", "hygiene"}, l.truth):
			t.Errorf("%s:%d: tier %q", labelsFile, n, l.truth)
		case !slices.Contains([]string{"proven-path", "exploitable", "none"}, l.verdict):
			t.Errorf("%s:%d: verdict %q", labelsFile, n, l.verdict)
		case l.guard == "" || l.reason == "" || len(l.reason) > 120:
			t.Errorf("%s:%d: a guard (or none) and a short reason are wanted", labelsFile, n)
		}
		if key := strings.Join(f[:5], "\t"); seen[key] {
			t.Errorf("%s:%d: said twice", labelsFile, n)
		} else {
			seen[key] = true
		}
		all = append(all, l)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLabels(t *testing.T) {
	all := readLabels(t)
	dangers, safe := 0, 0
	repositories := make(map[string]bool)
	for _, l := range all {
		repositories[l.repository] = true
		switch {
		case l.dangerous():
			dangers++
		case l.truth == "hygiene":
			safe++
		}
	}
	if len(all) < 250 || dangers < 40 || safe < 150 || len(repositories) < 80 {
		t.Errorf("%d labels (%d dangers, %d safe) of %d repositories", len(all), dangers, safe, len(repositories))
	}
}

// TestLabelledWorkflows runs the engine over the files that the labels are of, if
// PENSTOCK_WORKFLOWS names the folders that hold them: a folder OWNER+NAME for each
// repository, at the commit of the labels.
func TestLabelledWorkflows(t *testing.T) {
	folders := filepath.SplitList(os.Getenv("PENSTOCK_WORKFLOWS"))
	if len(folders) == 0 {
		t.Skip("PENSTOCK_WORKFLOWS is not set")
	}
	byRepository := make(map[string][]label)
	for _, l := range readLabels(t) {
		byRepository[l.repository] = append(byRepository[l.repository], l)
	}
	var right, races, wrong, unknown, dangers, hit, absent int
	for _, repository := range sortedKeys(byRepository) {
		labels := byRepository[repository]
		dir := ""
		for _, f := range folders {
			if d := filepath.Join(f, strings.Replace(repository, "/", "+", 1)); isDir(d) {
				dir = d
				break
			}
		}
		if dir == "" {
			absent++
			continue
		}
		files := readTree(t, dir)
		reported := make([]bool, len(labels))
		// best is what is true of the places of a flaw, the gravest first. Of a place it
		// is what the nearest label says, one of the same kind before others.
		best := func(f Flaw) (truth string) {
			rank := []string{"", "hygiene", "race", "exploitable", "proven-path"}
			places := []Place{f.Place}
			for _, h := range f.Related {
				if h.Text == alsoHere {
					places = append(places, h.Place)
				}
			}
			for _, p := range places {
				_, line := lineAt(files, p)
				near, says := 2*labelReach+2, ""
				for i, l := range labels {
					d := max(l.line-line, line-l.line)
					if l.path != p.Path || d > labelReach {
						continue
					}
					if labelKind(l.rule) == labelKind(f.Rule) {
						reported[i] = true
					} else {
						d += labelReach + 1
					}
					if d < near {
						near, says = d, l.truth
					}
				}
				if slices.Index(rank, says) > slices.Index(rank, truth) {
					truth = says
				}
			}
			return truth
		}
		projectOf(files, Settings{}).Audit(func(f Flaw) {
			if f.tier() == penstock.TierHygiene {
				return
			}
			truth := best(f)
			switch truth {
			case "":
				unknown++
				t.Logf("%s: not labelled: %s", repository, strings.SplitN(showFlaw(files, f), "\n", 2)[0])
			case "hygiene":
				wrong++
				t.Logf("%s: false: %s", repository, strings.SplitN(showFlaw(files, f), "\n", 2)[0])
			case "race":
				races++
			default:
				right++
			}
		})
		for i, l := range labels {
			if !l.dangerous() {
				continue
			}
			dangers++
			if reported[i] {
				hit++
			} else {
				t.Logf("%s: missed: %s:%d %s (%s)", repository, l.path, l.line, l.rule, l.reason)
			}
		}
	}
	precision := float64(right+races) / float64(max(right+races+wrong, 1))
	recall := float64(hit) / float64(max(dangers, 1))
	t.Logf("findings: %d true, %d races, %d false, %d not labelled: precision %.3f; dangers: %d of %d: recall %.3f; %d repositories absent",
		right, races, wrong, unknown, precision, hit, dangers, recall, absent)
	if precision < leastPrecision {
		t.Errorf("precision %.3f, want %.2f", precision, leastPrecision)
	}
	if recall < leastRecall {
		t.Errorf("recall %.3f, want %.2f", recall, leastRecall)
	}
}

// labelReach is how many lines a flaw may lie from the label that it is taken for: a
// step may be named by its first line or by that of the command.
const labelReach = 2

// labelKind groups the rules that may report one and the same danger.
func labelKind(rule string) string {
	switch rule {
	case "untrusted-code-execution", "artifact-poisoning", "untrusted-checkout", "unsafe-pr-checkout", "checkout-race":
		return "code"
	case "agent-prompt-injection", "agent-tools", "agent-output-injection":
		return "agent"
	case "template-injection", "command-injection", "argument-injection", "environment-injection", "output-clobbering":
		return "text"
	}
	return rule
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// readTree reads the small files below a folder.
func readTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > 1<<20 {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(name)
		files[filepath.ToSlash(rel)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
