package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
)

func TestASearchOfManyPagesFillsTheInventory(t *testing.T) {
	w := newWorld(t)
	list := []*assetpb.ResourceSearchResult{project("shop", "100", team), resource(clusterName, clusterKind, prod)}
	for n := range 7 {
		list = append(list, resource(fmt.Sprintf("%s%d", diskName, n), diskKind, map[string]string{"n": fmt.Sprint(n)}))
	}
	w.cloud.Set(list...)
	w.cloud.PageSize(3)
	if err := w.inv.Ready(); err == nil {
		t.Error("ready before anything was searched")
	}
	w.refresh()
	if err := w.inv.Ready(); err != nil {
		t.Error(err)
	}
	w.want(clusterRef, noon, true, known(prod))
	for n := range 7 {
		w.want(fmt.Sprintf("%s%d", diskRef, n), noon, true, known(map[string]string{"n": fmt.Sprint(n)}))
	}
	// What has no labels of its own has the cluster's, and its project by number.
	w.want(clusterRef+"/nodePools/p", noon, true, known(prod))
	w.want("gcp://container.googleapis.com/projects/100/zones/europe-west3-a/clusters/prod", noon, true, known(prod))
	w.want("gcp://cloudresourcemanager.googleapis.com/projects/shop", noon, true, known(team))
	w.want(diskRef+"unheard-of", noon, false, known(nil))
	w.want("gcp://compute.googleapis.com/projects/elsewhere/global/networks/n", noon, false, auditlog.Asset{})
	if got := w.inv.known.Load(); got != 9 {
		t.Errorf("%d assets are counted, want 9", got)
	}
	if got := w.cloud.Calls().Search; got != 1+3 {
		t.Errorf("%d calls, want 4", got)
	}
}

func TestWhatIsKnownOutlastsTheProcess(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod))
	w.refresh()
	w.stop()
	w.start()
	w.want(clusterRef, noon, true, known(prod))
	if err := w.inv.Ready(); err != nil {
		t.Error(err)
	}
	w.stop()
	w.start(func(o *Options) { o.Scopes = nil }) // from the ledger alone
	w.want(clusterRef, noon, true, known(prod))
	if got := w.inv.known.Load(); got != 2 {
		t.Errorf("%d assets are counted, want 2", got)
	}
}

func TestAnInterruptedSearchGoesOn(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			w := newWorld(t)
			list := []*assetpb.ResourceSearchResult{project("shop", "100", team)}
			for n := range 6 {
				list = append(list, resource(fmt.Sprintf("%s%d", diskName, n), diskKind, dev))
			}
			w.cloud.Set(list...)
			w.cloud.PageSize(2)
			w.cloud.FailSearch(2, status.Error(codes.Unavailable, "gone for a moment"))
			if err := w.inv.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "gone for a moment") {
				t.Fatalf("got %v", err)
			}
			if err := w.inv.Ready(); err == nil {
				t.Error("ready after half a search")
			}
			w.want(diskRef+"1", noon, true, known(dev))
			w.cloud.FailSearch(0, nil)
			if restart {
				w.stop()
				w.start()
			}
			before := w.cloud.Calls().Search
			w.refresh()
			if got := w.cloud.Calls().Search - before; got != 2 {
				t.Errorf("%d calls to go on, want 2", got)
			}
			for n := range 6 {
				w.want(fmt.Sprintf("%s%d", diskRef, n), noon, true, known(dev))
			}
		})
	}
}

func TestWhatNoSearchFindsAnyMoreIsKeptForAMonth(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HistoryTimeout = -1 })
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod), resource(diskName, diskKind, dev))
	w.refresh()
	w.cloud.Set(project("shop", "100", team), resource(diskName, diskKind, dev))
	w.pass(time.Hour)
	w.refresh()
	w.want(clusterRef, w.now(), true, known(prod))
	w.pass(29 * 24 * time.Hour)
	w.refresh()
	w.want(clusterRef, noon, true, known(prod))
	w.pass(2 * 24 * time.Hour)
	w.refresh()
	w.want(clusterRef, noon, false, known(nil))
	w.want(diskRef, w.now(), true, known(dev))
	if got := w.inv.known.Load(); got != 2 {
		t.Errorf("%d assets are counted, want 2", got)
	}
}

func TestWhatASearchMissedOnceIsThereAgain(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod))
	w.refresh()
	w.cloud.Set(project("shop", "100", team))
	w.pass(time.Hour)
	w.refresh()
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod))
	w.pass(time.Hour)
	w.refresh()
	r := w.record(clusterRef)
	if len(r.States) != 1 || r.States[0].Gone != there {
		t.Errorf("states are %+v", r.States)
	}
}

func (w *world) record(ref string) *record {
	w.t.Helper()
	var r *record
	err := w.ledger.View(w.t.Context(), func(tx *ledger.Tx) (err error) {
		r, err = readRecord(tx.Get, prefixAsset+strings.TrimPrefix(ref, "gcp://"))
		return err
	})
	if err != nil || r == nil {
		w.t.Fatalf("%s: %v, %v", ref, r, err)
	}
	return r
}

func TestALabelThatChangedWithoutAnUpdateTimeIsNews(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod))
	w.refresh()
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, dev))
	w.pass(time.Hour)
	w.refresh()
	w.want(clusterRef, w.now(), true, known(dev, prod))
	w.want(clusterRef, noon, true, known(prod))
}

func TestASearchThatLagsDoesNotUndoTheFeed(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, dev))
	w.refresh()
	w.pass(time.Minute)
	w.feed(message(clusterName, clusterKind, `"resourceLabels":{"env":"production"}`, w.now(), ""))
	w.pass(time.Minute)
	w.refresh()
	w.want(clusterRef, w.now(), true, known(prod, dev))
}

func TestAnAssetTypeThatTheAPIDoesNotKnowCostsNoOther(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, prod), resource(diskName, diskKind, dev))
	w.cloud.RejectType("dataproc.googleapis.com/Cluster")
	w.refresh()
	w.want(clusterRef, noon, true, known(prod))
	w.want(diskRef, noon, true, known(dev))
	before := w.cloud.Calls().Search
	w.refresh()
	if got := w.cloud.Calls().Search - before; got != 2 {
		t.Errorf("%d calls the second time, want 2: it is known by then", got)
	}
}

func TestASearchThatIsNotAllowedNamesTheRoleAndTheCommand(t *testing.T) {
	w := newWorld(t)
	w.cloud.FailSearch(0, status.Error(codes.PermissionDenied, "no"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.inv.Run(ctx) }()
	poll(t, func() bool { return len(w.kinds()) > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	text := w.troubles[0].Text
	for _, want := range []string{"roles/cloudasset.viewer", "gcloud organizations add-iam-policy-binding 1 "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in: %s", want, text)
		}
	}
	w.cloud.FailSearch(0, nil)
	w.refresh()
	w.inv.searched()
	if diff := cmp.Diff([]string{"forbidden inventory", "forbidden inventory over"}, w.kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestOldLabelsAreTold(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team))
	w.refresh()
	w.pass(4 * time.Hour)
	if err := w.inv.Ready(); err == nil || err.Error() != "the inventory of cloud resources is 4h0m0s old" {
		t.Errorf("got %v", err)
	}
	w.cloud.FailSearch(0, status.Error(codes.ResourceExhausted, "quota"))
	err := w.inv.Refresh(t.Context())
	w.inv.failed(err, 1)
	if diff := cmp.Diff([]string{"exhausted inventory", "unlabelled inventory"}, w.kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestAReconnectIsNobodysTrouble(t *testing.T) {
	w := newWorld(t)
	w.cloud.FailSearch(0, status.Error(codes.Unavailable, "gone for a moment"))
	err := w.inv.Refresh(t.Context())
	w.inv.failed(err, 1)
	if got := w.kinds(); len(got) != 0 {
		t.Errorf("after one failure: %v", got)
	}
	w.inv.failed(err, 2)
	if diff := cmp.Diff([]string{"unreachable inventory"}, w.kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestALedgerThatTakesNothingIsNotGooglesFault(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team))
	w.cloud.HangSearch()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.inv.Refresh(ctx); err == nil {
		t.Error("a search that was called off is done")
	}
	w.inv.failed(fmt.Errorf("search organizations/1: %w", errors.New("write the ledger: disk full")), 1)
	if diff := cmp.Diff([]string{"unlabelled inventory"}, w.kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestRunSearchesAtOnceAndStopsWhenTold(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.inv.Run(ctx) }()
	poll(t, func() bool { return w.inv.Ready() == nil })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func poll(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
