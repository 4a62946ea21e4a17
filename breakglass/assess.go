package breakglass

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// assessment is what operation policies will hold against what is asked for.
type assessment struct {
	// severity is the worst; empty if it cannot be told.
	severity operation.Severity
	// approvals is the most that any of them demands.
	approvals int
	// never says which of them cannot be lifted, in words; empty if all can.
	never string
}

// assess asks the policies about each verb on each target, so that whoever asks
// for what nobody is let through for hears it at once, and not at the refusal. Of a
// Terraform plan only the plan is asked about: what it destroys is not known here.
func (d *Desk) assess(ctx context.Context, r Request) (assessment, error) {
	var a assessment
	if d.violations == nil {
		return a, nil
	}
	if known, ok := d.assessed.recall(r.ID, d.now()); ok {
		return known, nil
	}
	actor := r.Requester
	if r.Subject != actor.Name {
		actor = r.subjectActor()
	}
	targets := r.Scope.Targets
	if r.Scope.Surface == operation.Terraform && len(targets) > 1 {
		targets = targets[:1]
	}
	for _, target := range targets {
		for _, verb := range r.Scope.Verbs {
			violations, err := d.violations(ctx, actor, verb, target)
			if err != nil {
				return a, fmt.Errorf("ask what the policies hold against it: %w", err)
			}
			for _, v := range violations {
				a.add(v, target)
			}
		}
	}
	d.assessed.remember(r.ID, a, d.now())
	return a, nil
}

const (
	// assessedFor is how long an assessment is believed: each looks every target up,
	// and lists and sweeps ask for all that is pending. At use the operation itself
	// is judged.
	assessedFor = time.Minute
	maxAssessed = 4096
)

// assessments are remembered by handle. It may be used concurrently.
type assessments struct {
	lock sync.Mutex
	byID map[string]remembered
}

type remembered struct {
	assessment
	until time.Time
}

func (m *assessments) recall(id string, now time.Time) (assessment, bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	known, ok := m.byID[id]
	return known.assessment, ok && now.Before(known.until)
}

func (m *assessments) remember(id string, a assessment, now time.Time) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.byID == nil || len(m.byID) >= maxAssessed {
		m.byID = map[string]remembered{}
	}
	m.byID[id] = remembered{a, now.Add(assessedFor)}
}

func (a *assessment) add(v operation.Violation, target operation.Reference) {
	if v.BreakGlass.Never && a.never == "" {
		a.never = fmt.Sprintf("nobody gets through policy %s, which refuses %s: %s", v.Policy, operation.Printable(target.Ref), v.Message)
	}
	a.approvals = max(a.approvals, v.BreakGlass.Approvals)
	ranks := operation.Low.Values() // mildest first
	if slices.Index(ranks, string(v.Severity)) > slices.Index(ranks, string(a.severity)) {
		a.severity = v.Severity
	}
}
