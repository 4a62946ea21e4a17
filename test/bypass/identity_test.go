package bypass

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/test/cluster"
)

func identityDoors() []door {
	const group = "Somebody else's identity"
	return []door{
		{
			group: group, name: "delete as a service account of kube-system",
			given: production,
			try: kubectl("-n", "NS", "delete", "deployment", "web", "--wait=false",
				"--as=system:serviceaccount:kube-system:generic-garbage-collector", "--as-group=system:masters"),
			open: everywhere("Admission does not see who impersonates. The right to impersonate is the right to everything: give it to nobody, and watch the audit log (`impersonatedUser`)."),
			how:  "Nothing here.",
		},
		{
			group: group, name: "make a token for a service account that is let through",
			given: `
apiVersion: v1
kind: ServiceAccount
metadata: {name: bypass-NS, namespace: kube-system}
`,
			try: kubectl("-n", "kube-system", "create", "token", "bypass-NS"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "make a lasting token for a service account that is let through",
			given: `
apiVersion: v1
kind: ServiceAccount
metadata: {name: secret-NS, namespace: kube-system}
`,
			try: kubectlWith(`
apiVersion: v1
kind: Secret
metadata: {name: secret-NS, namespace: kube-system, annotations: {kubernetes.io/service-account.name: secret-NS}}
type: kubernetes.io/service-account-token
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "run a pod as a controller of kube-system",
			try: kubectlWith(`
apiVersion: v1
kind: Pod
metadata: {name: run-NS, namespace: kube-system}
spec: {serviceAccountName: generic-garbage-collector, containers: [{name: a, image: example.com/a}]}
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to impersonate",
			try: kubectl("create", "clusterrole", "impersonate-NS", "--verb=impersonate", "--resource=serviceaccounts"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to impersonate the group that the static floor lets through",
			try: kubectl("create", "clusterrole", "group-NS", "--verb=impersonate", "--resource=groups", "--resource-name=mollyguard:static-floor"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to create everything, tokens among it",
			try: kubectlWith(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: create-NS}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [create]}]
`, "create", "-f", "-"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "give oneself the right to do everything",
			try: kubectlWith(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all-NS}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
`, "create", "-f", "-"),
			open: everywhere("Every cluster has such a role from the start, `cluster-admin`: who may make another has it, or may take it."),
			how:  "Nothing here: give `cluster-admin` to nobody for good, and watch the audit log.",
		},
		{
			group: group, name: "ask for a certificate of the controller manager",
			try: asksForCertificate("kubernetes.io/kube-apiserver-client", "system:kube-controller-manager"),
			how: "`guard-impersonated` reads the user and the groups that are asked for. The floor cannot, but the hook fails closed.",
		},
		{
			group: group, name: "ask for a certificate of a node, as nobody does who boots one",
			try: asksForCertificate("kubernetes.io/kube-apiserver-client-kubelet", "system:node:NS", "system:nodes"),
			how: "`guard-impersonated`.",
		},
		{
			group: group, name: "boot a node with a bootstrap token, and approve its certificate",
			try:  bootsNode,
			how:  "Nothing here: `system:node:…` is what every kubelet becomes.",
			open: everywhere("Meant: nodes wait for nobody, not even while no server answers. The user and groups that ask say who boots, and who may impersonate those, or make bootstrap tokens, is let through."),
		},
		{
			group: group, name: "approve a certificate that was asked for before",
			settled: askedBefore,
			try:     kubectl("certificate", "approve", "before-NS"),
			how:     "`guard-impersonated` judges a request again when it is approved.",
		},
		{
			group: group, name: "ask another signer for a certificate of the controller manager",
			try: asksForCertificate("example.com/NS", "system:kube-controller-manager"),
			how: "`guard-impersonated`.",
			open: map[mode]string{
				dead: "Meshes and issuers give workloads their certificates so, which must not wait. API servers believe only authorities that they were started with.",
			},
		},
		{
			group: group, name: "make a bootstrap token, and join as a node",
			try: kubectlWith(`
apiVersion: v1
kind: Secret
metadata: {name: bootstrap-token-NS, namespace: kube-system}
type: bootstrap.kubernetes.io/token
stringData: {token-id: abcdef, token-secret: 0123456789abcdef, usage-bootstrap-authentication: "true"}
`, "create", "-f", "-"),
			how:  "Nothing here: give the right to write Secrets in kube-system to very few.",
			open: everywhere("Clusters that grow by such tokens make one for every new machine, and nodes must not wait for us."),
		},
		{
			group: group, name: "be bound to a role that may make tokens for everybody",
			try: kubectl("create", "clusterrolebinding", "bound-NS", "--clusterrole=system:kube-controller-manager", "--user=mallory@example.com"),
			how: "`guard-impersonated` looks up what the role allows.",
			open: map[mode]string{
				dead: "A binding does not show what its role allows, and without that every chart that brings one would wait. RBAC lets nobody give away by a binding what they don't have, but who has the verb `bind`.",
			},
		},
		{
			group: group, name: "be bound to cluster-admin, or to admin or edit for the whole cluster",
			try:  kubectl("create", "clusterrolebinding", "admin-NS", "--clusterrole=edit", "--user=mallory@example.com"),
			how:  "Nothing here: give these to few, and watch the audit log. In a namespace with an identity that is let through, such as kube-system, it is refused.",
			open: everywhere("Giving these roles away is what administrators do every day. All three let somebody act as any service account."),
		},
	}
}

// asksForCertificate makes a CertificateSigningRequest.
func asksForCertificate(signer, user string, groups ...string) attempt {
	return func(t *testing.T, r *room) (string, bool) {
		t.Helper()
		return asks(t, r, certificateRequest(t, r, "asked-NS", signer, user, groups...))
	}
}

// bootsNode asks for a node's certificate as a bootstrap token does, and approves it.
func bootsNode(t *testing.T, r *room) (string, bool) {
	t.Helper()
	manifest := certificateRequest(t, r, "node-NS", "kubernetes.io/kube-apiserver-client-kubelet", "system:node:NS", "system:nodes")
	said, refused := asks(t, r, manifest, "--as=system:bootstrap:abcdef", "--as-group=system:bootstrappers", "--as-group=system:masters")
	if refused {
		return said, refused
	}
	return kubectl("certificate", "approve", "node-NS")(t, r)
}

// askedBefore makes a CertificateSigningRequest whose making nobody judges, as if it had
// been there before Mollyguard.
func askedBefore(r *room) error {
	manifest := certificateRequest(r.t, r, "before-NS", "kubernetes.io/kube-apiserver-client", "system:kube-controller-manager")
	result, err := r.KubectlWith(r.t.Context(), cluster.KubectlOptions{Stdin: strings.NewReader(manifest)}, r.Admin(),
		"create", "-f", "-", "--as=system:serviceaccount:kube-system:certificate-controller", "--as-group=system:masters")
	if err == nil && result.ExitCode != 0 && !strings.Contains(result.Stderr, "AlreadyExists") {
		err = fmt.Errorf("kubectl create: %s", result.Stderr)
	}
	return err
}

// asks creates a manifest as it is: what is in base64 may have NS in it.
func asks(t *testing.T, r *room, manifest string, args ...string) (string, bool) {
	t.Helper()
	result := r.run(t, manifest, append([]string{"create", "-f", "-"}, args...)...)
	return result.Stdout + result.Stderr, result.ExitCode != 0
}

// certificateRequest is the manifest of a CertificateSigningRequest. NS in the names is
// replaced.
func certificateRequest(t *testing.T, r *room, name, signer, user string, groups ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: r.in(user), Organization: groups}}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: text}))
	return fmt.Sprintf(`
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: %s}
spec: {signerName: %s, request: %s, usages: [digital signature, client auth]}
`, r.in(name), r.in(signer), request)
}
