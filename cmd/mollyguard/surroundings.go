package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/mollyguard/mollyguard/certs"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/webhook"
	"github.com/mollyguard/mollyguard/webhook/index"
)

// surroundings are what differs between a server in a cluster, one beside it,
// and one without any.
type surroundings struct {
	lookup       webhook.Lookup
	certificates certs.Source
	observe      func(webhook.Answer)
	// synced says why caches are not ready, or nil.
	synced func() error
	// run are to run as long as the server, lead on one replica at a time.
	run, lead []func(ctx context.Context) error
	// auditOnly says that there is no webhook here.
	auditOnly bool
	// lease is the name of the lease that who leads holds.
	lease string
	// cluster is nil without one.
	cluster *clusterAccess
	// granted is where grants are found, nil without break glass; parents say what holds
	// production, nil if nobody knows. Both are completed before anything runs.
	granted webhook.Cases
	parents webhook.Parents
	// corrections are what the keeper put right, nil where none keeps.
	corrections *corrections
	// index is what is in the cluster, nil if nobody looks.
	index *index.Index
	// webhook is what the API server is told beside what the configuration says. It
	// is completed before anything runs.
	webhook webhookExtras
}

// webhookExtras are known once break glass is put together.
type webhookExtras struct {
	callSecret func() string
	// isCallSecret is nil without break glass.
	isCallSecret func(string) bool
	cases        bool
}

func surround(s streams, c config.Configuration, o serveOptions, log *slog.Logger, registerer prometheus.Registerer) (*surroundings, error) {
	if o.auditOnly { // the webhook, and what belongs to it, is another server's
		c.Kubernetes.Webhook.Manage, c.Kubernetes.Events, c.Kubernetes.Index.Enabled = new(false), new(false), new(false)
	}
	if o.noCluster {
		return withoutCluster(s, c, o, log)
	}
	restConfig, inCluster, err := kube.Connect(o.kubeconfig, "mollyguard/"+version())
	if err != nil {
		return nil, err
	}
	if restConfig == nil {
		return withoutCluster(s, c, o, log)
	}
	if o.objects != "" {
		return nil, usageError("leave --objects out: the cluster knows better; or say --no-cluster", "--objects is for a server without a cluster")
	}
	if webhook := c.Kubernetes.Webhook; !inCluster && *webhook.Manage && webhook.URL == "" {
		return nil, &exitError{
			code: exitUndecided, err: errors.New("kubernetes.webhook.url is missing: this server is outside the cluster, and the API server would be told to call a Service that does not lead here"),
			hint: "set kubernetes.webhook.url to where the API server finds this server, or kubernetes.webhook.manage to false",
		}
	}
	if files := c.Certificates.Files; *c.Kubernetes.Webhook.Manage && files.Certificate != "" && files.CA == "" {
		return nil, &exitError{
			code: exitUndecided, err: errors.New("certificates.files.ca is missing: the API server has to be told whom to trust"),
			hint: "set certificates.files.ca, or kubernetes.webhook.manage to false and maintain the webhook configuration yourself",
		}
	}
	env, err := withCluster(c, restConfig, inCluster, log, registerer)
	if err == nil && o.auditOnly {
		env.lease, env.auditOnly = auditLease+"-cases", true
	}
	return env, err
}

func withoutCluster(s streams, c config.Configuration, o serveOptions, log *slog.Logger) (*surroundings, error) {
	lookup, err := fileLookup(s, o.objects)
	if err != nil {
		return nil, err
	}
	env := &surroundings{
		lookup: lookup, observe: func(webhook.Answer) {}, synced: func() error { return nil }, lease: serverLease, auditOnly: o.auditOnly,
		webhook: webhookExtras{callSecret: func() string { return "" }},
	}
	if c.Certificates.Directory == "" && c.Certificates.Files.Certificate == "" {
		if o.auditOnly { // there is nobody to show a certificate to
			return env, nil
		}
		return nil, &exitError{code: exitUndecided, err: errors.New("without a cluster there is no Secret for the serving certificate"),
			hint: "set certificates.directory or certificates.files in the configuration, or name a cluster with --kubeconfig"}
	}
	if env.certificates, err = certificates(c, nil, log); err != nil {
		return nil, err
	}
	return env, nil
}

func withCluster(c config.Configuration, restConfig *rest.Config, inCluster bool, log *slog.Logger, registerer prometheus.Registerer) (*surroundings, error) {
	cluster, err := openCluster(restConfig, inCluster)
	if err != nil {
		return nil, err
	}
	source, err := certificates(c, cluster.clients, log)
	if err != nil {
		return nil, err
	}
	state := &cacheState{}
	env := &surroundings{
		lookup:       cluster.lookup,
		certificates: source,
		observe:      func(webhook.Answer) {},
		synced:       state.err,
		lease:        serverLease,
		cluster:      cluster,
		webhook:      webhookExtras{callSecret: func() string { return "" }},
		run: []func(context.Context) error{
			cluster.caches.Start,
			func(ctx context.Context) error { return state.wait(ctx, cluster.caches, log) },
		},
	}
	if err := env.openIndex(c, log, registerer); err != nil {
		return nil, err
	}
	env.lead = append(env.lead, leader(registerer))
	if *c.Kubernetes.Events {
		events := webhook.NewEvents(cluster.clients, scheme.Scheme)
		env.observe = events.Observe
		env.run = append(env.run, func(ctx context.Context) error {
			<-ctx.Done()
			events.Close()
			return nil
		})
	}
	if *c.Kubernetes.Webhook.Manage {
		ready := func() bool { return source.Ready() == nil && state.err() == nil }
		keep, err := configurationKeeper(c, env, ready, log, registerer)
		if err != nil {
			return nil, err
		}
		env.lead = append(env.lead, keep)
	}
	return env, nil
}

// leading runs all of lead on one replica at a time.
func (env *surroundings) leading(c config.Configuration, log *slog.Logger) func(ctx context.Context) error {
	all := func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, fn := range env.lead {
			group.Go(func() error { return fn(ctx) })
		}
		return group.Wait()
	}
	if env.cluster == nil {
		return all
	}
	return leading(c, env.cluster.clients, env.cluster.inCluster, env.lease, nil, log, all)
}

// serverLease is held by the replica that does what only one should.
const serverLease = "mollyguard"

// leading runs fn on one replica at a time, and tells others, which may be nil, whether
// another one holds the lease. Outside the cluster there is one server, and may be no
// namespace of ours to keep a lease in.
func leading(c config.Configuration, clients kubernetes.Interface, inCluster bool, name string, others func(bool), log *slog.Logger, fn func(context.Context) error) func(context.Context) error {
	if !inCluster {
		return fn
	}
	return func(ctx context.Context) error {
		identity, err := os.Hostname() // the pod's name
		if err != nil {
			return fmt.Errorf("name this replica: %w", err)
		}
		lease := kube.Lease{
			Clients: clients, Namespace: c.Kubernetes.Webhook.Service.Namespace, Name: name, Identity: identity, Log: log,
		}
		if others != nil {
			lease.Holder = func(holder string) { others(holder != "" && holder != identity) }
		}
		return lease.Lead(ctx, fn)
	}
}

// certificates chooses where the serving certificate comes from.
func certificates(c config.Configuration, clients kubernetes.Interface, log *slog.Logger) (certs.Source, error) {
	if files := c.Certificates.Files; files.Certificate != "" {
		return certs.NewFiles(certs.FilesOptions{CertFile: files.Certificate, KeyFile: files.Key, CAFile: files.CA, Log: log})
	}
	var store certs.Store
	var err error
	if c.Certificates.Directory != "" {
		store, err = certs.NewDirStore(c.Certificates.Directory)
	} else {
		store, err = certs.NewSecretStore(clients.CoreV1(), c.Certificates.Secret.Namespace, c.Certificates.Secret.Name)
	}
	if err != nil {
		return nil, err
	}
	names, ips := hosts(c)
	return certs.NewKeeper(certs.KeeperOptions{Store: store, DNSNames: names, IPs: ips, Log: log})
}

// hosts are the names that the API server calls the webhook by.
func hosts(c config.Configuration) (names []string, ips []net.IP) {
	add := func(host string) {
		if ip := net.ParseIP(host); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, host)
		}
	}
	if c.Kubernetes.Webhook.URL != "" {
		if u, err := url.Parse(c.Kubernetes.Webhook.URL); err == nil { // validated by config
			add(u.Hostname())
		}
	} else {
		service := c.Kubernetes.Webhook.Service
		add(service.Name + "." + service.Namespace + ".svc")
	}
	for _, host := range slices.Concat(c.Certificates.DNSNames, c.Certificates.IPs) {
		add(host)
	}
	return names, ips
}
