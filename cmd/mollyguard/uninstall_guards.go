package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/webhook"
)

// guardObject is something that an API server asks or refuses by.
type guardObject struct {
	resource schema.GroupVersionResource
	name     string
}

func (g guardObject) String() string {
	return strings.TrimSuffix(strings.Replace(g.resource.Resource, "policies", "policy", 1), "s") + "/" + g.name
}

// breakGlassPolicy is the policy of the manifests that guards the records of break
// glass (deploy/base/admission-policy.yaml).
const breakGlassPolicy = "mollyguard-break-glass"

// guards are all of them, in the order in which they have to go: bindings before their
// policies, and what policies know last, since they refuse more without it.
func guards(name string) []guardObject {
	of := func(resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resource}
	}
	list := []guardObject{{of("mutatingwebhookconfigurations"), name}, {of("validatingwebhookconfigurations"), name}}
	policies := append(webhook.FloorNames(name), breakGlassPolicy)
	for _, resource := range []string{"validatingadmissionpolicybindings", "validatingadmissionpolicies"} {
		for _, policy := range policies {
			list = append(list, guardObject{of(resource), policy})
		}
	}
	return append(list, guardObject{schema.GroupVersionResource{Group: "mollyguard.dev", Version: "v1alpha1", Resource: "floors"}, name})
}
