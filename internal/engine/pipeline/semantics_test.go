package pipeline

import (
	"strings"
	"testing"
)

func TestSemanticsDates(t *testing.T) {
	s := NewSemantics()
	github, server319, server320 := ForgeVersion{Name: "github"}, ForgeVersion{"github", Version{3, 19}}, ForgeVersion{"github", Version{3, 20}}
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	for _, c := range []struct {
		what string
		date Date
		f    ForgeVersion
		want string
		row  string
	}{
		// pull_request_target moves to the default branch
		{"ref pull_request_target", "2025-12-07", github, "base", "github-ref-pull-request-target-base"}, {"ref pull_request_target", "2025-12-08", github, "default", "github-ref-pull-request-target-default"},
		{"ref pull_request_target", "", github, "default", "github-ref-pull-request-target-default"}, {"ref pull_request_target", "", server319, "base", "github-ref-pull-request-target-base"}, {"ref pull_request_target", "2024-01-01", server320, "default", "github-ref-pull-request-target-default"},
		{"ref pull_request", "", github, "merge", "github-ref-pull-request"}, {"ref issue_comment", "", github, "default", "github-ref-default"}, {"ref push", "", github, "pushed", "github-ref-push"}, {"ref workflow_dispatch", "", github, "chosen", "github-ref-dispatch"},
		{"ref schedule", "", github, "default", "github-ref-default"}, {"ref merge_group", "", github, "merge-group", "github-ref-merge-group"}, {"ref workflow_run", "", github, "default", "github-ref-default"},
		{"environment pull_request_target", "2025-12-07", github, "head", "github-environment-ref-head"}, {"environment pull_request_target", "2025-12-08", github, "default", "github-environment-ref-default"}, {"environment pull_request", "2025-12-08", github, "merge", "github-environment-ref-merge"}, {"environment push", "", github, "pushed", "github-environment-ref"},
		// caches
		{"scope pull_request_target", "2025-12-07", github, "base", "github-cache-scope-pull-request-target-base"}, {"scope pull_request_target", "2026-01-01", github, "default", "github-cache-scope-pull-request-target-default"}, {"scope pull_request", "", github, "merge", "github-cache-scope-pull-request"},
		{"cache pull_request_target", "2026-06-25", github, "yes", "github-cache-write-always"}, {"cache pull_request_target", "2026-06-26", github, "no", "github-cache-read-untrusted"}, {"cache issue_comment", "", github, "no", "github-cache-read-untrusted"}, {"cache workflow_run", "", github, "no", "github-cache-read-untrusted"},
		{"cache push", "", github, "yes", "github-cache-write-trusted"}, {"cache schedule", "2026-06-26", github, "yes", "github-cache-write-trusted"}, {"cache pull_request", "", github, "yes", "github-cache-write-own-scope"}, {"cache pull_request_target", "", server320, "yes", "github-cache-write-always"},
		{"cache pull_request_target write", "2026-09-09", github, "no", "github-cache-read-untrusted"}, {"cache pull_request_target write", "2026-09-10", github, "yes", "github-cache-mode"}, {"cache pull_request_target write-only", "", github, "yes", "github-cache-mode"},
		{"cache pull_request_target read", "", github, "no", "github-cache-mode"}, {"cache push none", "", github, "no", "github-cache-mode"}, {"cache push read", "2026-09-09", github, "yes", "github-cache-write-trusted"}, {"cache push read", "", server320, "yes", "github-cache-write-always"}, {"cache issue_comment nonsense", "", github, "no", "github-cache-read-untrusted"},
		// identity tokens
		{"oidc push", "", github, "yes", "github-oidc"}, {"oidc pull_request fork", "", github, "no", "github-oidc-fork"}, {"oidc pull_request", "", github, "yes", "github-oidc"}, {"oidc pull_request_target fork", "", github, "yes", "github-oidc"},
		{"subject", "2026-04-22", github, "names", "github-oidc-subject-names"}, {"subject", "2026-04-23", github, "either", "github-oidc-subject-ids"}, {"subject 2026-07-14", "", github, "either", "github-oidc-subject-ids"}, {"subject 2026-07-15", "", github, "ids", "github-oidc-subject-ids"}, {"subject 2026-08-01", "", server320, "names", "github-oidc-subject-server"},
		// lock file
		{"lock", "2026-10-13", github, "no", "github-lock-none"}, {"lock", "2026-10-14", github, "yes", "github-lock-preview"}, {"lock", "", server320, "no", "github-lock-none"},
		// tokens, secrets, approval
		{"token pull_request fork", "", github, "read", "github-token-fork"}, {"token pull_request", "", github, "setting", "github-token-default"}, {"token pull_request_target fork", "", github, "setting", "github-token-default"}, {"token push dependabot", "", github, "read", "github-token-dependabot"}, {"token push dependabot", "2021-02-28", github, "setting", "github-token-default"},
		{"limit pull_request fork", "", github, "read", "github-token-limit-fork"}, {"limit pull_request_target fork", "", github, "write", "github-token-limit"}, {"limit pull_request_review_comment fork", "", github, "read", "github-token-limit-fork"},
		{"secrets pull_request fork", "", github, "none", "github-secrets-fork"}, {"secrets pull_request_target fork", "", github, "all", "github-secrets"}, {"secrets workflow_run fork", "", github, "all", "github-secrets"}, {"secrets pull_request dependabot", "", github, "dependabot", "github-secrets-dependabot"}, {"secrets pull_request_target dependabot", "", github, "all", "github-secrets"},
		{"approval pull_request fork", "", github, "setting", "github-approval-fork"}, {"approval pull_request fork", "2021-04-21", github, "none", "github-approval-none"}, {"approval pull_request_target fork", "", github, "none", "github-approval-none"},
	} {
		v := s.At(c.date, c.f)
		words := append(strings.Fields(c.what), "", "", "")
		event := words[1]
		origin := map[string]Origin{"fork": OriginFork, "dependabot": OriginDependabot, "": OriginRepository}[words[2]]
		var got string
		var row Row
		switch words[0] {
		case "ref":
			a, r := v.Ref(event)
			got, row = string(a), r
		case "environment":
			a, r := v.EnvironmentRef(event)
			got, row = string(a), r
		case "scope":
			a, r := v.CacheScope(event)
			got, row = string(a), r
		case "cache":
			a, r := v.CacheWrite(event, OriginFork, words[2])
			got, row = yes(a), r
		case "oidc":
			a, r := v.OIDC(event, origin)
			got, row = yes(a), r
		case "subject":
			a, r := v.OIDCSubject(Date(event))
			got, row = string(a), r
		case "lock":
			a, r := v.Lock()
			got, row = yes(a), r
		case "token":
			a, r := v.TokenDefault(event, origin)
			got, row = string(a), r
		case "limit":
			a, r := v.TokenLimit(event, origin)
			got, row = string(a), r
		case "secrets":
			a, r := v.SecretsReach(event, origin)
			got, row = string(a), r
		case "approval":
			a, r := v.NeedsApproval(event, origin)
			got, row = string(a), r
		}
		if got != c.want || row.ID != c.row {
			t.Errorf("%s on %q at %s: %s by %s, want %s by %s", c.what, c.date, c.f, got, row.ID, c.want, c.row)
		}
	}
	v := s.At("", github)
	for created, want := range map[Date]Access{"2023-02-01": AccessWrite, "2023-02-02": AccessRead, "": AccessSetting} {
		if got, _ := v.TokenDefaultOf("push", OriginRepository, created); got != want {
			t.Errorf("token of a repository of %q: %s, want %s", created, got, want)
		}
	}
	if got, _ := v.TokenDefaultOf("pull_request", OriginFork, "2020-01-01"); got != AccessRead {
		t.Errorf("token of a fork: %s", got)
	}
}

func TestCheckoutGuard(t *testing.T) {
	s := NewSemantics()
	for _, c := range []struct {
		date      Date
		reference string
		event     string
		want      Guard
	}{
		{"", "v4", "pull_request_target", GuardRefuses}, {"2026-07-15", "v4", "pull_request_target", GuardAbsent}, {"2026-07-16", "v4", "pull_request_target", GuardRefuses}, {"", "v4", "workflow_run", GuardRefuses}, {"", "v4", "issue_comment", GuardAbsent},
		{"", "v7", "pull_request_target", GuardRefuses}, {"2026-06-18", "v7", "pull_request_target", GuardRefuses}, {"2026-06-17", "v7", "pull_request_target", GuardAbsent}, {"", "v7.0.0", "pull_request_target", GuardRefuses}, {"", "7", "pull_request_target", GuardRefuses},
		{"", "v2.7.0", "pull_request_target", GuardAbsent}, {"", "v2.8.0", "pull_request_target", GuardRefuses}, {"", "v3.6.0", "pull_request_target", GuardAbsent}, {"", "v3.7", "pull_request_target", GuardRefuses},
		{"", "v4.3.1", "pull_request_target", GuardAbsent}, {"", "v4.4.0", "pull_request_target", GuardRefuses}, {"", "v5.0.1", "pull_request_target", GuardAbsent}, {"", "v5.1.0", "pull_request_target", GuardRefuses}, {"", "v6.0.3", "pull_request_target", GuardAbsent}, {"", "v6.1.0", "pull_request_target", GuardRefuses}, {"", "v6.2.5", "pull_request_target", GuardRefuses},
		{"", "v1", "pull_request_target", GuardAbsent}, {"", "v2", "pull_request_target", GuardRefuses}, {"", "main", "pull_request_target", GuardRefuses}, {"2026-06-18", "main", "pull_request_target", GuardRefuses}, {"", "feature", "pull_request_target", GuardUnknown}, {"", "v4.x", "pull_request_target", GuardUnknown}, {"", "", "pull_request_target", GuardUnknown},
		{"", "11bd71901bbe5b1630ceea73d27597364c9af683", "pull_request_target", GuardAbsent}, {"", "11D5960a326750d5838078e36cf38b85af677262", "pull_request_target", GuardRefuses}, {"", "9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0", "workflow_run", GuardRefuses},
		{"", strings.Repeat("ab", 20), "pull_request_target", GuardUnknown}, {"2026-06-01", "11d5960a326750d5838078e36cf38b85af677262", "pull_request_target", GuardAbsent},
		{"", "-1", "pull_request_target", GuardAbsent}, {"", "v99999999999999999999", "pull_request_target", GuardUnknown},
	} {
		if got, row := s.At(c.date, ForgeVersion{Name: "github"}).CheckoutGuard(c.reference, c.event); got != c.want || row.ID == "" {
			t.Errorf("%s on %q at %s: %s by %q, want %s", c.reference, c.date, c.event, got, row.ID, c.want)
		}
	}
	server := s.At("", ForgeVersion{"github", Version{3, 17}})
	for reference, want := range map[string]Guard{"v4": GuardUnknown, "v4.2.2": GuardAbsent, "v4.4.0": GuardRefuses, "main": GuardUnknown} {
		if got, _ := server.CheckoutGuard(reference, "pull_request_target"); got != want {
			t.Errorf("server, %s: %s, want %s", reference, got, want)
		}
	}
}

func TestGitLabSemantics(t *testing.T) {
	s := NewSemantics()
	at := func(version string) View {
		f, err := ParseForge("gitlab@" + version)
		if err != nil {
			t.Fatal(err)
		}
		return s.At("", f)
	}
	for _, c := range []struct {
		version         string
		variables, jobs string
	}{{"17.11", "no", "any"}, {"18.0", "no", "allowlist"}, {"18.1", "setting", "allowlist"}} {
		v := at(c.version)
		if got, _ := v.ProtectedVariables("merge_request_event"); got != c.variables {
			t.Errorf("%s: variables %s, want %s", c.version, got, c.variables)
		}
		if got, _ := v.JobTokenReach(); got != c.jobs {
			t.Errorf("%s: job token %s, want %s", c.version, got, c.jobs)
		}
	}
	v := s.At("", ForgeVersion{Name: "gitlab"})
	for _, c := range []struct {
		source string
		origin Origin
		member bool
		want   string
	}{{"merge_request_event", OriginFork, false, "fork"}, {"merge_request_event", OriginFork, true, "parent"}, {"merge_request_event", OriginRepository, true, "own"}, {"push", OriginRepository, false, "own"}} {
		if got, _ := v.PipelineProject(c.source, c.origin, c.member); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got, _ := at("13.2").PipelineProject("merge_request_event", OriginFork, true); got != "fork" {
		t.Errorf("before 13.3 a member runs it in %s", got)
	}
	if got, _ := v.ProtectedVariables("push"); got != "yes" {
		t.Errorf("push: %s", got)
	}
}

// TestSemanticRows holds the table to its form: unique ids, sources, and for every
// topic and forge no day and no version of a server on which nothing answers.
func TestSemanticRows(t *testing.T) {
	s := NewSemantics()
	seen := map[string]bool{}
	topics := map[string]map[Topic]bool{}
	for _, r := range s.Rows() {
		if seen[r.ID] || r.ID == "" || r.Topic == "" || r.Answer == "" || !strings.HasPrefix(r.Source, "https://") || !strings.HasSuffix(r.Statement, ".") || !strings.HasPrefix(r.ID, r.Forge+"-") {
			t.Errorf("row %q is not in form", r.ID)
		}
		seen[r.ID] = true
		for _, d := range []Date{r.From, r.Until} {
			if _, err := ParseDate(string(d)); d != "" && err != nil {
				t.Error(err)
			}
		}
		if topics[r.Forge] == nil {
			topics[r.Forge] = map[Topic]bool{}
		}
		topics[r.Forge][r.Topic] = true
	}
	events := []string{"pull_request", "pull_request_target", "push", "issue_comment", "schedule", "workflow_run", "brand_new"}
	for forge, all := range topics {
		for topic := range all {
			if topic == TopicCacheMode || forge == "gitlab" && topic == TopicOIDC {
				continue // what came later
			}
			for _, event := range events {
				for _, date := range []Date{"2022-01-01", "2025-12-07", "2025-12-08", "2026-06-25", "2026-06-26", "2026-10-14", ""} {
					if s.At(date, ForgeVersion{Name: forge}).Row(topic, event, OriginFork).ID == "" {
						t.Errorf("%s: nothing answers %s for %s on %q", forge, topic, event, date)
					}
				}
				for _, version := range []Version{{3, 10}, {3, 19}, {3, 20}, {12, 0}, {18, 1}} {
					if s.At("", ForgeVersion{forge, version}).Row(topic, event, OriginFork).ID == "" {
						t.Errorf("%s@%s: nothing answers %s for %s", forge, version, topic, event)
					}
				}
			}
		}
	}
}

func TestParseForge(t *testing.T) {
	for text, want := range map[string]string{
		"github": "github", "github@3.17": "github@3.17", "ghes@3.9": "github@3.9", "gitlab@17.2.4": "gitlab@17.2", "gitlab.com": "gitlab", "gitlab@v18": "gitlab@18.0",
		"": "", "gitea": "", "github@": "", "github@x": "", "github@-1": "", "github@3.x": "", "ghes": "",
	} {
		f, err := ParseForge(text)
		if (err == nil) != (want != "") || err == nil && f.String() != want {
			t.Errorf("%q: %s, %v; want %q", text, f, err, want)
		}
	}
	for text, ok := range map[string]bool{"2026-06-18": true, "2024-02-29": true, "2023-02-29": false, "2026-13-01": false, "2026-00-01": false, "2026-1-1": false, "20260618": false, "": false, "2026-06-31": false, "+026-06-01": false} {
		if _, err := ParseDate(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzSemantics(f *testing.F) {
	f.Add("github@3.17", "2026-06-18", "v4.2.2", "pull_request_target")
	f.Add("gitlab", "", "main", "workflow_run")
	s := NewSemantics()
	f.Fuzz(func(t *testing.T, forge, date, reference, event string) {
		fg, err := ParseForge(forge)
		if err != nil {
			return
		}
		d, err := ParseDate(date)
		if err != nil {
			return
		}
		v := s.At(d, fg)
		v.CheckoutGuard(reference, event)
		v.CacheWrite(event, OriginFork, reference)
		v.Ref(event)
	})
}
