package watch_test

import (
	"fmt"
	"slices"
	"testing"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/test/google"
)

func resource(service, path, kind string, labels map[string]string) *assetpb.ResourceSearchResult {
	return &assetpb.ResourceSearchResult{
		Name: "//" + service + "/" + path, AssetType: service + "/" + kind, Project: "projects/7", Labels: labels, CreateTime: timestamppb.New(now()),
	}
}

func TestLabelsComeFromTheInventoryAndOutlastIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assets, err := google.StartAsset()
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			assets.Close()
		}
	})
	const clusters, disks = "projects/shop-1/locations/europe-west1/clusters/", "projects/shop-1/zones/europe-west1-b/disks/"
	assets.Set(
		resource("cloudresourcemanager.googleapis.com", "projects/shop-1", "Project", nil),
		resource(gke, clusters+"live", "Cluster", map[string]string{"env": "production"}),
		resource(gke, clusters+"later", "Cluster", map[string]string{"env": "production"}),
		resource(gce, disks+"scratch", "Disk", map[string]string{"env": "dev"}),
	)
	w.configure(w.subscribe(), fmt.Sprintf("  assets: {scopes: [projects/shop-1], endpoint: %q}\n", assets.Endpoint()), noGrants)
	p := w.ready(w.start())
	w.until("the inventory is full", func() bool {
		return w.metric("mollyguard_inventory_last_search_success_timestamp_seconds", "") > 0
	})

	w.publish(entry(1, now(), "user-1@example.com", gce, deleteDisk, disks+"scratch", nil))
	w.publish(entry(2, now(), "user-2@example.com", gke, deleteCluster, clusters+"live", nil))
	w.publish(entry(3, now(), "user-3@example.com", gce, deleteDisk, disks+"nobody-knows", nil))
	_, live := w.alertOn(gcpRef + gke + "/" + clusters + "live")
	if want := []string{"label env=production"}; !slices.Equal(live.Because, want) || len(live.Unknown) > 0 {
		t.Errorf("a labelled cluster is production because of %q, unknown is %q", live.Because, live.Unknown)
	}
	_, unknown := w.alertOn(gcpRef + gce + "/" + disks + "nobody-knows")
	if want := []string{"its labels are not known"}; !slices.Equal(unknown.Unknown, want) || !unknown.Production {
		t.Errorf("of a disk that nobody knows is unknown %q; production: %v", unknown.Unknown, unknown.Production)
	}
	if n := len(assets.Calls().HistoryRequests); n == 0 {
		t.Error("nobody asked the history for what was not found")
	}

	w.stop(p)
	assets.Close()
	closed = true
	w.ready(w.start())
	w.publish(entry(4, now(), "user-4@example.com", gke, deleteCluster, clusters+"later", nil))
	_, later := w.alertOn(gcpRef + gke + "/" + clusters + "later")
	if want := []string{"label env=production"}; !slices.Equal(later.Because, want) || len(later.Unknown) > 0 {
		t.Errorf("without an inventory a labelled cluster is production because of %q, unknown is %q", later.Because, later.Unknown)
	}

	if d := w.decisionOn(gcpRef + gce + "/" + disks + "scratch"); d.Production.Is || len(d.Unknown) > 0 {
		t.Errorf("a disk labelled env=dev is production because of %q, unknown is %q", d.Production.Because, d.Unknown)
	}
	if a, _, told := w.on(gcpRef + gce + "/" + disks + "scratch"); told {
		t.Errorf("people were told of a disk labelled env=dev: %s", a.Title)
	}
}
