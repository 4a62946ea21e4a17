package config_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// builtInExemptions is what docs/configuration.md says of kubernetes.housekeeping.
func builtInExemptions() []config.Exemption {
	kubernetes := []operation.Surface{operation.Kubernetes}
	services := []operation.ActorKind{operation.Service}
	remove := []operation.Verb{operation.Delete}
	accounts, certManager := []string{"system:serviceaccount:.*"}, []string{"system:serviceaccount:cert-manager:.*"}
	return []config.Exemption{
		{
			Name: "helm-history", Actors: []string{".*"}, Surfaces: kubernetes, Verbs: remove, Kinds: []string{"Secret", "ConfigMap"},
			Names: []string{`sh\.helm\.release\.v1\..+\.v[0-9]+`}, Selectors: []string{"owner=helm,status in (superseded,failed,uninstalled)"},
			Reason: "Helm drops the oldest revisions of a release at each upgrade",
		},
		{
			Name: "made-anew", Actors: accounts, ActorKinds: services, Surfaces: kubernetes,
			Verbs: []operation.Verb{operation.Delete, operation.Evict}, Kinds: []string{"Pod"}, Controlled: true,
			Reason: "operators and autoscalers restart and move pods; what controls them makes them anew",
		},
		{
			Name: "progressive-delivery", Actors: accounts, ActorKinds: services, Surfaces: kubernetes,
			Verbs: []operation.Verb{operation.ScaleToZero}, Kinds: []string{"ReplicaSet"}, Controlled: true,
			Reason: "Argo Rollouts and the like take the ReplicaSet of the version before down when the new one serves",
		},
		{
			Name: "cert-manager", Actors: certManager, ActorKinds: services, Surfaces: kubernetes, Verbs: remove,
			Groups: []string{"cert-manager.io", "acme.cert-manager.io"}, Kinds: []string{"CertificateRequest", "Order", "Challenge"},
			Reason: "each is one attempt at a certificate",
		},
		{
			Name: "cert-manager-solvers", Actors: certManager, ActorKinds: services, Surfaces: kubernetes, Verbs: remove,
			Kinds: []string{"Pod", "Service", "Ingress", "HTTPRoute"}, Selectors: []string{"acme.cert-manager.io/http01-solver=true"},
			Reason: "they answer one challenge",
		},
		{
			Name: "cert-manager-keys", Actors: certManager, ActorKinds: services, Surfaces: kubernetes, Verbs: remove,
			Kinds: []string{"Secret"}, Selectors: []string{"cert-manager.io/next-private-key=true"},
			Reason: "the key of an attempt, before it is the certificate's",
		},
	}
}

func parse(t *testing.T, text string) config.Configuration {
	t.Helper()
	c, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c
}

func names(list []config.Exemption) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

func TestHousekeepingIsLetThroughAsTheFileSays(t *testing.T) {
	builtIn := names(builtInExemptions())
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"if it says nothing", "", builtIn},
		{"if it says so", "kubernetes: {housekeeping: true}\n", builtIn},
		{"not at all", "kubernetes: {housekeeping: false}\n", nil},
		{"after what it exempts itself", "exempt: [{name: ci, actors: [ci]}]\n", append([]string{"ci"}, builtIn...)},
		{"not at all, beside what it exempts itself", "exempt: [{name: ci, actors: [ci]}]\nkubernetes: {housekeeping: false}\n", []string{"ci"}},
		{
			"one of them in its own way", "exempt: [{name: made-anew, actors: [ci], verbs: [evict]}]\n",
			append([]string{"made-anew"}, slices.DeleteFunc(slices.Clone(builtIn), func(name string) bool { return name == "made-anew" })...),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, names(parse(t, header+tt.text).Exempt)); diff != "" {
				t.Errorf("exemptions (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAPrintedConfigurationIsTheSameOneWhenItIsRead is about what is built in: it must
// not be there twice, and not come back where it was switched off.
func TestAPrintedConfigurationIsTheSameOneWhenItIsRead(t *testing.T) {
	for _, text := range []string{
		"", "kubernetes: {housekeeping: false}\n",
		`exempt:
- name: ci
  actors: [ci]
  actorKinds: [service, agent]
  surfaces: [kubernetes]
  verbs: [delete, empty]
  groups: ["", apps]
  kinds: [ConfigMap]
  names: ["settings-[0-9a-f]+"]
  selectors: ["app=shop,!keep"]
  controlled: true
  reason: pruned
`,
	} {
		first := parse(t, header+text)
		printed, err := yaml.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, parse(t, string(printed)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("printed and read again (-first +again):\n%s", diff)
		}
	}
}

// TestTheBuiltInExemptionsAreNarrow is about whom somebody could become: an exemption
// for whatever an actor does would make a token of every service account one that
// guard-impersonated speaks of.
func TestTheBuiltInExemptionsAreNarrow(t *testing.T) {
	for _, e := range builtInExemptions() {
		if !e.Narrow() {
			t.Errorf("%s lets its actors do whatever they want", e.Name)
		}
	}
	for _, e := range []config.Exemption{
		{Actors: []string{"a"}},
		{Actors: []string{"a"}, ActorKinds: []operation.ActorKind{operation.Service}, Surfaces: []operation.Surface{operation.Kubernetes}},
	} {
		if e.Narrow() {
			t.Errorf("%+v is called narrow", e)
		}
	}
}
