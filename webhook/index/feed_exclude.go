package index

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// uninteresting are kinds that hold nothing which could be lost: records of what
// happened, heartbeats, and what controllers compute anew within seconds. Some change so
// often that following them would cost more than all else. ControllerRevisions are not
// among them: a rollback needs them.
var uninteresting = []string{
	"componentstatuses",
	"endpoints",
	"endpointslices.discovery.k8s.io",
	"events",
	"events.events.k8s.io",
	"leases.coordination.k8s.io",
	"leasecandidates.coordination.k8s.io",
}

// holdsNothing reports whether all kinds of an API group are numbers that are measured
// when they are asked for (k8s.io/metrics). They say nothing of deletions even if their
// server does not answer.
func holdsNothing(group string) bool {
	switch group {
	case "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io":
		return true
	}
	return false
}

// exclusions returns the kinds that are not followed. Those that answers about others
// rest on can't be left out.
func exclusions(more []string) (map[schema.GroupResource]bool, error) {
	excluded := map[schema.GroupResource]bool{}
	for _, name := range uninteresting {
		excluded[schema.ParseGroupResource(name)] = true
	}
	for _, name := range more {
		resource := schema.ParseGroupResource(name)
		if resource.Resource == "" {
			return nil, fmt.Errorf("exclude %q: it is not RESOURCE or RESOURCE.GROUP", name)
		}
		if _, facts := distillerOf(resource); facts || resource == namespaces {
			return nil, fmt.Errorf("exclude %q: what depends on other objects can't be known without it", name)
		}
		excluded[resource] = true
	}
	return excluded, nil
}
