package mapping

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

const nativeDeletion = `{
	"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "a1", "stage": "ResponseComplete",
	"requestURI": "/apis/apps/v1/namespaces/shop/deployments/web", "verb": "delete",
	"user": {"username": "alice@example.com", "groups": ["system:authenticated"]},
	"sourceIPs": ["192.0.2.1", "10.0.0.1"], "userAgent": "kubectl/v1.36.0 (linux/amd64)",
	"objectRef": {"resource": "deployments", "namespace": "shop", "name": "web", "uid": "u1", "apiGroup": "apps", "apiVersion": "v1"},
	"responseStatus": {"metadata": {}, "code": 200},
	"requestReceivedTimestamp": "2026-11-21T03:12:47.593271Z", "stageTimestamp": "2026-11-21T03:12:47.6Z",
	"annotations": {"authorization.k8s.io/decision": "allow"}
}`

func TestANativeEventIsReadWhole(t *testing.T) {
	m := testMapper(t, Options{Cluster: "eu", Clusters: []Cluster{guardedCluster}})
	got := mapped(t, m, with(t, nativeDeletion))
	at := time.Date(2026, 11, 21, 3, 12, 47, 593271e3, time.UTC)
	want := auditlog.Reading{
		Care: auditlog.Judge, Key: " 2026-11-21T03:12:47.593271Z a1", Timestamp: at, Received: time.Date(2026, 11, 21, 3, 12, 47, 6e8, time.UTC),
		Parent: "gcp://container.googleapis.com/projects/prod-shop/locations/europe-west1/clusters/prod-eu",
		Operation: operation.Operation{
			Surface: operation.Kubernetes, Verb: operation.Delete, Phase: operation.Finished, Time: at, Mediation: operation.Unmediated,
			Actor:  operation.Actor{Identity: operation.Identity{Name: "alice@example.com", Kind: operation.Human, Via: "kubectl/v1.36.0"}},
			Origin: operation.Origin{IP: "192.0.2.1", UserAgent: "kubectl/v1.36.0 (linux/amd64)"},
			Target: operation.Target{
				Reference: operation.Reference{Ref: "k8s://eu/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u1"},
				Group:     "apps", Resource: "deployments", Cluster: "eu", Project: "prod-shop", Location: "europe-west1",
			},
			Source: operation.Source{UID: "a1"}, DecisionID: got.Operation.DecisionID,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

func TestNativeEvents(t *testing.T) {
	m := testMapper(t, Options{Cluster: "here"})
	for _, tt := range []struct {
		name    string
		changes []string
		verb    operation.Verb
		phase   operation.Phase
		ref     string
		actor   string
	}{
		{"a deletion", nil, operation.Delete, operation.Finished, "k8s://here/apps/deployments/shop/web", "alice@example.com"},
		{"a stage before the end", []string{"stage", `"RequestReceived"`}, "", "", "", ""},
		{"a dry run", []string{"requestURI", `"/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All"`}, "", "", "", ""},
		{"forbidden", []string{"responseStatus/code", "403"}, operation.Delete, operation.Refused, "k8s://here/apps/deployments/shop/web", "alice@example.com"},
		{"not found", []string{"responseStatus/code", "404"}, operation.Delete, operation.Failed, "k8s://here/apps/deployments/shop/web", "alice@example.com"},
		{"accepted", []string{"responseStatus/code", "202"}, operation.Delete, operation.Finished, "k8s://here/apps/deployments/shop/web", "alice@example.com"},
		{"as somebody else", []string{"impersonatedUser", `{"username":"bob@example.com"}`}, operation.Delete, operation.Finished, "k8s://here/apps/deployments/shop/web", "bob@example.com"},
		{
			"a namespace", []string{"objectRef", `{"resource":"namespaces","namespace":"shop","name":"shop","apiVersion":"v1"}`},
			operation.Delete, operation.Finished, "k8s://here/core/namespaces/shop", "alice@example.com",
		},
		{
			"an eviction", []string{"verb", `"create"`, "objectRef", `{"resource":"pods","namespace":"shop","name":"web-1","apiVersion":"v1","subresource":"eviction"}`},
			operation.Evict, operation.Finished, "k8s://here/core/pods/shop/web-1", "alice@example.com",
		},
		{
			"a patch to zero", []string{"verb", `"patch"`, "requestObject", `{"spec":{"replicas":0}}`},
			operation.ScaleToZero, operation.Finished, "k8s://here/apps/deployments/shop/web", "alice@example.com",
		},
		{
			"a lease", []string{"objectRef", `{"resource":"leases","namespace":"shop","name":"l","apiGroup":"coordination.k8s.io","apiVersion":"v1"}`},
			"", "", "", "",
		},
		{
			"a custom resource", []string{"objectRef", `{"resource":"carts","namespace":"shop","name":"c","apiGroup":"shop.example.com","apiVersion":"v1"}`},
			operation.Delete, operation.Finished, "k8s://here/shop.example.com/carts/shop/c", "alice@example.com",
		},
		{"a request that is about no object", []string{"objectRef", "", "requestURI", `"/logs"`}, "", "", "", ""},
		{"a read", []string{"verb", `"get"`}, "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := mapped(t, m, with(t, nativeDeletion, tt.changes...)).Operation
			got := []string{string(op.Verb), string(op.Phase), op.Target.Ref, op.Actor.Name}
			if diff := cmp.Diff([]string{string(tt.verb), string(tt.phase), tt.ref, tt.actor}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	op := mapped(t, m, with(t, nativeDeletion, "impersonatedUser", `{"username":"bob@example.com"}`)).Operation
	if diff := cmp.Diff([]string{"alice@example.com"}, op.Origin.Delegation); diff != "" {
		t.Errorf("who acts through bob (-want +got):\n%s", diff)
	}
}
