package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/webhook"
)

type serveOptions struct {
	config, kubeconfig, objects string
	dryRunEnforcement           bool
	noCluster                   bool
	// listening, if not nil, is told once where the server listens.
	listening chan<- addresses
}

func newServe(s streams) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Serve the admission webhook",
		Long: `Serve the admission webhook: in a pod of the cluster, outside it with
--kubeconfig, or without any cluster.

With a cluster, the server applies its ValidatingWebhookConfiguration and puts it
right whenever it is changed. Decision records go to standard output or the file
that decisionLog.path names, everything else to standard error.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.noCluster && o.kubeconfig != "" {
				return usageError("leave one of them out", "--no-cluster and --kubeconfig contradict each other")
			}
			c, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			c.DryRunEnforcement = c.DryRunEnforcement || o.dryRunEnforcement
			return serve(cmd.Context(), s, c, o)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` for a server outside the cluster")
	cmd.Flags().StringVar(&o.objects, "objects", "", "without a cluster: `FILE` with objects as kubectl get -o json prints them, to know namespaces and parents from")
	cmd.Flags().BoolVar(&o.dryRunEnforcement, "dry-run-enforcement", false, "turn every denial into a warning, and fail open")
	cmd.Flags().BoolVar(&o.noCluster, "no-cluster", false, "run without a cluster, also inside a pod")
	return cmd
}

// Limits of the servers. A review of the largest size arrives within
// readTimeout on any cluster's network; the API server waits 30 s at most.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 40 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 64 << 10
	// drainTimeout is for requests in flight when the server stops, which take no
	// longer than timeoutSeconds usually is. Two servers and the longest
	// shutdownDelay stay within the 30 s that Kubernetes gives a pod: 15 + 2 × 6 s.
	drainTimeout = 6 * time.Second
)

// serve runs until ctx ends:
//
//	certificates ─┐
//	policies ─────┼─► admission server (TLS) ─► decision log, events
//	caches ───────┘          │
//	status server (/healthz, /readyz, /metrics) says when the above are ready
//	the replica that holds the lease keeps the webhook configuration
//
// When ctx ends the server calls itself not ready, goes on answering for
// shutdownDelay, finishes what is in flight, and then stops the rest.
func serve(ctx context.Context, s streams, c config.Configuration, o serveOptions) (err error) {
	log := s.logger()
	useLogger(log)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	admissionListener, err := listen(ctx, "server.address", c.Server.Address)
	if err != nil {
		return err
	}
	defer closing(&err, admissionListener)
	statusListener, err := listen(ctx, "server.statusAddress", c.Server.StatusAddress)
	if err != nil {
		return err
	}
	defer closing(&err, statusListener)

	decisions, err := openDecisionLog(s, c.DecisionLog.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, decisions.Close()) }()

	surroundings, err := surround(s, c, o, log, registry)
	if err != nil {
		return err
	}
	a, err := assemble(ctx, c, parts{lookup: surroundings.lookup, recorder: decisions, log: log, registerer: registry})
	if err != nil {
		return err
	}
	handler := webhook.NewHandler(webhook.HandlerOptions{
		Reviewer: a.reviewer, Timeout: time.Duration(c.Kubernetes.Webhook.TimeoutSeconds) * time.Second,
		Advice: webhook.Advice{Help: c.Help}, Observe: surroundings.observe, Log: log, Registerer: registry,
	})
	certificateMetrics(registry, surroundings.certificates)
	ready := &readiness{checks: []check{
		{"policies", func() (string, error) { return policyDetail(a.engine), nil }},
		{"certificate", func() (string, error) {
			return certificateDetail(surroundings.certificates), surroundings.certificates.Ready()
		}},
		{"caches", func() (string, error) { return "", surroundings.synced() }},
	}}
	admission, err := admissionServer(onceReady(surroundings.synced, handler), surroundings.certificates, c.Server.ClientCA, log)
	if err != nil {
		return err
	}
	status := statusServer(ready, registry, log)

	// The background outlives ctx: requests in flight still need it.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	group.Go(func() error { return ignoreClosed(status.Serve(statusListener)) })
	group.Go(func() error { return ignoreClosed(admission.ServeTLS(admissionListener, "", "")) })
	group.Go(func() error { return surroundings.certificates.Run(background) })
	group.Go(func() error { return a.engine.Watch(background, c.Policies.ReloadInterval) })
	for _, run := range surroundings.run {
		group.Go(func() error { return run(background) })
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-background.Done(): // one of the others failed
		}
		ready.stop()
		log.Info("stopping", "delay", c.Server.ShutdownDelay.String())
		pause(background, *c.Server.ShutdownDelay)
		err := errors.Join(shutdown(ctx, "admission", admission), shutdown(ctx, "status", status))
		stop()
		return err
	})
	if strings.TrimSpace(c.Help) == "" {
		log.Warn("help is empty: a refusal tells nobody whom to ask, set it in the configuration")
	}
	log.Info("serving", "version", version(), "address", admissionListener.Addr().String(), "status_address", statusListener.Addr().String(),
		"cluster", c.Cluster, "dry_run_enforcement", c.DryRunEnforcement)
	if o.listening != nil {
		o.listening <- addresses{admissionListener.Addr(), statusListener.Addr()}
	}
	return group.Wait()
}

// useLogger makes the Kubernetes libraries, which log through globals of their
// own, speak through the same log.
func useLogger(log *slog.Logger) {
	klog.SetSlogLogger(log)
	ctrllog.SetLogger(logr.FromSlogHandler(log.Handler()))
}

func listen(ctx context.Context, field, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &exitError{code: exitUndecided, err: fmt.Errorf("%s: %w", field, err),
			hint: "another program may use the port: set " + field + " in the configuration"}
	}
	return listener, nil
}

// closing closes a listener that no server has closed.
func closing(err *error, listener net.Listener) {
	if closeErr := listener.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		*err = errors.Join(*err, closeErr)
	}
}

func openDecisionLog(s streams, path string) (*ledger.Log, error) {
	if path == "-" {
		return ledger.NewLog(s.out), nil
	}
	return ledger.OpenLog(path)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown finishes what is in flight, though ctx has ended.
func shutdown(ctx context.Context, name string, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the %s server: %w", name, err)
	}
	return nil
}

// onceReady answers 503 until the server can judge, so that the API server goes by
// its failure policy: what cannot be production is not refused meanwhile.
func onceReady(synced func() error, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := synced(); err != nil {
			http.Error(w, "mollyguard: not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// pause waits, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func certificateMetrics(registerer prometheus.Registerer, source certs.Source) {
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mollyguard_certificate_not_after_timestamp_seconds",
		Help: "When the serving certificate expires; 0 if there is none.",
	}, func() float64 {
		if at := source.NotAfter(); !at.IsZero() {
			return float64(at.Unix())
		}
		return 0
	}))
}
