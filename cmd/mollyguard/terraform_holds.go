package main

import (
	"cmp"
	"context"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
)

// holds counts what the command is about.
func (s *surgery) holds(ctx context.Context, r *judgedPlan) ([]operation.Dependents, error) {
	selectors, _, err := productionSelectors(r.config)
	if err != nil {
		return nil, err
	}
	whole := &tfplan.Whole{Plan: operation.PlanReference(r.plan.digest()), State: r.state(), Workspace: r.workspace, Head: r.head}
	kinds := map[string]*operation.Dependents{}
	for resource, err := range r.plan.document.State(ctx) {
		if err != nil {
			return nil, err
		}
		if resource.Mode == tfjson.DataResourceMode || !s.touches(resource) {
			continue
		}
		op, _, err := r.mapper.Map(&tfplan.Change{
			Kind: tfplan.Planned, Address: resource.Address, Mode: resource.Mode, Type: resource.Type, Name: resource.Name,
			Provider: resource.Provider, Deposed: resource.Deposed, Actions: tfjson.Actions{tfjson.ActionForget},
			Before: resource.Values, BeforeSensitive: resource.Sensitive,
		}, whole)
		if err != nil {
			return nil, err
		}
		production := len(op.Unknown) > 0 || slices.ContainsFunc(selectors, func(l labels.Selector) bool { return l.Matches(labels.Set(op.Target.Labels)) })
		count(kinds, op.Target, production)
	}
	var list []operation.Dependents
	for _, d := range kinds {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b operation.Dependents) int {
		return cmp.Or(cmp.Compare(b.Production, a.Production), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	return list, nil
}

const (
	// maxHeldKinds caps the kinds that are counted apart, maxHeldNames the names of each.
	maxHeldKinds = 20
	maxHeldNames = 5
)

func count(kinds map[string]*operation.Dependents, target operation.Target, production bool) {
	kind := target.Kind
	if kinds[kind] == nil && len(kinds) >= maxHeldKinds {
		kind = "resource"
	}
	d := kinds[kind]
	if d == nil {
		d = &operation.Dependents{Kind: kind, Via: operation.Contained}
		kinds[kind] = d
	}
	d.Count++
	at := len(d.Names)
	if production {
		at = min(d.Production, len(d.Names)) // production comes first
		d.Production++
	}
	d.Names = slices.Insert(d.Names, at, target.Address)
	d.Names = d.Names[:min(len(d.Names), maxHeldNames)]
}
