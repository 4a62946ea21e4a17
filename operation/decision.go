package operation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Severity says how bad a violation is.
type Severity string

// The severities.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Values lists every Severity, mildest first.
func (Severity) Values() []string {
	return []string{string(Low), string(Medium), string(High), string(Critical)}
}

// Rank orders severities: the worse, the higher. One that is not known ranks as High:
// unknown is never mild.
func (s Severity) Rank() int {
	if i := slices.Index(s.Values(), string(s)); i >= 0 {
		return i
	}
	return High.Rank()
}

// Enforcement says what a violation does.
type Enforcement string

// The enforcements, strongest first.
const (
	EnforceDeny  Enforcement = "deny"
	EnforceWarn  Enforcement = "warn"
	EnforceAlert Enforcement = "alert"
	EnforceOff   Enforcement = "off"
)

// Values lists every Enforcement, strongest first.
func (Enforcement) Values() []string {
	return []string{string(EnforceDeny), string(EnforceWarn), string(EnforceAlert), string(EnforceOff)}
}

// Outcome is the answer to an operation.
type Outcome string

// The outcomes. Undecided is not an answer but the lack of one: a door that
// can refuse treats it as a refusal.
const (
	OutcomeDeny      Outcome = "deny"
	OutcomeWarn      Outcome = "warn"
	OutcomeAlert     Outcome = "alert"
	OutcomeAllow     Outcome = "allow"
	OutcomeUndecided Outcome = "undecided"
)

// Values lists every Outcome.
func (Outcome) Values() []string {
	return []string{
		string(OutcomeDeny), string(OutcomeWarn), string(OutcomeAlert), string(OutcomeAllow), string(OutcomeUndecided),
	}
}

// Violation is what one policy says against one operation.
type Violation struct {
	Policy      string      `json:"policy"`
	Severity    Severity    `json:"severity"`
	Enforcement Enforcement `json:"enforcement"`
	Message     string      `json:"message"`
	BreakGlass  BreakGlass  `json:"break_glass"`
}

// BreakGlass says what lifts a violation: a grant with at least Approvals
// approvals, or nothing if Never. In JSON it is {"approvals": N} or "never".
type BreakGlass struct {
	Approvals int
	Never     bool
}

// breakGlassObject is the JSON form of a BreakGlass that can be lifted.
type breakGlassObject struct {
	Approvals int `json:"approvals"`
}

// MarshalJSON implements json.Marshaler.
func (b BreakGlass) MarshalJSON() ([]byte, error) {
	if b.Never {
		return []byte(`"never"`), nil
	}
	return json.Marshal(breakGlassObject{Approvals: b.Approvals})
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *BreakGlass) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte(`"never"`)) {
		*b = BreakGlass{Never: true}
		return nil
	}
	var object breakGlassObject
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf(`break_glass is neither "never" nor {"approvals": N}: %s`, data)
	}
	*b = BreakGlass{Approvals: object.Approvals}
	return nil
}

// Decision is the answer to one operation. It is the record that every surface
// writes, one JSON object per line; fields are added, never renamed.
type Decision struct {
	// ID is a ULID; it appears in the message, the audit log and the alert.
	ID   string    `json:"id"`
	Time time.Time `json:"time"`

	Surface Surface `json:"surface"`
	Verb    Verb    `json:"verb"`
	// Also are the other verbs of the same request.
	Also    []Verb    `json:"also"`
	Phase   Phase     `json:"phase"`
	Outcome Outcome   `json:"outcome"`
	Actor   Identity  `json:"actor"`
	Target  Reference `json:"target"`

	Production Production   `json:"production"`
	Changes    []string     `json:"changes"`
	Dependents []Dependents `json:"dependents"`
	Volumes    []Volume     `json:"volumes,omitempty"`
	Violations []Violation  `json:"violations"`

	// Grant is the handle of the grant that lifted the violations, if one did.
	Grant string `json:"grant"`
	// GrantPending is the handle of a request for this operation that waits for an
	// approval, if there is one.
	GrantPending string `json:"grant_pending"`
	// GrantRefused says why grants that were presented, or are for this very
	// object, did not lift them.
	GrantRefused []string `json:"grant_refused"`
	DryRun       bool     `json:"dry_run"`
	// Exempt names the exemption under which a violation was let through.
	Exempt  string   `json:"exempt"`
	Unknown []string `json:"unknown"`
	// Error says why the outcome is Undecided.
	Error  string `json:"error"`
	Source Source `json:"source"`

	// What only some surfaces know is left out by the others.

	Project   string    `json:"project,omitzero"`
	Location  string    `json:"location,omitzero"`
	Origin    Origin    `json:"origin,omitzero"`
	Mediation Mediation `json:"mediation,omitzero"`
	// Address is the target's in the Terraform configuration.
	Address string `json:"address,omitzero"`
}

// Refused reports whether a door that can refuse must: the operation is denied,
// or could not be judged.
func (d Decision) Refused() bool {
	return d.Outcome == OutcomeDeny || d.Outcome == OutcomeUndecided
}

// MarshalJSON writes the decision record. Lists are never null, so that readers
// need not tell an absent list from an empty one.
func (d Decision) MarshalJSON() ([]byte, error) {
	type record Decision // without this method
	d.Production.Because = listed(d.Production.Because)
	d.Also = listed(d.Also)
	d.Changes = listed(d.Changes)
	d.Dependents = listed(d.Dependents)
	d.Violations = listed(d.Violations)
	d.GrantRefused = listed(d.GrantRefused)
	d.Unknown = listed(d.Unknown)
	if !d.Origin.IsZero() {
		d.Origin.Delegation = listed(d.Origin.Delegation)
	}
	return json.Marshal(record(d))
}

func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
