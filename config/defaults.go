package config

import (
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Default returns the configuration that applies where the file says nothing,
// and as a whole where there is no file.
func Default() Configuration {
	c := Configuration{APIVersion: APIVersion, Kind: Kind}
	c.complete()
	return c
}

func (c *Configuration) complete() {
	or(&c.Cluster, "kubernetes")

	// An empty list in the file ("selectors: []") is kept: nobody's labels count.
	if c.Production.Selectors == nil {
		c.Production.Selectors = []string{
			"env in (production, prod, live)",
			"environment in (production, prod, live)",
		}
	}
	if c.Production.NamespaceSelectors == nil {
		c.Production.NamespaceSelectors = c.Production.Selectors
	}

	or(&c.Policies.Embedded, new(true))
	c.completeEnforcement()
	or(&c.Policies.ReloadInterval, 10*time.Second)

	// Given ones add to these: a cluster whose own controllers are judged stumbles.
	for _, pattern := range builtInControlPlane() {
		if !slices.Contains(c.Kubernetes.ControlPlane, pattern) {
			c.Kubernetes.ControlPlane = append(c.Kubernetes.ControlPlane, pattern)
		}
	}
	c.completeHousekeeping()
	or(&c.Kubernetes.Events, new(true))
	or(&c.Kubernetes.Index.Enabled, new(true))
	or(&c.Kubernetes.Floor.Manage, new(true))
	c.Kubernetes.MassChange.complete()
	webhook := &c.Kubernetes.Webhook
	or(&webhook.Manage, new(true))
	or(&webhook.Name, "mollyguard")
	or(&webhook.Service.Namespace, "mollyguard")
	or(&webhook.Service.Name, "mollyguard")
	or(&webhook.Service.Port, 443)
	or(&webhook.TimeoutSeconds, 5)
	or(&webhook.FailurePolicy.Protected, "Fail")
	or(&webhook.FailurePolicy.Other, "Ignore")

	or(&c.Server.Address, ":8443")
	or(&c.Server.StatusAddress, ":8080")
	or(&c.Server.ShutdownDelay, new(5*time.Second))

	or(&c.Certificates.Secret.Namespace, webhook.Service.Namespace)
	or(&c.Certificates.Secret.Name, "mollyguard-certificates")

	or(&c.DecisionLog.Path, "-")
	c.completeBreakGlass()
	c.completeAudit()
	or(&c.Alerts.UpdateInterval, 10*time.Second)
	c.completeTerraform()
}

// completeEnforcement adds what the embedded policies do where no rule of the file says
// something else: the first rule that fits decides. A file that was printed has the rules
// already. Without the embedded policies there is nothing that they could be about.
func (c *Configuration) completeEnforcement() {
	if !*c.Policies.Embedded {
		return
	}
	for _, rule := range builtInEnforcement() {
		there := func(e Enforcement) bool {
			return slices.Equal(e.Policies, rule.Policies) && e.Action == rule.Action &&
				len(e.Namespaces)+len(e.Actors)+len(e.Surfaces)+len(e.Projects) == 0
		}
		if !slices.ContainsFunc(c.Enforcement, there) {
			c.Enforcement = append(c.Enforcement, rule)
		}
	}
}

// builtInEnforcement are the embedded policies that only warn: what they see is often
// meant, and nothing stops running because of it.
func builtInEnforcement() []Enforcement {
	return []Enforcement{
		{Policies: []string{"class-of-production"}, Action: operation.EnforceWarn},
		{Policies: []string{"production-isolated"}, Action: operation.EnforceWarn},
		{Policies: []string{"plan-partial"}, Action: operation.EnforceWarn},
		{Policies: []string{"created-unprotected"}, Action: operation.EnforceWarn},
	}
}

func builtInControlPlane() []string {
	return []string{
		"system:serviceaccount:kube-system:.*",
		"system:node:.*",
		"system:kube-controller-manager",
		"system:kube-scheduler",
		"system:apiserver",
	}
}

// or sets what is zero.
func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
