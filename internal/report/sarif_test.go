package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"penstock"
)

// sarifSchema names the file of the SARIF 2.1.0 schema of OASIS, whose licence
// keeps it out of this repository; several public packages ship it.
const sarifSchema = "PENSTOCK_SARIF_SCHEMA"

func TestSARIFGolden(t *testing.T) {
	golden(t, "report.sarif", render(t, "sarif", Options{}, stream()))
}

// decodeSARIF reads a report back by the names of the standard, not by our types.
func decodeSARIF(t testing.TB, b []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func list(v any, path ...string) []any {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	l, _ := v.([]any)
	return l
}

func str(v any, path ...string) string {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

func run0(t testing.TB, b []byte) map[string]any {
	t.Helper()
	runs := list(decodeSARIF(t, b), "runs")
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	return runs[0].(map[string]any)
}

// checkSARIF holds a run to what the standard and GitHub ask for.
func checkSARIF(t testing.TB, b []byte) {
	t.Helper()
	r := run0(t, b)
	rules := list(r, "tool", "driver", "rules")
	for _, rule := range rules {
		tags := list(rule, "properties", "tags")
		seen := make(map[any]bool)
		for _, tag := range tags {
			if seen[tag] {
				t.Errorf("rule %s has the tag %v twice", str(rule, "id"), tag)
			}
			seen[tag] = true
		}
		if len(tags) > sarifTags || !seen["security"] {
			t.Errorf("rule %s has tags %v", str(rule, "id"), tags)
		}
		for _, p := range []string{"security-severity", "precision"} {
			if str(rule, "properties", p) == "" {
				t.Errorf("rule %s has no %s", str(rule, "id"), p)
			}
		}
		if str(rule, "shortDescription", "text") == "" || str(rule, "fullDescription", "text") == "" || str(rule, "help", "text") == "" {
			t.Errorf("rule %s lacks a text", str(rule, "id"))
		}
	}
	for _, res := range list(r, "results") {
		index := int(res.(map[string]any)["ruleIndex"].(float64))
		if id := str(res, "ruleId"); index >= len(rules) || str(rules[index], "id") != id {
			t.Errorf("result of %s points at rule %d", id, index)
		}
		if str(res, "message", "text") == "" {
			t.Errorf("result of %s has no message", str(res, "ruleId"))
		}
		if fp, ok := res.(map[string]any)["partialFingerprints"].(map[string]any); ok && (len(fp) != 1 || fp["penstock/v1"] == nil) {
			t.Errorf("fingerprints %v", fp)
		}
		locations := list(res, "locations")
		if len(locations) == 0 || len(locations) > sarifLocations {
			t.Errorf("result of %s has %d locations", str(res, "ruleId"), len(locations))
		}
	}
	walk(decodeSARIF(t, b), func(m map[string]any) {
		if uri, ok := m["uri"].(string); ok {
			checkURI(t, uri)
			if str(m, "uriBaseId") != sarifBaseID {
				t.Errorf("uri %q has the base %q", uri, str(m, "uriBaseId"))
			}
		}
	})
}

func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, c := range v {
			walk(c, f)
		}
	case []any:
		for _, c := range v {
			walk(c, f)
		}
	}
}

// checkURI wants a relative reference without scheme, host, query or fragment.
func checkURI(t testing.TB, uri string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Errorf("uri %q: %v", uri, err)
		return
	}
	if u.Scheme != "" || u.Host != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasPrefix(uri, "/") || uri == "" {
		t.Errorf("uri %q is not a relative path: %#v", uri, u)
	}
	for _, c := range []byte(uri) {
		if c <= 0x20 || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}:?#", c) >= 0 {
			t.Errorf("uri %q holds %q", uri, c)
		}
	}
}

func TestSARIF(t *testing.T) {
	b := render(t, "sarif", Options{}, stream())
	checkSARIF(t, b)
	r := run0(t, b)
	if str(r, "columnKind") != "utf16CodeUnits" {
		t.Error("columnKind is missing")
	}
	inv := list(r, "invocations")[0].(map[string]any)
	if inv["executionSuccessful"] != false {
		t.Error("a run with unread files is called successful")
	}
	notes := make(map[string]int)
	for _, n := range list(inv, "toolExecutionNotifications") {
		notes[str(n, "descriptor", "id")]++
	}
	for _, id := range []string{"penstock/unread-killed", "penstock/unread-permission", "penstock/sandbox-partial", "penstock/engine-skipped", "penstock/excluded-ignored"} {
		if notes[id] != 1 {
			t.Errorf("%d notifications %s", notes[id], id)
		}
	}
	suppressed := 0
	for _, res := range list(r, "results") {
		for _, s := range list(res, "suppressions") {
			suppressed++
			kind, ours := str(s, "kind"), s.(map[string]any)["properties"].(map[string]any)["penstock/kind"]
			if (kind == "inSource") != (ours == "inline" || ours == "gitleaks:allow") {
				t.Errorf("suppression %v is %s", ours, kind)
			}
		}
	}
	if suppressed != 3 {
		t.Errorf("%d suppressions", suppressed)
	}
	if !bytes.Contains(b, []byte(`"external/cwe/cwe-089"`)) || !bytes.Contains(b, []byte(`"external/cwe/cwe-798"`)) {
		t.Error("CWE tags are missing")
	}
	if bytes.Contains(b, []byte("primaryLocationLineHash")) {
		t.Error("GitHub's own fingerprint is written")
	}
}

// TestSARIFSchema validates against the standard's schema where it is at hand.
func TestSARIFSchema(t *testing.T) {
	file := os.Getenv(sarifSchema)
	if file == "" {
		t.Skipf("SKIPPED: set %s to the file sarif-schema-2.1.0.json to validate against the schema", sarifSchema)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, records := range map[string][]penstock.Record{
		"full": stream(), "empty": {}, "cut": stream()[:9], "hostile": hostile(), "range": rangeStream(), "history": historyStream(),
	} {
		report, err := jsonschema.UnmarshalJSON(bytes.NewReader(render(t, "sarif", Options{}, records)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(report); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hostile is a stream that no honest worker would write.
func hostile() []penstock.Record {
	records := []penstock.Record{&penstock.Header{Schema: 1}}
	paths := []string{
		"", ".", "/", "//host/share", "/etc/passwd", "../../x", "javascript:alert(1)", "file:///etc/passwd", "C:\\x",
		"a?b#c%41", "a b\n\x1b\u202e", "\xff\xfe", `\xff`, "a.zip!/../b", "日本", strings.Repeat("x/", 3000),
	}
	for i, p := range paths {
		records = append(records, &penstock.Finding{
			Rule: p, Title: p, Message: "[click](" + p + ")", Severity: penstock.Severity(i - 3), Confidence: penstock.Confidence(i),
			Location: penstock.Location{Path: p, Line: i - 5, Column: 7 - i, EndLine: 3 - i, EndColumn: i},
			Snippet:  &penstock.Snippet{FirstLine: i - 5, Lines: []penstock.SnippetLine{{Text: p, MarkStart: i, MarkEnd: 2*i - 3}}},
			Related:  []penstock.Label{{Location: penstock.Location{Path: p}, Message: p}}, Trace: []penstock.Label{{}},
			Places: []penstock.Location{{Path: p, Line: -1}}, Fix: &penstock.Fix{}, Fingerprint: p, Reason: p,
		})
		records = append(records, &penstock.Coverage{Path: p, State: penstock.State(i), Reason: penstock.Reason(p), Detail: p})
		records = append(records, &penstock.Note{Code: p, Message: p, Place: p, Hint: p})
	}
	return append(records, &penstock.Rule{ID: "", CWE: []int{-1, 0, 1 << 40}, Tags: []string{"a", "a", ""}, References: paths}, &penstock.End{})
}

func TestSARIFHostile(t *testing.T) { checkSARIF(t, render(t, "sarif", Options{}, hostile())) }

// TestSARIFLimits puts more of everything into a run than GitHub takes, and
// wants the worst kept and the rest counted.
func TestSARIFLimits(t *testing.T) {
	records := []penstock.Record{&penstock.Header{Schema: 1}}
	tags := make([]string, 50)
	for i := range tags {
		tags[i] = fmt.Sprint("t", i)
	}
	records = append(records, &penstock.Rule{ID: "secrets/many", Title: "Many", Severity: penstock.Low, Tags: tags})
	const most = 200
	for i := range most + 10 {
		f := &penstock.Finding{Rule: "secrets/many", Severity: penstock.Low, Location: at(fmt.Sprintf("%06d", i), 1, 1, 1)}
		if i == most+5 {
			f.Severity, f.Rule = penstock.Critical, "secrets/worst"
			for j := range 500 {
				f.Places = append(f.Places, at(fmt.Sprint("place", j), 1, 1, 1))
				f.Related = append(f.Related, penstock.Label{Location: at("r", j+1, 1, 1)})
				f.Trace = append(f.Trace, penstock.Label{Location: at("t", j+1, 1, 1)}, penstock.Label{}, penstock.Label{})
			}
		}
		records = append(records, f)
	}
	for i := range 3000 {
		records = append(records, &penstock.Coverage{Path: fmt.Sprint(i), State: penstock.Unread, Reason: penstock.ReasonIO})
	}
	records = append(records, &penstock.End{Totals: penstock.Totals{Files: 30000, Unread: 3000}})
	var out bytes.Buffer
	feed(t, newNormal(&sarif{w: &out, results: most}), records)
	b := out.Bytes()
	checkSARIF(t, b)
	r := run0(t, b)
	if n := len(list(r, "results")); n != most {
		t.Errorf("%d results", n)
	}
	for _, want := range []string{`"secrets/worst"`, "10 of 210 findings are not in this file", `"penstock/placesOmitted": 401`, `"penstock/relatedOmitted": 400`, `"penstock/stepsOmitted": 500`, "2,000 more files were not read"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the report does not say %s", want)
		}
	}
}

func FuzzRelativeURI(f *testing.F) {
	for _, s := range []string{"a/b", "javascript:x", "//h/p", "\xff", "a.zip!/b", "%41", "..", "a:b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		uri := relativeURI(EscapePath(path))
		checkURI(t, uri)
		back, err := url.PathUnescape(uri)
		if want := strings.TrimLeft(path, "/"); err != nil || back != want && want != "" {
			t.Errorf("%q becomes %q, which reads as %q (%v)", path, uri, back, err)
		}
	})
}
