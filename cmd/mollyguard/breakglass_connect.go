package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/operation"
)

// Environment variables that stand for flags.
const (
	serverVariable = "MOLLYGUARD_SERVER"
	tokenVariable  = "MOLLYGUARD_API_TOKEN"
)

const (
	// userTimeout is how long one answer of the API server, or of an OpenID Connect
	// issuer, may take.
	userTimeout = 30 * time.Second
	// userQPS and userBurst are kubectl's own: the client's defaults would make a
	// user wait for discovery.
	userQPS   = 50
	userBurst = 300
)

// contextsHint is for who named a cluster that there is not.
const contextsHint = "kubectl config get-contexts lists the clusters that you can name with --context"

// connectOptions say where the desk is: a server's API if one is named, else the
// cluster of the kubeconfig.
type connectOptions struct {
	server, ca, tokenFile string
	kubeconfig, context   string
	// otherwise says what else than a cluster can be named, for a hint.
	otherwise string
}

func (o *connectOptions) flags(cmd *cobra.Command) {
	o.clusterFlags(cmd)
	o.otherwise = "--server URL for the API of a server"
	o.serverFlags(cmd, "ask the API of a server at this https `URL`, not the cluster")
}

// serverFlags are the flags for a server alone.
func (o *connectOptions) serverFlags(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&o.server, "server", "", usage+" (default: $"+serverVariable+")")
	cmd.Flags().StringVar(&o.ca, "ca", "", "PEM `FILE` with the authority that signed the server's certificate (default: the system's)")
	cmd.Flags().StringVar(&o.tokenFile, "api-token-file", "", "`FILE` with the token that says to the server who you are (default: $"+tokenVariable+", or the login)")
}

func (o *connectOptions) clusterFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: $KUBECONFIG, or ~/.kube/config)")
	cmd.Flags().StringVar(&o.context, "context", "", "`NAME` of the kubeconfig's context (default: the current one)")
}

// where is what has to be added to a command so that it goes to the same desk, for
// somebody who may have another environment.
func (o connectOptions) where() string {
	switch {
	case o.server != "":
		return " --server " + quoted(operation.Printable(o.server))
	case o.context != "":
		return " --context " + quoted(operation.Printable(o.context))
	}
	return ""
}

// complete fills in what the environment says.
func (o *connectOptions) complete(cmd *cobra.Command) {
	if !cmd.Flags().Changed("server") {
		o.server = os.Getenv(serverVariable)
	}
}

// at adds what a kubectl command says of its cluster. It is an error if the flags
// say something else.
func (o *connectOptions) at(p place) error {
	for _, said := range []struct {
		flag       string
		own        *string
		theCommand string
	}{{"--kubeconfig", &o.kubeconfig, p.kubeconfig}, {"--context", &o.context, p.context}} {
		switch {
		case said.theCommand == "":
		case *said.own != "" && *said.own != said.theCommand:
			return usageError("", "%s is %s here and %s in the command", said.flag, shown(*said.own), shown(said.theCommand))
		default:
			*said.own = said.theCommand
		}
	}
	return nil
}

// connection is a desk, and where it is.
type connection struct {
	remoteDesk
	// here is what the place is called.
	here string
	// server is the API's client, or nil for a cluster.
	server *api.Client
	// events are the cluster's, or nil for a server.
	events typedcorev1.EventsGetter
}

// open finds the desk for a command that names no place, once it is known that the
// output can be written.
func (o *connectOptions) open(cmd *cobra.Command, c console, out output) (connection, error) {
	if err := out.check(); err != nil {
		return connection{}, err
	}
	o.complete(cmd)
	return o.connect(c, place{})
}

// connect finds the desk. It asks nobody yet.
func (o connectOptions) connect(c console, p place) (connection, error) {
	if o.server != "" {
		client, err := o.client()
		if err != nil {
			return connection{}, err
		}
		return connection{remoteDesk: serverDesk{client}, here: o.server, server: client}, nil
	}
	config, here, err := o.cluster(c.streams, p)
	if err != nil {
		return connection{}, err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return connection{}, fmt.Errorf("make an HTTP client: %w", err)
	}
	objects, err := kube.NewClient(config, httpClient)
	if err != nil {
		return connection{}, err
	}
	clients, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return connection{}, fmt.Errorf("make a client: %w", err)
	}
	return connection{here: here, events: clients.CoreV1(), remoteDesk: &clusterDesk{
		client: objects, store: kube.NewStore(kube.StoreOptions{Client: objects}), reviews: clients.AuthenticationV1(),
		entropy: rand.Reader, pause: c.pause,
	}}, nil
}

// clientConfig reads the kubeconfig as kubectl does.
func (o connectOptions) clientConfig(p place) clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{
		CurrentContext: o.context, Context: clientcmdapi.Context{Cluster: p.cluster, Namespace: p.namespace},
	})
}

// cluster says how to reach the cluster, and what it is called here.
func (o connectOptions) cluster(s streams, p place) (config *rest.Config, here string, err error) {
	loader := o.clientConfig(p)
	config, err = loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		hint := "set KUBECONFIG, or say --kubeconfig FILE"
		if o.otherwise != "" {
			hint += ", or " + o.otherwise
		}
		return nil, "", &exitError{code: exitUndecided, err: errors.New("no cluster is named: there is no kubeconfig"), hint: hint}
	}
	if err != nil {
		return nil, "", &exitError{code: exitUndecided, err: fmt.Errorf("read kubeconfig: %s", printableLines(err.Error())), hint: contextsHint}
	}
	config.UserAgent = "mollyguard/" + version()
	config.QPS, config.Burst, config.Timeout = userQPS, userBurst, userTimeout
	config.WarningHandler = rest.NewWarningWriter(s.err, rest.WarningWriterOptions{Deduplicate: true})
	name := o.context
	if raw, err := loader.RawConfig(); err == nil && name == "" {
		name = raw.CurrentContext
	}
	here = "at " + config.Host
	if name != "" {
		here = fmt.Sprintf("context %s (%s)", shown(name), config.Host)
	}
	return config, here, nil
}

// resolver finds objects in the cluster. cluster is its name in references.
func (o connectOptions) resolver(c console, p place, cluster string) (resolver, error) {
	config, _, err := o.cluster(c.streams, p)
	if err != nil {
		return resolver{}, err
	}
	namespace, _, err := o.clientConfig(p).Namespace()
	if err != nil {
		return resolver{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return resolver{}, fmt.Errorf("make a discovery client: %w", err)
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return resolver{}, fmt.Errorf("make a metadata client: %w", err)
	}
	cached := memory.NewMemCacheClientWithContext(finder)
	warn := func(format string, args ...any) { c.say("warning: "+format, args...) }
	mapper := restmapper.NewShortcutExpanderWithContext(
		restmapper.NewDeferredDiscoveryRESTMapperWithContext(cached), cached, func(text string) { warn("%s", operation.Printable(text)) },
	)
	return resolver{mapper: mapper, types: cached, client: objects, cluster: cluster, namespace: namespace, stdin: c.in, warn: warn}, nil
}
