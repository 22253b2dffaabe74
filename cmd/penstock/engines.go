package main

import (
	"penstock"
	"penstock/internal/engine/pipeline"
	"penstock/internal/engine/secrets"
)

// engines is the one list of engines.
func engines() []penstock.Engine {
	return []penstock.Engine{
		pipeline.Engine(),
		secrets.Engine(),
	}
}

func engineNames(engines []penstock.Engine) []string {
	names := make([]string, len(engines))
	for i, e := range engines {
		names[i] = e.Name
	}
	return names
}
