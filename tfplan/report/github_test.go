package report_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

var (
	ourCommand = regexp.MustCompile(`^::(group|endgroup|error|warning|notice)(?: title=([^:,\r\n]*))?::(.*)$`)
	ourLine    = regexp.MustCompile(`^(?:denied|undecided|warned|alerted|allowed|and \d+ more: |note: |next: |help: |mollyguard: )`)
	badEscape  = regexp.MustCompile(`%(?:$|[^203]|2[^5C]|0[^AD]|3[^A])`)
)

// parseCommands reads a log as the runner does, and returns how many commands of each
// name there are. What is neither a command of ours nor a line of ours is an error.
func parseCommands(log string) (map[string]int, error) {
	seen := map[string]int{}
	for _, line := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		switch {
		case strings.Contains(line, "##["):
			return nil, fmt.Errorf("a command of the older form: %q", line)
		case strings.ContainsFunc(line, unicode.IsControl):
			return nil, fmt.Errorf("a control character: %q", line)
		case !strings.HasPrefix(strings.TrimSpace(line), "::"):
			if !ourLine.MatchString(line) {
				return nil, fmt.Errorf("not a line of ours: %q", line)
			}
			continue
		}
		parts := ourCommand.FindStringSubmatch(line)
		if parts == nil || badEscape.MatchString(parts[2]) || badEscape.MatchString(parts[3]) {
			return nil, fmt.Errorf("not a command of ours: %q", line)
		}
		seen[parts[1]]++
	}
	return seen, nil
}

func TestNoNameMakesACommand(t *testing.T) {
	want := map[string]map[string]int{
		"empty":   {},
		"small":   {"group": 1, "endgroup": 1, "error": 1},
		"medium":  {"group": 1, "endgroup": 1, "error": 4, "warning": 2, "notice": 1},
		"hostile": {"group": 1, "endgroup": 1, "error": 7, "warning": 3, "notice": 3},
		"huge":    {"group": 1, "endgroup": 1, "error": 10},
	}
	for name, r := range reports() {
		got, err := parseCommands(written(t, "github", r))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheCheckOfLogsFindsAttacks(t *testing.T) {
	for _, line := range []string{
		"::add-mask::x", "  ::set-output name=a::b", "denied ##[add-mask]x", "::error file=a::b", "::error title=a:b::c", "anything",
		"::error::a%", "::error::%41", "denied \r::error::x",
	} {
		if _, err := parseCommands(line); err == nil {
			t.Errorf("%q is not found", line)
		}
	}
}

func TestAnnotationsBeyondTheTenthAreCounted(t *testing.T) {
	for n, want := range map[int]string{10: "", 11: "and 2 more like these", 30: "and 21 more like these"} {
		var r report.Report
		for i := range n {
			r.Rows = append(r.Rows, report.Row{Decision: decision(fmt.Sprintf("a.b[%02d]", i), operation.Delete, operation.OutcomeWarn)})
		}
		log := written(t, "github", r)
		if got := strings.Count(log, "\n::warning"); got != 10 {
			t.Errorf("%d rows: %d annotations", n, got)
		}
		if want != "" != strings.Contains(log, "like these") || !strings.Contains(log, want) {
			t.Errorf("%d rows: no %q in\n%s", n, want, log)
		}
	}
}

func FuzzNoTextBreaksOut(f *testing.F) {
	for _, name := range hostile() {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		d := violated(production(decision(name, operation.Delete, operation.OutcomeDeny), text), name, operation.Severity(text), operation.EnforceDeny, text)
		d.ID, d.Target.Ref, d.Target.Kind, d.Changes, d.Error = text, text, name, []string{name, text}, text
		d.Grant, d.Exempt, d.Also = text, text, []operation.Verb{operation.Verb(text)}
		d.Dependents = []operation.Dependents{{Kind: text, Via: operation.Contained, Count: 2, Names: []string{name, text}}, {Kind: name, Via: operation.Via(text)}}
		d.Volumes = []operation.Volume{{Claim: text, Name: name, ReclaimPolicy: text}}
		other := d
		other.Outcome, other.Verb, other.Phase = operation.Outcome(text), operation.Verb(name), operation.Finished
		allowed := d
		allowed.Outcome = operation.OutcomeAllow
		r := report.Report{
			Plan:  report.Summary{File: name, Digest: text, Workspace: text, TerraformVersion: name, Outcome: operation.Outcome(name)},
			Rows:  rows(d, other, allowed),
			Left:  map[operation.Outcome]int{operation.Outcome(text): 2},
			Next:  []string{text, name},
			Help:  text,
			Notes: []string{name, text}, Marker: name,
		}
		if err := checkMarkdown(written(t, "markdown", r)); err != nil {
			t.Error(err)
		}
		if _, err := parseCommands(written(t, "github", r)); err != nil {
			t.Error(err)
		}
		if err := checkJUnit(written(t, "junit", r)); err != nil {
			t.Error(err)
		}
		for _, line := range strings.Split(written(t, "table", r), "\n") {
			if line != operation.Printable(line) {
				t.Errorf("the table has %q", line)
			}
		}
	})
}
