package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// The elements that Jenkins, GitLab and GitHub's test reporters have in common
// (https://github.com/testmoapp/junitxml). encoding/xml escapes what must be, and the
// control characters that XML cannot hold are gone before, see shown.

type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Suite    junitSuite
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Facts    []junitFact `xml:"properties>property"`
	Cases    []junitCase `xml:"testcase"`
	Out      string      `xml:"system-out,omitempty"`
}

type junitFact struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, r Report) error {
	suite := junitSuite{
		Name: strings.TrimSpace("mollyguard plan " + r.file()),
		Facts: []junitFact{
			{"outcome", string(r.outcome())}, {"digest", shown(r.Plan.Digest)}, {"workspace", shown(r.Plan.Workspace)},
			{"terraform_version", shown(r.Plan.TerraformVersion)},
		},
		Out: strings.Join(append([]string{r.sentence()}, r.notes()...), "\n"),
	}
	for _, row := range r.Rows {
		suite.add(caseOf(row))
	}
	left := tally(nil, r.Left)
	for _, outcome := range worstFirst() {
		if n := left[outcome]; n > 0 {
			text := fmt.Sprintf("%d more changes %s, not listed one by one", n, outcomeWord(outcome))
			suite.add(judged(junitCase{Class: "plan", Name: text}, outcome, &junitProblem{Message: text, Type: outcomeWord(outcome)}))
		}
	}
	if len(suite.Cases) == 0 { // an empty suite is a mistake to some who read it
		suite.add(junitCase{Class: "plan", Name: r.verdict()})
	}
	suites := junitSuites{Name: "mollyguard", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Suite: suite}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
}

// judged puts what is told of a case where its outcome belongs.
func judged(c junitCase, o operation.Outcome, p *junitProblem) junitCase {
	switch o {
	case operation.OutcomeAllow:
	case operation.OutcomeDeny:
		c.Failure = p
	case operation.OutcomeWarn, operation.OutcomeAlert:
		c.Out = strings.TrimSpace(p.Message + "\n" + p.Text)
	default:
		c.Error = p
	}
	return c
}

func caseOf(row Row) junitCase {
	var lines, policies []string
	for _, d := range row.details() {
		lines = append(lines, d.String())
	}
	for _, v := range effective(row.Decision) {
		if v.Enforcement == operation.EnforceDeny {
			policies = append(policies, shownUpTo(v.Policy, maxRuleName))
		}
	}
	class := cmp.Or(shown(moduleOf(row.Decision.Address)), "root module")
	if row.isPlan() {
		class = "plan"
	}
	problem := &junitProblem{
		Message: row.headline(), Type: cmp.Or(strings.Join(some(policies), ", "), outcomeWord(row.Decision.Outcome)),
		Text: strings.Join(lines, "\n"),
	}
	return judged(junitCase{Class: class, Name: row.address() + ": " + row.action()}, row.Decision.Outcome, problem)
}
