package config

import (
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mollyguard/mollyguard/operation"
)

// clusterName keeps references such as k8s://CLUSTER/… unambiguous.
var clusterName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$`)

const (
	// minReload is for tests; reading a few files ten times a second does no harm.
	minReload = 100 * time.Millisecond
	// maxShutdownDelay leaves half of the 30 s that Kubernetes gives a stopping pod
	// for requests in flight.
	maxShutdownDelay = 15 * time.Second
)

// refuseZeros finds zeros that would be taken for "left out" and silently become
// the default.
func (c *Configuration) refuseZeros(p *problems) {
	for _, number := range []struct {
		field string
		zero  bool
	}{
		{"policies.reloadInterval", c.Policies.ReloadInterval == 0},
		{"kubernetes.massChange.window", c.Kubernetes.MassChange.Window == 0},
		{"kubernetes.webhook.service.port", c.Kubernetes.Webhook.Service.Port == 0},
		{"kubernetes.webhook.timeoutSeconds", c.Kubernetes.Webhook.TimeoutSeconds == 0},
		{"breakGlass.approvalWindow", c.BreakGlass.ApprovalWindow == 0},
		{"breakGlass.defaultDuration", c.BreakGlass.DefaultDuration == 0},
		{"breakGlass.maxDuration", c.BreakGlass.MaxDuration == 0},
		{"audit.silence", c.Audit.Silence == 0},
		{"audit.assets.refreshInterval", c.Audit.Assets.RefreshInterval == 0},
		{"audit.heartbeat.interval", c.Audit.Heartbeat.Interval == 0},
		{"alerts.updateInterval", c.Alerts.UpdateInterval == 0},
		{"terraform.receipts.lifetime", c.Terraform.Receipts.Lifetime == 0},
	} {
		if _, given := find(p.root, number.field); given && number.zero {
			p.add(number.field, "0 is not possible: leave it out for the default")
		}
	}
}

func (c *Configuration) validate(p *problems) {
	if !clusterName.MatchString(c.Cluster) {
		p.add("cluster", "%q is not a name of 1 to 100 letters, digits, dots, dashes and underscores", c.Cluster)
	}
	c.validateProduction(p)
	validatePatterns(p, "agents", c.Agents)
	validatePatterns(p, "kubernetes.controlPlane", c.Kubernetes.ControlPlane)
	c.validatePolicies(p)
	c.validateEnforcement(p)
	c.validateExemptions(p)
	c.Kubernetes.MassChange.validate(p)
	c.validateWebhook(p)
	c.validateFloor(p)
	c.validateServer(p)
	c.validateBreakGlass(p)
	c.validateAudit(p)
	c.validateAlerts(p)
	c.Terraform.validate(p)
}

func (c *Configuration) validateProduction(p *problems) {
	const wholeCluster = "to make everything production, set production.wholeCluster"
	validateSelectors(p, selectorList{"production.selectors", c.Production.Selectors, wholeCluster})
	validateSelectors(p, selectorList{"production.namespaceSelectors", c.Production.NamespaceSelectors, wholeCluster})
	validatePatterns(p, "production.namespaces", c.Production.Namespaces)
	validatePatterns(p, "production.names", c.Production.Names)
	validatePatterns(p, "production.projects", c.Production.Projects)
	validateAncestors(p, "production.ancestors", c.Production.Ancestors)
	validatePatterns(p, "production.addresses", c.Production.Addresses)
	validatePatterns(p, "production.workspaces", c.Production.Workspaces)
	validatePatterns(p, "production.never.projects", c.Production.Never.Projects)
	validateAncestors(p, "production.never.ancestors", c.Production.Never.Ancestors)
	production := c.Production
	if !production.WholeCluster && len(production.Selectors)+len(production.NamespaceSelectors)+len(production.Namespaces)+len(production.Names)+
		len(production.Projects)+len(production.Ancestors) == 0 &&
		len(c.Policies.Directories) == 0 {
		p.add("production", "nothing is production, and there are no own policies: this would guard nothing")
	}
}

func (c *Configuration) validatePolicies(p *problems) {
	if !*c.Policies.Embedded && len(c.Policies.Directories) == 0 {
		p.add("policies", "no policies: embedded is false and there are no directories")
	}
	validateDirectories(p, "policies.directories", c.Policies.Directories)
	if c.Policies.ReloadInterval < minReload {
		p.add("policies.reloadInterval", "%v is below %v", c.Policies.ReloadInterval, minReload)
	}
	validateValue(p, "policies.config", c.Policies.Config)
}

func (c *Configuration) validateEnforcement(p *problems) {
	for i, rule := range c.Enforcement {
		field := fmt.Sprintf("enforcement[%d]", i)
		validatePatterns(p, field+".namespaces", rule.Namespaces)
		validatePatterns(p, field+".actors", rule.Actors)
		validatePatterns(p, field+".projects", rule.Projects)
		for j, surface := range rule.Surfaces {
			oneOf(p, fmt.Sprintf("%s.surfaces[%d]", field, j), string(surface), surface.Values())
		}
		if values := operation.EnforceDeny.Values(); !slices.Contains(values, string(rule.Action)) {
			p.add(field+".action", "%q is not one of %v", rule.Action, values)
		}
	}
}

func (c *Configuration) validateExemptions(p *problems) {
	for i, exemption := range c.Exempt {
		field := fmt.Sprintf("exempt[%d]", i)
		if exemption.Name == "" {
			p.add(field+".name", "missing: a decision shows it")
		}
		if len(exemption.Actors) == 0 {
			p.add(field+".actors", "missing: an exemption for everybody is no guard")
		}
		validatePatterns(p, field+".actors", exemption.Actors)
		validatePatterns(p, field+".names", exemption.Names)
		validateSelectors(p, selectorList{field + ".selectors", exemption.Selectors, "it would be no restriction, leave it out for that"})
		for j, kind := range exemption.ActorKinds {
			oneOf(p, fmt.Sprintf("%s.actorKinds[%d]", field, j), string(kind), kind.Values())
		}
		for j, verb := range exemption.Verbs {
			oneOf(p, fmt.Sprintf("%s.verbs[%d]", field, j), string(verb), verb.Values())
		}
		for j, surface := range exemption.Surfaces {
			oneOf(p, fmt.Sprintf("%s.surfaces[%d]", field, j), string(surface), surface.Values())
		}
	}
}

func (c *Configuration) validateWebhook(p *problems) {
	webhook := c.Kubernetes.Webhook
	if errs := validation.IsDNS1123Subdomain(webhook.Name); len(errs) > 0 {
		p.add("kubernetes.webhook.name", "%q: %s", webhook.Name, errs[0])
	}
	if webhook.URL != "" {
		u, err := url.Parse(webhook.URL)
		switch {
		case err != nil:
			p.add("kubernetes.webhook.url", "%v", err)
		case u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			p.add("kubernetes.webhook.url", "%q is not of the form https://HOST:PORT", webhook.URL)
		}
	}
	for _, name := range []struct{ field, value string }{
		{"kubernetes.webhook.service.namespace", webhook.Service.Namespace},
		{"kubernetes.webhook.service.name", webhook.Service.Name},
		{"certificates.secret.namespace", c.Certificates.Secret.Namespace},
		{"certificates.secret.name", c.Certificates.Secret.Name},
	} {
		if errs := validation.IsDNS1123Subdomain(name.value); len(errs) > 0 {
			p.add(name.field, "%q: %s", name.value, errs[0])
		}
	}
	if port := webhook.Service.Port; port < 1 || port > 65535 {
		p.add("kubernetes.webhook.service.port", "%d is not a port", port)
	}
	if s := webhook.TimeoutSeconds; s < 1 || s > 30 {
		p.add("kubernetes.webhook.timeoutSeconds", "%d is not between 1 and 30", s)
	}
	for _, policy := range []struct{ field, value string }{
		{"protected", webhook.FailurePolicy.Protected}, {"other", webhook.FailurePolicy.Other},
	} {
		if policy.value != "Fail" && policy.value != "Ignore" {
			p.add("kubernetes.webhook.failurePolicy."+policy.field, "%q is not Fail or Ignore", policy.value)
		}
	}
}

func (c *Configuration) validateServer(p *problems) {
	for _, address := range []struct{ field, value string }{
		{"server.address", c.Server.Address}, {"server.statusAddress", c.Server.StatusAddress},
	} {
		if _, _, err := net.SplitHostPort(address.value); err != nil {
			p.add(address.field, "%v: expected HOST:PORT or :PORT", err)
		}
	}
	if d := *c.Server.ShutdownDelay; d < 0 || d > maxShutdownDelay {
		p.add("server.shutdownDelay", "%v is not between 0 and %v", d, maxShutdownDelay)
	}
	files := c.Certificates.Files
	if (files.Certificate == "") != (files.Key == "") || files.CA != "" && files.Key == "" {
		p.add("certificates.files", "certificate and key go together")
	}
	if files.Certificate != "" && c.Certificates.Directory != "" {
		p.add("certificates.directory", "set together with certificates.files: choose one")
	}
	for i, ip := range c.Certificates.IPs {
		if _, err := netip.ParseAddr(ip); err != nil {
			p.add(fmt.Sprintf("certificates.ips[%d]", i), "%v", err)
		}
	}
	for i, name := range c.Certificates.DNSNames {
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
			p.add(fmt.Sprintf("certificates.dnsNames[%d]", i), "%q: %s", name, errs[0])
		}
	}
}

// selectorList is a field of label selectors, and what to do instead of writing an
// empty one.
type selectorList struct {
	field   string
	texts   []string
	instead string
}

func validateSelectors(p *problems, list selectorList) {
	for i, text := range list.texts {
		field := fmt.Sprintf("%s[%d]", list.field, i)
		selector, err := labels.Parse(text)
		switch {
		case err != nil:
			p.add(field, "label selector %q: %v", text, err)
		case !expressible(selector):
			p.add(field, "label selector %q: < and > cannot be used, because the API server's selectors do not know them", text)
		case selector.Empty():
			p.add(field, "empty label selector: %s", list.instead)
		}
	}
}

func validatePatterns(p *problems, field string, patterns []string) {
	for i, text := range patterns {
		if _, err := regexp.Compile(text); err != nil {
			p.add(fmt.Sprintf("%s[%d]", field, i), "pattern: %v", err)
		} else if text == "" {
			p.add(fmt.Sprintf("%s[%d]", field, i), "empty pattern: it would only match the empty name")
		}
	}
}

// validateValue finds what cannot be shown to policies, whose input is JSON.
func validateValue(p *problems, field string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			validateValue(p, field+"."+key, value[key])
		}
	case map[any]any: // what the YAML library makes of a mapping with such a key
		p.add(field, "a key is not a text: policies see JSON, put it in quotes")
	case []any:
		for i, item := range value {
			validateValue(p, fmt.Sprintf("%s[%d]", field, i), item)
		}
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			p.add(field, "%v is not a number in JSON, which is what policies see", value)
		}
	}
}

// expressible reports whether a selector can be written as a
// metav1.LabelSelector, which the webhook configuration needs.
func expressible(selector labels.Selector) bool {
	requirements, _ := selector.Requirements()
	return !slices.ContainsFunc(requirements, func(r labels.Requirement) bool {
		return r.Operator() == selection.GreaterThan || r.Operator() == selection.LessThan
	})
}
