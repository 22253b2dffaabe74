package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"penstock"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "devel"

// build is what this binary is made of. It holds nothing of the machine that
// made it.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Cgo      bool   `json:"cgo"`
	Schema   int    `json:"schema"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Schema: penstock.Schema}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "CGO_ENABLED":
			b.Cgo = s.Value == "1"
		}
	}
	return b
}

// String names the revision and whether cgo is in, for the header of a run.
func (b build) String() string {
	s := b.Revision
	if len(s) > 12 {
		s = s[:12]
	}
	if b.Modified {
		s += "+modified"
	}
	if s != "" {
		s += " "
	}
	if b.Cgo {
		return s + "cgo"
	}
	return s + "no-cgo"
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and how it was built",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if asJSON {
				return writeJSON(a.out, b)
			}
			_, err := fmt.Fprintf(a.out, "penstock %s (%s, %s, %s)\n", b.Version, b, b.Go, b.Platform)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
