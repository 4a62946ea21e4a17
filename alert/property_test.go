package alert_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// burstOf is what must be one incident.
type burstOf struct {
	kind   alert.Kind
	who    string
	minute time.Time
}

// model is what should be told, in as few words as it can be said.
func model(d operation.Decision) (burstOf, bool) {
	if d.Outcome == operation.OutcomeAllow && d.Grant == "" {
		return burstOf{}, false
	}
	kind := alert.Violation
	switch lifted := d.Grant != "" && (d.Outcome == operation.OutcomeAllow || d.Outcome == operation.OutcomeWarn); {
	case d.Phase == operation.Refused || d.Phase == operation.Failed || d.Phase == operation.Requested && d.Outcome == operation.OutcomeDeny:
		kind = alert.Attempt
	case lifted:
		kind = alert.Notice
	}
	who := "actor " + d.Actor.Name
	if d.Actor.Name == "" {
		who = "target " + d.Target.Ref
	}
	return burstOf{kind, who, d.Time.Truncate(time.Minute)}, true
}

func someDecision(t *rapid.T, id string) operation.Decision {
	d := cluster(id)
	d.Time = night.Add(time.Duration(rapid.IntRange(0, 150).Draw(t, "second")) * time.Second)
	d.Actor.Name = rapid.SampledFrom([]string{"alice", "bob", ""}).Draw(t, "actor")
	d.Target.Ref = rapid.SampledFrom([]string{"gcp://a/1", "gcp://a/2"}).Draw(t, "target")
	d.Outcome = rapid.SampledFrom([]operation.Outcome{
		operation.OutcomeAlert, operation.OutcomeDeny, operation.OutcomeUndecided, operation.OutcomeWarn, operation.OutcomeAllow,
	}).Draw(t, "outcome")
	d.Phase = operation.Phase(rapid.SampledFrom(operation.Phase("").Values()).Draw(t, "phase"))
	d.Grant = rapid.SampledFrom([]string{"", "bg-k7m4-q9tx"}).Draw(t, "grant")
	d.Project = rapid.SampledFrom([]string{"prod-1", "test-1"}).Draw(t, "project")
	return d
}

func TestEveryDecisionIsInTheIncidentWhereItBelongsAndInNoOther(t *testing.T) {
	folder := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(folder, fmt.Sprint(runs))
		l, err := ledger.Open(path, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		now := night
		b, err := alert.NewBook(alert.BookOptions{
			Sinks: []string{"chat", "pager"}, Now: func() time.Time { return now },
			Routes: []alert.Route{{Projects: []string{"prod-.*"}, Sinks: []string{"pager"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []operation.Decision
		want := map[burstOf]map[string]bool{}
		toChat := map[burstOf]bool{} // what no route takes goes to all
		revisions := map[string]int{}
		crash := fmt.Errorf("crash")
		t.Repeat(map[string]func(*rapid.T){
			"tell": func(t *rapid.T) {
				var batch []operation.Decision
				for range rapid.IntRange(1, 5).Draw(t, "new") {
					all = append(all, someDecision(t, fmt.Sprintf("%05d", len(all))))
					batch = append(batch, all[len(all)-1])
				}
				for range rapid.IntRange(0, 3).Draw(t, "again") {
					batch = append(batch, rapid.SampledFrom(all).Draw(t, "redelivered"))
				}
				for _, fails := range []bool{rapid.Bool().Draw(t, "crash"), false} {
					err := l.Update(context.Background(), func(tx *ledger.Tx) error {
						for _, d := range batch {
							if _, err := b.TellDecision(tx, d); err != nil {
								return err
							}
						}
						if fails {
							return crash
						}
						return nil
					})
					if (err != nil) != fails {
						t.Fatal(err)
					}
				}
				for _, d := range batch {
					if key, ok := model(d); ok {
						if want[key] == nil {
							want[key] = map[string]bool{}
						}
						want[key][d.ID] = true
						toChat[key] = toChat[key] || d.Project == "test-1"
					}
				}
			},
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = ledger.Open(path, ledger.Options{}); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				got, chat := map[burstOf]map[string]bool{}, map[burstOf]bool{}
				err := l.View(context.Background(), func(tx *ledger.Tx) error {
					queued := map[string][]string{}
					tx.Scan(ledger.TableQueue, "", "", func(key string, _ []byte) bool {
						sink, id, _ := cut(key)
						queued[id] = append(queued[id], sink)
						return true
					})
					for id, sinks := range queued {
						a, ok, err := b.Alert(tx, id)
						if !ok || err != nil {
							return fmt.Errorf("%s: %t, %w", id, ok, err)
						}
						who := "actor " + a.Actor.Name
						if a.Actor.Name == "" {
							who = "target " + a.Operations[0].Target.Ref
						}
						key := burstOf{a.Kind, who, a.Opened.Truncate(time.Minute)}
						if got[key] != nil {
							return fmt.Errorf("%v is told twice", key)
						}
						got[key] = map[string]bool{}
						for _, o := range a.Operations {
							got[key][o.Decision] = true
						}
						if a.Count != len(want[key]) {
							return fmt.Errorf("%v counts %d, not %d", key, a.Count, len(want[key]))
						}
						if a.Count > alert.MaxOperations { // the list is for another test
							got[key] = want[key]
						}
						chat[key] = slices.Contains(sinks, "chat")
						if a.Revision < revisions[id] || a.Revision != a.Count {
							return fmt.Errorf("%v: revision %d after %d, of %d", key, a.Revision, revisions[id], a.Count)
						}
						revisions[id] = a.Revision
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("incidents (-want +got):\n%s", diff)
				}
				maps.DeleteFunc(chat, func(_ burstOf, is bool) bool { return !is })
				maps.DeleteFunc(toChat, func(_ burstOf, is bool) bool { return !is })
				if diff := cmp.Diff(toChat, chat); diff != "" {
					t.Fatalf("told to chat (-want +got):\n%s", diff)
				}
			},
		})
	})
}
