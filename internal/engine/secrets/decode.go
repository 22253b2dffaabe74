package secrets

// maxDepth bounds how many layers of encoding are ever taken off.
const maxDepth = 8

// decodeScratch is what decoding needs, reused for every file.
type decodeScratch struct{}

func (d *detector) decode(t *text, sc *scratch, depth int) {}
