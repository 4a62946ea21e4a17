package main

import (
	"slices"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// planSum sums decisions up, for a receipt.
type planSum struct {
	receipt.Decision
	// lifted are the targets and ids of what grants lifted; refused those of the rest.
	refused, lifted sumList
	grants          []string
	// needs is what a grant needs for all of it.
	needs breakglass.PlanNeeds
}

type sumList struct {
	targets []operation.Reference
	ids     []string
}

// maxSum is how many targets and ids a receipt has of each.
const maxSum = 64

func (l *sumList) add(d operation.Decision) {
	if len(l.ids) < maxSum {
		l.ids = append(l.ids, d.ID)
	}
	// The plan as a whole is what a grant is for anyway.
	if d.Target.Kind != operation.PlanKind && len(l.targets) < maxSum && !slices.Contains(l.targets, d.Target) {
		l.targets = append(l.targets, d.Target)
	}
}

// add takes in one decision.
func (s *planSum) add(d operation.Decision) {
	switch {
	case d.Refused():
		s.Denied++
		s.refused.add(d)
	case d.Grant != "":
		s.Lifted++
		s.lifted.add(d)
		if !slices.Contains(s.grants, d.Grant) {
			s.grants = append(s.grants, d.Grant)
		}
	default:
		return
	}
	d.Outcome = operation.OutcomeDeny // but for the grant
	s.needs.Add(d)
	s.Verbs, s.Approvals, s.Never = s.needs.Verbs, s.needs.Approvals, s.needs.Never != ""
	s.Whole = s.needs.Whole
}

// decision is the whole sum.
func (s *planSum) decision(worst operation.Outcome) receipt.Decision {
	d := s.Decision
	d.Outcome = worst
	d.Targets = slices.Concat(s.refused.targets, s.lifted.targets)
	d.IDs = slices.Concat(s.refused.ids, s.lifted.ids)
	return d
}

// needs is what a grant has to cover according to a receipt.
func needs(r receipt.Receipt) breakglass.PlanNeeds {
	n := breakglass.PlanNeeds{
		Plan: operation.PlanReference(r.Plan.Digest), Denied: r.Decision.Denied + r.Decision.Lifted,
		Verbs: r.Decision.Verbs, Approvals: r.Decision.Approvals, Whole: r.Decision.Whole,
	}
	for _, target := range r.Decision.Targets {
		n.Targets = append(n.Targets, target.Ref)
	}
	return n
}
