package alert

import (
	"fmt"
	"slices"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// Alert returns an incident as sinks get it; ok is false if there is none of that id.
func (b *Book) Alert(tx *ledger.Tx, id string) (a Alert, ok bool, err error) {
	in, err := b.incident(tx, id)
	if in == nil || err != nil {
		return Alert{}, false, err
	}
	a, err = b.compose(tx, in)
	return a, err == nil, err
}

func (b *Book) compose(tx *ledger.Tx, in *incident) (Alert, error) {
	a := Alert{
		ID: in.ID, Revision: in.Revision, Kind: in.Kind, Status: in.Status, Severity: in.Severity, Title: in.Title,
		Opened: in.Opened, Updated: in.Updated, Surface: in.Surface, Cluster: b.cluster, Project: in.Project,
		Actor: in.Actor, Origin: in.Origin, Count: max(in.size(), in.Times), Text: in.Text, Help: b.help,
	}
	if in.Mixed.Surface {
		a.Surface = ""
	}
	if in.Mixed.Project {
		a.Project = ""
	}
	if in.Mixed.Via {
		a.Actor.Via = ""
	}
	if in.Mixed.Origin {
		a.Origin = operation.Origin{Delegation: in.Origin.Delegation} // which is the same for all
	}
	if len(in.Tally) == 0 {
		return a, nil
	}
	operations, err := listed(tx, in.ID)
	if err != nil {
		return Alert{}, fmt.Errorf("incident %s: %w", operation.Printable(in.ID), err)
	}
	a.Runbook = b.runbook(operations)
	slices.SortStableFunc(operations, func(a, b Operation) int { return a.Time.Compare(b.Time) })
	a.Operations = operations
	a.Title = in.decisionTitle(operations)
	a.Text = in.remarks(len(operations))
	return a, nil
}

// listed returns the worst operations of an incident, worst first.
func listed(tx *ledger.Tx, id string) ([]Operation, error) {
	var operations []Operation
	var err error
	tx.Scan(ledger.TableIncidents, operationKey(id, ""), "", func(_ string, text []byte) bool {
		var r record
		if r, err = decodeRecord(text); err == nil && r.Operation == nil {
			err = errMisplaced
		}
		if err != nil {
			return false
		}
		operations = append(operations, *r.Operation)
		return len(operations) < MaxOperations
	})
	return operations, err
}

// runbook is that of the worst operation that has one.
func (b *Book) runbook(operations []Operation) string {
	for _, o := range operations {
		for _, policy := range o.Policies {
			if url := b.runbooks[policy]; url != "" {
				return url
			}
		}
	}
	return ""
}

// remarks say what the operations do not.
func (in *incident) remarks(listed int) []string {
	var text []string
	count := in.size()
	came := in.total(feature.came)
	switch {
	case in.Kind == Attempt:
	case came == 0 && count == 1:
		text = append(text, "it was not done: it failed, or was refused")
	case came == 0:
		text = append(text, fmt.Sprintf("none of the %d operations was done: all failed, or were refused", count))
	case came < count:
		text = append(text, fmt.Sprintf("%d of the %d operations failed, or were refused", count-came, count))
	}
	if listed < count {
		text = append(text, fmt.Sprintf("%d of the %d operations are listed, the worst; the decision log has all", listed, count))
	}
	return text
}
