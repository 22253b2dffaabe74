// Package rules holds the rules that are data: one folder for each engine, built
// into the program.
package rules

import "embed"

// Secrets is the rules of the secrets engine, secrets/*.toml, in the format of
// gitleaks with keys of our own; internal/engine/secrets reads them.
//
//go:embed secrets/*.toml
var Secrets embed.FS

// Pipeline is the rules of the pipeline engine with their examples, and what is known
// about well-known actions of GitHub, pipeline/actions.yaml. internal/engine/pipeline
// reads them and knows the part of YAML that they keep to. pipeline/peers.yaml, other
// tools' rules, is for the documentation and stays out.
//
//go:embed pipeline/actions.yaml pipeline/definition.yaml pipeline/flow.yaml
//go:embed pipeline/guards.yaml pipeline/permissions.yaml pipeline/runtime.yaml pipeline/secrets.yaml
//go:embed pipeline/supply.yaml pipeline/triggers.yaml pipeline/update.yaml
var Pipeline embed.FS
