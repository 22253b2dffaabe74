package report

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
)

// purge writes what to do about secrets in history: first how each is rotated,
// then a shell script that takes them out, then whom else to tell.
//
// The script is for a POSIX shell, to be read and pasted. No value is in it: it
// fetches each from the repository into a file. Whatever a path is called, the
// shell gets that path and nothing else (shellWord), and hostile text stands in
// quoted words only: a comment is no safe place for it, since an interactive zsh
// does not know comments.
type purge struct {
	text
	// vars counts the variables of the script.
	vars int
}

// NewPurge opens the guide that penstock fix --history prints. Its sink takes the
// records of a run over history and writes on Close; of Options it reads All,
// Color and Width. Suppressed findings are counted and left out.
//
// Unlike the sinks of New it must be given paths as they are, as Replay and a
// run give them, since commands need the bytes. A stream that is not of history
// makes Close return a *penstock.Error. Memory grows with the findings.
func NewPurge(w io.Writer, opts Options) Sink {
	return &purge{text: *newText(w, opts).(*text)}
}

func (p *purge) Close() error {
	all, _, suppressed := p.split()
	secrets := slices.DeleteFunc(ranked(all), func(f *penstock.Finding) bool {
		return f.Commit == nil || f.Evidence.Secret == nil
	})
	off := 0
	for _, f := range suppressed {
		if f.Commit != nil {
			off++
		}
	}
	switch {
	case len(secrets) > 0:
		p.guide(secrets)
	case !p.header.History:
		return &penstock.Error{
			Message: "the stream is not that of a scan of history",
			Hint:    "make one with: penstock scan --history --output jsonl=FILE",
		}
	default:
		p.printf("nothing to purge: no open finding of a secret in history\n")
	}
	if off > 0 {
		p.printf("\n%s not listed.\n", count(off, "suppressed finding is", "suppressed findings are"))
	}
	if p.incomplete() {
		p.printf("\n%s not everything was read, so there may be more secrets than these.\n", p.paint(yellow, "incomplete:"))
	}
	if _, err := io.WriteString(p.w, breakCommands(p.b.String())); err != nil {
		return fmt.Errorf("write guide: %w", err)
	}
	return nil
}

func (p *purge) guide(secrets []*penstock.Finding) {
	p.head(count(len(secrets), "secret", "secrets") + " in history")
	p.wrap("", 0, `Rotate first. A secret that was pushed must be taken as known: forks, clones,
		mirrors, backups, logs of builds and the caches of the forge keep it, and no rewriting of history
		reaches them. Once it is revoked, what is left of it opens nothing.`)
	p.printf("\n")
	for i, f := range secrets {
		p.secret(i+1, f)
	}

	p.head("Then, if it is worth it, take them out of the history")
	p.wrap("", 0, `This rewrites every commit since the first one that holds a secret: their hashes change,
		signatures are lost, open pull requests break, and everyone has to clone again. Merge or close pull
		requests and tell people before. Needed is git-filter-repo 2.47 or newer.`)
	p.printf("\n")
	p.wrap("", 0, `Keep the script in a file, write the address of the repository in the place of URL, and run it
		by sh -e. It puts the values into a file that only you can read, one line
		for each: literal:VALUE==>REMOVED. A value that it cannot cut out, such as one that is encoded, it
		puts there with its whole line; in the editor that it opens bring such lines into that form, with the
		value as it is written in the file.`)
	p.printf("\n")
	p.script(secrets)
	p.printf("\n")

	p.head("After the push")
	for i, step := range []string{
		"GitHub: pull requests keep references to the old commits that nobody else can remove. Ask its support (https://support.github.com) to dereference them, collect garbage and clear cached views: name the repository, the pull requests in changed-refs, in the folder that the script prints at its end, and the first changed commits that git filter-repo printed. Forks are deleted or cleaned by their owners.",
		"GitLab: upload commit-map, from the same folder, under Settings, Repository, Repository cleanup (or name the blobs under Remove blobs); then run housekeeping, which prunes what nothing reaches.",
		"Any other server: run git reflog expire --expire=now --all and git gc --prune=now in the repository on the server, and clear its caches.",
		"Copies: delete caches and artifacts of builds, images, packages and mirrors that were made from the old commits.",
		"Everyone with a clone deletes it and clones again. A merge or a push from an old clone brings the secret back.",
		"Scan again from a new clone: penstock scan --history",
	} {
		head := fmt.Sprintf("%2d. ", i+1)
		p.wrap(head, len(head), step)
	}
	p.printf("\n")
	p.accept(secrets)
}

func (p *purge) head(s string) { p.printf("%s\n\n", p.paint(bold, s)) }

// secret says what one secret is, where it was, and how it is rotated.
func (p *purge) secret(n int, f *penstock.Finding) {
	what := oneLine(p.title(f))
	if s := p.secretFacts(f); s != "" {
		what += ": " + oneLine(s)
	}
	number := fmt.Sprintf("%2d. ", n)
	p.wrap(p.paint(bold, number), len(number), what)
	row := func(label, s string) {
		label = fmt.Sprintf("%-11s", label)
		p.wrap("    "+p.paint(blue, label), 4+len(label), s)
	}
	row("rule", f.Rule)
	row("commit", commitLine(f.Commit))
	row("now", presence(f.Commit))
	row("place", position(shown(f).Location))
	if len(f.Places) > 0 {
		row("also", p.places(shown(f).Places))
	}
	var steps []string
	if f.Fix != nil {
		steps = f.Fix.Steps
	}
	if r := p.rules[f.Rule]; len(steps) == 0 && r != nil && r.Remedy != "" {
		steps = []string{r.Remedy}
	}
	if len(steps) == 0 {
		steps = []string{"revoke the credential where it was issued and make a new one"}
	}
	for _, s := range steps {
		row("rotate", s)
	}
	if f.Commit.Present {
		row("and", "take it out of the current files before the history is rewritten: penstock fix")
	}
	p.printf("\n")
}

// script prints the commands.
func (p *purge) script(secrets []*penstock.Finding) {
	line := func(format string, args ...any) {
		if format != "" {
			format = "  " + format
		}
		p.printf(format+"\n", args...)
	}
	var values []*penstock.Finding
	files := make(map[string]bool)
	for _, f := range secrets {
		inText := false
		for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
			if file, ok := wholeFile(f, l); ok {
				files[file] = true
			} else {
				inText = true
			}
		}
		if inText {
			values = append(values, f)
		}
	}

	// A folder of its own: were the clone to fail, no command would fall on the
	// folder that one stands in.
	line("umask 077")
	line(`dir=$(mktemp -d "${TMPDIR:-/tmp}/purge.XXXXXX")`)
	line(`git clone --mirror URL "$dir/purge.git"`)
	if len(values) > 0 {
		line("")
		line("# Fetch the values.")
		edit, key := false, false
		for _, f := range values {
			edit, key = p.fetch(line, f, key) || edit, key || isKeyBlock(f)
		}
		if edit {
			line("# Edit: what is there without an arrow is a whole line of source.")
		} else {
			line("# Look whether each line is a value and an arrow.")
		}
		line(`"${EDITOR:-vi}" "$dir/replace.txt"`)
	}
	line("")
	if len(files) > 0 {
		line("# Files that are nothing but the secret go whole, under every name they had.")
	}
	args := []string{`git -C "$dir/purge.git" filter-repo --sensitive-data-removal`}
	if len(files) > 0 {
		args = append(args, "--invert-paths")
		for _, file := range sortedKeys(files) {
			args = append(args, "--path="+p.word(line, file))
		}
	}
	if len(values) > 0 {
		args = append(args, `--replace-text="$dir/replace.txt"`, `--replace-message="$dir/replace.txt"`)
	}
	line("%s", strings.Join(args, " \\\n    "))
	line("")
	line("# Nothing that blocks may be found any more. After the push there is no way back.")
	line(`(cd "$dir/purge.git" && penstock scan --history && git push --force --mirror origin)`)
	if len(values) > 0 {
		line(`rm -f "$dir/blob" "$dir/replace.txt"`)
	}
	line(`echo "$dir/purge.git/filter-repo"`)
}

// fetch prints the commands that put one secret into the file of replacements,
// and reports whether a person must edit what they give. keys says that the
// expression for key blocks is there already.
func (p *purge) fetch(line func(string, ...any), f *penstock.Finding, keys bool) (edit bool) {
	if isKeyBlock(f) {
		if !keys {
			line(`printf '%%s\n' 'regex:(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?-----END [A-Z0-9 ]*PRIVATE KEY-----==>REMOVED' >> "$dir/replace.txt"`)
		}
		return false
	}
	secret := f.Evidence.Secret
	done := false
	for _, l := range append([]penstock.Location{f.Location}, f.Places...) {
		if _, whole := wholeFile(f, l); whole {
			continue
		}
		commit, at := splitPlace(f, l)
		if commit == "" {
			commit = "HEAD"
		}
		if done && len(secret.Decoded) == 0 {
			break // the same value again
		}
		blob := `git -C "$dir/purge.git" cat-file blob ` + commit + ":" + p.word(line, at.Path)
		done = true
		if n := l.End - l.Start; len(secret.Decoded) == 0 && l.Start >= 0 && n > 0 && n == int64(secret.Length) && l.EndLine <= l.Line {
			// Only if the blob is there: an empty value would match everywhere.
			line(`%s > "$dir/blob" &&`, blob)
			line(`  { printf 'literal:'; tail -c +%d "$dir/blob" | head -c %d; printf '==>REMOVED\n'; } >> "$dir/replace.txt"`, l.Start+1, n)
			continue
		}
		edit = true
		last := ""
		if l.EndLine > l.Line {
			last = fmt.Sprintf(",%d", l.EndLine)
		}
		line(`%s | sed -n '%d%sp' >> "$dir/replace.txt"`, blob, l.Line, last)
	}
	return edit
}

// isKeyBlock reports whether a secret is a private key of several lines, which
// one expression finds in every file.
func isKeyBlock(f *penstock.Finding) bool {
	return f.Location.EndLine > f.Location.Line && strings.Contains(strings.ToLower(f.Evidence.Secret.Kind), "private key")
}

// wholeFile returns the file to take out where a place is a file that is nothing
// but the secret, or one inside a container, in which no text can be replaced.
func wholeFile(f *penstock.Finding, l penstock.Location) (string, bool) {
	_, l = splitPlace(f, l)
	file, member := penstock.SplitContainer(l.Path)
	if member != "" || l.Line <= 0 {
		return file, true
	}
	name := strings.ToLower(path.Base(file))
	switch path.Ext(name) {
	case ".pem", ".key", ".p8", ".p12", ".pfx", ".pk8", ".pkcs12", ".ppk", ".jks", ".keystore", ".bks", ".kdbx", ".ovpn", ".asc", ".gpg":
		return file, true
	}
	switch name {
	case "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk":
		return file, true
	}
	return "", false
}

// word is shellWord; what must be set before stands on a line before.
func (p *purge) word(line func(string, ...any), s string) string {
	word, setup := shellWord(s, fmt.Sprintf("p%d", p.vars+1))
	if setup != "" {
		p.vars++
		line("%s", setup)
	}
	return word
}

// accept prints the exceptions for what stays in the history.
func (p *purge) accept(secrets []*penstock.Finding) {
	p.head("Or leave it there")
	p.wrap("", 0, `A revoked secret that stays in the history is an accepted risk. Write it down once it is
		revoked, in .penstock/exceptions.yaml, with owner and date:`)
	p.printf("\n  version: 1\n  exceptions:\n")
	for _, f := range secrets {
		if f.Fingerprint == "" {
			continue
		}
		p.printf("    - rule: %s\n      fingerprint: %s\n      owner: NAME\n      reason: revoked on YYYY-MM-DD\n      expires: YYYY-MM-DD\n",
			yamlWord(f.Rule), yamlWord(f.Fingerprint))
	}
}

var plainWord = regexp.MustCompile(`^[a-z][a-z0-9-]*/[a-z0-9-]+$`)

// yamlWord is s as a scalar of YAML: a plain one or, since JSON's strings are
// YAML's, one in double quotes, in ASCII.
func yamlWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	var b strings.Builder
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has a JSON form
	}
	for _, r := range string(quoted) {
		switch {
		case r < 0x7f && r != '#':
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// shellWord returns s as one word of a POSIX shell script that has exactly the
// bytes of s. A word that a person can check by eye is in single quotes. One with
// bytes that do not show, or that some interactive shell reads even in single
// quotes (! and \), is "$name", and setup is the line that sets name before: from
// printf and octal digits, with a full stop after, since $( ) drops newlines at
// the end. A NUL, which no path and no word can have, is left out.
func shellWord(s, name string) (word, setup string) {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !shellSafe(r) }) < 0 {
		return s, ""
	}
	if readable(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", ""
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
		case c == '%':
			b.WriteString("%%")
		// A - in front would be an option of printf.
		case c < utf8.RuneSelf && shellSafe(rune(c)) && (c != '-' || i > 0):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return `"$` + name + `"`, fmt.Sprintf("%s=$(printf '%s.'); %s=${%s%%.}", name, b.String(), name, name)
}

// shellSafe reports a character that no shell reads as anything but itself.
func shellSafe(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./,+@", r)
}

// readable reports whether every character of s shows as itself and stays so when
// it is copied: no white space but the blank, no combining mark, no command of a
// CI system.
func readable(s string) bool {
	if !utf8.ValidString(s) || visible(s) != s || strings.ContainsAny(s, `!\`) {
		return false
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) || unicode.IsMark(r) {
			return false
		}
	}
	return true
}
