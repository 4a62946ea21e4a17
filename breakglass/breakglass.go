// Package breakglass is the way through the guard: somebody asks for leave to do
// one destructive thing, somebody else approves, and a grant lifts the policies'
// objections for that thing, once.
//
//	request ─► verdicts (approve, deny) ─► grant (sealed) ─► uses ─► expiry
//	                                        │
//	                                        └─► token: the grant in portable form
//
// The records of one request (it, the verdicts, the grant, its uses) are a Case.
// They are written once and never changed, but for the state of a use. What a
// case is worth is computed from them whenever somebody asks, by Weigh: no field
// says "approved". A Desk applies the rules on top of a Store; issuing policy
// comes from Rules, and who may do what from an Authorizer.
//
// The package knows neither Kubernetes nor Rego. It decides about people and
// time; what an operation is and whether it is refused is not its business.
package breakglass

import "time"

const (
	// Leeway is how far clocks may be apart where a time on one machine is
	// compared with a time from another, at each edge of a window.
	Leeway = 30 * time.Second
	// RepeatWindow is how long a use covers the same thing again: one delete may
	// call the webhook twice (grace period 0, a conflict that is tried again).
	RepeatWindow = time.Minute
)

// Limits of what a request may hold: it is written by anybody who may ask, and
// read by whoever approves.
const (
	MaxReason  = 512
	MaxTicket  = 128
	MaxTargets = 64
	MaxObjects = 256
	// MaxPlanned is how many operations of one Terraform plan a grant can be for: of a
	// plan with a hundred thousand resources, all.
	MaxPlanned = 100_000
	// MaxNamed is how many refused operations of a plan have to be named in a request. Of
	// more, no approver reads each: they approve the plan, and how much of it is refused.
	MaxNamed = 12
	// MaxReceipt caps the receipt of a plan in bytes, without spaces: 64 targets with five
	// texts of 150, 64 ids of 30 and 64 facts of 120 are 57 KiB.
	MaxReceipt = 64 << 10
	// MaxApprovals is how many approvals a request can ask for by itself.
	MaxApprovals = 16
	MaxName      = 512
	// MaxLife is how long after it was made a request or a grant can matter: a token
	// is good for seven days at most (MaxTokenLife), and a request for less.
	MaxLife = 8 * 24 * time.Hour
	// MinDuration is the shortest time a grant can be asked for.
	MinDuration = time.Minute
)
