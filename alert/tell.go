package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// incidentID is the id of an incident that began in a minute: it sorts by time, and
// follows from its parts alone.
func incidentID(minute time.Time, parts ...string) string {
	return minute.UTC().Format(minuteForm) + "-" + digest(parts...)
}

const minuteForm = "20060102T1504Z"

// digest is 80 bits of a hash: two of the some ten million incidents of a busy year
// are the same with a chance of one in ten billion.
func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part) // a hash returns no error
	}
	return hex.EncodeToString(sum.Sum(nil)[:10])
}

// decisionIncident is the id of the incident that a decision belongs to. What an actor
// did in one minute is one, but what was done with a grant, without one, or was only
// tried is told apart: the mild must not hide the bad. Who acts through a service
// account is another actor, and whoever is not known is told by what they did.
func decisionIncident(kind Kind, d operation.Decision) string {
	parts := []string{string(kind)}
	if d.Actor.Name == "" {
		parts = append(parts, "target", d.Target.Ref)
	} else {
		parts = append(append(parts, "actor", d.Actor.Name), d.Origin.Delegation...)
	}
	return incidentID(d.Time, parts...)
}

// toldKey is where it says that a decision was told.
func toldKey(incident, decision string) string { return incident + "/told/" + digest(decision) }

func operationKey(incident, key string) string { return incident + "/op/" + key }

// TellDecision keeps what people are to be told of a decision, and returns the id of
// the incident, or "" if there is nothing to tell. The same decision told again
// changes nothing.
func (b *Book) TellDecision(tx *ledger.Tx, d operation.Decision) (id string, err error) {
	w, ok := weigh(d)
	if !ok {
		return "", nil
	}
	id = decisionIncident(w.kind, d)
	if tx.Get(ledger.TableIncidents, toldKey(id, name(d))) != nil {
		return id, nil
	}
	if err := b.tell(tx, id, w, d); err != nil {
		return "", fmt.Errorf("tell decision %s: %w", operation.Printable(clip(d.ID, maxName)), err)
	}
	return id, nil
}

// name tells a decision from others, even one without an id.
func name(d operation.Decision) string {
	if d.ID != "" {
		return d.ID
	}
	return digest(d.Time.UTC().Format(time.RFC3339Nano), string(d.Surface), string(d.Verb), d.Target.Ref, d.Source.UID, d.Source.Log)
}

// tell adds a decision to an incident that does not have it.
func (b *Book) tell(tx *ledger.Tx, id string, w weight, d operation.Decision) error {
	in, err := b.incident(tx, id)
	if err != nil {
		return err
	}
	if in == nil {
		in = &incident{
			ID: id, Kind: w.kind, Status: Open, Opened: kept(d.Time), Surface: clipped(d.Surface, maxName), Project: clip(d.Project, maxName),
			Actor: clipIdentity(d.Actor), Origin: clipOrigin(d.Origin),
		}
	}
	in.mix(d)
	t := told{Feature: featureOf(w, d), Time: kept(d.Time)}
	if in.Opened.After(t.Time) {
		in.Opened = t.Time
	}
	if err := b.enter(tx, in, t, d); err != nil {
		return err
	}
	return b.save(tx, in, b.sinksFor(subject{w.kind, w.severity, d.Surface, d.Project}, ""))
}

// UpdateOperation keeps how an operation of an incident went on: d is the decision
// that was told, as it would be now. What is not in the incident any more, and what
// has turned out to be worse than the incident is about, is told as new. The same
// told again changes nothing.
func (b *Book) UpdateOperation(tx *ledger.Tx, incident string, d operation.Decision) error {
	if err := b.update(tx, incident, d); err != nil {
		return fmt.Errorf("tell how decision %s went on: %w", operation.Printable(clip(d.ID, maxName)), err)
	}
	return nil
}

func (b *Book) update(tx *ledger.Tx, id string, d operation.Decision) error {
	in, err := b.incident(tx, id)
	if err != nil {
		return err
	}
	if in == nil {
		return b.tellElsewhere(tx, id, d)
	}
	was, err := b.told(tx, id, d)
	if err != nil {
		return err
	}
	if was == nil {
		return b.tellElsewhere(tx, id, d)
	}
	d.Time = was.Time // it is listed where it began
	w, ok := weigh(d)
	if w.kind == Violation && in.Kind != Violation {
		return b.tellElsewhere(tx, id, d)
	}
	if !ok {
		w = weight{in.Kind, operation.Low}
	}
	if was.Feature.came() { // it had begun: however it ended, part of it may be gone
		w.severity = worse(w.severity, was.Feature.Severity)
	}
	f, before := featureOf(w, d), tx.Get(ledger.TableIncidents, operationKey(id, was.Key))
	if f == was.Feature && (before == nil || sameOperation(before, d)) {
		return nil
	}
	in.uncount(was.Feature)
	if before != nil {
		if err := unlist(tx, in, operationKey(id, was.Key)); err != nil {
			return err
		}
	}
	if err := b.enter(tx, in, told{Feature: f, Time: was.Time}, d); err != nil {
		return err
	}
	return b.save(tx, in, nil)
}

// tellElsewhere tells a decision that an incident does not have, or not any more, in
// the one that it belongs to.
func (b *Book) tellElsewhere(tx *ledger.Tx, id string, d operation.Decision) error {
	w, ok := weigh(d)
	if !ok {
		return nil
	}
	if other := decisionIncident(w.kind, d); other != id && tx.Get(ledger.TableIncidents, toldKey(other, name(d))) != nil {
		return b.update(tx, other, d)
	}
	_, err := b.TellDecision(tx, d)
	return err
}

// told returns what was told of a decision, or nil. One that cannot be decoded is set
// aside: the operation is found again among those that are listed, and only counts once
// more.
func (b *Book) told(tx *ledger.Tx, id string, d operation.Decision) (*told, error) {
	key := toldKey(id, name(d))
	text := tx.Get(ledger.TableIncidents, key)
	if text == nil {
		return nil, nil
	}
	r, err := decodeRecord(text)
	if err == nil && r.Told == nil {
		err = errMisplaced
	}
	if err == nil {
		return r.Told, nil
	}
	was := told{Time: kept(d.Time)}
	tx.Scan(ledger.TableIncidents, operationKey(id, ""), "", func(key string, text []byte) bool {
		if !strings.HasSuffix(key, "/"+digest(name(d))) {
			return true
		}
		was.Key = strings.TrimPrefix(key, operationKey(id, ""))
		if r, err := decodeRecord(text); err == nil && r.Operation != nil {
			was.Time = r.Operation.Time
		}
		return false
	})
	return &was, b.setAside(tx, &unreadable{ledger.TableIncidents, key, err})
}

// sameOperation reports whether a record says what a decision does.
func sameOperation(before []byte, d operation.Decision) bool {
	o := operationOf(d)
	text, err := record{Operation: &o}.encode()
	return err == nil && bytes.Equal(text, before)
}

// enter counts an operation, lists it if it is among the worst, and notes that it was
// told.
func (b *Book) enter(tx *ledger.Tx, in *incident, t told, d operation.Decision) error {
	t.Feature = in.count(t.Feature)
	var err error
	if t.Key, err = b.list(tx, in, t, d); err != nil {
		return err
	}
	in.Severity = in.worst()
	return put(tx, ledger.TableIncidents, toldKey(in.ID, name(d)), record{Told: &t})
}

func featureOf(w weight, d operation.Decision) feature {
	return feature{
		Verb: clipped(d.Verb, maxFeature), Kind: clip(d.Target.Kind, maxFeature), State: stateOf(d),
		Severity: w.severity, Production: d.Production.Is,
	}
}

// keptOperations is how many operations of an incident are kept: those that are
// listed, and as many again, for when some of them fail.
const keptOperations = 2 * MaxOperations

// list keeps an operation if it is among the worst, and returns its key, or "".
func (b *Book) list(tx *ledger.Tx, in *incident, t told, d operation.Decision) (string, error) {
	o := operationOf(d)
	order := 2 * (len(o.Severity.Values()) - o.Severity.Rank())
	if o.Production {
		order--
	}
	// The first of its kind is kept whatever else there is: a hundred firewalls must not
	// hide the one cluster.
	if in.total(func(f feature) bool { return f.Kind == t.Feature.Kind }) == 1 {
		order = 0
	}
	if s := t.Feature.State; s == stateFailed || s == stateRefused {
		order += 2 * len(o.Severity.Values())
	}
	at := min(max(t.Time.UnixMilli(), 0), 1e15-1) // no later than the year 33658: 15 digits
	key := fmt.Sprintf("%02d/%015d/%s", order, at, digest(name(d)))
	if in.Listed >= keptOperations {
		last := ""
		tx.Scan(ledger.TableIncidents, operationKey(in.ID, ""), "", func(key string, _ []byte) bool { last = key; return true })
		if operationKey(in.ID, key) > last {
			return "", nil
		}
		if err := unlist(tx, in, last); err != nil {
			return "", err
		}
	}
	in.Listed++
	return key, put(tx, ledger.TableIncidents, operationKey(in.ID, key), record{Operation: &o})
}

// unlist forgets an operation, but not that it was told.
func unlist(tx *ledger.Tx, in *incident, key string) error {
	in.Listed--
	return tx.Delete(ledger.TableIncidents, key)
}

func put(tx *ledger.Tx, table ledger.Table, key string, r record) error {
	text, err := r.encode()
	if err != nil {
		return err
	}
	return tx.Put(table, key, text)
}
