package alert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// place is where a target is: objects of one name are in many clusters.
func place(o Operation) string {
	cluster, project := clusterOf(o), o.Project
	if cluster != "" {
		cluster = "cluster " + cluster
	}
	if project != "" {
		project = "project " + project
	}
	return bracketed(cluster, project, o.Location)
}

// clusterOf is the cluster of a Kubernetes object, or "".
func clusterOf(o Operation) string {
	name, _ := operation.ParseKubernetesRef(o.Target.Ref)
	return name.Cluster
}

func bracketed(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// maxTitleClusters is how many clusters a title names: of more it has the number.
const maxTitleClusters = 3

// places is where many operations are, of which only those that are listed say their
// cluster.
func (in *incident) places(operations []Operation) string {
	var clusters []string
	for _, o := range operations {
		if cluster := clusterOf(o); cluster != "" && !slices.Contains(clusters, cluster) {
			clusters = append(clusters, cluster)
		}
	}
	var where string
	switch n := len(clusters); {
	case n == 1:
		where = "cluster " + clusters[0]
	case n > maxTitleClusters:
		where = fmt.Sprintf("%d clusters", n)
	case n > 1:
		where = "clusters " + strings.Join(clusters, ", ")
	}
	if where != "" && len(operations) < in.size() {
		where = "the worst in " + where
	}
	project := in.Project
	if in.Mixed.Project {
		project = ""
	}
	if project != "" {
		project = "project " + project
	}
	return bracketed(where, project)
}
