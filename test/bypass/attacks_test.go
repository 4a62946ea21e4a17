package bypass

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func attackDoors() []door {
	const group = "What an attacker thought of"
	web := in("deployment/web")
	definitionOf := bare("crd/widgets.NS.example.com")
	return []door{
		{
			group: group, name: "as a service account, have it owned by a Lease, which anybody may delete",
			given: production + robot + lease, protects: []object{web},
			try: asRobot(ownedBy("deployment/web", "coordination.k8s.io/v1", "Lease", "holder")),
			how: "`production-unprotect`: nobody is asked about the deletion of Leases, Events, Endpoints, certificate requests and Nodes, so none is named as an owner afterwards.",
		},
		{
			group: group, name: "as a service account, have it owned by a pod that has ended",
			given: production + robot + donePod, settled: ended, protects: []object{web},
			try: asRobot(ownedBy("deployment/web", "v1", "Pod", "done")),
			how: "`production-unprotect`: what has ended may be deleted, so no pod or Job is named as an owner afterwards; nor is what controllers drop with their history.",
		},
		{
			group: group, name: "as a service account, say that a pod has failed, and delete it then",
			given: bearingPod + robot, protects: []object{in("pod/web")},
			try: asRobot(words("-n", "NS", "patch", "pod", "web", "--subresource=status", "--type=merge", "-p", `{"status":{"phase":"Failed"}}`)),
			how: "`production-unprotect`, whoever says so but kubelets and the control plane.",
		},
		{
			group: group, name: "have another server say that there is nothing of its kind",
			given: definition, settled: servedInstance, protects: []object{bare("apiservice/v1.NS.example.com")},
			try: kubectl("patch", "apiservice", "v1.NS.example.com", "--type=merge", "-p",
				`{"spec":{"insecureSkipTLSVerify":true,"service":{"name":"hers","namespace":"NS"}}}`),
			how: "`definition-holds-production`: the garbage collector would delete whatever objects of that API own.",
		},
		{
			group: group, name: "as a service account, label a Secret as one that cert-manager drops",
			given: labelled + certificate + robot, protects: []object{in("secret/certificate")},
			try: asRobot(words("-n", "NS", "label", "secret", "certificate", "cert-manager.io/next-private-key=true")),
			how: "`production-unprotect`: what is let go by a label is made with it.",
		},
		{
			group: group, name: "have the fields of its kind dropped",
			given: definition, settled: instance, protects: []object{definitionOf},
			try: kubectl("patch", "crd", "widgets.NS.example.com", "--type=json", "-p",
				`[{"op":"replace","path":"/spec/versions/0/schema/openAPIV3Schema","value":{"type":"object"}}]`),
			how: "`definition-holds-production`, for fields of an object itself and of its spec.",
		},
		{
			group: group, name: "have the fields of its kind dropped, further down",
			given: strings.Replace(definition, preserving, nested, 1), settled: instance,
			try: kubectl("patch", "crd", "widgets.NS.example.com", "--type=json", "-p",
				`[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deep/properties/a"}]`),
			how:  "Nothing here.",
			open: everywhere("A schema is compared no further than the fields of spec: operators drop fields with every other release."),
		},
		{
			group: group, name: "drive its pods off a node by a taint",
			given: "apiVersion: v1\nkind: Node\nmetadata: {name: NS, labels: {env: production}}\n",
			try:   kubectl("taint", "nodes", "NS", "away=now:NoExecute"),
			how:   "Nothing here.",
			open:  everywhere("Taints are not judged: node controllers and autoscalers set them all day, and the pods go by the control plane's hand."),
		},
		{
			group: group, name: "have the API server itself change what controllers write",
			given: labelled,
			try:   kubectlWith(mutatingPolicy, "create", "-f", "-"),
			how:   "Nothing here: the audit log has who made the policy, and who may make one should be as few as who may make webhooks.",
			open:  everywhere("No admission is asked about admission policies. What a policy puts into a request of the control plane's is the control plane's, and let through."),
		},
		{
			group: group, name: "delete the attachment of a production volume",
			given: volume + attachment,
			try:   kubectl("delete", "volumeattachment", "attachment-NS", "--wait=false"),
			how:   "Nothing here.",
			open:  map[mode]string{running: detached, dead: detached},
		},
		{ // after this nothing guards any more: it has to be the last of all
			group: group, name: "with the server's pods dead, take the webhooks and the floor away, then delete",
			given: production, alone: true, only: []mode{dead},
			try:  disarmed,
			how:  "[Static manifests](webhook-configuration.md#static-manifests): files that no API call takes away.",
			open: map[mode]string{dead: "Admission does not judge admission configuration, and nobody is there to put it back: a server that lives does within a second."},
		},
	}
}

const detached = "The volume stays, and a node that is still using it gets it again; attachments come and go with every pod."

// disarmed takes everything away that guards, and deletes as soon as the API server has
// noticed.
func disarmed(t *testing.T, r *room) (said string, refused bool) {
	t.Helper()
	for _, args := range [][]string{
		{"delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "mollyguard", "--ignore-not-found"},
		{"delete", "validatingadmissionpolicybinding", "mollyguard-floor", "mollyguard-floor-parents"},
	} {
		if result := r.run(t, "", args...); result.ExitCode != 0 {
			return result.Stderr, true
		}
	}
	r.eventually(t, "nothing to guard any more", func() error {
		if said, refused = kubectl("-n", "NS", "delete", "deployment", "web", "--wait=false")(t, r); refused {
			return errors.New(said)
		}
		return nil
	})
	return said, refused
}

// words are the arguments of a command.
func words(args ...string) func(*testing.T, *room) []string {
	return func(_ *testing.T, r *room) []string { return r.each(args) }
}

// ownedBy patches an object of the room to be owned by another of it.
func ownedBy(what, apiVersion, kind, name string) func(*testing.T, *room) []string {
	return func(t *testing.T, r *room) []string {
		uid := r.run(t, "", "-n", r.name, "get", strings.ToLower(kind), name, "-o", "jsonpath={.metadata.uid}").Stdout
		if uid == "" {
			t.Fatalf("%s %s is not there", kind, name)
		}
		return []string{"-n", r.name, "patch", what, "--type=merge", "-p", fmt.Sprintf(
			`{"metadata":{"ownerReferences":[{"apiVersion":%q,"kind":%q,"name":%q,"uid":%q}]}}`, apiVersion, kind, name, uid)}
	}
}

// ended says of the room's pod that it has failed.
func ended(r *room) error {
	_, err := r.dynamic.Resource(kinds["pod"]).Namespace(r.name).Patch(
		r.t.Context(), "done", types.MergePatchType, []byte(`{"status":{"phase":"Failed"}}`), metav1.PatchOptions{}, "status")
	return err
}

// servedInstance is instance, once the API of its kind has an APIService.
func servedInstance(r *room) error {
	if _, err := r.dynamic.Resource(kinds["apiservice"]).Get(r.t.Context(), r.in("v1.NS.example.com"), metav1.GetOptions{}); err != nil {
		return err
	}
	return instance(r)
}

const lease = `
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: holder, namespace: NS}
`

const donePod = `
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: NS}
spec: {containers: [{name: done, image: example.com/done}]}
`

const certificate = `
---
apiVersion: v1
kind: Secret
metadata: {name: certificate, namespace: NS}
data: {a: MQ==}
`

const (
	preserving = `schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}`
	nested     = `schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {deep: {type: object, properties: {a: {type: string}}}}}}}}`
)

const attachment = `
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: attachment-NS}
spec: {attacher: example.com, nodeName: NS, source: {persistentVolumeName: NS}}
`

const mutatingPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NS}
spec:
  reinvocationPolicy: Never
  failurePolicy: Ignore
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {"env": "dev"}}}'}
`
