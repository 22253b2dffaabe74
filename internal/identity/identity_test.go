package identity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
	"penstock/internal/identity"
)

// ob makes an observation from a short form: words of code, lines before and
// after as letters.
func ob(path string, line int, code, before, after string, change ...func(*identity.Observation)) identity.Observation {
	letters := func(s string) (list []uint32) {
		for _, c := range s {
			list = append(list, uint32(c))
		}
		return list
	}
	f := &penstock.Features{Path: path, Line: line, Class: "code/x", Before: letters(before), After: letters(after), Scope: 7}
	for _, w := range strings.Fields(code) {
		h := uint32(len(w))
		for _, c := range w {
			h = (h*31 + uint32(c)) & 0xffff
		}
		f.Code = f.Code*1000003 + penstock.Hash(h)
		f.Abstract++
		f.Tokens = append(f.Tokens, h)
	}
	slices.Sort(f.Tokens)
	o := identity.Observation{Features: f}
	for _, c := range change {
		c(&o)
	}
	return o
}

func scope(n uint32) func(*identity.Observation) {
	return func(o *identity.Observation) { o.Scope = n }
}

// threeOf are three codes that stand nowhere else.
func threeOf(path string, line int, around string) []identity.Observation {
	return []identity.Observation{ob(path, line, call+" 1", around, "e"+around), ob(path, line+9, call+" 2", around, "e"+around), ob(path, line+18, call+" 3", around, "e"+around)}
}

func outer(lines string) func(*identity.Observation) {
	return func(o *identity.Observation) {
		for _, c := range lines {
			o.Outer = append(o.Outer, uint32(c))
		}
	}
}

func secret(group string, value penstock.Hash) func(*identity.Observation) {
	return func(o *identity.Observation) { o.Class, o.Group, o.Value = "secrets", group, value }
}

const call = "db . query ( a + b )"

func TestMatch(t *testing.T) {
	strong := penstock.Hash(1 << 63)
	for _, tt := range []struct {
		name       string
		old, fresh []identity.Observation
		opts       identity.Options
		want       string
	}{
		{"nothing", nil, nil, identity.Options{}, ""},
		{"unchanged", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, identity.Options{}, "0=0 same exact"},
		{"lines above", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 12, call, "xabc", "efgh")}, identity.Options{}, "0=0 place exact"},
		{"other scope", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 12, call, "abcd", "efgh", scope(8))}, identity.Options{}, "0=0 place"},
		{"moved file", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("b/a", 9, call, "abcd", "efgh")}, identity.Options{}, "0=0 moved exact"},
		{"edited", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, "db . query ( a + c )", "abcd", "efgh")}, identity.Options{}, "0=0 edited"},
		{"edited and moved", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("b", 9, "db . query ( a + c )", "abcd", "efgh")}, identity.Options{}, "-0 +0"},
		{"edited and renamed as git knows", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("b", 9, "db . query ( a + c )", "abcd", "efgh")},
			identity.Options{Renames: map[string]string{"a": "b"}}, "0=0 edited"},
		{"moved without its surroundings", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("b", 9, call, "avwx", "e")}, identity.Options{}, "0=0 moved"},
		{"another class", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", func(o *identity.Observation) { o.Class = "code/y" })}, identity.Options{}, "-0 +0"},
		{"a class renamed", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", func(o *identity.Observation) { o.Class = "code/y" })},
			identity.Options{Classes: map[string]string{"code/x": "code/y"}}, "0=0 same exact"},
		{"another flow", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", func(o *identity.Observation) { o.Flow = 5 })}, identity.Options{}, "0=0 same"},
		{"partly hashed", []identity.Observation{ob("a", 9, call, "abcd", "efgh")}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", func(o *identity.Observation) { o.Partial = true })}, identity.Options{}, "0=0 same"},
		{"common code in a file that was there", []identity.Observation{ob("a", 9, call, "abcd", "efgh"), ob("b", 1, "x", "", "")}, []identity.Observation{ob("b", 9, call, "abxy", "efzz"), ob("a", 1, "x", "", "")}, identity.Options{}, "-0 -1 +0 +1"},
		// A changed secret is a new leak, however alike the place.
		{"secret changed", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("g1", strong|1))}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("g2", strong|2))}, identity.Options{}, "-0 +0"},
		{"secret moved into other code", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("g1", strong|1))}, []identity.Observation{ob("b", 2, "key = x", "", "", secret("g1", strong|1))}, identity.Options{}, "0=0 key"},
		{"guessable secret in a baseline, other code", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("", 77))}, []identity.Observation{ob("b", 2, "key = x", "", "", secret("g1", 77))}, identity.Options{}, "-0 +0"},
		{"guessable secret in a baseline, same code", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("", 77))}, []identity.Observation{ob("a", 12, call, "xabc", "efgh", secret("g1", 77))}, identity.Options{}, "0=0 place exact"},
		{"secret in a baseline", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("", strong|1))}, []identity.Observation{ob("b", 2, "key = x", "", "", secret("g1", strong|1))}, identity.Options{}, "0=0 key"},
		{"values equal, groups not", []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("g1", 77))}, []identity.Observation{ob("a", 9, call, "abcd", "efgh", secret("g2", 77))}, identity.Options{}, "-0 +0"},
		{"named by its engine", []identity.Observation{ob("a", 9, "q", "", "", func(o *identity.Observation) { o.Key = 5 })}, []identity.Observation{ob("z", 1, "other words", "x", "y", func(o *identity.Observation) { o.Key = 5 })}, identity.Options{}, "0=0 key"},
		// Twins keep their order though the first stands nearest to the second.
		{"twins pushed down", []identity.Observation{ob("a", 10, call, "abcd", "efgh"), ob("a", 20, call, "abcd", "efgh"), ob("a", 30, call, "abcd", "efgh")},
			[]identity.Observation{ob("a", 30, call, "abcd", "efgh"), ob("a", 40, call, "abcd", "efgh"), ob("a", 50, call, "abcd", "efgh")}, identity.Options{}, "0=0 same exact 1=1 same exact 2=2 same exact"},
		{"one of three twins gone, anchored", []identity.Observation{ob("a", 5, "x y z", "q", "r"), ob("a", 10, call, "abcd", "efgh"), ob("a", 20, call, "abcd", "efgh"), ob("a", 30, call, "abcd", "efgh"), ob("a", 40, "p q r", "s", "t")},
			[]identity.Observation{ob("a", 5, "x y z", "q", "r"), ob("a", 10, call, "abcd", "efgh"), ob("a", 25, call, "abcd", "efgh"), ob("a", 35, "p q r", "s", "t")}, identity.Options{},
			"0=0 same exact 1=1 place exact 3=2 place exact 4=3 same exact -2"},
		// By nearness alone the second would be taken for the first, and the first
		// for what is left.
		{"look-alikes pushed down, in a file that has moved", []identity.Observation{ob("a", 10, call, "abcd", "efgh"), ob("a", 40, call, "abcd", "efgh")},
			[]identity.Observation{ob("b/a", 40, call, "abcx", "efgx"), ob("b/a", 70, call, "abcx", "efgx")}, identity.Options{}, "0=0 moved exact 1=1 moved exact"},
		// The neighbours show the order though the look-alikes are fewer than before.
		{"look-alikes between neighbours", []identity.Observation{ob("a", 10, call, "abcd", "efgh"), ob("a", 20, "x y z", "q", "r"), ob("a", 30, call, "abcd", "efgh")},
			[]identity.Observation{ob("a", 29, "x y z", "q", "s"), ob("a", 33, call, "abcd", "efgx")}, identity.Options{}, "1=0 place exact 2=1 place exact -0"},
		// What encloses them tells twins apart, against order and nearness.
		{"twins in blocks that changed places", []identity.Observation{ob("a", 10, call, "abcd", "efgh", outer("st")), ob("a", 20, call, "abcd", "efgh", outer("ut"))},
			[]identity.Observation{ob("a", 10, call, "abcd", "efgh", outer("ut")), ob("a", 20, call, "abcd", "efgh", outer("st"))}, identity.Options{}, "1=0 same exact 0=1 same exact"},
		{"twins, one gone, by what encloses them", []identity.Observation{ob("a", 10, call, "abcd", "efgh", outer("st")), ob("a", 20, call, "abcd", "efgh", outer("ut"))},
			[]identity.Observation{ob("a", 11, call, "abcd", "efgx", outer("ut"))}, identity.Options{}, "1=0 place exact -0"},
		{"a baseline that does not know what encloses", []identity.Observation{ob("a", 10, call, "abcd", "efgh"), ob("a", 20, call, "abcd", "efgh")},
			[]identity.Observation{ob("a", 10, call, "abcd", "efgh", outer("st")), ob("a", 20, call, "abcd", "efgh", outer("ut"))}, identity.Options{}, "0=0 same exact 1=1 same exact"},
		// As many as before, all around them rewritten.
		{"as many look-alikes as before", []identity.Observation{ob("a", 10, "k : v / w", "abcd", "efgh"), ob("a", 20, "k : v / w", "abcd", "efgh", scope(3))},
			[]identity.Observation{ob("a", 12, "k : v / w", "ijkl", "mnop", scope(4)), ob("a", 22, "k : v / w", "ijkl", "mnop", scope(5))}, identity.Options{}, "0=0 place 1=1 place"},
		{"fewer look-alikes than before", []identity.Observation{ob("a", 10, "k : v / w", "abcd", "efgh"), ob("a", 20, "k : v / w", "abcd", "efgh", scope(3))},
			[]identity.Observation{ob("a", 12, "k : v / w", "ijkl", "mnop", scope(4))}, identity.Options{}, "0=0 place -1"},
		{"look-alikes far from where they were", []identity.Observation{ob("a", 10, "k : v / w", "abcd", "efgh"), ob("a", 20, "k : v / w", "abcd", "efgh", scope(3))},
			[]identity.Observation{ob("a", 62, "k : v / w", "ijkl", "mnop", scope(4))}, identity.Options{}, "-0 -1 +0"},
		// The third has little evidence, but where it must be shows which the others are.
		{"one of the look-alikes edited around", []identity.Observation{ob("a", 58, call, "abcd", "efgh"), ob("a", 78, call, "abcd", "efgh"), ob("a", 95, call, "abcd", "efgh", scope(3))},
			[]identity.Observation{ob("a", 40, call, "abxy", "efgh"), ob("a", 60, call, "abxy", "efgh"), ob("a", 80, call, "abxy", "efgh")}, identity.Options{}, "0=0 place exact 1=1 place exact 2=2 place"},
		// A block went from one file that stays to another. One alone would be chance.
		{"block moved into a file that was there", append(threeOf("a", 10, "abcd"), ob("a", 90, "x", "", ""), ob("b", 1, "y", "", "")),
			append(threeOf("b", 40, "abxy"), ob("a", 50, "x", "", ""), ob("b", 1, "y", "", "")), identity.Options{}, "0=0 moved 1=1 moved 2=2 moved 3=3 same exact 4=4 same exact"},
		{"two codes in a file that was there", append(threeOf("a", 10, "abcd")[:2], ob("a", 90, "x", "", ""), ob("b", 1, "y", "", "")),
			append(threeOf("b", 40, "abxy")[:2], ob("a", 50, "x", "", ""), ob("b", 1, "y", "", "")), identity.Options{}, "2=2 same exact 3=3 same exact -0 -1 +0 +1"},
		// Of two copies each goes with its folder, whatever their order.
		{"copies in two folders, moved", []identity.Observation{ob("m/one/x", 9, call, "abcd", "efgh"), ob("n/two/x", 9, call, "abcd", "efgh")},
			[]identity.Observation{ob("y/two/x", 9, call, "abcd", "efgh"), ob("z/one/x", 9, call, "abcd", "efgh")}, identity.Options{}, "1=0 moved exact 0=1 moved exact"},
		// Most of a file's findings went to a file of another name; the one whose
		// surroundings are new is looked for there.
		{"file renamed, by what stands in both", []identity.Observation{ob("a.js", 9, "p q r s t u", "abcd", "efgh"), ob("a.js", 30, "o p q r s t", "ijkl", "mnop"), ob("a.js", 60, "k : v", "abcd", "efgh")},
			[]identity.Observation{ob("z/b.ts", 9, "p q r s t u", "abcd", "efgh"), ob("z/b.ts", 30, "o p q r s t", "ijkl", "mnop"), ob("z/b.ts", 60, "k : v", "qrst", "uvwx")}, identity.Options{},
			"0=0 moved exact 1=1 moved exact 2=2 moved"},
		{"two files, one of another content", []identity.Observation{ob("a.js", 9, "p q r s t u", "abcd", "efgh"), ob("a.js", 60, "k : v", "abcd", "efgh")},
			[]identity.Observation{ob("z/b.ts", 60, "k : v", "qrst", "uvwx", scope(9)), ob("z/b.ts", 70, "m n", "qrst", "uvwx")}, identity.Options{}, "-0 -1 +0 +1"},
		// The best context wins, not the first or the nearest.
		{"copy above", []identity.Observation{ob("a", 10, call, "abcd", "efgh")}, []identity.Observation{ob("a", 10, call, "abxx", "efxx"), ob("a", 60, call, "abcd", "efgx")}, identity.Options{}, "0=1 place exact +0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := trail(identity.Match(tt.old, tt.fresh, tt.opts))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func trail(r identity.Result) string {
	var out []string
	for _, p := range r.Pairs {
		s := fmt.Sprintf("%d=%d %s", p.Old, p.New, p.Pass)
		if p.Exact {
			s += " exact"
		}
		out = append(out, s)
	}
	for _, i := range r.Gone {
		out = append(out, fmt.Sprintf("-%d", i))
	}
	for _, i := range r.Fresh {
		out = append(out, fmt.Sprintf("+%d", i))
	}
	for _, s := range r.Skipped {
		out = append(out, fmt.Sprintf("skipped %s %d %d", s.Pass, s.Old, s.Fresh))
	}
	return strings.Join(out, " ")
}

// many makes observations with look-alikes, some of them moved or changed.
func many(r *rand.Rand, n int) (old, fresh []identity.Observation) {
	for i := range n {
		code := fmt.Sprintf("call%d ( arg%d , %d )", r.IntN(1+n/3), r.IntN(5), r.IntN(3))
		ctx := func() string { return string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + "cd" }
		before, after := ctx(), ctx()
		path := fmt.Sprintf("f%d", r.IntN(1+n/20))
		around := outer(string(rune('a' + r.IntN(3))))
		old = append(old, ob(path, i, code, before, after, scope(uint32(r.IntN(3))), around))
		switch r.IntN(6) {
		case 0:
			path = fmt.Sprintf("f%d", r.IntN(1+n/20))
		case 1:
			code += " more"
		case 2:
			before = ctx()
		case 3:
			continue
		}
		fresh = append(fresh, ob(path, i+r.IntN(4), code, before, after, scope(uint32(r.IntN(3))), around))
	}
	return old, fresh
}

// TestMatchIgnoresOrder: the same observations in any order give the same pairs,
// each observation is in one pair at most, and exact pairs are of equal code.
func TestMatchIgnoresOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		old, fresh := many(r, 20+r.IntN(100))
		name := func(res identity.Result, old, fresh []identity.Observation) []string {
			var list []string
			seenOld, seenNew := map[int]bool{}, map[int]bool{}
			for _, p := range res.Pairs {
				if seenOld[p.Old] || seenNew[p.New] {
					t.Fatalf("used twice: %+v", p)
				}
				seenOld[p.Old], seenNew[p.New] = true, true
				list = append(list, fmt.Sprintf("%p %p %s %v", old[p.Old].Features, fresh[p.New].Features, p.Pass, p.Exact))
			}
			if len(res.Pairs)+len(res.Gone) != len(old) || len(res.Pairs)+len(res.Fresh) != len(fresh) {
				t.Fatal("an observation is lost")
			}
			slices.Sort(list)
			return list
		}
		res := identity.Match(old, fresh, identity.Options{})
		if d := wrongExact(old, fresh, res); d != "" {
			t.Error(d)
		}
		want := name(res, old, fresh)
		a, b := slices.Clone(old), slices.Clone(fresh)
		r.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
		r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		if d := cmp.Diff(want, name(identity.Match(a, b, identity.Options{}), a, b)); d != "" {
			t.Fatalf("another order, another result:\n%s", d)
		}
	}
}

// TestMatchSkipsCrowds: look-alikes by the thousand are told, not compared; what
// has not changed among them is still joined.
func TestMatchSkipsCrowds(t *testing.T) {
	var old, fresh []identity.Observation
	for i := range 1000 {
		before := fmt.Sprintf("%c%c", 'a'+i%26, 'a'+i/26)
		old = append(old, ob("a", i, call, before, "x"))
		if i < 500 {
			fresh = append(fresh, ob("a", i, call, before, "x"))
		} else {
			fresh = append(fresh, ob("a", i, call, before+"z", "x"))
		}
	}
	r := identity.Match(old, fresh, identity.Options{})
	if len(r.Pairs) != 500 || len(r.Gone) != 500 || len(r.Skipped) == 0 {
		t.Errorf("%d pairs, %d gone, skipped %+v", len(r.Pairs), len(r.Gone), r.Skipped)
	}
}

func TestGroupOf(t *testing.T) {
	if a, b := penstock.GroupOf("a", "b:c"), penstock.GroupOf("a:b", "c"); a == b {
		t.Errorf("parts run together: %q", a)
	}
}

func TestObserve(t *testing.T) {
	x, y := &penstock.Features{Path: "a", Line: 1, Class: "c"}, &penstock.Features{Path: "b", Line: 1, Class: "c"}
	twice := *x
	got := identity.Observe([]*penstock.Finding{{}, {Group: "g", Features: []*penstock.Features{x, &twice, y}}})
	want := []identity.Observation{{Features: x, Finding: 1, Group: "g"}, {Features: y, Finding: 1, Group: "g"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestFindings: a secret that is known and turns up in one more file is the old
// finding, with a place that is not accepted.
func TestFindings(t *testing.T) {
	of := func(n int, o identity.Observation) identity.Observation { o.Finding = n; return o }
	old := []identity.Observation{
		of(3, ob("a", 9, call, "abcd", "efgh", secret("g1", 1<<63))),
		of(4, ob("a", 30, call, "ijkl", "mnop", secret("g2", 1<<63+1))),
		of(5, ob("b", 9, "code", "ab", "cd")),
	}
	fresh := []identity.Observation{
		of(0, ob("c", 1, "k = v", "", "", secret("g1", 1<<63))),
		of(0, ob("a", 9, call, "abcd", "efgh", secret("g1", 1<<63))),
		of(1, ob("a", 31, call, "ijkl", "mnop", secret("g2", 1<<63+1))),
		of(2, ob("z", 31, "other code", "q", "r")),
	}
	got := identity.Match(old, fresh, identity.Options{}).Findings(old, fresh)
	want := []identity.Joined{{Old: 3, New: 0, Added: []int{0}}, {Old: 4, New: 1, Exact: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		old, fresh := many(rand.New(rand.NewPCG(1, 2)), n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				identity.Match(old, fresh, identity.Options{})
			}
		})
	}
}
