package report

import "testing"

func TestTextGolden(t *testing.T) {
	golden(t, "all.txt", render(t, "text", Options{}, stream()))
}
