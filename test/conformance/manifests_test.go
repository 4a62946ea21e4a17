package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

// clusterManifests are what the life needs that has no namespace.
const clusterManifests = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: csi.example.com
reclaimPolicy: Delete
allowVolumeExpansion: true
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: csi.example.com}
spec: {attachRequired: false}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: important}
value: 1000
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// namespaceManifest is a namespace of the life; the label says whose.
func namespaceManifest(name, env string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {env: %s, life: \"yes\"}}\n", name, env)
}

// pod is a template's part that all workloads share; it ends the manifest.
const podTemplate = `    metadata: {labels: {app: NAME}}
    spec:
      nodeSelector: {pool: POOL}
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: example.com/app:1}]
`

// kinds are the workloads, of which each namespace has one after the other.
var kinds = []string{`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {LABELS}}
spec:
  replicas: 2
  revisionHistoryLimit: 1
  selector: {matchLabels: {app: NAME}}
  template:
` + podTemplate + `
---
apiVersion: v1
kind: Service
metadata: {name: NAME, labels: {LABELS}}
spec: {selector: {app: NAME}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME, labels: {LABELS}}
spec: {defaultBackend: {service: {name: NAME, port: {number: 80}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, labels: {LABELS}}
data: {level: info}
`, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: NAME, labels: {LABELS}}
spec:
  replicas: 2
  serviceName: NAME
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: NAME}}
  template:
` + podTemplate + `
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: NAME, labels: {LABELS}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: NAME}}}
`, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {LABELS}}
spec:
  replicas: 2
  revisionHistoryLimit: 1
  selector: {matchLabels: {app: NAME}}
  template:
` + podTemplate + `
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: NAME, labels: {LABELS}}
spec: {minAvailable: 1, selector: {matchLabels: {app: NAME}}}
---
apiVersion: v1
kind: Secret
metadata: {name: NAME, labels: {LABELS}}
stringData: {password: x}
`, `
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, labels: {LABELS}}
spec:
  completions: 2
  parallelism: 2
  template:
    metadata: {labels: {app: NAME}}
    spec:
      nodeSelector: {pool: POOL}
      restartPolicy: Never
      containers: [{name: main, image: example.com/app:1}]
`, `
apiVersion: example.com/v1
kind: Widget
metadata: {name: NAME, labels: {LABELS}}
spec: {size: 1}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: NAME, labels: {LABELS}}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
` + podTemplate, `
apiVersion: batch/v1
kind: CronJob
metadata: {name: NAME, labels: {LABELS}}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          nodeSelector: {pool: POOL}
          restartPolicy: Never
          containers: [{name: main, image: example.com/app:1}]
`,
}

// town is a namespace with workloads.
type town struct {
	name, env string
	// workloads are manifests, one for each workload.
	workloads []string
}

// perTown is how many workloads a namespace has.
const perTown = 10

// towns spreads so many workloads over pairs of namespaces, one of production and one
// of dev.
func towns(workloads int) []town {
	var list []town
	for i := 0; len(list)*perTown < workloads; i++ {
		list = append(list,
			newTown("shop-"+strconv.Itoa(i+1), poolProduction),
			newTown("try-"+strconv.Itoa(i+1), poolDev))
	}
	return list
}

func newTown(name, env string) town {
	t := town{name: name, env: env}
	for i := range perTown {
		t.workloads = append(t.workloads, workload(kinds[i%len(kinds)], fmt.Sprintf("w%d", i+1), env, i%2 == 0))
	}
	return t
}

// workload fills a manifest in. Some objects say themselves what they are, others
// leave it to their namespace.
func workload(kind, name, env string, says bool) string {
	labels := "app: " + name + ", part-of: life"
	if says {
		labels += ", env: " + env
	}
	return replace(kind, "NAME", name, "LABELS", labels, "POOL", env)
}

// replace fills a manifest in, by pairs of old and new.
func replace(manifest string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(manifest)
}

// service is one small Deployment for a story, in a pool of its own.
func service(name, pool string, replicas int) string {
	manifest, _, _ := strings.Cut(workload(kinds[0], name, pool, false), "---")
	return strings.Replace(manifest, "replicas: 2", "replicas: "+strconv.Itoa(replicas), 1)
}
