package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// InputRole is what an action does with an input.
type InputRole string

// The roles.
const (
	// RoleCode inputs are run as a program; Detail is the language.
	RoleCode InputRole = "code"
	// RoleCommand inputs become a command, or are pasted into one for a shell.
	RoleCommand InputRole = "command"
	// RoleArguments inputs become words of a command that the action sets: who chooses
	// one can add options, but no other command where Detail's tool has none for that.
	RoleArguments InputRole = "arguments"
	// RoleTemplate inputs are texts in which the action resolves expressions of its own.
	RoleTemplate InputRole = "template"
	// RoleRef and RoleRepository say which code is fetched.
	RoleRef        InputRole = "ref"
	RoleRepository InputRole = "repository"
	// RolePath inputs are where things are read or written; RoleDirectory is where a
	// tool works; RoleURL is where it connects to. RoleConfig is a file, or the text of
	// one, that steers a tool.
	RolePath      InputRole = "path"
	RoleDirectory InputRole = "directory"
	RoleURL       InputRole = "url"
	RoleConfig    InputRole = "config"
	// RoleSecret inputs hold a credential. RoleRoleName is who to become.
	RoleSecret   InputRole = "secret"
	RoleIdentity InputRole = "identity"

	RoleCacheKey     InputRole = "cache-key"
	RoleRestoreKeys  InputRole = "restore-keys"
	RoleCachePath    InputRole = "cache-path"
	RoleArtifactName InputRole = "artifact-name"
	RoleArtifactPath InputRole = "artifact-path"
	// RoleRun names the run or workflow that artifacts are taken from.
	RoleRun InputRole = "run"

	// RolePrompt inputs are what a model is asked; RoleTools what it may use;
	// RoleModel which one it is.
	RolePrompt InputRole = "prompt"
	RoleTools  InputRole = "tools"
	RoleModel  InputRole = "model"
	// RoleWho inputs say whom an action admits; RolePhrase which words start it;
	// RoleLabel which label does.
	RoleWho    InputRole = "who"
	RolePhrase InputRole = "phrase"
	RoleLabel  InputRole = "label"

	RoleSwitch  InputRole = "switch"  // a boolean
	RoleChoice  InputRole = "choice"  // one of some words
	RoleVersion InputRole = "version" // of a tool
	RoleImage   InputRole = "image"   // of a container
	RoleText    InputRole = "text"    // shown to people: titles, bodies
	RoleData    InputRole = "data"    // kept or handed on as it is
)

var inputRoles = []InputRole{
	RoleCode, RoleCommand, RoleArguments, RoleTemplate, RoleRef, RoleRepository, RolePath, RoleDirectory, RoleURL, RoleConfig,
	RoleSecret, RoleIdentity, RoleCacheKey, RoleRestoreKeys, RoleCachePath, RoleArtifactName, RoleArtifactPath, RoleRun,
	RolePrompt, RoleTools, RoleModel, RoleWho, RolePhrase, RoleLabel, RoleSwitch, RoleChoice, RoleVersion, RoleImage, RoleText, RoleData,
}

// Runs reports whether who chooses the value of an input of this role runs code.
func (r InputRole) Runs() bool {
	return r == RoleCode || r == RoleCommand || r == RoleTemplate
}

// ActionInput is an input with a meaning.
type ActionInput struct {
	Name string
	Role InputRole
	// Detail is the language of code ("javascript", "shell", "powershell", "r" ...), and of
	// arguments the tool that gets them.
	Detail string
	// Default is the value without one, as in the action's metadata.
	Default string
}

// EffectKind is what an action does.
type EffectKind string

// The kinds. What follows a name is what Effect.What says, then the arguments.
const (
	// EffectCheckout puts code of a repository into the workspace.
	EffectCheckout EffectKind = "checkout"
	// EffectRun builds, tests or runs what is in the workspace, or loads configuration
	// of it that can name code. What: the tool. dir=INPUT names the directory,
	// file=INPUT the file.
	EffectRun EffectKind = "run"
	// EffectRestore and EffectSave use the cache. What: what is in it. implicit says that
	// it needs no input for it, except=EVENT,EVENT when it does not (tag: a push of one).
	EffectRestore EffectKind = "restore-cache"
	EffectSave    EffectKind = "save-cache"
	// EffectUpload and EffectDownload move artifacts. name=INPUT, path=INPUT; cross
	// says that they may come from another run, run=INPUT names it, forks=INPUT lets it be
	// one of a fork.
	EffectUpload   EffectKind = "upload"
	EffectDownload EffectKind = "download"
	// EffectLogin gets an identity or hands one to later steps. What: aws, azure, gcp,
	// registry, vault, github-app, ssh, ... oidc says that the job's OIDC token is used,
	// role=INPUT who it becomes; in=PLACE where the credential is kept.
	EffectLogin EffectKind = "login"
	// EffectPublish gives packages, images or releases to others; EffectDeploy changes
	// something that runs. What: where to.
	EffectPublish EffectKind = "publish"
	EffectDeploy  EffectKind = "deploy"
	// EffectPush writes commits, branches or tags; EffectMerge merges pull requests or
	// lets them be merged; EffectApprove approves them; EffectDispatch starts workflows.
	EffectPush     EffectKind = "push"
	EffectMerge    EffectKind = "merge"
	EffectApprove  EffectKind = "approve"
	EffectDispatch EffectKind = "dispatch"
	// EffectPost writes comments, issues, labels or messages.
	EffectPost EffectKind = "post"
	// EffectAgent lets a model act. What: the model's maker. reads=a,b are the texts
	// that it reads by itself: pull, issue, comment, workspace, none. admits=write is who
	// may start it by default, or the input that says so; gate=INPUT,INPUT admit others,
	// where gate-needs=INPUT is set, and gate-events=a,b are beginnings of the events in
	// which anybody is asked for rights at all. tools=none says that it can only answer.
	EffectAgent EffectKind = "agent"
	// EffectGuard asks for a right. What: the right that is asked for, or input=NAME.
	// out=NAME is the output that tells; fails says that the step fails without it.
	EffectGuard EffectKind = "guard"
	// EffectCommand looks for a command in a comment. admits=anyone or write.
	EffectCommand EffectKind = "command"
	// EffectTunnel opens the runner to people outside. admits=anyone or actor.
	EffectTunnel EffectKind = "tunnel"
	// EffectSetEnv sets variables or paths for later steps. from=workspace, event, input.
	EffectSetEnv EffectKind = "set-env"
	// EffectTool installs a program. What: which. version=INPUT.
	EffectTool EffectKind = "tool"
	// EffectSend hands data to a service. What: which.
	EffectSend EffectKind = "send"
	// EffectScan looks at the workspace without running it.
	EffectScan EffectKind = "scan"
	// EffectAttest signs what it is given.
	EffectAttest EffectKind = "attest"
	// EffectWatch watches the other steps.
	EffectWatch EffectKind = "watch"
)

var effectKinds = []EffectKind{
	EffectCheckout, EffectRun, EffectRestore, EffectSave, EffectUpload, EffectDownload, EffectLogin, EffectPublish, EffectDeploy,
	EffectPush, EffectMerge, EffectApprove, EffectDispatch, EffectPost, EffectAgent, EffectGuard, EffectCommand, EffectTunnel,
	EffectSetEnv, EffectTool, EffectSend, EffectScan, EffectAttest, EffectWatch,
}

// Effect is one thing that an action does, if all of Conditions hold.
type Effect struct {
	Kind       EffectKind
	What       string
	Arguments  []EffectArgument
	Conditions []EffectCondition
}

// EffectArgument is a name with a value; a flag has the value "true".
type EffectArgument struct{ Name, Value string }

// Argument returns an argument of the effect, empty without it.
func (e Effect) Argument(name string) string {
	for _, a := range e.Arguments {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// EffectCondition is about the value of an input.
type EffectCondition struct {
	Input string
	// Values are those that it may have; without any it must be set, to something
	// other than false.
	Values []string
	// Not turns the condition round.
	Not bool
}

// OutputSource is who chooses what an output holds.
type OutputSource string

// The sources.
const (
	FromPull      OutputSource = "pull"      // the author of a pull request
	FromComment   OutputSource = "comment"   // the author of a comment
	FromIssue     OutputSource = "issue"     // the author of an issue, or of its form
	FromEvent     OutputSource = "event"     // who causes the event, whatever it is
	FromCommits   OutputSource = "commits"   // the author of commits, or of a tag
	FromWorkspace OutputSource = "workspace" // who wrote the files of the workspace
	FromArtifact  OutputSource = "artifact"  // who wrote the artifact
	FromInput     OutputSource = "input"     // who chooses the input
	FromScript    OutputSource = "script"    // the code in the input decides
	FromModel     OutputSource = "model"     // who has a say in what a model is asked
	FromNetwork   OutputSource = "network"   // the service that is asked
	FromLogin     OutputSource = "login"     // a credential that the action has got
	FromAction    OutputSource = "action"    // nobody else: the action decides
)

var outputSources = []OutputSource{
	FromPull, FromComment, FromIssue, FromEvent, FromCommits, FromWorkspace, FromArtifact, FromInput, FromScript, FromModel,
	FromNetwork, FromLogin, FromAction,
}

// ActionOutput is an output that others may have a say in.
type ActionOutput struct {
	// Name may have one "*", which stands for any characters.
	Name  string
	Shape Shape
	From  OutputSource
	// Input is the input of FromInput and FromScript.
	Input string
	// Code says that the value names a commit, branch or repository whose content who
	// chooses it writes.
	Code bool
}

// ActionAdvisory is a known vulnerability of an action, or a compromise.
type ActionAdvisory struct {
	// ID is GHSA-..., a CVE, or the address of a report where there is none of both;
	// Alias a CVE or empty.
	ID, Alias string
	Severity  string // "low", "moderate", "high" or "critical"
	// Range is of versions; Fixed the first version without it, empty without one.
	Range, Fixed string
	// Compromise says that somebody else put code into the action.
	Compromise bool
	Title      string
}

// ActionVersion is the version that a step uses, as far as the file tells.
type ActionVersion struct {
	// Parts are its numbers. A part that is left open is math.MaxInt: v4 is the latest
	// of 4, and a branch the latest of all.
	Parts [3]int
	// Known is false for a branch, and for a commit without a comment behind it.
	Known bool
	// Comment is true where it stands in the comment behind a commit.
	Comment bool
}

// VersionOf reads the version of a use: from a tag, a branch that ends like one, or
// the comment behind a commit.
func VersionOf(u Use) ActionVersion {
	switch u.RefKind {
	case RefTag:
		return readVersion(u.Ref)
	case RefBranch:
		return readVersion(u.Ref[strings.LastIndexByte(u.Ref, '/')+1:])
	case RefCommit:
		if u.Comment == nil {
			break
		}
		for _, word := range strings.FieldsFunc(u.Comment.Text, func(r rune) bool { return strings.ContainsRune(" \t#,;:=@()", r) }) {
			word = word[strings.LastIndexByte(word, '/')+1:]
			// A bare number may be a year, or of a pull request.
			if v := readVersion(word); v.Known && (strings.ContainsAny(word[:1], "vV") || v.Parts[1] != math.MaxInt || v.Parts[0] < 100) {
				v.Comment = true
				return v
			}
		}
	}
	return ActionVersion{Parts: openVersion}
}

var openVersion = [3]int{math.MaxInt, math.MaxInt, math.MaxInt}

// readVersion reads 4, v4, v4.1, 4.1.2 or v4.1.2-beta.
func readVersion(s string) ActionVersion {
	v := ActionVersion{Parts: openVersion}
	s = strings.TrimLeft(s, "vV")
	s, _, _ = strings.Cut(s, "-")
	s, _, _ = strings.Cut(s, "+")
	for i, part := range strings.SplitN(s, ".", 4) {
		if i == 3 {
			break
		}
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return ActionVersion{Parts: openVersion}
		}
		v.Parts[i], v.Known = int(n), true
	}
	return v
}

// In reports whether the version is in a range: "<4", ">=4.1,<4.1.3", "=1". An empty
// range is all versions.
func (v ActionVersion) In(versions string) bool {
	for bound := range strings.SplitSeq(versions, ",") {
		sign := strings.TrimRight(bound, "0123456789.")
		want := readVersion(bound[len(sign):])
		if !want.Known {
			continue
		}
		n := 0
		for i, part := range want.Parts {
			if part == math.MaxInt {
				if sign == "<" || sign == ">=" {
					part = 0
				} else {
					break
				}
			}
			if n = v.Parts[i] - part; n != 0 {
				break
			}
		}
		ok := false
		switch sign {
		case "<":
			ok = n < 0
		case "<=":
			ok = n <= 0
		case ">":
			ok = n > 0
		case ">=":
			ok = n >= 0
		case "=":
			ok = n == 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// ActionSummary is what is known about an action at the version that a step uses.
type ActionSummary struct {
	// Name is owner/repo or owner/repo/path, as its owner spells it.
	Name    string
	Version ActionVersion
	Inputs  []ActionInput
	Effects []Effect
	Outputs []ActionOutput
	// Runtime is "node12", "node16" (or older), "node20", "node24" or empty.
	Runtime string
	// Archived is since when its repository is read-only: a date, or its beginning, or
	// "yes".
	Archived string
	// Instead is what does the same: a program of the runner, or another action.
	Instead string
	// Advisories are those that touch the version, or the commit.
	Advisories []ActionAdvisory
	// Copied: it is known by its name alone, which an action of another owner has.
	Copied bool
}

// Input returns an input by its name, in any case, nil without a meaning.
func (s *ActionSummary) Input(name string) *ActionInput {
	for i := range s.Inputs {
		if strings.EqualFold(s.Inputs[i].Name, name) {
			return &s.Inputs[i]
		}
	}
	return nil
}

// Output returns an output by its name, in any case, nil if nobody has a say in it.
func (s *ActionSummary) Output(name string) *ActionOutput {
	for i := range s.Outputs {
		before, after, star := strings.Cut(s.Outputs[i].Name, "*")
		if !star && strings.EqualFold(before, name) {
			return &s.Outputs[i]
		}
		if star && len(name) >= len(before)+len(after) && strings.EqualFold(name[:len(before)], before) && strings.EqualFold(name[len(name)-len(after):], after) {
			return &s.Outputs[i]
		}
	}
	return nil
}

// Has reports whether the action has an effect of the kind, whatever its conditions.
func (s *ActionSummary) Has(kind EffectKind) bool {
	return slices.ContainsFunc(s.Effects, func(e Effect) bool { return e.Kind == kind })
}

// Value is what an input holds, given what the step says of it: its text, and whether
// that is known before the run.
func (s *ActionSummary) Value(name string, with Data) (string, bool) {
	if d := with.Get(name); d.Kind == DataScalar {
		return d.Text.Value, len(d.Text.Parts) == 0
	}
	if with.Kind == DataScalar && len(with.Text.Parts) > 0 {
		return "", false
	}
	if in := s.Input(name); in != nil {
		return in.Default, !strings.Contains(in.Default, "${{")
	}
	return "", true
}

// Applies decides whether an effect of the action happens in a step with these
// inputs.
func (s *ActionSummary) Applies(e Effect, with Data) Truth {
	answer := True
	for _, c := range e.Conditions {
		value, known := s.Value(c.Input, with)
		if !known {
			if len(c.Values) > 0 || !strings.Contains(value, "secrets.") {
				answer = Undecided
				continue
			}
			value = "secret" // one that is asked for is taken to be there
		}
		value = strings.TrimSpace(value)
		holds := value != "" && !strings.EqualFold(value, "false")
		if len(c.Values) > 0 {
			holds = slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, value) })
		}
		if holds == c.Not {
			return False
		}
	}
	return answer
}

// LookupAction returns what is known about the action, or called workflow, of a use;
// nil if it is not known or of no repository. It must not be written to. The first call
// reads where entries begin (less than 1 ms), and each entry is read once.
//
// Of another action in a repository that is known only what holds for the whole
// repository is told: that it is archived, and its advisories.
func LookupAction(u Use) *ActionSummary {
	if u.looked {
		return u.known
	}
	if u.Kind != UseRemote {
		return nil
	}
	t := actionIndex()
	name := strings.ToLower(u.Owner + "/" + u.Repo)
	repo := t.get(name)
	if path := strings.ToLower(strings.Trim(u.Path, "/")); path != "" {
		entry := t.get(name + "/" + path)
		if entry == nil {
			entry = t.get(name + "/" + path[:strings.LastIndexByte(path, '/')+1] + "*")
		}
		if entry == nil && repo == nil {
			return nil
		}
		return t.summary(entry, repo, u)
	}
	if repo == nil {
		return nil
	}
	return t.summary(repo, nil, u)
}

// copiedAction is what the table says of an action of the same name by another owner, where
// that runs an agent, a program that it is given, or brings in artifacts: copies do the same
// as a rule. Only names of several words tell enough.
func copiedAction(u Use) *ActionSummary {
	name := strings.ToLower(u.Repo)
	if u.Kind != UseRemote || u.Path != "" || strings.Count(name, "-") == 0 || len(name) > 100 {
		return nil
	}
	t := actionIndex()
	for _, k := range t.byName[name] {
		s := t.summary(t.get(k), nil, u)
		does := slices.ContainsFunc(s.Effects, func(e Effect) bool {
			return e.Kind == EffectAgent || e.Kind == EffectDownload && e.Argument("cross") != ""
		}) ||
			slices.ContainsFunc(s.Inputs, func(in ActionInput) bool { return in.Role == RoleCode })
		if !does {
			continue
		}
		c := *s
		c.Name, c.Copied = u.Owner+"/"+u.Repo, true
		c.Archived, c.Advisories, c.Runtime = "", nil, ""
		return &c
	}
	return nil
}

// VerifiedCreator reports whether the forge's marketplace shows the owner as one
// whose identity it has checked.
func VerifiedCreator(owner string) bool { return actionIndex().verified[strings.ToLower(owner)] }

// actionTable is the table of rules/pipeline/actions.yaml.
type actionTable struct {
	actions  map[string]*lazyAction // by name in lower case
	byName   map[string][]string    // the whole names of actions, by that of the repository alone
	verified map[string]bool        // owners in lower case
}

// lazyAction is an action whose entry is read when it is first asked for: of all in
// the table a scan meets few.
type lazyAction struct {
	name, text string
	line       int
	once       sync.Once
	read       *actionEntry
	err        error
}

func (a *lazyAction) entry() (*actionEntry, error) {
	a.once.Do(func() { a.read, a.err = readActionEntry(a.name, a.text, a.line) })
	return a.read, a.err
}

// get returns the entry of an action, nil if it is not there.
func (t *actionTable) get(name string) *actionEntry {
	a, ok := t.actions[name]
	if !ok {
		return nil
	}
	e, err := a.entry()
	if err != nil {
		return nil // a test reads all of them
	}
	return e
}

// actionEntry is what the table says about one action.
type actionEntry struct {
	name, same string
	rows       []actionRow
	archived   string
	instead    string
	runtimes   []actionRuntime
	advisories []actionAdvisory
}

// actionRow is what holds for a range of versions.
type actionRow struct {
	versions string
	inputs   []ActionInput
	effects  []Effect
	outputs  []ActionOutput
}

type actionRuntime struct {
	major   int
	runtime string
}

type actionAdvisory struct {
	ActionAdvisory
	commits []string
}

// actionsFile is the table.
const actionsFile = "pipeline/actions.yaml"

var actionIndex = sync.OnceValue(func() *actionTable {
	t, err := readActions(embedded(actionsFile))
	if err != nil {
		return &actionTable{} // a test reads the same text
	}
	t.byName = make(map[string][]string)
	for _, k := range sortedKeys(t.actions) {
		if _, name, _ := strings.Cut(k, "/"); !strings.Contains(name, "/") {
			t.byName[name] = append(t.byName[name], k)
		}
	}
	return t
})

// summary puts together what holds at the version of a use. entry or repo may be nil.
func (t *actionTable) summary(entry, repo *actionEntry, u Use) *ActionSummary {
	s := &ActionSummary{Name: u.Owner + "/" + u.Repo + "/" + u.Path, Version: VersionOf(u)}
	if entry != nil {
		s.Name = entry.name
		from := entry
		if other := t.get(strings.ToLower(entry.same)); other != nil {
			from = other
		}
		for i, row := range from.rows {
			switch {
			case !s.Version.In(row.versions):
			case i == 0:
				s.Inputs, s.Effects, s.Outputs = slices.Clip(row.inputs), slices.Clip(row.effects), slices.Clip(row.outputs)
			default:
				s.Inputs = append(s.Inputs, row.inputs...)
				s.Effects = append(s.Effects, row.effects...)
				s.Outputs = append(s.Outputs, row.outputs...)
			}
		}
	}
	for _, e := range []*actionEntry{entry, repo} {
		if e == nil {
			continue
		}
		if s.Archived == "" {
			s.Archived = e.archived
		}
		if s.Instead == "" {
			s.Instead = e.instead
		}
		for _, r := range e.runtimes {
			if s.Version.Known && s.Version.Parts[0] >= r.major {
				s.Runtime = r.runtime
			}
		}
		for _, a := range e.advisories {
			// What a moved tag led to is not in a commit that was named before.
			named := u.RefKind == RefCommit && a.Compromise
			if s.Version.Known && !named && s.Version.In(a.Range) && (a.Range != "" || len(a.commits) == 0) || slices.Contains(a.commits, strings.ToLower(u.Ref)) {
				s.Advisories = append(s.Advisories, a.ActionAdvisory)
			}
		}
	}
	return s
}

// readActions reads the table. It is a YAML document of a shape so narrow that a
// reader of its own needs a tenth of the time:
//
//	verified: OWNER ...
//	archived: OWNER/REPO ...
//	OWNER/REPO[/PATH]:
//	  in: NAME=ROLE[:DETAIL][?DEFAULT] ...
//	  do: KIND [WHAT] [ARGUMENT[=VALUE] ...] [if CONDITION [and CONDITION ...]]; ...
//	  out: NAME=SHAPE[!]:SOURCE[.INPUT] ...
//	  bad: RANGE ID [ALIAS] SEVERITY [fixed=VERSION] [compromise] [COMMIT ...] - TITLE; ...
//	  runtime: MAJOR=RUNTIME ...
//	  archived: DATE
//	  instead: TEXT
//	  same: OWNER/REPO
//
// The last part of a PATH may be "*"; %20 in a NAME is a blank. An output any* stands
// for every output; another * for any characters. A text may go on in further lines with more indentation. in, do and out may have a
// range of versions behind them, as in "do@>=4,<5". $NAME stands for the expression
// ${{ NAME }} in a default, an exclamation mark behind a shape for Code. A condition is
// INPUT, !INPUT, INPUT=A|B or INPUT!=A|B.
func readActions(text string) (*actionTable, error) {
	t := &actionTable{actions: make(map[string]*lazyAction, 1000), verified: make(map[string]bool, 400)}
	add := func(name, text string, line int) error {
		lower := strings.ToLower(name)
		if t.actions[lower] != nil {
			return fmt.Errorf("actions.yaml:%d: %s is there twice", line, name)
		}
		t.actions[lower] = &lazyAction{name: name, text: text, line: line}
		return nil
	}
	line := 1
	for rest := text; rest != ""; {
		// A block is a line without indentation with those that follow.
		end := 0
		lines := 0
		for {
			n := strings.IndexByte(rest[end:], '\n') + 1
			if n == 0 {
				n = len(rest) - end
			}
			end += n
			lines++
			if end >= len(rest) || rest[end] != ' ' && rest[end] != '\n' {
				break
			}
		}
		block, at := rest[:end], line
		rest = rest[end:]
		line += lines
		if block[0] == '#' || block[0] == '\n' {
			continue
		}
		head, body, _ := strings.Cut(block, "\n")
		name, value, _ := strings.Cut(head, ":")
		switch {
		case name == "verified":
			for owner := range strings.FieldsSeq(value + " " + body) {
				t.verified[owner] = true
			}
		case name == "archived":
			for name := range strings.FieldsSeq(value + " " + body) {
				if err := add(name, "  archived: yes", at); err != nil {
					return nil, err
				}
			}
		case value != "" || !strings.HasSuffix(head, ":"):
			return nil, fmt.Errorf("actions.yaml:%d: %s is no action", at, head)
		default:
			if err := add(name, body, at+1); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// readActionEntry reads what the table says of one action, the first line of which has
// the number line.
func readActionEntry(name, text string, line int) (*actionEntry, error) {
	e := &actionEntry{name: name}
	var key, value string
	at := line
	flush := func() error {
		if key == "" {
			return nil
		}
		if err := e.set(key, value); err != nil {
			return fmt.Errorf("actions.yaml:%d: %w", at, err)
		}
		return nil
	}
	for l := range strings.Lines(text) {
		trimmed := strings.TrimSpace(l)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case strings.HasPrefix(l, "   "):
			value += " " + trimmed
		default:
			if err := flush(); err != nil {
				return nil, err
			}
			var ok bool
			if key, value, ok = strings.Cut(trimmed, ":"); !ok {
				return nil, fmt.Errorf("actions.yaml:%d: a key without a colon", line)
			}
			value, at = strings.TrimSpace(value), line
		}
		line++
	}
	return e, flush()
}

// set adds what stands behind a key of an action.
func (e *actionEntry) set(key, value string) error {
	base, versions, _ := strings.Cut(key, "@")
	row := func() *actionRow {
		for i := range e.rows {
			if e.rows[i].versions == versions {
				return &e.rows[i]
			}
		}
		e.rows = append(e.rows, actionRow{versions: versions})
		return &e.rows[len(e.rows)-1]
	}
	switch base {
	case "in":
		r := row()
		r.inputs = make([]ActionInput, 0, strings.Count(value, "="))
		for word := range strings.FieldsSeq(value) {
			name, rest, _ := strings.Cut(word, "=")
			rest, def, _ := strings.Cut(rest, "?")
			role, detail, _ := strings.Cut(rest, ":")
			if !slices.Contains(inputRoles, InputRole(role)) {
				return fmt.Errorf("%q has no role", word)
			}
			if d, ok := strings.CutPrefix(def, "$"); ok {
				def = "${{ " + d + " }}"
			}
			name = strings.ReplaceAll(name, "%20", " ")
			r.inputs = append(r.inputs, ActionInput{Name: name, Role: InputRole(role), Detail: detail, Default: def})
		}
	case "do":
		r := row()
		r.effects = make([]Effect, 0, strings.Count(value, ";")+1)
		for part := range strings.SplitSeq(value, ";") {
			effect, err := readEffect(part)
			if err != nil {
				return err
			}
			r.effects = append(r.effects, effect)
		}
	case "out":
		r := row()
		r.outputs = make([]ActionOutput, 0, strings.Count(value, "="))
		for word := range strings.FieldsSeq(value) {
			name, rest, _ := strings.Cut(word, "=")
			shape, source, _ := strings.Cut(rest, ":")
			source, input, _ := strings.Cut(source, ".")
			o := ActionOutput{Name: name, From: OutputSource(source), Input: input}
			if name == "any*" {
				o.Name = "*"
			}
			shape, o.Code = strings.CutSuffix(shape, "!")
			o.Shape = shapeOf(shape)
			if o.Shape == ShapeUnset || !slices.Contains(outputSources, o.From) {
				return fmt.Errorf("%q has no shape or no source", word)
			}
			r.outputs = append(r.outputs, o)
		}
	case "bad":
		for part := range strings.SplitSeq(value, ";") {
			a, err := readActionAdvisory(part)
			if err != nil {
				return err
			}
			e.advisories = append(e.advisories, a)
		}
	case "runtime":
		for word := range strings.FieldsSeq(value) {
			major, runtime, _ := strings.Cut(word, "=")
			n, err := strconv.Atoi(major)
			if err != nil {
				return fmt.Errorf("%q is no runtime", word)
			}
			e.runtimes = append(e.runtimes, actionRuntime{n, runtime})
		}
	case "archived":
		e.archived = value
	case "instead":
		e.instead = value
	case "same":
		e.same = value
	default:
		return fmt.Errorf("%q is no key", key)
	}
	return nil
}

// readEffect reads one effect.
func readEffect(text string) (Effect, error) {
	var e Effect
	left, conditions, some := strings.Cut(strings.TrimSpace(text), " if ")
	first := true
	for word := range strings.FieldsSeq(left) {
		name, value, has := strings.Cut(word, "=")
		switch {
		case e.Kind == "":
			e.Kind = EffectKind(word)
		case first && !has:
			e.What = word
			first = false
		default:
			if !has {
				value = "true"
			}
			e.Arguments = append(e.Arguments, EffectArgument{name, value})
			first = false
		}
	}
	if !slices.Contains(effectKinds, e.Kind) {
		return e, fmt.Errorf("%q is no effect", text)
	}
	if !some {
		return e, nil
	}
	for c := range strings.SplitSeq(conditions, " and ") {
		var condition EffectCondition
		c, condition.Not = strings.CutPrefix(strings.TrimSpace(c), "!")
		name, values, has := strings.Cut(c, "=")
		if has {
			var not bool
			if name, not = strings.CutSuffix(name, "!"); not {
				condition.Not = true
			}
			condition.Values = strings.Split(values, "|")
		}
		condition.Input = name
		if name == "" || strings.Contains(name, " ") {
			return e, fmt.Errorf("%q is no condition", c)
		}
		e.Conditions = append(e.Conditions, condition)
	}
	return e, nil
}

// readActionAdvisory reads one advisory.
func readActionAdvisory(text string) (actionAdvisory, error) {
	var a actionAdvisory
	left, title, ok := strings.Cut(text, " - ")
	a.Title = strings.TrimSpace(title)
	for word := range strings.FieldsSeq(left) {
		switch {
		case strings.HasPrefix(word, "GHSA-"), strings.HasPrefix(word, "https://"):
			a.ID = word
		case strings.HasPrefix(word, "CVE-"):
			if a.Alias = word; a.ID == "" {
				a.ID, a.Alias = word, ""
			}
		case strings.ContainsAny(word[:1], "<>="):
			a.Range = word
		case strings.HasPrefix(word, "fixed="):
			a.Fixed = strings.TrimPrefix(word, "fixed=")
		case word == "compromise":
			a.Compromise = true
		case word == "low" || word == "moderate" || word == "high" || word == "critical":
			a.Severity = word
		case IsCommit(word):
			a.commits = append(a.commits, word)
		default:
			return a, fmt.Errorf("%q is no part of an advisory", word)
		}
	}
	if !ok || a.ID == "" || a.Severity == "" || a.Range == "" && len(a.commits) == 0 {
		return a, fmt.Errorf("advisory %q is not whole", text)
	}
	return a, nil
}

// nearIndex is the actions of the table by the folded name of their repository.
var nearIndex = sync.OnceValue(func() map[string][]string {
	seen := map[string]bool{}
	out := map[string][]string{}
	for _, e := range actionIndex().actions {
		parts := strings.SplitN(e.name, "/", 3)
		if len(parts) < 2 {
			continue
		}
		name := parts[0] + "/" + parts[1]
		if lower := strings.ToLower(name); !seen[lower] {
			seen[lower] = true
			repo := foldName(parts[1])
			out[repo] = append(out[repo], name)
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
})

// NearAction returns the well-known action that the action of a use is almost called
// like, empty if there is none: its owner is another account, whose name differs in one
// character, two that are swapped, or only to the eye (1 for l, rn for m, a hyphen).
//
// A repository with the same owner is not reported: nobody but the owner can make it.
// Nor is one that only has the same name: it is a fork.
func NearAction(u Use) string {
	if u.Kind != UseRemote {
		return ""
	}
	owner, repo := strings.ToLower(u.Owner), strings.ToLower(u.Repo)
	best := ""
	for _, name := range nearIndex()[foldName(repo)] {
		knownOwner, knownRepo, _ := strings.Cut(strings.ToLower(name), "/")
		if knownOwner == owner {
			return "" // as the table has it, or as only its owner can call another
		}
		if foldName(knownOwner) == foldName(owner) || knownRepo == repo && min(len(owner), len(knownOwner)) >= 4 && oneEdit(owner, knownOwner) {
			best = name
		}
	}
	return best
}

// foldName makes names equal that look alike.
func foldName(s string) string {
	s = strings.ToLower(s)
	if !strings.ContainsAny(s, "-_.01") && !strings.Contains(s, "rn") && !strings.Contains(s, "vv") && !strings.Contains(s, "i") {
		return s
	}
	return strings.NewReplacer("-", "", "_", "", ".", "", "0", "o", "1", "l", "i", "l", "rn", "m", "vv", "w").Replace(s)
}

// oneEdit reports whether one character more, less or other, or two that change
// places, make b of a.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
