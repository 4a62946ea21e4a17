package alert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func cut(key string) (before, after string, ok bool) { return strings.Cut(key, "/") }

func TestABookSaysAllThatIsWrongWithItsOptions(t *testing.T) {
	_, err := alert.NewBook(alert.BookOptions{
		Sinks: []string{"chat", "a/b", "chat", "outbox", "record", "entry"}, UpdateInterval: -1,
		Routes: []alert.Route{
			{Severities: []operation.Severity{"dire"}, Surfaces: []operation.Surface{"aws"}, Kinds: []alert.Kind{"odd"}, Projects: []string{"a)|(b", ""}, Sinks: []string{"pager"}},
			{},
		},
	})
	want := strings.Join([]string{
		`sinks: "a/b" is not a name: use letters, digits, dots, dashes and underscores, 63 at most`,
		`sinks: there are two of the name "chat"`,
		`sinks: "entry" has a meaning of its own: choose another name`,
		`sinks: "outbox" has a meaning of its own: choose another name`,
		`sinks: "record" has a meaning of its own: choose another name`,
		`routes[0].severities[0]: there is no "dire", only ["low" "medium" "high" "critical"]`,
		`routes[0].surfaces[0]: there is no "aws", only ["kubernetes" "gcp" "terraform"]`,
		`routes[0].kinds[0]: there is no "odd", only ["violation" "notice" "attempt" "blind" "break-glass" "test"]`,
		`routes[0].sinks[0]: there is no "pager", only ["a/b" "chat" "chat" "entry" "outbox" "record"]`,
		"routes[0].projects[0]: pattern \"a)|(b\": error parsing regexp: unexpected ): `a)|(b`",
		`routes[0].projects[1]: empty pattern: it would only match the empty name`,
		`routes[1].sinks: none, so nobody would be told`,
		`update interval: -1ns is negative`,
	}, "\n")
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if _, err := alert.NewBook(alert.BookOptions{}); err == nil {
		t.Error("a book without sinks")
	}
}

func TestEveryRouteThatFitsAddsItsSinksAndNoAlertIsLost(t *testing.T) {
	high := func(d *operation.Decision) { d.Violations[0].Severity = operation.High }
	test := func(d *operation.Decision) { d.Project = "not-prod-1" }
	for name, tt := range map[string]struct {
		changes []func(d *operation.Decision)
		want    []string
	}{
		"by severity and project":  {nil, []string{"chat", "pager"}},
		"by project":               {[]func(d *operation.Decision){high}, []string{"chat"}},
		"by severity":              {[]func(d *operation.Decision){test}, []string{"pager"}},
		"not at all, so to all":    {[]func(d *operation.Decision){high, test}, []string{"chat", "mail", "pager"}},
		"by kind, though the rest": {[]func(d *operation.Decision){high, test, func(d *operation.Decision) { d.Phase = operation.Refused }}, []string{"mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			b := newBook(t, alert.BookOptions{
				Sinks: []string{"pager", "chat", "mail"},
				Routes: []alert.Route{
					{Severities: []operation.Severity{operation.Critical}, Sinks: []string{"pager"}},
					{Surfaces: []operation.Surface{operation.GCP}, Projects: []string{"prod-."}, Sinks: []string{"chat", "chat"}},
					{Kinds: []alert.Kind{alert.Attempt}, Sinks: []string{"mail"}},
				},
			})
			d := cluster("01A")
			for _, change := range tt.changes {
				change(&d)
			}
			id := tell(t, l, b, d)[0]
			var want []string
			for _, sink := range tt.want {
				want = append(want, sink+"/"+id)
			}
			if diff := cmp.Diff(want, keys(t, l, ledger.TableQueue)); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}
		})
	}
}

func trouble(t *testing.T, l *ledger.Ledger, b *alert.Book, tr alert.Trouble) (id string) {
	t.Helper()
	update(t, l, func(tx *ledger.Tx) (err error) { id, err = b.TellTrouble(tx, tr); return err })
	return id
}

func TestATroubleIsOneIncidentFromItsBeginningToItsEnd(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	silent := alert.Trouble{Kind: alert.Silence, Source: "pubsub:s", Since: night.Add(-time.Minute), Text: "nothing for 10 minutes"}
	over := alert.Trouble{Kind: alert.Silence, Source: "pubsub:s", Over: true}
	if id := trouble(t, l, b, over); id != "" {
		t.Errorf("the end of nothing is %s", id)
	}
	id := trouble(t, l, b, silent)
	again := silent
	again.Since = night // found out anew, after a restart
	if got := trouble(t, l, b, again); got != id {
		t.Errorf("got %s, then %s", id, got)
	}
	if other := trouble(t, l, b, alert.Trouble{Kind: alert.Silence, Source: "pubsub:other", Since: silent.Since}); other == id {
		t.Error("two sources are one")
	}
	want := alert.Alert{
		ID: id, Revision: 1, Kind: alert.Blind, Status: alert.Open, Severity: operation.High, Opened: silent.Since, Updated: night.Add(time.Second),
		Title: "mollyguard is blind: nothing comes from pubsub:s, not even a heartbeat", Text: []string{"nothing for 10 minutes"},
	}
	if diff := cmp.Diff(want, get(t, l, b, id)); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	again.Text = "nothing for 20 minutes"
	trouble(t, l, b, again)
	if got := trouble(t, l, b, over); got != id {
		t.Errorf("the end of %s is %s", id, got)
	}
	want.Title = "mollyguard is not blind any more: pubsub:s is read"
	want.Revision, want.Status, want.Text = 3, alert.Resolved, []string{"nothing for 20 minutes", "over since 2026-11-21T03:12:48Z"}
	if diff := cmp.Diff(want, get(t, l, b, id)); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if got := trouble(t, l, b, over); got != "" {
		t.Errorf("it ends twice, as %s", got)
	}
	if got := trouble(t, l, b, again); got == id || got == "" {
		t.Errorf("the next is %q", got)
	}
}

func TestWhatCannotBeReadIsCountedByTheMinute(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	bad := alert.Trouble{Kind: alert.Undecodable, Source: "pubsub:s", Since: night, Text: "entry u1: not JSON"}
	id := trouble(t, l, b, bad)
	trouble(t, l, b, bad)
	a := get(t, l, b, id)
	if a.Count != 2 || a.Severity != operation.Medium || a.Title != "mollyguard could not read 2 entries of pubsub:s in 1 minute" {
		t.Errorf("got %+v", a)
	}
	bad.Since = night.Add(-time.Minute)
	if other := trouble(t, l, b, bad); other == id {
		t.Error("two minutes are one incident")
	}
}

func TestEveryTroubleHasATitleThatNamesItsSource(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	for _, kind := range append(alert.TroubleKind("").Values(), "a new one") {
		a := get(t, l, b, trouble(t, l, b, alert.Trouble{Kind: alert.TroubleKind(kind), Source: "the source"}))
		if !strings.Contains(a.Title, "the source") || strings.Contains(a.Title, "%") || strings.HasPrefix(a.Title, "mollyguard has trouble") != (kind == "a new one") {
			t.Errorf("%s: %q", kind, a.Title)
		}
	}
}

func TestACaseIsOneIncidentFromRequestToUse(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	step := func(n int, kind breakglass.EventKind, who, text string) alert.Alert {
		t.Helper()
		e := breakglass.Event{
			ID: fmt.Sprintf("01E%03d", n), Time: night.Add(time.Duration(n) * time.Minute), Event: kind, Grant: "bg-k7m4-q9tx", Actor: operation.Identity{Name: who},
			Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{{Kind: "Cluster", Name: "prod-eu"}, {}}, Text: text,
		}
		for range 2 { // again changes nothing
			update(t, l, func(tx *ledger.Tx) error { return b.TellEvent(tx, e) })
		}
		return get(t, l, b, "break-glass-bg-k7m4-q9tx")
	}
	requested := step(0, breakglass.EventRequested, "alice@example.com", "it\nhangs")
	refused := step(1, breakglass.EventRefused, "alice@example.com", "nobody approves their own request")
	approved := step(2, breakglass.EventApproved, "bob@example.com", "")
	issued := step(3, breakglass.EventIssued, "alice@example.com", "for alice")
	used := step(4, breakglass.EventUsed, "alice@example.com", "use 1 of 1")
	type short struct {
		Revision int
		Severity operation.Severity
		Status   alert.Status
		Title    string
		Lines    int
		Approve  bool
	}
	var got []short
	for _, a := range []alert.Alert{requested, refused, approved, issued, used} {
		last := a.Text[len(a.Text)-1]
		got = append(got, short{a.Revision, a.Severity, a.Status, a.Title, len(a.Text), last == "to approve: kubectl mollyguard approve bg-k7m4-q9tx"})
	}
	want := []short{
		{1, operation.Medium, alert.Open, "alice@example.com asks for grant bg-k7m4-q9tx to delete Cluster prod-eu and 1 more", 2, true},
		{2, operation.Medium, alert.Open, "alice@example.com was told no on grant bg-k7m4-q9tx: nobody approves their own request", 3, true},
		{3, operation.Low, alert.Open, "bob@example.com approved grant bg-k7m4-q9tx to delete Cluster prod-eu and 1 more", 4, true},
		{4, operation.Low, alert.Resolved, "alice@example.com may now delete Cluster prod-eu and 1 more under grant bg-k7m4-q9tx", 4, false},
		{5, operation.Low, alert.Resolved, "alice@example.com used grant bg-k7m4-q9tx to delete Cluster prod-eu and 1 more", 5, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if want := `2026-11-21T03:12:47Z requested by alice@example.com: it\nhangs`; used.Text[0] != want {
		t.Errorf("got %q", used.Text[0])
	}
	for n := range 100 {
		used = step(10+n, breakglass.EventUsed, "alice@example.com", "")
	}
	if len(used.Text) != 20 || !strings.Contains(used.Text[0], "requested") {
		t.Errorf("%d lines, the first %q", len(used.Text), used.Text[0])
	}
}

func TestACaseOfCloudResourcesSaysWhichOnesTheyAre(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	const one = "gcp://container.googleapis.com/projects/shop-a/locations/europe-west1/clusters/prod-eu"
	const other = "gcp://container.googleapis.com/projects/shop-b/locations/europe-west1/clusters/prod-eu"
	type short struct {
		Title string
		Text  []string
	}
	tell := func(grant string, refs ...string) short {
		t.Helper()
		e := breakglass.Event{
			ID: "01E" + grant, Time: night, Event: breakglass.EventRequested, Grant: grant, Actor: operation.Identity{Name: "alice@example.com"},
			Verbs: []operation.Verb{operation.Delete}, Text: "moved",
		}
		for _, ref := range refs {
			e.Targets = append(e.Targets, operation.Reference{Ref: ref, Name: "prod-eu"})
		}
		update(t, l, func(tx *ledger.Tx) error { return b.TellEvent(tx, e) })
		a := get(t, l, b, "break-glass-"+grant)
		return short{a.Title, a.Text}
	}
	asked, toApprove := "2026-11-21T03:12:47Z requested by alice@example.com: moved", "to approve: kubectl mollyguard approve "
	for _, tt := range []struct {
		grant string
		refs  []string
		want  short
	}{
		{"bg-aaaa-aaaa", []string{one}, short{
			"alice@example.com asks for grant bg-aaaa-aaaa to delete " + one, []string{asked, toApprove + "bg-aaaa-aaaa"},
		}},
		{"bg-bbbb-bbbb", []string{other, one}, short{
			"alice@example.com asks for grant bg-bbbb-bbbb to delete " + other + " and 1 more", []string{asked, "for " + other + ", " + one, toApprove + "bg-bbbb-bbbb"},
		}},
		{"bg-cccc-cccc", slices.Repeat([]string{"gcp://storage.googleapis.com/b"}, 10), short{
			"alice@example.com asks for grant bg-cccc-cccc to delete gcp://storage.googleapis.com/b and 9 more",
			[]string{asked, "for " + strings.Repeat("gcp://storage.googleapis.com/b, ", 7) + "gcp://storage.googleapis.com/b and 2 more", toApprove + "bg-cccc-cccc"},
		}},
	} {
		if diff := cmp.Diff(tt.want, tell(tt.grant, tt.refs...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.grant, diff)
		}
	}
}

func TestAnEventWithoutAHandleOrWithAWrongOneIsTold(t *testing.T) {
	l, b := newLedger(t), newBook(t, alert.BookOptions{})
	for i, handle := range []string{"", "../../" + strings.Repeat("x", 10000)} {
		update(t, l, func(tx *ledger.Tx) error {
			return b.TellEvent(tx, breakglass.Event{ID: fmt.Sprint(i), Time: night, Event: breakglass.EventTokenRefused, Grant: handle, Text: "expired"})
		})
	}
	if got := keys(t, l, ledger.TableQueue); len(got) != 4 {
		t.Errorf("queue %q", got)
	}
}

func TestOldIncidentsAreRemovedButNotWhatWaits(t *testing.T) {
	l := newLedger(t)
	now := night.Add(time.Second)
	b := newBook(t, alert.BookOptions{Now: func() time.Time { return now }})
	old := tell(t, l, b, burst(1500)...)[0]
	waits := tell(t, l, b, cluster("01A"))[0]
	silent := trouble(t, l, b, alert.Trouble{Kind: alert.Silence, Source: "s"})
	done := trouble(t, l, b, alert.Trouble{Kind: alert.Gap, Source: "s"})
	trouble(t, l, b, alert.Trouble{Kind: alert.Gap, Source: "s", Over: true})
	update(t, l, func(tx *ledger.Tx) error {
		return b.TellEvent(tx, breakglass.Event{ID: "1", Time: night, Event: breakglass.EventUsed, Grant: "bg-k7m4-q9tx"})
	})
	update(t, l, func(tx *ledger.Tx) error {
		for _, id := range []string{old, silent, done, "break-glass-bg-k7m4-q9tx"} {
			for _, sink := range b.Sinks() {
				if err := tx.Delete(ledger.TableQueue, sink+"/"+id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	now = now.Add(alert.MaxAge)
	young := tell(t, l, b, with(cluster("01B"), func(d *operation.Decision) { d.Time = night.Add(-time.Hour) }))[0] // told late
	for i, want := range []int{0, 3, 0} {
		now = now.Add(time.Duration(min(i, 1)) * time.Minute)
		if n, err := b.Prune(t.Context(), l); n != want || err != nil {
			t.Errorf("%d removed, want %d; %v", n, want, err)
		}
	}
	for _, id := range []string{waits, silent, young} {
		get(t, l, b, id)
	}
	for _, key := range keys(t, l, ledger.TableIncidents) {
		if strings.HasPrefix(key, old) || strings.HasPrefix(key, done) || strings.HasPrefix(key, "break-glass") {
			t.Errorf("%s is left", key)
		}
	}
}

func BenchmarkTellDecision(b *testing.B) {
	for name, id := range map[string]func(i int, d *operation.Decision){
		"one burst":      func(int, *operation.Decision) {},
		"many incidents": func(i int, d *operation.Decision) { d.Actor.Name = fmt.Sprint("user", i%5000) },
	} {
		b.Run(name, func(b *testing.B) {
			l, book := newLedger(b), newBook(b, alert.BookOptions{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				update(b, l, func(tx *ledger.Tx) error {
					for n := range 256 {
						d := cluster(fmt.Sprint(i, "-", n))
						id(n+i*256, &d)
						if _, err := book.TellDecision(tx, d); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(float64(b.N)*256/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}
