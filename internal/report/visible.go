package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks in a row are shown as they are. The
// longest legitimate stacks (Tibetan, Hebrew with cantillation) have about four.
const maxMarks = 4

// visible returns s as every report shows it: characters that a reader cannot
// see, or that change how what follows is shown, are written as escapes (\x1b,
// \u202e). That is controls, format characters such as bidirectional overrides
// and zero-width joiners, tags, variation selectors, fillers, line separators
// and code points that have no meaning yet. Nothing else changes, and s is one
// line afterwards.
func visible(s string) string {
	marks := 0
	for i, r := range s {
		if hidden(r, &marks) || r == utf8.RuneError {
			return visibleFrom(s, i)
		}
	}
	return s
}

func visibleFrom(s string, i int) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	for _, r := range s[:i] {
		hidden(r, &marks)
	}
	b.WriteString(s[:i])
	for _, r := range s[i:] {
		if hidden(r, &marks) {
			b.WriteString(escapeRune(r))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// escapeRune is the escape that stands for a hidden character.
func escapeRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// hidden reports whether r must be escaped. marks counts the combining marks
// before r and is kept by the caller between calls.
func hidden(r rune, marks *int) bool {
	if r < 0x7f {
		*marks = 0
		return r < 0x20
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		*marks++
		return *marks > maxMarks || isSelector(r)
	}
	*marks = 0
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0: // Hangul fillers: letters without a glyph
		return true
	case 0x2800: // blank Braille pattern
		return true
	}
	// Format characters, line and paragraph separators, surrogates, private use
	// and unassigned code points are not graphic.
	return !unicode.IsGraphic(r)
}

// isSelector reports variation selectors, which hide data after any character
// (as the GlassWorm packages of 2025 did). The two that choose between text and
// emoji are ordinary.
func isSelector(r rune) bool {
	return r >= 0xfe00 && r <= 0xfe0d || r >= 0xe0100 && r <= 0xe01ef || r == 0x034f || r >= 0x180b && r <= 0x180f
}

// oneLine is visible for running text: white space of any kind is one blank.
func oneLine(s string) string { return visible(strings.Join(strings.Fields(s), " ")) }
