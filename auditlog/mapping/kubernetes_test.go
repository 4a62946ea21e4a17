package mapping

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

// podDeletion is a request to the API server of the guarded cluster.
const podDeletion = `{
	"insertId": "i1", "logName": "projects/prod-shop/logs/cloudaudit.googleapis.com%2Factivity", "timestamp": "2026-11-21T03:12:47Z",
	"labels": {"authorization.k8s.io/decision": "allow"},
	"operation": {"id": "i1", "producer": "k8s.io", "first": true, "last": true},
	"resource": {"type": "k8s_cluster", "labels": {"project_id": "prod-shop", "location": "europe-west1", "cluster_name": "prod-eu"}},
	"protoPayload": {
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog",
		"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.delete", "resourceName": "core/v1/namespaces/shop/pods/web-1",
		"authenticationInfo": {"principalEmail": "alice@example.com"},
		"authorizationInfo": [{"granted": true, "permission": "io.k8s.core.v1.pods.delete"}],
		"requestMetadata": {"callerIp": "192.0.2.1", "callerSuppliedUserAgent": "kubectl/v1.36.0 (linux/amd64) kubernetes/abc"}
	}
}`

var guardedCluster = Cluster{Project: "prod-shop", Location: "europe-west1", Name: "prod-eu", Ref: "eu", Guarded: true, Namespace: "guards", WebhookName: "mg"}

func request(method, resourceName string) []string {
	return []string{"protoPayload/methodName", `"` + method + `"`, "protoPayload/resourceName", `"` + resourceName + `"`}
}

func by(user string) []string {
	return []string{"protoPayload/authenticationInfo/principalEmail", `"` + user + `"`}
}

func labelled(key, value string) []string {
	return []string{"labels", `{"` + key + `":"` + value + `"}`}
}

func all(lists ...[]string) []string {
	var list []string
	for _, l := range lists {
		list = append(list, l...)
	}
	return list
}

func TestADeletionInAClusterIsReadWhole(t *testing.T) {
	m := testMapper(t, Options{Clusters: []Cluster{guardedCluster}})
	got := mapped(t, m, with(t, podDeletion))
	at := time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	want := auditlog.Reading{
		Care: auditlog.Judge, Key: got.Key, Timestamp: at, Parent: "gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/prod-eu",
		Operation: operation.Operation{
			Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Finished, Time: at, Mediation: operation.Unmediated,
			Actor:  operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl/v1.36.0"}},
			Origin: operation.Origin{IP: "192.0.2.1", UserAgent: "kubectl/v1.36.0 (linux/amd64) kubernetes/abc"},
			Target: operation.Target{
				Reference: operation.Reference{Ref: "k8s://eu/core/pods/shop/web-1", Kind: "Pod", Namespace: "shop", Name: "web-1"},
				Resource:  "pods", Cluster: "eu", Project: "prod-shop", Location: "europe-west1",
			},
			Source: got.Operation.Source, DecisionID: got.Operation.DecisionID,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

func TestWhatIsReadOfARequestInACluster(t *testing.T) {
	plainMapper := testMapper(t, Options{})
	for _, tt := range []struct {
		name    string
		changes []string
		verb    operation.Verb
		ref     string
	}{
		{"a deletion", nil, operation.Delete, "k8s://prod-eu/core/pods/shop/web-1"},
		{"a Deployment", request("io.k8s.apps.v1.deployments.delete", "apps/v1/namespaces/shop/deployments/web"), operation.Delete, "k8s://prod-eu/apps/deployments/shop/web"},
		{"a namespace", request("io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/shop"), operation.Delete, "k8s://prod-eu/core/namespaces/shop"},
		{"of a group with dots", request("io.k8s.authorization.rbac.v1.clusterroles.delete", "rbac.authorization.k8s.io/v1/clusterroles/x"), operation.Delete, "k8s://prod-eu/rbac.authorization.k8s.io/clusterroles/x"},
		{"a custom resource", request("com.example.shop.v1alpha1.carts.delete", "shop.example.com/v1alpha1/namespaces/shop/carts/c"), operation.Delete, "k8s://prod-eu/shop.example.com/carts/shop/c"},
		{"an eviction", request("io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/shop/pods/web-1/eviction"), operation.Evict, "k8s://prod-eu/core/pods/shop/web-1"},
		{
			"a scale to zero, which is left out", all(request("io.k8s.apps.v1.deployments.scale.update", "apps/v1/namespaces/shop/deployments/web/scale"), []string{"protoPayload/request", `{"kind":"Scale","spec":{}}`}),
			operation.ScaleToZero, "k8s://prod-eu/apps/deployments/shop/web",
		},
		{"a scale to two", all(request("io.k8s.apps.v1.deployments.scale.update", "apps/v1/namespaces/shop/deployments/web/scale"), []string{"protoPayload/request", `{"spec":{"replicas":2}}`}), "", ""},
		{"a scale of which the body is not logged", request("io.k8s.apps.v1.deployments.scale.update", "apps/v1/namespaces/shop/deployments/web/scale"), "", ""},
		{
			"a patch to zero", all(request("io.k8s.apps.v1.statefulsets.patch", "apps/v1/namespaces/shop/statefulsets/db"), []string{"protoPayload/request", `{"spec":{"replicas":0}}`}),
			operation.ScaleToZero, "k8s://prod-eu/apps/statefulsets/shop/db",
		},
		{"a patch of something else", all(request("io.k8s.apps.v1.statefulsets.patch", "apps/v1/namespaces/shop/statefulsets/db"), []string{"protoPayload/request", `{"spec":{"paused":true}}`}), "", ""},
		{"a status", all(request("io.k8s.apps.v1.deployments.status.patch", "apps/v1/namespaces/shop/deployments/web/status"), []string{"protoPayload/request", `{"spec":{"replicas":0}}`}), "", ""},
		{"a dry run", []string{"protoPayload/request", `{"kind":"DeleteOptions","dryRun":["All"]}`}, "", ""},
		{"a lease", request("io.k8s.coordination.v1.leases.delete", "coordination.k8s.io/v1/namespaces/shop/leases/l"), "", ""},
		{"an event", request("io.k8s.core.v1.events.deletecollection", "core/v1/namespaces/shop/events"), "", ""},
		{"a pod of kube-system", request("io.k8s.core.v1.pods.delete", "core/v1/namespaces/kube-system/pods/dns"), "", ""},
		{"a Deployment of kube-system", request("io.k8s.apps.v1.deployments.delete", "apps/v1/namespaces/kube-system/deployments/dns"), operation.Delete, "k8s://prod-eu/apps/deployments/kube-system/dns"},
		{"a creation", request("io.k8s.core.v1.pods.create", "core/v1/namespaces/shop/pods/web-1"), "", ""},
		{"an update", request("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, plainMapper, with(t, podDeletion, tt.changes...)).Operation
			if op.Verb != tt.verb || op.Target.Ref != tt.ref || op.Mediation != "" {
				t.Errorf("got %q %q %q, want %q %q", op.Verb, op.Target.Ref, op.Mediation, tt.verb, tt.ref)
			}
		})
	}
}

func TestACollectionIsSaidToBeOne(t *testing.T) {
	op := mapped(t, testMapper(t, Options{}), with(t, podDeletion, request("io.k8s.core.v1.pods.deletecollection", "core/v1/namespaces/shop/pods")...)).Operation
	want := operation.Reference{Kind: "Pod", Namespace: "shop"}
	if diff := cmp.Diff(want, op.Target.Reference); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"which of them: a collection was deleted"}, op.Unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

func TestACollectionInWhichThereWasNothingIsNothing(t *testing.T) {
	for _, guarded := range []bool{false, true} {
		m := testMapper(t, Options{Clusters: []Cluster{{Project: guardedCluster.Project, Location: guardedCluster.Location, Name: guardedCluster.Name, Guarded: guarded}}})
		collection := request("io.k8s.core.v1.pods.deletecollection", "core/v1/namespaces/shop/pods")
		for answer, want := range map[string]operation.Verb{
			`{"kind":"PodList","items":[]}`:                              "",
			`{"kind":"PodList","items":[{"metadata":{"name":"web-1"}}]}`: operation.Delete,
			`{"kind":"PodList"}`:                                         operation.Delete,
			`{"kind":"PodList","items":null}`:                            operation.Delete,
			`{"kind":"Status","code":200}`:                               operation.Delete,
			`null`:                                                       operation.Delete,
		} {
			op := mapped(t, m, with(t, podDeletion, append(slices.Clone(collection), "protoPayload/response", answer)...)).Operation
			if op.Verb != want {
				t.Errorf("guarded %v, the answer %s: got %q, want %q", guarded, answer, op.Verb, want)
			}
		}
		// One object is deleted, whatever the answer is.
		one := request("io.k8s.core.v1.pods.delete", "core/v1/namespaces/shop/pods/web-1")
		if op := mapped(t, m, with(t, podDeletion, append(one, "protoPayload/response", `{"items":[]}`)...)).Operation; op.Verb != operation.Delete {
			t.Errorf("guarded %v, one object: got %q", guarded, op.Verb)
		}
	}
}

func TestWhetherTheWebhookWasAsked(t *testing.T) {
	m := testMapper(t, Options{Clusters: []Cluster{guardedCluster}})
	const failedOpen = "failed-open.validating.webhook.admission.k8s.io/round_0_index_3"
	const mutatingFailedOpen = "failed-open.mutation.webhook.admission.k8s.io/round_0_index_1"
	update := request("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/shop/configmaps/c")
	for _, tt := range []struct {
		name      string
		changes   []string
		care      auditlog.Care
		verb      operation.Verb
		mediation operation.Mediation
	}{
		{"it was not", nil, auditlog.Judge, operation.Delete, operation.Unmediated},
		{"it was", labelled("object.delete.mollyguard.dev/decision", "01J"), auditlog.Mediated, operation.Delete, operation.Mediated},
		{"by a split hook", labelled("namespace-12.delete.mollyguard.dev/decision", "01J"), auditlog.Mediated, operation.Delete, operation.Mediated},
		{"somebody else's webhook", labelled("other.example.com/decision", "01J"), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"the API server's own decision", labelled("authorization.k8s.io/decision", "allow"), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"a name that ends like ours", labelled("x.y.z.mollyguard.dev/decision", "01J"), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"a decision without an id", labelled("object.delete.mollyguard.dev/decision", ""), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"the API server went on without it", labelled(failedOpen, "object.delete.mollyguard.dev"), auditlog.Judge, operation.Delete, operation.FailedOpen},
		{"it went on without the one for deletions", labelled(mutatingFailedOpen, "object.delete.mollyguard.dev"), auditlog.Judge, operation.Delete, operation.FailedOpen},
		{
			"it called the one for deletions, and says not whether that answered",
			labelled("mutation.webhook.admission.k8s.io/round_0_index_1", `{\"configuration\":\"mg\",\"webhook\":\"object.delete.mollyguard.dev\",\"mutated\":false}`),
			auditlog.Judge, operation.Delete, operation.Unmediated,
		},
		{
			"somebody's webhook changed the object by the name of ours",
			labelled("patch.webhook.admission.k8s.io/round_0_index_1", "object.delete.mollyguard.dev"), auditlog.Judge, operation.Delete, operation.Unmediated,
		},
		{"it went on without somebody else's", labelled(failedOpen, "other.example.com"), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"refused by RBAC", []string{"protoPayload/status/code", "7"}, auditlog.Judge, operation.Delete, ""},
		{"by a controller", by("system:serviceaccount:kube-system:replicaset-controller"), auditlog.Judge, operation.Delete, ""},
		{"by a node", by("system:node:n1"), auditlog.Judge, operation.Delete, ""},
		{"by another service account", by("system:serviceaccount:ci:deployer"), auditlog.Judge, operation.Delete, operation.Unmediated},
		{"a node", request("io.k8s.core.v1.nodes.delete", "core/v1/nodes/n1"), auditlog.Judge, operation.Delete, ""},
		{"an eviction", request("io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/shop/pods/web-1/eviction"), auditlog.Judge, operation.Evict, operation.Unmediated},
		{"an eviction of ours", request("io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/guards/pods/mg-1/eviction"), auditlog.Judge, operation.Evict, ""},
		{"another webhook configuration", request("io.k8s.admissionregistration.v1.mutatingwebhookconfigurations.delete", "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/x"), auditlog.Judge, operation.Delete, ""},
		{"an update", update, auditlog.Ignore, "", ""},
		{"an update that weakens, unseen", all(update, labelled(failedOpen, "object.update.mollyguard.dev")), auditlog.Judge, operation.Unknown, operation.FailedOpen},
		{
			"an update that weakens, seen", all(update, []string{"labels", `{"object.update.mollyguard.dev/decision":"01J","object.update.mollyguard.dev/verb":"empty"}`}),
			auditlog.Mediated, operation.Empty, operation.Mediated,
		},
		{
			"a scale to zero", all(request("io.k8s.apps.v1.deployments.scale.patch", "apps/v1/namespaces/shop/deployments/web/scale"), []string{"protoPayload/request", `{"spec":{"replicas":0}}`}),
			auditlog.Judge, operation.ScaleToZero, operation.Unmediated,
		},
		{
			"an object that is written with the zero that it has", all(request("io.k8s.apps.v1.deployments.patch", "apps/v1/namespaces/shop/deployments/web"), []string{"protoPayload/request", `{"spec":{"replicas":0}}`}),
			auditlog.Ignore, "", "",
		},
		{
			"an object that is scaled to zero, unseen", all(request("io.k8s.apps.v1.deployments.patch", "apps/v1/namespaces/shop/deployments/web"), []string{"protoPayload/request", `{"spec":{"replicas":0}}`}, labelled(failedOpen, "object.update.mollyguard.dev")),
			auditlog.Judge, operation.ScaleToZero, operation.FailedOpen,
		},
		{"another cluster of the name", []string{"resource/labels/location", `"us-east1"`}, auditlog.Judge, operation.Delete, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := mapped(t, m, with(t, podDeletion, tt.changes...))
			if got.Care != tt.care || got.Operation.Verb != tt.verb || got.Operation.Mediation != tt.mediation {
				t.Errorf("got %d %q %q, want %d %q %q", got.Care, got.Operation.Verb, got.Operation.Mediation, tt.care, tt.verb, tt.mediation)
			}
		})
	}
}

func TestWhatIsDoneToMollyguardItself(t *testing.T) {
	m := testMapper(t, Options{Clusters: []Cluster{guardedCluster}})
	const hooks, hook = "io.k8s.admissionregistration.v1.validatingwebhookconfigurations.", "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
	for _, tt := range []struct {
		name    string
		changes []string
		verb    operation.Verb // empty if it is not judged
		own     bool
	}{
		{"the webhook configuration is deleted", request(hooks+"delete", hook+"mg"), operation.Delete, true},
		{"all are deleted", request(hooks+"deletecollection", "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"), operation.Delete, true},
		{"it is patched", request(hooks+"patch", hook+"mg"), operation.Unprotect, true},
		{"it is put", request(hooks+"update", hook+"mg"), operation.Unprotect, true},
		{"it is made", all(request(hooks+"create", "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"), []string{"protoPayload/request", `{"metadata":{"name":"mg"}}`}), operation.Unprotect, true},
		{"it is put right by ourselves", all(request(hooks+"update", hook+"mg"), by("system:serviceaccount:guards:mollyguard")), "", false},
		{"somebody else's is patched", request(hooks+"patch", hook+"other"), "", false},
		{"it is patched, with a word of a dry run that means nothing there", all(request(hooks+"patch", hook+"mg"), []string{"protoPayload/request", `{"webhooks":[],"dryRun":["All"]}`}), operation.Unprotect, true},
		{"a policy is called as a hook of ours is", request("io.k8s.admissionregistration.v1.validatingadmissionpolicies.patch", "admissionregistration.k8s.io/v1/validatingadmissionpolicies/evil.mollyguard.dev"), operation.Unprotect, true},
		{
			"a policy that is called so is bound", all(request("io.k8s.admissionregistration.v1.validatingadmissionpolicybindings.patch", "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/b"),
				[]string{"protoPayload/request", `{"spec":{"policyName":"evil.mollyguard.dev"}}`}), operation.Unprotect, true,
		},
		{
			"it is deleted by somebody as a controller", all(request(hooks+"delete", hook+"mg"), []string{"protoPayload/authenticationInfo",
				`{"principalEmail":"system:kube-controller-manager","serviceAccountDelegationInfo":[{"principalSubject":"alice@example.com"}]}`}), operation.Delete, true,
		},
		{
			"it is put by somebody as us", all(request(hooks+"update", hook+"mg"), []string{"protoPayload/authenticationInfo",
				`{"principalEmail":"system:serviceaccount:guards:mollyguard","serviceAccountDelegationInfo":[{"principalSubject":"alice@example.com"}]}`}), operation.Unprotect, true,
		},
		{"hooks of another are called as ours are", all(request(hooks+"patch", hook+"other"), []string{"protoPayload/request", `{"webhooks":[{"name":"x.example.com"},{"name":"object.delete.mollyguard.dev"}]}`}), operation.Unprotect, true},
		{"another has a hook called as ours are", all(request(hooks+"update", hook+"other"), []string{"protoPayload/response", `{"webhooks":[{"name":"scale.mollyguard.dev"}]}`}), operation.Unprotect, true},
		{
			"a mutating one has a hook called as ours are", all(request("io.k8s.admissionregistration.v1.mutatingwebhookconfigurations.patch", "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/other"),
				[]string{"protoPayload/request", `{"webhooks":[{"name":"scale.mollyguard.dev"}]}`}), operation.Unprotect, true,
		},
		{"the mutating one is deleted", request("io.k8s.admissionregistration.v1.mutatingwebhookconfigurations.delete", "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mg"), operation.Delete, true},
		{"the mutating one is patched", request("io.k8s.admissionregistration.v1.mutatingwebhookconfigurations.patch", "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mg"), operation.Unprotect, true},
		{"what the floor knows is changed", request("dev.mollyguard.v1alpha1.floors.update", "mollyguard.dev/v1alpha1/floors/mg"), operation.Unprotect, true},
		{"what the floor knows is changed by ourselves", all(request("dev.mollyguard.v1alpha1.floors.update", "mollyguard.dev/v1alpha1/floors/mg"), by("system:serviceaccount:guards:mollyguard")), "", false},
		{"the API is sent elsewhere", request("io.k8s.apiregistration.v1.apiservices.patch", "apiregistration.k8s.io/v1/apiservices/v1alpha1.mollyguard.dev"), operation.Unprotect, true},
		{"another API is", request("io.k8s.apiregistration.v1.apiservices.patch", "apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"), "", false},
		{"something is made there while the webhook is away", all(request("io.k8s.apps.v1.deployments.create", "apps/v1/namespaces/guards/deployments/d"),
			labelled("failed-open.validating.webhook.admission.k8s.io/round_0_index_2", "own.create.mollyguard.dev")), operation.Unprotect, true},
		{"it is only read", request(hooks+"get", hook+"mg"), "", false},
		{"a definition is deleted", request("io.k8s.apiextensions.v1.customresourcedefinitions.delete", "apiextensions.k8s.io/v1/customresourcedefinitions/grants.mollyguard.dev"), operation.Delete, true},
		{"another's definition is deleted", request("io.k8s.apiextensions.v1.customresourcedefinitions.delete", "apiextensions.k8s.io/v1/customresourcedefinitions/carts.example.com"), operation.Delete, false},
		{"the namespace is deleted", request("io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/guards"), operation.Delete, true},
		{"the namespace is labelled", request("io.k8s.core.v1.namespaces.patch", "core/v1/namespaces/guards"), operation.Unprotect, true},
		{"a ConfigMap of it is changed", request("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/guards/configmaps/mollyguard-config"), operation.Unprotect, true},
		{"somebody gets into a pod of it", request("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/guards/pods/mg-1/exec"), operation.Unprotect, true},
		{"a pod of it is made by a controller", all(request("io.k8s.core.v1.pods.create", "core/v1/namespaces/guards/pods/mg-1"), by("system:serviceaccount:kube-system:replicaset-controller")), "", false},
		{"the role is changed", request("io.k8s.authorization.rbac.v1.clusterroles.patch", "rbac.authorization.k8s.io/v1/clusterroles/mollyguard"), operation.Unprotect, true},
		{"the binding is deleted", request("io.k8s.authorization.rbac.v1.clusterrolebindings.delete", "rbac.authorization.k8s.io/v1/clusterrolebindings/mollyguard-reader"), operation.Delete, true},
		{"another role is changed", request("io.k8s.authorization.rbac.v1.clusterroles.patch", "rbac.authorization.k8s.io/v1/clusterroles/admin"), "", false},
		{"the admission policy is deleted", request("io.k8s.admissionregistration.v1.validatingadmissionpolicies.delete", "admissionregistration.k8s.io/v1/validatingadmissionpolicies/mollyguard-break-glass"), operation.Delete, true},
		{"its binding is changed", request("io.k8s.admissionregistration.v1.validatingadmissionpolicybindings.patch", "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/mollyguard-break-glass"), operation.Unprotect, true},
		{"a grant is deleted", request("dev.mollyguard.v1alpha1.grants.delete", "mollyguard.dev/v1alpha1/grants/bg-k7m4-q9tx"), operation.Delete, true},
		{"an old grant is removed by ourselves", all(request("dev.mollyguard.v1alpha1.grants.delete", "mollyguard.dev/v1alpha1/grants/bg-k7m4-q9tx"), by("system:serviceaccount:guards:mollyguard")), "", false},
		{"a request is made", request("dev.mollyguard.v1alpha1.breakglassrequests.create", "mollyguard.dev/v1alpha1/breakglassrequests/bg-k7m4-q9tx"), "", false},
		{"a pod of ours is drained", request("io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/guards/pods/mg-1/eviction"), operation.Evict, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, m, with(t, podDeletion, tt.changes...)).Operation
			if op.Verb != tt.verb || op.Target.Own != tt.own {
				t.Errorf("got %q, own %t; want %q, %t", op.Verb, op.Target.Own, tt.verb, tt.own)
			}
		})
	}
}

func TestAGrantForOurNamespaceIsForAllThatIsOurs(t *testing.T) {
	m := testMapper(t, Options{Clusters: []Cluster{guardedCluster}})
	const namespace = "k8s://eu/core/namespaces/guards"
	for _, tt := range []struct {
		name    string
		changes []string
		within  string
	}{
		{"what is in it", request("io.k8s.core.v1.configmaps.update", "core/v1/namespaces/guards/configmaps/mollyguard-config"), namespace},
		{"what is ours and in no namespace", request("io.k8s.authorization.rbac.v1.clusterroles.patch", "rbac.authorization.k8s.io/v1/clusterroles/mollyguard"), namespace},
		{"the namespace, for which it is anyhow", request("io.k8s.core.v1.namespaces.patch", "core/v1/namespaces/guards"), ""},
		{"what is another's", request("io.k8s.core.v1.pods.delete", "core/v1/namespaces/shop/pods/web-1"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if op := mapped(t, m, with(t, podDeletion, tt.changes...)).Operation; op.Target.Within != tt.within || op.Verb == "" {
				t.Errorf("%q is within %q, want %q", op.Verb, op.Target.Within, tt.within)
			}
		})
	}
}

func TestNothingIsOursInAClusterThatWeDoNotGuard(t *testing.T) {
	unguarded := guardedCluster
	unguarded.Guarded = false
	m := testMapper(t, Options{Clusters: []Cluster{unguarded}})
	data := with(t, podDeletion, request("io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/mollyguard")...)
	if op := mapped(t, m, data).Operation; op.Target.Own || op.Mediation != "" || op.Target.Cluster != "eu" {
		t.Errorf("own %t, mediation %q, cluster %q", op.Target.Own, op.Mediation, op.Target.Cluster)
	}
}
