package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// ownClusterRoles are the cluster roles and bindings of the manifests, and those that
// people make beside them.
const ownClusterRoles = `mollyguard(-.*)?`

// planOwn says which objects of a plan are Mollyguard's own: what keeps or judges for it
// in the API server, its definitions and roles, and all in its namespace. In which cluster
// is not asked, for it is called alike in all of them.
func planOwn(c config.Configuration) func(*operation.Target) bool {
	name, namespace := c.Kubernetes.Webhook.Name, ownership(c).Namespace
	guards := append(webhook.FloorNames(name), name, breakGlassPolicy)
	roles := regexp.MustCompile(`^(?:` + ownClusterRoles + `)$`)
	return func(t *operation.Target) bool {
		if t.Namespace != "" {
			return t.Namespace == namespace
		}
		switch t.Group {
		case "":
			return t.Resource == "namespaces" && namespace != "" && t.Name == namespace
		case "admissionregistration.k8s.io":
			return slices.Contains(guards, t.Name)
		case "apiextensions.k8s.io", "apiregistration.k8s.io":
			return strings.HasSuffix(t.Name, "."+v1alpha1.Group)
		case "rbac.authorization.k8s.io":
			return roles.MatchString(t.Name)
		}
		return t.Group == v1alpha1.Group && t.Resource == "floors"
	}
}
