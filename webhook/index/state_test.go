package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestTheIndexSaysWhatItHasNotRead(t *testing.T) {
	x := New(Options{})
	said := func() string {
		if err := x.Synced(); err != nil {
			return err.Error()
		}
		return ""
	}
	check := func(want string) {
		t.Helper()
		if got := said(); got != want {
			t.Errorf("Synced: %q, want %q", got, want)
		}
	}
	check("the index has not been read yet: the kinds of the cluster are not known")
	x.SetDiscovered(Discovery{Err: "connection refused\nby 10.0.0.1"})
	check(`the index has not been read yet: connection refused\nby 10.0.0.1`)
	for i := range 7 {
		x.SetState(kindNumber(i), State{})
	}
	x.SetDiscovered(Discovery{Known: true})
	check("the index has not been read yet: 7 of 7 kinds are missing: kind0s.example.com, kind1s.example.com, kind2s.example.com, kind3s.example.com, kind4s.example.com and 2 more")
	for i := range 6 {
		x.SetState(kindNumber(i), State{Phase: []Phase{Synced, Forbidden, Unserved}[i%3]})
	}
	check("the index has not been read yet: 1 of 7 kinds are missing: kind6s.example.com")
	x.Forget(kindNumber(6))
	check("")
	x.Begin(widgets)
	check("the index has not been read yet: 1 of 7 kinds are missing: widgets.example.com")
}

func TestBeforeAllWasReadOnceNothingIsKnownForSure(t *testing.T) {
	x := New(Options{})
	x.SetState(pods, State{Phase: Synced, Namespaced: true})
	x.SetState(widgets, State{Namespaced: true})
	x.SetDiscovered(Discovery{Known: true})
	const unread = "what depends on it (the index has not been read yet: 1 of 2 kinds are missing: widgets.example.com)"
	for _, tt := range []struct {
		name string
		ask  Question
		want []string
	}{
		{"of a namespace", Question{Resource: namespaces, Name: "shop"}, []string{unread}},
		{"of anything that may own", Question{Resource: deployments, Namespace: "shop", Name: "web"}, []string{unread}},
		{"of what leaves its dependents as orphans nothing need be", Question{Resource: deployments, Namespace: "shop", Name: "web", Orphan: true}, nil},
		{"of a secret it is unknown all the same", Question{Resource: secrets, Namespace: "shop", Name: "tls", Orphan: true}, []string{unread}},
		{"of what selects pods too", Question{Resource: networkPolicies, Namespace: "shop", Name: "deny", Orphan: true, Selector: labels.Everything()}, []string{unread}},
		{"pods are leaves", Question{Resource: pods, Namespace: "shop", Name: "web"}, nil},
		{"so are leases", Question{Resource: schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, Namespace: "shop", Name: "web"}, nil},
		{"and events", Question{Resource: schema.GroupResource{Group: "events.k8s.io", Resource: "events"}, Namespace: "shop", Name: "web"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(Answer{Unknown: tt.want}, x.Lost(tt.ask)); diff != "" {
				t.Errorf("Lost (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAKindThatIsNotKnownIsNamedToThoseWhomItConcerns(t *testing.T) {
	const (
		forbiddenWidgets = "what depends on it (mollyguard may not list widgets.example.com: see the ClusterRole mollyguard-reader)"
		forbiddenPods    = "what depends on it (mollyguard may not list pods: see the ClusterRole mollyguard-reader)"
		unservedGadgets  = "what depends on it (no answer about gadgets.example.com: the server is down)"
		unreadClaims     = "what depends on it (persistentvolumeclaims: not read yet)"
		noGroup          = "what depends on it (no answer about the API group metering.example.com: 503)"
	)
	x := New(Options{})
	readAll(x)
	x.SetState(apiServices, State{Phase: Synced})
	x.SetState(widgets, State{Phase: Forbidden, Namespaced: true})
	x.SetState(pods, State{Phase: Forbidden, Namespaced: true})
	x.SetState(gadgets, State{Phase: Unserved, Err: "the server is down"})
	x.SetState(claims, State{Namespaced: true})
	x.SetDiscovered(Discovery{Known: true, Unserved: map[string]string{"metering.example.com": "503"}})
	for _, tt := range []struct {
		name string
		ask  Question
		want []string
	}{
		{"a namespace: all kinds that are in namespaces", Question{Resource: namespaces, Name: "shop"}, []string{forbiddenPods, forbiddenWidgets, noGroup, unreadClaims}},
		{"the definition of that kind", Question{Resource: definitions, Name: "widgets.example.com"}, []string{forbiddenWidgets}},
		{"the definition of a kind that is not served", Question{Resource: definitions, Name: "gadgets.example.com"}, []string{unservedGadgets}},
		{"the definition of a kind that nobody has heard of", Question{Resource: definitions, Name: "others.example.com"}, []string{"what depends on it (the index does not have others.example.com)"}},
		{"the definition of a kind whose group does not answer", Question{Resource: definitions, Name: "meters.metering.example.com"}, []string{noGroup}},
		{"the API of such a group", Question{Resource: apiServices, Name: "v1.metering.example.com"}, []string{noGroup}},
		{"the API of a group with such kinds", Question{Resource: apiServices, Name: "v1.example.com"}, []string{forbiddenWidgets, unservedGadgets}},
		{"the API that the API server serves itself", Question{Resource: apiServices, Name: "v1."}, []string{forbiddenPods, unreadClaims}},
		{"a secret, which pods mount", Question{Resource: secrets, Namespace: "shop", Name: "tls"}, []string{forbiddenPods}},
		{"a claim, which pods mount", Question{Resource: claims, Namespace: "shop", Name: "data"}, []string{forbiddenPods}},
		{"a volume, which a claim is bound to and pods mount", Question{Resource: volumes, Name: "pv-1"}, []string{forbiddenPods, unreadClaims}},
		{"a node", Question{Resource: nodes, Name: "n1"}, []string{forbiddenPods}},
		{"an ingress", Question{Resource: ingresses, Namespace: "shop", Name: "web", Backends: []string{"web"}}, []string{forbiddenPods}},
		{"an autoscaler of such a kind", Question{Resource: autoscalers, Namespace: "shop", Name: "web", Scales: &Reference{Resource: widgets, Name: "one"}}, []string{forbiddenWidgets}},
		{"not an autoscaler of another", Question{Resource: autoscalers, Namespace: "shop", Name: "web", Scales: &Reference{Resource: deployments, Name: "web"}}, nil},
		{"not an owner, for which any kind might concern it", Question{Resource: deployments, Namespace: "shop", Name: "web"}, nil},
		{"not a pod", Question{Resource: pods, Namespace: "shop", Name: "web"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, x.Lost(tt.ask).Unknown, equateEmpty); diff != "" {
				t.Errorf("Unknown (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlySomeOfManyUnknownKindsAreNamed(t *testing.T) {
	x := New(Options{})
	for i := range 20 {
		x.SetState(kindNumber(i), State{Phase: Unserved, Namespaced: true, Err: strings.Repeat("x", 1000)})
	}
	x.SetDiscovered(Discovery{Known: true})
	got := x.Lost(inShop()).Unknown
	last := "what depends on it (10 more kinds are not known)"
	if len(got) != unknowns+1 || got[unknowns] != last {
		t.Errorf("%d are named, and then %q, want %d and %q", len(got)-1, got[len(got)-1], unknowns, last)
	}
	if longest := len(slices.MaxFunc(got, func(a, b string) int { return len(a) - len(b) })); longest > 300 {
		t.Errorf("a sentence has %d bytes", longest)
	}
}

func TestAPodIsNotCoveredByABudgetThatMayBeGone(t *testing.T) {
	x := shop()
	pod := Question{Resource: pods, Namespace: "shop", Name: "web-1-a", UID: "p1"}
	var covered []string
	for _, phase := range []Phase{Synced, Unserved, Forbidden, Pending} {
		x.SetState(budgets, State{Phase: phase, Namespaced: true})
		covered = append(covered, fmt.Sprintf("%s %t", phase, x.Lost(pod).Covered))
	}
	want := []string{"synced true", "unserved false", "forbidden false", "pending false"}
	if diff := cmp.Diff(want, covered); diff != "" {
		t.Errorf("Covered (-want +got):\n%s", diff)
	}
}

func TestTheIndexSaysWhetherHoldersMayBeMissing(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(x *Index)
		want string
	}{
		{"not if all was read", func(*Index) {}, ""},
		{"not while a kind has not been read yet, which Synced says", func(x *Index) { x.SetState(widgets, State{Namespaced: true}) }, ""},
		{"a kind in namespaces that may not be listed", func(x *Index) {
			x.SetState(widgets, State{Phase: Forbidden, Namespaced: true})
		}, "1 kinds or API groups can't be read: widgets.example.com"},
		{"a kind in namespaces that nobody answers for", func(x *Index) {
			x.SetState(widgets, State{Phase: Unserved, Namespaced: true, Err: "503"})
		}, "1 kinds or API groups can't be read: widgets.example.com"},
		{"not a kind of the cluster, which nothing holds", func(x *Index) { x.SetState(widgets, State{Phase: Forbidden}) }, ""},
		{"a kind of the cluster that has a definition", func(x *Index) {
			x.SetState(widgets, State{Phase: Forbidden})
			x.Put(Object{Resource: definitions, Kind: "CustomResourceDefinition", Name: widgets.String(), UID: "crd"})
		}, "1 kinds or API groups can't be read: widgets.example.com"},
		{"a group that nobody answers for", func(x *Index) {
			x.SetDiscovered(Discovery{Known: true, Unserved: map[string]string{"metering.example.com": "503"}})
		}, "1 kinds or API groups can't be read: the API group metering.example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := New(Options{Production: byEnvironment})
			readAll(x)
			tt.do(x)
			got := ""
			if err := x.Complete(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Complete: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatCanBeReadIsSignalledAsAChange(t *testing.T) {
	x := New(Options{Production: byEnvironment})
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"all is read", func() { readAll(x) }, true},
		{"it is still", func() { readAll(x) }, false},
		{"a kind is lost", func() { x.SetState(widgets, State{Phase: Unserved, Namespaced: true}) }, true},
		{"for another reason", func() { x.SetState(widgets, State{Phase: Forbidden, Namespaced: true}) }, false},
		{"it is back", func() { x.SetState(widgets, State{Phase: Synced, Namespaced: true}) }, true},
	} {
		step.do()
		signal := false
		select {
		case <-x.Changed():
			signal = true
		default:
		}
		if signal != step.want {
			t.Errorf("%s: signal %t, want %t", step.name, signal, step.want)
		}
	}
}
