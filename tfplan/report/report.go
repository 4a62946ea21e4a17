// Package report turns the decisions on a Terraform plan into what people and tools
// read: a table for a terminal, JSON lines, SARIF, JUnit, GitHub's workflow commands and
// the comment on a pull request.
//
// Names in a plan come from whoever wrote it, and a comment is shown with the rights of a
// bot. So each format has one place where outside text enters (see operation.Printable,
// and escape in the format's file), and nothing that stands in a name can begin a line, a
// command, a link, a mention or an element there. Labels and values of attributes are
// never shown, only the words of Decision.Changes.
//
// All formats say the same: what was not listed, for lack of room, is counted.
package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Report is all that is told of a plan. Write does not change it.
type Report struct {
	Plan Summary
	// Rows are the decisions that are told in detail, in any order.
	Rows []Row
	// Left counts further decisions by their outcome: those that a Collector dropped.
	Left map[operation.Outcome]int
	// Next are the command lines that lead on, ready to be pasted into a shell.
	Next []string
	// Help is the configuration's help text: whom to ask and where to read.
	Help string
	// Notes are sentences on the plan, such as "1 change is deferred to a later plan".
	Notes []string
	// Marker tells plans of the same repository apart, such as by folder and workspace,
	// and is the same for the next plan of the same folder. The comment on a pull request
	// begins with it, see CommentMarker, so that the next one takes its place.
	Marker string
	// Policies says more of the policies by their names; it need not have all.
	Policies map[string]Policy
	// Colors colours the outcomes in a table.
	Colors bool
}

// Summary is what is told of the plan as a whole.
type Summary struct {
	// File is the plan's name as it was given, "-" for standard input.
	File string
	// Digest is the SHA-256 digest of the plan, in hexadecimal.
	Digest                      string
	TerraformVersion, Workspace string
	// Managed is how many resources the state holds, Destroys how many of them would go,
	// Share how much that is in percent, Changes how many changes the plan has in all.
	Managed, Destroys, Share, Changes int
	// Outcome is the worst of all decisions; empty stands for the worst of those in the
	// report.
	Outcome operation.Outcome
}

// Row is one decision.
type Row struct {
	Decision operation.Decision
	// Created says that the change makes the object, see operation.Target.Created.
	Created bool
}

// Policy says what a policy is about.
type Policy struct {
	// Title is one sentence, Runbook the URL of a page; either may be empty.
	Title, Runbook string
}

type format struct {
	name  string
	write func(io.Writer, Report) error
}

func formats() []format {
	return []format{
		{"table", writeTable}, {"sarif", writeSARIF}, {"junit", writeJUnit}, {"github", writeGitHub}, {"markdown", writeMarkdown},
	}
}

// JSON is the format that is no report but the record, a line a decision: a report does not
// keep them all. WriteRecord writes it.
const JSON = "json"

// Formats lists what the answer on a plan can be told in, the one for people first: all
// that Write can write, and JSON.
func Formats() []string { return slices.Insert(reports(), 1, JSON) }

func reports() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Write writes a report in one of Formats but JSON. The same report gives the same text. It
// fails if the format is another, or if w fails.
func Write(w io.Writer, format string, r Report) error {
	for _, f := range formats() {
		if f.name != format {
			continue
		}
		r.Rows = slices.Clone(r.Rows)
		slices.SortStableFunc(r.Rows, compare)
		buffered := bufio.NewWriter(w)
		if err := errors.Join(f.write(buffered, r), buffered.Flush()); err != nil {
			return fmt.Errorf("write the report as %s: %w", format, err)
		}
		return nil
	}
	return fmt.Errorf("output format %q is none of %s", format, strings.Join(reports(), ", "))
}
