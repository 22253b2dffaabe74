package secrets

import "penstock"

func newRedactor() func(path string, b []byte) []penstock.Span { return nil }

func (p *pass) fix(path string, t *text, sc *scratch, first int) {}
