package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/kube/v1alpha1"
	"github.com/mollyguard/mollyguard/operation"
)

// narrowExemptions has each field that narrows an exemption, and some of them together.
func narrowExemptions() []guard.Exemption {
	services, remove := []operation.ActorKind{operation.Service}, []operation.Verb{operation.Delete}
	certManager := []string{"system:serviceaccount:cert-manager:.*"}
	return []guard.Exemption{
		{
			Name: "helm-history", Actors: []string{".*"}, Verbs: remove, Kinds: []string{"Secret", "ConfigMap"},
			Names: []string{`sh\.helm\.release\.v1\..+\.v[0-9]+`}, Selectors: []string{"owner=helm,status in (superseded,failed,uninstalled)"},
		},
		{
			Name: "made-anew", Actors: []string{"system:serviceaccount:.*"}, ActorKinds: services,
			Verbs: []operation.Verb{operation.Delete, operation.Evict}, Kinds: []string{"Pod", "ReplicaSet"}, Controlled: true,
		},
		{Name: "cert-manager", Actors: certManager, Verbs: remove, Groups: []string{"acme.cert-manager.io"}, Kinds: []string{"Challenge"}},
		{Name: "relabel", Actors: []string{"carol@example.com"}, Verbs: []operation.Verb{operation.Unprotect}, Names: []string{"movable-[0-9]"}},
		{Name: "scale", Actors: []string{"dave@example.com"}, Verbs: []operation.Verb{operation.ScaleToZero, operation.Evict}},
		{Name: "people", Actors: []string{"erin.*"}, ActorKinds: []operation.ActorKind{operation.Human}},
		{Name: "agents", Actors: []string{".*"}, ActorKinds: []operation.ActorKind{operation.Agent}, Selectors: []string{"scratch"}},
		{Name: "machinery", Actors: []string{".*"}, ActorKinds: []operation.ActorKind{operation.Controller}},
	}
}

const standingWorld = `
apiVersion: v1
kind: Namespace
metadata: {name: live, labels: {env: production}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: challenges.acme.cert-manager.io}
spec:
  group: acme.cert-manager.io
  scope: Namespaced
  names: {plural: challenges, singular: challenge, kind: Challenge}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: challenges.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: challenges, singular: challenge, kind: Challenge}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: v1
kind: Secret
metadata: {name: sh.helm.release.v1.shop.v1, namespace: live, labels: {owner: helm, status: superseded}}
---
apiVersion: v1
kind: Secret
metadata: {name: sh.helm.release.v1.shop.v2, namespace: live, labels: {owner: helm, status: deployed}}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials, namespace: live, labels: {owner: helm, status: superseded}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: movable-1, namespace: live, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fixed-1, namespace: live, labels: {env: production}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: scratch, namespace: live, labels: {scratch: ""}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: live, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: live}
spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ended, namespace: live}
spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ended, namespace: live}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: web, image: example.com/web}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: going, namespace: live}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: web, image: example.com/web}]}}}
`

const challenges = `
apiVersion: acme.cert-manager.io/v1
kind: Challenge
metadata: {name: one, namespace: live}
---
apiVersion: example.com/v1
kind: Challenge
metadata: {name: one, namespace: live}
`

// TestTheFloorLetsThroughWhatTheServerDoes holds the floor's mirror of exemptions, and
// of what has ended, against a real API server. All deletions are dry runs.
func TestTheFloorLetsThroughWhatTheServerDoes(t *testing.T) {
	b := newBare(t)
	b.apply(t, standingWorld)
	b.served(t)
	b.apply(t, challenges)
	b.must(t, "admin", "patch", "-n", "live", "pod", "ended", "--subresource=status", "--type=merge", "-p", `{"status":{"phase":"Succeeded"}}`)
	// The Job controller has to have seen it: it says that a suspended Job is.
	b.must(t, "admin", "wait", "-n", "live", "--for=condition=Suspended", "--timeout=50s", "job", "ended", "going")
	b.must(t, "admin", "patch", "-n", "live", "job", "ended", "--subresource=status", "--type=merge", "-p",
		`{"status":{"startTime":"2026-11-21T03:00:00Z","conditions":[{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}}`)
	var pod, replicaSet string
	eventually(t, "the Deployment to have a pod", func() error {
		for kind, name := range map[string]*string{"replicasets": &replicaSet, "pods": &pod} {
			got := b.as(t, "admin", "get", "-n", "live", kind, "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")
			if *name = got.Stdout; *name == "" {
				return fmt.Errorf("no %s: %s", kind, got.Stderr)
			}
		}
		return nil
	})

	opts := floorOptions(t)
	opts.Exempt = narrowExemptions()
	opts.Agents = []string{"system:serviceaccount:agents:.*", ".*-bot"}
	b.lay(t, opts, v1alpha1.FloorSpec{Complete: true})

	const operator, agent, issuer = "system:serviceaccount:ops:operator", "system:serviceaccount:agents:claude", "system:serviceaccount:cert-manager:cert-manager"
	strip := func(name string) []string { return []string{"label", "configmap", name, "env-"} }
	remove := func(kind, name string) []string { return []string{"delete", kind, name} }
	for _, tt := range []struct {
		name, user string
		args       []string
		refused    bool
	}{
		{"a superseded record of Helm's by anybody", floorAlice, remove("secret", "sh.helm.release.v1.shop.v1"), false},
		{"a superseded record of Helm's by a service account", operator, remove("secret", "sh.helm.release.v1.shop.v1"), false},
		{"the record of the release that runs", floorAlice, remove("secret", "sh.helm.release.v1.shop.v2"), true},
		{"a Secret that is labelled like a record", floorAlice, remove("secret", "credentials"), true},

		{"a pod that is made anew by an operator", operator, remove("pod", pod), false},
		{"a ReplicaSet that is made anew by an operator", operator, remove("replicaset", replicaSet), false},
		{"a pod that is made anew by a person", floorAlice, remove("pod", pod), true},
		{"a pod that is made anew by an agent, whose account is one too", agent, remove("pod", pod), true},
		{"a bare pod by an operator", operator, remove("pod", "bare"), true},
		{"a Deployment by an operator", operator, remove("deployment", "web"), true},

		{"a challenge by its issuer", issuer, remove("challenges.acme.cert-manager.io", "one"), false},
		{"a challenge of another group by its issuer", issuer, remove("challenges.example.com", "one"), true},
		{"a challenge by an operator", operator, remove("challenges.acme.cert-manager.io", "one"), true},

		{"a label by who may take it off", "carol@example.com", strip("movable-1"), false},
		{"a label of another by who may take one off", "carol@example.com", strip("fixed-1"), true},
		{"a deletion by who may take labels off", "carol@example.com", remove("configmap", "movable-1"), true},
		{"a deletion by who may scale", "dave@example.com", remove("configmap", "movable-1"), true},
		{"a label by who may scale", "dave@example.com", strip("movable-1"), true},

		{"anything by an exempt person", "erin@example.com", remove("configmap", "fixed-1"), false},
		{"anything by an agent of that name", "erin-bot", remove("configmap", "fixed-1"), true},
		{"what is marked by an agent", "any-bot", remove("configmap", "scratch"), false},
		{"what is marked by a person", floorAlice, remove("configmap", "scratch"), true},

		{"a pod that has ended", floorAlice, remove("pod", "ended"), false},
		{"a Job that has ended", floorAlice, remove("job", "ended"), false},
		{"a Job that has not", floorAlice, remove("job", "going"), true},
		{"a pod that has not", floorAlice, remove("pod", "bare"), true},
		{"the last label of what has ended", floorAlice, []string{"label", "namespace", "live", "env-"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append(tt.args, "-n", "live", "--dry-run=server", "--as", tt.user, "--as-group", "system:masters")
			got := b.as(t, "admin", args...)
			if !tt.refused {
				if got.ExitCode != 0 {
					t.Errorf("kubectl %s: %s", strings.Join(args, " "), got.Stderr)
				}
			} else if got.ExitCode == 0 || !strings.Contains(got.Stderr, "ValidatingAdmissionPolicy 'mollyguard-floor' with binding 'mollyguard-floor' denied request: ") {
				t.Errorf("kubectl %s: %s%s, want the floor to refuse it", strings.Join(args, " "), got.Stdout, got.Stderr)
			}
		})
	}
}
