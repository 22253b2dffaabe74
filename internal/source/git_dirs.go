package source

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Errors of finding and opening a repository. Test with errors.Is.
var (
	// ErrNoGit says that there is no repository at the path.
	ErrNoGit = errors.New("not a git repository")
	// ErrGitLink says that .git leads elsewhere and that nothing there leads back:
	// it may name anybody's repository.
	ErrGitLink = errors.New(".git leads to a folder that does not lead back")
	// ErrGitFormat says that the repository is of a kind that is not read.
	ErrGitFormat = errors.New("the repository's format is not supported")
)

// Bounds of what is read of a repository's own files.
const (
	maxGitText     = 4096      // .git files, commondir, HEAD and other refs: one path or id
	maxGitConfig   = 1 << 20   // the configuration
	maxAlternates  = 64        // object folders
	alternateDepth = 5         // as in git
	maxPacks       = 20_000    // of one object folder
	maxShallow     = 64 << 20  // the shallow file: 1.5 million commits
	maxLooseNames  = 4_000_000 // names in one folder of loose objects, or of refs
)

// GitOptions says how a repository is found and read. The zero value is useful.
type GitOptions struct {
	// Alternates allows a folder of objects that lies outside the root, and that
	// the repository's objects/info/alternates names. Nil allows none.
	Alternates func(dir string) bool
	// Objects are further object folders, named by the user: of a quarantine, say.
	Objects []string
	// MaxObject bounds the objects that are held in memory, in bytes; 0 is 64 MB.
	MaxObject int64
	// Cache bounds the objects kept as bases of deltas, in bytes; 0 is 32 MB.
	Cache int64
	// Scattered says that few objects will be read, and those far apart: then the
	// objects between them and their bases are not kept.
	Scattered bool
	// Pages bounds the parts of pack indexes kept in memory, in bytes; 0 is 32 MB.
	Pages int64
}

// GitDirs are the opened folders of a repository. Find them before the process
// gives up its rights, read after: OpenGit opens nothing outside of them.
type GitDirs struct {
	// Dir is the repository's own folder, Common the one that holds objects and
	// refs; they differ in a worktree.
	Dir, Common string
	// WorkTree is the folder of the checked-out files, empty for a bare repository.
	WorkTree string
	// Refused are alternates that were not followed, as the repository names them.
	Refused []string

	opts        GitOptions
	dir, common gitFolder
	objects     []gitFolder
	paths       []string
	roots       []*Root
}

// gitFolder is a folder below an opened root. The name is empty or ends in a slash.
type gitFolder struct {
	root *Root
	name string
}

func (d gitFolder) open(name string) (*File, Stat, error) { return d.root.Open(d.name + name) }

func (d gitFolder) readSmall(name string, limit int64) ([]byte, error) {
	return d.root.readSmall(d.name+name, limit)
}

func (d gitFolder) below(name string) gitFolder { return gitFolder{d.root, d.name + name + "/"} }

func (d gitFolder) openFolder(name string) (*folder, Stat, error) {
	return d.root.openFolder(cmp.Or(strings.TrimSuffix(d.name+name, "/"), "."))
}

func (d gitFolder) isFolder(name string) bool {
	f, _, err := d.openFolder(name)
	if err == nil {
		f.close()
	}
	return err == nil
}

// list returns the names in a folder, sorted. A folder that is not there has none.
func (d gitFolder) list(name string, limit int) ([]string, error) {
	f, _, err := d.openFolder(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.close()
	var names []string
	for {
		batch, err := f.names(4096)
		names = append(names, batch...)
		if len(names) > limit {
			return nil, fmt.Errorf("%s holds more than %d names: %w", d.name+name, limit, ErrLimit)
		}
		if err == io.EOF || err == nil && len(batch) == 0 {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// FindGit opens the folders of the repository at path: of the work tree at path,
// or of the bare repository that path itself is. It looks neither above nor below.
//
// A .git file, as worktrees have it, is followed only to a folder that names this
// very file in turn and that its common folder lists as a worktree. A link is not
// followed. Of files, only those are read that say where folders are; the
// configuration is left to OpenGit. Errors are ErrNoGit and ErrGitLink.
func FindGit(path string, opts GitOptions) (*GitDirs, error) {
	d := &GitDirs{opts: opts}
	if err := d.find(path); err != nil {
		d.Close()
		return nil, err
	}
	if err := d.findObjects(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close closes the folders.
func (d *GitDirs) Close() error {
	var err error
	for _, r := range d.roots {
		err = errors.Join(err, r.Close())
	}
	d.roots = nil
	return err
}

// Paths are the files and folders that reading the repository needs, for a sandbox
// that works by paths. Some may not exist.
func (d *GitDirs) Paths() []string { return slices.Clone(d.paths) }

// Index reads what is staged: the index of the work tree, split or not, sorted by
// path, and when it was written, in nanoseconds since 1970 (see Clean; 0 for a
// split one, whose parts are of different times). A repository without an index
// has staged nothing. Errors are those of the bytes.
//
// The name is "index", or that of a file beside it: a commit of chosen files has
// one of its own while its hooks run (GIT_INDEX_FILE).
func (d *GitDirs) Index(name string) (entries []IndexEntry, written int64, err error) {
	index, shared, written, err := d.index(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if len(shared) > 0 {
		written = 0
	}
	entries, err = parseIndexFiles(index, shared)
	return entries, written, err
}

// index reads the files of the index, unparsed.
func (d *GitDirs) index(name string) (index []byte, shared map[string][]byte, written int64, err error) {
	f, st, err := d.dir.open(name)
	if err != nil {
		return nil, nil, 0, err
	}
	f.Close()
	if index, err = d.dir.readSmall(name, maxIndex); err != nil {
		return nil, nil, 0, err
	}
	const most = 16
	shared = make(map[string][]byte)
	names, err := d.dir.list("", maxLooseNames)
	if err != nil {
		return index, shared, 0, nil
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "sharedindex.") || len(shared) == most {
			continue
		}
		if b, err := d.dir.readSmall(name, maxIndex); err == nil {
			shared[name] = b
		}
	}
	return index, shared, st.Mtime, nil
}

func parseIndexFiles(index []byte, shared map[string][]byte) ([]IndexEntry, error) {
	return ParseSplitIndex(index, func(name string) ([]byte, error) {
		if b := shared[name]; b != nil {
			return b, nil
		}
		return nil, fs.ErrNotExist
	})
}

func (d *GitDirs) openRoot(path string) (*Root, error) {
	r, err := OpenRoot(path)
	if err == nil {
		d.roots = append(d.roots, r)
	}
	return r, err
}

func (d *GitDirs) find(path string) error {
	top, err := d.openRoot(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	f, _, err := top.openFolder(".")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	st, err := f.stat(".git")
	f.close()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.dir = gitFolder{top, ""}
		if !d.looksLikeGit() {
			return fmt.Errorf("%s: %w", path, ErrNoGit)
		}
		d.Dir, d.Common, d.common = path, path, d.dir
		d.paths = append(d.paths, path)
	case err != nil:
		return fmt.Errorf("look at %s: %w", filepath.Join(path, ".git"), err)
	case st.Mode&modeType == modeFolder:
		d.dir = gitFolder{top, ".git/"}
		d.WorkTree = path
		d.Dir = filepath.Join(path, ".git")
		d.Common, d.common = d.Dir, d.dir
		if !d.looksLikeGit() {
			return fmt.Errorf("%s: %w", d.Dir, ErrNoGit)
		}
		d.paths = append(d.paths, d.Dir)
	case st.Mode&modeType == modeRegular:
		d.WorkTree = path
		return d.findWorktree(top, path)
	default:
		return fmt.Errorf("%s is neither a folder nor a file: %w", filepath.Join(path, ".git"), ErrGitLink)
	}
	if _, err := d.dir.readSmall("commondir", maxGitText); err == nil {
		// Only the folders below worktrees/ have one; here it would lead anywhere.
		return fmt.Errorf("%s has a commondir: %w", d.Dir, ErrGitLink)
	}
	return nil
}

func (d *GitDirs) looksLikeGit() bool {
	head, err := d.dir.readSmall("HEAD", maxGitText)
	return err == nil && len(head) > 0 && d.dir.isFolder("objects") && d.dir.isFolder("refs")
}

// findWorktree follows the .git file of a worktree, and checks that it is one.
func (d *GitDirs) findWorktree(top *Root, path string) error {
	link := filepath.Join(path, ".git")
	text, err := top.readSmall(".git", maxGitText)
	if err != nil {
		return fmt.Errorf("read %s: %w", link, err)
	}
	target, found := strings.CutPrefix(string(text), "gitdir: ")
	if !found {
		return fmt.Errorf("%s does not name a folder: %w", link, ErrGitLink)
	}
	d.Dir = absoluteTo(path, strings.TrimRight(target, "\r\n"))
	root, err := d.openRoot(d.Dir)
	if err != nil {
		return fmt.Errorf("%s names %s: %w: %w", link, d.Dir, ErrGitLink, err)
	}
	d.dir = gitFolder{root, ""}
	back, err := root.readSmall("gitdir", maxGitText)
	if err != nil {
		return fmt.Errorf("%s names %s, which is not the folder of a worktree: %w", link, d.Dir, ErrGitLink)
	}
	mine, err := os.Lstat(link)
	if err != nil {
		return fmt.Errorf("look at %s: %w", link, err)
	}
	theirs, err := os.Lstat(absoluteTo(d.Dir, strings.TrimRight(string(back), "\r\n")))
	if err != nil || !os.SameFile(mine, theirs) {
		return fmt.Errorf("%s names %s, which belongs to another work tree: %w", link, d.Dir, ErrGitLink)
	}
	common, err := root.readSmall("commondir", maxGitText)
	if err != nil {
		return fmt.Errorf("%s: read commondir: %w: %w", d.Dir, ErrGitLink, err)
	}
	d.Common = absoluteTo(d.Dir, strings.TrimRight(string(common), "\r\n"))
	// The back-pointer lies in a folder that whoever wrote the .git file may have
	// written too. What they cannot write is the list of worktrees of a repository
	// that is not theirs.
	own, err1 := os.Stat(d.Dir)
	listed, err2 := os.Stat(filepath.Join(d.Common, "worktrees", filepath.Base(d.Dir)))
	if err1 != nil || err2 != nil || !os.SameFile(own, listed) {
		return fmt.Errorf("%s does not list %s as a worktree: %w", d.Common, d.Dir, ErrGitLink)
	}
	if root, err = d.openRoot(d.Common); err != nil {
		return fmt.Errorf("open %s: %w", d.Common, err)
	}
	d.common = gitFolder{root, ""}
	d.paths = append(d.paths, d.Dir)
	for _, name := range []string{"objects", "refs", "packed-refs", "shallow", "config"} {
		d.paths = append(d.paths, filepath.Join(d.Common, name))
	}
	return nil
}

// absoluteTo resolves a path as git writes it into its files, relative to dir.
func absoluteTo(dir, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// findObjects opens the folder of objects and its alternates.
func (d *GitDirs) findObjects() error {
	if !d.common.isFolder("objects") {
		return fmt.Errorf("%s has no folder of objects: %w", d.Common, ErrNoGit)
	}
	seen := map[string]bool{}
	d.addObjects(d.common.below("objects"), filepath.Join(d.Common, "objects"), 0, seen)
	for _, path := range d.opts.Objects {
		root, err := d.openRoot(path)
		if err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
		d.paths = append(d.paths, path)
		d.addObjects(gitFolder{root, ""}, filepath.Clean(path), 0, seen)
	}
	return nil
}

// addObjects takes a folder of objects and those that it names. Path is what
// relative names in it are relative to, by its letters: links play no part.
func (d *GitDirs) addObjects(dir gitFolder, path string, depth int, seen map[string]bool) {
	if seen[path] {
		return
	}
	seen[path] = true
	d.objects = append(d.objects, dir)
	text, err := dir.readSmall("info/alternates", 64<<10)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '"' {
			if s, err := strconv.Unquote(line); err == nil {
				line = s
			}
		}
		target := absoluteTo(path, line)
		next, ok := d.alternate(target)
		if !ok || depth == alternateDepth || len(d.objects) >= maxAlternates {
			if len(d.Refused) < maxAlternates {
				d.Refused = append(d.Refused, line)
			}
			continue
		}
		d.addObjects(next, target, depth+1, seen)
	}
}

// alternate opens a folder of objects if it lies in the scanned folder, or if the
// user consents.
func (d *GitDirs) alternate(path string) (gitFolder, bool) {
	inside := d.Common
	if d.WorkTree != "" && d.Dir == d.Common {
		inside = d.WorkTree
	}
	if rel, err := filepath.Rel(inside, path); err == nil && filepath.IsLocal(rel) {
		root := d.common.root // a bare repository's, or the work tree's
		dir := gitFolder{root, filepath.ToSlash(rel) + "/"}
		if !dir.isFolder("") {
			return gitFolder{}, false
		}
		d.paths = append(d.paths, path)
		return dir, true
	}
	if d.opts.Alternates == nil || !d.opts.Alternates(path) {
		return gitFolder{}, false
	}
	root, err := d.openRoot(path)
	if err != nil {
		return gitFolder{}, false
	}
	d.paths = append(d.paths, path)
	return gitFolder{root, ""}, true
}

// gitConfig is what is read of a repository's configuration: nothing that names a
// program, a path or an address.
type gitConfig struct {
	version    int64
	extensions map[string]string
	promisor   bool
}

// parseGitConfig reads git-config(1)'s format as far as the values above need it.
// Includes are not followed: git takes none of these values from them either.
func parseGitConfig(b []byte) (*gitConfig, error) {
	c := &gitConfig{extensions: make(map[string]string)}
	var section string
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	lines.Buffer(make([]byte, 0, 4096), maxGitConfig+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			end := strings.LastIndexByte(line, ']')
			if end < 0 {
				return nil, errors.New("a section of the configuration does not end")
			}
			// [remote "a"] and the old [remote.a] are told apart by nothing here.
			name, _, _ := strings.Cut(line[1:end], "\"")
			name, _, _ = strings.Cut(strings.TrimSpace(name), ".")
			section = strings.ToLower(name)
			line = strings.TrimSpace(line[end+1:])
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if section != "core" && section != "extensions" && section != "remote" {
			continue
		}
		key, value, has := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !has {
			value = "true"
		}
		value = configValue(value)
		switch {
		case section == "core" && key == "repositoryformatversion":
			v, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("core.repositoryformatversion is %.40q", value)
			}
			c.version = v
		case section == "extensions":
			c.extensions[key] = value
		case section == "remote" && key == "promisor":
			c.promisor = c.promisor || configBool(value)
		}
	}
	return c, lines.Err()
}

// configValue takes comment, quotes and escapes from a value.
func configValue(s string) string {
	var out strings.Builder
	quoted := false
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		case (c == '#' || c == ';') && !quoted:
			return strings.TrimSpace(out.String())
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}

func configBool(s string) bool {
	switch strings.ToLower(s) {
	case "", "false", "no", "off", "0":
		return false
	}
	return true
}

// format checks that the repository is of a kind that is read, and returns the
// size of its ids. As in git, version 0 heeds only the extensions that came before
// versions did; an unknown one in version 1 forbids reading.
func (c *gitConfig) format() (hash int, err error) {
	hash = 20
	if c.version < 0 || c.version > 1 {
		return 0, fmt.Errorf("version %d: %w", c.version, ErrGitFormat)
	}
	for name, value := range c.extensions {
		switch name {
		case "partialclone":
			c.promisor = true
			continue
		case "noop", "preciousobjects", "worktreeconfig":
			continue
		}
		if c.version == 0 {
			continue
		}
		switch name {
		case "objectformat":
			switch strings.ToLower(value) {
			case "sha1":
			case "sha256":
				hash = 32
			default:
				return 0, fmt.Errorf("object format %.40q: %w", value, ErrGitFormat)
			}
		case "refstorage":
			if strings.ToLower(value) != "files" {
				return 0, fmt.Errorf("refs are stored as %.40q, only files are read (git refs migrate --ref-format=files): %w", value, ErrGitFormat)
			}
		case "noop-v1", "compatobjectformat", "relativeworktrees":
		default:
			return 0, fmt.Errorf("extension %.40q: %w", name, ErrGitFormat)
		}
	}
	return hash, nil
}
