package main

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

func TestPlanFactsAreWhomProvidersActAs(t *testing.T) {
	head := tfplan.Head{Providers: map[string]map[string]string{
		"google":       {"project": "shop", "impersonate_service_account": "deployer@shop.iam.gserviceaccount.com"},
		"module.a:aws": {"region": "eu-west-1", "role_arn": "arn:aws:iam::123456789012:role/path/deploy"},
		"random":       {},
	}}
	want := map[string]string{
		"provider google impersonation": "deployer@shop.iam.gserviceaccount.com",
		"provider module.a:aws role":    "arn:aws:iam::123456789012:role/path/deploy",
	}
	if diff := cmp.Diff(want, planFacts(head)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	names := []string{"arn:aws:iam::123456789012:role/path/deploy", "deploy", "deployer@shop.iam.gserviceaccount.com"}
	if diff := cmp.Diff(names, planIdentities(head)); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
	environment := map[string]string{"ci": "GitLab CI"}
	pinned := withPlanFacts(receipt.Applier{Facts: environment}, planFacts(head))
	if diff := cmp.Diff(want, pinnedFacts(receipt.Receipt{Applier: pinned})); diff != "" {
		t.Errorf("facts of a receipt that the plan tells (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"ci": "GitLab CI"}, environment); diff != "" {
		t.Errorf("what the environment told was changed (-want +got):\n%s", diff)
	}
}

func TestPlanFactsOfManyProvidersFitIntoAReceiptAndDifferWhereOneDoes(t *testing.T) {
	facts := func(last string) map[string]string {
		head := tfplan.Head{Providers: map[string]map[string]string{}}
		for i := range 100 {
			head.Providers["google.p"+strconv.Itoa(i)] = map[string]string{"impersonate_service_account": "a@x"}
		}
		head.Providers["google.p99"]["impersonate_service_account"] = last
		return planFacts(head)
	}
	one, other := facts("a@x"), facts("b@x")
	if len(one) != maxPlanFacts || len(other) != maxPlanFacts {
		t.Errorf("%d and %d facts, want %d", len(one), len(other), maxPlanFacts)
	}
	if cmp.Equal(one, other) {
		t.Error("another identity makes no difference")
	}
}
