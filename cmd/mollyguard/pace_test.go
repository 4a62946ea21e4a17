package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// always is issuing policy that says the same to everything.
type always struct {
	breakglass.Answer
	err error
}

func (a always) Judge(context.Context, breakglass.Question) (breakglass.Answer, error) {
	return a.Answer, a.err
}

func TestAPlannedMassChangeTakesAsManyApprovalsAsPoliciesWillWant(t *testing.T) {
	c := config.Default()
	c.Cluster, c.Production.WholeCluster = "prod-eu", true
	lookup := &given{}
	lookup.set(t)
	env := &surroundings{}
	counts, err := env.openPace(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{}
	if h.assembly, err = assemble(t.Context(), c, parts{lookup: lookup, recorder: discard{}, pace: counts}); err != nil {
		t.Fatal(err)
	}
	question := func(stage breakglass.Stage, surface operation.Surface, objects int) breakglass.Question {
		return breakglass.Question{Stage: stage, Request: breakglass.QuestionRequest{
			Requester: alice(), Subject: alice().Name, Surface: surface, Verbs: []operation.Verb{operation.Delete}, Objects: objects,
			Targets: []operation.Reference{target("k8s://prod-eu/apps/deployments/shop/web", "Deployment", "shop", "web", "uid-1")},
		}}
	}
	for _, tt := range []struct {
		name     string
		rules    always
		limit    int
		question breakglass.Question
		want     breakglass.Answer
		err      string
	}{
		{"as many as may be", always{}, 20, question(breakglass.StageRequest, operation.Kubernetes, 20), breakglass.Answer{}, ""},
		{"one more", always{}, 20, question(breakglass.StageRequest, operation.Kubernetes, 21), breakglass.Answer{Approvals: 2}, ""},
		{"one more, when it is issued", always{}, 20, question(breakglass.StageIssue, operation.Kubernetes, 21), breakglass.Answer{Approvals: 2}, ""},
		{"issuing policy wants more", always{Answer: breakglass.Answer{Approvals: 3}}, 20, question(breakglass.StageRequest, operation.Kubernetes, 21), breakglass.Answer{Approvals: 3}, ""},
		{
			"issuing policy refuses", always{Answer: breakglass.Answer{Refused: []string{"no"}}}, 20, question(breakglass.StageRequest, operation.Kubernetes, 21),
			breakglass.Answer{Refused: []string{"no"}, Approvals: 2}, "",
		},
		{"issuing policy cannot be asked", always{err: errors.New("boom")}, 20, question(breakglass.StageRequest, operation.Kubernetes, 21), breakglass.Answer{}, "boom"},
		{"at use the operation is judged", always{}, 20, question(breakglass.StageUse, operation.Kubernetes, 21), breakglass.Answer{}, ""},
		{"in a cloud", always{}, 20, question(breakglass.StageRequest, operation.GCP, 21), breakglass.Answer{}, ""},
		{"any number is allowed", always{}, 0, question(breakglass.StageRequest, operation.Kubernetes, 21), breakglass.Answer{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := plannedRules{tt.rules, tt.limit, h.planned}.Judge(t.Context(), tt.question)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func TestNobodyCountsWhereAnyNumberIsAllowed(t *testing.T) {
	off := config.Default()
	off.Kubernetes.MassChange.Limit = new(0)
	for _, tt := range []struct {
		name string
		c    config.Configuration
		env  *surroundings
		want bool
	}{
		{"by default", config.Default(), &surroundings{}, true},
		{"with any number allowed", off, &surroundings{}, false},
		{"where nothing can be stopped", config.Default(), &surroundings{auditOnly: true}, false},
	} {
		counts, err := tt.env.openPace(tt.c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil || (counts != nil) != tt.want || len(tt.env.run) != 0 {
			t.Errorf("%s: somebody counts: %t, %v; %d tasks without a cluster", tt.name, counts != nil, err, len(tt.env.run))
		}
	}
}

func TestTheMostThatMayBeConfiguredCanBeCounted(t *testing.T) {
	c, err := config.Parse("c.yaml", []byte("apiVersion: "+config.APIVersion+"\nkind: Configuration\nkubernetes: {massChange: {limit: 200, window: 24h}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&surroundings{}).openPace(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err != nil {
		t.Error(err)
	}
}

func TestTheMetricCountsActorsAtTheLimit(t *testing.T) {
	c := config.Default()
	c.Kubernetes.MassChange.Limit = new(1)
	registry := prometheus.NewRegistry()
	counts, err := (&surroundings{}).openPace(c, slog.New(slog.DiscardHandler), registry)
	if err != nil {
		t.Fatal(err)
	}
	counts.Count(&operation.Operation{Verb: operation.Delete, Actor: alice(), Time: time.Now()})
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "mollyguard_mass_change_actors" || families[0].GetMetric()[0].GetGauge().GetValue() != 1 {
		t.Errorf("got %v, %v", families, err)
	}
}
