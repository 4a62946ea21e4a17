package sink

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxText is how long a text is, in bytes: two screens of a terminal.
	maxText = 8 << 10
	// maxLine is how long one line is, in bytes, without its label: six lines of a phone.
	maxLine = 500
)

// Text tells an alert to a person, in plain text: what happened, because of what that
// is production, what went with it, who did it and by what, what was done, by what
// grant, where the entry is, and what to do next. It has at most 8 KiB, of which what to
// do next is never cut off. All that comes from outside is printable: no name can begin
// a line or end one.
func Text(a alert.Alert) string { return text(a, maxText) }

func text(a alert.Alert, limit int) string {
	last := operation.Clip(layout("", []row{{"next", next(a)}}), limit/3) + "\n"
	more := operation.Clip(layout("", closing(a, limit/3)), limit/3)
	said := layout(headline(a)+"\n", rows(a))
	return operation.Clip(said, limit-len(more)-len(last)) + more + last
}

// layout shows rows below a heading, the labels in a column.
func layout(heading string, rows []row) string {
	var b strings.Builder
	b.WriteString(heading)
	for _, r := range rows {
		for i, line := range r.lines {
			label := r.label
			if i > 0 {
				label = ""
			}
			fmt.Fprintf(&b, "\n  %-9s %s", label, line)
		}
	}
	return b.String()
}

// headline is one line.
func headline(a alert.Alert) string {
	title := shown(a.Title)
	switch {
	case a.Status == alert.Resolved:
		return "RESOLVED " + string(a.Kind) + ": " + title
	case a.Kind == alert.Test:
		return "TEST: " + title
	case a.Severity == "":
		return strings.ToUpper(string(a.Kind)) + ": " + title
	default:
		return strings.ToUpper(string(a.Severity)) + " " + string(a.Kind) + ": " + title
	}
}
