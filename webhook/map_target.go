package webhook

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// target names the object. Name, namespace and labels come from the object as it
// was, not from the request: in a collection delete the request has no name.
func (m *mapper) target(r *request, o *object) operation.Target {
	name, namespace := o.name, o.namespace
	if name == "" {
		name = r.name
	}
	if namespace == "" {
		namespace = r.namespace
	}
	kind, resource := r.kind, r.resource.resource
	switch {
	case isBinding(r):
		kind, resource, name = "Pod", "pods", cmp.Or(name, r.object.name)
	case isNamespace(r):
		namespace = "" // the request repeats the name there
	case r.subResource == "eviction":
		kind = "Pod"
	case r.subResource == "scale":
		kind = scaledKind(r.resource)
	}
	return operation.Target{
		Reference: operation.Reference{
			Ref:       operation.KubernetesRef(m.cluster, r.resource.group, resource, namespace, name),
			Kind:      kind,
			Namespace: namespace,
			Name:      name,
			UID:       o.uid,
		},
		Group:       r.resource.group,
		Resource:    resource,
		Labels:      o.labels,
		Annotations: o.annotations,
		Cluster:     m.cluster,
	}
}

// scaledKind is the kind behind a built-in scale sub-resource. The look-up of the
// object tells the others.
func scaledKind(r groupResource) string {
	switch r.group + "/" + r.resource {
	case "apps/deployments":
		return "Deployment"
	case "apps/statefulsets":
		return "StatefulSet"
	case "apps/replicasets":
		return "ReplicaSet"
	case "/replicationcontrollers":
		return "ReplicationController"
	}
	return r.resource
}

func (m *mapper) actor(r *request) operation.Actor {
	return operation.Actor{
		Identity:   operation.Identity{Name: r.user.name, Kind: m.actorKind(r.user.name), Via: r.fieldManager},
		UID:        r.user.uid,
		Groups:     r.user.groups,
		Credential: r.user.credential,
	}
}

func (m *mapper) actorKind(name string) operation.ActorKind {
	matches := func(r *regexp.Regexp) bool { return r.MatchString(name) }
	switch {
	case slices.ContainsFunc(m.controlPlane, matches):
		return operation.Controller
	case slices.ContainsFunc(m.agents, matches):
		return operation.Agent
	case strings.HasPrefix(name, "system:"):
		return operation.Service // service accounts and other non-people
	}
	return operation.Human
}
