// Package mapping reads audit log entries as operations. It implements
// auditlog.Mapper: pure, from bytes to an operation.
//
// What a method of a Google API does is not in the code but in a table: YAML files,
// one a service, embedded from the folder table and added to by the configuration
// (Options.Files). This is their format:
//
//	service: container.googleapis.com     # protoPayload.serviceName
//	kinds:                                # what the service has
//	  NodePool:
//	    resource: nodePools               # Target.Resource; Target.Group is the service
//	    # The full resource name below the service: what the canonical name is made of
//	    # (operation.GCPRef). {name} is Target.Name, {project} and {location} are what
//	    # they say; others (here {cluster}) only have to be found.
//	    path: projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}
//	    # How entries write it, beside path; | lists alternatives of one segment.
//	    match:
//	    - projects/{project}/zones|regions/{location}/clusters/{cluster}/nodePools/{name}
//	    # Where else the parts are, in order of preference, below the entry; match is
//	    # tried first on what "names" lists (left out: protoPayload.resourceName), then
//	    # each part that is missing is looked for here. Built in, for every kind:
//	    # project from resource.labels.project_id, location from resource.labels.location,
//	    # .zone, .region. A project's number is replaced by its id where both are known.
//	    names: [protoPayload.resourceName, protoPayload.request.name]
//	    parts:
//	      cluster: [resource.labels.cluster_name, protoPayload.request.clusterId]
//	      name: [resource.labels.nodepool_name, protoPayload.request.nodePoolId]
//	rows:                                 # the first that fits decides
//	- methods: [google.container.*.ClusterManager.DeleteNodePool]   # * is one segment,
//	  kind: NodePool                      #   between dots; ** is any number of them
//	  verb: delete
//	- methods: [google.container.*.ClusterManager.SetNodePoolSize]
//	  kind: NodePool
//	  verb: scale-to-zero
//	  when: [{path: protoPayload.request.nodeCount, is: zero}]      # all must hold
//	  change: node count → 0              # Operation.Changes; {PATH} is replaced
//	- methods: [google.container.*.ClusterManager.SetLabels]
//	  kind: Cluster
//	  verb: update
//	  labels: protoPayload.request.resourceLabels   # Reading.NewLabels
//	- methods: [google.logging.v2.ConfigServiceV2.DeleteSink]
//	  kind: Sink
//	  verb: delete
//	  own: true                           # what Mollyguard itself may see with
//	- methods: [google.container.*.ClusterManager.DeleteOperation]
//	  verb: ignore                        # looks destructive, and is not
//
// is: absent, present, zero (absent, 0, "0" or ""), nonzero, false (absent or false),
// true, empty (absent, {} or []). Instead of is: equals: TEXT, or contains: TEXT for a list,
// or has: TEXT for a field mask (comma-separated paths, or an object with paths),
// which also holds if a parent of TEXT is in the mask.
// A path goes through objects by name; [] goes through all items of a list, and holds
// if one of them does. Names are tried in camelCase as written, and in snake_case.
//
// Labels of a call that sets them are a map, or a list of objects with key and value;
// left out, they are none: give such a row conditions if its methods do other things as
// well. The last entry of a long-running operation has no request. A row whose
// conditions ask for it may fit then, and gives the verb update: what it was, the first
// entry said. Rows of k8s.io name no kind: Kubernetes does.
//
// Two things need no row. A method whose last segment is SetIamPolicy has the changes of
// bindings in Operation.Changes; it is an update if nothing is taken away, and what is
// taken from Options.Own unprotects Mollyguard itself, whatever the tables say.
//
// A method that a table knows, with no row that fits, is nothing to care about. One
// that no table knows is, if its last segment looks destructive (delete, destroy, purge,
// drop, remove, in any case): it reaches policies with the verb unknown.
package mapping

import (
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

var _ auditlog.Mapper = (*Mapper)(nil)

// Options says how entries are read. The zero value is fine.
type Options struct {
	// Files are further tables, by name. Their rows come before the embedded ones of
	// the same service, so that they can say otherwise; their kinds replace those of
	// the same name.
	Files map[string][]byte
	// Clusters are the GKE clusters that are known.
	Clusters []Cluster
	// Cluster is what the cluster of native audit events (audit.k8s.io/v1) is called in
	// canonical names: they do not tell. If it is one of Clusters, by Ref, it is known.
	Cluster string
	// Own are the identities by which Mollyguard reads (emails of service accounts):
	// taking rights from them is done to Mollyguard itself (Target.Own).
	Own []string
	// OwnNames are patterns for whole names of what Mollyguard sees with: log sinks,
	// subscriptions, topics. A row with own: true counts as own only if the name
	// matches one; no patterns mean that all do.
	OwnNames []string
	// HeartbeatLog is the id of the log that heartbeats are written to.
	HeartbeatLog string
	// KindOf says what kind of actor a name is; nil means that emails ending in
	// gserviceaccount.com are services and others people.
	KindOf func(name string) operation.ActorKind
}

// Cluster is a GKE cluster.
type Cluster struct {
	Project, Location, Name string
	// Ref is the cluster's name in canonical names of its objects
	// (operation.KubernetesRef): what that cluster's configuration calls it. Empty
	// means Name.
	Ref string
	// Guarded reports that a webhook of ours is in front of it: what production loses
	// there without a decision is unmediated. Namespace is the one that the webhook
	// runs in, WebhookName its configuration's name; empty means mollyguard.
	Guarded                bool
	Namespace, WebhookName string
}
