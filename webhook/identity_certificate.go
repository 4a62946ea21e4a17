package webhook

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	certificatesGroup   = "certificates.k8s.io"
	certificateRequests = "certificatesigningrequests"

	// The signers of kube-controller-manager whose certificates API servers take for
	// their clients' (k8s.io/api certificates/v1). All others of kubernetes.io sign what
	// is no client's.
	kubernetesSigners = "kubernetes.io/"
	clientSigner      = kubernetesSigners + "kube-apiserver-client"
	kubeletSigner     = kubernetesSigners + "kube-apiserver-client-kubelet"
	legacySigner      = kubernetesSigners + "legacy-unknown"

	serverAuth, clientAuth, anyUsage = "server auth", "client auth", "any"
	approved                         = "Approved"

	// maxCertificateRequest is the size of the longest request that is looked into: one
	// for an RSA key of 16384 bits has 8 KB in PEM, the rest is for alternative names.
	maxCertificateRequest = 64 << 10
)

// powerfulGroups are groups that a certificate makes somebody a member of, and that are
// worth as much as an identity that is let through.
func powerfulGroups() []string {
	return []string{"system:masters", "system:nodes", BypassGroup}
}

// kubeletRequesters are the users as which kubelets ask for their first certificate, and
// for the next: nodes, bootstrap tokens, and what GKE and OpenShift have instead of those.
// Nobody else may be kept waiting, so names that a cluster does not know do no harm: who
// can give out names in it needs no certificate.
func kubeletRequesters() []string {
	return []string{
		"system:node:.*", "system:bootstrap:.*", "kubelet", "kubelet-bootstrap", "kubelet-nodepool-bootstrap",
		serviceAccounts + "openshift-machine-config-operator:node-bootstrapper",
	}
}

// bootstrappers is the group of bootstrap tokens; those of a sort have one below it.
const bootstrappers = "system:bootstrappers"

var isKubeletRequester = regexp.MustCompile("^(?:" + strings.Join(kubeletRequesters(), "|") + ")$")

// certificateSpec is what a CertificateSigningRequest asks for, and who has asked.
type certificateSpec struct {
	Request    []byte   `json:"request"`
	SignerName string   `json:"signerName"`
	Usages     []string `json:"usages"`
	Username   string   `json:"username"`
	Groups     []string `json:"groups"`
}

// certificateAsked is about a certificate that is asked for or approved, and by which
// somebody becomes a client of the API server that is let through. Whoever approves one
// of a request that was there before us is judged by what was asked then.
func (m *mapper) certificateAsked(r *request) (name, change string) {
	spec := r.object.spec
	if r.operation == "UPDATE" {
		if !approves(r) {
			return "", ""
		}
		spec = r.oldObject.spec // the API server does not let it change
	}
	var asked certificateSpec
	if err := json.Unmarshal(spec, &asked, jsontext.AllowDuplicateNames(true)); err != nil {
		return m.anyPasses(), "a certificate, and for whom cannot be read"
	}
	if r.operation == "CREATE" { // the API server writes who asks into the object
		asked.Username, asked.Groups = r.user.name, r.user.groups
	}
	if !asked.opens() {
		return "", ""
	}
	users, groups, err := subject(asked.Request)
	if err != nil {
		return m.anyPasses(), fmt.Sprintf("a certificate of %s, and for whom cannot be read (%v)", clipped(asked.SignerName), err)
	}
	var is []string
	for _, user := range users {
		if exemption := m.passes(user); exemption != "" && user != asked.Username {
			name = exemption
			is = append(is, "the user "+clipped(operation.Printable(user)))
		}
	}
	for _, group := range groups {
		if slices.Contains(powerfulGroups(), group) && !slices.Contains(asked.Groups, group) {
			if name == "" {
				name = "group " + group
			}
			is = append(is, "a member of "+group)
		}
	}
	return name, "who has the certificate is " + strings.Join(is, ", ")
}

// anyPasses names an exemption where it is not known which one is opened.
func (m *mapper) anyPasses() string {
	if len(m.exempt) > 0 {
		return m.exempt[0].Name
	}
	return ownPasses
}

// opens reports whether an API server may take the certificate for a client's, and
// somebody else than a kubelet waits for it.
func (c certificateSpec) opens() bool {
	switch {
	case c.SignerName == kubeletSigner:
		if isKubeletRequester.MatchString(c.Username) || slices.ContainsFunc(c.Groups, isBootstrapper) {
			return false
		}
	case c.SignerName == clientSigner, c.SignerName == legacySigner:
	case strings.HasPrefix(c.SignerName, kubernetesSigners):
		return false
	}
	return !slices.Contains(c.Usages, serverAuth) || slices.Contains(c.Usages, clientAuth) || slices.Contains(c.Usages, anyUsage)
}

func isBootstrapper(group string) bool {
	return group == bootstrappers || strings.HasPrefix(group, bootstrappers+":")
}

// approves reports whether an update approves a certificate request. A status that
// cannot be read may.
func approves(r *request) bool {
	is, known := isApproved(r.object.status)
	was, _ := isApproved(r.oldObject.status)
	return !known || is && !was
}

func isApproved(text jsontext.Value) (is, known bool) {
	var status struct {
		Conditions []struct {
			Type string `json:"type"`
		} `json:"conditions"`
	}
	if len(text) == 0 {
		return false, true
	}
	if json.Unmarshal(text, &status, jsontext.AllowDuplicateNames(true)) != nil {
		return false, false
	}
	return slices.ContainsFunc(status.Conditions, func(c struct {
		Type string `json:"type"`
	}) bool {
		return c.Type == approved
	}), true
}

// subject are the users and groups that a request for a certificate (PKCS#10, RFC 2986,
// in PEM) names: an API server takes the common name for the user, and organizations for
// groups (k8s.io/apiserver pkg/authentication/request/x509, CommonNameUserConversion).
// Of several common names the last one counts there; here each does.
func subject(text []byte) (users, groups []string, err error) {
	if len(text) > maxCertificateRequest {
		return nil, nil, fmt.Errorf("more than %d KiB", maxCertificateRequest>>10)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, nil, errors.New("no certificate request in PEM")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, nil, errors.New("no certificate request in PKCS#10")
	}
	commonName, organization := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	for _, attribute := range request.Subject.Names {
		value, ok := attribute.Value.(string)
		switch {
		case !ok:
		case attribute.Type.Equal(commonName):
			users = append(users, value)
		case attribute.Type.Equal(organization):
			groups = append(groups, value)
		}
	}
	return users, groups, nil
}
