package source

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"penstock"
)

// Kind is the format of a container. The zero value is no container.
type Kind int

const (
	KindNone Kind = iota
	KindZip       // also jar, war, whl, apk, nupkg, docx, odt, vsix, ...
	KindTar
	KindGzip
	KindBzip2
	KindXz
	KindLzma
	KindZstd
	KindLz4
	KindAr // also deb and static libraries
	KindCpio
	KindRPM

	// Containers that are recognised and not opened.
	Kind7z
	KindRar
	KindCab
	KindLzip
	KindCompress
	KindXar
)

var kindNames = [...]string{"none", "zip", "tar", "gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "ar", "cpio", "rpm",
	"7z", "rar", "cab", "lzip", "compress", "xar"}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[0]
	}
	return kindNames[k]
}

// Supported reports whether Expand opens containers of this kind.
func (k Kind) Supported() bool { return k > KindNone && k < Kind7z }

// NotOpened says that containers of this kind are not looked into.
func (k Kind) NotOpened() string { return k.String() + " archives are not opened" }

// tarBlock is the size of a tar header.
const tarBlock = 512

// zipNames are the endings of names by which a file that does not begin like a
// zip archive is still taken for one: such as begin with a script or a program,
// and such as are damaged.
var zipNames = []string{".zip", ".jar", ".war", ".ear", ".whl", ".apk", ".aar", ".nupkg", ".vsix", ".xpi", ".ipa", ".pyz", ".pex", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub"}

// Detect says what kind of container a file is, from its first bytes (512 suffice)
// and, where those do not tell, its name. It costs a few nanoseconds for a file
// that is none.
func Detect(name string, head []byte) Kind {
	if len(head) < 2 {
		return KindNone
	}
	if head[0]&0xf0 == 0x50 && hasPrefix(head[1:], "\x2a\x4d\x18") { // a frame to skip, of zstd or lz4
		if suffix(name, ".lz4") {
			return KindLz4
		}
		return KindZstd
	}
	switch head[0] {
	case 'P':
		if hasPrefix(head, "PK\x03\x04") || hasPrefix(head, "PK\x05\x06") || hasPrefix(head, "PK\x07\x08PK\x03\x04") {
			return KindZip
		}
	case 0x1f:
		switch {
		case hasPrefix(head, "\x1f\x8b\x08"):
			return KindGzip
		case hasPrefix(head, "\x1f\x9d"):
			return KindCompress
		}
	case 'B':
		// The magic of the first block, or of the end in an empty file: the digits
		// of pi and of its root.
		if hasPrefix(head, "BZh") && len(head) >= 10 && (string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17rE8P\x90") {
			return KindBzip2
		}
	case 0xfd:
		if hasPrefix(head, "\xfd7zXZ\x00") {
			return KindXz
		}
	case 0x28:
		if hasPrefix(head, "\x28\xb5\x2f\xfd") {
			return KindZstd
		}
	case 0x04:
		if hasPrefix(head, "\x04\x22\x4d\x18") {
			return KindLz4
		}
	case 0x02:
		if hasPrefix(head, "\x02\x21\x4c\x18") {
			return KindLz4 // the old format, as of kernel images
		}
	case 0x5d:
		if lzmaHeader(head) {
			return KindLzma
		}
	case 'R':
		if hasPrefix(head, "Rar!\x1a\x07") {
			return KindRar
		}
	case '!':
		if hasPrefix(head, "!<arch>\n") {
			return KindAr
		}
	case '0':
		if cpioHeader(head) {
			return KindCpio
		}
	case 0xed:
		if hasPrefix(head, "\xed\xab\xee\xdb") {
			return KindRPM
		}
	case '7':
		if hasPrefix(head, "7z\xbc\xaf\x27\x1c") {
			return Kind7z
		}
	case 'M':
		if hasPrefix(head, "MSCF\x00\x00\x00\x00") {
			return KindCab
		}
	case 'L':
		if hasPrefix(head, "LZIP\x01") {
			return KindLzip
		}
	case 'x':
		if hasPrefix(head, "xar!\x00") {
			return KindXar
		}
	}
	if len(head) >= tarBlock {
		if tarHeader(head) {
			return KindTar
		}
		if head[0] == 0 && suffix(name, ".tar") && isZero(head[:tarBlock]) {
			return KindTar // an empty archive
		}
	}
	return detectZipByName(name, head)
}

func detectZipByName(name string, head []byte) Kind {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || len(name)-dot > 6 {
		return KindNone
	}
	for _, s := range zipNames {
		if len(name)-dot != len(s) || !strings.EqualFold(name[dot:], s) {
			continue
		}
		// A text of that name is a text, a pointer of git LFS for one, unless it is
		// the script that an archive stands behind.
		if hasPrefix(head, "#!") || Text(head) == Binary {
			return KindZip
		}
	}
	return KindNone
}

// suffix is strings.HasSuffix without regard to case; s is lower case.
func suffix(name, s string) bool {
	return len(name) >= len(s) && strings.EqualFold(name[len(name)-len(s):], s)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Limits bound what one container may cost, with all that is inside of it. Zero
// means the default.
type Limits struct {
	// Depth is how many containers may lie in one another; the outermost is the
	// first. A compressed tar counts once.
	Depth int
	// Entries bounds the members of all levels together.
	Entries int
	// Bytes bounds what decompression gives, all levels together.
	Bytes int64
	// EntryBytes bounds what is read of one member.
	EntryBytes int64
	// Ratio bounds what decompression gives beyond ratioFree bytes, in multiples
	// of the compressed bytes: of each stream, and of the whole container.
	Ratio int64
	// Memory bounds what is held for inner containers that cannot be read as a
	// stream, and for the windows of decompressors.
	Memory int64
}

// The defaults. A container of source code has a few thousand members and a ratio
// under 10; logs and dumps reach 100; deflate ends at 1,032. The 64 MiB hold the
// window of xz -9 and of zstd -19.
const (
	defaultDepth      = 6
	defaultEntries    = 100_000
	defaultBytes      = 4 << 30
	defaultEntryBytes = 1 << 30
	defaultRatio      = 200
	defaultMemory     = 64 << 20

	// ratioFree is not counted by the ratio: a small file of zeros is no attack.
	ratioFree = 8 << 20
)

func orDefault[T int | int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Member is one file inside a container.
type Member struct {
	// Path is the container's path, "!/" and the member's name made safe: without
	// "..", leading slash, control characters. It is unique in the container.
	Path string
	// Size in bytes as the container claims it, -1 where it does not say.
	Size       int64
	Executable bool
	// Head is the first bytes, TextHead of them if there are so many.
	Head []byte
	// Reader reads from the start. An error that is not io.EOF means that the
	// member cannot be read whole; MemberReason classes it.
	Reader io.Reader
}

// Budget counts what the containers cost against their limits, and keeps buffers
// for the next container. It is for one goroutine; each call of Expand spends it
// anew.
type Budget struct {
	limits  Limits
	entries int
	made    int64 // bytes given by decompression
	ceiling int64 // for made
	memory  int64 // held
	setup   int64 // memory taken to open decompressors that cannot be reused
	notes   []archiveNote
	scratch scratch
}

// NewBudget returns a budget for containers.
func NewBudget(l Limits) *Budget {
	orDefault(&l.Depth, defaultDepth)
	orDefault(&l.Entries, defaultEntries)
	orDefault(&l.Bytes, defaultBytes)
	orDefault(&l.EntryBytes, defaultEntryBytes)
	orDefault(&l.Ratio, defaultRatio)
	orDefault(&l.Memory, defaultMemory)
	return &Budget{limits: l}
}

func (b *Budget) begin(size int64) {
	b.entries, b.made, b.memory, b.setup = 0, 0, 0, 0
	b.notes = b.notes[:0]
	b.ceiling = b.limits.Bytes
	if size < (b.limits.Bytes-ratioFree)/b.limits.Ratio {
		b.ceiling = ratioFree + size*b.limits.Ratio
	}
}

// hold takes n bytes of memory, or fails.
func (b *Budget) hold(n int64) error {
	if n > b.limits.Memory-b.memory {
		return &capError{detail: fmt.Sprintf("needs more than the %s of memory that a container may hold", bytesText(b.limits.Memory))}
	}
	b.memory += n
	return nil
}

func (b *Budget) release(n int64) { b.memory -= n }

// count takes one entry. It fails too where a stream before it has used up what
// decompression may give.
func (b *Budget) count() error {
	if b.made > b.ceiling {
		return b.overflow()
	}
	if b.entries >= b.limits.Entries {
		return &capError{all: true, detail: fmt.Sprintf("more than %d members", b.limits.Entries)}
	}
	b.entries++
	return nil
}

// overflow is the error of a container that expands too far.
func (b *Budget) overflow() error {
	if b.ceiling < b.limits.Bytes {
		return &capError{all: true, detail: fmt.Sprintf("expands to more than %d times its size", b.limits.Ratio)}
	}
	return &capError{all: true, detail: fmt.Sprintf("expands to more than %s", bytesText(b.limits.Bytes))}
}

// archiveNote is a fact about some members of one container.
type archiveNote struct {
	code, container string
	count           int
	first           string
}

// maxNotes bounds the facts that are kept of one outermost container.
const maxNotes = 50

func (b *Budget) note(code, container, example string) {
	for i := range b.notes {
		if n := &b.notes[i]; n.code == code && n.container == container {
			n.count++
			return
		}
	}
	if len(b.notes) < maxNotes {
		b.notes = append(b.notes, archiveNote{code, container, 1, example})
	}
}

// Codes of the notes about containers.
const (
	noteUnsafeName = "archive-unsafe-name"
	noteDuplicate  = "archive-duplicate"
)

// Notes returns what was odd about the container last expanded, though all was
// read: names that lead out of it, names that occur twice.
func (b *Budget) Notes() []penstock.Note {
	var notes []penstock.Note
	for _, n := range b.notes {
		message := ""
		switch n.code {
		case noteUnsafeName:
			message = fmt.Sprintf("%d members have a name that is unsafe to unpack, the first %s; they were checked under an escaped name", n.count, n.first)
		case noteDuplicate:
			message = fmt.Sprintf("%d members have the name of another one, the first %s; each was checked, programs differ in which one they unpack", n.count, n.first)
		}
		notes = append(notes, penstock.Note{Code: n.code, Place: n.container, Message: message})
	}
	return notes
}

// capError says that a limit was reached. With all, what follows in every
// enclosing container is unread too.
type capError struct {
	all    bool
	detail string
}

func (e *capError) Error() string { return e.detail }

// abort carries an error of the visitor or the context through the containers.
type abort struct{ err error }

func (a *abort) Error() string { return a.err.Error() }
func (a *abort) Unwrap() error { return a.err }

// MemberReason classes an error of Member.Reader.
func MemberReason(err error) penstock.Reason {
	var c *capError
	switch {
	case errors.As(err, &c):
		return penstock.ReasonArchiveCap
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return penstock.ReasonInterrupt
	}
	return penstock.ReasonArchive
}

// Expand reads a container of size bytes and calls visit for each file inside, in
// the order in which they stand; containers inside containers are taken apart, not
// visited. The member and its parts are valid only during the call. An error of
// visit ends the expansion and is returned.
//
// Visit accounts for each member, also where its Reader fails. Gap is called for
// all else: links and devices (excluded), containers or parts of them that are
// damaged, encrypted or over a limit (unread), of a kind that is not opened (excluded). A gap whose path is
// that of a container means that what follows in it was not read, though what came
// before was.
//
// Nothing is written anywhere. Memory is bounded by Limits.Memory and about 1 MB
// for each level, plus 16 bytes for each member of a zip archive.
func Expand(ctx context.Context, path string, kind Kind, r io.ReaderAt, size int64, budget *Budget, visit func(Member) error, gap func(penstock.Coverage)) error {
	budget.begin(size)
	e := &expander{Budget: budget, visit: visit, gap: gap}
	err := e.expand(ctx, path, kind, input{at: r, size: size}, 1)
	var a *abort
	if errors.As(err, &a) {
		return a.err
	}
	return nil // limits are in the gaps
}

// expander is one call of Expand.
type expander struct {
	*Budget
	visit    func(Member) error
	gap      func(penstock.Coverage)
	visiting bool
}

// input is the bytes of a container: at any place if at is set, else as a stream.
type input struct {
	r    io.Reader
	at   io.ReaderAt
	size int64 // -1 if not known
}

// stream reads the input from its start.
func (in input) stream() io.Reader {
	if in.r != nil {
		return in.r
	}
	return io.NewSectionReader(in.at, 0, in.size)
}

// container is one container at work.
type container struct {
	path  string
	depth int
	// names counts the members by a hash of their names.
	names map[uint64]int32
}

func (e *expander) unread(path string, size int64, reason penstock.Reason, detail string) {
	e.gap(penstock.Coverage{Path: path, Size: max(size, 0), State: penstock.Unread, Reason: reason, Detail: detail})
}

// expand takes one container apart. It returns an error only if all work is to
// end; what is wrong with this container alone is a gap.
func (e *expander) expand(ctx context.Context, path string, kind Kind, in input, depth int) (err error) {
	if !kind.Supported() {
		// Like a picture: a file of a kind that is not looked into.
		e.gap(penstock.Coverage{Path: path, Size: max(in.size, 0), State: penstock.Excluded, Reason: penstock.ReasonBinary, Detail: kind.NotOpened()})
		return nil
	}
	if depth > e.limits.Depth {
		e.unread(path, in.size, penstock.ReasonArchiveCap, fmt.Sprintf("containers are nested more than %d deep", e.limits.Depth))
		return nil
	}
	defer func() {
		if e.visiting {
			return // not ours to catch
		}
		if r := recover(); r != nil {
			e.unread(path, in.size, penstock.ReasonArchive, fmt.Sprintf("the %s reader failed: %v", kind, r))
			err = nil
		}
	}()
	err = e.open(ctx, &container{path: path, depth: depth}, kind, in)
	if err == nil {
		return nil
	}
	var a *abort
	if errors.As(err, &a) {
		return err
	}
	var limit *capError
	if !errors.As(err, &limit) {
		e.unread(path, in.size, penstock.ReasonArchive, errorText(err))
		return nil
	}
	e.unread(path, in.size, penstock.ReasonArchiveCap, limit.detail+"; the rest was not read")
	if limit.all {
		return err
	}
	return nil
}

func errorText(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "cut short"
	}
	return err.Error()
}

func (e *expander) open(ctx context.Context, c *container, kind Kind, in input) error {
	switch kind {
	case KindZip:
		return e.zip(ctx, c, in)
	case KindTar:
		return e.tar(ctx, c, in)
	case KindAr:
		return e.ar(ctx, c, in)
	case KindCpio:
		return e.cpio(ctx, c, in.stream())
	case KindRPM:
		return e.rpm(ctx, c, in)
	case KindGzip, KindBzip2, KindXz, KindLzma, KindZstd, KindLz4:
		return e.compressed(ctx, c, kind, in.stream(), innerName(c.path, kind))
	}
	return errors.New(kind.NotOpened())
}

// member visits one file of a container, or takes it apart if it is a container
// itself. The size is -1 where the container does not say.
func (e *expander) member(ctx context.Context, c *container, name string, size int64, executable bool, in input) error {
	if err := ctx.Err(); err != nil {
		return &abort{err}
	}
	if err := e.count(); err != nil {
		return err
	}
	path := e.memberPath(c, name)
	p, peeked := in.r.(*peekReader)
	if !peeked {
		p = e.peek(in.stream())
		defer e.unpeek(p)
	}
	if kind := Detect(path, p.head); kind != KindNone && p.failed() == nil {
		p.left = 1<<63 - 1
		return e.expand(ctx, path, kind, input{r: p, at: in.at, size: size}, c.depth+1)
	}
	p.left = e.limits.EntryBytes
	p.limit = p.left
	if size < 0 && p.err == io.EOF {
		size = int64(len(p.head))
	}
	e.visiting = true
	err := e.visit(Member{Path: path, Size: size, Executable: executable, Head: p.head, Reader: p})
	e.visiting = false
	if err != nil {
		return &abort{err}
	}
	return nil
}

// skip accounts for an entry that is no file.
func (e *expander) skip(c *container, name string, reason penstock.Reason, detail string) error {
	if err := e.count(); err != nil {
		return err
	}
	e.gap(penstock.Coverage{Path: e.memberPath(c, name), State: penstock.Excluded, Reason: reason, Detail: detail})
	return nil
}

// fail accounts for an entry that cannot be read.
func (e *expander) fail(c *container, name string, size int64, reason penstock.Reason, detail string) error {
	if err := e.count(); err != nil {
		return err
	}
	e.unread(e.memberPath(c, name), size, reason, detail)
	return nil
}

// peekReader reads a stream of which the head was read already.
type peekReader struct {
	r     io.Reader
	buf   []byte
	head  []byte // what was read ahead, all of it
	taken int    // of head
	err   error  // met while reading ahead
	left  int64
	limit int64
}

func (e *expander) peek(r io.Reader) *peekReader {
	p := &peekReader{r: r, buf: e.scratch.head(), left: 1<<63 - 1}
	n := 0
	for n < len(p.buf) && p.err == nil {
		var k int
		k, p.err = r.Read(p.buf[n:])
		n += k
	}
	p.head = p.buf[:n]
	return p
}

func (e *expander) unpeek(p *peekReader) { e.scratch.putHead(p.buf) }

// failed returns the error of a stream that has no end but an error in its head.
func (p *peekReader) failed() error {
	if p.err == io.EOF {
		return nil
	}
	return p.err
}

func (p *peekReader) Read(b []byte) (int, error) {
	if p.left == 0 && len(b) > 0 {
		// One more byte tells the end from a member that is too long.
		var one [1]byte
		n, err := p.read(one[:])
		if n == 0 {
			return 0, err
		}
		return 0, &capError{detail: fmt.Sprintf("larger than %s", bytesText(p.limit))}
	}
	if int64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.read(b)
	p.left -= int64(n)
	return n, err
}

func (p *peekReader) read(b []byte) (int, error) {
	if p.taken < len(p.head) {
		n := copy(b, p.head[p.taken:])
		p.taken += n
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.r.Read(b)
}

// meter passes on what a decompressor gives, and counts it.
type meter struct {
	r   io.Reader
	b   *Budget
	in  *int64 // compressed bytes that the decompressor took
	out int64
	err error
}

func (m *meter) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.r.Read(p)
	m.out += int64(n)
	m.b.made += int64(n)
	switch {
	case m.b.made > m.b.ceiling:
		m.err = m.b.overflow()
	case m.out > ratioFree && (m.out-ratioFree)/m.b.limits.Ratio > *m.in:
		m.err = &capError{detail: fmt.Sprintf("expands to more than %d times its size", m.b.limits.Ratio)}
	}
	if m.err != nil {
		return n, m.err
	}
	return n, err
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// body reads the n bytes of a member, all of which should be there.
type body struct {
	r io.Reader
	n int64 // left
}

func (b *body) Read(p []byte) (int, error) {
	if b.n <= 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.n)])
	if b.n -= int64(n); err == io.EOF && b.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + " GiB"
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// memberPath makes the path of a member: safe and unique.
func (e *expander) memberPath(c *container, name string) string {
	clean, why := cleanName(name)
	if why != "" {
		e.note(noteUnsafeName, c.path, fmt.Sprintf("%.200q (%s)", name, why))
	}
	h := fnv.New64a()
	io.WriteString(h, clean)
	if c.names == nil {
		c.names = make(map[uint64]int32)
	}
	key := h.Sum64()
	c.names[key]++
	p := c.path + penstock.MemberSeparator + clean
	if n := c.names[key]; n > 1 {
		e.note(noteDuplicate, c.path, strconv.Quote(clean))
		p += "#" + strconv.Itoa(int(n))
	}
	return p
}

// maxMemberName is the longest name of a member that is kept whole, in bytes.
const maxMemberName = 1024

// cleanName makes a member's name a relative path without surprises, and says what
// was unsafe about it. Bytes that cannot stand are written as in an address, %2E;
// "./" and doubled slashes go without a word.
func cleanName(raw string) (name, why string) {
	if plainName(raw) {
		return raw, ""
	}
	if strings.IndexByte(raw, '\\') >= 0 {
		raw, why = strings.ReplaceAll(raw, `\`, "/"), "backslash"
	}
	if len(raw) >= 2 && raw[1] == ':' && (raw[0]|0x20 >= 'a' && raw[0]|0x20 <= 'z') {
		raw, why = raw[:1]+"%3A"+raw[2:], "names a drive"
	}
	if strings.HasPrefix(raw, "/") {
		why = "absolute"
	}
	var b strings.Builder
	for seg := range strings.SplitSeq(raw, "/") {
		switch seg {
		case "", ".":
			continue
		case "..":
			seg, why = "%2E%2E", "leads out of the container"
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		if escapeSegment(&b, seg) {
			why = "control characters"
		}
	}
	name = b.String()
	if name == "" {
		return "(unnamed)", "empty"
	}
	if len(name) > maxMemberName {
		h := fnv.New64a()
		io.WriteString(h, name)
		const keep = 480
		name = strings.ToValidUTF8(name[:keep], "") + fmt.Sprintf("~%016x~", h.Sum64()) + strings.ToValidUTF8(name[len(name)-keep:], "")
		why = "too long"
	}
	return name, why
}

// plainName reports whether a name needs no cleaning.
func plainName(s string) bool {
	if s == "" || len(s) > maxMemberName || len(s) > 1 && s[1] == ':' {
		return false
	}
	ascii := true
	start := 0 // of a segment
	for i := 0; ; i++ {
		if i == len(s) || s[i] == '/' {
			switch s[start:i] {
			case "", ".", "..":
				return false
			}
			if s[i-1] == '!' {
				return false
			}
			if i == len(s) {
				return ascii || utf8.ValidString(s)
			}
			start = i + 1
			continue
		}
		if c := s[i]; c < 0x20 || c == 0x7f || c == '\\' {
			return false
		} else if c >= utf8.RuneSelf {
			ascii = false
		}
	}
}

// escapeSegment writes one segment and reports whether it held control characters.
// A "!" at the end would look like the border of a container.
func escapeSegment(b *strings.Builder, seg string) (control bool) {
	for i := 0; i < len(seg); {
		c := seg[i]
		r, n := utf8.DecodeRuneInString(seg[i:])
		switch {
		case c < 0x20 || c == 0x7f:
			control = true
			fallthrough
		case r == utf8.RuneError && n == 1, c == '!' && i == len(seg)-1:
			fmt.Fprintf(b, "%%%02X", c)
		default:
			b.WriteString(seg[i : i+n])
		}
		i += n
	}
	return control
}

// innerName is the name of the one file in a compressed file.
func innerName(outer string, kind Kind) string {
	name := path.Base(outer)
	for _, s := range [...]struct {
		kind     Kind
		ext, new string
	}{
		{KindGzip, ".gz", ""}, {KindGzip, ".tgz", ".tar"}, {KindGzip, ".svgz", ".svg"}, {KindGzip, ".gzip", ""},
		{KindBzip2, ".bz2", ""}, {KindBzip2, ".tbz2", ".tar"}, {KindBzip2, ".tbz", ".tar"},
		{KindXz, ".xz", ""}, {KindXz, ".txz", ".tar"},
		{KindLzma, ".lzma", ""}, {KindLzma, ".tlz", ".tar"},
		{KindZstd, ".zst", ""}, {KindZstd, ".tzst", ".tar"}, {KindZstd, ".zstd", ""},
		{KindLz4, ".lz4", ""},
	} {
		if s.kind == kind && suffix(name, s.ext) && len(name) > len(s.ext) {
			return name[:len(name)-len(s.ext)] + s.new
		}
	}
	return name
}
