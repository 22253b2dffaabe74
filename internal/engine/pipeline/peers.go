package pipeline

const peersFile = "pipeline/peers.yaml"
