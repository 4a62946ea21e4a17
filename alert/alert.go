// Package alert tells people. What was decided, and what keeps Mollyguard from
// seeing, becomes an Alert; alerts wait in the ledger, in the transaction that they
// came with, until each sink that a route names has taken them.
//
// One Alert is one incident: all that an actor did in one minute, from the first
// entry to the end of the last operation. It is told once to each sink, and again
// under the same ID when there is more to say, so that a sink that knows the ID
// updates what it showed. IDs follow from what happened alone: whoever reads the same
// entries, after a crash or on another replica, comes to the same IDs.
//
//	decision, trouble, event ─► Book ─► incident + queue (one transaction)
//	                                       │
//	                      Deliverer, one worker a sink ─► Sink ─► delivered, later, or dead
//
// Delivery is at least once. A sink that fails is tried again, with pauses that grow,
// until it takes the alert or says that it never will: that alert is dead, is kept,
// and can be tried again by hand.
package alert

import (
	"context"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Kind says what an alert is about.
type Kind string

// The kinds.
const (
	// Violation: something was done to production that policies would have denied.
	Violation Kind = "violation"
	// Notice: the same, with a grant.
	Notice Kind = "notice"
	// Attempt: somebody tried, and was refused or failed.
	Attempt Kind = "attempt"
	// Blind: Mollyguard does not see what it should.
	Blind Kind = "blind"
	// BreakGlass: somebody asked for a grant, or was given one.
	BreakGlass Kind = "break-glass"
	// Test: somebody tries the way to the sinks.
	Test Kind = "test"
)

// Values lists every Kind.
func (Kind) Values() []string {
	return []string{string(Violation), string(Notice), string(Attempt), string(Blind), string(BreakGlass), string(Test)}
}

// Status says whether somebody should look.
type Status string

// The statuses. An alert about something that was done is never resolved here: that
// is for people.
const (
	Open     Status = "open"
	Resolved Status = "resolved"
)

// Values lists every Status.
func (Status) Values() []string { return []string{string(Open), string(Resolved)} }

// Alert is one incident, as sinks get it. Fields are added, never renamed. Texts come
// from outside: a sink that shows them makes them printable (operation.Printable) and
// escapes them as its format wants.
type Alert struct {
	// ID is the same whenever the incident is told, and is what sinks deduplicate by.
	ID string `json:"id"`
	// Revision counts from 1 how often the incident changed; from a higher number, if
	// what was kept of it could not be read, and it began anew.
	Revision int                `json:"revision"`
	Kind     Kind               `json:"kind"`
	Status   Status             `json:"status"`
	Severity operation.Severity `json:"severity"`
	// Title is one line: who did what to what, and because of what that is production.
	Title   string            `json:"title"`
	Opened  time.Time         `json:"opened"`
	Updated time.Time         `json:"updated"`
	Surface operation.Surface `json:"surface,omitzero"`
	// Cluster is the cluster or place of the Mollyguard that tells.
	Cluster string             `json:"cluster"`
	Project string             `json:"project,omitzero"`
	Actor   operation.Identity `json:"actor,omitzero"`
	Origin  operation.Origin   `json:"origin,omitzero"`
	// Count is how many operations there are, of which Operations are the worst
	// MaxOperations, in the order in which they happened.
	Count      int         `json:"count,omitzero"`
	Operations []Operation `json:"operations,omitempty"`
	// Text says the rest, a line each: what keeps us from seeing and what to do, what
	// was asked for and why.
	Text []string `json:"text,omitempty"`
	// Runbook is a URL, empty if nobody wrote one.
	Runbook string `json:"runbook,omitzero"`
	// Help is the configuration's help: whom to ask.
	Help string `json:"help,omitzero"`
}

// MaxOperations is how many operations an alert lists: what a person reads at 3 a.m.
const MaxOperations = 20

// Operation is one operation of an incident: the decision on it, in short.
type Operation struct {
	Decision string         `json:"decision"`
	Time     time.Time      `json:"time"`
	Verb     operation.Verb `json:"verb"`
	// Also are the other verbs of the same request.
	Also     []operation.Verb    `json:"also,omitempty"`
	Phase    operation.Phase     `json:"phase"`
	Outcome  operation.Outcome   `json:"outcome"`
	Severity operation.Severity  `json:"severity"`
	Target   operation.Reference `json:"target"`
	Project  string              `json:"project,omitzero"`
	Location string              `json:"location,omitzero"`
	// Production reports whether the target or a dependent is production, Because
	// because of what.
	Production bool                   `json:"production,omitzero"`
	Because    []string               `json:"because,omitempty"`
	Changes    []string               `json:"changes,omitempty"`
	Dependents []operation.Dependents `json:"dependents,omitempty"`
	// Policies are the policies that are violated, Messages what they say.
	Policies []string `json:"policies,omitempty"`
	Messages []string `json:"messages,omitempty"`
	Unknown  []string `json:"unknown,omitempty"`
	// Grant is the handle of the grant that covers it, GrantRefused why others do not.
	Grant        string              `json:"grant,omitzero"`
	GrantRefused []string            `json:"grant_refused,omitempty"`
	Exempt       string              `json:"exempt,omitzero"`
	Mediation    operation.Mediation `json:"mediation,omitzero"`
	// Error says why it could not be judged.
	Error string `json:"error,omitzero"`
	// Link leads to the log entry.
	Link string `json:"link,omitzero"`
}

// Sink takes alerts. Send may be called for one alert at a time, by one goroutine; it
// returns when the other side has said that it has the alert, or an error: a
// *Rejected if trying again will not help, a *Later if the other side said when to,
// any other error if it may help. It honours ctx, which ends after SendTimeout.
type Sink interface {
	Send(ctx context.Context, a Alert) error
}

// SendTimeout is how long one attempt may take.
const SendTimeout = 20 * time.Second

// Rejected says that the other side understood, and will never take the alert.
type Rejected struct{ Reason string }

// Error implements error.
func (e *Rejected) Error() string { return e.Reason }

// Later says that the other side wants to be left alone for some time.
type Later struct {
	Reason string
	// After is how long from now; the Deliverer bounds it.
	After time.Duration
}

// Error implements error.
func (e *Later) Error() string { return e.Reason }

// TroubleKind says what keeps Mollyguard from seeing.
type TroubleKind string

// The kinds of trouble.
const (
	// Silence: no entries and no heartbeat for too long.
	Silence TroubleKind = "silence"
	// Gap: entries of some time may be missing, and could not be fetched.
	Gap TroubleKind = "gap"
	// Missing: the subscription, the log sink, the log or the file is not there.
	Missing TroubleKind = "missing"
	// Forbidden: the permission to read was lost.
	Forbidden TroubleKind = "forbidden"
	// Exhausted: a quota is used up.
	Exhausted TroubleKind = "exhausted"
	// Unreachable: nobody answers, for longer than a reconnect takes.
	Unreachable TroubleKind = "unreachable"
	// Undecodable: an entry could not be read.
	Undecodable TroubleKind = "undecodable"
	// Unlabelled: the labels of resources cannot be refreshed.
	Unlabelled TroubleKind = "unlabelled"
	// Undelivered: a sink does not take alerts. The Deliverer tells it to the others.
	Undelivered TroubleKind = "undelivered"
	// Damaged: records of alerts cannot be read. The Deliverer tells it.
	Damaged TroubleKind = "damaged"
)

// Values lists every TroubleKind.
func (TroubleKind) Values() []string {
	return []string{
		string(Silence), string(Gap), string(Missing), string(Forbidden), string(Exhausted), string(Unreachable),
		string(Undecodable), string(Unlabelled), string(Undelivered), string(Damaged),
	}
}

// Trouble is something that keeps Mollyguard from seeing. Trouble of one kind and
// source is one incident from its first report until it is Over.
type Trouble struct {
	Kind TroubleKind
	// Source is the name of what cannot see: a source of entries, the inventory.
	Source string
	// Since is when it began, as far as is known.
	Since time.Time
	// Text says what is wrong and what to do: which role to grant, which command to run.
	Text string
	// Over reports that it is mended.
	Over bool
}
