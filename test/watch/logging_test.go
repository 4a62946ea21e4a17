package watch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/google"
)

// logs is a project without a log sink, of which the logs are read themselves.
type logs struct {
	*world
	fake *google.Logging
	n    int
}

const logFilter = `log_id("cloudaudit.googleapis.com/activity")`

func newLogs(t *testing.T) *logs {
	t.Helper()
	w := &logs{world: newWorld(t)}
	var err error
	if w.fake, err = google.StartLogging(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.fake.Close)
	w.fake.Accept(logFilter, nil)
	w.configure(fmt.Sprintf("logging: {resources: [projects/prod-1], filter: '%s', endpoint: %q}", logFilter, w.fake.Endpoint()), "", noGrants)
	return w
}

// tailing starts a watcher, and waits until it has listed and has a tail.
func (w *logs) tailing() *watcher {
	w.Helper()
	lists := w.fake.Calls().List
	p := w.ready(w.start())
	w.until("tailing", func() bool { return w.fake.Tails() == 1 && w.fake.Calls().List > lists })
	return p
}

// deletion is the entry of a disk of production that is deleted, by somebody who does
// nothing else, and the disk's name.
func (w *logs) deletion() (e *loggingpb.LogEntry, ref string) {
	w.Helper()
	w.n++
	path := fmt.Sprintf("projects/prod-1/zones/europe-west1-b/disks/disk-%d", w.n)
	return logged(w.T, entry(w.n, now(), fmt.Sprintf("user-%d@example.com", w.n), gce, deleteDisk, path, nil)), gcpRef + gce + "/" + path
}

func TestAClusterThatDiesInTheConsoleIsToldWithWhoAndHowAndWhy(t *testing.T) {
	t.Parallel()
	w := newLogs(t)
	w.tailing()
	at := now()
	const path = "projects/prod-1/locations/europe-west1/clusters/shop"
	start := first(with(entry(1, at, alice, gke, deleteCluster, path, nil), browser, "requestMetadata", "callerSuppliedUserAgent"), "operation-1")
	w.fake.Add(logged(t, start))

	a, o := w.alertOn(gcpRef + gke + "/" + path)
	got := alert.Alert{Kind: a.Kind, Status: a.Status, Severity: a.Severity, Surface: a.Surface, Cluster: a.Cluster, Project: a.Project, Actor: a.Actor, Origin: a.Origin, Count: a.Count}
	want := alert.Alert{
		Kind: alert.Violation, Status: alert.Open, Severity: operation.High, Surface: operation.GCP, Cluster: "watch", Project: "prod-1", Count: 1,
		Actor: operation.Identity{Name: alice, Kind: operation.Human, Via: "console (browser)"}, Origin: operation.Origin{IP: "192.0.2.7", UserAgent: browser},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if begins := "alice@example.com is deleting production Cluster shop (project prod-1, europe-west1)"; !strings.HasPrefix(a.Title, begins) || !strings.Contains(a.Title, "console") {
		t.Errorf("the title is %q", a.Title)
	}
	wantOperation := alert.Operation{
		Time: at, Verb: operation.Delete, Phase: operation.Started, Outcome: operation.OutcomeAlert, Severity: operation.High,
		Target:  operation.Reference{Ref: gcpRef + gke + "/" + path, Kind: "Cluster", Name: "shop"},
		Project: "prod-1", Location: "europe-west1", Production: true, Because: []string{"project prod-1 is production by name", "its labels are not known, and unknown counts as production"},
		Unknown: []string{"its labels are not known"}, Policies: []string{"production-delete"}, Messages: []string{"production must not be deleted"},
	}
	if diff := cmp.Diff(wantOperation, o, cmpopts.IgnoreFields(alert.Operation{}, "Decision", "Link"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is told of the cluster (-want +got):\n%s", diff)
	}
	if o.Decision != w.decisionOn(o.Target.Ref).ID {
		t.Errorf("the alert has the decision %q, the decision log another", o.Decision)
	}
	if !strings.HasPrefix(o.Link, "https://console.cloud.google.com/logs/query;query=") {
		t.Errorf("the link leads to %q", o.Link)
	}

	end := entry(1, at.Add(time.Second), "", gke, deleteCluster, path, nil)
	end["insertId"] = "end-1"
	w.fake.Add(logged(t, last(end, "operation-1")))
	w.until("told that it is gone", func() bool {
		newest, is, _ := w.on(o.Target.Ref)
		return is.Phase == operation.Finished && newest.ID == a.ID && newest.Revision > a.Revision &&
			strings.HasPrefix(newest.Title, "alice@example.com deleted production Cluster shop")
	})
}

func TestWhateverTheTailLeavesOutIsListed(t *testing.T) {
	t.Parallel()
	w := newLogs(t)
	w.tailing()
	e, ref := w.deletion()
	w.fake.Add(e)
	w.alertOn(ref) // the tail works

	e, ref = w.deletion()
	w.fake.AddUntailed(e)
	w.fake.Suppress(loggingpb.TailLogEntriesResponse_SuppressionInfo_RATE_LIMIT, 1)
	w.alertOn(ref)

	e, ref = w.deletion()
	w.fake.AddUntailed(e)
	w.fake.EndHour()
	w.alertOn(ref)

	w.until("tailing again", func() bool { return w.fake.Tails() == 1 })
	e, ref = w.deletion()
	w.fake.Add(e)
	w.alertOn(ref)
	for _, a := range w.receiver.all() {
		if a.Kind == alert.Blind {
			t.Errorf("an hour that ends, and a suppression, are no trouble: %s %q", a.Title, a.Text)
		}
	}
}

func TestAWatcherThatStartsAgainGoesOnWhereItWasAndTellsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newLogs(t)
	p := w.tailing()
	var refs []string
	for range 5 {
		e, ref := w.deletion()
		w.fake.Add(e)
		refs = append(refs, ref)
	}
	for _, ref := range refs {
		w.alertOn(ref)
	}
	w.stop(p)
	before, _ := w.receiver.alerts()
	decided := len(w.decisions())
	e, ref := w.deletion()
	w.fake.Add(e) // while nobody watches
	p = w.tailing()
	w.alertOn(ref)
	w.until("known to be delivered", func() bool { return w.metric("mollyguard_alert_sends_total", `result="delivered"`) == 1 })
	p.kill() // a crash, this time
	p = w.tailing()
	e, another := w.deletion()
	w.fake.Add(e)
	w.alertOn(another)
	w.stop(p)

	after, _ := w.receiver.alerts()
	for id, a := range before {
		if diff := cmp.Diff(a, after[id]); diff != "" {
			t.Errorf("what was told changed (-before +after):\n%s", diff)
		}
	}
	if len(after) != len(before)+2 {
		t.Errorf("two deletions after %d alerts make %d", len(before), len(after))
	}
	sent := map[string]int{}
	for _, a := range w.receiver.all() {
		if sent[a.ID]++; sent[a.ID] > 1 {
			t.Errorf("told again: %s", a.Title)
		}
	}
	if n := len(w.decisions()); n != decided+2 {
		t.Errorf("two deletions after %d decisions make %d", decided, n)
	}
}

func TestALostPermissionIsToldWithTheRoleAndThatItIsBack(t *testing.T) {
	t.Parallel()
	w := newLogs(t)
	w.tailing()
	e, ref := w.deletion()
	w.fake.Add(e)
	w.alertOn(ref)

	denied := status.Error(codes.PermissionDenied, "Permission 'logging.logEntries.list' denied on resource")
	w.fake.FailLists(denied)
	w.fake.FailTails(denied)
	w.fake.EndTails(denied)
	forbidden := w.blind("may not be read: Permission 'logging.logEntries.list' denied on resource: grant roles/logging.viewer", alert.Open)
	gap := w.blind("may be missing, as they cannot be listed", alert.Open)
	for _, a := range []alert.Alert{forbidden, gap} {
		if a.Kind != alert.Blind || a.Severity != operation.High {
			t.Errorf("told as %s, %s: %s", a.Kind, a.Severity, a.Title)
		}
	}

	e, ref = w.deletion()
	w.fake.Add(e)
	w.fake.FailLists(nil)
	w.fake.FailTails(nil)
	w.alertOn(ref) // what was done meanwhile
	w.until("tailing again", func() bool { return w.fake.Tails() == 1 })
	e, ref = w.deletion()
	w.fake.Add(e) // a tail works when it says something
	w.alertOn(ref)
	for _, a := range []alert.Alert{forbidden, gap} {
		w.until("resolved: "+a.Title, func() bool {
			newest, _ := w.receiver.alerts()
			return newest[a.ID].Status == alert.Resolved
		})
	}
}
