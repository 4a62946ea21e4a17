package breakglass_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestWhoseApprovalDoesNotCount(t *testing.T) {
	const (
		own        = "nobody approves their own request"
		themselves = "nobody approves a grant for themselves"
	)
	for _, tt := range []struct {
		name      string
		requester string // alice, if empty
		subject   string
		approver  operation.Actor
		prepare   func(o *office)
		want      string
	}{
		{name: "the requester", approver: person(alice), want: own},
		{name: "the requester in other case", approver: person("Alice@EXAMPLE.com"), want: own},
		{name: "the requester under another of their names", approver: person("alice@corp.example.com"), want: own},
		{name: "the requester under another of their names in other case", approver: person("ALICE@corp.example.com"), want: own},
		{name: "the requester, who asked under another name", requester: "alice@corp.example.com", approver: person(alice), want: own},
		{name: "the requester, whose name is composed in another way", requester: "ａｌｉｃｅ@example.com", approver: person(alice), want: own},
		{name: "the requester, whose name has a letter of another alphabet that folds", requester: "K2", approver: person("k2"), want: own},
		{
			name: "the requester with the composition of another keyboard", requester: "zo\u00eb", approver: person("zoe\u0308"),
			want: `the name "zoe\u0308" has characters beside plain ASCII, which could be taken for another's`,
		},
		{
			name: "somebody who looks like the requester", approver: person("\u0430lice@example.com"),
			want: `the name "\u0430lice@example.com" has characters beside plain ASCII, which could be taken for another's`,
		},
		{
			name: "somebody who looks like another approver", approver: person("b\u043eb@example.com"),
			want: `the name "b\u043eb@example.com" has characters beside plain ASCII, which could be taken for another's`,
		},
		{
			name: "a name with an invisible character", approver: person("bob@example.com\u200b"),
			want: `the name "bob@example.com\u200b" has characters beside plain ASCII, which could be taken for another's`,
		},
		{
			name: "a name with a space at the end", approver: person("bob@example.com "),
			want: `the name "bob@example.com " has characters beside plain ASCII, which could be taken for another's`,
		},
		{name: "a service account", approver: machine(robot, operation.Service), want: robot + ` is of kind "service": only people approve`},
		{name: "an agent", approver: machine("copilot", operation.Agent), want: `copilot is of kind "agent": only people approve`},
		{name: "a controller", approver: machine("gc", operation.Controller), want: `gc is of kind "controller": only people approve`},
		{name: "an agent that a record calls a person", approver: person("helper"), want: `helper is of kind "agent": only people approve`},
		{name: "a service account that a record calls a person", approver: person(robot), want: robot + " is not a person's name: only people approve"},
		{name: "the anonymous user", approver: person("system:anonymous"), want: "system:anonymous is not a person's name: only people approve"},
		{name: "an actor of no kind", approver: machine(bob, ""), want: bob + ` is of kind "": only people approve`},
		{name: "the subject", subject: robot, approver: person(robot), want: robot + " is not a person's name: only people approve"},
		{name: "the person behind the subject", subject: "system:serviceaccount:shop:dave", approver: person("dave"), want: themselves},
		{
			name: "somebody without the right", approver: person(bob), want: bob + " may not approve",
			prepare: func(o *office) { o.rights.take(breakglass.RightApprove, bob, true) },
		},
		{
			name: "somebody whom policy refuses", approver: person(bob), want: "not on a Saturday; only sre",
			prepare: func(o *office) {
				o.rules = func(q breakglass.Question) (breakglass.Answer, error) {
					if q.Stage == breakglass.StageApprove && q.Approver.Name == bob {
						return breakglass.Answer{Refused: []string{"not on a Saturday", "only sre"}, Approvals: 1}, nil
					}
					return breakglass.Answer{Approvals: 1}, nil
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) {
				var err error
				options.People, err = breakglass.NewPeople([][]string{{alice, "alice@corp.example.com"}, {"dave", "system:serviceaccount:shop:dave"}})
				if err != nil {
					t.Fatal(err)
				}
				options.KindOf = func(name string) operation.ActorKind {
					if name == "helper" {
						return operation.Agent
					}
					return operation.Human
				}
			})
			requester := alice
			if tt.requester != "" {
				requester = tt.requester
			}
			p := proposal(web)
			p.Subject = tt.subject
			view, err := o.Request(t.Context(), person(requester), p)
			o.must(err)
			id := view.ID()
			if tt.prepare != nil {
				tt.prepare(o)
			}

			_, err = o.Judge(t.Context(), tt.approver, id, breakglass.Approve, "")
			o.same(id, tt.want, outcome(err))
			if view, err := o.View(t.Context(), id); err != nil || len(view.Verdicts) > 0 {
				t.Errorf("the refused approval was kept: %+v, %v", view.Verdicts, err)
			}

			// A record that got into the store all the same.
			o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{
				Request: id, Kind: breakglass.Approve, By: tt.approver, At: opening, Door: breakglass.DoorAPI,
			}))
			view, err = o.Settle(t.Context(), id)
			o.must(err)
			o.same(id, "0 of 1 approvals; the approval of "+operation.Printable(tt.approver.Name)+" does not count: "+tt.want, view.Standing.Why)
			op := deletion(web)
			op.Actor = person(view.Subject())
			if got := o.try(op); view.Grant != nil || view.Standing.State != breakglass.Pending || got == passed {
				t.Errorf("got %+v, %s", view, got)
			}
		})
	}
}

func TestTheTimeOfAnApprovalDecidesWhetherItCounts(t *testing.T) {
	for _, tt := range []struct {
		name string
		// at is when the record says that it was given; now is when it is looked at.
		at, now time.Duration
		want    string
	}{
		{"30 seconds before the request, by another clock", -30 * time.Second, 0, "active: approved by " + bob + ", 1 of 1 left"},
		{"longer before the request", -31 * time.Second, 0, "pending: 0 of 1 approvals; the approval of " + bob + " does not count: it is older than the request"},
		{"30 seconds in the future, by another clock", time.Minute, 30 * time.Second, "active: approved by " + bob + ", 1 of 1 left"},
		{"further in the future", time.Minute, 29 * time.Second, "pending: 0 of 1 approvals; the approval of " + bob + " does not count: it is dated in the future"},
		{"at the last moment", time.Hour, time.Hour, "active: approved by " + bob + ", 1 of 1 left"},
		{"at the last moment, and looked at after an outage", time.Hour, time.Hour + 20*time.Minute, "active: approved by " + bob + ", 1 of 1 left"},
		{"a second too late", time.Hour + time.Second, time.Hour + time.Second, "expired: not approved by 2026-11-21T04:00:00Z"},
		{"too late, and looked at within the leeway before", time.Hour + time.Second, time.Hour, "pending: 0 of 1 approvals; the approval of " + bob + " does not count: it came after 2026-11-21T04:00:00Z, when the request had expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.ask(proposal(web))
			o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{
				Request: id, Kind: breakglass.Approve, By: person(bob), At: opening.Add(tt.at), Door: breakglass.DoorAPI,
			}))
			o.clock.set(opening.Add(tt.now))
			view, err := o.Settle(t.Context(), id)
			o.must(err)
			o.same(id, tt.want, string(view.Standing.State)+": "+view.Standing.Why)
			if got := o.try(deletion(web)); (got == passed) != (view.Standing.State == breakglass.Active) {
				t.Errorf("an attempt: %s", got)
			}
		})
	}
}

func TestNobodyIsHeardAfterTheEnd(t *testing.T) {
	said := func(kind breakglass.VerdictKind) func(o *office, id string) {
		return func(o *office, id string) { o.judge(carol, id, kind) }
	}
	const stopped = " by carol@example.com at 2026-11-21T03:00:00Z: seen it"
	for _, tt := range []struct {
		name    string
		prepare func(o *office, id string)
		kind    breakglass.VerdictKind
		want    string
	}{
		{"an approval of an expired request", func(o *office, _ string) { o.clock.add(time.Hour + time.Second) }, breakglass.Approve, "ID: expired: not approved by 2026-11-21T04:00:00Z"},
		{"an approval in the last second", func(o *office, _ string) { o.clock.add(time.Hour) }, breakglass.Approve, passed},
		{"an approval after a denial", said(breakglass.Deny), breakglass.Approve, "ID: denied" + stopped},
		{"an approval after a revocation", said(breakglass.Revoke), breakglass.Approve, "ID: revoked" + stopped},
		{"a denial after a denial", said(breakglass.Deny), breakglass.Deny, "ID: denied" + stopped},
		{"a denial after the approval of another", said(breakglass.Approve), breakglass.Deny, passed},
		{"a revocation of an expired grant", func(o *office, id string) { o.judge(carol, id, breakglass.Approve); o.clock.add(31 * time.Minute) }, breakglass.Revoke, "ID: expired: it could be used until 2026-11-21T03:30:00Z"},
		{"an approval of what is used up", func(o *office, id string) {
			o.judge(carol, id, breakglass.Approve)
			o.same(id, passed, o.try(deletion(web)))
		}, breakglass.Approve, "ID: used up: delete of " + web.Ref + " at 2026-11-21T03:00:00Z"},
		{"a revocation of what is used up, since a use may be given back", func(o *office, id string) {
			o.judge(carol, id, breakglass.Approve)
			o.same(id, passed, o.try(deletion(web)))
		}, breakglass.Revoke, passed},
		{"a denial by somebody who may not approve", func(o *office, _ string) { o.rights.take(breakglass.RightApprove, bob, true) }, breakglass.Deny, bob + " may not approve"},
		{"a revocation by somebody who may not revoke", func(o *office, _ string) { o.rights.take(breakglass.RightRevoke, bob, true) }, breakglass.Revoke, bob + " may not revoke"},
		{"a verdict of no kind", func(*office, string) {}, "maybe", `verdict: "maybe" is not one of [approve deny revoke]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.ask(proposal(web))
			tt.prepare(o, id)
			_, err := o.Judge(t.Context(), person(bob), id, tt.kind, "")
			o.same(id, tt.want, outcome(err))
		})
	}
	o := newOffice(t, nil)
	if _, err := o.Judge(t.Context(), person(bob), "bg-0000-0000", breakglass.Approve, ""); !errors.Is(err, breakglass.ErrNotFound) {
		t.Errorf("an approval of what was never asked: %v", err)
	}
	_, err := o.Judge(t.Context(), person(bob), "bg-0/..", breakglass.Approve, "")
	o.same("", `request: "bg-0/.." is not a handle such as bg-k7m4-q9tx`, outcome(err))
}

func TestWhoHasItRevokesItWithoutAnyRight(t *testing.T) {
	o := newOffice(t, nil)
	for _, right := range []breakglass.Right{breakglass.RightApprove, breakglass.RightRevoke} {
		o.rights.take(right, alice, true)
		o.rights.take(right, robot, true)
	}
	p := proposal(web)
	p.Subject = robot
	for _, who := range []operation.Actor{person(alice), machine(robot, operation.Service)} {
		id := o.granted(p)
		view, err := o.Judge(t.Context(), who, id, breakglass.Revoke, "")
		o.must(err)
		o.same(id, "revoked by "+who.Name+" at 2026-11-21T03:00:00Z", view.Standing.Why)
	}
}

func TestARevocationWaitsForNoPolicy(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	o.rules = func(breakglass.Question) (breakglass.Answer, error) { return breakglass.Answer{}, errDown }
	if view := o.judge(carol, id, breakglass.Revoke); view.Standing.State != breakglass.Revoked {
		t.Errorf("got %+v", view.Standing)
	}
	o.rules = approvals(1)
	o.same(id, "ID: revoked by carol@example.com at 2026-11-21T03:00:00Z: seen it", o.try(deletion(web)))
}

func TestWhatIsUsedUpAndRevokedIsNotGivenBack(t *testing.T) {
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Fate = func(context.Context, breakglass.Use) (bool, error) { return false, nil }
	})
	id := o.granted(proposal(web))
	o.same(id, passed, o.try(deletion(web)))
	o.judge(carol, id, breakglass.Revoke)
	o.clock.add(5 * time.Minute)
	o.must(o.Sweep(t.Context()))
	o.same(id, "ID: revoked by carol@example.com at 2026-11-21T03:00:00Z: seen it", o.try(deletion(web)))
}

func TestTwoNamesOfOnePersonCountOnce(t *testing.T) {
	people, err := breakglass.NewPeople([][]string{{bob, "bob.admin"}})
	if err != nil {
		t.Fatal(err)
	}
	o := newOffice(t, func(options *breakglass.DeskOptions) { options.People = people })
	o.rules = approvals(2)
	id := o.ask(proposal(web))
	for _, name := range []string{bob, "Bob.Admin", "BOB@example.com"} {
		o.clock.add(time.Second)
		o.judge(name, id, breakglass.Approve)
	}
	o.same(id, "pending: 1 of 2 approvals; the approval of Bob.Admin does not count: that person is counted already; "+
		"the approval of BOB@example.com does not count: that person is counted already", o.standing(id))
	o.same(id, "ID: pending: 1 of 2 approvals; the approval of Bob.Admin does not count: that person is counted already; "+
		"the approval of BOB@example.com does not count: that person is counted already", o.try(deletion(web)))

	view := o.judge(carol, id, breakglass.Approve)
	if diff := cmp.Diff([]string{bob, carol}, view.Standing.Approvers); diff != "" {
		t.Errorf("approvers (-want +got):\n%s", diff)
	}
	o.same(id, passed, o.try(deletion(web)))
}

func TestAnApprovalThatTheRequesterCouldHaveGiven(t *testing.T) {
	const notCounted = "alice@example.com may impersonate bob@example.com, and the approval came without a credential that would tell them apart"
	for _, tt := range []struct {
		name        string
		impersonate bool
		counts      bool
		credential  string
		door        breakglass.Door
		want        string
	}{
		{"through Kubernetes, where alice may impersonate bob", true, false, "", breakglass.DoorKubernetes, notCounted},
		{"through Kubernetes, where alice may not", false, false, "", breakglass.DoorKubernetes, ""},
		{"through Kubernetes, with a credential that was bob's", true, false, "JTI=5d8e", breakglass.DoorKubernetes, ""},
		{"through the server's own API, where nobody is impersonated", true, false, "", breakglass.DoorAPI, ""},
		{"through Kubernetes, where it was configured to count", true, true, "", breakglass.DoorKubernetes, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) { options.ImpersonationCounts = tt.counts })
			o.rights.impersonators[alice+" as "+bob] = tt.impersonate
			o.rights.impersonators[bob+" as "+alice] = true // which is of no use to alice
			id := o.ask(proposal(web))
			v := breakglass.Verdict{Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: tt.door}
			v.By.Credential = tt.credential
			want, attempt := passed, passed
			if tt.want != "" {
				want, attempt = tt.want, "ID: pending: 0 of 1 approvals; the approval of "+bob+" does not count: "+tt.want
			}
			o.same(id, want, outcome(o.CheckVerdict(t.Context(), v)))
			o.must(o.store.CreateVerdict(t.Context(), v))
			o.same(id, attempt, o.try(deletion(web)))
		})
	}
}

func TestWhatAGrantRestsOnMustStillHold(t *testing.T) {
	loses := func(o *office) { o.rights.take(breakglass.RightApprove, bob, true) }
	tightens := func(o *office) { o.rules = approvals(2) }
	freezes := func(o *office) {
		o.rules = func(q breakglass.Question) (breakglass.Answer, error) {
			answer := breakglass.Answer{Approvals: 1}
			if q.Stage == breakglass.StageIssue || q.Stage == breakglass.StageUse {
				answer.Refused = []string{"frozen until Monday"}
			}
			return answer, nil
		}
	}
	turns := func(o *office) { // into a machine, in what is configured
		o.options.KindOf = func(string) operation.ActorKind { return operation.Service }
		o.Desk = o.another(nil)
	}
	const lost = "the approval of bob@example.com does not count: bob@example.com may not approve"
	for _, tt := range []struct {
		name          string
		change        func(o *office)
		before, after string
	}{
		{"an approver who lost the right", loses, "pending: 0 of 1 approvals; " + lost, "void: 0 of 1 approvals; " + lost},
		{"a policy that asks for more", tightens, "pending: 1 of 2 approvals", "void: 1 of 2 approvals"},
		{"a freeze", freezes, "pending: frozen until Monday", "void: frozen until Monday"},
		{
			"an approver who turns out to be a machine", turns,
			`pending: 0 of 1 approvals; the approval of bob@example.com does not count: bob@example.com is of kind "service": only people approve`,
			`void: 0 of 1 approvals; the approval of bob@example.com does not count: bob@example.com is of kind "service": only people approve`,
		},
	} {
		t.Run(tt.name+", before the grant is issued", func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.ask(proposal(web))
			o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{
				Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: breakglass.DoorKubernetes,
			}))
			tt.change(o)
			o.same(id, "ID: "+tt.before, o.try(deletion(web)))
			view, err := o.Settle(t.Context(), id)
			o.must(err)
			if view.Grant != nil {
				t.Errorf("issued all the same: %+v", view)
			}
		})
		t.Run(tt.name+", after the grant was issued", func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.granted(proposal(web))
			tt.change(o)
			o.same(id, "ID: "+tt.after, o.try(deletion(web)))
		})
	}
	t.Run("another approval makes up for it", func(t *testing.T) {
		o := newOffice(t, nil)
		id := o.granted(proposal(web))
		loses(o)
		o.judge(carol, id, breakglass.Approve)
		o.same(id, passed, o.try(deletion(web)))
	})
	t.Run("a right that is given back", func(t *testing.T) {
		o := newOffice(t, nil)
		o.granted(proposal(web))
		loses(o)
		o.rights.take(breakglass.RightApprove, bob, false)
		o.same("", passed, o.try(deletion(web)))
	})
}

func TestAPassSaysHowManyApprovedByNow(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	passes := func() []operation.Grant {
		found, err := o.Find(t.Context(), deletion(web), operation.Critical)
		o.must(err)
		var grants []operation.Grant
		for _, pass := range found.Passes {
			grants = append(grants, pass.Grant)
		}
		return grants
	}
	steps := [][]operation.Grant{passes()}
	o.judge(carol, id, breakglass.Approve)
	steps = append(steps, passes())
	o.rights.take(breakglass.RightApprove, bob, true)
	steps = append(steps, passes())
	want := [][]operation.Grant{{{ID: id, Approvals: 1}}, {{ID: id, Approvals: 2}}, {{ID: id, Approvals: 1}}}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("after one approval, two, and one that was lost (-want +got):\n%s", diff)
	}
	view, err := o.View(t.Context(), id)
	o.must(err)
	if diff := cmp.Diff([]string{bob}, view.Grant.Approvers); diff != "" {
		t.Errorf("the grant itself has changed (-want +got):\n%s", diff)
	}
}

func TestTheGrantWithMostApprovalsComesFirst(t *testing.T) {
	o := newOffice(t, nil)
	one, two := o.granted(proposal(web)), o.granted(proposal(web))
	o.judge(carol, two, breakglass.Approve)
	found, err := o.Find(t.Context(), deletion(web), operation.High)
	o.must(err)
	if len(found.Passes) != 2 || found.Passes[0].Grant.ID != two || found.Passes[1].Grant.ID != one {
		t.Errorf("got %+v; want %s and %s", found.Passes, two, one)
	}
}
