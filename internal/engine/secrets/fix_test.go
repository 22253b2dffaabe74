package secrets

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"penstock"
)

// Fix samples have VALUE where the secret stands; it is made here.
var fixValue = strings.Repeat("q7Zk", 6)

func TestProposeFix(t *testing.T) {
	for _, c := range []struct {
		name, path, text string
		want             string // the line after the edit; "" for no edit
		safe             bool
		step             string // part of one step
	}{
		{"go", "a.go", "import \"os\"\n\tapiKey := \"VALUE\"\n", "\tapiKey := os.Getenv(\"API_KEY\")", true, "set API_KEY"},
		{"go import block", "a.go", "import (\n\t\"os\"\n)\nvar token = \"VALUE\"\n", "var token = os.Getenv(\"TOKEN\")", true, "set TOKEN"},
		{"go without import", "a.go", "\tapiKey := \"VALUE\"\n", "\tapiKey := os.Getenv(\"API_KEY\")", false, `add "os" to the imports`},
		{"go raw string", "a.go", "\tapiKey := `VALUE`\n", "\tapiKey := os.Getenv(\"API_KEY\")", false, ""},
		{"go field", "a.go", "\tc := Client{Token: \"VALUE\"}\n", "\tc := Client{Token: os.Getenv(\"TOKEN\")}", false, ""},
		{"go const", "a.go", "const apiKey = \"VALUE\"\n", "", false, "by hand"},
		{"go const block", "a.go", "const (\n\ta = 1\n\tapiKey = \"VALUE\"\n)\n", "", false, ""},
		{"go after a const block", "a.go", "const (\n\ta = 1\n)\nfunc f() {\n\tapiKey := \"VALUE\"\n", "\tapiKey := os.Getenv(\"API_KEY\")", false, ""},
		{"go map key", "a.go", "\t\"VALUE\": true,\n", "", false, ""},
		{"go part of a literal", "a.go", "\tapiKey := \"Bearer VALUE\"\n", "", false, ""},
		{"go comment", "a.go", "\t// apiKey := \"VALUE\"\n", "", false, ""},
		{"go trailing comment", "a.go", "\tx := 1 // key = \"VALUE\"\n", "", false, ""},
		{"go struct tag", "a.go", "\tA string `VALUE`\n", "", false, ""},
		{"no name", "a.go", "\tlogin(\"bob\", \"VALUE\")\n", "\tlogin(\"bob\", os.Getenv(\"GITHUB_TOKEN\"))", false, ""},
		{"python", "a.py", "import os\nAPI_KEY = 'VALUE'\n", "API_KEY = os.environ['API_KEY']", true, "set API_KEY"},
		{"python import list", "a.py", "import sys, os\nd = {\"token\": \"VALUE\"}\n", "d = {\"token\": os.environ[\"TOKEN\"]}", true, ""},
		{"python without import", "a.py", "secret=\"VALUE\"\n", "secret=os.environ[\"SECRET\"]", false, "add: import os"},
		{"python raw", "a.py", "import os\nsecret = r\"VALUE\"\n", "secret = os.environ[\"SECRET\"]", true, ""},
		{"python bytes", "a.py", "import os\nsecret = b\"VALUE\"\n", "", false, ""},
		{"python format", "a.py", "import os\nsecret = f\"VALUE\"\n", "", false, ""},
		{"python docstring", "a.py", "import os\nsecret = \"\"\"VALUE\"\"\"\n", "", false, ""},
		{"python escaped quote", "a.py", "s = \"a \\\"VALUE\"\n", "", false, ""},
		{"js on node", "a.js", "const fs = require('fs');\nconst apiKey = 'VALUE';\n", "const apiKey = process.env.API_KEY;", true, ""},
		{"js elsewhere", "a.mjs", "const apiKey = `VALUE`;\n", "const apiKey = process.env.API_KEY;", false, "browser"},
		{"jsx attribute", "a.jsx", "  <Map apiKey=\"VALUE\" />\n", "", false, ""},
		{"ts", "a.ts", "const apiKey: string = \"VALUE\";\n", "const apiKey: string = process.env.API_KEY!;", false, ""},
		{"java", "A.java", "String dbPassword = \"VALUE\";\n", "String dbPassword = System.getenv(\"DB_PASSWORD\");", true, ""},
		{"java final", "A.java", "private static final String KEY = \"VALUE\";\n", "private static final String KEY = System.getenv(\"KEY\");", false, "annotation"},
		{"java annotation", "A.java", "@Value(\"VALUE\")\n", "", false, ""},
		{"kotlin const", "A.kt", "const val KEY = \"VALUE\"\n", "", false, ""},
		{"kotlin", "A.kt", "val apiKey = \"VALUE\"\n", "val apiKey = System.getenv(\"API_KEY\")", true, ""},
		{"ruby", "a.rb", "token = 'VALUE'\n", "token = ENV.fetch('TOKEN')", true, ""},
		{"ruby key", "a.rb", "h = { 'VALUE' => 1 }\n", "", false, ""},
		{"php", "a.php", "$apiKey = 'VALUE';\n", "$apiKey = getenv('API_KEY');", true, ""},
		{"php property", "a.php", "  private $apiKey = 'VALUE';\n", "", false, ""},
		{"csharp", "A.cs", "var apiKey = \"VALUE\";\n", "var apiKey = System.Environment.GetEnvironmentVariable(\"API_KEY\");", false, "null"},
		{"csharp verbatim", "A.cs", "var apiKey = @\"VALUE\";\n", "var apiKey = System.Environment.GetEnvironmentVariable(\"API_KEY\");", false, ""},
		{"csharp const", "A.cs", "const string ApiKey = \"VALUE\";\n", "", false, ""},
		{"rust", "a.rs", "    let token = \"VALUE\";\n", "    let token = std::env::var(\"TOKEN\").expect(\"TOKEN is not set\");", false, "String"},
		{"rust bytes", "a.rs", "    let token = b\"VALUE\";\n", "", false, ""},
		{"rust const", "a.rs", "const TOKEN: &str = \"VALUE\";\n", "", false, ""},
		{"shell word", "a.sh", "export API_KEY=VALUE\n", "export API_KEY=\"${API_KEY:?}\"", true, ""},
		{"shell double", "a.sh", "API_KEY=\"VALUE\"\n", "API_KEY=\"${API_KEY:?}\"", true, ""},
		{"shell single", "a.sh", "API_KEY='VALUE'\n", "API_KEY=\"${API_KEY:?}\"", true, ""},
		{"shell in double quotes", "a.sh", "curl -H \"Authorization: Bearer VALUE\" x\n", "curl -H \"Authorization: Bearer ${GITHUB_TOKEN:?}\" x", true, ""},
		{"shell in single quotes", "a.sh", "curl -H 'Authorization: Bearer VALUE' x\n", "", false, ""},
		{"shell quotes in quotes", "a.sh", "echo '{\"token\": \"VALUE\"}'\n", "", false, ""},
		{"shell here-document", "a.sh", "cat <<'E'\ntoken=VALUE\nE\n", "token=\"${TOKEN:?}\"", false, ""},
		{"shell part of a word", "a.sh", "u=https://VALUE@host\n", "", false, ""},
		{"dockerfile", "Dockerfile", "ENV API_KEY=VALUE\n", "", false, "--mount=type=secret,id=api_key"},
		{"workflow", ".github/workflows/a.yml", "  env:\n    API_KEY: VALUE\n", "    API_KEY: ${{ secrets.API_KEY }}", true, "store the new value"},
		{"workflow quoted", "x/.github/workflows/a.yaml", "    API_KEY: \"VALUE\" # here\n", "    API_KEY: ${{ secrets.API_KEY }} # here", true, ""},
		{"workflow forbidden name", ".github/workflows/a.yml", "    GITHUB_KEY: VALUE\n", "    GITHUB_KEY: ${{ secrets.GH_KEY }}", true, ""},
		{"workflow script", ".github/workflows/a.yml", "      - run: curl -u x:VALUE y\n", "", false, "pass it to the step by env"},
		{"workflow flow map", ".github/workflows/a.yml", "    env: {API_KEY: VALUE}\n", "", false, ""},
		{"gitlab other name", ".gitlab-ci.yml", "  dbPassword: VALUE\n", "  dbPassword: $DB_PASSWORD", true, "masked"},
		{"gitlab same name", ".gitlab-ci.yml", "  API_KEY: VALUE\n", "", false, "delete this line"},
		{"gitlab script", ".gitlab-ci.yml", "    - deploy --token VALUE\n", "    - deploy --token $TOKEN", false, ""},
		{"compose map", "docker-compose.yml", "      API_KEY: VALUE\n", "      API_KEY: \"${API_KEY:?}\"", true, ""},
		{"compose list", "compose.prod.yaml", "      - API_KEY=VALUE\n", "      - API_KEY=${API_KEY:?}", true, ""},
		{"terraform", "a.tf", "  password = \"VALUE\"\n", "  password = var.password", false, `declare it: variable "password"`},
		{"terraform declared", "a.tf", "variable \"password\" {}\nresource \"x\" \"y\" {\n  password = \"VALUE\"\n", "  password = var.password", true, ""},
		{"terraform default", "a.tf", "variable \"db_password\" {\n  default = \"VALUE\"\n", "", false, "remove the default"},
		{"tfvars", "a.tfvars", "password = \"VALUE\"\n", "", false, "TF_VAR_password"},
		{"dotenv", ".env", "API_KEY=VALUE\n", "", false, "out of version control"},
		{"json", "a.json", "{\"apiKey\": \"VALUE\"}\n", "", false, "read API_KEY"},
		{"text", "notes", "VALUE\n", "", false, "remove it"},
		{"crlf", "a.py", "import os\r\nsecret = \"VALUE\"\r\n", "secret = os.environ[\"SECRET\"]\r", true, ""},
		{"no line end", "a.rb", "token = 'VALUE'", "token = ENV.fetch('TOKEN')", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(strings.Replace(c.text, "VALUE", fixValue, 1))
			at := int64(bytes.Index(text, []byte(fixValue)))
			const base = 1000
			fix := proposeFix(c.path, text, base, penstock.Span{Start: at, End: at + int64(len(fixValue))}, "github-token")
			if fix == nil || len(fix.Steps) < 2 || !strings.Contains(fix.Steps[0], "revoke") {
				t.Fatalf("fix without the steps: %+v", fix)
			}
			got := ""
			if len(fix.Edits) > 0 {
				e := fix.Edits[0]
				after := string(text[:e.Start-base]) + e.Text + string(text[e.End-base:])
				got, _, _ = strings.Cut(after[strings.LastIndexByte(string(text[:at]), '\n')+1:], "\n")
				if e.Path != c.path {
					t.Errorf("edit of %s", e.Path)
				}
			}
			if got != c.want {
				t.Errorf("line %q, want %q", got, c.want)
			}
			if fix.Safe != c.safe {
				t.Errorf("safe = %v", fix.Safe)
			}
			if all := strings.Join(fix.Steps, "\n"); !strings.Contains(all, c.step) {
				t.Errorf("steps %q lack %q", all, c.step)
			}
			holdsNoSecret(t, fix, fixValue)
		})
	}
}

func holdsNoSecret(t *testing.T, fix *penstock.Fix, value string) {
	t.Helper()
	all := fix.Description + strings.Join(fix.Steps, " ")
	for _, e := range fix.Edits {
		all += e.Text
	}
	if strings.Contains(strings.ToLower(all), strings.ToLower(value)) {
		t.Errorf("the fix holds the secret: %s", all)
	}
}

// The key beside a value may itself be a credential: an access key id before its
// secret. It must not become a name.
func TestProposeFixHidesNeighbours(t *testing.T) {
	id := "AKIA" + strings.Repeat("Q7", 8)
	text := []byte("creds = {\"" + id + "\": \"" + fixValue + "\"}\n")
	at := int64(bytes.Index(text, []byte(fixValue)))
	fix := proposeFix("a.py", text, 0, penstock.Span{Start: at, End: at + int64(len(fixValue))}, "aws-secret")
	holdsNoSecret(t, fix, id)
	if len(fix.Edits) != 1 || !strings.Contains(fix.Edits[0].Text, "AWS_SECRET") {
		t.Errorf("got %+v", fix)
	}
}

func TestProposeFixMultiline(t *testing.T) {
	text := []byte("key = \"\"\"" + fixValue + "\n" + fixValue + "\"\"\"\n")
	fix := proposeFix("a.py", text, 0, penstock.Span{Start: 9, End: int64(len(text) - 4)}, "private-key")
	if len(fix.Edits) != 0 || len(fix.Steps) != 2 {
		t.Errorf("got %+v", fix)
	}
}

func FuzzProposeFix(f *testing.F) {
	f.Add("a.go", []byte("x := \"abcdef\"\n"), 6, 12)
	f.Add("a.sh", []byte("x='abcdef'\n"), 3, 9)
	f.Add(".github/workflows/a.yml", []byte("k: abcdef\n"), 3, 9)
	f.Fuzz(func(t *testing.T, path string, text []byte, start, end int) {
		fix := proposeFix(path, text, 0, penstock.Span{Start: int64(start), End: int64(end)}, "token")
		if fix == nil {
			return
		}
		for _, e := range fix.Edits {
			if e.Start < 0 || e.Start > int64(start) || e.End < int64(end) || e.End > int64(len(text)) {
				t.Errorf("edit %v does not cover the secret %d-%d of %d bytes", e.Span, start, end, len(text))
			}
		}
	})
}

// TestFixGoContext compares what is read by hand with the expressions that say
// what is meant.
func TestFixGoContext(t *testing.T) {
	importOS := regexp.MustCompile(`(?m)^(?:import\s+|\s+)"os"\s*$`)
	block := regexp.MustCompile(`(?m)^(?:(const|var|type|import)\s*\(|func\b|\))`)
	words := []string{"const", "(", ")", "func", "import", `"os"`, " ", "\n", "\n", "\t", "x", "var (", "\r\n", "functions", "const\n("}
	rnd := rand.New(rand.NewPCG(1, 1))
	imports, consts := 0, 0
	for range 30_000 {
		var b bytes.Buffer
		for range rnd.IntN(12) {
			b.WriteString(words[rnd.IntN(len(words))])
		}
		text := b.Bytes()
		if got, want := fixGoImportsOS(text), importOS.Match(text); got != want {
			t.Fatalf("%q imports os: %v, want %v", text, got, want)
		} else if want {
			imports++
		}
		all := block.FindAllSubmatch(text, -1)
		want := len(all) > 0 && string(all[len(all)-1][1]) == "const"
		if got := fixGoInConst(&fixSite{text: text, start: len(text)}); got != want {
			t.Fatalf("%q ends in a block of constants: %v, want %v", text, got, want)
		} else if want {
			consts++
		}
	}
	if imports < 300 || consts < 300 {
		t.Errorf("%d imports and %d blocks of constants: the texts are no test", imports, consts)
	}
}
