package mapping

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// call is a request to a Kubernetes API server, as GKE logs it: methodName is the
// group in reverse, version, resource, perhaps sub-resource, and verb
// (io.k8s.core.v1.pods.eviction.create), resourceName is GROUP/VERSION, perhaps
// namespaces/NAMESPACE, RESOURCE, perhaps NAME and sub-resource
// (https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging).
type call struct {
	group, resource, sub, verb string
	namespace, name            string
	// placed is false if resourceName says nothing of it.
	placed bool
	user   string
}

var versionForm = regexp.MustCompile(`^v\d+(?:(?:alpha|beta)\d+)?$`)

func parseCall(e *entry) call {
	c := call{user: e.caller.name()}
	segments := strings.Split(e.method, ".")
	c.verb = segments[len(segments)-1]
	at := 0
	for i, s := range segments {
		if versionForm.MatchString(s) && i+2 < len(segments) {
			at = i
		}
	}
	if at > 0 {
		c.resource, c.sub = segments[at+1], strings.Join(segments[at+2:len(segments)-1], "/")
	}
	c.place(strings.Split(strings.Trim(e.resourceName, "/"), "/"))
	if c.name == "" && c.verb == "create" {
		c.name = plain(createdName.first(e.tree))
	}
	return c
}

// createdName is where the name of what is made is, which is not in the URL.
var createdName = mustPath("protoPayload.request.metadata.name")

// place reads a resource name.
func (c *call) place(segments []string) {
	if len(segments) < 3 || !versionForm.MatchString(segments[1]) {
		return
	}
	if c.group = segments[0]; c.group == "core" {
		c.group = ""
	}
	rest := segments[2:]
	if rest[0] == "namespaces" && len(rest) >= 3 && c.resource != "namespaces" {
		c.namespace, rest = rest[1], rest[2:]
	}
	if c.resource == "" {
		c.resource = rest[0]
	}
	if c.placed = rest[0] == c.resource; !c.placed {
		return
	}
	if len(rest) > 1 {
		c.name = rest[1]
	}
	if len(rest) > 2 && c.sub == "" {
		c.sub = strings.Join(rest[2:], "/")
	}
}

func (c call) deletes() bool { return c.verb == "delete" || c.verb == "deletecollection" }

// kubernetes reads a request to a Kubernetes API server, and reports whether it is to
// be judged.
func (m *Mapper) kubernetes(e *entry, reading *auditlog.Reading) bool {
	c := parseCall(e)
	if e.dryRun(c) {
		return false
	}
	cluster := m.cluster(e)
	op := &reading.Operation
	op.Surface, reading.Care = operation.Kubernetes, auditlog.Judge
	known, r, _ := m.row(e)
	switch {
	case r != nil && r.ignore || c.churn() || e.deletedNothing(c):
		return false
	case r != nil:
		op.Verb = r.verb
		if len(r.change.texts) > 0 {
			op.Changes = []string{r.change.write(e.tree)}
		}
	case !known && looksDestructive(e.method):
		op.Verb = operation.Unknown
		op.Changes = []string{"call of " + short(e.method) + ", which no table of methods knows"}
	default:
		op.Verb = operation.Update
	}
	op.Target, op.Unknown = objectOf(e, c, cluster)
	reading.Parent = cluster.parent()
	if !cluster.Guarded {
		return op.Verb != operation.Update
	}
	return m.guarded(e, c, cluster, reading)
}

// churn reports what the webhook is not called for either, apart from what the table
// ignores: pods of kube-system come and go.
func (c call) churn() bool {
	return c.group == "" && c.resource == "pods" && c.namespace == "kube-system"
}

// cluster is the cluster that an entry is of.
func (m *Mapper) cluster(e *entry) Cluster {
	if e.native {
		i := slices.IndexFunc(m.options.Clusters, func(c Cluster) bool { return c.ref() == m.options.Cluster })
		if i < 0 {
			return Cluster{Name: m.options.Cluster}
		}
		return m.options.Clusters[i].completed()
	}
	parts := map[string]string{}
	e.place(parts)
	is := Cluster{Project: parts["project"], Location: parts["location"], Name: e.resourceLabels["cluster_name"]}
	i := slices.IndexFunc(m.options.Clusters, func(c Cluster) bool {
		return c.Project == is.Project && c.Location == is.Location && c.Name == is.Name
	})
	if i < 0 {
		return is
	}
	return m.options.Clusters[i].completed()
}

// ours is what our objects are called where the configuration does not say otherwise
// (deploy/base).
const ours = "mollyguard"

func (c Cluster) completed() Cluster {
	if c.Namespace == "" {
		c.Namespace = ours
	}
	if c.WebhookName == "" {
		c.WebhookName = ours
	}
	return c
}

func (c Cluster) ref() string {
	if c.Ref != "" {
		return c.Ref
	}
	return c.Name
}

// parent is the cluster's own canonical name, empty of one that is not GKE's.
func (c Cluster) parent() string {
	if c.Project == "" || c.Location == "" || c.Name == "" {
		return ""
	}
	return operation.GCPRef("container.googleapis.com", "projects/"+c.Project+"/locations/"+c.Location+"/clusters/"+c.Name)
}

// objectOf names the object that a call is about.
func objectOf(e *entry, c call, cluster Cluster) (t operation.Target, unknown []string) {
	t = operation.Target{
		Reference: operation.Reference{Kind: short(kubernetesKind(c)), Namespace: short(c.namespace), Name: short(c.name), UID: short(e.uid)},
		Group:     short(c.group), Resource: short(c.resource),
		Cluster: short(cluster.ref()), Project: short(cluster.Project), Location: short(cluster.Location),
	}
	switch {
	case c.placed && c.name == "" && c.verb == "deletecollection":
		unknown = append(unknown, "which of them: a collection was deleted")
	case !c.placed || c.name == "":
		unknown = append(unknown, "which "+t.Kind+" it was")
	default:
		t.Ref = operation.KubernetesRef(t.Cluster, t.Group, t.Resource, t.Namespace, t.Name)
	}
	return t, unknown
}

// deletedNothing reports whether a collection was deleted that was empty: the answer
// lists what there was, where it is logged. Automation does that all day, and of what is
// not there no webhook is asked.
func (e *entry) deletedNothing(c call) bool {
	items, listed := answeredItems.first(e.tree).([]any)
	return c.verb == "deletecollection" && listed && len(items) == 0
}

var answeredItems = mustPath("protoPayload.response.items")

// dryRun reports whether nothing was persisted, as far as the entry tells: options of a
// deletion are in its body, others only in the URL, which GKE does not log. In the body
// of any other request a field of that name means nothing, and anybody can write it.
func (e *entry) dryRun(c call) bool {
	switch {
	case c.deletes():
		return e.wasDryRun || contains(deleteDryRun.first(e.tree), "All")
	case c.sub == "eviction":
		return e.wasDryRun || contains(evictDryRun.first(e.tree), "All")
	}
	return e.wasDryRun
}

var (
	deleteDryRun = mustPath("protoPayload.request.dryRun")
	evictDryRun  = mustPath("protoPayload.request.deleteOptions.dryRun")
)
