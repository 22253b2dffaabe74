package secrets

import "testing"

// BenchmarkLoad opens the engine with the built-in rules.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := load(nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
