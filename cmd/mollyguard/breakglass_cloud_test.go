package main

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog/mapping"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// Two clusters of two projects that are called the same.
const (
	prodA = "gcp://container.googleapis.com/projects/shop-a/locations/europe-west1/clusters/prod-eu"
	prodB = "gcp://container.googleapis.com/projects/shop-b/locations/europe-west1/clusters/prod-eu"
)

func cloudView(targets ...operation.Reference) breakglass.View {
	v := activeView()
	scope := breakglass.Scope{Surface: operation.GCP, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Targets: targets, Objects: len(targets)}
	v.Request.Scope, v.Grant.Scope = scope, scope
	v.Uses[0].Target = targets[0]
	return v
}

func TestACloudResourceIsShownByItsWholeName(t *testing.T) {
	a, b := operation.Reference{Ref: prodA, Kind: "Cluster", Name: "prod-eu"}, operation.Reference{Ref: prodB, Name: "prod-eu"}
	odd := operation.Reference{Ref: "gcp://storage.googleapis.com/prоd\x1b[2J", Name: "prod"} // Cyrillic о
	list := printed(t, func(w io.Writer) error {
		return testClock().table(w, []breakglass.View{cloudView(a), cloudView(b, a), cloudView(odd)})
	})
	want := `HANDLE         STATE    REQUESTER           WHAT                                                                                                       CLUSTER   UNTIL       AGE
bg-k7m4-q9tx   active   alice@example.com   delete gcp://container.googleapis.com/projects/shop-a/locations/europe-west1/clusters/prod-eu              prod-eu   in 25 min   10m
bg-k7m4-q9tx   active   alice@example.com   delete gcp://container.googleapis.com/projects/shop-b/locations/europe-west1/clusters/prod-eu and 1 more   prod-eu   in 25 min   10m
bg-k7m4-q9tx   active   alice@example.com   delete "gcp://storage.googleapis.com/pr\u043ed\x1b[2J"                                                     prod-eu   in 25 min   10m
`
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	shown := printed(t, func(w io.Writer) error { return testClock().details(w, cloudView(a, b), "") })
	want = `handle     bg-k7m4-q9tx
state      active
why        approved by bob@example.com, 1 of 2 left
until      2026-11-21 04:25:00 CET (in 25 min)
approvals  1 of 1: bob@example.com
requester  alice@example.com
verb       delete
targets    ` + prodA + `
           ` + prodB + `
objects    2
cluster    prod-eu
reason     shop moved to prod-us
ticket     OPS-123
how long   1 h 30 min
asked      2026-11-21 03:50:00 CET (10 min ago)
verdicts   approve by bob@example.com, 2026-11-21 03:55:00 CET (5 min ago): checked with shop
grant      from 2026-11-21 03:55:00 CET (5 min ago) to 2026-11-21 04:25:00 CET (in 25 min)
           issued by mollyguard/prod-eu, 1 of 2 objects left
           with the credential X509SHA256=ab only
uses       delete of ` + prodA + ` by alice@example.com, 2026-11-21 03:59:00 CET (1 min ago): confirmed
`
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
}

func TestWhoAsksForAndWhoApprovesCloudResourcesReadsWhichTheyAre(t *testing.T) {
	server := startDesk(t)
	out, talk, err := server.as(t, server.alice, "request", "delete", prodA, prodB, "--reason", "moved")
	if err != nil {
		t.Fatal(err)
	}
	want := `mollyguard: bg-xxxx-xxxx asks for delete ` + prodA + `, ` + prodB + `
mollyguard: somebody who may approve has to: mollyguard approve bg-xxxx-xxxx --server ` + server.URL + `
`
	if diff := cmp.Diff(want, plainHandles(talk)); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	_, talk, err = server.as(t, server.bob, "approve", aHandle.FindString(out))
	if err != nil {
		t.Fatal(err)
	}
	want = `requester  alice@example.com
verb       delete
targets    ` + prodA + `
           ` + prodB + `
objects    2
cluster    prod-eu
reason     moved
how long   30 min
asked      ` + testClock().at(atTheDesk) + `
mollyguard: approved: alice@example.com can do it until 04:30 CET, 2 times
`
	if diff := cmp.Diff(want, plainHandles(talk)); diff != "" {
		t.Errorf("approve (-want +got):\n%s", diff)
	}
}

func TestACloudResourceThatNoEntryWillNameIsRefused(t *testing.T) {
	mapper, err := mapping.New(mapping.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const zonal = "gcp://container.googleapis.com/projects/shop-a/zones/europe-west1-b/clusters/prod-eu"
	type answer struct{ Kind, Refusal string }
	for _, tt := range []struct {
		name   string
		verb   operation.Verb
		target operation.Reference
		want   answer
	}{
		{"what is known", operation.Delete, operation.Reference{Ref: prodA}, answer{Kind: "Cluster"}},
		{"and is called what it is", operation.Delete, operation.Reference{Ref: prodA, Kind: "Cluster"}, answer{Kind: "Cluster"}},
		{"and is called something else", operation.Delete, operation.Reference{Ref: prodA, Kind: "Disk\n"}, answer{"Disk\n", prodA + ` is a Cluster, not a Disk\n`}},
		{"another spelling", operation.Delete, operation.Reference{Ref: zonal},
			answer{"", zonal + ": expected gcp://container.googleapis.com/projects/shop-a/locations/europe-west1-b/clusters/prod-eu"}},
		{"an unknown service", operation.Delete, operation.Reference{Ref: "gcp://nosuch\x1b.googleapis.com/projects/p/x/y"},
			answer{"", `gcp://nosuch\x1b.googleapis.com/projects/p/x/y: no table of methods has the service nosuch\x1b.googleapis.com: an alert shows the name to ask for`}},
		{"what only its entry has named", operation.Unknown, operation.Reference{Ref: "gcp://nosuch.googleapis.com/projects/p/x/y", Kind: "nosuch"}, answer{Kind: "nosuch"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&watching{mapper: mapper}).identify(tt.verb, &tt.target)
			got := answer{Kind: tt.target.Kind}
			if refusal, ok := errors.AsType[*breakglass.Refusal](err); ok {
				got.Refusal = refusal.Reason
			} else if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAServerThatDoesNotWatchRefusesCloudResources(t *testing.T) {
	var off *watching
	_, err := off.assess(t.Context(), nil, alice(), operation.Delete, operation.Reference{Ref: prodA})
	refusal, ok := errors.AsType[*breakglass.Refusal](err)
	if want := prodA + ": this server does not watch the audit log: ask the one that does"; !ok || refusal.Reason != want {
		t.Errorf("got %v", err)
	}
}
