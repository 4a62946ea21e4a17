package alert

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// queued is an incident that waits for a sink, under SINK/INCIDENT. What is sent is
// the incident as it is then.
type queued struct {
	// Revision is the one that it was put there for.
	Revision int       `json:"revision"`
	Since    time.Time `json:"since"`
	// Severity says which go first.
	Severity operation.Severity `json:"severity,omitzero"`
	// NotBefore is when it is to be sent at the earliest, zero for at once.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Attempts failed, the first at Failing, the last because of Error.
	Attempts int       `json:"attempts,omitzero"`
	Failing  time.Time `json:"failing,omitzero"`
	Error    string    `json:"error,omitzero"`
}

// Names in keys that no sink may have.
const (
	// outboxSink is what dead entries of the outbox are under, recordSink what records
	// are that were set aside, entrySink what mollyguard alert dead list shows log
	// entries under, otherSink what stands in metrics for sinks that are not configured.
	outboxSink = "outbox"
	recordSink = "record"
	entrySink  = "entry"
	otherSink  = "other"
)

func reservedSinks() []string { return []string{outboxSink, recordSink, entrySink, otherSink} }

func queueKey(sink, id string) string { return sink + "/" + id }

// splitKey is the way back.
func splitKey(key string) (sink, id string) {
	sink, id, _ = strings.Cut(key, "/")
	return sink, id
}

// enqueue has an incident sent to a sink, unless it waits there already. A sink that
// has it hears no more of it for a while.
func (b *Book) enqueue(tx *ledger.Tx, in *incident, sink string) error {
	key := queueKey(sink, in.ID)
	if text := tx.Get(ledger.TableQueue, key); text != nil {
		q, err := decodeQueued(text)
		if err != nil || in.Severity.Rank() <= q.Severity.Rank() { // what cannot be read is seen to when it is sent
			return nil
		}
		q.Severity = in.Severity
		return put(tx, ledger.TableQueue, key, record{Queued: &q})
	}
	q := queued{Revision: in.Revision, Since: b.time(), Severity: in.Severity}
	if has := in.Sinks[sink]; has.Revision > 0 {
		if next := has.At.Add(b.interval); next.After(q.Since) {
			q.NotBefore = next
		}
	}
	return put(tx, ledger.TableQueue, key, record{Queued: &q})
}

func decodeQueued(text []byte) (queued, error) {
	r, err := decodeRecord(text)
	if err != nil {
		return queued{}, err
	}
	if r.Queued == nil {
		return queued{}, errMisplaced
	}
	return *r.Queued, nil
}

// dead is an alert that a sink will not take, under the key that it had in the queue,
// or an entry of the outbox that nobody could read, under outbox/NUMBER, or a record
// that was set aside, under record/KEY.
type dead struct {
	Title    string             `json:"title,omitzero"`
	Kind     Kind               `json:"kind,omitzero"`
	Severity operation.Severity `json:"severity,omitzero"`
	Reason   string             `json:"reason"`
	Since    time.Time          `json:"since"`
	Died     time.Time          `json:"died"`
	Attempts int                `json:"attempts,omitzero"`
	// Entry is what was in the outbox.
	Entry *deadEntry `json:"entry,omitzero"`
	// Record is what was in a table.
	Record *deadRecord `json:"record,omitzero"`
}

type deadEntry struct {
	Kind  string         `json:"kind"`
	Dedup string         `json:"dedup"`
	Data  jsontext.Value `json:"data"`
}
