package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/report"
)

// parsedSuites is JUnit as those who read it see it, written anew.
type parsedSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	parsedCounts
	Suites []struct {
		parsedCounts
		Name  string       `xml:"name,attr"`
		Cases []parsedCase `xml:"testcase"`
	} `xml:"testsuite"`
}

type parsedCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
}

type parsedCase struct {
	Class    string   `xml:"classname,attr"`
	Name     string   `xml:"name,attr"`
	Failures []string `xml:"failure"`
	Errors   []string `xml:"error"`
}

func parseJUnit(text string) (parsedSuites, error) {
	decoder := xml.NewDecoder(strings.NewReader(text))
	var suites parsedSuites
	if err := decoder.Decode(&suites); err != nil {
		return suites, err
	}
	if token, err := decoder.Token(); err == nil {
		if rest, ok := token.(xml.CharData); !ok || strings.TrimSpace(string(rest)) != "" {
			return suites, fmt.Errorf("something after the end: %v", token)
		}
	} else if !errors.Is(err, io.EOF) {
		return suites, err
	}
	return suites, nil
}

// checkJUnit reads a text strictly, and counts for itself.
func checkJUnit(text string) error {
	suites, err := parseJUnit(text)
	if err != nil {
		return err
	}
	if len(suites.Suites) != 1 {
		return fmt.Errorf("%d suites", len(suites.Suites))
	}
	var got parsedCounts
	for _, c := range suites.Suites[0].Cases {
		got.Tests++
		got.Failures += len(c.Failures)
		got.Errors += len(c.Errors)
		if c.Class == "" || c.Name == "" {
			return fmt.Errorf("a case without a name: %+v", c)
		}
	}
	if got != suites.parsedCounts || got != suites.Suites[0].parsedCounts || got.Tests == 0 {
		return fmt.Errorf("counted %+v, told %+v and %+v", got, suites.parsedCounts, suites.Suites[0].parsedCounts)
	}
	return nil
}

func TestJUnitCanBeReadAndAddsUp(t *testing.T) {
	for name, r := range reports() {
		if err := checkJUnit(written(t, "junit", r)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatWasOnlyCountedFailsTheSuiteToo(t *testing.T) {
	r := report.Report{Left: map[operation.Outcome]int{operation.OutcomeDeny: 2, operation.OutcomeUndecided: 1, operation.OutcomeAllow: 5}}
	suites, err := parseJUnit(written(t, "junit", r))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parsedCounts{Tests: 3, Failures: 1, Errors: 1}, suites.parsedCounts); diff != "" {
		t.Error(diff)
	}
}

func TestTheClassOfACaseIsItsModule(t *testing.T) {
	for address, want := range map[string]string{
		"google_sql_database.a":                              "root module",
		"module.a.google_sql_database.b":                     "module.a",
		"module.a.module.b[3].google_sql_database.c":         "module.a.module.b[3]",
		`module.a["x.module.y"].google_sql_database.b`:       `module.a["x.module.y"]`,
		`module.a["x\"].b.c"].module.d.google_sql_user.e`:    `module.a["x\"].b.c"].module.d`,
		`google_sql_database.a["module.b"]`:                  "root module",
		`module.a.data.google_project.b`:                     "module.a",
		"module.a":                                           "module.a",
		`module.a["x`:                                        `module.a["x`,
		`module.a["x\`:                                       `module.a["x\`,
		"module..x":                                          "module.",
		`module.a.google_compute_instance.b["module.c.d.e"]`: "module.a",
	} {
		suites, err := parseJUnit(written(t, "junit", report.Report{Rows: rows(decision(address, operation.Delete, operation.OutcomeDeny))}))
		if err != nil {
			t.Fatal(err)
		}
		if got := suites.Suites[0].Cases[0].Class; got != want {
			t.Errorf("%s: class %q, want %q", address, got, want)
		}
	}
}
