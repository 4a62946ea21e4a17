package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mollyguard/mollyguard/operation"
)

// record keeps the decision. What destroys nothing, what is not production and
// what the cluster's own controllers do may go on without a record: refusing it
// would turn a full disk into an outage.
func (g *Guard) record(ctx context.Context, decision operation.Decision) operation.Decision {
	err := g.recorder.Record(ctx, decision)
	if err == nil {
		return decision
	}
	g.metrics.unrecorded.Inc()
	g.log.Error("decision not recorded", "error", err, "decision", decision.ID, "outcome", decision.Outcome)
	mayGoOn := !decision.Production.Is || decision.Verb == operation.Update ||
		decision.Actor.Kind == operation.Controller || g.dryRunEnforcement
	if !decision.Refused() && !mayGoOn {
		decision.Outcome, decision.Error = operation.OutcomeUndecided, fmt.Sprintf("record the decision: %v", err)
	}
	return decision
}

// newID returns a ULID (https://github.com/ulid/spec). A source of entropy that
// fails leaves the time alone, which still tells decisions apart for a person.
func (g *Guard) newID(at time.Time) string {
	g.entropyLock.Lock()
	defer g.entropyLock.Unlock()
	id, err := ulid.New(ulid.Timestamp(at), g.entropy)
	if err != nil {
		g.log.Error("no entropy for a decision id", "error", err)
	}
	return id.String()
}
