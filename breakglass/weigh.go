package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// State is what a case is worth at a moment.
type State string

// The states.
const (
	// Pending: there are not approvals enough yet.
	Pending State = "pending"
	// Scheduled: granted, and its time has not come.
	Scheduled State = "scheduled"
	// Active: can be used now.
	Active State = "active"
	// Used: nothing is left of it.
	Used State = "used"
	// Denied: somebody said no.
	Denied State = "denied"
	// Revoked: it was taken back.
	Revoked State = "revoked"
	// Expired: its time is over, to be approved or to be used.
	Expired State = "expired"
	// Void: what it rests on does not hold any more: an approver lost the right,
	// policy asks for more, its seal is not good.
	Void State = "void"
)

// Values lists every State.
func (State) Values() []string {
	return []string{
		string(Pending), string(Scheduled), string(Active), string(Used),
		string(Denied), string(Revoked), string(Expired), string(Void),
	}
}

// Ended reports whether nothing can come of the case any more.
func (s State) Ended() bool {
	return s == Used || s == Denied || s == Revoked || s == Expired
}

// Standing is what a case is worth at a moment, and why.
type Standing struct {
	State State `json:"state"`
	// Why is one line for people.
	Why string `json:"why"`
	// Approvers are the people whose approvals count, by name.
	Approvers []string `json:"approvers"`
	// Needed is how many have to approve.
	Needed int `json:"needed"`
	// Until is when the state ends by itself; zero if it does not.
	Until time.Time `json:"until,omitzero"`
	// Left is how many more objects the grant covers.
	Left int `json:"left"`
}

// line is the state and why, without saying one word twice.
func (s Standing) line() string {
	switch s.State {
	case Denied, Revoked, Used:
		return s.Why
	}
	return fmt.Sprintf("%s: %s", s.State, s.Why)
}

// Weigh says what a case is worth now. It reads the records, never an earlier
// result. An error means that it could not be told, since policy or rights could
// not be asked: the case is worth nothing then.
//
// severity is of the worst violation that the grant is to lift, or empty for a
// look without an operation at hand.
func (d *Desk) Weigh(ctx context.Context, c Case, severity operation.Severity, now time.Time) (Standing, error) {
	s := Standing{State: Pending, Needed: 1, Left: max(c.Scope().uses()-c.used(), 0)}
	if v, stopped := c.stop(); stopped {
		s.State, s.Why = Revoked, said(v)
		if v.Kind == Deny {
			s.State = Denied
		}
		if used := c.used(); used > 0 {
			s.Why += fmt.Sprintf(" (after %d of %d uses)", used, c.Scope().uses())
		}
		return s, nil
	}
	if c.Request == nil {
		return weighImported(c, s, now), nil
	}
	if d.over(c, now) {
		s.State, s.Why = Expired, d.whenOver(c)
		return s, nil
	}
	if c.Grant != nil && s.Left == 0 { // many may race for the last use, and all but one end here
		s.State, s.Why, s.Approvers, s.Needed = Used, usedUp(c), c.Grant.Approvers, len(c.Grant.Approvers)
		return s, nil
	}
	w, err := d.weighApprovals(ctx, c, severity, now)
	if err != nil {
		return Standing{}, err
	}
	for _, a := range w.approvals {
		s.Approvers = append(s.Approvers, a.By.Name)
	}
	s.Needed = w.needed
	if c.Grant == nil {
		d.weighPending(&s, c, w, now)
		return s, nil
	}
	var refusal *Refusal
	switch err := d.intact(ctx, *c.Request, *c.Grant); {
	case errors.As(err, &refusal):
		s.State, s.Why = Void, refusal.Reason
	case err != nil:
		return Standing{}, err
	case len(w.refused) > 0:
		s.State, s.Why = Void, strings.Join(w.refused, "; ")
	case len(w.approvals) < w.needed:
		s.State, s.Why = Void, w.tally()
	default:
		weighTimes(&s, *c.Grant, c, now)
	}
	return s, nil
}

// weighed is what the approvals of a case are worth.
type weighed struct {
	// approvals are those that count; missing says why others do not.
	approvals []Verdict
	missing   []string
	// needed is how many it takes; refused says why no number would do.
	needed  int
	refused []string
}

func (w weighed) tally() string {
	return strings.Join(append([]string{fmt.Sprintf("%d of %d approvals", len(w.approvals), w.needed)}, w.missing...), "; ")
}

func (d *Desk) weighApprovals(ctx context.Context, c Case, severity operation.Severity, now time.Time) (weighed, error) {
	stage := StageIssue
	if c.Grant != nil && severity != "" {
		stage = StageUse
	}
	approvals, missing, err := d.counted(ctx, c, now)
	if err != nil {
		return weighed{}, err
	}
	assess := severity == "" && c.Grant == nil
	answer, err := d.demands(ctx, stage, *c.Request, severity, assess, actorsOf(approvals), now)
	if err != nil {
		return weighed{}, err
	}
	needed := max(answer.Approvals, 1)
	if c.Grant != nil && severity == "" { // as many as it took, since what it is to lift is not at hand
		needed = max(needed, len(c.Grant.Approvers))
	}
	return weighed{approvals, missing, needed, answer.Refused}, nil
}

func (d *Desk) weighPending(s *Standing, c Case, w weighed, now time.Time) {
	s.Until = d.approveBefore(*c.Request)
	switch {
	case len(w.approvals) >= w.needed && len(w.refused) == 0:
		s.Why = "approved, the grant is being issued"
	case now.After(s.Until):
		s.State, s.Why = Expired, d.whenOver(c)
	case len(w.refused) > 0:
		s.Why = strings.Join(w.refused, "; ")
	default:
		s.Why = w.tally()
	}
}

// weighImported is Weigh for a grant that came as a token: who approved it was
// for its issuer to judge, and the token's signature says that it did.
func weighImported(c Case, s Standing, now time.Time) Standing {
	if c.Grant == nil {
		s.State, s.Why = Void, "it was presented as a token, which is not kept here"
		return s
	}
	if !c.Grant.Imported() {
		s.State, s.Why = Void, "it rests on nothing: it has no request, and did not come as a token"
		return s
	}
	s.Approvers, s.Needed = c.Grant.Approvers, len(c.Grant.Approvers)
	weighTimes(&s, *c.Grant, c, now)
	return s
}

// over reports whether the time of a case with a request is over, whatever was
// said in it: then nobody needs to be asked.
func (d *Desk) over(c Case, now time.Time) bool {
	if c.Grant != nil {
		return c.Grant.ended(now)
	}
	// A grant that was approved in time may be issued late, after an outage.
	approved := slices.ContainsFunc(c.Verdicts, func(v Verdict) bool { return v.Kind == Approve })
	last := d.approveBefore(*c.Request)
	if approved {
		if c.Request.NotBefore.After(last) {
			last = c.Request.NotBefore
		}
		last = last.Add(c.Request.Duration)
	}
	return now.After(last.Add(Leeway))
}

func (d *Desk) whenOver(c Case) string {
	if c.Grant != nil {
		return usableUntil(*c.Grant)
	}
	return "not approved by " + d.approveBefore(*c.Request).UTC().Format(time.RFC3339)
}

func usableUntil(g Grant) string {
	return "it could be used until " + g.Expires.UTC().Format(time.RFC3339)
}

// weighTimes says where in its window a grant is, and whether it is used up.
func weighTimes(s *Standing, g Grant, c Case, now time.Time) {
	switch {
	case now.Before(g.NotBefore.Add(-Leeway)):
		s.State, s.Until = Scheduled, g.NotBefore
		s.Why = "not before " + g.NotBefore.UTC().Format(time.RFC3339)
	case g.ended(now):
		s.State, s.Why = Expired, usableUntil(g)
	case s.Left == 0:
		s.State, s.Why = Used, usedUp(c)
	default:
		s.State, s.Until = Active, g.Expires
		s.Why = fmt.Sprintf("approved by %s, %d of %d left", strings.Join(s.Approvers, ", "), s.Left, g.Scope.uses())
	}
}

func usedUp(c Case) string {
	for _, use := range slices.Backward(c.Uses) {
		if _, ofPlan := operation.ParsePlanRef(use.Target.Ref); ofPlan {
			return planUsed(use)
		}
		if use.State != Released {
			return fmt.Sprintf("used up: %s of %s at %s", use.Verb, use.Target.Ref, use.At.UTC().Format(time.RFC3339))
		}
	}
	return "used up"
}

var pastTense = map[VerdictKind]string{Approve: "approved", Deny: "denied", Revoke: "revoked"}

func said(v Verdict) string {
	text := fmt.Sprintf("%s by %s at %s", pastTense[v.Kind], v.By.Name, v.At.UTC().Format(time.RFC3339))
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return text
}
