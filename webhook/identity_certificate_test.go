package webhook

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/admission"

	"github.com/mollyguard/mollyguard/operation"
)

// certificateRequest is a request for a certificate in PEM.
func certificateRequest(t testing.TB, name pkix.Name) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: text})
}

// signing is a CertificateSigningRequest as the API server stores it.
type signing struct {
	signer, user string
	groups       []string
	usages       []any
	request      []byte
	conditions   []string
}

func (s signing) object() map[string]any {
	list := func(texts []string) []any {
		var values []any
		for _, text := range texts {
			values = append(values, text)
		}
		return values
	}
	spec := map[string]any{
		"signerName": s.signer, "username": s.user, "usages": s.usages,
		"request": base64.StdEncoding.EncodeToString(s.request), "groups": list(s.groups),
	}
	o := named("x", map[string]any{"spec": spec})
	if len(s.conditions) > 0 {
		var conditions []any
		for _, kind := range s.conditions {
			conditions = append(conditions, map[string]any{"type": kind, "status": "True"})
		}
		o["status"] = map[string]any{"conditions": conditions}
	}
	return o
}

// TestNobodyGetsACertificateOfAnIdentityThatIsLetThrough holds hooks and mapper together.
func TestNobodyGetsACertificateOfAnIdentityThatIsLetThrough(t *testing.T) {
	server := newAPIServer(t)
	configuration := Configuration(ownOptions(t)).Validating
	m := guardMapper(t)
	m.exempt[0].Actors = patterns(t, "system:serviceaccount:kube-system:.*", "system:node:.*", "system:kube-controller-manager")

	const identity, other, nothing = "identity", "identity-other", ""
	client := []any{"digital signature", "client auth"}
	of := func(user string, groups ...string) []byte {
		return certificateRequest(t, pkix.Name{CommonName: user, Organization: groups})
	}
	asks := func(user string, s signing) call {
		s.user = user
		if s.usages == nil {
			s.usages = client
		}
		return call{operation: admission.Create, group: certificatesGroup, resource: certificateRequests, kind: "CertificateSigningRequest", name: "x", user: user, groups: s.groups, new: s.object()}
	}
	// Somebody else than who asked for it.
	approves := func(user string, c call, before, after []string) call {
		with := func(conditions []string) map[string]any {
			var list []any
			for _, kind := range conditions {
				list = append(list, map[string]any{"type": kind, "status": "True"})
			}
			return named("x", map[string]any{"spec": c.new["spec"], "status": map[string]any{"conditions": list}})
		}
		old, new := with(before), with(after)
		c.operation, c.subresource, c.user, c.groups, c.old, c.new = admission.Update, "approval", user, nil, old, new
		return c
	}
	manager := of("system:kube-controller-manager")
	node := of("system:node:n1", "system:nodes")
	bob := of("bob@example.com", "dev")
	const controlPlane, pipeline, becomesManager = "kubernetes-control-plane", "pipeline", "who has the certificate is the user system:kube-controller-manager"
	const becomesNode = "who has the certificate is the user system:node:n1, a member of system:nodes"
	unreadable := "a certificate of kubernetes.io/kube-apiserver-client, and for whom cannot be read "
	for _, tt := range []struct {
		name           string
		call           call
		hook           string
		passes, change string
	}{
		{"of the controller manager", asks("alice", signing{signer: clientSigner, request: manager}), identity, controlPlane, becomesManager},
		{"of a service account of kube-system", asks("alice", signing{signer: clientSigner, request: of("system:serviceaccount:kube-system:x")}), identity, controlPlane, "who has the certificate is the user system:serviceaccount:kube-system:x"},
		{"of one that the configuration exempts", asks("alice", signing{signer: clientSigner, request: of("ci@example.com")}), identity, pipeline, "who has the certificate is the user ci@example.com"},
		{"of our own account", asks("alice", signing{signer: clientSigner, request: of(ours().Account)}), identity, ownPasses, "who has the certificate is the user " + ours().Account},
		{"of somebody else", asks("alice", signing{signer: clientSigner, request: bob}), identity, "", ""},
		{"of system:masters", asks("alice", signing{signer: clientSigner, request: of("bob@example.com", "dev", "system:masters")}), identity, "group system:masters", "who has the certificate is a member of system:masters"},
		{"of the group that the static floor lets through", asks("alice", signing{signer: clientSigner, request: of("alice", BypassGroup)}), identity, groupPasses, "who has the certificate is a member of " + BypassGroup},
		{"of one's own name, that is let through", asks("ci@example.com", signing{signer: clientSigner, request: of("ci@example.com")}), identity, "", ""},
		{"of one's own name and group", asks("alice", signing{signer: clientSigner, groups: []string{"system:masters"}, request: of("alice", "system:masters")}), identity, "", ""},
		{"with two names", asks("alice", signing{signer: clientSigner, request: certificateRequest(t, pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: []int{2, 5, 4, 3}, Value: "system:kube-controller-manager"}, {Type: []int{2, 5, 4, 3}, Value: "alice"},
		}})}), identity, controlPlane, becomesManager},
		{"that is no PEM", asks("alice", signing{signer: clientSigner, request: []byte("x")}), identity, controlPlane, unreadable + "(no certificate request in PEM)"},
		{"that is no PKCS#10", asks("alice", signing{signer: clientSigner, request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")})}), identity, controlPlane, unreadable + "(no certificate request in PKCS#10)"},
		{"that is too long", asks("alice", signing{signer: clientSigner, request: bytes.Repeat([]byte("x"), maxCertificateRequest+1)}), identity, controlPlane, unreadable + "(more than 64 KiB)"},
		{"of the signer of old", asks("alice", signing{signer: legacySigner, usages: []any{"digital signature"}, request: manager}), identity, controlPlane, becomesManager},
		{"for a server", asks("alice", signing{signer: legacySigner, usages: []any{"server auth"}, request: manager}), nothing, "", ""},
		{"for a server and a client", asks("alice", signing{signer: legacySigner, usages: []any{"server auth", "client auth"}, request: manager}), identity, controlPlane, becomesManager},
		{"of the signer for kubelets' servers", asks("alice", signing{signer: "kubernetes.io/kubelet-serving", request: node}), nothing, "", ""},

		{"of a node, by a person", asks("alice", signing{signer: kubeletSigner, request: node}), identity, controlPlane, becomesNode},
		{"of a node, by a person of that group", asks("alice", signing{signer: kubeletSigner, groups: []string{"system:nodes"}, request: node}), identity, controlPlane, "who has the certificate is the user system:node:n1"},
		{"of a node, by a bootstrap token", asks("system:bootstrap:abcdef", signing{signer: kubeletSigner, request: node}), nothing, "", ""},
		{"of a node, by whoever is in the group of those", asks("joiner", signing{signer: kubeletSigner, groups: []string{"system:bootstrappers:kubeadm:default-node-token"}, request: node}), nothing, "", ""},
		{"of a node, as GKE does", asks("kubelet-nodepool-bootstrap", signing{signer: kubeletSigner, request: node}), nothing, "", ""},
		{"of a node, as OpenShift does", asks("system:serviceaccount:openshift-machine-config-operator:node-bootstrapper", signing{signer: kubeletSigner, request: node}), nothing, "", ""},
		{"of a node, by another service account", asks("system:serviceaccount:shop:x", signing{signer: kubeletSigner, request: node}), identity, controlPlane, becomesNode},
		{"that a node renews", asks("system:node:n1", signing{signer: kubeletSigner, request: node}), nothing, "", ""},
		{"of the controller manager, by a bootstrap token", asks("system:bootstrap:abcdef", signing{signer: clientSigner, request: manager}), identity, controlPlane, becomesManager},

		{"of another signer", asks("alice", signing{signer: "example.com/mesh", request: bob}), other, "", ""},
		{"of another signer, for the controller manager", asks("alice", signing{signer: "example.com/mesh", request: manager}), other, controlPlane, becomesManager},
		{"of another signer, for a server", asks("alice", signing{signer: "example.com/mesh", usages: []any{"server auth"}, request: manager}), nothing, "", ""},

		{"approved", approves("bob", asks("alice", signing{signer: clientSigner, request: manager}), nil, []string{"Approved"}), identity, controlPlane, becomesManager},
		{"approved, of who asked", approves("bob", asks("ci@example.com", signing{signer: clientSigner, request: of("ci@example.com")}), nil, []string{"Approved"}), identity, "", ""},
		{"approved for oneself, asked by another", approves("alice", asks("bob", signing{signer: clientSigner, request: of("ci@example.com")}), nil, []string{"Approved"}), identity, pipeline, "who has the certificate is the user ci@example.com"},
		{"approved, of another signer", approves("bob", asks("alice", signing{signer: "example.com/mesh", request: manager}), nil, []string{"Approved"}), other, controlPlane, becomesManager},
		{"denied", approves("bob", asks("alice", signing{signer: clientSigner, request: manager}), nil, []string{"Denied"}), nothing, "", ""},
		{"approved before", approves("bob", asks("alice", signing{signer: clientSigner, request: manager}), []string{"Approved"}, []string{"Approved", "Failed"}), nothing, "", ""},
		{"approved by the control plane", approves("system:serviceaccount:kube-system:certificate-controller", asks("alice", signing{signer: kubeletSigner, request: node}), nil, []string{"Approved"}), nothing, "", ""},
		{"of a kubelet, approved by a person", approves("bob", asks("system:bootstrap:abcdef", signing{signer: kubeletSigner, request: node}), nil, []string{"Approved"}), nothing, "", ""},
		{"renewed by a node, approved by another", approves("system:gcp-controller-manager", asks("system:node:n1", signing{signer: kubeletSigner, request: node}), nil, []string{"Approved"}), nothing, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.t = t
			if got := strings.Join(server.called(configuration, tt.call), " "); got != tt.hook {
				t.Errorf("hooks called: %q, want %q", got, tt.hook)
			}
			decoded, err := decode(tt.call.request(t), false)
			if err != nil {
				t.Fatal(err)
			}
			op, _, _ := m.guarded(&decoded.request)
			got := judged{Verb: op.Verb, Passes: op.Target.Passes, Changes: op.Changes}
			want := judged{Verb: operation.Update}
			if tt.passes != "" {
				want = judged{Verb: operation.Unprotect, Passes: tt.passes, Changes: []string{tt.change}}
			}
			// The control plane, and nodes, are let through before that is asked.
			if by := tt.call.user; strings.HasPrefix(by, "system:node:") || strings.HasPrefix(by, serviceAccounts+"kube-system:") {
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("judged (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACertificateOfWhichNothingCanBeReadMayBeAnybodys(t *testing.T) {
	m := guardMapper(t)
	for _, tt := range []struct{ name, object, old string }{
		{"a spec that is none", `{"metadata":{"name":"x"},"spec":"x"}`, ""},
		{"a request that is no text", `{"metadata":{"name":"x"},"spec":{"signerName":"` + clientSigner + `","request":{}}}`, ""},
		{"a status that is none", `{"metadata":{"name":"x"},"status":{"conditions":7}}`, `{"metadata":{"name":"x"},"spec":7}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := call{operation: admission.Create, group: certificatesGroup, resource: certificateRequests, kind: "CertificateSigningRequest", name: "x", user: "alice"}
			if err := json.Unmarshal([]byte(tt.object), &c.new); err != nil {
				t.Fatal(err)
			}
			if tt.old != "" {
				c.operation, c.subresource = admission.Update, "approval"
				if err := json.Unmarshal([]byte(tt.old), &c.old); err != nil {
					t.Fatal(err)
				}
			}
			want := judged{Verb: operation.Unprotect, Passes: "kubernetes-control-plane", Changes: []string{"a certificate, and for whom cannot be read"}}
			if diff := cmp.Diff(want, m.judge(t, c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzSubject(f *testing.F) {
	f.Add(certificateRequest(f, pkix.Name{CommonName: "a", Organization: []string{"b", "c"}}))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		users, groups, err := subject(text)
		if err != nil {
			if users != nil || groups != nil {
				t.Errorf("%q %q beside an error", users, groups)
			}
			return
		}
		// What the API server itself takes for the user has to be among them.
		block, _ := pem.Decode(text)
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if name := request.Subject.CommonName; name != "" && !slices.Contains(users, name) {
			t.Errorf("%q is not among %q", name, users)
		}
		if diff := cmp.Diff(request.Subject.Organization, groups); diff != "" {
			t.Error(diff)
		}
	})
}
