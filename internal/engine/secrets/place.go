package secrets

import (
	"path"
	"slices"
	"strings"

	"penstock"
)

// place classes where a file stands in a project, by its path alone.
type place uint8

const (
	placeSource place = iota
	placeTest
	placeExample
	placeDocumentation
	placeConfiguration
	placeCI
	placeHistory
	placeArchive
)

var placeNames = [...]string{"source", "test", "example", "documentation", "configuration", "ci", "history", "archive"}

func (p place) String() string { return placeNames[p] }

// Words of path segments, without digits and signs at their ends.
var (
	testFolders = []string{"test", "tests", "testing", "testdata", "test-data", "test_data", "spec", "specs", "e2e", "fixture", "fixtures",
		"mock", "mocks", "stub", "stubs", "golden", "snapshots", "testutil", "testutils", "integration-tests", "integrationtest", "unittests", "cassettes", "testsuite"}
	exampleFolders = []string{"example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "quickstart", "quickstarts", "playground", "workshop"}
	docFolders     = []string{"doc", "docs", "documentation", "website", "wiki", "man", "manual", "handbook"}
	configFolders  = []string{".aws", ".ssh", ".kube", ".docker", ".config", ".gnupg", ".azure", ".gcloud"}
)

var (
	docExts    = []string{".md", ".mdx", ".markdown", ".rst", ".adoc", ".asciidoc", ".textile", ".pod", ".man"}
	configExts = []string{".env", ".yml", ".yaml", ".json", ".toml", ".ini", ".cfg", ".conf", ".cnf", ".config", ".properties", ".tf", ".tfvars",
		".tfstate", ".hcl", ".plist", ".xcconfig", ".reg", ".kubeconfig", ".ovpn", ".settings"}
	configNames = []string{".npmrc", ".yarnrc", ".pypirc", ".netrc", "_netrc", ".git-credentials", ".gitconfig", ".dockercfg", ".pgpass", ".my.cnf",
		".htpasswd", ".s3cfg", ".boto", "dockerfile", "containerfile", "credentials", "wp-config.php", "secrets.yml", ".envrc", ".flaskenv", "web.config"}
	ciNames = []string{".gitlab-ci", "azure-pipelines", "bitbucket-pipelines", "jenkinsfile", ".drone", "appveyor", ".appveyor", ".woodpecker", "cloudbuild",
		"buildspec", ".travis", "wercker", "codefresh", ".cirrus", "codemagic", "circle.yml", "action.yml", "action.yaml", "tekton"}
	ciFolders    = []string{".github/workflows/", ".github/actions/", ".gitlab/ci/", ".circleci/", ".buildkite/", ".woodpecker/", ".teamcity/", ".tekton/", ".harness/", ".semaphore/", ".azure-pipelines/", ".gitea/workflows/", ".forgejo/workflows/"}
	historyNames = []string{".bash_history", ".zsh_history", ".sh_history", ".ash_history", ".ksh_history", ".python_history", ".mysql_history", ".psql_history",
		".sqlite_history", ".node_repl_history", ".rediscli_history", ".irb_history", ".pry_history", ".histfile", ".zhistory", "fish_history", "consolehost_history.txt", ".mongorc_history", ".dbshell"}
)

// placeOf classes a path. What is not meant to run comes first: a workflow among
// test data is test data.
func placeOf(p string) place {
	low := strings.ToLower(strings.ReplaceAll(p, penstock.MemberSeparator, "/"))
	dir, base := path.Split(low)
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if slices.Contains(historyNames, base) {
		return placeHistory
	}
	for seg := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		s := strings.Trim(seg, "0123456789_.-")
		switch {
		case slices.Contains(testFolders, s), strings.HasSuffix(s, "-test"), strings.HasSuffix(s, "-tests"), strings.HasSuffix(s, "_test"), strings.HasSuffix(s, "_tests"), strings.HasSuffix(s, ".tests"), strings.HasSuffix(s, "-fixtures"):
			return placeTest
		}
	}
	if testName(base, stem, p) {
		return placeTest
	}
	for seg := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if slices.Contains(exampleFolders, strings.Trim(seg, "0123456789_.-")) {
			return placeExample
		}
	}
	for _, w := range []string{"example", "sample", "template", "dist", "demo", "tmpl"} {
		if ext == "."+w || strings.HasSuffix(stem, "."+w) || strings.HasSuffix(stem, "-"+w) || strings.HasSuffix(stem, "_"+w) || stem == w || strings.HasPrefix(base, w+".") {
			return placeExample
		}
	}
	if slices.Contains(docExts, ext) || strings.HasPrefix(base, "readme") || strings.HasPrefix(base, "changelog") {
		return placeDocumentation
	}
	for seg := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if slices.Contains(docFolders, seg) {
			return placeDocumentation
		}
	}
	for _, f := range ciFolders {
		if strings.HasPrefix(low, f) || strings.Contains(low, "/"+f) {
			return placeCI
		}
	}
	for _, n := range ciNames {
		if strings.HasPrefix(base, n) {
			return placeCI
		}
	}
	if slices.Contains(configExts, ext) || slices.Contains(configNames, base) || strings.HasPrefix(base, ".env") || strings.HasPrefix(base, "dockerfile") || strings.HasSuffix(base, "rc") && strings.HasPrefix(base, ".") {
		return placeConfiguration
	}
	for seg := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if slices.Contains(configFolders, seg) {
			return placeConfiguration
		}
	}
	if strings.Contains(p, penstock.MemberSeparator) {
		return placeArchive
	}
	return placeSource
}

// testName reports whether a file's name says that it holds tests. p has the
// case of the original.
func testName(base, stem, p string) bool {
	if strings.HasPrefix(base, "test_") || strings.HasPrefix(base, "test-") || base == "conftest.py" {
		return true
	}
	for _, w := range []string{"_test", ".test", "-test", "_spec", ".spec", "-spec", "_tests", ".tests"} {
		if strings.HasSuffix(stem, w) {
			return true
		}
	}
	name := strings.TrimSuffix(path.Base(p), path.Ext(p))
	for _, w := range []string{"Test", "Tests", "Spec", "TestCase", "IT"} {
		if rest, ok := strings.CutSuffix(name, w); ok && rest != "" {
			if c := rest[len(rest)-1]; c >= 'a' && c <= 'z' || isDigit(c) {
				return true
			}
		}
	}
	return false
}

// issued reports whether a check, when it is right, says that somebody issued the
// value. A key pair that is well formed anyone makes for a test.
func issued(check string) bool {
	return !slices.Contains([]string{"pem", "pem-body", "pgp", "jwt", "jwk"}, check)
}

// severity is how bad a secret is at this place, for a rule's own severity. In
// tests and examples most are made up, two levels less, or one where a checksum
// says that it was issued; in documentation one level less. What runs with the
// secret raises the lower levels.
func (p place) severity(s penstock.Severity, issued bool) penstock.Severity {
	switch p {
	case placeTest, placeExample:
		s -= 2
		if issued {
			s++
		}
	case placeDocumentation:
		if !issued {
			s--
		}
	case placeCI, placeConfiguration, placeHistory:
		if s < penstock.High {
			s++
		}
	}
	return max(penstock.Info, s)
}
