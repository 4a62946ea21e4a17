package index

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
)

// shop is a small cluster: a production web shop with a database, in a namespace that is
// not marked itself, and a staging namespace beside it.
func shop() *Index {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	x.SetState(replicaSets, State{Phase: Synced, Namespaced: true})
	live, dev := map[string]string{"env": "production", "app": "web"}, map[string]string{"app": "web"}
	controlledBy := func(uid string) []Owner { return []Owner{{UID: uid, Controller: true}} }
	facts := func(node string, claims ...string) *Pod {
		return &Pod{Node: node, ServiceAccount: "web", PriorityClass: "high", Claims: claims, Secrets: []string{"tls"}, ConfigMaps: []string{"settings"}}
	}
	for _, o := range []Object{
		{Resource: namespaces, Kind: "Namespace", Name: "shop", UID: "ns-shop"},
		{Resource: namespaces, Kind: "Namespace", Name: "staging", UID: "ns-staging"},
		{Resource: deployments, Kind: "Deployment", Namespace: "shop", Name: "web", UID: "web", Labels: live},
		{Resource: replicaSets, Kind: "ReplicaSet", Namespace: "shop", Name: "web-1", UID: "web-1", Labels: live, Owners: controlledBy("web")},
		{Resource: pods, Kind: "Pod", Namespace: "shop", Name: "web-1-a", UID: "p1", Labels: live, Owners: controlledBy("web-1"), Facts: facts("n1")},
		{Resource: pods, Kind: "Pod", Namespace: "shop", Name: "web-1-b", UID: "p2", Labels: live, Owners: controlledBy("web-1"), Facts: facts("n2")},
		{Resource: pods, Kind: "Pod", Namespace: "shop", Name: "db-0", UID: "p3", Labels: map[string]string{"env": "production", "app": "db"}, Facts: facts("n1", "data")},
		{Resource: pods, Kind: "Pod", Namespace: "shop", Name: "agent", UID: "p4", Owners: controlledBy("ds"), Facts: facts("n1")},
		{Resource: daemonSets, Kind: "DaemonSet", Namespace: "shop", Name: "agent", UID: "ds"},
		{Resource: pods, Kind: "Pod", Namespace: "shop", Name: "import", UID: "p5", Labels: live, Facts: &Pod{Node: "n1", Claims: []string{"data"}, Secrets: []string{"tls"}, Done: true}},
		{Resource: claims, Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "data", UID: "c1", Facts: &Claim{Volume: "pv-1", StorageClass: "fast"}},
		{Resource: volumes, Kind: "PersistentVolume", Name: "pv-1", UID: "v1", Facts: &PersistentVolume{ClaimNamespace: "shop", ClaimName: "data", ReclaimPolicy: "Delete", StorageClass: "fast"}},
		{Resource: snapshots, Kind: "VolumeSnapshot", Namespace: "shop", Name: "nightly-1", Facts: &Snapshot{Claim: "data", Ready: true, Time: time.Unix(100, 0)}},
		{Resource: snapshots, Kind: "VolumeSnapshot", Namespace: "shop", Name: "nightly-2", Facts: &Snapshot{Claim: "data", Ready: true, Time: time.Unix(200, 0)}},
		{Resource: snapshots, Kind: "VolumeSnapshot", Namespace: "shop", Name: "nightly-3", Facts: &Snapshot{Claim: "data", Time: time.Unix(300, 0)}},
		{Resource: services, Kind: "Service", Namespace: "shop", Name: "web", UID: "s1", Facts: &Service{Selector: mustSelect("app=web")}},
		{Resource: budgets, Kind: "PodDisruptionBudget", Namespace: "shop", Name: "web", UID: "b1", Facts: &Budget{Selector: mustSelect("app=web")}},
		{Resource: budgets, Kind: "PodDisruptionBudget", Namespace: "shop", Name: "all", UID: "b2", Facts: &Budget{Selector: labels.Everything(), Worthless: true}},
		{Resource: roleBindings, Kind: "RoleBinding", Namespace: "shop", Name: "web", UID: "r1", Facts: &Binding{RoleKind: "Role", RoleName: "reader", Accounts: []string{"shop/web"}}},
		{Resource: clusterBindings, Kind: "ClusterRoleBinding", Name: "web", UID: "r2", Facts: &Binding{RoleKind: "ClusterRole", RoleName: "viewer", Accounts: []string{"staging/*"}}},
		{Resource: definitions, Kind: "CustomResourceDefinition", Name: "widgets.example.com", UID: "crd"},
		{Resource: widgets, Kind: "Widget", Namespace: "shop", Name: "one", UID: "w1", Labels: live},
		{Resource: widgets, Kind: "Widget", Namespace: "staging", Name: "two", UID: "w2"},
		{Resource: services, Kind: "Service", Namespace: "staging", Name: "of-two", UID: "s2", Owners: controlledBy("w2"), Facts: &Service{}},
		{Resource: gadgets, Kind: "Gadget", Name: "shared", UID: "g1", Owners: []Owner{{UID: "w1"}, {UID: "web"}}},
		{Resource: apiServices, Kind: "APIService", Name: "v1.example.com", UID: "a1"},
		{Resource: apiServices, Kind: "APIService", Name: "v1.apps", UID: "a2"},
		{Resource: pods, Kind: "Pod", Namespace: "staging", Name: "web", UID: "p6", Labels: dev, Facts: facts("n2")},
	} {
		x.Put(o)
	}
	return x
}

func TestWhatDependsOnAnObjectIsLostWithIt(t *testing.T) {
	x := shop()
	data := operation.Volume{Claim: "shop/data", Name: "pv-1", ReclaimPolicy: "Delete", Production: true, Snapshot: "nightly-2", SnapshotTime: time.Unix(200, 0)}
	type all = []operation.Dependents
	for _, tt := range []struct {
		name string
		ask  Question
		want Answer
	}{
		{"a namespace takes all in it along, and its volumes", Question{Resource: namespaces, Name: "shop", UID: "ns-shop"}, Answer{
			Dependents: all{
				{Kind: "Pod", Via: contained, Count: 5, Production: 4, Names: []string{"db-0", "import", "web-1-a", "web-1-b", "agent"}},
				{Kind: "Deployment", Via: contained, Count: 1, Production: 1, Names: []string{"web"}},
				{Kind: "ReplicaSet", Via: contained, Count: 1, Production: 1, Names: []string{"web-1"}},
				{Kind: "Widget", Via: contained, Count: 1, Production: 1, Names: []string{"one"}},
				{Kind: "VolumeSnapshot", Via: contained, Count: 3, Names: []string{"nightly-1", "nightly-2", "nightly-3"}},
				{Kind: "PodDisruptionBudget", Via: contained, Count: 2, Names: []string{"all", "web"}},
				{Kind: "DaemonSet", Via: contained, Count: 1, Names: []string{"agent"}},
				{Kind: "PersistentVolumeClaim", Via: contained, Count: 1, Names: []string{"data"}},
				{Kind: "RoleBinding", Via: contained, Count: 1, Names: []string{"web"}},
				{Kind: "Service", Via: contained, Count: 1, Names: []string{"web"}},
			},
			Volumes: []operation.Volume{data},
		}},
		{"a namespace that is not known takes nothing along", Question{Resource: namespaces, Name: "nowhere"}, Answer{}},
		{"a definition takes its instances along, and what they own", Question{Resource: definitions, Name: "widgets.example.com", UID: "crd"}, Answer{
			Dependents: all{
				{Kind: "Widget", Via: instance, Count: 2, Production: 1, Names: []string{"shop/one", "staging/two"}},
				{Kind: "Service", Via: ownedBy, Count: 1, Names: []string{"staging/of-two"}},
			},
		}},
		{"an aggregated API takes its kinds along", Question{Resource: apiServices, Name: "v1.example.com", UID: "a1"}, Answer{
			Dependents: all{
				{Kind: "Widget", Via: instance, Count: 2, Production: 1, Names: []string{"shop/one", "staging/two"}},
				{Kind: "Gadget", Via: instance, Count: 1, Names: []string{"shared"}},
			},
		}},
		{"an API that the API server serves itself is hidden with all of its group when it points elsewhere", Question{Resource: apiServices, Name: "v1.apps", UID: "a2"}, Answer{
			Dependents: all{
				{Kind: "Deployment", Via: instance, Count: 1, Production: 1, Names: []string{"shop/web"}},
				{Kind: "ReplicaSet", Via: instance, Count: 1, Production: 1, Names: []string{"shop/web-1"}},
				{Kind: "DaemonSet", Via: instance, Count: 1, Names: []string{"shop/agent"}},
			},
		}},
		{"an owner takes along what it owns at any depth, but for what another owns too", Question{Resource: deployments, Namespace: "shop", Name: "web", UID: "web"}, Answer{
			Dependents: all{
				{Kind: "Pod", Via: ownedBy, Count: 2, Production: 2, Names: []string{"web-1-a", "web-1-b"}},
				{Kind: "ReplicaSet", Via: ownedBy, Count: 1, Production: 1, Names: []string{"web-1"}},
			},
		}},
		{"an owner whose uid is not given is known by its name", Question{Resource: replicaSets, Namespace: "shop", Name: "web-1"}, Answer{
			Dependents: all{{Kind: "Pod", Via: ownedBy, Count: 2, Production: 2, Names: []string{"web-1-a", "web-1-b"}}},
		}},
		{"an owner that leaves orphans takes nothing along", Question{Resource: deployments, Namespace: "shop", Name: "web", UID: "web", Orphan: true}, Answer{}},
		{"a claim is mounted by pods that are not done", Question{Resource: claims, Namespace: "shop", Name: "data", UID: "c1"}, Answer{
			Dependents: all{{Kind: "Pod", Via: mounted, Count: 1, Production: 1, Names: []string{"db-0"}}},
			Volumes:    []operation.Volume{data},
		}},
		{"a volume is production if a pod that mounts it is", Question{Resource: volumes, Name: "pv-1", UID: "v1"}, Answer{
			Dependents: all{
				{Kind: "PersistentVolumeClaim", Via: bound, Count: 1, Production: 1, Names: []string{"shop/data"}},
				{Kind: "Pod", Via: mounted, Count: 1, Production: 1, Names: []string{"shop/db-0"}},
			},
			Volumes: []operation.Volume{data},
		}},
		{"a node has pods that no budget covers and no DaemonSet made", Question{Resource: nodes, Name: "n1"}, Answer{
			Dependents: all{{Kind: "Pod", Via: scheduled, Count: 1, Production: 1, Names: []string{"shop/db-0"}}},
		}},
		{"a pod with a controller and a budget is covered", Question{Resource: pods, Namespace: "shop", Name: "web-1-a", UID: "p1"}, Answer{Covered: true}},
		{"a pod with a worthless budget is not", Question{Resource: pods, Namespace: "shop", Name: "agent", UID: "p4"}, Answer{}},
		{"a pod without a controller is not", Question{Resource: pods, Namespace: "shop", Name: "import", UID: "p5"}, Answer{}},
		{"a storage class is used by volumes and claims", Question{Resource: storageClasses, Name: "fast"}, Answer{Dependents: all{
			{Kind: "PersistentVolume", Via: uses, Count: 1, Names: []string{"pv-1"}},
			{Kind: "PersistentVolumeClaim", Via: uses, Count: 1, Names: []string{"shop/data"}},
		}}},
		{"a priority class is used by pods everywhere", Question{Resource: priorityClasses, Name: "high"}, Answer{Dependents: all{
			{Kind: "Pod", Via: uses, Count: 5, Production: 3, Names: []string{"shop/db-0", "shop/web-1-a", "shop/web-1-b", "shop/agent", "staging/web"}},
		}}},
		{"a secret is mounted in its own namespace", Question{Resource: secrets, Namespace: "staging", Name: "tls"}, Answer{Dependents: all{
			{Kind: "Pod", Via: mounted, Count: 1, Names: []string{"web"}},
		}}},
		{"a config map is not mounted by its namesake's pods", Question{Resource: configMaps, Namespace: "staging", Name: "setting"}, Answer{}},
		{"a service account is who pods run as", Question{Resource: accounts, Namespace: "staging", Name: "web"}, Answer{Dependents: all{
			{Kind: "Pod", Via: uses, Count: 1, Names: []string{"web"}},
		}}},
		{"a role is used by the pods it is bound to", Question{Resource: roles, Namespace: "shop", Name: "reader"}, Answer{Dependents: all{
			{Kind: "Pod", Via: uses, Count: 4, Production: 3, Names: []string{"db-0", "web-1-a", "web-1-b", "agent"}},
		}}},
		{"a role of another namespace is another role", Question{Resource: roles, Namespace: "staging", Name: "reader"}, Answer{}},
		{"a cluster role may be bound to all accounts of a namespace", Question{Resource: clusterRoles, Name: "viewer"}, Answer{Dependents: all{
			{Kind: "Pod", Via: uses, Count: 1, Names: []string{"staging/web"}},
		}}},
		{"a binding is to whom the question says", Question{Resource: roleBindings, Namespace: "shop", Name: "web", RoleKind: "Role", RoleName: "reader", Accounts: []string{"staging/web"}}, Answer{Dependents: all{
			{Kind: "Pod", Via: uses, Count: 1, Names: []string{"staging/web"}},
		}}},
		{"a service has pods behind it", Question{Resource: services, Namespace: "shop", Name: "web", UID: "s1"}, Answer{Dependents: all{
			{Kind: "Pod", Via: selected, Count: 2, Production: 2, Names: []string{"web-1-a", "web-1-b"}},
		}}},
		{"what a service selects is as the question says", Question{Resource: services, Namespace: "shop", Name: "web", UID: "s1", Selector: mustSelect("app=db")}, Answer{Dependents: all{
			{Kind: "Pod", Via: selected, Count: 1, Production: 1, Names: []string{"db-0"}},
		}}},
		{"an ingress has the pods of its services behind it", Question{Resource: ingresses, Namespace: "shop", Name: "web", Backends: []string{"web", "missing"}}, Answer{Dependents: all{
			{Kind: "Pod", Via: selected, Count: 2, Production: 2, Names: []string{"web-1-a", "web-1-b"}},
		}}},
		{"a network policy is about the pods it selects", Question{Resource: networkPolicies, Namespace: "staging", Name: "deny", Selector: labels.Everything()}, Answer{Dependents: all{
			{Kind: "Pod", Via: selected, Count: 1, Names: []string{"web"}},
		}}},
		{"an autoscaler scales one object", Question{Resource: autoscalers, Namespace: "shop", Name: "web", Scales: &Reference{Resource: deployments, Name: "web"}}, Answer{Dependents: all{
			{Kind: "Deployment", Via: scaled, Count: 1, Production: 1, Names: []string{"web"}},
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, x.Lost(tt.ask), equateEmpty); diff != "" {
				t.Errorf("Lost (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCyclesOfOwnersEnd(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	put := func(name, uid, owner string) {
		x.Put(Object{Resource: widgets, Kind: "Widget", Namespace: "shop", Name: name, UID: uid, Owners: []Owner{{UID: owner}}})
	}
	put("a", "a", "c")
	put("b", "b", "a")
	put("c", "c", "b")
	put("self", "s", "s")
	want := Answer{Dependents: []operation.Dependents{{Kind: "Widget", Via: ownedBy, Count: 2, Names: []string{"b", "c"}}}}
	if diff := cmp.Diff(want, x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "a", UID: "a"}), equateEmpty); diff != "" {
		t.Errorf("a cycle (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Answer{}, x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "self", UID: "s"}), equateEmpty); diff != "" {
		t.Errorf("an object that owns itself (-want +got):\n%s", diff)
	}
}

func TestWhatAnOwnerTakesAlongTakesAlongMore(t *testing.T) {
	x := shop()
	x.Put(Object{Resource: gadgets, Kind: "Gadget", Name: "tenant", UID: "tenant"})
	x.Put(Object{Resource: namespaces, Kind: "Namespace", Name: "staging", UID: "ns-staging", Owners: []Owner{{UID: "tenant"}}})
	x.Put(Object{Resource: definitions, Kind: "CustomResourceDefinition", Name: "widgets.example.com", UID: "crd", Owners: []Owner{{UID: "tenant"}}})
	want := Answer{Dependents: []operation.Dependents{
		{Kind: "Widget", Via: instance, Count: 2, Production: 1, Names: []string{"shop/one", "staging/two"}},
		{Kind: "Pod", Via: contained, Count: 1, Names: []string{"staging/web"}},
		{Kind: "Service", Via: contained, Count: 1, Names: []string{"staging/of-two"}},
		{Kind: "Widget", Via: contained, Count: 1, Names: []string{"staging/two"}},
		{Kind: "CustomResourceDefinition", Via: ownedBy, Count: 1, Names: []string{"widgets.example.com"}},
		{Kind: "Namespace", Via: ownedBy, Count: 1, Names: []string{"staging"}},
		{Kind: "Service", Via: ownedBy, Count: 1, Names: []string{"staging/of-two"}},
	}}
	if diff := cmp.Diff(want, x.Lost(Question{Resource: gadgets, Name: "tenant", UID: "tenant"}), equateEmpty); diff != "" {
		t.Errorf("Lost (-want +got):\n%s", diff)
	}
}

func TestAWalkThatIsTooLongIsSaidSo(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	readAll(x)
	// Each owns the next, so that each must be looked at.
	for i := range maxWalk + 1 {
		x.Put(Object{Resource: widgets, Kind: "Widget", Namespace: "shop", Name: uidNumber(i + 1), UID: uidNumber(i + 1), Owners: []Owner{{UID: uidNumber(i)}}})
	}
	want := []string{"all that it owns (more than 100000 objects must be looked at)"}
	if diff := cmp.Diff(want, x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "first", UID: uidNumber(0)}).Unknown); diff != "" {
		t.Errorf("Unknown (-want +got):\n%s", diff)
	}
	if got := x.Lost(Question{Resource: widgets, Namespace: "shop", Name: "last", UID: uidNumber(maxWalk - 9)}); got.Unknown != nil || got.Dependents[0].Count != 10 {
		t.Errorf("a short walk gives %+v", got)
	}
}
