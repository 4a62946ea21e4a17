package webhook

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// orphanFinalizer keeps what an object owns where the options of its deletion do not
// say otherwise (k8s.io/apimachinery meta/v1 FinalizerOrphanDependents).
const orphanFinalizer = "orphan"

// orphaning reports whether a deletion leaves in place what the object owns, as far as
// the request says. What the API server does where neither the options nor the object
// say anything depends on the kind; most go with their owner.
func (r *request) orphaning() bool {
	switch r.propagation {
	case "Orphan":
		return true
	case "Background", "Foreground":
		return false
	}
	if r.orphans != nil {
		return *r.orphans
	}
	return slices.Contains(r.finalizers(), orphanFinalizer)
}

func (r *request) finalizers() []string {
	s := side{&r.oldObject, &faults{}}
	return s.metadata("finalizers").texts()
}

// destructive reports whether anything could be lost by an operation.
func destructive(op *operation.Operation) bool { return op.Verb != operation.Update }

// question asks what depends on the object that a review is about, as it was before.
// It holds what the object itself says of others, for the kinds that do; what of that
// cannot be read is among the operation's Unknown.
func (m *mapper) question(r *request) index.Question {
	target := m.target(r, &r.oldObject)
	q := index.Question{
		Resource:  schema.GroupResource{Group: target.Group, Resource: target.Resource},
		Namespace: target.Namespace, Name: target.Name, UID: target.UID,
		Orphan: r.operation == "DELETE" && r.orphaning(),
	}
	r.relations(&q)
	return q
}

// telling are the kinds whose objects say themselves what relations reads.
var telling = []string{
	"/services", "policy/poddisruptionbudgets", networkPolicies,
	"autoscaling/horizontalpodautoscalers", "keda.sh/scaledobjects", "networking.k8s.io/ingresses",
	"rbac.authorization.k8s.io/rolebindings", "rbac.authorization.k8s.io/clusterrolebindings",
}

// relations adds to a question what the object says of others, and tells what of that
// could not be read.
func (r *request) relations(q *index.Question) (odd []string) {
	about := &r.oldObject
	if r.resource.full() == networkPolicies && r.object.present {
		about = &r.object // whom it isolates from now on
	}
	if !about.present || r.subResource == "scale" || r.subResource == "eviction" {
		return nil // the object itself is not in the review
	}
	was := side{about, &faults{}}
	switch r.resource.full() {
	case "/services":
		if pairs := was.spec("selector").pairs(); len(pairs) > 0 { // an empty one selects nothing
			q.Selector = labels.SelectorFromSet(pairs)
		}
	case "policy/poddisruptionbudgets":
		q.Selector = was.spec("selector").selector()
	case networkPolicies:
		q.Selector = was.spec("podSelector").selector()
	case "autoscaling/horizontalpodautoscalers":
		q.Scales = scales(was.spec("scaleTargetRef"), "", "")
	case "keda.sh/scaledobjects":
		q.Scales = scales(was.spec("scaleTargetRef"), "apps/v1", "Deployment") // as KEDA fills in
	case "networking.k8s.io/ingresses":
		q.Backends = was.backends()
	case "rbac.authorization.k8s.io/rolebindings", "rbac.authorization.k8s.io/clusterrolebindings":
		role := node{text: was.roleRef, path: "roleRef", faults: was.faults}.pick("kind", "name")
		q.RoleKind, q.RoleName = role[0].str(), role[1].str()
		q.Accounts = was.accounts(cmp.Or(r.oldObject.namespace, r.namespace))
	}
	for _, fault := range was.faults.list {
		odd = append(odd, "what depends on it ("+fault+")")
	}
	return odd
}

// scales is the object that an autoscaler names. The plural is guessed from the kind
// as Kubernetes itself does where it has to.
func scales(target node, apiVersion, kind string) *index.Reference {
	f := target.pick("apiVersion", "kind", "name")
	if version := f[0].str(); version != "" {
		apiVersion = version
	}
	if given := f[1].str(); given != "" {
		kind = given
	}
	name := f[2].str()
	if name == "" || kind == "" {
		return nil
	}
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		group = ""
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Group: group, Kind: kind})
	return &index.Reference{Resource: plural.GroupResource(), Name: name}
}

// backends are the Services that an Ingress sends traffic to, sorted.
func (s side) backends() []string {
	var names []string
	add := func(backend node) {
		if name := backend.at("service", "name").str(); name != "" {
			names = append(names, name)
		}
	}
	fields := s.spec().pick("defaultBackend", "rules")
	add(fields[0])
	fields[1].items(func(rule node) {
		rule.at("http", "paths").items(func(path node) { add(path.at("backend")) })
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// accounts are the service accounts among the subjects of a binding in a namespace, as
// index.Binding has them, sorted.
func (s side) accounts(namespace string) []string {
	var list []string
	node{text: s.subjects, path: "subjects", faults: s.faults}.items(func(subject node) {
		f := subject.pick("kind", "namespace", "name")
		of := rbacv1.Subject{Kind: f[0].str(), Namespace: f[1].str(), Name: f[2].str()}
		if account := index.AccountOf(of, namespace); account != "" {
			list = append(list, account)
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}
