package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	widgets = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}
	gadgets = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "gadgets"}
)

const churnManifest = `
apiVersion: v1
kind: Event
metadata: {name: something}
involvedObject: {apiVersion: v1, kind: ConfigMap, name: something, namespace: NAMESPACE}
reason: Happened
message: number NUMBER
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: outside}
addressType: IPv4
endpoints: [{addresses: [192.0.2.NUMBER]}]
ports: [{port: 80}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 192.0.2.NUMBER}], ports: [{port: 80}]}]
`

// churn is what an operator in a namespace of production writes and deletes all day.
func churn(ctx context.Context, l *life) error {
	production, _, err := l.places(ctx, "churn")
	if err != nil {
		return err
	}
	leases := l.operator.clients.CoordinationV1().Leases(production)
	lease, err := leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "leader", Labels: map[string]string{"env": "production"}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("one")},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for i := range 20 {
		lease.Spec.RenewTime, lease.Spec.HolderIdentity = new(metav1.NowMicro()), new(fmt.Sprint("holder-", i))
		if lease, err = leases.Update(ctx, lease, metav1.UpdateOptions{}); err != nil {
			return err
		}
		if err := l.apply(ctx, l.operator, production, replace(churnManifest, "NAMESPACE", production, "NUMBER", fmt.Sprint(i+1))); err != nil {
			return err
		}
	}
	if err := l.remove(ctx, l.operator, production, replace(churnManifest, "NUMBER", "1"), metav1.DeleteOptions{}); err != nil {
		return err
	}
	return leases.Delete(ctx, lease.Name, metav1.DeleteOptions{})
}

// certificates are made and renewed in Secrets, with certificate requests that go
// when they are done.
func certificates(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "certificates")
	if err != nil {
		return err
	}
	for _, namespace := range []string{production, dev} {
		for i := range 5 {
			request, key, err := certificateRequest()
			if err != nil {
				return err
			}
			name := fmt.Sprintf("%s-%d", namespace, i)
			requests := l.certificates.clients.CertificatesV1().CertificateSigningRequests()
			if _, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"env": "production"}},
				Spec: certificatesv1.CertificateSigningRequestSpec{
					Request: request, SignerName: "example.com/signer", Usages: []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
				},
			}, metav1.CreateOptions{}); err != nil {
				return err
			}
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "tls", Annotations: map[string]string{"cert-manager.io/certificate-name": "tls"}},
				Type:       corev1.SecretTypeTLS,
				// What signs is not there: what is kept is a key and what was asked.
				Data: map[string][]byte{corev1.TLSCertKey: request, corev1.TLSPrivateKeyKey: key},
			}
			secrets := l.certificates.clients.CoreV1().Secrets(namespace)
			if i == 0 {
				_, err = secrets.Create(ctx, secret, metav1.CreateOptions{})
			} else {
				_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
			}
			if err != nil {
				return err
			}
			if err := requests.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}

func certificateRequest() (request, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "shop.example.com"}}, private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

const widgetManifest = `
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {size: SIZE, replicas: 2}
`

// finalizers are an operator's own: it adds them to what it cares for, and takes them
// off again. In dev it does so when the object goes.
func finalizers(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "finalizers")
	if err != nil {
		return err
	}
	patch := func(namespace string, finalizers ...string) error {
		body, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": finalizers}})
		if err != nil {
			return err
		}
		_, err = l.operator.dynamic.Resource(widgets).Namespace(namespace).Patch(ctx, "one", types.MergePatchType, body, metav1.PatchOptions{FieldManager: "operator"})
		return err
	}
	for _, namespace := range []string{production, dev} {
		for i, finalizers := range [][]string{{"operator.example.com/a"}, {"operator.example.com/a", "operator.example.com/b"}, {"operator.example.com/b"}, {}} {
			if err := l.apply(ctx, l.gitops, namespace, replace(widgetManifest, "SIZE", fmt.Sprint(i))); err != nil {
				return err
			}
			if err := patch(namespace, finalizers...); err != nil {
				return err
			}
		}
	}
	// What an operator makes belongs to what it makes it for. The garbage collector
	// learns of a new kind within half a minute, so nobody waits for it here.
	widget, err := l.operator.dynamic.Resource(widgets).Namespace(production).Get(ctx, "one", metav1.GetOptions{})
	if err != nil {
		return err
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "made", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(widget, widget.GroupVersionKind())}}}
	if _, err := l.operator.clients.CoreV1().ConfigMaps(production).Create(ctx, owned, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := patch(dev, "operator.example.com/a"); err != nil {
		return err
	}
	if err := l.kubectls(ctx, "-n "+dev+" delete widget one --wait=false"); err != nil {
		return err
	}
	if err := patch(dev); err != nil {
		return err
	}
	return l.gone(ctx, dev, replace(widgetManifest, "SIZE", "0"))
}
