// Package bypass tries every known way round Mollyguard against a real API server, as
// a person with the right to everything. The table of doors is also the document:
// docs/doors.md is written from it.
package bypass

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mollyguard/mollyguard/test/cluster"
)

// mode is the state that Mollyguard is in while somebody tries a door.
type mode string

const (
	// running: a server answers, and knows the cluster.
	running mode = "running"
	// unread: a server answers, and has not read the cluster yet.
	unread mode = "unread"
	// dead: no server answers. The API server has its floor.
	dead mode = "dead"
)

var modes = []mode{running, unread, dead}

// door is one way to get rid of production, or of its guard. NS in any of its texts
// is a name that no other try of a door has: of a namespace made for it, and part of
// the names of what is in none.
type door struct {
	// group and name read as documentation.
	group, name string
	// given is what is there: manifests, applied by an administrator.
	given string
	// settled says why what is given is not yet as it has to be; nil is at once.
	settled func(*room) error
	// try is what somebody does.
	try attempt
	// protects are what must be the same afterwards.
	protects []object
	// how says what closes the door.
	how string
	// open says where it is open, and why; where it is shut nothing is said.
	open map[mode]string
	// alone says that nothing else may be tried meanwhile: it takes our things away.
	alone bool
	// only are the modes that the door is about; empty for all.
	only []mode
}

// everywhere is the reason of a door that is open in all modes.
func everywhere(why string) map[mode]string {
	return map[mode]string{running: why, unread: why, dead: why}
}

// attempt does what the door is about. It returns what the person is told, and
// whether it was refused.
type attempt func(*testing.T, *room) (said string, refused bool)

// kubectl is an attempt with one command. NS in it is replaced.
func kubectl(args ...string) attempt { return kubectlWith("", args...) }

// kubectlWith gives kubectl something to read.
func kubectlWith(stdin string, args ...string) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		result := r.run(t, r.in(stdin), r.each(args)...)
		return result.Stdout + result.Stderr, result.ExitCode != 0
	}
}

// commands is an attempt that is refused if the last of several commands is. Those
// before prepare it, and must succeed.
func commands(list ...[]string) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		var result cluster.KubectlResult
		for i, args := range list {
			result = r.run(t, "", r.each(args)...)
			if result.ExitCode != 0 && i < len(list)-1 {
				t.Fatalf("kubectl %s: %s", strings.Join(r.each(args), " "), result.Stderr)
			}
		}
		return result.Stdout + result.Stderr, result.ExitCode != 0
	}
}

// object is something in the cluster.
type object struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// kinds are the resources that doors are about, as kubectl names them.
var kinds = map[string]schema.GroupVersionResource{
	"namespace":   {Version: "v1", Resource: "namespaces"},
	"pod":         {Version: "v1", Resource: "pods"},
	"configmap":   {Version: "v1", Resource: "configmaps"},
	"secret":      {Version: "v1", Resource: "secrets"},
	"service":     {Version: "v1", Resource: "services"},
	"pvc":         {Version: "v1", Resource: "persistentvolumeclaims"},
	"pv":          {Version: "v1", Resource: "persistentvolumes"},
	"node":        {Version: "v1", Resource: "nodes"},
	"deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"statefulset": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"daemonset":   {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"cronjob":     {Group: "batch", Version: "v1", Resource: "cronjobs"},
	"hpa":         {Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
	"pdb":         {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"crd":         {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	"apiservice":  {Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"},
	"clusterrole": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
}

// in names an object in the namespace of the try, as kubectl does: KIND/NAME.
func in(ref string) object {
	o := bare(ref)
	o.namespace = "NS"
	return o
}

// bare names an object that is in no namespace.
func bare(ref string) object {
	kind, name, _ := strings.Cut(ref, "/")
	resource, ok := kinds[kind]
	if !ok {
		panic("no kind " + kind)
	}
	return object{resource: resource, name: name}
}

// widget is the production object that instance makes.
var widget = object{resource: schema.GroupVersionResource{Group: "NS.example.com", Version: "v1", Resource: "widgets"}, namespace: "NS", name: "precious"}

// scaledObjects are KEDA's.
var scaledObjects = schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}

// buckets are Config Connector's.
var buckets = schema.GroupVersionResource{Group: "storage.cnrm.cloud.google.com", Version: "v1beta1", Resource: "storagebuckets"}

// evictOne evicts one of the pods with a label.
func evictOne(selector string) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		name := r.run(t, "", "-n", r.name, "get", "pods", "-l", selector, "-o", "jsonpath={.items[0].metadata.name}").Stdout
		return kubectlWith(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+name+`","namespace":"NS"}}`,
			"create", "--raw", "/api/v1/namespaces/NS/pods/"+name+"/eviction", "-f", "-")(t, r)
	}
}

// adopt makes the room's parent the controller of its pod.
func adopt(t *testing.T, r *room) []string {
	t.Helper()
	uid := r.run(t, "", "-n", r.name, "get", "configmap", "parent", "-o", "jsonpath={.metadata.uid}").Stdout
	return []string{
		"-n", r.name, "patch", "pod", "web", "--type=merge", "-p",
		`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"parent","uid":"` + uid + `","controller":true}]}}`,
	}
}

// asRobot runs a command as the room's service account.
func asRobot(command func(*testing.T, *room) []string) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		args := append(command(t, r), "--as=system:serviceaccount:"+r.name+":robot")
		result := r.run(t, "", args...)
		return result.Stdout + result.Stderr, result.ExitCode != 0
	}
}
