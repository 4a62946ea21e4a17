package breakglass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// demands is what issuing policy says and, if it is to be assessed, what the
// policies that the grant is to lift do, and the request itself: the most of these.
func (d *Desk) demands(ctx context.Context, stage Stage, r Request, severity operation.Severity, assess bool, approvers []operation.Actor, now time.Time) (Answer, error) {
	var asked assessment
	if assess {
		var err error
		if asked, err = d.assess(ctx, r); err != nil {
			return Answer{}, err
		}
		severity = asked.severity
	}
	r.Requester = d.known(r.Requester)
	answer, err := d.rules.Judge(ctx, question(stage, r, severity, approvers, nil, now))
	if err != nil {
		return Answer{}, fmt.Errorf("ask issuing policy: %w", err)
	}
	answer.Approvals = max(answer.Approvals, asked.approvals, r.Approvals)
	if asked.never != "" {
		answer.Refused = append(answer.Refused, asked.never)
	}
	return answer, nil
}

// counted returns the approvals that count now, by time, and says why others do
// not.
func (d *Desk) counted(ctx context.Context, c Case, now time.Time) (approvals []Verdict, missing []string, err error) {
	r := *c.Request
	r.Requester = d.known(r.Requester)
	people := map[string]bool{d.people.person(r.Requester.Name): true, d.people.person(r.Subject): true}
	for _, v := range c.Verdicts {
		if v.Kind != Approve {
			continue
		}
		v.By = d.known(v.By)
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
		for _, actor := range r.parties() {
			may, err := d.authorizer.MayImpersonate(ctx, actor, v.By)
			if err != nil {
				return "", fmt.Errorf("ask whether %s may impersonate %s: %w", actor.Name, v.By.Name, err)
			}
			if may {
				return fmt.Sprintf("%s may impersonate %s, and the approval came without a credential that would tell them apart", actor.Name, v.By.Name), nil
			}
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
