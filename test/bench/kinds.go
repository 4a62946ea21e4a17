package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds that there are many objects of.
var (
	namespaces      = builtIn("v1/namespaces/Namespace", false)
	nodes           = builtIn("v1/nodes/Node", false)
	pods            = builtIn("v1/pods/Pod", true)
	services        = builtIn("v1/services/Service", true)
	secrets         = builtIn("v1/secrets/Secret", true)
	configMaps      = builtIn("v1/configmaps/ConfigMap", true)
	serviceAccounts = builtIn("v1/serviceaccounts/ServiceAccount", true)
	claims          = builtIn("v1/persistentvolumeclaims/PersistentVolumeClaim", true)
	volumes         = builtIn("v1/persistentvolumes/PersistentVolume", false)
	deployments     = builtIn("apps/v1/deployments/Deployment", true)
	replicaSets     = builtIn("apps/v1/replicasets/ReplicaSet", true)
	statefulSets    = builtIn("apps/v1/statefulsets/StatefulSet", true)
	revisions       = builtIn("apps/v1/controllerrevisions/ControllerRevision", true)
	jobs            = builtIn("batch/v1/jobs/Job", true)
	cronJobs        = builtIn("batch/v1/cronjobs/CronJob", true)
	autoscalers     = builtIn("autoscaling/v2/horizontalpodautoscalers/HorizontalPodAutoscaler", true)
	budgets         = builtIn("policy/v1/poddisruptionbudgets/PodDisruptionBudget", true)
	roleBindings    = builtIn("rbac.authorization.k8s.io/v1/rolebindings/RoleBinding", true)
	definitions     = builtIn("apiextensions.k8s.io/v1/customresourcedefinitions/CustomResourceDefinition", false)
)

// kindsOf are all kinds of the cluster: those that Kubernetes 1.37 has, as far as they
// can be listed and watched, Mollyguard's own, and custom ones.
func kindsOf() []kind {
	kinds := []kind{
		namespaces, nodes, pods, services, secrets, configMaps, serviceAccounts, claims, volumes, deployments, replicaSets, statefulSets,
		revisions, jobs, cronJobs, autoscalers, budgets, roleBindings, definitions,
	}
	for _, name := range []string{
		"v1/endpoints/Endpoints", "v1/events/Event", "v1/limitranges/LimitRange", "v1/podtemplates/PodTemplate",
		"v1/replicationcontrollers/ReplicationController", "v1/resourcequotas/ResourceQuota", "apps/v1/daemonsets/DaemonSet",
		"coordination.k8s.io/v1/leases/Lease", "discovery.k8s.io/v1/endpointslices/EndpointSlice", "events.k8s.io/v1/events/Event",
		"networking.k8s.io/v1/ingresses/Ingress", "networking.k8s.io/v1/networkpolicies/NetworkPolicy",
		"rbac.authorization.k8s.io/v1/roles/Role", "resource.k8s.io/v1/resourceclaims/ResourceClaim",
		"resource.k8s.io/v1/resourceclaimtemplates/ResourceClaimTemplate", "storage.k8s.io/v1/csistoragecapacities/CSIStorageCapacity",
		"mollyguard.dev/v1alpha1/breakglassrequests/BreakGlassRequest", "mollyguard.dev/v1alpha1/breakglassverdicts/BreakGlassVerdict",
		"mollyguard.dev/v1alpha1/breakglassuses/BreakGlassUse", "mollyguard.dev/v1alpha1/grants/Grant", "mollyguard.dev/v1alpha1/floors/Floor",
	} {
		kinds = append(kinds, builtIn(name, !strings.HasPrefix(name, "mollyguard.dev/")))
	}
	for _, name := range []string{
		"admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/MutatingWebhookConfiguration",
		"admissionregistration.k8s.io/v1/validatingadmissionpolicies/ValidatingAdmissionPolicy",
		"admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/ValidatingAdmissionPolicyBinding",
		"admissionregistration.k8s.io/v1/validatingwebhookconfigurations/ValidatingWebhookConfiguration",
		"apiregistration.k8s.io/v1/apiservices/APIService", "certificates.k8s.io/v1/certificatesigningrequests/CertificateSigningRequest",
		"flowcontrol.apiserver.k8s.io/v1/flowschemas/FlowSchema",
		"flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/PriorityLevelConfiguration",
		"networking.k8s.io/v1/ingressclasses/IngressClass", "networking.k8s.io/v1/ipaddresses/IPAddress", "networking.k8s.io/v1/servicecidrs/ServiceCIDR",
		"node.k8s.io/v1/runtimeclasses/RuntimeClass", "rbac.authorization.k8s.io/v1/clusterrolebindings/ClusterRoleBinding",
		"rbac.authorization.k8s.io/v1/clusterroles/ClusterRole", "resource.k8s.io/v1/deviceclasses/DeviceClass",
		"resource.k8s.io/v1/resourceslices/ResourceSlice", "scheduling.k8s.io/v1/priorityclasses/PriorityClass",
		"storage.k8s.io/v1/csidrivers/CSIDriver", "storage.k8s.io/v1/csinodes/CSINode", "storage.k8s.io/v1/storageclasses/StorageClass",
		"storage.k8s.io/v1/volumeattachments/VolumeAttachment", "storage.k8s.io/v1/volumeattributesclasses/VolumeAttributesClass",
	} {
		kinds = append(kinds, builtIn(name, false))
	}
	for i := range customKinds {
		kinds = append(kinds, customKind(i))
	}
	return kinds
}

// builtIn is a kind by [GROUP/]VERSION/RESOURCE/KIND.
func builtIn(name string, namespaced bool) kind {
	rest, as := cut(name)
	rest, resource := cut(rest)
	group, version := cut(rest)
	return kind{schema.GroupResource{Group: group, Resource: resource}, version, as, namespaced}
}

// cut cuts the last part off a path.
func cut(path string) (rest, last string) {
	at := strings.LastIndexByte(path, '/')
	return path[:max(at, 0)], path[at+1:]
}

// path is where the API server has all objects of the kind.
func (k kind) path() string {
	if k.resource.Group == "" {
		return "/api/" + k.version + "/" + k.resource.Resource
	}
	return "/apis/" + k.resource.Group + "/" + k.version + "/" + k.resource.Resource
}

// apiVersion is as manifests have it.
func (k kind) apiVersion() string {
	return schema.GroupVersion{Group: k.resource.Group, Version: k.version}.String()
}
