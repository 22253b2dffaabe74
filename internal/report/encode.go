package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// encodeJSON is the escaper of every JSON format. The value read back is the
// value written, but its bytes are safe on a terminal and in the log of a CI
// system: controls of either kind, format characters and what else hidden knows
// are written as \uXXXX, and so is the second of two #, since GitHub, Azure and
// TeamCity obey ##[ and ##vso[ anywhere in a line. indent is the unit of
// indentation, empty for one line.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return safeJSON(b.Bytes()), nil
}

// safeJSON rewrites characters inside strings. Outside of strings JSON is plain
// ASCII without #, so all of b can be treated alike.
func safeJSON(b []byte) []byte {
	if !bytes.Contains(b, []byte("##")) && isPlain(b) {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	// Combining marks are harmless in data.
	for i := 0; i < len(b); {
		c := b[i]
		if c < 0x7f {
			if c == '#' && i > 0 && b[i-1] == '#' {
				out = append(out, `\u0023`...)
			} else {
				out = append(out, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		marks := 0
		switch {
		case !hidden(r, &marks):
			out = append(out, b[i:i+size]...)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		}
		i += size
	}
	return out
}

func isPlain(b []byte) bool {
	for _, c := range b {
		if c >= 0x7f {
			return false
		}
	}
	return true
}
