package breakglass_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// pipeline is what brings a person's token.
func pipeline() operation.Actor {
	return machine("ci@prod-shop.iam.gserviceaccount.com", operation.Service)
}

// planProposal asks for leave to apply aPlan, naming what it destroys if that is little.
func planProposal(objects int) breakglass.Proposal {
	var targets []operation.Reference
	for i := range objects {
		if objects <= breakglass.MaxNamed {
			targets = append(targets, database(fmt.Sprintf("orders-%d", i)))
		}
	}
	return breakglass.Proposal{Scope: planned(objects, targets...), Reason: "the old shop goes", Ticket: "OPS-7"}
}

// use takes the use of a plan's grant and says what came of it.
func (o *office) use(actor operation.Actor, token operation.Secret, plan operation.Reference, decision string) string {
	o.Helper()
	_, err := o.UsePlan(o.Context(), actor, token, plan, decision)
	return outcome(err)
}

func TestAPlanIsUsedOnceWhoeverBringsTheToken(t *testing.T) {
	for _, tt := range []struct {
		name  string
		trust bool
	}{{"issued here", false}, {"issued by a desk that is trusted", true}} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			issuer := o
			if tt.trust {
				issuer, o = twoOffices(t, nil)
			}
			id, token := issuer.token(planProposal(300))
			o.same("", passed, o.use(pipeline(), token, aPlan, "01DECISION1"))
			o.same("", passed, o.use(pipeline(), token, aPlan, "01DECISION1")) // an answer that was lost on the way
			o.same(id, "ID: used already at 2026-11-21T03:00:00Z for 01DECISION1", o.use(pipeline(), token, aPlan, "01DECISION2"))
			o.same(id, "ID: used already at 2026-11-21T03:00:00Z for 01DECISION1", o.use(person(bob), token, aPlan, "01DECISION1"))
			o.clock.add(breakglass.RepeatWindow + time.Second)
			o.same(id, "ID: used already at 2026-11-21T03:00:00Z for 01DECISION1", o.use(pipeline(), token, aPlan, "01DECISION1"))

			c, err := o.store.Case(t.Context(), id)
			o.must(err)
			want := []breakglass.Use{{
				Grant: id, Target: aPlan, Verb: operation.Delete, Actor: pipeline().Name, At: opening, State: breakglass.Reserved, Decision: "01DECISION1",
			}}
			if diff := cmp.Diff(want, c.Uses); diff != "" {
				t.Errorf("uses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAUseOfAPlanIsNeverGivenBack(t *testing.T) {
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Fate = func(t testing.TB) func(context.Context, breakglass.Use) (bool, error) {
			return func(context.Context, breakglass.Use) (bool, error) {
				t.Error("somebody was asked what became of a plan")
				return false, nil
			}
		}(t)
	})
	id, token := o.token(planProposal(1))
	view, err := o.UsePlan(t.Context(), pipeline(), token, aPlan, "01DECISION1")
	o.must(err)
	o.same(id, "used: used already at 2026-11-21T03:00:00Z for 01DECISION1", string(view.Standing.State)+": "+view.Standing.Why)
	o.clock.add(10 * time.Minute)
	o.must(o.Sweep(t.Context()))
	view, err = o.View(t.Context(), id)
	o.must(err)
	if got := view.Uses[0].State; got != breakglass.Confirmed {
		t.Errorf("the use is %s, want %s", got, breakglass.Confirmed)
	}
	o.same(id, "ID: used already at 2026-11-21T03:00:00Z for 01DECISION1", o.use(pipeline(), token, aPlan, "01DECISION2"))
}

func TestAPlanIsNotOpenedByWhatIsNotForIt(t *testing.T) {
	for _, tt := range []struct {
		name string
		try  func(o *office, id string, token operation.Secret) string
		want string
	}{
		{"another plan", func(o *office, _ string, token operation.Secret) string {
			return o.use(pipeline(), token, anotherPlan, "01DECISION1")
		},
			"ID: it is for the plan " + aPlan.Ref + ", this one is " + anotherPlan.Ref + ": a plan that was made again is another"},
		{"what is no plan", func(o *office, _ string, token operation.Secret) string {
			return o.use(pipeline(), token, web, "01DECISION1")
		},
			"plan: " + web.Ref + " is not the canonical name of a Terraform plan: expected plan://sha256:DIGEST"},
		{"no decision", func(o *office, _ string, token operation.Secret) string { return o.use(pipeline(), token, aPlan, " ") },
			"decision: the id of what the grant is used for is missing, or longer than 128 bytes"},
		{"a grant for an object", func(o *office, _ string, _ operation.Secret) string {
			_, other := o.token(proposal(web))
			return o.use(pipeline(), other, aPlan, "01DECISION1")[len("bg-xxxx-xxxx: "):]
		}, "it is for kubernetes, not for a Terraform plan"},
		{"what is no token", func(o *office, _ string, _ operation.Secret) string {
			return o.use(pipeline(), operation.NewSecret("x"), aPlan, "01DECISION1")
		}, "it is not of the form header.payload.signature in base64url"},
		{"one that was revoked", func(o *office, id string, token operation.Secret) string {
			o.judge(alice, id, breakglass.Revoke)
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "ID: revoked by alice@example.com at 2026-11-21T03:00:00Z: seen it"},
		{"one that was used and revoked, again", func(o *office, id string, token operation.Secret) string {
			o.same("", passed, o.use(pipeline(), token, aPlan, "01DECISION1"))
			o.judge(alice, id, breakglass.Revoke)
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "ID: revoked by alice@example.com at 2026-11-21T03:00:00Z: seen it (after 1 of 1 uses)"},
		{"one that has expired", func(o *office, _ string, token operation.Secret) string {
			o.clock.add(31 * time.Minute)
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "it expired at 2026-11-21T03:30:00Z"},
		{"one whose approver may not approve any more", func(o *office, _ string, token operation.Secret) string {
			o.rights.take(breakglass.RightApprove, bob, true)
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "ID: void: 0 of 1 approvals; the approval of bob@example.com does not count: bob@example.com may not approve"},
		{"one that policy forbids to use", func(o *office, _ string, token operation.Secret) string {
			o.rules = func(q breakglass.Question) (breakglass.Answer, error) {
				if q.Stage == breakglass.StageUse {
					return breakglass.Answer{Approvals: 1, Refused: []string{"there is a freeze"}}, nil
				}
				return breakglass.Answer{Approvals: 1}, nil
			}
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "ID: void: there is a freeze"},
		{"a store that is down", func(o *office, _ string, token operation.Secret) string {
			o.store.fail["CreateUse"] = errDown
			return o.use(pipeline(), token, aPlan, "01DECISION1")
		}, "undecided: take the use of ID: the disk is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			id, token := o.token(planProposal(1))
			o.same(id, tt.want, tt.try(o, id, token))
		})
	}
}

func TestATokenForAnotherPlaceOpensNoPlanHere(t *testing.T) {
	hub, here := twoOffices(t, func(options *breakglass.DeskOptions) { options.Audience = "staging" })
	p := planProposal(1)
	p.Scope.Audience = ""
	_, token := hub.token(p)
	here.same("", "the token is for staging, this is prod-eu", here.use(pipeline(), token, aPlan, "01DECISION1"))
}

func TestOfAllWhoBringOneTokenAtOnceOneGetsThrough(t *testing.T) {
	o := newOffice(t, nil)
	_, token := o.token(planProposal(1))
	const callers = 16
	through := make([]bool, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			_, err := o.another(nil).UsePlan(t.Context(), pipeline(), token, aPlan, "01DECISION"+string(rune('A'+i)))
			through[i] = err == nil
		})
	}
	group.Wait()
	count := 0
	for _, ok := range through {
		if ok {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d got through, want one", count)
	}
}

func TestWhoUsedAPlanIsInTheRecord(t *testing.T) {
	o := newOffice(t, nil)
	id, token := o.token(planProposal(1))
	o.same("", passed, o.use(pipeline(), token, aPlan, "01DECISION1"))
	got := o.notes.events[len(o.notes.events)-1]
	want := breakglass.Event{
		ID: got.ID, Time: opening, Event: breakglass.EventUsed, Grant: id, Actor: pipeline().Identity,
		Verbs: []operation.Verb{operation.Delete, operation.Replace}, Targets: []operation.Reference{aPlan}, Decision: "01DECISION1",
		Text: "the plan may be applied once, by leave for alice@example.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestARequestCanAskForMoreApprovalsThanPoliciesDo(t *testing.T) {
	for _, tt := range []struct {
		name             string
		asked, by, needs int
	}{
		{"fewer than policies", 1, 2, 2},
		{"none of its own", 0, 1, 1},
		{"more than policies", 2, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			o.rules = approvals(tt.by)
			p := planProposal(1)
			p.Approvals = tt.asked
			id := o.ask(p)
			view := o.judge(bob, id, breakglass.Approve)
			if tt.needs == 2 {
				if view.Grant != nil || view.Standing.Needed != 2 {
					t.Fatalf("after one approval: %+v", view.Standing)
				}
				view = o.judge(carol, id, breakglass.Approve)
			}
			if view.Grant == nil || len(view.Grant.Approvers) != tt.needs {
				t.Errorf("granted by %+v, want %d", view.Grant, tt.needs)
			}
		})
	}
	o := newOffice(t, nil)
	p := planProposal(1)
	p.Approvals = breakglass.MaxApprovals + 1
	_, err := o.Request(t.Context(), person(alice), p)
	o.same("", "approvals: 17 is not between 0 and 16", outcome(err))
}

func TestAPlanIsAssessedAsAWhole(t *testing.T) {
	var asked []operation.Reference
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Assess = func(_ context.Context, _ operation.Actor, _ operation.Verb, target operation.Reference) ([]operation.Violation, error) {
			asked = append(asked, target)
			return nil, nil
		}
	})
	p := planProposal(1)
	p.Scope.Verbs = []operation.Verb{operation.Delete}
	o.ask(p)
	if diff := cmp.Diff([]operation.Reference{aPlan}, asked); diff != "" {
		t.Errorf("asked about (-want +got):\n%s", diff)
	}
}
