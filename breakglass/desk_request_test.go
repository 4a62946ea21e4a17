package breakglass_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestARequestThatIsWrongSaysAllThatIsWrong(t *testing.T) {
	good := breakglass.Request{
		ID: "bg-k7m4-q9tx", Created: opening, Requester: person(alice), Subject: alice, Scope: proposal(web).Scope,
		Reason: "the old shop goes", Duration: time.Minute,
	}
	good.Scope.Audience, good.Scope.Objects = "prod-eu", 1
	many := func(n int) []operation.Reference {
		list := make([]operation.Reference, n)
		for i := range list {
			list[i] = deployment(fmt.Sprint("web-", i), "")
		}
		return list
	}
	target := func(change func(*operation.Reference)) func(*breakglass.Request) {
		return func(r *breakglass.Request) {
			changed := web
			change(&changed)
			r.Scope.Targets = []operation.Reference{changed}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(r *breakglass.Request)
		want   string
	}{
		{"nothing is wrong", func(*breakglass.Request) {}, ""},
		{"everything at its limit", func(r *breakglass.Request) {
			r.Reason, r.Ticket, r.Decision = strings.Repeat("r", 512), strings.Repeat("t", 128), strings.Repeat("d", 128)
			r.Requester.Name, r.Subject = strings.Repeat("n", 512), strings.Repeat("s", 512)
			r.Scope.Targets, r.Scope.Objects = many(64), 256
		}, ""},
		{"everything above its limit", func(r *breakglass.Request) {
			r.Reason, r.Ticket, r.Decision = strings.Repeat("r", 513), strings.Repeat("t", 129), strings.Repeat("d", 129)
			r.Requester.Name, r.Subject = strings.Repeat("n", 513), strings.Repeat("s", 513)
			r.Scope.Targets, r.Scope.Objects = many(65), 257
		}, `requester: longer than 512 bytes
subject: longer than 512 bytes
reason: longer than 512 bytes
ticket: longer than 128 bytes
decision: longer than 128 bytes
scope.targets: 65, there must be 1 to 64
scope.objects: 257 is not between 1 and 256`},
		{"nothing is filled in", func(r *breakglass.Request) { *r = breakglass.Request{} }, `id: "" is not a handle such as bg-k7m4-q9tx
requester: missing
reason: missing: whoever approves reads it
subject: missing
duration: 0s is below 1m0s
scope.surface: "" is not one of [kubernetes gcp terraform]
scope.audience: missing: the cluster or project
scope.verbs: missing
scope.targets: 0, there must be 1 to 64
scope.objects: 0 is not between 1 and 256`},
		{"a reason of spaces", func(r *breakglass.Request) { r.Reason = " \n" }, "reason: missing: whoever approves reads it"},
		{"bytes that are no text", func(r *breakglass.Request) { r.Reason, r.Ticket = "\xff", "\xc3" }, "reason: not UTF-8\nticket: not UTF-8"},
		{"a second too short", func(r *breakglass.Request) { r.Duration = time.Minute - 1 }, "duration: 59.999999999s is below 1m0s"},
		{"an update, which destroys nothing", func(r *breakglass.Request) { r.Scope.Verbs = []operation.Verb{operation.Update} }, `scope.verbs: "update" is not one of the destructive verbs [delete evict scale-to-zero unprotect replace forget empty unknown]`},
		{"all verbs", func(r *breakglass.Request) { r.Scope.Verbs = []operation.Verb{"*"} }, `scope.verbs: "*" is not one of the destructive verbs [delete evict scale-to-zero unprotect replace forget empty unknown]`},
		{"fewer than no objects", func(r *breakglass.Request) { r.Scope.Objects = -1 }, "scope.objects: -1 is not between 1 and 256"},
		{"an audience that is too long", func(r *breakglass.Request) {
			r.Scope.Surface, r.Scope.Audience = operation.Terraform, strings.Repeat("a", 513)
			r.Scope.Targets = []operation.Reference{aPlan}
		}, "scope.audience: longer than 512 bytes"},
		{"a target without a name", target(func(t *operation.Reference) { t.Ref, t.Name = "k8s://prod-eu/apps/deployments/shop/", "" }), "scope.targets[0]: without a name: a grant opens objects that are named\n" +
			"scope.targets[0]: k8s://prod-eu/apps/deployments/shop/ is not shop/ of prod-eu"},
		{"a target of another cluster", target(func(t *operation.Reference) { t.Ref = "k8s://prod-us/apps/deployments/shop/web" }), "scope.targets[0]: k8s://prod-us/apps/deployments/shop/web is not shop/web of prod-eu"},
		{"a target that reads as another", target(func(t *operation.Reference) { t.Name = "test" }), "scope.targets[0]: " + web.Ref + " is not shop/test of prod-eu"},
		{"a target that reads as of another namespace", target(func(t *operation.Reference) { t.Namespace = "test" }), "scope.targets[0]: " + web.Ref + " is not test/web of prod-eu"},
		{"a target that is no reference", target(func(t *operation.Reference) { t.Ref = "web" }), "scope.targets[0]: web is not shop/web of prod-eu"},
		{"a uid that is too long", target(func(t *operation.Reference) { t.UID = strings.Repeat("u", 513) }), "scope.targets[0]: longer than 512 bytes"},
		{"a kind that is no text", target(func(t *operation.Reference) { t.Kind = "\xff" }), "scope.targets[0]: not UTF-8"},
		{"a target twice", func(r *breakglass.Request) {
			r.Scope.Targets = []operation.Reference{web, deployment("api", ""), deployment("web", "")}
		}, "scope.targets[2]: " + web.Ref + " is there twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			tt.change(&r)
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

func TestWhatIsRefusedNeverBecomesACase(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name    string
		actor   operation.Actor
		change  func(p *breakglass.Proposal)
		prepare func(o *office)
		want    string
	}{
		{name: "for another person", change: func(p *breakglass.Proposal) { p.Subject = carol }, want: "subject: carol@example.com is not a service account: people ask for themselves"},
		{name: "for oneself in other case", change: func(p *breakglass.Proposal) { p.Subject = "ALICE@example.com" }, want: "subject: ALICE@example.com is not a service account: people ask for themselves"},
		{name: "for a whole group", change: func(p *breakglass.Proposal) { p.Subject = "system:masters" }, want: "subject: system:masters is not a service account: people ask for themselves"},
		{name: "for all service accounts of a namespace", change: func(p *breakglass.Proposal) { p.Subject = "system:serviceaccount:shop:" }, want: "subject: system:serviceaccount:shop: is not a service account: people ask for themselves"},
		{name: "in another cluster", change: func(p *breakglass.Proposal) {
			p.Scope.Audience = "prod-us"
			p.Scope.Targets = []operation.Reference{{Ref: "k8s://prod-us/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web"}}
		}, want: "scope.audience: this is prod-eu, the request is for prod-us: check that this is the place you mean"},
		{name: "for too long", change: func(p *breakglass.Proposal) { p.Duration = 4*time.Hour + time.Second }, want: "duration: 4h0m1s is more than 4h0m0s, the longest that can be asked for here"},
		{name: "too far in the future", change: func(p *breakglass.Proposal) { p.NotBefore = opening.Add(day + 5*time.Hour + time.Second) }, want: "not_before: too far in the future: ask on the day"},
		{name: "without a reason", change: func(p *breakglass.Proposal) { p.Reason = "" }, want: "reason: missing: whoever approves reads it"},
		{name: "by a controller", actor: machine("system:serviceaccount:kube-system:namespace-controller", operation.Controller), want: "the cluster's own machinery needs no grant"},
		{name: "by a controller that is called a person", actor: person("controller"), want: "the cluster's own machinery needs no grant"},
		{name: "by somebody without the right", prepare: func(o *office) { o.rights.take(breakglass.RightRequest, alice, true) }, want: "alice@example.com may not request"},
		{name: "which policy refuses", prepare: func(o *office) {
			o.rules = func(breakglass.Question) (breakglass.Answer, error) {
				return breakglass.Answer{Refused: []string{"frozen"}}, nil
			}
		}, want: "frozen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) {
				options.KindOf = func(name string) operation.ActorKind {
					if name == "controller" {
						return operation.Controller
					}
					return operation.Human
				}
			})
			p := proposal(web)
			if tt.change != nil {
				tt.change(&p)
			}
			if tt.prepare != nil {
				tt.prepare(o)
			}
			actor := person(alice)
			if tt.actor.Name != "" {
				actor = tt.actor
			}
			_, err := o.Request(t.Context(), actor, p)
			o.same("", tt.want, outcome(err))
			if cases, err := o.List(t.Context()); err != nil || len(cases) > 0 {
				t.Errorf("kept: %+v, %v", cases, err)
			}
			want := []breakglass.Event{{
				Time: opening, Event: breakglass.EventRefused, Actor: actor.Identity,
				Verbs: p.Scope.Verbs, Targets: p.Scope.Targets, Text: tt.want,
			}}
			if diff := cmp.Diff(want, o.notes.events, withoutIDs); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMachinesAndAgentsMayAskForThemselves(t *testing.T) {
	for _, actor := range []operation.Actor{machine(robot, operation.Service), machine("copilot", operation.Agent)} {
		o := newOffice(t, nil)
		view, err := o.Request(t.Context(), actor, proposal(web))
		o.must(err)
		o.judge(bob, view.ID(), breakglass.Approve)
		op := deletion(web)
		op.Actor = actor
		o.same(view.ID(), passed, o.try(op))
	}
}

func TestWhatARequestLeavesOutIsFilledIn(t *testing.T) {
	o := newOffice(t, func(options *breakglass.DeskOptions) { options.DefaultDuration = 10 * time.Minute })
	view, err := o.Request(t.Context(), person(alice), proposal(web))
	o.must(err)
	want := breakglass.Request{
		ID: view.ID(), Created: opening, Requester: person(alice), Subject: alice,
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Targets: []operation.Reference{web}, Objects: 1,
		},
		Reason: "the old shop goes", Ticket: "OPS-7", Duration: 10 * time.Minute,
	}
	if diff := cmp.Diff(&want, view.Request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestAHandleThatIsTakenIsNotGivenAgain(t *testing.T) {
	o := newOffice(t, nil)
	first := o.ask(proposal(web))
	again := newOffice(t, func(options *breakglass.DeskOptions) { options.Store = o.store }) // the same entropy from the start
	if second := again.ask(proposal(web)); second == first || !breakglass.IsHandle(second) {
		t.Errorf("got %s after %s", second, first)
	}
}

func TestNobodyHasMoreThanTwentyOpenRequestsForOneSubject(t *testing.T) {
	o := newOffice(t, nil)
	const tooMany = "there are 20 open requests of yours for alice@example.com: end some with kubectl mollyguard deny"
	var ids []string
	for range 20 {
		ids = append(ids, o.ask(proposal(web)))
	}
	attempt := func(p breakglass.Proposal) string {
		_, err := o.Request(t.Context(), person(alice), p)
		return outcome(err)
	}
	o.same("", tooMany, attempt(proposal(web)))
	forRobot := proposal(web)
	forRobot.Subject = robot
	o.same("", passed, attempt(forRobot))
	o.judge(alice, ids[0], breakglass.Deny)
	o.same("", passed, attempt(proposal(web)))
	o.same("", tooMany, attempt(proposal(web)))
	o.clock.add(time.Hour + 31*time.Second)
	o.same("", passed, attempt(proposal(web)))
}

func TestAHandleThatIsTakenIsNotAskedForAgain(t *testing.T) {
	hub, here := twoOffices(t, nil)
	id, token := hub.token(proposal(web))
	_, err := here.Import(t.Context(), person(alice), token)
	here.must(err)
	c, err := hub.store.Case(t.Context(), id)
	here.must(err)
	squatted := *c.Request
	squatted.Requester, squatted.Subject = person(bob), bob
	err = here.CheckRequest(t.Context(), squatted)
	var refusal *breakglass.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != id+" is taken" {
		t.Errorf("asking under the handle of somebody's token: %v", err)
	}
}

func TestNobodyAsksWithoutEnd(t *testing.T) {
	o := newOffice(t, nil)
	ask := func(n int) error {
		p := proposal(web)
		p.Subject = fmt.Sprintf("system:serviceaccount:shop:robot-%d", n) // whoever it is for
		view, err := o.Request(t.Context(), person(alice), p)
		if err == nil {
			o.judge(alice, view.ID(), breakglass.Deny) // and though it is taken back
		}
		return err
	}
	refused := 0
	for n := range 40 {
		var refusal *breakglass.Refusal
		if err := ask(n); errors.As(err, &refusal) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused != 10 {
		t.Errorf("%d of 40 requests at once were refused, want 10", refused)
	}
	o.clock.add(2 * time.Minute)
	if err := ask(41); err != nil {
		t.Errorf("two minutes later: %v", err)
	}
}
