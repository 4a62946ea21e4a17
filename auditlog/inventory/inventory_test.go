package inventory

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mollyguard/mollyguard/ledger"
)

func TestOptionsThatMakeNoSenseAreAllTold(t *testing.T) {
	_, err := New(Options{Scopes: []string{"organizations/x", "folders/1/x", "projects/p"}, FeedProject: "p"})
	want := `inventory: no ledger
inventory: scope "organizations/x" is not projects/ID, folders/NUMBER or organizations/NUMBER
inventory: scope "folders/1/x" is not projects/ID, folders/NUMBER or organizations/NUMBER
inventory: the feed needs both a project and a subscription`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestMoreAssetsThanAreKeptAreNotKnown(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HistoryTimeout = -1 })
	w.inv.most = 2
	w.cloud.Set(project("shop", "100", team), resource(diskName+"1", diskKind, dev), resource(diskName+"2", diskKind, prod))
	w.refresh()
	w.want(diskRef+"1", noon, true, known(dev))
	w.want(diskRef+"2", noon, false, known(nil))
	w.inv.searched()
	if diff := cmp.Diff([]string{"unlabelled inventory"}, w.kinds()); diff != "" {
		t.Error(diff)
	}
	w.feed(message(diskName+"1", diskKind, `"labels":{"env":"production"}`, noon, "")) // what is known is kept current
	w.want(diskRef+"1", noon, true, known(prod, dev))
}

func TestEffectiveTagsAndThoseOfTheProjectAreFound(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HistoryTimeout = -1 })
	tags := func(key, value string) []*assetpb.EffectiveTagDetails {
		return []*assetpb.EffectiveTagDetails{{EffectiveTags: []*assetpb.Tag{{TagKey: &key, TagValue: &value}}}}
	}
	p, d := project("shop", "100", team), resource(diskName, diskKind, nil)
	p.EffectiveTags, d.EffectiveTags = tags("1/tier", "1/tier/gold"), tags("1/tier", "1/tier/silver")
	w.cloud.Set(p, d)
	w.refresh()
	want := known(nil)
	want.Tags = map[string]string{"tier": "silver"}
	w.want(diskRef, noon, true, want)
	want.Tags = map[string]string{"tier": "gold"}
	w.want(diskRef+"-new", noon, false, want)
	w.feed(message(diskName+"-new", diskKind, "", noon, ""))
	w.want(diskRef+"-new", noon, true, want)
}

func TestMetricsSayWhatIsKnown(t *testing.T) {
	w := newWorld(t)
	w.cloud.Set(project("shop", "100", team))
	w.refresh()
	want := fmt.Sprintf(`
# HELP mollyguard_inventory_assets Number of cloud resources whose labels are known, with those that were deleted lately.
# TYPE mollyguard_inventory_assets gauge
mollyguard_inventory_assets 1
# HELP mollyguard_inventory_last_search_success_timestamp_seconds When the last complete search of cloud resources began; 0 if there was none.
# TYPE mollyguard_inventory_last_search_success_timestamp_seconds gauge
mollyguard_inventory_last_search_success_timestamp_seconds %v
`, float64(noon.Unix()))
	err := testutil.GatherAndCompare(w.reg, strings.NewReader(want), "mollyguard_inventory_assets", "mollyguard_inventory_last_search_success_timestamp_seconds")
	if err != nil {
		t.Error(err)
	}
}

// BenchmarkFind asks for a node pool whose cluster is known, among 10,000 assets: every
// entry that is judged asks once.
func BenchmarkFind(b *testing.B) {
	l, err := ledger.Open(filepath.Join(b.TempDir(), "ledger"), ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	i, err := New(Options{Ledger: l})
	if err != nil {
		b.Fatal(err)
	}
	at := micros(noon)
	list := []observation{{name: "//cloudresourcemanager.googleapis.com/projects/shop", kind: typeProject, number: "100", ancestors: ancestors, state: state{From: at, To: at, Labels: team}}}
	for n := range 10_000 {
		list = append(list, observation{name: fmt.Sprint(clusterName, n), kind: clusterKind, number: "100", state: state{From: at, To: at, Labels: map[string]string{"env": "production", "team": "shop"}}})
	}
	if _, err := i.write(b.Context(), list, nil); err != nil {
		b.Fatal(err)
	}
	for name, ref := range map[string]string{"itself": clusterRef + "7", "below": clusterRef + "7/nodePools/p"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := i.Find(b.Context(), ref, "shop", noon.Add(time.Minute)); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
