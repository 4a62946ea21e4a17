package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
)

// household is a cluster with two node pools, a neighbour whose name begins like it, a
// disk, and another project.
const household = `[
 {"assetType": "container.googleapis.com/Cluster", "name": "//container.googleapis.com/projects/shop/locations/l/clusters/prod", "project": "projects/100"},
 {"assetType": "container.googleapis.com/NodePool", "name": "//container.googleapis.com/projects/shop/locations/l/clusters/prod/nodePools/b", "project": "projects/100", "labels": {"env": "production"}},
 {"assetType": "container.googleapis.com/NodePool", "name": "//container.googleapis.com/projects/shop/locations/l/clusters/prod/nodePools/a", "project": "projects/100"},
 {"assetType": "container.googleapis.com/NodePool", "name": "//container.googleapis.com/projects/shop/locations/l/clusters/prod-2/nodePools/c", "project": "projects/100"},
 {"assetType": "compute.googleapis.com/Disk", "name": "//compute.googleapis.com/projects/shop/zones/z/disks/d", "project": "projects/100"},
 {"assetType": "compute.googleapis.com/Disk", "name": "//compute.googleapis.com/projects/shop-2/zones/z/disks/e", "project": "projects/200"},
 {"assetType": "compute.googleapis.com/Disk", "name": "//compute.googleapis.com/projects/shop/zones/z/disks/later", "project": "projects/100", "createTime": "2027-01-01T00:00:00Z"},
 {"assetType": "cloudresourcemanager.googleapis.com/Project", "name": "//cloudresourcemanager.googleapis.com/projects/shop", "project": "projects/100"}
]`

func TestWhatIsInAResourceIsKnown(t *testing.T) {
	i, err := FromFile(write(t, household))
	if err != nil {
		t.Fatal(err)
	}
	poolA, poolB, poolC := auditlog.Child{Kind: "NodePool", Name: "a"}, auditlog.Child{Kind: "NodePool", Name: "b", Labels: map[string]string{"env": "production"}}, auditlog.Child{Kind: "NodePool", Name: "c"}
	disk := auditlog.Child{Kind: "Disk", Name: "d"}
	for _, tt := range []struct {
		name, ref string
		want      []auditlog.Child
	}{
		{"in a cluster", "gcp://container.googleapis.com/projects/shop/locations/l/clusters/prod", []auditlog.Child{poolA, poolB}},
		{"in something with nothing below it", "gcp://compute.googleapis.com/projects/shop/zones/z/disks/d", nil},
		{"in a project", "gcp://cloudresourcemanager.googleapis.com/projects/shop", []auditlog.Child{{Kind: "Cluster", Name: "prod"}, disk, poolA, poolB, poolC}},
		{"in what is no cloud resource", "k8s://prod/core/namespaces/shop", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []auditlog.Child
			more, err := i.Below(t.Context(), tt.ref, time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC), func(c auditlog.Child) { got = append(got, c) })
			if err != nil || more {
				t.Errorf("more %t, error %v", more, err)
			}
			slices.SortFunc(got, func(a, b auditlog.Child) int {
				return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
			})
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("below (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsBelowIsCountedUpToALimit(t *testing.T) {
	var b strings.Builder
	b.WriteString("[")
	for n := range maxBelow + 1 {
		fmt.Fprintf(&b, `{"assetType": "compute.googleapis.com/Disk", "name": "//compute.googleapis.com/projects/shop/zones/z/disks/%d", "project": "projects/100"},`, n)
	}
	i, err := FromFile(write(t, strings.TrimSuffix(b.String(), ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	more, err := i.Below(t.Context(), "gcp://cloudresourcemanager.googleapis.com/projects/shop", time.Now(), func(auditlog.Child) { count++ })
	if err != nil || !more || count != maxBelow {
		t.Errorf("%d, more %t, error %v; want %d and more", count, more, err, maxBelow)
	}
}
