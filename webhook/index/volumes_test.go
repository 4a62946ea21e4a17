package index

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestSnapshotsThatCannotBeReadAreNotSaidToBeMissing(t *testing.T) {
	read := func(phase Phase) func(*Index) {
		return func(x *Index) { x.SetState(snapshots, State{Phase: phase, Namespaced: true}) }
	}
	for _, tt := range []struct {
		name string
		is   func(*Index)
		want bool
	}{
		{"they are read, and there are none", read(Synced), false},
		{"they may not be listed", read(Forbidden), true},
		{"nobody answers for them", read(Unserved), true},
		{"they are not read yet", read(Pending), true},
		{"the cluster has no such kind", func(x *Index) { x.Forget(snapshots) }, false},
		{"nobody answers for their group", func(x *Index) {
			x.Forget(snapshots)
			x.SetDiscovered(Discovery{Known: true, Unserved: map[string]string{snapshots.Group: "503"}})
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := New(Options{Production: byEnvironment})
			readAll(x)
			x.Put(Object{Resource: claims, Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "data", UID: "c1", Facts: &Claim{Volume: "pv-1"}})
			tt.is(x)
			want := Answer{Volumes: []operation.Volume{{Claim: "shop/data", Name: "pv-1", SnapshotsUnknown: tt.want}}}
			if diff := cmp.Diff(want, x.Lost(Question{Resource: claims, Namespace: "shop", Name: "data", UID: "c1"}), equateEmpty); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
