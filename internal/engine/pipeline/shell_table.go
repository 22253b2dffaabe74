package pipeline

// shellRunner says that a command runs code or configuration that lies in its
// working directory. Sources are the manuals of the tools.
type shellRunner struct {
	// sub are the sub-commands, separated by blanks; empty means any call, "-" one
	// without a sub-command.
	cmd, sub string
	what     string
	// off are options that switch it off; on are options of which one is needed.
	off, on string
}

const (
	runsScripts = "runs the scripts of package.json"
	runsHooks   = "runs install scripts of the package and its dependencies"
	runsJS      = "runs JavaScript configuration of the workspace"
	runsSetup   = "runs the build backend or setup.py"
	runsTests   = "runs the tests and their configuration"
	runsMake    = "runs the recipes of a Makefile"
	runsGradle  = "runs the build scripts"
	runsDocker  = "runs the steps of a Dockerfile"
	runsRuby    = "runs Ruby code of the workspace"
	runsRust    = "runs build scripts and macros of the workspace"
	runsLocal   = "runs the program of that name in node_modules of the workspace"
	// runsCondaEnv: the file names packages of pip, and paths.
	runsCondaEnv = "installs what environment.yml names, and runs its build"
	runsPlan     = "runs what the configuration names: providers, external data, hooks"
)

// shellRunners is what runs a stranger's code after a checkout of it.
var shellRunners = []shellRunner{
	{cmd: "make", what: runsMake}, {cmd: "gmake", what: runsMake}, {cmd: "nmake", what: runsMake},
	{cmd: "just", what: "runs the recipes of a justfile"},
	{cmd: "task", what: "runs the tasks of a Taskfile"},
	{cmd: "mage", what: "compiles and runs magefiles"},
	{cmd: "earthly", what: "runs the steps of an Earthfile"},
	{cmd: "act", what: "runs workflows of the workspace"},
	{cmd: "dagger", sub: "run call", what: "runs modules of the workspace"},

	{cmd: "npm", sub: "install i ci add update up rebuild link isntall install-ci-test cit install-test it clean-install", what: runsHooks, off: "--ignore-scripts"},
	{cmd: "npm", sub: "run run-script rum test t tst start stop restart publish pack version exec x", what: runsScripts},
	{cmd: "yarn", sub: "- install add up upgrade", what: runsHooks, off: "--ignore-scripts --mode=skip-build --mode=update-lockfile"},
	{cmd: "yarn", sub: "*", what: runsScripts},
	{cmd: "pnpm", sub: "install i add update up rebuild ci", what: runsHooks, off: "--ignore-scripts --lockfile-only"},
	{cmd: "pnpm", sub: "run test t start exec publish pack build lint deploy *", what: runsScripts},
	{cmd: "bun", sub: "install i add update ci", what: runsHooks, off: "--ignore-scripts"},
	{cmd: "bun", sub: "run test build x *", what: runsScripts},
	{cmd: "deno", sub: "task run test bench", what: "runs code of the workspace"},
	{cmd: "lerna", sub: "run exec bootstrap publish version", what: runsScripts},
	{cmd: "nx", what: runsScripts}, {cmd: "turbo", what: runsScripts}, {cmd: "rush", what: runsScripts}, {cmd: "wireit", what: runsScripts},
	{cmd: "eslint", what: runsJS}, {cmd: "prettier", what: runsJS}, {cmd: "webpack", what: runsJS}, {cmd: "vite", what: runsJS},
	{cmd: "rollup", what: runsJS}, {cmd: "jest", what: runsJS}, {cmd: "vitest", what: runsJS}, {cmd: "mocha", what: runsJS},
	{cmd: "ava", what: runsJS}, {cmd: "karma", what: runsJS}, {cmd: "playwright", sub: "test", what: runsJS},
	{cmd: "cypress", sub: "run open", what: runsJS}, {cmd: "gulp", what: runsJS}, {cmd: "grunt", what: runsJS},
	{cmd: "next", what: runsJS}, {cmd: "astro", what: runsJS}, {cmd: "gatsby", what: runsJS}, {cmd: "stylelint", what: runsJS},
	{cmd: "lint-staged", what: runsJS}, {cmd: "semantic-release", what: runsJS}, {cmd: "changeset", what: runsJS}, {cmd: "ng", what: runsJS},
	{cmd: "wrangler", sub: "deploy publish dev build pages", what: "runs the build command of the configuration"},
	{cmd: "vercel", sub: "build deploy -", what: runsScripts}, {cmd: "netlify", sub: "build deploy", what: runsScripts},
	{cmd: "electron-builder", what: runsJS}, {cmd: "vsce", what: runsScripts, sub: "package publish"},
	{cmd: "node-gyp", what: "runs the build of a native module"},

	{cmd: "tox", what: "runs the commands of tox.ini"}, {cmd: "nox", what: "runs noxfile.py"},
	{cmd: "pytest", what: runsTests}, {cmd: "py.test", what: runsTests}, {cmd: "coverage", sub: "run", what: runsTests},
	{cmd: "poetry", sub: "install build run publish", what: runsSetup}, {cmd: "pipenv", sub: "install sync run", what: runsSetup},
	{cmd: "uv", sub: "sync run build pip", what: runsSetup}, {cmd: "pdm", sub: "install sync run build", what: runsSetup},
	{cmd: "hatch", what: runsSetup}, {cmd: "flit", what: runsSetup}, {cmd: "rye", what: runsSetup}, {cmd: "maturin", what: runsRust},
	{cmd: "cibuildwheel", what: runsSetup}, {cmd: "build", sub: "-module", what: runsSetup},
	{cmd: "pre-commit", sub: "run - try-repo", what: "runs the hooks of .pre-commit-config.yaml"}, {cmd: "prek", sub: "run -", what: "runs the hooks of .pre-commit-config.yaml"},
	{cmd: "invoke", what: "runs tasks.py"}, {cmd: "inv", what: "runs tasks.py"}, {cmd: "fab", what: "runs fabfile.py"},
	{cmd: "mypy", what: "loads plugins that the configuration names"}, {cmd: "pylint", what: "loads plugins that the configuration names"},
	{cmd: "sphinx-build", what: "runs conf.py"}, {cmd: "mkdocs", sub: "build serve gh-deploy", what: "loads hooks and plugins that the configuration names"},
	{cmd: "scons", what: "runs SConstruct"}, {cmd: "waf", what: "runs wscript"}, {cmd: "conan", sub: "create install build", what: "runs conanfile.py"},
	{cmd: "conda", sub: "env", on: "create update", what: runsCondaEnv}, {cmd: "mamba", sub: "env", on: "create update", what: runsCondaEnv}, {cmd: "micromamba", sub: "env", on: "create update", what: runsCondaEnv},
	{cmd: "nf-test", sub: "test", what: "runs the tests and the pipeline of the folder"}, {cmd: "nextflow", sub: "run", what: "runs the pipeline and its configuration", on: ". ./main.nf main.nf"},
	{cmd: "cwltool", what: "runs the tools of a workflow"}, {cmd: "miniwdl", sub: "run", what: "runs the tasks of a workflow"},
	{cmd: "dbt", sub: "run build test seed snapshot compile docs deps", what: "runs models, macros and packages of the project"},
	{cmd: "quarto", sub: "render preview publish", what: "runs the code in documents"}, {cmd: "papermill", what: "runs a notebook"}, {cmd: "jupyter-book", sub: "build", what: "runs conf.py and notebooks"},
	{cmd: "jupyter", sub: "execute nbconvert", what: "runs notebooks", on: "execute --execute"}, {cmd: "R", what: "runs .Rprofile of the folder, and the package", off: "--vanilla --no-init-file"},
	{cmd: "hardhat", what: runsJS}, {cmd: "truffle", what: runsJS}, {cmd: "lhci", what: runsJS}, {cmd: "danger", sub: "ci pr local", what: runsJS}, {cmd: "danger-js", sub: "ci", what: runsJS},
	{cmd: "release-it", what: runsJS}, {cmd: "commitlint", what: runsJS}, {cmd: "size-limit", what: runsJS}, {cmd: "docusaurus", what: runsJS}, {cmd: "vitepress", sub: "build", what: runsJS}, {cmd: "vuepress", sub: "build", what: runsJS},
	{cmd: "eleventy", what: runsJS}, {cmd: "hexo", what: runsJS}, {cmd: "nuxt", sub: "build generate", what: runsJS}, {cmd: "wdio", what: runsJS}, {cmd: "testcafe", what: runsJS}, {cmd: "backstop", what: runsJS},
	{cmd: "nose2", what: runsTests}, {cmd: "behave", what: runsTests}, {cmd: "robot", what: runsTests}, {cmd: "locust", what: runsTests}, {cmd: "alembic", what: "runs env.py"},
	{cmd: "psalm", what: "loads plugins that its configuration names"}, {cmd: "rector", what: "runs rector.php"}, {cmd: "php-cs-fixer", what: "runs its configuration"}, {cmd: "pest", what: runsTests}, {cmd: "codecept", what: runsTests}, {cmd: "cucumber", what: runsTests},
	{cmd: "nixpkgs-review", what: "builds what the pull request says"}, {cmd: "nix-instantiate", what: "evaluates Nix files", on: "--eval -A ."}, {cmd: "scala-cli", what: runsGradle}, {cmd: "conda-build", what: runsSetup}, {cmd: "rattler-build", sub: "build", what: runsSetup},
	{cmd: "dpkg-buildpackage", what: "runs debian/rules"}, {cmd: "debuild", what: "runs debian/rules"}, {cmd: "makepkg", what: "runs PKGBUILD"}, {cmd: "snapcraft", what: "runs the parts of snapcraft.yaml"}, {cmd: "flatpak-builder", what: "runs the commands of the manifest"}, {cmd: "melange", sub: "build", what: "runs the steps of its configuration"},
	{cmd: "snakemake", what: "runs the Snakefile"}, {cmd: "dvc", sub: "repro exp", what: "runs the stages of dvc.yaml"},

	{cmd: "cargo", sub: "build b test t run r check c bench clippy doc rustc install publish package nextest fix miri llvm-cov xtask make hack tarpaulin component zigbuild ndk", what: runsRust},
	{cmd: "cross", what: runsRust}, {cmd: "wasm-pack", what: runsRust}, {cmd: "trunk", sub: "build serve", what: runsRust},
	{cmd: "go", sub: "test generate run", what: "runs Go code of the workspace"},
	{cmd: "go", sub: "build install vet", what: "may run C compiler flags and tools that the workspace names", on: "-toolexec"},
	{cmd: "ginkgo", what: runsTests}, {cmd: "gotestsum", what: runsTests},
	{cmd: "goreleaser", what: "runs the hooks of its configuration"},
	{cmd: "ko", sub: "build apply publish", what: "builds what the workspace configures"},

	{cmd: "mvn", what: runsGradle}, {cmd: "mvnd", what: runsGradle}, {cmd: "gradle", what: runsGradle}, {cmd: "ant", what: runsGradle},
	{cmd: "sbt", what: runsGradle}, {cmd: "lein", what: runsGradle}, {cmd: "bazel", what: runsGradle}, {cmd: "bazelisk", what: runsGradle},
	{cmd: "buck", what: runsGradle}, {cmd: "buck2", what: runsGradle}, {cmd: "pants", what: runsGradle}, {cmd: "mill", what: runsGradle},
	{cmd: "cmake", what: "runs CMakeLists.txt", off: "--version --help"}, {cmd: "ctest", what: runsTests}, {cmd: "ninja", what: "runs the commands of build.ninja"},
	{cmd: "meson", what: "runs meson.build"}, {cmd: "autoreconf", what: "runs configure.ac"}, {cmd: "xmake", what: "runs xmake.lua"},
	{cmd: "dotnet", sub: "build test run restore publish pack msbuild", what: runsGradle}, {cmd: "msbuild", what: runsGradle}, {cmd: "nuget", sub: "restore install", what: runsGradle},
	{cmd: "xcodebuild", what: runsGradle}, {cmd: "swift", sub: "build test run package", what: "runs Package.swift and plugins"},
	{cmd: "pod", sub: "install update", what: "runs the Podfile"}, {cmd: "carthage", what: runsGradle},
	{cmd: "flutter", sub: "build test run pub", what: runsGradle}, {cmd: "dart", sub: "run test compile", what: "runs Dart code of the workspace"},
	{cmd: "mix", what: "runs mix.exs"}, {cmd: "rebar3", what: "runs rebar.config scripts"}, {cmd: "stack", sub: "build test run install", what: runsGradle}, {cmd: "cabal", sub: "build test run install v2-build v2-test", what: runsGradle},
	{cmd: "zig", sub: "build test run", what: "runs build.zig"}, {cmd: "nimble", what: runsGradle}, {cmd: "dune", what: runsGradle}, {cmd: "opam", sub: "install", what: runsGradle, on: "."},
	{cmd: "julia", what: "runs Julia code of the workspace", on: "--project"},

	{cmd: "bundle", sub: "install exec - update", what: "evaluates the Gemfile"}, {cmd: "rake", what: runsRuby}, {cmd: "rspec", what: runsRuby},
	{cmd: "rubocop", what: "loads what .rubocop.yml requires"}, {cmd: "jekyll", sub: "build serve", what: "loads plugins of the workspace"}, {cmd: "fastlane", what: runsRuby}, {cmd: "rails", what: runsRuby},
	{cmd: "composer", sub: "install update require run-script run test exec", what: "runs scripts and plugins of composer.json", off: "--no-scripts"},
	{cmd: "phpstan", what: "loads the bootstrap files that phpstan.neon names"}, {cmd: "phpunit", what: runsTests}, {cmd: "artisan", what: "runs PHP code of the workspace"},

	{cmd: "docker", sub: "build buildx compose bake", what: runsDocker}, {cmd: "docker-compose", sub: "build up run", what: runsDocker},
	{cmd: "podman", sub: "build", what: runsDocker}, {cmd: "buildah", sub: "build bud", what: runsDocker}, {cmd: "kaniko", what: runsDocker}, {cmd: "pack", sub: "build", what: runsDocker},
	{cmd: "packer", sub: "build", what: runsPlan}, {cmd: "vagrant", sub: "up provision", what: runsPlan},
	{cmd: "skaffold", sub: "build run dev", what: runsPlan}, {cmd: "tilt", sub: "ci up", what: runsPlan},
	{cmd: "devcontainer", sub: "up build exec run-user-commands", what: "runs the commands of devcontainer.json"},

	{cmd: "terraform", sub: "init plan apply test destroy import refresh", what: runsPlan}, {cmd: "tofu", sub: "init plan apply test destroy import refresh", what: runsPlan},
	{cmd: "terragrunt", what: runsPlan}, {cmd: "terramate", sub: "run script", what: runsPlan}, {cmd: "cdktf", what: runsPlan},
	{cmd: "cdk", sub: "synth deploy diff bootstrap", what: "runs the app of cdk.json"}, {cmd: "sam", sub: "build deploy", what: "runs build steps of the workspace"},
	{cmd: "pulumi", sub: "up preview refresh destroy update", what: "runs the program of the stack"}, {cmd: "serverless", what: runsJS}, {cmd: "sls", what: runsJS},
	{cmd: "ansible-playbook", what: "runs the tasks of a playbook"}, {cmd: "ansible-lint", what: "loads rules and plugins of the workspace"}, {cmd: "molecule", what: "runs the tasks of a playbook"},
	{cmd: "helmfile", what: "runs hooks and templates with exec"}, {cmd: "checkov", what: "loads external checks that its configuration names"}, {cmd: "tflint", what: "loads plugins that its configuration names", on: "--init"},
	{cmd: "nix", sub: "build develop run flake shell", what: "evaluates and builds the flake"}, {cmd: "nix-build", what: "builds what default.nix says"}, {cmd: "nix-shell", what: "runs the shell hook of shell.nix"}, {cmd: "devbox", sub: "run shell", what: "runs the scripts of devbox.json"}, {cmd: "direnv", sub: "allow exec", what: "runs .envrc"}, {cmd: "mise", sub: "run install exec", what: "runs the tasks and hooks of mise.toml"},
}

// shellPublisher is a program that gives a file to everybody who installs or updates.
type shellPublisher struct {
	cmd string
	// subs are how its operands begin, what is what it publishes to.
	subs []string
	what string
	// finds: it takes its files from variables of the environment.
	finds bool
}

// shellPublishers are those that take files which are built: what builds them first runs
// the workspace's code and is in shellRunners.
var shellPublishers = []shellPublisher{
	{cmd: "npm", subs: []string{"publish "}, what: "to the registry of npm"}, {cmd: "pnpm", subs: []string{"publish "}, what: "to the registry of npm"},
	{cmd: "twine", subs: []string{"upload "}, what: "to the index of Python"}, {cmd: "uv", subs: []string{"publish "}, what: "to the index of Python"},
	{cmd: "gem", subs: []string{"push "}, what: "to the registry of Ruby"},
	{cmd: "dotnet", subs: []string{"nuget push "}, what: "to the registry of NuGet"}, {cmd: "nuget", subs: []string{"push "}, what: "to the registry of NuGet"},
	{cmd: "vsce", subs: []string{"publish "}, what: "to the store of extensions"}, {cmd: "ovsx", subs: []string{"publish "}, what: "to the store of extensions"},
	{cmd: "publish-extension", subs: []string{""}, what: "to the stores of browser extensions", finds: true},
	{cmd: "chrome-webstore-upload", subs: []string{""}, what: "to the store of browser extensions"}, {cmd: "web-ext", subs: []string{"sign ", "submit "}, what: "to the store of browser extensions"},
	{cmd: "gh", subs: []string{"release upload ", "release create "}, what: "as an asset of a release"}, {cmd: "glab", subs: []string{"release upload ", "release create "}, what: "as an asset of a release"},
}

// shellPrefixes run the rest of their arguments as a command, after a sub-command.
var shellPrefixes = []struct{ cmd, sub string }{
	{"poetry", "run"}, {"pipenv", "run"}, {"uv", "run"}, {"pdm", "run"}, {"hatch", "run"}, {"rye", "run"}, {"bundle", "exec"},
	{"pnpm", "exec"}, {"yarn", "exec"}, {"npm", "exec"}, {"conda", "run"}, {"mamba", "run"}, {"micromamba", "run"}, {"coverage", "run"},
	{"mise", "exec"}, {"direnv", "exec"}, {"devcontainer", "exec"}, {"opam", "exec"}, {"stack", "exec"}, {"cabal", "exec"},
}

// shellInstall says how a tool is installed by name, and what pins it.
type shellInstall struct {
	cmd, sub string
	// pin are the texts of which one in the operand names a version; pinOption are
	// options that do.
	pin, pinOption string
	// needs is an option without which the call installs what a lock file says.
	needs string
	// always: an operand can name no version.
	always bool
}

var shellInstalls = []shellInstall{
	{cmd: "pip", sub: "install", pin: "== @ ===", pinOption: "-r --requirement --require-hashes -c --constraint -e --editable --no-index"},
	{cmd: "pip", sub: "download wheel", pin: "== @", pinOption: "-r --requirement --require-hashes -c --constraint --no-index"},
	{cmd: "pipx", sub: "install run inject", pin: "== @", pinOption: "--spec"},
	{cmd: "uv", sub: "tool", pin: "== @", pinOption: "--from"},
	{cmd: "uvx", pin: "== @", pinOption: "--from"},
	{cmd: "npm", sub: "install i add", pin: "@", needs: "-g --global --location=global"},
	{cmd: "npm", sub: "exec x", pin: "@", pinOption: "--no-install --no --offline"},
	{cmd: "npx", pin: "@", pinOption: "--no-install --no -p --package --offline"},
	{cmd: "yarn", sub: "global dlx", pin: "@"},
	{cmd: "pnpm", sub: "add install i", pin: "@", needs: "-g --global"},
	{cmd: "pnpm", sub: "dlx", pin: "@"}, {cmd: "pnpx", pin: "@"}, {cmd: "bunx", pin: "@"},
	{cmd: "bun", sub: "add install", pin: "@", needs: "-g --global"},
	{cmd: "go", sub: "install get", pin: "@"},
	{cmd: "cargo", sub: "install binstall", pin: "@", pinOption: "--version --vers --rev --tag --path --locked"},
	{cmd: "gem", sub: "install i", pin: ":", pinOption: "-v --version --file"},
	{cmd: "brew", sub: "install upgrade reinstall", pin: "@"},
	{cmd: "dotnet", sub: "tool", pin: "@", pinOption: "--version"},
	{cmd: "choco", sub: "install upgrade", pinOption: "--version"},
	{cmd: "cpanm", pin: "@"}, {cmd: "cpan", always: true},
	{cmd: "luarocks", sub: "install", pin: "", pinOption: "--only-deps"},
	{cmd: "composer", sub: "global", pin: ":"},
	{cmd: "helm", sub: "plugin", pinOption: "--version"},
	{cmd: "conda", sub: "install create", pin: "=", pinOption: "--file -f"}, {cmd: "mamba", sub: "install create", pin: "=", pinOption: "--file -f"},
	{cmd: "deno", sub: "install", pin: "@"},
	{cmd: "gh", sub: "extension", pinOption: "--pin"},
}

// shellOptions says what an option can do to a command whose arguments a stranger
// writes. The texts name the worst; sources are the manuals. Programs whose sub-commands
// differ in that are in shellSubOptions.
var shellOptions = map[string]string{
	"curl":    "options such as -o, -K or --upload-file write and send files",
	"wget":    "options such as -O, --use-askpass or --post-file write and send files or run a program",
	"tar":     "--checkpoint-action, --to-command and -I run a program",
	"ssh":     "-oProxyCommand runs a program",
	"scp":     "-oProxyCommand and -S run a program",
	"sftp":    "-oProxyCommand and -S run a program",
	"rsync":   "-e and --rsync-path run a program",
	"find":    "-exec runs a program",
	"zip":     "-T with -TT runs a program",
	"sed":     "-e, -f and -i take a program and files",
	"awk":     "-f takes a program",
	"sort":    "--compress-program runs a program, -o writes a file",
	"docker":  "options such as -v and --privileged give the host away",
	"podman":  "options such as -v and --privileged give the host away",
	"kubectl": "options such as --kubeconfig and --server lead elsewhere",
	"helm":    "--post-renderer runs a program",
	"npm":     "--prefix, --registry and --script-shell choose what is run",
	"npx":     "the first word is a package that is run",
	"yarn":    "options choose what is run",
	"pnpm":    "options choose what is run",
	"pip":     "--index-url and a path choose what is installed",
	"make":    "--eval and assignments run commands",
	"go":      "-toolexec and -exec run a program",
	"cargo":   "--config runs a program",
	"mvn":     "-D, -f and goals run code",
	"gradle":  "-I and tasks run code",
	"python":  "-c runs code", "python3": "-c runs code", "node": "-e and -r run code", "ruby": "-e runs code", "perl": "-e runs code", "php": "-r runs code",
	"jq": "-f, -L and --rawfile read files", "yq": "options read and write files",
	"aws": "options such as --endpoint-url lead elsewhere", "gcloud": "--flags-file reads options", "az": "options such as --query lead elsewhere",
	"terraform": "-chdir and -var-file choose what is run", "ansible-playbook": "-e and -i choose what is run",
	"rg": "--pre runs a program", "ctest": "-S runs a script", "cmake": "-P and -C run a script", "7z": "options write files",
	"mysql": "options read and write files", "psql": "-c and -f run commands", "vim": "-c runs commands", "tcpdump": "-z runs a program",
	"nix": "options choose what is built", "skopeo": "options choose registries", "cosign": "options choose keys", "twine": "--repository-url sends files elsewhere",
}

// shellSubOption says what an option can do to a sub-command.
type shellSubOption struct {
	// sub are the sub-commands; "-" is what stands where one is expected.
	sub, what string
	// words: a single word is no such option, it takes a value or an operand beside it.
	words bool
	// given are options that the program does not take together with these.
	given string
}

const (
	gitUpload = "--upload-pack runs a program"
	gitOutput = "--output writes any file"
	ghBody    = "--body-file sends any file, such as the environment of a process"
	ghFiles   = "further words name files that are sent"
	ghWrites  = "further words say where files are written"
)

// shellSubOptions are the sub-commands of which an option runs a program, writes a file,
// or sends one elsewhere. What is not here has none that the manuals tell of.
var shellSubOptions = map[string][]shellSubOption{
	"git": {
		{sub: "-", what: "-c sets an alias or a setting that runs a program"},
		{sub: "fetch pull clone ls-remote fetch-pack", what: gitUpload},
		{sub: "push send-pack", what: "--receive-pack runs a program, and further words name branches that are overwritten"},
		{sub: "archive", what: "--output writes any file, and --exec runs a program"},
		{sub: "grep", what: "--open-files-in-pager runs a program"},
		{sub: "rebase", what: "--exec runs a program"},
		{sub: "difftool mergetool send-email bisect filter-branch daemon instaweb", what: "options run a program"},
		{sub: "submodule", what: "foreach runs a program", words: true},
		{sub: "config", what: "settings such as core.sshCommand run a program", words: true},
		{sub: "init", what: "--template brings hooks that run"},
		{sub: "log show diff shortlog whatchanged reflog stash range-diff diff-tree diff-index diff-files format-patch bundle", what: gitOutput},
	},
	"gh": {
		{sub: "api", what: "-F sends any file, and -X writes with the rights of the token", words: true},
		{sub: "extension", what: "the words name a program that is installed or run"},
		{sub: "alias", what: "an alias runs a program", words: true},
		{sub: "gist", what: ghFiles},
		{sub: "secret set", what: "-f reads any file", words: true}, {sub: "variable set", what: "-f reads any file", words: true},
		{sub: "pr create", what: ghBody}, {sub: "issue create", what: ghBody},
		{sub: "pr comment", what: ghBody, words: true, given: "--body -b"}, {sub: "issue comment", what: ghBody, words: true, given: "--body -b"},
		{sub: "pr edit", what: ghBody, words: true, given: "--body -b"}, {sub: "issue edit", what: ghBody, words: true, given: "--body -b"},
		{sub: "pr review", what: ghBody, words: true, given: "--body -b"},
		{sub: "pr merge", what: "--admin and --delete-branch pass the rules of the branch", words: true},
		{sub: "release create", what: ghFiles}, {sub: "release upload", what: ghFiles, words: true},
		{sub: "release edit", what: "--notes-file sends any file", words: true},
		{sub: "release download", what: ghWrites, words: true}, {sub: "run download", what: ghWrites, words: true},
		{sub: "workflow run", what: "-F sends any file as an input", words: true},
		{sub: "repo clone", what: "further words are options of git clone"},
		{sub: "repo create", what: "--source and --push send a folder", words: true},
	},
	"glab": {
		{sub: "api", what: "-F sends any file, and -X writes with the rights of the token", words: true},
		{sub: "alias", what: "an alias runs a program", words: true},
		{sub: "mr create", what: "options send files or merge at once"}, {sub: "issue create", what: "options send files"},
		{sub: "mr merge", what: "options merge at once", words: true},
		{sub: "release create", what: ghFiles}, {sub: "release upload", what: ghFiles, words: true}, {sub: "release download", what: ghWrites, words: true},
		{sub: "repo clone", what: "further words are options of git clone"},
	},
}

// shellCodeOptions are options whose value is run as code, by program.
var shellCodeOptions = map[string]string{
	"python": "-c", "python3": "-c", "python2": "-c", "pypy3": "-c",
	"node": "-e --eval -p --print -pe", "nodejs": "-e --eval -p --print", "bun": "-e --eval -p --print", "deno": "",
	"ruby": "-e -ne -pe -rjson -e", "php": "-r", "lua": "-e", "Rscript": "-e", "julia": "-e -E --eval", "groovy": "-e", "elixir": "-e --eval", "scala": "-e",
	"pwsh": "-c -Command -command -C", "powershell": "-c -Command -command", "osascript": "-e", "emacs": "--eval", "vim": "-c", "gdb": "-ex",
	"su": "-c --command", "runuser": "-c --command", "script": "-c --command", "nix-shell": "--run --command", "flock": "-c --command",
	"vagrant": "-c --command", "gcloud": "--command", "npx": "-c --call", "npm": "-c --call", "watch": "", "sg": "-c", "newgrp": "-c",
	"rsync": "-e --rsh --rsync-path", "sshpass": "", "tmux": "", "expect": "-c",
}

// shellInterpreters are the programs that run a script from a file or their
// standard input, beside shells.
var shellInterpreters = map[string]bool{
	"python": true, "python3": true, "python2": true, "pypy3": true, "node": true, "nodejs": true, "ruby": true, "perl": true, "php": true,
	"lua": true, "Rscript": true, "julia": true, "pwsh": true, "powershell": true, "groovy": true, "osascript": true, "tclsh": true, "ts-node": true, "tsx": true,
}

// shellFilters write what they read, changed or not. Those in shellKeepers keep it
// as it is, so that a download stays a download.
var shellFilters = map[string]bool{
	"cat": true, "tac": true, "tr": true, "sed": true, "gsed": true, "awk": true, "gawk": true, "cut": true, "head": true, "tail": true, "sort": true,
	"uniq": true, "grep": true, "egrep": true, "fgrep": true, "jq": true, "yq": true, "base64": true, "rev": true, "fold": true, "fmt": true,
	"column": true, "paste": true, "envsubst": true, "basename": true, "dirname": true, "realpath": true, "readlink": true, "expr": true,
	"iconv": true, "nl": true, "expand": true, "xxd": true, "od": true, "gzip": true, "gunzip": true, "zcat": true, "xz": true, "perl": true, "python": true,
	"python3": true, "node": true, "ruby": true, "php": true, "sponge": true, "dos2unix": true, "strings": true, "comm": true, "join": true, "diff": true, "mustache": true,
	"openssl": true, "gpg": true, "urlencode": true, "recode": true, "rg": true, "date": true, "bc": true, "csvtool": true, "pandoc": true, "html2text": true, "shuf": true, "nkf": true,
}

var shellKeepers = map[string]bool{"cat": true, "tac": true, "gunzip": true, "zcat": true, "xz": true, "sponge": true, "dos2unix": true, "base64": true, "envsubst": true, "sed": true, "gpg": true}
