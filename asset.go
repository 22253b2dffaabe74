package penstock

// Asset is a thing that the attack graph knows: a repository, workflow, runner,
// token, role, bucket. Key is unique within Kind.
type Asset struct {
	Kind     string            `json:"kind"`
	Key      string            `json:"key"`
	Name     string            `json:"name,omitempty"`
	Facts    map[string]string `json:"facts,omitempty"`
	Location Location          `json:"location,omitzero"`
}

// Edge is a step that an attacker can take from one asset to another, with the
// evidence for it.
type Edge struct {
	Kind     string            `json:"kind"`
	From     string            `json:"from"` // kind + ":" + key of an asset
	To       string            `json:"to"`
	Facts    map[string]string `json:"facts,omitempty"`
	Location Location          `json:"location,omitzero"`
}

// Component is one entry of the inventory, the stuff of an SBOM.
type Component struct {
	// PURL is the package URL (purl-spec), with version.
	PURL     string   `json:"purl"`
	Direct   bool     `json:"direct,omitempty"`
	Location Location `json:"location,omitzero"`
}

// Fact is what an engine leaves for the end of the run, its own Finish or that
// of an engine that names it in After. Facts are cached with the file they came
// from, so Finish sees the same facts whether the file was read or not.
type Fact struct {
	Engine string `json:"engine"`
	Kind   string `json:"kind"`
	Path   string `json:"path"`
	Data   []byte `json:"data"`
}
