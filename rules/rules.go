// Package rules holds the rules that are data: one folder for each engine, built
// into the program.
package rules

import "embed"

// Secrets is the rules of the secrets engine, secrets/*.toml, in the format of
// gitleaks with keys of our own; internal/engine/secrets reads them.
//
//go:embed secrets/*.toml
var Secrets embed.FS

// Actions is what is known about well-known actions of GitHub, pipeline/actions.yaml;
// internal/engine/pipeline reads it and says in what format it is.
//
//go:embed pipeline/actions.yaml
var Actions string
