package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
)

// state is what there is in the end, without what differs by chance: an object that
// somebody made by what it says, and what controllers made of it by how many there
// are of what sort.
type state map[string]string

// clusterKinds are what the life makes that has no namespace.
var clusterKinds = []string{"Namespace", "Node", "PersistentVolume", "CustomResourceDefinition", "StorageClass", "PriorityClass", "CSIDriver", "VolumeAttachment"}

// passing are kinds of which there are more or fewer by how fast controllers were: a
// revision that lasted for a moment has a ControllerRevision or not.
var passing = []string{"Event", "ControllerRevision"}

// settled returns the state once nothing is going and nothing has changed for a
// second, which is longer than any controller here waits.
func (l *life) settled(ctx context.Context) (state, error) {
	var last state
	var since time.Time
	err := l.until(ctx, "the cluster to settle", func() error {
		now, going, err := l.state(ctx)
		if err != nil {
			return err
		}
		if !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
		switch {
		case going != "":
			return fmt.Errorf("%s is going", going)
		case time.Since(since) < 1500*time.Millisecond:
			return fmt.Errorf("it changes")
		}
		return nil
	})
	return last, err
}

// state looks at all kinds that can be listed. going is an object that is being
// deleted, if there is one.
func (l *life) state(ctx context.Context) (found state, going string, err error) {
	objects, err := l.objects(ctx)
	if err != nil {
		return nil, "", err
	}
	byUID := map[types.UID]*unstructured.Unstructured{}
	for _, object := range objects {
		byUID[object.GetUID()] = object
	}
	found, counts := state{}, map[string]int{}
	for _, object := range objects {
		if object.GetDeletionTimestamp() != nil {
			going = object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		}
		owner := metav1.GetControllerOfNoCopy(object)
		if owner == nil {
			text, err := json.Marshal(meaning(object))
			if err != nil {
				return nil, "", err
			}
			found[object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName()] = string(text)
			continue
		}
		counts[object.GetKind()+" of "+origin(object, byUID)+sort(object)]++
	}
	for what, count := range counts {
		found[what] = fmt.Sprint(count)
	}
	return found, going, nil
}

// objects lists what the life has made, and what was made of that.
func (l *life) objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	client, err := discovery.NewDiscoveryClientForConfig(l.admin.config)
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	places, err := l.admin.clients.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: "life"})
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, namespace := range places.Items {
		ours[namespace.Name] = true
	}
	var found []*unstructured.Unstructured
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || slices.Contains(passing, resource.Kind) || !resource.Namespaced && !slices.Contains(clusterKinds, resource.Kind) {
				continue
			}
			items, err := l.admin.dynamic.Resource(group.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if meta.IsNoMatchError(err) {
				continue // a definition that has just gone
			} else if err != nil {
				return nil, err
			}
			for i := range items.Items {
				object := &items.Items[i]
				if ours[object.GetNamespace()] || !resource.Namespaced && !isTheirs(object, ours) {
					found = append(found, object)
				}
			}
		}
	}
	return found, nil
}

// isTheirs says that an object without a namespace is not the life's.
func isTheirs(object *unstructured.Unstructured, ours map[string]bool) bool {
	name := object.GetName()
	return object.GetKind() == "Namespace" && !ours[name] || strings.Contains(name, "mollyguard")
}

// origin is the object that somebody made, of which another was made.
func origin(object *unstructured.Unstructured, byUID map[types.UID]*unstructured.Unstructured) string {
	for {
		owner := metav1.GetControllerOfNoCopy(object)
		if owner == nil {
			return object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		}
		next := byUID[owner.UID]
		if next == nil {
			return owner.Kind + " " + object.GetNamespace() + "/" + owner.Name + ", which is not there"
		}
		object = next
	}
}

// sort says what is worth comparing of an object that a controller made.
func sort(object *unstructured.Unstructured) string {
	switch object.GetKind() {
	case "Pod":
		phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		return ", " + phase + ", " + image(object.Object, "spec", "containers")
	case "ReplicaSet":
		replicas, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
		if replicas == 0 {
			return ", of the past"
		}
		return fmt.Sprintf(", %d replicas, %s", replicas, image(object.Object, "spec", "template", "spec", "containers"))
	case "Job":
		succeeded, _, _ := unstructured.NestedInt64(object.Object, "status", "succeeded")
		return fmt.Sprintf(", %d succeeded", succeeded)
	}
	return ""
}

func image(object map[string]any, path ...string) string {
	containers, _, _ := unstructured.NestedSlice(object, path...)
	for _, container := range containers {
		if fields, ok := container.(map[string]any); ok {
			return fmt.Sprint(fields["image"])
		}
	}
	return "no image"
}

// byChance are fields that are chosen by whoever stores the object.
var byChance = []string{
	"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort",
	"controller-uid", "batch.kubernetes.io/controller-uid", "kubectl.kubernetes.io/restartedAt", "deployment.kubernetes.io/revision",
	"deprecated.daemonset.template.generation", "endpoints.kubernetes.io/last-change-trigger-time", "nodeName", "status",
	"tls.crt", "tls.key", // made anew
	"ca.crt",    // the cluster's own
	"timeAdded", // of a taint
}

// meaning is what an object says, without what byChance lists.
func meaning(object *unstructured.Unstructured) any {
	return without(object.DeepCopy().Object)
}

func without(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if slices.Contains(byChance, key) || strings.HasPrefix(key, "f:") {
				delete(value, key)
				continue
			}
			value[key] = without(inner)
		}
	case []any:
		kept := value[:0]
		for _, inner := range value {
			// The token's volume has a name by chance.
			if fields, ok := inner.(map[string]any); ok && strings.HasPrefix(fmt.Sprint(fields["name"]), "kube-api-access-") {
				continue
			}
			kept = append(kept, without(inner))
		}
		return kept
	}
	return value
}

// readyPods counts the pods that run, for the report.
func (l *life) readyPods(ctx context.Context) (int, error) {
	pods, err := l.admin.clients.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "status.phase=" + string(corev1.PodRunning)})
	if err != nil {
		return 0, err
	}
	return len(pods.Items), nil
}
