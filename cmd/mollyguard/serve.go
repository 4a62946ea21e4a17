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

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
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
	servers := []listening{{"status", ports.status, statusServer(ready, registry, log)}}
	if ports.admission != nil {
		admission, err := admissionServer(admissionHandlers(c, env, h.assembly, h.desk, log, registry), env.certificates, c.Server.ClientCA, log)
		if err != nil {
			return err
		}
		servers = append(servers, listening{"admission", ports.admission, admission})
	}
	people, err := h.desk.handler(c, env, h.assembly, books.recent, log, registry)
	if err != nil {
		return err
	}
	if people != nil && env.certificates != nil {
		if ports.people, err = listen(ctx, "api.address", c.API.Address); err != nil {
			return err
		}
		servers = append(servers, listening{"api", ports.people, apiServer(people, env.certificates, log)})
	}
	tasks := append(h.tasks(c, env), env.leading(c, log))
	if ports.control, err = openControl(ctx, c); err != nil {
		return err
	}
	if ports.control != nil {
		servers = append(servers, listening{"control", ports.control, controlServer(books.ledger, h, log)})
	}
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
		pause(ctx, *c.Server.ShutdownDelay)
	})
}

// listening is one server at its port.
type listening struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// runUntil serves and runs tasks until ctx ends or one of them fails. Then it
// calls stopping, lets the servers finish what is in flight, and stops the tasks.
func runUntil(ctx context.Context, servers []listening, tasks []func(context.Context) error, stopping func(context.Context)) error {
	// The background outlives ctx: requests in flight still need it.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	for _, s := range servers {
		group.Go(func() error {
			if s.server.TLSConfig == nil {
				return ignoreClosed(s.server.Serve(s.listener))
			}
			return ignoreClosed(s.server.ServeTLS(s.listener, "", ""))
		})
	}
	for _, task := range tasks {
		group.Go(func() error { return task(background) })
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-background.Done(): // one of the others failed
		}
		stopping(background)
		// All at once, so that the longest drainTimeout is all it takes.
		var drained errgroup.Group
		for _, s := range servers {
			drained.Go(func() error { return shutdown(ctx, s.name, s.server) })
		}
		err := drained.Wait()
		stop()
		return err
	})
	return group.Wait()
}

// ports are where a server listens. admission is nil where nothing is admitted, people
// where nobody may ask, control without a ledger.
type ports struct{ admission, status, people, control net.Listener }

func openPorts(ctx context.Context, c config.Configuration, o serveOptions) (*ports, error) {
	var p ports
	var err error
	if !o.auditOnly {
		if p.admission, err = listen(ctx, "server.address", c.Server.Address); err != nil {
			return nil, err
		}
	}
	if p.status, err = listen(ctx, "server.statusAddress", c.Server.StatusAddress); err != nil {
		p.close(&err)
		return nil, err
	}
	return &p, nil
}

func (p *ports) close(err *error) {
	for _, listener := range []net.Listener{p.admission, p.status, p.people, p.control} {
		if listener != nil {
			closing(err, listener)
		}
	}
}

func addressOf(listener net.Listener) string {
	if listener == nil {
		return ""
	}
	return listener.Addr().String()
}

func (p *ports) addresses() addresses {
	a := addresses{status: p.status.Addr()}
	if p.admission != nil {
		a.admission = p.admission.Addr()
	}
	if p.people != nil {
		a.people = p.people.Addr()
	}
	return a
}

// books are where decisions, events and cases are kept in files.
type books struct {
	decisions *ledger.Log
	recent    *ledger.Recent
	ledger    *ledger.Ledger // nil if there is none
}

func openBooks(s streams, c config.Configuration) (*books, error) {
	decisions, err := openDecisionLog(s, c.DecisionLog.Path)
	if err != nil {
		return nil, err
	}
	b := &books{decisions: decisions, recent: ledger.NewRecent(decisions)}
	if b.ledger, err = openLedger(c); err != nil {
		return nil, errors.Join(err, decisions.Close())
	}
	return b, nil
}

// events are the steps of break glass: lines of the decision log, and entries of
// the outbox where there is a ledger.
func (b *books) events() breakglass.Recorder {
	if b.ledger == nil {
		return b.decisions
	}
	return ledger.Events{Log: b.decisions, Outbox: b.ledger}
}

func (b *books) close(err *error) {
	if b.ledger != nil {
		*err = errors.Join(*err, b.ledger.Close())
	}
	*err = errors.Join(*err, b.decisions.Close())
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
