package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"penstock"
)

const (
	rpmLead      = 96
	rpmMagic     = "\x8e\xad\xe8\x01"
	rpmEntry     = 16
	rpmTagsMax   = 1 << 16
	rpmHeaderMax = 256 << 20
	rpmScriptMax = 1 << 20
)

// rpmScripts are the tags of a package's scripts, which run as root at
// installation, and the names under which they are visited. The numbers are in
// rpmtag.h of RPM.
var rpmScripts = map[uint32]string{
	1023: "(preinstall)", 1024: "(postinstall)", 1025: "(preuninstall)", 1026: "(postuninstall)",
	1079: "(verify)", 1151: "(pretrans)", 1152: "(posttrans)",
}

// rpm reads a package: a lead, the signatures, the header with its scripts, and
// the files as a compressed cpio archive. Format: RPM V4, docs/manual/format_v4.md
// of RPM.
func (e *expander) rpm(ctx context.Context, c *container, in input) error {
	var r io.Reader = in.r
	if in.at != nil {
		b := e.scratch.head()
		defer e.scratch.putHead(b)
		r = &seekReader{at: in.at, size: in.size, buf: b}
	}
	if err := discard(r, rpmLead); err != nil {
		return err
	}
	size, err := e.rpmHeader(ctx, c, r, false)
	if err != nil {
		return fmt.Errorf("signatures: %w", err)
	}
	if err := discard(r, -size&7); err != nil {
		return err
	}
	if _, err := e.rpmHeader(ctx, c, r, true); err != nil {
		return err
	}
	p := e.peek(r)
	defer e.unpeek(p)
	switch kind := Detect("", p.head); kind {
	case KindGzip, KindBzip2, KindXz, KindLzma, KindZstd:
		return e.compressed(ctx, c, kind, p, "(payload)")
	case KindCpio:
		return e.cpio(ctx, c, p)
	default:
		if len(p.head) == 0 && p.err == io.EOF {
			return nil // a package without files
		}
	}
	return errors.New("the payload is in no known format")
}

// rpmHeader reads one header structure and returns the size of its data. Scripts
// are visited if asked for.
func (e *expander) rpmHeader(ctx context.Context, c *container, r io.Reader, scripts bool) (int64, error) {
	var h [16]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	count, size := binary.BigEndian.Uint32(h[8:]), int64(binary.BigEndian.Uint32(h[12:]))
	if string(h[:4]) != rpmMagic || count > rpmTagsMax || size > rpmHeaderMax {
		return 0, errors.New("the header is damaged")
	}
	type script struct {
		at   int64
		name string
	}
	var found []script
	for range count {
		var t [rpmEntry]byte
		if _, err := io.ReadFull(r, t[:]); err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		const stringType = 6
		name := rpmScripts[binary.BigEndian.Uint32(t[:])]
		if at := int64(binary.BigEndian.Uint32(t[8:])); scripts && name != "" && at < size && len(found) < 2*len(rpmScripts) && binary.BigEndian.Uint32(t[4:]) == stringType {
			found = append(found, script{at, name})
		}
	}
	data := size
	if len(found) > 0 {
		if err := e.hold(min(size, rpmScriptMax)); err != nil {
			return 0, err
		}
		defer e.release(min(size, rpmScriptMax))
		// The scripts are among the first data; what lies behind is skipped.
		b, err := appendAll(nil, io.LimitReader(r, min(size, rpmScriptMax)))
		if err != nil {
			return 0, err
		}
		data -= int64(len(b))
		for _, s := range found {
			if s.at >= int64(len(b)) {
				if err := e.fail(c, s.name, 0, penstock.ReasonArchiveCap, "a script lies behind the part of the header that is read"); err != nil {
					return 0, err
				}
				continue
			}
			text, _, _ := strings.Cut(string(b[s.at:]), "\x00")
			if err := e.member(ctx, c, s.name, int64(len(text)), true, input{r: strings.NewReader(text), size: int64(len(text))}); err != nil {
				return 0, err
			}
		}
	}
	return size, discard(r, data)
}
