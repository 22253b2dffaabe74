package report

import "strings"

// ColorMode decides whether to colour output. flag is "always", "never" or
// "auto" (also when empty); env looks up an environment variable.
//
// With auto, NO_COLOR set to anything forbids; then FORCE_COLOR and
// CLICOLOR_FORCE, unless "0" or "false", demand; else colour needs a terminal
// that is not TERM=dumb, and CLICOLOR=0 declines. CI systems that want colour
// without a terminal say so by FORCE_COLOR: the mere presence of CI changes
// nothing, since output there often goes to a file.
func ColorMode(flag string, env func(string) string, isTerminal bool) bool {
	switch flag {
	case "always":
		return true
	case "never":
		return false
	}
	if env("NO_COLOR") != "" {
		return false
	}
	if isForced(env("FORCE_COLOR")) || isForced(env("CLICOLOR_FORCE")) {
		return true
	}
	if env("FORCE_COLOR") != "" {
		return false
	}
	return isTerminal && env("TERM") != "dumb" && env("CLICOLOR") != "0"
}

func isForced(v string) bool { return v != "" && v != "0" && !strings.EqualFold(v, "false") }

// style is a way to draw text on a terminal: the parameters of an SGR sequence
// (ECMA-48, section 8.3.117), of the 16 colours that every theme defines.
type style string

const (
	plain    style = ""
	bold     style = "1"
	faint    style = "2"
	red      style = "1;31"
	yellow   style = "1;33"
	cyan     style = "1;36"
	green    style = "1;32"
	blue     style = "1;34"
	reversed style = "7"
)

// paint draws s in a style if on. s must have been made visible before.
func paint(on bool, st style, s string) string {
	if !on || st == plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}
