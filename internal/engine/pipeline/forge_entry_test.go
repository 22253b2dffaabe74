package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// waysIn lists the ways into a pipeline: for each the actor, what the author's version
// means, and for each job whether it runs, the gates that stop, and the prizes.
func waysIn(x *Project) []string {
	var out []string
	p := x.Pipelines[0]
	entries := x.Entries(p)
	for i := range entries {
		e := &entries[i]
		line := fmt.Sprintf("%s %s", e.Event, strings.Fields(e.Actor.String())[0])
		for _, word := range []struct {
			is   bool
			word string
		}{{e.Origin == OriginFork, "fork"}, {e.Own, "own"}, {e.After != "", "after"}, {!e.passable(), "closed"}} {
			if word.is {
				line += " " + word.word
			}
		}
		for k := range p.Jobs {
			j := &p.Jobs[k]
			truth, gates := x.Reach(p, e, j)
			line += fmt.Sprintf(" | %s %s", j.ID.Value, truth)
			for _, g := range gates {
				if g.Stops {
					line += " !" + string(g.Kind)
				} else {
					line += " ?" + string(g.Kind)
				}
			}
			if truth == False {
				continue
			}
			for _, q := range x.Prizes(p, e, j) {
				line += " " + q.Name
				if q.Setting {
					line += "?"
				}
			}
		}
		out = append(out, line)
	}
	return out
}

func TestForgeEntries(t *testing.T) {
	const gitlab = `
test:
  rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]
  tags: [box]
  script: make
deploy:
  rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH, when: manual}]
  environment: production
  script: npm publish
`
	const azure = `
trigger: [main]
pr: [main]
pool: box
jobs:
- job: test
  steps: [{script: make, env: {KEY: $(KEY)}}]
- job: deploy
  condition: and(succeeded(), ne(variables['Build.Reason'], 'PullRequest'))
  steps: [{task: AzureCLI@2, inputs: {azureSubscription: production, inlineScript: make}}]
`
	const jenkins = `
pipeline {
  agent { label 'box' }
  stages {
    stage('test') { steps { sh 'make' } }
    stage('deploy') {
      when { branch 'main' }
      environment { KEY = credentials('key') }
      steps { sh 'make' }
    }
  }
}
`
	for _, c := range []struct {
		name, file, text, settings string
		want                       []string
	}{
		{"GitLab, forks run in the fork", ".gitlab-ci.yml", gitlab, "gitlab: {variables: [KEY, PROTECTED], protected-variables: [PROTECTED]}", []string{
			"push anyone after | test false | deploy true !approval KEY PROTECTED npm publish CI_JOB_TOKEN",
			"push someone | test false | deploy undecided !approval ?other KEY npm publish CI_JOB_TOKEN",
			"push someone | test false | deploy false",
			"merge_request_event someone | test true KEY CI_JOB_TOKEN | deploy false",
		}},
		{"GitLab, forks run in the project", ".gitlab-ci.yml", gitlab, "gitlab: {fork-pipelines: parent, variables: [KEY, PROTECTED], protected-variables: [PROTECTED], runners: {box: persistent}, environments: {production: {reviewers: true}}}", []string{
			"merge_request_event anyone fork own | test true KEY box CI_JOB_TOKEN | deploy false !environment",
		}},
		{"GitLab, not public", ".gitlab-ci.yml", gitlab, "gitlab: {fork-pipelines: parent, visibility: private}", []string{
			"merge_request_event anyone fork own closed | test true !repository CI_JOB_TOKEN | deploy false !repository",
		}},
		{"Azure, nothing said", "azure-pipelines.yml", azure, "", []string{
			"pr anyone fork own | test true | deploy false",
			"ci anyone after | test true key? | deploy true production",
			"ci someone | test true key? | deploy true production",
			"pr someone | test true key? | deploy false",
			"manual someone | test true key? | deploy true production",
		}},
		{"Azure, forks have all", "azure-pipelines.yml", azure, "azure: {fork-builds: true, fork-secrets: true, fork-full-access: true, secret-variables: [KEY], pools: {box: persistent}}", []string{
			"pr anyone fork own | test true KEY box System.AccessToken | deploy false",
		}},
		{"Azure, a comment first", "azure-pipelines.yml", azure, "azure: {fork-builds: true, fork-secrets: true, comment-required: all, secret-variables: [KEY]}", []string{
			"ci anyone after | test true KEY | deploy true production",
			"pr anyone fork own after | test true KEY | deploy false",
		}},
		{"Jenkins, nothing said", "Jenkinsfile", jenkins, "", []string{
			"change-request anyone fork | test true | deploy false",
			"branch anyone after | test true | deploy true key",
			"branch someone | test true | deploy true key",
			"tag someone | test true | deploy undecided ?other key",
		}},
		{"Jenkins, everyone is trusted", "Jenkinsfile", jenkins, "jenkins: {trust: everyone, credentials: {key: global}, agents: {box: persistent}}", []string{
			"change-request anyone fork own | test true key box credentials? | deploy false",
		}},
		{"Jenkins, no forks", "Jenkinsfile", jenkins, "jenkins: {forks: false}", []string{
			"branch anyone after | test true | deploy true key",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Settings
			if err := s.ParseSettings("s.yaml", []byte("version: 1\n"+c.settings)); err != nil {
				t.Fatal(err)
			}
			got := waysIn(projectOf(textTree{c.file: []byte(c.text)}, s))
			if len(got) > len(c.want) {
				got = got[:len(c.want)]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A job that is for a known version of the server that is vulnerable says so once.
func TestPlatformFlaws(t *testing.T) {
	for version, want := range map[string]int{"gitlab@16.4": 5, "gitlab@17.4": 1, "gitlab@18.6": 0, "gitlab": 0, "github@3.14": 0} {
		forge, err := ParseForge(version)
		if err != nil {
			t.Fatal(err)
		}
		x := projectOf(textTree{".gitlab-ci.yml": []byte("a: {script: x}\n"), "sub/.gitlab-ci.yml": []byte("a: {script: x}\n")}, Settings{Forge: forge})
		n, notes := 0, 0
		for _, f := range found(x) {
			if f.Rule == "vulnerable-platform" {
				n++
				notes = len(f.Notes)
			}
		}
		if notes != want || n != min(want, 1) {
			t.Errorf("%s: %d flaws with %d notes, want %d", version, n, notes, want)
		}
	}
}

func TestLogins(t *testing.T) {
	for script, want := range map[string]int{
		`docker login -u ci -p hunter22 r.example.com`:              1,
		`docker login --username ci --password "hunter22" x`:        1,
		`docker login -u ci -p $PASSWORD x`:                         0,
		`docker login -u ci -p "$PASSWORD" x`:                       0,
		`echo "$P" | docker login -u ci --password-stdin x`:         0,
		`sshpass -p 'hunter22' ssh x`:                               1,
		`sshpass -p ${KEY} ssh x`:                                   0,
		`docker login -u ci x && mkdir -p build/out`:                0,
		`docker login -u ci -p $(cat token) x`:                      0,
		"docker login -u ci -p <password> x":                        0,
		"az acr login -n x && helm registry login -u a -p geheim x": 1,
	} {
		n := 0
		logins(&Pipeline{}, Text{Value: script}, "", func(Flaw) { n++ })
		if n != want {
			t.Errorf("%s: %d, want %d", script, n, want)
		}
	}
}
