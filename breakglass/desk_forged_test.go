package breakglass_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// approvedElsewhere is a grant of another desk on the same keys: what our own would
// look like.
func (o *office) approvedElsewhere(p breakglass.Proposal) breakglass.Grant {
	o.Helper()
	other := newOffice(o.TB, func(options *breakglass.DeskOptions) { options.Keys = o.keys })
	id := other.granted(p)
	view, err := other.View(o.Context(), id)
	o.must(err)
	return *view.Grant
}

func TestAForgedGrantOpensNothing(t *testing.T) {
	const changed = "ID: void: the grant's seal is not good: the grant is not as it was sealed"
	for _, tt := range []struct {
		name string
		// forge gets a grant of the request's very handle and scope, sealed by us.
		forge func(o *office, g *breakglass.Grant)
		want  string
	}{
		{"as it was sealed, but for approvals that are not here", func(*office, *breakglass.Grant) {}, "ID: void: 0 of 1 approvals"},
		{"without a seal", func(_ *office, g *breakglass.Grant) { g.Seal = "" }, "ID: void: the grant's seal is not good: there is none"},
		{"with the seal of another grant", func(o *office, g *breakglass.Grant) {
			g.Seal = o.approvedElsewhere(proposal(deployment("api", "u-7"))).Seal
		}, changed},
		{"with the seal of another issuer", func(o *office, g *breakglass.Grant) {
			other := o.keyring(g.Issuer, filepath.Join(o.TempDir(), "keys.json"), 3)
			var err error
			g.Seal, err = other.Seal(o.Context(), *g)
			o.must(err)
		}, "ID: void: the grant's seal is not good: it was made with a key that is not known here"},
		{"of another issuer", func(_ *office, g *breakglass.Grant) { g.Issuer = "mallory" }, "ID: void: the grant's seal is not good: it was issued by mallory, not here"},
		{"for more objects", func(_ *office, g *breakglass.Grant) { g.Scope.Objects = 9 }, changed},
		{"for any uid", func(_ *office, g *breakglass.Grant) { g.Scope.Targets = []operation.Reference{deployment("web", "")} }, changed},
		{"for more targets", func(_ *office, g *breakglass.Grant) {
			g.Scope.Targets = append([]operation.Reference{deployment("api", "")}, g.Scope.Targets...)
		}, changed},
		{"for longer", func(_ *office, g *breakglass.Grant) { g.Expires = g.Expires.Add(time.Hour) }, changed},
		{"sealed, for another scope than was asked for", func(o *office, g *breakglass.Grant) {
			g.Scope.Objects = 9
			var err error
			g.Seal, err = o.keys.Seal(o.Context(), *g)
			o.must(err)
		}, "ID: void: the grant is not for what was asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			forged := o.approvedElsewhere(proposal(web)) // which has the first handle too
			id := o.ask(proposal(web))
			if forged.ID != id {
				t.Fatalf("the other desk called it %s, not %s", forged.ID, id)
			}
			tt.forge(o, &forged)
			o.must(o.store.CreateGrant(t.Context(), forged))
			o.same(id, tt.want, o.try(deletion(web)))
		})
	}
}

func TestAGrantForAnotherThanWhoAskedOpensNothing(t *testing.T) {
	o := newOffice(t, nil)
	forged := o.approvedElsewhere(proposal(web))
	id := o.ask(proposal(web))
	o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: breakglass.DoorAPI}))
	forged.Subject = carol
	o.must(o.store.CreateGrant(t.Context(), forged))
	op := deletion(web)
	op.Actor = person(carol)
	o.same(id, "ID: void: the grant's seal is not good: the grant is not as it was sealed", o.try(op))
	o.same(id, "no grant", o.try(deletion(web)))
}

func TestAGrantThatRestsOnNothingOpensNothing(t *testing.T) {
	for name, seal := range map[string]func(g *breakglass.Grant){
		"sealed":      func(*breakglass.Grant) {},
		"with a text": func(g *breakglass.Grant) { g.Seal = "x" },
		"with none":   func(g *breakglass.Grant) { g.Seal = "" },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, nil)
			forged := o.approvedElsewhere(proposal(web))
			seal(&forged)
			o.must(o.store.CreateGrant(t.Context(), forged))
			o.same(forged.ID, "ID: void: it rests on nothing: it has no request, and did not come as a token", o.try(deletion(web)))
		})
	}
}

func TestAnApprovalOfAnOlderRequestOfThatHandleDoesNotCount(t *testing.T) {
	o := newOffice(t, nil)
	other := newOffice(t, nil)
	id := other.ask(proposal(web))
	o.must(o.store.CreateVerdict(t.Context(), breakglass.Verdict{Request: id, Kind: breakglass.Approve, By: person(bob), At: opening, Door: breakglass.DoorAPI}))
	o.clock.add(time.Minute)
	c, err := other.store.Case(t.Context(), id)
	o.must(err)
	c.Request.Created = c.Request.Created.Add(time.Minute)
	o.must(o.store.CreateRequest(t.Context(), *c.Request)) // past the desk, which gives no handle twice
	o.same(id, "ID: pending: 0 of 1 approvals; the approval of bob@example.com does not count: it is older than the request", o.try(deletion(web)))
}
