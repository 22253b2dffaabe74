package identity_test

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/engine/secrets"
	"penstock/internal/identity"
	"penstock/internal/scan"
)

// probes stand for rules of a code engine: places of the kind that rules flag,
// frequent enough to count on.
var probes = []struct {
	name string
	// hint are texts without which the expression need not be tried on a line.
	hint string
	re   *regexp.Regexp
}{
	{"exec", `exec(|spawn(|execSync(|Command(|getRuntime(|ProcessBuilder`, regexp.MustCompile(`\b(?:exec|spawn|execSync|Command|getRuntime|ProcessBuilder)\s*\(`)},
	{"eval", `eval(|setTimeout(|Function(|runInContext(`, regexp.MustCompile(`\b(?:eval|setTimeout|Function|safeEval|runInContext)\s*\(`)},
	{"html", `innerHTML|bypassSecurityTrust|dangerouslySet|th:utext|safe|document.write`, regexp.MustCompile(`innerHTML|bypassSecurityTrust\w+|dangerouslySet\w+|th:utext|\|\s*safe\b|document\.write`)},
	{"query", `query(|executeQuery|executeUpdate|prepareStatement|createStatement|findOne|findAll`, regexp.MustCompile(`\b(?:query|executeQuery|executeUpdate|prepareStatement|createStatement|findOne|findAll)\s*\(`)},
	{"random", `Math.random|new Random|math/rand|rand.`, regexp.MustCompile(`Math\.random|new Random\(|math/rand|\brand\.\w+\(`)},
	{"hash", `md5|MD5|sha1|SHA1|createHash|MessageDigest`, regexp.MustCompile(`\b(?:md5|MD5|sha1|SHA1|createHash|MessageDigest)\b`)},
	{"file", `readFile|createReadStream|new File|os.Open|os.ReadFile|sendFile|FileInputStream`, regexp.MustCompile(`\b(?:readFile|readFileSync|createReadStream|new File|os\.Open|os\.ReadFile|sendFile|FileInputStream)\b`)},
	{"http", `http://`, regexp.MustCompile(`["'\x60]http://[^"'\x60]+`)},
	{"route", `app.|router.|Mapping`, regexp.MustCompile(`\b(?:app|router)\.(?:get|post|put|delete|use)\(|@(?:Get|Post|Put|Request)Mapping`)},
	{"env", `process.env|System.getenv|os.Getenv|${{`, regexp.MustCompile(`process\.env|System\.getenv|os\.Getenv|\$\{\{\s*(?:github|env|secrets)\.`)},
	{"redirect", `edirect`, regexp.MustCompile(`\b(?:redirect|sendRedirect|http\.Redirect)\s*\(`)},
	{"parse", `JSON.parse|ObjectInputStream|json.Unmarshal|yaml.load|fromXML`, regexp.MustCompile(`JSON\.parse|ObjectInputStream|json\.Unmarshal|yaml\.load|fromXML`)},
	{"log", `console.|log.|System.out`, regexp.MustCompile(`console\.(?:log|error)|log\.(?:info|error|Info|Error|Fatal)\w*\(|System\.out`)},
	{"root", `FROM|USER|ADD|image:|uses:`, regexp.MustCompile(`^\s*(?:FROM|USER|ADD|image:|uses:)\s*\S+`)},
	{"error", `fmt.Errorf|errors.New`, regexp.MustCompile(`fmt\.Errorf\(|errors\.New\(`)},
	{"make", `make(|slices.|bytes.`, regexp.MustCompile(`\bmake\(|\bslices\.\w+\(|\bbytes\.\w+\(`)},
}

type probePass struct{}

var _ penstock.Pass = probePass{}

func (probePass) Wants(path string, info penstock.FileInfo) bool {
	return !info.Binary && info.Size < 1<<20 && !strings.Contains(path, "node_modules/") && !strings.HasSuffix(path, ".min.js") && !strings.Contains(path, "package-lock")
}

func (probePass) File(_ context.Context, f *penstock.File, r penstock.Reporter) error {
	b, err := f.Bytes()
	if err != nil {
		return err
	}
	for _, p := range probes {
		hints := strings.Split(p.hint, "|")
		at := 0
		for line := range bytes.Lines(b) {
			if slices.ContainsFunc(hints, func(h string) bool { return bytes.Contains(line, []byte(h)) }) {
				for _, m := range p.re.FindAllIndex(line, -1) {
					r.Report(&penstock.Finding{
						Rule: "probe/" + p.name, Severity: penstock.Low,
						Location: penstock.Location{Span: penstock.Span{Start: int64(at + m[0]), End: int64(at + m[1])}},
					})
				}
			}
			at += len(line)
		}
	}
	return nil
}

func (probePass) Finish(context.Context, penstock.Run, penstock.Reporter) error { return nil }

func probeEngine() penstock.Engine {
	return penstock.Engine{
		Name: "probe", Doc: "probes", Version: 1, PerFile: true,
		Rules: func([]penstock.RuleFile) ([]penstock.Rule, error) {
			var rules []penstock.Rule
			for _, p := range probes {
				rules = append(rules, penstock.Rule{ID: "probe/" + p.name, Severity: penstock.Low})
			}
			return rules, nil
		},
		Open: func(context.Context, penstock.Setup) (penstock.Pass, error) { return probePass{}, nil },
	}
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

// observe scans a folder and returns what the matcher sees, in order.
func observe(t testing.TB, dir string, engines ...penstock.Engine) []identity.Observation {
	t.Helper()
	if len(engines) == 0 {
		engines = []penstock.Engine{secrets.Engine(), probeEngine()}
	}
	res, err := scan.Run(context.Background(), scan.Config{
		Roots: []string{dir}, Dir: dir, NoGit: true,
		Engines: engines,
		Setup:   penstock.Setup{Key: testKey, Salt: testKey[:16], DecodeDepth: 1},
		Limits:  scan.Limits{FindingsPerRule: 5000},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := identity.Observe(res.Findings)
	slices.SortStableFunc(list, func(a, b identity.Observation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Class, b.Class))
	})
	return list
}

// plant writes files into a new folder.
func plant(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// truth says which new observation is which old one.
type truth struct {
	to   map[int]int // old -> new
	from map[int]int
}

func newTruth() truth { return truth{map[int]int{}, map[int]int{}} }

// lineRef is a line of a file.
type lineRef struct {
	path string
	line int
}

// truthOf joins observations by a map of lines, new to old: those of one class,
// and for secrets one value, that stand on the same line in the same order.
func truthOf(old, fresh []identity.Observation, origin func(lineRef) (lineRef, bool)) truth {
	type key struct {
		at    lineRef
		class string
		group string
		n     int
	}
	keyOf := func(count map[key]int, at lineRef, o identity.Observation) key {
		k := key{at, o.Class, "", 0}
		if o.Value != 0 {
			k.group = o.Group
		}
		k.n = count[k]
		count[key{at, o.Class, k.group, 0}]++
		return k
	}
	index := map[key]int{}
	count := map[key]int{}
	for i, o := range old {
		index[keyOf(count, lineRef{o.Path, o.Line}, o)] = i
	}
	claims := map[int][]int{}
	count = map[key]int{}
	for j, o := range fresh {
		at, ok := origin(lineRef{o.Path, o.Line})
		if !ok {
			continue
		}
		if i, ok := index[keyOf(count, at, o)]; ok {
			claims[i] = append(claims[i], j)
		}
	}
	t := newTruth()
	for i, list := range claims {
		// Blame leads a copy back to the original as well: then nobody knows.
		if len(list) == 1 {
			t.to[i], t.from[list[0]] = list[0], i
		}
	}
	return t
}

// tally compares a result with the truth.
type tally struct {
	survivors, kept, swapped, lost int
	// right, wrong and unknown count joins by pass: as the truth has it, against
	// it, and of places that the truth does not speak of.
	right, wrong, unknown [identity.PassEdited + 1]int
	// twins are those of wrong that no one could tell apart: the truth names a
	// place whose code, surroundings and scope are the same.
	twins             int
	exactWrong, joins int
}

func (t *tally) add(r identity.Result, tr truth, old, fresh []identity.Observation) {
	t.survivors += len(tr.to)
	got := map[int]int{}
	for _, p := range r.Pairs {
		got[p.Old] = p.New
		t.joins++
		n, known := tr.to[p.Old]
		_, knownNew := tr.from[p.New]
		switch {
		case known && n == p.New:
			t.right[p.Pass]++
		case known || knownNew:
			t.wrong[p.Pass]++
			o, knownOld := tr.from[p.New]
			if known && twin(fresh[n], fresh[p.New]) || knownOld && twin(old[o], old[p.Old]) {
				t.twins++
			}
			if p.Exact {
				t.exactWrong++
			}
		default:
			t.unknown[p.Pass]++
		}
	}
	for o, n := range tr.to {
		switch g, ok := got[o]; {
		case !ok:
			t.lost++
		case g == n:
			t.kept++
		default:
			t.swapped++
		}
	}
}

func twin(a, b identity.Observation) bool {
	return a.Class == b.Class && a.Group == b.Group && a.Code == b.Code && a.Scope == b.Scope && slices.Equal(a.Before, b.Before) && slices.Equal(a.After, b.After)
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

func sum(list [identity.PassEdited + 1]int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}
