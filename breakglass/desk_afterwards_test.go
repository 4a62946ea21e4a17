package breakglass_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// cloudCluster is a GKE cluster, which has no uid in the audit log.
var cloudCluster = operation.Reference{
	Ref: "gcp://container.googleapis.com/projects/prod-1/locations/europe-west1/clusters/main", Kind: "Cluster", Name: "main",
}

// inCloud makes a proposal one for the cloud cluster.
func inCloud(p *breakglass.Proposal) {
	p.Scope.Surface, p.Scope.Targets = operation.GCP, []operation.Reference{cloudCluster}
}

// seen is the deletion of the cloud cluster by alice as an audit log has it.
func seen(at time.Time) *operation.Operation {
	op := deletion(cloudCluster)
	op.Surface, op.Phase, op.Time = operation.GCP, operation.Started, at
	return op
}

func TestWhatIsSeenAfterwardsIsWeighedAsOfWhenItHappened(t *testing.T) {
	for _, tt := range []struct {
		name string
		// at is when it happened, after the opening, when the grant was approved; it is
		// seen at looked.
		at, looked time.Duration
		change     func(op *operation.Operation)
		want       string
	}{
		{name: "within the window, seen at once", at: time.Minute, looked: time.Minute, want: passed},
		{name: "within the window, seen a day later", at: time.Minute, looked: 24 * time.Hour, want: passed},
		{name: "before it was approved", at: -10 * time.Minute, looked: time.Minute, want: "ID: void: 0 of 1 approvals; the approval of bob@example.com does not count: it is dated in the future"},
		{name: "after the window", at: 2 * time.Hour, looked: 2 * time.Hour, want: "ID: expired: it could be used until 2026-11-21T03:30:00Z"},
		{
			name: "a time in the future counts as now", at: 20 * time.Minute, looked: 2 * time.Hour,
			change: func(op *operation.Operation) { op.Time = opening.Add(90 * 24 * time.Hour) },
			want:   "ID: expired: it could be used until 2026-11-21T03:30:00Z",
		},
		{
			name: "a request that can still be stopped is weighed as of now, whatever time it says", at: time.Minute, looked: 2 * time.Hour,
			change: func(op *operation.Operation) { op.Phase = operation.Requested },
			want:   "ID: expired: it could be used until 2026-11-21T03:30:00Z",
		},
		{
			name: "a service account through which alice acts", at: time.Minute, looked: time.Minute,
			change: func(op *operation.Operation) {
				op.Actor = machine("terraform@prod-1.iam.gserviceaccount.com", operation.Service)
				op.Origin.Delegation = []string{"broker@prod-1.iam.gserviceaccount.com", alice}
			},
			want: passed,
		},
		{
			name: "a service account through which carol acts", at: time.Minute, looked: time.Minute,
			change: func(op *operation.Operation) {
				op.Actor = machine("terraform@prod-1.iam.gserviceaccount.com", operation.Service)
				op.Origin.Delegation = []string{carol}
			},
			want: "no grant",
		},
		{
			name: "somebody behind more identities than are looked at", at: time.Minute, looked: time.Minute,
			change: func(op *operation.Operation) {
				op.Actor = machine("a@prod-1.iam.gserviceaccount.com", operation.Service)
				op.Origin.Delegation = []string{"1@x", "2@x", "3@x", "4@x", "5@x", "6@x", "7@x", "8@x", alice}
			},
			want: "no grant",
		},
		{
			name: "another cluster", at: time.Minute, looked: time.Minute,
			change: func(op *operation.Operation) { op.Target.Ref += "-2" }, want: "no grant",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(cloudCluster)
			inCloud(&p)
			id := o.granted(p)
			op := seen(opening.Add(tt.at))
			o.clock.set(opening.Add(tt.looked))
			if tt.change != nil {
				tt.change(op)
			}
			o.same(id, tt.want, o.try(op))
		})
	}
}

func TestARevocationForbidsWhatIsDoneAfterItAndNotBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		at   time.Duration
		want string
	}{
		"before": {time.Minute, passed},
		"after":  {3 * time.Minute, "ID: revoked by bob@example.com at "},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(cloudCluster)
			inCloud(&p)
			id := o.granted(p)
			o.clock.set(opening.Add(2 * time.Minute))
			o.judge(bob, id, breakglass.Revoke)
			o.clock.set(opening.Add(5 * time.Minute))
			if got := o.try(seen(opening.Add(tt.at))); !strings.HasPrefix(strings.ReplaceAll(got, id, "ID"), tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestAnEntryThatComesAgainUsesNothingMoreUp(t *testing.T) {
	o := newOffice(t, nil)
	p := proposal(cloudCluster)
	inCloud(&p)
	id := o.granted(p)
	for _, looked := range []time.Duration{time.Minute, time.Hour, 7 * 24 * time.Hour} {
		o.clock.set(opening.Add(looked))
		o.same(id, passed, o.try(seen(opening.Add(time.Minute))))
	}
	o.same(id, "ID: used up: delete of "+cloudCluster.Ref+" at 2026-11-21T03:01:00Z", o.try(seen(opening.Add(10*time.Minute))))
}

func TestACloudTargetIsNamedInFull(t *testing.T) {
	for name, target := range map[string]operation.Reference{
		"no canonical name":            {Ref: "main", Name: "main"},
		"a name of another thing":      {Ref: cloudCluster.Ref, Name: "test"},
		"a canonical name without end": {Ref: "gcp://container.googleapis.com/projects/prod-1/", Name: "prod-1"},
		"a namespace":                  {Ref: cloudCluster.Ref, Name: "main", Namespace: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(target)
			inCloud(&p)
			p.Scope.Targets = []operation.Reference{target}
			if _, err := o.Request(t.Context(), person(alice), p); err == nil {
				t.Error("the request was taken")
			}
		})
	}
}
