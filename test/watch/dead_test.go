package watch_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
)

// dead lists what people were not told, as a user does.
func (w *world) dead() (list []alert.DeadLetter) {
	w.Helper()
	if err := json.Unmarshal([]byte(w.must("alert", "dead", "list", "--config", w.config(), "-o", "json")), &list); err != nil {
		w.Fatal(err)
	}
	return list
}

func TestWhatASinkRefusesIsListedAndDeliveredAfterItsRepairUnderTheSameID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	p := w.ready(w.start())
	w.receiver.refuse(http.StatusBadRequest)
	const path = "projects/prod-1/zones/europe-west1-b/disks/shop"
	w.publish(entry(1, now(), alice, gce, deleteDisk, path, nil))

	var letter alert.DeadLetter
	find := func() bool {
		for _, l := range w.dead() {
			if strings.Contains(l.Title, "Disk shop") {
				letter = l
			}
		}
		return letter.ID != ""
	}
	w.until("dead", find)
	want := alert.DeadLetter{ID: "people/" + letter.Incident, Sink: "people", Incident: letter.Incident, Title: letter.Title, Kind: alert.Violation, Severity: "high", Attempts: 1, Queued: letter.Queued, Died: letter.Died, Reason: letter.Reason}
	if diff := cmp.Diff(want, letter); diff != "" || !strings.Contains(letter.Reason, "400") {
		t.Errorf("dead letter, because of %q (-want +got):\n%s", letter.Reason, diff)
	}
	if table := w.must("alert", "dead", "list", "--config", w.config()); !strings.Contains(table, letter.ID) {
		t.Errorf("the table has no %s:\n%s", letter.ID, table)
	}

	w.stop(p) // the file tells the same
	if list := w.dead(); !slices.ContainsFunc(list, func(l alert.DeadLetter) bool { return cmp.Equal(l, letter) }) {
		t.Errorf("without a server the list is %+v", list)
	}
	p = w.ready(w.start())
	if _, talk, code := w.mollyguard("alert", "dead", "retry", "--config", w.config(), "people/20200101T0000Z-0000"); code != 1 || !strings.Contains(talk, "there is no dead letter people/20200101T0000Z-0000") {
		t.Errorf("retry of a letter that there is not: exit %d, %s", code, talk)
	}
	w.receiver.refuse(0)
	w.must("alert", "dead", "retry", "--config", w.config(), letter.ID)
	if a, _ := w.alertOn(gcpRef + gce + "/" + path); a.ID != letter.Incident {
		t.Errorf("delivered as %s, it was %s", a.ID, letter.Incident)
	}
	w.until("not dead any more", func() bool {
		return !slices.ContainsFunc(w.dead(), func(l alert.DeadLetter) bool { return l.ID == letter.ID })
	})
	w.stop(p)
}

func TestAnEntryThatCannotBeReadIsKeptAndTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	p := w.ready(w.start())
	bad := entry(1, now(), alice, gce, deleteDisk, "projects/prod-1/zones/europe-west1-b/disks/shop", nil)
	bad["timestamp"] = "yesterday"
	w.publish(bad)
	a := w.blind("an entry cannot be read: timestamp is no time in RFC 3339", alert.Open)
	entries := func() (ids []string) {
		for _, l := range w.dead() {
			if strings.HasPrefix(l.ID, "entry/") {
				ids = append(ids, l.ID)
			}
		}
		return ids
	}
	if kept := entries(); len(kept) != 1 || !mentions(a.Text, strings.TrimPrefix(kept[0], "entry/")) {
		t.Errorf("the alert does not name the one entry of %q: %q", kept, a.Text)
	}
	w.pubsub.Publish(project, topic, []byte("\x00not JSON delete"), now())
	w.until("two entries are kept", func() bool { return len(entries()) == 2 })

	_, talk, code := w.mollyguard("alert", "dead", "retry", "--config", w.config(), "--all")
	if code != 1 || !strings.Contains(talk, "2 log entries could not be read, as before") {
		t.Errorf("retry: exit %d, %s", code, talk)
	}
	w.until("what still cannot be read is kept again", func() bool {
		return w.metric("mollyguard_audit_entries_undecoded_total", "") == 4 && len(entries()) == 2
	})
	w.stop(p)
	if n := len(entries()); n != 2 {
		t.Errorf("without a server %d entries are listed", n)
	}
	if _, talk, code := w.mollyguard("alert", "dead", "retry", "--config", w.config(), "--all"); code != 1 || !strings.Contains(talk, "start it") {
		t.Errorf("retry of entries without a server: exit %d, %s", code, talk)
	}
	if n := len(entries()); n != 2 {
		t.Errorf("after that %d entries are listed", n)
	}
}
