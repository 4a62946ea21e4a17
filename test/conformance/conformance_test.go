// Package conformance lets a cluster live, once without Mollyguard and once with it,
// and compares: the same is there in the end, nobody was refused, and nobody asked
// Mollyguard who had no reason to. The control plane is real; nodes, the scheduler
// and a storage driver are played, by their own users.
package conformance

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/test/server"
)

// WorkloadsVariable says how many workloads there are; usually, there are few.
const WorkloadsVariable = "MOLLYGUARD_WORKLOADS"

const usualWorkloads = 20

func TestAClusterLivesWithMollyguardAsItDoesWithoutIt(t *testing.T) {
	workloads := usualWorkloads
	if text := os.Getenv(WorkloadsVariable); text != "" {
		var err error
		if workloads, err = strconv.Atoi(text); err != nil || workloads < 1 {
			t.Fatalf("%s=%q is not a number of workloads", WorkloadsVariable, text)
		}
	}
	without, with := &lived{workloads: workloads}, &lived{workloads: workloads}
	// Most of a life is waiting, so they live at the same time.
	if !t.Run("lives", func(t *testing.T) {
		t.Run("without", func(t *testing.T) { t.Parallel(); without.run(t, false) })
		t.Run("with", func(t *testing.T) { t.Parallel(); with.run(t, true) })
	}) {
		return
	}
	if without.state == nil || with.state == nil {
		t.Skip("there is no control plane")
	}
	if diff := cmp.Diff(without.state, with.state); diff != "" {
		t.Errorf("in the end there is something else (-without +with):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), refusals(with.requests)); diff != "" {
		t.Errorf("somebody was refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), needless(with.decisions)); diff != "" {
		t.Errorf("Mollyguard was asked by whom it does not concern (-want +got):\n%s", diff)
	}
	if got := total(with.measured.calls()); got == 0 || got != len(with.decisions) {
		t.Errorf("the API server called %d times, and there are %d decisions: want as many, and some", got, len(with.decisions))
	}
	t.Log("\n" + report(without, with))
}

// lived is what a life leaves.
type lived struct {
	workloads int
	state     state
	pods      int
	took      time.Duration
	// requests were made while it lived; own are Mollyguard's meanwhile, by kind.
	requests []auditv1.Event
	own      map[string]int
	// measured is what it made the API server do, decisions are those in its log.
	measured  measured
	decisions []operation.Decision
}

// run starts a cluster and lets it live.
func (r *lived) run(t *testing.T, guarded bool) {
	l := newLife(t)
	if guarded {
		l.guard(t)
	}
	ctx, stop := context.WithCancel(t.Context())
	machinery, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() {
		stop()
		if err := machinery.Wait(); err != nil {
			t.Errorf("the cluster's machinery stopped: %v", err)
		}
	})
	machinery.Go(func() error { return l.schedule(ctx) })
	machinery.Go(func() error { return l.provision(ctx) })
	if err := l.startNodes(ctx, machinery); err != nil {
		t.Fatal(err)
	}
	before := r.look(t, l)
	start := time.Now()
	if err := l.live(ctx, towns(r.workloads)); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.state, err = l.settled(ctx); err != nil {
		t.Fatal(err)
	}
	r.took = time.Since(start)
	if r.pods, err = l.readyPods(ctx); err != nil {
		t.Fatal(err)
	}
	after := r.look(t, l)
	r.requests = finished(after.events[len(before.events):])
	r.own = map[string]int{}
	for _, e := range after.events[len(before.events):] {
		if e.User.Username == mollyguard {
			r.own[kindOf(&e)]++
		}
	}
	r.measured = after.measured.since(before.measured)
	r.decisions = after.decisions[len(before.decisions):]
	if guarded {
		refuseOrdinaryWork(t, l)
	}
}

// seen is what can be seen of a life at one time.
type seen struct {
	events    []auditv1.Event
	measured  measured
	decisions []operation.Decision
}

func (r *lived) look(t *testing.T, l *life) seen {
	t.Helper()
	var s seen
	var err error
	if s.events, err = l.Audit(); err != nil {
		t.Fatal(err)
	}
	if s.measured, err = l.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.server == nil {
		return s
	}
	if s.decisions, err = l.server.Decisions(); err != nil {
		t.Fatal(err)
	}
	return s
}

// binary is the mollyguard to run.
func binary(t *testing.T) string {
	t.Helper()
	path, err := server.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}
