package mapping

// kubernetesKind is the kind of a call's object: Kubernetes' own by its resource, else
// the resource. Entries do not name kinds.
func kubernetesKind(c call) string {
	if c.resource == "" {
		return "object"
	}
	if name := kubernetesKinds[c.group+"/"+c.resource]; name != "" {
		return name
	}
	return c.resource
}

// kubernetesKinds are the kinds of what is built in and is lost if it is deleted
// (https://kubernetes.io/docs/reference/kubernetes-api).
var kubernetesKinds = map[string]string{
	"/configmaps":             "ConfigMap",
	"/limitranges":            "LimitRange",
	"/namespaces":             "Namespace",
	"/nodes":                  "Node",
	"/persistentvolumeclaims": "PersistentVolumeClaim",
	"/persistentvolumes":      "PersistentVolume",
	"/pods":                   "Pod",
	"/podtemplates":           "PodTemplate",
	"/replicationcontrollers": "ReplicationController",
	"/resourcequotas":         "ResourceQuota",
	"/secrets":                "Secret",
	"/serviceaccounts":        "ServiceAccount",
	"/services":               "Service",

	"admissionregistration.k8s.io/mutatingadmissionpolicies":         "MutatingAdmissionPolicy",
	"admissionregistration.k8s.io/mutatingadmissionpolicybindings":   "MutatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/mutatingwebhookconfigurations":     "MutatingWebhookConfiguration",
	"admissionregistration.k8s.io/validatingadmissionpolicies":       "ValidatingAdmissionPolicy",
	"admissionregistration.k8s.io/validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/validatingwebhookconfigurations":   "ValidatingWebhookConfiguration",
	"apiextensions.k8s.io/customresourcedefinitions":                 "CustomResourceDefinition",
	"apiregistration.k8s.io/apiservices":                             "APIService",
	"apps/controllerrevisions":                                       "ControllerRevision",
	"apps/daemonsets":                                                "DaemonSet",
	"apps/deployments":                                               "Deployment",
	"apps/replicasets":                                               "ReplicaSet",
	"apps/statefulsets":                                              "StatefulSet",
	"autoscaling/horizontalpodautoscalers":                           "HorizontalPodAutoscaler",
	"batch/cronjobs":                                                 "CronJob",
	"batch/jobs":                                                     "Job",
	"mollyguard.dev/breakglassrequests":                              "BreakGlassRequest",
	"mollyguard.dev/breakglassuses":                                  "BreakGlassUse",
	"mollyguard.dev/breakglassverdicts":                              "BreakGlassVerdict",
	"mollyguard.dev/grants":                                          "Grant",
	"networking.k8s.io/ingressclasses":                               "IngressClass",
	"networking.k8s.io/ingresses":                                    "Ingress",
	"networking.k8s.io/networkpolicies":                              "NetworkPolicy",
	"policy/poddisruptionbudgets":                                    "PodDisruptionBudget",
	"rbac.authorization.k8s.io/clusterrolebindings":                  "ClusterRoleBinding",
	"rbac.authorization.k8s.io/clusterroles":                         "ClusterRole",
	"rbac.authorization.k8s.io/rolebindings":                         "RoleBinding",
	"rbac.authorization.k8s.io/roles":                                "Role",
	"scheduling.k8s.io/priorityclasses":                              "PriorityClass",
	"snapshot.storage.k8s.io/volumesnapshotcontents":                 "VolumeSnapshotContent",
	"snapshot.storage.k8s.io/volumesnapshots":                        "VolumeSnapshot",
	"storage.k8s.io/csidrivers":                                      "CSIDriver",
	"storage.k8s.io/storageclasses":                                  "StorageClass",
	"storage.k8s.io/volumeattachments":                               "VolumeAttachment",
}
