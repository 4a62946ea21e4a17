package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// Exempt are identities that are let through, and why.
type Exempt struct {
	// Name is of the exemption, as decisions show it.
	Name string
	// Actors match whole user names.
	Actors []*regexp.Regexp
	// ControlPlane says that these are the cluster's own machinery. What is installed
	// in kube-system runs as one of them, and is installed by people: of workloads,
	// only those are judged that run as an account of the controller manager's.
	ControlPlane bool
}

// ownPasses is how operations name Mollyguard's own account.
const ownPasses = "mollyguard"

// controllerAccounts are the service accounts that kube-controller-manager acts as
// (k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy
// controller_policy.go): no pod has them.
func controllerAccounts() []string {
	return []string{
		"attachdetach-controller", "bootstrap-signer", "certificate-controller", "clusterrole-aggregation-controller",
		"cronjob-controller", "daemon-set-controller", "deployment-controller", "device-taint-eviction-controller",
		"disruption-controller", "endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller",
		"ephemeral-volume-controller", "expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler",
		"job-controller", "legacy-service-account-token-cleaner", "namespace-controller", "node-controller",
		"persistent-volume-binder", "pod-garbage-collector", "podcertificaterequestcleaner", "pv-protection-controller",
		"pvc-protection-controller", "replicaset-controller", "replication-controller", "resource-claim-controller",
		"resourcequota-controller", "root-ca-cert-publisher", "route-controller", "selinux-warning-controller",
		"service-account-controller", "service-cidrs-controller", "service-controller", "statefulset-controller",
		"storageversion-garbage-collector", "storage-version-migrator-controller", "taint-eviction-controller", "token-cleaner",
		"ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
		"volumeattributesclass-protection-controller",
	}
}

// controllerAccount matches the user names of controllerAccounts.
func controllerAccount() string {
	return serviceAccounts + "kube-system:(?:" + strings.Join(controllerAccounts(), "|") + ")"
}

var isControllerAccount = regexp.MustCompile("^(?:" + controllerAccount() + ")$")

func accountUser(namespace, name string) string { return serviceAccounts + namespace + ":" + name }

// passes is the name of the exemption that lets a user through, or empty.
func (m *mapper) passes(user string) string {
	if m.own.Account != "" && user == m.own.Account {
		return ownPasses
	}
	for _, e := range m.exempt {
		if slices.ContainsFunc(e.Actors, func(r *regexp.Regexp) bool { return r.MatchString(user) }) {
			return e.Name
		}
	}
	return ""
}

// runsAs is passes for what runs as a service account.
func (m *mapper) runsAs(user string) string {
	if m.own.Account != "" && user == m.own.Account {
		return ownPasses
	}
	for _, e := range m.exempt {
		if e.ControlPlane && !isControllerAccount.MatchString(user) {
			continue
		}
		if slices.ContainsFunc(e.Actors, func(r *regexp.Regexp) bool { return r.MatchString(user) }) {
			return e.Name
		}
	}
	return ""
}

// ofIdentity completes an operation that gives somebody the use of an identity that is
// let through, and reports whether it is one.
func (m *mapper) ofIdentity(r *request, op *operation.Operation) bool {
	if len(m.exempt) == 0 && m.own.Account == "" {
		return false
	}
	var name, change string
	switch what := r.resource; {
	case r.operation != "CREATE" && r.operation != "UPDATE":
	case r.subResource == "token" && what.group == "" && what.resource == "serviceaccounts":
		name, change = m.tokenAsked(r, op)
	case what.group == certificatesGroup && what.resource == certificateRequests &&
		(r.operation == "CREATE" && r.subResource == "" || r.operation == "UPDATE" && r.subResource == "approval"):
		name, change = m.certificateAsked(r)
	case r.subResource != "":
	case what.group == "" && what.resource == "secrets":
		name, change = m.secretToken(r)
	case what.group == rbacGroup && (what.resource == "roles" || what.resource == "clusterroles"):
		name, change = m.roleAllows(r)
	case isWorkload(what):
		name, change = m.workloadRuns(r)
	}
	if name == "" {
		return false
	}
	op.Target.Passes = name
	op.Changes = append(op.Changes, change)
	switch {
	case op.Verb == operation.Update:
		op.Verb = operation.Unprotect
	case !slices.Contains(op.Verbs(), operation.Unprotect):
		op.Also = append(op.Also, operation.Unprotect)
	}
	return true
}

// tokenAsked is about a TokenRequest, which names its account in the request only.
func (m *mapper) tokenAsked(r *request, op *operation.Operation) (name, change string) {
	op.Verb, op.Also, op.Changes = operation.Update, nil, nil // a token destroys nothing
	op.Target.Kind, op.Target.UID = "ServiceAccount", ""
	op.Target.Reference.Ref = operation.KubernetesRef(m.cluster, "", "serviceaccounts", r.namespace, r.name)
	op.Target.Namespace, op.Target.Name = r.namespace, r.name
	return m.passes(accountUser(r.namespace, r.name)), "a token of the service account for somebody else than its pods"
}

// secretToken is about a Secret that the token controller puts a token into.
func (m *mapper) secretToken(r *request) (name, change string) {
	account := secretOf(r.object.raw)
	if account == "" || account == secretOf(r.oldObject.raw) {
		return "", ""
	}
	return m.passes(accountUser(r.namespace, account)),
		"a token for good, of the service account " + operation.Printable(account)
}

// secretOf is the service account that a Secret is to hold a token of, or empty.
func secretOf(text []byte) string {
	var secret struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Type string `json:"type"`
	}
	if len(text) == 0 || json.Unmarshal(text, &secret, jsontext.AllowDuplicateNames(true)) != nil || secret.Type != accountToken {
		return ""
	}
	return secret.Metadata.Annotations[accountAnnotation]
}

// A Secret of this type and with this annotation gets a token of the service account
// that the annotation names (k8s.io/api core/v1).
const (
	accountToken      = "kubernetes.io/service-account-token"
	accountAnnotation = "kubernetes.io/service-account.name"
)

// isWorkload reports whether a built-in kind is or makes pods.
func isWorkload(r groupResource) bool {
	return slices.Contains(workloads()[r.group], r.resource)
}

func workloads() map[string][]string {
	return map[string][]string{
		"":      {"pods", "replicationcontrollers"},
		"apps":  {"daemonsets", "deployments", "replicasets", "statefulsets"},
		"batch": {"cronjobs", "jobs"},
	}
}

// workloadRuns is about what newly runs as somebody. What runs as them already may be
// changed: upgrades do that.
func (m *mapper) workloadRuns(r *request) (name, change string) {
	account := accountOf(r.resource, r.object.raw)
	if r.oldObject.present && accountOf(r.resource, r.oldObject.raw) == account {
		return "", ""
	}
	return m.runsAs(accountUser(r.namespace, account)),
		fmt.Sprintf("it runs as the service account %s", operation.Printable(account))
}

// accountOf is the service account that a workload's pods run as. One that cannot be
// read runs as the default: the API server defines these kinds, and writes them.
func accountOf(what groupResource, text []byte) string {
	type podSpec struct {
		ServiceAccountName string `json:"serviceAccountName"`
	}
	type template struct {
		Spec podSpec `json:"spec"`
	}
	var workload struct {
		Spec struct {
			podSpec
			Template    template `json:"template"`
			JobTemplate struct {
				Spec struct {
					Template template `json:"template"`
				} `json:"spec"`
			} `json:"jobTemplate"`
		} `json:"spec"`
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &workload, jsontext.AllowDuplicateNames(true)); err != nil {
			return "default"
		}
	}
	account := workload.Spec.Template.Spec.ServiceAccountName
	switch what.resource {
	case "pods":
		account = workload.Spec.ServiceAccountName
	case "cronjobs":
		account = workload.Spec.JobTemplate.Spec.Template.Spec.ServiceAccountName
	}
	if account == "" {
		return "default"
	}
	return account
}
