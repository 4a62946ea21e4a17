package main

import (
	"path"
	"slices"

	"github.com/mollyguard/mollyguard/tfplan"
)

// replacedTypes are the types, sorted, of which own rules say that the built-in ones do not
// count. rules begin with those.
func replacedTypes(rules []tfplan.Rules) ([]string, error) {
	embedded, err := tfplan.EmbeddedRules()
	if err != nil {
		return nil, err
	}
	var known, replaced []string
	for _, file := range embedded {
		for _, rule := range file.Types {
			known = append(known, rule.Types...)
		}
	}
	for _, file := range rules[min(len(embedded), len(rules)):] {
		for _, rule := range file.Types {
			if !rule.Replace {
				continue
			}
			for _, name := range rule.Types {
				// Types are letters, digits and underscores, and "*" is any of them.
				if slices.ContainsFunc(known, func(other string) bool {
					ours, _ := path.Match(name, other)
					theirs, _ := path.Match(other, name)
					return ours || theirs
				}) {
					replaced = append(replaced, name)
				}
			}
		}
	}
	slices.Sort(replaced)
	return slices.Compact(replaced), nil
}
