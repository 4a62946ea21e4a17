package breakglass

import (
	"context"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Stage is when issuing policy is asked.
type Stage string

// The stages.
const (
	// StageRequest: somebody asks. What is refused here never becomes a case.
	StageRequest Stage = "request"
	// StageApprove: Question.Approver wants to approve, or has approved and is
	// weighed again.
	StageApprove Stage = "approve"
	// StageIssue: there may be approvals enough for a grant.
	StageIssue Stage = "issue"
	// StageUse: the grant is about to let something through.
	StageUse Stage = "use"
)

// Values lists every Stage.
func (Stage) Values() []string {
	return []string{string(StageRequest), string(StageApprove), string(StageIssue), string(StageUse)}
}

// Question is what issuing policy is asked about. It is the input of its Rego.
type Question struct {
	Stage   Stage           `json:"stage" desc:"what is about to happen: request, approve, issue or use"`
	Time    time.Time       `json:"time" desc:"when it is asked, RFC 3339"`
	Request QuestionRequest `json:"request" desc:"what is asked for"`
	// Severity is the worst that operation policies hold against it.
	Severity  operation.Severity `json:"severity" desc:"the worst severity of the violations that the grant would lift; high if it cannot be told"`
	Approver  *operation.Actor   `json:"approver" desc:"who wants to approve, at the stage approve; null at the others"`
	Approvers []operation.Actor  `json:"approvers" desc:"whose approvals count so far"`
	Config    map[string]any     `json:"config" desc:"breakGlass.policies.config of the configuration file"`
}

// QuestionRequest is a Request as issuing policy sees it.
type QuestionRequest struct {
	ID              string                `json:"id" desc:"the handle"`
	Requester       operation.Actor       `json:"requester" desc:"who asks"`
	Subject         string                `json:"subject" desc:"name of who may use the grant"`
	Surface         operation.Surface     `json:"surface" desc:"where the grant holds"`
	Audience        string                `json:"audience" desc:"the cluster or project where the grant holds"`
	Verbs           []operation.Verb      `json:"verbs" desc:"what may be done"`
	Targets         []operation.Reference `json:"targets" desc:"to which objects"`
	Objects         int                   `json:"objects" desc:"to how many of them"`
	Reason          string                `json:"reason" desc:"why, in words"`
	Ticket          string                `json:"ticket" desc:"ticket or incident, empty if none is given"`
	DurationSeconds int                   `json:"duration_seconds" desc:"how long the grant can be used"`
}

// Answer is what issuing policy says.
type Answer struct {
	// Refused says why not, in words; empty if nothing speaks against it.
	Refused []string
	// Approvals is how many people have to approve, at least 1.
	Approvals int
}

// Rules is issuing policy. It is called concurrently. An error means that the
// policy could not be asked, which is never taken for leave.
type Rules interface {
	Judge(ctx context.Context, q Question) (Answer, error)
}

// Right is what somebody may do at the desk.
type Right string

// The rights. Everybody may revoke what was granted to themselves.
const (
	RightRequest Right = "request"
	RightApprove Right = "approve"
	RightRevoke  Right = "revoke"
)

// Authorizer says who may do what. It is called concurrently, and with actors as
// they were recorded, so that a right which was taken away since counts no more.
// An error means that it could not be told.
type Authorizer interface {
	// Allowed says whether an actor has a right; why says in words why not.
	Allowed(ctx context.Context, actor operation.Actor, right Right) (allowed bool, why string, err error)
	// MayImpersonate says whether somebody could have acted in another's name.
	MayImpersonate(ctx context.Context, actor, other operation.Actor) (bool, error)
}

// Keys seals and verifies. It is called concurrently.
type Keys interface {
	// Issuer is the name that this desk signs with.
	Issuer() string
	// Seal returns the signature for Grant.Seal.
	Seal(ctx context.Context, g Grant) (string, error)
	// CheckSeal returns an error unless a grant is as its issuer sealed it.
	CheckSeal(ctx context.Context, g Grant) error
	// Sign makes a token of a grant. It returns a *Refusal for a grant that does
	// not fit into one.
	Sign(ctx context.Context, g Grant) (operation.Secret, error)
	// Verify returns the grant that a token carries. A token that is not good is a
	// *Refusal; another error means that it could not be told.
	Verify(ctx context.Context, token operation.Secret, now time.Time) (Grant, error)
}

// Refusal is an answer: no, and why in words. Every other error of this package
// means "could not decide".
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }
