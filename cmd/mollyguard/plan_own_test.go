package main

import (
	"testing"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAPlanThatChangesMollyguardItselfIsToldApart(t *testing.T) {
	target := func(group, resource, namespace, name string) operation.Target {
		return operation.Target{Reference: operation.Reference{Namespace: namespace, Name: name}, Group: group, Resource: resource}
	}
	var c config.Configuration
	c.Kubernetes.Webhook.Name = "mollyguard"
	c.Kubernetes.Webhook.Service = config.Service{Namespace: "guard", Name: "mollyguard"}
	outside := c
	outside.Kubernetes.Webhook.URL = "https://guard.example.com"
	for name, tt := range map[string]struct {
		target        operation.Target
		inside, alone bool
	}{
		"its webhook configuration":    {target("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "mollyguard"), true, true},
		"a policy of its floor":        {target("admissionregistration.k8s.io", "validatingadmissionpolicies", "", "mollyguard-floor"), true, true},
		"the policy of break glass":    {target("admissionregistration.k8s.io", "validatingadmissionpolicies", "", "mollyguard-break-glass"), true, true},
		"somebody else's webhook":      {target("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "kyverno"), false, false},
		"its definition":               {target("apiextensions.k8s.io", "customresourcedefinitions", "", "grants.mollyguard.dev"), true, true},
		"somebody else's definition":   {target("apiextensions.k8s.io", "customresourcedefinitions", "", "crontabs.example.com"), false, false},
		"its role":                     {target("rbac.authorization.k8s.io", "clusterroles", "", "mollyguard-server"), true, true},
		"somebody else's role":         {target("rbac.authorization.k8s.io", "clusterroles", "", "mollyguards"), false, false},
		"its namespace":                {target("", "namespaces", "", "guard"), true, false},
		"another namespace":            {target("", "namespaces", "", "shop"), false, false},
		"what is in its namespace":     {target("apps", "deployments", "guard", "mollyguard"), true, false},
		"what is in another namespace": {target("apps", "deployments", "shop", "mollyguard"), false, false},
		"what is in no cluster":        {target("", "google_storage_bucket", "", "guard"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := planOwn(c)(&tt.target); got != tt.inside {
				t.Errorf("of a server in the cluster: %t", got)
			}
			if got := planOwn(outside)(&tt.target); got != tt.alone {
				t.Errorf("of a server outside: %t", got)
			}
		})
	}
}
