package breakglass

import (
	"context"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// EventKind says what happened at the desk.
type EventKind string

// The kinds of event.
const (
	EventRequested    EventKind = "requested"
	EventApproved     EventKind = "approved"
	EventDenied       EventKind = "denied"
	EventRevoked      EventKind = "revoked"
	EventIssued       EventKind = "issued"
	EventExpired      EventKind = "expired"
	EventUsed         EventKind = "used"
	EventConfirmed    EventKind = "confirmed"
	EventReleased     EventKind = "released"
	EventTokenIssued  EventKind = "token-issued"
	EventTokenRefused EventKind = "token-refused"
	EventImported     EventKind = "imported"
	// EventRefused: somebody was told no at the desk: approving their own request,
	// asking for what policy never gives.
	EventRefused EventKind = "refused"
)

// Values lists every EventKind.
func (EventKind) Values() []string {
	return []string{
		string(EventRequested), string(EventApproved), string(EventDenied), string(EventRevoked), string(EventIssued),
		string(EventExpired), string(EventUsed), string(EventConfirmed), string(EventReleased),
		string(EventTokenIssued), string(EventTokenRefused), string(EventImported), string(EventRefused),
	}
}

// Event is one step of a case. It is a line in the decision log and an entry in
// the outbox; fields are added, never renamed. It never holds a token.
type Event struct {
	// ID is a ULID.
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// Event tells these lines from decisions, which have no such field.
	Event EventKind `json:"event"`
	// Grant is the handle of the request or grant, empty if there is none.
	Grant   string                `json:"grant"`
	Actor   operation.Identity    `json:"actor"`
	Verbs   []operation.Verb      `json:"verbs"`
	Targets []operation.Reference `json:"targets"`
	// Decision is the id of the decision that it belongs to, empty if there is none.
	Decision string `json:"decision"`
	// Text says the rest, for people.
	Text string `json:"text"`
}

// Recorder keeps events. When Note returns nil the event is where it will be
// found. It is called concurrently.
type Recorder interface {
	Note(ctx context.Context, e Event) error
}
