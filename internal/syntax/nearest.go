package syntax

import "strings"

// Nearest returns the candidate that a person who typed name most likely meant,
// or "" if none is near: more than a third of the letters (at least two) would
// have to change. Case, "-" and "_" do not count. The first of equally near
// candidates wins. The cost is len(name) x the length of each candidate; a name
// of more than 100 bytes is near nothing.
func Nearest(name string, candidates []string) string {
	fold := strings.NewReplacer("_", "-", " ", "-").Replace
	name = fold(strings.ToLower(name))
	if len(name) == 0 || len(name) > 100 {
		return ""
	}
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(name, fold(strings.ToLower(c))); d < least && d < len(name) {
			best, least = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b string) int {
	if len(b) > 200 {
		return len(b)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
