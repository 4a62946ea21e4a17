package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The sizes of the reviews.
const (
	smallReview = 10 << 10
	largeReview = 200 << 10
)

// review is one AdmissionReview, as compact as the API server sends it.
type review struct {
	name   string
	body   []byte
	denied bool // by mollyguard; the references allow everything
}

// The names of the reviews.
const (
	smallDenied  = "10 KB delete, denied"
	largeDenied  = "200 KB delete, denied"
	smallAllowed = "10 KB delete, allowed"
)

func reviews(ctx context.Context) ([]review, error) {
	production, err := recorded(ctx, "delete-production.json")
	if err != nil {
		return nil, err
	}
	dev, err := recorded(ctx, "delete-dev.json")
	if err != nil {
		return nil, err
	}
	configMap, err := configMapReview()
	if err != nil {
		return nil, err
	}
	return []review{
		{smallDenied, production, true},
		{largeDenied, configMap, true},
		{smallAllowed, dev, false},
	}, nil
}

// recorded is one of the demo's reviews of a Deployment, which are indented and
// of a young object, with the managed fields of one that more has happened to.
func recorded(ctx context.Context, name string) ([]byte, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "cmd", "mollyguard", "demo", name))
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	before, after, found := bytes.Cut(compact.Bytes(), []byte(`"managedFields":[`))
	if !found {
		return nil, fmt.Errorf("%s: no managedFields", name)
	}
	entry := managedFields(smallReview - compact.Len())
	return slices.Concat(before, []byte(`"managedFields":[`), entry, []byte(","), after), nil
}

func moduleRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's folder: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// managedFields is an entry of about a size: what a tool that injects sidecars
// applied to each.
func managedFields(size int) []byte {
	const head = `{"manager":"argocd-controller","operation":"Apply","apiVersion":"apps/v1","time":"2026-11-21T03:11:38Z","fieldsType":"FieldsV1",` +
		`"fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{".":{}`
	const container = `,"k:{\"name\":\"sidecar-%d\"}":{".":{},"f:args":{},"f:env":{".":{}%s},"f:image":{},"f:imagePullPolicy":{},"f:name":{},` +
		`"f:resources":{".":{},"f:limits":{".":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},` +
		`"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}`
	const variable = `,"k:{\"name\":\"FEATURE_%d\"}":{".":{},"f:name":{},"f:value":{}}`
	const tail = `}}}}}}`
	var variables strings.Builder
	for i := range 10 {
		fmt.Fprintf(&variables, variable, i)
	}
	var b bytes.Buffer
	b.WriteString(head)
	for i := 0; b.Len() < size-len(tail); i++ {
		fmt.Fprintf(&b, container, i, variables.String())
	}
	b.WriteString(tail)
	return b.Bytes()
}

// configMapReview deletes a ConfigMap full of settings: lines with quotes,
// escapes and ampersands, as YAML in a ConfigMap has them.
func configMapReview() ([]byte, error) {
	object := corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "routes", Namespace: "shop", UID: "5e1c3a52-6a31-4b57-9f3e-3f1f0c1d7a10", ResourceVersion: "4711",
			Labels: map[string]string{"app.kubernetes.io/name": "routes", "env": "production", "team": "payments"},
		},
		Data: map[string]string{},
	}
	const files = 20
	var keys strings.Builder
	for file := range files {
		name := fmt.Sprintf("routes-%02d.yaml", file)
		var text strings.Builder
		for line := 0; text.Len() < largeReview/files*9/10; line++ { // a tenth is escapes and the rest
			fmt.Fprintf(&text, "  route-%04d: \"https://service-%02d.shop.svc:8443/v1/orders?timeout=5s&retries=3\"\n", line, file)
		}
		object.Data[name] = text.String()
		fmt.Fprintf(&keys, `,"f:%s":{}`, name)
	}
	object.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kubectl-create", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:data":{".":{}` + keys.String() + `}}`)},
	}}
	old, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"},
		Request: &admissionv1.AdmissionRequest{
			UID: "8d2b6d1e-52f1-4c6f-9d61-6a1e5a0f0b7c", Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: object.Name, Namespace: object.Namespace, Operation: admissionv1.Delete,
			UserInfo:  authenticationv1.UserInfo{Username: "alice@example.com", Groups: []string{"dev", "system:authenticated"}},
			OldObject: runtime.RawExtension{Raw: old},
			DryRun:    new(false),
			Options:   runtime.RawExtension{Raw: []byte(`{"kind":"DeleteOptions","apiVersion":"meta.k8s.io/v1","propagationPolicy":"Background"}`)},
		},
	})
	return body, err
}

// uidOf finds the uid of a review's request, which the API server writes first.
func uidOf(body []byte) ([]byte, error) {
	const key = `"request":{"uid":"`
	start := bytes.Index(body, []byte(key)) + len(key)
	if start < len(key) || len(body) < start+uidLength {
		return nil, errors.New("no request.uid in the review")
	}
	return body[start : start+uidLength], nil
}

// uidLength is the length of a UUID in text.
const uidLength = 36
