// Package rules holds the rules that are data.
package rules

import "embed"

// Secrets are the built-in rules of the secrets engine: secrets/*.toml.
//
//go:embed secrets
var Secrets embed.FS
