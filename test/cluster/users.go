package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// AdminName is the user name of [Cluster.Admin].
const AdminName = "kubernetes-admin"

// OperatorRole is a ClusterRole that exists in every cluster: what somebody who
// runs production may do. Everything with workloads, configuration, storage,
// namespaces, nodes and CRDs, evictions and scale included; nothing with RBAC,
// webhook configurations or other people's identity.
const OperatorRole = "mollyguard-test-operator"

// grantTimeout bounds how long the API server's authorizer may take to notice a
// new binding: it watches, so it is a matter of milliseconds.
const grantTimeout = 30 * time.Second

// Admin returns the administrator, a member of system:masters, whom RBAC never
// refuses anything.
func (c *Cluster) Admin() *rest.Config { return rest.CopyConfig(c.admin) }

// User returns a user who proves with a client certificate to be name and a
// member of groups. The user may do nothing until something is granted, see
// [Cluster.Grant].
func (c *Cluster) User(name string, groups ...string) (*rest.Config, error) {
	certPEM, keyPEM, err := c.authority.issueClient(name, groups...)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", name, err)
	}
	cfg := c.anonymous()
	cfg.CertData, cfg.KeyData = certPEM, keyPEM
	return cfg, nil
}

// ServiceAccount makes the service account if it is not there, and returns a user
// who proves with a token that the API server issued to be it. Grant it
// something as "system:serviceaccount:namespace:name".
func (c *Cluster) ServiceAccount(ctx context.Context, namespace, name string) (*rest.Config, error) {
	accounts := c.clients.CoreV1().ServiceAccounts(namespace)
	account := metav1.ObjectMeta{Name: name, Namespace: namespace}
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: account}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("issue a token for service account %s/%s: %w", namespace, name, err)
	}
	cfg := c.anonymous()
	cfg.BearerToken = token.Status.Token
	return cfg, nil
}

// anonymous is the API server's address, without a client-side rate limit.
func (c *Cluster) anonymous() *rest.Config {
	return &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", c.port.number),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.authority.certPEM},
		QPS:             -1,
	}
}

// Kubeconfig writes a kubeconfig file for a user of this cluster and returns its
// path. The file is in the cluster's directory; the same user has the same file.
func (c *Cluster) Kubeconfig(user *rest.Config) (string, error) {
	const name = "test"
	content, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   user.Host,
			CertificateAuthorityData: user.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: user.CertData,
			ClientKeyData:         user.KeyData,
			Token:                 user.BearerToken,
			Impersonate:           user.Impersonate.UserName,
			ImpersonateUID:        user.Impersonate.UID,
			ImpersonateGroups:     user.Impersonate.Groups,
			ImpersonateUserExtra:  user.Impersonate.Extra,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	if err != nil {
		return "", fmt.Errorf("encode kubeconfig: %w", err)
	}
	sum := sha256.Sum256(content)
	path := c.path("kubeconfig-" + hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	// Two at once write the same bytes to files of their own.
	tmp, err := os.CreateTemp(c.dir, ".kubeconfig-")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(tmp.Name(), path)
}

// Grant binds a ClusterRole, for instance [OperatorRole] or "view", to a user in
// the whole cluster and returns when the API server acts on it.
func (c *Cluster) Grant(ctx context.Context, user, clusterRole string) error {
	ctx, cancel := context.WithTimeout(ctx, grantTimeout)
	defer cancel()

	sum := sha256.Sum256([]byte(user + "\x00" + clusterRole))
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "mollyguard-test-" + hex.EncodeToString(sum[:8])},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if _, err := c.clients.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind %s to %s: %w", clusterRole, user, err)
	}
	return c.poll(ctx, fmt.Sprintf("%s to be bound to %s", clusterRole, user), func(ctx context.Context) (bool, error) {
		role, err := c.clients.RbacV1().ClusterRoles().Get(ctx, clusterRole, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return c.may(ctx, user, role)
	})
}

// may asks the API server whether user is allowed what the first rule of role
// allows. A rule's own wording, "*" included, is allowed by that rule. A role
// without rules is one whose rules are aggregated by a controller: not yet.
func (c *Cluster) may(ctx context.Context, user string, role *rbacv1.ClusterRole) (bool, error) {
	if len(role.Rules) == 0 {
		return false, fmt.Errorf("role %s has no rules", role.Name)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user}}
	rule := role.Rules[0]
	if len(rule.NonResourceURLs) > 0 {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: rule.NonResourceURLs[0], Verb: rule.Verbs[0]}
	} else {
		resource, subresource, _ := strings.Cut(rule.Resources[0], "/")
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Group: rule.APIGroups[0], Resource: resource, Subresource: subresource, Verb: rule.Verbs[0],
		}
		if len(rule.ResourceNames) > 0 {
			review.Spec.ResourceAttributes.Name = rule.ResourceNames[0]
		}
	}
	review, err := c.clients.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// createOperatorRole makes OperatorRole. Verbs are listed, not "*": that would
// include impersonate, escalate and bind.
func (c *Cluster) createOperatorRole(ctx context.Context) error {
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: OperatorRole},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""},
			Resources: []string{
				"configmaps", "endpoints", "events", "limitranges", "namespaces", "nodes", "nodes/status",
				"persistentvolumeclaims", "persistentvolumeclaims/status", "persistentvolumes", "persistentvolumes/status",
				"pods", "pods/ephemeralcontainers", "pods/eviction", "pods/log", "pods/resize", "pods/status",
				"replicationcontrollers", "replicationcontrollers/scale", "resourcequotas", "secrets",
				"serviceaccounts", "services", "services/status",
			},
			Verbs: verbs,
		}, {
			APIGroups: []string{
				"apiextensions.k8s.io", "apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io",
				"events.k8s.io", "gateway.networking.k8s.io", "networking.k8s.io", "policy", "scheduling.k8s.io",
				"snapshot.storage.k8s.io", "storage.k8s.io",
				"example.com", // where the tests' own custom resources live
			},
			Resources: []string{"*"},
			Verbs:     verbs,
		}},
	}
	_, err := c.clients.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	return err
}
