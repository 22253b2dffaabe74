package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
)

// maxMarks is how many combining marks in a row are shown as they are. The
// longest legitimate stacks (Tibetan, Hebrew with cantillation) have about four.
const maxMarks = 4

// visible returns s as every report shows it: characters that a reader cannot
// see, or that change how what follows is shown, are written as escapes (\x1b,
// \u202e). That is controls, format characters such as bidirectional overrides
// and zero-width joiners, tags, variation selectors, fillers, line separators
// and code points that have no meaning yet. So is the second # of "##[" and
// "##vso[", which a CI system obeys wherever it stands in a log. Nothing else
// changes, and s is one line of valid UTF-8 afterwards.
func visible(s string) string {
	marks := 0
	for i, r := range s {
		if hidden(r, &marks) || r == utf8.RuneError {
			s = escapeFrom(s, i)
			break
		}
	}
	if strings.Contains(s, "##") {
		s = inlineCommand.ReplaceAllString(s, `#\x23$1`)
	}
	return s
}

// inlineCommand is what GitHub, Azure Pipelines and TeamCity look for.
var inlineCommand = regexp.MustCompile(`##([A-Za-z]*\[)`)

// escapeFrom escapes s, whose first i bytes need nothing.
func escapeFrom(s string, i int) string {
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

// visibleSource is visible for a line of source, in which tabs stay.
func visibleSource(s string) string {
	if !strings.Contains(s, "\t") {
		return visible(s)
	}
	parts := strings.Split(s, "\t")
	for i := range parts {
		parts[i] = visible(parts[i])
	}
	return strings.Join(parts, "\t")
}

// sourceLine is a snippet line in visible form, with dots where it is cut and
// without the CR of a CR LF.
func sourceLine(l penstock.SnippetLine) string {
	s := l.Text
	if !l.ClippedEnd {
		s = strings.TrimSuffix(s, "\r")
	}
	s = visibleSource(s)
	if l.ClippedStart {
		s = ellipsis + s
	}
	if l.ClippedEnd {
		s += ellipsis
	}
	return s
}
