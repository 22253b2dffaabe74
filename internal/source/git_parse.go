package source

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Signature is who made a commit and when.
type Signature struct {
	Name, Email string
	When        time.Time
}

// Commit is a parsed commit.
type Commit struct {
	ID, Tree          ObjectID
	Parents           []ObjectID // as written; Git.Parents knows of shallow clones
	Author, Committer Signature
	Message           string
}

// ParseCommit reads the bytes of a commit. The ids must be of hash bytes (20 or
// 32). Fields behind the committer are not kept.
func ParseCommit(b []byte, hash int) (*Commit, error) {
	c := new(Commit)
	head, err := parseCommitHead(b, hash)
	if err != nil {
		return nil, err
	}
	c.Tree, c.Parents = head.tree, head.parents
	c.Author, c.Committer = parseSignature(head.author), parseSignature(head.committer)
	if _, message, found := bytes.Cut(b, []byte("\n\n")); found {
		c.Message = string(message)
	}
	return c, nil
}

// commitHead is what walking through history needs of a commit.
type commitHead struct {
	tree              ObjectID
	parents           []ObjectID
	author, committer []byte
}

var errCommit = fmt.Errorf("a commit: %w", ErrCorrupt)

func parseCommitHead(b []byte, hash int) (h commitHead, err error) {
	value, b, ok := headerLine(b, "tree ")
	if !ok {
		return h, errCommit
	}
	if h.tree, ok = parseHexID(value, hash); !ok {
		return h, errCommit
	}
	for {
		value, rest, ok := headerLine(b, "parent ")
		if !ok {
			break
		}
		id, ok := parseHexID(value, hash)
		if !ok {
			return h, errCommit
		}
		h.parents = append(h.parents, id)
		b = rest
	}
	if h.author, b, ok = headerLine(b, "author "); !ok {
		return h, errCommit
	}
	if h.committer, _, ok = headerLine(b, "committer "); !ok {
		return h, errCommit
	}
	return h, nil
}

func headerLine(b []byte, name string) (value, rest []byte, ok bool) {
	if !bytes.HasPrefix(b, []byte(name)) {
		return nil, b, false
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return nil, b, false
	}
	return b[len(name):end], b[end+1:], true
}

func parseHexID(b []byte, hash int) (ObjectID, bool) {
	if len(b) != 2*hash {
		return ObjectID{}, false
	}
	id, err := ParseObjectID(string(b))
	return id, err == nil
}

// parseSignature reads "Name <mail> 1234567890 +0100". What is odd is left empty:
// history holds all sorts of signatures, and git shows them too.
func parseSignature(b []byte) Signature {
	var s Signature
	open := bytes.IndexByte(b, '<')
	shut := bytes.LastIndexByte(b, '>')
	if open < 0 || shut < open {
		s.Name = text(b)
		return s
	}
	s.Name, s.Email = text(b[:open]), text(b[open+1:shut])
	s.When = time.Unix(signatureTime(b), 0).In(signatureZone(b[shut+1:]))
	return s
}

func text(b []byte) string {
	b = bytes.TrimSpace(b)
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// maxTime is the last second of the year 9999: later ones print badly.
const maxTime = 253402300799

// signatureTime is the time of a signature in seconds since 1970, 0 for none.
func signatureTime(b []byte) int64 {
	rest := bytes.TrimLeft(b[bytes.LastIndexByte(b, '>')+1:], " ")
	v := int64(0)
	for i, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		if i > 15 {
			return maxTime
		}
		v = v*10 + int64(c-'0')
	}
	return min(v, maxTime)
}

func signatureZone(b []byte) *time.Location {
	f := bytes.Fields(b)
	if len(f) < 2 || len(f[1]) != 5 || f[1][0] != '+' && f[1][0] != '-' {
		return time.UTC
	}
	v, err := strconv.ParseUint(string(f[1][1:]), 10, 16)
	if err != nil || v == 0 || v > 2400 {
		return time.UTC
	}
	seconds := int(v/100*3600 + v%100*60)
	if f[1][0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds)
}

// TreeEntry is one name in a tree.
type TreeEntry struct {
	Name string
	Mode uint32 // IndexFile (with permission bits), IndexSymlink, IndexSubmodule or IndexFolder
	ID   ObjectID
}

// Kind is the kind of the entry's mode.
func (e TreeEntry) Kind() uint32 { return e.Mode & IndexKind }

// Hazard says why a name must not be made a path of files, "" if it may. Git
// refuses to check such trees out; their content is scanned all the same.
func (e TreeEntry) Hazard() string {
	switch {
	case e.Name == "":
		return "no name"
	case strings.Contains(e.Name, "/"):
		return "a slash in the name"
	case strings.Contains(e.Name, "\\") && strings.Contains(e.Name, ".."):
		return "a backslash in the name, which some systems take for a slash"
	case e.Name == "." || e.Name == "..":
		return "the name of a folder above"
	case isDotGit(e.Name):
		return "a name that some systems take for .git"
	}
	return ""
}

// isDotGit reports whether a name is .git on Linux, Windows (case, trailing dots
// and spaces, streams, the short name) or macOS (case, ignored characters).
func isDotGit(name string) bool {
	if c := name[0]; c != '.' && c != 'g' && c != 'G' && c < 0x80 {
		return false
	}
	name = strings.ToLower(name)
	name, _, _ = strings.Cut(name, ":")
	name = strings.Map(func(r rune) rune {
		switch {
		// What HFS+ ignores, as git's utf8.c has it.
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name)
	name = strings.TrimRight(name, " .")
	return name == ".git" || name == "git~1"
}

var errTree = fmt.Errorf("a tree: %w", ErrCorrupt)

// treeIter reads a tree entry by entry.
type treeIter struct {
	b    []byte
	hash int
}

// next returns the next entry, whose name is not yet copied; ok is false at the end.
func (t *treeIter) next() (name []byte, mode uint32, id []byte, ok bool, err error) {
	if len(t.b) == 0 {
		return nil, 0, nil, false, nil
	}
	i := 0
	for ; i < len(t.b) && t.b[i] != ' '; i++ {
		c := t.b[i]
		if c < '0' || c > '7' || i > 6 {
			return nil, 0, nil, false, errTree
		}
		mode = mode<<3 | uint32(c-'0')
	}
	end := bytes.IndexByte(t.b[i:], 0)
	if i == 0 || end < 0 || len(t.b)-i-end-1 < t.hash {
		return nil, 0, nil, false, errTree
	}
	name = t.b[i+1 : i+end]
	id = t.b[i+end+1 : i+end+1+t.hash]
	t.b = t.b[i+end+1+t.hash:]
	switch mode & IndexKind {
	case IndexFile, IndexSymlink, IndexSubmodule, IndexFolder:
	default:
		return nil, 0, nil, false, errTree
	}
	return name, mode, id, true, nil
}

// ParseTree reads the bytes of a tree. The ids must be of hash bytes. The entries
// are returned as they are: unsorted, twice, with any name.
func ParseTree(b []byte, hash int) ([]TreeEntry, error) {
	// Count first: 24 bytes are the least that an entry takes.
	entries := make([]TreeEntry, 0, min(len(b)/(hash+4), 64))
	it := treeIter{b, hash}
	for {
		name, mode, id, ok, err := it.next()
		if err != nil || !ok {
			return entries, err
		}
		entries = append(entries, TreeEntry{Name: string(name), Mode: mode, ID: idOf(id)})
	}
}

// parseTagTarget reads what a tag points to.
func parseTagTarget(b []byte, hash int) (ObjectID, ObjectKind, error) {
	value, b, ok := headerLine(b, "object ")
	id, good := parseHexID(value, hash)
	name, _, ok2 := headerLine(b, "type ")
	kind, known := parseObjectKind(string(name))
	if !ok || !good || !ok2 || !known {
		return ObjectID{}, 0, fmt.Errorf("a tag: %w", ErrCorrupt)
	}
	return id, kind, nil
}
