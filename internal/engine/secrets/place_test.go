package secrets

import (
	"testing"

	"penstock"
)

func TestPlace(t *testing.T) {
	for path, want := range map[string]place{
		"main.go":                         placeSource,
		"src/attestation/protest.go":      placeSource,
		"main_test.go":                    placeTest,
		"src/test/java/a/B.java":          placeTest,
		"src/main/java/a/LoginTest.java":  placeTest,
		"app/__tests__/a.js":              placeTest,
		"a/login.spec.ts":                 placeTest,
		"spec/models/user.rb":             placeTest,
		"testdata/.github/workflows/x.y":  placeTest,
		"fixtures2/key.pem":               placeTest,
		"examples/aws/main.tf":            placeExample,
		".env.example":                    placeExample,
		"config/database.yml.dist":        placeExample,
		"README.md":                       placeDocumentation,
		"docs/setup/config.yaml":          placeDocumentation,
		".github/workflows/ci.yml":        placeCI,
		"sub/.gitlab-ci.yml":              placeCI,
		"Jenkinsfile":                     placeCI,
		".env":                            placeConfiguration,
		"deploy/values.yaml":              placeConfiguration,
		"home/user/.npmrc":                placeConfiguration,
		"root/.aws/credentials":           placeConfiguration,
		"Dockerfile.prod":                 placeConfiguration,
		"home/u/.bash_history":            placeHistory,
		"backup.zip!/src/main.go":         placeArchive,
		"backup.zip!/conf/prod.yaml":      placeConfiguration,
		"tests.zip!/src/main.go":          placeArchive,
		"backup.zip!/src/test/x/main.go":  placeTest,
		"contest/main.go":                 placeSource,
		"AUDIT.go":                        placeSource,
		"Documents/src/latest/release.go": placeSource,
	} {
		if got := placeOf(path); got != want {
			t.Errorf("placeOf(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestSeverityByPlace(t *testing.T) {
	for _, tt := range []struct {
		p       place
		s       penstock.Severity
		checked bool
		want    penstock.Severity
	}{
		{placeSource, penstock.High, false, penstock.High},
		{placeTest, penstock.Critical, false, penstock.Medium},
		{placeTest, penstock.Critical, true, penstock.High},
		{placeExample, penstock.Low, false, penstock.Info},
		{placeDocumentation, penstock.High, false, penstock.Medium},
		{placeDocumentation, penstock.High, true, penstock.High},
		{placeCI, penstock.Medium, false, penstock.High},
		{placeCI, penstock.Critical, false, penstock.Critical},
		{placeConfiguration, penstock.High, false, penstock.High},
	} {
		if got := tt.p.severity(tt.s, tt.checked); got != tt.want {
			t.Errorf("%s of %s, checked %v: %s, want %s", tt.p, tt.s, tt.checked, got, tt.want)
		}
	}
}
