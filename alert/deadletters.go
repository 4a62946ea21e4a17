package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// DeadLetter is something that people were not told.
type DeadLetter struct {
	// ID is SINK/INCIDENT, or outbox/NUMBER for an entry of the outbox that could not
	// be read, or record/KEY for a record that could not.
	ID       string             `json:"id"`
	Sink     string             `json:"sink"`
	Incident string             `json:"incident"`
	Title    string             `json:"title"`
	Kind     Kind               `json:"kind"`
	Severity operation.Severity `json:"severity"`
	// Reason is why it is dead.
	Reason string `json:"reason"`
	// Queued is since when it waited, Died until when.
	Queued   time.Time `json:"queued"`
	Died     time.Time `json:"died"`
	Attempts int       `json:"attempts"`
	// Final reports that it cannot be tried again: a record that could not be read, or
	// what was too large to be kept. Records go after MaxAge.
	Final bool `json:"final,omitzero"`
}

// DeadLetters is the list of what is dead. It needs nothing but the ledger, and may be
// used concurrently.
type DeadLetters struct{ ledger *ledger.Ledger }

// NewDeadLetters returns the dead letters in a ledger.
func NewDeadLetters(l *ledger.Ledger) *DeadLetters { return &DeadLetters{l} }

// Dead returns all dead letters, by id. One whose record cannot be read says so in
// Reason.
func (d *DeadLetters) Dead(ctx context.Context) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := d.ledger.View(ctx, func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableDead, "", "", func(key string, text []byte) bool {
			letters = append(letters, deadLetter(key, text))
			return true
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

func deadLetter(key string, text []byte) DeadLetter {
	sink, id := splitKey(key)
	letter := DeadLetter{ID: key, Sink: sink, Incident: id}
	body, err := decodeDead(text)
	letter.Final = final(sink, body, err) != nil
	if err != nil {
		letter.Reason = err.Error()
		return letter
	}
	letter.Title, letter.Kind, letter.Severity, letter.Reason = body.Title, body.Kind, body.Severity, body.Reason
	letter.Queued, letter.Died, letter.Attempts = body.Since, body.Died, body.Attempts
	return letter
}

func decodeDead(text []byte) (dead, error) {
	r, err := decodeRecord(text)
	if err != nil {
		return dead{}, err
	}
	if r.Dead == nil {
		return dead{}, errMisplaced
	}
	return *r.Dead, nil
}

// final says why a dead letter cannot be tried again, or nil. What is in the queue says
// all that matters, which incident and to whom, so that what a letter for a sink holds
// is not needed.
func final(sink string, body dead, err error) error {
	switch {
	case sink == recordSink:
		return errors.New("it is a record that could not be read, and cannot be retried")
	case sink == outboxSink && err != nil:
		return err
	case sink == outboxSink && body.Entry == nil:
		return errors.New("it could not be kept, and cannot be retried")
	}
	return nil
}

// Retry puts dead letters back where they came from, to be tried at once under the
// ids that they had, and returns how many; without ids, all that are not Final. An id
// that is not there, or of one that is Final, is an error, and none is put back then. A
// Deliverer of the same process is to be woken.
func (d *DeadLetters) Retry(ctx context.Context, ids ...string) (n int, err error) {
	err = d.ledger.Update(ctx, func(tx *ledger.Tx) error {
		n = 0
		keys := slices.Compact(slices.Sorted(slices.Values(ids)))
		if len(keys) == 0 {
			tx.Scan(ledger.TableDead, "", "", func(key string, text []byte) bool {
				if !deadLetter(key, text).Final {
					keys = append(keys, key)
				}
				return true
			})
		}
		for _, key := range keys {
			if err := revive(tx, key); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("retry dead letters: %w", err)
	}
	return n, nil
}

func revive(tx *ledger.Tx, key string) error {
	text := tx.Get(ledger.TableDead, key)
	if text == nil {
		return fmt.Errorf("there is no dead letter %s", operation.Printable(key))
	}
	body, err := decodeDead(text)
	sink, _ := splitKey(key)
	if err := final(sink, body, err); err != nil {
		return fmt.Errorf("%s: %w", operation.Printable(key), err)
	}
	switch {
	case err != nil:
		err = put(tx, ledger.TableQueue, key, record{Queued: &queued{}})
	case body.Entry != nil:
		err = tx.Append(body.Entry.Kind, body.Entry.Dedup, json.RawMessage(body.Entry.Data))
	default:
		err = put(tx, ledger.TableQueue, key, record{Queued: &queued{Since: body.Since}})
	}
	if err != nil {
		return err
	}
	return tx.Delete(ledger.TableDead, key)
}
