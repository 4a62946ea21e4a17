package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// casePrefix begins the ids of incidents that are break-glass cases.
const casePrefix = "break-glass-"

// maxEvents is how many lines an incident of a case has: the first, and the last.
const maxEvents = 20

// TellEvent keeps a step of a break-glass case. A case is one incident; a step told
// again changes nothing.
func (b *Book) TellEvent(tx *ledger.Tx, e breakglass.Event) error {
	if err := b.tellEvent(tx, e); err != nil {
		return fmt.Errorf("tell that %s was %s: %w", operation.Printable(clip(e.Grant, maxName)), operation.Printable(clip(string(e.Event), maxName)), err)
	}
	return nil
}

func (b *Book) tellEvent(tx *ledger.Tx, e breakglass.Event) error {
	id := caseIncident(e)
	key := toldKey(id, cmp.Or(e.ID, digest(string(e.Event), e.Time.UTC().Format(time.RFC3339Nano), e.Actor.Name, e.Text)))
	if tx.Get(ledger.TableIncidents, key) != nil {
		return nil
	}
	in, err := b.incident(tx, id)
	if err != nil {
		return err
	}
	if in == nil {
		in = &incident{ID: id, Kind: BreakGlass, Status: Open, Opened: kept(e.Time), Actor: clipIdentity(e.Actor)}
	}
	in.Severity = eventSeverity(e.Event)
	switch e.Event {
	case breakglass.EventIssued, breakglass.EventDenied, breakglass.EventRevoked, breakglass.EventExpired:
		in.Status = Resolved // nobody is waited for any more
	}
	in.Title = eventTitle(e)
	in.Text = b.eventText(in.Text, e)
	if err := put(tx, ledger.TableIncidents, key, record{Told: &told{Time: kept(e.Time)}}); err != nil {
		return err
	}
	return b.save(tx, in, b.sinksFor(subject{kind: BreakGlass, severity: in.Severity}, ""))
}

// caseIncident is that of a case; what has no handle is one a minute and actor. A
// handle that is none comes from outside, and may be anything.
func caseIncident(e breakglass.Event) string {
	switch {
	case e.Grant == "":
		return incidentID(e.Time, string(BreakGlass), e.Actor.Name)
	case !breakglass.IsHandle(e.Grant):
		return casePrefix + digest(e.Grant)
	}
	return casePrefix + e.Grant
}

// eventSeverity is medium where somebody should look: an approver, or whoever watches
// over those who were told no.
func eventSeverity(k breakglass.EventKind) operation.Severity {
	switch k {
	case breakglass.EventRequested, breakglass.EventRefused, breakglass.EventTokenRefused, breakglass.EventDenied:
		return operation.Medium
	}
	return operation.Low
}

func eventTitle(e breakglass.Event) string {
	who := cmp.Or(e.Actor.Name, "somebody")
	what := "grant " + e.Grant
	if e.Grant == "" {
		what = "a grant"
	}
	var text string
	switch e.Event {
	case breakglass.EventRequested:
		text = fmt.Sprintf("%s asks for %s %s", who, what, purpose(e))
	case breakglass.EventApproved, breakglass.EventDenied, breakglass.EventRevoked, breakglass.EventImported:
		text = fmt.Sprintf("%s %s %s %s", who, e.Event, what, purpose(e))
	case breakglass.EventIssued:
		text = fmt.Sprintf("%s may now %s under %s", who, deeds(e), what)
	case breakglass.EventExpired:
		text = what + " has expired"
	case breakglass.EventUsed:
		text = fmt.Sprintf("%s used %s %s", who, what, purpose(e))
	case breakglass.EventConfirmed:
		text = fmt.Sprintf("what %s was used for is done %s", what, purpose(e))
	case breakglass.EventReleased:
		text = fmt.Sprintf("what %s was used for was not done %s", what, purpose(e))
	case breakglass.EventTokenIssued:
		text = fmt.Sprintf("%s took a token of %s %s", who, what, purpose(e))
	case breakglass.EventTokenRefused:
		text = who + " brought a token that was refused: " + e.Text
	case breakglass.EventRefused:
		text = fmt.Sprintf("%s was told no on %s: %s", who, what, e.Text)
	default:
		text = fmt.Sprintf("%s: %s by %s", what, e.Event, who)
	}
	return line(strings.TrimSpace(text))
}

// purpose is what a grant is for.
func purpose(e breakglass.Event) string {
	if len(e.Targets) == 0 && len(e.Verbs) == 0 {
		return ""
	}
	return "to " + deeds(e)
}

func deeds(e breakglass.Event) string {
	var verbs []string
	for _, v := range e.Verbs {
		verbs = append(verbs, string(v))
	}
	what := "something"
	if len(e.Targets) > 0 {
		what = nameOf(e.Targets[0])
		if len(e.Targets) > 1 {
			what += fmt.Sprintf(" and %d more", len(e.Targets)-1)
		}
	}
	return cmp.Or(strings.Join(verbs, ", "), "touch") + " " + what
}

// nameOf is that of a target. A cloud resource has its whole canonical name: another
// project may have one that is called the same.
func nameOf(t operation.Reference) string {
	if _, _, ok := operation.ParseGCPRef(t.Ref); ok {
		return t.Ref
	}
	return strings.TrimSpace(t.Kind + " " + strings.TrimPrefix(t.Namespace+"/"+t.Name, "/"))
}

// maxNamed is how many cloud resources a case names: eight names of about 120 bytes are
// a line of maxText.
const maxNamed = 8

// others names cloud resources where the title has no room for more than the first of
// them; it is empty otherwise.
func others(e breakglass.Event) string {
	var names []string
	for _, t := range e.Targets {
		_, _, inCloud := operation.ParseGCPRef(t.Ref)
		_, isPlan := operation.ParsePlanRef(e.Targets[0].Ref) // and the rest what it may destroy
		if inCloud || isPlan {
			names = append(names, t.Ref)
		}
	}
	if len(names) < 2 || e.Event != breakglass.EventRequested {
		return ""
	}
	text := "for " + strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// toApprove begins the line that goes when nobody has to approve any more.
const toApprove = "to approve: "

// eventText adds a step to the lines of a case.
func (b *Book) eventText(lines []string, e breakglass.Event) []string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(text string) bool {
		return strings.HasPrefix(text, toApprove) && e.Event != breakglass.EventRefused && e.Event != breakglass.EventApproved
	})
	text := fmt.Sprintf("%s %s", e.Time.UTC().Format(time.RFC3339), e.Event)
	if e.Actor.Name != "" {
		text += " by " + e.Actor.Name
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	at := len(lines)
	if at > 0 && strings.HasPrefix(lines[at-1], toApprove) {
		at--
	}
	steps := []string{text}
	if names := others(e); names != "" {
		steps = append(steps, names)
	}
	for i, text := range steps {
		lines = slices.Insert(lines, at+i, clip(operation.Printable(clip(text, maxText)), maxText))
	}
	if len(lines) > maxEvents {
		lines = slices.Delete(lines, 1, 2)
	}
	if e.Event == breakglass.EventRequested && breakglass.IsHandle(e.Grant) {
		lines = append(lines, toApprove+b.approve(e.Grant))
	}
	return lines
}
