package penstock

// Verdict is the gate's answer on one run.
type Verdict struct {
	Pass bool `json:"pass"`
	// Incomplete means that something that should have been read was not.
	Incomplete bool `json:"incomplete"`
	// Reasons say in plain sentences why, the weightiest first.
	Reasons []string `json:"reasons"`
	// Policy says where the policy came from: a path, or "default".
	Policy string `json:"policy"`
	// Blocking, Open and Suppressed count findings.
	Blocking   int `json:"blocking"`
	Open       int `json:"open"`
	Suppressed int `json:"suppressed"`
}
