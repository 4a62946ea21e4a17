package bypass

// holder is a namespace with no label of its own, and a production Deployment in it.
const holder = production

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
  - name: v2
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func parentDoors() []door {
	const group = "What it is in, or hangs on"
	web := in("deployment/web")
	return []door{
		{
			group: group, name: "delete the namespace that it is in",
			given: holder, protects: []object{bare("namespace/NS"), web}, settled: pods("app=web", 2),
			try: kubectl("delete", "namespace", "NS", "--wait=false"),
			how: "`namespace-holds-production`: the index knows what is in there. The floor knows which namespaces hold production.",
		},
		{
			group: group, name: "delete a namespace that is labelled production",
			given: `
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {env: production}}
`, protects: []object{bare("namespace/NS")},
			try: kubectl("delete", "namespace", "NS", "--wait=false"),
			how: "`production-delete`.",
		},
		{
			group: group, name: "delete the definition of its kind",
			given: definition, settled: instance, protects: []object{bare("crd/widgets.NS.example.com")},
			try: kubectl("delete", "crd", "widgets.NS.example.com", "--wait=false"),
			how: "`definition-holds-production`: its objects vanish straight from storage, admission never sees them.",
		},
		{
			group: group, name: "stop serving a version of its kind",
			given: definition, settled: instance, protects: []object{bare("crd/widgets.NS.example.com")},
			try: kubectl("patch", "crd", "widgets.NS.example.com", "--type=json", "-p", `[{"op":"replace","path":"/spec/versions/1/served","value":false}]`),
			how: "`definition-holds-production`: a version that is not served any more is a weakening.",
		},
		{
			group: group, name: "delete its owner and let the garbage collector do it",
			given: `
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: parent, namespace: NS}
`, settled: owned, protects: []object{in("configmap/parent"), in("configmap/child")},
			try:  kubectl("-n", "NS", "delete", "configmap", "parent", "--wait=false"),
			how:  "`owner-of-production`: the index follows owner references to any depth.",
			open: map[mode]string{dead: "The floor knows no owners: an owner without a label, in a namespace without one, that owns production by label."},
		},
		{
			group: group, name: "make it owned by something that is not there",
			given: production, protects: []object{web},
			try: kubectl("-n", "NS", "patch", "deployment", "web", "--type=merge", "-p",
				`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"nowhere","uid":"11111111-2222-3333-4444-555555555555"}]}}`),
			how: "`production-unprotect`: the garbage collector would delete it a second later.",
		},
		{
			group: group, name: "delete a claim that production pods mount",
			given: storage, settled: pods("app=db", 1), protects: []object{in("pvc/data")},
			try:  kubectl("-n", "NS", "delete", "pvc", "data", "--wait=false"),
			how:  "`volume-of-production`: the pods are production by label, the claim has none.",
			open: map[mode]string{dead: "The floor judges the claim by itself; its volume stays while a pod uses it (kubernetes.io/pvc-protection)."},
		},
		{
			group: group, name: "delete a ConfigMap that production pods mount",
			given: storage, settled: pods("app=db", 1), protects: []object{in("configmap/settings")},
			try:  kubectl("-n", "NS", "delete", "configmap", "settings"),
			how:  "`configuration-of-production`.",
			open: map[mode]string{dead: "The floor judges the ConfigMap by itself."},
		},
		{
			group: group, name: "delete the Service in front of production pods",
			given: storage, settled: pods("app=db", 1), protects: []object{in("service/db")},
			try:  kubectl("-n", "NS", "delete", "service", "db"),
			how:  "`traffic-to-production`.",
			open: map[mode]string{dead: "The floor judges the Service by itself."},
		},
		{
			group: group, name: "delete the ServiceAccount that production pods run as",
			given: storage, settled: pods("app=db", 1),
			try:  kubectl("-n", "NS", "delete", "serviceaccount", "db"),
			how:  "`identity-of-production`.",
			open: map[mode]string{dead: "The floor judges the ServiceAccount by itself."},
		},
		{
			group: group, name: "delete the PodDisruptionBudget of production pods",
			given: storage, settled: pods("app=db", 1), protects: []object{in("pdb/db")},
			try:  kubectl("-n", "NS", "delete", "pdb", "db"),
			how:  "`budget-of-production`.",
			open: map[mode]string{dead: "The floor judges the budget by itself."},
		},
		{
			group: group, name: "take the finalizer off a claim that production pods mount",
			given: storage, settled: pods("app=db", 1), protects: []object{in("pvc/data")},
			try:  kubectl("-n", "NS", "patch", "pvc", "data", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`),
			how:  "`production-unprotect`: `kubernetes.io/pvc-protection` is the control plane's to take off.",
			open: map[mode]string{dead: "The claim has no label, so its hook fails open; without a deletion nothing happens to it."},
		},
		{
			group: group, name: "have a Service in front of production pods select others",
			given: storage, settled: pods("app=db", 1), protects: []object{in("service/db")},
			try:  kubectl("-n", "NS", "patch", "service", "db", "--type=merge", "-p", `{"spec":{"selector":{"app":"nobody"}}}`),
			how:  "`traffic-to-production`, if a person or an agent does it: tools switch Services over at every rollout.",
			open: map[mode]string{dead: "The Service has no label, so its hook fails open."},
		},
		{
			group: group, name: "delete the role that production pods work with",
			given: storage + `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: db, namespace: NS}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: db, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: db}
subjects: [{kind: ServiceAccount, name: db}]
`, settled: pods("app=db", 1),
			try:  kubectl("-n", "NS", "delete", "role", "db"),
			how:  "`identity-of-production`; its binding likewise.",
			open: map[mode]string{dead: "The floor judges the role by itself."},
		},
		{
			group: group, name: "delete the Ingress in front of production pods",
			given: storage + `
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: db, namespace: NS}
spec: {defaultBackend: {service: {name: db, port: {number: 5432}}}}
`, settled: pods("app=db", 1),
			try:  kubectl("-n", "NS", "delete", "ingress", "db"),
			how:  "`traffic-to-production`, by way of the Service.",
			open: map[mode]string{dead: "The floor judges the Ingress by itself."},
		},
		{
			group: group, name: "delete the object that stands for a production resource in the cloud",
			given: connector, settled: bucket, protects: []object{{resource: buckets, namespace: "NS", name: "bucket"}},
			try: kubectl("-n", "NS", "delete", "storagebuckets.storage.cnrm.cloud.google.com", "bucket", "--wait=false"),
			how: "`production-delete` and `cloud-resource`: two approvals, as for the resource itself.",
		},
		{
			group: group, name: "delete the Node that it runs on",
			given: "apiVersion: v1\nkind: Node\nmetadata: {name: NS, labels: {env: production}}\n",
			try:   kubectl("delete", "node", "NS"),
			how:   "`node-of-production`, where `kubernetes.nodes` is on.",
			open:  everywhere("`kubernetes.nodes` is off unless you say so: autoscalers and cloud controllers delete nodes all day."),
		},
		{
			group: group, name: "delete the StorageClass of production volumes",
			given: volume + class, try: kubectl("delete", "storageclass", "class-NS"),
			how: "`class-of-production` warns: volumes that are there go on without their class.",
			open: map[mode]string{
				running: "It warns only, until `enforcement` says `deny`.",
				dead:    "The floor does not judge what only warns.",
			},
		},
		{
			group: group, name: "delete the PriorityClass of production pods",
			given: prioritized, try: kubectl("delete", "priorityclass", "class-NS"),
			how: "`class-of-production` warns: pods that are there keep their priority, new ones cannot be made.",
			open: map[mode]string{
				running: "It warns only, until `enforcement` says `deny`.",
				dead:    "The floor does not judge what only warns.",
			},
		},
		{
			group: group, name: "delete a volume that is bound to production",
			given: volume, protects: []object{bare("pv/NS")},
			try: kubectl("delete", "pv", "NS", "--wait=false"),
			how: "`production-delete` by its label, `volume-of-production` by its claim and the pods that mount it.",
		},
	}
}

const prioritized = `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: class-NS}
value: 1000
---
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {env: production}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: NS, labels: {env: production}}
spec: {priorityClassName: class-NS, containers: [{name: web, image: example.com/web}]}
`

const class = `
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: class-NS}
provisioner: example.com/none
`

// storage is a namespace without a label, with an unlabelled claim, ConfigMap, Service,
// ServiceAccount and budget, which production pods use.
const storage = `
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: db, namespace: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS}
data: {a: "1"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NS}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: NS}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db, namespace: NS}
spec: {minAvailable: 1, selector: {matchLabels: {app: db}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NS}
spec:
  replicas: 1
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, env: production}}
    spec:
      serviceAccountName: db
      containers: [{name: db, image: example.com/db, envFrom: [{configMapRef: {name: settings}}], volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

const connector = `
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {env: production}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: storagebuckets.storage.cnrm.cloud.google.com}
spec:
  group: storage.cnrm.cloud.google.com
  scope: Namespaced
  names: {plural: storagebuckets, singular: storagebucket, kind: StorageBucket}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`
