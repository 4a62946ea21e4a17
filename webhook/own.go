package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// Ownership says what in the cluster is Mollyguard's own. Of the zero value are only
// its definitions, its API services and the roles named after it.
type Ownership struct {
	// Namespace is where the server runs, or empty if it runs outside the cluster.
	Namespace string
	// Account is the user name of the server's service account, or empty. What it
	// does is its work.
	Account string
}

const (
	rbacGroup    = "rbac.authorization.k8s.io"
	leaseGroup   = "coordination.k8s.io"
	ownSuffix    = "." + v1alpha1.Group
	registration = "apiregistration.k8s.io"
	// helmRecord begins the names of the Secrets that Helm keeps its records in
	// (helm.sh/helm/v3 pkg/storage): they are Helm's.
	helmRecord = "sh.helm.release.v1."
)

// ownRoles are the cluster roles and their bindings that the manifests bring, and
// those that people make beside them, as deploy/README.md says.
const ownRoles = `mollyguard(-.*)?`

// ownGroups are the API groups of what Mollyguard is made of. Reports, and whatever
// else operators put into every namespace, are theirs.
func ownGroups() []string {
	return []string{"", "apps", "autoscaling", "batch", "cert-manager.io", leaseGroup, "networking.k8s.io", "policy", rbacGroup}
}

// ownMade are the resources of which making one in our namespace can take something
// from Mollyguard: what runs there can have its account, and the others can keep its
// pods from running or from being reached, or say what its replicas believe: who leads,
// and what the floor knows.
func ownMade() []string {
	return []string{
		"pods", "replicationcontrollers", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs",
		"secrets", "resourcequotas", "limitranges", "horizontalpodautoscalers", "networkpolicies", "roles", "rolebindings",
		"apiservices", "floors", "leases",
	}
}

// ownNotOurs are the ConfigMaps that Kubernetes, OpenShift and Istio put into every
// namespace and change there as authorities do.
func ownNotOurs() []string {
	return []string{"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"}
}

// ownHook is the hook for what is Mollyguard's own. It does not fail closed: when none
// of its pods answers, somebody has to be able to repair it.
func (g generator) ownHook(kind admissionregistrationv1.OperationType) admissionregistrationv1.ValidatingWebhook {
	scope := admissionregistrationv1.AllScopes
	if g.Own.Namespace == "" {
		scope = admissionregistrationv1.ClusterScope
	}
	hook := g.hook("own."+strings.ToLower(string(kind)), kind, "*", scope, g.FailOther)
	switch kind {
	case admissionregistrationv1.Create:
		hook.Rules[0].Resources = ownMade()
	case admissionregistrationv1.Update:
		if g.Own.Namespace != "" { // kubectl debug writes the first of these
			hook.Rules[0].Resources = append(hook.Rules[0].Resources, "pods/ephemeralcontainers", "namespaces/finalize")
		}
	}
	if g.Own.Namespace != "" { // objects in no namespace are sent whatever it says
		hook.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: g.Own.Namespace}}
	}
	hook.MatchConditions = []admissionregistrationv1.MatchCondition{g.notControlPlane(), g.notChurnButLeases(), condition("own", g.own())}
	return hook
}

// notOwn keeps what is Mollyguard's own away from all other hooks.
func (g generator) notOwn() admissionregistrationv1.MatchCondition {
	return condition("not-own", "!("+g.own()+")")
}

// What is empty in a request is not there at all in CEL, and asking for it fails.
const (
	requestName        = `(has(request.name) ? request.name : "")`
	requestNamespace   = `(has(request.namespace) ? request.namespace : "")`
	requestSubResource = `(has(request.subResource) ? request.subResource : "")`
)

// own is true for what is Mollyguard's own. Ownership.has mirrors it and has the last
// word.
func (g generator) own() string {
	const name = `(oldObject == null ? ` + requestName + ` : oldObject.?metadata.?name.orValue(""))`
	terms := []string{
		`(` + requestNamespace + ` == "" && request.resource.group in ["` + definitionsGroup + `", "` + registration + `"] && ` + name + `.endsWith("` + ownSuffix + `"))`,
		`(` + requestNamespace + ` == "" && request.resource.group == "` + rbacGroup + `" && ` + matches(name, []string{ownRoles}) + `)`,
		`(` + requestNamespace + ` == "" && request.resource.group == "` + v1alpha1.Group + `" && request.resource.resource == "floors")`,
	}
	if g.Own.Namespace != "" {
		here := strconv.Quote(g.Own.Namespace)
		terms = append(terms, `((`+requestNamespace+` == `+here+` || request.resource.resource == "namespaces" && `+name+` == `+here+`)`+
			` && request.resource.group in `+celTexts(ownGroups())+
			` && !(request.operation == "DELETE" && request.resource.resource == "pods")`+
			` && !(request.resource.resource == "configmaps" && `+name+` in `+celTexts(ownNotOurs())+`)`+
			` && !(request.resource.resource == "secrets" && `+name+`.startsWith("`+helmRecord+`")))`)
	}
	others := `request.userInfo.username != ` + strconv.Quote(g.Own.Account)
	return others + ` && (request.operation != "CREATE" || request.resource.resource in ` + celTexts(ownMade()) + `) && (` + strings.Join(terms, " || ") + `)`
}

var ownRole = regexp.MustCompile(`^(?:` + ownRoles + `)$`)

// has reports whether the object of a request is Mollyguard's own, and not in the
// hands of its own account.
func (o Ownership) has(r *request) bool {
	name := r.name
	if r.oldObject.present {
		name = r.oldObject.name
	}
	what := r.resource
	switch {
	case o.Account != "" && r.user.name == o.Account:
		return false
	case r.operation == "CREATE" && (r.subResource != "" || !slices.Contains(ownMade(), what.resource)):
		return false
	case r.namespace == "" && (what.group == definitionsGroup || what.group == registration):
		return strings.HasSuffix(name, ownSuffix)
	case r.namespace == "" && what.group == rbacGroup:
		return ownRole.MatchString(name)
	case r.namespace == "" && what.group == v1alpha1.Group:
		return what.resource == "floors"
	case o.Namespace == "" || r.namespace != o.Namespace && !(isNamespace(r) && name == o.Namespace):
		return false
	}
	return slices.Contains(ownGroups(), what.group) && !isChurn(what) &&
		!(r.operation == "DELETE" && what.resource == "pods") &&
		!(what.resource == "configmaps" && slices.Contains(ownNotOurs(), name)) &&
		!(what.resource == "secrets" && strings.HasPrefix(name, helmRecord))
}

// isChurn is what notChurnButLeases keeps away in every namespace.
func isChurn(r groupResource) bool {
	return r.group == "" && (r.resource == "events" || r.resource == "endpoints")
}

// ofOwn completes an operation on what is Mollyguard's own, and reports whether it is
// one: whatever is taken from it, or changed in it. A request that changes nothing,
// such as a manifest that is applied again, is none.
func (m *mapper) ofOwn(r *request, op *operation.Operation) bool {
	if !m.own.has(r) {
		return false
	}
	var changes []string
	switch {
	case r.operation == "CREATE":
		if changes = m.made(r); len(changes) == 0 {
			return false
		}
	case r.operation == "UPDATE" && r.subResource == "ephemeralcontainers":
		op.Verb, op.Also, op.Changes = operation.Update, nil, nil
		changes = []string{"a container added to a running pod of mollyguard"}
	case r.operation == "UPDATE" && r.subResource == "":
		changes = altered(r)
	case r.operation == "UPDATE" && (r.subResource == "scale" || r.subResource == "finalize"):
	case r.operation == "DELETE" && r.subResource == "":
	default:
		return false
	}
	if len(changes) > 0 {
		op.Changes = append(op.Changes, changes...)
		switch {
		case op.Verb == operation.Update:
			op.Verb = operation.Unprotect
		case !slices.Contains(op.Verbs(), operation.Unprotect):
			op.Also = append(op.Also, operation.Unprotect)
		}
	}
	if op.Verb == operation.Update {
		return false
	}
	op.Target.Own, op.Target.Within = true, m.within(r)
	return true
}

// altered says what an update changes of what is ours. Annotations of Leases say what
// replicas counted.
func altered(r *request) []string {
	if r.resource.group == leaseGroup {
		return differences(r.oldObject.raw, r.object.raw, "annotations")
	}
	return differences(r.oldObject.raw, r.object.raw)
}

// made says what a new object in our namespace takes from Mollyguard, if anything.
func (m *mapper) made(r *request) []string {
	switch {
	case r.namespace == "":
		return []string{fmt.Sprintf("a new %s in the name of mollyguard", operation.Printable(r.kind))}
	case r.resource.resource != "secrets":
		return []string{fmt.Sprintf("a new %s where mollyguard runs", operation.Printable(r.kind))}
	}
	if account := secretOf(r.object.raw); account != "" {
		return []string{"a token for good, of the account " + operation.Printable(account)}
	}
	return nil
}

// guarded is operation, and what it means for Mollyguard itself.
func (m *mapper) guarded(r *request) (op operation.Operation, need needs, ours bool) {
	op, need, ours = m.operation(r)
	own := m.ofOwn(r, &op)
	if !own {
		need.role = m.roleBound(r)
		own = m.ofIdentity(r, &op)
	}
	return op, need, ours || own
}

// intended says of an operation that somebody asks leave for what guarded would say of
// it. What a role, binding or certificate would allow is not known yet: that it may be the
// use of somebody else's identity is assumed, since more have to approve that.
func (m *mapper) intended(op *operation.Operation) {
	t := &op.Target
	r := &request{
		resource: groupResource{group: t.Group, resource: t.Resource}, namespace: t.Namespace, name: t.Name, operation: "UPDATE",
		user: user{name: op.Actor.Name},
	}
	if op.Verb == operation.Delete {
		r.operation = "DELETE"
	}
	gives := t.Group == rbacGroup && slices.Contains([]string{"roles", "clusterroles", roleBindings, clusterRoleBindings}, t.Resource) ||
		t.Group == certificatesGroup && t.Resource == certificateRequests
	switch {
	case m.own.has(r):
		t.Own = true
		t.Within = m.within(r)
	case op.Verb != operation.Unprotect:
	case t.Group == "" && t.Resource == "serviceaccounts":
		t.Passes = m.passes(accountUser(t.Namespace, t.Name))
	case gives && len(m.exempt) > 0:
		t.Passes = m.exempt[0].Name
	}
}

// within is the name of our namespace, for all that is ours but itself.
func (m *mapper) within(r *request) string {
	if m.own.Namespace == "" || isNamespace(r) {
		return ""
	}
	return operation.KubernetesRef(m.cluster, "", "namespaces", "", m.own.Namespace)
}
