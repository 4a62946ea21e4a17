package inventory

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/test/google"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is an inventory with all that it stands on.
type world struct {
	t      *testing.T
	cloud  *google.Asset
	path   string
	ledger *ledger.Ledger
	inv    *Inventory
	reg    *prometheus.Registry

	mu       sync.Mutex
	clock    time.Time
	troubles []alert.Trouble
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	cloud, err := google.StartAsset()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	w := &world{t: t, cloud: cloud, path: filepath.Join(t.TempDir(), "ledger"), clock: noon}
	w.start(change...)
	t.Cleanup(w.stop)
	return w
}

func (w *world) start(change ...func(*Options)) {
	w.t.Helper()
	var err error
	if w.ledger, err = ledger.Open(w.path, ledger.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.reg = prometheus.NewRegistry()
	o := Options{
		Ledger: w.ledger, Scopes: []string{"organizations/1"}, ClientOptions: w.cloud.ClientOptions(), Registerer: w.reg,
		HistoryTimeout: time.Minute, Now: w.now,
		Report: func(t alert.Trouble) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.troubles = append(w.troubles, t)
		},
	}
	for _, c := range change {
		c(&o)
	}
	if w.inv, err = New(o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.inv.Close(); err != nil {
		w.t.Error(err)
	}
	if err := w.ledger.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) refresh() {
	w.t.Helper()
	if err := w.inv.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) feed(message string) {
	w.t.Helper()
	if err := w.inv.Feed(w.t.Context(), []byte(message)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(ref string, at time.Time, ok bool, want auditlog.Asset) {
	w.t.Helper()
	got, gotOK, err := w.inv.Find(w.t.Context(), ref, "", at)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || ok != gotOK {
		w.t.Errorf("%s: ok is %v, want %v (-want +got):\n%s", ref, gotOK, ok, diff)
	}
}

func (w *world) kinds() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, t := range w.troubles {
		text := string(t.Kind) + " " + t.Source
		if t.Over {
			text += " over"
		}
		list = append(list, text)
	}
	return list
}

func project(id, number string, labels map[string]string) *assetpb.ResourceSearchResult {
	return &assetpb.ResourceSearchResult{
		Name: "//cloudresourcemanager.googleapis.com/projects/" + id, AssetType: typeProject, Project: "projects/" + number,
		Folders: []string{"folders/11", "folders/12"}, Organization: "organizations/1", Labels: labels,
		UpdateTime: timestamppb.New(noon.Add(-48 * time.Hour)),
	}
}

func resource(name, kind string, labels map[string]string) *assetpb.ResourceSearchResult {
	return &assetpb.ResourceSearchResult{
		Name: name, AssetType: kind, Project: "projects/100", Folders: []string{"folders/11", "folders/12"}, Organization: "organizations/1",
		Labels: labels, UpdateTime: timestamppb.New(noon.Add(-24 * time.Hour)),
	}
}

const (
	clusterName = "//container.googleapis.com/projects/shop/zones/europe-west3-a/clusters/prod"
	clusterKind = "container.googleapis.com/Cluster"
	clusterRef  = "gcp://container.googleapis.com/projects/shop/locations/europe-west3-a/clusters/prod"
	diskName    = "//compute.googleapis.com/projects/shop/zones/europe-west3-a/disks/d"
	diskKind    = "compute.googleapis.com/Disk"
	diskRef     = "gcp://compute.googleapis.com/projects/shop/zones/europe-west3-a/disks/d"
)

var (
	prod      = map[string]string{"env": "production"}
	dev       = map[string]string{"env": "dev"}
	team      = map[string]string{"team": "shop"}
	ancestors = []string{"folders/11", "folders/12", "organizations/1"}
)

func known(labels map[string]string, former ...map[string]string) auditlog.Asset {
	return auditlog.Asset{Labels: labels, ProjectLabels: team, Ancestors: ancestors, Former: former}
}
