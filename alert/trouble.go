package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// currentPrefix begins the keys that say which incident of a trouble is open. No
// incident's id begins so.
const currentPrefix = "open/"

func currentKey(t Trouble) string { return currentPrefix + string(t.Kind) + "/" + digest(t.Source) }

// TellTrouble keeps a trouble, and returns the id of its incident. A trouble that is
// open already changes only if its text does; one that is over, and was not open, is
// "". Of what cannot be decoded there is one incident a minute, with a count.
func (b *Book) TellTrouble(tx *ledger.Tx, t Trouble) (id string, err error) {
	return b.tellTrouble(tx, t, "")
}

// tellTrouble tells all but one sink, if it is named.
func (b *Book) tellTrouble(tx *ledger.Tx, t Trouble, except string) (id string, err error) {
	t.Kind = clipped(t.Kind, maxName)
	t.Source, t.Text = clip(t.Source, maxName), clip(t.Text, maxTroubleText)
	if now := b.time(); t.Since.IsZero() || t.Since.After(now) {
		t.Since = now
	}
	switch {
	case t.Kind == Undecodable && !t.Over:
		id, err = b.countTrouble(tx, t)
	case t.Over:
		id, err = b.endTrouble(tx, t)
	default:
		id, err = b.openTrouble(tx, t, except)
	}
	if err != nil {
		return "", fmt.Errorf("tell that %s is in trouble (%s): %w", operation.Printable(t.Source), t.Kind, err)
	}
	return id, nil
}

// maxTroubleText is how long a trouble's text may be: a screen of commands.
const maxTroubleText = 4 << 10

// troubleSeverity is high where nothing is seen any more, or something never will be.
func troubleSeverity(k TroubleKind) operation.Severity {
	switch k {
	case Silence, Missing, Forbidden, Gap, Undelivered, Damaged:
		return operation.High
	}
	return operation.Medium
}

func troubleTitle(t Trouble) string {
	text := map[TroubleKind]string{
		Silence:     "mollyguard is blind: nothing comes from %s, not even a heartbeat",
		Gap:         "mollyguard may have missed entries of %s, and could not fetch them",
		Missing:     "mollyguard is blind: %s is not there",
		Forbidden:   "mollyguard is blind: it may not read %s",
		Exhausted:   "mollyguard sees late: a quota of %s is used up",
		Unreachable: "mollyguard is blind: nobody answers at %s",
		Undecodable: "mollyguard could not read an entry of %s",
		Unlabelled:  "mollyguard does not know what is production: the labels of %s cannot be refreshed",
		Undelivered: "alerts do not reach sink %s",
		Damaged:     "mollyguard cannot read what it kept of alerts in %s",
	}[t.Kind]
	if text == "" {
		text = "mollyguard has trouble with %s"
	}
	return line(fmt.Sprintf(text, t.Source))
}

func (b *Book) newTrouble(id string, t Trouble) *incident {
	return &incident{
		ID: id, Kind: Blind, Status: Open, Severity: troubleSeverity(t.Kind), Opened: kept(t.Since), Title: troubleTitle(t), Text: []string{t.Text},
	}
}

func (b *Book) sinksForTrouble(t Trouble, except string) []string {
	return b.sinksFor(subject{kind: Blind, severity: troubleSeverity(t.Kind)}, except)
}

func (b *Book) openTrouble(tx *ledger.Tx, t Trouble, except string) (string, error) {
	id, in, err := b.currentTrouble(tx, t)
	if err != nil {
		return "", err
	}
	if in != nil && in.Status == Open && slices.Equal(in.Text, []string{t.Text}) {
		return id, nil
	}
	if id == "" {
		id = incidentID(t.Since, string(Blind), string(t.Kind), t.Source)
		if in, err = b.incident(tx, id); err != nil {
			return "", err
		}
		if err := put(tx, ledger.TableIncidents, currentKey(t), record{Current: &current{id}}); err != nil {
			return "", err
		}
	}
	if in == nil {
		in = b.newTrouble(id, t)
	}
	in.Status, in.Text = Open, []string{t.Text}
	return id, b.save(tx, in, b.sinksForTrouble(t, except))
}

// endTrouble resolves the open incident of a trouble. The next one is another.
func (b *Book) endTrouble(tx *ledger.Tx, t Trouble) (string, error) {
	id, in, err := b.currentTrouble(tx, t)
	if id == "" || err != nil {
		return "", err
	}
	var more []string
	if in == nil { // whoever was told of it must hear the end of it
		in, more = b.newTrouble(id, t), b.sinksForTrouble(t, "")
		in.Text = nil
	}
	in.Status = Resolved
	in.Text = append(in.Text, "over since "+b.time().Format(time.RFC3339))
	if t.Text != "" {
		in.Text = append(in.Text, t.Text)
	}
	if err := tx.Delete(ledger.TableIncidents, currentKey(t)); err != nil {
		return "", err
	}
	return id, b.save(tx, in, more)
}

// countTrouble counts what came in one minute.
func (b *Book) countTrouble(tx *ledger.Tx, t Trouble) (string, error) {
	id := incidentID(t.Since, string(Blind), string(t.Kind), t.Source)
	in, err := b.incident(tx, id)
	if err != nil {
		return "", err
	}
	if in == nil {
		in = b.newTrouble(id, t)
	}
	in.Times++
	if in.Times > 1 {
		in.Title = line(fmt.Sprintf("mollyguard could not read %d entries of %s in 1 minute", in.Times, t.Source))
	}
	return id, b.save(tx, in, b.sinksForTrouble(t, ""))
}

// currentTrouble returns the id of the open incident of a trouble, or "", and the
// incident, which is nil if it could not be decoded.
func (b *Book) currentTrouble(tx *ledger.Tx, t Trouble) (id string, in *incident, err error) {
	key := currentKey(t)
	text := tx.Get(ledger.TableIncidents, key)
	if text == nil {
		return "", nil, nil
	}
	r, err := decodeRecord(text)
	if err == nil && (r.Current == nil || !isIncidentID(r.Current.Incident)) {
		err = errMisplaced
	}
	if err != nil {
		return "", nil, b.setAside(tx, &unreadable{ledger.TableIncidents, key, err})
	}
	in, err = b.incident(tx, r.Current.Incident)
	return r.Current.Incident, in, err
}

// isIncidentID reports whether an incident can be kept under an id.
func isIncidentID(id string) bool {
	return id != "" && len(id) <= maxRecordKey && !strings.Contains(id, "/")
}
