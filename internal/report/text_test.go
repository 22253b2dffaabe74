package report

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock"
)

func TestTextGolden(t *testing.T) {
	records := stream()
	golden(t, "text.txt", render(t, "text", Options{}, records))
	golden(t, "text-all.txt", render(t, "text", Options{All: true, Width: 72}, records))
	golden(t, "text-color.txt", render(t, "text", Options{Color: true, Links: true, Dir: "/work dir"}, records[:7]))
	golden(t, "text-quiet.txt", render(t, "text", Options{Quiet: true}, records))
}

func TestTextVerdicts(t *testing.T) {
	end := func(unread int) *penstock.End {
		return &penstock.End{Totals: penstock.Totals{Files: 3 + unread, Scanned: 3, Unread: unread, Bytes: 512, ByEngine: map[string]int{"secrets": 3}}}
	}
	finding := &penstock.Finding{Rule: "a/b", Title: "T", Severity: penstock.Low, Location: at("p", 1, 1, 1)}
	unread := &penstock.Coverage{Path: "q", State: penstock.Unread, Reason: penstock.ReasonIO, Detail: "input/output error"}
	for _, tt := range []struct {
		name    string
		records []penstock.Record
		want    string
	}{
		{"clean", []penstock.Record{&penstock.Verdict{Pass: true}, end(0)}, "PASS: nothing found"},
		{"open but tolerated", []penstock.Record{finding, &penstock.Verdict{Pass: true, Open: 1}, end(0)}, "PASS: 1 open finding"},
		{"tolerated and unread", []penstock.Record{unread, &penstock.Verdict{Pass: true, Incomplete: true}, end(1)}, "PASS: but not everything was read; nothing found"},
		{"unread", []penstock.Record{unread, &penstock.Verdict{Incomplete: true}, end(1)}, "INCOMPLETE: not everything was read; nothing found"},
		{"all block", []penstock.Record{finding, &penstock.Verdict{Blocking: 1, Open: 1}, end(0)}, "BLOCKED: 1 finding blocks"},
		{"some block", []penstock.Record{finding, &penstock.Verdict{Blocking: 1, Open: 1234}, end(0)}, "BLOCKED: 1 of 1,234 findings block"},
		{"bomb beside a leak", []penstock.Record{finding, unread, &penstock.Verdict{Incomplete: true, Blocking: 1, Open: 1}, end(1)}, "BLOCKED: 1 finding blocks, and not everything was read"},
		{"no gate", []penstock.Record{finding, end(0)}, "NO VERDICT: 1 finding"},
		{"no gate, unread", []penstock.Record{unread, end(1)}, "INCOMPLETE: not everything was read; 0 findings"},
		{"cut off", []penstock.Record{finding, &penstock.Verdict{Pass: true}}, "INCOMPLETE: the scan did not come to its end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := string(render(t, "text", Options{}, tt.records))
			if !strings.Contains(out, tt.want+"\n") {
				t.Errorf("want %q in\n%s", tt.want, out)
			}
		})
	}
}

// source renders one marked line and returns the rows of its snippet.
func source(t *testing.T, width int, lines ...penstock.SnippetLine) string {
	t.Helper()
	out := string(render(t, "text", Options{Width: width}, []penstock.Record{&penstock.Finding{
		Rule: "a/b", Title: "T", Severity: penstock.High, Location: at("p", 7, 1, 1),
		Snippet: &penstock.Snippet{FirstLine: 7, Lines: lines},
	}}))
	_, out, _ = strings.Cut(out, "  |\n")
	out, _, _ = strings.Cut(out, "  |\n")
	return out
}

func marked(s string) penstock.SnippetLine { return snip(1, s).Lines[0] }

func TestSnippet(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []penstock.SnippetLine
		want  string
	}{
		{"tabs", []penstock.SnippetLine{marked("\tx\t«yy»")}, "" +
			"7 |     x   yy\n" +
			"  |         ^^\n"},
		{"tab inside", []penstock.SnippetLine{marked("ab«c\td»e")}, "" +
			"7 | abc de\n" +
			"  |   ^^^\n"},
		{"wide", []penstock.SnippetLine{marked("鍵 = «秘密»。")}, "" +
			"7 | 鍵 = 秘密。\n" +
			"  |      ^^^^\n"},
		{"emoji and combining", []penstock.SnippetLine{marked("😀e\u0301«x»")}, "" +
			"7 | 😀e\u0301x\n" +
			"  |    ^\n"},
		{"CR LF", []penstock.SnippetLine{marked("a «b»\r"), {Text: "c\r"}}, "" +
			"7 | a b\n" +
			"  |   ^\n" +
			"8 | c\n"},
		{"CR inside", []penstock.SnippetLine{marked("a\r«b»")}, "" +
			"7 | a\\rb\n" +
			"  |    ^\n"},
		{"escapes", []penstock.SnippetLine{marked("\x1b[2K«\u202e»x")}, "" +
			"7 | \\x1b[2K\\u202ex\n" +
			"  |        ^^^^^^\n"},
		{"command", []penstock.SnippetLine{marked("##[set-output name=«x»]")}, "" +
			"7 | #\\x23[set-output name=x]\n" +
			"  |                       ^\n"},
		{"empty marker at the end", []penstock.SnippetLine{{Text: "ab", MarkStart: 2, MarkEnd: 9}}, "" +
			"7 | ab\n"},
		{"several lines", []penstock.SnippetLine{marked("«abc»"), marked("«de»")}, "" +
			"7 | abc\n" +
			"  | ^^^\n" +
			"8 | de\n" +
			"  | ^^\n"},
		{"clipped by the worker", []penstock.SnippetLine{{Text: "abc", MarkStart: 1, MarkEnd: 2, ClippedStart: true, ClippedEnd: true}}, "" +
			"7 | ...abc...\n" +
			"  |     ^\n"},
		{"4,000 columns", []penstock.SnippetLine{marked(strings.Repeat("a", 2000) + "«needle»" + strings.Repeat("b", 1994))}, "" +
			"7 | ...aaaaaaaaaaaaneedlebbbbbbbbbbbb...\n" +
			"  |                ^^^^^^\n"},
		{"4,000 columns, at the start", []penstock.SnippetLine{marked("«needle»" + strings.Repeat("b", 3994))}, "" +
			"7 | needlebbbbbbbbbbbbbbbbbbbbbbbb...\n" +
			"  | ^^^^^^\n"},
		{"4,000 columns, at the end", []penstock.SnippetLine{marked(strings.Repeat("a", 3994) + "«needle»")}, "" +
			"7 | ...aaaaaaaaaaaaaaaaaaaaaaaaneedle\n" +
			"  |                            ^^^^^^\n"},
		{"marker wider than the window", []penstock.SnippetLine{marked("x«" + strings.Repeat("a", 100) + "»y")}, "" +
			"7 | ..." + strings.Repeat("a", 30) + "...\n" +
			"  |    " + strings.Repeat("^", 30) + "\n"},
		{"wide character at the edge", []penstock.SnippetLine{marked(strings.Repeat("日", 50) + "«xyz»" + strings.Repeat("本", 50))}, "" +
			"7 | ... 日日日日日日xyz本本本本本本本...\n" +
			"  |                 ^^^\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, source(t, 40, tt.lines...)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestLongSnippet shows the ends of a long marked region, such as a key.
func TestLongSnippet(t *testing.T) {
	var lines []penstock.SnippetLine
	for range 60 {
		lines = append(lines, marked("«AAAA»"))
	}
	out := source(t, 40, lines...)
	if n := strings.Count(out, "AAAA"); n != maxRows {
		t.Errorf("%d lines shown, want %d:\n%s", n, maxRows, out)
	}
	if !strings.Contains(out, "   | ...\n") {
		t.Errorf("nothing says that lines were left out:\n%s", out)
	}
}

// TestTextOrder shows ten findings, what blocks and the worst first, by file.
func TestTextOrder(t *testing.T) {
	var records []penstock.Record
	for i := range 15 {
		records = append(records, &penstock.Finding{Rule: "a/low", Severity: penstock.Low, Location: at("a", i+1, 1, 1)})
	}
	records = append(records,
		&penstock.Finding{Rule: "a/critical", Severity: penstock.Critical, Confidence: penstock.ConfidenceLow, Location: at("m", 5, 1, 1)},
		&penstock.Finding{Rule: "a/sure", Severity: penstock.Critical, Confidence: penstock.ConfidenceHigh, Location: at("n", 5, 1, 1)},
		&penstock.Finding{Rule: "a/blocks", Severity: penstock.Medium, Blocks: true, Location: at("z", 5, 1, 1)},
		&penstock.Finding{Rule: "a/first", Severity: penstock.High, Location: at("z", 1, 1, 1)},
		&penstock.End{},
	)
	out := string(render(t, "text", Options{}, records))
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\w+\[a/(\w+)\]`).FindAllStringSubmatch(out, -1) {
		got = append(got, m[1])
	}
	want := []string{"first", "blocks", "sure", "critical", "low", "low", "low", "low", "low", "low"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(out, "... and 9 more findings: 9 low. See them all with --all.") {
		t.Errorf("the rest is not counted:\n%s", out)
	}
}

// FuzzText holds the terminal report to what must never reach a terminal or a
// log: controls, and commands of a CI system.
func FuzzText(f *testing.F) {
	f.Add("::set-output name=x::y", "a\x1b[31m\r\n::stop", 3, 80)
	f.Add("x ::add-mask::y ##[group]z", "##vso[x]\u202e", 0, 40)
	f.Add(strings.Repeat("日", 300), strings.Repeat("a b ", 100), 200, 41)
	f.Fuzz(func(t *testing.T, path, s string, mark, width int) {
		l := penstock.Location{Path: path, Line: mark, Column: mark, EndLine: mark, EndColumn: mark + 3}
		out := ""
		for _, all := range []bool{false, true} {
			tiers := hostileTiers(s, l)
			out += string(render(t, "text", Options{Width: width % 300, All: all}, append(tiers, &penstock.Verdict{Open: 4}, &penstock.End{})))
		}
		out += string(render(t, "text", Options{Width: width % 300, All: true}, []penstock.Record{
			&penstock.Finding{
				Rule: s, Title: s, Message: s, Severity: penstock.Severity(mark % 6), Location: l, Places: []penstock.Location{l},
				Snippet: &penstock.Snippet{FirstLine: mark, Lines: []penstock.SnippetLine{{Text: s, MarkStart: mark, MarkEnd: mark + len(path)}, {Text: path}}},
				Related: []penstock.Label{{Location: l, Message: s}}, Trace: []penstock.Label{{Location: l, Message: s}}, Notes: []string{s},
				Fix: &penstock.Fix{Description: s, Steps: []string{s}},
			},
			&penstock.Finding{Rule: s, Location: l, Suppressed: &penstock.Suppression{Kind: s, Reason: s, Place: path}},
			&penstock.Coverage{Path: path, State: penstock.Unread, Reason: penstock.Reason(s), Detail: s},
			&penstock.Note{Code: s, Message: s, Place: path, Hint: s},
			&penstock.Verdict{Reasons: []string{s, path}},
			&penstock.End{},
		}))
		marks := 0
		for i, r := range out {
			if r != '\n' && hidden(r, &marks) {
				t.Fatalf("the report holds %U near %q", r, out[max(0, i-30):min(len(out), i+30)])
			}
		}
		if m := regexp.MustCompile(`(?m)^\s*::[A-Za-z]|##[A-Za-z]*\[`).FindString(out); m != "" {
			t.Fatalf("the report forms the command %q:\n%s", m, out)
		}
	})
}
