package bypass

func weakeningDoors() []door {
	const group = "Weakening first, deleting afterwards"
	web := in("deployment/web")
	patch := func(what, patch string) attempt {
		return kubectl("-n", "NS", "patch", what, "web", "--type=merge", "-p", patch)
	}
	return []door{
		{
			group: group, name: "take the production label off",
			given: production, protects: []object{web},
			try: kubectl("-n", "NS", "label", "deployment", "web", "env-"),
			how: "`production-unprotect`; the floor sees it too.",
		},
		{
			group: group, name: "change the production label to another value",
			given: production, protects: []object{web},
			try: kubectl("-n", "NS", "label", "deployment", "web", "env=dev", "--overwrite"),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "take the label off by way of the status",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectl("-n", "NS", "patch", "pod", "web", "--subresource=status", "--type=merge", "-p", `{"metadata":{"labels":{"env":null}}}`),
			how: "`production-unprotect`: updates of a sub-resource that take labels off are judged like others.",
		},
		{
			group: group, name: "take the label off a namespace by way of its status",
			given: labelled, protects: []object{bare("namespace/NS")},
			try: kubectl("patch", "namespace", "NS", "--subresource=status", "--type=merge", "-p", `{"metadata":{"labels":{"env":null}}}`),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "take the label off a namespace",
			given: labelled, protects: []object{bare("namespace/NS")},
			try: kubectl("label", "namespace", "NS", "env-"),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "take the finalizers off a namespace",
			given: labelled, protects: []object{bare("namespace/NS")},
			try: kubectlWith(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "NS", "labels": {"env": "production"}}, "spec": {"finalizers": []}}`,
				"replace", "--raw", "/api/v1/namespaces/NS/finalize", "-f", "-"),
			how: "`production-unprotect`: a namespace without them is gone at its deletion, and what is in it is left behind.",
		},
		{
			group: group, name: "empty a ConfigMap",
			given: labelled, protects: []object{in("configmap/web")},
			try: patch("configmap", `{"data":null}`),
			how: "`production-empty`.",
		},
		{
			group: group, name: "empty a Secret, value by value",
			given: labelled + `
---
apiVersion: v1
kind: Secret
metadata: {name: web, namespace: NS}
data: {a: MQ==, b: Mg==}
`, protects: []object{in("secret/web")},
			try: patch("secret", `{"data":{"a":"","b":""}}`),
			how: "`production-empty`: a value that is empty is as good as none.",
		},
		{
			group: group, name: "take off the annotation by which a tool leaves it in place",
			given: labelled + `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, namespace: NS, annotations: {helm.sh/resource-policy: keep}}
`, protects: []object{in("configmap/kept")},
			try: kubectl("-n", "NS", "annotate", "configmap", "kept", "helm.sh/resource-policy-"),
			how: "`production-unprotect`: Helm's, Argo CD's, Config Connector's, Crossplane's and OpenKruise's are known.",
		},
		{
			group: group, name: "let KEDA take it to zero",
			given: keda, settled: scaledObject, protects: []object{{resource: scaledObjects, namespace: "NS", name: "web"}},
			try: kubectl("-n", "NS", "annotate", "scaledobjects.keda.sh", "web", "autoscaling.keda.sh/paused-replicas=0"),
			how: "`production-scale-to-zero`; `minReplicaCount` and `maxReplicaCount` too.",
		},
		{
			group: group, name: "let an autoscaler have no replicas",
			given: labelled, protects: []object{in("hpa/web")},
			try: patch("hpa", `{"spec":{"minReplicas":0,"metrics":[{"type":"External","external":{"metric":{"name":"q"},"target":{"type":"Value","value":"1"}}}]}}`),
			how: "`production-scale-to-zero`.",
		},
		{
			group: group, name: "suspend a CronJob",
			given: labelled, protects: []object{in("cronjob/web")},
			try: patch("cronjob", `{"spec":{"suspend":true}}`),
			how: "`production-scale-to-zero`.",
		},
		{
			group: group, name: "give a DaemonSet a node selector that matches nothing",
			given: labelled, protects: []object{in("daemonset/web")},
			try: patch("daemonset", `{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"true"}}}}}`),
			how: "`production-scale-to-zero`.",
		},
		{
			group: group, name: "have a volume deleted with its claim",
			given: volume, protects: []object{bare("pv/NS")},
			try: kubectl("patch", "pv", "NS", "--type=merge", "-p", `{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "have a StatefulSet's claims deleted with it",
			given: labelled, protects: []object{in("statefulset/web")},
			try: patch("statefulset", `{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete"}}}`),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "loosen a PodDisruptionBudget to nothing",
			given: labelled, protects: []object{in("pdb/web")},
			try: patch("pdb", `{"spec":{"minAvailable":0}}`),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "have a Service select nothing",
			given: labelled, protects: []object{in("service/web")},
			try: patch("service", `{"spec":{"selector":{"app":"nobody"}}}`),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "cut production off by a network policy",
			given: labelled,
			try: kubectlWith(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nothing, namespace: NS}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`, "create", "-f", "-"),
			how:  "`production-isolated` warns: every careful namespace begins with one like it.",
			open: everywhere("It warns only, until `enforcement` says `deny`."),
		},
		{
			group: group, name: "let an autoscaler take production to zero that is labelled nowhere itself",
			given: production + `
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaler, namespace: NS}
spec: {minReplicas: 1, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
`, protects: []object{in("hpa/scaler")},
			try: kubectl("-n", "NS", "patch", "hpa", "scaler", "--type=merge", "-p",
				`{"spec":{"minReplicas":0,"metrics":[{"type":"External","external":{"metric":{"name":"q"},"target":{"type":"Value","value":"1"}}}]}}`),
			how:  "`autoscaler-of-production`.",
			open: map[mode]string{dead: "The autoscaler has no label, so its hook fails open."},
		},
		{
			group: group, name: "drop a finalizer of what is going",
			given: `
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: going, namespace: NS, finalizers: [example.com/keep]}
`, settled: going, protects: []object{in("configmap/going")},
			try: kubectl("-n", "NS", "patch", "configmap", "going", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`),
			how: "`production-unprotect`, if a person or an agent does it: service accounts are what finalizers belong to.",
		},
	}
}

// labelled is a production namespace with one object of each kind that can be weakened,
// all named web.
const labelled = `
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: NS}
data: {a: "1"}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NS}
spec: {minReplicas: 1, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: NS}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: web, image: example.com/web}]}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web, namespace: NS}
spec:
  selector: {matchLabels: {app: web-agent}}
  template: {metadata: {labels: {app: web-agent}}, spec: {containers: [{name: web, image: example.com/web}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, namespace: NS}
spec:
  replicas: 1
  serviceName: web
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: example.com/web}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: NS}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

const volume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: NS, labels: {env: production}}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: none
  hostPath: {path: /nowhere}
`

const keda = labelled + `
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {plural: scaledobjects, singular: scaledobject, kind: ScaledObject}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`
