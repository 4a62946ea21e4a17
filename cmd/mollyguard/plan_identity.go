package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/applier"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

const (
	// planFact begins the names of facts on the applier that a plan tells, not the
	// environment: whom its providers act as.
	planFact = "provider "
	// maxPlanFacts caps them: a receipt holds 64 facts, and the environment tells about 20.
	maxPlanFacts = 32
	// maxPlanFact caps a name and a value in bytes: the longest, ARNs, have less.
	maxPlanFact = 512
)

// planFacts are the identities that providers take on, as far as the configuration says so
// in constants. What is computed is not in a plan.
func planFacts(head tfplan.Head) map[string]string {
	facts := map[string]string{}
	for key, constants := range head.Providers {
		for argument, called := range map[string]string{"impersonate_service_account": "impersonation", "role_arn": "role"} {
			if as := constants[argument]; as != "" {
				name := operation.Clip(operation.Printable(planFact+key+" "+called), maxPlanFact)
				facts[name] = operation.Clip(operation.Printable(as), maxPlanFact)
			}
		}
	}
	if len(facts) <= maxPlanFacts {
		return facts
	}
	// The rest counts as one: that it is another shows all the same.
	names := slices.Sorted(maps.Keys(facts))
	rest, sum := names[maxPlanFacts-1:], sha256.New()
	for _, name := range rest {
		fmt.Fprintf(sum, "%q %q\n", name, facts[name])
		delete(facts, name)
	}
	facts[planFact+"(others)"] = fmt.Sprintf("%d, sha256:%s", len(rest), hex.EncodeToString(sum.Sum(nil)[:6]))
	return facts
}

// planIdentities are the names by which policies could know the identities that providers
// take on.
func planIdentities(head tfplan.Head) []string {
	names := map[string]bool{}
	for _, constants := range head.Providers {
		for _, argument := range []string{"impersonate_service_account", "role_arn"} {
			if as := constants[argument]; as != "" {
				for _, name := range applier.NamesOf(as) {
					names[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// withPlanFacts are the facts on the applier, with those of a plan.
func withPlanFacts(a receipt.Applier, facts map[string]string) receipt.Applier {
	all := maps.Clone(a.Facts)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, facts)
	a.Facts = all
	return a
}

// pinnedFacts are the facts of a receipt that the plan tells. They need not be looked at
// again: the plan is compared as a whole.
func pinnedFacts(r receipt.Receipt) map[string]string {
	facts := maps.Clone(r.Applier.Facts)
	maps.DeleteFunc(facts, func(name, _ string) bool { return !strings.HasPrefix(name, planFact) })
	return facts
}
