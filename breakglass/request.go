package breakglass

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mollyguard/mollyguard/operation"
)

// Request is what somebody asks for. It is not changed after it was made.
type Request struct {
	// ID is the handle, of the request and of the grant that it becomes.
	ID        string          `json:"id"`
	Created   time.Time       `json:"created"`
	Requester operation.Actor `json:"requester"`
	// Subject is who may use the grant: the requester, or a machine that the
	// requester speaks for.
	Subject string `json:"subject"`
	Scope   Scope  `json:"scope"`
	Reason  string `json:"reason"`
	Ticket  string `json:"ticket"`
	// Duration is how long the grant can be used, from the last approval or from
	// NotBefore, whichever is later.
	Duration time.Duration `json:"duration"`
	// NotBefore is zero for "as soon as it is approved".
	NotBefore time.Time `json:"not_before,omitzero"`
	// Decision is the id of the refusal that made somebody ask, if one did.
	Decision string `json:"decision"`
	// Approvals is how many have to approve at least, where whoever asks knows better
	// than the desk what it takes: the policies that refused a plan are not here. It only
	// adds to what policies demand.
	Approvals int `json:"approvals,omitzero"`
	// Plan is what the receipt of a Terraform plan says of it; nil where the desk saw none.
	Plan *PlanFacts `json:"plan,omitzero"`
}

// Check returns all that is wrong with a request's own fields, one problem a
// line. What it asks for is judged elsewhere.
func (r Request) Check() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !IsHandle(r.ID) {
		add("id: %q is not a handle such as bg-k7m4-q9tx", r.ID)
	}
	if r.Requester.Name == "" {
		add("requester: missing")
	}
	for _, text := range []struct {
		field, value string
		limit        int
	}{
		{"requester", r.Requester.Name, MaxName}, {"subject", r.Subject, MaxName},
		{"reason", r.Reason, MaxReason}, {"ticket", r.Ticket, MaxTicket}, {"decision", r.Decision, MaxTicket},
	} {
		if err := checkText(text.value, text.limit); err != nil {
			add("%s: %w", text.field, err)
		}
	}
	if strings.TrimSpace(r.Reason) == "" {
		add("reason: missing: whoever approves reads it")
	}
	if r.Subject == "" {
		add("subject: missing")
	}
	if r.Duration < MinDuration {
		add("duration: %v is below %v", r.Duration, MinDuration)
	}
	if r.Approvals < 0 || r.Approvals > MaxApprovals {
		add("approvals: %d is not between 0 and %d", r.Approvals, MaxApprovals)
	}
	return errors.Join(append(errs, r.Scope.check()...)...)
}

func checkText(text string, limit int) error {
	switch {
	case len(text) > limit:
		return fmt.Errorf("longer than %d bytes", limit)
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	}
	return nil
}

// parties are those whom the grant would serve.
func (r Request) parties() []operation.Actor {
	if r.Subject == r.Requester.Name {
		return []operation.Actor{r.Requester}
	}
	return []operation.Actor{r.Requester, r.subjectActor()}
}

// subjectActor is the machine that a request is for, with the groups that every
// service account is in
// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens).
func (r Request) subjectActor() operation.Actor {
	namespace, _, _ := strings.Cut(strings.TrimPrefix(r.Subject, "system:serviceaccount:"), ":")
	return operation.Actor{
		Identity: operation.Identity{Name: r.Subject, Kind: operation.Service},
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}

// VerdictKind is what somebody says about a request or a grant.
type VerdictKind string

// The verdicts. Deny ends a request, Revoke a grant; for both it does not matter
// which of the two it has become, so that "stop this" never comes too late.
const (
	Approve VerdictKind = "approve"
	Deny    VerdictKind = "deny"
	Revoke  VerdictKind = "revoke"
)

// Values lists every VerdictKind.
func (VerdictKind) Values() []string { return []string{string(Approve), string(Deny), string(Revoke)} }

// Door is the way by which a verdict came in. Through the Kubernetes API somebody
// can be impersonated, through the server's own API nobody can.
type Door string

// The doors.
const (
	DoorKubernetes Door = "kubernetes"
	DoorAPI        Door = "api"
)

// Verdict is what one person said about one request. It is not changed after it
// was made.
type Verdict struct {
	Request string          `json:"request"`
	Kind    VerdictKind     `json:"kind"`
	By      operation.Actor `json:"by"`
	At      time.Time       `json:"at"`
	Reason  string          `json:"reason"`
	Door    Door            `json:"door"`
}

// Check returns what is wrong with a verdict's own fields.
func (v Verdict) Check() error {
	var errs []error
	if !IsHandle(v.Request) {
		errs = append(errs, fmt.Errorf("request: %q is not a handle such as bg-k7m4-q9tx", v.Request))
	}
	if !slices.Contains(v.Kind.Values(), string(v.Kind)) {
		errs = append(errs, fmt.Errorf("verdict: %q is not one of %v", v.Kind, v.Kind.Values()))
	}
	if v.By.Name == "" {
		errs = append(errs, errors.New("by: missing"))
	}
	if err := checkText(v.By.Name, MaxName); err != nil {
		errs = append(errs, fmt.Errorf("by: %w", err))
	}
	if err := checkText(v.Reason, MaxReason); err != nil {
		errs = append(errs, fmt.Errorf("reason: %w", err))
	}
	return errors.Join(errs...)
}
