package breakglass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// Weigh says what a case is worth now. It reads the records, never an earlier
// result. An error means that it could not be told, since policy or rights could
// not be asked: the case is worth nothing then.
//
// severity is of the worst violation that the grant is to lift, or empty for a
// look without an operation at hand.
func (d *Desk) Weigh(ctx context.Context, c Case, severity operation.Severity, now time.Time) (Standing, error) {
	s := Standing{State: Pending, Needed: 1, Left: max(c.Scope().Objects-c.used(), 0)}
	for _, v := range c.Verdicts {
		switch v.Kind {
		case Deny:
			s.State = Denied
		case Revoke:
			s.State = Revoked
		default:
			continue
		}
		s.Why = said(v)
		return s, nil
	}
	if c.Request == nil {
		return d.weighImported(c, s, now)
	}
	if d.over(c, now) {
		s.State, s.Why = Expired, d.whenOver(c)
		return s, nil
	}
	r := *c.Request
	stage := StageIssue
	if c.Grant != nil && severity != "" {
		stage = StageUse
	}
	approvals, missing, err := d.counted(ctx, c, now)
	if err != nil {
		return Standing{}, err
	}
	for _, a := range approvals {
		s.Approvers = append(s.Approvers, a.By.Name)
	}
	assess := severity == "" && c.Grant == nil
	answer, err := d.demands(ctx, stage, r, severity, assess, actorsOf(approvals), now)
	if err != nil {
		return Standing{}, err
	}
	s.Needed = max(answer.Approvals, 1)
	enough := len(approvals) >= s.Needed
	if c.Grant == nil {
		s.Until = d.approveBefore(r)
		switch {
		case enough && len(answer.Refused) == 0:
			s.Why = "approved, the grant is being issued"
		case now.After(s.Until):
			s.State, s.Why = Expired, d.whenOver(c)
		case len(answer.Refused) > 0:
			s.Why = strings.Join(answer.Refused, "; ")
		default:
			s.Why = strings.Join(append([]string{fmt.Sprintf("%d of %d approvals", len(approvals), s.Needed)}, missing...), "; ")
		}
		return s, nil
	}
	g := *c.Grant
	if err := d.intact(ctx, r, g); err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			return Standing{}, err
		}
		s.State, s.Why = Void, refusal.Reason
		return s, nil
	}
	switch {
	case len(answer.Refused) > 0:
		s.State, s.Why = Void, strings.Join(answer.Refused, "; ")
	case !enough:
		s.State, s.Why = Void, strings.Join(append([]string{fmt.Sprintf("%d of %d approvals count", len(approvals), s.Needed)}, missing...), "; ")
	default:
		weighTimes(&s, g, c, now)
	}
	return s, nil
}

// weighImported is Weigh for a grant that came as a token: who approved it was
// for its issuer to judge, and the token's signature says that it did.
func (d *Desk) weighImported(c Case, s Standing, now time.Time) (Standing, error) {
	if c.Grant == nil {
		return s, ErrNotFound
	}
	s.Approvers, s.Needed = c.Grant.Approvers, len(c.Grant.Approvers)
	weighTimes(&s, *c.Grant, c, now)
	return s, nil
}

// over reports whether the time of a case with a request is over, whatever was
// said in it: then nobody needs to be asked.
func (d *Desk) over(c Case, now time.Time) bool {
	if c.Grant != nil {
		return !now.Before(c.Grant.Expires.Add(Leeway))
	}
	// A grant that was approved in time may be issued late, after an outage.
	approved := slices.ContainsFunc(c.Verdicts, func(v Verdict) bool { return v.Kind == Approve })
	last := d.approveBefore(*c.Request)
	if approved {
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
	case !now.Before(g.Expires.Add(Leeway)):
		s.State, s.Why = Expired, usableUntil(g)
	case s.Left == 0:
		s.State, s.Why = Used, usedUp(c)
	default:
		s.State, s.Until = Active, g.Expires
		s.Why = fmt.Sprintf("approved by %s, %d of %d left", strings.Join(s.Approvers, ", "), s.Left, g.Scope.Objects)
	}
}

func usedUp(c Case) string {
	for _, use := range slices.Backward(c.Uses) {
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

// demands is what issuing policy says and, if it is to be assessed, what the
// policies that the grant is to lift do: the more of both.
func (d *Desk) demands(ctx context.Context, stage Stage, r Request, severity operation.Severity, assess bool, approvers []operation.Actor, now time.Time) (Answer, error) {
	var asked assessment
	if assess {
		var err error
		if asked, err = d.assess(ctx, r); err != nil {
			return Answer{}, err
		}
		severity = asked.severity
	}
	answer, err := d.rules.Judge(ctx, question(stage, r, severity, approvers, nil, now))
	if err != nil {
		return Answer{}, fmt.Errorf("ask issuing policy: %w", err)
	}
	answer.Approvals = max(answer.Approvals, asked.approvals)
	if asked.never != "" {
		answer.Refused = append(answer.Refused, asked.never)
	}
	return answer, nil
}

// counted returns the approvals that count now, by time, and says why others do
// not.
func (d *Desk) counted(ctx context.Context, c Case, now time.Time) (approvals []Verdict, missing []string, err error) {
	r := *c.Request
	people := map[string]bool{d.people.person(r.Requester.Name): true, d.people.person(r.Subject): true}
	for _, v := range c.Verdicts {
		if v.Kind != Approve {
			continue
		}
		why, err := d.mayApprove(ctx, r, v, actorsOf(approvals), now)
		if err != nil {
			return nil, nil, err
		}
		if person := d.people.person(v.By.Name); why == "" && people[person] {
			why = "that person is counted already"
		} else if why == "" {
			people[person] = true
			approvals = append(approvals, v)
			continue
		}
		missing = append(missing, fmt.Sprintf("the approval of %s does not count: %s", operation.Printable(v.By.Name), why))
	}
	return approvals, missing, nil
}

// mayApprove says why an approval does not count, or "".
func (d *Desk) mayApprove(ctx context.Context, r Request, v Verdict, others []operation.Actor, now time.Time) (why string, err error) {
	if err := mayJudge(v.By); err != nil {
		return err.Error(), nil
	}
	switch person := d.people.person(v.By.Name); {
	case person == d.people.person(r.Requester.Name):
		return "nobody approves their own request", nil
	case person == d.people.person(r.Subject):
		return "nobody approves a grant for themselves", nil
	case v.At.Before(r.Created.Add(-Leeway)):
		return "it is older than the request", nil
	case v.At.After(d.approveBefore(r)):
		return "it came after " + d.approveBefore(r).UTC().Format(time.RFC3339) + ", when the request had expired", nil
	case v.At.After(now.Add(Leeway)):
		return "it is dated in the future", nil
	}
	allowed, why, err := d.authorizer.Allowed(ctx, v.By, RightApprove)
	if err != nil {
		return "", fmt.Errorf("ask whether %s may approve: %w", v.By.Name, err)
	}
	if !allowed {
		return why, nil
	}
	// The API server names a credential where it can; it has none to name for
	// somebody who is impersonated.
	if v.Door == DoorKubernetes && v.By.Credential == "" && !d.impersonationCounts {
		may, err := d.authorizer.MayImpersonate(ctx, r.Requester, v.By)
		if err != nil {
			return "", fmt.Errorf("ask whether %s may impersonate %s: %w", r.Requester.Name, v.By.Name, err)
		}
		if may {
			return fmt.Sprintf("%s may impersonate %s, and the approval came without a credential that would tell them apart", r.Requester.Name, v.By.Name), nil
		}
	}
	answer, err := d.rules.Judge(ctx, question(StageApprove, r, "", others, &v.By, now))
	if err != nil {
		return "", fmt.Errorf("ask issuing policy: %w", err)
	}
	return strings.Join(answer.Refused, "; "), nil
}

// intact returns a *Refusal unless a grant is sealed by its issuer and is for
// what was asked.
func (d *Desk) intact(ctx context.Context, r Request, g Grant) error {
	if err := d.keys.CheckSeal(ctx, g); err != nil {
		return err
	}
	asked, err := json.Marshal(r.Scope)
	if err != nil {
		return fmt.Errorf("compare grant and request: %w", err)
	}
	granted, err := json.Marshal(g.Scope)
	if err != nil {
		return fmt.Errorf("compare grant and request: %w", err)
	}
	if string(asked) != string(granted) || g.Subject != r.Subject || g.ID != r.ID {
		return &Refusal{"the grant is not for what was asked"}
	}
	return nil
}

func (d *Desk) approveBefore(r Request) time.Time { return r.Created.Add(d.approvalWindow) }

func question(stage Stage, r Request, severity operation.Severity, approvers []operation.Actor, approver *operation.Actor, now time.Time) Question {
	if severity == "" {
		severity = operation.High
	}
	return Question{
		Stage: stage, Time: now, Severity: severity, Approver: approver, Approvers: approvers,
		Request: QuestionRequest{
			ID: r.ID, Requester: r.Requester, Subject: r.Subject,
			Surface: r.Scope.Surface, Audience: r.Scope.Audience, Verbs: r.Scope.Verbs, Targets: r.Scope.Targets, Objects: r.Scope.Objects,
			Reason: r.Reason, Ticket: r.Ticket, DurationSeconds: int(r.Duration / time.Second),
		},
	}
}

func actorsOf(verdicts []Verdict) []operation.Actor {
	var actors []operation.Actor
	for _, v := range verdicts {
		actors = append(actors, v.By)
	}
	return actors
}

// DigestOf is the SHA-256, in hex, of the approvals that made a grant: of their
// JSON, sorted by time and name, one a line. It lets an auditor tie a token to
// the ledger of its issuer.
func DigestOf(approvals []Verdict) (string, error) {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, v := range approvals {
		if err := encoder.Encode(v); err != nil {
			return "", fmt.Errorf("digest approvals: %w", err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
