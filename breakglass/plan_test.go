package breakglass_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// aPlan is a Terraform plan, anotherPlan one that was made again.
var (
	aPlan       = operation.PlanReference(strings.Repeat("ab12cd34", 8))
	anotherPlan = operation.PlanReference(strings.Repeat("0", 64))
)

// database is what a plan destroys.
func database(name string) operation.Reference {
	return breakglass.PlanTarget(operation.GCPRef("sqladmin.googleapis.com", "projects/prod-shop/instances/"+name))
}

// planned is leave for a plan with so many refused operations.
func planned(objects int, targets ...operation.Reference) breakglass.Scope {
	return breakglass.Scope{
		Surface: operation.Terraform, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete, operation.Replace},
		Targets: append([]operation.Reference{aPlan}, targets...), Objects: objects,
	}
}

// whole is leave for what policies hold against the plan as a whole, too.
func whole(s breakglass.Scope) breakglass.Scope {
	s.Whole = true
	return s
}

// kubernetesScope is leave for no plan.
func kubernetesScope() breakglass.Scope {
	s := planned(1)
	s.Surface, s.Targets = operation.Kubernetes, []operation.Reference{web}
	return s
}

// refusal is a decision that refuses something a plan does.
func refusal(verb operation.Verb, target operation.Reference, approvals int) operation.Decision {
	return operation.Decision{
		Surface: operation.Terraform, Verb: verb, Outcome: operation.OutcomeDeny, Target: target,
		Violations: []operation.Violation{
			{Policy: "production-delete", Enforcement: operation.EnforceDeny, BreakGlass: operation.BreakGlass{Approvals: approvals}},
			{Policy: "created-unprotected", Enforcement: operation.EnforceWarn, BreakGlass: operation.BreakGlass{Approvals: 9}},
		},
	}
}

func TestWhatAPlanNeedsIsAllThatWasRefusedOfIt(t *testing.T) {
	needs := breakglass.PlanNeeds{Plan: aPlan}
	both := refusal(operation.Unprotect, database("users"), 1)
	both.Also = []operation.Verb{operation.Delete}
	never := refusal(operation.Delete, database("users"), 0)
	never.Violations[0].Policy, never.Violations[0].BreakGlass = "frozen", operation.BreakGlass{Never: true}
	for _, d := range []operation.Decision{
		refusal(operation.Delete, aPlan, 1),
		refusal(operation.Delete, database("orders"), 2),
		refusal(operation.Replace, database("orders"), 1),
		{Surface: operation.Terraform, Verb: operation.Forget, Outcome: operation.OutcomeWarn, Target: database("logs")},
		both, never,
		{Surface: operation.Terraform, Verb: operation.Empty, Outcome: operation.OutcomeUndecided, Target: database("lost"), Error: "out of time"},
	} {
		needs.Add(d)
	}
	want := breakglass.PlanNeeds{
		Plan: aPlan, Denied: 6, Verbs: []operation.Verb{operation.Delete, operation.Replace, operation.Unprotect, operation.Empty},
		Targets: []string{database("orders").Ref, database("users").Ref, database("lost").Ref}, Whole: true, Approvals: 2, Never: "frozen",
	}
	if diff := cmp.Diff(want, needs); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

func TestAGrantCoversThePlanThatItNamesAndNoMoreOfItThanWasApproved(t *testing.T) {
	orders, users := database("orders"), database("users")
	needs := func(decisions ...operation.Decision) breakglass.PlanNeeds {
		n := breakglass.PlanNeeds{Plan: aPlan}
		for _, d := range decisions {
			n.Add(d)
		}
		return n
	}
	elsewhere := needs(refusal(operation.Delete, orders, 1))
	elsewhere.Plan = anotherPlan
	never := needs(refusal(operation.Delete, orders, 1))
	never.Never = "frozen"
	var many []operation.Decision
	for i := range breakglass.MaxTargets + 5 {
		many = append(many, refusal(operation.Delete, database(strings.Repeat("x", i+1)), 1))
	}
	kubernetes := kubernetesScope()

	for _, tt := range []struct {
		name  string
		scope breakglass.Scope
		needs breakglass.PlanNeeds
		want  string
	}{
		{"a plan of which nothing is refused", planned(1), needs(), passed},
		{"as many as were approved", planned(2), needs(refusal(operation.Delete, orders, 1), refusal(operation.Replace, users, 1)), passed},
		{
			"one more than was approved", planned(1), needs(refusal(operation.Delete, orders, 1), refusal(operation.Delete, users, 1)),
			"ID: 2 operations of the plan are refused, it is for 1",
		},
		{"what it names", planned(1, orders), needs(refusal(operation.Delete, orders, 1)), passed},
		{"what it names, for two reasons", planned(1, orders), needs(refusal(operation.Delete, orders, 1), refusal(operation.Replace, orders, 1)), passed},
		{"the plan as a whole, beside what it names", whole(planned(2, orders)), needs(refusal(operation.Delete, aPlan, 1), refusal(operation.Delete, orders, 1)), passed},
		{"the plan as a whole, beside many", whole(planned(14)), needs(refusal(operation.Delete, aPlan, 1), refusal(operation.Delete, orders, 1)), passed},
		{"the plan as a whole alone", whole(planned(1)), needs(refusal(operation.Delete, aPlan, 1)), passed},
		{
			"the plan as a whole, which was not asked for", planned(2, orders), needs(refusal(operation.Delete, aPlan, 1), refusal(operation.Delete, orders, 1)),
			"ID: it is not for the plan as a whole, which a policy refuses, too",
		},
		{
			"one operation, by leave for the plan as a whole", whole(planned(1)), needs(refusal(operation.Delete, orders, 1)),
			"ID: it is for what a policy holds against the plan as a whole, and not for gcp://sqladmin.googleapis.com/projects/prod-shop/instances/orders",
		},
		{
			"what it does not name", planned(5, orders), needs(refusal(operation.Delete, users, 1)),
			"ID: it does not name gcp://sqladmin.googleapis.com/projects/prod-shop/instances/users",
		},
		{"more than it could name", planned(breakglass.MaxPlanned, orders), needs(many...), "ID: it does not name gcp://sqladmin.googleapis.com/projects/prod-shop/instances/x"},
		{"many, counted", planned(breakglass.MaxPlanned), needs(many...), passed},
		{
			"another verb", planned(1), needs(refusal(operation.Forget, orders, 1)),
			"ID: it is for delete, replace, not for forget",
		},
		{
			"another plan", planned(1), elsewhere,
			"ID: it is for the plan " + aPlan.Ref + ", this one is " + anotherPlan.Ref + ": a plan that was made again is another",
		},
		{"too few approvals", planned(1), needs(refusal(operation.Delete, orders, 2)), "ID: 1 of the 2 approvals that a policy asks for"},
		{"what nothing lifts", planned(1), never, "ID: nobody gets through policy frozen"},
		{"a grant for a cluster", kubernetes, needs(), "ID: it is for kubernetes, not for a Terraform plan"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := breakglass.Grant{ID: "ID", Scope: tt.scope, Approvers: []string{bob}}
			if diff := cmp.Diff(tt.want, outcome(g.CoversPlan(tt.needs))); diff != "" {
				t.Errorf("covers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScopeForAPlanNamesOnePlanFirst(t *testing.T) {
	misnamed := aPlan
	misnamed.Name = "harmless"
	for _, tt := range []struct {
		name  string
		scope breakglass.Scope
		want  string
	}{
		{"the plan alone", planned(1), ""},
		{"the plan, with rights that it gives to who applies it", func() breakglass.Scope {
			s := planned(1)
			s.Verbs = []operation.Verb{operation.Update}
			return s
		}(), ""},
		{"the plan, and what it destroys on any surface", planned(3, database("orders"), breakglass.PlanTarget(web.Ref), breakglass.PlanTarget("terraform://l-1/aws_instance.a[\"x/y\"]"), breakglass.PlanTarget("aws://arn:aws:rds:eu-west-1:1:db:a")), ""},
		{"the plan as a whole", whole(planned(1)), ""},
		{"another object's name", planned(1, operation.Reference{Ref: database("orders").Ref, Name: "scratch-orders"}),
			"scope.targets[1]: " + database("orders").Ref + " is not called scratch-orders: of what a plan destroys the canonical name counts, name and namespace are as in it, and there is no kind"},
		{"a kind, which nothing holds to the object", planned(1, operation.Reference{Ref: database("orders").Ref, Kind: "TestFixture", Name: "orders"}),
			"scope.targets[1]: " + database("orders").Ref + " is not called TestFixture orders: of what a plan destroys the canonical name counts, name and namespace are as in it, and there is no kind"},
		{"an address under another name", planned(1, operation.Reference{Ref: "terraform://l-1/aws_db_instance.orders", Name: "orders"}),
			"scope.targets[1]: terraform://l-1/aws_db_instance.orders is not called orders: of what a plan destroys the canonical name counts, name and namespace are as in it, and there is no kind"},
		{"what is no canonical name", planned(1, operation.Reference{Ref: "orders", Name: "orders"}),
			"scope.targets[1]: orders is not called orders: of what a plan destroys the canonical name counts, name and namespace are as in it, and there is no kind"},
		{"a cluster's object as a whole", whole(kubernetesScope()), "scope.whole: only of a Terraform plan"},
		{"as much as a plan can do", planned(breakglass.MaxPlanned), ""},
		{"more than that", planned(breakglass.MaxPlanned + 1), "scope.objects: 100001 is not between 1 and 100000"},
		{"no plan", breakglass.Scope{Surface: operation.Terraform, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{web}, Objects: 1},
			"scope.targets[0]: " + web.Ref + " is not the canonical name of a Terraform plan: expected plan://sha256:DIGEST"},
		{"a plan under another name", breakglass.Scope{Surface: operation.Terraform, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{misnamed}, Objects: 1},
			"scope.targets[0]: " + aPlan.Ref + " is not the canonical name of a Terraform plan: expected plan://sha256:DIGEST"},
		{"two plans", planned(1, anotherPlan), "scope.targets[1]: a second plan: a grant is for one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := breakglass.Request{ID: "bg-k7m4-q9tx", Requester: person(alice), Subject: alice, Scope: tt.scope, Reason: "r", Duration: breakglass.MinDuration}
			got := ""
			if err := r.Check(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
