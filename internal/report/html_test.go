package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"penstock"
)

func TestHTMLGolden(t *testing.T) {
	golden(t, "report.html", plainPage(render(t, "html", Options{}, stream())))
}

// plainPage is a page without the text of its style and script.
func plainPage(b []byte) []byte {
	s := strings.Replace(strings.Replace(string(b), pageCSS, "STYLE", 1), pageJS, "SCRIPT", 1)
	return regexp.MustCompile(`sha256-[^ ]*;`).ReplaceAll([]byte(s), []byte("sha256-HASH;"))
}

func parseHTML(t testing.TB, b []byte) *html.Node {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// nodes returns the elements of a name, in order.
func nodes(n *html.Node, name string) []*html.Node {
	var out []*html.Node
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == name {
			out = append(out, c)
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// checkHTML wants a page that can load nothing, run nothing but our script, and
// whose links go to web addresses or within the page.
func checkHTML(t testing.TB, doc *html.Node) {
	t.Helper()
	csp := ""
	for _, m := range nodes(doc, "meta") {
		if attr(m, "http-equiv") == "Content-Security-Policy" {
			csp = attr(m, "content")
		}
	}
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	for name, directive := range map[string]string{"style": "style-src ", "script": "script-src "} {
		all := nodes(doc, name)
		if len(all) > 1 || name == "style" && len(all) == 0 {
			t.Errorf("%d elements %s", len(all), name)
		}
		for _, n := range all {
			if !strings.Contains(csp, directive+hash(textOf(n))) {
				t.Errorf("the policy does not allow our %s", name)
			}
		}
	}
	ids := make(map[string]bool)
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if strings.Contains(" img iframe object embed link base audio video svg math source template ", " "+n.Data+" ") {
			t.Errorf("an element %s", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "action", a.Key == "srcset":
				t.Errorf("an attribute %s=%q of %s", a.Key, a.Val, n.Data)
			case a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://"):
				t.Errorf("a link to %q", a.Val)
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("the id %q occurs twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	for _, a := range nodes(doc, "a") {
		if h := attr(a, "href"); strings.HasPrefix(h, "#") && !ids[h[1:]] {
			t.Errorf("a link to %s, which is not there", h)
		}
	}
}

func TestHTML(t *testing.T) {
	for name, records := range map[string][]penstock.Record{"full": stream(), "empty": {}, "hostile": hostile(), "cut": stream()[:8]} {
		t.Run(name, func(t *testing.T) { checkHTML(t, parseHTML(t, render(t, "html", Options{}, records))) })
	}
}

// TestHTMLBounds puts more into a page than a browser takes.
func TestHTMLBounds(t *testing.T) {
	records := []penstock.Record{}
	for i := range htmlLong + 3 {
		records = append(records, &penstock.Finding{Rule: "a/b", Severity: penstock.Low, Location: at("p", i+1, 1, 1)})
	}
	var b bytes.Buffer
	feed(t, &htmlReport{w: &b, most: htmlLong + 1}, append(records, &penstock.End{}))
	if n := bytes.Count(b.Bytes(), []byte("<article")); n != htmlLong+1 {
		t.Errorf("%d findings", n)
	}
	if !bytes.Contains(b.Bytes(), []byte("2 more findings are not in this page")) {
		t.Error("the rest is not counted")
	}
	if !bytes.Contains(b.Bytes(), []byte(`<main class="wrap long">`)) {
		t.Error("the page is not marked as long")
	}
}

// FuzzHTML wants what a browser shows to be the visible form of what went in,
// and nothing else to appear in the page.
func FuzzHTML(f *testing.F) {
	f.Add("<script>alert(1)</script>", 3, 9)
	f.Add("</style><img src=x onerror=alert(1)>\x1b\u202e", 0, 4)
	f.Add("{{.}}\"' onmouseover='x' &amp; &lt;", 1, 2)
	f.Add("]]><!-- --><svg/onload=1>\t##[x]", 2, 30)
	f.Fuzz(func(t *testing.T, s string, from, to int) {
		s = validText(s)
		tiers := hostileTiers(s, penstock.Location{Path: s})
		checkHTML(t, parseHTML(t, render(t, "html", Options{}, append(tiers, &penstock.Rule{ID: s, Title: s, Remedy: s}, &penstock.End{}))))
		doc := parseHTML(t, render(t, "html", Options{}, []penstock.Record{
			&penstock.Header{Roots: []string{s}, Version: s},
			&penstock.Rule{ID: s, Title: s, Why: s, Bad: s, References: []string{s, "https://x/" + s}, Tags: []string{s}},
			&penstock.Finding{
				Rule: s, Severity: penstock.High, Message: s, Location: penstock.Location{Path: s},
				Snippet: &penstock.Snippet{FirstLine: 1, Lines: []penstock.SnippetLine{{Text: s, MarkStart: from, MarkEnd: to}}},
				Notes:   []string{s}, Suppressed: &penstock.Suppression{Kind: s},
			},
			&penstock.Coverage{Path: s, State: penstock.Unread, Detail: s},
			&penstock.Note{Message: s},
			&penstock.Verdict{Reasons: []string{s}},
			&penstock.End{},
		}))
		checkHTML(t, doc)
		for _, n := range nodes(doc, "span") {
			if attr(n, "class") == "place" {
				if got, want := textOf(n), visible(EscapePath(s)); got != want {
					t.Errorf("the path %q is shown as %q", want, got)
				}
			}
		}
		for _, n := range nodes(doc, "div") {
			if attr(n, "class") != "body" {
				continue
			}
			if p := n.FirstChild; p != nil && p.Data == "p" {
				line := oneLine(s)
				if got := textOf(p); got != line && !strings.Contains(s, "##") {
					t.Errorf("the message %q is shown as %q", line, got)
				}
			}
			for _, src := range nodes(n, "code") {
				if src.Parent.Parent != nil && attr(src.Parent.Parent, "class") == "src" && attr(src.Parent.Parent.Parent, "class") == "body" {
					want := visibleSource(strings.TrimSuffix(s, "\r"))
					if got := textOf(src); got != want && !strings.Contains(s, "##") && !strings.Contains(s, "\r") {
						t.Errorf("the source %q is shown as %q", want, got)
					}
				}
			}
			break
		}
	})
}

// TestHTMLBrowser loads the page in Chromium and sees that the script ran under
// the page's own policy.
func TestHTMLBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: no chromium on PATH, the page's script is not tested")
	}
	if testing.Short() {
		t.Skip("SKIPPED in short mode")
	}
	dump := func(records []penstock.Record, hash string) *html.Node {
		file := filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(file, render(t, "html", Options{}, records), 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=2000", "--dump-dom", "file://"+file+hash).Output()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		return parseHTML(t, out)
	}
	shown := func(doc *html.Node) string {
		for _, n := range nodes(doc, "span") {
			if attr(n, "id") == "shown" {
				return textOf(n)
			}
		}
		return ""
	}
	if got := shown(dump(stream(), "#filter:q=app+sql&state=all&sev=high,low")); got != "1 of 19 findings shown" {
		t.Errorf("filtered by its address, the page says %q", got)
	}
	for filter, want := range map[string]string{
		"tier=hygiene&sev=high": "5", "tier=proven+path,exploitable": "2",
	} {
		if got := shown(dump(tierStream(), "#filter:"+filter)); got != want+" of 7 findings shown" {
			t.Errorf("filter %s: the page says %q", filter, got)
		}
	}
	for state, want := range map[string]string{"open": "3", "new": "2", "fixed": "5"} {
		if got := shown(dump(rangeStream(), "#filter:state="+state)); got != want+" of 9 findings shown" {
			t.Errorf("state %s: the page says %q", state, got)
		}
	}
}
