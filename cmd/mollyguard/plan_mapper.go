package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/applier"
)

// newPlanMapper says what resources are, by the built-in rules and the configuration's.
func newPlanMapper(c config.Configuration, who applier.Applier) (*tfplan.Mapper, error) {
	rules, err := tfplan.EmbeddedRules()
	if err != nil {
		return nil, err
	}
	for i, path := range c.Terraform.Rules {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("terraform.rules[%d]: %w", i, err)
		}
		more, err := tfplan.ReadRules(path, data)
		if err != nil {
			return nil, err
		}
		rules = append(rules, more)
	}
	selectors, _, err := productionSelectors(c)
	if err != nil {
		return nil, err
	}
	cluster, err := planClusters(c)
	if err != nil {
		return nil, err
	}
	return tfplan.NewMapper(tfplan.MapperOptions{
		Rules: rules, Cluster: cluster, Appliers: append(who.Names(), c.Terraform.Appliers...),
		Marked: func(set map[string]string) bool {
			return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(set)) })
		},
	})
}

// planClusters says which cluster the objects of Kubernetes providers are in.
func planClusters(c config.Configuration) (func(address string, provider map[string]string) string, error) {
	type place struct {
		name                       string
		addresses, contexts, hosts []*regexp.Regexp
	}
	fits := func(patterns []*regexp.Regexp, text string) bool {
		return len(patterns) == 0 || matchesAny(patterns, text)
	}
	var places []place
	for _, cluster := range c.Terraform.Clusters {
		p := place{name: cluster.Name}
		var errs [3]error
		p.addresses, errs[0] = parsePatterns(cluster.Addresses)
		p.contexts, errs[1] = parsePatterns(cluster.Contexts)
		p.hosts, errs[2] = parsePatterns(cluster.Hosts)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return func(address string, provider map[string]string) string {
		for _, p := range places {
			if fits(p.addresses, address) && fits(p.contexts, provider["config_context"]) && fits(p.hosts, provider["host"]) {
				return p.name
			}
		}
		return c.Cluster
	}, nil
}
