package report_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// endings are those of the golden files, by the formats that Write writes.
func endings() map[string]string {
	return map[string]string{"table": "txt", "sarif": "sarif", "junit": "xml", "github": "log", "markdown": "md"}
}

func TestEachFormatTellsEachReport(t *testing.T) {
	for name, r := range reports() {
		for format, ending := range endings() {
			t.Run(name+" as "+format, func(t *testing.T) { golden(t, name+"."+ending, written(t, format, r)) })
		}
	}
}

func TestFormatsAreAllReportsAndTheRecord(t *testing.T) {
	want := []string{"table", "json", "sarif", "junit", "github", "markdown"}
	if diff := cmp.Diff(want, report.Formats()); diff != "" {
		t.Errorf("formats (-want +got):\n%s", diff)
	}
	for format := range endings() {
		if !slices.Contains(want, format) {
			t.Errorf("%s is not among them", format)
		}
	}
	if len(endings())+1 != len(want) {
		t.Errorf("%d formats are tried", len(endings()))
	}
}

func TestARecordIsALineForEachDecision(t *testing.T) {
	var lines strings.Builder
	for _, row := range reports()["medium"].Rows {
		if err := report.WriteRecord(&lines, row.Decision); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "medium.jsonl", lines.String())
	if err := report.WriteRecord(broken{}, operation.Decision{}); !errors.Is(err, errBroken) {
		t.Errorf("a writer that fails: %v", err)
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	for _, format := range []string{"yaml", report.JSON} {
		err := report.Write(io.Discard, format, report.Report{})
		want := fmt.Sprintf("output format %q is none of table, sarif, junit, github, markdown", format)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

type broken struct{}

var errBroken = errors.New("pipe closed")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestAWriterThatFailsIsTold(t *testing.T) {
	small := reports()["small"]
	for format := range endings() {
		if err := report.Write(broken{}, format, small); !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

func TestWriteLeavesTheReportAlone(t *testing.T) {
	before, now := reports(), reports()
	for _, r := range now {
		for format := range endings() {
			if err := report.Write(io.Discard, format, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(before, now); diff != "" {
		t.Error(diff)
	}
}

func TestTheWorstOutcomeIsTheHeadline(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report report.Report
		want   string
	}{
		{"nothing at all", report.Report{}, "no destructive changes"},
		{"destroyed and not judged", report.Report{Plan: report.Summary{Destroys: 1, Outcome: operation.OutcomeAllow}}, "plan could not be judged"},
		{"a row that is worse than what was said", report.Report{Plan: report.Summary{Outcome: operation.OutcomeAllow}, Rows: rows(decision("a.b", operation.Delete, operation.OutcomeDeny))}, "plan denied"},
		{"a denied one that was only counted", report.Report{Left: map[operation.Outcome]int{operation.OutcomeDeny: 1}}, "plan denied"},
		{"an outcome of a later version", report.Report{Rows: rows(decision("a.b", operation.Delete, "hold"))}, "plan could not be judged"},
		{"no outcome", report.Report{Rows: rows(decision("a.b", operation.Delete, ""))}, "plan could not be judged"},
		{"alerts", report.Report{Rows: rows(decision("a.b", operation.Delete, operation.OutcomeAlert))}, "plan allowed, people are alerted"},
		{"warnings", report.Report{Rows: rows(decision("a.b", operation.Delete, operation.OutcomeWarn))}, "plan allowed, with warnings"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, rest, _ := strings.Cut(written(t, "markdown", tt.report), "### Mollyguard: ")
			got, _, _ := strings.Cut(rest, "\n")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutcomesAreColouredOnlyIfAsked(t *testing.T) {
	r := reports()["medium"]
	if text := written(t, "table", r); strings.Contains(text, "\x1b") {
		t.Error("an escape sequence that nobody asked for")
	}
	r.Colors = true
	text := written(t, "table", r)
	for _, want := range []string{"\x1b[31mdenied\x1b[0m", "\x1b[33mwarned\x1b[0m", "allowed by grant"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if plain := strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(text); plain != written(t, "table", reports()["medium"]) {
		t.Error("colours move the columns")
	}
}

func TestNoHostileNameMovesTheTerminal(t *testing.T) {
	for _, line := range strings.Split(written(t, "table", reports()["hostile"]), "\n") {
		if line != operation.Printable(line) {
			t.Errorf("%q", line)
		}
	}
}
