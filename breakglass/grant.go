package breakglass

import (
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Grant is leave to do something destructive. It follows from its request and
// the verdicts alone, so that two replicas that issue it make the same one.
type Grant struct {
	// ID is the handle; in a token it is the jti.
	ID string `json:"id"`
	// Issuer is who signed it.
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Credential is the id of the credential that the subject has to use, or
	// empty for any.
	Credential string `json:"credential"`
	Scope      Scope  `json:"scope"`
	Reason     string `json:"reason"`
	Ticket     string `json:"ticket"`
	// Approvers are the people whose approvals made it, sorted.
	Approvers []string `json:"approvers"`
	// ApprovalsDigest is the SHA-256, in hex, of the approvals: see DigestOf.
	ApprovalsDigest string    `json:"approvals_digest"`
	NotBefore       time.Time `json:"not_before"`
	Expires         time.Time `json:"expires"`
	// Seal is the issuer's signature over all of the above, in a form that is not
	// a token: who can read a grant cannot present it elsewhere.
	Seal string `json:"-"`
	// Token is the token that a grant from another issuer came as; it is verified
	// again at every use. Empty for grants of our own.
	Token operation.Secret `json:"-"`
}

// Imported reports whether the grant came as a token from another issuer.
func (g Grant) Imported() bool { return g.Token.Reveal() != "" }

// UseState says what is known of a use.
type UseState string

// The states of a use. A use counts from Reserved on; Released gives it back.
const (
	// Reserved: the operation was let through; what became of it is not known.
	Reserved UseState = "reserved"
	// Confirmed: the object is gone, or nothing tells.
	Confirmed UseState = "confirmed"
	// Released: the object is still there, somebody else refused.
	Released UseState = "released"
)

// Use is one consumption of a grant by one object.
type Use struct {
	Grant string `json:"grant"`
	// Slot is the use's number, from 0, without gaps: a store holds one use a slot.
	Slot     int                 `json:"slot"`
	Target   operation.Reference `json:"target"`
	Verb     operation.Verb      `json:"verb"`
	Actor    string              `json:"actor"`
	At       time.Time           `json:"at"`
	State    UseState            `json:"state"`
	Decision string              `json:"decision"`
}

// repeats reports whether an operation is the one that the use was for, come again. A
// use of Mollyguard's own namespace is for all that is changed within it as long as
// the grant lasts: one upgrade is one use.
func (u Use) repeats(s Scope, op *operation.Operation, now time.Time) bool {
	target, verb := s.used(op)
	if u.State == Released || u.Actor != op.Actor.Name || u.Target.Ref != target.Ref {
		return false
	}
	if target.Ref != op.Target.Ref {
		return true
	}
	return u.Verb == verb && u.Target.UID == target.UID && now.Sub(u.At).Abs() <= RepeatWindow
}

// Case is all that is recorded about one request. A grant that came as a token
// has no request and no verdicts but revocations; of one that is only presented
// there are no more than these and its uses.
type Case struct {
	// Request is nil for an imported grant.
	Request  *Request  `json:"request"`
	Verdicts []Verdict `json:"verdicts"`
	// Grant is nil until it is issued.
	Grant *Grant `json:"grant"`
	Uses  []Use  `json:"uses"`
}

// ID is the handle.
func (c Case) ID() string {
	switch {
	case c.Request != nil:
		return c.Request.ID
	case c.Grant != nil:
		return c.Grant.ID
	case len(c.Verdicts) > 0:
		return c.Verdicts[0].Request
	case len(c.Uses) > 0:
		return c.Uses[0].Grant
	}
	return ""
}

// Scope is what is asked for or granted.
func (c Case) Scope() Scope {
	switch {
	case c.Grant != nil:
		return c.Grant.Scope
	case c.Request != nil:
		return c.Request.Scope
	}
	return Scope{}
}

// Subject is who may use the grant.
func (c Case) Subject() string {
	switch {
	case c.Grant != nil:
		return c.Grant.Subject
	case c.Request != nil:
		return c.Request.Subject
	}
	return ""
}

// stop returns the verdict that ended it, if somebody denied or revoked it.
func (c Case) stop() (v Verdict, stopped bool) {
	i := slices.IndexFunc(c.Verdicts, func(v Verdict) bool { return v.Kind != Approve })
	if i < 0 {
		return Verdict{}, false
	}
	return c.Verdicts[i], true
}

// ended reports whether the time to use a grant is over.
func (g Grant) ended(now time.Time) bool { return !now.Before(g.Expires.Add(Leeway)) }

// used counts the uses that were not given back. That of a plan never is.
func (c Case) used() int {
	if c.Scope().Surface == operation.Terraform {
		return min(len(c.Uses), 1)
	}
	count := 0
	for _, use := range c.Uses {
		if use.State != Released {
			count++
		}
	}
	return count
}
