package penstock_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// arrows says which packages of this module each package may import. The root
// may be imported by all and is not listed. A package that is missing here fails
// the test: adding one is a decision (CONTRIBUTING.md).
//
// The test parses import clauses. It does not ask the go command, whose answer
// inside a test comes from the test cache and hides a new arrow.
var arrows = map[string][]string{
	".":                        {},
	"bench":                    {},
	"cmd/penstock":             {"internal/engine/pipeline", "internal/engine/secrets", "internal/fix", "internal/forge", "internal/gate", "internal/identity", "internal/report", "internal/scan", "internal/source", "internal/syntax", "rules"},
	"examples/plant":           {},
	"internal/engine/pipeline": {"internal/syntax", "rules"},
	"internal/engine/secrets":  {"internal/syntax", "rules"},
	"internal/fix":             {"internal/gate", "internal/scan", "internal/syntax"},
	"internal/forge":           {},
	"internal/forge/fake":      {},
	"internal/gate":            {"internal/syntax"},
	"internal/identity":        {},
	"internal/report":          {"internal/syntax"},
	"internal/scan":            {"internal/source", "internal/syntax"},
	"internal/source":          {"internal/syntax"},
	"internal/syntax":          {},
	"rules":                    {},
}

// foreign are imports from outside the module that a package must not have. An
// engine sees a file's bytes and nothing else of the machine: no network, no
// file system, no program, no environment.
var foreign = []struct {
	packages string // prefix
	imports  []string
	why      string
}{
	{"internal/engine/", []string{"net", "net/http", "os", "os/exec", "syscall", "unsafe", "plugin", "log", "log/slog", "golang.org/x/sys/unix", "math/rand", "math/rand/v2"}, "an engine works on bytes alone and gives the same answer twice"},
	{"internal/gate", []string{"net", "net/http", "os", "os/exec", "syscall"}, "the gate is a pure function"},
	{"internal/identity", []string{"net", "net/http", "os", "os/exec", "syscall", "math/rand", "math/rand/v2"}, "matching is a pure function"},
	{"internal/report", []string{"net", "net/http", "os/exec", "syscall", "text/template"}, "a report is made from records, and HTML by html/template or an escaper"},
	{"internal/syntax", []string{"net", "net/http", "os", "os/exec", "syscall", "unsafe"}, "a reader of text needs no machine"},
	{"internal/", []string{"net", "net/http", "os/exec", "plugin"}, "nothing is fetched and nothing of a scanned tree is run"},
	{"internal/", []string{"encoding/xml"}, "no XML is read, so no entity of it is resolved"},
}

// exceptions of foreign, each with its reason.
var foreignAllowed = map[string][]string{
	"internal/scan":           {"os/exec"},         // starts the worker, the program itself
	"internal/forge":          {"net", "net/http"}, // asks a forge, in the parent, for who switched it on
	"internal/forge/fake":     {"net/http"},        // a forge for tests: it listens and never asks
	"internal/engine/secrets": {"math/rand/v2"},    // seeded: expands the rules' examples, the same each time
}

// exits are the files outside main packages that may call os.Exit, with the reason.
var exits = map[string]string{
	"internal/scan/worker.go": "the worker is a process of its own and ends when its parent is gone",
}

// goroutines are the only packages that may start one.
var goroutines = []string{"internal/scan", "cmd/penstock", "bench"}

func TestArchitecture(t *testing.T) {
	for _, p := range checkArchitecture(t, os.DirFS(".")) {
		t.Error(p)
	}
}

// TestArchitectureFails shows that each rule of the test above can fail.
func TestArchitectureFails(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	got := checkArchitecture(t, fstest.MapFS{
		"root.go":                           file("package penstock\nimport _ \"penstock/rules\"\nimport _ \"example.org/x\"\n"),
		"internal/util/u.go":                file("package util\n"),
		"internal/engine/secrets/a.go":      file("package secrets\nimport (\n_ \"penstock\"\n_ \"penstock/internal/report\"\n_ \"net/http\"\n)\n"),
		"internal/engine/secrets/a_test.go": file("package secrets\nimport _ \"os\"\nfunc init() { go f() }\n"),
		"internal/gate/g.go":                file("package gate\nvar n int\nvar m = map[string]int{}\nvar ok = map[string]int{\"a\": 1}\nfunc init() {}\nfunc f() { n++; m[\"a\"] = 1; go f(); _ = ok }\nfunc g() { n := 1; n++; _ = n }\n"),
		"internal/report/r.go":              file("package report\nimport \"os\"\nimport \"sync\"\nvar mu sync.Mutex\nfunc f() { os.Exit(1) }\n"),
	})
	want := []string{
		`.: imports penstock/rules: this arrow is not in the table`,
		`.: imports example.org/x: the root package imports the standard library only`,
		`internal/engine/secrets: imports penstock/internal/report: this arrow is not in the table`,
		`internal/engine/secrets: imports net/http: an engine works on bytes alone and gives the same answer twice`,
		`internal/gate/g.go:5: init function`,
		`internal/gate/g.go:6: package variable n is written`,
		`internal/gate/g.go:6: package variable m is written`,
		`internal/gate/g.go:6: go statement outside internal/scan and cmd/penstock and bench`,
		`internal/report/r.go:4: package variable mu holds state`,
		`internal/report/r.go:5: os.Exit outside main`,
		`internal/util: unknown package: add it to the table in arch_test.go, or better make it a file of another package`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

// checkArchitecture returns one line per broken rule. Test files are free.
func checkArchitecture(t *testing.T, fsys fs.FS) []string {
	t.Helper()
	var problems []string
	seen := map[string]map[string]bool{} // package -> imports
	globals := map[string]map[string]bool{}
	files := map[string][]*ast.File{}
	fset := token.NewFileSet()

	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, p, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := path.Dir(p)
		files[pkg] = append(files[pkg], f)
		if seen[pkg] == nil {
			seen[pkg] = map[string]bool{}
			globals[pkg] = map[string]bool{}
		}
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			seen[pkg][name] = true
		}
		for _, name := range packageVars(f) {
			globals[pkg][name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	for pkg, imports := range seen {
		allowed, ok := arrows[pkg]
		if !ok {
			problems = append(problems, pkg+": unknown package: add it to the table in arch_test.go, or better make it a file of another package")
			continue
		}
		for name := range imports {
			if why := forbidden(pkg, name, allowed); why != "" {
				problems = append(problems, fmt.Sprintf("%s: imports %s: %s", pkg, name, why))
			}
		}
		for _, f := range files[pkg] {
			problems = append(problems, checkFile(fset, pkg, f, globals[pkg])...)
		}
	}
	return problems
}

// forbidden says why pkg must not import name; empty if it may.
func forbidden(pkg, name string, allowed []string) string {
	if name == "penstock" {
		return ""
	}
	if own, ok := strings.CutPrefix(name, "penstock/"); ok {
		if !slices.Contains(allowed, own) {
			return "this arrow is not in the table"
		}
		return ""
	}
	if pkg == "." && strings.Contains(strings.Split(name, "/")[0], ".") {
		return "the root package imports the standard library only"
	}
	for _, rule := range foreign {
		if strings.HasPrefix(pkg, rule.packages) && slices.Contains(rule.imports, name) && !slices.Contains(foreignAllowed[pkg], name) {
			return rule.why
		}
	}
	return ""
}

// packageVars lists the names of the package-level variables of f.
func packageVars(f *ast.File) []string {
	var names []string
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if name.Name != "_" {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// checkFile looks for init functions, written package variables, variables that
// exist to be written (locks, atomics), goroutines and os.Exit. A local name
// that hides a package variable is told apart by the declarations of the same
// function; that is an approximation, on the safe side of noise.
func checkFile(fset *token.FileSet, pkg string, f *ast.File, globals map[string]bool) []string {
	var problems []string
	report := func(pos token.Pos, format string, args ...any) {
		at := fset.Position(pos)
		problems = append(problems, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, fmt.Sprintf(format, args...)))
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				v := spec.(*ast.ValueSpec)
				if sel, ok := v.Type.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "atomic" || x.Name == "sync" && sel.Sel.Name != "Pool") {
						report(v.Pos(), "package variable %s holds state", v.Names[0].Name)
					}
				}
			}
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				report(d.Pos(), "init function")
			}
			if d.Body == nil {
				continue
			}
			local := localNames(d)
			written := func(x ast.Expr) {
				if name := baseName(x); name != "" && globals[name] && !local[name] {
					report(x.Pos(), "package variable %s is written", name)
				}
			}
			ast.Inspect(d.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					if n.Tok != token.DEFINE {
						for _, x := range n.Lhs {
							written(x)
						}
					}
				case *ast.IncDecStmt:
					written(n.X)
				case *ast.GoStmt:
					if !slices.Contains(goroutines, pkg) {
						report(n.Pos(), "go statement outside %s", strings.Join(goroutines, " and "))
					}
				case *ast.CallExpr:
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
						if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && sel.Sel.Name == "Exit" && f.Name.Name != "main" && exits[fset.Position(n.Pos()).Filename] == "" {
							report(n.Pos(), "os.Exit outside main")
						}
					}
				}
				return true
			})
		}
	}
	return problems
}

// baseName is the variable that an assignment to x changes: m of m["a"].b.
func baseName(x ast.Expr) string {
	for {
		switch e := x.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.IndexExpr:
			x = e.X
		case *ast.SelectorExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		default:
			return ""
		}
	}
}

// localNames are all names that d declares: parameters, results, receivers and
// everything in the body.
func localNames(d *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, x := range n.Lhs {
					if id, ok := x.(*ast.Ident); ok {
						names[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				for _, x := range []ast.Expr{n.Key, n.Value} {
					if id, ok := x.(*ast.Ident); ok {
						names[id.Name] = true
					}
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}
