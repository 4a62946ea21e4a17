package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/applier"
)

// maxRulesFile caps a file of rules in bytes: what tfplan.ReadRules takes, and more, so
// that it is the one to say what is wrong.
const maxRulesFile = 2 << 20

// planMapping says what resources are, by the built-in rules and the configuration's.
func planMapping(c config.Configuration, who applier.Applier) (o tfplan.MapperOptions, err error) {
	rules, err := tfplan.EmbeddedRules()
	if err != nil {
		return o, err
	}
	for i, path := range c.Terraform.Rules {
		data, err := readRegular(path, maxRulesFile)
		if err != nil {
			return o, fmt.Errorf("terraform.rules[%d]: %w", i, err)
		}
		more, err := tfplan.ReadRules(path, data)
		if err != nil {
			return o, err
		}
		rules = append(rules, more)
	}
	selectors, _, err := productionSelectors(c)
	if err != nil {
		return o, err
	}
	cluster, err := planClusters(c)
	if err != nil {
		return o, err
	}
	addresses, err := parsePatterns(c.Production.Addresses)
	if err != nil {
		return o, err
	}
	return tfplan.MapperOptions{
		Rules: rules, Cluster: cluster, Appliers: append(who.Names(), c.Terraform.Appliers...),
		Marked: func(set map[string]string) bool {
			return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(set)) })
		},
		Protected:            func(address string) bool { return matchesAny(addresses, address) },
		Own:                  planOwn(c),
		NamespaceLabelsCount: len(c.Production.NamespaceSelectors) > 0,
		ProjectsCount:        len(c.Production.Projects) > 0,
	}, nil
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
