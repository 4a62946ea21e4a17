package breakglass_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// twoOffices are one that issues tokens, and one that trusts it: for the same
// cluster, but for what changeHub changes.
func twoOffices(t *testing.T, changeHub func(*breakglass.DeskOptions)) (hub, here *office) {
	t.Helper()
	hub = newOffice(t, nil)
	hub.keys = hub.keyring("hub", filepath.Join(t.TempDir(), "keys.json"), 7)
	hub.options.Keys = hub.keys
	if changeHub != nil {
		changeHub(&hub.options)
	}
	hub.Desk = hub.another(nil)

	public, err := json.Marshal(hub.keys.Public())
	hub.must(err)
	jwks := filepath.Join(t.TempDir(), "hub.json")
	hub.must(os.WriteFile(jwks, public, 0o600))
	here = newOffice(t, nil)
	here.clock = hub.clock
	here.keys = here.keyring("mollyguard/prod-eu", here.keyFile, 1, breakglass.TrustedIssuer{Issuer: "hub", File: jwks})
	here.options.Keys, here.options.Now = here.keys, here.clock.now
	here.Desk = here.another(nil)
	return hub, here
}

// token lets alice ask, bob approve and alice fetch the token.
func (o *office) token(p breakglass.Proposal) (id string, token operation.Secret) {
	o.Helper()
	id = o.granted(p)
	token, err := o.Token(o.Context(), person(alice), id)
	o.must(err)
	return id, token
}

func presenting(target operation.Reference, presented ...operation.Secret) *operation.Operation {
	op := deletion(target)
	op.Presented = presented
	return op
}

func TestATokenOpensOneThingOnceHoweverItComes(t *testing.T) {
	api := deployment("api", "u-7")
	for _, tt := range []struct {
		name string
		// bring returns what is presented with the operation.
		bring func(o *office, token operation.Secret) []operation.Secret
	}{
		{"presented", func(_ *office, token operation.Secret) []operation.Secret { return []operation.Secret{token} }},
		{"imported", func(o *office, token operation.Secret) []operation.Secret {
			_, err := o.Import(o.Context(), person(alice), token)
			o.must(err)
			return nil
		}},
		{"imported twice, and presented twice", func(o *office, token operation.Secret) []operation.Secret {
			for range 2 {
				_, err := o.Import(o.Context(), person(alice), token)
				o.must(err)
			}
			return []operation.Secret{token, token}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hub, here := twoOffices(t, nil)
			_, token := hub.token(proposal(web, api))
			presented := tt.bring(here, token)
			here.same("", passed, here.try(presenting(web, presented...)))
			here.same("", passed, here.try(presenting(web, presented...)))
			if got := here.try(presenting(api, presented...)); !strings.Contains(got, "used up: delete of "+web.Ref) {
				t.Errorf("a second object: %s", got)
			}
			if got := tryAt(t.Context(), here.another(nil), presenting(api, presented...)); got == passed {
				t.Error("a second object at another replica passed")
			}
		})
	}
}

func TestATokenIsGoodForItsHolderHereAndNow(t *testing.T) {
	const presentedIsNotGood = "the token presented is not good: "
	for _, tt := range []struct {
		name      string
		changeHub func(*breakglass.DeskOptions)
		ask       func(p *breakglass.Proposal)
		change    func(op *operation.Operation)
		after     time.Duration
		want      string
	}{
		{name: "the very thing", want: passed},
		{name: "in the hands of another", change: func(op *operation.Operation) { op.Actor = person(carol) }, want: presentedIsNotGood + "the token is somebody else's"},
		{
			name: "of another cluster", changeHub: func(o *breakglass.DeskOptions) { o.Audience = "prod-us" },
			ask: func(p *breakglass.Proposal) {
				p.Scope.Targets = []operation.Reference{{Ref: "k8s://prod-us/apps/deployments/shop/web", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u-1"}}
			},
			want: presentedIsNotGood + "the token is for prod-us, this is prod-eu",
		},
		{name: "for another object", change: func(op *operation.Operation) { op.Target.Reference = deployment("api", "u-7") }, want: "no grant"},
		{name: "for an object made anew", change: func(op *operation.Operation) { op.Target.UID = "u-2" }, want: "ID: it is for the Deployment of that name with uid u-1; this one has uid u-2"},
		{
			name:   "of somebody with a certificate that it is not bound to",
			change: func(op *operation.Operation) { op.Actor.Credential = "X509SHA256=00" }, want: passed,
		},
		{name: "at the end of the leeway", after: 30*time.Minute + 29*time.Second, want: passed},
		{name: "after the leeway", after: 30*time.Minute + 30*time.Second, want: presentedIsNotGood + "it expired at 2026-11-21T03:30:00Z"},
		{
			name: "before its time", ask: func(p *breakglass.Proposal) { p.NotBefore = opening.Add(time.Hour) },
			want: presentedIsNotGood + "it is not good before 2026-11-21T04:00:00Z",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hub, here := twoOffices(t, tt.changeHub)
			p := proposal(web)
			if tt.ask != nil {
				tt.ask(&p)
			}
			id, token := hub.token(p)
			op := presenting(web, token)
			if tt.change != nil {
				tt.change(op)
			}
			here.clock.add(tt.after)
			here.same(id, tt.want, here.try(op))
		})
	}
}

func TestWhatIsPresentedBesideAGoodGrantDoesNotBlockIt(t *testing.T) {
	hub, here := twoOffices(t, nil)
	_, foreign := hub.token(proposal(deployment("api", "u-7")))
	for name, presented := range map[string]string{
		"garbage":                     "garbage",
		"dots":                        strings.Repeat(".", 1<<20),
		"nothing":                     "",
		"a handle of somebody else":   "bg-0000-0000",
		"a token of an unknown key":   foreign.Reveal(),
		"a token that was cut short":  foreign.Reveal()[:len(foreign.Reveal())-4],
		"a name that is not a handle": "bg-../..",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, nil)
			o.granted(proposal(web))
			o.same("", passed, o.try(presenting(web, operation.NewSecret(presented))))
		})
	}
	t.Run("a handle of one's own", func(t *testing.T) {
		id := here.granted(proposal(web))
		here.same(id, passed, here.try(presenting(web, operation.NewSecret(id))))
	})
}

func TestAHandleOfSomebodyElseOpensNothing(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(proposal(web))
	op := presenting(web, operation.NewSecret(id))
	op.Actor = person(carol)
	o.same(id, "ID is not a grant of this actor", o.try(op))
}

func TestATokenWhoseKeysCannotBeReadIsNoPass(t *testing.T) {
	o := newOffice(t, nil)
	replica := o.keyring("mollyguard/prod-eu", o.keyFile, 2)
	_, err := replica.Rotate(t.Context())
	o.must(err)
	id := o.granted(proposal(web))
	token, err := o.another(func(options *breakglass.DeskOptions) { options.Keys = replica }).Token(t.Context(), person(alice), id)
	o.must(err)

	o.must(os.Chmod(o.keyFile, 0o644))
	fresh := newOffice(t, func(options *breakglass.DeskOptions) { options.Keys = o.keys }) // which has no such case
	got := fresh.try(presenting(web, token))
	if want := "the token presented could not be verified: look for an unknown break-glass key: "; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s…", got, want)
	}
	if _, err := fresh.Import(t.Context(), person(alice), token); !strings.HasPrefix(outcome(err), "undecided: look for an unknown break-glass key: ") {
		t.Errorf("import: %v", err)
	}
}

func TestATokenOfOurOwnIsWorthWhatItsCaseIs(t *testing.T) {
	o := newOffice(t, nil)
	id, token := o.token(proposal(web))
	o.rights.take(breakglass.RightApprove, bob, true)
	const void = "void: 0 of 1 approvals; the approval of bob@example.com does not count: bob@example.com may not approve"
	o.same(id, "ID: "+void, o.try(presenting(web, token)))
	if view, err := o.Import(t.Context(), person(alice), token); err != nil || view.Grant.Imported() || view.Standing.State != breakglass.Void {
		t.Errorf("import: %+v, %v", view, err)
	}
	o.same(id, "ID: "+void, o.try(presenting(web, token)))
	o.rights.take(breakglass.RightApprove, bob, false)
	o.same(id, passed, o.try(presenting(web, token)))
}

func TestAForgedImportIsWorthNoMoreThanItsToken(t *testing.T) {
	api := deployment("api", "u-7")
	for _, tt := range []struct {
		name string
		// forge gets the import as it should be.
		forge func(hub *office, g *breakglass.Grant)
		op    *operation.Operation
		want  string
	}{
		{"as it should be", func(*office, *breakglass.Grant) {}, deletion(web), passed},
		{"with garbage for a token", func(_ *office, g *breakglass.Grant) { g.Token = operation.NewSecret("garbage") }, deletion(web), "ID: it is not of the form header.payload.signature in base64url"},
		{"with the token of another grant", func(hub *office, g *breakglass.Grant) { _, g.Token = hub.token(proposal(web)) }, deletion(web), "ID: its token is of another grant"},
		{"for another target than the token", func(_ *office, g *breakglass.Grant) { g.Scope.Targets = []operation.Reference{api} }, deletion(api), "ID: it is for another object"},
		{"for any uid", func(_ *office, g *breakglass.Grant) { g.Scope.Targets = []operation.Reference{deployment("web", "")} }, deletion(deployment("web", "u-2")), "ID: it is for the Deployment of that name with uid u-1; this one has uid u-2"},
		{"for another actor", func(_ *office, g *breakglass.Grant) { g.Subject = carol }, func() *operation.Operation {
			op := deletion(web)
			op.Actor = person(carol)
			return op
		}(), "ID: the token is somebody else's"},
		{"for longer", func(hub *office, g *breakglass.Grant) {
			g.Expires = g.Expires.Add(time.Hour)
			hub.clock.add(time.Hour)
		}, deletion(web), "ID: it expired at 2026-11-21T03:30:00Z"},
		{"by more approvers", func(_ *office, g *breakglass.Grant) { g.Approvers = []string{bob, carol} }, deletion(web), passed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hub, here := twoOffices(t, nil)
			id, token := hub.token(proposal(web))
			view, err := hub.View(t.Context(), id)
			here.must(err)
			forged := *view.Grant
			forged.Seal, forged.Token = "", token
			tt.forge(hub, &forged)
			here.must(here.store.CreateGrant(t.Context(), forged))
			found, err := here.Find(t.Context(), tt.op, operation.High)
			here.must(err)
			for _, pass := range found.Passes {
				if pass.Grant.Approvals != 1 {
					t.Errorf("%d approvals", pass.Grant.Approvals)
				}
			}
			here.same(id, tt.want, here.try(tt.op))
		})
	}
}

func TestAForgedImportDoesNotRaiseHowOftenItsTokenIsUsed(t *testing.T) {
	hub, here := twoOffices(t, nil)
	api := deployment("api", "u-7")
	id, token := hub.token(proposal(web, api))
	view, err := hub.View(t.Context(), id)
	here.must(err)
	forged := *view.Grant
	forged.Token, forged.Scope.Objects = token, 9
	here.must(here.store.CreateGrant(t.Context(), forged))
	first, err := here.Find(t.Context(), deletion(web), operation.High)
	here.must(err)
	second, err := here.Find(t.Context(), deletion(api), operation.High) // before the first is taken
	here.must(err)
	here.same(id, passed, outcome(first.Passes[0].Take(t.Context(), "")))
	here.same(id, "ID: used up: delete of "+web.Ref+" at 2026-11-21T03:00:00Z", outcome(second.Passes[0].Take(t.Context(), "")))
}

func TestATokenIsRevokedHereByItsHandle(t *testing.T) {
	api := deployment("api", "u-7")
	const revoked = "ID: revoked by carol@example.com at 2026-11-21T03:00:00Z: seen it"
	t.Run("after it was imported", func(t *testing.T) {
		hub, here := twoOffices(t, nil)
		id, token := hub.token(proposal(web))
		_, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
		here.judge(carol, id, breakglass.Revoke)
		here.same(id, revoked, here.try(deletion(web)))
		here.same(id, revoked, here.try(presenting(web, token)))
		view, err := here.Import(t.Context(), person(alice), token) // again does not help
		here.must(err)
		here.same(id, revoked, "ID: "+view.Standing.Why)
	})
	t.Run("after it was only presented and used", func(t *testing.T) {
		hub, here := twoOffices(t, nil)
		p := proposal(web, api)
		p.Scope.Objects = 2
		id, token := hub.token(p)
		here.same(id, passed, here.try(presenting(web, token)))
		here.judge(carol, id, breakglass.Revoke)
		here.same(id, revoked+" (after 1 of 2 uses)", here.try(presenting(api, token)))
		here.same(id, revoked, here.try(presenting(web, token)))
		view, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
		here.same(id, revoked+" (after 1 of 2 uses)", "ID: "+view.Standing.Why)
		here.same(id, revoked+" (after 1 of 2 uses)", here.try(deletion(api)))
	})
	t.Run("not by whom it is none of their business", func(t *testing.T) {
		hub, here := twoOffices(t, nil)
		id, token := hub.token(proposal(web))
		_, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
		here.rights.take(breakglass.RightRevoke, carol, true)
		_, err = here.Judge(t.Context(), person(carol), id, breakglass.Revoke, "")
		here.same(id, carol+" may not revoke", outcome(err))
	})
	t.Run("and never approved here", func(t *testing.T) {
		hub, here := twoOffices(t, nil)
		id, token := hub.token(proposal(web))
		_, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
		_, err = here.Judge(t.Context(), person(carol), id, breakglass.Approve, "")
		here.same(id, "ID came as a token: it was approved where it was issued", outcome(err))
	})
}

func TestWhoGetsATokenAndWhen(t *testing.T) {
	many := make([]operation.Reference, 40)
	for i := range many {
		many[i] = deployment(strings.Repeat("a", 60)+string(rune('a'+i%26))+string(rune('a'+i/26)), "")
	}
	for _, tt := range []struct {
		name    string
		ask     func(p *breakglass.Proposal)
		prepare func(o *office, id string)
		actor   operation.Actor
		want    string
	}{
		{name: "the subject of a grant", prepare: approve, actor: person(alice), want: passed},
		{
			name: "the subject of a grant whose time has not come", prepare: approve, actor: person(alice), want: passed,
			ask: func(p *breakglass.Proposal) { p.NotBefore = opening.Add(time.Hour) },
		},
		{name: "the machine", ask: func(p *breakglass.Proposal) { p.Subject = robot }, prepare: approve, actor: machine(robot, operation.Service), want: passed},
		{name: "who asked for the machine", ask: func(p *breakglass.Proposal) { p.Subject = robot }, prepare: approve, actor: person(alice), want: passed},
		{name: "somebody else", prepare: approve, actor: person(carol), want: "ID is somebody else's"},
		{name: "the approver", prepare: approve, actor: person(bob), want: "ID is somebody else's"},
		{name: "before it is approved", actor: person(alice), want: "ID: pending: 0 of 1 approvals"},
		{
			name: "after it was revoked", actor: person(alice), want: "ID: revoked by bob@example.com at 2026-11-21T03:00:00Z: seen it",
			prepare: func(o *office, id string) { approve(o, id); o.judge(bob, id, breakglass.Revoke) },
		},
		{
			name: "after it was used", actor: person(alice), want: "ID: used up: delete of " + web.Ref + " at 2026-11-21T03:00:00Z",
			prepare: func(o *office, id string) { approve(o, id); o.same(id, passed, o.try(deletion(web))) },
		},
		{
			name: "after its approver lost the right", actor: person(alice),
			want: "ID: void: 0 of 1 approvals; the approval of bob@example.com does not count: bob@example.com may not approve",
			prepare: func(o *office, id string) {
				approve(o, id)
				o.rights.take(breakglass.RightApprove, bob, true)
			},
		},
		{
			name: "with more targets than fit", ask: func(p *breakglass.Proposal) { p.Scope.Targets = many }, prepare: approve, actor: person(alice),
			want: "ID does not fit into a token: it would have 12947 bytes, more than 4096; it can be used without a token in prod-eu, or ask for fewer targets",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			p := proposal(web)
			if tt.ask != nil {
				tt.ask(&p)
			}
			id := o.ask(p)
			if tt.prepare != nil {
				tt.prepare(o, id)
			}
			o.notes.events = nil
			token, err := o.Token(t.Context(), tt.actor, id)
			o.same(id, tt.want, outcome(err))
			kinds := []breakglass.EventKind{breakglass.EventTokenIssued}
			if err != nil {
				kinds = []breakglass.EventKind{breakglass.EventRefused}
			}
			if diff := cmp.Diff(kinds, kindsOf(o.notes.events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if (token.Reveal() != "") != (err == nil) {
				t.Error("a token beside a refusal, or neither")
			}
		})
	}
	t.Run("of an import", func(t *testing.T) {
		hub, here := twoOffices(t, nil)
		id, token := hub.token(proposal(web))
		_, err := here.Import(t.Context(), person(alice), token)
		here.must(err)
		_, err = here.Token(t.Context(), person(alice), id)
		here.same(id, "ID came as a token: present that one", outcome(err))
	})
}

func approve(o *office, id string) { o.judge(bob, id, breakglass.Approve) }

func kindsOf(events []breakglass.Event) []breakglass.EventKind {
	var kinds []breakglass.EventKind
	for _, e := range events {
		kinds = append(kinds, e.Event)
	}
	return kinds
}
