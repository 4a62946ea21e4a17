package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/pause"
	"github.com/mollyguard/mollyguard/webhook"
)

type serveOptions struct {
	config, kubeconfig, objects string
	dryRunEnforcement           bool
	noCluster                   bool
	// repair saves what can be read of a damaged ledger first.
	repair bool
	// auditOnly leaves the admission webhook out.
	auditOnly bool
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

With a cluster, the server applies its webhook configurations and the floor, admission
policies that refuse when no server answers, and puts them right whenever they are
changed. Decision records go to standard output or the file that decisionLog.path
names, everything else to standard error.`,
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
	repairFlag(cmd, &o)
	return cmd
}

func repairFlag(cmd *cobra.Command, o *serveOptions) {
	cmd.Flags().BoolVar(&o.repair, "repair", false, "save what can be read of a damaged ledger before starting; the damaged file is kept")
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
	// longer than timeoutSeconds usually is. Servers drain at the same time, and with
	// the longest shutdownDelay stay within the 30 s that Kubernetes gives a pod:
	// 15 + 6 s.
	drainTimeout = 6 * time.Second
)

// serve runs until ctx ends:
//
//	certificates ─┐
//	policies ─────┼─► admission server (TLS) ─► decision log, events, alerts
//	caches ───────┤          │
//	desk ─────────┼─► API server (TLS)
//	inventory ────┴─► watcher of the audit log ─► decision log, ledger ─► alerts
//	status server (/healthz, /readyz, /metrics) says when the above are ready
//	the replica that holds the lease keeps the webhook configuration, and brings
//	break-glass cases up to date
//
// When ctx ends the server calls itself not ready, goes on answering for
// shutdownDelay, finishes what is in flight, and then stops the rest.
func serve(ctx context.Context, s streams, c config.Configuration, o serveOptions) (err error) {
	log := s.logger()
	useLogger(log)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if o.repair {
		if err := repairLedger(s, c.Ledger.Path); err != nil {
			return err
		}
	}
	ports, err := openPorts(ctx, c, o)
	if err != nil {
		return err
	}
	defer ports.close(&err)
	books, err := openBooks(s, c)
	if err != nil {
		return err
	}
	defer books.close(&err)
	env, err := surround(s, c, o, log, registry)
	if err != nil {
		return err
	}
	h, err := furnish(ctx, s, c, env, books, log, registry)
	if err != nil {
		return err
	}
	defer h.close(&err)
	ready := &readiness{checks: h.checks(env)}
	servers, err := (&serving{c: c, env: env, books: books, ports: ports, house: h, log: log, registry: registry}).servers(ctx, ready)
	if err != nil {
		return err
	}
	tasks := append(h.tasks(c, env), env.leading(c, log))
	if strings.TrimSpace(c.Help) == "" {
		log.Warn("help is empty: a refusal tells nobody whom to ask, set it in the configuration")
	}
	log.Info("serving", "version", version(), "address", addressOf(ports.admission), "status_address", ports.status.Addr().String(),
		"api_address", addressOf(ports.people), "audit_sources", len(c.Audit.Sources), "cluster", c.Cluster, "break_glass", h.desk != nil, "dry_run_enforcement", c.DryRunEnforcement)
	if o.listening != nil {
		at := ports.addresses()
		at.callSecret = env.webhook.callSecret()
		o.listening <- at
	}
	return runUntil(ctx, servers, tasks, func(ctx context.Context) {
		ready.stop()
		log.Info("stopping", "delay", c.Server.ShutdownDelay.String())
		_ = pause.For(ctx, *c.Server.ShutdownDelay) // it stops either way
	})
}

// advice is what refusals tell people to do. Cases that are not in the cluster are
// asked for at the API.
func advice(c config.Configuration, env *surroundings, desk *desk) webhook.Advice {
	a := webhook.Advice{Help: c.Help, BreakGlass: desk != nil}
	if desk != nil && !env.webhook.cases {
		a.Server = c.API.URL
	}
	return a
}

// admissionHandlers are what the API server calls, by path.
func admissionHandlers(c config.Configuration, env *surroundings, a *assembly, desk *desk, log *slog.Logger, registry *prometheus.Registry) map[string]http.Handler {
	caller := webhook.Caller{Known: env.webhook.isCallSecret, Trusted: c.Server.ClientCA != ""}
	timeout := time.Duration(c.Kubernetes.Webhook.TimeoutSeconds) * time.Second
	reviews := webhook.NewHandler(webhook.HandlerOptions{
		Reviewer: a.reviewer, Timeout: timeout, Advice: advice(c, env, desk), Caller: caller,
		Observe: env.observe, Log: log, Registerer: registry,
	})
	handlers := map[string]http.Handler{webhook.Path: reviews, webhook.MarkedPath: reviews}
	if env.webhook.cases {
		handlers[webhook.CasesPath] = webhook.NewCasesHandler(webhook.CasesOptions{
			Desk: desk, Reviewer: a.reviewer, Self: ownName(env.cluster.clients), Caller: caller, Timeout: timeout * 9 / 10, Log: log,
		})
	}
	for path, handler := range handlers {
		handlers[path] = onceReady(env.synced, handler)
	}
	return handlers
}

// useLogger makes the Kubernetes libraries, which log through globals of their
// own, speak through the same log.
func useLogger(log *slog.Logger) {
	klog.SetSlogLogger(log)
	ctrllog.SetLogger(logr.FromSlogHandler(log.Handler()))
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
