package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestOwnRunners(t *testing.T) {
	for _, c := range []struct {
		labels string // separated by blanks
		own    bool
	}{
		{"self-hosted", true},
		{"Self-Hosted linux x64", true},
		{"ubuntu-20.04-self-hosted", true},
		{"self_hosted_arm", true},
		{"selfhosted-gpu", true},
		{"Windows X64 gpu", true},
		{"linux", true},
		{"ubuntu-latest", false},
		{"ubuntu-24.04-arm", false},
		{"windows-11-arm", false},
		{"macos-15-large", false},
		{"ubuntu-latest-16-cores", false},
		{"github-hosted-linux-x64", false},
		{"linux-x64-large", false},
		{"non-self-hosted", false},
		{"myself-hosted", false},
		{"self-test", false},
		{"blacksmith-4vcpu-ubuntu-2404", false},
		{"depot-ubuntu-24.04-4", false},
		{"namespace-profile-linux-x64-default", false},
		{"self-hosted runs-on runner=4cpu-linux-x64", false},
		{"runs-on=1 runner=2cpu-linux-x64 self-hosted", false},
		{"self-hosted linux ephemeral", false},
		{"self-hosted 1ES.Pool=builds", false},
		{"", false},
	} {
		var w runnerWish
		for _, l := range strings.Fields(c.labels) {
			w = append(w, runnerLabel{text: l})
		}
		if w.own() != c.own {
			t.Errorf("%s: own %v, want %v", c.labels, w.own(), c.own)
		}
	}
}

// What a job asks for is read from constants, expressions and the matrix, and in a run
// by somebody only what that person can bring about.
func TestWishes(t *testing.T) {
	const pull = "on: pull_request\n"
	for _, c := range []struct {
		name, on, job string
		anyone        string // all that the job can ask for
		stranger      bool   // a runner of one's own, by a pull request of a stranger
	}{
		{"a list", pull, "runs-on: [self-hosted, linux]", "self-hosted linux", true},
		{"a group with labels", pull, "runs-on: {group: big, labels: [Linux, X64]}", "Linux X64", true},
		{"a list by fromJSON", pull, `runs-on: "${{ fromJSON('[\"self-hosted\", \"gpu\"]') }}"`, "self-hosted gpu", true},
		{"an object by fromJSON", pull, `runs-on: "${{ fromJSON('{\"group\": \"a\", \"labels\": [\"self-hosted\"]}') }}"`, "self-hosted", true},
		{"the matrix", pull, "runs-on: ${{ matrix.on }}\n    strategy: {matrix: {on: [ubuntu-latest, [self-hosted, gpu]]}}", "ubuntu-latest | self-hosted gpu", true},
		{"labels in the matrix", pull, "runs-on: ${{ matrix.on }}\n    strategy: {matrix: {include: [{on: {labels: [Windows, X64, gpu]}}, {on: macos-15}]}}", "Windows X64 gpu | macos-15", true},
		{"a member of the matrix", pull, "runs-on: ${{ matrix.on.runner }}\n    strategy: {matrix: {on: [{os: linux, runner: ubuntu-latest}]}}", "ubuntu-latest", false},
		{"another axis of the matrix", pull, "runs-on: ${{ matrix.os == 'linux' && 'ubuntu-latest' || 'windows-latest' }}\n    strategy: {matrix: {os: [linux, windows]}}", "ubuntu-latest | windows-latest", false},
		{"a list as JSON in the matrix", pull, "runs-on: ${{ fromJSON(matrix.on) }}\n    strategy: {matrix: {on: ['[\"self-hosted\"]', '\"ubuntu-latest\"']}}", "self-hosted | ubuntu-latest", true},
		{"a part of a label", pull, "runs-on: self-hosted-${{ matrix.arch }}\n    strategy: {matrix: {arch: [a, b]}}", "self-hosted-a | self-hosted-b", true},
		{"a part that is not known", pull, "runs-on: ${{ inputs.os }}-self-hosted", "*-self-hosted", true},
		{"the number of the run", pull, "runs-on: ${{ github.run_number > 1 && 'ubuntu-latest' || 'self-hosted' }}", "ubuntu-latest | self-hosted", false},
		{"the number of the run, the other way", pull, "runs-on: ${{ github.run_number > 1 && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", true},
		{"the number of the run, from the right", pull, "runs-on: ${{ 1 < github.run_number && 'ubuntu-latest' || 'self-hosted' }}", "ubuntu-latest | self-hosted", false},
		{"the first run", pull, "runs-on: ${{ github.run_number == 1 && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", false},
		{"a later run", pull, "runs-on: ${{ github.run_number > 100 && 'ubuntu-latest' || 'self-hosted' }}", "ubuntu-latest | self-hosted", true},
		{"not for forks", pull, "runs-on: ${{ github.event.pull_request.head.repo.fork && 'ubuntu-latest' || 'self-hosted' }}", "ubuntu-latest | self-hosted", false},
		{"for forks", pull, "runs-on: ${{ github.event.pull_request.head.repo.fork && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", true},
		{"for members", pull, "runs-on: ${{ github.event.pull_request.author_association == 'MEMBER' && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", false},
		{"for pushes", "on: [push, pull_request]\n", "runs-on: ${{ github.event_name == 'push' && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", false},
		{"with a label", "on: {pull_request: {types: [labeled]}}\n", "runs-on: ${{ contains(github.event.pull_request.labels.*.name, 'gpu') && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", false},
		{"with a title", pull, "runs-on: ${{ contains(github.event.pull_request.title, 'gpu') && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", true},
		{"in the own repository", pull, "runs-on: ${{ github.repository == 'octo/app' && 'self-hosted' || 'ubuntu-latest' }}", "self-hosted | ubuntu-latest", true},
		{"by case", pull, "runs-on: ${{ case(matrix.a == 1, 'self-hosted', 'ubuntu-latest') }}", "self-hosted | ubuntu-latest", true},
		{"of a list by an index", pull, `runs-on: "${{ fromJSON('[\"ubuntu-latest\", \"self-hosted\"]')[matrix.n] }}"`, "ubuntu-latest | self-hosted", true},
		{"a runner that the run starts", pull, "runs-on: [self-hosted, \"${{ github.run_id }}\"]", "", false},
		{"a name of a variable", pull, "runs-on: ${{ vars.SELF_HOSTED || 'ubuntu-latest' }}", "ubuntu-latest", false},
	} {
		x := testProject(Settings{}, map[string]string{flowFile: c.on + "jobs:\n  job:\n    " + c.job + "\n    steps:\n      - run: make\n"})
		p := x.Pipeline(flowFile, KindWorkflow)
		j := &p.Jobs[0]
		var all []string
		for _, w := range wishesOf(j) {
			var labels []string
			for _, l := range w {
				labels = append(labels, l.text)
			}
			all = append(all, strings.Join(labels, " "))
		}
		if got := strings.Join(all, " | "); got != c.anyone {
			t.Errorf("%s: %q, want %q", c.name, got, c.anyone)
		}
		e := entryOf(t, x, p, "pull_request")
		prized := slices.ContainsFunc(x.Prizes(p, e, j), func(z Prize) bool { return z.Kind == PrizeRunner })
		if prized != c.stranger {
			t.Errorf("%s: a prize %v, want %v", c.name, prized, c.stranger)
		}
	}
}

// Matrices and expressions that multiply end soon.
func TestWishesLarge(t *testing.T) {
	values := strings.Repeat("${{ matrix.a || matrix.b }}", 200)
	x := testProject(Settings{}, map[string]string{flowFile: "on: pull_request\njobs:\n  job:\n    runs-on: ['" + values + "', '${{ matrix.a }}', '${{ matrix.b }}', '${{ matrix.c }}']\n    strategy:\n      matrix:\n        a: [" +
		strings.Repeat("x, '${{ matrix.a }}${{ matrix.b }}', ", 500) + "]\n        b: [" + strings.Repeat("y, '${{ matrix.a }}', ", 500) + "]\n        c: [" + strings.Repeat("z, ", 500) + "]\n    steps:\n      - run: make\n"})
	if got := len(wishesOf(&x.Pipelines[0].Jobs[0])); got > maxWishes {
		t.Error(got, "wishes")
	}
}
