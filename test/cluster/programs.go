package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// defaultAuditPolicy records every request once, with the annotations that
// admission webhooks leave, and without bodies, which would be most of the log.
const defaultAuditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// auditLogSize in MB is where the audit log would be rotated: never.
const auditLogSize = 1 << 20

// prepareIdentities writes the keys and certificates that the programs read
// and sets up the administrator.
func (c *Cluster) prepareIdentities() error {
	var err error
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	serverCert, serverKey, err := c.authority.issueServer()
	if err != nil {
		return err
	}
	signingPublic, signingPrivate, err := newSigningKey()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"ca.crt":              c.authority.certPEM,
		"ca.key":              c.authority.keyPEM,
		"apiserver.crt":       serverCert,
		"apiserver.key":       serverKey,
		"service-account.pub": signingPublic,
		"service-account.key": signingPrivate,
	} {
		if err := os.WriteFile(c.path(name), data, 0o600); err != nil {
			return err
		}
	}
	if c.admin, err = c.User(AdminName, "system:masters"); err != nil {
		return err
	}
	c.clients, err = kubernetes.NewForConfig(c.admin)
	return err
}

// startAPIServer starts etcd and the API server and returns when the API server
// is ready. The two talk over a socket in the cluster's directory: a port less to
// collide, and nobody else on the machine can reach etcd.
func (c *Cluster) startAPIServer(ctx context.Context, opts Options) error {
	policy := opts.AuditPolicy
	if policy == "" {
		policy = defaultAuditPolicy
	}
	if err := os.WriteFile(c.path("audit-policy.yaml"), []byte(policy), 0o600); err != nil {
		return err
	}

	// A relative path, resolved in the cluster's directory where both programs
	// run: the path of a socket may have no more than some 100 bytes.
	const etcdURL = "unix://etcd.sock"
	if err := c.run("etcd", flags(map[string]string{
		"name":                  "test",
		"initial-cluster":       "test=http://localhost:2380",
		"data-dir":              "etcd",
		"listen-client-urls":    etcdURL,
		"listen-peer-urls":      "unix://etcd-peer.sock",
		"advertise-client-urls": "http://localhost:2379", // must be host:port; nobody uses it
		"unsafe-no-fsync":       "true",
	})...); err != nil {
		return err
	}
	// The API server waits for etcd by itself.
	if err := c.run("kube-apiserver", flags(map[string]string{
		"etcd-servers":                     etcdURL,
		"bind-address":                     "127.0.0.1",
		"secure-port":                      strconv.Itoa(c.port.number),
		"permit-port-sharing":              "true", // see reservedPort
		"advertise-address":                "127.0.0.1",
		"endpoint-reconciler-type":         "none", // an endpoint must not be a loopback address
		"cert-dir":                         c.dir,
		"tls-cert-file":                    "apiserver.crt",
		"tls-private-key-file":             "apiserver.key",
		"client-ca-file":                   "ca.crt",
		"service-account-issuer":           "https://kubernetes.default.svc",
		"service-account-key-file":         "service-account.pub",
		"service-account-signing-key-file": "service-account.key",
		"service-cluster-ip-range":         "10.0.0.0/24",
		"allow-privileged":                 "true",
		"authorization-mode":               "Node,RBAC",
		"enable-admission-plugins":         "NodeRestriction",
		"audit-policy-file":                "audit-policy.yaml",
		"audit-log-path":                   "audit.log",
		"audit-log-maxsize":                strconv.Itoa(auditLogSize),
	}, featureGates(opts.FeatureGates), opts.APIServerArgs)...); err != nil {
		return err
	}
	return c.waitForAPIServer(ctx)
}

// startControllerManager starts the controllers and returns when the first
// of their work is done: the default service account, without which no pod can
// be created, and the lease.
func (c *Cluster) startControllerManager(ctx context.Context, opts Options) error {
	user, err := c.User("system:kube-controller-manager")
	if err != nil {
		return err
	}
	kubeconfig, err := c.Kubeconfig(user)
	if err != nil {
		return err
	}
	if err := c.run("kube-controller-manager", flags(map[string]string{
		"kubeconfig": kubeconfig,
		// Nobody asks it anything, so it serves nothing: no port to collide.
		"bind-address": "127.0.0.1",
		"secure-port":  "0",
		// Without a cloud these four have nothing to do.
		"controllers":                      "*,-cloud-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,-service-lb-controller",
		"use-service-account-credentials":  "true",
		"service-account-private-key-file": "service-account.key",
		"root-ca-file":                     "ca.crt",
		"cluster-signing-cert-file":        "ca.crt",
		"cluster-signing-key-file":         "ca.key",
		"leader-elect":                     "true",
		"flex-volume-plugin-dir":           c.path("flexvolume"), // else it is made under /usr
		// The usual 20 a second make it start in five seconds instead of one.
		"kube-api-qps":   "1000",
		"kube-api-burst": "2000",
		// Safety nets of controllers that work on events, as often as a test
		// would want to wait for one.
		"namespace-sync-period":               "5s",
		"pvclaimbinder-sync-period":           "1s",
		"resource-quota-sync-period":          "5s",
		"attach-detach-reconcile-sync-period": "5s",
	}, featureGates(opts.FeatureGates), opts.ControllerManagerArgs)...); err != nil {
		return err
	}
	if err := c.poll(ctx, "the controllers to make the default service account", func(ctx context.Context) (bool, error) {
		_, err := c.clients.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	}); err != nil {
		return err
	}
	return c.poll(ctx, "the controller manager to hold its lease", func(ctx context.Context) (bool, error) {
		lease, err := c.clients.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, "kube-controller-manager", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if holder := lease.Spec.HolderIdentity; holder == nil || *holder == "" {
			return false, fmt.Errorf("lease %s has no holder", lease.Name)
		}
		return true, nil
	})
}
