package alert

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// weight is what people are to be told of a decision.
type weight struct {
	kind     Kind
	severity operation.Severity
}

// weigh says what a decision is to people; ok is false if it is nothing to them.
//
// A grant makes a notice only of what it lifted: an alert that is left is one.
func weigh(d operation.Decision) (w weight, ok bool) {
	if d.DryRun || d.Outcome == operation.OutcomeAllow && d.Grant == "" {
		return weight{}, false
	}
	switch stateOf(d) {
	case stateFailed:
		return weight{Attempt, operation.Low}, true
	case stateRefused:
		if d.Phase != operation.Requested || d.Outcome != operation.OutcomeUndecided {
			return weight{Attempt, operation.Low}, true
		}
	}
	switch {
	case d.Outcome == operation.OutcomeAllow, d.Outcome == operation.OutcomeWarn && d.Grant != "":
		return weight{Notice, operation.Low}, true
	case d.Outcome == operation.OutcomeWarn:
		return weight{Violation, operation.Low}, true
	case d.Outcome == operation.OutcomeUndecided:
		return weight{Violation, worse(operation.High, policySeverity(d))}, true
	}
	return weight{Violation, policySeverity(d)}, true
}

// policySeverity is the worst that policies say of it.
func policySeverity(d operation.Decision) operation.Severity {
	alarming := func(v operation.Violation) bool {
		return v.Enforcement == operation.EnforceDeny || v.Enforcement == operation.EnforceAlert
	}
	severity, any := operation.Low, slices.ContainsFunc(d.Violations, alarming)
	for _, v := range d.Violations {
		if v.Enforcement == operation.EnforceOff || any && !alarming(v) {
			continue
		}
		if !slices.Contains(v.Severity.Values(), string(v.Severity)) {
			v.Severity = operation.High
		}
		severity = worse(severity, v.Severity)
	}
	if len(d.Violations) == 0 && d.Grant == "" {
		return operation.High // nobody says how bad it is
	}
	return severity
}

// stateOf says what became of an operation. One that a door refuses was not done,
// whether it was denied or could not be judged.
func stateOf(d operation.Decision) state {
	switch d.Phase {
	case operation.Finished:
		return stateDone
	case operation.Failed:
		return stateFailed
	case operation.Refused:
		return stateRefused
	case operation.Requested:
		if d.Refused() {
			return stateRefused
		}
	}
	return stateGoing
}

// operationOf is a decision in short.
func operationOf(d operation.Decision) Operation {
	o := Operation{
		Decision: clip(d.ID, maxName), Time: kept(d.Time), Verb: clipped(d.Verb, maxName), Phase: clipped(d.Phase, maxName), Outcome: clipped(d.Outcome, maxName),
		Severity: policySeverity(d), Target: clipReference(d.Target), Project: clip(d.Project, maxName), Location: clip(d.Location, maxName),
		Production: d.Production.Is, Because: clipList(d.Production.Because, maxText), Changes: clipList(d.Changes, maxText),
		Unknown: clipList(d.Unknown, maxText), Grant: clip(d.Grant, maxName), GrantRefused: clipList(d.GrantRefused, maxText),
		Exempt: clip(d.Exempt, maxName), Mediation: clipped(d.Mediation, maxName), Error: clip(d.Error, maxText), Link: link(d.Source.Link),
	}
	if d.Outcome == operation.OutcomeUndecided {
		o.Severity = worse(operation.High, o.Severity)
	}
	for _, verb := range d.Also[:min(len(d.Also), maxList)] {
		o.Also = append(o.Also, clipped(verb, maxName))
	}
	worst := slices.Clone(d.Violations)
	slices.SortStableFunc(worst, func(a, b operation.Violation) int { return b.Severity.Rank() - a.Severity.Rank() })
	var policies, messages []string
	for _, v := range worst {
		if v.Enforcement != operation.EnforceOff {
			policies, messages = append(policies, v.Policy), append(messages, v.Message)
		}
	}
	o.Policies, o.Messages = clipList(policies, maxName), clipList(messages, maxText)
	for i, dependents := range d.Dependents {
		if i == maxList {
			break
		}
		dependents.Kind, dependents.Via, dependents.Names = clip(dependents.Kind, maxName), clipped(dependents.Via, maxName), clipList(dependents.Names, maxName)
		o.Dependents = append(o.Dependents, dependents)
	}
	return o
}

// maxLink is how long a link may be: one to the logs viewer has a whole query in it.
const maxLink = 4 << 10

// link leaves a link as it is, or out: one that is cut off leads nowhere.
func link(text string) string {
	if len(text) > maxLink {
		return ""
	}
	return text
}

func clipReference(r operation.Reference) operation.Reference {
	return operation.Reference{
		Ref: clip(r.Ref, 2*maxName), Kind: clip(r.Kind, maxName), Namespace: clip(r.Namespace, maxName), Name: clip(r.Name, maxName), UID: clip(r.UID, maxName),
	}
}

func clipIdentity(i operation.Identity) operation.Identity {
	return operation.Identity{Name: clip(i.Name, maxName), Kind: clipped(i.Kind, maxName), Via: clip(i.Via, maxName)}
}

func clipOrigin(o operation.Origin) operation.Origin {
	return operation.Origin{
		IP: clip(o.IP, maxName), UserAgent: clip(o.UserAgent, maxText), Delegation: clipList(o.Delegation, maxName), Reason: clip(o.Reason, maxText),
	}
}
