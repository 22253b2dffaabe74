package pipeline

import (
	"regexp"
	"strings"
)

// What a command asks the forge for, where commits of pull requests are in the answer.
const (
	asksPull    = "pull requests"
	asksCommits = "commits of a pull request"
	asksRef     = "a ref of a pull request"
	asksRun     = "a run"
)

// shAsks is what a command of gh asks for: one of the above, or nothing.
func shAsks(command, sub string) string {
	switch command {
	case "pr":
		if sub == "view" || sub == "list" || sub == "status" {
			return asksPull
		}
	case "run":
		if sub == "view" {
			return asksRun
		}
	case "api":
		ep, _, _ := strings.Cut(strings.ToLower(sub), "?")
		ep = strings.TrimSuffix(ep, "/")
		switch {
		case ep == "graphql":
			return asksPull
		case strings.Contains(ep, "/git/") && strings.Contains(ep, "pull/"):
			return asksRef
		case strings.Contains(ep, "/actions/runs/") && strings.Count(ep[strings.Index(ep, "/actions/runs/"):], "/") == 3:
			return asksRun
		case strings.HasSuffix(ep, "/pulls") || strings.HasPrefix(ep, "$") && !strings.Contains(ep, "/") || ep == "\x00":
			return asksPull
		}
		if _, n, ok := strings.Cut(ep, "/pulls/"); ok {
			switch _, of, deep := strings.Cut(n, "/"); {
			case !deep:
				return asksPull
			case of == "commits":
				return asksCommits
			}
		}
	}
	return ""
}

// shMerged reports whether only what somebody has merged is asked for.
func shMerged(args []shArg) bool {
	for i, a := range args {
		opt, of, ok := strings.Cut(a.text(), "=")
		if !ok && i+1 < len(args) {
			of = args[i+1].text()
		}
		if (opt == "--state" || opt == "-s") && of == "merged" {
			return true
		}
	}
	return false
}

// shUnknownURL reports whether an address is a variable, so that it may be one of the forge.
func shUnknownURL(url string) bool {
	low := strings.ToLower(url)
	return url == "\x00" || strings.HasPrefix(url, "$") && !strings.Contains(url, "/") && strings.Contains(low, "url") || strings.HasPrefix(low, "$github_api_url/")
}

var (
	headSHA    = regexp.MustCompile(`(?i)\bhead\s*\)?\s*(?:\|\s*)?\.\s*sha\b|\bmerge_?commit_?sha\b|\bheadRefOid\b|\bpotentialMergeCommit\b`)
	headSlug   = regexp.MustCompile(`\bhead\s*\.\s*repo\s*\.\s*(?:full_name|clone_url|git_url|ssh_url|html_url|url|name|owner)\b|\bhead\.user\.login\b|\bheadRepository(?:Owner)?\b`)
	headOfRun  = regexp.MustCompile(`\bhead_sha\b|\bheadSha\b|\bhead_commit\.id\b`)
	headCommit = regexp.MustCompile(`\.(?:sha|oid)\b`)
	headLast   = regexp.MustCompile(`commits\b.*\.oid\b`)
)

// heads is what a filter of jq, or a template, takes of an answer of the forge that names
// code of strangers: a commit, a repository.
func (r *shRun) heads(filter, what string) shPiece {
	out := shOutput(filter)
	if strings.Contains(out, "==") || strings.Contains(out, "!=") {
		return shPiece{} // a truth value
	}
	var p shPiece
	add := func(s ShellSource) {
		if s.Labels != 0 {
			p.l |= s.Labels
			p.name = shellName(s, "the head of a pull request")
		}
	}
	if what == "event" {
		if headSHA.MatchString(out) {
			add(r.in.EventHead)
		}
		return p
	}
	if headSlug.MatchString(out) {
		add(r.in.HeadRepo)
	}
	switch {
	case headSHA.MatchString(out), what == asksPull && headLast.MatchString(out), (what == asksCommits || what == asksRef) && headCommit.MatchString(out):
		add(r.in.Head)
	case headOfRun.MatchString(out):
		add(r.in.HeadRun)
	}
	return p
}

// shOutput is a filter without the conditions in it, which let values through or not.
func shOutput(filter string) string {
	var b strings.Builder
	for i := 0; i < len(filter); i++ {
		c := filter[i]
		b.WriteByte(c)
		if c != '(' {
			continue
		}
		j := i
		for j > 0 && (filter[j-1] == '_' || filter[j-1] >= 'a' && filter[j-1] <= 'z') {
			j--
		}
		if shIn(shCondition, filter[j:i]) {
			i = shClosing(filter, i)
			b.WriteByte(')')
		}
	}
	return b.String()
}

// headsOf is what a program takes of an answer about a pull request: the text without what
// the program leaves, and the commit or repository in it.
func (r *shRun) headsOf(name string, args []shArg, p shPiece) (shPiece, *shPiece) {
	what := asksPull
	if p.name == "event file" {
		what = "event"
	}
	text := ""
	if name == "jq" || name == "gojq" || name == "yq" {
		if text, _ = shJQ(args); text == "" || text == "." {
			return p, nil
		}
		p.l &^= shellPull
	} else {
		for _, a := range args[1:] {
			text += shSymbol(a.v) + " "
		}
		// Members as Python and JavaScript name them.
		text = strings.NewReplacer(`']['`, ".", `"]["`, ".", `['`, ".", `["`, ".", "']", "", `"]`, "").Replace(text)
	}
	h := r.heads(text, what)
	if h.l == 0 {
		return p, nil
	}
	p.l &^= shellPull
	h.t = r.trail(p.t, p.start, p.end, h.name+" is taken of it")
	return p, &h
}
