package operation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestKindsHaveThePluralsThatPeopleUse(t *testing.T) {
	want := map[string]string{
		"Pod": "Pods", "Ingress": "Ingresses", "NetworkPolicy": "NetworkPolicies", "Gateway": "Gateways", "Box": "Boxes",
		"Batch": "Batches", "Endpoints": "Endpoints", "": "",
	}
	got := map[string]string{}
	for kind := range want {
		got[kind] = operation.Plural(kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
