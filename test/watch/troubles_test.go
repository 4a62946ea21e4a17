package watch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/test/google"
)

func TestASubscriptionThatMayNotBeReadAnyMoreIsToldWithTheRoleAndThatItIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	w.ready(w.start())
	const path = "projects/prod-1/zones/europe-west1-b/disks/"
	w.publish(entry(1, now(), "user-1@example.com", gce, deleteDisk, path+"one", nil))
	w.alertOn(gcpRef + gce + "/" + path + "one")

	w.pubsub.Fail(status.Error(codes.PermissionDenied, "User not authorized to perform this action."))
	a := w.blind("grant roles/pubsub.subscriber on it: gcloud pubsub subscriptions add-iam-policy-binding "+subscription, alert.Open)
	w.publish(entry(2, now(), "user-2@example.com", gce, deleteDisk, path+"two", nil))
	w.pubsub.Fail(nil)
	w.alertOn(gcpRef + gce + "/" + path + "two")
	w.until("resolved", func() bool {
		newest, _ := w.receiver.alerts()
		return newest[a.ID].Status == alert.Resolved
	})
}

func TestWithoutTheInventoryPeopleAreToldWhyLabelsAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assets, err := google.StartAsset()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(assets.Close)
	denied := status.Error(codes.PermissionDenied, "Permission 'cloudasset.assets.searchAllResources' denied")
	assets.FailSearch(0, denied)
	assets.FailHistory(denied)
	w.configure(w.subscribe(), fmt.Sprintf("  assets: {scopes: [projects/shop-1], endpoint: %q}\n", assets.Endpoint()), noGrants)
	w.ready(w.start())
	w.blind("roles/cloudasset.viewer", alert.Open)
	const path = "projects/shop-1/zones/europe-west1-b/disks/shop"
	w.publish(entry(1, now(), alice, gce, deleteDisk, path, nil))
	if _, o := w.alertOn(gcpRef + gce + "/" + path); !o.Production || !slices.Equal(o.Unknown, []string{"its labels are not known"}) {
		t.Errorf("production: %v, unknown: %q", o.Production, o.Unknown)
	}
}

func TestASecondWatcherOfTheSameLedgerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	w.ready(w.start())
	text := strings.ReplaceAll(w.read("config.yaml"), w.status, "127.0.0.1:0")
	w.write("config.yaml", text)
	second := w.start()
	if talk, code := w.end(second); code != 1 || !strings.Contains(talk, "another process has it") {
		t.Errorf("exit %d: %s", code, talk)
	}
	if list := w.dead(); len(list) != 0 { // the first still answers
		t.Errorf("the list is %+v", list)
	}
}
