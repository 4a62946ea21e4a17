// Package config reads the one configuration file.
//
// The file is YAML with a versioned kind. Reading is strict: an unknown key, a
// key in the wrong case, a key given twice and a second document are errors with
// their line, because a setting that is silently not applied is how a guard gets
// a hole. go.yaml.in/yaml/v3 is used directly, not through sigs.k8s.io/yaml: that
// one goes by way of JSON, which loses the lines.
//
// Load completes what is left out, then validates all and reports every problem
// at once.
package config

import (
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// APIVersion and Kind are what the file must say it is.
const (
	APIVersion = "config.mollyguard.dev/v1alpha1"
	Kind       = "Configuration"
)

// Configuration is the file.
type Configuration struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`

	// Cluster is the cluster's name in references, messages and records.
	Cluster string `yaml:"cluster"`

	Production  Production    `yaml:"production"`
	Policies    Policies      `yaml:"policies"`
	Enforcement []Enforcement `yaml:"enforcement"`
	// DryRunEnforcement turns every denial into a warning and makes the webhook
	// fail open.
	DryRunEnforcement bool        `yaml:"dryRunEnforcement"`
	Exempt            []Exemption `yaml:"exempt"`
	// Agents are patterns for the users that are AI or other autonomous agents.
	Agents []string `yaml:"agents"`
	// Help is added to every denial: whom to ask, where the runbook is.
	Help string `yaml:"help"`

	Kubernetes   Kubernetes   `yaml:"kubernetes"`
	Server       Server       `yaml:"server"`
	Certificates Certificates `yaml:"certificates"`
	DecisionLog  DecisionLog  `yaml:"decisionLog"`
	BreakGlass   BreakGlass   `yaml:"breakGlass"`
	API          API          `yaml:"api"`
	Ledger       Ledger       `yaml:"ledger"`
	Audit        Audit        `yaml:"audit"`
	Alerts       Alerts       `yaml:"alerts"`
	Terraform    Terraform    `yaml:"terraform"`
}

// Production says what production is.
type Production struct {
	// WholeCluster makes everything in the cluster production.
	WholeCluster bool `yaml:"wholeCluster"`
	// Selectors are label selectors in kubectl's -l syntax; any may match.
	Selectors []string `yaml:"selectors"`
	// NamespaceSelectors do the same for namespaces; left out, Selectors do.
	NamespaceSelectors []string `yaml:"namespaceSelectors"`
	// Namespaces and Names are patterns for whole names.
	Namespaces []string `yaml:"namespaces"`
	Names      []string `yaml:"names"`
	// Projects are patterns for ids of cloud projects, Ancestors for what projects are
	// in: folders/NUMBER, organizations/NUMBER. Selectors hold for labels of cloud
	// resources and projects, and for resource manager tags, too.
	Projects  []string `yaml:"projects"`
	Ancestors []string `yaml:"ancestors"`
	// Addresses are patterns for addresses of resources in Terraform configurations,
	// Workspaces for names of Terraform workspaces.
	Addresses  []string `yaml:"addresses"`
	Workspaces []string `yaml:"workspaces"`
	// Never says where nothing is production only because its labels are not known.
	Never NeverProduction `yaml:"never"`
}

// NeverProduction has patterns as Production has them.
type NeverProduction struct {
	Projects  []string `yaml:"projects"`
	Ancestors []string `yaml:"ancestors"`
}

// Policies says which policies judge.
type Policies struct {
	// Embedded says whether the policies that Mollyguard comes with are used.
	Embedded *bool `yaml:"embedded"`
	// Directories hold own policies; they are watched.
	Directories []string `yaml:"directories"`
	// ReloadInterval is how often the directories are looked at.
	ReloadInterval time.Duration `yaml:"reloadInterval"`
	// Config is what policies see as input.config.
	Config map[string]any `yaml:"config"`
}

// Enforcement says what violations do in a scope; the first that fits decides.
type Enforcement struct {
	Policies   []string              `yaml:"policies"`
	Namespaces []string              `yaml:"namespaces"`
	Actors     []string              `yaml:"actors"`
	Surfaces   []operation.Surface   `yaml:"surfaces"`
	Projects   []string              `yaml:"projects"`
	Action     operation.Enforcement `yaml:"action"`
}

// Exemption lets actors through; it shows in every decision that it made. All that is
// set narrows it.
type Exemption struct {
	Name   string   `yaml:"name"`
	Actors []string `yaml:"actors"`
	// ActorKinds, Surfaces, Verbs, Groups (API groups) and Kinds narrow it; empty for
	// all.
	ActorKinds []operation.ActorKind `yaml:"actorKinds"`
	Surfaces   []operation.Surface   `yaml:"surfaces"`
	Verbs      []operation.Verb      `yaml:"verbs"`
	Groups     []string              `yaml:"groups"`
	Kinds      []string              `yaml:"kinds"`
	// Names are patterns for whole names of targets, Selectors label selectors in
	// kubectl's -l syntax; any may match.
	Names     []string `yaml:"names"`
	Selectors []string `yaml:"selectors"`
	// Controlled narrows it to what a controller owns, and would make anew.
	Controlled bool `yaml:"controlled"`
	// Reason is for whoever reads the file.
	Reason string `yaml:"reason"`
}

// Narrow says whether an exemption is for some targets or verbs only: who acts as one of
// its actors is not let through whatever they do.
func (e Exemption) Narrow() bool {
	return len(e.Verbs)+len(e.Names)+len(e.Selectors) > 0 || e.Controlled
}

// Kubernetes is about the admission webhook.
type Kubernetes struct {
	// ControlPlane are patterns for the users that are the cluster's own
	// machinery, beside the built-in ones: the API server does not call the
	// webhook for them, and they are exempt should it call all the same.
	ControlPlane []string `yaml:"controlPlane"`
	// Nodes says whether deletions of Node objects are judged. Off, since
	// autoscalers and cloud controllers delete nodes all day.
	Nodes bool `yaml:"nodes"`
	// Housekeeping says whether what tools tidy up all day in production is let through:
	// see builtInHousekeeping.
	Housekeeping *bool      `yaml:"housekeeping"`
	Webhook      Webhook    `yaml:"webhook"`
	Index        Index      `yaml:"index"`
	Floor        Floor      `yaml:"floor"`
	MassChange   MassChange `yaml:"massChange"`
	// Events says whether denials become Kubernetes Events.
	Events *bool `yaml:"events"`
}

// Index is what Mollyguard knows of the objects in the cluster, to judge a deletion
// at the parent.
type Index struct {
	// Enabled says whether there is one. Without it a namespace, a definition or an
	// owner is judged by its own labels only.
	Enabled *bool `yaml:"enabled"`
	// Exclude names resources that are not looked at, as kubectl does: RESOURCE or
	// RESOURCE.GROUP. What they hold counts as nothing.
	Exclude []string `yaml:"exclude"`
}

// Webhook is what the generated webhook configurations are made from.
type Webhook struct {
	// Manage says whether the server applies and re-asserts it.
	Manage *bool `yaml:"manage"`
	// Name is the object's name.
	Name string `yaml:"name"`
	// Service is how the API server finds the webhook; URL, if set, is used
	// instead, for a server outside the cluster.
	Service Service `yaml:"service"`
	URL     string  `yaml:"url"`
	// TimeoutSeconds is how long the API server waits, 1 to 30.
	TimeoutSeconds int32         `yaml:"timeoutSeconds"`
	FailurePolicy  FailurePolicy `yaml:"failurePolicy"`
}

// Service names a Kubernetes Service and a port of it.
type Service struct {
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
	Port      int32  `yaml:"port"`
}

// FailurePolicy says what the API server does when the webhook does not answer:
// Fail or Ignore.
type FailurePolicy struct {
	// Protected is for what may be production as far as the API server can tell.
	Protected string `yaml:"protected"`
	// Other is for the rest, which is sent so that own policies can judge it.
	Other string `yaml:"other"`
}

// Server says where to listen.
type Server struct {
	// Address serves the webhook over TLS.
	Address string `yaml:"address"`
	// StatusAddress serves /healthz, /readyz and /metrics in plain text.
	StatusAddress string `yaml:"statusAddress"`
	// ClientCA is a PEM file: who calls the webhook must show a certificate from
	// one of these authorities. Left out, whoever reaches the port may call.
	ClientCA string `yaml:"clientCA"`
	// ShutdownDelay is how long a stopping server goes on answering while the
	// cluster takes it out of the Service.
	ShutdownDelay *time.Duration `yaml:"shutdownDelay"`
}

// Certificates says where the serving certificate comes from: Files if they are
// set, else a directory if that is set, else a Secret. In a Secret or directory
// Mollyguard keeps a certificate authority of its own.
type Certificates struct {
	Files     CertificateFiles `yaml:"files"`
	Directory string           `yaml:"directory"`
	Secret    Secret           `yaml:"secret"`
	// DNSNames and IPs are added to the names that follow from the webhook.
	DNSNames []string `yaml:"dnsNames"`
	IPs      []string `yaml:"ips"`
}

// CertificateFiles are PEM files that somebody else keeps current.
type CertificateFiles struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// CA goes into the webhook configuration; left out, caBundle is left to
	// whoever injects it.
	CA string `yaml:"ca"`
}

// Secret names a Secret.
type Secret struct {
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
}

// DecisionLog says where decision records go.
type DecisionLog struct {
	// Path is a file, or - for standard output.
	Path string `yaml:"path"`
}
