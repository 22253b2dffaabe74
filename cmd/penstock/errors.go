package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock"
	"penstock/internal/syntax"
)

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var e *penstock.Error
	switch {
	case err == nil:
		return penstock.ExitPass
	case errors.Is(err, context.Canceled):
		return penstock.ExitInterrupted
	case errors.As(err, &e) && e.Code != 0:
		return e.Code
	default:
		return penstock.ExitError
	}
}

// verdictCode is the exit code of a run that was done. A block is never softened
// by what else went wrong.
func verdictCode(v penstock.Verdict, nothing, exitZero bool) int {
	switch {
	case exitZero:
		return penstock.ExitPass
	case v.Blocking > 0:
		return penstock.ExitBlocked
	case v.Pass:
		return penstock.ExitPass
	case v.Incomplete:
		return penstock.ExitError
	case nothing:
		return penstock.ExitNothing
	default:
		return penstock.ExitBlocked
	}
}

// exit carries an exit code without a message, for runs whose report has said
// everything.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usage is an error of how the program was called.
func usage(hint, format string, args ...any) error {
	return &penstock.Error{Code: penstock.ExitUsage, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// printError writes an error and what to do about it, one line each. Joined
// errors are printed one by one.
func printError(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			printError(w, e)
		}
		return
	}
	fmt.Fprintf(w, "error: %s\n", plain(err.Error()))
	var e *penstock.Error
	if errors.As(err, &e) && e.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", plain(e.Hint))
	}
}

// plain makes text from a tree, a file name or a parser fit for a terminal and a
// log: every character that is not to be seen is written as an escape, so that
// it is one line and cannot steer anything.
func plain(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// nearHint names the nearest of the right names, or all of them.
func nearHint(name string, names []string) string {
	if near := syntax.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(names) > 20 {
		return ""
	}
	return "there are: " + strings.Join(names, ", ")
}
