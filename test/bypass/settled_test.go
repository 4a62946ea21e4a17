package bypass

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pods waits until there are so many pods with a label.
func pods(selector string, count int) func(*room) error {
	return func(r *room) error {
		list, err := r.dynamic.Resource(kinds["pod"]).Namespace(r.name).List(r.t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		if len(list.Items) < count {
			return fmt.Errorf("%d of %d pods with %s", len(list.Items), count, selector)
		}
		return nil
	}
}

// instance makes a production object of the room's own kind, once it is served.
func instance(r *room) error {
	return r.furnish(`
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: NS.example.com/v1
kind: Widget
metadata: {name: precious, namespace: NS, labels: {env: production}}
spec: {replicas: 2, workers: 2}
`)
}

// owned makes a production object that the room's parent owns.
func owned(r *room) error {
	parent, err := r.dynamic.Resource(kinds["configmap"]).Namespace(r.name).Get(r.t.Context(), "parent", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return r.furnish(fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata:
  name: child
  namespace: NS
  labels: {env: production}
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: parent, uid: %s}]
`, parent.GetUID()))
}

// going deletes an object that has a finalizer and is nobody's production yet, and
// labels it then.
func going(r *room) error {
	client := r.dynamic.Resource(kinds["configmap"]).Namespace(r.name)
	if err := client.Delete(r.t.Context(), "going", metav1.DeleteOptions{}); err != nil {
		return err
	}
	_, err := client.Patch(r.t.Context(), "going", types.MergePatchType, []byte(`{"metadata":{"labels":{"env":"production"}}}`), metav1.PatchOptions{})
	return err
}

// scaledObject makes an autoscaler of KEDA's, once there are such.
func scaledObject(r *room) error {
	return r.furnish(`
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web, namespace: NS}
spec: {minReplicaCount: 1, maxReplicaCount: 3, scaleTargetRef: {name: web}}
`)
}

// bucket makes a bucket of Config Connector's, once there are such.
func bucket(r *room) error {
	return r.furnish(`
apiVersion: storage.cnrm.cloud.google.com/v1beta1
kind: StorageBucket
metadata: {name: bucket, namespace: NS}
spec: {resourceID: precious}
`)
}
