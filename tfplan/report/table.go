package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mollyguard/mollyguard/operation"
)

// A table has what somebody scrolls through. Its columns take at most 194 characters: a
// terminal over a wide screen, and less if what is in them is shorter.
const (
	maxTableRows = 200
	maxParagraph = 20
	wideAddress  = 60
	wideAction   = 24
	wideBecause  = 46
	wideGoesWith = 36
)

func writeTable(w io.Writer, r Report) error {
	var b strings.Builder
	listed := r.Rows[:min(len(r.Rows), maxTableRows)]
	if len(listed) > 0 {
		writeCells(&b, listed, r.Colors)
	}
	if left := tally(r.Rows[len(listed):], r.Left); total(left) > 0 {
		fmt.Fprintf(&b, "and %d more: %s\n", total(left), told(left))
	}
	told := 0
	for _, row := range r.Rows {
		if row.Decision.Outcome == operation.OutcomeAllow {
			continue
		}
		if told++; told > maxParagraph {
			b.WriteString("\nDetails of the others are in the JSON lines (-o json).\n")
			break
		}
		writeParagraph(&b, row)
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	b.WriteString(r.sentence() + "\n")
	for _, note := range r.notes() {
		b.WriteString("Note: " + note + "\n")
	}
	if commands := r.next(); len(commands) > 0 {
		b.WriteString("\nNext:\n  " + strings.Join(commands, "\n  ") + "\n")
	}
	if help := r.help(); len(help) > 0 && r.outcome() != operation.OutcomeAllow {
		b.WriteString("\n" + strings.Join(help, "\n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCells lines the cells up, as kubectl does.
func writeCells(b *strings.Builder, rows []Row, colors bool) {
	table := [][5]string{{"ADDRESS", "ACTION", "OUTCOME", "PRODUCTION BECAUSE", "GOES WITH IT"}}
	for _, row := range rows {
		table = append(table, [5]string{
			narrow(row.address(), wideAddress), narrowEnd(row.action(), wideAction), row.outcome(),
			cmp.Or(narrowEnd(row.because(), wideBecause), "-"), cmp.Or(narrowEnd(row.goesWith(), wideGoesWith), "-"),
		})
	}
	var widths [5]int
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	const outcomeColumn, gap = 2, 3
	for n, cells := range table {
		var line strings.Builder
		for i, cell := range cells {
			padding := strings.Repeat(" ", widths[i]+gap-utf8.RuneCountInString(cell))
			if i == outcomeColumn && n > 0 && colors {
				cell = coloured(cell, rows[n-1].Decision.Outcome)
			}
			line.WriteString(cell + padding)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// coloured is red for what is refused and yellow for what people should look at
// (ECMA-48, select graphic rendition).
func coloured(text string, o operation.Outcome) string {
	switch o {
	case operation.OutcomeAllow:
		return text
	case operation.OutcomeWarn, operation.OutcomeAlert:
		return "\x1b[33m" + text + "\x1b[0m"
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

// writeParagraph tells all about a change, under a line that says what became of it.
func writeParagraph(b *strings.Builder, row Row) {
	b.WriteString("\n" + row.headline() + "\n\n")
	last := ""
	for _, d := range row.details() {
		if d.label == last {
			d.label = ""
		} else {
			last = d.label
		}
		b.WriteString("  " + d.String() + "\n")
	}
}

// narrow cuts the middle out of an address: its beginning is the module, and its end what
// it is.
func narrow(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	begin := width / 3
	end := width - begin - 1
	return string(runes[:begin]) + "…" + string(runes[len(runes)-end:])
}

func narrowEnd(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
