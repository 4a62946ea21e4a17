package auditlog_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func TestStartAndEndOfAnOperationAreOneIncident(t *testing.T) {
	start := func() []byte { return deletion("main", starts("op-1")) }
	end := func(edits ...func(tree)) []byte { return deletion("main", append(edits, ends("op-1"))...) }
	for _, tt := range []struct {
		name  string
		watch func(w *world)
		want  []string
	}{
		{"when only the start has come", func(w *world) {
			w.watch(&tape{entries: [][]byte{start()}})
		}, []string{"violation alice@example.com delete main started"}},
		{"in one batch", func(w *world) {
			w.watch(&tape{entries: [][]byte{start(), end()}})
		}, []string{"violation alice@example.com delete main finished"}},
		{"in two batches", func(w *world) {
			w.watch(&tape{entries: [][]byte{start(), end()}, before: func(int) { synctest.Wait() }})
		}, []string{"violation alice@example.com delete main finished"}},
		{"across a restart", func(w *world) {
			w.watch(&queue{entries: [][]byte{start()}})
			time.Sleep(20 * time.Minute)
			w.watch(&queue{entries: [][]byte{end()}})
		}, []string{"violation alice@example.com delete main finished"}},
		{"when the end comes twice", func(w *world) {
			last := end()
			w.watch(&tape{entries: [][]byte{start(), last, last}})
			w.watch(&queue{entries: [][]byte{last}})
		}, []string{"violation alice@example.com delete main finished"}},
		{"when it failed in the end", func(w *world) {
			w.watch(&tape{entries: [][]byte{start(), end(fails)}, before: func(int) { synctest.Wait() }})
		}, []string{"violation alice@example.com delete main failed"}},
		{"of which several are under way", func(w *world) {
			w.watch(&tape{entries: [][]byte{
				start(), deletion("other", starts("op-2")), end(fails), deletion("other", ends("op-2")),
			}})
		}, []string{"violation alice@example.com delete main failed", "violation alice@example.com delete other finished"}},
		{"whose end is dated in the future", func(w *world) {
			w.watch(&tape{entries: [][]byte{start(), end(at(time.Now().Add(20 * time.Hour)))}})
		}, []string{"violation alice@example.com delete main finished"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tt.watch(w)
				if diff := cmp.Diff(tt.want, w.told()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if n := len(w.alerts()); n != 1 {
					t.Errorf("%d incidents", n)
				}
				w.decidedByNow()
			})
		})
	}
}

// decidedByNow checks that no decision is of the future, and that each has its id.
func (w *world) decidedByNow() {
	w.Helper()
	ids := map[string]bool{}
	for _, d := range w.recorder.decisions {
		if d.Time.After(time.Now()) || d.Time.IsZero() || ids[d.ID] || d.ID == "" {
			w.Errorf("decision %s of %s", d.ID, d.Time)
		}
		ids[d.ID] = true
	}
}

func TestTheEndOfAnOperationSaysHowItEndedOfWhatTheStartSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watch(&tape{entries: [][]byte{deletion("main", starts("1")), deletion("main", ends("1"), fails)}})
		if len(w.recorder.decisions) != 2 {
			t.Fatalf("%d decisions", len(w.recorder.decisions))
		}
		want, got := w.recorder.decisions[0], w.recorder.decisions[1]
		if got.ID == want.ID || got.Source.UID != "DeleteCluster main end" {
			t.Errorf("the end is decision %s on entry %q", got.ID, got.Source.UID)
		}
		want.ID, want.Source, want.Phase = got.ID, got.Source, operation.Failed
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the end (-want +got):\n%s", diff)
		}
	})
}

func TestAnEndThatOvertakesItsStartWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &queue{entries: [][]byte{deletion("main", ends("1"), fails)}}
		o := w.options(source)
		_, end := w.begin(o)
		defer end()
		sleep(25 * time.Second)
		if source.nacked != 3 || w.told() != nil {
			t.Errorf("handed back %d times, told %q", source.nacked, w.told())
		}
		source.add(deletion("main", starts("1")))
		sleep(redelivery)
		if diff := cmp.Diff([]string{"violation alice@example.com delete main failed"}, w.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 0}, source.acked); diff != "" {
			t.Errorf("acknowledged (-want +got):\n%s", diff)
		}
	})
}

func TestAnEndWithoutAStartIsJudgedByItselfAfterTenMinutes(t *testing.T) {
	for _, tt := range []struct {
		name string
		// received is when Cloud Logging got the entry, from now.
		received time.Duration
		nacked   int
	}{
		{"just now", 0, 60},
		{"a minute ago", -time.Minute, 54},
		{"ten minutes ago", -10 * time.Minute, 0},
		{"in a while, by a clock that is wrong", 30 * time.Second, 63},
		{"in a year, by whoever wrote it", 365 * 24 * time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				source := &queue{entries: [][]byte{deletion("main", ends("1"), func(e tree) {
					e["receiveTimestamp"] = time.Now().Add(tt.received).UTC().Format(time.RFC3339Nano)
				})}}
				w.watch(source)
				if diff := cmp.Diff([]string{"violation delete main finished"}, w.told()); diff != "" || source.nacked != tt.nacked {
					t.Errorf("handed back %d times, want %d; told (-want +got):\n%s", source.nacked, tt.nacked, diff)
				}
				// The start does not say that it still goes on.
				w.watch(&queue{entries: [][]byte{deletion("main", starts("1"))}})
				want := []string{"violation alice@example.com delete main finished", "violation delete main finished"}
				if diff := cmp.Diff(want, w.told()); diff != "" {
					t.Errorf("told after the start has come (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestASourceThatHandsNothingOutAgainKeepsNoEndWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watch(&tape{entries: [][]byte{deletion("main", ends("1"), fails), deletion("main", starts("1"))}})
		want := []string{"attempt alice@example.com delete main failed", "attempt delete main failed"}
		if diff := cmp.Diff(want, w.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestTheEndOfWhatNobodyCaredAboutVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		// What a resize is, its request says; the last entry has none.
		resize := made(cluster("SetNodePoolSize", "main"), ends("1"), func(e tree) {
			e["protoPayload"].(tree)["resourceName"] = "projects/p/locations/l/clusters/main/nodePools/web"
		})
		queued, taped := &queue{entries: [][]byte{resize}}, &tape{entries: [][]byte{resize}}
		w.watch(queued, taped)
		if len(queued.acked) != 1 || len(taped.acked) != 1 || w.told() != nil || w.recorder.ids() != nil {
			t.Errorf("acknowledged %v and %v, told %q, decided %q", queued.acked, taped.acked, w.told(), w.recorder.ids())
		}
		for _, table := range []ledger.Table{ledger.TableSeen, ledger.TableOperations, ledger.TableUndecoded} {
			if keys := w.keys(table); keys != nil {
				t.Errorf("%s has %q", table, keys)
			}
		}
	})
}

func TestAnEndWhoseStartCannotBeReadIsJudgedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watch(&tape{entries: [][]byte{deletion("main", starts("1"))}})
		key := w.keys(ledger.TableOperations)[0]
		for i, damaged := range []string{"", "{", `{"version":99}`} {
			w.put(ledger.TableOperations, map[string][]byte{key: []byte(damaged)})
			w.watch(&queue{entries: [][]byte{deletion("main", ends("1"), func(e tree) { e["insertId"] = string(rune('a' + i)) })}})
			if !slices.Contains(w.told(), "violation delete main finished") {
				t.Errorf("with %q told %q", damaged, w.told())
			}
		}
	})
}

func TestAnEndWhoseStartIsRemovedMeanwhileIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watch(&tape{entries: [][]byte{deletion("main", starts("1"))}})
		source := &queue{entries: [][]byte{deletion("main", ends("1"))}}
		o := w.options(source)
		w.recorder.fails = func(operation.Decision) error { // after the start was read, before the end is written
			w.remove(ledger.TableOperations, w.keys(ledger.TableOperations)[0])
			w.recorder.fails = nil
			return nil
		}
		w.watchWith(o)
		if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, w.told()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestWhenAnEntryIsFrom(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(tree)
		// want is how long ago it is judged as of.
		want time.Duration
	}{
		{"an hour ago", at(time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)), time.Hour},
		{"the future", at(time.Date(2000, 1, 1, 23, 0, 0, 0, time.UTC)), 0},
		{"no time", func(e tree) { delete(e, "timestamp") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				entry := deletion("main", tt.edit)
				source := &queue{entries: [][]byte{entry, entry}}
				w.watch(source)
				if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, w.told()); diff != "" {
					t.Fatalf("told (-want +got):\n%s", diff)
				}
				if got := time.Since(w.recorder.decisions[0].Time); got != tt.want || len(source.acked) != 2 {
					t.Errorf("judged as of %v ago, want %v; acknowledged %v", got, tt.want, source.acked)
				}
			})
		})
	}
}

func TestWhatTheWebhookDecidedOnAndHeartbeatsAreNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		mediated := cluster("", "guarded")
		mediated["labels"] = tree{"mutating.webhook.admission.k8s.io/x": "", "mollyguard.mollyguard.dev/decision": "01M7XXXXXXXXXXXXXXXXXXXXXX"}
		mediated["protoPayload"] = tree{
			"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "k8s.io", "methodName": "io.k8s.apps.v1.deployments.delete",
			"resourceName": "apps/v1/namespaces/shop/deployments/web", "authenticationInfo": tree{"principalEmail": alice},
		}
		mediated["resource"] = tree{"type": "k8s_cluster", "labels": tree{"project_id": "p", "location": "l", "cluster_name": "guarded"}}
		source := &queue{entries: [][]byte{made(mediated), heartbeat(), boring(1)}}
		counted := newCounts()
		o := w.options(source)
		o.Registerer = counted
		w.watchWith(o)
		if len(source.acked) != 3 || w.told() != nil || w.recorder.ids() != nil {
			t.Errorf("acknowledged %v, told %q, decided %q", source.acked, w.told(), w.recorder.ids())
		}
		want := map[string]float64{"mediated": 1, "heartbeat": 1, "ignored": 1}
		if diff := cmp.Diff(want, counted.by(t, "mollyguard_audit_entries_total", "care")); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}
