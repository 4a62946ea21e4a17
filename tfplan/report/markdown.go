package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// The comment is Markdown in which all that comes from outside stands in HTML blocks
// without an empty line (CommonMark 4.6): there nothing is read as Markdown, so that
// pipes, backticks, brackets and fences are only text. There it stands in code or pre,
// escaped, where neither GitHub nor GitLab look for mentions, references or links.

const (
	// maxComment is below GitHub's 65,536 characters for a comment (GitLab takes a
	// million), with room for what a workflow adds.
	maxComment = 60_000
	// maxOpen is how many rows are shown without a click.
	maxOpen = 25
	// maxCell caps a text in a table, in bytes before it is escaped.
	maxCell = 300
)

// CommentMarker is the line that a comment on the plans of a marker begins with: an HTML
// comment, which is not shown. It has nothing of the marker that could end it, and two
// markers never have the same.
func CommentMarker(marker string) string {
	return "<!-- mollyguard:plan:" + markerName(marker) + " -->"
}

var notInMarker = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// markerName is a marker in readable form, and its digest.
func markerName(marker string) string {
	digest := sha256.Sum256([]byte(marker))
	name := operation.Clip(marker, 60)
	name = strings.Trim(notInMarker.ReplaceAllString(name, "-"), "-")
	return cmp.Or(name, "plan") + ":" + hex.EncodeToString(digest[:6])
}

// escape puts a text from outside into HTML.
func escape(text string, limit int) string {
	return "<code>" + html.EscapeString(shownUpTo(text, limit)) + "</code>"
}

func writeMarkdown(w io.Writer, r Report) error {
	head := CommentMarker(r.Marker) + "\n\n### Mollyguard: " + r.verdict() + "\n\n" + planParagraph(r)
	tail := markdownEnd(r)
	c := comment{room: maxComment - len(head) - len(tail) - maxClosing}
	c.table(r.Rows, r.Left)
	c.paragraphs(r.Rows)
	_, err := io.WriteString(w, head+c.text.String()+tail)
	return err
}

func planParagraph(r Report) string {
	text := "<p>"
	if file := r.file(); file != "" {
		text += escape(file, maxCell) + ": "
	}
	return text + r.numbers() + "</p>\n\n"
}

// maxClosing is room for the closing tags and counts that follow when there is room for
// nothing else: four lines of less than 200 bytes.
const maxClosing = 1000

// comment is a text with limited room. Only whole elements are added.
type comment struct {
	text strings.Builder
	room int
}

// add adds an element if there is room for it.
func (c *comment) add(text string) bool {
	if len(text) > c.room {
		return false
	}
	c.always(text)
	return true
}

func (c *comment) always(text string) {
	c.room -= len(text)
	c.text.WriteString(text)
}

const (
	tableBegin = "<table>\n<tr><th>Address</th><th>Action</th><th>Outcome</th><th>Production because</th><th>Goes with it</th></tr>\n"
	tableEnd   = "</table>\n\n"
)

// table shows the first rows, and folds up as many of the others as leave half of the
// room to the details.
func (c *comment) table(rows []Row, left map[operation.Outcome]int) {
	if len(rows) == 0 && total(left) == 0 {
		return
	}
	whole := c.room
	c.room = whole / 2
	if len(rows) > 0 {
		c.always(tableBegin)
		open := c.rows(rows, maxOpen)
		c.always(tableEnd)
		rows = rows[open:]
		if len(rows) > 0 && open == maxOpen {
			c.always("<details>\n<summary>More changes</summary>\n" + tableBegin)
			rows = rows[c.rows(rows, len(rows)):]
			c.always(tableEnd[:len(tableEnd)-1] + "</details>\n\n")
		}
	}
	if more := tally(rows, left); total(more) > 0 {
		c.always(fmt.Sprintf("%d more are not listed: %s.\n\n", total(more), told(more)))
	}
	c.room += whole - whole/2
}

// rows adds at most so many rows, and returns how many there was room for.
func (c *comment) rows(rows []Row, most int) int {
	for i, row := range rows[:min(len(rows), most)] {
		if !c.add(tableRow(row)) {
			return i
		}
	}
	return min(len(rows), most)
}

func tableRow(row Row) string {
	optional := func(text string) string {
		if text == "" {
			return ""
		}
		return escape(text, maxCell)
	}
	outcome := row.outcome()
	if row.Decision.Refused() {
		outcome = "<b>" + outcome + "</b>"
	}
	return "<tr><td>" + escape(row.address(), maxCell) + "</td><td>" + row.action() + "</td><td>" + outcome +
		"</td><td>" + optional(row.because()) + "</td><td>" + optional(row.goesWith()) + "</td></tr>\n"
}

// paragraphs tells, folded up, all about what is not simply allowed.
func (c *comment) paragraphs(rows []Row) {
	untold := 0
	for _, row := range rows {
		if row.Decision.Outcome == operation.OutcomeAllow {
			continue
		}
		if untold > 0 || !c.add(paragraph(row)) {
			untold++
		}
	}
	if untold > 0 {
		c.always(fmt.Sprintf("Details of %d more did not fit here.\n\n", untold))
	}
}

func paragraph(row Row) string {
	var b strings.Builder
	b.WriteString("<details>\n<summary>" + escape(row.address(), maxCell) + " " + row.verdict() + "</summary>\n<ul>\n")
	for _, d := range row.details() {
		b.WriteString("<li>" + d.label + ": " + escape(d.text, maxText) + "</li>\n")
	}
	b.WriteString("</ul>\n</details>\n\n")
	return b.String()
}

// markdownEnd is what to do next, and which plan it was. It is never cut off; in the worst
// case, all of it full of quotes, it takes half of a comment.
func markdownEnd(r Report) string {
	var b strings.Builder
	if commands := r.next(); len(commands) > 0 {
		b.WriteString("What to do next:\n\n<pre><code>")
		room := 16 << 10
		for _, command := range commands {
			escaped := html.EscapeString(command) + "\n"
			if room -= len(escaped); room < 0 {
				b.WriteString("# the other command lines are too long to be shown\n")
				break
			}
			b.WriteString(escaped)
		}
		b.WriteString("</code></pre>\n\n")
	}
	lines := r.notes()
	if r.outcome() != operation.OutcomeAllow {
		lines = append(lines, r.help()...)
	}
	room := 12 << 10
	var items strings.Builder
	for i, text := range lines {
		item := "<li>" + escape(text, maxCell) + "</li>\n"
		if room -= len(item); room < 0 {
			fmt.Fprintf(&items, "<li>and %d more lines</li>\n", len(lines)-i)
			break
		}
		items.WriteString(item)
	}
	if items.Len() > 0 {
		b.WriteString("<ul>\n" + items.String() + "</ul>\n\n")
	}
	var facts []string
	for _, fact := range [][2]string{
		{"Workspace", r.Plan.Workspace}, {"Terraform", r.Plan.TerraformVersion}, {"Plan", r.Plan.Digest},
	} {
		if fact[1] != "" {
			facts = append(facts, fact[0]+" "+escape(fact[1], 100))
		}
	}
	if len(facts) > 0 {
		b.WriteString("<p>" + strings.Join(facts, ", ") + "</p>\n")
	}
	return b.String()
}
