package breakglass_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAGrantOpensWhatItIsForAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name string
		// ask and change start from the deletion of web with a uid, by alice.
		ask    func(p *breakglass.Proposal)
		change func(op *operation.Operation)
		want   string
	}{
		{name: "the very thing", want: passed},
		{name: "another user", change: func(op *operation.Operation) { op.Actor = person(carol) }, want: "no grant"},
		{name: "the approver", change: func(op *operation.Operation) { op.Actor = person(bob) }, want: "no grant"},
		{name: "the same user in other case", change: func(op *operation.Operation) { op.Actor = person("Alice@example.com") }, want: "no grant"},
		{name: "a user who looks the same", change: func(op *operation.Operation) { op.Actor = person("\u0430lice@example.com") }, want: "no grant"},
		{name: "another name", change: func(op *operation.Operation) { op.Target.Reference = deployment("web-2", "u-1") }, want: "no grant"},
		{name: "the name in other case", change: func(op *operation.Operation) { op.Target.Reference = deployment("Web", "u-1") }, want: "no grant"},
		{
			name: "another namespace",
			change: func(op *operation.Operation) {
				op.Target.Ref, op.Target.Namespace = "k8s://prod-eu/apps/deployments/shop-2/web", "shop-2"
			},
			want: "no grant",
		},
		{name: "another cluster", change: func(op *operation.Operation) { op.Target.Ref = "k8s://prod-us/apps/deployments/shop/web" }, want: "no grant"},
		{name: "another resource of that name", change: func(op *operation.Operation) { op.Target.Ref = "k8s://prod-eu/apps/statefulsets/shop/web" }, want: "no grant"},
		{name: "the same resource of another group", change: func(op *operation.Operation) { op.Target.Ref = "k8s://prod-eu/extensions/deployments/shop/web" }, want: "no grant"},
		{name: "a sub-resource", change: func(op *operation.Operation) { op.Target.Ref += "/scale" }, want: "no grant"},
		{name: "all objects of the namespace", change: func(op *operation.Operation) {
			op.Target.Ref, op.Target.Name = "k8s://prod-eu/apps/deployments/shop/", ""
		}, want: "no grant"},
		{name: "a target without a name", change: func(op *operation.Operation) { op.Target.Name = "" }, want: "no grant"},
		{name: "another verb", change: func(op *operation.Operation) { op.Verb = operation.ScaleToZero }, want: "ID: it is for delete, not for scale-to-zero"},
		{name: "another surface", change: func(op *operation.Operation) { op.Surface = operation.GCP }, want: "no grant"},
		{
			name: "an object made anew under the name", change: func(op *operation.Operation) { op.Target.UID = "u-2" },
			want: "ID: it is for the Deployment of that name with uid u-1; this one has uid u-2",
		},
		{
			name: "an object whose uid is not known", change: func(op *operation.Operation) { op.Target.UID = "" },
			want: "ID: it is for the Deployment of that name with uid u-1; this one has uid ",
		},
		{
			name: "any object of the name, asked for before there was one",
			ask:  func(p *breakglass.Proposal) { p.Scope.Targets = []operation.Reference{deployment("web", "")} }, want: passed,
		},
		{
			name: "one of two verbs", ask: func(p *breakglass.Proposal) { p.Scope.Verbs = append(p.Scope.Verbs, operation.ScaleToZero) },
			change: func(op *operation.Operation) { op.Verb = operation.ScaleToZero }, want: passed,
		},
		{
			name: "one of two targets", ask: func(p *breakglass.Proposal) { p.Scope.Targets = append(p.Scope.Targets, deployment("api", "u-7")) },
			change: func(op *operation.Operation) { op.Target.Reference = deployment("api", "u-7") }, want: passed,
		},
		{
			name: "one of two targets with the uid of the other", ask: func(p *breakglass.Proposal) { p.Scope.Targets = append(p.Scope.Targets, deployment("api", "u-7")) },
			change: func(op *operation.Operation) { op.Target.Reference = deployment("api", "u-1") },
			want:   "ID: it is for the Deployment of that name with uid u-7; this one has uid u-1",
		},
		{name: "the requester, who asked for a machine", ask: func(p *breakglass.Proposal) { p.Subject = robot }, want: "no grant"},
		{
			name: "the machine that it was asked for", ask: func(p *breakglass.Proposal) { p.Subject = robot },
			change: func(op *operation.Operation) { op.Actor = machine(robot, operation.Service) }, want: passed,
		},
		{
			name: "another tool, credential and groups of the same user",
			change: func(op *operation.Operation) {
				op.Actor.Via, op.Actor.Credential, op.Actor.Groups = "helm", "JTI=9", []string{"dev"}
			}, want: passed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p, op := proposal(web), deletion(web)
			if tt.ask != nil {
				tt.ask(&p)
			}
			if tt.change != nil {
				tt.change(op)
			}
			id := o.granted(p)
			o.same(id, tt.want, o.try(op))
		})
	}
}

func TestAGrantOpensNothingAtADeskOfAnotherCluster(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	other := o.another(func(options *breakglass.DeskOptions) { options.Audience = "prod-us" })
	o.same(id, "ID: it is for prod-eu", tryAt(t.Context(), other, deletion(web)))
}

func TestAWindowEndsAtItsEdgesWithLeeway(t *testing.T) {
	// Asked for and approved at the opening: the window is from hour 2 to hour 3.
	begin, end := 2*time.Hour, 3*time.Hour
	const scheduled, expired = "ID: scheduled: not before 2026-11-21T05:00:00Z", "ID: expired: it could be used until 2026-11-21T06:00:00Z"
	for _, tt := range []struct {
		name string
		at   time.Duration
		want string
	}{
		{"at once", 0, scheduled},
		{"just before the leeway", begin - 30*time.Second - time.Nanosecond, scheduled},
		{"where the leeway begins", begin - 30*time.Second, passed},
		{"where the window begins", begin, passed},
		{"where the window ends", end, passed},
		{"at the end of the leeway", end + 30*time.Second - time.Nanosecond, passed},
		{"after the leeway", end + 30*time.Second, expired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(web)
			p.NotBefore, p.Duration = opening.Add(begin), end-begin
			id := o.granted(p)
			o.clock.set(opening.Add(tt.at))
			o.same(id, tt.want, o.try(deletion(web)))
		})
	}
}

func TestTheWindowOfAGrantBeginsWithTheLastApprovalThatItTook(t *testing.T) {
	o := newOffice(t, nil)
	o.rules = approvals(2)
	id := o.ask(proposal(web))
	for _, name := range []string{bob, carol, "dave@example.com"} { // the third is one more than it takes
		o.clock.add(10 * time.Minute)
		o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{
			Request: id, Kind: breakglass.Approve, By: person(name), At: o.clock.now(), Door: breakglass.DoorKubernetes,
		}))
	}
	view, err := o.Settle(t.Context(), id)
	o.must(err)
	if from, to := view.Grant.NotBefore.Sub(opening), view.Grant.Expires.Sub(opening); from != 20*time.Minute || to != 50*time.Minute {
		t.Errorf("from %v to %v", from, to)
	}
}

func TestAGrantThatWasApprovedInTimeIsIssuedAfterAnOutage(t *testing.T) {
	for _, tt := range []struct {
		name      string
		notBefore time.Duration
		look      time.Duration
		want      string
	}{
		{"while it can be used", 0, 29 * time.Minute, passed},
		{"when it cannot be used any more", 0, 40 * time.Minute, "ID: expired: it could be used until 2026-11-21T03:30:00Z"},
		{"long after the request expired, and before it begins", 20 * time.Hour, 19 * time.Hour, "ID: scheduled: not before 2026-11-21T23:00:00Z"},
		{"long after the request expired, when it has begun", 20 * time.Hour, 20*time.Hour + time.Minute, passed},
		{"when all is over", 20 * time.Hour, 20*time.Hour + 31*time.Minute, "ID: expired: not approved by 2026-11-21T04:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(web)
			if tt.notBefore > 0 {
				p.NotBefore = opening.Add(tt.notBefore)
			}
			id := o.ask(p)
			o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{
				Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: breakglass.DoorAPI,
			}))
			o.clock.add(tt.look)
			o.same(id, tt.want, o.try(deletion(web)))
		})
	}
}

func TestAGrantIsUsedUpByObjects(t *testing.T) {
	type attempt struct {
		after time.Duration
		op    *operation.Operation
		want  string
	}
	api, db, cache := deployment("api", "u-7"), deployment("db", "u-8"), deployment("cache", "u-9")
	anew := deployment("web", "u-2")
	evicts := func(target operation.Reference) *operation.Operation {
		op := deletion(target)
		op.Verb = operation.Evict
		return op
	}
	usedUp := func(by operation.Reference, at string) string {
		return "ID: used up: delete of " + by.Ref + " at 2026-11-21T" + at + "Z"
	}
	for _, tt := range []struct {
		name     string
		ask      func(p *breakglass.Proposal)
		attempts []attempt
	}{
		{"of a collection of three, one goes with a grant for one", nil, []attempt{
			{0, deletion(web), passed},
			{0, deletion(api), usedUp(web, "03:00:00")},
			{0, deletion(db), usedUp(web, "03:00:00")},
		}},
		{"of a collection of four, three go with a grant for three", func(p *breakglass.Proposal) { p.Scope.Objects = 3 }, []attempt{
			{0, deletion(web), passed},
			{0, deletion(api), passed},
			{time.Second, deletion(db), passed},
			{0, deletion(cache), usedUp(db, "03:00:01")},
			{0, deletion(web), passed}, // again
		}},
		{"the same again is one use for a minute", nil, []attempt{
			{0, deletion(web), passed},
			{0, deletion(web), passed},
			{time.Minute, deletion(web), passed},
			{time.Second, deletion(web), usedUp(web, "03:00:00")},
		}},
		{"after a minute the same again is another use", func(p *breakglass.Proposal) { p.Scope.Objects = 2 }, []attempt{
			{0, deletion(web), passed},
			{61 * time.Second, deletion(web), passed},
			{61 * time.Second, deletion(web), usedUp(web, "03:01:01")},
		}},
		{"an object made anew is another", func(p *breakglass.Proposal) { p.Scope.Targets[0].UID = "" }, []attempt{
			{0, deletion(web), passed},
			{time.Second, deletion(anew), usedUp(web, "03:00:00")},
		}},
		{"another verb is another use", func(p *breakglass.Proposal) { p.Scope.Verbs = append(p.Scope.Verbs, operation.Evict) }, []attempt{
			{0, deletion(web), passed},
			{time.Second, evicts(web), usedUp(web, "03:00:00")},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(web, api, db, cache)
			if tt.ask != nil {
				tt.ask(&p)
			}
			id := o.granted(p)
			for _, attempt := range tt.attempts {
				o.clock.add(attempt.after)
				o.same(id, attempt.want, o.try(attempt.op))
			}
		})
	}
}

func TestOfTwoThatFoundTheSameGrantOneTakesIt(t *testing.T) {
	o := newOffice(t, nil)
	api := deployment("api", "u-7")
	id := o.granted(proposal(web, api))
	first, err := o.Find(t.Context(), deletion(web), operation.High)
	o.must(err)
	second, err := o.another(nil).Find(t.Context(), deletion(api), operation.High)
	o.must(err)
	o.same(id, passed, outcome(first.Passes[0].Take(t.Context(), "")))
	o.same(id, "ID: used up: delete of "+web.Ref+" at 2026-11-21T03:00:00Z", outcome(second.Passes[0].Take(t.Context(), "")))
}

func TestARevocationBetweenFindingAndTakingIsHeeded(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	found, err := o.Find(t.Context(), deletion(web), operation.High)
	o.must(err)
	o.judge(carol, id, breakglass.Revoke)
	o.same(id, "ID: revoked by carol@example.com at 2026-11-21T03:00:00Z: seen it", outcome(found.Passes[0].Take(t.Context(), "")))
}

func TestFindingUsesNothingUp(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	for range 3 {
		if found, err := o.Find(t.Context(), deletion(web), operation.High); err != nil || len(found.Passes) != 1 {
			t.Fatalf("got %+v, %v", found, err)
		}
	}
	if view, err := o.View(t.Context(), id); err != nil || len(view.Uses) > 0 || view.Standing.Left != 1 {
		t.Errorf("got %+v, %v", view, err)
	}
}

func TestAUseThatCameToNothingIsGivenBack(t *testing.T) {
	api := deployment("api", "u-7")
	const usedUp = "ID: used up: delete of k8s://prod-eu/apps/deployments/shop/web at 2026-11-21T03:00:00Z"
	for _, tt := range []struct {
		name  string
		gone  bool
		err   error
		after time.Duration
		state breakglass.UseState
		want  string // when another object is tried
	}{
		{"the object is still there", false, nil, 150 * time.Second, breakglass.Released, passed},
		{"the object is gone", true, nil, 150 * time.Second, breakglass.Confirmed, usedUp},
		{"nobody can tell", false, breakglass.ErrNotFound, 150 * time.Second, breakglass.Confirmed, usedUp},
		{"it cannot be told now", false, errDown, 150 * time.Second, breakglass.Reserved, usedUp},
		// A repeat after a minute may be on its way for another, by a clock that is
		// 30 seconds off.
		{"the object is still there, and a repeat may be on its way", false, nil, 150*time.Second - 1, breakglass.Reserved, usedUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) {
				options.Fate = func(context.Context, breakglass.Use) (bool, error) { return tt.gone, tt.err }
			})
			id := o.granted(proposal(web, api))
			o.same(id, passed, o.try(deletion(web)))
			o.clock.add(tt.after)
			if err := o.Sweep(t.Context()); (err != nil) != errors.Is(tt.err, errDown) {
				t.Errorf("sweep: %v", err)
			}
			view, err := o.View(t.Context(), id)
			o.must(err)
			if got := view.Uses[0].State; got != tt.state {
				t.Errorf("the use is %s, want %s", got, tt.state)
			}
			o.same(id, tt.want, o.try(deletion(api)))
		})
	}
	t.Run("what a scale to zero came to is not asked", func(t *testing.T) {
		o := newOffice(t, func(options *breakglass.DeskOptions) {
			options.Fate = func(context.Context, breakglass.Use) (bool, error) { return false, nil }
		})
		p, op := proposal(web), deletion(web)
		p.Scope.Verbs, op.Verb = []operation.Verb{operation.ScaleToZero}, operation.ScaleToZero
		id := o.granted(p)
		o.same(id, passed, o.try(op))
		o.clock.add(3 * time.Minute)
		o.must(o.Sweep(t.Context()))
		view, err := o.View(t.Context(), id)
		o.must(err)
		if view.Uses[0].State != breakglass.Confirmed {
			t.Errorf("the use is %s", view.Uses[0].State)
		}
	})
}

func TestAUseThatWasGivenBackCanBeUsedAsOften(t *testing.T) {
	gone := false
	o := newOffice(t, func(options *breakglass.DeskOptions) {
		options.Fate = func(context.Context, breakglass.Use) (bool, error) { return gone, nil }
	})
	p := proposal(web)
	p.Duration = time.Hour
	id := o.granted(p)
	for range 3 {
		o.same(id, passed, o.try(deletion(web)))
		o.clock.add(3 * time.Minute)
		o.must(o.Sweep(t.Context()))
	}
	gone = true
	o.same(id, passed, o.try(deletion(web)))
	o.clock.add(3 * time.Minute)
	o.must(o.Sweep(t.Context()))
	o.same(id, "ID: used up: delete of "+web.Ref+" at 2026-11-21T03:09:00Z", o.try(deletion(web)))
}

func TestAGrantThatIsBoundToACertificate(t *testing.T) {
	const certificate = "X509SHA256=9f86d081"
	for _, tt := range []struct {
		name        string
		bind        bool
		asked, used string
		subject     string
		want        string
	}{
		{"the same certificate", true, certificate, certificate, "", passed},
		{"another certificate of the same user", true, certificate, "X509SHA256=2c26b46b", "", "ID: it was asked for with another credential of the same user"},
		{"a token of the same user", true, certificate, "JTI=3b1e", "", "ID: it was asked for with another credential of the same user"},
		{"no credential that is known", true, certificate, "", "", "ID: it was asked for with another credential of the same user"},
		{"another certificate, where it is not bound", false, certificate, "X509SHA256=2c26b46b", "", passed},
		{"another token, since tokens change while somebody waits", true, "JTI=3b1e", "JTI=77aa", "", passed},
		{"the machine that it was asked for", true, certificate, "JTI=77aa", robot, passed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(options *breakglass.DeskOptions) { options.BindCertificates = tt.bind })
			requester, op := person(alice), deletion(web)
			requester.Credential = tt.asked
			p := proposal(web)
			p.Subject = tt.subject
			view, err := o.Request(t.Context(), requester, p)
			o.must(err)
			o.judge(bob, view.ID(), breakglass.Approve)
			op.Actor = person(view.Subject())
			op.Actor.Credential = tt.used
			o.same(view.ID(), tt.want, o.try(op))
		})
	}
}

func TestWhatPolicyBringsBackToLifeIsSweptAgain(t *testing.T) {
	o := newOffice(t, nil)
	o.rules = approvals(2)
	p := proposal(web)
	p.Duration = 2 * time.Hour
	id := o.ask(p)
	o.judge(bob, id, breakglass.Approve)
	o.clock.add(90 * time.Minute)
	o.must(o.Sweep(t.Context()))
	o.same(id, "expired: not approved by 2026-11-21T04:00:00Z", o.standing(id))

	o.rules = approvals(1) // the approval came in time
	o.must(o.Sweep(t.Context()))
	o.same(id, "active: approved by bob@example.com, 1 of 1 left", o.standing(id))
	o.same(id, passed, o.try(deletion(web)))
	o.clock.add(3 * time.Minute)
	o.must(o.Sweep(t.Context()))
	view, err := o.View(t.Context(), id)
	o.must(err)
	if view.Uses[0].State != breakglass.Confirmed {
		t.Errorf("the use is %s", view.Uses[0].State)
	}
}
