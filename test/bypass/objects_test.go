package bypass

const production = `
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {team: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web, env: production}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
`

func objectDoors() []door {
	const group = "The object itself"
	web := []object{in("deployment/web")}
	return []door{
		{
			group: group, name: "delete what is labelled production",
			given: production, protects: web,
			try: kubectl("-n", "NS", "delete", "deployment", "web", "--wait=false"),
			how: "`production-delete` judges the object as it was; with no server, the floor.",
		},
		{
			group: group, name: "delete it as one of a collection",
			given: production, protects: web,
			try: kubectl("-n", "NS", "delete", "deployments", "--all", "--wait=false"),
			how: "A collection is reviewed object by object; names and labels come from the object, not from the request.",
		},
		{
			group: group, name: "scale it to zero through the scale sub-resource",
			given: production, protects: web,
			try: kubectl("-n", "NS", "scale", "deployment", "web", "--replicas=0"),
			how: "`production-scale-to-zero`; the labels are looked up, since a Scale has none.",
		},
		{
			group: group, name: "scale it to zero by a patch",
			given: production, protects: web,
			try: kubectl("-n", "NS", "patch", "deployment", "web", "--type=merge", "-p", `{"spec":{"replicas":0}}`),
			how: "`production-scale-to-zero`.",
		},
		{
			group: group, name: "delete it and leave its pods",
			given: production, protects: web,
			try: kubectl("-n", "NS", "delete", "deployment", "web", "--cascade=orphan", "--wait=false"),
			how: "`production-delete`.",
		},
		{
			group: group, name: "replace it by force",
			given: production, protects: web,
			try: kubectlWith(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
`, "replace", "--force", "-f", "-"),
			how: "`kubectl replace --force` deletes first.",
		},
		{
			group: group, name: "apply a whole object without the label",
			given: production, protects: web,
			try: kubectlWith(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
`, "replace", "-f", "-"),
			how: "`production-unprotect`, whichever way the update is made.",
		},
		{
			group: group, name: "take the label over by server-side apply",
			given: production, protects: web,
			try: kubectlWith(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web, env: staging}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
`, "apply", "--server-side", "--force-conflicts", "-f", "-"),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "delete its pods by force",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectl("-n", "NS", "delete", "pod", "web", "--force", "--grace-period=0"),
			how: "`production-delete`; the second call that this makes is judged like the first.",
		},
		{
			group: group, name: "evict a pod that no budget covers",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectlWith(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web","namespace":"NS"}}`,
				"create", "--raw", "/api/v1/namespaces/NS/pods/web/eviction", "-f", "-"),
			how: "`production-evict`: an eviction deletes the pod without a DELETE review.",
		},
		{
			group: group, name: "evict a pod that a controller replaces and a budget covers",
			given: covered, settled: pods("app=web", 2), protects: web,
			try: evictOne("app=web"),
			how: "`production-evict` lets it go, so that nodes can be drained. What it cannot know is refused.",
			open: map[mode]string{
				running: "Meant: Kubernetes itself sees to it that enough of its like go on.",
				unread:  "Meant: Kubernetes itself sees to it that enough of its like go on.",
			},
		},
		{
			group: group, name: "delete it by another version of its API",
			given: labelled, protects: []object{in("hpa/web")},
			try: kubectl("-n", "NS", "delete", "horizontalpodautoscalers.v1.autoscaling", "web"),
			how: "`production-delete`: every version is asked about.",
		},
		{
			group: group, name: "set a custom resource's replicas to zero",
			given: definition, settled: instance, protects: []object{widget},
			try: kubectl("-n", "NS", "patch", "widgets.NS.example.com", "precious", "--type=merge", "-p", `{"spec":{"replicas":0}}`),
			how: "`production-scale-to-zero`: `spec.replicas`, `spec.size` and `spec.instances`, as numbers or text, and any `*/scale`.",
		},
		{
			group: group, name: "set to zero what a custom resource calls otherwise",
			given: definition, settled: instance,
			try:  kubectl("-n", "NS", "patch", "widgets.NS.example.com", "precious", "--type=merge", "-p", `{"spec":{"workers":0}}`),
			how:  "Nothing here: write a policy of your own, and name the resource in a hook of your own.",
			open: everywhere("Which field of a custom resource says how many there are is known only where it has a scale sub-resource, by way of that."),
		},
		{
			group: group, name: "say that a pod has ended, and delete it then",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectl("-n", "NS", "patch", "pod", "web", "--subresource=status", "--type=merge", "-p", `{"status":{"phase":"Failed"}}`),
			how: "`production-unprotect`: what has ended may be deleted, so nobody but kubelets and the control plane says that it has.",
		},
		{
			group: group, name: "give a pending pod to a node, with another label",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectlWith(binding, "create", "--raw", "/api/v1/namespaces/NS/pods/web/binding", "-f", "-"),
			how: "`production-unprotect`: the API server puts a Binding's labels over the pod's.",
		},
		{
			group: group, name: "the same by the older kind of call",
			given: bearingPod, protects: []object{in("pod/web")},
			try: kubectlWith(binding, "create", "--raw", "/api/v1/namespaces/NS/bindings", "-f", "-"),
			how: "`production-unprotect`.",
		},
		{
			group: group, name: "as a service account, give a pod a controller and delete it then",
			given: bearingPod + robot, protects: []object{in("pod/web")},
			try: asRobot(adopt),
			how: "`production-unprotect`: service accounts may delete what a controller replaces (`made-anew`), so none is named afterwards.",
		},
		{
			group: group, name: "delete the production objects of all namespaces at once",
			given: production, protects: web,
			try: kubectl("delete", "deployments", "-A", "-l", "app=web", "--field-selector=metadata.namespace=NS", "--wait=false"),
			how: "A collection is reviewed object by object.",
		},
	}
}

const bearingPod = `
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: NS, labels: {app: web, env: production}}
spec: {containers: [{name: web, image: example.com/web}]}
`

const binding = `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"web","labels":{"env":"dev"}},"target":{"apiVersion":"v1","kind":"Node","name":"nowhere"}}`

const covered = production + `
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: NS}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
`

// robot is a service account that may do everything.
const robot = `
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: NS}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: robot-NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: robot, namespace: NS}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: parent, namespace: NS}
`
