package index

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
)

func TestResourcesInTheCloudGoWithWhatHoldsTheirObjects(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	databases := schema.GroupResource{Group: "sql.cnrm.cloud.google.com", Resource: "sqlinstances"}
	settings := schema.GroupResource{Group: "core.cnrm.cloud.google.com", Resource: "configconnectorcontexts"}
	buckets := schema.GroupResource{Group: "storage.cnrm.cloud.google.com", Resource: "storagebuckets"}
	for _, resource := range []schema.GroupResource{databases, settings, buckets} {
		x.SetState(resource, State{Phase: Synced, Namespaced: true})
	}
	live := map[string]string{"env": "production"}
	for _, o := range []Object{
		{Resource: namespaces, Kind: "Namespace", Name: "cloud", UID: "ns"},
		{Resource: databases, Kind: "SQLInstance", Namespace: "cloud", Name: "orders", UID: "i1", Labels: live},
		{Resource: databases, Kind: "SQLInstance", Namespace: "cloud", Name: "try", UID: "i2"},
		{Resource: settings, Kind: "ConfigConnectorContext", Namespace: "cloud", Name: "x", UID: "i3", Labels: live},
		{Resource: buckets, Kind: "StorageBucket", Namespace: "cloud", Name: "scratch", UID: "i4"},
	} {
		x.Put(o)
	}
	names := []string{"orders", "try"}
	want := Answer{Dependents: []operation.Dependents{
		{Kind: "SQLInstance", Via: contained, Count: 2, Production: 1, Names: names},
		{Kind: "ConfigConnectorContext", Via: contained, Count: 1, Production: 1, Names: []string{"x"}},
		{Kind: "SQLInstance", Via: operation.Backs, Count: 2, Production: 1, Names: names},
		{Kind: "StorageBucket", Via: contained, Count: 1, Names: []string{"scratch"}},
	}}
	if diff := cmp.Diff(want, x.Lost(Question{Resource: namespaces, Name: "cloud", UID: "ns"}), equateEmpty); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
