package config

import (
	"fmt"
	"slices"
	"time"
)

// Terraform is about the guard of Terraform plans.
type Terraform struct {
	// Audience is what tokens for plans are for: what the server that issues them calls
	// its cluster.
	Audience string `yaml:"audience"`
	// Rules are files with own rules of what resources are and what disarms them. They
	// add to the built-in ones.
	Rules []string `yaml:"rules"`
	// Clusters say which cluster the objects of Kubernetes providers are in; the first
	// that fits counts, and Configuration.Cluster where none does.
	Clusters []TerraformCluster `yaml:"clusters"`
	// Appliers are further names by which IAM knows who applies plans.
	Appliers []string `yaml:"appliers"`
	// MaxDestroys and MaxShare, in percent of the state, are how much a plan may destroy
	// before the policy plan-at-large wants a grant, whatever it is; 0 is any.
	MaxDestroys *int `yaml:"maxDestroys"`
	MaxShare    *int `yaml:"maxShare"`
	// BaseBranch is the branch that plans are made for; empty for the main one.
	BaseBranch string           `yaml:"baseBranch"`
	Receipts   TerraformReceipt `yaml:"receipts"`
}

// TerraformCluster names the cluster of Kubernetes objects. All that is set has to fit.
type TerraformCluster struct {
	Name string `yaml:"name"`
	// Addresses are patterns for addresses of resources, Contexts for the provider's
	// config_context and Hosts for its host.
	Addresses []string `yaml:"addresses"`
	Contexts  []string `yaml:"contexts"`
	Hosts     []string `yaml:"hosts"`
}

// TerraformReceipt is about the receipts that pin a decision to a plan.
type TerraformReceipt struct {
	// Key is a PEM file with the Ed25519 private key that receipts are signed with.
	Key string `yaml:"key"`
	// PublicKeys are PEM files, or JWK sets: with one, only receipts that are signed
	// with one of these keys are good.
	PublicKeys []string `yaml:"publicKeys"`
	// Lifetime is how long after the check a plan may be applied.
	Lifetime time.Duration `yaml:"lifetime"`
	// Require is what a receipt has to pin: none is written, and none is good, that does
	// not.
	Require []string `yaml:"require"`
}

// What a receipt may have to pin.
const (
	// RequireState is the state that the plan was made of.
	RequireState = "state"
	// RequireGit is the commit, and the head of the base branch.
	RequireGit = "git"
	// RequireFile is the plan file, and not its JSON alone.
	RequireFile = "file"
)

const (
	// defaultMaxDestroys is what kubernetes.massChange allows too.
	defaultMaxDestroys = defaultMassLimit
	// defaultMaxShare is above what a refactoring of one service out of a dozen takes,
	// and below what the wrong workspace or an empty configuration does.
	defaultMaxShare = 25

	// defaultReceiptLifetime is a working day with a night: a plan that was checked in
	// the evening can be applied in the morning.
	defaultReceiptLifetime = 24 * time.Hour
	minReceiptLifetime     = time.Minute
	// maxReceiptLifetime is that of a token.
	maxReceiptLifetime = 7 * 24 * time.Hour
)

// productionWorkspace matches names of workspaces of which production, prod or live is a
// part by itself: prod, shop-prod, live.eu; not product, nor preprod.
const productionWorkspace = `(?i)(?:.*[-_./])?(?:production|prod|live)(?:[-_./].*)?`

func (c *Configuration) completeTerraform() {
	if c.Production.Workspaces == nil {
		c.Production.Workspaces = []string{productionWorkspace}
	}
	t := &c.Terraform
	or(&t.Audience, c.Cluster)
	or(&t.MaxDestroys, new(defaultMaxDestroys))
	or(&t.MaxShare, new(defaultMaxShare))
	or(&t.Receipts.Lifetime, defaultReceiptLifetime)
}

func (t Terraform) validate(p *problems) {
	if *t.MaxDestroys < 0 {
		p.add("terraform.maxDestroys", "%d is below 0, which is off", *t.MaxDestroys)
	}
	if *t.MaxShare < 0 || *t.MaxShare > 100 {
		p.add("terraform.maxShare", "%d is not between 0, which is off, and 100 percent", *t.MaxShare)
	}
	for i, cluster := range t.Clusters {
		field := fmt.Sprintf("terraform.clusters[%d]", i)
		if !clusterName.MatchString(cluster.Name) {
			p.add(field+".name", "%q is not a name of 1 to 100 letters, digits, dots, dashes and underscores", cluster.Name)
		}
		validatePatterns(p, field+".addresses", cluster.Addresses)
		validatePatterns(p, field+".contexts", cluster.Contexts)
		validatePatterns(p, field+".hosts", cluster.Hosts)
	}
	for i, name := range t.Appliers {
		if name == "" {
			p.add(fmt.Sprintf("terraform.appliers[%d]", i), "empty")
		}
	}
	for i, what := range t.Receipts.Require {
		field := fmt.Sprintf("terraform.receipts.require[%d]", i)
		switch {
		case what != RequireState && what != RequireGit && what != RequireFile:
			p.add(field, "%q is none of %s, %s and %s", what, RequireState, RequireGit, RequireFile)
		case slices.Contains(t.Receipts.Require[:i], what):
			p.add(field, "%s is there twice", what)
		}
	}
	if l := t.Receipts.Lifetime; l < minReceiptLifetime || l > maxReceiptLifetime {
		p.add("terraform.receipts.lifetime", "%v is not between %v and %v", l, minReceiptLifetime, maxReceiptLifetime)
	}
}
