package inventory

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// past is one entry of asset history: labels nil is a deletion.
func past(t *testing.T, name, kind string, from, to time.Time, data map[string]any) *assetpb.TemporalAsset {
	t.Helper()
	temporal := &assetpb.TemporalAsset{
		Window: &assetpb.TimeWindow{StartTime: timestamppb.New(from), EndTime: timestamppb.New(to)},
		Asset:  &assetpb.Asset{Name: name, AssetType: kind, UpdateTime: timestamppb.New(from), Ancestors: []string{"projects/100", "folders/11", "organizations/1"}},
	}
	if data == nil {
		temporal.Deleted = true
		return temporal
	}
	content, err := structpb.NewStruct(data)
	if err != nil {
		t.Fatal(err)
	}
	temporal.Asset.Resource = &assetpb.Resource{Data: content}
	return temporal
}

func labelled(env string) map[string]any {
	return map[string]any{"resourceLabels": map[string]any{"env": env}, "nodes": 3.5, "locked": nil}
}

func withHistory(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team))
	w.refresh()
	return w
}

func TestHistoryTellsOfWhatWasDeletedBeforeItWasKnown(t *testing.T) {
	w := withHistory(t)
	gone := noon.Add(-10 * time.Minute)
	w.cloud.SetHistory(clusterName,
		past(t, clusterName, clusterKind, noon.Add(-48*time.Hour), gone.Add(-time.Minute), labelled("production")),
		past(t, clusterName, clusterKind, gone.Add(-time.Minute), gone, labelled("dev")),
		past(t, clusterName, clusterKind, gone, noon, nil))
	for range 3 {
		w.want(clusterRef, gone, true, known(dev, prod))
	}
	w.want(clusterRef+"/nodePools/p", gone, true, known(dev, prod))
	requests := w.cloud.Calls().HistoryRequests
	r := requests[0]
	if len(requests) != 3 || r.GetParent() != "projects/shop" || r.GetContentType() != assetpb.ContentType_RESOURCE ||
		!r.GetReadTimeWindow().GetEndTime().AsTime().Equal(gone.Add(time.Second)) || !r.GetReadTimeWindow().GetStartTime().AsTime().Equal(gone.Add(-time.Hour)) {
		t.Errorf("asked: %v", requests)
	}
	w.stop()
	w.start()
	w.want(clusterRef, gone, true, known(dev, prod))
}

func TestWhatHistoryDoesNotKnowIsNotAskedAgainSoon(t *testing.T) {
	w := withHistory(t)
	for range 3 {
		w.want(diskRef, noon, false, known(nil))
	}
	if got := w.cloud.Calls().History; got != 1 {
		t.Errorf("asked %d times, want 1", got)
	}
	w.pass(askAgain)
	w.want(diskRef, noon, false, known(nil))
	if got := w.cloud.Calls().History; got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
	if got := testutil.ToFloat64(w.inv.metrics.history.WithLabelValues(historyUnknown)); got != 2 {
		t.Errorf("%v are counted as unknown, want 2", got)
	}
}

func TestHistoryThatDoesNotAnswerHoldsUpOneAlertAndNotTheNext(t *testing.T) {
	for name, tt := range map[string]struct {
		fault func(w *world)
		want  string
	}{
		"denied":      {func(w *world) { w.cloud.FailHistory(status.Error(codes.PermissionDenied, "no")) }, "forbidden inventory history"},
		"no quota":    {func(w *world) { w.cloud.FailHistory(status.Error(codes.ResourceExhausted, "no")) }, "exhausted inventory history"},
		"unavailable": {func(w *world) { w.cloud.FailHistory(status.Error(codes.Unavailable, "no")) }, "unreachable inventory history"},
		"hanging":     {func(w *world) { w.cloud.HangHistory() }, "unreachable inventory history"},
	} {
		t.Run(name, func(t *testing.T) {
			w := withHistory(t)
			w.inv.o.HistoryTimeout = 50 * time.Millisecond
			tt.fault(w)
			w.want(clusterRef, noon, false, known(nil))
			poll(t, func() bool { return len(w.kinds()) > 0 }) // what hangs is told when it ends
			for n := range 5 {
				w.want(fmt.Sprint(diskRef, n), noon, false, known(nil))
			}
			if got := w.cloud.Calls().History; got != 1 {
				t.Errorf("asked %d times, want 1", got)
			}
			w.cloud.FailHistory(nil)
			w.inv.o.HistoryTimeout = time.Minute
			w.pass(pauseForbidden)
			w.want(diskRef, noon, false, known(nil))
			w.cloud.SetHistory(clusterName, past(t, clusterName, clusterKind, noon, noon, labelled("production")))
			w.want(clusterRef, noon, true, known(prod))
			if diff := cmp.Diff([]string{tt.want, tt.want + " over"}, w.kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryIsNotAskedForMoreThanItsQuota(t *testing.T) {
	w := withHistory(t)
	for n := range 50 {
		w.want(fmt.Sprint(diskRef, n), noon, false, known(nil))
	}
	if got := w.cloud.Calls().History; got != historyBurst {
		t.Errorf("asked %d times, want %d", got, historyBurst)
	}
}

func TestHistoryIsAskedOnceByManyAtATime(t *testing.T) {
	w := withHistory(t)
	w.cloud.SetHistory(clusterName, past(t, clusterName, clusterKind, noon.Add(-time.Hour), noon, labelled("production")))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { w.want(clusterRef, noon, true, known(prod)) })
	}
	group.Wait()
	if got := w.cloud.Calls().History; got != 1 {
		t.Errorf("asked %d times, want 1", got)
	}
}

func TestHistoryIsNotAskedBeyondItsReach(t *testing.T) {
	w := withHistory(t)
	w.want(clusterRef, noon.Add(-36*24*time.Hour), false, known(nil))
	if got := w.cloud.Calls().History; got != 0 {
		t.Errorf("asked %d times, want 0", got)
	}
	w.want(clusterRef, noon.Add(24*time.Hour), false, known(nil)) // dated in the future
	if end := w.cloud.Calls().HistoryRequests[0].GetReadTimeWindow().GetEndTime().AsTime(); !end.Equal(noon) {
		t.Errorf("asked until %s", end)
	}
}

func TestATimeBeforeAllThatIsKnownIsAskedOfHistory(t *testing.T) {
	w := withHistory(t)
	early := noon.Add(-26 * time.Hour)
	w.cloud.Set(project("shop", "100", team), resource(clusterName, clusterKind, dev)) // updated a day ago
	w.refresh()
	w.want(clusterRef, early, true, known(dev)) // the best that is known
	w.pass(askAgain)
	w.cloud.SetHistory(clusterName, past(t, clusterName, clusterKind, early.Add(-time.Hour), early.Add(time.Hour), labelled("production")))
	w.want(clusterRef, early, true, known(prod))
	w.want(clusterRef, noon, true, known(dev))
}

func TestWhatWasMadeLaterIsNotWhatWasDeletedBefore(t *testing.T) {
	w := withHistory(t)
	again := resource(clusterName, clusterKind, dev)
	again.CreateTime = again.GetUpdateTime()
	w.cloud.Set(project("shop", "100", team), again)
	w.refresh()
	w.want(clusterRef, noon.Add(-26*time.Hour), false, known(nil))
	w.want(clusterRef, noon, true, known(dev))
}

func TestHistoryIsAskedByTheNamesThatAssetsHave(t *testing.T) {
	for _, tt := range []struct {
		service, path string
		want          []string
	}{
		{"container.googleapis.com", "projects/p/locations/europe-west3-a/clusters/c", []string{
			"//container.googleapis.com/projects/p/zones/europe-west3-a/clusters/c", "//container.googleapis.com/projects/p/locations/europe-west3-a/clusters/c"}},
		{"container.googleapis.com", "projects/p/locations/europe-west3/clusters/c", []string{"//container.googleapis.com/projects/p/locations/europe-west3/clusters/c"}},
		{"storage.googleapis.com", "projects/_/buckets/b", []string{"//storage.googleapis.com/b"}},
		{"secretmanager.googleapis.com", "projects/p/secrets/s", []string{"//secretmanager.googleapis.com/projects/7/secrets/s", "//secretmanager.googleapis.com/projects/p/secrets/s"}},
		{"compute.googleapis.com", "projects/p/global/networks/n", []string{"//compute.googleapis.com/projects/p/global/networks/n"}},
	} {
		if got := assetNames(tt.service, tt.path, "7"); !slices.Equal(got, tt.want) {
			t.Errorf("got %v, want %v", got, tt.want)
		}
	}
}
