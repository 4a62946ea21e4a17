package config

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// completeHousekeeping adds the built-in exemptions after those of the file, unless
// they are switched off. A file that was printed has them already.
func (c *Configuration) completeHousekeeping() {
	or(&c.Kubernetes.Housekeeping, new(true))
	if !*c.Kubernetes.Housekeeping {
		return
	}
	for _, e := range builtInHousekeeping() {
		if !slices.ContainsFunc(c.Exempt, func(given Exemption) bool { return given.Name == e.Name }) {
			c.Exempt = append(c.Exempt, e)
		}
	}
}

// builtInHousekeeping is what others delete in production every day, and nobody misses:
// a guard that refuses it is switched off in a week. Each is as narrow as the tool
// that it is for lets it be.
func builtInHousekeeping() []Exemption {
	kubernetes := []operation.Surface{operation.Kubernetes}
	services := []operation.ActorKind{operation.Service}
	remove := []operation.Verb{operation.Delete}
	certManager := []string{"system:serviceaccount:cert-manager:.*"}
	list := []Exemption{
		{
			// The names and labels are Helm's own (helm.sh/helm pkg/storage). Nothing can be
			// given such a name afterwards.
			Name: "helm-history", Actors: []string{".*"}, Verbs: remove, Kinds: []string{"Secret", "ConfigMap"},
			Names: []string{`sh\.helm\.release\.v1\..+\.v[0-9]+`}, Selectors: []string{"owner=helm,status in (superseded,failed,uninstalled)"},
			Reason: "Helm drops the oldest revisions of a release at each upgrade",
		},
		{
			Name: "made-anew", Actors: []string{"system:serviceaccount:.*"}, ActorKinds: services,
			Verbs: []operation.Verb{operation.Delete, operation.Evict}, Kinds: []string{"Pod"}, Controlled: true,
			Reason: "operators and autoscalers restart and move pods; what controls them makes them anew",
		},
		{
			Name: "progressive-delivery", Actors: []string{"system:serviceaccount:.*"}, ActorKinds: services,
			Verbs: []operation.Verb{operation.ScaleToZero}, Kinds: []string{"ReplicaSet"}, Controlled: true,
			Reason: "Argo Rollouts and the like take the ReplicaSet of the version before down when the new one serves",
		},
		{
			Name: "cert-manager", Actors: certManager, ActorKinds: services, Verbs: remove,
			Groups: []string{"cert-manager.io", "acme.cert-manager.io"}, Kinds: []string{"CertificateRequest", "Order", "Challenge"},
			Reason: "each is one attempt at a certificate",
		},
		{
			Name: "cert-manager-solvers", Actors: certManager, ActorKinds: services, Verbs: remove,
			Kinds: []string{"Pod", "Service", "Ingress", "HTTPRoute"}, Selectors: []string{"acme.cert-manager.io/http01-solver=true"},
			Reason: "they answer one challenge",
		},
		{
			Name: "cert-manager-keys", Actors: certManager, ActorKinds: services, Verbs: remove,
			Kinds: []string{"Secret"}, Selectors: []string{"cert-manager.io/next-private-key=true"},
			Reason: "the key of an attempt, before it is the certificate's",
		},
	}
	for i := range list {
		list[i].Surfaces = kubernetes
	}
	return list
}
