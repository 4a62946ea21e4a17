package breakglass_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestOfAHundredWhoRaceAsManyPassAsTheGrantHasObjects(t *testing.T) {
	const racers = 100
	for _, objects := range []int{1, 5} {
		t.Run(fmt.Sprint(objects), func(t *testing.T) {
			o := newOffice(t, nil)
			// A request names 64 targets at most; an object under a name may have any uid.
			p := proposal(deployment("web", ""), deployment("api", ""))
			p.Scope.Objects = objects
			id := o.granted(p)
			desks := []*breakglass.Desk{o.Desk, o.another(nil)}

			outcomes := make([]string, racers)
			begin := make(chan struct{})
			var group sync.WaitGroup
			for i := range racers {
				target := deployment([]string{"web", "api"}[i/2%2], fmt.Sprint("u-", i))
				found, err := desks[i%2].Find(t.Context(), deletion(target), operation.High)
				if err != nil || len(found.Passes) != 1 {
					t.Fatalf("got %+v, %v", found, err)
				}
				group.Go(func() {
					<-begin
					outcomes[i] = outcome(found.Passes[0].Take(t.Context(), ""))
				})
			}
			close(begin)
			group.Wait()

			count := 0
			for i, got := range outcomes {
				switch {
				case got == passed:
					count++
				case !strings.HasPrefix(got, id+": used up: "):
					t.Errorf("racer %d: %s", i, got)
				}
			}
			view, err := o.View(t.Context(), id)
			o.must(err)
			if count != objects || len(view.Uses) != objects || view.Standing.State != breakglass.Used {
				t.Errorf("%d passed and %d uses are kept of %d; it is %s", count, len(view.Uses), objects, view.Standing.State)
			}
		})
	}
}

func TestTheSameThingAtTwoDesksAtOnceIsOneUse(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	desks := []*breakglass.Desk{o.Desk, o.another(nil)}
	var group sync.WaitGroup
	outcomes := make([]string, 20)
	for i := range outcomes {
		group.Go(func() { outcomes[i] = tryAt(t.Context(), desks[i%2], deletion(web)) })
	}
	group.Wait()
	for i, got := range outcomes {
		if got != passed {
			t.Errorf("caller %d: %s", i, got)
		}
	}
	if view, err := o.View(t.Context(), id); err != nil || len(view.Uses) != 1 {
		t.Errorf("got %+v, %v", view.Uses, err)
	}
}

func TestOfTwoThatFindOutWhatBecameOfAUseOneTellsIt(t *testing.T) {
	var other *breakglass.Desk
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Fate = func(ctx context.Context, _ breakglass.Use) (bool, error) { return false, other.Sweep(ctx) }
	})
	other = o.another(func(options *breakglass.DeskOptions) {
		options.Fate = func(context.Context, breakglass.Use) (bool, error) { return true, nil }
	})
	id := o.granted(proposal(web))
	o.same(id, passed, o.try(deletion(web)))
	o.clock.add(3 * time.Minute)
	o.notes.events = nil
	o.must(o.Sweep(t.Context()))
	if diff := cmp.Diff([]breakglass.EventKind{breakglass.EventConfirmed}, kindsOf(o.notes.events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAGrantIsIssuedOnceHoweverManyDesksSettleIt(t *testing.T) {
	o := newOffice(t, nil)
	id := o.ask(proposal(web))
	o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: breakglass.DoorAPI}))
	desks := []*breakglass.Desk{o.Desk, o.another(nil)}
	var group sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		group.Go(func() { _, errs[i] = desks[i%2].Settle(t.Context(), id) })
	}
	group.Wait()
	for _, err := range errs {
		o.must(err)
	}
	if diff := cmp.Diff([]breakglass.EventKind{breakglass.EventRequested, breakglass.EventIssued}, kindsOf(o.notes.events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
