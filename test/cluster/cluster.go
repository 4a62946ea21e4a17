// Package cluster runs a Kubernetes control plane on this machine, for tests
// and demonstrations: etcd, kube-apiserver and kube-controller-manager, with
// kubectl beside them. They are the real programs, set up as in a real cluster
// where it matters to an admission webhook: controllers act under their own
// service accounts, the controller manager holds a lease, people are plain users
// with RBAC, and everything is in the API server's audit log.
//
// There is no kubelet and no scheduler: pods stay Pending, and a deleted pod is
// gone at once because it was never bound to a node. Two delays are built into the
// controllers: the namespace controller waits five seconds before it empties a
// namespace, and the garbage collector learns of a new CRD within half a minute.
//
// The package promises that nothing listens on anything but 127.0.0.1, that one
// cluster does not disturb another, and that no process outlives [Cluster.Stop]
// or, on Linux, the program that started it. It knows nothing of Mollyguard.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// startTimeout bounds Start. A start takes about four seconds on two idle cores;
// the rest is for machines that are busy compiling.
const startTimeout = 2 * time.Minute

// pollInterval is how often a condition that cannot be watched is looked at.
const pollInterval = 20 * time.Millisecond

// Options say how a cluster differs from the usual one. The zero value is the
// usual one.
type Options struct {
	// Assets is the directory with the programs. Empty means the one that the
	// environment variable KUBEBUILDER_ASSETS names.
	Assets string

	// Dir is where the cluster keeps its files: logs, the audit log, keys,
	// etcd's data. It must exist and be empty, and it stays after Stop. Empty
	// means a temporary directory that Stop removes.
	Dir string

	// FeatureGates are set on the API server and on the controller manager.
	FeatureGates map[string]bool

	// AuditPolicy is the API server's audit policy as YAML. Empty means every
	// request at level Metadata, without the stage RequestReceived.
	AuditPolicy string

	// APIServerArgs and ControllerManagerArgs are flags, without dashes, that
	// are added to or override the usual ones.
	APIServerArgs         map[string]string
	ControllerManagerArgs map[string]string
}

// Cluster is a running control plane. All its methods may be called
// concurrently.
type Cluster struct {
	assets    string
	dir       string
	removeDir bool
	port      *reservedPort
	authority *authority
	admin     *rest.Config
	clients   kubernetes.Interface
	audit     auditLog

	mu        sync.Mutex
	processes []*process
	stopping  bool
	err       error
	failed    chan struct{}
	stopOnce  sync.Once
	stopErr   error
}

// Start starts a control plane and returns once it can be worked with: the API
// server is ready, controllers run, the default service account is there, and
// the role [OperatorRole] exists.
//
// ctx bounds the start, not the life of the cluster, which runs until Stop. When
// Start returns an error, nothing that it started is left.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	c, err := start(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("start the test control plane: %w", err)
	}
	return c, nil
}

func start(ctx context.Context, opts Options) (_ *Cluster, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it was not up after %s", startTimeout))
	defer cancel()

	assets, err := Assets(opts.Assets)
	if err != nil {
		return nil, err
	}
	c := &Cluster{assets: assets, dir: opts.Dir, failed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()

	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "mollyguard-cluster-"); err != nil {
			return nil, err
		}
		c.removeDir = true
	} else if c.dir, err = emptyDir(c.dir); err != nil {
		return nil, err
	}
	for _, name := range []string{"home", "flexvolume"} {
		if err := os.Mkdir(c.path(name), 0o700); err != nil {
			return nil, err
		}
	}
	c.audit.path = c.path("audit.log")

	if c.port, err = reservePort(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	if err := c.prepareIdentities(); err != nil {
		return nil, err
	}
	if err := c.startAPIServer(ctx, opts); err != nil {
		return nil, err
	}
	if err := c.createOperatorRole(ctx); err != nil {
		return nil, err
	}
	if err := c.startControllerManager(ctx, opts); err != nil {
		return nil, err
	}
	return c, nil
}

// emptyDir returns the absolute path of dir, which must exist and be empty.
func emptyDir(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("directory %s is not empty", dir)
	}
	return filepath.Abs(dir)
}

// Dir is where the cluster keeps its files. The programs' logs are there, as
// etcd.log, kube-apiserver.log and kube-controller-manager.log, and audit.log.
func (c *Cluster) Dir() string { return c.dir }

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

// Failed is closed when one of the programs ends without having been stopped.
// Err says which.
func (c *Cluster) Failed() <-chan struct{} { return c.failed }

// Err returns what Failed reports, with the end of the program's log, or nil.
func (c *Cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop ends the programs and waits until they are gone. It kills them: nothing
// of a test cluster is worth an orderly end. Further calls return what the first
// returned.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		c.mu.Lock()
		c.stopping = true
		processes := c.processes
		c.mu.Unlock()

		var errs []error
		for _, p := range processes {
			if err := p.kill(); err != nil {
				errs = append(errs, err)
			}
		}
		for _, p := range processes {
			<-p.done
		}
		if c.port != nil {
			errs = append(errs, c.port.release())
		}
		if c.removeDir {
			errs = append(errs, os.RemoveAll(c.dir))
		}
		c.stopErr = errors.Join(errs...)
	})
	return c.stopErr
}

// run starts one of the programs and watches over it.
func (c *Cluster) run(name string, args ...string) error {
	p, err := startProcess(filepath.Join(c.assets, name), args, c.environment(), c.path(name+".log"), c.processEnded)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	return nil
}

func (c *Cluster) processEnded(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping || p.replaced || c.err != nil {
		return
	}
	c.err = fmt.Errorf("%s ended: %w%s", p.name, p.err, tail(p.logFile))
	close(c.failed)
}

// environment is what the programs see of ours: no variable of the caller's
// (ETCD_*, KUBE*, proxies) may change what they do.
func (c *Cluster) environment() []string {
	return []string{
		"HOME=" + c.path("home"),
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
	}
}

// poll calls done until it says yes, a program ends or ctx does. The error of
// the last call is part of poll's when the time is up.
func (c *Cluster) poll(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		select {
		case <-c.failed:
			return fmt.Errorf("wait for %s: %w", what, c.Err())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for %s: %w", what, context.Cause(ctx)), err)
		case <-ticker.C:
		}
	}
}
