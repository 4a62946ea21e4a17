package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mollyguard/mollyguard/breakglass"
)

var (
	_ breakglass.Recorder = (*Log)(nil)
	_ breakglass.Recorder = Events{}
)

// KindBreakGlass is the kind of an outbox entry that is a breakglass.Event.
const KindBreakGlass = "break-glass"

// Note writes an event, as Record does a decision.
func (l *Log) Note(ctx context.Context, e breakglass.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return l.append(ctx, text)
}

// Events writes events to the decision log and puts them into the outbox. Both
// fields are required.
type Events struct {
	Log    *Log
	Outbox *Ledger
}

// Note implements breakglass.Recorder. It tries both, so that a log that cannot
// be written does not keep an alert back, and returns all errors.
func (r Events) Note(ctx context.Context, e breakglass.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return errors.Join(r.Log.append(ctx, text), r.Outbox.Append(ctx, KindBreakGlass, e.ID, text))
}
