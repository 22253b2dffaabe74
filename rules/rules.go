// Package rules holds the rules that are data: one folder for each engine, built
// into the program.
package rules

import "embed"

// Secrets is the rules of the secrets engine, secrets/*.toml, in the format of
// gitleaks with keys of our own; internal/engine/secrets reads them.
//
//go:embed secrets/*.toml
var Secrets embed.FS

// Pipeline is the rules of the pipeline engine, pipeline/*.yaml, with their
// examples, the table of other tools' rules, pipeline/peers.yaml, and what is known
// about well-known actions of GitHub, pipeline/actions.yaml. internal/engine/pipeline
// reads them and knows the part of YAML that they keep to.
//
//go:embed pipeline/*.yaml
var Pipeline embed.FS
