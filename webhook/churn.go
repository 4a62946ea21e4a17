package webhook

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// unasked is something of whose deletion the API server tells nobody (see notChurn).
type unasked struct {
	// groups are those of the resource, and kind is its kind; empty are all of the groups.
	groups         []string
	resource, kind string
	// only is the one namespace in which it is left out; empty is everywhere.
	only string
}

// leases and nodes are left out by most hooks only.
var (
	leases = unasked{groups: []string{leaseGroup}, resource: "leases", kind: "Lease"}
	nodes  = unasked{groups: []string{""}, resource: "nodes", kind: "Node"}
)

// churn is what is always left out: what clusters make and delete all day and nobody
// mourns. Reviews and certificate requests are there so that authentication and new nodes
// never wait for us.
var churn = []unasked{
	{groups: []string{"", "events.k8s.io"}, resource: "events", kind: "Event"},
	{groups: []string{""}, resource: "endpoints", kind: "Endpoints"},
	{groups: []string{"discovery.k8s.io"}, resource: "endpointslices", kind: "EndpointSlice"},
	{groups: []string{"authentication.k8s.io", "authorization.k8s.io"}},
	{groups: []string{"certificates.k8s.io"}, resource: "certificatesigningrequests", kind: "CertificateSigningRequest"},
	{groups: []string{""}, resource: "pods", kind: "Pod", only: "kube-system"},
}

// filter is CEL for a request about it.
func (u unasked) filter() string {
	quoted := make([]string, len(u.groups))
	for i, group := range u.groups {
		quoted[i] = strconv.Quote(group)
	}
	term := "request.resource.group in [" + strings.Join(quoted, ", ") + "]"
	if len(quoted) == 1 {
		term = "request.resource.group == " + quoted[0]
	}
	if u.resource == "" {
		return term
	}
	term += " && request.resource.resource == " + strconv.Quote(u.resource)
	if u.only != "" {
		term += " && request.namespace == " + strconv.Quote(u.only)
	}
	return "(" + term + ")"
}

// owns reports whether an owner reference to a kind may name such a one. Groups other
// than core count whole: a definition can add any kind to them, whose resource has the
// same name in another version.
func (u unasked) owns(kind schema.GroupKind) bool {
	return slices.Contains(u.groups, kind.Group) && (kind.Group != "" || kind.Kind == u.kind)
}

// passing are kinds that go by themselves, or may be deleted, once they have served: Jobs
// and pods that have ended, what controllers drop with the history that they keep
// (revisionHistoryLimit of workloads, and of cert-manager's Certificates).
var passing = map[schema.GroupKind]string{
	{Kind: "Pod"}:                                      mayEnd,
	{Group: "batch", Kind: "Job"}:                      mayEnd,
	{Group: "apps", Kind: "ReplicaSet"}:                dropped,
	{Group: "apps", Kind: "ControllerRevision"}:        dropped,
	{Group: "cert-manager.io", Kind: certRequest}:      dropped,
	{Group: "acme.cert-manager.io", Kind: "Order"}:     dropped,
	{Group: "acme.cert-manager.io", Kind: "Challenge"}: dropped,
}

const (
	certRequest = "CertificateRequest"
	mayEnd      = "which may be deleted once it has ended"
	dropped     = "which its controller deletes when it is old"
	nobodyAsked = "whose deletion nobody is asked about"
)

// goesUnasked says why an owner may go without anybody being asked about what it owns;
// empty is that somebody is. An apiVersion that is none has no group, and no owner
// either.
func (ref ObjectRef) goesUnasked() string {
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return ""
	}
	kind := schema.GroupKind{Group: version.Group, Kind: ref.Kind}
	if why := passing[kind]; why != "" {
		return why
	}
	if slices.ContainsFunc(append([]unasked{leases, nodes}, churn...), func(u unasked) bool { return u.owns(kind) }) {
		return nobodyAsked
	}
	return ""
}
