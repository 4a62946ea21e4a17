package alert_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// garbage is what a record may have become.
func garbage() map[string]string {
	return map[string]string{
		"nothing":          "",
		"noise":            "\x00\xff{{",
		"a newer version":  `{"version":2,"incident":{"id":"a","more":1}}`,
		"a new member":     `{"version":1,"told":{"time":"2026-11-21T03:12:47Z","more":1}}`,
		"another's record": `{"version":1,"dead":{"reason":"","since":"2026-11-21T03:12:47Z","died":"2026-11-21T03:12:47Z"}}`,
		"no id":            `{"version":1,"current":{"incident":""}}`,
		"too long an id":   `{"version":1,"current":{"incident":"` + strings.Repeat("x", 5000) + `"}}`,
		"another's head":   `{"version":1,"incident":{"id":"b","revision":1,"kind":"blind","status":"open","severity":"low","opened":"2026-11-21T03:12:47Z","updated":"2026-11-21T03:12:47Z"}}`,
		"very long":        strings.Repeat("x", 1<<20),
	}
}

// spoil overwrites each record of a table whose key has a part, and returns the keys.
func spoil(t *testing.T, l *ledger.Ledger, table ledger.Table, part, text string) (spoiled []string) {
	t.Helper()
	for _, key := range keys(t, l, table) {
		if strings.Contains(key, part) {
			spoiled = append(spoiled, key)
			update(t, l, func(tx *ledger.Tx) error { return tx.Put(table, key, []byte(text)) })
		}
	}
	if len(spoiled) == 0 {
		t.Fatalf("nothing of %s to spoil in %q", part, keys(t, l, table))
	}
	return spoiled
}

func deadIDs(t *testing.T, l *ledger.Ledger) (ids []string) {
	t.Helper()
	letters, err := alert.NewDeadLetters(l).Dead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, letter := range letters {
		if letter.Reason == "" || letter.Title == "" || !letter.Final || letter.Died.IsZero() {
			t.Errorf("got %+v", letter)
		}
		ids = append(ids, letter.ID)
	}
	return ids
}

func TestARecordThatCannotBeReadStopsNobodyFromTelling(t *testing.T) {
	silent := alert.Trouble{Kind: alert.Silence, Source: "s", Since: night, Text: "nothing"}
	event := breakglass.Event{ID: "1", Time: night, Event: breakglass.EventUsed, Grant: "bg-k7m4-q9tx"}
	started := with(cluster("01A"), func(d *operation.Decision) { d.Phase = operation.Started })
	for what, tt := range map[string]struct {
		part string // of the keys that are spoiled
		// kept says that it is looked at only when somebody sends it.
		kept bool
		// count is how many operations there are in the end.
		count int
	}{
		"a head":            {"Z-", false, 2},
		"a case":            {"break-glass-", false, 2},
		"an operation":      {"/op/", true, 2},
		"what was told":     {"/told/", false, 3},
		"a trouble's state": {"open/", false, 2},
	} {
		for name, text := range garbage() {
			t.Run(what+" is "+name, func(t *testing.T) {
				l, b := newLedger(t), newBook(t, alert.BookOptions{})
				id := tell(t, l, b, started)[0]
				tellRest := func(text string) {
					t.Helper()
					silent.Text = text
					trouble(t, l, b, silent)
					event.ID += "x"
					update(t, l, func(tx *ledger.Tx) error { return b.TellEvent(tx, event) })
				}
				tellRest("nothing")
				spoiled := spoil(t, l, ledger.TableIncidents, tt.part, text)
				update(t, l, func(tx *ledger.Tx) error {
					return b.UpdateOperation(tx, id, with(started, func(d *operation.Decision) { d.Phase = operation.Finished }))
				})
				if again := tell(t, l, b, cluster("01B"))[0]; again != id {
					t.Errorf("got %s, then %s", id, again)
				}
				tellRest("still nothing")
				a := get(t, l, b, id)
				if a.Count != tt.count || len(a.Operations) != 2 || a.Operations[0].Phase != operation.Finished || a.Status != alert.Open {
					t.Errorf("got %+v", a)
				}
				if n := len(deadIDs(t, l)); (n == 0) != tt.kept {
					t.Errorf("dead %q, spoiled %q", deadIDs(t, l), spoiled)
				}
				silent.Over = true
				defer func() { silent.Over = false }()
				if ended := trouble(t, l, b, silent); get(t, l, b, ended).Status != alert.Resolved {
					t.Errorf("got %+v", get(t, l, b, ended))
				}
			})
		}
	}
}

func TestAnIncidentThatBeginsAnewIsSentUnderTheSameIDAsSomethingNew(t *testing.T) {
	l := newLedger(t)
	b := newBook(t, alert.BookOptions{})
	id := tell(t, l, b, burst(30)...)[0]
	spoil(t, l, ledger.TableIncidents, id, "\x00")
	again := burst(31)[30]
	tell(t, l, b, again, again)
	a := get(t, l, b, id)
	if a.Count != 1 || a.Revision != int(night.Add(time.Second).Unix()) || len(a.Operations) != 1 {
		t.Errorf("got %+v", a)
	}
	if diff := cmp.Diff([]string{"record/" + id}, deadIDs(t, l)); diff != "" { // its parts go with it
		t.Errorf("dead (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"chat/" + id, "pager/" + id}, keys(t, l, ledger.TableQueue)); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

func TestATroubleWhoseIncidentCannotBeReadEndsUnderItsID(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	silent := alert.Trouble{Kind: alert.Silence, Source: "s", Since: night.Add(-time.Hour), Text: "nothing"}
	id := trouble(t, l, b, silent)
	spoil(t, l, ledger.TableIncidents, "Z-", "{}")
	silent.Over, silent.Since = true, time.Time{}
	if ended := trouble(t, l, b, silent); ended != id {
		t.Errorf("the end of %s is %s", id, ended)
	}
	if a := get(t, l, b, id); a.Status != alert.Resolved || a.Revision < 2 || len(keys(t, l, ledger.TableQueue)) != 2 {
		t.Errorf("got %+v, queue %q", a, keys(t, l, ledger.TableQueue))
	}
}

func TestWhatCannotBeReadIsKeptCappedAndCannotBeRetried(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	id := tell(t, l, b, cluster("01A"))[0]
	spoil(t, l, ledger.TableIncidents, "Z-", strings.Repeat("x", 1<<20))
	tell(t, l, b, cluster("01B"))
	var kept struct {
		Dead struct {
			Record struct{ Table, Key, Raw, Size any }
		}
	}
	err := l.View(t.Context(), func(tx *ledger.Tx) error { return json.Unmarshal(tx.Get(ledger.TableDead, "record/"+id), &kept) })
	if err != nil {
		t.Fatal(err)
	}
	r := kept.Dead.Record
	if raw, _ := r.Raw.(string); r.Table != "alert-incidents" || r.Key != id || r.Size != float64(1<<20) || len(raw) != (16<<10+2)/3*4 {
		t.Errorf("got %v %v %v, %d bytes", r.Table, r.Key, r.Size, len(raw))
	}
	letters := alert.NewDeadLetters(l)
	want := "retry dead letters: write the ledger: record/" + id + ": it is a record that could not be read, and cannot be retried"
	if n, err := letters.Retry(t.Context(), "record/"+id); n != 0 || err == nil || err.Error() != want {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := letters.Retry(t.Context()); n != 0 || err != nil { // all that can be
		t.Errorf("got %d, %v", n, err)
	}
	later := newBook(t, alert.BookOptions{Now: func() time.Time { return night.Add(alert.MaxAge + time.Minute) }})
	if _, err := later.Prune(t.Context(), l); err != nil || deadIDs(t, l) != nil {
		t.Errorf("dead %q, %v", deadIDs(t, l), err)
	}
}

func TestTheDelivererSendsTheRestAndTellsOfWhatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		table ledger.Table
		part  string
		text  string
		// sent is how much of the three that wait is sent, letters how many are dead.
		sent, letters int
	}{
		"queue records":     {ledger.TableQueue, "chat/", "{", 3, 3},
		"heads":             {ledger.TableIncidents, "Z-", "{", 0, 3},
		"operations":        {ledger.TableIncidents, "/op/", "{", 3, 3},
		"what was told":     {ledger.TableIncidents, "/told/", "{", 3, 0},
		"very long records": {ledger.TableQueue, "chat/", strings.Repeat("x", 1<<20), 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				b := newBook(t, alert.BookOptions{Sinks: []string{"chat"}, Now: time.Now})
				waits := map[string]bool{}
				for i := range 3 {
					id := tell(t, l, b, at(fmt.Sprint(i), with(cluster(""), func(d *operation.Decision) { d.Actor.Name = fmt.Sprint(i) })))[0]
					waits[id] = true
				}
				spoil(t, l, tt.table, tt.part, tt.text)
				s := &sink{}
				p := play(t, l, map[string]alert.Sink{"chat": s})
				time.Sleep(time.Minute)
				sent, troubles := 0, 0
				for _, one := range s.all() {
					if waits[one.ID] {
						sent++
					} else if a := get(t, l, p.book, one.ID); a.Title == "mollyguard cannot read what it kept of alerts in the ledger" && a.Status == alert.Open {
						troubles++
					}
				}
				if sent != tt.sent || troubles != min(tt.letters, 1) || len(s.all()) != sent+troubles || len(deadIDs(t, l)) != tt.letters {
					t.Errorf("%d and %d sent, of %+v; dead %q", sent, troubles, s.all(), deadIDs(t, l))
				}
				if left := keys(t, l, ledger.TableQueue); left != nil {
					t.Errorf("queue %q", left)
				}
				p.end()
				time.Sleep(alert.MaxAge)
				p = play(t, l, map[string]alert.Sink{"chat": s})
				time.Sleep(time.Minute) // and says when it is over
				if all := s.all(); len(deadIDs(t, l)) != 0 || len(all) != sent+2*troubles {
					t.Errorf("sent %+v, dead %q", all, deadIDs(t, l))
				}
				p.end()
			})
		})
	}
}

func TestASinkThatIsNotThereAnyMoreAndWhatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		id := tell(t, l, newBook(t, alert.BookOptions{Sinks: []string{"old"}, Now: time.Now}), at("01A", cluster("")))[0]
		spoil(t, l, ledger.TableQueue, "old/", "{")
		spoil(t, l, ledger.TableIncidents, "Z-", "{")
		update(t, l, func(tx *ledger.Tx) error { return tx.Put(ledger.TableQueue, "/nobody", []byte("{")) })
		p := play(t, l, map[string]alert.Sink{"chat": &sink{}})
		time.Sleep(time.Minute)
		var ids []string
		for _, letter := range p.dead() {
			ids = append(ids, letter.ID)
		}
		if diff := cmp.Diff([]string{"/nobody", "old/" + id, "record//nobody", "record/" + id, "record/old/" + id}, ids); diff != "" {
			t.Errorf("dead (-want +got):\n%s", diff)
		}
		p.end()
	})
}
