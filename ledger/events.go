package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
	err = r.Outbox.Append(ctx, KindBreakGlass, dedup(e), text)
	if errors.Is(err, ErrOutboxFull) {
		// Nobody takes the entries, and the log has this one: the way through must not
		// end with it.
		err = nil
	}
	return errors.Join(r.Log.append(ctx, text), err)
}

// dedup is the same for an event that is told again, after an error or by somebody
// who tries the same thing over and over.
func dedup(e breakglass.Event) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(e.Event), e.Grant, e.Actor.Name, e.Decision, e.Text}, "\x00")))
	return hex.EncodeToString(sum[:])
}
