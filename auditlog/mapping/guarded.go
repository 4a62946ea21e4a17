package mapping

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// controlPlane are the names by which a cluster's own machinery acts. The
// configuration knows more (kubernetes.controlPlane): Options.KindOf tells them.
var controlPlane = regexp.MustCompile(`^(?:system:serviceaccount:kube-system:.*|system:node:.*|system:kube-controller-manager|system:kube-scheduler|system:apiserver)$`)

// hookForm are the names of our webhooks (package webhook), hookSuffix their end.
var hookForm = regexp.MustCompile(`^[a-z0-9-]+(?:\.(?:create|delete|update))?\.mollyguard\.dev$`)

const (
	hookSuffix     = ".mollyguard.dev"
	decisionSuffix = hookSuffix + "/decision"
)

// guarded reads a request in a cluster that our webhook is in front of, and reports
// whether it is to be judged.
func (m *Mapper) guarded(e *entry, c call, cluster Cluster, reading *auditlog.Reading) bool {
	op := &reading.Operation
	// Whoever acts as the machinery, or as us, is neither.
	alone := len(e.caller.origin().Delegation) == 0
	machinery := alone && (m.kindOf(c.user) == operation.Controller || controlPlane.MatchString(c.user))
	ourselves := alone && c.user == "system:serviceaccount:"+cluster.Namespace+":"+ours
	decided, verb := e.decided()
	switch {
	case e.failedOpen():
		op.Mediation = operation.FailedOpen
		if op.Verb == operation.Update && c.verb != "create" {
			// An update is only sent if it weakens something; what, nobody looked.
			op.Verb, op.Changes = operation.Unknown, append(op.Changes, "an update that takes something from the object, as the API server's filter saw it")
		}
	case decided:
		op.Mediation, reading.Care = operation.Mediated, auditlog.Mediated
		if op.Verb == operation.Update && verb != "" {
			op.Verb = verb
		}
	case op.Verb == operation.ScaleToZero && c.sub == "":
		// Whole objects are written again and again with the number they have. Had this
		// one been higher, the webhook would have been asked.
		op.Verb, op.Changes = operation.Update, nil
	}
	if (cluster.owns(c) || e.borrowsOurNames(c)) && !machinery && !ourselves {
		op.Target.Own = true
		if c.group != "" || c.resource != "namespaces" {
			op.Target.Within = operation.KubernetesRef(op.Target.Cluster, "", "namespaces", "", cluster.Namespace)
		}
		if op.Verb == operation.Update {
			op.Verb, op.Changes = operation.Unprotect, append(op.Changes, c.verb+" of what mollyguard is made of")
		}
	}
	if ourselves && c.group == ourGroup { // what is old is removed by ourselves
		return false
	}
	if op.Mediation == "" && op.Verb != operation.Update && e.phase() == operation.Finished && !machinery && cluster.asks(c) {
		op.Mediation = operation.Unmediated
	}
	return op.Verb != operation.Update || reading.Care == auditlog.Mediated
}

// decided reports whether our webhook left the id of a decision, and which verb it saw.
// The API server writes what a webhook says as HOOK/KEY.
func (e *entry) decided() (is bool, verb operation.Verb) {
	for key, id := range e.labels {
		hook, found := strings.CutSuffix(key, "/decision")
		if !found || id == "" || !hookForm.MatchString(hook) {
			continue
		}
		is = true
		if v := e.labels[hook+"/verb"]; slices.Contains(operation.Verb("").Values(), v) {
			verb = operation.Verb(v)
		}
	}
	return is, verb
}

// failedOpen reports whether the API server went on without an answer of ours.
func (e *entry) failedOpen() bool {
	for key, hook := range e.labels {
		if saysFailedOpen(key) && hookForm.MatchString(hook) {
			return true
		}
	}
	return false
}

// asks reports whether the API server would have asked the webhook about a request that
// destroys, by people and automation (webhook.Configuration). Nodes depend on the
// configuration; what configures admission is never sent to a webhook.
func (c Cluster) asks(r call) bool {
	switch {
	case r.sub == "eviction":
		return r.namespace != "kube-system" && r.namespace != c.Namespace
	case r.sub != "" && r.sub != "scale":
		return false
	case r.group == "" && r.resource == "nodes", r.verb == "create":
		return false
	}
	return !configuresAdmission(r)
}

// borrowsOurNames reports whether somebody gives hooks of another configuration the
// names of ours: what such a hook says would stand in the audit log as what we said.
func (e *entry) borrowsOurNames(r call) bool {
	if r.group != "admissionregistration.k8s.io" || r.verb != "create" && r.verb != "update" && r.verb != "patch" {
		return false
	}
	// A policy's annotations stand in the log under its name
	// (https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#audit-annotations).
	if strings.HasPrefix(r.resource, "validatingadmissionpolic") {
		return hookForm.MatchString(r.name) || hookForm.MatchString(plain(policyName.first(e.tree)))
	}
	for _, part := range []string{"request", "response"} {
		payload, _ := e.tree["protoPayload"].(object)
		body, _ := payload[part].(object)
		hooks, _ := body["webhooks"].([]any)
		for _, item := range hooks {
			if hook, _ := item.(object); hook != nil && hookForm.MatchString(plain(hook["name"])) {
				return true
			}
		}
	}
	return false
}

// policyName is which policy a binding is for.
var policyName = mustPath("protoPayload.request.spec.policyName")

func configuresAdmission(r call) bool {
	return r.group == "admissionregistration.k8s.io"
}

// ourGroup is the API group of break-glass objects (kube/v1alpha1).
const ourGroup = "mollyguard.dev"

// owns reports whether a request changes what Mollyguard is made of (deploy/base). Pods
// of ours may be drained.
func (c Cluster) owns(r call) bool {
	named := func(prefix string) bool { return r.name == "" && r.deletes() || strings.HasPrefix(r.name, prefix) }
	switch {
	case !slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.verb), r.sub == "eviction":
		return false
	case r.group == "admissionregistration.k8s.io" && (r.resource == "validatingwebhookconfigurations" || r.resource == "mutatingwebhookconfigurations"):
		return r.name == c.WebhookName || r.name == "" && r.deletes()
	case r.group == "admissionregistration.k8s.io" && strings.HasPrefix(r.resource, "validatingadmissionpolic"):
		return named(ours)
	case r.group == "apiextensions.k8s.io" && r.resource == "customresourcedefinitions", r.group == "apiregistration.k8s.io":
		return strings.HasSuffix(r.name, "."+ourGroup) || r.name == "" && r.deletes()
	case r.group == "" && r.resource == "namespaces":
		return r.name == c.Namespace
	case r.namespace != "" && r.namespace == c.Namespace:
		return true
	case r.group == "rbac.authorization.k8s.io" && r.namespace == "":
		return named(ours)
	}
	return r.group == ourGroup && (r.deletes() || r.resource == "floors")
}

// ownWords are parts of methods about what may be ours.
var ownWords = []string{"webhookconfigurations.", ".validatingadmissionpolic", ".customresourcedefinitions.", ".apiregistration.", ".authorization.rbac.", ".floors."}

// kubernetesMatters reports whether Map could make anything of a request.
func (m *Mapper) kubernetesMatters(f *facts) bool {
	if f.failedOpen || f.decided {
		return true
	}
	if s := m.table.services[kubernetesService]; s != nil {
		if known, ignore := s.index.interest(f.method); known {
			return !ignore
		}
	}
	if looksDestructive(f.method) {
		return true
	}
	switch f.method[strings.LastIndexByte(f.method, '.')+1:] {
	case "create", "update", "patch":
	default:
		return false
	}
	for _, c := range m.guards {
		if strings.Contains(f.resourceName, c.Namespace) {
			return true
		}
	}
	return len(m.guards) > 0 && slices.ContainsFunc(ownWords, func(word string) bool { return strings.Contains(f.method, word) })
}
