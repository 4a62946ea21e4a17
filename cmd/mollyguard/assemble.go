package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/guard"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
	"github.com/mollyguard/mollyguard/webhook"
)

// controlPlaneExemption is the exemption of the cluster's own machinery, as it
// shows in decisions.
const controlPlaneExemption = "kubernetes-control-plane"

// ownRecords are the custom resource definitions of break glass: with one of them
// go all denials, revocations and uses, and what was used up could be used again.
const ownRecords = `(breakglassrequests|breakglassverdicts|breakglassuses|grants)\.mollyguard\.dev`

// assembly is the way from an AdmissionReview to a decision, put together from a
// configuration. Every command that judges uses the same.
type assembly struct {
	engine   *engine.Engine
	guard    *guard.Guard
	reviewer *webhook.Reviewer
}

// parts are what commands do not have in common.
type parts struct {
	lookup     webhook.Lookup     // nil if no reviews are judged: then there is no reviewer
	dependents webhook.Dependents // nil if nobody looks
	recorder   guard.Recorder
	breakGlass guard.BreakGlass // nil if it is off
	pace       guard.Pace       // nil if it is off
	// around, if it is not nil, is put around what decides for the webhook.
	around     func(webhook.Decider) webhook.Decider
	offline    bool
	now        func() time.Time
	log        *slog.Logger
	registerer prometheus.Registerer
}

func assemble(ctx context.Context, c config.Configuration, p parts) (*assembly, error) {
	e, err := engine.New(ctx, engine.Config{
		Sources: sources(c), Options: engineOptions(c), Now: p.now, Log: p.log, Registerer: p.registerer,
		Accept: func(set *engine.Set) error { return checkPolicyNames(c, set) },
	})
	if err != nil {
		return nil, err
	}
	g, err := guard.New(guard.Options{
		Evaluator: e, Recorder: p.recorder, BreakGlass: p.breakGlass, Pace: p.pace,
		Production:  productionRules(c),
		Enforcement: enforcementRules(c), Exempt: exemptions(c),
		DryRunEnforcement: c.DryRunEnforcement, UnknownIsNotProduction: p.offline,
		Now: p.now, Entropy: rand.Reader, Log: p.log, Registerer: p.registerer,
	})
	if err != nil || p.lookup == nil {
		return &assembly{engine: e, guard: g}, err
	}
	selectors, namespaceSelectors, err := productionSelectors(c)
	if err != nil {
		return nil, err
	}
	controlPlane, err := parsePatterns(c.Kubernetes.ControlPlane)
	if err != nil {
		return nil, err
	}
	agents, err := parsePatterns(c.Agents)
	if err != nil {
		return nil, err
	}
	exempt, err := exemptIdentities(c)
	if err != nil {
		return nil, err
	}
	decider := webhook.Decider(g)
	if p.around != nil {
		decider = p.around(g)
	}
	return &assembly{engine: e, guard: g, reviewer: webhook.NewReviewer(webhook.ReviewerOptions{
		Decider: decider, Lookup: p.lookup, Dependents: p.dependents, Cluster: c.Cluster,
		ControlPlane: controlPlane, Agents: agents,
		Selectors: selectors, NamespaceSelectors: namespaceSelectors,
		Own: ownership(c), Exempt: exempt,
		ReadsAnnotations: func() bool { return e.Current().Reads("target", "annotations") },
		Log:              p.log,
	})}, nil
}

func productionRules(c config.Configuration) guard.ProductionRules {
	return guard.ProductionRules{
		WholeCluster: c.Production.WholeCluster,
		Selectors:    c.Production.Selectors, NamespaceSelectors: c.Production.NamespaceSelectors,
		Namespaces: c.Production.Namespaces, Names: append(slices.Clone(c.Production.Names), ownRecords),
		Projects: c.Production.Projects, Ancestors: c.Production.Ancestors,
		Addresses: c.Production.Addresses, Workspaces: c.Production.Workspaces, Never: guard.NeverProduction(c.Production.Never),
	}
}

// loadConfig reads the file that --config names, or gives the defaults.
func loadConfig(path string) (config.Configuration, error) {
	if path == "" {
		return config.Default(), nil
	}
	return config.Load(path)
}

func sources(c config.Configuration) []engine.Source {
	return sourcesOf(*c.Policies.Embedded, policies.Embedded(), c.Policies.Directories)
}

func sourcesOf(embedded bool, files fs.FS, directories []string) []engine.Source {
	var list []engine.Source
	if embedded {
		list = append(list, engine.Source{Name: "embedded", FS: files})
	}
	for _, directory := range directories {
		list = append(list, engine.Source{Name: directory, FS: os.DirFS(directory)})
	}
	return list
}

func engineOptions(c config.Configuration) engine.Options {
	return engine.Options{Schema: policies.Schema(), Config: c.Policies.Config}
}

// checkPolicyNames refuses an enforcement rule for a policy that is not there: a
// misspelt name would leave the policy as it was.
func checkPolicyNames(c config.Configuration, set *engine.Set) error {
	var names []string
	for _, p := range set.Policies() {
		names = append(names, p.Name)
	}
	var errs []error
	for i, rule := range c.Enforcement {
		for _, name := range rule.Policies {
			if !slices.Contains(names, name) {
				errs = append(errs, fmt.Errorf("enforcement[%d].policies: no policy %q, there are %s", i, name, strings.Join(names, ", ")))
			}
		}
	}
	return errors.Join(errs...)
}

func enforcementRules(c config.Configuration) []guard.EnforcementRule {
	var list []guard.EnforcementRule
	for _, rule := range c.Enforcement {
		list = append(list, guard.EnforcementRule{
			Policies: rule.Policies, Namespaces: rule.Namespaces, Actors: rule.Actors, Surfaces: rule.Surfaces, Projects: rule.Projects, Action: rule.Action,
		})
	}
	return list
}

func exemptions(c config.Configuration) []guard.Exemption {
	var list []guard.Exemption
	if len(c.Kubernetes.ControlPlane) > 0 {
		list = append(list, guard.Exemption{Name: controlPlaneExemption, Actors: c.Kubernetes.ControlPlane, Alone: true})
	}
	list = append(list, googleExemptions()...)
	return append(list, givenExemptions(c)...)
}

// givenExemptions are those of the configuration.
func givenExemptions(c config.Configuration) []guard.Exemption {
	var list []guard.Exemption
	for _, e := range c.Exempt {
		list = append(list, guard.Exemption{
			Name: e.Name, Actors: e.Actors, ActorKinds: e.ActorKinds, Surfaces: e.Surfaces, Verbs: e.Verbs, Groups: e.Groups, Kinds: e.Kinds,
			Names: e.Names, Selectors: e.Selectors, Controlled: e.Controlled,
		})
	}
	return list
}

// googleExemptions let Google's own machinery through, which deletes instances and
// load balancers all day as clusters and groups grow and shrink. What made it do so, a
// cluster or a group that somebody deleted, has an entry of its own.
//
// Service agents are in projects of Google's, where no customer can act through them
// (https://cloud.google.com/iam/docs/service-agents). The Google APIs Service Agent also
// works for Deployment Manager, so it is let through for what instance groups do only.
func googleExemptions() []guard.Exemption {
	gcp := []operation.Surface{operation.GCP}
	return []guard.Exemption{
		{
			Name: "google-service-agents", Surfaces: gcp, Alone: true, Groups: []string{"compute.googleapis.com"},
			Actors: []string{`service-[0-9]+@(container-engine-robot|compute-system)\.iam\.gserviceaccount\.com`, `system@google\.com`},
		},
		{
			Name: "google-instance-groups", Surfaces: gcp, Alone: true, Groups: []string{"compute.googleapis.com"}, Kinds: []string{"Instance", "Disk"},
			Actors: []string{`[0-9]+@cloudservices\.gserviceaccount\.com`},
		},
	}
}

func productionSelectors(c config.Configuration) (objects, namespaces []labels.Selector, err error) {
	if objects, err = parseSelectors(c.Production.Selectors); err != nil {
		return nil, nil, err
	}
	namespaces, err = parseSelectors(c.Production.NamespaceSelectors)
	return objects, namespaces, err
}

func parseSelectors(texts []string) ([]labels.Selector, error) {
	var list []labels.Selector
	for _, text := range texts {
		selector, err := guard.ParseSelector(text)
		if err != nil {
			return nil, err
		}
		list = append(list, selector)
	}
	return list, nil
}

func parsePatterns(texts []string) ([]*regexp.Regexp, error) {
	var list []*regexp.Regexp
	for _, text := range texts {
		pattern, err := operation.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		list = append(list, pattern)
	}
	return list, nil
}

// webhookOptions is what the API server should be told, but for the CA bundle.
func webhookOptions(c config.Configuration) (webhook.ConfigurationOptions, error) {
	selectors, namespaceSelectors, err := productionSelectors(c)
	if err != nil {
		return webhook.ConfigurationOptions{}, err
	}
	w := c.Kubernetes.Webhook
	protected := admissionregistrationv1.FailurePolicyType(w.FailurePolicy.Protected)
	other := admissionregistrationv1.FailurePolicyType(w.FailurePolicy.Other)
	if c.DryRunEnforcement { // a guard that only warns must not stop anybody when it is down
		protected, other = admissionregistrationv1.Ignore, admissionregistrationv1.Ignore
	}
	return webhook.ConfigurationOptions{
		Name: w.Name, URL: w.URL,
		ServiceNamespace: w.Service.Namespace, ServiceName: w.Service.Name, ServicePort: w.Service.Port,
		TimeoutSeconds: w.TimeoutSeconds,
		FailProtected:  protected, FailOther: other,
		WholeCluster: c.Production.WholeCluster, Nodes: c.Kubernetes.Nodes,
		Selectors: selectors, NamespaceSelectors: namespaceSelectors,
		Namespaces: c.Production.Namespaces, Names: c.Production.Names,
		ControlPlane: c.Kubernetes.ControlPlane, Agents: c.Agents,
		Own: ownership(c), Exempt: exemptActors(c),
		// Kinds that the cluster does not have do no harm there.
		Cases: c.BreakGlass.Store == config.StoreAuto || c.BreakGlass.Store == config.StoreKubernetes,
	}, nil
}

// outcomes counts what was decided, for an exit code.
type outcomes struct{ denied, undecided int }

func (o *outcomes) add(d operation.Decision) {
	switch d.Outcome {
	case operation.OutcomeDeny:
		o.denied++
	case operation.OutcomeUndecided:
		o.undecided++
	}
}

// err is nil if all was allowed. What could not be decided weighs more than what
// was denied: the caller knows less than it thinks.
func (o outcomes) err() error {
	switch {
	case o.undecided > 0:
		return &exitError{code: exitUndecided}
	case o.denied > 0:
		return &exitError{code: exitDenied}
	}
	return nil
}
