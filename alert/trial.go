package alert

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// TellTest has a test alert sent to some sinks, or to all if none is named, and
// returns its id: a new one each time. A sink that is not configured is an error.
func (b *Book) TellTest(tx *ledger.Tx, sinks []string, severity operation.Severity) (id string, err error) {
	errs := []error{known("sinks", sinks, b.sinks)}
	if !slices.Contains(severity.Values(), string(severity)) {
		errs = append(errs, fmt.Errorf("severity: there is no %q, only %q", severity, severity.Values()))
	}
	if err := errors.Join(errs...); err != nil {
		return "", fmt.Errorf("tell a test: %w", err)
	}
	if len(sinks) == 0 {
		sinks = b.sinks
	}
	now := b.time()
	for i := 0; id == "" || tx.Get(ledger.TableIncidents, id) != nil; i++ { // another of the same moment
		id = incidentID(now, string(Test), now.Format(time.RFC3339Nano), strconv.Itoa(i))
	}
	in := &incident{
		ID: id, Kind: Test, Status: Open, Severity: severity, Opened: now,
		Title: line("test alert of mollyguard in " + b.cluster), Text: []string{"somebody tries the way to this place: nothing happened"},
	}
	if err := b.save(tx, in, sinks); err != nil {
		return "", fmt.Errorf("tell a test: %w", err)
	}
	return in.ID, nil
}
