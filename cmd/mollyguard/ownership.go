package main

import (
	"slices"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// ownership says what is Mollyguard's own in the cluster. A server that the API server
// finds by a URL is not in it. The service account is called as the Service is: the
// manifests see to that.
func ownership(c config.Configuration) webhook.Ownership {
	if c.Kubernetes.Webhook.URL != "" {
		return webhook.Ownership{}
	}
	service := c.Kubernetes.Webhook.Service
	return webhook.Ownership{Namespace: service.Namespace, Account: "system:serviceaccount:" + service.Namespace + ":" + service.Name}
}

// exemptActors are the patterns of those whom the configuration lets through on
// Kubernetes, beside the control plane.
func exemptActors(c config.Configuration) []string {
	var patterns []string
	for _, e := range kubernetesExemptions(c) {
		patterns = append(patterns, e.Actors...)
	}
	return patterns
}

// exemptIdentities are all who are let through on Kubernetes, by exemption.
func exemptIdentities(c config.Configuration) ([]webhook.Exempt, error) {
	list := kubernetesExemptions(c)
	if len(c.Kubernetes.ControlPlane) > 0 {
		list = slices.Insert(list, 0, config.Exemption{Name: controlPlaneExemption, Actors: c.Kubernetes.ControlPlane})
	}
	var exempt []webhook.Exempt
	for _, e := range list {
		actors, err := parsePatterns(e.Actors)
		if err != nil {
			return nil, err
		}
		exempt = append(exempt, webhook.Exempt{Name: e.Name, Actors: actors, ControlPlane: e.Name == controlPlaneExemption})
	}
	return exempt, nil
}

// kubernetesExemptions are those by which somebody is let through whatever they do.
func kubernetesExemptions(c config.Configuration) []config.Exemption {
	var list []config.Exemption
	for _, e := range c.Exempt {
		if e.Narrow() {
			continue
		}
		if len(e.Surfaces) == 0 || slices.Contains(e.Surfaces, operation.Kubernetes) {
			list = append(list, e)
		}
	}
	return list
}
