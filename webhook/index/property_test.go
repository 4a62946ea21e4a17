package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"
)

// universe are the kinds of the property test, and whether they are in namespaces.
var universe = map[schema.GroupResource]bool{
	namespaces: false, nodes: false, volumes: false, definitions: false, apiServices: false, gadgets: false, clusterBindings: false,
	pods: true, deployments: true, daemonSets: true, widgets: true, claims: true, snapshots: true, services: true,
	budgets: true, roleBindings: true,
}

var universeKinds = func() []schema.GroupResource {
	var all []schema.GroupResource
	for resource := range universe {
		all = append(all, resource)
	}
	slices.SortFunc(all, func(a, b schema.GroupResource) int { return strings.Compare(a.String(), b.String()) })
	return all
}()

var (
	// A namespace whose name ends in prod is production by its name alone.
	someNamespace = rapid.SampledFrom([]string{"team", "shop", "eu-prod"})
	someName      = rapid.SampledFrom([]string{"a", "b", "c"})
	// One uid is as Kubernetes makes them; the others must be hashed. Objects of several
	// kinds may have the same.
	someUID = rapid.SampledFrom([]string{
		"", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "9f86d081-884c-4d65-9a2f-eaa0c55ad015", "9F86D081-884C-4D65-9A2F-EAA0C55AD015",
	})
	someSelector = rapid.SampledFrom([]labels.Selector{
		nil, mustSelect("app=x"), mustSelect("app=y"), labels.Everything(), mustSelect("statefulset.kubernetes.io/pod-name=a"), mustSelect("job-name!=a"),
	})
)

func someLabels(t *rapid.T) map[string]string {
	set := map[string]string{}
	for _, key := range []string{"env", "app", "statefulset.kubernetes.io/pod-name", "job-name"} {
		if value := rapid.SampledFrom([]string{"", "", "x", "y", "a", "production"}).Draw(t, key); value != "" {
			set[key] = value
		}
	}
	return set
}

func someNames(t *rapid.T, label string) []string {
	names := rapid.SliceOfN(someName, 0, 2).Draw(t, label)
	slices.Sort(names)
	return names
}

func someAccounts(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"team/a", "shop/b", "shop/*", "eu-prod/c", "*/*", "nowhere/a"}), 0, 2).Draw(t, "accounts")
}

func someFacts(t *rapid.T, resource schema.GroupResource) any {
	switch resource {
	case pods:
		return &Pod{
			Node: someName.Draw(t, "node"), ServiceAccount: someName.Draw(t, "account"), PriorityClass: someName.Draw(t, "priority"),
			Claims: someNames(t, "claims"), Secrets: someNames(t, "secrets"), ConfigMaps: someNames(t, "configMaps"),
			Done: rapid.IntRange(0, 3).Draw(t, "done") == 0,
		}
	case claims:
		return &Claim{Volume: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "volume"), StorageClass: someName.Draw(t, "class")}
	case volumes:
		return &PersistentVolume{
			ClaimNamespace: someNamespace.Draw(t, "claimNamespace"), ClaimName: someName.Draw(t, "claim"),
			ReclaimPolicy: rapid.SampledFrom([]string{"Delete", "Retain"}).Draw(t, "reclaim"), StorageClass: someName.Draw(t, "class"),
		}
	case snapshots:
		return &Snapshot{
			Claim: someName.Draw(t, "claim"), Ready: rapid.Bool().Draw(t, "ready"),
			Time: time.Unix(int64(rapid.IntRange(0, 2).Draw(t, "time")), 0).UTC(),
		}
	case budgets:
		return &Budget{Selector: someSelector.Draw(t, "selector"), Worthless: rapid.Bool().Draw(t, "worthless")}
	case services:
		return &Service{Selector: someSelector.Draw(t, "selector")}
	case roleBindings, clusterBindings:
		return &Binding{RoleKind: rapid.SampledFrom([]string{"Role", "ClusterRole"}).Draw(t, "roleKind"), RoleName: someName.Draw(t, "role"), Accounts: someAccounts(t)}
	}
	return nil
}

func someObject(t *rapid.T, resource schema.GroupResource) Object {
	o := Object{
		Resource: resource, Kind: "Kind-" + resource.Resource, Name: someName.Draw(t, "name"), UID: someUID.Draw(t, "uid"),
		Labels: someLabels(t), Terminating: rapid.IntRange(0, 4).Draw(t, "terminating") == 0, Facts: someFacts(t, resource),
	}
	if universe[resource] {
		o.Namespace = someNamespace.Draw(t, "namespace")
	}
	switch resource {
	case namespaces:
		o.Name = someNamespace.Draw(t, "namespace")
	case definitions:
		o.Name = rapid.SampledFrom([]string{widgets.String(), gadgets.String()}).Draw(t, "definition")
		o.UID = "uid-of-" + o.Name // never that of another, or a definition would be its own instance
	case apiServices:
		o.Name = rapid.SampledFrom([]string{"v1.example.com", "v1.apps"}).Draw(t, "apiService")
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "owners") {
		owner := someUID.Draw(t, "owner")
		if !slices.ContainsFunc(o.Owners, func(o Owner) bool { return o.UID == owner }) {
			o.Owners = append(o.Owners, Owner{UID: owner, Controller: i == 0 && owner != ""})
		}
	}
	return o
}

func someQuestion(t *rapid.T, m *model) Question {
	asked := append(slices.Clone(universeKinds), storageClasses, priorityClasses, secrets, configMaps, accounts, roles, clusterRoles, ingresses)
	q := Question{Resource: rapid.SampledFrom(asked).Draw(t, "asked"), Name: someName.Draw(t, "name"), Orphan: rapid.IntRange(0, 3).Draw(t, "orphan") == 0}
	if namespaced, ok := universe[q.Resource]; namespaced || !ok && q.Resource != storageClasses && q.Resource != priorityClasses && q.Resource != clusterRoles {
		q.Namespace = someNamespace.Draw(t, "namespace")
	}
	switch q.Resource {
	case namespaces:
		q.Name = someNamespace.Draw(t, "namespace")
	case definitions:
		q.Name = rapid.SampledFrom([]string{widgets.String(), gadgets.String()}).Draw(t, "definition")
	case apiServices:
		q.Name = rapid.SampledFrom([]string{"v1.example.com", "v1.apps"}).Draw(t, "apiService")
	case roleBindings, clusterBindings:
		q.Accounts = someAccounts(t)
	case services, budgets:
		q.Selector = someSelector.Draw(t, "selector")
	case ingresses:
		q.Backends = someNames(t, "backends")
	}
	if o, ok := m.find(q.Resource, q.Namespace, q.Name); ok && rapid.Bool().Draw(t, "withUID") {
		q.UID = o.UID
	}
	if rapid.IntRange(0, 9).Draw(t, "scales") == 0 {
		q.Scales = &Reference{Resource: deployments, Name: someName.Draw(t, "scaled"), Namespace: rapid.SampledFrom([]string{"", "shop"}).Draw(t, "in")}
	}
	return q
}

// readAll makes an index that has read all kinds.
func readAll(x *Index) {
	for resource, namespaced := range universe {
		x.SetState(resource, State{Phase: Synced, Namespaced: namespaced})
	}
	x.SetDiscovered(Discovery{Known: true})
}

var equateEmpty = cmpopts.EquateEmpty()

func TestTheIndexAnswersAsAPlainListOfObjectsWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, m := New(Options{Production: byEnvironment}), &model{objects: map[modelKey]Object{}, production: byEnvironment}
		readAll(x)
		known := m.holders()
		put := func(resource schema.GroupResource) modelKey {
			o := someObject(t, resource)
			x.Put(o)
			m.objects[keyOf(o)] = o
			return keyOf(o)
		}
		kindOf := rapid.SampledFrom(universeKinds)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(t, "objects") {
					put(kindOf.Draw(t, "kind"))
				}
			},
			"remove": func(t *rapid.T) {
				o := someObject(t, kindOf.Draw(t, "kind"))
				x.Remove(o.Resource, o.Namespace, o.Name)
				delete(m.objects, keyOf(o))
			},
			"sweep": func(t *rapid.T) {
				resource := kindOf.Draw(t, "kind")
				sweep := x.Begin(resource)
				met := map[modelKey]bool{}
				for range rapid.IntRange(0, 4).Draw(t, "objects") {
					met[put(resource)] = true
				}
				x.End(sweep)
				for key := range m.objects {
					if key.resource == resource && !met[key] {
						delete(m.objects, key)
					}
				}
			},
			"forget": func(t *rapid.T) {
				resource := kindOf.Draw(t, "kind")
				x.Forget(resource)
				x.SetState(resource, State{Phase: Synced, Namespaced: universe[resource]})
				for key := range m.objects {
					if key.resource == resource {
						delete(m.objects, key)
					}
				}
			},
			"ask": func(t *rapid.T) {
				q := someQuestion(t, m)
				if diff := cmp.Diff(m.lost(q), x.Lost(q), equateEmpty); diff != "" {
					t.Fatalf("Lost(%+v) (-want +got):\n%s", q, diff)
				}
			},
			"": func(t *rapid.T) {
				holders := x.Holders()
				if diff := cmp.Diff(m.holders(), holders, equateEmpty); diff != "" {
					t.Fatalf("Holders (-want +got):\n%s", diff)
				}
				select {
				case <-x.Changed():
				default:
					if diff := cmp.Diff(known, holders, equateEmpty); diff != "" {
						t.Fatalf("Holders changed without a signal (-before +after):\n%s", diff)
					}
				}
				known = holders
				if x.Len() != len(m.objects) {
					t.Fatalf("%d objects, want %d", x.Len(), len(m.objects))
				}
			},
		})
		for resource := range universe {
			x.Forget(resource)
		}
		if diff := cmp.Diff(leftovers{}, whatIsLeft(x)); diff != "" {
			t.Fatalf("an index that was emptied still holds (-want +got):\n%s", diff)
		}
	})
}

// leftovers counts what an index holds.
type leftovers struct {
	Records, Links, Buckets, Parents, Shapes, Namespaces, Kinds, Facts, Names int
	Hashes                                                                    string
}

func whatIsLeft(x *Index) leftovers {
	l := leftovers{
		Records: x.records.len(), Links: x.links.len(), Buckets: x.buckets.len(), Parents: x.parents.len(), Shapes: x.shapes.len(),
		Namespaces: x.namespaces.len(), Kinds: x.kinds.len(), Facts: len(x.facts), Names: len(x.namespaceIDs) + len(x.kindIDs),
	}
	if n := []int{len(x.byName.heads), len(x.byID.heads), len(x.byPlace.heads), len(x.byParent.heads), len(x.byShape.heads)}; slices.Max(n) > 0 {
		l.Hashes = fmt.Sprint(n)
	}
	return l
}
