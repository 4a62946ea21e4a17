package alert

import (
	"fmt"
	"slices"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// Alert returns an incident as sinks get it; ok is false if there is none of that id. An
// incident whose record cannot be decoded is an error; operations of which that is true
// are left out. The transaction may be one that only reads.
func (b *Book) Alert(tx *ledger.Tx, id string) (a Alert, ok bool, err error) {
	in, err := readIncident(tx, id)
	if in == nil || err != nil {
		return Alert{}, false, err
	}
	a, _ = b.compose(tx, in)
	return a, true, nil
}

// compose leaves out what cannot be decoded, and returns that as well.
func (b *Book) compose(tx *ledger.Tx, in *incident) (Alert, []*unreadable) {
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
	if kind, source := a.Trouble(); a.Status == Resolved && kind != "" {
		a.Title = overTitle(kind, source)
	}
	if len(in.Tally) == 0 {
		return a, nil
	}
	operations, bad := listed(tx, in.ID)
	a.Runbook = b.runbook(operations)
	slices.SortStableFunc(operations, func(a, b Operation) int { return a.Time.Compare(b.Time) })
	a.Operations = operations
	a.Title = in.decisionTitle(operations)
	a.Text = in.remarks(len(operations))
	return a, bad
}

// listed returns the worst operations of an incident, worst first, and what cannot be
// decoded among them.
func listed(tx *ledger.Tx, id string) (operations []Operation, bad []*unreadable) {
	tx.Scan(ledger.TableIncidents, operationKey(id, ""), "", func(key string, text []byte) bool {
		r, err := decodeRecord(text)
		if err == nil && r.Operation == nil {
			err = errMisplaced
		}
		if err != nil {
			bad = append(bad, &unreadable{ledger.TableIncidents, key, err})
			return true
		}
		operations = append(operations, *r.Operation)
		return len(operations) < MaxOperations
	})
	return operations, bad
}

// runbook is that of the worst operation that has one. Policies that say that the guard
// is not what it was go first: who follows another runbook trusts what is not there.
func (b *Book) runbook(operations []Operation) string {
	for _, o := range operations {
		for _, policy := range slices.Concat(guardPolicies(), o.Policies) {
			if url := b.runbooks[policy]; url != "" && slices.Contains(o.Policies, policy) {
				return url
			}
		}
	}
	return ""
}

// guardPolicies are the policies that Mollyguard brings along about itself, the worst
// first (policies/mollyguard).
func guardPolicies() []string { return []string{PolicyGuardWeakened, PolicyUnmediated} }

// The names of policies after which people look at Mollyguard before all else.
const (
	PolicyGuardWeakened = "guard-weakened"
	PolicyUnmediated    = "production-unmediated"
)

// remarks say what the operations do not.
func (in *incident) remarks(listed int) []string {
	var text []string
	count := in.size()
	came := in.total(feature.came)
	switch {
	case in.Kind == Attempt:
	case came == 0 && count == 1:
		text = append(text, "it began, and ended with an error: part of it may be gone")
	case came == 0:
		text = append(text, fmt.Sprintf("all of the %d operations began, and ended with an error: part of what they are about may be gone", count))
	case came < count:
		text = append(text, fmt.Sprintf("%d of the %d operations began, and ended with an error", count-came, count))
	}
	if listed < count {
		text = append(text, fmt.Sprintf("%d of the %d operations are listed, the worst; the decision log has all", listed, count))
	}
	return text
}
