package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// The commands of a workflow
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
// The runner takes a line for a command that begins with "::", after any space, or that
// has "##[" anywhere in it (actions/runner, ActionCommand.cs). So each line written here
// begins with a command or a word of our own.

const (
	// maxAnnotations is how many of a kind GitHub shows for a step.
	maxAnnotations = 10
	// maxAnnotation is how much of one is readable, in bytes.
	maxAnnotation = 4 << 10
	// maxGroupRows is how many lines of a log anybody unfolds.
	maxGroupRows = 1000
)

func writeGitHub(w io.Writer, r Report) error {
	var b strings.Builder
	if len(r.Rows) > 0 || total(r.Left) > 0 {
		group(&b, r)
	}
	left := tally(nil, r.Left)
	for _, kind := range []struct {
		command  string
		outcomes []operation.Outcome
	}{
		{"error", []operation.Outcome{operation.OutcomeDeny, operation.OutcomeUndecided}},
		{"warning", []operation.Outcome{operation.OutcomeWarn}},
		{"notice", []operation.Outcome{operation.OutcomeAlert}},
	} {
		var rows []Row
		more := 0
		for _, outcome := range kind.outcomes {
			more += left[outcome]
			for _, row := range r.Rows {
				if outcomeWord(row.Decision.Outcome) == outcomeWord(outcome) {
					rows = append(rows, row)
				}
			}
		}
		annotate(&b, kind.command, rows, more)
	}
	for _, note := range r.notes() {
		b.WriteString(harmless("note: "+note) + "\n")
	}
	if commands := r.next(); len(commands) > 0 {
		b.WriteString(harmless("next: "+strings.Join(commands, "\nnext: ")) + "\n")
	}
	for _, text := range r.help() {
		if r.outcome() != operation.OutcomeAllow {
			b.WriteString(harmless("help: "+text) + "\n")
		}
	}
	b.WriteString(harmless("mollyguard: "+r.verdict()+": "+r.sentence()) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// group lists all changes, folded up.
func group(b *strings.Builder, r Report) {
	command(b, "group", "", "mollyguard: "+r.sentence())
	listed := r.Rows[:min(len(r.Rows), maxGroupRows)]
	for _, row := range listed {
		line := fmt.Sprintf("%-16s  %-15s  %s", row.outcome(), row.action(), row.address())
		if because := row.because(); because != "" {
			line += "  (production: " + because + ")"
		}
		b.WriteString(harmless(line) + "\n")
	}
	if left := tally(r.Rows[len(listed):], r.Left); total(left) > 0 {
		fmt.Fprintf(b, "and %d more: %s\n", total(left), told(left))
	}
	b.WriteString("::endgroup::\n")
}

// annotate writes at most maxAnnotations of a kind: if there are more, the last says how
// many.
func annotate(b *strings.Builder, name string, rows []Row, more int) {
	if more > 0 || len(rows) > maxAnnotations {
		shown := min(len(rows), maxAnnotations-1)
		more += len(rows) - shown
		rows = rows[:shown]
	}
	for _, row := range rows {
		lines := []string{row.headline()}
		for _, d := range row.details() {
			lines = append(lines, d.label+": "+d.text)
		}
		command(b, name, "mollyguard: "+row.verdict(), operation.Clip(strings.Join(lines, "\n"), maxAnnotation))
	}
	if more > 0 {
		command(b, name, "mollyguard", fmt.Sprintf("and %d more like these: the log and the table have them", more))
	}
}

// command writes one command, with a title if there is one. What stands in a title or a
// text cannot end it.
func command(b *strings.Builder, name, title, text string) {
	b.WriteString("::" + name)
	if title != "" {
		b.WriteString(" title=" + escapeProperty(title))
	}
	b.WriteString("::" + escapeData(text) + "\n")
}

// harmless takes the older form of a command apart.
func harmless(text string) string { return strings.ReplaceAll(text, "##[", "## [") }

func escapeData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(harmless(text))
}

func escapeProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(text))
}
