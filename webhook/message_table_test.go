package webhook

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestARefusalShowsWhatDependsOnTheTarget(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	decision := func(dependents []operation.Dependents, volumes ...operation.Volume) operation.Decision {
		var because []string
		for _, d := range dependents {
			if d.Production > 0 {
				kind := d.Kind
				if d.Production > 1 {
					kind = operation.Plural(kind)
				}
				because = append(because, fmt.Sprintf("%d production %s would go with it", d.Production, kind))
			}
		}
		return operation.Decision{
			ID: "01D", Time: at, Verb: operation.Delete, Outcome: operation.OutcomeDeny, Actor: operation.Identity{Name: "alice"},
			Target:     operation.Reference{Ref: "k8s://prod-eu/core/namespaces/shop", Kind: "Namespace", Name: "shop"},
			Production: operation.Production{Is: len(because) > 0, Because: because}, Dependents: dependents, Volumes: volumes,
			Violations: []operation.Violation{{Policy: "p", Severity: operation.High, Enforcement: operation.EnforceDeny, Message: "m"}},
		}
	}
	var kinds []operation.Dependents
	for i := range 13 {
		kinds = append(kinds, operation.Dependents{Kind: fmt.Sprintf("Kind%d", i), Via: operation.Contained, Count: i + 1, Production: i % 2, Names: []string{"x"}})
	}
	for _, tt := range []struct {
		name     string
		decision operation.Decision
		want     string
	}{
		{
			"a namespace that is not production itself",
			decision(
				[]operation.Dependents{
					{Kind: "Deployment", Via: operation.Contained, Count: 3, Production: 3, Names: []string{"api", "web", "worker"}},
					{Kind: "Pod", Via: operation.Contained, Count: 1200, Production: 12, Names: []string{"api-7d9f8b6c5d-2xk4z", "api-7d9f8b6c5d-9w8qt", "api-7d9f8b6c5d-lm2vn", "web-0", "web-1"}},
					{Kind: "HorizontalPodAutoscaler", Via: operation.Contained, Count: 1, Names: []string{"api"}},
				},
				operation.Volume{Claim: "shop/data-db-0", Name: "pv-17", ReclaimPolicy: "Delete", Production: true, Snapshot: "nightly-1120", SnapshotTime: at.Add(-9*time.Hour - time.Minute)},
				operation.Volume{Claim: "shop/cache", Name: "pv-18", ReclaimPolicy: "Retain"},
			),
			`Namespace shop touches production (3 production Deployments would go with it; 12 production Pods would go with it): delete refused

  policy    p (high): m
  with it   KIND                     VIA        COUNT  PRODUCTION  NAMES
            Deployment               contained      3           3  api, web, worker
            Pod                      contained   1200          12  api-7d9f8b6c5d-2xk4z, …
            HorizontalPodAutoscaler  contained      1           0  api
  volumes   shop/data-db-0 (pv-17, Delete), newest snapshot nightly-1120, 9h ago
            shop/cache (pv-18, Retain), newest snapshot none
  actor     alice
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`,
		},
		{
			"more kinds than are shown, those with production first",
			decision(kinds),
			`Namespace shop touches production (1 production Kind1 would go with it; 1 production Kind3 would go with it; 1 production Kind5 would go with it; and 3 more): delete refused

  policy    p (high): m
  with it   KIND    VIA        COUNT  PRODUCTION  NAMES
            Kind1   contained      2           1  x, …
            Kind3   contained      4           1  x, …
            Kind5   contained      6           1  x, …
            Kind7   contained      8           1  x, …
            Kind9   contained     10           1  x, …
            Kind11  contained     12           1  x, …
            Kind0   contained      1           0  x
            Kind2   contained      3           0  x, …
            Kind4   contained      5           0  x, …
            Kind6   contained      7           0  x, …
            and 3 more kinds
  actor     alice
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`,
		},
		{
			"volumes of which little is known",
			decision(
				nil,
				operation.Volume{Claim: "shop/pending"},
				operation.Volume{Name: "pv-19", ReclaimPolicy: "Delete"},
				operation.Volume{Claim: "shop/a", Name: "pv-20", Snapshot: "s"},
				operation.Volume{Claim: "shop/b", Name: "pv-21", ReclaimPolicy: "Delete", Snapshot: "s", SnapshotTime: at.Add(time.Minute)},
				operation.Volume{Name: "pv-22", Snapshot: "s", SnapshotTime: at.AddDate(0, 0, -40)},
				operation.Volume{Claim: "shop/c"},
			),
			`Namespace shop: delete refused

  policy    p (high): m
  volumes   shop/pending (not bound), newest snapshot none
            pv-19 (Delete), newest snapshot none
            shop/a (pv-20), newest snapshot s
            shop/b (pv-21, Delete), newest snapshot s, 0s ago
            pv-22, newest snapshot s, 40d ago
            and 1 more
  actor     alice
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`,
		},
		{
			"names that would break it",
			decision(
				[]operation.Dependents{
					{Kind: "Pod\n  next      all is well", Via: "x\ry", Count: 2, Production: 1, Names: []string{"a\x1b[2J", "b\n  decision  01X"}},
					{Kind: "Role", Via: operation.Uses, Count: 1, Names: []string{strings.Repeat("é", 200)}},
					{Kind: "Nameless", Via: operation.Uses, Count: 1},
				},
				operation.Volume{Claim: "shop/\u202ebd", Name: "pv\n", ReclaimPolicy: "\x00", Snapshot: "s\t"},
			),
			`Namespace shop touches production (1 production Pod\n  next      all is well would go with it): delete refused

  policy    p (high): m
  with it   KIND                          VIA   COUNT  PRODUCTION  NAMES
            Pod\n  next      all is well  x\ry      2           1  a\x1b[2J, b\n  decision  01X
            Role                          uses      1           0  ééééééééééé…
            Nameless                      uses      1           0
  volumes   shop/\u202ebd (pv\n, \x00), newest snapshot s\t
  actor     alice
  decision  01D
  next      check that this is the cluster and the object you mean (k8s://prod-eu/core/namespaces/shop)
            if it is, ask the owners of mollyguard on this cluster to let this one through, and give them the decision's id
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Message(tt.decision, Advice{})); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheTableFitsATerminal(t *testing.T) {
	long := strings.Repeat("w", 253)
	list := []operation.Dependents{
		{Kind: "Pod", Via: operation.Contained, Count: 100_000, Production: 99_999, Names: []string{"a", "b", long, "d", "e"}},
		{Kind: "PodDisruptionBudget", Via: operation.Contained, Count: 7, Names: []string{long}},
		{Kind: "ValidatingAdmissionPolicyBinding", Via: operation.Scheduled, Count: 7, Names: []string{"a", "b", "c", "d", "e", "f", "g"}},
	}
	for _, line := range dependentsTable(list) {
		if n := utf8.RuneCountInString(line); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestARefusalSaysWhereSnapshotsAreNotKnownAndThatDataIsTouched(t *testing.T) {
	d := operation.Decision{
		Verb: operation.Delete, Outcome: operation.OutcomeDeny, Target: operation.Reference{Kind: "Namespace", Name: "shop"},
		Production: operation.Production{Is: true, Because: []string{"volume pv-17, claim shop/data, is production"}},
		Volumes:    []operation.Volume{{Claim: "shop/data", Name: "pv-17", ReclaimPolicy: "Delete", Production: true, SnapshotsUnknown: true}},
	}
	want := `Namespace shop touches production (volume pv-17, claim shop/data, is production): delete refused

  volumes   shop/data (pv-17, Delete), newest snapshot not known`
	if got, _, _ := strings.Cut(Message(d, Advice{}), "\n  next"); got != want {
		t.Errorf("message (-want +got):\n%s", cmp.Diff(want, got))
	}
}
