package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/webhook/index"
)

// The sizes of what nobody reads and the API server sends all the same.
const (
	fieldsOfMetadata = 700      // the managed fields of what a chart made
	fieldsOfPod      = 3 << 10  // those of a pod
	schemaSize       = 40 << 10 // the OpenAPI schema of a definition
)

// writer writes objects as the API server does, each in the one form that the feed asks
// for: whole if it has facts, else its metadata alone.
type writer struct{ kinds map[string]kind }

func newWriter() writer {
	w := writer{map[string]kind{}}
	for _, k := range kindsOf() {
		w.kinds[k.resource.String()] = k
	}
	return w
}

// write writes an object in a version.
func (w writer) write(o index.Object, version int64) ([]byte, error) {
	meta := metadataOf(o, version)
	if o.Facts == nil {
		return json.Marshal(metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{Kind: partialKind, APIVersion: "meta.k8s.io/v1"}, ObjectMeta: meta,
		})
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	rest, err := factsOf(o)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":%s,%s}`, o.Kind, w.kinds[o.Resource.String()].apiVersion(), text, rest), nil
}

// partialKind is the kind of an object of which there is the metadata alone.
const partialKind = "PartialObjectMetadata"

func metadataOf(o index.Object, version int64) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Namespace: o.Namespace, Name: o.Name, UID: types.UID(o.UID), ResourceVersion: fmt.Sprint(version), Generation: 3,
		CreationTimestamp: metav1.Unix(1_795_000_000, 0), Labels: o.Labels,
		Annotations: map[string]string{
			"meta.helm.sh/release-name": o.Name, "meta.helm.sh/release-namespace": o.Namespace,
			"checksum/config": "9b2cf535f27731c974343645a3985328d1d0e4a1c5a3b2e8f7f6f1a6d9c0e7b4",
		},
	}
	for _, owner := range o.Owners {
		meta.OwnerReferences = append(meta.OwnerReferences, metav1.OwnerReference{
			APIVersion: "apps/v1", Kind: "ReplicaSet", Name: o.Name, UID: types.UID(owner.UID),
			Controller: new(owner.Controller), BlockOwnerDeletion: new(true),
		})
	}
	fields := metadataFields
	if _, ok := o.Facts.(*index.Pod); ok {
		fields = podFields
	}
	meta.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "helm", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: &fields,
	}}
	return meta
}

var (
	metadataFields = fieldsOf(fieldsOfMetadata)
	podFields      = fieldsOf(fieldsOfPod)
)

// fieldsOf are managed fields of about a size.
func fieldsOf(size int) metav1.FieldsV1 {
	var keys []string
	for i := 0; len(keys)*32 < size; i++ { // a key has 32 characters
		keys = append(keys, fmt.Sprintf(`"f:app.example.com/setting-%03d":{}`, i))
	}
	return metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:annotations":{` + strings.Join(keys, ",") + `}}}`)}
}

// factsOf is what is beside the metadata of an object that has facts.
func factsOf(o index.Object) (string, error) {
	switch f := o.Facts.(type) {
	case *index.Pod:
		return podText(f), nil
	case *index.Claim:
		return fmt.Sprintf(`"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"100Gi"}},"volumeName":%q,"storageClassName":%q,`+
			`"volumeMode":"Filesystem"},"status":{"phase":"Bound","accessModes":["ReadWriteOnce"],"capacity":{"storage":"100Gi"}}`, f.Volume, f.StorageClass), nil
	case *index.PersistentVolume:
		return fmt.Sprintf(`"spec":{"capacity":{"storage":"100Gi"},"csi":{"driver":"pd.csi.storage.gke.io","volumeHandle":"projects/p/zones/z/disks/%s","fsType":"ext4"},`+
			`"accessModes":["ReadWriteOnce"],"claimRef":{"kind":"PersistentVolumeClaim","namespace":%q,"name":%q,"apiVersion":"v1"},`+
			`"persistentVolumeReclaimPolicy":%q,"storageClassName":%q},"status":{"phase":"Bound"}`,
			o.Name, f.ClaimNamespace, f.ClaimName, f.ReclaimPolicy, f.StorageClass), nil
	case *index.Budget:
		return fmt.Sprintf(`"spec":{"minAvailable":1,"selector":{"matchLabels":%s}},"status":{"disruptionsAllowed":1}`, matchLabels(f.Selector)), nil
	case *index.Service:
		return fmt.Sprintf(`"spec":{"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":8080}],"selector":%s,"clusterIP":"10.0.0.1","type":"ClusterIP"},`+
			`"status":{"loadBalancer":{}}`, matchLabels(f.Selector)), nil
	case *index.Binding:
		var subjects []string
		for _, account := range f.Accounts {
			namespace, name, _ := strings.Cut(account, "/")
			subjects = append(subjects, fmt.Sprintf(`{"kind":"ServiceAccount","namespace":%q,"name":%q}`, namespace, name))
		}
		return fmt.Sprintf(`"subjects":[%s],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":%q,"name":%q}`,
			strings.Join(subjects, ","), f.RoleKind, f.RoleName), nil
	case *index.Definition:
		return fmt.Sprintf(`"spec":{"group":%q,"names":{"plural":%q,"singular":"thing","kind":%q,"listKind":"%sList"},"scope":"Namespaced",`+
			`"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{%s}}}}]},`+
			`"status":{"storedVersions":["v1"]}`, f.Serves.Group, f.Serves.Resource, f.Kind, f.Kind, schemaText), nil
	}
	return "", fmt.Errorf("%T: nobody has said how it is written", o.Facts)
}

func matchLabels(selector labels.Selector) string {
	var pairs []string
	requirements, _ := selector.Requirements() // made from a set
	for _, r := range requirements {
		pairs = append(pairs, fmt.Sprintf("%q:%q", r.Key(), r.Values().List()[0]))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var schemaText = func() string {
	var b strings.Builder
	for i := 0; b.Len() < schemaSize; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"field%d":{"description":"What the operator does with field %d of this object, in a sentence or two, as generated schemas have it.","type":"string"}`, i, i)
	}
	return b.String()
}()

// podText is a pod of two containers, one of which is a sidecar.
func podText(p *index.Pod) string {
	var mounts []string
	for i, name := range p.Claims {
		mounts = append(mounts, fmt.Sprintf(`{"name":"data-%d","persistentVolumeClaim":{"claimName":%q}}`, i, name))
	}
	for i, name := range p.Secrets {
		mounts = append(mounts, fmt.Sprintf(`{"name":"secret-%d","secret":{"secretName":%q,"defaultMode":420}}`, i, name))
	}
	for i, name := range slices.DeleteFunc(slices.Clone(p.ConfigMaps), func(name string) bool { return name == "kube-root-ca.crt" }) {
		mounts = append(mounts, fmt.Sprintf(`{"name":"config-%d","configMap":{"name":%q,"defaultMode":420}}`, i, name))
	}
	mounts = append(mounts, `{"name":"kube-api-access-x7k2p","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},`+
		`{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},`+
		`{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}`)
	phase := "Running"
	if p.Done {
		phase = "Succeeded"
	}
	return fmt.Sprintf(`"spec":{"volumes":[%s],"containers":[%s,%s],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst",`+
		`"serviceAccountName":%q,"serviceAccount":%q,"nodeName":%q,"securityContext":{},"schedulerName":"default-scheduler",`+
		`"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},`+
		`{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],`+
		`"priorityClassName":%q,"priority":1000,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"},`+
		`"status":{"phase":%q,"conditions":[%s],"hostIP":"10.132.0.11","podIP":"10.4.3.17","startTime":"2026-11-21T03:11:36Z","qosClass":"Burstable"}`,
		strings.Join(mounts, ","), containerText("app"), containerText("proxy"), p.ServiceAccount, p.ServiceAccount, p.Node, p.PriorityClass, phase, conditionsText)
}

func containerText(name string) string {
	var env []string
	for i := range 10 {
		env = append(env, fmt.Sprintf(`{"name":"SETTING_%d","value":"https://service-%d.shop.svc:8443/v1"}`, i, i))
	}
	return fmt.Sprintf(`{"name":%q,"image":"europe-docker.pkg.dev/company/images/%s@sha256:5e1c3a526a314b579f3e3f1f0c1d7a105e1c3a526a314b579f3e3f1f0c1d7a10",`+
		`"ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[%s],"resources":{"limits":{"memory":"512Mi"},"requests":{"cpu":"100m","memory":"512Mi"}},`+
		`"volumeMounts":[{"name":"kube-api-access-x7k2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],`+
		`"readinessProbe":{"httpGet":{"path":"/ready","port":"http","scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},`+
		`"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}`,
		name, name, strings.Join(env, ","))
}

var conditionsText = func() string {
	var conditions []string
	for _, kind := range []string{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		conditions = append(conditions, fmt.Sprintf(`{"type":%q,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-21T03:11:36Z"}`, kind))
	}
	return strings.Join(conditions, ",")
}()
