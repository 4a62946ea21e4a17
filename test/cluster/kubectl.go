package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// kubectlTimeout is how long a call of kubectl may take unless it says
// otherwise. A namespace is gone some six seconds after its deletion.
const kubectlTimeout = time.Minute

// KubectlOptions say how a call of kubectl differs from the usual one.
type KubectlOptions struct {
	// Stdin is what kubectl reads, for instance with -f -.
	Stdin io.Reader

	// Timeout is when kubectl is killed; zero means a minute.
	Timeout time.Duration

	// Env is added to kubectl's environment, which has only HOME, PATH, TMPDIR
	// and what says who the user is. PATH is where plugins are found.
	Env []string

	// Dir is where kubectl runs; empty means the cluster's directory.
	Dir string
}

// KubectlResult is what a call of kubectl said and how it ended.
type KubectlResult struct {
	Stdout, Stderr string
	ExitCode       int
}

// Kubectl runs kubectl as user, with the usual options.
func (c *Cluster) Kubectl(ctx context.Context, user *rest.Config, args ...string) (KubectlResult, error) {
	return c.KubectlWith(ctx, KubectlOptions{}, user, args...)
}

// KubectlWith runs kubectl as user. That kubectl ends with a code other than 0 is
// a result; an error means that it could not be run to its end.
func (c *Cluster) KubectlWith(ctx context.Context, opts KubectlOptions, user *rest.Config, args ...string) (KubectlResult, error) {
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = kubectlTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not end within %s", timeout))
	defer cancel()

	kubeconfig, err := c.Kubeconfig(user)
	if err != nil {
		return KubectlResult{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(c.assets, "kubectl"), args...)
	cmd.Env = append(c.environment(), "KUBECONFIG="+kubeconfig, "KUBERC=off")
	cmd.Env = append(cmd.Env, opts.Env...)
	cmd.Dir = opts.Dir
	if cmd.Dir == "" {
		cmd.Dir = c.dir
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = opts.Stdin, &stdout, &stderr
	cmd.WaitDelay = time.Second // a plugin's child may hold the pipes

	err = cmd.Run()
	result := KubectlResult{Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: cmd.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		return result, fmt.Errorf("run kubectl %q: %w", args, context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return result, fmt.Errorf("run kubectl %q: %w", args, err)
	}
	return result, nil
}
