package webhook

import "fmt"

type weakeningTest struct {
	name string
	weakeningCase
	want string
	// sent says that the filter lets it through although nothing is weakened.
	sent bool
}

func updated(resource, kind, old, new string) weakeningCase {
	return weakeningCase{resource: resource, kind: kind, old: old, new: new}
}

func (c weakeningCase) by(user string) weakeningCase { c.user = user; return c }
func (c weakeningCase) at(sub string) weakeningCase  { c.subResource = sub; return c }

func specText(text string) string { return `{"spec":` + text + `}` }
func metaText(text string) string { return `{"metadata":` + text + `}` }
func annotationText(key, value string) string {
	return metaText(fmt.Sprintf(`{"annotations":{%q:%q}}`, key, value))
}
func finalizedText(terminating bool, f string) string {
	if terminating {
		return metaText(`{"deletionTimestamp":"2026-11-21T03:00:00Z","finalizers":` + f + `}`)
	}
	return metaText(`{"finalizers":` + f + `}`)
}
func ownedText(refs string) string { return metaText(`{"ownerReferences":[` + refs + `]}`) }

const (
	ownerA       = `{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"1"}`
	ownerB       = `{"apiVersion":"v1","kind":"ConfigMap","name":"b","uid":"2"}`
	ownerHolding = `{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"1","controller":true,"blockOwnerDeletion":true}`
	agentUser    = "system:serviceaccount:agents:claude"
	// controlPlaneUser is let through.
	controlPlaneUser = "system:serviceaccount:kube-system:some-controller"
)

func weakeningTable() []weakeningTest {
	var all []weakeningTest
	for _, list := range [][]weakeningTest{scalingTable(), protectionTable(), referenceTable(), storageTable(), trafficTable(), definitionTable(), schemaTable(), apiTable(), exemptionTable(), goingOwnerTable(), endingTable()} {
		all = append(all, list...)
	}
	return all
}

func scalingTable() []weakeningTest {
	hpa := func(old, new string) weakeningCase {
		return updated("autoscaling/horizontalpodautoscalers", "HorizontalPodAutoscaler", specText(old), specText(new))
	}
	keda := func(old, new string) weakeningCase {
		return updated("keda.sh/scaledobjects", "ScaledObject", specText(old), specText(new))
	}
	widget := func(old, new string) weakeningCase { return updated(widgets, "Widget", specText(old), specText(new)) }
	daemons := func(old, new string) weakeningCase {
		return updated("apps/daemonsets", "DaemonSet", specText(`{"template":{"spec":`+old+`}}`), specText(`{"template":{"spec":`+new+`}}`))
	}
	required := func(zone string) string {
		return `{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","values":["` + zone + `"]}]}]}}}}`
	}
	return []weakeningTest{
		{name: "replicas to zero", weakeningCase: updated("apps/deployments", "Deployment", specText(`{"replicas":2}`), specText(`{"replicas":0}`)), want: "scale-to-zero: spec.replicas 2 → 0"},
		{name: "replicas down to one", weakeningCase: updated("apps/deployments", "Deployment", specText(`{"replicas":2}`), specText(`{"replicas":1}`)), want: "update"},
		{name: "a text that is a number to zero", weakeningCase: widget(`{"replicas":"3"}`, `{"replicas":"0"}`), want: "scale-to-zero: spec.replicas 3 → 0"},
		{name: "a number to a text that is zero", weakeningCase: widget(`{"replicas":3}`, `{"replicas":"00"}`), want: "scale-to-zero: spec.replicas 3 → 0"},
		{name: "a text that is a number to another", weakeningCase: widget(`{"replicas":"3"}`, `{"replicas":"02"}`), want: "update"},
		{name: "a text that is a number to a word", weakeningCase: widget(`{"replicas":"3"}`, `{"replicas":"none"}`), want: "unknown: spec.replicas 3 → not a number"},
		{name: "a number to a list", weakeningCase: widget(`{"size":3}`, `{"size":[0]}`), want: "unknown: spec.size 3 → not a number"},
		{name: "a size to zero", weakeningCase: widget(`{"size":3}`, `{"size":0}`), want: "scale-to-zero: spec.size 3 → 0"},
		{name: "a size of a disk", weakeningCase: widget(`{"size":"10Gi"}`, `{"size":"0Gi"}`), want: "update"},
		{name: "instances gone", weakeningCase: widget(`{"instances":3}`, `{}`), want: "scale-to-zero: spec.instances 3 → 0"},
		{name: "a spec that is a text now", weakeningCase: updated(widgets, "Widget", specText(`{"instances":3}`), specText(`"none"`)), want: "unknown: spec.instances 3 → not a number"},
		{name: "a field that nobody knows to zero", weakeningCase: widget(`{"nodeCount":3}`, `{"nodeCount":0}`), want: "update"},

		{name: "an autoscaler may go to none", weakeningCase: hpa(`{"minReplicas":2,"maxReplicas":4}`, `{"minReplicas":0,"maxReplicas":4}`), want: "scale-to-zero: spec.minReplicas 2 → 0"},
		{name: "an autoscaler without a minimum may go to none", weakeningCase: hpa(`{"maxReplicas":4}`, `{"minReplicas":0,"maxReplicas":4}`), want: "scale-to-zero: spec.minReplicas 1 → 0"},
		{name: "an autoscaler's minimum left out", weakeningCase: hpa(`{"minReplicas":2,"maxReplicas":4}`, `{"maxReplicas":4}`), want: "update"},
		{name: "an autoscaler's maximum to zero", weakeningCase: hpa(`{"maxReplicas":4}`, `{"maxReplicas":0}`), want: "scale-to-zero: spec.maxReplicas 4 → 0"},
		{name: "an autoscaler's maximum lowered", weakeningCase: hpa(`{"maxReplicas":4}`, `{"maxReplicas":1}`), want: "update"},

		{name: "KEDA's minimum to zero", weakeningCase: keda(`{"minReplicaCount":2}`, `{"minReplicaCount":0}`), want: "scale-to-zero: spec.minReplicaCount 2 → 0"},
		{name: "KEDA's minimum left out", weakeningCase: keda(`{"minReplicaCount":2}`, `{}`), want: "scale-to-zero: spec.minReplicaCount 2 → 0"},
		{name: "KEDA's minimum that was never there", weakeningCase: keda(`{}`, `{"minReplicaCount":0}`), want: "update"},
		{name: "KEDA's minimum no number", weakeningCase: keda(`{"minReplicaCount":2}`, `{"minReplicaCount":"few"}`), want: "unknown: spec.minReplicaCount 2 → 0; spec.minReplicaCount is not a number"},
		{name: "KEDA's maximum to zero", weakeningCase: keda(`{}`, `{"maxReplicaCount":0}`), want: "scale-to-zero: spec.maxReplicaCount 100 → 0"},
		{name: "KEDA's maximum left out", weakeningCase: keda(`{"maxReplicaCount":10}`, `{}`), want: "update"},
		{name: "KEDA held at zero", weakeningCase: updated("keda.sh/scaledobjects", "ScaledObject", specText(`{}`), annotationText(pausedReplicas, "0")),
			want: "scale-to-zero: annotation autoscaling.keda.sh/paused-replicas=0 set: KEDA scales down to that and stays there"},
		{name: "KEDA held at three", weakeningCase: updated("keda.sh/scaledobjects", "ScaledObject", specText(`{}`), annotationText(pausedReplicas, "3")), want: "update", sent: true},

		{name: "a CronJob suspended", weakeningCase: updated("batch/cronjobs", "CronJob", specText(`{"suspend":false}`), specText(`{"suspend":true}`)), want: "scale-to-zero: spec.suspend false → true: nothing runs until it is taken back"},
		{name: "a Job suspended", weakeningCase: updated("batch/jobs", "Job", specText(`{}`), specText(`{"suspend":true}`)), want: "scale-to-zero: spec.suspend false → true: nothing runs until it is taken back"},
		{name: "a CronJob resumed", weakeningCase: updated("batch/cronjobs", "CronJob", specText(`{"suspend":true}`), specText(`{"suspend":false}`)), want: "update"},
		{name: "a CronJob that stays suspended", weakeningCase: updated("batch/cronjobs", "CronJob", specText(`{"suspend":true}`), specText(`{"suspend":true,"schedule":"@daily"}`)), want: "update"},

		{name: "a DaemonSet kept to nodes with a label", weakeningCase: daemons(`{}`, `{"nodeSelector":{"none":"such"}}`), want: `scale-to-zero: nodeSelector none → {"none":"such"}: it may match no node`},
		{name: "a DaemonSet kept to nodes with another value", weakeningCase: daemons(`{"nodeSelector":{"a":"1"}}`, `{"nodeSelector":{"a":"2"}}`), want: `scale-to-zero: nodeSelector {"a":"1"} → {"a":"2"}: it may match no node`},
		{name: "a DaemonSet let onto more nodes", weakeningCase: daemons(`{"nodeSelector":{"a":"1","b":"2"}}`, `{"nodeSelector":{"b":"2"}}`), want: "update"},
		{name: "a DaemonSet with another image", weakeningCase: daemons(`{"nodeSelector":{"a":"1"},"containers":[{"name":"a","image":"1"}]}`, `{"nodeSelector":{"a":"1"},"containers":[{"name":"a","image":"2"}]}`), want: "update"},
		{name: "a DaemonSet that requires an affinity", weakeningCase: daemons(`{}`, required("x")),
			want: `scale-to-zero: required nodeAffinity none → {"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","val…: it may match no node`},
		{name: "a DaemonSet that requires the same affinity", weakeningCase: daemons(required("x"), required("x")), want: "update"},
		{name: "a DaemonSet that requires none any more", weakeningCase: daemons(required("x"), `{}`), want: "update"},
		{name: "a Deployment kept to nodes with a label", weakeningCase: updated("apps/deployments", "Deployment", specText(`{"template":{"spec":{}}}`), specText(`{"template":{"spec":{"nodeSelector":{"a":"1"}}}}`)), want: "update"},
	}
}

func protectionTable() []weakeningTest {
	deployment := func(old, new string) weakeningCase { return updated("apps/deployments", "Deployment", old, new) }
	kruise := func(value string) string {
		return metaText(`{"labels":{"policy.kruise.io/delete-protection":"` + value + `"}}`)
	}
	bucket := func(old, new string) weakeningCase {
		return updated("s3.aws.upbound.io/buckets", "Bucket", specText(old), specText(new))
	}
	none := metaText(`{}`)
	return []weakeningTest{
		{name: "OpenKruise's label removed", weakeningCase: deployment(kruise("Always"), none), want: "unprotect: label policy.kruise.io/delete-protection=Always removed: OpenKruise refused to delete it"},
		{name: "OpenKruise's label weakened", weakeningCase: deployment(kruise("Always"), kruise("Cascading")), want: "unprotect: label policy.kruise.io/delete-protection=Always changed to Cascading: OpenKruise refused to delete it"},
		{name: "OpenKruise's label strengthened", weakeningCase: deployment(kruise("Cascading"), kruise("Always")), want: "update", sent: true},
		{name: "OpenKruise's label kept", weakeningCase: deployment(kruise("Always"), kruise("Always")), want: "update"},
		{name: "Helm's policy removed", weakeningCase: deployment(annotationText(helmPolicy, "keep"), none), want: "unprotect: annotation helm.sh/resource-policy=keep removed: Helm left it in place"},
		{name: "Helm's policy that keeps nothing removed", weakeningCase: deployment(annotationText(helmPolicy, "delete"), none), want: "update", sent: true},
		{name: "Argo CD's option removed", weakeningCase: deployment(annotationText(argoOptions, "Validate=false, Prune=false"), annotationText(argoOptions, "Validate=false")),
			want: "unprotect: annotation argocd.argoproj.io/sync-options=Validate=false, Prune=false changed to Validate=false: Argo CD did not delete it without being told (Prune)"},
		{name: "Argo CD's option weakened", weakeningCase: deployment(annotationText(argoOptions, "Delete=false"), annotationText(argoOptions, "Delete=confirm")),
			want: "unprotect: annotation argocd.argoproj.io/sync-options=Delete=false changed to Delete=confirm: Argo CD did not delete it without being told (Delete)"},
		{name: "Argo CD's options in another order", weakeningCase: deployment(annotationText(argoOptions, "Prune=false,Delete=false"), annotationText(argoOptions, "Delete=false,Prune=false")), want: "update", sent: true},
		{name: "Config Connector's policy changed", weakeningCase: updated("sql.cnrm.cloud.google.com/sqlinstances", "SQLInstance", annotationText(connectorPolicy, "abandon"), annotationText(connectorPolicy, "delete")),
			want: "unprotect: annotation cnrm.cloud.google.com/deletion-policy=abandon changed to delete: Config Connector left the cloud resource in place"},
		{name: "another annotation removed", weakeningCase: deployment(annotationText("a", "b"), none), want: "update"},
		{name: "Helm's policy removed with a status", weakeningCase: deployment(annotationText(helmPolicy, "keep"), none).at("status"), want: "unprotect: annotation helm.sh/resource-policy=keep removed: Helm left it in place"},
		{name: "a status that removes nothing", weakeningCase: deployment(annotationText(helmPolicy, "keep"), annotationText(helmPolicy, "keep")).at("status"), want: "update"},
		{name: "Helm's policy removed with a resize", weakeningCase: updated("/pods", "Pod", annotationText(helmPolicy, "keep"), none).at("resize"), want: "unprotect: annotation helm.sh/resource-policy=keep removed: Helm left it in place"},

		{name: "Crossplane's policy to Delete", weakeningCase: bucket(`{"deletionPolicy":"Orphan"}`, `{"deletionPolicy":"Delete"}`), want: "unprotect: spec.deletionPolicy Orphan → Delete: what the object stands for goes with it"},
		{name: "Crossplane's policy gone", weakeningCase: bucket(`{"deletionPolicy":"Orphan"}`, `{}`), want: "unprotect: spec.deletionPolicy Orphan → none: what the object stands for goes with it"},
		{name: "Crossplane's policy to Orphan", weakeningCase: bucket(`{"deletionPolicy":"Delete"}`, `{"deletionPolicy":"Orphan"}`), want: "update"},
		{name: "Crossplane's management gains Delete", weakeningCase: bucket(`{"managementPolicies":["Observe"]}`, `{"managementPolicies":["Observe","Delete"]}`),
			want: `unprotect: spec.managementPolicies ["Observe"] → ["Observe","Delete"]: what the object stands for goes with it`},
		{name: "Crossplane's management gains everything", weakeningCase: bucket(`{"managementPolicies":["Observe"]}`, `{"managementPolicies":["*"]}`), want: `unprotect: spec.managementPolicies ["Observe"] → ["*"]: what the object stands for goes with it`},
		{name: "Crossplane's management gains Update", weakeningCase: bucket(`{"managementPolicies":["Observe"]}`, `{"managementPolicies":["Observe","Update"]}`), want: "update", sent: true},
		{name: "Crossplane's management gains everything, but the policy keeps it", weakeningCase: bucket(`{"managementPolicies":["Observe"],"deletionPolicy":"Orphan"}`, `{"managementPolicies":["*"],"deletionPolicy":"Orphan"}`), want: "update", sent: true},
		{name: "Crossplane's management set to Delete, which counts before the policy", weakeningCase: bucket(`{"deletionPolicy":"Orphan"}`, `{"deletionPolicy":"Orphan","managementPolicies":["Delete"]}`),
			want: `unprotect: spec.managementPolicies none → ["Delete"]: what the object stands for goes with it`},
		{name: "Crossplane's policy no text", weakeningCase: bucket(`{"deletionPolicy":"Orphan"}`, `{"deletionPolicy":["Orphan"]}`), want: "unknown: spec.deletionPolicy is not a text"},
		{name: "a snapshot's data no longer kept", weakeningCase: updated("snapshot.storage.k8s.io/volumesnapshotcontents", "VolumeSnapshotContent", specText(`{"deletionPolicy":"Retain"}`), specText(`{"deletionPolicy":"Delete"}`)),
			want: "unprotect: spec.deletionPolicy Retain → Delete: what the object stands for goes with it"},
		{name: "deletion protection off", weakeningCase: bucket(`{"deletionProtection":true}`, `{"deletionProtection":false}`), want: "unprotect: spec.deletionProtection true → false"},
		{name: "the provider's deletion protection left out", weakeningCase: bucket(`{"forProvider":{"deletionProtection":true}}`, `{"forProvider":{}}`), want: "unprotect: spec.forProvider.deletionProtection true → none"},
		{name: "deletion protection on", weakeningCase: bucket(`{"deletionProtection":false}`, `{"deletionProtection":true}`), want: "update"},
		{name: "deletion protection no truth value", weakeningCase: bucket(`{"deletionProtection":true}`, `{"deletionProtection":"yes"}`), want: "unknown: spec.deletionProtection true → yes; spec.deletionProtection is not true or false"},
	}
}

func referenceTable() []weakeningTest {
	deployment := func(old, new string) weakeningCase { return updated("apps/deployments", "Deployment", old, new) }
	claim := func(old, new string) weakeningCase { return updated(pvc, "PersistentVolumeClaim", old, new) }
	going := "unprotect: finalizer example.com/wait dropped from an object that is being deleted: it goes at once, whatever the finalizer was there for"
	return []weakeningTest{
		{name: "a finalizer dropped from a terminating object", weakeningCase: deployment(finalizedText(true, `["example.com/wait","a/b"]`), finalizedText(true, `["a/b"]`)), want: going},
		{name: "a finalizer dropped with a status", weakeningCase: deployment(finalizedText(true, `["example.com/wait"]`), finalizedText(true, `[]`)).at("status"), want: going},
		{name: "a finalizer dropped by its operator", weakeningCase: deployment(finalizedText(true, `["example.com/wait"]`), finalizedText(true, `[]`)).by(operatorUser), want: "update"},
		{name: "a finalizer dropped by an agent's service account", weakeningCase: deployment(finalizedText(true, `["example.com/wait"]`), finalizedText(true, `[]`)).by(agentUser), want: going},
		{name: "a finalizer dropped from an object that stays", weakeningCase: deployment(finalizedText(false, `["example.com/wait"]`), finalizedText(false, `[]`)), want: "update"},
		{name: "a terminating object's finalizers in another order", weakeningCase: deployment(finalizedText(true, `["a/a","b/b"]`), finalizedText(true, `["b/b","a/a"]`)), want: "update", sent: true},
		{name: "a claim's protection dropped", weakeningCase: claim(finalizedText(false, `["kubernetes.io/pvc-protection"]`), finalizedText(false, `[]`)), want: "unprotect: finalizer kubernetes.io/pvc-protection dropped: nothing keeps it while it is in use"},
		{name: "a claim's protection dropped by a service account", weakeningCase: claim(finalizedText(true, `["kubernetes.io/pvc-protection"]`), finalizedText(true, `[]`)).by(operatorUser), want: "unprotect: finalizer kubernetes.io/pvc-protection dropped: nothing keeps it while it is in use"},
		{name: "a volume's protection dropped", weakeningCase: updated(pv, "PersistentVolume", finalizedText(false, `["kubernetes.io/pv-protection"]`), metaText(`{}`)), want: "unprotect: finalizer kubernetes.io/pv-protection dropped: nothing keeps it while it is in use"},
		{name: "a claim's protection kept", weakeningCase: claim(finalizedText(false, `["kubernetes.io/pvc-protection","a/b"]`), finalizedText(false, `["kubernetes.io/pvc-protection"]`)), want: "update"},

		{name: "an owner added", weakeningCase: deployment(metaText(`{}`), ownedText(ownerA)), want: "unprotect: owner reference to ConfigMap a added: the garbage collector deletes it once that is not there"},
		{name: "an owner added with a status", weakeningCase: deployment(metaText(`{}`), ownedText(ownerA)).at("status"), want: "unprotect: owner reference to ConfigMap a added: the garbage collector deletes it once that is not there"},
		{name: "an owner added to another", weakeningCase: deployment(ownedText(ownerA), ownedText(ownerA+","+ownerB)), want: "unprotect: owner reference to ConfigMap b added: the garbage collector deletes it once that is not there"},
		{name: "an owner renamed", weakeningCase: deployment(ownedText(ownerA), ownedText(`{"apiVersion":"v1","kind":"ConfigMap","name":"z","uid":"1"}`)), want: "unprotect: owner reference to ConfigMap z added: the garbage collector deletes it once that is not there"},
		{name: "an owner added by an operator, which is looked up", weakeningCase: deployment(metaText(`{}`), ownedText(ownerA)).by(operatorUser), want: "update", sent: true},
		{
			name: "a controller added to a pod by an operator", weakeningCase: updated("/pods", "Pod", metaText(`{}`), ownedText(ownerHolding)).by(operatorUser),
			want: "unprotect: controller ConfigMap a added: service accounts may delete what a controller owns",
		},
		{
			name: "an owner of a pod that controls now", weakeningCase: updated("/pods", "Pod", ownedText(ownerA), ownedText(ownerHolding)),
			want: "unprotect: controller ConfigMap a added: service accounts may delete what a controller owns",
		},
		{
			name: "an owner that controls nothing added to a pod by an operator", weakeningCase: updated("/pods", "Pod", metaText(`{}`), ownedText(ownerA)).by(operatorUser),
			want: "update", sent: true,
		},
		{
			name: "a controller added to a pod by the control plane", want: "update",
			weakeningCase: updated("/pods", "Pod", metaText(`{}`), ownedText(ownerHolding)).by("system:serviceaccount:kube-system:replicaset-controller"),
		},
		{name: "an owner removed", weakeningCase: deployment(ownedText(ownerA), metaText(`{}`)), want: "update"},
		{name: "one of two owners removed", weakeningCase: deployment(ownedText(ownerA+","+ownerB), ownedText(ownerB)), want: "update", sent: true},
		{name: "an owner that no longer controls and waits", weakeningCase: deployment(ownedText(ownerHolding), ownedText(ownerA)),
			want: "unprotect: blockOwnerDeletion of ConfigMap a true → false: its owner no longer waits for it; ConfigMap a no longer controls it"},
		{name: "an owner that no longer controls, by its operator", weakeningCase: deployment(ownedText(ownerHolding), ownedText(ownerA)).by(operatorUser), want: "update", sent: true},
		{name: "an owner that controls now", weakeningCase: deployment(ownedText(ownerA), ownedText(ownerHolding)), want: "update", sent: true},
	}
}
