package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Where break-glass cases are kept.
const (
	// StoreAuto is StoreKubernetes with a cluster, else StoreLedger if ledger.path is
	// set, else StoreNone.
	StoreAuto       = "auto"
	StoreKubernetes = "kubernetes"
	StoreLedger     = "ledger"
	// StoreNone: nobody can ask for a grant.
	StoreNone = "none"
)

// BreakGlass is about the way through: requests, approvals, grants.
type BreakGlass struct {
	// Store is where cases are kept: auto, kubernetes, ledger or none.
	Store string `yaml:"store"`
	// Issuer is the name that grants are signed with.
	Issuer string `yaml:"issuer"`
	// Keys says where the signing keys are.
	Keys BreakGlassKeys `yaml:"keys"`
	// Trust are other issuers whose tokens are taken here.
	Trust []TrustedIssuer `yaml:"trust"`
	// ApprovalWindow is how long a request waits for approvals.
	ApprovalWindow time.Duration `yaml:"approvalWindow"`
	// DefaultDuration and MaxDuration are how long a grant can be used.
	DefaultDuration time.Duration `yaml:"defaultDuration"`
	MaxDuration     time.Duration `yaml:"maxDuration"`
	// People lists the names of those who have several.
	People []Person `yaml:"people"`
	// BindCertificates makes a grant good only with the client certificate that it
	// was asked for with.
	BindCertificates *bool `yaml:"bindCertificates"`
	// ImpersonationCounts lets approvals count that the requester could have given
	// by impersonating the approver.
	ImpersonationCounts bool `yaml:"impersonationCounts"`
	// Rights says who may do what where no cluster is asked.
	Rights BreakGlassRights `yaml:"rights"`
	// Policies is issuing policy.
	Policies BreakGlassPolicies `yaml:"policies"`
}

// BreakGlassKeys says where the signing keys are: a file if one is named, else a
// Secret.
type BreakGlassKeys struct {
	File   string `yaml:"file"`
	Secret Secret `yaml:"secret"`
}

// TrustedIssuer names another issuer and where its public keys are: a JWKS file or
// an https URL.
type TrustedIssuer struct {
	Issuer string `yaml:"issuer"`
	File   string `yaml:"file"`
	URL    string `yaml:"url"`
}

// Person lists the names of one person.
type Person struct {
	Name       string   `yaml:"name"`
	Identities []string `yaml:"identities"`
}

// BreakGlassRights says who may do what, for a server that no cluster answers for.
type BreakGlassRights struct {
	Requesters Members `yaml:"requesters"`
	Approvers  Members `yaml:"approvers"`
	Revokers   Members `yaml:"revokers"`
}

// Members are patterns for users, and for groups that users are in.
type Members struct {
	Users  []string `yaml:"users"`
	Groups []string `yaml:"groups"`
}

// BreakGlassPolicies says which policies judge requests and approvals.
type BreakGlassPolicies struct {
	Embedded    *bool          `yaml:"embedded"`
	Directories []string       `yaml:"directories"`
	Config      map[string]any `yaml:"config"`
}

// API is the HTTPS API for people and tools.
type API struct {
	// Address is where it is served, where there is somebody to tell who calls.
	Address string `yaml:"address"`
	// URL is where people find it. Where there is no cluster to ask, refusals name it.
	URL string `yaml:"url"`
	// Kubernetes takes tokens of the cluster (TokenReview).
	Kubernetes APIKubernetes `yaml:"kubernetes"`
	OIDC       OIDC          `yaml:"oidc"`
	// Users is a file of users with hashed tokens.
	Users string `yaml:"users"`
}

// APIKubernetes says which tokens of the cluster are taken.
type APIKubernetes struct {
	// Enabled is on where there is a cluster.
	Enabled *bool `yaml:"enabled"`
	// Audience is what a token has to be for.
	Audience string `yaml:"audience"`
}

// OIDC is an OpenID Connect provider. The fields mean what the flags of the same
// names mean to kube-apiserver, so that a person has one name on both doors.
type OIDC struct {
	IssuerURL      string `yaml:"issuerURL"`
	ClientID       string `yaml:"clientID"`
	UsernameClaim  string `yaml:"usernameClaim"`
	UsernamePrefix string `yaml:"usernamePrefix"`
	GroupsClaim    string `yaml:"groupsClaim"`
	GroupsPrefix   string `yaml:"groupsPrefix"`
	CA             string `yaml:"ca"`
}

// Ledger is the embedded store.
type Ledger struct {
	// Path is a file; empty for none.
	Path string `yaml:"path"`
}

func (c *Configuration) completeBreakGlass() {
	b := &c.BreakGlass
	or(&b.Store, StoreAuto)
	or(&b.Issuer, "mollyguard/"+c.Cluster)
	or(&b.Keys.Secret.Namespace, c.Kubernetes.Webhook.Service.Namespace)
	or(&b.Keys.Secret.Name, "mollyguard-break-glass")
	or(&b.ApprovalWindow, time.Hour)
	or(&b.DefaultDuration, 30*time.Minute)
	or(&b.MaxDuration, 4*time.Hour)
	or(&b.BindCertificates, new(true))
	or(&b.Policies.Embedded, new(true))
	or(&c.API.Address, ":9443")
	or(&c.API.Kubernetes.Enabled, new(true))
	or(&c.API.Kubernetes.Audience, "mollyguard")
	or(&c.API.OIDC.UsernameClaim, "sub")
}

const (
	minBreakGlass = time.Minute
	// maxApprovalWindow and maxUse bound what an old approval can still do.
	maxApprovalWindow = 24 * time.Hour
	maxUse            = 24 * time.Hour
)

func (c *Configuration) validateBreakGlass(p *problems) {
	b := c.BreakGlass
	if stores := []string{StoreAuto, StoreKubernetes, StoreLedger, StoreNone}; !slices.Contains(stores, b.Store) {
		p.add("breakGlass.store", "%q is not one of %v", b.Store, stores)
	}
	if b.Store == StoreLedger && c.Ledger.Path == "" {
		p.add("ledger.path", "missing: breakGlass.store is ledger")
	}
	if errs := validation.IsDNS1123Subdomain(b.Keys.Secret.Name); len(errs) > 0 {
		p.add("breakGlass.keys.secret.name", "%q: %s", b.Keys.Secret.Name, errs[0])
	}
	if errs := validation.IsDNS1123Label(b.Keys.Secret.Namespace); len(errs) > 0 {
		p.add("breakGlass.keys.secret.namespace", "%q: %s", b.Keys.Secret.Namespace, errs[0])
	}
	for _, d := range []struct {
		field string
		value time.Duration
		most  time.Duration
	}{
		{"approvalWindow", b.ApprovalWindow, maxApprovalWindow}, {"maxDuration", b.MaxDuration, maxUse}, {"defaultDuration", b.DefaultDuration, b.MaxDuration},
	} {
		if d.value < minBreakGlass || d.value > d.most {
			p.add("breakGlass."+d.field, "%v is not between %v and %v", d.value, minBreakGlass, d.most)
		}
	}
	for i, issuer := range b.Trust {
		field := fmt.Sprintf("breakGlass.trust[%d]", i)
		switch {
		case issuer.Issuer == "":
			p.add(field+".issuer", "missing: the name that its tokens are signed with")
		case issuer.Issuer == b.Issuer:
			p.add(field+".issuer", "%q is this server's own name", issuer.Issuer)
		}
		if (issuer.File == "") == (issuer.URL == "") {
			p.add(field, "either file or url says where its keys are")
		}
		if issuer.URL != "" {
			validateHTTPS(p, field+".url", issuer.URL)
		}
	}
	for i, person := range b.People {
		if len(person.Identities) < 2 {
			p.add(fmt.Sprintf("breakGlass.people[%d].identities", i), "lists the names of one person who has several: two or more")
		}
	}
	for _, right := range []struct {
		field   string
		members Members
	}{{"requesters", b.Rights.Requesters}, {"approvers", b.Rights.Approvers}, {"revokers", b.Rights.Revokers}} {
		validatePatterns(p, "breakGlass.rights."+right.field+".users", right.members.Users)
		validatePatterns(p, "breakGlass.rights."+right.field+".groups", right.members.Groups)
	}
	validateDirectories(p, "breakGlass.policies.directories", b.Policies.Directories)
	if !*b.Policies.Embedded && len(b.Policies.Directories) == 0 {
		p.add("breakGlass.policies", "no policies: embedded is false and there are no directories")
	}
	validateValue(p, "breakGlass.policies.config", b.Policies.Config)
	c.validateAPI(p)
}

func (c *Configuration) validateAPI(p *problems) {
	if _, _, err := net.SplitHostPort(c.API.Address); err != nil {
		p.add("api.address", "%v: expected HOST:PORT or :PORT", err)
	}
	if c.API.URL != "" {
		validateHTTPS(p, "api.url", c.API.URL)
	}
	if oidc := c.API.OIDC; oidc.IssuerURL != "" {
		validateHTTPS(p, "api.oidc.issuerURL", oidc.IssuerURL)
		if oidc.ClientID == "" {
			p.add("api.oidc.clientID", "missing: tokens for other clients must not be taken")
		}
	} else if oidc.ClientID != "" {
		p.add("api.oidc.issuerURL", "missing, though api.oidc.clientID is set")
	}
}

func validateHTTPS(p *problems, field, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		p.add(field, "%v", err)
	case u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		p.add(field, "%q is not of the form https://HOST/…", text)
	}
}

func validateDirectories(p *problems, field string, directories []string) {
	for i, directory := range directories {
		if info, err := os.Stat(directory); err != nil {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%v (it must be there where this file is read)", err)
		} else if !info.IsDir() {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%s is not a directory", directory)
		}
	}
}
