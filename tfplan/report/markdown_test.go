package report_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// Beside HTML blocks, a comment has only these sentences of our own.
var sentences = regexp.MustCompile(`^(?:### Mollyguard: [a-z, ]+|\d+ more are not listed: [0-9a-z, ]+\.|Details of \d+ more did not fit here\.|What to do next:)$`)

// A block that begins with one of these is HTML up to the next empty line, or up to its
// end (CommonMark 4.6, kinds 1, 2 and 6).
var blockBegin = regexp.MustCompile(`^(?:<p>|<table>|<details>|<ul>|<pre>|<!-- mollyguard:plan:[A-Za-z0-9._-]+:[0-9a-f]{12} -->$)`)

var (
	tag      = regexp.MustCompile(`</?(p|table|tr|th|td|details|summary|ul|li|pre|code|b)>`)
	entity   = regexp.MustCompile(`&(?:amp|lt|gt|#34|#39);`)
	ownWords = regexp.MustCompile(`^[A-Za-z0-9 ,:;%()\n-]*$`)
)

// checkMarkdown finds what a hostile name could have done to a comment.
func checkMarkdown(text string) error {
	const room = 60_000 // GitHub takes 65,536 characters; the rest is for what a workflow adds
	if len(text) > room {
		return fmt.Errorf("%d bytes are too many", len(text))
	}
	for _, block := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		switch {
		case sentences.MatchString(block):
		case !blockBegin.MatchString(block):
			return fmt.Errorf("neither a sentence of ours nor HTML: %q", block)
		case strings.HasPrefix(block, "<!--"):
		default:
			if err := checkHTML(block); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHTML takes nothing but the elements of ours, each closed where it was opened, and
// between them words of ours; texts from outside are in code or pre.
func checkHTML(block string) error {
	for _, line := range strings.Split(block, "\n") {
		if strings.TrimSpace(line) == "" {
			return fmt.Errorf("a line that ends the block: %q", block)
		}
		if line != operation.Printable(line) {
			return fmt.Errorf("not printable: %q", line)
		}
	}
	var open []string
	for block != "" {
		at := tag.FindStringIndex(block)
		if at == nil {
			return fmt.Errorf("text after the last element: %q", block)
		}
		between, name := block[:at[0]], strings.Trim(block[at[0]:at[1]], "</>")
		if rest := entity.ReplaceAllString(between, ""); strings.ContainsAny(rest, `<>&"'`) {
			return fmt.Errorf("not escaped: %q", between)
		}
		if !slices.Contains(open, "code") && !ownWords.MatchString(between) {
			return fmt.Errorf("outside of code: %q", between)
		}
		if block[at[0]+1] != '/' {
			open = append(open, name)
		} else {
			if len(open) == 0 || open[len(open)-1] != name {
				return fmt.Errorf("%s is closed within %q", name, open)
			}
			open = open[:len(open)-1]
		}
		block = block[at[1]:]
	}
	if len(open) > 0 {
		return fmt.Errorf("left open: %q", open)
	}
	return nil
}

func TestNoNameBreaksOutOfAComment(t *testing.T) {
	for name, r := range reports() {
		if err := checkMarkdown(written(t, "markdown", r)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheCheckOfCommentsFindsAttacks(t *testing.T) {
	for name, text := range map[string]string{
		"an element":             "<p><code><script></code></p>",
		"an attribute":           `<p><code onclick="x"></code></p>`,
		"a closed code":          "<p><code></code>@team</code></p>",
		"an empty line":          "<p><code>a\n\n# b</code></p>",
		"a mention":              "@team",
		"text outside of code":   "<p>@team</p>",
		"an element left open":   "<details>\n<summary></summary>",
		"a link after the block": "<p></p>\n[a](b)",
		"a longer comment":       "<!-- mollyguard:plan:a:000000000000 --> x -->",
		"an entity":              "<p><code>&copy;</code></p>",
	} {
		if checkMarkdown(text) == nil {
			t.Errorf("%s is not found: %q", name, text)
		}
	}
}

// worstCase is as large as a report gets: more rows than a Collector keeps, each full of
// what takes the most room escaped.
func worstCase() report.Report {
	name := strings.Repeat(`"`, 5000)
	var list []string
	for range 30 {
		list = append(list, name[:2000])
	}
	d := violated(production(decision(name, operation.Delete, operation.OutcomeDeny), list...), name, operation.High, operation.EnforceDeny, name)
	d.Changes, d.Unknown, d.GrantRefused = list, list, list
	r := report.Report{
		Plan: report.Summary{File: name, Digest: name, Workspace: name, TerraformVersion: name, Destroys: 1_000_000},
		Left: map[operation.Outcome]int{operation.OutcomeAllow: 1_000_000, operation.OutcomeDeny: 1_000_000},
		Next: list, Notes: list, Help: strings.Join(list, "\n"), Marker: name,
	}
	for range 1500 {
		r.Rows = append(r.Rows, report.Row{Decision: d})
	}
	return r
}

func TestACommentFitsWhateverIsInIt(t *testing.T) {
	text := written(t, "markdown", worstCase())
	if err := checkMarkdown(text); err != nil {
		t.Error(err)
	}
	var rows int
	if _, err := fmt.Sscanf(text[strings.Index(text, "</table>\n\n")+len("</table>\n\n"):], "%d more are not listed", &rows); err != nil {
		t.Fatalf("what is not listed is not counted: %v", err)
	}
	if shown := strings.Count(text, "<tr><td>"); shown == 0 || shown+rows != 2_001_500 {
		t.Errorf("%d shown and %d counted of 2,001,500", shown, rows)
	}
}

func TestManyRowsAreFoldedUpAndCounted(t *testing.T) {
	var r report.Report
	for i := range 1000 {
		r.Rows = append(r.Rows, report.Row{Decision: decision(fmt.Sprintf("a.b[%d]", i), operation.Delete, operation.OutcomeDeny)})
	}
	text := written(t, "markdown", r)
	if err := checkMarkdown(text); err != nil {
		t.Error(err)
	}
	open, folded, _ := strings.Cut(text, "<summary>More changes</summary>")
	if got := strings.Count(open, "<tr><td>"); got != 25 {
		t.Errorf("%d rows are open", got)
	}
	at := strings.Index(folded, "</details>\n\n") + len("</details>\n\n")
	var rows int
	if _, err := fmt.Sscanf(folded[at:], "%d more are not listed", &rows); err != nil {
		t.Fatal(err)
	}
	if shown := strings.Count(text, "<tr><td>"); shown+rows != 1000 {
		t.Errorf("%d shown and %d counted of 1000", shown, rows)
	}
}

func TestEachPlanHasItsOwnMarker(t *testing.T) {
	markers := []string{"", "plan", "a b", "a-b", "a--b", "a b ", "--><script>", strings.Repeat("x", 1000), strings.Repeat("x", 1001), "prod/eu", "é", "\n\n# x"}
	seen := map[string]string{}
	for _, marker := range markers {
		line := report.CommentMarker(marker)
		if !blockBegin.MatchString(line) || strings.Count(line, "--") != 2 {
			t.Errorf("%q makes %q", marker, line)
		}
		if other, taken := seen[line]; taken {
			t.Errorf("%q and %q have the same marker %s", marker, other, line)
		}
		seen[line] = marker
		if again := report.CommentMarker(marker); again != line {
			t.Errorf("%q makes %q and %q", marker, line, again)
		}
	}
	first, _, _ := strings.Cut(written(t, "markdown", report.Report{Marker: "prod/eu"}), "\n")
	if diff := cmp.Diff(report.CommentMarker("prod/eu"), first); diff != "" {
		t.Errorf("first line (-want +got):\n%s", diff)
	}
}
