package kube_test

import (
	"testing"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
)

func TestOnlyWhatIsAskedOfThisSurfaceAndClusterIsKept(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*breakglass.Scope)
		want   string
	}{
		{"another surface", func(s *breakglass.Scope) { s.Surface = operation.GCP }, "scope.surface: the cluster keeps requests and grants for kubernetes, not for gcp"},
		{"a target elsewhere", func(s *breakglass.Scope) { s.Audience = "test" }, "scope.targets[0]: k8s://prod-eu/core/namespaces/shop is not in test"},
		{"a target of two names", func(s *breakglass.Scope) { s.Targets[0].Name = "other" }, `scope.targets[0]: k8s://prod-eu/core/namespaces/shop is not namespace "", name "other"`},
		{
			"a namespace hidden in the name", func(s *breakglass.Scope) {
				s.Targets[0] = operation.Reference{Ref: "k8s://prod-eu/apps/deployments/shop/web", Name: "shop/web"}
			},
			`scope.targets[0]: k8s://prod-eu/apps/deployments/shop/web is not namespace "", name "shop/web"`,
		},
		{"no reference", func(s *breakglass.Scope) { s.Targets[0].Ref = "shop\n" }, `scope.targets[0]: shop\n is not an object of Kubernetes`},
		{"no objects", func(s *breakglass.Scope) { s.Objects = 0 }, "scope.objects: 0 is not between 1 and 256"},
		{"more objects than fit into the field", func(s *breakglass.Scope) { s.Objects = 1<<32 + 1 }, "scope.objects: 4294967297 is not between 1 and 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request("bg-k7m4-q9tx")
			tt.change(&r.Scope)
			_, err := kube.RequestToObject(r)
			if err == nil || err.Error() != tt.want {
				t.Errorf("request: got %v, want %s", err, tt.want)
			}
			_, err = kube.GrantToObject(breakglass.Grant{ID: r.ID, Scope: r.Scope})
			if err == nil || err.Error() != tt.want {
				t.Errorf("grant: got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzAReferenceThatIsKeptComesBack(f *testing.F) {
	for _, ref := range []operation.Reference{
		{Ref: "k8s://prod-eu/core/namespaces/shop", Name: "shop"},
		{Ref: "k8s://prod-eu/apps/deployments/shop/web", Namespace: "shop", Name: "web"},
		{Ref: "k8s://prod-eu/apps/deployments/shop/web", Name: "shop/web"},
		{Ref: "k8s://prod-eu/core/pods/a//b", Namespace: "a", Name: "/b"},
		{Ref: "k8s://prod-eu///", Name: ""},
		{Ref: "k8s://prod-eu/core/core/core", Name: "core"},
		{Ref: "gcp://prod-eu/x"},
	} {
		f.Add(ref.Ref, ref.Kind, ref.Namespace, ref.Name, ref.UID)
	}
	f.Fuzz(func(t *testing.T, ref, kind, namespace, name, uid string) {
		want := request("bg-k7m4-q9tx")
		want.Scope.Targets = []operation.Reference{{Ref: ref, Kind: kind, Namespace: namespace, Name: name, UID: uid}}
		o, err := kube.RequestToObject(want)
		if err != nil {
			return
		}
		got := kube.RequestFromObject(o, "other")
		if got.Scope.Targets[0] != want.Scope.Targets[0] {
			t.Errorf("got %+v, want %+v", got.Scope.Targets[0], want.Scope.Targets[0])
		}
	})
}
