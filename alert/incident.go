package alert

import (
	"errors"
	"maps"
	"slices"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// readIncident returns an incident that is kept, or nil, or an *unreadable.
func readIncident(tx *ledger.Tx, id string) (*incident, error) {
	text := tx.Get(ledger.TableIncidents, id)
	if text == nil || id == "" {
		return nil, nil
	}
	r, err := decodeRecord(text)
	if err == nil && (r.Incident == nil || r.Incident.ID != id) {
		err = errMisplaced
	}
	if err != nil {
		return nil, &unreadable{ledger.TableIncidents, id, err}
	}
	return r.Incident, nil
}

// incident returns an incident that is kept, or nil. One that cannot be decoded is set
// aside, and begins anew.
func (b *Book) incident(tx *ledger.Tx, id string) (*incident, error) {
	in, err := readIncident(tx, id)
	if u, ok := errors.AsType[*unreadable](err); ok {
		return nil, b.beginAnew(tx, u)
	}
	return in, err
}

// save keeps a changed incident as its next revision, and puts it into the queues of
// its sinks, to which more are added. An update goes to all that know the incident,
// whatever routes say of what has become of it.
func (b *Book) save(tx *ledger.Tx, in *incident, more []string) error {
	if in.Revision++; in.Revision == 1 {
		in.Revision = b.revision(tx, in.ID)
	}
	in.Updated = b.time()
	for _, sink := range more {
		if _, ok := in.Sinks[sink]; !ok {
			if in.Sinks == nil {
				in.Sinks = map[string]delivery{}
			}
			in.Sinks[sink] = delivery{}
		}
	}
	if err := put(tx, ledger.TableIncidents, in.ID, record{Incident: in}); err != nil {
		return err
	}
	for _, sink := range slices.Sorted(maps.Keys(in.Sinks)) {
		if _, ok := slices.BinarySearch(b.sinks, sink); !ok {
			continue // it was told once, and is not configured any more
		}
		if err := b.enqueue(tx, in, sink); err != nil {
			return err
		}
	}
	return nil
}

// mix notes what a decision does not have in common with those before.
func (in *incident) mix(d operation.Decision) {
	in.Mixed.Surface = in.Mixed.Surface || in.Surface != clipped(d.Surface, maxName)
	in.Mixed.Project = in.Mixed.Project || in.Project != clip(d.Project, maxName)
	in.Mixed.Via = in.Mixed.Via || in.Actor.Via != clip(d.Actor.Via, maxName)
	o := clipOrigin(d.Origin)
	in.Mixed.Origin = in.Mixed.Origin || in.Origin.IP != o.IP || in.Origin.UserAgent != o.UserAgent || in.Origin.Reason != o.Reason
}

// maxTallies is how many different features are counted: a burst of some hundred
// kinds is told no better by naming each. 64 of 2 × maxFeature are 32 KiB, or 192 KiB if
// JSON had to escape every byte.
const maxTallies = 64

// otherKind is what the rest counts as.
const otherKind = "other"

// count counts a feature, and returns what it was counted as.
func (in *incident) count(f feature) feature {
	i := slices.IndexFunc(in.Tally, func(t tally) bool { return t.feature == f })
	if i < 0 && len(in.Tally) >= maxTallies {
		f.Verb, f.Kind = operation.Unknown, otherKind
		i = slices.IndexFunc(in.Tally, func(t tally) bool { return t.feature == f })
	}
	if i < 0 { // of the rest there are at most 4 states × 4 severities × 2
		in.Tally = append(in.Tally, tally{f, 1})
		return f
	}
	in.Tally[i].Count++
	return f
}

// uncount takes back what count did.
func (in *incident) uncount(f feature) {
	for i := range in.Tally {
		if in.Tally[i].feature == f {
			if in.Tally[i].Count--; in.Tally[i].Count <= 0 {
				in.Tally = slices.Delete(in.Tally, i, i+1)
			}
			return
		}
	}
}

// worst is the severity of the worst operation.
func (in *incident) worst() operation.Severity {
	severity := operation.Low
	for _, t := range in.Tally {
		severity = worse(severity, t.Severity)
	}
	return severity
}

// total counts the operations for which is says yes.
func (in *incident) total(is func(f feature) bool) int {
	n := 0
	for _, t := range in.Tally {
		if is(t.feature) {
			n += t.Count
		}
	}
	return n
}

func (in *incident) size() int { return in.total(func(feature) bool { return true }) }

func (f feature) came() bool { return f.State == stateGoing || f.State == stateDone }
