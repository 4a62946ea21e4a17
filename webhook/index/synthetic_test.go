package index

import (
	"fmt"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	deployments  = schema.GroupResource{Group: "apps", Resource: "deployments"}
	replicaSets  = schema.GroupResource{Group: "apps", Resource: "replicasets"}
	statefulSets = schema.GroupResource{Group: "apps", Resource: "statefulsets"}
	revisions    = schema.GroupResource{Group: "apps", Resource: "controllerrevisions"}
	cronJobs     = schema.GroupResource{Group: "batch", Resource: "cronjobs"}
	jobs         = schema.GroupResource{Group: "batch", Resource: "jobs"}
	autoscalers  = schema.GroupResource{Group: "autoscaling", Resource: "horizontalpodautoscalers"}
	widgets      = schema.GroupResource{Group: "example.com", Resource: "widgets"}
)

// synthetic makes the objects of a cluster in the mix that clusters have: of each app a
// Deployment with its old ReplicaSets, a StatefulSet with volumes or a CronJob with what
// its last runs left.
type synthetic struct {
	random *rand.Rand
	put    func(Object)
	left   int
	app    int
}

// fill calls put with so many objects.
func fill(n int, put func(Object)) {
	s := &synthetic{random: rand.New(rand.NewPCG(1, 2)), put: put, left: n}
	for i := 0; s.left > 0; i++ {
		s.namespace(fmt.Sprintf("team-%d-%s", i, []string{"dev", "staging", "prod"}[i%3]))
	}
}

func (s *synthetic) uid() string {
	a, b := s.random.Uint64(), s.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), a>>52, b>>52, b&(1<<48-1))
}

func (s *synthetic) suffix(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "bcdfghjklmnpqrstvwxz2456789"[s.random.IntN(27)]
	}
	return string(b)
}

// object puts one in and returns its uid.
func (s *synthetic) object(resource schema.GroupResource, kind, namespace, name, owner string, set map[string]string, facts any) string {
	o := Object{Resource: resource, Kind: kind, Namespace: namespace, Name: name, UID: s.uid(), Labels: set, Facts: facts}
	if owner != "" {
		o.Owners = []Owner{{UID: owner, Controller: true}}
	}
	if s.left > 0 {
		s.left--
		s.put(o)
	}
	return o.UID
}

func (s *synthetic) namespace(ns string) {
	s.object(namespaces, "Namespace", "", ns, "", map[string]string{"kubernetes.io/metadata.name": ns}, nil)
	s.object(configMaps, "ConfigMap", ns, "kube-root-ca.crt", "", nil, nil)
	s.object(accounts, "ServiceAccount", ns, "default", "", nil, nil)
	for range 25 {
		s.app++
		name := fmt.Sprintf("checkout-%d-api", s.app)
		set := map[string]string{
			"app.kubernetes.io/name": name, "app.kubernetes.io/instance": ns, "app.kubernetes.io/managed-by": "Helm",
			"env": []string{"dev", "production"}[s.random.IntN(2)],
		}
		s.object(accounts, "ServiceAccount", ns, name, "", set, nil)
		for i := range 2 {
			s.object(configMaps, "ConfigMap", ns, fmt.Sprintf("%s-config-%d", name, i), "", set, nil)
			s.object(secrets, "Secret", ns, fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, i), "", set, nil)
		}
		selector := labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": name})
		s.object(services, "Service", ns, name, "", set, &Service{Selector: selector})
		s.object(widgets, "Widget", ns, name+"-widget", "", set, nil)
		switch s.app % 5 {
		case 0:
			s.statefulSet(ns, name, set)
		case 1:
			s.cronJob(ns, name, set)
		default:
			s.object(budgets, "PodDisruptionBudget", ns, name, "", set, &Budget{Selector: selector})
			s.deployment(ns, name, set)
		}
	}
}

func podFacts(node, app string, claims ...string) *Pod {
	return &Pod{
		Node: node, ServiceAccount: app, PriorityClass: "standard", Claims: claims,
		Secrets: []string{app + "-tls"}, ConfigMaps: []string{app + "-config-0", "kube-root-ca.crt"},
	}
}

func with(set map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for key, value := range set {
		all[key] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

func (s *synthetic) node() string {
	return fmt.Sprintf("gke-prod-pool-%d", s.random.IntN(100+s.app/10))
}

func (s *synthetic) deployment(ns, name string, set map[string]string) {
	deployment := s.object(deployments, "Deployment", ns, name, "", set, nil)
	s.object(autoscalers, "HorizontalPodAutoscaler", ns, name, "", set, nil)
	for i := range 4 {
		hash := s.suffix(10)
		labelled := with(set, "pod-template-hash", hash)
		rs := s.object(replicaSets, "ReplicaSet", ns, name+"-"+hash, deployment, labelled, nil)
		if i == 3 {
			for range 4 {
				s.object(pods, "Pod", ns, name+"-"+hash+"-"+s.suffix(5), rs, labelled, podFacts(s.node(), name))
			}
		}
	}
}

func (s *synthetic) statefulSet(ns, name string, set map[string]string) {
	sts := s.object(statefulSets, "StatefulSet", ns, name, "", set, nil)
	hash := name + "-" + s.suffix(10)
	s.object(revisions, "ControllerRevision", ns, hash, sts, set, nil)
	for i := range 3 {
		pod, claim, volume := fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("data-%s-%d", name, i), "pvc-"+s.uid()
		own := with(set, "controller-revision-hash", hash, "statefulset.kubernetes.io/pod-name", pod, "apps.kubernetes.io/pod-index", fmt.Sprint(i))
		s.object(pods, "Pod", ns, pod, sts, own, podFacts(s.node(), name, claim))
		s.object(claims, "PersistentVolumeClaim", ns, claim, "", set, &Claim{Volume: volume, StorageClass: "premium-rwo"})
		s.object(volumes, "PersistentVolume", "", volume, "", nil, &PersistentVolume{
			ClaimNamespace: ns, ClaimName: claim, ReclaimPolicy: "Delete", StorageClass: "premium-rwo",
		})
	}
}

func (s *synthetic) cronJob(ns, name string, set map[string]string) {
	cron := s.object(cronJobs, "CronJob", ns, name, "", set, nil)
	for i := range 3 {
		job := fmt.Sprintf("%s-2937%d", name, 1000+i)
		uid := s.object(jobs, "Job", ns, job, cron, set, nil)
		facts := podFacts(s.node(), name)
		facts.Done = true
		s.object(pods, "Pod", ns, job+"-"+s.suffix(5), uid, with(set,
			"controller-uid", uid, "batch.kubernetes.io/controller-uid", uid, "job-name", job, "batch.kubernetes.io/job-name", job), facts)
	}
}

// byEnvironment is the usual rule: env=production, and namespaces that end in prod.
var byEnvironment = Production{
	Object: func(_, _ string, set map[string]string) bool { return set["env"] == "production" },
	Namespace: func(name string, set map[string]string) bool {
		return set["env"] == "production" || len(name) > 4 && name[len(name)-4:] == "prod"
	},
}

// mustSelect parses a label selector.
func mustSelect(text string) labels.Selector {
	selector, err := labels.Parse(text)
	if err != nil {
		panic(err)
	}
	return selector
}

var gadgets = schema.GroupResource{Group: "example.com", Resource: "gadgets"}

// kindNumber is one of many kinds.
func kindNumber(i int) schema.GroupResource {
	return schema.GroupResource{Group: "example.com", Resource: fmt.Sprintf("kind%ds", i)}
}
