package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// What GitHub takes: 5,000 results of a run are shown (25,000 accepted), and 1,024
// characters of a rule's texts.
const (
	maxResults  = 5000
	maxRuleText = 1024
	maxRuleName = 255
)

const (
	homepage     = "https://github.com/mollyguard/mollyguard"
	policiesPage = homepage + "/blob/main/docs/policies.md"
)

// sarifBuilder collects results, and the rules that they are of in the order of their
// first.
type sarifBuilder struct {
	report  Report
	uri     string
	rules   []sarifRule
	ranks   []int
	index   map[string]int
	results []sarifResult
	missing int
}

func writeSARIF(w io.Writer, r Report) error {
	b := sarifBuilder{
		report: r, uri: fileURI(r.Plan.File), index: map[string]int{},
		rules: []sarifRule{}, results: []sarifResult{}, // null is no list
	}
	for _, row := range r.Rows {
		b.row(row)
	}
	invocation := sarifInvocation{Successful: true}
	var gaps []string
	if b.missing > 0 {
		gaps = append(gaps, fmt.Sprintf("%d more results are not listed", b.missing))
	}
	if left := tally(nil, r.Left); total(left) > 0 {
		gaps = append(gaps, fmt.Sprintf("%d more decisions are not listed: %s", total(left), told(left)))
	}
	for _, text := range append(gaps, r.notes()...) {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{"note", sarifText{plain(text)}})
	}
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{"mollyguard", homepage, b.rules}},
		Invocations: []sarifInvocation{invocation},
		Results:     b.results,
		Properties: map[string]any{
			"outcome": r.outcome(), "summary": r.sentence(), "digest": shown(r.Plan.Digest), "workspace": shown(r.Plan.Workspace),
			"terraformVersion": shown(r.Plan.TerraformVersion), "managed": r.Plan.Managed, "destroys": r.Plan.Destroys, "share": r.Plan.Share,
		},
	}
	if r.Marker != "" {
		// GitHub's category is what stands before the last slash: plans of several folders
		// do not replace each other's results.
		run.Automation = &sarifAutomation{"mollyguard/" + markerName(r.Marker) + "/"}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}})
}

// row adds a result for each violation, and one for what is refused without any.
func (b *sarifBuilder) row(row Row) {
	d := row.Decision
	refused := false
	for _, v := range effective(d) {
		refused = refused || v.Enforcement == operation.EnforceDeny
		b.add(row, v)
	}
	if d.Refused() && !refused {
		b.add(row, operation.Violation{
			Policy: outcomeWord(d.Outcome), Severity: operation.High, Enforcement: operation.EnforceDeny,
			Message: cmp.Or(d.Error, "it was refused, and no policy says why"),
		})
	}
}

func (b *sarifBuilder) add(row Row, v operation.Violation) {
	if len(b.results) == maxResults {
		b.missing++
		return
	}
	d := row.Decision
	message := row.headline() + ": " + shown(v.Message)
	if because := row.because(); because != "" {
		message += "; production because of " + because
	}
	if with := row.goesWith(); with != "" {
		message += "; goes with it: " + with
	}
	index := b.rule(v)
	// GitHub tells results of one line apart by primaryLocationLineHash alone.
	hash := sha256.Sum256([]byte(v.Policy + "\x00" + row.lasting() + "\x00" + string(d.Verb)))
	result := sarifResult{
		RuleID: b.rules[index].ID, RuleIndex: index, Level: levelOf(v.Enforcement), Message: sarifText{plain(message)},
		Locations: []sarifLocation{{
			Physical: sarifPhysical{Artifact: sarifArtifact{b.uri}, Region: sarifRegion{1}},
			Logical:  []sarifLogical{{row.address(), "resource"}},
		}},
		Fingerprints: map[string]string{
			"primaryLocationLineHash": hex.EncodeToString(hash[:8]) + ":1",
			"mollyguardChange/v1":     hex.EncodeToString(hash[:]),
		},
		Properties: map[string]any{
			"action": row.action(), "outcome": d.Outcome, "severity": v.Severity, "production": d.Production.Is,
			"decision": shown(d.ID), "object": shown(d.Target.Ref),
		},
	}
	if why := lifted(d, v); why != "" {
		result.Suppressions = []sarifSuppression{{"external", "accepted", plain(why)}}
	}
	b.results = append(b.results, result)
}

// lasting is what stays the same of a change from plan to plan. A plan's own name is
// another each time.
func (r Row) lasting() string {
	if r.isPlan() {
		return ""
	}
	return cmp.Or(r.Decision.Address, r.Decision.Target.Ref)
}

// lifted says what a violation was let through by, or is empty.
func lifted(d operation.Decision, v operation.Violation) string {
	switch {
	case d.Refused():
	case d.Exempt != "":
		return "exemption: " + shown(d.Exempt)
	case d.Grant != "" && v.Enforcement == operation.EnforceDeny:
		return "break-glass grant " + shown(d.Grant)
	}
	return ""
}

// rule returns the index of a violation's policy. A policy is as bad as its worst
// violation.
func (b *sarifBuilder) rule(v operation.Violation) int {
	id := cmp.Or(shownUpTo(v.Policy, maxRuleName), "unnamed")
	index, known := b.index[id]
	if !known {
		index = len(b.rules)
		b.index[id] = index
		about := b.report.Policies[v.Policy]
		page := cmp.Or(webURL(about.Runbook), policiesPage+"#"+url.PathEscape(id))
		title := plain(cmp.Or(shownUpTo(about.Title, maxRuleText), "Policy "+id))
		b.rules = append(b.rules, sarifRule{
			ID: id, Short: sarifText{title}, Full: sarifText{title}, HelpURI: page,
			Help: sarifText{"What it refuses, why, and what to do if the change is meant: " + page},
		})
		b.ranks = append(b.ranks, -1)
	}
	if v.Severity.Rank() > b.ranks[index] {
		b.ranks[index] = v.Severity.Rank()
		level, problem, score := gravity(v.Severity)
		b.rules[index].Default = sarifLevel{level}
		b.rules[index].More = map[string]any{
			"tags": []string{"security", "terraform"}, "problem.severity": problem, "security-severity": score,
		}
	}
	return index
}

// gravity is a severity in SARIF's words and GitHub's: the score is in the middle of what
// it calls critical (above 9), high (7), medium (4) and low.
func gravity(s operation.Severity) (level, problem, score string) {
	switch s {
	case operation.Low:
		return "note", "recommendation", "2.0"
	case operation.Medium:
		return "warning", "warning", "5.5"
	case operation.Critical:
		return "error", "error", "9.5"
	}
	return "error", "error", "8.0"
}

func levelOf(e operation.Enforcement) string {
	switch e {
	case operation.EnforceWarn:
		return "warning"
	case operation.EnforceAlert:
		return "note"
	}
	return "error"
}

// plain makes a SARIF message of a printable text: [text](where) would be a link in it
// (section 3.11.6).
func plain(text string) string { return strings.ReplaceAll(text, "](", "] (") }

// fileURI is the plan's file as a URI reference, relative as it was given.
func fileURI(file string) string {
	if file == "" || file == "-" {
		file = "plan.json"
	}
	file = filepath.ToSlash(operation.Clip(file, maxText))
	u := url.URL{Path: file}
	if strings.HasPrefix(file, "/") {
		u.Scheme = "file"
	}
	return u.String()
}

// webURL returns a link to a site, or an empty text if it is none.
func webURL(text string) string {
	to, err := url.Parse(text)
	if err != nil || len(text) > maxText || to.Scheme != "https" && to.Scheme != "http" || to.Host == "" || to.User != nil {
		return ""
	}
	return to.String()
}
