package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"penstock"
)

func TestMarkdownGolden(t *testing.T) {
	golden(t, "report.md", render(t, "markdown", Options{}, stream()))
}

func TestMarkdownEscapers(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain text, with a dot. And (this) too - 100 % fine: yes/no", "plain text, with a dot. And (this) too - 100 % fine: yes/no"},
		{"*bold* _em_ `code` [x](y) ![z](w)", "\\*bold\\* \\_em\\_ \\`code\\` \\[x\\](y) <span>&#33;</span>\\[z\\](w)"},
		{"@everyone", "<span>&#64;</span>everyone"},
		{"#12 and a/b#3", "<span>&#35;</span>12 and a/b<span>&#35;</span>3"},
		{"https://evil.example", "https<span>&#58;</span>//evil.example"},
		{"www.evil.example", "www<span>&#46;</span>evil.example"},
		{"<img src=x>", "&lt;img src=x&gt;"},
		{"<!-- hidden -->", "&lt;<span>&#33;</span>-- hidden --&gt;"},
		{"- item", "\\- item"},
		{"12. item", "12\\. item"},
		{"a\n\n# head", "a \\# head"},
		{"$x^2$", "<span>&#36;</span>x<span>&#94;</span>2<span>&#36;</span>"},
		{":bomb:", "<span>&#58;</span>bomb:"},
	} {
		if got := mdText(tt.in); got != tt.want {
			t.Errorf("mdText(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{"a", "`a`"},
		{"a`b", "`` a`b ``"},
		{"```", "```` ``` ````"},
		{" a ", "`  a  `"},
		{"a\nb", "`a\\nb`"},
		{"  ", "(empty)"},
	} {
		if got := mdCode(tt.in); got != tt.want {
			t.Errorf("mdCode(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got, want := mdFence([]string{"a", "`````", "b"}), "``````text\na\n`````\nb\n``````\n"; got != want {
		t.Errorf("mdFence = %q, want %q", got, want)
	}
}

var (
	mdSpan   = regexp.MustCompile(`<span>(&#\d+;)</span>`)
	mdEscape = regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])")
)

// readMarkdown is what a CommonMark reader makes of running text that holds
// backslash escapes, entities and empty elements only.
func readMarkdown(s string) string {
	s = mdSpan.ReplaceAllString(s, "$1")
	// Escapes first, kept apart from entities: \& is not the start of one.
	var b strings.Builder
	for _, part := range regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|&[#a-z0-9]+;|(?s:.)").FindAllString(s, -1) {
		if mdEscape.MatchString(part) {
			part = part[1:]
		} else {
			part = html.UnescapeString(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// FuzzMarkdown wants running text to read as its visible form, and nothing in it
// that Markdown or a forge would act on.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{
		"@a", "#1", "[a](javascript:b)", "<!--", "```\n", "| a | b |", "https://x", "a@b.c", "&lt;", "\\*", "- [ ] x", "1) x",
		"==", "www.x.y", "$`x`$", "~~x~~", "[^1]", "GH-1", "/assign @x", "!1 ~l %m &e", ":+1:", "\u202e\x1b",
	} {
		f.Add(s)
	}
	raw := regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[`*_\\[\\]#|~{}]")
	active := regexp.MustCompile(`@|://|\$|(?i:www)\.|#\d|[!~%&^][\pL\d]`)
	f.Fuzz(func(t *testing.T, s string) {
		s = validText(s)
		md := mdText(s)
		if got, want := readMarkdown(md), oneLine(s); got != want {
			t.Fatalf("%q is written as %q and reads as %q", want, md, got)
		}
		if cell := mdCell(s); readMarkdown(cell) != oneLine(s) || strings.Contains(cell, "|") {
			t.Fatalf("the cell of %q is written as %q", s, cell)
		}
		bare := mdSpan.ReplaceAllString(md, " ")
		bare = strings.NewReplacer("&amp;", " ", "&lt;", " ", "&gt;", " ").Replace(bare)
		if strings.ContainsAny(bare, "<>\n") || raw.MatchString(bare) || active.MatchString(bare) {
			t.Fatalf("%q is written as %q, in which something is active: %q", s, md, bare)
		}
		inHTML := mdHTML(s)
		if got, want := html.UnescapeString(mdSpan.ReplaceAllString(inHTML, "$1")), oneLine(s); got != want {
			t.Fatalf("%q is written as %q and reads as %q", want, inHTML, got)
		}
		code := mdCode(s)
		fence := code[:len(code)-len(strings.TrimLeft(code, "`"))]
		if body := code[len(fence) : len(code)-len(fence)]; fence != "" && longestRun(body, '`') >= len(fence) {
			t.Fatalf("the code %q ends before its end", code)
		}
		block := mdFence(strings.Split(s, "\n"))
		fence, _, _ = strings.Cut(block, "text\n")
		if n := strings.Count("\n"+block, "\n"+fence); n != 2 {
			t.Fatalf("the fence of %q stands %d times", block, n)
		}
	})
}

// TestMarkdownBound wants every report to keep its bound, to be whole Markdown,
// and to count what it leaves out.
func TestMarkdownBound(t *testing.T) {
	const most = 400
	var records []penstock.Record
	for i := range most {
		records = append(records, &penstock.Finding{
			Rule: "a/b", Title: strings.Repeat("long ", 50), Severity: penstock.High, Message: strings.Repeat("@x ", 5000),
			Location: at(fmt.Sprintf("%s%d", strings.Repeat("dir/", 200), i), 1, 1, 1), Notes: make([]string, 100),
			Snippet: snip(1, strings.Repeat("`", 4000)),
		})
		records = append(records, &penstock.Note{Message: strings.Repeat("n", 3000)}, &penstock.Coverage{Path: fmt.Sprint(i), State: penstock.Unread, Reason: penstock.Reason(fmt.Sprint(i))})
	}
	records = append(records, &penstock.Verdict{Reasons: []string{strings.Repeat("r", 1<<20), strings.Repeat("@", 1000), strings.Repeat("@", 1000)}, Open: most},
		&penstock.Finding{Rule: "a/b", Suppressed: &penstock.Suppression{Kind: strings.Repeat("@", 9999)}}, &penstock.End{})
	for _, limit := range []int{0, 1, 10_000, 65_536, 1 << 30} {
		for _, all := range []bool{false, true} {
			b := render(t, "markdown", Options{MaxBytes: limit, All: all}, records)
			bound := mdLimit
			if limit > 0 {
				bound = max(min(limit, mdLimit), mdLeast)
			}
			if len(b) > bound {
				t.Errorf("limit %d: %d bytes", limit, len(b))
			}
			if strings.Count(string(b), "<details>") != strings.Count(string(b), "</details>") {
				t.Errorf("limit %d: a fold is cut", limit)
			}
			shown := bytes.Count(b, []byte("<details>")) + bytes.Count(b, []byte("\n- high: "))
			if shown == most && limit <= 65_536 && limit > 0 {
				t.Errorf("limit %d, all %t: everything fits, which tests nothing", limit, all)
			}
			want := fmt.Sprintf("%s not shown", count(most-shown, "finding is", "findings are"))
			if bytes.Contains(b, []byte(want)) != (shown < most) {
				t.Errorf("limit %d, all %t: the report does not say %q", limit, all, want)
			}
		}
	}
}
