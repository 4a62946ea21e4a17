package cluster

import (
	"context"
	"fmt"
	"os"
	"time"
)

// The programs, as [Cluster.Signal] calls them.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
)

// Signal sends a signal to one of the programs. One that is stopped (SIGSTOP) has to go
// on within ten seconds, after which the controller manager has lost its lease and ends.
func (c *Cluster) Signal(program string, signal os.Signal) error {
	p, err := c.process(program)
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, program, err)
	}
	return nil
}

// RestartAPIServer kills the API server, as a crash would, starts it again in the same
// place, and returns when it is ready. The other programs go on.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it was not up after %s", startTimeout))
	defer cancel()
	p, err := c.process(APIServer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	p.replaced = true
	c.mu.Unlock()
	if err := p.kill(); err != nil {
		return err
	}
	<-p.done
	if err := c.run(APIServer, p.cmd.Args[1:]...); err != nil {
		return err
	}
	return c.waitForAPIServer(ctx)
}

// process is the newest one of a program.
func (c *Cluster) process(program string) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.processes) - 1; i >= 0; i-- {
		if p := c.processes[i]; p.name == program {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s does not run", program)
}

// waitForAPIServer returns when the API server calls itself ready.
func (c *Cluster) waitForAPIServer(ctx context.Context) error {
	return c.poll(ctx, "the API server to be ready", func(ctx context.Context) (bool, error) {
		// A connection to one that was killed may hang.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := c.clients.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		return err == nil, err
	})
}
