package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
)

// judgedBy are the settings that decide on plans. What it leaves out says where things are,
// who is told, and how clusters and audit logs are watched.
type judgedBy struct {
	Policies              string
	Config                map[string]any
	Production            config.Production
	Enforcement           []config.Enforcement
	Exempt                []config.Exemption
	DryRun                bool
	Cluster               string
	Agents, ControlPlane  []string
	Rules                 []string
	Clusters              []config.TerraformCluster
	Appliers              []string
	MaxDestroys, MaxShare int
}

// judgeDigest is the same for two runs only if the same policies, by the same settings, judge
// in both.
func judgeDigest(c config.Configuration) (string, error) {
	policies, err := policiesDigest(c)
	if err != nil {
		return "", err
	}
	t := c.Terraform
	by := judgedBy{
		Policies: policies, Config: c.Policies.Config, Production: c.Production, Enforcement: c.Enforcement, Exempt: c.Exempt,
		DryRun: c.DryRunEnforcement, Cluster: c.Cluster, Agents: c.Agents, ControlPlane: c.Kubernetes.ControlPlane,
		Clusters: t.Clusters, Appliers: t.Appliers, MaxDestroys: *t.MaxDestroys, MaxShare: *t.MaxShare,
	}
	for i, path := range t.Rules {
		data, err := readRegular(path, maxRulesFile)
		if err != nil {
			return "", fmt.Errorf("terraform.rules[%d]: %w", i, err)
		}
		sum := sha256.Sum256(data)
		by.Rules = append(by.Rules, hex.EncodeToString(sum[:]))
	}
	text, err := yaml.Marshal(by) // it sorts the keys of maps
	if err != nil {
		return "", fmt.Errorf("sum up what judges plans: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// policiesDigest is of the files of all policies, wherever their folders are: jobs that check
// and apply need not have them in the same place.
func policiesDigest(c config.Configuration) (string, error) {
	list := sources(c)
	for i := range list {
		list[i].Name = fmt.Sprintf("source %d", i)
	}
	return engine.Digest(list)
}
