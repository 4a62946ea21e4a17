package main

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

func TestWhatIsOursFollowsFromTheConfiguration(t *testing.T) {
	inside := config.Default()
	inside.Kubernetes.Webhook.Service.Namespace = "guard"
	want := webhook.Ownership{Namespace: "guard", Account: "system:serviceaccount:guard:mollyguard"}
	if diff := cmp.Diff(want, ownership(inside)); diff != "" {
		t.Error(diff)
	}
	outside := inside
	outside.Kubernetes.Webhook.URL = "https://10.0.0.1:8443"
	if diff := cmp.Diff(webhook.Ownership{}, ownership(outside)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoIsLetThroughOnKubernetes(t *testing.T) {
	c := config.Default()
	c.Kubernetes.ControlPlane = []string{"system:node:.*"}
	c.Exempt = []config.Exemption{
		{Name: "restores", Actors: []string{"system:serviceaccount:velero:.*", "velero"}},
		{Name: "images", Actors: []string{"images@example.com"}, Surfaces: []operation.Surface{operation.GCP}},
		{Name: "drains", Actors: []string{"drainer"}, Surfaces: []operation.Surface{operation.Kubernetes}},
	}
	if diff := cmp.Diff([]string{"system:serviceaccount:velero:.*", "velero", "drainer"}, exemptActors(c)); diff != "" {
		t.Error(diff)
	}
	got, err := exemptIdentities(c)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(texts ...string) []*regexp.Regexp {
		list, err := parsePatterns(texts)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := []webhook.Exempt{
		{Name: "kubernetes-control-plane", Actors: parse("system:node:.*"), ControlPlane: true},
		{Name: "restores", Actors: parse("system:serviceaccount:velero:.*", "velero")},
		{Name: "drains", Actors: parse("drainer")},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() })); diff != "" {
		t.Error(diff)
	}
	c.Exempt[0].Actors = []string{"("}
	if _, err := exemptIdentities(c); err == nil {
		t.Error("a pattern that is none is taken")
	}
}
