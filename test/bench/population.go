package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/webhook/index"
)

// The mix of a cluster, four in ten objects of which are pods: in each namespace some
// apps, of which most are Deployments with old ReplicaSets, and the others StatefulSets
// with volumes or CronJobs with what their last runs left.
const (
	appsPerNamespace  = 25
	podsPerDeployment = 16
	oldReplicaSets    = 3
	podsPerSet        = 5
	runsPerCronJob    = 6
	customPerApp      = 2
	podsPerNode       = 40
)

// population makes the objects of a cluster, the same ones each time.
type population struct {
	random *rand.Rand
	put    func(index.Object)
	left   int
	apps   int
	custom int
}

// populate calls put with so many objects. There is the namespace of the reviews among
// them, with what they delete.
func populate(objects int, put func(index.Object)) {
	p := &population{random: rand.New(rand.NewPCG(1, 2)), put: put, left: objects}
	p.reviewed()
	for i := range customKinds {
		name := customKind(i).resource.String()
		p.object(definitions, "", name, nil, "", &index.Definition{Serves: customKind(i).resource, Kind: customKind(i).kind})
	}
	for i := range objects*4/10/podsPerNode + 1 {
		p.object(nodes, "", nodeName(i), map[string]string{
			"kubernetes.io/hostname": nodeName(i), "topology.kubernetes.io/zone": "europe-west1-b", "node.kubernetes.io/instance-type": "e2-standard-16",
		}, "", nil)
	}
	for i := 0; p.left > 0; i++ {
		p.namespace(i)
	}
}

// reviewed makes what the reviews are about: a Deployment and a ConfigMap of production,
// which pods need.
func (p *population) reviewed() {
	const namespace = "shop"
	set := map[string]string{"app.kubernetes.io/name": "checkout", "app.kubernetes.io/part-of": namespace, "env": "production", "team": "payments"}
	p.object(namespaces, "", namespace, map[string]string{"kubernetes.io/metadata.name": namespace}, "", nil)
	p.identified(deployments, namespace, "checkout", set, "", reviewedDeployment, nil)
	p.identified(configMaps, namespace, "routes", set, "", reviewedConfigMap, nil)
	p.deployed(namespace, "checkout", set, reviewedDeployment, "routes")
}

func nodeName(i int) string { return fmt.Sprintf("gke-prod-eu-pool-1-%08x", uint32(i)*2654435761) }

func (p *population) node() string {
	return nodeName(p.random.IntN(max(1, p.apps*podsPerDeployment/2/podsPerNode)))
}

func (p *population) uid() string {
	a, b := p.random.Uint64(), p.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), a>>52, b>>52, b&(1<<48-1))
}

// suffix is random as Kubernetes has it in names.
func (p *population) suffix(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "bcdfghjklmnpqrstvwxz2456789"[p.random.IntN(27)]
	}
	return string(b)
}

// object puts one in, as long as any are left, and returns its uid.
func (p *population) object(k kind, namespace, name string, set map[string]string, owner string, facts any) string {
	uid := p.uid()
	p.identified(k, namespace, name, set, owner, uid, facts)
	return uid
}

func (p *population) identified(k kind, namespace, name string, set map[string]string, owner, uid string, facts any) {
	if p.left == 0 {
		return
	}
	p.left--
	o := index.Object{Resource: k.resource, Kind: k.kind, Namespace: namespace, Name: name, UID: uid, Labels: set, Facts: facts}
	if owner != "" {
		o.Owners = []index.Owner{{UID: owner, Controller: true}}
	}
	p.put(o)
}

func (p *population) namespace(i int) {
	stage := []string{"dev", "staging", "production"}[i%3]
	ns := fmt.Sprintf("team-%d-%s", i, stage)
	p.object(namespaces, "", ns, map[string]string{"kubernetes.io/metadata.name": ns, "env": stage}, "", nil)
	p.object(configMaps, ns, "kube-root-ca.crt", nil, "", nil)
	p.object(serviceAccounts, ns, "default", nil, "", nil)
	for range appsPerNamespace {
		p.apps++
		p.app(ns, fmt.Sprintf("%s-%d-api", []string{"checkout", "payments", "catalogue", "search"}[p.random.IntN(4)], p.apps), stage)
	}
}

func (p *population) app(ns, name, stage string) {
	set := map[string]string{
		"app.kubernetes.io/name": name, "app.kubernetes.io/instance": ns, "app.kubernetes.io/managed-by": "Helm",
		"helm.sh/chart": "service-4.11.2", "env": stage,
	}
	p.object(serviceAccounts, ns, name, set, "", nil)
	p.object(roleBindings, ns, name, set, "", &index.Binding{RoleKind: "ClusterRole", RoleName: "view", Accounts: []string{ns + "/" + name}})
	for i := range 2 {
		p.object(configMaps, ns, fmt.Sprintf("%s-config-%d", name, i), set, "", nil)
		p.object(secrets, ns, fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, i), set, "", nil)
	}
	selector := labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": name})
	p.object(services, ns, name, set, "", &index.Service{Selector: selector})
	for range customPerApp {
		p.custom++
		p.object(customKind(p.custom%customKinds), ns, name, set, "", nil)
	}
	switch p.apps % 5 {
	case 0:
		p.statefulSet(ns, name, set)
	case 1:
		p.cronJob(ns, name, set)
	default:
		p.object(budgets, ns, name, set, "", &index.Budget{Selector: selector})
		p.object(autoscalers, ns, name, set, "", nil)
		p.deployed(ns, name, set, p.object(deployments, ns, name, set, "", nil), name+"-config-0")
	}
}

// deployed makes what a Deployment owns.
func (p *population) deployed(ns, name string, set map[string]string, deployment, configMap string) {
	for i := range oldReplicaSets + 1 {
		hash := p.suffix(10)
		set := with(set, "pod-template-hash", hash)
		replicaSet := p.object(replicaSets, ns, name+"-"+hash, set, deployment, nil)
		if i < oldReplicaSets {
			continue
		}
		for range podsPerDeployment {
			p.object(pods, ns, name+"-"+hash+"-"+p.suffix(5), set, replicaSet, p.pod(name, configMap))
		}
	}
}

func (p *population) pod(name, configMap string, claims ...string) *index.Pod {
	return &index.Pod{
		Node: p.node(), ServiceAccount: name, PriorityClass: "standard", Claims: claims,
		Secrets: []string{name + "-tls"}, ConfigMaps: []string{configMap, "kube-root-ca.crt"},
	}
}

func (p *population) statefulSet(ns, name string, set map[string]string) {
	owner := p.object(statefulSets, ns, name, set, "", nil)
	hash := name + "-" + p.suffix(10)
	p.object(revisions, ns, hash, set, owner, nil)
	for i := range podsPerSet {
		pod, claim, volume := fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("data-%s-%d", name, i), "pvc-"+p.uid()
		own := with(set, "controller-revision-hash", hash, "statefulset.kubernetes.io/pod-name", pod, "apps.kubernetes.io/pod-index", fmt.Sprint(i))
		p.object(pods, ns, pod, own, owner, p.pod(name, name+"-config-0", claim))
		p.object(claims, ns, claim, set, "", &index.Claim{Volume: volume, StorageClass: "premium-rwo"})
		p.object(volumes, "", volume, nil, "", &index.PersistentVolume{
			ClaimNamespace: ns, ClaimName: claim, ReclaimPolicy: "Delete", StorageClass: "premium-rwo",
		})
	}
}

func (p *population) cronJob(ns, name string, set map[string]string) {
	owner := p.object(cronJobs, ns, name, set, "", nil)
	for i := range runsPerCronJob {
		job := fmt.Sprintf("%s-%d", name, time.Date(2026, 11, 21, 3, i, 0, 0, time.UTC).Unix()/60)
		uid := p.object(jobs, ns, job, set, owner, nil)
		pod := p.pod(name, name+"-config-0")
		pod.Done = true
		p.object(pods, ns, job+"-"+p.suffix(5), with(set, "batch.kubernetes.io/controller-uid", uid, "batch.kubernetes.io/job-name", job,
			"controller-uid", uid, "job-name", job), uid, pod)
	}
}

func with(set map[string]string, more ...string) map[string]string {
	all := maps.Clone(set)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// kind is a kind of objects that a cluster has.
type kind struct {
	resource      schema.GroupResource
	version, kind string
	namespaced    bool
}

// customKinds is how many custom resource definitions a cluster has: some operators
// bring dozens.
const customKinds = 100

// customKind is one of them: they are in 20 groups.
func customKind(i int) kind {
	return kind{schema.GroupResource{Group: fmt.Sprintf("operator-%d.example.com", i%20), Resource: fmt.Sprintf("widget%ds", i)}, "v1", fmt.Sprintf("Widget%d", i), true}
}
