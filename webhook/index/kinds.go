package index

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds that the index knows something of.
var (
	namespaces      = schema.GroupResource{Resource: "namespaces"}
	pods            = schema.GroupResource{Resource: "pods"}
	nodes           = schema.GroupResource{Resource: "nodes"}
	claims          = schema.GroupResource{Resource: "persistentvolumeclaims"}
	volumes         = schema.GroupResource{Resource: "persistentvolumes"}
	snapshots       = schema.GroupResource{Group: "snapshot.storage.k8s.io", Resource: "volumesnapshots"}
	services        = schema.GroupResource{Resource: "services"}
	secrets         = schema.GroupResource{Resource: "secrets"}
	configMaps      = schema.GroupResource{Resource: "configmaps"}
	accounts        = schema.GroupResource{Resource: "serviceaccounts"}
	daemonSets      = schema.GroupResource{Group: "apps", Resource: "daemonsets"}
	budgets         = schema.GroupResource{Group: "policy", Resource: "poddisruptionbudgets"}
	roles           = schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "roles"}
	clusterRoles    = schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}
	roleBindings    = schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}
	clusterBindings = schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}
	storageClasses  = schema.GroupResource{Group: "storage.k8s.io", Resource: "storageclasses"}
	priorityClasses = schema.GroupResource{Group: "scheduling.k8s.io", Resource: "priorityclasses"}
	ingresses       = schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}
	networkPolicies = schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
	definitions     = schema.GroupResource{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"}
	apiServices     = schema.GroupResource{Group: "apiregistration.k8s.io", Resource: "apiservices"}
)

// connectorGroup ends the API groups of Config Connector's cloud resources, and
// connectorCore is the one that holds its own settings.
const (
	connectorGroup = ".cnrm.cloud.google.com"
	connectorCore  = "core" + connectorGroup
)

// InCloud reports whether the objects of an API group stand for resources in the cloud,
// as far as that can be told by the group: it is one of Config Connector's.
func InCloud(group string) bool {
	return strings.HasSuffix(group, connectorGroup) && group != connectorCore
}
