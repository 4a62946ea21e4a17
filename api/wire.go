package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// Duration is a time.Duration that reads 30m or 1h30m in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return []byte(text), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is not a duration such as 30m or 1h30m", text)
	}
	*d = Duration(parsed)
	return nil
}

// Proposal is a breakglass.Proposal as it is sent.
type Proposal struct {
	Subject   string           `json:"subject,omitzero"`
	Scope     breakglass.Scope `json:"scope"`
	Reason    string           `json:"reason"`
	Ticket    string           `json:"ticket,omitzero"`
	Duration  Duration         `json:"duration,omitzero"`
	NotBefore time.Time        `json:"not_before,omitzero"`
	Decision  string           `json:"decision,omitzero"`
	Approvals int              `json:"approvals,omitzero"`
	// Receipt is that of a Terraform plan, as plan check wrote it.
	Receipt jsontext.Value `json:"receipt,omitzero"`
}

func proposalOf(p breakglass.Proposal) Proposal {
	return Proposal{p.Subject, p.Scope, p.Reason, p.Ticket, Duration(p.Duration), p.NotBefore, p.Decision, p.Approvals, p.Receipt}
}

func (p Proposal) proposal() breakglass.Proposal {
	return breakglass.Proposal{
		Subject: p.Subject, Scope: p.Scope, Reason: p.Reason, Ticket: p.Ticket,
		Duration: time.Duration(p.Duration), NotBefore: p.NotBefore, Decision: p.Decision, Approvals: p.Approvals, Receipt: p.Receipt,
	}
}

// Case is a breakglass.View as it is sent, and as the command line prints it with
// -o json. Fields are added, never renamed. Of people it has name, kind and tool;
// their groups and credentials are nobody's business who may merely look.
type Case struct {
	// ID is the handle.
	ID       string              `json:"id"`
	Standing breakglass.Standing `json:"standing"`
	// Request is null for a grant that came as a token.
	Request  *Request  `json:"request"`
	Verdicts []Verdict `json:"verdicts"`
	// Grant is null until it is issued.
	Grant *breakglass.Grant `json:"grant"`
	Uses  []breakglass.Use  `json:"uses"`
}

// Request is a breakglass.Request as it is sent.
type Request struct {
	ID        string             `json:"id"`
	Created   time.Time          `json:"created"`
	Requester operation.Identity `json:"requester"`
	Subject   string             `json:"subject"`
	Scope     breakglass.Scope   `json:"scope"`
	Reason    string             `json:"reason"`
	Ticket    string             `json:"ticket"`
	Duration  Duration           `json:"duration"`
	NotBefore time.Time          `json:"not_before,omitzero"`
	Decision  string             `json:"decision"`
	Approvals int                `json:"approvals,omitzero"`
	// Plan is what the receipt of a Terraform plan says of it.
	Plan *breakglass.PlanFacts `json:"plan,omitzero"`
}

// Verdict is a breakglass.Verdict as it is sent.
type Verdict struct {
	Kind   breakglass.VerdictKind `json:"kind"`
	By     operation.Identity     `json:"by"`
	At     time.Time              `json:"at"`
	Reason string                 `json:"reason"`
	Door   breakglass.Door        `json:"door"`
}

// CaseOf returns the form of a view that is sent and printed.
func CaseOf(v breakglass.View) Case {
	c := Case{ID: v.ID(), Standing: v.Standing, Verdicts: []Verdict{}, Uses: listed(v.Uses)}
	c.Standing.Approvers = listed(c.Standing.Approvers)
	if v.Grant != nil {
		grant := *v.Grant
		grant.Approvers = listed(grant.Approvers)
		c.Grant = &grant
	}
	if r := v.Request; r != nil {
		c.Request = &Request{
			r.ID, r.Created, r.Requester.Identity, r.Subject, r.Scope, r.Reason, r.Ticket, Duration(r.Duration), r.NotBefore, r.Decision, r.Approvals, r.Plan,
		}
	}
	for _, said := range v.Verdicts {
		c.Verdicts = append(c.Verdicts, Verdict{said.Kind, said.By.Identity, said.At, said.Reason, said.Door})
	}
	return c
}

// listed makes lists never null, so that readers need not tell an absent list
// from an empty one.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// View returns what a case was sent for, but for what is not sent.
func (c Case) View() breakglass.View {
	v := breakglass.View{Case: breakglass.Case{Grant: c.Grant, Uses: c.Uses}, Standing: c.Standing}
	if r := c.Request; r != nil {
		v.Request = &breakglass.Request{
			ID: r.ID, Created: r.Created, Requester: operation.Actor{Identity: r.Requester}, Subject: r.Subject, Scope: r.Scope,
			Reason: r.Reason, Ticket: r.Ticket, Duration: time.Duration(r.Duration), NotBefore: r.NotBefore, Decision: r.Decision, Approvals: r.Approvals, Plan: r.Plan,
		}
	}
	for _, said := range c.Verdicts {
		v.Verdicts = append(v.Verdicts, breakglass.Verdict{
			Request: c.ID, Kind: said.Kind, By: operation.Actor{Identity: said.By}, At: said.At, Reason: said.Reason, Door: said.Door,
		})
	}
	return v
}

// Caller is who somebody is, as the server sees them.
type Caller struct {
	Actor operation.Actor `json:"actor"`
	// Audience is the cluster or project that the server guards.
	Audience string `json:"audience"`
}

// cases is the answer to a list.
type cases struct {
	Cases []Case `json:"cases"`
}

// verdict is what is said with an approval, a denial, a revocation.
type verdict struct {
	Reason string `json:"reason"`
}

// PlanUse is what a grant for a Terraform plan is used for, as it is sent.
type PlanUse struct {
	// Token is in no answer, log or error.
	Token    string `json:"token"`
	Plan     string `json:"plan"`
	Decision string `json:"decision"`
}

// portable is a token in the one answer that gives it out, and in the request
// that brings it. Everything else holds it as a secret.
type portable struct {
	Token string `json:"token"`
}
