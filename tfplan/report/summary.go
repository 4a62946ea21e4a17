package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// worstFirst are the outcomes in the order in which they are told.
func worstFirst() []operation.Outcome {
	return []operation.Outcome{
		operation.OutcomeDeny, operation.OutcomeUndecided, operation.OutcomeWarn, operation.OutcomeAlert, operation.OutcomeAllow,
	}
}

// known is the outcome itself, or undecided if there is no such outcome.
func known(o operation.Outcome) operation.Outcome {
	if slices.Contains(worstFirst(), o) {
		return o
	}
	return operation.OutcomeUndecided
}

// tally counts rows by outcome. The plan as a whole is not one of its changes.
func tally(rows []Row, left map[operation.Outcome]int) map[operation.Outcome]int {
	counts := map[operation.Outcome]int{}
	for _, row := range rows {
		if !row.isPlan() {
			counts[known(row.Decision.Outcome)]++
		}
	}
	for outcome, n := range left {
		counts[known(outcome)] += n
	}
	return counts
}

func total(counts map[operation.Outcome]int) int {
	n := 0
	for _, count := range counts {
		n += count
	}
	return n
}

// told is a tally in words, such as "3 denied, 48 allowed".
func told(counts map[operation.Outcome]int) string {
	var texts []string
	for _, outcome := range worstFirst() {
		if n := counts[outcome]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, outcomeWord(outcome)))
		}
	}
	return strings.Join(texts, ", ")
}

// outcome is the worst there is.
func (r Report) outcome() operation.Outcome {
	worst := known(cmp.Or(r.Plan.Outcome, operation.OutcomeAllow))
	take := func(o operation.Outcome) {
		if outcomeRank(o) > outcomeRank(worst) {
			worst = known(o)
		}
	}
	for _, row := range r.Rows {
		take(row.Decision.Outcome)
	}
	for outcome, n := range r.Left {
		if n > 0 {
			take(outcome)
		}
	}
	if r.Plan.Destroys > 0 && len(r.Rows) == 0 && total(r.Left) == 0 {
		take(operation.OutcomeUndecided) // nobody looked at what would go
	}
	return worst
}

// file is the plan's name, or empty if it has none.
func (r Report) file() string {
	if r.Plan.File == "-" {
		return ""
	}
	return shown(r.Plan.File)
}

// numbers is the sentence that sums up: how much there is, how much of it would go, and
// what the answers are.
func (r Report) numbers() string {
	counts := told(tally(r.Rows, r.Left))
	at := slices.IndexFunc(r.Rows, Row.isPlan)
	if at >= 0 {
		whole := r.Rows[at].address() + " " + r.Rows[at].outcome()
		counts = either(counts == "", whole, counts+"; "+whole)
	}
	goes := fmt.Sprintf("%d would go (%d %%)", r.Plan.Destroys, r.Plan.Share)
	switch {
	case r.Plan.Destroys == 0 && counts == "":
		return fmt.Sprintf("%d managed, no destructive changes", r.Plan.Managed)
	case r.Plan.Destroys == 0:
		goes = "none would go"
	case counts == "":
		counts = "nothing judged"
	}
	return fmt.Sprintf("%d managed, %s: %s", r.Plan.Managed, goes, counts)
}

// sentence is numbers with the plan's name.
func (r Report) sentence() string {
	return strings.TrimSpace("Plan "+r.file()) + ": " + r.numbers()
}

// verdict is the headline.
func (r Report) verdict() string {
	switch r.outcome() {
	case operation.OutcomeDeny:
		return "plan denied"
	case operation.OutcomeWarn:
		return "plan allowed, with warnings"
	case operation.OutcomeAlert:
		return "plan allowed, people are alerted"
	case operation.OutcomeAllow:
		if len(r.Rows) == 0 && total(r.Left) == 0 {
			return "no destructive changes"
		}
		return "plan allowed"
	}
	return "plan could not be judged"
}

// maxNotes is how many notes, and lines of help, are shown.
const maxNotes = 20

// notes are the sentences on the plan.
func (r Report) notes() []string {
	var list []string
	for _, note := range r.Notes[:min(len(r.Notes), maxNotes)] {
		list = append(list, shownUpTo(note, 300))
	}
	if more := len(r.Notes) - maxNotes; more > 0 {
		list = append(list, fmt.Sprintf("and %d more notes", more))
	}
	return list
}

// next are the command lines. A command that is cut off would be another one, so what is
// too long is replaced by a sentence as a whole.
func (r Report) next() []string {
	const maxCommand = 2 << 10 // a path of 1,024 bytes, with quotes
	var list []string
	for _, command := range r.Next[:min(len(r.Next), maxList)] {
		if len(command) > maxCommand {
			command = "# a command line is too long to be shown: use a shorter path"
		}
		if command = operation.Printable(strings.TrimSpace(command)); command != "" {
			list = append(list, command)
		}
	}
	return list
}

// help are the lines of the help text.
func (r Report) help() []string {
	var list []string
	for _, text := range strings.Split(strings.TrimSpace(operation.Clip(r.Help, 4<<10)), "\n") {
		if text = strings.TrimSpace(text); text != "" && len(list) < maxNotes {
			list = append(list, shownUpTo(text, 300))
		}
	}
	return list
}
